"""Which clusters, namespaces and pods something is about: globs and Kubernetes label selectors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator

from descheduler.domain.selectors import LabelSelector, Pairs, Requirement, pairs
from descheduler.policy.names import Glob
from descheduler.policy.section import Section
from descheduler.policy.wording import Location, mistake, mistakes, shown

PREFIX = r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?"
LABEL_KEY = rf"^{PREFIX}[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?$"
LABEL_VALUE = r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$"


def _label_key(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(LABEL_KEY, value, re.ASCII):
        return value
    raise mistake(f"must be a label key such as app.kubernetes.io/name, not {shown(value)}")


def _label_value(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(LABEL_VALUE, value, re.ASCII):
        return value
    hint = "" if isinstance(value, str) else " (in quotes)"
    raise mistake(f"must be a label value: text of at most 63 letters, digits, '-', '_' and '.'{hint}, not {shown(value)}")


def _labels(value: object) -> Pairs:
    """A map of labels; every wrong key and value is told."""
    if isinstance(value, tuple):
        value = dict(value)
    if not isinstance(value, Mapping):
        raise mistake(f"must be a mapping of label keys to values, not {shown(value)}")
    found: list[tuple[Location, str]] = []
    for key, text in value.items():
        if not (isinstance(key, str) and re.fullmatch(LABEL_KEY, key, re.ASCII)):
            found.append(((key,), "is not a label key such as app.kubernetes.io/name"))
        elif not (isinstance(text, str) and re.fullmatch(LABEL_VALUE, text, re.ASCII)):
            found.append(((key,), f"must be a label value (text), not {shown(text)}"))
    if found:
        raise mistakes(found)
    return pairs(value)


_LABELS_SCHEMA = {
    "type": "object",
    "propertyNames": {"pattern": LABEL_KEY},
    "additionalProperties": {"type": "string", "pattern": LABEL_VALUE},
}
Labels = Annotated[Pairs, PlainValidator(_labels), PlainSerializer(dict), WithJsonSchema(_LABELS_SCHEMA)]
"""A map of labels, kept as sorted pairs."""
LabelKey = Annotated[str, PlainValidator(_label_key), WithJsonSchema({"type": "string", "pattern": LABEL_KEY})]
LabelValue = Annotated[str, PlainValidator(_label_value), WithJsonSchema({"type": "string", "pattern": LABEL_VALUE})]


class Expression(Section):
    """One requirement of a label selector."""

    key: LabelKey
    """The label it looks at."""

    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How the label is compared; NotIn also holds for a pod without the label."""

    values: tuple[LabelValue, ...] = ()
    """The values to compare with: at least one for In and NotIn, none for Exists and DoesNotExist."""

    @model_validator(mode="after")
    def _values_as_the_operator_needs(self) -> Expression:
        if self.operator in ("In", "NotIn") and not self.values:
            raise mistake(f"must list at least one value for operator {self.operator}", "values")
        if self.operator in ("Exists", "DoesNotExist") and self.values:
            raise mistake(f"must be absent for operator {self.operator}", "values")
        return self


class PodSelector(Section):
    """A Kubernetes label selector over pods; all its requirements must hold, and an empty one selects every pod."""

    match_labels: Labels = Field(default=(), json_schema_extra={"default": {}})
    """Labels a pod must carry, each with exactly this value."""

    match_expressions: tuple[Expression, ...] = ()
    """Further requirements on labels."""

    @property
    def selector(self) -> LabelSelector:
        """The same selector as the domain knows it."""
        return LabelSelector(self.match_labels, tuple(Requirement(e.key, e.operator, e.values) for e in self.match_expressions))


class Globs(Section):
    """Names chosen by shell-style patterns: included by one pattern and excluded by none."""

    include: tuple[Glob, ...] = ("*",)
    """Patterns of names to include, such as `team-*`; an empty list includes nothing."""

    exclude: tuple[Glob, ...] = ()
    """Patterns of names to leave out although they are included."""

    def covers(self, name: str) -> bool:
        """Whether the name is included and not excluded; upper and lower case differ."""
        return any(fnmatchcase(name, g) for g in self.include) and not any(fnmatchcase(name, g) for g in self.exclude)


class ScopeNamespaces(Globs):
    """The namespaces the policy is about."""

    exclude: tuple[Glob, ...] = ("kube-system", "kube-public", "kube-node-lease")
    """Patterns of namespaces to leave out although they are included."""


class Scope(Section):
    """What the policy is about: pods outside are neither moved nor given room, but they hold what they use."""

    clusters: Globs = Field(default_factory=Globs)
    """The clusters in which pods are moved and placed, by name."""

    namespaces: ScopeNamespaces = Field(default_factory=ScopeNamespaces)
    """The namespaces whose pods are moved and placed, by name."""

    pod_selector: PodSelector = Field(default_factory=PodSelector)
    """The pods that are moved and placed, by label; empty means all."""

    def covers(self, cluster: str, namespace: str, labels: Mapping[str, str]) -> bool:
        """Whether a pod is in scope."""
        return self.clusters.covers(cluster) and self.namespaces.covers(namespace) and self.pod_selector.selector.matches(labels)


class Match(Section):
    """Which pods an override is about: those in a matching namespace that the selector selects."""

    namespaces: tuple[Glob, ...] = ("*",)
    """Patterns of namespace names such as `batch-*`; one of them must match."""

    pod_selector: PodSelector = Field(default_factory=PodSelector)
    """The pods, by label; empty means all."""

    def names(self, namespace: str) -> bool:
        """Whether the override is about a namespace."""
        return any(fnmatchcase(namespace, g) for g in self.namespaces)

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Whether the override is about a pod with these labels, in a namespace it names."""
        return self.pod_selector.selector.matches(labels)
