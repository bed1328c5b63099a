use super::*;
use crate::config::{self, Role};
use crate::host::{Millis, Shared, Verified};
use crate::ledger::{Key, Ledger, Totals};
use crate::quota::{Amounts, Ask, DEFAULT_PAGES, Quota, Reserved, Table, When};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// A noon.
const NOW: Millis = 20_778 * 86_400_000 + 43_200_000;

const SECRETS: [&str; 5] = [
    "sk-of-openai",
    "sk-of-claude",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "redis-password",
    "a-label-of-ones-own",
];

#[derive(Default)]
struct Memory(RefCell<BTreeMap<String, (Vec<u8>, u32)>>);

impl Shared for Memory {
    fn load(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.0.borrow().get(key).cloned()
    }

    fn store(&self, key: &str, value: &[u8], cas: Option<u32>) -> bool {
        let cas = cas.unwrap_or(0).wrapping_add(1);
        self.0.borrow_mut().insert(key.to_owned(), (value.to_vec(), cas));
        true
    }
}

impl Verified for Memory {
    fn claim(&self, _: &[String]) -> Option<String> {
        None
    }

    fn peer(&self) -> Option<String> {
        None
    }
}

impl Host for Memory {
    fn now(&self) -> Millis {
        NOW
    }

    fn client_left(&self) -> bool {
        false
    }
}

/// A gateway's configuration, and what calls count in.
fn gateway(memory: &Memory, more: Value) -> Vec<Rc<Policy>> {
    let mut document = json!({
        "role": "gateway",
        "providers": {"openai": {"api": "openai", "auth": {"value": SECRETS[0]}}, "claude": {"api": "anthropic", "auth": {"value": SECRETS[1]}}},
        "models": [{"name": "m", "targets": [{"provider": "openai", "model": "gpt-4o"}, {"provider": "claude", "cluster": "eu"}]}],
        "consumers": [{"name": "search", "team": "web", "key_sha256": SECRETS[2], "labels": {"own": SECRETS[4]}}],
        "limits": [
            {"name": "all", "unit": "requests", "amount": 100, "window": "1d"},
            {"name": "each", "by": ["consumer"], "unit": "tokens", "amount": 1000, "window": "1d"},
            {"name": "app", "by": ["header:x-app"], "unit": "requests", "amount": 10, "sliding": "60s"},
        ],
    });
    for (key, value) in more.as_object().unwrap() {
        document[key] = value.clone();
    }
    let Ok(Role::Gateway(mut policy)) = config::load(document.to_string().as_bytes(), &|_| None) else { panic!() };
    policy.limits.pages = Table::prepare(memory, DEFAULT_PAGES).pages();
    Ledger(memory).prepare();
    vec![Rc::from(policy)]
}

fn get(target: &str, gateways: &[Rc<Policy>], memory: &Memory) -> (u16, Value) {
    let reply = answer("GET", target, gateways, memory);
    assert_eq!(reply.headers.text("content-type"), Some("application/json"), "{target}");
    let value = serde_json::from_slice(&reply.body);
    (reply.status, value.unwrap_or_else(|_| panic!("{target}: {}", String::from_utf8_lossy(&reply.body))))
}

fn count(memory: &Memory, consumer: &str, model: &str, totals: Totals) {
    let key = Key { consumer, team: "web", model, provider: "openai", open: false };
    assert!(Ledger(memory).add(&key, &totals, NOW));
}

/// Takes from a limit, for a listed consumer.
fn take(memory: &Memory, policy: &Policy, limit: usize, headers: &[String], amounts: Amounts) {
    let limit = &policy.limits.all[limit];
    let consumer = policy.consumers.as_ref().unwrap().named("search").map(|consumer| &**consumer);
    let caller = crate::limit::Caller { consumer, headers, ..crate::limit::Caller::default() };
    let ask = [Ask { rule: &limit.rule, slot: policy.limits.slot(limit, &caller) }];
    let when = When { now: NOW, ttl: 60_000, failed: true };
    let taken =
        Quota::new(Table::of(memory, policy.limits.pages)).reserve(&ask, &mut amounts.into(), &when, &mut Vec::new());
    assert!(matches!(taken, Reserved::Held(_)));
}

#[test]
fn every_path_answers_and_takes_get_alone() {
    let memory = Memory::default();
    let gateways = gateway(&memory, json!({}));
    for (path, _) in PATHS {
        assert_eq!(get(path, &gateways, &memory).0, 200, "{path}");
        assert_eq!(answer("HEAD", path, &gateways, &memory).status, 200, "{path}");
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "get", ""] {
            let reply = answer(method, path, &gateways, &memory);
            assert_eq!(reply.status, 405, "{method} {path}");
            assert_eq!(reply.body, b"{\"error\":{\"message\":\"this path takes GET\"}}");
        }
    }
    for path in
        ["", "/", "/usage/", "/Usage", "/usag", "/usage/x", "//usage", "/v1/usage", "/config%20", "*", "?", "\u{0}"]
    {
        for method in ["GET", "POST"] {
            let reply = answer(method, path, &gateways, &memory);
            let body: Value = serde_json::from_slice(&reply.body).unwrap();
            assert_eq!(reply.status, 404, "{path}");
            for (known, _) in PATHS {
                assert!(body["error"]["message"].as_str().unwrap().contains(known));
            }
        }
    }
}

#[test]
fn no_path_tells_a_secret() {
    let memory = Memory::default();
    let store = json!({"store": {"redis": {"cluster": "bridge", "auth": {"value": SECRETS[3]}}}});
    let gateways = gateway(&memory, store);
    count(&memory, "search", "m", Totals([1; 8]));
    for (path, _) in PATHS {
        let told = get(path, &gateways, &memory).1.to_string();
        for secret in SECRETS {
            assert!(!told.contains(secret), "{path}: {told}");
        }
    }
    let expected = json!({"gateways": [{
        "providers": [{"name": "claude", "api": "anthropic", "host": "api.anthropic.com"}, {"name": "openai", "api": "openai", "host": "api.openai.com"}],
        "models": [{"name": "m", "targets": [{"provider": "openai", "cluster": "openai", "model": "gpt-4o"}, {"provider": "claude", "cluster": "eu"}]}],
        "consumers": 1,
        "limits": ["all", "each", "app"],
        "ledger": true,
    }]});
    assert_eq!(get("/config", &gateways, &memory).1, expected);
}

#[test]
fn a_worker_without_a_gateway_is_not_well_and_answers() {
    let memory = Memory::default();
    assert_eq!(get("/health", &[], &memory).0, 503);
    assert_eq!(get("/config", &[], &memory).1, json!({"gateways": []}));
    assert_eq!(get("/limits", &[], &memory).1, json!({"limits": []}));
    let (status, usage) = get("/usage", &[], &memory);
    assert_eq!((status, &usage["rows"], &usage["total"]["requests"]), (200, &json!([]), &json!(0)));
    let gateways = gateway(&memory, json!({}));
    assert_eq!(get("/health", &gateways, &memory).1, json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}));
}

#[test]
fn what_is_asked_for_wrongly_is_told_and_never_more() {
    let memory = Memory::default();
    let gateways = gateway(&memory, json!({}));
    let many: String = (0..40).map(|index| format!("p{index}=1&")).collect();
    let long = format!("/usage?{}=1", "x".repeat(5000));
    for target in [
        "/usage?consumers=a",
        "/usage?day=2026-13-01",
        "/usage?day=2026-11-21T00:00:00Z",
        "/usage?from=",
        "/usage?by=day,nothing",
        "/usage?by=header",
        "/usage?limit=ten",
        "/usage?limit=-1",
        "/usage?offset=99999999999999999999999",
        "/usage?day=2026-11-21&day=2026-11-21",
        "/usage?%00%0d%0a%1b=1",
        "/limits?x-app=a",
        "/limits?header:x-other=a",
        "/config?verbose=1",
        "/health?x",
        &format!("/usage?{many}"),
        &long,
    ] {
        let (status, body) = get(target, &gateways, &memory);
        let message = body["error"]["message"].as_str().unwrap();
        assert_eq!(status, 400, "{target}");
        assert!(message.len() < 300 && !message.contains(char::is_control), "{message}");
    }
    for target in
        ["/usage?", "/usage?&&", "/usage?consumer=%ff%zz%", "/usage?by=", "/usage?offset=18446744073709551615"]
    {
        assert_eq!(get(target, &gateways, &memory).0, 200, "{target}");
    }
}

#[test]
fn rows_are_told_in_parts() {
    let memory = Memory::default();
    let gateways = gateway(&memory, json!({}));
    for index in 0..2500 {
        count(&memory, &format!("c{index:04}"), "m", Totals([1; 8]));
    }
    let mut names = Vec::new();
    let mut next = Some(0);
    while let Some(offset) = next {
        let (_, told) = get(&format!("/usage?limit=999999&offset={offset}&by=consumer"), &gateways, &memory);
        let rows = told["rows"].as_array().unwrap();
        assert!(rows.len() <= MAX_ITEMS);
        assert_eq!(told["total"]["requests"], json!(2500), "of all, not of the part");
        names.extend(rows.iter().map(|row| row["consumer"].as_str().unwrap().to_owned()));
        next = told["next"].as_u64();
    }
    assert_eq!(names.len(), 2500);
    assert!(names.is_sorted());
    assert_eq!(get("/usage?limit=0&by=consumer", &gateways, &memory).1["rows"], json!([]));
}

#[test]
fn a_name_is_told_as_it_is_and_breaks_nothing() {
    let memory = Memory::default();
    let gateways = gateway(&memory, json!({}));
    let name = "a\"b\\c\n,}é\u{1f600}";
    count(&memory, name, "m", Totals([u64::MAX; 8]));
    let (_, told) = get("/usage?consumer=a%22b%5Cc%0A%2C%7D%C3%A9%F0%9F%98%80&by=consumer", &gateways, &memory);
    assert_eq!(told["rows"][0]["consumer"], json!(name));
    assert_eq!(told["rows"][0]["cost_nanodollars"], json!(u64::MAX));
}

#[test]
fn limits_are_told_in_parts_too() {
    let memory = Memory::default();
    let consumers: Vec<Value> =
        (0..1500).map(|index| json!({"name": format!("c{index}"), "key_sha256": format!("{index:064x}")})).collect();
    let gateways = gateway(&memory, json!({"consumers": consumers}));
    let (mut told, mut next) = (0, Some(0));
    let each = &gateways[0].limits.all[1];
    for consumer in gateways[0].consumers.as_ref().unwrap().all() {
        let caller = crate::limit::Caller { consumer: Some(consumer), ..crate::limit::Caller::default() };
        let ask = [Ask { rule: &each.rule, slot: gateways[0].limits.slot(each, &caller) }];
        let when = When { now: NOW, ttl: 60_000, failed: false };
        let amounts = Amounts { output_tokens: 3, ..Amounts::default() };
        Quota::new(Table::of(&memory, gateways[0].limits.pages)).reserve(
            &ask,
            &mut amounts.into(),
            &when,
            &mut Vec::new(),
        );
    }
    while let Some(offset) = next {
        let (_, answer) = get(&format!("/limits?name=each&offset={offset}"), &gateways, &memory);
        let rows = answer["limits"].as_array().unwrap();
        assert!(rows.len() <= MAX_ITEMS && rows.iter().all(|row| row["reserved"] == json!(3)));
        told += rows.len();
        next = answer["next"].as_u64();
    }
    assert_eq!(told, 1500);
    assert_eq!(get("/limits?consumer=c7", &gateways, &memory).1["limits"].as_array().unwrap().len(), 1);
}

#[test]
fn counters_by_a_header_are_told_for_a_value() {
    let memory = Memory::default();
    let gateways = gateway(&memory, json!({}));
    take(&memory, &gateways[0], 2, &["chat".to_owned()], Amounts { requests: 4, ..Amounts::default() });
    assert_eq!(get("/limits?name=app", &gateways, &memory).1, json!({"limits": []}));
    let expected = json!({"limits": [{
        "name": "app", "unit": "requests", "sliding": "60s", "by": {"header:x-app": "chat"},
        "enforced": true, "amount": 10, "used": 0, "reserved": 4, "remaining": 6, "resets_in_ms": 60_000,
    }]});
    let (_, mut told) = get("/limits?name=app&header:x-app=chat", &gateways, &memory);
    // A sliding window frees in parts.
    assert!(told["limits"][0]["resets_in_ms"].as_u64().unwrap() <= 120_000);
    told["limits"][0]["resets_in_ms"] = json!(60_000);
    assert_eq!(told, expected);
}

#[test]
fn a_consumer_is_told_its_own_and_asks_for_nothing_else() {
    let memory = Memory::default();
    let gateways = gateway(
        &memory,
        json!({"limits": [
            {"name": "all", "unit": "requests", "amount": 100, "window": "1d"},
            {"name": "each", "by": ["consumer"], "unit": "tokens", "amount": 1000, "window": "1d"},
            {"name": "tier", "by": ["tier"], "unit": "requests", "amount": 100, "window": "1d"},
        ]}),
    );
    let policy = &*gateways[0];
    let consumer = &**policy.consumers.as_ref().unwrap().named("search").unwrap();
    count(&memory, "search", "m", Totals([3; 8]));
    count(&memory, "other", "m", Totals([5; 8]));
    take(&memory, policy, 1, &[], Amounts { input_tokens: 7, ..Amounts::default() });
    let ask = |method: &str, query: &str| own(consumer, true, method, query, policy, &memory);
    let told: Value = serde_json::from_slice(&ask("GET", "by=model").unwrap()).unwrap();
    assert_eq!((&told["consumer"], &told["team"]), (&json!("search"), &json!("web")));
    assert_eq!(told["rows"].as_array().unwrap().len(), 1);
    assert_eq!((&told["rows"][0]["requests"], &told["total"]["requests"]), (&json!(3), &json!(3)));
    // It has no tier: that counter is of all who have none.
    let limits: Vec<_> = told["limits"].as_array().unwrap().iter().map(|limit| &limit["name"]).collect();
    assert_eq!(limits, ["each"], "what all share is not its own");
    assert_eq!(told["limits"][0]["reserved"], json!(7));
    for query in ["consumer=other", "team=web", "by=consumer", "by=team", "name=all", "header:x-app=a"] {
        assert_eq!(ask("GET", query).unwrap_err().status, 400, "{query}");
    }
    for method in ["POST", "DELETE", ""] {
        assert_eq!(ask(method, "").unwrap_err().status, 405, "{method}");
    }
}
