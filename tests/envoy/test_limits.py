"""Limits under load: two workers, many calls at once. A budget is used to its last unit and never passed; what is charged is what the
providers say they delivered, however calls end."""

import asyncio
import collections
import json
import random

import harness
import pytest
from conftest import FULL
from load import MESSAGES, PROMPT, ask, load, providers

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900 if FULL else 120)]

AMOUNT = 9_000_000_000
CONCURRENCY = [1, 16, 128]
BUDGETS = [1, 100, 10_000 if FULL else 1000]
CALL = {"model": "gpt-4o", "max_tokens": 1, "messages": MESSAGES}
# Nano-dollars of a call of one word: 2.50 and 10.00 a million.
COST = PROMPT * 2500 + 10_000


def document(limits, targets=("a",), **more):
    model = {"name": "gpt-4o", "cooldown": "0s", "max_tokens": 20, "targets": [{"provider": name} for name in targets]}
    model |= more.pop("model", {})
    return {"providers": {name: {"api": "openai", "auth": {"value": "sk"}} for name in targets}, "models": [model], "limits": limits, **more}


def run_all(envoy, concurrency, jobs, body=CALL):
    """The statuses of so many equal calls."""

    async def run(streams, _):
        return (await ask(envoy.port, streams, body))[0]

    return collections.Counter(asyncio.run(load(concurrency, jobs, run)))


def lost(envoy) -> int:
    return sum(value for name, value in envoy.counters().items() if "limit_lost" in name)


@pytest.mark.parametrize("concurrency", CONCURRENCY)
@pytest.mark.parametrize("unit", ["requests", "tokens", "usd"])
def test_a_budget_is_used_to_its_last_call_and_never_passed(unit, concurrency, figure):
    """Every reservation is here as much as is used in the end, so that no room is held in vain."""
    for budget in BUDGETS:
        amount = {"requests": budget, "tokens": budget * (PROMPT + 1), "usd": f"{budget * COST / 1e9:.9f}"}[unit]
        limit = {"name": unit, "by": ["header:x-run"], "unit": unit, "amount": amount, "window": "1mo"}
        prices = {"*": {"input": 2.5, "output": 10}}
        with providers("a") as (servers, ports), harness.serving(document([limit], prices=prices), ports) as envoy:
            asked = budget + max(budget // 5, 3 * concurrency)
            counted = run_all(envoy, concurrency, range(asked))
            assert counted == {200: budget, 429: asked - budget}, (limit, counted)
            assert servers["a"].calls == budget
            assert lost(envoy) == 0
        figure(f"{unit}: a budget of {budget} calls", f"{concurrency} at once", f"{counted[200]} of {asked} passed, 0 over")


@pytest.mark.parametrize("concurrency", CONCURRENCY)
@pytest.mark.parametrize("amount", [1, 7, 100])
def test_no_more_calls_are_under_way_than_may_be(amount, concurrency, figure):
    limits = [{"name": "at-once", "unit": "concurrent", "amount": amount}]
    with providers("a") as (servers, ports), harness.serving(document(limits), ports) as envoy:
        servers["a"].slow = 0.005
        calls = 100 if concurrency == 1 else 2000
        counted = run_all(envoy, concurrency, range(calls))
        most = servers["a"].most
        assert run_all(envoy, 1, range(20)) == {200: 20}, "nothing is held when all is over"
        assert most <= amount and set(counted) <= {200, 429}, (most, counted)
        assert most == min(amount, concurrency) or concurrency > 16, "room was held in vain"
        assert 429 not in counted or concurrency > amount, counted
    figure(f"concurrent: {amount}", f"{concurrency} at once", f"at most {most} under way, {counted[200]} of {calls} passed")


def plans(count, seed):
    """20 % of the clients leave at a random event, or before the first; 10 % of first attempts fail; 5 % of streams break off."""
    chance = random.Random(seed)
    for number in range(count):
        words = chance.randint(1, 20)
        plan = {"id": number, "words": words}
        dice = chance.random()
        stream = chance.random() < 0.6 or dice < 0.25
        if dice < 0.2:
            plan |= {"ends": "left", "stop": chance.randint(0, words)}
        elif dice < 0.25:
            plan |= {"ends": chance.choice(["cut", "cut", "error"]), "stop": chance.randint(1, words)}
        if chance.random() < 0.1:
            plan["a"] = chance.choice(["500", "reset"])
            if chance.random() < 0.2:
                plan["b"] = "500"
        yield {"model": "gpt-4o", "stream": stream, "messages": MESSAGES, "user": json.dumps(plan)}, plan, stream


def charges(calls):
    """What the log says was counted towards the limit in tokens."""
    return sorted(limit["settled"] for call in calls for limit in call["limits"] if limit["name"] == "tokens" and limit["settled"])


TOKENS_AND_CALLS = [
    {"name": "tokens", "unit": "tokens", "amount": AMOUNT, "window": "1mo"},
    {"name": "calls", "unit": "requests", "amount": AMOUNT, "window": "1mo"},
]


def left(envoy) -> tuple[int, int]:
    """Tokens and calls that are left, as a call of its own is told: what it takes itself is out of it."""
    before = len(envoy.access())
    _, headers = asyncio.run(ask(envoy.port, [], CALL))
    took = {limit["name"]: limit["reserved"] for limit in envoy.calls(before + 1)[-1]["limits"]}
    # With so much room its prompt is not counted: its bytes are held.
    assert took["calls"] == 1 and PROMPT + 1 < took["tokens"] < 1000, took
    return int(headers["x-ratelimit-remaining-tokens"]) + took["tokens"], int(headers["x-ratelimit-remaining-requests"]) + took["calls"]


@pytest.mark.parametrize("concurrency", CONCURRENCY)
def test_what_is_charged_is_what_the_providers_delivered(concurrency, figure):
    count = (10_000 if FULL else 2000) if concurrency > 1 else 1000 if FULL else 400
    prices = {"*": {"input": 1, "output": 1}}
    with providers("a", "b") as (servers, ports), harness.serving(document(TOKENS_AND_CALLS, ("a", "b"), prices=prices), ports) as envoy:

        async def run(streams, job):
            body, plan, stream = job
            words = plan["stop"] if plan.get("ends") == "left" else None
            seen = lambda: any(plan["id"] in server.seen for server in servers.values())  # noqa: E731
            return (await ask(envoy.port, streams, body, words, seen=seen))[0]

        statuses = collections.Counter(asyncio.run(load(concurrency, plans(count, concurrency), run)))
        calls = envoy.calls(count, 10)
        booked = sorted(tokens for server in servers.values() for tokens in server.books)
        costs = [round(call["cost_usd"] * 1e6) for call in calls if call.get("cost_usd")]
        ended = collections.Counter(call["ended"] for call in calls)
        assert ended["client_left"] > count / 8 and ended["provider_cut"] > count / 60, ended
        assert charges(calls) == booked
        assert sum(costs) == sum(booked)
        # Nothing is held any longer, and no more was taken than booked.
        assert left(envoy) == (AMOUNT - sum(booked), AMOUNT - len(booked))
        assert servers["a"].calls > len(servers["a"].books) and servers["b"].calls > len(servers["b"].books)
        assert lost(envoy) == 0
    share = ", ".join(f"{name} {number / count:.0%}" for name, number in sorted(ended.items()))
    found = f"delivered {sum(booked)} tokens, charged {sum(booked)}; {statuses[500] + statuses[0]} calls failed or left unheard, 0 of them wrong"
    figure("charged is what was delivered", f"{count} calls, {concurrency} at once: {share}", found)


@pytest.mark.parametrize("plan, status, ended", [
    # Nobody answers in time: at neither, at the first, and then in the middle of a stream.
    ({"words": 3, "a": "silent", "b": "silent"}, 504, "error"),
    ({"words": 3, "a": "silent"}, 200, "complete"),
    ({"words": 9, "ends": "stalls", "stop": 4}, 200, "provider_cut"),
])
def test_a_call_that_times_out_is_charged_what_was_delivered(plan, status, ended, figure):
    timeouts = {"first_byte_timeout": "600ms", "answer_timeout": "600ms"}

    def brief(config):
        """Silence in the middle of a stream is Envoy's to end."""
        harness.route(config)["retry_policy"]["per_try_idle_timeout"] = "1.5s"
        harness.route(config)["idle_timeout"] = "1.5s"

    made = document(TOKENS_AND_CALLS, ("a", "b"), model=timeouts)
    with providers("a", "b") as (servers, ports), harness.serving(made, ports, tweak=brief) as envoy:
        body = {"model": "gpt-4o", "stream": plan.get("ends") is not None, "messages": MESSAGES, "user": json.dumps(plan)}
        assert run_all(envoy, 16, range(32), body) == {status: 32}
        calls = envoy.calls(32, 10)
        booked = sorted(tokens for server in servers.values() for tokens in server.books)
        assert {call["ended"] for call in calls} == {ended}
        assert charges(calls) == booked
        assert left(envoy) == (AMOUNT - sum(booked), AMOUNT - len(booked))
    figure("a timeout", f"32 calls, 16 at once: {ended}", f"delivered {sum(booked)} tokens, charged {sum(booked)}")


AMOUNTS = [400, 300, 200, 500]
# A connection of its own: it is served by the newest listener.
FRESH = "connection: close\r\n"


def limited(config, amount) -> None:
    harness.gateway(config)["limits"][0]["amount"] = amount


def test_a_budget_outlives_changes_of_the_configuration_under_load(figure):
    limit = {"name": "calls", "unit": "requests", "amount": AMOUNTS[0], "window": "1mo"}
    with providers("a") as (servers, ports), harness.serving(document([limit]), ports, dynamic=True) as envoy:
        servers["a"].slow = 0.02
        statuses: list[int] = []
        # Statuses that there were when a change had been made.
        changed: list[int] = []

        async def run(streams, _):
            statuses.append((await ask(envoy.port, streams, CALL, headers=FRESH))[0])

        async def changes():
            for number, amount in enumerate(AMOUNTS[1:], 1):
                while statuses.count(200) < 40 * number:
                    await asyncio.sleep(0.01)
                await asyncio.to_thread(envoy.change, lambda config, amount=amount: limited(config, amount))
                changed.append(len(statuses))

        def used_up():
            """Nothing but refusals, and not those from before the last change."""
            return len(changed) == 3 and len(statuses) >= changed[-1] + 100 and statuses[-100:] == [429] * 100

        async def both():
            await asyncio.gather(changes(), load(16, iter(used_up, True), run))

        asyncio.run(both())
        assert collections.Counter(statuses)[200] == AMOUNTS[-1] == servers["a"].calls, changed
        assert set(statuses) == {200, 429} and lost(envoy) == 0
    figure("a budget, through three changes of the configuration", "16 at once", f"{statuses.count(200)} of {len(statuses)} passed; {AMOUNTS[-1]} is the last amount")


def test_a_budget_outlives_its_vms(figure):
    """Another environment makes new VMs, and ends the old ones."""
    limit = {"name": "calls", "unit": "requests", "amount": AMOUNTS[0], "window": "1mo"}
    with providers("a") as (servers, ports), harness.serving(document([limit]), ports, dynamic=True) as envoy:

        def another(config, number):
            for vm in harness.vms(config):
                vm["environment_variables"] = {**vm["environment_variables"], "key_values": {"CHANGE": str(number)}}
            limited(config, AMOUNTS[number])

        passed = run_all(envoy, 16, range(80))[200]
        created = envoy.stats("wasm.*created")
        for number in range(1, 4):
            envoy.change(lambda config, number=number: another(config, number))
            passed += run_all(envoy, 16, range(600 if number == 3 else 80))[200]
        assert envoy.stats("wasm.*created") != created, "no VM was made"
        assert passed == AMOUNTS[-1] == servers["a"].calls
    figure("a budget, through three sets of VMs", "16 at once", f"{passed} of 840 passed; {AMOUNTS[-1]} is the last amount")
