use super::{Adapted, Ask, Kind, Provider, Setting, Transcode, escaped};
use crate::base64;
use crate::framing::{eventstream, sse};
use crate::json::{Tree, Value, quote, write as put};

const SETTINGS: &[Setting] = &[Setting { name: "region", required: true }];
const HOST: &str = "bedrock-runtime.{region}.amazonaws.com";

/// Every maker's models at Amazon, in the one format that Amazon gives them.
pub static KIND: Kind = Kind {
    name: "bedrock",
    apis: &[("bedrock", "")],
    host: HOST,
    settings: SETTINGS,
    tasks: &["bedrock-titan-embed", "bedrock-cohere-embed"],
    ..Kind::COMPATIBLE
};

/// Anthropic's models at Amazon, as they are invoked:
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html>. The model stands in
/// the path; version and betas in the body; events come in frames of Amazon's own.
pub static ANTHROPIC: Kind = Kind {
    name: "bedrock-anthropic",
    apis: &[("anthropic", "")],
    host: HOST,
    settings: SETTINGS,
    path: Some(|provider: &Provider, ask: &Ask<'_>, _: &str| {
        let method = if ask.stream { "/invoke-with-response-stream" } else { "/invoke" };
        [&provider.spoken(ask.api).base_path, "/model/", &escaped(ask.model), method].concat()
    }),
    adapt: Some(adapt),
    transcode: Some((eventstream::MEDIA_TYPE, || Box::new(Events::default()))),
    tasks: &[],
    foreign_errors: true,
    ..Kind::COMPATIBLE
};

fn adapt(_: &Provider, body: Value<'_>, ask: &Ask<'_>) -> Adapted {
    let mut adapted = Adapted::default();
    adapted.edits.extend(body.remove("model"));
    adapted.edits.extend(body.remove("stream"));
    if body.get("anthropic_version").is_none() {
        adapted.edits.push(body.set("anthropic_version", "\"bedrock-2023-05-31\""));
    }
    if let Some(betas) = (ask.header)("anthropic-beta").filter(|_| body.get("anthropic_beta").is_none()) {
        let mut list = vec![b'['];
        for beta in betas.split(',').map(str::trim).filter(|beta| !beta.is_empty()) {
            put::comma(&mut list);
            quote(&mut list, beta);
        }
        list.push(b']');
        adapted.edits.push(body.set("anthropic_beta", list));
    }
    adapted
}

/// Frames whose payload is `{"bytes": an event in base64}`, as server-sent events.
#[derive(Default)]
struct Events {
    frames: eventstream::Decoder,
    tree: Tree,
    /// A frame was corrupt, or the stream has failed: nothing that follows is of use.
    over: bool,
}

impl Transcode for Events {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let Self { frames, tree, over } = self;
        frames.feed(bytes, &mut |frame| *over = *over || give(&frame, tree, out));
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        let Self { frames, tree, over } = self;
        frames.close(&mut |frame| *over = *over || give(&frame, tree, out));
    }
}

/// Whether nothing follows.
fn give(frame: &eventstream::Frame<'_>, tree: &mut Tree, out: &mut Vec<u8>) -> bool {
    if let Some(what) = frame.corrupt.or(frame.too_long.then_some("an event is too large")) {
        error(out, "api_error", &["the provider's stream broke off: ", what].concat());
        return true;
    }
    let Some(data) = frame.data else { return false };
    let payload = tree.read(data).ok();
    if frame.name != b"chunk" {
        let name = std::str::from_utf8(frame.name).unwrap_or_default();
        let failed = name.ends_with("Exception") || name.ends_with("Error");
        if failed {
            let message = payload.and_then(|payload| payload.get("message")?.text()).unwrap_or_default();
            error(out, kind(name), if message.is_empty() { name } else { &message });
        }
        return failed;
    }
    let event = payload.and_then(|payload| payload.get("bytes")?.text()).and_then(|bytes| base64::decode(&bytes));
    let Some(event) = event else {
        error(out, "api_error", "the provider's stream has an event that cannot be read");
        return true;
    };
    let kind = tree.read(&event).ok().and_then(|event| event.get("type")?.text());
    sse::write(out, kind.as_deref(), &event);
    false
}

/// What Anthropic calls an exception of Amazon's.
fn kind(name: &str) -> &'static str {
    match name {
        "throttlingException" => "rate_limit_error",
        "serviceUnavailableException" => "overloaded_error",
        "modelTimeoutException" => "timeout_error",
        "validationException" => "invalid_request_error",
        _ => "api_error",
    }
}

fn error(out: &mut Vec<u8>, kind: &str, message: &str) {
    let mut event = br#"{"type":"error","error":{"#.to_vec();
    put::text(&mut event, "type", kind);
    put::text(&mut event, "message", message);
    event.extend_from_slice(b"}}");
    sse::write(out, Some("error"), &event);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::sse;

    fn events(stream: &[u8], size: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut transcode = Events::default();
        stream.chunks(size).for_each(|bytes| transcode.feed(bytes, &mut out));
        transcode.close(&mut out);
        out
    }

    fn frame(name: &str, kind: &str, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        eventstream::write(&mut out, &[(kind, name), (":message-type", "event")], payload);
        out
    }

    fn names(text: &[u8]) -> Vec<String> {
        let mut names = Vec::new();
        sse::Decoder::new().feed(text, &mut |frame| names.push(String::from_utf8_lossy(frame.name).into_owned()));
        names
    }

    #[test]
    fn a_recorded_stream_is_anthropics_however_it_is_cut() {
        let stream = include_bytes!("../../tests/golden/eventstream/invoke.bin");
        let whole = events(stream, usize::MAX);
        let names = names(&whole);
        assert_eq!(names.first().map(String::as_str), Some("message_start"));
        assert_eq!(names.last().map(String::as_str), Some("message_stop"));
        assert!(names.iter().filter(|name| *name == "content_block_delta").count() > 5, "{names:?}");
        for size in 1..=stream.len() {
            assert_eq!(events(stream, size), whole, "{size}");
        }
    }

    #[test]
    fn an_exception_is_anthropics_error_and_the_last_event() {
        let ping = frame("chunk", ":event-type", br#"{"bytes":"eyJ0eXBlIjoicGluZyJ9","p":"ab"}"#);
        let broken = frame("throttlingException", ":exception-type", br#"{"message":"slow \"down\""}"#);
        let out = events(&[ping.clone(), broken, ping].concat(), 5);
        assert_eq!(names(&out), ["ping", "error"]);
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains(r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow \"down\""}}"#),
            "{text}"
        );
    }

    #[test]
    fn a_corrupt_or_cut_frame_is_an_error() {
        let ping = frame("chunk", ":event-type", br#"{"bytes":"eyJ0eXBlIjoicGluZyJ9"}"#);
        let mut corrupt = ping.clone();
        corrupt[40] ^= 1;
        for stream in [corrupt, ping[..ping.len() - 1].to_vec(), frame("chunk", ":event-type", br#"{"bytes":"?"}"#)] {
            assert_eq!(names(&events(&stream, 7)), ["error"]);
        }
        assert_eq!(names(&events(&frame("initial-response", ":event-type", b"{}"), 7)), [""; 0]);
    }
}
