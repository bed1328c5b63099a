//! Changing a few bytes of a body, all others staying as they are.

use std::ops::Range;

/// A change to a body: what stands at `at` becomes `with`. It covers whole values or members, never part of a string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub at: Range<usize>,
    pub with: Vec<u8>,
}

/// The body with its edits made, in any order. Insertions at one place keep theirs; of two edits of the same bytes the
/// later one holds. Commas are put right beside members that come or go.
pub fn splice(body: &[u8], edits: &[Edit]) -> Vec<u8> {
    let (mut out, done) = begun(body, edits, body.len());
    out.extend_from_slice(body.get(done..).unwrap_or_default());
    out
}

/// As above, but only what takes the place of so many first bytes: all behind them stays as it is.
pub fn head(body: &[u8], edits: &[Edit]) -> (Vec<u8>, usize) {
    begun(body, edits, edits.iter().map(|e| e.at.end).max().unwrap_or(0))
}

/// `room`: for so many of the body's bytes.
fn begun(body: &[u8], edits: &[Edit], room: usize) -> (Vec<u8>, usize) {
    let more: usize = edits.iter().map(|e| e.with.len()).sum();
    let less: usize = edits.iter().map(|e| e.at.len()).sum();
    let mut sorted: Vec<&Edit> = Vec::with_capacity(edits.len());
    for edit in edits {
        // By hand: they are few, and the library's sort is 4 KB of the module.
        let place = sorted.partition_point(|e| (e.at.start, e.at.end) <= (edit.at.start, edit.at.end));
        sorted.insert(place, edit);
    }
    let mut out = Vec::with_capacity(room.saturating_add(more).saturating_sub(less));
    let mut done = 0_usize;
    let mut edits = sorted.into_iter().peekable();
    while let Some(edit) = edits.next() {
        let next = edits.peek();
        let replaced = !edit.at.is_empty() && next.is_some_and(|n| n.at == edit.at);
        if replaced || edit.at.start < done {
            continue;
        }
        out.extend_from_slice(body.get(done..edit.at.start).unwrap_or_default());
        out.extend_from_slice(&edit.with);
        done = edit.at.end;
        let joined = next.is_some_and(|n| n.at.start == done);
        if !joined && matches!(edit.with.last(), None | Some(b',')) {
            done = mend(&mut out, body, done);
        }
    }
    (out, done)
}

/// Leaves one comma between two members and none elsewhere, where a member has come or gone. Returns where to go on.
fn mend(out: &mut Vec<u8>, body: &[u8], at: usize) -> usize {
    let spaces = |bytes: &[u8]| bytes.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let rest = body.get(at..).unwrap_or_default();
    let before = spaces(rest);
    let kept = out.trim_ascii_end().len();
    let last = out.get(..kept).and_then(<[u8]>::last).copied();
    match (last, rest.get(before)) {
        (Some(b',' | b'{'), Some(b',')) => {
            let comma = before.saturating_add(1);
            let after = spaces(rest.get(comma..).unwrap_or_default());
            at.saturating_add(comma).saturating_add(after)
        }
        (Some(b','), Some(b'}')) => {
            out.truncate(kept.saturating_sub(1));
            at
        }
        _ => at,
    }
}
