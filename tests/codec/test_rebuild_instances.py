"""How instances are given their state where they arrive."""

from __future__ import annotations

from typing import Any

from lambdamagic.codec import rebuild


def test_states_are_set_as_pickle_does() -> None:
    """Attributes, slots, or both; a dictionary of attributes may be shared."""

    class A:
        __slots__ = ("__dict__", "s")

        def __setattr__(self, name: str, value: Any) -> None:
            raise AssertionError

    value: Any = rebuild.bare(A)
    rebuild.set_state(value, {"a": 1})
    rebuild.set_state(value, ({"b": 2}, {"s": 3}))
    rebuild.set_state(value, (None, {"s": 4}))
    rebuild.set_state(value, None)
    assert (value.a, value.b, value.s) == (1, 2, 4)
    attributes = {"c": 5}
    rebuild.share_state(value, (attributes, {"s": 6}))
    assert (vars(value) is attributes, value.s) == (True, 6)
    rebuild.share_state(value, {"d": 7})
    assert vars(value) == {"d": 7}
    assert rebuild.vars_of(value) is vars(value)
