"""Rebuild functions, classes and enumerations of the notebook from their parts."""

from __future__ import annotations

import _abc
import abc
import contextlib
import enum
import importlib
import marshal
import threading
import types
from collections.abc import Iterator
from typing import Any

from lambdamagic.codec import home as _home
from lambdamagic.codec.class_parts import ABC_MEMBERSHIP, ABC_REGISTRY, setter_of
from lambdamagic.codec.written_classes import is_written_in_python, native_base


class _Shield:
    """First base of a class under construction: keeps `__init_subclass__` of its parents from running again."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Do nothing: the class already exists elsewhere, it is only rebuilt here."""


class _SlottedShield:
    """The same for classes without `__dict__`: a base can only be exchanged for one of the same layout."""

    __slots__ = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Do nothing, as above."""


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
    hooks = _hooks_of(bases) if all(map(_does_no_more_than_a_class_needs, metaclass.__mro__)) else None
    if hooks is not None:
        try:
            with _put_aside(hooks):
                return type.__new__(metaclass, name, bases, dict(body))
        except TypeError:
            pass  # bases of C that want more than that
    if bases in ((), (object,)):
        try:
            # No parent whose `__init_subclass__` could run. A shield would not come off: only classes of the same
            # deallocator can be exchanged, and object's is its own.
            return type.__new__(metaclass, name, (object,), dict(body))
        except TypeError:
            pass  # a C metaclass that insists on its own `__new__`
    # A structure of ctypes is laid out by its metaclass's `__init__`.
    is_of_ctypes = any(each.__module__ == "_ctypes" for each in metaclass.__mro__)
    for shield in () if is_of_ctypes else (_Shield, _SlottedShield):
        try:
            cls: type = type.__new__(metaclass, name, (shield, *bases), dict(body))
            cls.__bases__ = bases
        except TypeError:
            continue
        return cls
    # A layout that allows neither (a C metaclass, bases of C): build it as its author's class statement did.
    return types.new_class(name, bases, {"metaclass": metaclass}, lambda scope: scope.update(body))


_HOOK = "__init_subclass__"


_rebuilding = threading.RLock()


@contextlib.contextmanager
def _put_aside(hooks: dict[type, Any]) -> Iterator[None]:
    """Keep hooks of parents from running in this thread; in others they do."""
    if not hooks:
        yield
        return
    with _rebuilding:
        try:
            for base, hook in hooks.items():
                type.__setattr__(base, _HOOK, _for_other_threads(hook))
            yield
        finally:
            for base, hook in hooks.items():
                type.__setattr__(base, _HOOK, hook)


def _for_other_threads(hook: Any) -> Any:
    here = threading.get_ident()

    def __init_subclass__(cls: type, **kwargs: Any) -> None:
        if threading.get_ident() != here:
            hook.__get__(None, cls)(**kwargs)

    return classmethod(__init_subclass__)  # type: ignore[arg-type]  # as above


def _hooks_of(bases: tuple[type, ...]) -> dict[type, Any] | None:
    """Return what would run when a class of these parents is made; None if it cannot be kept from that."""
    parents = {parent for base in bases for parent in base.__mro__ if parent is not object and _HOOK in vars(parent)}
    if any(not is_written_in_python(parent) or type(parent).__module__ == "_ctypes" for parent in parents):
        return None
    return {parent: vars(parent)[_HOOK] for parent in parents}


def _does_no_more_than_a_class_needs(metaclass: type) -> bool:
    """Whether a metaclass is Python's or the notebook's: a library's may keep what cannot be sent in its classes."""
    return metaclass.__module__ in ("builtins", "abc", "typing") or _home.active().is_own_name(metaclass.__module__)


def set_class(cls: type, state: dict[str, Any]) -> None:
    """Give a class its attributes, past its metaclass's own `__setattr__`."""
    for virtual in state.pop(ABC_REGISTRY, ()):
        cls.register(virtual)  # type: ignore[attr-defined]
    for base in state.pop(ABC_MEMBERSHIP, ()):
        base.register(cls)
    setter = setter_of(cls)
    for attribute, value in state.items():
        setter.__setattr__(cls, attribute, value)
    metaclass: Any = type(cls)
    if (metaclass.__module__, metaclass.__name__) in _REGISTERS:
        metaclass.__init__(cls, cls.__name__, cls.__bases__, dict(vars(cls)))


#: Metaclasses of libraries that register their classes with the library, and do no more.
_REGISTERS = frozenset({("yaml", "YAMLObjectMetaclass")})


def new_enum(
    metaclass: type, name: str, bases: tuple[type, ...], members: dict[str, Any], body: dict[str, Any], token: str
) -> type:
    """Return an Enum class built by its own metaclass from its members' values."""
    existing = _home.active().known(token)
    return existing if existing is not None else _new_enum(metaclass, name, bases, members, body, token)


def enum_with_new(
    metaclass: type,
    name: str,
    bases: tuple[type, ...],
    members: dict[str, Any],
    body: dict[str, Any],
    token: str,
    contents: list[tuple[Any, ...]],
) -> type:
    """Return an Enum class whose members' values are not what they were made from: they are made without its author's.

    Args:
        contents: What is in each member as an `int`, a `str` and so on; an empty tuple for one that is no such thing.
    """
    existing = _home.active().known(token)
    if existing is not None:
        return existing
    of_author: dict[str, Any] = {each: body.pop(each) for each in ("__new__", "__init__") if each in body}
    parts = zip(members.values(), contents, strict=True)

    def __new__(cls: Any, *args: Any) -> Any:
        value, content = next(parts)
        native = native_base(cls._member_type_)
        made = native.__new__(cls, *content)
        made._value_ = value
        return made

    made: Any = _new_enum(metaclass, name, bases, members, {**body, "__new__": __new__, "__init__": _nothing}, token)
    type.__delattr__(made, "__init__")
    for each, names in (("__init__", ("__init__",)), ("__new__", ("_new_member_", "__new_member__"))):
        for attribute in names if each in of_author else ():
            type.__setattr__(made, attribute, of_author[each])
    found: type = made
    return found


def _nothing(*_: Any) -> None:
    pass


def _new_enum(
    metaclass: type, name: str, bases: tuple[type, ...], members: dict[str, Any], body: dict[str, Any], token: str
) -> type:
    scope = metaclass.__prepare__(name, bases)
    for attribute, value in members.items():
        scope[attribute] = enum.member(value) if hasattr(value, "__get__") else value
    for attribute, value in body.items():
        scope[attribute] = value
    return _register(metaclass(name, bases, scope), token)


def set_members(cls: Any, given: dict[str, dict[str, Any]]) -> None:
    """Give members of an Enum the attributes that they were given; those under no name are the class's."""
    for name, value in given.pop("", {}).items():
        type.__setattr__(cls, name, value)
    for name, attributes in given.items():
        cls.__members__[name].__dict__.update(attributes)


def bound_method(function: Any, instance: Any) -> types.MethodType:
    """Return a method of an instance, which need not have all its attributes yet."""
    return types.MethodType(function, instance)


def bound_super(kind: type, instance: Any) -> Any:
    """Return super(kind, instance)."""
    return super(kind, instance)


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
    if kind == "async_generator":
        with contextlib.suppress(StopIteration):  # one that has not begun has nothing to wait for
            made.aclose().send(None)
    else:
        made.close()
    made.__name__, made.__qualname__ = name, qualname
    return made
