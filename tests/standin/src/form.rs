//! A form with files, as `multipart/form-data` has it.

use serde_json::{Map, Value, json};

/// The fields; a file is `{"filename", "type", "bytes"}`, and a field that ends in `[]` or comes again is a list.
pub fn read(media_type: &str, body: &[u8]) -> Result<Value, String> {
    let boundary = parameter(media_type, "boundary").ok_or("the form has no boundary")?;
    let mark = ["--", &boundary].concat();
    let mut fields = Map::new();
    let mut rest = after(body, mark.as_bytes()).ok_or("the form does not begin with its boundary")?;
    let mark = ["\r\n--", &boundary].concat();
    while !rest.starts_with(b"--") {
        let part = rest.strip_prefix(b"\r\n").ok_or("a boundary is not alone on its line")?;
        let end = find(part, mark.as_bytes()).ok_or("the form does not end with its boundary")?;
        let (whole, left) = part.split_at_checked(end).ok_or("the form is cut")?;
        let at = find(whole, b"\r\n\r\n").ok_or("a part has no end of its headers")?;
        let (head, content) = whole.split_at_checked(at).ok_or("a part is cut")?;
        let content = content.get(4..).unwrap_or_default();
        let head = String::from_utf8_lossy(head);
        let line = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(':'));
            lines.find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
        };
        let disposition = line("content-disposition").ok_or("a part has no name")?;
        let name = parameter(&disposition, "name").ok_or("a part has no name")?;
        let value = match parameter(&disposition, "filename") {
            Some(file) => json!({"filename": file, "type": line("content-type"), "bytes": content.len()}),
            None => Value::from(String::from_utf8(content.to_vec()).map_err(|_| "a field is no text")?),
        };
        match (name.strip_suffix("[]"), fields.get_mut(&name)) {
            (Some(name), _) => match fields.entry(name).or_insert_with(|| json!([])) {
                Value::Array(list) => list.push(value),
                other => *other = json!([other.clone(), value]),
            },
            (None, Some(Value::Array(list))) => list.push(value),
            (None, Some(one)) => *one = json!([one.clone(), value]),
            (None, None) => {
                fields.insert(name, value);
            }
        }
        rest = left.get(mark.len()..).unwrap_or_default();
    }
    Ok(Value::Object(fields))
}

fn parameter(text: &str, wanted: &str) -> Option<String> {
    text.split(';').skip(1).find_map(|one| {
        let (name, value) = one.split_once('=')?;
        name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"').to_owned())
    })
}

fn after<'a>(text: &'a [u8], what: &[u8]) -> Option<&'a [u8]> {
    text.get(find(text, what)?.saturating_add(what.len())..)
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_files_and_lists_are_read() {
        let body = concat!(
            "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n",
            "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\nContent-Type: audio/mpeg\r\n\r\n\r\n--x\r\n",
            "--b\r\nContent-Disposition: form-data; name=\"i[]\"\r\n\r\n1\r\n--b\r\nContent-Disposition: form-data; name=\"i[]\"\r\n\r\n2\r\n--b--\r\n",
        );
        let expected = json!({"model": "whisper-1", "file": {"filename": "a.mp3", "type": "audio/mpeg", "bytes": 5}, "i": ["1", "2"]});
        assert_eq!(read("multipart/form-data; boundary=\"b\"", body.as_bytes()), Ok(expected));
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for (kind, body) in [
            ("multipart/form-data", "--b--"),
            ("multipart/form-data; boundary=b", "x"),
            ("multipart/form-data; boundary=b", "--b\r\nno end"),
            ("multipart/form-data; boundary=b", "--b\r\nx: y\r\n\r\n1\r\n--b--"),
        ] {
            assert!(read(kind, body.as_bytes()).is_err(), "{body}");
        }
    }
}
