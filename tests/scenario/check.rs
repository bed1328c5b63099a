use serde_yaml_ng::{Mapping, Value};

use super::envoy::{Arrived, Outcome};
use super::headers::Headers;
use super::model::{Expect, Pairs, Received, bytes, object};

/// What an attempt brought, against the script's expectation; each difference is a line.
pub fn attempt(want: &Received, got: &Arrived) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, value) in [(":method", &want.method), (":path", &want.path)] {
        if let Some(value) = value {
            header(&mut wrong, name, Some(value), &got.headers);
        }
    }
    headers(&mut wrong, &want.headers, &got.headers);
    let texts = Texts { text: want.body_text.as_deref(), has: &want.body_has, lacks: &want.body_lacks };
    body(&mut wrong, want.body.as_ref(), &texts, &got.body);
    wrong
}

/// What the client got and the gateway reported, against the scenario's expectation.
pub fn client(want: &Expect, got: &Outcome) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(status) = want.status {
        header(&mut wrong, ":status", Some(&status.to_string()), &got.headers);
    }
    headers(&mut wrong, &want.headers, &got.headers);
    let texts = Texts { text: want.body_text.as_deref(), has: &want.body_has, lacks: &want.body_lacks };
    body(&mut wrong, want.body.as_ref(), &texts, &got.body);
    if let Some(members) = &want.log {
        log(&mut wrong, members, got.log.as_deref());
    }
    for (name, value) in &want.counters {
        let seen = got.counters.get(name).copied().unwrap_or(0);
        if seen != *value {
            let known: Vec<_> = got.counters.iter().map(|(n, v)| format!("{n} {v}")).collect();
            wrong.push(format!("counter {name}: {seen}, not {value}; there are: {}", known.join(", ")));
        }
    }
    wrong
}

struct Texts<'a> {
    text: Option<&'a str>,
    has: &'a [String],
    lacks: &'a [String],
}

fn headers(wrong: &mut Vec<String>, want: &Pairs, got: &Headers) {
    let mut seen: Vec<&str> = Vec::new();
    for (name, value) in &want.0 {
        if seen.contains(&name.as_str()) {
            continue;
        }
        seen.push(name);
        let all: Vec<_> = want.0.iter().filter(|(n, _)| n == name).filter_map(|(_, v)| v.as_deref()).collect();
        header(wrong, name, value.is_some().then(|| all.join(", ")).as_deref(), got);
    }
}

fn header(wrong: &mut Vec<String>, name: &str, want: Option<&str>, got: &Headers) {
    let seen = got.text(if name == "host" { ":authority" } else { name });
    if seen.as_deref() != want {
        wrong.push(format!("header {name}: {seen:?}, not {want:?}"));
    }
}

fn body(wrong: &mut Vec<String>, want: Option<&Value>, texts: &Texts, got: &[u8]) {
    let seen = String::from_utf8_lossy(got);
    if let Some(want) = want {
        let want = bytes(Some(want), None).map(Option::unwrap_or_default);
        match want.as_ref().map(|want| (parsed(want), parsed(got))) {
            Ok((Ok(want), Ok(got))) if want == got => {}
            _ if want.as_deref() == Ok(got) => {}
            _ => {
                let want = want.map_or_else(|error| error, |want| String::from_utf8_lossy(&want).into_owned());
                wrong.push(format!("body:\n  {seen}\nnot:\n  {want}"));
            }
        }
    }
    if let Some(text) = texts.text
        && text.as_bytes() != got
    {
        wrong.push(format!("body:\n  {seen:?}\nnot:\n  {text:?}"));
    }
    for part in texts.has.iter().filter(|part| !seen.contains(part.as_str())) {
        wrong.push(format!("body lacks {part:?}: {seen}"));
    }
    for part in texts.lacks.iter().filter(|part| seen.contains(part.as_str())) {
        wrong.push(format!("body has {part:?}: {seen}"));
    }
}

fn log(wrong: &mut Vec<String>, want: &Mapping, got: Option<&[u8]>) {
    let Some(got) = got else {
        wrong.push("no log object".to_string());
        return;
    };
    match (object(want).and_then(|text| parsed(text.as_bytes())), parsed(got)) {
        (Ok(want), Ok(got)) if part_of(&want, &got) => {}
        (Ok(want), Ok(got)) => wrong.push(format!("log:\n  {got}\nhas not:\n  {want}")),
        (want, got) => wrong.push(format!("log is not JSON: {want:?} {got:?}")),
    }
}

/// Members named are equal, in nested objects too; lists are equal item by item.
fn part_of(want: &serde_json::Value, got: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Object};
    match (want, got) {
        (Object(want), Object(got)) => want.iter().all(|(k, v)| got.get(k).is_some_and(|g| part_of(v, g))),
        (Array(want), Array(got)) => want.len() == got.len() && want.iter().zip(got).all(|(w, g)| part_of(w, g)),
        _ => want == got,
    }
}

fn parsed(text: &[u8]) -> Result<serde_json::Value, String> {
    serde_json::from_slice(text).map_err(|e| e.to_string())
}
