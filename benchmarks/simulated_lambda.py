"""A Lambda in virtual time: round trips, cold starts, the ramp, a quota, and stragglers.

Where the figures come from:

- Round trip 25 ms: the median of warm starts on AWS in Wang et al., "Peeking Behind the Curtains of Serverless
  Platforms", USENIX ATC 2018; spread so that one in a hundred takes four times as long, as tails of bursts do in
  Ustiugov et al., "Analyzing Tail Latency in Serverless Clouds with STeLLAR", IISWC 2021.
- Cold start 0.5 s: the slow side of what is published for small Python functions (0.15 to 0.5 s); ours imports its
  handler and pickling.
- Ramp: 1,000 new execution environments every 10 s, refilled continuously ("Lambda scaling behavior", AWS Lambda
  Developer Guide).
- Stragglers: a small part of the workers is slower by a factor with a long tail; Gupta et al., "Serverless Straggler
  Mitigation using Local Error-Correcting Codes", ICDCS 2020, describe them for thousands of workers of Lambda. The part
  (2%) and the tail (Pareto, never under 1.5 times) are our choice.
"""

from __future__ import annotations

import heapq
import json
import random
from dataclasses import dataclass

from benchmarks.virtual import VirtualLoop
from lambdamagic.codec.each import read_items
from lambdamagic.codec.encode import Encoder
from lambdamagic.codec.home import Home
from lambdamagic.errors import ThrottledError
from lambdamagic.protocol import versions
from lambdamagic.protocol.envelope import Response, TaskSummary, Usage
from lambdamagic.protocol.payload import Payload, inline_payload
from lambdamagic.transports.transport import InvocationReply, InvokeCall


@dataclass(frozen=True)
class Nature:
    """How the simulated Lambda behaves; times in seconds.

    Attributes:
        round_trip_s: Median of a warm invocation without work.
        cold_start_s: Median of INIT.
        quota: Invocations that may run at once.
        ramp: New environments every 10 s.
        straggling: The part of invocations that are slow.
    """

    round_trip_s: float = 0.025
    cold_start_s: float = 0.5
    quota: int = 10_000
    ramp: int = 1000
    straggling: float = 0.0


class SimulatedLambda:
    """A transport into it.

    Args:
        loop: The virtual time.
        nature: How it behaves.
        home: The home of the items.
        seed: Of all that is random.

    Attributes:
        took_s: How long the invocation took that came last.
        executed: How many tasks were run.
        throttled: How many invocations were refused.
        invocations: How many were taken.
        busy_s: For how long environments were kept busy, cold starts included.
    """

    def __init__(self, loop: VirtualLoop, nature: Nature, home: Home, seed: int) -> None:
        self._loop, self._nature, self._home = loop, nature, home
        self._random = random.Random(seed)
        self._idle = self._busy = 0
        self._grants, self._granted_at = float(nature.ramp), 0.0
        self._versions = versions.here()
        self.took_s = 0.0
        self.executed = self.throttled = self.invocations = 0
        self.busy_s = 0.0

    def invoke(self, invocation: InvokeCall) -> InvocationReply:
        """Run the tasks: each item is a number of seconds."""
        nature, way_s = self._nature, self._round_trip_s()
        is_cold = self._idle == 0
        if self._busy >= nature.quota or (is_cold and not self._grant()):
            self.throttled += 1
            self.took_s = way_s
            raise ThrottledError("429")
        self._idle -= not is_cold
        self._busy += 1
        self.invocations += 1
        items = self._items(invocation)
        factor = 1.0
        if self._random.random() < nature.straggling:
            factor = min(1.5 * self._random.paretovariate(2.0), 20.0)
        cold_s = nature.cold_start_s * self._random.lognormvariate(0.0, 0.2) if is_cold else 0.0
        run_s = sum(items) * factor
        self.executed += len(items)
        self.busy_s += cold_s + run_s
        self.took_s = way_s + cold_s + run_s
        self._loop.call_later(way_s / 2 + cold_s + run_s, self._free)
        return self._reply(items, factor, is_cold)

    def close(self) -> None:
        """Nothing is held."""

    def _free(self) -> None:
        self._busy -= 1
        self._idle += 1

    def _grant(self) -> bool:
        now, ramp = self._loop.time(), float(self._nature.ramp)
        self._grants = min(ramp, self._grants + (now - self._granted_at) * ramp / 10.0)
        self._granted_at = now
        if self._grants < 1.0 - 1e-6:
            return False
        self._grants -= 1.0
        return True

    def _round_trip_s(self) -> float:
        return self._nature.round_trip_s * self._random.lognormvariate(0.0, 0.6)

    def _items(self, invocation: InvokeCall) -> list[float]:
        document = json.loads(invocation.payload)
        items = Payload.from_json(document["items"])
        found: list[float] = read_items(items.inline_segments(), self._home)
        return found

    def _reply(self, items: list[float], factor: float, is_cold: bool) -> InvocationReply:
        encoder = Encoder(self._home)
        for item in items:
            encoder.dump({"value": item, "seconds": item * factor})
        response = Response(
            self._versions,
            "done",
            inline_payload([bytes(segment) for segment in encoder.frames().segments]),
            usage=Usage(duration_ms=sum(items) * factor * 1000, cold=is_cold),
            tasks=[TaskSummary(item * factor) for item in items],
        )
        return InvocationReply(200, json.dumps(response.to_json()).encode(), request_id="simulated")


def lower_bound_s(durations: list[float], *, concurrency: int, nature: Nature) -> float:
    """Return seconds that no scheduler can beat: the medians of a round trip and a cold start, and then the larger of

    - the longest task, and
    - the time in which the environments that the ramp grants, each busy from its first moment, do all the work.
    """
    work_s, granted_s, most = sum(durations), 0.0, min(concurrency, nature.quota, len(durations))
    at_once = min(most, nature.ramp)
    rate = nature.ramp / 10.0
    # at_once * t + rate * t^2 / 2 = work, until all that are allowed are there; from then on they are a straight line.
    full_s = (most - at_once) / rate
    done_s = at_once * full_s + rate * full_s**2 / 2
    if work_s <= done_s:
        granted_s = (-at_once + (at_once**2 + 2 * rate * work_s) ** 0.5) / rate
    else:
        granted_s = full_s + (work_s - done_s) / most
    return nature.round_trip_s + nature.cold_start_s + max(max(durations), granted_s)


def ideal_s(durations: list[float], *, concurrency: int, nature: Nature) -> float:
    """Return what the best scheduler reaches that takes tasks in order and cannot know how long they take.

    It has no overhead at all: each environment, from when the ramp grants it and after its cold start (the median),
    takes the next task in the moment in which it is free; one round trip in all.
    """
    most = min(concurrency, nature.quota, len(durations))
    free_at = [nature.cold_start_s + max(0, number - nature.ramp + 1) * 10.0 / nature.ramp for number in range(most)]
    heapq.heapify(free_at)
    end = 0.0
    for duration in durations:
        done = free_at[0] + duration
        heapq.heapreplace(free_at, done)
        end = max(end, done)
    return end + nature.round_trip_s


def durations_of(kind: str, count: int, mean_s: float, seed: int = 1) -> list[float]:
    """Return tasks' durations: `even`, or `skewed` (log-normal: most are short, a few are long)."""
    if kind == "even":
        return [mean_s] * count
    source = random.Random(seed)
    drawn = [source.lognormvariate(0.0, 0.5) for _ in range(count)]
    scale = mean_s * count / sum(drawn)
    return [each * scale for each in drawn]
