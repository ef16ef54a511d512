"""Whole lives of messages: the times at which the follow-up reads them, and the write units of DynamoDB."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from benchmarks.billing import index_units, write_units
from sampai.domain.http import HttpRequest
from sampai.domain.status import Status
from sampai.services.ports.configuration import Secret
from sampai.services.webhook.service import Answer
from tests.fakes import START, FixedClock, RecordingTelemetry, Reply, statuses
from tests.harness.application import (
    SECRET,
    SETTINGS,
    Application,
    lost,
    nomsa_taken,
    nusasms_taken,
    request,
    smspoh_history,
    smspoh_row,
    smspoh_taken,
)
from tests.harness.dynamo import Item
from tests.harness.table_store import TableStore
from tests.harness.vendors import json_response

DELIVERED = {"status": "DELIVERED", "delivered_at": "2026-11-21T10:00:05.000Z"}
AUDIENCE: dict[str, Any] = {"recipient": None, "audience": {"lists": ["6415907d0d37a"]}, "provider": "smsnoc"}
SENDERS = {"providers": {**SETTINGS["providers"], "nusasms": {"senders": {"whatsapp": "6281100000090"}}}}


class MeteredStore(TableStore):
    """Counts the write units of both tables, and those of the due index among them."""

    def __init__(self) -> None:
        super().__init__(clock=FixedClock(), telemetry=RecordingTelemetry())
        self.units = self.index_units = 0

    def written(self, table: str, before: Item | None, after: Item) -> None:
        super().written(table, before, after)
        index = index_units(before, after, self.client.tables[table].index or ("none",))
        self.index_units += index
        self.units += write_units(before, after) + index


@dataclass(frozen=True, kw_only=True)
class Life:
    name: str
    body: str
    replies: tuple[Reply, ...]
    receipt: dict[str, Any] | None = None
    """Arrives five seconds after the message was sent."""
    status: Status = Status.DELIVERED
    follow_ups: list[float] = field(default_factory=list)
    """Ages in seconds at which the follow-up read the message."""
    calls: int
    """Calls to the vendor after the send."""
    units: int
    index_units: int


def noc(word: str) -> Any:
    return json_response(200, {"status": "success", "data": {"uid": "u-1", "status": word}})


HORIZON = 72 * 3600

LIVES = [
    Life(
        name="delivered at the first look",
        body=request(),
        replies=(nomsa_taken("145"), nomsa_taken("145", **DELIVERED)),
        follow_ups=[60],
        calls=1,
        units=6,
        index_units=2,
    ),
    Life(
        name="delivered by a receipt",
        body=request(home="smspoh"),
        replies=(smspoh_taken("AA-1", "m-1"),),
        receipt={"query": "messageId=AA-1&clientReference=m-1&status=Success"},
        calls=0,
        units=6,
        index_units=2,
    ),
    Life(
        name="delivered at the second look",
        body=request(),
        replies=(nomsa_taken("145"), nomsa_taken("145", status="SENT"), nomsa_taken("145", **DELIVERED)),
        follow_ups=[60, 120],
        calls=2,
        units=9,
        index_units=4,
    ),
    Life(
        name="a receipt is lost: the vendor is asked once it is overdue",
        body=request(home="smspoh"),
        replies=(smspoh_taken("AA-1", "m-1"), smspoh_history(smspoh_row("AA-1", "m-1", "Success"))),
        follow_ups=[60, 120],
        calls=1,
        units=9,
        index_units=4,
    ),
    Life(
        name="said to be delivered before that can be believed",
        body=request(home="smsnoc"),
        replies=(noc("Delivered"),),
        follow_ups=[60, 600],
        calls=2,
        units=9,
        index_units=4,
    ),
    Life(
        name="a vendor that cannot be asked",
        body=request(home="nusasms"),
        replies=(nusasms_taken("0017"),),
        status=Status.UNCONFIRMED,
        follow_ups=[60, HORIZON],
        calls=0,
        units=9,
        index_units=4,
    ),
    Life(
        name="a campaign, about which its vendor cannot be asked",
        body=request(**AUDIENCE),
        replies=(noc("Delivered"),),
        status=Status.UNCONFIRMED,
        follow_ups=[60, HORIZON],
        calls=0,
        units=9,
        index_units=4,
    ),
    Life(
        name="a lost answer of a vendor that cannot be asked",
        body=request(home="nusasms"),
        replies=(lost(),),
        status=Status.UNCONFIRMED,
        follow_ups=[15, HORIZON],
        calls=0,
        units=10,
        index_units=6,
    ),
    Life(
        name="a lost answer of a vendor with look-ups by id alone",
        body=request(home="nusasms", channel="whatsapp"),
        replies=(lost(),),
        status=Status.UNCONFIRMED,
        follow_ups=[15, HORIZON],
        calls=0,
        units=10,
        index_units=6,
    ),
]


def follow(app: Application, until: Callable[[], bool]) -> list[float]:
    """Follow up the message whenever it is due. Return its ages in seconds at these times."""
    follow_ups: list[float] = []
    while not until() and (due_at := app.message().due_at) is not None:
        app.clock.now = due_at
        follow_ups.append((due_at - START).total_seconds())
        app.follow_up()
    return follow_ups


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.name)
def test_life_costs_no_more_turns_calls_and_writes_than_it_needs(life: Life) -> None:
    store = MeteredStore()
    app = Application(*life.replies, settings=SENDERS, store=store)
    app.send(life.body)
    calls = len(app.transport.requests)
    if life.receipt is not None:
        app.clock.advance(seconds=5)
        assert app.receive(**life.receipt) is Answer.RECEIVED

    follow_ups = follow(app, lambda: app.message().status.is_final)

    assert (app.message().status, follow_ups) == (life.status, life.follow_ups)
    assert len(app.transport.requests) - calls == life.calls
    assert (store.units, store.index_units) == (life.units, life.index_units)


# --- a vendor that cannot be asked ------------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", [nusasms_taken("0017"), lost()], ids=["accepted", "unknown"])
@pytest.mark.parametrize("hours", [24, 144], ids=["shorter", "longer"])
def test_message_that_waits_for_its_horizon_ends_by_the_horizon_of_that_time(reply: Reply, hours: int) -> None:
    app = Application(reply)
    app.send(request(home="nusasms"))
    follow(app, lambda: app.message().lookups == 1)
    app.settings.settings = app.settings.settings.model_copy(update={"report_horizon_hours": hours})

    follow_ups = follow(app, lambda: app.message().status.is_final)

    assert app.message().status is Status.UNCONFIRMED
    assert follow_ups == ([HORIZON] if hours < 72 else [HORIZON, hours * 3600])


def test_receipt_ends_a_message_that_waits_for_its_horizon() -> None:
    app = Application(nusasms_taken("0017"))
    app.send(request(home="nusasms"))
    follow(app, lambda: app.message().lookups == 1)
    app.clock.advance(hours=30)

    app.receive("nusasms", "sms-receipt", query="ref_no=0017&status=D&err_code=000")

    assert (app.message().status, app.message().due_at) == (Status.DELIVERED, None)


@pytest.mark.parametrize("change", ["off", "removed from the secret", "unusable"])
def test_provider_that_cannot_be_called_now_is_asked_at_every_step(change: str) -> None:
    """Its messages do not wait for the horizon, because the operator may turn it on again."""
    app = Application(nomsa_taken("145"), nomsa_taken("145", **DELIVERED))
    app.send(request())
    if change == "off":
        providers = {"nomsa": {"enabled": False}}
        app.settings.settings = type(app.settings)(SETTINGS | {"providers": providers}).settings
    else:
        credentials: dict[str, dict[str, str]] = {"nomsa": {}} if change == "unusable" else {}
        app.secret.secret = Secret(credentials=credentials, webhook_tokens=SECRET.webhook_tokens)

    follow_ups = follow(app, lambda: app.message().lookups == 3)

    assert follow_ups == [60, 120, 420]
    assert app.message().status is Status.ACCEPTED
    app.settings.settings, app.secret.secret = type(app.settings)(SETTINGS).settings, SECRET
    assert follow(app, lambda: app.message().status.is_final) == [420 + 1800]
    assert app.message().status is Status.DELIVERED


@pytest.mark.parametrize("channel", ["sms", "whatsapp"])
def test_unknown_send_that_may_be_repeated_does_not_wait_for_the_horizon(channel: str) -> None:
    app = Application(lost(), settings=SENDERS)
    app.send(request(home="nusasms", channel=channel, on_unknown="resend"))

    assert follow(app, lambda: app.message().status is Status.QUEUED) == [15, 75]


def test_unknown_send_that_expires_before_it_is_repeated_waits_for_the_horizon() -> None:
    app = Application(lost())
    app.send(request(home="nusasms", on_unknown="resend", expires_at="2026-11-21T10:00:10Z"))

    assert follow(app, lambda: app.message().status.is_final) == [15, HORIZON]
    assert statuses(app.message()) == [Status.SENDING, Status.UNKNOWN, Status.UNCONFIRMED]


def test_message_under_a_stop_of_all_sending_ends_at_its_horizon() -> None:
    """The stop counts for messages that wait to be sent. A vendor has this one."""
    app = Application(nusasms_taken("0017"))
    app.send(request(home="nusasms"))
    app.settings.settings = app.settings.settings.model_copy(update={"sending_enabled": False})

    assert follow(app, lambda: app.message().status.is_final) == [60, HORIZON]


# --- the first look ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first_step", "expected"), [(1, 60), (60, 60), (300, 300)], ids=["shorter", "as long", "longer than the lease"]
)
def test_first_look_is_at_the_end_of_the_lease_or_after_a_longer_first_step(first_step: int, expected: int) -> None:
    def slow(_: HttpRequest) -> Any:
        app.clock.advance(seconds=9)
        return nomsa_taken("145")

    app = Application(slow, settings={"poll_seconds": [first_step, 600]})
    app.send(request())

    assert app.message().due_at == START + timedelta(seconds=expected)


def test_receipt_that_is_overdue_when_the_follow_up_comes_late_is_asked_for_at_once() -> None:
    app = Application(smspoh_taken("AA-1", "m-1"), smspoh_history(smspoh_row("AA-1", "m-1", "Success")))
    app.send(request(home="smspoh"))
    app.clock.advance(minutes=2)

    app.follow_up()

    assert app.message().status is Status.DELIVERED


def test_receipt_is_not_waited_for_beyond_the_horizon() -> None:
    app = Application(
        smspoh_taken("AA-1", "m-1"),
        smspoh_history(smspoh_row("AA-1", "m-1", "Success")),
        settings={"report_horizon_hours": 0.01},
    )
    app.send(request(home="smspoh"))
    app.clock.advance(seconds=60)

    app.follow_up()

    assert app.message().status is Status.DELIVERED
