//! Faults on demand: what they are called, where they come from, and when they apply.

use std::collections::BTreeMap;

/// Longest wait that can be asked for.
const MAX_WAIT_MS: u64 = 600_000;
/// Largest answer that can be asked for, in bytes and in events.
const MAX_BYTES: u64 = 64 << 20;
const MAX_EVENTS: u64 = 1_000_000;
/// Counters kept for `fail_times` and `after`: a client that invents names cannot fill the memory.
const MAX_COUNTERS: usize = 10_000;

/// What is to go wrong with one request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    pub status: Option<u16>,
    pub kind: Option<String>,
    pub code: Option<String>,
    pub message: Option<String>,
    pub html: bool,
    pub error_body: bool,
    pub retry_after: Option<String>,
    pub delay_headers: u64,
    pub delay_first: u64,
    pub delay: u64,
    pub reset: Option<usize>,
    pub cut: Option<usize>,
    pub malformed: Option<usize>,
    pub error_event: Option<usize>,
    pub replay: Option<String>,
    /// The first so many requests are spared.
    after: u64,
    /// Only so many requests are hit.
    times: Option<u64>,
    /// Whose counter `after` and `times` use; absent: that of the model and these faults.
    key: Option<String>,
    pub shape: Shape,
}

/// How an answer looks: not failures, so that they stay when `fail_times` is over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shape {
    pub events: Option<usize>,
    pub bytes: Option<usize>,
    pub split: Option<usize>,
    pub crlf: bool,
    pub comments: bool,
    /// Unknown fields are accepted.
    pub lenient: bool,
    /// The model declines to answer.
    pub refusal: bool,
    /// Thinking is given as a block that cannot be read (Anthropic).
    pub redacted: bool,
    /// Reasoning is shown as `reasoning_content`, as compatible providers do (OpenAI).
    pub reasoning_content: bool,
}

impl Faults {
    /// Adds what one `name` or `name=value` asks for; false when there is no such fault.
    fn add(&mut self, item: &str) -> Result<bool, String> {
        let (name, value) = match item.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (item.trim(), None),
        };
        let text = || value.map(str::to_owned).ok_or_else(|| format!("`{name}` needs a value"));
        let number = |least: u64, most: u64| {
            value
                .and_then(|value| value.parse::<u64>().ok())
                .filter(|number| (least..=most).contains(number))
                .ok_or_else(|| format!("`{name}` needs a number from {least} to {most}"))
        };
        let count = |least: u64, most: u64| number(least, most).map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let flag = || match value {
            None | Some("1" | "true") => Ok(true),
            Some("0" | "false") => Ok(false),
            Some(other) => Err(format!("`{name}` takes no value `{other}`")),
        };
        match name {
            "status" => self.status = Some(status(&text()?)?),
            "type" => self.kind = Some(text()?),
            "code" => self.code = Some(text()?),
            "message" => self.message = Some(text()?),
            "body" if value == Some("html") => self.html = true,
            "body" => return Err("`body` can only be `html`".to_owned()),
            "error_body" => self.error_body = flag()?,
            "retry_after" => self.retry_after = Some(number(0, 1_000_000)?.to_string()),
            "delay_headers" => self.delay_headers = number(0, MAX_WAIT_MS)?,
            "delay_first" => self.delay_first = number(0, MAX_WAIT_MS)?,
            "delay" => self.delay = number(0, MAX_WAIT_MS)?,
            "reset" => self.reset = Some(count(0, MAX_EVENTS)?),
            "cut" => self.cut = Some(count(0, MAX_EVENTS)?),
            "malformed" => self.malformed = Some(count(1, MAX_EVENTS)?),
            "error_event" => self.error_event = Some(count(0, MAX_EVENTS)?),
            "replay" => self.replay = Some(text()?),
            "after" => self.after = number(0, u64::MAX)?,
            "fail_times" => {
                let given = text()?;
                let (times, with) = given.split_once(':').unwrap_or((&given, ""));
                self.times = Some(times.parse().map_err(|_| "`fail_times` needs N or N:STATUS".to_owned())?);
                if !with.is_empty() {
                    self.status = Some(status(with)?);
                }
            }
            "key" => self.key = Some(text()?),
            "events" => self.shape.events = Some(count(1, MAX_EVENTS)?),
            "bytes" => self.shape.bytes = Some(count(1, MAX_BYTES)?),
            "split" => self.shape.split = Some(count(1, MAX_BYTES)?),
            "crlf" => self.shape.crlf = flag()?,
            "comments" => self.shape.comments = flag()?,
            "lenient" => self.shape.lenient = flag()?,
            "refusal" => self.shape.refusal = flag()?,
            "redacted" => self.shape.redacted = flag()?,
            "reasoning_content" => self.shape.reasoning_content = flag()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Adds a comma-separated list.
    pub fn add_list(&mut self, list: &str) -> Result<(), String> {
        for item in list.split(',').filter(|item| !item.trim().is_empty()) {
            if !self.add(item)? {
                return Err(format!("there is no fault `{}`", item.trim()));
            }
        }
        Ok(())
    }

    /// Adds the faults at the end of a model's name and gives the name without them. A `+word` that is no fault is part of the
    /// name (`command-r+`); a `+word=value` that is none is a mistake.
    pub fn add_model(&mut self, model: &str) -> Result<String, String> {
        let mut name = String::new();
        for (at, part) in model.split('+').enumerate() {
            if at > 0 {
                if self.add(part)? {
                    continue;
                }
                if part.contains('=') {
                    return Err(format!("there is no fault `{part}`"));
                }
                name.push('+');
            }
            name.push_str(part);
        }
        Ok(name)
    }

    fn fails(&self) -> bool {
        let healthy = Self {
            delay_headers: self.delay_headers,
            delay_first: self.delay_first,
            delay: self.delay,
            retry_after: self.retry_after.clone(),
            after: self.after,
            times: self.times,
            key: self.key.clone(),
            shape: self.shape.clone(),
            ..Self::default()
        };
        *self != healthy
    }
}

fn status(text: &str) -> Result<u16, String> {
    text.parse()
        .ok()
        .filter(|status| (200..=599).contains(status))
        .ok_or_else(|| format!("`{text}` is no status from 200 to 599"))
}

/// Faults set for all requests to some models, and the counters of those that last for a number of requests.
#[derive(Default)]
pub struct Standing {
    rules: Vec<Rule>,
    seen: BTreeMap<String, u64>,
}

#[derive(Clone)]
pub struct Rule {
    /// A name, a prefix and `*`, or `*`.
    pub model: String,
    /// Absent: every API.
    pub api: Option<String>,
    pub faults: String,
}

impl Rule {
    fn covers(&self, api: &str, model: &str) -> bool {
        let named = match self.model.strip_suffix('*') {
            Some(prefix) => model.starts_with(prefix),
            None => model == self.model,
        };
        named && self.api.as_deref().is_none_or(|only| only == api)
    }
}

impl Standing {
    /// Replaces the rule for the same model and API; no faults: takes it away.
    pub fn set(&mut self, rule: Rule) -> Result<(), String> {
        Faults::default().add_list(&rule.faults)?;
        self.rules.retain(|known| known.model != rule.model || known.api != rule.api);
        if !rule.faults.trim().is_empty() {
            self.rules.push(rule);
        }
        Ok(())
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The faults of one request, and the model's name without them: standing rules first, then the model's name, then the
    /// header, each over the one before.
    pub fn plan(&mut self, api: &str, model: &str, header: Option<&str>) -> Result<(Faults, String), String> {
        if self.rules.is_empty() && header.is_none() && !model.contains('+') {
            return Ok((Faults::default(), model.to_owned()));
        }
        let name = Faults::default().add_model(model)?;
        let mut faults = Faults::default();
        for rule in self.rules.iter().filter(|rule| rule.covers(api, &name)) {
            faults.add_list(&rule.faults)?;
        }
        faults.add_model(model)?;
        faults.add_list(header.unwrap_or_default())?;
        if faults.after > 0 || faults.times.is_some() {
            let counter = match &faults.key {
                Some(key) => key.clone(),
                None => format!("{api} {model} {}", header.unwrap_or_default()),
            };
            faults = self.due(faults, counter);
        }
        Ok((faults, name))
    }

    fn due(&mut self, mut faults: Faults, counter: String) -> Faults {
        if !faults.fails() && faults.delay_headers == 0 && faults.delay_first == 0 && faults.delay == 0 {
            faults.status = Some(503);
        }
        if self.seen.len() >= MAX_COUNTERS && !self.seen.contains_key(&counter) {
            self.seen.pop_first();
        }
        let seen = self.seen.entry(counter).or_default();
        let before = *seen;
        *seen = seen.saturating_add(1);
        let over = faults.times.is_some_and(|times| before >= faults.after.saturating_add(times));
        if before < faults.after || over {
            faults = Faults { shape: faults.shape, ..Faults::default() };
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(standing: &mut Standing, model: &str, header: Option<&str>) -> (Faults, String) {
        standing.plan("openai", model, header).unwrap()
    }

    #[test]
    fn a_model_carries_faults_and_keeps_its_own_plus() {
        let (faults, name) = plan(&mut Standing::default(), "command-r+status=503+crlf+x", None);
        assert_eq!(name, "command-r+x");
        assert_eq!(faults.status, Some(503));
        assert!(faults.shape.crlf);
    }

    #[test]
    fn the_header_wins_over_the_model_and_the_model_over_standing_faults() {
        let mut standing = Standing::default();
        let rule = Rule { model: "gpt-*".into(), api: None, faults: "status=500,retry_after=1,split=3".into() };
        standing.set(rule).unwrap();
        let (faults, _) = plan(&mut standing, "gpt-4o+status=502+split=4", Some("split=5"));
        assert_eq!((faults.status, faults.retry_after.as_deref(), faults.shape.split), (Some(502), Some("1"), Some(5)));
        assert_eq!(plan(&mut standing, "claude", None).0, Faults::default());
    }

    #[test]
    fn fail_times_fails_the_first_and_spares_the_rest() {
        let mut standing = Standing::default();
        let mut statuses =
            |model: &str| -> Vec<_> { (0..5).map(|_| plan(&mut standing, model, None).0.status).collect() };
        assert_eq!(statuses("m+fail_times=2"), [Some(503), Some(503), None, None, None]);
        assert_eq!(statuses("m+fail_times=1:429"), [Some(429), None, None, None, None]);
        assert_eq!(statuses("m+status=500+after=2+fail_times=1"), [None, None, Some(500), None, None]);
        assert_eq!(statuses("m+status=500+after=4+key=k"), [None, None, None, None, Some(500)]);
        assert_eq!(statuses("other+status=500+after=4+key=k"), [Some(500); 5]);
    }

    #[test]
    fn a_counted_fault_need_not_be_a_status() {
        let mut standing = Standing::default();
        let resets: Vec<_> = (0..2).map(|_| plan(&mut standing, "m+reset=0+fail_times=1+split=1", None).0).collect();
        assert_eq!(resets[0].reset, Some(0));
        assert_eq!(resets[0].status, None);
        assert_eq!(resets[1].reset, None);
        assert_eq!(resets[1].shape.split, Some(1));
    }

    #[test]
    fn a_mistake_is_named() {
        for (model, header, expected) in [
            ("m+statsu=503", None, "there is no fault `statsu=503`"),
            ("m+status=99", None, "`99` is no status from 200 to 599"),
            ("m", Some("malformed=0"), "`malformed` needs a number from 1 to 1000000"),
            ("m", Some("oops"), "there is no fault `oops`"),
            ("m+delay", None, "`delay` needs a number from 0 to 600000"),
            ("m+body=xml", None, "`body` can only be `html`"),
        ] {
            assert_eq!(Standing::default().plan("openai", model, header).unwrap_err(), expected);
        }
    }
}
