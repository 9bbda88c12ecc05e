"""Files that are sent with a job, and files that it returns."""

from __future__ import annotations

import base64
import glob
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from types import CodeType
from typing import Any

from lambdamagic.config.setting_files import working_folder
from lambdamagic.errors import CaptureError

#: A name in a cell that is longer is no file's.
_NAME_MAX = 255


def found(patterns: Collection[str]) -> list[tuple[str, Path]]:
    """Return the files that names, folders and globs mean: how they are called on Lambda, and where they are here.

    Raises:
        CaptureError: There is no such file, or it is not below the current folder.
    """
    if not patterns:
        return []
    here = working_folder()
    files: dict[str, Path] = {}
    for pattern in patterns:
        paths = sorted({Path(name) for name in _matching(str(Path(pattern).expanduser()))})
        if not paths:
            raise CaptureError(
                f"--file {pattern}: no such file in {here}", hint="Correct the path or pattern; nothing was sent"
            )
        for path in paths:
            if not (path.is_dir() or path.is_file()):  # it would be read without end, or leads to nothing
                raise CaptureError(
                    f"--file {pattern}: {path} is neither a file nor a folder", hint="Leave it out; nothing was sent"
                )
            for file in sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]:
                relative = os.path.relpath(file, here)
                if relative.startswith(".."):
                    raise CaptureError(
                        f"--file {pattern}: {file} is not below the current folder, {here}",
                        hint="Files keep their relative paths on Lambda: copy or link it into this folder",
                    )
                files[Path(relative).as_posix()] = file
    return list(files.items())


def _matching(pattern: str) -> Iterator[str]:
    """Yield what a glob means; `**` follows links, but not back to where it is (`glob` does, 40 levels deep)."""
    parts = Path(pattern).parts
    if "**" not in parts:
        yield from glob.glob(pattern)  # noqa: PTH207  # text of the user's, which may be absolute
        return
    at = parts.index("**")
    for base in _matching(str(Path(*parts[:at]))) if at else (".",):
        for folder in _folders(base, ()):
            yield from _matching(str(Path(glob.escape(folder), *parts[at + 1 :])))


def _folders(folder: str, above: tuple[str, ...]) -> Iterator[str]:
    place = os.path.realpath(folder)
    if place in above or not Path(folder).is_dir():
        return
    yield folder
    for path in sorted(Path(folder).iterdir()):
        if not path.name.startswith("."):
            yield from _folders(str(path), (*above, place))


def mentioned(code: CodeType) -> list[str]:
    """Return the files of the present folder that code names in its constants."""
    return sorted({text for text in _texts(code) if _is_here(text)})


def _texts(code: CodeType) -> Iterator[str]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _texts(constant)
        elif isinstance(constant, str) and 0 < len(constant) <= _NAME_MAX:
            yield constant


def _is_here(text: str) -> bool:
    if "\n" in text or "\0" in text or Path(text).is_absolute():
        return False
    try:
        return Path(text).is_file()
    except OSError:
        return False


def left_there(outputs: Iterable[dict[str, Any]], *, is_map: bool = False) -> list[str]:
    """Return messages about files that were written and not requested.

    Args:
        outputs: The record of outputs.
        is_map: Whether it is that of a map's tasks, whose files come into a folder each.
    """
    entries = [entry for entry in outputs if "written" in entry]
    names = list(dict.fromkeys(name for entry in entries for name in entry["written"]))
    if not names:
        return []
    shown = ", ".join(names[:3]) + (f" and {_count(len(names) - 3, 'more file')}" if len(names) > 3 else "")
    end = "stays on Lambda, where it is deleted" if len(names) == 1 else "stay on Lambda, where they are deleted"
    how = "--fetch . brings the files of each task into a folder" if is_map else f"--fetch {names[0]} brings it here"
    lines = [f"{shown} {end}; {how}"]
    # Opened to be appended to or updated, a log or a database begins empty where it was not sent.
    made = dict.fromkeys(name for entry in entries for name in entry.get("made", ()) if Path(name).is_file())
    for name in made:
        lines.append(f"{name} of this machine was not sent, and Lambda began with a new one; --file {name} sends it")
    return lines


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' if number != 1 else ''}"


def saved(outputs: Sequence[dict[str, Any]], tasks: Sequence[int] | None = None) -> list[str]:
    """Write the files that came back, and return what there is to say of them.

    A file that is here already with another content stays: the new file is written next to it, under another name.

    Args:
        outputs: The record of outputs.
        tasks: The tasks of a map that it is of: the files of each go into a folder with its number, from 1.
    """
    lines = []
    for entry in outputs:
        if "file" in entry:
            folder = Path() if tasks is None else Path(str(tasks[entry["task"]] + 1))
            lines.append(_save(entry, folder))
    return lines


def _save(entry: dict[str, Any], folder: Path) -> str:
    target = folder / Path(entry["file"])
    if target.is_absolute() or ".." in target.parts:
        return f"{target} was not written: it is outside the current folder"
    if "data" not in entry:
        return f"{target} ({entry['size'] / 1e6:,.0f} MB) is too large to be brought here: write it to S3"
    content = base64.b64decode(entry["data"], validate=True)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        free, number = target, 0
        while os.path.lexists(free) and not (free.is_file() and free.read_bytes() == content):
            number += 1
            free = target.with_name(f"{target.stem}-{number}{target.suffix}")
        free.write_bytes(content)
    except OSError as error:  # the names that the cell binds were paid for, too
        return f"{target} was not written: {error.strerror}"
    kept = f"; {target} already existed and was kept" if free != target else ""
    return f"{free} came back from Lambda ({_count(len(content), 'byte')}){kept}"
