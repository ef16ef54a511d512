"""Converts messages and correlations to DynamoDB items, and back."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from zlib import crc32

from sampai.adapters.dynamo import Item, to_ttl
from sampai.domain.failure import Failure, Reason
from sampai.domain.message import Category, Channel, Content, HistoryEntry, Media, Message, OnUnknown, Text
from sampai.domain.report import Report
from sampai.domain.status import Source, Status
from sampai.domain.template import Template, parse_parameters
from sampai.domain.times import from_text, to_text
from sampai.services.ports.correlations import Correlation

DUE_SHARDS: Final = 8
"""The partitions of the due index. More shards allow more writes per second; each one costs a query per run."""

RETENTION: Final = timedelta(days=90)
"""The lifetime of an item after the creation of its message, or after `send_at`."""

BUFFERED_REPORT_RETENTION: Final = timedelta(days=7)
"""The time that a buffered report waits for its message."""

_REPORT_PREFIX: Final = "report_"

_to_text: Final = lru_cache(maxsize=256)(to_text)
"""Cached, because the messages of a batch have most of their times in common."""


def due_shard_of(message_id: str) -> str:
    return str(crc32(message_id.encode()) % DUE_SHARDS)


def ttl_of(message: Message) -> Item:
    """Return the `ttl` of all items of a message."""
    return to_ttl(message.send_at or message.created_at, RETENTION)


def to_item(message: Message) -> Item:
    """Return the item of a message. A field without a value has no attribute."""
    texts = {
        "message_id": message.message_id,
        "status": message.status,
        "channel": message.channel,
        "category": message.category,
        "recipient": message.recipient,
        "room_id": message.room_id,
        "sender": message.sender,
        "provider": message.provider,
        "provider_message_id": message.provider_message_id,
        "provider_status": message.provider_status,
        "provider_options": json.dumps(message.provider_options) if message.provider_options else None,
        "on_unknown": message.on_unknown,
        "attempt_id": message.attempt_id,
        "fingerprint": message.fingerprint,
        "group": message.group,
        "due_shard": due_shard_of(message.message_id) if message.due_at else None,
    }
    times = {
        "send_at": message.send_at,
        "expires_at": message.expires_at,
        "attempted_at": message.attempted_at,
        "due_at": message.due_at,
        "created_at": message.created_at,
        "updated_at": message.updated_at,
        "occurred_at": message.occurred_at,
    }
    numbers = {
        "revision": message.revision,
        "sequence": message.sequence,
        "attempt": message.attempt,
        "lookups": message.lookups,
        "not_found_count": message.not_found_count,
    }
    item: Item = {name: {"S": str(value)} for name, value in texts.items() if value is not None}
    item |= {name: {"S": _to_text(value)} for name, value in times.items() if value is not None}
    item |= {name: {"N": str(value)} for name, value in numbers.items()}
    item["ttl"] = ttl_of(message)
    item["route"] = {"L": [{"S": name} for name in message.route]}
    item["metadata"] = {"M": {name: {"S": value} for name, value in message.metadata.items()}}
    item["history"] = {"L": [_to_history_entry(entry) for entry in message.history]}
    if message.content is not None:
        item["content"] = {"M": _to_content(message.content)}
    if message.audience:
        item["audience"] = {"L": [{"S": name} for name in message.audience]}
    if message.failure is not None:
        item["failure"] = {"M": _strings(_to_failure(message.failure))}
    return item


def from_item(item: Mapping[str, Any]) -> Message:
    """Return the message in an item of `to_item`."""

    def text(name: str) -> str | None:
        value = item.get(name)
        return None if value is None else str(value["S"])

    def time(name: str) -> datetime | None:
        value = item.get(name)
        return None if value is None else from_text(value["S"])

    def number(name: str) -> int:
        return int(item[name]["N"]) if name in item else 0

    options = text("provider_options")
    return Message(
        message_id=item["message_id"]["S"],
        status=Status(item["status"]["S"]),
        revision=number("revision"),
        sequence=number("sequence"),
        channel=Channel(item["channel"]["S"]),
        category=Category(item["category"]["S"]),
        recipient=text("recipient"),
        sender=text("sender"),
        audience=tuple(name["S"] for name in item["audience"]["L"]) if "audience" in item else (),
        room_id=text("room_id"),
        content=_from_content(item["content"]["M"]) if "content" in item else None,
        route=tuple(name["S"] for name in item["route"]["L"]),
        provider=text("provider"),
        provider_message_id=text("provider_message_id"),
        provider_status=text("provider_status"),
        provider_options=json.loads(options) if options else {},
        on_unknown=OnUnknown(item["on_unknown"]["S"]),
        send_at=time("send_at"),
        expires_at=time("expires_at"),
        metadata={name: value["S"] for name, value in item["metadata"]["M"].items()},
        attempt=number("attempt"),
        attempt_id=text("attempt_id"),
        attempted_at=time("attempted_at"),
        due_at=time("due_at"),
        lookups=number("lookups"),
        not_found_count=number("not_found_count"),
        failure=_from_failure(item["failure"]["M"]) if "failure" in item else None,
        group=text("group"),
        fingerprint=text("fingerprint"),
        created_at=from_text(item["created_at"]["S"]),
        updated_at=from_text(item["updated_at"]["S"]),
        occurred_at=from_text(item["occurred_at"]["S"]),
        history=tuple(_from_history_entry(entry["M"]) for entry in item["history"]["L"]),
    )


def _to_content(content: Content) -> Item:
    match content:
        case Text():
            return _strings({"type": "text", "text": content.text})
        case Media():
            fields = {
                "type": "media",
                "media_url": content.media_url,
                "media_key": content.media_key,
                "file_name": content.file_name,
                "caption": content.caption,
            }
            size = {} if content.size is None else {"size": {"N": str(content.size)}}
            return _strings(fields) | size
        case Template():
            return _strings(
                {
                    "type": "template",
                    "template_id": content.template_id,
                    "parameters": json.dumps(content.parameters.document()),
                    "recipient_name": content.recipient_name,
                }
            )


def _from_content(fields: Mapping[str, Any]) -> Content:
    texts = {name: value["S"] for name, value in fields.items() if "S" in value}
    match texts["type"]:
        case "media":
            return Media(
                media_url=texts.get("media_url"),
                media_key=texts.get("media_key"),
                file_name=texts.get("file_name"),
                size=int(fields["size"]["N"]) if "size" in fields else None,
                caption=texts.get("caption"),
            )
        case "template":
            return Template(
                template_id=texts["template_id"],
                parameters=parse_parameters(json.loads(texts["parameters"])),
                recipient_name=texts.get("recipient_name"),
            )
    return Text(text=texts["text"])


def to_report_attribute(report: Report) -> tuple[str, Item]:
    """Return the attribute name and value of a buffered report.

    There is one attribute for each status, and one for all unknown words. So repeated reports need no more space, and
    no report with a status is lost.
    """
    fields = {
        "provider_message_id": report.provider_message_id,
        "provider_status": report.provider_status,
        "status": report.status,
        "reference": report.reference,
        "reason": report.reason,
        "provider_code": report.provider_code,
        "occurred_at": to_text(report.occurred_at) if report.occurred_at else None,
    }
    return f"{_REPORT_PREFIX}{report.status or 'other'}", {"M": _strings(fields)}


def to_correlation(item: Mapping[str, Any]) -> Correlation:
    """Return the correlation in an item."""
    owner = item.get("message_id")
    buffered = [value["M"] for name, value in sorted(item.items()) if name.startswith(_REPORT_PREFIX)]
    return Correlation(
        key=item["correlation_key"]["S"],
        message_id=owner["S"] if owner else None,
        attempt=int(item["attempt"]["N"]) if "attempt" in item else None,
        is_reused="reused_by" in item,
        reports=tuple(_from_report(fields) for fields in buffered),
    )


def _from_report(fields: Mapping[str, Any]) -> Report:
    values = {name: value["S"] for name, value in fields.items()}
    return Report(
        provider_message_id=values["provider_message_id"],
        provider_status=values["provider_status"],
        status=Status(values["status"]) if "status" in values else None,
        reference=values.get("reference"),
        reason=Reason(values["reason"]) if "reason" in values else None,
        provider_code=values.get("provider_code"),
        occurred_at=from_text(values["occurred_at"]) if "occurred_at" in values else None,
    )


def _to_history_entry(entry: HistoryEntry) -> Item:
    return {"M": _strings({"status": entry.status, "at": _to_text(entry.at), "source": entry.source})}


def _from_history_entry(fields: Mapping[str, Any]) -> HistoryEntry:
    return HistoryEntry(
        status=Status(fields["status"]["S"]), at=from_text(fields["at"]["S"]), source=Source(fields["source"]["S"])
    )


def _to_failure(failure: Failure) -> dict[str, str | None]:
    return {"reason": failure.reason, "provider_code": failure.provider_code, "detail": failure.detail}


def _from_failure(fields: Mapping[str, Any]) -> Failure:
    values = {name: value["S"] for name, value in fields.items()}
    return Failure(
        reason=Reason(values["reason"]), provider_code=values.get("provider_code"), detail=values.get("detail")
    )


def _strings(fields: Mapping[str, str | None]) -> Item:
    return {name: {"S": str(value)} for name, value in fields.items() if value is not None}
