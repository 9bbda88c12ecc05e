"""How functions, classes and what they are made of are taken apart.

Plain pickle refers to them by module and name, which is right for installed code and useless for a notebook's. Here
notebook code is taken apart by value, with one twist that neither dill nor cloudpickle has: all functions of the
notebook keep pointing at ONE global namespace (see `home`), cells of closures stay shared, and a class keeps its
identity across the trip.
"""

from __future__ import annotations

import _abc
import _queue
import _struct
import contextvars
import copyreg
import dataclasses
import enum
import functools
import gc
import marshal
import operator
import pickle
import re
import sys
import threading
import types
import typing
import weakref
from collections.abc import Callable
from typing import Any

from lambdamagic.codec import array_views as views
from lambdamagic.codec import lru_caches, opened_files, rebuild, unbegun
from lambdamagic.codec.containers import PICKLING_HOOKS, WEAK, container_base, content_of
from lambdamagic.codec.frames import Written
from lambdamagic.codec.home import Home, is_importable
from lambdamagic.codec.module_names import NAMES, is_own, name_of_nan
from lambdamagic.codec.shared import SHARED_MIN_BYTES, Shared

_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement
#: How to get the value of an immutable object without what a subclass has made of its methods.
_IMMUTABLE: dict[type, Callable[[Any], Any]] = {
    tuple: lambda value: tuple.__getitem__(value, slice(None)),
    str: str.__str__,
    bytes: lambda value: bytes.__getitem__(value, slice(None)),
    int: int.__int__,
    float: float.__float__,
}

# marshal version 2 has no back references, whose use depends on reference counts: equal code gives equal bytes, so
# that content addresses repeat from run to run.
_MARSHAL_VERSION = 2


class Reducers:
    """The by-value rules, bound to one home and one payload.

    Attributes:
        functions: Functions that were taken by value, in order: the encoder captures the globals that they read.
        modules: Full names of the modules that the payload refers to.
        shared: Shared objects that the payload refers to, by digest.
        is_of_home: Whether something belongs to the home: its functions, its classes, the namespace itself.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self.functions: list[types.FunctionType] = []
        self.modules: set[str] = set()
        self.shared: dict[str, Written] = {}
        self.is_of_home = False
        #: Whether functions that the other side finds by their names are referred to by these.
        self.refers_to_functions = False
        #: Says which arrays travel as shared objects; None for none.
        self.share: Callable[[Any], Shared | None] | None = None
        self._is_fresh = False
        self._globals_by_id: dict[int, FunctionGlobals] = {}
        #: Arrays, by `id`, and the array whose memory they show: see `views`.
        self.views: dict[int, Any] = {}
        #: Objects, by `id`, that are put into modules of the user's own and so are no references to these.
        self.given: dict[int, Any] = {}
        self._made: dict[int, types.ModuleType] = {}
        #: Dictionaries, by `id`, in which code was run and which have a number already.
        self.scopes: dict[int, dict[str, Any]] = {}
        #: Whether objects were met whose own pickling may have made what it gave.
        self.has_own_pickling = False

    def reduce(self, value: Any) -> Any:
        """Return a reduce tuple, or NotImplemented where pickle's own way is right."""
        owned = self._owned(value)
        if owned is not None:
            return owned
        rule = _RULES.get(type(value))
        if rule is not None:
            return rule(self, value)
        if isinstance(value, Shared):
            return self._shared(value)
        if isinstance(value, types.ModuleType):
            return self._module(value)
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, BaseException):
            return self._exception(value)
        module = type(value).__module__
        self._met(module)
        if module == "numpy":
            return self._numpy(value)
        if module == "numpy.dtypes" and value.isbuiltin == 1:
            return sys.modules["numpy"].dtype, (value.str,)  # there is one of each
        if module == "lambdamagic.api.remote_function" and type(value).__name__ == "RemoteFunction":
            return operator.itemgetter(0), ((value.__wrapped__,),)  # on Lambda it is the plain function
        if module == "pandas.core.internals.blocks":
            return self._pandas_block(value)
        ipython = sys.modules.get("IPython.core.interactiveshell")
        if ipython is not None and isinstance(value, ipython.InteractiveShell):
            return rebuild.shell, ()
        widgets = sys.modules.get("ipywidgets")
        if widgets is not None and isinstance(value, widgets.Widget):
            raise pickle.PicklingError("a widget lives by the connection of its process to a page")
        cls = type(value)
        if (
            self.home.is_own_name(module)
            or _needs_arguments(cls.__new__)
            or (type(cls.__hash__) is types.FunctionType and cls.__reduce_ex__ is _REDUCED_BY_DEFAULT)
        ):
            found = self._instance(value)
            self.has_own_pickling = self.has_own_pickling or found is NotImplemented
            return found
        self.has_own_pickling = True
        return NotImplemented

    def _owned(self, value: Any) -> Any:
        """Refer to what belongs to a module by its name there."""
        if not self._is_fresh:
            NAMES.refresh()
            self._is_fresh = True
        found = NAMES.of(value)
        if found is None:
            return None
        module, name = found
        if self.is_given(value, module):
            return None
        if module == "sys" and name in ("stdout", "stderr", "stdin", "__stdout__", "__stderr__", "__stdin__"):
            return rebuild.stream, (name,)
        self._met(module)
        return _attribute(module), found

    def is_given(self, value: Any, module: str) -> bool:
        """Whether an object that a module holds is put there by this payload."""
        return id(value) in self.given and is_own(sys.modules[module])

    def _met(self, module: object) -> None:
        if isinstance(module, str):
            self.modules.add(module)

    def _is_importable(self, value: Any, module: Any, qualname: str | None) -> bool:
        if not is_importable(value, module, qualname, home=self.home):
            return False
        self._met(module)
        return True

    def _anew(self, value: Anew) -> Any:
        self.given[id(value.value)] = value.value  # not by its name in a module
        found = self.reduce(value.value)
        if found is NotImplemented:
            found = reduced(value.value)
        if not isinstance(found, str) and found[0] is copyreg.__newobj__:  # type: ignore[attr-defined]
            # pickle would ask whether the object that it writes is of this class.
            return rebuild.made, *found[1:]
        if not isinstance(found, str) and found[0] is copyreg.__newobj_ex__:  # type: ignore[attr-defined]
            return rebuild.made_ex, *found[1:]
        return found

    def _numpy(self, value: Any) -> Any:
        if self.share is not None and (shared := self.share(value)) is not None:
            return self._shared(shared)
        if type(value).__name__ in ("finfo", "iinfo"):
            return type(value), (value.dtype,)
        if type(value).__name__ == "ufunc":
            return self._ufunc(value)
        if type(value).__name__ != "ndarray":
            return NotImplemented
        if id(value) in self.views:
            return rebuild.array_view, views.reduced(value, self.views[id(value)])
        flags = value.flags
        if not (flags.c_contiguous or flags.f_contiguous or value.dtype.hasobject):
            # Its memory is laid out otherwise where it is read; whoever answers must know that.
            return rebuild.detached, (value.copy("C"), flags.writeable)
        return NotImplemented

    def _ufunc(self, value: Any) -> Any:
        """Make one of `numpy.frompyfunc` again, whose function only the garbage collector shows."""
        functions = [each for each in gc.get_referents(value) if callable(each) and not isinstance(each, type)]
        if not value.__name__.endswith("(vectorized)") or len(functions) != 1:
            return NotImplemented
        return sys.modules["numpy"].frompyfunc, (functions[0], value.nin, value.nout)

    def _pandas_block(self, value: Any) -> Any:
        """Keep frames apart that share memory until one is written: where they are read, they do not know of it."""
        found: tuple[Any, ...] = value.__reduce__() if hasattr(value, "mgr_locs") else ()
        if len(found) < 2 or not found[1] or type(found[1][0]).__name__ != "ndarray":
            return NotImplemented
        function, (values, *rest), *others = found
        return function, (values.view(), *rest), *others

    def _shared(self, value: Shared) -> Any:
        if value.size_bytes < SHARED_MIN_BYTES:
            return value.__reduce__()
        written = value.written(self.home)
        self.shared.update({each.digest: each for each in (written, *written.shared)})
        if written.is_of_home:
            self.is_of_home = True
            self.functions.extend(written.functions)
        self.modules |= written.modules
        return rebuild.shared, (written.digest,)

    def _instance(self, value: Any) -> Any:
        """Rebuild instances of the notebook's classes where pickle's default would run code of theirs too early.

        pickle calls `__new__` with what is in an immutable object, which is not what its author's `__new__` takes; it
        fills a container by the container's own methods; and it asks a bare instance for `__setstate__`, which a
        `__getattr__` that relies on attributes cannot answer.
        """
        cls = type(value)
        hooks = [
            base for base in cls.__mro__ if base.__flags__ & _HEAP_TYPE and not PICKLING_HOOKS.isdisjoint(base.__dict__)
        ]
        native = next(base for base in cls.__mro__ if not base.__flags__ & _HEAP_TYPE)
        if hooks or enum.Enum in cls.__mro__:
            return NotImplemented
        if native in _IMMUTABLE and cls.__new__ is not native.__new__:
            return rebuild.immutable, (cls, native, _IMMUTABLE[native](value)), getattr(value, "__dict__", None) or None
        if container_base(cls) is not None:
            state: Any = object.__reduce_ex__(value, 2)[2]
            if getattr(value, "__dict__", None) is value:
                state = rebuild.Itself
            options = [getattr(value, name, None) for name in ("default_factory", "maxlen")]
            return rebuild.container, (cls,), (state, *options, *content_of(value)), None, None, rebuild.set_container
        if native is not object:
            return NotImplemented
        is_shared = hasattr(value, "__dict__") and _is_held_elsewhere(value)
        state = object.__reduce_ex__(value, 2)[2]
        attributes, slots = state if isinstance(state, tuple) else (state, None)
        if is_shared and attributes is not None:
            return rebuild.bare, (cls,), state, None, None, rebuild.share_state
        if cls.__hash__ not in (None, _HASH_BY_IDENTITY):
            known = {
                name: held for part in (attributes, slots) for name, held in (part or {}).items() if _is_plain(held)
            }
            return rebuild.keyed, (cls, known), state, None, None, rebuild.set_state
        if hasattr(cls, "__getattr__") or "__new__" in _names_of(cls):
            return rebuild.bare, (cls,), state, None, None, rebuild.set_state
        return NotImplemented

    def _exception(self, value: BaseException) -> Any:
        cls = type(value)
        if cls.__reduce__ is BaseException.__reduce__ and cls.__flags__ & _HEAP_TYPE:
            found: Any = (rebuild.exception, (cls, value.args, value.__dict__))
        elif value.__cause__ is None and value.__context__ is None:
            return NotImplemented
        else:
            found = value.__reduce_ex__(5)
        if value.__cause__ is None and value.__context__ is None:
            return found
        function, args, *state = found
        chain = (state[0] if state else {}, value.__cause__, value.__context__, value.__suppress_context__)
        return function, args, chain, None, None, rebuild.set_exception

    def _function(self, value: types.FunctionType) -> Any:
        if self._is_importable(value, value.__module__, value.__qualname__):
            if value.__name__ == "display" and value.__module__ == "IPython.core.display_functions":
                return rebuild.display, ()
            return NotImplemented
        if self.refers_to_functions and self.home.is_named(value):
            return rebuild.known_function, (value.__qualname__,)
        self.functions.append(value)
        self.is_of_home = True
        state: dict[str, Any] = {
            "__qualname__": value.__qualname__,
            "__module__": self.home.sent_name(value.__module__),
            "__defaults__": value.__defaults__,
            "__kwdefaults__": value.__kwdefaults__,
            "__doc__": value.__doc__,
            "__annotations__": value.__annotations__,
        }
        if value.__dict__:
            state["__dict__"] = value.__dict__
        if self._has_own_globals(value):
            scope = value.__globals__
            state["__globals__"] = {name: scope[name] for name in _global_names(value.__code__) if name in scope}
        shared = self._globals_by_id.setdefault(id(value.__globals__), FunctionGlobals(value))
        arguments = (value.__code__, shared, value.__name__, value.__closure__)
        is_named = not self.home.answers and self.home.current(value.__qualname__) is value
        make = rebuild.named_function if is_named else rebuild.function
        return make, arguments, state, None, None, rebuild.set_function

    def _has_own_globals(self, function: types.FunctionType) -> bool:
        scope = function.__globals__
        if scope is self.home.namespace:
            return False
        name = scope.get("__name__")
        if id(scope) in self._made or id(scope) in self.scopes:
            return False
        return not (isinstance(name, str) and _is_globals_of(name, scope))

    def _globals(self, value: FunctionGlobals) -> Any:
        function = value.function
        if function.__globals__ is self.home.namespace:
            return rebuild.namespace, ()
        name = function.__globals__.get("__name__")
        if isinstance(name, str) and _is_globals_of(name, function.__globals__):
            if self.home.is_own_name(name):
                return rebuild.namespace, ()
            self._met(name)
            return rebuild.module_globals, (name,)
        if id(function.__globals__) in self.scopes:
            return rebuild.itself, (function.__globals__,)
        module = self._made.get(id(function.__globals__))
        if module is not None:
            return rebuild.globals_of, (module,)
        # A function made by exec in a separate dictionary (namedtuple's __new__, for one): what of it the functions
        # use travels with each of them.
        return dict, ()

    def _cell(self, value: types.CellType) -> Any:
        try:
            content: tuple[Any, ...] = (value.cell_contents,)
        except ValueError:  # empty: a name that its function has not bound yet
            content = ()
        return rebuild.cell, (), content, None, None, rebuild.set_cell

    def _code(self, value: types.CodeType) -> Any:
        return rebuild.code, (marshal.dumps(value, _MARSHAL_VERSION),)

    def _module(self, value: types.ModuleType) -> Any:
        if self.home.is_own_name(value.__name__):
            self.is_of_home = True
            return rebuild.main_module, ()
        if is_made_by_code(value):
            self._made[id(vars(value))] = value
            state = {name: held for name, held in vars(value).items() if name != "__builtins__"}
            return rebuild.made_module, (value.__name__,), state, None, None, rebuild.set_module
        self._met(value.__name__)
        return rebuild.module, (value.__name__,)

    def _class(self, cls: type) -> Any:
        if cls.__flags__ & (1 << 9) == 0 or self._is_importable(cls, cls.__module__, cls.__qualname__):
            return NotImplemented  # a static C type, or one that an import finds
        self.is_of_home = True
        token = self.home.token_of(cls)
        if token in self.home.foreign:
            return rebuild.known_class, (token, cls.__qualname__)
        self.home.note_sent(cls, token)
        if issubclass(cls, enum.Enum):
            return self._enum(cls, token)
        body, state = _split_class(cls)
        body["__module__"] = self.home.sent_name(cls.__module__)
        return (
            rebuild.new_class,
            (type(cls), cls.__name__, cls.__bases__, body, token),
            state,
            None,
            None,
            rebuild.set_class,
        )

    def _enum(self, cls: type[enum.Enum], token: str) -> Any:
        members = {name: member._value_ for name, member in cls.__members__.items()}
        body: dict[str, Any] = {}
        later: dict[str, Any] = {}
        for name, value in cls.__dict__.items():
            if name in members or isinstance(value, (enum.property, types.DynamicClassAttribute)):
                continue
            if name not in _ENUM_MACHINERY or (name in _ENUM_OVERRIDES and _is_written_by_user(value)):
                # What is no method was given to the finished class, and may lead back to it.
                target = body if name.startswith("_") or hasattr(value, "__get__") else later
                target[name] = value
        if _is_written_by_user(cls._new_member_):  # type: ignore[attr-defined]
            body["__new__"] = cls._new_member_  # type: ignore[attr-defined]
        body["__module__"], body["__qualname__"] = self.home.sent_name(cls.__module__), cls.__qualname__
        given: dict[str, Any] = {}
        for name, member in cls.__members__.items():
            own = {key: item for key, item in member.__dict__.items() if key not in MEMBER_MACHINERY}
            if own and member.name == name:
                given[name] = own
        if later:
            given[""] = later
        arguments = (type(cls), cls.__name__, cls.__bases__, members, body, token)
        return (rebuild.new_enum, arguments, *((given, None, None, rebuild.set_members) if given else ()))

    def _property(self, value: property) -> Any:
        return property, (value.fget, value.fset, value.fdel, value.__doc__)

    def _wrapped(self, value: staticmethod[Any, Any] | classmethod[Any, Any, Any]) -> Any:
        return type(value), (value.__func__,)

    def _mapping_proxy(self, value: types.MappingProxyType[Any, Any]) -> Any:
        held = gc.get_referents(value)
        if len(held) == 1 and type(held[0]) is dict and "__module__" not in held[0]:
            return rebuild.mapping_proxy, (held[0],)  # a view of another dictionary, not of a class
        return rebuild.mapping_proxy, (dict(value),)

    def _lru_cache(self, value: Any) -> Any:
        if self._is_importable(value, value.__module__, value.__qualname__):
            return NotImplemented
        # functools.update_wrapper put the wrapped function's attributes here; they come again with it.
        attributes = {name: item for name, item in value.__dict__.items() if name != "__wrapped__"}
        attributes.pop("cache_parameters", None)
        arguments = (value.__wrapped__, value.cache_parameters(), attributes)
        held = lru_caches.remembered(value)
        return (
            rebuild.lru_cache,
            arguments,
            *((tuple(held), None, None, rebuild.set_lru_cache) if held.misses else ()),
        )

    def _cached_property(self, value: functools.cached_property[Any]) -> Any:
        return rebuild.cached_property, (value.func, value.attrname, value.__doc__)

    def _dataclass_sentinel(self, value: Any) -> Any:
        for name in _DATACLASS_SENTINELS:
            if getattr(dataclasses, name, None) is value:
                return rebuild.dataclass_sentinel, (name,)
        return NotImplemented

    def _type_variable(self, value: Any) -> Any:
        if self._is_importable(value, value.__module__, value.__name__):
            return NotImplemented
        constraints: tuple[Any, ...] = ()
        options: dict[str, Any] = {}
        kind = type(value).__name__
        if kind == "TypeVar":
            constraints = value.__constraints__
            options = {"covariant": value.__covariant__, "contravariant": value.__contravariant__}
            if value.__bound__ is not None:
                options["bound"] = value.__bound__
        elif kind == "NewType":
            constraints = (value.__supertype__,)
        return rebuild.type_variable, (kind, value.__name__, constraints, options)

    def _type_alias(self, value: Any) -> Any:
        return rebuild.type_alias, (value.__name__, value.__value__)

    def _weak(self, value: Any) -> Any:
        return rebuild.weak_container, (type(value),), content_of(value), None, None, rebuild.set_weak

    def _weak_reference(self, value: weakref.ref[Any]) -> Any:
        return rebuild.weak_reference, (value(),)

    def _generator(self, value: Any) -> Any:
        if unbegun.progress(value) == "closed":
            return rebuild.ended, (type(value).__name__, value.__name__, value.__qualname__)
        function, args, kwargs = unbegun.call_of(value)
        return rebuild.called, (function, args, kwargs, value.__name__, value.__qualname__)

    def _lock(self, value: Any) -> Any:
        if not unbegun.is_unlocked(value):
            raise TypeError(f"cannot pickle '_thread.{type(value).__name__}' object: it is locked")
        return rebuild.lock, (type(value).__name__,)

    def _match(self, value: re.Match[str]) -> Any:
        name, start = unbegun.search_of(value)
        return rebuild.match, (value.re, name, value.string, start, value.endpos)

    def _simple_queue(self, value: Any) -> Any:
        items = []
        while not value.empty():
            items.append(value.get())
        for item in items:
            value.put(item)
        return rebuild.simple_queue, (), items, None, None, rebuild.set_simple_queue

    def _file(self, value: Any) -> Any:
        name = getattr(value, "name", None)
        if self.home.answers and name in ("<stdout>", "<stderr>"):
            return rebuild.stream, (name[1:-1],)
        return rebuild.opened_file, opened_files.taken(value)

    def _thread(self, value: threading.Thread) -> Any:
        if value.ident is not None:
            raise TypeError("cannot pickle 'Thread' object: it was started")
        return NotImplemented

    def _context_variable(self, value: contextvars.ContextVar[Any]) -> Any:
        if self._is_importable(value, getattr(value, "__module__", None), value.name):
            return NotImplemented
        default = variable_content(value, contextvars.Context())
        return rebuild.context_variable, (value.name, default, variable_content(value))

    def _method(self, value: types.MethodType) -> Any:
        ipython = sys.modules.get("IPython.core.interactiveshell")
        if ipython is not None and isinstance(value.__self__, ipython.InteractiveShell):
            return rebuild.shell_method, (value.__func__.__name__,)
        owner = value.__self__ if isinstance(value.__self__, type) else type(value.__self__)
        function = value.__func__
        if self.home.is_own_name(owner.__module__) or (
            type(function) is types.FunctionType
            and is_importable(function, function.__module__, function.__qualname__, home=self.home)
        ):
            # Not as an attribute of the object, which need not have it yet when both are read.
            return rebuild.bound_method, (function, value.__self__)
        return NotImplemented

    def _key_wrapper(self, value: Any) -> Any:
        compare = next(
            (each for each in gc.get_referents(value) if callable(each) and not isinstance(each, type)), None
        )
        return NotImplemented if compare is None else (functools.cmp_to_key, (compare,))

    def _super(self, value: Any) -> Any:
        return rebuild.bound_super, (value.__thisclass__, value.__self__)


def variable_content(
    variable: contextvars.ContextVar[Any], context: contextvars.Context | None = None
) -> tuple[Any, ...]:
    """Return what a context variable holds here, or in a context, as a tuple; an empty one for nothing."""
    try:
        return (variable.get() if context is None else context.run(variable.get),)
    except LookupError:
        return ()


_HASH_BY_IDENTITY: Any = object.__hash__
_REDUCED_BY_DEFAULT: Any = object.__reduce_ex__


class _Probe:
    pass


def _references_to_attributes(value: Any) -> int:
    return sys.getrefcount(value.__dict__)


_USUAL_REFERENCES = _references_to_attributes(_Probe())


def _is_held_elsewhere(value: Any) -> bool:
    """Whether an object's dictionary of attributes is that of another one, too, or has a name."""
    return _references_to_attributes(value) > _USUAL_REFERENCES


def _is_plain(value: Any) -> bool:
    """Whether a value leads to no other object, so that a hash can be made of it from the beginning."""
    if type(value) is tuple:
        return all(map(_is_plain, value))
    return type(value) in _ATOMS


_ATOMS = frozenset({int, float, complex, bool, str, bytes, type(None)})


def _names_of(cls: type) -> set[str]:
    """Return the attributes of a class and its parents, what all objects have apart."""
    return {name for base in cls.__mro__ if base is not object for name in base.__dict__}


def _needs_arguments(new: Any) -> bool:
    """Whether a `__new__` cannot be called with the class alone, as pickle does."""
    return type(new) is types.FunctionType and new.__code__.co_argcount - len(new.__defaults__ or ()) > 1


def reduced(value: Any) -> Any:
    """Return what pickle's own way gives for an object: a reduce tuple, or the name of a global."""
    reduce: Any = copyreg.dispatch_table.get(type(value))
    return reduce(value) if reduce is not None else value.__reduce_ex__(4 if isinstance(value, type) else 5)


def is_made_by_code(module: types.ModuleType) -> bool:
    """Whether a module is one that no import leads to: code has called `types.ModuleType`."""
    scope: dict[str, Any] = object.__getattribute__(module, "__dict__")
    return (
        type(module) is types.ModuleType
        and scope.get("__spec__") is None
        and scope.get("__loader__") is None
        and (sys.modules.get(str(scope.get("__name__"))) is not module)
    )


class Anew:
    """Stands for an object that is to be written again, where a number would be written for the object itself."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class ModuleReference:
    """Stands for what belongs to a module, where pickle would write a list, dictionary or set without asking us."""

    __slots__ = ("module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


def _attribute(module: str) -> Callable[[str, str], Any]:
    return rebuild.own_attribute if is_own(sys.modules[module]) else rebuild.attribute


def as_reference(value: Any) -> Any:
    """Return what is written for a value about which pickle does not ask us: a reference if it belongs to a module."""
    found = name_of_nan(value) if type(value) is float else None
    return value if found is None else ModuleReference(*found)


class FunctionGlobals:
    """Stands for a function's globals in its reduce tuple, so that pickle asks us and not the dictionary."""

    def __init__(self, function: types.FunctionType) -> None:
        self.function = function


#: Under this name a class's state has the classes that were registered with it.
ABC_REGISTRY = "_abc_registry"


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


def class_state(cls: type) -> dict[str, Any]:
    """Return the attributes of a class that belong to it and can change: the second half of how it is rebuilt."""
    return _split_class(cls)[1]


def _split_class(cls: type) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split a class's attributes into those it must be made with and those it is given afterwards."""
    attributes = dict(cls.__dict__)
    body: dict[str, Any] = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
    slots = attributes.get("__slots__")
    if slots is not None:
        body["__slots__"] = slots
    dropped = {"__dict__", "__weakref__", "__module__", "__qualname__", "__slots__", "_abc_impl"}
    state = {
        name: value
        for name, value in attributes.items()
        if name not in dropped and type(value) not in (types.MemberDescriptorType, types.GetSetDescriptorType)
    }
    if "_abc_impl" in attributes:
        registry = [reference() for reference in _abc._get_dump(cls)[0]]
        if registry:
            state[ABC_REGISTRY] = [virtual for virtual in registry if virtual is not None]
    return body, state


def _is_written_by_user(value: Any) -> bool:
    function = getattr(value, "__func__", value)
    return isinstance(function, types.FunctionType) and function.__module__ != "enum"


class _ProbeEnum(enum.Enum):
    """What any Enum class holds, whatever the Python version calls it."""

    MEMBER = 1


#: What each member has from its class.
MEMBER_MACHINERY = frozenset(_ProbeEnum.MEMBER.__dict__)
_ENUM_MACHINERY = frozenset(_ProbeEnum.__dict__) | {"__doc__"} | frozenset(enum.Flag.__dict__)
_ENUM_OVERRIDES = frozenset(
    {"__repr__", "__str__", "__format__", "__reduce_ex__", "_generate_next_value_", "_missing_", "__or__", "__and__"}
)
_DATACLASS_SENTINELS = ("MISSING", "KW_ONLY", "_FIELD", "_FIELD_CLASSVAR", "_FIELD_INITVAR", "_HAS_DEFAULT_FACTORY")

_RULES: dict[type, Callable[[Reducers, Any], Any]] = {
    Anew: Reducers._anew,
    ModuleReference: lambda _, value: (_attribute(value.module), (value.module, value.name)),
    types.FunctionType: Reducers._function,
    FunctionGlobals: Reducers._globals,
    types.CellType: Reducers._cell,
    types.CodeType: Reducers._code,
    types.ModuleType: Reducers._module,
    types.MappingProxyType: Reducers._mapping_proxy,
    property: Reducers._property,
    staticmethod: Reducers._wrapped,
    classmethod: Reducers._wrapped,
    super: Reducers._super,
    types.GeneratorType: Reducers._generator,
    types.CoroutineType: Reducers._generator,
    types.AsyncGeneratorType: Reducers._generator,
    unbegun.Lock: Reducers._lock,
    unbegun.RLock: Reducers._lock,
    re.Match: Reducers._match,
    threading.Thread: Reducers._thread,
    types.MethodType: Reducers._method,
    contextvars.ContextVar: Reducers._context_variable,
    _struct.Struct: lambda _, value: (_struct.Struct, (value.format,)),
    type(functools.cmp_to_key(lambda a, b: 0)): Reducers._key_wrapper,
    **dict.fromkeys(opened_files.KINDS, Reducers._file),
    _queue.SimpleQueue: Reducers._simple_queue,
    weakref.ref: Reducers._weak_reference,
    **dict.fromkeys(WEAK, Reducers._weak),
    functools.cached_property: Reducers._cached_property,
    type(functools.lru_cache(lambda: None)): Reducers._lru_cache,
    typing.TypeVar: Reducers._type_variable,
    typing.ParamSpec: Reducers._type_variable,
    typing.TypeVarTuple: Reducers._type_variable,
    typing.NewType: Reducers._type_variable,
    type(dataclasses.MISSING): Reducers._dataclass_sentinel,
}
for _name in _DATACLASS_SENTINELS:
    if hasattr(dataclasses, _name):
        _RULES[type(getattr(dataclasses, _name))] = Reducers._dataclass_sentinel
if hasattr(typing, "TypeAliasType"):
    _RULES[typing.TypeAliasType] = Reducers._type_alias
