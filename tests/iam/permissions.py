"""The permissions of the template's roles, and their names on the local AWS. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Pair = tuple[str, str]
"""An action and the ARN of its resource."""

LOCAL_ACTIONS: Final = {
    # The functions' PartiQL arrives as classic calls; the local AWS has no permissions for PartiQL.
    "dynamodb:PartiQLInsert": "dynamodb:PutItem",
    "dynamodb:PartiQLUpdate": "dynamodb:UpdateItem",
    # On AWS the permission for one message includes batches. The functions send only batches.
    "sqs:SendMessage": "sqs:SendMessageBatch",
}
"""Actions that the local AWS checks instead of those of AWS."""

_SECRET_SUFFIX: Final = re.compile("-[A-Za-z0-9]{6}")
_STREAM: Final = re.compile(r"/stream/[0-9TZ:.-]+")

DOUBLE_SLASH: Final = ":parameter//"
"""The local AWS begins the names of parameters with a slash. On AWS the generated names have none."""


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """One action on one resource, by logical ids: a part of a resource follows a slash."""

    role: str
    action: str
    resource: str

    @property
    def function(self) -> str:
        """The logical id of the function with the role."""
        return self.role.removesuffix("Role") + "Function"


def pairs_of(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the actions and resources of a policy, each with each within a statement."""
    for statement in document["Statement"]:
        for action in _listed(statement["Action"]):
            yield from ((action, resource) for resource in _listed(statement["Resource"]))


def document_of(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Return the policy that allows these pairs and nothing else."""
    statements = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in pairs]
    return {"Version": "2012-10-17", "Statement": statements}


def enforced(pair: Pair) -> Pair:
    """Return the pair that the local AWS checks for a pair of the template."""
    action, arn = pair
    return LOCAL_ACTIONS.get(action, action), arn.replace(DOUBLE_SLASH, DOUBLE_SLASH[:-1])


def name_of(arn: str, physical_ids: Mapping[str, str]) -> str:
    """Return the logical name of an ARN; `physical_ids` are those of the stack, by logical id.

    Raises LookupError if the stack has no such resource.
    """
    # The longest first: a name may be the start of another, and the event bus has the name of the stack.
    for logical_id, physical_id in sorted(physical_ids.items(), key=lambda item: -len(item[1])):
        before, found, within = arn.rpartition(physical_name(physical_id))
        if found and before[-1:] in (":", "/") and (place := _place(within)) is not None:
            return logical_id + place
    raise LookupError(arn)


def physical_name(physical_id: str) -> str:
    """Return the name of a resource in calls and ARNs: for a queue, the end of its URL."""
    return physical_id.rpartition("/")[2] if physical_id.startswith("http") else physical_id


def _place(within: str) -> str | None:
    """Return the part of an ARN after the resource, or None if the name continues."""
    if within in ("", ":*") or _SECRET_SUFFIX.fullmatch(within):
        return ""
    if _STREAM.fullmatch(within):
        return "/stream"  # any generation of it
    return within if within.startswith("/") else None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
