use super::gate::Part;
use super::headers::Headers;

/// A whole message as one side sends it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub headers: Headers,
    pub body: Option<Vec<u8>>,
    pub trailers: Option<Headers>,
    /// Pieces of so many bytes; `None`: whole.
    pub chunk: Option<usize>,
    /// The last piece carries the end, as in HTTP/2; otherwise an empty one follows, as Envoy's HTTP/1 codec has it.
    pub joined: bool,
}

impl Message {
    pub fn parts(&self) -> Vec<Part> {
        let last = self.trailers.is_none();
        let body = self.body.as_deref().unwrap_or_default();
        let mut parts = vec![Part::Headers(self.headers.clone(), body.is_empty() && last)];
        let mut pieces = body.chunks(self.chunk.unwrap_or(body.len()).max(1)).peekable();
        while let Some(piece) = pieces.next() {
            parts.push(Part::Data(piece.to_vec(), self.joined && last && pieces.peek().is_none()));
        }
        if !body.is_empty() && last && !self.joined {
            parts.push(Part::Data(Vec::new(), true));
        }
        parts.extend(self.trailers.clone().map(Part::Trailers));
        parts
    }
}

/// What Envoy lets out though it must not leave: bytes that end a header line, and a length that is not the body's,
/// whose rest would be read as the next message.
pub fn flaws(headers: &Headers, body: usize) -> Option<String> {
    for (name, value) in headers.iter() {
        if value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
            return Some(format!("header {name} breaks its line: {:?}", String::from_utf8_lossy(value)));
        }
    }
    let length = headers.text("content-length")?;
    (length != body.to_string()).then(|| format!("content-length {length}, but the body has {body} bytes"))
}

/// The downstream connection: what has arrived there.
#[derive(Clone, Debug, Default)]
pub struct Client {
    pub headers: Option<Headers>,
    pub body: Vec<u8>,
    pub trailers: Option<Headers>,
    pub hang_up_after: Option<usize>,
    pub ended: bool,
    pub hung_up: bool,
    /// Reset by the proxy before the end.
    pub cut: bool,
}

impl Client {
    /// `true`: nothing more can be sent.
    pub fn write(&mut self, part: Part) -> Result<bool, String> {
        match part {
            Part::Headers(headers, end) => {
                let status = headers.text(":status").unwrap_or_default();
                if status.len() != 3 || !status.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(format!("the client would get :status {status:?}"));
                }
                self.headers = Some(headers);
                self.ended = end;
            }
            Part::Data(bytes, end) => {
                self.body.extend_from_slice(&bytes);
                self.ended = end;
            }
            Part::Trailers(trailers) => {
                self.trailers = Some(trailers);
                self.ended = true;
            }
        }
        if let Some(limit) = self.hang_up_after
            && self.body.len() >= limit
        {
            self.body.truncate(limit);
            self.hung_up = true;
        }
        let flaw = match &self.headers {
            Some(headers) if self.ended && !self.hung_up => flaws(headers, self.body.len()),
            Some(headers) => flaws(headers, 0).filter(|flaw| flaw.starts_with("header")),
            None => Some("body before headers".to_string()),
        };
        match flaw {
            Some(flaw) => Err(format!("to the client: {flaw}")),
            None => Ok(self.ended || self.hung_up),
        }
    }

    pub fn started(&self) -> bool {
        self.headers.is_some()
    }
}
