//! The query of a request.

use super::MAX_ITEMS;
use crate::error::Error;
use crate::http::pairs;

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
        for (_, name, value) in pairs(query) {
            let (name, value) = (name.into_owned(), value.into_owned());
            if all.len() >= MAX_PARAMS || all.iter().any(|(known, _)| *known == name) {
                return Err(Error::field(shown(&name), "stands twice, or beside too many others"));
            }
            all.push((name, value));
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
