"""Promotional messages wait until the quiet hours of the recipient's country are over. No other message waits."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sampai.adapters.items import ttl_of
from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.inbound import Conversation
from sampai.domain.message import Category
from sampai.domain.status import Status
from sampai.domain.times import to_text
from sampai.services.ports.queue import WakeUp
from tests.fakes import Reply, statuses
from tests.harness.application import RECIPIENTS, Application, lost, nomsa_list, request, unauthorized, unreached
from tests.unit.application.providers import (
    BY_WHATSAPP,
    CONVERSATION,
    PROVIDERS,
    REPLY,
    THAI,
    accept_all,
    change_settings,
    new_application,
)

HOURS = {"from": "21:00", "to": "08:00"}
THAI_HOURS = {**HOURS, "timezones": ["Asia/Bangkok"]}
QUIET: dict[str, Any] = {"quiet_hours": {"KH": HOURS, "MM": HOURS, "ID": HOURS, "TH": THAI_HOURS}}
SHORT_HORIZON: dict[str, Any] = QUIET | {"report_horizon_hours": 2}

MINUTE = timedelta(minutes=1)
EXPIRES_BEFORE = Failure(reason=Reason.EXPIRED, detail="expires_at: passes before the end of quiet_hours.KH")


def at(local: str, day: int = 21) -> datetime:
    """Return a time of November in Cambodia, as UTC. `22:30` is in the quiet hours."""
    clock = datetime.strptime(local, "%H:%M").replace(year=2026, month=11, day=day, tzinfo=ZoneInfo("Asia/Phnom_Penh"))
    return clock.astimezone(UTC)


EVENING, NIGHT, MORNING = at("20:55"), at("22:30"), at("08:00", day=22)


def application(*replies: Reply, now: datetime = NIGHT, **settings: Any) -> Application:
    """Return an application with quiet hours, at night by default."""
    app = new_application(*replies, **(QUIET | settings))
    app.clock.now = now
    return app


def promotion(message_id: str = "m-1", home: str = "nomsa", **changes: Any) -> str:
    return request(message_id, home, **({"category": "promotional"} | changes))


def follow(app: Application, now: datetime) -> None:
    """Run the follow-up at a time, and deliver the wake-ups, those that come early as well."""
    app.clock.now = now
    app.follow_up()
    app.resume()


def calls(app: Application) -> int:
    return sum(sent.method == "POST" for sent in app.transport.requests)


# --- at night ---------------------------------------------------------------------------------------------------------


def test_message_of_the_night_is_scheduled_for_the_morning_and_sent_once() -> None:
    app = application()

    assert app.send(promotion()) == []

    message = app.message()
    assert (statuses(message), message.send_at, message.due_at) == ([Status.SCHEDULED], MORNING, MORNING)
    assert app.queue.wake_ups == []
    follow(app, MORNING - MINUTE)
    assert (calls(app), app.message()) == (0, message)
    for minutes in range(3):
        follow(app, MORNING + minutes * MINUTE)
    assert calls(app) == 1
    assert statuses(app.message()) == [Status.SCHEDULED, Status.SENDING, Status.ACCEPTED]


def test_message_of_the_last_minutes_gets_a_wake_up_for_the_end_of_the_night() -> None:
    app = application(now=MORNING - 5 * MINUTE)

    app.send(promotion())

    assert app.queue.wake_ups == [WakeUp(message_id="m-1", attempt=0, is_urgent=False, delay_seconds=300)]
    app.clock.now = MORNING
    app.resume()
    assert app.message().status is Status.ACCEPTED


HELD = [
    ("SMS", "nomsa", {}, MORNING),
    ("WhatsApp", "nusasms", BY_WHATSAPP, at("08:00", day=22)),
    ("another zone", "smspoh", {}, at("08:30", day=22)),
    ("zones of its own", "nomsa", {"recipient": THAI, "provider": "smspoh"}, at("08:00", day=22)),
    ("number of the conversation", "nusasms", REPLY, at("08:00", day=22)),
]


@pytest.mark.parametrize(("home", "changes", "send_at"), [h[1:] for h in HELD], ids=[h[0] for h in HELD])
def test_promotional_message_to_a_number_waits_for_the_morning_of_its_country(
    home: str, changes: dict[str, Any], send_at: datetime
) -> None:
    app = application()
    app.directory.conversations[CONVERSATION] = Conversation(
        room_id=CONVERSATION, number=RECIPIENTS["nusasms"], last_inbound_at=NIGHT
    )

    app.send(promotion("m-1", home, **changes))

    assert (app.message().status, app.message().send_at) == (Status.SCHEDULED, send_at)
    assert app.transport.requests == []


EMAIL = {"type": "email", "subject": "Sale", "body": "Come in"}
SENT = [
    ("one-time password", {"category": "otp"}),
    ("transactional", {"category": "transactional"}),
    ("no category", {"category": None}),
    ("country without quiet hours", {"recipient": RECIPIENTS["smsnoc"]}),
    ("list of the vendor", {"recipient": None, "audience": {"lists": ["a"]}, "provider": "smsnoc"}),
    ("e-mail", {"channel": "email", "recipient": "sok@example.com", "content": EMAIL}),
    ("conversation without a number", REPLY),
]


@pytest.mark.parametrize("changes", [s[1] for s in SENT], ids=[s[0] for s in SENT])
def test_any_other_message_is_sent_at_night(changes: dict[str, Any]) -> None:
    app = application()
    app.directory.conversations[CONVERSATION] = Conversation(room_id=CONVERSATION, last_inbound_at=NIGHT)

    app.send(promotion(**changes))

    assert calls(app) == 1
    assert app.message().status is not Status.SCHEDULED


TIMES = [
    ("a minute before the begin", at("20:58"), True),
    ("its call could start in the quiet hours", at("20:59"), False),
    ("begin", at("21:00"), False),
    ("last second", MORNING - timedelta(seconds=1), False),
    ("end", MORNING, True),
]


@pytest.mark.parametrize(("now", "is_sent"), [t[1:] for t in TIMES], ids=[t[0] for t in TIMES])
def test_quiet_hours_begin_a_lease_early_and_end_on_time(now: datetime, is_sent: bool) -> None:
    app = application(now=now)

    app.send(promotion())

    assert (calls(app) == 1) is is_sent


def test_without_the_setting_a_promotional_message_is_sent_at_night() -> None:
    app = application(quiet_hours={})

    app.send(promotion())

    assert app.message().status is Status.ACCEPTED


# --- send_at, expires_at, cancel, repetition --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("send_at", "expected"),
    [
        (NIGHT, MORNING),
        (MORNING, MORNING),
        (at("12:00", day=22), at("12:00", day=22)),
        (at("02:00", day=25), at("08:00", day=25)),
    ],
    ids=["in the night", "at its end", "in the day", "in a later night"],
)
def test_send_at_in_the_night_moves_to_its_end(send_at: datetime, expected: datetime) -> None:
    app = application(now=at("12:00"))

    app.send(promotion(send_at=to_text(send_at)))

    assert (statuses(app.message()), app.message().send_at) == ([Status.SCHEDULED], expected)
    follow(app, expected)
    assert app.message().status is Status.ACCEPTED


EXPIRING = [
    ("at night", NIGHT, {"expires_at": MORNING - MINUTE}),
    ("at the end", NIGHT, {"expires_at": MORNING}),
    ("with a send_at", at("12:00"), {"send_at": NIGHT, "expires_at": NIGHT + 60 * MINUTE}),
    ("in the last minute of the day", at("20:59"), {"expires_at": at("23:00")}),
]


@pytest.mark.parametrize(("now", "times"), [e[1:] for e in EXPIRING], ids=[e[0] for e in EXPIRING])
def test_message_that_expires_in_the_quiet_hours_fails_at_once(now: datetime, times: dict[str, datetime]) -> None:
    app = application(now=now)

    app.send(promotion(**{name: to_text(instant) for name, instant in times.items()}))

    assert (statuses(app.message()), app.message().failure) == ([Status.FAILED], EXPIRES_BEFORE)
    assert app.transport.requests == []


def test_message_that_expires_after_the_quiet_hours_is_sent() -> None:
    app = application()
    app.send(promotion(expires_at=to_text(MORNING + 5 * MINUTE)))

    follow(app, MORNING)

    assert app.message().status is Status.ACCEPTED


def test_waiting_message_can_be_canceled() -> None:
    app = application()
    app.send(promotion())

    app.send('{"cancel": "m-1"}')
    follow(app, MORNING)

    assert statuses(app.message()) == [Status.SCHEDULED, Status.CANCELED]
    assert app.transport.requests == []


def test_moved_send_at_is_no_other_request() -> None:
    app = application()
    app.send(promotion())
    before = app.message()

    app.send(promotion())
    assert (app.bus.events, app.message()) == ([], before)

    app.send(promotion(send_at=to_text(MORNING)))
    assert [event.detail["reason"] for event in app.bus.events] == ["id_conflict"]
    assert app.message() == before


def test_message_is_kept_from_the_moved_send_at_on() -> None:
    app = application()

    app.send(promotion())

    days = timedelta(days=90)
    assert ttl_of(app.message(), days) == {"N": str(int((MORNING + days).timestamp()))}


# --- messages that wait for another reason ----------------------------------------------------------------------------


LIMITED = PROVIDERS | {"nomsa": {"max_per_second": 1}}


def _wait_for_the_rate(app: Application) -> Callable[[], None]:
    change_settings(app, **SHORT_HORIZON, providers=LIMITED)
    app.limiter.is_busy = True
    app.send(promotion())
    return lambda: setattr(app.limiter, "is_busy", False)


def _wait_for_a_circuit(app: Application) -> Callable[[], None]:
    app.transport.replies = [unauthorized()]
    app.send(promotion())
    return lambda: None


def _wait_for_a_retry(app: Application) -> Callable[[], None]:
    app.transport.replies = [unreached()]
    app.send(promotion())
    return lambda: None


def _wait_for_a_stop(app: Application) -> Callable[[], None]:
    change_settings(app, **SHORT_HORIZON, sending_enabled=False)
    app.send(promotion())
    return lambda: change_settings(app, **SHORT_HORIZON)


def _wait_for_a_credential(app: Application) -> Callable[[], None]:
    good = app.secret.secret
    app.secret.secret = type(good)(webhook_tokens=good.webhook_tokens, credentials={**good.credentials, "nomsa": {}})
    app.send(promotion())
    return lambda: setattr(app.secret, "secret", good)


WAITS = [_wait_for_the_rate, _wait_for_a_circuit, _wait_for_a_retry, _wait_for_a_stop, _wait_for_a_credential]


@pytest.mark.parametrize("wait", WAITS, ids=[wait.__name__.removeprefix("_wait_for_") for wait in WAITS])
def test_message_that_waits_until_the_night_is_sent_in_the_morning(
    wait: Callable[[Application], Callable[[], None]],
) -> None:
    app = application(now=EVENING, **SHORT_HORIZON)
    end_cause = wait(app)
    before = calls(app)
    assert app.message().status is Status.QUEUED

    app.transport.replies = [accept_all()]
    follow(app, at("21:10"))
    end_cause()
    for hour in (22, 23):
        follow(app, at(f"{hour}:00"))
    held = app.message()
    assert calls(app) == before
    assert (held.status, held.due_at) == (Status.QUEUED, MORNING)

    follow(app, MORNING)
    assert calls(app) == before + 1
    assert app.message().status is Status.ACCEPTED
    assert [s for s in statuses(app.message()) if s is Status.SCHEDULED] == []


def test_failover_in_the_night_waits_for_the_morning() -> None:
    app = application(unreached(), now=at("20:58"))
    app.send(promotion(recipient=THAI))
    assert app.message().route == ("smspoh", "nomsa")

    app.transport.replies = [accept_all()]
    app.clock.now = at("21:00")
    app.resume()
    assert (app.message().status, app.message().due_at) == (Status.QUEUED, MORNING)
    assert calls(app) == 1

    follow(app, MORNING)
    assert (app.message().status, app.message().provider) == (Status.ACCEPTED, "smspoh")


def test_message_that_is_sent_again_waits_for_the_morning() -> None:
    app = application(lost(), nomsa_list(), nomsa_list(), now=at("20:57"))
    app.send(promotion(on_unknown="resend"))
    for now in (at("20:59"), at("21:01")):
        app.clock.now = now
        app.follow_up()
    assert app.message().status is Status.QUEUED

    app.transport.replies = [accept_all()]
    app.resume()
    assert (app.message().status, app.message().due_at) == (Status.QUEUED, MORNING)

    follow(app, MORNING)
    assert (app.message().status, calls(app)) == (Status.ACCEPTED, 2)


def test_waiting_message_that_expires_in_the_night_fails_when_it_meets_it() -> None:
    app = application(unreached(), now=EVENING)
    app.send(promotion(expires_at=to_text(at("23:00"))))

    follow(app, at("21:00"))

    assert app.message().failure == EXPIRES_BEFORE


def test_time_in_quiet_hours_does_not_count_towards_the_horizon() -> None:
    app = application(unreached(), now=at("20:00"), **SHORT_HORIZON)
    app.send(promotion())
    for now in (at("20:59"), at("23:00"), MORNING, MORNING + 50 * MINUTE):
        follow(app, now)
        app.resume()  # a duplicate of the wake-up
    assert app.message().status is Status.QUEUED

    follow(app, MORNING + 62 * MINUTE)
    assert app.message().failure == Failure(reason=Reason.PROVIDER_ERROR, detail="no connection: refused")


def test_expired_message_ends_as_expired_at_night() -> None:
    app = application(now=at("12:00"))
    app.send(promotion(send_at=to_text(at("20:30")), expires_at=to_text(at("20:50"))))

    follow(app, NIGHT)

    assert app.message().failure == Failure(reason=Reason.EXPIRED, detail="expires_at: has passed")


# --- other settings while messages wait -------------------------------------------------------------------------------


def test_shorter_quiet_hours_wake_no_message_earlier() -> None:
    app = application()
    app.send(promotion())
    change_settings(app, quiet_hours={"KH": {"from": "21:00", "to": "06:00"}})

    follow(app, at("07:00", day=22))
    assert app.message().status is Status.SCHEDULED

    follow(app, MORNING)
    assert app.message().status is Status.ACCEPTED


def test_longer_quiet_hours_hold_a_message_again() -> None:
    app = application()
    app.send(promotion())
    change_settings(app, quiet_hours={"KH": {"from": "21:00", "to": "09:30"}})

    follow(app, MORNING)
    later = at("09:30", day=22)
    assert (statuses(app.message()), app.message().send_at) == ([Status.SCHEDULED], later)
    assert app.sequences() == [1]

    follow(app, later)
    assert app.message().status is Status.ACCEPTED


def test_scheduled_message_meets_quiet_hours_that_are_set_later() -> None:
    app = application(now=at("12:00"), quiet_hours={})
    app.send(promotion(send_at=to_text(NIGHT)))
    change_settings(app, **QUIET)

    follow(app, NIGHT)

    assert (app.message().status, app.message().send_at) == (Status.SCHEDULED, MORNING)
    assert app.transport.requests == []


def test_stop_that_ends_in_the_night_is_counted_once() -> None:
    app = application(now=EVENING, sending_enabled=False, **SHORT_HORIZON)
    app.send(promotion())
    follow(app, NIGHT)
    change_settings(app, **SHORT_HORIZON)

    follow(app, MORNING)

    assert app.message().status is Status.ACCEPTED
    assert app.message().held_seconds == (MORNING - EVENING).total_seconds()


# --- several messages -------------------------------------------------------------------------------------------------


def test_promotional_messages_share_a_call_in_the_morning_and_a_password_does_not_wait() -> None:
    sent: list[list[str]] = []

    def reply(call: HttpRequest) -> HttpResponse:
        messages = json.loads(call.body).get("messages") or [json.loads(call.body)]
        sent.append([message["to"] for message in messages])
        rows = [{**message, "messageId": message["to"], "status": "Accepted"} for message in messages]
        return HttpResponse(status=201, body=json.dumps({"messages": rows}).encode())

    app = application(reply)
    numbers = [RECIPIENTS["smspoh"][:-2] + f"{n:02}" for n in range(3)]
    promotions = [promotion(f"m-{n}", recipient=number) for n, number in enumerate(numbers)]
    app.send(*promotions, request("m-9", "smspoh", category="otp"))
    assert sent == [[RECIPIENTS["smspoh"]]]

    follow(app, at("08:30", day=22))

    assert sent[1:] == [numbers]
    assert {m.status for m in app.store.messages.values()} == {Status.ACCEPTED}
    assert {m.category for m in app.store.messages.values()} == {Category.PROMOTIONAL, Category.OTP}
