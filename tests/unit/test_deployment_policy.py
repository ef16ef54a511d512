"""The rights of a deployment role, beside those that CloudFormation's own handlers say they need.

The handlers of the resource types are published with their schemas, which cfn-lint ships.
"""

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, Final

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from tests.template import ROOT
from tests.unit.test_transformed_template import RESOURCES

POLICY: Final[dict[str, Any]] = json.loads((ROOT / "examples/deployment-policy.json").read_text())
PAGE: Final = (ROOT / "docs/how-to/deployment-role.md").read_text()

NOT_USED: Final = {
    "dynamodb:*Replica": "no table is a global one",
    "dynamodb:*Item": "a global table is filled by it; a deployment must not read or write messages",
    "dynamodb:Scan": "as the items",
    "dynamodb:Query": "as the items",
    "dynamodb:*Import*": "no table is imported",
    "dynamodb:*KinesisStreamingDestination": "the streams are DynamoDB's own",
    "dynamodb:*ResourcePolicy": "no table has a policy of its own; the template only has them read",
    "dynamodb:UpdateContributorInsights": "not switched on",
    "iam:CreateServiceLinkedRole": "for global tables",
    "kinesis:*": "the streams are DynamoDB's own",
    "events:*Permission": "the bus has no policy",
    "iam:*GroupPolicy": "the policies belong to roles",
    "iam:*UserPolicy": "the policies belong to roles",
    "iam:*PermissionsBoundary": "no role has a boundary",
    "lambda:*CodeSigningConfig": "the code is not signed",
    "lambda:PutFunctionScalingConfig": "not set",
    "lambda:PutRuntimeManagementConfig": "not set",
    "lambda:AssociateRuntimeAlias": "not set",
    "lambda:PassCapacityProvider": "no capacity provider",
    "elasticfilesystem:*": "no file system",
    "s3files:*": "no file system",
    "firehose:*": "the log groups deliver to nobody",
    "logs:*DataProtectionPolicy": "the template sets none; it is only read",
    "logs:*IndexPolic*": "as that",
    "logs:DeleteResourcePolicy": "what API Gateway wrote for its log stays",
    "logs:PutBearerTokenAuthentication": "not set",
    "logs:PutLogGroupDeletionProtection": "not set",
    "logs:CreateLogStream": "for the report of an import",
    "logs:DescribeLogStreams": "for the report of an import",
    "logs:PutLogEvents": "for the report of an import",
    "secretsmanager:*Region*": "no secret is replicated",
    "s3:REST.PUT.OBJECT": "the log groups deliver to nobody",
    "s3:GetObjectMetadata": "for an import",
}
"""Actions of the handlers for which the template gives no cause, each with the reason."""

ON_THE_PAGE: Final = ("kms:", "ec2:")
"""Services that only some stacks need, with a key or a VPC of their own. The page has them."""


def actions(statements: list[dict[str, Any]]) -> Iterator[str]:
    for statement in statements:
        action = statement["Action"]
        yield from [action] if isinstance(action, str) else action


def needed(kind: str) -> set[str]:
    """Return the actions of the handlers that create, read, update and delete a type."""
    handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema("ap-southeast-1", kind).schema["handlers"]
    return {
        permission
        for operation in ("create", "read", "update", "delete")
        for permission in handlers.get(operation, {}).get("permissions", [])
    }


KINDS: Final = sorted({resource["Type"] for resource in RESOURCES.values()})
GRANTED: Final = set(actions(POLICY["Statement"]))


def is_granted(action: str) -> bool:
    return action.lower() in {granted.lower() for granted in GRANTED}


@pytest.mark.parametrize("kind", KINDS)
def test_the_role_has_the_rights_that_the_handler_of_each_resource_type_needs(kind: str) -> None:
    missing = {
        action
        for action in needed(kind)
        if not is_granted(action)
        and not action.startswith(ON_THE_PAGE)
        and not any(fnmatchcase(action, pattern) for pattern in NOT_USED)
    }

    assert missing == set()


def test_an_exception_is_made_for_an_action_that_some_handler_names() -> None:
    all_needed = {action for kind in KINDS for action in needed(kind)}

    assert {p for p in NOT_USED if not any(fnmatchcase(action, p) for action in all_needed)} == set()


def test_the_page_names_the_rights_for_a_key_and_a_vpc() -> None:
    used_elsewhere = {"kms:GenerateDataKeyWithoutPlaintext", "kms:ListAliases"} | {
        f"kms:{action}" for action in ("ReEncrypt", "ReEncryptFrom", "ReEncryptTo")
    }
    optional = {action for kind in KINDS for action in needed(kind) if action.startswith(ON_THE_PAGE)}

    assert {action for action in optional - used_elsewhere if f"`{action}`" not in PAGE} == set()


def test_a_right_that_is_not_bound_to_a_name_of_ours_is_one_that_has_none() -> None:
    free = {s["Sid"] for s in POLICY["Statement"] if s["Resource"] == "*"}

    assert free == {"Templates", "EventSources", "Passwords", "AccessLog"}
    assert not [action for action in GRANTED if "*" in action]


def test_no_deployment_reads_or_writes_messages() -> None:
    data = {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:Scan"}
    data |= {"sqs:SendMessage", "sqs:ReceiveMessage", "lambda:InvokeFunction"}

    assert data & GRANTED == set()


def test_the_policy_fits_into_a_role() -> None:
    text = json.dumps(POLICY, separators=(",", ":"))
    longest = text.replace("REGION", "ap-southeast-1").replace("ACCOUNT_ID", "1" * 12)

    assert len(longest) < 10_240  # what the policies written into a role may have together
