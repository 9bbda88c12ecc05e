"""Stores to test: the fake, and S3 as the embedded Lambda serves it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from lambdamagic.aws.access import AwsAccess
from lambdamagic.clock import SYSTEM_CLOCK, Clock
from lambdamagic.local.local_server import LocalConnection, LocalServer
from lambdamagic.local.testing.faults import Faults
from lambdamagic.storage.memory_store import MemoryObjectStore
from lambdamagic.storage.object_store import ObjectStore, UrlTransfer
from lambdamagic.storage.presigned import Transfer, Tuning
from lambdamagic.storage.s3 import S3ObjectStore

_names = itertools.count(1)

# S3 takes no part below 5 MiB but the last.
PARTS = Tuning(threshold_bytes=6 << 20, part_bytes=5 << 20, parallel=3, split_loopback=True)


@dataclass
class Pair:
    """A store, and the worker's side of it."""

    store: ObjectStore
    transfer: UrlTransfer


@pytest.fixture(scope="session")
def local() -> Iterator[LocalServer]:
    """One embedded Lambda for the whole run."""
    with LocalServer.start() as server:
        yield server


@pytest.fixture
def faults(local: LocalServer) -> Iterator[Faults]:
    """The embedded Lambda's faults and counters, both at zero."""
    found = Faults(local.connection)
    found.clear()
    found.stats(reset=True)
    yield found
    found.clear()


def access_to(connection: LocalConnection, **changes: str) -> AwsAccess:
    """Return the way into an embedded Lambda."""
    values = {
        "region": connection.region,
        "endpoint_url": connection.endpoint_url,
        "access_key_id": connection.access_key_id,
        "secret_access_key": connection.secret_access_key,
    }
    return AwsAccess(**{**values, **changes})


@pytest.fixture
def access(local: LocalServer) -> AwsAccess:
    return access_to(local.connection)


@pytest.fixture
def bucket(access: AwsAccess) -> str:
    """A new, empty bucket."""
    name = f"storage-{next(_names)}"
    client = access.client("s3")
    client.create_bucket(Bucket=name)
    client.close()
    return name


@pytest.fixture
def s3_store(access: AwsAccess, bucket: str) -> Iterator[Callable[..., S3ObjectStore]]:
    """Make stores of the new bucket, closed at the end."""
    made: list[S3ObjectStore] = []

    def make(*, tuning: Tuning | None = None, clock: Clock = SYSTEM_CLOCK, name: str = bucket) -> S3ObjectStore:
        made.append(S3ObjectStore(name, access, tuning=tuning, clock=clock))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture(params=["memory", "s3", "s3 in parts"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Every implementation of the contract."""
    if request.param == "memory":
        store = MemoryObjectStore("memory-bucket")
        yield Pair(store, store)
        return
    tuning = PARTS if "parts" in request.param else None
    transfer = Transfer(tuning=tuning)
    yield Pair(request.getfixturevalue("s3_store")(tuning=tuning), transfer)
    transfer.close()
