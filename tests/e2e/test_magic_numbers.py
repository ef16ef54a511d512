"""Every outcome at every vendor: the expected end, and at most one acceptance."""

from typing import Any

import pytest

from local.simulators.outcomes import OUTCOMES
from tests.e2e.conftest import MOVED, NEVER_TAKEN, NO_CREDIT, RECIPIENTS, Stack, end_of, fetch

Sent = dict[tuple[str, int], dict[str, Any]]


@pytest.mark.parametrize("vendor", RECIPIENTS)
@pytest.mark.parametrize("ending", [int(ending) for ending in OUTCOMES if int(ending) != NO_CREDIT])
def test_magic_number_has_the_end_of_its_table(local_stack: Stack, sent: Sent, vendor: str, ending: int) -> None:
    request = sent[vendor, ending]

    assert local_stack.status(request["message_id"]) == end_of(vendor, ending)
    assert len(local_stack.ledger(request)) == (0 if ending in NEVER_TAKEN | {21} else 1)


@pytest.mark.parametrize("vendor", RECIPIENTS)
def test_events_come_in_order_and_without_gaps(local_stack: Stack, sent: Sent, vendor: str) -> None:
    for (home, ending), request in sent.items():
        if home == vendor:
            events = local_stack.events_of(request["message_id"], until=end_of(vendor, ending))
            assert [e["sequence"] for e in events] == list(range(1, len(events) + 1))
            assert [e["previous_status"] for e in events] == [None, *(e["status"] for e in events[:-1])]
            assert {e["provider"] for e in events} == {vendor}


@pytest.mark.parametrize("vendor", RECIPIENTS)
def test_event_has_all_fields_except_the_number_and_the_text(local_stack: Stack, sent: Sent, vendor: str) -> None:
    request = sent[vendor, 10]

    event = local_stack.events_of(request["message_id"], until="delivered")[-1]

    assert event["metadata"] == {"order": "4711"}
    assert event["provider_message_id"] == local_stack.ledger(request)[0]["provider_message_id"]
    assert event["recipient"].endswith(request["recipient"][-3:])
    assert "*****" in event["recipient"]
    assert request["content"]["text"] not in str(event)


@pytest.mark.parametrize("vendor", RECIPIENTS)
def test_settings_choose_the_server_of_a_vendor(local_stack: Stack, sent: Sent, vendor: str) -> None:
    at_home, elsewhere = (fetch(f"{url}/_ledger?vendor={vendor}") for url in local_stack.ledgers)

    assert (at_home == [], elsewhere == []) == (vendor in MOVED, vendor not in MOVED)
