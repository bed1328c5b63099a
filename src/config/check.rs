//! The ways to read a value: each tells what is wrong with it.

use super::node::{Members, Node, join};
use super::suggest::suggest;
use super::{MAX_ENTRIES, Problem};
use crate::host::Millis;
use std::fmt::Arguments;

pub(super) type Env<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Problems told: each is a line of Envoy's log, and is looked for in the whole document.
const MAX_PROBLEMS: usize = 1000;

pub(super) struct Reader<'v> {
    pub(super) document: &'v Node,
    pub(super) problems: Vec<Problem>,
    pub(super) env: Env<'v>,
}

impl<'v> Reader<'v> {
    pub(super) fn problem(&mut self, node: &Node, message: Arguments<'_>) {
        self.problem_at(node, "", message);
    }

    /// Of a member, there or not.
    pub(super) fn problem_at(&mut self, node: &Node, name: &str, message: Arguments<'_>) {
        let path = match self.problems.len() < MAX_PROBLEMS {
            true => join(&self.document.path_of(node), name),
            false => String::new(),
        };
        self.told(path, message.to_string());
    }

    pub(super) fn told(&mut self, path: String, message: String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem { path, message });
        } else if self.problems.len() == MAX_PROBLEMS {
            self.problems
                .push(Problem { path: String::new(), message: "there are more problems than these".to_owned() });
        }
    }

    pub(super) fn wrong(&mut self, node: &Node, wanted: &str) {
        match node.number() {
            Some(_) if wanted.contains("number") => self.problem(node, format_args!("must be {wanted}")),
            _ => self.problem(node, format_args!("must be {wanted}, not {}", node.kind())),
        }
    }

    /// The member, which must be there.
    pub(super) fn need(&mut self, node: &'v Node, name: &str) -> Option<&'v Node> {
        let member = node.get(name);
        if member.is_none() {
            self.problem_at(node, name, format_args!("must be given"));
        }
        member
    }

    pub(super) fn mapping(&mut self, node: &'v Node) -> Option<&'v Members> {
        match node {
            Node::Map(members) if members.len() > MAX_ENTRIES => self.too_many(node),
            Node::Map(members) => return Some(members),
            _ => self.wrong(node, "a mapping"),
        }
        None
    }

    fn too_many(&mut self, node: &Node) {
        self.problem(node, format_args!("has more than {MAX_ENTRIES} entries"));
    }

    /// A mapping with no field but these.
    pub(super) fn fields(&mut self, node: &'v Node, known: &[&str]) -> Option<&'v Members> {
        let members = self.mapping(node)?;
        for (name, member) in members {
            if !known.contains(&name.as_str()) {
                let near = suggest(name, &mut known.iter().copied());
                self.problem(member, format_args!("no such field{near}"));
            }
        }
        Some(members)
    }

    pub(super) fn list(&mut self, node: &'v Node) -> &'v [Node] {
        match node {
            Node::List(items) if items.is_empty() => self.empty(node),
            Node::List(items) if items.len() > MAX_ENTRIES => self.too_many(node),
            Node::List(items) => return items,
            _ => self.wrong(node, "a list"),
        }
        &[]
    }

    fn empty(&mut self, node: &Node) {
        self.problem(node, format_args!("must not be empty"));
    }

    pub(super) fn text(&mut self, node: &'v Node) -> Option<&'v str> {
        match node {
            Node::Text(text) if text.is_empty() => self.empty(node),
            Node::Text(text) if text.chars().any(char::is_control) => {
                self.problem(node, format_args!("must not have control characters"));
            }
            Node::Text(text) => return Some(text),
            _ => self.wrong(node, "a string"),
        }
        None
    }

    pub(super) fn boolean(&mut self, node: &Node) -> Option<bool> {
        if let Node::Bool(value) = node {
            return Some(*value);
        }
        self.wrong(node, "true or false");
        None
    }

    /// A protobuf `Struct` has only doubles, whole ones to 2^53.
    pub(super) fn count(&mut self, node: &Node) -> Option<u64> {
        const MOST: f64 = 9_007_199_254_740_992.0;
        match node.number() {
            Some(number) if number.fract() == 0.0 && (1.0..=MOST).contains(&number) => Some(number as u64),
            _ => {
                self.wrong(node, "a whole number above 0");
                None
            }
        }
    }

    /// `250ms`, `30s`, `5m`, `1h`; `0s` where nothing is allowed to mean "never".
    fn duration(&mut self, node: &'v Node) -> Option<Millis> {
        let text = self.text(node)?;
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit: Option<u64> = match text.get(digits.len()..) {
            Some("ms") => Some(1),
            Some("s") => Some(1000),
            Some("m") => Some(60_000),
            Some("h") => Some(3_600_000),
            _ => None,
        };
        let millis = digits.parse::<u64>().ok().zip(unit).and_then(|(count, unit)| count.checked_mul(unit));
        if millis.is_none() {
            self.problem(node, format_args!("\"{text}\" is no duration: 250ms, 30s, 5m, 1h"));
        }
        millis
    }

    /// One of a few words: which.
    pub(super) fn word(&mut self, node: &'v Node, words: &[&str]) -> Option<usize> {
        let text = self.text(node)?;
        let found = words.iter().position(|word| *word == text);
        if found.is_none() {
            let near = suggest(text, &mut words.iter().copied());
            self.problem(node, format_args!("no such value \"{text}\"{near} (one of: {})", words.join(", ")));
        }
        found
    }

    // A member that may be absent.

    pub(super) fn text_in(&mut self, node: &'v Node, name: &str) -> Option<&'v str> {
        node.get(name).and_then(|member| self.text(member))
    }

    pub(super) fn word_in(&mut self, node: &'v Node, name: &str, words: &[&str]) -> Option<usize> {
        node.get(name).and_then(|member| self.word(member, words))
    }

    pub(super) fn count_in(&mut self, node: &Node, name: &str) -> Option<u64> {
        node.get(name).and_then(|member| self.count(member))
    }

    /// False if it is absent.
    pub(super) fn flag_in(&mut self, node: &Node, name: &str) -> bool {
        node.get(name).and_then(|member| self.boolean(member)).unwrap_or(false)
    }

    pub(super) fn duration_in(&mut self, node: &'v Node, name: &str) -> Option<Millis> {
        node.get(name).and_then(|member| self.duration(member))
    }
}
