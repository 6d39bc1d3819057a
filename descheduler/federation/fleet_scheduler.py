"""Reads the ``scheduler`` section of a cluster in the ``Fleet`` file, as strictly as kube-scheduler reads its own configuration."""

from __future__ import annotations

from collections.abc import Callable

import yaml

from descheduler.domain.selectors import NodeSelectorTerm
from descheduler.federation.convert_selectors import PREFERRED, REQUIRED, node_terms
from descheduler.federation.fields import Odd
from descheduler.federation.fleet_yaml import Node, Reading, plain
from descheduler.federation.requests import extended
from descheduler.federation.scheduler import DEFAULT_PROFILES, Scheduler

ACTIONS = ("DoNotSchedule", "ScheduleAnyway")
FIELDS = ("profiles", "ignoredResources", "ignoredResourceGroups", "defaultConstraints", "addedAffinity")
_NEEDED = ("maxSkew", "topologyKey", "whenUnsatisfiable")
_CONSTRAINT = (*_NEEDED, "minDomains", "nodeAffinityPolicy", "nodeTaintsPolicy", "matchLabelKeys")


def read_scheduler(reading: Reading, node: Node, field: str) -> Scheduler:
    """The section; mistakes are noted in ``reading``."""
    fields = reading.fields(node, field, FIELDS)

    def names(what: str, expected: str, right: Callable[[str], bool]) -> tuple[str, ...]:
        if what not in fields:
            return ()
        return _names(reading, fields[what], f"{field}.{what}", expected, right)

    profiles = names("profiles", "a scheduler's name", bool)
    if "profiles" in fields and not profiles:
        reading.wrong(fields["profiles"], f"{field}.profiles", "names none; leave it out for default-scheduler")
    return Scheduler(
        profiles=profiles or DEFAULT_PROFILES,
        ignored=frozenset(names("ignoredResources", "an extended resource such as example.com/dongle", extended)),
        ignored_groups=frozenset(names("ignoredResourceGroups", "a group such as example.com", _is_group)),
        hard_defaults="defaultConstraints" in fields and _hard(reading, fields["defaultConstraints"], f"{field}.defaultConstraints"),
        added_affinity=_added(reading, fields["addedAffinity"], f"{field}.addedAffinity") if "addedAffinity" in fields else None,
        told={name: plain(value) for name, value in fields.items()},
    )


def _is_group(name: str) -> bool:
    return bool(name) and "/" not in name


def _names(reading: Reading, node: Node, field: str, expected: str, right: Callable[[str], bool]) -> tuple[str, ...]:
    found = []
    for i, item in enumerate(reading.items(node, field)):
        name = reading.text(item, f"{field}[{i}]")
        if isinstance(item, yaml.ScalarNode) and not right(name):
            reading.wrong(item, f"{field}[{i}]", f"{name!a}, expected {expected}")
        found.append(name)
    return tuple(found)


def _hard(reading: Reading, node: Node, field: str) -> bool:
    """Whether any of the constraints makes pods wait."""
    seen: dict[tuple[str, str], None] = {}
    for i, item in enumerate(reading.items(node, field)):
        at = f"{field}[{i}]"
        fields = reading.fields(item, at, _CONSTRAINT)
        for needed in _NEEDED:
            if needed not in fields and isinstance(item, yaml.MappingNode):
                reading.wrong(item, f"{at}.{needed}", "missing")
        if "maxSkew" in fields:
            reading.number(fields["maxSkew"], f"{at}.maxSkew", least=1)
        key = reading.text(fields.get("topologyKey"), f"{at}.topologyKey")
        action = reading.one_of(fields.get("whenUnsatisfiable"), f"{at}.whenUnsatisfiable", ACTIONS)
        if key and (key, action) in seen:
            reading.wrong(item, at, f"{key} {action} appears twice")
        seen[key, action] = None
    return any(action == "DoNotSchedule" for _, action in seen)


def _added(reading: Reading, node: Node, field: str) -> tuple[NodeSelectorTerm, ...] | None:
    """The required terms; preferred ones never keep a pod waiting."""
    fields = reading.fields(node, field, (REQUIRED, PREFERRED))
    if REQUIRED not in fields:
        return None
    at = f"{field}.{REQUIRED}"
    inner = reading.fields(fields[REQUIRED], at, ("nodeSelectorTerms",))
    if "nodeSelectorTerms" not in inner:
        reading.wrong(fields[REQUIRED], f"{at}.nodeSelectorTerms", "missing")
        return None
    at = f"{at}.nodeSelectorTerms"
    return tuple(_term(reading, term, f"{at}[{i}]") for i, term in enumerate(reading.items(inner["nodeSelectorTerms"], at)))


def _term(reading: Reading, node: Node, field: str) -> NodeSelectorTerm:
    before = len(reading.mistakes)
    for what, parts in reading.fields(node, field, ("matchExpressions", "matchFields")).items():
        for i, part in enumerate(reading.items(parts, f"{field}.{what}")):
            reading.fields(part, f"{field}.{what}[{i}]", ("key", "operator", "values"))
    if len(reading.mistakes) > before:
        return NodeSelectorTerm()
    try:
        return (node_terms({"nodeSelectorTerms": [plain(node)]}, "") or (NodeSelectorTerm(),))[0]
    except Odd as odd:
        reading.wrong(node, field, str(odd).removeprefix(".nodeSelectorTerms[]."))
        return NodeSelectorTerm()
