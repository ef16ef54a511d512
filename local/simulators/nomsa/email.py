"""Transactional e-mail of Nomsa, with the statuses and limits of Postman where the vendor names none."""

import hashlib
import json
import re
import time
from collections import deque
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, ClassVar, Final

from local.simulators.http import Reply, Request
from local.simulators.ledger import Row, iso_utc
from local.simulators.lifecycles import Lifecycle, Stage
from local.simulators.nomsa.base import NomsaApi, complaint_about, error, no_permission
from local.simulators.outcomes import Refusal, outcome_of
from local.simulators.vendor import Entry, Refused, Submission, Vendor

FROM: Final = "Nomsa <donotreply@mail.nomsa.gov.kh>"
"""The From address of an account without one of its own."""

REQUIRED: Final = ("subject", "body", "recipient")
OPTIONAL: Final = ("from", "reply_to", "cc", "bcc", "classification", "tag")
LISTS: Final = ("cc", "bcc")
CLASSIFICATIONS: Final = ("URGENT", "FOR_ACTION", "FOR_INFO")
ADDRESS: Final = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+\.[^@\s<>,;]+")
STATUSES: Final = {
    Stage.ACCEPTED: "ACCEPTED",
    Stage.SENT: "SENT",
    Stage.DELIVERED: "DELIVERED",
    Stage.READ: "OPENED",
    Stage.UNDELIVERED: "BOUNCED",
}
COMPLAINT: Final = "COMPLAINT"
BOUNCE: Final = ("Hard bounce", "NoEmail")
ABUSE: Final = ("abuse", None)
TIMES: Final = {Stage.SENT: "sent_at", Stage.DELIVERED: "delivered_at", Stage.READ: "opened_at"}
ORDER: Final = (Stage.SENT, Stage.DELIVERED, Stage.READ)

# The public documentation of Postman.
MAX_FILES: Final = 10
MAX_FILE_BYTES: Final = 2_000_000


class Email(NomsaApi):
    """Send as JSON or as a form with files, get by id, list."""

    channel: ClassVar[str] = "email"
    path: ClassVar[str] = "/v1/transactional/email"
    operations: ClassVar[tuple[str, str, str]] = ("email", "email_list", "email_get")
    id_name: ClassVar[str] = "emailId"
    noun: ClassVar[str] = "Email"
    status_words: ClassVar[tuple[str, ...]] = ("UNSENT", *STATUSES.values(), COMPLAINT, "ERROR")
    list_parameters: ClassVar[frozenset[str]] = frozenset({"tag", "exclude_params"})

    def __init__(self, vendor: Vendor) -> None:
        super().__init__(vendor)
        self._lock = Lock()
        self._sends: deque[float] = deque()

    def reset(self) -> None:
        """Forget the sends of the last second."""
        with self._lock:
            self._sends.clear()

    def send(self, request: Request) -> Reply:
        if self._is_too_fast():
            return self.vendor.throttled(1)
        try:
            fields = _read_fields(request)
        except ValueError:
            return error(400, "malformed", "Malformed request body")
        if (complaint := _complaint(fields)) is not None:
            return error(400, "api_validation", complaint)
        sender = fields.get("from", FROM)
        if sender not in (FROM, *self.world.settings.nomsa_from_addresses):
            return error(400, "invalid_from_address", "Invalid 'from' email address.")
        files = request.uploads("attachments")
        if len(files) > MAX_FILES or any(len(data) > MAX_FILE_BYTES for _, data in files):
            return error(413, "attachment_limit", "Number or size of attachments exceeds limit")
        submission = Submission(
            recipient=fields["recipient"].lower(),
            sender=sender,
            text=f"{fields['subject']}\n{fields['body']}",
            channel=self.channel,
            operation="email",
            reference=fields.get("tag", ""),
            details={
                "fields": fields,
                "files": [(name, len(data)) for name, data in files],
                "files_sha256": [hashlib.sha256(data).hexdigest() for _, data in files],
            },
        )
        return self.vendor.submit([submission], self._answer_send)

    def show(self, row: Row, stage: Stage) -> dict[str, Any]:
        # A client that polls stops at DELIVERED. An e-mail that is opened goes past it between two polls.
        if stage is Stage.DELIVERED and row.lifecycle is Lifecycle.READ:
            stage = Stage.SENT
        fields = row.details["fields"]
        is_taken = row.accepted_at is not None
        word = self._word(row, stage)
        code, sub_type = {"BOUNCED": BOUNCE, COMPLAINT: ABUSE}.get(word, (None, None))
        passed = ORDER[: ORDER.index(stage) + 1] if is_taken and stage in ORDER else ()
        times = {name: iso_utc(self.reached_at(row, s)) if s in passed else None for s, name in TIMES.items()}
        files = [{"fileName": name, "fileSize": size} for name, size in row.details["files"]]
        return {
            "id": row.provider_message_id,
            "from": row.sender,
            "recipient": row.recipient,
            "params": {name: fields.get(name) for name in ("body", "from", "subject", "reply_to")},
            "attachments_metadata": files or None,
            "status": word,
            "error_code": code,
            "error_sub_type": sub_type,
            "accepted_at": None if row.accepted_at is None else iso_utc(row.accepted_at),
            **times,
            "created_at": iso_utc(row.created_at),
            "updated_at": iso_utc(self.reached_at(row, stage) if is_taken else row.created_at),
            "classification": fields.get("classification"),
            "tag": fields.get("tag"),
            "cc": fields.get("cc", []),
            "bcc": fields.get("bcc", []),
        }

    def status(self, row: Row) -> str:
        return self._word(row, self.world.stage(row))

    def matches(self, row: Row, parameters: Mapping[str, str]) -> bool:
        return parameters.get("tag", row.reference) == row.reference

    def listed(self, shown: dict[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
        is_excluded = parameters.get("exclude_params") == "true"
        return {name: value for name, value in shown.items() if not (is_excluded and name == "params")}

    def _word(self, row: Row, stage: Stage) -> str:
        if row.accepted_at is None:
            return "UNSENT"
        has_complained = stage is Stage.DELIVERED and outcome_of(row.recipient).name == "complaint"
        return COMPLAINT if has_complained else STATUSES[stage]

    def _is_too_fast(self) -> bool:
        """Count a send. Return whether there were too many in the last second."""
        now = time.monotonic()
        with self._lock:
            while self._sends and self._sends[0] <= now - 1:
                self._sends.popleft()
            if len(self._sends) >= self.world.settings.nomsa_emails_per_second:
                return True
            self._sends.append(now)
            return False

    def _answer_send(self, entries: Sequence[Entry]) -> Reply:
        (entry,) = entries
        if isinstance(entry, Refused):
            if entry.refusal is Refusal.NO_CREDIT:
                return no_permission()
            return error(400, "invalid_recipient", "Recipient email is blacklisted")
        return Reply.json(201, self.show(entry, Stage.ACCEPTED))


def _read_fields(request: Request) -> Any:
    """Return the fields of a request. In a form, a list is JSON."""
    if request.content_type != "multipart/form-data":
        return request.json()
    form: dict[str, Any] = dict(request.form())
    return {name: json.loads(value) if name in LISTS else value for name, value in form.items()}


def _complaint(fields: Any) -> str | None:
    if (complaint := complaint_about(fields, required=REQUIRED, optional=OPTIONAL)) is not None:
        return complaint
    for name in LISTS:
        if not isinstance(fields.get(name, []), list):
            return f'"{name}" must be a valid array or stringified array.'
    addresses = [("recipient", fields["recipient"]), ("reply_to", fields.get("reply_to"))]
    addresses += [(name, address) for name in LISTS for address in fields.get(name, [])]
    for name, address in addresses:
        if address is not None and not (isinstance(address, str) and ADDRESS.fullmatch(address)):
            return f'"{name}" must be a valid email'
    if fields.get("classification", CLASSIFICATIONS[0]) not in CLASSIFICATIONS:
        return f'"classification" must be one of [{", ".join(CLASSIFICATIONS)}]'
    return None
