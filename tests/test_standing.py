"""Where an hour stands among others: percentiles and levels, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from gridgram.standing import Level, level, percentile


@pytest.mark.parametrize(("g_per_kwh", "expected"), [(5.0, 0.0), (10.0, 12.5), (25.0, 50.0), (40.0, 87.5), (50.0, 100.0)])
def test_a_percentile_counts_lower_hours_whole_and_equal_ones_half(g_per_kwh: float, expected: float) -> None:
    assert percentile(g_per_kwh, np.array([40.0, 10.0, 30.0, 20.0])) == expected


def test_among_hours_that_are_all_the_same_it_is_fifty() -> None:
    assert percentile(7.0, np.full(720, 7.0)) == 50.0
    assert level(7.0, np.full(240, 7.0)) is Level.MODERATE


@pytest.mark.parametrize(
    ("g_per_kwh", "expected"), [(84.9, Level.LOW), (85.0, Level.MODERATE), (115.0, Level.MODERATE), (115.1, Level.HIGH), (0.0, Level.LOW)]
)
def test_a_level_is_low_or_high_when_it_is_more_than_fifteen_percent_from_the_mean(g_per_kwh: float, expected: Level) -> None:
    assert level(g_per_kwh, np.array([50.0, 150.0])) is expected


def test_no_hours_are_nothing_to_stand_among() -> None:
    with pytest.raises(ValueError, match="needs hours"):
        percentile(1.0, np.array([]))
    with pytest.raises(ValueError, match="needs hours"):
        level(1.0, np.array([]))
