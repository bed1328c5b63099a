//! The flow by itself: what the roles tell Envoy, and what is reported.

use super::attempt::{Attempt, Place};
use super::gateway::Gateway;
use super::{Next, Shared as Calling, Step, settle};
use crate::config::{self, Role};
use crate::host::{Host, Millis, Shared, Verified};
use crate::http::{Change, Headers};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

mod fields;
mod fleet;

#[derive(Default)]
struct Process {
    now: Cell<Millis>,
    left: Cell<bool>,
    data: RefCell<BTreeMap<String, Vec<u8>>>,
}

impl Shared for Process {
    fn load(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.data.borrow().get(key).map(|value| (value.clone(), 1))
    }

    fn store(&self, key: &str, value: &[u8], _: Option<u32>) -> bool {
        self.data.borrow_mut().insert(key.to_owned(), value.to_vec());
        true
    }
}

impl Verified for Process {
    fn claim(&self, _: &[String]) -> Option<String> {
        None
    }

    fn peer(&self) -> Option<String> {
        None
    }
}

impl Host for Process {
    fn now(&self) -> Millis {
        self.now.get()
    }

    fn client_left(&self) -> bool {
        self.left.get()
    }
}

impl Process {
    fn wait(&self, time: Millis) {
        self.now.set(self.now.get().saturating_add(time));
    }
}

/// Two providers of each API; `more` is added to the configuration.
fn gateway(more: Value) -> Gateway {
    let mut document = json!({
        "role": "gateway",
        "providers": {"a": {"api": "openai", "auth": {"value": "sk-a"}}, "b": {"api": "anthropic", "auth": {"value": "sk-b"}}},
        "models": [{"name": "m", "targets": [{"provider": "a"}, {"provider": "b"}]}],
    });
    for (key, value) in more.as_object().unwrap() {
        document[key] = value.clone();
    }
    match config::load(document.to_string().as_bytes(), &|_| None) {
        Ok(Role::Gateway(policy)) => Gateway::new(Rc::from(policy), 7),
        other => panic!("{other:?}"),
    }
}

fn headers(pairs: &[(&str, &str)]) -> Headers {
    Headers::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect())
}

/// What edits leave of no headers at all.
fn made(change: Change) -> Headers {
    let Change::Some(edits) = change else { panic!("{change:?}") };
    Headers::default().with(&edits)
}

/// What the gateway tells Envoy for that body.
fn ask(gateway: &mut Gateway, body: &str, host: &Process) -> (Headers, Calling) {
    let request = headers(&[
        (":method", "POST"),
        (":path", "/v1/chat/completions"),
        (":authority", "gateway.test"),
        ("x-envoy-upstream-rq-per-try-timeout-ms", "1"),
    ]);
    assert!(matches!(gateway.request_headers(request, false, host).next, Next::Wait));
    let step = gateway.request_body(body.as_bytes().to_vec(), host);
    assert!(matches!(step.next, Next::Continue), "{:?}", step.next);
    (made(step.headers), Rc::clone(gateway.call().unwrap()))
}

fn at(cluster: &str) -> Place {
    Place { provider: None, cluster: cluster.to_owned() }
}

fn attempt(call: &Calling, cluster: &str, host: &Process) -> (Attempt, Step) {
    let (attempt, step) = Attempt::start(call, &at(cluster), host);
    (attempt.unwrap(), step)
}

fn log(gateway: &Gateway, host: &Process) -> (Value, Vec<(String, u64)>) {
    let report = settle::report(&gateway.over(), host).unwrap();
    let samples = report.samples.into_iter().map(|sample| (sample.name.to_string(), sample.value)).collect();
    (serde_json::from_slice(&report.log).unwrap(), samples)
}

const ASK: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
const STREAM: &str = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;

#[test]
fn envoy_is_told_how_long_to_wait_and_how_often_to_try() {
    for (more, body, limit, tries, on) in [
        (json!({}), ASK, Some("600000"), "1", Some("connect-failure,refused-stream,reset,retriable-headers")),
        (json!({}), STREAM, Some("60000"), "1", Some("connect-failure,refused-stream,reset,retriable-headers")),
        (
            json!({"first_byte_timeout": "2s"}),
            STREAM,
            Some("2000"),
            "1",
            Some("connect-failure,refused-stream,reset,retriable-headers"),
        ),
        (
            json!({"answer_timeout": "3s"}),
            ASK,
            Some("3000"),
            "1",
            Some("connect-failure,refused-stream,reset,retriable-headers"),
        ),
        (
            json!({"first_byte_timeout": "0s"}),
            STREAM,
            None,
            "1",
            Some("connect-failure,refused-stream,reset,retriable-headers"),
        ),
        (json!({"retry_on": ["rate_limit"]}), ASK, Some("600000"), "1", Some("retriable-headers")),
        (json!({"retry_on": ["timeout"]}), ASK, Some("600000"), "1", Some("reset,retriable-headers")),
        (json!({"models": [{"name": "m", "targets": [{"provider": "a"}]}]}), ASK, Some("600000"), "0", None),
    ] {
        let mut gateway = gateway(more.clone());
        let (told, _) = ask(&mut gateway, body, &Process::default());
        assert_eq!(told.text("x-sluice-cluster"), Some("a"), "{more}");
        let limits: Vec<_> = told.iter().filter(|(name, _)| name.ends_with("per-try-timeout-ms")).collect();
        assert!(limits.len() <= 1, "the client's own is gone");
        assert_eq!(told.text("x-envoy-upstream-rq-per-try-timeout-ms"), limit, "{more}");
        assert_eq!(told.text("x-envoy-max-retries"), Some(tries), "{more}");
        assert_eq!(told.text("x-envoy-retry-on"), on, "{more}");
    }
}

#[test]
fn each_attempt_names_the_next_cluster_and_brings_its_own_headers_alone() {
    let host = Process::default();
    let mut gateway = gateway(json!({}));
    let (_, call) = ask(&mut gateway, ASK, &host);
    let (_, first) = attempt(&call, "a", &host);
    assert_eq!(first.after.as_deref(), Some("b"));
    let first = first.headers.all().unwrap();
    assert_eq!((first.text("authorization"), first.text("x-sluice-cluster")), (Some("Bearer sk-a"), None));
    let (_, second) = attempt(&call, "b", &host);
    assert_eq!(second.after, None);
    let (headers, body) = (second.headers.all().unwrap(), second.body.unwrap());
    assert_eq!((headers.text("x-api-key"), headers.text("authorization")), (Some("sk-b"), None));
    assert_eq!((headers.text("x-sluice-cluster"), headers.text(":path")), (None, Some("/v1/messages")));
    assert_eq!(headers.text("content-length"), Some(body.len().to_string().as_str()));
}

#[test]
fn a_message_of_2_mb_is_written_again_for_the_next_target() {
    let host = Process::default();
    let mut gateway = gateway(json!({}));
    let text = "longer".repeat(400_000);
    let (_, call) = ask(&mut gateway, &ASK.replace("hi", &text), &host);
    let (mut a, _) = attempt(&call, "a", &host);
    let step = a.response_headers(headers(&[(":status", "503"), ("content-length", "0")]), true, &host);
    assert_eq!(made(step.headers).text("x-sluice-retry"), Some("1"));
    let (_, step) = attempt(&call, "b", &host);
    let body: Value = serde_json::from_slice(&step.body.unwrap()).unwrap();
    assert_eq!(body["messages"][0]["content"].as_str().map(str::len), Some(text.len()));
}

#[test]
fn an_attempt_in_a_cluster_that_no_target_has_is_answered_here() {
    let host = Process::default();
    let mut gateway = gateway(json!({}));
    let (_, call) = ask(&mut gateway, ASK, &host);
    let (attempt, step) = Attempt::start(&call, &at("elsewhere"), &host);
    assert!(attempt.is_none());
    let Next::Reply(reply) = step.next else { panic!("{:?}", step.next) };
    assert_eq!(reply.status, 500);
    assert!(String::from_utf8(reply.body).unwrap().starts_with("{\"error\":{"));
    assert_eq!(log(&gateway, &host).0["error"], "internal");
}

#[test]
fn the_metadata_of_a_host_goes_before_its_cluster() {
    let host = Process::default();
    let mut gateway = gateway(json!({}));
    let (_, call) = ask(&mut gateway, ASK, &host);
    let place = Place { provider: Some("b".to_owned()), cluster: "a".to_owned() };
    let (_, step) = Attempt::start(&call, &place, &host);
    assert_eq!(step.headers.all().unwrap().text(":path"), Some("/v1/messages"));
}

#[test]
fn a_path_passed_on_brings_its_providers_key_to_no_other_host() {
    let host = Process::default();
    let place = |provider: Option<&str>, cluster: &str| Place {
        provider: provider.map(str::to_owned),
        cluster: cluster.to_owned(),
    };
    let cases = [
        (place(None, "a"), true),
        (place(Some("a"), "elsewhere"), true),
        (place(Some("b"), "a"), false),
        (place(None, "elsewhere"), false),
    ];
    for (place, reached) in cases {
        let mut gateway = gateway(json!({"other_paths": {"provider": "a"}}));
        gateway.request_headers(headers(&[(":method", "GET"), (":path", "/v1/files")]), true, &host);
        let call = Rc::clone(gateway.call().unwrap());
        let (attempt, step) = Attempt::start(&call, &place, &host);
        assert_eq!((attempt.is_some(), step.headers != Change::None), (reached, reached), "{place:?}");
    }
}

#[test]
fn a_report_has_every_attempt_its_times_and_what_was_used() {
    let host = Process::default();
    host.wait(1_000_000);
    let mut gateway = gateway(json!({}));
    let (_, call) = ask(&mut gateway, STREAM, &host);
    let (mut a, _) = attempt(&call, "a", &host);
    host.wait(100);
    a.response_headers(headers(&[(":status", "529"), ("content-length", "0")]), true, &host);
    drop(a);
    let (mut b, _) = attempt(&call, "b", &host);
    host.wait(30);
    b.response_headers(headers(&[(":status", "200"), ("content-type", "text/event-stream")]), false, &host);
    host.wait(20);
    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"x\",\"content\":[],\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n";
    assert!(matches!(b.response_body(start.as_bytes(), false, &host).next, Next::Continue));
    host.wait(40);
    let end = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":4}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    b.response_body(end.as_bytes(), true, &host);
    let (log, samples) = log(&gateway, &host);
    assert_eq!(
        log,
        json!({
            "dialect": "openai", "path": "/v1/chat/completions", "operation": "chat", "model": "m", "target_model": "m", "provider": "b",
            "stream": true, "status": 200, "ended": "complete",
            "attempts": [
                {"provider": "a", "cluster": "a", "model": "m", "status": 529, "outcome": "overloaded", "duration_ms": 100},
                {"provider": "b", "cluster": "b", "model": "m", "status": 200, "outcome": "ok", "duration_ms": 50},
            ],
            "usage": {"input": 3, "cached_input": 0, "cache_write": 0, "output": 4, "reasoning": 0},
            "time_to_first_byte_ms": 150, "duration_ms": 190,
        })
    );
    for (name, value) in [
        ("sluice_requests_total;dialect=openai;model=m;provider=b;status=200;error=none", 1),
        ("sluice_attempts_total;provider=a;outcome=overloaded", 1),
        ("sluice_attempts_total;provider=b;outcome=ok", 1),
        ("sluice_cooldowns_total;provider=a", 1),
        ("gen_ai_client_token_usage;model=m;provider=b;type=input", 3),
        ("gen_ai_client_token_usage;model=m;provider=b;type=output", 4),
        ("gen_ai_server_request_duration;model=m;provider=b", 190),
        ("gen_ai_server_time_to_first_token;model=m;provider=b", 150),
        ("gen_ai_server_time_per_output_token;model=m;provider=b", 10),
    ] {
        assert!(samples.contains(&(name.to_owned(), value)), "{name} {value}: {samples:?}");
    }
}

#[test]
fn a_call_that_ends_without_its_answers_end_says_whose_doing_it_was() {
    for (left, ended, error) in
        [(true, json!("client_left"), Value::Null), (false, json!("provider_cut"), json!("bad_answer"))]
    {
        let host = Process::default();
        host.left.set(left);
        let mut gateway = gateway(json!({}));
        let (_, call) = ask(&mut gateway, STREAM, &host);
        let (mut a, _) = attempt(&call, "a", &host);
        a.response_headers(headers(&[(":status", "200"), ("content-type", "text/event-stream")]), false, &host);
        let chunk = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\n";
        a.response_body(chunk.as_bytes(), false, &host);
        let (log, _) = log(&gateway, &host);
        assert_eq!((&log["ended"], &log["error"], &log["usage"]["input"]), (&ended, &error, &json!(3)));
    }
}

#[test]
fn a_client_that_leaves_a_second_attempt_is_not_taken_for_the_failure_of_the_first() {
    let host = Process::default();
    let mut gateway = gateway(json!({}));
    let (_, call) = ask(&mut gateway, STREAM, &host);
    let (mut a, _) = attempt(&call, "a", &host);
    a.response_headers(headers(&[(":status", "529"), ("content-length", "0")]), true, &host);
    drop(a);
    let (_b, _) = attempt(&call, "b", &host);
    host.left.set(true);
    let (log, _) = log(&gateway, &host);
    assert_eq!((&log["ended"], &log["error"], &log["status"]), (&json!("client_left"), &Value::Null, &json!(0)));
}

#[test]
fn a_cool_down_ends_by_itself() {
    let host = Process::default();
    host.wait(1_000_000);
    let first = |host: &Process| {
        let mut gateway = gateway(json!({"cooldown": "5s"}));
        ask(&mut gateway, ASK, host).0.text("x-sluice-cluster").map(str::to_owned).unwrap()
    };
    let mut failing = gateway(json!({"cooldown": "5s"}));
    let (_, call) = ask(&mut failing, ASK, &host);
    let (mut a, _) = attempt(&call, "a", &host);
    a.response_headers(headers(&[(":status", "503"), ("content-length", "0")]), true, &host);
    assert_eq!(first(&host), "b");
    host.wait(4_999);
    assert_eq!(first(&host), "b");
    host.wait(1);
    assert_eq!(first(&host), "a");
}

#[test]
fn a_pause_that_a_provider_asks_for_has_a_bound() {
    let host = Process::default();
    host.wait(1_000_000);
    let mut failing = gateway(json!({}));
    let (_, call) = ask(&mut failing, ASK, &host);
    let (mut a, _) = attempt(&call, "a", &host);
    let answer = [(":status", "429"), ("content-length", "0"), ("retry-after", "18446744073709551615")];
    a.response_headers(headers(&answer), true, &host);
    host.wait(crate::route::MAX_COOLDOWN);
    let mut gateway = gateway(json!({}));
    assert_eq!(ask(&mut gateway, ASK, &host).0.text("x-sluice-cluster"), Some("a"));
}

#[test]
fn a_key_in_the_query_becomes_a_header() {
    let made = |path: &str, more: &[(&str, &str)]| {
        let mut given = headers(&[(":path", path)]);
        more.iter().for_each(|(name, value)| given.push((*name).to_owned(), *value));
        super::envoy::take_key(&mut given);
        let text = |name| given.text(name).unwrap_or_default().to_owned();
        (text(":path"), text("x-goog-api-key"))
    };
    let pair = |path: &str, key: &str| (path.to_owned(), key.to_owned());
    let stream = "/v1beta/models/m:streamGenerateContent";
    assert_eq!(made(&format!("{stream}?key=k&alt=sse"), &[]), pair(&format!("{stream}?alt=sse"), "k"));
    assert_eq!(made(&format!("{stream}?alt=sse&key=k&x=1"), &[]), pair(&format!("{stream}?alt=sse&x=1"), "k"));
    assert_eq!(made(&format!("{stream}?k%65y=a%2Bb&alt=sse&KEY=c&%6Bey"), &[]), pair(&format!("{stream}?alt=sse"), ""));
    assert_eq!(made(&format!("{stream}?k%65y=a%2Bb&alt=sse"), &[]), pair(&format!("{stream}?alt=sse"), "a+b"));
    assert_eq!(made(&format!("{stream}?monkey=c&keys=d"), &[]), pair(&format!("{stream}?monkey=c&keys=d"), ""));
    assert_eq!(made("/v1/models/m:generateContent?key=k", &[]), pair("/v1/models/m:generateContent", "k"));
    assert_eq!(made("/upload/v1beta/files?key=k", &[]), pair("/upload/v1beta/files", "k"));
    let both = made("/v1beta/models?key=k", &[("x-goog-api-key", "own")]);
    assert_eq!(both, pair("/v1beta/models", "own"));
    assert_eq!(made("/v1/files?key=k", &[]), pair("/v1/files?key=k", ""));
}
