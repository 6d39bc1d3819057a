"""One YAML document → a policy, or every mistake in it with its line, in our words instead of pydantic's."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from descheduler.policy.documents import Document
from descheduler.policy.findings import Finding
from descheduler.policy.policy import API_VERSION, KIND, Policy
from descheduler.policy.wording import MISTAKE, Location, field_path, nearest, not_among, shown

IDENTITY = f"apiVersion {API_VERSION}, kind {KIND}"


def check_document(document: Document) -> tuple[Policy | None, list[Finding]]:
    """The policy a document holds, or its mistakes."""
    values = document.value
    if not isinstance(values, dict):
        return None, [_finding(document, (), f"must be a policy ({IDENTITY}), not {shown(values)}")]
    foreign = _foreign(document, values)
    if foreign is not None:
        return None, [foreign]
    missing = [
        _finding(document, (name,), f"required, must be {must}")
        for name, must in (("apiVersion", API_VERSION), ("kind", KIND))
        if name not in values
    ]
    try:
        policy = Policy.model_validate(values)
    except ValidationError as error:
        details = error.errors(include_url=False)
        return None, missing + [finding for detail in details for finding in _findings(document, detail)]
    return (None, missing) if missing else (policy, [])


def _foreign(document: Document, values: dict[str, object]) -> Finding | None:
    """What is wrong with a document that is no policy of ours at all; ``None`` when it may be one."""
    version, kind = values.get("apiVersion"), values.get("kind")
    if isinstance(version, str) and version.startswith("descheduler/"):
        message = f"{shown(version)} is a policy of kubernetes-sigs/descheduler, must be {API_VERSION}"
        return _finding(document, ("apiVersion",), f"{message}; convert it with `descheduler policy import {document.file}`")
    if kind is not None and kind != KIND:
        return _finding(document, ("kind",), not_among(kind, [KIND]))
    return None


def _finding(document: Document, location: Location, message: str, *, key: bool = False) -> Finding:
    return Finding(document.file, document.line_of(location, key=key), field_path(location), message)


def _findings(document: Document, detail: ErrorDetails) -> Iterator[Finding]:
    location: Location = tuple(detail["loc"])
    if detail["type"] == MISTAKE:
        for at, message in detail["ctx"]["found"]:
            yield _finding(document, (*location, *at), message)
    else:
        unknown = detail["type"] == "extra_forbidden"
        yield _finding(document, location, _worded(detail, location), key=unknown)


def _worded(detail: ErrorDetails, location: Location) -> str:
    """The message for an error that pydantic itself found."""
    value = detail["input"]
    match detail["type"]:
        case "extra_forbidden":
            return _unknown(str(location[-1]), location)
        case "missing":
            return "required, but missing"
        case "literal_error":
            return not_among(value, re.findall(r"'([^']*)'", detail["ctx"]["expected"]))
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"must be a mapping, not {shown(value)}"
        case "tuple_type" | "too_short":
            return f"must be a list, not {shown(value)}" if detail["type"] == "tuple_type" else "must not be empty"
        case _:
            return f"{detail['msg']}, not {shown(value)}"


def _unknown(name: str, location: Location) -> str:
    fields = field_names(location[:-1])
    guess = nearest(name, fields)
    if guess is not None:
        return f"unknown field; did you mean {guess}?"
    home = next((path for path in all_fields(Policy) if path[-1] == name), None)
    if home is not None:
        return f"unknown field here; it belongs to {field_path(home[:-1]) or 'the top level'}"
    return f"unknown field; allowed: {', '.join(fields)}"


def field_names(location: Location) -> list[str]:
    """The YAML names of the fields that the mapping at ``location`` may have."""
    model = _model_at(location)
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def all_fields(model: type[BaseModel], at: Location = ()) -> Iterator[Location]:
    """The location of every field of a policy, the outermost first; list items are left out."""
    inner: list[tuple[type[BaseModel], Location]] = []
    for name, field in model.model_fields.items():
        here = (*at, field.alias or name)
        yield here
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            inner.append((field.annotation, here))
    for part, here in inner:
        yield from all_fields(part, here)


def _model_at(location: Location) -> type[BaseModel] | None:
    model: type[BaseModel] | None = Policy
    for part in location:
        if isinstance(part, int):
            continue
        field = next((f for n, f in model.model_fields.items() if (f.alias or n) == part), None) if model else None
        model = _model_in(field.annotation) if field else None
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model of a field, of its list items, or of its optional value."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (tuple, Union, types.UnionType):
        return next((model for argument in get_args(annotation) if (model := _model_in(argument))), None)
    return None
