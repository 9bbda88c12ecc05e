"""What a job says that it costs is what the other end counts."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from benchmarks import cost
from lambdamagic import LambdaExecutor, events
from lambdamagic.api import process
from lambdamagic.config.settings import Settings
from lambdamagic.errors import CostLimitError, TargetError
from lambdamagic.local.local_server import LocalServer
from lambdamagic.local.testing.faults import Faults
from lambdamagic.pythons import python_here
from lambdamagic.targets.local_target import LocalTarget
from lambdamagic.targets.target import FunctionWish


@pytest.fixture(scope="module", autouse=True)
def closed() -> Iterator[None]:
    yield
    process.close()


class Account:
    """Hears what is billed."""

    def __init__(self) -> None:
        self.usd = 0.0
        self.charges: list[events.Charged] = []

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.Billed):
            self.usd += event.cost_usd
        if isinstance(event, events.Charged):
            self.charges.append(event)

    def unreported_usd(self) -> float:
        return sum(each.cost_usd for each in self.charges if each.what == "unreported")


def faults_of(executor: LambdaExecutor) -> Faults:
    target: Any = executor._launcher.target()
    return Faults(target.server.connection)


@pytest.mark.parametrize(
    ("mode", "size", "inline_limit_bytes"),
    [("sync", 100, 4_000_000), ("sync", 50_000, 1_000), ("event", 100, 4_000_000), ("trigger", 100, 4_000_000)],
    ids=["inline", "through S3", "event", "trigger"],
)
def test_reported_is_counted(mode: str, size: int, inline_limit_bytes: int) -> None:
    """Invocations with INIT and S3 requests of both sides, in each mode (the benchmark holds 2%)."""
    reported, counted, _ = cost.run(12, mode=mode, size=size, inline_limit_bytes=inline_limit_bytes)
    assert reported == pytest.approx(counted, rel=0.05)


_SLOW_START = """
import os, sys, time

class Finder:
    def find_spec(self, name, path=None, target=None):
        mark = os.path.join(os.environ["TMPDIR"], "began")
        if name == "lambdamagic.worker.invocation" and not os.path.exists(mark):
            open(mark, "w").close()
            time.sleep(60)

sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize("mode", ["sync", "event"])
def test_an_init_that_took_too_long_is_billed(mode: str, tmp_path: Path) -> None:
    """Lambda bills it, does it again, and no REPORT line has it: the log's end or the function itself says so."""
    (tmp_path / "sitecustomize.py").write_text(_SLOW_START)
    account = Account()
    with LocalServer.start(init_timeout_s=6.0) as server, closing(LocalTarget(Settings(), server)) as target:
        function = target.function_for(FunctionWish(256, 60, python_here()))
        with closing(target.access.client("lambda")) as client:
            client.update_function_configuration(
                FunctionName=function.name, Environment={"Variables": {"PYTHONPATH": str(tmp_path)}}
            )
        file = tmp_path / "credentials"
        keys = server.connection
        file.write_text(
            f"[default]\naws_access_key_id = {keys.access_key_id}\naws_secret_access_key = {keys.secret_access_key}\n"
        )
        with LambdaExecutor(
            target="aws",
            region=target.region,
            endpoint_url=target.access.endpoint_url,
            function=function.name,
            bucket=target.stager.required().bucket,
            credentials_file=str(file),
            memory_mb=256,
            timeout_s=60,
            mode=mode,
        ) as executor:
            faults = Faults(keys)
            faults.stats(reset=True)
            executor.add_listener(account)
            assert executor.submit(abs, -3).result() == 3
            stats = faults.stats()
    assert stats["billed_gb_s"] > 6 / 4
    assert account.usd == pytest.approx(cost.counted_usd(stats), rel=0.05)  # of an event the run time is estimated


def test_what_cannot_start_is_billed(tmp_path: Path) -> None:
    """INIT is tried twice, and the user is shown that no code of theirs ran."""
    (tmp_path / "sitecustomize.py").write_text("import os\nif 'AWS_LAMBDA_RUNTIME_API' in os.environ: os._exit(7)\n")
    account = Account()
    with LambdaExecutor(target="local", memory_mb=256, timeout_s=61) as executor:
        executor.add_listener(account)
        executor.submit(abs, 1).result()
        target: Any = executor._launcher.target()
        with closing(target.access.client("lambda")) as client:
            client.update_function_configuration(
                FunctionName="lambdamagic-py{}-256mb-61s".format(python_here().replace(".", "")),
                Environment={"Variables": {"PYTHONPATH": str(tmp_path)}},
            )
        faults = faults_of(executor)
        faults.stats(reset=True)
        before = account.usd
        with pytest.raises(TargetError, match=r"cannot start: its process ended in INIT \(.*exit status 7\)"):
            executor.submit(abs, 1).result()
        stats = faults.stats()
    assert stats["billed_invocations"] == 1
    assert account.usd - before == pytest.approx(cost.counted_usd(stats), rel=0.02)


def dies(number: int) -> None:
    """End the environment after some time."""
    time.sleep(0.3)
    os._exit(number)


def test_a_death_without_a_log_is_billed_at_least() -> None:
    """The REPORT line of an event that died is not available: its run time, as far as it was seen, is counted."""
    account = Account()
    with LambdaExecutor(target="local", mode="event", memory_mb=256, timeout_s=15, max_workers=1) as executor:
        executor.add_listener(account)
        with pytest.raises(Exception, match="no heartbeat"):
            executor.submit(dies, 3).result()
    assert account.unreported_usd() > 0


def test_abandoned_invocations_are_billed_at_least() -> None:
    """A job that is cancelled leaves invocations that run on for a moment."""
    account, started = Account(), threading.Event()
    with LambdaExecutor(target="local", memory_mb=256, timeout_s=15, max_workers=1) as executor:
        executor.add_listener(account)
        executor.add_listener(lambda event: isinstance(event, events.InvocationStarted) and started.set())
        job = executor.start_map(time.sleep, [10])
        assert started.wait(30)
        job.cancel()
        job.wait(30)
    assert account.unreported_usd() > 0


def test_a_refused_answer_is_billed() -> None:
    """The function ran, and says that it could not store its answer: its REPORT line counts."""
    account = Account()
    with LambdaExecutor(target="local", memory_mb=256, inline_limit_bytes=1_000, max_workers=1) as executor:
        executor.add_listener(account)
        executor.submit(len, b"").result()
        faults = faults_of(executor)
        faults.stats(reset=True)
        before = account.usd
        # The answer's own upload comes after the code.
        faults.refuse_s3(operation="PutObject", count=None, status=403, code="AccessDenied")
        try:
            with pytest.raises(Exception, match="could not be stored"):
                executor.submit(bytes, 50_000).result()
        finally:
            faults.clear()
        billed = faults.stats()["billed_invocations"]
    assert billed == 1
    assert account.usd > before


def test_the_limit_counts_requests_too() -> None:
    """Uploads of events, answers and signs cost more than short calls do, and the limit is held to them."""
    with (
        LambdaExecutor(target="local", mode="event", memory_mb=256, max_workers=2, max_cost=0.0004) as executor,
        pytest.raises(CostLimitError),
    ):
        # 60 answers at three writes each are 0.0009 dollars; their invocations 0.00002.
        list(executor.map(abs, range(60), chunksize=1))
