"""The chaos: its load, its plan of kills, and its verdict."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.simulators.outcomes import OUTCOMES
from local.stack.processes import children_of, function_of, kill
from sampai.contract.request import SendRequest, parse_request
from sampai.services.attempt import BACKOFF_SECONDS
from tests.chaos.load import MESSAGES, Sent, messages, waves
from tests.chaos.nemesis import SECONDS, STRIKES, Nemesis, Strike, Victim, plan, workers
from tests.chaos.run import OPERATORS_SETTINGS, patience
from tests.chaos.verdict import LEAST_KILLS, Aftermath

SEEDS = range(20)
FOLDER = "/tree/.local/emulator.home/ministack-lambda"
PYTHON = "/tree/.venv-emulator/bin/python"


# --- the load ---------------------------------------------------------------------------------------------------------


def test_every_message_of_the_load_is_a_valid_request() -> None:
    load = messages(seed=1)

    parsed = [parse_request(json.dumps(sent.request)) for sent in load]

    assert {type(request) for request in parsed} == {SendRequest}
    assert len({sent.message_id for sent in load}) == len({sent.acceptance for sent in load}) == MESSAGES


@pytest.mark.parametrize("seed", SEEDS)
def test_the_load_has_something_of_every_kind(seed: int) -> None:
    load = messages(seed)

    assert Counter(sent.request["recipient"][:4] for sent in load) == {
        "+855": 75,
        "+880": 75,
        "+959": 75,
        "+628": 75,
    }
    assert {sent.request["recipient"][-2:] for sent in load} == OUTCOMES.keys() - {"24"}
    assert {sent.request["category"] for sent in load} == {"otp", "transactional", "promotional"}
    assert {sent.request["channel"] for sent in load} == {"sms", "whatsapp", "whatsapp_official"}
    assert {sent.is_held for sent in load} == {True, False}


@pytest.mark.parametrize("seed", SEEDS)
def test_waves_contain_every_message_and_some_of_them_twice(seed: int) -> None:
    load = messages(seed)

    put = Counter(sent.message_id for wave in waves(seed, load) for sent in wave)

    assert put.keys() == {sent.message_id for sent in load}
    assert set(put.values()) == {1, 2}


def test_same_seed_gives_the_same_load_in_the_same_waves() -> None:
    assert messages(7) == messages(7) != messages(8)
    assert waves(7, messages(7)) == waves(7, messages(7)) != waves(8, messages(7))


# --- the nemesis ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_the_plan_strikes_every_victim_within_the_time(seed: int) -> None:
    strikes = plan(seed)

    assert len(strikes) == STRIKES > LEAST_KILLS
    assert {strike.victim for strike in strikes} == set(Victim)
    assert [strike.at_seconds for strike in strikes] == sorted(strike.at_seconds for strike in strikes)
    assert all(0 <= strike.at_seconds <= SECONDS and 0 <= strike.choice < 1 for strike in strikes)


def test_same_seed_gives_the_same_plan() -> None:
    assert plan(7) == plan(7) != plan(8)


COMMANDS = (
    (f"{PYTHON} {FOLDER}-sampai-SendFunction-A9F324A2BB3E6-y0w_ndxf/_worker.py ", "SendFunction"),
    (f"{PYTHON} {FOLDER}-sampai-FollowUpFunction-19E7E1184E29B-ab3_____/_worker.py", "FollowUpFunction"),
    (f"{PYTHON} -m ministack", None),
    (f"{PYTHON} -m pytest tests/unit/test_SendFunction-_worker.py", None),
    (f"vi {FOLDER}-sampai-SendFunction-A9F324A2BB3E6-y0w_ndxf/_worker.py.orig", None),
    ("", None),
)


@pytest.mark.parametrize(("command", "function"), COMMANDS)
def test_function_is_recognised_by_the_command_line_of_its_process(command: str, function: str | None) -> None:
    assert function_of(command) == function


def test_the_processes_of_each_function_are_found_among_the_emulators_children() -> None:
    children = {
        30: f"{PYTHON} {FOLDER}-sampai-SendFunction-1-x/_worker.py",
        20: f"{PYTHON} {FOLDER}-sampai-SendFunction-1-y/_worker.py",
        10: f"{PYTHON} {FOLDER}-sampai-PublishFunction-2-z/_worker.py",
        40: f"{PYTHON} {FOLDER}-sampai-MonitorFunction-3-z/_worker.py",
        50: "node something",
    }

    assert workers(children) == {Victim.PUBLISH: [10], Victim.SEND: [20, 30]}


def test_child_process_is_found_and_killed() -> None:
    wait = "import sys; sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", wait], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert wait in children_of(os.getpid())[child.pid]

        assert kill(child.pid)

        assert child.wait() == -signal.SIGKILL
        assert child.pid not in children_of(os.getpid())
    assert not kill(child.pid)


class ThisProcess:
    """Stands in for the emulator."""

    def pid(self) -> int:
        return os.getpid()


def test_strike_that_finds_only_new_processes_is_repeated() -> None:
    strike = Strike(at_seconds=0, victim=Victim.FOLLOW_UP, choice=0)
    emulator: Any = ThisProcess()
    runs: list[str] = []
    nemesis = Nemesis(
        strikes=[strike], emulator=emulator, servers={}, run_follow_up=lambda: runs.append("run"), grown_seconds=0.5
    )
    worker = [sys.executable, "-c", "import sys; sys.stdin.read()", f"{FOLDER}-sampai-FollowUpFunction-1-x/_worker.py"]

    with subprocess.Popen(worker, stdin=subprocess.PIPE) as child:
        nemesis.start()
        nemesis.finish()

        assert (runs, nemesis.kills) == (["run"] * 3, {Victim.FOLLOW_UP: 1})
        assert child.wait() == -signal.SIGKILL


# --- the quiet --------------------------------------------------------------------------------------------------------

BEGAN = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("dues", "seconds"),
    [
        ((), 240),
        (("2026-11-21T10:00:20.000Z", "2026-11-21T09:58:00.000Z"), 240),
        (("2026-11-21T10:02:00.000Z",), 270),
        (("2026-11-21T10:07:00.500Z", "2026-11-21T10:00:20.000Z"), 570.5),
        (("2026-11-21T11:00:00.000Z",), 900),
    ],
    ids=["nothing waits", "all is due", "soon", "the note of a message may be lost", "for too long"],
)
def test_wait_for_a_due_message_is_bounded(dues: Sequence[str], seconds: float) -> None:
    assert patience(BEGAN, dues) - BEGAN == timedelta(seconds=seconds)


def test_the_horizon_is_as_long_as_the_first_three_waits_of_a_refused_message() -> None:
    assert OPERATORS_SETTINGS["report_horizon_hours"] == sum(BACKOFF_SECONDS[:3]) / 3600


# --- the verdict ------------------------------------------------------------------------------------------------------


def _sent(number: int, on_unknown: str = "hold") -> Sent:
    request = {"message_id": f"m{number}", "recipient": f"+85591234{number}10", "on_unknown": on_unknown}
    return Sent(request=request, words=f"words {number}")


FIRST, SECOND, RESENT = _sent(1), _sent(2), _sent(3, "resend")
STORY = {1: "sending", 2: "accepted", 3: "delivered"}
GOOD = Aftermath(
    load=(FIRST, SECOND, RESENT),
    kills=dict.fromkeys(Victim, 7),
    cut_short=5,
    stored=dict.fromkeys(("m1", "m2", "m3"), "delivered"),
    heard=dict.fromkeys(("m1", "m2", "m3"), STORY),
    acceptances={FIRST.acceptance: 1, SECOND.acceptance: 1, RESENT.acceptance: 2},
    dead_letters=(),
    waiting={"SendQueueUrl": 0},
    arrivals=frozenset({"hello"}),
    heard_arrivals=frozenset({"hello", "not answered, and heard all the same"}),
)


def _with(status: str | None, taken: int = 1, **changes: Any) -> Aftermath:
    """Return an aftermath in which the first message ended like this."""
    stored = {name: value for name, value in {**GOOD.stored, "m1": status}.items() if value is not None}
    heard = {**GOOD.heard, "m1": {1: status or ""}}
    acceptances = {**GOOD.acceptances, FIRST.acceptance: taken}
    return replace(GOOD, stored=stored, heard=heard, acceptances=acceptances, **changes)


FAULTS: tuple[tuple[Aftermath, list[str]], ...] = (
    (GOOD, []),
    (_with("unconfirmed", taken=0), []),
    (_with("unconfirmed"), []),
    (_with("failed", taken=0), []),
    (_with(None, taken=0, dead_letters=("m1",)), []),
    (_with("sending", taken=0, dead_letters=("m1",)), []),
    (replace(GOOD, kills=dict.fromkeys(Victim, 6)), ["36 kills, not 40"]),
    (replace(GOOD, cut_short=0), ["no invocation was cut short"]),
    (replace(GOOD, kills={**GOOD.kills, Victim.SEND: 40, Victim.PUBLISH: 0}), ["never killed: publish function"]),
    (_with("delivered", taken=2), ["accepted more than once: m1"]),
    (_with("sending", taken=0), ["forgotten: m1"]),
    (_with("unknown"), ["forgotten: m1"]),
    (_with(None, taken=0), ["forgotten: m1"]),
    (_with("failed"), ["the ledgers contradict the status: m1"]),
    (_with("canceled"), ["the ledgers contradict the status: m1"]),
    (_with("delivered", taken=0), ["the ledgers contradict the status: m1"]),
    (_with(None, dead_letters=("m1",)), ["the ledgers contradict the status: m1"]),
    (replace(GOOD, acceptances={**GOOD.acceptances, ("digest", "855"): 1}), ["a vendor took what nobody sent: 855"]),
    (replace(GOOD, heard={**GOOD.heard, "m2": {1: "sending", 3: "delivered"}}), ["events are missing: m2"]),
    (replace(GOOD, heard={**GOOD.heard, "m2": {1: "sending"}}), ["events are missing: m2"]),
    (replace(GOOD, heard={"m1": STORY, "m3": STORY}), ["events are missing: m2"]),
    (replace(GOOD, dead_letters=("stranger",)), ["a dead letter of nobody's: stranger"]),
    (replace(GOOD, heard_arrivals=frozenset()), ["inbound, answered with 200 and lost: hello"]),
    (replace(GOOD, arrivals=frozenset()), ["no inbound message came in"]),
    (replace(GOOD, waiting={"SendQueueUrl": 2}), ["not empty: SendQueueUrl (2)"]),
)


@pytest.mark.parametrize(("aftermath", "objections"), FAULTS)
def test_broken_guarantee_is_named(aftermath: Aftermath, objections: list[str]) -> None:
    assert aftermath.objections() == objections


def test_report_has_the_kills_and_the_ends_of_the_messages() -> None:
    assert list(_with("unconfirmed", taken=0).lines()) == [
        "kills: 42",
        *(f"     7  {victim.value}" for victim in Victim),
        "invocations cut short: 5",
        "messages: 3",
        "     2  delivered",
        "     1  unconfirmed",
        "unconfirmed, and taken by a vendor: 0",
        "acceptances of one message, at most: 1 (resend: 2)",
        "forgotten: 0   unexplained: 0",
        "inbound messages: 1 answered with 200, 2 heard of",
        "dead letters: 0",
    ]
