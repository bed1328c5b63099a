//! What Envoy's other filters are told.

use super::*;

fn told(gateway: &Gateway, host: &Process) -> Vec<(String, String)> {
    let told = RefCell::new(Vec::new());
    let put = |name: &'static str, value: &[u8]| {
        told.borrow_mut().push((name.to_owned(), String::from_utf8(value.to_vec()).unwrap()));
    };
    gateway.call().unwrap().borrow().introduce(&put);
    if let Some(bill) = settle::report(&gateway.over(), host).unwrap().bill {
        bill.tell(&put);
    }
    told.into_inner()
}

fn configured(filter_state: bool) -> Gateway {
    gateway(json!({
        "filter_state": filter_state,
        "authentication": {"anonymous": {"name": "public", "tier": "free"}},
        "prices": {"*": {"input": 0.001, "output": 0.0015}},
    }))
}

/// A whole answer of the first target's: 1,000 tokens in, 3 out.
fn answered(gateway: &mut Gateway, host: &Process) {
    let (_, call) = ask(gateway, ASK, host);
    let (mut attempt, _) = attempt(&call, "a", host);
    let body = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":3,"total_tokens":1003}}"#;
    attempt.response_headers(headers(&[(":status", "200"), ("content-type", "application/json")]), false, host);
    attempt.response_body(body.as_bytes(), true, host);
}

#[test]
fn other_filters_are_told_who_calls_and_what_was_used_where_it_is_configured() {
    let host = Process::default();
    let mut gateway = configured(true);
    answered(&mut gateway, &host);
    let expected = [
        ("sluice.consumer", "public"),
        ("sluice.tier", "free"),
        ("sluice.model", "m"),
        ("sluice.input_tokens", "1000"),
        ("sluice.output_tokens", "3"),
        ("sluice.tokens", "1003"),
        // 1,004.5 nano-dollars: rounded up twice.
        ("sluice.cost_microdollars", "2"),
    ];
    assert_eq!(told(&gateway, &host), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));

    let mut gateway = configured(false);
    answered(&mut gateway, &host);
    assert_eq!(told(&gateway, &host), []);
}

#[test]
fn a_call_that_was_not_answered_is_billed_nothing() {
    let host = Process::default();
    let mut gateway = configured(true);
    ask(&mut gateway, ASK, &host);
    let told = told(&gateway, &host);
    assert!(told[3..].iter().all(|(_, value)| value == "0") && told.len() == 7, "{told:?}");
}
