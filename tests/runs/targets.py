"""A target without an account."""

from __future__ import annotations

from typing import Any

from lambdamagic.jobs.job import FunctionRef
from lambdamagic.jobs.staging import Stager
from lambdamagic.limits import AWS_LAMBDA, ComputeLimits
from lambdamagic.storage.memory_store import MemoryObjectStore
from lambdamagic.targets.target import FunctionWish
from lambdamagic.transports.fake import FakeTransport


class FakeTarget:
    """A place that makes any function and runs nothing."""

    name = "fake"
    region = "eu-central-1"
    is_billed = True

    def __init__(self, transport: FakeTransport | None = None, limits: ComputeLimits = AWS_LAMBDA) -> None:
        self.limits = limits
        self.transport, self.stager = transport or FakeTransport(), Stager(MemoryObjectStore())
        self.wishes: list[FunctionWish] = []
        self.prepared: list[str] = []
        self.asked_usd = 0.0

    def concurrency(self, wanted: int, *, is_explicit: bool) -> int:
        return wanted if is_explicit else 3

    def function_for(self, wish: FunctionWish) -> FunctionRef:
        self.wishes.append(wish)
        return FunctionRef("function", wish.memory_mb, wish.timeout_s, limits=self.limits)

    def failed_starts(self, function: str, since_s: float) -> str:
        return ""

    def take_asked_usd(self) -> float:
        return self.asked_usd

    def prepare_events(self, function: str) -> None:
        self.prepared.append(function)

    def whereabouts(self) -> dict[str, Any]:
        return {"target": self.name}

    def is_alive(self) -> bool:
        return True

    def check(self, error: Exception) -> Exception:
        return error

    def close(self) -> None:
        pass
