"""`put`: an object that many tasks use is uploaded once."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lambdamagic.api import process
from lambdamagic.appearance import AS_TEXT
from lambdamagic.codec.diagnose import explain_unpicklable
from lambdamagic.codec.encode import writer
from lambdamagic.codec.picklers import PICKLING_ERRORS
from lambdamagic.codec.shared import SHARED_MIN_BYTES, Shared
from lambdamagic.errors import EncodeError
from lambdamagic.jobs.remote_values import RemoteValue

if TYPE_CHECKING:
    from lambdamagic.codec.frames import Written
    from lambdamagic.codec.home import Home

_T = TypeVar("_T")


class Reference(Shared, Generic[_T]):
    """Stands for an object that was put. Made by `lambdamagic.put`; immutable, thread-safe.

    Wherever it is pickled, the reader finds the object itself: tasks never see a reference. It keeps the object alive.

    Attributes:
        size_bytes: How large the object is when it is written.
    """

    def get(self) -> _T:
        """Return the object, here."""
        found: _T = self.value
        return found

    def __repr__(self) -> str:
        return f"<{_where(self)}: {_kind(self)}, {_size(self.size_bytes)}>"

    def _repr_html_(self) -> str:
        return _as_html(_kind(self), f"{_size(self.size_bytes)}, {_where(self)}")


class RemoteReference(Reference[_T]):
    """Stands for a task's value that stays in the bucket. Made by `keep="remote"`; immutable, thread-safe.

    It is passed like any `Reference`: the task that it is passed to has the value, from the memory of its environment
    where that has made or read it, else from the bucket. It is there while something here refers to it, and at most
    as long as the job's other objects.
    """

    def __init__(self, remote: RemoteValue) -> None:
        self._remote, self.size_bytes = remote, remote.size_bytes

    def written(self, home: Home) -> Written:
        """Return a reference to the bytes in the bucket."""
        return self._remote.written(home)

    @property
    def value(self) -> Any:
        """The value, read from the bucket now."""
        return self._remote.read(process.home())

    def get(self) -> _T:
        """Return the value, here; it is read from the bucket each time.

        Raises:
            TargetError: It is no longer there, or the bucket cannot be reached.
        """
        found: _T = self.value
        return found

    def __repr__(self) -> str:
        return f"<stays in the bucket: {self._remote.kind}>"

    def _repr_html_(self) -> str:
        return _as_html(self._remote.kind, "stays in the bucket")


def held(value: Any) -> Reference[Any]:
    """Return the reference to a result of `keep="remote"`; small values are held here and sent inline."""
    return RemoteReference(value) if isinstance(value, RemoteValue) else put(value)


def _as_html(kind: str, note: str) -> str:
    return f'<span class="{AS_TEXT}"><code>{html.escape(kind)}</code> {html.escape(note)}</span>'


def _where(reference: Reference[Any]) -> str:
    return (
        "put once, shared by tasks"
        if reference.size_bytes >= SHARED_MIN_BYTES
        else "put, small: sent with each invocation"
    )


def _kind(reference: Reference[Any]) -> str:
    value = reference.value
    shape = getattr(value, "shape", None)
    name = type(value).__name__
    return f"{name} {shape}" if isinstance(shape, tuple) else name


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def put(obj: _T) -> Reference[_T]:
    """Return a reference to an object that is uploaded once, however many tasks of however many jobs use it.

    The reference is passed instead of the object: as an argument, an item, inside of containers, or as a name that a
    function or cell reads. On Lambda the object itself replaces it. It is uploaded with the first job that
    uses it, once per bucket, and loaded once per execution environment, where the tasks that follow find it in memory.

    Its content is that of now; leave it unchanged afterwards. On Lambda its arrays are read-only. Treat the rest as
    read-only too: later tasks in the same environment would see changes of a task.

    Example:
        >>> import lambdamagic
        >>> words = lambdamagic.put({"one": 1})
        >>> with lambdamagic.LambdaExecutor(max_workers=2) as executor:
        ...     list(executor.map(len, [words, words]))
        [1, 1]

    Args:
        obj: Anything that can be pickled. Below 64 kB it is sent with each task, as if it had not been put.

    Raises:
        EncodeError: It cannot be pickled; names the path to the offending part.
    """
    if isinstance(obj, Reference):
        return obj
    home = process.home()
    try:
        return Reference(obj, home, writer())
    except PICKLING_ERRORS as error:
        path, reason = explain_unpicklable("the object", obj, home)
        raise EncodeError(
            f"the object given to put() cannot be sent to Lambda because of {path}: {reason}",
            hint="Put the data that it is made from, and create it inside the function",
        ) from error
