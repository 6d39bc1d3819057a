"""YAML text → plain values that remember their lines.

Scalars mean what they mean in YAML 1.2 and in editors: ``22:00`` and ``on`` are text, ``010`` is no number. A key given twice
is a mistake. What aliases expand to is bounded, so that a few lines cannot fill the memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import yaml

from descheduler.policy.findings import Finding
from descheduler.policy.wording import Location, field_path, shown

MOST_VALUES = 20_000
DEEPEST = 50
CORE = "tag:yaml.org,2002:"
STRING, INTEGER, FLOAT, BOOLEAN, NOTHING = (CORE + name for name in ("str", "int", "float", "bool", "null"))
MAPPING, SEQUENCE, MERGE = (CORE + name for name in ("map", "seq", "merge"))

SCALARS: dict[str, Callable[[str], object]] = {
    STRING: str,
    INTEGER: int,
    FLOAT: float,
    BOOLEAN: lambda text: {"true": True, "false": False}[text.lower()],
    NOTHING: lambda text: None,
}


class _Loader(yaml.SafeLoader):
    """Only composes; the plain scalars of YAML 1.2's core schema and nothing else."""


_Loader.yaml_implicit_resolvers = {}


for _tag, _pattern, _first in (
    (BOOLEAN, r"true|True|TRUE|false|False|FALSE", "tTfF"),
    (INTEGER, r"[-+]?(0|[1-9][0-9]{0,17})", "-+0123456789"),
    (FLOAT, r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]{1,3})?", "-+.0123456789"),
    (NOTHING, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (MERGE, r"<<", "<"),
):
    _Loader.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$", re.ASCII), list(_first))


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document of a file."""

    file: str
    line: int
    value: object
    keys: dict[Location, int] = field(default_factory=dict)
    """Lines of keys and list items, by location."""
    values: dict[Location, int] = field(default_factory=dict)
    """Lines on which values start, by location."""

    def line_of(self, location: Location, *, key: bool = False) -> int:
        """The line of a value, or of its key; of the nearest mapping around it when it is not in the document."""
        while location:
            line = (self.keys if key else self.values).get(location)
            if line is not None:
                return line
            location, key = location[:-1], True
        return self.line


@dataclass(slots=True)
class Reading:
    """The documents read so far and the mistakes found on the way."""

    file: str
    documents: list[Document] = field(default_factory=list)
    mistakes: list[Finding] = field(default_factory=list)


class _TooMuch(Exception):
    """Aliases expand to more than any policy needs."""


def read_documents(text: str, file: str) -> Reading:
    """Every non-empty document of ``text``; after broken YAML, those before it."""
    reading = Reading(file)
    loader = _Loader(text) if _printable(text, reading) else None
    try:
        while loader is not None and loader.check_node():
            node = loader.get_node()
            if node is not None:
                _Conversion(reading).document(node)
    except yaml.MarkedYAMLError as error:
        reading.mistakes.append(_broken(error, file))
    except RecursionError:
        reading.mistakes.append(Finding(file, 1, "", f"broken YAML: nested deeper than {DEEPEST} levels"))
    except _TooMuch as error:
        reading.mistakes.append(Finding(file, 1, "", str(error)))
    return reading


def _printable(text: str, reading: Reading) -> bool:
    """Whether YAML allows every character."""
    odd = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if odd is None:
        return True
    line = text.count("\n", 0, odd.start()) + 1
    column = odd.start() - text.rfind("\n", 0, odd.start())
    message = f"broken YAML at column {column}: the character U+{ord(odd.group()):04X} is not allowed"
    reading.mistakes.append(Finding(reading.file, line, "", message))
    return False


def _broken(error: yaml.MarkedYAMLError, file: str) -> Finding:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    problem = error.problem or error.context or "cannot be parsed"
    if r"'\t'" in problem:
        problem = "a tab; YAML is indented with spaces"
    return Finding(file, line, "", f"broken YAML at column {column}: {problem}")


class _Conversion:
    """Turns the nodes of one document into plain values."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.count = 0
        self.keys: dict[Location, int] = {}
        self.values: dict[Location, int] = {}

    def document(self, node: yaml.Node) -> None:
        """Add the document unless it is empty."""
        value = self.value(node, ())
        if value is not None:
            self.reading.documents.append(Document(self.reading.file, node.start_mark.line + 1, value, self.keys, self.values))

    def value(self, node: yaml.Node, at: Location) -> object:
        self.count += 1
        if self.count > MOST_VALUES:
            raise _TooMuch(f"has more than {MOST_VALUES} values once its aliases are expanded")
        if len(at) > DEEPEST:
            raise _TooMuch(f"is nested deeper than {DEEPEST} levels, or an alias contains itself")
        if isinstance(node, yaml.ScalarNode):
            self.values[at] = node.start_mark.line + 1
            return self.scalar(node, at)
        self.values[at] = self.keys.get(at, node.start_mark.line + 1)
        if node.tag not in (MAPPING, SEQUENCE):
            self.wrong(at, self.values[at], f"has the tag {node.tag}, which means nothing here")
        return self.mapping(node, at) if isinstance(node, yaml.MappingNode) else self.sequence(node, at)

    def sequence(self, node: yaml.Node, at: Location) -> list[object]:
        self.keys.update({(*at, i): item.start_mark.line + 1 for i, item in enumerate(node.value)})
        return [self.value(item, (*at, i)) for i, item in enumerate(node.value)]

    def mapping(self, node: yaml.MappingNode, at: Location) -> dict[str, object]:
        """What ``<<`` brings in comes first, so that keys written here replace it."""
        result: dict[str, object] = {}
        for key, child in node.value:
            if key.tag == MERGE:
                for part in reversed(child.value if isinstance(child, yaml.SequenceNode) else [child]):
                    result.update(self.merged(part, at))
        first: dict[str, int] = {}
        for key, child in node.value:
            line = key.start_mark.line + 1
            if key.tag == MERGE:
                continue
            if not isinstance(key, yaml.ScalarNode):
                self.wrong(at, line, "a key must be a plain word")
            elif key.value in first:
                self.wrong((*at, key.value), line, f"is given twice, first on line {first[key.value]}")
            else:
                first[key.value] = self.keys[*at, key.value] = line
                result[key.value] = self.value(child, (*at, key.value))
        return result

    def merged(self, node: yaml.Node, at: Location) -> dict[str, object]:
        """The mapping an alias after ``<<`` stands for; of several, the first that has a key wins."""
        if isinstance(node, yaml.MappingNode):
            self.count += 1
            if self.count > MOST_VALUES:
                raise _TooMuch(f"has more than {MOST_VALUES} values once its aliases are expanded")
            return self.mapping(node, at)
        self.wrong(at, node.start_mark.line + 1, "<< must be followed by an alias of a mapping")
        return {}

    def scalar(self, node: yaml.ScalarNode, at: Location) -> object:
        text = str(node.value)
        try:
            return SCALARS[node.tag](text)
        except (ValueError, KeyError):
            self.wrong(at, node.start_mark.line + 1, f"{shown(text)} has the tag {node.tag}, which does not fit; leave it out")
            return text

    def wrong(self, at: Location, line: int, message: str) -> None:
        self.reading.mistakes.append(Finding(self.reading.file, line, field_path(at), message))
