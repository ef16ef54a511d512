"""What the roles of the template may do, what of it the local AWS enforces, and in what words. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Pair = tuple[str, str]
"""An action and the ARN of what it may be done to."""

LOCAL_ACTIONS: Final = {
    # The functions' PartiQL arrives as classic calls; the local AWS has no rights for PartiQL of its own.
    "dynamodb:PartiQLInsert": "dynamodb:PutItem",
    "dynamodb:PartiQLUpdate": "dynamodb:UpdateItem",
    # On AWS the right to send one message is the right to send ten. The functions only ever send batches.
    "sqs:SendMessage": "sqs:SendMessageBatch",
}
"""What the local AWS asks for where AWS asks for something else."""

_SECRET_SUFFIX: Final = re.compile("-[A-Za-z0-9]{6}")
_STREAM: Final = re.compile(r"/stream/[0-9TZ:.-]+")


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """One action on one resource, by logical ids: what lies within a resource follows a slash."""

    role: str
    action: str
    resource: str

    @property
    def function(self) -> str:
        """The logical id of the function that has the role."""
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
    """Return a pair of the template in the words of the local AWS."""
    action, arn = pair
    return LOCAL_ACTIONS.get(action, action), arn


def name_of(arn: str, physical_ids: Mapping[str, str]) -> str:
    """Return the logical name of what an ARN names; `physical_ids` are those of the stack, by logical id.

    Raises LookupError if it is nothing of the stack's.
    """
    # The longest first: one name may begin like another, and the event bus is named like the stack.
    for logical_id, physical_id in sorted(physical_ids.items(), key=lambda item: -len(item[1])):
        before, found, within = arn.rpartition(physical_name(physical_id))
        if found and before[-1:] in (":", "/") and (place := _place(within)) is not None:
            return logical_id + place
    raise LookupError(arn)


def physical_name(physical_id: str) -> str:
    """Return the name under which calls and ARNs know a resource: of a queue, the end of its URL."""
    return physical_id.rpartition("/")[2] if physical_id.startswith("http") else physical_id


def _place(within: str) -> str | None:
    """Return the place within a resource that an ARN names after the resource, or None if the name goes on."""
    if within in ("", ":*") or _SECRET_SUFFIX.fullmatch(within):
        return ""
    if _STREAM.fullmatch(within):
        return "/stream"  # which generation of it does not matter
    return within if within.startswith("/") else None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
