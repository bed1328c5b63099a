//! A protobuf `Struct`, which Envoy hands to a module as it is on the wire, not as JSON.
//!
//! Fields as in `google/protobuf/struct.proto`.

use super::node::{Members, Node, insert};

/// Nesting that is refused.
const MAX_DEPTH: usize = 64;

/// The bytes as a mapping; `None`: they are no `Struct`.
pub fn read(bytes: &[u8]) -> Option<Node> {
    structure(Wire(bytes), 0)
}

/// What is left of a message.
struct Wire<'a>(&'a [u8]);

enum Field<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
}

impl<'a> Wire<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next field and its number.
    fn field(&mut self) -> Option<(u64, Field<'a>)> {
        let tag = self.varint()?;
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(self.take(8)?.try_into().ok()?),
            2 => {
                let len = usize::try_from(self.varint()?).ok()?;
                Field::Bytes(self.take(len)?)
            }
            _ => return None,
        };
        Some((tag >> 3, field))
    }
}

fn structure(mut wire: Wire<'_>, depth: usize) -> Option<Node> {
    let mut members = Members::new();
    while !wire.0.is_empty() {
        let (1, Field::Bytes(entry)) = wire.field()? else { return None };
        let mut entry = Wire(entry);
        let (mut key, mut member) = ("", Node::Null);
        while !entry.0.is_empty() {
            match entry.field()? {
                (1, Field::Bytes(text)) => key = std::str::from_utf8(text).ok()?,
                (2, Field::Bytes(bytes)) => member = value(Wire(bytes), depth)?,
                _ => return None,
            }
        }
        insert(&mut members, key, member);
    }
    Some(Node::Map(members))
}

fn value(mut wire: Wire<'_>, depth: usize) -> Option<Node> {
    let depth = depth.checked_add(1).filter(|depth| *depth <= MAX_DEPTH)?;
    let mut value = Node::Null;
    while !wire.0.is_empty() {
        value = match wire.field()? {
            (1, Field::Varint(_)) => Node::Null,
            (2, Field::Fixed64(bytes)) => Node::Number(f64::from_le_bytes(bytes)),
            (3, Field::Bytes(text)) => Node::Text(std::str::from_utf8(text).ok()?.to_owned()),
            (4, Field::Varint(flag)) => Node::Bool(flag != 0),
            (5, Field::Bytes(bytes)) => structure(Wire(bytes), depth)?,
            (6, Field::Bytes(bytes)) => list(Wire(bytes), depth)?,
            _ => return None,
        };
    }
    Some(value)
}

fn list(mut wire: Wire<'_>, depth: usize) -> Option<Node> {
    let mut items = Vec::new();
    while !wire.0.is_empty() {
        let (1, Field::Bytes(bytes)) = wire.field()? else { return None };
        items.push(value(Wire(bytes), depth)?);
    }
    Some(Node::List(items))
}

#[cfg(test)]
mod tests {
    use super::{Node, read};
    use crate::json::Tree;

    /// As Envoy 1.40 gave it for `{role: provider}`.
    const ROLE: &[u8] = b"\n\x12\n\x04role\x12\n\x1a\x08provider";

    fn json(text: &str) -> Option<Node> {
        let mut problems = Vec::new();
        let node = Node::of_json(&Tree::default().read(text.as_bytes()).unwrap(), &mut problems);
        assert!(problems.is_empty());
        Some(node)
    }

    #[test]
    fn a_struct_from_envoy_is_read() {
        assert_eq!(read(ROLE), json(r#"{"role": "provider"}"#));
        assert_eq!(read(b""), json(r#"{}"#));
    }

    #[test]
    fn every_kind_of_value_is_read() {
        let number = [b"\n\x0e\n\x01n\x12\x09\x11".as_slice(), &30.0_f64.to_le_bytes()].concat();
        assert_eq!(read(&number), json(r#"{"n": 30.0}"#));
        assert_eq!(read(b"\n\x07\n\x01b\x12\x02\x20\x01"), json(r#"{"b": true}"#));
        assert_eq!(read(b"\n\x07\n\x01z\x12\x02\x08\x00"), json(r#"{"z": null}"#));
        assert_eq!(read(b"\n\x0c\n\x01l\x12\x07\x32\x05\n\x03\x1a\x01x"), json(r#"{"l": ["x"]}"#));
        assert_eq!(read(b"\n\x07\n\x01s\x12\x02\x2a\x00"), json(r#"{"s": {}}"#));
    }

    #[test]
    fn a_struct_that_looks_like_json_at_first_is_read() {
        let text = "x".repeat(0x7b - 7);
        let entry = [b"\n\x01k\x12\x76\x1a\x74".as_slice(), text.as_bytes()].concat();
        assert_eq!(read(&[b"\n{".as_slice(), &entry].concat()), json(&format!(r#"{{"k": "{text}"}}"#)));
    }

    #[test]
    fn cut_or_foreign_bytes_are_none() {
        for end in 1..ROLE.len() {
            assert_eq!(read(&ROLE[..end]), None, "{end}");
        }
        assert_eq!(read(b"role: gateway"), None);
        assert_eq!(read(&[0xff; 32]), None);
    }

    #[test]
    fn nesting_has_a_limit() {
        let mut bytes = Vec::new();
        for _ in 0..40 {
            bytes = [&[0x32, (bytes.len() + 2) as u8, 0x0a, bytes.len() as u8], bytes.as_slice()].concat();
            if bytes.len() > 100 {
                break;
            }
        }
        let entry = [b"\n\x01l\x12".as_slice(), &[bytes.len() as u8], &bytes].concat();
        let document = [&[0x0a, entry.len() as u8], entry.as_slice()].concat();
        assert!(read(&document).is_some());
        let deep = (0..70).fold(Vec::new(), |inner: Vec<u8>, _| {
            let len = |n: usize| if n < 128 { vec![n as u8] } else { vec![(n & 0x7f) as u8 | 0x80, (n >> 7) as u8] };
            let item = [vec![0x0a], len(inner.len()), inner].concat();
            [vec![0x32], len(item.len()), item].concat()
        });
        let len = |n: usize| if n < 128 { vec![n as u8] } else { vec![(n & 0x7f) as u8 | 0x80, (n >> 7) as u8] };
        let entry = [b"\n\x01l\x12".to_vec(), len(deep.len()), deep].concat();
        assert_eq!(read(&[vec![0x0a], len(entry.len()), entry].concat()), None);
    }
}
