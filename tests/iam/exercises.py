"""For each right, the work that needs it; or why there is none on the local AWS. No third kind is tolerated."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tests.iam.permissions import Permission

Changes = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One invocation of a function with a sample event, in the text of whose records some words are changed.

    Before it, the time comes to look at the message `due`.
    """

    event: str
    changes: Changes = ()
    due: str = ""

    @property
    def function(self) -> str:
        """The logical id of the function: the event lies in its folder."""
        return self.event.partition("/")[0].title().replace("_", "") + "Function"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What needs a right: done without it by `step`, after `before` was done with all rights.

    `is_cold` is work that is done once in the life of a process only.
    """

    before: tuple[Step, ...] = ()
    step: Step | None = None
    is_cold: bool = False


def _work(event: str, *changes: tuple[str, str], is_cold: bool = False) -> Work:
    return Work(step=Step(event, changes), is_cold=is_cold)


def _followed_up(message_id: str, event: str, *changes: tuple[str, str]) -> Work:
    return Work(before=(Step(event, changes),), step=Step("follow_up/every-minute", due=message_id))


_OTP: Final = ('"recipient"', '"category": "otp", "recipient"')
_EARLY: Final = ("7810", "7814")
"""The vendor's receipt comes before its answer."""
_FILE_LATER: Final = Work(
    before=(Step("send/whatsapp-media-file", (("7810", "7820"),)),),
    step=Step("send/resume", (("sample-throttled", "sample-whatsapp-media-file"),)),
)
_SMS: Final = _work("send/nomsa")
_FIRST_SMS: Final = _work("send/nomsa", is_cold=True)
_RECEIPT: Final = _work("webhook/nusasms-receipt-get")
_MONITOR: Final = _work("monitor/every-quarter-hour", is_cold=True)

_SEND: Final[Mapping[tuple[str, str], Work]] = {
    ("sqs:SendMessage", "SendQueue"): _work("send/throttled"),
    ("sqs:SendMessage", "UrgentQueue"): _work("send/throttled", _OTP),
    ("dynamodb:BatchGetItem", "MessagesTable"): _work("send/resume"),
    ("dynamodb:PartiQLInsert", "MessagesTable"): _SMS,
    ("dynamodb:PartiQLUpdate", "MessagesTable"): _SMS,
    ("dynamodb:BatchGetItem", "CorrelationsTable"): _work("send/nusasms", _EARLY),
    ("dynamodb:PartiQLInsert", "CorrelationsTable"): _SMS,
    ("dynamodb:UpdateItem", "CorrelationsTable"): _work("send/nusasms", _EARLY),
    ("dynamodb:BatchGetItem", "DirectoryTable"): _work("send/opted-out"),
    ("dynamodb:UpdateItem", "DirectoryTable"): _work("send/opt-in"),
    ("dynamodb:BatchGetItem", "MediaTable"): _FILE_LATER,
    ("dynamodb:PutItem", "MediaTable"): _work("send/whatsapp-media-file"),
    ("dynamodb:DeleteItem", "MediaTable"): _work("send/whatsapp-media-file"),
    ("dynamodb:UpdateItem", "EncryptionKeysTable"): _work("send/encrypted"),
    ("events:PutEvents", "EventBus"): _work("send/id-conflict"),
    ("ssm:GetParameter", "SettingsParameter"): _FIRST_SMS,
    ("secretsmanager:GetSecretValue", "ProviderSecret"): _FIRST_SMS,
    ("secretsmanager:GetSecretValue", "FingerprintSecret"): _FIRST_SMS,
}
_WEBHOOK: Final[Mapping[tuple[str, str], Work]] = {
    ("dynamodb:BatchGetItem", "MessagesTable"): _work("webhook/smspoh-receipt-get"),
    # The vendor's own receipt of it comes while the right is gone.
    ("dynamodb:PartiQLUpdate", "MessagesTable"): Work(before=(Step("send/nusasms"),)),
    ("dynamodb:BatchGetItem", "CorrelationsTable"): _RECEIPT,
    ("dynamodb:UpdateItem", "CorrelationsTable"): _RECEIPT,
    ("dynamodb:PutItem", "InboxTable"): _work("webhook/nusasms-sms-inbox"),
    ("dynamodb:UpdateItem", "DirectoryTable"): _work("webhook/nusasms-sms-inbox-stop"),
    ("ssm:GetParameter", "SettingsParameter"): _work("webhook/nusasms-sms-inbox", is_cold=True),
    ("secretsmanager:GetSecretValue", "ProviderSecret"): _work("webhook/nusasms-receipt-get", is_cold=True),
}
_FOLLOW_UP: Final[Mapping[tuple[str, str], Work]] = {
    ("dynamodb:Query", "MessagesTable/index/due"): _work("follow_up/every-minute"),
    ("dynamodb:BatchGetItem", "MessagesTable"): _followed_up("sample-nomsa", "send/nomsa"),
    ("dynamodb:PartiQLUpdate", "MessagesTable"): _followed_up("sample-nomsa", "send/nomsa"),
    ("dynamodb:BatchGetItem", "CorrelationsTable"): _followed_up("sample-nomsa", "send/nomsa"),
    # The vendor's answer is lost, and found again in its list.
    ("dynamodb:UpdateItem", "CorrelationsTable"): _followed_up("sample-nomsa", "send/nomsa", ("4510", "4518")),
    ("sqs:SendMessage", "SendQueue"): _followed_up("sample-throttled", "send/throttled"),
    ("sqs:SendMessage", "UrgentQueue"): _followed_up("sample-throttled", "send/throttled", _OTP),
    ("ssm:GetParameter", "SettingsParameter"): _work("follow_up/every-minute", is_cold=True),
    ("secretsmanager:GetSecretValue", "ProviderSecret"): _work("follow_up/every-minute", is_cold=True),
}
_PUBLISH: Final = {("events:PutEvents", "EventBus"): _work("publish/status-changed")}
_MONITORED: Final[Mapping[tuple[str, str], Work]] = {
    ("dynamodb:PutItem", "DirectoryTable"): _MONITOR,
    ("ssm:GetParameter", "SettingsParameter"): _MONITOR,
    ("secretsmanager:GetSecretValue", "ProviderSecret"): _MONITOR,
}

PROOFS: Final[Mapping[Permission, Work]] = {
    Permission(role, action, resource): work
    for role, works in {
        "SendRole": _SEND,
        "WebhookRole": _WEBHOOK,
        "FollowUpRole": _FOLLOW_UP,
        "PublishRole": _PUBLISH,
        "MonitorRole": _MONITORED,
    }.items()
    for (action, resource), work in works.items()
}

_LOGS: Final = "the local AWS writes down what a function says whatever its role allows"
_POLLED: Final = "the local AWS empties queues and streams for a function whatever its role allows"
_OUTAGE: Final = "only an outage of AWS needs it; without the right, the visibility timeout applies"
_GIVEN_UP: Final = "Lambda itself sends it, with the function's role; the local AWS asks nobody"

NOT_ENFORCED: Final[Mapping[Permission, str]] = {
    **{
        Permission(f"{name}Role", action, f"{name}Log"): _LOGS
        for name in ("Send", "Webhook", "FollowUp", "Publish", "Monitor")
        for action in ("logs:CreateLogStream", "logs:PutLogEvents")
    },
    **{
        Permission("SendRole", action, queue): _POLLED
        for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
        for queue in ("SendQueue", "UrgentQueue")
    },
    **{Permission("SendRole", "sqs:ChangeMessageVisibility", queue): _OUTAGE for queue in ("SendQueue", "UrgentQueue")},
    **{
        Permission("PublishRole", action, f"{table}/stream"): _POLLED
        for action in ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator")
        for table in ("MessagesTable", "InboxTable")
    },
    Permission("PublishRole", "dynamodb:ListStreams", "MessagesTable/stream/*"): _POLLED,
    Permission("PublishRole", "dynamodb:ListStreams", "InboxTable/stream/*"): _POLLED,
    Permission("PublishRole", "sqs:SendMessage", "PublishFailures"): _GIVEN_UP,
}
"""Rights that the local AWS cannot prove needed. On AWS each is needed as Lambda's documents say."""
