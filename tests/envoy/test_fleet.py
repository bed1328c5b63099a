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
import pytest
import store
from upstream import Answer, Upstream

pytestmark = [pytest.mark.proof, pytest.mark.timeout(600)]

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


def test_a_fleet_uses_a_budget_to_its_last_call_and_never_passes_it(figure):
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
            found = f"{load.passed()} passed in {taken:.1f} s, {load.statuses.get(429)} refused; Redis ran the script {asked} times"
            figure(f"a budget of {budget}, three Envoys and a Redis", f"{clients} at once", found)
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


def test_redis_that_pauses_stops_restarts_or_forgets_costs_no_call_and_no_count(figure):
    """`deny`, under load: each call is answered in its time, and in the end the budget is used up exactly."""
    budget = 100_000
    policy = store.document([calls(budget)], {"timeout": "500ms"})
    with store.Redis() as redis, fleet(policy, redis) as (envoys, provider):
        with Load(envoys, 16) as load:
            assert load.until(lambda: load.passed() > 300, 20), load.statuses
            for name, hurt, heal in [
                ("paused", redis.pause, redis.go_on),
                ("stopped", redis.stop, redis.start),
                ("restarted", lambda: (redis.stop(), redis.start()), lambda: None),
            ]:
                load.slowest, refused = 0.0, load.statuses.get(503, 0)
                hurt()
                time.sleep(4)
                slowest, refused = load.slowest, load.statuses.get(503, 0) - refused
                heal()
                passed = load.passed()
                assert load.until(lambda: load.passed() > passed + 300, 20), (name, load.statuses)  # noqa: B023
                figure(f"Redis {name}", "16 at once", f"slowest call {slowest:.2f} s, {refused} refused, goes on by itself")
                assert slowest < 3, name
            assert set(load.statuses) <= {200, 503} and not load.errors, (load.statuses, load.errors[:3])
        everything = load.passed()
        # What was settled while Redis was away is told: all of it, once.
        assert load.until(lambda: redis.used() == everything, 40), (redis.counters(), everything)
        assert redis.ask("FLUSHALL").startswith(b"+OK")
        with Load(envoys, 16) as load:
            assert load.until(lambda: load.passed() > 300, 20), load.statuses
        everything += load.passed()
        assert load.until(lambda: redis.used() == everything, 90), (redis.counters(), everything)
        # And what nobody uses is given back.
        assert load.until(lambda: redis.leased() == 0, 90), redis.counters()
        assert len(provider.arrived) == everything
        figure("the same, then flushed", "16 at once", f"{everything} calls, Redis knows {redis.used()}, {redis.leased()} lent in the end")
        posts = [envoy.counters() for envoy in envoys]
        assert all(found["sluice_store_posts_total;outcome=failed"] > 0 for found in posts), posts
        for envoy in envoys:
            assert "the store of limits fails" in envoy.log() and "the store of limits answers again" in envoy.log()


def test_an_envoy_that_dies_loses_its_lease_and_no_more_and_a_restart_keeps_the_count(figure):
    budget = 3000
    policy = store.document([calls(budget)])
    with store.Redis() as redis, Upstream(always=OK) as provider:
        with contextlib.ExitStack() as stack:
            envoys = [store.envoy(policy, provider.port, redis.port) for _ in range(3)]
            stack.callback(lambda: [envoy._stop() for envoy in envoys])
            with Load(envoys, 16) as load:
                assert load.until(lambda: load.passed() > 400, 20), load.statuses
                envoys[0].process.kill()
                passed = load.passed()
                assert load.until(lambda: load.passed() > passed + 100, 20), load.statuses
            before = load.passed()
        # All are gone. What they had not told or given back stays lent: it may have been used.
        used, leased = redis.used(), redis.leased()
        assert used <= before <= used + leased < budget
        with fleet(policy, redis) as (envoys, _), Load(envoys, 16) as load:
            left = budget - used - leased
            assert load.until(lambda: load.passed() >= left, 40), (load.statuses, left)
            time.sleep(1)
        found = f"{before} passed before and {load.passed()} after, {used + leased - before} lost with leases"
        figure(f"a budget of {budget}, of three Envoys one killed, then all started again", "16 at once", found)
        assert load.passed() == left and before + left <= budget
        assert set(load.statuses) == {200, 429} and not load.errors, (load.statuses, load.errors[:3])


def test_what_an_envoy_does_not_use_comes_back_to_the_others():
    """After seconds where calls are rare, after half a minute where they came often; then the budget is used to its last call."""
    budget = 1000
    tokens = {"name": "tokens", "unit": "tokens", "amount": 10_000, "window": "12mo", "when": {"model": ["rare"]}}
    models = [{"name": name, "targets": [{"provider": "openai", "model": "gpt-4o"}]} for name in ("gpt-4o", "rare")]
    policy = store.document([{**calls(budget), "when": {"model": ["gpt-4o"]}}, tokens], models=models)
    with store.Redis() as redis, fleet(policy, redis, 2) as ((first, second), provider):
        assert client.call(first.port, body={**ASK, "model": "rare", "max_tokens": 500}).status == 200
        assert redis.leased() > 400, redis.counters()
        deadline = time.monotonic() + 15
        while redis.leased() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert (redis.leased(), redis.used()) == (0, 5), "what one rare call did not use"

        with Load([first], 8) as load:
            assert load.until(lambda: load.passed() >= 200, 20), load.statuses
        used, lent = load.passed(), redis.leased()
        assert lent > 0, "the lease of an Envoy whose calls came often"
        with Load([second], 8) as others:
            assert others.until(lambda: others.statuses.get(429, 0) > 0, 20), others.statuses
            before, started = others.passed(), time.monotonic()
            assert before < budget - used, "what is lent is nobody else's"
            assert others.until(lambda: others.passed() >= budget - used, 60), (others.statuses, redis.counters())
            print(f"{lent} lent and not used, {budget - used - before} of them had by the other after {time.monotonic() - started:.0f} s")
            time.sleep(1)
        assert used + others.passed() == budget == len(provider.arrived) - 1
        assert load.until(lambda: redis.used() == budget + 5 and redis.leased() == 0, 60), redis.counters()


def test_a_window_that_ends_brings_lost_leases_back():
    # Long enough to be sure of a whole window.
    policy = store.document([calls(60, window="20s")])
    with store.Redis() as redis, Upstream(always=OK) as provider:
        time.sleep(20 - time.time() % 20)
        with contextlib.ExitStack() as stack:
            lost = store.envoy(policy, provider.port, redis.port)
            stack.callback(lost._stop)
            assert client.call(lost.port, body=ASK).status == 200
            for _ in range(8):
                client.call(lost.port, body=ASK)
            lost.process.kill()
        with fleet(policy, redis, 1) as (envoys, _):
            while time.time() % 20 > 1:
                time.sleep(0.05)
            with Load(envoys, 4) as load:
                assert load.until(lambda: load.passed() >= 60, 8), load.statuses
                time.sleep(0.5)
            assert load.passed() == 60, load.statuses


def test_without_redis_each_envoy_does_as_it_is_told():
    for down, expected in [("deny", 0), ("allow", 40), ({"local": 25}, 10)]:
        policy = store.document([calls(40)], {"down": down, "timeout": "200ms"})
        with store.Redis() as redis, Upstream(always=OK) as provider:
            redis.stop()
            with store.envoy(policy, provider.port, redis.port) as envoy, Load([envoy], 8) as load:
                time.sleep(4)
                load.stop()
                refused = 503 if down == "deny" else 429
                assert load.passed() == expected and load.statuses.get(refused, 0) > 0, (down, load.statuses)
                assert set(load.statuses) <= {200, refused} and load.slowest < 3, (load.statuses, load.slowest)
                # It comes back, and is told what was used meanwhile.
                redis.start()
                again = load.until(lambda: redis.used() == expected, 20)
                assert again or expected == 0, (down, redis.counters())
                if expected < 40:
                    assert load.until(lambda: client.call(envoy.port, body=ASK).status == 200, 10), down
