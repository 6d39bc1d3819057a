"""Reads a composed YAML tree field by field and notes every mistake with its line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

_NULL = "tag:yaml.org,2002:null"
_INTEGER = "tag:yaml.org,2002:int"

Node = Any
"""A node of PyYAML's composed tree."""


class Reading:
    """One pass over a tree; reading goes on after a mistake, with something empty in its place."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.mistakes: list[tuple[int, str]] = []
        """Line, and ``field: what is wrong``."""

    def wrong(self, node: Node, field: str, message: str) -> None:
        self.mistakes.append((node.start_mark.line + 1, f"{field}: {message}"))

    def fields(self, node: Node, field: str, allowed: Sequence[str]) -> Mapping[str, Node]:
        """The fields that are there and not null."""
        if not isinstance(node, yaml.MappingNode):
            self.wrong(node, field or "the file", f"expected an object with {', '.join(allowed)}")
            return {}
        found: dict[str, Node] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            where = f"{field}.{name}" if field else name
            if name not in allowed:
                self.wrong(key, where, f"unknown field, allowed: {', '.join(allowed)}")
            elif name in found:
                self.wrong(key, where, "appears twice")
            elif value.tag != _NULL:
                found[name] = value
        return found

    def items(self, node: Node, field: str) -> list[Node]:
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        self.wrong(node, field, "expected a list")
        return []

    def text(self, node: Node | None, field: str) -> str:
        if node is None:
            return ""
        if not isinstance(node, yaml.ScalarNode):
            self.wrong(node, field, "expected text")
            return ""
        return str(node.value)

    def one_of(self, node: Node | None, field: str, allowed: Sequence[str]) -> str:
        told = self.text(node, field)
        if node is not None and told not in allowed:
            self.wrong(node, field, f"{told!a}, allowed: {', '.join(allowed)}")
        return told

    def number(self, node: Node, field: str, least: int) -> int:
        told = self.text(node, field)
        if isinstance(node, yaml.ScalarNode) and not (told.isdecimal() and least <= int(told) < 2**31):
            self.wrong(node, field, f"{told!a}, expected a whole number of at least {least}")
            return least
        return int(told or least)


def plain(node: Node) -> Any:
    """What was written: objects, lists, whole numbers, and text for everything else."""
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): plain(value) for key, value in node.value if isinstance(key, yaml.ScalarNode)}
    if isinstance(node, yaml.SequenceNode):
        return [plain(item) for item in node.value]
    return int(node.value) if node.tag == _INTEGER and node.value.isdecimal() else str(node.value)
