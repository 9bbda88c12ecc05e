"""The start event of a walk, and its form in events and in the bucket. Pure."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

from lambdamagic.errors import ProtocolError
from lambdamagic.protocol import reading
from lambdamagic.walks.sharing import Allowance


@dataclass(frozen=True)
class WalkEvent:
    """The start event of a walk.

    Attributes:
        walk: Its name.
        groups: The nodes with which it and the walks that it hands some of them to begin; each group is one walk's.
        edges: Names of the objects that hold values which its nodes need.
        inline: Values which its nodes need, packed under the walk's name; empty for none.
        stored: Nodes whose values are stored under their own names.
        allowance: How much may still be invoked.
        kin: Walks whose claims are its own too: second attempts that handed it over what the first may have claimed.
    """

    walk: str
    groups: tuple[tuple[int, ...], ...]
    edges: tuple[str, ...] = ()
    inline: bytes = field(default=b"", repr=False)
    stored: tuple[int, ...] = ()
    allowance: Allowance = field(default_factory=Allowance)
    kin: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the event's form."""
        return {
            "name": self.walk,
            "groups": self.groups,
            "edges": self.edges,
            "inline": base64.b64encode(self.inline).decode("ascii"),
            "stored": self.stored,
            "allowance": [self.allowance.invocations, self.allowance.depth],
            "kin": self.kin,
        }

    @classmethod
    def from_json(cls, document: Any) -> WalkEvent:
        """Read the event's form.

        Raises:
            ProtocolError: It has another form.
        """
        try:
            fields = reading.table(document)
            groups = tuple(tuple(map(reading.count, reading.listed(each))) for each in reading.listed(fields["groups"]))
            if not groups or not all(groups):
                raise ValueError("it begins with no node")
            invocations, depth = map(reading.count, reading.listed(fields["allowance"]))
            return cls(
                reading.text(fields["name"]),
                groups,
                tuple(map(reading.text, reading.listed(fields["edges"]))),
                base64.b64decode(reading.text(fields["inline"]), validate=True),
                tuple(map(reading.count, reading.listed(fields["stored"]))),
                Allowance(invocations, depth),
                tuple(map(reading.text, reading.listed(fields["kin"]))),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ProtocolError(f"this is not a walk's event: {error!r}") from error
