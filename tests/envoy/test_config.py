"""A wrong configuration is refused by `envoy --mode validate`, with the path of the field; the shipped ones are taken."""

import copy
import json
import time

import harness
import pytest


def test_the_shipped_configuration_is_valid():
    result = harness.validate(harness.shipped())
    assert result.returncode == 0, result.stderr


def test_the_static_configuration_is_valid():
    result = harness.validate(harness.shipped("envoy-static-failover.yaml"))
    assert result.returncode == 0, result.stderr


def test_both_configurations_differ_only_where_they_must():
    dynamic, static = harness.shipped("envoy.yaml"), harness.shipped("envoy-static-failover.yaml")
    for config in (dynamic, static):
        route = harness.route(config)
        for name in ("inline_cluster_specifier_plugin", "cluster_header"):
            route.pop(name, None)
        harness.hcm(config)["route_config"]["virtual_hosts"][0]["routes"][0].pop("request_body_buffer_limit")
        for name in ("refresh_cluster_on_retry", "retry_priority"):
            route["retry_policy"].pop(name, None)
        for model in harness.gateway(config)["models"]:
            for target in model["targets"]:
                target.pop("cluster", None)
        config["static_resources"].pop("clusters")
    assert dynamic == static


def test_a_missing_key_is_refused():
    result = harness.validate(harness.shipped(), keys={"OPENAI_API_KEY": "sk"})
    assert result.returncode != 0
    assert "providers.anthropic.auth.env" in result.stderr and "ANTHROPIC_API_KEY" in result.stderr


def at(path: list, value):
    """An edit: sets the member at `path`, or removes it when the value is `...`."""

    def edit(document):
        for step in path[:-1]:
            document = document[step]
        if value is ...:
            del document[path[-1]]
        else:
            document[path[-1]] = value

    return edit


BAD = {
    "unknown field": (at(["modles"], []), "modles"),
    "unknown provider": (at(["models", 2, "targets", 0, "provider"], "opnai"), 'models[2].targets[0].provider: no provider "opnai"; did you mean "openai"?'),
    "unknown api": (at(["providers", "openai", "api"], "opnai"), "providers.openai.api"),
    "no models": (at(["models"], []), "models"),
    "no providers": (at(["providers"], {}), "providers"),
    "no targets": (at(["models", 0, "targets"], []), "models[0].targets"),
    "duplicate name": (at(["models", 1, "name"], "gpt-4o"), "models[1].name"),
    "name of a wrong type": (at(["models", 0, "name"], 7), "models[0].name"),
    "unknown field of a target": (at(["models", 0, "targets", 0, "modle"], "x"), "models[0].targets[0].modle"),
    "absent environment": (at(["providers", "openai", "auth"], {"env": "NO_SUCH_KEY"}), "providers.openai.auth.env"),
    "two kinds of auth": (at(["providers", "openai", "auth"], {"env": "A", "value": "b"}), "providers.openai.auth"),
    "unknown strategy": (at(["models", 0, "strategy"], "fastst"), "models[0].strategy"),
    "host with a scheme": (at(["providers", "openai", "host"], "https://x"), "providers.openai.host"),
    "unknown role": (at(["role"], "gatewy"), "role"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_configuration_is_refused_with_its_path(case):
    edit, message = BAD[case]
    config = harness.shipped()
    document = {"role": "gateway", **copy.deepcopy(harness.both())}
    edit(document)
    harness.set_gateway(config, document)
    result = harness.validate(config)
    assert result.returncode != 0, "it was taken"
    assert message in result.stderr, result.stderr


def test_what_compiling_the_module_took_goes_back_to_the_system():
    with harness.Envoy(harness.shipped(), concurrency=1) as envoy:
        deadline = time.monotonic() + 20
        while (given_back := int(json.loads(envoy.admin("/memory"))["pageheap_unmapped"])) < 10 << 20:
            assert time.monotonic() < deadline, f"only {given_back} bytes were given back"
            time.sleep(0.1)
