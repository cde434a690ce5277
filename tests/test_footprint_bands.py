"""The band of a footprint: how errors of one kind and of several add up, and that it holds what it says."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridgram.footprint import Component, Electricity, Hardware, Phase, Range, combined, exact, summed

if TYPE_CHECKING:
    from gridgram.footprint import Contribution

P90 = 1.2815515655446004
"""The 90th percentile of the standard normal distribution."""


def drawn(samples: int, uses: int, devices_of: int, seed: int) -> float:
    """The part of drawn footprints that lies in the band that we give; the draws are log-normal with the p10 and p90 of the inputs."""
    choose, numbers = random.Random(seed), np.random.default_rng(seed)  # noqa: S311 - draws of a test

    def spread() -> float:
        return choose.uniform(0.05, 0.5)

    kinds = {kind: numbers.standard_normal(samples) for kind in ("grid", "energy", "hardware")}
    parts: list[Contribution] = []
    total = np.zeros(samples)
    for _ in range(uses):
        kwh, rate, of_kwh, of_rate = choose.uniform(1, 100), choose.uniform(10, 800), spread(), spread()
        use = Electricity(Component.TRAINING, Phase.TRAINING, "", band(kwh, of_kwh), band(rate, of_rate))
        parts.append(use.emissions)
        total += kwh * rate * np.exp((of_kwh * kinds["energy"] + of_rate * kinds["grid"]) / P90)
    for _ in range(devices_of):
        kg, of_kg = choose.uniform(1, 50), spread()
        device = Hardware(Phase.TRAINING, "", band(kg, of_kg), 8_760, 1)
        parts.append(device.emissions)
        total += kg * 1000 * np.exp(of_kg * kinds["hardware"] / P90)
    whole = combined(summed(parts))
    return float(((total >= whole.low) & (total <= whole.high)).mean())


def band(middle: float, logarithms: float) -> Range:
    return Range(middle, middle * math.exp(-logarithms), middle * math.exp(logarithms))


def test_the_band_of_one_use_holds_eighty_percent_of_what_is_drawn() -> None:
    assert drawn(200_000, uses=1, devices_of=0, seed=1) == pytest.approx(0.8, abs=0.005)


def test_the_band_of_a_sum_holds_eighty_percent_within_four_points() -> None:
    shares = [drawn(20_000, uses=seed % 5 + 1, devices_of=seed % 4, seed=seed) for seed in range(40)]

    assert min(shares) > 0.76
    assert max(shares) < 0.84
    assert sum(shares) / len(shares) == pytest.approx(0.8, abs=0.02)


def test_errors_of_one_kind_go_together_and_those_of_two_kinds_partly_cancel() -> None:
    grid = Electricity(Component.TRAINING, Phase.TRAINING, "", exact(1), Range(100, 50, 200)).emissions
    both = Electricity(Component.TRAINING, Phase.TRAINING, "", Range(1, 0.5, 2), Range(100, 50, 200)).emissions

    twice = combined(summed([grid, grid]))
    assert (twice.low, twice.high) == pytest.approx((100, 400))
    one = combined(both)
    assert (one.low, one.high) == pytest.approx((100 / 2 ** math.sqrt(2), 100 * 2 ** math.sqrt(2)))
    assert one.low > 25


def test_no_band_in_is_no_band_out_and_a_zero_in_the_middle_keeps_its_high_end() -> None:
    sure = Electricity(Component.TRAINING, Phase.TRAINING, "", exact(3), exact(100)).emissions
    none = Electricity(Component.TRAINING, Phase.TRAINING, "", exact(3), Range(0, 0, 40)).emissions

    assert combined(sure) == exact(300)
    assert combined(none) == Range(0, 0, 120)
    assert combined(summed([])) == exact(0)
    zero_low = Electricity(Component.TRAINING, Phase.TRAINING, "", exact(3), Range(10, 0, 40)).emissions
    assert combined(zero_low) == Range(30, 0, pytest.approx(120))


numbers = st.floats(min_value=0, max_value=1e12, allow_nan=False)


@given(st.lists(st.tuples(numbers, numbers, numbers, numbers, numbers, numbers), max_size=6))
def test_a_band_is_finite_and_lies_about_its_middle(entries: list[tuple[float, ...]]) -> None:
    parts = []
    for entry in entries:
        low_kwh, kwh, high_kwh = sorted(entry[:3])
        low, middle, high = sorted(entry[3:])
        parts.append(Electricity(Component.IDLE, Phase.TRAINING, "", Range(kwh, low_kwh, high_kwh), Range(middle, low, high)).emissions)

    whole = combined(summed(parts))

    assert 0 <= whole.low <= whole.middle <= whole.high < math.inf
