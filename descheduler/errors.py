"""Every error the tool raises on purpose, each with the exit code of DESIGN.md section 4.

DeschedulerError
├── UsageError            2: a flag, a path or a file that makes no sense
│   ├── PolicyError       2: a policy that does not parse or asks for something unknown
│   └── NothingReadable   2: no cluster of the fleet could be read
├── ClusterUnreadable     5: one cluster failed and the policy says ``unreadableCluster: Fail``
├── LockHeld              4: another run holds the Lease
├── Unanswered            3: a cluster that is being acted on does not answer
├── ExecutionError        3: a step was refused, or the world changed under the plan
└── InternalError         1: the plan failed its own verification; nothing was done
"""

from __future__ import annotations

from collections.abc import Sequence


class DeschedulerError(Exception):
    """The common root; ``exit_code`` is what the process ends with."""

    exit_code = 1


class UsageError(DeschedulerError):
    """The caller asked for something that cannot be done as asked."""

    exit_code = 2


class PolicyError(UsageError):
    """One or more mistakes in policy files, each already worded ``file:line: field: what, allowed values``."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


class NothingReadable(UsageError):
    """Not one cluster of the fleet could be read."""


class ClusterUnreadable(DeschedulerError):
    """A cluster could not be read and the policy makes that fatal."""

    exit_code = 5


class LockHeld(DeschedulerError):
    """Another run acts on this fleet."""

    exit_code = 4


class Unanswered(DeschedulerError):
    """A cluster that is being acted on does not answer a question, or answers it with a refusal."""

    exit_code = 3


class ExecutionError(DeschedulerError):
    """A step could not be done. ``cause`` is ``budget``, ``scheduling`` or ``churn``."""

    exit_code = 3

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


class InternalError(DeschedulerError):
    """A bug of ours, found before anything was done."""
