"""The page's code as the one ES module that anywidget takes, put together from the files of `static/`.

The files are ES modules that import each other by relative names, which a module that came as text cannot do. Each
becomes a separate function scope, so that their private names do not meet.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

#: In the order in which they need each other; the last gives the module its default export.
_PARTS = ("words", "store", "grid", "timeline", "durations", "errors", "output", "widget")
_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:const|function|class) (\w+))", re.MULTILINE)


def _read(name: str) -> str:
    return (files("lambdamagic.widgets") / "static" / name).read_text(encoding="utf-8")


@cache
def page_code() -> str:
    """Return the module."""
    parts = []
    for name in _PARTS:
        code = _IMPORT.sub(r"const \1 = module_\2;", _read(f"{name}.js"))
        exported = ", ".join(_EXPORT.findall(code))
        code = _EXPORT.sub("", code).replace("export default", "return")
        end = f"return {{ {exported} }};\n" if exported else ""
        parts.append(f"const module_{name} = (() => {{\n{code}{end}}})();\n")
    return "".join(parts) + f"export default module_{_PARTS[-1]};\n"


@cache
def page_style() -> str:
    """Return the style sheet."""
    return _read("widget.css")
