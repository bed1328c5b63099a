use super::*;

fn shipped(name: &str) -> String {
    let path = format!("{}/../envoy/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

fn lines(name: &str, text: &str) -> Vec<String> {
    match file(name, text, Strictness::Ignore) {
        Ok(report) => report.findings.iter().map(ToString::to_string).collect(),
        Err(message) => vec![message],
    }
}

#[test]
fn the_shipped_configurations_have_nothing_wrong_with_them() {
    for name in ["envoy.yaml", "envoy-static-failover.yaml"] {
        let report = file(name, &shipped(name), Strictness::Ignore).unwrap();
        assert_eq!(
            (report.gateways, report.providers, report.findings.len()),
            (1, 2, 0),
            "{name}: {:?}",
            report.findings
        );
    }
}

/// The line of a text's first occurrence, as it is told.
fn line_of(text: &str, what: &str) -> String {
    let before = text.split(what).next().unwrap_or_default();
    format!("{}:", before.lines().count().max(1))
}

#[test]
fn what_does_not_fit_in_envoys_configuration_is_told_with_its_place() {
    let yaml = shipped("envoy.yaml");
    // What is changed to what, where it is told, and what is told.
    let cases = [
        (
            "targets: &openai_first",
            "tragets: &openai_first",
            "tragets:",
            "models[0].tragets: no such field; did you mean \"targets\"?",
        ),
        ("api: openai, auth", "api: opnai, auth", "api: opnai", "providers.openai.api: no such value \"opnai\""),
        (
            "[OPENAI_API_KEY, ANTHROPIC_API_KEY]",
            "[OPENAI_API_KEY]",
            "env: ANTHROPIC_API_KEY",
            "providers.anthropic.auth.env: the environment variable ANTHROPIC_API_KEY is not set, or vm_config.environment_variables does not pass it on",
        ),
        (
            "{provider: openai}\n",
            "{provider: openai, cluster: other}\n",
            "cluster: other",
            "warning: models[0].targets[0].cluster: there is no cluster \"other\" in this file",
        ),
        (
            "{provider: openai}\n",
            "{provider: openai, cluster: other}\n",
            "cluster: other",
            "warning: models[0].targets[0].cluster: the route at line ROUTE cannot choose the cluster \"other\"",
        ),
        (
            "typed_extension_protocol_options: *provider_http",
            "http2_protocol_options: {}",
            "provider: anthropic, model",
            "warning: models[0].targets[1]: the cluster \"anthropic\" has no filter with `role: provider`",
        ),
        (
            "{sluice: {provider: anthropic}}",
            "{sluice: {provider: antropic}}",
            "antropic",
            "warning: there is no provider \"antropic\" in the gateway's configuration",
        ),
        (
            "value: {role: provider}",
            "value: {role: provider, provider: x}",
            "provider: x",
            "warning: there is no provider \"x\"",
        ),
        ("value: {role: provider}", "value: {role: provider, models: []}", "models: []", "models: no such field"),
        (
            "refresh_cluster_on_retry: true",
            "num_retries: 5",
            "retry_policy:",
            "warning: the route lacks what fail-over needs (\"gpt-4o\" has several targets): `refresh_cluster_on_retry: true`",
        ),
        (
            "retriable_headers:",
            "retriable_status_codes: [503]\n#",
            "retry_policy:",
            "`retriable_headers: [{name: x-sluice-retry, present_match: true}]`",
        ),
        ("reset,retriable-headers", "reset", "retry_policy:", "`retriable-headers` in `retry_on`"),
        ("timeout: 0s  ", "priority: DEFAULT #", "route:", "warning: the route has no `timeout`"),
        (
            "allow_on_headers_stop_iteration: true",
            "name: sluice",
            "config:",
            "warning: `allow_on_headers_stop_iteration: true` is missing",
        ),
        (
            "failure_policy: FAIL_RELOAD",
            "failure_policy: FAIL_OPEN",
            "FAIL_OPEN",
            "warning: FAIL_OPEN lets requests pass",
        ),
        (
            "vm_config: *vm",
            "vm_config: {vm_id: other, code: {}}",
            "vm_config: {vm_id",
            "warning: `vm_config` differs from the gateway's in vm_id, code, environment_variables",
        ),
        ("retry_policy:", "no_retry_policy:", "route:", "(\"gpt-4o\" has several targets): a retry_policy"),
        (
            "role: gateway\n",
            "role: gateway\n                    role: gateway\n",
            "role: gateway\n                    providers",
            "`role` stands twice",
        ),
        (
            "value:\n                    role: gateway",
            "valeu:\n                    role: gateway",
            "configuration:",
            "role: must be given",
        ),
    ];
    for (from, to, at, expected) in cases {
        assert!(yaml.contains(from), "no {from:?}");
        let changed = yaml.replacen(from, to, 1);
        let found = lines("envoy.yaml", &changed);
        let expected = expected.replace("ROUTE", line_of(&changed, "timeout: 0s  ").trim_end_matches(':'));
        assert!(found.iter().any(|line| line.contains(&expected)), "{expected}\n  found {found:#?}");
        // Of a mapping the place is its first line's, wherever its name stands.
        if !at.ends_with(':') {
            let line = line_of(&changed, at);
            let right = found.iter().any(|found| found.starts_with(&line) && found.contains(&expected));
            assert!(right, "{expected} at {line}\n  found {found:#?}");
        }
    }
}

#[test]
fn a_route_by_cluster_header_does_not_fail_over_between_clusters() {
    let yaml = shipped("envoy-static-failover.yaml").replace("cluster: openai-first", "cluster: openai");
    let yaml =
        yaml.replace("{provider: anthropic, cluster: openai,", "{provider: anthropic, cluster: anthropic-first,");
    let found = lines("envoy.yaml", &yaml);
    assert!(found.iter().any(|line| line.contains("with `cluster_header` a retry stays in its cluster")), "{found:#?}");
}

#[test]
fn the_document_may_be_json_text_or_stand_by_itself() {
    let text = r#"{"role": "gateway", "providers": {"openai": {"api": "openai"}},
  "models": [{"name": "gpt-4o", "targets": [{"provider": "opnai"}]}]}"#;
    let expected = r#"models[0].targets[0].provider: no provider "opnai"; did you mean "openai"?"#;
    assert_eq!(lines("a.json", text), [format!("2:58: {expected}")]);
    assert_eq!(lines("-", text), [format!("2:58: {expected}")]);
    let filter = |value: &str| {
        format!(
            "a:\n- \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\n  config:\n    allow_on_headers_stop_iteration: true\n    configuration:\n      \"@type\": type.googleapis.com/google.protobuf.StringValue\n      value: {value}\n"
        )
    };
    let block = filter(&format!("|\n        {}", text.replace("\n  ", "\n          ")));
    assert_eq!(lines("a.yaml", &block), [format!("9:66: {expected}")]);
    let quoted = filter(&format!("'{}'", text.replace('\n', " ")));
    assert_eq!(lines("a.yaml", &quoted), [format!("7:14: {expected}")]);
    // As Istio's EnvoyFilter has it.
    let typed = format!(
        "patch:\n  typed_config:\n    \"@type\": type.googleapis.com/udpa.type.v1.TypedStruct\n    type_url: type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\n    value:\n      config:\n        configuration: {{\"@type\": x/google.protobuf.StringValue, value: '{}'}}\n",
        text.replace('\n', " ")
    );
    assert!(lines("a.yaml", &typed).iter().any(|line| line.ends_with(expected)));
    let plain =
        "role: gateway\nproviders: {openai: {api: openai}}\nmodels:\n- name: gpt-4o\n  targets: [{provider: opnai}]\n";
    assert_eq!(lines("a.yaml", plain), [format!("5:14: {expected}")]);
}

#[test]
fn a_name_that_envoy_takes_as_it_is_written_is_taken_so() {
    let text = "!ignore shared: &no {api: openai}\nrole: gateway\nproviders: {no: *no}\nmodels: [{name: m, targets: [{provider: NAME}]}]\n";
    assert!(lines("a.yaml", &text.replace("NAME", "'no'")).is_empty());
    assert!(lines("a.yaml", &text.replace("NAME", "'false'"))[0].contains("no provider \"false\""));
}

#[test]
fn a_limit_that_holds_for_no_model_is_told() {
    let text = "role: gateway\nproviders: {o: {api: openai}}\nmodels: [{name: gpt-4*, targets: [{provider: o}]}]\nlimits:\n- {name: l, unit: requests, amount: 1, when: {model: [MODEL]}}\nconsumers:\n- {name: c, limits: [{name: own, unit: requests, amount: 1, when: {model: [MODEL]}}]}\n";
    for fits in ["gpt-4o", "gpt-*", "gpt-4*", "gpt-4.1*, other", "'*'"] {
        assert_eq!(lines("a.yaml", &text.replace("MODEL", fits)), Vec::<String>::new(), "{fits}");
    }
    let found = lines("a.yaml", &text.replace("MODEL", "gtp-4*"));
    let expected = "when.model: no entry of `models` fits: the limit holds for no call";
    assert_eq!(
        found,
        [format!("5:47: warning: limits[0].{expected}"), format!("7:68: warning: consumers[0].limits[0].{expected}"),]
    );
}

#[test]
fn a_configuration_of_another_type_is_a_problem() {
    for (configuration, expected) in [
        ("{\"@type\": x/google.protobuf.BytesValue, value: aGk=}", "must be a google.protobuf.Struct"),
        ("{\"@type\": x/google.protobuf.StringValue, value: '{'}", "must be JSON text"),
        ("{\"@type\": x/google.protobuf.Struct}", "role: must be given"),
    ] {
        let text = format!(
            "a: {{\"@type\": x/envoy.extensions.filters.http.wasm.v3.Wasm, config: {{name: sluice, allow_on_headers_stop_iteration: true, configuration: {configuration}}}}}"
        );
        let found = lines("a.yaml", &text);
        assert!(found.len() == 1 && found[0].contains(expected), "{found:?}");
    }
}

#[test]
fn a_file_without_anything_of_sluices_is_told() {
    for text in ["a: 1", "", "[]", "\"@type\": x/envoy.extensions.filters.http.wasm.v3.Wasm\nconfig: {name: other}"] {
        assert!(lines("a.yaml", text)[0].starts_with("nothing of Sluice's is in it"), "{text}");
    }
    assert!(lines("a.yaml", "a: [").len() == 1);
    assert!(lines("a.json", "{\"role\":}")[0].contains("at byte"));
}

#[test]
fn a_sealed_value_is_checked_as_far_as_it_can_be() {
    let document = |sealed: &str| {
        format!(
            "role: gateway\nproviders:\n  openai: {{api: openai, auth: {{sealed: {sealed}}}}}\nmodels: [{{name: m, targets: [{{provider: openai}}]}}]\nseal_key: {{env: SLUICE_TEST_NOT_SET}}\n"
        )
    };
    let check = |sealed: &str, strictness| -> Vec<String> {
        let report = file("a.yaml", &document(sealed), strictness).unwrap();
        report.findings.iter().map(ToString::to_string).collect()
    };
    let good = "v1.AAAAAAAAAAAAAAAAfdeY7z4v3wxEvy9IiEMkAHwh_L4";
    let unset = "3:32: warning: providers.openai.auth.sealed: the environment variable SLUICE_TEST_NOT_SET is not set here: its value is not checked";
    assert_eq!(check(good, Strictness::Warn), [unset]);
    assert!(check(good, Strictness::Ignore).is_empty());
    assert!(
        check(good, Strictness::Here)[0]
            .contains("auth.sealed: the environment variable SLUICE_TEST_NOT_SET is not set")
    );
    let found = check("sk-1", Strictness::Ignore);
    assert_eq!(found, ["3:32: providers.openai.auth.sealed: is no sealed value: `sluice seal` makes one"]);
}

#[test]
fn the_password_of_the_store_is_checked_like_a_key() {
    let text = "role: gateway\nproviders: {openai: {api: openai}}\nmodels: [{name: m, targets: [{provider: openai}]}]\nstore:\n  redis: {cluster: redis, auth: {env: SLUICE_TEST_NOT_SET}}\n";
    let report = file("a.yaml", text, Strictness::Warn).unwrap();
    let found: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    let unset = "5:34: warning: store.redis.auth.env: the environment variable SLUICE_TEST_NOT_SET is not set here: its value is not checked";
    assert_eq!(found, [unset]);
    let sealed = text.replace("env: SLUICE_TEST_NOT_SET", "sealed: v1.AAAAAAAAAAAAAAAAfdeY7z4v3wxEvy9IiEMkAHwh_L4");
    assert!(lines("a.yaml", &sealed).is_empty());
}
