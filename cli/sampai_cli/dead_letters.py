"""The dead-letter queue: read it without taking anything away, and show bodies without numbers and texts."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sampai.contract.request import InvalidRequest, OptInRequest, SendRequest, parse_request
from sampai.domain.caller import parse_caller_id
from sampai.domain.message import MESSAGE_ID
from sampai.domain.recipient import mask
from sampai.domain.times import to_text

BATCH: Final = 10
HOLD_SECONDS: Final = 120
"""How long a letter is invisible to other readers while a command works with it."""

_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,63}", re.ASCII)
"""An id, a word or a time. Anything else in a field for one of them may be a text that is in the wrong place."""

_SHOWN: Final = frozenset(
    "message_id channel category provider on_unknown send_at expires_at type template_id cancel resume attempt at "
    "outcome_of attempt_id reason is_final scope provider_code".split()
)
"""Fields whose values are ids, words or times of our own."""
_RECIPIENTS: Final = frozenset({"recipient", "opt_out", "opt_in"})
_NAMES: Final = (
    _SHOWN
    | _RECIPIENTS
    | frozenset(
        "audience lists room_id sender content text media_url media_base64 file_name caption parameters recipient_name "
        "subject body reply_to cc bcc attachments content_base64 metadata provider_options taken not_taken "
        "provider_message_id provider_status retry_after_seconds".split()
    )
)
"""All names of fields. Another one may be a number or a text in the wrong place."""
_FREE: Final = frozenset({"metadata", "provider_options", "parameters"})
"""Fields whose content has names of the caller's choice."""
_KINDS: Final = ("cancel", "opt_out", "opt_in", "resume", "outcome_of")

OLD: Final = timedelta(hours=1)
"""The age from which a request without `expires_at` is named before it is sent after all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One dead letter. `handle` lets it be deleted while it is held."""

    sqs_id: str
    handle: str = field(repr=False)
    body: str = field(repr=False)
    sent_at: datetime
    group: str | None
    source_arn: str | None
    """The queue that it came from."""
    caller_id: str | None
    """The caller that put it there, if SQS tells one."""

    @property
    def document(self) -> dict[str, Any]:
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def kind(self) -> str:
        if not self.document:
            return "unreadable"
        return next((kind for kind in _KINDS if kind in self.document), "send")

    @property
    def message_id(self) -> str | None:
        """The id of the message that the letter is about. None if it has none, or none of the right form."""
        names = ("message_id", "cancel", "resume", "outcome_of")
        found = next((self.document[name] for name in names if name in self.document), None)
        return found if isinstance(found, str) and MESSAGE_ID.fullmatch(found) else None

    def objection(self, *, now: datetime) -> str | None:
        """Return why the letter must not be redriven, or None.

        Without `at`, an opt-in counts as of the time at which it is queued again. It would overrule an opt-out that
        came after it.
        """
        match parse_request(self.body, now=now):
            case OptInRequest(at=None):
                return "an opt-in without `at`: put it again with its time: sampai opt-in NUMBER --at TIME"
        return None

    def warning(self, *, now: datetime) -> str | None:
        """Return a consequence of redriving the letter that an operator must know, or None."""
        match parse_request(self.body, now=now):
            case SendRequest(expires_at=None) if now - self.sent_at > OLD:
                return "will be sent however old it is: it has no expires_at"
            case SendRequest(expires_at=expires_at) if expires_at is not None and expires_at <= now:
                return "has expired, and will end as failed"
            case InvalidRequest():
                return "is invalid, and will end as failed"
        return None


def masked(value: Any, name: str = "") -> Any:
    """Return a body without numbers, texts and unknown values: of these, only the length is shown."""
    if isinstance(value, Mapping):
        known = frozenset() if name in _FREE or name == "…" else _NAMES
        named = ((key if key in known else "…", each) for key, each in value.items())
        return {key: masked(each, key) for key, each in named}
    if isinstance(value, list):
        return [masked(each, name) for each in value]
    if value is None or isinstance(value, bool) or (isinstance(value, int | float) and name in _SHOWN):
        return value
    if name in _SHOWN and isinstance(value, str) and _WORD.fullmatch(value):
        return value
    if name in _RECIPIENTS and isinstance(value, str):
        return mask(value)
    return f"({len(str(value))} characters)"


@contextmanager
def held(sqs: Any, url: str, *, limit: int) -> Iterator[list[Letter]]:
    """Hold up to `limit` letters for the block. Those that are not deleted are visible to all again at its end.

    Raises botocore's ClientError and BotoCoreError.
    """
    letters: dict[str, Letter] = {}
    try:
        while len(letters) < limit:
            found = _receive(sqs, url, min(BATCH, limit - len(letters)))
            if not (new := {letter.sqs_id: letter for letter in found if letter.sqs_id not in letters}):
                break
            letters |= new
        yield list(letters.values())
    finally:
        _release(sqs, url, list(letters.values()))


def _receive(sqs: Any, url: str, count: int) -> list[Letter]:
    answer = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=count,
        VisibilityTimeout=HOLD_SECONDS,
        WaitTimeSeconds=1,
        MessageSystemAttributeNames=["All"],
    )
    return [_letter(message) for message in answer.get("Messages", [])]


def _release(sqs: Any, url: str, letters: list[Letter]) -> None:
    for start in range(0, len(letters), BATCH):
        entries = [
            {"Id": str(index), "ReceiptHandle": letter.handle, "VisibilityTimeout": 0}
            for index, letter in enumerate(letters[start : start + BATCH])
        ]
        # Letters that were deleted meanwhile are refused one by one in the answer, which nobody needs.
        sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)


def _letter(message: Mapping[str, Any]) -> Letter:
    attributes = message.get("Attributes", {})
    return Letter(
        sqs_id=message["MessageId"],
        handle=message["ReceiptHandle"],
        body=message["Body"],
        sent_at=datetime.fromtimestamp(int(attributes.get("SentTimestamp", 0)) / 1000, UTC),
        group=attributes.get("MessageGroupId"),
        source_arn=attributes.get("DeadLetterQueueSourceArn"),
        caller_id=parse_caller_id(attributes.get("SenderId")),
    )


def body_of(letter: Letter) -> Any:
    """Return the body as it may be shown."""
    try:
        if document := letter.document:
            return masked(document)
    except RecursionError:
        return f"nested too deeply, {len(letter.body)} characters"
    return f"no JSON object, {len(letter.body)} characters"


def row_of(letter: Letter, *, now: datetime) -> dict[str, Any]:
    return {
        "sqs_id": letter.sqs_id,
        "kind": letter.kind,
        "message_id": letter.message_id,
        "sent_at": to_text(letter.sent_at),
        "caller": letter.caller_id,
        "remark": letter.objection(now=now) or letter.warning(now=now),
    }
