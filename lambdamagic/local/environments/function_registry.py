"""Functions as the data plane sees them: read from moto when something changed, never at an invocation."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from lambdamagic.errors import LocalServerError
from lambdamagic.local.environments.blueprints import Blueprint, BlueprintMaker
from lambdamagic.local.environments.environment_pool import Pool
from lambdamagic.local.environments.function_versions import FunctionCatalog, FunctionVersion
from lambdamagic.local.server.auth import Authenticator, Credential
from lambdamagic.local.server.error_bodies import AwsError


class FunctionRegistry:
    """Keeps what is known of functions, and refreshes it after every change. Lives in the event loop."""

    def __init__(
        self,
        catalog: FunctionCatalog,
        blueprints: BlueprintMaker,
        *,
        pool: Pool,
        authenticator: Authenticator,
        executor: Executor,
        load_moto: Callable[[], None],
        region: str,
    ) -> None:
        self._catalog = catalog
        self._maker = blueprints
        self._pool = pool
        self._authenticator = authenticator
        self._executor = executor
        self._load_moto = load_moto
        self._region = region
        self._functions: dict[tuple[str, str | None], FunctionVersion] = {}
        self._blueprints: dict[tuple[Any, ...], asyncio.Task[Blueprint]] = {}
        self._credentials: dict[str, Credential] = {}
        self._names: dict[str, str] = {}  # of functions, by their keys
        # Held while moto is read and what was found is kept: a refresh would else miss, and end, what it did not see.
        self._reading = asyncio.Lock()

    def known(self, reference: str, qualifier: str | None) -> FunctionVersion | None:
        """Return a function that has been looked up since the last change, without waiting."""
        return self._functions.get((reference, qualifier))

    async def find(self, reference: str, qualifier: str | None) -> FunctionVersion:
        """Return the version that a name (or ARN) and a qualifier mean now.

        Raises:
            AwsError: There is none.
        """
        function = self._functions.get((reference, qualifier))
        if function is None:
            name, own_qualifier = self._catalog.parse(reference, qualifier)
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._executor, self._load_moto)
            async with self._reading:
                function = self._functions.get((reference, qualifier))
                if function is None:
                    function = await loop.run_in_executor(self._executor, self._catalog.read, name, own_qualifier)
                    # If it is being changed at this moment, the refresh that follows the change reads it again.
                    self._functions[(reference, qualifier)] = function
        return function

    async def find_again(self, reference: str, qualifier: str | None) -> FunctionVersion:
        """Return the same, read now: the snapshot of a version may have been taken since the last change.

        Raises:
            AwsError: There is none any more.
        """
        self._functions.pop((reference, qualifier), None)
        return await self.find(reference, qualifier)

    async def blueprint(self, function: FunctionVersion) -> Blueprint:
        """Return how the function's environments are started, preparing it at the first call.

        Raises:
            AwsError: Its runtime is not available.
            LocalServerError: Its package cannot be unpacked.
        """
        task = self._blueprints.get(function.fingerprint)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._make(function))
            self._blueprints[function.fingerprint] = task
        elif task.done() and not task.cancelled() and task.exception() is None:
            return task.result()
        try:
            return await asyncio.shield(task)
        except Exception:
            self._blueprints.pop(function.fingerprint, None)  # the next call tries again
            raise

    async def take_snapshot(self, name: str, version: str) -> None:
        """Initialize what environments of a published version continue from; it is `Pending` until then."""
        loop = asyncio.get_running_loop()
        failure = None
        try:
            function = await self.find(name, version)
            failed = await self._pool.snapshot(function, await self.blueprint(function))
            failure = None if failed is None else failed.payload.decode(errors="replace")
        except AwsError:
            pass  # it is gone already, or its Python is not on this machine: an invocation reports that
        except (LocalServerError, OSError) as error:
            failure = str(error)
        await loop.run_in_executor(self._executor, self._catalog.settle, name, version, failure)
        await self.refresh()

    def role_of(self, access_key_id: str) -> tuple[str, str] | None:
        """Return the names of role and function that a key is for; None if it is not a function's. Reads moto."""
        name = self._names.get(access_key_id)
        return None if name is None else (self._catalog.role_name(name), name)

    async def refresh(self) -> None:
        """Read everything again after the control plane changed something, and retire what is no longer so."""
        async with self._reading:
            await self._read_all()

    async def _read_all(self) -> None:
        loop = asyncio.get_running_loop()
        current: dict[tuple[str, str | None], FunctionVersion] = {}
        for reference, qualifier in list(self._functions):
            name, own_qualifier = self._catalog.parse(reference, qualifier)
            try:
                function = await loop.run_in_executor(self._executor, self._catalog.read, name, own_qualifier)
            except AwsError:
                continue  # it was deleted
            current[(reference, qualifier)] = function
        self._functions = current
        self._pool.reserved = await loop.run_in_executor(self._executor, self._catalog.reserved_total)
        fingerprints = {function.fingerprint for function in current.values()}
        self._pool.retire(lambda function: function.fingerprint in fingerprints)
        for fingerprint in list(self._blueprints):
            if fingerprint not in fingerprints and self._blueprints[fingerprint].done():
                del self._blueprints[fingerprint]
        # Not only those that were looked up: an alias may be gone, and what it began runs on.
        names = await loop.run_in_executor(self._executor, self._catalog.names)
        self._pool.kill_missing(names)

    async def _make(self, function: FunctionVersion) -> Blueprint:
        credential = self._credentials.get(function.name)
        if credential is None:
            # One key a function and not one an environment: what it presigns outlives the environment, as on AWS.
            credential = Credential(
                f"ASIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30), secrets.token_urlsafe(90)
            )
            self._credentials[function.name] = credential
            self._names[credential.access_key_id] = function.name
            self._authenticator.add(credential)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._maker.make, function, credential)
