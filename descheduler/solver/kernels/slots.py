"""The places of a kernel's vector: numbers first, then where arrays begin. Shapes are in brackets."""

from __future__ import annotations

UNIT = 10_000
"""One, where shares are counted."""
AT_MOST, EXCLUDE, SPREAD = 0, 1, 2
ONE, OTHER = 1, 2
"""Sides of a joint row, as bits."""
ENTRY, CLASS, SOURCE, TARGET, WAVE, BEFORE = 0, 1, 2, 3, 4, 5
"""Columns of a step: home, class, nodes, wave; what stood before it, of a move in ``LAST`` of its node, of a placed pod in ``BOUND``."""
WIDTH = 6
DETOURS = 3
"""Nodes tried when a pod in the way fits nowhere as things are."""
ALTERNATIVES = 4
"""Pods in the way that may turn out to have nowhere to go before a node is given up."""

# Slots: numbers.
NODES, RESOURCES, CLASSES, RANKS, OWED, MOST, WAVES, ROUNDS, HEAT, PRICE, LOOK, TRIES = range(12)
LENGTH, MOVES, RANDOM, ROUND, ACTIVE, BEST, BEST_MOVES, STAIRS = range(12, 20)
# Slots: where what does not change begins. C classes, N nodes, R resources, E homes (class on node), J joints, B budgets.
ASKS, SCALE, SIZE, WAITING, RANK, REACH_ROW, REACH = range(20, 27)
"""[C, R], [R] the largest room, [C] in ``UNIT`` of it, [C], [C], [C] row of [K, N]."""
HOME_START, HOME_CLASS = range(27, 29)
"""[N + 1] where a node's homes begin in [E]."""
JOINT_START, JOINT_OF, JOINT_SIDE, KIND, LIMIT, GUARD, FEW, MAP_ROW, DOMAIN, OFFSET = range(29, 39)
"""[C + 1] where a class's joints begin in the next two; [J]; row of [M, N], -1 for no domain; [J + 1] where its counts begin."""
BUDGET_START, BUDGET_OF, BUDGET_LIMIT, BUDGET_ROW, BUDGET_NODES = range(39, 44)
"""[C + 1], then [B]; row of [Q, N] or -1: wherever the pod is."""
WEIGHT, OWING, ORDER = range(44, 47)
"""[P] worth of a placed pod by rank; [OWED] nodes at which pods from outside arrive; waiting classes, the most important first."""
# Slots: where what changes begins.
FREE, CALM, LEFT, KEPT, COUNT_ONE, COUNT_OTHER, SPENT, LAST, CLOSED = range(47, 56)
"""[N, R]; the same beside everyone who was ever there; [C]; [E] not moved; [D]; [D]; [B]; [N] wave of the last leaver; [N]."""
STEPS, SAVED, CHAIN, BEST_STEPS, GAINED, BEST_GAINED, ACTIVE_NODES, HOPELESS, BEFORE_LEFT, DROPPED, COMING = range(56, 67)
"""[T, WIDTH] four times, [P] placed by rank, [P], [N] nodes a round looks at, [E], [C], [T], [N]."""
SPOTS, STAIR, STAIR_STEPS = range(67, 70)
"""Room for lists of nodes and what they lack; [STAIRS, 2 + P] moves, length and vector of the best with so few moves."""
PRIORITY, ROOM = range(70, 72)
"""[C]; [N, R] free at the beginning."""
# Slots: what nodes are worth. V values, each of a node, G objectives.
GOALS, VALUES, TOTAL, FLOOR, KAPPA = range(72, 77)
"""Numbers: objectives; values, 0 where nothing is worth a move; the potential of all nodes; thousandths a move costs; hundredths."""
SHAPES, VALUE_START, VALUE_NODE, VALUE_SHAPE, VALUE_GOAL, VALUE_WEIGHT, VALUE_MOST, PULL = range(77, 85)
"""[S, R]; [N + 1] where a node's values begin in [V]; thousandths a slot; slots at most; the same in the search's own scale."""
SEEN, POTENTIAL, WHOLE, WORTH, BEST_WORTH, STAIR_WORTH, LEAST_FREE, TAKEN, EXPOSURE, RISKS, DREAD, TOLL = range(85, 97)
"""[N, 2, R] ``FREE`` and ``CALM`` when the node was last looked at; [N]; [V] slots then; [G]; [G]; [STAIRS, G]; [R]; [R]; [N] moves
that could be robbed; numbers: all of them; what each costs the search; thousandths of the first objective a move costs it."""
BOUND = 97
"""[C] the last wave in which a placed pod of the class may still be elsewhere."""
SLOTS = 98
FOREVER = 1_000_000
"""Later than any wave."""
SPOT_ROOM = 64
