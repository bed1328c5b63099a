"""The files of examples/: each is started in Envoy and does what the comment at its top promises."""

import contextlib
import json
import re
import threading
import time

import client
import harness
import pytest
import store
import yaml
from standin import Standin
from test_consumers import by_certificate, certificates, mutual

FOLDER = harness.ROOT / "examples"
# By what each kind of provider speaks, the stand-in's listener.
SPOKEN = {"openai": "openai", "azure-openai": "openai", "vllm": "openai", "anthropic": "anthropic", "bedrock": "bedrock"}
HELLO = [{"role": "user", "content": "Say hello."}]


@pytest.fixture(scope="module")
def standin():
    with Standin() as standin:
        yield standin


class Example:
    """An Envoy with the file's configuration, its providers at the stand-in."""

    def __init__(self, name: str, standin: Standin, stack: contextlib.ExitStack, tmp_path):
        self.standin, self.stack, self.tmp_path = standin, stack, tmp_path
        self.text = (FOLDER / f"{name}.yaml").read_text()
        # Without what anchors share: before 1.39 the harness gives targets other clusters.
        self.document = json.loads(json.dumps(yaml.safe_load(self.text)))
        self.ports = {name: standin.ports[SPOKEN[provider["api"]]] for name, provider in self.document["providers"].items()}
        standin.control("faults", "DELETE")
        standin.control("record", "DELETE")

    def start(self, tweak=None) -> harness.Envoy:
        names = sorted(set(re.findall(r"\{env: (\w+)\}", self.text)))

        def whole(config):
            for vm in harness.vms(config):
                vm["environment_variables"] = {"host_env_keys": names}
            if tweak:
                tweak(config)

        keys = {name: f"key-of-{name}" for name in names}
        return self.stack.enter_context(harness.serving(self.document, self.ports, tweak=whole, keys=keys))

    def asked(self) -> list[str]:
        """The models that the stand-in was asked for, in order."""
        return [entry["model"] for entry in self.standin.control("record")]


def chat(envoy, model, key=None, path="/v1/chat/completions", **more) -> client.Got:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return client.call(envoy.port, path, {"model": model, "messages": HELLO, **more}, headers)


def served(got: client.Got) -> tuple:
    return got.status, got.header("x-sluice-provider"), got.header("x-sluice-model"), got.header("x-sluice-attempts")


def team_budgets(example):
    envoy = example.start()
    # What is reserved of one call fits, and so does its settlement: then there is too little left for another.
    assert served(chat(envoy, "gpt-4o", "data", max_tokens=900)) == (200, "openai", "gpt-4o", "1")
    for _ in range(3):
        got = chat(envoy, "gpt-4o", "data", max_tokens=2000)
        assert served(got) == (200, "openai", "gpt-4o-mini", "1") and got.header("x-sluice-route-reason") == "limit"
    got = chat(envoy, "gpt-4o", "search", max_tokens=2000)
    assert served(got) == (200, "openai", "gpt-4o", "1") and got.header("x-sluice-route-reason") is None
    assert chat(envoy, "gpt-4o").status == 401


def prepaid_keys(example):
    envoy = example.start()
    assert served(chat(envoy, "gpt-4o", "alice")) == (200, "openai", "gpt-4o", "1")
    got = chat(envoy, "gpt-4o", "alice", max_tokens=5000)
    assert got.status == 429 and got.json()["error"]["code"] == "insufficient_quota" and got.header("retry-after") is None
    assert chat(envoy, "gpt-4o", "bob").status == 401
    assert example.asked() == ["gpt-4o"]


def failover(example):
    envoy = example.start()
    assert served(chat(envoy, "gpt-4o")) == (200, "openai", "gpt-4o", "1")
    example.standin.control("faults", "POST", {"model": "gpt-4o", "faults": "status=503"})
    got = chat(envoy, "gpt-4o")
    assert served(got) == (200, "azure", "my-gpt-4o", "2") and got.json()["model"] == "gpt-4o"
    attempts = "1" if harness.dynamic() else "2"
    assert served(chat(envoy, "gpt-4o")) == (200, "azure", "my-gpt-4o", attempts), "the first one is left alone"
    example.standin.control("faults", "POST", {"model": "my-gpt-4o", "faults": "status=503"})
    got = chat(envoy, "gpt-4o")
    assert served(got)[:3] == (200, "anthropic", "claude-sonnet-4-5")
    assert got.json()["object"] == "chat.completion" and got.json()["model"] == "gpt-4o"


def fleet_redis(example):
    redis = example.stack.enter_context(store.Redis())

    def bridge(config):
        config.update(store.bridged(config, redis.port))

    envoys = [example.start(bridge) for _ in range(2)]
    statuses = [chat(envoys[at % 2], "gpt-4o", "search").status for at in range(110)]
    # Each call has an answer before the next one is made, so none is refused while there is room.
    assert statuses == [200] * 100 + [429] * 10, statuses
    assert len(example.asked()) == 100


def azure_and_bedrock(example):
    envoy = example.start()
    got = chat(envoy, "claude-sonnet-4-5")
    assert served(got) == (200, "bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "1")
    assert "Say hello." in got.json()["choices"][0]["message"]["content"]
    got = chat(envoy, "gpt-4o", path="/v1/messages", max_tokens=50)
    assert served(got) == (200, "azure", "my-gpt-4o", "1")
    assert "Say hello." in got.json()["content"][0]["text"]
    assert chat(envoy, "gpt-4.1").status == 404


def mesh_identity(example):
    space = "spiffe://cluster.local/ns"
    certificates(example.tmp_path, f"{space}/search/sa/web", f"{space}/batch/sa/nightly", f"{space}/else/sa/y")
    envoy = example.start(lambda config: mutual(config, example.tmp_path))
    found = {
        (name, model): by_certificate(envoy.port, example.tmp_path, name, {"model": model, "messages": HELLO})[0]
        for name in ("0", "1", "2") for model in ("gpt-4o", "gpt-4o-mini")
    }
    assert found == {
        ("0", "gpt-4o"): 200, ("0", "gpt-4o-mini"): 200,
        ("1", "gpt-4o"): 403, ("1", "gpt-4o-mini"): 200,
        ("2", "gpt-4o"): 401, ("2", "gpt-4o-mini"): 401,
    }
    assert {call["consumer"] for call in envoy.calls(6) if call["status"] == 200} == {"search", "batch"}


def own_gpus_first(example):
    envoy = example.start()
    example.standin.control("faults", "POST", {"model": "qwen3-8b", "faults": "delay_headers=1500"})
    with concurrent(2, lambda: chat(envoy, "chat")) as slow:
        until(lambda: len(envoy.tell("/limits")["limits"]) == 1 and envoy.tell("/limits")["limits"][0]["reserved"] == 2)
        third = chat(envoy, "chat")
    assert [served(got) for got in slow] == [(200, "local", "qwen3-8b", "1")] * 2
    assert served(third) == (200, "openai", "gpt-4o-mini", "1") and third.header("x-sluice-route-reason") == "limit"
    example.standin.control("faults", "POST", {"model": "qwen3-8b", "faults": "status=503"})
    assert served(chat(envoy, "chat")) == (200, "openai", "gpt-4o-mini", "2")


def data_stays_in_europe(example):
    # Each at a stand-in of its own: both have the same model.
    europe = example.stack.enter_context(Standin())
    example.ports["azure-eu"] = europe.ports["openai"]
    envoy = example.start()
    assert served(chat(envoy, "gpt-4o", "eu")) == served(chat(envoy, "gpt-4o", "search")) == (200, "azure-eu", "my-gpt-4o", "1")
    europe.control("faults", "POST", {"faults": "status=503"})
    assert chat(envoy, "gpt-4o", "eu").status == 503
    assert example.asked() == [], "no other is asked"
    assert served(chat(envoy, "gpt-4o", "search"))[:2] == (200, "azure-us")


PROMISES = {
    each.__name__.replace("_", "-"): each
    for each in (
        team_budgets, prepaid_keys, failover, fleet_redis, azure_and_bedrock, mesh_identity, own_gpus_first, data_stays_in_europe,
    )
}


@contextlib.contextmanager
def concurrent(count, work):
    """So many at once; what each came to is in the list when all is over."""
    results = []
    threads = [threading.Thread(target=lambda: results.append(work()), daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    yield results
    for thread in threads:
        thread.join(30)
    assert len(results) == count


def until(wanted):
    deadline = time.monotonic() + 10
    while not wanted():
        assert time.monotonic() < deadline, "it does not come to that"
        time.sleep(0.02)


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.yaml")))
def test_an_example_does_what_it_promises(name, standin, tmp_path):
    with contextlib.ExitStack() as stack:
        PROMISES[name](Example(name, standin, stack, tmp_path))


def test_the_page_names_every_example():
    page = (FOLDER / "README.md").read_text()
    files = {path.name for path in FOLDER.iterdir()} - {"README.md"}
    assert set(re.findall(r"\]\(([\w.-]+)\)", page)) == files
