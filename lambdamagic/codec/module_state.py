"""State of the user's own modules: sent as differences from a fresh import, and brought back in the same way.

The function imports the modules again. What the notebook's hold is put into theirs before the cell runs: lists,
dictionaries, sets and instances are filled in place, so that what the modules themselves keep of them stays true, and
anything else is set. After the cell, what their places hold otherwise than before is sent back.
"""

from __future__ import annotations

import builtins
import contextlib
import hashlib
import sys
import threading
import types
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from lambdamagic.codec import kinds
from lambdamagic.codec.changes import apply, state_to_send
from lambdamagic.codec.encode import Encoder
from lambdamagic.codec.failures import safe_str
from lambdamagic.codec.home import Home
from lambdamagic.codec.interruption import NEVER_THE_OBJECTS
from lambdamagic.codec.module_places import Place, PlaceReference, drop, held, is_plain, label, places, put
from lambdamagic.codec.picklers import PICKLING_ERRORS
from lambdamagic.codec.tracking import Tracked
from lambdamagic.codec.unbegun import Lock, RLock

#: Of what one place holds; more is left as a fresh import makes it.
MAX_BYTES = 1 << 20
_MAX_LOOKED_AT = 16 << 20
#: What is filled in place.
_FILLED = frozenset({kinds.LIST, kinds.DICT, kinds.SET, kinds.CONTAINER, kinds.INSTANCE, kinds.CACHE})
#: A fresh one is as good.
_AS_GOOD = (Lock, RLock, types.ModuleType)


class Sent:
    """The state of one module that was sent.

    Attributes:
        names: The places that were filled, for display.
        values: What was written, by the names of its places.
        kept: Places whose content stays here, with its type and the reason.
    """

    def __init__(self) -> None:
        self.size_bytes = 0
        self.names: list[str] = []
        self.values: dict[str, Any] = {}
        self.kept: list[tuple[Place, str, str]] = []


def send(encoder: Encoder, home: Home, kind: str, module: types.ModuleType) -> Sent:
    """Write the state of a module; `Received.read` reads it."""
    sent = Sent()
    plain: list[tuple[Place, Any]] = []
    filled: list[tuple[Place, Any, int, Any]] = []
    given: list[tuple[Place, Any]] = []
    for place, value in places(module):
        if is_plain(value):
            plain.append((place, value))
            continue
        if isinstance(value, _AS_GOOD):
            continue
        how = kinds.kind_of_value(value)
        try:
            is_filled = how in _FILLED and (how != kinds.INSTANCE or type(value).__module__ != "__main__")
            content = _content(value, how) if is_filled else value
            probe = Encoder(home, kind=kind, most_bytes=MAX_BYTES)
            probe.give([value])
            probe.dump(content)
        except PICKLING_ERRORS as error:
            reason = str(error).partition("\n")[0]
            sent.kept.append((place, _type_name(value), reason or type(error).__name__))
            continue
        sent.names.append(label(place).removeprefix(f"{module.__name__}."))
        if is_filled:
            if encoder.refer(value, PlaceReference(place, None if how == kinds.CACHE else type(value))):
                filled.append((place, value, how, content))
        else:
            given.append((place, value))
    sent.values = {label(place): value for place, value in (*plain, *given, *(each[:2] for each in filled))}
    encoder.give(value for _, value in given)
    sent.size_bytes += encoder.dump(("own", plain))
    for place, value, how, content in filled:
        sent.size_bytes += encoder.dump(("next own", label(place)))
        sent.size_bytes += encoder.dump(("state", (value, how, content)))
    for place, value in given:
        sent.size_bytes += encoder.dump(("next own", label(place)))
        sent.size_bytes += encoder.dump(("own", [(place, value)]))
    return sent


def _content(value: Any, how: int) -> Any:
    content = state_to_send(Tracked(value, how, 0))
    return (content[0], {}) if how == kinds.CACHE else content


def _type_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


class OwnChanges:
    """Changes that a cell made to the user's own modules.

    Attributes:
        entries: Places with what they hold now.
        unset: Places that are gone.
        imported: The modules that are loaded.
        kept: Names, types and reasons of what stayed in the notebook, and is otherwise here.
    """

    def __init__(
        self, entries: Iterable[tuple[Place, Any]] = (), unset: Iterable[Place] = (), imported: Iterable[str] = ()
    ) -> None:
        self.entries = [*entries]
        self.unset = [*unset]
        self.imported = sorted(imported)
        self.kept: list[tuple[str, str, str]] = []


class Received:
    """The user's own modules in the function: filled with what came, and compared after the cell."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._kept: list[tuple[Place, str, str]] = []
        self._before: dict[str, dict[Place, tuple[Any, bytes]]] = {}
        self._builtins = OwnChanges()
        self._same_builtins: list[tuple[Place, Any]] = []
        self.values: list[Any] = []

    def expect(self, loaded: Iterable[str]) -> None:
        """Import what the notebook has imported: what that prints was shown there."""
        for name in loaded:
            with contextlib.suppress(Exception):  # it fails in the cell that imports it, or is never needed
                __import__(name)

    def note_kept(self, kept: Iterable[tuple[Place, str, str]]) -> None:
        """Record a value that stayed in the notebook."""
        self._kept += kept

    def note_unreadable(self, content: Iterable[tuple[Place, Any]], error: BaseException) -> None:
        """Record a value that cannot be rebuilt here: the module keeps the value of its import."""
        reason = f"reading it on Lambda raised {type(error).__name__}: {safe_str(error)}"
        self._kept += [(place, "an object", reason) for place, _ in content]

    def set(self, content: Iterable[tuple[Place, Any]]) -> None:
        """Set the received values at their places."""
        for place, value in content:
            with contextlib.suppress(Exception):  # the module did not load, or has another shape now
                if not is_plain(value):
                    self.values.append(value)
                elif _exists(place) and _is_same(held(place), value):
                    continue
                put(place, value)

    def fill(self, target: Any, how: int, content: Any) -> None:
        """Fill the object at a place with the received content."""
        self.values.append(target)
        with contextlib.suppress(Exception):  # a class whose own methods refuse: it stays as the import made it
            apply(target, how, content)

    def loaded(self, module: types.ModuleType) -> None:
        """Track a module right after code has imported it."""
        if module.__name__ not in self._before:
            self._before[module.__name__] = self._pictures(module, ())

    def look(self, known: Collection[int]) -> None:
        """Track all loaded modules.

        Args:
            known: The `id` of objects whose changes in place are seen by others.
        """
        for name in list(self._before):
            if name in sys.modules:
                self._before[name] = self._pictures(sys.modules[name], known)

    def note_builtins(self, before: Mapping[str, Any], sent: Mapping[str, Any]) -> None:
        """Record the cell's changes to `builtins`, before they are undone.

        Args:
            before: What the cell found there.
            sent: Those of it that are the user's. Another `len` would break whatever process it is in.
        """
        scope = vars(builtins)
        if not sent and [*scope] == [*before]:  # as lists: in a tenth of the time
            return
        looked_at = (scope.keys() - before.keys()) | (scope.keys() & sent.keys())
        now = {name: value for name, value in scope.items() if name in looked_at} if looked_at else {}
        for name, value in now.items():
            is_same = name in sent and sent[name] is value
            if name != "_" and name[:2] != "__":
                (self._same_builtins if is_same else self._builtins.entries).append((_in_builtins(name), value))
        self._builtins.unset = [_in_builtins(name) for name in sent if name not in now]

    def _pictures(self, module: types.ModuleType, known: Collection[int]) -> dict[Place, tuple[Any, bytes]]:
        return {
            place: (value, b"" if is_plain(value) or id(value) in known else self._digest(value))
            for place, value in places(module)
        }

    def _digest(self, value: Any) -> bytes:
        encoder = Encoder(self._home, most_bytes=_MAX_LOOKED_AT)
        encoder.give([value])
        try:
            encoder.dump(value)
        except NEVER_THE_OBJECTS:
            raise
        except PICKLING_ERRORS:
            return b""
        digest = hashlib.blake2b(digest_size=16)
        for segment in encoder.frames().segments:
            digest.update(segment)
        return digest.digest()

    def changes(self, gone: Collection[int] = ()) -> OwnChanges:
        """Compare.

        Args:
            gone: The `id` of objects that are sent back under a new identity.
        """
        entries = [*self._builtins.entries, *(each for each in self._same_builtins if id(each[1]) in gone)]
        found = OwnChanges(entries, self._builtins.unset, self._before)
        for name, before in self._before.items():
            module = sys.modules.get(name)
            now = dict(places(module)) if type(module) is types.ModuleType else {}
            for place, value in now.items():
                old, digest = before.get(place, (_Nothing, b""))
                if old is not value:
                    is_changed = not _is_same(old, value)
                else:
                    is_changed = id(value) in gone or (bool(digest) and self._digest(value) != digest)
                if is_changed:
                    found.entries.append((place, value))
            if now:
                found.unset += [place for place in before if place not in now and not _exists(place)]
        for place, type_name, reason in self._kept:
            with contextlib.suppress(Exception):
                if not _exists(place) or _type_name(held(place)) != type_name:
                    found.kept.append((label(place), type_name, reason))
        return found


class _Nothing:
    """The previous value of a place that is new."""


def _in_builtins(name: str) -> Place:
    return "builtins", ("attribute", name)


def name_in_builtins(place: Place) -> str:
    """Return the name of a place in `builtins`; empty for any other place."""
    return str(place[1][1]) if place[0] == "builtins" else ""


def _exists(place: Place) -> bool:
    try:
        held(place)
    except (LookupError, ImportError, TypeError, AttributeError, ValueError):
        return False
    return True


def _is_same(one: Any, other: Any) -> bool:
    return one is other or (is_plain(other) and type(one) is type(other) and repr(one) == repr(other))


def bring_back(entries: Iterable[tuple[Place, Any]], unset: Iterable[Place]) -> Iterator[str]:
    """Apply a cell's changes to the modules here; yield those that failed, as sentences."""
    for place, value in entries:
        try:
            put(place, value)
        except Exception as error:  # noqa: BLE001  # importing a module of the user's may raise anything
            yield f"{label(place)} was changed on Lambda and could not be set here: {type(error).__name__}: {error}"
    for place in unset:
        with contextlib.suppress(Exception):  # it is gone already
            drop(place)


class _Quiet:
    """Drops what one thread writes, and passes on what others do; see `rebuild_places.stream`.

    No stream of `io`, each of which Python closes at its end: that takes longer than to read a small answer.
    """

    def __init__(self, stream: Any) -> None:
        self.silenced, self._thread = stream, threading.get_ident()

    def write(self, text: str) -> int:
        if threading.get_ident() != self._thread:
            self.silenced.write(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.silenced, name)


class Silence:
    """A context that hides output of modules imported here: they printed it when the other side imported them."""

    def __enter__(self) -> None:
        self._before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = map(_Quiet, self._before)

    def __exit__(self, *_: object) -> None:
        sys.stdout, sys.stderr = self._before
