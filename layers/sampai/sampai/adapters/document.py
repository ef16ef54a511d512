"""A configuration document, read again every minute: one that is broken or out of reach never displaces a good one."""

from abc import ABC, abstractmethod
from datetime import datetime, timedelta
from typing import ClassVar, Final, Generic, TypeVar

from sampai.services.ports.runtime import Clock, UnavailableError
from sampai.services.ports.telemetry import Telemetry

MAX_AGE: Final = timedelta(seconds=60)

T = TypeVar("T")


class BrokenDocumentError(ValueError):
    """A document that cannot be used. The text is fit for the log: it holds no value."""


class Document(ABC, Generic[T]):
    """The last good reading of a document, at most a minute old while the document is good."""

    name: ClassVar[str]
    broken_metric: ClassVar[str]

    def __init__(self, *, clock: Clock, telemetry: Telemetry) -> None:
        self._clock = clock
        self._telemetry = telemetry
        self._good: T | None = None
        self._read_at: datetime | None = None

    def current(self) -> T:
        """Return the document. Raises UnavailableError if there never was a good one."""
        if self._good is None or self._is_stale(MAX_AGE):
            self._refresh()
        if self._good is None:
            raise UnavailableError(f"{self.name}: none that is good")
        return self._good

    @abstractmethod
    def _read(self) -> T:
        """Read the newest document. Raises UnavailableError or BrokenDocumentError."""

    def _read_older(self) -> T | None:
        """Return the newest good one of those before, where they are kept."""
        return None

    def _is_stale(self, age: timedelta) -> bool:
        # A clock that was set back must not keep a reading for ever.
        return self._read_at is None or not timedelta(0) <= self._clock() - self._read_at < age

    def _refresh(self) -> None:
        try:
            self._good = self._read()
        except UnavailableError:
            if self._good is None:
                raise
            self._telemetry.warning(f"{self.name} not refreshed")
        except BrokenDocumentError as error:
            self._telemetry.error(f"{self.name} broken", why=str(error))
            self._telemetry.count(self.broken_metric)
            if self._good is None:
                self._good = self._read_older()
        self._read_at = self._clock()
