"""Rows: the joint rules as frozen values, the one language that every stage of the search speaks.

Groups are indices of ``Problem.classes``, domains are tuples of indices of ``Problem.nodes``. Every row judges what
arrives: pods that stay are forgiven, so a rule broken in the snapshot never makes a problem infeasible.
"""

from __future__ import annotations

from dataclasses import dataclass

Group = tuple[int, ...]
Domains = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """The pods of a node ask for at most ``limit`` of ``resource`` (base units) as soon as an arrival asks for any."""

    rule: str
    node: int
    resource: str
    limit: int
    comers: Group | None = None
    """Only arrivals of these classes are held to this limit; ``None``: all are."""
    promised: Group = ()
    """Nominated classes whose room the limit leaves out: pods of theirs that come to the node do not count once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtMost:
    """No pod of ``group`` arrives in a domain that would then hold more than ``limit`` pods of it."""

    rule: str
    group: Group
    domains: Domains
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclude:
    """No pod of either group arrives in a domain with another pod of the other group."""

    rule: str
    carriers: Group
    others: Group
    domains: Domains


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """A carrier arrives only in a domain that holds, for certain, a pod of ``anchors`` other than itself.

    Certain are those that are there before the wave and do not leave in it. With ``bootstrap`` the carriers match their own
    terms: they may also arrive in any domain while no pod of ``company`` can be anywhere in the cluster.
    """

    rule: str
    carriers: Group
    anchors: Group
    """Classes that match all terms of the carriers and stay for certain: terminating ones are not among them."""
    company: Group
    """Every class that matches, terminating ones included."""
    domains: Domains
    """By one topology key; nodes without it are in none and take no carrier."""
    bootstrap: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A domain that a carrier arrives in holds at most ``max_skew`` pods of ``group`` more than the emptiest one.

    ``guard`` bounds the skew of every state after a wave, whoever moved; ``None`` where nothing in ``group`` can move.
    """

    rule: str
    carriers: Group
    group: Group
    domains: Domains
    max_skew: int
    min_domains: int
    guard: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveBudget:
    """At most ``limit`` pods of ``group`` leave, counted ``per`` run or wave, from ``nodes`` only when given."""

    rule: str
    name: str
    group: Group
    limit: int
    per: str = "run"
    nodes: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyQuota:
    """In each wave, pods of ``group`` that come while their old selves still exist ask for at most ``limit`` in all.

    Those are arrivals by a mover that keeps both, waiting pods placed by one included.
    """

    rule: str
    name: str
    group: Group
    amounts: tuple[int, ...]
    """What a second copy of each class of ``group`` counts, in its order; base units, never 0."""
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MovesPerPlacedPod:
    """At most ``ratio`` moves for each waiting pod that is placed."""

    rule: str
    ratio: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeValue:
    """Each slot of ``shape`` on ``node`` counts ``weight``."""

    shape: int
    node: int
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePrice:
    """``node`` without lodgers at the end counts ``price`` if it had some; an ``empty`` one that gets some counts as much against it."""

    node: int
    price: float
    empty: bool


Row = Capacity | AtMost | Exclude | Needs | Spread | MoveBudget | CopyQuota | MovesPerPlacedPod
