"""Many jobs at once give what one job gives: by hand, by the arithmetic of one job, and by the service."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridgram.bulk import Kernel
from gridgram.emissions import account, account_flat
from gridgram.hour_tables import HourTables, hour_tables, quality_names
from gridgram.interval import MICROSECONDS_PER_HOUR, months_between
from gridgram.profile import stepped_profile
from gridgram.quality import QUALITY_CODES, Quality
from gridgram.series import IntensitySeries, joined, month_series
from gridgram.sums import MonthChunk
from tests.months import MARCH, hours, source

HOUR = MICROSECONDS_PER_HOUR
FIRST = MARCH.first_hour
END = MARCH.next.next.first_hour


def two_months(zone: str = "FR", seed: int = 1) -> IntensitySeries:
    """March and April in random numbers, with qualities and providers in runs."""
    random = np.random.default_rng(seed)
    parts = []
    for month in months_between(FIRST, END):
        quality = np.repeat(random.choice([QUALITY_CODES[Quality.MEASURED], QUALITY_CODES[Quality.TYPICAL]], 40), 20)[: month.hours]
        one = hours(random.uniform(10, 900, month.hours).tolist(), zone=zone, month=month, band=5.0)
        providers = (source("eia"), source("reference"))
        parts.append(replace(one, quality=quality.astype(np.uint8), source=(quality > 3).astype(np.uint8), sources=providers))
    return joined(parts)


def chunks_of(series: IntensitySeries, start: int, end: int) -> list[MonthChunk]:
    months = months_between(start // HOUR, -(-end // HOUR))
    return [MonthChunk(part) for month, part in month_series(series).items() if month in months]


def one_job(tables: HourTables, start: int, end: int, kwh: float = 1.0, place: int = 0):  # noqa: ANN201 - the columns of one job
    return Kernel(tables).convert(np.array([place]), np.array([start]), np.array([end]), np.array([kwh]))


def test_a_job_is_weighed_by_its_exact_part_of_every_hour() -> None:
    tables = hour_tables([hours([100.0, 200.0, 400.0], band=10.0)])

    emitted = one_job(tables, FIRST * HOUR + HOUR // 2, (FIRST + 2) * HOUR + HOUR // 4, kwh=7.0)

    # 0.5 h at 100, 1 h at 200 and 0.25 h at 400 are 350 g/kWh x h over 1.75 h.
    assert emitted.g_per_kwh[0] == pytest.approx(200.0, rel=1e-15)
    assert emitted.emissions_g[0] == pytest.approx(1400.0, rel=1e-15)
    assert emitted.low_g[0] == pytest.approx(7 * 190.0, rel=1e-15)
    assert emitted.high_g[0] == pytest.approx(7 * 210.0, rel=1e-15)


@given(start=st.integers(0, (END - FIRST) * HOUR - 2), length=st.integers(1, 500 * HOUR), kwh=st.floats(0, 1e6))
def test_a_job_emits_what_the_arithmetic_of_one_job_says(start: int, length: int, kwh: float) -> None:
    series = two_months()
    start += FIRST * HOUR
    end = min(start + length, END * HOUR)

    emitted = one_job(hour_tables([two_months("DE", 2), series]), start, end, kwh, place=1)

    one = account_flat(start, end, kwh, chunks_of(series, start, end))
    assert emitted.emissions_g[0] == pytest.approx(one.emissions_g, rel=1e-9)
    assert emitted.low_g[0] == pytest.approx(one.emissions_low_g, rel=1e-9)
    assert emitted.high_g[0] == pytest.approx(one.emissions_high_g, rel=1e-9)
    assert emitted.g_per_kwh[0] == pytest.approx(one.intensity_g_per_kwh, rel=1e-9)
    shares = dict(zip(quality_names((2, 6)), emitted.coverage[:, 0].tolist(), strict=True))
    assert {name: share for name, share in shares.items() if share} == pytest.approx(one.coverage, rel=1e-9)


@given(start=st.integers(0, 100 * HOUR), length=st.integers(2, 300 * HOUR), cut=st.floats(0.01, 0.99))
def test_a_job_cut_in_two_emits_the_same(start: int, length: int, cut: float) -> None:
    tables = hour_tables([two_months()])
    start += FIRST * HOUR
    middle = start + min(max(1, int(length * cut)), length - 1)

    whole = one_job(tables, start, start + length, 10.0)
    left = one_job(tables, start, middle, 10.0 * (middle - start) / length)
    right = one_job(tables, middle, start + length, 10.0 * (start + length - middle) / length)

    assert whole.emissions_g[0] == pytest.approx(left.emissions_g[0] + right.emissions_g[0], rel=1e-9)
    assert whole.providers[0] == left.providers[0] | right.providers[0]


def test_a_microsecond_on_each_side_of_an_hour_is_as_exact_as_a_month() -> None:
    series = two_months()
    at = (FIRST + 1_000) * HOUR

    emitted = one_job(hour_tables([series]), at - 1, at + 1)

    assert emitted.g_per_kwh[0] == pytest.approx((series.g_per_kwh[999] + series.g_per_kwh[1_000]) / 2, rel=1e-12)


@pytest.mark.parametrize(("start", "end"), [(-1, HOUR), (0, (END - FIRST) * HOUR + 1), (-9 * HOUR, -8 * HOUR), (5, 5)])
def test_a_job_outside_the_hours_is_refused_not_clipped(start: int, end: int) -> None:
    tables = hour_tables([two_months(), two_months("DE"), two_months("ES")])

    with pytest.raises(ValueError, match=r"outside|not after"):
        one_job(tables, FIRST * HOUR + start, FIRST * HOUR + end, place=1)


@pytest.mark.parametrize("place", [-1, 2])
def test_a_place_that_is_not_held_is_refused(place: int) -> None:
    tables = hour_tables([two_months(), two_months("DE")])

    with pytest.raises(ValueError, match="place"):
        one_job(tables, FIRST * HOUR, FIRST * HOUR + 1, place=place)


def test_the_last_hour_of_a_place_never_reads_the_next_place() -> None:
    tables = hour_tables([hours([100.0] * 24), hours([900.0] * 24, zone="DE")])

    whole = one_job(tables, FIRST * HOUR, (FIRST + 24) * HOUR)
    last = one_job(tables, (FIRST + 24) * HOUR - 1, (FIRST + 24) * HOUR)

    assert (whole.g_per_kwh[0], last.g_per_kwh[0]) == (100.0, 100.0)


def test_a_job_that_meets_a_missing_hour_is_short_and_one_beside_it_is_not() -> None:
    series = hours([100.0, 200.0, 300.0])
    quality = series.quality.copy()
    quality[1] = 0
    kernel = Kernel(hour_tables([replace(series, quality=quality)]))
    start = np.array([FIRST, FIRST, FIRST + 1, FIRST + 2]) * HOUR
    end = np.array([FIRST * HOUR + HOUR, FIRST * HOUR + HOUR + 1, (FIRST + 2) * HOUR, (FIRST + 3) * HOUR])

    emitted = kernel.convert(np.zeros(4, np.int64), start, end, np.ones(4))

    assert emitted.is_short.tolist() == [False, True, True, False]
    assert np.isfinite(emitted.emissions_g).all()
    with pytest.raises(ValueError, match="missing"):
        kernel.grams(np.zeros(4, np.int64), start, end, np.ones(4))


def test_hours_of_a_worse_quality_than_asked_for_are_short_too() -> None:
    tables = hour_tables([hours([100.0] * 10, quality=Quality.TYPICAL)])
    column = np.array([FIRST * HOUR])

    accepted = Kernel(tables, QUALITY_CODES[Quality.TYPICAL]).convert(np.zeros(1, np.int64), column, column + HOUR, np.ones(1))
    refused = Kernel(tables, QUALITY_CODES[Quality.MEASURED]).convert(np.zeros(1, np.int64), column, column + HOUR, np.ones(1))

    assert (accepted.is_short[0], refused.is_short[0]) == (False, True)


@given(
    start=st.integers(0, 50 * HOUR),
    step=st.sampled_from([HOUR, HOUR // 4, 7 * HOUR // 3, 61_000_000]),
    kwh=st.lists(st.one_of(st.just(0.0), st.floats(0.001, 1e4)), min_size=1, max_size=60),
)
def test_a_profile_emits_what_the_arithmetic_of_one_profile_says(start: int, step: int, kwh: list[float]) -> None:
    series = two_months()
    start += FIRST * HOUR
    places = np.array([0, 0])

    kernel = Kernel(hour_tables([series]), rows=64)
    counts = np.array([1, len(kwh)])
    emitted = kernel.convert_profiles(places, np.array([start, start]), np.array([step, step]), counts, np.array([1.0, *kwh]))

    one = account(stepped_profile(start, step, kwh), series)
    assert emitted.emissions_g[1] == pytest.approx(one.emissions_g, rel=1e-9)
    assert emitted.low_g[1] == pytest.approx(one.emissions_low_g, rel=1e-9)
    assert emitted.g_per_kwh[1] == pytest.approx(one.intensity_g_per_kwh, rel=1e-9)
    shares = dict(zip(quality_names((2, 6)), emitted.coverage[:, 1].tolist(), strict=True))
    told = {name: share for name, share in one.coverage.items() if share}  # it also names what only steps without energy met
    assert {name: share for name, share in shares.items() if share} == pytest.approx(told, rel=1e-9)


def test_chunks_of_any_size_give_the_same_to_the_bit() -> None:
    random = np.random.default_rng(3)
    start = FIRST * HOUR + random.integers(0, 500 * HOUR, 1_000)
    columns = (random.integers(0, 2, 1_000), start, start + random.integers(1, 200 * HOUR, 1_000), random.uniform(0, 9, 1_000))
    tables = hour_tables([two_months(), two_months("DE", 2)])

    large, small = Kernel(tables).convert(*columns), Kernel(tables, rows=17).convert(*columns)

    assert np.array_equal(large.emissions_g, small.emissions_g)
    assert np.array_equal(large.emissions_g, Kernel(tables).grams(*columns))
    assert np.array_equal(large.coverage, small.coverage)
    assert np.array_equal(large.providers, small.providers)
