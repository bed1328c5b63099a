//! A whole answer, and what a stream's chunks have in common with it.

use super::error::inside;
use super::logprobs;
use crate::api::Asked;
use crate::chat::{Answer, Choice, Finish, Part, Usage};
use crate::error::{Error, Kind};
use crate::json::{Tree, Value, escape, quote, write as put};
use std::borrow::Cow;

pub(super) fn read(body: &[u8]) -> Result<Answer, Error> {
    let mut tree = Tree::default();
    let body = parse(&mut tree, body)?;
    if let Some(error) = body.get("error") {
        return Err(inside(&error));
    }
    let all = body.get("choices").filter(Value::is_list).ok_or_else(|| bad("the provider's answer has no choices"))?;
    let choice = |one: Value<'_>| Choice {
        parts: vec![Part::text(told(&one, "text").unwrap_or_default())],
        finish: finish(&one),
        ..Choice::default()
    };
    Ok(Answer {
        id: told(&body, "id").unwrap_or_default().into_owned(),
        model: told(&body, "model").unwrap_or_default().into_owned(),
        created: body.get("created").and_then(|created| created.count()),
        choices: all.items().map(choice).collect(),
        usage: usage(&body),
        system_fingerprint: told(&body, "system_fingerprint").map(Cow::into_owned),
        ..Answer::default()
    })
}

/// A body or an event's data.
pub(super) fn parse<'t>(tree: &'t mut Tree, body: &'t [u8]) -> Result<Value<'t>, Error> {
    let body = tree.read(body).ok().filter(Value::is_object);
    body.ok_or_else(|| bad("the provider's answer cannot be read"))
}

pub(super) fn bad(message: &str) -> Error {
    Error::provider(Kind::BadAnswer, message)
}

pub(super) fn told<'a>(of: &Value<'a>, name: &str) -> Option<Cow<'a, str>> {
    of.get(name)?.text().filter(|text| !text.is_empty())
}

pub(super) fn finish(choice: &Value<'_>) -> Option<Finish> {
    Some(match told(choice, "finish_reason")?.as_ref() {
        "length" => Finish::Length,
        "content_filter" => Finish::Filtered,
        _ => Finish::Stop,
    })
}

pub(super) fn usage(body: &Value<'_>) -> Option<Usage> {
    let given = body.get("usage")?;
    let count = |path: &[&str]| given.at(path).and_then(|count| count.count());
    let (input, output) = (count(&["prompt_tokens"]), count(&["completion_tokens"]));
    input.or(output)?;
    Some(Usage {
        input: input.unwrap_or_default(),
        cached_input: count(&["prompt_tokens_details", "cached_tokens"]).unwrap_or_default(),
        output: output.unwrap_or_default(),
        reasoning: count(&["completion_tokens_details", "reasoning_tokens"]).unwrap_or_default(),
        ..Usage::default()
    })
}

pub(super) fn write(answer: &Answer, asked: &Asked) -> Vec<u8> {
    let mut out = b"{".to_vec();
    head(&mut out, asked, &answer.id, &answer.model, answer.created);
    if let Some(fingerprint) = &answer.system_fingerprint {
        put::text(&mut out, "system_fingerprint", fingerprint);
    }
    put::field(&mut out, "choices");
    out.push(b'[');
    for (index, choice) in (0_u64..).zip(&answer.choices) {
        put::comma(&mut out);
        out.extend_from_slice(br#"{"text":""#);
        for part in &choice.parts {
            // A tool's arguments stand in for a schema's text, which no client of this API asks for.
            if let Part::Text { text, .. } | Part::Refusal { text } = part {
                escape(&mut out, text);
            }
        }
        out.push(b'"');
        put::number(&mut out, "index", index);
        put::field(&mut out, "logprobs");
        logprobs::write(&mut out, choice.logprobs.as_ref().map_or("null", |raw| raw.get()), 0);
        put::text(&mut out, "finish_reason", finish_name(choice.finish.unwrap_or(Finish::Stop)));
        out.push(b'}');
    }
    out.push(b']');
    if let Some(usage) = &answer.usage {
        put::field(&mut out, "usage");
        write_usage(&mut out, usage);
    }
    out.push(b'}');
    out
}

/// The members that an answer and its chunks begin with.
pub(super) fn head(out: &mut Vec<u8>, asked: &Asked, id: &str, model: &str, created: Option<u64>) {
    put::field(out, "id");
    if id.is_empty() {
        out.extend_from_slice(b"\"cmpl-");
        escape(out, &asked.id);
        out.push(b'"');
    } else {
        quote(out, id);
    }
    put::text(out, "object", "text_completion");
    put::number(out, "created", created.unwrap_or(asked.created));
    let model = if model.is_empty() { asked.model.as_str() } else { model };
    put::text(out, "model", asked.rename.as_deref().unwrap_or(model));
}

pub(super) fn finish_name(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence | Finish::Pause | Finish::ToolCalls => "stop",
        Finish::Length | Finish::ContextFull => "length",
        Finish::Filtered | Finish::Refusal => "content_filter",
    }
}

pub(super) fn write_usage(out: &mut Vec<u8>, usage: &Usage) {
    out.push(b'{');
    put::number(out, "prompt_tokens", usage.input);
    put::number(out, "completion_tokens", usage.output);
    put::number(out, "total_tokens", usage.total());
    out.extend_from_slice(br#","prompt_tokens_details":{"cached_tokens":"#);
    put::digits(out, usage.cached_input);
    out.extend_from_slice(br#"},"completion_tokens_details":{"reasoning_tokens":"#);
    put::digits(out, usage.reasoning);
    out.extend_from_slice(b"}}");
}
