"""Changes that a cell made to the namespace: written on Lambda, applied in the notebook.

The answer has three parts over one memo: changes in place, names bound and deleted, and the shown value or the error.
Nothing is applied until all of it has been read.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lambdamagic.codec import kinds, tracking
from lambdamagic.codec.changes import apply, apply_class, state_to_send, without_builtins
from lambdamagic.codec.earlier import Numbered, without_unused
from lambdamagic.codec.encode import Decoder, Encoder
from lambdamagic.codec.failures import ErrorRecord, error_line, safe_str
from lambdamagic.codec.frames import Frames, Segment
from lambdamagic.codec.home import Home
from lambdamagic.codec.module_places import Place
from lambdamagic.codec.module_places import label as label_of_place
from lambdamagic.codec.module_state import OwnChanges, Received, Silence, bring_back, name_in_builtins
from lambdamagic.codec.picklers import PICKLING_ERRORS, Serializer, first_that_can
from lambdamagic.codec.placeholder import Placeholder, stand_in
from lambdamagic.codec.reducers import as_reference
from lambdamagic.codec.tracking import Tracked, Tracker


class Lost:
    """A value that stayed remote.

    Attributes:
        what: Its name, or what else it is called.
        section: `bound` (the cell bound the name to it), `update` (the cell changed it in place), `own` (a module of
            the user's own holds it), `kept` (one holds it in the notebook) or `value`.
        has_ended: Whether it was closed, shut down or over before it was lost, so that nothing useful is missing.
    """

    has_ended = False  # an older function does not say it

    def __init__(
        self, what: str, type_name: str, reason: str, text: str, section: str = "bound", *, has_ended: bool = False
    ) -> None:
        self.what = what
        self.type_name = type_name
        self.reason = reason
        self.text = text
        self.section = section
        self.has_ended = has_ended


class Answer(NamedTuple):
    """The effects of a cell, ready to be sent.

    Attributes:
        frames: The bytes.
        numbers: Memo numbers of the client's objects that the bytes refer to, in order.
        lost: Values that could not be written; placeholders stand for bound names.
        error_line: The exception that ended the cell, in one line; empty without one.
        error_kinds: Its type and that type's parents.
        binds_only: Whether it does nothing but bind names and show a value.
    """

    frames: Frames
    numbers: list[int]
    lost: list[Lost]
    error_line: str
    error_kinds: tuple[str, ...]
    binds_only: bool


#: Stands for "the cell has no last expression", since None is a value.
NO_VALUE = object()


def write_answer(
    home: Home,
    tracker: Tracker | None,
    *,
    captured: Mapping[str, Any],
    ignored: Iterable[str],
    wanted: Iterable[str] | None,
    value: Any = NO_VALUE,
    error: list[ErrorRecord] | None = None,
    serializer: Serializer = "auto",
    mutations: bool = True,
    settings: Mapping[str, Any] | None = None,
    own: Received | None = None,
) -> Answer:
    """Write what running the cell changed in the home namespace.

    Args:
        home: The remote home.
        tracker: The pictures taken before the cell ran; None to look for no changes in place.
        captured: The names that were shipped, with the values that they had on arrival.
        ignored: Names of the namespace that are not the user's.
        wanted: Only these names come back; None means all.
        value: The last expression's value, if there is one.
        error: The exception that ended the cell, if one did. What was bound before it comes back all the same, as in
            a kernel.
        serializer: Which pickler to use.
        mutations: Whether changes in place come back; otherwise changed objects are sent whole where a bound name
            refers to them.
        settings: Settings of the process that the cell changed; see `codec.process_settings`.
        own: The user's own modules; None if no part of them comes back.
    """
    dirty, replaced = tracker.changes() if tracker is not None else ([], [])
    if not mutations:
        replaced, dirty = _with_holders(tracker, dirty, replaced), []
    gone = {id(item.value) for item in replaced}
    table = [
        item
        for key, item in (tracker.tracked if tracker is not None else {}).items()
        if item.index >= 0 and item.kind != kinds.CLASS and key not in gone
    ]
    ignored = set(ignored)
    kept = None if wanted is None else set(wanted)
    bound: dict[str, Any] = {}
    for name, now in home.namespace.items():
        if name in ignored or (kept is not None and name not in kept):
            continue
        if name not in captured or captured[name] is not now or (mutations and id(now) in gone):
            bound[name] = now
    deleted = [name for name in captured if name not in home.namespace and (kept is None or name in kept)]
    arrays = [item.value for item in table if item.kind == kinds.ARRAY and not home.is_detached(item.value)]
    instances = [item.value for item in table if item.kind == kinds.INSTANCE]
    writer = _Writer(home, [item.value for item in table], serializer, arrays, instances)
    if mutations:
        for item in dirty:
            writer.add_update(_label(item, captured), item)
    for name, now in bound.items():
        writer.add("bound", name, now)
    if value is not NO_VALUE:
        writer.add("value", "the shown value", value)
    for position, record in enumerate(error or ()):
        writer.add("error", str(position), record)
    modules = own.changes(gone) if own is not None else OwnChanges()
    for place, now in modules.entries if mutations else ():
        writer.add("own", label_of_place(place), (place, now))
    writer.lost += [Lost(what, kind, reason, "", "kept") for what, kind, reason in modules.kept]
    given: dict[str, Any] = {"settings": dict(settings)} if settings else {}
    if modules.imported or modules.unset:
        given |= {"imported": modules.imported, "unset": modules.unset if mutations else []}
    frames = writer.write(
        {**given, "deleted": deleted, "unreturned": [_label(item, captured) for item in dirty + replaced]}
    )
    line, types = (error_line(error), error[0].kinds) if error else ("", ())
    binds_only = not (dirty or deleted or error or settings or modules.entries or modules.unset)
    numbers = without_unused([item.index for item in table], frames.segments[0])
    return Answer(frames, numbers, writer.lost, line, types, binds_only)


def _with_holders(tracker: Tracker | None, dirty: list[Tracked], replaced: list[Tracked]) -> list[Tracked]:
    """Without in-place changes, everything that leads to a changed object must be sent as a copy."""
    if tracker is None:
        return replaced
    changed = {id(item.value): item for item in (*dirty, *replaced) if item.kind != kinds.CLASS}
    grew = True
    while grew:
        grew = False
        for key, item in tracker.tracked.items():
            if key in changed or item.kind in (kinds.SKIP, kinds.CLASS):
                continue
            if any(id(child) in changed for child in tracker.children(item)):
                changed[key] = item
                grew = True
    return list(changed.values())


def _label(item: Tracked, captured: Mapping[str, Any]) -> str:
    for name, value in captured.items():
        if value is item.value:
            return name
    return f"a {type(item.value).__name__} inside the captured values"


class _Writer:
    """Writes entries, leaving out those that cannot be pickled."""

    def __init__(
        self,
        home: Home,
        primed: Sequence[Any],
        serializer: Serializer,
        arrays: Sequence[Any],
        instances: Sequence[Any],
    ) -> None:
        self.home, self.primed, self.serializer, self._arrays = home, primed, serializer, arrays
        self._instances = instances
        self.lost: list[Lost] = []
        self._entries: list[tuple[str, str, Any]] = []

    def add(self, section: str, label: str, value: Any) -> None:
        self._entries.append((section, label, value))

    def add_update(self, label: str, item: Tracked) -> None:
        if item.kind == kinds.CLASS:
            changes = tracking.class_changes(item.value, item.before)
            update: Any = ("class", (self.home.token_of(item.value), item.value.__qualname__), changes)
        else:
            update = ("object", item.value, (item.kind, state_to_send(item)))
        self._entries.append(("update", label, update))

    def write(self, extra: dict[str, Any]) -> Frames:
        with contextlib.suppress(*PICKLING_ERRORS):
            return first_that_can(self.serializer, lambda kind: self._attempt(kind, self._entries, extra))
        kept = self._those_that_can()
        return first_that_can(self.serializer, lambda kind: self._attempt(kind, kept, extra))

    def _attempt(self, kind: str, entries: list[tuple[str, str, Any]], extra: dict[str, Any]) -> Frames:
        encoder = Encoder(self.home, kind=kind, primed=self.primed)
        own = [value for section, _, value in entries if section == "own"]
        encoder.give(value for _, value in own)
        encoder.keep_shared_memory(list(_may_hold_views(entries)), known=self._arrays)
        encoder.refer_to_modules(value for section, _, value in entries if section in ("bound", "value"))
        scopes = encoder.refer_to_scopes(value for section, _, value in entries if section == "bound")
        filled = [("object", each, (kinds.DICT, without_builtins(each))) for each in scopes]
        bound = {label: value for section, label, value in entries if section == "bound"}
        encoder.refer_to_attributes(bound.values(), [*self._instances, *bound.values()])
        encoder.lend_names(bound)
        encoder.dump([*(entry[2] for entry in entries if entry[0] == "update"), *filled])
        encoder.dump({label: as_reference(value) for label, value in bound.items()})
        rest = {
            "values": [value for section, _, value in entries if section == "value"],
            "error": [value for section, _, value in entries if section == "error"],
            "lost": self.lost,
            **({"own": own} if own else {}),
            **extra,
        }
        encoder.dump(rest)
        return encoder.frames()

    def _those_that_can(self) -> list[tuple[str, str, Any]]:
        kept: list[tuple[str, str, Any]] = []
        for entry in self._entries:
            try:
                first_that_can(self.serializer, functools.partial(self._write_alone, entry[2]))
            except PICKLING_ERRORS as error:
                self._lose(entry, error, kept)
            else:
                kept.append(entry)
        return kept

    def _write_alone(self, value: Any, kind: str) -> None:
        encoder = Encoder(self.home, kind=kind, primed=self.primed)
        encoder.give(entry[1] for section, _, entry in self._entries if section == "own")
        encoder.dump(value)

    def _lose(self, entry: tuple[str, str, Any], failure: Exception, kept: list[Any]) -> None:
        section, label, value = entry
        if section == "error":
            # Its type cannot be sent; its name, message and traceback can.
            value.exception = None
            kept.append(entry)
            return
        subject = value[1] if section in ("update", "own") else value
        reason = safe_str(failure)
        first_line = reason.splitlines()[0] if reason else ""
        text, has_ended = _text(subject), _has_ended(subject)
        self.lost.append(Lost(label, type(subject).__name__, first_line, text, section, has_ended=has_ended))


def _has_ended(value: Any) -> bool:
    """Whether an object can no longer be used: a closed file, an executor that was shut down, an ended thread."""
    try:
        if isinstance(value, threading.Thread):
            return value.ident is not None and not value.is_alive()
        signs = (getattr(value, name, None) for name in ("closed", "_closed", "_shutdown", "_shutdown_thread"))
        return any(sign is True for sign in signs) or getattr(value, "_state", None) in ("CLOSE", "TERMINATE")
    except Exception:  # noqa: BLE001  # the user's attributes may raise anything
        return False


def _may_hold_views(entries: list[tuple[str, str, Any]]) -> Iterator[Any]:
    for section, _, value in entries:
        if section in ("bound", "value"):
            yield value
        elif section == "update" and not (value[0] == "object" and value[2][0] == kinds.ARRAY):
            yield value[2]  # an array's own content is written, whatever it shares memory with


def _text(value: Any) -> str:
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001  # the user's __repr__ may raise anything
        text = f"<its repr raised {type(error).__name__}>"
    return text if len(text) <= 200 else text[:197] + "..."


class Effects(NamedTuple):
    """An answer that was read and not applied yet.

    Attributes:
        memo: Returns the objects that it brought or referred to, by number: what another answer can refer to in turn.
        own: What places of the user's own modules hold now.
        unset: Those that are gone.
        updates: Changes of the notebook's objects.
        home: Where those are.
    """

    bound: dict[str, Any]
    deleted: list[str]
    values: list[Any]
    error: list[ErrorRecord]
    lost: list[Lost]
    unreturned: list[str]
    memo: Callable[[], dict[int, Any]]
    settings: dict[str, Any]
    own: list[tuple[Place, Any]]
    unset: list[Place]
    updates: list[Any]
    home: Home

    def take_builtins(self) -> tuple[dict[str, Any], list[str]]:
        """Return what the cell put into `builtins`, and took away there; it is not applied then."""
        put = {name: value for place, value in self.own if (name := name_in_builtins(place))}
        gone = [name for place in self.unset if (name := name_in_builtins(place))]
        self.own[:] = [each for each in self.own if not name_in_builtins(each[0])]
        self.unset[:] = [place for place in self.unset if not name_in_builtins(place)]
        return put, gone

    def apply_in_place(self) -> list[str]:
        """Change the notebook's objects as the cell changed them; return what could not be changed, as sentences."""
        problems = []
        for kind, target, change in self.updates:
            try:
                if kind == "class":
                    apply_class(self.home.resolve(*target), change)
                else:
                    apply(target, *change)
            except (TypeError, ValueError, AttributeError, LookupError, BufferError) as error:
                problems.append(f"a {type(target).__name__} that the cell changed could not be updated: {error}")
        return [*problems, *bring_back(self.own, self.unset)]


def read_answer(home: Home, encoder: Numbered, numbers: Sequence[int], frames: Sequence[Segment]) -> Effects:
    """Read an answer against the memo of the encoder that wrote the question. Nothing is applied.

    Raises:
        Exception: Whatever unpickling raises, if the answer does not fit the question.
    """
    with contextlib.nullcontext() if home.answers else Silence():
        return _read(home, encoder.objects_by_number(numbers), frames)


def _read(home: Home, primed: Sequence[Any], frames: Sequence[Segment]) -> Effects:
    try:
        decoder = Decoder(frames, home, primed=primed, missing=stand_in)
        updates, bound, rest = decoder.load(), decoder.load(), decoder.load()
    except Exception:  # noqa: BLE001  # classes may raise anything where their objects are made; the rest is to be read
        home.take_back()
        decoder = Decoder(frames, home, primed=primed, missing=stand_in, salvages=True)
        updates, bound, rest = decoder.load(), decoder.load(), decoder.load()
    finally:
        home.take_back()
    rest["lost"] += _not_made(bound, decoder.broken)
    for lost in rest["lost"]:
        if lost.section == "bound" and (lost.what not in bound or isinstance(bound[lost.what], Placeholder)):
            bound[lost.what] = Placeholder(lost.what, lost.type_name, lost.reason, lost.text)
    home.imported_there.update(rest.get("imported", ()))
    return Effects(
        bound,
        rest["deleted"],
        rest["values"],
        rest["error"],
        rest["lost"],
        rest["unreturned"],
        decoder.memo,
        rest.get("settings", {}),
        rest.get("own", []),
        rest.get("unset", []),
        updates,
        home,
    )


def _not_made(bound: Mapping[str, Any], broken: Sequence[Placeholder]) -> list[Lost]:
    """Describe an object that could not be rebuilt here, by the name bound to it if there is one."""
    names = {id(value): name for name, value in bound.items()}
    found = []
    for each in broken:
        kind, reason, text = each.described()
        name = names.get(id(each))
        found.append(Lost(name or f"{text} inside what came back", kind, reason, text, "bound" if name else "part"))
    return found
