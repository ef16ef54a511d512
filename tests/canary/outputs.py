"""Record all outputs of the process (logs, events, responses, requests, exceptions, reprs) and find leaks in them."""

import logging
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from types import FrameType
from typing import Any, Final

from tests.canary.canaries import CANARIES, Canary, Kind, find_canaries
from tests.template import ROOT

VENDORS: Final = ("nomsa", "smsnoc", "smspoh", "nusasms")
_SENT_TO_VENDORS: Final = frozenset({Kind.CONTENT, Kind.FILE, Kind.NUMBER, Kind.ENCRYPTION_KEY})

ALLOWED: Final[Mapping[str, frozenset[Kind]]] = {
    **{f"body to {vendor}": _SENT_TO_VENDORS for vendor in VENDORS},
    "URL at smspoh": frozenset({Kind.NUMBER}),  # the filter of its list
    "message that is not final, in its table": frozenset({Kind.CONTENT, Kind.NUMBER}),
    "repr of SendRequest": frozenset({Kind.MISPLACED}),  # as the name of a provider, or of a list
    "message that is final, in its table": frozenset({Kind.NUMBER}),
    "event Message Received": frozenset({Kind.INBOUND}),
}
"""The kinds that the contract allows in each place. Every other place must contain no canary."""

ALLOWED_NAMES: Final[Mapping[str, frozenset[str]]] = {
    "body to nusasms": frozenset({"nusasms user", "nusasms password"}),
    # A reply goes to the number that wrote last in its conversation.
    "message that is final, in its table": frozenset({"inbound number"}),
    "message that is not final, in its table": frozenset({"inbound number"}),
    "body to smspoh": frozenset({"first smspoh token"}),  # in the URL for receipts
    **{f"headers to {c.vendor}": frozenset() for c in CANARIES.values() if c.vendor},
}


def _is_allowed(canary: Canary, place: str) -> bool:
    is_own_header = place == f"headers to {canary.vendor}"
    return is_own_header or canary.kind in ALLOWED.get(place, ()) or canary.name in ALLOWED_NAMES.get(place, ())


class Outputs:
    """Every text that another party can read, by the place where it occurs."""

    def __init__(self) -> None:
        self._texts: dict[str, dict[str, None]] = {}

    def record(self, place: str, text: str) -> None:
        self._texts.setdefault(place, {})[text] = None

    def record_exception(self, place: str, error: BaseException) -> None:
        self.record(place, f"{error!s}\n{error!r}\n{''.join(traceback.format_exception(error))}")

    def leaks(self) -> list[str]:
        """Return the canaries in places that do not allow them, as `canary: place`."""
        found = {(name, place) for place in self._texts for name in find_canaries(self.text(place))}
        return sorted(f"{name}: {place}" for name, place in found if not _is_allowed(CANARIES[name], place))

    def places(self) -> set[str]:
        return set(self._texts)

    def text(self, place: str) -> str:
        return "\n".join(self._texts[place])


@contextmanager
def recording(outputs: Outputs) -> Iterator[None]:
    """Record logs from DEBUG up, standard output and error, and the objects and exceptions of our own types."""
    root, handler, objects = logging.getLogger(), _LogHandler(outputs), _ObjectRecorder()
    level, traces = root.level, (sys.gettrace(), threading.gettrace())
    stdout, stderr = StringIO(), StringIO()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    threading.settrace(objects)
    sys.settrace(objects)
    try:
        with redirect_stdout(stdout), redirect_stderr(stderr):
            yield
    finally:
        sys.settrace(traces[0])
        threading.settrace(traces[1])
        root.removeHandler(handler)
        root.setLevel(level)
        outputs.record("standard output", stdout.getvalue())
        outputs.record("standard error", stderr.getvalue())
        objects.record_outputs(outputs)


class _LogHandler(logging.Handler):
    """Records the message and all attributes of a log record, because a formatter can use any of them."""

    def __init__(self, outputs: Outputs) -> None:
        super().__init__(logging.DEBUG)
        self._outputs = outputs

    def emit(self, record: logging.LogRecord) -> None:
        self._outputs.record("log", f"{record.getMessage()}\n{vars(record)!r}")
        if record.exc_info and record.exc_info[1] is not None:
            self._outputs.record_exception("log", record.exc_info[1])


class _ObjectRecorder:
    """A trace function that collects the arguments and results of our functions that have a type of ours.

    A log line can contain any of them. Exceptions of libraries count if they leave a function or are logged.
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
        elif event == "exception" and _is_from_sampai(arg[1]):
            self._exceptions[id(arg[1])] = arg[1]
        return self._inside

    def record_outputs(self, outputs: Outputs) -> None:
        for kept in self._objects.values():
            for shown in {repr(kept), str(kept)}:
                outputs.record(f"repr of {type(kept).__name__}", shown)
        for error in self._exceptions.values():
            outputs.record_exception("exception of ours", error)

    def _keep(self, values: Iterable[object]) -> None:
        for found in values:
            for kept in found if isinstance(found, list | tuple) else (found,):
                if _is_from_sampai(kept):
                    self._objects[id(kept)] = kept


def _is_from_sampai(thing: object) -> bool:
    # Members of a string enum, such as Status, occur everywhere.
    return type(thing).__module__.startswith("sampai.") and not isinstance(thing, str)
