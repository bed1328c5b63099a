"""Sealed credentials: the key comes from the environment, through `environment_variables` of the VM."""

import client
import harness
from upstream import Answer, Upstream

SEAL_KEY = bytes(range(32)).hex()
# "sk-1" for the provider "openai".
SEALED = "v1.AAAAAAAAAAAAAAAAfdeY7z4v3wxEvy9IiEMkAHwh_L4"
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
ANSWER = (
    b'{"id":"c","object":"chat.completion","model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant",'
    b'"content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'
)


def document(provider: str = "openai", **more) -> dict:
    return {
        "providers": {provider: {"api": "openai", "auth": {"sealed": SEALED}}},
        "models": [{"name": "gpt-4o", "targets": [{"provider": provider}]}],
        **more,
    }


def passing_on(*names: str, values: dict | None = None):
    """The shipped VM with these variables as well; both roles must have the same."""

    def tweak(config: dict) -> None:
        filters = [harness.hcm(config)["http_filters"][0]]
        for cluster in config["static_resources"]["clusters"]:
            filters += cluster["typed_extension_protocol_options"][harness.HTTP_OPTIONS]["http_filters"][:1]
        for one in filters:
            variables = one["typed_config"]["config"]["vm_config"]["environment_variables"]
            variables["host_env_keys"] = variables["host_env_keys"] + list(names)
            variables.update({"key_values": values} if values else {})

    return tweak


def served(document: dict, **how) -> str:
    """A call that the provider takes with the opened key; what Envoy shows and logs meanwhile."""
    answer = Answer(body=ANSWER, headers=[("content-type", "application/json")])
    with Upstream([answer]) as upstream, harness.serving(document, {"openai": upstream}, **how) as envoy:
        got = client.call(envoy.port, body=CHAT)
        assert got.status == 200, got.body
        assert upstream.arrived[0].header("authorization") == "Bearer sk-1"
        return envoy.admin("/config_dump") + envoy.log() + str(envoy.access()) + str(got)


def test_a_sealed_credential_is_opened_with_a_key_from_envoys_environment():
    seen = served(document(), tweak=passing_on("SLUICE_SEAL_KEY"), keys={**harness.KEYS, "SLUICE_SEAL_KEY": SEAL_KEY})
    assert SEALED in seen and "sk-1" not in seen and SEAL_KEY not in seen


def test_the_key_may_be_named_otherwise_and_be_given_in_the_configuration():
    named = document(seal_key={"env": "MY_KEY"})
    assert "sk-1" not in served(named, tweak=passing_on(values={"MY_KEY": SEAL_KEY}))


def refused(document: dict, key: str | None = SEAL_KEY, passed=("SLUICE_SEAL_KEY",)) -> str:
    config = harness.configuration(document, dict.fromkeys(harness.targets(document), 1))
    passing_on(*passed)(config)
    result = harness.validate(config, keys={**harness.KEYS, **({"SLUICE_SEAL_KEY": key} if key else {})})
    assert result.returncode != 0, "it was taken"
    assert SEALED not in result.stderr and "sk-1" not in result.stderr and (not key or key not in result.stderr)
    return result.stderr


def test_a_sealed_credential_that_cannot_be_opened_is_refused_with_its_path():
    moved = refused(document("azure"))
    assert "providers.azure.auth.sealed: cannot be opened: it was sealed with another key, for another provider" in moved
    assert "providers.openai.auth.sealed: cannot be opened" in refused(document(), key=SEAL_KEY.replace("0", "f"))
    unset = "providers.openai.auth.sealed: the environment variable SLUICE_SEAL_KEY is not set, or vm_config"
    assert unset in refused(document(), key=None)
    assert unset in refused(document(), passed=())
    assert "must be 32 bytes as hexadecimal or base64 text" in refused(document(), key="short")
