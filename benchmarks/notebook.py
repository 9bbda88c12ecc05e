"""A notebook's session and bare boto3 clients on the same embedded Lambda."""

from __future__ import annotations

import contextlib
import io
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

_ECHO = "def handler(event, context):\n    return event\n"


@dataclass
class Notebook:
    """One shell with the extension loaded, and clients next to it."""

    shell: InteractiveShell
    magics: Any
    connection: Any
    lambda_client: Any
    s3: Any
    role: str

    def run(self, cell: str) -> Any:
        """Run a cell and return its value, which is not shown; its error is raised."""
        with contextlib.redirect_stdout(io.StringIO()):
            done = self.shell.run_cell(cell)
        done.raise_error()
        return done.result

    def make_function(self, name: str, *, handler: str, code: str | None, memory_mb: int = 512) -> None:
        """Make a function on the embedded Lambda."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("echo.py" if code is not None else "note.txt", code or "the handler is installed")
        self.lambda_client.create_function(
            FunctionName=name,
            Runtime=f"python{sys.version_info.major}.{sys.version_info.minor}",
            Role=self.role,
            Handler=handler,
            Code={"ZipFile": buffer.getvalue()},
            MemorySize=memory_mb,
            Timeout=60,
        )

    def make_echo(self, name: str) -> None:
        """Make a function that returns its event."""
        self.make_function(name, handler="echo.handler", code=_ECHO)


@contextlib.contextmanager
def notebook() -> Iterator[Notebook]:
    """Open a session on a fresh embedded Lambda; everything ends with the context."""
    import boto3

    shell = InteractiveShell.instance()
    shell.run_cell("%load_ext lambdamagic")
    shell.run_cell("%config LambdaMagics.quiet = True")
    shell.run_cell("%config LambdaMagics.memory_mb = 1024")
    shell.run_cell("%%lambda --quiet\npass")
    magics: Any = shell._lambdamagic  # type: ignore[attr-defined]
    target = next(iter(magics.session.opened.targets.values()))
    connection = target.server.connection
    access = {
        "endpoint_url": connection.endpoint_url,
        "aws_access_key_id": connection.access_key_id,
        "aws_secret_access_key": connection.secret_access_key,
        "region_name": connection.region,
    }
    iam = boto3.client("iam", **access)
    role = iam.get_role(RoleName="lambdamagic-function")["Role"]["Arn"]
    try:
        yield Notebook(shell, magics, connection, boto3.client("lambda", **access), boto3.client("s3", **access), role)
    finally:
        shell.run_cell("%unload_ext lambdamagic")
