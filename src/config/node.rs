//! The document as a tree, whatever it was written in.

use super::{MAX_ENTRIES, Problem};
use crate::json;

/// A value of the document. The members of a mapping are sorted by name, none twice.
#[derive(PartialEq)]
#[cfg_attr(test, derive(Debug))]
pub enum Node {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Map(Members),
}

pub type Members = Vec<(String, Node)>;

impl Node {
    /// A checked JSON text. Names that stand twice are told.
    pub fn of_json(value: &json::Value<'_>, problems: &mut Vec<Problem>) -> Self {
        if value.is_object() {
            let mut members = Members::new();
            for (name, member) in value.members() {
                if !insert(&mut members, &name.text(), Self::of_json(&member, problems)) {
                    problems.push(Problem { path: member.path(), message: "stands twice".to_owned() });
                }
            }
            Self::Map(members)
        } else if value.is_list() {
            Self::List(value.items().map(|item| Self::of_json(&item, problems)).collect())
        } else if let Some(text) = value.text() {
            Self::Text(text.into_owned())
        } else if let Some(truth) = value.truth() {
            Self::Bool(truth)
        } else {
            value.raw().parse().map_or(Self::Null, Self::Number)
        }
    }

    /// A mapping's member.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Map(members) = self else { return None };
        members.iter().find(|(known, _)| known == name).map(|(_, member)| member)
    }

    /// A number, also where Envoy made text of it: of `0.5` and `5000000000` in YAML.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }

    /// Where that very node stands in this one: `models[0].name`.
    pub fn path_of(&self, node: &Self) -> String {
        let mut path = String::new();
        self.seek(node, &mut path);
        path
    }

    /// Whether it is here; if so, the steps to it are put before `path`.
    fn seek(&self, node: &Self, path: &mut String) -> bool {
        if std::ptr::eq(self, node) {
            return true;
        }
        match self {
            Self::Map(members) => members.iter().any(|(name, member)| {
                let found = member.seek(node, path);
                if found {
                    *path = join(name, path);
                }
                found
            }),
            Self::List(items) => items.iter().enumerate().any(|(index, item)| {
                let found = item.seek(node, path);
                if found {
                    *path = join(&format!("[{index}]"), path);
                }
                found
            }),
            _ => false,
        }
    }
}

/// A path of two parts.
pub fn join(first: &str, rest: &str) -> String {
    let dot = if first.is_empty() || rest.is_empty() || rest.starts_with('[') { "" } else { "." };
    [first, dot, rest].concat()
}

/// Gives the member this value; whether it had none. Beyond one too many, members are not kept: that is told.
pub fn insert(members: &mut Members, name: &str, node: Node) -> bool {
    match members.binary_search_by(|(known, _)| known.as_str().cmp(name)) {
        Ok(at) => {
            if let Some((_, member)) = members.get_mut(at) {
                *member = node;
            }
            false
        }
        Err(at) => {
            members.insert(at, (name.to_owned(), node));
            members.truncate(MAX_ENTRIES.saturating_add(1));
            true
        }
    }
}
