"""Energy on the grid of hours: worked by hand, and by property for all four forms."""

from __future__ import annotations

import re
from math import fsum
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridgram.interval import MICROSECONDS_PER_HOUR as HOUR
from gridgram.interval import parse_time, to_microseconds
from gridgram.profile import EnergyProfile, flat_profile, interval_profile, power_profile, stepped_profile

if TYPE_CHECKING:
    from collections.abc import Sequence

MINUTE = HOUR // 60
NINE = to_microseconds(parse_time("2024-03-10T09:00:00Z"))
H9 = NINE // HOUR

KWH = st.floats(0, 1e12, allow_subnormal=False)
STARTS = st.integers(NINE, NINE + 400 * 24 * HOUR)
STEPS = st.one_of(st.sampled_from([HOUR, 24 * HOUR, 5 * MINUTE, 7 * MINUTE, 90 * MINUTE, 61 * MINUTE]), st.integers(1_000_000, 50 * HOUR))
STEP_KWH = st.lists(KWH, min_size=1, max_size=30)


@st.composite
def interval_lists(draw: st.DrawFn) -> list[tuple[int, int, float]]:
    """Intervals with and without gaps, in order."""
    at = draw(STARTS)
    intervals = []
    for gap, length, kwh in draw(st.lists(st.tuples(st.integers(0, 5 * HOUR), st.integers(1, 5 * HOUR), KWH), min_size=1, max_size=15)):
        intervals.append((at + gap, at + gap + length, kwh))
        at += gap + length
    return intervals


def by_hour(*profiles: EnergyProfile) -> dict[int, float]:
    """The energy of several profiles together, hour by hour."""
    together: dict[int, float] = {}
    for profile in profiles:
        for hour, kwh in zip(profile.hours, profile.kwh, strict=True):
            together[hour] = together.get(hour, 0.0) + kwh
    return together


def assert_same_hours(one: dict[int, float], other: dict[int, float]) -> None:
    assert one.keys() == other.keys()
    tolerance = 1e-12 * fsum(one.values())
    assert all(abs(one[hour] - other[hour]) <= tolerance for hour in one)


def assert_sound(profile: EnergyProfile, kwh: Sequence[float]) -> None:
    """The energy is all there, in ascending hours that the job touches."""
    assert profile.total_kwh == fsum(kwh)
    assert fsum(profile.kwh) == pytest.approx(fsum(kwh), rel=1e-12)
    assert len(profile.hours) == len(profile.kwh)
    assert list(profile.hours) == sorted(set(profile.hours))
    assert profile.hours[0] == profile.start // HOUR
    assert profile.end_hour == -(-profile.end // HOUR)
    assert min(profile.kwh) >= 0


def test_a_20_minute_job_across_a_full_hour_is_shared_by_its_minutes() -> None:
    profile = flat_profile(NINE + 50 * MINUTE, NINE + 70 * MINUTE, 3.0)

    assert list(profile.hours) == [H9, H9 + 1]
    assert list(profile.kwh) == [1.5, 1.5]


def test_a_job_inside_one_hour_keeps_its_energy_to_the_last_bit() -> None:
    profile = flat_profile(NINE + 7 * MINUTE, NINE + 8 * MINUTE, 0.1)

    assert (list(profile.hours), list(profile.kwh)) == ([H9], [0.1])


def test_a_flat_job_of_two_and_a_half_hours_from_quarter_past() -> None:
    profile = flat_profile(NINE + 15 * MINUTE, NINE + 165 * MINUTE, 10.0)

    assert list(profile.hours) == [H9, H9 + 1, H9 + 2]
    assert list(profile.kwh) == pytest.approx([3.0, 4.0, 3.0])


def test_a_job_that_ends_on_the_hour_does_not_touch_the_next() -> None:
    assert list(flat_profile(NINE, NINE + HOUR, 1.0).hours) == [H9]
    assert list(flat_profile(NINE, NINE + HOUR + 1, 1.0).hours) == [H9, H9 + 1]


def test_hourly_steps_on_the_hour_are_taken_as_they_are() -> None:
    kwh = [1.2, 0.8, 0.0]
    profile = stepped_profile(NINE, HOUR, kwh)

    assert profile.kwh is kwh
    assert list(profile.hours) == [H9, H9 + 1, H9 + 2]
    assert profile.end == NINE + 3 * HOUR


def test_steps_of_90_minutes_lie_across_hours() -> None:
    """9:00-10:30 with 3 kWh and 10:30-12:00 with 6 kWh."""
    profile = stepped_profile(NINE, 90 * MINUTE, [3.0, 6.0])

    assert list(profile.kwh) == pytest.approx([2.0, 1.0 + 2.0, 4.0])


def test_steps_of_7_minutes_from_9_53() -> None:
    """9:53-10:00 is the first step whole; the tenth, 10:56-11:03, has 4 of its 7 minutes in the second hour."""
    profile = stepped_profile(NINE + 53 * MINUTE, 7 * MINUTE, [1.0] * 10)

    assert list(profile.hours) == [H9, H9 + 1, H9 + 2]
    assert list(profile.kwh) == pytest.approx([1.0, 8.0 + 4 / 7, 3 / 7])


def test_a_step_of_a_day_is_24_equal_hours_and_from_noon_touches_two_days() -> None:
    profile = stepped_profile(NINE, 24 * HOUR, [24.0, 48.0])

    assert list(profile.kwh) == pytest.approx([1.0] * 24 + [2.0] * 24)


def test_intervals_may_leave_gaps_share_an_hour_and_come_in_any_order() -> None:
    """9:00-9:20 and 9:40-10:10 share the hour of nine; 13:00-14:00 stands alone, 11:00 and 12:00 are no part of it."""
    intervals = [
        (NINE + 240 * MINUTE, NINE + 300 * MINUTE, 5.0),
        (NINE, NINE + 20 * MINUTE, 1.0),
        (NINE + 40 * MINUTE, NINE + 70 * MINUTE, 3.0),
    ]

    profile = interval_profile(intervals)

    assert list(profile.hours) == [H9, H9 + 1, H9 + 4]
    assert list(profile.kwh) == pytest.approx([3.0, 1.0, 5.0])
    assert (profile.start, profile.end) == (NINE, NINE + 300 * MINUTE)


def test_intervals_that_touch_are_no_overlap_and_one_microsecond_is() -> None:
    touching = [(NINE, NINE + HOUR, 1.0), (NINE + HOUR, NINE + 2 * HOUR, 1.0)]

    assert list(interval_profile(touching).kwh) == [1.0, 1.0]
    with pytest.raises(ValueError, match="overlaps"):
        interval_profile([touching[0], (NINE + HOUR - 1, NINE + 2 * HOUR, 1.0)])


def test_an_overlap_is_refused_and_both_intervals_are_named() -> None:
    later, earlier = (NINE + 30 * MINUTE, NINE + 2 * HOUR, 1.0), (NINE, NINE + HOUR, 1.0)

    with pytest.raises(ValueError, match=re.escape("starts at 2024-03-10T09:30:00Z")) as caught:
        interval_profile([later, earlier])
    assert "ends at 2024-03-10T10:00:00Z" in str(caught.value)


def test_the_same_interval_twice_is_an_overlap() -> None:
    with pytest.raises(ValueError, match="overlaps"):
        interval_profile([(NINE, NINE + HOUR, 1.0)] * 2)


@pytest.mark.parametrize("end", [NINE, NINE - 1])
def test_a_span_that_is_empty_or_runs_backwards_is_refused(end: int) -> None:
    with pytest.raises(ValueError, match="is not after the start 2024-03-10T09:00:00Z"):
        flat_profile(NINE, end, 1.0)
    with pytest.raises(ValueError, match="is not after the start"):
        interval_profile([(NINE, end, 1.0)])


def test_a_profile_without_steps_or_intervals_is_refused() -> None:
    with pytest.raises(ValueError, match="no steps"):
        stepped_profile(NINE, HOUR, [])
    with pytest.raises(ValueError, match="no intervals"):
        interval_profile([])


def test_power_held_for_a_quarter_of_an_hour_is_a_quarter_of_its_kwh() -> None:
    profile = power_profile(NINE, 15 * MINUTE, [400.0, 400.0, 800.0, 0.0, 1_000.0])

    assert list(profile.kwh) == pytest.approx([0.1 + 0.1 + 0.2, 0.25])


@given(STARTS, st.integers(1, 2_000 * HOUR), KWH)
def test_a_flat_job_conserves_its_energy(start: int, length: int, kwh: float) -> None:
    assert_sound(flat_profile(start, start + length, kwh), [kwh])


@given(STARTS, STEPS, STEP_KWH)
def test_steps_conserve_their_energy(start: int, step: int, kwh: list[float]) -> None:
    assert_sound(stepped_profile(start, step, kwh), kwh)


@given(interval_lists())
def test_intervals_conserve_their_energy(intervals: list[tuple[int, int, float]]) -> None:
    assert_sound(interval_profile(intervals), [kwh for _, _, kwh in intervals])


@given(STARTS, STEPS, STEP_KWH)
def test_power_is_the_same_as_its_kwh(start: int, step: int, power_w: list[float]) -> None:
    kwh = [power * (step / HOUR) / 1000 for power in power_w]

    profile = power_profile(start, step, power_w)

    assert_sound(profile, [power * (step / HOUR) / 1000.0 for power in power_w])
    assert profile == stepped_profile(start, step, kwh)


@given(STARTS, st.integers(2, 2_000 * HOUR), KWH, st.data())
def test_a_flat_job_split_at_any_microsecond_uses_the_same_energy_in_each_hour(
    start: int, length: int, kwh: float, data: st.DataObject
) -> None:
    split = data.draw(st.integers(1, length - 1))
    parts = (
        flat_profile(start, start + split, kwh * split / length),
        flat_profile(start + split, start + length, kwh * (length - split) / length),
    )

    assert_same_hours(by_hour(*parts), by_hour(flat_profile(start, start + length, kwh)))


@given(STARTS, STEPS, st.lists(KWH, min_size=2, max_size=30), st.data())
def test_a_stepped_job_split_between_or_inside_steps_uses_the_same_energy_in_each_hour(
    start: int, step: int, kwh: list[float], data: st.DataObject
) -> None:
    whole = by_hour(stepped_profile(start, step, kwh))
    place = data.draw(st.integers(1, len(kwh) - 1))
    inside = data.draw(st.integers(1, step - 1))
    cut = start + place * step

    between = (stepped_profile(start, step, kwh[:place]), stepped_profile(cut, step, kwh[place:]))
    cut_open = [stepped_profile(start, step, kwh[:place]), flat_profile(cut, cut + inside, kwh[place] * inside / step)]
    cut_open.append(flat_profile(cut + inside, cut + step, kwh[place] * (step - inside) / step))
    cut_open += [stepped_profile(cut + step, step, kwh[place + 1 :])] if place + 1 < len(kwh) else []

    assert_same_hours(by_hour(*between), whole)
    assert_same_hours(by_hour(*cut_open), whole)


@given(interval_lists(), st.randoms(use_true_random=False))
def test_the_order_of_intervals_does_not_matter(intervals: list[tuple[int, int, float]], random: object) -> None:
    shuffled = list(intervals)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis' Random

    assert interval_profile(shuffled) == interval_profile(intervals)


@given(STARTS, STEPS, STEP_KWH)
def test_steps_and_the_same_intervals_agree(start: int, step: int, kwh: list[float]) -> None:
    intervals = [(start + place * step, start + (place + 1) * step, each) for place, each in enumerate(kwh)]

    assert_same_hours(by_hour(interval_profile(intervals)), by_hour(stepped_profile(start, step, kwh)))
