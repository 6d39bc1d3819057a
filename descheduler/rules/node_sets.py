"""Sets of nodes as the bits of one integer: who carries a label, who has the room. Thousands of pods ask, the answers are kept.

Node ``i`` is bit ``i``; sets meet in ``&`` and ``|``. This is what makes the verdicts of 40,000 pods on 2,000 nodes a matter
of their few distinct selectors and requests.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import compress

from descheduler.domain.objects import Node
from descheduler.domain.selectors import NodeSelectorTerm, Requirement


class NodeSets:
    """Look-ups over some nodes, made once. ``room``, when given, is what each node has instead of its allocatable."""

    def __init__(self, nodes: Sequence[Node], room: Sequence[Mapping[str, int]] | None = None) -> None:
        self.nodes = nodes
        self.everyone = (1 << len(nodes)) - 1
        self._room = room if room is not None else [node.allocatable for node in nodes]
        self._names = {node.ref.name: 0 for node in nodes}
        self._values: dict[str, dict[str, int]] = {}
        self._having: dict[str, int] = {}
        for index, node in enumerate(nodes):
            self._names[node.ref.name] |= 1 << index
            for key, value in node.labels:
                values = self._values.setdefault(key, {})
                values[value] = values.get(value, 0) | 1 << index
        self._steps: dict[str, tuple[list[int], list[int]]] = {}
        self._groups: dict[str, list[tuple[Node, int]]] = {}
        self._known: dict[Hashable, int] = {}
        self._members: dict[int, tuple[int, ...]] = {}
        self._indices = range(len(nodes))

    def labelled(self, key: str, value: str) -> int:
        """Nodes with this label."""
        return self._values.get(key, {}).get(value, 0)

    def having(self, key: str) -> int:
        """Nodes with any value of this label."""
        if key not in self._having:
            found = 0
            for members in self._values.get(key, {}).values():
                found |= members
            self._having[key] = found
        return self._having[key]

    def of_terms(self, terms: Iterable[NodeSelectorTerm]) -> int:
        """Nodes that match any of the terms (kubernetes.md 3.5)."""
        found = 0
        for term in terms:
            found |= self.remembered(term, lambda term=term: self._of_term(term))  # type: ignore[misc]  # called at once
        return found

    def _of_term(self, term: NodeSelectorTerm) -> int:
        if not term.expressions and not term.fields:
            return 0
        found = self.everyone
        for expression in term.expressions:
            found &= self._of_expression(expression)
        for field in term.fields:
            matching = [members for name, members in self._names.items() if field.matches({"metadata.name": name})]
            found &= sum(matching)  # names are distinct, and so are their bits
        return found

    def _of_expression(self, expression: Requirement) -> int:
        """Each distinct value is asked once, and once more what absence of the label means."""
        found = 0
        for value, members in self._values.get(expression.key, {}).items():
            if expression.matches({expression.key: value}):
                found |= members
        return found | (self.everyone & ~self.having(expression.key) if expression.matches({}) else 0)

    def with_room(self, resource: str, amount: int) -> int:
        """Nodes that have at least so much of a resource."""
        if resource not in self._steps:
            self._steps[resource] = self._stepped(resource)
        amounts, members = self._steps[resource]
        at = bisect_left(amounts, amount)
        return members[at] if at < len(members) else 0

    def _stepped(self, resource: str) -> tuple[list[int], list[int]]:
        """The distinct amounts, ascending, and for each the nodes that have that much or more."""
        having: dict[int, int] = {}
        for index, room in enumerate(self._room):
            amount = room.get(resource, 0)
            having[amount] = having.get(amount, 0) | 1 << index
        amounts = sorted(having)
        members, total = [0] * len(amounts), 0
        for at in range(len(amounts) - 1, -1, -1):
            total |= having[amounts[at]]
            members[at] = total
        return amounts, members

    def grouped(self, name: str, part: Callable[[Node], Hashable]) -> list[tuple[Node, int]]:
        """Nodes of equal parts, one of each and all of them as a set; ``name`` names the part."""
        if name not in self._groups:
            found: dict[Hashable, tuple[Node, int]] = {}
            for index, node in enumerate(self.nodes):
                key = part(node)
                first, members = found.get(key, (node, 0))
                found[key] = (first, members | 1 << index)
            self._groups[name] = list(found.values())
        return self._groups[name]

    def remembered(self, question: Hashable, answer: Callable[[], int]) -> int:
        """The answer to a question that is asked more than once."""
        if question not in self._known:
            self._known[question] = answer()
        return self._known[question]

    def indices(self, members: int) -> tuple[int, ...]:
        """The nodes of a set in ascending order; equal sets share one tuple."""
        if members not in self._members:
            self._members[members] = tuple(compress(self._indices, map(int, reversed(f"{members:b}"))))
        return self._members[members]
