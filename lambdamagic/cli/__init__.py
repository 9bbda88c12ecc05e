"""The `lambdamagic` command."""

from __future__ import annotations

from lambdamagic.cli.main import main

__all__ = ["main"]
