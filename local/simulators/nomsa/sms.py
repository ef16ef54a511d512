"""Transactional SMS of Nomsa."""

import re
import uuid
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from local.simulators.http import Reply, Request
from local.simulators.ledger import Row, iso_utc
from local.simulators.lifecycles import Lifecycle, Stage
from local.simulators.nomsa.base import NomsaApi, complaint_about, error, no_permission
from local.simulators.outcomes import Refusal
from local.simulators.vendor import OTHER_TEXT, Entry, Refused, Submission

DEMO_LABEL: Final = "nomsa-sms-demo"
DEMO_QUOTA: Final = 10
DEMO_QUOTA_TEXT: Final = "You are reach out of SMS demo rate limit, Please contact Nomsa team For more information"
FIELDS: Final = ("body", "recipient", "label")
# The vendor's own samples have seven digits after 855. The upper limit is a guess.
RECIPIENT: Final = re.compile(r"\+855[0-9]{7,9}")
# This vendor reports an accepted message as UNSENT with `accepted_at` set.
STATUSES: Final = {
    Stage.ACCEPTED: "UNSENT",
    Stage.SENT: "SENT",
    Stage.DELIVERED: "DELIVERED",
    Stage.UNDELIVERED: "ERROR",
}
# Guess: the vendor lists no error codes of messages; Postman passes on those of its carrier.
UNDELIVERED_CODE: Final = "30003"


class Sms(NomsaApi):
    """Send, get by id, list."""

    channel: ClassVar[str] = "sms"
    path: ClassVar[str] = "/v1/transactional/sms"
    operations: ClassVar[tuple[str, str, str]] = ("send", "list", "get")
    id_name: ClassVar[str] = "smsId"
    noun: ClassVar[str] = "Sms"
    status_words: ClassVar[tuple[str, ...]] = ("UNSENT", "ACCEPTED", "SENT", "DELIVERED", "ERROR")

    def send(self, request: Request) -> Reply:
        try:
            fields = request.json()
        except ValueError:
            return error(400, "malformed", "Malformed request body")
        if (complaint := complaint_about(fields, required=FIELDS)) is not None:
            return error(400, "api_validation", complaint)
        if fields["label"] not in self.world.settings.nomsa_labels:
            return error(400, "invalid_credentials", "User credential cannot be found")
        if not RECIPIENT.fullmatch(fields["recipient"]):
            return error(400, "invalid_recipient", f"Phone number {fields['recipient']} is invalid")
        is_demo = fields["label"] == DEMO_LABEL
        if is_demo and self._demo_left() <= 0:
            return error(429, "rate_limit", DEMO_QUOTA_TEXT)
        prefix = "NOMSA-TEST@" if is_demo else "MTPC"
        details = {"message_id": prefix + uuid.uuid4().hex[:30]}
        recipient = fields["recipient"].lstrip("+") if is_demo else fields["recipient"]
        submission = Submission(recipient=recipient, sender=fields["label"], text=fields["body"], details=details)
        return self.vendor.submit([submission], self._answer_send)

    def other_message(self, number: int) -> Submission:
        """Return a message of another system with the same account."""
        details = {"message_id": f"MTPC{uuid.uuid4().hex[:30]}"}
        return Submission(recipient=f"+8557{number:07}", sender="other", text=OTHER_TEXT, details=details)

    def show(self, row: Row, stage: Stage) -> dict[str, Any]:
        is_taken = row.accepted_at is not None
        # In the documented samples (SENT, DELIVERED) all later times are null; Postman fills them. Rows alternate.
        reached = iso_utc(self.reached_at(row, stage)) if is_taken and row.number % 2 else None
        has_failed = is_taken and stage is Stage.UNDELIVERED
        return {
            "id": row.provider_message_id,
            "credentialsLabel": row.sender,
            "recipient": row.recipient,
            "body": re.sub(r"<[^>]*>", "", row.text),
            "message_id": row.details["message_id"] if is_taken else None,
            "created_at": iso_utc(row.created_at),
            "updated_at": reached or iso_utc(row.accepted_at or row.created_at),
            "status": STATUSES[stage] if is_taken else "UNSENT",
            "error_code": UNDELIVERED_CODE if has_failed else None,
            "accepted_at": None if row.accepted_at is None else iso_utc(row.accepted_at),
            "sent_at": reached if stage is Stage.SENT else None,
            "delivered_at": reached if stage is Stage.DELIVERED else None,
            "errored_at": iso_utc(self.reached_at(row, stage)) if has_failed else None,
        }

    def status(self, row: Row) -> str:
        return "UNSENT" if row.accepted_at is None else STATUSES[self.world.stage(row)]

    def _answer_send(self, entries: Sequence[Entry]) -> Reply:
        (entry,) = entries
        if isinstance(entry, Refused):
            if entry.refusal is Refusal.NO_CREDIT:
                return no_permission()
            return error(400, "invalid_recipient", f"Phone number {entry.submission.recipient} is invalid")
        shown = self.show(entry, Stage.ACCEPTED)
        if entry.sender == DEMO_LABEL:
            return Reply.json(201, {**shown, "remainingMessage": f"You have SMS demo {self._demo_left()} left"})
        # With a customer's own label, the documented response is SENT at once, while the list still shows UNSENT.
        return Reply.json(201, {**shown, "status": "UNSENT" if entry.lifecycle is Lifecycle.SILENT else "SENT"})

    def _demo_left(self) -> int:
        return DEMO_QUOTA - sum(row.sender == DEMO_LABEL and row.accepted_at is not None for row in self.rows())
