//! Thinking with tools over two turns: what a provider thought and signed comes back to it with the tool's result.

use crate::answers::{answer, carried};
use crate::asks::{call, result, turn, user, with_tools};
use crate::{Cell, Row, arrived, asked, lost, row, target};
use serde_json::{Value, json};
use sluice::api::Api;
use sluice::chat::{Effort, Finish, Part, Reasoning, Request, Role};

/// What of thinking stands in it: texts, and signatures of thinking or of calls.
fn thoughts(parts: &[Part]) -> (String, Vec<String>) {
    let (mut text, mut seals) = (String::new(), Vec::new());
    for part in parts {
        match part {
            Part::Thinking { text: more, signature } => {
                text.push_str(more);
                seals.extend(signature.clone());
            }
            Part::Redacted { data } => seals.push(data.clone()),
            Part::ToolCall { signature, .. } => seals.extend(signature.clone()),
            _ => {}
        }
    }
    (text, seals)
}

pub fn rows() -> Vec<Row> {
    vec![
        row("thinking is shown", |client, provider| shown(client, provider).unwrap_or_else(|cell| cell)),
        row("thinking with tools, over two turns", two_turns),
    ]
}

/// A thought and a call, sealed as this provider seals them: some seal thoughts, one its calls, some nothing.
fn thought(provider: &dyn Api) -> Vec<Part> {
    let seal = |seals: bool| seals.then(|| "c2lnbmVk".to_owned());
    let thought = seal(matches!(provider.name(), "anthropic" | "bedrock" | "openai-responses"));
    let mut called = call("call_a", r#"{"x":1}"#);
    if let Part::ToolCall { signature, .. } = &mut called {
        *signature = seal(provider.name() == "gemini");
    }
    vec![Part::Thinking { text: "Hm".to_owned(), signature: thought }, called]
}

/// What the client has of it.
fn shown(client: &dyn Api, provider: &dyn Api) -> Result<Cell, Cell> {
    let given = answer(Finish::ToolCalls, thought(provider));
    for stream in [false, true] {
        let told = carried(provider, provider, &given, stream).map_err(Cell::Defect)?;
        if thoughts(&told.choices[0].parts).0 != "Hm" {
            return Err(Cell::NotGiven);
        }
        let got = carried(client, provider, &given, stream).map_err(Cell::Defect)?;
        if thoughts(&got.choices[0].parts).0 != "Hm" {
            let own = carried(client, client, &given, stream).map_err(Cell::Defect)?;
            let silent = thoughts(&own.choices[0].parts).0.is_empty();
            return Err(if silent { Cell::NoWord } else { Cell::Defect("thinking is not shown".to_owned()) });
        }
    }
    Ok(Cell::Yes)
}

/// The answer as its client sends it back in the next request: its own bytes in the place of its turn.
fn sent_back(client: &dyn Api, answer: &[u8], mut body: Value) -> Value {
    let mut given: Value = serde_json::from_slice(answer).unwrap();
    let (list, mut turn) = match client.name() {
        "anthropic" => ("messages", vec![json!({"role": "assistant", "content": given["content"]})]),
        "bedrock" => ("messages", vec![given["output"]["message"].take()]),
        "gemini" => ("contents", vec![given["candidates"][0]["content"].take()]),
        "openai" => ("messages", vec![given["choices"][0]["message"].take()]),
        "openai-responses" => ("input", given["output"].as_array().unwrap().clone()),
        _ => ("messages", vec![given["message"].take()]),
    };
    let all = body[list].as_array_mut().unwrap();
    let rest = all.split_off(2);
    all.truncate(1);
    all.append(&mut turn);
    all.extend(rest);
    body
}

fn two_turns(client: &'static dyn Api, provider: &'static dyn Api) -> Cell {
    if !client.converses() {
        return Cell::NoWord;
    }
    let given = answer(Finish::ToolCalls, thought(provider));
    let from = String::from_utf8(provider.write_answer(&given, &asked())).unwrap();
    // A provider's seal is its own: the gateway marks those of others.
    let shown = provider.read_answer(from.replace("sluice.signature:", "").as_bytes()).unwrap();
    let told = thoughts(&shown.choices[0].parts);
    let shown = client.write_answer(&shown, &asked());
    let got = client.read_answer(&shown).unwrap().choices.remove(0).parts;
    let id = got.iter().find_map(|part| match part {
        Part::ToolCall { id, .. } => Some(id.clone()),
        _ => None,
    });
    let id = id.unwrap();
    let request = Request {
        turns: vec![
            user(vec![Part::text("Do")]),
            turn(Role::Assistant, vec![call(&id, "{}")]),
            turn(Role::Tool, vec![result(&id, vec![Part::text("1")])]),
        ],
        reasoning: Some(Reasoning { effort: Some(Effort::Low), ..Reasoning::default() }),
        max_tokens: Some(9000),
        ..with_tools()
    };
    let sent = client.write_request(&request, &target(client));
    let sent = sent_back(client, &shown, serde_json::from_slice(&sent.body).unwrap()).to_string();
    if client.name() == provider.name() {
        // It goes on as it is.
        return Cell::Yes;
    }
    let read = match arrived(client, sent.as_bytes(), false) {
        Ok(read) => read,
        Err(error) => return Cell::Defect(format!("not read: {} {:?} in {sent}", error.message, error.param)),
    };
    let written = provider.write_request(&read, &target(provider));
    let back = match arrived(provider, &written.body, false) {
        Ok(back) => thoughts(&back.turns.iter().flat_map(|turn| turn.parts.clone()).collect::<Vec<_>>()),
        Err(error) => return Cell::Defect(format!("not read by the provider: {}", error.message)),
    };
    // What is signed must come back with its signature; elsewhere the text is all there is.
    let same = if told.1.is_empty() { back.0 == told.0 } else { back.1 == told.1 };
    match (same, lost(&written.losses)) {
        (true, _) => Cell::Yes,
        (false, Cell::Defect(_)) => Cell::Defect(format!("of {told:?} came back {back:?}, of {sent}")),
        (false, Cell::Dropped(labels)) if labels.contains(&"thinking") => Cell::Dropped(vec!["thinking"]),
        (false, lost) => lost,
    }
}
