"""What an operator allows: nothing for a while, some countries, some senders, so many messages and no more."""

import json
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from sampai.contract.settings import parse_settings
from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.inbound import Conversation
from sampai.domain.message import Message
from sampai.domain.quotas import Limit, QuotaCounter, quota_counters_of
from sampai.domain.status import Status
from sampai.services.ports.messages import Write
from sampai.services.ports.queue import WakeUp
from tests.fakes import START, FixedSettings, InMemoryStore, statuses
from tests.harness.application import RECIPIENTS, House, lost, nomsa_list, nomsa_taken, request, unreached

CONVERSATION = "0b6f1c1e-9a52-4a7f-8f0d-2f6f5f3d9c01"
NEW_ROOM = "1c7a2d2f-8b63-4b8a-9e1e-3a7a6a4b0d12"
"""A conversation whose number nobody knows."""

CHANNEL = "7d1c7c0a-3e0f-4b52-9a43-6a1f0b1e2d03"

THAI = "+66812345610"
UNASSIGNED = "+97912345678"
"""A premium-rate number: its calling code belongs to no country."""

EXPIRED = Failure(reason=Reason.EXPIRED, detail="expires_at: has passed")
FOREIGN = Failure(reason=Reason.BLOCKED, detail="recipient: its country is not allowed")
FOREIGN_SENDER = Failure(reason=Reason.INVALID_SENDER, detail="sender: not in the list of allowed ones")

PROVIDERS: dict[str, Any] = {
    "smsnoc": {"sender": "SampaiBD"},
    "smspoh": {"sender": "Sampai"},
    "nusasms": {"senders": {"whatsapp": "6281100000090", "whatsapp_official": CHANNEL}},
}


def house_with(*replies: Callable[[HttpRequest], HttpResponse], **settings: Any) -> House:
    """Return a house under these settings, whose vendors take everything."""
    return House(*(replies or (taken(),)), settings={"providers": PROVIDERS} | settings)


def taken() -> Callable[[HttpRequest], HttpResponse]:
    """Answer as the vendor does who is asked, with an id that is new each time."""
    ids = count(1)

    def reply(asked: HttpRequest) -> HttpResponse:
        number = f"v-{next(ids)}"
        answers: dict[str, Any] = {
            "api.nomsa.gov.kh": {"id": number, "status": "UNSENT", "accepted_at": "2026-11-21T10:00:00Z"},
            "app.smsnoc.com": {"status": "success", "data": {"uid": number}},
            "v3.smspoh.com": {"messages": [{"messageId": number, "status": "Accepted"}]},
            "api.nusasms.com": {"error": False, "data": {"ref_no": number}},
        }
        return HttpResponse(status=201, body=json.dumps(answers[asked.host]).encode())

    return reply


def change(house: House, **settings: Any) -> None:
    """Let an operator put other settings, and let a minute pass until they are read."""
    house.settings.settings = FixedSettings({"providers": PROVIDERS} | settings).settings


def numbers(count_: int) -> list[str]:
    """Return numbers of Cambodia, each under a prefix of its own."""
    return [f"+8559{n:03}0000" for n in range(count_)]


# --- the switch -----------------------------------------------------------------------------------------------------


def test_while_sending_is_off_a_new_message_waits() -> None:
    house = house_with(sending_enabled=False)

    unfinished = house.send(request())

    message = house.message()
    assert unfinished == []
    assert house.transport.requests == []
    assert (statuses(message), message.failure, message.attempt) == ([Status.QUEUED], None, 0)
    assert message.due_at == START + timedelta(seconds=180)
    assert house.queue.wake_ups == [WakeUp(message_id="m-1", attempt=0, is_urgent=False, delay_seconds=60)]


def test_a_message_that_waits_is_looked_at_for_as_long_as_it_takes_and_says_nothing_more() -> None:
    house = house_with(sending_enabled=False)
    house.send(request())

    for _ in range(30):
        house.clock.advance(minutes=2)
        house.resume()
        house.follow_up()

    assert house.transport.requests == []
    assert statuses(house.message()) == [Status.QUEUED]
    assert house.sequences() == [1]


def _new(house: House) -> None:
    change(house, sending_enabled=False)
    house.send(request())


def _scheduled(house: House) -> None:
    house.send(request(send_at="2026-11-21T10:05:00Z"))
    change(house, sending_enabled=False)
    house.clock.advance(minutes=5)
    house.resume()


def _to_be_tried_again(house: House) -> None:
    house.transport.replies = [unreached()]
    house.send(request())
    change(house, sending_enabled=False)
    house.clock.advance(seconds=5)
    house.resume()


def _to_be_sent_again(house: House) -> None:
    house.transport.replies = [lost(), nomsa_list(), nomsa_list()]
    house.send(request(on_unknown="resend"))
    change(house, sending_enabled=False)
    for _ in range(2):
        house.clock.advance(minutes=2)
        house.follow_up()
    house.resume()


@pytest.mark.parametrize("come_to_wait", [_new, _scheduled, _to_be_tried_again, _to_be_sent_again])
def test_what_waits_while_sending_is_off_goes_out_once_when_it_is_on_again(
    come_to_wait: Callable[[House], None],
) -> None:
    house = house_with()
    come_to_wait(house)
    before = len(house.transport.requests)
    assert house.message().status is Status.QUEUED
    assert house.message().due_at is not None

    house.transport.replies = [nomsa_taken()]
    house.clock.advance(minutes=10)
    house.follow_up()
    house.resume()
    assert len(house.transport.requests) == before

    change(house)
    house.clock.advance(minutes=10)
    house.follow_up()
    house.resume()
    assert house.message().status is Status.ACCEPTED
    assert len(house.transport.requests) == before + 1


def test_while_sending_is_off_a_message_outlives_that_its_provider_is_turned_off() -> None:
    house = house_with(sending_enabled=False)
    house.send(request())
    change(house, sending_enabled=False, providers=PROVIDERS | {"nomsa": {"enabled": False}})

    house.clock.advance(minutes=3)
    house.follow_up()
    house.resume()

    assert (house.message().status, house.message().failure) == (Status.QUEUED, None)


def test_while_sending_is_on_a_message_whose_provider_is_turned_off_fails_as_before() -> None:
    house = house_with(sending_enabled=False)
    house.send(request())
    change(house, providers=PROVIDERS | {"nomsa": {"enabled": False}})

    house.clock.advance(minutes=3)
    house.follow_up()
    house.resume()

    assert house.message().failure == Failure(reason=Reason.UNROUTABLE, detail="provider: turned off")


@pytest.mark.parametrize(
    ("changes", "minutes", "failure"),
    [
        ({"expires_at": "2026-11-21T10:05:00Z"}, 5, EXPIRED),
        ({}, 72 * 60, Failure(reason=Reason.PROVIDER_ERROR, detail="no provider could be asked in time")),
    ],
)
def test_while_sending_is_off_only_time_makes_a_message_fail(
    changes: dict[str, Any], minutes: int, failure: Failure
) -> None:
    house = house_with(sending_enabled=False)
    house.send(request(**changes))

    house.clock.advance(minutes=minutes)
    house.follow_up()

    assert statuses(house.message()) == [Status.QUEUED, Status.FAILED]
    assert house.message().failure == failure


def test_while_sending_is_off_a_message_can_be_canceled_and_one_that_went_out_is_asked_about() -> None:
    house = house_with()
    house.send(request("m-2"))
    change(house, sending_enabled=False)
    house.send(request("m-1"))

    house.send('{"cancel": "m-1"}')
    house.clock.advance(minutes=1)
    house.follow_up()

    assert house.message("m-1").status is Status.CANCELED
    assert {asked.method for asked in house.transport.requests[1:]} == {"GET"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"recipient": "+855"}, Reason.INVALID_REQUEST),
        ({"recipient": THAI}, Reason.UNROUTABLE),
        ({"channel": "whatsapp", "provider": "nomsa"}, Reason.UNSUPPORTED),
    ],
)
def test_while_sending_is_off_what_could_never_be_sent_is_refused_at_once(
    changes: dict[str, Any], reason: Reason
) -> None:
    house = house_with(sending_enabled=False, routes={})

    house.send(request(**changes))

    assert house.failure_reason() is reason


# --- countries ------------------------------------------------------------------------------------------------------

BY_WHATSAPP = {"channel": "whatsapp"}
BY_NAME = {"provider": "smspoh"}
REPLY: dict[str, Any] = {"channel": "whatsapp_official", "recipient": None, "room_id": CONVERSATION}
UNROUTABLE = Failure(reason=Reason.UNROUTABLE, detail="recipient: no route for its country and channel")

COUNTRIES: list[tuple[str, Sequence[str] | None, dict[str, Any], Failure | None]] = [
    ("no list, a country with a route", None, {}, None),
    ("no list, a country without a route", None, {"recipient": THAI}, UNROUTABLE),
    ("no list, a country without a route, by a named provider", None, {"recipient": THAI} | BY_NAME, None),
    ("no list, a channel for all countries", None, {"recipient": THAI} | BY_WHATSAPP, None),
    ("no list, no country at all, a channel for all", None, {"recipient": UNASSIGNED} | BY_WHATSAPP, None),
    ("in the list", ["KH", "TH"], {}, None),
    ("in the list and without a route", ["TH"], {"recipient": THAI}, UNROUTABLE),
    ("not in the list", ["ID"], {}, FOREIGN),
    ("not in the list, without a route", ["KH"], {"recipient": THAI}, FOREIGN),
    ("not in the list, by a named provider", ["KH"], {"recipient": THAI} | BY_NAME, FOREIGN),
    ("in the list, by a named provider", ["TH"], {"recipient": THAI} | BY_NAME, None),
    ("not in the list, on a channel for all countries", ["KH"], {"recipient": THAI} | BY_WHATSAPP, FOREIGN),
    ("in the list, on a channel for all countries", ["TH"], {"recipient": THAI} | BY_WHATSAPP, None),
    ("no country at all", ["KH"], {"recipient": UNASSIGNED} | BY_WHATSAPP, FOREIGN),
    ("an empty list", [], {}, FOREIGN),
    ("to be sent later", ["ID"], {"send_at": "2026-11-21T11:00:00Z"}, FOREIGN),
    ("a list of the vendor's", ["KH"], {"recipient": None, "audience": {"lists": ["a"]}, "provider": "smsnoc"}, None),
    ("a reply in a conversation of the list", ["ID"], REPLY, None),
    ("a reply in a conversation of another country", ["KH"], REPLY, FOREIGN),
    ("a reply in a conversation whose number nobody knows", ["KH"], REPLY | {"room_id": NEW_ROOM}, None),
]


@pytest.mark.parametrize(("allowed", "changes", "failure"), [c[1:] for c in COUNTRIES], ids=[c[0] for c in COUNTRIES])
def test_a_number_of_a_country_that_is_not_allowed_is_not_written_to(
    allowed: Sequence[str] | None, changes: dict[str, Any], failure: Failure | None
) -> None:
    house = House(taken(), settings={"providers": PROVIDERS, "routes": {}, "allowed_countries": allowed})
    house.directory.record_conversation(
        Conversation(room_id=CONVERSATION, number="+6281234567810", last_inbound_at=START)
    )
    house.directory.record_conversation(Conversation(room_id=NEW_ROOM, last_inbound_at=START))

    unfinished = house.send(request(**changes))

    assert unfinished == []
    assert house.message().failure == failure
    assert statuses(house.message()) == ([Status.FAILED] if failure else [Status.SENDING, Status.ACCEPTED])
    assert len(house.transport.requests) == (0 if failure else 1)
    assert house.telemetry.counts.get(("MessageBlocked", None)) == (1 if failure == FOREIGN else None)


def test_a_country_that_is_closed_meanwhile_is_closed_for_what_waits_too() -> None:
    house = house_with(sending_enabled=False)
    house.send(request("to-cambodia"), request("to-indonesia", home="nusasms", channel="whatsapp"))
    change(house, allowed_countries=["ID"])

    house.resume()

    assert house.message("to-cambodia").failure == FOREIGN
    assert house.message("to-indonesia").status is Status.ACCEPTED
    assert house.telemetry.counts["MessageBlocked", None] == 1


# --- senders --------------------------------------------------------------------------------------------------------

ALLOWED = ["MyBank", "My Bank", "0"]

SENDERS: list[tuple[str, Sequence[str] | None, str | None, bool]] = [
    ("no list", None, "Anybody", True),
    ("none named", ALLOWED, None, True),
    ("one of the list", ALLOWED, "MyBank", True),
    ("another of the list", ALLOWED, "My Bank", True),
    ("the default one", ALLOWED, "Sampai", True),
    ("the default one, an empty list", [], "Sampai", True),
    ("an empty list", [], "MyBank", False),
    ("not in the list", ALLOWED, "Anybody", False),
    ("the default one of another provider", ALLOWED, "mcs-otp", False),
    ("another case", ALLOWED, "MYBANK", False),
    ("a blank behind", ALLOWED, "MyBank ", False),
    ("a blank before", ALLOWED, " MyBank", False),
    ("a part of one", ALLOWED, "MyBan", False),
    ("O for 0", ALLOWED, "O", False),
    ("l for I", ["MyBIll"], "MyBlll", False),
    ("two of them", ALLOWED, "MyBank,My Bank", False),
]


@pytest.mark.parametrize(("allowed", "sender", "is_allowed"), [s[1:] for s in SENDERS], ids=[s[0] for s in SENDERS])
def test_a_request_names_a_sender_of_the_list_byte_by_byte(
    allowed: Sequence[str] | None, sender: str | None, is_allowed: bool
) -> None:
    house = house_with(providers=PROVIDERS | {"smspoh": {"sender": "Sampai", "allowed_senders": allowed}})

    house.send(request(home="smspoh", sender=sender))

    assert house.message().failure == (None if is_allowed else FOREIGN_SENDER)
    assert [json.loads(sent.body)["from"] for sent in house.transport.requests] == (
        [sender or "Sampai"] if is_allowed else []
    )


@pytest.mark.parametrize(
    "sender",
    [
        "МyBank",  # a Cyrillic letter
        "MyBank\n",
        "MyBank\r\nX-Header: 1",
        "My\u00a0Bank",
        "My\u200bBank",
        "\u202eknaByM",
        "ＭyBank",
        "MyBank\u0000",
        "\ud800",
        "",
    ],
)
def test_a_sender_that_is_not_printable_ascii_is_no_request(sender: str) -> None:
    house = house_with()

    house.send(request(home="smspoh", sender=sender))

    (failed,) = house.store.messages.values()
    assert failed.failure is not None
    assert failed.failure.reason is Reason.INVALID_REQUEST
    assert house.transport.requests == []


@pytest.mark.parametrize(("sender", "is_allowed"), [("6281100000090", True), ("6281100000091", False)])
def test_the_default_sender_is_that_of_the_channel(sender: str, is_allowed: bool) -> None:
    nusasms = PROVIDERS["nusasms"] | {"sender": "6281100000091", "allowed_senders": []}
    house = house_with(providers=PROVIDERS | {"nusasms": nusasms})

    house.send(request(home="nusasms", channel="whatsapp", sender=sender))

    assert house.message().failure == (None if is_allowed else FOREIGN_SENDER)


def test_a_sender_that_one_provider_of_the_route_does_not_allow_goes_out_by_the_next() -> None:
    house = house_with(
        routes={"sms": {"TH": ["nomsa", "smspoh"]}},
        providers=PROVIDERS | {"nomsa": {"allowed_senders": []}},
    )

    house.send(request(recipient=THAI, sender="MyBank"))

    assert (house.message().provider, house.message().status) == ("smspoh", Status.ACCEPTED)


def test_a_sender_that_is_not_allowed_is_refused_at_once_for_a_message_to_be_sent_later() -> None:
    house = house_with(providers=PROVIDERS | {"nomsa": {"allowed_senders": []}})

    house.send(request(sender="MyBank", send_at="2026-11-21T11:00:00Z"))

    assert (statuses(house.message()), house.message().failure) == ([Status.FAILED], FOREIGN_SENDER)


def test_a_sender_that_is_struck_off_meanwhile_is_struck_off_for_what_waits_too() -> None:
    house = house_with(sending_enabled=False)
    house.send(request("m-1", sender="MyBank"), request("m-2"))
    change(house, providers=PROVIDERS | {"nomsa": {"allowed_senders": []}})

    house.resume()

    assert house.message("m-1").failure == FOREIGN_SENDER
    assert house.message("m-2").status is Status.ACCEPTED


# --- recipients -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "recipient",
    [
        "+85591234510\n",
        "\n+85591234510",
        "+85591234510 ",
        "+855 91234510",
        "+855-91-234-510",
        "+85591234510,+85591234511",
        "+85591234510;+85591234511",
        "+85591234510;ext=1",
        "+85591234510x1",
        "tel:+85591234510",
        "+85591234510?",
        "+8559123451\u0660",  # Arabic-Indic
        "+8559123451\u06f0",  # Persian
        "+8559123451\u17e0",  # Khmer
        "+8559123451\u09e6",  # Bengali
        "+8559123451\u1040",  # Burmese
        "+８５５９１２３４５１０",  # full width
        "＋85591234510",
        "+8559123451\u00b2",
        "+8559123\u200b4510",
        "\u202a+85591234510\u202c",
        "+85591234510\u0000",
        "+855912345\u00a010",
        "0085591234510",
        "+085591234510",
        "++85591234510",
        "+855912",
        "+8559123451012345",
        "",
    ],
)
def test_whatever_is_not_one_number_in_ascii_is_no_request_and_counts_for_nothing(recipient: str) -> None:
    house = house_with(limits={limit: 1 for limit in Limit}, allowed_countries=["KH"])

    house.send(request(recipient=recipient))

    detail = "recipient: must be exactly one E.164 number: + and 7 to 15 ASCII digits"
    assert house.message().failure == Failure(reason=Reason.INVALID_REQUEST, detail=detail)
    assert house.transport.requests == []
    assert house.directory.counts == {}


# --- what a limit counts --------------------------------------------------------------------------------------------

ALL = dict.fromkeys(Limit, 9)
HOUR, DAY = datetime.fromisoformat("2026-11-21T11:00Z"), datetime.fromisoformat("2026-11-22T00:00Z")

COUNTED: list[tuple[str, str | None, dict[Limit, int], str, list[tuple[Limit, str, str]]]] = [
    ("no limit", "+6281234567810", {}, "2026-11-21T10:30Z", []),
    (
        "all limits, the narrowest first",
        "+6281234567810",
        dict(reversed(ALL.items())),
        "2026-11-21T10:59:59.999Z",
        [
            (Limit.PER_RECIPIENT_PER_HOUR, "recipient#+6281234567810#2026-11-21T10", "2026-11-21T11:00Z"),
            (Limit.PER_RECIPIENT_PER_DAY, "recipient#+6281234567810#2026-11-21", "2026-11-22T00:00Z"),
            (Limit.PER_PREFIX_PER_HOUR, "prefix#+628123456#2026-11-21T10", "2026-11-21T11:00Z"),
            (Limit.PER_DAY, "all#2026-11-21", "2026-11-22T00:00Z"),
        ],
    ),
    (
        "the hour begins",
        "+6281234567810",
        {Limit.PER_RECIPIENT_PER_HOUR: 9},
        "2026-11-21T11:00Z",
        [(Limit.PER_RECIPIENT_PER_HOUR, "recipient#+6281234567810#2026-11-21T11", "2026-11-21T12:00Z")],
    ),
    (
        "the last instant of a year",
        "+1234567",
        {Limit.PER_PREFIX_PER_HOUR: 9, Limit.PER_DAY: 9},
        "2026-12-31T23:59:59.999Z",
        [
            (Limit.PER_PREFIX_PER_HOUR, "prefix#+123#2026-12-31T23", "2027-01-01T00:00Z"),
            (Limit.PER_DAY, "all#2026-12-31", "2027-01-01T00:00Z"),
        ],
    ),
    ("no number", None, ALL, "2026-11-21T10:30Z", [(Limit.PER_DAY, "all#2026-11-21", "2026-11-22T00:00Z")]),
]


@pytest.mark.parametrize(
    ("recipient", "limits", "now", "counted"), [c[1:] for c in COUNTED], ids=[c[0] for c in COUNTED]
)
def test_what_a_message_counts_for(
    recipient: str | None, limits: dict[Limit, int], now: str, counted: list[tuple[Limit, str, str]]
) -> None:
    assert quota_counters_of(recipient, limits, now=datetime.fromisoformat(now)) == tuple(
        QuotaCounter(limit=limit, maximum=9, key=key, ends_at=datetime.fromisoformat(ends_at))
        for limit, key, ends_at in counted
    )


# --- limits ---------------------------------------------------------------------------------------------------------


def over(limit: str) -> Failure:
    return Failure(reason=Reason.BLOCKED, detail=f"limits.{limit}: reached")


def failures(house: House) -> list[Failure | None]:
    """Return what stands against each message, in the order of their ids `m-0`, `m-1` …"""
    return [house.message(f"m-{n}").failure for n in range(len(house.store.messages))]


SAME = ["+85591234510"] * 4
NEIGHBOURS = [f"+855912345{n}0" for n in range(4)]
STRANGERS = numbers(4)

OVER: list[tuple[str, str, list[str], list[bool]]] = [
    ("per_recipient_per_hour", "one number", SAME, [True, True, False, False]),
    ("per_recipient_per_hour", "neighbours", NEIGHBOURS, [True] * 4),
    ("per_recipient_per_day", "one number", SAME, [True, True, False, False]),
    ("per_recipient_per_day", "neighbours", NEIGHBOURS, [True] * 4),
    ("per_prefix_per_hour", "one number", SAME, [True, True, False, False]),
    ("per_prefix_per_hour", "neighbours", NEIGHBOURS, [True, True, False, False]),
    ("per_prefix_per_hour", "strangers", STRANGERS, [True] * 4),
    ("per_day", "strangers", STRANGERS, [True, True, False, False]),
]


@pytest.mark.parametrize("together", [True, False], ids=["in a batch", "one by one"])
@pytest.mark.parametrize(
    ("limit", "recipients", "fit"), [(o[0], *o[2:]) for o in OVER], ids=[f"{o[0]}, {o[1]}" for o in OVER]
)
def test_over_a_limit_of_two_the_third_is_blocked(
    limit: str, recipients: list[str], fit: list[bool], together: bool
) -> None:
    house = house_with(limits={limit: 2})
    bodies = [request(f"m-{n}", recipient=recipient) for n, recipient in enumerate(recipients)]

    unfinished = house.send(*bodies) if together else [i for body in bodies for i in house.send(body)]

    assert unfinished == []
    assert failures(house) == [None if is_in else over(limit) for is_in in fit]
    assert [statuses(message) == [Status.FAILED] for message in house.store.messages.values()] == [not i for i in fit]
    assert len(house.transport.requests) == sum(fit)
    assert house.telemetry.counts.get(("MessageBlocked", None), 0) == fit.count(False)
    assert house.queue.wake_ups == []


PERIODS = [
    ("per_recipient_per_hour", "2026-11-21T10:00Z", "2026-11-21T10:59:59.999Z", "2026-11-21T11:00Z"),
    ("per_prefix_per_hour", "2026-11-21T23:00Z", "2026-11-21T23:59:59.999Z", "2026-11-22T00:00Z"),
    ("per_recipient_per_day", "2026-11-21T00:00Z", "2026-11-21T23:59:59.999Z", "2026-11-22T00:00Z"),
    ("per_day", "2026-12-31T00:00Z", "2026-12-31T23:59:59.999Z", "2027-01-01T00:00Z"),
]


@pytest.mark.parametrize(("limit", "first", "last", "next_"), PERIODS)
def test_a_limit_holds_from_the_first_to_the_last_instant_of_its_hour_or_day(
    limit: str, first: str, last: str, next_: str
) -> None:
    house = house_with(limits={limit: 1})

    for n, instant in enumerate((first, last, next_)):
        house.clock.now = datetime.fromisoformat(instant)
        house.send(request(f"m-{n}"))

    assert failures(house) == [None, over(limit), None]


COUNTS_AS_ONE: list[tuple[str, list[str]]] = [
    ("every category counts", [request("m-0", category="promotional"), request("m-1", category="otp")]),
    ("what is sent later counts now", [request("m-0", send_at="2026-11-21T12:00:00Z"), request("m-1")]),
    ("a named provider makes no difference", [request("m-0", provider="nomsa"), request("m-1", provider="smspoh")]),
]


@pytest.mark.parametrize("bodies", [c[1] for c in COUNTS_AS_ONE], ids=[c[0] for c in COUNTS_AS_ONE])
def test_whatever_is_sent_counts(bodies: list[str]) -> None:
    house = house_with(limits={"per_recipient_per_hour": 1})

    house.send(*bodies)

    assert failures(house) == [None, over("per_recipient_per_hour")]


def test_messages_that_wait_have_been_counted_so_that_they_are_no_flood_when_sending_is_on_again() -> None:
    house = house_with(limits={"per_recipient_per_hour": 2}, sending_enabled=False)

    house.send(*(request(f"m-{n}") for n in range(4)))
    change(house, limits={"per_recipient_per_hour": 2})
    house.clock.advance(minutes=1)
    house.resume()

    assert failures(house) == [None, None, *[over("per_recipient_per_hour")] * 2]
    assert len(house.transport.requests) == 2


def test_audiences_and_replies_without_a_number_count_for_the_day_alone() -> None:
    house = house_with(limits={limit: 1 for limit in Limit if limit is not Limit.PER_DAY} | {Limit.PER_DAY: 2})
    house.directory.record_conversation(Conversation(room_id=NEW_ROOM, last_inbound_at=START))
    to_list: dict[str, Any] = {"recipient": None, "audience": {"lists": ["a"]}, "provider": "smsnoc"}

    house.send(request("m-0", **to_list), request("m-1", **REPLY | {"room_id": NEW_ROOM}), request("m-2", **to_list))

    assert failures(house) == [None, None, over("per_day")]


def test_a_reply_counts_for_the_number_of_its_conversation() -> None:
    house = house_with(limits={"per_recipient_per_hour": 1})
    house.directory.record_conversation(
        Conversation(room_id=CONVERSATION, number="+6281234567810", last_inbound_at=START)
    )

    house.send(request("m-0", **REPLY), request("m-1", home="nusasms", **BY_WHATSAPP))

    assert failures(house) == [None, over("per_recipient_per_hour")]


@pytest.mark.parametrize("together", [True, False], ids=["in a batch", "one by one"])
def test_a_request_that_comes_again_is_counted_once(together: bool) -> None:
    house = house_with(limits={limit: 1 for limit in Limit})
    bodies = [request("m-0")] * 5

    unfinished = house.send(*bodies) if together else [i for body in bodies for i in house.send(body)]

    assert unfinished == []
    assert house.message("m-0").status is Status.ACCEPTED
    assert set(house.directory.counts.values()) == {1}
    assert len(house.transport.requests) == 1


def test_what_was_blocked_stays_so_under_its_id_and_may_be_asked_for_under_another() -> None:
    house = house_with(limits={"per_recipient_per_hour": 1})
    house.send(request("m-0"), request("m-1"))

    house.clock.advance(hours=1)
    house.send(request("m-1"), request("m-2"))

    assert failures(house) == [None, over("per_recipient_per_hour"), None]
    assert house.bus.events == []


def test_attempts_are_not_counted() -> None:
    house = house_with(limits={limit: 1 for limit in Limit})
    house.transport.replies = [unreached(), unreached(), nomsa_taken()]
    house.send(request("m-0"))

    for _ in range(2):
        house.clock.advance(minutes=1)
        house.resume()

    assert (house.message("m-0").attempt, house.message("m-0").status) == (3, Status.ACCEPTED)
    assert set(house.directory.counts.values()) == {1}


@pytest.mark.parametrize(
    "refused",
    [
        request("m-0", recipient=THAI),
        request("m-0", content={"type": "text", "text": "x" * 9999}),
        request("m-0", expires_at="2026-11-21T09:00:00Z"),
        request("m-0", category="promotional"),
        request("m-0", colour="red"),
        request("m-0", sender="Anybody"),
    ],
)
def test_what_is_refused_for_another_reason_is_not_counted(refused: str) -> None:
    house = house_with(
        limits={limit: 1 for limit in Limit},
        allowed_countries=["KH"],
        providers=PROVIDERS | {"nomsa": {"allowed_senders": []}},
    )
    house.directory.set_opt_out(RECIPIENTS["nomsa"], is_out=True, at=START)

    house.send(refused)

    assert house.message("m-0").status is Status.FAILED
    assert house.directory.counts == {}


def test_what_a_narrow_limit_stops_does_not_use_up_a_wider_one() -> None:
    house = house_with(limits={"per_recipient_per_hour": 1, "per_prefix_per_hour": 3, "per_day": 3})

    house.send(*(request(f"m-{n}", recipient=number) for n, number in enumerate([*SAME, *NEIGHBOURS[2:]])))

    blocked = over("per_recipient_per_hour")
    assert failures(house) == [None, blocked, blocked, blocked, None, None]
    assert house.directory.counts["all#2026-11-21"] == 3


def test_a_limit_that_is_raised_has_room_at_once_and_one_that_is_lowered_has_none() -> None:
    house = house_with(limits={"per_day": 1})
    house.send(*(request(f"m-{n}") for n in range(5)))

    change(house, limits={"per_day": 3})
    house.send(*(request(f"m-{n}") for n in range(5, 8)))
    change(house, limits={"per_day": 2})
    house.send(request("m-8"))
    change(house, limits={"per_day": None})
    house.send(request("m-9"))

    blocked = over("per_day")
    assert failures(house) == [None, *[blocked] * 4, None, None, blocked, blocked, None]


# --- limits and what may go wrong -----------------------------------------------------------------------------------


class CountingStore(InMemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.reads: list[set[str]] = []

    def read(self, message_ids: Collection[str]) -> dict[str, Message]:
        self.reads.append(set(message_ids))
        return super().read(message_ids)


@pytest.mark.parametrize(
    ("limits", "reads"), [({}, []), (dict.fromkeys(Limit), []), ({"per_day": 10}, [{"m-0", "m-1"}])]
)
def test_without_a_limit_nothing_is_read_and_nothing_counted(
    limits: dict[str, int | None], reads: list[set[str]]
) -> None:
    house = house_with(limits=limits)
    house.store = store = CountingStore()
    house.directory.is_down = not reads

    unfinished = house.send(request("m-0"), request("m-1"), sender=house.new_sender())

    assert unfinished == []
    assert store.reads == reads
    assert house.directory.counts == ({"all#2026-11-21": 2} if reads else {})
    assert len(house.transport.requests) == 2


@pytest.mark.parametrize("down", ["directory", "store"])
def test_what_cannot_be_counted_comes_back_and_keeps_nobody_else(down: str) -> None:
    house = house_with(limits={"per_recipient_per_hour": 1})
    house.send(request("m-0", send_at="2026-11-21T10:05:00Z"))
    house.clock.advance(minutes=5)
    (wake_up,) = house.queue.bodies()

    if down == "directory":
        house.directory.is_down = True
    else:
        house.store = BlindStore(house.store)
    unfinished = house.send(request("m-1"), wake_up, request("m-2", colour="red"), sender=house.new_sender())

    assert unfinished == ["r-2"]
    assert {i: m.status for i, m in house.store.messages.items()} == {"m-0": Status.ACCEPTED, "m-2": Status.FAILED}


class BlindStore(InMemoryStore):
    """A store that does not find out about messages that it has never had."""

    def __init__(self, other: InMemoryStore) -> None:
        super().__init__()
        self.messages = other.messages

    def read(self, message_ids: Collection[str]) -> dict[str, Message]:
        self.is_down = not set(message_ids) <= self.messages.keys()
        try:
            return super().read(message_ids)
        finally:
            self.is_down = False


def test_without_time_for_a_vendor_nothing_is_counted_any_more() -> None:
    house = house_with(limits={"per_day": 10})

    def take_time(_: QuotaCounter) -> None:
        house.seconds_left -= 6

    house.directory.before_count = take_time
    unfinished = house.send(*(request(f"m-{n}") for n in range(5)))

    assert unfinished == ["r-4", "r-5"]
    assert house.directory.counts == {"all#2026-11-21": 3}
    assert house.store.messages.keys() == {"m-0", "m-1", "m-2"}


def test_a_batch_that_dies_after_it_was_counted_is_counted_again_and_never_too_little() -> None:
    house = house_with(limits={"per_recipient_per_hour": 3})

    def die(_: Sequence[Write]) -> None:
        if house.directory.counts:
            raise KeyboardInterrupt

    house.store.before_commit = die
    with pytest.raises(KeyboardInterrupt):
        house.send(request("m-0"), request("m-1"))
    house.store.before_commit = None
    house.send(request("m-0"), request("m-1"))

    assert failures(house) == [None, over("per_recipient_per_hour")]
    assert len(house.transport.requests) == 1


@pytest.mark.parametrize("turn", range(1, 11))
@pytest.mark.parametrize("limit", Limit)
def test_two_workers_between_each_others_steps_do_not_exceed_a_limit(limit: Limit, turn: int) -> None:
    house = house_with(limits={limit: 5})
    turns = count(1)

    def interleave(_: QuotaCounter) -> None:
        if next(turns) == turn:
            house.directory.before_count = None
            house.send(*(request(f"b-{n}") for n in range(4)), sender=house.new_sender())

    house.directory.before_count = interleave
    house.send(*(request(f"a-{n}") for n in range(10)))

    assert len(house.transport.requests) == 5
    assert [m.failure for m in house.store.messages.values() if m.failure] == [over(limit)] * 9
    assert list(house.directory.counts.values()) == [5]


def test_a_request_that_two_workers_have_at_once_is_sent_once_and_counted_at_most_twice() -> None:
    house = house_with(limits={"per_day": 5})

    def overtake(_: Sequence[Write]) -> None:
        if house.directory.counts:
            house.store.before_commit = None
            house.send(request("m-0"), sender=house.new_sender())

    house.store.before_commit = overtake
    house.send(request("m-0"))

    assert len(house.transport.requests) == 1
    assert house.message("m-0").status is Status.ACCEPTED
    assert house.directory.counts == {"all#2026-11-21": 2}


def test_a_blocked_message_says_which_limit_and_nothing_of_the_number() -> None:
    house = house_with(limits={"per_prefix_per_hour": 1})

    house.send(request("m-0"), request("m-1"))

    (line,) = [line for line in house.telemetry.lines if line[1] == "message rejected"]
    assert line[2] == {
        "message_id": "m-1",
        "reason": Reason.BLOCKED,
        "detail": "limits.per_prefix_per_hour: reached",
    }
    (counter, *_) = quota_counters_of(RECIPIENTS["nomsa"], {Limit.PER_PREFIX_PER_HOUR: 1}, now=START)
    assert "91234" not in repr(counter)


def test_the_limits_of_the_settings_are_those_that_are_not_null() -> None:
    settings = parse_settings('{"limits": {"per_day": 100000, "per_recipient_per_hour": null}}')

    assert settings.limits_in_force() == {Limit.PER_DAY: 100_000}
    assert parse_settings("{}").limits_in_force() == {}
