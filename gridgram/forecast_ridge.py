"""The trained forecast: linear maps, one for each hour ahead, from the last two days, the last weeks and the calendar.

Every input and output is a logarithm, and all origins of one model lie at the same hour of the day; so the constant of each output is
the typical shape, and the rest says how the grid comes back to it. Ridge regression: A. E. Hoerl and R. W. Kennard, 1970.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from gridgram.forecast_candidates import WEEK_HOURS, block_mean
from gridgram.interval import HOURS_PER_DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gridgram.forecast_history import History

    Matrix = NDArray[np.float64]

OUTPUTS: Final = 120
"""Hours ahead of the newest told one that are trained for: four days, and a day that feeds may be late."""
LOOK_BACK_HOURS: Final = 28 * HOURS_PER_DAY
"""How many hours before an origin its inputs are made from."""
SINGLE_HOURS: Final = 6
SINGLE_WEIGHT: Final = 2.0
BLOCK_HOURS: Final = 3
BLOCKS: Final = 16
INPUTS: Final = 1 + SINGLE_HOURS + BLOCKS + 2 + 7 + 4
"""The constant, single hours, blocks, weeks, weekdays, seasons."""
SEASON_WEIGHT: Final = 0.2
DAYS_PER_YEAR: Final = 365.2425
MONTH_INPUT: Final = 1 + SINGLE_HOURS + BLOCKS + 1
"""Which input is the mean of the last 28 days."""
MONTH_WEIGHT: Final = 0.3
PENALTIES: Final = ((HOURS_PER_DAY, 0.25), (OUTPUTS, 1.5))
"""The ridge's penalty for outputs up to an hour. How this and the weights below were chosen is told in docs/forecast.md."""
HALF_LIFE_DAYS: Final = 365.0
OTHER_SEASON_LOSS: Final = 0.7
"""How much less than one of the same season an origin counts that lies half a year away in the calendar."""
ROWS_AT_ONCE: Final = 50
"""Products of more rows would be spread over all cores, which costs more than it brings, and answers need a core as well."""
LEAST_TOLD: Final = 0.75
"""An origin trains only if so much of its last two days and of its outputs was told."""
CUT_DAYS: Final = 28
FIRST_CUT_DAYS: Final = 120
REHEARSED_DAYS: Final = 364


def inputs(history: History, origins: NDArray[np.int64], center: float) -> Matrix:
    """What each origin knows, one row each, beginning with the constant 1."""
    level = history.level - center
    singles = [SINGLE_WEIGHT * level[origins - hour] for hour in range(1, SINGLE_HOURS + 1)]
    blocks = [block_mean(level, origins - BLOCK_HOURS * block, BLOCK_HOURS) for block in range(BLOCKS)]
    weeks = [block_mean(level, origins, WEEK_HOURS), block_mean(level, origins, LOOK_BACK_HOURS)]
    day = (origins + history.first_hour) / HOURS_PER_DAY
    angle = 2 * np.pi * day / DAYS_PER_YEAR
    seasons = [SEASON_WEIGHT * wave(turn * angle) for turn in (1, 2) for wave in (np.cos, np.sin)]
    weekdays = [(day.astype(np.int64) % 7 == weekday).astype(np.float64) for weekday in range(7)]
    return np.stack([np.ones(len(origins)), *singles, *blocks, *weeks, *weekdays, *seasons], axis=1)


def daily_origins(history: History) -> NDArray[np.int64]:
    """The origins at the end's hour of the day that have enough behind them, the end itself last."""
    end = len(history.level)
    days = max(0, end - LOOK_BACK_HOURS) // HOURS_PER_DAY
    return np.arange(end - days * HOURS_PER_DAY, end + 1, HOURS_PER_DAY)


def trainable(history: History) -> NDArray[np.int64]:
    """The origins, each day one, whose outputs are all past and were told well enough to learn from."""
    origins = daily_origins(history)
    origins = origins[origins + OUTPUTS <= len(history.level)]
    told = history.is_told.astype(np.float64)
    behind = block_mean(told, origins, SINGLE_HOURS * 8)
    ahead = block_mean(told, origins + OUTPUTS, OUTPUTS)
    return origins[(behind >= LEAST_TOLD) & (ahead >= LEAST_TOLD)]


def weights(origins: NDArray[np.int64], cut: int) -> NDArray[np.float64]:
    """How much each origin counts for forecasts from a cut on: less the older it is, and less the further its season is away."""
    days = (cut - origins) / HOURS_PER_DAY
    season = 1 - OTHER_SEASON_LOSS * (1 - np.cos(2 * np.pi * days / DAYS_PER_YEAR)) / 2
    return np.asarray(0.5 ** (days / HALF_LIFE_DAYS) * season)


def solve(gram: Matrix, products: Matrix) -> Matrix:
    """The coefficients from inputs' x inputs and inputs' x outputs: the mean of two ridges. The constants carry no penalty.

    One draws the hours ahead to the mean of all hours, the other to that of the last 28 days, for grids whose level drifts: the same
    regression with each level taken from the mean of the 28 days before it. As that mean is an input, both are linear in the inputs.
    """
    drifting = gram @ _FROM_MONTH
    of_month = gram[:, [MONTH_INPUT]]
    alone = _ridge(gram, products)
    moved = _FROM_MONTH @ _ridge(_FROM_MONTH.T @ drifting, _FROM_MONTH.T @ (products - of_month))
    moved[MONTH_INPUT] += 1.0
    return (alone + moved) / 2


def fit(history: History, origins: NDArray[np.int64], center: float) -> tuple[Matrix, Matrix]:
    """Coefficients from all of the origins, and what coefficients from those before alone said of each (NaN for the first months).

    The second is a rehearsal: every 28 days it is trained anew on origins whose outputs were past by then.
    """
    rows = inputs(history, origins, center)
    targets = history.level[origins[:, None] + np.arange(OUTPUTS)] - center
    said = np.full_like(targets, np.nan)
    newest = origins[-1]
    cuts = np.arange(newest + HOURS_PER_DAY, max(origins[0] + FIRST_CUT_DAYS * HOURS_PER_DAY, newest - REHEARSED_DAYS * HOURS_PER_DAY), -1)
    cuts = cuts[:: CUT_DAYS * HOURS_PER_DAY][::-1]
    for cut, next_cut in pairwise(cuts.tolist()):
        known = int(np.searchsorted(origins, cut - OUTPUTS, side="right"))
        ahead = slice(int(np.searchsorted(origins, cut)), int(np.searchsorted(origins, next_cut)))
        said[ahead] = rows[ahead] @ _fitted(rows[:known], targets[:known], weights(origins[:known], cut))
    return _fitted(rows, targets, weights(origins, len(history.level))), said + center


def _fitted(rows: Matrix, targets: Matrix, counts: NDArray[np.float64]) -> Matrix:
    weighted = rows * counts[:, None]
    gram, products = np.zeros((INPUTS, INPUTS)), np.zeros((INPUTS, targets.shape[1]))
    for begin in range(0, len(rows), ROWS_AT_ONCE):
        part = slice(begin, begin + ROWS_AT_ONCE)
        gram += weighted[part].T @ rows[part]
        products += weighted[part].T @ targets[part]
    return solve(gram, products)


def _ridge(gram: Matrix, products: Matrix) -> Matrix:
    coefficients = np.empty_like(products)
    begin = 0
    for end, penalty in PENALTIES:
        penalties = np.full(len(gram), penalty)
        penalties[0] = 0.0
        coefficients[:, begin:end] = np.linalg.solve(gram + np.diag(penalties), products[:, begin:end])
        begin = end
    return coefficients


def _from_month() -> Matrix:
    """What turns inputs into those of the drifting grid: rows x this. Levels less the month's mean; of that itself a part stays."""
    change = np.eye(INPUTS)
    change[MONTH_INPUT, 1 : 1 + SINGLE_HOURS] = -SINGLE_WEIGHT
    change[MONTH_INPUT, 1 + SINGLE_HOURS : MONTH_INPUT] = -1.0
    change[MONTH_INPUT, MONTH_INPUT] = MONTH_WEIGHT
    return change


_FROM_MONTH: Final = _from_month()
