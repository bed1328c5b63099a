"""The stand-in providers as a child process."""

import os
import pathlib
import re
import subprocess

import harness

BINARY = pathlib.Path(os.environ.get("SLUICE_STANDIN", harness.ROOT / "target/release/sluice-standin"))


class Standin:
    def __init__(self):
        command = [str(BINARY), "--openai", "127.0.0.1:0", "--anthropic", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.ports: dict[str, int] = {}
        while len(self.ports) < 2:
            line = self.process.stdout.readline()
            assert line, "the stand-in did not start"
            if match := re.match(r"listening (\w+) http://[^:]+:(\d+)", line):
                self.ports[match[1]] = int(match[2])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(5)
        self.process.stdout.close()
