"""Baselines for the send function: other implementations of it, measured next to it.

They accept the same requests and store the minimum of a sender: a claim before the call, the vendor's id after it. The
environment variables BASELINE_TABLE and VENDOR_URL contain the table's name and the vendor's address.
"""

import json
import os
from functools import cache
from typing import Any

import boto3
import requests
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)

_TIMEOUT = 10


@cache
def _client() -> Any:
    return boto3.client("dynamodb")


@cache
def _session() -> requests.Session:
    return requests.Session()


@cache
def _logger() -> Logger:
    return Logger(service="baseline")


def client_seq(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Plain and careful: for each record a conditional put, a POST in a session, an update, one after the other."""
    for record in event["Records"]:
        request = json.loads(record["body"])
        key = {"message_id": {"S": request["message_id"]}}
        _client().put_item(
            TableName=os.environ["BASELINE_TABLE"],
            Item={**key, "status": {"S": "sending"}, "body": {"S": record["body"]}},
            ConditionExpression="attribute_not_exists(message_id)",
        )
        answer = _session().post(os.environ["VENDOR_URL"], json=_document(request), headers=_HEADERS, timeout=_TIMEOUT)
        _client().update_item(
            TableName=os.environ["BASELINE_TABLE"],
            Key=key,
            UpdateExpression="SET #status = :status, provider_message_id = :id",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":status": {"S": "accepted"}, ":id": {"S": _id_in(answer)}},
        )
    return {"batchItemFailures": []}


def naive(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The common approach: Powertools' batch in sequence, idempotency for each record, no session, a table resource."""
    _config().register_lambda_context(context)
    processor = _processor()
    answer = process_partial_response(event=event, record_handler=_send_record, processor=processor, context=context)
    return {**answer}


def bare_post(event: dict[str, Any], context: Any) -> None:
    """Make only the calls: one POST in a session for each record."""
    for record in event["Records"]:
        document = _document(json.loads(record["body"]))
        answer = _session().post(os.environ["VENDOR_URL"], json=document, headers=_HEADERS, timeout=_TIMEOUT)
        answer.raise_for_status()


@cache
def _processor() -> BatchProcessor:
    return BatchProcessor(event_type=EventType.SQS)


@cache
def _config() -> IdempotencyConfig:
    return IdempotencyConfig(event_key_jmespath="message_id")


@cache
def _table() -> Any:
    return boto3.resource("dynamodb").Table(os.environ["BASELINE_TABLE"])


@cache
def _send_once() -> Any:
    store = DynamoDBPersistenceLayer(table_name=os.environ["IDEMPOTENCY_TABLE"])
    return idempotent_function(_send, data_keyword_argument="request", config=_config(), persistence_store=store)


def _send_record(record: Any) -> None:
    _send_once()(request=json.loads(record.body))


def _send(*, request: dict[str, Any]) -> dict[str, str]:
    _table().put_item(Item={"message_id": request["message_id"], "status": "sending", "request": request})
    answer = requests.post(os.environ["VENDOR_URL"], json=_document(request), headers=_HEADERS, timeout=_TIMEOUT)
    answer.raise_for_status()
    provider_message_id = _id_in(answer)
    _table().update_item(
        Key={"message_id": request["message_id"]},
        UpdateExpression="SET #status = :status, provider_message_id = :id",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":status": "accepted", ":id": provider_message_id},
    )
    _logger().info("sent", extra={"message_id": request["message_id"]})
    return {"provider_message_id": provider_message_id}


_HEADERS = {"Authorization": "Bearer benchmark"}


def _document(request: dict[str, Any]) -> dict[str, Any]:
    return {
        "to": request["recipient"],
        "message": request["content"]["text"],
        "from": "Sampai",
        "clientReference": request["message_id"],
    }


def _id_in(answer: requests.Response) -> str:
    provider_message_id: str = answer.json()["messages"][0]["messageId"]
    return provider_message_id
