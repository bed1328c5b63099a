use std::collections::{BTreeMap, VecDeque};

use super::envoy::{Call, Envoy, Script};
use super::gate::{Gate, Part};
use super::headers::Headers;
use super::host::{Context, Host, LocalReply, Map, Metric, Refusal, Way};
use super::model::{Fault, Runner, Scenario, json, parse};
use super::module::{Action, Crash, Module};
use super::run::{Cuts, file};
use super::wire::{Client, Message};

/// A gateway that waits for the whole body, then tries the clusters `a` and `b`; an attempt marks its headers and asks for
/// another one when the status is 500. What differs is said by the request's `x-do`.
#[derive(Default)]
struct Double {
    order: Vec<&'static str>,
    roots: BTreeMap<u32, u32>,
    stopped: bool,
}

impl Double {
    fn is_gateway(&self, id: u32) -> bool {
        self.roots.get(&id) == Some(&1)
    }

    fn plan(&mut self, host: &mut Host) -> Action {
        let order = host.header(Map::RequestHeaders, "x-do").unwrap_or_default();
        if order == b"reply" {
            host.send_local_reply(LocalReply { status: 401, body: b"no".to_vec(), ..LocalReply::default() });
            return Action::Continue;
        }
        let headers = host.map_mut(Map::RequestHeaders).unwrap();
        headers.set("x-sluice-cluster", b"a");
        headers.set("x-envoy-max-retries", b"1");
        host.set_property("sluice.call", b"7").unwrap();
        if order == b"hang" { Action::Pause } else { Action::Continue }
    }
}

impl Module for Double {
    fn start(&mut self, host: &mut Host, id: u32) -> Result<bool, Crash> {
        Ok(!host.configurations[&id].is_empty())
    }

    fn create(&mut self, _: &mut Host, id: u32, root: u32) -> Result<(), Crash> {
        self.roots.insert(id, root);
        Ok(())
    }

    fn request_headers(&mut self, host: &mut Host, id: u32, _: usize, end: bool) -> Result<Action, Crash> {
        if !self.is_gateway(id) {
            assert_eq!(host.property("sluice.call"), Some(b"7".to_vec()));
            let tries = host.property("upstream.request_attempt_count").unwrap();
            host.map_mut(Map::RequestHeaders)?.set("x-sluice-cluster", b"b");
            host.map_mut(Map::RequestHeaders)?.add("x-mark", tries.first_chunk::<1>().unwrap());
            return Ok(Action::Continue);
        }
        assert_eq!(host.body(Way::Request), None);
        Ok(if end { self.plan(host) } else { Action::Pause })
    }

    fn request_body(&mut self, host: &mut Host, id: u32, size: usize, end: bool) -> Result<Action, Crash> {
        assert_eq!(host.body(Way::Request).map(<[u8]>::len), Some(size));
        if !self.is_gateway(id) {
            assert_eq!(host.header(Map::RequestHeaders, "x-mark"), Err(Refusal::BadArgument));
            return Ok(Action::Continue);
        }
        Ok(if end { self.plan(host) } else { Action::Pause })
    }

    fn request_trailers(&mut self, host: &mut Host, id: u32, _: usize) -> Result<Action, Crash> {
        Ok(if self.is_gateway(id) { self.plan(host) } else { Action::Continue })
    }

    fn response_headers(&mut self, host: &mut Host, id: u32, _: usize, _: bool) -> Result<Action, Crash> {
        let headers = host.map_mut(Map::ResponseHeaders)?;
        if self.is_gateway(id) {
            headers.remove("x-sluice-retry");
            headers.set("x-seen", b"1");
        } else if headers.text(":status").as_deref() == Some("500") {
            headers.set("x-sluice-retry", b"1");
        }
        assert_eq!(host.header(Map::RequestHeaders, ":path"), Err(Refusal::BadArgument));
        Ok(Action::Continue)
    }

    fn response_body(&mut self, host: &mut Host, id: u32, _: usize, end: bool) -> Result<Action, Crash> {
        if end {
            self.order.push(if self.is_gateway(id) { "gateway's end" } else { "attempt's end" });
        }
        if self.is_gateway(id) && host.body(Way::Response) == Some(b"stop") {
            self.stopped = true;
            host.send_local_reply(LocalReply { status: 500, ..LocalReply::default() });
        }
        Ok(Action::Continue)
    }

    fn response_trailers(&mut self, _: &mut Host, _: u32, _: usize) -> Result<Action, Crash> {
        Ok(Action::Continue)
    }

    fn log(&mut self, host: &mut Host, id: u32) -> Result<(), Crash> {
        self.order.push("log");
        assert!(self.is_gateway(id));
        let mark = host.header(Map::RequestHeaders, "x-mark").unwrap_or_default();
        host.set_property("sluice.log", format!(r#"{{"marks":{},"b":[{{"c":1}}]}}"#, mark.len()).as_bytes())?;
        if host.header(Map::RequestHeaders, "x-do").as_deref() == Ok(b"reply in log") {
            host.send_local_reply(LocalReply::default());
        }
        Ok(())
    }

    fn done(&mut self, _: &mut Host, id: u32) -> Result<bool, Crash> {
        self.order.push(if self.is_gateway(id) { "gateway done" } else { "attempt done" });
        Ok(true)
    }

    fn delete(&mut self, _: &mut Host, id: u32) -> Result<(), Crash> {
        self.roots.remove(&id);
        Ok(())
    }

    fn tick(&mut self, _: &mut Host, _: u32) -> Result<(), Crash> {
        Ok(())
    }

    fn call_failed(&mut self, _: &mut Host, _: u32, _: u32) -> Result<(), Crash> {
        Ok(())
    }
}

impl From<Refusal> for Crash {
    fn from(refusal: Refusal) -> Crash {
        format!("{refusal:?}")
    }
}

fn envoy() -> Envoy<Double> {
    Envoy::start(Double::default(), "{}", vec!["a".into(), "b".into()]).unwrap()
}

fn message(order: &str, body: &str) -> Message {
    Message {
        headers: Headers::of(&[(":method", "POST"), (":path", "/"), (":authority", "x"), ("x-do", order)]),
        body: Some(body.into()),
        ..Message::default()
    }
}

fn answer(status: &str, body: &str) -> Script {
    let headers = Headers::of(&[(":status", status), ("content-length", &body.len().to_string())]);
    Script { answer: Message { headers, body: Some(body.into()), ..Message::default() }, fault: None }
}

fn fault(fault: Fault, body: &str) -> Script {
    let mut script = answer("200", body);
    script.answer.headers.remove("content-length");
    script.fault = Some(fault);
    script
}

fn call(order: &str, a: Vec<Script>, b: Vec<Script>) -> Call {
    let scripts = BTreeMap::from([("a".to_string(), VecDeque::from(a)), ("b".to_string(), VecDeque::from(b))]);
    Call { request: message(order, "hello"), scripts, ..Call::default() }
}

#[test]
fn the_next_attempt_goes_where_the_last_one_said_with_its_headers_and_the_whole_body() {
    for (first, why) in [
        (answer("500", "bad"), "an answer that asks for it"),
        (fault(Fault::Refuse, ""), "no connection"),
        (fault(Fault::Reset, ""), "a reset"),
    ] {
        let mut call = call("", vec![first], vec![answer("200", "good")]);
        call.request.chunk = Some(2);
        let mut envoy = envoy();
        let outcome = envoy.call(&call).unwrap();
        assert_eq!((outcome.headers.text(":status"), &outcome.body[..]), (Some("200".into()), &b"good"[..]), "{why}");
        assert_eq!(outcome.headers.text("x-seen").as_deref(), Some("1"));
        let came: Vec<_> = outcome.arrived.iter().map(|got| (got.cluster.as_str(), &got.body[..])).collect();
        assert_eq!(came, [("a", &b"hello"[..]), ("b", b"hello")], "{why}");
        assert_eq!(outcome.arrived[1].headers.text("x-mark").as_deref(), Some("\u{1}, \u{2}"));
        assert_eq!(outcome.arrived[0].headers.text("x-envoy-max-retries"), None);
        let order = ["attempt done", "attempt's end", "attempt done", "gateway's end", "log", "gateway done"];
        assert_eq!(envoy.module.order, order, "as Envoy 1.40 has it");
        assert!(outcome.astray.is_empty());
    }
}

#[test]
fn without_retries_left_the_last_answer_or_envoys_own_reaches_the_client() {
    let outcome = envoy().call(&call("", vec![answer("500", "1")], vec![answer("500", "2")])).unwrap();
    assert_eq!((outcome.headers.text(":status").as_deref(), &outcome.body[..]), (Some("500"), &b"2"[..]));
    assert_eq!(outcome.headers.text("x-sluice-retry"), None);
    let refused = || vec![fault(Fault::Refuse, "")];
    let outcome = envoy().call(&call("", refused(), refused())).unwrap();
    assert_eq!(outcome.headers.text(":status").as_deref(), Some("503"));
    assert_eq!(outcome.headers.text("x-seen").as_deref(), Some("1"));
    assert!(outcome.body.starts_with(b"upstream connect error"));
}

#[test]
fn a_stream_that_breaks_after_its_headers_is_cut_for_the_client() {
    let outcome = envoy().call(&call("", vec![fault(Fault::Cut, "par")], vec![])).unwrap();
    assert!(outcome.cut);
    assert_eq!(outcome.body, b"par");
}

#[test]
fn trailers_end_a_message_without_a_body_callback_at_the_end() {
    let mut call = call("", vec![answer("200", "ok")], vec![]);
    call.request.trailers = Some(Headers::of(&[("x-t", "1")]));
    let outcome = envoy().call(&call).unwrap();
    assert_eq!(outcome.arrived[0].trailers, call.request.trailers);
    assert_eq!(outcome.arrived[0].body, b"hello");
}

#[test]
fn a_local_reply_passes_the_gateways_response_callbacks_once_and_reaches_no_provider() {
    let outcome = envoy().call(&call("reply", vec![], vec![])).unwrap();
    assert_eq!(outcome.headers.text(":status").as_deref(), Some("401"));
    assert_eq!(outcome.headers.text("content-length").as_deref(), Some("2"));
    assert_eq!(outcome.headers.text("x-seen").as_deref(), Some("1"));
    assert!(outcome.arrived.is_empty());
}

#[test]
fn a_local_reply_after_headers_have_left_cuts_the_stream() {
    let mut envoy = envoy();
    let outcome = envoy.call(&call("", vec![answer("200", "stop")], vec![])).unwrap();
    assert!(outcome.cut && envoy.module.stopped);
}

#[test]
fn what_would_crash_envoy_or_hang_fails() {
    let why = |order: &str| envoy().call(&call(order, vec![answer("200", "ok")], vec![])).unwrap_err();
    assert!(why("reply in log").contains("crashes Envoy"));
    assert!(why("hang").contains("hangs"));
}

#[test]
fn a_client_that_hangs_up_is_logged_before_its_attempt_is_done() {
    let mut call = call("", vec![answer("200", "a long answer")], vec![]);
    call.hang_up_after = Some(4);
    let mut envoy = envoy();
    let outcome = envoy.call(&call).unwrap();
    assert_eq!(outcome.body, b"a lo");
    assert_eq!(envoy.module.order, ["log", "gateway done", "attempt done"]);
}

#[test]
fn scripts_left_over_and_attempts_without_one_are_told() {
    let outcome = envoy().call(&call("", vec![answer("200", "1"), answer("200", "2")], vec![])).unwrap();
    assert_eq!(outcome.astray, ["a: 1 scripts are left over"]);
    let outcome = envoy().call(&call("", vec![answer("500", "1")], vec![])).unwrap();
    assert_eq!(outcome.astray, ["attempt 2 reached b, which has no script left"]);
}

#[test]
fn messages_that_must_not_leave_are_found() {
    let sent = |pairs: &[(&str, &str)], body: &str| {
        let mut client = Client::default();
        client.write(Part::Headers(Headers::of(pairs), false))?;
        client.write(Part::Data(body.into(), true))
    };
    assert_eq!(sent(&[(":status", "200"), ("content-length", "2")], "ok"), Ok(true));
    assert!(sent(&[(":status", "200"), ("content-length", "1")], "ok").unwrap_err().contains("content-length"));
    assert!(sent(&[(":status", "200"), ("x", "a\r\nb: c")], "ok").unwrap_err().contains("breaks its line"));
    assert!(sent(&[(":status", "20")], "ok").unwrap_err().contains(":status"));
}

#[test]
fn a_body_is_replaced_from_its_start_or_extended_but_never_in_its_middle() {
    let set = |start, length| {
        let mut host = Host::default();
        host.enter(1).request.body = Some(b"abc".to_vec());
        host.set_body(Way::Request, start, length, b"X").map(|()| host.body(Way::Request).unwrap_or_default().to_vec())
    };
    assert_eq!(set(0, 3), Ok(b"X".to_vec()));
    assert_eq!(set(0, usize::MAX), Ok(b"X".to_vec()));
    assert_eq!(set(0, 0), Ok(b"Xabc".to_vec()));
    assert_eq!(set(3, 0), Ok(b"abcX".to_vec()));
    assert_eq!(set(1, 1), Err(Refusal::BadArgument));
    assert_eq!(set(0, 2), Ok(b"Xc".to_vec()));
}

#[test]
fn shared_data_and_metrics_are_as_in_envoy() {
    let mut host = Host::default();
    assert_eq!(host.set_shared_data(b"k", b"1", 9), Ok(()));
    let (_, cas) = host.shared_data(b"k").unwrap();
    assert_eq!(host.set_shared_data(b"k", b"2", cas), Ok(()));
    assert_eq!(host.set_shared_data(b"k", b"3", cas), Err(Refusal::CasMismatch));
    assert_eq!(host.set_shared_data(b"k", b"3", 0), Ok(()));
    let id = host.define_metric(Metric::Counter, "n");
    assert_eq!(id, host.define_metric(Metric::Counter, "n"));
    assert_eq!(host.increment_metric(id, 0), Err(Refusal::BadArgument));
    assert_eq!(host.increment_metric(id, 2), Ok(()));
    assert_eq!(host.metrics()["n"], 2);
}

#[test]
fn one_slot_headers_are_joined_and_a_set_leaves_one() {
    let mut headers = Headers::of(&[(":path", "/a"), ("x", "1"), ("y", "2"), ("X", "3")]);
    headers.add(":path", b"/b");
    assert_eq!(headers.text(":path").as_deref(), Some("/a,/b"));
    assert_eq!(headers.text("x").as_deref(), Some("1, 3"));
    headers.set("x", b"4");
    assert_eq!(headers.iter().map(|(n, _)| n).collect::<Vec<_>>(), [":path", "x", "y"]);
    assert_eq!(headers.text("x").as_deref(), Some("4"));
}

#[test]
fn continue_from_a_body_callback_releases_the_headers_too() {
    let (mut double, mut host) = (Double::default(), Host::default());
    double.roots.insert(5, 1);
    host.contexts.insert(5, Context::default());
    let mut gate = Gate::new(5, Way::Request);
    let mut push = |part| gate.push(&mut double, &mut host, part).unwrap();
    assert_eq!(push(Part::Headers(message("", "").headers, false)), []);
    assert_eq!(push(Part::Data(b"he".to_vec(), false)), []);
    let out = push(Part::Data(b"y".to_vec(), true));
    assert!(matches!(&out[..], [Part::Headers(_, false), Part::Data(body, true)] if body == b"hey"), "{out:?}");
}

const FILE: &str = r#"
name: moves on
config: {providers: {a: {api: openai}, b: {api: openai}}}
request: {path: /, body: {z: 1, a: [true, null, 1.5, "é"]}}
providers:
  a: [{expect: {path: /, headers: {x-mark: "\x01", authorization: null}}, status: 500}]
  b: [{expect: {body: {a: [true, null, 1.5, "é"], z: 1}, body_text: '{"z":1,"a":[true,null,1.5,"é"]}'}, headers: {x-two: [1, 2]}, body: {ok: yes}}]
expect: {status: 200, headers: {x-two: "1, 2", x-no: null}, body: {ok: "yes"}, log: {marks: 1, b: [{c: 1}]}}
---
name: the same gateway, no body
request: {path: /, method: GET}
providers: {a: [{status: 204}], b: []}
expect: {status: 204, body_text: ""}
only: [wasm]
"#;

fn run(calls: &[Scenario]) -> Result<usize, String> {
    file(calls, Runner::Wasm, Cuts::default(), || Ok(Double::default())).map(|outcomes| outcomes.len())
}

#[test]
fn a_file_is_run_and_every_difference_is_told() {
    let calls = parse(FILE).unwrap();
    assert_eq!(run(&calls), Ok(2));
    assert_eq!(file(&calls, Runner::Native, Cuts::default(), || Ok(Double::default())).map(|o| o.len()), Ok(1));
    for (from, to, why) in [
        ("x-mark: \"\\x01\"", "x-mark: \"2\"", "a, attempt 1: header x-mark"),
        ("authorization: null", "':path': null", "header :path"),
        ("a: [true, null, 1.5, \"é\"], z: 1}, body", "a: 1}, body", "b, attempt 1: body"),
        ("{ok: \"yes\"}", "{ok: \"no\"}", "body"),
        ("x-no: null", "x-seen: null", "header x-seen"),
        ("marks: 1", "marks: 3", "log"),
        ("c: 1}]}", "c: 1}, 2]}", "log"),
        ("status: 200", "status: 201", "header :status"),
        ("expect: {status: 200", "expect: {counters: {n: 1}, status: 200", "counter n"),
        ("b: [{expect", "b: [{}, {expect", "left over"),
    ] {
        assert!(FILE.contains(from), "{from}");
        let error = run(&parse(&FILE.replacen(from, to, 1)).unwrap()).expect_err(why);
        assert!(error.contains(why), "{why}: {error}");
    }
}

#[test]
fn a_file_is_read_strictly_and_as_a_whole() {
    assert!(parse("name: x\nrequest: {path: /, headres: {}}\nexpect: {}").unwrap_err().contains("headres"));
    let shared = "name: a\nrequest: &r {path: /}\nexpect: &e {status: 200}\n---\nname: b\nrequest: *r\nexpect: {<<: *e, body: x}\n";
    let calls = parse(shared).unwrap();
    assert_eq!((calls.len(), calls[1].expect.status), (2, Some(200)), "anchors hold for the whole file");
    assert_eq!(json(&serde_yaml_ng::from_str("{b: 1, a: [x, 2.0]}").unwrap()), Ok(r#"{"b":1,"a":["x",2.0]}"#.into()));
}
