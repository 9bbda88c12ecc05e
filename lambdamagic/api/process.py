"""What all executors of one process share: an engine, open targets, and the identity of `__main__`."""

from __future__ import annotations

import atexit
import sys
import threading
from typing import TYPE_CHECKING, Any

from lambdamagic.codec.home import Home
from lambdamagic.jobs.engine import Engine
from lambdamagic.targets import open_target

if TYPE_CHECKING:
    from lambdamagic.config import Settings
    from lambdamagic.targets.base import Target

_lock = threading.RLock()
_engine: Engine | None = None
_targets: dict[tuple[Any, ...], Target] = {}
_home: Home | None = None


def home() -> Home:
    """Return the home of this process's `__main__`."""
    global _home
    namespace = sys.modules["__main__"].__dict__
    with _lock:
        if _home is None or _home.namespace is not namespace:
            _home = Home(namespace)
        return _home


def engine() -> Engine:
    """Return the process's engine, made at first use."""
    global _engine
    with _lock:
        if _engine is None:
            _engine = Engine()
            atexit.register(close)
        return _engine


def target(settings: Settings) -> Target:
    """Return the open target for the settings; it stays open until the process ends, so that environments stay warm."""
    kind = settings.resolved_target()
    key: tuple[Any, ...] = (kind, settings.local_port)
    if kind == "aws":
        key = (kind, settings.function, settings.bucket, settings.region, settings.profile, settings.endpoint_url)
    with _lock:
        found = _targets.get(key)
        if found is not None and not found.is_alive():
            found.close()
            found = None
        if found is None:
            found = _targets[key] = open_target(settings)
        return found


def close() -> None:
    """Stop everything that was started for programs. Idempotent; the next use starts anew."""
    global _engine
    with _lock:
        opened, _engine_now = list(_targets.values()), _engine
        _targets.clear()
        _engine = None
    for each in opened:
        each.close()
    if _engine_now is not None:
        _engine_now.close()
        atexit.unregister(close)
