"""Prices: what it is worth to give a node back."""

from __future__ import annotations

from pydantic import Field

from descheduler.policy.amounts import Number
from descheduler.policy.section import Section
from descheduler.policy.selection import Labels


class NodePrice(Section):
    """What one emptied node with some labels is worth."""

    node_selector: Labels = Field(default=(), json_schema_extra={"default": {}})
    """Labels of the nodes; empty means all."""

    price: Number = 1
    """What emptying one of them is worth, in weighted slots and counted in thousandths; 0 means nothing."""


class EmptyNodes(Section):
    """What the objective EmptyNodes counts: nodes on which only DaemonSet and static pods are left.

    A node that was empty and gets a pod counts against it at the same price.
    """

    prices: tuple[NodePrice, ...] = ()
    """The first one that matches a node is its price; a node that none matches is worth 1."""
