"""What is known of functions, when they are looked up while others change."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lambdamagic.local.environments.function_registry import FunctionRegistry
from lambdamagic.local.environments.function_versions import FunctionCatalog, not_found
from lambdamagic.local.server.error_bodies import AwsError
from tests.local.environments import function

LONGEST_S = 30.0


class Catalog(FunctionCatalog):
    """Functions whose reading a test can hold up."""

    def __init__(self) -> None:
        super().__init__(account_id="123456789012", region="us-east-1")
        self.functions = {}
        self.reads = []
        self.doors = {}

    def close(self, name):
        """Hold up the reader of this function; returns an event for its arrival, and one that lets it continue."""
        self.doors[name] = threading.Event(), threading.Event()
        return self.doors[name]

    def read(self, name, qualifier):
        del qualifier
        self.reads.append(name)
        found = self.functions.get(name)
        if name in self.doors:
            arrived, opened = self.doors.pop(name)
            arrived.set()
            opened.wait(LONGEST_S)
        if found is None:
            raise not_found(name)
        return found

    def reserved_total(self):
        return {}

    def names(self):
        return set(self.functions)


class Environments:
    """Of the pool what a refresh needs: it notes which functions may continue."""

    def __init__(self) -> None:
        self.kept = []
        self.reserved = {}

    def retire(self, keep):
        pass

    def kill_missing(self, names):
        self.kept.append(names)


@pytest.fixture
def parts():
    with ThreadPoolExecutor(4) as executor:
        catalog, environments = Catalog(), Environments()
        registry = FunctionRegistry(
            catalog,
            None,
            pool=environments,
            authenticator=None,
            executor=executor,
            load_moto=lambda: None,
            region="us-east-1",
        )
        yield registry, catalog, environments


async def _arrival(door):
    assert await asyncio.to_thread(door[0].wait, LONGEST_S)


def test_a_function_found_during_a_refresh_is_not_ended_by_it(parts):
    """Its first invocation continues when another function is deployed at the same moment."""
    registry, catalog, environments = parts

    async def work():
        catalog.functions = {"a": function("a"), "b": function("b")}
        await registry.find("a", None)
        door = catalog.close("a")
        refresh = asyncio.create_task(registry.refresh())
        await _arrival(door)
        finding = asyncio.create_task(registry.find("b", None))
        await asyncio.wait([finding], timeout=0.2)  # before the refresh is done, or else after it
        door[1].set()
        await refresh
        assert (await finding).name == "b"
        await registry.refresh()
        assert environments.kept == [{"a", "b"}, {"a", "b"}]

    asyncio.run(work())


def test_a_function_changed_while_it_is_looked_up_is_known_as_it_is_now(parts):
    """The refresh after the change reads it again and lets its environments continue."""
    registry, catalog, environments = parts

    async def work():
        catalog.functions = {"a": function("a", memory_mb=128)}
        door = catalog.close("a")
        finding = asyncio.create_task(registry.find("a", None))
        await _arrival(door)
        catalog.functions = {"a": function("a", memory_mb=256)}
        refresh = asyncio.create_task(registry.refresh())
        await asyncio.sleep(0)  # the refresh begins
        door[1].set()
        await finding
        await refresh
        await registry.refresh()
        assert registry.known("a", None).memory_mb == 256
        assert environments.kept[-1] == {"a"}

    asyncio.run(work())


def test_functions_asked_for_at_once_are_read_once(parts):
    """The second caller finds what the first has read."""
    registry, catalog, _ = parts

    async def work():
        catalog.functions = {"a": function("a")}
        assert len({id(each) for each in await asyncio.gather(*(registry.find("a", None) for _ in range(5)))}) == 1
        assert catalog.reads == ["a"]

    asyncio.run(work())


def test_a_missing_function_does_not_delay_others(parts):
    """Its caller gets the error, and the next one is served."""
    registry, catalog, _ = parts

    async def work():
        with pytest.raises(AwsError, match="Function not found"):
            await registry.find("a", None)
        catalog.functions = {"a": function("a")}
        assert (await registry.find("a", None)).name == "a"

    asyncio.run(work())
