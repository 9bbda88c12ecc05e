"""The namespace in which captured code lives, on either side of the wire.

A notebook's functions share one global namespace, and its classes have one identity. Neither survives plain
pickling, so both sides keep a `Home`: the client's is the notebook's namespace, the function's is the fresh
`__main__` of the job. A pickled function refers to "the home namespace", never to a copy of it; a pickled class
carries a token by which the side that defined it finds the very same class again.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

_active = threading.local()

#: `__main__`, and what a process that multiprocessing has spawned calls the parent's.
MAIN_NAMES = frozenset({"__main__", "__mp_main__"})


class Home:
    """One global namespace together with the identities of the classes that belong to it.

    Not thread-safe for writing: the client encodes and decodes in the kernel's main thread, the function in its one
    invocation at a time.

    Args:
        namespace: The globals of the captured code: the notebook's `user_ns`, or the job's `__main__.__dict__`.
        module_name: The `__module__` that classes and functions defined there carry.
        answers: Whether this is the side that answers. It may refer to a class that it was sent, since the asking
            side still has it. Not so the other way round: every question is read into a fresh namespace.
    """

    def __init__(self, namespace: dict[str, Any], module_name: str = "__main__", *, answers: bool = False) -> None:
        self.namespace = namespace
        self.module_name = module_name
        self.answers = answers
        # Keyed by id: a metaclass may define __eq__ and __hash__ as it likes.
        self._tokens: dict[int, tuple[weakref.ref[type], str]] = {}
        self._classes: dict[str, weakref.ref[type]] = {}
        self._by_name: dict[str, str] = {}
        #: Tokens of classes that the other side defined, so a reference is enough when they go back.
        self.foreign: set[str] = set()
        #: What to use for a module or name that cannot be imported here; without it the import error is raised.
        self.missing: Callable[[str, str, Exception], Any] | None = None
        #: Gives the object for the digest of a shared one, while a payload that refers to it is read.
        self.shared: Callable[[str], Any] | None = None
        #: Iterators that were read to their end to be written, by `id`, and what was left of them.
        self.left_of: dict[int, tuple[Any, list[Any]]] = {}
        #: Functions that were read, by qualified name.
        self.defined: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
        #: Objects of installed modules that the other side referred to: each side has its own.
        self.of_modules: list[Any] = []
        self._named: dict[int, weakref.ref[Any]] = {}
        self._detached: dict[int, Any] = {}
        self._whole: dict[int, Any] = {}
        self._lent: dict[str, Any] = {}
        #: The user's own modules that the function has imported, full names: it has shown what they print then.
        self.imported_there: set[str] = set()
        #: Names of the namespace that took 1 MiB and more when they were last written.
        self.large_names: set[str] = set()
        #: What a person should be reported after decoding, one sentence each.
        self.notices: list[str] = []

    def is_own_name(self, module_name: object) -> bool:
        """Whether a module name is that of the module in which the home's code was defined."""
        return module_name == self.module_name or (self.module_name in MAIN_NAMES and module_name in MAIN_NAMES)

    def sent_name(self, module_name: str) -> str:
        """Return the name of a module on the other side."""
        return self.module_name if self.is_own_name(module_name) else module_name

    def token_of(self, cls: type) -> str:
        """Return the token of a class, making one for a class that is new here."""
        token = self._known_token(cls)
        if token is None:
            token = os.urandom(16).hex()
            self._remember(token, cls)
        return token

    def is_foreign(self, cls: type) -> bool:
        """Whether a class came from the other side."""
        return self._known_token(cls) in self.foreign

    def _known_token(self, cls: type) -> str | None:
        entry = self._tokens.get(id(cls))
        return entry[1] if entry is not None and entry[0]() is cls else None

    def adopt(self, token: str, cls: type) -> None:
        """Remember a class which the other side knows under `token`."""
        if self.answers:
            self.foreign.add(token)
        self._remember(token, cls)

    def _remember(self, token: str, cls: type) -> None:
        key = id(cls)

        def forget(_: object, tokens: Any = self._tokens, classes: Any = self._classes) -> None:
            tokens.pop(key, None)
            classes.pop(token, None)

        reference = weakref.ref(cls, forget)
        self._tokens[key] = (reference, token)
        self._classes[token] = reference

    def known(self, token: str) -> type | None:
        """Return the class with this token if it still exists, or None."""
        reference = self._classes.get(token)
        return None if reference is None else reference()

    def find(self, name: str) -> Any:
        """Return a class or function that came without a name in the namespace, or None: pickle looks for these."""
        for reference in list(self._classes.values()):
            cls = reference()
            if cls is not None and cls.__qualname__ == name:
                return cls
        return self.defined.get(name)

    def classes(self) -> list[tuple[str, type]]:
        """List the existing classes that came from the other side, with their tokens."""
        found = ((token, self.known(token)) for token in self.foreign)
        return [(token, cls) for token, cls in found if cls is not None]

    def note_sent(self, cls: type, token: str) -> None:
        """Remember that `cls` was the notebook's current class of its name when it was sent."""
        if self.current(cls.__qualname__) is cls:
            self._by_name[token] = cls.__qualname__

    def current(self, qualname: str) -> Any:
        """Return the object that the namespace now has under a qualified name, or None."""
        if "<locals>" in qualname:
            return None
        first, *rest = qualname.split(".")
        found = self.namespace.get(first)
        for part in rest:
            found = getattr(found, part, None)
        return found

    def resolve(self, token: str, qualname: str) -> type:
        """Find the class that a reference means.

        If the notebook redefined the class while the job ran, the notebook's new class is meant, since
        `isinstance(result, C)` must hold there; the user is reported.

        Raises:
            LookupError: The class is gone and no other of that name replaced it.
        """
        cls = self.known(token)
        sent_as = self._by_name.get(token)
        if cls is None or sent_as is not None:
            today = self.current(qualname)
            if isinstance(today, type) and today is not cls:
                if cls is not None:
                    notice = (
                        f"class {qualname} was redefined in the notebook while the job ran: "
                        f"returned objects use the new definition"
                    )
                    if notice not in self.notices:
                        self.notices.append(notice)
                return today
        if cls is None:
            raise LookupError(f"the class {qualname} of a result is not defined in this session any more")
        return cls

    def note_named(self, function: Any) -> None:
        """Remember a function that the asking side finds again by its qualified name."""
        if self.answers:
            key = id(function)
            self._named[key] = weakref.ref(function, functools.partial(_forget, self._named, key))

    def is_named(self, function: Any) -> bool:
        """Whether the asking side finds a function by its qualified name."""
        return id(function) in self._named

    def note_detached(self, array: Any) -> None:
        """Remember an array of the asking side with another memory layout."""
        if self.answers:
            self._detached[id(array)] = array

    def is_detached(self, array: Any) -> bool:
        """Whether an array has another memory layout on the asking side."""
        return id(array) in self._detached

    def note_whole(self, value: Any) -> None:
        """Remember an object that came with all its attributes, whatever its own pickling would have left out."""
        if self.answers:
            self._whole[id(value)] = value

    def is_whole(self, value: Any) -> bool:
        """Whether an object came with all its attributes."""
        return id(value) in self._whole

    def whole(self) -> list[Any]:
        """List the objects that came with all their attributes."""
        return list(self._whole.values())

    def lend(self, names: dict[str, Any]) -> None:
        """Bind names until `take_back`: the user's code that runs while a payload is read looks them up."""
        for name, value in names.items():
            self._lent.setdefault(name, self.namespace.get(name, _ABSENT))
            self.namespace[name] = value

    def take_back(self) -> None:
        """Bind the names that were lent as they were before."""
        for name, value in self._lent.items():
            if value is _ABSENT:
                self.namespace.pop(name, None)
            else:
                self.namespace[name] = value
        self._lent.clear()

    def take_notices(self) -> list[str]:
        """Return the pending messages and clear them."""
        notices, self.notices = self.notices, []
        return notices

    @contextlib.contextmanager
    def loading(self) -> Iterator[None]:
        """Make this the home that unpickled code lives in, for the current thread, while the context is open."""
        before = getattr(_active, "home", None)
        _active.home = self
        try:
            yield
        finally:
            _active.home = before


_ABSENT = object()


def _forget(named: dict[int, weakref.ref[Any]], key: int, _: object) -> None:
    named.pop(key, None)


def active() -> Home:
    """Return the home that is being loaded into.

    Raises:
        RuntimeError: A payload is unpickled by hand, outside of `Home.loading`.
    """
    home: Home | None = getattr(_active, "home", None)
    if home is None:
        raise RuntimeError("lambdamagic payloads are read by lambdamagic.codec, not by pickle.loads alone")
    return home


def is_importable(value: Any, module_name: str | None, qualname: str | None, *, home: Home) -> bool:
    """Return whether `value` is what importing `module_name` and walking `qualname` gives on the other side too."""
    if not module_name or not qualname or home.is_own_name(module_name) or "<locals>" in qualname:
        return False
    found: Any = sys.modules.get(module_name)
    if found is None:
        return False
    for part in qualname.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            return False
    return found is value
