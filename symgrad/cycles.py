"""What reads itself around a circle: names in groups, each behind all that it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping


def groups(reads: Mapping[str, Collection[str]]) -> list[tuple[str, ...]]:
    """The names, in groups of those that all read each other around a circle; others stand alone.

    A group comes behind all that it reads, otherwise in the order given, and so do the names in it. These are
    the strongly connected components of the graph (Tarjan 1972).
    """
    search = _Search(reads)
    for name in reads:
        search.visit(name)
    return [tuple(sorted(group, key=search.rank.__getitem__)) for group in search.found]


class _Search:
    def __init__(self, reads: Mapping[str, Collection[str]]) -> None:
        self.reads = reads
        self.rank = {name: number for number, name in enumerate(reads)}
        self.number: dict[str, int] = {}
        self.lowest: dict[str, int] = {}
        self.open: list[str] = []
        self.found: list[list[str]] = []

    def visit(self, root: str) -> None:
        """Find the groups of a name and of all that it reads."""
        if root in self.number:
            return
        path = [(root, self._enter(root))]
        while path:
            name, others = path[-1]
            other = next(others, None)
            if other is None:
                path.pop()
                self._leave(name)
                if path:
                    above = path[-1][0]
                    self.lowest[above] = min(self.lowest[above], self.lowest[name])
            elif other not in self.number:
                path.append((other, self._enter(other)))
            elif other in self.open:
                self.lowest[name] = min(self.lowest[name], self.number[other])

    def _enter(self, name: str) -> Iterator[str]:
        self.number[name] = self.lowest[name] = len(self.number)
        self.open.append(name)
        known = (other for other in self.reads[name] if other in self.reads)
        return iter(sorted(known, key=self.rank.__getitem__))

    def _leave(self, name: str) -> None:
        if self.lowest[name] == self.number[name]:
            start = self.open.index(name)
            self.found.append(self.open[start:])
            del self.open[start:]
