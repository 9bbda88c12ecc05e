"""Checks of the account: credentials, region, identity, bucket, function and its packages, concurrency."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from typing import Any

from lambdamagic.aws.access import AwsAccess
from lambdamagic.aws.aws_errors import AwsContext, error_from_botocore
from lambdamagic.config import Settings
from lambdamagic.deploy.functions import FunctionFacts, describe_function
from lambdamagic.deploy.installed import AGENT_DISTRIBUTIONS, distributions_of, pinned
from lambdamagic.deploy.parity import differences, fix_of
from lambdamagic.doctor.findings import Finding
from lambdamagic.doctor.rights_checks import Who
from lambdamagic.errors import LambdaMagicError
from lambdamagic.protocol import PROTOCOL_VERSION
from lambdamagic.protocol.holdings import Holdings, unpack
from lambdamagic.protocol.keys import PREFIX
from lambdamagic.pythons import python_here

Client = Callable[[str], Any]

#: botocore's names for where it found credentials, in words.
_SOURCES = {
    "env": "environment variables",
    "explicit": "given to lambdamagic",
    "shared-credentials-file": "the credentials file",
    "config-file": "the config file",
    "assume-role": "a role that the profile assumes",
    "assume-role-with-web-identity": "a web identity token",
    "sso": "SSO (IAM Identity Center)",
    "login": "`aws login`",
    "custom-process": "credential_process of the profile",
    "container-role": "the container's role",
    "iam-role": "the instance's role",
}


def client_maker(access: AwsAccess) -> Client:
    """Return a factory of clients that fail soon when something is wrong."""
    return lambda service: access.client(
        service, connect_timeout=5, read_timeout=20, retries={"max_attempts": 2, "mode": "standard"}
    )


def check_credentials(access: AwsAccess, settings: Settings) -> Finding:
    """Whether there are credentials, from where, and whether they can be used now. Shows none of them."""
    try:
        found = access.session().get_credentials()
        frozen = access.credentials()
    except LambdaMagicError as error:
        return _failed("credentials", error)
    method = str(getattr(found, "method", ""))
    source = _SOURCES.get(method, method or "unknown")
    profile = settings.profile or access.session().profile_name
    text = f"from {source}" + (f", profile {profile}" if method not in ("env", "explicit") else "")
    kind = "temporary" if frozen.token else "long-lived"
    facts = {"source": method, "profile": profile, "kind": kind, "key_id_end": frozen.access_key[-4:]}
    return Finding("credentials", "ok", f"{kind}, {text}, key id …{frozen.access_key[-4:]}", facts=facts)


def check_region(access: AwsAccess, settings: Settings) -> Finding:
    """Which region is in force."""
    try:
        region = access.region
    except LambdaMagicError as error:
        return _failed("region", error)
    where = "the setting `region`" if settings.region else "boto3's own search"
    known = access.session().get_available_regions("lambda") if access.endpoint_url is None else []
    if known and region not in known:
        from difflib import get_close_matches

        near = get_close_matches(region, known, n=1)
        fix = f"Set the region to {near[0]}" if near else "Set the setting `region`, or AWS_DEFAULT_REGION"
        return Finding("region", "warning", f"{region} is not among the {len(known)} regions that boto3 knows", fix)
    return Finding("region", "ok", f"{region} (from {where})", facts={"region": region})


def check_identity(client: Client) -> tuple[Finding, Who | None]:
    """The identity of these credentials."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        with closing(client("sts")) as sts:
            reported = sts.get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        return _failed("identity", error_from_botocore(error, AwsContext("identify the credentials"))), None
    except LambdaMagicError as error:
        return _failed("identity", error), None
    who = Who(str(reported["Arn"]), str(reported["Account"]))
    state = "warning" if who.arn.endswith(":root") else "ok"
    fix = "Do not use the account's root user; create a role or user with the policy of `lambdamagic policy user`"
    facts = {"arn": who.arn, "account": who.account_id}
    return Finding("identity", state, who.arn, fix if state == "warning" else "", facts), who  # type: ignore[arg-type]


def check_bucket(client: Client, bucket: str | None, *, region: str) -> Finding:
    """Whether the bucket is there, may be used, and is in the function's region."""
    from botocore.exceptions import BotoCoreError, ClientError

    if bucket is None:
        text = "no bucket is set: values above 4 MB and mode event do not work"
        return Finding("bucket", "warning", text, "Run `lambdamagic deploy`, or set LAMBDAMAGIC_BUCKET")
    try:
        with closing(client("s3")) as s3:
            # Not HeadBucket, which needs the right to list all of it: the printed policy allows our prefix alone.
            answer = s3.list_objects_v2(Bucket=bucket, Prefix=f"{PREFIX}/", MaxKeys=1)
    except (BotoCoreError, ClientError) as error:
        code = getattr(error, "response", {}).get("Error", {}).get("Code")
        if code == "NoSuchBucket":
            fix = "Create it (`lambdamagic deploy` does), or set `bucket` to an existing one"
            return Finding("bucket", "failed", f"no bucket {bucket!r}", fix)
        return _failed("bucket", error_from_botocore(error, AwsContext(f"look at {bucket}", bucket=bucket)))
    theirs = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region") or region
    if theirs != region:
        text = f"{bucket} is in {theirs}, the function in {region}: slower, and traffic between regions costs"
        return Finding("bucket", "warning", text, f"Use a bucket in {region}", {"region": theirs})
    return Finding("bucket", "ok", bucket, facts={"bucket": bucket, "region": theirs})


def check_function(access: AwsAccess, name: str) -> tuple[Finding, FunctionFacts | None]:
    """Whether the function is there, lambdamagic's and ready; no facts of one that must not be asked anything."""
    try:
        facts = describe_function(access, name)
        facts.check_ours()
    except LambdaMagicError as error:
        return _failed("function", error), None
    update = str(facts.configuration.get("LastUpdateStatus") or "Successful")
    size = f"{facts.memory_mb:,} MB, {facts.timeout_s} s, {facts.runtime or 'image'}, {facts.arch}"
    reported = {"memory_mb": facts.memory_mb, "timeout_s": facts.timeout_s, "state": facts.state, "update": update}
    if facts.state in ("Failed", "Pending") or update != "Successful":
        reason = facts.configuration.get("StateReason") or facts.configuration.get("LastUpdateStatusReason") or ""
        text = f"{name} is not ready: state {facts.state}, last update {update}. {reason}".rstrip()
        fix = "Wait a minute" if "Pending" in text or "InProgress" in text else "Deploy it again"
        return Finding("function", "failed", text, fix, reported), facts
    if facts.state == "Inactive":
        return Finding(
            "function", "warning", f"{name} is inactive; its next start is slow", "Run a cell", reported
        ), facts
    return Finding("function", "ok", f"{name}: {size}", facts=reported), facts


def check_parity(
    function: FunctionFacts,
    fetch: Callable[[str], bytes],
    modules: Iterable[str],
    *,
    ask: Callable[[], Holdings | None] = lambda: None,
) -> Iterable[Finding]:
    """Whether the function's Python, protocol and packages go with those of here.

    Args:
        function: The function.
        fetch: Gets a document from the bucket by its key.
        modules: Modules that the notebook has imported, full names.
        ask: Asks the function itself, where it publishes nothing.
    """
    here = python_here()
    holdings: Holdings | None = None
    trouble = ""
    if function.held is not None:
        try:
            holdings = unpack(function.held, fetch)
        except (LambdaMagicError, FileNotFoundError) as error:
            trouble = str(error)
    else:
        holdings = ask()
    python = holdings.python if holdings else function.runtime.removeprefix("python")
    redo = holdings.made_by if holdings and holdings.made_by else "lambdamagic deploy"
    if python and python != here:
        fix = f"Run `{redo}` from this environment, or use a notebook with Python {python}"
        yield Finding("function's Python", "failed", f"{python} there, {here} here", fix, {"python": python})
    else:
        text = python or "unknown: the image does not state it"
        yield Finding("function's Python", "ok" if python else "skipped", text, facts={"python": python})
    if holdings is None:
        text = (
            f"its package list cannot be read: {trouble}" if trouble else "the function does not publish its packages"
        )
        fix = "Deploy it with lambdamagic, so that missing packages are reported before a job is sent"
        yield Finding("function's packages", "warning", text, fix)
        return
    if holdings.protocol != PROTOCOL_VERSION:
        text = f"it has lambdamagic {holdings.lambdamagic}, protocol {holdings.protocol}; here {PROTOCOL_VERSION}"
        yield Finding("protocol", "failed", text, f"Run `{redo}`", {"protocol": holdings.protocol})
    else:
        there = f" (lambdamagic {holdings.lambdamagic} there)" if holdings.lambdamagic else ""
        text = f"{holdings.protocol}{there}"
        yield Finding("protocol", "ok", text, facts={"protocol": holdings.protocol})
    yield _package_parity(holdings, modules, redo)


def _package_parity(holdings: Holdings, modules: Iterable[str], redo: str) -> Finding:
    imported = list(modules)
    found = differences(imported, holdings)
    shared = _shared_but_different(holdings, {each.name for each in found})
    facts = {"packages": len(holdings.packages), "differing": [str(each) for each in (*found, *shared)]}
    if found:
        wanted = pinned({each.name: each.here for each in found})
        text = "this notebook has imported: " + "; ".join(map(str, found))
        return Finding("function's packages", "warning", text, fix_of(holdings, wanted), facts)
    if shared:
        text = "versions differ from this machine's: " + "; ".join(shared[:6])
        return Finding("function's packages", "warning", text, f"Run `{redo}` with the versions that you use", facts)
    used = len(distributions_of(imported))
    number = len(holdings.packages)
    text = f"{number} {'package' if number == 1 else 'packages'}" + (
        f", all {used} that the notebook has imported" if used else ""
    )
    return Finding("function's packages", "ok", text, facts=facts)


def _shared_but_different(holdings: Holdings, reported: set[str]) -> list[str]:
    from importlib import metadata

    different = []
    for name, there in holdings.packages.items():
        if name in reported or name in AGENT_DISTRIBUTIONS or name in ("pip", "setuptools", "wheel"):
            continue
        try:
            here = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        if here.split(".")[:2] != there.split(".")[:2]:
            different.append(f"{name} is {here} here and {there} there")
    return different


def check_concurrency(client: Client, function: FunctionFacts | None, *, wanted: int) -> Finding:
    """The account's concurrency, compared with the number that jobs request."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        with closing(client("lambda")) as lambda_:
            limit: Mapping[str, Any] = lambda_.get_account_settings()["AccountLimit"]
    except (BotoCoreError, ClientError) as error:
        ours = error_from_botocore(error, AwsContext("get the account's limits"))
        return Finding("concurrency", "skipped", ours.message, "Allow lambda:GetAccountSettings to see it")
    quota, left = int(limit["ConcurrentExecutions"]), int(limit["UnreservedConcurrentExecutions"])
    facts = {"quota": quota, "unreserved": left, "wanted": wanted}
    text = f"{left:,} of the account's {quota:,} are unreserved; a job uses up to {wanted:,}"
    if left < wanted:
        fix = f"Set max_concurrency to {left or 1}, or request a higher quota (Service Quotas, Concurrent executions)"
        return Finding("concurrency", "warning", f"{text}: more is throttled", fix, facts)
    return Finding("concurrency", "ok", text, facts=facts)


def _failed(check: str, error: LambdaMagicError) -> Finding:
    return Finding(check, "failed", error.message, error.hint or "", {"error": type(error).__name__})
