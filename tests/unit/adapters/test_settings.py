"""The settings on SSM: read at most once a minute, and not lost to a bad document."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sampai.adapters.aws import Aws
from sampai.adapters.settings import MAX_OLDER_VERSIONS, SsmSettings
from sampai.contract.settings import Settings, parse_settings
from sampai.domain.message import Channel
from sampai.services.ports.runtime import UnavailableError
from tests.covers import covers
from tests.fakes import FixedClock, RecordingTelemetry
from tests.unit.adapters.calls import watch

NAME = "/sampai/settings"


class Parameter:
    """The parameter as an operator changes it, and the source that reads it."""

    def __init__(self, aws: Aws, clock: FixedClock, telemetry: RecordingTelemetry) -> None:
        self._ssm = aws.client("ssm")
        self.reads = watch(self._ssm, "GetParameter")
        self.source = SsmSettings(lambda: self._ssm, name=NAME, clock=clock, telemetry=telemetry)

    def put(self, *documents: str) -> None:
        for document in documents:
            self._ssm.put_parameter(Name=NAME, Value=document, Type="String", Overwrite=True)

    def delete(self) -> None:
        self._ssm.delete_parameter(Name=NAME)

    def refuse(self, code: str) -> None:
        """Let every further read fail with an error code of AWS."""

        def fail(**_: Any) -> None:
            raise ClientError({"Error": {"Code": code}}, "GetParameter")

        self._ssm.meta.events.register("before-call.ssm.GetParameter", fail)


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

    assert (seen, parameter.reads.values("Name")) == ([1, 1, 1, 2], [NAME, NAME])


def test_an_empty_document_is_complete(parameter: Parameter) -> None:
    parameter.put("{}")

    assert parameter.source.current().route_of(Channel.SMS, "KH") == ("nomsa",)


def test_broken_document_keeps_the_last_good_one_and_counts_once_for_each_reading(
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
    parameter.put(horizon(1), *[BROKEN] * (MAX_OLDER_VERSIONS + 1))

    with pytest.raises(UnavailableError):
        parameter.source.current()

    assert len(parameter.reads) == 1 + MAX_OLDER_VERSIONS
    assert telemetry.counts == {("SettingsBroken", None): 1}


def test_settings_that_were_broken_at_the_cold_start_are_used_once_they_are_fixed(parameter: Parameter) -> None:
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


def test_another_error_is_not_read_as_an_absent_parameter(parameter: Parameter) -> None:
    parameter.refuse("AccessDeniedException")

    with pytest.raises(UnavailableError, match=r"^settings: AccessDeniedException$"):
        parameter.source.current()


def test_an_outage_keeps_the_last_good_settings_for_another_minute(
    parameter: Parameter, clock: FixedClock, telemetry: RecordingTelemetry
) -> None:
    parameter.put(horizon(1))
    parameter.source.current()
    parameter.reads.cut()

    clock.advance(seconds=60)
    seen: list[Settings] = [parameter.source.current() for _ in range(3)]

    assert [settings.report_horizon_hours for settings in seen] == [1, 1, 1]
    assert telemetry.lines == [("warning", "settings not refreshed", {})]
    assert (len(parameter.reads), telemetry.counts) == (2, {})


def test_outage_at_the_cold_start_raises(parameter: Parameter) -> None:
    parameter.put(horizon(1))
    parameter.reads.cut()

    with pytest.raises(UnavailableError, match=r"^settings: EndpointConnectionError$"):
        parameter.source.current()


def test_cold_start_on_a_broken_document_raises_if_the_older_versions_cannot_be_read(
    parameter: Parameter,
) -> None:
    parameter.put(horizon(1), BROKEN)
    parameter.reads.cut_after = 1

    with pytest.raises(UnavailableError, match=r"^settings: no valid version$"):
        parameter.source.current()

    assert parameter.reads.values("Name") == [NAME, f"{NAME}:1"]


@covers("Q10")
def test_a_clock_that_was_set_back_does_not_keep_old_settings(parameter: Parameter, clock: FixedClock) -> None:
    parameter.put(horizon(1))
    parameter.source.current()
    parameter.put(horizon(2))
    clock.advance(days=-1)

    assert parameter.source.current().report_horizon_hours == 2
