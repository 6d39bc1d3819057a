"""The planner's books: who is on which node in the wave being filled, and whether one more step is lawful in any order.

It walks the problem's rows, not the rules' checks, so that ``verify`` remains an independent witness.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from descheduler.domain.placement import Spots
from descheduler.domain.plan import Mover
from descheduler.domain.problem import Problem
from descheduler.domain.resources import CPU, MEMORY, Resources
from descheduler.domain.rows import AtMost, Capacity, CopyQuota, Exclude, Needs, Spread
from descheduler.rules.movers import TECHNIQUES


@dataclass(frozen=True, slots=True)
class _Coming:
    pod_class: int
    node: int
    old: int | None
    """The node of its old self where that does not count."""
    twin: int | None = None
    """The node of its old self where that stays until it has come."""


@dataclass(frozen=True, slots=True)
class _Title:
    """A joint row as every ledger of the problem opens it: its domains, its sides and their pods in the snapshot."""

    row: AtMost | Exclude | Needs | Spread
    domain_of: Mapping[int, int]
    sides: tuple[frozenset[int], ...]
    totals: tuple[tuple[int, ...], ...]
    """By side and domain."""


class _Book:
    """One joint row with running totals per domain: ``during`` counts leavers, ``after`` does not."""

    __slots__ = ("after", "coming", "domain_of", "during", "least", "row", "sides")

    def __init__(self, title: _Title) -> None:
        self.row, self.domain_of, self.sides = title.row, title.domain_of, title.sides
        self.during = [list(total) for total in title.totals]
        self.after = [list(total) for total in title.totals]
        self.least = [list(total) for total in title.totals]
        """Who is there for certain while the wave lasts: leavers may be gone, arrivals may not have come."""
        self.coming: list[_Coming] = []

    def close(self) -> None:
        """End the wave."""
        self.during = [list(total) for total in self.after]
        self.least = [list(total) for total in self.after]
        self.coming.clear()

    def lawful(self) -> bool:
        return all(self._fits(comer) for comer in self.coming) and self._guarded()

    def _guarded(self) -> bool:
        if not isinstance(self.row, Spread) or self.row.guard is None or not self.after[0]:
            return True
        emptiest = 0 if len(self.row.domains) < self.row.min_domains else min(self.after[0])
        return max(self.after[0]) - emptiest <= self.row.guard

    def _skew(self, row: Spread, here: int, domain: int | None) -> int:
        """The skew an arrival meets when everyone else comes to its domain first and to the others last."""
        if len(row.domains) < row.min_domains:
            return here
        return here - min([here, *(count for other, count in enumerate(self.least[0]) if other != domain)])

    def _others(self, side: int, comer: _Coming, domain: int) -> int:
        """Pods of a side in the comer's domain, apart from itself and an old self that does not count."""
        if comer.pod_class not in self.sides[side]:
            return self.during[side][domain]
        old = comer.old is not None and self.domain_of.get(comer.old) == domain
        return self.during[side][domain] - 1 - old

    def _fits(self, comer: _Coming) -> bool:
        domain = self.domain_of.get(comer.node)
        match self.row:
            case AtMost():
                return domain is None or self._others(0, comer, domain) < self.row.limit
            case Exclude():
                if domain is None:
                    return True
                carries, shunned = (comer.pod_class in side for side in self.sides)
                return not (carries and self._others(1, comer, domain)) and not (shunned and self._others(0, comer, domain))
            case Needs():
                return comer.pod_class not in self.row.carriers or self._near(self.row, comer, domain)
            case Spread():
                if comer.pod_class not in self.row.carriers:
                    return True
                itself = comer.pod_class in self.sides[0]
                here = 0 if domain is None else self._others(0, comer, domain) + itself
                return self._skew(self.row, here, domain) <= self.row.max_skew

    def _near(self, row: Needs, comer: _Coming, domain: int | None) -> bool:
        """An anchor in the domain for certain, or nobody anywhere who could be one. Beyond all domains lies the rest of the cluster."""
        if domain is None or domain == len(row.domains):
            return False
        if self.least[0][domain] > 0:
            return True
        if comer.pod_class in self.sides[0] and comer.twin is not None and self.domain_of.get(comer.twin) == domain:
            return True
        return row.bootstrap and sum(self.during[1]) - 1 - (comer.old is not None) <= 0


@dataclass(slots=True)
class Shelf:
    """What every ledger of a problem starts from, worked out once."""

    titles: list[_Title] = field(default_factory=list)
    of_class: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Class to the positions of the titles it takes part in."""
    stricter: dict[int, list[Capacity]] = field(default_factory=dict)
    """By node: limits that hold for some comers only."""
    quotas: dict[int, list[tuple[int, int, int]]] = field(default_factory=lambda: defaultdict(list))
    """By class: row, what a second copy adds, limit."""
    copy_rows: int = 0


def shelf(problem: Problem) -> Shelf:
    """The problem's rows, sorted by whom they speak of."""
    found = Shelf()
    numbered: dict[int, dict[int, int]] = {}
    for row in problem.rows:
        match row:
            case AtMost() | Exclude() | Needs() | Spread():
                title, everyone = _title(problem, row, numbered)
                for c in everyone:
                    found.of_class[c].append(len(found.titles))
                found.titles.append(title)
            case Capacity(comers=comers) if comers is not None:
                found.stricter.setdefault(row.node, []).append(row)
            case CopyQuota():
                for c, adds in zip(row.group, row.amounts, strict=True):
                    found.quotas[c].append((found.copy_rows, adds, row.limit))
                found.copy_rows += 1
    return found


def _title(problem: Problem, row: AtMost | Exclude | Needs | Spread, numbered: dict[int, dict[int, int]]) -> tuple[_Title, list[int]]:
    """A row's title and the classes it concerns; rows with the same domains share their numbers."""
    domain_of = numbered.get(id(row.domains))
    if domain_of is None:
        domain_of = numbered[id(row.domains)] = {node: index for index, nodes in enumerate(row.domains) for node in nodes}
    match row:
        case Exclude():
            sides: tuple[frozenset[int], ...] = (frozenset(row.carriers), frozenset(row.others))
        case Needs():
            sides = (frozenset(row.anchors), frozenset(row.company))
            cluster = problem.classes[row.carriers[0]].cluster
            domain_of = dict.fromkeys(problem.nodes_of[cluster], len(row.domains)) | domain_of
        case _:
            sides = (frozenset(row.group),)
    totals = [[0] * (len(row.domains) + isinstance(row, Needs)) for _ in sides]
    for side, group in enumerate(sides):
        for c in group:
            for node, pods in problem.classes[c].at.items():
                if node in domain_of:
                    totals[side][domain_of[node]] += len(pods)
    everyone = sorted(set().union(*sides, row.carriers if isinstance(row, Needs | Spread) else ()))
    return _Title(row, domain_of, sides, tuple(map(tuple, totals))), everyone


class _Used(dict[int, dict[str, int]]):
    """Node to what its pods ask for: the snapshot's, until it is written to."""

    def __init__(self, start: Sequence[Resources]) -> None:
        self._start = start

    def __missing__(self, node: int) -> dict[str, int]:
        self[node] = dict(self._start[node].items())
        return self[node]


class Ledger:
    """The state of one wave at a time; a step that would be unlawful leaves no trace.

    A book is opened, and a node's use copied, when a step first asks for it: a ledger costs what is done in it.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._shelf = problem.once(shelf)
        self.used = _Used(problem.used)
        self.leaving_use: dict[int, dict[str, int]] = defaultdict(dict)
        self.spent: dict[int, int] = defaultdict(int)
        self._open: dict[int, _Book] = {}
        self._written: set[_Book] = set()
        """Books in which this wave has changed something."""
        self._entries: dict[int, list[_Book]] = {}
        """By class, its books."""
        self._touched: set[int] = set()
        self._stricter = self._shelf.stricter
        self._held_to: list[tuple[int, int]] = []
        """(class, node) of this wave's arrivals on nodes with such limits."""
        self._come: dict[tuple[int, int], int] = defaultdict(int)
        """How many of a class have come to such a node in all waves."""
        self._quotas = self._shelf.quotas
        self._copied = [0] * self._shelf.copy_rows
        """By row: what this wave's second copies ask for."""

    def _books(self, c: int) -> list[_Book]:
        """The class's books, opened when they are needed."""
        if c not in self._entries:
            found = []
            for position in self._shelf.of_class.get(c, ()):
                if position not in self._open:
                    self._open[position] = _Book(self._shelf.titles[position])
                found.append(self._open[position])
            self._entries[c] = found
        return self._entries[c]

    def shift(self, c: int, source: int, target: int, mover: Mover, remaining: Spots) -> bool:
        """Move a pod within this wave, if that is lawful in any order."""
        technique = TECHNIQUES[mover]
        if not self._fits(c, target) or (technique.spends_budget and not self._affordable(c)):
            return False
        if not technique.steers and not self._only_there(c, target, remaining):
            return False
        if technique.keeps_both and any(self._copied[row] + adds > limit for row, adds, limit in self._quotas.get(c, ())):
            return False
        self._arrive(c, target, None if technique.keeps_both else source, source if technique.keeps_both else None)
        self._leave(c, source)
        if self._lawful(c):
            if technique.spends_budget:
                self._spend(c, 1)
            if technique.keeps_both:
                for row, adds, _ in self._quotas.get(c, ()):
                    self._copied[row] += adds
            return True
        self._leave(c, source, -1)
        self._unarrive(c, target)
        return False

    def bind(self, c: int, node: int) -> bool:
        """Give a waiting pod, or one that left in an earlier wave to be held, its node in this wave, if that is lawful."""
        if not self._fits(c, node):
            return False
        self._arrive(c, node, None)
        if self._lawful(c):
            return True
        self._unarrive(c, node)
        return False

    def depart(self, c: int, source: int) -> bool:
        """Let a pod leave to be held; it arrives in a later wave. Its budgets are spent until then."""
        if not self._affordable(c):
            return False
        self._leave(c, source)
        if self._lawful(c):
            self._spend(c, 1)
            return True
        self._leave(c, source, -1)
        return False

    def close(self, freed: list[int]) -> None:
        """End the wave: leavers are gone; ``freed`` are classes of moves that no longer hold their budgets."""
        for node in sorted(self._touched):
            used, leaving = self.used[node], self.leaving_use[node]
            for resource, amount in leaving.items():
                used[resource] = used.get(resource, 0) - amount
            self.leaving_use[node] = {}
        self._touched.clear()
        self._held_to.clear()
        self._copied = [0] * len(self._copied)
        for book in self._written:
            book.close()
        self._written.clear()
        for c in freed:
            self._spend(c, -1)

    def spare(self, node: int) -> float:
        """The least share of cpu and memory that is left on a node in this wave; 0 where it has none of either."""
        room, used = self.problem.nodes[node].allocatable, self.used[node]
        return min((1 - used.get(r, 0) / room[r] for r in (CPU, MEMORY) if room[r]), default=0.0)

    def _fits(self, c: int, node: int) -> bool:
        room, used = self.problem.nodes[node].allocatable, self.used[node]
        return all(used.get(resource, 0) + amount <= room[resource] for resource, amount in self.problem.classes[c].requests.items())

    def _affordable(self, c: int) -> bool:
        covering = self.problem.classes[c].budgets
        return len(covering) <= 1 and all(self.spent[b] < self.problem.budgets[b][1].allowed for b in covering)

    def _only_there(self, c: int, target: int, remaining: Spots) -> bool:
        """Whether a successor that nobody steers can fit nowhere else, even if all that is still to leave were gone."""
        pod_class = self.problem.classes[c]
        for node in pod_class.reach:
            if node == target:
                continue
            freed: dict[str, int] = dict(self.leaving_use[node])
            for (leaver, place), count in remaining.items():
                if place == node:
                    self.problem.classes[leaver].requests.add_to(freed, count)
            room, used = self.problem.nodes[node].allocatable, self.used[node]
            if all(used.get(r, 0) - freed.get(r, 0) + amount <= room[r] for r, amount in pod_class.requests.items()):
                return False
        return True

    def _arrive(self, c: int, node: int, old: int | None, twin: int | None = None) -> None:
        self.problem.classes[c].requests.add_to(self.used[node])
        if node in self._stricter:
            self._held_to.append((c, node))
            self._come[c, node] += 1
        comer = _Coming(c, node, old, twin)
        for book in self._books(c):
            book.coming.append(comer)
            self._tally(book, c, node, 1, 1)
            self._written.add(book)

    def _unarrive(self, c: int, node: int) -> None:
        self.problem.classes[c].requests.add_to(self.used[node], -1)
        if node in self._stricter:
            self._held_to.pop()
            self._come[c, node] -= 1
        for book in self._books(c):
            book.coming.pop()
            self._tally(book, c, node, -1, -1)

    def _leave(self, c: int, node: int, sign: int = 1) -> None:
        self._touched.add(node)
        self.problem.classes[c].requests.add_to(self.leaving_use[node], sign)
        for book in self._books(c):
            self._tally(book, c, node, 0, -sign, -sign)
            self._written.add(book)

    def _tally(self, book: _Book, c: int, node: int, during: int, after: int, least: int = 0) -> None:
        domain = book.domain_of.get(node)
        if domain is None:
            return
        for side, group in enumerate(book.sides):
            if c in group:
                book.during[side][domain] += during
                book.after[side][domain] += after
                book.least[side][domain] += least

    def _lawful(self, c: int) -> bool:
        return all(book.lawful() for book in self._books(c)) and all(self._roomy_enough(*comer) for comer in self._held_to)

    def _roomy_enough(self, c: int, node: int) -> bool:
        """Whether everyone fits whose limit is stricter than the node's own."""
        used, classes = self.used[node], self.problem.classes
        for row in self._stricter[node]:
            if c in (row.comers or ()):
                promised = sum(self._come[p, node] * classes[p].requests[row.resource] for p in row.promised)
                if used.get(row.resource, 0) - promised > row.limit:
                    return False
        return True

    def _spend(self, c: int, sign: int) -> None:
        for budget in self.problem.classes[c].budgets:
            self.spent[budget] += sign
