"""The check of a function's invoker, where it has one."""

from __future__ import annotations

from contextlib import closing

from lambdamagic.aws.access import AwsAccess
from lambdamagic.deploy.functions import FunctionFacts
from lambdamagic.doctor.findings import Finding
from lambdamagic.errors import LambdaMagicError
from lambdamagic.jobs.batches import knock
from lambdamagic.jobs.job import FunctionRef
from lambdamagic.transports.lambda_api import LambdaTransport


def check_invoker(access: AwsAccess, function: FunctionFacts, *, may_invoke: bool) -> Finding:
    """Whether the invoker is there, may be invoked, and takes what this lambdamagic sends: by a batch without events.

    Args:
        access: The account.
        function: A function that has one.
        may_invoke: Whether it may be asked, which is billed as an invocation of some milliseconds.
    """
    if not may_invoke:
        return Finding("invoker", "skipped", f"{function.invoker}: not invoked")
    asked = FunctionRef(function.name, function.memory_mb, function.timeout_s, invoker=function.invoker)
    try:
        with closing(LambdaTransport(access, max_connections=1)) as transport:
            knock(transport, asked)
    except LambdaMagicError as error:
        return Finding("invoker", "failed", error.message, error.hint or "", {"error": type(error).__name__})
    return Finding("invoker", "ok", f"{function.invoker} answers", facts={"invoker": function.invoker})
