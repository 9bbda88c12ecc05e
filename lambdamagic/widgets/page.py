"""A job's progress as self-contained HTML: no script, light and dark by the page's own colors.

The card has the same lines from its first drawing to its last, so that nothing below it jumps: a head, for maps a bar,
and a line of details. Whatever a color shows, a sign, a word or a pattern shows too.
"""

from __future__ import annotations

from html import escape

from lambdamagic.appearance import AS_TEXT, COLORS, html_state
from lambdamagic.widgets.progress import Progress
from lambdamagic.widgets.text import details, pace

_CARD = (
    "box-sizing:border-box;width:100%;max-width:52em;margin:2px 0 4px;padding:7px 12px 8px;"
    "border:1px solid var(--jp-border-color2,rgba(128,128,128,.35));border-left:3px solid {accent};border-radius:4px;"
    "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px;line-height:1.5;"
    "color:var(--jp-ui-font-color1,inherit);font-variant-numeric:tabular-nums"
)
_HEAD = "display:flex;gap:.75em;align-items:baseline"
_LABEL = (
    "flex:0 1 auto;min-width:0;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;font-weight:600;"
    "font-family:var(--jp-code-font-family,ui-monospace,monospace)"
)
_QUIET = "opacity:.75"
_ONE_LINE = "white-space:nowrap;overflow:hidden;text-overflow:ellipsis"
_TRACK = "display:flex;height:8px;margin:5px 0 4px;border-radius:4px;overflow:hidden;background:rgba(128,128,128,.25)"
# The failed part is hatched and the part under way is striped and pale, so that the bar reads without colors.
_HATCH = "background-image:repeating-linear-gradient(45deg,rgba(0,0,0,.35) 0 3px,transparent 3px 6px)"
_STRIPES = (
    "opacity:.5;background-image:repeating-linear-gradient(90deg,rgba(255,255,255,.35) 0 2px,transparent 2px 8px)"
)
_SHOWN_ERRORS = 3
_SHOWN_LINES = 6
_PRINTED = (
    "margin:6px 0 0;padding:6px 8px;border-radius:3px;background:rgba(128,128,128,.12);color:inherit;font-size:12px;"
    "font-family:var(--jp-code-font-family,ui-monospace,monospace);white-space:pre-wrap;overflow-wrap:anywhere"
)


def render(progress: Progress, now: float, *, printed: str = "") -> str:
    """Return the view's HTML, with the last lines of what was printed so far."""
    color = COLORS.get(progress.state, COLORS["running"])
    parts = [
        f'<div class="{AS_TEXT}" style="{_CARD.format(accent=color)}">',
        f'<div style="{_HEAD}">',
        f'<span style="{_LABEL}" title="{escape(progress.label)}">λ {escape(progress.label)}</span> ',
        f"{html_state(progress.state, progress.word)} ",
        f'<span style="flex:none;margin-left:auto">{_joined(pace(progress, now))}</span>',
        "</div>",
    ]
    if progress.task_count != 1:
        parts.append(_bar(progress))
    summary = _joined(details(progress))
    parts.append(f'<div style="{_QUIET};{_ONE_LINE}" title="{summary}">{summary}</div>')
    if progress.task_count != 1:
        parts += _errors(progress)
    if last := printed.rstrip().splitlines()[-_SHOWN_LINES:]:
        parts.append(f'<pre style="{_PRINTED}">{escape(chr(10).join(last))}</pre>')
    parts.append("</div>")
    return "".join(parts)


def _joined(words: list[str]) -> str:
    return escape(" · ".join(words))


def _errors(progress: Progress) -> list[str]:
    lines = [
        f'<div style="overflow-wrap:anywhere">✗ {count:,} × {escape(error)}</div>'
        for error, count in progress.errors.most_common(_SHOWN_ERRORS)
    ]
    more = len(progress.errors) - _SHOWN_ERRORS
    if more > 0:
        lines.append(f'<div style="{_QUIET}">and {more:,} other kind{"s" if more != 1 else ""} of error</div>')
    return lines


def _bar(progress: Progress) -> str:
    total = progress.task_count or max(1, progress.finished_tasks + progress.running)

    def segment(count: int, color: str, title: str, extra: str = "") -> str:
        if not count:
            return ""
        width = 100 * count / total
        return f'<div title="{count:,} {title}" style="width:{width:.3f}%;background-color:{color};{extra}"></div>'

    return (
        f'<div role="progressbar" aria-valuemin="0" aria-valuemax="{total}" aria-valuenow="{progress.finished_tasks}" '
        f'aria-valuetext="{progress.finished_tasks:,} of {total:,} tasks" aria-label="{escape(progress.label)}" '
        f'style="{_TRACK}">'
        + segment(progress.done, COLORS["done"], "done")
        + segment(progress.failed, COLORS["failed"], "failed", _HATCH)
        + segment(progress.running, COLORS["running"], "running", _STRIPES)
        + "</div>"
    )
