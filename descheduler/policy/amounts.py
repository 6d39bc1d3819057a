"""Counts, shares and plain numbers, each saying what it must be when it is not."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from descheduler.policy.wording import mistake, shown

SHARE = r"^(100(\.0{1,2})?|[0-9]{1,2}(\.[0-9]{1,2})?)%$"
LARGEST = 10**9

_SHARE = re.compile(SHARE, re.ASCII)


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of pods: a count, or a share of the running pods in some scope."""

    count: int = 0
    """The number itself; without meaning when ``share`` is given."""
    share: int | None = None
    """Hundredths of a percent, 0 to 10,000."""

    def resolve(self, running: int) -> int:
        """The number of pods this allows among ``running`` ones; a share is rounded down, so 10% of 9 is 0."""
        return self.count if self.share is None else running * self.share // 10_000

    def __str__(self) -> str:
        return str(self.count) if self.share is None else f"{self.share / 100:g}%"


def _whole(value: object) -> int | None:
    """The value if it is a whole number; true and false are not."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _amount(value: object) -> Amount:
    if isinstance(value, Amount):
        return value
    number = _whole(value)
    if number is not None and 0 <= number <= LARGEST:
        return Amount(number)
    if isinstance(value, str) and _SHARE.fullmatch(value):
        percent, _, fraction = value[:-1].partition(".")
        return Amount(share=int(percent) * 100 + int(fraction.ljust(2, "0")))
    raise mistake(f'must be a count >= 0 or a share such as "10%", not {shown(value)}')


def plain_amount(amount: Amount) -> int | str:
    """The amount as YAML and JSON write it: ``5`` or ``"10%"``."""
    return amount.count if amount.share is None else str(amount)


def _count(value: object) -> int:
    number = _whole(value)
    if number is None or not 0 <= number <= LARGEST:
        raise mistake(f"must be a count >= 0, not {shown(value)}")
    return number


def _positive_count(value: object) -> int:
    number = _whole(value)
    if number is None or not 1 <= number <= LARGEST:
        raise mistake(f"must be a count >= 1, not {shown(value)}")
    return number


def _priority(value: object) -> int:
    number = _whole(value)
    if number is None or not -(2**31) <= number < 2**31:
        raise mistake(f"must be a pod priority (a whole number of 32 bits) or null, not {shown(value)}")
    return number


def _number(value: object) -> float | None:
    """The value if it is a finite number."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else None


def _at_least_zero(value: object) -> float:
    number = _number(value)
    if number is None or not 0 <= number <= LARGEST:
        raise mistake(f"must be a number >= 0, not {shown(value)}")
    return number


def _above_zero(value: object) -> float:
    number = _number(value)
    if number is None or not 0 < number <= LARGEST:
        raise mistake(f"must be a number > 0, not {shown(value)}")
    return number


def _fraction(value: object) -> float:
    number = _number(value)
    if number is None or not 0 <= number <= 1:
        raise mistake(f"must be a number from 0 to 1, not {shown(value)}")
    return number


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise mistake(f"must be true or false, not {shown(value)}")


_COUNT_OR_SHARE = {
    "anyOf": [{"type": "integer", "minimum": 0, "maximum": LARGEST}, {"type": "string", "pattern": SHARE, "examples": ["10%"]}]
}

AmountField = Annotated[Amount, PlainValidator(_amount), PlainSerializer(plain_amount), WithJsonSchema(_COUNT_OR_SHARE)]
"""A count, or a share such as ``10%``."""
Count = Annotated[int, PlainValidator(_count), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": LARGEST})]
PositiveCount = Annotated[int, PlainValidator(_positive_count), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": LARGEST})]
Priority = Annotated[int, PlainValidator(_priority), WithJsonSchema({"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1})]
Number = Annotated[float, PlainValidator(_at_least_zero), WithJsonSchema({"type": "number", "minimum": 0, "maximum": LARGEST})]
PositiveNumber = Annotated[
    float, PlainValidator(_above_zero), WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": LARGEST})
]
ZeroToOne = Annotated[float, PlainValidator(_fraction), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})]
Flag = Annotated[bool, PlainValidator(_flag), WithJsonSchema({"type": "boolean"})]
