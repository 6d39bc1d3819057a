"""Shapes: pod sizes users care about, with exact requests in the domain's units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, PlainSerializer, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import CoreSchema, core_schema
from pydantic_core.core_schema import ValidatorFunctionWrapHandler

from descheduler.domain.quantity import base_units, format_amount, parse_quantity
from descheduler.domain.resources import Resources
from descheduler.domain.selectors import Toleration
from descheduler.policy.amounts import PositiveNumber
from descheduler.policy.names import Label
from descheduler.policy.section import Section
from descheduler.policy.selection import LABEL_KEY, Labels, LabelValue
from descheduler.policy.wording import Location, mistake, mistakes, shown

QUANTITY = r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]{1,2})?$"
EXTENDED = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
RESOURCE = rf"^(cpu|memory|ephemeral-storage|hugepages-[0-9A-Za-z]+|{EXTENDED})$"
RESOURCES = "cpu, memory, ephemeral-storage, hugepages-<size> or an extended one such as nvidia.com/gpu"
LARGEST = 2**63 - 1


def _wrong_resource(name: object) -> str | None:
    if name == "pods":
        return "must not be requested: a pod always counts as one"
    if isinstance(name, str) and re.fullmatch(RESOURCE, name, re.ASCII):
        return None
    return f"unknown resource, must be {RESOURCES}"


def _amount(resource: str, value: object) -> int:
    """Base units of one request. Raises ``ValueError`` with what it must be."""
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not re.fullmatch(QUANTITY, text, re.ASCII) or len(text) > 40:
        raise ValueError(f'must be a quantity such as "500m", "16" or 64Gi, not {shown(value)}')
    exact = parse_quantity(text)
    if exact <= 0:
        raise ValueError(f"must be more than 0, not {shown(value)}")
    if resource not in ("cpu", "memory", "ephemeral-storage") and exact.denominator != 1:
        raise ValueError(f"must be a whole number, not {shown(value)}")
    units = base_units(resource, exact)
    if units > LARGEST:
        raise ValueError(f"is too large: {shown(value)}")
    return units


def _requests(value: object) -> Resources:
    if isinstance(value, Resources):
        return value
    if not isinstance(value, Mapping):
        raise mistake(f"must be a mapping of resources to quantities, not {shown(value)}")
    if not value:
        raise mistake("must request at least one resource, such as cpu")
    units: dict[str, int] = {}
    found: list[tuple[Location, str]] = []
    for resource, amount in value.items():
        wrong = _wrong_resource(resource)
        try:
            units[resource] = 0 if wrong else _amount(resource, amount)
        except ValueError as error:
            wrong = str(error)
        if wrong:
            found.append(((resource,), wrong))
    if found:
        raise mistakes(found)
    return Resources(units)


def _quantities(requests: Resources) -> dict[str, str]:
    """Canonical quantities, so that equal requests are written alike."""
    return {resource: format_amount(resource, amount) for resource, amount in requests.items()}


_QUANTITY_SCHEMA = {"anyOf": [{"type": "string", "pattern": QUANTITY}, {"type": "number", "exclusiveMinimum": 0}]}
_REQUESTS_SCHEMA = {
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"pattern": RESOURCE},
    "additionalProperties": _QUANTITY_SCHEMA,
    "examples": [{"cpu": "16", "memory": "64Gi"}],
}
Requests = Annotated[Resources, PlainValidator(_requests), PlainSerializer(_quantities), WithJsonSchema(_REQUESTS_SCHEMA)]
"""Requests in base units: millicores, bytes, pieces."""


def _taint_key(value: object) -> str:
    if isinstance(value, str) and (not value or re.fullmatch(LABEL_KEY, value, re.ASCII)):
        return value
    raise mistake(f"must be the key of a taint such as nvidia.com/gpu, not {shown(value)}")


TaintKey = Annotated[str, PlainValidator(_taint_key), WithJsonSchema({"type": "string", "pattern": rf"^$|{LABEL_KEY}"})]


class ShapeToleration(Section):
    """A toleration, as in a pod."""

    key: TaintKey = ""
    """The taint's key; empty, with operator Exists, means every taint."""

    operator: Literal["Equal", "Exists"] = "Equal"
    """Whether the taint's value must be equal or may be any."""

    value: LabelValue = ""
    """The taint's value, for operator Equal."""

    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""
    """The taint's effect; empty means every effect."""

    @model_validator(mode="after")
    def _as_kubernetes_allows(self) -> ShapeToleration:
        if not self.key and self.operator == "Equal":
            raise mistake("must be Exists when there is no key", "operator")
        if self.value and self.operator == "Exists":
            raise mistake("must be absent for operator Exists", "value")
        return self

    @property
    def toleration(self) -> Toleration:
        """The same toleration as the domain knows it."""
        return Toleration(self.key, self.operator, self.value, self.effect)


class Shape(Section):
    """A pod size users care about; a slot is room for one more pod of it on one node."""

    name: Label
    """How plans and reports call the shape."""

    weight: PositiveNumber = 1
    """What one slot of this shape is worth compared with one slot of a shape of weight 1."""

    requests: Requests
    """What a pod of this shape requests, in Kubernetes quantities; its place among the node's pods is counted by itself."""

    node_selector: Labels = Field(default=(), json_schema_extra={"default": {}})
    """Labels of the nodes on which slots are counted; empty means all."""

    tolerations: tuple[ShapeToleration, ...] = ()
    """Taints a pod of this shape tolerates; nodes with other taints have no slots."""

    @property
    def tolerated(self) -> tuple[Toleration, ...]:
        """The tolerations as the domain knows them."""
        return tuple(t.toleration for t in self.tolerations)


AUTO: Literal["auto"] = "auto"
"""Instead of a list: the shapes are derived from the fleet."""


def _auto_or_list(value: object, listed: ValidatorFunctionWrapHandler) -> object:
    if value == AUTO:
        return AUTO
    if not isinstance(value, list | tuple):
        raise mistake(f"must be a list of shapes or {AUTO}, not {shown(value)}")
    return listed(value)


def _plain(shapes: tuple[Shape, ...] | Literal["auto"]) -> list[dict[str, Any]] | Literal["auto"]:
    return AUTO if shapes == AUTO else [shape.model_dump(mode="json", by_alias=True) for shape in shapes]


class _AutoOrList:
    """``auto`` or a list of shapes, in which mistakes keep their place."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            _auto_or_list,
            handler.generate_schema(tuple[Shape, ...]),
            serialization=core_schema.plain_serializer_function_ser_schema(_plain),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"const": AUTO}, handler(schema)]}


Shapes = Annotated[tuple[Shape, ...] | Literal["auto"], _AutoOrList()]
LARGE = Shape.model_validate({"name": "large", "requests": {"cpu": "16", "memory": "64Gi"}})
"""The one shape of the shipped default."""
