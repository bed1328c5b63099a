"""Calls at once, and providers that keep books of what they delivered."""

import asyncio
import contextlib
import json
import socket
import struct
import threading

# As the tokenizer of gpt-4o counts them: the prompt with what stands around it, and one token a word.
MESSAGES = [{"role": "user", "content": "hi"}]
PROMPT = 8
WORDS = [" one", " two", " three", " four", " five"]
JSON = "content-type: application/json"
SSE = "content-type: text/event-stream"


class Server:
    """A provider that does what its caller says in `user`, and keeps its own books of it."""

    def __init__(self, name: str):
        self.name = name
        self.calls = 0
        self.books: list[int] = []
        # Of each `who` in `user`, by model: prompts and words.
        self.delivered: dict[tuple[str, str], list[int]] = {}
        self.seen: set[int] = set()
        # What calls mean that say a number alone: not every API takes a long `user`.
        self.plans: dict[int, dict] = {}
        # Seconds that an answer takes; how many are being made, and the most that ever were.
        self.slow = 0.0
        self.underway = self.most = 0

    async def serve(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                body = json.loads(await reader.readexactly(length))
                self.calls += 1
                self.underway += 1
                self.most = max(self.most, self.underway)
                try:
                    await asyncio.sleep(self.slow)
                finally:
                    # Before the answer: who has it may call again.
                    self.underway -= 1
                if not await self.answer(body, reader, writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def plan(self, user: str) -> dict:
        said = json.loads(user)
        return self.plans[said] if isinstance(said, int) else said

    def book(self, plan, body, words) -> None:
        self.books.append(PROMPT + words)
        sums = self.delivered.setdefault((plan.get("who", ""), body["model"]), [0, 0])
        sums[0] += 1
        sums[1] += words

    async def answer(self, body, reader, writer) -> bool:
        """Whether the connection goes on."""
        plan = self.plan(body["user"]) if "user" in body else {"words": 1}
        words, what = plan["words"], plan.get(self.name)
        assert words <= body.get("max_tokens", words), "the cap was not kept"
        if what == "500":
            await self.send(writer, "500 Internal Server Error", JSON, json.dumps({"error": {"message": "no"}}))
            return True
        if what == "reset":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        if what == "silent":
            await reader.read(1)
            return False
        self.seen.add(plan.get("id"))
        ends, stop = plan.get("ends"), plan.get("stop", words)
        if stop == 0:
            # It has worked on the prompt when its client goes.
            self.book(plan, body, 0)
            await asyncio.wait_for(reader.read(1), 20)
            return False
        usage = {"prompt_tokens": PROMPT, "completion_tokens": words, "total_tokens": PROMPT + words}
        head = {"id": "c", "object": "chat.completion", "created": 1, "model": body["model"]}
        if not body.get("stream"):
            text = "".join(WORDS[i % 5] for i in range(words))
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            self.book(plan, body, words)
            await self.send(writer, "200 OK", JSON, json.dumps({**head, "choices": [choice], "usage": usage}))
            return True
        head["object"] = "chat.completion.chunk"
        writer.write(f"HTTP/1.1 200 OK\r\n{SSE}\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        for i in range(stop):
            self.event(writer, {**head, "choices": [{"index": 0, "delta": {"content": WORDS[i % 5]}, "finish_reason": None}]})
            await writer.drain()
        self.book(plan, body, stop)
        if ends in ("left", "stalls"):
            # The client has what it wanted, and goes; or Envoy waits for what does not come.
            await asyncio.wait_for(reader.read(1), 20)
            return False
        if ends == "cut":
            await asyncio.sleep(0.01)
            writer.transport.abort()
            return False
        if ends == "error":
            self.event(writer, {"error": {"message": "no more", "type": "server_error", "param": None, "code": None}})
        else:
            self.event(writer, {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            self.event(writer, {**head, "choices": [], "usage": usage})
        last = b"data: [DONE]\n\n"
        writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(last), last))
        await writer.drain()
        return True

    def event(self, writer, value) -> None:
        data = b"data: " + json.dumps(value).encode() + b"\n\n"
        writer.write(b"%x\r\n%s\r\n" % (len(data), data))

    async def send(self, writer, status, kind, text) -> None:
        writer.write(f"HTTP/1.1 {status}\r\n{kind}\r\ncontent-length: {len(text)}\r\n\r\n{text}".encode())
        await writer.drain()


@contextlib.contextmanager
def providers(*names, **others):
    """Scripted providers in one thread with a loop of its own: what they are and their ports, by name. `others`: of these classes."""
    loop = asyncio.new_event_loop()
    servers, ports = {}, {}

    async def start():
        for name, kind in {**dict.fromkeys(names, Server), **others}.items():
            servers[name] = kind(name)
            listening = await asyncio.start_server(servers[name].serve, "127.0.0.1", 0, backlog=1024)
            ports[name] = listening.sockets[0].getsockname()[1]

    loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield servers, ports
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


async def ask(port, streams, body, words=None, headers="", seen=None, path="/v1/chat/completions"):
    """One call over a connection of `streams`: the status, the headers. `words`: hang up after so many; 0: once `seen`."""
    data = json.dumps(body).encode()
    word = b'"text_delta"' if path == "/v1/messages" else b'"content"'
    reader, writer = streams.pop() if streams else await asyncio.open_connection("127.0.0.1", port)
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\n{JSON}\r\n{headers}content-length: {len(data)}\r\n\r\n"
    writer.write(head.encode() + data)
    if words == 0:
        answered = asyncio.ensure_future(reader.read(1))
        while not answered.done() and not seen():
            await asyncio.sleep(0.002)
        status = int((await answered + await reader.readline()).split()[1]) if answered.done() else 0
        answered.cancel()
        writer.transport.abort()
        return status, {}
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    status = int(lines[0].split()[1])
    got = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    try:
        if "content-length" in got:
            await reader.readexactly(int(got["content-length"]))
        else:
            heard = 0
            while words is None or heard < words:
                size = int(await reader.readline(), 16)
                piece = await reader.readexactly(size + 2)
                heard += piece.count(word)
                if size == 0:
                    break
            else:
                writer.transport.abort()
                return status, got
    except (asyncio.IncompleteReadError, ConnectionError, ValueError):
        writer.close()
        return status, got
    if got.get("connection") == "close":
        writer.close()
    else:
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
