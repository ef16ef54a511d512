"""What the local stack sends in a second, beside what the simulation says, and what limits and queues do under load.

The stack is the unchanged template on the local AWS, whose bottleneck is this machine. There its functions, tables and
queues share the processors, and one thread hands out batches: it waits for each invocation of publish, whatever
`ParallelizationFactor` says. So the simulation is told how much work a batch is, measured with other sizes of batches
and other latencies than it then has to predict.
"""

import json
import time
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any, Final

from benchmarks.cpu import Reading
from benchmarks.model import Plan, Simulation
from benchmarks.results import Figure
from local import stack
from local.demo.caller import Caller
from local.demo.messages import SEND, URGENT
from local.stack.deployment import SENDERS, SIMULATORS, client
from local.stack.processes import DIRECT

NOMSA: Final = "+855912{:04d}{}"
SMSNOC: Final = "+880174{:05d}{}"
SLOW: Final = "26"
"""The last digits that make a vendor take its time before it answers; `10` is answered at once."""
AT_ONCE: Final = "10"

ROUNDS: Final = 3
SMALL, LARGE = 1, 8
"""Sizes of the batches by which the machine is measured. What is predicted has ten."""
UNHURRIED: Final = 0.5
"""Seconds that the vendor takes while it is measured how long a batch takes when the machine has time for it."""

PROMOTIONAL: Final = 5000
ONE_TIME: Final = 20
TURNS: Final = 5
UNDER_WAY: Final = 400
"""So many of the campaign are out before the one-time passwords come."""

MAX_PER_SECOND: Final = 20
MINUTE: Final = 60.0
LIMITED: Final = 1300
"""A bit more than a minute of the limited vendor's time."""

PATIENCE: Final = 120.0
QUIET: Final = 0.7
"""Nothing is under way if no vendor is called for so long."""

READ_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How a number of messages is sent: how many in a batch and how many batches at a time, at which latency."""

    messages: int
    batch: int
    concurrency: int
    vendor_seconds: float


CALIBRATIONS: Final = (
    Setting(messages=50, batch=SMALL, concurrency=10, vendor_seconds=0.0),
    Setting(messages=240, batch=LARGE, concurrency=10, vendor_seconds=0.0),
    Setting(messages=96, batch=LARGE, concurrency=2, vendor_seconds=UNHURRIED),
)
TARGETS: Final = {
    "machine": Setting(messages=500, batch=10, concurrency=10, vendor_seconds=0.2),
    "vendor": Setting(messages=100, batch=10, concurrency=2, vendor_seconds=1.0),
}


def measure() -> list[Figure]:
    """Bring a local stack up, measure, and take it down. Raises StackError if there is one already."""
    if any(server.pid() for server in stack.SERVERS):
        raise stack.StackError("The local stack is already up. The bench wants one of its own: `make down` first.")
    try:
        load = Load(stack.up())
        return [*_throughput(load), *_one_time_passwords(load), *_limit(load)]
    finally:
        stack.down()


# --- throughput, measured and simulated -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one setting came to on this machine."""

    pace: float
    """Messages a second."""
    work: float
    """Seconds of processor time for a batch."""
    used: float
    left: float
    """Processors that the stack used, and that others left to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a batch costs on this machine, in seconds."""

    fixed: float
    each: float
    """Processor time for a batch, and for each message in it."""
    waits: float
    """How long a batch waits for others, other than for a processor and the vendor."""
    most: float
    """Processors that the stack can use, if they are left to it: much of it is one process."""

    def __str__(self) -> str:
        return f"n take {self.fixed * 1000:.0f} + {self.each * 1000:.1f} n ms, {self.most:.2f} processors at most"


def _throughput(load: "Load") -> list[Figure]:
    """Measure and simulate in turns.

    Other work on the machine makes all slower. So the simulation is told in seconds of processor time what a batch
    takes, and how many processors others left meanwhile.
    """
    load.measure(TARGETS["machine"])  # starts the functions' processes
    calibrated: list[list[Measured]] = [[] for _ in CALIBRATIONS]
    measured: dict[str, list[Measured]] = {name: [] for name in TARGETS}
    for _ in range(ROUNDS):
        for found, setting in zip(calibrated, CALIBRATIONS, strict=True):
            found.append(load.measure(setting))
        for name, setting in TARGETS.items():
            measured[name].append(load.measure(setting))
    work = work_of(*calibrated)
    what = {
        "machine": "messages a second, simulated ÷ measured, where the machine is the limit",
        "vendor": "messages a second, simulated ÷ measured, where two workers and the vendor are",
    }
    figures = []
    for name, setting in TARGETS.items():
        simulated = [simulated_pace(setting, work, left=found.left) for found in measured[name]]
        found_paces = [found.pace for found in measured[name]]
        ratio = median(said / found for said, found in zip(simulated, found_paces, strict=True))
        pairs = ", ".join(f"{said:.0f} and {found:.0f}" for said, found in zip(simulated, found_paces, strict=True))
        figures.append(
            Figure(
                key=f"limits.throughput.{name}",
                what=what[name],
                value=abs(ratio - 1),
                unit="off",
                goal=0.2,
                note=f"{pairs}; {work}",
            )
        )
    return figures


def work_of(small: Sequence[Measured], large: Sequence[Measured], unhurried: Sequence[Measured]) -> Work:
    """Return what a batch costs, from runs in small batches, in large ones, and in large ones unhurried."""
    of_small, of_large = (median(found.work for found in each) for each in (small, large))
    each = max(0.0, (of_large - of_small) / (LARGE - SMALL))
    most = max(found.used for found in large)
    lasts = [CALIBRATIONS[2].concurrency * LARGE / found.pace - UNHURRIED for found in unhurried]
    waits = median(last - of_large / min(most, found.left) for last, found in zip(lasts, unhurried, strict=True))
    return Work(fixed=of_small - each * SMALL, each=each, waits=max(0.0, waits), most=most)


def simulated_pace(setting: Setting, work: Work, *, left: float) -> float:
    """Return the messages a second that the simulation makes of a setting while so many processors are left."""
    plan = Plan(
        backlog=setting.messages,
        seconds=PATIENCE,
        batch=setting.batch,
        concurrency=setting.concurrency,
        pollers=setting.concurrency,
        fixed_seconds=work.fixed,
        message_seconds=work.each,
        call_seconds=work.waits / 2,
        machine=min(work.most, left),
        vendor_seconds=setting.vendor_seconds,
        vendor_spread=0.0,
    )
    run = Simulation(plan).run()
    return pace(setting, run.first_at, run.finished_at, run.accepted)


def pace(setting: Setting, first_at: float, last_at: float, accepted: int) -> float:
    """Return the messages a second between the first acceptance and the last; the first batch is not counted."""
    return (accepted - setting.batch) / (last_at - first_at)


# --- one-time passwords behind a campaign -----------------------------------------------------------------------------


def _one_time_passwords(load: "Load") -> list[Figure]:
    load.begin(batch=10, concurrency=10, vendor_seconds=0.2)
    load.switch(SEND, is_on=False)
    campaign = load.put(PROMOTIONAL, "promotional", SEND, NOMSA, SLOW)
    load.switch(SEND, is_on=True)
    load.put(ONE_TIME, "otp", URGENT, NOMSA, SLOW)  # the first ones wait for processes to start, as after a quiet night
    load.await_accepted(UNDER_WAY)
    found = [_urgent_turn(load, campaign) for _ in range(TURNS)]
    waiting = load.waiting(SEND)
    load.purge(SEND)
    shown = ", ".join(f"{lasted:.2f}/{batch:.2f}" for lasted, batch in found)
    return [
        Figure(
            key="limits.otp",
            what=f"{ONE_TIME} one-time passwords behind {PROMOTIONAL:,} promotional ones, put to accepted ÷ a batch",
            value=median(lasted / batch for lasted, batch in found),
            goal=2.0,
            note=f"seconds {shown}; {waiting:,} of the campaign still waited",
        )
    ]


def _urgent_turn(load: "Load", campaign: Sequence[str]) -> tuple[float, float]:
    """Return the seconds until one-time passwords are all accepted, and those of a batch of the campaign meanwhile."""
    urgent = load.put(ONE_TIME, "otp", URGENT, NOMSA, SLOW)
    put_at = time.time()  # from here on all of them are on the queue
    accepted_at = max(history["accepted"] for history in load.await_histories(urgent))
    lasted = accepted_at - put_at
    batches = batch_seconds(load.histories(campaign), since=put_at - lasted, until=accepted_at)
    return lasted, median(batches)


def batch_seconds(histories: Iterable[Mapping[str, float]], *, since: float, until: float) -> list[float]:
    """Return how long each batch took from its claim to the last acceptance, of those claimed in this time.

    Messages that were claimed at the same instant are a batch.
    """
    ends: dict[float, float] = {}
    for history in histories:
        claimed_at, accepted_at = history.get("sending"), history.get("accepted")
        if claimed_at is not None and accepted_at is not None and since <= claimed_at <= until:
            ends[claimed_at] = max(ends.get(claimed_at, 0.0), accepted_at)
    return [accepted_at - claimed_at for claimed_at, accepted_at in ends.items()]


# --- the limit of a vendor --------------------------------------------------------------------------------------------


def _limit(load: "Load") -> list[Figure]:
    load.begin(batch=10, concurrency=10, vendor_seconds=0.0)
    load.put(LIMITED, "transactional", SEND, SMSNOC, AT_ONCE)
    times = load.await_accepted(LIMITED)
    note = f"{len(times):,} messages in {times[-1] - times[0]:.1f} s, max_per_second {MAX_PER_SECOND}, 10 workers"
    return [
        Figure(
            key="limits.rate.most",
            what="acceptances in any one second over a minute, at most",
            value=most_within(times, 1.0),
            unit="",
            goal=22,
            note=note,
        ),
        Figure(
            key="limits.rate.mean",
            what="acceptances a second over that minute",
            value=mean_rate(times, MINUTE),
            unit="",
            goal=18,
            at_least=True,
        ),
    ]


def most_within(times: Sequence[float], seconds: float) -> int:
    """Return how many of the times, which are in order, lie within any one span, its end not included."""
    most = first = 0
    for place, at in enumerate(times):
        while at - times[first] >= seconds:
            first += 1
        most = max(most, place - first + 1)
    return most


def mean_rate(times: Sequence[float], seconds: float) -> float:
    """Return the mean number a second over the first so many seconds; over all of it, if it did not last as long."""
    span = min(seconds, times[-1] - times[0])
    return sum(at - times[0] < span for at in times) / span


# --- the stack --------------------------------------------------------------------------------------------------------


class Load:
    """Puts messages on the queues of a stack that is up, and reads what became of them."""

    def __init__(self, outputs: Mapping[str, Any]) -> None:
        self._outputs = outputs
        self._caller = Caller(outputs)
        self._sqs, self._dynamodb, self._functions = client("sqs"), client("dynamodb"), client("lambda")
        self._mappings = self._find_mappings()
        self._puts = 0
        providers: dict[str, dict[str, Any]] = {n: {"base_url": u, **SENDERS[n]} for n, u in SIMULATORS.items()}
        providers["smsnoc"]["max_per_second"] = MAX_PER_SECOND
        # Nobody is asked what became of the messages: that is not what is measured.
        self._caller.change_settings({"poll_seconds": [3600], "providers": providers})

    def measure(self, setting: Setting) -> Measured:
        """Send as a setting says, and tell what it came to."""
        self.begin(batch=setting.batch, concurrency=setting.concurrency, vendor_seconds=setting.vendor_seconds)
        before = Reading.of(stack.SERVERS)
        self.put(setting.messages, "transactional", SEND, NOMSA, SLOW)
        times = self.await_accepted(setting.messages)
        after = Reading.of(stack.SERVERS)
        self.await_quiet()
        work = (Reading.of(stack.SERVERS).own - before.own) / (setting.messages / setting.batch)
        return Measured(
            pace=pace(setting, times[0], times[-1], len(times)),
            work=work,
            used=before.used_until(after),
            left=before.left_until(after),
        )

    def begin(self, *, batch: int, concurrency: int, vendor_seconds: float) -> None:
        """Start anew with an empty ledger, once nothing is under way."""
        self.await_quiet()
        self._post("_reset", {})
        self._post("_config", {"slow_answer_seconds": vendor_seconds})
        for mapping in self._mappings.values():
            scaling = {"MaximumConcurrency": max(2, concurrency)}
            self._functions.update_event_source_mapping(UUID=mapping, BatchSize=batch, ScalingConfig=scaling)

    def await_quiet(self) -> None:
        """Wait until no vendor is called any more."""
        before = -1
        while (now := self._count()) > before:
            before = now
            time.sleep(QUIET)

    def put(self, messages: int, category: str, queue: str, recipient: str, ending: str) -> list[str]:
        """Put as many messages on a queue and return their ids."""
        self._puts += 1
        ids = [f"bench-{self._puts}-{number}" for number in range(messages)]
        bodies = [
            json.dumps(
                {
                    "message_id": message_id,
                    "recipient": recipient.format(number, ending),
                    "content": {"type": "text", "text": f"Bench {message_id}"},
                    "category": category,
                }
            )
            for number, message_id in enumerate(ids)
        ]
        self._caller.put(bodies, queue=queue)
        return ids

    def switch(self, queue: str, *, is_on: bool) -> None:
        self._functions.update_event_source_mapping(UUID=self._mappings[queue], Enabled=is_on)

    def waiting(self, queue: str) -> int:
        names = ["ApproximateNumberOfMessages"]
        found = self._sqs.get_queue_attributes(QueueUrl=self._outputs[queue], AttributeNames=names)
        return int(found["Attributes"][names[0]])

    def purge(self, queue: str) -> None:
        self._sqs.purge_queue(QueueUrl=self._outputs[queue])

    def await_accepted(self, messages: int) -> list[float]:
        """Wait until the vendors have taken so many, or patience is over. Return when they took each, in order."""
        until = time.monotonic() + PATIENCE
        while self._count() < messages and time.monotonic() < until:
            time.sleep(0.2)
        with DIRECT.open(f"{self._outputs['simulators']['control']}/_ledger", timeout=30) as answer:
            return sorted(datetime.fromisoformat(row["accepted_at"]).timestamp() for row in json.load(answer))

    def await_histories(self, ids: Sequence[str]) -> list[dict[str, float]]:
        """Wait until each of these messages is accepted, and return their histories. Raises TimeoutError."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            found = self.histories(ids)
            if len(found) == len(ids) and all("accepted" in history for history in found):
                return found
            time.sleep(0.2)
        raise TimeoutError("not all were accepted")

    def histories(self, ids: Sequence[str]) -> list[dict[str, float]]:
        """Return for each message that is stored when it first came to each of its statuses."""
        table, found = self._outputs["MessagesTableName"], []
        for first in range(0, len(ids), READ_AT_ONCE):
            keys = [{"message_id": {"S": message_id}} for message_id in ids[first : first + READ_AT_ONCE]]
            answer = self._dynamodb.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
            found += [item["history"]["L"] for item in answer["Responses"][table]]
        return [_moments([entry["M"] for entry in history]) for history in found]

    def _count(self) -> int:
        """Return how many sends the vendors have seen."""
        return sum(count for calls in self._caller.calls().values() for name, count in calls.items() if name == "send")

    def _find_mappings(self) -> dict[str, str]:
        """Return the ids of the mappings that feed the send function, by queue."""
        found = self._functions.list_event_source_mappings()["EventSourceMappings"]
        by_queue = {mapping["EventSourceArn"].rpartition(":")[2]: mapping["UUID"] for mapping in found}
        return {queue: by_queue[self._outputs[queue].rpartition("/")[2]] for queue in (SEND, URGENT)}

    def _post(self, page: str, document: Mapping[str, Any]) -> None:
        url = f"{self._outputs['simulators']['control']}/{page}"
        DIRECT.open(urllib.request.Request(url, data=json.dumps(document).encode()), timeout=5).close()


def _moments(history: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    moments: dict[str, float] = {}
    for entry in history:
        moments.setdefault(entry["status"]["S"], datetime.fromisoformat(entry["at"]["S"]).timestamp())
    return moments
