"""Take a remote exception apart, and rebuild it so that it looks local.

The exception keeps its own type and its chain of causes. Its traceback is carried as file names, lines and function
names; on the client real traceback objects are made from them, which the notebook shows with the cell's own lines,
since both sides know the cell under the same file name.
"""

from __future__ import annotations

import linecache
import os
import re
import traceback
import types
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Any, TypeVar

from lambdamagic.errors import ResultError

_Error = TypeVar("_Error", bound=BaseException)


class RemoteCodeError(ResultError):
    """The user's code raised an exception whose own type cannot be rebuilt here.

    Attributes:
        type_name: Name of the type that was raised, with its module.
        remote_traceback: The remote traceback, as text.
    """

    def __init__(self, message: str, *, type_name: str = "", remote_traceback: str = "") -> None:
        super().__init__(message)
        self.type_name = type_name
        self.remote_traceback = remote_traceback


class FrameRecord:
    """One line of a traceback.

    Attributes:
        first_lineno: Where the function begins, for viewers that show it from there; 0 where it is not known.
    """

    def __init__(self, filename: str, lineno: int, name: str, line: str = "", first_lineno: int = 0) -> None:
        self.filename = filename
        self.lineno = lineno
        self.name = name
        self.line = line
        self.first_lineno = first_lineno

    def renamed(self, aliases: dict[str, str]) -> FrameRecord:
        """Return the same with the file name that the user knows."""
        name = aliases.get(self.filename, self.filename)
        return FrameRecord(name, self.lineno, self.name, self.line, self.first_lineno)


class ErrorRecord:
    """One exception of a chain, outermost first.

    Attributes:
        type_name: Type with module, for when the exception itself cannot be sent.
        message: Its str().
        frames: Its traceback, from the user's first frame on.
        text: The whole chain's traceback as Python prints it; only on the first record.
        link: How the next record hangs on this one: `cause`, `context` or nothing.
        exception: The exception; None where it cannot be pickled.
        kinds: Its type and that type's parents, see `kinds_of`.
        inside: Of the members of a group, see `Inside`.
    """

    inside: tuple[Inside, ...] = ()  # an older function's record has none

    def __init__(
        self,
        type_name: str,
        message: str,
        frames: list[FrameRecord],
        *,
        text: str = "",
        link: str = "",
        suppress_context: bool = False,
        exception: BaseException | None = None,
        kinds: tuple[str, ...] = (),
        inside: tuple[Inside, ...] = (),
    ) -> None:
        self.type_name = type_name
        self.message = message
        self.frames = frames
        self.text = text
        self.link = link
        self.suppress_context = suppress_context
        self.exception = exception
        self.kinds = kinds
        self.inside = inside

    def rename(self, aliases: dict[str, str]) -> None:
        """Give the frames the file names that the user knows."""
        self.frames = _renamed(self.frames, aliases)
        self.inside = tuple(each.renamed(aliases) for each in self.inside)


class Inside:
    """The traceback of an exception in a group, and those of its members, its cause and its context."""

    def __init__(self, frames: list[FrameRecord], inside: tuple[Inside, ...]) -> None:
        self.frames = frames
        self.inside = inside

    def renamed(self, aliases: dict[str, str]) -> Inside:
        """Return the same with other file names."""
        return Inside(_renamed(self.frames, aliases), tuple(each.renamed(aliases) for each in self.inside))


def _renamed(frames: list[FrameRecord], aliases: dict[str, str]) -> list[FrameRecord]:
    return [frame.renamed(aliases) for frame in frames]


def _members(error: BaseException) -> tuple[BaseException, ...]:
    return error.exceptions if isinstance(error, BaseExceptionGroup) else ()


def _behind(error: BaseException) -> list[BaseException]:
    return [*_members(error), *(each for each in (error.__cause__, error.__context__) if each is not None)]


def _take_inside(errors: Iterable[BaseException], internal: tuple[str, ...], seen: set[int]) -> tuple[Inside, ...]:
    """Take the tracebacks of exceptions, which would keep all that the code had in hand."""
    found = []
    for error in errors:
        frames, error.__traceback__ = _frames(error.__traceback__, internal), None
        is_new = id(error) not in seen
        seen.add(id(error))
        found.append(Inside(frames, _take_inside(_behind(error), internal, seen) if is_new else ()))
    return tuple(found)


def _give_inside(errors: Iterable[BaseException], inside: Iterable[Inside]) -> None:
    for error, each in zip(errors, inside, strict=False):  # attributes that the user's class keeps back
        if each.frames:
            error.__traceback__ = traceback_of(each.frames)
        _give_inside(_behind(error), each.inside)


def describe(error: BaseException, *, internal: tuple[str, ...]) -> list[ErrorRecord]:
    """Take an exception and its causes apart.

    Args:
        error: The exception, with its traceback.
        internal: Prefixes of file names whose frames at the beginning of a traceback are ours, not the user's.
    """
    records: list[ErrorRecord] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        following, link = current.__cause__, "cause"
        if following is None and not current.__suppress_context__:
            following, link = current.__context__, "context"
        records.append(
            ErrorRecord(
                type_name=type_name(current),
                message=safe_str(current),
                frames=_frames(current.__traceback__, internal),
                link=link if following is not None else "",
                suppress_context=current.__suppress_context__,
                exception=current,
                kinds=kinds_of(type(current)),
                inside=_take_inside(_members(current), internal, {id(current)}),
            )
        )
        current = following
    records[0].text = render(records)
    return records


def type_name(error: BaseException) -> str:
    """Return the type's name as a traceback shows it."""
    cls = type(error)
    return cls.__qualname__ if cls.__module__ in ("builtins", "__main__") else f"{cls.__module__}.{cls.__qualname__}"


def kinds_of(cls: type[BaseException]) -> tuple[str, ...]:
    """Return the names of an exception's type and of its parents, each with its module."""
    return tuple(f"{each.__module__}.{each.__qualname__}" for each in cls.__mro__[:-1])


def safe_str(error: BaseException) -> str:
    """Return str(error), whatever its `__str__` does."""
    try:
        return str(error)
    except Exception as failure:  # noqa: BLE001  # the user's __str__ may raise anything
        return f"<its __str__ raised {type(failure).__name__}>"


def error_line(records: list[ErrorRecord]) -> str:
    """Return type and message of the outermost exception in one line of bounded length."""
    first = records[0]
    text = f"{first.type_name}: {first.message}" if first.message else first.type_name
    line = text.splitlines()[0]
    return line if len(line) <= 300 else line[:297] + "..."


_PACKAGE = str(Path(__file__).parents[1]) + os.sep
_OURS = f"{_PACKAGE}worker{os.sep}"


def _frames(tb: types.TracebackType | None, internal: tuple[str, ...]) -> list[FrameRecord]:
    frames: list[FrameRecord] = []
    for summary, (frame, _) in zip(traceback.extract_tb(tb), traceback.walk_tb(tb), strict=True):
        if (not frames and summary.filename.startswith(internal)) or summary.filename.startswith(_OURS):
            continue  # code of magics and displays between the user's lines, and below them
        first = frame.f_code.co_firstlineno
        frames.append(FrameRecord(summary.filename, summary.lineno or 0, summary.name, summary.line or "", first))
    return frames


def render(records: list[ErrorRecord]) -> str:
    """Print a chain as Python does, innermost cause first."""
    lines: list[str] = []
    for position, record in reversed(list(enumerate(records))):
        if record.frames:
            lines.append("Traceback (most recent call last):")
        for frame in record.frames:
            lines.append(f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}')
            if frame.line:
                lines.append(f"    {frame.line}")
        lines.append(f"{record.type_name}: {record.message}" if record.message else record.type_name)
        if position:
            lines.append("")
            lines.append(
                "The above exception was the direct cause of the following exception:"
                if records[position - 1].link == "cause"
                else "During handling of the above exception, another exception occurred:"
            )
            lines.append("")
    return "\n".join(lines)


def reassemble(records: list[ErrorRecord]) -> BaseException:
    """Put a chain together again, with tracebacks that point at the remote lines."""
    made = [_exception_of(record) for record in records]
    for position, (record, error) in enumerate(zip(records, made, strict=True)):
        following = made[position + 1] if position + 1 < len(made) else None
        if following is not None:
            if record.link == "cause":
                error.__cause__ = following
            else:
                error.__context__ = following
        error.__suppress_context__ = record.suppress_context
        error.__traceback__ = traceback_of(record.frames)
        _give_inside(_members(error), record.inside)
    for error in made:
        _explain_missing_file(error)
    return made[0]


#: The end of the working directory's path on Lambda.
_WORK = "/lambdamagic-scratch/work/"


def _explain_missing_file(error: BaseException) -> None:
    """Say that a file which the code did not find on Lambda is here."""
    if not isinstance(error, FileNotFoundError):
        return
    # Libraries that open files below Python, as HDF5 and Arrow do, have the path in their message only.
    named = [error.filename] if isinstance(error.filename, str) else re.findall(r"[^\s'\",:()]+", str(error))
    found = (each.rpartition(_WORK)[2] for each in named)
    name = next((each for each in (path.rstrip(".") for path in found) if each and Path(each).is_file()), None)
    if name is None and isinstance(error.filename, str) and Path(error.filename).exists():
        name = error.filename
    if name is not None:
        error.add_note(
            f"{name} is on this machine and was not sent to Lambda: `%%lambda --file {name}`, or "
            f"LambdaExecutor(files=[{name!r}]), sends it"
        )


def _exception_of(record: ErrorRecord) -> BaseException:
    if isinstance(record.exception, BaseException):
        return record.exception
    return RemoteCodeError(
        f"{record.type_name}: {record.message}", type_name=record.type_name, remote_traceback=record.text
    )


def traceback_of(frames: list[FrameRecord]) -> types.TracebackType | None:
    """Make a real traceback whose frames are at the given lines."""
    made: types.TracebackType | None = None
    for record in reversed(frames):
        frame = _frame_at(record)
        made = types.TracebackType(made, frame, frame.f_lasti, max(record.lineno, 1))
        if record.line and not linecache.getline(record.filename, record.lineno).strip():  # empty: filled up to another
            _remember_line(record)
    return made


def _frame_at(record: FrameRecord) -> types.FrameType:
    lineno = max(record.lineno, 1)
    first = record.first_lineno if 0 < record.first_lineno <= lineno else lineno
    code = _template.__code__.replace(
        co_filename=record.filename, co_name=record.name, co_qualname=record.name, co_firstlineno=first
    )
    code = code.replace(co_linetable=_one_line_table(len(code.co_code) // 2, lineno - first))
    namespace = {"__name__": "__main__", "__file__": record.filename, "__builtins__": {}}
    frame: types.FrameType = types.FunctionType(code, {**namespace, "_frame_here": _frame_here})()
    return frame


def _template() -> Any:
    return _frame_here()  # type: ignore[name-defined,unused-ignore]  # given in the globals of the copy


def _frame_here() -> types.FrameType | None:
    import sys

    return sys._getframe(1)


def _one_line_table(units: int, delta: int) -> bytes:
    # PEP 626/657 location table: entries of kind 13 (a line, no columns), each over up to 8 code units. The first moves
    # from the function's first line to the one wanted, by a signed varint; the rest stay there.
    # Without it a viewer would underline columns that mean nothing in the remote line.
    table = bytearray()
    moved = delta << 1
    while units > 0:
        span = min(units, 8)
        table.append(0x80 | (13 << 3) | (span - 1))
        while moved >= 64:
            table.append(0x40 | (moved & 63))
            moved >>= 6
        table.append(moved)
        moved = 0
        units -= span
    return bytes(table)


def _remember_line(record: FrameRecord) -> None:
    """Put a line of a remote file into `linecache`, so that tracebacks show it."""
    lines = [*linecache.getlines(record.filename)]
    lines += ["\n"] * (record.lineno - len(lines))
    lines[record.lineno - 1] = record.line + "\n"
    linecache.cache[record.filename] = (sum(map(len, lines)), None, lines, record.filename)


#: Folders and files of others who pickle: what they raise, as we do, is about an object, and not by its own code.
_PICKLING = frozenset({"dill", "cloudpickle", "pickle.py", "copyreg.py"})


def comes_from_the_object(error: BaseException) -> bool:
    """Whether an exception met while an object was pickled or made was raised by its own code, not by the pickler."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None:
        return False
    filename = frame.tb_frame.f_code.co_filename
    return not filename.startswith(_PACKAGE) and _PICKLING.isdisjoint(PurePath(filename).parts)


def let_go(error: _Error) -> _Error:
    """Return an exception that holds no value of its frames: neither it nor those behind it."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            each.__traceback__ = None
            waiting += [each.__cause__, each.__context__]
    return error
