"""What leaves the process, and what may: logs, output, events, answers, requests, exceptions, the text of objects."""

import logging
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from types import FrameType
from typing import Any, Final

from tests.canary.canaries import CANARIES, Canary, Kind, canaries_in
from tests.template import ROOT

VENDORS: Final = ("nomsa", "smsnoc", "smspoh", "nusasms")
_SENT: Final = frozenset({Kind.CONTENT, Kind.FILE, Kind.NUMBER, Kind.ENCRYPTION_KEY})

ALLOWED: Final[Mapping[str, frozenset[Kind]]] = {
    **{f"body to {vendor}": _SENT for vendor in VENDORS},
    "message that is not final, in its table": frozenset({Kind.CONTENT, Kind.NUMBER}),
    "repr of SendRequest": frozenset({Kind.MISPLACED}),  # as the name of a provider, or of a list
    "message that is final, in its table": frozenset({Kind.NUMBER}),
    "event Message Received": frozenset({Kind.INBOUND}),
}
"""Where a kind may stand by contract. Whatever is not named here is nowhere allowed."""

ALSO: Final[Mapping[str, frozenset[str]]] = {
    "body to nusasms": frozenset({"nusasms user", "nusasms password"}),
    "body to smspoh": frozenset({"first smspoh token"}),  # in the address that the receipt comes to
    **{f"headers to {c.vendor}": frozenset() for c in CANARIES.values() if c.vendor},
}


def _may(canary: Canary, place: str) -> bool:
    is_own_header = place == f"headers to {canary.vendor}"
    return is_own_header or canary.kind in ALLOWED.get(place, ()) or canary.name in ALSO.get(place, ())


class Outside:
    """Everything that somebody else may read, with the place where it stands."""

    def __init__(self) -> None:
        self._outcome_fields: dict[str, dict[str, None]] = {}

    def wake_up(self, place: str, text: str) -> None:
        self._outcome_fields.setdefault(place, {})[text] = None

    def note_exception(self, place: str, error: BaseException) -> None:
        self.wake_up(place, f"{error!s}\n{error!r}\n{''.join(traceback.format_exception(error))}")

    def leaks(self) -> list[str]:
        """Return what stands where it must not, as `canary: place`."""
        found = {(name, place) for place in self._outcome_fields for name in canaries_in(self.text(place))}
        return sorted(f"{name}: {place}" for name, place in found if not _may(CANARIES[name], place))

    def places(self) -> set[str]:
        return set(self._outcome_fields)

    def text(self, place: str) -> str:
        return "\n".join(self._outcome_fields[place])


@contextmanager
def watching(outside: Outside) -> Iterator[None]:
    """Note what is logged, from DEBUG up, and printed, and every object and exception of ours that comes to be."""
    root, handler, spy = logging.getLogger(), _LogHandler(outside), _Spy()
    level, traces = root.level, (sys.gettrace(), threading.gettrace())
    stdout, stderr = StringIO(), StringIO()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    threading.settrace(spy)
    sys.settrace(spy)
    try:
        with redirect_stdout(stdout), redirect_stderr(stderr):
            yield
    finally:
        sys.settrace(traces[0])
        threading.settrace(traces[1])
        root.removeHandler(handler)
        root.setLevel(level)
        outside.wake_up("standard output", stdout.getvalue())
        outside.wake_up("standard error", stderr.getvalue())
        spy.tell(outside)


class _LogHandler(logging.Handler):
    """Notes a record with all that any formatter could make of it."""

    def __init__(self, outside: Outside) -> None:
        super().__init__(logging.DEBUG)
        self._outside = outside

    def emit(self, record: logging.LogRecord) -> None:
        self._outside.wake_up("log", f"{record.getMessage()}\n{vars(record)!r}")
        if record.exc_info and record.exc_info[1] is not None:
            self._outside.note_exception("log", record.exc_info[1])


class _Spy:
    """A trace function that keeps the objects of our types that go into our functions or come out of them.

    A log line could show any of them. Exceptions of libraries count where they leave a function or are logged.
    """

    _FILES: Final = (str(ROOT / "layers" / "sampai"), str(ROOT / "functions"))

    def __init__(self) -> None:
        self._objects: dict[int, object] = {}
        self._exceptions: dict[int, BaseException] = {}

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        if not frame.f_code.co_filename.startswith(self._FILES):
            return None
        frame.f_trace_lines = False
        self._keep(frame.f_locals.values())
        return self._inside

    def _inside(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "return":
            self._keep([arg])
        elif event == "exception" and _is_ours(arg[1]):
            self._exceptions[id(arg[1])] = arg[1]
        return self._inside

    def tell(self, outside: Outside) -> None:
        for kept in self._objects.values():
            for shown in {repr(kept), str(kept)}:
                outside.wake_up(f"repr of {type(kept).__name__}", shown)
        for error in self._exceptions.values():
            outside.note_exception("exception of ours", error)

    def _keep(self, values: Iterable[object]) -> None:
        for found in values:
            for kept in found if isinstance(found, list | tuple) else (found,):
                if _is_ours(kept):
                    self._objects[id(kept)] = kept


def _is_ours(thing: object) -> bool:
    # An Enum's members and texts such as Status are shown everywhere.
    return type(thing).__module__.startswith("sampai.") and not isinstance(thing, str)
