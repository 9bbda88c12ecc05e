"""Task values that stay in the bucket: the references to them in answers.

The JSON form of what one invocation left::

    {"key": "...", "n": 16777472, "values": [[0, 0, [812, 8388608], "<sha256>", false, "ndarray (1024, 1024)"], ...]}

All values of an invocation are in one object, one after the other.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from lambdamagic.protocol.reading import count, listed, table, text


class StayedValue(NamedTuple):
    """One value.

    Attributes:
        task: Its task's place in the invocation.
        start: Its first byte in the object.
        frame_sizes: Its pickle stream and its buffers, which follow one another.
        sha256: Of its bytes.
        is_of_home: Whether code of the notebook is in it, so that it means the same only with the same program.
        kind: Its type, and shape or length, for display.
    """

    task: int
    start: int
    frame_sizes: tuple[int, ...]
    sha256: str
    is_of_home: bool
    kind: str

    @property
    def size_bytes(self) -> int:
        """How large it is as written."""
        return sum(self.frame_sizes)


class Stayed(NamedTuple):
    """What one invocation left in the bucket.

    Attributes:
        key: The object.
        size_bytes: Its size.
        values: What it holds.
    """

    key: str
    size_bytes: int
    values: tuple[StayedValue, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the answer's form."""
        return {
            "key": self.key,
            "n": self.size_bytes,
            "values": [
                [each.task, each.start, list(each.frame_sizes), each.sha256, each.is_of_home, each.kind]
                for each in self.values
            ],
        }

    @classmethod
    def from_json(cls, document: Any) -> Stayed:
        """Read the answer's form.

        Raises:
            KeyError, ValueError: It has another form.
        """
        fields = table(document)
        return cls(
            text(fields["key"]),
            count(fields["n"]),
            tuple(
                StayedValue(
                    count(task),
                    count(start),
                    tuple(map(count, listed(sizes))),
                    text(sha256),
                    of_home is True,
                    text(kind),
                )
                for task, start, sizes, sha256, of_home, kind in map(listed, listed(fields["values"]))
            ),
        )
