"""`lambdamagic doctor`: find out why jobs do not run, and how to fix it."""

from __future__ import annotations

import click

from lambdamagic.cli.app import App, examples, with_common_options
from lambdamagic.cli.exits import FAILED

_STYLES = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "bright_black"}


@click.command(epilog=examples("lambdamagic doctor", "lambdamagic doctor --no-invoke --json"))
@click.option("--no-invoke", is_flag=True, help="Skip the two short invocations of the function, which are billed.")
@with_common_options
def doctor(app: App, no_invoke: bool) -> None:
    """Check everything that jobs need, in order, and show how to fix what fails."""
    from lambdamagic.doctor.examine import examine
    from lambdamagic.doctor.findings import SIGNS, summary

    resolved = app.settings()
    findings = []
    for finding in examine(resolved, with_round_trip=not no_invoke):
        findings.append(finding)
        if app.out.as_json:
            continue
        sign = click.style(SIGNS[finding.state], fg=_STYLES[finding.state], bold=True)
        app.out.text(f"{sign} {finding.check:<22}{finding.text}")
        if finding.fix:
            app.out.text(f"  {'':<22}{click.style('-> ', fg='cyan')}{finding.fix}")
    has_failed = any(finding.state == "failed" for finding in findings)
    if app.out.as_json:
        app.out.document({"ok": not has_failed, "checks": [finding.to_json() for finding in findings]})
    else:
        app.out.text()
        app.out.text(summary(findings))
    if has_failed:
        raise click.exceptions.Exit(FAILED)
