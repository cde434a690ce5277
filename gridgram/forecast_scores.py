"""How good forecasts were: relative error, root mean square, bias and coverage, and what a schedule by them would have kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

LEAST_G_PER_KWH: Final = 1.0
"""Hours below this are left out of relative errors: a gram beside a tenth of a gram is no news."""
JOB_HOURS: Final = 8
WINDOW_HOURS: Final = 48


@dataclass(frozen=True, slots=True)
class Score:
    """The errors of `hours` forecast hours. Bias is forecast minus truth. [%, gCO2e/kWh]"""

    hours: int
    mape_percent: float
    rmse_g_per_kwh: float
    bias_g_per_kwh: float


@dataclass(frozen=True, slots=True)
class Savings:
    """What starting an 8-hour job at the best forecast start within 48 hours saved, against starting at once. [%]"""

    oracle_percent: float
    forecast_percent: float
    naive_percent: float

    @property
    def kept_percent(self) -> float | None:
        """How much of the saving with perfect knowledge the forecast kept; None where there was nothing to save."""
        return 100 * self.forecast_percent / self.oracle_percent if self.oracle_percent > 0 else None


def score(said: Matrix, true: Matrix) -> Score | None:
    """Score all hours that are both said and true; None where there are none, or none that a relative error can be told of."""
    is_there = np.isfinite(said) & np.isfinite(true)
    is_told = is_there & (true >= LEAST_G_PER_KWH)
    if not is_told.any():
        return None
    errors = said[is_there] - true[is_there]
    relative = np.abs(said[is_told] - true[is_told]) / true[is_told]
    return Score(int(is_there.sum()), float(100 * relative.mean()), float(np.sqrt(np.mean(errors**2))), float(errors.mean()))


def coverage_percent(low: Matrix, high: Matrix, true: Matrix) -> float | None:
    """The share of true hours that lie in the band, its ends included. [%]"""
    is_there = np.isfinite(low) & np.isfinite(high) & np.isfinite(true)
    if not is_there.any():
        return None
    return float(100 * ((true >= low) & (true <= high))[is_there].mean())


def savings(said: Matrix, naive: Matrix, true: Matrix) -> Savings | None:
    """Place an 8-hour job within the first 48 hours of each row by what was said; None without a whole row of truth.

    Starting at once is what the savings are measured against; ties go to the earliest start.
    """
    rows = np.isfinite(true[:, :WINDOW_HOURS]).all(axis=1)
    if true.shape[1] < WINDOW_HOURS or not rows.any():
        return None
    cost = _job_means(true[rows])
    at_once = cost[:, 0].mean()
    if at_once <= 0:
        return None

    def saved(choice: Matrix) -> float:
        start = _job_means(choice).argmin(axis=1)
        return float(100 * (1 - cost[np.arange(len(cost)), start].mean() / at_once))

    return Savings(saved(true[rows]), saved(said[rows]), saved(naive[rows]))


def _job_means(hours: Matrix) -> Matrix:
    """The mean of each possible run of JOB_HOURS in the window."""
    sums = np.cumsum(np.pad(hours[:, :WINDOW_HOURS], ((0, 0), (1, 0))), axis=1)
    return np.asarray((sums[:, JOB_HOURS:] - sums[:, :-JOB_HOURS]) / JOB_HOURS)
