"""Conversions, against worked examples and against the slips that peers made."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridgram import units

AMOUNTS = st.floats(0, 1e9)


def test_a_pound_per_megawatt_hour_is_0_45359237_g_per_kwh() -> None:
    assert units.g_per_kwh_from_lb_per_mwh(1.0) == 0.45359237
    assert units.g_per_kwh_from_lb_per_mwh(954.0) == pytest.approx(432.727, abs=0.001)  # Strubell et al. 2019: 0.954 lb/kWh


def test_a_tonne_per_mwh_is_a_kg_per_kwh_and_a_kg_per_mwh_is_a_g_per_kwh() -> None:
    assert units.g_per_kwh_from_kg_per_kwh(0.385) == 385.0
    assert units.g_per_kwh_from_kg_per_mwh(385.0) == 385.0


def test_a_kwh_is_3_6_million_joules_and_1000_w_for_an_hour() -> None:
    assert units.kwh_from_joule(3_600_000) == 1.0
    assert units.kwh_from_w_hours(1_000, 1) == 1.0
    assert units.kwh_from_w_hours(400, 0.25) == 0.1


@given(AMOUNTS)
def test_pounds_per_megawatt_hour_and_grams_per_kilowatt_hour_undo_each_other(amount: float) -> None:
    assert units.g_per_kwh_from_lb_per_mwh(units.lb_per_mwh_from_g_per_kwh(amount)) == pytest.approx(amount, rel=1e-15)


@given(AMOUNTS)
def test_conversions_keep_order_and_zero(amount: float) -> None:
    for convert in (
        units.g_per_kwh_from_lb_per_mwh,
        units.g_per_kwh_from_kg_per_kwh,
        units.g_per_kwh_from_kg_per_mwh,
        units.kwh_from_joule,
        units.lb_per_mwh_from_g_per_kwh,
    ):
        assert convert(0.0) == 0.0
        assert convert(2 * amount) == pytest.approx(2 * convert(amount), rel=1e-15)
