//! The query of a request.

use super::MAX_ITEMS;
use crate::error::Error;

/// Parameters that a query has at most.
const MAX_PARAMS: usize = 32;

pub struct Params(Vec<(String, String)>);

/// A part of a list.
pub struct Range {
    pub offset: usize,
    pub limit: usize,
}

impl Params {
    pub fn read(query: &str) -> Result<Self, Error> {
        let mut all: Vec<(String, String)> = Vec::new();
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = decoded(name);
            if all.len() >= MAX_PARAMS || all.iter().any(|(known, _)| *known == name) {
                return Err(Error::field(shown(&name), "stands twice, or beside too many others"));
            }
            all.push((name, decoded(value)));
        }
        Ok(Self(all))
    }

    /// A parameter that is known now.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(at).1)
    }

    pub fn range(&mut self) -> Result<Range, Error> {
        let mut number = |name: &str, absent| match self.take(name) {
            None => Ok(absent),
            Some(text) => text.parse::<usize>().map_err(|_| Error::field(name, "must be a whole number")),
        };
        Ok(Range { offset: number("offset", 0)?, limit: number("limit", MAX_ITEMS)?.min(MAX_ITEMS) })
    }

    pub fn all_known(&self) -> Result<(), Error> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(Error::field(shown(name), "there is no such parameter")),
        }
    }
}

fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(100).collect()
}

/// With its `+` and `%20` read.
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let hex = if *byte == b'%' { after.get(..2) } else { None };
        let code = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        if code.is_some() {
            rest = after.get(2..).unwrap_or_default();
        }
        out.push(code.unwrap_or(if *byte == b'+' { b' ' } else { *byte }));
    }
    String::from_utf8_lossy(&out).into_owned()
}
