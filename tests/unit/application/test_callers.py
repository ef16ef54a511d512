"""The caller of a message: fixed by its first request, told in events, and held to rules of its own."""

from typing import Any

import pytest

from sampai.contract.events import request_rejected
from sampai.domain.caller import Caller
from sampai.domain.failure import Failure, Reason
from sampai.domain.status import Status
from tests.harness.application import Application, nomsa_taken, request, unreached
from tests.unit.application.providers import PROVIDERS, change_settings, new_application

PAYMENTS, SHOP, OURS = "AROAPAYMENTS", "AIDASHOP", "AROASAMPAISEND"
NAMED = {PAYMENTS: {"name": "payments"}}
SENDER_NOT_ALLOWED = Failure(reason=Reason.INVALID_SENDER, detail="sender: not in the list of allowed ones")


def caller_of(app: Application, message_id: str = "m-1") -> tuple[str, str] | None:
    caller = app.message(message_id).caller
    return None if caller is None else (caller.id, caller.name)


def callers_in_events(app: Application) -> list[str | None]:
    return [event.detail["caller"] for event in app.store.events]


CALLERS = [
    ("with a name", PAYMENTS, (PAYMENTS, "payments"), "payments"),
    ("without a name", SHOP, (SHOP, SHOP), SHOP),
    ("that the queue does not tell", None, None, None),
]


@pytest.mark.parametrize(("caller_id", "caller", "name"), [c[1:] for c in CALLERS], ids=[c[0] for c in CALLERS])
def test_events_have_the_name_of_the_caller_or_else_its_id(
    caller_id: str | None, caller: tuple[str, str] | None, name: str | None
) -> None:
    app = new_application(callers=NAMED)

    app.send(request(), caller_id=caller_id)

    assert caller_of(app) == caller
    assert callers_in_events(app) == [name, name]
    (line,) = [fields for _, text, fields in app.telemetry.lines if text == "message attempted"]
    assert line["caller"] == name


def test_wake_up_and_repeated_request_leave_the_caller_as_it_was() -> None:
    app = new_application(callers=NAMED)
    app.transport.replies = [unreached(), nomsa_taken()]
    app.send(request(), caller_id=PAYMENTS)

    bodies, app.queue.wake_ups = app.queue.bodies(), []
    app.clock.advance(minutes=1)
    app.send(*bodies, caller_id=OURS)
    app.send(request(), caller_id=SHOP)

    assert (app.message().status, app.message().attempt) == (Status.ACCEPTED, 2)
    assert caller_of(app) == (PAYMENTS, "payments")
    assert set(callers_in_events(app)) == {"payments"}
    assert app.bus.events == []


def test_different_request_of_another_caller_is_rejected_in_its_own_name() -> None:
    app = new_application(callers=NAMED)
    app.send(request(), caller_id=SHOP)

    app.send(request(recipient="+85591234511"), caller_id=PAYMENTS)

    detail = "message_id: already stands for a different request"
    by_payments = Caller(id=PAYMENTS, name="payments")
    assert app.bus.events == [request_rejected("m-1", "id_conflict", detail, caller=by_payments)]
    assert caller_of(app) == (SHOP, SHOP)


UNREADABLE = [("no JSON", "not json", "r-1"), ("an unknown field", request(colour="red"), "m-1")]


@pytest.mark.parametrize(("body", "message_id"), [u[1:] for u in UNREADABLE], ids=[u[0] for u in UNREADABLE])
def test_invalid_request_has_a_caller(body: str, message_id: str) -> None:
    app = new_application(callers=NAMED)

    app.send(body, caller_id=PAYMENTS)

    assert caller_of(app, message_id) == (PAYMENTS, "payments")
    assert callers_in_events(app) == ["payments"]
    assert [event.detail["caller"] for event in app.bus.events] == ["payments"] * (message_id == "r-1")


def test_new_name_holds_for_new_messages_and_does_not_start_a_limit_again() -> None:
    limits = {"limits": {"per_day": 1}}
    app = new_application(callers={PAYMENTS: {"name": "payments"} | limits})
    app.send(request("m-1"), caller_id=PAYMENTS)

    change_settings(app, callers={PAYMENTS: {"name": "billing"} | limits})
    app.send(request("m-2"), caller_id=PAYMENTS)

    assert [caller_of(app, message_id) for message_id in ("m-1", "m-2")] == [
        (PAYMENTS, "payments"),
        (PAYMENTS, "billing"),
    ]
    assert app.message("m-2").failure == Failure(
        reason=Reason.BLOCKED, detail=f"callers.{PAYMENTS}.limits.per_day: reached"
    )


# --- rules ----------------------------------------------------------------------------------------------------------

RULES: list[tuple[str, dict[str, Any], dict[str, Any], Failure | None]] = [
    ("no rule", {}, {"sender": "Anything"}, None),
    ("a sender in its list", {"allowed_senders": ["MyBank"]}, {"sender": "MyBank"}, None),
    ("a sender that is not in its list", {"allowed_senders": ["MyBank"]}, {"sender": "MyShop"}, SENDER_NOT_ALLOWED),
    ("the default sender", {"allowed_senders": []}, {}, None),
    (
        "a sender that only the caller may use, not the provider",
        {"allowed_senders": ["Unlisted"]},
        {"sender": "Unlisted", "home": "smspoh"},
        SENDER_NOT_ALLOWED,
    ),
    ("short enough", {"limits": {"max_segments": 2}}, {"content": {"type": "text", "text": "x" * 306}}, None),
    (
        "too long",
        {"limits": {"max_segments": 2}},
        {"content": {"type": "text", "text": "x" * 307}},
        Failure(
            reason=Reason.TOO_LONG,
            detail=f"content.text: has 3 segments, callers.{PAYMENTS}.limits.max_segments allows 2",
        ),
    ),
]


@pytest.mark.parametrize(("rules", "changes", "failure"), [r[1:] for r in RULES], ids=[r[0] for r in RULES])
def test_rules_of_a_caller_hold_for_its_requests_alone(
    rules: dict[str, Any], changes: dict[str, Any], failure: Failure | None
) -> None:
    smspoh = {"smspoh": {"sender": "Sampai", "allowed_senders": ["MyBank", "MyShop"]}}
    app = new_application(callers={PAYMENTS: rules}, providers=PROVIDERS | smspoh)

    app.send(request("m-1", **changes), caller_id=PAYMENTS)
    app.send(request("m-2", **changes | {"home": "nomsa"}), caller_id=SHOP)

    assert app.message("m-1").failure == failure
    assert app.message("m-2").failure is None
    assert len(app.transport.requests) == (1 if failure else 2)


def test_waiting_message_fails_once_its_caller_may_not_use_its_sender() -> None:
    app = new_application(sending_enabled=False)
    app.send(request("m-1", sender="MyBank"), caller_id=PAYMENTS)
    app.send(request("m-2", sender="MyBank"), caller_id=SHOP)
    change_settings(app, callers={PAYMENTS: {"allowed_senders": []}})

    app.resume()

    assert app.message("m-1").failure == SENDER_NOT_ALLOWED
    assert app.message("m-2").status is Status.ACCEPTED


def test_limits_of_a_caller_count_beside_those_of_all() -> None:
    app = new_application(limits={"per_day": 3}, callers={PAYMENTS: {"limits": {"per_day": 2}}})

    for number in range(3):
        app.send(request(f"p-{number}"), caller_id=PAYMENTS)
    for number in range(2):
        app.send(request(f"s-{number}"), caller_id=SHOP)

    failures = {name: message.failure.detail for name, message in app.store.messages.items() if message.failure}
    assert failures == {"p-2": f"callers.{PAYMENTS}.limits.per_day: reached", "s-1": "limits.per_day: reached"}
    assert app.directory.counts == {f"all#2026-11-21#{PAYMENTS}": 2, "all#2026-11-21": 3}


def test_limit_of_a_caller_for_one_number_leaves_the_number_to_other_callers() -> None:
    app = new_application(callers={PAYMENTS: {"limits": {"per_recipient_per_hour": 1}}})

    app.send(request("p-0"), request("p-1"), caller_id=PAYMENTS)
    app.send(request("s-0"), request("s-1"), caller_id=SHOP)

    assert [message_id for message_id, message in app.store.messages.items() if message.failure] == ["p-1"]


def test_rules_hold_after_the_settings_had_no_name_and_got_one() -> None:
    app = new_application(sending_enabled=False)
    app.send(request(sender="MyBank"), caller_id=PAYMENTS)
    change_settings(app, callers={PAYMENTS: {"name": "payments", "allowed_senders": []}})

    app.resume()

    assert (caller_of(app), app.message().failure) == ((PAYMENTS, PAYMENTS), SENDER_NOT_ALLOWED)
