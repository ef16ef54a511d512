"""The fake store and the real store give the same answers to the same operations: rows D2 to D5, I3, I6, I8."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any, Final

import pytest

from sampai.adapters.store import DynamoStore
from sampai.domain.failure import Failure, Reason
from sampai.domain.message import (
    Category,
    Channel,
    Media,
    Message,
    OnUnknown,
    Text,
    accept,
    apply_report,
    cancel,
    claim,
    defer,
    fail,
    mark_unconfirmed,
    mark_unknown,
    queue,
    requeue,
    schedule,
    schedule_poll,
)
from sampai.domain.report import Report
from sampai.domain.status import Source, Status
from sampai.domain.template import Template, parse_parameters
from sampai.services.ports.correlations import LinkCorrelation
from sampai.services.ports.messages import DueFamily, Insert, Replace, Write
from tests.covers import covers
from tests.emulator import Emulator
from tests.fakes import START, FixedClock, InMemoryStore, RecordingTelemetry

SEQUENCES: Final = 25
STEPS: Final = 45

IDS: Final = tuple(f"m-{n}" for n in range(30))
KEYS: Final = tuple(f"{provider}#{n}" for provider in ("nomsa", "smspoh") for n in range(4))
CONTENTS: Final = (
    None,
    Text(text="it's “1234”\n😀"),
    Media(media_key="m-1/ab", file_name="f.pdf", size=0, caption="'"),
    Template(template_id="t", parameters=parse_parameters(["Dara", "'"]), recipient_name="Dara"),
)
STATUSES: Final = (None, Status.ACCEPTED, Status.SENT, Status.DELIVERED, Status.UNDELIVERED, Status.READ)
LONG_AFTER: Final = START + timedelta(days=400)

Operation = Callable[[DynamoStore | InMemoryStore], Any]


class Script:
    """Makes operations as the services could: a change starts from any revision that was stored."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._versions: dict[str, list[Message]] = {}
        self._minutes = list(range(1, 3_000))
        random.shuffle(self._minutes)

    def next(self, store: InMemoryStore) -> tuple[str, Operation]:
        """Return an operation and its name; `store` is the present state."""
        for message in store.messages.values():
            versions = self._versions.setdefault(message.message_id, [])
            if message not in versions:
                versions.append(message)
        makes: Mapping[str, Callable[[], Operation]] = {
            "commit": self._commit,
            "read": self._read,
            "due": self._due,
            "find_correlations": self._correlations,
            "buffer_report": self._buffer_report,
            "claim": self._claim,
            "mark_reused": self._mark_reused,
        }
        name = self._random.choices(tuple(makes), weights=(6, 1, 1, 1, 2, 1, 1))[0]
        return name, makes[name]()

    def _commit(self) -> Operation:
        # The writes of a commit are independent: no two have the same key.
        ids = self._random.sample(IDS, self._random.choice((1, 1, 2, 5, 27)))
        writes: list[Write] = [self._write(message_id) for message_id in ids]
        writes += [
            LinkCorrelation(key=key, message_id=self._random.choice(IDS), attempt=self._random.choice((1, 2)))
            for key in self._random.sample(KEYS, self._random.choice((0, 0, 1, 3)))
        ]
        return lambda store: store.commit(writes)

    def _write(self, message_id: str) -> Write:
        versions = self._versions.get(message_id, [])
        if not versions or self._random.random() < 0.2:
            again = self._random.random() < 0.3 and versions
            return Insert(message=self._random.choice(versions) if again else self._new(message_id))
        is_stale = self._random.random() < 0.3
        before = self._random.choice(versions) if is_stale else versions[-1]
        return Replace(before=before, message=self._changed(before))

    def _new(self, message_id: str) -> Message:
        choose = self._random.choice
        draft = Message(
            message_id=message_id,
            status=Status.QUEUED,
            channel=choose(list(Channel)),
            category=choose(list(Category)),
            recipient=choose((None, "+85591234511")),
            audience=choose(((), ("one", "it's two"))),
            room_id=choose((None, "room-1")),
            sender=choose((None, "mcs-otp")),
            content=choose(CONTENTS),
            route=choose(((), ("nomsa",), ("nomsa", "smspoh"))),
            provider_options=choose(({}, {"smspoh": {"unicode": True}})),
            on_unknown=choose(list(OnUnknown)),
            send_at=choose((None, START)),
            expires_at=choose((None, START + timedelta(hours=1))),
            metadata=choose(({}, {"order": "47'11", "": ""})),
            fingerprint=choose((None, "f" * 64)),
            created_at=START,
            updated_at=START,
            occurred_at=START,
        )
        makes: Sequence[Callable[[Message], Message]] = (
            partial(schedule, now=START, due_at=self._instant()),
            partial(queue, now=START, due_at=self._instant()),
            partial(cancel, now=START),
            self._claimed,
            partial(fail, failure=Failure(reason=Reason.TOO_LONG, detail="x"), now=START, source=Source.SEND),
        )
        return choose(makes)(draft)

    def _changed(self, before: Message) -> Message:
        soon = self._instant()
        report = self._report()
        if before.status.is_final:
            return replace(apply_report(before, report, now=START, source=Source.POLL), revision=before.revision + 1)
        makes: Sequence[Callable[[Message], Message]] = (
            self._claimed,
            partial(defer, now=START, due_at=soon),
            partial(schedule_poll, now=START, due_at=soon, not_found=True),
            partial(mark_unknown, now=START, due_at=soon, source=Source.SWEEP),
            partial(cancel, now=START),
            partial(mark_unconfirmed, now=START),
            partial(requeue, route=("smspoh",), failure=None, now=START, due_at=soon, source=Source.SEND),
            partial(
                accept, provider_message_id="145", provider_status=None, now=START, due_at=soon, source=Source.SEND
            ),
            lambda message: replace(
                apply_report(message, report, now=START, source=Source.WEBHOOK), revision=message.revision + 1
            ),
        )
        return self._random.choice(makes)(before)

    def _claimed(self, message: Message) -> Message:
        attempt_id = f"a-{self._random.randrange(10**6)}"
        lease = self._instant() - START
        return claim(message, provider="nomsa", attempt_id=attempt_id, now=START, lease=lease)

    def _instant(self) -> datetime:
        """Return an instant at which no other message is due, because the order of two such messages is undefined."""
        return START + timedelta(minutes=self._minutes.pop())

    def _report(self) -> Report:
        status = self._random.choice(STATUSES)
        return Report(
            provider_message_id="145",
            status=status,
            provider_status=self._random.choice(("Sent", "?", "it's")),
            reference=self._random.choice((None, "m-1")),
            reason=self._random.choice((None, Reason.UNREACHABLE)),
            provider_code=self._random.choice((None, "7")),
            occurred_at=self._random.choice((None, START)),
        )

    def _read(self) -> Operation:
        ids = [*self._random.sample(IDS, 7), "nobody", IDS[0]]
        return lambda store: store.read(ids)

    def _correlations(self) -> Operation:
        keys = [*self._random.sample(KEYS, 3), "nomsa#nobody"]
        return lambda store: store.find_correlations(keys)

    def _due(self) -> Operation:
        now, limit = START + timedelta(minutes=self._random.randrange(3_000)), self._random.choice((1, 3, 200))
        family = self._random.choice(list(DueFamily))
        return lambda store: store.due(now, limit, family=family)

    def _buffer_report(self) -> Operation:
        key, report = self._random.choice(KEYS), self._report()
        return lambda store: store.buffer_report(key, report, START)

    def _claim(self) -> Operation:
        key, message_id = self._random.choice(KEYS), self._random.choice(IDS)
        attempt = self._random.choice((None, 1, 3))
        return lambda store: store.claim(key, message_id, attempt)

    def _mark_reused(self) -> Operation:
        key, message_id = self._random.choice(KEYS), self._random.choice(IDS)
        return lambda store: store.mark_reused(key, message_id)


def _dynamo(emulator: Emulator) -> DynamoStore:
    messages_table, correlations_table = emulator.new_tables()
    return DynamoStore(
        emulator.client("dynamodb"),
        messages_table=messages_table,
        correlations_table=correlations_table,
        clock=FixedClock(),
        telemetry=RecordingTelemetry(),
        sleep=lambda _: None,
    )


@covers("D2", "I6")
@pytest.mark.parametrize("number", range(SEQUENCES))
def test_the_fake_and_the_real_store_agree_in_every_answer(emulator: Emulator, number: int) -> None:
    fake, real = InMemoryStore(), _dynamo(emulator)
    script = Script(Random(number))  # noqa: S311 - no secret is made of it

    refused = 0
    for step in range(STEPS):
        name, operation = script.next(fake)
        expected = operation(fake)
        assert (step, name, operation(real)) == (step, name, expected)
        refused += sum(not written.done for written in expected) if name == "commit" else 0

    assert real.read(IDS) == fake.read(IDS)
    assert real.find_correlations(KEYS) == fake.find_correlations(KEYS)
    for family in DueFamily:
        assert real.due(LONG_AFTER, 500, family=family) == fake.due(LONG_AFTER, 500, family=family)
    assert len({message.status for message in fake.messages.values()}) > 5
    assert refused > 5
