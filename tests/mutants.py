"""Mutants: each is the package with one thing changed, and a test should fail for it.

`make mutants` makes them of codec, protocol, storage and jobs, by cosmic-ray, in a copy of this repository; after
`python -m tests.mutants` modules may be named. What survives is listed: each is read once, and answered by a test, or
by a line in `tests/data/mutants.md` that says why it may live. Each mutant is given the tests that run its lines, the
quickest first, as one run of all of them found (`tests/mutant_map.py`).
"""

from __future__ import annotations

import difflib
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mutant_map import Chosen, MutantMap, Recorder

ROOT = Path(__file__).parents[1]
PACKAGES = ("protocol", "codec", "storage", "jobs")
#: Simulations and campaigns hold properties of the whole; they are too slow to run for each mutant.
_SKIPPED = ("tests/jobs/test_fault_campaign.py", "tests/jobs/test_simulation.py")


_ANNOTATIONS = "core/ReplaceBinaryOperator_BitOr_"  # `int | None` is an annotation, which nothing reads
#: What only mypy reads, what keeps a mistake of ours in the code and no wrong result from users, and numbers that are
#: choices: tests read them by their names, or give others.
_IDLE = re.compile(r"^-(@dataclass\(|if TYPE_CHECKING|[A-Z_]+ = \d)", re.MULTILINE)
_SERVED = "LAMBDAMAGIC_MUTANTS_OF"
#: No plugins of pytest: it rewrites those when it imports them.
_IMPORTED_ONCE = ("psutil", "numpy", "boto3", "IPython", "dill", "cloudpickle")
_TIMEOUT_S = 1200
#: A mutant that none of so many seconds of tests sees is listed, although a slower test may see it.
_ENOUGH_S = 30.0


def modules() -> list[Path]:
    """Return the modules of these packages, by their paths in the repository."""
    found = (path for package in PACKAGES for path in (ROOT / "lambdamagic" / package).rglob("*.py"))
    return sorted(path.relative_to(ROOT) for path in found if path.name != "__init__.py")


def survivors(copy: Path, module: Path) -> Iterator[str]:
    """Yield the differences that no test saw, of one module; first how many there were."""
    environ = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", _SERVED: str(module)}
    command = [sys.executable, "-m", "tests.mutants"]
    done = subprocess.run(command, cwd=copy, env=environ, stdout=subprocess.PIPE, text=True)
    if done.returncode:  # the others are run all the same
        shutil.copy(ROOT / module, copy / module)
        yield f"{module}: its run ended with status {done.returncode}"
        return
    found = json.loads(done.stdout.splitlines()[-1])
    yield f"{module}: {found['count']} mutants, {len(found['alive'])} survived"
    for changed in found["alive"]:
        yield "    " + "\n    ".join(changed)


def _mutants(module: Path) -> Iterator[tuple[str, str]]:
    """Yield the source of each mutant, and a comparison: one of a kind at each place."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator, operator_names

    source = module.read_text()
    tree, seen = get_ast(source), set()
    for name in sorted(operator_names()):
        kind, operator_class = name.partition("_")[0], get_operator(name)
        if name.startswith(_ANNOTATIONS) or operator_class.arguments():
            continue
        operator = operator_class()
        places = [place for node in ast_nodes(tree) for place in operator.mutation_positions(node)]
        for occurrence, place in enumerate(places):
            # Of "<", ">", "<=" and so on in place of "==" one is enough.
            if kind in ("core/ReplaceBinaryOperator", "core/ReplaceComparisonOperator"):
                if (kind, place) in seen:
                    continue
                seen.add((kind, place))
            try:
                mutated = mutate_code(source, operator, occurrence)
            except AttributeError:  # cosmic-ray cannot replace the exceptions of `except (zlib.error, OSError)`
                continue
            if mutated is None or mutated == source or not _is_python(mutated):
                continue
            diff = "\n".join(difflib.unified_diff(source.splitlines(), mutated.splitlines(), n=0, lineterm=""))
            if not _IDLE.search(diff):
                yield mutated, diff


def _is_python(source: str) -> bool:
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _serve(module: Path) -> None:
    """Run the tests for each mutant of a module, in the copy, and print what survived as JSON.

    What the tests import also lambdamagic is imported once; each mutant has a fork of that.
    """
    for name in _IMPORTED_ONCE:
        importlib.import_module(name)
    source, alive, count = module.read_text(), [], 0
    arguments = ["-q", "-n0", "-p", "no:cacheprovider", *(f"--ignore={each}" for each in _SKIPPED)]
    recorded = Path(f"recorded-{module.parts[1]}.json").absolute()
    if not recorded.exists():  # of the package's first module
        recorder = Recorder(Path(*module.parts[:2]).absolute(), recorded)
        sys.dont_write_bytecode = False  # compiling what the tests import takes longer than most mutants' tests
        _outcome([*arguments, f"tests/{module.parts[1]}"], [recorder], _TIMEOUT_S)
        sys.dont_write_bytecode = True
    known = MutantMap(module.absolute(), json.loads(recorded.read_text()))
    try:
        for mutated, diff in _mutants(module):
            module.write_text(mutated)
            for compiled in module.parent.glob(f"__pycache__/{module.stem}.*"):
                compiled.unlink()
            count += 1
            chosen = known.tests_of(diff, limit_s=_ENOUGH_S)
            files = sorted({each.partition("::")[0] for each in chosen})
            # With the server that the first test starts. Mutants in a loop without an end die by this time.
            limit_s = 30 + 3 * sum(known.seconds(each) for each in chosen)
            if not chosen or _outcome([*arguments, "-x", *files], [Chosen(chosen)], limit_s) == 0:
                lines = [line for line in diff.splitlines() if line[:1] in "@+-" and line[:3] not in ("+++", "---")]
                alive.append(lines if chosen else [*lines, "(no test runs it)"])
                print(*alive[-1], sep="\n", file=sys.stderr, flush=True)
    finally:
        module.write_text(source)
    print(json.dumps({"count": count, "alive": alive}))


def _outcome(arguments: list[str], plugins: list[object], limit_s: float) -> int:
    """Return how pytest ends in a fork of this process; another number where it takes too long."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        try:
            os._exit(int(pytest.main(arguments, plugins)))
        finally:
            os._exit(70)
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return -1


def main() -> None:
    """Make mutants of the modules that are named, or of all, and list those that survived."""
    if _SERVED in os.environ:
        _serve(Path(os.environ[_SERVED]))
        return
    wanted = [Path(name) for name in sys.argv[1:]] or modules()
    missing = [str(path) for path in wanted if not (ROOT / path).is_file()]
    if missing:
        sys.exit(f"there is no module {', '.join(missing)}")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        files = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        for name in files.splitlines():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
        for module in wanted:
            for line in survivors(copy, module):
                print(line, flush=True)


if __name__ == "__main__":
    main()
