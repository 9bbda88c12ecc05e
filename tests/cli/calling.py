"""The command, called in this process (fast) or as a separate process (real)."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        return json.loads(self.err)["error"]


def call(*arguments: str, answer: str = "") -> Done:
    """Run `lambdamagic ARGUMENTS` in this process, with `answer` on standard input."""
    from lambdamagic.cli import main

    out, err = io.StringIO(), io.StringIO()
    status: Any = 0
    stdin, sys.stdin = sys.stdin, io.StringIO(answer)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main([*arguments])
    except SystemExit as ended:
        status = ended.code
    finally:
        sys.stdin = stdin
    return Done(status or 0, out.getvalue(), err.getvalue())


def run(home: Path, *arguments: str, environment: dict[str, str] | None = None, answer: str = "") -> Done:
    """Run `lambdamagic ARGUMENTS` as a process whose home and working directory is `home`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LAMBDAMAGIC_"))}
    own = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "XDG_CONFIG_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-m", "lambdamagic", *arguments],
        capture_output=True,
        text=True,
        env={**inherited, **own, **(environment or {})},
        cwd=home,
        input=answer,
        timeout=240,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)
