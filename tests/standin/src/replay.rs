//! Recorded answers, sent again as they were.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Headers that belong to one connection or one coding of the body, or that would mislead a later client.
const NOT_REPLAYED: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "date",
    "keep-alive",
    "set-cookie",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

#[derive(Default)]
pub struct Recordings(BTreeMap<String, Recording>);

pub struct Recording {
    pub status: u16,
    pub headers: HeaderMap,
    pub stream: bool,
    pub body: Bytes,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    response: Response,
}

#[derive(Deserialize)]
struct Response {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, serde_json::Value>,
    body: Option<Box<RawValue>>,
    sse_text: Option<String>,
    ndjson_text: Option<String>,
    body_base64: Option<String>,
}

impl Recordings {
    /// By the whole id or by what follows its last slash.
    pub fn find(&self, id: &str) -> Option<&Recording> {
        self.0.get(id).or_else(|| {
            let (_, found) = self.0.iter().find(|(known, _)| known.rsplit('/').next() == Some(id))?;
            Some(found)
        })
    }
}

/// Reads every `.json` file below the folder.
pub fn load(folder: &Path) -> Result<Recordings, String> {
    let mut recordings = Recordings::default();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let named = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
        for entry in std::fs::read_dir(&folder).map_err(named)? {
            let path = entry.map_err(named)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
                let (id, recording) = recording(&text).map_err(|reason| format!("{}: {reason}", path.display()))?;
                recordings.0.insert(id, recording);
            }
        }
    }
    Ok(recordings)
}

fn recording(text: &str) -> Result<(String, Recording), String> {
    let Case { id, response } = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let stream = response.sse_text.is_some();
    let mut headers = HeaderMap::new();
    for (name, value) in &response.headers {
        let Some(value) = value.as_str() else { continue };
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
            && !NOT_REPLAYED.contains(&name.as_str())
        {
            headers.insert(name, value);
        }
    }
    let fallback = if stream { "text/event-stream" } else { "application/json" };
    headers.entry("content-type").or_insert(HeaderValue::from_static(fallback));
    let body = match (response.sse_text.or(response.ndjson_text), response.body_base64, response.body) {
        (Some(text), _, _) => Bytes::from(text),
        (_, Some(coded), _) => Bytes::from(base64(&coded)?),
        // A body that was no JSON is recorded as a string.
        (_, _, Some(raw)) => match serde_json::from_str::<String>(raw.get()) {
            Ok(text) => Bytes::from(text),
            Err(_) => Bytes::copy_from_slice(raw.get().as_bytes()),
        },
        (None, None, None) => Bytes::new(),
    };
    if !(200..=599).contains(&response.status) {
        return Err(format!("status {} cannot be sent", response.status));
    }
    Ok((id, Recording { status: response.status, headers, stream, body }))
}

/// Standard alphabet, padding optional.
fn base64(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte.wrapping_sub(b'A'),
            b'a'..=b'z' => byte.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => byte.wrapping_sub(b'0').wrapping_add(52),
            b'+' => 62,
            b'/' => 63,
            _ => return Err("body_base64 is not base64".to_owned()),
        };
        bits = (bits << 6) | u32::from(value);
        held = held.wrapping_add(6);
        if held >= 8 {
            held = held.wrapping_sub(8);
            out.push((bits >> held).to_le_bytes().first().copied().unwrap_or_default());
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_keeps_its_bytes_and_a_string_is_sent_as_it_is() {
        let case = |body: &str| {
            format!(r#"{{"id":"a/b/1","response":{{"status":200,"headers":{{"Content-Length":"9"}},{body}}}}}"#)
        };
        for (body, expected) in [
            (r#""body":{"b": 1,"a":2.0}"#, r#"{"b": 1,"a":2.0}"#),
            (r#""body":"<html>""#, "<html>"),
            (r#""sse_text":"data: 1\n\n""#, "data: 1\n\n"),
            (r#""body_base64":"AAEC/w==","events":[]"#, "\u{0}\u{1}\u{2}"),
            (r#""events":[]"#, ""),
        ] {
            let (id, recording) = recording(&case(body)).unwrap();
            assert_eq!(id, "a/b/1");
            assert!(recording.body.starts_with(expected.as_bytes()), "{body}");
            assert_eq!(recording.headers.len(), 1);
        }
    }

    #[test]
    fn base64_of_every_length_reads_back() {
        for (coded, plain) in [("", ""), ("TQ==", "M"), ("TWE=", "Ma"), ("TWFu", "Man"), ("TWFuTQ", "ManM")] {
            assert_eq!(base64(coded).unwrap(), plain.as_bytes());
        }
        assert!(base64("a b").is_err());
    }

    #[test]
    fn an_id_is_found_whole_or_by_its_end() {
        let one = recording(r#"{"id":"openai/chat/1","response":{"status":201}}"#).unwrap();
        let recordings = Recordings(BTreeMap::from([one]));
        assert_eq!(recordings.find("openai/chat/1").unwrap().status, 201);
        assert_eq!(recordings.find("1").unwrap().status, 201);
        assert!(recordings.find("chat/1").is_none());
    }
}
