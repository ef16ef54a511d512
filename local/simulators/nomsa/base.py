"""The base of the two APIs of Nomsa. Each API has one channel, with its own path, fields and words.

Requests and responses follow the vendor's "Programmatic SMS API", "Programmatic Email API" and "API Response Formats".
Nomsa uses the JSON of Postman (opengovsg/postmangovsg); list parameters and error codes other than `rate_limit` are
taken from there.
"""

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

from local.simulators.http import Reply, Request
from local.simulators.ledger import Row
from local.simulators.lifecycles import Stage
from local.simulators.vendor import Route, Vendor, World

SORTABLE: Final = ("created_at", "updated_at")
COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "gt": lambda created, bound: created > bound,
    "gte": lambda created, bound: created >= bound,
    "lt": lambda created, bound: created < bound,
    "lte": lambda created, bound: created <= bound,
}


class NomsaApi(ABC):
    """One API of Nomsa: send, get by id, list."""

    channel: ClassVar[str]
    path: ClassVar[str]
    operations: ClassVar[tuple[str, str, str]]
    """The names under which sends, lists and look-ups are counted."""
    id_name: ClassVar[str]
    noun: ClassVar[str]
    status_words: ClassVar[tuple[str, ...]]
    list_parameters: ClassVar[frozenset[str]] = frozenset()
    """Parameters of the list that only this API has."""

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor

    @property
    def world(self) -> World:
        """The state that the simulated vendors share."""
        return self.vendor.world

    def routes(self) -> tuple[Route, ...]:
        """Return the operations of this API."""
        send, listing, get = self.operations
        return (
            Route("POST", f"{self.path}/send", send, self.send),
            Route("GET", self.path, listing, self._list),
            Route("GET", f"{self.path}/([^/]+)", get, self._get),
        )

    @abstractmethod
    def send(self, request: Request) -> Reply:
        """Answer a request to send."""

    @abstractmethod
    def show(self, row: Row, stage: Stage) -> dict[str, Any]:
        """Return the vendor's object for a row."""

    @abstractmethod
    def status(self, row: Row) -> str:
        """Return the vendor's present word for a row."""

    def matches(self, row: Row, parameters: Mapping[str, str]) -> bool:
        """Return whether the parameters that only this API has include a row."""
        return True

    def rows(self) -> list[Row]:
        """Return the rows of this API, oldest first."""
        return self._own(self.world.ledger.rows(self.vendor.name))

    def reached_at(self, row: Row, stage: Stage) -> float:
        """Return the time at which a row reached a stage."""
        settings = self.world.settings
        delays = {Stage.ACCEPTED: 0.0, Stage.SENT: settings.sent_seconds}
        if stage is Stage.DELIVERED and row.lifecycle.value == Stage.READ:
            delays[stage] = (settings.sent_seconds + settings.final_seconds) / 2
        return min(row.starts_at + delays.get(stage, settings.final_seconds), time.time())

    def _get(self, request: Request, message_id: str) -> Reply:
        if not re.fullmatch("[0-9]+", message_id):
            return error(400, "api_validation", f'"{self.id_name}" must be a number')
        row = self.world.ledger.find(self.vendor.name, message_id)
        if row is None or row.channel != self.channel:
            return error(404, "not_found", f"{self.noun} message with ID {message_id} not found.")
        return Reply.json(200, self.show(row, self.world.read_stage(row)))

    def _list(self, request: Request) -> Reply:
        try:
            query = ListQuery(request.parameters, words=self.status_words, others=self.list_parameters)
        except ValueError as complaint:
            return error(400, "api_validation", str(complaint))
        rows = [
            row
            for row in self._own(self.world.ledger.listed(self.vendor.name))
            if query.matches(row, self.status(row)) and self.matches(row, request.parameters)
        ]
        rows.sort(key=lambda row: (self._sort_key(row, query.sort_by), row.serial), reverse=not query.is_ascending)
        page = rows[query.offset : query.offset + query.limit]
        shown = [self.listed(self.show(row, self.world.read_stage(row)), request.parameters) for row in page]
        return Reply.json(200, {"has_more": len(rows) > query.offset + query.limit, "data": shown})

    def listed(self, shown: dict[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
        """Return an object as the list shows it."""
        return shown

    def _own(self, rows: Sequence[Row]) -> list[Row]:
        return [row for row in rows if row.channel == self.channel]

    def _sort_key(self, row: Row, sort_by: str) -> float:
        return row.created_at if sort_by == "created_at" else self.reached_at(row, self.world.stage(row))


class ListQuery:
    """The parameters of a list request. Raises ValueError with the vendor's text if they are invalid."""

    def __init__(self, parameters: dict[str, str], *, words: tuple[str, ...], others: frozenset[str]) -> None:
        self.limit = _integer(parameters, "limit", default=10, least=1, most=100)
        self.offset = _integer(parameters, "offset", default=0, least=0, most=None)
        self.status = parameters.get("status", "").upper()
        if self.status and self.status not in words:
            raise ValueError(f'"status" must be one of [{", ".join(words)}]')
        sort = parameters.get("sort_by", "created_at")
        # A "+" that is not encoded as %2B arrives as a space, and the list is then sorted in descending order.
        self.sort_by, self.is_ascending = sort.strip("+- "), "+" in sort
        if self.sort_by not in SORTABLE:
            raise ValueError('"sort_by" must be one of [created_at, updated_at]')
        self.bounds = [
            (compare, _moment(parameters[f"created_at[{word}]"]))
            for word, compare in COMPARISONS.items()
            if f"created_at[{word}]" in parameters
        ]
        known = {"limit", "offset", "status", "sort_by", *(f"created_at[{word}]" for word in COMPARISONS), *others}
        for name in parameters.keys() - known:
            raise ValueError(f'"{name}" is not allowed')

    def matches(self, row: Row, status: str) -> bool:
        """Return whether the list contains a row."""
        is_in_time = all(compare(row.created_at, bound) for compare, bound in self.bounds)
        return is_in_time and self.status in ("", status)


def error(status: int, code: str, message: str, **headers: str) -> Reply:
    """Build an error in the documented format."""
    return Reply.json(status, {"code": code, "message": message}, **headers)


def no_permission() -> Reply:
    """Build the refusal of an account without credit.

    Guess: no document mentions credit; 403 is "User doesn't have permission to perform the request".
    """
    return error(403, "unauthorized", "User doesn't have permission to perform the request.")


def complaint_about(fields: Any, *, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> str | None:
    """Return the vendor's complaint about the fields of a request, or None. Required fields are texts."""
    if not isinstance(fields, dict):
        return '"value" must be of type object'
    for name in required:
        if name not in fields:
            return f'"{name}" is required'
        if not isinstance(fields[name], str):
            return f'"{name}" must be a string'
        if not fields[name]:
            return f'"{name}" is not allowed to be empty'
    return next((f'"{name}" is not allowed' for name in fields if name not in (*required, *optional)), None)


def _integer(parameters: dict[str, str], name: str, *, default: int, least: int, most: int | None) -> int:
    text = parameters.get(name, str(default))
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError(f'"{name}" must be a number')
    value = int(text)
    if value < least or (most is not None and value > most):
        raise ValueError(f'"{name}" is out of range')
    return value


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError('"created_at" must be in ISO 8601 date format') from None
    if moment.tzinfo is None:
        raise ValueError('"created_at" must be in ISO 8601 date format')
    return moment.timestamp()
