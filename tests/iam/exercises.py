"""Give for each permission an exercise that needs it, or the reason why the local AWS cannot test it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tests.iam.permissions import Permission

Changes = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One invocation of a function with a sample event.

    `changes` are replacements in the bodies of its records. `due` is a message to make due before the invocation.
    """

    event: str
    changes: Changes = ()
    due: str = ""

    @property
    def function(self) -> str:
        """The logical id of the function, derived from the folder of the event."""
        return self.event.partition("/")[0].title().replace("_", "") + "Function"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """An exercise for one permission: `before` runs with all permissions, then `step` without that one.

    `is_cold` marks an exercise of calls that a process makes only once, at its start.
    """

    before: tuple[Step, ...] = ()
    step: Step | None = None
    is_cold: bool = False


def _exercise(event: str, *changes: tuple[str, str], is_cold: bool = False) -> Exercise:
    return Exercise(step=Step(event, changes), is_cold=is_cold)


def _follow_up_exercise(message_id: str, event: str, *changes: tuple[str, str]) -> Exercise:
    return Exercise(before=(Step(event, changes),), step=Step("follow_up/every-minute", due=message_id))


_OTP: Final = ('"recipient"', '"category": "otp", "recipient"')
_EARLY_RECEIPT: Final = ("7810", "7814")
"""The receipt of the vendor arrives before its response."""
_DEFERRED_FILE: Final = Exercise(
    before=(Step("send/whatsapp-media-file", (("7810", "7820"),)),),
    step=Step("send/resume", (("sample-throttled", "sample-whatsapp-media-file"),)),
)
_SMS: Final = _exercise("send/nomsa")
_FIRST_SMS: Final = _exercise("send/nomsa", is_cold=True)
_RECEIPT: Final = _exercise("webhook/nusasms-receipt-get")
_MONITOR: Final = _exercise("monitor/every-quarter-hour", is_cold=True)

_SEND: Final[Mapping[tuple[str, str], Exercise]] = {
    ("sqs:SendMessage", "SendQueue"): _exercise("send/throttled"),
    ("sqs:SendMessage", "UrgentQueue"): _exercise("send/throttled", _OTP),
    ("dynamodb:BatchGetItem", "MessagesTable"): _exercise("send/resume"),
    ("dynamodb:PartiQLInsert", "MessagesTable"): _SMS,
    ("dynamodb:PartiQLUpdate", "MessagesTable"): _SMS,
    ("dynamodb:BatchGetItem", "CorrelationsTable"): _exercise("send/nusasms", _EARLY_RECEIPT),
    ("dynamodb:PartiQLInsert", "CorrelationsTable"): _SMS,
    ("dynamodb:UpdateItem", "CorrelationsTable"): _exercise("send/nusasms", _EARLY_RECEIPT),
    ("dynamodb:BatchGetItem", "DirectoryTable"): _exercise("send/opted-out"),
    ("dynamodb:UpdateItem", "DirectoryTable"): _exercise("send/opt-in"),
    ("dynamodb:BatchGetItem", "MediaTable"): _DEFERRED_FILE,
    ("dynamodb:PutItem", "MediaTable"): _exercise("send/whatsapp-media-file"),
    ("dynamodb:DeleteItem", "MediaTable"): _exercise("send/whatsapp-media-file"),
    ("dynamodb:UpdateItem", "EncryptionKeysTable"): _exercise("send/encrypted"),
    ("dynamodb:PartiQLInsert", "AttemptsTable"): _exercise("send/throttled"),
    ("events:PutEvents", "EventBus"): _exercise("send/id-conflict"),
    ("ssm:GetParameter", "SettingsParameter"): _FIRST_SMS,
    ("secretsmanager:GetSecretValue", "ProviderSecret"): _FIRST_SMS,
    ("secretsmanager:GetSecretValue", "FingerprintSecret"): _FIRST_SMS,
}
_WEBHOOK: Final[Mapping[tuple[str, str], Exercise]] = {
    ("dynamodb:BatchGetItem", "MessagesTable"): _exercise("webhook/smspoh-receipt-get"),
    # The vendor sends its receipt while the permission is removed.
    ("dynamodb:PartiQLUpdate", "MessagesTable"): Exercise(before=(Step("send/nusasms"),)),
    ("dynamodb:BatchGetItem", "CorrelationsTable"): _RECEIPT,
    ("dynamodb:UpdateItem", "CorrelationsTable"): _RECEIPT,
    ("dynamodb:PutItem", "InboxTable"): _exercise("webhook/nusasms-sms-inbox"),
    ("dynamodb:GetItem", "InboxTable"): _exercise("webhook/nusasms-sms-inbox-stop"),
    ("dynamodb:UpdateItem", "DirectoryTable"): _exercise("webhook/nusasms-sms-inbox-stop"),
    ("ssm:GetParameter", "SettingsParameter"): _exercise("webhook/nusasms-sms-inbox", is_cold=True),
    ("secretsmanager:GetSecretValue", "ProviderSecret"): _exercise("webhook/nusasms-receipt-get", is_cold=True),
    ("secretsmanager:GetSecretValue", "FingerprintSecret"): _exercise("webhook/nusasms-sms-inbox-stop", is_cold=True),
}
_FOLLOW_UP: Final[Mapping[tuple[str, str], Exercise]] = {
    ("dynamodb:Query", "MessagesTable/index/due"): _exercise("follow_up/every-minute"),
    ("dynamodb:BatchGetItem", "MessagesTable"): _follow_up_exercise("sample-nomsa", "send/nomsa"),
    ("dynamodb:PartiQLUpdate", "MessagesTable"): _follow_up_exercise("sample-nomsa", "send/nomsa"),
    ("dynamodb:BatchGetItem", "CorrelationsTable"): _follow_up_exercise("sample-nomsa", "send/nomsa"),
    # The response of the vendor is lost, and reconciliation finds the message in its list.
    ("dynamodb:UpdateItem", "CorrelationsTable"): _follow_up_exercise("sample-nomsa", "send/nomsa", ("4510", "4518")),
    # The test gives Nomsa a rate for look-ups.
    ("dynamodb:UpdateItem", "DirectoryTable"): _follow_up_exercise("sample-nomsa", "send/nomsa"),
    ("sqs:SendMessage", "SendQueue"): _follow_up_exercise("sample-throttled", "send/throttled"),
    ("sqs:SendMessage", "UrgentQueue"): _follow_up_exercise("sample-throttled", "send/throttled", _OTP),
    ("ssm:GetParameter", "SettingsParameter"): _exercise("follow_up/every-minute", is_cold=True),
    ("secretsmanager:GetSecretValue", "ProviderSecret"): _exercise("follow_up/every-minute", is_cold=True),
}
_PUBLISH: Final = {
    ("events:PutEvents", "EventBus"): _exercise("publish/status-changed"),
    ("dynamodb:DeleteItem", "MediaTable"): _exercise("publish/canceled-with-file"),
    ("dynamodb:DeleteItem", "EncryptionKeysTable"): _exercise("publish/canceled-with-file"),
}
_MONITOR_ROLE: Final[Mapping[tuple[str, str], Exercise]] = {
    ("dynamodb:PutItem", "DirectoryTable"): _MONITOR,
    ("ssm:GetParameter", "SettingsParameter"): _MONITOR,
    ("secretsmanager:GetSecretValue", "ProviderSecret"): _MONITOR,
}

_CALLBACK: Final = {
    ("dynamodb:GetItem", "CallbacksTable"): _exercise("callback/status-changed"),
    ("dynamodb:PutItem", "CallbacksTable"): _exercise("callback/status-changed"),
    # No receiver listens, so the event is postponed.
    ("sqs:ChangeMessageVisibility", "CallbackQueue"): _exercise("callback/status-changed"),
    ("secretsmanager:GetSecretValue", "ProviderSecret"): _exercise("callback/status-changed", is_cold=True),
}

EXERCISES: Final[Mapping[Permission, Exercise]] = {
    Permission(role, action, resource): exercise
    for role, exercises in {
        "SendRole": _SEND,
        "WebhookRole": _WEBHOOK,
        "FollowUpRole": _FOLLOW_UP,
        "PublishRole": _PUBLISH,
        "MonitorRole": _MONITOR_ROLE,
        "CallbackRole": _CALLBACK,
    }.items()
    for (action, resource), exercise in exercises.items()
}

_LOGS_UNCHECKED: Final = "the local AWS writes logs of a function without checking its role"
_POLLING_UNCHECKED: Final = "the local AWS polls queues and streams for a function without checking its role"
_FAILURES_UNCHECKED: Final = "Lambda sends it with the role of the function; the local AWS does not check the role"
_OUTAGE_ONLY: Final = "only an outage of AWS needs it; without the permission, the visibility timeout applies"

NOT_ENFORCED: Final[Mapping[Permission, str]] = {
    **{
        Permission(f"{name}Role", action, f"{name}Log"): _LOGS_UNCHECKED
        for name in ("Send", "Webhook", "FollowUp", "Publish", "Monitor", "Callback")
        for action in ("logs:CreateLogStream", "logs:PutLogEvents")
    },
    **{
        Permission(role, action, queue): _POLLING_UNCHECKED
        for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
        for role, queue in (
            ("SendRole", "SendQueue"),
            ("SendRole", "UrgentQueue"),
            ("CallbackRole", "CallbackQueue"),
        )
    },
    **{
        Permission("SendRole", "sqs:ChangeMessageVisibility", queue): _OUTAGE_ONLY
        for queue in ("SendQueue", "UrgentQueue")
    },
    **{
        Permission("PublishRole", action, f"{table}/stream"): _POLLING_UNCHECKED
        for action in ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator")
        for table in ("MessagesTable", "InboxTable")
    },
    Permission("PublishRole", "dynamodb:ListStreams", "MessagesTable/stream/*"): _POLLING_UNCHECKED,
    Permission("PublishRole", "dynamodb:ListStreams", "InboxTable/stream/*"): _POLLING_UNCHECKED,
    Permission("PublishRole", "sqs:SendMessage", "PublishFailures"): _FAILURES_UNCHECKED,
}
"""Permissions that the local AWS does not check. The Lambda documentation requires each of them on AWS."""
