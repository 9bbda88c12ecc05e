"""One Covalent server with one embedded Lambda for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.covalent.environment import CovalentHome, make
from tests.environments import CannotBeMadeError, lambdamagic_metadata
from tests.images.base import cache_folder

_CACHE = cache_folder()  # looked up now: during the tests the home is another one
_ON_CI = bool(os.environ.get("CI"))


@pytest.fixture(scope="session")
def covalent(own_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CovalentHome]:
    """A home with Covalent's server; skipped where its environment cannot be made, but not in CI."""
    try:
        python = make(_CACHE)
    except CannotBeMadeError as reason:
        if _ON_CI:
            pytest.fail(f"Covalent's environment cannot be made in CI: {reason}")
        pytest.skip(f"Covalent's environment cannot be made: {reason}")
    package = lambdamagic_metadata(python, tmp_path_factory.mktemp("package"))
    found = CovalentHome(python, tmp_path_factory.mktemp("covalent") / "home", package)
    try:
        found.start()
        yield found
    finally:
        found.close()
