"""Each functional test has its own deployment, and its functions may print nothing private."""

import logging
from collections.abc import Iterator
from io import StringIO

import pytest

from tests.emulator import Emulator
from tests.functional.sandbox import LIBRARIES, Deployment, forget, leaks, new_vendors
from tests.harness.vendors import base_urls, serving


@pytest.fixture
def deployment(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, discreet: set[str]) -> Iterator[Deployment]:
    vendors = new_vendors()
    with serving(vendors) as address:
        urls = base_urls(address)
        deployment = Deployment(emulator=emulator, vendors=vendors, base_urls=urls, monkeypatch=monkeypatch)
        yield deployment
    discreet.update(deployment.encryption_keys().values())
    forget()


@pytest.fixture
def discreet(capsys: pytest.CaptureFixture[str]) -> Iterator[set[str]]:
    """Fail if a test printed anything private, or any library logged it at any level.

    A test may add its own secrets to those of the samples.
    """
    secrets: set[str] = set()
    logged, root = StringIO(), logging.getLogger()
    handler = logging.StreamHandler(logged)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    # The test's own calls do not count: they store the secrets.
    levels = {name: logging.getLogger(name).level for name in LIBRARIES}
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    yield secrets
    root.removeHandler(handler)
    root.setLevel(level)
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(levels[name])
    printed = capsys.readouterr()
    assert leaks(printed.out + printed.err + logged.getvalue(), secrets) == []
