"""Mutants: each is the package with one thing changed, and a test should fail for it.

`make mutants` makes them of codec, protocol, storage and jobs, by cosmic-ray, in a copy of this repository; after
`python -m tests.mutants` modules may be named. What survives is listed: each is read once, and answered by a test, or
by a line in `tests/data/mutants.md` that says why it may live.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("protocol", "codec", "storage", "jobs")
#: Simulations and campaigns hold properties of the whole; they are too slow to run for each mutant.
_SKIPPED = ("tests/jobs/test_fault_campaign.py", "tests/jobs/test_simulation.py")


def modules() -> list[Path]:
    """Return the modules of these packages, by their paths in the repository."""
    found = (path for package in PACKAGES for path in (ROOT / "lambdamagic" / package).rglob("*.py"))
    return sorted(path.relative_to(ROOT) for path in found if path.name != "__init__.py")


def survivors(copy: Path, module: Path) -> Iterator[str]:
    """Yield the differences that no test saw, of one module; first how many there were."""
    folder, own = f"tests/{module.parts[1]}", f"tests/{module.parts[1]}/test_{module.stem}.py"
    tests = f"{own} {folder}" if (copy / own).exists() else folder  # its own tests first: most mutants die there
    ignored = " ".join(f"--ignore={each}" for each in _SKIPPED)
    command = f"{sys.executable} -m pytest -q -x -n 0 -p no:cacheprovider {ignored} {tests}"
    config, session = copy / "mutants.toml", copy / f"{module.stem}.sqlite"
    config.write_text(
        f'[cosmic-ray]\nmodule-path = "{module}"\ntimeout = 300.0\nexcluded-modules = []\n'
        f'test-command = {json.dumps(command)}\n[cosmic-ray.distributor]\nname = "local"\n'
        # `int | None` is an annotation, which nothing reads.
        '[cosmic-ray.filters.operators-filter]\nexclude-operators = ["core/ReplaceBinaryOperator_BitOr_.*"]\n'
    )
    tool, chosen = (str(Path(sys.executable).with_name(name)) for name in ("cosmic-ray", "cr-filter-operators"))
    environ = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    for step in ([tool, "init", config, session], [chosen, session, config], [tool, "exec", config, session]):
        subprocess.run(step, cwd=copy, env=environ, check=True)
    lines = subprocess.run(
        [tool, "dump", str(session)], cwd=copy, env=environ, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    results = [json.loads(line)[1] for line in lines]
    alive = [each for each in results if each and each["test_outcome"] == "survived"]
    yield f"{module}: {len(results)} mutants, {len(alive)} survived"
    for each in alive:
        changed = [line for line in each["diff"].splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
        yield "    " + "\n    ".join(changed)


def main() -> None:
    """Make mutants of the modules that are named, or of all, and list those that survived."""
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
