//! The consumers of a configuration, checked, and the tables that they are looked up in.

use super::table::{Row, Table};
use super::{Claims, Consumer, KEY_HEADERS, Source, end_of};
use crate::route::Pattern;
use crate::secret::Digest;
use std::rc::Rc;

/// Bytes of a name: it becomes part of keys and log entries.
pub(super) const MAX_NAME: usize = 128;

const MAX_CONSUMERS: usize = 20_000;

/// Keys, subjects, peers, labels and patterns of one consumer.
const MAX_EACH: usize = 100;

const MAX_SOURCES: usize = 16;

/// Where in the configuration something is wrong, and what: `consumers[2].keys[0].sha256`, `sources[1].header`,
/// `anonymous.name`.
pub type Wrong = (String, String);

/// A consumer as it is written.
#[derive(Clone, Debug, Default)]
pub struct Written {
    pub name: String,
    pub team: Option<String>,
    pub tier: Option<String>,
    pub labels: Vec<(String, String)>,
    /// Several, so that a new one can be handed out before the old one ends.
    pub keys: Vec<Key>,
    /// What the claim says that names it; none: its name.
    pub subjects: Vec<String>,
    /// URIs of certificates: whole, or up to a `/` with `*` after it.
    pub peers: Vec<String>,
    pub models: Option<Vec<String>>,
    pub targets: Option<Vec<String>>,
    pub regions: Option<Vec<String>>,
    /// A day or a moment: [`end_of`].
    pub not_after: Option<String>,
    pub disabled: bool,
}

/// A key as it is written.
#[derive(Clone, Debug, Default)]
pub struct Key {
    /// Hexadecimal.
    pub sha256: String,
    pub not_after: Option<String>,
    /// Written as `key_sha256`, beside the list.
    pub alone: bool,
}

impl Written {
    /// The consumer by itself, as [`Claims::unlisted`] has it: without what it is known by. `path`: where it is written.
    pub fn read(&self, path: &str) -> Result<Consumer, Vec<Wrong>> {
        let mut check = Check(Vec::new());
        let path = &At::top(path);
        let consumer = check.consumer(path, self);
        check.unknown(path, self);
        if check.0.is_empty() { Ok(consumer) } else { Err(check.0) }
    }
}

/// What callers get whom no source names.
#[derive(Clone, Debug)]
pub struct Anonymous {
    pub consumer: Written,
    /// Also those that presented something unknown: a provider's key, to be passed on.
    pub unknown: bool,
}

/// All that callers are known by.
#[derive(Debug, Default)]
pub struct Consumers {
    pub(super) list: Vec<Rc<Consumer>>,
    pub(super) keys: Table,
    pub(super) names: Index,
    pub(super) subjects: Index,
    pub(super) peers: Index,
    /// Without their `*`; each ends in `/`.
    pub(super) peer_prefixes: Index,
    pub(super) sources: Vec<Source>,
    pub(super) anonymous: Option<(Rc<Consumer>, bool)>,
}

impl Consumers {
    /// Those of the list.
    pub fn count(&self) -> usize {
        self.list.len()
    }
}

/// Which consumer a text stands for: in order of the text.
#[derive(Debug, Default)]
pub(super) struct Index(Vec<(String, usize)>);

impl Index {
    pub(super) fn find(&self, text: &str) -> Option<usize> {
        let at = self.0.binary_search_by(|(known, _)| known.as_str().cmp(text)).ok()?;
        self.0.get(at).map(|(_, consumer)| *consumer)
    }

    /// `false`: it is there already.
    fn insert(&mut self, text: &str, consumer: usize) -> bool {
        match self.0.binary_search_by(|(known, _)| known.as_str().cmp(text)) {
            Ok(_) => false,
            Err(at) => {
                self.0.insert(at, (text.to_owned(), consumer));
                true
            }
        }
    }
}

const AGAIN: &str = "is there already";
const TOO_MANY: &str = "has too many entries";

/// A path, spelled out only where something is wrong.
#[derive(Clone, Copy)]
struct At<'a> {
    above: Option<&'a At<'a>>,
    name: &'a str,
    index: Option<usize>,
}

impl<'a> At<'a> {
    fn top(name: &'a str) -> Self {
        Self { above: None, name, index: None }
    }

    fn field(&'a self, name: &'a str) -> Self {
        Self { above: Some(self), name, index: None }
    }

    fn nth(self, index: usize) -> Self {
        Self { index: Some(index), ..self }
    }

    fn spell(&self) -> String {
        let mut path = self.above.map_or_else(String::new, |above| above.spell() + ".");
        path.push_str(self.name);
        if let Some(index) = self.index {
            path.push('[');
            path.push_str(&index.to_string());
            path.push(']');
        }
        path
    }
}

/// Notes what is wrong.
struct Check(Vec<Wrong>);

impl Consumers {
    /// Checks all; what is wrong is told all at once. No source: a key in any of [`KEY_HEADERS`].
    pub fn new(written: &[Written], sources: Vec<Source>, anonymous: Option<&Anonymous>) -> Result<Self, Vec<Wrong>> {
        let mut check = Check(Vec::new());
        let mut all = Self::default();
        if written.len() > MAX_CONSUMERS {
            check.wrong(&At::top("consumers"), TOO_MANY);
            return Err(check.0);
        }
        for (index, entry) in written.iter().enumerate() {
            all.add(&mut check, &At::top("consumers").nth(index), entry);
        }
        check.sources(&sources);
        all.sources = match sources.is_empty() {
            true => (0..KEY_HEADERS.len()).map(Source::Key).collect(),
            false => sources,
        };
        all.anonymous = anonymous.map(|anonymous| {
            let consumer = &anonymous.consumer;
            check.unknown(&At::top("anonymous"), consumer);
            if all.names.find(&consumer.name).is_some() {
                check.wrong(&At::top("anonymous").field("name"), "is the name of a consumer");
            }
            (Rc::new(check.consumer(&At::top("anonymous"), consumer)), anonymous.unknown)
        });
        if check.0.is_empty() { Ok(all) } else { Err(check.0) }
    }

    /// All that are listed, and what those get whom nothing names.
    pub fn all(&self) -> impl Iterator<Item = &Rc<Consumer>> {
        self.list.iter().chain(self.anonymous.iter().map(|(consumer, _)| consumer))
    }

    pub fn named(&self, name: &str) -> Option<&Rc<Consumer>> {
        self.names.find(name).and_then(|at| self.list.get(at))
    }

    fn add(&mut self, check: &mut Check, path: &At<'_>, entry: &Written) {
        let index = self.list.len();
        self.list.push(Rc::new(check.consumer(path, entry)));
        if !self.names.insert(&entry.name, index) {
            check.wrong(&path.field("name"), AGAIN);
        }
        check.count(path, "keys", entry.keys.len());
        for (at, key) in entry.keys.iter().enumerate() {
            let (keys, alone) = (path.field("keys"), path.field("key_sha256"));
            let path = &keys.nth(at);
            let not_after = check.moment(&path.field("not_after"), key.not_after.as_deref());
            let path = if key.alone { &alone } else { &path.field("sha256") };
            match Digest::from_hex(&key.sha256) {
                None => check.wrong(path, "must be the 64 hexadecimal digits of the key's SHA-256"),
                Some(digest) => {
                    if !self.keys.insert(Row { digest, consumer: index, not_after }) {
                        check.wrong(path, AGAIN);
                    }
                }
            }
        }
        check.count(path, "subjects", entry.subjects.len());
        if entry.subjects.is_empty() && !self.subjects.insert(&entry.name, index) {
            check.wrong(&path.field("name"), "is a subject of another consumer");
        }
        for (at, subject) in entry.subjects.iter().enumerate() {
            let path = &path.field("subjects").nth(at);
            check.name(path, subject);
            if !self.subjects.insert(subject, index) {
                check.wrong(path, AGAIN);
            }
        }
        check.count(path, "peers", entry.peers.len());
        for (at, peer) in entry.peers.iter().enumerate() {
            let path = &path.field("peers").nth(at);
            let (into, uri) = match peer.strip_suffix('*') {
                Some(prefix) => (&mut self.peer_prefixes, prefix),
                None => (&mut self.peers, peer.as_str()),
            };
            // Else `…/ns/search*` would also be `…/ns/search-of-somebody-else`; and all below `spiffe://` is anybody.
            let below = uri.len() == peer.len() || uri.ends_with('/');
            let named = uri.split_once("://").is_some_and(|(_, rest)| !rest.trim_matches('/').is_empty());
            if !below || !named || !uri.bytes().all(|b| b.is_ascii_graphic() && b != b'*') {
                check.wrong(
                    path,
                    "must be a URI, or one up to a \"/\" with a \"*\" after it: spiffe://cluster.local/ns/search/*",
                );
            } else if !into.insert(uri, index) {
                check.wrong(path, AGAIN);
            }
        }
    }
}

impl Check {
    fn wrong(&mut self, path: &At<'_>, message: &str) {
        self.0.push((path.spell(), message.to_owned()));
    }

    fn count(&mut self, path: &At<'_>, field: &str, count: usize) {
        if count > MAX_EACH {
            self.wrong(&path.field(field), TOO_MANY);
        }
    }

    fn unknown(&mut self, path: &At<'_>, entry: &Written) {
        if !(entry.keys.is_empty() && entry.subjects.is_empty() && entry.peers.is_empty()) {
            self.wrong(path, "must not have keys, subjects or peers");
        }
    }

    fn consumer(&mut self, path: &At<'_>, entry: &Written) -> Consumer {
        self.name(&path.field("name"), &entry.name);
        for (field, text) in [("team", &entry.team), ("tier", &entry.tier)] {
            if let Some(text) = text {
                self.name(&path.field(field), text);
            }
        }
        Consumer {
            name: entry.name.as_str().into(),
            team: entry.team.as_deref().map(Rc::from),
            tier: entry.tier.as_deref().map(Rc::from),
            labels: self.labels(path, &entry.labels),
            models: self.patterns(&path.field("models"), entry.models.as_deref()),
            targets: self.patterns(&path.field("targets"), entry.targets.as_deref()),
            regions: self.texts(&path.field("regions"), entry.regions.as_deref()).map(<[String]>::to_vec),
            not_after: self.moment(&path.field("not_after"), entry.not_after.as_deref()),
            disabled: entry.disabled,
        }
    }

    fn name(&mut self, path: &At<'_>, text: &str) {
        if !is_name(text) {
            self.wrong(path, "must have 1 to 128 bytes, no control characters, no space at an end");
        }
    }

    fn labels(&mut self, path: &At<'_>, written: &[(String, String)]) -> Vec<(String, String)> {
        self.count(path, "labels", written.len());
        let mut labels: Vec<(String, String)> = Vec::with_capacity(written.len());
        let path = &path.field("labels");
        for (name, value) in written {
            let path = &path.field(name);
            self.name(path, name);
            self.name(path, value);
            match labels.binary_search_by(|(known, _)| known.cmp(name)) {
                Ok(_) => self.wrong(path, AGAIN),
                Err(at) => labels.insert(at, (name.clone(), value.clone())),
            }
        }
        labels
    }

    /// An empty list would allow nothing, and was surely not meant so: `disabled` says that.
    fn texts<'t>(&mut self, path: &At<'_>, texts: Option<&'t [String]>) -> Option<&'t [String]> {
        let texts = texts?;
        if texts.is_empty() || texts.len() > MAX_EACH {
            self.wrong(path, if texts.is_empty() { "must not be empty" } else { TOO_MANY });
        }
        for (at, text) in texts.iter().enumerate() {
            self.name(&path.nth(at), text);
        }
        Some(texts)
    }

    fn patterns(&mut self, path: &At<'_>, texts: Option<&[String]>) -> Option<Vec<Pattern>> {
        let texts = self.texts(path, texts)?;
        for (at, text) in texts.iter().enumerate() {
            if !Pattern::may_be(text) {
                self.wrong(&path.nth(at), "may have one \"*\", at its end");
            }
        }
        Some(texts.iter().map(|text| Pattern::new(text)).collect())
    }

    fn moment(&mut self, path: &At<'_>, text: Option<&str>) -> Option<u64> {
        let text = text?;
        let moment = end_of(text);
        if moment.is_none() {
            self.wrong(path, "must be a day, 2026-12-31, or a moment, 2026-12-31T17:00:00Z, from 1970 on");
        }
        moment
    }

    fn sources(&mut self, sources: &[Source]) {
        if sources.len() > MAX_SOURCES {
            self.wrong(&At::top("sources"), TOO_MANY);
        }
        for (index, source) in sources.iter().enumerate() {
            let path = &At::top("sources").nth(index);
            if sources.iter().take(index).any(|other| other == source) {
                self.wrong(path, AGAIN);
            }
            match source {
                Source::Key(at) if *at >= KEY_HEADERS.len() => self.wrong(path, "no such header for keys"),
                Source::Key(_) | Source::Peer => {}
                Source::Claims(claims) => self.claims(path, claims),
                Source::Header(name) => {
                    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&b);
                    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(fits) {
                        self.wrong(&path.field("header"), "is no header name in lower case");
                    } else if KEY_HEADERS.contains(&name.as_str()) || name.starts_with("x-sluice-") {
                        self.wrong(&path.field("header"), "cannot name a consumer: it has another meaning");
                    }
                }
            }
        }
    }

    fn claims(&mut self, path: &At<'_>, claims: &Claims) {
        let paths =
            [("consumer", Some(&claims.consumer)), ("team", claims.team.as_ref()), ("tier", claims.tier.as_ref())];
        for (field, claim) in paths {
            let Some(claim) = claim else { continue };
            if claim.is_empty() || claim.len() > 8 || claim.iter().any(String::is_empty) {
                self.wrong(&path.field("claims").field(field), "must be the path to a claim: 1 to 8 names");
            }
        }
    }
}

/// Whether a text may stand in keys and log entries.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_NAME && text.trim() == text && !text.chars().any(char::is_control)
}
