"""Several Envoys that count in one Redis: no budget is passed, whatever becomes of Redis or of an Envoy."""

import contextlib
import http.client
import itertools
import json
import subprocess
import tempfile
import threading
import time

import client
import harness
import store
from upstream import Answer, Upstream

COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
OK = Answer(headers=[("content-type", "application/json")], body=json.dumps(COMPLETION).encode())
ASK = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}


def calls(amount: int, window: str = "12mo", **more) -> dict:
    return {"name": "calls", "unit": "requests", "amount": amount, "window": window, **more}


@contextlib.contextmanager
def fleet(policy: dict, redis: store.Redis, size: int = 3):
    """So many Envoys, and the provider that all of them ask: it keeps what arrived."""
    with contextlib.ExitStack() as stack:
        provider = stack.enter_context(Upstream(always=OK))
        envoys = [stack.enter_context(store.envoy(policy, provider.port, redis.port)) for _ in range(size)]
        yield envoys, provider


class Load:
    """Clients that call all the time, each with a connection of its own, until told to stop."""

    def __init__(self, envoys: list[harness.Envoy], clients: int, model: str = "gpt-4o", run: str = ""):
        self.body = json.dumps({**ASK, "model": model})
        self.headers = {"content-type": "application/json", "x-run": run}
        self.statuses: dict[int, int] = {}
        self.slowest = 0.0
        self.errors: list[str] = []
        self.lock = threading.Lock()
        self.over = threading.Event()
        ports = [envoy.port for envoy in envoys]
        turns = [itertools.cycle(ports[at % len(ports) :] + ports[: at % len(ports)]) for at in range(clients)]
        self.threads = [threading.Thread(target=self._run, args=(turn,), daemon=True) for turn in turns]
        for thread in self.threads:
            thread.start()

    def _run(self, turn) -> None:
        open_ones: dict[int, http.client.HTTPConnection] = {}
        while not self.over.is_set():
            port = next(turn)
            started = time.monotonic()
            try:
                connection = open_ones.get(port) or http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                open_ones[port] = connection
                connection.request("POST", "/v1/chat/completions", self.body, self.headers)
                answer = connection.getresponse()
                answer.read()
                status = answer.status
            except (OSError, http.client.HTTPException) as error:
                open_ones.pop(port, None)
                with self.lock:
                    self.errors.append(repr(error))
                continue
            with self.lock:
                self.statuses[status] = self.statuses.get(status, 0) + 1
                self.slowest = max(self.slowest, time.monotonic() - started)
            if status != 200:
                time.sleep(0.05)  # an exhausted limit is not asked in a tight loop

    def passed(self) -> int:
        with self.lock:
            return self.statuses.get(200, 0)

    def until(self, wanted, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if wanted():
                return True
            time.sleep(0.05)
        return False

    def stop(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(40)
        assert not any(thread.is_alive() for thread in self.threads), "a call hangs"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


BUDGETS = [1, 100, 10_000]
CLIENTS = [1, 16, 128]


def test_a_fleet_uses_a_budget_to_its_last_call_and_never_passes_it():
    limits = [
        {**calls(budget), "name": f"of-{budget}", "by": ["header:x-run"], "when": {"model": [f"m{budget}"]}}
        for budget in BUDGETS
    ]
    models = [{"name": f"m{budget}", "targets": [{"provider": "openai", "model": "gpt-4o"}]} for budget in BUDGETS]
    policy = store.document(limits, models=models)
    with store.Redis() as redis, fleet(policy, redis) as (envoys, provider):
        for budget, clients in itertools.product(BUDGETS, CLIENTS):
            before, arrived, started = redis.scripts(), len(provider.arrived), time.monotonic()
            with Load(envoys, clients, model=f"m{budget}", run=str(clients)) as load:
                reached = load.until(lambda: load.passed() >= budget, 60)  # noqa: B023
                taken, asked = time.monotonic() - started, redis.scripts() - before
                time.sleep(0.5)  # more is asked for, and there is none
            line = f"budget {budget:>6}, {clients:>3} clients: {load.statuses.get(200)} calls in {taken:.1f} s"
            print(f"{line}, {load.statuses.get(429)} refused, {asked} leases asked for, slowest {load.slowest:.2f} s")
            assert reached and load.passed() == budget == len(provider.arrived) - arrived, load.statuses
            assert set(load.statuses) == {200, 429} and not load.errors, (load.statuses, load.errors[:3])


def test_the_bridge_is_added_to_the_shipped_configuration_as_its_file_says():
    config = harness.shipped()
    harness.gateway(config)["store"] = {"redis": {"cluster": "redis_bridge"}}
    harness.gateway(config)["limits"] = [calls(1)]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(config, file)
        file.flush()
        command = [harness.ENVOY, "--mode", "validate", "-l", "warning", "-c", file.name]
        command += ["--config-yaml", store.BRIDGE.read_text()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=harness._environment(None))
    assert done.returncode == 0, done.stderr


def test_a_password_is_given_and_a_wrong_one_is_told():
    with store.Redis(password="right-horse") as redis:
        for password, status, outcome in [("right-horse", 200, "ok"), ("wrong", 503, "failed")]:
            policy = store.document([calls(5)], {"auth": {"env": "REDIS_PASSWORD"}})
            with Upstream(always=OK) as provider:
                keys = {**harness.KEYS, "REDIS_PASSWORD": password}
                with store.envoy(policy, provider.port, redis.port, keys=keys) as envoy:
                    got = client.call(envoy.port, body=ASK)
                    assert got.status == status, got.body
                    assert envoy.counters()[f"sluice_store_posts_total;outcome={outcome}"] >= 1
                    assert ("WRONGPASS" in envoy.log()) == (status == 503)
                    assert password not in envoy.log()
