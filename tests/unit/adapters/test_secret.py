"""The secret on Secrets Manager: read at most once a minute, and not lost to a bad document."""

import json
from base64 import b64encode

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


class Secrets:
    """The secrets as an operator changes them, and the source that reads them."""

    def __init__(self, aws: Aws, clock: FixedClock, telemetry: RecordingTelemetry) -> None:
        self._manager = aws.client("secretsmanager")
        self._manager.create_secret(Name=FINGERPRINT, SecretString="key-1")
        self._manager.create_secret(Name=SECRET, SecretString=tokens("first"))
        self.reads = watch(self._manager, "GetSecretValue")
        self.source = SecretsManagerSecret(
            lambda: self._manager, arn=SECRET, fingerprint_arn=FINGERPRINT, clock=clock, telemetry=telemetry
        )

    def put(self, document: str, name: str = SECRET) -> None:
        self._manager.put_secret_value(SecretId=name, SecretString=document)

    def delete(self, name: str = SECRET) -> None:
        self._manager.delete_secret(SecretId=name)


@pytest.fixture
def secrets(aws: Aws, clock: FixedClock, telemetry: RecordingTelemetry) -> Secrets:
    return Secrets(aws, clock, telemetry)


def tokens(*tokens: str) -> str:
    return json.dumps({"webhook_tokens": tokens})


def document(**providers: object) -> str:
    return json.dumps({"webhook_tokens": ["t"]} | providers)


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


def test_cold_start_on_a_broken_secret_takes_the_previous_version(
    secrets: Secrets, telemetry: RecordingTelemetry
) -> None:
    secrets.put(document(nomsa={"api_key": "good"}))
    secrets.put('{"nomsa": {"api_key": "newer"}}')

    assert secrets.source.current() == Secret(webhook_tokens=("t",), credentials={"nomsa": {"api_key": "good"}})
    assert telemetry.counts == {("SecretBroken", None): 1}
    assert telemetry.lines == [
        (
            "error",
            "secret broken",
            {"why": "webhook_tokens: must be a list of one or more texts in printable ASCII"},
        ),
        ("warning", "older secret in use", {}),
    ]


def test_cold_start_without_a_valid_version_raises(secrets: Secrets) -> None:
    secrets.put("[]")
    secrets.put("{}")

    with pytest.raises(UnavailableError, match=r"^secret: no valid version$"):
        secrets.source.current()


def test_deleted_secret_is_broken_and_the_last_valid_one_stays(
    secrets: Secrets, clock: FixedClock, telemetry: RecordingTelemetry
) -> None:
    secrets.source.current()
    secrets.delete()
    clock.advance(minutes=1)

    assert secrets.source.current().webhook_tokens == ("first",)
    assert telemetry.counts == {("SecretBroken", None): 1}
    assert [line for _, line, _ in telemetry.lines] == ["secret broken"]


def test_deleted_fingerprint_key_is_unavailable(secrets: Secrets) -> None:
    secrets.delete(FINGERPRINT)

    with pytest.raises(UnavailableError, match=r"^fingerprint key: cannot be read: "):
        secrets.source.fingerprint_key()


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
    ("given", "expected"),
    [
        (["a", "b"], ("a", "b")),
        ("generated", ("generated",)),
        (["abc/def+gh="], ("abc/def+gh=",)),
        (["\ufeffa\n", " b\u200b"], ("a", "b")),
    ],
    ids=["list", "text", "base64", "white space"],
)
def test_webhook_tokens_are_a_list_or_a_text(given: object, expected: tuple[str, ...]) -> None:
    assert parse_secret(json.dumps({"webhook_tokens": given})) == Secret(webhook_tokens=expected)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"nomsa": {"api_key": "k"}, "smspoh": {"api_key": "k", "api_secret": "s"}},
         {"nomsa": {"api_key": "k"}, "smspoh": {"api_key": "k", "api_secret": "s"}}),
        ({"nomsa": {"api_key": "key\n"}}, {"nomsa": {"api_key": "key"}}),
        ({"nomsa": {"api_key": "\ufeff\u200b two words\u00a0\t"}}, {"nomsa": {"api_key": "two words"}}),
        ({"nomsa": {"api_key": "ke\ny"}}, {"nomsa": {}}),
        ({"nomsa": {"api_key": "ke\u200by"}}, {"nomsa": {}}),
        ({"nomsa": {"api_key": "cl\u00e9"}}, {"nomsa": {}}),
        ({"nomsa": {"api_key": " ", "limit": 10, "note": None}}, {"nomsa": {}}),
        ({"nomsa": "k"}, {"nomsa": {}}),
        ({"rotated_at": "yesterday", "other": {"a": "b"}}, {"rotated_at": {}, "other": {"a": "b"}}),
    ],
    ids=["complete", "newline", "invisible ends", "control character", "zero-width space", "not ASCII", "no text",
         "no object", "unknown names"],
)  # fmt: skip
def test_named_provider_has_the_credentials_that_a_header_can_hold(
    given: dict[str, object], expected: dict[str, dict[str, str]]
) -> None:
    assert parse_secret(document(**given)).credentials == expected


GOOD, ALSO_GOOD = (f"whsec_{b64encode(bytes([n]) * 24).decode()}" for n in (1, 2))


@pytest.mark.parametrize(
    ("given", "keys"),
    [
        ([GOOD], (bytes([1]) * 24,)),
        ([GOOD, ALSO_GOOD], (bytes([1]) * 24, bytes([2]) * 24)),
        (f" {GOOD}\n", (bytes([1]) * 24,)),
        ([], ()),
        (None, ()),
        ([GOOD, "whsec_broken"], ()),
        ([GOOD, 7], ()),
        ({"a": GOOD}, ()),
    ],
    ids=str,
)
def test_callbacks_have_keys_only_if_each_secret_is_usable_and_nothing_else_depends_on_them(
    given: object, keys: tuple[bytes, ...]
) -> None:
    credentials = {"nomsa": {"api_key": "k"}}

    assert parse_secret(document(callback_secrets=given, **credentials)) == Secret(
        webhook_tokens=("t",), credentials=credentials, callback_keys=keys
    )
    assert parse_secret(document(**credentials)).callback_keys == ()


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ('{"webhook_tokens": ["t"], "nomsa": {"api_key": "canary"}, "nomsa": {"api_key": "b"}}', "nomsa: occurs twice"),
        ('{"webhook_tokens": ["t"], "nomsa": {"api_key": "canary", "api_key": "b"}}', "api_key: occurs twice"),
        ('{"webhook_tokens": ["canary"], "webhook_tokens": ["t"]}', "webhook_tokens: occurs twice"),
    ],
)
def test_repeated_field_breaks_the_secret_and_is_named(document: str, why: str) -> None:
    with pytest.raises(BrokenDocumentError) as refusal:
        parse_secret(document)

    assert str(refusal.value) == why


@pytest.mark.parametrize(
    "broken",
    ["", "canary", '"canary"', "[" * 100_000, "{}", '{"nomsa": {"api_key": "canary"}}',
     '{"webhook_tokens": {"canary": 1}}', '{"webhook_tokens": ["canary", 1]}', '{"webhook_tokens": []}',
     '{"webhook_tokens": ["canary", ""]}', '{"webhook_tokens": ""}', '{"webhook_tokens": null}',
     '{"webhook_tokens": ["canary\\u0000x"]}', '{"webhook_tokens": [" \\n"]}', '{"webhook_tokens": 7}'],
)  # fmt: skip
def test_broken_secret_is_refused_without_its_values(broken: str) -> None:
    with pytest.raises(BrokenDocumentError) as refusal:
        parse_secret(broken)

    assert "canary" not in str(refusal.value)
    assert (refusal.value.__cause__, refusal.value.__suppress_context__) == (
        None,
        True,
    ) or not refusal.value.__context__
