"""SnapStart: one process is initialized, and each environment continues from a copy of its memory.

A random state or a unique name in that memory would be the same in all of them ("Handling uniqueness with Lambda
SnapStart", Developer Guide), so each makes its own right after it was restored. What the kernel gives (`os.urandom`,
`secrets`, `uuid4`) is different in each already. Imported only under SnapStart.
"""

from __future__ import annotations

import os
import random
import sys
import time
from typing import Any

_SEED_BYTES = 32


class Restored:
    """What is known of this environment's restore.

    Attributes:
        environment_id: What identifies the environment: Lambda gives it no name, since its log stream's is not among
            its variables. Empty in the snapshot.
        took_ms: How long the function's part of the restore took; Lambda bills it, and its own loading of the runtime.
    """

    def __init__(self) -> None:
        self.environment_id = ""
        self.took_ms = 0.0

    def register(self) -> None:
        """Let Lambda's runtime client call what belongs before the snapshot and after each restore."""
        from snapshot_restore_py import (  # type: ignore[import-untyped]  # only Lambda's own Python has it
            register_after_restore,
            register_before_snapshot,
        )

        register_before_snapshot(self.before_snapshot)
        register_after_restore(self.after_restore)

    def before_snapshot(self) -> None:
        """Leave nothing in the snapshot that its copies cannot share: no connection outlives it."""
        _forget_connections()

    def after_restore(self) -> None:
        """Make this environment different from all others that come from the same snapshot."""
        began = time.perf_counter()
        self.environment_id = os.urandom(16).hex()
        random.seed()
        for module, renew in _RENEWALS.items():
            if module in sys.modules:
                renew(sys.modules[module])
        _forget_connections()
        self.took_ms = (time.perf_counter() - began) * 1000


#: This process's.
RESTORED = Restored()


def _forget_connections() -> None:
    transfers = sys.modules.get("lambdamagic.storage.presigned")
    if transfers is not None:
        transfers.forget_idle_connections()


def _renew_names(tempfile: Any) -> None:
    tempfile._name_sequence = None  # it compares process ids to see a fork, and these are the same in all copies


def _renew_authentication(process: Any) -> None:
    process.current_process().authkey = os.urandom(_SEED_BYTES)


def _renew_node(uuid: Any) -> None:
    uuid._node = uuid._last_timestamp = None


def _renew_numpy(numpy_random: Any) -> None:
    numpy_random.seed()  # the global generator: others are their owners'


def _renew_openssl(ssl: Any) -> None:
    ssl.RAND_add(os.urandom(_SEED_BYTES), float(_SEED_BYTES))


def _renew_torch(torch: Any) -> None:
    torch.seed()


#: By module: how its state gets different, where it was imported before the snapshot.
_RENEWALS = {
    "multiprocessing.process": _renew_authentication,
    "numpy.random": _renew_numpy,
    "ssl": _renew_openssl,
    "tempfile": _renew_names,
    "torch": _renew_torch,
    "uuid": _renew_node,
}
