use super::*;

pub(super) fn provider(kind: &'static Kind, auth: Auth) -> Option<Provider> {
    Some(Provider {
        name: "p".into(),
        kind,
        main: Spoken { api: crate::api::by_name(kind.apis[0].0)?, base_path: kind.apis[0].1.into() },
        others: Vec::new(),
        host: kind.host.into(),
        settings: Vec::new(),
        headers: vec![("x-extra".into(), "1".into())],
        auth,
        echo_reasoning: false,
        unsupported: None,
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
        assert!(!kind.apis.is_empty(), "{}", kind.name);
        for task in kind.tasks {
            assert!(crate::task::by_name(task).is_some(), "{}: {task}", kind.name);
        }
        let settings = |template: &str| {
            template.split('{').skip(1).map(|rest| rest.split('}').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        for (api, base_path) in kind.apis {
            assert!(crate::api::by_name(api).is_some(), "{}", kind.name);
            assert!(base_path.is_empty() || base_path.starts_with('/') && !base_path.ends_with('/'), "{}", kind.name);
            for name in settings(base_path).iter().chain(&settings(kind.host)) {
                let name = name.trim_matches(['-', '.']);
                let known = kind.settings.iter().find(|setting| setting.name == name);
                assert!(known.is_some_and(|setting| setting.required), "{}: {name}", kind.name);
            }
        }
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
