"""What kube-scheduler said of a pod, without what it says of preemption."""

from __future__ import annotations

import re
from collections import Counter

_AFTER_FILTERS = re.compile(r" ?(no new claims to deallocate|preemption: ).*$|(?<=\.) not found$", re.DOTALL)


def main_sentence(message: str) -> str:
    """The sentence about filters: ``0/3 nodes are available: 1 …, 2 ….``; PostFilter's words are cut off."""
    return _AFTER_FILTERS.sub("", message)


def reasons(sentence: str) -> dict[str, int]:
    """The reasons of a sentence, each with its number of nodes; without numbers it is one reason."""
    _, _, told = sentence.removesuffix(".").partition(" nodes are available: ")
    found = [part.partition(" ") for part in re.split(r", (?=[0-9]+ )", told)]
    return {reason: int(number) for number, _, reason in found if number.isdecimal()} or {told: 1}


STRICTER = frozenset({"node(s) exceed max volume count"})
"""Reasons that we find sooner than kube-scheduler: a volume that a pod of the node has attached already counts twice for us."""


def stricter_words(theirs: str, ours: str) -> frozenset[str]:
    """Which of these reasons make the difference between two sentences; empty when anything else does."""
    told, said = Counter(reasons(theirs)), Counter(reasons(ours))
    more = frozenset(reason for reason in STRICTER if said[reason] > told[reason])
    rest = Counter({reason: count for reason, count in said.items() if reason not in STRICTER})
    return more if rest <= told else frozenset()
