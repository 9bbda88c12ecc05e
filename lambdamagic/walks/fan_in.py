"""Joins: the walk that arrives last continues. Through the bucket alone; see the package."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lambdamagic.walks import names

Body = Sequence[Any]


class Bucket(Protocol):
    """What walks do with a graph's objects. Names are below the graph's prefix."""

    def put_first(self, name: str, body: Body) -> bool:
        """Store an object where there is none; False if there is one, which stays."""
        ...

    def put_all(self, objects: Sequence[tuple[str, Body]]) -> list[bool]:
        """Store some objects at the same time; see `put_first`."""
        ...

    def get(self, name: str) -> bytearray:
        """Return an object.

        Raises:
            FileNotFoundError: There is none.
        """
        ...

    def get_all(self, names: Sequence[str]) -> list[bytearray]:
        """Return some objects; see `get`."""
        ...

    def find(self, prefix: str) -> list[str]:
        """Return the names that begin so."""
        ...

    def find_all(self, prefixes: Sequence[str]) -> list[list[str]]:
        """Return the names that begin with each; see `find`."""
        ...


@dataclass(frozen=True)
class Coming:
    """A walk that comes to a join with some of its edges.

    Attributes:
        join: The join.
        needs: All nodes that it needs.
        own: Those of them that this walk has run.
        pack: Returns what is stored for some edges, by the name of their object.
        looks_first: Whether the edges are worth a look before they are written: the last to arrive need not write.
    """

    join: int
    needs: Collection[int]
    own: Collection[int]
    pack: Callable[[str, Collection[int]], Body]
    looks_first: bool = False

    @property
    def prefix(self) -> str:
        """Where the join's edges are."""
        return names.edges(self.join)

    def is_whole(self, found: Sequence[str], own: Collection[int] = ()) -> bool:
        """Whether edges that were found, and some more, are all."""
        there, needed = set(own), frozenset(self.needs)
        for name in found:
            there.update(names.read_edges_name(name, needed))
        return there >= needed


@dataclass(frozen=True)
class Arrived:
    """The outcome of an arrival at joins.

    Attributes:
        goes_on: Whether the walk runs the join.
        found: The names of the edges that were there.
    """

    goes_on: bool
    found: tuple[str, ...] = ()


def arrive(bucket: Bucket, arrivals: Sequence[Coming], walks: Sequence[str]) -> list[Arrived]:
    """Arrive at joins; what is asked of the bucket for several of them is asked at the same time.

    Args:
        bucket: The graph's objects.
        arrivals: The joins, and what the walk brings to each.
        walks: The walk's name, which its attempts share, and the names of those whose claims are its own too.
    """
    done: dict[int, Arrived] = {}
    looking = [each for each in arrivals if each.looks_first]
    seen = dict(zip((each.join for each in looking), _listed(bucket, looking), strict=True))
    last = [each for each in looking if each.is_whole(seen[each.join], each.own)]
    for each, goes_on in zip(last, _claim(bucket, last, walks), strict=True):
        if goes_on:
            done[each.join] = Arrived(True, tuple(seen[each.join]))
    others = [each for each in arrivals if each.join not in done]
    edges = [(name, each.pack(name, nodes)) for each in others for name, nodes in names.edges_name(each.join, each.own)]
    bucket.put_all(edges)
    found = dict(zip((each.join for each in others), _listed(bucket, others), strict=True))
    whole = [each for each in others if each.is_whole(found[each.join])]
    for each, goes_on in zip(whole, _claim(bucket, whole, walks), strict=True):
        done[each.join] = Arrived(goes_on, tuple(found[each.join]))
    return [done.get(each.join) or Arrived(False, tuple(found[each.join])) for each in arrivals]


def _listed(bucket: Bucket, arrivals: Sequence[Coming]) -> list[list[str]]:
    return bucket.find_all([each.prefix for each in arrivals]) if arrivals else []


def _claim(bucket: Bucket, arrivals: Sequence[Coming], walks: Sequence[str]) -> list[bool]:
    """Claim joins; True also where an earlier attempt of this walk has, or this one, whose answer was lost."""
    claims = [names.claim(each.join) for each in arrivals]
    is_first = bucket.put_all([(claim, [walks[0].encode()]) for claim in claims]) if claims else []
    return [
        first or bytes(bucket.get(claim)).decode("utf-8", "replace") in walks
        for claim, first in zip(claims, is_first, strict=True)
    ]


def begin(bucket: Bucket, walk: str, attempt: int, sign: bytes, event: bytes = b"") -> bool:
    """Claim an attempt of a walk: Lambda may deliver an event twice, and it may be sent twice. True for the first only.

    Args:
        bucket: The graph's objects.
        walk: The walk's name.
        attempt: Which attempt it is.
        sign: What no other delivery writes.
        event: The whole event, so that others can send it again.
    """
    name = names.walk_sign(walk, attempt)
    return bucket.put_first(name, [sign, event]) or bytes(bucket.get(name)).startswith(sign)
