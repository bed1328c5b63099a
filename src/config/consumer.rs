//! `authentication` and `consumers` of the document: who may call.

use super::check::Reader;
use super::node::Node;
use crate::consumer::{Anonymous, Claims, Consumer, Consumers, KEY_HEADERS, Key, Source, Written};

/// What a consumer is, apart from what it is known by.
const CONSUMER: &[&str] =
    &["name", "team", "tier", "labels", "models", "target_models", "regions", "not_after", "disabled"];
/// `limits` are read with all others.
const KNOWN_BY: &[&str] = &["key_sha256", "keys", "subjects", "peers", "limits"];

impl<'v> Reader<'v> {
    /// `None`: everybody may call.
    pub(super) fn consumers(&mut self, top: &'v Node) -> Option<Consumers> {
        let authentication = top.get("authentication");
        let list = top.get("consumers");
        if authentication.is_none() && list.is_none() {
            return None;
        }
        // `key` is a source for each header; problems name it as it is written.
        let (mut sources, mut places, mut anonymous) = (Vec::new(), Vec::new(), None);
        if let Some(node) = authentication {
            self.fields(node, &["sources", "anonymous"])?;
            if let Some(list) = node.get("sources") {
                for (place, source) in self.list(list).iter().enumerate() {
                    sources.extend(self.source(source).into_iter().flatten());
                    places.resize(sources.len(), place);
                }
            }
            anonymous = node.get("anonymous").and_then(|node| self.anonymous(node));
        }
        let all: &[Node] = match list {
            Some(Node::List(all)) => all,
            Some(node) => {
                self.wrong(node, "a list");
                &[]
            }
            None => &[],
        };
        let known: Vec<&str> = CONSUMER.iter().chain(KNOWN_BY).copied().collect();
        let written: Vec<Written> = all.iter().map(|node| self.consumer(node, &known).unwrap_or_default()).collect();
        match Consumers::new(&written, sources, anonymous.as_ref()) {
            Ok(consumers) => Some(consumers),
            Err(wrong) => {
                for (path, message) in wrong {
                    let written = path.strip_prefix("sources[").and_then(|rest| {
                        let (at, rest) = rest.split_once(']')?;
                        let place = places.get(at.parse::<usize>().ok()?)?;
                        Some(format!("sources[{place}]{}", rest.replace(".claims", ".jwt")))
                    });
                    let path = written.unwrap_or(path);
                    let below = ["sources", "anonymous"].iter().any(|name| path.starts_with(name));
                    let path = if below { ["authentication.", &path].concat() } else { path };
                    let path = path.replace(".targets", ".target_models");
                    self.told(path, message);
                }
                None
            }
        }
    }

    fn consumer(&mut self, node: &'v Node, known: &[&str]) -> Option<Written> {
        self.fields(node, known)?;
        let mut keys = Vec::new();
        if let Some(list) = node.get("keys") {
            for key in self.list(list) {
                if self.fields(key, &["sha256", "not_after"]).is_none() {
                    continue;
                }
                let sha256 = self.need(key, "sha256").and_then(|digest| self.text(digest)).unwrap_or_default();
                let not_after = self.owned_in(key, "not_after");
                keys.push(Key { sha256: sha256.to_owned(), not_after, alone: false });
            }
        }
        // After the list, whose places problems name.
        if let Some(digest) = self.text_in(node, "key_sha256") {
            keys.push(Key { sha256: digest.to_owned(), not_after: None, alone: true });
        }
        let labels = self.labels_in(node);
        Some(Written {
            name: self.need(node, "name").and_then(|name| self.text(name)).unwrap_or_default().to_owned(),
            team: self.owned_in(node, "team"),
            tier: self.owned_in(node, "tier"),
            labels,
            keys,
            subjects: self.texts_in(node, "subjects").unwrap_or_default(),
            peers: self.texts_in(node, "peers").unwrap_or_default(),
            models: self.texts_in(node, "models"),
            targets: self.texts_in(node, "target_models"),
            regions: self.texts_in(node, "regions"),
            not_after: self.owned_in(node, "not_after"),
            disabled: self.flag_in(node, "disabled"),
        })
    }

    fn anonymous(&mut self, node: &'v Node) -> Option<Anonymous> {
        let known: Vec<&str> = CONSUMER.iter().copied().chain(["unknown_keys"]).collect();
        let consumer = self.consumer(node, &known)?;
        Some(Anonymous { consumer, unknown: self.flag_in(node, "unknown_keys") })
    }

    /// `key`, `{key: x-api-key}`, `{jwt: …}`, `peer`, `{header: x-user}`.
    fn source(&mut self, node: &'v Node) -> Option<Vec<Source>> {
        if let Node::Text(_) = node {
            return Some(match self.word(node, &["key", "peer"])? {
                0 => (0..KEY_HEADERS.len()).map(Source::Key).collect(),
                _ => vec![Source::Peer],
            });
        }
        let [(name, value)] = self.fields(node, &["key", "jwt", "header"])?.as_slice() else {
            self.problem(node, format_args!("must have exactly one of: key, jwt, header; or be \"key\" or \"peer\""));
            return None;
        };
        Some(vec![match name.as_str() {
            "key" => Source::Key(self.word(value, &KEY_HEADERS)?),
            "header" => Source::Header(self.text(value)?.to_ascii_lowercase()),
            "jwt" => Source::Claims(Box::new(self.claims(value)?)),
            _ => return None,
        }])
    }

    fn claims(&mut self, node: &'v Node) -> Option<Claims> {
        self.fields(node, &["consumer", "team", "tier", "unlisted"])?;
        let unlisted = match node.get("unlisted") {
            Some(unlisted) => Some(self.unlisted(unlisted)?),
            None => None,
        };
        Some(Claims {
            consumer: match node.get("consumer") {
                Some(path) => self.claim(path)?,
                None => vec!["sub".to_owned()],
            },
            team: node.get("team").and_then(|path| self.claim(path)),
            tier: node.get("tier").and_then(|path| self.claim(path)),
            unlisted,
        })
    }

    /// `org.team`, or a list of names where one has a dot itself.
    fn claim(&mut self, node: &'v Node) -> Option<Vec<String>> {
        match node {
            Node::List(_) => self.all_texts(node),
            _ => Some(self.text(node)?.split('.').map(str::to_owned).collect()),
        }
    }

    /// What a caller gets whom only its token names.
    fn unlisted(&mut self, node: &'v Node) -> Option<Consumer> {
        self.fields(node, &["team", "tier", "labels", "models", "target_models", "regions"])?;
        let written = Written {
            name: "unlisted".to_owned(),
            team: self.owned_in(node, "team"),
            tier: self.owned_in(node, "tier"),
            labels: self.labels_in(node),
            models: self.texts_in(node, "models"),
            targets: self.texts_in(node, "target_models"),
            regions: self.texts_in(node, "regions"),
            ..Written::default()
        };
        match written.read("") {
            Ok(consumer) => Some(consumer),
            Err(wrong) => {
                for (path, message) in wrong {
                    let path = path.replace(".targets", ".target_models");
                    self.problem_at(node, path.trim_start_matches('.'), format_args!("{message}"));
                }
                None
            }
        }
    }

    fn labels_in(&mut self, node: &'v Node) -> Vec<(String, String)> {
        let mut labels = Vec::new();
        if let Some(mapping) = node.get("labels") {
            for (name, value) in self.mapping(mapping).into_iter().flatten() {
                labels.extend(self.text(value).map(|value| (name.clone(), value.to_owned())));
            }
        }
        labels
    }

    fn owned_in(&mut self, node: &'v Node, name: &str) -> Option<String> {
        self.text_in(node, name).map(str::to_owned)
    }

    fn texts_in(&mut self, node: &'v Node, name: &str) -> Option<Vec<String>> {
        node.get(name).and_then(|list| self.all_texts(list))
    }

    pub(super) fn all_texts(&mut self, list: &'v Node) -> Option<Vec<String>> {
        let items = self.list(list);
        Some(items.iter().filter_map(|item| self.text(item)).map(str::to_owned).collect())
    }
}
