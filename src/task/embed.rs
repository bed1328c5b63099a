//! Embeddings, in no vendor's words.

use super::wire::unsupported;
use super::{Answer, Given, vector};
use crate::chat::{Losses, Raw};
use crate::error::{Error, Kind};
use crate::json::{Value, write as put};
use std::borrow::Cow;

/// Texts and the like to be made vectors of, one for each input.
#[derive(Clone, Debug, Default)]
pub struct Embed {
    pub inputs: Vec<Input>,
    /// The client's name of what holds them.
    pub member: &'static str,
    pub dimensions: Option<u64>,
    /// What is wanted of each vector. Empty: the numbers.
    pub encodings: Vec<Encoding>,
    pub purpose: Option<Purpose>,
    pub title: Option<String>,
    pub truncate: Option<Truncate>,
    /// Tokens of an input that are read.
    pub max_tokens: Option<u64>,
    pub user: Option<String>,
    /// The vectors are wanted as they come, not of length one.
    pub unscaled: bool,
    /// There is more in the request, that only its own format knows.
    pub more: bool,
}

/// What one vector is made of.
pub type Input = Vec<Piece>;

#[derive(Clone, Debug)]
pub enum Piece {
    Text(String),
    /// A list of token ids, in a vocabulary that only the model's own vendor knows.
    Tokens(Raw),
    /// Base64.
    Image {
        media_type: String,
        data: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Float,
    /// Base64 of little-endian 32-bit floats.
    Base64,
    Int8,
    Uint8,
    Binary,
    Ubinary,
}

impl Encoding {
    pub const ALL: [(&'static str, Self); 6] = [
        ("float", Self::Float),
        ("base64", Self::Base64),
        ("int8", Self::Int8),
        ("uint8", Self::Uint8),
        ("binary", Self::Binary),
        ("ubinary", Self::Ubinary),
    ];

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, encoding)| *encoding == self).map_or("float", |(name, _)| name)
    }

    /// Whether it is made of the numbers, exactly.
    pub fn exact(self) -> bool {
        matches!(self, Self::Float | Self::Base64)
    }
}

/// What the vectors are for: models make others for a question than for what may answer it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Query,
    Document,
    Similarity,
    Classification,
    Clustering,
    Question,
    Fact,
    Code,
    Image,
}

/// What becomes of an input that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truncate {
    /// It is an error.
    No,
    Start,
    End,
}

impl Embed {
    /// The text of each input, for an API that takes nothing else. The texts of one input are one.
    pub fn texts(&self) -> Result<Vec<Cow<'_, str>>, Error> {
        let mut texts = Vec::with_capacity(self.inputs.len());
        for input in &self.inputs {
            texts.push(self.text(input)?);
        }
        Ok(texts)
    }

    pub fn text<'e>(&self, input: &'e Input) -> Result<Cow<'e, str>, Error> {
        if let [Piece::Text(text)] = input.as_slice() {
            return Ok(text.into());
        }
        let mut all = String::new();
        for piece in input {
            match piece {
                Piece::Text(text) => all.push_str(text),
                Piece::Tokens(_) => return Err(self.no_tokens()),
                Piece::Image { .. } => return Err(unsupported(self.member, "this model's provider embeds no images")),
            }
        }
        Ok(all.into())
    }

    pub fn no_tokens(&self) -> Error {
        unsupported(self.member, "this model's provider takes text, not another vendor's token ids")
    }

    /// The only input, for an API that takes one at a time.
    pub fn only(&self) -> Result<&Input, Error> {
        match self.inputs.as_slice() {
            [one] => Ok(one),
            _ => Err(unsupported(self.member, "this model's provider takes one input at a time: send one per request")),
        }
    }

    /// Whether the client wants something else than numbers that a target gives it.
    pub fn quantized(&self) -> bool {
        self.encodings.iter().any(|encoding| !encoding.exact())
    }

    /// What a target without a place for it leaves out. What `keeps` names, it has a place for.
    pub fn lose(&self, keeps: &[&str], losses: &mut Losses) {
        let lost = |there: bool, name: &str| there && !keeps.contains(&name);
        if lost(self.dimensions.is_some(), "dimensions") {
            losses.meaning("dimensions", "it gives vectors of one length only");
        }
        if lost(self.quantized(), "encoding") {
            losses.meaning("encoding", "it gives no vectors of bytes or bits");
        }
        if lost(self.unscaled, "normalize") {
            losses.meaning("normalize", "its vectors have length one");
        }
        if lost(self.max_tokens.is_some(), "max_tokens") {
            losses.meaning("max_tokens", "it has no such limit for an input");
        }
        match self.truncate {
            Some(Truncate::Start) if lost(true, "truncate_start") => {
                losses.meaning("truncate", "it does not cut the start of an input");
            }
            // One that cannot be told refuses what is too long, or cuts its end.
            Some(Truncate::No | Truncate::End) if lost(true, "truncate") => {
                losses.hint("truncate", "it does as it always does with an input that is too long");
            }
            _ => {}
        }
        if lost(self.purpose.is_some(), "purpose") {
            losses.hint("input_type", "its vectors are the same for every purpose");
        }
        if lost(self.title.is_some(), "title") {
            losses.hint("title", "it takes no titles");
        }
        if lost(self.user.is_some(), "user") {
            losses.hint("user", "it takes no end user");
        }
        if self.more {
            losses.hint("more", "it has no such members");
        }
    }
}

/// The vectors of an answer, by encoding, in the order of the inputs.
pub type Vectors<'a> = Vec<(Encoding, Vec<&'a str>)>;

/// The vectors of an answer in the encoding that is wanted, or in one that it can be made of.
fn set<'v, 'a>(sets: &'v Vectors<'a>, wanted: Encoding) -> Option<&'v [&'a str]> {
    let own = sets.iter().find(|(encoding, _)| *encoding == wanted);
    let other = || sets.iter().find(|(encoding, _)| wanted.exact() && encoding.exact());
    own.or_else(other).map(|(_, vectors)| vectors.as_slice())
}

impl Answer<'_> {
    /// How many inputs were embedded.
    pub fn count(&self) -> usize {
        match &self.given {
            Given::Vectors(sets) => sets.first().map_or(0, |(_, vectors)| vectors.len()),
            Given::Ranks(ranks) => ranks.len(),
        }
    }

    /// Writes the vector of one input.
    pub fn vector(&self, out: &mut Vec<u8>, input: usize, wanted: Encoding) -> Result<(), Error> {
        let Given::Vectors(sets) = &self.given else { return Err(bad()) };
        let given = set(sets, wanted).and_then(|vectors| vectors.get(input)).ok_or_else(bad)?;
        match wanted.exact() {
            true => vector::write(out, given, wanted == Encoding::Base64).ok_or_else(bad),
            false => {
                out.extend_from_slice(given.as_bytes());
                Ok(())
            }
        }
    }

    /// Writes the list of all vectors.
    pub fn vectors(&self, out: &mut Vec<u8>, wanted: Encoding) -> Result<(), Error> {
        out.push(b'[');
        for input in 0..self.count() {
            put::comma(out);
            self.vector(out, input, wanted)?;
        }
        out.push(b']');
        Ok(())
    }
}

/// The elements of a list that are vectors.
pub fn listed<'a>(list: &Value<'a>) -> Result<Vec<&'a str>, Error> {
    list.items().map(|vector| raw_vector(&vector)).collect()
}

pub fn raw_vector<'a>(vector: &Value<'a>) -> Result<&'a str, Error> {
    if vector.is_list() || vector.is_text() { Ok(vector.raw()) } else { Err(bad()) }
}

pub fn bad() -> Error {
    Error::provider(Kind::BadAnswer, "the provider's answer has no embeddings that can be read")
}

/// As many vectors as there are inputs, or it is no answer.
pub fn complete(request: &Embed, sets: &Vectors<'_>) -> Result<(), Error> {
    let whole = !sets.is_empty() && sets.iter().all(|(_, vectors)| vectors.len() == request.inputs.len());
    if whole { Ok(()) } else { Err(bad()) }
}
