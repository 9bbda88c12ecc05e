"""The shared objects of an execution environment."""

from __future__ import annotations

from lambdamagic.worker.shared_objects import SharedObjects


def test_those_not_used_for_longest_go_first():
    """What is used again stays; what does not fit drives out the oldest."""
    loaded = []
    objects = SharedObjects(limit_bytes=100)

    def get(name: str, size_bytes: int) -> str:
        return objects.get(name, size_bytes, lambda: loaded.append(name) or name)

    for name in ("a", "b", "a", "c", "a", "b"):
        assert get(name, 40) == name
    assert loaded == ["a", "b", "c", "b"]
    assert get("large", 1000) == get("large", 1000) == "large"
    assert get("a", 40) == "a"
    assert loaded[4:] == ["large", "a"]
