"""Test the chaos test itself: its load, its plan of kills, its waiting time and its checks."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from local.simulators.outcomes import OUTCOMES
from local.stack import SIMULATORS
from local.stack.config import LOCAL, StackError
from local.stack.processes import Server, children_of, function_of, kill
from sampai.contract.request import SendRequest, parse_request
from sampai.services.attempt import BACKOFF_SECONDS
from tests.chaos.load import (
    MESSAGE_COUNT,
    OUTAGE_MESSAGE_COUNT,
    LoadMessage,
    build_load,
    build_outage_load,
    plan_waves,
)
from tests.chaos.nemesis import (
    KILL_COUNT,
    KILL_PERIOD_SECONDS,
    STORE_STOPS,
    Nemesis,
    PlannedKill,
    StoreStop,
    Target,
    find_function_processes,
    plan_kills,
    stopped,
)
from tests.chaos.run import OPERATORS_SETTINGS, quiet_deadline
from tests.chaos.verdict import MIN_KILLS, ChaosResult
from tests.emulator import free_port
from tests.fakes import START

SEEDS = range(20)
FOLDER = "/tree/.local/emulator.home/ministack-lambda"
PYTHON = "/tree/.venv-emulator/bin/python"


# --- the load --------------------------------------------------------------------------------------------------------


def test_every_message_of_the_load_is_a_valid_request() -> None:
    load = build_load(seed=1) + build_outage_load(seed=1)
    count = MESSAGE_COUNT + OUTAGE_MESSAGE_COUNT

    parsed = [parse_request(json.dumps(sent.request), now=START) for sent in load]

    assert {type(request) for request in parsed} == {SendRequest}
    assert len({sent.message_id for sent in load}) == len({sent.acceptance for sent in load}) == count


@pytest.mark.parametrize("seed", SEEDS)
def test_the_load_covers_every_vendor_outcome_category_and_channel(seed: int) -> None:
    load = build_load(seed)

    assert Counter(sent.request["recipient"][:4] for sent in load) == {
        "+855": 75,
        "+880": 75,
        "+959": 75,
        "+628": 75,
    }
    assert {sent.request["recipient"][-2:] for sent in load} == OUTCOMES.keys() - {"24"}
    assert {sent.request["category"] for sent in load} == {"otp", "transactional", "promotional"}
    assert {sent.request["channel"] for sent in load} == {"sms", "whatsapp", "whatsapp_official"}
    assert {sent.must_not_repeat for sent in load} == {True, False}


@pytest.mark.parametrize("seed", SEEDS)
def test_waves_contain_every_message_once_or_twice(seed: int) -> None:
    load = build_load(seed)

    put = Counter(sent.message_id for wave in plan_waves(seed, load) for sent in wave)

    assert put.keys() == {sent.message_id for sent in load}
    assert set(put.values()) == {1, 2}


def test_the_same_seed_gives_the_same_load_and_waves() -> None:
    assert build_load(7) == build_load(7) != build_load(8)
    assert plan_waves(7, build_load(7)) == plan_waves(7, build_load(7)) != plan_waves(8, build_load(7))


# --- the nemesis -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_the_plan_hits_every_target_within_the_kill_period(seed: int) -> None:
    planned_kills = plan_kills(seed)

    assert len(planned_kills) == KILL_COUNT > MIN_KILLS
    assert {planned.target for planned in planned_kills} == set(Target)
    assert [planned.at_seconds for planned in planned_kills] == sorted(planned.at_seconds for planned in planned_kills)
    assert all(0 <= planned.at_seconds <= KILL_PERIOD_SECONDS and 0 <= planned.choice < 1 for planned in planned_kills)


def test_the_same_seed_gives_the_same_plan() -> None:
    assert plan_kills(7) == plan_kills(7) != plan_kills(8)


COMMANDS = (
    (f"{PYTHON} {FOLDER}-sampai-SendFunction-A9F324A2BB3E6-y0w_ndxf/_worker.py ", "SendFunction"),
    (f"{PYTHON} {FOLDER}-sampai-FollowUpFunction-19E7E1184E29B-ab3_____/_worker.py", "FollowUpFunction"),
    (f"{PYTHON} -m ministack", None),
    (f"{PYTHON} -m pytest tests/unit/test_SendFunction-_worker.py", None),
    (f"vi {FOLDER}-sampai-SendFunction-A9F324A2BB3E6-y0w_ndxf/_worker.py.orig", None),
    ("", None),
)


@pytest.mark.parametrize(("command", "function"), COMMANDS)
def test_a_command_line_identifies_the_function_of_a_process(command: str, function: str | None) -> None:
    assert function_of(command) == function


def test_the_processes_of_each_function_are_found_among_the_children_of_the_emulator() -> None:
    children = {
        30: f"{PYTHON} {FOLDER}-sampai-SendFunction-1-x/_worker.py",
        20: f"{PYTHON} {FOLDER}-sampai-SendFunction-1-y/_worker.py",
        10: f"{PYTHON} {FOLDER}-sampai-PublishFunction-2-z/_worker.py",
        40: f"{PYTHON} {FOLDER}-sampai-MonitorFunction-3-z/_worker.py",
        50: "node something",
    }

    assert find_function_processes(children) == {Target.PUBLISH: [10], Target.SEND: [20, 30]}


def test_a_child_process_is_listed_and_killed() -> None:
    wait = "import sys; sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", wait], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert wait in children_of(os.getpid())[child.pid]

        assert kill(child.pid)

        assert child.wait() == -signal.SIGKILL
        assert child.pid not in children_of(os.getpid())
    assert not kill(child.pid)


class ThisProcess:
    """Substitute for the emulator."""

    def pid(self) -> int:
        return os.getpid()


def test_a_kill_is_repeated_while_the_process_is_too_young() -> None:
    planned = PlannedKill(at_seconds=0, target=Target.FOLLOW_UP, choice=0)
    emulator: Any = ThisProcess()
    runs: list[str] = []
    nemesis = Nemesis(
        planned_kills=[planned],
        emulator=emulator,
        servers={},
        run_follow_up=lambda: runs.append("run"),
        min_process_age_seconds=0.5,
    )
    worker = [sys.executable, "-c", "import sys; sys.stdin.read()", f"{FOLDER}-sampai-FollowUpFunction-1-x/_worker.py"]

    with subprocess.Popen(worker, stdin=subprocess.PIPE) as child:
        nemesis.start()
        nemesis.finish()

        assert (runs, nemesis.kills) == (["run"] * 3, {Target.FOLLOW_UP: 1})
        assert child.wait() == -signal.SIGKILL


class KeptServer(Server):
    """A server whose processes are waited for."""

    processes: ClassVar[list["subprocess.Popen[bytes]"]] = []

    def start(self) -> "subprocess.Popen[bytes]":
        self.processes.append(super().start())
        return self.processes[-1]

    def stop(self) -> bool:
        ran = super().stop()
        while self.processes:
            self.processes.pop().wait()
        return ran


def _answer_of(server: Server) -> object:
    """Return the HTTP status of a server, or its error; a silent server lets the request wait."""
    try:
        with urlopen(f"http://127.0.0.1:{server.port}{server.health_path}", timeout=1) as response:
            return int(response.status)
    except URLError as error:
        return type(error.reason)
    except TimeoutError:
        return TimeoutError


@pytest.mark.parametrize(("is_silent", "error"), [(True, TimeoutError), (False, ConnectionRefusedError)])
def test_server_answers_again_after_a_stop(is_silent: bool, error: type[OSError]) -> None:
    port = free_port()
    server = KeptServer(
        name=f"stopped-{port}",
        python=SIMULATORS.python,
        module=SIMULATORS.module,
        arguments=("--port", str(port)),
        port=port,
        health_path=SIMULATORS.health_path,
        environment={},
    )
    LOCAL.mkdir(mode=0o700, exist_ok=True)
    server.start()
    try:
        with stopped(server, StoreStop(seconds=0, is_silent=is_silent)):
            answers = [_answer_of(server)]
        answers.append(_answer_of(server))
    finally:
        server.stop()
        server.log.unlink()

    assert answers == [error, 200]


def test_server_that_does_not_run_cannot_be_stopped() -> None:
    server = replace(SIMULATORS, name="never-started")

    with pytest.raises(StackError, match="never-started does not run"), stopped(server, STORE_STOPS[0]):
        pass


# --- the waiting time ------------------------------------------------------------------------------------------------

STARTED_AT = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("dues", "seconds"),
    [
        ((), 420),
        (("2026-11-21T10:00:20.000Z", "2026-11-21T09:58:00.000Z"), 420),
        (("2026-11-21T10:05:00.000Z",), 450),
        (("2026-11-21T10:07:00.500Z", "2026-11-21T10:00:20.000Z"), 570.5),
        (("2026-11-21T11:00:00.000Z",), 900),
    ],
    ids=["nothing is due", "all is overdue", "due soon", "a wake-up may be lost", "beyond the limit"],
)
def test_the_quiet_deadline_follows_the_latest_due_at_up_to_a_limit(dues: Sequence[str], seconds: float) -> None:
    assert quiet_deadline(STARTED_AT, dues) - STARTED_AT == timedelta(seconds=seconds)


def test_the_horizon_equals_the_first_three_waits_of_a_rejected_message() -> None:
    assert OPERATORS_SETTINGS["report_horizon_hours"] == sum(BACKOFF_SECONDS[:3]) / 3600


# --- the verdict -----------------------------------------------------------------------------------------------------


def _message(number: int, on_unknown: str = "hold") -> LoadMessage:
    request = {"message_id": f"m{number}", "recipient": f"+85591234{number}10", "on_unknown": on_unknown}
    return LoadMessage(request=request, text=f"text {number}")


FIRST, SECOND, RESEND, SPARED = _message(1), _message(2), _message(3, "resend"), _message(4)
EVENT_STATUSES = {1: "sending", 2: "accepted", 3: "delivered"}
GOOD = ChaosResult(
    load=(FIRST, SECOND, RESEND, SPARED),
    outage_load=(SPARED,),
    kills=dict.fromkeys(Target, 7),
    interrupted_invocations=5,
    sent_during_stops=dict.fromkeys(STORE_STOPS, 9),
    stored=dict.fromkeys(("m1", "m2", "m3", "m4"), "delivered"),
    event_statuses=dict.fromkeys(("m1", "m2", "m3", "m4"), EVENT_STATUSES),
    acceptances={FIRST.acceptance: 1, SECOND.acceptance: 1, RESEND.acceptance: 2, SPARED.acceptance: 1},
    submissions={SPARED.acceptance},
    dead_letters=(),
    queue_depths={"SendQueueUrl": 0},
    acknowledged_inbound=frozenset({"hello"}),
    published_inbound=frozenset({"hello", "published without an answer of 200"}),
)


def _with(status: str | None, acceptance_count: int = 1, **changes: Any) -> ChaosResult:
    """Return a result in which the first message has this status and number of acceptances."""
    stored = {name: value for name, value in {**GOOD.stored, "m1": status}.items() if value is not None}
    event_statuses = {**GOOD.event_statuses, "m1": {1: status or ""}}
    acceptances = {**GOOD.acceptances, FIRST.acceptance: acceptance_count}
    return replace(GOOD, stored=stored, event_statuses=event_statuses, acceptances=acceptances, **changes)


def _spared(*statuses: str, acceptance_count: int = 0, **changes: Any) -> ChaosResult:
    """Return a result in which the message that no kill could interrupt went through these statuses."""
    return replace(
        GOOD,
        stored={**GOOD.stored, "m4": statuses[-1]},
        event_statuses={**GOOD.event_statuses, "m4": dict(enumerate(statuses, start=1))},
        acceptances={**GOOD.acceptances, SPARED.acceptance: acceptance_count},
        **changes,
    )


WITHOUT_CALL = ["unknown or unconfirmed, but no vendor was called: m4"]
RESULTS: tuple[tuple[ChaosResult, list[str]], ...] = (
    (GOOD, []),
    (_with("unconfirmed", acceptance_count=0), []),
    (_with("unconfirmed"), []),
    (_with("failed", acceptance_count=0), []),
    (_with(None, acceptance_count=0, dead_letters=("m1",)), []),
    (_with("sending", acceptance_count=0, dead_letters=("m1",)), []),
    (replace(GOOD, kills=dict.fromkeys(Target, 6)), ["36 kills, not 40"]),
    (replace(GOOD, interrupted_invocations=0), ["no invocation was interrupted"]),
    (replace(GOOD, kills={**GOOD.kills, Target.SEND: 40, Target.PUBLISH: 0}), ["never killed: publish function"]),
    (_with("delivered", acceptance_count=2), ["accepted more than once: m1"]),
    (_with("sending", acceptance_count=0), ["forgotten: m1"]),
    (_with("unknown"), ["forgotten: m1"]),
    (_with(None, acceptance_count=0), ["forgotten: m1"]),
    (_with("failed"), ["the ledgers contradict the status: m1"]),
    (_with("canceled"), ["the ledgers contradict the status: m1"]),
    (_with("delivered", acceptance_count=0), ["the ledgers contradict the status: m1"]),
    (_with(None, dead_letters=("m1",)), ["the ledgers contradict the status: m1"]),
    (replace(GOOD, acceptances={**GOOD.acceptances, ("digest", "855"): 1}), ["accepted but never sent: 855"]),
    (
        replace(GOOD, event_statuses={**GOOD.event_statuses, "m2": {1: "sending", 3: "delivered"}}),
        ["events are missing: m2"],
    ),
    (replace(GOOD, event_statuses={**GOOD.event_statuses, "m2": {1: "sending"}}), ["events are missing: m2"]),
    (
        replace(GOOD, event_statuses={i: s for i, s in GOOD.event_statuses.items() if i != "m2"}),
        ["events are missing: m2"],
    ),
    (replace(GOOD, dead_letters=("stranger",)), ["dead letters of unknown messages: stranger"]),
    (replace(GOOD, published_inbound=frozenset()), ["inbound messages answered with 200 and lost: hello"]),
    (replace(GOOD, acknowledged_inbound=frozenset()), ["no inbound message was received"]),
    (replace(GOOD, queue_depths={"SendQueueUrl": 2}), ["queues not empty: SendQueueUrl (2)"]),
    (_spared("sending", "unconfirmed"), []),
    (_spared("sending", "queued", "failed", submissions=()), []),
    (_spared("sending", "unconfirmed", submissions=()), WITHOUT_CALL),
    (_spared("sending", "unknown", "queued", "failed", submissions=()), WITHOUT_CALL),
    (_spared("sending", "unknown", "delivered", acceptance_count=2), ["accepted more than once: m4"]),
    (_spared("sending", "unknown"), ["forgotten: m4"]),
    (_spared("failed", dead_letters=("m4",)), ["dead letters without a kill: m4"]),
    (
        replace(GOOD, sent_during_stops={STORE_STOPS[0]: 9, STORE_STOPS[1]: 0}),
        ["nothing was sent while the store was stopped: 60 s, unreachable"],
    ),
    (
        replace(GOOD, sent_during_stops={}),
        ["nothing was sent while the store was stopped: 10 s, silent, 60 s, unreachable"],
    ),
)


@pytest.mark.parametrize(("result", "violations"), RESULTS)
def test_each_broken_promise_is_reported(result: ChaosResult, violations: list[str]) -> None:
    assert result.violations() == violations


def test_the_report_counts_kills_and_final_statuses() -> None:
    assert list(_with("unconfirmed", acceptance_count=0).lines()) == [
        "kills: 42",
        *(f"     7  {target.value}" for target in Target),
        "interrupted invocations: 5",
        "sent while the store was stopped: 18",
        "     9  10 s, silent",
        "     9  60 s, unreachable",
        "messages: 4",
        "     3  delivered",
        "     1  unconfirmed",
        "unconfirmed, and accepted by a vendor: 0",
        "most acceptances of one message: 1 (resend: 2)",
        "forgotten: 0   contradicted: 0",
        "unknown or unconfirmed without a call, in 1: 0",
        "inbound messages: 1 answered with 200, 2 published",
        "dead letters: 0",
    ]
