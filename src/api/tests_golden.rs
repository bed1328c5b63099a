//! The cases of `tests/golden`: requests, answers, and streams as their providers sent them.

use super::Api;
use crate::framing::eventstream;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The cases of an API whose names begin so, by file.
pub fn cases(api: &dyn Api, start: &str) -> Vec<(PathBuf, Value)> {
    let folder = format!("{}/tests/golden/{}", env!("CARGO_MANIFEST_DIR"), api.name());
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with(start));
    paths.sort();
    assert!(paths.len() > 3, "no golden cases {folder}/{start}*");
    paths.into_iter().map(|p| (p.clone(), serde_json::from_slice(&std::fs::read(p).unwrap()).unwrap())).collect()
}

/// Holds a case to what was made of it; `UPDATE=1` writes that into the case instead.
pub fn hold(path: &Path, case: &Value, made: &[(&str, Value)]) {
    let mut new = case.clone();
    for (key, value) in made {
        new[key] = value.clone();
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, serde_json::to_string_pretty(&new).unwrap() + "\n").unwrap();
        return;
    }
    for (key, value) in made {
        assert_eq!(&case[key], value, "{key} of {}", path.display());
    }
}

/// The same of everything in the case.
pub fn hold_all(path: &Path, case: &Value, made: &Value) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, serde_json::to_string_pretty(made).unwrap() + "\n").unwrap();
    } else {
        assert_eq!(made, case, "{}", path.display());
    }
}

/// A text as a case has it.
pub fn lines(text: &[u8]) -> Value {
    std::str::from_utf8(text).unwrap().split('\n').map(str::to_owned).collect()
}

/// The text of a case's lines.
pub fn joined(lines: &Value, end: &str) -> String {
    let lines: Vec<&str> = lines.as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    lines.join(end)
}

/// The golden streams of an API, by file. Lines end so; binary frames are what they are.
pub fn streams(api: &dyn Api, ends: &[&str]) -> Vec<(String, Vec<u8>)> {
    let mut streams = Vec::new();
    for (path, case) in cases(api, "") {
        if case["stream"].is_array() {
            for end in ends {
                streams.push((format!("{}, {end:?}", path.display()), joined(&case["stream"], end).into_bytes()));
            }
        } else if case["frames"].is_array() {
            streams.push((path.display().to_string(), frames(&case)));
        }
    }
    streams.sort();
    assert!(streams.len() >= 5, "{}: every API needs its streams", api.name());
    streams
}

/// The frames of a case: each a name and a payload. `cut`: so many bytes of the end are missing.
pub fn frames(case: &Value) -> Vec<u8> {
    let mut stream = Vec::new();
    for frame in case["frames"].as_array().unwrap() {
        let name = frame[0].as_str().unwrap();
        let json = (":content-type", "application/json");
        let headers = match name.ends_with("Exception") {
            true => [(":exception-type", name), json, (":message-type", "exception")],
            false => [(":event-type", name), json, (":message-type", "event")],
        };
        let payload = frame[1].as_str().map_or_else(|| frame[1].to_string(), str::to_owned);
        eventstream::write(&mut stream, &headers, payload.as_bytes());
    }
    let missing = case["cut"].as_u64().unwrap_or_default();
    stream.truncate(stream.len().saturating_sub(usize::try_from(missing).unwrap()));
    stream
}
