"""How many pods of each class are on each node, as a shared start and the few classes that differ from it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from descheduler.domain.placement import Spots
from descheduler.domain.problem import Problem

Places = Mapping[int, int]
"""Node to a number of pods."""
NOWHERE: Places = {}


class Standing(Mapping[tuple[int, int], int]):
    """(class, node) to the number of pods there; who is nowhere is not in it. A change copies only the classes it changes.

    Counts below 0 are kept: the judge must survive a route that does not add up.
    """

    __slots__ = ("_changed", "start")

    def __init__(self, start: Mapping[int, Places], changed: Mapping[int, dict[int, int]] | None = None) -> None:
        self.start, self._changed = start, changed or {}

    @classmethod
    def of_spots(cls, spots: Spots) -> Standing:
        """The same counts."""
        if isinstance(spots, Standing):
            return spots
        start: dict[int, dict[int, int]] = {}
        for (c, node), count in spots.items():
            if count:
                start.setdefault(c, {})[node] = count
        return cls(start)

    def of(self, pod_class: int) -> Places:
        """Where pods of a class are, and how many."""
        found = self._changed.get(pod_class)
        return self.start.get(pod_class, NOWHERE) if found is None else found

    def plus(self, more: Iterable[tuple[int, int]], sign: int = 1) -> Standing:
        """With one pod more, or less, at each of these (class, node)."""
        changed = dict(self._changed)
        fresh: set[int] = set()
        for c, node in more:
            if c not in fresh:
                fresh.add(c)
                changed[c] = dict(self.of(c))
            here = changed[c]
            here[node] = here.get(node, 0) + sign
            if not here[node]:
                del here[node]
        return Standing(self.start, changed) if fresh else self

    def differences(self) -> Iterator[tuple[int, int, int]]:
        """Class, node and by how much they differ from the start."""
        for c, here in self._changed.items():
            before = self.start.get(c, NOWHERE)
            for node in {**before, **here}:
                more = here.get(node, 0) - before.get(node, 0)
                if more:
                    yield c, node, more

    def classes(self) -> Iterator[int]:
        """Whoever is anywhere, or was at the start."""
        yield from self.start
        yield from (c for c in self._changed if c not in self.start)

    def __getitem__(self, key: tuple[int, int]) -> int:
        return self.of(key[0])[key[1]]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((c, node) for c in self.classes() for node in self.of(c))

    def __len__(self) -> int:
        return sum(len(self.of(c)) for c in self.classes())


def at_start(problem: Problem) -> Standing:
    """What the snapshot shows."""
    return problem.once(_at_start)


def _at_start(problem: Problem) -> Standing:
    return Standing({c.index: {node: len(pods) for node, pods in c.at.items()} for c in problem.classes if c.at})


def used_on(problem: Problem, spots: Spots, nodes: Collection[int]) -> dict[int, dict[str, int]]:
    """What the pods on some nodes ask for, ``pods`` included."""
    standing = Standing.of_spots(spots)
    if standing.start is at_start(problem).start:
        used = {node: dict(problem.used[node].items()) for node in nodes}
        changes = standing.differences()
    else:
        used = {node: {} for node in nodes}
        changes = ((c, node, count) for (c, node), count in standing.items())
    for c, node, count in changes:
        if node in used:
            problem.classes[c].requests.add_to(used[node], count)
    return used
