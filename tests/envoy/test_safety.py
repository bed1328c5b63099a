"""What Envoy does not do for a filter (trailers, lengths, header values, leftovers of an attempt), and hostile input."""

import json
import socket

import client
import harness
import pytest
from test_failover import ANTHROPIC_OK, ASK, COMPLETION, JSON, OPENAI_OK, anthropic_stream, openai_error, openai_stream, streamed, text_of
from upstream import Answer, Upstream

GPT = {**ASK, "model": "gpt-4o"}
CLAUDE = {**ASK, "model": "claude-sonnet-4-5", "max_tokens": 9}
H2_HEADERS = (("content-type", "application/json"),)


# Trailers: no body callback has the end of the stream.


@pytest.mark.parametrize("how", ["h1", "h2"])
@pytest.mark.parametrize("body", [GPT, CLAUDE], ids=["same API", "translated"])
def test_a_request_with_trailers_is_read(how, body):
    upstreams = {"openai": Upstream([OPENAI_OK]), "anthropic": Upstream([ANTHROPIC_OK])}
    with harness.serving(harness.both(), upstreams) as envoy:
        if how == "h2":
            got = client.h2_call(envoy.port, body=body, headers=H2_HEADERS, trailers=[("x-end", "1")])
        else:
            got = client.call(envoy.port, body=body, trailers=[("x-end", "1")])
        assert got.status == 200 and text_of(got).startswith("from ")


def test_a_bad_request_with_trailers_is_refused():
    with harness.serving(harness.both(), {}) as envoy:
        got = client.h2_call(envoy.port, body=b'{"model": "gpt-4o", "model": "x"}', headers=H2_HEADERS, trailers=[("x-end", "1")])
        assert got.status == 400, got


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_answer_with_trailers_is_translated_to_its_end(stream):
    answer = anthropic_stream() if stream else Answer(headers=JSON, body=ANTHROPIC_OK.body)
    answer.trailers = [("x-end", "1")]
    with harness.serving(harness.both(), {"anthropic": Upstream([answer])}) as envoy:
        got = client.call(envoy.port, body={**CLAUDE, "stream": stream})
        assert got.status == 200 and got.complete
        assert (streamed(got) if stream else text_of(got)) == "from anthropic"
        if stream:
            assert got.body.endswith(b"data: [DONE]\n\n")


# Local replies: not after headers have left, and not at the end of a stream.


@pytest.mark.parametrize("after", [0, 1, 300])
def test_a_client_that_hangs_up_hurts_nobody(after):
    slow = anthropic_stream(["word "] * 20, gap=0.02)
    with harness.serving(harness.both(), {"anthropic": Upstream(always=slow), "openai": Upstream(always=openai_stream(["w "] * 20, gap=0.02))}) as envoy:
        for body in (CLAUDE, GPT):
            client.call(envoy.port, body={**body, "stream": True}, hang_up_after=after)
        logs = envoy.calls(2)
        assert [log["ended"] for log in logs] == ["client_left", "client_left"], logs
        assert client.call(envoy.port, body={**GPT, "stream": True}).status == 200


def test_a_client_that_leaves_before_its_body_is_whole_hurts_nobody():
    with harness.serving(harness.both(), {"openai": Upstream(always=OPENAI_OK)}) as envoy:
        for sent in (b"", b'{"model":'):
            with socket.create_connection(("127.0.0.1", envoy.port)) as connection:
                connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n" + sent)
        assert client.call(envoy.port, body=GPT).status == 200


# Lengths: a wrong content-length is request smuggling on the pooled connection.


def test_every_body_has_its_exact_length():
    models = [{"name": "short", "targets": [{"provider": "openai", "model": "a-very-long-name-of-a-model-" * 8}]}]
    models.append({"name": "a-very-long-name-that-becomes-short", "targets": [{"provider": "openai", "model": "s"}]})
    models.append({"name": "claude", "targets": [{"provider": "anthropic", "model": "c"}]})
    upstreams = {"openai": Upstream(always=OPENAI_OK), "anthropic": Upstream(always=ANTHROPIC_OK)}
    with harness.serving(harness.both(models=models), upstreams, concurrency=1) as envoy:
        for name in ("short", "a-very-long-name-that-becomes-short", "claude") * 3:
            got = client.call(envoy.port, body={**ASK, "model": name})
            assert got.status == 200 and got.json()["choices"], got
    for upstream in upstreams.values():
        for request in upstream.arrived:
            assert request.method == "POST" and json.loads(request.body)["messages"]
            assert request.header("content-length") in (None, str(len(request.body)))
    assert (len(upstreams["openai"].arrived), len(upstreams["anthropic"].arrived)) == (6, 3)


# Header values: Envoy does not check those of answers.


def test_a_models_name_cannot_add_a_header():
    document = harness.both(models=[{"name": "*", "targets": [{"provider": "openai"}]}])
    with harness.serving(document, {"openai": Upstream(always=OPENAI_OK)}) as envoy:
        for name in ("m\r\nx-evil: 1", "m\n", "m\0", "m\x7f", "ü", "日本", "x" * 100_000):
            got = client.call(envoy.port, body={**ASK, "model": name})
            assert got.header("x-evil") is None
            assert all(byte >= 32 and byte != 127 for _, value in got.headers for byte in value), got.headers


# Header bytes that are not UTF-8: a String getter of the SDK panics on them.


@pytest.mark.parametrize("name", ["authorization", "x-api-key", "content-type", "accept", "user-agent", "anthropic-beta", "x-any", "x-sluice-cluster"])
def test_request_headers_need_not_be_utf8(name):
    upstreams = {"openai": Upstream(always=OPENAI_OK), "anthropic": Upstream(always=ANTHROPIC_OK)}
    with harness.serving(harness.both(), upstreams) as envoy:
        for path in ("/v1/chat/completions", "/v1/messages", "/v1/models", "/other"):
            for body in (GPT, CLAUDE):
                got = client.call(envoy.port, path, {**body, "max_tokens": 9}, [(name, b"\xff\xfe\x80")])
                assert got.status in (200, 400, 404, 405), got


def test_a_providers_headers_need_not_be_utf8():
    headers = [("x-any", "\xff\xfe"), ("x-request-id", "\x80"), ("retry-after", "\xff")]
    odd = [Answer(headers=[*JSON, *headers], body=json.dumps(COMPLETION).encode()), Answer(status=503, headers=headers, body=b"\xff")]
    odd.append(Answer(headers=[("content-type", "\xff")], body=b"\xff\xfe"))
    odd.append(Answer(headers=[("content-type", "text/event-stream\xff")], pieces=[b"data: \xff\n\n"]))
    for answer in odd:
        with harness.serving(harness.both(), {"openai": Upstream(always=answer), "anthropic": Upstream(always=answer)}) as envoy:
            for body in (GPT, CLAUDE, {**GPT, "stream": True}, {**CLAUDE, "stream": True}):
                for path in ("/v1/chat/completions", "/v1/messages"):
                    client.call(envoy.port, path, {**body, "max_tokens": 9})


# What one attempt sets must not reach the next one's provider.


@pytest.mark.parametrize("first", ["openai", "anthropic"])
def test_nothing_of_an_attempt_reaches_the_next_provider(first):
    second = "anthropic" if first == "openai" else "openai"
    document = harness.both(
        openai={"headers": {"openai-organization": "org-1"}, "base_path": "/compatible/v1"}, anthropic={"headers": {"anthropic-beta": "b-1"}}
    )
    document["models"] = [{"name": "either", "targets": [{"provider": first, "model": "m-1"}, {"provider": second, "model": "m-2"}]}]
    upstreams = {first: Upstream([openai_error(503)]), second: Upstream([OPENAI_OK if second == "openai" else ANTHROPIC_OK])}
    with harness.serving(document, upstreams) as envoy:
        got = client.call(envoy.port, body=ASK)
        assert (got.status, got.header("x-sluice-attempts")) == (200, "2")
    secrets = {"openai": {"authorization", "openai-organization"}, "anthropic": {"x-api-key", "anthropic-version", "anthropic-beta"}}
    names = {name for name, _ in upstreams[second].arrived[0].headers}
    assert secrets[second] <= names and not secrets[first] & names, names
    assert upstreams[second].arrived[0].path == {"openai": "/compatible/v1/chat/completions", "anthropic": "/v1/messages"}[second]
    assert json.loads(upstreams[second].arrived[0].body)["model"] == "m-2"


CLIENTS_OWN = {
    "authorization": "Bearer client-secret",
    "x-api-key": "client-secret",
    "api-key": "client-secret",
    "x-goog-api-key": "client-secret",
    "cookie": "session=client-secret",
    "proxy-authorization": "Basic client-secret",
    "x-sluice-call": "client-secret",
    "x-sluice-anything": "client-secret",
}


@pytest.mark.parametrize("body", [GPT, CLAUDE], ids=["same API", "translated"])
def test_the_clients_secrets_reach_no_provider(body):
    upstreams = {"openai": Upstream([OPENAI_OK]), "anthropic": Upstream([ANTHROPIC_OK])}
    with harness.serving(harness.both(), upstreams) as envoy:
        assert client.call(envoy.port, body=body, headers=CLIENTS_OWN).status == 200
    (request,) = upstreams["openai"].arrived + upstreams["anthropic"].arrived
    assert not [name for name, value in request.headers if b"client-secret" in value]
    assert request.header("accept-encoding") == "identity"


def test_a_client_cannot_choose_the_cluster_or_the_retries():
    first, second = Upstream([openai_error(400, "invalid_request_error"), openai_error(500)]), Upstream([ANTHROPIC_OK])
    steer = {"x-sluice-cluster": "anthropic", "x-sluice-retry": "1", "x-envoy-max-retries": "9", "x-envoy-retry-on": "5xx,retriable-4xx", "x-envoy-upstream-rq-timeout-ms": "1"}
    with harness.serving(harness.both(cooldown="10ms"), {"openai": first, "anthropic": second}) as envoy:
        assert client.call(envoy.port, body=GPT, headers=steer).status == 400
        assert client.call(envoy.port, body=GPT, headers=steer).status == 500
    assert (len(first.arrived), len(second.arrived)) == (2, 0)


def test_a_provider_may_be_configured_to_take_the_clients_key():
    upstream = Upstream([OPENAI_OK])
    with harness.serving(harness.both(openai={"auth": {"client": True}}), {"openai": upstream}) as envoy:
        assert client.call(envoy.port, body=GPT, headers={"authorization": "Bearer mine", "x-api-key": "mine too"}).status == 200
    assert upstream.arrived[0].header("authorization") == "Bearer mine"
    assert upstream.arrived[0].header("x-api-key") is None


def test_a_key_from_the_environment_is_nowhere_to_be_seen():
    with harness.serving(None, {"openai": Upstream([openai_error(401)]), "anthropic": Upstream([openai_error(401)])}) as envoy:
        got = client.call(envoy.port, body=GPT)
        seen = got.body.decode() + str(got.headers) + envoy.admin("/config_dump") + envoy.admin("/stats") + envoy.log() + str(envoy.calls(1))
        assert not [key for key in harness.KEYS.values() if key in seen]


# Bodies that are refused, with a message that says what and where.

DEEP = b'{"model":"gpt-4o","messages":' + b"[" * 100 + b"]" * 100 + b"}"
BAD_BODIES = {
    "duplicate key": (b'{"model":"gpt-4o","messages":[],"model":"gpt-4o"}', "model"),
    "escaped duplicate": (b'{"model":"gpt-4o","messages":[],"mod\\u0065l":"gpt-4o"}', "model"),
    "not UTF-8": (b'{"model":"gpt-4o","messages":[{"role":"user","content":"\xff"}]}', ""),
    "trailing data": (b'{"model":"gpt-4o","messages":[]} x', ""),
    "two documents": (b'{"model":"gpt-4o"}{"model":"gpt-4o"}', ""),
    "too deep": (DEEP, ""),
    "no object": (b"[]", ""),
    "empty": (b" ", ""),
    "cut": (b'{"model":"gpt-4o","mess', ""),
    "wrong type of model": (b'{"model":7,"messages":[]}', "model"),
    "wrong type of stream": (b'{"model":"gpt-4o","stream":"yes","messages":[]}', "stream"),
    "no model": (b'{"messages":[]}', "model"),
    "lone surrogate": (b'{"model":"\\ud800","messages":[]}', ""),
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_a_bad_body_is_refused_in_the_clients_shape(case):
    body, named = BAD_BODIES[case]
    with harness.serving(harness.both(), {}) as envoy:
        for path in ("/v1/chat/completions", "/v1/messages"):
            got = client.call(envoy.port, path, body)
            assert got.status in (400, 404), got
            error = got.json()["error"]
            assert error["message"] and named in error["message"] + (error.get("param") or ""), error
            assert (got.json().get("type") == "error") == (path == "/v1/messages")
            assert got.header("content-type") == "application/json"


def test_an_encoded_body_is_refused():
    with harness.serving(harness.both(), {}) as envoy:
        for encoding in ("gzip", "br", "nonsense"):
            assert client.call(envoy.port, body=GPT, headers={"content-encoding": encoding}).status == 415


# No trap: whatever comes, every VM lives on.

HOSTILE = [
    b"",
    b"\0",
    b"{",
    b'{"model":"gpt-4o","messages":' + b"[" * 50_000,
    b'{"model":"gpt-4o","max_tokens":1e999,"messages":[]}',
    b'{"model":"gpt-4o","max_tokens":-99999999999999999999,"messages":null}',
    b'{"model":"claude-sonnet-4-5","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:;base64"}}]}]}',
    b'{"model":"claude-sonnet-4-5","messages":[{"role":"tool"}]}',
    b'{"model":"claude-sonnet-4-5","messages":[{"role":"assistant","tool_calls":[{}]}]}',
    b'{"model":"claude-sonnet-4-5","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_result"}]}]}',
    b'{"model":"claude-sonnet-4-5","tools":[{"type":"function"}],"messages":[]}',
    b'{"model":"claude-sonnet-4-5","tools":7,"tool_choice":[],"stop":{},"messages":7}',
]
NONSENSE = [
    Answer(body=b""),
    Answer(headers=JSON, body=b""),
    Answer(headers=JSON, body=b"\xff" * 1000),
    Answer(headers=JSON, body=b"[" * 100_000),
    Answer(headers=JSON, body=b"null"),
    Answer(headers=JSON, body=b'{"choices":[],"content":[]}'),
    Answer(headers=JSON, body=b'{"choices":[{}],"content":[{}],"usage":{"prompt_tokens":-1,"input_tokens":1e300}}'),
    Answer(status=204),
    Answer(status=302, headers=[("location", "http://x")], body=b""),
    Answer(status=599, body=b"x"),
    Answer(headers=[("content-type", "text/event-stream")], pieces=[b"data: {}\n\ndata: \xff\n\n", b"data: [", b"data: [DONE]\n\n" * 3]),
    Answer(headers=[("content-type", "text/event-stream")], pieces=[b"data: " + b"x" * 3_000_000]),
    Answer(headers=[("content-type", "text/event-stream")], pieces=[]),
]


def test_no_request_costs_a_vm():
    upstreams = {"openai": Upstream(always=OPENAI_OK), "anthropic": Upstream(always=ANTHROPIC_OK)}
    with harness.serving(harness.both(), upstreams) as envoy:
        for body in HOSTILE:
            for path in ("/v1/chat/completions", "/v1/messages", "/v1/models", "/v1/models/%ff", "/", "/v1/messages/count_tokens"):
                for method in ("POST", "GET", "DELETE"):
                    got = client.call(envoy.port, path, body, method=method)
                    assert got.status, f"{method} {path} {body[:50]!r}: no answer"
                    assert got.status < 500, got


def without_role(*names):
    """Clusters that nobody gave Sluice's filter."""

    def tweak(config):
        for cluster in config["static_resources"]["clusters"]:
            if cluster["name"] in names:
                filters = cluster["typed_extension_protocol_options"][harness.HTTP_OPTIONS]["http_filters"]
                filters[:] = [each for each in filters if each["name"] != "sluice"]

    return tweak


@pytest.mark.parametrize("answer", [OPENAI_OK, openai_stream(["w "] * 20, gap=0.01), Answer(status=204), Answer(status=302, headers=[("location", "http://x")])])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/other"])
def test_an_answer_that_nobody_counted_reaches_no_client(answer, path):
    limits = [{"name": name, "unit": name, "amount": 10_000, **window} for name, window in {"tokens": {"window": "1d"}, "concurrent": {}}.items()]
    document = harness.both(limits=limits, other_paths={"provider": "openai"})
    if path == "/v1/other":
        del document["limits"]
    upstreams = {"openai": Upstream(always=answer), "anthropic": Upstream(always=ANTHROPIC_OK)}
    with harness.serving(document, upstreams, tweak=without_role("openai"), concurrency=1) as envoy:
        for _ in range(3):
            got = client.call(envoy.port, path, {**GPT, "max_tokens": 9}, {"authorization": "Bearer the-clients-own"})
            assert (got.status, got.complete) == (502, True) and got.header("location") is None
            assert got.json()["error"]["message"] == "the model's cluster has no filter with role: provider"
        assert all(request.header("authorization") is None for request in upstreams["openai"].arrived)
        assert all((call["ended"], call["error"], call["status"]) == ("error", "unreachable", 502) for call in envoy.calls(3))
        assert all((row["used"], row["reserved"]) == (0, 0) for row in envoy.tell("/limits")["limits"])
        assert envoy.log().count("openai: the model's cluster has no filter with role: provider") == 1
        # A model that has another target is served by that one. Before 1.39 its two are behind a cluster that has the role.
        if path != "/v1/other" and harness.dynamic():
            got = [client.call(envoy.port, path, {**ASK, "max_tokens": 9}) for _ in range(3)]
            assert [each.status for each in got][1:] == [200, 200] and got[2].header("x-sluice-provider") == "anthropic"


@pytest.mark.parametrize("case", range(len(NONSENSE)))
def test_no_answer_costs_a_vm(case):
    upstreams = {"openai": Upstream(always=NONSENSE[case]), "anthropic": Upstream(always=NONSENSE[case])}
    with harness.serving(harness.both(cooldown="1ms"), upstreams) as envoy:
        for body in (GPT, CLAUDE):
            for path in ("/v1/chat/completions", "/v1/messages"):
                for stream in (False, True):
                    got = client.call(envoy.port, path, {**body, "max_tokens": 9, "stream": stream})
                    assert got.status, f"{path}: no answer"


def test_no_broken_http_costs_a_vm():
    with harness.serving(harness.both(), {"openai": Upstream(always=OPENAI_OK)}) as envoy:
        for data in (b"GARBAGE\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", b"\xff" * 100 + b"\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", envoy.port), timeout=5) as connection:
                connection.sendall(data)
                assert b" 4" in connection.recv(100)
        assert client.call(envoy.port, body=GPT).status == 200


# Envoy takes the escape from a slash, and what goes up a folder is gone, before the module looks: so says envoy/envoy.yaml.
ESCAPED = [
    ("/v1/files/..%2F..%2Fadmin", "/v1/admin"),
    ("/v1/files%2f..%2fadmin", "/v1/admin"),
    ("/v1%2Ffiles%2Fx", "/v1/files/x"),
    ("/v1/files/%2e%2e/x", "/v1/x"),
    ("/v1/files//x", "/v1/files/x"),
    ("/v1/files/a%5C..%5Cx", "/v1/files/x"),
    ("/v1/files/%252e%252e%252fx", "/v1/files/%252e%252e%252fx"),
]


@pytest.mark.parametrize("sent, got", ESCAPED)
def test_an_escaped_slash_hides_no_path(sent, got):
    """What the module judges by its path is what the provider gets."""
    upstream = Upstream(always=OPENAI_OK)
    with harness.serving(harness.both(other_paths={"provider": "openai"}), {"openai": upstream}) as envoy:
        assert client.call(envoy.port, path=sent, method="GET").status == 200
        assert [request.path for request in upstream.arrived] == [got]
