"""Monitoring our accounts at the vendors: balances, expiry, and the catalogue that templates are checked against."""

import json
from dataclasses import replace
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
from tests.harness.application import SECRET, Application, lost, unreached

TEMPLATE = "5a4b3c2d-1e0f-4a9b-8c7d-6e5f4a3b2c04"
CHANNEL = "7d1c7c0a-3e0f-4b52-9a43-6a1f0b1e2d03"

Answer = HttpResponse | NoResponse


def answer(document: Any, status: int = 200) -> HttpResponse:
    return HttpResponse(status=status, body=json.dumps(document).encode())


def smsnoc(balance: str = "৳1,092", expires: str | None = None) -> HttpResponse:
    return answer({"status": "success", "data": {"remaining_balance": balance, "expired_on": expires}})


def nusasms(**data: Any) -> HttpResponse:
    return answer({"error": False, "message": "-", "data": {"sms_balance": 782.5, "wa_balance": 20} | data})


def listed(*rows: dict[str, Any]) -> HttpResponse:
    return answer({"error": False, "message": "-", "data": rows})


ROW = {"id": TEMPLATE, "name": "otp", "header": None, "body": "Code {{1}}", "status": "APPROVED"}

ANSWERS: dict[str, Answer] = {
    "smsnoc": smsnoc(),
    "smspoh": answer({"balance": 500.5}),
    "nusasms balance": nusasms(),
    "nusasms key": answer({"error": False, "data": {"userid": "house"}}),
    "nusasms templates": listed(ROW),
    "nusasms channels": listed({"id": CHANNEL}),
}

CHECKS = {
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


def check_of(request: HttpRequest) -> str:
    parts = urlsplit(request.url)
    return CHECKS[parts.netloc + parts.path]


def app_with(answers: dict[str, Answer] | None = None, *, settings: dict[str, Any] | None = None) -> Application:
    given = ANSWERS | (answers or {})
    return Application(lambda request: given[check_of(request)], settings=settings)


def run(app: Application, seconds: float = 60.0) -> int:
    return app.monitor.run(remaining=lambda: seconds)


def alarms(app: Application) -> dict[tuple[str, str | None], int]:
    return {metric: times for metric, times in app.telemetry.counts.items() if times}


# --- account checks -------------------------------------------------------------------------------------------------


def test_every_check_of_every_account_is_made_once() -> None:
    app = app_with()

    assert run(app) == 6

    assert sorted(map(check_of, app.transport.requests)) == sorted(ANSWERS)
    assert app.telemetry.measures == ALL_WELL
    assert app.directory.catalogues == {"nusasms": CATALOGUE}
    assert alarms(app) == {}


def test_error_of_ours_at_one_provider_leaves_the_others_checked() -> None:
    def answer_or_break(request: HttpRequest) -> Answer:
        if check_of(request) == "smspoh":
            raise RuntimeError("can't start new thread")
        return ANSWERS[check_of(request)]

    app = Application(answer_or_break)

    assert run(app) == 5

    assert app.telemetry.measures == {key: value for key, value in ALL_WELL.items() if key[1] != "smspoh"}
    assert alarms(app) == {("AccountCheckFailed", "smspoh"): 1}


def test_further_providers_are_checked_at_their_own_address_under_their_own_name() -> None:
    panel = {"type": "smsnoc", "base_url": "https://app.philsms.example/api/v3", "low_balance": {"credit": 2000}}
    second = {"type": "nusasms", "base_url": "https://second.example"}

    def reply(sent: HttpRequest) -> Answer:
        if sent.host == "app.philsms.example":
            return smsnoc("1,092")
        return ANSWERS[check_of(replace(sent, url=sent.url.replace("second.example", "api.nusasms.com")))]

    app = Application(reply, settings={"providers": {"philsms": panel, "nusasms-2": second}})
    own = {"philsms": {"api_token": "2|philsms"}, "nusasms-2": {"api_key": "second"}}
    app.secret.secret = replace(SECRET, credentials=dict(SECRET.credentials) | own)

    assert run(app) == 6 + 1 + 4

    further = {("Balance", "philsms", "credit"): 1092.0}
    further |= {("Balance", "nusasms-2", account): ALL_WELL["Balance", "nusasms", account] for account in ("sms", "wa")}
    assert app.telemetry.measures == ALL_WELL | further
    assert app.directory.catalogues == {"nusasms": CATALOGUE, "nusasms-2": CATALOGUE}
    assert alarms(app) == {("BalanceLow", "philsms"): 1}


OFF: list[tuple[str, dict[str, Any], dict[str, dict[str, str]], set[str]]] = [
    ("turned off", {"providers": {"smspoh": {"enabled": False}}}, {}, {"smspoh"}),
    ("without credentials", {}, {"smsnoc": {}, "smspoh": {}}, {"smsnoc", "smspoh"}),
    (
        "on one channel only",
        {},
        {"nusasms": {"user": "house", "password": "house"}},
        {name for name in ANSWERS if name.startswith("nusasms")},
    ),
]


@pytest.mark.parametrize(("settings", "credentials", "unchecked"), [o[1:] for o in OFF], ids=[o[0] for o in OFF])
def test_an_account_that_is_not_configured_is_not_checked(
    settings: dict[str, Any], credentials: dict[str, dict[str, str]], unchecked: set[str]
) -> None:
    app = app_with(settings=settings)
    app.secret.secret = Secret(webhook_tokens=SECRET.webhook_tokens, credentials={**SECRET.credentials, **credentials})

    assert run(app) == 6 - len(unchecked)

    assert {check_of(request) for request in app.transport.requests} == ANSWERS.keys() - unchecked
    assert alarms(app) == {("ProviderUnusable", name): 1 for name, given in credentials.items() if not given}


def test_a_check_begins_only_with_time_for_its_answer() -> None:
    app = app_with()

    assert run(app, seconds=14.9) == 0

    assert app.transport.requests == []
    assert alarms(app) == {
        ("AccountCheckFailed", "smsnoc"): 1,
        ("AccountCheckFailed", "smspoh"): 1,
        ("AccountCheckFailed", "nusasms"): 4,
    }


# --- balances -------------------------------------------------------------------------------------------------------

LOW: list[tuple[str, dict[str, Answer], dict[str, Any], set[str]]] = [
    ("zero", {"smspoh": answer({"balance": 0})}, {}, {"smspoh"}),
    ("negative", {"smspoh": answer({"balance": "-3.50"})}, {}, {"smspoh"}),
    ("just above zero", {"smspoh": answer({"balance": 0.01})}, {}, set()),
    ("unlimited", {"smsnoc": smsnoc("Unlimited")}, {}, set()),
    ("at the threshold", {}, {"smspoh": {"low_balance": {"credit": 500.5}}}, {"smspoh"}),
    ("above the threshold", {}, {"smspoh": {"low_balance": {"credit": 500.4}}}, set()),
    ("a threshold of another account", {}, {"smspoh": {"low_balance": {"sms": 9999}}}, set()),
    ("one account of two", {}, {"nusasms": {"low_balance": {"sms": 1000, "wa": 10}}}, {"nusasms"}),
    (
        "an account that is not watched",
        {"nusasms balance": nusasms(wa_balance=0)},
        {"nusasms": {"low_balance": {"wa": None}}},
        set(),
    ),
    (
        "the other account is not watched",
        {"nusasms balance": nusasms(wa_balance=0)},
        {"nusasms": {"low_balance": {"sms": None}}},
        {"nusasms"},
    ),
]


@pytest.mark.parametrize(("answers", "providers", "low"), [row[1:] for row in LOW], ids=[row[0] for row in LOW])
def test_a_balance_at_or_below_its_threshold_raises_an_alarm(
    answers: dict[str, Answer], providers: dict[str, Any], low: set[str]
) -> None:
    app = app_with(answers, settings={"providers": providers})

    assert run(app) == 6

    assert alarms(app) == {("BalanceLow", name): 1 for name in low}


def test_two_low_accounts_of_a_vendor_raise_two_alarms() -> None:
    app = app_with({"nusasms balance": nusasms(sms_balance=0, wa_balance=-1)})

    run(app)

    assert alarms(app) == {("BalanceLow", "nusasms"): 2}


def test_a_balance_without_a_threshold_is_still_measured() -> None:
    app = app_with(
        {"smsnoc": smsnoc("Unlimited")}, settings={"providers": {"smspoh": {"low_balance": {"credit": None}}}}
    )

    run(app)

    assert app.telemetry.measures == {key: value for key, value in ALL_WELL.items() if key[1] != "smsnoc"}


DAY = timedelta(days=1)

EXPIRY: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, float], bool]] = [
    ("no date", {}, {}, {}, False),
    ("a month", {"wa_expired_date": "2026-12-21"}, {}, {"wa": 29 + 7 / 24}, False),
    ("a little more than a week", {"wa_expired_date": "2026-11-29"}, {}, {"wa": 7 + 7 / 24}, False),
    ("a little less than a week", {"wa_expired_date": "2026-11-28"}, {}, {"wa": 6 + 7 / 24}, True),
    ("expired", {"sms_expired_date": "2026-11-20"}, {}, {"sms": -2 + 7 / 24}, True),
    (
        "a month, with a warning of thirty days",
        {"wa_expired_date": "2026-12-21"},
        {"expiry_warning_days": 30},
        {"wa": 29 + 7 / 24},
        True,
    ),
    (
        "an account that is not watched",
        {"wa_expired_date": "2026-11-22"},
        {"providers": {"nusasms": {"low_balance": {"wa": None}}}},
        {},
        False,
    ),
    ("an unreadable date", {"wa_expired_date": "soon"}, {}, {}, False),
]


@pytest.mark.parametrize(("data", "settings", "days", "is_alarm"), [e[1:] for e in EXPIRY], ids=[e[0] for e in EXPIRY])
def test_a_balance_that_expires_soon_raises_an_alarm(
    data: dict[str, Any], settings: dict[str, Any], days: dict[str, float], is_alarm: bool
) -> None:
    # A date begins at midnight in Jakarta, seven hours ahead of UTC: at 10:00 UTC it is 17:00 there.
    app = app_with({"nusasms balance": nusasms(**data)}, settings=settings)

    run(app)

    measured = {key[2]: value for key, value in app.telemetry.measures.items() if key[0] == "BalanceDaysLeft"}
    assert measured == pytest.approx(days)
    assert alarms(app) == ({("BalanceExpiring", "nusasms"): 1} if is_alarm else {})


# --- failed checks --------------------------------------------------------------------------------------------------

REFUSED = answer({"error": True, "message": "Unauthorized"}, 401)

WRONG: list[tuple[str, dict[str, Answer], dict[tuple[str, str | None], int], int]] = [
    ("no answer", {"smspoh": lost()}, {("AccountCheckFailed", "smspoh"): 1}, 5),
    ("no connection", {"smspoh": unreached()}, {("AccountCheckFailed", "smspoh"): 1}, 5),
    ("HTTP 500", {"smspoh": HttpResponse(status=500)}, {("AccountCheckFailed", "smspoh"): 1}, 5),
    ("HTML", {"smsnoc": HttpResponse(status=200, body=b"<html>")}, {("AccountCheckFailed", "smsnoc"): 1}, 5),
    ("no balance", {"smspoh": answer({"balance": None})}, {("AccountCheckFailed", "smspoh"): 1}, 5),
    ("another shape", {"smspoh": answer([])}, {("AccountCheckFailed", "smspoh"): 1}, 5),
    (
        "an object in place of a list",
        {"nusasms templates": answer({"error": False, "data": {}})},
        {("AccountCheckFailed", "nusasms"): 1},
        5,
    ),
    ("refused", {"smspoh": REFUSED}, {("AccountRefused", "smspoh"): 1}, 5),
    (
        "our address is refused",
        {"smspoh": answer({"message": "IP address not whitelisted"}, 403)},
        {("AccountRefused", "smspoh"): 1, ("AddressRefused", "smspoh"): 1},
        5,
    ),
    (
        "refused with HTTP 200",
        {"smsnoc": answer({"status": "error", "message": "Unauthenticated."})},
        {("AccountRefused", "smsnoc"): 1},
        5,
    ),
    (
        "every check refused",
        {name: REFUSED for name in ANSWERS if name.startswith("nusasms")},
        {("AccountRefused", "nusasms"): 4},
        2,
    ),
    (
        "no vendor reachable",
        {name: unreached() for name in ANSWERS},
        {
            ("AccountCheckFailed", "smsnoc"): 1,
            ("AccountCheckFailed", "smspoh"): 1,
            ("AccountCheckFailed", "nusasms"): 4,
        },
        0,
    ),
]


@pytest.mark.parametrize(("answers", "raised", "answered"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_a_failure_at_one_vendor_raises_an_alarm_and_leaves_the_others(
    answers: dict[str, Answer], raised: dict[tuple[str, str | None], int], answered: int
) -> None:
    app = app_with(answers)

    assert run(app) == answered

    affected = {name.split()[0] for name in answers}
    assert alarms(app) == raised
    assert {check_of(request) for request in app.transport.requests} == ANSWERS.keys()
    assert {key: v for key, v in app.telemetry.measures.items() if key[1] not in affected} == {
        key: v for key, v in ALL_WELL.items() if key[1] not in affected
    }


def test_the_log_contains_no_credential() -> None:
    app = Application(HttpResponse(status=401, body=b"1|house house_v1_nomsa"))

    run(app)

    shown = repr([app.telemetry.lines, app.transport.requests])
    assert [name for name in ("1|house", "house_v1") if name in shown] == []


# --- the catalogue --------------------------------------------------------------------------------------------------

BEFORE = Catalogue(refreshed_at=START - DAY, templates={}, senders=frozenset())

PARTS: list[tuple[str, dict[str, Answer], Catalogue]] = [
    ("both", {}, CATALOGUE),
    ("templates only", {"nusasms channels": lost()}, Catalogue(refreshed_at=START, templates=CATALOGUE.templates)),
    ("channels only", {"nusasms templates": lost()}, Catalogue(refreshed_at=START, senders=CATALOGUE.senders)),
    (
        "an account without templates and channels",
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


@pytest.mark.parametrize(("answers", "stored"), [p[1:] for p in PARTS], ids=[p[0] for p in PARTS])
def test_the_catalogue_has_the_parts_that_the_vendor_listed(answers: dict[str, Answer], stored: Catalogue) -> None:
    app = app_with(answers)
    app.directory.store_catalogue("nusasms", BEFORE)

    run(app)

    assert app.directory.catalogues == {"nusasms": stored}


def test_balances_are_measured_even_if_the_catalogue_cannot_be_stored() -> None:
    app = app_with()
    app.directory.is_down = True

    assert run(app) == 6

    assert app.telemetry.measures == ALL_WELL
    assert [what for level, what, _ in app.telemetry.lines if level == "error"] == ["catalogue not stored"]


def test_without_settings_no_vendor_is_called() -> None:
    app = app_with()
    app.settings.is_down = True

    with pytest.raises(UnavailableError):
        run(app)

    assert app.transport.requests == []


def test_messages_are_checked_against_the_catalogue_of_the_monitor() -> None:
    app = app_with({"nusasms templates": listed(ROW | {"status": "PAUSED"})})
    run(app)
    sent = len(app.transport.requests)
    body = {
        "message_id": "m-1",
        "channel": "whatsapp_official",
        "recipient": "+6281234567810",
        "sender": CHANNEL,
        "content": {"type": "template", "template_id": TEMPLATE, "parameters": ["1234"]},
    }

    app.send(json.dumps(body))

    detail = "content.template_id: the template is not approved"
    assert app.message().failure == Failure(reason=Reason.TEMPLATE_REJECTED, detail=detail)
    assert len(app.transport.requests) == sent
