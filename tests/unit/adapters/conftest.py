"""Fixtures of the adapters. AWS runs in this process, by moto.

DynamoDB with PartiQL, which moto does not support, is tested in `tests/ports`.
"""

import faulthandler
from collections.abc import Iterator

import pytest
from moto import mock_aws

from sampai.adapters.aws import Aws
from tests.fakes import FixedClock, RecordingTelemetry


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """Return the clients that the adapters get, connected to an empty account."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-southeast-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        yield Aws()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def telemetry() -> RecordingTelemetry:
    return RecordingTelemetry()


@pytest.fixture
def no_call_hangs() -> Iterator[None]:
    """End the run with a traceback if a test takes half a minute."""
    faulthandler.dump_traceback_later(30, exit=True, file=2)
    yield
    faulthandler.cancel_dump_traceback_later()
