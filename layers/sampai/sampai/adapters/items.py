"""Converts messages and correlations to DynamoDB items, and back.

The next and the previous release may have written an item. An unknown word of either becomes a neutral value, a missing
optional attribute becomes its default, and only an item whose meaning is unknown cannot be read.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, TypeVar
from zlib import crc32

from sampai.adapters.dynamo import Item, to_ttl
from sampai.domain.caller import Caller
from sampai.domain.failure import Failure, Reason
from sampai.domain.message import (
    AttachedFile,
    Category,
    Channel,
    Content,
    Email,
    HistoryEntry,
    Media,
    Message,
    OnUnknown,
    Text,
    UnknownContent,
)
from sampai.domain.report import Report
from sampai.domain.segments import Encoding
from sampai.domain.status import Source, Status
from sampai.domain.template import Template, parse_parameters
from sampai.domain.times import from_text, to_text
from sampai.domain.words import is_known, word_of
from sampai.services.ports.correlations import Correlation
from sampai.services.ports.messages import DueFamily, due_family_of

SCHEMA_VERSION: Final = 1
"""Raise it when the meaning of an attribute changes. A new attribute or word needs no new version."""

DUE_SHARDS: Final = 8
"""The default partitions of the due index. More allow more writes per second; each one costs a query per run."""

RETENTION: Final = timedelta(days=90)
"""The default lifetime of an item after the later of `created_at` and `send_at` of its message."""

BUFFERED_REPORT_RETENTION: Final = timedelta(days=7)
"""The time that a buffered report waits for its message."""

_REPORT_PREFIX: Final = "report_"

Known = TypeVar("Known", Category, OnUnknown)

_to_text: Final = lru_cache(maxsize=256)(to_text)
"""Cached, because the messages of a batch have most of their times in common."""


class UnusableItemError(ValueError):
    """An item whose message this release must leave to a release that knows its words."""


_SHARD_PREFIXES: Final = {DueFamily.WAITING: "", DueFamily.CLAIMED: "claimed-", DueFamily.POLLED: "polled-"}
"""The first family has the names that the releases before the families gave to all shards."""


def due_shard_of(message: Message, shards: int = DUE_SHARDS) -> str:
    """Return the partition of the due index that a message belongs to."""
    return due_shard_name(due_family_of(message), crc32(message.message_id.encode()) % shards)


def due_shard_name(family: DueFamily, shard: int) -> str:
    return f"{_SHARD_PREFIXES[family]}{shard}"


def ttl_of(message: Message, retention: timedelta = RETENTION) -> Item:
    """Return the `ttl` of an item of a message: counted from the later of `created_at` and `send_at`.

    A `send_at` in the past means now. If the retention counted from it, the item could expire at once, and a repeated
    request would be sent again.
    """
    return to_ttl(max(message.created_at, message.send_at or message.created_at), retention)


def to_item(message: Message, *, retention: timedelta = RETENTION, due_shards: int = DUE_SHARDS) -> Item:
    """Return the item of a message. A field without a value has no attribute."""
    texts = {
        "message_id": message.message_id,
        "status": message.status,
        "channel": message.channel,
        "category": message.category,
        "recipient": message.recipient,
        "room_id": message.room_id,
        "sender": message.sender,
        "requested_provider": message.requested_provider,
        "provider": message.provider,
        "provider_message_id": message.provider_message_id,
        "provider_status": message.provider_status,
        "encoding": message.encoding,
        "cost": message.cost,
        "provider_options": json.dumps(message.provider_options) if message.provider_options else None,
        "on_unknown": message.on_unknown,
        "attempt_id": message.attempt_id,
        "lookup_error": message.lookup_error,
        "fingerprint": message.fingerprint,
        "group": message.group,
        **_to_caller(message.caller),
        "due_shard": due_shard_of(message, due_shards) if message.due_at else None,
    }
    times = {
        "send_at": message.send_at,
        "expires_at": message.expires_at,
        "attempted_at": message.attempted_at,
        "due_at": message.due_at,
        "held_since": message.held_since,
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
    if message.held_seconds:
        item["held_seconds"] = {"N": str(message.held_seconds)}
    if message.resends:
        item["resends"] = {"N": str(message.resends)}
    if message.lookup_errors:
        item["lookup_errors"] = {"N": str(message.lookup_errors)}
    if message.segments is not None:
        item["segments"] = {"N": str(message.segments)}
    item["schema_version"] = {"N": str(SCHEMA_VERSION)}
    item["ttl"] = ttl_of(message, retention)
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


def from_usable_item(item: Mapping[str, Any]) -> Message:
    """Return the message in an item. Raise UnusableItemError if this release could harm it, or as `from_item` does.

    That is an open message on an unknown channel, and a message that waits to be sent with an unknown content.
    """
    message = from_item(item)
    is_waiting = message.status in (Status.SCHEDULED, Status.QUEUED)
    if not message.status.is_final and not is_known(message.channel):
        raise UnusableItemError("unknown channel")
    if is_waiting and isinstance(message.content, UnknownContent):
        raise UnusableItemError("unknown content")
    return message


def from_item(item: Mapping[str, Any]) -> Message:
    """Return the message in an item of `to_item`, also of one that the next or the previous release wrote.

    Raises an exception of any type if the item cannot be read, for example because its status is unknown.
    """

    def text(name: str) -> str | None:
        value = item.get(name)
        return None if value is None else str(value["S"])

    def time(name: str) -> datetime | None:
        value = item.get(name)
        return None if value is None else from_text(value["S"])

    def number(name: str) -> int:
        return int(item[name]["N"]) if name in item else 0

    options, encoding = text("provider_options"), text("encoding")
    created_at = from_text(item["created_at"]["S"])
    updated_at = time("updated_at") or created_at
    return Message(
        message_id=item["message_id"]["S"],
        status=Status(item["status"]["S"]),
        revision=number("revision"),
        sequence=number("sequence"),
        channel=word_of(Channel, text("channel") or Channel.SMS),
        category=_known_or(Category.TRANSACTIONAL, text("category")),
        recipient=text("recipient"),
        sender=text("sender"),
        audience=tuple(name["S"] for name in item["audience"]["L"]) if "audience" in item else (),
        room_id=text("room_id"),
        content=_from_content(item["content"]["M"]) if "content" in item else None,
        segments=number("segments") if "segments" in item else None,
        encoding=word_of(Encoding, encoding) if encoding else None,
        route=tuple(name["S"] for name in item["route"]["L"]) if "route" in item else (),
        requested_provider=text("requested_provider"),
        provider=text("provider"),
        provider_message_id=text("provider_message_id"),
        provider_status=text("provider_status"),
        cost=text("cost"),
        provider_options=json.loads(options) if options else {},
        on_unknown=_known_or(OnUnknown.HOLD, text("on_unknown")),
        send_at=time("send_at"),
        expires_at=time("expires_at"),
        metadata={name: value["S"] for name, value in item["metadata"]["M"].items()} if "metadata" in item else {},
        attempt=number("attempt"),
        attempt_id=text("attempt_id"),
        attempted_at=time("attempted_at"),
        due_at=time("due_at"),
        held_since=time("held_since"),
        held_seconds=number("held_seconds"),
        lookups=number("lookups"),
        not_found_count=number("not_found_count"),
        resends=number("resends"),
        lookup_error=text("lookup_error"),
        lookup_errors=number("lookup_errors"),
        failure=_from_failure(item["failure"]["M"]) if "failure" in item else None,
        group=text("group"),
        caller=_from_caller(text("caller"), text("caller_id")),
        fingerprint=text("fingerprint"),
        created_at=created_at,
        updated_at=updated_at,
        occurred_at=time("occurred_at") or updated_at,
        history=tuple(_from_history_entry(entry["M"]) for entry in item["history"]["L"]) if "history" in item else (),
    )


def _known_or(default: Known, text: str | None) -> Known:
    """Return the word of a text, or the default for a missing or unknown one."""
    return next((word for word in type(default) if word == text), default)


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
        case Email():
            texts = {
                "type": "email",
                "subject": content.subject,
                "body": content.body,
                "reply_to": content.reply_to,
                "media_key": content.media_key,
            }
            copies = {"cc": content.cc, "bcc": content.bcc}
            lists = {name: {"L": [{"S": address} for address in copy]} for name, copy in copies.items() if copy}
            files = [{"M": {"file_name": {"S": f.file_name}, "size": {"N": str(f.size)}}} for f in content.files]
            return _strings(texts) | lists | ({"files": {"L": files}} if files else {})
        case UnknownContent():
            return dict(content.stored)


def _from_content(fields: Mapping[str, Any]) -> Content:
    texts = {name: value["S"] for name, value in fields.items() if "S" in value}
    match texts.get("type"):
        case "text":
            return Text(text=texts["text"])
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
        case "email":
            return Email(
                subject=texts["subject"],
                body=texts["body"],
                reply_to=texts.get("reply_to"),
                cc=_from_list(fields.get("cc")),
                bcc=_from_list(fields.get("bcc")),
                files=tuple(
                    AttachedFile(file_name=file["M"]["file_name"]["S"], size=int(file["M"]["size"]["N"]))
                    for file in fields.get("files", {"L": []})["L"]
                ),
                media_key=texts.get("media_key"),
            )
    return UnknownContent(stored=dict(fields))


def _from_list(value: Mapping[str, Any] | None) -> tuple[str, ...]:
    return () if value is None else tuple(entry["S"] for entry in value["L"])


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
        "cost": report.cost,
    }
    return f"{_REPORT_PREFIX}{report.status or 'other'}", {"M": _strings(fields)}


def to_correlation(
    item: Mapping[str, Any], read_report: Callable[[Mapping[str, Any]], Report | None] | None = None
) -> Correlation:
    """Return the correlation in an item, without the reports for which `read_report` returns None."""
    owner = item.get("message_id")
    buffered = [value.get("M", {}) for name, value in sorted(item.items()) if name.startswith(_REPORT_PREFIX)]
    reports = [(read_report or from_report)(fields) for fields in buffered]
    return Correlation(
        key=item["correlation_key"]["S"],
        message_id=owner["S"] if owner else None,
        attempt=int(item["attempt"]["N"]) if "attempt" in item else None,
        is_reused="reused_by" in item,
        reports=tuple(report for report in reports if report is not None),
    )


def from_report(fields: Mapping[str, Any]) -> Report:
    """Return a buffered report. One with an unknown status remains as evidence and changes no status."""
    values = {name: value["S"] for name, value in fields.items() if "S" in value}
    return Report(
        provider_message_id=values["provider_message_id"],
        provider_status=values["provider_status"],
        status=next((status for status in Status if status == values.get("status")), None),
        reference=values.get("reference"),
        reason=word_of(Reason, values["reason"]) if "reason" in values else None,
        provider_code=values.get("provider_code"),
        occurred_at=from_text(values["occurred_at"]) if "occurred_at" in values else None,
        cost=values.get("cost"),
    )


def _to_history_entry(entry: HistoryEntry) -> Item:
    return {"M": _strings({"status": entry.status, "at": _to_text(entry.at), "source": entry.source})}


def _from_history_entry(fields: Mapping[str, Any]) -> HistoryEntry:
    return HistoryEntry(
        status=word_of(Status, fields["status"]["S"]),
        at=from_text(fields["at"]["S"]),
        source=word_of(Source, fields["source"]["S"]),
    )


def _to_caller(caller: Caller | None) -> dict[str, str | None]:
    """Return the attributes of a caller. The name of most is their id, which is not stored twice."""
    if caller is None:
        return {}
    return {"caller": caller.name, "caller_id": None if caller.name == caller.id else caller.id}


def _from_caller(name: str | None, caller_id: str | None) -> Caller | None:
    return None if name is None else Caller(id=caller_id or name, name=name)


def _to_failure(failure: Failure) -> dict[str, str | None]:
    return {"reason": failure.reason, "provider_code": failure.provider_code, "detail": failure.detail}


def _from_failure(fields: Mapping[str, Any]) -> Failure:
    values = {name: value["S"] for name, value in fields.items() if "S" in value}
    return Failure(
        reason=word_of(Reason, values["reason"]), provider_code=values.get("provider_code"), detail=values.get("detail")
    )


def _strings(fields: Mapping[str, str | None]) -> Item:
    return {name: {"S": str(value)} for name, value in fields.items() if value is not None}
