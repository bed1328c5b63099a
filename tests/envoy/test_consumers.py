"""Who is calling, as Envoy tells it: keys, tokens that jwt_authn verified, certificates, headers of a trusted hop."""

import base64
import hashlib
import http.client
import json
import ssl
import subprocess
import time

import client
import harness
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from test_failover import ANTHROPIC_OK, OPENAI_OK, openai_error
from upstream import Upstream

OTHER_MODEL = {"name": "other", "targets": [{"provider": "openai", "model": "gpt-4o"}]}
MODEL = {"name": "either", "targets": [{"provider": "openai", "model": "gpt-4o"}, {"provider": "anthropic", "model": "claude-sonnet-4-5"}]}
ASK = {"model": "either", "messages": [{"role": "user", "content": "hi"}]}
MESSAGES = {"model": "either", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def document(sources=None, consumers=(), **more):
    authentication = {"authentication": {"sources": sources}} if sources else {}
    return harness.both(**authentication, consumers=list(consumers), **more) | {"models": [MODEL, OTHER_MODEL]}


def nobody_saw(secret: str, upstream: Upstream, envoy, *answers) -> None:
    """It is in no request to a provider, no answer, no log."""
    for arrived in upstream.arrived:
        assert secret not in str(arrived.headers) and secret.encode() not in arrived.body, arrived
    assert all(secret.encode() not in got.body + str(got.headers).encode() for got in answers)
    assert secret not in envoy.log() and secret not in (envoy.path / "access").read_text()


@pytest.mark.parametrize("header, value, path, body", [
    ("authorization", "Bearer {}", "/v1/chat/completions", ASK),
    ("api-key", "{}", "/v1/chat/completions", ASK),
    ("x-api-key", "{}", "/v1/messages", MESSAGES),
    ("x-goog-api-key", "{}", "/v1beta/models/either:generateContent", {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}),
])
def test_a_key_in_any_vendors_header(header, value, path, body):
    key = "slu_0123456789abcdef0123456789abcdef"
    with Upstream(always=OPENAI_OK) as openai:
        made = document(None, [{"name": "search", "team": "web", "key_sha256": digest(key)}])
        with harness.serving(made, {"openai": openai.port}) as envoy:
            good = client.call(envoy.port, path, body, {header: value.format(key)})
            bad = client.call(envoy.port, path, body, {header: value.format("slu_of-nobody")})
            none = client.call(envoy.port, path, body)
            logged = envoy.calls(3)
            assert (good.status, bad.status, none.status) == (200, 401, 401), (good, bad, none)
            assert [call.get("consumer") for call in logged] == ["search", None, None] and logged[0]["team"] == "web"
            assert bad.json()["error"], "in the client's own API"
            nobody_saw(key, openai, envoy, good, bad, none)
            nobody_saw("slu_of-nobody", openai, envoy, good, bad, none)
            assert len(openai.arrived) == 1


@pytest.mark.parametrize("query, status, left", [
    ("key={}&x=1", 200, "?x=1"),
    ("k%65y={}&x=1", 200, "?x=1"),
    ("x=1&Key={}", 200, "?x=1"),
    ("key={}&key={}&%4BEY={}", 200, ""),
    # As text in a form has it: an escape for each letter, a blank as a plus.
    ("key=slu%5F0123456789abcdef0123456789abcdef&x=a+b", 200, "?x=a+b"),
    ("x=1&+key={}", 401, None),
    # What it is called by does not matter where the caller is known by something else.
    ("x=1&token={}", 200, "?x=1"),
])
def test_a_key_in_the_query_goes_no_further(query, status, left):
    key = "slu_0123456789abcdef0123456789abcdef"
    with Upstream(always=OPENAI_OK) as openai:
        made = document(None, [{"name": "search", "key_sha256": digest(key)}], other_paths={"provider": "openai"})
        with harness.serving(made, {"openai": openai.port}) as envoy:
            given = {"authorization": f"Bearer {key}"} if "token" in query else {}
            path = "/v1beta/files" if not given else "/v1/files"
            got = client.call(envoy.port, f"{path}?{query.replace('{}', key)}", headers=given, method="GET")
            assert got.status == status, got
            envoy.calls(1)
            nobody_saw(key, openai, envoy, got)
            paths = [arrived.path for arrived in openai.arrived]
            assert all(key not in path and "%5F" not in path for path in paths), paths
            assert [path[path.find("?"):] if "?" in path else "" for path in paths] == ([] if left is None else [left])


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(key=KEY, **claims) -> str:
    claims = {"iss": "https://idp.test", "exp": int(time.time()) + 600, **claims}
    signed = ".".join(b64(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT", "kid": "k"}, claims))
    return f"{signed}.{b64(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def verified(config, forward=False) -> None:
    """Envoy's own filter for tokens, as docs/consumers.md says; a request without a good token is left to the module."""
    numbers = KEY.public_key().public_numbers()
    jwks = {"keys": [{"kty": "RSA", "kid": "k", "alg": "RS256", "n": b64(numbers.n.to_bytes(256, "big")), "e": b64(numbers.e.to_bytes(3, "big"))}]}
    provider = {"issuer": "https://idp.test", "local_jwks": {"inline_string": json.dumps(jwks)}, "payload_in_metadata": "jwt_payload", "forward": forward}
    needed = {"requires_any": {"requirements": [{"provider_name": "idp"}, {"allow_missing_or_failed": {}}]}}
    harness.hcm(config)["http_filters"].insert(0, {
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"idp": provider},
            "rules": [{"match": {"prefix": "/"}, "requires": needed}],
        },
    })


@pytest.mark.parametrize("forward", [False, True])
def test_a_token_that_envoy_verified(forward):
    """Its claims say who calls: of the list by subject or name, or in nobody's list but verified."""
    claims = {"consumer": "sub", "team": "org.team", "tier": ["https://example.com/tier"], "unlisted": {"models": ["either"], "tier": "free"}}
    consumers = [
        {"name": "search", "subjects": ["client-42"], "team": "web"},
        {"name": "batch"},
        {"name": "gone", "disabled": True},
    ]
    limits = [{"name": "mine", "by": ["consumer", "tier"], "unit": "requests", "amount": 1, "window": "1mo", "when": {"tier": ["gold", "free"]}}]
    cases = [
        (token(sub="client-42"), 200, "search", "web"),
        (token(sub="batch"), 200, "batch", None),
        (token(sub="alice@example.com", org={"team": "blue"}, **{"https://example.com/tier": "gold"}), 200, "alice@example.com", "blue"),
        (token(sub="alice@example.com", org={"team": "blue"}, **{"https://example.com/tier": "gold"}), 429, "alice@example.com", "blue"),
        (token(sub="bob"), 200, "bob", None),
        (token(sub="bob", org={"team": 7}), 429, "bob", None),
        # What is no text is absent: neither a team nor a tier, which would be another counter.
        (token(sub="bob", org={"team": ["blue"]}, **{"https://example.com/tier": ["gold"]}), 429, "bob", None),
        (token(sub="bob", org="blue", **{"https://example.com/tier": {"gold": True}}), 429, "bob", None),
        (token(sub="bob", org=None, **{"https://example.com/tier": 1e300}), 429, "bob", None),
        # A name of the list that has subjects of its own is not had by claiming it.
        (token(sub="search"), 401, None, None),
        (token(sub="gone"), 403, None, None),
        (token(sub="client-42", exp=1), 401, None, None),
        (token(sub="client-42", iss="https://other.test"), 401, None, None),
        (token(OTHER, sub="client-42"), 401, None, None),
        (token(), 401, None, None),
        (token(sub=42), 401, None, None),
        (token(sub={"a": "b"}), 401, None, None),
        (token(sub=["batch"]), 401, None, None),
        (token(sub="a\u0000b\n"), 401, None, None),
        (token(sub="client-42")[:-6] + "AAAAAA", 401, None, None),
        ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJiYXRjaCJ9.", 401, None, None),
    ]
    made = document([{"jwt": claims}, "key"], consumers, limits=limits)
    with Upstream(always=OPENAI_OK) as openai:
        with harness.serving(made, {"openai": openai.port}, tweak=lambda config: verified(config, forward)) as envoy:
            for number, (bearer, status, name, team) in enumerate(cases, 1):
                got = client.call(envoy.port, body=ASK, headers={"authorization": f"Bearer {bearer}"})
                call = envoy.calls(number)[-1]
                assert (got.status, call.get("consumer"), call.get("team")) == (status, name, team), (number, got, call)
                assert got.status == 200 or got.json()["error"]["message"]
                nobody_saw(bearer, openai, envoy, got)
            assert all(arrived.header("authorization") == "Bearer sk-openai" for arrived in openai.arrived)
            # What is in no list may ask for what `unlisted` allows.
            for bearer, status in [(cases[4][0], 403), (cases[0][0], 200)]:
                assert client.call(envoy.port, body={**ASK, "model": "other"}, headers={"authorization": f"Bearer {bearer}"}).status == status


def certificates(folder, *uris: str) -> None:
    """Two CAs; a certificate for the listener, and by the first CA one for each URI (or `DNS:…`), named by its place; `stray` is by the second."""
    steps = [f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={ca} -keyout {ca}.key -out {ca}.pem" for ca in ("ca", "other")]
    for name, ca, names in [("server", "ca", "DNS:localhost"), *((str(at), "ca", uri if uri.startswith("DNS:") else f"URI:{uri}") for at, uri in enumerate(uris)), ("stray", "other", f"URI:{uris[0]}")]:
        steps.append(f"req -newkey rsa:2048 -nodes -subj /CN={name} -addext subjectAltName={names} -keyout {name}.key -out {name}.csr")
        steps.append(f"x509 -req -in {name}.csr -CA {ca}.pem -CAkey {ca}.key -CAcreateserial -days 2 -copy_extensions copy -out {name}.pem")
    for step in steps:
        subprocess.run(["openssl", *step.split()], cwd=folder, check=True, capture_output=True)


def mutual(config, folder) -> None:
    """The listener wants certificates of the first CA."""
    harness.listener(config)["filter_chains"][0]["transport_socket"] = {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "require_client_certificate": True,
            "common_tls_context": {
                "tls_certificates": [{"certificate_chain": {"filename": f"{folder}/server.pem"}, "private_key": {"filename": f"{folder}/server.key"}}],
                "validation_context": {"trusted_ca": {"filename": f"{folder}/ca.pem"}},
            },
        },
    }


def by_certificate(port, folder, name, body=ASK):
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    if name is not None:
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=15)
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (ssl.SSLError, ConnectionError):
        return 0, b""
    finally:
        connection.close()


def test_the_uri_of_a_client_certificate(tmp_path):
    space = "spiffe://cluster.local/ns"
    certificates(tmp_path, f"{space}/search/sa/web", f"{space}/batch/sa/nightly", f"{space}/batches/sa/x", f"{space}/else/sa/y")
    consumers = [
        {"name": "search", "team": "web", "peers": [f"{space}/search/sa/web"]},
        {"name": "batch", "peers": [f"{space}/batch/*"]},
    ]
    with Upstream(always=OPENAI_OK) as openai:
        made = document(["peer"], consumers)
        with harness.serving(made, {"openai": openai.port}, tweak=lambda config: mutual(config, tmp_path)) as envoy:
            for number, (name, status, consumer) in enumerate([("0", 200, "search"), ("1", 200, "batch"), ("2", 401, None), ("3", 401, None)], 1):
                assert by_certificate(envoy.port, tmp_path, name)[0] == status, name
                assert envoy.calls(number)[-1].get("consumer") == consumer
            assert by_certificate(envoy.port, tmp_path, "stray") == (0, b""), "another CA's"
            assert by_certificate(envoy.port, tmp_path, None) == (0, b"")
            assert len(openai.arrived) == 2


def test_certificates_that_are_not_as_a_mesh_makes_them(tmp_path):
    """Of several URIs the first counts, as Envoy tells it; a name that is no URI names nobody; any scheme will do; what is too long is unknown."""
    known, other = "spiffe://cluster.local/ns/search/sa/web", "spiffe://cluster.local/ns/nobody/sa/x"
    cases = [
        (f"{known},URI:{other}", 200, "search"),
        (f"{other},URI:{known}", 401, None),
        (f"DNS:search.test,URI:{known}", 200, "search"),
        ("DNS:search", 401, None),
        ("https://apps.test/search", 200, "search"),
        ("https://apps.test/search/", 401, None),
        (f"spiffe://long.test/{'x' * 1000}", 200, "long"),
        (f"spiffe://long.test/{'x' * 1100}", 401, None),
        (f"spiffe://long.test/{'x' * 9000}", 401, None),
    ]
    certificates(tmp_path, *(uri for uri, _, _ in cases))
    consumers = [{"name": "search", "peers": [known, "https://apps.test/search"]}, {"name": "long", "peers": ["spiffe://long.test/*"]}]
    with Upstream(always=OPENAI_OK) as openai:
        with harness.serving(document(["peer"], consumers), {"openai": openai.port}, tweak=lambda config: mutual(config, tmp_path)) as envoy:
            for number, (uri, status, consumer) in enumerate(cases):
                assert by_certificate(envoy.port, tmp_path, str(number))[0] == status, uri[:80]
                assert envoy.calls(number + 1)[-1].get("consumer") == consumer, uri[:80]


def test_a_trusted_header_that_comes_twice_names_nobody():
    with Upstream(always=OPENAI_OK) as openai:
        made = document([{"header": "x-forwarded-user"}], [{"name": "search"}, {"name": "search,search"}, {"name": "batch"}])
        with harness.serving(made, {"openai": openai.port}) as envoy:
            for given in (["search", "batch"], ["search", "search"], ["", "search"], ["search", ""]):
                got = client.call(envoy.port, body=ASK, headers=[("x-forwarded-user", value) for value in given])
                assert got.status == 401, given
            assert client.call(envoy.port, body=ASK, headers={"x-forwarded-user": "search"}).status == 200
            assert len(openai.arrived) == 1 and openai.arrived[0].header("x-forwarded-user") is None


def test_a_header_of_a_trusted_hop():
    """Envoy sets it, in the place of whatever the client sent; it does not go on to providers."""

    def hop(config):
        own = {"header": {"key": "x-forwarded-user", "value": "%REQ(x-from-hop)%"}}
        harness.hcm(config)["http_filters"].insert(0, {
            "name": "envoy.filters.http.header_mutation",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
                "mutations": {"request_mutations": [{"remove": "x-forwarded-user"}, {"append": own}]},
            },
        })

    with Upstream(always=OPENAI_OK) as openai:
        made = document([{"header": "X-Forwarded-User"}], [{"name": "search"}, {"name": "batch"}])
        with harness.serving(made, {"openai": openai.port}, tweak=hop) as envoy:
            for number, (headers, status, name) in enumerate([
                ({"x-from-hop": "search"}, 200, "search"),
                ({"x-from-hop": "batch", "x-forwarded-user": "search"}, 200, "batch"),
                ({"x-from-hop": "nobody"}, 401, None),
                ({"x-forwarded-user": "search"}, 401, None),
                ({}, 401, None),
            ], 1):
                assert client.call(envoy.port, body=ASK, headers=headers).status == status, headers
                assert envoy.calls(number)[-1].get("consumer") == name, headers
            assert all(arrived.header("x-forwarded-user") is None for arrived in openai.arrived)


def test_the_first_source_that_knows_the_caller_decides():
    key = "slu_0123456789abcdef0123456789abcdef"
    consumers = [{"name": "by-key", "key_sha256": digest(key)}, {"name": "by-token", "subjects": ["client-42"]}]
    made = document(["key", {"jwt": {}}], consumers)
    made["authentication"]["anonymous"] = {"name": "public", "models": ["either"]}
    bearer = token(sub="client-42")
    with Upstream(always=OPENAI_OK) as openai:
        with harness.serving(made, {"openai": openai.port}, tweak=verified) as envoy:
            for number, (headers, status, name) in enumerate([
                ({"authorization": f"Bearer {bearer}", "x-api-key": key}, 200, "by-key"),
                ({"authorization": f"Bearer {bearer}"}, 200, "by-token"),
                ({}, 200, "public"),
                ({"x-api-key": "slu_of-nobody"}, 401, None),
                ({"authorization": f"Bearer {token(OTHER, sub='client-42')}"}, 401, None),
            ], 1):
                assert client.call(envoy.port, body=ASK, headers=headers).status == status, headers
                assert envoy.calls(number)[-1].get("consumer") == name, headers
            nobody_saw(key, openai, envoy)


def test_a_fall_back_target_that_a_consumer_may_not_use_is_not_tried():
    consumers = [
        {"name": "all", "key_sha256": digest("all")},
        {"name": "gpt", "key_sha256": digest("gpt"), "target_models": ["gpt-*"]},
        {"name": "claude", "key_sha256": digest("claude"), "target_models": ["claude-sonnet-4-5"]},
        {"name": "case", "key_sha256": digest("case"), "target_models": ["Claude-*"]},
    ]
    made = document(None, consumers, cooldown="0s")
    with Upstream(always=openai_error(500)) as openai, Upstream(always=ANTHROPIC_OK) as anthropic:
        with harness.serving(made, {"openai": openai.port, "anthropic": anthropic.port}) as envoy:
            # Before 1.39 the first cluster is Envoy's choice: the attempt is refused there, and none is sent.
            past_the_first = (200, 0, 1) if harness.dynamic() else (500, 0, 0)
            for key, status, at_openai, at_anthropic in [("all", 200, 1, 1), ("gpt", 500, 1, 0), ("claude", *past_the_first), ("case", 403, 0, 0)]:
                before = (len(openai.arrived), len(anthropic.arrived))
                got = client.call(envoy.port, body=ASK, headers={"x-api-key": key})
                assert got.status == status, (key, got)
                assert (len(openai.arrived) - before[0], len(anthropic.arrived) - before[1]) == (at_openai, at_anthropic), key
