"""Requests from a CSV file: a header with names of fields, and one request on each row."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sampai_cli.errors import InputError, read_text
from sampai_client.client import check_body, to_body

FIELDS: Final = frozenset(
    "message_id channel recipient room_id sender text category provider send_at expires_at on_unknown".split()
)
METADATA: Final = "metadata."
"""Begins the columns of metadata: `metadata.order`."""

_UNFIT: Final = re.compile(r"[^A-Za-z0-9._:-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    number: int
    """Its row in a spreadsheet: the header is row 1."""
    request: Mapping[str, Any]


def read_rows(file: Path, *, prefix: str | None, defaults: Mapping[str, Any], now: datetime) -> list[Row]:
    """Return the requests of a file.

    A row without a `message_id` gets `prefix`, or the name of the file, and its number: the same file gives the same
    ids. Raises InputError, which names every bad row with the field and the rule, and OSError.
    """
    rows, wrong, seen = [], [], dict[str, int]()
    prefix = _UNFIT.sub("-", prefix or file.stem).strip("-._:")[:50] or "csv"
    for number, cells in _read_cells(file):
        request = _request(cells, defaults)
        request.setdefault("message_id", f"{prefix}-{number}")
        rows.append(Row(number=number, request=request))
        detail = check_body(to_body(request), now=now) or _repeated(request["message_id"], seen, number)
        if detail is not None:
            wrong.append(f"row {number}: {detail}")
    if wrong:
        raise InputError(
            f"{len(wrong)} of {len(rows)} rows of {file.name} are wrong, and nothing was sent. "
            "Correct them, and repeat the command.\n" + "\n".join(wrong)
        )
    if not rows:
        raise InputError(f"{file.name} has no rows below its header.")
    return rows


def _read_cells(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the cells of each row by the name of their column; empty cells and rows are left out."""
    text = read_text(file)
    header_line = text.partition("\n")[0]
    # Spreadsheets write semicolons where a comma separates the decimals.
    delimiter = ";" if header_line.count(";") > header_line.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = [name.strip() for name in next(reader, [])]
    _check_header(file, header)
    for number, cells in enumerate(reader, start=2):
        if len(cells) > len(header):
            raise InputError(
                f"Row {number} of {file.name} has {len(cells)} cells and the header {len(header)}. "
                "Put a text with a comma in quotes. Nothing was sent."
            )
        named = {name: cell for name, cell in zip(header, cells, strict=False) if cell.strip()}
        if named:
            yield number, named


def _check_header(file: Path, header: list[str]) -> None:
    unknown = [name for name in header if name not in FIELDS and not name.startswith(METADATA)]
    if unknown or len(set(header)) < len(header):
        known = ", ".join(sorted(FIELDS))
        cause = f"an unknown column {unknown[0][:40]!r}" if unknown else "a column twice"
        raise InputError(f"{file.name} has {cause} in its header. Columns are {known} and metadata.KEY.")


def _request(cells: Mapping[str, str], defaults: Mapping[str, Any]) -> dict[str, Any]:
    request: dict[str, Any] = {**defaults, **{name: cell for name, cell in cells.items() if name in FIELDS}}
    text = request.pop("text", None)
    if text is not None:
        request["content"] = {"type": "text", "text": text}
    metadata = {name.removeprefix(METADATA): cell for name, cell in cells.items() if name.startswith(METADATA)}
    return request | ({"metadata": metadata} if metadata else {})


def _repeated(message_id: str, seen: dict[str, int], number: int) -> str | None:
    """Return the objection to an id that an earlier row has, or None."""
    first = seen.setdefault(message_id, number)
    return None if first == number else f"message_id: the same as in row {first}"
