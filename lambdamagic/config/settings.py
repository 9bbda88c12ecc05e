"""Every setting, with its default, its limits and its help. `docs/configuration.md` is written from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, cast

from lambdamagic.config.fields import Spec, Value
from lambdamagic.limits import AWS_LAMBDA, Limit


def _setting(default: Value, **spec: Any) -> Any:
    # Any, as dataclasses.field itself is typed: the annotation next to it is the setting's type.
    return field(default=default, metadata={"spec": Spec(**spec)})


def _size(limit: Limit) -> dict[str, Any]:
    """Return what a setting has from a limit of the compute, above which the provider decides."""
    shown = {"least": limit.least, "most": limit.most, "unit": limit.unit, "source": limit.source}
    return {**shown, "refuses_above": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, checked. Immutable; made by `load_settings`, or directly by programs that need no layers.

    Memory is in MB as Lambda counts it (MiB), times in seconds, sizes in bytes.
    """

    target: Literal["auto", "local", "aws"] = _setting(
        "auto",
        choices=("auto", "local", "aws"),
        help="Where jobs run; auto is aws if `function` and `bucket` are set, otherwise the embedded Lambda",
    )
    function: str | None = _setting(
        None,
        pattern=r"(arn:[\w-]+:lambda:[\w-]+:\d{12}:function:|\d{12}:(function:)?)?[\w-]{1,64}(:[\w$-]{1,128})?",
        shape="a function's name, partial ARN or ARN",
        source='"Invoke", Lambda API reference',
        help="The deployed function",
    )
    bucket: str | None = _setting(
        None,
        pattern=r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        shape="a bucket's name",
        source='"General purpose bucket naming rules", Amazon S3 User Guide',
        help="The bucket for payloads that are too large for an invocation",
    )
    region: str | None = _setting(
        None,
        pattern=r"[a-z]{2,}(-[a-z0-9]+)+",
        shape="a region such as eu-central-1",
        help="The AWS region; if unset, boto3's default",
    )
    profile: str | None = _setting(
        None,
        pattern=r".+",
        shape="the name of a profile",
        help="The profile of ~/.aws/config; if unset, boto3's default credentials",
    )
    endpoint_url: str | None = _setting(
        None,
        pattern=r"https?://[^/\s]+(/\S*)?",
        shape="an http or https URL",
        help="The endpoint of Lambda and S3, if not AWS's own",
    )
    memory_mb: int = _setting(
        2048,
        kind="int",
        **_size(AWS_LAMBDA.memory_mb),
        help="The memory of the execution environment; 1,769 MB include one full vCPU, and CPU scales with memory",
    )
    timeout_s: int = _setting(
        300,
        kind="int",
        **_size(AWS_LAMBDA.timeout_s),
        help="The maximum duration of one invocation",
    )
    python: str | None = _setting(
        None,
        pattern=r"3\.(1[1-9]|[2-9]\d)",
        shape="a version such as 3.12",
        help="The function's Python version; if unset, the notebook's minor version",
    )
    deploy: Literal["ask", "always", "never"] = _setting(
        "ask",
        choices=("ask", "always", "never"),
        help=(
            "Whether a notebook's first cell on AWS may deploy a missing function, and whether later cells may add "
            "packages that they import; ask prompts once for each, and is an error where no prompt is possible"
        ),
    )
    variants: Literal["ask", "always", "never"] = _setting(
        "ask",
        choices=("ask", "always", "never"),
        help=(
            "Whether a job that needs more memory or time than the function has may create a variant of that size; "
            "ask prompts once per session, and is an error where no prompt is possible"
        ),
    )
    parity: Literal["versions", "missing", "off"] = _setting(
        "versions",
        choices=("versions", "missing", "off"),
        help=(
            "How imported packages are checked against the function's before anything is sent: versions compares major "
            "and minor versions, missing only checks that they are installed, off checks nothing"
        ),
    )
    serializer: Literal["auto", "dill", "cloudpickle"] = _setting(
        "auto",
        choices=("auto", "dill", "cloudpickle"),
        help="How values are pickled; auto uses the C pickler for data, and dill for code and everything else",
    )
    mode: Literal["auto", "sync", "event", "trigger"] = _setting(
        "auto",
        choices=("auto", "sync", "event", "trigger"),
        help=(
            "How invocations are made: sync keeps a connection open until the answer arrives; event lets Lambda queue "
            "them and reads the answers from the bucket; trigger uploads them and lets the bucket start the function; "
            "auto is sync"
        ),
    )
    max_concurrency: int = _setting(
        64,
        kind="int",
        least=1,
        most=10_000,
        unit="invocations",
        help=(
            "The maximum number of concurrent invocations of a job; each uses a local thread and connection, and "
            "counts toward the account's quota of 1,000 (less in new accounts)"
        ),
    )
    chunksize: int | None = _setting(
        None,
        kind="int",
        least=1,
        unit="tasks",
        help="The number of tasks per invocation; if unset, chosen from their number and duration",
    )
    cache: bool = _setting(
        False,
        kind="bool",
        help=(
            "Whether results of tasks are cached in the bucket; a task with the same callable, arguments and "
            "environment is not run again"
        ),
    )
    retries: int = _setting(
        0,
        kind="int",
        least=0,
        most=100,
        unit="retries",
        help="How often a failed task is retried, for any reason; throttled invocations are always retried",
    )
    retry_on: str | None = _setting(
        None,
        pattern=r"[A-Za-z_][\w.<>]*( *, *[A-Za-z_][\w.<>]*)*",
        shape="names of exceptions such as ValueError, requests.exceptions.ConnectionError",
        help="The exceptions that `retries` applies to, with their subclasses; if unset, all",
    )
    retry_memory_mb: int | None = _setting(
        None,
        kind="int",
        **_size(AWS_LAMBDA.memory_mb),
        help="The memory limit for retries after out of memory, each with twice as much; if unset, no retry",
    )
    backups: bool = _setting(
        False,
        kind="bool",
        help=(
            "Whether a map's slowest tasks are started a second time once all tasks are sent; the first outcome "
            "counts, and such tasks may run twice"
        ),
    )
    inline_limit_bytes: int = _setting(
        4 * 1024 * 1024,
        kind="int",
        least=0,
        most=AWS_LAMBDA.inline_bytes,
        unit="bytes",
        source=f"{AWS_LAMBDA.sync_payload_bytes.most:,} for a synchronous event by "
        f"{AWS_LAMBDA.sync_payload_bytes.source}, less Base64 and the envelope",
        help="The largest payload that is sent in the event itself; larger ones are staged in the bucket",
    )
    max_cost_usd: float | None = _setting(
        20.0,
        kind="float",
        least=0,
        most=1_000_000,
        unit="US dollars",
        help=(
            "The cost limit of a job in US dollars at list price; when it is reached, nothing more is launched. On an "
            "executor, the limit of all its jobs together. 0 is no limit; the target local has none unless set"
        ),
    )
    warn_upload_mb: int = _setting(
        100,
        kind="int",
        least=0,
        most=1_000_000,
        unit="MB",
        help="A job on AWS that sends more than this is warned about before its upload; 0 is no warning",
    )
    send_env: str | None = _setting(
        None,
        pattern=r"[A-Za-z_]\w*( *, *[A-Za-z_]\w*)*",
        shape="names of environment variables such as HF_TOKEN, WANDB_API_KEY",
        help=(
            "The environment variables, tokens for example, that code finds on Lambda as it does here; their values "
            "are sent with each invocation, and never shown or stored"
        ),
    )
    quiet: bool = _setting(False, kind="bool", help="Whether to show results only, without progress or reports")
    view: Literal["auto", "widget", "html", "text"] = _setting(
        "auto",
        choices=("auto", "widget", "html", "text"),
        help=(
            "How a running job is shown in a notebook: the live widget, HTML, or lines of text; auto is the widget if "
            "its library is installed"
        ),
    )
    local_port: int = _setting(
        0,
        kind="int",
        least=0,
        most=65_535,
        help="The embedded Lambda's port; 0 is any free port",
    )
    on_error: Literal["raise", "return"] = _setting(
        "raise",
        choices=("raise", "return"),
        help="Whether a failed task of a map raises its exception, or returns it among the results",
    )

    def resolved_target(self) -> Literal["local", "aws"]:
        """Return where jobs run, with auto decided."""
        if self.target == "auto":
            return "aws" if self.function and self.bucket else "local"
        return self.target

    def missing_for_aws(self) -> list[str]:
        """Return the names of the settings without which the target aws cannot work."""
        return [name for name in ("function", "bucket") if getattr(self, name) is None]


SPECS: Mapping[str, Spec] = {each.name: each.metadata["spec"] for each in fields(Settings)}
"""The description of every setting, in the order of the class."""

DEFAULTS: Mapping[str, Value] = {each.name: cast("Value", each.default) for each in fields(Settings)}
"""The default of every setting."""
