"""Batches within the limits of one call of AWS."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

MAX_BATCH_SIZE: Final = 10
"""The most entries in one call, of SQS and of EventBridge."""

T = TypeVar("T")


def batches_of(entries: Iterable[T]) -> Iterator[list[T]]:
    """Yield the entries in order, up to ten at a time."""
    rest = iter(entries)
    while batch := list(islice(rest, MAX_BATCH_SIZE)):
        yield batch


def batches_within(entries: Iterable[T], max_bytes: int, size_of: Callable[[T], int]) -> Iterator[list[T]]:
    """Yield the entries in order, up to ten and `max_bytes` at a time. A larger entry is alone in its batch."""
    batch: list[T] = []
    size = 0
    for entry in entries:
        more = size_of(entry)
        if batch and (len(batch) == MAX_BATCH_SIZE or size + more > max_bytes):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += more
    if batch:
        yield batch
