"""A program's options, under our names and under those of Covalent's executor."""

from __future__ import annotations

from typing import Any

from lambdamagic.config import ResolvedSettings, load_settings

# Covalent's names for what we have too. The others of its options have no counterpart here: `execution_role` belongs to
# the deployed function, and there are no files to cache (`cache_dir`) and no polls to time (`poll_freq`).
_COVALENT = {"function_name": "function", "s3_bucket_name": "bucket", "timeout": "timeout_s"}
_WITHOUT_EFFECT = frozenset({"execution_role", "cache_dir", "poll_freq"})


def settings_from(options: dict[str, Any]) -> ResolvedSettings:
    """Return the settings in force with a program's options over them.

    Args:
        options: Names of settings, or of Covalent's options, to values; None means "not given". `credentials_file`
            names a file that boto3 is to read instead of its own.

    Raises:
        ConfigError: A name is unknown or a value is out of its limits.
    """
    credentials_file = options.pop("credentials_file", None)
    if credentials_file:
        import os

        os.environ["AWS_SHARED_CREDENTIALS_FILE"] = str(credentials_file)
    given = {_COVALENT.get(name, name): value for name, value in options.items() if name not in _WITHOUT_EFFECT}
    return load_settings(overrides=given)
