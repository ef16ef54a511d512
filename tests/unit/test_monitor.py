"""How our accounts stand at the vendors: measured, watched, and kept where messages are checked against it."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpRequest, HttpResponse
from sampai.domain.template import Catalogue, TemplateInfo
from sampai.services.ports.configuration import Secret
from sampai.services.ports.runtime import UnavailableError
from sampai.services.ports.transport import NoResponse
from tests.fakes import START
from tests.harness.application import SECRET, House, lost, unreached

TEMPLATE = "5a4b3c2d-1e0f-4a9b-8c7d-6e5f4a3b2c04"
CHANNEL = "7d1c7c0a-3e0f-4b52-9a43-6a1f0b1e2d03"

Answer = HttpResponse | NoResponse


def said(document: Any, status: int = 200) -> HttpResponse:
    return HttpResponse(status=status, body=json.dumps(document).encode())


def smsnoc(balance: str = "৳1,092", expires: str | None = None) -> HttpResponse:
    return said({"status": "success", "data": {"remaining_balance": balance, "expired_on": expires}})


def nusasms(**data: Any) -> HttpResponse:
    return said({"error": False, "message": "-", "data": {"sms_balance": 782.5, "wa_balance": 20} | data})


def listed(*rows: dict[str, Any]) -> HttpResponse:
    return said({"error": False, "message": "-", "data": rows})


ROW = {"id": TEMPLATE, "name": "otp", "header": None, "body": "Code {{1}}", "status": "APPROVED"}

ANSWERS: dict[str, Answer] = {
    "smsnoc": smsnoc(),
    "smspoh": said({"balance": 500.5}),
    "nusasms balance": nusasms(),
    "nusasms key": said({"error": False, "data": {"userid": "house"}}),
    "nusasms templates": listed(ROW),
    "nusasms channels": listed({"id": CHANNEL}),
}

QUESTIONS = {
    "app.smsnoc.com/api/v3/balance": "smsnoc",
    "v3.smspoh.com/api/rest/account/get-balance": "smspoh",
    "api.nusasms.com/nusasms_api/1.0/balance": "nusasms balance",
    "api.nusasms.com/nusasms_api/1.0/auth/api_key": "nusasms key",
    "api.nusasms.com/nusasms_api/1.0/wa_official/templates": "nusasms templates",
    "api.nusasms.com/nusasms_api/1.0/wa_official/channels": "nusasms channels",
}

CATALOGUE = Catalogue(
    refreshed_at=START,
    templates={TEMPLATE: TemplateInfo(is_approved=True, body_parameters=1)},
    senders=frozenset({CHANNEL}),
)

ALL_WELL = {
    ("Balance", "smsnoc", "credit"): 1092.0,
    ("Balance", "smspoh", "credit"): 500.5,
    ("Balance", "nusasms", "sms"): 782.5,
    ("Balance", "nusasms", "wa"): 20.0,
}


def question(request: HttpRequest) -> str:
    parts = urlsplit(request.url)
    return QUESTIONS[parts.netloc + parts.path]


def house_that_hears(answers: dict[str, Answer] | None = None, *, settings: dict[str, Any] | None = None) -> House:
    heard = ANSWERS | (answers or {})
    return House(lambda request: heard[question(request)], settings=settings)


def check(house: House, seconds: float = 60.0) -> int:
    return house.monitor.run(remaining=lambda: seconds)


def alarms(house: House) -> dict[tuple[str, str | None], int]:
    return {metric: times for metric, times in house.telemetry.counts.items() if times}


# --- asking ---------------------------------------------------------------------------------------------------------


def test_every_account_is_asked_everything_once() -> None:
    house = house_that_hears()

    assert check(house) == 6

    assert sorted(map(question, house.transport.requests)) == sorted(ANSWERS)
    assert house.telemetry.measures == ALL_WELL
    assert house.directory.catalogues == {"nusasms": CATALOGUE}
    assert alarms(house) == {}


OFF: list[tuple[str, dict[str, Any], dict[str, dict[str, str]], set[str]]] = [
    ("turned off", {"providers": {"smspoh": {"enabled": False}}}, {}, {"smspoh"}),
    ("without credentials", {}, {"smsnoc": {}, "smspoh": {}}, {"smsnoc", "smspoh"}),
    (
        "on one channel alone",
        {},
        {"nusasms": {"user": "house", "password": "house"}},
        {name for name in ANSWERS if name.startswith("nusasms")},
    ),
]


@pytest.mark.parametrize(("settings", "credentials", "unasked"), [o[1:] for o in OFF], ids=[o[0] for o in OFF])
def test_an_account_that_is_not_configured_is_not_asked(
    settings: dict[str, Any], credentials: dict[str, dict[str, str]], unasked: set[str]
) -> None:
    house = house_that_hears(settings=settings)
    house.secret.secret = Secret(
        webhook_tokens=SECRET.webhook_tokens, credentials={**SECRET.credentials, **credentials}
    )

    assert check(house) == 6 - len(unasked)

    assert {question(request) for request in house.transport.requests} == ANSWERS.keys() - unasked
    assert alarms(house) == {}


def test_no_question_is_begun_without_time_for_its_answer() -> None:
    house = house_that_hears()

    assert check(house, seconds=14.9) == 0

    assert house.transport.requests == []
    assert alarms(house) == {
        ("AccountCheckFailed", "smsnoc"): 1,
        ("AccountCheckFailed", "smspoh"): 1,
        ("AccountCheckFailed", "nusasms"): 4,
    }


# --- balances -------------------------------------------------------------------------------------------------------

LOW: list[tuple[str, dict[str, Answer], dict[str, Any], set[str]]] = [
    ("nothing left", {"smspoh": said({"balance": 0})}, {}, {"smspoh"}),
    ("less than nothing", {"smspoh": said({"balance": "-3.50"})}, {}, {"smspoh"}),
    ("a little left", {"smspoh": said({"balance": 0.01})}, {}, set()),
    ("no limit", {"smsnoc": smsnoc("Unlimited")}, {}, set()),
    ("at the mark", {}, {"smspoh": {"low_balance": {"credit": 500.5}}}, {"smspoh"}),
    ("above the mark", {}, {"smspoh": {"low_balance": {"credit": 500.4}}}, set()),
    ("a mark of another account", {}, {"smspoh": {"low_balance": {"sms": 9999}}}, set()),
    ("one purse of two", {}, {"nusasms": {"low_balance": {"sms": 1000, "wa": 10}}}, {"nusasms"}),
    (
        "a purse that nobody watches",
        {"nusasms balance": nusasms(wa_balance=0)},
        {"nusasms": {"low_balance": {"wa": None}}},
        set(),
    ),
    (
        "the purse beside it",
        {"nusasms balance": nusasms(wa_balance=0)},
        {"nusasms": {"low_balance": {"sms": None}}},
        {"nusasms"},
    ),
]


@pytest.mark.parametrize(("answers", "providers", "low"), [row[1:] for row in LOW], ids=[row[0] for row in LOW])
def test_a_balance_at_its_mark_or_below_rings(
    answers: dict[str, Answer], providers: dict[str, Any], low: set[str]
) -> None:
    house = house_that_hears(answers, settings={"providers": providers})

    assert check(house) == 6

    assert alarms(house) == {("BalanceLow", name): 1 for name in low}


def test_both_purses_of_a_vendor_ring() -> None:
    house = house_that_hears({"nusasms balance": nusasms(sms_balance=0, wa_balance=-1)})

    check(house)

    assert alarms(house) == {("BalanceLow", "nusasms"): 2}


def test_a_balance_that_nobody_watches_or_that_has_no_limit_is_measured_as_it_is() -> None:
    house = house_that_hears(
        {"smsnoc": smsnoc("Unlimited")}, settings={"providers": {"smspoh": {"low_balance": {"credit": None}}}}
    )

    check(house)

    assert house.telemetry.measures == {key: value for key, value in ALL_WELL.items() if key[1] != "smsnoc"}


DAY = timedelta(days=1)

EXPIRY: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, float], bool]] = [
    ("no date", {}, {}, {}, False),
    ("a month", {"wa_expired_date": "2026-12-21"}, {}, {"wa": 29 + 7 / 24}, False),
    ("a little more than a week", {"wa_expired_date": "2026-11-29"}, {}, {"wa": 7 + 7 / 24}, False),
    ("a little less than a week", {"wa_expired_date": "2026-11-28"}, {}, {"wa": 6 + 7 / 24}, True),
    ("over", {"sms_expired_date": "2026-11-20"}, {}, {"sms": -2 + 7 / 24}, True),
    (
        "a month, which is near",
        {"wa_expired_date": "2026-12-21"},
        {"expiry_warning_days": 30},
        {"wa": 29 + 7 / 24},
        True,
    ),
    (
        "a purse that nobody watches",
        {"wa_expired_date": "2026-11-22"},
        {"providers": {"nusasms": {"low_balance": {"wa": None}}}},
        {},
        False,
    ),
    ("a date that cannot be read", {"wa_expired_date": "soon"}, {}, {}, False),
]


@pytest.mark.parametrize(("data", "settings", "days", "rings"), [e[1:] for e in EXPIRY], ids=[e[0] for e in EXPIRY])
def test_a_balance_that_is_about_to_expire_rings(
    data: dict[str, Any], settings: dict[str, Any], days: dict[str, float], rings: bool
) -> None:
    # Dates are of Jakarta, seven hours ahead, and at their beginning: at ten in UTC it is 17:00 there.
    house = house_that_hears({"nusasms balance": nusasms(**data)}, settings=settings)

    check(house)

    measured = {key[2]: value for key, value in house.telemetry.measures.items() if key[0] == "BalanceDaysLeft"}
    assert measured == pytest.approx(days)
    assert alarms(house) == ({("BalanceExpiring", "nusasms"): 1} if rings else {})


# --- what goes wrong ------------------------------------------------------------------------------------------------

REFUSED = said({"error": True, "message": "Unauthorized"}, 401)

WRONG: list[tuple[str, dict[str, Answer], dict[tuple[str, str | None], int], int]] = [
    ("no answer", {"smspoh": lost()}, {("AccountCheckFailed", "smspoh"): 1}, 5),
    ("no connection", {"smspoh": unreached()}, {("AccountCheckFailed", "smspoh"): 1}, 5),
    ("HTTP 500", {"smspoh": HttpResponse(status=500)}, {("AccountCheckFailed", "smspoh"): 1}, 5),
    ("HTML", {"smsnoc": HttpResponse(status=200, body=b"<html>")}, {("AccountCheckFailed", "smsnoc"): 1}, 5),
    ("no balance in it", {"smspoh": said({"balance": None})}, {("AccountCheckFailed", "smspoh"): 1}, 5),
    ("another shape", {"smspoh": said([])}, {("AccountCheckFailed", "smspoh"): 1}, 5),
    (
        "a list that is none",
        {"nusasms templates": said({"error": False, "data": {}})},
        {("AccountCheckFailed", "nusasms"): 1},
        5,
    ),
    ("refused", {"smspoh": REFUSED}, {("AccountRefused", "smspoh"): 1}, 5),
    (
        "refused in a success",
        {"smsnoc": said({"status": "error", "message": "Unauthenticated."})},
        {("AccountRefused", "smsnoc"): 1},
        5,
    ),
    (
        "refused everywhere",
        {name: REFUSED for name in ANSWERS if name.startswith("nusasms")},
        {("AccountRefused", "nusasms"): 4},
        2,
    ),
    (
        "an outage of all",
        {name: unreached() for name in ANSWERS},
        {
            ("AccountCheckFailed", "smsnoc"): 1,
            ("AccountCheckFailed", "smspoh"): 1,
            ("AccountCheckFailed", "nusasms"): 4,
        },
        0,
    ),
]


@pytest.mark.parametrize(("answers", "rung", "answered"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_what_goes_wrong_at_one_vendor_rings_and_leaves_the_others(
    answers: dict[str, Answer], rung: dict[tuple[str, str | None], int], answered: int
) -> None:
    house = house_that_hears(answers)

    assert check(house) == answered

    troubled = {name.split()[0] for name in answers}
    assert alarms(house) == rung
    assert {question(request) for request in house.transport.requests} == ANSWERS.keys()
    assert {key: v for key, v in house.telemetry.measures.items() if key[1] not in troubled} == {
        key: v for key, v in ALL_WELL.items() if key[1] not in troubled
    }


def test_no_credential_is_logged() -> None:
    house = House(HttpResponse(status=401, body=b"1|house house_v1_nomsa"))

    check(house)

    shown = repr([house.telemetry.lines, house.transport.requests])
    assert [name for name in ("1|house", "house_v1") if name in shown] == []


# --- the catalogue --------------------------------------------------------------------------------------------------

BEFORE = Catalogue(refreshed_at=START - DAY, templates={}, senders=frozenset())

PARTS: list[tuple[str, dict[str, Answer], Catalogue]] = [
    ("both", {}, CATALOGUE),
    ("templates alone", {"nusasms channels": lost()}, Catalogue(refreshed_at=START, templates=CATALOGUE.templates)),
    ("channels alone", {"nusasms templates": lost()}, Catalogue(refreshed_at=START, senders=CATALOGUE.senders)),
    (
        "an account that has none",
        {"nusasms templates": listed(), "nusasms channels": listed()},
        Catalogue(refreshed_at=START, templates={}, senders=frozenset()),
    ),
    (
        "a template that is not approved",
        {
            "nusasms templates": listed(
                ROW | {"status": "REJECTED", "header": {"format": "image"}, "body": {"text": "1"}}
            )
        },
        Catalogue(
            refreshed_at=START,
            templates={TEMPLATE: TemplateInfo(is_approved=False, header_format="IMAGE")},
            senders=CATALOGUE.senders,
        ),
    ),
    ("neither", {"nusasms templates": lost(), "nusasms channels": REFUSED}, BEFORE),
]


@pytest.mark.parametrize(("answers", "kept"), [p[1:] for p in PARTS], ids=[p[0] for p in PARTS])
def test_what_was_answered_is_kept_and_what_was_not_is_not_guarded_by(
    answers: dict[str, Answer], kept: Catalogue
) -> None:
    house = house_that_hears(answers)
    house.directory.store_catalogue("nusasms", BEFORE)

    check(house)

    assert house.directory.catalogues == {"nusasms": kept}


def test_a_catalogue_that_cannot_be_kept_keeps_no_balance_from_being_measured() -> None:
    house = house_that_hears()
    house.directory.is_down = True

    assert check(house) == 6

    assert house.telemetry.measures == ALL_WELL
    assert [what for level, what, _ in house.telemetry.lines if level == "error"] == ["catalogue not stored"]


def test_without_settings_nobody_is_asked() -> None:
    house = house_that_hears()
    house.settings.is_down = True

    with pytest.raises(UnavailableError):
        check(house)

    assert house.transport.requests == []


def test_what_the_monitor_learned_is_what_messages_are_checked_against() -> None:
    house = house_that_hears({"nusasms templates": listed(ROW | {"status": "PAUSED"})})
    check(house)
    sent = len(house.transport.requests)
    body = {
        "message_id": "m-1",
        "channel": "whatsapp_official",
        "recipient": "+6281234567810",
        "sender": CHANNEL,
        "content": {"type": "template", "template_id": TEMPLATE, "parameters": ["1234"]},
    }

    house.send(json.dumps(body))

    detail = "content.template_id: the template is not approved"
    assert house.message().failure == Failure(reason=Reason.TEMPLATE_REJECTED, detail=detail)
    assert len(house.transport.requests) == sent
