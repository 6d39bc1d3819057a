"""The policy: YAML → one frozen value that says what may be done to a fleet, or every mistake with its file and line."""

from __future__ import annotations

from descheduler.policy.loading import load_policy, policy_from_text
from descheduler.policy.notes import notes
from descheduler.policy.overrides import Effective
from descheduler.policy.policy import Policy, policy_digest

__all__ = ["Effective", "Policy", "load_policy", "notes", "policy_digest", "policy_from_text"]
