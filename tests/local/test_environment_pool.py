"""Which environment gets a task, at the moments that real processes seldom hit."""

from __future__ import annotations

import asyncio

import pytest

from lambdamagic.local.environments.environment import Environment
from lambdamagic.local.environments.environment_pool import Pool
from lambdamagic.local.environments.invocations import NotDelivered
from lambdamagic.local.server.observing import Observed
from tests.local.environments import ScriptedProcesses, blueprint, function, invocation, log_buffer, until


class LeapingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock a test puts forward."""

    ahead_s = 0.0

    def time(self):
        return super().time() + self.ahead_s


def run(work):
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        runner.run(work())


async def pass_by(seconds):
    """Let what is due within this time happen."""
    loop = asyncio.get_running_loop()
    loop.ahead_s += seconds
    for _ in range(3):
        await asyncio.sleep(0)


class Rig:
    """An environment or a pool on scripted processes."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = ScriptedProcesses()

    def environment(self):
        return Environment(
            function("f"),
            blueprint(self.folder),
            folder=self.folder,
            processes=self.processes,
            logs=log_buffer(),
            init_timeout_s=60.0,
            on_end=lambda environment: None,
        )

    def pool(self, **options):
        return Pool(
            folder=self.folder,
            processes=self.processes,
            logs=log_buffer(),
            observed=Observed(),
            **{"concurrency": 10, "idle_expiry_s": 300.0, "init_timeout_s": 60.0, **options},
        )

    def run(self, pool, version, **options):
        """Begin an invocation."""
        return asyncio.create_task(pool.run(version, blueprint(self.folder), invocation(), **options))

    async def begun(self, count):
        await until(lambda: len(self.processes.begun) == count and self.processes.begun[-1].pid is not None)
        return self.processes.begun[-1]

    async def delivered(self, count):
        await until(lambda: len(self.processes.tasks) == count)


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path)


def test_an_environment_killed_at_the_end_of_init_takes_no_task(rig):
    """Its caller learns that nothing has run."""

    async def work():
        environment = rig.environment()
        starting = asyncio.create_task(environment.start("id"))
        await rig.begun(1)
        rig.processes.be_ready(environment)
        environment.kill("retired")  # INIT is over, and its waiter does not know yet
        assert await starting is None
        running = asyncio.create_task(environment.run(invocation()))
        await asyncio.sleep(0)
        assert rig.processes.tasks == []
        rig.processes.end(environment)
        with pytest.raises(NotDelivered):
            await running

    run(work)


def test_an_environment_killed_before_it_asks_takes_no_task(rig):
    """A runtime that asks again on its way out is handed nothing."""

    async def work():
        environment = rig.environment()
        starting = asyncio.create_task(environment.start("id"))
        await rig.begun(1)
        rig.processes.be_ready(environment)
        await starting
        first = asyncio.create_task(environment.run(invocation()))
        await rig.delivered(1)
        assert environment.on_result(rig.processes.tasks[0].request_id, b"1", is_error=False) is None
        assert (await first)[0].payload == b"1"
        second = asyncio.create_task(environment.run(invocation()))
        await asyncio.sleep(0)
        environment.kill("evicted")
        rig.processes.be_ready(environment)
        assert len(rig.processes.tasks) == 1
        rig.processes.end(environment)
        with pytest.raises(NotDelivered):
            await second

    run(work)


def test_a_task_whose_environment_was_killed_under_it_gets_another(rig):
    """A deployment at the end of INIT does not show in the answer."""

    async def work():
        pool = rig.pool()
        running = rig.run(pool, function("f"))
        first = await rig.begun(1)
        rig.processes.be_ready(first)
        pool.retire(lambda version: False)
        await pass_by(0.0)
        rig.processes.end(first)
        second = await rig.begun(2)
        rig.processes.be_ready(second)
        await rig.delivered(1)
        rig.processes.answer(second)
        assert (await running).result.payload == b"1"
        rig.processes.close()

    run(work)


def test_a_scripted_kill_is_not_for_the_next_task(rig):
    """One that was to come after the end of its task never comes."""

    async def work():
        pool, version = rig.pool(), function("f")
        first = rig.run(pool, version, kill_after_s=60.0)
        environment = await rig.begun(1)
        rig.processes.be_ready(environment)
        await rig.delivered(1)
        rig.processes.answer(environment)
        await first
        second = rig.run(pool, version)
        await rig.delivered(2)
        await pass_by(61.0)
        assert rig.processes.killed == []
        rig.processes.answer(environment)
        assert not (await second).was_cold
        rig.processes.close()

    run(work)


def test_a_scripted_kill_comes_while_its_task_runs(rig):
    """So long after the task was taken as was asked for."""

    async def work():
        pool = rig.pool()
        running = rig.run(pool, function("f"), kill_after_s=60.0)
        environment = await rig.begun(1)
        rig.processes.be_ready(environment)
        await rig.delivered(1)
        assert rig.processes.killed == []
        await pass_by(61.0)
        assert rig.processes.killed == [environment]
        rig.processes.end(environment)
        assert (await running).result.is_error

    run(work)


def test_an_environment_that_cannot_be_used_any_more_is_killed(rig):
    """Made by an invocation that had read the function before its update, it must not stay in the way."""

    async def work():
        pool = rig.pool()
        for number, version in enumerate((function("f"), function("f", code_digest="new")), 1):
            running = rig.run(pool, version)
            environment = await rig.begun(number)
            rig.processes.be_ready(environment)
            await rig.delivered(number)
            rig.processes.answer(environment)
            assert (await running).was_cold
        assert rig.processes.killed == [rig.processes.begun[0]]
        rig.processes.end(rig.processes.begun[0])
        assert pool.live == 1
        rig.processes.close()

    run(work)
