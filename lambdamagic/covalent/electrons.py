"""Converts Covalent's objects to payloads for Lambda; no object of the user is unpickled."""

from __future__ import annotations

import base64
import io
import pickle
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cloudpickle

from lambdamagic.covalent.electron_packages import check_commands, check_requirements, only_installs
from lambdamagic.errors import VersionMismatchError
from lambdamagic.worker.electron import Returned, SentElectron, Step

#: Steps of Covalent itself: the graph of a sublattice, and a lattice's own result. They need Covalent, not Lambda.
_COVALENTS_OWN = ("_build_sublattice_graph", "_postprocess", "_postprocess_recursively")
#: What the copy of a local file is called in Covalent; it carries the two files in its closure.
_FILE_COPY = "Shutil.cp.<locals>.callable"


@dataclass(frozen=True)
class Electron:
    """An electron as Covalent's dispatcher hands it over.

    Attributes:
        name: Its function's name.
        dispatch_id: The dispatch that it belongs to; empty outside of one.
        node_id: Its number there.
        sent: The payload.
        is_covalents_own: Whether it is a step of Covalent itself.
        requirements: Packages that it asks for.
        commands: Shell commands that it asks for.
    """

    name: str
    dispatch_id: str
    node_id: int
    sent: SentElectron
    is_covalents_own: bool
    requirements: tuple[str, ...]
    commands: tuple[str, ...]

    def check(self, packages: Mapping[str, str] | None, python: str) -> None:
        """Refuse what cannot work in a function; nothing has been sent.

        Args:
            packages: What the function holds; None where that is not known.
            python: The version of Python that it runs.

        Raises:
            VersionMismatchError: Covalent's client runs another Python.
            ParityError: A package is missing or has another version, or a command would install one.
        """
        if not self.sent.python.startswith(f"{python}."):
            raise VersionMismatchError(
                f"the electron {self.name} was pickled by Python {self.sent.python}, the function runs Python {python} "
                "(nothing was sent)",
                hint="Deploy a function for that Python, or run Covalent's client under the function's",
            )
        check_requirements([*self.requirements, *check_commands(self.commands)], packages)


def electron_of(
    function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], task_metadata: Mapping[str, Any] | None = None
) -> Electron:
    """Convert the arguments of `run` to an electron.

    Args:
        function: What Covalent's dispatcher has assembled (a partial of a wrapper, the callable and the work to do
            before and after it), or any callable.
        args: Covalent's transportable objects, or values.
        kwargs: Likewise.
        task_metadata: `dispatch_id` and `node_id`.
    """
    metadata = task_metadata or {}
    before: Sequence[Any] = ()
    after: Sequence[Any] = ()
    if isinstance(function, partial) and function.args and hasattr(function.args[0], "get_serialized"):
        function, before, after = function.args
    name, python = _name_and_python(function)
    hooks = _Hooks()
    pickled = _pickled(function)
    sent = SentElectron(
        python,
        pickled,
        tuple(_pickled(each) for each in args),
        {key: _pickled(each) for key, each in kwargs.items()},
        tuple(hooks.steps(before, is_after=False)),
        tuple(hooks.steps(after, is_after=True)),
    )
    return Electron(
        name,
        str(metadata.get("dispatch_id", "")),
        int(metadata.get("node_id", -1)),
        sent,
        name in _COVALENTS_OWN and b"covalent" in pickled,
        tuple(hooks.requirements),
        tuple(hooks.commands),
    )


def transportable(returned: Returned) -> Any:
    """Return what an electron has returned as Covalent keeps it; it is not unpickled."""
    from covalent._workflow.transport import TransportableObject

    value = base64.b64encode(returned.pickled).decode()
    attributes = {"_object": value, "_object_string": returned.shown, "_header": returned.header}
    return TransportableObject.from_dict({"attributes": attributes})


def write_files(returned: Returned) -> None:
    """Write the files that an electron gives, where Covalent runs."""
    for path, content in returned.files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content)


def _pickled(value: Any) -> bytes:
    if hasattr(value, "get_serialized"):
        return base64.b64decode(value.get_serialized())
    return bytes(cloudpickle.dumps(value))


def _name_and_python(function: Any) -> tuple[str, str]:
    if hasattr(function, "get_serialized"):
        return str(function.attrs["name"] or "electron"), str(function.python_version)
    return str(getattr(function, "__name__", type(function).__name__)), platform.python_version()


class _Hooks:
    """The steps before and after an electron.

    What Covalent has for packages, commands and local files are their own functions: they are recognized, and done
    without Covalent.

    Attributes:
        requirements: Packages that are asked for.
        commands: Shell commands that are asked for.
    """

    def __init__(self) -> None:
        self.requirements: list[str] = []
        self.commands: list[str] = []

    def steps(self, hooks: Sequence[Any], *, is_after: bool) -> list[Step]:
        """Return what the function has to do for them."""
        return [step for hook in hooks if (step := self._step(hook, is_after=is_after)) is not None]

    def _step(self, hook: Any, *, is_after: bool) -> Step | None:
        function, args, kwargs, keyword = hook
        name, pickled = function.attrs["name"], _pickled(function)
        if name == "apply_pip_deps" and b"covalent" in pickled:
            packages, content = _Plain(_pickled(args)).load()
            self.requirements += content.splitlines() if content else packages
            return None
        if name == "apply_bash_commands" and b"covalent" in pickled:
            found = _Plain(_pickled(args)).load()[0]
            self.commands += found
            left = tuple(command for command in found if not only_installs(command))
            return Step("shell", commands=left) if left else None
        if b"covalent._file_transfer" in pickled:
            step = _file_step(pickled, is_after=is_after)
            if step is not None:
                return step
        return Step("call", function=pickled, args=_pickled(args), kwargs=_pickled(kwargs), keyword=keyword)


class _Plain(pickle.Unpickler):
    """An unpickler that reads lists and strings and refuses everything else."""

    def __init__(self, pickled: bytes) -> None:
        super().__init__(io.BytesIO(pickled))

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name} among packages or commands")


def _file_step(pickled: bytes, *, is_after: bool) -> Step | None:
    """Return the copy of a local file as a step between the two machines, or None if the pickle is none.

    Before the electron, the file comes from Covalent's machine, if it exists; afterwards it is written there.
    """
    copy = cloudpickle.loads(pickled)  # Covalent's own closure over two of its `File` objects
    if getattr(copy, "__qualname__", "") != _FILE_COPY:
        return None
    found = dict(zip(copy.__code__.co_freevars, (cell.cell_contents for cell in copy.__closure__), strict=True))
    source, path = found["from_file"].filepath, found["to_file"].filepath
    if is_after:
        return Step("read", source=source, path=path)
    if Path(source).is_file():
        return Step("write", path=path, content=Path(source).read_bytes())
    return Step("copy", source=source, path=path)
