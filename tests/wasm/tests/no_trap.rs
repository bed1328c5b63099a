use std::collections::VecDeque;

use sluice_wasm::Vm;
use sluice_wasm::scenario::Module;
use sluice_wasm::scenario::envoy::{Call, Envoy, Script};
use sluice_wasm::scenario::headers::Headers;
use sluice_wasm::scenario::host::{Context, Way};
use sluice_wasm::scenario::model::{Fault, bytes};
use sluice_wasm::scenario::module::Action;
use sluice_wasm::scenario::wire::Message;

use super::{PROGRAM, scenarios};

const CONFIG: &str = r#"{"role":"gateway",
    "providers":{"openai":{"api":"openai","auth":{"value":"sk-o"}},"claude":{"api":"anthropic","auth":{"value":"sk-c"}}},
    "models":[
        {"name":"gpt-4o","targets":[{"provider":"openai","model":"gpt-4o-2024-11-20"},{"provider":"claude","model":"claude-sonnet-4-5"}]},
        {"name":"claude-*","targets":[{"provider":"claude","model":"claude-sonnet-4-5"},{"provider":"openai","model":"gpt-4o-2024-11-20"}]}]}"#;

/// What a VM may grow by after it has warmed up, over thousands of calls with bodies up to 1 MiB.
const MAX_GROWTH: usize = 24 << 20;

const PIECES: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "\\",
    "null",
    "true",
    "-0",
    "1e999",
    "18446744073709551616",
    "\\u0000",
    "\\ud800",
    "\u{feff}",
    "\r\n",
    "\n\n",
    "data:",
    "event: error\n",
    "[DONE]",
    "\"model\":\"gpt-4o\",",
    "\"stream\":true,",
    "\"n\":-1,",
];

const REQUESTS: [(&str, &str); 4] = [
    (
        "/v1/chat/completions",
        r#"{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]}"#,
    ),
    (
        "/v1/chat/completions",
        r#"{"model":"claude-x","messages":[{"role":"assistant","tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"t","content":"ok"}],"response_format":{"type":"json_object"}}"#,
    ),
    (
        "/v1/messages",
        r#"{"model":"claude-x","max_tokens":9,"stream":true,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"hi"}]}"#,
    ),
    (
        "/v1/messages",
        r#"{"model":"gpt-4o","max_tokens":9,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"ok"}]}],"thinking":{"type":"enabled","budget_tokens":1024}}"#,
    ),
];

const ANSWERS: [(&str, &str); 5] = [
    (
        "application/json",
        r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#,
    ),
    (
        "application/json",
        r#"{"id":"m","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}"#,
    ),
    (
        "text/event-stream",
        "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"h\"},\"finish_reason\":null}]}\n\ndata: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}\n\ndata: [DONE]\n\n",
    ),
    (
        "text/event-stream",
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"h\"}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    ),
    ("application/json", r#"{"error":{"message":"no","type":"server_error","param":null,"code":null}}"#),
];

/// xorshift64: the same numbers on every run; `SEED` chooses others.
struct Random(u64);

impl Random {
    fn new() -> Random {
        Random(std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(0x5eed_5eed_5eed_5eed))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.next() as u8).collect()
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..self.below(4) {
            let at = self.below(bytes.len() + 1);
            let end = (at + self.below(40)).min(bytes.len());
            match self.below(7) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 => drop(bytes.drain(at..end)),
                2 => bytes.truncate(at),
                3 => {
                    let copy = bytes[at..end].to_vec();
                    bytes.splice(at..at, copy);
                }
                4 => drop(bytes.splice(at..at, b"[".repeat(self.below(3000)))),
                5 => drop(bytes.splice(at..at, self.bytes(9))),
                _ => drop(bytes.splice(at..end, self.of(&PIECES).bytes())),
            }
        }
    }

    fn headers(&mut self, from: &Headers) -> Headers {
        const NAMES: [&str; 14] = [
            ":path",
            ":method",
            ":authority",
            ":status",
            "content-type",
            "content-encoding",
            "content-length",
            "transfer-encoding",
            "authorization",
            "x-sluice-cluster",
            "x-sluice-retry",
            "retry-after",
            "x-request-id",
            "anthropic-version",
        ];
        let mut headers = from.clone();
        for _ in 0..self.below(4) {
            let name = *self.of(&NAMES);
            match self.below(4) {
                0 => drop(headers.remove(name)),
                1 => headers.set(name, &self.bytes(60)),
                2 => headers.add(
                    name,
                    self.of(&["gzip", "-1", "999", "0", "text/event-stream; charset=\"", "/v1/messages/../x?%00"])
                        .as_bytes(),
                ),
                _ => (0..self.below(300)).for_each(|n| headers.add(&format!("x-{n}"), &self.bytes(20))),
            }
        }
        headers
    }
}

fn rounds(usual: usize) -> usize {
    std::env::var("ROUNDS").ok().and_then(|s| s.parse().ok()).unwrap_or(usual)
}

fn envoy() -> Envoy<Vm> {
    Envoy::start(PROGRAM.vm().unwrap(), CONFIG, vec!["openai".into(), "claude".into()]).unwrap()
}

fn request(path: &str, body: &[u8]) -> Message {
    Message {
        headers: Headers::of(&[
            (":authority", "gateway.test"),
            (":path", path),
            (":method", "POST"),
            (":scheme", "http"),
            ("content-type", "application/json"),
        ]),
        body: Some(body.to_vec()),
        ..Message::default()
    }
}

fn answer(status: &str, kind: &str, body: &[u8]) -> Script {
    let headers = Headers::of(&[(":status", status), ("content-type", kind), ("transfer-encoding", "chunked")]);
    Script { answer: Message { headers, body: Some(body.to_vec()), ..Message::default() }, fault: None }
}

/// The proof that the VM is whole.
fn a_normal_call_works(envoy: &mut Envoy<Vm>) {
    let mut call =
        Call { request: request("/v1/chat/completions", br#"{"model":"gpt-4o","messages":[]}"#), ..Call::default() };
    call.scripts.insert("openai".into(), VecDeque::from([answer("200", ANSWERS[0].0, ANSWERS[0].1.as_bytes())]));
    call.scripts.insert("claude".into(), VecDeque::from([answer("200", ANSWERS[1].0, ANSWERS[1].1.as_bytes())]));
    let outcome = envoy.call(&call).unwrap();
    assert_eq!(outcome.headers.text(":status").as_deref(), Some("200"));
    assert!(String::from_utf8_lossy(&outcome.body).contains("\"hi\""));
}

/// Bodies of the scenario files, and a few of each API that are always there.
fn seeds() -> (Vec<Seed>, Vec<Seed>) {
    let own =
        |all: &[(&str, &str)]| all.iter().map(|(a, b)| (a.to_string(), b.as_bytes().to_vec())).collect::<Vec<_>>();
    let (mut requests, mut answers) = (own(&REQUESTS), own(&ANSWERS));
    for call in scenarios::files().iter().flat_map(|(_, calls)| calls) {
        let body = bytes(call.request.body.as_ref(), call.request.body_base64.as_deref()).unwrap().unwrap_or_default();
        requests.push((call.request.path.clone(), body));
        for answer in call.providers.values().flatten() {
            let body = bytes(answer.body.as_ref(), answer.body_base64.as_deref()).unwrap().unwrap_or_default();
            let kind =
                answer.headers.0.iter().find(|(name, _)| name == "content-type").and_then(|(_, kind)| kind.clone());
            answers.push((kind.unwrap_or_else(|| "application/json".into()), body));
        }
    }
    requests.retain(|(_, body)| body.len() <= 1 << 20);
    answers.retain(|(_, body)| body.len() <= 1 << 20);
    (requests, answers)
}

/// Whole calls, their bodies spoilt: each ends with an answer or a cut stream, never with a trap, a hang or a broken message.
#[test]
fn spoilt_bodies_do_not_trap() {
    let (requests, answers) = seeds();
    let (mut random, mut envoy) = (Random::new(), envoy());
    let (mut warm, mut wrong) = (0, Vec::new());
    let rounds = rounds(4000);
    for round in 0..rounds {
        let (path, body) = random.of(&requests).clone();
        let mut request = request(&path, &body);
        random.mutate(request.body.as_mut().unwrap());
        request.chunk = random.one_in(2).then(|| 1 + random.below(200));
        request.joined = random.one_in(2);
        request.trailers = random.one_in(8).then(|| Headers::of(&[("x-t", "1")]));
        let mut call = Call { request, hang_up_after: random.one_in(10).then(|| random.below(300)), ..Call::default() };
        for cluster in ["openai", "claude"] {
            let scripts = call.scripts.entry(cluster.into()).or_default();
            for _ in 0..random.below(3) {
                let (kind, mut body) = random.of(&answers).clone();
                random.mutate(&mut body);
                let status = *random
                    .of(&["200", "200", "200", "200", "201", "204", "400", "401", "404", "429", "500", "529", "599"]);
                let mut script = answer(status, &kind, if status == "204" { b"" } else { &body });
                script.answer.chunk = random.one_in(2).then(|| 1 + random.below(100));
                script.answer.joined = random.one_in(2);
                script.answer.trailers = random.one_in(8).then(|| Headers::of(&[("x-t", "1")]));
                script.fault = random.one_in(8).then(|| *random.of(&[Fault::Refuse, Fault::Reset, Fault::Cut]));
                scripts.push_back(script);
            }
        }
        if let Err(why) = envoy.call(&call) {
            wrong.push(format!("round {round}: {why}\n{}", told(&call)));
            // After a trap nothing more can be learnt from this VM.
            if why.contains("wasm") || wrong.len() == 3 {
                break;
            }
        }
        envoy.host.logs.clear();
        if round == rounds / 4 {
            warm = envoy.module.memory_bytes();
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    a_normal_call_works(&mut envoy);
    let grown = envoy.module.memory_bytes() - warm;
    assert!(grown <= MAX_GROWTH, "the VM has grown by {grown} bytes, from {warm}");
}

fn told(call: &Call) -> String {
    let one = |message: &Message| {
        let body = String::from_utf8_lossy(message.body.as_deref().unwrap_or_default()).into_owned();
        format!(
            "{:?} in {:?}, joined {}: {body:?} {:?}",
            message.headers, message.chunk, message.joined, message.trailers
        )
    };
    let mut text = format!("{}\nhang up {:?}", one(&call.request), call.hang_up_after);
    for (cluster, script) in
        call.scripts.iter().flat_map(|(cluster, scripts)| scripts.iter().map(move |s| (cluster, s)))
    {
        text.push_str(&format!("\n{cluster}: {:?} {}", script.fault, one(&script.answer)));
    }
    text
}

/// Callbacks in any order, with headers that are not text, pseudo headers missing, statuses that are none.
#[test]
fn odd_orders_of_callbacks_do_not_trap() {
    let (mut random, mut envoy) = (Random::new(), envoy());
    let (requests, answers) = seeds();
    let mut warm = 0;
    let rounds = rounds(4000);
    for round in 0..rounds {
        let root = if random.one_in(2) { 1 } else { 2 };
        let id = 1_000_000 + round as u32;
        let mut seen = Vec::new();
        let ended = odd(&mut envoy, &mut random, (id, root), (&requests, &answers), &mut seen);
        if let Err(why) = ended {
            panic!("round {round}: {why}\nafter {seen:?}");
        }
        envoy.host.contexts.remove(&id);
        envoy.host.logs.clear();
        if round == rounds / 4 {
            warm = envoy.module.memory_bytes();
        }
    }
    a_normal_call_works(&mut envoy);
    let grown = envoy.module.memory_bytes() - warm;
    assert!(grown <= MAX_GROWTH, "the VM has grown by {grown} bytes, from {warm}");
}

/// A request's path or an answer's content type, and a body.
type Seed = (String, Vec<u8>);

fn odd(
    envoy: &mut Envoy<Vm>,
    random: &mut Random,
    (id, root): (u32, u32),
    (requests, answers): (&[Seed], &[Seed]),
    seen: &mut Vec<&'static str>,
) -> Result<(), String> {
    let Envoy { module, host, .. } = envoy;
    let mut context = Context { root, ..Context::default() };
    if random.one_in(3) {
        context.properties.insert("sluice.call".into(), random.bytes(12));
    }
    host.contexts.insert(id, context);
    host.enter(id);
    module.create(host, id, root)?;
    for _ in 0..random.below(8) {
        let (path, body) = random.of(requests);
        let way = if random.one_in(2) { Way::Request } else { Way::Response };
        let (whole, end) = (request(path, body), random.one_in(3));
        let step = random.below(if way == Way::Request { 3 } else { 6 });
        let side = host.enter(id).side(way);
        let action = match (way, step % 3) {
            (Way::Request, 0) => {
                let headers = random.headers(&whole.headers);
                let count = headers.len();
                side.headers = Some(headers);
                seen.push("request headers");
                module.request_headers(host, id, count, end)?
            }
            (Way::Response, 0) => {
                let (kind, _) = random.of(answers);
                let headers = random.headers(&Headers::of(&[(":status", "200"), ("content-type", kind)]));
                let count = headers.len();
                side.headers = Some(headers);
                seen.push("response headers");
                module.response_headers(host, id, count, end)?
            }
            (Way::Request, 1) => {
                let mut body = body.clone();
                random.mutate(&mut body);
                let size = body.len();
                side.body = Some(body);
                seen.push("request body");
                module.request_body(host, id, size, end)?
            }
            (Way::Response, 1) => {
                let (_, mut body) = random.of(answers).clone();
                random.mutate(&mut body);
                // A size that is not the buffer's: the buffer may also be gone.
                let size = body.len() + random.below(2);
                side.body = random.one_in(2).then_some(body);
                seen.push("response body");
                module.response_body(host, id, size, end)?
            }
            (Way::Request, _) => {
                side.trailers = random.one_in(2).then(|| random.headers(&Headers::default()));
                seen.push("request trailers");
                module.request_trailers(host, id, 1)?
            }
            (Way::Response, _) => {
                side.trailers = random.one_in(2).then(|| random.headers(&Headers::default()));
                seen.push("response trailers");
                module.response_trailers(host, id, 1)?
            }
        };
        // What went on is out of reach, and a local reply ends the stream.
        let context = host.enter(id);
        if action == Action::Continue {
            *context.side(way) = Default::default();
        }
        if context.reply.is_some() {
            break;
        }
    }
    host.enter(id).over = true;
    seen.push("the end");
    for _ in 0..=random.below(2) {
        if random.one_in(2) {
            module.log(host, id)?;
        }
        host.enter(id);
        module.done(host, id)?;
    }
    host.enter(id);
    module.delete(host, id)?;
    if random.one_in(20) {
        host.enter(root);
        module.tick(host, root)?;
    }
    host.fatal.take().map_or(Ok(()), Err)
}

/// A root context besides those that [`Envoy::start`] makes.
const ANOTHER: u32 = 9;

/// A configuration is taken or refused.
#[test]
fn spoilt_configurations_do_not_trap() {
    let mut random = Random::new();
    for round in 0..rounds(300) {
        let mut config = CONFIG.as_bytes().to_vec();
        random.mutate(&mut config);
        if random.one_in(10) {
            config = random.bytes(200);
        }
        let mut envoy = envoy();
        envoy.host.configurations.insert(ANOTHER, config.clone());
        envoy.host.enter(ANOTHER);
        if let Err(why) = envoy.module.start(&mut envoy.host, ANOTHER) {
            panic!("round {round}: {why}\n{}", String::from_utf8_lossy(&config));
        }
    }
}
