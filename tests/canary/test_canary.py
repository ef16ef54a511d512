"""Private values leave the process only where the contract says so, and planted leaks are found."""

import json
import logging
import sys
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, quote_plus

import pytest

from sampai.domain.message import Message, Text
from sampai.providers.base import Provider
from sampai.providers.nomsa.sms import Nomsa
from sampai.providers.registry import PROVIDERS, load
from sampai.services.ports.attempts import AttemptRecord
from sampai.services.ports.queue import QueueMessage
from sampai.services.ports.runtime import UnavailableError
from sampai.services.ports.transport import NoResponse
from sampai.services.send.batch import Batch
from tests.canary.app import (
    FAULTS,
    REQUESTS,
    CanaryApplication,
    TeeTelemetry,
    WorkingVendors,
    astray_callbacks,
    callbacks,
    odd_callbacks,
    run_lifecycle,
    run_with_outage,
)
from tests.canary.canaries import CANARIES, Kind, find_canaries, value
from tests.canary.outputs import ALLOWED, Outputs, recording
from tests.covers import covers
from tests.fakes import InMemoryEncryptionKeys
from tests.harness.application import Application, request


def find_leaks(run: Callable[[CanaryApplication], None], reply: Any = None, **options: Any) -> list[str]:
    """Return the leaks of a run in which the vendors answer with `reply`."""
    outputs = Outputs()
    with recording(outputs):
        application = CanaryApplication(outputs, reply or WorkingVendors(), **options)
        run(application)
        application.record_outputs()
    return outputs.leaks()


# --- nothing leaks --------------------------------------------------------------------------------------------------


@covers("I11")
def test_a_run_without_faults_reveals_nothing_and_covers_every_place() -> None:
    outputs = Outputs()
    with recording(outputs):
        application = CanaryApplication(outputs, WorkingVendors())
        run_lifecycle(application)
        for event in [*callbacks(), *astray_callbacks()]:
            application.invoke("webhook", event)
        application.record_outputs()

    assert outputs.leaks() == []
    sent = find_canaries("".join(outputs.text(place) for place in outputs.places() if " to " in place))
    unsent = {Kind.FINGERPRINT_KEY, Kind.CALLBACK_KEY, Kind.INBOUND, Kind.MISPLACED, Kind.TOKEN}
    never = {"vendor's key", "promotional text"}
    assert {c.name for c in CANARIES.values() if c.kind not in unsent} - never | {"first smspoh token"} <= sent
    assert find_canaries(outputs.text("event Message Received")) == {"inbound text", "inbound number"}
    assert outputs.places() >= ALLOWED.keys() | {"log", "telemetry", "queue", "event", "standard output", "correlation"}
    assert {f"answer of {f}" for f in ("send", "webhook", "follow_up", "monitor", "publish")} <= outputs.places()
    assert application.message("otp").status == "delivered"
    vendor_key = "key-" + value("vendor's key")
    assert application.encryption_keys.keys == {"encrypted": vendor_key, "encrypted-own-key": value("caller's key")}


def test_the_fingerprint_of_a_one_time_password_depends_on_the_key() -> None:
    digests = set()
    for key in (b"one key", b"another key"):
        app = Application()
        app.secret.fingerprint_key = lambda key=key: key  # type: ignore[method-assign, misc]
        app.send(request("m-1"))
        digests.add(app.message("m-1").fingerprint)

    assert len(digests) == 2


@covers("I11")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_vendor_that_fails_and_repeats_the_request_reveals_nothing(fault: str) -> None:
    outputs = Outputs()
    with recording(outputs):
        application = CanaryApplication(outputs, FAULTS[fault])
        run_lifecycle(application)
        application.record_outputs()

    assert outputs.leaks() == []
    assert "attempts table" in outputs.places()


def test_an_odd_webhook_reveals_nothing() -> None:
    def receive(application: CanaryApplication) -> None:
        answers = [application.invoke("webhook", event) for event in odd_callbacks()]
        assert {answer["statusCode"] for answer in answers} == {200, 400}

    assert find_leaks(receive) == []


PORTS: Final = (
    "store",
    "directory",
    "inbox",
    "media",
    "encryption_keys",
    "attempts",
    "queue",
    "bus",
    "settings",
    "secret",
)


@covers("I11")
@pytest.mark.parametrize("port", PORTS)
def test_an_outage_reveals_nothing(port: str) -> None:
    def run(application: CanaryApplication) -> None:
        def set_outage(is_down: bool) -> None:
            place, name = (
                (application, "is_secret_down") if port == "secret" else (getattr(application, port), "is_down")
            )
            setattr(place, name, is_down)

        run_with_outage(application, set_outage)

    assert find_leaks(run) == []


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

    assert find_leaks(lambda application: run_with_outage(application, lambda _: None)) == []


# --- a leak is found ------------------------------------------------------------------------------------------------


def _in_base64(offset: int) -> Callable[[str], str]:
    return lambda text: b64encode(b"abc"[:offset] + text.encode() + b"yz").decode()


ENCODED_FORMS: Final[dict[str, Callable[[str], str]]] = {
    "raw": str,
    "without its end": lambda text: text[: len(text) * 3 // 4],
    "JSON": json.dumps,
    "JSON in JSON": lambda text: json.dumps({"body": json.dumps({"text": text})}),
    "URL": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "repr of bytes": lambda text: repr(text.encode()),
    "base64": _in_base64(0),
    "base64, offset 1": _in_base64(1),
    "base64, offset 2": _in_base64(2),
    "base64 for URLs": lambda text: urlsafe_b64encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    "reversed": lambda text: text[::-1],
}


class LeakyTelemetry(TeeTelemetry):
    """Telemetry that logs every canary in one form."""

    form: Callable[[str], str]

    def info(self, line: str, /, **fields: Any) -> None:
        super().info(line, **fields, leaked=[type(self).form(canary.value) for canary in CANARIES.values()])


@pytest.mark.parametrize("form", ENCODED_FORMS)
def test_a_leak_is_found_in_every_form(form: str) -> None:
    talkative = type("LeakyTelemetryInOneForm", (LeakyTelemetry,), {"form": staticmethod(ENCODED_FORMS[form])})

    found = find_leaks(lambda application: application.send_all([otp()]), telemetry=talkative)

    # A number without its end lacks its unique part, and the log masks whole numbers.
    numbers = {name for name, canary in CANARIES.items() if canary.value.startswith("+")}
    addresses = {name for name, canary in CANARIES.items() if "@" in canary.value}
    digits = numbers | {"one-time password"}
    unseen = digits if form == "without its end" else set()
    assert {f"{name}: telemetry" for name in CANARIES.keys() - unseen} <= set(found)
    assert {f"{name}: log" for name in CANARIES.keys() - digits - addresses} <= set(found)


def otp() -> str:
    return json.dumps({"message_id": "otp", **REQUESTS["otp"]})


def _print_to(stream: str) -> Callable[[CanaryApplication], None]:
    def plant(application: CanaryApplication) -> None:
        class PrintingKeys(InMemoryEncryptionKeys):
            def get_or_create(self, message: Message, proposed: str) -> str:
                print(proposed, file=getattr(sys, stream))
                return super().get_or_create(message, proposed)

        application.encryption_keys = PrintingKeys()

    return plant


def _log_requests(application: CanaryApplication) -> None:
    reply = application.transport.replies[0]

    def log_and_reply(request: Any) -> Any:
        logging.getLogger("a library").debug("sent %s", request.body)
        return reply(request)  # type: ignore[operator]

    application.transport.replies = [log_and_reply]


def _log_an_exception(application: CanaryApplication) -> None:
    try:
        raise ValueError(value("one-time password"))
    except ValueError:
        logging.getLogger("a library").exception("no")


def _measure_by_number(application: CanaryApplication) -> None:
    application.telemetry.measure("Balance", 1.0, provider="nomsa", account=value("Cambodian number")[1:])


def _show_credentials_in_repr(application: CanaryApplication) -> None:
    class OpenRepr(Nomsa):
        def __repr__(self) -> str:
            return f"Nomsa({dict(self.config.credentials)})"

    new_sender = application.new_sender

    def with_open_repr() -> Any:
        sender = new_sender()
        dispatch = sender.stages.dispatcher.dispatch

        def dispatch_with_open_repr(batch: Batch) -> None:
            for item in batch.items:
                item.provider = OpenRepr(item.provider.config) if item.provider else None
            dispatch(batch)

        sender.stages.dispatcher.dispatch = dispatch_with_open_repr  # type: ignore[method-assign]
        return sender

    application.apps["send"].send_service = with_open_repr  # type: ignore[attr-defined]


def _raise_with_a_text(application: CanaryApplication) -> None:
    def broken() -> Any:
        raise RuntimeError(value("text"))

    application.apps["follow_up"].follow_up_service = broken  # type: ignore[attr-defined]


def _raise_unavailable_error(application: CanaryApplication) -> None:
    def put(messages: Sequence[QueueMessage]) -> None:
        raise UnavailableError(f"not queued: {value('text')}")

    application.queue.put = put  # type: ignore[method-assign]


def _answer_with_the_token(application: CanaryApplication) -> None:
    handler = application.apps["webhook"].handler
    application.apps["webhook"].handler = lambda event, context: {  # type: ignore[attr-defined]
        **handler(event, context),
        "body": event["rawPath"],
    }


def _publish_the_recipient(application: CanaryApplication) -> None:
    put = application.bus.put
    application.bus.put = lambda events: put(  # type: ignore[method-assign]
        [replace(e, detail={**e.detail, "to": value("Cambodian number")}) for e in events]
    )


def _keep_the_text(application: CanaryApplication) -> None:
    record_outputs = application.record_outputs

    def record_with_text() -> None:
        kept = application.store.messages
        kept["otp"] = replace(kept["otp"], status=kept["otp"].status.DELIVERED, content=Text(text=value("text")))
        record_outputs()

    application.record_outputs = record_with_text  # type: ignore[method-assign]


def _keep_the_words_as_they_are(application: CanaryApplication) -> None:
    add = application.attempts.add

    def add_whole(records: Sequence[AttemptRecord], *, now: datetime) -> None:
        add([replace(record, vendor_words=f"refused: {value('text')}") for record in records], now=now)

    application.attempts.add = add_whole  # type: ignore[method-assign]
    application.transport.replies = [FAULTS["HTTP 400"]]


def _tell_the_text_in_an_error(application: CanaryApplication) -> None:
    reply, handler = application.transport.replies[0], application.apps["follow_up"].handler

    def answer(request: Any) -> Any:
        lost = NoResponse(may_have_been_sent=True, why=f"no answer to {value('text')}")
        return lost if request.method == "GET" else reply(request)  # type: ignore[operator]

    def handle_when_due(event: Any, context: Any) -> Any:
        application.clock.advance(seconds=100)
        return handler(event, context)

    application.transport.replies = [answer]
    application.apps["follow_up"].handler = handle_when_due  # type: ignore[attr-defined]


def _change_requests(**changes: Any) -> Callable[[CanaryApplication], None]:
    def plant(application: CanaryApplication) -> None:
        call = application.transport.call
        application.transport.call = lambda request, **o: call(replace(request, **changes), **o)  # type: ignore[method-assign]

    return plant


LEAKS: Final[dict[str, Callable[[CanaryApplication], None]]] = {
    "our key: standard output": _print_to("stdout"),
    "our key: standard error": _print_to("stderr"),
    "one-time password: log": _log_requests,
    "one-time password: log ": _log_an_exception,
    "Cambodian number: standard output": _measure_by_number,
    "nomsa api_key: repr of Call": _show_credentials_in_repr,
    "text: exception that left follow_up": _raise_with_a_text,
    "text: exception of ours": _raise_unavailable_error,
    "first smspoh token: answer of webhook": _answer_with_the_token,
    "Cambodian number: event": _publish_the_recipient,
    "text: message that is final, in its table": _keep_the_text,
    "text: attempts table": _keep_the_words_as_they_are,
    "text: error of a look-up": _tell_the_text_in_an_error,
    "smspoh api_secret: headers to nomsa": _change_requests(headers={"X-Key": value("smspoh api_secret")}),
    "fingerprint key: body to nomsa": _change_requests(body=value("fingerprint key").encode()),
    "text: URL at nomsa": _change_requests(url=f"https://vendors.example.org/nomsa/?q={value('text')}"),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_is_found_in_every_place(leak: str) -> None:
    def run(application: CanaryApplication) -> None:
        LEAKS[leak](application)
        later = json.dumps({"message_id": "later", **REQUESTS["scheduled"]})
        application.send_all([otp(), later, json.dumps({"message_id": "encrypted", **REQUESTS["encrypted"]})])
        application.invoke("follow_up", {})
        application.invoke("webhook", callbacks()[0])
        application.invoke("monitor", {})

    assert leak.strip() in find_leaks(run)
