//! `sluice key`: keys of consumers.

use crate::seal::random;
use sluice::consumer::Written;
use sluice::secret::{Digest, KEY_PREFIX, Secret, is_key, new_key};

pub struct Wanted {
    pub consumer: String,
    pub team: Option<String>,
    pub tier: Option<String>,
    pub not_after: Option<String>,
}

/// The key on a line of its own, which nothing else has, and the lines of configuration with its digest.
pub fn new(wanted: &Wanted) -> Result<String, String> {
    let entry = Written {
        name: wanted.consumer.clone(),
        team: wanted.team.clone(),
        tier: wanted.tier.clone(),
        not_after: wanted.not_after.clone(),
        ..Written::default()
    };
    if let Some((path, message)) = entry.read("").err().and_then(|wrong| wrong.into_iter().next()) {
        return Err(format!("the consumer's {} {message}", path.trim_start_matches('.')));
    }
    let (key, digest) = new_key(&random()?);
    let hex = digest.hex();
    let mut entry = format!("consumers:\n- name: {}\n  key_sha256: {hex}\n", quoted(&wanted.consumer));
    for (field, value) in [("team", &wanted.team), ("tier", &wanted.tier), ("not_after", &wanted.not_after)] {
        if let Some(value) = value {
            entry.push_str(&format!("  {field}: {}\n", quoted(value)));
        }
    }
    Ok(format!("{}\n\n{entry}", key.expose()))
}

/// As YAML: quoted unless it is a plain word in any reader.
fn quoted(text: &str) -> String {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
    let read =
        crate::yaml::read(text).ok().and_then(|read| read.documents.first().map(|node| node.text() == Some(text)));
    let word = text.starts_with(|first: char| first.is_ascii_alphabetic());
    if plain && word && read == Some(true) { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

/// The digest of a key that there is already.
pub fn hash(key: &Secret) -> Result<String, String> {
    let text = key.expose();
    if text.chars().any(char::is_control) {
        return Err("the key has a line break or another control character within it".to_owned());
    }
    if text.starts_with(KEY_PREFIX) && !is_key(text) {
        return Err(format!(
            "the key starts with {KEY_PREFIX} as those made here do, but its checksum is wrong: is it whole?"
        ));
    }
    Ok(format!("{}\n", Digest::of(text.as_bytes()).hex()))
}
