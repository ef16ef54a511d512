"""The commands, on the tables of a stack."""

from dataclasses import dataclass
from datetime import UTC, datetime

from local.smoke.target import Target
from sampai.adapters.attempts import DynamoAttempts
from sampai.adapters.aws import unavailable
from sampai.adapters.directory import NUMBER
from sampai.adapters.encryption_keys import DynamoEncryptionKeys
from sampai.adapters.personal_data import DynamoPersonalData
from sampai.adapters.store import DynamoStore
from sampai.adapters.telemetry import PowertoolsTelemetry
from sampai.domain.recipient import keyed_digest
from sampai.services.erase import EraseService


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """The latest opt-out or opt-in of a number or an e-mail address."""

    opted_out: bool
    changed_at: str


def erase_service(target: Target) -> EraseService:
    dynamodb = target.client("dynamodb")
    messages = target.outputs["MessagesTableName"]
    return EraseService(
        personal_data=DynamoPersonalData(
            dynamodb,
            messages_table=messages,
            inbox_table=target.resource("InboxTable"),
            directory_table=target.resource("DirectoryTable"),
            media_table=target.resource("MediaTable"),
        ),
        messages=DynamoStore(
            dynamodb,
            messages_table=messages,
            correlations_table=target.resource("CorrelationsTable"),
            clock=_clock,
            telemetry=PowertoolsTelemetry(service="sampai-erase", level="ERROR", namespace="Sampai"),
        ),
        encryption_keys=DynamoEncryptionKeys(dynamodb, table=target.outputs["EncryptionKeysTableName"]),
        attempts=DynamoAttempts(dynamodb, table=target.outputs["AttemptsTableName"]),
        clock=_clock,
    )


def read_consent(target: Target, recipient: str) -> Consent | None:
    """Return the entry of a recipient in the suppression list, or None. Raises UnavailableError."""
    with unavailable("fingerprint key"):
        key = target.client("secretsmanager").get_secret_value(SecretId=target.resource("FingerprintSecret"))
    entry = {"directory_key": {"S": f"{NUMBER}{keyed_digest(recipient, key['SecretString'].encode())}"}}
    with unavailable("directory"):
        answer = target.client("dynamodb").get_item(
            TableName=target.resource("DirectoryTable"), Key=entry, ConsistentRead=True
        )
    item = answer.get("Item")
    return item and Consent(opted_out=item["opted_out"]["BOOL"], changed_at=item["changed_at"]["S"])


def _clock() -> datetime:
    """Return the present instant as finely as the store keeps it, in milliseconds."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
