"""Pictures of a finished job as inline SVG, of a size that does not depend on how many tasks it had.

A timeline is painted into a raster of lines and columns first, and its runs are drawn then: 100,000 tasks cost no more
bytes than a hundred.
"""

from __future__ import annotations

import math
from itertools import groupby

from lambdamagic.widgets import text
from lambdamagic.widgets.progress import Progress
from lambdamagic.widgets.tasks import Invocation, TaskState, TaskTable

_WIDTH = 720
#: The timeline's raster: lines of environments, and columns of time.
_LINES, _COLUMNS = 16, 240
_QUEUE, _INIT, _RUN, _FAILED = 1, 2, 3, 4
#: What painting a kind makes of what lies beneath: it stays where it tells more.
_OVER = {kind: bytes(max(kind, below) for below in range(256)) for kind in (_QUEUE, _INIT, _RUN, _FAILED)}
_BINS = 36


def bar(progress: Progress) -> str:
    """Return the bar with the tasks' outcomes as segments."""
    total = max(1, progress.task_count or progress.finished_tasks)
    rest = max(0, total - progress.finished_tasks)
    told = f"{progress.finished_tasks:,} of {total:,} tasks: {progress.done:,} done, {progress.failed:,} failed"
    told += f", {rest:,} not run" if rest else ""
    parts, x = [f'<rect width="{_WIDTH}" height="12" rx="4" class="lmr-fk"/>'], 0.0
    for count, kind in ((progress.done, "d"), (progress.failed, "f"), (rest, "n")):
        width = _WIDTH * count / total
        if not count:
            continue
        if kind == "n":
            # Thin ticks: nothing is there.
            ticks = "".join(f"M{x + at:.0f} 5h1v2h-1z" for at in range(0, int(width), 8))
            parts.append(f'<path d="{ticks}" class="lmr-fn"/>')
        else:
            parts.append(f'<rect x="{x:.1f}" width="{max(2.0, width):.1f}" height="12" class="lmr-f{kind}"/>')
        if kind == "f":
            # Hatched, so that it is seen without its colour too.
            ticks = "".join(f"M{x + at:.0f} 12l6 -12h2l-6 12z" for at in range(2, int(width) - 8, 9))
            parts.append(f'<path d="{ticks}" class="lmr-fx"/>')
        x += width
    return (
        f'<svg viewBox="0 0 {_WIDTH} 12" role="img" aria-label="{told}" preserveAspectRatio="none" '
        f'style="height:12px">{"".join(parts)}</svg>'
    )


def timeline(tasks: TaskTable, whole_s: float) -> str:
    """Return what ran on which execution environment when; empty when nothing came to an answer."""
    rows = tasks.rows()
    environments = len(tasks.environments)
    if not rows or whole_s <= 0:
        return ""
    share = math.ceil(environments / _LINES)
    lines = [bytearray(_COLUMNS) for _ in range(math.ceil(environments / share))]
    scale = _COLUMNS / whole_s
    for row in rows:
        _paint(lines[int(row.environment) // share], row, tasks, scale)
    tall = 12 if len(lines) <= 8 else 9
    wide = _WIDTH / _COLUMNS
    drawn: dict[int, list[str]] = {_QUEUE: [], _INIT: [], _RUN: [], _FAILED: []}
    shapes = {_QUEUE: (tall // 3, 2), _INIT: (2, tall - 5), _RUN: (0, tall - 2), _FAILED: (0, tall)}
    for number, line in enumerate(lines):
        column = 0
        for kind, run in groupby(line):
            length = len(list(run))
            if kind:
                down, height = shapes[kind]
                across = length * wide
                drawn[kind].append(f"M{column * wide:g} {number * tall + down}h{across:g}v{height}h-{across:g}z")
            column += length
    bottom = len(lines) * tall
    classes = {_QUEUE: "w", _INIT: "i", _RUN: "d", _FAILED: "f"}
    paths = "".join(f'<path d="{"".join(d)}" class="lmr-f{classes[kind]}"/>' for kind, d in drawn.items() if d)
    axis = f'<rect y="{bottom + 1}" width="{_WIDTH}" height="1" class="lmr-fk"/>' + "".join(
        f'<text x="{at * _WIDTH:g}" y="{bottom + 13}" text-anchor="{anchor}" class="lmr-fq">'
        f"{'0' if not at else text.duration(at * whole_s)}</text>"
        for at, anchor in ((0.0, "start"), (0.25, "middle"), (0.5, "middle"), (0.75, "middle"), (1.0, "end"))
    )
    told = f"{len(rows):,} invocation{'s' if len(rows) != 1 else ''} on {environments:,} execution "
    told += f"environment{'s' if environments != 1 else ''}"
    shared = f", {share} to a line" if share > 1 else ""
    return (
        f'<svg viewBox="0 0 {_WIDTH} {bottom + 16}" role="img" aria-label="Timeline: {told}">{paths}{axis}</svg>'
        f'<div class="lmr-q">{told}{shared}: thin while sent, half height for a cold start, full for tasks</div>'
    )


def _paint(line: bytearray, row: Invocation, tasks: TaskTable, scale: float) -> None:
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
    first, after = int(row.first), int(row.first + row.tasks)
    states = tasks.states[first:after]
    if TaskState.FAILED not in states:
        return
    at = row.began
    for task, state in enumerate(states, first):
        until = at + tasks.seconds[task]
        if state == TaskState.FAILED:
            fill(at, min(until, row.ended), _FAILED)
        at = until


def durations(tasks: TaskTable) -> str:
    """Return the histogram of run times; empty when no task, or only one, has run to its end."""
    seconds = sorted(filter(None, tasks.seconds))  # what has not ended, or was known before, has none
    if len(seconds) < 2:
        return ""
    low, high = max(seconds[0], 1e-6), max(seconds[-1], 2e-6)
    # Equal widths, or equal ratios where the times lie far apart.
    is_log = high / low > 30
    start, stop = (math.log(low), math.log(high)) if is_log else (0.0, high)
    counts = [0] * _BINS
    for each in seconds:
        place = ((math.log(max(each, 1e-6)) if is_log else each) - start) / (stop - start)
        counts[min(_BINS - 1, max(0, int(place * _BINS)))] += 1
    highest, wide = max(counts), _WIDTH / _BINS
    bars = "".join(
        f'<rect x="{at * wide:g}" y="{60 - max(1.5, 60 * count / highest):.1f}" width="{wide - 2:g}" '
        f'height="{max(1.5, 60 * count / highest):.1f}" class="lmr-fd"/>'
        for at, count in enumerate(counts)
        if count
    )
    edges = [(at, start + at * (stop - start)) for at in (0.0, 0.5, 1.0)]
    labels = "".join(
        f'<text x="{at * _WIDTH:g}" y="73" text-anchor="{anchor}" class="lmr-fq">'
        f"{text.duration(math.exp(edge) if is_log else edge)}</text>"
        for (at, edge), anchor in zip(edges, ("start", "middle", "end"), strict=True)
    )
    median, p95 = seconds[len(seconds) // 2], seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))]
    told = f"run times: median {text.duration(median)}, 95% within {text.duration(p95)}, longest {text.duration(high)}"
    scale = " (logarithmic axis)" if is_log else ""
    return (
        f'<svg viewBox="0 0 {_WIDTH} 76" role="img" aria-label="Histogram of {told}">{bars}{labels}</svg>'
        f'<div class="lmr-q">{told}{scale}</div>'
    )
