"""The whole application under whatever may happen, in any order: I1-I8, I11, I12 and E1-E3 of the failure model."""

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
from tests.fuzz.vendors import MOODS, WORDS, DeathError, Entry, FakeVendors
from tests.harness.application import SECRET, House, token_of
from tests.harness.application import SETTINGS as HOUSE_SETTINGS

COUNTRIES: Final = {"nomsa": "+855912345", "smsnoc": "+880174497", "smspoh": "+959777777", "nusasms": "+628123456"}
BOTH: Final = "+66812345"
"""A country whose route has two providers."""
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
"""Which of those that there are, by their number modulo how many."""


class Application(RuleBasedStateMachine):
    """A queue that delivers what it holds in any order and number, workers that die, vendors of every mood."""

    def __init__(self) -> None:
        super().__init__()
        self.vendors = FakeVendors(
            clock=lambda: self.house.clock(), on_send=self._is_allowed, on_taken=self._report_at_once
        )
        self.house = House(self.vendors)
        self.waiting: list[tuple[str, str]] = []
        """Records in the queue: id and body."""
        self.asked: list[str] = []
        """All bodies that ever were in it."""
        self.numbers = 0
        self.is_echoed = True
        """Whether receipts carry our reference, where the vendor has one."""
        self.is_early = False
        """Whether vendors report a delivery before they answer the request."""
        self.best: dict[str, tuple[int, int]] = {}
        self.fingerprints: dict[str, str] = {}
        self.proven: dict[str, Status] = {}
        """By the vendor's id, the highest status that a receipt has told and that was answered 200."""
        self.broken: list[str] = []

    # --- requests ---------------------------------------------------------------------------------------------------

    @initialize(
        moods=st.lists(st.sampled_from(sorted(MOODS)), min_size=4, max_size=4),
        is_echoed=st.booleans(),
        is_early=st.booleans(),
    )
    def ask_for_a_message_of_each_vendor(self, moods: list[str], is_echoed: bool, is_early: bool) -> None:
        self.is_echoed, self.is_early = is_echoed, is_early
        self.vendors.moods = dict(zip(COUNTRIES, moods, strict=True))
        for home in COUNTRIES:
            self._ask(home)
            self._deliver_and_delete(self.waiting[-1:])

    @rule(
        home=st.sampled_from([*COUNTRIES, BOTH]),
        on_unknown=st.sampled_from(["hold", "hold", "resend"]),
        category=st.sampled_from(["otp", "transactional", "promotional"]),
        starts=st.sampled_from([None, None, None, 30, 3_000, 90_000]),
        ends=st.sampled_from([None, None, 20, 600, 100_000]),
        mood=st.sampled_from([None, *sorted(MOODS)]),
        delay=st.sampled_from([None, 0, 0, 30, 700]),
    )
    def ask(
        self,
        home: str,
        on_unknown: str,
        category: str,
        starts: int | None,
        ends: int | None,
        mood: str | None,
        delay: int | None,
    ) -> None:
        """Ask for a message, which meets its vendors in some mood after so many seconds, or waits for a delivery."""
        times = {"send_at": starts, "expires_at": None if ends is None else (starts or 0) + ends}
        now = self.house.clock()
        said = {name: (now + timedelta(seconds=s)).isoformat() for name, s in times.items() if s is not None}
        self._ask(home, on_unknown=on_unknown, category=category, **said)
        if mood is not None:
            self.vendors.moods = dict.fromkeys(COUNTRIES, mood)
        if delay is not None:
            self.house.clock.advance(seconds=delay)
            self._deliver_and_delete(self.waiting[-1:])

    def _ask(self, home: str, **more: Any) -> None:
        self.numbers += 1
        message_id = f"m-{self.numbers}"
        body = {
            "message_id": message_id,
            "recipient": f"{COUNTRIES.get(home, home)}{self.numbers:04}",
            "content": {"type": "text", "text": f"Your word is [{message_id}]"},
        }
        self._enqueue(json.dumps(body | more))

    @rule(pick=picks)
    def ask_again(self, pick: int) -> None:
        self._enqueue(self._one_of(self.asked, pick))

    @rule(pick=picks)
    def ask_for_something_else_under_the_same_id(self, pick: int) -> None:
        document = json.loads(self._one_of(self.asked, pick))
        if "content" in document:
            changed = {"type": "text", "text": f"Another word is [{document['message_id']}]"}
            self._enqueue(json.dumps(document | {"content": changed}))

    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        self._enqueue(json.dumps({"cancel": f"m-{pick % (self.numbers + 1) + 1}"}))

    def _enqueue(self, body: str) -> None:
        self.asked.append(body)
        self.waiting.append((f"record-{len(self.asked)}", body))

    # --- deliveries -------------------------------------------------------------------------------------------------

    @rule(first=picks, count=st.integers(1, 10), is_kept=st.booleans(), sandbox=st.booleans())
    def deliver(self, first: int, count: int, is_kept: bool, sandbox: bool) -> None:
        """Deliver some records; kept ones come once more, as if their deletion was lost."""
        if not self.waiting:
            return
        at = first % len(self.waiting)
        batch = self.waiting[at : at + count]
        if is_kept:
            self._deliver(batch, in_new_sandbox=sandbox)
        else:
            self._deliver_and_delete(batch, in_new_sandbox=sandbox)

    def _deliver_and_delete(self, batch: list[tuple[str, str]], *, in_new_sandbox: bool = False) -> None:
        returned = self._deliver(batch, in_new_sandbox=in_new_sandbox)
        self.waiting = [record for record in self.waiting if record not in batch or record[0] in returned]

    @rule()
    def deliver_notes(self) -> None:
        for body in self.house.queue.bodies():
            self._enqueue(body)
        self.house.queue.wake_ups = []
        self.deliver_all()

    @rule()
    def deliver_all(self) -> None:
        self._deliver_and_delete(self.waiting)

    @rule(pick=picks)
    def redrive(self, pick: int) -> None:
        """An old body comes back, as from the dead-letter queue: under a record id that nobody knows."""
        self._deliver([(f"old-{pick}", self._one_of(self.asked, pick))], in_new_sandbox=True)

    @rule()
    def lose_what_waits(self) -> None:
        """What was delivered too often is put aside, into the dead-letter queue."""
        self.waiting = []

    def _deliver(self, batch: list[tuple[str, str]], *, in_new_sandbox: bool) -> set[str]:
        """Return the ids of the records that come back: all of them if the worker dies."""
        sender = self.house.new_sender() if in_new_sandbox else self.house.sender
        records = [Record(record_id=record_id, body=body) for record_id, body in batch]
        try:
            return set(sender.handle(records, remaining=lambda: 30.0))
        except DeathError:
            self.vendors.moods = {}
            return {record_id for record_id, _ in batch}

    def _is_allowed(self, provider: str, text: str) -> None:
        """Look at the message at the moment in which a vendor reads it."""
        message_id = _named_in(text)
        message = self.house.store.messages.get(message_id)
        if message is None or message.status is not Status.SENDING or message.provider != provider:
            self.broken.append(f"{message_id} was sent without a stored claim (I2)")
        elif message.is_expired(self.house.clock()):
            self.broken.append(f"{message_id} was sent after it had expired (I7)")

    # --- vendors ----------------------------------------------------------------------------------------------------

    @rule(provider=providers, mood=st.sampled_from([None, *sorted(MOODS)]))
    def change_moods(self, provider: str, mood: str | None) -> None:
        """One vendor changes its mood, or all are in a good one again."""
        self.vendors.moods = {} if mood is None else {**self.vendors.moods, provider: mood}

    @rule(pick=picks, status=st.sampled_from(sorted(WORDS["nomsa"], key=lambda s: s.rank)))
    def move_on(self, pick: int, status: Status) -> None:
        """A vendor changes its mind about a message, perhaps back."""
        if self.vendors.ledger:
            self._one_of(self.vendors.ledger, pick).status = status

    # --- callbacks --------------------------------------------------------------------------------------------------

    @precondition(lambda self: self._reporting())
    @rule(
        pick=picks,
        status=st.sampled_from([None, Status.ACCEPTED, Status.SENT, Status.DELIVERED, Status.UNDELIVERED]),
        token=st.sampled_from(SECRET.webhook_tokens),
    )
    def receive_a_receipt(self, pick: int, status: Status | None, token: str) -> None:
        """The present status, or any other: late, early, again."""
        entry = self._one_of(self._reporting()[-3:], pick)
        self._apply_report(entry, status or entry.status, token=token)

    def _report_at_once(self, entry: Entry) -> None:
        if self.is_early and entry in self._reporting():
            self._apply_report(entry, Status.DELIVERED, token=self.house.secret.secret.webhook_tokens[0])

    def _apply_report(self, entry: Entry, said: Status, *, token: str) -> None:
        is_known = token in self.house.secret.secret.webhook_tokens
        answer = self._receive(entry, WORDS[entry.provider][said], token=token)
        if answer is Answer.RECEIVED and is_known:
            proven = self.proven.get(entry.provider_message_id, said)
            self.proven[entry.provider_message_id] = max(proven, said, key=lambda s: s.rank)
        elif answer is not (Answer.UNAVAILABLE if is_known else Answer.NOT_FOUND):
            self.broken.append(f"a receipt was answered {answer}")

    @precondition(lambda self: self._reporting())
    @rule(pick=picks, fault=st.sampled_from(["forged", "unknown", "malformed", "a strange word"]))
    def receive_what_moves_nothing(self, pick: int, fault: str) -> None:
        entry = self._one_of(self._reporting(), pick)
        if fault == "a strange word" and not self._is_named(entry):
            return  # it may tell whose the reports are that came before
        before = {name: message.status for name, message in self.house.store.messages.items()}
        word, token = WORDS[entry.provider][Status.DELIVERED], self.house.secret.secret.webhook_tokens[0]
        match fault:
            case "forged":
                answer = self._receive(entry, word, token="a-forged-token")
            case "unknown":
                answer = self._receive(replace(entry, provider_message_id="X-1", reference="X-1"), word, token=token)
            case "malformed":
                answer = self._receive(entry, "", token=token)
            case _:
                answer = self._receive(entry, "Levitating", token=token)
        if before != {name: message.status for name, message in self.house.store.messages.items()}:
            self.broken.append(f"a receipt moved a message: {fault} (W2, W6, W8, W9)")
        if fault == "forged" and answer is not Answer.NOT_FOUND:
            self.broken.append(f"a forged receipt was answered {answer} (W6)")

    def _reporting(self) -> list[Entry]:
        return [entry for entry in self.vendors.ledger if entry.provider in ("smspoh", "nusasms")]

    def _is_named(self, entry: Entry) -> bool:
        return any(m.provider_message_id == entry.provider_message_id for m in self.house.store.messages.values())

    def _receive(self, entry: Entry, word: str, *, token: str) -> Answer:
        """`token` is a token of the secret, or any other text."""
        token = token_of(entry.provider, token)
        if entry.provider == "smspoh":
            fields = {"messageId": entry.provider_message_id, "status": word}
            fields |= {"clientReference": entry.reference or ""} if self.is_echoed else {}
            return self.house.receive("smspoh", "receipt", token, query=urlencode(fields))
        fields = {"ref_no": entry.provider_message_id, "status": word}
        return self.house.receive("nusasms", "sms-receipt", token, query=urlencode(fields))

    @rule(pick=picks, text=st.sampled_from(["STOP", "START", "Halo"]))
    def hear_from_somebody(self, pick: int, text: str) -> None:
        """Numbers of messages that were asked for write back."""
        number = f"{COUNTRIES['nusasms']}{pick % (self.numbers + 1):04}"
        query = urlencode({"id": f"in-{pick}", "originator": number[1:], "msg": text})
        token = token_of("nusasms", self.house.secret.secret.webhook_tokens[0])
        self.house.receive("nusasms", "sms-inbox", token, query=query)

    # --- time and operators -----------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 5, 16, 61, 130, 901, 3_601, 86_400, 8 * 86_400]))
    def wait(self, seconds: int) -> None:
        self.house.clock.advance(seconds=seconds)

    @rule()
    def follow_up(self) -> None:
        try:
            self.house.follow_up()
        except UnavailableError:
            assert self.house.store.is_down or self.house.settings.is_down

    @rule(provider=st.sampled_from([None, *COUNTRIES]))
    def rotate_a_secret(self, provider: str | None) -> None:
        secret = self.house.secret.secret
        if provider is None:
            new = f"token-{self.house.clock():%d%H%M%S}"
            self.house.secret.secret = replace(secret, webhook_tokens=(new, secret.webhook_tokens[0]))
        else:
            changed = {**secret.credentials, provider: CREDENTIALS[provider]}
            self.house.secret.secret = replace(secret, credentials=changed)

    @rule(document=st.sampled_from(OTHER_SETTINGS))
    def change_the_settings(self, document: dict[str, Any]) -> None:
        self.house.settings.settings = parse_settings(json.dumps(document))

    @rule(port=st.sampled_from(PORTS), is_down=st.booleans())
    def lose_or_find_a_port(self, port: str, is_down: bool) -> None:
        getattr(self.house, port).is_down = is_down

    # --- promises ---------------------------------------------------------------------------------------------------

    @invariant()
    def nothing_was_broken_on_the_way(self) -> None:
        assert self.broken == []

    @invariant()
    def no_message_was_taken_twice(self) -> None:
        taken: dict[str, int] = defaultdict(int)
        for entry in self.vendors.ledger:
            taken[_named_in(entry.text)] += 1
        for message_id, times in taken.items():
            message = self.house.store.messages[message_id]
            assert times <= (MAX_ATTEMPTS if message.on_unknown is OnUnknown.RESEND else 1), "I1"

    @invariant()
    def no_rank_has_fallen_within_an_attempt(self) -> None:
        for message_id, message in self.house.store.messages.items():
            stored_message = (message.attempt, message.status.rank)
            assert stored_message >= self.best.get(message_id, stored_message), f"{message_id}: {message.status} (I3)"
            self.best[message_id] = stored_message

    @invariant()
    def whatever_is_not_final_is_due(self) -> None:
        for message in self.house.store.messages.values():
            assert message.status.is_final is (message.due_at is None), "E1"

    @invariant()
    def one_id_stands_for_one_request(self) -> None:
        for message_id, message in self.house.store.messages.items():
            if message.fingerprint is not None:
                assert self.fingerprints.setdefault(message_id, message.fingerprint) == message.fingerprint, "I8"

    @invariant()
    def what_is_settled_holds_no_words(self) -> None:
        for message in self.house.store.messages.values():
            assert message.attachments.file is None
            assert not message.status.is_final or (message.content, message.provider_options) == (None, {}), "I11"

    @invariant()
    def events_are_numbered_without_gaps(self) -> None:
        told: dict[str, int] = defaultdict(int)
        for event in self.house.store.events:
            told[event.detail["message_id"]] += 1
            assert event.detail["sequence"] == told[event.detail["message_id"]], "E2"

    def teardown(self) -> None:
        """Mend everything, let time pass to the horizon, and see that all has ended as it should."""
        for port in PORTS:
            getattr(self.house, port).is_down = False
        self.vendors.moods = {}
        self.change_the_settings(SETTINGS)
        self.calm_until_final()
        for message in self.house.store.messages.values():
            assert message.status.is_final, f"{message.message_id} is still {message.status} (E1)"
            self._holds_what_was_proven(message)
        self.no_message_was_taken_twice()
        self.no_rank_has_fallen_within_an_attempt()
        self.events_are_numbered_without_gaps()
        self.nothing_was_broken_on_the_way()
        said = repr(self.house.telemetry.lines)
        told = [
            secret
            for secret in ("Your word", "Another word", *SECRET.webhook_tokens, "2|another", *COUNTRIES.values())
            if secret in said
        ]
        assert told == [], "I11"

    def calm_until_final(self) -> None:
        for _ in range(30):
            self.deliver_notes()
            self.house.follow_up()
            self.deliver_notes()
            self.house.clock.advance(hours=6)
        assert self.waiting == [], "a record comes back for ever (I5)"

    def _holds_what_was_proven(self, message: Message) -> None:
        entries = [e for e in self.vendors.ledger if e.provider_message_id == message.provider_message_id]
        for entry in entries:
            proven = self.proven.get(entry.provider_message_id)
            assert proven is None or message.status.rank >= proven.rank, (
                f"{proven} was told, it is {message.status} (I4)"
            )

    @staticmethod
    def _one_of(things: list[Any], pick: int) -> Any:
        return things[pick % len(things)]


def _named_in(text: str) -> str:
    return text.partition("[")[2].partition("]")[0]


@covers("Q2", "Q3", "V9", "V10", "W1", "W2", "W3", "W5", "W6", "W9")
@covers("I1", "I2", "I3", "I4", "I5", "I7", "I8", "I11", "I12", "E1", "E2", "L4")
def test_whatever_happens_nothing_is_sent_twice_forgotten_or_told() -> None:
    profile = settings(
        max_examples=200,
        stateful_step_count=40,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )

    run_state_machine_as_test(Application, settings=profile)
