"""Equivalents against the press figures on BLOOM."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridgram.equivalents import EQUIVALENTS, equivalents_of

DOCS = Path(__file__).resolve().parents[1] / "docs" / "method.md"


def value_of(name: str, emissions_g: float) -> float:
    return next(equivalence.value for equivalence in equivalents_of(emissions_g) if name in equivalence.name)


def test_blooms_fifty_tonnes_are_about_sixty_flights_from_london_to_new_york() -> None:
    assert value_of("London to New York", 50e6) == pytest.approx(60, abs=0.05)
    assert value_of("London to New York", 50.5e6) == pytest.approx(60, abs=1)


def test_a_day_of_blooms_service_is_about_54_miles_in_a_new_us_car() -> None:
    assert value_of("new US car", 18_917) == pytest.approx(54.2, abs=0.05)
    assert value_of("new US car", 19_000) == pytest.approx(54, abs=0.5)


def test_every_equivalent_tells_its_source_and_year() -> None:
    for equivalent, equivalence in zip(EQUIVALENTS, equivalents_of(1e6), strict=True):
        assert equivalence.value * equivalent.g_per_unit == pytest.approx(1e6)
        assert (equivalence.name, equivalence.unit, equivalence.source, equivalence.year) == (
            equivalent.name,
            equivalent.unit,
            equivalent.source,
            equivalent.year,
        )
        assert equivalence.source
        assert 2015 <= equivalence.year <= 2025


def test_names_are_unique_and_no_emissions_are_none_of_anything() -> None:
    assert len({equivalent.name for equivalent in EQUIVALENTS}) == len(EQUIVALENTS)
    assert all(equivalence.value == 0 for equivalence in equivalents_of(0.0))


def test_the_docs_print_the_equivalents_that_the_code_uses() -> None:
    rows = ["| what | one | g | source | year |", "| --- | --- | --- | --- | --- |"]
    rows += [f"| {one.name} | {one.unit} | {one.g_per_unit:,.10g} | {one.source} | {one.year} |" for one in EQUIVALENTS]

    assert "\n".join(rows) in DOCS.read_text(encoding="utf-8")
