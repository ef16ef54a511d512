"""The whole application under random sequences of events: I1-I8, I11, I12 and E1-E3 of the failure model."""

import json
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sampai.contract.settings import parse_settings
from sampai.domain.message import Message, OnUnknown
from sampai.domain.status import Status
from sampai.services.follow_up.next_state import MAX_ATTEMPTS
from sampai.services.ports.runtime import UnavailableError
from sampai.services.send.batch import Record
from sampai.services.webhook.service import Answer
from tests.covers import covers
from tests.fakes import RecordingTelemetry
from tests.harness.application import SECRET, Application, token_of
from tests.harness.application import SETTINGS as HOUSE_SETTINGS
from tests.harness.table_store import TableStore
from tests.harness.vendors import MOODS, WORDS, DeathError, FakeVendors, Row

COUNTRIES: Final = {"nomsa": "+855912345", "smsnoc": "+880174497", "smspoh": "+959777777", "nusasms": "+628123456"}
TWO_PROVIDERS: Final = "+66812345"
"""A country with two providers in its route."""
CREDENTIALS: Final = {
    "nomsa": {"api_key": "another"},
    "smsnoc": {"api_token": "2|another"},
    "smspoh": {"api_key": "another", "api_secret": "another"},
    "nusasms": {"api_key": "another", "user": "another", "password": "another"},
}
SETTINGS: Final[dict[str, Any]] = HOUSE_SETTINGS
OTHER_SETTINGS: Final = (
    SETTINGS,
    SETTINGS | {"routes": {"sms": {"TH": ["smspoh", "nomsa"], "KH": ["smspoh"]}}},
    SETTINGS | {"providers": SETTINGS["providers"] | {"nomsa": {"enabled": False}}},
    SETTINGS | {"providers": SETTINGS["providers"] | {"nusasms": {"base_url": "https://nusasms.example/v4"}}},
    SETTINGS | {"providers": {"smsnoc": {"sender": "Another"}, "smspoh": {"enabled": False}}},
    SETTINGS | {"poll_seconds": [1], "report_horizon_hours": 24},
)
PORTS: Final = ("store", "queue", "bus", "directory", "settings")

providers = st.sampled_from(sorted(COUNTRIES))
picks = st.integers(0, 10**6)
"""An index into a list, modulo its length."""


class ApplicationMachine(RuleBasedStateMachine):
    """A queue that delivers in any order and number, workers that die, and vendors in every mood."""

    def __init__(self) -> None:
        super().__init__()
        self.vendors = FakeVendors(
            clock=lambda: self.app.clock(), on_send=self._check_send, on_taken=self._send_early_receipt
        )
        store = TableStore(clock=lambda: self.app.clock(), telemetry=RecordingTelemetry())
        self.app = Application(self.vendors, store=store)
        self.queue: list[tuple[str, str]] = []
        """Records in the queue, as id and body."""
        self.requests: list[str] = []
        """Bodies of all records so far."""
        self.message_count = 0
        self.echoes_reference = True
        """Whether receipts contain our reference, if the vendor supports one."""
        self.reports_early = False
        """Whether vendors send a receipt before they answer the request."""
        self.highest: dict[str, tuple[int, int]] = {}
        self.fingerprints: dict[str, str] = {}
        self.reported: dict[str, Status] = {}
        """The highest status of a receipt that was answered with 200, by provider message id."""
        self.violations: list[str] = []

    # --- requests ---------------------------------------------------------------------------------------------------

    @initialize(
        moods=st.lists(st.sampled_from(sorted(MOODS)), min_size=4, max_size=4),
        echoes_reference=st.booleans(),
        reports_early=st.booleans(),
    )
    def request_a_message_of_each_vendor(self, moods: list[str], echoes_reference: bool, reports_early: bool) -> None:
        self.echoes_reference, self.reports_early = echoes_reference, reports_early
        self.vendors.moods = dict(zip(COUNTRIES, moods, strict=True))
        for home in COUNTRIES:
            self._request_message(home)
            self._deliver_and_delete(self.queue[-1:])

    @rule(
        home=st.sampled_from([*COUNTRIES, TWO_PROVIDERS]),
        on_unknown=st.sampled_from(["hold", "hold", "resend"]),
        category=st.sampled_from(["otp", "transactional", "promotional"]),
        starts=st.sampled_from([None, None, None, 30, 3_000, 90_000]),
        ends=st.sampled_from([None, None, 20, 600, 100_000]),
        mood=st.sampled_from([None, *sorted(MOODS)]),
        delay=st.sampled_from([None, 0, 0, 30, 700]),
    )
    def request_message(
        self,
        home: str,
        on_unknown: str,
        category: str,
        starts: int | None,
        ends: int | None,
        mood: str | None,
        delay: int | None,
    ) -> None:
        """Request a message. Deliver it after `delay` seconds, with all vendors in `mood`, or leave it in the queue."""
        times = {"send_at": starts, "expires_at": None if ends is None else (starts or 0) + ends}
        now = self.app.clock()
        bounds = {name: (now + timedelta(seconds=s)).isoformat() for name, s in times.items() if s is not None}
        self._request_message(home, on_unknown=on_unknown, category=category, **bounds)
        if mood is not None:
            self.vendors.moods = dict.fromkeys(COUNTRIES, mood)
        if delay is not None:
            self.app.clock.advance(seconds=delay)
            self._deliver_and_delete(self.queue[-1:])

    def _request_message(self, home: str, **more: Any) -> None:
        self.message_count += 1
        message_id = f"m-{self.message_count}"
        body = {
            "message_id": message_id,
            "recipient": f"{COUNTRIES.get(home, home)}{self.message_count:04}",
            "content": {"type": "text", "text": f"Your word is [{message_id}]"},
        }
        self._enqueue(json.dumps(body | more))

    @rule(pick=picks)
    def repeat_a_request(self, pick: int) -> None:
        self._enqueue(self._pick(self.requests, pick))

    @rule(pick=picks)
    def request_a_conflicting_message(self, pick: int) -> None:
        document = json.loads(self._pick(self.requests, pick))
        if "content" in document:
            changed = {"type": "text", "text": f"Another word is [{document['message_id']}]"}
            self._enqueue(json.dumps(document | {"content": changed}))

    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        self._enqueue(json.dumps({"cancel": f"m-{pick % (self.message_count + 1) + 1}"}))

    def _enqueue(self, body: str) -> None:
        self.requests.append(body)
        self.queue.append((f"record-{len(self.requests)}", body))

    # --- deliveries -------------------------------------------------------------------------------------------------

    @rule(first=picks, count=st.integers(1, 10), is_kept=st.booleans(), sandbox=st.booleans())
    def deliver(self, first: int, count: int, is_kept: bool, sandbox: bool) -> None:
        """Deliver some records. Records that are kept are delivered again, as if their deletion was lost."""
        if not self.queue:
            return
        at = first % len(self.queue)
        batch = self.queue[at : at + count]
        if is_kept:
            self._deliver(batch, in_new_sandbox=sandbox)
        else:
            self._deliver_and_delete(batch, in_new_sandbox=sandbox)

    def _deliver_and_delete(self, batch: list[tuple[str, str]], *, in_new_sandbox: bool = False) -> None:
        returned = self._deliver(batch, in_new_sandbox=in_new_sandbox)
        self.queue = [record for record in self.queue if record not in batch or record[0] in returned]

    @rule()
    def deliver_wake_ups(self) -> None:
        for body in self.app.queue.bodies():
            self._enqueue(body)
        self.app.queue.wake_ups = []
        self.deliver_all()

    @rule()
    def deliver_all(self) -> None:
        self._deliver_and_delete(self.queue)

    @rule(pick=picks)
    def redrive(self, pick: int) -> None:
        """Deliver an old body under a new record id, as from the dead-letter queue."""
        self._deliver([(f"old-{pick}", self._pick(self.requests, pick))], in_new_sandbox=True)

    @rule()
    def drop_the_queue(self) -> None:
        """Move all records to the dead-letter queue, as after too many deliveries."""
        self.queue = []

    def _deliver(self, batch: list[tuple[str, str]], *, in_new_sandbox: bool) -> set[str]:
        """Deliver records and return the ids of those to deliver again: all of them if the worker dies."""
        sender = self.app.new_sender() if in_new_sandbox else self.app.sender
        records = [Record(record_id=record_id, body=body) for record_id, body in batch]
        try:
            return set(sender.handle(records, remaining=lambda: 30.0))
        except DeathError:
            self.vendors.moods = {}
            return {record_id for record_id, _ in batch}

    def _check_send(self, provider: str, text: str) -> None:
        """Check the stored message when a vendor reads the request."""
        message_id = _message_id_in(text)
        message = self.app.store.messages.get(message_id)
        if message is None or message.status is not Status.SENDING or message.provider != provider:
            self.violations.append(f"{message_id} was sent without a stored claim (I2)")
        elif message.is_expired(self.app.clock()):
            self.violations.append(f"{message_id} was sent after it had expired (I7)")

    # --- vendors ----------------------------------------------------------------------------------------------------

    @rule(provider=providers, mood=st.sampled_from([None, *sorted(MOODS)]))
    def change_moods(self, provider: str, mood: str | None) -> None:
        """Change the mood of one vendor, or restore those of all."""
        self.vendors.moods = {} if mood is None else {**self.vendors.moods, provider: mood}

    @rule(pick=picks, status=st.sampled_from(sorted(WORDS["nomsa"], key=lambda s: s.rank)))
    def change_vendor_status(self, pick: int, status: Status) -> None:
        """Change the status of a message at its vendor, in any direction."""
        if self.vendors.ledger:
            self._pick(self.vendors.ledger, pick).status = status

    # --- webhooks ---------------------------------------------------------------------------------------------------

    @precondition(lambda self: self._entries_with_receipts())
    @rule(
        pick=picks,
        status=st.sampled_from([None, Status.ACCEPTED, Status.SENT, Status.DELIVERED, Status.UNDELIVERED]),
        token=st.sampled_from(SECRET.webhook_tokens),
    )
    def receive_a_receipt(self, pick: int, status: Status | None, token: str) -> None:
        """Deliver a receipt with the current status or any other: late, early or repeated."""
        entry = self._pick(self._entries_with_receipts()[-3:], pick)
        self._deliver_receipt(entry, status or entry.status, token=token)

    def _send_early_receipt(self, entry: Row) -> None:
        if self.reports_early and entry in self._entries_with_receipts():
            self._deliver_receipt(entry, Status.DELIVERED, token=self.app.secret.secret.webhook_tokens[0])

    def _deliver_receipt(self, entry: Row, status: Status, *, token: str) -> None:
        is_known = token in self.app.secret.secret.webhook_tokens
        answer = self._receive(entry, WORDS[entry.vendor.name][status], token=token)
        if answer is Answer.RECEIVED and is_known:
            reported = self.reported.get(entry.provider_message_id, status)
            self.reported[entry.provider_message_id] = max(reported, status, key=lambda s: s.rank)
        elif answer is not (Answer.UNAVAILABLE if is_known else Answer.NOT_FOUND):
            self.violations.append(f"a receipt was answered {answer}")

    @precondition(lambda self: self._entries_with_receipts())
    @rule(pick=picks, fault=st.sampled_from(["forged", "unknown", "malformed", "unknown status"]))
    def receive_an_ineffective_receipt(self, pick: int, fault: str) -> None:
        entry = self._pick(self._entries_with_receipts(), pick)
        if fault == "unknown status" and not self._is_linked(entry):
            return  # it may link earlier reports to their message
        before = {name: message.status for name, message in self.app.store.messages.items()}
        word, token = WORDS[entry.vendor.name][Status.DELIVERED], self.app.secret.secret.webhook_tokens[0]
        match fault:
            case "forged":
                answer = self._receive(entry, word, token="a-forged-token")
            case "unknown":
                answer = self._receive(
                    replace(entry, provider_message_id="X-1", sent=replace(entry.sent, reference="X-1")),
                    word,
                    token=token,
                )
            case "malformed":
                answer = self._receive(entry, "", token=token)
            case _:
                answer = self._receive(entry, "Levitating", token=token)
        if before != {name: message.status for name, message in self.app.store.messages.items()}:
            self.violations.append(f"a receipt changed a status: {fault} (W2, W6, W8, W9)")
        if fault == "forged" and answer is not Answer.NOT_FOUND:
            self.violations.append(f"a forged receipt was answered {answer} (W6)")

    def _entries_with_receipts(self) -> list[Row]:
        return [entry for entry in self.vendors.ledger if entry.vendor.name in ("smspoh", "nusasms")]

    def _is_linked(self, entry: Row) -> bool:
        return any(m.provider_message_id == entry.provider_message_id for m in self.app.store.messages.values())

    def _receive(self, entry: Row, word: str, *, token: str) -> Answer:
        """Deliver a receipt. `token` is a token of the secret, or any other text."""
        shown = entry if self.echoes_reference else replace(entry, sent=replace(entry.sent, reference=None))
        query = entry.vendor.receipt(shown, word).query
        return self.app.receive(
            entry.vendor.name, entry.vendor.webhook or "", token_of(entry.vendor.name, token), query=query
        )

    @rule(pick=picks, text=st.sampled_from(["STOP", "START", "Halo"]))
    def receive_an_inbound_message(self, pick: int, text: str) -> None:
        """Receive an inbound message from the recipient of a message."""
        number = f"{COUNTRIES['nusasms']}{pick % (self.message_count + 1):04}"
        query = urlencode({"id": f"in-{pick}", "originator": number[1:], "msg": text})
        token = token_of("nusasms", self.app.secret.secret.webhook_tokens[0])
        self.app.receive("nusasms", "sms-inbox", token, query=query)

    # --- time and operators -----------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 5, 16, 61, 130, 901, 3_601, 86_400, 8 * 86_400]))
    def wait(self, seconds: int) -> None:
        self.app.clock.advance(seconds=seconds)

    @rule()
    def follow_up(self) -> None:
        try:
            self.app.follow_up()
        except UnavailableError:
            assert self.app.store.is_down or self.app.settings.is_down

    @rule(provider=st.sampled_from([None, *COUNTRIES]))
    def rotate_a_secret(self, provider: str | None) -> None:
        secret = self.app.secret.secret
        if provider is None:
            new = f"token-{self.app.clock():%d%H%M%S}"
            self.app.secret.secret = replace(secret, webhook_tokens=(new, secret.webhook_tokens[0]))
        else:
            changed = {**secret.credentials, provider: CREDENTIALS[provider]}
            self.app.secret.secret = replace(secret, credentials=changed)

    @rule(document=st.sampled_from(OTHER_SETTINGS))
    def change_the_settings(self, document: dict[str, Any]) -> None:
        self.app.settings.settings = parse_settings(json.dumps(document))

    @rule(port=st.sampled_from(PORTS), is_down=st.booleans())
    def set_port_outage(self, port: str, is_down: bool) -> None:
        getattr(self.app, port).is_down = is_down

    # --- promises ---------------------------------------------------------------------------------------------------

    @invariant()
    def no_violation_was_recorded(self) -> None:
        assert self.violations == []

    @invariant()
    def no_message_was_accepted_twice(self) -> None:
        taken: dict[str, int] = defaultdict(int)
        for entry in self.vendors.ledger:
            taken[_message_id_in(entry.sent.text)] += 1
        for message_id, times in taken.items():
            message = self.app.store.messages[message_id]
            assert times <= (MAX_ATTEMPTS if message.on_unknown is OnUnknown.RESEND else 1), "I1"

    @invariant()
    def no_rank_has_fallen_within_an_attempt(self) -> None:
        for message_id, message in self.app.store.messages.items():
            stored_message = (message.attempt, message.status.rank)
            assert stored_message >= self.highest.get(message_id, stored_message), (
                f"{message_id}: {message.status} (I3)"
            )
            self.highest[message_id] = stored_message

    @invariant()
    def messages_that_are_not_final_are_due(self) -> None:
        for message in self.app.store.messages.values():
            assert message.status.is_final is (message.due_at is None), "E1"

    @invariant()
    def an_id_belongs_to_one_request(self) -> None:
        for message_id, message in self.app.store.messages.items():
            if message.fingerprint is not None:
                assert self.fingerprints.setdefault(message_id, message.fingerprint) == message.fingerprint, "I8"

    @invariant()
    def final_messages_are_redacted(self) -> None:
        for message in self.app.store.messages.values():
            assert message.attachments.file is None
            assert not message.status.is_final or (message.content, message.provider_options) == (None, {}), "I11"

    @invariant()
    def events_are_numbered_without_gaps(self) -> None:
        counts: dict[str, int] = defaultdict(int)
        for event in self.app.store.events:
            counts[event.detail["message_id"]] += 1
            assert event.detail["sequence"] == counts[event.detail["message_id"]], "E2"

    def teardown(self) -> None:
        """End all faults, advance beyond the horizon, and check the final states."""
        for port in PORTS:
            getattr(self.app, port).is_down = False
        self.vendors.moods = {}
        self.change_the_settings(SETTINGS)
        self.run_until_final()
        for message in self.app.store.messages.values():
            assert message.status.is_final, f"{message.message_id} is still {message.status} (E1)"
            self._check_reported_status(message)
        self.no_message_was_accepted_twice()
        self.no_rank_has_fallen_within_an_attempt()
        self.events_are_numbered_without_gaps()
        self.no_violation_was_recorded()
        log = repr(self.app.telemetry.lines)
        private = ("Your word", "Another word", *SECRET.webhook_tokens, "2|another", *COUNTRIES.values())
        leaked = [secret for secret in private if secret in log]
        assert leaked == [], "I11"

    def run_until_final(self) -> None:
        for _ in range(30):
            self.deliver_wake_ups()
            self.app.follow_up()
            self.deliver_wake_ups()
            self.app.clock.advance(hours=6)
        assert self.queue == [], "a record is redelivered for ever (I5)"

    def _check_reported_status(self, message: Message) -> None:
        entries = [e for e in self.vendors.ledger if e.provider_message_id == message.provider_message_id]
        for entry in entries:
            reported = self.reported.get(entry.provider_message_id)
            assert reported is None or message.status.rank >= reported.rank, (
                f"{reported} was reported, the status is {message.status} (I4)"
            )

    @staticmethod
    def _pick(items: list[Any], pick: int) -> Any:
        return items[pick % len(items)]


def _message_id_in(text: str) -> str:
    return text.partition("[")[2].partition("]")[0]


@covers("Q2", "Q3", "V9", "V10", "W1", "W2", "W3", "W5", "W6", "W9")
@covers("I1", "I2", "I3", "I4", "I5", "I7", "I8", "I11", "I12", "E1", "E2", "L4")
def test_random_events_never_duplicate_forget_or_leak_a_message() -> None:
    profile = settings(
        max_examples=100,
        stateful_step_count=40,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )

    run_state_machine_as_test(ApplicationMachine, settings=profile)
