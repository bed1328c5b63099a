"""A scripted provider on a raw socket: what it received is kept byte for byte, and it can fail in every way a network does."""

import socket
import struct
import threading
import time
from dataclasses import dataclass, field

REASONS = {200: "OK", 400: "Bad Request", 429: "Too Many Requests", 500: "Internal Server Error"}


@dataclass
class Arrived:
    """One request, as it came."""

    method: str
    path: str
    headers: list[tuple[str, bytes]]
    body: bytes = b""
    trailers: list[tuple[str, bytes]] = field(default_factory=list)

    def header(self, name: str) -> str | None:
        values = [value.decode("latin-1") for key, value in self.headers if key == name.lower()]
        return ", ".join(values) if values else None


@dataclass
class Answer:
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    pieces: list[bytes] | None = None  # sent one by one, chunked
    trailers: list[tuple[str, str]] = field(default_factory=list)
    fault: str | None = None  # refuse, reset, cut
    delay: float = 0  # before the head
    gap: float = 0  # before each piece


class Upstream:
    """Serves `answers` in order, one for each attempt; `always` answers what is beyond them."""

    def __init__(self, answers=(), always: Answer | None = None):
        self.answers = list(answers)
        self.always = always
        self.arrived: list[Arrived] = []
        self.unexpected: list[Arrived] = []
        self.lock = threading.Lock()
        self.connections: set[socket.socket] = set()
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        # A port that is bound but does not listen refuses connections, and nobody else takes it.
        self.listening = always is not None or any(answer.fault != "refuse" for answer in self.answers)
        if self.listening:
            self.socket.listen(256)
            threading.Thread(target=self._accept, daemon=True).start()

    def extend(self, answers) -> None:
        with self.lock:
            self.answers.extend(answers)

    def left(self) -> int:
        """Scripts that no attempt used; refused connections are not seen here."""
        with self.lock:
            return sum(answer.fault != "refuse" for answer in self.answers) if self.listening else 0

    def kill(self) -> None:
        """The process is gone: no new connection, and those that were open are reset."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for connection in list(self.connections):
            _reset(connection)

    def close(self) -> None:
        try:
            self.kill()
        except OSError:
            self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                refused = bool(self.answers) and self.answers[0].fault == "refuse"
                if refused:
                    self.answers.pop(0)
            if refused:
                _reset(connection)
                continue
            self.connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as source:
                while (request := _read(source)) is not None:
                    if not self._answer(connection, request):
                        return
        except OSError:
            pass  # Envoy or the test hung up
        finally:
            self.connections.discard(connection)

    def _answer(self, connection: socket.socket, request: Arrived) -> bool:
        with self.lock:
            self.arrived.append(request)
            if self.answers:
                answer = self.answers.pop(0)
            elif self.always is not None:
                answer = self.always
            else:
                self.unexpected.append(request)
                answer = Answer(status=500, body=b"no script for this attempt")
        time.sleep(answer.delay)
        if answer.fault in ("reset", "refuse"):
            _reset(connection)
            return False
        pieces = answer.pieces
        chunked = pieces is not None or answer.trailers or answer.fault == "cut"
        head = f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, 'Status')}\r\n"
        names = {name.lower() for name, _ in answer.headers}
        for name, value in answer.headers:
            head += f"{name}: {value}\r\n"
        bodiless = answer.status in (204, 304)
        if chunked:
            head += "transfer-encoding: chunked\r\n"
        elif "content-length" not in names and not bodiless:
            head += f"content-length: {len(answer.body)}\r\n"
        connection.sendall(head.encode("latin-1") + b"\r\n")
        if not chunked:
            connection.sendall(answer.body)
            return True
        for piece in pieces if pieces is not None else [answer.body]:
            time.sleep(answer.gap)
            if piece:
                connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        if answer.fault == "cut":
            time.sleep(0.1)  # a reset drops what the peer has not read yet
            _reset(connection)
            return False
        tail = "".join(f"{name}: {value}\r\n" for name, value in answer.trailers)
        connection.sendall(f"0\r\n{tail}\r\n".encode("latin-1"))
        return True


def _reset(connection: socket.socket) -> None:
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)  # wakes the thread that reads
    except OSError:
        pass
    connection.close()
    # `makefile` keeps the descriptor open: detach sends the reset now.
    try:
        descriptor = connection.detach()
        if descriptor >= 0:
            socket.close(descriptor)
    except OSError:
        pass


def _fields(source) -> list[tuple[str, bytes]]:
    fields = []
    while (line := source.readline().rstrip(b"\r\n")) != b"":
        name, _, value = line.partition(b":")
        fields.append((name.decode("latin-1").lower(), value.strip()))
    return fields


def _read(source) -> Arrived | None:
    line = source.readline()
    if not line:
        return None
    method, path, _ = line.decode("latin-1").split(" ", 2)
    request = Arrived(method, path, _fields(source))
    if request.header("transfer-encoding"):
        while size := int(source.readline().split(b";")[0], 16):
            request.body += source.read(size)
            source.readline()
        request.trailers = _fields(source)
    else:
        request.body = source.read(int(request.header("content-length") or 0))
    return request
