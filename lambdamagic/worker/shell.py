"""What `get_ipython()` is in Lambda: shell commands and a few magics, without IPython.

What they need is imported when they are used: every import here is paid for at each cold start.
"""

from __future__ import annotations

import contextlib
import os
import re
import string
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from lambdamagic.codec import rebuild

#: The magics that work inside a cell. `capture` refuses all others before anything is sent.
LINE_MAGICS = ("cd", "env", "matplotlib", "pip", "pwd", "time", "timeit")
CELL_MAGICS = ("bash", "sh", "time", "timeit", "writefile")
#: Where a kernel's shell is defined.
KERNELS_MODULE = "ipykernel.zmqshell"


def _caller() -> FrameType:
    """Return the frame of the user's code that called a shell's method, by way of IPython's shell or not."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__") in (__name__, "lambdamagic.worker.ipython"):
        frame = frame.f_back
    return frame


class RemoteShell:
    """The part of IPython's shell that transformed cells call.

    Args:
        module: The job's `__main__`: its names are those of `{name}` and `$name` in commands.
        run_code: Runs source in that namespace as a cell does and returns the last expression's value.
    """

    def __init__(self, module: ModuleType, run_code: Callable[[str], Any]) -> None:
        self.user_module, self.user_ns = module, module.__dict__
        self.user_global_ns = self.user_ns
        self.config: dict[str, Any] = {}
        self._run_code = run_code
        self._place_before = os.getcwd()  # noqa: PTH109  # for each cell

    def __reduce__(self) -> Any:
        return rebuild.shell, ()

    def __getattr__(self, name: str) -> Any:
        """Return what only IPython's own shell has: it is there when IPython is imported."""
        if not name.startswith("_"):
            import builtins
            import importlib

            with contextlib.suppress(ImportError):
                importlib.import_module("IPython.core.interactiveshell")
            shell = builtins.get_ipython()  # type: ignore[attr-defined]  # there while a cell runs
            if shell is not self:
                return getattr(shell, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    @property
    def compile(self) -> Any:
        """Return what compiles source as the shell does."""
        from lambdamagic.worker.shell_values import Compiler

        return Compiler()

    def be_named_as_in_a_kernel(self) -> None:
        """Let libraries that ask for the name of its class display what they show; they need IPython for that."""
        self.__class__ = ZMQInteractiveShell

    def push(self, variables: Any, interactive: bool = True) -> None:
        """Bind names: those of a dictionary, or those named that the caller has."""
        if not isinstance(variables, dict):
            names = variables.split() if isinstance(variables, str) else variables
            caller = _caller()
            variables = {name: eval(name, caller.f_globals, caller.f_locals) for name in names}  # noqa: S307  # names
        self.user_ns.update(variables)

    def ev(self, expr: str) -> Any:
        """Evaluate an expression."""
        return eval(expr, self.user_ns)  # noqa: S307  # the user's own

    def ex(self, cmd: str) -> None:
        """Run statements."""
        exec(cmd, self.user_ns)

    def run_cell(self, raw_cell: str, *args: Any, **kwargs: Any) -> Any:
        """Run source as a cell."""
        return self._run_code(raw_cell)

    def showtraceback(self, *args: Any, **kwargs: Any) -> None:
        """Print the exception that is being handled."""
        import traceback

        traceback.print_exc()

    def system(self, command: str) -> None:
        """Run a shell command; its output goes to the cell, its exit code to `_exit_code`."""
        import subprocess

        from lambdamagic.worker import terminal

        with terminal.opened() as (source, sink):
            process = subprocess.Popen(  # noqa: S602  # a shell is what the user asked for
                self._expand(command, _caller()),
                shell=True,
                stdout=sink,
                stderr=sink,
                stdin=subprocess.DEVNULL,
            )
            for text in terminal.texts(source, sink):
                sys.stdout.write(text)
        code = process.wait()
        self.user_ns["_exit_code"] = code if code <= 128 else 128 - code  # of a signal, as in IPython

    def getoutput(self, command: str) -> list[str]:
        """Run a shell command and return its output's lines."""
        import subprocess

        done = subprocess.run(  # noqa: S602  # as above
            self._expand(command, _caller()),
            shell=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        self.user_ns["_exit_code"] = done.returncode
        from lambdamagic.worker.shell_values import SList

        return SList(done.stdout.decode("utf-8", "replace").splitlines())

    def run_line_magic(self, name: str, line: str, _stack_depth: int = 1) -> Any:
        """Run one of `LINE_MAGICS`."""
        method = getattr(self, f"_line_{name}", None)
        if method is None:
            raise NotImplementedError(f"%{name} does not work on Lambda; these do: {', '.join(LINE_MAGICS)}")
        return method(line if name in ("time", "timeit") else self._expand(line, _caller()))

    def run_cell_magic(self, name: str, line: str, cell: str) -> Any:
        """Run one of `CELL_MAGICS`."""
        method = getattr(self, f"_cell_{name}", None)
        if method is None:
            raise NotImplementedError(f"%%{name} does not work on Lambda; these do: {', '.join(CELL_MAGICS)}")
        return method(self._expand(line, _caller()), cell)

    def _expand(self, text: str, caller: FrameType) -> str:
        """Fill in `{expression}` and `$name` as IPython does; text that does not resolve stays as it is.

        Args:
            text: The command.
            caller: The frame whose local names come before the namespace's.
        """
        names = {**self.user_ns, **caller.f_locals}
        try:
            text = _Expressions().vformat(text, (), names)
        except Exception:  # noqa: BLE001, S110  # awk '{print $1}' is no expression: IPython leaves it alone too
            pass

        def variable(match: re.Match[str]) -> str:
            escaped, name = match.groups()
            if escaped:
                return f"${name}"
            return str(names[name]) if name in names else match.group(0)

        return re.sub(r"\$(\$?)([A-Za-z_]\w*)", variable, text)

    def _line_pwd(self, line: str) -> str:
        return str(Path.cwd())

    def _line_cd(self, line: str) -> None:
        is_quiet = bool(re.match(r"-q(\s|$)", line.strip()))
        name, before = line.strip().removeprefix("-q" if is_quiet else "").strip(), os.getcwd()  # noqa: PTH109
        if len(name) > 1 and name[0] == name[-1] and name[0] in "'\"":
            name = name[1:-1]
        try:
            os.chdir(self._place_before if name == "-" else Path(name or "~").expanduser())
        except OSError as error:
            print(error)  # noqa: T201  # as %cd does, which raises nothing
        else:
            self._place_before = before
        if not is_quiet:
            print(Path.cwd())  # noqa: T201  # as above

    def _line_env(self, line: str) -> Any:
        if not line.strip():
            return dict(os.environ)
        name, _, value = line.strip().partition("=" if "=" in line else " ")
        if not value:
            return os.environ[name]
        os.environ[name] = value
        print(f"env: {name}={value}")  # noqa: T201  # as %env does
        return None

    def _line_matplotlib(self, line: str) -> None:
        """Figures are shown in the cell anyway."""

    def _line_pip(self, line: str) -> None:
        import shlex

        self.system(f"{shlex.quote(sys.executable)} -m pip {line}")

    def _line_time(self, line: str) -> Any:
        return self._timed(line)

    def _cell_time(self, line: str, cell: str) -> Any:
        return self._timed(f"{line}\n{cell}" if line.strip() else cell)

    def _timed(self, source: str) -> Any:
        wall, cpu = time.perf_counter(), os.times()
        try:
            return self._run_code(source)
        finally:
            now = os.times()
            print(  # noqa: T201  # as %time does
                f"CPU times: user {_span(now.user - cpu.user)}, sys: {_span(now.system - cpu.system)}, "
                f"total: {_span(now.user - cpu.user + now.system - cpu.system)}\n"
                f"Wall time: {_span(time.perf_counter() - wall)}"
            )

    def _line_timeit(self, line: str) -> Any:
        options, statement = _timeit_options(line)
        return self._timeit(statement, "pass", options)

    def _cell_timeit(self, line: str, cell: str) -> Any:
        options, setup = _timeit_options(line)
        return self._timeit(cell, setup or "pass", options)

    def _timeit(self, statement: str, setup: str, options: dict[str, int]) -> Any:
        import timeit

        from lambdamagic.worker.shell_values import TimeitResult

        timer = timeit.Timer(statement, setup, globals=self.user_ns)
        loops = options.get("n") or timer.autorange()[0]
        repeats = options.get("r", 7)
        runs = [taken / loops for taken in timer.repeat(repeats, loops)]
        mean = sum(runs) / len(runs)
        deviation = (sum((taken - mean) ** 2 for taken in runs) / len(runs)) ** 0.5
        text = (
            f"{_span(mean)} \N{PLUS-MINUS SIGN} {_span(deviation)} per loop "
            f"(mean \N{PLUS-MINUS SIGN} std. dev. of {repeats} run{'s' if repeats != 1 else ''}, {loops:,} "
            f"loop{'s' if loops != 1 else ''} each)"
        )
        if "q" not in options:
            print(text)  # noqa: T201  # as %timeit does
        return TimeitResult(text, loops, repeats, runs) if "o" in options else None

    def _cell_bash(self, line: str, cell: str) -> None:
        self._script("bash", line, cell)

    def _cell_sh(self, line: str, cell: str) -> None:
        self._script("sh", line, cell)

    def _script(self, program: str, line: str, cell: str) -> None:
        import argparse
        import shlex
        import subprocess

        parser = argparse.ArgumentParser(f"%%{program}", add_help=False, allow_abbrev=False)
        for name in ("--out", "--err"):
            parser.add_argument(name)
        parser.add_argument("--no-raise-error", action="store_true")
        options, rest = parser.parse_known_args(shlex.split(line))
        done = subprocess.run([program, *rest], input=cell.encode(), capture_output=True, check=False)
        for name, stream, output in ((options.out, sys.stdout, done.stdout), (options.err, sys.stderr, done.stderr)):
            text = output.decode("utf-8", "replace")
            if name:
                self.user_ns[name] = text
            else:
                stream.write(text)
        if done.returncode and not options.no_raise_error:
            raise subprocess.CalledProcessError(done.returncode, cell.encode(), done.stdout, done.stderr)

    def _cell_writefile(self, line: str, cell: str) -> None:
        append, name = (True, line.removeprefix("-a").strip()) if line.startswith("-a ") else (False, line.strip())
        path = Path(name).expanduser()
        with path.open("a" if append else "w", encoding="utf-8") as file:
            file.write(cell)
        print(f"{'Appending to' if append else 'Writing'} {name}")  # noqa: T201  # as %%writefile does


def _timeit_options(line: str) -> tuple[dict[str, int], str]:
    """Part the options of %timeit, of which -n, -r, -o and -q mean something here, from the statement."""
    options: dict[str, int] = {}
    while match := re.match(r"\s*-(?:([nrp])\s*(\d+)|([tcqov]+))(?=\s|$)", line):
        if match[1]:
            options[match[1]] = int(match[2])
        options |= dict.fromkeys(match[3] or "", 1)
        line = line[match.end() :]
    return options, line.strip()


class _Expressions(string.Formatter):
    """`{expression}` with any Python expression in it."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        return eval(field_name, dict(kwargs)), field_name  # noqa: S307  # the user's own expression


def _span(seconds: float) -> str:
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


class ZMQInteractiveShell(RemoteShell):
    """The same, by the name of a kernel's shell: rich, plotly and others look no further."""

    __module__ = KERNELS_MODULE
