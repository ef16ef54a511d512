"""Every magic number at every vendor has the expected final status and at most one acceptance."""

from typing import Any

import pytest

from local.simulators.outcomes import OUTCOMES
from tests.e2e.conftest import NEVER_ACCEPTED, NO_CREDIT, RECIPIENTS, RELOCATED, Stack, fetch, final_status_of

Sent = dict[tuple[str, int], dict[str, Any]]


@pytest.mark.parametrize("vendor", RECIPIENTS)
@pytest.mark.parametrize("magic_number", [int(number) for number in OUTCOMES if int(number) != NO_CREDIT])
def test_a_magic_number_has_its_documented_final_status(
    local_stack: Stack, sent: Sent, vendor: str, magic_number: int
) -> None:
    request = sent[vendor, magic_number]

    assert local_stack.status(request["message_id"]) == final_status_of(vendor, magic_number)
    assert len(local_stack.ledger(request)) == (0 if magic_number in NEVER_ACCEPTED | {21} else 1)


@pytest.mark.parametrize("vendor", RECIPIENTS)
def test_events_come_in_order_and_without_gaps(local_stack: Stack, sent: Sent, vendor: str) -> None:
    for (home, magic_number), request in sent.items():
        if home == vendor:
            events = local_stack.events_of(request["message_id"], until=final_status_of(vendor, magic_number))
            assert [e["sequence"] for e in events] == list(range(1, len(events) + 1))
            assert [e["previous_status"] for e in events] == [None, *(e["status"] for e in events[:-1])]
            assert {e["provider"] for e in events} == {vendor}


@pytest.mark.parametrize("vendor", RECIPIENTS)
def test_an_event_omits_the_number_and_the_text(local_stack: Stack, sent: Sent, vendor: str) -> None:
    request = sent[vendor, 10]

    event = local_stack.events_of(request["message_id"], until="delivered")[-1]

    assert event["metadata"] == {"order": "4711"}
    assert event["provider_message_id"] == local_stack.ledger(request)[0]["provider_message_id"]
    assert event["recipient"].endswith(request["recipient"][-3:])
    assert "*****" in event["recipient"]
    assert request["content"]["text"] not in str(event)


@pytest.mark.parametrize("vendor", RECIPIENTS)
def test_the_settings_select_the_server_of_a_vendor(local_stack: Stack, sent: Sent, vendor: str) -> None:
    local, relocated = (fetch(f"{url}/_ledger?vendor={vendor}") for url in local_stack.ledgers)

    assert (local == [], relocated == []) == (vendor in RELOCATED, vendor not in RELOCATED)
