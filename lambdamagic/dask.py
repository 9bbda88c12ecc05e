"""Dask on Lambda: `import lambdamagic.dask` makes the scheduler known by its name.

    import lambdamagic.dask

    x.compute(scheduler="lambdamagic")
    dask.config.set(scheduler="lambdamagic")
    with lambdamagic.dask.scheduler(memory_mb=4096):
        x.compute()

Dask finds schedulers by name in a table of its own, to which this module adds. It looks nowhere else, so the name is
known in a process once this module was imported.
"""

from lambdamagic.graphs.dask_scheduler import DaskScheduler, get, register, scheduler

__all__ = ["DaskScheduler", "get", "scheduler"]

register()
