"""Fixtures for all tests. No test reaches beyond this machine."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.emulator import Emulator, running

# Each run executes the same examples. `pytest --hypothesis-profile=default` draws others.
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")

MEASURED = ("unit", "conformance", "ports", "functional")
"""Folders whose tests count for the coverage that `make test` requires."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Pause the measurement of coverage during the other tests: it would only slow them down."""
    for item in items:
        if item.path.relative_to(Path(__file__).parent).parts[0] not in MEASURED:
            item.add_marker("no_cover")


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with running() as emulator:
        yield emulator


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that leaves the loopback interface."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError("a test tried to leave this machine")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
