"""A simulated fleet and the executor at work on it, for tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from descheduler.domain.objects import Cluster, NodeRef
from descheduler.domain.plan import Move, Placed
from descheduler.domain.report import Outcome
from descheduler.execute import Hands, execute
from descheduler.execute.world import World
from descheduler.federation.simulated import SimulatedFleet
from tests.builders import Thing, a_snapshot
from tests.fakes import FakeClock
from tests.plan_builders import a_plan

PATIENCE = timedelta(minutes=5)


class Stage:
    """A fleet of the given things with its clock; ``ready`` is every number of Ready pods of an app that was ever seen."""

    def __init__(self, *things: Thing | Cluster, contested: str | None = None, **more: Any) -> None:
        self.clock = FakeClock()
        nodes = [NodeRef("east", contested)] if contested else []
        self.fleet = SimulatedFleet(a_snapshot(*things), self.clock, contested=nodes, **more)

    def act(self, *steps: Move | Placed, stop: Callable[[], str | None] = lambda: None) -> Outcome:
        """Execute a plan of these steps."""
        return execute(a_plan(*steps), self.fleet, self.hands(stop), self.clock)

    def hands(self, stop: Callable[[], str | None] = lambda: None) -> Hands:
        return Hands(actuator=self.fleet, store=self.fleet, patience=PATIENCE, stop=stop)

    def world(self) -> World:
        """What a mover works with."""
        return World(
            reader=self.fleet,
            actuator=self.fleet,
            clock=self.clock,
            run_id="run",
            expires=self.clock.now(),
            nodes={node.ref: node for cluster in self.fleet.snapshot().clusters for node in cluster.nodes},
        )

    def watch(self, look: Callable[[SimulatedFleet], object]) -> list[object]:
        """What ``look`` sees whenever the fleet has come to rest after a change."""
        seen: list[object] = [look(self.fleet)]
        self.fleet.after_every_change.append(lambda: seen.append(look(self.fleet)))
        return seen

    def where(self) -> dict[str, str | None]:
        """Pod name to node; names that the fleet made up are told as their controller's."""
        return {pod.ref.name: pod.node for pod in self.fleet.snapshot().pods()}

    def nodes_of(self, app: str) -> list[str | None]:
        """The nodes of an app's pods, sorted; ``None`` for those that wait."""
        found = [pod.node for pod in self.fleet.snapshot().pods() if ("app", app) in pod.labels]
        return sorted(found, key=str)

    def verbs(self) -> list[str]:
        """What was really done, in order."""
        return [call.verb for call in self.fleet.log if not call.dry_run and 200 <= call.code < 300]

    def leftovers(self) -> list[str]:
        """Whatever no finished run may leave: ownerless copies, gates, deletion costs, holds, leases."""
        pods = list(self.fleet.snapshot().pods())
        found = [f"copy {p.ref}" for p in pods if p.owner is None and dict(p.annotations).get("fleet.descheduler.io/move-of")]
        found += [f"gate {p.ref}" for p in pods if any("descheduler.io" in gate for gate in p.gates)]
        found += [f"cost {p.ref}" for p in pods if "fleet.descheduler.io/previous-deletion-cost" in dict(p.annotations)]
        return found + [f"lease {cluster}" for cluster in self.fleet.leases]


def ready_of(app: str) -> Callable[[SimulatedFleet], int]:
    """How many Ready pods serve an app."""
    return lambda fleet: sum(p.ready and not p.terminating for p in fleet.snapshot().pods() if ("app", app) in p.labels)


def told(outcome: Outcome) -> dict[str, str]:
    """Subject to outcome."""
    return {result.subject: result.outcome for result in outcome.results}


def message(outcome: Outcome, subject: str) -> str:
    return next(result.message for result in outcome.results if result.subject == subject)
