"""Pictures of a finished job, of a size that does not depend on how many tasks it had.

Each is an `<img>` that carries its SVG. Inline SVG would follow the page's theme, but does not outlive what others do
to a notebook's HTML: JupyterLab takes `<svg>` out of notebooks that it does not trust and leaves the words of its axes,
and where style sheets are taken out (GitHub) all of it is black. Such an image cannot know on what ground it stands, so
the colors have a contrast of 3 at least on white and on the dark themes' grounds.

A timeline is painted into a raster of lines and columns first, and its runs are drawn then: 100,000 tasks cost no more
bytes than a hundred.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Sequence
from html import escape
from itertools import groupby

from lambdamagic.widgets import text
from lambdamagic.widgets.progress import Progress
from lambdamagic.widgets.task_grid import InvocationRow, TaskGrid, TaskState

_WIDTH = 720
_DONE, _FAILED, _COLD, _SENT, _WORDS = "#2c974b", "#d94848", "#bf7600", "#8b949e", "#6e7681"
_TRACK = f'fill="{_SENT}" fill-opacity=".3"'
#: Failures are hatched, so that they are seen without their color too.
_HATCHED = (
    '<defs><pattern id="h" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(35)">'
    f'<path fill="{_FAILED}" d="M0 0h5v5h-5z"/><path fill="#fff" fill-opacity=".75" d="M0 0h1.4v5h-1.4z"/>'
    "</pattern></defs>"
)
#: The timeline's raster: lines of environments, and columns of time.
_LINES, _COLUMNS = 16, 240
_QUEUE, _INIT, _RUN, _FAIL = 1, 2, 3, 4
#: How painting a kind changes the pixels below it: the more important kind stays.
_OVER = {kind: bytes(max(kind, below) for below in range(256)) for kind in (_QUEUE, _INIT, _RUN, _FAIL)}
_BINS, _TALL = 36, 60
#: Words keep their size where the picture is drawn smaller: in an image, the width is that of the image.
_READABLE = (
    "<style>@media(max-width:560px){text{font-size:14px}}"
    "@media(max-width:420px){text{font-size:18px;transform:translateY(5px)}}"
    "@media(max-width:320px){text{font-size:22px}}</style>"
)


def bar(progress: Progress) -> str:
    """Return the bar with the tasks' outcomes as segments."""
    total = max(1, progress.task_count or progress.finished_tasks)
    rest = max(0, total - progress.finished_tasks)
    caption = f"{progress.finished_tasks:,} of {total:,} tasks: {progress.done:,} done, {progress.failed:,} failed"
    caption += f", {rest:,} not run" if rest else ""
    parts, x = [f'<rect width="{_WIDTH}" height="12" {_TRACK}/>'], 0.0
    for count, paint in ((progress.done, _DONE), (progress.failed, "url(#h)")):
        width = max(2.0, _WIDTH * count / total)
        if count:
            parts.append(f'<rect x="{min(x, _WIDTH - width):.1f}" width="{width:.1f}" height="12" fill="{paint}"/>')
        x += _WIDTH * count / total
    return _image(_HATCHED + "".join(parts), 12, caption)


def timeline(tasks: TaskGrid, whole_s: float) -> str:
    """Return a picture of which invocation ran where and when; empty if no invocation was answered."""
    rows = tasks.rows()
    environments = len(tasks.environments)
    if not rows or whole_s <= 0:
        return ""
    share = math.ceil(environments / _LINES)
    lines = [bytearray(_COLUMNS) for _ in range(math.ceil(environments / share))]
    scale = _COLUMNS / whole_s
    for row, carried in rows:
        _paint(lines[int(row.environment) // share], row, carried, tasks, scale)
    tall = 12 if len(lines) <= 8 else 9
    #: Of each kind the color, and how far down in its line it is drawn, how tall.
    kinds = {
        _QUEUE: (_SENT, tall // 3, 2),
        _INIT: (_COLD, 2, tall - 5),
        _RUN: (_DONE, 0, tall - 2),
        _FAIL: (_FAILED, 0, tall),
    }
    strokes = "".join(_strokes(lines, kind, *kinds[kind], tall) for kind in kinds)
    bottom = len(lines) * tall
    axis = f'<rect y="{bottom + 1}" width="{_WIDTH}" height="1" fill="{_SENT}"/>'
    axis += _labels(bottom + 13, {at: "0" if not at else text.duration(at * whole_s) for at in (0, 0.25, 0.5, 0.75, 1)})
    caption = f"{len(rows):,} invocation{'s' if len(rows) != 1 else ''} on {environments:,} execution "
    caption += f"environment{'s' if environments != 1 else ''} in {text.duration(whole_s)}"
    shared = f", {share} to a line" if share > 1 else ""
    body = f'<g fill="none" transform="scale({_WIDTH / _COLUMNS:g} 1)">{strokes}</g>{axis}'
    return (
        _image(body, bottom + 22, f"Timeline, a line for each execution environment, 0 to {text.duration(whole_s)}")
        + f'<div class="lmr-q">{caption}{shared}: thin while sent, half height for a cold start, full for tasks</div>'
    )


def _strokes(lines: list[bytearray], kind: int, color: str, down: float, height: int, tall: int) -> str:
    """Return one path with the runs of a kind, in columns: a separate line, as thick as the kind is tall."""
    drawn = []
    for number, line in enumerate(lines):
        column, at = 0, None
        for found, run in groupby(line):
            length = len(list(run))
            if found == kind:
                drawn.append(f"M{column} {number * tall + down + height / 2:g}" if at is None else f"m{column - at} 0")
                drawn.append(f"h{length}")
                at = column + length
            column += length
    return f'<path stroke="{color}" stroke-width="{height}" d="{"".join(drawn)}"/>' if drawn else ""


def _paint(line: bytearray, row: InvocationRow, carried: Sequence[int], tasks: TaskGrid, scale: float) -> None:
    last = _COLUMNS - 1

    def column(seconds: float) -> int:
        return max(0, min(last, int(seconds * scale)))

    def fill(start: float, stop: float, kind: int) -> None:
        first, after = column(start), column(stop) + 1
        line[first:after] = line[first:after].translate(_OVER[kind])

    cold = row.began - row.init
    if cold > row.sent:
        fill(row.sent, cold, _QUEUE)
    if row.init > 0:
        fill(cold, row.began, _INIT)
    fill(row.began, row.ended, _RUN)
    if not any(tasks.states[task] == TaskState.FAILED for task in carried):
        return
    at = row.began
    for task in carried:
        until = at + tasks.seconds[task]
        if tasks.states[task] == TaskState.FAILED:
            fill(at, min(until, row.ended), _FAIL)
        at = until


def durations(tasks: TaskGrid) -> str:
    """Return the histogram of run times; empty when no task, or only one, has run to its end."""
    seconds = sorted(filter(None, tasks.seconds))  # what has not ended, or was known before, has none
    if len(seconds) < 2:
        return ""
    low, high = max(seconds[0], 1e-6), max(seconds[-1], 2e-6)
    # Equal widths, or equal ratios where the times differ widely.
    is_log = high / low > 30
    start, stop = (math.log(low), math.log(high)) if is_log else (0.0, high)
    counts = [[0, 0] for _ in range(_BINS)]
    for state, each in zip(tasks.states, tasks.seconds, strict=True):
        if each:
            place = ((math.log(max(each, 1e-6)) if is_log else each) - start) / (stop - start)
            counts[min(_BINS - 1, max(0, int(place * _BINS)))][state == TaskState.FAILED] += 1
    unit, wide = _TALL / max(map(sum, counts)), _WIDTH / _BINS
    bars = ""
    for at, (done, failed) in enumerate(counts):
        y = float(_TALL)
        for count, paint in ((done, _DONE), (failed, "url(#h)")):
            if count:
                tall = max(1.5, unit * count)
                y -= tall
                bars += f'<rect x="{at * wide:g}" y="{y:.1f}" width="{wide - 2:g}" height="{tall:.1f}" fill="{paint}"/>'
    edges = {at: start + at * (stop - start) for at in (0, 0.5, 1)}
    labels = {at: text.duration(math.exp(edge) if is_log else edge) for at, edge in edges.items()}
    median, p95 = seconds[len(seconds) // 2], seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))]
    caption = (
        f"run times: median {text.duration(median)}, 95% within {text.duration(p95)}, longest {text.duration(high)}"
    )
    scale = " (logarithmic axis)" if is_log else ""
    picture = _image(
        f"{_HATCHED}{bars}{_labels(_TALL + 13, labels)}",
        _TALL + 22,
        f"Histogram of run times, {labels[0]} to {labels[1]}",
    )
    return f'{picture}<div class="lmr-q">{caption}{scale}</div>'


def _labels(y: int, labels: dict[float, str]) -> str:
    """Return the words below an axis, by their places between 0 and 1."""
    anchors: dict[float, str] = {0: "start", 1: "end"}
    words = "".join(
        f'<text x="{at * _WIDTH:g}" y="{y}" text-anchor="{anchors.get(at, "middle")}">{word}</text>'
        for at, word in labels.items()
    )
    return f'{_READABLE}<g font-family="system-ui,sans-serif" font-size="10" fill="{_WORDS}">{words}</g>'


def _image(body: str, height: int, caption: str) -> str:
    """Return an image that needs no style sheet; `caption` is what it says to who does not see it."""
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}">'
    source = b64encode(f"{svg}{body}</svg>".encode()).decode()
    return f'<div><img width="{_WIDTH}" alt="{escape(caption)}" src="data:image/svg+xml;base64,{source}"></div>'
