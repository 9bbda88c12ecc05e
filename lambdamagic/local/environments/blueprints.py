"""From a function version to what starts its environments: program, environment variables, folders."""

from __future__ import annotations

import os
import site
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambdamagic.local.environments.function_versions import FunctionVersion
from lambdamagic.local.environments.interpreters import Interpreter, Interpreters, package_folder
from lambdamagic.local.environments.unpacking import PackageStore
from lambdamagic.local.server.auth import Credential

_USER_ID = 993  # Lambda's sbx_user1051; any that is not root


@dataclass(frozen=True, slots=True)
class Blueprint:
    """How an environment's process is started; computed once a function version.

    Attributes:
        freezes: Whether the process is stopped between two invocations.
        is_container: The process is a container tool's client, and the runtime is started by another process.
        is_restored: Whether environments continue from a snapshot (SnapStart), which names no log stream.
    """

    argv: list[str]
    variables: dict[str, str]
    task_root: Path
    runtime: str
    surroundings: dict[str, Any] | None = None
    freezes: bool = False
    is_container: bool = False
    is_restored: bool = False


class BlueprintMaker:
    """Makes blueprints; blocking, since it unpacks archives and may install a Python."""

    def __init__(
        self,
        folder: Path,
        *,
        endpoint_url: str,
        interpreters: Interpreters,
        image_command: tuple[str, ...] = (),
        is_strict: bool = False,
    ) -> None:
        self._folder = folder
        self._endpoint_url = endpoint_url
        self._interpreters = interpreters
        self._image_command = image_command
        self._is_strict = is_strict
        self._packages = PackageStore(folder / "packages")

    def make(self, function: FunctionVersion, credential: Credential) -> Blueprint:
        """Unpack what the function needs and return how it is started.

        Raises:
            AwsError: Its runtime is not available.
            LocalServerError: Its package cannot be unpacked.
        """
        interpreter = self._interpreters.for_runtime(function.runtime)
        task_root = self._packages.task_root(function)
        layers = self._packages.layer_roots(function)
        # As in Lambda: "python/lib/python3.x/site-packages" and "python" of every layer.
        lib = f"python/lib/{function.runtime}/site-packages"
        python_path = [str(root / part) for root in layers for part in ("python", lib) if (root / part).is_dir()]
        python_path.append(str(package_folder(self._folder)))
        if interpreter.is_own and os.environ.get("PYTHONPATH"):
            python_path.append(os.environ["PYTHONPATH"])  # what the notebook can import, the function can
        binaries = [str(root / "bin") for root in layers if (root / "bin").is_dir()]
        libraries = [str(root / "lib") for root in layers if (root / "lib").is_dir()]
        reserved = {
            "_HANDLER": function.handler,
            "AWS_ACCESS_KEY_ID": credential.access_key_id,
            "AWS_SECRET_ACCESS_KEY": credential.secret_access_key,
            "AWS_SESSION_TOKEN": credential.session_token or "",
            "AWS_DEFAULT_REGION": function.region,
            "AWS_REGION": function.region,
            "AWS_ENDPOINT_URL": self._endpoint_url,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": function.version,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "LAMBDAMAGIC_EPHEMERAL_MB": str(function.ephemeral_mb),  # its /tmp is a folder, which has no size
            "LAMBDA_RUNTIME_DIR": str(Path(interpreter.executable).parent),
            "LAMBDA_TASK_ROOT": str(task_root),
        }
        if function.is_restored:  # "Lambda SnapStart": neither has its log's names
            reserved["AWS_LAMBDA_INITIALIZATION_TYPE"] = "snap-start"
            del reserved["AWS_LAMBDA_LOG_GROUP_NAME"]
        changeable = {
            "LANG": "en_US.UTF-8",
            "LD_LIBRARY_PATH": ":".join([str(task_root / "lib"), str(task_root), *libraries]),
            "PATH": ":".join([str(Path(interpreter.executable).parent), "/usr/local/bin:/usr/bin:/bin", *binaries]),
            "PYTHONDONTWRITEBYTECODE": "1",  # /var/task is read-only on AWS
            "TZ": ":UTC",
            **dict(function.variables),
        }
        own_path = changeable.get("PYTHONPATH")
        changeable["PYTHONPATH"] = ":".join([*([own_path] if own_path else []), *python_path])
        argv = [interpreter.executable, "-m", "awslambdaric", function.handler]
        is_container = function.package_type == "Image" and bool(self._image_command)
        if is_container:
            argv = [*self._image_command, *([function.handler] if function.handler else [])]
        return Blueprint(
            argv=argv,
            variables={**changeable, **reserved},
            task_root=task_root,
            runtime=f"python:{interpreter.version}",
            is_container=is_container,
            is_restored=function.is_restored,
            freezes=self._is_strict and not is_container,
            # Whatever runs an image sees to its surroundings.
            surroundings=None if is_container else self._surroundings(interpreter, [task_root, *layers]),
        )

    def _surroundings(self, interpreter: Interpreter, code: list[Path]) -> dict[str, Any]:
        """Return what a function may change: neither its code nor the user's Python; in strict mode, only `/tmp`."""
        read_only = [*code, package_folder(self._folder), Path(interpreter.executable).parent.parent]
        if interpreter.is_own:
            user_site = Path(site.getuserbase()) / "lib"
            own = Path(sys.modules["lambdamagic"].__file__ or "").resolve().parent
            read_only += [Path(sys.base_prefix), own, *([user_site] if user_site.is_dir() else [])]
        return {
            "read_only": [*(["/"] if self._is_strict else []), *dict.fromkeys(map(str, read_only))],
            # Shared with this machine, unlike Lambda's: the instance itself, and what tests look at, are there.
            "writable": [*dict.fromkeys(["/tmp", str(self._folder.parent)])] if self._is_strict else [],
            "hidden": ["/dev/shm"] if self._is_strict else [],  # what Lambda does not have
            "user_id": _USER_ID if self._is_strict else None,
        }
