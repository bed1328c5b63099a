//! What holds of any bytes that are read as a form.

use super::{boundary, fields};

/// Fields lie in order, each between its head and a delimiter; another value in their place is found there again.
pub fn fuzz_form(body: &[u8]) {
    if let Ok(header) = std::str::from_utf8(body) {
        assert!(boundary(header).is_none_or(|found| header.contains(found)));
    }
    let found = fields(body, "b", "f");
    let (mut out, mut done) = (Vec::new(), 0);
    for at in &found {
        let before = body.get(done..at.start).unwrap_or_default();
        assert!(before.ends_with(b"\r\n\r\n"), "no head before {at:?}");
        assert!(body.get(at.end..).is_some_and(|rest| rest.starts_with(b"\r\n--b")), "no delimiter after {at:?}");
        out.extend_from_slice(before);
        out.extend_from_slice(b"another");
        done = at.end;
    }
    out.extend_from_slice(body.get(done..).unwrap_or_default());
    let again = fields(&out, "b", "f");
    assert_eq!(again.len(), found.len(), "{}", String::from_utf8_lossy(&out));
    assert!(again.into_iter().all(|at| out.get(at) == Some(b"another")));
}
