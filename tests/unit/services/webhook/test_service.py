"""The answers of the webhook service."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from sampai.domain.status import Status
from sampai.services.webhook.service import Answer
from tests.covers import covers
from tests.harness.application import SECRET, Application, nusasms_taken, request, smspoh_taken, token_of

FORM = {"content-type": "application/x-www-form-urlencoded"}


def sent_by_smspoh() -> Application:
    app = Application(smspoh_taken("AA-1"))
    app.send(request(home="smspoh"))
    return app


NOT_FOUND = [
    ("unknown provider", {"provider": "acme"}),
    ("provider without webhooks", {"provider": "nomsa"}),
    ("unknown kind", {"kind": "inbox"}),
    ("wrong token", {"token": "wrong"}),
    ("empty token", {"token": ""}),
    ("half of the token", {"token": token_of("smspoh")[:32]}),
    ("token in another case", {"token": token_of("smspoh").upper()}),
    ("token of another provider", {"token": token_of("nusasms")}),
    ("token of the secret", {"token": SECRET.webhook_tokens[0]}),
    ("token beyond ASCII", {"token": "tökén"}),
]


@covers("W6", "I12")
@pytest.mark.parametrize("place", [c[1] for c in NOT_FOUND], ids=[c[0] for c in NOT_FOUND])
def test_a_webhook_with_a_wrong_path_changes_nothing(place: dict[str, str]) -> None:
    app = sent_by_smspoh()
    before = app.message()

    answer = app.receive(**place, query="messageId=AA-1&clientReference=m-1&status=Success")

    assert answer is Answer.NOT_FOUND
    assert app.message() == before
    assert list(app.store.buffered) == ["smspoh#sms#AA-1"]


@pytest.mark.parametrize(
    ("provider", "kind", "token", "count"),
    [
        ("smspoh", "receipt", "wrong", 1),
        ("smspoh", "receipt", token_of("nusasms"), 1),
        ("nusasms", "sms-inbox", token_of("smspoh"), 1),
        ("smspoh", "receipt", token_of("smspoh"), 0),
        ("smspoh", "inbox", "wrong", 0),
        ("acme", "receipt", "wrong", 0),
    ],
)
def test_a_wrong_token_is_counted_for_a_known_provider_and_kind(
    provider: str, kind: str, token: str, count: int
) -> None:
    app = Application()

    app.receive(provider, kind, token, query="messageId=AA-1&status=Success")

    assert app.telemetry.counts.get(("WebhookTokenRejected", provider), 0) == count


@pytest.mark.parametrize("secret_token", ["abc/def+gh=", "a b?c#d%2F", "ក"])
def test_a_token_of_any_characters_makes_an_address_that_works(secret_token: str) -> None:
    app = Application(smspoh_taken("AA-1"))
    app.secret.secret = replace(SECRET, webhook_tokens=(secret_token,))
    app.send(request(home="smspoh"))

    address = json.loads(app.transport.requests[0].body)["deliveryReceiptUrl"]
    provider, kind, token = urlsplit(address).path.removeprefix("/webhooks/").split("/")
    answer = app.receive(provider, kind, token, query="messageId=AA-1&status=Success")

    assert answer is Answer.RECEIVED
    assert app.message().status is Status.DELIVERED


MALFORMED: list[tuple[str, dict[str, Any]]] = [
    ("nothing", {}),
    ("no status", {"query": "messageId=AA-1"}),
    ("contradicting fields", {"query": "messageId=AA-1&status=Sent&status=Success"}),
    ("contradicting body", {"query": "messageId=AA-1&status=Sent", "body": b"status=Success", "headers": FORM}),
    ("broken JSON", {"body": b'{"messageId": ', "headers": {"content-type": "application/json"}}),
    ("deep JSON", {"body": b"[" * 60_000, "headers": {"content-type": "application/json"}}),
    ("not UTF-8", {"query": "messageId=AA-1&status=%ff"}),
    ("NUL", {"query": "messageId=AA-1%00&status=Sent"}),
    ("large body", {"query": "messageId=AA-1&status=Success", "body": b"a" * 70_000}),
    ("large query", {"query": "messageId=AA-1&status=Success&x=" + "a" * 9000}),
]


@covers("W8")
@pytest.mark.parametrize("webhook", [c[1] for c in MALFORMED], ids=[c[0] for c in MALFORMED])
def test_a_malformed_webhook_is_refused_and_changes_nothing(webhook: dict[str, Any]) -> None:
    app = sent_by_smspoh()
    before = app.message()

    answer = app.receive(**webhook)

    assert answer is Answer.MALFORMED
    assert app.message() == before
    assert app.telemetry.counts["WebhookMalformed", "smspoh"] == 1


@covers("W2", "I12")
def test_the_answer_does_not_show_whether_a_message_exists() -> None:
    app = sent_by_smspoh()

    known = app.receive(query="messageId=AA-1&clientReference=m-1&status=Sent")
    unknown = app.receive(query="messageId=ZZ-9&clientReference=nobody&status=Sent")

    assert known is unknown is Answer.RECEIVED
    assert set(app.store.messages) == {"m-1"}


@covers("W7", "I4")
def test_a_report_that_is_not_durable_is_answered_with_503() -> None:
    app = sent_by_smspoh()
    app.store.is_down = True

    assert app.receive(query="messageId=AA-1&clientReference=m-1&status=Success") is Answer.UNAVAILABLE
    assert app.receive(query="messageId=ZZ-9&status=Success") is Answer.UNAVAILABLE


def test_receipts_need_no_settings_inbox_or_directory() -> None:
    app = Application(nusasms_taken("0017"))
    app.send(request(home="nusasms"))
    app.settings.is_down = app.inbox.is_down = app.directory.is_down = True

    assert app.receive("nusasms", "sms-receipt", query="ref_no=0017&status=DELIVERED") is Answer.RECEIVED

    assert app.message().status is Status.DELIVERED
