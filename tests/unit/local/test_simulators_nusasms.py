"""The simulator of NusaSMS beyond plain SMS: groups, WhatsApp, WhatsApp Official, inbound messages, the account."""

import base64
import hashlib
import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from local.simulators.ledger import text_sha256
from local.simulators.server import Simulators
from local.simulators.settings import Settings
from sampai.domain.webhook_token import webhook_token
from tests.unit.local.test_simulators import (
    BROKEN,
    FAST,
    FORM,
    FROZEN,
    HTTP_FAULTS,
    JSON,
    NUSASMS_AUTH,
    PLAIN_NUMBERS,
    TEXT,
    Answer,
    Receiver,
    call,
    ledger,
    until,
    written,
)

API = "/nusasms/nusasms_api/1.0"
KEY = {"APIKey": "local-api-key"}
NUMBER = "62812345678"
GATEWAY = "6281100000090"
CHANNEL = "c0000000-0000-4000-8000-000000000001"
TEMPLATE = "7e000000-0000-4000-8000-00000000000{}"
ONE_PARAMETER, DOCUMENT, PENDING, NO_PARAMETER = (TEMPLATE.format(number) for number in (1, 2, 3, 4))
UNKNOWN_ID = "99999999-9999-4999-8999-999999999999"
# All pairs of bytes and line ends that a wrong multipart parser would change.
FILE = bytes(range(256)) * 4 + b"\r\n\n\r--b\r\n\r"
GROUPS = tuple(f"Example{number:02d}" for number in range(100))
LAYOUT = "%Y-%m-%d %H:%M:%S"


def post_json(simulators: Simulators, path: str, fields: Any, timeout: float = 5) -> Answer:
    return call(simulators, "POST", API + path, headers={**JSON, **KEY}, body=written(fields), timeout=timeout)


def send_message(simulators: Simulators, recipient: str, timeout: float = 5, **changes: Any) -> Answer:
    fields = {"destination": recipient, "message": TEXT, **changes}
    return post_json(simulators, "/whatsapp/message", fields, timeout)


def send_media(simulators: Simulators, recipient: str, timeout: float = 5, **changes: Any) -> Answer:
    fields = {"destination": recipient, "caption": TEXT, "media_url": "https://files.example/a.png", **changes}
    return post_json(simulators, "/whatsapp/media", fields, timeout)


def send_broadcast(simulators: Simulators, recipient: str, timeout: float = 5, **changes: Any) -> Answer:
    fields = {
        "destination": recipient,
        "destination_name": "Ibu Sari",
        "template_id": ONE_PARAMETER,
        "channel_id": CHANNEL,
        "parameters": {"body": [{"key": "1", "value": "code", "value_text": TEXT}]},
        **changes,
    }
    return post_json(simulators, "/wa_official/message/broadcast", fields, timeout)


def send_reply(simulators: Simulators, recipient: str, timeout: float = 5, **changes: Any) -> Answer:
    """Reply in the room of a number that has written before."""
    room_id = record_conversation(simulators, recipient)
    fields = {"room_id": room_id, "text": TEXT, **changes}
    body = urlencode({name: value for name, value in fields.items() if value is not None}).encode()
    path = f"{API}/wa_official/message/reply"
    return call(simulators, "POST", path, headers={**FORM, **KEY}, body=body, timeout=timeout)


def send_to_group(simulators: Simulators, name: str, timeout: float = 5, **changes: Any) -> Answer:
    fields = {**NUSASMS_AUTH, "SMSText": TEXT, "group": name, **changes}
    body = urlencode({name: value for name, value in fields.items() if value is not None}).encode()
    path = "/nusasms/api/v3/sendsms/group"
    return call(simulators, "POST", path, headers=FORM, body=body, timeout=timeout)


def write_in(simulators: Simulators, kind: str, sender: str, **changes: Any) -> Answer:
    """Send an inbound message."""
    fields = {"vendor": "nusasms", "kind": kind, "sender": sender, "text": "Halo", **changes}
    return call(simulators, "POST", "/_inbound", body=written(fields))


def record_conversation(simulators: Simulators, sender: str, **changes: Any) -> str:
    answer = write_in(simulators, "whatsapp-official-inbox", sender, **changes)
    room_id: str = answer.document["fields"]["room_id"]
    return room_id


def wib(**ago: float) -> str:
    """Return a moment of the past as NusaSMS writes it."""
    return (datetime.now(UTC) - timedelta(**ago) + timedelta(hours=7)).strftime(LAYOUT)


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulators]:
    with Simulators(settings=FAST) as simulators:
        yield simulators


def reset(simulators: Simulators, settings: Settings) -> Simulators:
    """Reset, with an address without a server."""
    settings = replace(settings, webhook_base="http://127.0.0.1:9", nusasms_groups=GROUPS)
    call(simulators, "POST", "/_reset")
    call(simulators, "POST", "/_config", body=json.dumps(settings.shown()).encode())
    return simulators


@pytest.fixture
def fast(shared: Simulators) -> Simulators:
    return reset(shared, FAST)


@pytest.fixture
def frozen(shared: Simulators) -> Simulators:
    return reset(shared, FROZEN)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def wired(receiver: Receiver) -> Iterator[Simulators]:
    """Simulators of a single test: late receipts must not reach the receiver of the next test."""
    settings = replace(FAST, webhook_base=receiver.url, sent_seconds=0.05, final_seconds=0.35, nusasms_groups=GROUPS)
    with Simulators(settings=settings) as simulators:
        yield simulators


@dataclass(frozen=True)
class Stand:
    """One operation for the tests of magic numbers."""

    send: Callable[..., Answer]
    recipient: str
    entry: Mapping[str, str]
    refusals: Mapping[str, tuple[int, str]]
    success: int = 201
    id_shape: str = "[0-9]{18}"


JSON_REFUSALS = {
    "20": (429, "Too Many Requests"),
    "21": (422, "Invalid destination format"),
    "24": (400, "Insufficient WA credit"),
}
OFFICIAL_ID = "[A-Z]{4}[0-9]{20}"
STANDS = {
    "message": Stand(send_message, NUMBER, {"channel": "whatsapp", "operation": "send"}, JSON_REFUSALS),
    "media": Stand(send_media, NUMBER, {"channel": "whatsapp", "operation": "media"}, JSON_REFUSALS),
    "broadcast": Stand(
        send_broadcast,
        NUMBER,
        {"channel": "whatsapp_official", "operation": "broadcast"},
        JSON_REFUSALS,
        id_shape=OFFICIAL_ID,
    ),
    "reply": Stand(
        send_reply,
        NUMBER,
        {"channel": "whatsapp_official", "operation": "reply"},
        JSON_REFUSALS,
        id_shape=OFFICIAL_ID,
    ),
    "group": Stand(
        send_to_group,
        "Example",
        {"channel": "sms", "operation": "group"},
        {"20": (429, "Too Many Requests"), "21": (200, '"-55"'), "24": (200, '"-2"')},
        success=200,
        id_shape="Group-Api-Campaign-[0-9a-f]{7}-[0-9]+",
    ),
}


# --- magic numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STANDS)
@pytest.mark.parametrize("digits", PLAIN_NUMBERS)
def test_number_without_a_fault_is_accepted(fast: Simulators, name: str, digits: str) -> None:
    stand = STANDS[name]

    answer = stand.send(fast, stand.recipient + digits)

    assert answer.status == stand.success
    (entry,) = ledger(fast, "nusasms")
    assert re.fullmatch(stand.id_shape, entry["provider_message_id"])
    assert entry["provider_message_id"].encode() in answer.body
    expected = {**stand.entry, "recipient": stand.recipient + digits, "text_sha256": text_sha256(TEXT)}
    assert expected.items() <= entry.items()


@pytest.mark.parametrize("name", STANDS)
@pytest.mark.parametrize(("digits", "expected"), HTTP_FAULTS.items())
def test_server_error_or_page_hides_whether_the_message_was_accepted(
    fast: Simulators, name: str, digits: str, expected: tuple[int, bool]
) -> None:
    stand, (status, is_taken) = STANDS[name], expected

    answer = stand.send(fast, stand.recipient + digits)

    assert (answer.status, len(ledger(fast, "nusasms"))) == (status, int(is_taken))
    assert (b"Internal Server Error" if status == 500 else b"<!DOCTYPE html>") in answer.body


@pytest.mark.parametrize("name", STANDS)
@pytest.mark.parametrize(("digits", "error"), BROKEN.items())
def test_broken_connection_hides_whether_the_message_was_accepted(
    fast: Simulators, name: str, digits: str, error: type[Exception]
) -> None:
    stand = STANDS[name]

    with pytest.raises(error):
        stand.send(fast, stand.recipient + digits, timeout=0.2)

    assert len(ledger(fast, "nusasms")) == (0 if digits == "17" else 1)


@pytest.mark.parametrize("name", STANDS)
@pytest.mark.parametrize("digits", ["20", "21", "24"])
def test_refusal_has_the_words_of_the_vendor_and_accepts_nothing(fast: Simulators, name: str, digits: str) -> None:
    stand = STANDS[name]

    answer = stand.send(fast, stand.recipient + digits)

    status, words = stand.refusals[digits]
    assert (answer.status, ledger(fast, "nusasms")) == (status, [])
    assert words.encode() in answer.body


@pytest.mark.parametrize("name", STANDS)
def test_throttled_number_gets_retry_after_and_is_accepted_the_second_time(fast: Simulators, name: str) -> None:
    stand = STANDS[name]

    first, second = (stand.send(fast, stand.recipient + "20") for _ in range(2))

    assert (first.headers["Retry-After"], second.status) == ("2", stand.success)
    assert len(ledger(fast, "nusasms")) == 1


@pytest.mark.parametrize("name", ["message", "media", "broadcast", "reply"])
@pytest.mark.parametrize(
    ("digits", "end"), [("10", "delivered"), ("11", "undelivered"), ("12", "accepted"), ("27", "read")]
)
def test_message_reaches_the_end_of_its_magic_number(fast: Simulators, name: str, digits: str, end: str) -> None:
    STANDS[name].send(fast, NUMBER + digits)

    assert until(lambda: ledger(fast, "nusasms")[0]["status"] == end)


# --- invalid bodies ---------------------------------------------------------------------------------------------------

MESSAGE = {"destination": NUMBER + "10", "message": TEXT}
MEDIA = {"destination": NUMBER + "10", "media_url": "https://files.example/a.png"}
BODY_PARAMETER = {"key": "1", "value": "code", "value_text": "1234"}
BROADCAST = {
    "destination": NUMBER + "10",
    "destination_name": "Ibu Sari",
    "template_id": ONE_PARAMETER,
    "channel_id": CHANNEL,
    "parameters": {"body": [BODY_PARAMETER]},
}
BODIES: dict[str, dict[str, Any]] = {
    "/whatsapp/message": MESSAGE,
    "/whatsapp/media": MEDIA,
    "/wa_official/message/broadcast": BROADCAST,
}
MISSING, EXTRA, TEXT_TYPE = "value_error.missing", "value_error.extra", "type_error.str"

UNFIT: list[tuple[str, dict[str, Any], str, list[str | int]]] = [
    ("/whatsapp/message", {"destination": None}, MISSING, ["destination"]),
    ("/whatsapp/message", {"message": None}, MISSING, ["message"]),
    ("/whatsapp/message", {"message": ""}, "value_error.any_str.min_length", ["message"]),
    ("/whatsapp/message", {"message": 1}, TEXT_TYPE, ["message"]),
    ("/whatsapp/message", {"text": TEXT}, EXTRA, ["text"]),
    ("/whatsapp/message", {"caption": TEXT}, EXTRA, ["caption"]),
    ("/whatsapp/message", {"destination": f"+{NUMBER}10"}, "value_error", ["destination"]),
    ("/whatsapp/message", {"destination": "081234567810"}, "value_error", ["destination"]),
    ("/whatsapp/message", {"destination": "", "is_group": True}, "value_error", ["destination"]),
    ("/whatsapp/message", {"timeout": "86400"}, "type_error.integer", ["timeout"]),
    ("/whatsapp/message", {"timeout": True}, "type_error.integer", ["timeout"]),
    ("/whatsapp/message", {"channel": 0.5}, "type_error.integer", ["channel"]),
    ("/whatsapp/message", {"queue": 1}, TEXT_TYPE, ["queue"]),
    ("/whatsapp/message", {"is_group": 1}, "type_error.bool", ["is_group"]),
    ("/whatsapp/message", {"include_unsubscribe": "true"}, "type_error.bool", ["include_unsubscribe"]),
    ("/whatsapp/media", {"media_url": None}, "value_error", ["__root__"]),
    ("/whatsapp/media", {"media_base64": "eA==", "file_name": "a.png"}, "value_error", ["__root__"]),
    ("/whatsapp/media", {"media_url": None, "media_base64": "eA=="}, "value_error", ["__root__"]),
    ("/whatsapp/media", {"media_url": None, "media_base64": "x", "file_name": "a"}, "value_error", ["media_base64"]),
    ("/whatsapp/media", {"media_url": "ftp://files.example/a.png"}, "value_error.url.scheme", ["media_url"]),
    ("/whatsapp/media", {"media_url": "https:///a.png"}, "value_error.url.host", ["media_url"]),
    ("/whatsapp/media", {"message": TEXT}, EXTRA, ["message"]),
    ("/wa_official/message/broadcast", {"destination_name": None}, MISSING, ["destination_name"]),
    ("/wa_official/message/broadcast", {"template_id": None}, MISSING, ["template_id"]),
    ("/wa_official/message/broadcast", {"template_id": "otp_code"}, "type_error.uuid", ["template_id"]),
    ("/wa_official/message/broadcast", {"channel_id": None}, MISSING, ["channel_id"]),
    ("/wa_official/message/broadcast", {"channel_id": str(uuid.NAMESPACE_DNS)}, "type_error.uuid", ["channel_id"]),
    ("/wa_official/message/broadcast", {"destination": f"+{NUMBER}10"}, "value_error", ["destination"]),
    ("/wa_official/message/broadcast", {"parameters": ["1"]}, "type_error.dict", ["parameters"]),
    ("/wa_official/message/broadcast", {"parameters": {"footer": []}}, EXTRA, ["parameters", "footer"]),
    ("/wa_official/message/broadcast", {"parameters": {"body": {}}}, "type_error.list", ["parameters", "body"]),
    ("/wa_official/message/broadcast", {"parameters": {"header": []}}, "type_error.dict", ["parameters", "header"]),
    (
        "/wa_official/message/broadcast",
        {"parameters": {"body": [{"key": "1", "value": "code"}]}},
        MISSING,
        ["parameters", "body", 0, "value_text"],
    ),
    (
        "/wa_official/message/broadcast",
        {"parameters": {"body": [BODY_PARAMETER, {**BODY_PARAMETER, "key": 1.0}]}},
        TEXT_TYPE,
        ["parameters", "body", 1, "key"],
    ),
    (
        "/wa_official/message/broadcast",
        {"parameters": {"header": {"format": "DOCUMENT"}}},
        MISSING,
        ["parameters", "header", "params"],
    ),
    (
        "/wa_official/message/broadcast",
        {"parameters": {"buttons": [{"index": 0, "type": "url", "value": "/a"}]}},
        TEXT_TYPE,
        ["parameters", "buttons", 0, "index"],
    ),
]


@pytest.mark.parametrize(("path", "changes", "kind", "where"), UNFIT)
def test_invalid_body_is_refused_with_the_name_of_its_field(
    frozen: Simulators, path: str, changes: dict[str, Any], kind: str, where: list[str | int]
) -> None:
    answer = post_json(frozen, path, BODIES[path] | changes)

    (problem,) = answer.document["detail"]
    assert (answer.status, problem["loc"], problem["type"]) == (422, ["body", *where], kind)
    assert problem.keys() == {"loc", "msg", "type"}
    assert ledger(frozen, "nusasms") == []


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    ("headers", "body", "kind", "where"),
    [
        (FORM, b"destination=1", "type_error.dict", []),
        (JSON, b"[]", "type_error.dict", []),
        (JSON, b"{]", "value_error.jsondecode", [1]),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(
    frozen: Simulators, path: str, headers: Mapping[str, str], body: bytes, kind: str, where: list[int]
) -> None:
    answer = call(frozen, "POST", API + path, headers={**headers, **KEY}, body=body)

    (problem,) = answer.document["detail"]
    assert (answer.status, problem["loc"], problem["type"]) == (422, ["body", *where], kind)


# --- refusals of valid bodies -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "changes", "words"),
    [
        ("/whatsapp/message", {"sender": "6281100000091"}, "Invalid WA Sender"),
        (
            "/whatsapp/media",
            {"media_url": None, "file_name": "a", "media_base64": base64.b64encode(bytes(524289)).decode()},
            "File exceed limits (max 512 KB)",
        ),
        ("/wa_official/message/broadcast", {"channel_id": UNKNOWN_ID}, "Channel not found"),
        ("/wa_official/message/broadcast", {"template_id": UNKNOWN_ID}, "Template not found"),
        ("/wa_official/message/broadcast", {"template_id": PENDING}, "Template is not approved"),
        ("/wa_official/message/broadcast", {"parameters": None}, "Parameters do not match the template"),
        ("/wa_official/message/broadcast", {"template_id": NO_PARAMETER}, "Parameters do not match the template"),
        ("/wa_official/message/broadcast", {"template_id": DOCUMENT}, "Parameters do not match the template"),
        (
            "/wa_official/message/broadcast",
            {"parameters": {"body": [{**BODY_PARAMETER, "key": "2"}]}},
            "Parameters do not match the template",
        ),
        (
            "/wa_official/message/broadcast",
            {"parameters": {"body": [BODY_PARAMETER], "header": {"format": "DOCUMENT", "params": []}}},
            "Parameters do not match the template",
        ),
        (
            "/wa_official/message/broadcast",
            {"parameters": {"body": [BODY_PARAMETER], "buttons": [{"index": "0", "type": "url", "value": "/a"}]}},
            "Parameters do not match the template",
        ),
    ],
)
def test_body_that_the_account_does_not_allow_is_refused(
    frozen: Simulators, path: str, changes: dict[str, Any], words: str
) -> None:
    answer = post_json(frozen, path, BODIES[path] | changes)

    assert (answer.status, answer.document) == (400, {"error": True, "message": words, "description": None})
    assert ledger(frozen, "nusasms") == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/auth/api_key"),
        ("GET", "/balance"),
        ("POST", "/whatsapp/message"),
        ("POST", "/whatsapp/media"),
        ("GET", "/whatsapp/status/008078391643125660"),
        ("POST", "/wa_official/message/broadcast"),
        ("POST", "/wa_official/message/reply"),
        ("GET", "/wa_official/templates"),
        ("GET", "/wa_official/channels"),
    ],
)
@pytest.mark.parametrize("headers", [{}, {"APIKey": "x"}, {"Authorization": "Bearer local-api-key"}])
def test_request_without_the_key_is_refused(
    frozen: Simulators, method: str, path: str, headers: Mapping[str, str]
) -> None:
    answer = call(frozen, method, API + path, headers=headers)

    assert (answer.status, answer.document["error"]) == (401, True)


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/whatsapp/message", 405), ("POST", "/balance", 405), ("GET", "/x", 404)]
)
def test_other_methods_and_paths_are_refused(frozen: Simulators, method: str, path: str, status: int) -> None:
    assert call(frozen, method, API + path, headers=KEY).status == status


# --- the account ------------------------------------------------------------------------------------------------------


def test_account_has_its_user_and_its_credit(frozen: Simulators) -> None:
    call(frozen, "POST", "/_config", body=b'{"nusasms_sms_balance": 12.5, "nusasms_expired_date": "2027-01-31"}')

    user, balance = (call(frozen, "GET", API + path, headers=KEY) for path in ("/auth/api_key", "/balance"))

    assert (user.status, user.document) == (
        200,
        {
            "error": False,
            "message": "APIKey Authentication check",
            "data": {"userid": "local-user", "idPerson": 42, "idClient": 4711},
        },
    )
    assert (balance.status, balance.document) == (
        200,
        {
            "error": False,
            "message": "Client credit data",
            "data": {
                "idClient": 4711,
                "wa_balance": 250.0,
                "wa_expired_date": "2027-01-31",
                "hlr_balance": None,
                "hlr_expired_date": None,
                "sim_balance": None,
                "sim_expired_date": None,
                "sms_balance": 12.5,
                "sms_expired_date": "2027-01-31",
                "pulsa_balance": 0,
            },
        },
    )


def test_templates_are_listed_with_their_status_and_the_channel_by_its_id(frozen: Simulators) -> None:
    templates = call(frozen, "GET", f"{API}/wa_official/templates", headers=KEY).document
    channels = call(frozen, "GET", f"{API}/wa_official/channels", headers=KEY).document

    assert (templates["error"], templates["message"]) == (False, "Templates")
    assert [(t["id"], t["header"], t["body"], t["footer"], t["status"]) for t in templates["data"]] == [
        (ONE_PARAMETER, None, "Your OTP code is {{1}}", None, "APPROVED"),
        (DOCUMENT, {"format": "DOCUMENT"}, "Dear {{1}}, here is your invoice {{2}}", None, "APPROVED"),
        (PENDING, None, "Happy holidays, {{1}}", None, "PENDING"),
        (NO_PARAMETER, None, "Welcome", None, "APPROVED"),
    ]
    assert {tuple(template) for template in templates["data"]} == {
        ("id", "name", "header", "body", "footer", "status", "category")
    }
    assert (channels["error"], channels["message"], len(channels["data"])) == (False, "Channels", 1)
    (channel,) = channels["data"]
    assert tuple(channel) == ("id", "webhook", "settings", "organization_id", "created_at")
    assert channel["id"] == CHANNEL


# --- groups -----------------------------------------------------------------------------------------------------------


def test_a_group_is_answered_with_a_campaign_of_its_own_in_json_and_xml(frozen: Simulators) -> None:
    as_json = send_to_group(frozen, "Example10").document
    as_xml = send_to_group(frozen, "Example10", output=None)

    first, second = (entry["provider_message_id"] for entry in ledger(frozen, "nusasms"))
    assert first != second
    assert as_json == {"results": [{"status": "0", "campaign_name": first, "group": "Example10"}]}
    assert re.sub(rb">\s+<", b"><", as_xml.body).decode().strip() == (
        '<?xml version="1.0" encoding="UTF-8"?><results><result><status>0</status>'
        f"<campaign_name>{second}</campaign_name><group>Example10</group></result></results>"
    )
    assert as_xml.headers["Content-Type"].startswith("text/xml")


@pytest.mark.parametrize(
    ("group", "changes", "status"),
    [
        ("Nobody10", {}, "-55"),
        ("", {}, "-55"),
        ("Example10", {"group": None}, "-55"),
        ("Example10", {"group": None, "GSM": NUMBER + "10"}, "-55"),
        ("Example10", {"SMSText": None}, "-12"),
        ("Example10", {"SMSText": "a" * 161}, "-14"),
        ("Example10", {"password": "x"}, "-5"),
        ("Example10", {"user": None}, "-5"),
    ],
)
def test_a_group_is_refused_by_a_status(frozen: Simulators, group: str, changes: dict[str, Any], status: str) -> None:
    answer = send_to_group(frozen, group, **changes)

    (result,) = answer.document["results"]
    assert (answer.status, result["status"], tuple(result)) == (200, status, ("status", "campaign_name", "group"))
    assert ledger(frozen, "nusasms") == []


def test_a_group_sends_no_receipts(wired: Simulators, receiver: Receiver) -> None:
    send_to_group(wired, "Example14")
    send_to_group(wired, "Example10")
    send_message(wired, NUMBER + "10")

    *groups, message = ledger(wired, "nusasms")
    assert len(groups) == 2
    assert [fields["ref_no"] for _, _, fields in receiver.take(2)] == [message["provider_message_id"]] * 2
    assert receiver.arrived.empty()


# --- WhatsApp ---------------------------------------------------------------------------------------------------------


def test_a_whatsapp_message_is_answered_with_the_documented_object(frozen: Simulators) -> None:
    plain = send_message(frozen, NUMBER + "10")
    full = post_json(
        frozen,
        "/whatsapp/message",
        {
            **MESSAGE,
            "destination": "8801744977910",
            "timeout": 86400,
            "queue": "device-1",
            "is_group": False,
            "channel": 0,
            "include_unsubscribe": True,
            "sender": GATEWAY,
        },
    )

    first, second = (entry["provider_message_id"] for entry in ledger(frozen, "nusasms"))
    assert (plain.status, full.status) == (201, 201)
    data = {"sender": GATEWAY, "queue": GATEWAY, "destination": NUMBER + "10", "ref_no": first, "message": TEXT}
    assert plain.document == {"error": False, "message": "WA send message", "data": data}
    assert full.document["data"] == data | {"queue": "device-1", "destination": "8801744977910", "ref_no": second}


@pytest.mark.parametrize(
    "message", ["Hai 😀🇮🇩", r"Hai \U0001F600\U0001F1EE\U0001F1E9", r"Hai \\U0001F600\\U0001F1EE\\U0001F1E9"]
)
def test_emoji_arrive_in_every_notation(frozen: Simulators, message: str) -> None:
    send_message(frozen, NUMBER + "10", message=message)

    assert ledger(frozen, "nusasms")[0]["text_sha256"] == text_sha256("Hai 😀🇮🇩")


def test_invalid_escape_stays_unchanged(frozen: Simulators) -> None:
    send_message(frozen, NUMBER + "10", message=r"C:\Users \UFFFFFFFF \U0000D800")

    assert ledger(frozen, "nusasms")[0]["text_sha256"] == text_sha256(r"C:\Users \UFFFFFFFF \U0000D800")


def test_media_is_a_url_or_a_file(frozen: Simulators) -> None:
    by_url = send_media(frozen, NUMBER + "10")
    largest = bytes(512 * 1024)
    file: dict[str, Any] = {"media_base64": base64.b64encode(largest).decode(), "file_name": "a.png"}
    by_file = send_media(frozen, NUMBER + "10", media_url=None, caption=None, **file)

    first, second = ledger(frozen, "nusasms")
    data = {"sender": GATEWAY, "queue": GATEWAY, "destination": NUMBER + "10"}
    assert (by_url.status, by_url.document) == (
        201,
        {
            "error": False,
            "message": "WA Send Media",
            "data": {
                **data,
                "ref_no": first["provider_message_id"],
                "caption": TEXT,
                "media_url": "https://files.example/a.png",
            },
        },
    )
    assert by_file.document["data"] == {
        **data,
        "ref_no": second["provider_message_id"],
        "caption": "",
        "media_url": None,
    }
    assert (first["media_url"], "file_sha256" in first) == ("https://files.example/a.png", False)
    assert (second["file_sha256"], "media_url" in second) == (hashlib.sha256(largest).hexdigest(), False)
    assert (first["text_sha256"], second["text_sha256"]) == (text_sha256(TEXT), text_sha256(""))


def status_of(simulators: Simulators, ref_no: str) -> Answer:
    return call(simulators, "GET", f"{API}/whatsapp/status/{ref_no}", headers=KEY)


def test_the_status_of_a_new_message_has_the_documented_fields(frozen: Simulators) -> None:
    first = send_message(frozen, NUMBER + "10").document["data"]["ref_no"]
    second = send_media(frozen, NUMBER + "10").document["data"]["ref_no"]

    text, media = (status_of(frozen, ref_no).document for ref_no in (first, second))

    assert text == {
        "error": False,
        "message": "Message data",
        "data": {
            "destination": NUMBER + "10",
            "sender": GATEWAY,
            "is_group": False,
            "create_date": text["data"]["create_date"],
            "sent_date": None,
            "read_date": None,
            "delivered_date": None,
            "ref_no": first,
            "status": "Q",
            "message": TEXT,
            "caption": None,
            "media_url": None,
        },
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text["data"]["create_date"])
    content = {name: media["data"][name] for name in ("status", "message", "caption", "media_url")}
    assert content == {
        "status": "U",
        "message": None,
        "caption": TEXT,
        "media_url": "https://files.example/a.png",
    }


@pytest.mark.parametrize(
    ("digits", "letter", "dates"),
    [
        ("10", "D", ["sent_date", "delivered_date"]),
        ("11", "F", []),
        ("12", "Q", []),
        ("13", "D", ["sent_date", "delivered_date"]),
        ("14", "D", ["sent_date", "delivered_date"]),
        ("27", "R", ["sent_date", "read_date", "delivered_date"]),
    ],
)
def test_the_status_ends_in_the_letter_and_the_dates_of_the_number(
    frozen: Simulators, digits: str, letter: str, dates: list[str]
) -> None:
    call(frozen, "POST", "/_config", body=b'{"sent_seconds": 0, "final_seconds": 0}')
    ref_no = send_message(frozen, NUMBER + digits).document["data"]["ref_no"]

    data = status_of(frozen, ref_no).document["data"]

    filled = [name for name in ("sent_date", "read_date", "delivered_date") if data[name] is not None]
    assert (data["status"], filled) == (letter, dates)


def test_status_of_another_message_is_not_found(frozen: Simulators) -> None:
    official = send_broadcast(frozen, NUMBER + "10").document["data"]["ref_no"]

    for ref_no in (official, "008078391643125660"):
        answer = status_of(frozen, ref_no)
        assert (answer.status, answer.document["message"]) == (404, "Message not found")


# --- WhatsApp Official ------------------------------------------------------------------------------------------------


def test_template_is_sent_with_all_of_its_parameters(frozen: Simulators) -> None:
    parameters = {
        "header": {
            "format": "DOCUMENT",
            "params": [{"key": "url", "value": "https://files.example/a.pdf"}, {"key": "filename", "value": "a.pdf"}],
        },
        "body": [
            {"key": 1, "value": "name", "value_text": "Sari"},
            {"key": "2", "value": "invoice", "value_text": "4711"},
        ],
        "buttons": [{"index": "0", "type": "url", "value": "/invoices/4711"}],
    }

    answer = send_broadcast(frozen, NUMBER + "10", template_id=DOCUMENT, parameters=parameters)

    (entry,) = ledger(frozen, "nusasms")
    ref_no = entry["provider_message_id"]
    assert (answer.status, answer.document) == (
        201,
        {"error": False, "message": "Send broadcast message", "data": {"ref_no": ref_no}},
    )
    assert re.fullmatch("[A-Z]{4}[0-9]{20}", ref_no)
    assert (entry["text_sha256"], entry["media_url"]) == (text_sha256("Sari\n4711"), "https://files.example/a.pdf")
    assert entry["sender"] == CHANNEL


@pytest.mark.parametrize("parameters", [None, {}, {"body": []}])
def test_a_template_without_parameters_needs_none(frozen: Simulators, parameters: dict[str, Any] | None) -> None:
    assert send_broadcast(frozen, NUMBER + "10", template_id=NO_PARAMETER, parameters=parameters).status == 201


@pytest.mark.parametrize(
    "change",
    [
        {"header": {"format": "IMAGE", "params": [{"key": "url", "value": "https://files.example/a.png"}]}},
        {"header": {"format": "DOCUMENT", "params": [{"key": "filename", "value": "a.pdf"}]}},
        {"buttons": [{"index": "1", "type": "url", "value": "/a"}]},
        {"buttons": [{"index": "0", "type": "quick_reply", "value": "/a"}]},
        {"buttons": []},
        {"header": None},
    ],
)
def test_a_header_or_a_button_that_does_not_fit_the_template_is_refused(
    frozen: Simulators, change: dict[str, Any]
) -> None:
    parameters = {
        "header": {"format": "DOCUMENT", "params": [{"key": "url", "value": "https://files.example/a.pdf"}]},
        "body": [BODY_PARAMETER, {**BODY_PARAMETER, "key": "2"}],
        "buttons": [{"index": "0", "type": "url", "value": "/a"}],
    }
    fitting = send_broadcast(frozen, NUMBER + "10", template_id=DOCUMENT, parameters=parameters)

    changed = {name: value for name, value in (parameters | change).items() if value is not None}
    answer = send_broadcast(frozen, NUMBER + "10", template_id=DOCUMENT, parameters=changed)

    assert (fitting.status, answer.status) == (201, 400)
    assert answer.document["message"] == "Parameters do not match the template"


def multipart(fields: Mapping[str, str], files: Mapping[str, bytes]) -> tuple[dict[str, str], bytes]:
    """Write a body with the boundary b."""
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    parts += [
        f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="a.png"\r\n'.encode()
        + b"Content-Type: image/png\r\n\r\n"
        + content
        + b"\r\n"
        for name, content in files.items()
    ]
    return {"Content-Type": "multipart/form-data; boundary=b"}, b"".join(parts) + b"--b--\r\n"


def post_reply(simulators: Simulators, headers: Mapping[str, str], body: bytes) -> Answer:
    return call(simulators, "POST", f"{API}/wa_official/message/reply", headers={**headers, **KEY}, body=body)


def test_a_reply_is_taken_as_a_form_and_as_multipart_and_carries_a_text_an_address_or_a_file(
    frozen: Simulators,
) -> None:
    room_id = record_conversation(frozen, NUMBER + "10")
    url = "https://files.example/a.png"

    answers = [
        post_reply(frozen, FORM, urlencode({"room_id": room_id, "text": TEXT}).encode()),
        post_reply(frozen, *multipart({"room_id": room_id, "type": "text", "text": TEXT}, {})),
        post_reply(frozen, FORM, urlencode({"room_id": room_id, "type": "image", "file_url": url}).encode()),
        post_reply(frozen, *multipart({"room_id": room_id, "type": "image", "text": "Foto"}, {"file": FILE})),
    ]

    entries = ledger(frozen, "nusasms")
    assert [answer.status for answer in answers] == [201] * 4
    assert [answer.document for answer in answers] == [
        {"error": False, "message": "Send reply message", "data": {"ref_no": entry["provider_message_id"]}}
        for entry in entries
    ]
    assert [entry["recipient"] for entry in entries] == [NUMBER + "10"] * 4
    texts = [TEXT, TEXT, "", "Foto"]
    assert [entry["text_sha256"] for entry in entries] == [text_sha256(text) for text in texts]
    assert [entry.get("media_url") for entry in entries] == [None, None, url, None]
    assert [entry.get("file_sha256") for entry in entries] == [None] * 3 + [hashlib.sha256(FILE).hexdigest()]


@pytest.mark.parametrize(
    ("changes", "kind", "where"),
    [
        ({"room_id": None}, MISSING, "room_id"),
        ({"room_id": "room"}, "type_error.uuid", "room_id"),
        ({"type": "sticker"}, "type_error.enum", "type"),
        ({"type": "image", "file_url": "a.png"}, "value_error.url.scheme", "file_url"),
        ({"message": TEXT}, EXTRA, "message"),
        ({"file": "a.png"}, EXTRA, "file"),
    ],
)
def test_invalid_reply_is_refused_with_the_name_of_its_field(
    frozen: Simulators, changes: dict[str, Any], kind: str, where: str
) -> None:
    answer = send_reply(frozen, NUMBER + "10", **changes)

    (problem,) = answer.document["detail"]
    assert (answer.status, problem["loc"], problem["type"]) == (422, ["body", where], kind)


def test_a_reply_in_json_has_no_fields_at_all(frozen: Simulators) -> None:
    answer = post_json(
        frozen, "/wa_official/message/reply", {"room_id": record_conversation(frozen, NUMBER + "10"), "text": TEXT}
    )

    assert [problem["loc"] for problem in answer.document["detail"]] == [["body", "room_id"]]


def test_a_file_under_another_name_is_refused(frozen: Simulators) -> None:
    fields = {"room_id": record_conversation(frozen, NUMBER + "10"), "type": "image"}

    answer = post_reply(frozen, *multipart(fields, {"upload": FILE}))

    assert [problem["loc"] for problem in answer.document["detail"]] == [["body", "upload"]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"room_id": UNKNOWN_ID}, "Room not found or expired"),
        ({"text": None}, "Text is required"),
        ({"text": ""}, "Text is required"),
        ({"file_url": "https://files.example/a.png"}, "Text is required"),
        ({"type": "image"}, "One of file and file_url is required"),
    ],
)
def test_a_reply_without_a_room_or_with_the_wrong_content_is_refused(
    frozen: Simulators, changes: dict[str, Any], words: str
) -> None:
    answer = send_reply(frozen, NUMBER + "10", **changes)

    assert (answer.status, answer.document) == (400, {"error": True, "message": words, "description": None})
    assert ledger(frozen, "nusasms") == []


def reply(simulators: Simulators, room_id: str) -> int:
    return post_reply(simulators, FORM, urlencode({"room_id": room_id, "text": TEXT}).encode()).status


def test_room_takes_replies_for_a_day_after_the_last_message(frozen: Simulators) -> None:
    expired = record_conversation(frozen, NUMBER + "11", date=wib(hours=24, minutes=1))
    fresh = record_conversation(frozen, NUMBER + "12", date=wib(hours=23, minutes=59))

    before = [reply(frozen, room_id) for room_id in (expired, fresh)]
    same = record_conversation(frozen, NUMBER + "11")
    late = record_conversation(frozen, NUMBER + "12", date=wib(hours=48))
    after = [reply(frozen, room_id) for room_id in (expired, fresh)]

    assert (before, after) == ([400, 201], [201, 201])
    assert (same, late) == (expired, fresh)


def test_a_sender_keeps_one_room_unless_told_otherwise(frozen: Simulators) -> None:
    first = record_conversation(frozen, NUMBER + "10")
    other = record_conversation(frozen, NUMBER + "11")
    named = record_conversation(frozen, NUMBER + "10", room_id=UNKNOWN_ID)

    assert (uuid.UUID(first).version, other == first, named) == (4, False, UNKNOWN_ID)
    assert record_conversation(frozen, NUMBER + "10") == named
    assert [reply(frozen, room_id) for room_id in (first, other, named)] == [400, 201, 201]


def test_a_reset_closes_all_rooms(frozen: Simulators) -> None:
    room_id = record_conversation(frozen, NUMBER + "10")

    call(frozen, "POST", "/_reset")

    assert reply(frozen, room_id) == 400


# --- callbacks --------------------------------------------------------------------------------------------------------

MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


@pytest.mark.parametrize("name", ["message", "media"])
@pytest.mark.parametrize(
    ("digits", "letters"),
    [("10", ["S", "D"]), ("11", ["S", "F"]), ("13", ["D", "S", "Q", "D"]), ("14", ["S", "D"]), ("27", ["S", "D", "R"])],
)
def test_whatsapp_receipts_are_queries_with_a_letter(
    wired: Simulators, receiver: Receiver, name: str, digits: str, letters: list[str]
) -> None:
    STANDS[name].send(wired, NUMBER + digits)

    arrived = receiver.take(len(letters))
    ref_no = ledger(wired, "nusasms")[0]["provider_message_id"]
    assert {(how, path) for how, path, _ in arrived} == {
        ("GET", f"/webhooks/nusasms/whatsapp-receipt/{webhook_token('t', 'nusasms')}")
    }
    assert [fields["status"] for _, _, fields in arrived] == letters
    last = arrived[-1][2]
    error = "27" if digits == "11" else "0"
    assert last == {"ref_no": ref_no, "status": letters[-1], "sent_date": last["sent_date"], "err_code": error}
    assert re.fullmatch(MOMENT, last["sent_date"])


@pytest.mark.parametrize(
    ("digits", "words"),
    [
        ("10", ["sent", "delivered"]),
        ("11", ["sent", "failed"]),
        ("13", ["delivered", "sent", "sent", "delivered"]),
        ("27", ["sent", "delivered", "read"]),
    ],
)
def test_official_receipts_are_json_with_a_word(
    wired: Simulators, receiver: Receiver, digits: str, words: list[str]
) -> None:
    send_broadcast(wired, NUMBER + digits)

    arrived = receiver.take(len(words))
    ref_no = ledger(wired, "nusasms")[0]["provider_message_id"]
    path = f"/webhooks/nusasms/whatsapp-official-receipt/{webhook_token('t', 'nusasms')}"
    assert {(how, where) for how, where, _ in arrived} == {("POST application/json", path)}
    assert [fields["status"] for _, _, fields in arrived] == words
    last = arrived[-1][2]
    assert last == {"ref_no": ref_no, "status": words[-1], "status_date": last["status_date"]}
    assert re.fullmatch(MOMENT, last["status_date"])


@pytest.mark.parametrize(("kind", "gateway"), [("sms-inbox", "6281100000080"), ("whatsapp-inbox", GATEWAY)])
def test_an_inbound_message_comes_as_a_form(wired: Simulators, receiver: Receiver, kind: str, gateway: str) -> None:
    answer = write_in(wired, kind, NUMBER + "10", text="Berhenti & selesai", id="77", date="2026-11-21 10:00:00")

    fields = {
        "id": "77",
        "gateway_number": gateway,
        "originator": NUMBER + "10",
        "receive_date": "2026-11-21 10:00:00",
        "msg": "Berhenti & selesai",
    }
    form = "application/x-www-form-urlencoded"
    assert receiver.take(1) == [(f"POST {form}", f"/webhooks/nusasms/{kind}/{webhook_token('t', 'nusasms')}", fields)]
    shown = {"method": "POST", "path": f"/webhooks/nusasms/{kind}", "content_type": form, "fields": fields}
    assert (answer.status, answer.document) == (200, shown)


def test_an_official_inbound_message_comes_as_json_with_its_room(wired: Simulators, receiver: Receiver) -> None:
    changes = {"id": "XXXX05224010031105891853", "date": "2026-11-21 10:00:00", "room_id": UNKNOWN_ID}
    answer = write_in(wired, "whatsapp-official-inbox", NUMBER + "10", **changes)

    fields = {
        "room_id": UNKNOWN_ID,
        "ref_no": "XXXX05224010031105891853",
        "text": "Halo",
        "inbox_date": "2026-11-21 10:00:00",
        "sender_number": NUMBER + "10",
    }
    path = "/webhooks/nusasms/whatsapp-official-inbox"
    assert receiver.take(1) == [("POST application/json", f"{path}/{webhook_token('t', 'nusasms')}", fields)]
    shown = {"method": "POST", "path": path, "content_type": "application/json", "fields": fields}
    assert answer.document == shown


def test_missing_fields_of_an_inbound_message_are_generated(frozen: Simulators) -> None:
    sms, again = (write_in(frozen, "sms-inbox", NUMBER + "10").document["fields"] for _ in range(2))
    official = write_in(frozen, "whatsapp-official-inbox", NUMBER + "10").document["fields"]

    assert sms["id"] != again["id"]
    assert re.fullmatch(MOMENT, sms["receive_date"])
    assert re.fullmatch(r"[A-Z]{4}\d{20}", official["ref_no"])
    assert re.fullmatch(MOMENT, official["inbox_date"])


def test_inbound_message_is_retried_without_an_answer_of_200(wired: Simulators, receiver: Receiver) -> None:
    for status in (503, 200):
        receiver.statuses.put(status)

    write_in(wired, "sms-inbox", NUMBER + "10")

    first, second = receiver.take(2)
    assert first == second
    assert until(lambda: call(wired, "GET", "/_calls").document == {"nusasms": {"receipt_failed": 1, "receipt": 1}})


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"vendor": "smsnoc"}, "smsnoc hands on no sms-inbox"),
        ({"vendor": "x"}, "unknown vendor"),
        ({"kind": "sms-receipt"}, "nusasms hands on no sms-receipt"),
        ({"sender": None}, "missing or unknown: sender"),
        ({"sender": "+6281234567810"}, "sender: must be digits with the country code, without a plus"),
        ({"text": 1}, "not a text: text"),
        ({"number": "1"}, "missing or unknown: number"),
        ({"date": "2026-11-21T10:00:00Z"}, "date: must be like 2026-11-21 10:00:00"),
        ({"room_id": "room"}, "room_id: must be a UUID of version 4"),
    ],
)
def test_invalid_inbound_message_is_refused(frozen: Simulators, changes: dict[str, Any], error: str) -> None:
    fields = {"vendor": "nusasms", "kind": "sms-inbox", "sender": NUMBER + "10", "text": "Halo", **changes}

    answer = call(frozen, "POST", "/_inbound", body=written(fields))

    assert (answer.status, answer.document) == (400, {"error": error})


@pytest.mark.parametrize("body", [b"", b"[]", b"{"])
def test_an_inbound_message_must_be_a_json_object(frozen: Simulators, body: bytes) -> None:
    assert call(frozen, "POST", "/_inbound", body=body).status == 400


def test_without_an_address_no_inbound_message_arrives_and_no_room_opens() -> None:
    with Simulators(settings=FROZEN) as simulators:
        answer = write_in(simulators, "whatsapp-official-inbox", NUMBER + "10", room_id=UNKNOWN_ID)

        assert (answer.status, answer.document) == (409, {"error": "no webhook_base is set"})
        assert reply(simulators, UNKNOWN_ID) == 400
