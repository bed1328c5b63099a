"""A real Envoy with the shipped configuration, pointed at providers on this machine."""

import contextlib
import copy
import functools
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import urllib.request

import yaml

from upstream import Upstream

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODULE = pathlib.Path(os.environ.get("SLUICE_WASM", ROOT / "target/wasm32-wasip1/release/sluice.wasm"))
ENVOY = os.environ.get("ENVOY", str(ROOT / ".venv/bin/envoy"))
KEYS = {"OPENAI_API_KEY": "sk-test-openai", "ANTHROPIC_API_KEY": "sk-ant-test"}

HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
# A trap, a dead VM or a crash: no test passes over one of these.
FATAL = re.compile(r"\[critical\]|panicked at|Plugin crashed|Function: proxy_on_\w+ failed|Caught Segmentation|ASSERT|Envoy bug")


@functools.cache
def version() -> tuple[int, ...]:
    text = subprocess.run([ENVOY, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in re.search(r"/(\d+)\.(\d+)\.(\d+)/", text).groups())


def dynamic() -> bool:
    """Fail-over in an order chosen by the request, which Envoy does from 1.39."""
    return version() >= (1, 39)


def shipped(name: str | None = None) -> dict:
    """The configuration in envoy/ that is for this Envoy, or the one named."""
    name = name or ("envoy.yaml" if dynamic() else "envoy-static-failover.yaml")
    config = yaml.safe_load((ROOT / "envoy" / name).read_text())
    return _module(config)


def _module(config):
    text = json.dumps(config).replace("target/wasm32-wasip1/release/sluice.wasm", str(MODULE))
    return json.loads(text)


def listener(config: dict) -> dict:
    return config["static_resources"]["listeners"][0]


def hcm(config: dict) -> dict:
    return listener(config)["filter_chains"][0]["filters"][0]["typed_config"]


def route(config: dict) -> dict:
    return hcm(config)["route_config"]["virtual_hosts"][0]["routes"][0]["route"]


def gateway(config: dict) -> dict:
    """The gateway role's own configuration."""
    return hcm(config)["http_filters"][0]["typed_config"]["config"]["configuration"]["value"]


def set_gateway(config: dict, document) -> None:
    value = document if document.get("role") else {"role": "gateway", **document}
    hcm(config)["http_filters"][0]["typed_config"]["config"]["configuration"]["value"] = value


def vms(value) -> list[dict]:
    """Every VM that a configuration names."""
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    own = [value["vm_config"]] if isinstance(value, dict) and "vm_config" in value else []
    return own + [vm for each in below for vm in vms(each)]


def targets(document: dict) -> dict[str, set[str]]:
    """The clusters that a gateway's configuration names, each with its providers."""
    found: dict[str, set[str]] = {}
    for model in document.get("models", []):
        if model.get("direct"):
            for provider in document["providers"]:
                found.setdefault(provider, set()).add(provider)
        for target in model.get("targets", []):
            found.setdefault(target.get("cluster", target["provider"]), set()).add(target["provider"])
    return found


def plain(cluster: dict, name: str, port: int, provider: str | None) -> dict:
    """`cluster` as `name`, without TLS, on a port of this machine."""
    cluster = copy.deepcopy(cluster)
    cluster.update(name=name, type="STATIC")
    cluster.pop("transport_socket", None)
    cluster.pop("dns_lookup_family", None)
    endpoint = {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}
    if provider:
        endpoint["metadata"] = {"filter_metadata": {"sluice": {"provider": provider}}}
    cluster["load_assignment"] = {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}
    options = cluster["typed_extension_protocol_options"][HTTP_OPTIONS]
    if options.pop("auto_config", None) is not None:
        options["explicit_http_config"] = {"http_protocol_options": {"enable_trailers": True}}
    return cluster


def cluster_maps(config: dict) -> list[dict]:
    """The route's two maps: by what an attempt said of the next, and by the gateway's header."""
    after = route(config)["inline_cluster_specifier_plugin"]["extension"]["typed_config"]["cluster_matcher"]
    trees = [after["matcher_tree"], after["on_no_match"]["matcher"]["matcher_tree"]]
    return [tree["exact_match_map"]["map"] for tree in trees]


def configuration(document: dict | None, ports: dict[str, int], metadata: bool = True) -> dict:
    """The shipped configuration with this gateway configuration, and its clusters on these ports."""
    config = shipped()
    if document is not None:
        set_gateway(config, copy.deepcopy(document))
    clusters = config["static_resources"]["clusters"]
    if dynamic():
        named = targets(gateway(config))
        config["static_resources"]["clusters"] = [
            plain(clusters[0], name, ports[name], next(iter(providers)) if metadata and len(providers) == 1 else None)
            for name, providers in named.items()
        ]
        for known in cluster_maps(config):
            pattern = json.dumps(known["openai"])
            known.clear()
            known.update({n: json.loads(pattern.replace('"cluster": "openai"', f'"cluster": "{n}"')) for n in named})
    else:
        _static(config, clusters, ports)
    hcm(config)["http_protocol_options"] = {"enable_trailers": True}
    return config


def _static(config: dict, clusters: list[dict], ports: dict[str, int]) -> None:
    """As envoy-static-failover.yaml does it: an aggregate cluster for each order of targets."""
    inner, outer = clusters[0], next(c for c in clusters if "cluster_type" in c)
    if any(c["name"] not in ports for c in clusters if "cluster_type" not in c):
        orders: dict[str, list[str]] = {}
    else:
        orders = {c["name"]: c["cluster_type"]["typed_config"]["clusters"] for c in clusters if "cluster_type" in c}
    document = gateway(config)
    named = {n: p for n, p in targets(document).items() if n not in orders}
    for model in document.get("models", []):
        order = [t.get("cluster", t["provider"]) for t in model.get("targets", [])]
        if any(name in orders for name in order):
            for target in model["targets"]:
                named.setdefault(target["provider"], {target["provider"]})
        elif len(order) > 1 and len(order) == len(set(order)):
            aggregate = "then-".join(order) + "-in-order"
            orders[aggregate] = order
            for target in model["targets"]:
                target["cluster"] = aggregate
    made = []
    for name, providers in named.items():
        made.append(plain(inner, name, ports[name], next(iter(providers))))
        made[-1]["typed_extension_protocol_options"][HTTP_OPTIONS]["http_filters"] = copy.deepcopy(
            outer["typed_extension_protocol_options"][HTTP_OPTIONS]["http_filters"]
        )
    for name, order in orders.items():
        aggregate = copy.deepcopy(outer)
        aggregate["name"] = name
        aggregate["cluster_type"]["typed_config"]["clusters"] = order
        made.append(aggregate)
    config["static_resources"]["clusters"] = made


def validate(config: dict, keys=None) -> subprocess.CompletedProcess:
    """`envoy --mode validate`: what a user or a deployment runs before it takes a configuration."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(config, file)
        file.flush()
        command = [ENVOY, "--mode", "validate", "-l", "warning", "-c", file.name]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, env=_environment(keys))


def _environment(keys) -> dict:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, **(KEYS if keys is None else keys)}


class Envoy:
    """A running Envoy, this process's own child. Leaving it checks that no input hurt it. `dynamic`: its listener comes from a file, and can
    be changed: `change`."""

    def __init__(self, config: dict, keys=None, concurrency: int = 2, dynamic: bool = False):
        config = copy.deepcopy(config)
        config["admin"]["address"]["socket_address"]["port_value"] = 0
        for each in config["static_resources"]["listeners"]:
            if "socket_address" in each.get("address", {}):
                each["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": 0}
        self.folder = tempfile.TemporaryDirectory(prefix="sluice-envoy-")
        self.path = pathlib.Path(self.folder.name)
        self.config = config
        if dynamic:
            self._publish()
            sources = {f"{kind}_config": {"path_config_source": {"path": str(self.path / kind)}} for kind in ("cds", "lds")}
            config = {**config, "node": {"id": "test", "cluster": "test"}, "dynamic_resources": sources}
            config["static_resources"] = {**config["static_resources"], "listeners": [], "clusters": []}
        (self.path / "envoy.json").write_text(json.dumps(config))
        command = [
            ENVOY, "-c", str(self.path / "envoy.json"), "--use-dynamic-base-id", "--concurrency", str(concurrency),
            "--admin-address-path", str(self.path / "admin"), "--log-path", str(self.path / "log"),
            "--file-flush-interval-msec", "20", "-l", "warning", "--drain-time-s", "10" if dynamic else "1",
        ]
        with open(self.path / "access", "wb") as access, open(self.path / "stderr", "wb") as errors:
            self.process = subprocess.Popen(command, stdout=access, stderr=errors, env=_environment(keys), cwd=ROOT)
        try:
            self._wait()
        except BaseException:
            self._stop()
            raise

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"Envoy did not start:\n{self.log()}")
            try:
                self.admin_address = (self.path / "admin").read_text().strip()
                if self.admin_address and self.admin("/ready").strip() == "LIVE":
                    listeners = json.loads(self.admin("/listeners?format=json"))["listener_statuses"]
                    ports = {each["name"]: each["local_address"].get("socket_address", {}).get("port_value") for each in listeners}
                    self.port, self.told = ports["ingress"], ports.get("sluice-admin")
                    return
            except (OSError, KeyError, IndexError):
                pass
            time.sleep(0.02)
        raise AssertionError(f"Envoy was not ready in 30 s:\n{self.log()}")

    def _publish(self) -> None:
        """Clusters and listeners as a control plane gives them."""
        for kind, name, field in (("cds", "cluster.v3.Cluster", "clusters"), ("lds", "listener.v3.Listener", "listeners")):
            made = self.config["static_resources"][field]
            resources = [{"@type": f"type.googleapis.com/envoy.config.{name}", **resource} for resource in made]
            new = self.path / "new"
            new.write_text(json.dumps({"resources": resources}))
            new.rename(self.path / kind)

    def change(self, change) -> None:
        """Changes the configuration, and waits until Envoy uses it."""
        names = ["listener_manager.listener_modified", "cluster_manager.cluster_modified"]
        before, clusters = self.stats("_modified"), copy.deepcopy(self.config["static_resources"]["clusters"])
        change(self.config)
        wanted = names if clusters != self.config["static_resources"]["clusters"] else names[:1]
        self._publish()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            now, warming = self.stats("_modified"), self.stats("_warming|warming_clusters")
            if all(now[name] > before[name] for name in wanted) and not any(warming.values()):
                return
            time.sleep(0.02)
        raise AssertionError(f"Envoy did not take the change:\n{self.log()[-4000:]}")

    def admin(self, path: str, method: str = "GET") -> str:
        request = urllib.request.Request(f"http://{self.admin_address}{path}", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()

    def tell(self, path: str) -> dict:
        """What the module's own admin listener says."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.told}{path}", timeout=10) as answer:
            return json.load(answer)

    def stats(self, pattern: str) -> dict[str, int]:
        entries = json.loads(self.admin(f"/stats?format=json&filter={pattern}"))["stats"]
        return {entry["name"]: entry["value"] for entry in entries if "name" in entry}

    def counters(self) -> dict[str, int]:
        """The module's own, without Envoy's prefix."""
        found: dict[str, int] = {}
        for name, value in self.stats("wasmcustom").items():
            name = name.split("wasmcustom.", 1)[1]
            found[name] = found.get(name, 0) + value
        return found

    def log(self) -> str:
        return "".join((self.path / name).read_text(errors="replace") for name in ("log", "stderr") if (self.path / name).exists())

    def access(self) -> list[dict]:
        text = (self.path / "access").read_text()
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def calls(self, count: int, seconds: float = 3) -> list[dict]:
        """The module's log objects, once there are so many."""
        deadline = time.monotonic() + seconds
        while len(lines := self.access()) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(lines) >= count, f"{len(lines)} lines in the access log, not {count}"
        return [line["sluice"] for line in lines]

    def unharmed(self) -> None:
        """No VM was lost, and Envoy is alive."""
        assert self.process.poll() is None, f"Envoy died ({self.process.returncode}):\n{self.log()[-4000:]}"
        reloads = {name: value for name, value in self.stats("vm_reload").items() if value}
        assert not reloads, f"a VM was lost: {reloads}\n{self.log()[-4000:]}"
        fatal = [line for line in self.log().splitlines() if FATAL.search(line)]
        assert not fatal, "\n".join(fatal[:10])

    def _stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.unharmed()
        finally:
            self._stop()


@contextlib.contextmanager
def serving(document: dict | None = None, upstreams=None, metadata=True, tweak=None, **how):
    """An Envoy with this gateway configuration, each cluster at its scripted provider or port; the others refuse."""
    upstreams = upstreams or {}
    with contextlib.ExitStack() as stack:
        named = targets(document if document is not None else gateway(shipped()))
        every = {provider for providers in named.values() for provider in providers} | set(named)
        ports = {}
        for name in every:
            upstream = upstreams.get(name)
            ports[name] = upstream if isinstance(upstream, int) else stack.enter_context(upstream or Upstream()).port
        config = configuration(document, ports, metadata)
        if tweak:
            tweak(config)
        envoy = stack.enter_context(Envoy(config, **how))
        yield envoy


def both(openai=None, anthropic=None, **more) -> dict:
    """A gateway configuration of one model per provider, and one that falls over from the first to the second."""
    return {
        "providers": {
            "openai": {"api": "openai", "auth": {"value": "sk-openai"}, **(openai or {})},
            "anthropic": {"api": "anthropic", "auth": {"value": "sk-ant"}, **(anthropic or {})},
        },
        "models": [
            {"name": "gpt-4o", "targets": [{"provider": "openai"}]},
            {"name": "claude-sonnet-4-5", "targets": [{"provider": "anthropic"}]},
            {"name": "either", "targets": [{"provider": "openai", "model": "gpt-4o"}, {"provider": "anthropic", "model": "claude-sonnet-4-5"}]},
        ],
        **more,
    }
