"""`sampai opt-out` and `opt-in` put a wish with its time on the urgent queue."""

import re

import pytest

from tests.unit.cli.conftest import World

NUMBER = "+6281234567810"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("opt-out", "+62********810 opts out: the request is on the queue.\n"),
        ("opt-in", "+62********810 opts in: the request is on the queue.\n"),
    ],
)
def test_a_wish_has_the_time_of_the_command(command: str, said: str, world: World) -> None:
    result = world(command, NUMBER)

    assert (result.exit_code, result.stdout) == (0, said)
    (body,) = world.bodies("UrgentQueueUrl")
    assert body[command.replace("-", "_")] == NUMBER
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["at"])


def test_an_older_wish_has_its_own_time_and_the_number_may_come_from_a_prompt(world: World) -> None:
    result = world("opt-out", "--at", "2026-11-20T10:00:00+07:00", input="Sok@Example.com\n")

    assert result.exit_code == 0
    assert world.bodies("UrgentQueueUrl") == [{"opt_out": "Sok@example.com", "at": "2026-11-20T03:00:00.000Z"}]


@pytest.mark.parametrize("number", ["081234567810", "+620812345678"])
def test_a_number_that_is_not_e164_is_refused_and_not_repeated(number: str, world: World) -> None:
    result = world("opt-in", number)

    assert (result.exit_code, number in result.output, world.bodies("UrgentQueueUrl")) == (2, False, [])
