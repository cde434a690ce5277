"""What a forecast is made from: the told hours of one zone up to an instant, mended, in logarithms.

Holes are filled with the same hour of the day before, so no hour ever depends on a later one; where a feed froze, its repeated value
counts as a hole. A small offset keeps grids that touch zero apart from minus infinity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gridgram.interval import HOURS_PER_DAY
from gridgram.quality import MISSING_CODE, QUALITY_CODES, Quality

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gridgram.series import IntensitySeries

LONGEST_HOURS: Final = 18_240
"""Two years and 30 days: what lies before that tells of another grid."""
FROZEN_HOURS: Final = 12
"""A value that is repeated for so long in a grid whose values change has been stuck, not measured."""
RARELY_FROZEN: Final = 0.1
"""Where more than this share of all hours repeats the one before for long, that is how the grid is."""
OFTEN_HELD: Final = 3
"""A value that is held for long so often is a state of the grid, such as one fuel alone; a feed freezes at any value."""
OFFSET_SHARE: Final = 0.01
LEAST_OFFSET_G: Final = 0.1
_TOLD = QUALITY_CODES[Quality.ESTIMATED]


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Consecutive hours that end with the newest told one. `level` is log(gCO2e/kWh + `offset_g`), mended; `is_told` says where it was."""

    first_hour: int
    level: NDArray[np.float64]
    is_told: NDArray[np.bool_]
    offset_g: float

    @property
    def end_hour(self) -> int:
        """The number of the first hour that is not known: where a forecast begins."""
        return self.first_hour + len(self.level)

    def until(self, end_hour: int) -> History:
        """The history as it was before the hour of this number; the offset stays."""
        keep = max(0, end_hour - self.first_hour)
        return History(self.first_hour, self.level[:keep], self.is_told[:keep], self.offset_g)

    def with_offset_g(self, offset_g: float) -> History:
        """The same hours with another offset, as a model wants them that was trained on more of them."""
        if offset_g == self.offset_g:
            return self
        return History(self.first_hour, np.log(self.g_per_kwh(self.level) + offset_g), self.is_told, offset_g)

    def g_per_kwh(self, level: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn levels back into intensity, never below zero. [gCO2e/kWh]"""
        return np.maximum(np.exp(level) - self.offset_g, 0.0)


def history_of(series: IntensitySeries) -> History | None:
    """The history that a series tells of, None where it tells of no hour: estimated hours and better count, typical ones do not."""
    is_told = (series.quality != MISSING_CODE) & (series.quality <= _TOLD) & np.isfinite(series.g_per_kwh)
    return history_of_values(series.first_hour, np.where(is_told, series.g_per_kwh, np.nan))


def history_of_values(first_hour: int, g_per_kwh: NDArray[np.float64]) -> History | None:
    """The history of plain hourly numbers, NaN where there is none. [gCO2e/kWh]"""
    g_per_kwh = without_frozen(np.asarray(g_per_kwh, np.float64))
    told = np.flatnonzero(np.isfinite(g_per_kwh))
    if not len(told):
        return None
    begin, end = max(int(told[0]), int(told[-1]) + 1 - LONGEST_HOURS), int(told[-1]) + 1
    g_per_kwh = np.maximum(g_per_kwh[begin:end], 0.0)
    is_told = np.isfinite(g_per_kwh)
    offset_g = max(LEAST_OFFSET_G, OFFSET_SHARE * float(g_per_kwh[is_told].mean()))
    return History(first_hour + begin, np.log(_filled(g_per_kwh, is_told) + offset_g), is_told, offset_g)


def without_frozen(g_per_kwh: NDArray[np.float64]) -> NDArray[np.float64]:
    """The numbers without those that repeat one value for half a day and more, unless the grid is often as even as that.

    The first hour of such a run stays: it was measured.
    """
    if len(g_per_kwh) < FROZEN_HOURS:
        return g_per_kwh
    repeats = np.concatenate([[False], np.diff(g_per_kwh) == 0])
    edges = np.flatnonzero(np.diff(np.concatenate([[0], repeats.astype(np.int8), [0]])))
    starts, ends = edges[::2], edges[1::2]
    is_long = ends - starts >= FROZEN_HOURS - 1
    _, place, held = np.unique(g_per_kwh[starts[is_long]], return_inverse=True, return_counts=True)
    is_long[is_long] = held[place] < OFTEN_HELD
    frozen = int((ends - starts)[is_long].sum())
    if not frozen or frozen > RARELY_FROZEN * len(g_per_kwh):
        return g_per_kwh
    mended = g_per_kwh.copy()
    for start, end in zip(starts[is_long].tolist(), ends[is_long].tolist(), strict=True):
        mended[start:end] = np.nan
    return mended


def _filled(g_per_kwh: NDArray[np.float64], is_told: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Fill each hole with the same hour of the day before, on the first day with the hour before; the first hour is told or taken next."""
    filled = g_per_kwh.copy()
    if not is_told[0]:
        filled[0] = g_per_kwh[is_told][0]
    for hole in np.flatnonzero(~is_told).tolist():
        if hole:
            filled[hole] = filled[hole - HOURS_PER_DAY] if hole >= HOURS_PER_DAY else filled[hole - 1]
    return filled
