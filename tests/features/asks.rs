//! What a client asks for.

use crate::{Cell, Row, arrived, lost, row, spliced, target};
use serde_json::Value;
use sluice::api::Api;
use sluice::chat::{Effort, Format, Part, Reasoning, Request, Role, Source, Tool, ToolChoice, Turn};
use sluice::json::{self, Body};
use std::fmt::Write as _;

pub fn turn(role: Role, parts: Vec<Part>) -> Turn {
    Turn { role, name: None, parts }
}

pub fn user(parts: Vec<Part>) -> Turn {
    turn(Role::User, parts)
}

pub fn call(id: &str, arguments: &str) -> Part {
    let (id, arguments) = (id.to_owned(), arguments.to_owned());
    Part::ToolCall { id, name: "f".to_owned(), arguments, signature: None, cache: None }
}

pub fn result(id: &str, parts: Vec<Part>) -> Part {
    Part::ToolResult { id: id.to_owned(), parts, is_error: false, cache: None }
}

fn tool(name: &str) -> Tool {
    let schema = json::raw(r#"{"type":"object","properties":{"x":{"type":"integer"}}}"#);
    let description = Some("It does".to_owned());
    Tool { name: name.to_owned(), description, schema: Some(schema), strict: None, cache: None, vendor: None }
}

pub fn plain() -> Request {
    let turns = vec![user(vec![Part::text("Hi \"é🙂\"")])];
    Request { model: "model".to_owned(), turns, max_tokens: Some(50), ..Request::default() }
}

pub fn with_tools() -> Request {
    Request { tools: vec![tool("f"), tool("g")], ..plain() }
}

/// The conversation; turns of one role that follow each other are one.
pub fn conversation(request: &Request) -> String {
    let (mut told, mut last) = (String::new(), None);
    for turn in &request.turns {
        for part in &turn.parts {
            let role = match (turn.role, part) {
                (Role::Developer, _) => Role::System,
                (_, Part::ToolResult { .. }) => Role::Tool,
                (role, _) => role,
            };
            if last != Some(role) {
                let _ = write!(told, "\n{role:?}:");
                last = Some(role);
            }
            tell(&mut told, part);
        }
    }
    told
}

pub fn tell(told: &mut String, part: &Part) {
    let _ = match part {
        Part::Text { text, .. } => write!(told, " {text:?}"),
        Part::Image { source, .. } => write!(told, " {source:?}"),
        Part::Document { source, .. } => write!(told, " {source:?}"),
        Part::Audio { data, format } => write!(told, " {format} {data}"),
        Part::ToolCall { name, arguments, .. } => {
            write!(told, " {name}({})", serde_json::from_str::<Value>(arguments).unwrap_or_default())
        }
        Part::ToolResult { parts, .. } => {
            let _ = write!(told, " result:");
            parts.iter().for_each(|part| tell(told, part));
            Ok(())
        }
        other => write!(told, " {other:?}"),
    };
}

/// Which result belongs to which call, whatever the ids became.
fn results(request: &Request) -> String {
    let mut told = conversation(request);
    let parts = || request.turns.iter().flat_map(|turn| &turn.parts);
    for part in parts() {
        if let Part::ToolResult { id, .. } = part {
            let at = parts().position(|part| matches!(part, Part::ToolCall { id: call, .. } if call == id));
            let _ = write!(told, " {at:?}");
        }
    }
    told
}

fn tools(request: &Request) -> String {
    let one = |tool: &Tool| {
        let schema = tool.schema.as_ref().map(|schema| serde_json::from_str::<Value>(schema.get()).unwrap());
        format!("{} {:?} {schema:?}", tool.name, tool.description)
    };
    request.tools.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// How many times the picture's bytes stand in it, wherever.
fn pictures(request: &Request) -> String {
    format!("{}", conversation(request).matches("iVBORw0KGgo=").count())
}

fn schema(request: &Request) -> String {
    match &request.format {
        Some(Format::JsonSchema { schema, .. }) => {
            let schema: Value = serde_json::from_str(schema.get()).unwrap();
            format!("{:?}", schema["properties"].as_object().map(|all| all.keys().cloned().collect::<Vec<_>>()))
        }
        other => format!("{}", matches!(other, Some(Format::JsonObject))),
    }
}

fn effort(request: &Request) -> String {
    let asked = |reasoning: &Reasoning| reasoning.effort.or(reasoning.budget.map(Effort::of_budget));
    format!("{:?}", request.reasoning.as_ref().and_then(asked))
}

struct Ask {
    name: &'static str,
    request: Request,
    /// What of the request it is about.
    of: fn(&Request) -> String,
}

fn asks() -> Vec<Ask> {
    let ask = |name, request, of: fn(&Request) -> String| Ask { name, request, of };
    let talk = |turns| Request { turns, ..plain() };
    let base64 = |kind: &str, data: &str| Source::Base64 { media_type: kind.to_owned(), data: data.to_owned() };
    let image = |source| Part::Image { source, detail: None, cache: None };
    let png = || image(base64("image/png", "iVBORw0KGgo="));
    let document =
        |source| Part::Document { source, name: Some("a.pdf".to_owned()), context: None, citations: None, cache: None };
    let choice = |choice| Request { tool_choice: Some(choice), ..with_tools() };
    let said = |parts| turn(Role::Assistant, parts);
    let shape = json::raw(
        r#"{"type":"object","properties":{"x":{"type":"string"}},"required":["x"],"additionalProperties":false}"#,
    );
    let held = Format::JsonSchema { name: Some("n".to_owned()), description: None, schema: shape, strict: Some(true) };
    let number = |text: &str| {
        let body = format!("{{\"is\":{text}}}");
        Body::parse(body.as_bytes()).unwrap().value().number("is").unwrap()
    };
    vec![
        ask(
            "text, several turns",
            talk(vec![user(vec![Part::text("A\n\"é🙂")]), said(vec![Part::text("B")]), user(vec![Part::text("C")])]),
            conversation,
        ),
        ask(
            "system",
            talk(vec![turn(Role::System, vec![Part::text("Be brief")]), user(vec![Part::text("Hi")])]),
            conversation,
        ),
        ask("image", talk(vec![user(vec![Part::text("What?"), png()])]), pictures),
        ask(
            "image by URL",
            talk(vec![user(vec![Part::text("What?"), image(Source::Url("https://example.org/a.png".to_owned()))])]),
            conversation,
        ),
        ask(
            "document (PDF)",
            talk(vec![user(vec![document(base64("application/pdf", "JVBERi0=")), Part::text("What?")])]),
            conversation,
        ),
        ask(
            "audio",
            talk(vec![user(vec![
                Part::text("What?"),
                Part::Audio { data: "UklGRg==".to_owned(), format: "wav".to_owned() },
            ])]),
            conversation,
        ),
        ask("tools", with_tools(), tools),
        ask("tool choice: none", choice(ToolChoice::None), |r| format!("{:?}", r.tool_choice)),
        ask("tool choice: some tool", choice(ToolChoice::Required), |r| format!("{:?}", r.tool_choice)),
        ask("tool choice: this tool", choice(ToolChoice::Named("g".to_owned())), |r| format!("{:?}", r.tool_choice)),
        ask("one tool at a time", Request { parallel_tools: Some(false), ..choice(ToolChoice::Auto) }, |r| {
            format!("{:?}", r.parallel_tools)
        }),
        ask(
            "results of parallel tools",
            Request {
                turns: vec![
                    user(vec![Part::text("Do")]),
                    said(vec![Part::text("So"), call("call_a", r#"{"x":1}"#), call("call_b", r#"{"x":2}"#)]),
                    turn(
                        Role::Tool,
                        vec![result("call_a", vec![Part::text("1")]), result("call_b", vec![Part::text("2")])],
                    ),
                    user(vec![Part::text("And?")]),
                ],
                ..with_tools()
            },
            results,
        ),
        ask(
            "an image from a tool",
            Request {
                turns: vec![
                    user(vec![Part::text("Do")]),
                    said(vec![call("call_a", "{}")]),
                    turn(Role::Tool, vec![result("call_a", vec![png()])]),
                ],
                ..with_tools()
            },
            pictures,
        ),
        ask("JSON schema", Request { format: Some(held), ..plain() }, schema),
        ask("JSON object", Request { format: Some(Format::JsonObject), ..plain() }, schema),
        ask(
            "reasoning effort",
            Request {
                reasoning: Some(Reasoning { effort: Some(Effort::Low), ..Reasoning::default() }),
                max_tokens: Some(9000),
                ..plain()
            },
            effort,
        ),
        ask("token limit", plain(), |r| format!("{:?}", r.max_tokens)),
        ask("temperature", Request { temperature: number("0.5"), ..plain() }, |r| format!("{:?}", r.temperature)),
        ask("`top_p`", Request { top_p: number("0.5"), ..plain() }, |r| format!("{:?}", r.top_p)),
        ask("`top_k`", Request { top_k: number("5"), ..plain() }, |r| format!("{:?}", r.top_k)),
        ask("seed", Request { seed: number("5"), ..plain() }, |r| format!("{:?}", r.seed)),
        ask(
            "penalties",
            Request { frequency_penalty: number("0.5"), presence_penalty: number("0.5"), ..plain() },
            |r| format!("{:?} {:?}", r.frequency_penalty, r.presence_penalty),
        ),
        ask("stop sequences", Request { stop: vec!["x".to_owned(), "y".to_owned()], ..plain() }, |r| {
            format!("{:?}", r.stop)
        }),
        ask("several answers", Request { n: Some(2), ..plain() }, |r| format!("{:?}", r.n)),
        ask("log probabilities", Request { logprobs: Some(true), ..plain() }, |r| format!("{:?}", r.logprobs)),
        ask("end user's name", Request { user: Some("u1".to_owned()), ..plain() }, |r| format!("{:?}", r.user)),
    ]
}

pub fn rows() -> Vec<Row> {
    let rows = asks().into_iter().map(|ask| {
        row(ask.name, move |client, provider| {
            let one = |stream| cell(client, provider, &Request { stream, ..ask.request.clone() }, ask.of);
            one(false).and(one(true))
        })
    });
    rows.collect()
}

fn cell(client: &dyn Api, provider: &dyn Api, request: &Request, of: fn(&Request) -> String) -> Cell {
    let sent = client.write_request(request, &target(client));
    let read = match arrived(client, &sent.body, request.stream) {
        Ok(read) if of(&read) == of(request) && read.stream == request.stream => read,
        Ok(_) => return Cell::NoWord,
        Err(error) => return Cell::Defect(format!("not read: {}", error.message)),
    };
    if client.name() == provider.name() {
        return if spliced(client, &sent.body) {
            Cell::Yes
        } else {
            Cell::Defect("more is changed than the model".to_owned())
        };
    }
    let written = provider.write_request(&read, &target(provider));
    let got = match arrived(provider, &written.body, read.stream) {
        Ok(got) => got,
        Err(error) => return Cell::Defect(format!("not read by the provider: {}", error.message)),
    };
    if got.stream != request.stream {
        return Cell::Defect("streams otherwise".to_owned());
    }
    let mut losses = read.losses.clone();
    losses.extend(written.losses);
    let forced = request.format.is_some() && written.schema_tool;
    if losses.worst().is_none() && (of(&got) == of(&read) || forced) { Cell::Yes } else { lost(&losses) }
}
