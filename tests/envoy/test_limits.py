"""Limits under load: two workers, many calls at once. A budget is used to its last unit and never passed; what is charged is what the
providers say they delivered."""

import asyncio
import collections
import contextlib
import json
import os
import random
import socket
import struct
import threading

import harness
import pytest

# As the tokenizer of gpt-4o counts them: the prompt with what stands around it, and one token a word.
MESSAGES = [{"role": "user", "content": "hi"}]
PROMPT = 8
WORDS = [" one", " two", " three", " four", " five"]
AMOUNT = 9_000_000_000
JSON = "content-type: application/json"
SSE = "content-type: text/event-stream"

CONCURRENCY = [1, 16, 128]
BUDGETS = [1, 100, int(os.environ.get("SLUICE_LARGE_BUDGET", "10000"))]


class Server:
    """A provider that does what its caller says in `user`, and keeps its own books of it."""

    def __init__(self):
        self.calls = 0
        self.books: list[dict] = []
        self.lock = threading.Lock()

    async def serve(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                body = json.loads(await reader.readexactly(length))
                with self.lock:
                    self.calls += 1
                if not await self.answer(body, reader, writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, body, reader, writer) -> bool:
        plan = json.loads(body["user"]) if "user" in body else {"words": 1}
        words, what = plan["words"], plan.get(self.name)
        assert words <= body.get("max_tokens", words), "the cap was not kept"
        if what == "500":
            await self.send(writer, "500 Internal Server Error", JSON, json.dumps({"error": {"message": "no"}}))
            return True
        if what == "reset":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        usage = {"prompt_tokens": PROMPT, "completion_tokens": words, "total_tokens": PROMPT + words}
        head = {"id": "c", "object": "chat.completion", "created": 1, "model": body["model"]}
        if not body.get("stream"):
            text = "".join(WORDS[i % 5] for i in range(words))
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            self.book(PROMPT + words)
            await self.send(writer, "200 OK", JSON, json.dumps({**head, "choices": [choice], "usage": usage}))
            return True
        head["object"] = "chat.completion.chunk"
        stop = plan.get("stop", words)
        writer.write(f"HTTP/1.1 200 OK\r\n{SSE}\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        for i in range(stop):
            choice = {"index": 0, "delta": {"content": WORDS[i % 5]}, "finish_reason": None}
            self.chunk(writer, {**head, "choices": [choice]})
            await writer.drain()
        self.book(PROMPT + stop)
        if plan.get("ends") == "left":
            # The client has what it wanted, and goes.
            await asyncio.wait_for(reader.read(1), 20)
            return False
        if plan.get("ends") == "cut":
            await asyncio.sleep(0.01)
            writer.transport.abort()
            return False
        self.chunk(writer, {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self.chunk(writer, {**head, "choices": [], "usage": usage})
        last = b"data: [DONE]\n\n"
        writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(last), last))
        await writer.drain()
        return True

    def book(self, tokens: int) -> None:
        with self.lock:
            self.books.append(tokens)

    def chunk(self, writer, value) -> None:
        data = b"data: " + json.dumps(value).encode() + b"\n\n"
        writer.write(b"%x\r\n%s\r\n" % (len(data), data))

    async def send(self, writer, status, kind, text) -> None:
        writer.write(f"HTTP/1.1 {status}\r\n{kind}\r\ncontent-length: {len(text)}\r\n\r\n{text}".encode())
        await writer.drain()


@contextlib.contextmanager
def providers(*names):
    """Scripted providers in one thread with a loop of its own."""
    loop = asyncio.new_event_loop()
    servers, ports = {}, {}

    async def start():
        for name in names:
            server = Server()
            server.name = name
            listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=1024)
            servers[name], ports[name] = server, listening.sockets[0].getsockname()[1]

    loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield servers, ports
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


async def ask(port, streams, body, words=None, headers=""):
    """One call over a connection of `streams`. `words`: hang up after so many. The status, the headers."""
    data = json.dumps(body).encode()
    reader, writer = streams.pop() if streams else await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{JSON}\r\n{headers}content-length: {len(data)}\r\n\r\n"
    writer.write(head.encode() + data)
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    status = int(lines[0].split()[1])
    got = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    try:
        if "content-length" in got:
            await reader.readexactly(int(got["content-length"]))
        else:
            seen = 0
            while words is None or seen < words:
                size = int(await reader.readline(), 16)
                piece = await reader.readexactly(size + 2)
                seen += piece.count(b'"content"')
                if size == 0:
                    break
            else:
                writer.transport.abort()
                return status, got
    except (asyncio.IncompleteReadError, ConnectionError, ValueError):
        writer.close()
        return status, got
    streams.append((reader, writer))
    return status, got


async def load(concurrency, jobs, run):
    """All jobs, so many at once."""
    jobs, results = iter(jobs), []

    async def worker():
        streams = []
        for job in jobs:
            results.append(await run(streams, job))
        for _, writer in streams:
            writer.close()

    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return results


def document(limits, targets=("a",), **more):
    return {
        "providers": {name: {"api": "openai", "auth": {"value": "sk"}} for name in targets},
        "models": [{"name": "gpt-4o", "cooldown": "0s", "max_tokens": 20, "targets": [{"provider": name} for name in targets]}],
        "limits": limits,
        **more,
    }


@pytest.mark.parametrize("concurrency", CONCURRENCY)
def test_a_budget_is_used_to_its_last_call_and_never_passed(concurrency, capsys):
    """In calls, in tokens and in money. Every reservation is here as much as is used in the end, so that no room is held in vain."""
    cost = PROMPT * 2500 + 10000  # nano-dollars, one word: 2.50 and 10.00 a million
    figures = []
    for budget in BUDGETS:
        limits = [{"name": "calls", "by": ["header:x-run"], "unit": "requests", "amount": budget, "window": "1mo", "when": {"model": ["gpt-4o"]}}]
        limits.append({"name": "tokens", "by": ["header:x-run"], "unit": "tokens", "amount": budget * (PROMPT + 1), "window": "1mo"})
        limits.append({"name": "money", "by": ["header:x-run"], "unit": "usd", "amount": f"{budget * cost / 1e9:.9f}", "window": "1mo"})
        for limit in limits if budget < 1000 else limits[:1]:
            prices = {"*": {"input": 2.5, "output": 10}}
            with providers("a") as (servers, ports), harness.serving(document([limit], prices=prices), ports) as envoy:
                body = {"model": "gpt-4o", "max_tokens": 1, "messages": MESSAGES}
                asked = budget + max(budget // 5, 3 * concurrency)

                async def run(streams, _):
                    return (await ask(envoy.port, streams, body))[0]

                counted = collections.Counter(asyncio.run(load(concurrency, range(asked), run)))
                assert counted == {200: budget, 429: asked - budget}, (limit, counted)
                assert servers["a"].calls == budget
                figures.append(f"{limit['unit']} {budget}: {counted[200]} of {asked} passed")
                assert sum(value for name, value in envoy.counters().items() if "limit_lost" in name) == 0
    with capsys.disabled():
        print(f"\n{concurrency} at once, 2 workers: " + "; ".join(figures))


def test_no_more_calls_are_under_way_than_may_be(capsys):
    limits = [{"name": "at-once", "unit": "concurrent", "amount": 7}]
    with providers("a") as (servers, ports), harness.serving(document(limits), ports) as envoy:
        underway, most = 0, 0
        original = Server.answer

        async def slow(self, body, reader, writer):
            nonlocal underway, most
            underway += 1
            most = max(most, underway)
            await asyncio.sleep(0.005)
            underway -= 1
            return await original(self, body, reader, writer)

        Server.answer = slow
        try:

            async def run(streams, _):
                return (await ask(envoy.port, streams, {"model": "gpt-4o", "messages": MESSAGES}))[0]

            counted = collections.Counter(asyncio.run(load(64, range(2000), run)))
            assert asyncio.run(load(1, range(20), run)) == [200] * 20, "nothing is held when all is over"
        finally:
            Server.answer = original
        assert most == 7 and set(counted) == {200, 429}, (most, counted)
    with capsys.disabled():
        print(f"\nconcurrent 7: at most {most} under way, {counted[200]} of 2000 passed")


def plans(count, seed):
    """20 % of the clients leave at a random event, 10 % of first attempts fail, 5 % of streams are cut."""
    chance = random.Random(seed)
    for _ in range(count):
        words = chance.randint(1, 20)
        plan = {"words": words}
        dice = chance.random()
        stream = chance.random() < 0.6 or dice < 0.25
        if dice < 0.25:
            plan |= {"ends": "left" if dice < 0.2 else "cut", "stop": chance.randint(1, words)}
        if chance.random() < 0.1:
            plan["a"] = chance.choice(["500", "reset"])
            if chance.random() < 0.2:
                plan["b"] = "500"
        yield {"model": "gpt-4o", "stream": stream, "messages": MESSAGES, "user": json.dumps(plan)}, plan, stream


@pytest.mark.parametrize("concurrency", CONCURRENCY)
def test_what_is_charged_is_what_the_providers_delivered(concurrency, capsys):
    count = 2000 if concurrency > 1 else 600
    limits = [
        {"name": "tokens", "unit": "tokens", "amount": AMOUNT, "window": "1mo"},
        {"name": "calls", "unit": "requests", "amount": AMOUNT, "window": "1mo"},
    ]
    prices = {"*": {"input": 1, "output": 1}}
    with providers("a", "b") as (servers, ports), harness.serving(document(limits, ("a", "b"), prices=prices), ports) as envoy:

        async def run(streams, job):
            body, plan, stream = job
            words = plan["stop"] if plan.get("ends") == "left" else None
            status, _ = await ask(envoy.port, streams, body, words)
            return status

        statuses = collections.Counter(asyncio.run(load(concurrency, plans(count, concurrency), run)))
        calls = envoy.calls(count, 10)
        booked = sorted(tokens for server in servers.values() for tokens in server.books)
        charged = sorted(limit["settled"] for call in calls for limit in call["limits"] if limit["name"] == "tokens" and limit["settled"])
        costs = [round(call["cost_usd"] * 1e6) for call in calls if call.get("cost_usd")]
        ended = collections.Counter(call["ended"] for call in calls)
        # What is left, as a call of its own is told: nothing is held any longer, and no more was taken than booked.
        last = asyncio.run(load(1, [None], lambda streams, _: ask(envoy.port, streams, {"model": "gpt-4o", "max_tokens": 1, "messages": MESSAGES})))
        left = int(last[0][1]["x-ratelimit-remaining-tokens"])
        assert ended["client_left"] > count / 8 and ended["provider_cut"] > count / 50, ended
        assert charged == booked
        assert sum(costs) == sum(booked)
        assert AMOUNT - left == sum(booked) + PROMPT + 1
        assert servers["a"].calls > len(servers["a"].books) and servers["b"].calls > len(servers["b"].books)
    with capsys.disabled():
        share = {name: f"{number / count:.0%}" for name, number in ended.items()}
        print(f"\n{concurrency} at once, {count} calls {dict(statuses)}, ended {share}: delivered {sum(booked)} tokens, charged {sum(charged)}")
