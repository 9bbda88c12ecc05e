"""A finished job as self-contained HTML, which stays in the saved notebook.

No script, and nothing from elsewhere. It has its own surface and colors, light and dark, so that it is read on GitHub,
in nbviewer, in an exported page and after a restart. Where a page takes style sheets out (GitHub does, and JupyterLab
in notebooks that it does not trust) the pictures stay, and the rest reads as text. Whatever the job was, it has at most
100 kB.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from lambdamagic.appearance import AS_TEXT, SIGNS
from lambdamagic.widgets import pictures, text
from lambdamagic.widgets.progress import Progress
from lambdamagic.widgets.task_grid import TaskGrid

#: What of the user's own text is kept, in characters. Escaping makes one character six at most.
_LABEL, _MESSAGE, _TRACEBACK, _LINE = 200, 300, 6_000, 400
#: What of the output is kept, escaped.
_OUTPUT = 16_000
_SHOWN_ERRORS = 8

_LIGHT = (
    "--g:#1a7f37;--f:#c62828;--w:#8a5300;--n:#69707a;--t:#1f2328;--q:#57606a;--s:#fff;--b:#d4d9de;--e:#f4f6f8;--p:none"
)
_DARK = (
    "--g:#4fbd68;--f:#ff8078;--w:#f0a63a;--n:#a2a9b2;--t:#e8eaed;--q:#b6bcc5;--s:#1b1d20;--b:#43484f;--e:#2a2d31;"
    "--p:brightness(1.15)"
)
# A page that says which theme it has is believed; of another, the system's wish is.
_STYLE = f"""<style>
.lmr{{{_LIGHT};box-sizing:border-box;max-width:960px;margin:2px 0 6px;padding:12px 16px 14px;border:1px solid var(--b);
border-radius:8px;background:var(--jp-layout-color1,var(--vscode-editor-background,var(--s)));color:var(--t);
font:13px/1.5 var(--jp-ui-font-family,system-ui,sans-serif);font-variant-numeric:tabular-nums}}
@media (prefers-color-scheme:dark){{.lmr{{{_DARK}}}}}
[data-jp-theme-light=true] .lmr,.vscode-light .lmr{{{_LIGHT}}}
[data-jp-theme-light=false] .lmr,.vscode-dark .lmr{{{_DARK}}}
.lmr img{{display:block;width:100%;max-width:none;height:auto;margin:8px 0 4px;filter:var(--p)}}
.lmr .lmr-l{{font:600 14px/1.6 var(--jp-code-font-family,ui-monospace,monospace);overflow-wrap:anywhere}}
.lmr .lmr-s{{display:inline-block;margin-left:6px;padding:0 10px;border:1px solid;border-radius:99px;
font:600 12px/1.6 var(--jp-ui-font-family,system-ui,sans-serif)}}
.lmr .lmr-done{{color:var(--g)}}.lmr .lmr-failed{{color:var(--f)}}.lmr .lmr-partly{{color:var(--w)}}
.lmr .lmr-cancelled{{color:var(--n)}}
.lmr .lmr-q{{color:var(--q)}}
.lmr .lmr-h{{display:flex;width:auto;margin:6px 0 2px;border:0;font-size:13px;color:inherit}}
.lmr .lmr-h tbody{{display:flex;flex-wrap:wrap;gap:6px 26px;min-width:0}}
.lmr .lmr-h tr{{display:block;padding:0!important;border:0;background:none!important}}
.lmr .lmr-h th,.lmr .lmr-h td{{display:block;max-width:none;padding:0!important;border:0;text-align:left!important;
overflow-wrap:anywhere}}
.lmr .lmr-h th{{font-size:11.5px;font-weight:400;color:var(--q)}}
.lmr .lmr-h td{{font-size:14px;font-weight:600;color:var(--t)}}
.lmr summary{{cursor:pointer;overflow-wrap:anywhere;color:var(--t)}}
.lmr details{{margin-top:6px}}
.lmr .lmr-p{{margin:6px 0 2px;padding:8px 10px!important;max-height:280px;overflow:auto;border-radius:6px;
background:var(--e)!important;
color:var(--t);font:12px/1.45 var(--jp-code-font-family,ui-monospace,monospace);white-space:pre-wrap;
overflow-wrap:anywhere}}
</style>"""


def render(
    progress: Progress,
    tasks: TaskGrid,
    *,
    traceback: str = "",
    is_kept: bool = False,
    printed: tuple[str, str] = ("", ""),
) -> str:
    """Return the HTML.

    Args:
        progress: The job's end.
        tasks: Its tasks.
        traceback: That of the first failed task, as text.
        is_kept: Whether the kernel keeps what a map's tasks gave. There is a place then into which JupyterLab's
            extension puts buttons while the kernel knows the job; it is empty, and nothing, everywhere else.
        printed: A heading and what tasks printed, where the cell does not show it.
    """
    is_map = progress.task_count != 1
    now = progress.finished_at or progress.started_at
    label = escape(_cut(progress.label, _LABEL))
    parts = [
        f'{_STYLE}<div class="lmr {AS_TEXT}" role="group" aria-label="Job {label}">',
        f'<div><b class="lmr-l">λ {label}</b> <span class="lmr-s lmr-{escape(progress.state)}">'
        f"{SIGNS.get(progress.state, '?')} {escape(progress.word)}</span></div>",
        f'<div class="lmr-q">{escape(" · ".join([*_pace(progress, now), f"job {progress.job_id}"]))}</div>',
    ]
    if is_map:
        parts.append(pictures.bar(progress))
    if progress.started_at:
        parts.append(_table(progress))
    if is_kept and is_map:
        parts.append(f'<div class="lmr-again" data-job="{escape(progress.job_id)}"></div>')
    if is_map and len(tasks.states) > 1:
        parts.append(pictures.timeline(tasks, progress.elapsed_s(now)))
        parts.append(pictures.durations(tasks))
    parts += _errors(progress, tasks.names, traceback, is_map=is_map)
    parts += _printed(*printed)
    parts.append("</div>")
    return "".join(parts)


def _pace(progress: Progress, now: float) -> list[str]:
    return text.pace(progress, now) if progress.started_at else ["nothing ran"]


def plain(progress: Progress) -> str:
    """Return the end of a job as text, for a terminal or a log."""
    lines = [text.line(progress, progress.finished_at or progress.started_at)]
    if progress.task_count != 1:
        lines += [f"  ✗ {count:,} × {_cut(error, _LINE)}" for error, count in progress.errors.most_common(3)]
        more = len(progress.errors) - 3
        if more > 0:
            lines.append(f"  and {more:,} other kind{'s' if more != 1 else ''} of error")
    elif progress.error:
        lines.append(f"  {_cut(progress.error, _LINE)}")
    return "\n".join(lines)


def _table(progress: Progress) -> str:
    facts = {"billed": text.billed(progress)} if progress.billed_ms or progress.unreported else {}
    if amount := text.cost(progress):
        facts["cost" if progress.is_billed else "cost if on AWS"] = amount
    if progress.cold_starts or progress.task_count != 1:
        facts["cold starts"] = f"{progress.cold_starts:,}"
    counts = {
        "failed": progress.failed,
        "retried": progress.retried,
        "throttled": progress.throttled,
        "backups": progress.backed_up,
        "reused": progress.cached,
        "cancelled or lost": progress.unreported,
    }
    for name, count in counts.items():
        if count and (name not in ("failed", "cancelled or lost") or progress.task_count != 1):
            facts[name] = f"{count:,}"
    for name, moved in (("sent", progress.sent_bytes), ("received", progress.received_bytes)):
        if moved:
            facts[name] = text.size(moved)
    if progress.peak_memory_mb:
        facts["peak memory"] = f"{progress.peak_memory_mb:,} of {progress.memory_mb:,} MB"
    # A row for each fact: its style lets them wrap, and where that is taken away the table is as narrow as a column.
    rows = "".join(f'<tr><th scope="row">{name}</th> <td>{escape(value)}</td></tr>' for name, value in facts.items())
    return f'<table class="lmr-h"><tbody>{rows}</tbody></table>'


def _errors(progress: Progress, names: Sequence[str], traceback: str, *, is_map: bool) -> list[str]:
    if not is_map:
        return []  # a cell's own error stands below it
    lines = []
    for place, (error, count) in enumerate(progress.errors.most_common(_SHOWN_ERRORS)):
        sentence = f'<span class="lmr-failed">✗ {count:,} ×</span> {escape(_cut(error, _MESSAGE))}'
        if place == 0 and traceback:
            task = progress.first_failed.get(error)
            name = "Traceback" if task is None else f"Traceback of {names[task] if names else f'item {task + 1:,}'}"
            trace = (
                f'<pre class="lmr-p" tabindex="0" role="region" aria-label="{name}">{escape(_tail(traceback))}</pre>'
            )
            lines.append(f"<details open><summary>{sentence}</summary>{trace}</details>")
        else:
            lines.append(f'<div style="margin-top:6px;overflow-wrap:anywhere">{sentence}</div>')
    more = len(progress.errors) - _SHOWN_ERRORS
    if more > 0:
        lines.append(f'<div class="lmr-q">and {more:,} other kind{"s" if more != 1 else ""} of error</div>')
    if progress.error and not progress.errors:
        lines.append(f'<div class="lmr-failed" style="margin-top:6px">✗ {escape(_cut(progress.error, _MESSAGE))}</div>')
    return lines


def _printed(heading: str, text: str) -> list[str]:
    if not text:
        return []
    text = escape(text)
    if len(text) > _OUTPUT:
        text = text[:_OUTPUT].rpartition("\n")[0] + "\n…"
    box = f'<pre class="lmr-p" tabindex="0" role="region" aria-label="Output">{text}</pre>'
    return [f"<details><summary>{escape(heading)}</summary>{box}</details>"]


def _cut(sentence: str, most: int) -> str:
    return sentence if len(sentence) <= most else sentence[: most - 1] + "…"


def _tail(sentence: str) -> str:
    """Return the end of a traceback, its most useful part."""
    return sentence if len(sentence) <= _TRACEBACK else "…" + sentence[-_TRACEBACK:]
