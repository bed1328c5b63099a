//! The one reading of a JSON text: checked whole, every value noted where it stands, no text copied.

use super::scan::{Bad, NO_NAME, Scan};
use super::text::{decode, shown, utf8};
use super::value::Value;
use super::{MAX_DEPTH, MAX_MEMBERS, MAX_READ_DEPTH, kind};
use crate::error::Error;

/// Values of one text that are noted, 24 bytes each: of a client's body, and of what a provider says. A long answer
/// with the probabilities of each token has over a million.
pub const MAX_VALUES: usize = 1 << 20;
const MAX_READ_VALUES: usize = 1 << 22;

/// Where one value stands. Offsets are bytes of the text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Node {
    /// From the opening to past the closing quote of its name; equal where it has none.
    pub name: u32,
    pub name_end: u32,
    pub start: u32,
    pub end: u32,
    /// The node after it and all within it.
    pub after: u32,
    /// The two below, and of an object the marks of its members' names: most members that an API knows are not there, and are not
    /// looked for then.
    pub flags: u32,
}

/// The name has an escape; the value, a string, has one.
pub(super) const NAME_ESCAPED: u32 = 1;
pub(super) const ESCAPED: u32 = 2;
const MARKS: u32 = !(NAME_ESCAPED | ESCAPED);

/// The mark of a name, one of thirty: of its length and its first byte.
#[inline(always)]
pub(super) fn mark(len: usize, first: Option<&u8>) -> u32 {
    let first = u32::from(first.copied().unwrap_or_default());
    4_u32.wrapping_shl(first.wrapping_add((len as u32).wrapping_mul(5)) % 30)
}

/// Room for what is read: kept from one text to the next, so that a stream's events need no memory of their own.
///
/// Noted are the members of objects, and objects and arrays; an array's plain elements are found again where they
/// stand. So a list of a million numbers costs nothing.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    nodes: Vec<Node>,
}

/// A client's body: an object, no member twice at its top.
#[derive(Clone, Debug)]
pub struct Body<'a> {
    text: &'a str,
    tree: Tree,
}

impl<'a> Body<'a> {
    pub fn parse(body: &'a [u8]) -> Result<Self, Error> {
        let mut tree = Tree::default();
        let text = tree.body(body)?;
        Ok(Self { text, tree })
    }

    pub fn value(&self) -> Value<'_> {
        Value::new(self.text, &self.tree.nodes)
    }
}

/// An object or array that is being read.
#[derive(Clone, Copy, Default)]
struct Open {
    node: usize,
    object: bool,
    /// Of its members' names.
    marks: u32,
}

impl Tree {
    /// A client's body: an object, no member twice at its top.
    fn body<'t>(&mut self, body: &'t [u8]) -> Result<&'t str, Error> {
        let text = utf8(body).map_err(|at| Error::invalid(format!("the body is not UTF-8 at byte {at}")))?;
        let start = text.trim_start_matches([' ', '\n', '\r', '\t']);
        if !start.starts_with('{') {
            return Err(Error::invalid(match start {
                "" => "the body is empty".to_owned(),
                _ => format!("the body must be a JSON object, not {}", kind(start)),
            }));
        }
        self.fill(text, false).map_err(|bad| at_fault(text, bad))?;
        let root = Value::new(text, &self.nodes);
        for (count, (name, value)) in root.members().enumerate() {
            if count >= MAX_MEMBERS {
                return Err(Error::invalid(format!("the body has more than {MAX_MEMBERS} members")));
            }
            if root.members().take(count).any(|(before, _)| before == name) {
                let at = value.whole().start;
                return Err(Error::field(shown(&name.text()), format!("stands twice in the body, again at byte {at}")));
            }
        }
        Ok(text)
    }

    /// Any JSON text. The error says what is wrong and where.
    pub fn read<'t>(&'t mut self, text: &'t [u8]) -> Result<Value<'t>, Error> {
        let text = utf8(text).map_err(|_| Error::invalid("it is not UTF-8"))?;
        match self.fill(text, true) {
            Ok(()) => Ok(Value::new(text, &self.nodes)),
            Err(bad) => Err(Error::invalid(format!("{} at byte {}", bad.what, bad.at))),
        }
    }

    /// Checks the text, and notes where its values stand.
    fn fill(&mut self, text: &str, lenient: bool) -> Result<(), Bad> {
        self.nodes.clear();
        if u32::try_from(text.len()).is_err() {
            return Err(Bad { what: "more than 4 GiB", at: 0 });
        }
        self.nodes.reserve((text.len() >> 6).clamp(16, 1 << 10));
        let mut scan = Scan::new(text);
        scan.lenient = lenient;
        let most = if lenient { MAX_READ_DEPTH } else { MAX_DEPTH };
        let mut open = [Open::default(); MAX_READ_DEPTH];
        let mut depth = 0_usize;
        let mut node = Node::default();
        let (mut named, mut noted) = (false, true);
        scan.space();
        loop {
            if named {
                name(&mut scan, &mut node)?;
                if let Some(open) = depth.checked_sub(1).and_then(|up| open.get_mut(up)) {
                    open.marks |= marked(text, &node);
                }
            }
            node.start = place(&scan);
            match scan.peek() {
                Some(b'"') => {
                    if scan.quoted()? {
                        node.flags |= ESCAPED;
                    }
                }
                Some(b @ (b'{' | b'[')) => {
                    let object = b == b'{';
                    let Some(slot) = open.get_mut(depth).filter(|_| depth < most) else {
                        return scan.bad("nested too deeply");
                    };
                    *slot = Open { node: self.nodes.len(), object, marks: 0 };
                    noted = true;
                    scan.step();
                    scan.space();
                    if !scan.take(if object { b'}' } else { b']' }) {
                        depth = depth.wrapping_add(1);
                        self.push(node, &scan)?;
                        node = Node::default();
                        (named, noted) = (object, object);
                        continue;
                    }
                }
                _ => scan.plain()?,
            }
            if noted {
                node.end = place(&scan);
                node.after = self.nodes.len().wrapping_add(1) as u32;
                self.push(node, &scan)?;
            }
            // Each container that ends here.
            loop {
                scan.space();
                let Some(up) = depth.checked_sub(1) else {
                    let what = "something after the object's end";
                    return scan.peek().map_or(Ok(()), |_| Err(Bad { what, at: scan.at }));
                };
                let Open { node: container, object, marks } = open.get(up).copied().unwrap_or_default();
                if scan.take(b',') {
                    scan.space();
                    node = Node::default();
                    (named, noted) = (object, object);
                    break;
                }
                if !scan.take(if object { b'}' } else { b']' }) {
                    return scan.bad(if object { "expected `,` or `}`" } else { "expected `,` or `]`" });
                }
                let after = self.nodes.len() as u32;
                if let Some(node) = self.nodes.get_mut(container) {
                    node.end = place(&scan);
                    node.after = after;
                    node.flags |= marks;
                }
                depth = up;
            }
        }
    }

    #[inline(always)]
    fn push(&mut self, node: Node, scan: &Scan<'_>) -> Result<(), Bad> {
        if self.nodes.len() >= if scan.lenient { MAX_READ_VALUES } else { MAX_VALUES } {
            return Err(Bad { what: "too many values", at: scan.at });
        }
        self.nodes.push(node);
        Ok(())
    }
}

#[inline(always)]
fn place(scan: &Scan<'_>) -> u32 {
    scan.at as u32
}

#[inline(always)]
fn name(scan: &mut Scan<'_>, node: &mut Node) -> Result<(), Bad> {
    node.name = place(scan);
    if scan.peek() != Some(b'"') {
        return scan.bad(NO_NAME);
    }
    if scan.quoted()? {
        node.flags |= NAME_ESCAPED;
    }
    node.name_end = place(scan);
    scan.colon()
}

#[inline(always)]
fn marked(text: &str, node: &Node) -> u32 {
    if node.flags & NAME_ESCAPED != 0 {
        return MARKS;
    }
    let len = node.name_end.wrapping_sub(node.name).wrapping_sub(2) as usize;
    mark(len, text.as_bytes().get(node.name.wrapping_add(1) as usize).filter(|_| len > 0))
}

/// What is wrong with a body, with the name of the member that it is wrong in.
fn at_fault(text: &str, bad: Bad) -> Error {
    let error = Error::invalid(format!("the body is not valid JSON: {} at byte {}", bad.what, bad.at));
    let mut scan = Scan::new(text);
    scan.space();
    let mut more = scan.take(b'{');
    while more {
        scan.space();
        let start = scan.at;
        let Ok(escaped) = scan.name() else { break };
        let name = text.get(start..scan.at).and_then(|quoted| decode(quoted, escaped));
        let whole = scan.colon().and_then(|()| scan.value(1)).is_ok();
        scan.space();
        more = whole && scan.take(b',');
        if !whole || (!more && scan.peek() != Some(b'}')) {
            return name.map_or(error.clone(), |name| error.with_param(shown(&name)));
        }
    }
    error
}
