"""Turn a program's options into runs: settings, target, and what a callable needs."""

from __future__ import annotations

import os
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from lambdamagic.api import process
from lambdamagic.api.task_output import TaskOutput
from lambdamagic.capture import plan_callable
from lambdamagic.codec.fingerprint import NoFingerprintError
from lambdamagic.codec.shared import Shared
from lambdamagic.config.setting_files import working_folder
from lambdamagic.events import Listener, Listeners
from lambdamagic.jobs.encoding import Program, encode_program
from lambdamagic.jobs.job import new_job_id
from lambdamagic.jobs.memo import Memo, clear
from lambdamagic.jobs.outcomes import encode_items
from lambdamagic.jobs.places import Places
from lambdamagic.pythons import python_here
from lambdamagic.runs.files_along import found
from lambdamagic.runs.handle import Run
from lambdamagic.runs.opened import Place
from lambdamagic.runs.spec import Fitted, RunRequest, budget_of, concurrency, fitting_function
from lambdamagic.runs.tasks import memo_of
from lambdamagic.worker.initializing import Initialized, InitializerError
from lambdamagic.worker.list_holdings import holdings_here

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lambdamagic.api.options import Options
    from lambdamagic.codec.frames import Frames
    from lambdamagic.config import Settings
    from lambdamagic.jobs.budget import Budget
    from lambdamagic.targets.target import Target

#: Says for an array whether it is sent as a shared object.
Share = Callable[[Any], Shared | None]

#: Callables whose kept outcomes are known at once: a program calls few at a time.
_MEMOS_KEPT = 64

#: Makes the item that is sent for an item.
Arrange = Callable[[Any], Any]

#: How a task's item becomes arguments: the item itself, its members, or a pair of arguments and keyword arguments.
CallStyle = Literal["plain", "star", "call"]


class Launcher:
    """Makes runs under one set of options. Thread-safe.

    Args:
        options: What the program gave.
        initializer: Runs once in each environment, before calls; None for none.
        initargs: Its arguments.
        printed: Shows what tasks print.
        max_tasks: After so many tasks an environment starts again, with the initializer; None for never.
        shows_progress: Whether jobs are shown while they run.

    Attributes:
        listeners: Called with the events of jobs that are started from now on.
        printed: Shows what tasks print.
        broken: What the initializer has raised; None if it has not.
        shows_progress: Whether jobs are shown while they run.
    """

    def __init__(
        self,
        options: Options,
        initializer: Callable[..., Any] | None = None,
        initargs: tuple[Any, ...] = (),
        max_tasks: int | None = None,
        printed: TaskOutput | None = None,
        *,
        shows_progress: bool = False,
    ) -> None:
        self.printed = printed or TaskOutput()
        self._options, self.shows_progress = options, shows_progress
        self._initialized = None if initializer is None else Initialized(initializer, tuple(initargs))
        self._token, self._max_tasks = os.urandom(8).hex(), max_tasks
        self._base: Program | None = None
        self.broken: InitializerError | None = None
        self._budget: Budget | None = None
        self._places: tuple[int, Places] | None = None
        self._lock = threading.Lock()
        self._memos: OrderedDict[str, Memo] = OrderedDict()
        self.listeners: list[Listener] = []

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._options.resolved.settings

    def target(self) -> Target:
        """Return the open target.

        Raises:
            TargetError: It is not usable.
        """
        return process.target(self.settings, self._options.access)

    def concurrency(self) -> int:
        """Return how many invocations of a job run at once."""
        return concurrency(self._options.resolved, self.target())

    def place(self) -> Place:
        """Return where a run goes."""
        return Place(self._options.resolved, self.target, process.start)

    def arranged(
        self, fn: Callable[..., Any], style: CallStyle
    ) -> tuple[Callable[..., Any], CallStyle, Arrange | None]:
        """Return the callable to run, how to call it, and a function that converts items (None if none is needed)."""
        if self._initialized is None:
            return fn, style, None
        if style == "call":
            return self._initialized, "call", lambda item: ((fn, *item[0]), item[1])
        return self._initialized, "star", (lambda item: (fn, *item)) if style == "star" else (lambda item: (fn, item))

    def run_options(self, style: CallStyle) -> dict[str, Any]:
        """Return the options of a map that are sent to the remote side."""
        options: dict[str, Any] = {style: True}
        if self._initialized is not None:
            options["initialized"] = self._token
        if self._max_tasks is not None:
            options["max_tasks"] = self._max_tasks
        return options

    def checked(self, error: BaseException) -> BaseException:
        """Return a task's exception; after a failed initializer no more work is accepted."""
        if isinstance(error, InitializerError):
            self.broken = error
        return error

    def packages(self) -> dict[str, str] | None:
        """Return the function's packages; see `LambdaExecutor.packages`."""
        target = self.target()
        function = fitting_function(self._options.resolved, target, None)
        holdings = function.holdings or target.ask_holdings(function)
        if holdings is None and target.name == "local" and self.settings.python in (None, python_here()):
            holdings = holdings_here()  # the embedded Lambda runs this very environment
        return None if holdings is None else dict(holdings.packages)

    def fitted(self, fn: Callable[..., Any], holding: Any = ()) -> Fitted:
        """Encode a callable with all that it reads, and find the function that has its imports.

        Args:
            fn: The callable.
            holding: What else may hold functions and modules of the user's: its arguments.

        Raises:
            CaptureError: It cannot be sent.
            ParityError: The function lacks what it imports.
        """
        if fn is self._initialized:
            # One program for all: what it has prepared stays; what callables and arguments need comes with them.
            holding = ()
            if self._base is not None:
                return Fitted(self._base, fitting_function(self._options.resolved, self.target(), self._base))
        home, hidden = process.home(), process.hidden()
        # Looked at as one value: the plan follows containers and instances to the code that they hold.
        looked_at: Any = (fn, holding)
        plan = plan_callable(looked_at, home.namespace, hidden=hidden, cell_dir=working_folder())
        files = found(self._options.files)
        program = encode_program(home, plan, serializer=self.settings.serializer, fn=fn, hidden=hidden, files=files)
        if fn is self._initialized:
            self._base = program
        return Fitted(program, fitting_function(self._options.resolved, self.target(), program))

    def memo(self, fn: Callable[..., Any], program: Program) -> Memo | None:
        """Return the cache of a callable; None without the setting `cache`, or if its outcomes cannot be cached."""
        return self.memo_of(fn, program) if self.settings.cache else None

    def memo_of(self, fn: Callable[..., Any], program: Program) -> Memo | None:
        """Return the cache of a callable; None, with a warning, if its outcomes cannot be cached."""
        try:
            memo = memo_of(self.target().stager.store, process.home(), program, fn)
        except NoFingerprintError as error:
            warnings.warn(f"the results of {name_of(fn)} are not cached: {error}", RuntimeWarning, stacklevel=4)
            return None
        with self._lock:
            known = self._memos.pop(memo.key, None)
            if known is not None and known.store is memo.store:
                memo = known
            self._memos[memo.key] = memo
            if len(self._memos) > _MEMOS_KEPT:
                self._memos.popitem(last=False)
        return memo

    def cache_clear(self, fn: Callable[..., Any] | None) -> int:
        """Delete the cached outcomes of one callable, or of all; return how many objects were deleted."""
        memo = None if fn is None else self.memo_of(fn, self.fitted(fn).program)
        with self._lock:
            self._memos.clear()
        store = self.target().stager.store
        if store is None or (fn is not None and memo is None):
            return 0
        return clear(store, None if memo is None else memo.key)

    def encode_items(self, items: Sequence[Any], start: int, *, program: Program, share: Share | None = None) -> Frames:
        """Encode arguments of tasks of a program; `start` is the first task's number.

        Raises:
            EncodeError: One cannot be pickled.
        """
        serializer = self.settings.serializer
        return encode_items(process.home(), items, start, serializer, share=share, extensions=program.extensions)

    def run(
        self,
        place: Place,
        request: RunRequest,
        listener: Listener | None = None,
        *,
        is_blocking: bool | None = None,
    ) -> Run:
        """Return a run that has not begun.

        Args:
            place: Where it goes.
            request: The work to run.
            listener: Called with this job's events, in addition to the others.
            is_blocking: Whether the caller waits for it at once, so that an interrupt cancels it; None where it may.

        Raises:
            TargetError: The target is not usable.
        """
        if self._budget is None and place.resolved.origin("max_cost_usd") != "default":
            # What the program set is for all its jobs together.
            self._budget = budget_of(place.resolved, place.target)
        listeners = Listeners()
        for each in [*self.listeners, *([] if listener is None else [listener])]:
            listeners.add(each)
        bounded = replace(request, budget=self._budget, places=self._shared_places(place))
        if not self.shows_progress:
            return Run(place, bounded, listeners=listeners)
        from lambdamagic.api.progress_bars import ProgressBar  # with it come the views and what draws them

        bounded = replace(bounded, job_id=bounded.job_id or new_job_id())
        bar = ProgressBar(
            place.settings,
            bounded.job_id,
            bounded.label,
            bounded.task_count,
            lambda: run.cancel(),
            open_logs=lambda function, clock: place.target.logs(function, clock),
            is_blocking=is_blocking,
        )
        listeners.add(bar.listener)
        run = Run(place, bounded, listeners=listeners, follower=bar)
        return run

    def _shared_places(self, place: Place) -> Places:
        """Return the bound on all that is under way for this executor."""
        with self._lock:
            if self._places is None or self._places[0] != os.getpid():  # a forked child has none of its parent's work
                self._places = os.getpid(), Places(concurrency(place.resolved, place.target))
            return self._places[1]


def name_of(fn: Callable[..., Any]) -> str:
    """Return a callable's name for display."""
    return str(getattr(fn, "__qualname__", type(fn).__name__))
