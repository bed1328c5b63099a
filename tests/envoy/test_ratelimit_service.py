"""Envoy's own rate limit filter after the module: the configurations of docs/rate-limit-service.md, as they stand there."""

import contextlib
import json
import re
import time

import client
import harness
import ratelimit
import yaml
from upstream import Answer, Upstream

PAGE = (harness.ROOT / "docs/rate-limit-service.md").read_text()
DOCUMENT, FILTER, CLUSTER, LIMITS = [yaml.safe_load(block) for block in re.findall(r"^```yaml.*?\n(.*?)^```", PAGE, re.M | re.S)]
# The keys of which the page has the hashes.
SEARCH, BATCH = {"authorization": "Bearer test"}, {"x-api-key": "batch"}
KEYS = {"OPENAI_API_KEY": "sk"}
HI = [{"role": "user", "content": "hi"}]


def answer(prompt: int, output: int, status: int = 200) -> Answer:
    usage = {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": [choice], "usage": usage}
    return Answer(status, [("content-type", "application/json")], json.dumps(body).encode())


@contextlib.contextmanager
def serving(answers, **changes):
    """The provider, the service, and the Envoy between them."""

    def add(config):
        cluster = {**CLUSTER, "type": "STATIC", "load_assignment": json.loads(json.dumps(CLUSTER["load_assignment"]))}
        endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
        endpoint["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": service.port}
        config["static_resources"]["clusters"].append(cluster)
        # More time than the page gives: this machine does other things too.
        harness.hcm(config)["http_filters"].insert(1, {**FILTER, "typed_config": {**FILTER["typed_config"], "timeout": "5s", **changes}})

    with Upstream(answers) as provider, ratelimit.Service(LIMITS) as service:
        with harness.serving(DOCUMENT, {"openai": provider}, tweak=add, keys=KEYS) as envoy:
            yield envoy, service, provider


def ask(envoy, who=SEARCH, model="gpt-4o", **more):
    path = more.pop("path", "/v1/chat/completions")
    return client.call(envoy.port, path, {"model": model, "messages": HI, **more}, who)


def count(kind, consumer, model):
    return (("count", kind), ("consumer", consumer), ("model", model))


def settled(service, entries, amount):
    """What the service has counted, once it is as much: nobody waits for the last charge."""
    deadline = time.monotonic() + 5
    while (found := service.used.get(entries, 0)) != amount and time.monotonic() < deadline:
        time.sleep(0.02)
    assert found == amount, (entries, service.asked)


def test_calls_are_limited_by_consumer_and_model():
    with serving([answer(3, 2)] * 5) as (envoy, service, provider):
        assert [ask(envoy).status for _ in range(4)] == [200, 200, 200, 429]
        # Another consumer, and another model, each have their own.
        assert ask(envoy, BATCH).status == 200
        assert ask(envoy, model="gpt-4.1").status == 200
        assert len(provider.arrived) == 5
        settled(service, count("calls", "search-prod", "gpt-4o"), 4)
        settled(service, count("calls", "batch", "gpt-4o"), 1)
        settled(service, count("calls", "search-prod", "gpt-*"), 1)
        settled(service, count("tokens", "search-prod", "gpt-4o"), 15)


def test_a_call_is_charged_what_it_used_when_it_is_over():
    with serving([answer(30, 9), answer(1, 1), answer(99, 1)]) as (envoy, service, _):
        key = count("tokens", "search-prod", "gpt-4o")
        assert ask(envoy).status == 200
        settled(service, key, 39)
        assert service.asked == [[(count("calls", "search-prod", "gpt-4o"), 1), (key, 0)], [(key, 39)]]
        # One is left: the call passes, whatever it comes to. The next one does not.
        assert ask(envoy).status == 200
        settled(service, key, 41)
        assert ask(envoy).status == 429
        # The page gives this one more.
        assert ask(envoy, BATCH, "gpt-5").status == 200
        settled(service, count("tokens", "batch", "gpt-*"), 100)
        assert service.used[key] == 41


def test_a_refused_call_is_told_in_the_clients_api_and_gives_back_what_it_held():
    with serving([answer(1, 1)] * 3) as (envoy, service, provider):
        for _ in range(3):
            assert ask(envoy).status == 200
        openai = ask(envoy)
        anthropic = ask(envoy, path="/v1/messages", max_tokens=9)
        assert openai.status == anthropic.status == 429 and openai.header("x-envoy-ratelimited") == "true"
        assert openai.json()["error"]["type"] == "rate_limit_error"
        assert anthropic.json()["type"] == "error" and anthropic.json()["error"]["type"] == "rate_limit_error"
        assert len(provider.arrived) == 3
        calls = envoy.calls(5)
        assert [call["status"] for call in calls] == [200, 200, 200, 429, 429]
        assert all(call["limits"][0]["settled"] == 0 and "usage" not in call for call in calls[3:]), calls
        assert [line["details"] for line in envoy.access()][3:] == ["request_rate_limited"] * 2
        standing = envoy.tell("/limits")["limits"][0]
        assert (standing["used"], standing["reserved"]) == (6, 0), standing
        settled(service, count("tokens", "search-prod", "gpt-4o"), 6)


def test_every_ending_is_charged_and_what_failed_is_not():
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}

    def event(word):
        choice = {"index": 0, "delta": {"content": word}, "finish_reason": None}
        return b"data: " + json.dumps({**head, "choices": [choice]}).encode() + b"\n\n"

    stream = Answer(200, [("content-type", "text/event-stream")], pieces=[event(" one"), event(" two"), event(" three")])
    left = Answer(**{**vars(stream), "gap": 0.3})
    cut = Answer(**{**vars(stream), "fault": "cut"})
    with serving([Answer(400, [("content-type", "application/json")], b'{"error":{"message":"no"}}'), left, cut]) as (envoy, service, _):
        key = count("tokens", "search-prod", "gpt-4o")
        assert ask(envoy).status == 400
        # It goes once the first word is there.
        client.raw(envoy.port, "POST", "/v1/chat/completions", [("content-type", "application/json"), *SEARCH.items()],
                   json.dumps({"model": "gpt-4o", "messages": HI, "stream": True}).encode(), hang_up_after=20)
        used = [call.get("usage") for call in envoy.calls(2)]
        assert used[0] is None and used[1]["input"] == 8 and 1 <= used[1]["output"] <= 3, used
        ask(envoy, stream=True)
        used = [call.get("usage") for call in envoy.calls(3)]
        assert used[2]["input"] == 8 and used[2]["output"] == 3, used
        settled(service, key, 16 + used[1]["output"] + 3)
        # One that the module itself refuses is neither asked for nor charged.
        asked = len(service.asked)
        assert ask(envoy, {"authorization": "Bearer wrong"}).status == 401
        assert ask(envoy, model="unknown").status == 404
        envoy.calls(5)
        time.sleep(0.2)
        assert len(service.asked) == asked, service.asked[asked:]


def test_without_the_service_calls_pass_or_fail_as_configured():
    for deny, status in [(False, 200), (True, 500)]:
        with serving([answer(1, 1)] if status == 200 else [], failure_mode_deny=deny) as (envoy, service, _):
            service.server.stop(None).wait()
            assert ask(envoy).status == status


def test_clients_cannot_say_who_they_are():
    with serving([answer(1, 1)]) as (envoy, service, provider):
        forged = {**SEARCH, "wasm.sluice.consumer": "batch", "x-sluice-consumer": "batch"}
        assert ask(envoy, forged).status == 200
        settled(service, count("tokens", "search-prod", "gpt-4o"), 2)
        assert not any("batch" in str(entries) for entries in service.used)
        assert provider.arrived[0].header("x-sluice-consumer") is None
