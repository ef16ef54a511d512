"""The secret on Secrets Manager: read at most once a minute, and not lost to a bad document."""

import json

import pytest

from sampai.adapters.aws import Aws
from sampai.adapters.document import BrokenDocumentError
from sampai.adapters.secret import SecretsManagerSecret, parse_secret
from sampai.services.ports.configuration import Secret
from sampai.services.ports.runtime import UnavailableError
from tests.fakes import FixedClock, RecordingTelemetry
from tests.unit.adapters.calls import watch

SECRET = "sampai/providers"
FINGERPRINT = "sampai/fingerprint"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def telemetry() -> RecordingTelemetry:
    return RecordingTelemetry()


class Secrets:
    """The secrets as an operator changes them, and the source that reads them."""

    def __init__(self, aws: Aws, clock: FixedClock, telemetry: RecordingTelemetry) -> None:
        self._manager = aws.client("secretsmanager")
        self._manager.create_secret(Name=FINGERPRINT, SecretString="key-1")
        self._manager.create_secret(Name=SECRET, SecretString="{}")
        self.reads = watch(self._manager, "GetSecretValue")
        self.source = SecretsManagerSecret(
            lambda: self._manager, arn=SECRET, fingerprint_arn=FINGERPRINT, clock=clock, telemetry=telemetry
        )

    def put(self, document: str, name: str = SECRET) -> None:
        self._manager.put_secret_value(SecretId=name, SecretString=document)


@pytest.fixture
def secrets(aws: Aws, clock: FixedClock, telemetry: RecordingTelemetry) -> Secrets:
    return Secrets(aws, clock, telemetry)


def tokens(*tokens: str) -> str:
    return json.dumps({"webhook_tokens": tokens})


def test_a_secret_is_read_once_a_minute(secrets: Secrets, clock: FixedClock) -> None:
    secrets.put(tokens("first"))
    seen = [secrets.source.current().webhook_tokens]
    secrets.put(tokens("second", "first"))

    for _ in range(3):
        clock.advance(seconds=20)
        seen.append(secrets.source.current().webhook_tokens)

    assert (seen, len(secrets.reads)) == ([("first",)] * 3 + [("second", "first")], 2)


def test_a_flood_of_refreshes_reads_the_secret_every_five_seconds(secrets: Secrets, clock: FixedClock) -> None:
    for _ in range(20):
        secrets.source.refresh()
        secrets.source.current()
        clock.advance(seconds=1)

    assert len(secrets.reads) == 4


def test_a_refreshed_secret_is_the_new_one(secrets: Secrets, clock: FixedClock) -> None:
    secrets.put(tokens("first"))
    secrets.source.current()
    secrets.put(tokens("second"))
    clock.advance(seconds=5)

    secrets.source.refresh()

    assert secrets.source.current().webhook_tokens == ("second",)


def test_a_broken_secret_keeps_the_last_good_one_and_shows_no_value(
    secrets: Secrets, clock: FixedClock, telemetry: RecordingTelemetry
) -> None:
    secrets.put(tokens("first"))
    secrets.source.current()
    secrets.put('{"webhook_tokens": ["canary" "nomsa"')
    clock.advance(minutes=1)

    assert [secrets.source.current().webhook_tokens for _ in range(2)] == [("first",)] * 2
    assert telemetry.counts == {("SecretBroken", None): 1}
    assert telemetry.lines == [("error", "secret broken", {"why": "not JSON"})]


def test_cold_start_on_a_broken_secret_raises(secrets: Secrets) -> None:
    secrets.put("[]")

    with pytest.raises(UnavailableError, match=r"^secret: no valid version$"):
        secrets.source.current()


def test_an_outage_keeps_the_last_good_secret(
    secrets: Secrets, clock: FixedClock, telemetry: RecordingTelemetry
) -> None:
    secrets.put(tokens("first"))
    secrets.source.current()
    secrets.reads.cut()
    clock.advance(minutes=1)
    secrets.source.refresh()

    assert secrets.source.current().webhook_tokens == ("first",)
    assert telemetry.lines == [("warning", "secret not refreshed", {})]


def test_the_fingerprint_key_is_read_once(secrets: Secrets, clock: FixedClock) -> None:
    first = secrets.source.fingerprint_key()
    secrets.put("key-2", FINGERPRINT)
    clock.advance(days=1)
    secrets.source.refresh()

    assert (first, secrets.source.fingerprint_key(), secrets.reads.values("SecretId")) == (
        b"key-1",
        b"key-1",
        [FINGERPRINT],
    )


def test_function_without_a_fingerprint_key_cannot_read_it(
    aws: Aws, clock: FixedClock, telemetry: RecordingTelemetry
) -> None:
    source = SecretsManagerSecret(lambda: aws.client("secretsmanager"), arn=SECRET, clock=clock, telemetry=telemetry)

    with pytest.raises(UnavailableError, match=r"^fingerprint key: missing$"):
        source.fingerprint_key()


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, Secret()),
        ({"webhook_tokens": ["a", "b"]}, Secret(webhook_tokens=("a", "b"))),
        ({"webhook_tokens": "generated"}, Secret(webhook_tokens=("generated",))),
        (
            {"nomsa": {"api_key": "k"}, "smspoh": {"api_key": "k", "api_secret": "s"}},
            Secret(credentials={"nomsa": {"api_key": "k"}, "smspoh": {"api_key": "k", "api_secret": "s"}}),
        ),
        ({"nomsa": {"api_key": "", "limit": 10}}, Secret(credentials={"nomsa": {}})),
        ({"rotated_at": "yesterday", "nobody": None, "other": {"a": "b"}}, Secret(credentials={"other": {"a": "b"}})),
    ],
)
def test_secret_has_tokens_and_credentials(document: object, expected: Secret) -> None:
    assert parse_secret(json.dumps(document)) == expected


@pytest.mark.parametrize(
    "document",
    ["", "canary", '"canary"', "[" * 100_000, '{"webhook_tokens": {"canary": 1}}', '{"webhook_tokens": ["canary", 1]}',
     '{"webhook_tokens": ["canary", ""]}', '{"webhook_tokens": ""}', '{"webhook_tokens": null}'],
)  # fmt: skip
def test_error_about_a_broken_secret_shows_no_value(document: str) -> None:
    with pytest.raises(BrokenDocumentError) as refusal:
        parse_secret(document)

    assert "canary" not in str(refusal.value)
    assert (refusal.value.__cause__, refusal.value.__suppress_context__) == (
        None,
        True,
    ) or not refusal.value.__context__
