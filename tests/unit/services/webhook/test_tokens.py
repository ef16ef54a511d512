"""The token in the path of a webhook."""

import pytest

from sampai.domain.webhook_token import webhook_token
from sampai.services.ports.configuration import Secret
from sampai.services.webhook.tokens import is_valid_token
from tests.fakes import FixedSecret

OLD = Secret(webhook_tokens=("current-token", "previous-token"))
NEW = Secret(webhook_tokens=("new-token", "current-token"))


class RotatedSecret(FixedSecret):
    """Returns the old secret until it is refreshed."""

    def refresh(self) -> None:
        super().refresh()
        self.secret = NEW


@pytest.mark.parametrize(
    ("secret_token", "refreshes"), [("current-token", 0), ("previous-token", 0), ("new-token", 1)], ids=str
)
def test_every_token_of_the_secret_is_valid_during_a_rotation(secret_token: str, refreshes: int) -> None:
    secret = RotatedSecret(OLD)

    assert is_valid_token(webhook_token(secret_token, "smspoh"), "smspoh", secret)

    assert secret.refreshed == refreshes


@pytest.mark.parametrize(
    "token",
    [
        "",
        "current-token",
        webhook_token("current-token", "smspoh")[:-1],
        webhook_token("current-token", "nusasms"),
        webhook_token("other", "smspoh"),
        "half \ud83d",
    ],
)
def test_another_text_is_not_a_valid_token(token: str) -> None:
    assert not is_valid_token(token, "smspoh", RotatedSecret(OLD))


def test_without_tokens_no_token_is_valid() -> None:
    assert not is_valid_token("", "smspoh", FixedSecret(Secret()))
