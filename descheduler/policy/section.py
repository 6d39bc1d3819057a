"""What all parts of a policy share: frozen, strict, camelCase in YAML and snake_case in Python."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Section(BaseModel):
    """A mapping in the policy; a field it does not know is a mistake."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        use_attribute_docstrings=True,
        arbitrary_types_allowed=True,
    )
