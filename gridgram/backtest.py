"""A back-test: the forecasts that would have been made of hours that are known by now, each from what came before it alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gridgram.forecast import Model, predict, train
from gridgram.forecast_candidates import WEEK_HOURS, same_hour_last_week, same_hour_yesterday
from gridgram.forecast_history import history_of_values
from gridgram.forecast_scores import Savings, Score, coverage_percent, savings, score
from gridgram.interval import HOURS_PER_DAY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from gridgram.forecast_history import History

    Matrix = NDArray[np.float64]

OURS: Final = "gridgram"
YESTERDAY: Final = "same-hour-yesterday"
LAST_WEEK: Final = "same-hour-last-week"
YEARLY_MEAN: Final = "yearly-mean"
SHAPE: Final = "shape"
REFIT_DAYS: Final = 7
YEAR_HOURS: Final = 365 * HOURS_PER_DAY


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """What was said of each origin's hours by each method, with our band, beside what came. One row an origin. [gCO2e/kWh]"""

    origins: tuple[int, ...]
    said: Mapping[str, Matrix]
    low: Matrix
    high: Matrix
    true: Matrix

    def score(self, name: str, first_hour: int = 0, end_hour: int | None = None) -> Score | None:
        """The errors of one method in the hours [first_hour, end_hour) ahead."""
        return score(self.said[name][:, first_hour:end_hour], self.true[:, first_hour:end_hour])

    def coverage_percent(self, first_hour: int = 0, end_hour: int | None = None) -> float | None:
        """How often the truth lay in our band in the hours [first_hour, end_hour) ahead. [%]"""
        part = slice(first_hour, end_hour)
        return coverage_percent(self.low[:, part], self.high[:, part], self.true[:, part])

    def savings(self) -> Savings | None:
        """What a job placed by our forecast saved, beside perfect knowledge and same-hour-yesterday."""
        return savings(self.said[OURS], self.said[YESTERDAY], self.true)


def backtest(first_hour: int, g_per_kwh: Matrix, span: range, horizon: int) -> Backtest | None:
    """Forecast `horizon` hours from every origin (hour number) of the span; trained anew every 7 days. None where no origin can be.

    `g_per_kwh` holds consecutive hours from `first_hour` on, NaN where there is none. An origin is left out when not all of its hours
    lie in the series, or when too little is told before it.
    """
    end_hour = first_hour + len(g_per_kwh)
    rows: dict[str, list[Matrix]] = {}
    origins: list[int] = []
    model: Model | None = None
    for origin in span:
        if origin <= first_hour or origin + horizon > end_hour:
            continue
        history = history_of_values(first_hour, g_per_kwh[: origin - first_hour])
        if history is None or len(history.level) < WEEK_HOURS or history.end_hour != origin:
            continue
        if model is None or origin - model.end_hour >= REFIT_DAYS * HOURS_PER_DAY or (origin - model.end_hour) % HOURS_PER_DAY:
            model = train(history)
        if model is None:
            continue
        outlook = predict(model, history, horizon)
        said = {OURS: outlook.g_per_kwh, "low": outlook.low, "high": outlook.high, **_naive(history, horizon)}
        for name, hours in said.items():
            rows.setdefault(name, []).append(hours)
        origins.append(origin)
    if not origins:
        return None
    table = {name: np.stack(hours) for name, hours in rows.items()}
    true = np.stack([g_per_kwh[origin - first_hour : origin - first_hour + horizon] for origin in origins])
    low, high = table.pop("low"), table.pop("high")
    return Backtest(tuple(origins), table, low, high, true)


def _naive(history: History, horizon: int) -> dict[str, Matrix]:
    """What methods that need no thought say of the hours after the end of a history."""
    origin = np.array([len(history.level)])
    year = history.level[-YEAR_HOURS:]
    clock = history.end_hour - len(year) + np.arange(len(year))
    months = _months(clock)
    ahead = history.end_hour + np.arange(horizon)
    shape = np.full(horizon, float(history.g_per_kwh(year).mean()))
    for month in set(_months(ahead).tolist()):
        for hour in range(HOURS_PER_DAY):
            alike = (months == month) & (clock % HOURS_PER_DAY == hour)
            if alike.any():
                shape[(_months(ahead) == month) & (ahead % HOURS_PER_DAY == hour)] = history.g_per_kwh(year[alike]).mean()
    return {
        YESTERDAY: history.g_per_kwh(same_hour_yesterday(history.level, origin, horizon)[0]),
        LAST_WEEK: history.g_per_kwh(same_hour_last_week(history.level, origin, horizon)[0]),
        YEARLY_MEAN: np.full(horizon, float(history.g_per_kwh(year).mean())),
        SHAPE: shape,
    }


def _months(hours: NDArray[np.int64]) -> NDArray[np.int64]:
    days = (hours // HOURS_PER_DAY).astype("datetime64[D]")
    return np.asarray(days.astype("datetime64[M]").astype(np.int64) % 12)
