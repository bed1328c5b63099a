use super::headers::Headers;
use super::host::{Host, Side, Way};
use super::module::{Action, Crash, Module};

/// A piece of a message between two filters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Headers(Headers, bool),
    Data(Vec<u8>, bool),
    Trailers(Headers),
}

impl Part {
    pub fn ends(&self) -> bool {
        match self {
            Part::Headers(_, end) | Part::Data(_, end) => *end,
            Part::Trailers(_) => true,
        }
    }
}

/// One direction of one filter: hands parts to the callbacks and lets out what they release.
///
/// As Envoy with `allow_on_headers_stop_iteration`: a pause holds what has come, and body callbacks go on with all that is
/// held; the first `Continue` releases it all, headers included. With trailers no body callback has the end of the stream.
#[derive(Debug)]
pub struct Gate {
    pub id: u32,
    pub way: Way,
    pub started: bool,
    ended: bool,
}

impl Gate {
    pub fn new(id: u32, way: Way) -> Gate {
        Gate { id, way, started: false, ended: false }
    }

    pub fn push<M: Module>(&mut self, module: &mut M, host: &mut Host, part: Part) -> Result<Vec<Part>, Crash> {
        self.started = true;
        let (id, way) = (self.id, self.way);
        let side = host.enter(id).side(way);
        let action = match part {
            Part::Headers(headers, end) => {
                let count = headers.len();
                side.headers = Some(headers);
                self.ended = end;
                match way {
                    Way::Request => module.request_headers(host, id, count, end),
                    Way::Response => module.response_headers(host, id, count, end),
                }
            }
            Part::Data(bytes, end) => {
                let body = side.body.get_or_insert_default();
                body.extend_from_slice(&bytes);
                let size = body.len();
                self.ended = end;
                match way {
                    Way::Request => module.request_body(host, id, size, end),
                    Way::Response => module.response_body(host, id, size, end),
                }
            }
            Part::Trailers(trailers) => {
                let count = trailers.len();
                side.trailers = Some(trailers);
                self.ended = true;
                match way {
                    Way::Request => module.request_trailers(host, id, count),
                    Way::Response => module.response_trailers(host, id, count),
                }
            }
        }?;
        if let Some(fatal) = host.fatal.take() {
            return Err(fatal);
        }
        fail_calls(module, host)?;
        let context = host.contexts.entry(id).or_default();
        if context.reply.is_some() || context.closed {
            return Ok(Vec::new());
        }
        let side = context.side(way);
        let resumed = std::mem::take(&mut side.resumed);
        Ok(match action {
            Action::Pause if !resumed => Vec::new(),
            _ => self.release(side),
        })
    }

    fn release(&self, side: &mut Side) -> Vec<Part> {
        let (headers, body, trailers) = (side.headers.take(), side.body.take(), side.trailers.take());
        let mut out = Vec::new();
        if let Some(headers) = headers {
            out.push(Part::Headers(headers, self.ended && body.is_none() && trailers.is_none()));
        }
        if let Some(body) = body {
            let end = self.ended && trailers.is_none();
            out.push(Part::Data(body, end));
        }
        if let Some(trailers) = trailers {
            out.push(Part::Trailers(trailers));
        }
        out
    }
}

/// No cluster answers a call out here: each fails before the next part arrives.
fn fail_calls<M: Module>(module: &mut M, host: &mut Host) -> Result<(), Crash> {
    for call in host.take_calls() {
        if host.contexts.contains_key(&call.context) {
            host.enter(call.context);
            module.call_failed(host, call.context, call.token)?;
        }
    }
    match host.fatal.take() {
        Some(fatal) => Err(fatal),
        None => Ok(()),
    }
}
