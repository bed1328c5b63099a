//! `providers`.

use super::{any_case, entries, object, refer, said};
use serde_json::{Map, Value, json};
use sluice::api::APIS;
use sluice::provider::{Kind, PROVIDERS};
use std::collections::BTreeMap;

pub fn definitions() -> Map<String, Value> {
    [("provider", provider()), ("auth", auth())].map(|(name, schema)| (name.to_owned(), schema)).into_iter().collect()
}

fn provider() -> Value {
    let kinds: Vec<&str> = PROVIDERS.iter().map(|kind| kind.name).collect();
    let apis: Vec<&str> = APIS.iter().map(|api| api.name()).collect();
    let reserved = ["host", "content-length", "transfer-encoding", "connection", "content-type"].map(any_case);
    let mut fields = vec![
        (
            "api",
            said(
                "The kind of provider: who serves, and with it the wire format, host, paths and credential.",
                json!({"enum": kinds}),
            ),
        ),
        (
            "apis",
            said(
                "The wire formats it speaks; clients of others are translated to the first. Absent: those of its kind.",
                entries(json!({"enum": apis})),
            ),
        ),
        (
            "host",
            said(
                "Sent as `host`, with a port if needed; absent: the vendor's.",
                json!({"type": "string", "pattern": "^[A-Za-z0-9._:\\[\\]-]+$"}),
            ),
        ),
        (
            "base_path",
            said(
                "What stands before the API's own paths; absent: the vendor's.",
                json!({"type": "string", "pattern": "^(/[!-\"$->@-~]*)?$"}),
            ),
        ),
        (
            "headers",
            said(
                "Sent with every request.",
                json!({
                    "type": "object",
                    "maxProperties": sluice::config::MAX_ENTRIES,
                    "propertyNames": {
                        "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
                        "not": {"pattern": format!("^({}|{}.*)$", reserved.join("|"), any_case("x-sluice-"))},
                    },
                    "additionalProperties": refer("text"),
                }),
            ),
        ),
        ("auth", said("The credential; absent: Envoy adds it.", refer("auth"))),
        ("echo_reasoning", said("It takes thinking back as plain text in the history.", json!({"type": "boolean"}))),
        (
            "unsupported",
            said(
                "What becomes of parameters that this vendor does not support.",
                json!({"enum": ["drop", "refuse", "pass"]}),
            ),
        ),
    ];
    // Kinds by setting, and whether they must have it.
    let mut settings: BTreeMap<&str, Vec<(&Kind, bool)>> = BTreeMap::new();
    for kind in PROVIDERS {
        for setting in kind.settings {
            settings.entry(setting.name).or_default().push((kind, setting.required));
        }
    }
    let mut conditions = Vec::new();
    for (name, kinds) in &settings {
        let all: Vec<&str> = kinds.iter().map(|(kind, _)| kind.name).collect();
        let needing: Vec<&str> = kinds.iter().filter(|(_, required)| *required).map(|(kind, _)| kind.name).collect();
        fields.push((
            name,
            said(&format!("Of {}.", all.join(", ")), json!({"type": "string", "pattern": "^[A-Za-z0-9._:-]+$"})),
        ));
        conditions.push(json!({"if": is_one_of(&all), "else": {"properties": {*name: false}}}));
        if !needing.is_empty() {
            conditions.push(json!({"if": is_one_of(&needing), "then": {"required": [name]}}));
        }
    }
    let anywhere: Vec<&str> = PROVIDERS.iter().filter(|kind| kind.host.is_empty()).map(|kind| kind.name).collect();
    conditions.push(json!({"if": is_one_of(&anywhere), "then": {"required": ["host"]}}));
    let mut schema = object(fields, &["api"]);
    if let Value::Object(members) = &mut schema {
        members.insert("allOf".to_owned(), conditions.into());
    }
    schema
}

fn is_one_of(kinds: &[&str]) -> Value {
    json!({"required": ["api"], "properties": {"api": {"enum": kinds}}})
}

fn auth() -> Value {
    let key = json!({"type": "string", "pattern": "^[!-~]+$"});
    let sealed = json!({"type": "string", "pattern": "^v1\\.[A-Za-z0-9_+/-]{38,}={0,2}$"});
    let mut schema = object(
        vec![
            (
                "env",
                said(
                    "The environment variable that has the key; vm_config.environment_variables must pass it on.",
                    refer("text"),
                ),
            ),
            ("sealed", said("The key, as `sluice seal` printed it for this provider.", sealed)),
            ("value", said("The key itself, which Envoy's /config_dump shows.", key)),
            ("client", said("The client's own key is passed on.", json!({"const": true}))),
        ],
        &[],
    );
    if let Value::Object(members) = &mut schema {
        members.insert("minProperties".to_owned(), 1.into());
        members.insert("maxProperties".to_owned(), 1.into());
    }
    schema
}
