"""What the bytes call when they are read: the names in this module are part of the protocol.

A payload written by an older client names these functions by path, so none may be renamed or change its arguments
without a new protocol version; golden files in tests/data hold that.
"""

from __future__ import annotations

import _abc
import abc
import builtins
import collections
import contextvars
import dataclasses
import functools
import importlib
import marshal
import queue
import sys
import threading
import types
import typing
import weakref
from typing import Any

from lambdamagic.codec import containers, lru_caches, opened_files
from lambdamagic.codec import home as _home

_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement


class _Shield:
    """First base of a class under construction: keeps `__init_subclass__` of its parents from running again."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Do nothing: the class already exists elsewhere, it is only rebuilt here."""


class _SlottedShield:
    """The same for classes without `__dict__`: a base can only be exchanged for one of the same layout."""

    __slots__ = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Do nothing, as above."""


def namespace() -> dict[str, Any]:
    """Return the globals of the home that is being loaded into."""
    return _home.active().namespace


def main_module() -> types.ModuleType:
    """Return the module whose `__dict__` is the home namespace."""
    return sys.modules["__main__"]


def module(name: str) -> types.ModuleType:
    """Import a module by its dotted name; one that this side lacks may have a stand-in."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        missing = _home.active().missing
        if missing is None:
            raise
        stand_in: types.ModuleType = missing(name, "", error)
        return stand_in


def attribute(module_name: str, name: str) -> Any:
    """Return what an installed module holds under a name: the very object of this side, whose changes stay here."""
    found = getattr(importlib.import_module(module_name), name)
    home = _home.active()
    if home.answers:
        home.of_modules.append(found)
    return found


def own_attribute(module_name: str, name: str) -> Any:
    """Return what a module of the user's own holds under a name."""
    return getattr(importlib.import_module(module_name), name)


class _SysStream:
    """A stream of `sys` by its name: whatever is there when it is used."""

    def __init__(self, name: str) -> None:
        self.__dict__["_name"] = name.strip("_")

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(sys, self.__dict__["_name"]), name)

    def __reduce__(self) -> Any:
        return stream, (self.__dict__["_name"],)


def stream(name: str) -> Any:
    """Return `sys.stdout` and the like; in the function the stream of a running cell is another one."""
    home = _home.active()
    return _SysStream(name) if home.answers else getattr(sys, name)


class Nothing:
    """What is read of a part that only gives a number to something."""


def nothing(_: Any) -> type[Nothing]:
    """Return no part."""
    return Nothing


def made_module(name: str) -> types.ModuleType:
    """Return an empty module that no import leads to."""
    return types.ModuleType(name)


def set_module(target: types.ModuleType, state: dict[str, Any]) -> None:
    """Give it its names."""
    vars(target).update(state)


def globals_of(made: types.ModuleType) -> dict[str, Any]:
    """Return the names of a module, for a function that was made in it."""
    return vars(made)


def itself(value: Any) -> Any:
    """Return what is given."""
    return value


def empty_scope() -> dict[str, Any]:
    """Return a dictionary in which code was run, without what it holds: that may lead back to it."""
    return {"__builtins__": vars(builtins)}


def scope_of_builtins() -> dict[str, Any]:
    """Return what stands as `__builtins__` in a dictionary in which code was run."""
    return vars(builtins)


def module_globals(name: str) -> dict[str, Any]:
    """Return the globals of an importable module, for a function that was made inside it."""
    return importlib.import_module(name).__dict__


def code(data: bytes) -> types.CodeType:
    """Return the code object; both sides run the same Python minor version, which was checked before."""
    loaded = marshal.loads(data)  # noqa: S302  # digests and signatures were checked before
    assert isinstance(loaded, types.CodeType)
    return loaded


def cell() -> types.CellType:
    """Return an empty closure cell: its content is set afterwards, since it may lead back to the cell."""
    return types.CellType()


def set_cell(target: types.CellType, content: tuple[Any, ...]) -> None:
    """Fill a closure cell; an empty tuple leaves it empty."""
    if content:
        target.cell_contents = content[0]


def function(
    code_object: types.CodeType, namespace_: dict[str, Any], name: str, closure: tuple[types.CellType, ...] | None
) -> types.FunctionType:
    """Return a function without its state, so that what leads back to it can be read first."""
    namespace_.setdefault("__builtins__", __builtins__)
    made = types.FunctionType(code_object, namespace_, name, None, closure)
    if namespace_ is _home.active().namespace:
        _home.active().defined[code_object.co_qualname] = made
    elif _ASSERT not in namespace_ and _asserts_as_pytest_does(code_object):
        try:
            namespace_.update({name: importlib.import_module(module) for name, module in _OF_PYTEST.items()})
        except ImportError:
            pass  # the function is without pytest: an assertion that fails says so by its NameError
    return made


#: What pytest puts into the globals of a test's module when it rewrites `assert`; the module here is not rewritten.
_OF_PYTEST = {"@py_builtins": "builtins", "@pytest_ar": "_pytest.assertion.rewrite"}
_ASSERT = "@pytest_ar"


def _asserts_as_pytest_does(code_object: types.CodeType) -> bool:
    nested = (each for each in code_object.co_consts if isinstance(each, types.CodeType))
    return _ASSERT in code_object.co_names or any(map(_asserts_as_pytest_does, nested))


def named_function(
    code_object: types.CodeType, namespace_: dict[str, Any], name: str, closure: tuple[types.CellType, ...] | None
) -> types.FunctionType:
    """Return a function as `function` does; its qualified name leads to it where it came from."""
    made = function(code_object, namespace_, name, closure)
    _home.active().note_named(made)
    return made


def known_function(qualname: str) -> Any:
    """Return what this side has under the qualified name of a function that it sent."""
    found = _home.active().current(qualname)
    if found is None:
        raise LookupError(f"the function {qualname} of a result is not defined in this session any more")
    return found


def set_function(target: types.FunctionType, state: dict[str, Any]) -> None:
    """Give a function its defaults, names, annotations and attributes."""
    target.__dict__.update(state.pop("__dict__", {}))
    target.__globals__.update(state.pop("__globals__", {}))
    for attribute, value in state.items():
        setattr(target, attribute, value)


def _register(cls: type, token: str) -> type:
    _home.active().adopt(token, cls)
    return cls


def known_class(token: str, qualname: str) -> type:
    """Return the class which this side defined under the token."""
    return _home.active().resolve(token, qualname)


def new_class(metaclass: type, name: str, bases: tuple[type, ...], body: dict[str, Any], token: str) -> type:
    """Return a class without its attributes; one that the token already names is not made twice."""
    existing = _home.active().known(token)
    if existing is not None:
        return existing
    cls = _bare_class(metaclass, name, bases, body)
    if issubclass(metaclass, abc.ABCMeta):
        _abc._abc_init(cls)  # what ABCMeta.__new__ would have done
    return _register(cls, token)


def _bare_class(metaclass: type, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
    if bases in ((), (object,)):
        try:
            # No parent whose `__init_subclass__` could run. A shield would not come off: only classes of the same
            # deallocator can be exchanged, and object's is its own.
            return type.__new__(metaclass, name, (object,), dict(body))
        except TypeError:
            pass  # a C metaclass that insists on its own `__new__`
    for shield in (_Shield, _SlottedShield):
        try:
            cls: type = type.__new__(metaclass, name, (shield, *bases), dict(body))
            cls.__bases__ = bases or (object,)
        except TypeError:
            continue
        return cls
    # A layout that allows neither (a C metaclass, bases of C): build it as its author's class statement did.
    return types.new_class(name, bases, {"metaclass": metaclass}, lambda scope: scope.update(body))


def set_class(cls: type, state: dict[str, Any]) -> None:
    """Give a class its attributes, past its metaclass's own `__setattr__`."""
    for virtual in state.pop("_abc_registry", ()):
        cls.register(virtual)  # type: ignore[attr-defined]
    for attribute, value in state.items():
        type.__setattr__(cls, attribute, value)


def new_enum(
    metaclass: type, name: str, bases: tuple[type, ...], members: dict[str, Any], body: dict[str, Any], token: str
) -> type:
    """Return an Enum class built by its own metaclass from its members' values."""
    existing = _home.active().known(token)
    if existing is not None:
        return existing
    scope = metaclass.__prepare__(name, bases)
    for attribute in ("__module__", "__qualname__"):
        scope[attribute] = body.pop(attribute)
    for attribute, value in members.items():
        scope[attribute] = value
    for attribute, value in body.items():
        scope[attribute] = value
    return _register(metaclass(name, bases, scope), token)


def set_members(cls: Any, given: dict[str, dict[str, Any]]) -> None:
    """Give members of an Enum the attributes that they were given; those under no name are the class's."""
    for name, value in given.pop("", {}).items():
        type.__setattr__(cls, name, value)
    for name, attributes in given.items():
        cls.__members__[name].__dict__.update(attributes)


def weak_container(cls: type) -> Any:
    """Return an empty dictionary or set of weak references."""
    return cls()


def set_weak(target: Any, content: tuple[Any, ...]) -> None:
    """Fill it."""
    containers.fill(target, content)


class _Gone:
    """What a weak reference led to whose object was gone when it was written."""


def weak_reference(target: Any) -> weakref.ref[Any]:
    """Return a weak reference; one that leads to nothing for None."""
    return weakref.ref(_Gone() if target is None else target)


def shared(digest: str) -> Any:
    """Return the shared object of this content."""
    resolve = _home.active().shared
    if resolve is None:
        raise LookupError("the payload refers to a shared object that it does not contain")
    return resolve(digest)


def mapping_proxy(content: dict[Any, Any]) -> types.MappingProxyType[Any, Any]:
    """Return a read-only view."""
    return types.MappingProxyType(content)


def lru_cache(wrapped: Any, parameters: dict[str, Any], attributes: dict[str, Any]) -> Any:
    """Return a cached function with an empty cache."""
    made = functools.lru_cache(**parameters)(wrapped)
    made.__dict__.update(attributes)
    return made


def set_lru_cache(target: Any, held: tuple[Any, ...]) -> None:
    """Let a cached function remember what it did."""
    lru_caches.give(target, lru_caches.Remembered(*held))


def cached_property(func: Any, attrname: str | None, doc: str | None) -> Any:
    """Return a functools.cached_property; on 3.11 it holds a lock, which cannot travel."""
    made = functools.cached_property(func)
    made.attrname = attrname
    made.__doc__ = doc
    return made


def dataclass_sentinel(name: str) -> Any:
    """Return one of the dataclasses module's sentinels, which are compared by identity."""
    return getattr(dataclasses, name)


def type_variable(kind: str, name: str, constraints: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Return a TypeVar, ParamSpec, TypeVarTuple or NewType of the notebook."""
    made = getattr(typing, kind)(name, *constraints, **options)
    made.__module__ = "__main__"
    return made


def type_alias(name: str, value: Any) -> Any:
    """Return the alias of a `type X = ...` statement (Python 3.12 and newer)."""
    return typing.TypeAliasType(name, value)  # type: ignore[attr-defined]


def display() -> Any:
    """Return what `IPython.display.display` means where this is read."""
    try:
        return importlib.import_module("IPython.display").display
    except ImportError:
        return _display


def _display(*objects: Any, **options: Any) -> Any:
    """Show objects by whatever `display` is when they are shown."""
    return builtins.display(*objects, **options)  # type: ignore[attr-defined]  # there while a cell runs


def shell() -> Any:
    """Return what `get_ipython()` returns where this is read."""
    found = getattr(builtins, "get_ipython", None)
    return None if found is None else found()


def shell_method(name: str) -> Any:
    """Return a method of the shell; in the function, the shell of whichever cell runs when it is called."""
    found = shell()
    return getattr(found, name) if found is not None and not _home.active().answers else _ShellMethod(name)


class _ShellMethod:
    """Calls a method of the current shell."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return getattr(shell(), self._name)(*args, **kwargs)

    def __reduce__(self) -> Any:
        return shell_method, (self._name,)


def lines(found: list[str]) -> Any:
    """Return the lines that a command wrote as IPython gives them, or as a list where there is no IPython."""
    try:
        return importlib.import_module("IPython.utils.text").SList(found)
    except ImportError:
        return found


def timed(*measured: Any) -> Any:
    """Return what `%timeit -o` measured, as IPython gives it."""
    return importlib.import_module("IPython.core.magics.execution").TimeitResult(*measured)


def context_variable(name: str, default: tuple[Any, ...], value: tuple[Any, ...]) -> Any:
    """Return a context variable with the value that it had."""
    made: contextvars.ContextVar[Any] = (
        contextvars.ContextVar(name, default=default[0]) if default else contextvars.ContextVar(name)
    )
    if value:
        made.set(value[0])
    return made


def display_handle(display_id: str) -> Any:
    """Return the handle of a display."""
    return importlib.import_module("IPython.display").DisplayHandle(display_id)


def exception(cls: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    """Return an exception without calling its own `__init__`, whose parameters need not be its `args`."""
    made = cls.__new__(cls, *args)
    native = next(base for base in cls.__mro__ if not base.__flags__ & _HEAP_TYPE)
    native.__init__(made, *args)  # type: ignore[misc]  # fills the fields of a SyntaxError, a StopIteration, ...
    made.args = args
    made.__dict__.update(state)
    return made


def set_exception(target: BaseException, state: tuple[Any, ...]) -> None:
    """Give an exception its attributes and those it came from."""
    attributes, target.__cause__, target.__context__, target.__suppress_context__ = state
    target.__dict__.update(attributes)


def opened_file(*taken: Any) -> Any:
    """Return a file; see `opened_files.opened`."""
    return opened_files.opened(*taken)


def immutable(cls: type, native: type, value: Any) -> Any:
    """Return an instance of a subclass of `int`, `str`, `tuple`, ... past the subclass's own `__new__`."""
    return native.__new__(cls, value)


def made(cls: Any, *args: Any) -> Any:
    """Return what `copyreg.__newobj__` returns; by another name, which pickle does not look at."""
    return cls.__new__(cls, *args)


def made_ex(cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return what `copyreg.__newobj_ex__` returns, likewise."""
    return cls.__new__(cls, *args, **kwargs)


def bare(cls: type) -> Any:
    """Return an instance without attributes."""
    return object.__new__(cls)


def set_state(target: Any, state: Any) -> None:
    """Give an instance its attributes as pickle does by default, without asking the instance itself."""
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    if attributes:
        object.__getattribute__(target, "__dict__").update(attributes)
    for name, value in (slots or {}).items():
        object.__setattr__(target, name, value)


def share_state(target: Any, state: Any) -> None:
    """Give an instance a dictionary of attributes that another process has, too."""
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    object.__setattr__(target, "__dict__", attributes)
    set_state(target, (None, slots))


def keyed(cls: type, known: dict[str, Any]) -> Any:
    """Return an instance with what it may be hashed by: it may be a key before the rest of it is read."""
    made: Any = object.__new__(cls)
    for name, value in known.items():
        object.__setattr__(made, name, value)
    return made


class Itself:
    """Stands for the state of an object that is its own dictionary of attributes."""


def container(cls: type) -> Any:
    """Return an empty container of a subclass of `list`, `dict`, `set`, ... past the subclass's own methods."""
    base: Any = containers.container_base(cls)
    return base.__new__(cls)


def set_container(target: Any, state: tuple[Any, ...]) -> None:
    """Give a container its attributes and its content."""
    attributes, default_factory, maxlen, *content = state
    if attributes is Itself:
        target.__dict__ = target
    else:
        set_state(target, attributes)
    if isinstance(target, collections.defaultdict):
        target.default_factory = default_factory
    if isinstance(target, collections.deque):
        collections.deque.__init__(target, (), maxlen)
    containers.fill(target, tuple(content))


def detached(array: Any, writeable: bool) -> Any:
    """Return an array that has another memory layout at its origin: no view of it can be shown there."""
    array.flags.writeable = writeable
    _home.active().note_detached(array)
    return array


def array_view(
    owner: Any, dtype: Any, shape: tuple[int, ...], strides: tuple[int, ...], offset: int, writeable: bool
) -> Any:
    """Return a numpy array on the memory of another one."""
    import numpy

    flat = (owner if owner.flags.c_contiguous else owner.T).reshape(-1)
    made = _slice(flat, dtype, shape, strides, offset)
    if made is None:
        made = numpy.ndarray(shape, dtype, buffer=flat.view("u1"), offset=offset, strides=strides)
    made.flags.writeable = writeable and made.flags.writeable
    return made


def _slice(flat: Any, dtype: Any, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> Any:
    """Return a view by slicing, so that its `base` is the array itself; None where that is not possible."""
    size = flat.itemsize
    if dtype != flat.dtype or not size or offset % size or not shape or 0 in shape:
        return None
    first = offset // size
    if len(shape) == 1 and strides[0] > 0 and strides[0] % size == 0:
        step = strides[0] // size
        return flat[first : first + (shape[0] - 1) * step + 1 : step]
    for order in (1, -1):
        expected = size
        for length, stride in list(zip(shape, strides, strict=True))[::-order]:
            if stride != expected:
                break
            expected *= length
        else:
            part = flat[first : first + expected // size]
            return part.reshape(shape) if order == 1 else part.reshape(shape[::-1]).T
    return None


def called(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], name: str, qualname: str) -> Any:
    """Return a generator or coroutine that has not begun: calling its function runs no code of it."""
    if ".0" in function.__code__.co_varnames[:1]:
        args = tuple(map(iter, args))
    made = function(*args, **kwargs)
    made.__name__, made.__qualname__ = name, qualname
    return made


def ended(kind: str, name: str, qualname: str) -> Any:
    """Return a generator or coroutine that has ended."""

    def generator() -> Any:
        yield

    async def coroutine() -> None:
        pass

    async def async_generator() -> Any:
        yield

    made: Any = {"generator": generator, "coroutine": coroutine, "async_generator": async_generator}[kind]()
    if kind != "async_generator":
        made.close()
    made.__name__, made.__qualname__ = name, qualname
    return made


def lock(kind: str) -> Any:
    """Return a lock that is not held."""
    return threading.Lock() if kind == "lock" else threading.RLock()


def match(pattern: Any, method: str, string: Any, start: int, end: int) -> Any:
    """Find a match again."""
    return getattr(pattern, method)(string, start, end)


def simple_queue() -> Any:
    """Return an empty queue."""
    made: queue.SimpleQueue[Any] = queue.SimpleQueue()
    return made


def set_simple_queue(target: Any, items: list[Any]) -> None:
    """Fill it."""
    for item in items:
        target.put(item)


def bound_method(function: Any, instance: Any) -> types.MethodType:
    """Return a method of an instance, which need not have all its attributes yet."""
    return types.MethodType(function, instance)


def bound_super(kind: type, instance: Any) -> Any:
    """Return super(kind, instance)."""
    return super(kind, instance)
