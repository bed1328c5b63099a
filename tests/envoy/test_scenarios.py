"""Every scenario of tests/scenarios, through a real Envoy."""

import base64
import json
import re
import time

import client
import harness
import pytest
import ruamel.yaml
from upstream import Answer, Upstream

FOLDER = harness.ROOT / "tests/scenarios"


class WholeFile(ruamel.yaml.composer.Composer):
    """Anchors hold for the whole file, as in the other runners."""

    def compose_document(self):
        self.parser.get_event()
        node = self.compose_node(None, None)
        self.parser.get_event()
        return node


def documents(text: str) -> list[dict]:
    """As YAML 1.2, which the other runners read; PyYAML is 1.1."""
    reader = ruamel.yaml.YAML(typ="safe", pure=True)
    reader.Composer = WholeFile
    return [document for document in reader.load_all(text) if document is not None]


def load() -> list:
    """Each file's calls in runs: a call without a configuration goes to the gateway of the one before it."""
    cases = []
    for path in sorted(FOLDER.glob("*.yaml")):
        runs: list[list[dict]] = []
        try:
            calls = documents(path.read_text())
        except ruamel.yaml.error.YAMLError as error:
            cases.append(pytest.param([{"name": "unreadable", "error": str(error)}], id=f"{path.stem}: unreadable"))
            continue
        for call in calls:
            call["file"] = path.stem
            if "config" in call:
                runs.append([])
            runs[-1].append(call)
        cases += [pytest.param(run, id=f"{path.stem}: {run[0]['name']}") for run in runs if here(run)]
    return cases


def here(run: list[dict]) -> bool:
    return all("envoy" in call.get("only", ["envoy"]) for call in run)


def content(entry: dict) -> bytes | None:
    if "body_base64" in entry:
        return base64.b64decode(entry["body_base64"])
    body = entry.get("body")
    if body is None or isinstance(body, str):
        return None if body is None else body.encode()
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def pairs(entry: dict | None) -> list[tuple[str, str | None]]:
    """A list repeats the header, null leaves it out."""
    found = []
    for name, value in (entry or {}).items():
        for one in value if isinstance(value, list) else [value]:
            text = str(one).lower() if isinstance(one, bool) else str(one)
            found.append((name, None if one is None else text))
    return found


def pieces(body: bytes, size: int | None) -> list[bytes] | None:
    return [body[i : i + size] for i in range(0, len(body), size)] if size else None


def answer(script: dict) -> Answer:
    body = content(script) or b""
    headers = [(name, value) for name, value in pairs(script.get("headers")) if value is not None]
    return Answer(
        status=script.get("status", 200),
        headers=headers,
        body=body,
        pieces=pieces(body, script.get("chunk")),
        trailers=pairs(script.get("trailers")),
        fault=script.get("fault"),
    )


def check(what: str, want: dict, got) -> list[str]:
    """`got` is an Arrived or a Got; each difference is a line."""
    wrong = []
    for name in ("method", "path", "status"):
        if name in want and getattr(got, name) != want[name]:
            wrong.append(f"{what}: {name} {getattr(got, name)!r}, not {want[name]!r}")
    wanted: dict[str, list] = {}
    for name, value in pairs(want.get("headers")):
        wanted.setdefault(name, []).append(value)
    for name, values in wanted.items():
        value = None if values == [None] else ", ".join(values)
        if got.header(name) != value:
            wrong.append(f"{what}: header {name} {got.header(name)!r}, not {value!r}")
    if "body" in want:
        expected = content(want)
        try:
            same = json.loads(named_alike(got.body)) == json.loads(named_alike(expected))
        except ValueError:
            same = got.body == expected
        if not same:
            wrong.append(f"{what}: body\n  {got.body!r}\nnot\n  {expected!r}")
    if "body_text" in want and got.body != want["body_text"].encode():
        wrong.append(f"{what}: body\n  {got.body!r}\nnot\n  {want['body_text'].encode()!r}")
    text = got.body.decode(errors="replace")
    wrong += [f"{what}: body lacks {part!r}:\n  {text}" for part in want.get("body_has", []) if part not in text]
    wrong += [f"{what}: body has {part!r}:\n  {text}" for part in want.get("body_lacks", []) if part in text]
    return wrong


def part_of(want, got) -> bool:
    """Members named are equal, in nested mappings too."""
    if isinstance(want, dict) and isinstance(got, dict):
        return all(name in got and part_of(value, got[name]) for name, value in want.items())
    if isinstance(want, list) and isinstance(got, list):
        return len(want) == len(got) and all(part_of(w, g) for w, g in zip(want, got, strict=True))
    return want == got


def comparable(log: dict) -> dict:
    """Before 1.39 an attempt's cluster is the aggregate one."""
    if harness.dynamic() or not log.get("attempts"):
        return log
    return {**log, "attempts": [{k: v for k, v in attempt.items() if k != "cluster"} for attempt in log["attempts"]]}


def fits(run: list[dict]) -> None:
    """Before 1.39 the order of fail-over is a cluster's, so only what an aggregate cluster can hold."""
    if harness.dynamic():
        return
    for model in run[0]["config"].get("models", []):
        clusters = [target.get("cluster", target["provider"]) for target in model.get("targets", [])]
        if len(clusters) != len(set(clusters)):
            pytest.skip("two targets in one cluster need Envoy 1.39")
    # An aggregate cluster starts with its first, whatever the plan says.
    if run[0]["file"] == "cooldown" or any(passes_over(call, run[0]["config"]) for call in run):
        pytest.skip("to pass over a target needs Envoy 1.39")


def passes_over(call: dict, config: dict) -> bool:
    """The first target of its model gets nothing, a later one does."""
    asked = call["request"].get("body")
    name = asked.get("model") if isinstance(asked, dict) else None
    tried = {cluster for cluster, attempts in call.get("providers", {}).items() if attempts}
    for model in config.get("models", []):
        first, *others = [target.get("cluster", target["provider"]) for target in model.get("targets", [])] or [None]
        if model["name"] == name and first not in tried and tried.intersection(others):
            return True
    return False


def named_alike(body: bytes) -> bytes:
    """What the admin listener says of clusters, which before 1.39 are aggregate ones."""
    return body if harness.dynamic() else re.sub(rb'"cluster": ?"[^"]*"', b'"cluster":""', body)


@pytest.mark.parametrize("run", load())
def test_scenario(run):
    assert "error" not in run[0], run[0]["error"]
    fits(run)
    document = run[0]["config"]
    names = list(harness.targets(document))
    scripts = {name: [answer(s) for call in run for s in call.get("providers", {}).get(name, [])] for name in names}
    upstreams = {name: Upstream(answers) for name, answers in scripts.items()}
    metadata = run[0].get("metadata", False) or not harness.dynamic()
    wrong: list[str] = []
    with harness.serving(document, upstreams, metadata=metadata, keys={**harness.KEYS}) as envoy:
        seen = dict.fromkeys(names, 0)
        number = 0
        for call in run:
            request = call["request"]
            # The admin listener has no access log.
            number += not request.get("admin")
            got = client.call(
                envoy.told if request.get("admin") else envoy.port,
                request["path"],
                content(request) or b"",
                pairs(request.get("headers")),
                request.get("method", "POST"),
                trailers=pairs(request["trailers"]) if "trailers" in request else None,
                chunk=request.get("chunk"),
                hang_up_after=request.get("hang_up_after"),
            )
            expect = call["expect"]
            log = envoy.calls(number)[number - 1] if "log" in expect or "counters" in expect else None
            wrong += check(f"{call['name']}: client", expect, got)
            if "log" in expect and not part_of(comparable(expect["log"]), comparable(log)):
                wrong.append(f"{call['name']}: log\n  {log}\nhas not\n  {expect['log']}")
            if "counters" in expect:
                wrong += [f"{call['name']}: {line}" for line in counted(envoy, expect["counters"])]
            for name, attempts in call.get("providers", {}).items():
                for script in attempts:
                    if script.get("fault") == "refuse":
                        continue
                    arrived = upstreams[name].arrived
                    if seen[name] >= len(arrived):
                        wrong.append(f"{call['name']}: an attempt at {name} did not come")
                        break
                    wrong += check(f"{call['name']}: {name}", script.get("expect", {}), arrived[seen[name]])
                    seen[name] += 1
        for name, upstream in upstreams.items():
            wrong += [f"{name}: unscripted attempt {request}" for request in upstream.unexpected]
            if upstream.left():
                wrong.append(f"{name}: {upstream.left()} scripts were not used")
            refused = sum(a.fault == "refuse" for a in scripts[name])
            if not upstream.listening:
                failed = envoy.stats(f"^cluster.{name}.upstream_cx_connect_fail$").get(f"cluster.{name}.upstream_cx_connect_fail", 0)
                if failed != refused:
                    wrong.append(f"{name}: {failed} connections were refused, not {refused}")
    assert not wrong, "\n".join(wrong)


def counted(envoy: harness.Envoy, wanted: dict[str, int]) -> list[str]:
    deadline = time.monotonic() + 1
    while True:
        counters = envoy.counters()
        wrong = [f"counter {name} is {counters.get(name, 0)}, not {value}" for name, value in wanted.items() if counters.get(name, 0) != value]
        if not wrong or time.monotonic() > deadline:
            return wrong + ([f"there are {counters}"] if wrong else [])
        time.sleep(0.02)
