"""What limits tell clients and operators, in Envoy: headers, refusals, other models, thresholds."""

import concurrent.futures
import re
import time

import client
import harness
import pytest
from test_failover import ANTHROPIC_OK, OPENAI_OK, openai_stream
from upstream import Answer, Upstream

ASK = {"model": "gpt-4o", "max_tokens": 2, "messages": [{"role": "user", "content": "hi"}]}
MESSAGES = {"model": "gpt-4o", "max_tokens": 2, "messages": [{"role": "user", "content": "hi"}]}
PROMPT = 8
RATE = re.compile(r"^(\d+h)?(\d+m)?\d+s$|^\d+ms$")


def rates(got: client.Got) -> dict[str, str]:
    return {name.removeprefix("x-ratelimit-"): value.decode() for name, value in got.headers if name.startswith("x-ratelimit-")}


@pytest.fixture
def provider():
    """Its own headers say something else."""
    own = [("x-ratelimit-limit-requests", "77"), ("x-ratelimit-remaining-tokens", "66"), ("x-ratelimit-reset-tokens", "5s")]
    with Upstream(always=Answer(headers=[*OPENAI_OK.headers, *own], body=OPENAI_OK.body)) as upstream:
        yield upstream


def test_every_answer_says_where_the_limits_stand(provider):
    """The tightest of each kind; of a kind without a limit nothing, for what the provider says is of the gateway's own account."""
    requests = [
        {"name": "wide", "unit": "requests", "amount": 1000, "window": "1h"},
        {"name": "tight", "unit": "requests", "amount": 3, "window": "1mo"},
        {"name": "shadow", "unit": "requests", "amount": 1, "window": "1mo", "exceeded": "report"},
    ]
    tokens = [{"name": "tokens", "unit": "tokens", "amount": 1000, "sliding": "1h"}]
    for limits, expected in [(requests, [("3", "2"), None]), (tokens, [None, ("1000", str(1000 - PROMPT - 2))]), (requests + tokens, [("3", "2"), ("1000", "990")])]:
        with harness.serving(harness.both(limits=limits), {"openai": provider.port}) as envoy:
            said = rates(client.call(envoy.port, body=ASK))
            for kind, of in zip(("requests", "tokens"), expected):
                assert (said.get(f"limit-{kind}"), said.get(f"remaining-{kind}")) == (of or (None, None)), (kind, said)
                assert RATE.match(said[f"reset-{kind}"]) if of else f"reset-{kind}" not in said, said


def test_a_stream_and_an_error_say_it_too():
    limits = [{"name": "calls", "unit": "requests", "amount": 5, "window": "1mo"}]
    with Upstream([openai_stream(), Answer(status=400, headers=OPENAI_OK.headers, body=b'{"error":{"message":"no"}}')]) as provider:
        with harness.serving(harness.both(limits=limits), {"openai": provider.port}) as envoy:
            stream = client.call(envoy.port, body={**ASK, "stream": True})
            wrong = client.call(envoy.port, body=ASK)
            assert (stream.status, wrong.status) == (200, 400)
            # What failed is not counted: the second saw one used, and itself.
            assert [rates(got)["remaining-requests"] for got in (stream, wrong)] == ["4", "3"]


@pytest.mark.parametrize("path, body, kind", [
    ("/v1/chat/completions", ASK, lambda error: error["error"]["type"] == "rate_limit_error" and error["error"]["code"] == "rate_limit_exceeded"),
    ("/v1/messages", MESSAGES, lambda error: error["type"] == "error" and error["error"]["type"] == "rate_limit_error"),
    ("/v1beta/models/gpt-4o:generateContent", {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}, lambda error: error["error"]["status"] == "RESOURCE_EXHAUSTED"),
])
def test_a_refusal_is_in_the_clients_api_and_says_when_to_come_again(path, body, kind, provider):
    limits = [{"name": "brief", "unit": "requests", "amount": 1, "window": "5s"}]
    with harness.serving(harness.both(limits=limits), {"openai": provider.port}) as envoy:
        time.sleep(5 - time.time() % 5)
        assert client.call(envoy.port, path, body).status == 200
        refused = client.call(envoy.port, path, body)
        assert refused.status == 429 and kind(refused.json()), refused
        wait = int(refused.header("retry-after"))
        assert 1 <= wait <= 5 and refused.header("x-should-retry") is None
        time.sleep(wait)
        assert client.call(envoy.port, path, body).status == 200, "it said so"
        call = envoy.calls(3)[1]
        assert (call["status"], call["error"], call["limits"][0]["outcome"]) == (429, "rate_limit", "refused")
        assert envoy.counters()["sluice_limit_refusals_total;limit=brief"] == 1
        assert len(provider.arrived) == 2


def test_what_will_never_fit_is_not_to_be_tried_again(provider):
    limits = [{"name": "prepaid", "unit": "tokens", "amount": PROMPT + 2}]
    with harness.serving(harness.both(limits=limits), {"openai": provider.port}) as envoy:
        large = client.call(envoy.port, body={**ASK, "max_tokens": 3})
        assert client.call(envoy.port, body=ASK).status == 200
        # What the provider counted is less than was reserved; it is still more than is left.
        spent = client.call(envoy.port, body=ASK)
        for got in (large, spent):
            assert (got.status, got.header("retry-after"), got.header("x-should-retry")) == (429, None, "false"), got
            assert got.json()["error"]["code"] == "insufficient_quota"


def test_a_call_goes_to_another_model_when_its_own_is_spent():
    """There it counts towards that model's limits; when they are full too it is refused."""
    limits = [
        {"name": "gpt", "unit": "requests", "amount": 2, "window": "1mo", "when": {"model": ["gpt-4o"]}, "exceeded": {"route_to": "claude-sonnet-4-5"}},
        {"name": "claude", "unit": "requests", "amount": 1, "window": "1mo", "when": {"model": ["claude-*"]}},
    ]
    with Upstream(always=OPENAI_OK) as openai, Upstream(always=ANTHROPIC_OK) as anthropic:
        with harness.serving(harness.both(limits=limits), {"openai": openai.port, "anthropic": anthropic.port}) as envoy:
            got = [client.call(envoy.port, body=ASK) for _ in range(4)]
            assert [each.status for each in got] == [200, 200, 200, 429]
            assert [each.header("x-sluice-provider") for each in got[:3]] == ["openai", "openai", "anthropic"]
            assert [each.header("x-sluice-route-reason") == "limit" for each in got[:3]] == [False, False, True]
            assert got[2].json()["choices"][0]["message"]["content"] == "from anthropic"
            assert (len(openai.arrived), len(anthropic.arrived)) == (2, 1)
            outcomes = {(limit["name"], limit["outcome"]) for limit in envoy.calls(4)[2]["limits"]}
            assert outcomes == {("gpt", "rerouted"), ("claude", "held")}


def test_a_limit_that_is_only_reported_refuses_nothing_and_counts_all(provider):
    limits = [{"name": "shadow", "unit": "requests", "amount": 2, "window": "1mo", "exceeded": "report", "thresholds": [50, 100]}]
    with harness.serving(harness.both(limits=limits), {"openai": provider.port}) as envoy:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            assert {each.status for each in pool.map(lambda _: client.call(envoy.port, body=ASK), range(20))} == {200}
        calls = envoy.calls(20)
        outcomes = [call["limits"][0]["outcome"] for call in calls]
        assert outcomes.count("reported") == 18 and outcomes.count("held") == 2
        assert envoy.counters()["sluice_limit_threshold_total;limit=shadow;percent=100"] == 1


def test_a_threshold_is_told_once_in_a_window_by_all_workers_together(provider):
    limits = [{"name": "calls", "unit": "requests", "amount": 40, "window": "1mo", "thresholds": [25, 50, 100]}]
    with harness.serving(harness.both(limits=limits), {"openai": provider.port}) as envoy:
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            assert [each.status for each in pool.map(lambda _: client.call(envoy.port, body=ASK), range(60))].count(200) == 40
        envoy.calls(60)
        told = {name: value for name, value in envoy.counters().items() if "sluice_limit_threshold" in name}
        assert told == {f"sluice_limit_threshold_total;limit=calls;percent={percent}": 1 for percent in (25, 50, 100)}
        lines = [line for line in envoy.log().splitlines() if "limit calls: " in line]
        assert len(lines) == 3 and all("[warning]" in line for line in lines), lines


def test_a_threshold_is_told_again_in_the_next_window(provider):
    """One call a second has room, and is the whole of it."""
    limits = [{"name": "calls", "unit": "requests", "amount": 1, "window": "1s", "thresholds": [100]}]
    with harness.serving(harness.both(limits=limits), {"openai": provider.port}) as envoy:
        statuses = []
        while statuses.count(200) < 4:
            statuses.append(client.call(envoy.port, body=ASK).status)
        envoy.calls(len(statuses))
        assert set(statuses) == {200, 429}
        assert envoy.counters()["sluice_limit_threshold_total;limit=calls;percent=100"] == 4
