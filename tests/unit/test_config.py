"""Settings and secret: read at most once a minute, and never lost to a bad document."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from sampai.adapters.aws import Aws
from sampai.adapters.document import BrokenDocumentError
from sampai.adapters.secret import SecretsManagerSecret, parse_secret
from sampai.adapters.settings import OLDER_VERSIONS, SsmSettings
from sampai.contract.settings import Settings, parse_settings
from sampai.domain.message import Channel
from sampai.services.ports.configuration import Secret
from sampai.services.ports.runtime import UnavailableError
from tests.covers import covers
from tests.fakes import FixedClock, RecordingTelemetry

NAME = "/sampai/settings"
SECRET = "sampai/providers"
FINGERPRINT = "sampai/fingerprint"


class Client:
    """An AWS client that counts its calls and can be cut off."""

    def __init__(self, real: Any) -> None:
        self.calls: list[str] = []
        self.is_cut = False
        self.refusal: str | None = None
        """The error code that answers every call."""
        self._real = real

    def __getattr__(self, name: str) -> Any:
        def call(**parameters: Any) -> Any:
            self.calls.append(next(iter(parameters.values())))
            if self.refusal:
                raise ClientError({"Error": {"Code": self.refusal}}, name)
            if self.is_cut:
                self._real.meta.events.register_first("before-send", _refuse)
            try:
                return getattr(self._real, name)(**parameters)
            finally:
                self._real.meta.events.unregister("before-send", _refuse)

        return call


def _refuse(**_: Any) -> None:
    raise EndpointConnectionError(endpoint_url="http://127.0.0.1")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-southeast-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        yield Aws()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def telemetry() -> RecordingTelemetry:
    return RecordingTelemetry()


# --- settings -------------------------------------------------------------------------------------------------------


class Parameter:
    """The parameter as an operator changes it, and the source that reads it."""

    def __init__(self, aws: Aws, clock: FixedClock, telemetry: RecordingTelemetry) -> None:
        self._ssm = aws.client("ssm")
        self.client = Client(self._ssm)
        self.source = SsmSettings(lambda: self.client, name=NAME, clock=clock, telemetry=telemetry)

    def put(self, *documents: str) -> None:
        for document in documents:
            self._ssm.put_parameter(Name=NAME, Value=document, Type="String", Overwrite=True)

    def delete(self) -> None:
        self._ssm.delete_parameter(Name=NAME)


@pytest.fixture
def parameter(aws: Aws, clock: FixedClock, telemetry: RecordingTelemetry) -> Parameter:
    return Parameter(aws, clock, telemetry)


def horizon(hours: int) -> str:
    return json.dumps({"report_horizon_hours": hours})


BROKEN = '{"report_horizon_hours": "never"}'


def test_settings_are_read_once_a_minute(parameter: Parameter, clock: FixedClock) -> None:
    parameter.put(horizon(1))
    seen = [parameter.source.current().report_horizon_hours]
    parameter.put(horizon(2))

    for _ in range(3):
        clock.advance(seconds=20)
        seen.append(parameter.source.current().report_horizon_hours)

    assert (seen, parameter.client.calls) == ([1, 1, 1, 2], [NAME, NAME])


def test_an_empty_document_is_complete(parameter: Parameter) -> None:
    parameter.put("{}")

    assert parameter.source.current().route_of(Channel.SMS, "KH") == ("nomsa",)


def test_a_broken_document_keeps_the_last_good_one_and_rings_once_for_each_reading(
    parameter: Parameter, clock: FixedClock, telemetry: RecordingTelemetry
) -> None:
    parameter.put(horizon(1))
    parameter.source.current()
    parameter.put(BROKEN)

    seen = []
    for _ in range(4):
        clock.advance(seconds=30)
        seen.append(parameter.source.current().report_horizon_hours)

    assert (seen, telemetry.counts) == ([1, 1, 1, 1], {("SettingsBroken", None): 2})
    level, what, fields = telemetry.lines[0]
    assert (level, what) == ("error", "settings broken")
    assert "report_horizon_hours" in fields["why"]
    assert "never" not in fields["why"]


def test_a_cold_start_on_a_broken_document_takes_the_newest_good_one_before_it(
    parameter: Parameter, telemetry: RecordingTelemetry
) -> None:
    parameter.put(horizon(1), horizon(2), BROKEN, "not JSON")

    assert parameter.source.current().report_horizon_hours == 2
    assert telemetry.counts == {("SettingsBroken", None): 1}
    assert telemetry.lines[1:] == [("warning", "older settings in use", {"version": 2})]


def test_a_cold_start_gives_up_after_a_number_of_broken_documents(
    parameter: Parameter, telemetry: RecordingTelemetry
) -> None:
    parameter.put(horizon(1), *[BROKEN] * (OLDER_VERSIONS + 1))

    with pytest.raises(UnavailableError):
        parameter.source.current()

    assert len(parameter.client.calls) == 1 + OLDER_VERSIONS
    assert telemetry.counts == {("SettingsBroken", None): 1}


def test_settings_that_were_broken_at_the_cold_start_are_taken_as_soon_as_they_are_mended(parameter: Parameter) -> None:
    parameter.put(BROKEN)
    with pytest.raises(UnavailableError):
        parameter.source.current()
    parameter.put(horizon(3))

    assert parameter.source.current().report_horizon_hours == 3


def test_an_absent_parameter_reads_as_an_empty_document(
    parameter: Parameter, clock: FixedClock, telemetry: RecordingTelemetry
) -> None:
    seen = [parameter.source.current()]
    clock.advance(seconds=60)
    seen.append(parameter.source.current())

    assert seen == [parse_settings("{}")] * 2
    assert (telemetry.lines, telemetry.counts) == ([], {})


def test_a_parameter_that_an_operator_creates_later_takes_effect_within_a_minute(
    parameter: Parameter, clock: FixedClock
) -> None:
    parameter.source.current()
    parameter.put(horizon(3))
    clock.advance(seconds=60)

    assert parameter.source.current().report_horizon_hours == 3


def test_a_deleted_parameter_keeps_the_last_good_settings_and_rings(
    parameter: Parameter, clock: FixedClock, telemetry: RecordingTelemetry
) -> None:
    parameter.put(horizon(1))
    parameter.source.current()
    parameter.delete()
    clock.advance(seconds=60)

    assert parameter.source.current().report_horizon_hours == 1
    assert telemetry.counts == {("SettingsBroken", None): 1}
    assert telemetry.lines == [("error", "settings broken", {"why": "the parameter was deleted"})]


def test_another_error_is_not_taken_for_an_absent_parameter(parameter: Parameter) -> None:
    parameter.client.refusal = "AccessDeniedException"

    with pytest.raises(UnavailableError, match=r"^settings: AccessDeniedException$"):
        parameter.source.current()


def test_an_outage_keeps_the_last_good_settings_for_another_minute(
    parameter: Parameter, clock: FixedClock, telemetry: RecordingTelemetry
) -> None:
    parameter.put(horizon(1))
    parameter.source.current()
    parameter.client.is_cut = True

    clock.advance(seconds=60)
    seen: list[Settings] = [parameter.source.current() for _ in range(3)]

    assert [settings.report_horizon_hours for settings in seen] == [1, 1, 1]
    assert telemetry.lines == [("warning", "settings not refreshed", {})]
    assert (len(parameter.client.calls), telemetry.counts) == (2, {})


def test_an_outage_at_the_cold_start_is_told(parameter: Parameter) -> None:
    parameter.put(horizon(1))
    parameter.client.is_cut = True

    with pytest.raises(UnavailableError, match=r"^settings: EndpointConnectionError$"):
        parameter.source.current()


@covers("Q10")
def test_a_clock_that_was_set_back_does_not_keep_old_settings(parameter: Parameter, clock: FixedClock) -> None:
    parameter.put(horizon(1))
    parameter.source.current()
    parameter.put(horizon(2))
    clock.advance(days=-1)

    assert parameter.source.current().report_horizon_hours == 2


# --- secret ---------------------------------------------------------------------------------------------------------


class Secrets:
    """The secrets as an operator changes them, and the source that reads them."""

    def __init__(self, aws: Aws, clock: FixedClock, telemetry: RecordingTelemetry) -> None:
        self._manager = aws.client("secretsmanager")
        self._manager.create_secret(Name=FINGERPRINT, SecretString="key-1")
        self._manager.create_secret(Name=SECRET, SecretString="{}")
        self.client = Client(self._manager)
        self.source = SecretsManagerSecret(
            lambda: self.client, arn=SECRET, fingerprint_arn=FINGERPRINT, clock=clock, telemetry=telemetry
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

    assert (seen, len(secrets.client.calls)) == ([("first",)] * 3 + [("second", "first")], 2)


def test_a_flood_of_refreshes_reads_the_secret_every_five_seconds(secrets: Secrets, clock: FixedClock) -> None:
    for _ in range(20):
        secrets.source.refresh()
        secrets.source.current()
        clock.advance(seconds=1)

    assert len(secrets.client.calls) == 4


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


def test_a_cold_start_on_a_broken_secret_is_told(secrets: Secrets) -> None:
    secrets.put("[]")

    with pytest.raises(UnavailableError, match=r"^secret: none that is good$"):
        secrets.source.current()


def test_an_outage_keeps_the_last_good_secret(
    secrets: Secrets, clock: FixedClock, telemetry: RecordingTelemetry
) -> None:
    secrets.put(tokens("first"))
    secrets.source.current()
    secrets.client.is_cut = True
    clock.advance(minutes=1)
    secrets.source.refresh()

    assert secrets.source.current().webhook_tokens == ("first",)
    assert telemetry.lines == [("warning", "secret not refreshed", {})]


def test_the_fingerprint_key_is_read_once(secrets: Secrets, clock: FixedClock) -> None:
    first = secrets.source.fingerprint_key()
    secrets.put("key-2", FINGERPRINT)
    clock.advance(days=1)
    secrets.source.refresh()

    assert (first, secrets.source.fingerprint_key(), secrets.client.calls) == (
        b"key-1",
        b"key-1",
        [FINGERPRINT],
    )


def test_a_function_without_a_fingerprint_key_cannot_ask_for_it(
    secrets: Secrets, clock: FixedClock, telemetry: RecordingTelemetry
) -> None:
    source = SecretsManagerSecret(lambda: secrets.client, arn=SECRET, clock=clock, telemetry=telemetry)

    with pytest.raises(UnavailableError, match=r"^fingerprint key: none$"):
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
def test_a_secret_says_tokens_and_credentials(document: object, expected: Secret) -> None:
    assert parse_secret(json.dumps(document)) == expected


@pytest.mark.parametrize(
    "document",
    ["", "canary", '"canary"', "[" * 100_000, '{"webhook_tokens": {"canary": 1}}', '{"webhook_tokens": ["canary", 1]}',
     '{"webhook_tokens": ["canary", ""]}', '{"webhook_tokens": ""}', '{"webhook_tokens": null}'],
)  # fmt: skip
def test_a_broken_secret_is_refused_without_its_values(document: str) -> None:
    with pytest.raises(BrokenDocumentError) as refusal:
        parse_secret(document)

    assert "canary" not in str(refusal.value)
    assert (refusal.value.__cause__, refusal.value.__suppress_context__) == (
        None,
        True,
    ) or not refusal.value.__context__


# --- AWS ------------------------------------------------------------------------------------------------------------


def test_a_service_has_one_client(aws: Aws) -> None:
    assert aws.client("sqs") is aws.client("sqs")
    assert aws.client("sqs").meta.service_model.service_name == "sqs"
