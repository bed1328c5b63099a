//! Streams.

use crate::Checked;
use crate::answer::asked;
use crate::facts::{Ending, Facts, Fold};
use crate::json::{Value, events, list, parse, start};
use crate::{schema, vendor};
use sluice::api::{Api, Asked, Reader, Seen, Verdict};
use sluice::chat::Event;
use sluice::framing::{Frame, Kind, sse};

/// Bytes a piece: all the stream is cut into such pieces. 1 cuts at every byte.
const CUTS: [usize; 5] = [1, 2, 7, 61, 1021];

fn read(mut reader: Box<dyn Reader>, sse: &[u8], cut: usize, sink: &mut dyn FnMut(Event<'_>)) {
    for piece in sse.chunks(cut) {
        reader.read(piece, sink);
    }
    reader.close(sink);
}

fn fold(api: &dyn Api, sse: &[u8]) -> Result<Facts, String> {
    let mut fold = Fold::default();
    read(api.reader(), sse, sse.len().max(1), &mut |event| fold.take(&event));
    fold.facts()
}

/// The frames' bytes that are passed on, and what was seen.
fn watch(api: &dyn Api, sse: &[u8], hide: bool) -> (Vec<u8>, Seen) {
    let (mut passed, mut seen) = (Vec::new(), Seen::default());
    let mut frame = |frame: Frame<'_>| {
        let verdict = frame.data.map_or(Verdict::Pass, |data| api.watch_event(frame.name, data, hide, &mut seen));
        if verdict != Verdict::Hide {
            passed.extend_from_slice(frame.raw);
        }
    };
    let mut decoder = api.framing().decoder();
    sse.chunks(1021).for_each(|piece| decoder.feed(piece, &mut frame));
    decoder.close(&mut frame);
    (passed, seen)
}

/// A stream as text: one of binary frames as the server-sent events that say the same.
fn text(api: &dyn Api, stream: &[u8]) -> Result<String, String> {
    if api.framing() != Kind::EventStream {
        return String::from_utf8(stream.to_vec()).map_err(|e| e.to_string());
    }
    let (mut out, mut corrupt) = (Vec::new(), None);
    let mut decoder = api.framing().decoder();
    let mut sink = |frame: Frame<'_>| {
        corrupt = corrupt.or(frame.corrupt);
        sse::write(&mut out, std::str::from_utf8(frame.name).ok(), frame.data.unwrap_or_default());
    };
    decoder.feed(stream, &mut sink);
    decoder.close(&mut sink);
    match corrupt {
        Some(why) => Err(why.to_owned()),
        None => String::from_utf8(out).map_err(|e| e.to_string()),
    }
}

pub fn same(api: &dyn Api, sse: &[u8]) -> Checked {
    let want = (vendor::of(api).stream)(&text(api, sse)?);
    let (passed, seen) = watch(api, sse, false);
    if passed != sse {
        return Err("its bytes are not its frames' bytes".to_owned());
    }
    if seen.usage != want.usage {
        return Err(format!("watched usage is {:?}, not {:?}", seen.usage, want.usage));
    }
    let whole = seen.ended && seen.error.is_none();
    if whole != (want.ending == Ending::Whole) {
        return Err(format!("watched: ended {}, error {:?}; it is {:?}", seen.ended, seen.error, want.ending));
    }
    if seen.model.unwrap_or_default() != want.model {
        return Err("watched another model".to_owned());
    }
    hide(api, sse, &want)?;
    want.same_as(&fold(api, sse)?, "read")
}

/// With usage hidden, only the events that hold usage and no choice are missing, and usage is still seen.
fn hide(api: &dyn Api, sse: &[u8], want: &Facts) -> Checked {
    let (passed, seen) = watch(api, sse, true);
    if seen.usage != want.usage {
        return Err("usage is not seen when it is hidden".to_owned());
    }
    let passed = text(api, &passed)?;
    let shown = |(_, data): &(String, String)| {
        let Ok(chunk) = parse(data) else { return true };
        !matches!(api.name(), "openai" | "openai-completions")
            || chunk["usage"].is_null()
            || !list(&chunk["choices"]).is_empty()
    };
    let kept: Vec<_> = events(&text(api, sse)?).into_iter().filter(shown).collect();
    match kept == events(&passed) {
        true => Ok(()),
        false => Err("other events than those of usage alone are hidden".to_owned()),
    }
}

fn translate(api: &dyn Api, other: &dyn Api, sse: &[u8], cut: usize, asked: Asked) -> Vec<u8> {
    let (mut writer, mut out) = (other.writer(asked), Vec::new());
    read(api.reader(), sse, cut, &mut |event| writer.write(&event, &mut out));
    out
}

pub fn across(api: &dyn Api, other: &dyn Api, sse: &[u8]) -> Checked {
    let there = vendor::of(other);
    let written = translate(api, other, sse, sse.len().max(1), asked());
    for cut in CUTS {
        if translate(api, other, sse, cut, asked()) != written {
            return Err(format!("other bytes when it is cut into pieces of {cut}"));
        }
    }
    let shown = text(other, &written)?;
    let want = (vendor::of(api).stream)(&text(api, sse)?).across(other.name());
    shape(there, &shown, want.ending)?;
    want.same_as(&(there.stream)(&shown).across(other.name()), "written")?;
    want.same_as(&fold(other, &written)?.across(other.name()), "read back")?;

    let asked = Asked { stream_usage: false, ..asked() };
    let without = text(other, &translate(api, other, sse, 1021, asked))?;
    match other.name() == "openai" && without.contains("\"usage\":{") {
        true => Err("usage is shown to a client that did not ask for it".to_owned()),
        false => Ok(()),
    }
}

/// Every event has its name and is of the schema; the ending comes once, and last.
fn shape(there: &vendor::Vendor, written: &str, ending: Ending) -> Checked {
    let mut all = events(written);
    // The same failure once more, with what there is of the answer.
    all.pop_if(|(name, _)| name == "response.failed");
    for (at, (name, data)) in all.iter().enumerate() {
        let last = at + 1 == all.len();
        let mut event = if data == "[DONE]" { Value::Null } else { parse(data)? };
        let error = name.ends_with("Exception") || !event["error"].is_null() || !event["delta"]["error"].is_null();
        let kind = event["type"].clone();
        let ends = !error
            && (data == there.last
                || name == there.last
                || kind == there.last
                || kind == "response.incomplete"
                || event[there.last] == true
                || !event["candidates"][0]["finishReason"].is_null());
        if ends != (last && ending == Ending::Whole) {
            return Err(format!("event {at} of {}: {}", all.len(), start(data)));
        }
        if data == "[DONE]" {
            continue;
        }
        if error != (last && ending == Ending::Failed) {
            return Err(format!("event {at} of {}: {}", all.len(), start(data)));
        }
        if ["anthropic", "cohere"].contains(&there.name) && event["type"] != name.as_str() {
            return Err(format!("event {name} is of type {}", event["type"]));
        }
        if there.name == "bedrock" {
            event = serde_json::json!({ name: event });
        }
        if event["type"] != "ping" {
            schema::check(there.schemas[if error { 3 } else { 2 }], &event)?;
        }
    }
    match all.is_empty() {
        true => Err("nothing is written".to_owned()),
        false => Ok(()),
    }
}
