"""What all tests share: a separate home, one notebook on one embedded Lambda, and one kernel."""

from __future__ import annotations

import builtins
import gc
import locale
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import psutil
import pytest
from botocore.loaders import JSONFileLoader
from xdist.scheduler import LoadScopeScheduling

# jsonschema, which reads notebooks, would build a grammar for IRIs in each worker, for two seconds.
sys.modules.setdefault("rfc3987_syntax", cast("ModuleType", None))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts its background jobs
    signal.signal(signal.SIGINT, signal.default_int_handler)

_FOREIGN_PREFIXES = ("AWS_", "LAMBDAMAGIC_", "JUPYTER_", "IPYTHON", "MPL")


#: Folders whose tests share what is slow to start (a kernel, a browser, a package): one worker has all of each.
#: They come first, the longest before the others, so that what is left for the end are files of a few seconds.
_WHOLE = ("cells", "browser", "api", "deploy", "covalent", "quickstart", "images", "docs", "doctor", "fidelity")


class _ByFolder(LoadScopeScheduling):
    """Gives whole folders to workers, or whole files where nothing slow is shared; each stays in its order."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::")[0]
        return path.split("/")[1] if _place(path) < len(_WHOLE) else path


def _place(path: str) -> int:
    folder = path.split("/")[1]
    return _WHOLE.index(folder) if folder in _WHOLE else len(_WHOLE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let what takes long begin first."""
    items.sort(key=lambda item: _place(item.nodeid.split("::")[0]))


def pytest_collection_finish() -> None:
    """Take what was collected out of the collector's sight: 5,000 tests stay, and each look at them takes a while."""
    gc.freeze()


def pytest_unconfigure() -> None:
    """Close the event loop that jupyter_core makes for its blocking calls, and leaves open when the process ends."""
    utils = sys.modules.get("jupyter_core.utils")
    if utils is not None:
        utils.ensure_event_loop().close()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Take that scheduler when there are workers (`--numprocesses`)."""
    return _ByFolder(config, log)


#: What a shell that a test starts puts there stays as long as the shell.
_OF_IPYTHON = {"display", "get_ipython", "__IPYTHON__", "_"}
_LOCALE = locale.setlocale(locale.LC_ALL)


@pytest.fixture(autouse=True)
def process_as_it_was() -> Iterator[None]:
    """This process, which is also a notebook's, keeps no locale, logging, limit or name in builtins of a test."""
    scope = vars(builtins)
    limit = sys.getrecursionlimit()
    before = scope.copy()
    yield
    for name in scope.keys() - before.keys() - _OF_IPYTHON:
        del scope[name]
    scope.update({name: value for name, value in before.items() if name not in _OF_IPYTHON})
    locale.setlocale(locale.LC_ALL, _LOCALE)
    sys.setrecursionlimit(limit)  # mypy leaves one with which endless calls end the process
    root = logging.getLogger()
    root.handlers = [each for each in root.handlers if type(each).__module__.startswith("_pytest.")]
    root.setLevel(logging.WARNING)
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The machine's configuration is not seen, and nothing is left in it."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(_FOREIGN_PREFIXES)]:
            patch.delenv(name)
        patch.setenv("EMBEDDED_LAMBDA_STRICT", "1")  # the embedded Lambda is as hard as AWS
        patch.delenv("COLUMNS", raising=False)  # pytest's workers say 80, which is the width of no notebook
        # What a test's processes compile is there for those of the next: some images say that nothing is to be written.
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        # Packages that were downloaded once are not asked of the network again by each home.
        patch.setenv("UV_CACHE_DIR", os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache" / "uv"))
        patch.setenv("HOME", str(home))
        for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
            patch.setenv(name, str(home / name.lower()))
        # botocore's tables of services do not change: a process reads each once, and not for every session.
        patch.setattr(JSONFileLoader, "load_file", _read_once(JSONFileLoader.load_file))
        _share_runtimes(home / "xdg_cache_home", tmp_path_factory)
        patch.setenv("XDG_RUNTIME_DIR", str(home))
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        patch.setenv("MPLCONFIGDIR", str(home / "matplotlib"))
        yield home


def _read_once(read: Callable[[JSONFileLoader, str], Any]) -> Callable[[JSONFileLoader, str], Any]:
    found: dict[str, Any] = {}

    def load_file(self: JSONFileLoader, path: str) -> Any:
        if found.get(path) is None:  # a file may be written later
            found[path] = read(self, path)
        return found[path]

    return load_file


def _share_runtimes(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let all workers have one environment of each other Python, which takes 8 s of processor time to make."""
    run = tmp_path_factory.getbasetemp()
    shared = (run.parent if "PYTEST_XDIST_WORKER" in os.environ else run) / "runtimes"
    shared.mkdir(exist_ok=True)
    (cache / "lambdamagic").mkdir(parents=True)
    (cache / "lambdamagic" / "runtimes").symlink_to(shared, target_is_directory=True)


#: Threads of the function's own code, which some tests run in this process; they live as long as an environment.
_OF_THE_FUNCTION = ("lambdamagic-beacon", "lambdamagic-output", "lambdamagic-watchdog")


def _threads() -> dict[int, threading.Thread]:
    named = {each.ident or 0: each for each in threading.enumerate() if each.name.startswith("lambdamagic")}
    return {ident: each for ident, each in named.items() if each.name not in _OF_THE_FUNCTION}


def _ours() -> dict[int, str]:
    """Return what of lambdamagic is alive in and below this process, but for what kernels started.

    A kernel that lives on may start its embedded Lambda again at any time; its own fixture looks after it.
    """
    threads = {ident: each.name for ident, each in _threads().items()}
    children = {}
    for child in psutil.Process().children(recursive=True):
        try:
            command = " ".join(child.cmdline())
            above = [" ".join(each.cmdline()) for each in child.parents()]
        except psutil.Error:
            continue  # it ended while it was looked at
        is_ours = "lambdamagic" in command or "awslambdaric" in command
        if is_ours and not any("ipykernel_launcher" in each for each in [command, *above]):
            children[child.pid] = command
    return threads | children


@pytest.fixture(scope="session")
def open_notebook(own_home: Path) -> Iterator[Any]:
    """The session's notebook; when it is closed no part of it is left."""
    from lambdamagic.api import process
    from tests.notebooks import Notebook

    main = sys.modules["__main__"]
    before = _ours()
    found = Notebook()
    yield found
    found.close()
    process.close()  # what programs share in this process is not the notebook's
    sys.modules["__main__"] = main
    for ident, thread in _threads().items():  # idle ones were asked to end, and need a moment for it
        if ident not in before:
            thread.join(timeout=60)
    until = time.monotonic() + 60
    while (left := {key: what for key, what in _ours().items() if key not in before}) and time.monotonic() < until:
        time.sleep(0.05)  # a keeper outlives its server by a moment, and is not a child to wait for here
    assert not left, f"left behind after the notebook was closed: {left}"


@pytest.fixture
def notebook(open_notebook: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A notebook with an empty namespace, in a separate folder, that shows results only."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAMBDAMAGIC_QUIET", "1")
    open_notebook.reset()
    yield open_notebook
    open_notebook.reset()


@pytest.fixture(scope="session")
def open_kernel(own_home: Path) -> Iterator[Any]:
    """A real kernel with the extension loaded."""
    from tests.kernels import Kernel

    found = Kernel()
    pid = found.pid
    assert found.run("%load_ext lambdamagic").status == "ok"
    below = psutil.Process(pid)
    yield found
    children = below.children(recursive=True)
    found.close()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert not alive, f"left behind after the kernel ended: {alive}"


@pytest.fixture
def kernel(open_kernel: Any) -> Any:
    """The kernel, with an empty namespace."""
    open_kernel.run("%reset -f")
    return open_kernel


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port without a listener, held so that no process takes it."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
