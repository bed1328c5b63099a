//! Finding a value inside a value, without building a tree.

use super::scan::{Bad, Scan};
use super::text::decode;
use std::ops::Range;

/// The JSON text of the value at `path`: members by name, elements by number. The first of members with one name.
///
/// Safe on any text; what comes after the value is not looked at.
pub fn find<'a>(raw: &'a str, path: &[&str]) -> Option<&'a str> {
    let mut scan = Scan::new(raw);
    scan.space();
    for want in path {
        enter(raw, &mut scan, want).ok()??;
    }
    let start = scan.at;
    scan.value(0).ok()?;
    raw.get(start..scan.at)
}

/// The next element, and whether another follows.
fn element(scan: &mut Scan<'_>) -> Result<(Range<usize>, bool), Bad> {
    let start = scan.at;
    scan.value(1)?;
    let at = start..scan.at;
    scan.space();
    let more = scan.take(b',');
    if !more && !scan.take(b']') {
        return scan.bad("expected `,` or `]`");
    }
    scan.space();
    Ok((at, more))
}

/// Goes to the value of one member or element.
fn enter(raw: &str, scan: &mut Scan<'_>, want: &str) -> Result<Option<()>, Bad> {
    if scan.take(b'{') {
        scan.space();
        loop {
            let start = scan.at;
            let escaped = scan.name()?;
            let quoted = raw.get(start..scan.at).unwrap_or_default();
            scan.colon()?;
            if decode(quoted, escaped).is_some_and(|name| name == want) {
                return Ok(Some(()));
            }
            scan.value(1)?;
            scan.space();
            if !scan.take(b',') {
                return Ok(None);
            }
            scan.space();
        }
    }
    let Ok(index) = want.parse::<usize>() else { return Ok(None) };
    if !scan.take(b'[') {
        return Ok(None);
    }
    scan.space();
    for _ in 0..index {
        if !element(scan)?.1 {
            return Ok(None);
        }
    }
    Ok(Some(()))
}
