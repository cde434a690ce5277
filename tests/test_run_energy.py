"""The arithmetic of runs: increments, hours, prices, and what better hours change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridgram.interval import MICROSECONDS_PER_HOUR
from gridgram.quality import Quality, Scope, Signal
from gridgram.run_energy import Sample, hourly_kwh, increments, total_kwh, tracker_total_g
from gridgram.run_prices import HourPrice, best_prices, figure, revision
from gridgram.series import Source

if TYPE_CHECKING:
    import random

HOUR = MICROSECONDS_PER_HOUR
SAMPLES = st.lists(
    st.builds(
        lambda start, length, kwh: Sample(start, start + length, kwh),
        st.integers(0, 40 * HOUR),
        st.integers(1, 5 * HOUR),
        st.floats(0, 1e6),
    ),
    min_size=1,
    max_size=20,
)


def price(g_per_kwh: float, quality: Quality = Quality.MEASURED, provider: str = "rte") -> HourPrice:
    source = Source(provider, Signal.LIFECYCLE, Scope.PRODUCTION, "none", "made by hand")
    return HourPrice(g_per_kwh, g_per_kwh * 0.9, g_per_kwh * 1.1, quality, source)


def test_totals_become_what_is_new_in_each_in_any_order() -> None:
    totals = [Sample(0, 2 * HOUR, 3.0, 30.0), Sample(0, HOUR, 1.0, 10.0), Sample(0, 3 * HOUR, 6.0, 70.0)]

    parts = increments(totals)

    assert parts == [Sample(0, HOUR, 1.0, 10.0), Sample(HOUR, 2 * HOUR, 2.0, 20.0), Sample(2 * HOUR, 3 * HOUR, 3.0, 40.0)]


def test_two_totals_of_one_second_keep_their_energy() -> None:
    parts = increments([Sample(0, HOUR, 1.0), Sample(0, HOUR, 1.25)])

    assert total_kwh(parts) == 1.25
    assert hourly_kwh(parts) == {0: 1.25}


def test_a_total_that_falls_is_no_counter() -> None:
    with pytest.raises(ValueError, match="lower"):
        increments([Sample(0, HOUR, 2.0), Sample(0, 2 * HOUR, 1.0)])


@given(SAMPLES)
def test_the_hours_hold_all_energy(samples: list[Sample]) -> None:
    assert sum(hourly_kwh(samples).values()) == pytest.approx(total_kwh(samples), rel=1e-12, abs=1e-9)


@given(SAMPLES, st.randoms())
def test_samples_in_any_order_give_the_same_bits(samples: list[Sample], chance: random.Random) -> None:
    shuffled = samples.copy()
    chance.shuffle(shuffled)

    assert hourly_kwh(shuffled) == hourly_kwh(samples)


def test_what_the_tracker_says_is_told_only_when_it_says_so_for_all() -> None:
    assert tracker_total_g([Sample(0, 1, 1.0, 2.0), Sample(1, 2, 1.0, 3.0)]) == 5.0
    assert tracker_total_g([Sample(0, 1, 1.0, 2.0), Sample(1, 2, 1.0)]) is None
    assert tracker_total_g([]) is None


def test_a_figure_is_energy_times_price_and_tells_what_has_none() -> None:
    found = figure({0: 2.0, 1: 1.0, 2: 4.0}, {0: price(50.0), 1: price(100.0, Quality.TYPICAL, "reference")})

    assert (found.emissions_g, found.low_g, found.high_g) == (200.0, 180.0, pytest.approx(220.0))
    assert (found.priced_kwh, found.unpriced_kwh, found.hours_missing) == (3.0, 4.0, 1)
    assert found.coverage == {Quality.MEASURED: pytest.approx(2 / 3), Quality.TYPICAL: pytest.approx(1 / 3)}


def test_a_run_without_energy_is_priced_by_its_hours() -> None:
    found = figure({0: 0.0, 1: 0.0}, {0: price(50.0), 1: price(50.0)})

    assert found.emissions_g == 0.0
    assert found.coverage == {Quality.MEASURED: 1.0}


def test_a_better_hour_replaces_a_worse_one_and_never_the_other_way_round() -> None:
    measured, typical, own = price(50.0), price(70.0, Quality.TYPICAL, "reference"), price(60.0, Quality.ESTIMATED, "file")

    assert best_prices({0: typical}, {0: measured}) == {0: measured}
    assert best_prices({0: measured}, {0: typical}) == {0: measured}
    assert best_prices({0: measured}, {0: own}) == {0: own}
    assert best_prices({0: own}, {0: measured}) == {0: own}
    assert best_prices({0: measured}, {}) == {0: measured}


def test_an_hour_that_a_source_corrects_replaces_its_older_word() -> None:
    assert best_prices({0: price(50.0)}, {0: price(51.0)}) == {0: price(51.0)}


def test_a_revision_tells_the_same_energy_before_and_after() -> None:
    before = {0: price(70.0, Quality.TYPICAL, "reference"), 1: price(80.0)}
    after = {0: price(50.0), 1: price(80.0), 2: price(90.0)}

    changed = revision({0: 2.0, 1: 1.0, 2: 5.0}, before, after)

    assert changed is not None
    assert changed.hours == (0,)
    assert (changed.before_g, changed.after_g) == (220.0, 180.0)
    assert (changed.before, changed.after, changed.providers) == ({Quality.TYPICAL: 1}, {Quality.MEASURED: 1}, ("rte",))


def test_new_energy_alone_is_no_revision() -> None:
    assert revision({0: 2.0, 1: 1.0}, {0: price(70.0)}, {0: price(70.0), 1: price(80.0)}) is None
