"""The parts that all providers share: requests, answers, callbacks, and refusals by HTTP status."""

from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from sampai.adapters.api_gateway import parse_request
from sampai.domain.failure import Failure, Reason
from sampai.domain.http import BODY_LIMIT, HttpRequest, HttpResponse, WebhookRequest
from sampai.domain.message import Channel, Message, Text
from sampai.domain.outcome import FailureScope, NotTaken, Outcome, Unknown
from sampai.domain.status import Status
from sampai.providers.base import Capabilities, Provider, ProviderConfig
from sampai.providers.responses import parse_id, refused_by_status, retry_after_seconds
from tests.covers import covers

ANSWERED_AT = "Sat, 21 Nov 2026 10:00:00 GMT"
T0 = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


# --- Retry-After ------------------------------------------------------------------------------------------------------


@covers("V3", "Q7")
@pytest.mark.parametrize(
    ("wish", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 1.0),
        ("3600", 3600.0),
        ("3601", 3600.0),
        ("999999999", 3600.0),
        ("-5", None),
        ("1.5", None),
        ("1e3", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        ("²", None),
        ("Sat, 21 Nov 2026 10:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 17:00:30 +0700", 30.0),
        ("Sat, 21 Nov 2026 10:00:00 GMT", 1.0),
        ("Fri, 20 Nov 2026 10:00:00 GMT", 1.0),
        ("Sat, 21 Nov 9998 10:00:00 GMT", 3600.0),
        ("Sat, 21 Nov 2026 10:00:30 -0000", None),
        ("Sat, 99 Nov 2026 10:00:30 GMT", None),
        ("Sat, 21 Nov 2026 10:00:30 +99999999999999", None),
    ],
)
def test_retry_after_is_read_and_bounded(wish: str, seconds: float | None) -> None:
    response = HttpResponse(status=429, headers={"retry-after": wish, "date": ANSWERED_AT})

    assert retry_after_seconds(response) == seconds


@pytest.mark.parametrize("headers", [{}, {"date": "yesterday"}, {"date": ""}])
def test_retry_after_date_needs_the_date_of_the_answer(headers: dict[str, str]) -> None:
    wish = {"retry-after": "Sat, 21 Nov 2026 10:00:30 GMT"}

    assert retry_after_seconds(HttpResponse(status=429, headers=wish | headers)) is None


def test_answer_without_the_header_has_no_retry_after() -> None:
    assert retry_after_seconds(HttpResponse(status=429, headers={"date": ANSWERED_AT})) is None


# --- outcomes by HTTP status ------------------------------------------------------------------------------------------

OUT_OF_ORDER = NotTaken(reason=Reason.AUTHENTICATION, is_final=False, scope=FailureScope.PROVIDER, provider_code="401")
THROTTLED = NotTaken(reason=Reason.RATE_LIMITED, is_final=False, provider_code="429", retry_after_seconds=7.0)


@covers("V3")
@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (401, OUT_OF_ORDER),
        (429, THROTTLED),
        *[(status, Unknown(why=f"HTTP {status}")) for status in (100, 199, 300, 302, 399, 408, 500, 502, 503, 599)],
        *[(status, None) for status in (200, 201, 204, 299, 400, 403, 404, 410, 413, 422)],
    ],
)
def test_outcome_of_a_send_follows_from_the_http_status(status: int, outcome: Outcome | None) -> None:
    assert refused_by_status(HttpResponse(status=status, headers={"retry-after": "7"})) == outcome


# --- a vendor's id ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["26", "609681630f78b", "A B", "х", "9" * 200])
def test_valid_id_is_kept_unchanged(value: str) -> None:
    assert parse_id(value) == value


def test_number_is_the_id_of_its_digits() -> None:
    assert parse_id(26) == "26"


@covers("V5")
@pytest.mark.parametrize(
    "value", [None, 2.6, 10**200, True, ["26"], {"id": "26"}, "", " ", "2\n6", "2\x006", "\ud800", "9" * 201]
)
def test_any_other_value_is_no_id(value: object) -> None:
    assert parse_id(value) is None


# --- a provider's own refusals ----------------------------------------------------------------------------------------


class Toy(Provider):
    name = "toy"
    capabilities: ClassVar[Capabilities] = Capabilities(
        channel=Channel.SMS,
        countries=frozenset(),
        credentials=frozenset(),
        max_characters=5,
        options={"loud": bool, "times": int},
    )
    default_base_url = "https://toy.example"

    def build_send(self, message: Message) -> HttpRequest:
        return HttpRequest.post_json(self.config.base_url, {}, headers={})

    def parse_send(self, response: HttpResponse) -> Outcome:
        return Unknown(why="toy")


class SilentToy(Toy):
    needs_sender = False


ACCOUNT = ProviderConfig(base_url="https://toy.example", credentials={}, sender="toys")
MESSAGE = Message(
    message_id="m-1",
    status=Status.QUEUED,
    recipient="+85591234511",
    content=Text(text="12345"),
    created_at=T0,
    updated_at=T0,
    occurred_at=T0,
)


def test_message_within_the_declared_limits_is_accepted() -> None:
    message = replace(MESSAGE, provider_options={"toy": {"loud": True}, "other": {"x": 1}})

    assert Toy(ACCOUNT).validate(message) is None


@pytest.mark.parametrize(
    ("changes", "failure"),
    [
        (
            {"provider_options": {"toy": {"quiet": True}}},
            Failure(reason=Reason.UNSUPPORTED, detail="provider_options.toy.quiet: option not offered"),
        ),
        (
            {"provider_options": {"toy": {"loud": "yes"}}},
            Failure(reason=Reason.INVALID_REQUEST, detail="provider_options.toy.loud: wrong type"),
        ),
        (
            {"content": Text(text="123456")},
            Failure(reason=Reason.TOO_LONG, detail="content.text: toy takes 5 characters"),
        ),
    ],
)
def test_message_outside_the_declared_limits_is_refused(changes: dict[str, Any], failure: Failure) -> None:
    assert Toy(ACCOUNT).validate(replace(MESSAGE, **changes)) == failure


def test_sender_of_the_message_overrides_the_sender_of_the_account() -> None:
    provider = Toy(ACCOUNT)

    assert provider.sender_of(MESSAGE) == "toys"
    assert provider.sender_of(replace(MESSAGE, sender="mine")) == "mine"


def test_a_message_without_any_sender_is_refused_where_the_vendor_needs_one() -> None:
    nobody = replace(ACCOUNT, sender=None)

    assert Toy(nobody).validate(MESSAGE) == Failure(
        reason=Reason.INVALID_SENDER, detail="sender: none given and none in the settings"
    )
    assert SilentToy(nobody).validate(MESSAGE) is None


def test_final_message_has_no_text_to_send() -> None:
    with pytest.raises(ValueError, match="no text"):
        Toy(ACCOUNT).text_of(replace(MESSAGE, content=None))


def test_repr_of_an_account_shows_neither_credentials_nor_the_receipt_address() -> None:
    account = ProviderConfig(
        base_url="https://toy.example",
        credentials={"api_key": "not-a-real-key"},
        receipt_url="https://ours.example/webhooks/toy/receipt/not-a-real-token",
    )

    assert "not-a-real" not in repr(account)


# --- requests and answers ---------------------------------------------------------------------------------------------


def test_get_has_its_query_in_the_url() -> None:
    request = HttpRequest.get("https://v.example/a", query={"a[b]": "1 ü&"}, headers={"X": "1"}, response_limit=9)

    assert request == HttpRequest(
        method="GET", url="https://v.example/a?a%5Bb%5D=1+%C3%BC%26", headers={"X": "1"}, response_limit=9
    )


def test_get_without_a_query_has_a_plain_url() -> None:
    assert HttpRequest.get("https://v.example/a", headers={}) == HttpRequest(
        method="GET", url="https://v.example/a", response_limit=BODY_LIMIT
    )


def test_a_json_post_is_utf_8_and_compact() -> None:
    assert HttpRequest.post_json("https://v.example", {"a": "ü", "b": [1, None]}, headers={"X": "1"}) == HttpRequest(
        method="POST",
        url="https://v.example",
        headers={"X": "1", "Content-Type": "application/json"},
        body='{"a":"ü","b":[1,null]}'.encode(),
    )


def test_a_form_post_is_urlencoded() -> None:
    assert HttpRequest.post_form("https://v.example", {"a": "1 ü&"}, headers={"X": "1"}) == HttpRequest(
        method="POST",
        url="https://v.example",
        headers={"X": "1", "Content-Type": "application/x-www-form-urlencoded"},
        body=b"a=1+%C3%BC%26",
    )


def test_request_has_a_host() -> None:
    assert HttpRequest.get("https://v.example:8443/a?b", headers={}).host == "v.example:8443"


def test_repr_of_a_request_shows_only_its_method() -> None:
    request = HttpRequest(
        method="POST",
        url="https://secret-host.example/secret-path?q=secret-query",
        headers={"Authorization": "secret-header"},
        body=b"secret-body",
    )

    assert repr(request) == f"HttpRequest(method='POST', response_limit={BODY_LIMIT})"


def test_repr_of_an_answer_or_callback_shows_no_content() -> None:
    response = HttpResponse(status=200, body=b"secret-body")
    request = WebhookRequest(method="GET", query="q=secret-query", headers={"x": "secret-header"}, body=b"secret-body")

    assert "secret" not in repr(response)
    assert repr(request) == "WebhookRequest(method='GET')"


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"{", b"\xff", b"\xef\xbb\xbf", b"[" * 100_000, b"9" * 5_000],
    ids=["nothing", "a page", "half", "not UTF-8", "only a byte order mark", "deep nesting", "a huge number"],
)
def test_answer_that_is_not_json_raises_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any ValueError is the contract
        HttpResponse(status=200, body=body).json()


@pytest.mark.parametrize(
    "body",
    [
        b'\xef\xbb\xbf{"id": "7", "text": "caf\xc3\xa9"}',
        '{"id": "7", "text": "café"}'.encode("utf-16"),
        '\ufeff{"id": "7", "text": "café"}'.encode("utf-16-be"),
        b'{"id": "7", "text": "caf\xc3\xa9"}\r\n',
    ],
    ids=["a byte order mark", "UTF-16", "UTF-16, big-endian", "UTF-8"],
)
def test_encoding_of_an_answer_is_found(body: bytes) -> None:
    assert HttpResponse(status=200, body=body).json() == {"id": "7", "text": "café"}


def test_byte_that_is_not_utf_8_hides_no_other_field() -> None:
    assert HttpResponse(status=200, body=b'{"id": "7", "text": "caf\xe9"}').json() == {"id": "7", "text": "caf\ufffd"}


# --- callbacks --------------------------------------------------------------------------------------------------------


def event(**changes: Any) -> dict[str, Any]:
    return {
        "requestContext": {"http": {"method": "POST"}},
        "rawQueryString": "a=1",
        "headers": {"Content-Type": "text/plain"},
        "body": "b=2",
        "isBase64Encoded": False,
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "request_"),
    [
        ({}, WebhookRequest(method="POST", query="a=1", headers={"content-type": "text/plain"}, body=b"b=2")),
        (
            {"body": b64encode(b"b=\xff").decode(), "isBase64Encoded": True},
            WebhookRequest(method="POST", query="a=1", headers={"content-type": "text/plain"}, body=b"b=\xff"),
        ),
        ({"body": None, "headers": None, "rawQueryString": None}, WebhookRequest(method="POST")),
    ],
    ids=["plain", "base64", "nothing"],
)
def test_event_of_api_gateway_becomes_a_callback(changes: dict[str, Any], request_: WebhookRequest) -> None:
    assert parse_request(event(**changes)) == request_


@pytest.mark.parametrize("body", ["%%%", "YWJ", "ü"])
def test_an_event_with_broken_base64_is_malformed(body: str) -> None:
    assert parse_request(event(body=body, isBase64Encoded=True)) is None
