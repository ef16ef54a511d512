"""The table of numbers, conversations, template catalogues and quota counters. Each has its own prefix of the key."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from sampai.adapters.aws import unavailable
from sampai.adapters.dynamo import Item, get_all, to_ttl
from sampai.adapters.reading import Parsed, read_item
from sampai.domain.inbound import WINDOW, Conversation
from sampai.domain.quotas import QuotaCounter
from sampai.domain.template import Catalogue, TemplateInfo
from sampai.domain.times import from_text, to_text
from sampai.services.ports.eligibility import EligibilityData
from sampai.services.ports.telemetry import Telemetry

NUMBER: Final = "number#"
CONVERSATION: Final = "room#"
CATALOGUE: Final = "catalogue#"
COUNT: Final = "count#"

CONVERSATION_RETENTION: Final = WINDOW + timedelta(days=29)
"""A closed conversation still has the number to which a template can be sent instead."""

COUNT_RETENTION: Final = timedelta(days=1)
"""The time after the end of the hour or day, so that an operator can still see the counter."""


class DynamoDirectory:
    """Implements the ports EligibilityReader, SuppressionList, Conversations, TemplateCatalogues and QuotaCounters.

    `digest` returns the keyed digest of a number, under which its opt-out is kept: the number itself can be erased. It
    may raise UnavailableError.
    """

    def __init__(self, client: Any, *, table: str, digest: Callable[[str], str], telemetry: Telemetry) -> None:
        self._client = client
        self._table = table
        self._digest = digest
        self._telemetry = telemetry

    def look_up(
        self, *, numbers: Collection[str], conversations: Collection[str], catalogues: Collection[str]
    ) -> EligibilityData:
        digests = {number: self._digest(number) for number in numbers}
        requested = {NUMBER: digests.values(), CONVERSATION: conversations, CATALOGUE: catalogues}
        keys = [f"{prefix}{name}" for prefix, names in requested.items() for name in sorted(names)]
        with unavailable("directory"):
            items = {i["directory_key"]["S"]: i for i in get_all(self._client, self._table, "directory_key", keys)}
        by_number = {number: items.get(f"{NUMBER}{digest}") for number, digest in digests.items()}
        return EligibilityData(
            # An entry that cannot be read counts as an opt-out: a text not sent harms less than an unwanted one.
            opted_out=frozenset(
                number for number, item in by_number.items() if item and self._read(item, _parse_opt_out) is not False
            ),
            conversations={
                found.room_id: found
                for conversation in conversations
                if (item := items.get(f"{CONVERSATION}{conversation}"))
                and (found := self._read(item, partial(_parse_conversation, conversation)))
            },
            catalogues={
                name: catalogue
                for name in catalogues
                if (item := items.get(f"{CATALOGUE}{name}")) and (catalogue := self._read(item, _parse_catalogue))
            },
        )

    def _read(self, item: Item, parse: Callable[[Mapping[str, Any]], Parsed]) -> Parsed | None:
        return read_item(item, parse, table=self._table, key="directory_key", telemetry=self._telemetry)

    def set_opt_out(self, number: str, *, is_out: bool, at: datetime) -> None:
        self._update_unless_newer(
            f"{NUMBER}{self._digest(number)}",
            {"opted_out": {"BOOL": is_out}, "changed_at": {"S": to_text(at)}},
            time="changed_at",
            comparison="<=" if is_out else "<",
        )

    def record_conversation(self, conversation: Conversation) -> None:
        attributes = {
            "last_inbound_at": {"S": to_text(conversation.last_inbound_at)},
            "ttl": to_ttl(conversation.last_inbound_at, CONVERSATION_RETENTION),
        }
        if conversation.number is not None:
            attributes["number"] = {"S": conversation.number}
        self._update_unless_newer(
            f"{CONVERSATION}{conversation.room_id}", attributes, time="last_inbound_at", comparison="<"
        )

    def store_catalogue(self, provider: str, catalogue: Catalogue) -> None:
        item: Item = {
            "directory_key": {"S": f"{CATALOGUE}{provider}"},
            "refreshed_at": {"S": to_text(catalogue.refreshed_at)},
        }
        if catalogue.templates is not None:
            item["templates"] = {"S": json.dumps({name: asdict(info) for name, info in catalogue.templates.items()})}
        if catalogue.senders is not None:
            item["senders"] = {"L": [{"S": sender} for sender in sorted(catalogue.senders)]}
        with unavailable("directory"):
            self._client.put_item(TableName=self._table, Item=item)

    def increment(self, counter: QuotaCounter) -> bool:
        with unavailable("directory"):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key={"directory_key": {"S": f"{COUNT}{counter.key}"}},
                    UpdateExpression="ADD #count :one SET #ttl = :ttl",
                    # A blocked message is not counted, so a higher limit takes effect at once.
                    ConditionExpression="attribute_not_exists(#count) OR #count < :maximum",
                    ExpressionAttributeNames={"#count": "count", "#ttl": "ttl"},
                    ExpressionAttributeValues={
                        ":one": {"N": "1"},
                        ":maximum": {"N": str(counter.maximum)},
                        ":ttl": to_ttl(counter.ends_at, COUNT_RETENTION),
                    },
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return False
        return True

    def _update_unless_newer(self, key: str, attributes: Mapping[str, Item], *, time: str, comparison: str) -> None:
        """Set the attributes, unless the stored item has a newer time."""
        with unavailable("directory"):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key={"directory_key": {"S": key}},
                    UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
                    ConditionExpression=f"attribute_not_exists(#{time}) OR #{time} {comparison} :{time}",
                    ExpressionAttributeNames={f"#{name}": name for name in attributes},
                    ExpressionAttributeValues={f":{name}": value for name, value in attributes.items()},
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return


def _parse_opt_out(item: Mapping[str, Any]) -> bool:
    return item["opted_out"]["BOOL"] is True


def _parse_conversation(room_id: str, item: Mapping[str, Any]) -> Conversation:
    return Conversation(
        room_id=room_id,
        number=item["number"]["S"] if "number" in item else None,
        last_inbound_at=from_text(item["last_inbound_at"]["S"]),
    )


def _parse_catalogue(item: Mapping[str, Any]) -> Catalogue:
    templates = json.loads(item["templates"]["S"]) if "templates" in item else None
    return Catalogue(
        refreshed_at=from_text(item["refreshed_at"]["S"]),
        templates=None if templates is None else {name: _parse_info(info) for name, info in templates.items()},
        senders=frozenset(sender["S"] for sender in item["senders"]["L"]) if "senders" in item else None,
    )


def _parse_info(document: Mapping[str, Any]) -> TemplateInfo:
    """Return a template of a catalogue, also if an older or newer release wrote it."""
    return TemplateInfo(
        is_approved=document["is_approved"],
        header_format=document.get("header_format"),
        body_parameters=document.get("body_parameters"),
        buttons=document.get("buttons"),
    )
