"""Nomsa: SMS. Facts, guesses and quirks: docs/reference/providers/nomsa.md."""

import re
from collections.abc import Mapping
from typing import Any, Final

from sampai.domain.failure import Reason
from sampai.domain.http import HttpRequest
from sampai.domain.message import Channel, Message
from sampai.domain.status import Status
from sampai.domain.times import parse_vendor_time
from sampai.providers.base import Capabilities
from sampai.providers.features import ListedMessage
from sampai.providers.nomsa.common import COMMON_FAILURES, NomsaApi, proves_nothing

# "Programmatic SMS API" shows UNSENT, SENT and DELIVERED. ACCEPTED and ERROR come from the public code of Postman.
# UNSENT is missing because it proves nothing alone: the message may or may not have been accepted.
STATUSES: Final = {
    "ACCEPTED": Status.ACCEPTED,
    "SENT": Status.SENT,
    "DELIVERED": Status.DELIVERED,
    "ERROR": Status.UNDELIVERED,
}

# The time of each status, the highest status first. Guess: a time proves as much as the word. The vendor's own examples
# need it: they have UNSENT rows with `accepted_at`, and DELIVERED rows without `delivered_at`.
TIMES: Final = {
    Status.UNDELIVERED: "errored_at",
    Status.DELIVERED: "delivered_at",
    Status.SENT: "sent_at",
    Status.ACCEPTED: "accepted_at",
}

# The public code of Postman.
FAILURES: Final = {
    **COMMON_FAILURES,
    "invalid_credentials": Reason.INVALID_SENDER,  # also for an unknown label
    "invalid_credential_label": Reason.INVALID_SENDER,
}

_HTML_TAG: Final = re.compile(r"</?[A-Za-z][^<>]*>")


class Nomsa(NomsaApi):
    capabilities = Capabilities(
        channel=Channel.SMS,
        countries=frozenset({"KH"}),
        credentials=frozenset({"api_key"}),
        max_characters=918,  # guess: six segments of 153; the vendor documents no limit
    )
    default_sender = "mcs-otp"
    path = "transactional/sms"
    statuses = STATUSES
    times = TIMES
    failures = FAILURES
    page_limit_bytes = 1024 * 1024

    def build_send(self, message: Message) -> HttpRequest:
        document = {"body": self.text_of(message), "recipient": message.recipient, "label": self.sender_of(message)}
        return HttpRequest.post_json(f"{self.url}/send", document, headers=self.headers)

    def listed_texts(self, text: str) -> tuple[str, ...]:
        """Return the text, and the text as Postman, the software with the same API, sanitises it before it stores it.

        It removes HTML tags and escapes other angle brackets. `<1234>` is no HTML tag.
        """
        without_tags = _HTML_TAG.sub("", text)
        return text, without_tags, without_tags.replace("<", "&lt;").replace(">", "&gt;")

    def parse_row(self, row: Mapping[str, Any]) -> ListedMessage:
        report = self.parse_report(row)
        return ListedMessage(
            report=None if proves_nothing(report) else report,
            recipient=str(row.get("recipient") or ""),
            text=str(row.get("body") or ""),
            created_at=parse_vendor_time(row.get("created_at")),
        )
