"""Batches within the limits of one call of AWS."""

import pytest

from sampai.adapters.batches import batches_of, batches_within


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (10, [10]), (11, [10, 1]), (25, [10, 10, 5])])
def test_batch_has_up_to_ten_entries_in_order(count: int, sizes: list[int]) -> None:
    batches = list(batches_of(range(count)))

    assert [len(batch) for batch in batches] == sizes
    assert [entry for batch in batches for entry in batch] == list(range(count))


@pytest.mark.parametrize(
    ("entries", "batches"),
    [
        ([], []),
        ([40, 60], [[40, 60]]),
        ([40, 61], [[40], [61]]),
        ([40, 101, 40], [[40], [101], [40]]),
        ([1] * 11, [[1] * 10, [1]]),
    ],
)
def test_batch_keeps_to_the_bytes_of_a_call_unless_one_entry_exceeds_them(
    entries: list[int], batches: list[list[int]]
) -> None:
    assert list(batches_within(entries, 100, lambda size: size)) == batches
