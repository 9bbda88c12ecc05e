"""Fixtures of the cells' tests alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.local.conftest import Mailbox


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A socket to which remote code reports, so that a test waits for what happened and not for time to pass."""
    found = Mailbox()
    yield found
    found.close()
