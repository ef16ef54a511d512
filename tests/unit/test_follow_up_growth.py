"""What a run of follow_up asks for depends on the messages that are due, not on those in flight."""

from collections.abc import Collection
from datetime import datetime, timedelta

from benchmarks.growth import accepted_message
from sampai.domain.message import Message
from sampai.services.follow_up.service import FollowUpService
from sampai.services.ports.correlations import Correlation
from tests.fakes import InlinePool, InMemoryStore
from tests.harness.application import House, nomsa_list

DUE = 250


class CountingStore(InMemoryStore):
    """Keeps what it was asked for, and how much of it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, int, int]] = []
        """What, how much was asked for at most, how much was found."""

    def due(self, now: datetime, limit: int) -> list[str]:
        found = super().due(now, limit)
        self.asked.append(("due", limit, len(found)))
        return found

    def read(self, message_ids: Collection[str]) -> dict[str, Message]:
        found = super().read(message_ids)
        self.asked.append(("messages", len(message_ids), len(found)))
        return found

    def correlations(self, keys: Collection[str]) -> dict[str, Correlation]:
        found = super().find_correlations(keys)
        self.asked.append(("correlations", len(keys), len(found)))
        return found


def _run(in_flight: int) -> tuple[list[tuple[str, int, int]], list[int], int]:
    """Return what the store was asked for, how many writes each commit held, and how often the vendor was asked."""
    house, store = House(nomsa_list()), CountingStore()
    now = house.clock()
    messages = [
        *(accepted_message(f"due-{n}", "nomsa", at=now - timedelta(seconds=n), due_at=now) for n in range(DUE)),
        *(
            accepted_message(f"flight-{n}", "nomsa", at=now, due_at=now + timedelta(seconds=1 + n))
            for n in range(in_flight)
        ),
    ]
    store.messages = {message.message_id: message for message in messages}
    follower = FollowUpService(
        messages=store,
        correlations=store,
        queue=house.queue,
        transport=house.transport,
        settings=house.settings,
        secret=house.secret,
        clock=house.clock,
        telemetry=house.telemetry,
        webhook_base_url="https://hooks.example.net",
        new_pool=InlinePool,
    )

    assert follower.run(remaining=lambda: 50.0) == DUE

    return store.asked, [len(writes) for writes in store.commits], len(house.transport.requests)


def test_a_run_asks_for_no_more_with_ten_thousand_in_flight_than_with_ten() -> None:
    assert _run(10_000) == _run(10)
