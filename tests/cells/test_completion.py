"""Tab in the magics' lines, asked as a front end asks the kernel; and what of all that is gone after unloading."""

from __future__ import annotations

import pytest

from lambdamagic.magics.lines import SUBCOMMANDS
from tests.cells.conftest import cell


@pytest.fixture(scope="module")
def named(open_kernel):
    """The kernel with some names, which completing leaves as they are."""
    open_kernel.run("%reset -f")
    open_kernel.run("train_x, train_y = 1, 2\ndef train(x):\n    return x")
    open_kernel.run("%env LM_PROBE_TOKEN=secret")
    return open_kernel


@pytest.mark.parametrize(
    ("code", "offered"),
    [
        ("%%lambda --me", ["--memory"]),
        ("%%lambda --memory 512 --ti", ["--timeout"]),
        ("%%lambda_map --chu", ["--chunksize"]),
        ("scores = %lambda_map --on", ["--on-error"]),
        ("%%lambda --serializer d", ["dill"]),
        ("%lambda_map --on-error ", ["raise", "return"]),
        ("%%lambda -i train_", ["train_x", "train_y"]),
        ("%%lambda --exclude train_x,train_", ["train_x", "train_y"]),
        ("%lambda_map tr", ["train"]),
        ("r = %lambda_map --chunksize 2 --backups trai", ["train"]),
        ("%lambda_map train tr", ["train_x", "train_y"]),
        ("%%lambda_map x in trai", ["train_x", "train_y"]),
        ("%%lambda --env LM_PROBE", ["LM_PROBE_TOKEN"]),
        ("%lambda conf", ["config"]),
        ("%lambda wait ", ["all"]),
    ],
)
def test_tab_completions(named, code, offered):
    """Options, their choices, names after those that take names, and subcommands."""
    assert named.completed(code) == offered


def test_names_that_the_cell_binds_come_after_out(kernel):
    """The names of the body, though they are below the cursor."""
    code = "%%lambda --out mod"
    body = "\nmodel_a = 1\nfor model_b in []: pass"
    reply = kernel._client.complete(code + body, len(code), reply=True, timeout=60)
    assert reply["content"]["matches"] == ["model_a", "model_b"]


def test_names_on_their_way_are_offered(kernel, gate):
    """In any cell, in addition to what the kernel offers by itself."""
    kernel.run(cell("%%lambda --bg -q", f"{gate.code}\nforthcoming = 1"))
    gate.reached()
    assert "forthcoming" in kernel.completed("print(forthc")
    gate.open()
    assert kernel.run("forthcoming").value == "1"


def test_the_list_of_subcommands_is_the_one_that_runs(notebook):
    """What Tab offers exists, and nothing is missing."""
    for word in SUBCOMMANDS:
        assert f"%lambda {word}" in notebook.ok("%lambda help").stdout


def _parts(shell):
    return {
        "matchers": list(shell.Completer.custom_matchers),
        "transformers": list(shell.ast_transformers),
        "hooks": {name: list(found) for name, found in shell.events.callbacks.items()},
        "configurables": [type(found).__name__ for found in shell.configurables],
        "magics": sorted(name for kind in shell.magics_manager.magics.values() for name in kind),
    }


def test_unloading_leaves_the_shell_as_it_was(notebook):
    """Loaded, loaded again and unloaded: matchers, transformers, hooks and magics are those of before."""
    shell = notebook.shell
    loaded = _parts(shell)
    notebook.ok("%unload_ext lambdamagic")
    bare = _parts(shell)
    try:
        assert len(bare["matchers"]) == len(loaded["matchers"]) - 1
        notebook.ok("%load_ext lambdamagic")
        notebook.ok("%reload_ext lambdamagic")
        again = _parts(shell)
        assert list(map(len, again.values())) == list(map(len, loaded.values()))
        notebook.ok("%unload_ext lambdamagic")
        assert _parts(shell) == bare
    finally:
        notebook.ok("%load_ext lambdamagic")


_OPEN = """\
import comm, threading
(sum(one.target_name == "lambdamagic.jobs" for one in comm.get_comm_manager().comms.values()),
 sum(one.name == "lambdamagic-panel" for one in threading.enumerate()))"""


def test_the_panel_has_one_comm_which_closes_with_the_extension(kernel):
    """In a kernel: loaded twice there is one comm; unloaded there is none, and no thread of it."""
    try:
        kernel.run("%reload_ext lambdamagic")
        kernel.run("%reload_ext lambdamagic")
        assert kernel.run(_OPEN).value.startswith("(1, ")
        kernel.run("%unload_ext lambdamagic")
        assert kernel.run(_OPEN).value == "(0, 0)"
    finally:
        kernel.run("%load_ext lambdamagic")


def test_a_misspelt_setting_is_answered_with_the_nearest(kernel):
    """`%config` and options alike; `%config LambdaMagics` lists all."""
    assert "Did you mean one of: `memory_mb" in kernel.run("%config LambdaMagics.memmory_mb = 4096").stream("stderr")
    assert "did you mean --memory" in kernel.run("%%lambda --memmory 512\n1").stream("stderr")
    assert "LambdaMagics.memory_mb" in kernel.run("%config LambdaMagics").stream("stdout")
