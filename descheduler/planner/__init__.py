"""Placement → waves: who must leave before who can come. Returns a route and what it could not order."""

from __future__ import annotations

from descheduler.planner.order import Ordered, order
from descheduler.planner.sequence import Patience, Step, in_sequence
from descheduler.planner.trim import filled, helped, trim

__all__ = ["Ordered", "Patience", "Step", "filled", "helped", "in_sequence", "order", "trim"]
