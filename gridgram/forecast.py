"""A forecast of a zone's hours from its own past: which method, how good it was lately, and the band that its errors draw.

Three levels by what is held: nothing told lately, no model; some weeks, the blend of the last days; about a year, the trained maps mixed
with the blend and yesterday's hours. The better of the candidates over the last 28 days is used. The point is the median, the band p10
to p90.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from gridgram.forecast_candidates import LEAST_BLEND_DAYS, blend, same_hour_yesterday
from gridgram.forecast_mixture import shares
from gridgram.forecast_ridge import CUT_DAYS, LOOK_BACK_HOURS, OUTPUTS, fit, inputs, trainable
from gridgram.interval import HOURS_PER_DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gridgram.forecast_history import History

    Matrix = NDArray[np.float64]

TRAINED_DAYS: Final = 300
"""From so many days to learn from on, a year with its edges, the trained maps are used."""
RECENT_DAYS: Final = 28
RECENTLY_TOLD: Final = 0.6
"""The last 28 days must be told to this share for any forecast of ours."""
FIXED_SHARES: Final = (0.88, 0.12, 0.0)
"""How much of the trained maps, the blend and yesterday's hours a trained forecast is made of, before the last weeks are looked at."""
SHARE_ORIGINS: Final = 56
"""From so many of the newest rehearsed origins the shares are learnt, for each day ahead."""
MARGIN: Final = 0.75
"""Another method is used when its error over the last 28 days is below this share of the first one's: less is mostly chance."""
LOW_LEVEL: Final = 0.095
HIGH_LEVEL: Final = 0.905
"""The quantiles of past errors that are drawn as p10 and p90: errors to come are a little wider than rehearsed ones."""
TRUST_IN_LATELY: Final = 0.7
"""The power to which the ratio of the last weeks' errors to all is taken for the band."""
RECENT_ORIGINS: Final = 28
BLEND_ORIGINS: Final = 400
ROOM: Final = 0.1
"""How far a forecast may leave the range of all that was told. [log]"""


class Method(StrEnum):
    """How the hours ahead are made."""

    TRAINED = "trained"
    BLEND = "blend"
    YESTERDAY = "same-hour-yesterday"


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """What was learnt from a history that ended at `end_hour`, for origins at that hour of the day.

    `below` and `above` are added to the level of each hour ahead for the band's ends; `coefficients` is empty where nothing was trained.
    `shares` say how much of the trained maps, the blend and yesterday's hours goes into each hour ahead of method trained.
    `lowest` and `highest` bound what it may say. `mape_percent` is each method's error over the last 28 days, first four days ahead.
    `days` were learnt from.
    """

    method: Method
    first_hour: int
    end_hour: int
    days: int
    center: float
    offset_g: float
    lowest: float
    highest: float
    coefficients: Matrix
    shares: Matrix
    below: NDArray[np.float64]
    above: NDArray[np.float64]
    mape_percent: dict[Method, float]


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """The hours from `first_hour` on: the median and the p10-p90 band. [gCO2e/kWh]"""

    first_hour: int
    g_per_kwh: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def is_recent(history: History) -> bool:
    """Whether the last 28 days were told well enough to forecast from."""
    recent = history.is_told[-RECENT_DAYS * HOURS_PER_DAY :]
    return float(recent.sum()) >= RECENTLY_TOLD * RECENT_DAYS * HOURS_PER_DAY


def train(history: History) -> Model | None:
    """Learn from a history; None where its last 28 days were not told well enough. Some 25 ms for two years."""
    if not is_recent(history):
        return None
    origins = trainable(history) if len(history.level) >= LOOK_BACK_HOURS + OUTPUTS else np.empty(0, np.int64)
    return _trained(history, origins) if len(origins) >= TRAINED_DAYS else untrained(history)


def untrained(history: History) -> Model:
    """The best of the methods that need no training, with bands from how it did at many hours before. Some milliseconds."""
    end = len(history.level)
    first = LEAST_BLEND_DAYS * HOURS_PER_DAY
    step = max(1, (min(end, 2 * RECENT_DAYS * HOURS_PER_DAY + first) - first) // BLEND_ORIGINS)
    origins = np.arange(max(first, end - 2 * RECENT_DAYS * HOURS_PER_DAY), end, step)
    ahead = origins[:, None] + np.arange(OUTPUTS)
    targets = np.where(ahead < end, history.level[np.minimum(ahead, end - 1)], np.nan)
    said = {
        Method.BLEND: blend(history.level, origins, OUTPUTS),
        Method.YESTERDAY: same_hour_yesterday(history.level, origins, OUTPUTS),
    }
    return _model(history, origins, targets, said, np.empty((0, OUTPUTS)), np.zeros((len(FIXED_SHARES), OUTPUTS)), 0.0)


def predict(model: Model, history: History, hours: int) -> Outlook:
    """The hours after the end of a history, whose hour of the day the model must be for. Past OUTPUTS hours the blend goes on."""
    history = history.with_offset_g(model.offset_g)
    origin = np.array([len(history.level)])
    further = blend(history.level, origin, hours)[0]
    level = further.copy()
    yesterday = same_hour_yesterday(history.level, origin, min(hours, OUTPUTS))[0]
    if model.method is Method.YESTERDAY:
        level[:OUTPUTS] = yesterday
    elif model.method is Method.TRAINED:
        trained = (inputs(history, origin, model.center) @ model.coefficients)[0] + model.center
        level[:OUTPUTS] = _mixed(model.shares[:, :hours], (trained[:hours], further[:OUTPUTS], yesterday))
    level = np.clip(level, model.lowest, model.highest)
    ahead = np.arange(hours)
    place = np.where(ahead < OUTPUTS, ahead, OUTPUTS - HOURS_PER_DAY + (ahead - OUTPUTS) % HOURS_PER_DAY)
    return Outlook(
        history.end_hour,
        history.g_per_kwh(level),
        history.g_per_kwh(level + model.below[place]),
        history.g_per_kwh(level + model.above[place]),
    )


def _trained(history: History, origins: NDArray[np.int64]) -> Model:
    center = float(history.level.mean())
    coefficients, rehearsed = fit(history, origins, center)
    targets = history.level[origins[:, None] + np.arange(OUTPUTS)]
    steady, yesterday = blend(history.level, origins, OUTPUTS), same_hour_yesterday(history.level, origins, OUTPUTS)
    parts = _shares((rehearsed, steady, yesterday), targets)
    said = {Method.TRAINED: _mixed(parts, (rehearsed, steady, yesterday)), Method.BLEND: steady, Method.YESTERDAY: yesterday}
    return _model(history, origins, targets, said, coefficients, parts, center)


def _shares(said: Sequence[Matrix], targets: Matrix) -> Matrix:
    """The shares for each hour ahead, the same for the hours of one day ahead: those of the newest rehearsed origins."""
    days = []
    for begin in range(0, OUTPUTS, HOURS_PER_DAY):
        part = slice(-SHARE_ORIGINS, None), slice(begin, begin + HOURS_PER_DAY)
        days.append(shares([one[part] for one in said], targets[part], np.array(FIXED_SHARES)))
    return np.repeat(np.stack(days, axis=1), HOURS_PER_DAY, axis=1)


def _mixed(parts: Matrix, said: Sequence[Matrix]) -> Matrix:
    """What several methods say, each by its share of each hour ahead."""
    return np.asarray(sum(share * one for share, one in zip(parts, said, strict=True)))


def _model(  # noqa: PLR0913, PLR0917 - a model's parts
    history: History,
    origins: NDArray[np.int64],
    targets: Matrix,
    said: dict[Method, Matrix],
    coefficients: Matrix,
    parts: Matrix,
    center: float,
) -> Model:
    recent = origins >= len(history.level) - OUTPUTS - CUT_DAYS * HOURS_PER_DAY
    mape = {method: _mape_percent(told[recent], targets[recent], history) for method, told in said.items()}
    method = _chosen(mape)
    below, above = _band(targets - said[method])
    return Model(
        method=method,
        first_hour=history.first_hour,
        end_hour=history.end_hour,
        days=len(origins) if len(coefficients) else 0,
        center=center,
        offset_g=history.offset_g,
        lowest=float(history.level.min()) - ROOM,
        highest=float(history.level.max()) + ROOM,
        coefficients=coefficients,
        shares=parts,
        below=below,
        above=above,
        mape_percent=mape,
    )


def _chosen(mape_percent: dict[Method, float]) -> Method:
    """The first method, unless another was clearly better."""
    first = next(iter(mape_percent))
    best = min(mape_percent, key=lambda method: mape_percent[method])
    return best if mape_percent[best] < MARGIN * mape_percent[first] else first


def _mape_percent(said: Matrix, targets: Matrix, history: History) -> float:
    """The mean error over the four days ahead, of what is there. [%]"""
    said, targets = said[:, : 4 * HOURS_PER_DAY], targets[:, : 4 * HOURS_PER_DAY]
    is_there = np.isfinite(said) & np.isfinite(targets)
    if not is_there.any():
        return float("inf")
    told, true = history.g_per_kwh(said[is_there]), history.g_per_kwh(targets[is_there])
    return float(100 * np.abs(told - true).mean() / max(float(true.mean()), 1e-9))


def _band(errors: Matrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far below and above the p10 and p90 lie at each hour ahead: conformal quantiles of past errors, as wide as lately."""
    errors = errors[np.isfinite(errors[:, 0])]
    count = len(errors)
    below = np.minimum(np.nanquantile(errors, max(0.0, LOW_LEVEL - 1 / (count + 1)), axis=0), 0.0)
    above = np.maximum(np.nanquantile(errors, min(1.0, HIGH_LEVEL + 1 / (count + 1)), axis=0), 0.0)
    scale = _lately(errors)
    return _smoothed(below) * scale, _smoothed(above) * scale


def _lately(errors: Matrix) -> NDArray[np.float64]:
    """How much larger than all errors the last 28 origins' were, by day ahead, drawn towards 1: errors come in seasons, few tell little."""
    sizes = np.abs(errors).reshape(len(errors), -1, HOURS_PER_DAY)
    is_told = np.isfinite(sizes)
    whole, recent = (
        np.where(is_told[part], sizes[part], 0.0).sum(axis=(0, 2)) / np.maximum(is_told[part].sum(axis=(0, 2)), 1)
        for part in (slice(None), slice(-RECENT_ORIGINS, None))
    )
    is_known = (whole > 0) & (recent > 0)
    ratio = np.where(is_known, recent, 1.0) / np.where(is_known, whole, 1.0)
    return np.repeat(ratio**TRUST_IN_LATELY, HOURS_PER_DAY)


def _smoothed(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each entry's mean with its neighbours."""
    padded = np.concatenate([column[:1], column, column[-1:]])
    return np.asarray((padded[:-2] + padded[1:-1] + padded[2:]) / 3)
