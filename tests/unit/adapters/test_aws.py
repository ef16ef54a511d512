"""The AWS clients: made when they are needed and once, with one CA bundle for all."""

import ssl
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from boto3.session import Session
from botocore.exceptions import SSLError
from cryptography import x509

from sampai.adapters.aws import Aws
from tests.servers import Authority, answers, serving

LOOPBACK = x509.IPAddress(ip_address("127.0.0.1"))
OTHER_HOST = x509.DNSName("other.example")

ONCE = answers(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
"""A server that answers one call on each connection."""


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "eu-west-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    return Authority(tmp_path)


def test_the_bundle_is_read_once_for_all_connections_of_all_clients(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[dict[str, Any]] = []
    load = ssl.SSLContext.load_verify_locations

    def noted(context: ssl.SSLContext, **places: Any) -> None:
        read.append(places)
        load(context, **places)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", noted)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.bundle))
    with serving(ONCE, authority.server_context(LOOPBACK)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://127.0.0.1:{server.port}")
        aws = Aws()
        for _ in range(3):
            aws.client("dynamodb").list_tables()
            aws.client("sqs").list_queues()

    assert server.connections == 6
    assert read == [{"cafile": str(authority.bundle)}]


@pytest.mark.parametrize(("is_trusted", "name"), [(False, LOOPBACK), (True, OTHER_HOST)])
def test_a_server_that_is_not_vouched_for_is_not_spoken_to(
    is_trusted: bool, name: x509.GeneralName, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_trusted:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.bundle))
    with serving(ONCE, authority.server_context(name)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://127.0.0.1:{server.port}")
        with pytest.raises(SSLError):
            Aws().client("dynamodb").list_tables()


class RecordingSession(Session):
    def __init__(self) -> None:
        super().__init__()
        self.made: list[str] = []

    def client(self, service_name: Any, *args: Any, **options: Any) -> Any:
        self.made.append(service_name)
        return super().client(service_name, *args, **options)


@pytest.mark.usefixtures("aws")
def test_deferred_client_is_made_by_its_first_use_and_shared() -> None:
    session = RecordingSession()
    clients = Aws(session)

    deferred = clients.deferred("sqs")
    assert session.made == []

    assert deferred.meta.service_model.service_name == "sqs"
    assert deferred.meta is clients.client("sqs").meta
    assert session.made == ["sqs"]
