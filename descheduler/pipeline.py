"""The corridor: read → diagnose → search → (act) → report. Stages in order, no decision of its own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from descheduler import __version__
from descheduler.clock import Clock
from descheduler.diagnose import diagnose
from descheduler.domain.history import NO_HISTORY, History
from descheduler.domain.objects import Cluster, Pod
from descheduler.domain.placement import Route
from descheduler.domain.plan import Metadata, Plan
from descheduler.domain.problem import Problem
from descheduler.domain.report import Report
from descheduler.domain.snapshot import Remark, Snapshot, digest
from descheduler.errors import ClusterUnreadable
from descheduler.execute import Hands, act, counts_runs, note_waiting, recall, recover
from descheduler.policy.policy import Policy, policy_digest
from descheduler.portfolio import Budgeted, Progress, search
from descheduler.portfolio.publish import moved_pods, placed_pods, publish
from descheduler.ports import Reader
from descheduler.solver import compiled
from descheduler.solver.solution import never


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a run is to be done, apart from what the policy says."""

    run_id: str
    created_at: datetime
    seed: int = 0
    effort: float | None = None
    """``None``: the policy's."""
    time_limit: timedelta | None = None
    """``None``: the policy's."""
    workers: int = 1
    executor: str | None = None
    """A dask cluster to search on, ``dask://host:port``; ``None``: processes of our own."""
    stop: Callable[[], bool] = never
    """Whether to end the search now, with the best plan so far."""
    tell: Callable[[Progress], None] | None = None
    """Who wants to know how far the search is."""
    verbose: bool = False


def plan(snapshot: Snapshot, policy: Policy, options: Options, history: History = NO_HISTORY) -> Report:
    """Everything up to the proven plan; the world is not touched. ``history`` is what earlier runs did, where they acted.

    Raises:
        ClusterUnreadable: a cluster could not be read and the policy says ``Fail``.
    """
    if snapshot.unreadable and policy.spec.unreadable_cluster == "Fail":
        raise ClusterUnreadable("; ".join(f"{u.cluster}: {u.reason}" for u in snapshot.unreadable))
    began = time.monotonic()
    problem = diagnose(snapshot, policy, history=history)
    took = time.monotonic() - began
    effort = policy.spec.solver.effort if options.effort is None else options.effort
    limit = policy.spec.solver.time_limit if options.time_limit is None else options.time_limit
    budgeted = Budgeted(
        effort=effort,
        seed=options.seed,
        workers=options.workers,
        executor=options.executor,
        deadline=time.monotonic() + limit.total_seconds(),
        stop=options.stop,
        tell=options.tell,
    )
    found = search(problem, budgeted)
    possible = _possible(snapshot, policy, problem, found.route, replace(budgeted, tell=None), took)
    metadata = Metadata(
        run_id=options.run_id,
        created_at=options.created_at,
        snapshot_digest=digest(snapshot),
        policy_digest=policy_digest(policy),
        version=__version__,
        seed=options.seed,
        effort=effort,
        reproducible=found.reproducible and possible.reproducible,
        clusters=tuple((cluster.name, cluster.uid or None) for cluster in snapshot.clusters),
    )
    published = publish(problem, found, metadata, possible.how, options.verbose)
    refused = tuple(Remark(cluster="", subject="candidate plan", message=f"refused by our own check: {r}") for r in found.rejected)
    slow = tuple(Remark(cluster="", subject="solver", message=remark) for remark in compiled.remarks())
    return _report(snapshot, published, (*refused, *slow))


def run(reader: Reader, hands: Hands | None, policy: Policy, options: Options, clock: Clock) -> Report:
    """Plan and, given hands, end what earlier runs left, and act. Without hands it is a dry run.

    Raises:
        ClusterUnreadable: a cluster could not be read and the policy says ``Fail``.
        ExecutionError: too little of the plan's gain was left when it was looked at again.
        LockHeld: a Lease is held elsewhere and that shall end the run.
    """
    snapshot = reader.snapshot()
    if hands is None:
        return plan(snapshot, policy, options)
    recovered = recover(snapshot, reader, hands, clock, options.run_id)
    snapshot = reader.snapshot() if recovered else snapshot
    history, lost = recall(hands.store, [cluster.name for cluster in snapshot.clusters])
    unknown = tuple(Remark(cluster=cluster, subject="memory", message=reason) for cluster, reason in lost.items())
    report = plan(snapshot, policy, options, history)
    report = replace(report, remarks=(*report.remarks, *unknown), recovered=recovered)
    if counts_runs(policy):
        note_waiting(snapshot, history, policy, hands, clock, options.run_id)
    if not (report.plan.moves or report.plan.placements):
        return report
    return replace(report, outcome=act(report.plan, policy, reader, hands, clock))


def _report(snapshot: Snapshot, published: Plan, refused: tuple[Remark, ...]) -> Report:
    opaque = Counter(pod.spec.opaque for pod in snapshot.pods() if pod.spec.opaque)
    return Report(
        plan=published,
        unreadable=snapshot.unreadable,
        remarks=(*snapshot.remarks, *refused),
        opaque=tuple(sorted(opaque.items(), key=lambda item: (-item[1], item[0]))),
        nodes=sum(len(cluster.nodes) for cluster in snapshot.clusters),
        running=sum(pod.node is not None for pod in snapshot.pods()),
    )


@dataclass(frozen=True, slots=True)
class _Possible:
    """Waiting pods that one pass without limits, trigger and scope places after this plan, and what it takes."""

    how: dict[str, str] = field(default_factory=dict)
    reproducible: bool = True


def _possible(snapshot: Snapshot, policy: Policy, problem: Problem, route: Route, budgeted: Budgeted, took: float) -> _Possible:
    """``took``: the seconds of a diagnosis; another one and a search must be done in what is left."""
    placed = placed_pods(problem, route)
    if all(i in placed or i in problem.not_ours for i in problem.waiting):
        return _Possible()
    late = budgeted.deadline is not None and budgeted.deadline - time.monotonic() < 2 * took
    if late or budgeted.over():
        return _Possible(reproducible=False)
    after = _after(snapshot, problem, {**placed, **moved_pods(problem, route)})
    lifted = diagnose(after, policy, lifted=True)
    free = replace(lifted, terms=replace(lifted.terms, objectives=("PendingPods", "Disruption"), shapes=()))
    found = search(free, replace(budgeted, effort=budgeted.effort / 4, brief=True))
    how = f"a further pass without them makes room with {len(found.route.shifts)} moves in all"
    return _Possible({str(free.pods[i].ref): how for i in placed_pods(free, found.route)}, found.reproducible)


def _after(snapshot: Snapshot, problem: Problem, nodes: dict[int, int]) -> Snapshot:
    """The fleet when every planned pod is on its node."""
    where = {problem.pods[i].ref: problem.nodes[n].ref.name for i, n in nodes.items()}

    def there(pod: Pod) -> Pod:
        node = where.get(pod.ref)
        return pod if node is None else replace(pod, node=node, phase="Running", ready=True)

    def settled(cluster: Cluster) -> Cluster:
        return replace(cluster, pods=tuple(there(pod) for pod in cluster.pods))

    return replace(snapshot, clusters=tuple(settled(cluster) for cluster in snapshot.clusters))
