"""The throughput of the local stack next to the simulation, and the effect of limits and queues under load.

The stack runs the unchanged template on the local AWS. Its bottleneck is this machine: functions, tables and queues
share the processors, and one thread delivers the batches. That thread waits for each invocation of publish, whatever
`ParallelizationFactor` is. So the simulation gets the work of a batch as an input, measured with other batch sizes and
latencies than those of the prediction.
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
from benchmarks.results import Result
from local import stack
from local.demo.caller import Caller
from local.demo.messages import SEND, URGENT
from local.stack.deployment import SENDERS, SIMULATORS, client
from local.stack.processes import DIRECT
from local.stack.session import own_stack

# Numbers of recipients. The simulators respond late to numbers that end with 26, and at once to those with 10.
NOMSA_SLOW: Final = "+855912{:04d}26"
SMSNOC_FAST: Final = "+880174{:05d}10"

ROUNDS: Final = 3
SMALL, LARGE = 1, 8
"""Batch sizes that measure the machine. The predicted batches have ten messages."""
IDLE_VENDOR_SECONDS: Final = 0.5
"""The vendor's latency in runs that leave the processors idle most of the time."""

PROMOTIONAL: Final = 5000
ONE_TIME: Final = 20
OTP_ROUNDS: Final = 5
UNDER_WAY: Final = 400
"""Accepted messages of the campaign before the first one-time passwords."""

MAX_PER_SECOND: Final = 20
MINUTE: Final = 60.0
LIMITED: Final = 1300
"""Messages for a bit more than a minute at `MAX_PER_SECOND`."""

TIMEOUT_SECONDS: Final = 120.0
QUIET_SECONDS: Final = 0.7
"""After so long without a vendor call, no message is under way."""

KEYS_PER_READ: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The number of messages of a run, and how they are sent."""

    messages: int
    batch: int
    concurrency: int
    vendor_seconds: float


CALIBRATIONS: Final = (
    Setting(messages=50, batch=SMALL, concurrency=10, vendor_seconds=0.0),
    Setting(messages=240, batch=LARGE, concurrency=10, vendor_seconds=0.0),
    Setting(messages=96, batch=LARGE, concurrency=2, vendor_seconds=IDLE_VENDOR_SECONDS),
)
PREDICTIONS: Final = {
    "machine": Setting(messages=500, batch=10, concurrency=10, vendor_seconds=0.2),
    "vendor": Setting(messages=100, batch=10, concurrency=2, vendor_seconds=1.0),
}
"""Settings of the predicted runs, by their bottleneck."""


def measure() -> list[Result]:
    """Start a local stack, measure, and stop it. Raises StackError if one is already up."""
    with own_stack():
        load = Load(stack.up())
        return [*_measure_throughput(load), *_measure_one_time_passwords(load), *_measure_rate_limit(load)]


# --- throughput, measured and simulated -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Measurements of one run on this machine."""

    per_second: float
    """Messages per second."""
    batch_cpu_seconds: float
    used: float
    available: float
    """Processors that the stack used, and that other programs left to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchWork:
    """The work of a batch on this machine."""

    fixed_seconds: float
    message_seconds: float
    """CPU time of a batch, and of each message in it."""
    wait_seconds: float
    """The time that a batch waits, except for a processor and the vendor."""
    max_processors: float
    """Processors that the stack can use. It is a small number, because much of the stack is one process."""

    def __str__(self) -> str:
        return (
            f"n messages take {self.fixed_seconds * 1000:.0f} + {self.message_seconds * 1000:.1f} n ms, "
            f"at most {self.max_processors:.2f} processors"
        )


def _measure_throughput(load: "Load") -> list[Result]:
    """Measure and simulate in turns, because other load on the machine changes the throughput.

    The inputs of the simulation are independent of that load: CPU time, and the number of available processors.
    """
    load.run(PREDICTIONS["machine"])  # starts the processes of the functions
    calibrations: list[list[Run]] = [[] for _ in CALIBRATIONS]
    measured: dict[str, list[Run]] = {name: [] for name in PREDICTIONS}
    for _ in range(ROUNDS):
        for runs, setting in zip(calibrations, CALIBRATIONS, strict=True):
            runs.append(load.run(setting))
        for name, setting in PREDICTIONS.items():
            measured[name].append(load.run(setting))
    work = work_of(*calibrations)
    bottlenecks = {"machine": "the machine", "vendor": "two workers and the vendor"}
    results = []
    for name, setting in PREDICTIONS.items():
        pairs = [(simulate_rate(setting, work, available=run.available), run.per_second) for run in measured[name]]
        shown = ", ".join(f"{simulated:.0f} and {per_second:.0f}" for simulated, per_second in pairs)
        results.append(
            Result(
                key=f"limits.throughput.{name}",
                label=f"messages per second, simulated ÷ measured; the bottleneck is {bottlenecks[name]}",
                value=abs(median(simulated / per_second for simulated, per_second in pairs) - 1),
                unit="off",
                goal=0.2,
                note=f"{shown}; {work}",
            )
        )
    return results


def work_of(small: Sequence[Run], large: Sequence[Run], idle: Sequence[Run]) -> BatchWork:
    """Return the work of a batch, from runs with small batches, with large ones, and with large ones and idle time."""
    of_small, of_large = (median(run.batch_cpu_seconds for run in runs) for runs in (small, large))
    message_seconds = max(0.0, (of_large - of_small) / (LARGE - SMALL))
    max_processors = max(run.used for run in large)
    durations = [CALIBRATIONS[2].concurrency * LARGE / run.per_second - IDLE_VENDOR_SECONDS for run in idle]
    waits = median(
        duration - of_large / min(max_processors, run.available) for duration, run in zip(durations, idle, strict=True)
    )
    return BatchWork(
        fixed_seconds=of_small - message_seconds * SMALL,
        message_seconds=message_seconds,
        wait_seconds=max(0.0, waits),
        max_processors=max_processors,
    )


def simulate_rate(setting: Setting, work: BatchWork, *, available: float) -> float:
    """Return the simulated messages per second of a setting, with so many available processors."""
    plan = Plan(
        backlog=setting.messages,
        seconds=TIMEOUT_SECONDS,
        batch=setting.batch,
        concurrency=setting.concurrency,
        pollers=setting.concurrency,
        fixed_seconds=work.fixed_seconds,
        message_seconds=work.message_seconds,
        call_seconds=work.wait_seconds / 2,
        processors=min(work.max_processors, available),
        vendor_seconds=setting.vendor_seconds,
        vendor_spread=0.0,
    )
    run = Simulation(plan).run()
    return rate(setting, run.first_at, run.finished_at, run.accepted)


def rate(setting: Setting, first_at: float, last_at: float, accepted: int) -> float:
    """Return the messages per second between the first acceptance and the last, without the first batch."""
    return (accepted - setting.batch) / (last_at - first_at)


# --- one-time passwords behind a campaign -----------------------------------------------------------------------------


def _measure_one_time_passwords(load: "Load") -> list[Result]:
    load.reset(batch=10, concurrency=10, vendor_seconds=0.2)
    load.enable_queue(SEND, is_enabled=False)
    campaign = load.put(PROMOTIONAL, "promotional", SEND, NOMSA_SLOW)
    load.enable_queue(SEND, is_enabled=True)
    load.put(ONE_TIME, "otp", URGENT, NOMSA_SLOW)  # not measured: the function's processes start
    load.await_accepted(UNDER_WAY)
    rounds = [_send_one_time_passwords(load, campaign) for _ in range(OTP_ROUNDS)]
    waiting = load.count_waiting(SEND)
    load.purge(SEND)
    shown = ", ".join(f"{duration:.2f}/{batch:.2f}" for duration, batch in rounds)
    return [
        Result(
            key="limits.otp",
            label=f"{ONE_TIME} one-time passwords behind {PROMOTIONAL:,} promotional ones, put to accepted ÷ a batch",
            value=median(duration / batch for duration, batch in rounds),
            goal=2.0,
            note=f"seconds {shown}; {waiting:,} of the campaign were still waiting",
        )
    ]


def _send_one_time_passwords(load: "Load", campaign: Sequence[str]) -> tuple[float, float]:
    """Send one-time passwords. Return the seconds until all are accepted, and those of a campaign's batch meanwhile."""
    urgent = load.put(ONE_TIME, "otp", URGENT, NOMSA_SLOW)
    put_at = time.time()
    accepted_at = max(history["accepted"] for history in load.await_histories(urgent))
    duration = accepted_at - put_at
    batches = batch_seconds(load.read_histories(campaign), since=put_at - duration, until=accepted_at)
    return duration, median(batches)


def batch_seconds(histories: Iterable[Mapping[str, float]], *, since: float, until: float) -> list[float]:
    """Return the duration of each batch that was claimed in an interval, from the claim to the last acceptance.

    Messages with the same time of their claim are a batch.
    """
    ends: dict[float, float] = {}
    for history in histories:
        claimed_at, accepted_at = history.get("sending"), history.get("accepted")
        if claimed_at is not None and accepted_at is not None and since <= claimed_at <= until:
            ends[claimed_at] = max(ends.get(claimed_at, 0.0), accepted_at)
    return [accepted_at - claimed_at for claimed_at, accepted_at in ends.items()]


# --- the rate limit of a vendor ---------------------------------------------------------------------------------------


def _measure_rate_limit(load: "Load") -> list[Result]:
    load.reset(batch=10, concurrency=10, vendor_seconds=0.0)
    load.put(LIMITED, "transactional", SEND, SMSNOC_FAST)
    times = load.await_accepted(LIMITED)
    note = f"{len(times):,} messages in {times[-1] - times[0]:.1f} s, max_per_second {MAX_PER_SECOND}, 10 workers"
    return [
        Result(
            key="limits.rate.most",
            label="acceptances in any second of a minute, maximum",
            value=max_within(times, 1.0),
            unit="",
            goal=22,
            note=note,
        ),
        Result(
            key="limits.rate.mean",
            label="acceptances per second in that minute, mean",
            value=mean_rate(times, MINUTE),
            unit="",
            goal=18,
            at_least=True,
        ),
    ]


def max_within(times: Sequence[float], seconds: float) -> int:
    """Return the maximum number of the sorted times in any interval of this length, without its end."""
    maximum = first = 0
    for place, at in enumerate(times):
        while at - times[first] >= seconds:
            first += 1
        maximum = max(maximum, place - first + 1)
    return maximum


def mean_rate(times: Sequence[float], seconds: float) -> float:
    """Return the mean number per second in the first `seconds` of the sorted times, or in all if these are shorter."""
    span = min(seconds, times[-1] - times[0])
    return sum(at - times[0] < span for at in times) / span


# --- the stack --------------------------------------------------------------------------------------------------------


class Load:
    """Puts messages on the queues of the running stack, and reads their acceptances and histories."""

    def __init__(self, outputs: Mapping[str, Any]) -> None:
        self._outputs = outputs
        self._caller = Caller(outputs)
        self._sqs, self._dynamodb, self._functions = client("sqs"), client("dynamodb"), client("lambda")
        self._mappings = self._find_mappings()
        self._puts = 0
        providers: dict[str, dict[str, Any]] = {n: {"base_url": u, **SENDERS[n]} for n, u in SIMULATORS.items()}
        providers["smsnoc"]["max_per_second"] = MAX_PER_SECOND
        # No polls during a run: they are not part of the measurement.
        self._caller.change_settings({"poll_seconds": [3600], "providers": providers})

    def run(self, setting: Setting) -> Run:
        """Send messages with a setting, wait until all are accepted, and return the measurements."""
        self.reset(batch=setting.batch, concurrency=setting.concurrency, vendor_seconds=setting.vendor_seconds)
        before = Reading.read(stack.SERVERS)
        self.put(setting.messages, "transactional", SEND, NOMSA_SLOW)
        times = self.await_accepted(setting.messages)
        after = Reading.read(stack.SERVERS)
        self.await_quiet()
        cpu_seconds = Reading.read(stack.SERVERS).servers - before.servers
        return Run(
            per_second=rate(setting, times[0], times[-1], len(times)),
            batch_cpu_seconds=cpu_seconds / (setting.messages / setting.batch),
            used=before.used_until(after),
            available=before.available_until(after),
        )

    def reset(self, *, batch: int, concurrency: int, vendor_seconds: float) -> None:
        """Wait until no message is under way, empty the ledger, and apply a setting."""
        self.await_quiet()
        self._post("_reset", {})
        self._post("_config", {"slow_answer_seconds": vendor_seconds})
        for mapping in self._mappings.values():
            scaling = {"MaximumConcurrency": max(2, concurrency)}
            self._functions.update_event_source_mapping(UUID=mapping, BatchSize=batch, ScalingConfig=scaling)

    def await_quiet(self) -> None:
        """Wait until there are no vendor calls for `QUIET_SECONDS`."""
        before = -1
        while (now := self._count_sends()) > before:
            before = now
            time.sleep(QUIET_SECONDS)

    def put(self, messages: int, category: str, queue: str, recipient: str) -> list[str]:
        """Put messages on a queue and return their ids. `recipient` is a format with a place for a number."""
        self._puts += 1
        ids = [f"benchmark-{self._puts}-{number}" for number in range(messages)]
        bodies = [
            json.dumps(
                {
                    "message_id": message_id,
                    "recipient": recipient.format(number),
                    "content": {"type": "text", "text": f"Benchmark {message_id}"},
                    "category": category,
                }
            )
            for number, message_id in enumerate(ids)
        ]
        self._caller.put(bodies, queue=queue)
        return ids

    def enable_queue(self, queue: str, *, is_enabled: bool) -> None:
        self._functions.update_event_source_mapping(UUID=self._mappings[queue], Enabled=is_enabled)

    def count_waiting(self, queue: str) -> int:
        names = ["ApproximateNumberOfMessages"]
        response = self._sqs.get_queue_attributes(QueueUrl=self._outputs[queue], AttributeNames=names)
        return int(response["Attributes"][names[0]])

    def purge(self, queue: str) -> None:
        self._sqs.purge_queue(QueueUrl=self._outputs[queue])

    def await_accepted(self, messages: int) -> list[float]:
        """Wait until the vendors have accepted so many messages, or for the timeout. Return the sorted times."""
        until = time.monotonic() + TIMEOUT_SECONDS
        while self._count_sends() < messages and time.monotonic() < until:
            time.sleep(0.2)
        with DIRECT.open(f"{self._outputs['simulators']['control']}/_ledger", timeout=30) as response:
            return sorted(datetime.fromisoformat(row["accepted_at"]).timestamp() for row in json.load(response))

    def await_histories(self, ids: Sequence[str]) -> list[dict[str, float]]:
        """Wait until all these messages are accepted, and return their histories. Raises TimeoutError."""
        until = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < until:
            histories = self.read_histories(ids)
            if len(histories) == len(ids) and all("accepted" in history for history in histories):
                return histories
            time.sleep(0.2)
        raise TimeoutError("not all messages were accepted")

    def read_histories(self, ids: Sequence[str]) -> list[dict[str, float]]:
        """Return the first time of each status, for each stored message."""
        table, histories = self._outputs["MessagesTableName"], []
        for first in range(0, len(ids), KEYS_PER_READ):
            keys = [{"message_id": {"S": message_id}} for message_id in ids[first : first + KEYS_PER_READ]]
            response = self._dynamodb.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
            histories += [item["history"]["L"] for item in response["Responses"][table]]
        return [_first_times([entry["M"] for entry in history]) for history in histories]

    def _count_sends(self) -> int:
        return sum(calls.get("send", 0) for calls in self._caller.calls().values())

    def _find_mappings(self) -> dict[str, str]:
        """Return the ids of the event source mappings of the send function, by queue."""
        mappings = self._functions.list_event_source_mappings()["EventSourceMappings"]
        by_queue = {mapping["EventSourceArn"].rpartition(":")[2]: mapping["UUID"] for mapping in mappings}
        return {queue: by_queue[self._outputs[queue].rpartition("/")[2]] for queue in (SEND, URGENT)}

    def _post(self, page: str, document: Mapping[str, Any]) -> None:
        url = f"{self._outputs['simulators']['control']}/{page}"
        DIRECT.open(urllib.request.Request(url, data=json.dumps(document).encode()), timeout=5).close()


def _first_times(history: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    times: dict[str, float] = {}
    for entry in history:
        times.setdefault(entry["status"]["S"], datetime.fromisoformat(entry["at"]["S"]).timestamp())
    return times
