"""Baselines: other implementations of the send function, and of the webhook function, measured next to them.

The senders accept the same requests and store the minimum: a claim before the call, the vendor's id after it. The
environment variables BASELINE_TABLE and VENDOR_URL contain the table's name and the vendor's address.
"""

import json
import os
from contextlib import suppress
from functools import cache
from typing import Any

import boto3
import requests
import urllib3
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
def _pool() -> urllib3.PoolManager:
    return urllib3.PoolManager()


@cache
def _logger() -> Logger:
    return Logger(service="baseline")


def sequential(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A plain handler: for each record a conditional put, a POST on urllib3, an update, one after another."""
    for record in event["Records"]:
        request = json.loads(record["body"])
        key = {"message_id": {"S": request["message_id"]}}
        _client().put_item(
            TableName=os.environ["BASELINE_TABLE"],
            Item={**key, "status": {"S": "sending"}, "body": {"S": record["body"]}},
            ConditionExpression="attribute_not_exists(message_id)",
        )
        response = _pool().request(
            "POST", os.environ["VENDOR_URL"], json=_document(request), headers=_HEADERS, timeout=_TIMEOUT
        )
        _client().update_item(
            TableName=os.environ["BASELINE_TABLE"],
            Key=key,
            UpdateExpression="SET #status = :status, provider_message_id = :id",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":status": {"S": "accepted"}, ":id": {"S": _id_in(response)}},
        )
    return {"batchItemFailures": []}


def naive(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The common approach: Powertools' batch in sequence, idempotency for each record, no session, a table resource."""
    _config().register_lambda_context(context)
    processor = _processor()
    response = process_partial_response(event=event, record_handler=_send_record, processor=processor, context=context)
    return {**response}


def bare_post(event: dict[str, Any], context: Any) -> None:
    """Make only the calls: one POST in a session for each record."""
    for record in event["Records"]:
        document = _document(json.loads(record["body"]))
        response = _session().post(os.environ["VENDOR_URL"], json=document, headers=_HEADERS, timeout=_TIMEOUT)
        response.raise_for_status()


def plain_receipt(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Process a receipt with one conditional update."""
    query = event["queryStringParameters"]
    with suppress(_client().exceptions.ConditionalCheckFailedException):
        _client().update_item(
            TableName=os.environ["BASELINE_TABLE"],
            Key={"message_id": {"S": query["clientReference"]}},
            UpdateExpression="SET #status = :status, #rank = :rank",
            ConditionExpression="#rank < :rank",
            ExpressionAttributeNames={"#status": "status", "#rank": "rank"},
            ExpressionAttributeValues={":status": {"S": query["status"]}, ":rank": {"N": "80"}},
        )
    return {"statusCode": 200, "body": "ok"}


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
    response = requests.post(os.environ["VENDOR_URL"], json=_document(request), headers=_HEADERS, timeout=_TIMEOUT)
    response.raise_for_status()
    provider_message_id = _id_in(response)
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


def _id_in(response: requests.Response | urllib3.BaseHTTPResponse) -> str:
    provider_message_id: str = response.json()["messages"][0]["messageId"]
    return provider_message_id
