"""Outcomes that came with a record."""

import json
from typing import Any, Final

import pytest

from sampai.services.send.carried_outcomes import CarriedOutcomes
from tests.fakes import START, InMemoryStore, RecordingQueue, RecordingTelemetry
from tests.harness.sending import new_batch


def not_taken(scope: str) -> dict[str, Any]:
    return {"not_taken": {"reason": "provider_error", "is_final": False, "scope": scope}}


OUTCOMES: Final = [
    ("taken", {"taken": {"provider_message_id": "v-1"}}, {"r-1"}),
    ("refused", not_taken("message"), {"r-1"}),
    ("no connection", not_taken("connection"), {"r-1"}),
    ("no call", not_taken("internal"), set()),
]


@pytest.mark.parametrize(("outcome", "comes_back"), [case[1:] for case in OUTCOMES], ids=[case[0] for case in OUTCOMES])
def test_outcome_of_a_call_waits_for_an_item_that_cannot_be_read(outcome: dict[str, Any], comes_back: set[str]) -> None:
    """After a call the message exists. Without one, the claim may never have been stored."""
    store, batch = InMemoryStore(), new_batch(json.dumps({"outcome_of": "m-1", "attempt_id": "a-1", **outcome}))
    store.unreadable["m-1"] = START

    CarriedOutcomes(messages=store, queue=RecordingQueue(), telemetry=RecordingTelemetry()).load(batch)

    assert (batch.items, batch.unfinished, batch.affected_by_outage) == ([], comes_back, comes_back)
