"""What an option saves against the baseline, and how sure that is.

The two often share hours of one grid, and an hour that both use cannot be clean for one and dirty for the other. So the band lets each
hour take any value in its own p10-p90 band, the same one for both, and tells the least and the most that can come out. No likeness
between hours is assumed: all of them may err in the worst way at once. That is an outer bound, at least as wide as an 80 % band.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gridgram.schedule import Option, Prospect

_ROUNDS = 50
"""More than any exchange of a ratio has needed; each round that changes anything brings it closer."""


@dataclass(frozen=True, slots=True)
class Savings:
    """What is emitted less than by the baseline; negative when it is more. [gCO2e, %]

    `percent` is None when the baseline emits nothing, its band None when that can be.
    """

    g: float
    low_g: float
    high_g: float
    percent: float | None
    low_percent: float | None
    high_percent: float | None


def savings(option: Option, baseline: Option, prospects: list[Prospect]) -> Savings:
    """What the option saves against the baseline."""
    mine, theirs = prospects[option.prospect].series, prospects[baseline.prospect].series
    if mine.zone == theirs.zone:
        spent, base, low, high = option.kwh, baseline.kwh, mine.low, mine.high
    else:  # two grids: no hour is shared
        spent = np.concatenate([option.kwh, np.zeros(len(baseline.kwh))])
        base = np.concatenate([np.zeros(len(option.kwh)), baseline.kwh])
        low, high = np.concatenate([mine.low, theirs.low]), np.concatenate([mine.high, theirs.high])
    used = (spent > 0) | (base > 0)
    spent, base, low, high = spent[used], base[used], low[used], high[used]
    least, most = _extremes(base - spent, low, high)
    saved = baseline.emissions_g - option.emissions_g
    percent = 100 * saved / baseline.emissions_g if baseline.emissions_g > 0 else None
    if percent is None or not base @ low > 0:
        return Savings(saved, least, most, percent, None, None)
    ratio = option.emissions_g / baseline.emissions_g
    most_spent, least_spent = (_extreme_ratio(sign, ratio, spent, base, low, high) for sign in (1.0, -1.0))
    return Savings(saved, least, most, percent, 100 * (1 - most_spent), 100 * (1 - least_spent))


def _extremes(weights: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]) -> tuple[float, float]:
    """The least and the most of a weighted sum whose numbers lie in bands of their own."""
    is_gain = weights > 0
    return float(weights @ np.where(is_gain, low, high)), float(weights @ np.where(is_gain, high, low))


def _extreme_ratio(  # noqa: PLR0913, PLR0917 - two sums over the same bands, and where to begin
    sign: float, ratio: float, spent: NDArray[np.float64], base: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> float:
    """The most (sign 1) or the least (sign -1) of spent / base over all values in the bands.

    Dinkelbach's method (Management Science 13, 1967): the values that are worst for the ratio so far give the next ratio.
    """
    for _ in range(_ROUNDS):
        values = np.where(sign * (spent - ratio * base) > 0, high, low)
        further = float(spent @ values) / float(base @ values)
        if not sign * (further - ratio) > 1e-12 * abs(ratio):
            break
        ratio = further
    return ratio
