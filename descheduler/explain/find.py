"""Which pod is meant: ``cluster/namespace/name``, ``namespace/name``, or just its name where that is enough."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from descheduler.domain.objects import Pod
from descheduler.domain.snapshot import Snapshot
from descheduler.errors import UsageError

MOST = 10
"""Candidates that an error names."""


def find(snapshot: Snapshot, told: str) -> Pod:
    """The one pod that ``told`` names. Raises UsageError, listing candidates, when it names none or several."""
    parts = told.split("/")
    if not 1 <= len(parts) <= 3 or not all(parts):
        raise UsageError(f"{told!r} names no pod: say name, namespace/name or cluster/namespace/name")
    found = [pod for pod in snapshot.pods() if _path(pod)[-len(parts) :] == parts]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{told}: {len(found)} pods are called so; say which: {_listed(map(_name, found))}")
    close = difflib.get_close_matches(parts[-1], {pod.ref.name for pod in snapshot.pods()}, n=MOST, cutoff=0.75)
    alike = [pod for pod in snapshot.pods() if pod.ref.name in close or pod.ref.name.startswith(parts[-1])]
    guess = f"; did you mean {_listed(map(_name, alike))}?" if alike else ""
    unread = f"; not readable: {', '.join(u.cluster for u in snapshot.unreadable)}" if snapshot.unreadable else ""
    raise UsageError(f"{told}: there is no such pod{guess}{unread}")


def _path(pod: Pod) -> list[str]:
    return [pod.ref.cluster, pod.ref.namespace, pod.ref.name]


def _name(pod: Pod) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in str(pod.ref))


def _listed(names: Iterable[str]) -> str:
    told = sorted(names)
    return ", ".join(told[:MOST]) + (f" and {len(told) - MOST} more" if len(told) > MOST else "")
