"""The fields of callbacks: tolerant of every encoding, strict on the fields that decide, blind to the others."""

import sys
from types import FrameType
from typing import Any, Final

import pytest

from sampai.domain.http import BODY_LIMIT, MalformedWebhookError, WebhookRequest
from sampai.domain.webhook_fields import WebhookFields, read_fields
from tests.covers import covers

DECIDING: Final = ("id", "status")
OTHERS: Final = ("text", "date")


def read(request: WebhookRequest) -> dict[str, str]:
    return read_fields(request, WebhookFields(deciding=DECIDING, others=OTHERS))


def get(query: str) -> WebhookRequest:
    return WebhookRequest(method="GET", query=query)


def post(body: bytes, content_type: str = "", query: str = "") -> WebhookRequest:
    return WebhookRequest(method="POST", query=query, headers={"content-type": content_type}, body=body)


def in_parts(*parts: tuple[str, bytes], head: str = "", end: bytes = b"--x--\r\n") -> bytes:
    sections = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n{head}\r\n'.encode() + value + b"\r\n"
        for name, value in parts
    ]
    return b"".join([*sections, end])


FORM: Final = "application/x-www-form-urlencoded"
LATIN_1: Final = f"{FORM}; charset=ISO-8859-1"
JSON: Final = "application/json"
MARK: Final = b"\xef\xbb\xbf"
PARTS: Final = "multipart/form-data; boundary=x"

READ: Final[dict[str, tuple[WebhookRequest, dict[str, str]]]] = {
    # where the fields are
    "nothing": (get(""), {}),
    "query": (get("id=1&status=b"), {"id": "1", "status": "b"}),
    "form": (post(b"id=1&status=b", FORM), {"id": "1", "status": "b"}),
    "JSON": (post(b'{"id":"1","status":"b"}', JSON), {"id": "1", "status": "b"}),
    "several parts": (post(in_parts(("id", b"1"), ("status", b"b")), PARTS), {"id": "1", "status": "b"}),
    "query and form": (post(b"status=b", FORM, "id=1"), {"id": "1", "status": "b"}),
    "query and JSON that agree": (post(b'{"id":1,"status":"b"}', JSON, "id=1"), {"id": "1", "status": "b"}),
    "a body by GET": (WebhookRequest(method="GET", body=b"id=1"), {"id": "1"}),
    # a type that is wrong
    "a form that calls itself JSON": (post(b"id=1", JSON), {"id": "1"}),
    "JSON that calls itself a form": (post(b'{"id":"1"}', FORM), {"id": "1"}),
    "JSON that calls itself several parts": (post(b'{"id":"1"}', PARTS), {"id": "1"}),
    "a form that calls itself several parts": (post(b"id=1", PARTS), {"id": "1"}),
    "parts that call themselves a form": (post(in_parts(("id", b"1")), FORM), {"id": "1"}),
    "parts with another boundary than they say": (post(in_parts(("id", b"1")), PARTS + "y"), {"id": "1"}),
    "two types": (post(b'{"id":"1"}', f"{JSON},{FORM}"), {"id": "1"}),
    # white space and byte order marks
    "white space around a form": (post(b" \r\n id=1\r\n", FORM), {"id": "1"}),
    "a mark before a form": (post(MARK + b"id=1", FORM), {"id": "1"}),
    "a mark before JSON": (post(b"\n" + MARK + b'{"id":"1"}', JSON), {"id": "1"}),
    "a mark before parts": (post(MARK + in_parts(("id", b"1")), PARTS), {"id": "1"}),
    "a mark and space around a value": (get("id=%EF%BB%BF+1%0A"), {"id": "1"}),
    "UTF-16 JSON": (post('{"id":"1","text":"é"}'.encode("utf-16"), JSON), {"id": "1", "text": "é"}),
    "UTF-16 JSON without a mark": (post('{"id":"1","text":"é"}'.encode("utf-16-le"), JSON), {"id": "1", "text": "é"}),
    "space in another field stays": (get("text=+STOP%0D%0A"), {"text": " STOP\r\n"}),
    # charsets
    "UTF-8": (get("text=caf%C3%A9+%F0%9F%98%80"), {"text": "café 😀"}),
    "Latin-1 as declared": (post(b"text=caf%E9", LATIN_1), {"text": "café"}),
    "raw Latin-1 as declared": (post(b"text=caf\xe9", LATIN_1), {"text": "café"}),
    "Latin-1 JSON as declared": (post(b'{"text":"caf\xe9"}', "application/json;charset=latin1"), {"text": "café"}),
    "a part with its own charset": (
        post(in_parts(("text", b"caf\xe9"), head="Content-Type: text/plain; charset=ISO-8859-1\r\n"), PARTS),
        {"text": "café"},
    ),
    "parts with the charset of the header": (
        post(in_parts(("text", b"caf\xe9")), f"{PARTS}; charset=windows-1252"),
        {"text": "café"},
    ),
    "bytes that do not fit": (post(b"text=caf%E9", FORM), {"text": "caf\ufffd"}),
    "UTF-8 under another charset": (post("text=မင်".encode(), f"{FORM}; charset=big5"), {"text": "မင်"}),
    "a charset that is no charset": (post(b"text=caf%E9", f"{FORM}; charset=rot13"), {"text": "caf\ufffd"}),
    "a charset of another planet": (post(b"text=a", f"{FORM}; charset=iso-8859-99"), {"text": "a"}),
    "NUL in another field": (get("text=a%00b"), {"text": "a\ufffdb"}),
    "half of a surrogate pair": (post(b'{"text":"\\ud83d"}', JSON), {"text": "\ufffd"}),
    "a line break in JSON that is not escaped": (post(b'{"text":"a\nb"}', JSON), {"text": "a\nb"}),
    # JSON values
    "numbers": (post(b'{"id":80123,"date":-1.50,"text":0}', JSON), {"id": "80123", "date": "-1.50", "text": "0"}),
    "a number of 20 digits": (post(b'{"id":12345678901234567890}', JSON), {"id": "12345678901234567890"}),
    "Booleans": (post(b'{"id":true,"text":false}', JSON), {"id": "true", "text": "false"}),
    "null and empty containers": (post(b'{"id":null,"status":[],"text":{}}', JSON), {}),
    "an object as a text": (post(b'{"text":{"body":"STOP"}}', JSON), {"text": '{"body": "STOP"}'}),
    "a list of one": (post(b'[{"id":"1"}]', JSON), {"id": "1"}),
    "under a key": (post(b'{"ok":true,"data":{"id":"1"}}', JSON), {"id": "1"}),
    "a list under a key": (post(b'{"messages":[{"id":"1"}],"limit":20}', JSON), {"id": "1"}),
    "an object beside its own fields": (post(b'{"id":"1","message":{"id":"2"}}', JSON), {"id": "1"}),
    "a list of two": (post(b'[{"id":"1"},{"id":"2"}]', JSON), {}),
    "a list of nothing": (post(b"[[[]]]", JSON), {}),
    # fields that come twice
    "the same twice": (get("id=1&id=1"), {"id": "1"}),
    "the same twice but for space": (get("id=1&id=+1"), {"id": "1"}),
    "the first text counts": (post(b"text=START", FORM, "text=STOP"), {"text": "STOP"}),
    "the first text that is not empty counts": (get("text=&text=STOP"), {"text": "STOP"}),
    # fields that nobody reads
    "unread fields, twice": (get("x=1&id=1&x=2"), {"id": "1"}),
    "unread fields in JSON, twice": (post(b'{"x":1,"id":"1","x":{"id":[{"id":2}]}}', JSON), {"id": "1"}),
    "unread bytes": (post(b"%FF=%00&x=\xff\xfe&id=1&\x00=&=", FORM), {"id": "1"}),
    "unread bytes in JSON": (post(b'{"x":"\xff","id":"1"}', JSON), {"id": "1"}),
    "unread digits": (post(b'{"x":' + b"9" * 5_000 + b',"id":"1"}', JSON), {"id": "1"}),
    "unread constants": (post(b'{"x":NaN,"y":1e999,"id":"1"}', JSON), {"id": "1"}),
    "an unread file": (post(in_parts(("x", bytes(range(256))), ("id", b"1")), PARTS), {"id": "1"}),
    "20,000 fields": (post(b"x=&" * 20_000 + b"id=1", FORM), {"id": "1"}),
    "a broken escape": (get("x=%zz&id=1&text=100%"), {"id": "1", "text": "100%"}),
    # parts
    "a part of several lines": (post(in_parts(("text", b"a\r\n\n--\rb ")), PARTS), {"text": "a\r\n\n--\rb "}),
    "parts with line feeds only": (post(in_parts(("id", b"1")).replace(b"\r\n", b"\n"), PARTS), {"id": "1"}),
    "parts without an end": (post(in_parts(("id", b"1"), end=b""), PARTS), {"id": "1"}),
    "a part in base64": (
        post(in_parts(("text", b"U1RPUA=="), head="Content-Transfer-Encoding: base64\r\n"), PARTS),
        {"text": "STOP"},
    ),
    "a name without quotation marks": (
        post(b"--x\ncontent-disposition: form-data; Name=id\n\n1\n--x--", PARTS),
        {"id": "1"},
    ),
    "parts without names": (post(b"--x\r\n\r\n1\r\n--x\r\nA: b\r\n\r\n2\r\n--x--", PARTS), {}),
    "no parts": (post(b"--", PARTS), {}),
}

MALFORMED: Final[dict[str, WebhookRequest]] = {
    "two values in the query": get("id=1&id=2"),
    "a value and nothing": get("id=1&id="),
    "query against form": post(b"status=b", FORM, "status=a"),
    "query against JSON": post(b'{"status":"b"}', JSON, "status=a"),
    "query against parts": post(in_parts(("status", b"b")), PARTS, "status=a"),
    "two values in JSON": post(b'{"id":"1","id":"2"}', JSON),
    "two values in parts": post(in_parts(("id", b"1"), ("id", b"2")), PARTS),
    "an object that decides": post(b'{"id":{"id":"1"}}', JSON),
    "a list that decides": post(b'{"id":["1"]}', JSON),
    "half of JSON": post(b'{"id":"1"', JSON),
    "JSON twice": post(b'{"id":"1"}{"id":"1"}', JSON),
    "deep objects": post(b'{"a":' * 10_000, JSON),
    "deep lists": post(b"[" * 60_000, JSON),
    "parts in parts": post(
        b"".join(
            b"--%d\r\nContent-Type: multipart/mixed; boundary=%d\r\n\r\n" % (number, number + 1)
            for number in range(1_000)
        ),
        PARTS,
    ),
}


@covers("W8")
@pytest.mark.parametrize(("request_", "fields"), READ.values(), ids=READ)
def test_fields_are_read_in_every_encoding(request_: WebhookRequest, fields: dict[str, str]) -> None:
    assert read(request_) == fields


@pytest.mark.parametrize(
    "charset",
    [
        *("UTF-8", "utf8", "latin1", "Latin-1", "ISO_8859-1", "TIS-620", "gb2312", "GBK", "gb18030", "Big5"),
        *(f"iso-8859-{number}" for number in range(1, 18)),
        *(f"{family}{number}" for family in ("windows-", "CP") for number in range(1250, 1260)),
    ],
)
def test_every_charset_is_one_that_python_knows_or_utf_8(charset: str) -> None:
    assert read(post(b"text=a", f'{FORM}; Charset="{charset}"')) == {"text": "a"}


@covers("W8")
@pytest.mark.parametrize("request_", MALFORMED.values(), ids=MALFORMED)
def test_a_callback_without_one_value_for_a_deciding_field_is_malformed(request_: WebhookRequest) -> None:
    with pytest.raises(MalformedWebhookError):
        read(request_)


def test_the_error_names_the_field_and_not_its_value() -> None:
    with pytest.raises(MalformedWebhookError, match=r"^status: not one value$"):
        read(get("status=secret&status=other"))


HEAVY: Final = {
    "pairs": b"&",
    "escapes": b"%41",
    "objects": b'{"a":1},',
    "parts": b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n',
    "empty parts": b"--x\r\n",
    "parameters": b";a=b",
    "quotation marks": b'";"',
}
BEFORE: Final = {
    "objects": b'{"x":[',
    "parameters": b"--x\r\nContent-Disposition: form-data",
    "quotation marks": b'--x\r\nContent-Disposition: form-data; name="',
}


@covers("I10")
@pytest.mark.parametrize("shape", HEAVY)
def test_a_body_at_the_limit_costs_a_bounded_number_of_calls(shape: str) -> None:
    """The limit is 12 calls for each byte; the slowest parser of the standard library's would need 10,000."""
    head, piece = BEFORE.get(shape, b""), HEAVY[shape]
    body = (head + piece * (BODY_LIMIT // len(piece)))[:BODY_LIMIT]

    assert count_calls(post(body)) <= 12 * BODY_LIMIT


def count_calls(request: WebhookRequest) -> int:
    calls = 0

    def counted(frame: FrameType, event: str, arg: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        read(request)
    except MalformedWebhookError:
        pass
    finally:
        sys.setprofile(before)
    return calls
