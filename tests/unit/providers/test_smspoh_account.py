"""SMSPoh with an incomplete account."""

import json
from datetime import UTC, datetime

from sampai.domain.failure import Failure, Reason
from sampai.domain.message import Message, Text
from sampai.domain.status import Status
from sampai.providers.base import ProviderConfig
from sampai.providers.smspoh import SmsPoh

T0 = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
BARE = SmsPoh(ProviderConfig(base_url="https://smspoh.example", credentials={"api_key": "k", "api_secret": "s"}))


def message(sender: str | None) -> Message:
    return Message(
        message_id="abcde12345",
        status=Status.SENDING,
        recipient="+959123456789",
        sender=sender,
        content=Text(text="Hello World"),
        created_at=T0,
        updated_at=T0,
        occurred_at=T0,
    )


def test_request_without_a_receipt_url_has_no_such_field() -> None:
    assert json.loads(BARE.build_send(message("SMSPoh")).body) == {
        "to": "+959123456789",
        "message": "Hello World",
        "from": "SMSPoh",
        "clientReference": "abcde12345",
    }


def test_a_message_without_any_sender_is_refused() -> None:
    assert BARE.validate(message(None)) == Failure(
        reason=Reason.INVALID_SENDER, detail="sender: none given and none in the settings"
    )
