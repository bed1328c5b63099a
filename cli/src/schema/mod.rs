//! `sluice schema`: the configuration as a JSON Schema, for editors. Words that the core has in a list come from that list.

mod access;
mod limits;
mod providers;

use serde_json::{Map, Value, json};
use sluice::config::{MAX_ENTRIES, RETRY_KINDS};
use sluice::route::STRATEGIES;

/// The whole schema, in the draft that editors know best.
pub fn schema() -> Value {
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Sluice",
        "description": "The configuration of Sluice's Wasm filter in Envoy: the gateway role's, the provider role's, or the admin role's.",
        "type": "object",
        "required": ["role"],
        "properties": {"role": {"enum": ["gateway", "provider", "admin"], "description": "What the filter is: the gateway in a listener, a provider in a cluster, what tells of the gateway on a listener of its own."}},
        "if": {"properties": {"role": {"const": "provider"}}},
        "then": refer("provider_role"),
        "else": {
            "if": {"properties": {"role": {"const": "admin"}}},
            "then": object(vec![("role", json!({"const": "admin"}))], &["role"]),
            "else": refer("gateway"),
        },
        "definitions": definitions(),
    })
}

fn definitions() -> Value {
    let mut all = Map::new();
    let texts = [
        ("text", json!({"type": "string", "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]+$"})),
        ("count", json!({"type": "integer", "minimum": 1, "maximum": 9_007_199_254_740_992_u64})),
        (
            "duration",
            json!({"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$", "examples": ["250ms", "30s", "5m", "1h"]}),
        ),
        (
            "pattern",
            json!({"type": "string", "pattern": "^[^*\\u0000-\\u001f\\u007f-\\u009f]*(\\*|[^*\\u0000-\\u001f\\u007f-\\u009f])$"}),
        ),
    ];
    for (name, schema) in texts {
        all.insert(name.to_owned(), schema);
    }
    for (name, schema) in [
        ("gateway", gateway()),
        ("provider_role", provider_role()),
        ("model", model()),
        ("target", target()),
        ("other_paths", other_paths()),
    ] {
        all.insert(name.to_owned(), schema);
    }
    all.extend(providers::definitions());
    all.extend(access::definitions());
    all.extend(limits::definitions());
    Value::Object(all)
}

fn gateway() -> Value {
    let mut fields = vec![
        ("role", json!({"const": "gateway"})),
        (
            "providers",
            said(
                "Who can be asked, by name.",
                json!({
                    "type": "object", "minProperties": 1, "maxProperties": MAX_ENTRIES,
                    "propertyNames": {"pattern": "^[A-Za-z0-9._-]+$"}, "additionalProperties": refer("provider"),
                }),
            ),
        ),
        (
            "seal_key",
            said(
                "The key of sealed credentials.",
                object(
                    vec![(
                        "env",
                        said("The environment variable that has it; SLUICE_SEAL_KEY unless given.", refer("text")),
                    )],
                    &["env"],
                ),
            ),
        ),
        ("models", said("What clients may ask for, and where that leads.", entries(refer("model")))),
        (
            "answer_model",
            said(
                "The model in answers: as the provider names it, or the name that the client sent.",
                json!({"enum": ["provider", "asked"], "default": "provider"}),
            ),
        ),
        (
            "on_loss",
            said(
                "What becomes of a request that a target's API cannot express in full.",
                json!({"enum": ["refuse", "drop"], "default": "refuse"}),
            ),
        ),
        ("other_paths", said("Where paths go that the gateway does not know; absent: 404.", refer("other_paths"))),
        ("authentication", said("Where a caller's name comes from.", refer("authentication"))),
        ("consumers", said("Who may call; absent: everybody.", json!({"type": "array", "items": refer("consumer")}))),
        ("limits", said("Limits and budgets.", entries(refer("limit")))),
        ("store", said("Where limits are counted that several Envoys share.", refer("store"))),
        (
            "ledger",
            said(
                "Whether all calls are added up by day, consumer, team, model and provider.",
                json!({"type": "boolean", "default": true}),
            ),
        ),
        (
            "filter_state",
            said(
                "Whether Envoy's other filters are told of each call, in filter state.",
                json!({"type": "boolean", "default": false}),
            ),
        ),
        (
            "prices",
            said(
                "What upstream models cost, in USD per million tokens.",
                json!({
                    "type": "object", "maxProperties": MAX_ENTRIES, "propertyNames": refer("pattern"), "additionalProperties": refer("price"),
                }),
            ),
        ),
    ];
    fields.extend(retry());
    fields.push(max_tokens());
    object(fields, &["role", "providers", "models"])
}

fn provider_role() -> Value {
    object(
        vec![
            ("role", json!({"const": "provider"})),
            (
                "provider",
                said(
                    "Which provider every attempt in this cluster reaches, unless the host's metadata says otherwise.",
                    refer("text"),
                ),
            ),
        ],
        &["role"],
    )
}

fn model() -> Value {
    let strategies: Vec<&str> = STRATEGIES.iter().map(|strategy| strategy.name()).collect();
    let mut fields = vec![
        ("name", said("An exact name; a prefix and `*`; or `*`. The most specific that fits wins.", refer("pattern"))),
        ("targets", said("The places to try, in order.", entries(refer("target")))),
        ("strategy", said("How the targets are ordered for a call.", json!({"enum": strategies}))),
        (
            "direct",
            said(
                "The client names the provider itself: `provider/model`.",
                json!({"type": "boolean", "default": false}),
            ),
        ),
    ];
    fields.extend(retry());
    fields.push(max_tokens());
    let mut schema = object(fields, &["name"]);
    if let Value::Object(members) = &mut schema {
        members.insert("if".to_owned(), json!({"required": ["direct"], "properties": {"direct": {"const": true}}}));
        members.insert("then".to_owned(), json!({"not": {"required": ["targets"]}}));
        members.insert("else".to_owned(), json!({"required": ["targets"]}));
    }
    schema
}

fn target() -> Value {
    object(
        vec![
            ("provider", said("One of `providers`.", refer("text"))),
            ("cluster", said("Envoy's cluster; the provider's name unless given.", refer("text"))),
            ("model", said("The provider's name for the model; absent: as the client wrote it.", refer("text"))),
            (
                "region",
                said(
                    "Where it computes, for consumers that may use only some regions; else the provider's own.",
                    refer("text"),
                ),
            ),
            max_tokens(),
        ],
        &["provider"],
    )
}

fn other_paths() -> Value {
    object(
        vec![
            ("provider", said("One of `providers`.", refer("text"))),
            ("cluster", said("Envoy's cluster; the provider's name unless given.", refer("text"))),
        ],
        &["provider"],
    )
}

fn retry() -> Vec<(&'static str, Value)> {
    let kinds: Vec<&str> = RETRY_KINDS.iter().map(|kind| kind.name()).collect();
    let most = json!({"type": "array", "maxItems": MAX_ENTRIES, "items": {"enum": kinds}});
    vec![
        ("retry_on", said("After which failures the next target is tried; an empty list: never.", most)),
        ("first_byte_timeout", said("Of a streamed answer: until its first event. 0s: no limit.", refer("duration"))),
        ("answer_timeout", said("Of an answer that is not streamed: in all. 0s: no limit.", refer("duration"))),
        ("cooldown", said("How long a target that failed is left out. 0s: not at all.", refer("duration"))),
    ]
}

fn max_tokens() -> (&'static str, Value) {
    let what = "The limit sent to an API that demands one, and where a limit counts tokens, if the client gives none.";
    ("max_tokens", said(what, refer("count")))
}

fn refer(name: &str) -> Value {
    json!({"$ref": format!("#/definitions/{name}")})
}

/// With a description, which draft 7 ignores beside a `$ref`.
fn said(what: &str, schema: Value) -> Value {
    let mut schema = if schema.get("$ref").is_some() { json!({"allOf": [schema]}) } else { schema };
    if let Value::Object(members) = &mut schema {
        members.insert("description".to_owned(), what.into());
    }
    schema
}

/// A mapping with no field but these.
fn object(fields: Vec<(&str, Value)>, required: &[&str]) -> Value {
    let properties: Map<String, Value> = fields.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

/// A pattern for a word in small or large letters.
fn any_case(word: &str) -> String {
    let both = |letter: char| format!("[{}{letter}]", letter.to_ascii_uppercase());
    word.chars().map(|c| if c.is_ascii_lowercase() { both(c) } else { c.to_string() }).collect()
}

/// A list that is not empty.
fn entries(items: Value) -> Value {
    json!({"type": "array", "minItems": 1, "maxItems": MAX_ENTRIES, "items": items})
}

fn texts() -> Value {
    entries(refer("text"))
}

fn patterns() -> Value {
    entries(refer("pattern"))
}
