"""Messages as items of the table. Attachments are never written."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from sampai.adapters.items import due_shard_of, from_item, from_report, from_usable_item, to_item, to_report_attribute
from sampai.adapters.reading import read_item
from sampai.contract.events import status_changed
from sampai.domain.caller import Caller
from sampai.domain.failure import Failure, Reason
from sampai.domain.message import (
    AttachedFile,
    Attachments,
    Category,
    Channel,
    Content,
    Email,
    Media,
    Message,
    OnUnknown,
    Text,
    UnknownContent,
    claim,
    fail,
    requeue,
    schedule,
)
from sampai.domain.report import Report
from sampai.domain.status import Source, Status
from sampai.domain.template import Template, parse_parameters
from sampai.domain.times import EARLIEST, LATEST
from tests.fakes import START, RecordingTelemetry

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
    ("e-mail", Email(subject="Your bill", body="<p>1234 😀</p>")),
    (
        "e-mail with all that it may have",
        Email(
            subject="Your bill",
            body="<p>1234 😀</p>",
            reply_to="help@a.example",
            cc=("b@a.example", "c@a.example"),
            bcc=("d@a.example",),
            files=(AttachedFile(file_name="fü.pdf", size=7), AttachedFile(file_name="2.pdf", size=0)),
            media_key="m-1/0123/1",
        ),
    ),
    ("template", Template(template_id="t-1")),
    (
        "template with all that fills it",
        Template(template_id="t-1", parameters=parse_parameters(PARAMETERS), recipient_name="Dara"),
    ),
]

CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("number", {"recipient": "+85591234511"}),
    ("address", {"recipient": "sok@example.com", "channel": Channel.EMAIL}),
    ("one list", {"audience": ("6415907d0d37a",), "provider": "smsnoc"}),
    ("lists, in their order", {"audience": ("b", "a", "à la carte", "b")}),
    ("conversation", {"room_id": "0a1b-room", "channel": Channel.WHATSAPP_OFFICIAL}),
    ("conversation and number", {"room_id": "0a1b-room", "recipient": "+85591234511"}),
    ("promotional", {"category": Category.PROMOTIONAL, "on_unknown": OnUnknown.RESEND}),
    ("options", {"provider_options": {"nusasms": {"queue": "a", "list": [1, {"x": None}], "ü": "😀"}}}),
    ("message group", {"group": "shop-a"}),
    ("caller without a name", {"caller": Caller(id="AROASHOP", name="AROASHOP")}),
    ("caller with a name", {"caller": Caller(id="AROASHOP", name="shop")}),
    ("requested provider", {"requested_provider": "nomsa"}),
    ("a stop", {"held_since": START, "held_seconds": 3600}),
    ("metadata", {"metadata": {"order": "4711", "empty": ""}}),
    ("an SMS", {"content": Text(text="ក" * 71)}),
    ("times", {"send_at": START + timedelta(days=9), "expires_at": START + timedelta(days=9, milliseconds=7)}),
]


@pytest.mark.parametrize("content", [c[1] for c in CONTENTS], ids=[c[0] for c in CONTENTS])
def test_content_is_read_as_it_was_written(content: Content | None) -> None:
    message = replace(DRAFT, content=content)

    assert from_item(to_item(message)) == message


@pytest.mark.parametrize("changes", [c[1] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_fields_of_a_message_are_read_as_they_were_written(changes: dict[str, Any]) -> None:
    message = claim(
        replace(DRAFT, **changes), provider="nusasms", attempt_id="a-1", now=START, lease=timedelta(seconds=60)
    )

    assert from_item(to_item(message)) == message


def test_message_that_was_resent_stays_one_although_its_history_has_lost_its_middle() -> None:
    message = DRAFT
    for source in (*[Source.SEND] * 30, Source.SWEEP, *[Source.SEND] * 30):
        message = requeue(message, route=(), failure=None, now=START, due_at=START, source=source)

    read = from_item(to_item(message))

    assert [entry for entry in read.history if entry.source is Source.SWEEP] == []
    assert (read, read.was_resent) == (message, True)


def test_former_release_tells_only_by_its_history_that_a_message_was_resent() -> None:
    message = requeue(DRAFT, route=(), failure=None, now=START, due_at=START, source=Source.SWEEP)
    item = to_item(message)
    del item["resends"]

    assert from_item(item).was_resent


def test_error_of_a_look_up_is_read_as_it_was_written() -> None:
    message = replace(DRAFT, lookup_error="HTTP 401: AccountRefusedError", lookup_errors=3)

    assert from_item(to_item(message)) == message


@pytest.mark.parametrize("content", [c[1] for c in CONTENTS], ids=[c[0] for c in CONTENTS])
def test_attachments_never_reach_an_item(content: Content | None) -> None:
    attachments = Attachments(file=b"a-file-of-a-message", encryption_key="a-key-of-a-message")
    message = replace(DRAFT, content=content, attachments=attachments)

    item = to_item(message)

    assert item == to_item(replace(message, attachments=Attachments()))
    assert "of-a-message" not in json.dumps(item, default=repr)
    assert from_item(item).attachments == Attachments()


@pytest.mark.parametrize("content", [c[1] for c in CONTENTS], ids=[c[0] for c in CONTENTS])
def test_repr_shows_neither_texts_nor_attachments(content: Content | None) -> None:
    attachments = Attachments(file=b"a-file-of-a-message", encryption_key="a-key-of-a-message")
    number = "+85591234511"
    shown = repr(replace(DRAFT, content=content, attachments=attachments, recipient=number, metadata={"a": "4711"}))

    secrets = ["of-a-message", "1234", "😀", "a.example", "pdf", "Dara", "bill", "4711"]
    assert [secret for secret in secrets if secret in shown] == []


def test_final_message_keeps_neither_texts_nor_attachments_nor_options() -> None:
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


def test_absent_field_of_a_message_is_absent_in_its_item() -> None:
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
        "schema_version",
        "attempt",
        "lookups",
        "not_found_count",
        "ttl",
        "route",
        "metadata",
        "history",
    }


# --- the lifetime of an item ----------------------------------------------------------------------------------------

LIFETIMES = [
    ("no send_at", None, START),
    ("later send_at", START + timedelta(days=300), START + timedelta(days=300)),
    ("send_at 100 days ago", START - timedelta(days=100), START),
]


@pytest.mark.parametrize(("send_at", "counted_from"), [c[1:] for c in LIFETIMES], ids=[c[0] for c in LIFETIMES])
@pytest.mark.parametrize("days", [62, 90])
def test_item_expires_after_the_retention_from_the_later_of_created_at_and_send_at(
    send_at: datetime | None, counted_from: datetime, days: int
) -> None:
    item = to_item(replace(DRAFT, send_at=send_at), retention=timedelta(days=days))

    assert item["ttl"] == {"N": str(int((counted_from + timedelta(days=days)).timestamp()))}


def test_item_has_the_segments_the_encoding_and_the_cost_of_an_sms() -> None:
    message = replace(STORED, cost="1.20")

    item = to_item(message)

    assert {name: item[name] for name in ("segments", "encoding", "cost")} == {
        "segments": {"N": "1"},
        "encoding": {"S": "gsm7"},
        "cost": {"S": "1.20"},
    }
    assert from_item(item) == message


@pytest.mark.parametrize(
    ("caller", "attributes"),
    [
        (None, {}),
        (Caller(id="AROASHOP", name="AROASHOP"), {"caller": {"S": "AROASHOP"}}),
        (Caller(id="AROASHOP", name="shop"), {"caller": {"S": "shop"}, "caller_id": {"S": "AROASHOP"}}),
    ],
    ids=["none", "without a name", "with a name"],
)
def test_item_has_the_name_of_its_caller_and_an_id_only_beside_a_name(
    caller: Caller | None, attributes: dict[str, Any]
) -> None:
    item = to_item(replace(STORED, caller=caller))

    assert {name: value for name, value in item.items() if name.startswith("caller")} == attributes


def test_buffered_report_keeps_its_cost() -> None:
    report = Report(provider_message_id="v-1", status=Status.SENT, provider_status="Sent", cost="1.20")

    _, attribute = to_report_attribute(report)

    assert from_report(attribute["M"]) == report
    assert from_report({n: v for n, v in attribute["M"].items() if n != "cost"}) == replace(report, cost=None)


def test_item_has_the_schema_version_that_its_release_writes() -> None:
    assert to_item(DRAFT)["schema_version"] == {"N": "1"}


# --- items of the next and the previous release ---------------------------------------------------------------------


STORED = claim(
    replace(DRAFT, route=("nomsa",), content=Text(text="Hi")),
    provider="nomsa",
    attempt_id="a-1",
    now=START,
    lease=timedelta(seconds=60),
)


def item_of(**attributes: Any) -> dict[str, Any]:
    """Return the item of a claimed message with other attributes; None removes one."""
    return {name: value for name, value in (to_item(STORED) | attributes).items() if value is not None}


WORDS: list[tuple[str, dict[str, Any], Callable[[Message], object], object]] = [
    ("category", {"category": {"S": "marketing"}}, lambda m: m.category, Category.TRANSACTIONAL),
    ("on_unknown", {"on_unknown": {"S": "ask"}}, lambda m: m.on_unknown, OnUnknown.HOLD),
    (
        "reason",
        {"failure": {"M": {"reason": {"S": "quiet_hours"}, "new": {"N": "1"}}}},
        lambda m: m.failure and str(m.failure.reason),
        "quiet_hours",
    ),
    (
        "source and status in the history",
        {"history": {"L": [{"M": {"status": {"S": "paused"}, "at": {"S": "2026-11-21T10:00:00.000Z"},
                                  "source": {"S": "operator"}, "by": {"S": "x"}}}]}},
        lambda m: [(str(entry.status), str(entry.source)) for entry in m.history],
        [("paused", "operator")],
    ),
    ("content", {"content": {"M": {"type": {"S": "poll"}}}}, lambda m: type(m.content), UnknownContent),
    ("encoding", {"encoding": {"S": "gsm8"}}, lambda m: str(m.encoding), "gsm8"),
    ("attribute", {"priority": {"N": "7"}}, lambda m: m.message_id, "m-1"),
    ("date before all dates", {"send_at": {"S": "0001-01-01T00:00:00.000Z"}}, lambda m: m.send_at, EARLIEST),
    ("date after all dates", {"expires_at": {"S": "9999-12-31T23:59:59.999Z"}}, lambda m: m.expires_at, LATEST),
]  # fmt: skip


@pytest.mark.parametrize(("attributes", "value", "expected"), [w[1:] for w in WORDS], ids=[w[0] for w in WORDS])
def test_unknown_word_of_a_newer_release_becomes_a_neutral_value(
    attributes: dict[str, Any], value: Callable[[Message], object], expected: object
) -> None:
    message = from_usable_item(item_of(**attributes))

    assert value(message) == expected
    assert to_item(message)["status"] == {"S": "sending"}


MISSING: list[tuple[str, Message]] = [
    ("route", replace(STORED, route=())),
    ("metadata", STORED),
    ("history", replace(STORED, history=())),
    ("segments", replace(STORED, segments=None)),
    ("encoding", replace(STORED, encoding=None)),
    *((name, STORED) for name in ("category", "on_unknown", "channel", "updated_at", "occurred_at", "ttl")),
]


@pytest.mark.parametrize(("name", "expected"), MISSING, ids=[m[0] for m in MISSING])
def test_missing_attribute_has_the_default_of_an_older_release(name: str, expected: Message) -> None:
    assert from_usable_item(item_of(**{name: None})) == expected


UNREADABLE: list[tuple[str, dict[str, Any]]] = [
    ("status", {"status": {"S": "paused"}}),
    ("no status", {"status": None}),
    ("channel of an open message", {"channel": {"S": "carrier_pigeon"}}),
    ("content of a message that waits", {"status": {"S": "queued"}, "content": {"M": {"type": {"S": "poll"}}}}),
    ("date without a zone", {"created_at": {"S": "2026-11-21T10:00:00"}}),
    ("another type", {"route": {"S": "nomsa"}}),
]


@pytest.mark.parametrize("attributes", [u[1] for u in UNREADABLE], ids=[u[0] for u in UNREADABLE])
def test_item_whose_meaning_is_unknown_cannot_be_read(attributes: dict[str, Any]) -> None:
    telemetry = RecordingTelemetry()

    message = read_item(
        item_of(**attributes), from_usable_item, table="messages", key="message_id", telemetry=telemetry
    )

    assert message is None
    assert telemetry.counts == {("ItemUnreadable", None): 1}
    ((level, line, fields),) = telemetry.lines
    assert (level, line, fields["table"], fields["message_id"]) == ("error", "item unreadable", "messages", "m-1")


def test_final_message_on_an_unknown_channel_can_be_read_and_published() -> None:
    item = item_of(status={"S": "delivered"}, channel={"S": "carrier_pigeon"})

    assert status_changed(from_usable_item(item), previous=None).detail["channel"] == "carrier_pigeon"


def test_unknown_content_is_stored_as_it_was() -> None:
    content = {"M": {"type": {"S": "poll"}, "options": {"L": [{"S": "yes"}, {"N": "7"}]}}}

    assert to_item(from_item(item_of(content=content)))["content"] == content


@pytest.mark.parametrize(
    ("status", "provider_message_id", "lookups", "prefix"),
    [
        (Status.SCHEDULED, None, 0, ""),
        (Status.QUEUED, "145", 2, ""),
        (Status.SENDING, None, 0, "claimed-"),
        (Status.SENDING, "145", 0, "claimed-"),
        (Status.UNKNOWN, None, 0, "claimed-"),
        (Status.UNKNOWN, None, 1, "claimed-"),
        (Status.UNKNOWN, "145", 0, "claimed-"),
        (Status.UNKNOWN, "145", 1, "polled-"),
        (Status.ACCEPTED, "145", 0, "claimed-"),
        (Status.ACCEPTED, "145", 1, "polled-"),
        (Status.SENT, "145", 0, "claimed-"),
        (Status.SENT, "145", 2, "polled-"),
    ],
)
def test_each_family_of_due_messages_has_shards_of_its_own(
    status: Status, provider_message_id: str | None, lookups: int, prefix: str
) -> None:
    message = replace(DRAFT, status=status, provider_message_id=provider_message_id, lookups=lookups)

    assert due_shard_of(message, 1) == f"{prefix}0"


def test_shard_of_an_item_is_among_the_shards_of_every_higher_count() -> None:
    for shards in (8, 16, 64):
        names = {due_shard_of(replace(DRAFT, message_id=f"m-{n}"), shards) for n in range(2000)}
        assert names == {str(shard) for shard in range(shards)}
