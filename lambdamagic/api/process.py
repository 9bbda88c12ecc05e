"""What all executors of one process share: an engine, open targets, and the identity of `__main__`."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from collections.abc import Container
from itertools import chain
from types import FunctionType
from typing import TYPE_CHECKING, Any, Protocol

from lambdamagic.capture.hidden import HiddenNames
from lambdamagic.codec.home import Home
from lambdamagic.runs.opened import Opened, target_key
from lambdamagic.targets import open_target

if TYPE_CHECKING:
    from lambdamagic.api.options import Access
    from lambdamagic.config import Settings
    from lambdamagic.events import Listeners
    from lambdamagic.jobs.job import Job, JobSpec
    from lambdamagic.targets.target import Target


class Unfinished(Protocol):
    """Work that is under way."""

    def finish(self) -> None:
        """Accept no more work and wait for the existing."""
        ...


class _Shared:
    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.pid = os.getpid()
        self.opened = Opened()
        self.closes_at_exit = False
        self.home: Home | None = None
        self.pending: weakref.WeakSet[Unfinished] = weakref.WeakSet()
        self.waits_at_exit = self.is_shutting_down = False


_state = _Shared()


def _shared() -> _Shared:
    global _state
    if _state.pid != os.getpid():
        # A forked child has none of the threads, and the parent's server and connections are not its own.
        _state = _Shared()
    return _state


def home() -> Home:
    """Return the home of this process's `__main__`."""
    shared, namespace = _shared(), _globals_of_main()
    with shared.lock:
        if shared.home is None or shared.home.namespace is not namespace:
            shared.home = Home(namespace)
        return shared.home


def _globals_of_main() -> dict[str, Any]:
    """Return the globals of the functions of `__main__`.

    A process that multiprocessing has spawned runs the program's file in one namespace, and copies it into another.
    """
    namespace = vars(sys.modules["__main__"])
    if namespace.get("__name__") != "__mp_main__":
        return namespace
    classes = [value for value in namespace.values() if isinstance(value, type) and value.__module__ == "__mp_main__"]
    for value in chain(namespace.values(), *(vars(each).values() for each in classes)):
        if type(value) is FunctionType and value.__module__ == "__mp_main__":
            return value.__globals__
    return namespace


def hidden() -> Container[str]:
    """Return the names of `__main__` that a notebook put there, such as its own `open`; none outside of one."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = None if get_ipython is None else get_ipython()
    if shell is None or shell.user_ns is not sys.modules["__main__"].__dict__:
        return ()
    return HiddenNames(shell)


def start(spec: JobSpec, listeners: Listeners) -> Job:
    """Begin a job."""
    shared = _shared()
    with shared.lock:
        if not shared.closes_at_exit:
            shared.closes_at_exit = True
            atexit.register(close)
    return shared.opened.start(spec, listeners)


def target(settings: Settings, access: Access) -> Target:
    """Return the open target for the settings; it stays open until the process ends, so that environments stay warm."""
    opened = _shared().opened
    return opened.target(target_key(settings, access), lambda: open_target(settings, _account(settings, access)))


def is_open(endpoint_url: str) -> bool:
    """Return whether an embedded Lambda that this process opened still runs at an endpoint."""
    targets = [each for each in list(_shared().opened.targets.values()) if each.name == "local"]
    return any(each.is_alive() and each.whereabouts().get("endpoint_url") == endpoint_url for each in targets)


def _account(settings: Settings, access: Access) -> Any:
    from lambdamagic.aws.access import AwsAccess

    return AwsAccess(
        region=settings.region,
        profile=settings.profile,
        endpoint_url=settings.endpoint_url,
        access_key_id=access.key_id,
        secret_access_key=access.secret,
        session_token=access.token,
        credentials_file=access.credentials_file,
    )


def finish_before_exit(work: Unfinished) -> None:
    """Let the interpreter wait for this work before it ends, as it does for the standard library's executors."""
    shared = _shared()
    with shared.lock:
        shared.pending.add(work)
        if not shared.waits_at_exit:
            shared.waits_at_exit = True
            # What concurrent.futures itself uses: `atexit` comes too late, when no thread can be started any more.
            # Without it (it is private) work under way is abandoned at exit.
            register = getattr(threading, "_register_atexit", None)
            if register is not None:
                register(_finish_all)


def _finish_all() -> None:
    shared = _shared()
    shared.is_shutting_down = True
    for work in list(shared.pending):
        work.finish()


def is_shutting_down() -> bool:
    """Whether the interpreter is shutting down and waits for the existing work."""
    return _shared().is_shutting_down


def close() -> None:
    """Stop everything that was started for programs. Idempotent; the next use starts again."""
    shared = _shared()
    with shared.lock:
        opened, shared.opened = shared.opened, Opened()
        closes, shared.closes_at_exit = shared.closes_at_exit, False
    opened.close()
    if closes:
        atexit.unregister(close)
