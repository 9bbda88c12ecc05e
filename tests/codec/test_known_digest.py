"""Hash objects of another process: their digests are known, and they take no more data."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from lambdamagic.codec.known_digest import KINDS, KnownDigest, again, parts


@pytest.mark.parametrize("name", ["sha256", "blake2b", "blake2s", "md5"])
def test_a_hash_with_data_knows_its_digest(name: str) -> None:
    """Its name, its sizes and its digest are those of the hash that was sent; so are its copy's."""
    value = hashlib.new(name, b"abc", usedforsecurity=False)
    found = again(*parts(value))
    for known in (found, found.copy()):
        assert isinstance(known, KnownDigest)
        assert (known.name, known.digest(), known.hexdigest()) == (name, value.digest(), value.hexdigest())
        assert (known.digest_size, known.block_size) == (value.digest_size, value.block_size)
        assert repr(known) == f"<{name} hash object with a known digest>"
    assert found.copy() is not found
    with pytest.raises(TypeError, match=rf"^this {name} hash has data from another process, .* cell that makes it$"):
        found.update(b"more")


def test_a_hash_without_data_is_a_new_one() -> None:
    """It takes data there."""
    found = again(*parts(hashlib.sha256()))
    assert isinstance(found, KINDS[0])
    found.update(b"abc")
    assert found.digest() == hashlib.sha256(b"abc").digest()


def test_the_digest_of_an_hmac_is_known_and_its_key_is_not() -> None:
    """It has no data to begin with either."""
    value = hmac.new(b"key", b"", "sha256")
    found = again(*parts(value))
    assert isinstance(found, KnownDigest)
    assert found.digest() == value.digest()


def test_a_hash_whose_digest_has_any_length_is_refused() -> None:
    """There is no digest of it to know."""
    with pytest.raises(TypeError, match=r"^cannot pickle a shake_128 hash: its digest has any length$"):
        parts(hashlib.shake_128(b"abc"))
