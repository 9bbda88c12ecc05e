"""Process-wide settings on which cells rely: they are sent with a cell and come back from it.

Random number streams continue from the kernel's; filters of warnings, the decimal context, and options of NumPy,
pandas and matplotlib are sent as far as they differ from their defaults. Only modules that are loaded are asked.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from lambdamagic.codec import figure_settings, logging_settings
from lambdamagic.codec.reduce_library import dialect_options


class _Kind(NamedTuple):
    """One kind of settings.

    Attributes:
        name: What it is called in a payload.
        module: Who has it.
        take: Returns what is set, as data that compare by value; something false for nothing.
        give: Sets it.
        users: Top-level modules whose use makes it matter; None for always.
    """

    name: str
    module: str
    take: Callable[[Any], Any]
    give: Callable[[Any, Any], None]
    users: frozenset[str] | None = None


def _numpy_state(numpy: Any) -> Any:
    kind, keys, position, has_gauss, gauss = numpy.random.get_state()
    return (kind, keys.tobytes(), position, has_gauss, gauss) if kind == "MT19937" else None


def _set_numpy_state(numpy: Any, state: Any) -> None:
    kind, keys, *rest = state
    numpy.random.set_state((kind, numpy.frombuffer(keys, "uint32"), *rest))


def _print_options(numpy: Any) -> dict[str, Any]:
    options = {key: value for key, value in numpy.get_printoptions().items() if key != "override_repr"}
    return {key: value for key, value in options.items() if _PRINT_DEFAULTS.get(key) != value}


_PRINT_DEFAULTS: dict[str, Any] = {
    "edgeitems": 3, "threshold": 1000, "floatmode": "maxprec", "precision": 8, "suppress": False, "linewidth": 75,
    "nanstr": "nan", "infstr": "inf", "sign": "-", "formatter": None, "legacy": False,
}  # fmt: skip
_ERROR_DEFAULTS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}


def _errors(numpy: Any) -> dict[str, str]:
    found: dict[str, str] = numpy.geterr()
    return {} if found == _ERROR_DEFAULTS else found


def _decimal(decimal: Any) -> Any:
    context = decimal.getcontext()
    traps = sorted(signal.__name__ for signal, is_on in context.traps.items() if is_on)
    found = (context.prec, context.rounding, context.Emin, context.Emax, context.capitals, context.clamp, traps)
    return () if found == _DECIMAL_DEFAULT else found


_DECIMAL_DEFAULT = (
    *(28, "ROUND_HALF_EVEN", -999999, 999999, 1, 0),
    ["DivisionByZero", "InvalidOperation", "Overflow"],
)


def _set_decimal(decimal: Any, found: Any) -> None:
    context = decimal.getcontext()
    *values, traps = found or _DECIMAL_DEFAULT
    for name, value in zip(("prec", "rounding", "Emin", "Emax", "capitals", "clamp"), values, strict=True):
        setattr(context, name, value)
    for signal in context.traps:
        context.traps[signal] = signal.__name__ in traps


def _pandas(pandas: Any) -> dict[str, Any]:
    registered = pandas._config.config._registered_options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of options that will be gone one day
        found = {key: pandas.get_option(key) for key in registered if not key.startswith(("mode.", "future."))}
    set_here = {key: value for key, value in found.items() if value != registered[key].defval}
    return {key: value for key, value in set_here.items() if _is_plain(value) or callable(value)}


def _set_pandas(pandas: Any, found: Mapping[str, Any]) -> None:
    for key in {*_pandas(pandas), *found}:
        if key in found:
            pandas.set_option(key, found[key])
        else:
            pandas.reset_option(key)


def _parameters(matplotlib: Any) -> dict[str, Any]:
    default = matplotlib.rcParamsDefault
    items = dict.items(matplotlib.rcParams)
    return {key: value for key, value in items if key not in _OF_THE_PLACE and dict.get(default, key) != value}


_OF_THE_PLACE = frozenset(
    {"backend", "interactive", "backend_fallback", "datapath", "webagg.port", "savefig.directory"}
)


def _set_parameters(matplotlib: Any, found: Mapping[str, Any]) -> None:
    default = matplotlib.rcParamsDefault
    for key in set(_parameters(matplotlib)) - set(found):
        matplotlib.rcParams[key] = dict.get(default, key)
    for key, value in found.items():
        matplotlib.rcParams[key] = value


def _is_plain(value: Any) -> bool:
    return isinstance(value, int | float | str | bool | type(None))


def _filters(module: Any) -> list[Any]:
    """Return the filters that the user's code has added before the initial ones."""
    found: list[Any] = module.filters
    if found == _at_first:
        return []
    count, left = len(found), _at_first
    while count and left:
        if found[count - 1] in left:
            left = left[: len(left) - 1 - left[::-1].index(found[count - 1])]
        elif len(left) < len(_at_first):
            break
        count -= 1  # what was appended counts after all others, and stays
    if not any(each in _at_first for each in found):
        count = len(found)
    # Those of a library's own warnings are the library's, which makes them again where it is imported.
    return [each for each in found[:count] if each[2].__module__ == "builtins"]


#: Of the process; IPython and we add to those of Python before a cell runs.
_at_first: list[Any] = []


def note_first_filters() -> None:
    """Regard the current filters of warnings as the initial ones."""
    _at_first[:] = warnings.filters


def _set_filters(module: Any, found: list[Any]) -> None:
    module.filters[:] = [*found, *_at_first]
    module._filters_mutated() if hasattr(module, "_filters_mutated") else module._filters_mutated_lock_held()


def _set_random(module: Any, state: Any) -> None:
    module.setstate(state)


#: Python's default. A kernel needs more stack for its own work than a cell's code may leave it.
_LEAST_RECURSION_LIMIT = 1000


def _set_recursion_limit(module: Any, limit: int) -> None:
    if limit >= _LEAST_RECURSION_LIMIT:
        module.setrecursionlimit(limit)


_CATEGORIES = ("LC_COLLATE", "LC_MONETARY", "LC_NUMERIC", "LC_TIME")


def _locale(locale: Any) -> dict[str, str]:
    found = {name: locale.setlocale(getattr(locale, name)) for name in _CATEGORIES}
    return {name: value for name, value in found.items() if value != "C"}


def _set_locale(locale: Any, found: Mapping[str, str]) -> None:
    for name in _CATEGORIES:
        locale.setlocale(getattr(locale, name), found.get(name, "C"))


#: Environment variables that cells have set on Lambda: later cells have them too. Others of this side stay here.
_of_cells: set[str] = set()
_OF_LAMBDA = ("AWS_", "_AWS", "LAMBDA_", "_LAMBDA", "_X_AMZN", "_HANDLER")


def environment_changes(before: Mapping[str, str], of_cells: Collection[str]) -> dict[str, str | None]:
    """Return the environment variables that a cell has added, or changed if cells have set them; None for what is gone.

    Others that are changed, such as PATH, mean the place where the cell ran.
    """
    now = os.environ
    names = {*(set(now) - set(before)), *(name for name in of_cells if before.get(name) != now.get(name))}
    return {name: now.get(name) for name in sorted(names) if not name.startswith(_OF_LAMBDA)}


def _environment(module: Any) -> dict[str, str | None]:
    return {name: module.environ.get(name) for name in sorted(_of_cells)}


def _sklearn(module: Any) -> dict[str, Any]:
    defaults = sys.modules["sklearn._config"]._global_config
    return {name: value for name, value in module.get_config().items() if defaults.get(name, value) != value}


def _set_sklearn(module: Any, found: Mapping[str, Any]) -> None:
    module.set_config(**{**sys.modules["sklearn._config"]._global_config, **found})


def _dialects(module: Any) -> dict[str, dict[str, Any]]:
    names = [name for name in module.list_dialects() if name not in ("excel", "excel-tab", "unix")]
    return {name: dialect_options(module.get_dialect(name)) for name in sorted(names)}


def _set_dialects(module: Any, found: Mapping[str, dict[str, Any]]) -> None:
    for name in set(_dialects(module)) - set(found):
        module.unregister_dialect(name)
    for name, options in found.items():
        module.register_dialect(name, **options)


def _set_environment(module: Any, found: Mapping[str, str | None]) -> None:
    for name, value in found.items():
        if value is None:
            module.environ.pop(name, None)
        else:
            module.environ[name] = value


#: Entries of `sys.path` that cells have added on Lambda, and whether in front: later cells have them too.
_paths: dict[str, bool] = {}


def path_changes(before: Sequence[str]) -> list[tuple[str, bool]]:
    """Return the entries of `sys.path` that are new, and whether they come before the others."""
    known = set(before)
    first_known = next((at for at, entry in enumerate(sys.path) if entry in known), 0)
    return [(entry, at < first_known) for at, entry in enumerate(sys.path) if entry not in known]


def _set_path(module: Any, found: Sequence[tuple[str, bool]]) -> None:
    for entry, is_in_front in found:
        if entry not in module.path:
            module.path.insert(0 if is_in_front else len(module.path), entry)


_NUMERIC = frozenset({"numpy", "scipy", "pandas", "sklearn", "statsmodels", "seaborn", "xgboost", "lightgbm"})
#: Who draws with matplotlib: `df.plot()` names pandas only.
_DRAWING = frozenset({"matplotlib", "seaborn", "pylab", "pandas", "xarray", "networkx", "sklearn", "statsmodels"})
_KINDS = (
    _Kind("recursion", "sys", lambda module: module.getrecursionlimit(), _set_recursion_limit),
    _Kind("warnings", "warnings", _filters, _set_filters),
    _Kind("environment", "os", _environment, _set_environment),
    _Kind("path", "sys", lambda module: [*_paths.items()], _set_path),
    _Kind("logging", "logging", logging_settings.take, logging_settings.give),
    _Kind("csv", "csv", _dialects, _set_dialects, frozenset({"csv"})),
    _Kind("locale", "locale", _locale, _set_locale, frozenset({"locale"})),
    _Kind("random", "random", lambda module: module.getstate(), _set_random, frozenset({"random", "networkx"})),
    _Kind("numpy.random", "numpy", _numpy_state, _set_numpy_state, _NUMERIC),
    _Kind(
        "numpy.errors", "numpy", _errors, lambda module, found: module.seterr(**(found or _ERROR_DEFAULTS)), _NUMERIC
    ),
    _Kind(
        "numpy.print", "numpy", _print_options,
        lambda module, found: module.set_printoptions(**{**_PRINT_DEFAULTS, **found}), _NUMERIC,
    ),
    _Kind("decimal", "decimal", _decimal, _set_decimal, frozenset({"decimal"})),
    _Kind("pandas", "pandas", _pandas, _set_pandas, frozenset({"pandas", "seaborn"})),
    _Kind("sklearn", "sklearn", _sklearn, _set_sklearn, frozenset({"sklearn"})),
    _Kind("matplotlib", "matplotlib", _parameters, _set_parameters, _DRAWING),
    _Kind("figures", "sys", figure_settings.take, lambda *_: None, _DRAWING),  # see `figure_settings.sent`
)  # fmt: skip


def taken(modules: Collection[str], *, with_defaults: bool = False) -> dict[str, Any]:
    """Return what is set in this process.

    Args:
        modules: Names of the modules that code uses.
        with_defaults: Whether kinds are listed of which nothing is set.
    """
    tops = {name.partition(".")[0] for name in modules}
    found = {}
    for kind in _KINDS:
        module = sys.modules.get(kind.module)
        if module is None or not (kind.users is None or kind.users & tops):
            continue
        try:
            state = kind.take(module)
        except Exception:  # noqa: BLE001, S112  # another release of a library: its settings stay where they are
            continue
        if state or with_defaults:
            found[kind.name] = state
    return found


def give(states: Mapping[str, Any], there: Mapping[str, Any] = MappingProxyType({})) -> None:
    """Set in this process what was taken in another; modules that are not loaded are imported.

    Args:
        states: What is to be set.
        there: What is known to be set already.
    """
    for kind in _KINDS:
        if kind.name in states:
            try:
                if kind.name in there and there[kind.name] == states[kind.name]:
                    continue
                module = sys.modules.get(kind.module) or importlib.import_module(kind.module)
                kind.give(module, states[kind.name])
            except Exception:  # noqa: BLE001, S112  # as above
                continue


def joined(own: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that hold for a cell: the notebook's, over those that this process has by itself."""
    if "logging" not in sent:
        return dict(sent)
    return {**sent, "logging": logging_settings.joined(own.get("logging", {}), sent["logging"])}


def brought_back(states: Mapping[str, Any]) -> None:
    """Set in the notebook's process what a cell has set in the function's."""
    _of_cells.update(states.get("environment", ()))
    _paths.update(states.get("path", ()))
    give({name: state for name, state in states.items() if name != "logging"})
    if "logging" in states:
        logging_settings.bring_back(importlib.import_module("logging"), states["logging"])


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is set now and was not, or was otherwise, when all was taken before.

    Variables and paths are left to `environment_changes` and `path_changes`, which know what cells have set.
    """
    return {
        name: state
        for name, state in now.items()
        if name not in ("environment", "path") and (before[name] != state if name in before else state)
    }


def those_that_can(states: dict[str, Any], can_travel: Callable[[Any], bool]) -> dict[str, Any]:
    """Return the settings without parts that cannot be sent."""
    if "logging" in states:
        states = {**states, "logging": logging_settings.those_that_can(states["logging"], can_travel)}
    if "pandas" in states:
        options = states["pandas"]  # a function that formats numbers
        states = {**states, "pandas": {k: v for k, v in options.items() if _is_plain(v) or can_travel(v)}}
    return states
