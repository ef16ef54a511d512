"""AWS in this process, by moto. DynamoDB with PartiQL, which moto does not support, is tested in `tests/ports`."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from sampai.adapters.aws import Aws


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """Return the clients that the adapters get, connected to an empty account."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-southeast-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        yield Aws()
