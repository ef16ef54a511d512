"""The rate of look-ups at a vendor: calls keep to it, others do not wait for it, and no message loses its place."""

from collections import Counter
from datetime import datetime, timedelta

import pytest

from benchmarks.growth import accepted_message
from benchmarks.listing_vendor import Crowd, ListingVendors
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.message import Message
from sampai.domain.status import Status
from tests.covers import covers
from tests.fakes import START
from tests.harness.application import SETTINGS, Application, lost, nomsa_taken, request

SECOND = timedelta(seconds=1)


class Account:
    """An application whose messages the vendors have taken, and the time of each call to them."""

    def __init__(self, messages: list[Message], **rates: float) -> None:
        self.vendors = ListingVendors()
        self.calls: list[tuple[str, datetime]] = []
        self.answers: list[HttpResponse] = []
        """Answers that come before those of the vendors."""
        providers = {name: {"max_lookups_per_second": rate} for name, rate in rates.items()}
        merged = {name: dict(given) | providers.pop(name, {}) for name, given in SETTINGS.get("providers", {}).items()}
        self.app = Application(self._answer, settings={"providers": merged | providers})
        self.app.store.messages = {message.message_id: message for message in messages}

    def _answer(self, wanted: HttpRequest) -> HttpResponse:
        self.calls.append((next(name for name in ("nomsa", "nusasms") if name in wanted.url), self.app.clock()))
        return self.answers.pop(0) if self.answers else self.vendors.call(wanted, deadline_seconds=1)

    def run(self) -> set[str]:
        """Run for the time of an invocation, and return the ids of the messages that changed."""
        before, started_at = dict(self.app.store.messages), self.app.clock()
        self.app.follower.run(remaining=lambda: 50.0 - (self.app.clock() - started_at) / SECOND)
        return {name for name, message in self.app.store.messages.items() if message != before[name]}


def due(count: int, provider: str = "nusasms", age: timedelta = timedelta(hours=1)) -> list[Message]:
    """Return accepted messages. NusaSMS is asked about each WhatsApp message by its id: it has no list."""
    return [accepted_message(f"{provider}-{n}", provider, at=START - age, due_at=START) for n in range(count)]


@covers("L6")
@pytest.mark.parametrize("age", [timedelta(hours=1), timedelta(hours=80)], ids=["young", "past the horizon"])
def test_messages_that_the_rate_leaves_no_room_for_keep_their_place(age: timedelta) -> None:
    account = Account(due(300, age=age), nusasms=2)

    changed = account.run()

    # A call can begin in the first 32 seconds of the 50.
    assert len(account.calls) == len(changed) == 65
    assert max(Counter(int((at - START) / SECOND) for _, at in account.calls).values()) == 2
    assert {name for name, _, _ in account.app.limiter.reservations} == {"nusasms#lookups"}
    assert ("StatusPollFailed", "nusasms") not in account.app.telemetry.counts
    # The longest due come first, so five runs ask about all.
    for _ in range(4):
        account.app.clock.advance(seconds=1)
        changed |= account.run()
    assert len(changed) == 300


def test_vendor_with_a_rate_does_not_keep_another_waiting() -> None:
    account = Account([*due(450), *due(300, "nomsa")], nusasms=0.5)
    account.vendors.crowds["nomsa"] = Crowd(name="x", count=10**6, since=START - timedelta(days=1), until=START)

    changed = account.run()

    nomsa = [at for name, at in account.calls if name == "nomsa"]
    assert len([name for name in changed if name.startswith("nomsa")]) == 300
    assert max(nomsa) <= START + 3 * SECOND
    assert len([name for name in changed if name.startswith("nusasms")]) == 17


def test_two_vendors_with_rates_have_the_rest_of_the_time_at_once() -> None:
    account = Account([*due(250), *due(250, "nomsa")], nusasms=0.1, nomsa=5)
    account.vendors.crowds["nomsa"] = Crowd(name="x", count=10**6, since=START - timedelta(days=1), until=START)
    account.app.store.messages = dict(sorted(account.app.store.messages.items()))

    account.run()

    calls = Counter(name for name, _ in account.calls)
    assert calls["nusasms"] >= 1
    assert calls["nomsa"] > 100


def test_without_the_limiter_no_look_up_is_made_and_no_message_moves() -> None:
    account = Account(due(10), nusasms=100)
    account.app.limiter.is_down = True

    assert account.run() == set()
    assert account.calls == []


def test_rate_of_look_ups_and_rate_of_sends_are_apart() -> None:
    providers = {"nomsa": {"sender": "mcs-otp", "max_per_second": 1, "max_lookups_per_second": 1}}
    app = Application(nomsa_taken("145"), settings={"providers": providers})

    app.send(request())
    app.clock.advance(seconds=60)
    app.follow_up()

    assert [name for name, _, _ in app.limiter.reservations] == ["nomsa", "nomsa#lookups"]


@covers("L6")
@pytest.mark.parametrize("rates", [{}, {"nusasms": 100.0}], ids=["without a rate", "with a rate"])
def test_vendor_that_asks_for_a_pause_is_left_alone(rates: dict[str, float]) -> None:
    """The refused look-up takes its next polling step like any that fails. The others keep their place."""
    account = Account(due(250), **rates)
    account.answers = [HttpResponse(status=429, headers={"retry-after": "90"})]
    first = account.run()
    assert (len(account.calls), len(first)) == (1, 1)

    account.app.clock.now = START + 80 * SECOND
    assert (account.run(), len(account.calls)) == (set(), 1)

    account.app.clock.now = START + 91 * SECOND
    assert len(account.run() | first) == 250
    assert account.app.telemetry.counts["StatusPollFailed", "nusasms"] == 1


def test_search_that_a_low_rate_cuts_short_counts_as_a_poll() -> None:
    """Otherwise it would begin again in every run, and the message would never end."""
    account = Account([], nomsa=0.1)
    account.vendors.crowds["nomsa"] = Crowd(name="x", count=10**6, since=START - timedelta(days=1), until=START)
    account.answers = [lost()]  # type: ignore[list-item]
    account.app.send(request())
    account.app.clock.advance(minutes=1)

    account.run()

    assert (account.app.message().status, account.app.message().lookups) == (Status.UNKNOWN, 1)
