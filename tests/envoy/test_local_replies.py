"""Errors that Envoy makes itself come in the client's API shape; those of the module are left as they are."""

import socket

import client
import harness
import pytest
from test_failover import ASK, OPENAI_OK
from upstream import Answer, Upstream

PATHS = {"/v1/chat/completions": False, "/v1/messages": True}


def shaped(got: client.Got, anthropic: bool) -> dict:
    assert got.header("content-type") == "application/json", got
    document = got.json()
    if anthropic:
        assert set(document) >= {"type", "error"} and document["type"] == "error", document
        assert set(document["error"]) == {"type", "message"}
    else:
        assert set(document) == {"error"}, document
        assert set(document["error"]) == {"message", "type", "param", "code"}
    assert document["error"]["message"] and document["error"]["type"]
    return document["error"]


@pytest.mark.parametrize("path", PATHS)
def test_a_body_over_the_limit(path):
    with harness.serving(harness.both(), {}) as envoy:
        limit = harness.hcm(harness.shipped())["route_config"]["virtual_hosts"][0]["routes"][0]["request_body_buffer_limit"]
        got = client.call(envoy.port, path, b'{"model":"either","x":"' + b"x" * (limit + 1_000_000) + b'"}')
        assert got.status == 413, got.status
        error = shaped(got, PATHS[path])
        assert error["type"] == ("request_too_large" if PATHS[path] else "invalid_request_error")


@pytest.mark.parametrize("path", PATHS)
def test_no_provider_reached(path):
    with harness.serving(harness.both(), {}) as envoy:
        got = client.call(envoy.port, path, {**ASK, "max_tokens": 9})
        assert got.status == 503
        shaped(got, PATHS[path])


@pytest.mark.parametrize("path", PATHS)
def test_no_provider_in_time(path):
    slow = {name: Upstream(always=Answer(delay=5)) for name in ("openai", "anthropic")}
    with harness.serving(harness.both(answer_timeout="200ms"), slow) as envoy:
        got = client.call(envoy.port, path, {**ASK, "max_tokens": 9})
        assert got.status == 504
        error = shaped(got, PATHS[path])
        assert not PATHS[path] or error["type"] == "timeout_error"


@pytest.mark.parametrize("path", PATHS)
def test_a_cluster_that_the_route_does_not_know(path):
    def forget(config):
        if harness.dynamic():
            for known in harness.cluster_maps(config):
                known["other"] = known.pop("openai")
        else:
            harness.gateway(config)["models"][0]["targets"][0]["cluster"] = "nonesuch"

    with harness.serving(harness.both(), {}, tweak=forget) as envoy:
        got = client.call(envoy.port, path, {**ASK, "model": "gpt-4o", "max_tokens": 9})
        assert got.status == 503, got
        shaped(got, PATHS[path])


@pytest.mark.parametrize("path", PATHS)
def test_a_request_that_never_ends(path):
    def hurry(config):
        harness.hcm(config)["request_timeout"] = "0.3s"

    with harness.serving(harness.both(), {}, tweak=hurry) as envoy, socket.create_connection(("127.0.0.1", envoy.port), timeout=5) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n".encode())
        got = client.Got()
        client._answer(connection.makefile("rb"), got, "POST", None, 0)
        assert got.status == 408, got
        shaped(got, PATHS[path])


def test_headers_over_the_limit():
    with harness.serving(harness.both(), {}) as envoy:
        got = client.call(envoy.port, body=ASK, headers={"x-big": "x" * 70_000})
        assert got.status == 431
        shaped(got, False)


def test_the_modules_own_errors_are_left_as_they_are():
    with harness.serving(harness.both(), {}) as envoy:
        for path, anthropic in PATHS.items():
            got = client.call(envoy.port, path, {**ASK, "model": "nonesuch", "max_tokens": 9})
            assert got.status == 404
            assert "nonesuch" in shaped(got, anthropic)["message"]
        got = client.call(envoy.port, "/nonesuch", method="GET")
        assert got.status == 404 and "/nonesuch" in shaped(got, False)["message"]


def test_a_models_list_is_left_as_it_is():
    with harness.serving(harness.both(), {}) as envoy:
        got = client.call(envoy.port, "/v1/models", method="GET")
        assert (got.status, [model["id"] for model in got.json()["data"]]) == (200, ["gpt-4o", "claude-sonnet-4-5", "either"])


def test_the_access_log_is_json_with_the_modules_object():
    with harness.serving(harness.both(), {"openai": Upstream([OPENAI_OK])}) as envoy:
        client.call(envoy.port, '/v1/chat/completions?q="x"', {**ASK, "model": "gpt-4o"})
        client.call(envoy.port, "/%00\"", method="GET")
        envoy.calls(2)
        first, second = envoy.access()
        assert first["path"] == "/v1/chat/completions" and first["cluster"] == "openai"
        log = first["sluice"]
        assert (log["model"], log["provider"], log["status"], log["dialect"]) == ("gpt-4o", "openai", 200, "openai")
        assert log["usage"]["input"] == 3 and log["usage"]["output"] == 2
        assert second["path"] == "-"


def test_metrics_have_labels():
    with harness.serving(harness.both(), {"openai": Upstream([OPENAI_OK])}) as envoy:
        client.call(envoy.port, body={**ASK, "model": "gpt-4o"})
        envoy.calls(1)
        text = envoy.admin("/stats/prometheus?filter=sluice_requests_total")
        line = next(line for line in text.splitlines() if not line.startswith("#") and "sluice_requests_total{" in line)
        for label in ('dialect="openai"', 'model="gpt-4o"', 'provider="openai"', 'status="200"'):
            assert label in line, line
        assert ";" not in line
