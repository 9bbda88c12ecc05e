"""How many invocations may run at once, as a pure function of throttles and successes so far.

Three things bound them: the user's or the account's limit, what throttling has taught, and the provider's ramp
(`ComputeLimits.new_environments`: so many new execution environments of a function in so many seconds, refilled
continuously and never saved up). What is started beyond the ramp is refused, so it is not started.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lambdamagic.limits import AWS_LAMBDA, ComputeLimits

#: Refusals closer together than this cut once.
_CUT_EVERY_S = 1.0
_CUT = 0.9
#: Pauses after refusals while nothing succeeds, in seconds: the first, doubled each time, and the longest.
_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0
#: While the ramp holds back, it is looked at this often.
_RAMP_LOOK_S = 0.05


@dataclass
class Concurrency:
    """How many invocations may be under way: additive increase, multiplicative decrease, within the ramp.

    As in TCP's congestion control (RFC 5681): many refusals of one moment are one sign, so they cut once; growth is
    fast up to where it last went well, and careful above. A refusal also says what Lambda holds at that moment: what
    is still under way. `now` is always seconds on a clock that does not go back.

    Attributes:
        ceiling: The user's or the account's limit.
        limits: What the function's compute allows.
        allowed: What throttling has taught so far.
    """

    ceiling: int
    limits: ComputeLimits = AWS_LAMBDA
    allowed: float = field(init=False)
    _threshold: float = field(init=False)
    _cut_at: float = float("-inf")
    _paused_until: float = float("-inf")
    _refusals: int = 0
    _environments: int = 0
    _granted: float = field(init=False)
    _granted_at: float = float("-inf")

    def __post_init__(self) -> None:
        self.allowed = self._threshold = float(self.ceiling)
        self._granted = float(self.limits.new_environments.most)

    @property
    def limit(self) -> int:
        """Invocations that may run at once, apart from the ramp."""
        return int(self.allowed)

    def reachable(self, now: float) -> int:
        """Return how many can be under way now, within the ramp."""
        return max(1, min(self.limit, self._environments + int(self._grants(now))))

    def room(self, under_way: int, now: float) -> int:
        """Return how many more may be started now."""
        if now < self._paused_until:
            return 0
        warm = max(0, self._environments - under_way)
        return max(0, min(self.limit - under_way, warm + int(self._grants(now))))

    def look_again_s(self, under_way: int, now: float) -> float | None:
        """Return in how many seconds the ramp leaves room again, though no invocation has ended; else None."""
        if now < self._paused_until:
            return self._paused_until - now
        return None if under_way >= self.limit or self.room(under_way, now) else _RAMP_LOOK_S

    def started(self, under_way: int, now: float) -> None:
        """Note a start; `under_way` counts it. What exceeds the environments so far needs a new one."""
        if under_way > self._environments:
            self._granted, self._granted_at = self._grants(now) - 1.0, now
            self._environments = under_way

    def throttled(self, under_way: int, now: float, *, jitter: float = 1.0) -> float:
        """Reduce the limit after a throttle, and return the pause in seconds.

        Args:
            under_way: How many are still under way, the refused one not counted.
            now: See the class.
            jitter: A number in [0, 1): many clients must not come back at the same moment.
        """
        held = max(1.0, float(under_way))
        self._environments = max(under_way, self._environments - 1)
        self._threshold = min(self._threshold, held)
        self.allowed = min(self.allowed, held)
        if now - self._cut_at >= _CUT_EVERY_S:
            self._cut_at = now
            self.allowed = max(1.0, self.allowed * _CUT)
        if now >= self._paused_until:
            self._refusals += 1
            pause_s = min(_LONGEST_PAUSE_S, _PAUSE_S * 2 ** min(self._refusals - 1, 16)) * (0.5 + 0.5 * jitter)
            self._paused_until = now + pause_s
        return self._paused_until - now

    def succeeded(self, now: float) -> None:
        """Go up: by one below the threshold, above it by one for each full round. What ended has left its place."""
        self._refusals, self._paused_until = 0, now
        step = 1.0 if self.allowed < self._threshold else 1.0 / self.allowed
        self.allowed = min(float(self.ceiling), self.allowed + step)

    def _grants(self, now: float) -> float:
        """Return how many new environments Lambda would make now."""
        if self._granted_at == float("-inf"):
            return self._granted
        most = float(self.limits.new_environments.most)
        return min(most, self._granted + (now - self._granted_at) * most / self.limits.ramp_s)
