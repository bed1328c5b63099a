use super::table::{Row, Table};
use super::*;
use crate::host::Verified;
use crate::http::Headers;
use crate::secret::Digest;
use std::cell::Cell;

const KEY: &str = "slu_test-key";

fn hash(key: &str) -> String {
    Digest::of(key.as_bytes()).hex()
}

fn key(key: &str) -> Key {
    Key { sha256: hash(key), ..Key::default() }
}

fn named(name: &str) -> Written {
    Written { name: name.to_owned(), ..Written::default() }
}

fn search() -> Written {
    Written { team: Some("search".into()), keys: vec![key(KEY)], ..named("search-prod") }
}

fn all(written: &[Written], sources: Vec<Source>) -> Consumers {
    Consumers::new(written, sources, None).unwrap()
}

fn headers(all: &[(&str, &str)]) -> Headers {
    Headers::new(all.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect())
}

/// What Envoy would say, and how often it was asked.
#[derive(Default)]
struct Envoy {
    claims: Option<&'static str>,
    peer: Option<&'static str>,
    asked: Cell<u32>,
}

impl Verified for Envoy {
    fn claim(&self, path: &[String]) -> Option<String> {
        self.asked.update(|asked| asked.saturating_add(1));
        claim(self.claims?, path)
    }

    fn peer(&self) -> Option<String> {
        self.asked.update(|asked| asked.saturating_add(1));
        self.peer.map(str::to_owned)
    }
}

fn claims(consumer: &str) -> Claims {
    Claims { consumer: vec![consumer.to_owned()], ..Claims::default() }
}

/// Who it is, or the status and the message.
fn who(consumers: &Consumers, sent: &[(&str, &str)], envoy: &Envoy) -> String {
    match consumers.identify(1_000, &mut headers(sent), envoy) {
        Ok(identity) => format!("{} by {:?}", identity.consumer.name, identity.how),
        Err(error) => format!("{} {}", error.status, error.message),
    }
}

#[test]
fn a_key_is_found_in_every_header_that_sdks_use() {
    let consumers = all(&[search()], vec![]);
    for sent in [
        ("authorization", "Bearer slu_test-key"),
        ("authorization", "bearer slu_test-key"),
        ("authorization", "BEARER  slu_test-key "),
        ("authorization", "slu_test-key"),
        ("x-api-key", "slu_test-key"),
        ("api-key", "slu_test-key"),
        ("x-goog-api-key", "slu_test-key"),
    ] {
        assert_eq!(who(&consumers, &[sent], &Envoy::default()), "search-prod by Key", "{sent:?}");
    }
}

#[test]
fn what_is_no_known_key_is_refused() {
    let consumers = all(&[search()], vec![]);
    let unknown = "401 the credential is not known here";
    let none = "401 a credential is needed: none was given";
    let long = "k".repeat(1 << 20);
    for (sent, expected) in [
        (vec![], none),
        (vec![("x-other", KEY)], none),
        (vec![("authorization", "")], none),
        (vec![("authorization", "Bearer ")], none),
        (vec![("authorization", "Bearer")], none),
        (vec![("authorization", "bearer   ")], none),
        (vec![("authorization", "Basic slu_test-key")], unknown),
        (vec![("authorization", "Bearer slu_test-kez")], unknown),
        (vec![("authorization", "Bearer SLU_TEST-KEY")], unknown),
        (vec![("x-api-key", "slu_test-ke")], unknown),
        (vec![("x-api-key", "slu_test-keyy")], unknown),
        (vec![("x-api-key", &long)], unknown),
    ] {
        assert_eq!(who(&consumers, &sent, &Envoy::default()), expected, "{sent:.100?}");
    }
    // The hash itself is no key.
    assert_eq!(who(&consumers, &[("x-api-key", &hash(KEY))], &Envoy::default()), unknown);
    assert_eq!(who(&all(&[], vec![]), &[("x-api-key", KEY)], &Envoy::default()), unknown);
}

#[test]
fn an_error_tells_its_kind_and_nothing_of_the_key() {
    let consumers = all(&[search()], vec![]);
    let sent = &mut headers(&[("x-api-key", "sk-very-secret")]);
    let error = consumers.identify(0, sent, &Envoy::default()).unwrap_err();
    assert_eq!(
        (error.kind, error.fault, error.code.as_deref()),
        (Kind::Authentication, Fault::Client, Some("invalid_api_key"))
    );
    assert!(!format!("{error:?}").contains("secret"));
}

#[test]
fn only_the_sources_that_are_named_count() {
    let consumers = all(&[search()], vec![Source::Key(1)]);
    assert_eq!(who(&consumers, &[("x-api-key", KEY)], &Envoy::default()), "search-prod by Key");
    assert_eq!(
        who(&consumers, &[("authorization", "Bearer slu_test-key")], &Envoy::default()),
        "401 a credential is needed: none was given"
    );
    let envoy = Envoy { claims: Some(r#"{"sub":"search-prod"}"#), peer: Some("spiffe://a/b"), ..Envoy::default() };
    assert!(who(&consumers, &[], &envoy).starts_with("401"));
    assert_eq!(envoy.asked.get(), 0, "Envoy is not asked for what no source needs");
}

#[test]
fn the_first_source_that_knows_decides() {
    let consumers = all(&[search(), named("batch")], vec![Source::Key(0), Source::Claims(Box::new(claims("sub")))]);
    let envoy = Envoy { claims: Some(r#"{"sub":"batch"}"#), ..Envoy::default() };
    assert_eq!(who(&consumers, &[("authorization", "Bearer slu_test-key")], &envoy), "search-prod by Key");
    assert_eq!(envoy.asked.get(), 0);
    // A bearer token is no key, and goes on to the claims that were verified of it.
    assert_eq!(who(&consumers, &[("authorization", "Bearer eyJh.eyJi.c2ln")], &envoy), "batch by Claims");
}

#[test]
fn a_new_key_and_an_old_one_are_good_together_until_the_old_one_ends() {
    let old = Key { not_after: Some("1970-01-01T00:00:01Z".into()), ..key("old") };
    let consumers = all(&[Written { keys: vec![old, key("new")], ..named("a") }], vec![]);
    let at = |now, key| consumers.identify(now, &mut headers(&[("x-api-key", key)]), &Envoy::default());
    assert!(at(1_999, "old").is_ok() && at(1_999, "new").is_ok());
    assert_eq!(at(2_000, "old").unwrap_err().message, "the credential has expired");
    assert_eq!(at(2_000, "old").unwrap_err().status, 401);
    assert!(at(u64::MAX, "new").is_ok());
}

#[test]
fn a_consumer_that_ended_is_refused_and_a_disabled_one_forbidden() {
    let ended = Written { keys: vec![key("e")], not_after: Some("1970-01-01T00:00:00Z".into()), ..named("ended") };
    let off = Written { keys: vec![key("d")], disabled: true, ..named("off") };
    // Also where anyone may come without a key.
    let anonymous = Anonymous { consumer: named("anyone"), unknown: true };
    let consumers = Consumers::new(&[ended, off], vec![], Some(&anonymous)).unwrap();
    let at = |now, key| consumers.identify(now, &mut headers(&[("x-api-key", key)]), &Envoy::default());
    assert!(at(999, "e").is_ok());
    assert_eq!(at(1_000, "e").unwrap_err().status, 401);
    let error = at(0, "d").unwrap_err();
    assert_eq!(
        (error.status, error.kind, error.message.as_str()),
        (403, Kind::Permission, "this consumer is disabled")
    );
}

#[test]
fn nobody_in_particular_may_call_only_where_that_is_configured() {
    let anyone = Written { tier: Some("free".into()), models: Some(vec!["small-*".into()]), ..named("anyone") };
    for (unknown, expected) in [(false, "401 the credential is not known here"), (true, "anyone by Anonymous")] {
        let anonymous = Anonymous { consumer: anyone.clone(), unknown };
        let consumers = Consumers::new(&[search()], vec![], Some(&anonymous)).unwrap();
        assert_eq!(who(&consumers, &[], &Envoy::default()), "anyone by Anonymous");
        assert_eq!(who(&consumers, &[("x-api-key", "other")], &Envoy::default()), expected);
        assert_eq!(who(&consumers, &[("x-api-key", KEY)], &Envoy::default()), "search-prod by Key");
        let identity = consumers.identify(0, &mut headers(&[]), &Envoy::default()).unwrap();
        assert!(identity.consumer.may_ask("small-1") && !identity.consumer.may_ask("large"));
    }
}

#[test]
fn what_a_caller_was_known_by_goes_no_further() {
    let other = Written { keys: vec![key("other")], ..named("other") };
    let sources = vec![Source::Key(1), Source::Claims(Box::new(claims("sub"))), Source::Header("x-consumer".into())];
    let consumers = all(&[search(), other], sources);
    let left = |sent: &[(&str, &str)], envoy: &Envoy| {
        let mut headers = headers(sent);
        consumers.identify(0, &mut headers, envoy).unwrap();
        headers.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
    };
    let key = ("x-api-key", KEY);
    let none = Envoy::default();
    assert_eq!(left(&[("accept", "*/*"), key], &none), ["accept"]);
    // The same key, and another consumer's, in a header that is no source.
    assert_eq!(left(&[key, ("authorization", "Bearer slu_test-key")], &none), [""; 0]);
    assert_eq!(left(&[key, ("api-key", "other"), ("x-goog-api-key", "AIza")], &none), ["x-goog-api-key"]);
    assert_eq!(left(&[key, ("x-consumer", "other")], &none), [""; 0]);
    // A provider's own key stays, a token that said who it is does not.
    assert_eq!(left(&[key, ("authorization", "Bearer sk-provider")], &none), ["authorization"]);
    let envoy = Envoy { claims: Some(r#"{"sub":"other"}"#), ..Envoy::default() };
    let sent = [("authorization", "Bearer eyJh.eyJi.c2ln"), ("api-key", "azure-key")];
    assert_eq!(left(&sent, &envoy), ["api-key"]);
    assert_eq!(left(&[key, ("authorization", "Bearer eyJh.eyJi.c2ln")], &none), ["authorization"]);
}

#[test]
fn claims_name_a_consumer_of_the_list_by_its_subjects_or_its_name() {
    let mapped = Written { subjects: vec!["auth0|1".into(), "auth0|2".into()], ..named("mapped") };
    let consumers = all(&[mapped, named("plain")], vec![Source::Claims(Box::new(claims("sub")))]);
    for (claims, expected) in [
        (r#"{"sub":"auth0|2","aud":["a"]}"#, "mapped by Claims"),
        (r#"{"sub":"plain"}"#, "plain by Claims"),
        (r#"{"sub":"pl\u0061in"}"#, "plain by Claims"),
        // With subjects of its own, its name is none.
        (r#"{"sub":"mapped"}"#, "401 the credential is not known here"),
        (r#"{"sub":"Plain"}"#, "401 the credential is not known here"),
        (r#"{"sub":""}"#, "401 the credential is not known here"),
        (r#"{"sub":7}"#, "401 a credential is needed: none was given"),
        (r#"{"sub":["plain"]}"#, "401 a credential is needed: none was given"),
        (r#"{"other":"plain"}"#, "401 a credential is needed: none was given"),
        ("not json", "401 a credential is needed: none was given"),
    ] {
        assert_eq!(who(&consumers, &[], &Envoy { claims: Some(claims), ..Envoy::default() }), expected, "{claims}");
    }
    assert!(who(&consumers, &[], &Envoy::default()).starts_with("401"));
}

#[test]
fn claims_may_name_a_consumer_that_is_not_in_the_list() {
    let base = Written { tier: Some("basic".into()), models: Some(vec!["small".into()]), ..named("by-token") };
    let source = Claims {
        consumer: vec!["email".into()],
        team: Some(vec!["https://acme.com/org".into(), "team".into()]),
        tier: Some(vec!["tier".into()]),
        unlisted: Some(base.read("sources[0].claims.unlisted").unwrap()),
    };
    let mapped = Written { subjects: vec!["boss@acme.com".into()], ..named("boss") };
    let public = Anonymous { consumer: named("public"), unknown: false };
    let sources = vec![Source::Claims(Box::new(source))];
    let consumers = Consumers::new(&[mapped], sources, Some(&public)).unwrap();
    let look = |claims| consumers.identify(0, &mut headers(&[]), &Envoy { claims: Some(claims), ..Envoy::default() });

    let identity = look(r#"{"email":"a@acme.com","https://acme.com/org":{"team":"search"},"tier":3}"#).unwrap();
    assert_eq!((&*identity.consumer.name, identity.listed, identity.how), ("a@acme.com", false, How::Claims));
    assert_eq!((identity.consumer.team.as_deref(), identity.consumer.tier.as_deref()), (Some("search"), Some("basic")));
    assert!(identity.consumer.may_ask("small") && !identity.consumer.may_ask("large"));
    assert_eq!(look(r#"{"email":"a@acme.com","tier":"gold"}"#).unwrap().consumer.tier.as_deref(), Some("gold"));
    assert!(look(r#"{"email":"boss@acme.com"}"#).unwrap().listed);
    // A token cannot make itself a consumer of the list, nor all those whom nothing names, nor a name that tears keys or log lines.
    for email in ["boss", "public", "a\\nb", " a", "", &"a".repeat(129)] {
        let claims: &'static str = format!(r#"{{"email":"{email}"}}"#).leak();
        assert_eq!(look(claims).unwrap_err().status, 401, "{email}");
    }
}

#[test]
fn a_certificate_names_a_consumer_by_its_uri_or_the_longest_start_of_it() {
    let peers = |name: &str, peers: &[&str]| Written {
        peers: peers.iter().map(|peer| (*peer).to_owned()).collect(),
        ..named(name)
    };
    let consumers = all(
        &[
            peers("mesh", &["spiffe://cluster.local/*"]),
            peers("search", &["spiffe://cluster.local/ns/search/*", "spiffe://other/ns/search/sa/api"]),
            peers("admin", &["spiffe://cluster.local/ns/search/sa/admin"]),
        ],
        vec![Source::Peer],
    );
    for (uri, expected) in [
        ("spiffe://cluster.local/ns/search/sa/admin", "admin by Peer"),
        ("spiffe://cluster.local/ns/search/sa/admin2", "search by Peer"),
        ("spiffe://cluster.local/ns/search/sa/api", "search by Peer"),
        ("spiffe://other/ns/search/sa/api", "search by Peer"),
        ("spiffe://cluster.local/ns/search-evil/sa/api", "mesh by Peer"),
        ("spiffe://cluster.local/", "mesh by Peer"),
        ("spiffe://cluster.local", "401 the credential is not known here"),
        ("spiffe://cluster.local.evil/ns/search/sa/api", "401 the credential is not known here"),
        ("spiffe://other/ns/search/sa/api/x", "401 the credential is not known here"),
        ("SPIFFE://other/ns/search/sa/api", "401 the credential is not known here"),
        ("", "401 a credential is needed: none was given"),
    ] {
        assert_eq!(who(&consumers, &[], &Envoy { peer: Some(uri), ..Envoy::default() }), expected, "{uri}");
    }
    let long: &'static str = format!("spiffe://cluster.local/{}", "/".repeat(1024)).leak();
    assert!(who(&consumers, &[], &Envoy { peer: Some(long), ..Envoy::default() }).starts_with("401"));
}

#[test]
fn a_trusted_header_names_a_consumer_exactly_and_once() {
    let consumers = all(&[search()], vec![Source::Header("x-consumer".into())]);
    let unknown = "401 the credential is not known here";
    for (sent, expected) in [
        (vec![("x-consumer", "search-prod")], "search-prod by Header"),
        (vec![("x-consumer", "Search-prod")], unknown),
        (vec![("x-consumer", "search-prod,other")], unknown),
        (vec![("x-consumer", "search-prod"), ("x-consumer", "search-prod")], unknown),
        (vec![("x-consumer", ""), ("x-consumer", "search-prod")], unknown),
        (vec![("x-consumer", "")], "401 a credential is needed: none was given"),
    ] {
        assert_eq!(who(&consumers, &sent, &Envoy::default()), expected, "{sent:?}");
    }
    let mut bytes = Headers::new(vec![("x-consumer".into(), vec![0xff])]);
    assert!(consumers.identify(0, &mut bytes, &Envoy::default()).is_err());
}

#[test]
fn the_allow_lists_are_exact_to_the_byte() {
    let some = |all: &[&str]| Some(all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
    let written = Written {
        models: some(&["gpt-4o", "claude-*"]),
        targets: some(&["gpt-4o-2024-*", "claude-*"]),
        regions: some(&["eu-west-1"]),
        ..named("a")
    };
    let consumer = written.read("a").unwrap();
    for (asked, target, region, expected) in [
        ("gpt-4o", "gpt-4o-2024-11-20", Some("eu-west-1"), true),
        ("claude-3", "claude-3", Some("eu-west-1"), true),
        ("claude-", "claude-", Some("eu-west-1"), true),
        ("gpt-4o-mini", "gpt-4o-2024-11-20", Some("eu-west-1"), false),
        ("GPT-4o", "gpt-4o-2024-11-20", Some("eu-west-1"), false),
        ("gpt-4o ", "gpt-4o-2024-11-20", Some("eu-west-1"), false),
        ("gpt-4o\0", "gpt-4o-2024-11-20", Some("eu-west-1"), false),
        ("gpt-4о", "gpt-4o-2024-11-20", Some("eu-west-1"), false),
        ("", "gpt-4o-2024-11-20", Some("eu-west-1"), false),
        ("claude", "claude-3", Some("eu-west-1"), false),
        ("gpt-4o", "gpt-5", Some("eu-west-1"), false),
        ("gpt-4o", "gpt-4o-2024-11-20", Some("us-east-1"), false),
        ("gpt-4o", "gpt-4o-2024-11-20", Some("eu-west-11"), false),
        ("gpt-4o", "gpt-4o-2024-11-20", None, false),
    ] {
        assert_eq!(consumer.may_use(asked, target, region), expected, "{asked} {target} {region:?}");
    }
    // Where a name that may be asked for leads, the configuration decides.
    let free = Written { models: some(&["gpt-4o"]), ..named("a") }.read("a").unwrap();
    assert!(free.may_use("gpt-4o", "my-deployment", None) && !free.may_use("other", "my-deployment", None));
    assert!(named("a").read("a").unwrap().may_use("anything", "at all", Some("anywhere")));
    let error = consumer.refusal("gpt-5\n\u{7f}");
    assert_eq!((error.status, error.param.as_deref()), (403, Some("model")));
    assert!(!error.message.contains(char::is_control) && error.message.contains("`gpt-5`"));
}

#[test]
fn labels_are_looked_up_by_name() {
    let labels = [("env", "prod"), ("cost-centre", "42")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let consumer = Written { labels: labels.to_vec(), ..named("a") }.read("a").unwrap();
    assert_eq!(
        (consumer.label("cost-centre"), consumer.label("env"), consumer.label("x")),
        (Some("42"), Some("prod"), None)
    );
}

/// Keys before, at, between and after every row.
#[test]
fn every_row_is_found_and_nothing_else() {
    let digest = |n: u16| {
        let mut bytes = [0; 32];
        bytes[30..].copy_from_slice(&n.to_be_bytes());
        Digest::from_bytes(bytes)
    };
    for count in 0..=40_u16 {
        let mut table = Table::default();
        // In an order that is none: 41 shares no divisor with any of the counts.
        for at in (0..count).map(|at| at * 41 % count) {
            let row = Row { digest: digest(at * 2 + 1), consumer: usize::from(at), not_after: None };
            assert!(table.insert(row));
            assert!(!table.insert(row), "twice");
        }
        for n in 0..=count * 2 + 1 {
            let expected = (n % 2 == 1 && n < count * 2).then(|| usize::from(n / 2));
            assert_eq!(table.find(&digest(n)).map(|row| row.consumer), expected, "{n} of {count}");
        }
    }
}

#[test]
fn a_moment_is_the_end_of_what_is_written() {
    const DAY: u64 = 86_400_000;
    for (text, expected) in [
        ("1970-01-01", DAY - 1),
        ("1970-01-01T00:00:00Z", 999),
        ("1970-01-02T01:02:03Z", DAY + 3_723_999),
        ("1972-02-29", 790 * DAY - 1),
        ("2000-02-29", 11_017 * DAY - 1),
        ("2000-03-01", 11_018 * DAY - 1),
        ("2026-12-31", 20_819 * DAY - 1),
        ("2026-12-31T23:59:59Z", 20_819 * DAY - 1),
        ("2100-02-28", 47_541 * DAY - 1),
        ("2100-03-01", 47_542 * DAY - 1),
        ("9999-12-31", 2_932_897 * DAY - 1),
    ] {
        assert_eq!(end_of(text), Some(expected), "{text}");
    }
    for text in [
        "",
        "2026",
        "2026-13-01",
        "2026-00-01",
        "2026-01-00",
        "2026-02-29",
        "2100-02-29",
        "2026-04-31",
        "1969-12-31",
        "26-01-01",
        "2026-1-1",
        "2026-01-01T",
        "2026-01-01T00:00:00",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:00+01:00",
        "2026-01-01 00:00:00Z",
        "+026-01-01",
        "2026-01-01-01",
    ] {
        assert_eq!(end_of(text), None, "{text}");
    }
}

#[test]
fn every_mistake_is_told_with_its_path() {
    let sources = |source: Source| (vec![search()], vec![source], None);
    let consumer = |written: Written| (vec![search(), written], vec![], None);
    let strings = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let peers = |uri: &str| consumer(Written { peers: strings(&[uri]), ..named("a") });
    let anonymous = |consumer: Written| (vec![search()], vec![], Some(Anonymous { consumer, unknown: false }));
    let cases = [
        (consumer(named("")), "consumers[1].name: must have 1 to 128 bytes"),
        (consumer(named("a\nb")), "consumers[1].name: must have 1 to 128 bytes"),
        (consumer(named("search-prod")), "consumers[1].name: is there already"),
        (consumer(Written { team: Some(" x".into()), ..named("a") }), "consumers[1].team: must have"),
        (consumer(Written { tier: Some(String::new()), ..named("a") }), "consumers[1].tier: must have"),
        (consumer(Written { keys: vec![key(KEY)], ..named("a") }), "consumers[1].keys[0].sha256: is there already"),
        (
            consumer(Written { keys: vec![Key { sha256: KEY.into(), ..Key::default() }], ..named("a") }),
            "consumers[1].keys[0].sha256: must be the 64 hexadecimal digits",
        ),
        (
            consumer(Written { keys: vec![Key { not_after: Some("soon".into()), ..key("x") }], ..named("a") }),
            "consumers[1].keys[0].not_after: must be a day",
        ),
        (consumer(Written { not_after: Some("soon".into()), ..named("a") }), "consumers[1].not_after: must be a day"),
        (
            consumer(Written { keys: (0..101).map(|n| key(&n.to_string())).collect(), ..named("a") }),
            "consumers[1].keys: has too many entries",
        ),
        (consumer(Written { models: Some(vec![]), ..named("a") }), "consumers[1].models: must not be empty"),
        (
            consumer(Written { models: Some(strings(&["a*b"])), ..named("a") }),
            "consumers[1].models[0]: may have one \"*\", at its end",
        ),
        (
            consumer(Written { targets: Some(strings(&["a", "b**"])), ..named("a") }),
            "consumers[1].targets[1]: may have",
        ),
        (consumer(Written { regions: Some(strings(&[""])), ..named("a") }), "consumers[1].regions[0]: must have"),
        (
            consumer(Written { labels: vec![("a".into(), "1".into()), ("a".into(), "2".into())], ..named("a") }),
            "consumers[1].labels.a: is there already",
        ),
        (
            consumer(Written { subjects: strings(&["search-prod"]), ..named("a") }),
            "consumers[1].subjects[0]: is there already",
        ),
        (peers("spiffe://a/b*"), "consumers[1].peers[0]: must be a URI"),
        (peers("spiffe://*"), "consumers[1].peers[0]: must be a URI"),
        (peers("spiffe:///*"), "consumers[1].peers[0]: must be a URI"),
        (peers("*"), "consumers[1].peers[0]: must be a URI"),
        (peers("a/b"), "consumers[1].peers[0]: must be a URI"),
        (peers("spiffe://a/ b"), "consumers[1].peers[0]: must be a URI"),
        (
            consumer(Written { peers: strings(&["spiffe://a/b", "spiffe://a/b"]), ..named("a") }),
            "consumers[1].peers[1]: is there already",
        ),
        (sources(Source::Key(4)), "sources[0]: no such header for keys"),
        (sources(Source::Header("X-Consumer".into())), "sources[0].header: is no header name in lower case"),
        (sources(Source::Header(":path".into())), "sources[0].header: is no header name in lower case"),
        (sources(Source::Header("authorization".into())), "sources[0].header: cannot name a consumer"),
        (sources(Source::Header("x-sluice-team".into())), "sources[0].header: cannot name a consumer"),
        (sources(Source::Claims(Box::default())), "sources[0].claims.consumer: must be the path to a claim"),
        (
            sources(Source::Claims(Box::new(Claims { team: Some(strings(&["a", ""])), ..claims("sub") }))),
            "sources[0].claims.team: must be the path to a claim",
        ),
        ((vec![], vec![Source::Peer, Source::Peer], None), "sources[1]: is there already"),
        (anonymous(search()), "anonymous: must not have keys, subjects or peers"),
        (anonymous(named("search-prod")), "anonymous.name: is the name of a consumer"),
        (anonymous(named("")), "anonymous.name: must have 1 to 128 bytes"),
    ];
    for ((written, sources, anonymous), expected) in cases {
        let found = Consumers::new(&written, sources, anonymous.as_ref()).err().unwrap_or_default();
        let found: Vec<String> = found.into_iter().map(|(path, message)| format!("{path}: {message}")).collect();
        assert!(found.iter().any(|problem| problem.starts_with(expected)), "{expected}\n  found {found:?}");
    }
    assert!(search().read("x").is_err_and(|wrong| wrong[0].0 == "x"));
}

#[test]
fn nothing_that_is_kept_shows_a_key() {
    let consumers = all(&[search()], vec![]);
    let shown = format!("{consumers:?}");
    assert!(!shown.contains(KEY) && !shown.contains(&hash(KEY)), "{shown}");
}
