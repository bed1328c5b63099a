//! What holds of any body, held against serde_json.

use super::scan::Scan;
use super::{Body, Edit, MAX_DEPTH, MAX_MEMBERS, Tree, Value, find, kind, quote, splice};
use serde_json::{Map, Value as Theirs};

/// What is taken is JSON that serde_json reads alike; what is JSON is taken, but for stated limits; edits keep it JSON.
pub fn fuzz_object(body: &[u8]) {
    let tree = serde_json::from_slice::<Map<String, Theirs>>(body);
    if let Ok(text) = std::str::from_utf8(body) {
        looks_safely(text);
        quotes(text);
    }
    let parsed = match (Body::parse(body), tree) {
        (Ok(parsed), tree) => {
            reads_alike(parsed.value(), tree.as_ref().ok());
            parsed
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
        edits(parsed.value(), seed);
    }
}

fn brackets(body: &[u8]) -> usize {
    body.iter().filter(|b| matches!(b, b'{' | b'[')).count()
}

fn reads_alike(object: Value<'_>, tree: Option<&Map<String, Theirs>>) {
    assert!(tree.is_some(), "not JSON is taken: {:?}", object.raw());
    assert_eq!(Some(object.members().count()), tree.map(Map::len));
    for (name, value) in object.members() {
        let name = &*name.text();
        let theirs = tree.and_then(|tree| tree.get(name));
        let raw = value.raw();
        same(value, theirs);
        assert_eq!(object.member(name).map(|v| v.raw()), Some(raw));
        assert_eq!(object.whole_text().get(value.span()), Some(raw));
        assert_eq!(find(object.whole_text(), &[name]), Some(raw));
        assert_eq!(kind(raw), theirs.map_or("", named));
        let string = theirs.and_then(Theirs::as_str);
        assert_eq!(object.string(name).ok().flatten().as_deref(), string);
        assert_eq!(object.boolean(name).ok().flatten(), theirs.and_then(Theirs::as_bool));
        assert_eq!(object.unsigned(name).ok().flatten(), theirs.and_then(Theirs::as_u64));
    }
}

/// A value and all within it, and each one's path leads to it.
fn same(value: Value<'_>, theirs: Option<&Theirs>) {
    assert_eq!(serde_json::from_str(value.raw()).ok().as_ref(), theirs);
    let list = theirs.and_then(Theirs::as_array).map(Vec::as_slice).unwrap_or_default();
    assert_eq!(value.items().count(), list.len());
    for (n, (item, theirs)) in value.items().zip(list).enumerate() {
        assert_eq!(item.path(), format!("{}[{n}]", value.path()));
        same(item, Some(theirs));
    }
    let members = theirs.and_then(Theirs::as_object);
    for (name, theirs) in members.into_iter().flatten() {
        let member = value.member(name);
        assert!(member.is_some_and(|m| m.path().starts_with(&value.path())), "{name}");
        if let Some(member) = member {
            same(member, Some(theirs));
        }
    }
    assert_eq!(value.text().as_deref(), theirs.and_then(Theirs::as_str));
    assert_eq!(value.truth(), theirs.and_then(Theirs::as_bool));
    assert_eq!(value.is_null(), theirs.is_some_and(Theirs::is_null));
}

fn named(value: &Theirs) -> &'static str {
    match value {
        Theirs::Null => "null",
        Theirs::Bool(_) => "a boolean",
        Theirs::Number(_) => "a number",
        Theirs::String(_) => "a string",
        Theirs::Array(_) => "an array",
        Theirs::Object(_) => "an object",
    }
}

/// What edits make is an object again, with exactly the members it should have, in order.
fn edits(object: Value<'_>, seed: usize) {
    let mut edits: Vec<Edit> = Vec::new();
    let mut expected: Vec<(String, String)> = Vec::new();
    for (n, (name, value)) in object.members().enumerate() {
        let (name, raw) = (&*name.text(), value.raw());
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
        if object.member(name).is_none() && seed & 16 == 0 {
            edits.push(object.set(name, raw));
            expected.insert(at.min(expected.len()), (name.to_owned(), raw.to_owned()));
        }
    }
    let text = splice(object.whole_text().as_bytes(), &edits);
    let made = Body::parse(&text);
    let made = made.map(|made| {
        made.value()
            .members()
            .map(|(name, value)| (name.text().into_owned(), value.raw().to_owned()))
            .collect::<Vec<_>>()
    });
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
            assert!(deep || serde_json::from_str::<Theirs>(raw).is_ok(), "{raw:?}");
        }
    }
    let read = Tree::default().read(text.as_bytes()).map(|value| value.items().count());
    assert!(
        read.is_ok() || serde_json::from_str::<Theirs>(text).is_err() || brackets(text.as_bytes()) > 100,
        "{text:?}"
    );
}

fn quotes(text: &str) {
    let mut out = Vec::new();
    quote(&mut out, text);
    assert_eq!(serde_json::from_slice::<String>(&out).ok().as_deref(), Some(text));
    assert_eq!(serde_json::to_vec(text).ok(), Some(out));
}
