"""`executor="lambdamagic"`; the short name is this module's."""

from __future__ import annotations

from typing import Any

from lambdamagic.covalent.electron_executor import ElectronExecutor

EXECUTOR_PLUGIN_NAME = "LambdaMagicExecutor"

#: Nothing: what is not given comes from lambdamagic's own settings.
_EXECUTOR_PLUGIN_DEFAULTS: dict[str, Any] = {}


class LambdaMagicExecutor(ElectronExecutor):
    """Runs electrons on AWS Lambda or the embedded Lambda; takes every setting of docs/configuration.md."""
