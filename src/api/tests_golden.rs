//! The recorded streams of `tests/golden`, as their providers sent them.

use super::Api;
use crate::framing::eventstream;
use serde_json::Value;

/// The golden streams of an API, by file. Lines end so; binary frames are what they are.
pub fn streams(api: &dyn Api, ends: &[&str]) -> Vec<(String, Vec<u8>)> {
    let folder = format!("{}/tests/golden/{}", env!("CARGO_MANIFEST_DIR"), api.name());
    let mut streams = Vec::new();
    for file in std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{folder}: {e}")) {
        let path = file.unwrap().path();
        let case: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        if let Some(lines) = case["stream"].as_array() {
            let lines: Vec<&str> = lines.iter().map(|line| line.as_str().unwrap()).collect();
            for end in ends {
                streams.push((format!("{}, {end:?}", path.display()), lines.join(end).into_bytes()));
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
