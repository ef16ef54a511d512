"""The JSON Schemas of the public documents, with an example of each."""

import json
import tomllib
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints, is_typeddict

from pydantic import BaseModel, Field, TypeAdapter
from typing_extensions import TypedDict

from sampai.contract.events import (
    DETAIL_TYPES,
    Event,
    message_received,
    request_rejected,
    status_changed,
)
from sampai.contract.request import CancelRequest, OptInRequest, OptOutRequest, SendRequest
from sampai.contract.settings import Settings
from sampai.domain.caller import Caller
from sampai.domain.failure import Failure, Reason
from sampai.domain.inbound import Inbound
from sampai.domain.message import Channel, HistoryEntry, Message
from sampai.domain.segments import Encoding
from sampai.domain.status import Source, Status

ROOT: Final = Path(__file__).parents[1]
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

REQUESTS: Final[dict[str, tuple[type[BaseModel], tuple[str, ...]]]] = {
    "send-request": (
        SendRequest,
        ("otp", "scheduled", "campaign", "email", "whatsapp-media-url", "whatsapp-official-template"),
    ),
    "cancel-request": (CancelRequest, ("cancel",)),
    "opt-out-request": (OptOutRequest, ("opt-out",)),
    "opt-in-request": (OptInRequest, ("opt-in",)),
}
"""The model of each kind of request, and the sample events in `events/send` that are its examples."""

EVENTS: Final = {detail_type.lower().replace(" ", "-"): detail_type for detail_type in DETAIL_TYPES}
"""The `detail-type` of each kind of event, by the name of its schema."""

_CALLER: Final = Caller(id="AROAEXAMPLEPAYMENTS01", name="payments")
_AT: Final = datetime(2026, 11, 21, 10, 0, 4, 120_000, tzinfo=UTC)


def version() -> str:
    """Return the version of the public contract, which is that of the product."""
    project: str = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return project


def schemas_by_name() -> dict[str, Schema]:
    """Return the JSON Schemas of the public documents."""
    requests = {
        name: _document(name, model.model_json_schema(), [_sample(file) for file in files])
        for name, (model, files) in REQUESTS.items()
    }
    settings = _document("settings", _without_required(Settings.model_json_schema()), [_SETTINGS])
    events = {name: _of_event(name, detail_type) for name, detail_type in EVENTS.items()}
    return requests | {"settings": settings} | events


def _document(name: str, schema: Schema, examples: list[Any]) -> Schema:
    head = {"$schema": DIALECT, "$id": f"urn:sampai:{version()}:{name}", "version": version()}
    return {**head, **schema, "examples": examples}


def _of_event(name: str, detail_type: str) -> Schema:
    """Return the schema of an event. It allows more fields, because later versions may add some."""
    examples = [dict(event.detail) for event in _example_events() if event.detail_type == detail_type]
    return _document(name, TypeAdapter(_portable(DETAIL_TYPES[detail_type])).json_schema(), examples)


def _portable(hint: Any) -> Any:
    """Return a TypedDict of typing_extensions, as pydantic requires before Python 3.12, with the fields' keywords."""
    if get_origin(hint) is Annotated:
        inner, keywords = get_args(hint)
        return Annotated[_portable(inner), Field(json_schema_extra=keywords)]
    if isinstance(hint, UnionType):
        return reduce(or_, map(_portable, get_args(hint)))
    if not is_typeddict(hint):
        return hint
    fields = {name: _portable(field) for name, field in get_type_hints(hint, include_extras=True).items()}
    portable = TypedDict(hint.__name__, fields)  # type: ignore[misc]
    portable.__doc__ = hint.__doc__
    return portable


def _without_required(schema: Any) -> Any:
    """Return a schema without required fields, because an operator's document is merged over the defaults."""
    if isinstance(schema, list):
        return [_without_required(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: _without_required(value) for name, value in schema.items() if name != "required"}


# --- examples -------------------------------------------------------------------------------------------------------

_SETTINGS: Final = {
    "routes": {"sms": {"KH": ["nomsa"], "*": ["smspoh"]}},
    "providers": {"nomsa": {"sender": "mcs-otp", "max_per_second": 20}},
    "limits": {"per_recipient_per_day": 10},
    "callers": {"AROAEXAMPLEPAYMENTS01": {"name": "payments", "limits": {"per_day": 50_000}}},
}


def _sample(file: str) -> Any:
    records = json.loads((ROOT / "events" / "send" / f"{file}.json").read_text(encoding="utf-8"))["Records"]
    return json.loads(records[0]["body"])


def _example_events() -> list[Event]:
    delivered = Message(
        message_id="otp-4711",
        status=Status.DELIVERED,
        sequence=4,
        recipient="+85591234510",
        provider="nomsa",
        provider_message_id="64e5f0a1b2c3d4e5f6a7b8c9",
        metadata={"order": "4711"},
        segments=1,
        encoding=Encoding.GSM7,
        caller=_CALLER,
        created_at=_AT,
        updated_at=_AT,
        occurred_at=_AT,
        history=(HistoryEntry(status=Status.DELIVERED, at=_AT, source=Source.POLL),),
    )
    refused = Message(
        message_id="bill-4711",
        status=Status.FAILED,
        sequence=1,
        failure=Failure(reason=Reason.INVALID_REQUEST, detail="content.text: required"),
        created_at=_AT,
        updated_at=_AT,
        occurred_at=_AT,
        history=(HistoryEntry(status=Status.FAILED, at=_AT, source=Source.SEND),),
    )
    inbound = Inbound(
        provider="nusasms",
        channel=Channel.WHATSAPP_OFFICIAL,
        provider_message_id="SMPL00000000000000004711",
        sender="+6281234567810",
        text="When is my parcel coming?",
        room_id="a0000000-0000-4000-8000-000000000001",
        received_at=_AT,
    )
    return [
        status_changed(delivered, previous=Status.SENT),
        status_changed(refused, previous=None),
        message_received(inbound, now=_AT),
        request_rejected(
            "otp-4711", "id_conflict", "message_id: already stands for a different request", caller=_CALLER
        ),
    ]
