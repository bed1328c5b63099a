//! JSON by the core's own reader, with the place of each value.

use crate::tree::{Member, Node, Place, Value};
use sluice::json;

/// Where a text stands in its file: its first line, and the columns before each of its lines.
#[derive(Clone, Copy, Default)]
pub struct Offset {
    pub line: usize,
    pub column: usize,
}

/// `Err`: the message, and where.
pub fn read(text: &str, offset: Offset) -> Result<Node, String> {
    let lines: Vec<usize> =
        std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at.saturating_add(1))).collect();
    let mut tree = json::Tree::default();
    let value = tree.read(text.as_bytes()).map_err(|error| error.message.clone())?;
    Ok(Source { text, lines, offset }.node(&value))
}

struct Source<'t> {
    text: &'t str,
    /// Where each starts.
    lines: Vec<usize>,
    offset: Offset,
}

impl Source<'_> {
    fn place(&self, byte: usize) -> Place {
        let line = self.lines.partition_point(|start| *start <= byte);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let column = self.text.get(start..byte).map_or(0, |before| before.chars().count());
        let line = line.saturating_add(self.offset.line);
        Place { line, column: column.saturating_add(1).saturating_add(self.offset.column) }
    }

    fn node(&self, value: &json::Value<'_>) -> Node {
        let at = self.place(value.span().start);
        let value = if value.is_object() {
            let members = value.members().map(|(name, member)| {
                let value = self.node(&member);
                Member { name: name.text().into_owned(), at: value.at, value }
            });
            Value::Map(members.collect())
        } else if value.is_list() {
            Value::List(value.items().map(|item| self.node(&item)).collect())
        } else if let Some(text) = value.text() {
            Value::Text { text: text.into_owned(), block: None }
        } else if let Some(truth) = value.truth() {
            Value::Bool(truth)
        } else if value.is_null() {
            Value::Null
        } else {
            Value::Number(value.raw().to_owned())
        };
        Node { at, value }
    }
}
