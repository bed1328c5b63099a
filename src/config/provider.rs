//! The `providers` of the document.

use super::check::Reader;
use super::node::Node;
use super::suggest::suggest;
use super::{MAX_ENTRIES, OtherPaths};
use crate::api::{APIS, Api};
use crate::provider::{Auth, Kind, PROVIDERS, Provider, Spoken, Unsupported};

/// What every kind of provider has.
const FIELDS: &[&str] = &["api", "apis", "host", "base_path", "headers", "auth", "echo_reasoning", "unsupported"];

impl<'v> Reader<'v> {
    pub(super) fn providers(&mut self, node: &'v Node) -> Vec<Provider> {
        let mut providers = Vec::new();
        match node {
            Node::Map(members) if members.is_empty() || members.len() > MAX_ENTRIES => {
                self.problem(node, format_args!("must have 1 to {MAX_ENTRIES} entries"));
            }
            Node::Map(members) => {
                for (name, node) in members {
                    if !is_name(name) {
                        let message = format_args!("a provider's name has only letters, digits, '-', '_' and '.'");
                        self.problem(node, message);
                    }
                    providers.extend(self.provider(name, node));
                }
            }
            _ => self.wrong(node, "a mapping"),
        }
        providers
    }

    fn provider(&mut self, name: &str, node: &'v Node) -> Option<Provider> {
        let kinds: Vec<&str> = PROVIDERS.iter().map(|kind| kind.name).collect();
        let kind = match node.get("api") {
            Some(api) => self.word(api, &kinds).and_then(|index| PROVIDERS.get(index).copied()),
            None => None,
        };
        let own = kind.map(|kind| kind.settings).unwrap_or_default();
        let mut known = FIELDS.to_vec();
        known.extend(own.iter().map(|setting| setting.name));
        self.fields(node, &known)?;
        let auth = match node.get("auth") {
            Some(auth) => self.auth(name, auth),
            None => Some(Auth::Envoy),
        };
        let headers = node.get("headers").map(|headers| self.headers(headers)).unwrap_or_default();
        let host = node.get("host").and_then(|host| self.host(host));
        let base_path = node.get("base_path").and_then(|path| self.base_path(path));
        let echoes = self.flag_in(node, "echo_reasoning");
        let echo_reasoning = match node.get("echo_reasoning") {
            None => kind.and_then(|kind| kind.quirks).is_some_and(|quirks| quirks.echo_reasoning),
            Some(_) => echoes,
        };
        let unsupported = match self.word_in(node, "unsupported", &["drop", "refuse", "pass"]) {
            Some(0) => Some(Unsupported::Drop),
            Some(1) => Some(Unsupported::Refuse),
            Some(_) => Some(Unsupported::Pass),
            None => None,
        };
        let mut settings = Vec::new();
        for setting in own {
            match (node.get(setting.name), setting.required) {
                (Some(value), _) => settings.extend(self.setting(value).map(|value| (setting.name, value))),
                (None, true) => drop(self.need(node, setting.name)),
                (None, false) => {}
            }
        }
        self.need(node, "api")?;
        let kind = kind?;
        if kind.host.is_empty() && host.is_none() {
            self.need(node, "host")?;
        }
        // A kind without a host of its own is a server that anyone runs.
        let moved = host.is_some() && !kind.host.is_empty();
        let mut spoken = self.apis(node, kind, moved, base_path, &settings).into_iter();
        Some(Provider {
            name: name.into(),
            kind,
            main: spoken.next()?,
            others: spoken.collect(),
            host: host.map_or_else(|| filled(kind.host, &settings), str::to_owned),
            settings,
            headers,
            // Whoever names it is not told that it is not there.
            auth: auth.unwrap_or(Auth::Envoy),
            echo_reasoning,
            unsupported,
        })
    }

    /// The formats that it speaks: those named, or those of its kind. At another host than the vendor's only the first
    /// is sure.
    fn apis(
        &mut self,
        node: &'v Node,
        kind: &'static Kind,
        moved: bool,
        base_path: Option<String>,
        settings: &[(&'static str, String)],
    ) -> Vec<Spoken> {
        let mut named: Vec<&'static dyn Api> = Vec::new();
        if let Some(list) = node.get("apis") {
            let names: Vec<&str> = APIS.iter().map(|api| api.name()).collect();
            for name in self.list(list) {
                named.extend(self.word(name, &names).and_then(|index| APIS.get(index).copied()));
            }
        } else {
            let sure = if moved { 1 } else { kind.apis.len() };
            named.extend(kind.apis.iter().take(sure).filter_map(|(name, _)| crate::api::by_name(name)));
        }
        let first = kind.apis.first().map_or("", |(_, base)| *base);
        let spoken = named.into_iter().map(|api| {
            let own = kind.apis.iter().find(|(name, _)| *name == api.name()).map_or(api.base_path(), |(_, base)| *base);
            let base_path = match &base_path {
                Some(base_path) if own == first => base_path.clone(),
                _ => filled(own, settings),
            };
            Spoken { api, base_path }
        });
        spoken.collect()
    }

    fn setting(&mut self, node: &'v Node) -> Option<String> {
        let text = self.text(node)?;
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b)) {
            self.problem(node, format_args!("must have only letters, digits, '-', '_', '.' and ':'"));
            return None;
        }
        Some(text.to_owned())
    }

    fn host(&mut self, node: &'v Node) -> Option<&'v str> {
        let host = self.text(node)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
        if !host.chars().all(fits) {
            let message = format_args!("must be a host name, with a port if it needs one: no scheme, no path");
            self.problem(node, message);
            return None;
        }
        Some(host)
    }

    /// As written, without a slash at its end.
    fn base_path(&mut self, node: &'v Node) -> Option<String> {
        let Node::Text(path) = node else {
            self.wrong(node, "a string");
            return None;
        };
        let fits = path.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#'));
        if !fits || !(path.is_empty() || path.starts_with('/')) {
            self.problem(node, format_args!("must be a path that starts with \"/\": no host, no query"));
            return None;
        }
        Some(path.trim_end_matches('/').to_owned())
    }

    fn headers(&mut self, node: &'v Node) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        for (name, node) in self.mapping(node).into_iter().flatten() {
            let lower = name.to_ascii_lowercase();
            let fits = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
            let reserved = ["host", "content-length", "transfer-encoding", "connection", "content-type"];
            if lower.is_empty() || !lower.bytes().all(fits) {
                self.problem(node, format_args!("is no header name"));
            } else if reserved.contains(&lower.as_str()) || lower.starts_with("x-sluice-") {
                self.problem(node, format_args!("is set by the gateway"));
            } else if let Some(value) = self.text(node) {
                headers.push((lower, value.to_owned()));
            }
        }
        headers
    }

    pub(super) fn provider_index(&mut self, node: &'v Node, providers: &[Provider]) -> Option<usize> {
        let name = self.text(node)?;
        let found = providers.iter().position(|provider| *provider.name == *name);
        if found.is_none() {
            let near = suggest(name, &mut providers.iter().map(|provider| &*provider.name));
            self.problem(node, format_args!("no provider \"{name}\"{near}"));
        }
        found
    }

    pub(super) fn other_paths(&mut self, node: &'v Node, providers: &[Provider]) -> Option<OtherPaths> {
        self.fields(node, &["provider", "cluster"])?;
        let Some(provider) = node.get("provider") else {
            self.problem(node, format_args!("must name a provider"));
            return None;
        };
        let provider = self.provider_index(provider, providers)?;
        let cluster = self.cluster(node, providers.get(provider)?)?;
        Some(OtherPaths { provider, cluster })
    }

    /// Where a target's requests go: the cluster that is named like its provider unless it says otherwise.
    pub(super) fn cluster(&mut self, node: &'v Node, provider: &Provider) -> Option<String> {
        let name = match node.get("cluster") {
            Some(cluster) => self.text(cluster)?,
            None => &*provider.name,
        };
        Some(name.to_owned())
    }
}

/// Google's locations that are more than one region; `global` is all of them.
const WIDE: [&str; 2] = ["us", "eu"];

/// The template with its `{setting}`s filled in. `{location-}` is the value and a hyphen, for a single region;
/// `{.location}` is `.us.rep`, for several.
fn filled(template: &str, settings: &[(&'static str, String)]) -> String {
    let mut out = String::with_capacity(template.len());
    for (n, piece) in template.split('{').enumerate() {
        let Some((name, rest)) = piece.split_once('}').filter(|_| n > 0) else {
            out.push_str(piece);
            continue;
        };
        let plain = name.trim_matches(['-', '.']);
        let value = settings.iter().find(|(known, _)| *known == plain).map_or("", |(_, value)| value);
        let wide = WIDE.contains(&value);
        match (name.ends_with('-'), name.starts_with('.')) {
            (true, _) if wide || value == "global" => {}
            (true, _) => out.extend([value, "-"]),
            (_, true) if wide => out.extend([".", value, ".rep"]),
            (_, true) => {}
            _ => out.push_str(value),
        }
        out.push_str(rest);
    }
    out
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}
