"""Allowed countries and senders, and the form of a recipient."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from sampai.contract.problems import notation_hint
from sampai.domain.failure import Failure, Reason
from sampai.domain.inbound import Conversation
from sampai.domain.quotas import Limit
from sampai.domain.status import Status
from tests.fakes import START, statuses
from tests.harness.application import Application, request
from tests.unit.application.providers import (
    BY_WHATSAPP,
    CONVERSATION,
    COUNTRY_NOT_ALLOWED,
    NEW_CONVERSATION,
    PROVIDERS,
    REPLY,
    SENDER_NOT_ALLOWED,
    THAI,
    UNASSIGNED,
    accept_all,
    change_settings,
    new_application,
)

# --- countries ------------------------------------------------------------------------------------------------------

BY_NAME = {"provider": "smspoh"}
UNROUTABLE = Failure(reason=Reason.UNROUTABLE, detail="recipient: no route for its country and channel")

COUNTRIES: list[tuple[str, Sequence[str] | None, dict[str, Any], Failure | None]] = [
    ("no list, a country with a route", None, {}, None),
    ("no list, a country without a route", None, {"recipient": THAI}, UNROUTABLE),
    ("no list, a country without a route, by a named provider", None, {"recipient": THAI} | BY_NAME, None),
    ("no list, a channel for all countries", None, {"recipient": THAI} | BY_WHATSAPP, None),
    (
        "no list, a number without a country, a channel for all countries",
        None,
        {"recipient": UNASSIGNED} | BY_WHATSAPP,
        None,
    ),
    ("in the list", ["KH", "TH"], {}, None),
    ("in the list and without a route", ["TH"], {"recipient": THAI}, UNROUTABLE),
    ("not in the list", ["ID"], {}, COUNTRY_NOT_ALLOWED),
    ("not in the list, without a route", ["KH"], {"recipient": THAI}, COUNTRY_NOT_ALLOWED),
    ("not in the list, by a named provider", ["KH"], {"recipient": THAI} | BY_NAME, COUNTRY_NOT_ALLOWED),
    ("in the list, by a named provider", ["TH"], {"recipient": THAI} | BY_NAME, None),
    ("not in the list, on a channel for all countries", ["KH"], {"recipient": THAI} | BY_WHATSAPP, COUNTRY_NOT_ALLOWED),
    ("in the list, on a channel for all countries", ["TH"], {"recipient": THAI} | BY_WHATSAPP, None),
    ("a number without a country", ["KH"], {"recipient": UNASSIGNED} | BY_WHATSAPP, COUNTRY_NOT_ALLOWED),
    ("an empty list", [], {}, COUNTRY_NOT_ALLOWED),
    ("to be sent later", ["ID"], {"send_at": "2026-11-21T11:00:00Z"}, COUNTRY_NOT_ALLOWED),
    (
        "an audience that the vendor keeps",
        ["KH"],
        {"recipient": None, "audience": {"lists": ["a"]}, "provider": "smsnoc"},
        None,
    ),
    ("a reply in a conversation of an allowed country", ["ID"], REPLY, None),
    ("a reply in a conversation of another country", ["KH"], REPLY, COUNTRY_NOT_ALLOWED),
    ("a reply in a conversation without a known number", ["KH"], REPLY | {"room_id": NEW_CONVERSATION}, None),
]


@pytest.mark.parametrize(("allowed", "changes", "failure"), [c[1:] for c in COUNTRIES], ids=[c[0] for c in COUNTRIES])
def test_a_number_outside_the_allowed_countries_fails_without_a_call(
    allowed: Sequence[str] | None, changes: dict[str, Any], failure: Failure | None
) -> None:
    app = Application(accept_all(), settings={"providers": PROVIDERS, "routes": {}, "allowed_countries": allowed})
    app.directory.record_conversation(
        Conversation(room_id=CONVERSATION, number="+6281234567810", last_inbound_at=START)
    )
    app.directory.record_conversation(Conversation(room_id=NEW_CONVERSATION, last_inbound_at=START))

    unfinished = app.send(request(**changes))

    assert unfinished == []
    assert app.message().failure == failure
    assert statuses(app.message()) == ([Status.FAILED] if failure else [Status.SENDING, Status.ACCEPTED])
    assert len(app.transport.requests) == (0 if failure else 1)
    assert app.telemetry.counts.get(("MessageBlocked", None)) == (1 if failure == COUNTRY_NOT_ALLOWED else None)


def test_a_waiting_message_fails_if_its_country_is_no_longer_allowed() -> None:
    app = new_application(sending_enabled=False)
    app.send(request("to-cambodia"), request("to-indonesia", home="nusasms", channel="whatsapp"))
    change_settings(app, allowed_countries=["ID"])

    app.resume()

    assert app.message("to-cambodia").failure == COUNTRY_NOT_ALLOWED
    assert app.message("to-indonesia").status is Status.ACCEPTED
    assert app.telemetry.counts["MessageBlocked", None] == 1


# --- senders --------------------------------------------------------------------------------------------------------

ALLOWED = ["MyBank", "My Bank", "0"]

SENDERS: list[tuple[str, Sequence[str] | None, str | None, bool]] = [
    ("no list", None, "Unlisted", True),
    ("no sender in the request", ALLOWED, None, True),
    ("first in the list", ALLOWED, "MyBank", True),
    ("second in the list", ALLOWED, "My Bank", True),
    ("the default", ALLOWED, "Sampai", True),
    ("the default with an empty list", [], "Sampai", True),
    ("an empty list", [], "MyBank", False),
    ("not in the list", ALLOWED, "Unlisted", False),
    ("the default of another provider", ALLOWED, "mcs-otp", False),
    ("different case", ALLOWED, "MYBANK", False),
    ("trailing space", ALLOWED, "MyBank ", False),
    ("leading space", ALLOWED, " MyBank", False),
    ("prefix of an allowed sender", ALLOWED, "MyBan", False),
    ("O for 0", ALLOWED, "O", False),
    ("l for I", ["MyBIll"], "MyBlll", False),
    ("two allowed senders", ALLOWED, "MyBank,My Bank", False),
]


@pytest.mark.parametrize(("allowed", "sender", "is_allowed"), [s[1:] for s in SENDERS], ids=[s[0] for s in SENDERS])
def test_a_requested_sender_must_equal_an_allowed_one_exactly(
    allowed: Sequence[str] | None, sender: str | None, is_allowed: bool
) -> None:
    app = new_application(providers=PROVIDERS | {"smspoh": {"sender": "Sampai", "allowed_senders": allowed}})

    app.send(request(home="smspoh", sender=sender))

    assert app.message().failure == (None if is_allowed else SENDER_NOT_ALLOWED)
    assert [json.loads(sent.body)["from"] for sent in app.transport.requests] == (
        [sender or "Sampai"] if is_allowed else []
    )


@pytest.mark.parametrize(
    "sender",
    [
        "МyBank",  # Cyrillic letter
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
def test_a_sender_must_be_printable_ascii(sender: str) -> None:
    app = new_application()

    app.send(request(home="smspoh", sender=sender))

    (failed,) = app.store.messages.values()
    assert failed.failure is not None
    assert failed.failure.reason is Reason.INVALID_REQUEST
    assert app.transport.requests == []


@pytest.mark.parametrize(("sender", "is_allowed"), [("6281100000090", True), ("6281100000091", False)])
def test_the_default_sender_of_the_channel_is_allowed(sender: str, is_allowed: bool) -> None:
    nusasms = PROVIDERS["nusasms"] | {"sender": "6281100000091", "allowed_senders": []}
    app = new_application(providers=PROVIDERS | {"nusasms": nusasms})

    app.send(request(home="nusasms", channel="whatsapp", sender=sender))

    assert app.message().failure == (None if is_allowed else SENDER_NOT_ALLOWED)


def test_the_route_continues_with_a_provider_that_allows_the_sender() -> None:
    app = new_application(
        routes={"sms": {"TH": ["nomsa", "smspoh"]}},
        providers=PROVIDERS | {"nomsa": {"allowed_senders": []}},
    )

    app.send(request(recipient=THAI, sender="MyBank"))

    assert (app.message().provider, app.message().status) == ("smspoh", Status.ACCEPTED)


def test_a_scheduled_message_fails_at_once_if_its_sender_is_not_allowed() -> None:
    app = new_application(providers=PROVIDERS | {"nomsa": {"allowed_senders": []}})

    app.send(request(sender="MyBank", send_at="2026-11-21T11:00:00Z"))

    assert (statuses(app.message()), app.message().failure) == ([Status.FAILED], SENDER_NOT_ALLOWED)


def test_a_waiting_message_fails_if_its_sender_is_no_longer_allowed() -> None:
    app = new_application(sending_enabled=False)
    app.send(request("m-1", sender="MyBank"), request("m-2"))
    change_settings(app, providers=PROVIDERS | {"nomsa": {"allowed_senders": []}})

    app.resume()

    assert app.message("m-1").failure == SENDER_NOT_ALLOWED
    assert app.message("m-2").status is Status.ACCEPTED


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
def test_a_recipient_must_be_one_ascii_number_or_the_request_is_invalid_and_not_counted(recipient: str) -> None:
    app = new_application(limits={limit: 1 for limit in Limit}, allowed_countries=["KH"])

    app.send(request(recipient=recipient))

    detail = "recipient: must be exactly one E.164 number: + and 7 to 15 ASCII digits" + notation_hint(recipient)
    assert app.message().failure == Failure(reason=Reason.INVALID_REQUEST, detail=detail)
    assert app.transport.requests == []
    assert app.directory.counts == {}
