"""A configuration document that is read every minute. A broken or unavailable one never replaces a valid one."""

from abc import ABC, abstractmethod
from datetime import datetime, timedelta
from typing import ClassVar, Final, Generic, TypeVar

from sampai.services.ports.runtime import Clock, UnavailableError
from sampai.services.ports.telemetry import Telemetry

MAX_AGE: Final = timedelta(seconds=60)

T = TypeVar("T")


class BrokenDocumentError(ValueError):
    """The document is not valid. The text contains no value of the document, so it can be logged."""


class Document(ABC, Generic[T]):
    """The last valid version of a document. It is at most a minute old while the document remains valid."""

    name: ClassVar[str]
    broken_metric: ClassVar[str]

    def __init__(self, *, clock: Clock, telemetry: Telemetry) -> None:
        self._clock = clock
        self._telemetry = telemetry
        self._valid: T | None = None
        self._read_at: datetime | None = None

    def current(self) -> T:
        """Return the last valid document. Raise UnavailableError if there never was one."""
        if self._valid is None or self._is_stale(MAX_AGE):
            self._refresh()
        if self._valid is None:
            raise UnavailableError(f"{self.name}: no valid version")
        return self._valid

    @abstractmethod
    def _read(self) -> T:
        """Read the latest version. Raise UnavailableError or BrokenDocumentError."""

    def _read_older(self) -> T | None:
        """Return the latest valid version before the current one, or None if older versions are not available."""
        return None

    def _is_stale(self, age: timedelta) -> bool:
        # If the clock was set back, the age is negative, and the document counts as stale.
        return self._read_at is None or not timedelta(0) <= self._clock() - self._read_at < age

    def _refresh(self) -> None:
        try:
            self._valid = self._read()
        except UnavailableError:
            if self._valid is None:
                raise
            self._telemetry.warning(f"{self.name} not refreshed")
        except BrokenDocumentError as error:
            self._telemetry.error(f"{self.name} broken", why=str(error))
            self._telemetry.count(self.broken_metric)
            if self._valid is None:
                self._valid = self._read_older()
        self._read_at = self._clock()
