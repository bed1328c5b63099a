//! Calls whose limits are counted in a store.

use super::*;
use crate::call::{Fleet, prepare};
use crate::config::Policy;
use crate::quota::{Message, resp::SCRIPT_SHA1};

/// One worker of an Envoy, with the store's part played by the test.
struct Worker {
    policy: Rc<Policy>,
    fleet: Fleet,
    host: Process,
    tokens: u32,
}

impl Worker {
    fn new(limits: Value, down: Value) -> Self {
        let document = json!({
            "role": "gateway",
            "providers": {"a": {"api": "openai", "auth": {"value": "sk-a"}}},
            "models": [
                {"name": "m", "targets": [{"provider": "a"}]},
                {"name": "other", "targets": [{"provider": "a"}]},
            ],
            "other_paths": {"provider": "a"},
            "limits": limits,
            "store": {"redis": {"cluster": "bridge", "down": down}},
        });
        let host = Process::default();
        host.wait(1_795_262_400_000);
        let Ok(Role::Gateway(mut policy)) = config::load(document.to_string().as_bytes(), &|_| None) else { panic!() };
        prepare(&mut policy, &host, &|| b"seed".to_vec());
        Self { policy: Rc::from(policy), fleet: Fleet::default(), host, tokens: 0 }
    }

    fn ask(&mut self) -> (Gateway, Step) {
        let mut gateway = Gateway::new(Rc::clone(&self.policy), 7);
        let request = headers(&[(":method", "POST"), (":path", "/v1/chat/completions"), (":authority", "g")]);
        gateway.request_headers(request, false, &self.host);
        let step = gateway.request_body(ASK.as_bytes().to_vec(), &self.host);
        self.hear(&mut gateway);
        (gateway, step)
    }

    fn hear(&mut self, gateway: &mut Gateway) {
        let messages = gateway.messages();
        if let Some(until) = gateway.waits() {
            self.fleet.mail.wait(1, &messages, until);
        }
        self.fleet.mail.add(messages);
    }

    fn post(&mut self) -> Vec<Message> {
        let (body, messages) = self.fleet.post(&self.policy, &self.host).unwrap();
        assert!(String::from_utf8(body).unwrap().contains(SCRIPT_SHA1));
        self.tokens = self.tokens.wrapping_add(1);
        self.fleet.mail.sent(self.tokens, messages.clone());
        messages
    }

    /// The store lends so much, and has so much left, for each message on its way.
    fn answer(&mut self, lease: u64, free: u64) -> Vec<(u32, bool)> {
        let messages = self.post();
        let reply = |message: &Message| {
            let seq = message.seq;
            format!("*7\r\n:1\r\n:{seq}\r\n:{lease}\r\n:{free}\r\n:{free}\r\n:0\r\n:{}\r\n", message.total)
        };
        let body: String = messages.iter().map(reply).chain(["+OK\r\n".to_owned()]).collect();
        self.fleet.delivered(self.tokens, Some(body.as_bytes()), &self.policy, &self.host);
        self.fleet.mail.woken(self.host.now())
    }

    fn fail(&mut self) -> Vec<(u32, bool)> {
        self.post();
        self.fleet.delivered(self.tokens, None, &self.policy, &self.host);
        self.fleet.mail.woken(self.host.now())
    }
}

fn calls(amount: u64) -> Value {
    json!([{"name": "calls", "unit": "requests", "amount": amount, "window": "1h"}])
}

fn status(step: &Step) -> u16 {
    match &step.next {
        Next::Reply(reply) => reply.status,
        Next::Continue => 200,
        Next::Wait => 0,
    }
}

#[test]
fn the_first_call_waits_and_those_after_it_go_on_the_lease() {
    let mut worker = Worker::new(calls(100), json!("deny"));
    let (mut gateway, step) = worker.ask();
    assert_eq!((status(&step), gateway.waits()), (0, Some(worker.host.now() + 1000)));
    assert!(gateway.call().is_none());
    assert_eq!(worker.answer(5, 95), [(1, false)]);
    let step = gateway.resume(false, &worker.host);
    assert_eq!(made(step.headers).text("x-sluice-cluster"), Some("a"));
    assert!(gateway.call().is_some() && gateway.waits().is_none());
    for _ in 0..4 {
        assert_eq!(status(&worker.ask().1), 200);
    }
    assert_eq!(status(&worker.ask().1), 0, "the lease is used up");
    assert_eq!(status(&gateway.resume(true, &worker.host)), 200, "it does not wait, and nothing happens");
}

#[test]
fn a_store_without_more_is_a_limit_that_is_spent() {
    let mut worker = Worker::new(calls(100), json!("deny"));
    let (mut gateway, _) = worker.ask();
    assert_eq!(worker.answer(0, 0), [(1, false)]);
    assert_eq!(status(&gateway.resume(false, &worker.host)), 429);
}

#[test]
fn a_store_that_does_not_answer_leaves_the_decision_to_the_configuration() {
    for (down, expected) in
        [(json!("deny"), [503, 503, 503]), (json!("allow"), [200, 200, 429]), (json!({"local": 50}), [200, 429, 429])]
    {
        let mut worker = Worker::new(calls(2), down.clone());
        let mut found = Vec::new();
        for _ in 0..3 {
            let (mut gateway, step) = worker.ask();
            if gateway.waits().is_none() {
                found.push(status(&step));
                continue;
            }
            assert_eq!(worker.fail(), [(1, true)]);
            found.push(status(&gateway.resume(true, &worker.host)));
        }
        assert_eq!(found, expected, "{down}");
        worker.host.wait(2000);
        assert_ne!(status(&worker.ask().1), 0, "{down}: it has been away for long enough");
    }
}

#[test]
fn a_call_waits_no_longer_than_it_may() {
    let mut worker = Worker::new(calls(100), json!("deny"));
    let (mut gateway, _) = worker.ask();
    worker.post();
    worker.host.wait(999);
    assert!(worker.fleet.mail.woken(worker.host.now()).is_empty());
    worker.host.wait(1);
    assert_eq!(worker.fleet.mail.woken(worker.host.now()), [(1, true)]);
    assert_eq!(status(&gateway.resume(true, &worker.host)), 503);
}

#[test]
fn a_call_that_is_sent_elsewhere_waits_for_that_models_limits_too() {
    let mut worker = Worker::new(
        json!([
            {"name": "m", "unit": "requests", "amount": 10, "window": "1h", "when": {"model": ["m"]}, "exceeded": {"route_to": "other"}},
            {"name": "other", "unit": "requests", "amount": 10, "window": "1h", "when": {"model": ["other"]}},
        ]),
        json!("deny"),
    );
    let (mut gateway, _) = worker.ask();
    worker.answer(0, 0);
    assert_eq!(status(&gateway.resume(false, &worker.host)), 0, "now the other model's is asked for");
    worker.hear(&mut gateway);
    assert_eq!(worker.answer(1, 9), [(1, false)]);
    assert_eq!(status(&gateway.resume(false, &worker.host)), 200);
    let limits = &log(&gateway, &worker.host).0["limits"];
    let outcomes: Vec<_> = limits.as_array().unwrap().iter().map(|l| (&l["name"], &l["outcome"])).collect();
    assert_eq!(outcomes, [(&json!("other"), &json!("held")), (&json!("m"), &json!("rerouted"))]);
}

#[test]
fn what_was_used_is_told_and_a_threshold_names_its_limit() {
    let mut limits = calls(4);
    limits[0]["thresholds"] = json!([50]);
    let mut worker = Worker::new(limits, json!("deny"));
    let (mut gateway, _) = worker.ask();
    worker.answer(4, 0);
    gateway.resume(false, &worker.host);
    let call = Rc::clone(gateway.call().unwrap());
    let (mut one, _) = attempt(&call, "a", &worker.host);
    one.response_headers(headers(&[(":status", "200"), ("content-type", "application/json")]), false, &worker.host);
    let body = json!({"id": "1", "object": "chat.completion", "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}]});
    one.response_body(body.to_string().as_bytes(), true, &worker.host);
    let report = settle::report(&gateway.over(), &worker.host).unwrap();
    worker.fleet.mail.add(report.messages);
    worker.host.wait(60_000);
    for _ in 0..32 {
        worker.host.wait(250);
        worker.fleet.sweep(&worker.policy, &worker.host);
    }
    let messages = worker.post();
    assert_eq!(messages.iter().map(|message| message.total).collect::<Vec<_>>(), [1]);
    let body = format!("*7\r\n:1\r\n:{}\r\n:0\r\n:2\r\n:1\r\n:1\r\n:2\r\n+OK\r\n", messages[0].seq);
    let brought = worker.fleet.delivered(worker.tokens, Some(body.as_bytes()), &worker.policy, &worker.host);
    assert_eq!(brought.notes, ["limit calls: 50 % used"]);
    let names: Vec<_> = brought.samples.iter().map(|sample| sample.name.to_string()).collect();
    assert_eq!(names, ["sluice_store_posts_total;outcome=ok", "sluice_limit_threshold_total;limit=calls;percent=50"]);
}

#[test]
fn an_outage_is_told_once_and_so_is_its_end() {
    let mut worker = Worker::new(calls(10), json!("deny"));
    let notes = |worker: &mut Worker, body: Option<&[u8]>| {
        worker.ask();
        let messages = worker.post();
        let answer = format!("*7\r\n:1\r\n:{}\r\n:0\r\n:1\r\n:1\r\n:0\r\n:0\r\n+OK\r\n", messages[0].seq);
        let body = body.map(|body| if body.is_empty() { answer.as_bytes() } else { body });
        worker.fleet.delivered(worker.tokens, body, &worker.policy, &worker.host).notes
    };
    assert_eq!(notes(&mut worker, None), ["the store of limits fails: it does not answer"]);
    assert!(notes(&mut worker, None).is_empty());
    assert!(notes(&mut worker, Some(b"-LOADING it\r\n+OK\r\n")).is_empty());
    assert!(notes(&mut worker, Some(b"")).is_empty(), "it may be a part of it that answers");
    worker.host.wait(2000);
    assert_eq!(notes(&mut worker, Some(b"")), ["the store of limits answers again"]);
    assert_eq!(notes(&mut worker, Some(b"-OOM no\r\n+OK\r\n")), ["the store of limits fails: OOM no"]);
}

#[test]
fn a_clock_that_is_not_the_stores_is_told_once() {
    let mut worker = Worker::new(calls(10), json!("deny"));
    let mut brought = |ahead: i64| {
        worker.ask();
        let messages = worker.post();
        let time = (worker.host.now() / 1000).checked_add_signed(ahead).unwrap().to_string();
        let body = format!(
            "*7\r\n:1\r\n:{}\r\n:0\r\n:1\r\n:1\r\n:0\r\n:0\r\n*2\r\n${}\r\n{time}\r\n$1\r\n7\r\n+OK\r\n",
            messages[0].seq,
            time.len()
        );
        let brought = worker.fleet.delivered(worker.tokens, Some(body.as_bytes()), &worker.policy, &worker.host);
        (brought.samples.iter().any(|sample| sample.name.to_string().ends_with("=skewed")), brought.notes)
    };
    assert_eq!(brought(2), (false, vec![]));
    let note = "this clock and the store's differ by seconds: 3600".to_owned();
    assert_eq!(brought(-3600), (true, vec![note]));
    assert_eq!(brought(-3601), (true, vec![]));
    assert_eq!(brought(0), (false, vec![]));
    assert_eq!(brought(30).1.len(), 1);
}

#[test]
fn the_ledger_is_told_to_the_store_also_where_no_limit_is_counted_there() {
    let local = json!([{"name": "calls", "unit": "requests", "amount": 9, "window": "1h", "store": "local"}]);
    let mut worker = Worker::new(local, json!("deny"));
    assert!(worker.fleet.post(&worker.policy, &worker.host).is_none());
    let mut outcomes = Vec::new();
    for (token, answer) in [(1, None), (2, Some("-ERR no\r\n")), (3, Some("*2\r\n$1\r\n1\r\n$1\r\n1\r\n"))] {
        worker.host.wait(60_000);
        worker.fleet.sweep(&worker.policy, &worker.host);
        let (body, messages) = worker.fleet.post(&worker.policy, &worker.host).unwrap();
        assert!(messages.is_empty() && String::from_utf8(body).unwrap().contains("sluice:{usage:"));
        worker.fleet.sent(token, messages);
        assert!(worker.fleet.post(&worker.policy, &worker.host).is_none(), "one post at a time");
        let answer = answer.map(|answer| answer.repeat(32));
        let brought = worker.fleet.delivered(token, answer.as_deref().map(str::as_bytes), &worker.policy, &worker.host);
        outcomes.push((brought.samples[0].name.to_string(), brought.notes));
    }
    let fails = vec!["the store of limits fails: it does not answer".to_owned()];
    let again = vec!["the store of limits answers again".to_owned()];
    let outcome = |word: &str| format!("sluice_store_posts_total;outcome={word}");
    assert_eq!(outcomes, [(outcome("failed"), fails), (outcome("failed"), vec![]), (outcome("ok"), again)]);
    assert_eq!(worker.fleet.lost(&[], 1).samples[0].name.to_string(), outcome("failed"));
}
