"""Dates at the edge, ids in broken bodies, and numbers with a trunk zero."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sampai.contract.request import InvalidRequest, OptInRequest, OptOutRequest, SendRequest, parse_request
from sampai.domain.times import to_text
from tests.fakes import START

AHEAD = "must be at most 366 days ahead"


def body(**changes: Any) -> str:
    request = {"message_id": "a-1", "recipient": "+85591234510", "content": {"type": "text", "text": "Hello"}}
    return json.dumps(request | changes)


@pytest.mark.parametrize("field", ["send_at", "expires_at"])
@pytest.mark.parametrize(
    ("instant", "rule"),
    [
        ("9999-12-31T23:59:59Z", AHEAD),
        (to_text(START + timedelta(days=366, seconds=1)), AHEAD),
        ("9999-12-31T23:59:59-14:00", "must be a time that exists in UTC"),
        ("0001-01-01T00:00:00+14:00", "must be a time that exists in UTC"),
    ],
)
def test_date_out_of_bounds_is_refused_and_named(field: str, instant: str, rule: str) -> None:
    parsed = parse_request(body(**{field: instant}), now=START)

    assert parsed == InvalidRequest(message_id="a-1", detail=f"{field}: {rule}")


@pytest.mark.parametrize("days", [-200, -1, 0, 366])
def test_send_at_within_bounds_is_accepted(days: int) -> None:
    parsed = parse_request(body(send_at=to_text(START + timedelta(days=days))), now=START)

    assert isinstance(parsed, SendRequest)
    assert parsed.send_at == START + timedelta(days=days)


def test_byte_order_mark_before_a_request_is_ignored() -> None:
    assert parse_request("\ufeff" + body(), now=START) == parse_request(body(), now=START)


@pytest.mark.parametrize(
    ("text", "message_id"),
    [
        ('{"message_id": "a-1", "content": ', "a-1"),
        ('\ufeff{"message_id": "a-1", "content": NaN}', "a-1"),
        ('{"message_id": "a-1", "content": "\\ud800"}', "a-1"),
        ('{"message_id": "a-1", "content": "\ud800"}', "a-1"),
        ('[{"message_id": "a-1"}]', "a-1"),
        ('{"message_id": "a-1", "text": ' + "[" * 100_000, "a-1"),
        ('{"message_id": "a-1"}{"message_id": "a-2"}', None),
        ('{"message_id": "-not an id-", "content": ', None),
        ('{"Message": "{\\"message_id\\": \\"a-1\\"}", "content": ', None),
        ('{"message_id": 4711}', None),
        ("not JSON at all", None),
        ("", None),
    ],
)
def test_message_id_is_found_in_a_body_that_is_not_a_request(text: str, message_id: str | None) -> None:
    parsed = parse_request(text, now=START)

    assert isinstance(parsed, InvalidRequest)
    assert parsed.message_id == message_id


@pytest.mark.parametrize(
    ("document", "parsed"),
    [
        (
            {"opt_in": "+6281234567810", "at": "2026-11-20T10:00:00+07:00"},
            OptInRequest(opt_in="+6281234567810", at=datetime(2026, 11, 20, 3, tzinfo=UTC)),
        ),
        ({"opt_out": "+6281234567810"}, OptOutRequest(opt_out="+6281234567810")),
        (
            {"opt_out": "+62081234567810"},
            InvalidRequest(message_id=None, detail="opt_out: must not have a 0 right after the country code"),
        ),
        (
            {"opt_in": "+6281234567810", "at": "yesterday"},
            InvalidRequest(message_id=None, detail="at: must be an RFC 3339 time with a zone"),
        ),
    ],
)
def test_consent_request_takes_the_time_of_the_wish(document: dict[str, Any], parsed: object) -> None:
    assert parse_request(json.dumps(document), now=START) == parsed
