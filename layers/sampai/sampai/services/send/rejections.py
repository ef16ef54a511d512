"""Requests that become no message of their own: the caller learns of them by an event."""

from collections.abc import Sequence

from sampai.contract.events import request_rejected
from sampai.contract.request import InvalidRequest
from sampai.domain.caller import Caller
from sampai.services.ports.telemetry import Telemetry
from sampai.services.send.batch import Batch, Record


def reject_unnamed(batch: Batch, record: Record, request: InvalidRequest) -> None:
    """Report an invalid request without a readable message id: its message is stored under the id of the record."""
    caller = batch.configuration.settings.caller(record.caller_id)
    batch.reject(
        [record.record_id], request_rejected(record.record_id, "invalid_request", request.detail, caller=caller)
    )


def reject_conflict(
    batch: Batch, message_id: str, record_ids: Sequence[str], caller: Caller | None, telemetry: Telemetry
) -> None:
    """Report a request with the message id of a different request. `caller` sent it."""
    detail = "message_id: already stands for a different request"
    batch.reject(record_ids, request_rejected(message_id, "id_conflict", detail, caller=caller))
    telemetry.warning("id conflict", message_id=message_id, caller=None if caller is None else caller.name)
    telemetry.count("IdConflict")
