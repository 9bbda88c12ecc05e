"""Every setting, with its default, its limits and its help. `docs/configuration.md` is written from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, cast

from lambdamagic.config.fields import Spec, Value
from lambdamagic.limits import AWS_LAMBDA, Limit


def _setting(default: Value, **spec: Any) -> Any:
    # Any, as dataclasses.field itself is typed: the annotation beside it says what the setting holds.
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
        help="Where jobs run; auto is aws if `function` and `bucket` are both set, else the embedded Lambda",
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
        help="The bucket that keeps what is too large for an invocation",
    )
    region: str | None = _setting(
        None,
        pattern=r"[a-z]{2,}(-[a-z0-9]+)+",
        shape="a region such as eu-central-1",
        help="The AWS region; unset, boto3 finds it",
    )
    profile: str | None = _setting(
        None,
        pattern=r".+",
        shape="the name of a profile",
        help="The profile of ~/.aws/config; unset, boto3 finds the credentials",
    )
    endpoint_url: str | None = _setting(
        None,
        pattern=r"https?://[^/\s]+(/\S*)?",
        shape="an http or https URL",
        help="Where Lambda and S3 are, if not at AWS's own endpoints",
    )
    memory_mb: int = _setting(
        2048,
        kind="int",
        **_size(AWS_LAMBDA.memory_mb),
        help="The memory of the execution environment; 1,769 MB come with one full vCPU, more with more",
    )
    timeout_s: int = _setting(
        300,
        kind="int",
        **_size(AWS_LAMBDA.timeout_s),
        help="How long one invocation may take",
    )
    python: str | None = _setting(
        None,
        pattern=r"3\.(1[1-9]|[2-9]\d)",
        shape="a version such as 3.12",
        help="The Python that the function runs; unset, the notebook's own minor version",
    )
    deploy: Literal["ask", "always", "never"] = _setting(
        "ask",
        choices=("ask", "always", "never"),
        help=(
            "Whether a notebook's first cell on AWS may deploy the function that is not there yet, and a later one add "
            "packages that it imports; ask is once for each, and where nobody can be asked it is an error"
        ),
    )
    variants: Literal["ask", "always", "never"] = _setting(
        "ask",
        choices=("ask", "always", "never"),
        help=(
            "Whether a job that asks for more memory or time than the function has may make a variant of it in that "
            "size; ask is once a session, and where nobody can be asked it is an error"
        ),
    )
    parity: Literal["versions", "missing", "off"] = _setting(
        "versions",
        choices=("versions", "missing", "off"),
        help=(
            "What is compared with the packages that the function publishes, before anything is sent: major and minor "
            "versions, only whether they are there, or nothing"
        ),
    )
    serializer: Literal["auto", "dill", "cloudpickle"] = _setting(
        "auto",
        choices=("auto", "dill", "cloudpickle"),
        help="How values travel; auto takes the C pickler for data and dill for code and the rest",
    )
    mode: Literal["auto", "sync", "event", "trigger"] = _setting(
        "auto",
        choices=("auto", "sync", "event", "trigger"),
        help=(
            "How invocations are made: sync holds a connection until the answer is there, event lets Lambda queue them "
            "and finds the answers in the bucket, trigger uploads them and lets the bucket start the function; auto is "
            "sync"
        ),
    )
    max_concurrency: int = _setting(
        64,
        kind="int",
        least=1,
        most=10_000,
        unit="invocations",
        help=(
            "How many invocations of a job run at once: each holds a thread and a connection here, and an account's "
            "quota of 1,000 (new accounts: less) is shared with everything else in it"
        ),
    )
    chunksize: int | None = _setting(
        None,
        kind="int",
        least=1,
        unit="tasks",
        help="How many tasks one invocation carries; unset, it is chosen from their number and duration",
    )
    cache: bool = _setting(
        False,
        kind="bool",
        help=(
            "Whether values of tasks are kept in the bucket, so that a task whose callable, arguments and environment "
            "are as before is not run again"
        ),
    )
    retries: int = _setting(
        0,
        kind="int",
        least=0,
        most=100,
        unit="retries",
        help="How often a task that failed is run again, whatever the reason; what was throttled always is",
    )
    retry_on: str | None = _setting(
        None,
        pattern=r"[A-Za-z_][\w.<>]*( *, *[A-Za-z_][\w.<>]*)*",
        shape="names of exceptions such as ValueError, requests.exceptions.ConnectionError",
        help="Which exceptions `retries` is for, with their subclasses; unset, all",
    )
    retry_memory_mb: int | None = _setting(
        None,
        kind="int",
        **_size(AWS_LAMBDA.memory_mb),
        help="What ran out of memory is run again with twice as much, up to this; unset, it is not",
    )
    backups: bool = _setting(
        False,
        kind="bool",
        help=(
            "Whether, once all of a map is sent, what takes much longer than its siblings is run a second time beside "
            "itself: the first outcome counts, and such tasks may run twice"
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
        help="The largest payload that rides in the event itself; larger ones are staged in the bucket",
    )
    max_cost_usd: float | None = _setting(
        20.0,
        kind="float",
        least=0,
        most=1_000_000,
        unit="US dollars",
        help=(
            "What a job may cost at list price before nothing more of it is launched; set by an executor, what all its "
            "jobs may cost together; 0 sets no limit, and unset there is none where nobody pays (the target local)"
        ),
    )
    quiet: bool = _setting(False, kind="bool", help="Whether to show results only, and no progress or reports")
    view: Literal["auto", "widget", "html", "text"] = _setting(
        "auto",
        choices=("auto", "widget", "html", "text"),
        help=(
            "How a job under way is shown in a notebook: the live widget, HTML without one, or lines of text; auto is "
            "the widget where its library is installed"
        ),
    )
    local_port: int = _setting(
        0,
        kind="int",
        least=0,
        most=65_535,
        help="The embedded Lambda's port; 0 takes any free one",
    )
    on_error: Literal["raise", "return"] = _setting(
        "raise",
        choices=("raise", "return"),
        help="Whether a failed task of a map raises, or its exception stands among the results",
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
