"""The secret that kept outcomes are signed with."""

from __future__ import annotations

import stat

import pytest

from lambdamagic.errors import ConfigError
from lambdamagic.targets.secret import cache_secret, secret_file


@pytest.fixture
def file(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return secret_file()


def test_it_is_made_once_for_its_owner_alone(file):
    """32 bytes, in a file and a folder that only this user can read."""
    secret = cache_secret()
    assert len(secret) == 32
    assert cache_secret() == secret
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_one_that_others_can_read_is_refused(file, mode):
    """The error says what to do."""
    cache_secret()
    file.chmod(mode)
    with pytest.raises(ConfigError, match=r"can be read by other users(?s:.*)chmod 600"):
        cache_secret()


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33])
def test_a_file_that_holds_none_is_refused(file, content):
    """A secret that is too short would sign as well, and could be guessed."""
    cache_secret()
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="does not hold a secret"):
        cache_secret()
