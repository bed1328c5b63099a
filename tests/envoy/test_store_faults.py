"""A Redis that answers, but wrongly: with errors, with nonsense, with half an answer, late, or to someone else. Each call is answered in its
time, as `down` says, a metric and a line tell it, and when Redis is itself again all that was counted is there, once."""

import contextlib
import re
import socket
import struct
import threading
import time

import client
import harness
import pytest
import store
import yaml
from test_fleet import ASK, OK, Load
from test_tls import certificates
from upstream import Upstream

pytestmark = [pytest.mark.proof, pytest.mark.timeout(600)]


class Between:
    """Stands between Envoy and Redis. `mood`: what it does instead of asking, with the connection and how many commands came."""

    def __init__(self, redis: store.Redis):
        self.redis, self.mood, self.met = redis, None, 0
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            asked = b""
            while not asked.endswith(b"$4\r\nQUIT\r\n"):
                piece = connection.recv(65536)
                if not piece:
                    return
                asked += piece
            if self.mood:
                self.met += 1
                self.mood(connection, asked.count(b"\r\n$4\r\nEVAL\r\n") + asked.count(b"\r\n$7\r\nEVALSHA\r\n"))
                return
            with socket.create_connection(("127.0.0.1", self.redis.port), timeout=10) as redis:
                redis.sendall(asked)
                while piece := redis.recv(65536):
                    connection.sendall(piece)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def says(each: bytes, end: bytes = b"+OK\r\n"):
    return lambda connection, commands: connection.sendall(each * commands + end)


def resets(connection, _):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def drips(connection, commands):
    for byte in b"*7\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n" * commands:
        time.sleep(0.1)
        connection.sendall(bytes([byte]))


def stays(connection, commands):
    """All is said, and the connection is not closed."""
    connection.sendall(b"-ERR stays\r\n" * commands)
    time.sleep(5)


def floods(connection, _):
    for _ in range(400):
        connection.sendall(b"x" * 65536)


# What Redis does, and what the log says of it.
MOODS = {
    "ERR": (says(b"-ERR max number of clients reached\r\n"), "max number of clients"),
    "OOM": (says(b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"), "OOM command"),
    "READONLY": (says(b"-READONLY You can't write against a read only replica.\r\n"), "READONLY You"),
    "LOADING": (says(b"-LOADING Redis is loading the dataset in memory\r\n"), "LOADING Redis"),
    "NOAUTH": (says(b"-NOAUTH Authentication required.\r\n"), "NOAUTH"),
    "NOPERM": (says(b"-NOPERM User default has no permissions to run the 'evalsha' command\r\n"), "NOPERM"),
    "MOVED": (says(b"-MOVED 3999 127.0.0.1:6381\r\n"), "MOVED 3999"),
    "no EVAL": (says(b"-ERR unknown command 'EVALSHA', with args beginning with: \r\n"), "unknown command"),
    "never knows the script": (says(b"-NOSCRIPT No matching script. Please use EVAL.\r\n"), "NOSCRIPT"),
    "one error for all": (lambda connection, _: connection.sendall(b"-ERR max clients\r\n"), "max clients"),
    "something else": (says(b"+PONG\r\n"), "no answer"),
    "nil": (says(b"$-1\r\n"), "no answer"),
    "an empty list": (says(b"*0\r\n"), "no answer"),
    "a list without end": (says(b"*18446744073709551615\r\n$18446744073709551615\r\nx"), "no answer"),
    "a long line": (says(b"-" + b"E" * 100_000), "no answer"),
    "HTTP": (says(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"), "no answer"),
    "bytes": (says(bytes(range(256))), "no answer"),
    "half a reply": (says(b"*7\r\n:1\r\n:2\r\n:3", b""), "no answer"),
    "a quarter of a line": (says(b"*", b""), "no answer"),
    "nothing": (says(b"", b""), "no answer"),
    "a reset": (resets, "it does not answer"),
    "no end": (stays, "it does not answer"),
    "one byte in a while": (drips, "it does not answer"),
    "25 MB": (floods, "no answer"),
}
CALLS = 40
SOME = ["OOM", "never knows the script", "half a reply", "no end"]


@pytest.mark.parametrize("down, passes, moods", [("deny", 0, MOODS), ("allow", CALLS, SOME), ({"local": 25}, CALLS // 4, SOME)])
def test_a_redis_that_answers_wrongly(down, passes, moods, figure):
    limit = {"name": "calls", "by": ["header:x-run"], "unit": "requests", "amount": CALLS, "window": "12mo"}
    policy = store.document([limit], {"down": down, "timeout": "2s"}, ledger=False)
    with store.Redis() as redis, Between(redis) as between, Upstream(always=OK) as provider:
        with store.envoy(policy, provider.port, between.port) as envoy:
            slowest, sent = 0.0, 0
            for name in moods:
                mood, line = MOODS[name]
                between.mood, between.met = mood, 0
                log, before = envoy.log(), envoy.counters().get("sluice_store_posts_total;outcome=failed", 0)
                with Load([envoy], 4, run=name) as load:
                    refused = 503 if down == "deny" else 429
                    assert load.until(lambda: load.statuses.get(refused, 0) >= 3 and load.passed() >= passes, 15), (name, load.statuses)  # noqa: B023
                    time.sleep(1)
                assert load.passed() == passes and set(load.statuses) <= {200, refused}, (name, load.statuses)
                assert load.slowest < 3 and not load.errors, (name, load.slowest, load.errors[:3])
                slowest, sent = max(slowest, load.slowest), max(sent, between.met)
                told = envoy.log().removeprefix(log)
                assert f"the store of limits fails: {line}" in told.replace("fails: ERR ", "fails: "), (name, told)
                assert envoy.counters()["sluice_store_posts_total;outcome=failed"] > before, name
                workers = told.count("the store of limits")
                assert workers <= 2, (name, "a line for each worker, not for each post", told)
                between.mood = None
                with Load([envoy], 4, run=name) as load:
                    want = CALLS - passes
                    assert load.until(lambda: load.passed() >= want and load.statuses.get(429, 0) > 0, 20), (name, load.statuses, redis.counters())  # noqa: B023
                    time.sleep(0.3)
                    assert load.passed() == want, (name, load.statuses)
                # A line for each worker that had told of it, once it had no failure for two seconds and is asked.
                deadline, number = time.monotonic() + 10, 0
                while (again := envoy.log().removeprefix(log).count("answers again")) < workers and time.monotonic() < deadline:
                    number += 1
                    assert client.call(envoy.port, body=ASK, headers={"x-run": f"{name} {number}"}).status == 200
                    time.sleep(0.05)
                assert again == workers, (name, envoy.log().removeprefix(log))
            everything = len(provider.arrived)
            assert load.until(lambda: redis.used() == everything, 30), (everything, redis.counters())
    figure(f"{len(moods)} ways to answer wrongly, `{down}`", "4 at once", f"slowest call {slowest:.2f} s, at most {sent} posts in a second or two")


@pytest.mark.parametrize("name, status", [("localhost", 200), ("elsewhere.test", 503)])
def test_redis_is_reached_by_tls_as_the_documentation_says(name, status, tmp_path):
    """And not where the certificate is for another host: the password would go there."""
    certificates(tmp_path, name)
    blocks = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", (harness.ROOT / "docs/limits.md").read_text(), re.S))
    secure = next(block for block in blocks if "transport_socket" in block)
    tls = secure["transport_socket"]["typed_config"]["common_tls_context"]
    tls["validation_context"]["trusted_ca"]["filename"] = str(tmp_path / "ca.pem")
    policy = store.document([{"name": "calls", "unit": "requests", "amount": 5, "window": "12mo"}], {"auth": {"value": "right-horse"}})
    with store.Redis("right-horse", tls=tmp_path) as redis, Upstream(always=OK) as provider:
        config = store.bridged(harness.configuration(policy, {"openai": provider.port}), redis.secure)
        cluster = config["static_resources"]["clusters"][-1]
        cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]["address"] = "localhost"
        cluster |= {"type": "STRICT_DNS", "dns_lookup_family": "V4_ONLY", **secure}
        with harness.Envoy(config) as envoy:
            statuses = {client.call(envoy.port, body=ASK).status for _ in range(5)}
            assert statuses == {status}, envoy.log()
            assert client.call(envoy.port, body=ASK).status == (429 if status == 200 else 503)
            outcome = "ok" if status == 200 else "failed"
            assert envoy.counters()[f"sluice_store_posts_total;outcome={outcome}"] >= 1
            assert ("the store of limits fails" in envoy.log()) == (status == 503)


def rights() -> str:
    """Of the user of Redis's own that docs/limits.md makes."""
    words = re.search(r"^ACL SETUSER sluice on >\S+ (.*)$", (harness.ROOT / "docs/limits.md").read_text(), re.M)
    return words[1]


def test_the_rights_that_are_documented_are_what_the_scripts_run():
    scripts = [*(harness.ROOT / "src").rglob("*.lua")]
    run = {name.lower() for script in scripts for name in re.findall(r"redis\.call\('(\w+)'", script.read_text())}
    assert len(scripts) == 2 and set(rights().split()) == {"~sluice:*", "+eval", "+evalsha", *(f"+{name}" for name in run)}


@pytest.mark.parametrize(
    "without, down, line",
    [
        ("", "deny", None),
        ("-evalsha", "deny", "NOPERM this user has no permissions to run the 'evalsha' command"),
        ("-evalsha", "allow", "NOPERM this user has no permissions to run the 'evalsha' command"),
        # The script is not known yet, and is sent whole.
        ("-eval", "deny", "NOPERM this user has no permissions to run the 'eval' command"),
        ("-time", "deny", "The user executing the script can't run this command"),
        ("-hset", "deny", "The user executing the script can't run this command"),
        ("resetkeys ~other:*", "deny", "NOPERM this user has no permissions to access one of the keys"),
    ],
)
def test_a_user_of_redis_needs_the_rights_that_are_documented(without, down, line):
    """Without one of them Redis counts nothing, and the log says why; with all it counts what passed meanwhile."""
    policy = store.document([{"name": "calls", "unit": "requests", "amount": 5, "window": "12mo"}], {"down": down, "username": "sluice", "auth": {"value": "right-horse"}})
    give = ["ACL", "SETUSER", "sluice", "reset", "on", ">right-horse", *rights().split()]
    with store.Redis() as redis, Upstream(always=OK) as provider:
        assert redis.ask(*give, *without.split()).startswith(b"+OK")
        with store.envoy(policy, provider.port, redis.port) as envoy:
            refused = line and down == "deny"
            assert client.call(envoy.port, body=ASK).status == (503 if refused else 200)
            told = re.findall("the store of limits fails: (.*)", envoy.log())
            assert bool(told) == bool(line) and all(line in why for why in told), envoy.log()
            assert not line or redis.used() == 0
            redis.ask(*give)
            deadline = time.monotonic() + 20
            while (status := client.call(envoy.port, body=ASK).status) != 429:
                assert status in (200, 503) and time.monotonic() < deadline, envoy.log()
                time.sleep(0.1)
            while redis.used() != 5 or "{usage:" not in (keys := str(redis.words("KEYS", "*"))):
                assert time.monotonic() < deadline, (redis.counters(), keys)
                time.sleep(0.1)
            assert len(provider.arrived) == 5
            if not line:
                assert redis.words("ACL", "LOG") == [], "nothing was denied"
            assert "right-horse" not in envoy.log()
