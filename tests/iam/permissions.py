"""Parse the permissions of the roles, and translate them into the actions that the local AWS checks. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Pair = tuple[str, str]
"""An action and the ARN of its resource."""

LOCAL_ACTIONS: Final = {
    # PartiQL statements arrive as classic calls; the local AWS does not implement PartiQL actions.
    "dynamodb:PartiQLInsert": "dynamodb:PutItem",
    "dynamodb:PartiQLUpdate": "dynamodb:UpdateItem",
    # On AWS, each of these also allows its batch. The functions only use batches.
    "sqs:SendMessage": "sqs:SendMessageBatch",
    "sqs:ChangeMessageVisibility": "sqs:ChangeMessageVisibilityBatch",
}
"""Actions that the local AWS checks, by the action that AWS checks instead."""

_SECRET_SUFFIX: Final = re.compile("-[A-Za-z0-9]{6}")
_STREAM: Final = re.compile(r"/stream/[0-9TZ:.-]+")


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """One action on one resource, by logical ids. A part of a resource, such as an index, follows after a slash."""

    role: str
    action: str
    resource: str

    @property
    def function(self) -> str:
        """The logical id of the function that has the role."""
        return self.role.removesuffix("Role") + "Function"


def read_pairs(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield every pair of action and resource of a policy."""
    for statement in document["Statement"]:
        for action in _as_list(statement["Action"]):
            yield from ((action, resource) for resource in _as_list(statement["Resource"]))


def build_policy(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Return a policy that allows only these pairs."""
    statements = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in pairs]
    return {"Version": "2012-10-17", "Statement": statements}


def to_local_pair(pair: Pair) -> Pair:
    """Return a pair of the template with the action that the local AWS checks."""
    action, arn = pair
    return LOCAL_ACTIONS.get(action, action), arn


def logical_name(arn: str, physical_ids: Mapping[str, str]) -> str:
    """Return the logical id of the resource of an ARN. `physical_ids` are those of the stack, by logical id.

    Raise LookupError if the resource does not belong to the stack.
    """
    # The longest name first: a name can be the prefix of another, and the event bus has the name of the stack.
    for logical_id, physical_id in sorted(physical_ids.items(), key=lambda item: -len(item[1])):
        before, found, rest = arn.rpartition(physical_name(physical_id))
        if found and before[-1:] in (":", "/") and (suffix := _suffix(rest)) is not None:
            return logical_id + suffix
    raise LookupError(arn)


def physical_name(physical_id: str) -> str:
    """Return the name of a resource in calls and ARNs: for a queue, the last part of its URL."""
    return physical_id.rpartition("/")[2] if physical_id.startswith("http") else physical_id


def _suffix(rest: str) -> str | None:
    """Return the suffix of an ARN that names a part of the resource, or None if it belongs to a longer name."""
    if rest in ("", ":*") or _SECRET_SUFFIX.fullmatch(rest):
        return ""
    if _STREAM.fullmatch(rest):
        return "/stream"  # the timestamp of the stream does not matter
    return rest if rest.startswith("/") else None


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
