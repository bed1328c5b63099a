"""A rate limit service: gRPC, descriptors and limits as the reference service, envoyproxy/ratelimit, reads them."""

import concurrent.futures
import threading

import grpc
from envoy.service.ratelimit.v3 import rls_pb2, rls_pb2_grpc

OK, OVER = rls_pb2.RateLimitResponse.OK, rls_pb2.RateLimitResponse.OVER_LIMIT


class Service(rls_pb2_grpc.RateLimitServiceServicer):
    """Counts in one window that does not end while a test lasts. `asked`: every request, as lists of (entries, hits)."""

    def __init__(self, config: dict):
        self.domain, self.tree = config["domain"], config["descriptors"]
        self.used: dict[tuple, int] = {}
        self.asked: list[list[tuple[tuple, int]]] = []
        self.lock = threading.Lock()
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        rls_pb2_grpc.add_RateLimitServiceServicer_to_server(self, self.server)
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def limit(self, entries) -> int | None:
        """At each step the node with the value goes before the one without."""
        nodes, found = self.tree, None
        for key, value in entries:
            fits = [node for node in nodes if node["key"] == key and node.get("value", value) == value]
            if not fits:
                return None
            found = max(fits, key=lambda node: "value" in node)
            nodes = found.get("descriptors", [])
        return found.get("rate_limit", {}).get("requests_per_unit")

    def ShouldRateLimit(self, request, context):  # noqa: N802
        answer = rls_pb2.RateLimitResponse(overall_code=OK)
        with self.lock:
            asked = []
            for descriptor in request.descriptors:
                entries = tuple((entry.key, entry.value) for entry in descriptor.entries)
                # A descriptor's own number counts, 0 too; the request's 0 means 1.
                own = descriptor.HasField("hits_addend")
                hits = descriptor.hits_addend.value if own else request.hits_addend or 1
                asked.append((entries, hits))
                code, limit = OK, self.limit(entries)
                if request.domain == self.domain and limit is not None:
                    before = self.used.get(entries, 0)
                    self.used[entries] = before + hits
                    code = OVER if before + hits > limit else OK
                answer.statuses.add(code=code)
                if code == OVER:
                    answer.overall_code = OVER
            self.asked.append(asked)
        return answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop(None).wait()
