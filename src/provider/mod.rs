//! Who serves: what a kind of provider needs besides its wire format: host, path, credential, fixed headers.
//!
//! May use: api, http, secret.
//!
//! To add a kind: one file with a `static` of [`Kind`], and its line in [`PROVIDERS`].

mod anthropic;
mod openai;

use crate::api::Api;
use crate::http::Headers;
use crate::secret::Secret;
use std::rc::Rc;

/// Every kind of provider, by the name that `api` has in the configuration.
pub static PROVIDERS: &[&Kind] = &[&anthropic::KIND, &openai::KIND];

pub fn by_name(name: &str) -> Option<&'static Kind> {
    PROVIDERS.iter().copied().find(|kind| kind.name == name)
}

/// One kind of provider.
#[derive(Debug)]
pub struct Kind {
    pub name: &'static str,
    /// The wire format it speaks.
    pub api: &'static str,
    /// The vendor's own host.
    pub host: &'static str,
    /// What stands before the API's paths on the vendor's own host.
    pub base_path: &'static str,
    pub credential: Credential,
    /// Sent unless the client of the same API sent its own, or the configuration sets them.
    pub headers: &'static [(&'static str, &'static str)],
    /// Headers of a client of the same API that go along.
    pub carried: &'static [&'static str],
}

/// Where a kind of provider wants its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// `authorization: Bearer KEY`
    Bearer,
    /// `NAME: KEY`
    Header(&'static str),
}

/// Every request header that may hold a client's own credential.
pub const CLIENT_CREDENTIALS: &[&str] =
    &["authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "proxy-authorization"];

/// The request's id, for the access log: an attempt replaces all headers.
const REQUEST_ID: &str = "x-request-id";

/// Whether a client's header of that name may matter to some provider.
pub fn of_use(name: &str) -> bool {
    name == REQUEST_ID
        || CLIENT_CREDENTIALS.contains(&name)
        || PROVIDERS.iter().any(|kind| kind.carried.contains(&name))
}

/// Where a provider's key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Envoy adds it after the module.
    Envoy,
    /// The gateway's own.
    Key(Secret),
    /// The client's own key is passed on.
    Client,
}

/// A provider as configured.
#[derive(Debug)]
pub struct Provider {
    pub name: Rc<str>,
    pub kind: &'static Kind,
    pub api: &'static dyn Api,
    pub host: String,
    pub base_path: String,
    pub headers: Vec<(String, String)>,
    pub auth: Auth,
    /// Takes thinking back as plain text in the history.
    pub echo_reasoning: bool,
}

impl std::fmt::Debug for dyn Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Provider {
    /// The path of a request: `base_path` stands in the place of the vendor's `/v1`.
    pub fn path(&self, below: &str) -> String {
        format!("{}{below}", self.base_path)
    }

    /// Everything that a request to this provider has, apart from what its body decides. `client` is what the client
    /// sent; `same_api`: it spoke this provider's API.
    pub fn request_headers(&self, method: &str, path: &str, client: &Headers, same_api: bool) -> Headers {
        let mut headers = Headers::default();
        headers.push(":method", method);
        headers.fix(":scheme", "https");
        headers.push(":authority", self.host.as_str());
        headers.push(":path", path);
        headers.fix("accept-encoding", "identity");
        headers.fix("user-agent", concat!("sluice/", env!("CARGO_PKG_VERSION")));
        if let Some(id) = client.bytes(REQUEST_ID) {
            headers.push(REQUEST_ID, id);
        }
        if same_api {
            for (name, value) in client.iter().filter(|(name, _)| self.kind.carried.contains(name)) {
                headers.push(name.to_owned(), value);
            }
        }
        for (name, value) in self.kind.headers {
            if headers.bytes(name).is_none() {
                headers.fix(name, value);
            }
        }
        for (name, value) in &self.headers {
            headers.set(name.clone(), value.as_str());
        }
        match (&self.auth, self.kind.credential) {
            (Auth::Envoy, _) => {}
            (Auth::Key(key), Credential::Bearer) => {
                headers.set("authorization", format!("Bearer {}", key.expose()));
            }
            (Auth::Key(key), Credential::Header(name)) => headers.set(name, key.expose()),
            (Auth::Client, credential) => {
                if let Some(key) = client_key(client) {
                    match credential {
                        Credential::Bearer => headers.set("authorization", [b"Bearer ".as_slice(), key].concat()),
                        Credential::Header(name) => headers.set(name, key),
                    }
                }
            }
        }
        headers
    }
}

/// The client's key, wherever its SDK puts it.
fn client_key(client: &Headers) -> Option<&[u8]> {
    let bearer = client.bytes("authorization").and_then(|value| {
        let (scheme, key) = value.split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(key)
    });
    bearer.or_else(|| ["x-api-key", "api-key", "x-goog-api-key"].iter().find_map(|name| client.bytes(name)))
}

#[cfg(test)]
mod tests;
