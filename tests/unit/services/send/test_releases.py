"""The release stage: claims without a call, whose answers were lost."""

import pytest

from sampai.domain.message import Message, accept, apply_report, mark_unknown
from sampai.domain.report import Report
from sampai.domain.status import Source, Status
from sampai.services.send.provider_calls import NO_TIME
from sampai.services.send.releases import Releases
from tests.fakes import START
from tests.unit.services.send.items import claimed, sending_item
from tests.unit.services.send.test_results import Stage

CLAIMED = claimed()
DELIVERED = Report(provider_message_id="v-0", status=Status.DELIVERED, provider_status="Success")
STORED: list[tuple[str, Message, Status, bool]] = [
    ("the claim", CLAIMED, Status.QUEUED, False),
    (
        "the claim after its lease",
        mark_unknown(CLAIMED, now=START, due_at=START, source=Source.SWEEP),
        Status.QUEUED,
        False,
    ),
    (
        "the claim, which a receipt of a former attempt has made accepted",
        accept(
            CLAIMED, provider_message_id="v-0", provider_status=None, now=START, due_at=START, source=Source.WEBHOOK
        ),
        Status.ACCEPTED,
        True,
    ),
    (
        "the claim, which a receipt of a former attempt has ended",
        apply_report(CLAIMED, DELIVERED, now=START, source=Source.WEBHOOK),
        Status.DELIVERED,
        True,
    ),
    ("the claim of another worker", claimed(attempt_id="a-2"), Status.SENDING, True),
]


@pytest.mark.parametrize(
    ("stored", "status", "comes_back"), [case[1:] for case in STORED], ids=[case[0] for case in STORED]
)
def test_claim_without_a_call_is_released_unless_the_message_has_moved_on(
    stored: Message, status: Status, comes_back: bool
) -> None:
    item = sending_item(outcome=NO_TIME)
    item.is_claim_confirmed = False
    stage = Stage(item)
    stage.store.messages["m-1"] = stored

    Releases(messages=stage.store, results=stage.results, sleep=stage.sleep).store(stage.batch)

    assert (stage.message().status, stage.message().content is None) == (status, status.rank >= Status.ACCEPTED.rank)
    assert (stage.batch.unfinished == {"r-1"}) is comes_back
