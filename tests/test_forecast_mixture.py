"""What a trained forecast is made of: shares that are not negative and add up to one, and two ridges that are one linear map."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridgram.forecast import FIXED_SHARES
from gridgram.forecast_history import history_of_values
from gridgram.forecast_mixture import TRUST_IN_FIXED, shares
from gridgram.forecast_ridge import (
    MONTH_INPUT,
    MONTH_WEIGHT,
    OUTPUTS,
    PENALTIES,
    SINGLE_HOURS,
    SINGLE_WEIGHT,
    inputs,
    solve,
    trainable,
    weights,
)
from tests.test_forecasting import grid

FIXED = np.array(FIXED_SHARES)


def cost(parts: np.ndarray, said: list[np.ndarray], true: np.ndarray) -> float:
    def squares(share: np.ndarray) -> float:
        return float(((true - sum(one * part for one, part in zip(said, share, strict=True))) ** 2).sum())

    return squares(parts) + TRUST_IN_FIXED * squares(FIXED) * float(((parts - FIXED) ** 2).sum())


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), noise=st.tuples(*[st.floats(0.01, 3)] * 3))
def test_no_other_shares_would_have_done_better(seed: int, noise: tuple[float, float, float]) -> None:
    random = np.random.default_rng(seed)
    true = random.normal(size=(30, 24))
    said = [true + wide * random.normal(size=true.shape) for wide in noise]

    found = shares(said, true, FIXED)

    assert found.min() >= 0
    assert found.sum() == pytest.approx(1)
    tenths = [np.array([a, b, 10 - a - b]) / 10 for a, b in product(range(11), repeat=2) if a + b <= 10]
    assert cost(found, said, true) <= min(cost(other, said, true) for other in [*tenths, FIXED]) + 1e-9


def test_with_little_to_learn_from_or_nothing_to_better_the_fixed_shares_stay() -> None:
    true = np.arange(480.0).reshape(20, 24)
    holes = np.where(np.arange(20)[:, None] < 7, true, np.nan)

    assert shares([true + 1, true, true], holes, FIXED) is FIXED  # a week is too little
    assert shares([true * 0, true * 0, true * 0], true * 0, FIXED) is FIXED
    assert shares([true + 9, true + 8, true], true, FIXED)[2] > 0


def test_the_coefficients_are_the_mean_of_two_ridges_of_which_one_knows_levels_only_from_the_month_before() -> None:
    history = history_of_values(473_352, grid(420 * 24))
    assert history
    center = float(history.level.mean())
    origins = trainable(history)
    rows = inputs(history, origins, center)
    targets = history.level[origins[:, None] + np.arange(OUTPUTS)] - center
    counts = weights(origins, len(history.level))
    month = rows[:, [MONTH_INPUT]]
    drifting = rows.copy()
    drifting[:, 1 : 1 + SINGLE_HOURS] -= SINGLE_WEIGHT * month
    drifting[:, 1 + SINGLE_HOURS : MONTH_INPUT] -= month
    drifting[:, MONTH_INPUT] *= MONTH_WEIGHT

    found = rows @ solve(rows.T * counts @ rows, rows.T * counts @ targets)

    assert found == pytest.approx((ridge(rows, targets, counts) + month + ridge(drifting, targets - month, counts)) / 2, abs=1e-9)


def ridge(rows: np.ndarray, targets: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """What a plain ridge says of its own rows."""
    said, begin = np.empty_like(targets), 0
    for end, penalty in PENALTIES:
        penalties = np.diag([0.0, *[penalty] * (rows.shape[1] - 1)])
        said[:, begin:end] = rows @ np.linalg.solve(rows.T * counts @ rows + penalties, rows.T * counts @ targets[:, begin:end])
        begin = end
    return said


def test_what_is_old_and_what_is_of_another_season_counts_less() -> None:
    days = np.array([0, 91, 182, 365, 730])

    counts = weights(-24 * days, 0)

    assert counts[0] == 1
    assert counts[[1, 2, 3, 4]] == pytest.approx([0.548, 0.212, 0.5, 0.25], abs=0.002)
