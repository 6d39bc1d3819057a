"""The JSON Schema of a policy (draft 2020-12), for editors and for checks without this tool."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from descheduler.domain.durations import format_duration
from descheduler.policy.amounts import Amount, plain_amount
from descheduler.policy.policy import Policy


class _Readable(GenerateJsonSchema):
    """Defaults as YAML writes them, and no title for every field: it would only repeat the name in an editor's pop-up."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # pydantic asks it so
        return False

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, timedelta):
            return format_duration(dft)
        if isinstance(dft, Amount):
            return plain_amount(dft)
        if isinstance(dft, tuple):
            return [self.encode_default(item) for item in dft]
        return dft.model_dump(mode="json", by_alias=True) if isinstance(dft, BaseModel) else super().encode_default(dft)


def schema() -> dict[str, Any]:
    """The schema as a JSON value; titles, descriptions and defaults come from the models."""
    generated = Policy.model_json_schema(by_alias=True, mode="validation", schema_generator=_Readable)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **generated,
        "title": "DeschedulePolicy",
        "required": ["apiVersion", "kind"],
    }
