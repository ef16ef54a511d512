"""The id of a caller in SQS's `SenderId`."""

import pytest

from sampai.domain.caller import parse_caller_id

SENDER_IDS = [
    ("an IAM user", "AIDACKCEVSQ6C2EXAMPLE", "AIDACKCEVSQ6C2EXAMPLE"),
    ("a role of an instance", "AROACKCEVSQ6C2EXAMPLE:i-0123456789abcdef0", "AROACKCEVSQ6C2EXAMPLE"),
    ("a role of another instance", "AROACKCEVSQ6C2EXAMPLE:i-0fedcba9876543210", "AROACKCEVSQ6C2EXAMPLE"),
    ("a session with a colon", "AROACKCEVSQ6C2EXAMPLE:a:b", "AROACKCEVSQ6C2EXAMPLE"),
    ("a federated user", "444455556666:sok", "444455556666"),
    ("an account", "444455556666", "444455556666"),
    ("none", None, None),
    ("empty", "", None),
    ("a session alone", ":i-0123456789abcdef0", None),
    ("an anonymous sender by IPv4", "192.0.2.7", None),
    ("an anonymous sender by IPv6", "2001:db8::7", None),
    ("a key with a separator", "AROA#x", None),
    ("a line break", "AROACKCEVSQ6C2EXAMPLE\n", None),
    ("too long", "A" * 129, None),
]


@pytest.mark.parametrize(("sender_id", "caller_id"), [s[1:] for s in SENDER_IDS], ids=[s[0] for s in SENDER_IDS])
def test_caller_is_the_part_before_the_session(sender_id: str | None, caller_id: str | None) -> None:
    assert parse_caller_id(sender_id) == caller_id
