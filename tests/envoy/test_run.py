"""`make run` as a stranger meets it: the commands it prints work, and Ctrl-C leaves nothing behind."""

import json
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import sys
import time

import harness
import pytest
import standin

PLACES = {"target/wasm32-wasip1/release/sluice.wasm": harness.MODULE, "target/release/sluice-standin": standin.BINARY}
if any(path != harness.ROOT / place for place, path in PLACES.items()):
    pytest.skip("envoy/run takes what `make build` makes", allow_module_level=True)


def free_port() -> int:
    """One whose next is free too: the module's own admin listener takes that."""
    while True:
        with socket.socket() as probe, socket.socket() as beside:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            try:
                beside.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


def start(port: int, admin: int, **more) -> subprocess.Popen:
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment |= {"ENVOY": harness.ENVOY, "PORT": str(port), "ADMIN_PORT": str(admin), **more}
    command = [sys.executable, str(harness.ROOT / "envoy/run")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd="/")


def children(pid: int) -> list[int]:
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def greeting(process: subprocess.Popen) -> str:
    text = ""
    while "Ctrl-C" not in text:
        line = process.stdout.readline()
        assert line, f"it ended:\n{text}"
        text += line
    return text


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_printed_commands_work_and_nothing_is_left(stop):
    port = free_port()
    process = start(port, free_port())
    try:
        text = greeting(process)
        assert text.count("a stand-in on this machine") == 2
        commands = [line for line in text.splitlines() if line.startswith("curl ")]
        assert len(commands) == 4
        whole, stream, models, usage = [subprocess.run(shlex.split(c), capture_output=True, text=True, timeout=20, check=True).stdout for c in commands]
        assert "Say hello." in json.loads(whole)["choices"][0]["message"]["content"]
        assert stream.startswith("event: message_start") and "event: message_stop" in stream
        assert {"gpt-4o", "claude-sonnet-4-5"} <= {model["id"] for model in json.loads(models)["data"]}
        assert json.loads(usage)["total"]["requests"] == 2
        started = children(process.pid)
        assert len(started) == 2
    finally:
        process.send_signal(stop)
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 0, output
    assert "Traceback" not in output
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert lines[0]["sluice"]["provider"] == "openai"
    deadline = time.monotonic() + 5
    while any(pathlib.Path(f"/proc/{pid}").exists() for pid in started):
        assert time.monotonic() < deadline, "a child was left behind"
        time.sleep(0.05)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_one_key_means_one_real_provider():
    process = start(free_port(), free_port(), OPENAI_API_KEY="sk-not-a-key")
    try:
        text = greeting(process)
        assert "openai: the real provider" in text and "anthropic: a stand-in" in text
        assert "sk-not-a-key" not in text
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)


def test_a_port_that_is_taken_is_named():
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start(port, free_port())
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"port {port}" in output and "Traceback" not in output
