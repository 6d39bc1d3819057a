"""A problem as a CP-SAT model on replica-class integers (solver.md 3b): how many pods of a class leave and come to each node.

Rows are imposed on states. The end-state model has one; the model with waves has one per wave, in which leavers still
count (DESIGN.md section 4), so whatever it finds can be carried out in that order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import gcd

from ortools.sat.python import cp_model

from descheduler.domain.problem import PodClass, Problem
from descheduler.domain.rows import AtMost, Capacity, CopyQuota, Exclude, MoveBudget, MovesPerPlacedPod, Needs, Spread
from descheduler.rules.movers import KEEPS_BOTH
from descheduler.solver.solution import Search
from descheduler.solver.states import Linear, State, Variables, states, summed


class Model:
    """Variables and rows of one search; levels are solved on top of it."""

    def __init__(self, problem: Problem, search: Search, ratio: bool = True) -> None:
        self.problem = problem
        self.search = search
        self.cp = cp_model.CpModel()
        self.departures: Variables = {}
        self.arrivals: Variables = {}
        self._end, self._waves = states(0), states(search.waves)
        self._present: dict[int, set[int]] = {}
        self._variables()
        self._rows(ratio)

    def _mine(self, pod_class: PodClass) -> bool:
        return self.search.clusters is None or pod_class.cluster in self.search.clusters

    def states(self, cluster: str) -> tuple[State, ...]:
        """The states in which the cluster's rows are imposed; the last one is the end."""
        return self._waves if cluster in self.search.timed else self._end

    def last(self, cluster: str) -> int:
        """The wave in which waiting pods arrive."""
        return self.states(cluster)[-1].wave

    def move_waves(self, cluster: str) -> range:
        """The waves in which pods move: all but the last, if there are several."""
        return range(max(1, self.last(cluster)))

    def _of(self, node: int) -> tuple[State, ...]:
        return self.states(self.problem.nodes[node].ref.cluster)

    def _variables(self) -> None:
        """Departures where a movable pod is, arrivals wherever filters admit one.

        With waves, waiting pods arrive in the last one and nothing moves in it: nobody ever needs a waiting pod to come early.
        """
        movable = [c for c in self.problem.movable if self._mine(c)]
        self.placeable = [c for c in self.problem.placeable if self._mine(c)]
        for c in movable:
            self._leave(c)
        for c in (*movable, *self.placeable):
            most, waves = len(c.pods), self.move_waves(c.cluster)
            for node in c.reach if self.search.targets is None else sorted(self.search.targets.intersection(c.reach)):
                if (c.index, node) not in self.search.forbidden:
                    for wave in [self.last(c.cluster)] if c.waiting else waves:
                        self.arrivals[c.index, node, wave] = self.cp.new_int_var(0, most, f"a{c.index}_{node}_{wave}")
        for c in movable:
            for wave in self.move_waves(c.cluster):
                leaving = [v for n in c.at if (v := self.departures.get((c.index, n, wave))) is not None]
                self.cp.add(sum(leaving) == sum(self._coming(c, wave)))
        self.placed: dict[int, Linear] = {}
        for c in self.placeable:
            self.placed[c.index] = summed(self._one(v) for v in self._coming(c, self.last(c.cluster)))
            self.placed[c.index].at_most(self.cp, len(c.pods))
        self._leaving: dict[int, list[tuple[int, int, cp_model.IntVar]]] = {}
        for (index, node, wave), variable in self.departures.items():
            self._leaving.setdefault(index, []).append((node, wave, variable))
        for index, node, _ in (*self.departures, *self.arrivals):
            self._present.setdefault(node, set()).add(index)

    def _leave(self, c: PodClass) -> None:
        """How many of a class's pods leave each node, in each wave; in all no more than are there."""
        waves = self.move_waves(c.cluster)
        for node, pods in sorted(c.at.items()):
            if self.search.sources is not None and node not in self.search.sources:
                continue
            for wave in waves:
                self.departures[c.index, node, wave] = self.cp.new_int_var(0, len(pods), f"d{c.index}_{node}_{wave}")
            if len(waves) > 1:
                self.cp.add(sum(self.departures[c.index, node, wave] for wave in waves) <= len(pods))

    def _coming(self, c: PodClass, wave: int) -> list[cp_model.IntVar]:
        """The class's arrivals in a wave."""
        return [v for n in c.reach if (v := self.arrivals.get((c.index, n, wave))) is not None]

    @staticmethod
    def _one(variable: cp_model.IntVar, factor: int = 1) -> Linear:
        single = Linear()
        single.add(variable, factor)
        return single

    def present(self, node: int) -> list[int]:
        """Classes whose number on the node can change."""
        return sorted(self._present.get(node, ()))

    def moves(self, group: Iterable[int] | None = None, nodes: Iterable[int] | None = None, wave: int | None = None) -> Linear:
        """How many pods leave: of a group, from some nodes, in one wave."""
        members = self._leaving if group is None else [c for c in group if c in self._leaving]
        places = None if nodes is None else frozenset(nodes)
        return summed(
            self._one(variable)
            for c in members
            for n, w, variable in self._leaving[c]
            if (places is None or n in places) and (wave is None or w == wave)
        )

    def count(self, state: State, group: Sequence[int], nodes: Iterable[int], after: bool = False, least: bool = False) -> Linear:
        """Pods of a group on some nodes in a state."""
        there = self.problem.classes
        return summed(
            state.count(there[c].there(n), self.departures, self.arrivals, (c, n), after or least, least) for n in nodes for c in group
        )

    def _arrives(self, state: State, group: Iterable[int], nodes: Iterable[int]) -> cp_model.IntVar | None:
        """A literal that is true when any pod of the group arrives there in the state; ``None`` when none can."""
        places = tuple(nodes)
        coming = [v for c in group for n in places if (v := self.arrivals.get((c, n, state.wave))) is not None]
        if not coming:
            return None
        literal = self.cp.new_bool_var("")
        self.cp.add(sum(coming) == 0).only_enforce_if(~literal)
        return literal

    def _rows(self, ratio: bool) -> None:
        for row in self.problem.rows:
            match row:
                case Capacity():
                    self._capacity(row)
                case AtMost():
                    self._at_most(row)
                case Exclude():
                    self._exclude(row)
                case Spread():
                    self._spread(row)
                case Needs():
                    self._needs(row)
                case MoveBudget():
                    self._budget(row)
                case CopyQuota():
                    self._copies(row)
                case MovesPerPlacedPod() if ratio:
                    self._ratio(row)

    def _capacity(self, row: Capacity) -> None:
        """Divided by the gcd of all requests that can change, the limit floored (DESIGN.md section 3)."""
        asks = {c: a for c in self.present(row.node) if c not in row.promised and (a := self.problem.classes[c].requests[row.resource])}
        held = tuple(asks) if row.comers is None else row.comers
        if not asks or not any((c, row.node, s.wave) in self.arrivals for c in held for s in self._of(row.node)):
            return
        divisor = gcd(*asks.values())
        free = row.limit - self.problem.used[row.node][row.resource]
        forgiving = free < 0 or row.comers is not None
        for state in self._of(row.node):
            literal = self._arrives(state, held, (row.node,)) if forgiving else None
            if forgiving and literal is None:
                continue
            used = Linear()
            for c, amount in asks.items():
                change = state.count(0, self.departures, self.arrivals, (c, row.node), False)
                used.include(change, amount // divisor)
            constraint = used.at_most(self.cp, free // divisor)
            if constraint is not None and literal is not None:
                constraint.only_enforce_if(literal)

    def _at_most(self, row: AtMost) -> None:
        for nodes in row.domains:
            there = sum(self.problem.classes[c].there(n) for c in row.group for n in nodes)
            for state in self._of(nodes[0]):
                literal = self._arrives(state, row.group, nodes)
                if literal is None:
                    continue
                constraint = self.count(state, row.group, nodes).at_most(self.cp, row.limit)
                if constraint is not None and there > row.limit:
                    constraint.only_enforce_if(literal)

    def _exclude(self, row: Exclude) -> None:
        carriers, others = frozenset(row.carriers), frozenset(row.others)
        both = carriers & others
        sides = ((carriers - others, others, 0), (others - carriers, carriers, 0), (both, others, 1), (both, carriers, 1))
        for nodes in row.domains:
            for state in self._of(nodes[0]):
                for comers, shunned, itself in sides:
                    literal = self._arrives(state, sorted(comers), nodes)
                    if literal is not None:
                        constraint = self.count(state, sorted(shunned), nodes).at_most(self.cp, itself)
                        if constraint is not None:
                            constraint.only_enforce_if(literal)

    def _needs(self, row: Needs) -> None:
        cluster = self.problem.classes[row.carriers[0]].cluster
        for state in self.states(cluster):
            if state.end_only:
                self._needs_in_the_end(row, state, cluster)
            else:
                self._needs_in_a_wave(row, state, cluster)

    def _needs_in_the_end(self, row: Needs, state: State, cluster: str) -> None:
        """What some order of steps may allow: an anchor that is in the domain at any time, or one domain in which the first of all came.

        Whoever came first never leaves again, so there is one such domain at most, and nobody who was there before stayed.
        """
        firsts = []
        for nodes in row.domains:
            literal = self._arrives(state, row.carriers, nodes)
            if literal is None:
                continue
            ever = summed(self._one(v) for c in row.anchors for n in nodes if (v := self.arrivals.get((c, n, state.wave))) is not None)
            ever.constant += sum(self.problem.classes[c].there(n) for c in row.anchors for n in nodes)
            near = Linear().plus(ever, -1).at_most(self.cp, -2 if row.bootstrap else -1)  # its own arrival is counted
            if near is None:
                continue
            if row.bootstrap:
                firsts.append(first := self.cp.new_bool_var(""))
                near.only_enforce_if(literal, ~first)
            else:
                near.only_enforce_if(literal)
        if firsts:
            self.cp.add_at_most_one(firsts)
            stayed = Linear(sum(len(pods) for c in row.company for pods in self.problem.classes[c].at.values()))
            stayed.include(self.moves(row.company), -1)
            for c in row.company:
                for n in self.problem.classes[c].at:  # who leaves and comes back has stayed
                    if (back := self.arrivals.get((c, n, state.wave))) is not None:
                        stayed.add(back, 1)
            constraint = stayed.at_most(self.cp, 0)
            if constraint is not None:
                some = self.cp.new_bool_var("")
                self.cp.add_max_equality(some, firsts)
                constraint.only_enforce_if(some)

    def _needs_in_a_wave(self, row: Needs, state: State, cluster: str) -> None:
        """Stricter than the planner where the old self of a copy is the only company: its copy would be near that."""
        first: cp_model.IntVar | None = None
        if row.bootstrap:
            first = self.cp.new_bool_var("")
            alone = self.count(state, row.company, self.problem.nodes_of[cluster]).at_most(self.cp, 1)
            if alone is not None:
                alone.only_enforce_if(first)
        for nodes in row.domains:
            literal = self._arrives(state, row.carriers, nodes)
            if literal is not None:
                near = Linear().plus(self.count(state, row.anchors, nodes, least=True), -1).at_most(self.cp, -1)
                if near is not None:
                    near.only_enforce_if([literal] if first is None else [literal, ~first])

    def _copies(self, row: CopyQuota) -> None:
        """Only moves that always make a second copy count here; the planner counts the others as it chooses their mover."""
        adds = {c: a for c, a in zip(row.group, row.amounts, strict=True) if self._copied(c)}
        cluster = self.problem.classes[row.group[0]].cluster
        states = self.states(cluster)
        coming: dict[int, Linear] = {}
        for (c, _, wave), variable in self.arrivals.items():
            if c in adds:
                coming.setdefault(wave, Linear()).add(variable, adds[c])
        for asked in coming.values():
            asked.at_most(self.cp, row.limit * (self.problem.terms.waves if states[-1].end_only else 1))

    def _copied(self, c: int) -> bool:
        pod_class = self.problem.classes[c]
        return not pod_class.waiting and all(KEEPS_BOTH[mover] for mover in pod_class.movers)

    def _spread(self, row: Spread) -> None:
        few = len(row.domains) < row.min_domains
        for state in self._of(row.domains[0][0]) if row.domains else ():
            during = [self.count(state, row.group, nodes) for nodes in row.domains]
            after = [self.count(state, row.group, nodes, after=True) for nodes in row.domains]
            if row.guard is not None:
                for high in after:
                    for low in [Linear()] if few else after:
                        if high is not low:
                            high.plus(low, -1).at_most(self.cp, row.guard)
            if row.guard == row.max_skew and state.end_only:
                continue  # the guard says it already
            least = [self.count(state, row.group, nodes, least=True) for nodes in row.domains]
            for nodes, high in zip(row.domains, during, strict=True):
                literal = self._arrives(state, row.carriers, nodes)
                if literal is None:
                    continue
                others = [low for other, low in zip(row.domains, least, strict=True) if other != nodes]
                for low in [Linear()] if few else others:
                    constraint = high.plus(low, -1).at_most(self.cp, row.max_skew)
                    if constraint is not None:
                        constraint.only_enforce_if(literal)

    def _budget(self, row: MoveBudget) -> None:
        if row.per == "wave":
            cluster = self.problem.classes[row.group[0]].cluster
            if cluster in self.search.timed:
                for state in self.states(cluster):
                    self.moves(row.group, row.nodes, state.wave).at_most(self.cp, row.limit)
            else:
                self.moves(row.group, row.nodes).at_most(self.cp, row.limit * self.problem.terms.waves)
            return
        members = frozenset(row.group)
        spent = sum(k for (c, n), k in self.search.spent.departures.items() if c in members and (row.nodes is None or n in row.nodes))
        self.moves(row.group, row.nodes).at_most(self.cp, row.limit - spent)

    def _ratio(self, row: MovesPerPlacedPod) -> None:
        """Other blocks of the run bring their moves and their placed pods along."""
        spent = self.search.spent
        placed = sum(k for (c, _), k in spent.arrivals.items() if self.problem.classes[c].waiting)
        moves = self.moves().plus(summed(self.placed.values()), -row.ratio)
        moves.at_most(self.cp, max(0, row.ratio * placed - spent.moves))
