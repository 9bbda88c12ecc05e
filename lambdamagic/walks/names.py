"""Names of objects below a graph's prefix. The role of a function that runs walks may use that prefix and no other."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence

from lambdamagic.protocol.keys import graphs_prefix
from lambdamagic.protocol.reading import digits

_SPREAD_DIGITS, _NAME_DIGITS = 4, 16
#: S3's limit is 1,024 bytes for a whole key ("Naming Amazon S3 objects", S3 user guide).
_EDGES_MAX_CHARS = 600

MANIFEST = "manifest"
PROGRAM = "program"
STRUCTURE = "structure"
CANCEL = "cancel"
WALKS = "walks/"
RESULTS = "results/"
#: What no walk needs once all results exist.
PASSING = ("claims/", "edges/", "nodes/", "values/")


def graph_prefix(job_id: str) -> str:
    """Prefix of everything that belongs to one graph; it begins with a digest, as `keys.job_prefix` does."""
    return f"{graphs_prefix()}{hashlib.sha256(job_id.encode()).hexdigest()[:_SPREAD_DIGITS]}-{job_id}/"


def block(number: int) -> str:
    """Name of the code of some nodes."""
    return f"nodes/{number}"


def value(node: int) -> str:
    """Name of a value that several walks may need."""
    return f"values/{node}"


def constant(number: int) -> str:
    """Name of a value that existed before the graph."""
    return f"constants/{number}"


def result(node: int) -> str:
    """Name of a node's outcome that was asked for, or of the failure that ended the graph."""
    return f"{RESULTS}{node}"


def claim(join: int) -> str:
    """Name of what says which walk runs a join."""
    return f"claims/{join}"


def edges(join: int) -> str:
    """Prefix of the edges that have arrived at a join."""
    return f"edges/{join}/"


def edges_name(join: int, nodes: Iterable[int]) -> list[tuple[str, list[int]]]:
    """Return names for edges that go together, and which they are: one name, more only where it would be too long."""
    found: list[tuple[str, list[int]]] = []
    text, numbers = "", list[int]()
    for first, last in _runs(sorted(nodes)):
        part = str(first) if first == last else f"{first}-{last}"
        if numbers and len(text) + len(part) >= _EDGES_MAX_CHARS:
            found.append((edges(join) + text, numbers))
            text, numbers = "", []
        text += ("," if text else "") + part
        numbers.extend(range(first, last + 1))
    return [*found, (edges(join) + text, numbers)] if numbers else found


def read_edges_name(name: str, among: Collection[int]) -> set[int]:
    """Return which of some nodes are edges that a name holds; none for a name that is not ours.

    A name that another user planted may state a billion nodes: it makes a set no larger than the graph's.
    """
    found: set[int] = set()
    for part in name.rpartition("/")[2].split(","):
        first, dash, last = part.partition("-")
        start, end = digits(first), digits(last if dash else first)
        if start is None or end is None:
            return set()
        span = range(start, end + 1)
        small, large = (span, among) if len(span) < len(among) else (among, span)
        found.update(node for node in small if node in large)
    return found


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = runs[-1][0], number
        else:
            runs.append((number, number))
    return runs


def walk_name(groups: Sequence[Sequence[int]], kin: Sequence[str]) -> str:
    """Return the name of the walk that begins with these nodes and has this kin; no other walk has it.

    A second attempt of who hands nodes over may hand other ones over, and may take other claims for its own: what it
    invokes must not pass for what the first has invoked.
    """
    first, groups = groups[0][0], tuple(map(tuple, groups))
    if len(groups) == len(groups[0]) == 1 and not kin:
        return f"n{first}"
    return f"n{first}-{hashlib.sha256(repr((groups, kin)).encode()).hexdigest()[:_NAME_DIGITS]}"


def walk_event(walk: str) -> str:
    """Name of a walk's event."""
    return f"{WALKS}{walk}/event"


def walk_left(walk: str) -> str:
    """Name of the event of a walk that was not sent: the client sends it, or who left it takes it back."""
    return f"{WALKS}{walk}/left"


def walk_sign(walk: str, attempt: int) -> str:
    """Name of the first object of a walk's attempt: its claim, and the whole event behind it."""
    return f"{WALKS}{walk}/{attempt}/sign"


def walk_beat(walk: str, attempt: int) -> str:
    """Name of what shows that a walk's attempt still runs."""
    return f"{WALKS}{walk}/{attempt}/beat"


def walk_record(walk: str, attempt: int) -> str:
    """Name of what a walk's attempt did."""
    return f"{WALKS}{walk}/{attempt}/record"


def read_walk_name(name: str) -> tuple[str, int, str]:
    """Return walk, attempt (0 for the event) and kind of an object below `WALKS`.

    Raises:
        ValueError: It is not lambdamagic's.
    """
    parts = name.removeprefix(WALKS).split("/")
    if len(parts) == 2 and parts[1] in ("event", "left"):
        return parts[0], 0, parts[1]
    attempt = digits(parts[1]) if len(parts) == 3 and parts[2] in ("sign", "beat", "record") else None
    if attempt is None:
        raise ValueError(f"{name!r} is not a walk's name")
    return parts[0], attempt, parts[2]
