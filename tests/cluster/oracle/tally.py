"""What came of asking the scheduler: counts, and every disagreement."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Disagreement:
    """One pod on which we and the scheduler differ in a way that may not be."""

    where: str
    """Seed, state of the cluster and pod."""
    kind: str
    """``wrong fit`` or ``other words``."""
    scheduler: str
    ours: str

    def __str__(self) -> str:
        return f"{self.where}: {self.kind}\n  scheduler: {self.scheduler}\n  ours:      {self.ours}"


@dataclass
class Tally:
    """Verdicts by what became of them. A verdict is one message or one binding of the scheduler."""

    refused_alike: int = 0
    refused_stricter: int = 0
    """Refusals on both sides in which we name a reason of `message.STRICTER` where the scheduler names another."""
    bound_alike: int = 0
    opaque: Counter[str] = field(default_factory=Counter)
    """Verdicts on pods that we refuse to judge, by our reason."""
    asked_again: int = 0
    """Pods that were created a second time, for the scheduler had not yet seen the state it was asked about."""
    stricter: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(view, reason): the scheduler bound the pod where we would not."""
    examples: dict[tuple[str, str], str] = field(default_factory=dict)
    """Where each kind of strictness was met first."""
    disagreements: list[Disagreement] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    """How often each reason stood in a sentence on which both agree."""
    fleets: int = 0

    @property
    def verdicts(self) -> int:
        """Messages and bindings."""
        return self.refused_alike + self.refused_stricter + self.bound_alike + self.opaque.total() + len(self.disagreements)

    @property
    def wrong_fits(self) -> int:
        return sum(d.kind == "wrong fit" for d in self.disagreements)

    def summary(self) -> str:
        alike = f"{self.refused_alike} refusals with our very words, {self.bound_alike} bindings where we say it fits"
        other = len(self.disagreements) - self.wrong_fits
        lines = [
            f"{self.fleets} fleets, {self.verdicts} verdicts of kube-scheduler: {alike}",
            f"wrong fits {self.wrong_fits}, other words {other}, not judged by us {self.opaque.total()}, asked again {self.asked_again}",
            f"stricter: {sum(self.stricter.values())}",
            *(
                f"  {count:5}  {view}: {reason} (first: {self.examples[view, reason]})"
                for (view, reason), count in self.stricter.most_common()
            ),
            "not judged by us:",
            *(f"  {count:5}  {reason}" for reason, count in self.opaque.most_common()),
            "reasons in sentences both agree on:",
            *(f"  {count:5}  {reason}" for reason, count in self.reasons.most_common()),
        ]
        return "\n".join(lines)
