"""Answers that are in the bucket."""

from __future__ import annotations

import json

import pytest

from lambdamagic.errors import IntegrityError
from lambdamagic.protocol.seal import seal, unseal

_KEY = b"k" * 32


def test_a_sealed_answer_is_read() -> None:
    """An answer comes back as it was, for the same job and attempt."""
    sealed = seal({"status": "done", "text": "é"}, key=_KEY, job_id="job", attempt_id="000001")
    assert json.loads(unseal(sealed, key=_KEY, job_id="job", attempt_id="000001")) == {"status": "done", "text": "é"}


@pytest.mark.parametrize(
    "changes", [{"key": b"x" * 32}, {"job_id": "other"}, {"attempt_id": "000002"}], ids=["key", "job", "attempt"]
)
def test_an_answer_for_another_is_refused(changes: dict[str, object]) -> None:
    """An answer of another key, job or attempt is not read."""
    sealed = seal({"status": "done"}, key=_KEY, job_id="job", attempt_id="000001")
    with pytest.raises(IntegrityError):
        unseal(sealed, **{"key": _KEY, "job_id": "job", "attempt_id": "000001", **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"answer": 1, "signature": "x"}', b"\xff"])
def test_anything_else_is_refused(data: bytes) -> None:
    """Bytes that are no sealed answer are refused, not misread."""
    with pytest.raises(IntegrityError):
        unseal(data, key=_KEY, job_id="job", attempt_id="000001")
