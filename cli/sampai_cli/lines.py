"""Events and times as lines for a person. No line has a full number or a text."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from rich.text import Text

from sampai.domain.recipient import mask
from sampai.domain.times import from_text
from sampai_cli.errors import InputError
from sampai_cli.run import Run

STYLES: Final = {
    "delivered": "green",
    "read": "green",
    "accepted": "cyan",
    "sent": "cyan",
    "unknown": "yellow",
    "unconfirmed": "yellow",
    "failed": "red",
    "undelivered": "red",
}
_SPAN: Final = re.compile(r"(?P<count>[1-9][0-9]{0,4})(?P<unit>[smhd])", re.ASCII)
_SPAN_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_UNITS: Final = {"d": 86_400, "h": 3600, "min": 60}


def since(text: str, *, now: datetime) -> datetime:
    """Return the instant that `2h`, `3d` or an RFC 3339 time stands for. Raises InputError."""
    if found := _SPAN.fullmatch(text):
        return now - timedelta(**{_SPAN_UNITS[found["unit"]]: int(found["count"])})
    try:
        return _aware(datetime.fromisoformat(text))
    except ValueError:
        raise InputError(
            f"{text[:40]!r} is no time. Use 30m, 2h, 3d, or an RFC 3339 time such as 2026-11-21T10:00:00Z."
        ) from None


def duration(seconds: float | None) -> str:
    """Return a time in a short form, on one line: `0.35 s`, `2.5 min`."""
    if seconds is None:
        return "–"
    unit, size = next(((unit, size) for unit, size in _UNITS.items() if seconds >= 2 * size), ("s", 1))
    shown = f"{seconds / size:.2f}" if seconds < 10 else f"{seconds / size:.1f}"
    return f"{shown.rstrip('0').rstrip('.')}\N{NO-BREAK SPACE}{unit}"


def _aware(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("without a zone")
    return instant


def masked_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event without the number and the text of an inbound message, and without metadata.

    The event of a status has the masked recipient by itself.
    """
    detail = dict(event["detail"])
    for name in ("sender", "recipient"):
        if isinstance(detail.get(name), str) and "*" not in detail[name]:
            detail[name] = mask(detail[name])
    if "text" in detail:
        detail["text"] = f"({len(detail['text'])} characters)"
    if "metadata" in detail:
        detail["metadata"] = sorted(detail["metadata"])
    return {"detail-type": event["detail-type"], "detail": detail}


def show_event(run: Run, event: Mapping[str, Any]) -> None:
    """Print an event: a line for a person, or a line of JSON."""
    if run.as_json:
        run.print_line(masked_event(event))
    else:
        run.out.print(event_line(event), soft_wrap=True)


def event_line(event: Mapping[str, Any]) -> Text:
    """Return an event on one line."""
    masked = masked_event(event)["detail"]
    match event["detail-type"]:
        case "Message Status Changed":
            failure = masked.get("failure") or {}
            status = masked["status"]
            parts = [masked["message_id"], f"#{masked['sequence']}", status]
            by = " ".join(filter(None, ["by", masked["source"], masked.get("provider") and f"({masked['provider']})"]))
            why = ": ".join(filter(None, [failure.get("reason"), failure.get("detail")]))
            return Text.assemble(
                (f"{masked['occurred_at']}  ", "dim"),
                f"{' '.join(parts[:2])} ",
                (status, STYLES.get(status, "")),
                f" {by}",
                f": {why}" if why else "",
            )
        case "Message Received":
            where = f"{masked['provider']} {masked['channel']}"
            return Text(f"{masked['received_at']}  received from {masked['sender']} by {where} {masked['text']}")
    return Text(f"{masked.get('message_id')} rejected: {masked.get('reason')}: {masked.get('detail')}")


def age(text: str, *, now: datetime) -> str:
    """Return the time since an instant in a short form: `5m`."""
    seconds = max(0, int((now - from_text(text)).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
