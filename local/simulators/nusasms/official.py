"""WhatsApp Official: a template to any number, a free reply within a day after the recipient's last message.

Fields, responses and callbacks follow the vendor's page, section "WhatsApp Official". Guesses: the status words of a
template, the format of its header and body in the list, the rules that parameters must match, the words of a receipt
other than `read`, and the HTTP status 400 with its texts for refusals other than an invalid body.
"""

import hashlib
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from local.simulators.http import Reply, Request
from local.simulators.inbound import DATE_LAYOUT, NUMBER, Callback, Inbound
from local.simulators.ledger import Row
from local.simulators.lifecycles import Stage
from local.simulators.nusasms import schema
from local.simulators.nusasms.base import JAKARTA, NusaSmsApi, jakarta, refused, succeeded
from local.simulators.nusasms.whatsapp import invalid_destination, no_credit
from local.simulators.outcomes import Refusal
from local.simulators.vendor import Entry, Refused, Route, Submission, Vendor, read_naive_local
from local.simulators.webhook_sender import Receipt

ROOT: Final = "/nusasms_api/1.0/wa_official"
WINDOW_SECONDS: Final = 24 * 3600
CHANNEL_ID: Final = "c0000000-0000-4000-8000-000000000001"
ORGANIZATION_ID: Final = "d0000000-0000-4000-8000-000000000001"
REPLY_TYPES: Final = ("audio", "document", "image", "text", "video", "voice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template of the account. `has_button`: the first button opens a URL that the send completes."""

    template_id: str
    name: str
    body: str
    category: str
    status: str = "APPROVED"
    header_format: str = ""
    has_button: bool = False

    @property
    def parameter_count(self) -> int:
        """The number of different placeholders such as `{{1}}` in the body."""
        return len(set(re.findall(r"\{\{[0-9]+\}\}", self.body)))

    def shown(self) -> dict[str, Any]:
        """Return the entry of the template list. The documented list has no buttons."""
        return {
            "id": self.template_id,
            "name": self.name,
            "header": {"format": self.header_format} if self.header_format else None,
            "body": self.body,
            "footer": None,
            "status": self.status,
            "category": self.category,
        }


ONE_PARAMETER: Final = Template(
    template_id="7e000000-0000-4000-8000-000000000001",
    name="otp_code",
    body="Your OTP code is {{1}}",
    category="AUTHENTICATION",
)
DOCUMENT: Final = Template(
    template_id="7e000000-0000-4000-8000-000000000002",
    name="invoice",
    body="Dear {{1}}, here is your invoice {{2}}",
    category="UTILITY",
    header_format="DOCUMENT",
    has_button=True,
)
PENDING: Final = Template(
    template_id="7e000000-0000-4000-8000-000000000003",
    name="holiday",
    body="Happy holidays, {{1}}",
    category="MARKETING",
    status="PENDING",
)
NO_PARAMETER: Final = Template(
    template_id="7e000000-0000-4000-8000-000000000004",
    name="welcome",
    body="Welcome",
    category="UTILITY",
)
TEMPLATES: Final = {template.template_id: template for template in (ONE_PARAMETER, DOCUMENT, PENDING, NO_PARAMETER)}
CHANNEL: Final = {
    "id": CHANNEL_ID,
    "webhook": None,
    "settings": None,
    "organization_id": ORGANIZATION_ID,
    "created_at": "2022-08-09T10:00:00",
}

_REQUIRED_TEXT: Final = schema.Field(schema.text, is_required=True)
_KEY: Final = schema.Field(schema.text_or_integer, is_required=True)
PARAMETERS: Final = schema.object_of(
    {
        "header": schema.Field(
            schema.object_of(
                {
                    "format": _REQUIRED_TEXT,
                    "params": schema.Field(
                        schema.list_of(schema.object_of({"key": _KEY, "value": _REQUIRED_TEXT})), is_required=True
                    ),
                }
            )
        ),
        "body": schema.Field(
            schema.list_of(schema.object_of({"key": _KEY, "value": _REQUIRED_TEXT, "value_text": _REQUIRED_TEXT}))
        ),
        "buttons": schema.Field(
            schema.list_of(schema.object_of({"index": _REQUIRED_TEXT, "type": _REQUIRED_TEXT, "value": _REQUIRED_TEXT}))
        ),
    }
)
BROADCAST: Final = schema.object_of(
    {
        "destination": _REQUIRED_TEXT,
        "destination_name": schema.Field(schema.full_text, is_required=True),
        "template_id": schema.Field(schema.uuid4, is_required=True),
        "channel_id": schema.Field(schema.uuid4, is_required=True),
        "parameters": schema.Field(PARAMETERS),
    }
)
REPLY: Final = schema.object_of(
    {
        "room_id": schema.Field(schema.uuid4, is_required=True),
        "type": schema.Field(schema.one_of(REPLY_TYPES)),
        "file_url": schema.Field(schema.url),
        "text": schema.Field(schema.text),
    }
)
STATUSES: Final = {
    Stage.ACCEPTED: "sent",
    Stage.SENT: "sent",
    Stage.DELIVERED: "delivered",
    Stage.READ: "read",
    Stage.UNDELIVERED: "failed",
}


@dataclass(frozen=True, slots=True)
class Room:
    """The conversation with one number. Replies are allowed for a day after the last inbound message."""

    room_id: str
    number: str
    last_inbound_at: float


class WhatsAppOfficial(NusaSmsApi):
    """Broadcast a template, reply in a room, list templates and channels. Status by receipt only, no look-up."""

    channel: ClassVar[str] = "whatsapp_official"

    def __init__(self, vendor: Vendor) -> None:
        super().__init__(vendor)
        self._rooms: dict[str, Room] = {}

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("POST", f"{ROOT}/message/broadcast", "whatsapp_official_broadcast", self._broadcast),
            Route("POST", f"{ROOT}/message/reply", "whatsapp_official_reply", self._reply),
            Route("GET", f"{ROOT}/templates", "whatsapp_official_templates", self._list_templates),
            Route("GET", f"{ROOT}/channels", "whatsapp_official_channels", self._list_channels),
        )

    def name_message(self, serial: int, submission: Submission) -> str:
        """Return four letters and 20 digits, like the documented `XXXX05224010031105891853`."""
        return _ref_no(serial)

    def receipt(self, row: Row, stage: Stage) -> Receipt | None:
        fields = {
            "ref_no": row.provider_message_id,
            "status": STATUSES[stage],
            "status_date": jakarta(time.time()),
        }
        receipt = self.callback_by_json("whatsapp-official-receipt", fields).receipt
        return receipt if receipt.url else None

    def receive(self, inbound: Inbound) -> Callback:
        """Open or extend the sender's room, and return the webhook call for the message."""
        date = inbound.date or jakarta(time.time())
        room = self._open_room(inbound.sender, inbound.room_id, read_naive_local(date, DATE_LAYOUT, JAKARTA))
        fields = {
            "room_id": room.room_id,
            "ref_no": inbound.id or _ref_no(self.world.ledger.next_serial()),
            "text": inbound.text,
            "inbox_date": date,
            "sender_number": inbound.sender,
        }
        return self.callback_by_json(inbound.kind, fields)

    def reset(self) -> None:
        """Close all rooms."""
        with self.world.ledger.lock:
            self._rooms.clear()

    def _open_room(self, number: str, room_id: str, at: float) -> Room:
        with self.world.ledger.lock:
            own = next((room for room in self._rooms.values() if room.number == number), None)
            known = self._rooms.get(room_id) if room_id else own
            room = known or Room(room_id or str(uuid.uuid4()), number, at)
            room = replace(room, number=number, last_inbound_at=max(room.last_inbound_at, at))
            self._rooms = {key: kept for key, kept in self._rooms.items() if kept.number != number}
            self._rooms[room.room_id] = room
            return room

    def _broadcast(self, request: Request) -> Reply:
        fields, refusal = schema.read_json(request, BROADCAST)
        if refusal is None and not NUMBER.fullmatch(fields["destination"]):
            refusal = invalid_destination()
        if refusal is not None:
            return refusal
        parameters = fields.get("parameters", {})
        complaint = _complaint(fields["channel_id"], TEMPLATES.get(fields["template_id"]), parameters)
        if complaint is not None:
            return refused(400, complaint)
        text = "\n".join(item["value_text"] for item in parameters.get("body", []))
        header = {item["key"]: item["value"] for item in parameters.get("header", {}).get("params", [])}
        submission = Submission(
            recipient=fields["destination"],
            sender=fields["channel_id"],
            text=text,
            channel=self.channel,
            operation="broadcast",
            details={"media_url": header["url"]} if "url" in header else {},
        )
        return self.vendor.submit([submission], _answer)

    def _reply(self, request: Request) -> Reply:
        fields, files = request.form(), request.files()
        problems = REPLY(fields, schema.BODY)
        problems += [
            schema.problem((*schema.BODY, name), "extra fields not permitted", "value_error.extra")
            for name in files
            if name != "file"
        ]
        if problems:
            return schema.unprocessable(*problems)
        room, file = self._rooms.get(fields["room_id"]), files.get("file")
        if room is None or time.time() - room.last_inbound_at > WINDOW_SECONDS:
            return refused(400, "Room not found or expired")
        complaint = _content_complaint(fields, file)
        if complaint is not None:
            return refused(400, complaint)
        details = {"media_url": fields["file_url"]} if "file_url" in fields else {}
        if file is not None:
            details["file_sha256"] = hashlib.sha256(file).hexdigest()
        submission = Submission(
            recipient=room.number,
            sender=CHANNEL_ID,
            text=fields.get("text", ""),
            channel=self.channel,
            operation="reply",
            details=details,
        )
        return self.vendor.submit([submission], _answer)

    def _list_templates(self, request: Request) -> Reply:
        return succeeded(200, "Templates", [template.shown() for template in TEMPLATES.values()])

    def _list_channels(self, request: Request) -> Reply:
        return succeeded(200, "Channels", [CHANNEL])


def _ref_no(serial: int) -> str:
    return f"SMPL{serial:020d}"


def _answer(entries: Sequence[Entry]) -> Reply:
    (entry,) = entries
    is_reply = _operation(entry) == "reply"
    if isinstance(entry, Refused):
        if entry.refusal is Refusal.NO_CREDIT:
            return no_credit()
        return invalid_destination((*schema.BODY, "room_id" if is_reply else "destination"))
    message = "Send reply message" if is_reply else "Send broadcast message"
    return succeeded(201, message, {"ref_no": entry.provider_message_id})


def _operation(entry: Entry) -> str:
    return entry.operation if isinstance(entry, Row) else entry.submission.operation


def _complaint(channel_id: str, template: Template | None, parameters: Mapping[str, Any]) -> str | None:
    """Return the reason to refuse a broadcast, or None."""
    if channel_id != CHANNEL_ID:
        return "Channel not found"
    if template is None:
        return "Template not found"
    if template.status != "APPROVED":
        return "Template is not approved"
    return None if _fits(template, parameters) else "Parameters do not match the template"


def _fits(template: Template, parameters: Mapping[str, Any]) -> bool:
    header, buttons = parameters.get("header"), parameters.get("buttons", [])
    keys = [str(item["key"]) for item in parameters.get("body", [])]
    wanted_keys = [str(number) for number in range(1, template.parameter_count + 1)]
    wanted_buttons = [("0", "url")] if template.has_button else []
    return (
        sorted(keys) == wanted_keys
        and [(button["index"], button["type"]) for button in buttons] == wanted_buttons
        and _header_fits(template, header)
    )


def _header_fits(template: Template, header: Mapping[str, Any] | None) -> bool:
    if header is None or not template.header_format:
        return header is None and not template.header_format
    keys = sorted(str(item["key"]) for item in header["params"])
    return header["format"] == template.header_format and keys in (["url"], ["filename", "url"])


def _content_complaint(fields: Mapping[str, str], file: bytes | None) -> str | None:
    """Return the reason to refuse a reply, or None: a text needs its text, any other type exactly one file."""
    has_file, has_url = file is not None, "file_url" in fields
    if fields.get("type", "text") == "text":
        return "Text is required" if not fields.get("text") or has_file or has_url else None
    return None if has_file != has_url else "One of file and file_url is required"
