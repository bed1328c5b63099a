//! From what came with a request to who is calling.

use super::list::{Consumers, is_name};
use super::{Claims, Consumer, How, Identity, KEY_HEADERS, Source};
use crate::error::{Error, Fault, Kind};
use crate::host::{Millis, Verified};
use crate::http::Headers;
use crate::json::Tree;
use crate::secret::Digest;
use std::borrow::Cow;
use std::rc::Rc;

/// Longest key that is looked up: what is longer is a token, and hashing it would be for nothing.
const MAX_KEY: usize = 512;

/// Shortest text that is taken for one where none is expected: 128 bits need as much.
const MIN_KEY: usize = 16;

/// Longest URI of a certificate that is looked up.
const MAX_URI: usize = 1024;

/// The text at `path` in the claims as JSON. Anything but a string counts as absent.
pub fn claim(claims: &str, path: &[String]) -> Option<String> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    Tree::default().read(claims.as_bytes()).ok()?.at(&path)?.text().map(Cow::into_owned)
}

/// What a source has to say.
enum Found {
    Nothing,
    /// Something was presented that stands for nobody.
    Unknown,
    /// A consumer of the list, and the last moment at which what named it is good.
    Listed(usize, Option<Millis>),
    Claimed(Consumer),
}

/// A key that came with the request. Itself it is not kept.
struct Presented {
    /// Place in [`KEY_HEADERS`].
    header: usize,
    /// The consumer it stands for, and the key's own end.
    known: Option<(usize, Option<Millis>)>,
    token: bool,
}

impl Consumers {
    /// Who is calling: by the first source that knows. Takes out of the headers every key that it knows, a token that
    /// it went by, and the headers that trusted hops set.
    pub fn identify(&self, now: Millis, headers: &mut Headers, verified: &dyn Verified) -> Result<Identity, Error> {
        let presented = self.presented(headers);
        let identity = self.look(now, &presented, headers, verified)?;
        let spent = |key: &Presented| key.known.is_some() || key.token && identity.how == How::Claims;
        let trusted =
            |name: &str| self.sources.iter().any(|source| matches!(source, Source::Header(own) if own == name));
        if presented.iter().any(spent) || self.sources.iter().any(|source| matches!(source, Source::Header(_))) {
            let key = |name: &str| presented.iter().any(|key| spent(key) && KEY_HEADERS.get(key.header) == Some(&name));
            headers.retain(|name| !key(name) && !trusted(name));
        }
        Ok(identity)
    }

    /// Whether a text that came elsewhere than in a header is a key of the list.
    pub fn is_key(&self, text: &str) -> bool {
        (MIN_KEY..=MAX_KEY).contains(&text.len()) && self.keys.find(&Digest::of(text.as_bytes())).is_some()
    }

    fn presented(&self, headers: &Headers) -> Vec<Presented> {
        let mut all = Vec::new();
        for (name, value) in headers.iter() {
            let Some(header) = KEY_HEADERS.iter().position(|known| *known == name) else { continue };
            let Some(key) = key(value) else { continue };
            let row = if key.len() > MAX_KEY { None } else { self.keys.find(&Digest::of(key)) };
            let known = row.map(|row| (row.consumer, row.not_after));
            all.push(Presented { header, known, token: is_token(key) });
        }
        all
    }

    fn look(
        &self,
        now: Millis,
        presented: &[Presented],
        headers: &Headers,
        verified: &dyn Verified,
    ) -> Result<Identity, Error> {
        let mut unknown = false;
        for source in &self.sources {
            let (found, how) = match source {
                Source::Key(header) => (by_key(*header, presented), How::Key),
                Source::Claims(claims) => (self.by_claims(claims, verified), How::Claims),
                Source::Peer => (self.by_peer(verified), How::Peer),
                Source::Header(name) => (self.by_header(name, headers), How::Header),
            };
            match found {
                Found::Nothing => {}
                Found::Unknown => unknown = true,
                Found::Listed(index, until) => {
                    let lost = || Error::new(Kind::Internal, Fault::Gateway, "the consumer's entry is missing");
                    let consumer = self.list.get(index).ok_or_else(lost)?;
                    return admit(now, Identity { consumer: Rc::clone(consumer), how, listed: true }, until);
                }
                Found::Claimed(consumer) => {
                    return admit(now, Identity { consumer: Rc::new(consumer), how, listed: false }, None);
                }
            }
        }
        match &self.anonymous {
            Some((consumer, also_unknown)) if !unknown || *also_unknown => {
                let identity = Identity { consumer: Rc::clone(consumer), how: How::Anonymous, listed: true };
                admit(now, identity, None)
            }
            _ if unknown => Err(refused("the credential is not known here")),
            _ => Err(refused("a credential is needed: none was given")),
        }
    }

    fn by_claims(&self, claims: &Claims, verified: &dyn Verified) -> Found {
        let Some(name) = verified.claim(&claims.consumer) else { return Found::Nothing };
        if let Some(index) = self.subjects.find(&name) {
            return Found::Listed(index, None);
        }
        let Some(consumer) = claims.unlisted.as_ref().filter(|_| is_name(&name)) else { return Found::Unknown };
        // Its own name, so that a token cannot pass for a consumer of the list in limits and logs, nor for all the nameless.
        let nameless = self.anonymous.as_ref().is_some_and(|(nobody, _)| *nobody.name == *name);
        if nameless || self.names.find(&name).is_some() {
            return Found::Unknown;
        }
        let mut consumer = Consumer { name: name.into(), ..consumer.clone() };
        for (path, field) in [(&claims.team, &mut consumer.team), (&claims.tier, &mut consumer.tier)] {
            let said = path.as_ref().and_then(|path| verified.claim(path));
            if let Some(text) = said.filter(|text| is_name(text)) {
                *field = Some(text.into());
            }
        }
        Found::Claimed(consumer)
    }

    fn by_peer(&self, verified: &dyn Verified) -> Found {
        let Some(uri) = verified.peer().filter(|uri| !uri.is_empty()) else { return Found::Nothing };
        if uri.len() > MAX_URI {
            return Found::Unknown;
        }
        let prefix = || {
            let ends = uri.bytes().enumerate().rev().filter(|(_, byte)| *byte == b'/');
            ends.filter_map(|(at, _)| uri.get(..=at)).find_map(|start| self.peer_prefixes.find(start))
        };
        self.peers.find(&uri).or_else(prefix).map_or(Found::Unknown, |index| Found::Listed(index, None))
    }

    fn by_header(&self, name: &str, headers: &Headers) -> Found {
        let mut values = headers.iter().filter(|(known, _)| *known == name).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (None, _) | (Some(b""), None) => Found::Nothing,
            (Some(value), None) => {
                let found = std::str::from_utf8(value).ok().and_then(|name| self.names.find(name));
                found.map_or(Found::Unknown, |index| Found::Listed(index, None))
            }
            // One of them is the client's own.
            (Some(_), Some(_)) => Found::Unknown,
        }
    }
}

fn by_key(header: usize, presented: &[Presented]) -> Found {
    let mut here = presented.iter().filter(|key| key.header == header).peekable();
    if here.peek().is_none() {
        return Found::Nothing;
    }
    here.find_map(|key| key.known).map_or(Found::Unknown, |(consumer, until)| Found::Listed(consumer, until))
}

/// The key in a header's value, without the word `Bearer`.
fn key(value: &[u8]) -> Option<&[u8]> {
    const BEARER: &[u8] = b"bearer ";
    let key = match value.split_at_checked(BEARER.len()) {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case(BEARER) => key,
        _ => value,
    };
    // A client without a key sends the word alone.
    Some(key.trim_ascii()).filter(|key| !key.is_empty() && !key.eq_ignore_ascii_case(b"bearer"))
}

/// Whether it has the form of a JWT: three parts, the first the base64 of `{"`.
fn is_token(key: &[u8]) -> bool {
    key.starts_with(b"eyJ") && key.iter().filter(|byte| **byte == b'.').count() == 2
}

fn admit(now: Millis, identity: Identity, until: Option<Millis>) -> Result<Identity, Error> {
    let consumer = &identity.consumer;
    let over = |until: Option<Millis>| until.is_some_and(|until| now > until);
    if consumer.disabled {
        let error = Error::new(Kind::Permission, Fault::Client, "this consumer is disabled");
        return Err(error.with_code("consumer_disabled"));
    }
    if over(until) || over(consumer.not_after) {
        return Err(refused("the credential has expired"));
    }
    Ok(identity)
}

fn refused(message: &str) -> Error {
    Error::new(Kind::Authentication, Fault::Client, message).with_code("invalid_api_key")
}
