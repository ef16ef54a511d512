"""The signatures of callbacks, verified by the library of the Standard Webhooks scheme."""

import base64
import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from sampai.domain.callback_signature import parse_key, sign

NEW, OLD = (f"whsec_{base64.b64encode(bytes([number]) * 32).decode()}" for number in (1, 2))
STRANGER = f"whsec_{base64.b64encode(bytes(24)).decode()}"
BODY = json.dumps({"type": "message.received", "data": {"text": "ありがとう"}}).encode()


def key_of(secret: str) -> bytes:
    key = parse_key(secret)
    assert key is not None
    return key


def headers(*secrets: str, now: float | None = None) -> dict[str, str]:
    timestamp = int(datetime.now(UTC).timestamp() if now is None else now)
    signature = sign([key_of(s) for s in secrets], callback_id="otp-4711/3", timestamp=timestamp, body=BODY)
    return {"webhook-id": "otp-4711/3", "webhook-timestamp": str(timestamp), "webhook-signature": signature}


@pytest.mark.parametrize("secret", [NEW, OLD], ids=["new", "old"])
def test_during_a_rotation_a_receiver_may_have_either_secret(secret: str) -> None:
    assert Webhook(secret).verify(BODY, headers(NEW, OLD)) == json.loads(BODY)


@pytest.mark.parametrize(
    ("secret", "body", "changed"),
    [
        (STRANGER, BODY, {}),
        (OLD, BODY, {}),
        (NEW, BODY.replace(b"received", b"rejected"), {}),
        (NEW, BODY, {"webhook-id": "otp-4711/4"}),
        (NEW, BODY, {"webhook-timestamp": str(int(datetime.now(UTC).timestamp()) - 60)}),
    ],
    ids=["another secret", "a removed secret", "another body", "another id", "another time"],
)
def test_the_library_refuses_a_callback_that_is_not_as_it_was_signed(
    secret: str, body: bytes, changed: dict[str, str]
) -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, headers(NEW) | changed)


def test_the_library_refuses_an_old_callback() -> None:
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(NEW).verify(BODY, headers(NEW, now=datetime.now(UTC).timestamp() - 600))


@pytest.mark.parametrize(
    ("secret", "size"),
    [
        (f"whsec_{base64.b64encode(bytes(24)).decode()}", 24),
        (f"whsec_{base64.b64encode(bytes(64)).decode()}", 64),
        (f"whsec_{base64.b64encode(bytes(23)).decode()}", None),
        (f"whsec_{base64.b64encode(bytes(65)).decode()}", None),
        (base64.b64encode(bytes(32)).decode(), None),
        ("whsec_", None),
        ("whsec_not base64 at all, but long enough!", None),
        (f"WHSEC_{base64.b64encode(bytes(32)).decode()}", None),
        ("", None),
    ],
)
def test_a_secret_has_its_prefix_and_24_to_64_bytes_in_base64(secret: str, size: int | None) -> None:
    key = parse_key(secret)

    assert (key and len(key)) == size
