"""The settings as a table, for `docs/configuration.md`."""

from __future__ import annotations

from lambdamagic.config.fields import Value
from lambdamagic.config.load import ENV_PREFIX
from lambdamagic.config.settings import DEFAULTS, SPECS


def markdown_table() -> str:
    """Return all settings as a Markdown table, in the order of the class."""
    lines = ["| Setting | Default | Values | Environment variable | What it does |", "|---|---|---|---|---|"]
    for name, spec in SPECS.items():
        allowed = spec.allowed + (f" ({spec.source})" if spec.source else "")
        variable = f"`{ENV_PREFIX}{name.upper()}`"
        lines.append(f"| `{name}` | {_shown(DEFAULTS[name])} | {allowed} | {variable} | {spec.help} |")
    return "\n".join(lines) + "\n"


def _shown(value: Value) -> str:
    if value is None:
        return "unset"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    import sys

    sys.stdout.write(markdown_table())
