//! What other gateways made of the same exchanges. Their output is behaviour, not truth: each kind of disagreement is either
//! explained in `tests/corpus/peers/explained.json` by the vendor's documentation, or a failure.

use crate::answer::asked;
use crate::corpus::{self, Exchange, Said, base64};
use crate::facts::Facts;
use crate::json::{Value, parse, parse_bytes, start};
use crate::request::{Asks, Item, Side, media};
use crate::vendor;
use serde::Deserialize;
use sluice::api::{Api, Target, by_name};
use sluice::json::Body;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

#[derive(Deserialize)]
struct Case {
    id: String,
    peer: String,
    kind: String,
    from: String,
    to: String,
    of: Option<String>,
    text: Option<String>,
    base64: Option<String>,
    expected: Option<Value>,
    failed: Option<String>,
}

fn api(named: &str) -> &'static dyn Api {
    match named {
        "openai.responses" => by_name("openai-responses").unwrap(),
        named => by_name(named.split('.').next().unwrap()).unwrap(),
    }
}

/// A model of the kind that the peer was asked for.
fn model(to: &dyn Api) -> &'static str {
    match to.name() {
        "anthropic" => "claude-sonnet-4-5-20250929",
        "bedrock" => "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "gemini" => "gemini-2.5-flash",
        _ => "gpt-4o",
    }
}

/// What differs: each aspect with what is said on both sides.
type Differences = Vec<(String, String)>;

fn differ(aspect: &str, theirs: impl std::fmt::Debug, ours: impl std::fmt::Debug, all: &mut Differences) {
    let (theirs, ours) = (format!("{theirs:?}"), format!("{ours:?}"));
    if theirs != ours {
        all.push((aspect.to_owned(), format!("theirs {} | ours {}", start(&theirs), start(&ours))));
    }
}

/// Texts of one side, whatever parts they came in.
fn texts(asks: &Asks, side: Side) -> String {
    let text = asks.items.iter().filter(|(of, _)| *of == side).filter_map(|(_, item)| match item {
        Item::Text(text) => Some(text.trim()),
        _ => None,
    });
    text.collect::<Vec<_>>().concat().replace(['\n', ' '], "")
}

fn picked(asks: &Asks, of: fn(&Item) -> Option<String>) -> Vec<String> {
    asks.items.iter().filter_map(|(_, item)| of(item)).collect()
}

fn asks(asked: &Asks, theirs: &Asks, ours: &Asks, by_path: bool) -> Differences {
    let mut all = Differences::new();
    let system = |asks: &Asks| asks.system.concat().replace(['\n', ' '], "");
    differ("system", system(theirs), system(ours), &mut all);
    differ("text of the user", texts(theirs, Side::User), texts(ours, Side::User), &mut all);
    differ("text of the assistant", texts(theirs, Side::Assistant), texts(ours, Side::Assistant), &mut all);
    let images = |item: &Item| match item {
        Item::Image(url) => Some(media(url)),
        _ => None,
    };
    differ("images", picked(theirs, images), picked(ours, images), &mut all);
    let documents = |item: &Item| match item {
        Item::Document(url) => Some(url.split_once("base64,").map_or(url.clone(), |(_, data)| data.to_owned())),
        _ => None,
    };
    differ("documents and audio", picked(theirs, documents), picked(ours, documents), &mut all);
    let calls = |item: &Item| match item {
        Item::Call { name, arguments, .. } => Some(format!("{name}({arguments})")),
        _ => None,
    };
    differ("calls", picked(theirs, calls), picked(ours, calls), &mut all);
    let results = |item: &Item| match item {
        Item::Result { text, .. } => Some(text.replace(['\n', ' '], "")),
        _ => None,
    };
    differ("results", picked(theirs, results), picked(ours, results), &mut all);
    let names = |asks: &Asks| asks.tools.iter().map(|tool| tool.told()).collect::<Vec<_>>();
    differ("tools", names(theirs), names(ours), &mut all);
    let others = |asks: &Asks| asks.others.clone();
    differ("what only its vendor has", others(theirs), others(ours), &mut all);
    differ("tool choice", &theirs.pick, &ours.pick, &mut all);
    differ("one call at a time", theirs.one_call, ours.one_call, &mut all);
    if asked.max_tokens.is_some() {
        differ("max_tokens", theirs.max_tokens, ours.max_tokens, &mut all);
    }
    differ("temperature", theirs.temperature, ours.temperature, &mut all);
    differ("top_p", theirs.top_p, ours.top_p, &mut all);
    differ("stop", &theirs.stop, &ours.stop, &mut all);
    let keys = |asks: &Asks| {
        let all = asks.schema.as_ref().map(|schema| schema["properties"].as_object().cloned().unwrap_or_default());
        all.map(|all| all.keys().cloned().collect::<Vec<_>>())
    };
    differ("schema", keys(theirs), keys(ours), &mut all);
    differ("thinking in the history", theirs.thinks, ours.thinks, &mut all);
    differ("thinking", theirs.thinks_now, ours.thinks_now, &mut all);
    if !by_path {
        differ("stream", theirs.stream, ours.stream, &mut all);
    }
    all
}

fn says(theirs: &Facts, ours: &Facts) -> Differences {
    let mut all = Differences::new();
    differ("ending", theirs.ending, ours.ending, &mut all);
    differ("answers", theirs.choices.len(), ours.choices.len(), &mut all);
    for (theirs, ours) in theirs.choices.iter().zip(&ours.choices) {
        let text = |choice: &crate::facts::Choice| format!("{}{}", choice.text, choice.refusal).trim().to_owned();
        differ("text", text(theirs), text(ours), &mut all);
        differ("thinking", &theirs.thinking, &ours.thinking, &mut all);
        differ("calls", &theirs.calls, &ours.calls, &mut all);
        differ("stop reason", theirs.end, ours.end, &mut all);
    }
    let (theirs, ours) = (theirs.usage.unwrap_or_default(), ours.usage.unwrap_or_default());
    differ("usage: input", theirs.input, ours.input, &mut all);
    differ("usage: cached", (theirs.cached_input, theirs.cache_write), (ours.cached_input, ours.cache_write), &mut all);
    differ("usage: output", theirs.output, ours.output, &mut all);
    differ("usage: thinking", theirs.reasoning, ours.reasoning, &mut all);
    all
}

fn request(case: &Case, body: &str) -> Result<Differences, String> {
    let (from, to) = (api(&case.from), api(&case.to));
    let expected = case.expected.as_ref().unwrap();
    let object = Body::parse(body.as_bytes()).map_err(|e| e.message.clone())?;
    let read = from.read_request(object.value()).map_err(|e| format!("not read: {}", e.message))?;
    let target = Target { model: model(to), max_tokens: 4096, stream_usage: true, echo_reasoning: false };
    let mut written = to.write_request(&read, &target);
    written.losses.extend(read.losses.clone());
    if let Some(loss) = written.losses.worst() {
        return Ok(vec![(format!("refused: {}", loss.what), loss.reason.to_owned())]);
    }
    let asked = (vendor::of(from).asks)(&parse(body)?);
    let there = vendor::of(to).asks;
    let by_path = vendor::BY_PATH.contains(&to.name());
    Ok(asks(&asked, &there(expected), &there(&parse_bytes(&written.body)?), by_path))
}

fn response(case: &Case, body: &str) -> Result<Differences, String> {
    let (from, to) = (api(&case.from), api(&case.to));
    let there = vendor::of(to).answer;
    let theirs = there(case.expected.as_ref().unwrap());
    match from.read_answer(body.as_bytes()) {
        Ok(read) => Ok(says(&theirs, &there(&parse_bytes(&to.write_answer(&read, &asked()))?))),
        Err(error) => Ok(vec![("an error in an answer's place".to_owned(), error.message.clone())]),
    }
}

fn stream(case: &Case, bytes: &[u8]) -> Result<Differences, String> {
    let (from, to) = (api(&case.from), api(&case.to));
    let (mut out, mut writer) = (Vec::new(), to.writer(asked()));
    let mut sink = |event: sluice::chat::Event<'_>| writer.write(&event, &mut out);
    let mut reader = from.reader();
    reader.read(bytes, &mut sink);
    reader.close(&mut sink);
    let there = vendor::of(to).stream;
    let theirs = there(case.expected.as_ref().and_then(Value::as_str).ok_or("no stream")?);
    let out = String::from_utf8(out).map_err(|e| e.to_string())?;
    Ok(says(&theirs, &there(&out)))
}

fn error(case: &Case, status: u16, body: &str) -> Result<Differences, String> {
    let (from, to) = (api(&case.from), api(&case.to));
    let read = from.read_error(status, body.as_bytes());
    let (status, written) = to.write_error(&read);
    let expected = case.expected.as_ref().unwrap();
    let mut all = Differences::new();
    differ("status", expected["status"].as_u64().unwrap_or_default(), u64::from(status), &mut all);
    let told = parse_bytes(&written)?["error"]["message"].as_str().unwrap_or_default().to_owned();
    let theirs = expected["message"].as_str().unwrap_or_default();
    if !theirs.contains(&told) && !theirs.contains(&told.replace('"', "\\\"")) {
        differ("message", theirs, told, &mut all);
    }
    Ok(all)
}

fn compare(case: &Case, exchanges: &BTreeMap<&str, &Exchange>) -> Result<Differences, String> {
    let exchange = case.of.as_deref().map(|id| *exchanges.get(id).unwrap_or_else(|| panic!("{id} is not here")));
    let bytes = match (&case.text, &case.base64, exchange.map(|exchange| (&exchange.request, &exchange.said))) {
        (Some(text), ..) => text.clone().into_bytes(),
        (None, Some(packed), _) => base64(packed),
        (None, None, Some((Some(body), _))) if case.kind == "request" => body.get().as_bytes().to_vec(),
        (None, None, Some((_, Said::Answer(body) | Said::Error(_, body)))) => body.get().as_bytes().to_vec(),
        (None, None, Some((_, Said::Stream(bytes)))) => bytes.clone(),
        _ => return Err("there is nothing to compare".to_owned()),
    };
    let text = || String::from_utf8(bytes.clone()).map_err(|e| e.to_string());
    match (case.kind.as_str(), exchange.map(|exchange| &exchange.said)) {
        ("request", _) => request(case, &text()?),
        ("stream", _) => stream(case, &bytes),
        ("error", Some(Said::Error(status, _))) => error(case, *status, &text()?),
        ("error", _) => Err("it is no error".to_owned()),
        _ => response(case, &text()?),
    }
}

/// Peer, kind, direction, aspect (each may be `*`), reason.
type Explained = [String; 5];

#[test]
fn peers_agree_or_the_difference_is_explained() {
    let exchanges = corpus::exchanges();
    let by_id: BTreeMap<&str, &Exchange> = exchanges.iter().map(|exchange| (exchange.id.as_str(), exchange)).collect();
    let folder = corpus::folder().join("peers");
    let explained: Vec<Explained> =
        serde_json::from_str(&fs::read_to_string(folder.join("explained.json")).unwrap()).unwrap();
    let mut used = vec![0_usize; explained.len()];
    // Of each peer and direction: the same, other, not made by the peer.
    let mut table: BTreeMap<(String, String, String), [usize; 3]> = BTreeMap::new();
    let mut failures = Vec::new();
    for peer in ["agentgateway", "litellm", "portkey"] {
        for line in fs::read_to_string(folder.join(format!("{peer}.jsonl"))).unwrap().lines() {
            let case: Case = serde_json::from_str(line).unwrap();
            let way = format!("{} > {}", case.from, case.to);
            let cell = table.entry((case.peer.clone(), case.kind.clone(), way.clone())).or_default();
            if case.failed.is_some() {
                cell[2] += 1;
                continue;
            }
            let differences = compare(&case, &by_id).unwrap_or_else(|why| vec![("a fault".to_owned(), why)]);
            cell[usize::from(!differences.is_empty())] += 1;
            for (aspect, what) in differences {
                let key = [&case.peer, &case.kind, &way, &aspect];
                let fits = |entry: &Explained| key.iter().zip(entry).all(|(key, entry)| entry == "*" || entry == *key);
                match explained.iter().position(fits) {
                    Some(at) => used[at] += 1,
                    None => failures.push(format!("{peer} {} {way}: {aspect}: {what} ({})", case.kind, case.id)),
                }
            }
        }
    }
    let mut page =
        format!("{:<14}{:<10}{:<50}{:>8}{:>8}{:>14}", "peer", "kind", "direction", "same", "other", "peer failed");
    for ((peer, kind, way), [same, other, failed]) in &table {
        let _ = write!(page, "\n{peer:<14}{kind:<10}{way:<50}{same:>8}{other:>8}{failed:>14}");
    }
    for ([peer, kind, way, aspect, why], count) in explained.iter().zip(&used) {
        let _ = write!(page, "\n{count:>5} × {peer} {kind} {way}, {aspect}: {why}");
        if *count == 0 {
            failures.push(format!("{peer} {kind} {way}, {aspect}: explains nothing"));
        }
    }
    println!("\n{page}");
    assert!(failures.is_empty(), "{} unexplained:\n{}", failures.len(), failures.join("\n"));
}
