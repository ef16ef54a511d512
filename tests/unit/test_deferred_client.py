"""A client that most sandboxes never need is made by the first call and not before."""

from typing import Any

import pytest
from boto3.session import Session

from sampai.adapters.aws import Aws


class NotedSession(Session):
    def __init__(self) -> None:
        super().__init__()
        self.made: list[str] = []

    def client(self, service_name: Any, *args: Any, **options: Any) -> Any:
        self.made.append(service_name)
        return super().client(service_name, *args, **options)


def test_a_deferred_client_is_made_when_it_is_used_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "DEFAULT_REGION": "ap-southeast-1",
        "ACCESS_KEY_ID": "test",
        "SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    session = NotedSession()
    aws = Aws(session)

    deferred = aws.deferred("sqs")
    assert session.made == []

    assert deferred.meta.service_model.service_name == "sqs"
    assert deferred.meta is aws.client("sqs").meta
    assert session.made == ["sqs"]
