"""From a generation mix to an intensity: each fuel's share times its factor.

Only shares matter, so a mix is in MW or in MWh. Four rules hold for every source:

- a negative number is pumping or a plant's own use, which is not generation: it counts as 0;
- NaN means that the source did not report the fuel: it does not count, neither as 0 nor as an estimate;
- an hour without any generation, or with an infinite one, has no intensity: None for one hour, NaN in arrays;
- `low` and `high` weigh the p10 and the p90 of the factors, as if all plants erred the same way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from gridgram.fuels import FactorTable, Fuel
    from gridgram.quality import Signal


@dataclass(frozen=True, slots=True)
class Intensity:
    """What one kWh emits in one hour, with its band. [gCO2e/kWh]"""

    g_per_kwh: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Intensities:
    """What one kWh emits in each of many hours; all three are NaN in a missing hour. [gCO2e/kWh]"""

    g_per_kwh: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def is_missing(self) -> NDArray[np.bool_]:
        """Which hours have no intensity."""
        return np.isnan(self.g_per_kwh)


def intensity_of_mix(mw_by_fuel: Mapping[Fuel, float], table: FactorTable, signal: Signal) -> Intensity | None:
    """The intensity of one hour's mix, None where nothing was generated. [MW or MWh -> gCO2e/kWh]

    Raises ValueError for the signal `marginal`, which no mix can give.
    """
    factors = table.factors(signal)
    generated = [(factors[fuel], mw) for fuel, mw in mw_by_fuel.items() if mw > 0]
    total = sum(mw for _, mw in generated)
    if not 0 < total < math.inf:
        return None
    shares = [(factor, mw / total) for factor, mw in generated]
    return Intensity(
        math.fsum(factor.g_per_kwh * share for factor, share in shares),
        math.fsum(factor.p10 * share for factor, share in shares),
        math.fsum(factor.p90 * share for factor, share in shares),
    )


def intensities_of_mix(mw: NDArray[np.floating], fuels: Sequence[Fuel], table: FactorTable, signal: Signal) -> Intensities:
    """The intensities of many hours: `mw` has a row an hour and a column for each of `fuels`. [MW or MWh -> gCO2e/kWh]

    The same rules as for one hour. Two columns may name the same fuel. Raises ValueError for the signal `marginal` and for a
    matrix whose columns are not the fuels.
    """
    factors = table.factors(signal)
    if mw.shape[1:] != (len(fuels),):
        msg = f"a mix needs a row an hour and {len(fuels)} columns, one for each fuel, not the shape {mw.shape}"
        raise ValueError(msg)
    generated = np.where(mw > 0, mw, 0.0)
    with np.errstate(over="ignore"):
        total = generated.sum(axis=1)
    is_present = (total > 0) & np.isfinite(total)
    shares = np.full(generated.shape, np.nan)
    np.divide(generated, total[:, None], out=shares, where=is_present[:, None])
    weights = np.array([(factors[fuel].g_per_kwh, factors[fuel].p10, factors[fuel].p90) for fuel in fuels]).reshape(-1, 3)
    g_per_kwh, low, high = np.ascontiguousarray((shares @ weights).T)
    g_per_kwh[~is_present] = low[~is_present] = high[~is_present] = np.nan  # also where there is no column at all
    return Intensities(g_per_kwh, low, high)
