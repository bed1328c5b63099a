//! Writing JSON member by member, without a tree. A comma goes before a member unless its object has just opened.

use super::quote;

#[inline(never)]
pub fn comma(out: &mut Vec<u8>) {
    if !matches!(out.last(), None | Some(b'{' | b'[')) {
        out.push(b',');
    }
}

/// A member's name: its value follows.
#[inline(never)]
pub fn field(out: &mut Vec<u8>, name: &'static str) {
    comma(out);
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

#[inline(never)]
pub fn text(out: &mut Vec<u8>, name: &'static str, value: &str) {
    field(out, name);
    quote(out, value);
}

#[inline(never)]
pub fn raw(out: &mut Vec<u8>, name: &'static str, value: &str) {
    field(out, name);
    out.extend_from_slice(value.as_bytes());
}

#[inline(never)]
pub fn number(out: &mut Vec<u8>, name: &'static str, value: u64) {
    field(out, name);
    digits(out, value);
}

pub fn flag(out: &mut Vec<u8>, name: &'static str, value: bool) {
    raw(out, name, if value { "true" } else { "false" });
}

pub fn text_or_null(out: &mut Vec<u8>, name: &'static str, value: Option<&str>) {
    match value {
        Some(value) => text(out, name, value),
        None => raw(out, name, "null"),
    }
}

pub fn digits(out: &mut Vec<u8>, value: u64) {
    let mut text = [b'0'; 20];
    let mut places = text.iter_mut().rev();
    let (mut rest, mut count) = (value, 0_usize);
    // Nine digits at a time: dividing 64 bits takes long.
    loop {
        let mut low = (rest % 1_000_000_000) as u32;
        rest /= 1_000_000_000;
        let least = if rest == 0 { 1 } else { 9 };
        for (done, place) in places.by_ref().take(9).enumerate() {
            if low == 0 && done >= least {
                break;
            }
            *place = b'0'.wrapping_add((low % 10) as u8);
            low /= 10;
            count = count.wrapping_add(1);
        }
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(text.get(text.len().wrapping_sub(count)..).unwrap_or_default());
}
