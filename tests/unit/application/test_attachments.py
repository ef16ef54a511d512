"""What belongs to a message and is kept apart from it: its file, and the key under which its text is encrypted."""

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
    House,
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
NOT_KEPT = Failure(reason=Reason.PROVIDER_ERROR, detail="not at hand: gone")


def media(message_id: str = "m-1", data: bytes = FILE, **changes: Any) -> str:
    content = {"type": "media", "media_base64": b64encode(data).decode(), "file_name": "bill.pdf", "caption": "Bill"}
    return request(message_id, **({"home": "nusasms", "channel": "whatsapp", "content": content} | changes))


def taken(ref_no: str = "0017") -> HttpResponse:
    return HttpResponse(status=201, body=json.dumps({"error": False, "data": {"ref_no": ref_no}}).encode())


def throttled() -> HttpResponse:
    return HttpResponse(status=429, body=b"{}")


def file_in(sent: HttpRequest) -> object:
    return json.loads(sent.body).get("media_base64")


def test_a_file_is_kept_before_its_message_is_and_discarded_once_the_vendor_has_it() -> None:
    house = House(taken())
    seen: list[tuple[type[Write], list[bytes]]] = []

    def look(writes: Sequence[Write]) -> None:
        seen.extend((type(write), list(house.media.files.values())) for write in writes)

    house.store.before_commit = look

    assert house.send(media()) == []

    assert seen[:2] == [(Insert, [FILE]), (Replace, [FILE])]
    assert house.media.files == {}
    assert statuses(house.message()) == [Status.SENDING, Status.ACCEPTED]


def test_the_first_attempt_sends_the_file_of_the_request_without_fetching_it() -> None:
    house = House(taken())

    def close(writes: Sequence[Write]) -> None:
        house.media.is_down = bool(writes)

    house.store.before_commit = close

    assert house.send(media()) == []

    assert [file_in(sent) for sent in house.transport.requests] == [b64encode(FILE).decode()]
    assert house.message().status is Status.ACCEPTED
    assert [what for level, what, _ in house.telemetry.lines if level == "warning"] == ["file not discarded"]


def test_a_stored_message_names_the_file_and_does_not_hold_it() -> None:
    house = House(unreached())

    house.send(media())

    message = house.message()
    (key,) = house.media.files
    assert message.content == Media(media_key=key, file_name="bill.pdf", size=len(FILE), caption="Bill")
    assert message.attachments == Attachments()
    assert b64encode(FILE).decode() not in json.dumps(to_item(message))


LATER = [
    ("turned away", {}, [throttled(), taken()], 2),
    ("scheduled", {"send_at": "2026-11-21T10:01:00Z"}, [taken()], 1),
]


@pytest.mark.parametrize(("changes", "replies", "calls"), [w[1:] for w in LATER], ids=[w[0] for w in LATER])
def test_a_message_that_waited_fetches_its_file(
    changes: dict[str, Any], replies: list[HttpResponse], calls: int
) -> None:
    house = House(*replies)
    house.send(media(**changes))
    assert list(house.media.files.values()) == [FILE]

    house.clock.advance(minutes=1)
    assert house.resume() == []

    assert [file_in(sent) for sent in house.transport.requests] == [b64encode(FILE).decode()] * calls
    assert house.message().status is Status.ACCEPTED
    assert house.media.files == {}


def test_a_file_is_kept_while_it_may_be_needed_again() -> None:
    house = House(lost())

    house.send(media(on_unknown="resend"))

    assert house.message().status is Status.UNKNOWN
    assert list(house.media.files.values()) == [FILE]


def test_while_files_cannot_be_kept_their_messages_come_back_and_the_others_go_out() -> None:
    house = House(taken())
    house.media.is_down = True

    unfinished = house.send(
        media(),
        request("text", home="nusasms", channel="whatsapp"),
        media("url", content={"type": "media", "media_url": "https://a.example/f.pdf"}),
        media("later", send_at="2026-11-21T10:10:00Z"),
    )
    assert unfinished == ["r-1", "r-4"]
    assert {name: message.status for name, message in house.store.messages.items()} == {
        "text": Status.ACCEPTED,
        "url": Status.ACCEPTED,
    }

    house.media.is_down = False
    assert house.send(media(), media("later", send_at="2026-11-21T10:10:00Z")) == []
    assert (house.message().status, house.message("later").status) == (Status.ACCEPTED, Status.SCHEDULED)


def test_while_a_file_cannot_be_fetched_its_message_waits_and_nothing_is_sent() -> None:
    house = House(throttled(), taken())
    house.send(media())
    house.media.is_down = True

    house.clock.advance(minutes=1)
    house.resume()
    waiting = house.message()
    assert (waiting.status, waiting.attempt) == (Status.QUEUED, 3)
    assert waiting.failure == Failure(reason=Reason.PROVIDER_ERROR, detail="not at hand: down")
    assert len(house.transport.requests) == 1

    house.media.is_down = False
    house.clock.advance(minutes=1)
    house.resume()
    assert house.message().status is Status.ACCEPTED


def test_a_message_whose_file_is_gone_is_not_sent_without_it_and_fails_in_the_end() -> None:
    house = House(throttled(), taken())
    house.send(media())
    house.media.files.clear()

    for _ in range(200):
        house.clock.advance(hours=1)
        house.follow_up()
        house.resume()

    assert len(house.transport.requests) == 1
    assert (house.message().status, house.message().failure) == (Status.FAILED, NOT_KEPT)


def test_a_file_that_comes_again_with_its_request_is_sent_once() -> None:
    house = House(taken())

    assert [house.send(media(), media()), house.send(media())] == [[], []]

    assert len(house.transport.requests) == 1
    assert house.bus.events == []


def test_another_file_under_the_same_id_is_another_request() -> None:
    house = House(taken())
    house.send(media())

    house.send(media(data=b"another"))

    assert house.bus.events == [
        request_rejected("m-1", "id_conflict", "message_id: already stands for a different request")
    ]
    assert len(house.transport.requests) == 1


REFUSED = [
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


@pytest.mark.parametrize(("changes", "failure"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_the_file_of_a_refused_message_is_not_kept(changes: dict[str, Any], failure: Failure) -> None:
    house = House(taken())

    assert house.send(media(**changes)) == []

    assert house.message().failure == failure
    assert house.media.files == {}


def test_the_largest_file_goes_out_whole() -> None:
    house = House(taken())
    data = bytes(range(256)) * 2048

    house.send(media(data=data))

    assert [file_in(sent) for sent in house.transport.requests] == [b64encode(data).decode()]


def test_a_file_at_an_address_is_left_to_the_vendor() -> None:
    house = House(taken())

    house.send(media(content={"type": "media", "media_url": "https://a.example/f.pdf"}))

    assert json.loads(house.transport.requests[0].body)["media_url"] == "https://a.example/f.pdf"
    assert house.media.files == {}


# --- keys -----------------------------------------------------------------------------------------------------------

ENCRYPTED = {"home": "smspoh", "provider_options": {"smspoh": {"encrypt": True}}}


def encrypted(message_id: str = "m-1", **changes: Any) -> str:
    return request(message_id, **(ENCRYPTED | changes))


def told_key(key: str, reference: str = "m-1") -> HttpResponse:
    row = smspoh_row("AA-1", reference) | {"encryptMessage": True, "encryptKey": key}
    return HttpResponse(status=201, body=json.dumps({"messages": [row]}).encode())


def key_in(sent: HttpRequest) -> object:
    return json.loads(sent.body).get("encryptKey")


def test_a_key_is_durable_before_the_vendor_sees_it() -> None:
    kept: list[dict[str, str]] = []

    def look(_: HttpRequest) -> HttpResponse:
        kept.append(dict(house.encryption_keys.keys))
        return told_key("key-1")

    house = House(look)

    assert house.send(encrypted()) == []

    assert [key_in(sent) for sent in house.transport.requests] == ["key-1"]
    assert kept == [{"m-1": "key-1"}]
    assert house.message().status is Status.ACCEPTED


ANSWERS = [
    ("our key", told_key("key-1"), "key-1"),
    ("no key", smspoh_taken(), "key-1"),
    ("a key of its own", told_key("the-vendors"), "the-vendors"),
    ("no answer", lost(), "key-1"),
    ("a refusal", HttpResponse(status=422, body=b"{}"), "key-1"),
]


@pytest.mark.parametrize(("answer", "key"), [a[1:] for a in ANSWERS], ids=[a[0] for a in ANSWERS])
def test_the_key_that_is_kept_is_the_one_that_the_vendor_uses(answer: HttpResponse, key: str) -> None:
    house = House(answer)

    house.send(encrypted())

    assert house.encryption_keys.keys == {"m-1": key}


def test_every_message_has_a_key_of_its_own_and_a_plain_one_none() -> None:
    house = House(lambda sent: smspoh_taken(f"AA-{key_in(sent)}", json.loads(sent.body)["clientReference"]))

    house.send(encrypted("m-1"), request("plain", home="smspoh"), encrypted("m-2"))

    assert [key_in(sent) for sent in house.transport.requests] == ["key-1", None, "key-2"]
    assert house.encryption_keys.keys == {"m-1": "key-1", "m-2": "key-2"}


def test_promotional_messages_are_encrypted_one_by_one() -> None:
    house = House(lambda sent: smspoh_taken(f"AA-{key_in(sent)}", json.loads(sent.body)["clientReference"]))

    house.send(*(encrypted(f"m-{n}", category="promotional", recipient=f"+95977777771{n}") for n in (1, 2)))

    assert [key_in(sent) for sent in house.transport.requests] == ["key-1", "key-2"]


def test_a_further_attempt_uses_the_key_of_the_first() -> None:
    house = House(HttpResponse(status=429, body=b"{}"), smspoh_taken())
    house.send(encrypted())

    house.clock.advance(minutes=1)
    house.resume()

    assert [key_in(sent) for sent in house.transport.requests] == ["key-1", "key-1"]


def test_while_no_key_can_be_kept_the_request_comes_back_and_its_neighbours_go_out() -> None:
    house = House(lambda sent: smspoh_taken("AA-1" if key_in(sent) else "AA-2", "m-1" if key_in(sent) else "plain"))
    house.encryption_keys.is_down = True

    assert house.send(encrypted(), request("plain", home="smspoh")) == ["r-1"]
    assert {name: message.status for name, message in house.store.messages.items()} == {"plain": Status.ACCEPTED}
    assert [key_in(sent) for sent in house.transport.requests] == [None]

    house.encryption_keys.is_down = False
    house.send(encrypted())
    assert house.message().status is Status.ACCEPTED
    assert house.encryption_keys.keys == {"m-1": key_in(house.transport.requests[-1])}


def test_while_its_key_is_out_of_reach_a_message_waits() -> None:
    house = House(HttpResponse(status=429, body=b"{}"), smspoh_taken())
    house.send(encrypted())
    house.encryption_keys.is_down = True
    house.clock.advance(minutes=1)

    assert house.resume() == []
    assert (house.message().status, len(house.transport.requests)) == (Status.QUEUED, 1)
    assert house.message().failure == Failure(reason=Reason.PROVIDER_ERROR, detail="not at hand: down")

    house.encryption_keys.is_down = False
    house.clock.advance(minutes=1)
    house.resume()
    assert house.message().status is Status.ACCEPTED
    assert [key_in(sent) for sent in house.transport.requests] == ["key-1", "key-1"]


def test_a_key_that_comes_too_late_sends_nothing() -> None:
    house = House(HttpResponse(status=429, body=b"{}"), smspoh_taken())
    house.send(encrypted(expires_at="2026-11-21T10:02:00Z"))
    house.clock.advance(minutes=1)
    at_once = house.encryption_keys.get_or_create

    def slow(message: Message, proposed: str) -> str:
        house.clock.advance(minutes=1)
        return at_once(message, proposed)

    house.encryption_keys.get_or_create = slow  # type: ignore[method-assign]
    house.resume()

    assert len(house.transport.requests) == 1
    assert (house.message().status, house.message().failure) == (
        Status.FAILED,
        Failure(reason=Reason.EXPIRED, detail="expires_at: has passed"),
    )


def test_a_key_of_the_vendor_that_cannot_be_kept_rings() -> None:
    def answer(_: HttpRequest) -> HttpResponse:
        house.encryption_keys.is_down = True
        return told_key("the-vendors")

    house = House(answer)

    assert house.send(encrypted()) == []

    assert house.message().status is Status.ACCEPTED
    assert house.telemetry.counts["EncryptionKeyLost", "smspoh"] == 1


@pytest.mark.parametrize("answer", [told_key("a-vendors-key"), lost(), HttpResponse(status=200, body=b"a-vendors-key")])
def test_a_key_is_seen_by_the_vendor_and_the_vault_alone(answer: HttpResponse) -> None:
    house = House(answer)

    house.send(encrypted())
    house.transport.replies = [smspoh_history(smspoh_row("AA-1", "m-1") | {"encryptKey": "a-vendors-key"})]
    house.clock.advance(minutes=1)
    house.follow_up()

    assert house.encryption_keys.keys
    stored = [to_item(message) for message in house.store.messages.values()]
    shown = repr([house.store.messages, house.store.commits, stored, house.store.events, house.bus.events])
    shown += repr([house.telemetry.lines, house.transport.requests, house.queue.wake_ups])
    assert [key for key in ("key-1", "a-vendors-key") if key in shown] == []


# --- keys of the caller's own ---------------------------------------------------------------------------------------

OWN = "the-callers-key"


def encrypted_with(key: object = OWN, message_id: str = "m-1", **changes: Any) -> str:
    return encrypted(message_id, provider_options={"smspoh": {"encrypt": True, "encryptKey": key}}, **changes)


def test_a_key_of_the_caller_is_the_one_that_is_used_and_kept() -> None:
    house = House(smspoh_taken())

    house.send(encrypted_with())

    assert [key_in(sent) for sent in house.transport.requests] == [OWN]
    assert house.encryption_keys.keys == {"m-1": OWN}


WAITING = [
    ("turned away", {}, [throttled(), smspoh_taken()]),
    ("scheduled", {"send_at": "2026-11-21T10:01:00Z"}, [smspoh_taken()]),
]


@pytest.mark.parametrize(("changes", "replies"), [w[1:] for w in WAITING], ids=[w[0] for w in WAITING])
def test_a_message_that_waited_has_its_callers_key(changes: dict[str, Any], replies: list[HttpResponse]) -> None:
    house = House(*replies)
    house.send(encrypted_with(**changes))
    stored = repr([to_item(message) for message in house.store.messages.values()])
    assert OWN not in stored + repr([house.store.commits, house.store.events, house.telemetry.lines])

    house.clock.advance(minutes=1)
    house.resume()

    assert [key_in(sent) for sent in house.transport.requests] == [OWN] * len(replies)
    assert house.message().status is Status.ACCEPTED


def test_while_a_callers_key_cannot_be_kept_its_request_comes_back() -> None:
    house = House(smspoh_taken("AA-2", "plain"))
    house.encryption_keys.is_down = True

    assert house.send(encrypted_with(), request("plain", home="smspoh")) == ["r-1"]

    assert house.store.messages.keys() == {"plain"}
    house.encryption_keys.is_down = False
    house.transport.replies = [smspoh_taken()]
    assert house.send(encrypted_with()) == []
    assert house.message().status is Status.ACCEPTED


@pytest.mark.parametrize("first", [encrypted, encrypted_with], ids=["our key", "the caller's key"])
def test_another_key_under_the_same_id_is_another_request_and_changes_nothing(first: Callable[..., str]) -> None:
    house = House(smspoh_taken())
    house.send(first(send_at="2026-11-21T10:01:00Z"))

    house.send(encrypted_with("another-key"))
    house.clock.advance(minutes=1)
    house.resume()

    assert [event.detail["reason"] for event in house.bus.events] == ["id_conflict"]
    assert [key_in(sent) for sent in house.transport.requests] == [OWN if first is encrypted_with else "key-1"]


NO_KEYS = [
    ("a number", 1234, "provider_options.smspoh.encryptKey: wrong type"),
    (
        "nothing",
        "",
        "provider_options.smspoh.encryptKey: must be 1 to 200 characters, none of them a control character",
    ),
    (
        "a newline",
        "key\n",
        "provider_options.smspoh.encryptKey: must be 1 to 200 characters, none of them a control character",
    ),
]


@pytest.mark.parametrize(("key", "detail"), [k[1:] for k in NO_KEYS], ids=[k[0] for k in NO_KEYS])
def test_what_is_no_key_is_refused_and_not_kept(key: object, detail: str) -> None:
    house = House(smspoh_taken())

    house.send(encrypted_with(key))

    assert house.message().failure == Failure(reason=Reason.INVALID_REQUEST, detail=detail)
    assert (house.encryption_keys.keys, house.transport.requests) == ({}, [])


@pytest.mark.parametrize(
    "options",
    [
        {"smspoh": {"encrypt": True, "encryptKey": OWN}},
        {"smspoh": {"encryptKey": 1234}},
        {"smspoh": {"encryptKey": [OWN]}},
        {"nusasms": {"": 1234}},
    ],
)
def test_a_key_for_a_vendor_that_is_not_on_the_route_is_not_kept_anywhere(options: dict[str, Any]) -> None:
    house = House(unreached())

    assert house.send(request(provider_options=options)) == []

    assert house.message().status is Status.QUEUED
    assert house.encryption_keys.keys == {}
    assert OWN not in repr(to_item(house.message()))


def test_a_key_for_a_vendor_of_another_channel_is_not_stored() -> None:
    house = House(taken())

    house.send(media(send_at="2026-11-21T10:10:00Z", provider_options={"smspoh": {"encryptKey": OWN}}))

    assert house.message().status is Status.SCHEDULED
    assert house.encryption_keys.keys == {}
    assert OWN not in repr(to_item(house.message()))


def test_a_vendor_that_does_not_encrypt_refuses_the_wish() -> None:
    house = House(nusasms_taken())

    house.send(request(home="nusasms", provider_options={"nusasms": {"encrypt": True}}))

    assert house.message().failure == Failure(
        reason=Reason.UNSUPPORTED, detail="provider_options.nusasms.encrypt: option not offered"
    )
    assert (house.transport.requests, house.encryption_keys.keys) == ([], {})
