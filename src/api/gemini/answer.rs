//! A provider's whole answer, read; and what a stream's events have in common with it.

use super::wire::{call_id, each, said};
use super::{errors, grounding, parts, usage};
use crate::chat::{Answer, Choice, Finish, Part, Raw};
use crate::error::{Error, Kind};
use crate::json::write::{comma, digits, field, raw as put, text};
use crate::json::{Items, Tree, Value, raw};
use std::borrow::Cow;

pub(super) fn answer(body: &[u8]) -> Result<Answer, Error> {
    let mut tree = Tree::default();
    let Ok(body) = tree.read(body) else { return Err(bad("it is not JSON")) };
    if let Some(error) = errors::within(&body) {
        return Err(errors::in_answer(&error));
    }
    if !body.is_object() {
        return Err(bad("it is not an object"));
    }
    let id = said(&body, "responseId").unwrap_or_default().into_owned();
    let mut choices = Vec::new();
    if let Some(all) = body.get("candidates") {
        for (n, one) in (0_u32..).zip(all.items()) {
            choices.push(choice(&one, n, &id)?);
        }
    }
    if choices.is_empty() {
        let blocked = blocked(&body).ok_or_else(|| bad("it has no candidates"))?;
        let finish = Some(Finish::Filtered);
        choices.push(Choice { parts: vec![Part::Refusal { text: blocked }], finish, ..Choice::default() });
    }
    Ok(Answer {
        id,
        model: said(&body, "modelVersion").unwrap_or_default().into_owned(),
        created: None,
        choices,
        usage: usage::read(&body),
        service_tier: tier(&body).map(|tier| tier.into_owned()),
        system_fingerprint: None,
    })
}

fn choice(candidate: &Value<'_>, index: u32, id: &str) -> Result<Choice, Error> {
    let mut all = Vec::new();
    let mut calls = 0;
    for one in written(candidate) {
        let mut made = |name: &str| call_id(id, index, calls, name);
        let part = parts::part(&one, &mut made).map_err(|error| bad(&error.text()))?;
        let Some(part) = part else { continue };
        calls = calls.saturating_add(u32::from(matches!(part, Part::ToolCall { .. })));
        parts::push(&mut all, part);
    }
    let reason = said(candidate, "finishReason").unwrap_or_default();
    let wrote = !all.is_empty();
    let finish = finish(&reason, calls > 0, wrote, candidate)?;
    if finish == Finish::Filtered
        && !wrote
        && let Some(text) = said(candidate, "finishMessage")
    {
        all.push(Part::Refusal { text: text.into_owned() });
    }
    let citations = grounding::citations(candidate, &|bytes| grounding::chars(&all, bytes));
    if let Some(Part::Text { citations: own, .. }) = all.iter_mut().rev().find(|part| matches!(part, Part::Text { .. }))
    {
        *own = citations;
    }
    Ok(Choice { parts: all, finish: Some(finish), stop_sequence: None, logprobs: logprobs(candidate) })
}

/// A candidate's parts.
#[inline(never)]
pub(super) fn written<'a>(candidate: &Value<'a>) -> Items<'a> {
    candidate.at(&["content", "parts"]).unwrap_or(*candidate).items()
}

pub(super) fn bad(what: &str) -> Error {
    Error::provider(Kind::BadAnswer, ["the provider's answer cannot be read: ", what].concat())
}

/// The tier that served it, as the vendor names it.
pub(super) fn tier<'a>(body: &Value<'a>) -> Option<Cow<'a, str>> {
    body.at(&["usageMetadata", "serviceTier"])?.text()
}

/// Why the prompt was refused, if it was.
pub(super) fn blocked(body: &Value<'_>) -> Option<String> {
    let feedback = body.get("promptFeedback")?;
    let reason = said(&feedback, "blockReason")?;
    Some(match said(&feedback, "blockReasonMessage") {
        Some(message) => message.into_owned(),
        None => ["The prompt was blocked: ", &reason].concat(),
    })
}

/// What a reason means. A call that came to nothing is an error: another attempt may do better.
pub(super) fn finish(reason: &str, called: bool, wrote: bool, candidate: &Value<'_>) -> Result<Finish, Error> {
    Ok(match reason {
        "MAX_TOKENS" => Finish::Length,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => Finish::Filtered,
        "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MALFORMED_RESPONSE"
        | "MISSING_THOUGHT_SIGNATURE"
            if !wrote =>
        {
            let why = said(candidate, "finishMessage").unwrap_or_default();
            let gap = if why.is_empty() { "" } else { ": " };
            return Err(Error::provider(
                Kind::BadAnswer,
                ["the model gave up its answer, ", reason, gap, &why].concat(),
            ));
        }
        "CONTINUATION" => Finish::Pause,
        // All else ends an answer, a tool's call too.
        _ if called => Finish::ToolCalls,
        _ => Finish::Stop,
    })
}

/// The reason that a client of this API knows.
pub(super) fn reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence | Finish::ToolCalls | Finish::Pause => "STOP",
        Finish::Length | Finish::ContextFull => "MAX_TOKENS",
        Finish::Filtered | Finish::Refusal => "SAFETY",
    }
}

/// The probabilities of tokens in the form that the neutral model has them in.
pub(super) fn logprobs(candidate: &Value<'_>) -> Option<Raw> {
    let result = candidate.get("logprobsResult")?;
    let chosen = result.get("chosenCandidates")?;
    let mut top = each(&result, "topCandidates");
    let mut out = b"{\"content\":[".to_vec();
    for one in chosen.items() {
        comma(&mut out);
        token(&mut out, &one);
        put(&mut out, "top_logprobs", "[");
        if let Some(of) = top.next() {
            for other in each(&of, "candidates") {
                comma(&mut out);
                token(&mut out, &other);
                out.push(b'}');
            }
        }
        out.extend_from_slice(b"]}");
    }
    out.extend_from_slice(b"],\"refusal\":null}");
    String::from_utf8(out).ok().map(raw)
}

/// Writes a token's object, and leaves it open.
fn token(out: &mut Vec<u8>, of: &Value<'_>) {
    let token = said(of, "token").unwrap_or_default();
    out.push(b'{');
    text(out, "token", &token);
    put(out, "logprob", of.get("logProbability").map_or("0", |p| if p.is_text() { "0" } else { p.raw() }));
    field(out, "bytes");
    out.push(b'[');
    for byte in token.bytes() {
        comma(out);
        digits(out, u64::from(byte));
    }
    out.push(b']');
}
