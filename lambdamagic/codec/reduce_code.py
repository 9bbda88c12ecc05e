"""How functions, classes and modules, and their parts, are pickled."""

from __future__ import annotations

import _collections_abc
import enum
import gc
import marshal
import sys
import types
from typing import Any

from lambdamagic.codec import rebuild
from lambdamagic.codec.class_parts import (
    ENUM_MACHINERY,
    ENUM_OVERRIDES,
    MEMBER_MACHINERY,
    is_written_by_user,
    split_class,
)
from lambdamagic.codec.containers import slot_names
from lambdamagic.codec.home import is_importable
from lambdamagic.codec.reduce_instances import IMMUTABLE
from lambdamagic.codec.writing import Rule, Writing
from lambdamagic.codec.written_classes import is_written_in_python, native_base

_OF_PYTHON = {
    value: (place, name)
    for place, module in (("_collections_abc", _collections_abc), ("types", types))
    for name, value in vars(module).items()
    if isinstance(value, type) and not is_written_in_python(value)
}

# marshal version 2 has no back references, whose use depends on reference counts: equal code gives equal bytes, so
# that content addresses repeat from run to run.
_MARSHAL_VERSION = 2


class FunctionGlobals:
    """Stands for a function's globals in its reduce tuple, so that pickle asks us and not the dictionary."""

    def __init__(self, function: types.FunctionType) -> None:
        self.function = function


def is_made_by_code(module: types.ModuleType) -> bool:
    """Whether a module is one that no import leads to: code has called `types.ModuleType`."""
    scope: dict[str, Any] = object.__getattribute__(module, "__dict__")
    return (
        type(module) is types.ModuleType
        and scope.get("__spec__") is None
        and scope.get("__loader__") is None
        and (sys.modules.get(str(scope.get("__name__"))) is not module)
    )


def _function(writing: Writing, value: types.FunctionType) -> Any:
    if writing.is_importable(value, value.__module__, value.__qualname__):
        if value.__name__ == "display" and value.__module__ == "IPython.core.display_functions":
            return rebuild.display, ()
        return NotImplemented
    if writing.refers_to_functions and writing.home.is_named(value):
        return rebuild.known_function, (value.__qualname__,)
    writing.functions.append(value)
    writing.is_of_home = True
    state: dict[str, Any] = {
        "__qualname__": value.__qualname__,
        "__module__": writing.home.sent_name(value.__module__),
        "__defaults__": value.__defaults__,
        "__kwdefaults__": value.__kwdefaults__,
        "__doc__": value.__doc__,
        "__annotations__": value.__annotations__,
    }
    if value.__dict__:
        state["__dict__"] = value.__dict__
    if _has_own_globals(writing, value):
        scope = value.__globals__
        state["__globals__"] = {name: scope[name] for name in _global_names(value.__code__) if name in scope}
    shared = writing.globals_by_id.setdefault(id(value.__globals__), FunctionGlobals(value))
    arguments = (value.__code__, shared, value.__name__, value.__closure__)
    is_named = not writing.home.answers and writing.home.current(value.__qualname__) is value
    make = rebuild.named_function if is_named else rebuild.function
    return make, arguments, state, None, None, rebuild.set_function


def _has_own_globals(writing: Writing, function: types.FunctionType) -> bool:
    scope = function.__globals__
    if scope is writing.home.namespace:
        return False
    name = scope.get("__name__")
    if id(scope) in writing.made or id(scope) in writing.scopes:
        return False
    return not (isinstance(name, str) and _is_globals_of(name, scope))


def _globals(writing: Writing, value: FunctionGlobals) -> Any:
    function = value.function
    if function.__globals__ is writing.home.namespace:
        return rebuild.namespace, ()
    name = function.__globals__.get("__name__")
    if isinstance(name, str) and _is_globals_of(name, function.__globals__):
        if writing.home.is_own_name(name):
            return rebuild.namespace, ()
        writing.met(name)
        return rebuild.module_globals, (name,)
    if id(function.__globals__) in writing.scopes:
        return rebuild.itself, (function.__globals__,)
    module = writing.made.get(id(function.__globals__))
    if module is not None:
        return rebuild.globals_of, (module,)
    # A function made by exec in a separate dictionary (namedtuple's __new__, for one): what of it the functions
    # use is sent with each of them.
    return dict, ()


def _cell(writing: Writing, value: types.CellType) -> Any:
    try:
        content: tuple[Any, ...] = (value.cell_contents,)
    except ValueError:  # empty: a name that its function has not bound yet
        content = ()
    return rebuild.cell, (), content, None, None, rebuild.set_cell


def _code(writing: Writing, value: types.CodeType) -> Any:
    return rebuild.code, (marshal.dumps(value, _MARSHAL_VERSION),)


def module_rule(writing: Writing, value: types.ModuleType) -> Any:
    """Refer to a module by its name; one that no import leads to goes with what it holds."""
    if writing.home.is_own_name(value.__name__):
        writing.is_of_home = True
        return rebuild.main_module, ()
    if is_made_by_code(value):
        writing.made[id(vars(value))] = value
        state = {name: held for name, held in vars(value).items() if name != "__builtins__"}
        return rebuild.made_module, (value.__name__,), state, None, None, rebuild.set_module
    writing.met(value.__name__)
    return rebuild.module, (value.__name__,)


def class_rule(writing: Writing, cls: type) -> Any:
    """Take a class of the notebook apart; its token is what it is known by."""
    if writing.is_importable(cls, cls.__module__, cls.__qualname__):
        return NotImplemented
    if cls.__module__ == "_ctypes":
        # Its metaclasses are nowhere but where they are used.
        bases = [each for each in vars(sys.modules["_ctypes"]).values() if type(each) is cls]
        return (type, (bases[0],)) if bases else NotImplemented
    if not is_written_in_python(cls):
        # One of Python's own that no module has under its own name, such as the type of a list's iterator.
        found = _OF_PYTHON.get(cls)
        return NotImplemented if found is None else (rebuild.attribute, found)
    writing.is_of_home = True
    token = writing.home.token_of(cls)
    if token in writing.home.foreign:
        return rebuild.known_class, (token, cls.__qualname__)
    writing.home.note_sent(cls, token)
    if issubclass(cls, enum.Enum):
        return _enum(writing, cls, token)
    body, state = split_class(cls)
    body["__module__"] = writing.home.sent_name(cls.__module__)
    return (
        rebuild.new_class,
        (type(cls), cls.__name__, cls.__bases__, body, token),
        state,
        None,
        None,
        rebuild.set_class,
    )


#: `__dict__` and `__weakref__` are the class's own where its members are texts or numbers, too.
_MADE_WITH_A_CLASS = (
    enum.property,
    types.DynamicClassAttribute,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
)


def _enum(writing: Writing, cls: type[enum.Enum], token: str) -> Any:
    members = {name: member._value_ for name, member in cls.__members__.items()}
    body: dict[str, Any] = {}
    later: dict[str, Any] = {}
    for name, value in cls.__dict__.items():
        if name in members or isinstance(value, _MADE_WITH_A_CLASS):
            continue
        if name not in ENUM_MACHINERY or (name in ENUM_OVERRIDES and is_written_by_user(value)):
            # What is no method was given to the finished class, and may lead back to it; a body makes members of it.
            target = body if name[:2] == name[-2:] == "__" or hasattr(value, "__get__") else later
            target[name] = value
    make: Any = rebuild.new_enum
    contents: tuple[Any, ...] = ()
    kind: Any = cls._member_type_  # type: ignore[attr-defined]
    if is_written_by_user(cls._new_member_):  # type: ignore[attr-defined]
        body["__new__"] = cls._new_member_  # type: ignore[attr-defined]
    if "__new__" in body or (kind is not object and kind not in IMMUTABLE):
        found = [_content_of_member(member, kind) for member in cls.__members__.values()]
        if None not in found:
            make, contents = rebuild.enum_with_new, (found,)
    body["__module__"], body["__qualname__"] = writing.home.sent_name(cls.__module__), cls.__qualname__
    given: dict[str, Any] = {}
    for name, member in cls.__members__.items():
        own = {key: item for key, item in member.__dict__.items() if key not in MEMBER_MACHINERY}
        if own and member.name == name:
            given[name] = own
    if later:
        given[""] = later
    arguments = (type(cls), cls.__name__, cls.__bases__, members, body, token, *contents)
    return (make, arguments, *((given, None, None, rebuild.set_members) if given else ()))


def _content_of_member(member: Any, kind: type) -> tuple[Any, ...] | None:
    """Return what a member is made of where it is a text, a number or the like as well; None where it is unknown."""
    native = native_base(kind)
    if native is object:
        return None if slot_names(kind) else ()
    if native in IMMUTABLE:
        return (IMMUTABLE[native](member),)
    found: Any = member._value_.__reduce_ex__(5) if isinstance(member._value_, native) else ()
    return found[1] if len(found) == 2 and found[0] is type(member._value_) else None


def _property(writing: Writing, value: property) -> Any:
    return property, (value.fget, value.fset, value.fdel, value.__doc__)


def _wrapped(writing: Writing, value: staticmethod[Any, Any] | classmethod[Any, Any, Any]) -> Any:
    return type(value), (value.__func__,)


def _mapping_proxy(writing: Writing, value: types.MappingProxyType[Any, Any]) -> Any:
    held = gc.get_referents(value)
    if len(held) == 1 and type(held[0]) is dict and "__module__" not in held[0]:
        return rebuild.mapping_proxy, (held[0],)  # a view of another dictionary, not of a class
    return rebuild.mapping_proxy, (dict(value),)


def _method(writing: Writing, value: types.MethodType) -> Any:
    ipython = sys.modules.get("IPython.core.interactiveshell")
    if ipython is not None and isinstance(value.__self__, ipython.InteractiveShell):
        return rebuild.shell_method, (value.__func__.__name__,)
    owner = value.__self__ if isinstance(value.__self__, type) else type(value.__self__)
    function = value.__func__
    if writing.home.is_own_name(owner.__module__) or (
        type(function) is types.FunctionType
        and is_importable(function, function.__module__, function.__qualname__, home=writing.home)
    ):
        # Not as an attribute of the object, which need not have it yet when both are read.
        return rebuild.bound_method, (function, value.__self__)
    return NotImplemented


def _super(writing: Writing, value: Any) -> Any:
    return rebuild.bound_super, (value.__thisclass__, value.__self__)


def _global_names(code: types.CodeType) -> set[str]:
    """Return the names that code may look up in its globals."""
    names = {"__name__", *code.co_names}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _global_names(constant)
    return names


def _is_globals_of(name: str, namespace: dict[str, Any]) -> bool:
    found = sys.modules.get(name)
    return found is not None and found.__dict__ is namespace


#: For objects of exactly these types; `class_rule` is for classes, whatever their metaclass.
RULES: dict[type, Rule] = {
    types.FunctionType: _function,
    FunctionGlobals: _globals,
    types.CellType: _cell,
    types.CodeType: _code,
    types.ModuleType: module_rule,
    types.MappingProxyType: _mapping_proxy,
    types.MethodType: _method,
    property: _property,
    staticmethod: _wrapped,
    classmethod: _wrapped,
    super: _super,
}
