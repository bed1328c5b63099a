"""The stand-in providers as a child process."""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import urllib.request

import harness

BINARY = pathlib.Path(os.environ.get("SLUICE_STANDIN", harness.ROOT / "target/release/sluice-standin"))
APIS = ("openai", "anthropic", "gemini", "bedrock", "cohere", "ollama")


class Standin:
    def __init__(self):
        command = [str(BINARY), *(argument for api in APIS for argument in (f"--{api}", "127.0.0.1:0"))]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.ports: dict[str, int] = {}
        while len(self.ports) < len(APIS):
            line = self.process.stdout.readline()
            assert line, "the stand-in did not start"
            if match := re.match(r"listening (\w+) http://[^:]+:(\d+)", line):
                self.ports[match[1]] = int(match[2])

    def control(self, path: str, method: str = "GET", document=None):
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.ports['openai']}/standin/{path}", body, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    @contextlib.contextmanager
    def failing(self, faults: str):
        """All requests meet these faults."""
        self.control("faults", "POST", {"faults": faults})
        try:
            yield
        finally:
            self.control("faults", "DELETE")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(5)
        self.process.stdout.close()
