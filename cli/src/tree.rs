//! A document with the place of each value, whether it was YAML or JSON.

use std::fmt;

/// Values of a document, those that aliases repeat counted each time.
pub const MAX_VALUES: usize = 1 << 20;
pub const MAX_DEPTH: usize = 128;

/// Both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

#[derive(Clone, Debug)]
pub struct Node {
    pub at: Place,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub enum Value {
    Null,
    Bool(bool),
    /// As JSON writes it.
    Number(String),
    Text {
        text: String,
        /// Of a block of lines (`|`): its first line, and the columns that it is indented by.
        block: Option<(usize, usize)>,
    },
    List(Vec<Node>),
    /// In the order of the document; a name may stand twice.
    Map(Vec<Member>),
}

#[derive(Clone, Debug)]
pub struct Member {
    pub name: String,
    pub at: Place,
    pub value: Node,
}

impl Node {
    pub fn text(&self) -> Option<&str> {
        if let Value::Text { text, .. } = &self.value { Some(text) } else { None }
    }

    pub fn truth(&self) -> Option<bool> {
        if let Value::Bool(truth) = self.value { Some(truth) } else { None }
    }

    pub fn items(&self) -> &[Self] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }

    pub fn members(&self) -> &[Member] {
        if let Value::Map(members) = &self.value { members } else { &[] }
    }

    pub fn is_map(&self) -> bool {
        matches!(self.value, Value::Map(_))
    }

    pub fn get(&self, name: &str) -> Option<&Self> {
        // As with Envoy and the module, the last of a name counts.
        self.members().iter().rev().find(|member| member.name == name).map(|member| &member.value)
    }

    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, name| node.get(name))
    }

    pub fn text_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path).and_then(Self::text)
    }

    /// Whether its `@type` ends so.
    pub fn is_a(&self, name: &str) -> bool {
        self.text_at(&["@type"]).is_some_and(|written| written.ends_with(name))
    }

    /// As JSON text, names that stand twice included.
    pub fn json(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        match &self.value {
            Value::Null => out.push_str("null"),
            Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Value::Number(number) => out.push_str(number),
            Value::Text { text, .. } => out.push_str(&quoted(text)),
            Value::List(items) => {
                for (n, item) in items.iter().enumerate() {
                    out.push(if n == 0 { '[' } else { ',' });
                    item.write(out);
                }
                out.push_str(if items.is_empty() { "[]" } else { "]" });
            }
            Value::Map(members) => {
                for (n, member) in members.iter().enumerate() {
                    out.push(if n == 0 { '{' } else { ',' });
                    out.push_str(&quoted(&member.name));
                    out.push(':');
                    member.value.write(out);
                }
                out.push_str(if members.is_empty() { "{}" } else { "}" });
            }
        }
    }

    /// Where a path such as `models[0].targets[1].provider` leads, or as much of it as is there.
    pub fn place(&self, path: &str) -> Place {
        self.seek(path, self.at)
    }

    fn seek(&self, path: &str, at: Place) -> Place {
        if path.is_empty() {
            return at;
        }
        if let Some((index, rest)) = path.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let item = index.parse::<usize>().ok().and_then(|index| self.items().get(index));
            return item.map_or(at, |item| item.seek(rest.strip_prefix('.').unwrap_or(rest), item.at));
        }
        // A name may itself have a dot: the longest that fits.
        let fitting = self.members().iter().filter_map(|member| {
            let rest = path.strip_prefix(member.name.as_str())?;
            let rest = if rest.is_empty() || rest.starts_with('[') { rest } else { rest.strip_prefix('.')? };
            Some((member, rest))
        });
        let longest = fitting.max_by_key(|(member, _)| member.name.len());
        longest.map_or(at, |(member, rest)| member.value.seek(rest, member.at))
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_path_leads_to_its_place_or_as_near_as_there_is() {
        let text =
            "models:\n- name: a\n  targets:\n  - {provider: x.y}\nproviders:\n  x.y: {api: openai}\n  x: {y: 1}\n";
        let root = crate::yaml::read(text).unwrap().documents.remove(0);
        for (path, line, column) in [
            ("", 1, 1),
            ("models", 1, 1),
            ("models[0].name", 2, 3),
            ("models[0].targets[0].provider", 4, 6),
            ("models[0].targets[0].cluster", 4, 5),
            ("models[7].name", 1, 1),
            ("providers.x.y.api", 6, 9),
            ("providers.x.y", 6, 3),
            ("providers.x.z", 7, 3),
            ("nothing", 1, 1),
        ] {
            assert_eq!(root.place(path), Place { line, column }, "{path}");
        }
    }

    #[test]
    fn the_json_text_has_all_that_the_document_has() {
        let text = "a: [1, 'x\"', null, true, []]\nb: {}\na: 2\n";
        let root = crate::yaml::read(text).unwrap().documents.remove(0);
        assert_eq!(root.json(), r#"{"a":[1,"x\"",null,true,[]],"b":{},"a":2}"#);
    }
}
