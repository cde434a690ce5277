"""The intensities that a run's figure rests on, kept with it: each hour's best, and what changed when a better one came.

    emissions = sum over hours of kWh x gCO2e/kWh

The hours are kept beside the run since the store of hours is a cache: an hour that was measured once does not become typical again
because a cache was emptied.
"""

from __future__ import annotations

from collections import Counter
from math import fsum
from typing import TYPE_CHECKING, NamedTuple

from gridgram.emissions import EnergyShare
from gridgram.quality import MISSING_CODE, QUALITIES, QUALITY_CODES, Quality
from gridgram.series import FILE_PROVIDER, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gridgram.series import IntensitySeries


class HourPrice(NamedTuple):
    """One hour's intensity with its p10-p90 band, how good it is and who told it. [gCO2e/kWh]"""

    g_per_kwh: float
    low: float
    high: float
    quality: Quality
    source: Source

    @property
    def rank(self) -> tuple[bool, int]:
        """Lower is better: a user's own file first, then the better quality."""
        return self.source.provider != FILE_PROVIDER, QUALITY_CODES[self.quality]

    @property
    def said(self) -> tuple[float, float, float, Quality, str]:
        """All but the vintage."""
        return self.g_per_kwh, self.low, self.high, self.quality, self.source.provider


class Figure(NamedTuple):
    """What a run emitted, as far as its hours are known. [gCO2e, kWh]

    `hours_missing` and `unpriced_kwh` count what no intensity is held for: it is never taken as zero.
    """

    emissions_g: float
    low_g: float
    high_g: float
    priced_kwh: float
    unpriced_kwh: float
    hours_missing: int
    shares: tuple[EnergyShare, ...]

    @property
    def coverage(self) -> dict[Quality, float]:
        """The share of the priced energy by quality, best first."""
        found: dict[Quality, float] = {}
        for part in self.shares:
            found[part.quality] = found.get(part.quality, 0.0) + part.share
        return found


class Revision(NamedTuple):
    """How a figure changed because hours did: over the same energy and the same hours, before and after. [gCO2e]

    `hours` are those that changed; `before` and `after` count them by quality.
    """

    hours: tuple[int, ...]
    before_g: float
    after_g: float
    before: dict[Quality, int]
    after: dict[Quality, int]
    providers: tuple[str, ...]


def prices_of(series: IntensitySeries, hours: Iterable[int]) -> dict[int, HourPrice]:
    """The prices of those hours that the series holds."""
    found: dict[int, HourPrice] = {}
    for hour in hours:
        place = hour - series.first_hour
        if 0 <= place < len(series.quality) and (code := int(series.quality[place])) != MISSING_CODE:
            numbers = float(series.g_per_kwh[place]), float(series.low[place]), float(series.high[place])
            found[hour] = HourPrice(*numbers, QUALITIES[code - 1], series.sources[series.source[place]])
    return found


def best_prices(before: Mapping[int, HourPrice], now: Mapping[int, HourPrice]) -> dict[int, HourPrice]:
    """Lay the prices of now over those of before: an hour is replaced by one that ranks as well or better and says something else."""
    best = dict(before)
    for hour, price in now.items():
        old = before.get(hour)
        if old is None or (price.rank <= old.rank and price.said != old.said):
            best[hour] = price
    return best


def revision(kwh: Mapping[int, float], before: Mapping[int, HourPrice], after: Mapping[int, HourPrice]) -> Revision | None:
    """What better hours changed in a run's figure; None when every hour that had a price keeps it."""
    changed = tuple(hour for hour in sorted(before) if hour in kwh and before[hour].said != after[hour].said)
    if not changed:
        return None
    priced = [hour for hour in kwh if hour in before]
    return Revision(
        changed,
        fsum(kwh[hour] * before[hour].g_per_kwh for hour in priced),
        fsum(kwh[hour] * after[hour].g_per_kwh for hour in priced),
        dict(Counter(before[hour].quality for hour in changed)),
        dict(Counter(after[hour].quality for hour in changed)),
        tuple(sorted({after[hour].source.provider for hour in changed})),
    )


def figure(kwh: Mapping[int, float], prices: Mapping[int, HourPrice]) -> Figure:
    """Multiply each hour's energy by its price and add up. [kWh x gCO2e/kWh -> g]"""
    priced = [hour for hour in kwh if hour in prices]
    priced_kwh = fsum(kwh[hour] for hour in priced)
    return Figure(
        fsum(kwh[hour] * prices[hour].g_per_kwh for hour in priced),
        fsum(kwh[hour] * prices[hour].low for hour in priced),
        fsum(kwh[hour] * prices[hour].high for hour in priced),
        priced_kwh,
        fsum(kwh[hour] for hour in kwh if hour not in prices),
        len(kwh) - len(priced),
        _shares(kwh, {hour: prices[hour] for hour in priced}, priced_kwh),
    )


def _shares(kwh: Mapping[int, float], prices: Mapping[int, HourPrice], priced_kwh: float) -> tuple[EnergyShare, ...]:
    """The share of the priced energy by quality and source, best quality first; of its hours where no energy was used."""
    weights: dict[tuple[int, Source], float] = {}
    for hour, price in prices.items():
        kind = QUALITY_CODES[price.quality], price.source
        weights[kind] = weights.get(kind, 0.0) + (kwh[hour] if priced_kwh else 1.0)
    total = fsum(weights.values())
    ordered = sorted(weights.items(), key=lambda kind: kind[0][0])
    return tuple(EnergyShare(source, QUALITIES[code - 1], weight / total) for (code, source), weight in ordered if weight)
