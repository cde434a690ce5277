"""How wide the band of a typical number is: the errors that were measured, by what makes them, and their sum.

`scripts/build_reference.py` measured them against real hours; `docs/reference-data.md` has the figures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gridgram.quality import Signal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from providers.reference_figures import YearlyMean

CEILING_G_PER_KWH = 1100.0
"""No grid emits more: odds of this bound keep a coal grid's band from running past what coal can emit. [gCO2e/kWh]"""


@dataclass(frozen=True, slots=True)
class Spread:
    """How far below and above the typical number the p10 and p90 lie, both positive, in logarithms or log odds."""

    below: float
    above: float

    def at(self, g_per_kwh: float) -> Spread:
        """Turn log odds of `CEILING_G_PER_KWH` into logarithms at a level."""
        share = min(max(g_per_kwh / CEILING_G_PER_KWH, 1e-6), 0.999)
        odds = share / (1 - share)
        low, high = odds * math.exp(-self.below), odds * math.exp(self.above)
        return Spread(math.log(share * (1 + low) / low), math.log(high / (1 + high) / share))


def combined(spreads: Sequence[Spread]) -> Spread:
    """The spread of several errors that have nothing to do with each other."""
    return Spread(math.hypot(*(spread.below for spread in spreads)), math.hypot(*(spread.above for spread in spreads)))


@dataclass(frozen=True, slots=True)
class Bands:
    """The measured spreads, by what makes the error. Keys hold a zone, a signal and a number of years where it depends on them."""

    shape: Mapping[tuple[str, Signal], Spread]
    flat: Mapping[Signal, Spread]
    parent: Spread
    derived: Spread
    source: Spread
    ratio: Mapping[int, Spread]
    level: Mapping[tuple[bool, Signal], Mapping[int, Spread]]

    def of_mean(self, mean: YearlyMean, signal: Signal, year: int) -> list[Spread]:
        """What may be wrong with a mean that stands for a year: the source, how it was derived, and the years between."""
        parts = [_over_years(self.level[mean.origin.is_hourly, signal], year - mean.year)]
        if not mean.origin.is_hourly:
            parts.append(self.source)
        if mean.origin.is_derived:
            parts.append(self.derived)
        if mean.ratio_year is not None:
            parts.append(_over_years(self.ratio, mean.year - mean.ratio_year))
        return parts


def _over_years(spreads: Mapping[int, Spread], years: int) -> Spread:
    """The spread over a number of years, before or after; beyond those measured it grows with the root of time, up to ten years."""
    distance, longest = abs(years), max(spreads)
    if distance == 0:
        return Spread(0.0, 0.0)
    spread = spreads[min(distance, longest)]
    scale = math.sqrt(max(min(distance, 10) / longest, 1))
    return Spread(spread.below * scale, spread.above * scale)


def bands_of(rows: Sequence[Mapping[str, str]]) -> Bands:
    """Read the rows of `data/bands.csv`."""
    spreads = {(row["part"], row["zone"], row["signal"], row["distance"]): Spread(float(row["below"]), float(row["above"])) for row in rows}

    def by_distance(part: str, signal: str) -> dict[int, Spread]:
        return {int(key[3]): spread for key, spread in spreads.items() if key[0] == part and key[2] == signal}

    return Bands(
        shape={(zone, Signal(signal)): spread for (part, zone, signal, _), spread in spreads.items() if part == "shape"},
        flat={Signal(signal): spread for (part, _, signal, _), spread in spreads.items() if part == "flat"},
        parent=spreads["parent", "", "", ""],
        derived=spreads["derived", "", "", ""],
        source=spreads["source", "", "", ""],
        ratio=by_distance("ratio", ""),
        level={
            (is_hourly, signal): by_distance(part, signal)
            for is_hourly, part in ((True, "level-hourly"), (False, "level-yearly"))
            for signal in (Signal.LIFECYCLE, Signal.DIRECT)
        },
    )
