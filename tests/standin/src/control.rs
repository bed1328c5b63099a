//! What the stand-in remembers and is told: the record of requests, and the endpoints under /standin/.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::Method;
use hyper::header::HeaderName;
use serde_json::{Value, json};

use crate::api::Failure;
use crate::faults::{Rule, Standing};

/// Requests that the record holds; the oldest make room.
const MAX_RECORDED: usize = 10_000;

pub struct Entry {
    pub api: &'static str,
    pub path: String,
    /// Names only: values may be keys.
    pub headers: Vec<HeaderName>,
    pub model: String,
    pub stream: bool,
    pub status: u16,
    pub usage: Value,
    /// The whole answer was handed over.
    pub completed: bool,
}

impl Entry {
    fn json(&self) -> Value {
        json!({
            "api": self.api,
            "path": self.path,
            "headers": self.headers.iter().map(HeaderName::as_str).collect::<Vec<_>>(),
            "model": self.model,
            "stream": self.stream,
            "status": self.status,
            "usage": self.usage,
            "completed": self.completed,
        })
    }
}

#[derive(Default)]
struct Record {
    entries: VecDeque<Entry>,
    /// The number of the first entry: what was dropped before it, by age or by request.
    first: usize,
}

/// Shared by all connections.
#[derive(Clone, Default)]
pub struct Memory(Arc<Shared>);

#[derive(Default)]
struct Shared {
    record: Mutex<Record>,
    standing: Mutex<Standing>,
}

/// Tells the record when an answer is complete.
pub struct Watch {
    memory: Memory,
    number: usize,
}

impl Watch {
    pub fn complete(self) {
        let mut record = lock(&self.memory.0.record);
        let at = self.number.checked_sub(record.first);
        if let Some(entry) = at.and_then(|at| record.entries.get_mut(at)) {
            entry.completed = true;
        }
    }
}

impl Memory {
    pub fn standing(&self) -> MutexGuard<'_, Standing> {
        lock(&self.0.standing)
    }

    pub fn remember(&self, entry: Entry) -> Watch {
        let mut record = lock(&self.0.record);
        if record.entries.len() >= MAX_RECORDED {
            record.entries.pop_front();
            record.first = record.first.saturating_add(1);
        }
        let number = record.first.saturating_add(record.entries.len());
        record.entries.push_back(entry);
        Watch { memory: self.clone(), number }
    }

    /// Answers a request to /standin/…
    pub fn control(&self, method: &Method, path: &str, body: &[u8]) -> Result<Value, Failure> {
        match (path, method.as_str()) {
            ("/standin/faults", "GET") => Ok(self.rules()),
            ("/standin/faults", "DELETE") => {
                self.standing().clear();
                Ok(self.rules())
            }
            ("/standin/faults", "POST") => {
                let rule = rule(body).map_err(|reason| Failure::new(400, reason))?;
                self.standing().set(rule).map_err(|reason| Failure::new(400, reason))?;
                Ok(self.rules())
            }
            ("/standin/record", "GET") => Ok(lock(&self.0.record).entries.iter().map(Entry::json).collect()),
            ("/standin/record", "DELETE") => {
                let mut record = lock(&self.0.record);
                record.first = record.first.saturating_add(record.entries.len());
                record.entries.clear();
                Ok(json!([]))
            }
            ("/standin/faults" | "/standin/record", other) => {
                Err(Failure::new(405, format!("{path} does not take {other}")))
            }
            _ => Err(Failure::new(404, format!("there is no {path}"))),
        }
    }

    fn rules(&self) -> Value {
        let standing = self.standing();
        let rules = standing.rules().iter();
        rules.map(|rule| json!({"model": rule.model, "api": rule.api, "faults": rule.faults})).collect()
    }
}

fn rule(body: &[u8]) -> Result<Rule, String> {
    let given: Value = serde_json::from_slice(body).map_err(|error| format!("not JSON: {error}"))?;
    let fields = given.as_object().ok_or("an object is needed")?;
    if let Some(unknown) = fields.keys().find(|key| !["model", "api", "faults"].contains(&key.as_str())) {
        return Err(format!("unknown field `{unknown}`: model, api and faults are known"));
    }
    let text = |name: &str| match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("`{name}` must be a string")),
    };
    Ok(Rule {
        model: text("model")?.unwrap_or_else(|| "*".to_owned()),
        api: text("api")?,
        faults: text("faults")?.ok_or("`faults` is needed")?,
    })
}

/// What is behind the locks is valid after every statement, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: usize) -> Entry {
        Entry {
            api: "openai",
            path: path.to_string(),
            headers: Vec::new(),
            model: String::new(),
            stream: false,
            status: 200,
            usage: Value::Null,
            completed: false,
        }
    }

    #[test]
    fn the_record_keeps_the_last_and_marks_the_right_one() {
        let memory = Memory::default();
        let early = memory.remember(entry(0));
        let watches: Vec<_> = (1..=MAX_RECORDED).map(|n| memory.remember(entry(n))).collect();
        early.complete();
        watches.into_iter().next().unwrap().complete();
        let list = memory.control(&Method::GET, "/standin/record", b"").unwrap();
        let list = list.as_array().unwrap();
        assert_eq!(list.len(), MAX_RECORDED);
        assert_eq!((list[0]["path"].as_str(), list[0]["completed"].as_bool()), (Some("1"), Some(true)));
        assert!(list.iter().skip(1).all(|entry| entry["completed"] == false));
    }

    #[test]
    fn a_cleared_record_is_not_marked_by_older_answers() {
        let memory = Memory::default();
        let old = memory.remember(entry(0));
        memory.control(&Method::DELETE, "/standin/record", b"").unwrap();
        memory.remember(entry(1));
        old.complete();
        assert_eq!(memory.control(&Method::GET, "/standin/record", b"").unwrap()[0]["completed"], false);
    }

    #[test]
    fn a_wrong_rule_is_refused_and_changes_nothing() {
        let memory = Memory::default();
        for body in
            ["x", "[]", r#"{"faults":1}"#, r#"{"model":"m"}"#, r#"{"faults":"nope"}"#, r#"{"faults":"","fault":""}"#]
        {
            assert_eq!(
                memory.control(&Method::POST, "/standin/faults", body.as_bytes()).unwrap_err().status,
                400,
                "{body}"
            );
        }
        assert_eq!(memory.control(&Method::GET, "/standin/faults", b"").unwrap(), json!([]));
    }
}
