//! What holds of any body, held against serde_json.

use super::scan::Scan;
use super::{Edit, MAX_DEPTH, MAX_MEMBERS, Object, each, find, kind, quote, splice};
use serde_json::{Map, Value};

/// What is taken is JSON that serde_json reads alike; what is JSON is taken, but for stated limits; edits keep it JSON.
pub fn fuzz_object(body: &[u8]) {
    let tree = serde_json::from_slice::<Map<String, Value>>(body);
    if let Ok(text) = std::str::from_utf8(body) {
        looks_safely(text);
        quotes(text);
    }
    let object = match (Object::parse(body), tree) {
        (Ok(object), tree) => {
            reads_alike(&object, tree.as_ref().ok());
            object
        }
        (Err(_), Err(_)) => return,
        (Err(error), Ok(tree)) => {
            let stated = (error.message.contains("stands twice") && error.param.is_some())
                || (error.message.contains("nested too deeply") && brackets(body) > MAX_DEPTH)
                || (error.message.contains("members") && tree.len() > MAX_MEMBERS);
            assert!(stated, "JSON is refused: {error:?}");
            return;
        }
    };
    // Which members an edit takes out, and which it changes, comes from the body.
    let seed = body.iter().fold(7_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    for seed in [seed, seed >> 8, 0, usize::MAX] {
        edits(&object, seed);
    }
}

fn brackets(body: &[u8]) -> usize {
    body.iter().filter(|b| matches!(b, b'{' | b'[')).count()
}

fn reads_alike(object: &Object<'_>, tree: Option<&Map<String, Value>>) {
    assert!(tree.is_some(), "not JSON is taken: {:?}", object.text());
    assert_eq!(Some(object.members().count()), tree.map(Map::len));
    for (name, raw) in object.members() {
        let value = tree.and_then(|tree| tree.get(name));
        assert_eq!(value, serde_json::from_str(raw).ok().as_ref(), "{name}");
        assert_eq!(object.raw(name), Some(raw));
        assert_eq!(object.span(name).and_then(|at| object.text().get(at)), Some(raw));
        assert_eq!(find(object.text(), &[name]), Some(raw));
        assert_eq!(kind(raw), value.map_or("", named));
        let string = value.and_then(Value::as_str);
        assert_eq!(object.string(name).ok().flatten().as_deref(), string);
        assert_eq!(object.boolean(name).ok().flatten(), value.and_then(Value::as_bool));
        assert_eq!(object.unsigned(name).ok().flatten(), value.and_then(Value::as_u64));
        let elements: Vec<Value> = each(raw).filter_map(|raw| serde_json::from_str(raw).ok()).collect();
        assert_eq!(elements, value.and_then(Value::as_array).cloned().unwrap_or_default());
        if let Some(last) = elements.len().checked_sub(1) {
            let found = find(object.text(), &[name, &last.to_string()]);
            assert_eq!(found.and_then(|raw| serde_json::from_str(raw).ok()).as_ref(), elements.last());
        }
    }
}

fn named(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// What edits make is an object again, with exactly the members it should have, in order.
fn edits(object: &Object<'_>, seed: usize) {
    let mut edits: Vec<Edit> = Vec::new();
    let mut expected: Vec<(String, String)> = Vec::new();
    for (n, (name, raw)) in object.members().enumerate() {
        match seed.rotate_right(u32::try_from(n).unwrap_or_default().wrapping_mul(2)) & 3 {
            0 => expected.push((name.to_owned(), raw.to_owned())),
            1 => {
                edits.push(object.set(name, "[1]"));
                expected.push((name.to_owned(), "[1]".to_owned()));
            }
            _ => edits.extend(object.remove(name)),
        }
    }
    for (at, (name, raw)) in [("new", "{}"), ("\u{1}\"new", "2")].into_iter().enumerate() {
        if object.raw(name).is_none() && seed & 16 == 0 {
            edits.push(object.set(name, raw));
            expected.insert(at.min(expected.len()), (name.to_owned(), raw.to_owned()));
        }
    }
    let text = splice(object.text().as_bytes(), &edits);
    let made = Object::parse(&text)
        .map(|made| made.members().map(|(name, raw)| (name.to_owned(), raw.to_owned())).collect::<Vec<_>>());
    assert_eq!(made, Ok(expected), "{:?}", String::from_utf8_lossy(&text));
}

/// No text makes the lookups fail, and what they find is a value.
fn looks_safely(text: &str) {
    let mut scan = Scan::new(text);
    let _ = scan.value(0);
    assert!(text.is_char_boundary(scan.at.min(text.len())));
    for path in [&[][..], &["a"], &["a", "0"], &["0"], &["1", "a"], &["messages", "0", "content"]] {
        if let Some(raw) = find(text, path) {
            let deep = brackets(raw.as_bytes()) > 100;
            assert!(deep || serde_json::from_str::<Value>(raw).is_ok(), "{raw:?}");
        }
    }
    assert!(each(text).all(|raw| !raw.is_empty()));
}

fn quotes(text: &str) {
    let mut out = Vec::new();
    quote(&mut out, text);
    assert_eq!(serde_json::from_slice::<String>(&out).ok().as_deref(), Some(text));
    assert_eq!(serde_json::to_vec(text).ok(), Some(out));
}
