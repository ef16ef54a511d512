"""The text of an SMS: its segments, the limit on them, and plain characters instead of typographic ones."""

import json
from typing import Any

import pytest

from sampai.domain.failure import Failure, Reason
from sampai.domain.message import Content, Text
from sampai.domain.segments import Encoding
from sampai.domain.status import Status
from sampai.services.ports.messages import Insert
from tests.fakes import FixedSettings, statuses
from tests.harness.application import SETTINGS, Application, lost, nomsa_list, nomsa_row, nomsa_taken, request
from tests.unit.application.providers import BY_WHATSAPP, change_settings, new_application

LONG = "a" * 161
CURLY = "“It’s 1234” – wait…"
PLAIN = '"It\'s 1234" - wait...'


def text(given: str) -> dict[str, Any]:
    return {"content": {"type": "text", "text": given}}


def too_long(segments: int, maximum: int) -> Failure:
    detail = f"content.text: has {segments} segments, limits.max_segments allows {maximum}"
    return Failure(reason=Reason.TOO_LONG, detail=detail)


def segments_told(app: Application) -> list[tuple[str, int | None, str | None]]:
    return [(e.detail["status"], e.detail["segments"], e.detail["encoding"]) for e in app.store.events]


# --- segments -------------------------------------------------------------------------------------------------------


def test_every_event_of_an_sms_tells_its_segments() -> None:
    app = Application(nomsa_taken("145"), nomsa_taken("145", status="DELIVERED"))
    app.send(request(send_at="2026-11-21T10:05:00Z", **text(LONG)))
    app.clock.advance(minutes=5)
    app.resume()
    app.clock.advance(minutes=1)
    app.follow_up()

    assert segments_told(app) == [(status, 2, "gsm7") for status in ("scheduled", "sending", "accepted", "delivered")]
    assert (app.message().content, app.message().segments, app.message().encoding) == (None, 2, Encoding.GSM7)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (text("ក" * 71), (2, "ucs2")),
        ({"recipient": None, "audience": {"lists": ["a"]}, "provider": "smsnoc"}, (1, "gsm7")),
        (BY_WHATSAPP, (None, None)),
        ({"channel": "pigeon"}, (None, None)),
    ],
    ids=["Khmer", "an audience", "WhatsApp", "an invalid request"],
)
def test_first_event_tells_the_segments_of_an_sms_only(
    changes: dict[str, Any], expected: tuple[int | None, str | None]
) -> None:
    app = new_application()

    app.send(request(**changes))

    assert segments_told(app)[0][1:] == expected


# --- the limit ------------------------------------------------------------------------------------------------------

LIMITED: list[tuple[str, int | None, dict[str, Any], Failure | None]] = [
    ("no limit", None, text(LONG), None),
    ("at the limit", 2, text(LONG), None),
    ("above the limit", 1, text(LONG), too_long(2, 1)),
    ("in UCS-2 above the limit", 1, text("ក" * 71), too_long(2, 1)),
    ("above the limit, to be sent later", 1, text(LONG) | {"send_at": "2026-11-21T11:00:00Z"}, too_long(2, 1)),
    ("above the limit, by a named provider", 1, text(LONG) | {"provider": "nomsa"}, too_long(2, 1)),
    ("on WhatsApp", 1, text(LONG) | BY_WHATSAPP, None),
]


@pytest.mark.parametrize(("maximum", "changes", "failure"), [row[1:] for row in LIMITED], ids=[r[0] for r in LIMITED])
def test_text_of_too_many_segments_fails_without_a_call(
    maximum: int | None, changes: dict[str, Any], failure: Failure | None
) -> None:
    app = new_application(limits={"max_segments": maximum})

    unfinished = app.send(request(**changes))

    assert (unfinished, app.message().failure) == ([], failure)
    assert statuses(app.message()) == ([Status.FAILED] if failure else [Status.SENDING, Status.ACCEPTED])
    assert len(app.transport.requests) == (0 if failure else 1)


def test_waiting_text_fails_under_a_lower_limit_and_tells_its_segments() -> None:
    app = new_application(sending_enabled=False)
    app.send(request(**text(LONG)))
    change_settings(app, limits={"max_segments": 1})

    app.resume()

    assert app.message().failure == too_long(2, 1)
    assert segments_told(app) == [("queued", 2, "gsm7"), ("failed", 2, "gsm7")]
    assert app.transport.requests == []


# --- typographic characters -----------------------------------------------------------------------------------------


def sent_text(app: Application) -> str:
    """Return the only text that went to Nomsa."""
    (body,) = [json.loads(sent.body)["body"] for sent in app.transport.requests if sent.method == "POST"]
    return str(body)


def stored_content(app: Application) -> Content | None:
    """Return the content of the claim. The message drops it when the vendor takes it."""
    (claim,) = app.store.commits[0]
    assert isinstance(claim, Insert)
    return claim.message.content


@pytest.mark.parametrize(
    ("is_on", "given", "sent", "encoding"),
    [
        (False, CURLY, CURLY, Encoding.UCS2),
        (True, CURLY, PLAIN, Encoding.GSM7),
        (True, "“ឈប់”", "“ឈប់”", Encoding.UCS2),
    ],
    ids=["off", "on", "on, with other characters"],
)
def test_text_is_stored_as_it_is_sent(is_on: bool, given: str, sent: str, encoding: Encoding) -> None:
    app = Application(settings={"replace_typographic_characters": is_on})

    app.send(request(**text(given)))

    assert sent_text(app) == sent
    assert (stored_content(app), app.message().encoding) == (Text(text=sent), encoding)


def test_text_on_whatsapp_keeps_its_characters() -> None:
    app = new_application(replace_typographic_characters=True)

    app.send(request(**text(CURLY), **BY_WHATSAPP))

    assert stored_content(app) == Text(text=CURLY)


def test_limit_counts_the_segments_of_the_replaced_text() -> None:
    app = new_application(replace_typographic_characters=True, limits={"max_segments": 1})

    app.send(request(**text("’" + "a" * 100)))

    assert (app.message().failure, app.message().segments) == (None, 1)


def test_unknown_send_is_reconciled_by_the_text_that_was_sent() -> None:
    app = Application(
        lost(), nomsa_list(nomsa_row("145", body=PLAIN)), settings={"replace_typographic_characters": True}
    )
    app.send(request(**text(CURLY)))
    app.clock.advance(minutes=2)

    app.follow_up()

    assert (app.message().status, app.message().provider_message_id) == (Status.ACCEPTED, "145")


@pytest.mark.parametrize(("second", "is_conflict"), [(CURLY, False), (PLAIN, True)], ids=["same", "replaced by hand"])
@pytest.mark.parametrize("is_on", [True, False], ids=["still on", "off meanwhile"])
def test_repeated_request_is_compared_as_it_was_requested(is_on: bool, second: str, is_conflict: bool) -> None:
    app = Application(settings={"replace_typographic_characters": True})
    app.send(request(**text(CURLY)))
    app.settings.settings = FixedSettings(SETTINGS | {"replace_typographic_characters": is_on}).settings

    unfinished = app.send(request(**text(second)))

    assert (unfinished, sent_text(app)) == ([], PLAIN)
    assert [event.detail["reason"] for event in app.bus.events] == (["id_conflict"] if is_conflict else [])
