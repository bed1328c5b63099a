"""What `make prove` prints: the figures that tests have found, in one table."""

import os

import pytest

# Everything at its full size, which takes minutes; otherwise so much of it that a fault would show.
FULL = os.environ.get("SLUICE_PROVE") == "1"

_rows: list[tuple[str, str, str]] = []


@pytest.fixture
def figure():
    """Adds a row: what was done, with what load, what came of it."""
    return lambda claim, load, found: _rows.append((claim, load, found))


def pytest_configure(config):
    config.addinivalue_line("markers", "proof: part of `make prove`")


def pytest_terminal_summary(terminalreporter):
    if FULL and _rows:
        terminalreporter.write_line("\n| proven | load | found |\n|---|---|---|")
        for row in _rows:
            terminalreporter.write_line(f"| {' | '.join(row)} |")
