use super::*;

fn provider(kind: &'static Kind, auth: Auth) -> Option<Provider> {
    Some(Provider {
        name: "p".into(),
        kind,
        api: crate::api::by_name(kind.api)?,
        host: kind.host.into(),
        base_path: kind.base_path.into(),
        headers: vec![("x-extra".into(), "1".into())],
        auth,
        echo_reasoning: false,
    })
}

fn client() -> Headers {
    let mut client = Headers::default();
    client.push("authorization", "Bearer client-key");
    client.push("cookie", "c=1");
    client.push("anthropic-beta", "b1");
    client.push("openai-beta", "b2");
    client
}

#[test]
fn every_kind_has_a_name_of_its_own_and_an_api_that_exists() {
    for (i, kind) in PROVIDERS.iter().enumerate() {
        assert!(PROVIDERS[..i].iter().all(|other| other.name != kind.name), "{}", kind.name);
        assert!(crate::api::by_name(kind.api).is_some(), "{}", kind.name);
        assert!(!kind.host.is_empty() && kind.base_path.starts_with('/'), "{}", kind.name);
    }
}

#[test]
fn the_clients_credentials_stay_here_unless_they_are_wanted() {
    for kind in PROVIDERS {
        for same_api in [true, false] {
            for auth in [Auth::Envoy, Auth::Key(Secret::new("own-key"))] {
                let headers = provider(kind, auth).unwrap().request_headers("POST", "/v1/x", &client(), same_api);
                for (name, value) in headers.iter() {
                    let value = String::from_utf8_lossy(value);
                    assert!(!value.contains("client-key") && name != "cookie", "{}: {name}: {value}", kind.name);
                }
            }
            let headers = provider(kind, Auth::Client).unwrap().request_headers("POST", "/v1/x", &client(), same_api);
            assert!(headers.iter().any(|(_, value)| value.ends_with(b"client-key")), "{}", kind.name);
        }
    }
}

#[test]
fn a_beta_header_goes_only_to_the_api_it_is_of() {
    let anthropic = provider(by_name("anthropic").unwrap(), Auth::Envoy).unwrap();
    let same = anthropic.request_headers("POST", "/v1/messages", &client(), true);
    assert_eq!(same.text("anthropic-beta"), Some("b1"));
    assert_eq!(same.text("openai-beta"), None);
    let other = anthropic.request_headers("POST", "/v1/messages", &client(), false);
    assert_eq!(other.text("anthropic-beta"), None);
    assert_eq!(other.text("anthropic-version"), Some("2023-06-01"));
}
