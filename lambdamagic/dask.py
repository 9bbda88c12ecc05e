"""Dask on Lambda: `import lambdamagic.dask` makes the scheduler known by its name.

    import lambdamagic.dask

    x.compute(scheduler="lambdamagic")
    dask.config.set(scheduler="lambdamagic")
    with lambdamagic.dask.scheduler(memory_mb=4096):
        x.compute()

Dask finds schedulers by name in its own table, and this module adds an entry. Dask has no other place to register a
name, so a process must import this module once.
"""

from lambdamagic.graphs.dask_scheduler import DaskScheduler, get, register, scheduler
from lambdamagic.graphs.signing import presigned

__all__ = ["DaskScheduler", "get", "presigned", "scheduler"]

register()
