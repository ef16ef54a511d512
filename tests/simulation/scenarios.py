"""The requests and fixed outages of each run. Times are seconds after the start."""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any, Final

from sampai.adapters.items import RETENTION
from sampai.domain.http import WebhookRequest
from sampai.domain.phone import country_of
from sampai.domain.quotas import Limit
from sampai.domain.times import to_text
from tests.fakes import START
from tests.harness.application import RECIPIENTS, SETTINGS, request

HORIZON_HOURS: Final = 2
CALL_SECONDS: Final = 0.3
"""Time in which a vendor answers."""
POLL_SECONDS: Final = (15, 60, 300, 1800)
THAI: Final = "+66812345678"
"""A number with a route of two providers: Nomsa, then SMSPoh."""


FILIPINO: Final = "+639171234510"
"""A number with a route to another panel of the software that SMS NOC runs."""
PANELS: Final = {"philsms": {"type": "smsnoc", "base_url": "https://panel.smsnoc.example/api/v3", "sender": "PhilSMS"}}

NO_JSON: Final = "{"


@dataclass(frozen=True, slots=True)
class Delivery:
    """Records that the request queue delivers as one batch. `times` above 1 are duplicate deliveries of the queue."""

    at: float
    bodies: tuple[str, ...]
    times: int = 1


@dataclass(frozen=True, slots=True)
class Outage:
    """A period without responses from all ports with this prefix in their name."""

    port: str
    since: float
    until: float


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """The fixed inputs of a run; choices determine everything else."""

    name: str
    deliveries: tuple[Delivery, ...]
    outages: tuple[Outage, ...] = ()
    inbound: tuple[tuple[float, WebhookRequest], ...] = ()
    """Inbound messages through NusaSMS, with their times. One text twice is a repeated webhook."""
    list_lag: float = 0
    """Seconds until an accepted message appears in the list of its vendor."""
    faults_stop: float = 900
    """The end of chosen faults; outages have their own times."""
    redrive_at: float | None = None
    """The time at which an operator redrives the dead letters."""
    conflicts: tuple[str, ...] = ()
    """Message ids with two different requests."""
    max_per_recipient: int | None = None
    """Quota of messages per recipient and day."""
    nomsa_per_second: float | None = None
    quiet_minutes: tuple[int, int] | None = None
    """Begin and end of the quiet hours of every country."""
    workers: int = 1
    """Workers of follow_up."""
    ask_seconds: float = CALL_SECONDS
    """Time in which a vendor answers a question about messages."""
    has_receipts: bool = True
    """Whether the vendors send receipts. If not, their messages are polled."""

    retention: timedelta = RETENTION
    """Lifetime of an item."""
    opted_out: Mapping[str, bool] = field(default_factory=dict)
    """Whether the newest wish of a number is an opt-out, by number."""

    @cached_property
    def settings(self) -> str:
        """The document of the settings."""
        times = {"report_horizon_hours": HORIZON_HOURS, "poll_seconds": POLL_SECONDS}
        allowed = {"limits": {Limit.PER_RECIPIENT_PER_DAY.value: self.max_per_recipient}}
        nomsa = {"max_per_second": self.nomsa_per_second}
        providers: dict[str, Any] = {**SETTINGS["providers"], "nomsa": nomsa, **PANELS}
        routes = {"sms": {**SETTINGS["routes"]["sms"], "PH": ["philsms"]}}
        quiet = {} if self.quiet_minutes is None else {"quiet_hours": quiet_hours(*self.quiet_minutes)}
        return json.dumps({**SETTINGS, "routes": routes, "providers": providers, **times, **allowed, **quiet})

    @cached_property
    def is_promotional(self) -> bool:
        """Whether any message is promotional."""
        return any('"promotional"' in body for delivery in self.deliveries for body in delivery.bodies)

    @cached_property
    def vendor(self) -> str:
        """The vendor of the first message: its settings and credentials change."""
        bodies = [body for delivery in self.deliveries for body in delivery.bodies if body != NO_JSON]
        recipients = [json.loads(body).get("recipient") for body in bodies]
        first = next((recipient for recipient in recipients if recipient), "")
        return next((name for name, number in RECIPIENTS.items() if first[:4] == number[:4]), "nomsa")

    @cached_property
    def requested(self) -> tuple[str, ...]:
        """The message ids of all requests and cancels. Each must have a final message or a dead letter."""
        bodies = [body for delivery in self.deliveries for body in delivery.bodies if body != NO_JSON]
        named = (document.get("message_id") or document.get("cancel") for document in map(json.loads, bodies))
        return tuple(dict.fromkeys(name for name in named if name))


def quiet_hours(begin: float, end: float) -> dict[str, Any]:
    """Return the setting of quiet hours in every country, between two minutes after the start."""
    since, until = (f"{START + timedelta(minutes=minutes):%H:%M}" for minutes in (begin, end))
    countries = (country_of(number) or "" for number in (*RECIPIENTS.values(), THAI, FILIPINO))
    return {country: {"from": since, "to": until, "timezones": ["UTC"]} for country in countries}


def _text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


def _at(seconds: float) -> str:
    return to_text(START + timedelta(seconds=seconds))


def _promotion(number: int, home: str) -> str:
    recipient = RECIPIENTS[home][:-2] + f"{number:02}"
    changes = {"recipient": recipient, "category": "promotional", "content": _text("Come in")}
    return request(f"m-{number}", home, **changes)


_CANCEL: Final = json.dumps({"cancel": "m-1"})


def _inbound(number: int, text: str, *, sender: str = RECIPIENTS["nusasms"], minute: int = 0) -> WebhookRequest:
    """Return an inbound SMS, written some minutes after the start. The vendor's clock is seven hours ahead."""
    date = f"2026-11-21+17%3A{minute:02}%3A00"
    body = f"id={number}&originator={sender[1:]}&gateway_number=62800&msg={text}&receive_date={date}"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return WebhookRequest(method="POST", headers=headers, body=body.encode())


def _wish(wish: str, number: str, at: float | None = None) -> str:
    return json.dumps({wish: number} | ({} if at is None else {"at": _at(at)}))


_ANOTHER: Final = RECIPIENTS["nusasms"][:-2] + "11"
_NUMBERS: Final = tuple(RECIPIENTS["smspoh"][:-2] + f"{number:02}" for number in range(4))
_EMAIL: Final = {
    "type": "email",
    "subject": "Your bill",
    "body": "<p>It is here.</p>",
    "attachments": [{"file_name": "bill.txt", "content_base64": b64encode(b"1,092").decode()}],
}
_FILE: Final = {"type": "media", "media_base64": b64encode(b"picture").decode(), "file_name": "a.png", "caption": "Hi"}

SCENARIOS: Final = {
    scenario.name: scenario
    for scenario in (
        Scenario(name="receipts", deliveries=(Delivery(0, (request("m-1", "smspoh"),)),)),
        Scenario(name="polling", deliveries=(Delivery(0, (request("m-1", "nomsa"),)),)),
        Scenario(name="receipts-without-reference", deliveries=(Delivery(0, (request("m-1", "nusasms"),)),)),
        Scenario(name="duplicate", deliveries=(Delivery(0, (request("m-1", "smspoh"),), times=2),)),
        Scenario(
            name="producer-repeats",
            deliveries=(
                Delivery(0, (request("m-1", "smsnoc"),)),
                Delivery(0.1, (request("m-1", "smsnoc"), request("m-1", "smsnoc", content=_text("Another")))),
                Delivery(4000, (request("m-1", "smsnoc"),)),
            ),
            conflicts=("m-1",),
            faults_stop=4100,
        ),
        Scenario(
            name="bulk",
            deliveries=(
                Delivery(0, (json.dumps({"opt_out": RECIPIENTS["smspoh"][:-2] + "04"}),)),
                Delivery(1, tuple(_promotion(number, "smspoh") for number in (1, 2, 3, 4))),
            ),
        ),
        Scenario(name="comma-list", deliveries=(Delivery(0, tuple(_promotion(n, "smsnoc") for n in (1, 2, 3))),)),
        Scenario(
            name="encrypted",
            deliveries=(
                Delivery(0, (request("m-1", "smspoh", provider_options={"smspoh": {"encrypt": True}}),)),
                Delivery(
                    1,
                    (
                        request(
                            "m-2",
                            "smspoh",
                            recipient=RECIPIENTS["smspoh"][:-2] + "02",
                            provider_options={"smspoh": {"encrypt": True}},
                            send_at=_at(60),
                            expires_at=_at(64),
                        ),
                    ),
                ),
            ),
        ),
        Scenario(
            name="two-providers",
            deliveries=(
                Delivery(0, (request("m-1", recipient=THAI, category="otp"),)),
                Delivery(0.2, (request("m-2", recipient=THAI[:-1] + "9"),)),
            ),
        ),
        Scenario(
            name="resend",
            deliveries=(
                Delivery(0, (request("m-1", "smspoh", on_unknown="resend"),)),
                Delivery(0.2, (request("m-2", "nomsa", on_unknown="resend"),)),
            ),
        ),
        Scenario(
            name="resend-elsewhere", deliveries=(Delivery(0, (request("m-1", recipient=THAI, on_unknown="resend"),)),)
        ),
        Scenario(
            name="resend-lagging",
            deliveries=(
                Delivery(0, (request("m-1", "smspoh", on_unknown="resend"),)),
                Delivery(0.2, (request("m-2", recipient=THAI, on_unknown="resend"),)),
            ),
            list_lag=400,
        ),
        Scenario(
            name="cancel",
            deliveries=(
                Delivery(0, (request("m-1", "nomsa", send_at=_at(120), expires_at=_at(600)),)),
                Delivery(119.9, (_CANCEL,)),
            ),
        ),
        Scenario(
            name="cancel-first",
            deliveries=(Delivery(0, (_CANCEL,)), Delivery(0.1, (request("m-1", "nomsa"),))),
        ),
        Scenario(
            name="expiry",
            deliveries=(
                Delivery(0, (request("m-1", "nomsa", expires_at=_at(10)), request("m-2", "smspoh"))),
                Delivery(0.1, (request("m-3", recipient=THAI, expires_at=_at(1)),)),
                Delivery(1, (request("m-4", "smsnoc", send_at=_at(60), expires_at=_at(63)),)),
            ),
            outages=(Outage("nomsa", 0, 6),),
        ),
        Scenario(
            name="twins",
            deliveries=(Delivery(0, (request("m-1", "nomsa"), request("m-2", "nomsa"))),),
        ),
        Scenario(
            name="mixed-batch",
            deliveries=(
                Delivery(
                    0,
                    (
                        request("m-1", "nomsa"),
                        request("m-2", "smspoh"),
                        NO_JSON,
                        request("m-3", "nusasms", recipient="+62812,+62813"),
                        request("m-4", "smsnoc"),
                    ),
                ),
            ),
        ),
        Scenario(
            name="email",
            deliveries=(
                Delivery(
                    0,
                    tuple(
                        request(f"m-{n}", channel="email", recipient=f"sari{n}@example.com", content=_EMAIL)
                        for n in (1, 2)
                    ),
                ),
            ),
        ),
        Scenario(
            name="second-panel",
            deliveries=(Delivery(0, (request("m-1", recipient=FILIPINO), request("m-2", "smsnoc"))),),
        ),
        Scenario(
            name="whatsapp",
            deliveries=(Delivery(0, (request("m-1", "nusasms", channel="whatsapp", content=_FILE),)),),
        ),
        Scenario(
            name="stop",
            inbound=((0, _inbound(77, "STOP")),),
            opted_out={RECIPIENTS["nusasms"]: True},
            deliveries=(Delivery(0.5, (request("m-1", "nusasms", category="promotional"), request("m-2", "nusasms"))),),
        ),
        Scenario(
            name="consent",
            deliveries=(
                Delivery(0, (_wish("opt_out", _NUMBERS[1], -3600), _wish("opt_in", _NUMBERS[2], -3600))),
                Delivery(0.2, (_wish("opt_in", _NUMBERS[1], -7200), _wish("opt_out", _NUMBERS[2], -7200))),
                Delivery(0.4, (_wish("opt_out", _NUMBERS[3]), _wish("opt_in", _ANOTHER, -600))),
                Delivery(800, tuple(_promotion(number, "smspoh") for number in (1, 2, 3))),
            ),
            opted_out={_NUMBERS[1]: True, _NUMBERS[2]: False, _NUMBERS[3]: True},
        ),
        Scenario(
            name="inbound-consent",
            inbound=(
                (0, _inbound(77, "STOP")),
                (0.1, _inbound(78, "STOP", sender=_ANOTHER)),
                (300, _inbound(79, "START", sender=_ANOTHER, minute=5)),
                (400, _inbound(78, "STOP", sender=_ANOTHER)),
            ),
            deliveries=(
                Delivery(0.2, (_wish("opt_in", RECIPIENTS["nusasms"], -600),)),
                Delivery(800, (_promotion(10, "nusasms"), _promotion(11, "nusasms"))),
            ),
            opted_out={RECIPIENTS["nusasms"]: True, _ANOTHER: False},
        ),
        Scenario(
            name="whatsapp-and-sms",
            deliveries=(
                Delivery(0, (request("m-1", "nusasms", channel="whatsapp"), request("m-2", "nusasms"))),
                Delivery(0.1, (request("m-3", "nusasms", channel="whatsapp", recipient=_ANOTHER),)),
                Delivery(
                    0.2,
                    (
                        request(
                            "m-4",
                            "nusasms",
                            channel="whatsapp",
                            content=_text("Another"),
                            recipient=_ANOTHER,
                            on_unknown="resend",
                        ),
                    ),
                ),
            ),
        ),
        Scenario(
            name="retention",
            deliveries=(
                Delivery(
                    0,
                    (
                        request("m-1", "nomsa", send_at=_at(-86_400)),
                        request("m-2", "smspoh", send_at=_at(3600)),
                    ),
                ),
                Delivery(10_200, (request("m-1", "nomsa", send_at=_at(-86_400)),)),
                Delivery(13_800, (request("m-2", "smspoh", send_at=_at(3600)),)),
            ),
            retention=timedelta(hours=3),
            faults_stop=14_400,
        ),
        Scenario(
            name="horizon",
            deliveries=(Delivery(0, (request("m-1", "nomsa"), request("m-2", "nusasms", channel="whatsapp"))),),
            outages=(Outage("nomsa.ask", 0, 7100), Outage("nusasms.ask", 0, 7100)),
            faults_stop=9000,
        ),
        Scenario(
            name="limits",
            deliveries=(
                Delivery(0, (request("m-1", "smspoh"),), times=2),
                Delivery(0.1, (request("m-2", "smspoh", content=_text("Another")),)),
            ),
            max_per_recipient=1,
        ),
        Scenario(
            name="paced",
            deliveries=(
                Delivery(0, (request("m-1", "nomsa"), request("m-2", "nomsa", content=_text("Another")))),
                Delivery(0.1, (request("m-3", "nomsa", category="otp", expires_at=_at(100)),)),
            ),
            outages=(Outage("limiter", 30, 90),),
            nomsa_per_second=0.5,
        ),
        Scenario(
            name="dead-letters",
            deliveries=(Delivery(0, (request("m-1", "smspoh", expires_at=_at(3000)), request("m-2", "nomsa"))),),
            outages=(Outage("store", 0, 850),),
            redrive_at=3600,
            faults_stop=3700,
        ),
        Scenario(
            name="outage-in-flight",
            deliveries=(Delivery(0, (request("m-1", "smspoh"), request("m-2", "nomsa"))),),
            outages=(Outage("store", 0.3, 200),),
        ),
        Scenario(
            name="silent-store",
            deliveries=(Delivery(0, (request("m-1", "smspoh"), request("m-2", "nomsa"))),),
            outages=(Outage("store", 0.035, 25),),
        ),
        Scenario(
            name="workers",
            # Each worker has messages in its shards. m-6 waits in the last shard.
            deliveries=(
                Delivery(0, (request("m-6", "nomsa", send_at=_at(960)),)),
                Delivery(890, (request("m-1", "nomsa", content=_text("Another")), request("m-4", "smsnoc"))),
            ),
            workers=2,
            faults_stop=1100,
        ),
        Scenario(
            name="slow-look-ups",
            deliveries=(
                Delivery(0, (request("m-1", "nomsa", send_at=_at(960)),)),
                Delivery(890, (request("m-2", "nomsa", content=_text("Another")),)),
                Delivery(
                    945,
                    tuple(
                        request(f"m-{n}", "nusasms", channel="whatsapp", recipient=f"{_ANOTHER[:-1]}{n}")
                        for n in range(3, 8)
                    ),
                ),
            ),
            ask_seconds=9,
            has_receipts=False,
            faults_stop=1200,
        ),
        Scenario(
            name="quiet-hours",
            # m-1 is queued when the quiet hours begin. Its attempts end a minute before.
            deliveries=(
                Delivery(535, (request("m-1", "nomsa", category="promotional"),)),
                Delivery(610, (_promotion(2, "smspoh"), _promotion(3, "smspoh"))),
            ),
            outages=(Outage("nomsa", 0, 540),),
            quiet_minutes=(10, 30),
            faults_stop=1900,
        ),
        Scenario(
            name="vendor-down",
            deliveries=(Delivery(0, (request("m-1", "nomsa"), request("m-2", recipient=THAI))),),
            outages=(Outage("nomsa", 0, 840),),
        ),
    )
}
