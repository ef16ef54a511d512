"""WhatsApp through the vendor's gateways: text, media, status.

Fields, responses and status letters follow the vendor's page, section "WhatsApp". The texts of refusals, and dates that
are null or have no zone, are as users have seen them. Guesses: the HTTP status 400 of refusals other than an invalid
body, the 404 of an unknown message, "Insufficient WA credit", and the acceptance of foreign numbers.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from local.simulators.http import Reply, Request
from local.simulators.inbound import NUMBER, Callback, Inbound
from local.simulators.ledger import Row
from local.simulators.lifecycles import Stage, receipts_of
from local.simulators.nusasms import schema
from local.simulators.nusasms.base import NusaSmsApi, jakarta, refused, succeeded
from local.simulators.outcomes import Refusal
from local.simulators.vendor import Entry, Refused, Route, Submission
from local.simulators.webhook_sender import Receipt

ROOT: Final = "/nusasms_api/1.0/whatsapp"
MAX_FILE: Final = 512 * 1024
OPTIONS: Final = {
    "destination": schema.Field(schema.text, is_required=True),
    "timeout": schema.Field(schema.integer),
    "queue": schema.Field(schema.full_text),
    "is_group": schema.Field(schema.boolean),
    "channel": schema.Field(schema.integer),
    "include_unsubscribe": schema.Field(schema.boolean),
    "sender": schema.Field(schema.full_text),
}
MESSAGE: Final = schema.object_of({**OPTIONS, "message": schema.Field(schema.full_text, is_required=True)})
MEDIA: Final = schema.object_of(
    {
        **OPTIONS,
        "caption": schema.Field(schema.text),
        "media_url": schema.Field(schema.url),
        "media_base64": schema.Field(schema.full_text),
        "file_name": schema.Field(schema.full_text),
    }
)
# Some stages have two letters: messages alternate between them.
STATUSES: Final = {
    Stage.ACCEPTED: ("Q", "U"),
    Stage.SENT: ("S", "S"),
    Stage.DELIVERED: ("D", "D"),
    Stage.READ: ("R", "R"),
    Stage.UNDELIVERED: ("F", "A"),
}
DATES: Final = (
    ("sent_date", Stage.SENT, (Stage.SENT, Stage.DELIVERED, Stage.READ)),
    ("read_date", Stage.READ, (Stage.READ,)),
    ("delivered_date", Stage.DELIVERED, (Stage.DELIVERED, Stage.READ)),
)
ESCAPED: Final = re.compile(r"\\{1,2}U([0-9A-Fa-f]{8})")


class WhatsApp(NusaSmsApi):
    """Send a text or a file, look up a status, and call the registered webhooks for receipts and inbound messages."""

    channel: ClassVar[str] = "whatsapp"

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("POST", f"{ROOT}/message", "whatsapp_message", self._send),
            Route("POST", f"{ROOT}/media", "whatsapp_media", self._send_media),
            Route("GET", f"{ROOT}/status/([^/]+)", "whatsapp_status", self._status),
        )

    def name_message(self, serial: int, submission: Submission) -> str:
        """Return 18 digits with leading zeros: a string, not a number."""
        return f"{serial:018d}"

    def receipt(self, row: Row, stage: Stage) -> Receipt | None:
        return self.receipt_by_query("whatsapp-receipt", row, stage, _letter(row, stage))

    def receive(self, inbound: Inbound) -> Callback:
        return self.receive_by_form(inbound, self._own_sender)

    @property
    def _own_sender(self) -> str:
        """The default sender: the first gateway, or an empty string."""
        return next(iter(self.world.settings.nusasms_whatsapp_senders), "")

    def _send(self, request: Request) -> Reply:
        fields, refusal = schema.read_json(request, MESSAGE)
        refusal = refusal or self._refusal(fields)
        return refusal or self._submit(fields, text=_unescaped(fields["message"]))

    def _send_media(self, request: Request) -> Reply:
        fields, refusal = schema.read_json(request, MEDIA)
        refusal = refusal or _source_refusal(fields) or self._refusal(fields)
        if refusal is not None:
            return refusal
        details = {"media_url": fields["media_url"]} if "media_url" in fields else {}
        if "media_base64" in fields:
            try:
                content = base64.b64decode(fields["media_base64"], validate=True)
            except binascii.Error:
                return schema.unprocessable(
                    schema.problem((*schema.BODY, "media_base64"), "Invalid base64 string", "value_error")
                )
            if len(content) > MAX_FILE:
                return refused(400, "File exceed limits (max 512 KB)")
            details = {"file_sha256": hashlib.sha256(content).hexdigest()}
        return self._submit(fields, text=_unescaped(fields.get("caption", "")), operation="media", details=details)

    def _refusal(self, fields: Mapping[str, Any]) -> Reply | None:
        # The id of a WhatsApp group is not a number; no document shows an example.
        if not (fields["destination"] if fields.get("is_group") else NUMBER.fullmatch(fields["destination"])):
            return invalid_destination()
        is_known = fields.get("sender", self._own_sender) in self.world.settings.nusasms_whatsapp_senders
        return None if is_known else refused(400, "Invalid WA Sender")

    def _submit(
        self,
        fields: Mapping[str, Any],
        *,
        text: str,
        operation: str = "send",
        details: Mapping[str, Any] | None = None,
    ) -> Reply:
        sender = fields.get("sender", self._own_sender)
        submission = Submission(
            recipient=fields["destination"],
            sender=sender,
            text=text,
            channel=self.channel,
            operation=operation,
            details={
                **(details or {}),
                "queue": fields.get("queue", sender),
                "is_group": fields.get("is_group", False),
            },
        )
        return self.vendor.submit([submission], _answer)

    def _status(self, request: Request, ref_no: str) -> Reply:
        row = self.world.ledger.find(self.vendor.name, ref_no)
        if row is None or row.channel != self.channel:
            return refused(404, "Message not found")
        stage = self.world.read_stage(row)
        data = {
            "destination": row.recipient,
            "sender": row.sender,
            "is_group": row.details["is_group"],
            "create_date": _date(row.created_at),
            **self._dates(row, stage),
            "ref_no": ref_no,
            "status": _letter(row, stage),
            **_content(row),
        }
        return succeeded(200, "Message data", data)

    def _dates(self, row: Row, stage: Stage) -> dict[str, str | None]:
        settings = self.world.settings
        steps = receipts_of(row.lifecycle, sent_seconds=settings.sent_seconds, final_seconds=settings.final_seconds)
        reached = {step.stage: _date(row.starts_at + step.after_seconds) for step in steps}
        return {name: reached.get(own) if stage in own_and_later else None for name, own, own_and_later in DATES}


def invalid_destination(location: schema.Location = (*schema.BODY, "destination")) -> Reply:
    """Build the refusal of a number, in the format that users have seen."""
    return schema.unprocessable(schema.problem(location, "Invalid destination format", "value_error"))


def no_credit() -> Reply:
    """Build the refusal for missing credit. The HTTP status and the text are guesses."""
    return refused(400, "Insufficient WA credit")


def _source_refusal(fields: Mapping[str, Any]) -> Reply | None:
    """Require exactly one source of the file: a URL, or the content with a file name."""
    if set(fields) & {"media_url", "media_base64", "file_name"} in ({"media_url"}, {"media_base64", "file_name"}):
        return None
    message = "media_url, or media_base64 and file_name, is required"
    return schema.unprocessable(schema.problem((*schema.BODY, "__root__"), message, "value_error"))


def _answer(entries: Sequence[Entry]) -> Reply:
    (entry,) = entries
    if isinstance(entry, Refused):
        return no_credit() if entry.refusal is Refusal.NO_CREDIT else invalid_destination()
    data = {
        "sender": entry.sender,
        "queue": entry.details["queue"],
        "destination": entry.recipient,
        "ref_no": entry.provider_message_id,
    }
    if entry.operation == "media":
        media_url = entry.details.get("media_url")
        return succeeded(201, "WA Send Media", {**data, "caption": entry.text, "media_url": media_url})
    return succeeded(201, "WA send message", {**data, "message": entry.text})


def _content(row: Row) -> dict[str, str | None]:
    is_media = row.operation == "media"
    return {
        "message": None if is_media else row.text,
        "caption": row.text if is_media else None,
        "media_url": row.details.get("media_url"),
    }


def _letter(row: Row, stage: Stage) -> str:
    return STATUSES[stage][row.number % 2]


def _date(seconds: float) -> str:
    return jakarta(seconds).replace(" ", "T")


def _unescaped(message: str) -> str:
    r"""Decode emoji. The vendor documents them as ten characters such as `\U0001F600`."""
    return ESCAPED.sub(lambda match: _character(int(match[1], 16), match[0]), message)


def _character(code: int, otherwise: str) -> str:
    return chr(code) if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else otherwise
