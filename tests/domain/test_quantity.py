"""Quantities: every spelling Kubernetes accepts is read exactly, everything else is refused by name."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descheduler.domain.quantity import base_units, format_amount, parse_quantity, stored_thousandths


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", Fraction(0)),
        ("12", Fraction(12)),
        ("+12", Fraction(12)),
        ("-1.5", Fraction(-3, 2)),
        (".5", Fraction(1, 2)),
        ("5.", Fraction(5)),
        ("100n", Fraction(1, 10**7)),
        ("100u", Fraction(1, 10**4)),
        ("100m", Fraction(1, 10)),
        ("3k", Fraction(3000)),
        ("3M", Fraction(3 * 10**6)),
        ("3G", Fraction(3 * 10**9)),
        ("3T", Fraction(3 * 10**12)),
        ("3P", Fraction(3 * 10**15)),
        ("3E", Fraction(3 * 10**18)),
        ("3Ki", Fraction(3 * 2**10)),
        ("3Mi", Fraction(3 * 2**20)),
        ("1.5Gi", Fraction(3 * 2**29)),
        ("3Ti", Fraction(3 * 2**40)),
        ("3Pi", Fraction(3 * 2**50)),
        ("3Ei", Fraction(3 * 2**60)),
        ("1e3", Fraction(1000)),
        ("1E3", Fraction(1000)),
        ("1e+3", Fraction(1000)),
        ("1e-3", Fraction(1, 1000)),
        (2, Fraction(2)),
        (0.5, Fraction(1, 2)),
        (0.1, Fraction(1, 10)),
    ],
)
def test_every_spelling_of_kubernetes_is_read_exactly(text: str | float, value: Fraction) -> None:
    assert parse_quantity(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1 ",
        "abc",
        ".",
        "-",
        "1e",
        "1ki",
        "1KI",
        "1mi",
        "1K",
        "1e3Ki",
        "1i",
        "0x10",
        "1_000",
        "1,5",
        "NaN",
        "inf",
        "٣",
        "1e999999",
        "9" * 500,
    ],
)
def test_what_is_no_quantity_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        parse_quantity(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, None, [], {}])
def test_values_that_are_no_number_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        parse_quantity(value)  # type: ignore[arg-type]


def test_a_refusal_shows_the_text() -> None:
    with pytest.raises(ValueError, match="'lots'"):
        parse_quantity("lots")


@pytest.mark.parametrize(
    ("resource", "text", "amount"),
    [("cpu", "1", 1000), ("cpu", "100u", 1), ("cpu", "1.0001", 1001), ("memory", "100m", 1), ("pods", "110", 110)],
)
def test_base_units_round_up(resource: str, text: str, amount: int) -> None:
    assert base_units(resource, parse_quantity(text)) == amount


def test_an_amount_beyond_int64_is_refused() -> None:
    with pytest.raises(ValueError, match="memory: beyond int64"):
        base_units("memory", parse_quantity("8Ei"))


@pytest.mark.parametrize(
    ("resource", "amount", "text"),
    [
        ("cpu", 1500, "1500m"),
        ("cpu", 2000, "2"),
        ("cpu", 0, "0"),
        ("memory", 3 * 2**30, "3Gi"),
        ("memory", 1536 * 2**20, "1536Mi"),
        ("memory", 1000, "1000"),
        ("memory", 0, "0"),
        ("nvidia.com/gpu", 2, "2"),
        ("pods", 1024, "1024"),
    ],
)
def test_amounts_are_written_as_kubernetes_writes_them(resource: str, amount: int, text: str) -> None:
    assert format_amount(resource, amount) == text


@given(
    st.sampled_from(["cpu", "memory", "ephemeral-storage", "hugepages-2Mi", "nvidia.com/gpu", "pods"]), st.integers(-(2**63) + 1, 2**63 - 1)
)
def test_what_is_written_reads_back_the_same(resource: str, amount: int) -> None:
    assert base_units(resource, parse_quantity(format_amount(resource, amount))) == amount


SUFFIXES = {"": 0, "n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "e2": 2, "E-2": -2}


@given(st.decimals(0, 10**6, places=9), st.sampled_from(sorted(SUFFIXES)), st.sampled_from(["cpu", "memory"]))
def test_rounding_agrees_with_decimal_arithmetic(number: Decimal, suffix: str, resource: str) -> None:
    with localcontext(prec=100):
        exact = number.scaleb(SUFFIXES[suffix]) * (1000 if resource == "cpu" else 1)
        expected = int(exact.to_integral_value(ROUND_CEILING))

    assert base_units(resource, parse_quantity(f"{number:f}{suffix}")) == expected


def test_the_api_server_stores_thousandths_rounded_up() -> None:
    assert stored_thousandths("100u") == 1
    assert stored_thousandths("1.0001") == 1001
    assert stored_thousandths(2) == 2000
