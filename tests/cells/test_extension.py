"""Loading, reloading and unloading the extension."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil

_SCRIPT = """
import threading, psutil, sys
from tests.notebooks import Notebook
n = Notebook()
def ours():
    threads = [t for t in threading.enumerate() if t.name.startswith('lambdamagic')]
    for thread in threads:  # idle ones were asked to end, and need a moment for it
        thread.join(10)
    return [t.name for t in threads if t.is_alive()], len(psutil.Process().children(recursive=True))
print(n.remote('x = 1\\nx').value)
magics = n.shell.magics_manager.magics
print(sorted(k for k in magics['cell'] if 'lambda' in k), sorted(k for k in magics['line'] if 'lambda' in k))
n.ok('%reload_ext lambdamagic')
print(n.remote('x + 1').value, sum(type(c).__name__ == 'LambdaMagics' for c in n.shell.configurables))
n.ok('%unload_ext lambdamagic')
print([k for kind in magics.values() for k in kind if 'lambda' in k])
print(ours())
print('lambdamagic' in vars(n.shell) or hasattr(n.shell, '_lambdamagic'))
print([c for c in n.shell.configurables if type(c).__name__ == 'LambdaMagics'])
print(n.run('%%lambda\\n1').error)
n.ok('%load_ext lambdamagic')
print(n.remote('x + 2').value)
n.close()
print(ours())
"""


def test_unloading_leaves_nothing_behind():
    """No magic, thread, process, configurable or attribute; loading again works."""
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True, timeout=120)
    lines = done.stdout.splitlines()
    assert lines[0] == "1"
    assert lines[1] == "['lambda', 'lambda_map', 'lambda_setup'] ['lambda', 'lambda_map', 'lambda_setup']"
    assert lines[2] == "2 1"
    assert lines[3] == "[]"
    assert lines[4] == "([], 0)"
    assert lines[5] == "False"
    assert lines[6] == "[]"
    assert "lambda" in lines[7]
    assert lines[8] == "3"
    assert lines[9] == "([], 0)"


def test_a_shell_that_just_ends_leaves_nothing_behind(own_home):
    """Without unloading, at the end of `python -m IPython`."""
    (own_home / "cell.ipy").write_text(
        "get_ipython().run_line_magic('load_ext', 'lambdamagic')\n"
        "get_ipython().run_cell_magic('lambda', '-q', \"import os\\nprint('pid', os.getppid())\")\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--colors=NoColor", str(own_home / "cell.ipy")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pid = int(done.stdout.split("pid ")[1].split()[0])
    assert not psutil.pid_exists(pid)


def test_a_shell_without_ipykernel_needs_none(own_home, tmp_path, monkeypatch):
    """Cells and maps run in plain IPython where neither ipykernel nor what it brings can be imported, here or there."""
    missing = ("ipykernel", "jupyter_client", "jupyter_core", "zmq", "tornado", "nest_asyncio2", "debugpy", "packaging")
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({missing}))\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    (tmp_path / "cells.ipy").write_text(
        "%load_ext lambdamagic\n"
        "xs = [1, 2]\n"
        "get_ipython().run_cell_magic('lambda', '', 'total = sum(xs)\\nprint(get_ipython() is not None)')\n"
        "def add(x): return x + total\n"
        "ys = %lambda_map -q add xs\n"
        "try:\n"
        "    get_ipython().run_cell_magic('lambda', '-q', 'import ipykernel')\n"
        "except ImportError:\n"
        "    print(ys)\n"
    )
    command = [sys.executable, "-m", "IPython", "--colors=NoColor", "cells.ipy"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.splitlines() == ["True", "[4, 5]"], done.stdout + done.stderr


def test_a_kernel_that_breaks_the_views_is_named_once(kernel):
    """pip cannot refuse ipykernel 7.0.0, since a notebook brings its own: `%load_ext` says so, if that one runs."""
    loaded = kernel.run("import ipykernel\nknown = ipykernel.__version__\n%reload_ext lambdamagic")
    assert "ipykernel" not in loaded.stream("stderr")
    broken = kernel.run("ipykernel.__version__ = '7.0.0'\n%reload_ext lambdamagic\nipykernel.__version__ = known")
    assert broken.status == "ok"
    assert broken.stream("stderr").endswith(  # traitlets warns of what another test has misspelt
        "lambdamagic: ipykernel 7.0.0 loses the output of background threads\n"
        "  -> `pip install -U ipykernel`, then restart the kernel\n"
    )


def test_loading_starts_nothing_and_is_quick(own_home):
    """No server, no thread, no boto3 before the first cell."""
    script = (
        "import sys, threading\nfrom IPython.core.interactiveshell import InteractiveShell\n"
        "s = InteractiveShell.instance()\ns.run_line_magic('load_ext', 'lambdamagic')\n"
        "print([m for m in 'boto3 botocore moto dill cloudpickle ipywidgets numpy'.split() if m in sys.modules])\n"
        "print([t.name for t in threading.enumerate() if 'lambdamagic' in t.name])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == ["[]", "[]"]
