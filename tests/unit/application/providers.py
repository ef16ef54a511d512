"""An application with every provider, on vendors that accept everything."""

import json
from collections.abc import Callable
from itertools import count
from typing import Any

from sampai.domain.failure import Failure, Reason
from sampai.domain.http import HttpRequest, HttpResponse
from tests.fakes import FixedSettings, Reply
from tests.harness.application import Application

CONVERSATION = "0b6f1c1e-9a52-4a7f-8f0d-2f6f5f3d9c01"
NEW_CONVERSATION = "1c7a2d2f-8b63-4b8a-9e1e-3a7a6a4b0d12"
"""A conversation without a known number."""

CHANNEL = "7d1c7c0a-3e0f-4b52-9a43-6a1f0b1e2d03"

THAI = "+66812345610"
UNASSIGNED = "+97912345678"
"""A premium-rate number: its calling code belongs to no country."""

COUNTRY_NOT_ALLOWED = Failure(reason=Reason.BLOCKED, detail="recipient: its country is not allowed")
SENDER_NOT_ALLOWED = Failure(reason=Reason.INVALID_SENDER, detail="sender: not in the list of allowed ones")

BY_WHATSAPP = {"channel": "whatsapp"}
REPLY: dict[str, Any] = {"channel": "whatsapp_official", "recipient": None, "room_id": CONVERSATION}

PROVIDERS: dict[str, Any] = {
    "smsnoc": {"sender": "SampaiBD"},
    "smspoh": {"sender": "Sampai"},
    "nusasms": {"senders": {"whatsapp": "6281100000090", "whatsapp_official": CHANNEL}},
}


def new_application(*replies: Reply, **settings: Any) -> Application:
    """Return an application under these settings. By default the vendors accept every message."""
    return Application(*(replies or (accept_all(),)), settings={"providers": PROVIDERS} | settings)


def accept_all() -> Callable[[HttpRequest], HttpResponse]:
    """Return a reply that accepts each message as its vendor does, with a new id each time."""
    ids = count(1)

    def reply(sent: HttpRequest) -> HttpResponse:
        number = f"v-{next(ids)}"
        answers: dict[str, Any] = {
            "api.nomsa.gov.kh": {"id": number, "status": "UNSENT", "accepted_at": "2026-11-21T10:00:00Z"},
            "app.smsnoc.com": {"status": "success", "data": {"uid": number}},
            "v3.smspoh.com": {"messages": [{"messageId": number, "status": "Accepted"}]},
            "api.nusasms.com": {"error": False, "data": {"ref_no": number}},
        }
        return HttpResponse(status=201, body=json.dumps(answers[sent.host]).encode())

    return reply


def change_settings(app: Application, **settings: Any) -> None:
    """Replace the settings. `PROVIDERS` stay unless others are given."""
    app.settings.settings = FixedSettings({"providers": PROVIDERS} | settings).settings


def numbers_with_different_prefixes(how_many: int) -> list[str]:
    """Return numbers of Cambodia."""
    return [f"+8559{n:03}0000" for n in range(how_many)]
