//! `limits` and `prices`.

use super::{any_case, entries, object, patterns, refer, said, texts};
use serde_json::{Map, Value, json};
use sluice::price::{PER_REQUEST, RATES};
use sluice::provider::CLIENT_CREDENTIALS;
use sluice::quota::Unit;

pub fn definitions() -> Map<String, Value> {
    let all = [
        ("limit", limit(true)),
        ("own_limit", limit(false)),
        (
            "dollars",
            json!({
                "description": "USD, with at most nine digits after the point; a long one as a string.",
                "anyOf": [
                    {"type": "number", "minimum": 0, "maximum": 1_000_000_000},
                    {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]+)?$"},
                ],
            }),
        ),
        ("price", price()),
        ("tier", tier()),
        ("store", store()),
    ];
    all.map(|(name, schema)| (name.to_owned(), schema)).into_iter().collect()
}

fn store() -> Value {
    let local = json!({"type": "number", "minimum": 0.1, "maximum": 100});
    let share = object(vec![("local", said("Percent of the amount, in each Envoy.", local))], &["local"]);
    let auth = json!({"allOf": [refer("auth")], "not": {"required": ["client"]}});
    let mut redis = object(
        vec![
            ("cluster", said("The Envoy cluster by which Redis is reached.", refer("text"))),
            (
                "prefix",
                said(
                    "Before every key.",
                    json!({"type": "string", "pattern": "^[^{}\\u0000-\\u001f\\u007f-\\u009f]{1,64}$", "default": "sluice:"}),
                ),
            ),
            ("username", said("Of Redis's AUTH.", refer("text"))),
            ("auth", said("The password of Redis's AUTH; `sluice seal --provider store.redis` seals it.", auth)),
            (
                "timeout",
                said(
                    "How long Redis may take: 10ms to 10s.",
                    json!({"type": "string", "pattern": "^0*([1-9][0-9]{1,3}ms|10000ms|[1-9]s|10s)$", "default": "1s"}),
                ),
            ),
            (
                "down",
                said(
                    "What is done while Redis does not answer.",
                    json!({"anyOf": [{"enum": ["deny", "allow"]}, share], "default": "deny"}),
                ),
            ),
        ],
        &["cluster"],
    );
    if let Value::Object(members) = &mut redis {
        members.insert("if".to_owned(), json!({"required": ["username"]}));
        members.insert("then".to_owned(), json!({"required": ["auth"]}));
    }
    object(vec![("redis", said("One Redis for all Envoys that use it.", redis))], &["redis"])
}

/// `by`: it may be counted by something; a consumer's own is counted by the consumer.
fn limit(by: bool) -> Value {
    let units: Vec<&str> = Unit::ALL.iter().map(|unit| unit.name()).collect();
    let taken: Vec<String> = CLIENT_CREDENTIALS.iter().map(|name| any_case(name)).collect();
    let dimension = json!({"anyOf": [
        {"enum": ["consumer", "team", "tier", "model", "provider"]},
        {"type": "string", "pattern": "^label:."},
        {"type": "string", "pattern": "^header:[!-~]+$", "not": {"pattern": format!("^header:({})$", taken.join("|"))}},
    ]});
    let when = object(
        vec![
            ("model", said("Names as the client writes them, `*` at the end allowed.", patterns())),
            ("consumer", texts()),
            ("team", texts()),
            ("tier", texts()),
        ],
        &[],
    );
    let route = object(vec![("route_to", said("One of `models`.", refer("text")))], &["route_to"]);
    let percent = json!({"type": "integer", "minimum": 1, "maximum": 100});
    let mut fields = vec![
        (
            "name",
            said(
                "Unique: it stands in metrics, logs and errors.",
                json!({"type": "string", "pattern": "^[A-Za-z0-9._/-]{1,64}$"}),
            ),
        ),
        ("unit", said("What is counted.", json!({"enum": units}))),
        ("amount", said("How much there is in a window; of usd a decimal number.", json!({}))),
        (
            "window",
            said(
                "A calendar window in UTC, or none: a total.",
                json!({"type": "string", "pattern": "^(none|0*([1-9][0-9]{0,4}|100000)(s|m|h|d|mo))$", "examples": ["1s", "1m", "1h", "1d", "1mo", "none"]}),
            ),
        ),
        (
            "sliding",
            said(
                "In the place of `window`: the last so long.",
                json!({"type": "string", "pattern": "^0*([1-9][0-9]{0,4}|100000)(s|m|h|d)$", "examples": ["60s", "5m", "1h", "1d"]}),
            ),
        ),
        ("store", said("Where it is counted.", json!({"enum": ["redis", "local"]}))),
        ("when", said("It holds for calls that fit all of this.", when)),
        (
            "exceeded",
            said(
                "What happens beyond it.",
                json!({"anyOf": [{"enum": ["reject", "report"]}, route], "default": "reject"}),
            ),
        ),
        (
            "thresholds",
            said(
                "Percentages that are told once in a window.",
                json!({"type": "array", "minItems": 1, "maxItems": 8, "uniqueItems": true, "items": percent}),
            ),
        ),
    ];
    if by {
        let by = json!({"type": "array", "maxItems": 8, "uniqueItems": true, "items": dimension});
        fields.push(("by", said("What is counted apart; absent or empty: one counter for all.", by)));
    }
    let mut schema = object(fields, &["name", "unit", "amount"]);
    if let Value::Object(members) = &mut schema {
        // Nothing at all is no amount, and a billionth is counted exactly to 2^53.
        let some = json!({"anyOf": [
            {"type": "number", "exclusiveMinimum": 0, "maximum": 9_007_199.254_740_992},
            {"type": "string", "pattern": "^[0-9.]*[1-9]"},
        ]});
        let unit = |name: &str| json!({"required": ["unit"], "properties": {"unit": {"const": name}}});
        members.insert(
            "allOf".to_owned(),
            json!([
                {"if": unit("usd"), "then": {"properties": {"amount": {"allOf": [refer("dollars"), some]}}}, "else": {"properties": {"amount": refer("count")}}},
                {"if": unit("concurrent"), "then": {"not": {"anyOf": [{"required": ["window"]}, {"required": ["sliding"]}]}}},
                {"not": {"required": ["window", "sliding"]}},
                {"not": {"required": ["sliding", "store"], "properties": {"store": {"const": "redis"}}}},
            ]),
        );
    }
    schema
}

fn rates() -> Vec<(&'static str, Value)> {
    RATES.iter().map(|name| (*name, refer("dollars"))).collect()
}

fn price() -> Value {
    let mut fields = rates();
    fields.extend([
        (PER_REQUEST, said("For each call.", refer("dollars"))),
        ("tiers", said("Other rates for calls with more input, lowest bound first.", entries(refer("tier")))),
        ("source", said("Where the price is published: for people, not read.", json!({}))),
        ("date", said("When: for people, not read.", json!({}))),
    ]);
    object(fields, &["input", "output"])
}

fn tier() -> Value {
    let mut fields = rates();
    fields
        .push(("above", said("For calls with more input tokens than this, for all of their tokens.", refer("count"))));
    object(fields, &["above"])
}
