"""All checks, in order. Each finding is given as soon as it is known; no check ends the examination."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial

from lambdamagic.aws.access import AwsAccess
from lambdamagic.config import ResolvedSettings
from lambdamagic.deploy.function_holdings import code_mark, query_holdings
from lambdamagic.deploy.functions import FunctionFacts
from lambdamagic.doctor.account_checks import (
    check_bucket,
    check_concurrency,
    check_credentials,
    check_function,
    check_identity,
    check_parity,
    check_region,
    client_maker,
)
from lambdamagic.doctor.findings import Finding
from lambdamagic.doctor.graph_checks import check_graphs
from lambdamagic.doctor.invoker_checks import check_invoker
from lambdamagic.doctor.machine_checks import check_packages, check_python, check_settings
from lambdamagic.doctor.probe import ProbeResult, run_cell
from lambdamagic.doctor.reach import Reached, check_clock, check_reach
from lambdamagic.doctor.rights_checks import check_rights
from lambdamagic.errors import LambdaMagicError
from lambdamagic.jobs.charges import note_invocation
from lambdamagic.protocol.holdings import Holdings
from lambdamagic.targets import open_target
from lambdamagic.targets.target import Target
from lambdamagic.transports.lambda_api import LambdaTransport


def examine(
    resolved: ResolvedSettings,
    *,
    access: AwsAccess | None = None,
    modules: Iterable[str] = (),
    with_round_trip: bool = True,
    target: Target | None = None,
) -> Iterator[Finding]:
    """Yield a finding for each check.

    Args:
        resolved: The settings.
        access: The account; by default the one that boto3 finds by the settings.
        modules: Modules that the notebook has imported, full names.
        with_round_trip: Whether to run a small cell twice: on AWS two invocations of some milliseconds are billed. Also
            whether a function that publishes nothing is asked what it holds, by a third, and an invoker whether it
            is there.
        target: An open target to use for that; by default one is opened, and closed again.
    """
    yield check_python()
    yield check_packages()
    settings = resolved.settings
    yield from check_settings(resolved)
    if settings.resolved_target() == "aws":
        account = access or AwsAccess(
            region=settings.region, profile=settings.profile, endpoint_url=settings.endpoint_url
        )
        failed = False
        for finding in _account(resolved, account, modules, may_invoke=with_round_trip):
            failed = failed or finding.state == "failed"
            yield finding
        if failed or settings.function is None:
            yield Finding("round trip", "skipped", "not tried, because an earlier check failed")
            return
    if with_round_trip:
        yield from _round_trip(resolved, access, target)


def _account(
    resolved: ResolvedSettings, access: AwsAccess, modules: Iterable[str], *, may_invoke: bool
) -> Iterator[Finding]:
    settings, client = resolved.settings, client_maker(access)
    credentials, region = check_credentials(access, settings), check_region(access, settings)
    yield credentials
    yield region
    can_sign = credentials.state == "ok" and region.state != "failed"
    function: FunctionFacts | None = None
    if not can_sign:
        for check in ("identity", "rights", "bucket", "function", "concurrency"):
            yield Finding(check, "skipped", "needs credentials and a region")
    else:
        identity, who = check_identity(client)
        yield identity
        if who is None or settings.function is None:
            yield Finding("rights", "skipped", "needs an identity and a function")
        else:
            yield check_rights(access, who, function=settings.function, bucket=settings.bucket, client=client)
        yield check_bucket(client, settings.bucket, region=access.region)
        if settings.function is None:
            yield Finding("function", "skipped", "no function is set")
        else:
            finding, function = check_function(access, settings.function)
            yield finding
        if function is not None:
            ask = partial(_holdings_of, access, function) if may_invoke else lambda: None
            yield from check_parity(function, _fetch(client, settings.bucket), modules, ask=ask)
            if function.invoker:
                yield check_invoker(access, function, may_invoke=may_invoke)
            if function.runs_graphs:
                yield check_graphs(client, function, settings.bucket)
        yield check_concurrency(client, function, wanted=settings.max_concurrency)
    if region.state == "failed":
        yield Finding("clock", "skipped", "needs a region")
        return
    reached = [*_reach(access)]
    yield check_clock(next((found.skew_s for _, found in reached if found and found.skew_s is not None), None))
    yield from (finding for finding, _ in reached)


def _reach(access: AwsAccess) -> Iterator[tuple[Finding, Reached | None]]:
    """Try to reach Lambda's endpoint and S3's, by the rules of boto3 for endpoints, certificates and proxies."""
    from urllib.request import getproxies, proxy_bypass

    try:
        ca_file = access.ca_file()
    except LambdaMagicError:
        ca_file = None
    for service in ("lambda", "s3"):
        try:
            made = access.client(service)
            url = str(made.meta.endpoint_url)
            made.close()
        except LambdaMagicError as error:
            yield Finding(f"reach {service}", "failed", error.message, error.hint or ""), None
            continue
        host = url.partition("://")[2].partition("/")[0].partition(":")[0]
        proxy = None if proxy_bypass(host) else getproxies().get(url.partition("://")[0])
        yield check_reach(service, url, ca_file=ca_file, proxy=proxy)


def _holdings_of(access: AwsAccess, function: FunctionFacts) -> Holdings | None:
    """Ask a function that does not publish its packages for them, unless its code was examined before."""
    mark = code_mark(function.configuration)
    with closing(LambdaTransport(access, max_connections=1)) as transport:
        return query_holdings(transport, function.name, mark=mark, timeout_s=function.timeout_s)


def _fetch(client: Callable[[str], object], bucket: str | None) -> Callable[[str], bytes]:
    def fetch(key: str) -> bytes:
        from botocore.exceptions import BotoCoreError, ClientError

        if bucket is None:
            raise FileNotFoundError(f"{key}: no bucket is set")
        s3 = client("s3")
        try:
            body = s3.get_object(Bucket=bucket, Key=key)["Body"]  # type: ignore[attr-defined]  # boto3's, made by name
            with body:
                return bytes(body.read())
        except (BotoCoreError, ClientError) as error:
            raise FileNotFoundError(f"{bucket}/{key}: {error}") from error
        finally:
            s3.close()  # type: ignore[attr-defined]  # the same

    return fetch


def _round_trip(resolved: ResolvedSettings, access: AwsAccess | None, target: Target | None) -> Iterator[Finding]:
    """Run a small cell twice: the first measures a cold start, the second a warm cell."""
    # What was asked for in size is not the question here, and a variant is not to be made for it.
    plain = replace(
        resolved, origins={k: v for k, v in resolved.origins.items() if k not in ("memory_mb", "timeout_s")}
    )
    opened = None
    try:
        if target is None:
            target = opened = open_target(resolved.settings, access)
        for turn in ("first", "second"):
            found = run_cell(target, plain, "answer = question * 2", question=21)
            if found.bound.get("answer") != 42:
                yield Finding("round trip", "failed", f"a cell returned {found.bound.get('answer')!r} instead of 42")
                return
            if target.is_billed:
                where = {"target": target.name}
                note_invocation("doctor", found.report, where, region=target.region, arch=found.arch)
            yield _timed(turn, found)
    except LambdaMagicError as error:
        yield Finding("round trip", "failed", error.message, error.hint or "", {"error": type(error).__name__})
    finally:
        if opened is not None:
            opened.close()


def _timed(turn: str, found: ProbeResult) -> Finding:
    elapsed_ms = found.elapsed_s * 1000
    init_ms = found.report.init_ms if found.report else 0.0
    run_ms = found.report.duration_ms if found.report else 0.0
    way_ms = max(0.0, elapsed_ms - init_ms - run_ms)
    facts = {"elapsed_ms": elapsed_ms, "request_ms": way_ms, "init_ms": init_ms, "run_ms": run_ms}
    facts["cell_ms"] = found.user_ms
    parts = [f"request and answer {way_ms:,.0f}"]
    if init_ms:
        parts.append(f"INIT {init_ms:,.0f}")
    parts.append(f"run {run_ms:,.0f} ms (the cell itself {found.user_ms:,.1f})")
    text = f"{found.function}: {elapsed_ms:,.0f} ms: {', '.join(parts)}"
    return Finding(f"round trip, {turn}", "ok", text, facts={**facts, "function": found.function})
