"""Rows of the failure model, one by one: a process dies or an answer is lost, and the message still ends correctly."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import chain, count, repeat
from typing import NoReturn

import pytest

from sampai.adapters.items import BUFFERED_REPORT_RETENTION, RETENTION, to_item
from sampai.contract.settings import BrokenSettingsError, parse_settings
from sampai.domain.failure import Reason
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.status import Status
from sampai.services.ports.messages import Write, WriteResult
from sampai.services.ports.transport import NoResponse
from tests.covers import covers
from tests.fakes import START, statuses
from tests.harness.application import (
    Application,
    by_host,
    lost,
    nomsa_list,
    nomsa_taken,
    nusasms_taken,
    request,
    smspoh_history,
    smspoh_row,
    smspoh_taken,
    unreached,
)
from tests.template import template

NOMSA, NUSASMS, SMSPOH = "api.nomsa.gov.kh", "api.nusasms.com", "v3.smspoh.com"


class DeathError(BaseException):
    """The process died."""


class Vendor:
    """SMSPoh in short: it counts the calls, delivers every message that it accepts, and lists those."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.accepted: list[str] = []
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], HttpResponse | NoResponse | None] = lambda: None

    def __call__(self, request: HttpRequest) -> HttpResponse | NoResponse:
        if request.method == "GET":
            return smspoh_history(*(smspoh_row(f"AA-{name}", name, "Success") for name in self.accepted))
        reference = json.loads(request.body)["clientReference"]
        self.calls.append(reference)
        self.before()
        self.accepted.append(reference)
        return self.after() or smspoh_taken(f"AA-{reference}", reference)


def die(*_: object) -> NoReturn:
    raise DeathError


# --- one interrupted send -------------------------------------------------------------------------------------------

Commit = Callable[[Sequence[Write]], list[WriteResult]]
Break = Callable[[Application, Vendor], None]


def at_commit(number: int, instead: Callable[[Commit, Sequence[Write]], list[WriteResult]]) -> Break:
    """Return a break that replaces the commit with this number, counted from 1; empty commits do not count."""

    def breaks(app: Application, _: Vendor) -> None:
        commit, numbers = app.store.commit, count(1)

        def broken(writes: Sequence[Write]) -> list[WriteResult]:
            return instead(commit, writes) if writes and next(numbers) == number else commit(writes)

        app.store.commit = broken  # type: ignore[method-assign]

    return breaks


def die_before(_: Commit, __: Sequence[Write]) -> list[WriteResult]:
    raise DeathError


def die_after(commit: Commit, writes: Sequence[Write]) -> list[WriteResult]:
    commit(writes)
    raise DeathError


def commit_twice(commit: Commit, writes: Sequence[Write]) -> list[WriteResult]:
    commit(writes)
    return commit(writes)


def commit_without_an_answer(commit: Commit, writes: Sequence[Write]) -> list[WriteResult]:
    return [WriteResult(done=False) for _ in commit(writes)]


def die_in_call(when: str) -> Break:
    def breaks(_: Application, vendor: Vendor) -> None:
        setattr(vendor, when, die)

    return breaks


def answer_lost_then(instead: Callable[[Commit, Sequence[Write]], list[WriteResult]]) -> Break:
    def breaks(app: Application, vendor: Vendor) -> None:
        vendor.after = lost
        at_commit(2, instead)(app, vendor)

    return breaks


def nothing_breaks(_: Application, __: Vendor) -> None:
    pass


CLAIM, RESULT = 1, 2

POINTS: list[tuple[str, Break, Status | None, int, Status]] = [
    # title, break, status after it (None: not stored), vendor calls at the end, final status
    ("P0: dead before the claim", at_commit(CLAIM, die_before), None, 1, Status.DELIVERED),
    ("P2: the claim is written twice", at_commit(CLAIM, commit_twice), Status.ACCEPTED, 1, Status.DELIVERED),
    (
        "P3: the answer to the claim is lost",
        at_commit(CLAIM, commit_without_an_answer),
        Status.ACCEPTED,
        1,
        Status.DELIVERED,
    ),
    ("P4: dead after the claim", at_commit(CLAIM, die_after), Status.SENDING, 0, Status.UNCONFIRMED),
    ("P5, P6: dead before the vendor accepts", die_in_call("before"), Status.SENDING, 1, Status.UNCONFIRMED),
    ("P6, P7: dead after the vendor accepts", die_in_call("after"), Status.SENDING, 1, Status.DELIVERED),
    ("P8, P9: dead before the result", at_commit(RESULT, die_before), Status.SENDING, 1, Status.DELIVERED),
    ("P10: the result is written twice", at_commit(RESULT, commit_twice), Status.ACCEPTED, 1, Status.DELIVERED),
    (
        "P10: the answer to the result is lost",
        at_commit(RESULT, commit_without_an_answer),
        Status.ACCEPTED,
        1,
        Status.DELIVERED,
    ),
    ("P12: dead after the result", at_commit(RESULT, die_after), Status.ACCEPTED, 1, Status.DELIVERED),
    ("P13: the record was not deleted", nothing_breaks, Status.ACCEPTED, 1, Status.DELIVERED),
    ("P15: dead after `unknown`", answer_lost_then(die_after), Status.UNKNOWN, 1, Status.DELIVERED),
]


@covers("P0", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10", "P12", "P13", "P15", "D1", "D2")
@covers("I1", "I2", "I5", "E1", "E3")
@pytest.mark.parametrize("is_delivered_again", [True, False], ids=["delivered again", "not delivered again"])
@pytest.mark.parametrize(
    ("breaks", "status", "calls", "end"), [point[1:] for point in POINTS], ids=[point[0] for point in POINTS]
)
def test_an_interrupted_send_is_never_repeated_and_reaches_a_final_status(
    breaks: Break, status: Status | None, calls: int, end: Status, is_delivered_again: bool
) -> None:
    vendor = Vendor()
    app = Application(vendor)
    breaks(app, vendor)
    body = request(home="smspoh")

    with suppress(DeathError):
        app.send(body)
    assert (app.message().status if app.store.messages else None) is status

    vendor.before = vendor.after = lambda: None
    for _ in range(3):
        if is_delivered_again or status is None:
            app.send(body, sender=app.new_sender())
        app.clock.advance(seconds=61)
    _until_the_end(app)

    assert (len(vendor.calls), app.message().status) == (calls, end)
    assert app.message().due_at is None
    assert app.sequences() == list(range(1, app.message().sequence + 1))


def _until_the_end(app: Application) -> None:
    for _ in range(30):
        app.follow_up()
        app.resume()
        app.clock.advance(hours=6)
    app.follow_up()


@covers("P14", "I1", "I9")
def test_each_message_of_an_interrupted_batch_ends_by_its_own_evidence() -> None:
    vendor = Vendor()
    app = Application(vendor)
    bodies = [request(name, home="smspoh") for name in ("first", "second", "third")]
    vendor.after = lambda: die() if len(vendor.calls) == 2 else None

    with pytest.raises(DeathError):
        app.send(*bodies)
    vendor.after = lambda: None
    app.clock.advance(seconds=61)
    app.send(*bodies, sender=app.new_sender())
    _until_the_end(app)

    assert vendor.calls == ["first", "second"]
    assert {name: message.status for name, message in app.store.messages.items()} == {
        "first": Status.DELIVERED,
        "second": Status.DELIVERED,
        "third": Status.UNCONFIRMED,
    }


# --- the queue ------------------------------------------------------------------------------------------------------


@covers("Q3", "I1")
def test_a_dead_letter_that_is_redriven_days_later_is_not_sent_again() -> None:
    app = Application()
    app.send(request())
    before = app.message()

    app.clock.advance(days=13)
    unfinished = app.send(request(), sender=app.new_sender())

    assert (unfinished, len(app.transport.requests)) == ([], 1)
    assert app.message() == before


@covers("Q3", "I7")
def test_an_expired_dead_letter_is_not_sent() -> None:
    app = Application()
    app.store.is_down = True
    body = request(category="otp", expires_at="2026-11-21T10:05:00Z")
    assert app.send(body) == ["r-1"]

    app.store.is_down = False
    app.clock.advance(days=3)
    app.send(body)

    assert app.transport.requests == []
    failure = app.message().failure
    assert failure is not None
    assert failure.reason is Reason.EXPIRED


@covers("Q6", "I10")
def test_messages_without_time_for_a_call_wait_in_the_table_and_not_in_the_queue() -> None:
    app = Application()
    app.seconds_left = 14.0

    unfinished = app.send(request("a"), request("b"))
    assert (unfinished, app.transport.requests) == ([], [])

    app.seconds_left = 30.0
    app.clock.advance(seconds=10)
    app.transport.replies = [nomsa_taken("1"), nomsa_taken("2")]
    app.resume()

    assert {m.status for m in app.store.messages.values()} == {Status.ACCEPTED}


@covers("Q7", "Q8")
def test_long_throttling_ends_the_wake_ups_and_leaves_the_message_to_the_due_index() -> None:
    """Lambda stops a function that feeds its own queue for sixteen rounds; follow-up starts a new count of rounds."""
    app = Application(HttpResponse(status=429, body=b"{}"))
    assert app.send(request()) == []
    rounds = 0
    while app.queue.wake_ups:
        app.clock.advance(hours=1)
        assert app.resume() == []
        rounds += 1

    assert rounds < 15
    assert app.message().status is Status.QUEUED
    app.transport.replies = [nomsa_taken()]
    app.clock.advance(hours=1)
    app.follow_up()
    app.resume()
    assert app.message().status is Status.ACCEPTED


@covers("P1")
def test_a_message_without_a_queued_wake_up_is_found_by_the_due_index(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Application()

    with monkeypatch.context() as dying:
        dying.setattr(app.queue, "put", die)
        with pytest.raises(DeathError):
            app.send(request(send_at="2026-11-21T10:05:00Z"))
    app.clock.advance(minutes=8)
    app.follow_up()
    app.resume()

    assert statuses(app.message()) == [Status.SCHEDULED, Status.SENDING, Status.ACCEPTED]


# --- follow-up ------------------------------------------------------------------------------------------------------


@covers("P17", "E1")
@pytest.mark.parametrize("is_made", [False, True], ids=["before the call", "after the call"])
@pytest.mark.parametrize(
    ("port", "step", "number"),
    [
        ("store", "commit", 1),
        ("store", "commit", 2),
        ("store", "claim", 1),
        ("store", "claim", 2),
        ("queue", "put", 1),
    ],
)
def test_a_follow_up_that_dies_leaves_the_rest_to_the_next_run(
    port: str, step: str, number: int, is_made: bool
) -> None:
    vendor = Vendor()
    app = Application(vendor)
    vendor.after = lost
    app.send(request("lost", home="smspoh"))
    vendor.after = lambda: None
    app.send(request("taken", home="smspoh"), request("later", home="smspoh", send_at="2026-11-21T10:00:10Z"))
    app.queue.wake_ups.clear()
    app.clock.advance(minutes=10)
    dying, numbers = getattr(app, port), count(1)
    make = getattr(dying, step)

    def die_at_it(*args: object) -> object:
        is_it = next(numbers) == number
        made = make(*args) if is_made or not is_it else None
        if is_it:
            die()
        return made

    setattr(dying, step, die_at_it)
    with pytest.raises(DeathError):
        app.follow_up()
    setattr(dying, step, make)
    _until_the_end(app)

    assert sorted(vendor.calls) == ["later", "lost", "taken"]
    assert {m.status for m in app.store.messages.values()} == {Status.DELIVERED}


@covers("D5")
@pytest.mark.parametrize("stale", [["done"], ["early"], ["gone"], ["done", "early", "gone", "done"]])
def test_a_stale_due_index_causes_no_write_wake_up_or_call(stale: list[str]) -> None:
    app = Application(nusasms_taken("0017"), nomsa_taken("145"))
    app.send(request("done", home="nusasms"))
    app.receive("nusasms", "sms-receipt", query="ref_no=0017&status=DELIVERED")
    app.send(request("early"))
    before = dict(app.store.messages)
    app.store.shown_due = stale

    app.follow_up()

    assert (app.store.messages, app.queue.wake_ups) == (before, [])
    assert len(app.transport.requests) == 2


@covers("D5", "E1")
def test_a_message_that_the_due_index_shows_late_is_followed_up_late() -> None:
    app = Application(nomsa_taken("145"), nomsa_list())
    app.send(request())
    app.store.shown_due = []
    app.clock.advance(hours=73)
    assert app.follow_up() == 0

    app.store.shown_due = None
    app.follow_up()

    assert app.message().status is Status.UNCONFIRMED


@covers("D6")
def test_a_message_is_retained_for_longer_than_its_request_can_be_delivered_again() -> None:
    """Late deletion by TTL is harmless: no code relies on it. Early deletion would allow a second send."""
    queues = template()["Resources"]
    kept = {name: queues[name]["Properties"]["MessageRetentionPeriod"] for name in ("SendQueue", "DeadLetterQueue")}
    in_queues = timedelta(seconds=2 * kept["SendQueue"] + kept["DeadLetterQueue"])
    longest = parse_settings('{"report_horizon_hours": 720}').report_horizon_hours
    with pytest.raises(BrokenSettingsError):
        parse_settings('{"report_horizon_hours": 721}')

    assert timedelta(hours=longest) + in_queues < RETENTION
    assert timedelta(hours=parse_settings("{}").report_horizon_hours) < BUFFERED_REPORT_RETENTION


TEMPLATE = "7e000000-0000-4000-8000-000000000002"
ITEM_LIMIT = 400 * 1024
"""The maximum size of a DynamoDB item, in bytes."""


@covers("D7")
@pytest.mark.parametrize(
    "content",
    [
        {"type": "text", "text": "😀" * 4096},
        {"type": "media", "media_url": "https://a.example/" + "a" * 2000, "caption": "😀" * 4096},
        {"type": "template", "template_id": TEMPLATE, "parameters": ["a" * 2000] * 30, "recipient_name": "😀" * 128},
    ],
    ids=["text", "media", "template"],
)
def test_the_largest_message_with_the_longest_history_fits_into_an_item(content: dict[str, object]) -> None:
    app = Application(unreached())
    channel, sender = "whatsapp", "6281100000090"
    if content["type"] == "template":
        channel, sender = "whatsapp_official", "c0000000-0000-4000-8000-000000000001"
    metadata = {f"{n}" * 64: "😀" * 512 for n in range(10)}
    app.send(request("m" * 64, "nusasms", channel=channel, content=content, sender=sender, metadata=metadata))
    message = app.message("m" * 64)
    assert message.status is Status.QUEUED

    waited = replace(message, history=message.history * 25)

    assert len(json.dumps(to_item(waited), ensure_ascii=False).encode()) < ITEM_LIMIT / 4


@covers("D7")
def test_the_largest_e_mail_with_the_longest_history_fits_into_an_item() -> None:
    app = Application(unreached())
    addresses = [f"{'a' * 64}@{'b' * 62}.{'c' * 62}.{'d' * 60}.kh"] * 20
    content = {
        "type": "email",
        "subject": "😀" * 255,
        "body": "😀" * (80_000 - 256),
        "cc": addresses,
        "bcc": addresses,
        "attachments": [{"file_name": "😀" * 128, "content_base64": "AA=="}] * 10,
    }
    metadata = {f"{n}" * 64: "😀" * 512 for n in range(10)}
    app.send(request("m" * 64, channel="email", recipient=addresses[0], content=content, metadata=metadata))
    message = app.message("m" * 64)
    assert message.status is Status.QUEUED

    waited = replace(message, history=message.history * 25)

    assert len(json.dumps(to_item(waited), ensure_ascii=False).encode()) < ITEM_LIMIT


@covers("D7", "Q4")
def test_a_text_of_a_megabyte_fails_and_is_not_stored() -> None:
    app = Application()

    assert app.send(request("good"), request("large", content={"type": "text", "text": "a" * 2**20})) == []

    assert app.message("good").status is Status.ACCEPTED
    assert app.message("large").status is Status.FAILED
    assert len(json.dumps(to_item(app.message("large")))) < 2000


@covers("L3", "I10")
def test_a_run_out_of_time_leaves_the_shortest_due_messages_to_the_next_run() -> None:
    app = Application(unreached())
    for number in range(450):
        app.clock.advance(seconds=0.1)
        app.send(request(f"m-{number:03}"))
    app.clock.advance(minutes=10)
    app.queue.wake_ups.clear()
    seconds = chain([50.0, 50.0], repeat(10.0))

    first = app.follower.run(remaining=lambda: next(seconds))
    woken = [wake_up.message_id for wake_up in app.queue.wake_ups]
    rest = app.follow_up()

    assert (first, rest) == (200, 250)
    assert woken == [f"m-{number:03}" for number in range(200)]


# --- vendors --------------------------------------------------------------------------------------------------------


@covers("V8", "I9")
def test_a_vendor_outage_delays_only_its_own_messages() -> None:
    app = Application(by_host({NOMSA: [unreached()], SMSPOH: [smspoh_taken(reference="other")]}))
    app.send(request("patient"), request("urgent", expires_at="2026-11-21T10:30:00Z"), request("other", home="smspoh"))
    for _ in range(20):
        app.clock.advance(minutes=3)
        app.follow_up()
        app.resume()
    assert {name: m.status for name, m in app.store.messages.items() if name != "other"} == {
        "patient": Status.QUEUED,
        "urgent": Status.FAILED,
    }
    assert app.message("other").attempt == 1

    app.transport.replies = [nomsa_taken()]
    app.clock.advance(hours=1)
    app.follow_up()
    app.resume()

    assert app.message("patient").status is Status.ACCEPTED


# --- reports and clocks ---------------------------------------------------------------------------------------------


@covers("W5")
@pytest.mark.parametrize("days", [1, 89])
def test_a_receipt_that_is_replayed_days_later_changes_nothing(days: int) -> None:
    app = Application(smspoh_taken("AA-1"))
    app.send(request(home="smspoh"))
    receipts = [f"messageId=AA-1&clientReference=m-1&status={word}" for word in ("Sent", "Success")]
    for receipt in receipts:
        app.receive(query=receipt)
    before = app.message()

    app.clock.advance(days=days)
    for receipt in receipts:
        app.receive(query=receipt)

    assert app.message() == before


@covers("Q10")
@pytest.mark.parametrize("seconds", [-300, -30, 30, 300])
def test_a_wrong_clock_causes_no_second_send(seconds: int) -> None:
    def meanwhile(_: HttpRequest) -> HttpResponse:
        app.clock.advance(seconds=seconds)
        app.follow_up()
        app.send(request(), sender=app.new_sender())
        app.clock.now = START
        return nomsa_taken("145")

    app = Application(meanwhile, nomsa_list())

    app.send(request())

    assert sum(r.method == "POST" for r in app.transport.requests) == 1
    assert (app.message().status, app.message().provider_message_id) == (Status.ACCEPTED, "145")


@covers("L3", "I9")
def test_a_vendor_that_does_not_respond_leaves_time_for_the_others() -> None:
    seconds = 50.0

    def silent(request: HttpRequest) -> NoResponse:
        nonlocal seconds
        seconds -= 10
        return lost()

    app = Application(*(nomsa_taken(str(number)) for number in range(5)), smspoh_taken("AA-1", "other"))
    app.send(*(request(f"m-{number}") for number in range(5)), request("other", home="smspoh"))
    history = smspoh_history(smspoh_row("AA-1", "other", "Success"))
    app.transport.replies = [by_host({NOMSA: [silent], SMSPOH: [history]})]
    app.clock.advance(minutes=2)

    app.follower.run(remaining=lambda: seconds)

    assert app.message("other").status is Status.DELIVERED
