"""Kubernetes quantities, exactly: text to fractions, fractions to base units, base units to canonical text."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from functools import lru_cache

from descheduler.domain.resources import CPU, EPHEMERAL_STORAGE, MEMORY

_QUANTITY = re.compile(r"([+-]?)([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]+))?")
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_LONGEST = 128
"""Characters; a quantity that means something is far shorter, and reading a longer one only costs time."""
_LARGEST_EXPONENT = 100
_LARGEST = 2**63 - 1
"""Base units are int64 everywhere; Kubernetes itself caps quantities there."""


def parse_quantity(text: str | int | float) -> Fraction:
    """The exact value of a Kubernetes quantity (apimachinery ``resource.ParseQuantity``).

    Knows the suffixes n u m k M G T P E, Ki Mi Gi Ti Pi Ei and the exponents ``1e3`` and ``1E3``. YAML may hand over a
    number instead of text. Raises ValueError, naming the text, for anything else.
    """
    if isinstance(text, str):
        return _parse(text)
    if isinstance(text, bool) or not isinstance(text, int | float) or not math.isfinite(text):
        raise ValueError(f"{_shown(text)} is not a quantity")
    return _parse(repr(text)) if isinstance(text, float) else Fraction(text)


@lru_cache(maxsize=65536)
def _parse(text: str) -> Fraction:
    found = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        raise ValueError(f"{_shown(text)} is not a quantity")
    sign, digits, suffix, exponent = found.groups()
    power = int(exponent) if exponent else _DECIMAL.get(suffix or "", 0)
    if abs(power) > _LARGEST_EXPONENT:
        raise ValueError(f"{_shown(text)} is not a quantity: exponent beyond {_LARGEST_EXPONENT}")
    before, _, after = digits.partition(".")
    value = Fraction(int(before + after or "0"), 10 ** len(after)) * Fraction(10) ** power * _BINARY.get(suffix or "", 1)
    return -value if sign == "-" else value


def _shown(value: object) -> str:
    shown = ascii(value) if not isinstance(value, int) or isinstance(value, bool) or abs(value) <= _LARGEST else "a number beyond int64"
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


@lru_cache(maxsize=65536)
def _stored(text: str | float) -> int:
    return math.ceil(parse_quantity(text) * 1000)


def stored_thousandths(text: str | int | float) -> int:
    """A quantity as the API server stores it, in thousandths: defaulting rounds each one up to 1/1000 (kubernetes.md 3.2).

    Raises ValueError as ``parse_quantity`` does.
    """
    return _stored(text) if isinstance(text, str) else math.ceil(parse_quantity(text) * 1000)


def base_units(resource: str, quantity: Fraction) -> int:
    """Millicores for ``cpu``, whole units otherwise, rounded up as kube-scheduler does for requests and allocatable.

    Raises ValueError when the amount does not fit in int64.
    """
    amount = math.ceil(quantity * 1000) if resource == CPU else math.ceil(quantity)
    if abs(amount) > _LARGEST:
        raise ValueError(f"{resource}: beyond int64")
    return amount


def format_amount(resource: str, amount: int) -> str:
    """Base units as a canonical quantity: cpu ``1500m`` or ``2``; bytes with the largest exact binary suffix; else a whole number."""
    if resource == CPU:
        return f"{amount}m" if amount % 1000 else str(amount // 1000)
    if amount and (resource in (MEMORY, EPHEMERAL_STORAGE) or resource.startswith("hugepages-")):
        for suffix, factor in reversed(_BINARY.items()):
            if amount % factor == 0:
                return f"{amount // factor}{suffix}"
    return str(amount)
