"""A graph of tasks, independent of the library that built it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Any

#: Names a node. It must be picklable, and have a repr that a person recognizes.
Key = Hashable
#: Makes a node's value of the values that it needs, by their keys.
Run = Callable[[Mapping[Key, Any]], Any]


class Node:
    """One task of a graph. Immutable.

    Attributes:
        key: Its name.
        needs: The keys whose values it needs.
        run: Makes its value; picklable.
        members: The keys of the tasks that it stands for, in the order in which they run; its own is the last.
    """

    __slots__ = ("key", "members", "needs", "run")

    def __init__(self, key: Key, needs: Iterable[Key], run: Run, members: tuple[Key, ...] = ()) -> None:
        self.key, self.needs, self.run = key, frozenset(needs), run
        self.members = members or (key,)

    def __repr__(self) -> str:
        return f"<Node {self.key!r} needs {len(self.needs)}>"


class Graph:
    """Nodes in topological order, and the requested results. Immutable; see `Graph.of`.

    Attributes:
        nodes: The nodes that run, by their keys, in order.
        constants: Values that are known, by their keys; nodes may need them.
        aliases: Other names, and the node or constant that each stands for.
        wanted: The keys that are asked for: of nodes, constants or aliases.
    """

    __slots__ = ("aliases", "constants", "nodes", "wanted")

    def __init__(
        self,
        nodes: Mapping[Key, Node],
        constants: Mapping[Key, Any],
        aliases: Mapping[Key, Key],
        wanted: Iterable[Key],
    ) -> None:
        self.nodes, self.constants, self.aliases, self.wanted = nodes, constants, aliases, frozenset(wanted)

    @classmethod
    def of(cls, nodes: Iterable[Node], wanted: Iterable[Key], constants: Mapping[Key, Any] | None = None) -> Graph:
        """Return the graph of the requested results: culled, sorted, complete.

        Raises:
            ValueError: A node needs what is not there, or nodes need each other in a circle; names the keys.
        """
        by_key, known = {node.key: node for node in nodes}, constants or {}
        chosen = frozenset(wanted)
        return cls(_in_order(by_key, chosen, known), known, {}, chosen)

    @property
    def kept(self) -> frozenset[Key]:
        """The keys of nodes whose values were requested."""
        return frozenset(found for key in self.wanted if (found := self.aliases.get(key, key)) in self.nodes)

    def dependents(self) -> dict[Key, list[Key]]:
        """Return, for each node, the nodes that need it, in order."""
        found: dict[Key, list[Key]] = {key: [] for key in self.nodes}
        for node in self.nodes.values():
            for key in node.needs:
                if key in found:
                    found[key].append(node.key)
        return found

    def results(self, values: Mapping[Key, Any]) -> dict[Key, Any]:
        """Return the value of each requested key.

        Args:
            values: Those of the nodes in `kept`, at least.
        """
        found = {}
        for key in self.wanted:
            source = self.aliases.get(key, key)
            found[key] = self.constants[source] if source in self.constants else values[source]
        return found


def _in_order(by_key: Mapping[Key, Node], wanted: Iterable[Key], known: Mapping[Key, Any]) -> dict[Key, Node]:
    """Return the needed nodes depth first, so that neighbors in the graph are neighbors in the order."""
    found: dict[Key, Node] = {}
    open_keys: set[Key] = set()
    for start in wanted:
        path: list[tuple[Key, Iterator[Key]]] = []
        next_key: Key | None = start
        has_next = True
        while True:
            if has_next and next_key not in found and next_key not in known:
                if next_key in open_keys:
                    circle = [key for key, _ in path]
                    shown = " -> ".join(map(repr, [*circle[circle.index(next_key) :], next_key]))
                    raise ValueError(f"the graph has a cycle: {shown}")
                node = by_key.get(next_key)
                if node is None:
                    needed_by = f", which {path[-1][0]!r} needs" if path else ", which was requested"
                    raise ValueError(f"the graph has no task {next_key!r}{needed_by}")
                open_keys.add(next_key)
                path.append((next_key, iter(node.needs)))
            if not path:
                break
            key, rest = path[-1]
            has_next = False
            for next_key in rest:
                if next_key not in found and next_key not in known:
                    has_next = True
                    break
            if not has_next:
                path.pop()
                open_keys.discard(key)
                found[key] = by_key[key]
    return found
