"""The table of `--plan`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lambdamagic.capture import CallablePlan, CapturePlan
from lambdamagic.capture.source_files import packed
from lambdamagic.config import Settings
from lambdamagic.jobs.encoding import Program
from lambdamagic.jobs.loaded_modules import edited
from lambdamagic.jobs.staging import Stager
from lambdamagic.magics.planning import edited_note
from lambdamagic.magics.tables import Table
from lambdamagic.runs.files_along import mentioned
from lambdamagic.runs.variables import names_of
from lambdamagic.widgets.text import size


def plan_table(
    plan: CallablePlan,
    program: Program,
    settings: Settings,
    *,
    more: Sequence[str] = (),
    files: Sequence[tuple[str, Path]] = (),
    env: Sequence[str] = (),
) -> Table:
    """Return the names that would be shipped, how large each is, why it is taken, and where it would go.

    Args:
        plan: What was captured.
        program: The same, encoded.
        settings: The settings in force: where it goes, and what may be sent in the event.
        more: Lines to add below: what it would cost.
        files: Files that go with it.
        env: Environment variables that are sent with it, in addition to those of the settings.
    """
    inline_limit_bytes, where = settings.inline_limit_bytes, settings.resolved_target()
    staged_frames = Stager(None).frames_to_stage(program.frames, inline_limit_bytes)
    staged_bytes = sum(program.frames.sizes[number] for number in staged_frames)
    rows = [
        (
            shipped.name,
            shipped.type_name,
            size(shipped.size_bytes),
            "staged in S3" if staged_frames and shipped.size_bytes > inline_limit_bytes // 2 else "inline",
            shipped.reason,
        )
        for shipped in program.names
    ]
    rows += [
        (module.name, "own module", size(sum(len(packed(path)) for _, path in module.files)), "inline", module.reason)
        for module in program.plan.own_modules
    ]
    rows += [(name, "file", size(path.stat().st_size), "", "--file") for name, path in files]
    inline_bytes = program.frames.size_bytes - staged_bytes
    notes = [
        f"{size(inline_bytes)} inline in the event, {size(staged_bytes)} staged; target: {where}. Nothing was sent."
    ]
    notes += more
    if variables := [*names_of(settings.send_env), *env]:
        notes.append(f"Environment variables, neither shown nor stored: {', '.join(dict.fromkeys(variables))}")
    if plan.skipped:
        notes.append("Left out: " + "; ".join(f"{name} ({reason})" for name, reason in sorted(plan.skipped.items())))
    if plan.bound:
        notes.append("May be bound: " + ", ".join(sorted(plan.bound)))
    if plan.deleted:
        notes.append("May be deleted: " + ", ".join(sorted(plan.deleted)))
    named = mentioned(plan.code) if isinstance(plan, CapturePlan) else []
    for name in [each for each in named if each not in dict(files)]:
        notes.append(f"The cell names the local file {name}: add --file {name} to send it.")
    notes += map(edited_note, edited(plan))
    if plan.imports:
        notes.append("Modules used by reference: " + ", ".join(sorted(plan.imports)))
    return Table("What would be sent to Lambda", ("name", "type", "size>", "where", "why~"), rows, notes)
