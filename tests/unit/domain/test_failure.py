"""Every failure at a vendor has a detail with the next step of the caller."""

import pytest

from sampai.domain.failure import ACTIONS, Reason, detail_of_vendor
from sampai.domain.words import word_of

OURS = {Reason.UNSUPPORTED, Reason.OPTED_OUT}
"""Reasons that only Sampai itself gives, each with a detail of its own."""


def test_every_reason_of_a_vendor_has_an_action() -> None:
    assert ACTIONS.keys() == set(Reason) - OURS


@pytest.mark.parametrize(
    ("reason", "hint", "detail"),
    [
        (
            Reason.INVALID_SENDER,
            None,
            "sender: the vendor does not accept it, register it there or use another one",
        ),
        (
            Reason.INVALID_SENDER,
            "SENDER_NOT_SET",
            "sender: the vendor does not accept it, register it there or use another one (SENDER_NOT_SET)",
        ),
        (Reason.OPTED_OUT, "a hint", "a hint"),
        (word_of(Reason, "of another release"), None, None),
    ],
)
def test_detail_has_the_action_and_the_hint(reason: Reason, hint: str | None, detail: str | None) -> None:
    assert detail_of_vendor(reason, hint) == detail
