"""The secret that signs this user's cached outcomes."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from lambdamagic.errors import ConfigError

_SIZE_BYTES = 32


def secret_file() -> Path:
    """Return where it is: `cache-secret` in lambdamagic's folder of the user's state directory."""
    import platformdirs

    return platformdirs.user_state_path("lambdamagic", appauthor=False) / "cache-secret"


def cache_secret() -> bytes:
    """Return the secret, made at first use; only its owner can read it.

    Raises:
        ConfigError: The file cannot be made or read, or others can read it.
    """
    path = secret_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            # Written whole under another name, then linked: of two that begin at once, one wins and both read it.
            draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(_SIZE_BYTES))
            try:
                draft.rename(path) if os.name == "nt" else os.link(draft, path)
            except FileExistsError:
                pass
            draft.unlink(missing_ok=True)
        if os.name != "nt" and path.stat().st_mode & 0o077:
            raise ConfigError(
                f"{path} can be read by other users", hint=f"chmod 600 {path}, or delete it to create a new one"
            )
        found = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"the cache's secret {path} cannot be used: {error.strerror or error}") from error
    if len(found) != _SIZE_BYTES:
        raise ConfigError(f"{path} does not hold a secret", hint="Delete it to create a new one")
    return found
