"""The texts about broken requests and settings."""

import json
from typing import Any

import pytest

from sampai.contract.problems import MAX_NAMED, notation_hint
from sampai.contract.request import InvalidRequest, parse_request
from sampai.contract.settings import BrokenSettingsError, parse_settings
from tests.fakes import START

VALUE = "8412-secret"
"""A value that no text may show."""


def detail_of(document: Any) -> str:
    parsed = parse_request(json.dumps(document), now=START)
    assert isinstance(parsed, InvalidRequest)
    return parsed.detail


def good(**changes: Any) -> dict[str, Any]:
    return {"message_id": "m-1", "recipient": "+85591234510", "content": {"type": "text", "text": "Hello"}} | changes


# --- several problems -------------------------------------------------------------------------------------------------


def test_all_wrong_fields_are_named_and_counted() -> None:
    document = good(
        message_id=f"{VALUE}!",
        channel="fax",
        category=VALUE,
        content={"type": "text"},
        send_at=VALUE,
        metadata={VALUE: 1},
    )

    assert detail_of(document) == (
        "6 problems: message_id: must be 1 to 64 of A-Z a-z 0-9 . _ : - and start with a letter or digit; "
        "channel: must be sms, whatsapp, whatsapp_official or email; content.text: required; "
        "category: must be otp, transactional or promotional; send_at: must be an RFC 3339 time with a zone; "
        "metadata.…: must be a text"
    )


def test_all_fields_that_do_not_fit_together_are_named_and_counted() -> None:
    document = good(
        channel="email",
        recipient=None,
        room_id="room-1",
        audience={"lists": ["a"]},
        send_at="2026-11-22T10:00:00Z",
        expires_at="2026-11-22T09:00:00Z",
    )

    assert detail_of(document) == (
        "4 problems: content.type: email, and only that, on the channel email; "
        "audience: cannot be combined with recipient or room_id; room_id: whatsapp_official only; "
        "expires_at: must be after send_at"
    )


def test_number_of_named_problems_is_limited_and_the_others_are_counted() -> None:
    detail = detail_of(good(**{f"x{letter}{other}": VALUE for letter in "abcdefghij" for other in "abcdefghij"}))

    assert detail.startswith("100 problems: xaa: unknown field; xab: unknown field; ")
    assert detail.endswith("; xbj: unknown field; and 80 more")
    assert detail.count("unknown field") == MAX_NAMED


def test_list_is_not_called_too_short_because_its_entries_are_invalid() -> None:
    assert detail_of(good(recipient=None, audience={"lists": [8412]})) == "audience.lists.0: must be a text"


def test_name_of_an_entry_that_breaks_a_rule_is_told_from_its_value() -> None:
    assert detail_of(good(metadata={"": "x"})) == "metadata.…: the name must not be empty"


# --- the usual mistakes -----------------------------------------------------------------------------------------------

NATIONAL = "; this is national notation: write + and the country code in place of the leading 0"
INTERNATIONAL = "; write + in place of the leading 00"
NO_PLUS = "; put + and the country code first"
SEPARATORS = "; leave out spaces and other separators"


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        ("081234567890", NATIONAL),
        ("0812-3456-7890", NATIONAL),
        ("(012) 345 678", NATIONAL),
        ("006281234567890", INTERNATIONAL),
        ("00 62 812 3456 7890", INTERNATIONAL),
        ("6281234567890", NO_PLUS),
        ("81234567890", NO_PLUS),
        ("+62 812-3456-7890", SEPARATORS),
        ("+6281234567890\n", SEPARATORS),
        ("+6281234567890,+6281234567891", ""),
        ("+628١234567890", ""),
        ("000000000", ""),
        ("TELKOMSEL", ""),
        ("", ""),
    ],
)
def test_number_in_another_notation_gets_a_hint(number: str, hint: str) -> None:
    rule = "must be exactly one E.164 number: + and 7 to 15 ASCII digits"

    assert notation_hint(number) == hint
    assert detail_of(good(recipient=number)) == f"recipient: {rule}{hint}"
    assert detail_of({"opt_out": number}) == f"opt_out: {rule}{hint}"


SNS = {
    "Type": "Notification",
    "MessageId": "0f1d0a4e-0000-4000-8000-000000000001",
    "TopicArn": "arn:aws:sns:ap-southeast-1:123456789012:orders",
    "Message": json.dumps(good(content={"type": "text", "text": VALUE})),
}
EVENT = {
    "version": "0",
    "id": "0f1d0a4e-0000-4000-8000-000000000002",
    "detail-type": "Order Paid",
    "source": "shop",
    "detail": good(content={"type": "text", "text": VALUE}),
}


@pytest.mark.parametrize(
    ("envelope", "detail"),
    [
        (SNS, "body: a notification of SNS, not a request; turn on RawMessageDelivery in the subscription"),
        (EVENT, "body: an event of EventBridge, not a request; set the input path of the rule's target to $.detail"),
    ],
    ids=["SNS", "EventBridge"],
)
def test_request_in_an_envelope_gets_a_hint_and_leaves_its_id_free(envelope: dict[str, Any], detail: str) -> None:
    assert parse_request(json.dumps(envelope), now=START) == InvalidRequest(message_id=None, detail=detail)


@pytest.mark.parametrize(
    ("document", "detail"),
    [
        (good(sendAt="2026-11-21T10:00:00Z"), "sendAt: unknown field, write send_at"),
        (good(ProviderOptions={}), "ProviderOptions: unknown field, write provider_options"),
        (good(**{"expires-at": "2026-11-21T10:00:00Z"}), "…: unknown field, write expires_at"),
        (
            good(content={"type": "media", "media_url": "https://a.example/f.pdf", "fileName": "f.pdf"}),
            "content.fileName: unknown field, write file_name",
        ),
        (good(text="Hello"), "text: unknown field"),
        (good(colour="red"), "colour: unknown field"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_field_in_another_notation_gets_the_name_of_ours(document: dict[str, Any], detail: str) -> None:
    assert detail_of(document) == detail


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"limits": {"per_day": 10**12}}, "limits.per_day: must be at most 1000000000"),
        ({"providers": {"nomsa": {"max_per_second": 0}}}, "providers.nomsa.max_per_second: must be at least 0.1"),
        ({"report_horizon_hours": 0}, "report_horizon_hours: must be above 0"),
        ({"report_horizon_hours": VALUE}, "report_horizon_hours: must be a number"),
        ({"poll_seconds": [VALUE]}, "poll_seconds.0: must be a whole number"),
        ({"poll_seconds": []}, "poll_seconds: must not be empty"),
        ({"sending_enabled": VALUE}, "sending_enabled: must be true or false"),
        ({"sendingEnabled": False}, "sendingEnabled: unknown field, write sending_enabled"),
        ({"routes": {"fax": {}}}, "routes.fax: the name must be sms, whatsapp, whatsapp_official or email"),
        (
            {"routes": {"sms": {"kh": []}}},
            "routes.sms.kh: the name must be a country of two capital letters, or *",
        ),
        ({"allowed_countries": ["*"]}, "allowed_countries.0: must be a country of two capital letters"),
        (
            {"providers": {"PhilSMS": {"type": "smsnoc"}}},
            "providers.PhilSMS: the name must be 1 to 32 of a-z 0-9 - and start with a letter",
        ),
        (
            {"poll_seconds": 15, "limits": {"per_day": None, "per_week": 1}},
            "2 problems: limits.per_week: unknown field; poll_seconds: must be a list",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_error_about_settings_is_one_line_in_the_same_words(document: dict[str, Any], text: str) -> None:
    with pytest.raises(BrokenSettingsError) as broken:
        parse_settings(json.dumps(document))

    assert str(broken.value) == text
