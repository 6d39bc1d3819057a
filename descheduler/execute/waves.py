"""Carries a plan out wave by wave: all movers of a wave side by side, the next wave when their pods have arrived.

At the first surprise a workload is stopped, and with it everything that makes room for the same pods; the rest goes on.
Nothing is remembered outside the clusters but the results.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from descheduler.clock import Clock
from descheduler.diagnose.waiting import not_ours
from descheduler.domain.plan import Move, Mover, Placed, Plan, PlanPod
from descheduler.domain.report import Outcome, StepResult
from descheduler.domain.snapshot import Snapshot
from descheduler.errors import DeschedulerError, Unanswered
from descheduler.execute.fence import Fenced
from descheduler.execute.hands import Hands
from descheduler.execute.reserve import reserve
from descheduler.execute.schedule import schedule
from descheduler.execute.world import Arrived, Pause, Steps, Surprise, Technique, World, left_to_recovery
from descheduler.ports import Reader

LOOK_AGAIN = timedelta(seconds=5)
"""How long to wait at most when every mover of the wave waits: pods are watched, budgets and controllers are not."""
ASK_AGAIN = timedelta(seconds=5)
"""How long the halt switch is believed."""
LAST_STEP = timedelta(seconds=30)
"""How long a signal waits for a step that nobody would take for us; half of what the shipped CronJob leaves us after SIGTERM."""


@dataclass(slots=True, kw_only=True)
class Task:
    """One move or placement of the plan, and how far it is."""

    subject: str
    first: int
    """The wave in which it begins: earlier than it arrives when it keeps room or breaks a cycle."""
    keeps_room: bool
    """It begins with a reserved copy, which must be there before the room is."""
    stops_with: frozenset[str]
    """Its workload and the waiting pods it is for: a surprise stops every task that shares one."""
    clusters: frozenset[str]
    places: frozenset[tuple[str, str]]
    """(cluster, namespace) in which it waits for pods to change."""
    begin: Callable[[World], Steps]
    node: str | None
    """Where the pod runs as long as nothing is done."""
    steps: Steps | None = None
    pause: Pause | None = None
    result: StepResult | None = None

    def active(self, wave: int) -> bool:
        """Whether the wave may not end without it."""
        return self.steps is not None and self.result is None and (self.pause is None or self.pause.until_wave <= wave)


@dataclass(slots=True)
class Run:
    """The tasks of a plan in a world."""

    world: World
    tasks: tuple[Task, ...]
    hands: Hands
    asked: datetime | None = None
    """When halt switches and Leases were looked at."""
    heard: datetime | None = None
    """When the run was told to come to an end."""
    stopped: dict[str, str] = field(default_factory=dict)
    """What was stopped, and the subject whose surprise stopped it."""

    def wave(self, number: int) -> None:
        """Begin what begins now and see the wave to its end, or to the end of patience."""
        self.world.wave = number
        deadline = self.world.clock.now() + self.hands.patience
        self.asked = None
        new = [task for task in self.tasks if task.result is None and task.steps is None and task.first <= number]
        keepers = [task for task in new if task.keeps_room]
        self._see_through(keepers, keepers, deadline)  # room is kept before anyone makes it
        self._see_through([task for task in new if not task.keeps_room], self.tasks, deadline)

    def _see_through(self, new: Sequence[Task], tasks: Sequence[Task], deadline: datetime) -> None:
        """Begin the new ones, and go on with ``tasks`` until none of them has anything left to do in this wave."""
        number = self.world.wave
        for task in new:
            task.steps = task.begin(self.world) if task.result is None else None
        while True:
            self._heed_stops()
            for task in tasks:
                if task.active(number):
                    self._go_on(task)
                    self._heed_stops()
            active = [task for task in tasks if task.active(number)]
            if not active:
                return
            if self.world.clock.now() >= deadline:
                for task in active:
                    why = task.pause.why if task.pause else "it has not begun"
                    self._end(task, Surprise("scheduling", f"after {self.hands.patience} still: {why}"))
                return
            places = {place for task in active for place in task.places}
            self.world.reader.until_change(sorted(places), min(LOOK_AGAIN, deadline - self.world.clock.now()))

    def _heed_stops(self) -> None:
        """A signal ends everything, a halt switch or a lost Lease everything in its cluster; each mover leaves off at a safe point.

        Leases are renewed here too: a wave may wait for longer than they are good without writing anything.
        """
        now, why = self.world.clock.now(), self.hands.stop()
        if why is not None:
            self.heard = self.heard or now
            self.leave_out(None, why, spare=now - self.heard < LAST_STEP)
            return
        if self.asked is not None and now - self.asked < ASK_AGAIN:
            return
        self.asked = now
        for cluster in sorted({cluster for task in self.tasks if task.result is None for cluster in task.clusters}):
            halted = self.hands.store.halted(cluster)
            if halted is not None:
                self.leave_out(cluster, halted)
                continue
            lost = self.hands.store.acquire(cluster, self.world.run_id)
            if lost is not None:
                self.leave_out(cluster, lost, begun="Blocked")

    def _go_on(self, task: Task) -> None:
        cause = next((self.stopped[key] for key in sorted(task.stops_with) if key in self.stopped), None)
        if cause is not None and task.pause is None:
            self._end(task, Surprise("churn", f"stopped with {cause}", outcome="Skipped"))
            return
        try:
            if task.steps is not None:
                task.pause = next(task.steps)
        except StopIteration as end:
            self._arrived(task, end.value)
        except Surprise as surprise:
            self._surprised(task, surprise)
        except Unanswered as nothing:
            self._surprised(task, Surprise("churn", str(nothing)))

    def _end(self, task: Task, surprise: Surprise) -> None:
        """Throw a surprise into a mover, so that it leaves nothing behind."""
        if task.steps is None:
            self._surprised(task, surprise)
            return
        try:
            task.steps.throw(surprise)
            task.steps.close()
        except StopIteration as end:
            self._arrived(task, end.value)
            return
        except Surprise as told:
            surprise = told
        except Unanswered as nothing:
            self.world.unfinished = True
            surprise = Surprise("churn", f"{surprise}; {nothing}", outcome=surprise.outcome)
        self._surprised(task, surprise)

    @staticmethod
    def _arrived(task: Task, arrived: Arrived) -> None:
        task.result = StepResult(subject=task.subject, outcome="Done", node=arrived.node, message=arrived.message)

    def _surprised(self, task: Task, surprise: Surprise) -> None:
        node = surprise.node if surprise.outcome in ("Done", "Failed") else task.node
        task.result = StepResult(subject=task.subject, outcome=surprise.outcome, node=node, message=str(surprise))
        if surprise.outcome not in ("Blocked", "Failed"):
            return
        for key in task.stops_with:
            self.stopped.setdefault(key, task.subject)
        for other in self.tasks:
            if other.result is None and other.stops_with & task.stops_with and not other.active(self.world.wave):
                self._end(other, Surprise("churn", f"stopped with {task.subject}", outcome="Skipped"))

    def leave_out(self, cluster: str | None, why: str, *, begun: str = "Skipped", spare: bool = False) -> None:
        """Nothing more is done in a cluster, or in any; ``spare``: but what nobody would do for us.

        ``begun`` is the outcome of what was under way.
        """
        for task in self.tasks:
            if task.result is not None or not (cluster is None or cluster in task.clusters):
                continue
            if spare and task.pause is not None and task.pause.up_to_us:
                continue
            self._end(task, Surprise("churn", why, outcome=begun if task.pause else "Skipped"))

    def close(self) -> None:
        """End whatever still runs, each mover cleaning up behind itself, whatever becomes of the others."""
        for task in self.tasks:
            if task.steps is not None:
                with left_to_recovery(self.world):
                    task.steps.close()


def execute(plan: Plan, reader: Reader, hands: Hands, clock: Clock) -> Outcome:
    """``carry_out`` with nothing around it: the Leases are given back at the end."""
    clean: bool | None = False
    try:
        outcome = carry_out(plan, reader, hands, clock)
        clean = False if outcome.unfinished else None
    finally:
        for cluster in sorted({cluster for task in _tasks(plan, hands.movers) for cluster in task.clusters}):
            hands.store.release(cluster, plan.metadata.run_id, clean=clean)
    return replace(outcome, pending_after=waiting_now(reader))


def carry_out(plan: Plan, reader: Reader, hands: Hands, clock: Clock) -> Outcome:
    """Carry out ``plan`` and nothing else; every step reads again before it acts.

    A cluster whose Lease another run holds, or that is halted, is left out; when ``hands.stop`` says why, everything is. The Leases are
    taken here and given back by the caller, who then asks how many pods wait. A refusal or a change of the world is a result, never an
    exception.
    """
    holder = plan.metadata.run_id
    nodes = {node.ref: node for cluster in reader.snapshot().clusters for node in cluster.nodes}
    expires = clock.now() + (plan.waves + 1) * hands.patience
    world = World(
        reader=reader,
        actuator=Fenced(hands.actuator, hands.store, holder),
        clock=clock,
        run_id=holder,
        expires=expires,
        nodes=nodes,
        stop=hands.stop,
    )
    run = Run(world, _tasks(plan, hands.movers), hands)
    try:
        for number in range(1, plan.waves + 1):
            run.wave(number)
    finally:
        run.close()
    results = tuple(task.result for task in run.tasks if task.result)
    unfinished = world.unfinished or any(result.outcome not in ("Done", "Skipped") for result in results)
    return Outcome(results=results, pending_after=None, unfinished=unfinished)


def waiting_now(reader: Reader) -> int | None:
    """``waiting_for_room`` of the fleet as it is; what was done is told even when nothing can be read any more.

    It takes a while in a large fleet: to be asked when the Leases have been given back.
    """
    try:
        return waiting_for_room(reader.snapshot())
    except DeschedulerError:
        return None


def waiting_for_room(snapshot: Snapshot) -> int:
    """Waiting pods, those left out that are ``NotOurs`` (DESIGN.md section 4)."""
    return sum(pod.waiting and not_ours(pod, cluster.schedulers) is None for cluster in snapshot.clusters for pod in cluster.pods)


def _tasks(plan: Plan, movers: Mapping[Mover, Technique]) -> tuple[Task, ...]:
    """One task per move, then one per placement. Those that keep room begin with the first wave that makes it."""
    moves = [_move_task(plan, move, movers[move.mover]) for move in plan.moves]
    return (*moves, *(_placement_task(plan, placed) for placed in plan.placements))


def _move_task(plan: Plan, move: Move, technique: Technique) -> Task:
    first = plan.room_kept_from(move) if move.mover is Mover.SURGE else move.wave
    return Task(
        subject=move.id,
        first=first,
        keeps_room=first < move.wave,
        stops_with=frozenset({_workload(move.pod), *move.makes_room_for}),
        clusters=frozenset({move.pod.cluster, move.source.cluster, move.target.cluster}),
        places=frozenset({(move.pod.cluster, move.pod.namespace)}),
        begin=lambda world: technique(world, move),
        node=move.source.node,
    )


def _placement_task(plan: Plan, placed: Placed) -> Task:
    reserved = placed.mover is not Mover.SCHEDULE
    first = plan.room_kept_from(placed) if reserved else placed.wave
    return Task(
        subject=str(placed.pod),
        first=first,
        keeps_room=first < placed.wave,
        stops_with=frozenset({_workload(placed.pod), str(placed.pod)}),
        clusters=frozenset({placed.pod.cluster, placed.target.cluster}),
        places=frozenset({(placed.pod.cluster, placed.pod.namespace)}),
        begin=lambda world: reserve(world, placed) if reserved else schedule(world, placed),
        node=None,
    )


def _workload(pod: PlanPod) -> str:
    kind, name = pod.workload or ("Pod", pod.name)
    return f"{kind} {pod.cluster}/{pod.namespace}/{name}"
