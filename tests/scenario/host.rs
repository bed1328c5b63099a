use std::collections::BTreeMap;
use std::mem::take;

use super::headers::Headers;

/// What the host answers when it refuses, by the numbers of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    NotFound = 1,
    BadArgument = 2,
    CasMismatch = 8,
    InternalFailure = 10,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Map {
    RequestHeaders,
    RequestTrailers,
    ResponseHeaders,
    ResponseTrailers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Request,
    Response,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Gateway,
    Provider,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Role::Gateway => "gateway",
            Role::Provider => "provider",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalReply {
    pub status: u32,
    pub details: String,
    pub headers: Headers,
    pub body: Vec<u8>,
}

/// What of one direction the filter can reach now; each is taken away when the filter lets it go on. (Envoy leaves some of
/// it in reach if it was held before; a filter that counts on that works on some requests only.)
#[derive(Clone, Debug, Default)]
pub struct Side {
    pub headers: Option<Headers>,
    pub body: Option<Vec<u8>>,
    pub trailers: Option<Headers>,
    /// `continue_stream` was called.
    pub resumed: bool,
}

/// One filter on one stream, as the host knows it.
#[derive(Clone, Debug, Default)]
pub struct Context {
    pub root: u32,
    /// The gateway's context, for an attempt's: it sees the filter state of the whole stream.
    pub parent: Option<u32>,
    pub request: Side,
    pub response: Side,
    pub properties: BTreeMap<String, Vec<u8>>,
    pub reply: Option<LocalReply>,
    /// `close_stream` was called; on an attempt it does nothing, in Envoy too.
    pub closed: bool,
    /// In `on_log` and after: header maps may be read, nothing may be sent.
    pub over: bool,
}

impl Context {
    pub fn side(&mut self, way: Way) -> &mut Side {
        match way {
            Way::Request => &mut self.request,
            Way::Response => &mut self.response,
        }
    }
}

/// A call out of the filter that waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallOut {
    pub token: u32,
    pub context: u32,
    pub cluster: String,
    pub headers: Headers,
    pub body: Vec<u8>,
}

/// What a filter may ask of its proxy while it runs, answered as Envoy does.
#[derive(Debug, Default)]
pub struct Host {
    pub contexts: BTreeMap<u32, Context>,
    /// The context whose callback runs, or that `set_effective_context` chose.
    pub current: u32,
    pub now_ns: u64,
    pub tick_ms: u32,
    pub logs: Vec<String>,
    pub environment: Vec<(String, String)>,
    /// Plugin configuration by root context.
    pub configurations: BTreeMap<u32, Vec<u8>>,
    pub clusters: Vec<String>,
    pub calls: Vec<CallOut>,
    /// What would have taken Envoy down.
    pub fatal: Option<String>,
    metrics: Vec<(Metric, String)>,
    values: BTreeMap<u32, u64>,
    pub samples: BTreeMap<String, Vec<u64>>,
    shared: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    cas: u32,
    tokens: u32,
}

impl Host {
    /// Makes `id` the context whose callback is about to run.
    pub fn enter(&mut self, id: u32) -> &mut Context {
        self.current = id;
        self.now_ns = self.now_ns.saturating_add(10_000);
        self.contexts.entry(id).or_default()
    }

    pub fn context(&mut self) -> &mut Context {
        self.contexts.entry(self.current).or_default()
    }

    pub fn set_effective_context(&mut self, id: u32) -> Result<(), Refusal> {
        if !self.contexts.contains_key(&id) {
            return Err(Refusal::BadArgument);
        }
        self.current = id;
        Ok(())
    }

    /// `None`: not reachable in this phase.
    pub fn map(&mut self, map: Map) -> Option<&mut Headers> {
        let context = self.context();
        match map {
            Map::RequestHeaders => context.request.headers.as_mut(),
            Map::RequestTrailers => context.request.trailers.as_mut(),
            Map::ResponseHeaders => context.response.headers.as_mut(),
            Map::ResponseTrailers => context.response.trailers.as_mut(),
        }
    }

    pub fn header(&mut self, map: Map, name: &str) -> Result<Vec<u8>, Refusal> {
        let over = self.context().over;
        match self.map(map) {
            Some(headers) => match headers.first(name) {
                Some(value) if !value.is_empty() => Ok(value.to_vec()),
                _ => Err(Refusal::NotFound),
            },
            None if over => Err(Refusal::NotFound),
            None => Err(Refusal::BadArgument),
        }
    }

    /// The map to change it; maps are read-only once the stream is over.
    pub fn map_mut(&mut self, map: Map) -> Result<&mut Headers, Refusal> {
        if self.context().over {
            return Err(Refusal::BadArgument);
        }
        self.map(map).ok_or(Refusal::BadArgument)
    }

    pub fn body(&mut self, way: Way) -> Option<&[u8]> {
        self.context().side(way).body.as_deref()
    }

    /// Replaces the first `length` bytes (`start` 0), or appends (`start` at the end or after): Envoy refuses a splice in the
    /// middle.
    pub fn set_body(&mut self, way: Way, start: usize, length: usize, data: &[u8]) -> Result<(), Refusal> {
        let context = self.context();
        if context.over {
            return Err(Refusal::BadArgument);
        }
        let body = context.side(way).body.as_mut().ok_or(Refusal::BadArgument)?;
        if start == 0 {
            body.splice(..length.min(body.len()), data.iter().copied());
        } else if start >= body.len() {
            body.extend_from_slice(data);
        } else {
            return Err(Refusal::BadArgument);
        }
        Ok(())
    }

    /// Path parts are separated by NUL, as in the ABI.
    pub fn property(&mut self, path: &str) -> Option<Vec<u8>> {
        let name = path.split('\0').collect::<Vec<_>>().join(".");
        let header = |prefix: &str| name.strip_prefix(prefix).map(str::to_string);
        if let Some(header) = header("request.headers.") {
            return self.header(Map::RequestHeaders, &header).ok();
        }
        if let Some(header) = header("response.headers.") {
            return self.header(Map::ResponseHeaders, &header).ok();
        }
        let context = self.context();
        let (own, parent) = (context.properties.get(&name).cloned(), context.parent);
        own.or_else(|| self.contexts.get(&parent?)?.properties.get(&name).cloned())
    }

    /// The filter state of the stream, which the gateway and its attempts share.
    pub fn set_property(&mut self, path: &str, value: &[u8]) -> Result<(), Refusal> {
        let name = path.split('\0').collect::<Vec<_>>().join(".");
        let stream = self.context().parent.unwrap_or(self.current);
        self.contexts.entry(stream).or_default().properties.insert(name, value.to_vec());
        Ok(())
    }

    pub fn shared_data(&self, key: &[u8]) -> Option<(Vec<u8>, u32)> {
        self.shared.get(key).cloned()
    }

    /// `cas` 0 is unconditional.
    pub fn set_shared_data(&mut self, key: &[u8], value: &[u8], cas: u32) -> Result<(), Refusal> {
        if let Some((_, held)) = self.shared.get(key)
            && cas != 0
            && cas != *held
        {
            return Err(Refusal::CasMismatch);
        }
        self.cas = self.cas.wrapping_add(1).max(1);
        self.shared.insert(key.to_vec(), (value.to_vec(), self.cas));
        Ok(())
    }

    pub fn define_metric(&mut self, kind: Metric, name: &str) -> u32 {
        let known = self.metrics.iter().position(|(k, n)| *k == kind && n == name);
        let at = known.unwrap_or_else(|| {
            self.metrics.push((kind, name.to_string()));
            self.metrics.len().saturating_sub(1)
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    fn metric_named(&self, id: u32) -> Result<(Metric, String), Refusal> {
        let at = usize::try_from(id).map_err(|_| Refusal::NotFound)?;
        self.metrics.get(at).cloned().ok_or(Refusal::NotFound)
    }

    /// A counter moves by 1 or more: 0 is an error in Envoy.
    pub fn increment_metric(&mut self, id: u32, by: i64) -> Result<(), Refusal> {
        let (kind, _) = self.metric_named(id)?;
        let value = self.values.entry(id).or_default();
        match kind {
            Metric::Counter if by > 0 => *value = value.saturating_add(by.unsigned_abs()),
            Metric::Gauge => *value = value.saturating_add_signed(by),
            _ => return Err(Refusal::BadArgument),
        }
        Ok(())
    }

    pub fn record_metric(&mut self, id: u32, value: u64) -> Result<(), Refusal> {
        let (kind, name) = self.metric_named(id)?;
        let held = self.values.entry(id).or_default();
        match kind {
            Metric::Counter => *held = held.saturating_add(value),
            Metric::Gauge => *held = value,
            Metric::Histogram => self.samples.entry(name).or_default().push(value),
        }
        Ok(())
    }

    pub fn metric(&self, id: u32) -> Result<u64, Refusal> {
        match self.metric_named(id)?.0 {
            Metric::Histogram => Err(Refusal::BadArgument),
            _ => Ok(self.values.get(&id).copied().unwrap_or(0)),
        }
    }

    /// Counters and gauges by name.
    pub fn metrics(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for (id, (kind, name)) in (0u32..).zip(&self.metrics) {
            if *kind != Metric::Histogram {
                all.insert(name.clone(), self.values.get(&id).copied().unwrap_or(0));
            }
        }
        all
    }

    pub fn send_local_reply(&mut self, reply: LocalReply) {
        let context = self.context();
        if context.over {
            self.fatal = Some("a local reply in on_log or on_done crashes Envoy".to_string());
        } else if context.reply.is_none() {
            context.reply = Some(reply);
        }
    }

    pub fn continue_stream(&mut self, way: Way) {
        self.context().side(way).resumed = true;
    }

    pub fn close_stream(&mut self) {
        self.context().closed = true;
    }

    /// An unknown cluster is refused at once.
    pub fn call_out(&mut self, cluster: &str, headers: Headers, body: &[u8]) -> Result<u32, Refusal> {
        if !self.clusters.iter().any(|c| c == cluster) {
            return Err(Refusal::BadArgument);
        }
        self.tokens = self.tokens.saturating_add(1);
        let call = CallOut {
            token: self.tokens,
            context: self.current,
            cluster: cluster.to_string(),
            headers,
            body: body.to_vec(),
        };
        self.calls.push(call);
        Ok(self.tokens)
    }

    pub fn take_calls(&mut self) -> Vec<CallOut> {
        take(&mut self.calls)
    }
}
