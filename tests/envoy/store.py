"""A Redis of the test's own, what Envoy needs to reach it, and Envoys that count in it."""

import contextlib
import copy
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import harness
import pytest
import yaml

BRIDGE = harness.ROOT / "envoy/redis.yaml"

# For Redis to answer: where a test is not of a Redis that fails, a machine that stands still for a second fails no call.
PATIENCE = "5s"

# Redis waits for the disk at each write, and a disk that others use as well may take its time: longer than Sluice waits for Redis.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class Redis:
    """Keeps what it was told on disk, as far as a restart goes."""

    def __init__(self, password: str | None = None, tls: pathlib.Path | None = None):
        if not shutil.which("redis-server"):
            assert "CI" not in os.environ, "redis-server is needed"
            pytest.skip("redis-server is not installed")
        """`tls`: a folder with cert.pem and key.pem; then it is at `secure` besides, for others."""
        self.password, self.tls = password, tls
        self.folder = tempfile.TemporaryDirectory(prefix="sluice-redis-", dir=MEMORY)
        with socket.socket() as free, socket.socket() as other:
            free.bind(("127.0.0.1", 0))
            other.bind(("127.0.0.1", 0))
            self.port, self.secure = free.getsockname()[1], other.getsockname()[1]
        self.process = None
        self.start()

    def start(self) -> None:
        command = [
            "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder.name,
            "--save", "", "--appendonly", "yes", "--appendfsync", "always",
        ]
        if self.password:
            command += ["--requirepass", self.password]
        if self.tls:
            command += ["--tls-port", str(self.secure), "--tls-auth-clients", "no"]
            command += ["--tls-cert-file", str(self.tls / "cert.pem"), "--tls-key-file", str(self.tls / "key.pem")]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if self.ask("PING").startswith(b"+PONG"):
                    return
            time.sleep(0.02)
        raise AssertionError("Redis does not start")

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def ask(self, *words: str) -> bytes:
        """The raw reply."""
        commands = [("AUTH", self.password)] if self.password else []
        data = b""
        for command in [*commands, words, ("QUIT",)]:
            data += b"*%d\r\n" % len(command) + b"".join(b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in command)
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(data)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        return answer.removeprefix(b"+OK\r\n") if self.password else answer

    def words(self, *command: str) -> list[str]:
        """An answer that is a list of strings."""
        lines = self.ask(*command).decode().split("\r\n")
        return [lines[at + 1] for at, line in enumerate(lines) if line.startswith("$") and line != "$-1"]

    def counters(self) -> dict[str, dict[str, int]]:
        """All limits' counters, by key: what is used, what is lent. The ledger's keys are not among them."""
        found = {}
        for key in self.words("KEYS", "*"):
            if "{usage:" in key:
                continue
            words = self.words("HGETALL", key)
            fields = dict(zip(words[::2], words[1::2], strict=True))
            found[key] = {name: int(fields[name]) for name in ("used", "leased", "holders")}
        return found

    def used(self) -> int:
        return sum(counter["used"] for counter in self.counters().values())

    def leased(self) -> int:
        return sum(counter["leased"] for counter in self.counters().values())

    def scripts(self) -> int:
        """How often the script was run."""
        text = self.ask("INFO", "commandstats").decode()
        calls = [line.split("calls=")[1].split(",")[0] for line in text.splitlines() if line.startswith("cmdstat_eval")]
        return sum(map(int, calls))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.folder.cleanup()


def bridged(config: dict, port: int) -> dict:
    """The configuration with envoy/redis.yaml, as `--config-yaml` adds it, and Redis at this port."""
    more = yaml.safe_load(BRIDGE.read_text())
    config["bootstrap_extensions"] = more["bootstrap_extensions"]
    for name in ("listeners", "clusters"):
        config["static_resources"][name] += copy.deepcopy(more["static_resources"][name])
    redis = config["static_resources"]["clusters"][-1]
    address = redis["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
    address.update(address="127.0.0.1", port_value=port)
    redis |= {"type": "STATIC", "connect_timeout": PATIENCE}
    # As in the shipped file, with the password's name.
    return json.loads(json.dumps(config).replace('"host_env_keys": [', '"host_env_keys": ["REDIS_PASSWORD", '))


def document(limits: list[dict], store: dict | None = None, **more) -> dict:
    return {
        "providers": {"openai": {"api": "openai", "auth": {"value": "sk"}}},
        "models": [{"name": "gpt-4o", "targets": [{"provider": "openai"}]}],
        "limits": limits,
        "store": {"redis": {"cluster": "redis_bridge", "timeout": PATIENCE, **(store or {})}},
        **more,
    }


def envoy(policy: dict, provider: int, redis: int, **how) -> harness.Envoy:
    return harness.Envoy(bridged(harness.configuration(policy, {"openai": provider}), redis), **how)


