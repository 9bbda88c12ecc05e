"""Before a job goes to AWS: the function that is not there is deployed, and a package that it lacks added, if wanted.

Here and not in the target, since what is deployed is what the notebook imports, and since only the cell's own thread
can ask.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from lambdamagic.config import ResolvedSettings
from lambdamagic.deploy.checks import check_stack_name
from lambdamagic.deploy.deployment import Deployed
from lambdamagic.deploy.first_deployment import DEFAULT_NAME, FirstUse, provide
from lambdamagic.deploy.stack import StackEvent
from lambdamagic.deploy.wheels import WheelSource
from lambdamagic.errors import ConfigError, CredentialsError, FunctionMissingError, ParityError
from lambdamagic.jobs.encoding import Program
from lambdamagic.jobs.job import FunctionRef
from lambdamagic.magics.deploy_line import access_of, needs_of_session, overriding_notes, write_deployed
from lambdamagic.magics.front import ask, can_ask
from lambdamagic.magics.session import Session
from lambdamagic.runs.spec import fitting_function
from lambdamagic.targets.account_target import Account

_MADE_HERE = "the deployment created for this cell"
_SETTING = 'deploy = "always" (LAMBDAMAGIC_DEPLOY=always, or %config LambdaMagics.deploy = "always")'


def ready(
    session: Session, resolved: ResolvedSettings, program: Program
) -> tuple[ResolvedSettings, FunctionRef | None]:
    """Return the settings that a job runs under, after its function was created or updated if needed and confirmed.

    With them comes the function, if it exists and needs no update.

    Args:
        session: The notebook's session.
        resolved: The settings in force; the target is `aws`.
        program: What is to run; what it imports is put in.

    Raises:
        FunctionMissingError, ParityError: It was declined, or no prompt was possible; nothing was sent.
        LambdaMagicError: There is another reason why the job cannot run, or the deployment failed.
    """
    try:
        target = session.target(resolved)
        try:
            return resolved, fitting_function(resolved, target, program)
        except CredentialsError:
            session.opened.forget(target)  # the next cell looks again: the user may have signed in meanwhile
            raise
    except FunctionMissingError as error:
        return _made(session, resolved, program, error), None
    except ParityError as error:
        _add_packages(session, resolved, error)
    return resolved, None


def _made(
    session: Session, resolved: ResolvedSettings, program: Program, error: FunctionMissingError
) -> ResolvedSettings:
    settings = resolved.settings
    name = settings.function or DEFAULT_NAME
    key = ("deploy", name, settings.region or "", settings.profile or "")
    if settings.deploy == "never" or (settings.deploy == "ask" and key in session.declined):
        raise error
    try:
        check_stack_name(name)
    except ConfigError:
        raise error from None  # such as an ARN: it names what others made
    if settings.deploy == "ask" and not can_ask(session.shell):
        error.hint = f"{error.hint}. Or let the first cell deploy it: {_SETTING}"
        raise error
    access = access_of(settings)
    first = FirstUse.plan(access, resolved, needs_of_session(session, program.imports))
    if settings.deploy == "ask" and not ask(session.shell, first.question, first.explanation):
        session.declined.add(key)
        raise error
    note = partial(_note, quiet=settings.quiet)
    if settings.deploy == "always":
        note(first.explanation)
    done = first.deploy(access, on_note=note, on_event=partial(_event, note))
    written = write_deployed(done, access.region, settings)
    note("\n".join([f"{done.function} is deployed; settings written to {written}", *overriding_notes(), ""]))
    session.forget_targets()
    return _with(resolved, done, access.region)


def _add_packages(session: Session, resolved: ResolvedSettings, error: ParityError) -> None:
    setting = resolved.settings.deploy
    key = ("add", error.deployment, *error.requirements)
    if setting == "never" or not error.deployment or (setting == "ask" and key in session.declined):
        raise error
    wanted = " ".join(error.requirements)
    target = session.target(resolved)
    assert isinstance(target, Account), "only functions in an account publish what they hold"
    if setting == "ask":
        answer = ask(
            session.shell,
            f"Add {wanted} to {error.deployment} ({target.region}), for all its users?",
            error.message.replace(" (nothing was sent)", "") + ".",
        )
        if answer is None:
            error.hint = f"{error.hint}. Or let the cell add it: {_SETTING}"
        if not answer:
            session.declined |= {key} if answer is False else set()
            raise error
    note = partial(_note, quiet=resolved.settings.quiet)
    done = provide(
        target.access,
        error.deployment,
        {},
        source=WheelSource(),
        added=error.requirements,
        on_note=note,
        on_event=partial(_event, note),
    )
    note(f"{done.function} now has {wanted}\n")
    target.refresh()


def _with(resolved: ResolvedSettings, done: Deployed, region: str) -> ResolvedSettings:
    """Return the settings with the deployed function, bucket and region."""
    settings = replace(resolved.settings, function=done.function, bucket=done.bucket, region=region)
    origins = {**resolved.origins, **dict.fromkeys(("function", "bucket", "region"), _MADE_HERE)}
    return ResolvedSettings(settings, MappingProxyType(origins))


def _note(line: str, *, quiet: bool) -> None:
    """Report progress on stdout, below the question: on stderr front ends would show it as a warning."""
    if not quiet:
        print(line, flush=True)  # noqa: T201  # see above


def _event(note: Callable[[str], None], event: StackEvent) -> None:
    if event.done == "failed":
        note(f"  ✗ {event.resource}: {event.reason}")
    elif event.done:
        note(f"  ✓ {event.resource} {event.done}")
