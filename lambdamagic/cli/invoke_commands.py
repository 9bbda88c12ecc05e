"""`lambdamagic invoke|warm|demo`: running something on a function."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from lambdamagic.cli.app import App, examples, with_common_options
from lambdamagic.cli.exits import RAN_AND_FAILED


def _executor_options(app: App, function: str | None) -> dict[str, Any]:
    """Return the options of `LambdaExecutor` for the account and function that this command line names."""
    options: dict[str, Any] = dict(app.options)
    if function is not None:
        options |= {"function": function, "target": "aws"}
    if app.options.get("target") == "local" and function is not None:
        access = app.access()
        keys = access.credentials()
        options |= {
            "endpoint_url": access.endpoint_url,
            "region": access.region,
            "aws_access_key_id": keys.access_key,
            "aws_secret_access_key": keys.secret_key,
        }
    return options


@click.command(
    epilog=examples(
        'lambdamagic invoke --code "import platform; platform.machine()"',
        "lambdamagic invoke my-function --payload '{\"a\": 1}'",
    )
)
@click.argument("name", required=False)
@click.option("-c", "--code", metavar="PYTHON", help="Python code to run; the last expression's value is printed.")
@click.option("--file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A file of Python to run.")
@click.option("--payload", metavar="JSON", help="Send this event unchanged (for functions with another handler).")
@with_common_options
def invoke(app: App, name: str | None, code: str | None, file: Path | None, payload: str | None) -> None:
    """Run Python code on a function, or send it an event.

    NAME is by default the function in the settings; without one the code runs on an embedded Lambda.
    """
    if sum(each is not None for each in (code, file, payload)) != 1:
        raise click.UsageError("give exactly one of --code, --file and --payload")
    if payload is not None:
        _send(app, name or app.settings().settings.function or "lambdamagic", payload)
        return
    from lambdamagic.api.snippet import run_snippet
    from lambdamagic.deploy.notebooks import read_python

    source = code if code is not None else read_python(file or Path())
    try:
        done = run_snippet(source, **_executor_options(app, name))
    except SyntaxError as error:
        raise click.UsageError(
            f"invalid Python: {error.msg}{f' (line {error.lineno})' if error.lineno else ''}"
        ) from error
    if done.failure is not None:
        import traceback

        app.out.note("".join(traceback.format_tb(done.failure.__traceback__)[-1:]).rstrip())
        app.out.problem(
            type(done.failure).__name__, f"{type(done.failure).__name__}: {done.failure}", status=RAN_AND_FAILED
        )
        raise click.exceptions.Exit(RAN_AND_FAILED)
    if app.out.as_json:
        app.out.document({"output": done.output, "value": done.shown})
        return
    click.echo(done.output, nl=False)
    if done.shown is not None:
        app.out.text(done.shown)


def _send(app: App, name: str, payload: str) -> None:
    from lambdamagic.deploy.raw_invoke import send_event
    from lambdamagic.jobs.charges import note_invocation
    from lambdamagic.protocol.report import parse_report

    access = app.access()
    done = send_event(access, name, payload)
    report = parse_report(done.log_tail)
    note_invocation(f"invoke {name}", report, {"target": "aws"}, region=access.region, arch=done.arch)
    if done.refusal:
        app.out.problem(
            "ProtocolError",
            f"{name} refused the event: {done.refusal}",
            hint=f"`lambdamagic invoke {name} --code PYTHON` runs code on a function for cells",
            status=RAN_AND_FAILED,
        )
        raise click.exceptions.Exit(RAN_AND_FAILED)
    if app.out.as_json:
        app.out.document({"payload": done.payload, "error": done.error, "log": done.log_tail})
    else:
        app.out.text(done.payload)
        for line in done.log_tail.splitlines():
            app.out.note(line)
    if done.error:
        raise click.exceptions.Exit(RAN_AND_FAILED)


@click.command(epilog=examples("lambdamagic warm 20"))
@click.argument("count", type=click.IntRange(1, 1000), metavar="N")
@click.option("--function", metavar="NAME", help="The function; by default the one in the settings.")
@with_common_options
def warm(app: App, count: int, function: str | None) -> None:
    """Start N execution environments, so that the next jobs begin without cold starts.

    Lambda keeps them for some minutes of no use. Billed: about a second of each.
    """
    from lambdamagic.api.warming import warm_up

    began = time.monotonic()
    done = warm_up(count, **_executor_options(app, function))
    seconds = time.monotonic() - began
    if app.out.as_json:
        app.out.document(
            {"wanted": count, "warm": done.environments, "started": done.cold, "seconds": round(seconds, 3)}
        )
    else:
        are = "environment is" if done.environments == 1 else "environments are"
        app.out.text(f"{done.environments} {are} warm, {done.cold} of them new ({seconds:.1f} s)")


@click.command(epilog=examples("lambdamagic demo --target local --points 20000"))
@click.option("--points", type=click.IntRange(1_000, 100_000_000), default=400_000, help="Points for each of 16 tasks.")
@with_common_options
def demo(app: App, points: int) -> None:
    """Estimate pi with 16 parallel tasks: on the deployed function, or on a separate embedded Lambda."""
    from lambdamagic.api.demonstration import estimate_pi

    began = time.monotonic()
    done = estimate_pi(points, **app.options)
    seconds = time.monotonic() - began
    if app.out.as_json:
        document = {"pi": done.pi, "tasks": done.tasks, "seconds": round(seconds, 3), "target": done.target}
        app.out.document({**document, "billed_ms": done.billed_ms, "cost_usd": done.cost_usd})
        return
    where = "the embedded Lambda on this machine" if done.target == "local" else f"AWS ({done.function})"
    app.out.text(f"pi is about {done.pi:.4f}: {done.tasks} tasks of {points:,} points on {where} in {seconds:.1f} s")
    app.out.text(f"billed: {done.billed_ms / 1000:.1f} s" + (f", {done.cost_usd:.6f} USD" if done.cost_usd else ""))
