"""IPython's shell for code in the function, for libraries that look for one.

IPython is the function's own, if it has one, and is only prepared when something imports it. The shell is made past its
constructor, which would open a history and a terminal: it knows how objects look, publishes displays into the cell's
record, and hands commands and magics to `shell`.
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from lambdamagic.worker.recorder import Outputs
from lambdamagic.worker.shell import KERNELS_MODULE

_MODULE = "IPython.core.interactiveshell"


class _Loader:
    """Loads a module as its own loader does, and then says of it."""

    def __init__(self, loader: Any, loaded: Callable[[], None]) -> None:
        self._loader, self._loaded = loader, loaded

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._loaded()


class _Finder:
    def __init__(self) -> None:
        self.loaded: Callable[[], None] = lambda: None

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _MODULE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None:
            loader: Any = _Loader(spec.loader, lambda: self.loaded())
            spec.loader = loader
        return spec


_finder: Any = _Finder()  # not importlib.abc's: that loads much for two methods


class IPythonSupport:
    """Gives IPython a shell for the time of one run.

    Args:
        light: The shell that runs commands and magics.
        outputs: Where displays go.
        figure_as: Draws a figure in the format of a MIME type; None for one in which none is shown.
    """

    def __init__(self, light: Any, outputs: Outputs, figure_as: Callable[[str, Any], Any]) -> None:
        self._light, self._outputs, self._figure_as = light, outputs, figure_as
        self._shell: Any = None

    def __enter__(self) -> None:
        _finder.loaded = self._install
        if _finder not in sys.meta_path:
            sys.meta_path.insert(0, _finder)
        if _MODULE in sys.modules:
            self._install()

    def __exit__(self, *_: object) -> None:
        _finder.loaded = lambda: None
        module = sys.modules.get(_MODULE)
        if module is not None and self._shell is not None:
            for cls in module.InteractiveShell._walk_mro():
                cls._instance = None

    @property
    def shell(self) -> Any:
        """What `get_ipython()` returns."""
        if self._shell is not None:
            return self._shell
        if _has_ipython():
            self._light.be_named_as_in_a_kernel()
        return self._light

    def _install(self) -> None:
        self._shell = _made(self._light, self._outputs, self._figure_as)


@functools.cache
def _has_ipython() -> bool:
    return importlib.util.find_spec("IPython") is not None


def _made(light: Any, outputs: Outputs, figure_as: Callable[[str, Any], Any]) -> Any:
    module = sys.modules[_MODULE]
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.events import EventManager, available_events
    from IPython.core.formatters import DisplayFormatter

    class Publisher(DisplayPublisher):  # type: ignore[misc]  # IPython is not checked against
        def publish(
            self, data: Any, metadata: Any = None, *, transient: Any = None, update: bool = False, **_: Any
        ) -> None:
            outputs.display(data, metadata or {}, transient=transient, update=update)

        def clear_output(self, wait: bool = False) -> None:
            outputs.clear(wait=wait)

    class ZMQInteractiveShell(module.InteractiveShell):  # type: ignore[misc,name-defined]  # libraries ask for the name
        def __init__(self) -> None:
            """Make nothing: see the module."""

        def system(self, command: str) -> None:
            light.system(command)

        def getoutput(self, command: str, split: bool = True, depth: int = 0) -> Any:
            lines = light.getoutput(command)
            return lines if split else "\n".join(lines)

        def run_line_magic(self, name: str, line: str, _stack_depth: int = 1) -> Any:
            return light.run_line_magic(name, line)

        def run_cell_magic(self, name: str, line: str, cell: str) -> Any:
            return light.run_cell_magic(name, line, cell)

        def push(self, variables: Any, interactive: bool = True) -> None:
            light.push(variables)

        def run_cell(self, raw_cell: str, *args: Any, **kwargs: Any) -> Any:
            return light.run_cell(raw_cell)

        def ev(self, expr: str) -> Any:
            return light.ev(expr)

        def ex(self, cmd: str) -> None:
            light.ex(cmd)

        def enable_gui(self, gui: Any = None) -> None:
            """Do nothing: there are no windows."""

        enable_matplotlib = enable_pylab = enable_gui

        def showtraceback(self, *args: Any, **kwargs: Any) -> None:
            light.showtraceback()

    ZMQInteractiveShell.__module__ = KERNELS_MODULE
    shell = ZMQInteractiveShell.__new__(ZMQInteractiveShell)
    shell.display_formatter = DisplayFormatter()
    shell.display_formatter.active_types = shell.display_formatter.format_types
    for mime in ("image/png", "image/jpeg", "image/svg+xml", "application/pdf"):
        draw = functools.partial(figure_as, mime)
        shell.display_formatter.formatters[mime].for_type_by_name("matplotlib.figure", "Figure", draw)
    shell.display_pub = Publisher()
    shell.events = EventManager(shell, available_events)
    shell.user_module, shell.user_ns = light.user_module, light.user_ns
    shell.compile = light.compile
    for cls in ZMQInteractiveShell._walk_mro():
        cls._instance = shell
    return shell
