"""What all stores share: segments as bytes, and errors."""

from __future__ import annotations

from array import array

from lambdamagic.storage.object_store import TransferError, byte_views, total_size


def test_segments_are_measured_in_bytes() -> None:
    """A view of numbers counts its bytes, not its numbers."""
    numbers = memoryview(array("d", [1.0, 2.0]))
    segments = [b"ab", bytearray(3), numbers, b"", numbers.cast("B").cast("d", (1, 2))]
    assert total_size(segments) == 2 + 3 + 16 + 16
    views = byte_views(segments)
    assert [(view.format, view.ndim, view.nbytes) for view in views] == [("B", 1, size) for size in (2, 3, 16, 16)]
    assert views[2].obj is numbers.obj  # nothing is copied


def test_an_error_without_an_answer_has_no_status() -> None:
    """A connection that broke is no refusal."""
    error = TransferError("lost")
    assert (error.status, error.code, error.hint) == (0, "", None)
