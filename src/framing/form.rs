//! The fields of a `multipart/form-data` body (RFC 7578), found where they stand: a file's bytes are not touched.

use memchr::memmem::Finder;
use std::ops::Range;

/// Bytes of one part's own headers. Real ones have under two hundred.
const MAX_HEAD: usize = 8 << 10;

/// What separates the parts, by the request's `content-type`. `None`: it is no form.
pub fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let value = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim())
    })?;
    let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
    (1..=70).contains(&value.len()).then_some(value)
}

/// Where the value of each field of that name stands, in order. What follows a part that is broken off is not read.
pub fn fields(body: &[u8], boundary: &str, name: &str) -> Vec<Range<usize>> {
    let delimiter = [b"--", boundary.as_bytes()].concat();
    let finder = Finder::new(&delimiter);
    let mut found = Vec::new();
    let mut at = 0_usize;
    let mut open: Option<(usize, bool)> = None;
    while let Some(next) = body.get(at..).and_then(|rest| finder.find(rest)).and_then(|offset| at.checked_add(offset)) {
        let after = next.saturating_add(delimiter.len());
        // A delimiter stands at a line's start.
        let end = match next {
            0 => Some(0),
            _ => next.checked_sub(2).filter(|end| body.get(*end..next) == Some(b"\r\n")),
        };
        let Some(end) = end else {
            at = after;
            continue;
        };
        if let Some((start, true)) = open
            && start <= end
        {
            found.push(start..end);
        }
        open = head(body, after, name);
        at = match open {
            // The line's end before the next delimiter may be the one that ends the head.
            Some((start, _)) => start.saturating_sub(2).max(after),
            None => after,
        };
    }
    found
}

/// Where the value of a part starts whose delimiter ends at `at`, and whether it is the field of that name.
fn head(body: &[u8], at: usize, name: &str) -> Option<(usize, bool)> {
    let rest = body.get(at..)?;
    let head = rest.get(..MAX_HEAD.min(rest.len()))?;
    let head = head.strip_prefix(b"\r\n")?;
    let len = match head.strip_prefix(b"\r\n") {
        Some(_) => 0,
        None => memchr::memmem::find(head, b"\r\n\r\n")?.checked_add(2)?,
    };
    let start = at.checked_add(4)?.checked_add(len)?;
    let lines = std::str::from_utf8(head.get(..len)?).unwrap_or_default();
    let named = lines.lines().any(|line| {
        let Some((header, value)) = line.split_once(':') else { return false };
        header.eq_ignore_ascii_case("content-disposition") && is_field(value, name)
    });
    Some((start, named))
}

/// Whether `form-data; name="…"` is of that name, and no file.
fn is_field(disposition: &str, name: &str) -> bool {
    let mut same = false;
    for parameter in disposition.split(';').skip(1) {
        let Some((key, value)) = parameter.split_once('=') else { continue };
        match key.trim() {
            "name" => same = value.trim().trim_matches('"') == name,
            "filename" | "filename*" => return false,
            _ => {}
        }
    }
    same
}

#[cfg(any(test, fuzzing))]
pub mod fuzz;

#[cfg(test)]
mod tests {
    use super::fuzz::fuzz_form;
    use super::{boundary, fields};

    fn form(parts: &[(&str, &str)]) -> String {
        let part =
            |(head, value): &(&str, &str)| format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n");
        parts.iter().map(part).collect::<String>() + "--b--\r\n"
    }

    fn found<'b>(body: &'b str, name: &str) -> Vec<&'b str> {
        fields(body.as_bytes(), "b", name).into_iter().map(|at| &body[at]).collect()
    }

    #[test]
    fn a_boundary_is_read_from_the_header() {
        let cases = [
            ("multipart/form-data; boundary=abc", Some("abc")),
            ("Multipart/Form-Data;charset=utf-8; Boundary=\"a b\"", Some("a b")),
            ("multipart/form-data; boundary=", None),
            ("multipart/mixed; boundary=abc", None),
            ("application/json", None),
        ];
        for (header, want) in cases {
            assert_eq!(boundary(header), want, "{header}");
        }
    }

    #[test]
    fn fields_are_found_among_files() {
        let body = form(&[
            ("name=\"file\"; filename=\"a--b.mp3\"\r\nContent-Type: audio/mpeg", "\r\n--bytes name=\"model\" --b \r\n"),
            ("name=\"model\"", "whisper-1"),
            ("name=\"model\"; filename=\"model\"", "no"),
            ("name=\"prompt\"", ""),
            ("name=model", "again"),
        ]);
        assert_eq!(found(&body, "model"), ["whisper-1", "again"]);
        assert_eq!(found(&body, "prompt"), [""]);
        assert!(found(&body, "none").is_empty());
    }

    #[test]
    fn a_form_that_is_cut_or_is_none_does_no_harm() {
        let body = form(&[("name=\"file\"; filename=\"x\"", "bytes"), ("name=\"model\"", "m")]);
        for end in 0..=body.len() {
            let all = fields(&body.as_bytes()[..end], "b", "model");
            assert!(all.iter().all(|at| &body[at.clone()] == "m"), "{end}");
        }
        for body in ["", "--b", "--b--", "--b\r\n", "x--b\r\n\r\nm\r\n--b", "--b\r\n\r\n--b"] {
            assert!(found(body, "model").is_empty(), "{body}");
        }
    }

    #[test]
    fn seeds_of_the_fuzz_function_hold() {
        let file = form(&[("name=\"file\"; filename=\"x\"", "\r\n--b\r\n\r\n"), ("name=\"f\"", "m"), ("name=f", "")]);
        for body in [file.as_str(), "--b\r\n\r\n\r\n--b\r\ncontent-disposition: form-data; name=f\r\n\r\n\r\n--b--", ""]
        {
            for end in 0..=body.len() {
                fuzz_form(&body.as_bytes()[..end]);
                fuzz_form(&body.as_bytes()[end..]);
            }
        }
    }
}
