"""How many executions functions may reserve: moto looks at no quota."""

from __future__ import annotations

import threading
from typing import Any

from lambdamagic.limits import AWS_LAMBDA
from lambdamagic.local.control.moto_patches import put

_lock = threading.Lock()  # two reservations at once could exceed the quota together


def install(quota: int) -> None:
    """Let moto refuse what would leave the other functions too little.

    Args:
        quota: The account's concurrent executions.
    """

    def reserve(self: Any, function_name: str, reserved_concurrency: Any) -> int:
        from moto.awslambda.exceptions import InvalidParameterValueException

        try:
            wanted = int(reserved_concurrency)
        except (TypeError, ValueError):  # of a template: requests are checked before moto takes them
            text = f"Value {reserved_concurrency} at 'reservedConcurrentExecutions' is not a number"
            raise InvalidParameterValueException(text) from None
        with _lock:
            function = self.get_function(function_name)
            others = (each for each in self.list_functions() if each.function_name != function.function_name)
            left = quota - wanted - sum(int(each.reserved_concurrency or 0) for each in others)
            least = min(AWS_LAMBDA.unreserved.least, quota)
            if left < least:
                raise InvalidParameterValueException(
                    "Specified ReservedConcurrentExecutions for function decreases account's "
                    f"UnreservedConcurrentExecution below its minimum value of [{least}]."
                )
            function.reserved_concurrency = wanted
        return wanted

    put("moto.awslambda.models:LambdaBackend.put_function_concurrency", reserve)
