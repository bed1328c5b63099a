"""Envoy with the module and without it, on a core of their own, and what they use."""

import copy
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/envoy"))

import harness  # noqa: E402

from traffic import ASKED, CLAUDE, RENAMED  # noqa: E402

GATEWAY_CORE = 0
LOAD_CORE = 1

SAME, TRANSLATED = ASKED
DOCUMENT = {
    "role": "gateway",
    "providers": {
        "openai": {"api": "openai", "auth": {"env": "OPENAI_API_KEY"}},
        "anthropic": {"api": "anthropic", "auth": {"env": "ANTHROPIC_API_KEY"}},
    },
    # As in envoy/envoy.yaml, each has another provider to fall back on.
    "models": [
        {"name": SAME, "targets": [{"provider": "openai", "model": RENAMED}, {"provider": "anthropic", "model": CLAUDE}]},
        {"name": TRANSLATED, "targets": [{"provider": "anthropic", "model": CLAUDE}, {"provider": "openai", "model": RENAMED}]},
    ],
}


def with_module(port: int) -> dict:
    """The shipped configuration, without TLS and access log."""
    config = harness.configuration(DOCUMENT, {"openai": port, "anthropic": port})
    harness.hcm(config).pop("access_log")
    return config


def plain(port: int) -> dict:
    """The same without the module: one route, to one cluster."""
    config = copy.deepcopy(with_module(port))
    del config["static_resources"]["listeners"][1:]    # the module's own, for whoever runs it
    filters = harness.hcm(config)["http_filters"]
    harness.hcm(config)["http_filters"] = [f for f in filters if f["name"] == "envoy.filters.http.router"]
    route = harness.route(config)
    route.pop("inline_cluster_specifier_plugin")
    route["cluster"] = "openai"
    route["retry_policy"].pop("refresh_cluster_on_retry")
    for cluster in config["static_resources"]["clusters"]:
        options = cluster["typed_extension_protocol_options"][harness.HTTP_OPTIONS]
        options["http_filters"] = [f for f in options["http_filters"] if f["name"] == "envoy.filters.http.upstream_codec"]
    if "wasm" in json.dumps(config).replace("wasm.sluice", ""):
        raise AssertionError("a Wasm filter is left in the plain Envoy")
    return config


class Gateway(harness.Envoy):
    """An Envoy on the gateway's core."""

    def __init__(self, config: dict, concurrency: int = 1):
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {GATEWAY_CORE} if concurrency == 1 else before)
        try:
            super().__init__(config, concurrency=concurrency)
        finally:
            os.sched_setaffinity(0, before)

    def cpu(self) -> float:
        """Microseconds of CPU that all its threads have used."""
        total = 0
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        return total / 1000

    def memory(self) -> int:
        """KB resident."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:", 1)[1].split()[0])

    def linear_memories(self) -> list[int]:
        """KB of each VM's memory, whether touched or not: each worker has a VM, and so has the main thread. V8 has eight gigabytes of addresses
        guarded after every one."""
        mappings = [line.split()[:2] for line in pathlib.Path(f"/proc/{self.process.pid}/maps").read_text().splitlines()]
        ranges = [(*(int(end, 16) for end in ends.split("-")), allowed) for ends, allowed in mappings]
        guarded = [before for before, (start, end, allowed) in zip(ranges, ranges[1:]) if allowed[0] == "-" and end - start > 1 << 32]
        return [(end - start) >> 10 for start, end, _ in guarded]


class Ends:
    """The clients and the providers, on their core."""

    def __init__(self):
        target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        subprocess.run(["cargo", "build", "--quiet", "--release", "-p", "sluice-bench"], cwd=ROOT, check=True)
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {LOAD_CORE})
        try:
            self.process = subprocess.Popen([target / "release/sluice-bench"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        finally:
            os.sched_setaffinity(0, before)
        self.port = self._read()["port"]

    def tell(self, what: str, **how) -> dict:
        self.process.stdin.write(json.dumps({"do": what, **how}) + "\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the load generator ended")
        answer = json.loads(line)
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)
