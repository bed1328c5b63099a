use super::*;
use crate::provider::Auth;
use crate::secret::{SealKey, Secret};
use serde_json::{Value, json};

fn env(name: &str) -> Option<String> {
    match name {
        "OPENAI_API_KEY" => Some("sk-1".into()),
        "EMPTY" => Some(String::new()),
        "BROKEN" => Some("sk 1\n".into()),
        _ => None,
    }
}

/// The problems of a good configuration changed at one place.
fn problems(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut document = good();
    change(&mut document);
    match load(document.to_string().as_bytes(), &env) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

fn good() -> Value {
    json!({
        "role": "gateway",
        "providers": {
            "openai": {"api": "openai", "auth": {"env": "OPENAI_API_KEY"}},
            "groq": {"api": "openai", "base_path": "/openai/v1/", "host": "api.groq.com", "auth": {"value": "gsk"}},
            "claude": {"api": "anthropic", "headers": {"X-Extra": "1"}},
        },
        "models": [
            {"name": "gpt-4o", "targets": [{"provider": "openai", "model": "gpt-4o-2024-11-20"}, {"provider": "groq", "cluster": "groq-eu"}]},
            {"name": "claude-*", "targets": [{"provider": "claude"}], "retry_on": ["rate_limit"], "cooldown": "5s"},
            {"name": "*", "direct": true},
        ],
        "first_byte_timeout": "30s",
    })
}

fn policy(document: &Value) -> Policy {
    match load(document.to_string().as_bytes(), &env) {
        Ok(Role::Gateway(policy)) => *policy,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_good_configuration_is_read() {
    let policy = policy(&good());
    let groq = policy.providers.iter().find(|p| &*p.name == "groq").unwrap();
    assert_eq!((groq.host.as_str(), groq.main.base_path.as_str()), ("api.groq.com", "/openai/v1"));
    let claude = policy.providers.iter().find(|p| &*p.name == "claude").unwrap();
    assert_eq!(
        (claude.host.as_str(), claude.headers.clone()),
        ("api.anthropic.com", vec![("x-extra".into(), "1".into())])
    );
    let [gpt, claude, any] = &policy.models[..] else { panic!() };
    assert_eq!(gpt.targets.iter().map(|t| t.cluster.as_str()).collect::<Vec<_>>(), ["openai", "groq-eu"]);
    assert_eq!((gpt.retry.first_byte, gpt.retry.cooldown), (30_000, 10_000));
    assert_eq!((claude.retry.on.clone(), claude.retry.cooldown), (vec![Kind::RateLimit], 5_000));
    assert_eq!((any.direct, any.targets.len()), (true, 3));
}

#[test]
fn numbers_of_a_protobuf_struct_are_whole_numbers() {
    let mut document = good();
    document["max_tokens"] = json!(8192.0);
    assert_eq!(policy(&document).models[0].targets[0].max_tokens, 8192);
}

/// Envoy's YAML makes text of numbers with a point and of whole ones beyond 32 bits.
#[test]
fn numbers_that_envoy_made_text_of_are_numbers() {
    use crate::quota::{Down, Store};
    let with = |amount: &Value, local: &Value| {
        let mut document = good();
        document["max_tokens"] = json!("8192.0");
        document["limits"] =
            json!([{"name": "l", "unit": "tokens", "amount": amount, "window": "1mo", "thresholds": ["50.0"]}]);
        document["store"] = json!({"redis": {"cluster": "r", "down": {"local": local}}});
        document
    };
    for (local, thousandths) in
        [(json!("0.5"), 5), (json!(0.5), 5), (json!("5.0"), 50), (json!(5), 50), (json!(".1"), 1)]
    {
        let policy = policy(&with(&json!("5000000000"), &local));
        let rule = &policy.limits.all[0].rule;
        assert_eq!((rule.amount, rule.store), (5_000_000_000, Store::Fleet(Down::Local(thousandths))), "{local}");
        assert_eq!((rule.thresholds.as_slice(), policy.models[0].targets[0].max_tokens), (&[50][..], 8192));
    }
    for (amount, local) in [("inf", "0.5"), ("NaN", "0.5"), ("5.5", "0.5"), ("-1", "0.5"), ("1e17", "0.5"), ("", "0.5")]
    {
        assert_eq!(
            load(with(&json!(amount), &json!(local)).to_string().as_bytes(), &env).unwrap_err().len(),
            1,
            "{amount}"
        );
    }
    for local in ["nan", "inf", "0", "100.5", "half"] {
        assert_eq!(load(with(&json!(9), &json!(local)).to_string().as_bytes(), &env).unwrap_err().len(), 1, "{local}");
    }
}

#[test]
fn problems_of_consumers_name_the_field_as_it_is_written() {
    let found = problems(|d| {
        let good = "a".repeat(64);
        d["consumers"] = json!([
            {"name": "a", "key_sha256": "9f"},
            {"name": "b", "key_sha256": "9f", "keys": [{"sha256": good}, {"sha256": "8f"}]},
        ]);
        d["authentication"] =
            json!({"sources": ["key", {"header": ":path"}, {"jwt": {"consumer": "a..b"}}, {"key": "x-api-key"}]});
    });
    let paths: Vec<&str> = found.iter().map(|problem| problem.split(": ").next().unwrap()).collect();
    let mut sorted = paths.clone();
    sorted.sort_unstable();
    let expected = [
        "authentication.sources[1].header",
        "authentication.sources[2].jwt.consumer",
        "authentication.sources[3]",
        "consumers[0].key_sha256",
        "consumers[1].key_sha256",
        "consumers[1].keys[1].sha256",
    ];
    assert_eq!(sorted, expected, "{found:?}");
}

#[test]
fn what_is_wrong_with_an_unlisted_caller_names_its_field() {
    let found = problems(|d| {
        let unlisted = json!({"team": " x", "labels": {"l": ""}, "target_models": ["a**"]});
        d["authentication"] = json!({"sources": [{"jwt": {"unlisted": unlisted}}]});
    });
    let mut paths: Vec<&str> = found.iter().map(|problem| problem.split(": ").next().unwrap()).collect();
    paths.sort_unstable();
    let expected =
        ["labels.l", "target_models[0]", "team"].map(|field| format!("authentication.sources[0].jwt.unlisted.{field}"));
    assert_eq!(paths, expected, "{found:?}");
}

#[test]
fn a_price_with_a_mistake_is_still_one() {
    let rates = |input: &str| json!({"input": input, "output": 1});
    for (input, expected) in [
        ("-1", vec!["prices.*.input: must not be negative"]),
        ("1e-10", vec!["prices.*.input: has more than nine digits after the point"]),
        ("1", vec![]),
    ] {
        let found = problems(|d| {
            d["prices"] = json!({"*": rates(input)});
            d["limits"] = json!([{"name": "month", "unit": "usd", "amount": 5, "window": "1mo"}]);
        });
        assert_eq!(found, expected);
    }
}

#[test]
fn limits_are_the_fleets_where_there_is_a_store() {
    use crate::quota::{Down, Store};
    let mut document = good();
    document["limits"] = json!([
        {"name": "a", "unit": "requests", "amount": 1, "window": "1d"},
        {"name": "b", "unit": "requests", "amount": 1, "sliding": "60s"},
        {"name": "c", "unit": "concurrent", "amount": 1, "store": "local"},
        {"name": "d", "unit": "tokens", "amount": 1, "store": "redis"},
    ]);
    document["store"] = json!({"redis": {"cluster": "bridge", "auth": {"env": "OPENAI_API_KEY"}, "username": "me"}});
    for (down, expected) in [
        (json!(null), Down::Deny),
        (json!("deny"), Down::Deny),
        (json!("allow"), Down::Allow),
        (json!({"local": 12.5}), Down::Local(125)),
    ] {
        if !down.is_null() {
            document["store"]["redis"]["down"] = down;
        }
        let policy = policy(&document);
        let stores: Vec<_> = policy.limits.all.iter().map(|limit| limit.rule.store).collect();
        assert_eq!(stores, [Store::Fleet(expected), Store::Local, Store::Local, Store::Fleet(expected)]);
        let redis = policy.store.unwrap();
        assert_eq!((&*redis.cluster, &*redis.prefix, redis.timeout), ("bridge", "sluice:", 1000));
        assert_eq!((&*redis.user, redis.password.unwrap().expose()), ("me", "sk-1"));
    }
}

#[test]
fn mistakes_of_a_store_are_told_with_their_path() {
    let limit = |store: &str| json!([{"name": "a", "unit": "requests", "amount": 1, "sliding": "60s", "store": store}]);
    let check = |store: Value, limits: Value, expected: &[&str]| {
        let told = problems(|d| {
            d["limits"] = limits;
            if !store.is_null() {
                d["store"] = json!({"redis": store});
            }
        });
        assert_eq!(told, expected);
    };
    let none = json!([{"name": "a", "unit": "requests", "amount": 1}]);
    check(json!({}), none.clone(), &["store.redis.cluster: must be given"]);
    check(
        json!({"cluster": "b", "prefix": "{a}", "timeout": "1ms", "down": "alow"}),
        none.clone(),
        &[
            "store.redis.prefix: must be at most 64 bytes, without braces",
            "store.redis.timeout: must be from 10ms to 10s",
            "store.redis.down: no such value \"alow\"; did you mean \"allow\"? (one of: deny, allow)",
        ],
    );
    check(
        json!({"cluster": "b", "down": {"local": 0}}),
        none.clone(),
        &["store.redis.down.local: must be a number of percent, 0.1 to 100"],
    );
    check(json!({"cluster": "b", "username": "me"}), none, &["store.redis.auth: must be given with a username"]);
    check(json!({"cluster": "b"}), limit("redis"), &["limits[0].store: sliding windows are counted in each Envoy"]);
    check(json!(null), limit("redis"), &["limits[0].store: there is no `store` to count in"]);
    check(json!(null), limit("local"), &[]);
}

type Change = fn(&mut Value);

#[test]
fn a_limit_sends_calls_to_another_model_than_all_that_it_holds_for() {
    let to_itself = "limits[0].exceeded: leads to where it comes from: nothing would be limited";
    for (when, expected) in [
        (json!({"model": ["gpt-4o"]}), vec![to_itself]),
        (json!({"model": ["gpt-*"]}), vec![]),
        (json!({"model": ["gpt-4o", "other"]}), vec![]),
        (json!({"tier": ["free"]}), vec![]),
    ] {
        let found = problems(|d| {
            d["models"][0]["name"] = json!("gpt-4o");
            d["limits"] = json!([
                {"name": "l", "unit": "requests", "amount": 1, "when": when, "exceeded": {"route_to": "gpt-4o"}},
            ]);
        });
        assert_eq!(found, expected, "{when}");
    }
}

#[test]
fn every_mistake_is_told_with_its_path() {
    let cases: &[(Change, &str)] = &[
        (
            |d| d["models"][0]["targets"][1]["provider"] = json!("opnai"),
            "models[0].targets[1].provider: no provider \"opnai\"; did you mean \"openai\"?",
        ),
        (|d| d["provders"] = json!(1), "provders: no such field; did you mean \"providers\"?"),
        (|d| d["models"][0]["stratgy"] = json!(1), "models[0].stratgy: no such field; did you mean \"strategy\"?"),
        (|d| d["models"][0]["strategy"] = json!("fast"), "models[0].strategy: no such value \"fast\""),
        (|d| d["models"][1]["name"] = json!("gpt-4o"), "models[1].name: \"gpt-4o\" is there already"),
        (|d| d["models"][0]["name"] = json!("a*b"), "models[0].name: may have one \"*\", at its end"),
        (|d| d["models"][0]["name"] = json!("a**"), "models[0].name: may have one \"*\", at its end"),
        (
            |d| d["limits"] = json!([{"name": "l", "unit": "requests", "amount": 1, "when": {"model": ["gpt-**"]}}]),
            "limits[0].when.model: \"gpt-**\" may have one \"*\", at its end",
        ),
        (|d| d["models"] = json!([]), "models: must not be empty"),
        (|d| d["models"][0]["targets"] = json!([]), "models[0].targets: must not be empty"),
        (|d| d["models"] = json!("x"), "models: must be a list, not a string"),
        (|d| d["providers"] = json!({}), "providers: must have 1 to 1000 entries"),
        (
            |d| d["providers"]["openai"]["api"] = json!("opnai"),
            "providers.openai.api: no such value \"opnai\"; did you mean \"openai\"?",
        ),
        (
            |d| d["providers"]["openai"]["auth"] = json!({"env": "NOPE"}),
            "providers.openai.auth.env: the environment variable NOPE is not set, or vm_config.environment_variables does not pass it on",
        ),
        (
            |d| d["providers"]["openai"]["auth"] = json!({"env": "EMPTY"}),
            "providers.openai.auth.env: the environment variable EMPTY is empty",
        ),
        (
            |d| d["providers"]["openai"]["auth"] = json!({"env": "BROKEN"}),
            "providers.openai.auth.env: the environment variable BROKEN has a character that no key has",
        ),
        (
            |d| d["providers"]["openai"]["auth"] = json!({}),
            "providers.openai.auth: must have exactly one of: env, value, sealed, client",
        ),
        (
            |d| d["providers"]["openai"]["auth"] = json!({"env": "A", "value": "b"}),
            "providers.openai.auth: must have exactly one of: env, value, sealed, client",
        ),
        (
            |d| d["providers"]["openai"]["host"] = json!("https://x/y"),
            "providers.openai.host: must be a host name, with a port if it needs one: no scheme, no path",
        ),
        (
            |d| d["providers"]["openai"]["base_path"] = json!("v1"),
            "providers.openai.base_path: must be a path that starts with \"/\": no host, no query",
        ),
        (
            |d| d["providers"]["openai"]["headers"] = json!({"a b": "1"}),
            "providers.openai.headers.a b: is no header name",
        ),
        (
            |d| d["providers"]["openai"]["headers"] = json!({"Content-Length": "1"}),
            "providers.openai.headers.Content-Length: is set by the gateway",
        ),
        (
            |d| d["providers"]["openai"]["headers"] = json!({"a": "1\r\nb: 2"}),
            "providers.openai.headers.a: must not have control characters",
        ),
        (|d| d["models"][1]["retry_on"] = json!(["rate"]), "models[1].retry_on[0]: no such value \"rate\""),
        (|d| d["first_byte_timeout"] = json!("30"), "first_byte_timeout: \"30\" is no duration: 250ms, 30s, 5m, 1h"),
        (|d| d["first_byte_timeout"] = json!(30), "first_byte_timeout: must be a string, not a number"),
        (|d| d["max_tokens"] = json!(0.5), "max_tokens: must be a whole number above 0"),
        (
            |d| d["models"][2]["name"] = json!("gemini/*"),
            "models[2].name: a direct entry is \"*\" or \"provider/…\", and there is no provider \"gemini\"",
        ),
        (
            |d| d["models"][2]["targets"] = json!([{"provider": "openai"}]),
            "models[2].targets: a direct entry has none: the request's model names the provider",
        ),
        (|d| d["other_paths"] = json!({"provider": "x"}), "other_paths.provider: no provider \"x\""),
        (|d| d["role"] = json!("gatway"), "role: no such value \"gatway\"; did you mean \"gateway\"?"),
        (
            |d| d["models"][0]["targets"][1] = d["models"][0]["targets"][0].clone(),
            "models[0].targets[1]: is there already",
        ),
    ];
    for (change, expected) in cases {
        let found = problems(change);
        assert!(found.iter().any(|problem| problem.starts_with(expected)), "{expected}\n  found {found:?}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let found = problems(|d| {
        d["models"][0]["targets"][0]["provider"] = json!("x");
        d["models"][1]["cooldown"] = json!("soon");
        d["providers"]["claude"]["api"] = json!(7);
    });
    assert!(found.len() >= 3, "{found:?}");
}

#[test]
fn a_name_that_stands_twice_in_json_text_is_told() {
    let text = good().to_string().replacen("\"api\":", "\"api\":\"openai\",\"api\":", 1);
    let text = text.replacen("{\"direct\":true", "{\"direct\":true,\"dire\\u0063t\":7", 1);
    let found: Vec<String> = load(text.as_bytes(), &env).unwrap_err().iter().map(ToString::to_string).collect();
    let expected = [
        "models[2].direct: stands twice",
        "providers.claude.api: stands twice",
        "models[2].direct: must be true or false, not a number",
    ];
    assert_eq!(found[..3], expected, "{found:?}");
}

#[test]
fn what_is_no_mapping_is_told_with_the_place_in_its_text() {
    let told = |text: &str| load(text.as_bytes(), &env).unwrap_err()[0].to_string();
    let other = "must be a mapping: a google.protobuf.Struct, or JSON text (";
    for text in ["role: gateway", "{\"role\":}"] {
        assert!(told(text).starts_with(other) && told(text).contains(" at byte "), "{}", told(text));
    }
    assert_eq!(told("[]"), "must be a mapping, not a list");
}

#[test]
fn entries_and_problems_have_a_limit() {
    let many = |count: usize| (0..count).map(|n| (format!("x-{n}"), json!("v"))).collect::<serde_json::Map<_, _>>();
    let headers = |count| problems(|d| d["providers"]["claude"]["headers"] = Value::Object(many(count)));
    assert_eq!(headers(1000), Vec::<String>::new());
    assert_eq!(headers(2000), ["providers.claude.headers: has more than 1000 entries"]);
    let providers = problems(|d| d["providers"] = Value::Object(many(1001)));
    assert_eq!(providers[0], "providers: must have 1 to 1000 entries");
    let wrong = problems(|d| d["models"] = json!(vec![json!({"targets": 1, "name": 2}); 1000]));
    assert_eq!((wrong.len(), wrong[1000].as_str()), (1001, "there are more problems than these"));
}

#[test]
fn no_document_of_any_shape_is_more_than_refused() {
    for document in [
        "",
        "{",
        "[]",
        "null",
        "1",
        "{\"role\":1}",
        "{\"role\":\"gateway\",\"providers\":{\"a\":[]},\"models\":[[],{}]}",
    ] {
        assert!(load(document.as_bytes(), &env).is_err(), "{document}");
    }
}

#[test]
fn the_role_in_a_cluster_may_name_its_provider() {
    let load = |text: &str| load(text.as_bytes(), &env);
    assert!(matches!(load(r#"{"role":"provider"}"#), Ok(Role::Provider { provider: None })));
    assert!(
        matches!(load(r#"{"role":"provider","provider":"p"}"#), Ok(Role::Provider { provider: Some(p) }) if p == "p")
    );
    assert!(load(r#"{"role":"provider","models":[]}"#).is_err());
}

/// `sk-1` for the provider `openai`, with the bytes 0 to 31 as key and a nonce of zeros.
const SEALED: &str = "v1.AAAAAAAAAAAAAAAAfdeY7z4v3wxEvy9IiEMkAHwh_L4";
const SEAL_HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn with_sealed(
    provider: &str,
    sealed: &str,
    more: Value,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Policy, String> {
    let mut document = json!({"role": "gateway", "models": [{"name": "m", "targets": [{"provider": provider}]}]});
    document["providers"][provider] = json!({"api": "openai", "auth": {"sealed": sealed}});
    document.as_object_mut().unwrap().append(more.as_object().cloned().as_mut().unwrap());
    match load(document.to_string().as_bytes(), env) {
        Ok(Role::Gateway(policy)) => Ok(*policy),
        Ok(_) => panic!("no gateway"),
        Err(problems) => Err(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

#[test]
fn a_sealed_credential_opens_for_its_provider_with_the_key_from_the_environment() {
    let key = |policy: Policy| match &policy.providers[0].auth {
        Auth::Key(secret) => secret.expose().to_owned(),
        other => panic!("{other:?}"),
    };
    let usual = |name: &str| (name == SEAL_KEY).then(|| SEAL_HEX.to_owned());
    assert_eq!(with_sealed("openai", SEALED, json!({}), &usual).map(key).as_deref(), Ok("sk-1"));
    let base64 = |name: &str| (name == "OTHER").then(|| "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n".to_owned());
    let named = json!({"seal_key": {"env": "OTHER"}});
    assert_eq!(with_sealed("openai", SEALED, named, &base64).map(key).as_deref(), Ok("sk-1"));
}

#[test]
fn a_sealed_credential_that_does_not_open_is_told_with_its_path_and_nothing_of_it() {
    let right = |name: &str| (name == SEAL_KEY).then(|| SEAL_HEX.to_owned());
    let absent = |_: &str| None;
    let short = |_: &str| Some("sk-short-seal-key".to_owned());
    let empty = |_: &str| Some(String::new());
    let other = |_: &str| Some(SEAL_HEX.replace('0', "f"));
    type Env<'a> = &'a dyn Fn(&str) -> Option<String>;
    let cut = &SEALED[..SEALED.len() - 3];
    let refused = "cannot be opened: it was sealed with another key, for another provider, or was changed";
    let form = "is no sealed value: `sluice seal` makes one";
    let unset =
        "the environment variable SLUICE_SEAL_KEY is not set, or vm_config.environment_variables does not pass it on";
    let wrong = "the environment variable SLUICE_SEAL_KEY must be 32 bytes as hexadecimal or base64 text";
    let cases: [(&str, &str, Env<'_>, &str); 9] = [
        ("azure", SEALED, &right, refused),
        ("openai", SEALED, &other, refused),
        ("openai", cut, &right, refused),
        ("openai", "v2.AAAA", &right, form),
        ("openai", "sk-not-sealed", &right, form),
        ("openai", "v1.AAAA", &right, form),
        ("openai", SEALED, &absent, unset),
        ("openai", SEALED, &short, wrong),
        ("openai", SEALED, &empty, "the environment variable SLUICE_SEAL_KEY is empty"),
    ];
    for (provider, sealed, env, expected) in cases {
        let found = with_sealed(provider, sealed, json!({}), env).unwrap_err();
        assert!(
            found.contains(&format!("providers.{provider}.auth.sealed: {expected}")),
            "{expected}\n  found {found}"
        );
        assert!(!found.contains(sealed) && !found.contains("sk-") && !found.contains("0001"), "{found}");
    }
    let broken = seal_text("openai", "sk 1");
    let found = with_sealed("openai", &broken, json!({}), &right).unwrap_err();
    assert!(found.contains("providers.openai.auth.sealed: has a character that no key has"), "{found}");
    assert!(with_sealed("openai", &seal_text("openai", ""), json!({}), &right).is_err());
    for (more, expected) in [
        (json!({"seal_key": "KEY"}), "seal_key: must be a mapping, not a string"),
        (json!({"seal_key": {}}), "seal_key.env: must be given"),
        (json!({"seal_key": {"evn": "KEY"}}), "seal_key.evn: no such field; did you mean \"env\"?"),
        (json!({"seal_key": {"env": 1}}), "seal_key.env: must be a string, not a number"),
    ] {
        let found = with_sealed("openai", SEALED, more, &right).unwrap_err();
        assert!(found.contains(expected), "{expected}\n  found {found}");
    }
}

fn seal_text(provider: &str, plain: &str) -> String {
    crate::secret::seal(&SealKey::parse(SEAL_HEX).unwrap(), provider, [1; 12], &Secret::new(plain)).unwrap()
}

#[test]
fn a_key_is_never_part_of_a_problem_or_of_debug_output() {
    let mut document = good();
    document["providers"]["openai"]["auth"] = json!({"value": "sk-secret with space"});
    let problems = load(document.to_string().as_bytes(), &env).unwrap_err();
    assert!(!format!("{problems:?}").contains("sk-secret"));
    document["providers"]["openai"]["auth"] = json!({"env": "sk-secret"});
    let problems = load(document.to_string().as_bytes(), &env).unwrap_err();
    assert!(problems[0].message.starts_with("the environment variable that is named here is not set"), "{problems:?}");
    assert!(!format!("{:?}", policy(&good())).contains("gsk"));
}

#[test]
fn what_a_provider_speaks_is_its_kinds_or_what_is_named() {
    let speaks = |more: Value| {
        let mut document =
            serde_json::json!({"role": "gateway", "models": [{"name": "m", "targets": [{"provider": "p"}]}]});
        document["providers"]["p"] = more;
        match load(document.to_string().as_bytes(), &|_| None) {
            Ok(Role::Gateway(policy)) => {
                let provider = &policy.providers[0];
                let all = std::iter::once(&provider.main).chain(&provider.others);
                Ok(all.map(|spoken| format!("{} {}", spoken.api.name(), spoken.base_path)).collect::<Vec<_>>())
            }
            Ok(_) => panic!("no gateway"),
            Err(problems) => Err(problems.iter().map(ToString::to_string).collect::<Vec<_>>()),
        }
    };
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(speaks(json(r#"{"api": "anthropic"}"#)).unwrap(), ["anthropic /v1"]);
    let both = speaks(json(r#"{"api": "openai", "host": "h", "base_path": "/x", "apis": ["anthropic", "openai"]}"#));
    assert_eq!(both.unwrap(), ["anthropic /x", "openai /x"]);
    let wrong = speaks(json(r#"{"api": "openai", "apis": ["opnai"], "region": "x"}"#)).unwrap_err();
    assert!(wrong.iter().any(|p| p.starts_with("providers.p.apis[0]: no such value \"opnai\"")), "{wrong:?}");
    assert!(wrong.iter().any(|p| p.starts_with("providers.p.region: no such field")), "{wrong:?}");
}

/// Of each place in the document: gone, and of every other type.
#[test]
fn the_fuzz_function_holds_on_a_configuration_and_its_mutants() {
    fn mutants(value: &Value, make: &mut dyn FnMut(Value)) {
        for other in [Value::Null, json!(-1), json!(1e300), json!(true), json!("x"), json!([1]), json!({"x": [{}]})] {
            make(other);
        }
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let mut rest = members.clone();
                    rest.remove(name);
                    make(Value::Object(rest.clone()));
                    mutants(member, &mut |new| {
                        rest.insert(name.clone(), new);
                        make(Value::Object(rest.clone()));
                    });
                }
            }
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    mutants(item, &mut |new| {
                        let mut items = items.clone();
                        items[at] = new;
                        make(Value::Array(items));
                    });
                }
            }
            _ => {}
        }
    }
    let mut document = good();
    document["limits"] = json!([{"name": "l", "by": ["header:x-a"], "unit": "usd", "amount": 5.5, "window": "1d", "when": {"model": ["*"]}}]);
    document["prices"] =
        json!({"gpt-*": {"input": 2.5, "output": 10, "tiers": [{"above": 9, "input": 1, "output": 2}]}});
    document["consumers"] = json!([{"name": "c", "key_sha256": "9f", "models": ["*"], "tier": "t"}]);
    document["store"] = json!({"redis": {"cluster": "r", "down": {"local": 0.5}, "timeout": "1s"}});
    let mut count = 0;
    mutants(&document, &mut |mutant| {
        count += 1;
        fuzz_config(mutant.to_string().as_bytes());
    });
    assert!(count > 500, "{count}");
    let wire = fuzz::fields(&document);
    for at in 0..wire.len() {
        fuzz_config(&wire[..at]);
        fuzz_config(&[&wire[..at], b"\x7f", &wire[at + 1..]].concat());
    }
}
