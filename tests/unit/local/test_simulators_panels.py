"""A second panel of SMS NOC's software beside the first one: nothing of one is valid at the other."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.simulators.server import Simulators
from tests.unit.local.test_simulators import FROZEN, JSON, call

TOKENS = {"smsnoc": "1|local-simulator", "philsms": "2|local-simulator"}
SENDS = {"smsnoc": ("8801744977910", "SampaiBD"), "philsms": ("639171234510", "PhilSMS")}


@pytest.fixture
def simulators() -> Iterator[Simulators]:
    with Simulators(settings=FROZEN) as running:
        yield running


def ask(simulators: Simulators, panel: str, path: str, *, token: str | None = None, **fields: str) -> dict[str, Any]:
    headers = JSON | {"Authorization": f"Bearer {token or TOKENS[panel]}", "Accept": "application/json"}
    body = json.dumps(fields).encode() if fields else b""
    method = "POST" if fields else "GET"
    document: dict[str, Any] = call(simulators, method, f"/{panel}/api/v3/{path}", headers=headers, body=body).document
    return document


def send(simulators: Simulators, panel: str, recipient: str, sender: str) -> dict[str, Any]:
    return ask(simulators, panel, "sms/send", recipient=recipient, sender_id=sender, type="plain", message="Hello")


@pytest.mark.parametrize("panel", SENDS)
def test_panel_takes_its_own_numbers_and_senders_alone(simulators: Simulators, panel: str) -> None:
    (number, sender), (foreign_number, foreign_sender) = SENDS[panel], next(s for p, s in SENDS.items() if p != panel)

    assert send(simulators, panel, number, sender)["status"] == "success"
    assert "not authorized" in send(simulators, panel, number, foreign_sender)["message"]
    assert "has not been enabled for the region" in send(simulators, panel, foreign_number, sender)["message"]


@pytest.mark.parametrize(("panel", "token"), [("smsnoc", TOKENS["philsms"]), ("philsms", TOKENS["smsnoc"])])
def test_token_of_one_panel_is_refused_by_the_other(simulators: Simulators, panel: str, token: str) -> None:
    assert ask(simulators, panel, "balance", token=token) == {"status": "error", "message": "Unauthenticated."}


def test_panel_shows_and_lists_its_own_messages_in_its_own_zone(simulators: Simulators) -> None:
    sent = {panel: send(simulators, panel, *given)["data"] for panel, given in SENDS.items()}

    listed = {panel: ask(simulators, panel, "sms")["data"]["data"] for panel in SENDS}

    assert {p: [row["uid"] for row in rows] for p, rows in listed.items()} == {p: [sent[p]["uid"]] for p in SENDS}
    hours = {panel: int(rows[0]["sent_at"][11:13]) for panel, rows in listed.items()}
    assert (hours["philsms"] - hours["smsnoc"]) % 24 in (2, 3)  # the hour may change between the two sends
    assert ask(simulators, "philsms", f"sms/{sent['smsnoc']['uid']}")["status"] == "error"
    ledger = call(simulators, "GET", "/_ledger?vendor=philsms").document
    assert [row["recipient"] for row in ledger] == ["639171234510"]
