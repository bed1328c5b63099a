"""Clients that can send what libraries refuse to: raw bytes, trailers, bodies in pieces."""

import contextlib
import json
import socket
import time
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events


@dataclass
class Got:
    """What the client received. `complete`: the answer ended as HTTP says it must."""

    status: int = 0
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    body: bytes = b""
    trailers: list[tuple[str, bytes]] = field(default_factory=list)
    complete: bool = False
    seconds: float = 0
    first_byte: float = 0

    def header(self, name: str) -> str | None:
        values = [value.decode("latin-1") for key, value in self.headers if key == name.lower()]
        return ", ".join(values) if values else None

    def json(self):
        return json.loads(self.body)


def call(port, path="/v1/chat/completions", body=b"", headers=(), method="POST", **how) -> Got:
    """`body`: bytes, or a value sent as JSON. `headers`: pairs or a mapping; None leaves a default out."""
    if not isinstance(body, bytes | str):
        body = json.dumps(body, separators=(",", ":"))
    if isinstance(body, str):
        body = body.encode()
    pairs = list(headers.items() if isinstance(headers, dict) else headers)
    given = {name.lower() for name, _ in pairs}
    if body and "content-type" not in given:
        pairs.append(("content-type", "application/json"))
    pairs = [(name, value) for name, value in pairs if value is not None]
    return raw(port, method, path, pairs, body, **how)


def raw(port, method, path, headers, body, trailers=None, chunk=None, hang_up_after=None, timeout=15) -> Got:
    started = time.monotonic()
    head = [f"{method} {path} HTTP/1.1".encode("latin-1")]
    names = {name.lower() for name, _ in headers}
    if "host" not in names:
        head.append(b"host: gateway.test")
    for name, value in headers:
        head.append(name.encode("latin-1") + b": " + (value if isinstance(value, bytes) else value.encode("latin-1")))
    if trailers is not None:
        head.append(b"transfer-encoding: chunked")
    elif body or method not in ("GET", "HEAD", "DELETE"):
        if "content-length" not in names:
            head.append(b"content-length: %d" % len(body))
    got = Got()
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # An answer may come, and the connection be closed, before the body is sent.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(b"\r\n".join(head) + b"\r\n\r\n")
            pieces = [body[i : i + chunk] for i in range(0, len(body), chunk)] if chunk else [body]
            for piece in pieces:
                if trailers is None:
                    connection.sendall(piece)
                elif piece:
                    connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
                if chunk and len(pieces) < 200:
                    time.sleep(0.001)
            if trailers is not None:
                tail = b"".join(b"%s: %s\r\n" % (n.encode(), v.encode()) for n, v in trailers)
                connection.sendall(b"0\r\n" + tail + b"\r\n")
        try:
            with connection.makefile("rb") as source:
                _answer(source, got, method, hang_up_after, started)
        except ConnectionResetError:
            pass
    got.seconds = time.monotonic() - started
    return got


def _answer(source, got: Got, method: str, hang_up_after: int | None, started: float) -> None:
    line = source.readline()
    if not line:
        return
    got.status = int(line.split(b" ", 2)[1])
    got.headers = _fields(source)
    got.first_byte = time.monotonic() - started
    if method == "HEAD" or got.status in (204, 304):
        got.complete = True
    elif got.header("transfer-encoding"):
        while size_line := source.readline():
            size = int(size_line.split(b";")[0], 16)
            if size == 0:
                got.trailers = _fields(source)
                got.complete = True
                return
            piece = source.read(size)
            got.body += piece
            if hang_up_after is not None and len(got.body) >= hang_up_after:
                return
            if len(piece) < size or not source.readline():
                return
    else:
        length = got.header("content-length")
        want = -1 if length is None else int(length)
        if hang_up_after is not None:
            got.body = source.read(hang_up_after if want < 0 else min(want, hang_up_after))
            return
        got.body = source.read(want)
        got.complete = want < 0 or len(got.body) == want


def _fields(source) -> list[tuple[str, bytes]]:
    fields = []
    while (line := source.readline().rstrip(b"\r\n")) != b"":
        name, _, value = line.partition(b":")
        fields.append((name.decode("latin-1").lower(), value.strip()))
    return fields


def h2_call(port, path="/v1/chat/completions", body=b"", headers=(), trailers=None, method="POST", timeout=10) -> Got:
    """HTTP/2 with prior knowledge: here any client can send trailers."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    got = Got()
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as stream:
        connection.initiate_connection()
        head = [(":method", method), (":scheme", "http"), (":authority", "gateway.test"), (":path", path)]
        connection.send_headers(1, head + list(headers), end_stream=not body and not trailers)
        if body:
            connection.send_data(1, body, end_stream=not trailers)
        if trailers:
            connection.send_headers(1, list(trailers), end_stream=True)
        stream.sendall(connection.data_to_send())
        while not got.complete and (data := stream.recv(65536)):
            for event in connection.receive_data(data):
                match event:
                    case h2.events.ResponseReceived():
                        fields = [(name.decode(), value) for name, value in event.headers]
                        got.status = int(dict(fields)[":status"])
                        got.headers = [(name, value) for name, value in fields if name != ":status"]
                    case h2.events.DataReceived():
                        got.body += event.data
                        connection.acknowledge_received_data(event.flow_controlled_length, 1)
                    case h2.events.TrailersReceived():
                        got.trailers = [(name.decode(), value) for name, value in event.headers]
                    case h2.events.StreamEnded():
                        got.complete = True
                    case h2.events.StreamReset() | h2.events.ConnectionTerminated():
                        return got
            stream.sendall(connection.data_to_send())
    return got
