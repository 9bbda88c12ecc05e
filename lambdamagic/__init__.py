"""Run notebook code on AWS Lambda as if it ran in the kernel.

In a notebook::

    %load_ext lambdamagic

    %%lambda --memory 4096
    model = fit(X, y)

In a program::

    with lambdamagic.LambdaExecutor(memory_mb=4096) as executor:
        scores = list(executor.map(evaluate, candidates))

Importing this package loads neither boto3 nor IPython nor ipywidgets; the errors are in `lambdamagic.errors`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from lambdamagic.api.attach import JobInfo as JobInfo
    from lambdamagic.api.attach import attach as attach
    from lambdamagic.api.attach import list_jobs as list_jobs
    from lambdamagic.api.executor import LambdaExecutor as LambdaExecutor
    from lambdamagic.api.executor import cache_clear as cache_clear
    from lambdamagic.api.joblib_backend import register as register_joblib
    from lambdamagic.api.map_job import MapJob as MapJob
    from lambdamagic.api.pool import LambdaFunctionError as LambdaFunctionError
    from lambdamagic.api.pool import LambdaPool as LambdaPool
    from lambdamagic.api.pool import LambdaPoolError as LambdaPoolError
    from lambdamagic.api.reference import Reference as Reference
    from lambdamagic.api.reference import put as put
    from lambdamagic.api.remote_function import RemoteFunction as RemoteFunction
    from lambdamagic.api.remote_function import remote as remote
    from lambdamagic.runs.tasks import NOT_RUN as NOT_RUN

__version__ = "0.1.0"

__all__ = [
    "NOT_RUN",
    "JobInfo",
    "LambdaExecutor",
    "LambdaFunctionError",
    "LambdaPool",
    "LambdaPoolError",
    "MapJob",
    "Reference",
    "RemoteFunction",
    "attach",
    "cache_clear",
    "list_jobs",
    "load_ipython_extension",
    "put",
    "register_joblib",
    "remote",
    "unload_ipython_extension",
]

# Public name to where it is, loaded when it is first asked for (PEP 562).
_WHERE = {
    "JobInfo": ("lambdamagic.api.attach", "JobInfo"),
    "MapJob": ("lambdamagic.api.map_job", "MapJob"),
    "NOT_RUN": ("lambdamagic.runs.tasks", "NOT_RUN"),
    "attach": ("lambdamagic.api.attach", "attach"),
    "list_jobs": ("lambdamagic.api.attach", "list_jobs"),
    "LambdaExecutor": ("lambdamagic.api.executor", "LambdaExecutor"),
    "LambdaFunctionError": ("lambdamagic.api.pool", "LambdaFunctionError"),
    "LambdaPool": ("lambdamagic.api.pool", "LambdaPool"),
    "LambdaPoolError": ("lambdamagic.api.pool", "LambdaPoolError"),
    "Reference": ("lambdamagic.api.reference", "Reference"),
    "cache_clear": ("lambdamagic.api.executor", "cache_clear"),
    "put": ("lambdamagic.api.reference", "put"),
    "RemoteFunction": ("lambdamagic.api.remote_function", "RemoteFunction"),
    "remote": ("lambdamagic.api.remote_function", "remote"),
    "register_joblib": ("lambdamagic.api.joblib_backend", "register"),
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _WHERE[name]
    found = globals()[name] = getattr(importlib.import_module(module), attribute)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics: what `%load_ext lambdamagic` calls."""
    from lambdamagic.magics import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Unregister the magics: what `%unload_ext lambdamagic` calls."""
    from lambdamagic.magics import unload

    unload(shell)
