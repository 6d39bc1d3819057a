"""Who is where in one cluster at one instant."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from tests.judge.fleet import Cluster, Pod, terms
from tests.judge.quantities import Amounts

Token = tuple[str, str]


@dataclass(frozen=True)
class Guest:
    """A pod on a node at some instant; ``role`` tells the two copies of a moving pod apart."""

    pod: Pod
    node: str
    role: str = "old"
    larger: tuple[tuple[str, int], ...] = ()
    """What it asks for when not what the pod asks for."""
    fresh: bool = False
    """A pod made anew: its ephemeral volumes get new claims."""

    @property
    def token(self) -> Token:
        return (self.pod.key, self.role)

    @property
    def requests(self) -> Amounts:
        return dict(self.larger) or self.pod.requests or {"pods": 1}


class State:
    """Guests by node and namespace, and what they use."""

    def __init__(self, cluster: Cluster, guests: Iterable[Guest] = ()) -> None:
        self.cluster = cluster
        self.guests: dict[Token, Guest] = {}
        self.used: dict[str, Counter[str]] = defaultdict(Counter)
        self.at: dict[str, set[Token]] = defaultdict(set)
        self.by_namespace: dict[str, set[Token]] = defaultdict(set)
        self.repelling: set[Token] = set()
        for guest in guests:
            self.add(guest)

    def copy(self) -> State:
        other = State(self.cluster)
        other.guests = dict(self.guests)
        for name in ("used", "at", "by_namespace"):
            mine = getattr(self, name)
            getattr(other, name).update({key: value.copy() for key, value in mine.items()})
        other.repelling = set(self.repelling)
        return other

    def with_guests(self, guests: Iterable[Guest]) -> State:
        """A copy in which these have come too."""
        other = self.copy()
        for guest in guests:
            other.add(guest)
        return other

    def add(self, guest: Guest) -> None:
        assert guest.token not in self.guests, f"{guest.token} is there already"
        self.guests[guest.token] = guest
        self.used[guest.node].update(guest.requests)
        self.at[guest.node].add(guest.token)
        self.by_namespace[guest.pod.namespace].add(guest.token)
        if terms(guest.pod, "podAntiAffinity"):
            self.repelling.add(guest.token)

    def remove(self, token: Token) -> None:
        guest = self.guests.pop(token)
        self.used[guest.node].subtract(guest.requests)
        self.at[guest.node].discard(token)
        self.by_namespace[guest.pod.namespace].discard(token)
        self.repelling.discard(token)

    def closed(self, node: str) -> bool:
        """Whether a pod of unknown size sits there."""
        return any(self.guests[token].pod.requests is None for token in self.at[node])

    def lacks(self, guest: Guest, *, reserved: Counter[str] | None = None, ignoring: frozenset[Token] = frozenset()) -> str | None:
        """NodeResourcesFit: what the node has not enough of; the guest itself may be in the state already."""
        room = self.cluster.nodes[guest.node].allocatable or {}
        used = Counter(self.used[guest.node])
        used.update(reserved or {})
        for token in ignoring | {guest.token}:
            if token in self.at[guest.node]:
                used.subtract(self.guests[token].requests)
        for name, amount in sorted(guest.requests.items()):
            if amount > 0 and used[name] + amount > room.get(name, 0) and not self.cluster.ignores(name):
                return f"{name} {used[name] + amount} > {room.get(name, 0)}"
        return None

    def has_room(self, guest: Guest) -> bool:
        """``lacks`` in short, for a guest that is not in the state."""
        room, used = self.cluster.nodes[guest.node].allocatable or {}, self.used[guest.node]
        short = [name for name, amount in guest.requests.items() if amount and used[name] + amount > room.get(name, 0)]
        return all(self.cluster.ignores(name) for name in short)
