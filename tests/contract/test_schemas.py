"""The published schemas agree with the code, and the public contract stays compatible."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from docs.generate import REFERENCE
from docs.schemas import version
from sampai.contract.events import Event, message_received, request_rejected, status_changed
from sampai.contract.request import CancelRequest, OptInRequest, OptOutRequest, SendRequest, parse_request
from sampai.contract.settings import BrokenSettingsError, parse_settings
from sampai.domain.failure import Failure, Reason
from sampai.domain.inbound import Inbound
from sampai.domain.message import Category, Channel, Message, OnUnknown, accept, claim, fail
from sampai.domain.quotas import Limit
from sampai.domain.status import Source, Status
from tests.fakes import START
from tests.template import ROOT

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def schema(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((REFERENCE / "schemas" / f"{name}.json").read_text())
    return document


def accepts(name: str, document: Any) -> bool:
    valid: bool = Draft202012Validator(schema(name)).is_valid(document)
    return valid


NAMES = sorted(file.stem for file in (REFERENCE / "schemas").glob("*.json"))


@pytest.mark.parametrize("name", NAMES)
def test_schema_is_valid(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize("name", NAMES)
def test_schema_has_an_identity_a_version_and_valid_examples(name: str) -> None:
    published = schema(name)
    validator = Draft202012Validator(published, format_checker=Draft202012Validator.FORMAT_CHECKER)

    assert (published["$id"], published["version"]) == (f"urn:sampai:{version()}:{name}", version())
    assert published["examples"]
    assert [error.message for example in published["examples"] for error in validator.iter_errors(example)] == []


@pytest.mark.parametrize("name", ["message-status-changed", "message-received", "request-rejected"])
def test_every_field_of_an_event_is_described_or_has_its_words(name: str) -> None:
    fields = schema(name)["properties"]

    assert [field for field, rule in fields.items() if not {"description", "enum"} & rule.keys()] == []


# --- requests ---------------------------------------------------------------------------------------------------------

BODIES = {
    f"{file.stem} {number}": record["body"]
    for file in sorted((ROOT / "events" / "send").glob("*.json"))
    for number, record in enumerate(json.loads(file.read_text())["Records"], 1)
}
REFUSED = {
    "audience-and-recipient 1",
    "bad-number 1",
    "bad-opt-out 1",
    "broken-file 1",
    "email-header 1",
    "email-to-number 1",
    "media-in-clear 1",
    "media-twice 1",
    "media-without-name 1",
    "no-recipient 1",
    "not-json 1",
    "resume 1",
    "room-by-sms 1",
    "sms-to-address 1",
    "unknown-channel 1",
    "unknown-field 1",
}
"""Samples that no schema accepts. A schema cannot check times, settings and providers."""


def is_request(body: str) -> bool:
    try:
        document = json.loads(body)
    except ValueError:
        return False
    return any(accepts(f"{kind}-request", document) for kind in ("send", "cancel", "opt-out", "opt-in"))


@pytest.mark.parametrize("name", BODIES)
def test_schemas_accept_only_the_valid_sample_requests(name: str) -> None:
    assert is_request(BODIES[name]) is (name not in REFUSED)


GOOD: dict[str, Any] = {
    "message_id": "m-1",
    "recipient": "+85591234510",
    "content": {"type": "text", "text": "Hello"},
}
EMAIL: dict[str, Any] = {
    "channel": "email",
    "recipient": "sok@example.com",
    "content": {"type": "email", "subject": "Your bill", "body": "<p>Hello</p>"},
}
VARIATIONS: dict[str, dict[str, Any]] = {
    "nothing more": {},
    "all fields": {
        "channel": "sms",
        "sender": "Sampai",
        "category": "otp",
        "provider": "smspoh",
        "send_at": "2026-11-21T10:00:00Z",
        "expires_at": "2026-11-21T17:05:00+07:00",
        "on_unknown": "resend",
        "metadata": {"order": "4711"},
        "provider_options": {"smspoh": {"test": True}},
    },
    "nulls where they may be": dict.fromkeys(("sender", "provider", "send_at", "expires_at")),
    "an id of 64": {"message_id": "m" * 64},
    "an id of 65": {"message_id": "m" * 65},
    "an id with a slash": {"message_id": "a/b"},
    "a number without plus": {"recipient": "85591234510"},
    "a number as a number": {"recipient": 85591234510},
    "digits that are not ASCII": {"recipient": "+٨٥٥٩١٢٣٤٥١٠"},
    "no recipient": {"recipient": None},
    "an empty text": {"content": {"type": "text", "text": ""}},
    "a content of another type": {"content": {"type": "fax", "text": "Hello"}},
    "a content with a field too many": {"content": {"type": "text", "text": "Hello", "bold": True}},
    "a sender of 65": {"sender": "S" * 65},
    "a sender with a line break in it": {"sender": "Sam\npai"},
    "an unknown category": {"category": "spam"},
    "an unknown policy": {"on_unknown": "hope"},
    "ten entries of metadata": {"metadata": {str(n): "v" for n in range(10)}},
    "eleven entries of metadata": {"metadata": {str(n): "v" for n in range(11)}},
    "a number in metadata": {"metadata": {"order": 4711}},
    "options that are none": {"provider_options": {"smspoh": True}},
    "an audience": {"recipient": None, "audience": {"lists": ["6415907d0d310"]}},
    "an audience of none": {"recipient": None, "audience": {"lists": []}},
    "an audience with a comma": {"recipient": None, "audience": {"lists": ["a,b"]}},
    "an audience and a recipient": {"audience": {"lists": ["6415907d0d310"]}},
    "a conversation": {"recipient": None, "room_id": "a-1", "channel": "whatsapp_official"},
    "a conversation and a recipient": {"room_id": "a-1", "channel": "whatsapp_official"},
    "a conversation by SMS": {"room_id": "a-1"},
    "a conversation and an audience": {
        "recipient": None,
        "room_id": "a-1",
        "channel": "whatsapp_official",
        "audience": {"lists": ["a"]},
    },
    "a file at an address": {"content": {"type": "media", "media_url": "https://files.example/1.png"}},
    "a file in clear": {"content": {"type": "media", "media_url": "http://files.example/1.png"}},
    "a file in the request": {"content": {"type": "media", "media_base64": "aGVsbG8=", "file_name": "1.png"}},
    "a file without a name": {"content": {"type": "media", "media_base64": "aGVsbG8="}},
    "a file twice": {
        "content": {
            "type": "media",
            "media_url": "https://files.example/1.png",
            "media_base64": "aGVsbG8=",
            "file_name": "1.png",
        }
    },
    "no file": {"content": {"type": "media", "caption": "A picture"}},
    "an e-mail": EMAIL,
    "an e-mail with all fields": EMAIL
    | {
        "sender": "ក្រសួង <no-reply@example.com>",
        "content": EMAIL["content"]
        | {
            "reply_to": "help@example.com",
            "cc": ["dara@example.com"],
            "bcc": ["archive@example.com"],
            "attachments": [{"file_name": "1.pdf", "content_base64": "aGVsbG8="}],
        },
    },
    "an e-mail with nulls where they may be": EMAIL | {"content": EMAIL["content"] | {"reply_to": None}},
    "an e-mail to a number": EMAIL | {"recipient": "+85591234510"},
    "an e-mail to two": EMAIL | {"recipient": "sok@example.com,dara@example.com"},
    "an e-mail to a long address": EMAIL | {"recipient": "s@" + "a." * 126 + "kh"},
    "an e-mail from a label": EMAIL | {"sender": "mcs-otp"},
    "an e-mail on SMS": EMAIL | {"channel": "sms", "recipient": "+85591234510"},
    "an e-mail without a channel": {"content": EMAIL["content"]},
    "an SMS to an address": {"recipient": "sok@example.com"},
    "a text on the channel of e-mails": {"channel": "email", "recipient": "sok@example.com"},
    "a subject of two lines": EMAIL | {"content": EMAIL["content"] | {"subject": "x\ny"}},
    "a copy to no address": EMAIL | {"content": EMAIL["content"] | {"cc": ["sok"]}},
    "eleven files": EMAIL
    | {"content": EMAIL["content"] | {"attachments": [{"file_name": "1.pdf", "content_base64": "aGVsbG8="}] * 11}},
    "a template": {"content": {"type": "template", "template_id": "t-1", "parameters": ["4711"]}},
    "a template without parameters": {"content": {"type": "template", "template_id": "t-1"}},
    "a template of no name": {"content": {"type": "template"}},
}


@pytest.mark.parametrize("variation", VARIATIONS)
def test_the_schema_and_the_code_agree_on_a_request(variation: str) -> None:
    document = GOOD | VARIATIONS[variation]

    is_parsed = isinstance(parse_request(json.dumps(document), now=START), SendRequest)

    assert accepts("send-request", document) is is_parsed


@pytest.mark.parametrize(
    "document", [{"cancel": "m-1"}, {"cancel": "a/b"}, {"cancel": None}, {"cancel": "m-1", "x": 1}]
)
def test_the_schema_and_the_code_agree_on_a_cancel(document: Any) -> None:
    is_parsed = isinstance(parse_request(json.dumps(document), now=START), CancelRequest)

    assert accepts("cancel-request", document) is is_parsed


@pytest.mark.parametrize("field", ["opt_out", "opt_in"])
@pytest.mark.parametrize(
    "number", ["+6281234567890", "6281234567890", "+62", None, "sok@example.com", "sok@example", "a@b.kh,c@d.kh"]
)
def test_the_schema_and_the_code_agree_on_opt_out(field: str, number: Any) -> None:
    parsed = parse_request(json.dumps({field: number}), now=START)

    assert accepts(f"{field.replace('_', '-')}-request", {field: number}) is isinstance(
        parsed, OptOutRequest | OptInRequest
    )


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"routes": {"sms": {"KH": ["nomsa"], "*": ["smspoh"]}}},
        {"providers": {"nomsa": {"enabled": False}, "smspoh": {"sender": "Sampai", "max_per_second": 20}}},
        {"opt_out_words": {"MM": ["ရပ်"]}, "opt_in_words": {"*": []}, "expiry_warning_days": 14},
        {"opt_out_words": {"MM": [""]}},
        {"opt_out_words": ["STOP"]},
        {"providers": {"nusasms": {"senders": {"whatsapp": "SAMPAI"}, "low_balance": {"sms": 100, "wa": None}}}},
        {"providers": {"nusasms": {"senders": {"fax": "SAMPAI"}}}},
        {"providers": {"smsnoc": {"timezone": "Asia/Manila", "delivered_after_seconds": 0}}},
        {"providers": {"smsnoc": {"timezone": None, "delivered_after_seconds": None}}},
        {"providers": {"smsnoc": {"timezone": "", "delivered_after_seconds": 0}}},
        {"providers": {"smsnoc": {"delivered_after_seconds": 86401}}},
        {"providers": {"nomsa": {"senders": {"email": "Ministry <no-reply@example.com>"}, "rates": {"email": 5}}}},
        {"providers": {"nomsa": {"rates": {"email": None}}}},
        {"providers": {"nomsa": {"rates": {"email": 0}}}},
        {"providers": {"nomsa": {"rates": {"fax": 5}}}},
        {"public_base_url": None, "report_horizon_hours": 0.5, "poll_seconds": [15]},
        {"pole_seconds": [15]},
        {"sending_enabled": False, "allowed_countries": ["KH"], "limits": {"per_day": 9, "per_prefix_per_hour": None}},
        {"providers": {"nomsa": {"allowed_senders": ["MyBank"]}, "smspoh": {"allowed_senders": None}}},
        {"allowed_countries": ["*"]},
        {"allowed_countries": "KH"},
        {"providers": {"nomsa": {"allowed_senders": [""]}}},
        {"limits": {"per_minute": 5}},
        {"limits": {"per_day": 0}},
        {"limits": None},
        {"providers": {"nomsa": {"enabled": "perhaps"}}},
        {"routes": {"fax": {"KH": ["nomsa"]}}},
        {"report_horizon_hours": 0},
        {"report_horizon_hours": 721},
        {"poll_seconds": []},
        {"poll_seconds": [0]},
    ],
    ids=json.dumps,
)
def test_the_schema_and_the_code_agree_on_settings(document: Any) -> None:
    try:
        parse_settings(json.dumps(document))
    except BrokenSettingsError:
        is_parsed = False
    else:
        is_parsed = True

    assert accepts("settings", document) is is_parsed


# --- events -----------------------------------------------------------------------------------------------------------

DRAFT = Message(
    message_id="m-1",
    status=Status.QUEUED,
    recipient="+85591234510",
    metadata={"order": "4711"},
    created_at=NOW,
    updated_at=NOW,
    occurred_at=NOW,
)
CLAIMED = claim(DRAFT, provider="nomsa", attempt_id="a-1", now=NOW, lease=timedelta(seconds=60))
ACCEPTED = accept(CLAIMED, provider_message_id="n-1", provider_status="SENT", now=NOW, due_at=NOW, source=Source.SEND)
UNREADABLE = replace(DRAFT, recipient=None, metadata={})


def _failed(message: Message, **failure: Any) -> Event:
    reason = Failure(reason=Reason.INVALID_REQUEST, **failure)
    return status_changed(fail(message, reason, now=NOW, source=Source.SEND), previous=None)


EVENTS = {
    "the first status": status_changed(CLAIMED, previous=None),
    "a further status": status_changed(ACCEPTED, previous=Status.SENDING),
    "a failure with all that is known": _failed(CLAIMED, provider_code="-13", detail="recipient: no such number"),
    "a failure of what could not be read": _failed(UNREADABLE),
    "a message that came in": message_received(
        Inbound(
            provider="nusasms",
            channel=Channel.WHATSAPP_OFFICIAL,
            provider_message_id="0017",
            sender="+6281234567890",
            recipient="+6281100000000",
            text="Thanks",
            room_id="a-1",
            received_at=NOW,
        ),
        now=NOW,
    ),
    "a message of which little is known": message_received(
        Inbound(provider="nusasms", channel=Channel.SMS, sender="INFO", text=""), now=NOW
    ),
    "an id conflict": request_rejected("m-1", "id_conflict", "message_id: already stands for a different request"),
}
SCHEMAS = {
    "Message Status Changed": "message-status-changed",
    "Message Received": "message-received",
    "Request Rejected": "request-rejected",
}


@pytest.mark.parametrize("name", EVENTS)
def test_event_matches_its_schema(name: str) -> None:
    event = EVENTS[name]
    published = schema(SCHEMAS[event.detail_type])
    detail = json.loads(json.dumps(event.detail))

    Draft202012Validator(published).validate(detail)
    assert detail.keys() == published["properties"].keys()


@pytest.mark.parametrize("name", EVENTS)
def test_event_without_a_field_does_not_match_its_schema(name: str) -> None:
    event = EVENTS[name]
    detail = json.loads(json.dumps(event.detail))

    lacking = [{key: value for key, value in detail.items() if key != gone} for gone in detail]

    assert not any(accepts(SCHEMAS[event.detail_type], document) for document in lacking)


# --- the public contract ----------------------------------------------------------------------------------------------
# Names that callers use. A new name is a new line here; a line that is removed or changed breaks a caller.

FIELDS = {
    "send-request": {
        "message_id",
        "channel",
        "recipient",
        "sender",
        "content",
        "category",
        "provider",
        "send_at",
        "expires_at",
        "on_unknown",
        "metadata",
        "provider_options",
        "audience",
        "room_id",
    },
    "cancel-request": {"cancel"},
    "opt-out-request": {"opt_out"},
    "opt-in-request": {"opt_in"},
    "settings": {
        "routes",
        "providers",
        "public_base_url",
        "report_horizon_hours",
        "poll_seconds",
        "opt_out_words",
        "opt_in_words",
        "expiry_warning_days",
        "sending_enabled",
        "allowed_countries",
        "limits",
        "replace_typographic_characters",
    },
    "message-status-changed": {
        "message_id",
        "sequence",
        "status",
        "previous_status",
        "channel",
        "recipient",
        "provider",
        "provider_message_id",
        "occurred_at",
        "source",
        "failure",
        "metadata",
        "segments",
        "encoding",
        "cost",
    },
    "message-received": {
        "provider",
        "channel",
        "provider_message_id",
        "sender",
        "recipient",
        "text",
        "room_id",
        "received_at",
    },
    "request-rejected": {"message_id", "reason", "detail"},
}
INNER_FIELDS = {
    ("send-request", "TextContent"): {"type", "text"},
    ("send-request", "MediaContent"): {"type", "media_url", "media_base64", "file_name", "caption"},
    ("send-request", "TemplateContent"): {"type", "template_id", "parameters", "recipient_name"},
    ("send-request", "Audience"): {"lists"},
    ("settings", "ProviderSettings"): {
        "enabled",
        "base_url",
        "sender",
        "senders",
        "allowed_senders",
        "low_balance",
        "max_per_second",
    },
    ("settings", "Limits"): {
        "per_recipient_per_hour",
        "per_recipient_per_day",
        "per_prefix_per_hour",
        "per_day",
        "max_segments",
    },
    ("settings", "QuietHoursSettings"): {"from", "to", "timezones"},
    ("message-status-changed", "FailureDetail"): {"reason", "provider_code", "detail"},
}
DEMANDED = {
    "send-request": {"message_id", "content"},
    "cancel-request": {"cancel"},
    "opt-out-request": {"opt_out"},
    "opt-in-request": {"opt_in"},
    "settings": set(),
}
"""The fields that a caller must give. The list may shrink; another field would refuse requests that are valid today."""

WORDS: dict[type[StrEnum], set[str]] = {
    Limit: {"per_recipient_per_hour", "per_recipient_per_day", "per_prefix_per_hour", "per_day"},
    Channel: {"sms", "whatsapp", "whatsapp_official"},
    Category: {"otp", "transactional", "promotional"},
    OnUnknown: {"hold", "resend"},
    Source: {"send", "webhook", "poll", "sweep", "caller"},
    Status: {
        "scheduled",
        "queued",
        "sending",
        "unknown",
        "accepted",
        "sent",
        "unconfirmed",
        "canceled",
        "failed",
        "undelivered",
        "delivered",
        "read",
    },
    Reason: {
        "invalid_request",
        "invalid_recipient",
        "invalid_sender",
        "invalid_content",
        "too_long",
        "unsupported",
        "unroutable",
        "opted_out",
        "blocked",
        "expired",
        "insufficient_credit",
        "authentication",
        "rate_limited",
        "template_rejected",
        "window_closed",
        "unreachable",
        "provider_error",
    },
}


@pytest.mark.parametrize("name", FIELDS)
def test_no_public_field_is_removed_or_renamed(name: str) -> None:
    assert FIELDS[name] <= schema(name)["properties"].keys()


@pytest.mark.parametrize(("name", "inner"), INNER_FIELDS)
def test_no_field_within_a_public_field_is_removed_or_renamed(name: str, inner: str) -> None:
    assert INNER_FIELDS[name, inner] <= schema(name)["$defs"][inner]["properties"].keys()


@pytest.mark.parametrize("name", DEMANDED)
def test_no_further_field_is_required(name: str) -> None:
    assert set(schema(name).get("required", ())) <= DEMANDED[name]


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words.__name__)
def test_no_public_word_is_removed_or_renamed(words: type[StrEnum]) -> None:
    assert WORDS[words] <= {word.value for word in words}


def test_list_covers_every_schema() -> None:
    assert sorted(FIELDS) == NAMES
