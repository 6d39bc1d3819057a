"""Plugins that look at the pods of the node, or of the whole cluster: ports, room, volumes, spread, affinity between pods.

Each answers with its reasons; none when it lets the pod pass. ``guests`` are nominated pods counted as if they were there.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from descheduler.domain.objects import Node, Pod
from descheduler.domain.resources import PODS
from descheduler.domain.selectors import PodTerm, SpreadConstraint
from descheduler.rules.scene import words
from descheduler.rules.scene.books import mapped
from descheduler.rules.scene.cycle import Cycle
from descheduler.rules.scene.node_plugins import Reasons


def node_ports(cycle: Cycle, node: Node, guests: tuple[Pod, ...]) -> Reasons:
    wanted = cycle.spec.host_ports
    bound = (port for port, count in cycle.books.ports.get(node.ref.name, {}).items() if count > 0)
    taken = chain(bound, (port for guest in guests for port in guest.spec.host_ports))
    return (words.PORTS,) if any(port.conflicts(other) for other in taken for port in wanted) else ()


def node_resources_fit(cycle: Cycle, node: Node, guests: tuple[Pod, ...]) -> Reasons:
    """The number of pods always, other resources only as far as they are asked for; every one that is short is named."""
    left = cycle.books.left[node.ref.name]
    crowded = (words.TOO_MANY_PODS,) if left.get(PODS, 0) - len(guests) < 1 else ()
    return crowded + tuple(words.insufficient(resource) for resource, amount in cycle.asked if amount > _left(left, guests, resource))


def node_volume_limits(cycle: Cycle, node: Node, guests: tuple[Pod, ...]) -> Reasons:
    """Attach limits are resources here, one per driver; which of them is short is not said."""
    left = cycle.books.left[node.ref.name]
    return (words.VOLUME_COUNT,) if any(amount > _left(left, guests, driver) for driver, amount in cycle.volumes) else ()


def _left(left: Mapping[str, int], guests: tuple[Pod, ...], resource: str) -> int:
    here = left.get(resource, 0)
    return here - sum(guest.spec.requests[resource] for guest in guests) if guests else here


def volume_restrictions(cycle: Cycle, node: Node, guests: tuple[Pod, ...]) -> Reasons:
    """A ReadWriteOncePod claim that a bound pod has, on whatever node: where there is none the plugin is skipped."""
    return (words.CLAIM_IN_USE,)


def pod_topology_spread(cycle: Cycle, node: Node, guests: tuple[Pod, ...]) -> Reasons:
    """Hard constraints only (kubernetes.md 3.9), in their order; the first that is broken is told."""
    here = cycle.books.labels[node.ref.name]
    for constraint, bound in zip(cycle.spec.spread, cycle.spread, strict=True):
        value = here.get(constraint.topology_key)
        if value is None:
            return (words.SPREAD_KEY,)
        more = sum(_seen(cycle, constraint, guest) for guest in guests) if cycle.takes_part(constraint, node) else 0
        counts = {**bound, value: bound[value] + more} if more else bound
        least = min(counts.values()) if counts and len(counts) >= constraint.min_domains else 0
        own = constraint.selector is not None and constraint.selector.matches(cycle.labels)
        if counts.get(value, 0) + own - least > constraint.max_skew:
            return (words.SPREAD,)
    return ()


def _seen(cycle: Cycle, constraint: SpreadConstraint, guest: Pod) -> bool:
    """Guests are counted otherwise than bound pods: an empty selector sees them, and so do terminating ones (``updateWithPod``)."""
    if constraint.selector is None or guest.ref.namespace != cycle.namespace:
        return False
    return constraint.selector.matches(mapped(guest.labels))


def inter_pod_affinity(cycle: Cycle, node: Node, guests: tuple[Pod, ...]) -> Reasons:
    """Affinity, anti-affinity, then the anti-affinity of others; the plugin is skipped where no bound pod and no own term asks for it."""
    here = cycle.books.labels[node.ref.name]
    if not _attracted(cycle, here, guests):
        return (words.POD_AFFINITY,)
    for term in cycle.anti_affinity:
        value = here.get(term.topology_key)
        if value is not None and (cycle.avoided[term.topology_key, value] > 0 or any(_speaks_of(term, guest) for guest in guests)):
            return (words.POD_ANTI_AFFINITY,)
    theirs = (term for guest in guests for term in guest.spec.anti_affinity)
    repelled = any(domain in cycle.repelled_from for domain in here.items())
    if repelled or any(term.topology_key in here and _speaks_of(term, cycle.pod) for term in theirs):
        return (words.EXISTING_ANTI_AFFINITY,)
    return ()


def _attracted(cycle: Cycle, here: Mapping[str, str], guests: tuple[Pod, ...]) -> bool:
    """Every topology key is there, and in each domain a pod that matches all terms; or nobody matches them but the pod itself."""
    terms = cycle.affinity
    if any(term.topology_key not in here for term in terms):
        return False
    if any(all(_speaks_of(term, guest) for term in terms) for guest in guests):
        return True
    if all(cycle.attracted_to[term.topology_key, here[term.topology_key]] > 0 for term in terms):
        return True
    return not cycle.attracted_to and all(_speaks_of(term, cycle.pod) for term in terms)


def _speaks_of(term: PodTerm, pod: Pod) -> bool:
    return term.matches(pod.ref.namespace, mapped(pod.labels))
