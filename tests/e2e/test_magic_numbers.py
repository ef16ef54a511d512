"""Every outcome that a vendor can bring about, at every vendor: the right end, and at most one acceptance."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.simulators.outcomes import OUTCOMES
from tests.e2e.conftest import RECIPIENTS, Stack

VENDORS = tuple(RECIPIENTS)
CAN_BE_ASKED = {"nomsa", "smsnoc", "smspoh"}
"""Vendors that list what they took. Of NusaSMS nothing can be learned once the answer to a send is lost."""

LOST_ANSWERS = {15, 16, 18, 22, 25}
NEVER_TAKEN = {17, 19, 23}
SILENT, NO_CREDIT = 12, 24


def end_of(vendor: str, ending: int) -> str:
    """Return the final status that a magic number leads to."""
    if ending in NEVER_TAKEN or ending == SILENT or (ending in LOST_ANSWERS and vendor not in CAN_BE_ASKED):
        return "unconfirmed"
    return {11: "undelivered", 21: "failed", NO_CREDIT: "failed"}.get(ending, "delivered")


@pytest.fixture(scope="module")
def sent(local_stack: Stack) -> dict[tuple[str, int], dict[str, Any]]:
    """Every magic number once at every vendor; no credit last, because it puts its vendor out of order for a minute."""
    endings = [int(ending) for ending in OUTCOMES]
    requests = {(v, e): local_stack.request(v, e) for v in VENDORS for e in endings if e != NO_CREDIT}
    local_stack.put(*requests.values())
    local_stack.wait_for(*((r["message_id"], end_of(v, e)) for (v, e), r in requests.items()))
    soon = (datetime.now(UTC) + timedelta(seconds=30)).isoformat()
    poor = {(v, NO_CREDIT): local_stack.request(v, NO_CREDIT, expires_at=soon) for v in VENDORS}
    local_stack.put(*poor.values())
    local_stack.wait_for(*((r["message_id"], "failed") for r in poor.values()))
    return requests | poor


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("ending", [int(ending) for ending in OUTCOMES])
def test_a_magic_number_ends_as_its_table_says(
    local_stack: Stack, sent: dict[tuple[str, int], dict[str, Any]], vendor: str, ending: int
) -> None:
    request = sent[vendor, ending]

    item = local_stack.item(request["message_id"])
    assert item is not None
    assert item["status"]["S"] == end_of(vendor, ending)
    assert len(local_stack.ledger(request)) == (0 if ending in NEVER_TAKEN | {21, NO_CREDIT} else 1)


@pytest.mark.parametrize("vendor", VENDORS)
def test_events_come_in_order_and_without_gaps(
    local_stack: Stack, sent: dict[tuple[str, int], dict[str, Any]], vendor: str
) -> None:
    for (home, _), request in sent.items():
        if home == vendor:
            events = local_stack.events_of(request["message_id"])
            assert [e["sequence"] for e in events] == list(range(1, len(events) + 1))
            assert [e["previous_status"] for e in events[1:]] == [e["status"] for e in events[:-1]]
            assert events[-1]["status"] == local_stack.status(request["message_id"])
