"""One electron of Covalent's, as it runs in Lambda: Covalent is not imported, so that the function needs none.

Covalent pickles callables and values with cloudpickle on the user's machine. Those bytes are sent as they are: neither
Covalent's server nor lambdamagic's client unpickles them.
"""

from __future__ import annotations

import io
import pickle
import platform
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lambdamagic.errors import VersionMismatchError
from lambdamagic.worker.recorder import CapturedStreams, Outputs

#: The keyword under which an electron receives the paths of its files; always a list.
FILES = "files"

_SHOWN_MAX_CHARS = 100_000  # of a value's str(), which Covalent shows next to the value
_PRINTED_MAX_CHARS = 10_000_000


@dataclass(frozen=True)
class Step:
    """What happens before or after an electron.

    Attributes:
        kind: `call` of a pickled callable, `shell` commands, or a file's `write` from `content`, `read` for the answer,
            or `copy`.
        function: The pickled callable.
        args: Its pickled list of arguments.
        kwargs: Its pickled dictionary of keyword arguments.
        keyword: Under which the electron receives what it returns; empty for none.
        commands: The shell commands.
        source: The file that is read or copied.
        path: The file that is written.
        content: What is written.
    """

    kind: Literal["call", "shell", "write", "read", "copy"]
    function: bytes = b""
    args: bytes = b""
    kwargs: bytes = b""
    keyword: str = ""
    commands: tuple[str, ...] = ()
    source: str = ""
    path: str = ""
    content: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class SentElectron:
    """An electron with its arguments, pickled by Covalent's client.

    Attributes:
        python: The version of Python that pickled it.
        function: The callable.
        args: Its arguments, each by itself.
        kwargs: Its keyword arguments, likewise.
        before: What happens before it, in order.
        after: What happens after it.
    """

    python: str
    function: bytes = field(repr=False)
    args: tuple[bytes, ...] = field(default=(), repr=False)
    kwargs: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    before: tuple[Step, ...] = ()
    after: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Returned:
    """What an electron has returned and printed.

    Attributes:
        pickled: The value.
        shown: Its `str()`, cut where it is long.
        header: What Covalent keeps next to a value.
        files: Files that are to be written where Covalent runs, by their paths there.
    """

    pickled: bytes = field(repr=False)
    shown: str
    header: dict[str, Any]
    stdout: str = ""
    stderr: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)


class ElectronFailedError(Exception):
    """What an electron raised, as text, with what it had printed; see `_failure` for its subclasses.

    Args:
        message: The exception's.
        traceback_text: Its traceback, from the user's first line on.
        stdout: What was printed.
        stderr: Likewise.
    """

    def __init__(self, message: str, traceback_text: str, stdout: str, stderr: str) -> None:
        super().__init__(message, traceback_text, stdout, stderr)
        self.message, self.traceback_text, self.stdout, self.stderr = message, traceback_text, stdout, stderr

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[type[ElectronFailedError], tuple[Any, ...]]:
        return ElectronFailedError, self.args


class ElectronCall:
    """The callable of an electron's job; the job is shown under its name.

    Args:
        name: The electron's name.
        dispatch_id: Covalent's id of the dispatch; empty outside of one.
        node_id: The electron's number in it.
    """

    def __init__(self, name: str, dispatch_id: str, node_id: int) -> None:
        self._place = f"dispatch={dispatch_id} node={node_id}" if dispatch_id else "no dispatch"
        self.__qualname__ = f"{name} (covalent {dispatch_id}:{node_id})" if dispatch_id else name

    def __call__(self, sent: SentElectron) -> Returned:
        """Run it.

        Raises:
            ElectronFailedError: Its code raised.
        """
        # Before its own streams are recorded: this line is for the function's log.
        print(f"COVALENT {self._place}", flush=True)  # noqa: T201  # stdout is the log
        here = platform.python_version_tuple()[:2]
        if tuple(sent.python.split(".")[:2]) != here:
            raise VersionMismatchError(
                f"the electron was pickled by Python {sent.python}, the function runs Python {'.'.join(here)}",
                hint="Deploy a function for that Python, or run Covalent's client under the function's",
            )
        printed = Outputs(_PRINTED_MAX_CHARS)
        try:
            with CapturedStreams(printed):
                value, files = _run(sent)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever the electron raised is its outcome
            raise _failure(error, printed) from None
        return _returned(value, printed, files)


def _run(sent: SentElectron) -> tuple[Any, dict[str, bytes]]:
    kept: dict[str, list[Any]] = {}
    for keyword, value in _steps(sent.before, {}):
        kept.setdefault(keyword, []).append(value)
    fn = _read(sent.function)
    args = [_read(each) for each in sent.args]
    kwargs = {name: _read(each) for name, each in sent.kwargs.items()}
    # As Covalent has it: one value stands for itself, several for a list, and files for a list in any case.
    kwargs |= {name: values if name == FILES or len(values) > 1 else values[0] for name, values in kept.items()}
    value = fn(*args, **kwargs)
    if hasattr(value, "__await__"):
        import asyncio

        value = asyncio.run(_awaited(value))
    files: dict[str, bytes] = {}
    for _ in _steps(sent.after, files):
        pass
    return value, files


async def _awaited(value: Any) -> Any:
    return await value


def _steps(steps: Sequence[Step], files: dict[str, bytes]) -> Iterator[tuple[str, Any]]:
    """Do the steps in order and yield what is to be handed to the electron."""
    for step in steps:
        if step.kind == "call":
            value = _read(step.function)(*_read(step.args), **_read(step.kwargs))
            if step.keyword:
                yield step.keyword, value
        elif step.kind == "shell":
            for command in step.commands:
                _shell(command)
        elif step.kind == "read":
            files[step.path] = Path(step.source).read_bytes()
        else:
            content = step.content if step.kind == "write" else Path(step.source).read_bytes()
            Path(step.path).parent.mkdir(parents=True, exist_ok=True)
            Path(step.path).write_bytes(content)


def _shell(command: str) -> None:
    done = subprocess.run(  # noqa: S602  # the user's own command, which is meant for a shell
        command, shell=True, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd="/tmp"
    )
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)


class _CalledHere:
    """Stands for another electron that an electron calls: outside of a lattice that is a call of its function."""

    function: Any

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("covalent._workflow.electron", "Electron"):
            return _CalledHere
        try:
            return super().find_class(module, name)
        except ModuleNotFoundError as error:
            missing = error.name or module
            error.add_note(
                f"The function lacks the module {missing!r}. Add its package (`lambdamagic deploy --add ...`), "
                "or let Covalent send your own module along: @ct.electron(deps_module=...)."
            )
            raise


def _read(pickled: bytes) -> Any:
    return _Reader(io.BytesIO(pickled)).load()


def _text(printed: Outputs, stream: str) -> str:
    return "".join(entry["text"] for entry in printed.finished() if entry.get("stream") == stream)


def _returned(value: Any, printed: Outputs, files: Mapping[str, bytes]) -> Returned:
    import cloudpickle

    try:
        pickled = cloudpickle.dumps(value)
        shown = str(value)
    except Exception as error:  # noqa: BLE001  # pickling and `__str__` run the user's code
        raise _failure(error, printed) from None
    if len(shown) > _SHOWN_MAX_CHARS:
        shown = f"{shown[:_SHOWN_MAX_CHARS]}... ({len(shown):,} characters)"
    header = {
        "py_version": platform.python_version(),
        "cloudpickle_version": cloudpickle.__version__,
        "attrs": {"doc": _string(value, "__doc__"), "name": _string(value, "__name__")},
    }
    return Returned(pickled, shown, header, _text(printed, "stdout"), _text(printed, "stderr"), dict(files))


def _string(value: Any, name: str) -> str:
    found = getattr(value, name, "")
    return found if isinstance(found, str) else ""


def _failure(error: BaseException, printed: Outputs) -> ElectronFailedError:
    """Return what is raised for an exception: no object of the user's, but under the names of its types.

    The setting `retry_on` goes by these names, and so does what a job shows of its failure.
    """
    while error.__traceback__ is not None and error.__traceback__.tb_frame.f_code.co_filename == __file__:
        error.__traceback__ = error.__traceback__.tb_next
    kind: type[ElectronFailedError] = ElectronFailedError
    for each in reversed(type(error).__mro__[:-1]):
        kind = type(each.__name__, (kind,), {"__module__": each.__module__, "__qualname__": each.__qualname__})
    text = "".join(traceback.format_exception(error))
    return kind(_message(error), text, _text(printed, "stdout"), _text(printed, "stderr"))


def _message(error: BaseException) -> str:
    from lambdamagic.codec.failures import safe_str

    return safe_str(error)
