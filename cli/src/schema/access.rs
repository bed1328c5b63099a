//! `authentication` and `consumers`.

use super::{any_case, object, refer, said};
use serde_json::{Map, Value, json};
use sluice::consumer::KEY_HEADERS;

const MAX_NAME: usize = 128;
const MAX_EACH: usize = 100;

pub fn definitions() -> Map<String, Value> {
    let all = [
        ("authentication", authentication()),
        ("source", source()),
        ("claims", claims()),
        ("claim", claim()),
        ("consumer", consumer()),
        ("anonymous", anonymous()),
        ("key", key()),
        (
            "name",
            json!({
                "type": "string", "maxLength": MAX_NAME,
                "pattern": "^[^\\s\\u0000-\\u001f\\u007f-\\u009f]([^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f])?$",
            }),
        ),
        ("digest", json!({"type": "string", "pattern": "^[0-9A-Fa-f]{64}$"})),
        (
            "moment",
            json!({
                "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?$",
                "examples": ["2027-01-31", "2027-01-31T12:00:00Z"],
            }),
        ),
    ];
    all.map(|(name, schema)| (name.to_owned(), schema)).into_iter().collect()
}

fn authentication() -> Value {
    object(
        vec![
            (
                "sources",
                said(
                    "Asked in order; the first that knows the caller decides. Absent: keys.",
                    each(refer("source"), 16),
                ),
            ),
            ("anonymous", said("What callers are who present nothing; absent: refused.", refer("anonymous"))),
        ],
        &[],
    )
}

fn source() -> Value {
    let one = object(
        vec![
            ("key", said("A key in this header alone.", json!({"enum": KEY_HEADERS}))),
            ("jwt", said("Claims of a token that Envoy's jwt_authn verified.", refer("claims"))),
            ("header", said("A header that a trusted hop sets.", header())),
        ],
        &[],
    );
    let Value::Object(mut one) = one else { return one };
    one.insert("minProperties".to_owned(), 1.into());
    one.insert("maxProperties".to_owned(), 1.into());
    json!({"anyOf": [{"enum": ["key", "peer"]}, one]})
}

fn claims() -> Value {
    object(
        vec![
            ("consumer", said("The claim that names the caller; `sub` unless given.", refer("claim"))),
            ("team", said("The claim that names the team.", refer("claim"))),
            ("tier", said("The claim that names the tier.", refer("claim"))),
            ("unlisted", said("What a caller gets whom only a token names; absent: refused.", object(who(), &[]))),
        ],
        &[],
    )
}

fn claim() -> Value {
    let path = "^[^.\\u0000-\\u001f\\u007f-\\u009f]+(\\.[^.\\u0000-\\u001f\\u007f-\\u009f]+){0,7}$";
    json!({
        "anyOf": [{"type": "string", "pattern": path}, each(refer("text"), 8)],
        "description": "org.team, or a list where a name has a dot itself.",
    })
}

/// Of a name that a hop tells: those of credentials and of the gateway mean something else.
fn header() -> Value {
    let taken: Vec<String> = KEY_HEADERS.iter().map(|name| any_case(name)).collect();
    let taken = format!("^({}|{}.*)$", taken.join("|"), any_case("x-sluice-"));
    json!({
        "type": "string", "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", "maxLength": MAX_NAME, "not": {"pattern": taken},
    })
}

/// Names, or the beginnings of some.
fn patterns() -> Value {
    each(json!({"allOf": [refer("name"), refer("pattern")]}), MAX_EACH)
}

fn names() -> Value {
    each(refer("name"), MAX_EACH)
}

fn each(items: Value, most: usize) -> Value {
    json!({"type": "array", "minItems": 1, "maxItems": most, "items": items})
}

/// What there is of a consumer without a name.
fn who() -> Vec<(&'static str, Value)> {
    vec![
        ("team", said("Limits and the log go by it.", refer("name"))),
        ("tier", said("Limits go by it.", refer("name"))),
        (
            "labels",
            said(
                "For limits by `label:NAME`.",
                json!({
                    "type": "object", "maxProperties": MAX_EACH, "propertyNames": refer("name"),
                    "additionalProperties": refer("name"),
                }),
            ),
        ),
        ("models", said("What may be asked for, `*` at the end allowed; absent: all.", patterns())),
        ("target_models", said("The providers' models that may serve; absent: all.", patterns())),
        ("regions", said("Where a target may compute; absent: anywhere.", names())),
    ]
}

fn named() -> Vec<(&'static str, Value)> {
    let mut fields = who();
    fields.extend([
        ("name", said("Unique; in the log as `consumer`.", refer("name"))),
        ("not_after", said("The last day or moment.", refer("moment"))),
        ("disabled", said("Refused with 403.", json!({"type": "boolean", "default": false}))),
    ]);
    fields
}

fn consumer() -> Value {
    let mut fields = named();
    fields.extend([
        ("key_sha256", said("The SHA-256 of the key, as `sluice key` prints it.", refer("digest"))),
        (
            "keys",
            said(
                "Several keys, so that a new one can be handed out before the old one ends.",
                each(refer("key"), MAX_EACH),
            ),
        ),
        ("subjects", said("What a token's claim says that names it; absent: its name.", names())),
        (
            "peers",
            said(
                "URIs of certificates, or up to a `/` with `*` after it.",
                each(
                    json!({"type": "string", "pattern": "^[!-)+-~]*://[!-)+-~]*[!-)+-.0-~]([!-)+-~]*|[!-)+-~]*/\\*)$"}),
                    MAX_EACH,
                ),
            ),
        ),
        (
            "limits",
            said(
                "Its own limits.",
                json!({"type": "array", "minItems": 1, "maxItems": 16, "items": refer("own_limit")}),
            ),
        ),
    ]);
    object(fields, &["name"])
}

fn anonymous() -> Value {
    let mut fields = named();
    let what = "Also who presents a key that nobody has, such as a provider's own to be passed on.";
    fields.push(("unknown_keys", said(what, json!({"type": "boolean", "default": false}))));
    object(fields, &["name"])
}

fn key() -> Value {
    object(
        vec![
            ("sha256", said("As `sluice key` prints it.", refer("digest"))),
            ("not_after", said("The last day or moment.", refer("moment"))),
        ],
        &["sha256"],
    )
}
