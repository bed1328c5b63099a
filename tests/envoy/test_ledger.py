"""The ledger on real workers: what it tells is what the providers delivered, to the token, and what that costs."""

import asyncio
import collections
import concurrent.futures
import contextlib
import hashlib
import json
import random
import threading
import time

import client
import harness
import pytest
import store
from conftest import FULL
from load import JSON, MESSAGES, PROMPT, SSE, WORDS, Server, ask, load, providers

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900 if FULL else 180)]

CONSUMERS = {"search": "web", "chat": "web", "batch": "data", "alone": None}
# Dollars per million tokens: input, cached, written to the cache, output.
PRICES = {"gpt-4o": (2.5, 1.25, 2.5, 10), "gpt-4o-mini": (0.15, 0.075, 0.15, 0.6), "claude-sonnet-4-5": (3, 0.3, 3.75, 15)}
NAMES = ("input", "cached_input", "cache_write", "output")
FIELDS = ["requests", "errors", "input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "cost_nanodollars"]
# What an Anthropic provider says that it read from its cache and wrote there, beside the prompt.
READ, WRITTEN = 4, 2


def key(name: str) -> str:
    return f"key-of-{name}-which-nobody-guesses"


class Claude(Server):
    """An Anthropic provider with books of its own."""

    async def answer(self, body, reader, writer) -> bool:
        plan = self.plan(body["metadata"]["user_id"])
        if plan.get(self.name) == "500":
            error = {"type": "error", "error": {"type": "api_error", "message": "no"}}
            await self.send(writer, "500 Internal Server Error", JSON, json.dumps(error))
            return True
        words = plan["words"]
        self.book(plan, body, words)
        usage = {"input_tokens": PROMPT, "cache_read_input_tokens": READ, "cache_creation_input_tokens": WRITTEN, "output_tokens": words}
        message = {"id": "m", "type": "message", "role": "assistant", "model": body["model"], "content": [], "stop_reason": None, "stop_sequence": None}
        text = [WORDS[i % 5] for i in range(words)]
        if not body.get("stream"):
            whole = {**message, "content": [{"type": "text", "text": "".join(text)}], "stop_reason": "end_turn", "usage": usage}
            await self.send(writer, "200 OK", JSON, json.dumps(whole))
            return True
        deltas = [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}} for word in text]
        events = [
            {"type": "message_start", "message": {**message, "usage": {**usage, "output_tokens": 1}}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            *deltas,
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": words}},
            {"type": "message_stop"},
        ]
        body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
        await self.send(writer, "200 OK", SSE, body)
        return True


def document(**more) -> dict:
    kinds = {"a": "openai", "b": "openai", "c": "anthropic"}
    consumers = [{"name": name, "key_sha256": hashlib.sha256(key(name).encode()).hexdigest(), **({"team": team} if team else {})} for name, team in CONSUMERS.items()]
    models = {
        "gpt-4o": [{"provider": "a"}, {"provider": "b"}],
        "small": [{"provider": "b", "model": "gpt-4o-mini"}],
        "claude": [{"provider": "c", "model": "claude-sonnet-4-5"}, {"provider": "a", "model": "gpt-4o"}],
    }
    return {
        "providers": {name: {"api": api, "auth": {"value": f"sk-secret-of-{name}"}} for name, api in kinds.items()},
        "models": [{"name": name, "cooldown": "0s", "max_tokens": 20, "targets": targets} for name, targets in models.items()],
        "consumers": consumers,
        # So that what is delivered is counted where the provider says nothing.
        "limits": [{"name": "seen", "by": ["team"], "unit": "tokens", "amount": 9_000_000_000, "window": "1mo", "exceeded": "report"}],
        "prices": {model: dict(zip(NAMES, rates, strict=True)) for model, rates in PRICES.items()},
        **more,
    }


def plans(count, seed):
    """In two dialects, over three models; clients leave, first attempts fail, streams break off. Beside each what the ledger must say."""
    chance = random.Random(seed)
    for number in range(count):
        who = chance.choice(list(CONSUMERS))
        model = chance.choice(["gpt-4o", "small", "claude"])
        path = chance.choice(["/v1/chat/completions", "/v1/messages"])
        words, stream = chance.randint(1, 20), chance.random() < 0.6
        plan = {"id": number, "words": words, "who": who}
        first, then = {"gpt-4o": ("a", "b"), "small": ("b", None), "claude": ("c", "a")}[model]
        dice, used, error = chance.random(), first, False
        if dice < 0.1:
            plan[first] = "500"
            used, error = then or first, then is None
            if then and chance.random() < 0.3:
                plan[then] = "500"
                error = True
        elif dice < 0.35 and model != "claude":
            stream = True
            plan |= {"ends": chance.choice(["left", "left", "left", "cut", "error"]), "stop": chance.randint(1, words)}
            if plan["ends"] == "left":
                plan["stop"] = chance.randint(0, words)
            error = plan["ends"] != "left"
        served = {"small": "gpt-4o-mini", "claude": "claude-sonnet-4-5"}.get(model, "gpt-4o") if used == first else "gpt-4o"
        delivered = not any(plan.get(name) == "500" for name in (used,))
        row = [1, int(error), 0, 0, 0, 0, 0, 0]
        if delivered:
            cached, written = (READ, WRITTEN) if used == "c" else (0, 0)
            output = plan.get("stop", words)
            rates = [round(rate * 1000) for rate in PRICES[served]]
            cost = sum(rate * tokens for rate, tokens in zip(rates, (PROMPT, cached, written, output), strict=True))
            row = [1, int(error), PROMPT + cached + written, cached, written, output, 0, cost]
        user = str(number)
        body = {"model": model, "stream": stream, "messages": MESSAGES}
        body |= {"metadata": {"user_id": user}, "max_tokens": 20} if path == "/v1/messages" else {"user": user}
        yield {"body": body, "plan": plan, "path": path, "key": (who, CONSUMERS[who], model, used), "row": row, "delivered": delivered, "served": served}


def added(rows) -> list[int]:
    return [sum(column) for column in zip(*rows, strict=True)] or [0] * len(FIELDS)


def numbers(row: dict) -> list[int]:
    return [row[field] for field in FIELDS]


def run(envoy, servers, jobs, concurrency=16):
    """The statuses."""
    for server in servers.values():
        server.plans |= {job["plan"]["id"]: job["plan"] for job in jobs}

    async def one(streams, job):
        plan = job["plan"]
        words = plan["stop"] if plan.get("ends") == "left" else None
        seen = lambda: any(plan["id"] in server.seen for server in servers.values())  # noqa: E731
        auth = f"authorization: Bearer {key(plan['who'])}\r\n"
        return (await ask(envoy.port, streams, job["body"], words, auth, seen, job["path"]))[0]

    return collections.Counter(asyncio.run(load(concurrency, jobs, one)))


def settled(envoy, requests: int, seconds: float = 10, path: str = "/usage?by=consumer,team,model,provider") -> dict:
    """What is told once so many calls are counted."""
    deadline = time.monotonic() + seconds
    while (told := envoy.tell(path))["total"]["requests"] != requests and time.monotonic() < deadline:
        time.sleep(0.05)
    assert told["total"]["requests"] == requests, told["total"]
    return told


def by_key(told: dict) -> dict:
    return {tuple(row.get(name) for name in ("consumer", "team", "model", "provider")): numbers(row) for row in told["rows"]}


def expected(jobs) -> dict:
    rows = collections.defaultdict(list)
    for job in jobs:
        rows[job["key"]].append(job["row"])
    return {key: added(each) for key, each in rows.items()}


def agree(told: dict, jobs, servers) -> None:
    """Row by row with what was meant, and in sum with the providers' own books."""
    assert by_key(told) == expected(jobs)
    assert numbers(told["total"]) == added(job["row"] for job in jobs)
    books = collections.Counter()
    for name, server in servers.items():
        for (who, served), (prompts, words) in server.delivered.items():
            books[who, name, "calls"] += prompts
            books[who, name, "output"] += words
            books[who, name, "input"] += prompts * (PROMPT + (READ + WRITTEN if served.startswith("claude") else 0))
    counted = collections.Counter()
    for row in told["rows"]:
        counted[row["consumer"], row["provider"], "output"] += row["output_tokens"]
        counted[row["consumer"], row["provider"], "input"] += row["input_tokens"]
    assert counted == collections.Counter({place: sum for place, sum in books.items() if place[2] != "calls"})
    delivered = collections.Counter((job["key"][0], job["key"][3], "calls") for job in jobs if job["delivered"])
    assert delivered == {place: sum for place, sum in books.items() if place[2] == "calls"}


@pytest.fixture(scope="module")
def loaded():
    """An Envoy after a load of every kind, the providers, and what was sent."""
    jobs = list(plans(10_000 if FULL else 1200, 4))
    with providers("a", "b", c=Claude) as (servers, ports), harness.serving(document(), ports) as envoy:
        statuses = run(envoy, servers, jobs)
        yield envoy, servers, jobs, statuses


def test_the_ledger_is_the_providers_own_record(loaded, figure):
    envoy, servers, jobs, statuses = loaded
    told = settled(envoy, len(jobs))
    agree(told, jobs, servers)
    calls = envoy.calls(len(jobs), 10)
    ended = collections.Counter(call["ended"] for call in calls)
    assert ended["client_left"] > len(jobs) / 20 and ended["provider_cut"] > len(jobs) / 100 and ended["error"], ended
    assert sum(round(call.get("cost_usd", 0) * 1e9) for call in calls) == told["total"]["cost_nanodollars"]
    counters = envoy.counters()
    assert not any("ledger_lost" in name for name in counters)
    assert sum(value for name, value in counters.items() if name.startswith("sluice_cost_nanodollars_total")) == told["total"]["cost_nanodollars"]
    total = told["total"]
    figure(
        "the ledger is the providers' record",
        f"{len(jobs)} calls, 16 at once, 2 dialects, 3 models, {len(told['rows'])} rows",
        f"{total['input_tokens']} in, {total['output_tokens']} out, {total['cost_nanodollars']} nano-dollars, 0 of them wrong",
    )


def test_parts_of_it_are_asked_for(loaded):
    envoy, _, jobs, _ = loaded
    settled(envoy, len(jobs))
    for name, at in (("consumer", 0), ("team", 1), ("model", 2), ("provider", 3)):
        for value in {job["key"][at] for job in jobs}:
            told = envoy.tell(f"/usage?by={name}&{name}={value or ''}")
            wanted = added(job["row"] for job in jobs if job["key"][at] == value)
            assert [numbers(row) for row in told["rows"]] == [wanted] == [numbers(told["total"])], (name, value)
            assert told["rows"][0].get(name) == value
    assert envoy.tell("/usage?day=2001-01-01")["rows"] == []
    today = time.strftime("%Y-%m-%d", time.gmtime())
    assert {row["day"] for row in envoy.tell(f"/usage?to={today}")["rows"]} <= {today, time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400))}
    rows, place = [], 0
    while place is not None:
        part = envoy.tell(f"/usage?limit=3&offset={place}")
        assert len(part["rows"]) <= 3
        rows, place = rows + part["rows"], part.get("next")
    assert rows == envoy.tell("/usage")["rows"]


def test_a_consumer_is_told_its_own(loaded):
    envoy, _, jobs, _ = loaded
    settled(envoy, len(jobs))
    for who, team in CONSUMERS.items():
        got = client.call(envoy.port, "/v1/usage?by=model,provider", method="GET", headers={"x-api-key": key(who)})
        told = got.json()
        assert got.status == 200 and told["consumer"] == who and told.get("team") == team
        mine = {place[2:]: sums for place, sums in expected(jobs).items() if place[0] == who}
        assert {(row["model"], row["provider"]): numbers(row) for row in told["rows"]} == mine
        others = [name for name in CONSUMERS if name != who]
        assert not any(f'"{other}"'.encode() in got.body for other in others)
        for asked in [f"consumer={others[0]}", f"team={team or 'web'}", "by=consumer"]:
            assert client.call(envoy.port, f"/v1/usage?{asked}", method="GET", headers={"x-api-key": key(who)}).status == 400
    for headers in ({}, {"x-api-key": "nobodys"}):
        got = client.call(envoy.port, "/v1/usage", method="GET", headers=headers)
        assert got.status == 401 and b"requests" not in got.body


def test_limits_stand_where_the_ledger_does(loaded):
    envoy, _, jobs, _ = loaded
    settled(envoy, len(jobs))
    used = {row["by"]["team"]: (row["used"], row["reserved"]) for row in envoy.tell("/limits?name=seen")["limits"]}
    wanted = collections.Counter()
    for job in jobs:
        wanted[job["key"][1] or ""] += job["row"][2] + job["row"][5]
    assert used == {team: (sum, 0) for team, sum in wanted.items()}


def test_the_admin_listener_tells_no_secret_and_knows_its_paths(loaded):
    envoy, _, jobs, _ = loaded
    assert envoy.tell("/health")["status"] == "ok"
    config = envoy.tell("/config")
    [gateway] = config["gateways"]
    assert [provider["name"] for provider in gateway["providers"]] == ["a", "b", "c"]
    assert (gateway["consumers"], gateway["limits"], gateway["ledger"]) == (4, ["seen"], True)
    told = "".join(json.dumps(envoy.tell(path)) for path in ("/config", "/usage", "/limits", "/health"))
    secrets = [f"sk-secret-of-{name}" for name in "abc"] + [key(name) for name in CONSUMERS]
    secrets += [each["key_sha256"] for each in document()["consumers"]]
    assert not any(secret in told for secret in secrets)
    for path, status in [("/", 404), ("/usage/", 404), ("/v1/usage", 404), ("/v1/chat/completions", 404), ("/usage?who=x", 400), ("/usage?by=all", 400), ("/limits?offset=-1", 400)]:
        got = client.call(envoy.told, path, method="GET")
        assert got.status == status and "message" in got.json()["error"], (path, got)
    for path in ("/usage", "/limits", "/config", "/health"):
        assert client.call(envoy.told, path, body={}).status == 405
        # Not where clients are.
        got = client.call(envoy.port, path, method="GET", headers={"x-api-key": key("search")})
        assert got.status == 404 and b"cost" not in got.body and b"providers" not in got.body, (path, got)
    assert client.call(envoy.told, "/usage", method="HEAD").status == 200


def test_the_ledger_outlives_configurations_and_vms():
    jobs = list(plans(240, 5))
    with providers("a", "b", c=Claude) as (servers, ports), harness.serving(document(), ports, dynamic=True) as envoy:

        def another(config, number):
            for vm in harness.vms(config):
                vm["environment_variables"] = {**vm["environment_variables"], "key_values": {"CHANGE": str(number)}}

        for number in range(3):
            run(envoy, servers, jobs[number * 80 : number * 80 + 80])
            settled(envoy, number * 80 + 80)
            envoy.change(lambda config, number=number: another(config, number))
        agree(settled(envoy, len(jobs)), jobs, servers)


@contextlib.contextmanager
def fleet(ports, redis, size):
    """So many Envoys that share a ledger. No call needs Redis for its limits."""
    policy = document(store={"redis": {"cluster": "redis_bridge", "timeout": "500ms"}})
    policy["limits"][0]["store"] = "local"
    with contextlib.ExitStack() as stack:
        config = store.bridged(harness.configuration(policy, ports), redis.port)
        yield [stack.enter_context(harness.Envoy(config)) for _ in range(size)]


def test_three_envoys_have_one_ledger_whatever_becomes_of_redis_and_of_them(figure):
    jobs = list(plans(6000 if FULL else 900, 6))
    shares = [jobs[at::3] for at in range(3)]
    with store.Redis() as redis, providers("a", "b", c=Claude) as (servers, ports):
        with fleet(ports, redis, 3) as envoys:

            def loads(number):
                """A third of the calls, at all Envoys at once."""
                parts = [share[len(share) * number // 3 : len(share) * (number + 1) // 3] for share in shares]
                with concurrent.futures.ThreadPoolExecutor(3) as threads:
                    return list(threads.map(lambda envoy, part: run(envoy, servers, part, 6), envoys, parts))

            loads(0)
            # Paused and restarted while calls go on; then away, with all that is counted meanwhile.
            threading.Timer(0.2, redis.pause).start()
            threading.Timer(1.5, lambda: (redis.go_on(), redis.stop(), redis.start())).start()
            loads(1)
            time.sleep(2)
            redis.stop()
            loads(2)
            untold = [envoy.tell("/usage")["fleet"]["untold_requests"] for envoy in envoys]
            assert all(count >= len(jobs) // 9 - 6 for count in untold), untold
            redis.start()
            for envoy in envoys:
                told = settled(envoy, len(jobs), 90)
                agree(told, jobs, servers)
            deadline = time.monotonic() + 20
            while any(envoy.tell("/usage?by=")["fleet"]["untold_requests"] for envoy in envoys) and time.monotonic() < deadline:
                time.sleep(0.1)
            assert envoys[0].tell("/usage?by=")["fleet"]["untold_requests"] == 0
            # A consumer is told of all Envoys, by any.
            mine = added(job["row"] for job in jobs if job["key"][0] == "batch")
            for envoy in envoys:
                got = client.call(envoy.port, "/v1/usage?by=", method="GET", headers={"x-api-key": key("batch")})
                assert numbers(got.json()["total"]) == mine
                assert not any("ledger_lost" in name for name in envoy.counters())
        # All are gone; one that was never called knows.
        with fleet(ports, redis, 1) as [envoy]:
            agree(settled(envoy, len(jobs), 30), jobs, servers)
        keys = redis.words("KEYS", "*")
        assert 0 < len(keys) <= 1024 and all(b":-1" not in redis.ask("TTL", key) for key in keys)
    figure("three Envoys, one ledger", f"{len(jobs)} calls; Redis paused, restarted, away", f"{len(keys)} keys, the sum of all Envoys' calls in each of them, and after their restart")


def test_twenty_thousand_consumers_take_no_more_room_or_time(figure):
    """More than have rows of their own: what has none is named as such, no sum is less, no answer stalls a worker. Each has a counter."""
    count = 20_000
    made = {
        "providers": {"a": {"api": "openai", "auth": {"value": "sk"}}},
        "models": [{"name": "m", "targets": [{"provider": "a", "model": "gpt-4o"}]}],
        "authentication": {"sources": [{"header": "x-user"}]},
        "consumers": [{"name": f"c{number:05}"} for number in range(count)],
        "limits": [{"name": "each", "by": ["consumer"], "unit": "requests", "amount": 1, "window": "12mo"}],
    }
    body = {"model": "m", "messages": MESSAGES}
    with providers("a") as (servers, ports), harness.serving(made, ports, concurrency=1) as envoy:

        def memory() -> int:
            status = dict(line.split(":", 1) for line in open(f"/proc/{envoy.process.pid}/status"))
            return int(status["VmRSS"].split()[0]) // 1024

        async def one(streams, number):
            return (await ask(envoy.port, streams, body, headers=f"x-user: c{number:05}\r\n"))[0]

        before = memory()
        assert set(asyncio.run(load(32, range(count), one))) == {200} and servers["a"].calls == count
        settled(envoy, count, path="/usage?by=")
        grown = memory() - before
        rows, offset, slowest, largest = [], 0, 0.0, 0
        while offset is not None:
            started = time.monotonic()
            told = envoy.tell(f"/usage?offset={offset}")
            slowest, largest = max(slowest, time.monotonic() - started), max(largest, len(told["rows"]))
            assert told["total"]["requests"] == count
            rows, offset = rows + told["rows"], told.get("next")
        own, others = [row for row in rows if not row.get("other")], [row for row in rows if row.get("other")]
        assert len({row["consumer"] for row in own}) == len(own) and all(row["requests"] == 1 for row in own)
        assert 14_000 < len(own) <= 512 * 32 and len(others) <= 2 and sum(row["requests"] for row in others) == count - len(own)
        for path in ("/limits", "/limits?offset=19000", "/config"):
            started = time.monotonic()
            largest = max(largest, len(envoy.tell(path).get("limits", [])))
            slowest = max(slowest, time.monotonic() - started)
        assert "sluice_limit_crowded_total;limit=each" not in envoy.counters()
        found = f"{len(own)} rows of their own, a counter for each, {grown} MB, slowest answer {1000 * slowest:.0f} ms"
        figure("What is kept and told stays small", f"{count} consumers", found)
        assert largest <= 1000 and slowest < 0.25 and grown < 64, (largest, slowest, grown)
        name = own[7]["consumer"]
        told = client.call(envoy.port, "/v1/usage", method="GET", headers={"x-user": name}).json()
        assert (told["consumer"], told["total"]["requests"], told["total"]["input_tokens"], len(told["rows"])) == (name, 1, PROMPT, 1)


def test_callers_without_room_share_a_counter_which_is_told():
    """Names that clients choose: more than there is room for."""
    count = 12_000
    made = {
        "providers": {"a": {"api": "openai", "auth": {"value": "sk"}}},
        "models": [{"name": "m", "targets": [{"provider": "a", "model": "gpt-4o"}]}],
        "limits": [{"name": "each", "by": ["header:x-user"], "unit": "requests", "amount": count, "window": "12mo"}],
    }
    with providers("a") as (servers, ports), harness.serving(made, ports, concurrency=1) as envoy:

        async def one(streams, number):
            return (await ask(envoy.port, streams, {"model": "m", "messages": MESSAGES}, headers=f"x-user: c{number:05}\r\n"))[0]

        assert set(asyncio.run(load(32, range(count), one))) == {200} and servers["a"].calls == count
        crowded = envoy.counters()["sluice_limit_crowded_total;limit=each"]
        assert count // 4 < crowded < count // 2, crowded
