"""The file and the encryption key of a message: stored apart from it, for later attempts and for the caller."""

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from sampai.adapters.items import to_item
from sampai.contract.events import request_rejected
from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.message import Attachments, Media, Message
from sampai.domain.status import Status
from sampai.services.ports.messages import Insert, Replace, Write
from tests.fakes import statuses
from tests.harness.application import (
    Application,
    lost,
    nusasms_taken,
    request,
    smspoh_history,
    smspoh_row,
    smspoh_taken,
    unreached,
)

# --- files ----------------------------------------------------------------------------------------------------------

FILE = b"%PDF-\x00\xff of m-1"
FILE_MISSING = Failure(reason=Reason.PROVIDER_ERROR, detail="not at hand: gone")


def media(message_id: str = "m-1", data: bytes = FILE, **changes: Any) -> str:
    content = {"type": "media", "media_base64": b64encode(data).decode(), "file_name": "bill.pdf", "caption": "Bill"}
    return request(message_id, **({"home": "nusasms", "channel": "whatsapp", "content": content} | changes))


def accepted(ref_no: str = "0017") -> HttpResponse:
    return HttpResponse(status=201, body=json.dumps({"error": False, "data": {"ref_no": ref_no}}).encode())


def throttled() -> HttpResponse:
    return HttpResponse(status=429, body=b"{}")


def file_in(sent: HttpRequest) -> object:
    return json.loads(sent.body).get("media_base64")


def test_a_file_is_stored_before_its_message_and_deleted_after_the_vendor_accepted_it() -> None:
    app = Application(accepted())
    seen: list[tuple[type[Write], list[bytes]]] = []

    def record_stored(writes: Sequence[Write]) -> None:
        seen.extend((type(write), list(app.media.files.values())) for write in writes)

    app.store.before_commit = record_stored

    assert app.send(media()) == []

    assert seen[:2] == [(Insert, [FILE]), (Replace, [FILE])]
    assert app.media.files == {}
    assert statuses(app.message()) == [Status.SENDING, Status.ACCEPTED]


def test_the_first_attempt_sends_the_file_without_loading_it() -> None:
    app = Application(accepted())

    def stop_media(writes: Sequence[Write]) -> None:
        app.media.is_down = bool(writes)

    app.store.before_commit = stop_media

    assert app.send(media()) == []

    assert [file_in(sent) for sent in app.transport.requests] == [b64encode(FILE).decode()]
    assert app.message().status is Status.ACCEPTED
    assert [event for level, event, _ in app.telemetry.lines if level == "warning"] == ["file not discarded"]


def test_a_stored_message_has_the_key_of_the_file_and_not_its_content() -> None:
    app = Application(unreached())

    app.send(media())

    message = app.message()
    (key,) = app.media.files
    assert message.content == Media(media_key=key, file_name="bill.pdf", size=len(FILE), caption="Bill")
    assert message.attachments == Attachments()
    assert b64encode(FILE).decode() not in json.dumps(to_item(message))


LATER_ATTEMPTS = [
    ("throttled", {}, [throttled(), accepted()], 2),
    ("scheduled", {"send_at": "2026-11-21T10:01:00Z"}, [accepted()], 1),
]


@pytest.mark.parametrize(
    ("changes", "replies", "calls"), [w[1:] for w in LATER_ATTEMPTS], ids=[w[0] for w in LATER_ATTEMPTS]
)
def test_a_later_attempt_loads_the_file(changes: dict[str, Any], replies: list[HttpResponse], calls: int) -> None:
    app = Application(*replies)
    app.send(media(**changes))
    assert list(app.media.files.values()) == [FILE]

    app.clock.advance(minutes=1)
    assert app.resume() == []

    assert [file_in(sent) for sent in app.transport.requests] == [b64encode(FILE).decode()] * calls
    assert app.message().status is Status.ACCEPTED
    assert app.media.files == {}


def test_a_file_is_kept_while_the_message_may_be_resent() -> None:
    app = Application(lost())

    app.send(media(on_unknown="resend"))

    assert app.message().status is Status.UNKNOWN
    assert list(app.media.files.values()) == [FILE]


def test_requests_with_a_file_are_returned_while_files_cannot_be_stored() -> None:
    app = Application(accepted())
    app.media.is_down = True

    unfinished = app.send(
        media(),
        request("text", home="nusasms", channel="whatsapp"),
        media("url", content={"type": "media", "media_url": "https://a.example/f.pdf"}),
        media("later", send_at="2026-11-21T10:10:00Z"),
    )
    assert unfinished == ["r-1", "r-4"]
    assert {name: message.status for name, message in app.store.messages.items()} == {
        "text": Status.ACCEPTED,
        "url": Status.ACCEPTED,
    }

    app.media.is_down = False
    assert app.send(media(), media("later", send_at="2026-11-21T10:10:00Z")) == []
    assert (app.message().status, app.message("later").status) == (Status.ACCEPTED, Status.SCHEDULED)


def test_a_message_waits_while_its_file_cannot_be_loaded() -> None:
    app = Application(throttled(), accepted())
    app.send(media())
    app.media.is_down = True

    app.clock.advance(minutes=1)
    app.resume()
    waiting = app.message()
    assert (waiting.status, waiting.attempt) == (Status.QUEUED, 3)
    assert waiting.failure == Failure(reason=Reason.PROVIDER_ERROR, detail="not at hand: down")
    assert len(app.transport.requests) == 1

    app.media.is_down = False
    app.clock.advance(minutes=1)
    app.resume()
    assert app.message().status is Status.ACCEPTED


def test_a_message_without_its_file_is_not_sent_and_fails() -> None:
    app = Application(throttled(), accepted())
    app.send(media())
    app.media.files.clear()

    for _ in range(200):
        app.clock.advance(hours=1)
        app.follow_up()
        app.resume()

    assert len(app.transport.requests) == 1
    assert (app.message().status, app.message().failure) == (Status.FAILED, FILE_MISSING)


def test_a_file_of_a_repeated_request_is_sent_once() -> None:
    app = Application(accepted())

    assert [app.send(media(), media()), app.send(media())] == [[], []]

    assert len(app.transport.requests) == 1
    assert app.bus.events == []


def test_a_different_file_under_the_same_id_is_a_conflict() -> None:
    app = Application(accepted())
    app.send(media())

    app.send(media(data=b"another"))

    assert app.bus.events == [
        request_rejected("m-1", "id_conflict", "message_id: already stands for a different request")
    ]
    assert len(app.transport.requests) == 1


REJECTED = [
    (
        "too large",
        {"data": b"x" * (512 * 1024 + 1)},
        Failure(reason=Reason.TOO_LONG, detail="content.media_base64: nusasms takes 524288 bytes"),
    ),
    (
        "no files by SMS",
        {"channel": "sms"},
        Failure(reason=Reason.UNSUPPORTED, detail="content.type: nusasms takes no media on sms"),
    ),
    (
        "expired",
        {"expires_at": "2026-11-21T10:00:00Z"},
        Failure(reason=Reason.EXPIRED, detail="expires_at: has passed"),
    ),
]


@pytest.mark.parametrize(("changes", "failure"), [r[1:] for r in REJECTED], ids=[r[0] for r in REJECTED])
def test_the_file_of_a_rejected_message_is_not_stored(changes: dict[str, Any], failure: Failure) -> None:
    app = Application(accepted())

    assert app.send(media(**changes)) == []

    assert app.message().failure == failure
    assert app.media.files == {}


def test_the_largest_file_is_sent_completely() -> None:
    app = Application(accepted())
    data = bytes(range(256)) * 2048

    app.send(media(data=data))

    assert [file_in(sent) for sent in app.transport.requests] == [b64encode(data).decode()]


def test_a_file_at_a_url_is_fetched_by_the_vendor() -> None:
    app = Application(accepted())

    app.send(media(content={"type": "media", "media_url": "https://a.example/f.pdf"}))

    assert json.loads(app.transport.requests[0].body)["media_url"] == "https://a.example/f.pdf"
    assert app.media.files == {}


# --- keys -----------------------------------------------------------------------------------------------------------

ENCRYPTED = {"home": "smspoh", "provider_options": {"smspoh": {"encrypt": True}}}


def encrypted(message_id: str = "m-1", **changes: Any) -> str:
    return request(message_id, **(ENCRYPTED | changes))


def smspoh_answer_with_key(key: str, reference: str = "m-1") -> HttpResponse:
    row = smspoh_row("AA-1", reference) | {"encryptMessage": True, "encryptKey": key}
    return HttpResponse(status=201, body=json.dumps({"messages": [row]}).encode())


def key_in(sent: HttpRequest) -> object:
    return json.loads(sent.body).get("encryptKey")


def test_a_key_is_stored_before_the_vendor_is_called() -> None:
    stored: list[dict[str, str]] = []

    def record_stored(_: HttpRequest) -> HttpResponse:
        stored.append(dict(app.encryption_keys.keys))
        return smspoh_answer_with_key("key-1")

    app = Application(record_stored)

    assert app.send(encrypted()) == []

    assert [key_in(sent) for sent in app.transport.requests] == ["key-1"]
    assert stored == [{"m-1": "key-1"}]
    assert app.message().status is Status.ACCEPTED


ANSWERS = [
    ("our key", smspoh_answer_with_key("key-1"), "key-1"),
    ("no key", smspoh_taken(), "key-1"),
    ("a key of the vendor", smspoh_answer_with_key("vendor-key"), "vendor-key"),
    ("no answer", lost(), "key-1"),
    ("a refusal", HttpResponse(status=422, body=b"{}"), "key-1"),
]


@pytest.mark.parametrize(("answer", "key"), [a[1:] for a in ANSWERS], ids=[a[0] for a in ANSWERS])
def test_the_stored_key_is_the_key_that_the_vendor_uses(answer: HttpResponse, key: str) -> None:
    app = Application(answer)

    app.send(encrypted())

    assert app.encryption_keys.keys == {"m-1": key}


def test_every_encrypted_message_has_its_own_key() -> None:
    app = Application(lambda sent: smspoh_taken(f"AA-{key_in(sent)}", json.loads(sent.body)["clientReference"]))

    app.send(encrypted("m-1"), request("plain", home="smspoh"), encrypted("m-2"))

    assert [key_in(sent) for sent in app.transport.requests] == ["key-1", None, "key-2"]
    assert app.encryption_keys.keys == {"m-1": "key-1", "m-2": "key-2"}


def test_encrypted_promotional_messages_share_no_call() -> None:
    app = Application(lambda sent: smspoh_taken(f"AA-{key_in(sent)}", json.loads(sent.body)["clientReference"]))

    app.send(*(encrypted(f"m-{n}", category="promotional", recipient=f"+95977777771{n}") for n in (1, 2)))

    assert [key_in(sent) for sent in app.transport.requests] == ["key-1", "key-2"]


def test_a_further_attempt_uses_the_key_of_the_first() -> None:
    app = Application(HttpResponse(status=429, body=b"{}"), smspoh_taken())
    app.send(encrypted())

    app.clock.advance(minutes=1)
    app.resume()

    assert [key_in(sent) for sent in app.transport.requests] == ["key-1", "key-1"]


def test_a_request_is_returned_while_its_key_cannot_be_stored() -> None:
    app = Application(lambda sent: smspoh_taken("AA-1" if key_in(sent) else "AA-2", "m-1" if key_in(sent) else "plain"))
    app.encryption_keys.is_down = True

    assert app.send(encrypted(), request("plain", home="smspoh")) == ["r-1"]
    assert {name: message.status for name, message in app.store.messages.items()} == {"plain": Status.ACCEPTED}
    assert [key_in(sent) for sent in app.transport.requests] == [None]

    app.encryption_keys.is_down = False
    app.send(encrypted())
    assert app.message().status is Status.ACCEPTED
    assert app.encryption_keys.keys == {"m-1": key_in(app.transport.requests[-1])}


def test_a_message_waits_while_its_key_cannot_be_loaded() -> None:
    app = Application(HttpResponse(status=429, body=b"{}"), smspoh_taken())
    app.send(encrypted())
    app.encryption_keys.is_down = True
    app.clock.advance(minutes=1)

    assert app.resume() == []
    assert (app.message().status, len(app.transport.requests)) == (Status.QUEUED, 1)
    assert app.message().failure == Failure(reason=Reason.PROVIDER_ERROR, detail="not at hand: down")

    app.encryption_keys.is_down = False
    app.clock.advance(minutes=1)
    app.resume()
    assert app.message().status is Status.ACCEPTED
    assert [key_in(sent) for sent in app.transport.requests] == ["key-1", "key-1"]


def test_a_message_that_expires_while_its_key_is_loaded_is_not_sent() -> None:
    app = Application(HttpResponse(status=429, body=b"{}"), smspoh_taken())
    app.send(encrypted(expires_at="2026-11-21T10:02:00Z"))
    app.clock.advance(minutes=1)
    at_once = app.encryption_keys.get_or_create

    def load_slowly(message: Message, proposed: str) -> str:
        app.clock.advance(minutes=1)
        return at_once(message, proposed)

    app.encryption_keys.get_or_create = load_slowly  # type: ignore[method-assign]
    app.resume()

    assert len(app.transport.requests) == 1
    assert (app.message().status, app.message().failure) == (
        Status.FAILED,
        Failure(reason=Reason.EXPIRED, detail="expires_at: has passed"),
    )


def test_a_key_of_the_vendor_that_cannot_be_stored_raises_an_alarm() -> None:
    def answer(_: HttpRequest) -> HttpResponse:
        app.encryption_keys.is_down = True
        return smspoh_answer_with_key("vendor-key")

    app = Application(answer)

    assert app.send(encrypted()) == []

    assert app.message().status is Status.ACCEPTED
    assert app.telemetry.counts["EncryptionKeyLost", "smspoh"] == 1


@pytest.mark.parametrize(
    "answer", [smspoh_answer_with_key("a-vendors-key"), lost(), HttpResponse(status=200, body=b"a-vendors-key")]
)
def test_a_key_appears_only_in_the_key_store_and_the_call(answer: HttpResponse) -> None:
    app = Application(answer)

    app.send(encrypted())
    app.transport.replies = [smspoh_history(smspoh_row("AA-1", "m-1") | {"encryptKey": "a-vendors-key"})]
    app.clock.advance(minutes=1)
    app.follow_up()

    assert app.encryption_keys.keys
    stored = [to_item(message) for message in app.store.messages.values()]
    written = repr([app.store.messages, app.store.commits, stored, app.store.events, app.bus.events])
    written += repr([app.telemetry.lines, app.transport.requests, app.queue.wake_ups])
    assert [key for key in ("key-1", "a-vendors-key") if key in written] == []


# --- keys of the caller ----------------------------------------------------------------------------------------

CALLERS_KEY = "the-callers-key"


def encrypted_with_key(key: object = CALLERS_KEY, message_id: str = "m-1", **changes: Any) -> str:
    return encrypted(message_id, provider_options={"smspoh": {"encrypt": True, "encryptKey": key}}, **changes)


def test_a_key_of_the_caller_is_used_and_stored() -> None:
    app = Application(smspoh_taken())

    app.send(encrypted_with_key())

    assert [key_in(sent) for sent in app.transport.requests] == [CALLERS_KEY]
    assert app.encryption_keys.keys == {"m-1": CALLERS_KEY}


LATER_ATTEMPTS_WITH_KEY = [
    ("throttled", {}, [throttled(), smspoh_taken()]),
    ("scheduled", {"send_at": "2026-11-21T10:01:00Z"}, [smspoh_taken()]),
]


@pytest.mark.parametrize(
    ("changes", "replies"), [w[1:] for w in LATER_ATTEMPTS_WITH_KEY], ids=[w[0] for w in LATER_ATTEMPTS_WITH_KEY]
)
def test_a_later_attempt_uses_the_key_of_the_caller(changes: dict[str, Any], replies: list[HttpResponse]) -> None:
    app = Application(*replies)
    app.send(encrypted_with_key(**changes))
    stored = repr([to_item(message) for message in app.store.messages.values()])
    assert CALLERS_KEY not in stored + repr([app.store.commits, app.store.events, app.telemetry.lines])

    app.clock.advance(minutes=1)
    app.resume()

    assert [key_in(sent) for sent in app.transport.requests] == [CALLERS_KEY] * len(replies)
    assert app.message().status is Status.ACCEPTED


def test_a_request_is_returned_while_the_key_of_the_caller_cannot_be_stored() -> None:
    app = Application(smspoh_taken("AA-2", "plain"))
    app.encryption_keys.is_down = True

    assert app.send(encrypted_with_key(), request("plain", home="smspoh")) == ["r-1"]

    assert app.store.messages.keys() == {"plain"}
    app.encryption_keys.is_down = False
    app.transport.replies = [smspoh_taken()]
    assert app.send(encrypted_with_key()) == []
    assert app.message().status is Status.ACCEPTED


@pytest.mark.parametrize("first", [encrypted, encrypted_with_key], ids=["our key", "the caller's key"])
def test_a_different_key_under_the_same_id_is_a_conflict_and_changes_nothing(first: Callable[..., str]) -> None:
    app = Application(smspoh_taken())
    app.send(first(send_at="2026-11-21T10:01:00Z"))

    app.send(encrypted_with_key("another-key"))
    app.clock.advance(minutes=1)
    app.resume()

    assert [event.detail["reason"] for event in app.bus.events] == ["id_conflict"]
    assert [key_in(sent) for sent in app.transport.requests] == [
        CALLERS_KEY if first is encrypted_with_key else "key-1"
    ]


INVALID_KEYS = [
    ("a number", 1234, "provider_options.smspoh.encryptKey: wrong type"),
    (
        "empty",
        "",
        "provider_options.smspoh.encryptKey: must be 1 to 200 characters, none of them a control character",
    ),
    (
        "a newline",
        "key\n",
        "provider_options.smspoh.encryptKey: must be 1 to 200 characters, none of them a control character",
    ),
]


@pytest.mark.parametrize(("key", "detail"), [k[1:] for k in INVALID_KEYS], ids=[k[0] for k in INVALID_KEYS])
def test_an_invalid_key_is_rejected_and_not_stored(key: object, detail: str) -> None:
    app = Application(smspoh_taken())

    app.send(encrypted_with_key(key))

    assert app.message().failure == Failure(reason=Reason.INVALID_REQUEST, detail=detail)
    assert (app.encryption_keys.keys, app.transport.requests) == ({}, [])


@pytest.mark.parametrize(
    "options",
    [
        {"smspoh": {"encrypt": True, "encryptKey": CALLERS_KEY}},
        {"smspoh": {"encryptKey": 1234}},
        {"smspoh": {"encryptKey": [CALLERS_KEY]}},
        {"nusasms": {"": 1234}},
    ],
)
def test_a_key_for_a_vendor_outside_the_route_is_not_stored(options: dict[str, Any]) -> None:
    app = Application(unreached())

    assert app.send(request(provider_options=options)) == []

    assert app.message().status is Status.QUEUED
    assert app.encryption_keys.keys == {}
    assert CALLERS_KEY not in repr(to_item(app.message()))


def test_a_key_for_a_vendor_of_another_channel_is_not_stored() -> None:
    app = Application(accepted())

    app.send(media(send_at="2026-11-21T10:10:00Z", provider_options={"smspoh": {"encryptKey": CALLERS_KEY}}))

    assert app.message().status is Status.SCHEDULED
    assert app.encryption_keys.keys == {}
    assert CALLERS_KEY not in repr(to_item(app.message()))


def test_encryption_is_rejected_for_a_vendor_that_does_not_offer_it() -> None:
    app = Application(nusasms_taken())

    app.send(request(home="nusasms", provider_options={"nusasms": {"encrypt": True}}))

    assert app.message().failure == Failure(
        reason=Reason.UNSUPPORTED, detail="provider_options.nusasms.encrypt: option not offered"
    )
    assert (app.transport.requests, app.encryption_keys.keys) == ([], {})
