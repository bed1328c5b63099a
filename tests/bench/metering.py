"""What knowing callers, counting and limits add: the module with them and the same module without, side by side."""

import functools
import hashlib
import json
import pathlib
import statistics

import gateways
import traffic
from gateways import DOCUMENT, SAME, Gateway
from traffic import RENAMED

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEY = next(line.rpartition(" ")[2] for line in traffic.CLIENT_HEADERS if line.startswith("authorization:"))
AMOUNT = 1_000_000_000_000

CALLERS = {"consumers": [{"name": "search", "team": "web", "key_sha256": hashlib.sha256(KEY.encode()).hexdigest()}]}
LIMITS = [
    {"name": "calls", "by": ["consumer"], "unit": "requests", "amount": AMOUNT, "window": "1m"},
    {"name": "tokens", "by": ["team"], "unit": "tokens", "amount": AMOUNT, "window": "1mo"},
]
# A limit in tokens that has no room for 64 calls like one that may come to so many tokens: then prompts are counted before they leave.
def scarce(upper: int) -> list[dict]:
    return [{**LIMITS[1], "amount": 60 * upper}]


MANY = 1_000_000
IN_CALLS = [{**LIMITS[1], "name": "calls", "unit": "requests"}]

LARGE = 1 << 20
# Texts that are made to be slow: one long piece each, or nothing but pieces; all are of one megabyte.
HOSTILE = {
    "one letter": "a",
    "letters": "qxzjvkwpbg",
    "spaces": " ",
    "lines": "\n \n",
    "signs": "!?;,.:",
    "digits": "7041",
    "two letters": "ab",
    "Han": "\u9f98\u9750",
    "combining": "e\u0301\u0302",
    "emoji": "\U0001f469\u200d\U0001f680",
}


def gateway(port: int, **more) -> dict:
    """As it is measured everywhere else, with this besides."""
    config = gateways.with_module(port)
    gateways.harness.set_gateway(config, {**DOCUMENT, **more})
    return config


def ordinary(size: int) -> str:
    """English and code: this project's own."""
    files = [*sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "src").rglob("*.rs"))]
    text = "".join(file.read_text() for file in files)
    return text[:size]


def repeated(unit: str, size: int) -> str:
    return (unit * (size // len(unit.encode()) + 1))[: size // len(unit.encode()) * len(unit)]


def spread(values: list[float]) -> str:
    low, _, high = statistics.quantiles(values, n=4) if len(values) > 1 else (values[0],) * 3
    return f"{low:.3g} to {high:.3g}"


class Metering:
    """`bench`: the one that measures pairs of Envoys; here the first is the module as well."""

    def __init__(self, bench):
        self.bench = bench

    def pairs(self, base: dict, other: dict, requests: list[tuple[dict, int]], times: int = 1) -> list[list[tuple[dict, dict]]]:
        bench, port = self.bench, self.bench.ends.port
        measured = [functools.partial(bench.rounds_of, request, count, 4 if count < 100 else 16) for request, count in requests]
        return bench.over_starts(gateway(port, **base), gateway(port, **other), measured, times)

    def text(self, name: str, text: str) -> dict:
        document = {"model": SAME, "max_completion_tokens": MANY, "messages": [{"role": "user", "content": text}]}
        file = traffic.write(self.bench.folder, f"text-{name}", json.dumps(document, ensure_ascii=False).encode())
        return {"path": "/v1/chat/completions", "headers": traffic.CLIENT_HEADERS, "body": file, "ends": "}"}

    def limits(self) -> None:
        """A key looked up, two limits reserved and settled; with room for many calls, and with so little that the prompt is counted."""
        bench = self.bench
        bench.answers()
        request = bench.request(SAME, 1 << 10)
        [pairs] = self.pairs({}, {**CALLERS, "limits": LIMITS}, [(request, 3000)], 3)
        bench.cpu("CPU of a call with a key and two limits, 1 KB", pairs, 1, 25)
        document = json.loads(pathlib.Path(request["body"]).read_bytes())
        file = traffic.write(bench.folder, "request-scarce", json.dumps({**document, "max_completion_tokens": MANY}, separators=(",", ":")).encode())
        [pairs] = self.pairs({}, {**CALLERS, "limits": [LIMITS[0], *scarce(MANY)]}, [({**request, "body": file}, 3000)])
        bench.cpu("the same where room is scarce: with counting", pairs, 1, 25)
        bench.answers(0)
        [pairs] = self.pairs({}, {**CALLERS, "limits": LIMITS}, [(bench.request(SAME, 1 << 10, stream=True), 500)])
        bench.cpu("CPU of an event with the same, burst", pairs, 200, None)

    def counting(self) -> None:
        """A limit in tokens beside one in calls. Where the prompt is translated it is read in either case: what is left is counting."""
        bench = self.bench
        bench.answers()
        text = ordinary(64 << 10)
        translated = [{"name": SAME, "targets": [{"provider": "anthropic", "model": RENAMED}]}]
        for title, more, target in (
            ("exact counting of a prompt of 64 KB", {"models": translated}, 75),
            ("the same, with reading it for that", {}, None),
        ):
            base, other = {**more, "limits": IN_CALLS}, {**more, "limits": scarce(MANY)}
            [pairs] = self.pairs(base, other, [(self.text("ordinary", text), 600)])
            speeds = [len(text.encode()) / (other["cpu"] - base["cpu"]) for base, other in pairs]
            speed = statistics.median(speeds)
            base = statistics.median(base["cpu"] for base, _ in pairs)
            bench.row(title, f"{base:.4g} us", speed, target, "MB/s", spread(speeds), target and speed >= target)

    def hostile(self) -> None:
        """The most that a limit in tokens adds for one megabyte of whatever is slow to count."""
        bench = self.bench
        bench.answers()
        requests = [(self.text(str(at), repeated(unit, LARGE)), 40) for at, unit in enumerate(HOSTILE.values())]
        worst = {}
        for name, pairs in zip(HOSTILE, self.pairs({"limits": IN_CALLS}, {"limits": scarce(MANY)}, requests)):
            worst[name] = statistics.median((other["cpu"] - base["cpu"]) / 1000 for base, other in pairs)
        name = max(worst, key=worst.get)
        bench.row(f"reading and counting 1 MB, the slowest of {len(worst)} texts", "", worst[name], 5, "ms", f"\"{name}\"")

    def vocabulary(self) -> None:
        """What a VM takes with the vocabularies in it and used: CPU until Envoy serves, by starts with two workers more, and its memory."""
        bench, port, more = self.bench, self.bench.ends.port, 2
        bench.answers()
        plain, counting = gateways.plain(port), gateway(port, limits=scarce(MANY))
        started, kb = {}, 0
        for _ in range(3 if bench.share < 1 else 7):
            for config in (plain, counting):
                for workers in (1, 1 + more):
                    with Gateway(config, workers) as envoy:
                        started.setdefault((config is plain, workers), []).append(envoy.cpu() / 1000)
                        if config is counting:
                            bench.load(envoy, self.text("ordinary", ordinary(64 << 10)), 200, 16)
                            kb = max(kb, *envoy.linear_memories())
        # With the module less without it, and with more workers less with one: of each the quickest, for a start is much disturbed.
        first, several = (min(started[False, n]) - min(started[True, n]) for n in (1, 1 + more))
        bench.row("start of a further VM, the vocabularies loaded", f"{first:.0f} ms the first", (several - first) / more, 100, "ms")
        bench.row("memory of a VM, the vocabularies in use", "", kb / 1024, 16, "MB")
