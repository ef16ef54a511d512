"""SMS NOC answers before it knows: it refuses after the hand-over, and says `Delivered` before the handset does."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from sampai.domain.failure import ACTIONS, Failure, Reason
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.status import Source, Status
from tests.covers import covers
from tests.fakes import statuses
from tests.harness.application import RECIPIENTS, Application, lost, request, unreached
from tests.harness.vendors import FakeVendors, json_response

ROUTE = {"routes": {"sms": {"BD": ["smsnoc", "smspoh"]}}}


def error(text: str, status: int) -> HttpResponse:
    return json_response(status, {"status": "error", "message": text})


class Panel:
    """SMS NOC with one message whose word changes: `words` are pairs of an age in seconds and the word from then on."""

    def __init__(
        self,
        *words: tuple[float, str],
        answer: HttpResponse | None = None,
        settings: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.vendors = FakeVendors(clock=lambda: self.app.clock(), on_taken=self._take, late_refusal=answer)
        self.vendors.moods = {"smsnoc": "takes" if answer is None else "takes, and refuses"}
        self.words = words
        self.app = Application(self._answer, settings=dict(settings))
        self.polled_at: list[float] = []

    def send(self) -> None:
        assert self.app.send(request(home="smsnoc")) == []

    def follow(self, hours: float) -> None:
        """Follow up whenever the message is due, for some hours."""
        end = self.app.clock.now + timedelta(hours=hours)
        while (due_at := self.app.message().due_at) is not None and due_at <= end:
            self.app.clock.now = max(self.app.clock.now, due_at)
            self.app.follow_up()
            self.app.resume()

    @property
    def accepted(self) -> list[tuple[str, str]]:
        """The provider and the number of each accepted message, of all vendors."""
        return [(row.vendor.name, row.sent.number) for row in self.vendors.ledger]

    def _take(self, row: Any) -> None:
        row.word = self.words[0][1] if row.vendor.name == "smsnoc" else None

    def _answer(self, request: HttpRequest) -> Any:
        for row in self.vendors.ledger:
            age = (self.app.clock.now - row.created_at).total_seconds()
            row.word = [word for since, word in self.words if since <= age][-1]
            self.polled_at += [age] if request.method == "GET" else []
        return self.vendors(request)


# --- refusals after the hand-over -----------------------------------------------------------------------------------

LATE = [
    # The answer, and the word of the row until its receipt comes.
    (error("Failed", 403), "Failed"),
    (error("SQLSTATE[HY000]: General error: 2006 MySQL server has gone away", 200), "Delivered|15734"),
    (error("cURL error 28: Operation timed out after 30001 milliseconds", 403), "cURL error 28: Operation timed out"),
    (error("Service Unavailable", 403), "Service Unavailable"),
    (error("Enroute", 403), "Enroute"),
    (error("sending|SM0123456789", 403), "sending|SM0123456789"),
    (error("fwrite(): write of 138 bytes failed with errno=28 No space left on device", 404), "Failed"),
    (error("An unexpected error occurred. Please try again.", 422), "Failed"),
    (HttpResponse(status=403, body=b"<html>Forbidden</html>"), "Failed"),
]


@covers("V11", "I1")
@pytest.mark.parametrize(("answer", "word"), LATE, ids=[case[1][:20] + str(n) for n, case in enumerate(LATE)])
def test_a_text_that_is_refused_after_the_hand_over_is_sent_once_and_found_in_the_list(
    answer: HttpResponse, word: str
) -> None:
    panel = Panel((0, word), (420, "Delivered|15734"), answer=answer, settings=ROUTE)

    panel.send()
    panel.follow(hours=72)

    assert panel.accepted == [("smsnoc", RECIPIENTS["smsnoc"][1:])]
    message = panel.app.message()
    assert (message.status, message.provider, message.attempt) == (Status.DELIVERED, "smsnoc", 1)
    assert message.provider_message_id == "smsnoc-1"
    assert statuses(message)[:2] == [Status.SENDING, Status.UNKNOWN]
    assert not {Status.QUEUED, Status.FAILED, Status.UNDELIVERED} & set(statuses(message))


def test_the_failure_of_a_refusal_counts_once_no_receipt_has_replaced_it_for_ten_minutes() -> None:
    panel = Panel((0, "Failed"), answer=error("Failed", 403), settings=ROUTE)

    panel.send()
    panel.follow(hours=72)

    message = panel.app.message()
    assert statuses(message) == [Status.SENDING, Status.UNKNOWN, Status.ACCEPTED, Status.UNDELIVERED]
    assert message.failure == Failure(reason=Reason.PROVIDER_ERROR, detail=ACTIONS[Reason.PROVIDER_ERROR])
    assert message.history[-1].at - message.history[0].at == timedelta(minutes=10)
    assert panel.accepted == [("smsnoc", RECIPIENTS["smsnoc"][1:])]


@pytest.mark.parametrize(
    "text",
    [
        "Purchased plan is not active. Please contact support team.",
        "No sending server available for your subscribed plan",
        "Customer not found",
        "There is not enough balance available to send this message.You have 0 of the 1",
    ],
)
def test_a_text_about_the_account_sends_by_the_next_vendor_and_raises_an_alarm(text: str) -> None:
    panel = Panel((0, "-"), settings=ROUTE)
    panel.vendors.moods = {"smsnoc": "refuses"}
    panel.app.transport.replies = [error(text, 404), panel.vendors]

    panel.send()
    panel.app.resume()

    assert panel.accepted == [("smspoh", RECIPIENTS["smsnoc"][1:])]
    assert panel.app.telemetry.counts["CircuitOpened", None] == 1


def test_a_text_about_the_account_holds_a_message_that_has_no_other_vendor() -> None:
    panel = Panel((0, "Delivered"))
    panel.app.transport.replies = [error("Purchased plan is not active. Please contact support team.", 404)]

    panel.send()

    assert panel.app.message().status is Status.QUEUED
    panel.app.transport.replies = [panel.vendors]
    panel.app.clock.advance(seconds=70)
    panel.app.resume()
    assert panel.app.message().status is Status.ACCEPTED


# --- `Delivered` before the handset has the message ------------------------------------------------------------------


@covers("L5")
def test_an_early_delivered_that_a_receipt_takes_back_is_never_shown() -> None:
    panel = Panel((0, "Delivered|15734"), (300, "Undelivered"))

    panel.send()
    panel.follow(hours=72)

    expected = [Status.SENDING, Status.ACCEPTED, Status.SENT, Status.UNDELIVERED]
    assert statuses(panel.app.message()) == expected
    assert [event.detail["status"] for event in panel.app.store.events] == expected


def test_an_early_delivered_counts_when_the_attempt_is_ten_minutes_old_and_not_hours_later() -> None:
    panel = Panel((0, "Delivered"))

    panel.send()
    panel.follow(hours=72)

    message = panel.app.message()
    assert statuses(message) == [Status.SENDING, Status.ACCEPTED, Status.SENT, Status.DELIVERED]
    assert panel.polled_at == [60, 600]
    assert message.history[-1].source is Source.POLL


def test_a_word_of_progress_at_that_age_is_polled_again_at_the_next_step() -> None:
    panel = Panel((0, "Delivered"), (590, "Enroute"), (9_000, "Delivered"))

    panel.send()
    panel.follow(hours=72)

    assert panel.polled_at == [60, 600, 600 + 300, 900 + 1800, 2700 + 7200]
    assert panel.app.message().status is Status.DELIVERED


def test_a_receipt_of_failure_counts_at_once() -> None:
    panel = Panel((0, "Sent"), (10, "Undelivered"))

    panel.send()
    panel.follow(hours=72)

    assert panel.polled_at == [60]
    assert panel.app.message().failure == Failure(reason=Reason.UNREACHABLE, detail=ACTIONS[Reason.UNREACHABLE])


@pytest.mark.parametrize(("seconds", "polls"), [(0, [60]), (20, [60]), (86_400, [60, 86_400])])
def test_the_age_from_which_delivered_counts_is_a_setting(seconds: int, polls: list[float]) -> None:
    providers = {"smsnoc": {"sender": "SampaiBD", "delivered_after_seconds": seconds}}
    panel = Panel((0, "Delivered"), settings={"providers": providers})

    panel.send()
    panel.follow(hours=72)

    assert panel.polled_at == polls
    assert panel.app.message().status is Status.DELIVERED


def test_a_horizon_before_that_age_waits_for_it() -> None:
    panel = Panel((0, "Delivered"), settings={"report_horizon_hours": 0.1})

    panel.send()
    panel.follow(hours=1)

    assert panel.app.message().status is Status.DELIVERED
    assert panel.polled_at[-1] == 600


# --- words of progress, and words that nobody knows ------------------------------------------------------------------


@pytest.mark.parametrize("word", ["Sent", "Submitted", "Success", "Buffered", "In Transit", "Enroute"])
def test_a_word_of_progress_is_followed_by_delivered_an_hour_later(word: str) -> None:
    panel = Panel((0, word), (3600, "Delivered"))

    panel.send()
    panel.follow(hours=72)

    assert statuses(panel.app.message()) == [Status.SENDING, Status.ACCEPTED, Status.SENT, Status.DELIVERED]


@covers("L5")
def test_an_unknown_word_moves_nothing_and_is_asked_about_until_the_horizon() -> None:
    panel = Panel((0, "Teleported"))

    panel.send()
    panel.follow(hours=80)

    message = panel.app.message()
    assert statuses(message) == [Status.SENDING, Status.ACCEPTED, Status.UNCONFIRMED]
    assert message.provider_status == "Teleported"
    assert panel.polled_at[-1] >= 72 * 3600


# --- the zone ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "uid", "is_found"),
    [
        ("Asia/Manila", "not-a-uniqid", True),
        ("Asia/Dhaka", "not-a-uniqid", False),
        ("Asia/Dhaka", f"{int(datetime(2026, 11, 21, 10, 0, tzinfo=UTC).timestamp()):08x}0f78b", True),
    ],
    ids=["the zone of the settings", "another zone", "the time of the uid needs no zone"],
)
def test_a_lost_message_is_found_by_the_time_of_its_uid_or_of_its_row(zone: str, uid: str, is_found: bool) -> None:
    row = {"uid": uid, "to": RECIPIENTS["smsnoc"][1:], "message": "Your code is 1234", "status": "Enroute"}
    listed = {"data": [row | {"created_at": "2026-11-21 18:00:00"}], "last_page": 1, "next_page_url": None}
    page = json_response(200, {"status": "success", "data": listed})
    app = Application(lost(), page, settings={"providers": {"smsnoc": {"sender": "SampaiBD", "timezone": zone}}})
    app.send(request(home="smsnoc"))
    app.clock.advance(seconds=60)

    app.follow_up()

    assert app.message().status is (Status.SENT if is_found else Status.UNKNOWN)


@pytest.mark.parametrize(
    ("zone", "since", "until"),
    [
        ("Asia/Dhaka", "2026-11-21 15:55:00", "2026-11-21 16:15:00"),
        ("Asia/Manila", "2026-11-21 17:55:00", "2026-11-21 18:15:00"),
        ("UTC", "2026-11-21 09:55:00", "2026-11-21 10:15:00"),
    ],
)
def test_the_list_is_asked_for_in_the_zone_of_the_settings(zone: str, since: str, until: str) -> None:
    providers = {"smsnoc": {"sender": "SampaiBD", "timezone": zone}}
    app = Application(lost(), unreached(), settings={"providers": providers})
    app.send(request(home="smsnoc"))
    app.clock.advance(seconds=60)

    app.follow_up()

    asked = dict(parse_qsl(urlsplit(app.transport.requests[-1].url).query))
    assert asked == {"page": "1", "start_date": since, "end_date": until, "timezone": zone}
