use crate::chat::Usage;
use crate::host::Millis;
use crate::json::{quote, write};
use crate::price::{Nanos, dollars};
use std::rc::Rc;

/// One call, for the access log: property `sluice.log`. Members that are not known are left out.
#[derive(Clone, Debug, Default)]
pub struct Entry<'a> {
    pub dialect: &'a str,
    /// As the client asked for it, without its query, cut to 256 bytes: an attempt has put its own in the request.
    pub path: &'a str,
    /// `chat` or that of a task; absent where nothing was asked of a model.
    pub operation: Option<&'static str>,
    /// As the client wrote it, cut to 256 bytes.
    pub model: Option<&'a str>,
    /// The provider's name of the model used.
    pub target_model: Option<&'a str>,
    pub provider: Option<&'a str>,
    /// Who called.
    pub consumer: Option<&'a str>,
    pub team: Option<&'a str>,
    pub stream: bool,
    /// What the client got; 0: it left before.
    pub status: u16,
    /// `complete`, `error`, `provider_cut`, `client_left`.
    pub ended: &'static str,
    pub error: Option<&'static str>,
    pub attempts: Vec<AttemptEntry<'a>>,
    pub usage: Option<UsageEntry>,
    pub time_to_first_byte_ms: Option<Millis>,
    pub duration_ms: Millis,
    pub losses: Vec<&'static str>,
    /// In billionths of a dollar.
    pub cost_usd: Option<Nanos>,
    pub limits: &'a [LimitEntry],
}

/// A limit that held for a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitEntry {
    pub name: Rc<str>,
    pub unit: &'static str,
    /// `held`, `reported` (it had no room, and is only reported), `rerouted`, `refused`.
    pub outcome: &'static str,
    /// In the unit; of money, billionths of a dollar.
    pub reserved: u64,
    pub settled: u64,
}

#[derive(Clone, Debug)]
pub struct AttemptEntry<'a> {
    pub provider: &'a str,
    pub cluster: &'a str,
    pub model: &'a str,
    /// 0: it never answered.
    pub status: u16,
    /// `ok` or the kind of its error.
    pub outcome: &'static str,
    pub duration_ms: Millis,
}

#[derive(Clone, Copy, Debug)]
pub struct UsageEntry {
    pub input: u64,
    pub cached_input: u64,
    pub cache_write: u64,
    pub output: u64,
    pub reasoning: u64,
}

impl From<Usage> for UsageEntry {
    fn from(usage: Usage) -> Self {
        Self {
            input: usage.input,
            cached_input: usage.cached_input,
            cache_write: usage.cache_write,
            output: usage.output,
            reasoning: usage.reasoning,
        }
    }
}

impl Entry<'_> {
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = Vec::with_capacity(1024);
        json.push(b'{');
        write::text(&mut json, "dialect", self.dialect);
        write::text(&mut json, "path", self.path);
        known(&mut json, "operation", self.operation);
        known(&mut json, "model", self.model);
        known(&mut json, "target_model", self.target_model);
        known(&mut json, "provider", self.provider);
        known(&mut json, "consumer", self.consumer);
        known(&mut json, "team", self.team);
        write::flag(&mut json, "stream", self.stream);
        write::number(&mut json, "status", self.status.into());
        write::text(&mut json, "ended", self.ended);
        known(&mut json, "error", self.error);
        if !self.attempts.is_empty() {
            write::field(&mut json, "attempts");
            json.push(b'[');
            for attempt in &self.attempts {
                attempt.write(&mut json);
            }
            json.push(b']');
        }
        if let Some(usage) = &self.usage {
            write::field(&mut json, "usage");
            usage.write(&mut json);
        }
        if let Some(time) = self.time_to_first_byte_ms {
            write::number(&mut json, "time_to_first_byte_ms", time);
        }
        write::number(&mut json, "duration_ms", self.duration_ms);
        if let Some(cost) = self.cost_usd {
            write::field(&mut json, "cost_usd");
            dollars(&mut json, cost);
        }
        if !self.limits.is_empty() {
            write::field(&mut json, "limits");
            json.push(b'[');
            for limit in self.limits {
                limit.write(&mut json);
            }
            json.push(b']');
        }
        if !self.losses.is_empty() {
            write::field(&mut json, "losses");
            json.push(b'[');
            for field in &self.losses {
                write::comma(&mut json);
                quote(&mut json, field);
            }
            json.push(b']');
        }
        json.push(b'}');
        json
    }
}

impl AttemptEntry<'_> {
    fn write(&self, json: &mut Vec<u8>) {
        write::comma(json);
        json.push(b'{');
        write::text(json, "provider", self.provider);
        write::text(json, "cluster", self.cluster);
        write::text(json, "model", self.model);
        write::number(json, "status", self.status.into());
        write::text(json, "outcome", self.outcome);
        write::number(json, "duration_ms", self.duration_ms);
        json.push(b'}');
    }
}

impl LimitEntry {
    fn write(&self, json: &mut Vec<u8>) {
        write::comma(json);
        json.push(b'{');
        write::text(json, "name", &self.name);
        write::text(json, "unit", self.unit);
        write::text(json, "outcome", self.outcome);
        for (name, amount) in [("reserved", self.reserved), ("settled", self.settled)] {
            match self.unit {
                "usd" => {
                    write::field(json, name);
                    dollars(json, amount);
                }
                _ => write::number(json, name, amount),
            }
        }
        json.push(b'}');
    }
}

impl UsageEntry {
    fn write(&self, json: &mut Vec<u8>) {
        json.push(b'{');
        write::number(json, "input", self.input);
        write::number(json, "cached_input", self.cached_input);
        write::number(json, "cache_write", self.cache_write);
        write::number(json, "output", self.output);
        write::number(json, "reasoning", self.reasoning);
        json.push(b'}');
    }
}

fn known(json: &mut Vec<u8>, name: &'static str, value: Option<&str>) {
    if let Some(value) = value {
        write::text(json, name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::{AttemptEntry, Entry, LimitEntry, UsageEntry};

    #[test]
    fn what_is_not_known_is_left_out() {
        let entry = Entry { dialect: "openai", path: "/a\"b\n", ended: "client_left", ..Entry::default() };
        let expected =
            r#"{"dialect":"openai","path":"/a\"b\n","stream":false,"status":0,"ended":"client_left","duration_ms":0}"#;
        assert_eq!(String::from_utf8(entry.to_json()).unwrap(), expected);
    }

    #[test]
    fn all_members_stand_in_their_order() {
        let attempt = |provider, status, outcome| AttemptEntry {
            provider,
            cluster: "c",
            model: "m",
            status,
            outcome,
            duration_ms: 7,
        };
        let entry = Entry {
            dialect: "anthropic",
            path: "/v1/messages",
            operation: Some("chat"),
            model: Some("asked"),
            target_model: Some("m"),
            provider: Some("q"),
            consumer: Some("search"),
            team: None,
            stream: true,
            status: 200,
            ended: "error",
            error: Some("timeout"),
            attempts: vec![attempt("p", 0, "timeout"), attempt("q", 200, "ok")],
            usage: Some(UsageEntry { input: 1, cached_input: 2, cache_write: 3, output: 4, reasoning: u64::MAX }),
            time_to_first_byte_ms: Some(10),
            duration_ms: 1234,
            losses: vec!["top_k", "seed"],
            cost_usd: Some(12_034_500),
            limits: &[
                LimitEntry { name: "a".into(), unit: "tokens", outcome: "held", reserved: 9, settled: 5 },
                LimitEntry { name: "b".into(), unit: "usd", outcome: "refused", reserved: 2_000_000_001, settled: 0 },
            ],
        };
        let expected = concat!(
            r#"{"dialect":"anthropic","path":"/v1/messages","operation":"chat","model":"asked","target_model":"m","provider":"q","consumer":"search","stream":true,"#,
            r#""status":200,"ended":"error","error":"timeout","attempts":[{"provider":"p","cluster":"c","model":"m","status":0,"#,
            r#""outcome":"timeout","duration_ms":7},{"provider":"q","cluster":"c","model":"m","status":200,"outcome":"ok","#,
            r#""duration_ms":7}],"usage":{"input":1,"cached_input":2,"cache_write":3,"output":4,"#,
            r#""reasoning":18446744073709551615},"time_to_first_byte_ms":10,"duration_ms":1234,"#,
            r#""cost_usd":0.0120345,"limits":[{"name":"a","unit":"tokens","outcome":"held","reserved":9,"settled":5},"#,
            r#"{"name":"b","unit":"usd","outcome":"refused","reserved":2.000000001,"settled":0}],"losses":["top_k","seed"]}"#,
        );
        assert_eq!(String::from_utf8(entry.to_json()).unwrap(), expected);
    }
}
