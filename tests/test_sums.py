"""A month with running sums: integrals, runs, and what they cost in memory."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridgram.interval import MICROSECONDS_PER_HOUR as HOUR
from gridgram.quality import QUALITY_CODES, Quality
from gridgram.sums import MonthChunk
from tests.months import MARCH, hours

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

START = MARCH.first_hour * HOUR
END = START + MARCH.hours * HOUR
RATES = [float(hour * hour % 977) for hour in range(MARCH.hours)]


def test_the_integral_over_whole_hours_is_their_sum() -> None:
    chunk = MonthChunk(hours(RATES, band=1.0))

    g_hours, low, high = chunk.integral(START + 5 * HOUR, START + 8 * HOUR)

    assert g_hours == RATES[5] + RATES[6] + RATES[7]
    assert (low, high) == (g_hours - 3, g_hours + 3)


def test_the_integral_over_parts_of_hours_weighs_them() -> None:
    chunk = MonthChunk(hours([10.0, 20.0, 40.0, *[0.0] * 741]))
    quarter = HOUR // 4

    assert chunk.integral(START + quarter, START + 2 * HOUR + quarter)[0] == pytest.approx(7.5 + 20 + 10)
    assert chunk.integral(START + HOUR + quarter, START + HOUR + 2 * quarter)[0] == pytest.approx(5.0)
    assert chunk.integral(START + 3 * quarter, START + HOUR + quarter)[0] == pytest.approx(2.5 + 5.0)
    assert chunk.integral(START, END)[0] == pytest.approx(70.0)


@given(st.integers(0, END - START - 1), st.data())
def test_the_integral_is_the_sum_of_every_hour_by_its_overlap(start: int, data: st.DataObject) -> None:
    chunk = MonthChunk(hours(RATES))
    begin, end = START + start, START + data.draw(st.integers(start + 1, END - START))
    overlaps = ((max(begin, START + h * HOUR), min(end, START + (h + 1) * HOUR), rate) for h, rate in enumerate(RATES))

    expected = math.fsum(rate * (to - since) / HOUR for since, to, rate in overlaps if since < to)

    assert chunk.integral(begin, end)[0] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_runs_tile_the_month_and_change_only_with_quality_or_source() -> None:
    series = hours(50.0)
    series.quality[:] = QUALITY_CODES[Quality.MEASURED]
    series.quality[10:20] = 0
    series.quality[700:] = QUALITY_CODES[Quality.TYPICAL]

    runs = MonthChunk(series).runs

    assert [(run.first_hour - MARCH.first_hour, run.end_hour - MARCH.first_hour, run.quality) for run in runs] == [
        (0, 10, 2),
        (10, 20, 0),
        (20, 700, 2),
        (700, 744, 6),
    ]


def test_missing_hours_add_nothing_to_the_running_sums() -> None:
    series = hours([10.0, math.nan, 20.0])
    series.quality[1] = 0

    assert MonthChunk(series).running_g_per_kwh.tolist() == [0.0, 10.0, 10.0, 30.0]


def test_a_band_of_no_width_shares_its_running_sums() -> None:
    series = hours(50.0)
    flat = MonthChunk(type(series)(**{name: getattr(series, name) for name in series.__slots__} | {"low": series.g_per_kwh}))

    assert flat.running_low is flat.running_g_per_kwh
    assert flat.running_high is not flat.running_g_per_kwh


def test_nbytes_is_no_less_than_what_the_arrays_take() -> None:
    chunk = MonthChunk(hours(RATES, band=1.0))
    promised = chunk.nbytes
    chunk.integral(START, END)
    series = chunk.series
    arrays: list[NDArray[np.float64]] = [series.g_per_kwh, series.low, series.high]
    arrays += [chunk.running_g_per_kwh, chunk.running_low, chunk.running_high]

    assert promised >= sum(sys.getsizeof(array) for array in arrays) + sys.getsizeof(series.quality) + sys.getsizeof(series.source)
    assert promised < 45_000
