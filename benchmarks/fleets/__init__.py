"""Random fleets (`python -m benchmarks.fleets`): how fast, how good and how far from the bound; peers and an equal split beside."""

from benchmarks.fleets.policies import policy_of

__all__ = ["policy_of"]
