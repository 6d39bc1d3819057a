from __future__ import annotations

from collections import Counter
from random import Random

from descheduler.domain.resources import PODS
from descheduler.domain.standing import Standing, at_start, used_on
from tests.builders import a_node, a_pod
from tests.problems import a_problem, node, pod_class


def test_any_changes_count_as_if_each_pod_were_written_down() -> None:
    dice = Random(1)
    plain = Counter({(dice.randrange(4), dice.randrange(5)): dice.randint(1, 3) for _ in range(12)})
    standing = Standing.of_spots(dict(plain))

    for _ in range(60):
        steps = [(dice.randrange(5), dice.randrange(5)) for _ in range(dice.randint(0, 4))]
        sign = dice.choice([1, -1])
        before, told = standing, dict(standing)
        standing = standing.plus(steps, sign)
        plain.update({step: sign * count for step, count in Counter(steps).items()})

        assert dict(before) == told
        assert dict(standing) == {spot: count for spot, count in plain.items() if count}
        assert len(standing) == len(dict(standing))
        assert standing.get((9, 9), 0) == 0
        assert {(c, n): standing.of(c).get(n, 0) for c, n in plain} == dict(plain)


def test_differences_are_what_the_changes_come_to() -> None:
    start = Standing.of_spots({(0, 0): 2, (1, 1): 1})

    changed = start.plus([(0, 0)], -1).plus([(0, 3), (2, 1), (1, 2)]).plus([(1, 2)], -1)

    assert sorted(changed.differences()) == [(0, 0, -1), (0, 3, 1), (2, 1, 1)]


def test_what_is_used_is_the_same_from_the_snapshot_and_from_bare_counts() -> None:
    problem = a_problem(a_node("a"), a_node("b"), a_pod("x", on="a", cpu=2, memory=3), a_pod("y", on="b", cpu=1), a_pod("z", cpu=4))
    a, b = node(problem, "a"), node(problem, "b")
    x, y, z = (pod_class(problem, name).index for name in "xyz")
    after = at_start(problem).plus([(x, a)], -1).plus([(x, b), (z, b)])

    told = used_on(problem, after, [b])

    assert told == {b: {"cpu": 7, "memory": 3 + problem.classes[y].requests["memory"] + problem.classes[z].requests["memory"], PODS: 3}}
    assert {n: {r: v for r, v in amounts.items() if v} for n, amounts in used_on(problem, after, [a, b]).items()} == {
        n: {r: v for r, v in amounts.items() if v} for n, amounts in used_on(problem, dict(after), [a, b]).items()
    }
