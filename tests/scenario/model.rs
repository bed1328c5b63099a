use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_yaml_ng::{Mapping, Value};

/// What of the file's format runs where; see `tests/scenarios/README.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runner {
    Native,
    Wasm,
    Envoy,
}

/// One call. Without a configuration it goes to the gateway of the call before it, in the same file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub name: String,
    pub config: Option<Mapping>,
    /// Hosts carry their provider's name in the metadata `sluice.provider`.
    #[serde(default)]
    pub metadata: bool,
    pub request: Request,
    #[serde(default)]
    pub providers: BTreeMap<String, Vec<Answer>>,
    pub expect: Expect,
    pub only: Option<Vec<Runner>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    pub method: Option<String>,
    pub path: String,
    #[serde(default)]
    pub headers: Pairs,
    pub body: Option<Value>,
    pub body_base64: Option<String>,
    pub trailers: Option<Pairs>,
    pub chunk: Option<usize>,
    pub hang_up_after: Option<usize>,
    #[serde(default)]
    pub admin: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    Refuse,
    Reset,
    Cut,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    #[serde(default)]
    pub expect: Received,
    pub status: Option<u16>,
    #[serde(default)]
    pub headers: Pairs,
    pub body: Option<Value>,
    pub body_base64: Option<String>,
    pub trailers: Option<Pairs>,
    pub chunk: Option<usize>,
    pub fault: Option<Fault>,
}

/// What an attempt must have received.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Received {
    pub method: Option<String>,
    pub path: Option<String>,
    #[serde(default)]
    pub headers: Pairs,
    pub body: Option<Value>,
    pub body_text: Option<String>,
    #[serde(default)]
    pub body_has: Vec<String>,
    #[serde(default)]
    pub body_lacks: Vec<String>,
}

/// What the client gets, and what the gateway reports.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    pub status: Option<u16>,
    #[serde(default)]
    pub headers: Pairs,
    pub body: Option<Value>,
    pub body_text: Option<String>,
    #[serde(default)]
    pub body_has: Vec<String>,
    #[serde(default)]
    pub body_lacks: Vec<String>,
    pub log: Option<Mapping>,
    #[serde(default)]
    pub counters: BTreeMap<String, u64>,
}

/// Headers as a file says them: in order, `null` for absent, a list for one that repeats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs(pub Vec<(String, Option<String>)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pairs, D::Error> {
        let mut pairs = Vec::new();
        for (name, value) in Mapping::deserialize(deserializer)? {
            let name = scalar(&name).ok_or_else(|| D::Error::custom("a header's name is text"))?;
            let values = match value {
                Value::Null => {
                    pairs.push((name, None));
                    continue;
                }
                Value::Sequence(values) => values,
                value => vec![value],
            };
            for value in values {
                let value = scalar(&value).ok_or_else(|| D::Error::custom(format!("{name}: not a header's value")))?;
                pairs.push((name.clone(), Some(value)));
            }
        }
        Ok(Pairs(pairs))
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        _ => None,
    }
}

/// The calls of one file, in order. The documents are read as one list, so that anchors hold for the whole file.
pub fn parse(text: &str) -> Result<Vec<Scenario>, String> {
    let mut list = "-".to_string();
    for line in text.lines() {
        match line.strip_prefix("---").map(str::trim_start) {
            Some(rest) if rest.is_empty() || rest.starts_with('#') => list.push_str("\n-"),
            _ => {
                list.push_str("\n  ");
                list.push_str(line);
            }
        }
    }
    let mut documents: Value = serde_yaml_ng::from_str(&list).map_err(|e| e.to_string())?;
    documents.apply_merge().map_err(|e| e.to_string())?;
    let Value::Sequence(documents) = documents else { return Ok(Vec::new()) };
    let calls = documents.into_iter().filter(|document| !document.is_null());
    calls.map(|document| serde_yaml_ng::from_value(document).map_err(|e| e.to_string())).collect()
}

/// All files of a folder, by name.
pub fn load(folder: &Path) -> Result<Vec<(String, Vec<Scenario>)>, String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))? {
        let path = entry.map_err(|e| e.to_string())?.path();
        if path.extension().is_some_and(|e| e == "yaml") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).map_err(|e| format!("{name}: {e}"))?;
            files.push((name.clone(), parse(&text).map_err(|e| format!("{name}.yaml: {e}"))?));
        }
    }
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(files)
}

/// The bytes of a `body`: a string as it is, anything else as compact JSON in the file's order.
pub fn bytes(body: Option<&Value>, base64: Option<&str>) -> Result<Option<Vec<u8>>, String> {
    match (body, base64) {
        (None, None) => Ok(None),
        (Some(Value::String(text)), None) => Ok(Some(text.clone().into_bytes())),
        (Some(value), None) => json(value).map(|text| Some(text.into_bytes())),
        (None, Some(text)) => unbase64(text).map(Some),
        (Some(_), Some(_)) => Err("both body and body_base64".to_string()),
    }
}

/// Compact JSON that keeps the file's order of members, which `serde_json::Value` would not.
pub fn json(value: &Value) -> Result<String, String> {
    Ok(match value {
        Value::Null => "null".to_string(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            serde_json::to_string(value).map_err(|e| e.to_string())?
        }
        Value::Sequence(items) => {
            let items: Result<Vec<_>, _> = items.iter().map(json).collect();
            format!("[{}]", items?.join(","))
        }
        Value::Mapping(members) => object(members)?,
        Value::Tagged(tagged) => return Err(format!("a tag in JSON: {}", tagged.tag)),
    })
}

pub fn object(members: &Mapping) -> Result<String, String> {
    let mut texts = Vec::new();
    for (name, value) in members {
        let name = scalar(name).ok_or("a member's name is not text")?;
        let name = serde_json::to_string(&name).map_err(|e| e.to_string())?;
        texts.push(format!("{name}:{}", json(value)?));
    }
    Ok(format!("{{{}}}", texts.join(",")))
}

fn unbase64(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let (mut held, mut bits) = (0u32, 0u32);
    for c in text.bytes().filter(|c| !c.is_ascii_whitespace() && *c != b'=') {
        let digit = match c {
            b'A'..=b'Z' => c.wrapping_sub(b'A'),
            b'a'..=b'z' => c.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => c.wrapping_sub(b'0').wrapping_add(52),
            b'+' => 62,
            b'/' => 63,
            _ => return Err(format!("not base64: {}", char::from(c))),
        };
        held = ((held << 6) | u32::from(digit)) & 0xffff;
        bits = bits.wrapping_add(6);
        if bits >= 8 {
            bits = bits.wrapping_sub(8);
            bytes.push(((held >> bits) & 0xff) as u8);
        }
    }
    Ok(bytes)
}
