"""Messages as items of the table: what is written is read as it was, and what is enclosed is never written."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sampai.adapters.items import from_item, to_item
from sampai.domain.failure import Failure, Reason
from sampai.domain.message import (
    Attachments,
    Category,
    Channel,
    Content,
    Media,
    Message,
    OnUnknown,
    Text,
    claim,
    fail,
    schedule,
)
from sampai.domain.status import Source, Status
from sampai.domain.template import Template, parse_parameters
from tests.fakes import START

DRAFT = Message(message_id="m-1", status=Status.QUEUED, created_at=START, updated_at=START, occurred_at=START)

PARAMETERS = {
    "header": {"format": "DOCUMENT", "params": [{"key": "url", "value": "https://a.example/ü"}]},
    "body": ["it's “1234”\n😀", {"key": 7, "value": "code", "value_text": "x"}],
    "buttons": [{"index": 0, "type": "url", "value": "a"}],
}

CONTENTS: list[tuple[str, Content | None]] = [
    ("none", None),
    ("text", Text(text="it's “1234”\n😀")),
    ("media at an address", Media(media_url="https://a.example/f.pdf", caption="ឈប់ 😀")),
    ("media without a caption", Media(media_url="https://a.example/f.pdf")),
    ("media kept by us", Media(media_key="m-1/0123/2", file_name="fü.pdf", size=524288, caption="Your bill")),
    ("media that is not kept yet", Media(file_name="f.pdf", size=1)),
    ("template", Template(template_id="t-1")),
    (
        "template with all that fills it",
        Template(template_id="t-1", parameters=parse_parameters(PARAMETERS), recipient_name="Dara"),
    ),
]

CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("number", {"recipient": "+85591234511"}),
    ("one list", {"audience": ("6415907d0d37a",), "provider": "smsnoc"}),
    ("lists, in their order", {"audience": ("b", "a", "à la carte", "b")}),
    ("conversation", {"room_id": "0a1b-room", "channel": Channel.WHATSAPP_OFFICIAL}),
    ("conversation and number", {"room_id": "0a1b-room", "recipient": "+85591234511"}),
    ("promotional", {"category": Category.PROMOTIONAL, "on_unknown": OnUnknown.RESEND}),
    ("options", {"provider_options": {"nusasms": {"queue": "a", "list": [1, {"x": None}], "ü": "😀"}}}),
    ("message group", {"group": "shop-a"}),
    ("metadata", {"metadata": {"order": "4711", "empty": ""}}),
    ("times", {"send_at": START + timedelta(days=9), "expires_at": START + timedelta(days=9, milliseconds=7)}),
]


@pytest.mark.parametrize("content", [c[1] for c in CONTENTS], ids=[c[0] for c in CONTENTS])
def test_every_kind_of_content_is_read_as_it_was_written(content: Content | None) -> None:
    message = replace(DRAFT, content=content)

    assert from_item(to_item(message)) == message


@pytest.mark.parametrize("changes", [c[1] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_what_a_message_is_and_where_it_goes_is_read_as_it_was_written(changes: dict[str, Any]) -> None:
    message = claim(
        replace(DRAFT, **changes), provider="nusasms", attempt_id="a-1", now=START, lease=timedelta(seconds=60)
    )

    assert from_item(to_item(message)) == message


@pytest.mark.parametrize("content", [c[1] for c in CONTENTS], ids=[c[0] for c in CONTENTS])
def test_what_is_enclosed_never_reaches_an_item(content: Content | None) -> None:
    attachments = Attachments(file=b"a-file-of-a-message", encryption_key="a-key-of-a-message")
    message = replace(DRAFT, content=content, attachments=attachments)

    item = to_item(message)

    assert item == to_item(replace(message, attachments=Attachments()))
    assert "of-a-message" not in json.dumps(item, default=repr)
    assert from_item(item).attachments == Attachments()


@pytest.mark.parametrize("content", [c[1] for c in CONTENTS], ids=[c[0] for c in CONTENTS])
def test_neither_words_nor_enclosures_show(content: Content | None) -> None:
    attachments = Attachments(file=b"a-file-of-a-message", encryption_key="a-key-of-a-message")
    number = "+85591234511"
    shown = repr(replace(DRAFT, content=content, attachments=attachments, recipient=number, metadata={"a": "4711"}))

    secrets = ["of-a-message", "1234", "😀", "a.example", "pdf", "Dara", "bill", "4711"]
    assert [secret for secret in secrets if secret in shown] == []


def test_a_final_message_keeps_no_words_no_enclosures_and_no_options() -> None:
    message = replace(
        DRAFT,
        content=Text(text="Your code is 1234"),
        attachments=Attachments(file=b"file", encryption_key="key"),
        provider_options={"nusasms": {"template": "a name"}},
        audience=("6415907d0d37a",),
        room_id="room-1",
    )

    failed = fail(message, Failure(reason=Reason.OPTED_OUT), now=START, source=Source.SEND)

    assert failed.attachments == Attachments()
    assert to_item(failed).keys().isdisjoint({"content", "provider_options", "due_at", "due_shard"})
    assert (from_item(to_item(failed)).audience, from_item(to_item(failed)).room_id) == (("6415907d0d37a",), "room-1")


def test_what_is_absent_in_a_message_is_absent_in_its_item() -> None:
    item = to_item(schedule(DRAFT, now=START, due_at=START))

    assert item.keys() == {
        "message_id",
        "status",
        "channel",
        "category",
        "on_unknown",
        "due_shard",
        "due_at",
        "created_at",
        "updated_at",
        "occurred_at",
        "revision",
        "sequence",
        "attempt",
        "lookups",
        "not_found_count",
        "ttl",
        "route",
        "metadata",
        "history",
    }
