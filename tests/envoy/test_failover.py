"""When a provider fails the next one answers, and the client does not notice."""

import concurrent.futures
import json
import time

import client
import harness
import pytest
from upstream import Answer, Upstream

ASK = {"model": "either", "messages": [{"role": "user", "content": "hi"}]}
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "from openai"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "from anthropic"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2},
}
JSON = [("content-type", "application/json")]
SSE = [("content-type", "text/event-stream")]
OPENAI_OK = Answer(headers=JSON, body=json.dumps(COMPLETION).encode())
ANTHROPIC_OK = Answer(headers=JSON, body=json.dumps(MESSAGE).encode())


def event(name: str, data: dict) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()


def anthropic_stream(words=("from", " anthropic"), **how) -> Answer:
    events = [event("message_start", {"message": {**MESSAGE, "content": [], "stop_reason": None}})]
    events.append(event("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}))
    events += [event("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": word}}) for word in words]
    events.append(event("content_block_stop", {"index": 0}))
    events.append(event("message_delta", {"delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 2}}))
    events.append(event("message_stop", {}))
    return Answer(headers=SSE, pieces=events, **how)


def chunk(delta: dict, finish=None) -> bytes:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
    return b"data: " + json.dumps({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}).encode() + b"\n\n"


def openai_stream(words=("from", " openai"), **how) -> Answer:
    events = [chunk({"role": "assistant", "content": ""})] + [chunk({"content": word}) for word in words]
    return Answer(headers=SSE, pieces=[*events, chunk({}, "stop"), b"data: [DONE]\n\n"], **how)


def openai_error(status: int, kind: str = "server_error", code: str | None = None) -> Answer:
    error = {"message": "the first provider fails", "type": kind, "param": None, "code": code}
    return Answer(status=status, headers=JSON, body=json.dumps({"error": error}).encode())


def text_of(got: client.Got) -> str:
    return got.json()["choices"][0]["message"]["content"]


def streamed(got: client.Got) -> str:
    chunks = [json.loads(line[6:]) for line in got.body.decode().splitlines() if line.startswith("data: {")]
    assert "error" not in chunks[-1], chunks[-1]
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])


FAILURES = {
    "refused": None,
    "reset": Answer(fault="reset"),
    "500": openai_error(500),
    "503 in HTML": Answer(status=503, headers=[("content-type", "text/html")], body=b"<h1>down</h1>"),
    "529": openai_error(529),
    "429": openai_error(429, "rate_limit_error"),
    "408": openai_error(408),
    "401": openai_error(401, "invalid_request_error", "invalid_api_key"),
    "403": openai_error(403, "permission_error"),
    "404": openai_error(404, "invalid_request_error", "model_not_found"),
    "context length": openai_error(400, "invalid_request_error", "context_length_exceeded"),
    "content policy": openai_error(400, "invalid_request_error", "content_policy_violation"),
    "error in a 200": Answer(headers=JSON, body=b'{"error":{"message":"overloaded","type":"server_error"}}'),
    "cut head": Answer(headers=SSE, pieces=[], fault="cut"),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_next_provider_answers(failure, stream):
    first = Upstream([FAILURES[failure]] if FAILURES[failure] else [])
    second = Upstream([anthropic_stream() if stream else ANTHROPIC_OK])
    with harness.serving(harness.both(), {"openai": first, "anthropic": second}) as envoy:
        got = client.call(envoy.port, body={**ASK, "stream": stream})
        assert got.status == 200, got
        assert (streamed(got) if stream else text_of(got)) == "from anthropic"
        assert (got.header("x-sluice-provider"), got.header("x-sluice-attempts")) == ("anthropic", "2")
        assert got.header("x-sluice-retry") is None
        log = envoy.calls(1)[0]
        assert len(log["attempts"]) == 2, log
    sent = second.arrived[0]
    assert sent.path == "/v1/messages"
    assert sent.header("authorization") is None and sent.header("x-api-key") == "sk-ant"


def test_a_plain_400_is_not_retried():
    first, second = Upstream([openai_error(400, "invalid_request_error")]), Upstream([ANTHROPIC_OK])
    with harness.serving(harness.both(), {"openai": first, "anthropic": second}) as envoy:
        got = client.call(envoy.port, body=ASK)
        assert got.status == 400
        assert got.json()["error"]["message"] == "the first provider fails"
    assert not second.arrived


def test_a_stream_whose_first_event_is_an_error_comes_whole_from_the_next():
    first = Upstream([Answer(headers=SSE, pieces=[b'data: {"error":{"message":"overloaded","type":"server_error"}}\n\n'])])
    second = Upstream([anthropic_stream()])
    with harness.serving(harness.both(), {"openai": first, "anthropic": second}) as envoy:
        got = client.call(envoy.port, body={**ASK, "stream": True})
        assert (got.status, streamed(got)) == (200, "from anthropic")
        assert b"overloaded" not in got.body and got.body.count(b"[DONE]") == 1


def test_a_stream_that_breaks_off_ends_with_an_error_in_the_clients_shape():
    broken = openai_stream(fault="cut")
    broken.pieces = broken.pieces[:2]
    with harness.serving(harness.both(), {"openai": Upstream([broken]), "anthropic": Upstream([ANTHROPIC_OK])}) as envoy:
        got = client.call(envoy.port, body={**ASK, "stream": True})
        assert got.status == 200
        last = [line for line in got.body.decode().splitlines() if line.startswith("data: ")]
        assert not got.complete or any('"error"' in line for line in last[-2:]), got


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_no_first_byte_in_time_is_a_failure(stream):
    limits = {"first_byte_timeout" if stream else "answer_timeout": "300ms"}
    first, second = Upstream([Answer(delay=5, headers=JSON, body=b"{}")]), Upstream([anthropic_stream() if stream else ANTHROPIC_OK])
    with harness.serving(harness.both(**limits), {"openai": first, "anthropic": second}) as envoy:
        got = client.call(envoy.port, body={**ASK, "stream": stream})
        assert (got.status, got.header("x-sluice-provider")) == (200, "anthropic")
        assert got.seconds < 2


def test_a_stream_longer_than_the_first_byte_time_is_not_cut():
    slow = openai_stream([f"{i} " for i in range(10)], gap=0.1)
    with harness.serving(harness.both(first_byte_timeout="400ms"), {"openai": Upstream([slow])}) as envoy:
        got = client.call(envoy.port, body={**ASK, "stream": True})
        assert got.complete and streamed(got) == "".join(f"{i} " for i in range(10))
        assert got.first_byte < 0.6 < got.seconds


@pytest.mark.parametrize("size", [2_000_000, 20_000_000])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_a_large_body_fails_over_whole(size, path):
    first, second = Upstream([openai_error(503)]), Upstream([ANTHROPIC_OK])
    with harness.serving(harness.both(), {"openai": first, "anthropic": second}) as envoy:
        text = "word " * (size // 5)
        got = client.call(envoy.port, path, {"model": "either", "max_tokens": 9, "messages": [{"role": "user", "content": text}]})
        assert (got.status, got.header("x-sluice-attempts")) == (200, "2"), got
    for upstream in (first, second):
        assert text.encode() in upstream.arrived[0].body


def test_when_all_fail_the_last_error_comes_in_the_clients_shape():
    overloaded = Answer(status=529, headers=[*JSON, ("retry-after", "7")], body=b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}')
    for path in ("/v1/chat/completions", "/v1/messages"):
        upstreams = {"openai": Upstream([openai_error(500)]), "anthropic": Upstream([overloaded])}
        with harness.serving(harness.both(), upstreams) as envoy:
            got = client.call(envoy.port, path, {**ASK, "max_tokens": 9})
            assert got.status in (503, 529), got
            assert (got.header("x-sluice-attempts"), got.header("retry-after")) == ("2", "7")
            assert got.json()["error"]["message"] == "Overloaded"
            assert (got.json().get("type") == "error") == (path == "/v1/messages")


def test_when_none_can_be_reached_the_error_names_no_host():
    with harness.serving(harness.both(), {}) as envoy:
        for path in ("/v1/chat/completions", "/v1/messages"):
            got = client.call(envoy.port, path, {**ASK, "max_tokens": 9})
            assert got.status == 503, got
            assert got.json()["error"]["message"]
            assert b"127.0.0.1" not in got.body


def test_killing_the_first_provider_in_the_middle_of_traffic_shows_no_client_error():
    first, second = Upstream(always=OPENAI_OK), Upstream(always=ANTHROPIC_OK)
    with harness.serving(harness.both(), {"openai": first, "anthropic": second}) as envoy:
        stop = time.monotonic() + 3

        def traffic(_):
            answers = []
            while time.monotonic() < stop:
                got = client.call(envoy.port, body=ASK)
                answers.append((got.status, got.header("x-sluice-provider")))
            return answers

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            running = [pool.submit(traffic, n) for n in range(16)]
            time.sleep(1)
            first.kill()
            answers = [answer for future in running for answer in future.result()]
        assert {status for status, _ in answers} == {200}
        served = [provider for _, provider in answers]
        assert served.count("openai") > 50 and served.count("anthropic") > 50


def test_a_failed_target_is_left_out_for_a_while_by_all_workers():
    first, second = Upstream([openai_error(503)], always=OPENAI_OK), Upstream(always=ANTHROPIC_OK)
    with harness.serving(harness.both(cooldown="1s"), {"openai": first, "anthropic": second}) as envoy:
        if not harness.dynamic():
            pytest.skip("before 1.39 the first target is the cluster's")
        for _ in range(20):
            assert client.call(envoy.port, body=ASK).header("x-sluice-provider") == "anthropic"
        assert len(first.arrived) == 1
        time.sleep(1.2)
        assert client.call(envoy.port, body=ASK).header("x-sluice-provider") == "openai"


def test_retry_after_lengthens_the_cool_down():
    limited = openai_error(429, "rate_limit_error")
    limited.headers = [*limited.headers, ("retry-after", "2")]
    first, second = Upstream([limited], always=OPENAI_OK), Upstream(always=ANTHROPIC_OK)
    with harness.serving(harness.both(cooldown="100ms"), {"openai": first, "anthropic": second}) as envoy:
        if not harness.dynamic():
            pytest.skip("before 1.39 the first target is the cluster's")
        for wait in (0, 0.5, 0.5):
            time.sleep(wait)
            assert client.call(envoy.port, body=ASK).header("x-sluice-provider") == "anthropic"
        time.sleep(1.5)
        assert client.call(envoy.port, body=ASK).header("x-sluice-provider") == "openai"


def test_when_all_are_cooling_down_one_is_tried_all_the_same():
    first, second = Upstream([openai_error(500)], always=OPENAI_OK), Upstream([openai_error(500)], always=ANTHROPIC_OK)
    with harness.serving(harness.both(cooldown="60s"), {"openai": first, "anthropic": second}) as envoy:
        assert client.call(envoy.port, body=ASK).status == 500
        assert client.call(envoy.port, body=ASK).status == 200


def test_a_cluster_without_a_host_is_left_out_by_the_calls_after():
    second = Upstream(always=ANTHROPIC_OK)

    def empty(config: dict) -> None:
        for cluster in config["static_resources"]["clusters"]:
            if cluster["name"] == "openai":
                cluster["load_assignment"]["endpoints"] = []

    with harness.serving(harness.both(cooldown="60s"), {"anthropic": second}, tweak=empty) as envoy:
        if not harness.dynamic():
            pytest.skip("before 1.39 the first target is the cluster's")
        first = client.call(envoy.port, body=ASK)
        assert first.status == 503 and first.json()["error"]["type"], first
        assert client.call(envoy.port, body=ASK).header("x-sluice-provider") == "anthropic"


def test_a_next_cluster_without_a_host_is_left_out_by_the_calls_after():
    first = Upstream([openai_error(500)] * 2, always=OPENAI_OK)

    def empty(config: dict) -> None:
        for cluster in config["static_resources"]["clusters"]:
            if cluster["name"] == "anthropic":
                cluster["load_assignment"]["endpoints"] = []

    document = harness.both(cooldown="1s")
    with harness.serving(document, {"openai": first}, tweak=empty) as envoy:
        if not harness.dynamic():
            pytest.skip("before 1.39 the first target is the cluster's")
        got = client.call(envoy.port, body=ASK)
        assert got.status == 503 and got.header("x-sluice-retry") is None, got
        assert got.json()["error"]["message"] == "no provider of this model could be reached"
        log = envoy.calls(1)[0]
        assert [attempt["provider"] for attempt in log["attempts"]] == ["openai"], log
