"""Reads a stack for the pages: within limits, and once for all open tabs."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from threading import Lock
from typing import Any, Final, Generic, TypeVar

from rich.console import Console

from sampai.adapters.dynamo import Item
from sampai.services.ports.attempts import AttemptRecord
from sampai_cli import figures
from sampai_cli.commands.story import read_attempts
from sampai_cli.dead_letters import body_of, held
from sampai_cli.dead_letters import row_of as row_of_letter
from sampai_cli.messages import STORED, Search, is_final, open_ids, read_item, read_items, row_of, text_of
from sampai_cli.run import Run, now
from sampai_cli.stack import Stack

MAX_MESSAGES: Final = 10_000
"""The most messages that the pages know: those with the latest change."""

MAX_UNITS: Final = 10_000
"""Where the console stops to read the table by default: about 80 MB."""

UNITS_PER_SECOND: Final = 100.0
"""The most read units per second, on average, for the table and as many for the index: together $0.10 per hour."""

MAX_FOLLOWED: Final = 200
"""The most messages that are read again between two reads of the table."""

FRESH_SECONDS: Final = 2.0
LETTERS_SECONDS: Final = 5.0
"""How long what was read serves all tabs. While letters are read, other readers do not see them."""

RECOVERY_SECONDS: Final = 15.0
"""The least time between two look-ups of the stack after errors."""

MAX_LETTERS: Final = 100

FIELDS: Final = tuple(dict.fromkeys([*STORED, *figures.STORED]))
"""The attributes that the pages need. They have no text and no number."""

Clock = Callable[[], float]
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The messages with the latest change first, as items with the attributes of `FIELDS` and as rows of a list."""

    items: Sequence[Item]
    rows: Sequence[Mapping[str, Any]]
    is_complete: bool
    """Whether the table was read to its end."""
    every_seconds: float
    """How often the whole table is read."""


class Cached(Generic[Value]):
    """A value that is read again when it is older than some seconds, by one thread at a time."""

    def __init__(self, read: Callable[[], Value], *, seconds: float, clock: Clock) -> None:
        self._read = read
        self._seconds = seconds
        self._clock = clock
        self._lock = Lock()
        self._cached: tuple[float, Value] | None = None

    def get(self) -> Value:
        """Return the value. Raises the errors of its read, which is tried again the next time."""
        with self._lock:
            if self._cached is None or self._clock() - self._cached[0] >= self._seconds:
                self._cached = None
                value = self._read()
                self._cached = (self._clock(), value)
            return self._cached[1]


class Reader:
    """Reads of a stack, which is looked up again after an error: it may have come back, or the session is new."""

    def __init__(
        self, find: Callable[[], Stack], *, max_units: float = MAX_UNITS, clock: Clock = time.monotonic
    ) -> None:
        self._find = find
        self._max_units = max_units
        self._clock = clock
        self._begin()

    def recover(self) -> None:
        """Look the stack up again after an error, unless that was done a moment ago."""
        if self._clock() - self._began_at >= RECOVERY_SECONDS:
            self._begin()

    def _begin(self) -> None:
        self._began_at = self._clock()
        quiet = Console(quiet=True)  # a remark on the terminal, every few seconds, would help nobody
        run = self.run = Run(find=self._find, out=quiet, err=quiet)
        messages = Messages(run, max_units=self._max_units, clock=self._clock)
        self._messages = Cached(messages.read, seconds=FRESH_SECONDS, clock=self._clock)
        self._letters = Cached(lambda: read_letters(run), seconds=LETTERS_SECONDS, clock=self._clock)

    def messages(self) -> Snapshot:
        return self._messages.get()

    def letters(self) -> list[dict[str, Any]]:
        """Return the dead letters, each with its masked body."""
        return self._letters.get()

    def story(self, message_id: str) -> tuple[Item, list[AttemptRecord] | None] | None:
        """Return a message and its failed attempts, or None. Without the permission there are no attempts."""
        item = read_item(self.run, message_id)
        return None if item is None else (item, read_attempts(self.run, message_id))


def read_letters(run: Run) -> list[dict[str, Any]]:
    with held(run.client("sqs"), run.stack.output("DeadLetterQueueUrl"), limit=MAX_LETTERS) as letters:
        return [row_of_letter(letter, now=now()) | {"body": body_of(letter)} for letter in letters]


class Messages:
    """The messages with the latest change.

    The table has no index by time. It is read as a whole as often as the price allows. In between, the index of the
    messages that are not final tells which are new and which have ended. So only a message that begins and ends
    between two looks is seen later.
    """

    def __init__(self, run: Run, *, max_units: float, clock: Clock) -> None:
        self._run = run
        self._max_units = max_units
        self._clock = clock
        self._items: dict[str, Item] = {}
        self._is_complete = True
        self._every_seconds = 0.0
        self._scan_at = self._follow_at = -float("inf")

    def read(self) -> Snapshot:
        """Return the messages, after a look at the stack if its price allows one."""
        if self._clock() >= self._scan_at:
            self._scan()
        elif self._clock() >= self._follow_at:
            self._follow()
        items = nlargest(MAX_MESSAGES, self._items.values(), key=_changed_at)
        self._items = {item["message_id"]["S"]: item for item in items}
        return Snapshot(
            items=items,
            rows=[row_of(item) for item in items],
            is_complete=self._is_complete,
            every_seconds=max(self._every_seconds, FRESH_SECONDS),
        )

    def _scan(self) -> None:
        search = Search(run=self._run, max_units=self._max_units)
        items = nlargest(MAX_MESSAGES, search.scan(FIELDS), key=_changed_at)
        self._items = {item["message_id"]["S"]: item for item in items}
        self._is_complete = search.is_complete
        self._every_seconds = search.units / UNITS_PER_SECOND
        self._scan_at = self._clock() + self._every_seconds
        if not search.is_complete:
            self._follow()

    def _follow(self) -> None:
        search = Search(run=self._run, max_units=self._max_units)
        found = set(open_ids(search))
        open_before = {name for name, item in self._items.items() if not is_final(text_of(item, "status"))}
        latest = sorted(found & open_before, key=lambda name: _changed_at(self._items[name]), reverse=True)
        ids = [*sorted(open_before - found), *sorted(found - open_before), *latest][:MAX_FOLLOWED]
        for item in read_items(self._run, ids):
            self._items[item["message_id"]["S"]] = {name: item[name] for name in FIELDS if name in item}
        self._follow_at = self._clock() + (search.units + len(ids)) / UNITS_PER_SECOND


def _changed_at(item: Item) -> str:
    return text_of(item, "updated_at") or ""
