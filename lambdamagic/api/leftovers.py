"""Objects of old jobs in a bucket without expiry rules, such as one older than the deployment."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from lambdamagic.api.launcher import Launcher
from lambdamagic.api.options import read_options
from lambdamagic.config.ages import parse_age
from lambdamagic.protocol import keys
from lambdamagic.storage.object_store import ObjectStore


@dataclass(frozen=True)
class Leftovers:
    """Objects that can be deleted.

    Attributes:
        keys: Their keys.
        size_bytes: Their size together.
    """

    keys: tuple[str, ...]
    size_bytes: int
    _store: ObjectStore

    @property
    def bucket(self) -> str:
        """The bucket that they are in."""
        return self._store.bucket

    def delete(self) -> None:
        """Delete them; one request for 1,000.

        Raises:
            TargetError: They cannot be deleted.
        """
        self._store.delete(self.keys)


def find_leftovers(age: str, **options: Any) -> Leftovers:
    """Return the objects of jobs that are older than an age; one LIST for 1,000 objects.

    Args:
        age: Such as `30d`.
        **options: As for `LambdaExecutor`; they say which bucket.

    Raises:
        TargetError: There is no bucket, or it cannot be listed.
    """
    store = Launcher(read_options(options)).target().stager.required()
    before = time.time() - parse_age(age)
    found = [
        info
        for prefix in (keys.jobs_prefix(), keys.graphs_prefix(), keys.blobs_prefix(), keys.cache_prefix())
        for info in store.list(prefix)
        if info.modified_s <= before
    ]
    return Leftovers(tuple(info.key for info in found), sum(info.size_bytes for info in found), store)
