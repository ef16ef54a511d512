"""Callbacks of every kind in every encoding, from the event of API Gateway to the stored message or opt-out."""

from base64 import b64encode
from typing import Any, Final

import pytest

from local.simulators.encodings import ENCODINGS, Encoded
from sampai.adapters.api_gateway import parse_request
from sampai.domain.failure import Reason
from sampai.domain.status import Status
from sampai.services.webhook.service import Answer
from tests.covers import covers
from tests.fakes import START
from tests.harness.application import RECIPIENTS, Application, nusasms_taken, request, smspoh_taken, token_of

NUMBER: Final = RECIPIENTS["nusasms"]
CONVERSATION: Final = "0b6f1c1e-9a52-4a7f-8f0d-2f6f5f3d9c01"

INBOX: Final = {
    "id": "81734",
    "gateway_number": "6281100000080",
    "originator": NUMBER[1:],
    "receive_date": "2026-11-21 16:58:30",
    "msg": "STOP",
}
INBOXES: Final = {
    "sms-inbox": INBOX,
    "whatsapp-inbox": INBOX,
    "whatsapp-official-inbox": {
        "room_id": CONVERSATION,
        "ref_no": "81734",
        "text": "STOP",
        "inbox_date": "2026-11-21 16:58:30",
        "sender_number": NUMBER[1:],
    },
}
RECEIPTS: Final = {
    ("smspoh", "receipt"): {
        "messageId": "80123",
        "to": "959777777710",
        "clientReference": "m-1",
        "status": "Success",
        "updatedAt": "2026-11-21 16:30:00",
        "finishedAt": "2026-11-21 16:30:00",
    },
    ("nusasms", "sms-receipt"): {"ref_no": "80123", "status": "DELIVRD", "sent_date": "", "err_code": "000"},
    ("nusasms", "whatsapp-receipt"): {"ref_no": "80123", "status": "D", "sent_date": "2026-11-21 17:00:00"},
    ("nusasms", "whatsapp-official-receipt"): {
        "ref_no": "80123",
        "status": "delivered",
        "status_date": "2026-11-21 17:00:00",
    },
}
every_encoding = pytest.mark.parametrize("encoding", ENCODINGS)
in_base64_or_not = pytest.mark.parametrize("is_base64", [False, True], ids=["text", "base64"])


def deliver(app: Application, provider: str, kind: str, encoded: Encoded, *, is_base64: bool = False) -> Answer:
    """Call a webhook through an event of API Gateway, which passes a body that is not UTF-8 in base64."""
    try:
        body = encoded.body.decode()
    except UnicodeDecodeError:
        is_base64 = True
    if is_base64:
        body = b64encode(encoded.body).decode()
    event: dict[str, Any] = {
        "requestContext": {"http": {"method": encoded.method}},
        "rawQueryString": encoded.query,
        "headers": {"Content-Type": encoded.content_type},
        "body": body,
        "isBase64Encoded": is_base64,
    }
    token = token_of(provider)
    return app.receiver.handle(provider=provider, kind=kind, token=token, request=parse_request(event))


@covers("W8")
@in_base64_or_not
@every_encoding
def test_receipt_of_smspoh_is_applied_in_every_encoding(encoding: str, is_base64: bool) -> None:
    app = Application(smspoh_taken("80123"))
    app.send(request(home="smspoh"))

    answer = deliver(app, "smspoh", "receipt", ENCODINGS[encoding](RECEIPTS["smspoh", "receipt"]), is_base64=is_base64)

    assert answer is Answer.RECEIVED
    assert app.message().status is Status.DELIVERED


@covers("W8")
@every_encoding
@pytest.mark.parametrize("place", RECEIPTS, ids="-".join)
def test_receipt_of_every_kind_is_buffered_in_every_encoding(place: tuple[str, str], encoding: str) -> None:
    app = Application()

    assert deliver(app, *place, ENCODINGS[encoding](RECEIPTS[place])) is Answer.RECEIVED

    ((report,),) = [correlation.reports for correlation in app.store.buffered.values()]
    assert (report.provider_message_id, report.status) == ("80123", Status.DELIVERED)


@covers("W8")
@in_base64_or_not
@every_encoding
@pytest.mark.parametrize("kind", INBOXES)
def test_stop_opts_out_in_every_encoding(kind: str, encoding: str, is_base64: bool) -> None:
    app = Application(nusasms_taken())

    answer = deliver(app, "nusasms", kind, ENCODINGS[encoding](INBOXES[kind]), is_base64=is_base64)
    app.send(request(home="nusasms", category="promotional"))

    ((stored, _),) = app.inbox.kept.values()
    assert answer is Answer.RECEIVED
    assert (stored.provider_message_id, stored.sender, stored.text) == ("81734", NUMBER, "STOP")
    assert app.directory.consents == {NUMBER: (START, True)}
    assert app.failure_reason() is Reason.OPTED_OUT


@pytest.mark.parametrize(
    ("content_type", "text"),
    [("application/x-www-form-urlencoded", "caf\ufffd"), ("text/plain; charset=iso-8859-1", "café")],
)
def test_inbound_text_in_latin_1_is_kept(content_type: str, text: str) -> None:
    app = Application()
    body = f"originator={NUMBER[1:]}&msg=caf%E9".encode()

    answer = deliver(app, "nusasms", "sms-inbox", Encoded(content_type=content_type, body=body))

    ((stored, _),) = app.inbox.kept.values()
    assert (answer, stored.text) == (Answer.RECEIVED, text)
