"""What Envoy adds after the module: signatures for Bedrock and tokens for Vertex AI, as docs/envoy.md configures them."""

import hashlib
import hmac
import json
import re
import struct
import time
import urllib.parse
import zlib

import boto3
import botocore.config
import client
import harness
import pytest
import yaml
from upstream import Answer, Arrived, Upstream

KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret of the gateway"}
ASK = {"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
JSON = [("content-type", "application/json")]
MODELS = ["amazon.nova-lite-v1:0", "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0"]


def frame(name: str, payload: dict) -> bytes:
    head = b"".join(
        bytes([len(key)]) + key + b"\x07" + struct.pack(">H", len(value)) + value
        for key, value in [(b":event-type", name.encode()), (b":content-type", b"application/json"), (b":message-type", b"event")]
    )
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(head) + len(body), len(head))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + body
    return message + struct.pack(">I", zlib.crc32(message))


USAGE = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}
WHOLE = Answer(headers=JSON, body=json.dumps({"output": {"message": {"role": "assistant", "content": [{"text": "from bedrock"}]}}, "stopReason": "end_turn", "usage": USAGE}).encode())
STREAMED = Answer(
    headers=[("content-type", "application/vnd.amazon.eventstream")],
    pieces=[
        frame("messageStart", {"role": "assistant"}),
        frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "from bedrock"}}),
        frame("contentBlockStop", {"contentBlockIndex": 0}),
        frame("messageStop", {"stopReason": "end_turn"}) + frame("metadata", {"usage": USAGE, "metrics": {"latencyMs": 1}}),
    ],
)
OVERLOADED = Answer(status=503, headers=[*JSON, ("x-amzn-errortype", "ServiceUnavailableException")], body=b'{"message":"busy"}')


def documented(name: str) -> list[dict]:
    """The filters of the example in docs/envoy.md that has this one."""
    blocks = re.findall(r"```yaml\n(.*?)```", (harness.ROOT / "docs/envoy.md").read_text(), re.S)
    found = [yaml.safe_load(block) for block in blocks if f"- name: {name}" in block and block.startswith("http_filters:")]
    assert len(found) == 1, f"{len(found)} examples of {name}"
    return found[0]["http_filters"]


def add(config: dict, cluster: str, filters: list[dict]) -> None:
    """After the module, in place of the codec alone."""
    named = next(c for c in config["static_resources"]["clusters"] if c["name"] == cluster)
    options = named["typed_extension_protocol_options"][harness.HTTP_OPTIONS]
    options["http_filters"] = [options["http_filters"][0], *filters]


def signing(**regions):
    def tweak(config):
        for cluster, region in regions.items():
            filters = documented("envoy.filters.http.aws_request_signing")
            filters[0]["typed_config"]["region"] = region
            add(config, cluster, filters)

    return tweak


def signature(request: Arrived, region: str) -> str:
    """As Amazon computes it from what arrived."""
    given = dict(re.findall(r"(\w+)=([^, ]+)", request.header("authorization")))
    date = request.header("x-amz-date")
    scope = f"{date[:8]}/{region}/bedrock/aws4_request"
    assert given["Credential"] == f"AKID/{scope}"
    names = given["SignedHeaders"].split(";")
    assert {"host", "x-amz-date"} <= set(names)
    path, _, query = request.path.partition("?")
    canonical = "\n".join([
        request.method,
        urllib.parse.quote(path, safe="/~"),  # what is escaped in the path is escaped again
        query,
        *(f"{name}:{' '.join(request.header(name).split())}" for name in names),
        "",
        given["SignedHeaders"],
        hashlib.sha256(request.body).hexdigest(),
    ])
    text = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{KEYS['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def check_signed(request: Arrived, region: str) -> None:
    assert request.header("x-amz-content-sha256") == hashlib.sha256(request.body).hexdigest()
    assert request.header("authorization").endswith(f"Signature={signature(request, region)}")


def document(**more) -> dict:
    return {
        "providers": {"bedrock": {"api": "bedrock", "region": "us-east-1"}},
        "models": [{"name": "*", "targets": [{"provider": "bedrock"}]}],
        **more,
    }


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("model", MODELS, ids=["id", "arn"])
def test_the_signature_is_of_the_translated_request(model, stream):
    upstream = Upstream([STREAMED if stream else WHOLE])
    with harness.serving(document(), {"bedrock": upstream}, tweak=signing(bedrock="us-east-1"), keys=KEYS) as envoy:
        got = client.call(envoy.port, body={"model": model, "stream": stream, **ASK})
        assert got.status == 200 and b"from bedrock" in got.body, got
    [request] = upstream.arrived
    method = "converse-stream" if stream else "converse"
    assert request.path == f"/model/{urllib.parse.quote(model, safe='')}/{method}"
    assert json.loads(request.body)["messages"] == [{"role": "user", "content": [{"text": "hi"}]}]
    check_signed(request, "us-east-1")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("model", MODELS, ids=["id", "arn"])
def test_a_client_of_bedrock_is_signed_for_anew(model, stream):
    """boto3 signs with the client's own key, escapes the id, and reads what it is answered."""
    upstream = Upstream([STREAMED if stream else WHOLE])
    with harness.serving(document(), {"bedrock": upstream}, tweak=signing(bedrock="us-east-1"), keys=KEYS) as envoy:
        config = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=20)
        url = f"http://127.0.0.1:{envoy.port}"
        bedrock = boto3.client("bedrock-runtime", "us-east-1", endpoint_url=url, aws_access_key_id="CLIENT", aws_secret_access_key="client's", config=config)
        ask = {"modelId": model, "messages": [{"role": "user", "content": [{"text": "hi"}]}]}
        if stream:
            deltas = [event["contentBlockDelta"]["delta"]["text"] for event in bedrock.converse_stream(**ask)["stream"] if "contentBlockDelta" in event]
            assert deltas == ["from bedrock"]
        else:
            assert bedrock.converse(**ask)["output"]["message"]["content"] == [{"text": "from bedrock"}]
    [request] = upstream.arrived
    check_signed(request, "us-east-1")
    assert not any(b"CLIENT" in value for _, value in request.headers)


@pytest.mark.skipif(not harness.dynamic(), reason="before 1.39 the filters are those of the aggregate cluster, for all in it")
def test_each_attempt_is_signed_for_its_own_region_and_leaves_nothing_to_the_next():
    fleet = document(
        providers={
            "bedrock": {"api": "bedrock", "region": "us-east-1"},
            "frankfurt": {"api": "bedrock", "region": "eu-central-1"},
            "openai": {"api": "openai", "auth": {"value": "sk-openai"}},
            "local": {"api": "openai", "host": "vllm.internal"},
        },
        models=[{"name": "*", "targets": [{"provider": name, "model": "m"} for name in ("bedrock", "frankfurt", "openai", "local")]}],
    )
    answer = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0, "message": {"role": "assistant", "content": "from local"}, "finish_reason": "stop"}]}
    upstreams = {
        "bedrock": Upstream([OVERLOADED]),
        "frankfurt": Upstream([OVERLOADED]),
        "openai": Upstream([Answer(status=503, headers=JSON, body=b'{"error":{"message":"busy"}}')]),
        "local": Upstream([Answer(headers=JSON, body=json.dumps(answer).encode())]),
    }
    tweak = signing(bedrock="us-east-1", frankfurt="eu-central-1")
    with harness.serving(fleet, upstreams, tweak=tweak, keys=KEYS) as envoy:
        got = client.call(envoy.port, body={"model": "any", **ASK})
        assert got.status == 200 and b"from local" in got.body, got
    requests = {name: upstream.arrived[0] for name, upstream in upstreams.items()}
    check_signed(requests["bedrock"], "us-east-1")
    check_signed(requests["frankfurt"], "eu-central-1")
    assert requests["openai"].header("authorization") == "Bearer sk-openai"
    assert requests["local"].header("authorization") is None
    for name in ("openai", "local"):
        assert not [header for header, value in requests[name].headers if header.startswith("x-amz") or b"AKID" in value]


def test_an_api_key_of_bedrock_is_sent_as_it_is():
    upstream = Upstream([WHOLE])
    keyed = document(providers={"bedrock": {"api": "bedrock", "region": "us-east-1", "auth": {"value": "bedrock-api-key"}}})
    with harness.serving(keyed, {"bedrock": upstream}) as envoy:
        assert client.call(envoy.port, body={"model": "m", **ASK}).status == 200
    [request] = upstream.arrived
    assert request.header("authorization") == "Bearer bedrock-api-key"
    assert request.header("x-amz-date") is None


def test_a_token_for_vertex_comes_from_a_file_that_is_renewed(tmp_path):
    """In place of the client's key, and of the token before."""
    secret, fresh = tmp_path / "token.yaml", tmp_path / "fresh.yaml"

    def write(token):
        value = {"inline_string": f"Bearer {token}"}
        kind = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
        fresh.write_text(json.dumps({"resources": [{"@type": kind, "name": "openai-key", "generic_secret": {"secret": value}}]}))
        fresh.rename(secret)

    def tweak(config):
        config["node"] = {"id": "test", "cluster": "test"}
        filters = documented("envoy.filters.http.credential_injector")
        filters[0]["typed_config"]["credential"]["typed_config"]["credential"]["sds_config"]["path_config_source"]["path"] = str(secret)
        add(config, "vertex", filters)

    answer = {"candidates": [{"content": {"role": "model", "parts": [{"text": "from vertex"}]}, "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}}
    upstream = Upstream(always=Answer(headers=JSON, body=json.dumps(answer).encode()))
    vertex = {"providers": {"vertex": {"api": "vertex", "project": "p", "location": "eu"}}, "models": [{"name": "*", "targets": [{"provider": "vertex"}]}]}
    write("first")
    with harness.serving(vertex, {"vertex": upstream}, tweak=tweak) as envoy:

        def token():
            got = client.call(envoy.port, body={"model": "gemini-2.5-flash", **ASK}, headers={"authorization": "Bearer client-key"})
            assert got.status == 200 and b"from vertex" in got.body, got
            return upstream.arrived[-1].header("authorization")

        assert token() == "Bearer first"
        write("second")
        deadline = time.monotonic() + 10
        while token() != "Bearer second":
            assert time.monotonic() < deadline, "the new token was not taken"
            time.sleep(0.05)
