"""The caller of a message: the IAM identity that put its request on the queue."""

import re
from dataclasses import dataclass
from typing import Final

CALLER_ID: Final = re.compile("[A-Za-z0-9]{5,128}", re.ASCII)
"""Pattern of the unique id of an IAM user or role, or of an account number. Use `fullmatch`.

The part of an IPv6 address before its first colon is shorter.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The principal of IAM that put a request on the queue."""

    id: str
    """The unique id of IAM. Limits are counted by it, so a new name does not start them again."""
    name: str
    """The name in the settings when the request came, or else the id."""

    @property
    def settings_path(self) -> str:
        """The place of the caller's rules in the settings, for the details of failures."""
        return f"callers.{self.id}"


def parse_caller_id(sender_id: str | None) -> str | None:
    """Return the id of a caller in SQS's `SenderId`, which the sender cannot set, or None if it has none.

    `SenderId` is `AIDA…` for an IAM user, `AROA…:session` for a role, and else an account number. Each instance of a
    service has a session of its own, so the session is left out. The address of an anonymous sender is no id.
    """
    caller_id = (sender_id or "").partition(":")[0]
    return caller_id if CALLER_ID.fullmatch(caller_id) else None
