"""`envoy/istio.yaml`: what its patches give to Envoy runs, and is what `envoy.yaml` says. Kubernetes and Istio take no part here."""

import json

import client
import harness
import pytest
import yaml
from test_failover import ASK, OPENAI_OK
from upstream import Answer, Upstream

DOCUMENTS = list(yaml.safe_load_all((harness.ROOT / "envoy/istio.yaml").read_text()))
FILTER = next(each for each in DOCUMENTS if each["kind"] == "EnvoyFilter")
DEPLOYMENT = next(each for each in DOCUMENTS if each["kind"] == "Deployment")
MODULE = "/sluice/sluice.wasm"
PLURAL = {"LISTENER": "listeners", "CLUSTER": "clusters"}


def patched() -> dict:
    """Envoy's configuration: the patches alone, and an admin interface, which Istio's own bootstrap has."""
    config = {"admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}}
    config["static_resources"] = {"listeners": [], "clusters": []}
    for each in FILTER["spec"]["configPatches"]:
        value, operation = each["patch"]["value"], each["patch"]["operation"]
        if each["applyTo"] == "BOOTSTRAP":
            assert operation == "MERGE"
            config.update(value)
        else:
            assert (operation, each["match"]) == ("ADD", {"context": "GATEWAY"})
            config["static_resources"][PLURAL[each["applyTo"]]].append(value)
    return json.loads(json.dumps(config).replace(MODULE, str(harness.MODULE)))


def test_it_differs_from_the_shipped_configuration_in_nothing():
    config, shipped = patched(), harness.shipped("envoy.yaml")
    assert config["static_resources"] == shipped["static_resources"]
    assert config["stats_config"] == shipped["stats_config"]


def test_the_pod_has_what_the_patches_name():
    pod = DEPLOYMENT["spec"]["template"]
    labels = pod["metadata"]["labels"]
    assert FILTER["spec"]["workloadSelector"]["labels"].items() <= labels.items()
    assert DEPLOYMENT["spec"]["selector"]["matchLabels"].items() <= labels.items()
    service, secret = (next(each for each in DOCUMENTS if each["kind"] == kind) for kind in ("Service", "Secret"))
    assert service["spec"]["selector"].items() <= labels.items()
    proxy = pod["spec"]["containers"][0]
    (mount,) = proxy["volumeMounts"]
    assert MODULE.startswith(mount["mountPath"] + "/")
    assert [each["name"] for each in pod["spec"]["volumes"]] == [mount["name"]]
    (copied,) = pod["spec"]["initContainers"]
    assert copied["volumeMounts"][0]["name"] == mount["name"] and copied["command"][-1] == MODULE
    port = harness.listener(patched())["address"]["socket_address"]["port_value"]
    assert service["spec"]["ports"][0]["targetPort"] == proxy["ports"][0]["containerPort"] == port
    assert proxy["envFrom"] == [{"secretRef": {"name": secret["metadata"]["name"]}}]
    for vm in harness.vms(FILTER):
        assert set(vm["environment_variables"]["host_env_keys"]) == set(secret["stringData"])
        assert vm["code"]["local"]["filename"] == MODULE
    assert {each["metadata"].get("namespace") for each in DOCUMENTS[1:]} == {DOCUMENTS[0]["metadata"]["name"]}


@pytest.mark.skipif(not harness.dynamic(), reason="the manifest is for Envoy 1.39 and later")
def test_its_listeners_and_clusters_serve_and_fail_over_when_a_control_plane_gives_them():
    config = patched()
    with Upstream(always=Answer(503, body=b"{}")) as claude, Upstream(always=OPENAI_OK) as openai:
        ports = {"openai": openai.port, "anthropic": claude.port}
        clusters = config["static_resources"]["clusters"]
        config["static_resources"]["clusters"] = [harness.plain(each, each["name"], ports[each["name"]], each["name"]) for each in clusters]
        with harness.Envoy(config, dynamic=True) as envoy:
            got = client.call(envoy.port, body={**ASK, "model": "claude-sonnet-4-5"})
            assert got.status == 200 and got.header("x-sluice-attempts") == "2", got
            assert envoy.tell("/health")
            assert any(";model=claude-sonnet-4-5" in name for name in envoy.counters())
