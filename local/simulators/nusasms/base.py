"""The base of the three APIs of NusaSMS. Each API has one channel, with its own routes, ids and callbacks."""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import timedelta, timezone
from typing import ClassVar, Final
from urllib.parse import quote, urlencode

from local.simulators.http import Reply
from local.simulators.inbound import Callback, Inbound
from local.simulators.ledger import Row
from local.simulators.lifecycles import Stage
from local.simulators.vendor import Route, Submission, Vendor, World, naive_local
from local.simulators.webhook_sender import Receipt

# Guess: dates without a zone are Western Indonesian time.
JAKARTA: Final = timezone(timedelta(hours=7))
# Guess: no document lists the error codes of a receipt. Messages alternate between two values for no error.
NO_ERROR: Final = ("0", "")
UNDELIVERED_CODE: Final = "27"

CREDENTIALS: Final = {"api_key": "local-api-key", "user": "local-user", "password": "local-password"}


class NusaSmsApi(ABC):
    """One API of NusaSMS."""

    channel: ClassVar[str]

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor

    @property
    def world(self) -> World:
        """The state that the simulated vendors share."""
        return self.vendor.world

    @abstractmethod
    def routes(self) -> tuple[Route, ...]:
        """Return the operations of this API."""

    @abstractmethod
    def name_message(self, serial: int, submission: Submission) -> str:
        """Return the vendor's id for a new message."""

    @abstractmethod
    def receipt(self, row: Row, stage: Stage) -> Receipt | None:
        """Return the receipt of a stage, or None if no address is registered for it."""

    @abstractmethod
    def receive(self, inbound: Inbound) -> Callback:
        """Return the webhook call for an inbound message."""

    def receipt_by_query(self, kind: str, row: Row, stage: Stage, status: str) -> Receipt | None:
        """Return a receipt in the format of SMS and WhatsApp: a GET with all fields in the query."""
        url = self.world.settings.webhook_url(self.vendor.name, kind)
        if not url:
            return None
        fields = {
            "ref_no": row.provider_message_id,
            "status": status,
            "sent_date": jakarta(time.time()),
            "err_code": UNDELIVERED_CODE if stage is Stage.UNDELIVERED else NO_ERROR[row.number % 2],
        }
        documented = Receipt(vendor=self.vendor.name, method="GET", url=f"{url}?{urlencode(fields, quote_via=quote)}")
        return self.world.encode(documented, url, fields)

    def receive_by_form(self, inbound: Inbound, gateway_number: str) -> Callback:
        """Return the webhook call of "Push Inbox", for SMS and WhatsApp: a POST with a form."""
        fields = {
            "id": inbound.id or str(self.world.ledger.next_serial()),
            "gateway_number": gateway_number,
            "originator": inbound.sender,
            "receive_date": inbound.date or jakarta(time.time()),
            "msg": inbound.text,
        }
        return self.callback(inbound.kind, fields, "application/x-www-form-urlencoded", urlencode(fields).encode())

    def callback_by_json(self, kind: str, fields: Mapping[str, str]) -> Callback:
        """Return a webhook call in the format of WhatsApp Official: a POST with JSON."""
        return self.callback(kind, fields, "application/json", json.dumps(fields).encode())

    def callback(self, kind: str, fields: Mapping[str, str], content_type: str, body: bytes) -> Callback:
        """Return a POST to the address registered for a kind; the URL is empty if none is registered."""
        url = self.world.settings.webhook_url(self.vendor.name, kind)
        headers = {"Content-Type": content_type}
        documented = Receipt(vendor=self.vendor.name, method="POST", url=url, headers=headers, body=body)
        return Callback(self.world.encode(documented, url, fields) if url else documented, fields)


def succeeded(status: int, message: str, data: object) -> Reply:
    """Build the documented success envelope."""
    return Reply.json(status, {"error": False, "message": message, "data": data})


def refused(status: int, message: str) -> Reply:
    """Build a refusal envelope in the format that users have seen. The HTTP status is a guess."""
    return Reply.json(status, {"error": True, "message": message, "description": None})


def jakarta(seconds: float) -> str:
    """Format a time in seconds since 1970 as `2022-08-12 10:22:50`, in the vendor's zone."""
    return naive_local(seconds, JAKARTA)
