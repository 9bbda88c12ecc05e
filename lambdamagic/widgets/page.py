"""A job's progress as self-contained HTML: no script, light and dark by the page's own colours."""

from __future__ import annotations

from html import escape

from lambdamagic.widgets.progress import Progress
from lambdamagic.widgets.text import SIGNS, facts

# JupyterLab's and Notebook's variables where they exist, plain values everywhere else (VS Code, GitHub, nbviewer).
_STYLE = (
    "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:var(--jp-ui-font-size1,13px);"
    "line-height:1.5;max-width:46em;color:inherit"
)
_COLOURS = {"done": "#2e7d32", "failed": "#c62828", "running": "#1565c0", "cancelled": "#757575"}


def render(progress: Progress, now: float) -> str:
    """Return the view's HTML."""
    sign = SIGNS.get(progress.state, "?")
    colour = _COLOURS.get(progress.state, _COLOURS["running"])
    head = (
        f'<span style="font-weight:600">λ {escape(progress.label)}</span> '
        f'<span style="color:{colour};font-weight:600">{sign} {escape(progress.state)}</span> '
        f'<span style="opacity:.8">{escape(" · ".join(facts(progress, now)))}</span>'
    )
    parts = [f'<div style="{_STYLE}">', f"<div>{head}</div>"]
    if progress.task_count and progress.task_count > 1:
        parts.append(_bar(progress))
    parts += [
        f'<div style="color:{_COLOURS["failed"]}">✗ {count:,} × {escape(error)}</div>'
        for error, count in progress.errors.most_common(3)
        if progress.task_count != 1
    ]
    parts.append("</div>")
    return "".join(parts)


def _bar(progress: Progress) -> str:
    total = progress.task_count or 1

    def segment(count: int, colour: str, title: str, extra: str = "") -> str:
        width = 100 * count / total
        if not count:
            return ""
        return f'<div title="{count:,} {title}" style="width:{width:.3f}%;background:{colour};{extra}"></div>'

    # The failed part is hatched and the running part is pale, so that the bar reads without colours.
    hatch = "background-image:repeating-linear-gradient(45deg,#0003 0 3px,transparent 3px 6px)"
    return (
        f'<div role="progressbar" aria-valuemin="0" aria-valuemax="{total}" aria-valuenow="{progress.finished_tasks}" '
        f'aria-label="{escape(progress.label)}" style="display:flex;height:8px;margin:4px 0;border-radius:4px;'
        f'overflow:hidden;background:rgba(128,128,128,.25)">'
        + segment(progress.done, _COLOURS["done"], "done")
        + segment(progress.failed, _COLOURS["failed"], "failed", hatch)
        + segment(progress.running, _COLOURS["running"], "running", "opacity:.45")
        + "</div>"
    )
