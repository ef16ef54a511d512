"""Nothing private leaves the process but where it must; and a leak that is planted is found."""

import json
import logging
import sys
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote, quote_plus

import pytest

from sampai.domain.message import Message, Text
from sampai.providers.base import Provider
from sampai.providers.nomsa.sms import Nomsa
from sampai.providers.registry import PROVIDERS, load
from sampai.services.ports.queue import WakeUp
from sampai.services.ports.runtime import UnavailableError
from sampai.services.send.batch import Batch
from tests.canary.app import (
    FAULTS,
    REQUESTS,
    BothTelemetries,
    Estate,
    Honest,
    astray_callbacks,
    callbacks,
    live,
    malformed_callbacks,
    suffer,
)
from tests.canary.canaries import CANARIES, Kind, canaries_in, value
from tests.canary.outside import ALLOWED, Outside, watching
from tests.covers import covers
from tests.fakes import InMemoryEncryptionKeys
from tests.harness.application import House, request


def leaks_of(run: Callable[[Estate], None], reply: Any = None, **options: Any) -> list[str]:
    """Return what got out of a run in which the vendors answer so."""
    outside = Outside()
    with watching(outside):
        estate = Estate(outside, reply or Honest(), **options)
        run(estate)
        estate.tell()
    return outside.leaks()


# --- nothing gets out -----------------------------------------------------------------------------------------------


@covers("I11")
def test_a_good_life_says_nothing_and_reaches_every_place() -> None:
    outside = Outside()
    with watching(outside):
        estate = Estate(outside, Honest())
        live(estate)
        for event in [*callbacks(), *astray_callbacks()]:
            estate.invoke("webhook", event)
        estate.tell()

    assert outside.leaks() == []
    sent = canaries_in("".join(outside.text(place) for place in outside.places() if " to " in place))
    unsent = {Kind.FINGERPRINT_KEY, Kind.INBOUND, Kind.MISPLACED, Kind.TOKEN}
    never = {"vendor's key", "promotional text"}
    assert {c.name for c in CANARIES.values() if c.kind not in unsent} - never | {"first smspoh token"} <= sent
    assert canaries_in(outside.text("event Message Received")) == {"inbound text", "inbound number"}
    assert outside.places() >= ALLOWED.keys() | {"log", "telemetry", "queue", "event", "standard output", "meeting"}
    assert {f"answer of {f}" for f in ("send", "webhook", "follow_up", "monitor", "publish")} <= outside.places()
    assert estate.message("otp").status == "delivered"
    theirs = "key-" + value("vendor's key")
    assert estate.encryption_keys.keys == {"encrypted": theirs, "encrypted-own-key": value("caller's key")}


def test_the_digest_of_a_one_time_password_cannot_be_made_without_the_key() -> None:
    digests = set()
    for key in (b"one key", b"another key"):
        house = House()
        house.secret.fingerprint_key = lambda key=key: key  # type: ignore[method-assign, misc]
        house.send(request("m-1"))
        digests.add(house.message("m-1").fingerprint)

    assert len(digests) == 2


@covers("I11")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_vendor_that_fails_and_repeats_what_it_was_told_reveals_nothing(fault: str) -> None:
    assert leaks_of(live, FAULTS[fault]) == []


def test_a_malformed_callback_reveals_nothing() -> None:
    def receive(estate: Estate) -> None:
        answers = [estate.invoke("webhook", event) for event in malformed_callbacks()]
        assert {answer["statusCode"] for answer in answers} == {400}

    assert leaks_of(receive) == []


PORTS: Final = ("store", "directory", "inbox", "media", "encryption_keys", "queue", "bus", "settings", "secret")


@covers("I11")
@pytest.mark.parametrize("port", PORTS)
def test_an_outage_reveals_nothing(port: str) -> None:
    def run(estate: Estate) -> None:
        def stop(is_stopped: bool) -> None:
            place, name = (estate, "is_secret_down") if port == "secret" else (getattr(estate, port), "is_down")
            setattr(place, name, is_stopped)

        suffer(estate, stop)

    assert leaks_of(run) == []


@pytest.mark.parametrize(
    "methods",
    [
        ("build_send", "build_send_many"),
        ("parse_send", "parse_send_many"),
        ("parse_lookup", "parse_list", "parse_account_check"),
        ("parse_webhook",),
        ("validate",),
    ],
    ids=lambda methods: methods[0],
)
def test_an_exception_inside_a_provider_reveals_nothing(
    methods: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any) -> Any:
        raise ValueError(
            [value("text"), value("nomsa api_key"), [vars(g) if isinstance(g, Provider) else g for g in given]]
        )

    apis = [api for name in PROVIDERS for api in load(name)]
    for method in methods:
        for api in (api for api in apis if hasattr(api, method)):
            monkeypatch.setattr(api, method, fail)

    assert leaks_of(lambda estate: suffer(estate, lambda _: None)) == []


# --- a leak is found ------------------------------------------------------------------------------------------------


def _in_base64(offset: int) -> Callable[[str], str]:
    return lambda text: b64encode(b"abc"[:offset] + text.encode() + b"yz").decode()


FORMS: Final[dict[str, Callable[[str], str]]] = {
    "raw": str,
    "without its end": lambda text: text[: len(text) * 3 // 4],
    "JSON": json.dumps,
    "JSON in JSON": lambda text: json.dumps({"body": json.dumps({"text": text})}),
    "URL": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "repr of bytes": lambda text: repr(text.encode()),
    "base64": _in_base64(0),
    "base64, one byte on": _in_base64(1),
    "base64, two bytes on": _in_base64(2),
    "base64 for URLs": lambda text: urlsafe_b64encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    "reversed": lambda text: text[::-1],
}


class Talkative(BothTelemetries):
    """Telemetry of somebody who wanted to see more, in one form."""

    form: Callable[[str], str]

    def info(self, line: str, /, **fields: Any) -> None:
        super().info(line, **fields, said=[type(self).form(canary.value) for canary in CANARIES.values()])


@pytest.mark.parametrize("form", FORMS)
def test_a_leak_is_found_in_every_form(form: str) -> None:
    talkative = type("TalkativeInOneForm", (Talkative,), {"form": staticmethod(FORMS[form])})

    found = leaks_of(lambda estate: estate.send_all([otp()]), telemetry=talkative)

    # A number that lost its end has lost what is looked for, and the log masks those that are whole.
    numbers = {name for name, canary in CANARIES.items() if canary.value.startswith("+")}
    digits = numbers | {"one-time password"}
    unseen = digits if form == "without its end" else set()
    assert {f"{name}: telemetry" for name in CANARIES.keys() - unseen} <= set(found)
    assert {f"{name}: log" for name in CANARIES.keys() - digits} <= set(found)


def otp() -> str:
    return json.dumps({"message_id": "otp", **REQUESTS["otp"]})


def _print_to(stream: str) -> Callable[[Estate], None]:
    def plant(estate: Estate) -> None:
        class Talkative(InMemoryEncryptionKeys):
            def get_or_create(self, message: Message, proposed: str) -> str:
                print(proposed, file=getattr(sys, stream))
                return super().get_or_create(message, proposed)

        estate.encryption_keys = Talkative()

    return plant


def _log_requests(estate: Estate) -> None:
    reply = estate.transport.replies[0]

    def replying(request: Any) -> Any:
        logging.getLogger("a library").debug("sent %s", request.body)
        return reply(request)  # type: ignore[operator]

    estate.transport.replies = [replying]


def _log_an_exception(estate: Estate) -> None:
    try:
        raise ValueError(value("one-time password"))
    except ValueError:
        logging.getLogger("a library").exception("no")


def _measure_by_number(estate: Estate) -> None:
    estate.telemetry.measure("Balance", 1.0, provider="nomsa", account=value("Cambodian number")[1:])


def _show_credentials(estate: Estate) -> None:
    class Open(Nomsa):
        def __repr__(self) -> str:
            return f"Nomsa({dict(self.config.credentials)})"

    new_sender = estate.new_sender

    def opened() -> Any:
        sender = new_sender()
        dispatch = sender.stages.dispatcher.dispatch

        def dispatch_to_open(batch: Batch) -> None:
            for item in batch.items:
                item.provider = Open(item.provider.config) if item.provider else None
            dispatch(batch)

        sender.stages.dispatcher.dispatch = dispatch_to_open  # type: ignore[method-assign]
        return sender

    estate.apps["send"].send_service = opened  # type: ignore[attr-defined]


def _raise_with_a_text(estate: Estate) -> None:
    def broken() -> Any:
        raise RuntimeError(value("text"))

    estate.apps["follow_up"].follow_up_service = broken  # type: ignore[attr-defined]


def _raise_ours(estate: Estate) -> None:
    def put(wake_ups: Sequence[WakeUp]) -> None:
        raise UnavailableError(f"not taken: {value('text')}")

    estate.queue.put = put  # type: ignore[method-assign]


def _answer_with_the_token(estate: Estate) -> None:
    handler = estate.apps["webhook"].handler
    estate.apps["webhook"].handler = lambda event, context: {  # type: ignore[attr-defined]
        **handler(event, context),
        "body": event["rawPath"],
    }


def _tell_the_recipient(estate: Estate) -> None:
    put = estate.bus.put
    estate.bus.put = lambda events: put(  # type: ignore[method-assign]
        [replace(e, detail={**e.detail, "to": value("Cambodian number")}) for e in events]
    )


def _keep_the_text(estate: Estate) -> None:
    tell = estate.tell

    def told() -> None:
        kept = estate.store.messages
        kept["otp"] = replace(kept["otp"], status=kept["otp"].status.DELIVERED, content=Text(text=value("text")))
        tell()

    estate.tell = told  # type: ignore[method-assign]


def _change_requests(**changes: Any) -> Callable[[Estate], None]:
    def plant(estate: Estate) -> None:
        call = estate.transport.call
        estate.transport.call = lambda request, **o: call(replace(request, **changes), **o)  # type: ignore[method-assign]

    return plant


LEAKS: Final[dict[str, Callable[[Estate], None]]] = {
    "our key: standard output": _print_to("stdout"),
    "our key: standard error": _print_to("stderr"),
    "one-time password: log": _log_requests,
    "one-time password: log ": _log_an_exception,
    "Cambodian number: standard output": _measure_by_number,
    "nomsa api_key: repr of Call": _show_credentials,
    "text: exception that left follow_up": _raise_with_a_text,
    "text: exception of ours": _raise_ours,
    "first smspoh token: answer of webhook": _answer_with_the_token,
    "Cambodian number: event": _tell_the_recipient,
    "text: message that is final, in its table": _keep_the_text,
    "smspoh api_secret: headers to nomsa": _change_requests(headers={"X-Key": value("smspoh api_secret")}),
    "fingerprint key: body to nomsa": _change_requests(body=value("fingerprint key").encode()),
    "text: address at nomsa": _change_requests(url=f"https://vendors.example.org/nomsa/?q={value('text')}"),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_is_found_in_every_place(leak: str) -> None:
    def run(estate: Estate) -> None:
        LEAKS[leak](estate)
        later = json.dumps({"message_id": "later", **REQUESTS["scheduled"]})
        estate.send_all([otp(), later, json.dumps({"message_id": "encrypted", **REQUESTS["encrypted"]})])
        estate.invoke("follow_up", {})
        estate.invoke("webhook", callbacks()[0])
        estate.invoke("monitor", {})

    assert leak.strip() in leaks_of(run)
