//! The list of models, and one of them.

use crate::json::write as put;

pub fn list(names: &[&str], created: u64) -> Vec<u8> {
    let mut out = br#"{"object":"list","data":["#.to_vec();
    for name in names {
        put::comma(&mut out);
        model(&mut out, name, created);
    }
    out.extend_from_slice(b"]}");
    out
}

pub fn one(name: &str, created: u64) -> Vec<u8> {
    let mut out = Vec::new();
    model(&mut out, name, created);
    out
}

fn model(out: &mut Vec<u8>, name: &str, created: u64) {
    out.push(b'{');
    put::text(out, "id", name);
    put::text(out, "object", "model");
    put::number(out, "created", created);
    put::text(out, "owned_by", "sluice");
    out.push(b'}');
}
