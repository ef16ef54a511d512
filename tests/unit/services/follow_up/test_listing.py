"""Finding messages in a vendor's list: the pages that are read, the filters, and the messages that it answers for."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from benchmarks.growth import accepted_message
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.message import Message, Text
from sampai.domain.status import Status
from sampai.domain.times import to_text
from sampai.providers.base import ProviderConfig
from sampai.providers.features import SupportsListing
from sampai.providers.nomsa.sms import Nomsa
from sampai.providers.smspoh import SmsPoh
from sampai.services.follow_up.listing import MAX_SEARCH_CALLS, Listing
from sampai.services.follow_up.reader import VendorReader
from sampai.services.follow_up.results import PollResults
from tests.fakes import START, InlinePool, RecordingTransport, Reply, new_pacer
from tests.harness.vendors import json_response, nomsa_row, smspoh_row, unauthorized

NOMSA = Nomsa(ProviderConfig(base_url="https://nomsa.example", credentials={"api_key": "a_v1_key"}))
SMSPOH = SmsPoh(ProviderConfig(base_url="https://smspoh.example", credentials={"api_key": "k", "api_secret": "s"}))
NOW = START + timedelta(hours=1)


def lost(message_id: str, provider: str, recipient: str | None = None, at: datetime = START) -> Message:
    """Return an unknown send."""
    message = accepted_message(message_id, provider, at=at, due_at=START)
    return replace(
        message,
        status=Status.UNKNOWN,
        provider_message_id=None,
        recipient=recipient or message.recipient,
        content=Text(text="Your code is 1234. Do not tell it to anybody."),
    )


class Poll:
    """The list of a vendor in one poll, with the requests and failures."""

    def __init__(self, provider: SupportsListing, messages: Sequence[Message], *replies: Reply) -> None:
        self.transport = RecordingTransport(*replies)
        self.failures: list[str] = []
        self.results = PollResults()
        self.listing = Listing(
            provider,
            VendorReader(transport=self.transport, remaining=lambda: 50.0, pacer=new_pacer()),
            messages,
            self.results,
            now=NOW,
            record_failure=lambda error: self.failures.append(str(error)),
        )

    def queries(self, *names: str) -> list[tuple[str | None, ...]]:
        """Return parameters of each request."""
        asked = [parse_qs(urlsplit(request.url).query) for request in self.transport.requests]
        return [tuple(query.get(name, [None])[0] for name in names) for query in asked]


def nomsa_page(*rows: dict[str, object], has_more: bool = False) -> HttpResponse:
    return json_response(200, {"has_more": has_more, "data": list(rows)})


def others(count: int, since: timedelta, until: timedelta) -> list[dict[str, object]]:
    """Return rows of other messages between two times after START, newest first."""
    step = (until - since) / count
    times = [START + until - step * number for number in range(count)]
    return [nomsa_row(f"others-{at:%H%M%S%f}", body="x", created_at=to_text(at)) for at in times]


def test_failed_list_leaves_the_other_lists() -> None:
    early = [accepted_message(f"early-{n}", "nomsa", at=START - timedelta(hours=5), due_at=START) for n in range(2)]
    late = [accepted_message(f"late-{n}", "nomsa", at=START, due_at=START) for n in range(2)]
    rows = [nomsa_row(message.provider_message_id or "") for message in early]
    poll = Poll(NOMSA, [*early, *late], unauthorized(), nomsa_page(*rows))

    poll.listing.read_from_top()

    assert poll.failures == ["HTTP 401: UnreadableAnswerError"]
    assert poll.results.reports.keys() >= {"early-0", "early-1"}
    assert poll.results.answered == {"early-0", "early-1"}


@pytest.mark.parametrize(
    ("found", "lists"),
    [
        pytest.param(4, ["2026-11-21T09:55:00.000Z", "2026-11-21T04:55:00.000Z"], id="all: the earlier list too"),
        pytest.param(2, ["2026-11-21T09:55:00.000Z", "2026-11-21T04:55:00.000Z"], id="some: the earlier list too"),
        pytest.param(1, ["2026-11-21T09:55:00.000Z"], id="one: no other list"),
        pytest.param(0, ["2026-11-21T09:55:00.000Z"], id="none: no other list"),
    ],
)
def test_lists_are_read_from_the_latest_messages_on_while_a_page_spares_calls(found: int, lists: list[str]) -> None:
    early = [accepted_message(f"early-{n}", "nomsa", at=START - timedelta(hours=5), due_at=START) for n in range(4)]
    late = [accepted_message(f"late-{n}", "nomsa", at=START, due_at=START) for n in range(4, 8)]
    rows = [nomsa_row(message.provider_message_id or "") for message in late[:found]]
    poll = Poll(NOMSA, [*early, *late], nomsa_page(*rows, nomsa_row("another")))

    poll.listing.read_from_top()

    assert [since for (since,) in poll.queries("created_at[gte]")] == lists


def test_each_number_has_a_list_of_its_own_and_a_failed_one_leaves_the_others() -> None:
    messages = [
        lost("m-1", "smspoh", recipient="+959777777701"),
        lost("m-2", "smspoh", recipient="+959777777702"),
        lost("m-3", "smspoh", recipient="+959777777702"),
    ]

    def answer(request: HttpRequest) -> HttpResponse:
        if "to=959777777701" in request.url:
            return unauthorized()
        return json_response(200, {"messages": [smspoh_row("AA-2", "m-2")], "limit": 1000, "records": 1, "start": 0})

    poll = Poll(SMSPOH, messages, answer)

    poll.listing.ask_by_recipient(InlinePool, 16)

    assert poll.queries("to", "limit", "filterByCreatedDateFrom", "filterByCreatedDateTo") == [
        ("959777777701", "1000", "2026-11-21", "2026-11-22"),
        ("959777777702", "1000", "2026-11-21", "2026-11-22"),
    ]
    assert poll.failures == ["HTTP 401: UnreadableAnswerError"]
    assert [report.provider_message_id for report in poll.results.candidates["m-2"]] == ["AA-2"]
    assert poll.results.answered == {"m-2", "m-3"}


@pytest.mark.parametrize("provider", [NOMSA, SMSPOH], ids=["a vendor without that filter", "a number abroad"])
def test_no_list_of_a_number_without_a_filter_for_it(provider: SupportsListing) -> None:
    poll = Poll(provider, [lost("m-1", provider.name, recipient="+66812345678")])

    poll.listing.ask_by_recipient(InlinePool, 16)

    assert poll.transport.requests == []


def test_list_of_a_few_pages_without_a_count_is_read_from_its_top() -> None:
    pages = [
        nomsa_page(*others(100, timedelta(minutes=5), timedelta(minutes=15)), has_more=True),
        nomsa_page(*others(100, timedelta(minutes=-4), timedelta(minutes=5))),
    ]
    poll = Poll(NOMSA, [lost("m-1", "nomsa")], *pages)

    poll.listing.search()

    assert poll.queries("offset", "created_at[gte]", "created_at[lte]") == [
        ("0", "2026-11-21T09:55:00.000Z", "2026-11-21T10:15:00.000Z"),
        ("100", "2026-11-21T09:55:00.000Z", "2026-11-21T10:15:00.000Z"),
    ]
    assert (poll.results.answered, poll.results.candidates) == ({"m-1"}, {})


def test_list_with_close_rows_is_halved_towards_the_attempt() -> None:
    pages = [
        nomsa_page(*others(100, timedelta(minutes=14), timedelta(minutes=15)), has_more=True),
        nomsa_page(*others(100, timedelta(seconds=290), timedelta(minutes=5)), has_more=True),
        nomsa_page(nomsa_row("145", body="Your code is 1234. Do not tell it to anybody.")),
    ]
    poll = Poll(NOMSA, [lost("m-1", "nomsa")], *pages)

    poll.listing.search()

    assert poll.queries("offset", "created_at[gte]", "created_at[lte]") == [
        ("0", "2026-11-21T09:55:00.000Z", "2026-11-21T10:15:00.000Z"),
        ("0", "2026-11-21T09:55:00.000Z", "2026-11-21T10:05:00.000Z"),
        ("0", "2026-11-21T10:00:00.000Z", "2026-11-21T10:05:00.000Z"),
    ]
    assert [report.provider_message_id for report in poll.results.candidates["m-1"]] == ["145"]
    assert poll.results.answered == set()


def test_search_that_fails_answers_for_no_message() -> None:
    rows = others(100, timedelta(minutes=14), timedelta(minutes=15))
    poll = Poll(NOMSA, [lost("m-1", "nomsa")], nomsa_page(*rows, has_more=True), unauthorized())

    poll.listing.search()

    assert (len(poll.transport.requests), poll.failures) == (2, ["HTTP 401: UnreadableAnswerError"])
    assert poll.results.answered == set()


def test_search_through_an_endless_list_is_bounded_and_answers_for_no_message() -> None:
    def answer(request: HttpRequest) -> HttpResponse:
        (until,) = parse_qs(urlsplit(request.url).query)["created_at[lte]"]
        ids = (f"{len(poll.transport.requests)}-{n}" for n in range(100))
        return nomsa_page(*(nomsa_row(name, body="x", created_at=until) for name in ids), has_more=True)

    poll = Poll(NOMSA, [lost("m-1", "nomsa")], answer)

    poll.listing.search()

    assert len(poll.transport.requests) == MAX_SEARCH_CALLS
    assert poll.results.answered == set()


def test_message_with_a_row_that_may_be_in_flight_is_not_answered() -> None:
    """The row is too late for the message, and recent: the send of another message may not have stored its id yet."""
    row = nomsa_row("145", body="Your code is 1234. Do not tell it to anybody.", created_at=to_text(NOW))
    poll = Poll(NOMSA, [lost("m-1", "nomsa", at=NOW - timedelta(minutes=5))], nomsa_page(row))

    poll.listing.search()

    assert (poll.results.undecided, poll.results.answered, poll.failures) == ({"m-1"}, set(), [])
