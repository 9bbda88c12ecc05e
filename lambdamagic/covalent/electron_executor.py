"""The base class of both executors for Covalent."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from covalent._shared_files import TaskCancelledError, TaskRuntimeError, logger
from covalent._shared_files.config import get_config
from covalent.executor.base import AsyncBaseExecutor

from lambdamagic.api.cancelling import cancel_job
from lambdamagic.api.options import names_of_exceptions, read_options, setting_of, what_only_says
from lambdamagic.config.load import covalent_section
from lambdamagic.covalent import electron_jobs
from lambdamagic.covalent.electron_jobs import ElectronJob
from lambdamagic.covalent.electrons import Electron, electron_of, transportable, write_files
from lambdamagic.errors import ConfigError, JobCancelledError, LambdaMagicError
from lambdamagic.worker.electron import ElectronFailedError, Returned

#: What Covalent's base class has next to options of ours.
_OF_COVALENT = ("log_stdout", "log_stderr", "time_limit")
#: Options that are secrets: Covalent keeps executors in its database and shows them.
_SECRETS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
#: Writing a job's id down takes Covalent's database longer than a short electron takes, and only a cancel asks for it.
_HANDLE_AFTER_S = 0.2
_ANSWER_TIMEOUT_S = 120  # of Covalent's own database, on a machine that has other work

app_log = logger.app_log

_T = TypeVar("_T")


class ElectronExecutor(AsyncBaseExecutor):  # type: ignore[misc]  # Covalent is untyped
    """Runs electrons on AWS Lambda, or on the embedded Lambda.

    Values count in this order, the lowest first: Covalent's configuration file (`[executors.<short name>]`), the
    settings of lambdamagic, what is given here. An executor is sent as JSON of its attributes.

    Args:
        **options: Settings of docs/configuration.md, the names of Covalent's executors, and `log_stdout`, `log_stderr`
            and `time_limit` of Covalent's base class; None and "" stand for "not given".

    Raises:
        ConfigError: An option is unknown, out of its limits, or a secret.
    """

    def __init__(self, **options: Any) -> None:
        given = {name: _plain(name, value) for name, value in options.items() if value is not None and value != ""}
        of_covalent = {name: given.pop(name, None) for name in _OF_COVALENT}
        section = _section(self.short_name())
        # Covalent makes an executor that is named by a string from the whole section, as if it had been given.
        is_section = bool(section) and given == {name: section[name] for name in section if name not in _OF_COVALENT}
        super().__init__(
            log_stdout=of_covalent["log_stdout"] or "",
            log_stderr=of_covalent["log_stderr"] or "",
            time_limit=of_covalent["time_limit"] or -1,
            cache_dir=given.get("cache_dir") or "",
        )
        del self.retries  # ours is among the options, if it was given
        self.__dict__.update(given)
        self.given = [] if is_section else [*given]
        try:
            read_options(self._quiet(given))
        except ConfigError as error:
            where = (
                f"[executors.{self.short_name()}] of Covalent's configuration file" if is_section else "the executor"
            )
            raise ConfigError(f"{where}: {error.message}", hint=error.hint) from None

    def options(self) -> dict[str, Any]:
        """Return what counts, as `LambdaExecutor` takes it.

        Raises:
            ConfigError: Covalent's configuration file has an option that is unknown.
        """
        here = self.__dict__
        # One from before Covalent was led here has no list of what was given: then all of it was.
        names = here.get("given", [name for name in here if not name.startswith("_") and name not in _OF_COVALENT])
        given = {name: here[name] for name in names if here.get(name) not in (None, "")}
        if (here.get("time_limit") or -1) > 0 and not any(setting_of(name) == "timeout_s" for name in given):
            given["timeout_s"] = int(here["time_limit"])
        section = {name: value for name, value in _section(self.short_name()).items() if name not in _OF_COVALENT}
        beneath = what_only_says(section, {**covalent_section(), **given})
        return self._quiet({**beneath, **given})

    def _quiet(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Leave out what has no effect: a warning for each electron would help no one."""
        without = ("execution_role", "cache_dir", "poll_freq", "cleanup")
        found = {name: value for name, value in options.items() if name not in without}
        if "credentials_file" in found:
            path = os.path.expanduser(str(found["credentials_file"]))  # noqa: PTH111  # it stays text
            found["credentials_file"] = path
            # Covalent's own default names a file that need not be there.
            if not os.path.exists(path):  # noqa: PTH110  # likewise
                del found["credentials_file"]
        return found

    async def run(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], task_metadata: Any
    ) -> Any:
        """Run an electron and return its value as Covalent keeps it.

        Raises:
            TaskCancelledError: It was cancelled.
            TaskRuntimeError: It failed; why is in its stderr.
        """
        electron = electron_of(function, args, kwargs, task_metadata)
        if electron.is_covalents_own:
            return await _in_thread(self._run_here, function, args, kwargs, task_metadata)
        options = self.options()
        dispatch = electron_jobs.known_dispatch(electron.dispatch_id, options)
        if dispatch is None:
            try:
                dispatch = await _in_thread(electron_jobs.dispatch_of, electron.dispatch_id, options)
            except LambdaMagicError as error:
                raise self._failed(electron, "", error) from None
        slots = dispatch.slots
        waits = slots.locked()
        async with slots:
            if waits and await self.get_cancel_requested():
                raise TaskCancelledError("cancelled before anything was sent")
            returned = await self._run_in_lambda(electron, options)
        self._print(returned.stdout, returned.stderr)
        if returned.files:
            await _in_thread(write_files, returned)
        return transportable(returned)

    async def _run_in_lambda(self, electron: Electron, options: Mapping[str, Any]) -> Returned:
        starting = electron_jobs.WAITING.submit(electron_jobs.start, electron, options, wait_s=_HANDLE_AFTER_S)
        try:
            job = await asyncio.wrap_future(starting)
        except LambdaMagicError as error:
            raise self._failed(electron, "", error) from None
        except asyncio.CancelledError:
            starting.add_done_callback(electron_jobs.cancel_started)
            raise
        app_log.debug("electron %s:%s is lambdamagic's job %s", electron.dispatch_id, electron.node_id, job.job_id)
        try:
            if not job.is_over:
                await self.set_job_handle(job.job_id)
                if await self.get_cancel_requested():
                    job.cancel()  # the request came before Covalent knew the job
            returned = job.wait() if job.is_over else await _in_thread(job.wait)
        except (LambdaMagicError, ElectronFailedError) as error:
            raise self._failed(electron, job.job_id, error) from None
        except BaseException:
            job.cancel()  # the server is being stopped, or its database does not answer
            raise
        finally:
            electron_jobs.forget(job)
        if returned is None:
            raise TaskCancelledError(f"job {job.job_id} was cancelled")
        return returned

    def _failed(self, electron: Electron, job_id: str, error: Exception) -> TaskRuntimeError:
        if isinstance(error, ElectronFailedError):
            self._print(error.stdout, error.stderr)
            text = error.traceback_text
        else:
            text = f"{type(error).__name__}: {error}\n"
            hint = getattr(error, "hint", None)
            text += f"{hint}\n" if hint and hint not in text else ""
        place = f"job {job_id} of {electron.dispatch_id}:{electron.node_id}" if job_id else "no job was started"
        self._print("", f"{text}[lambdamagic: {place}]\n")
        return TaskRuntimeError(text)

    def _print(self, stdout: str, stderr: str) -> None:
        for stream, text in ((self.task_stdout, stdout), (self.task_stderr, stderr)):
            if stream is not None and text:
                stream.write(text)

    def _run_here(self, function: Any, args: Any, kwargs: Any, task_metadata: Any) -> Any:
        """Let Covalent's local executor do a step of Covalent's own."""
        from covalent.executor import _executor_manager

        local = _executor_manager.get_executor("local")
        local._task_stdout, local._task_stderr = self.task_stdout, self.task_stderr
        # This executor's dispatcher knows no job of that one.
        local.set_job_handle, local.get_cancel_requested = lambda _: None, lambda: False
        return local.run(function, args, kwargs, task_metadata)

    async def cancel(self, task_metadata: Mapping[str, Any], job_handle: str) -> bool:
        """Stop an electron; it is interrupted wherever it is in Python.

        Args:
            task_metadata: `dispatch_id` and `node_id`.
            job_handle: Its job's id.
        """
        return await _in_thread(self._cancel_now, job_handle)

    def _cancel_now(self, job_handle: str) -> bool:
        try:
            electron_jobs.find(job_handle).cancel()
        except LambdaMagicError:
            # Started by a server that is no more: it finds the sign in the bucket.
            try:
                cancel_job(job_handle, **self.options())
            except LambdaMagicError as error:
                app_log.warning("job %s cannot be cancelled: %s", job_handle, error)
                return False
        return True

    async def _wait_for_response(self, timeout: int = _ANSWER_TIMEOUT_S) -> Any:  # noqa: ASYNC109  # the base's own
        # Covalent's own 5 s are too short for its database when many electrons start at once.
        return await super()._wait_for_response(timeout)

    def submit_task_sync(
        self,
        function: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        task_metadata: Mapping[str, Any] | None = None,
    ) -> str:
        """Send a call without Covalent's server, and return its job's id.

        Args:
            function: Any callable, or what Covalent's dispatcher has assembled.
            args: Its arguments.
            kwargs: Its keyword arguments.
            task_metadata: `dispatch_id` and `node_id`, by which the job can be found too.

        Raises:
            LambdaMagicError: It cannot be sent.
        """
        return electron_jobs.start(electron_of(function, args, kwargs or {}, task_metadata), self.options()).job_id

    async def submit_task(
        self,
        function: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        task_metadata: Mapping[str, Any] | None = None,
    ) -> str:
        """Like `submit_task_sync`, without blocking the event loop."""
        return await _in_thread(self.submit_task_sync, function, args, kwargs, task_metadata)

    def get_status_sync(self, job: str) -> bool:
        """Return whether a call has ended, well or not.

        Args:
            job: What `submit_task` returned; or a name such as `result-<dispatch id>-<node id>.pkl`.

        Raises:
            JobMissingError: This process has started no such call.
        """
        return electron_jobs.find(job).is_over

    async def get_status(self, job: str) -> bool:
        """Like `get_status_sync`."""
        return self.get_status_sync(job)

    def query_result_sync(self, *job: str) -> Any:
        """Wait for a call and return its value.

        Args:
            *job: As for `get_status_sync`; of several the last counts, since Covalent's former executor took a folder
                before it.

        Raises:
            ElectronFailedError: The call raised.
            JobCancelledError: It was cancelled.
            LambdaMagicError: Something around it failed.
        """
        import cloudpickle

        returned = self._returned(job[-1])
        return cloudpickle.loads(returned.pickled)

    async def query_result(self, *job: str) -> Any:
        """Like `query_result_sync`, without blocking the event loop."""
        return await _in_thread(self.query_result_sync, *job)

    def query_task_exception_sync(self, *job: str) -> str | None:
        """Wait for a call and return its traceback, or None if it did not fail.

        Args:
            *job: As for `query_result_sync`.
        """
        try:
            self._returned(job[-1])
        except ElectronFailedError as error:
            return error.traceback_text
        except LambdaMagicError as error:
            return f"{type(error).__name__}: {error}"
        return None

    async def query_task_exception(self, *job: str) -> str | None:
        """Like `query_task_exception_sync`, without blocking the event loop."""
        return await _in_thread(self.query_task_exception_sync, *job)

    @staticmethod
    def _returned(job: str) -> Returned:
        found: ElectronJob = electron_jobs.find(job)
        returned = found.wait()
        if returned is None:
            raise JobCancelledError(f"job {found.job_id} was cancelled")
        write_files(returned)
        return returned

    def boto_session_options(self) -> dict[str, str | None]:
        """Return what makes a boto3 session that sees the same account: `boto3.Session(**...)`."""
        settings = read_options(self.options()).resolved.settings
        return {"profile_name": settings.profile, "region_name": settings.region}


async def _in_thread(call: Callable[..., _T], *args: Any) -> _T:
    return await asyncio.get_running_loop().run_in_executor(electron_jobs.WAITING, call, *args)


def _section(short_name: str) -> dict[str, Any]:
    """Return an executor's section of Covalent's configuration file, without what is empty there."""
    try:
        found = get_config(f"executors.{short_name}")
    except KeyError:
        return {}
    return {name: value for name, value in found.items() if value is not None and value != ""}


def _plain(name: str, value: Any) -> Any:
    """Return an option as JSON can carry it."""
    if name in _SECRETS:
        raise ConfigError(
            f"{name} cannot be passed to a Covalent executor: Covalent would store and show it",
            hint="Name a profile or a credentials_file",
        )
    if name == "retry_on":
        return names_of_exceptions(value)
    return value if isinstance(value, bool | int | float | str) else str(value)
