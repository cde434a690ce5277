"""The embedded default: yearly means of countries, provinces and states, and a typical year's shape where hours are open.

An hour is shape x mean of its year (`typical`), or the mean alone (`annual`). Where no mean of that year is held the nearest year's
stands in, the earlier of two. Every hour carries a p10-p90 band, as wide as the errors were found to be by
`scripts/build_reference.py`; `docs/reference-data.md` has the figures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gridgram.interval import HOURS_PER_DAY
from gridgram.quality import QUALITY_CODES, Quality, Scope, Signal
from gridgram.series import IntensitySeries, Source, missing_series
from providers.base import ProviderInfo
from providers.reference_bands import Spread, combined
from providers.reference_figures import MONTHS_PER_YEAR, load_figures
from providers.reference_plans import Plans, detail_of

if TYPE_CHECKING:
    from gridgram.interval import Month
    from gridgram.zones import Zones
    from providers.reference_figures import Figures, YearlyMean
    from providers.reference_plans import Plan

EPOCH_YEAR = 1970

_TYPICAL = QUALITY_CODES[Quality.TYPICAL]
_ANNUAL = QUALITY_CODES[Quality.ANNUAL]


@dataclass(frozen=True, slots=True)
class Offer:
    """What the reference can tell of a zone: at which quality, from the means of which years, and whose mean and shape they are.

    `mean_zone` names several zones, by comma, where their mean answers.
    """

    quality: Quality
    years: tuple[int, ...]
    mean_zone: str
    shape_zone: str | None
    detail: str


class Reference:
    """The provider `reference`. Holds no more than its `figures`; `series` neither waits nor reads."""

    INFO: ClassVar[ProviderInfo] = ProviderInfo(
        name="reference",
        title="Embedded yearly means and typical hours",
        offers=("yearly",),
        signals=(Signal.LIFECYCLE, Signal.DIRECT),
        scope=(Scope.PRODUCTION, Scope.CONSUMPTION),
        needs_key=False,
        licence="CC BY 4.0; US public domain; official notice; ENTSO-E Transparency Platform terms; Open Government Licence - Canada",
        attribution=(
            "Ember and Our World in Data; US EPA eGRID; US EIA; Ministry of Ecology and Environment of China; ENTSO-E; "
            "Canada Energy Regulator"
        ),
        url="https://ourworldindata.org/grapher/carbon-intensity-electricity",
        detail=(
            "Yearly means, spread over the hours by a month-by-hour shape for 39 zones whose hours are open; never measured hours. "
            "Every answer names the source and the year of its mean."
        ),
    )

    def __init__(self, zones: Zones, figures: Figures) -> None:
        self.figures = figures
        self._plans = Plans(zones, figures)

    @classmethod
    def load(cls, zones: Zones) -> Reference:
        """Read the files that ship with the package."""
        return cls(zones, load_figures())

    def offer(self, zone: str, signal: Signal) -> Offer | None:
        """What `series` would answer with, None where it has nothing."""
        plan = self._plans.of(zone, signal)
        if plan is None:
            return None
        newest = plan.means[-1]
        return Offer(
            quality=Quality.TYPICAL if plan.shape else Quality.ANNUAL,
            years=tuple(mean.year for mean in plan.means),
            mean_zone=plan.mean_zone,
            shape_zone=plan.mean_zone if plan.shape else None,
            detail=detail_of(plan, newest, is_other_year=False),
        )

    def series(self, zone: str, signal: Signal, first_hour: int, end_hour: int) -> IntensitySeries:
        """The hours [first_hour, end_hour) of a zone, complete, or all missing where nothing is held of it. [gCO2e/kWh]"""
        plan = self._plans.of(zone, signal)
        if plan is None or end_hour <= first_hour:
            return missing_series(zone, signal, first_hour, max(end_hour - first_hour, 0))
        hours = np.arange(first_hour, end_hour)
        months = (hours // HOURS_PER_DAY).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
        if plan.shape is None:
            g_per_kwh = np.ones(len(hours))
        else:
            g_per_kwh = plan.shape.factors[months % MONTHS_PER_YEAR * HOURS_PER_DAY + hours % HOURS_PER_DAY]
        low, high = np.empty_like(g_per_kwh), np.empty_like(g_per_kwh)
        source = np.empty(len(hours), np.uint8)
        sources: list[Source] = []
        first_year, last_year = (int(month) // MONTHS_PER_YEAR + EPOCH_YEAR for month in (months[0], months[-1]))
        for year in range(first_year, last_year + 1):
            begin, end = np.searchsorted(months, [(year - EPOCH_YEAR) * MONTHS_PER_YEAR, (year + 1 - EPOCH_YEAR) * MONTHS_PER_YEAR])
            part = slice(int(begin), int(end))
            mean = plan.nearest(year)
            spread = self._spread(plan, signal, mean, year)
            g_per_kwh[part] *= plan.level(mean, year)
            low[part] = g_per_kwh[part] * math.exp(-spread.below)
            high[part] = g_per_kwh[part] * math.exp(spread.above)
            told = self._source(plan, signal, mean, is_other_year=mean.year != year)
            if told not in sources:
                sources.append(told)
            source[part] = sources.index(told)
        quality = np.full(len(hours), _ANNUAL if plan.shape is None else _TYPICAL, np.uint8)
        return IntensitySeries(zone, signal, first_hour, g_per_kwh, low, high, quality, source, tuple(sources))

    def month_at(self, zone: str, signal: Signal, month: Month, g_per_kwh: float, told: Source) -> IntensitySeries | None:
        """A month of a zone, shaped as by `series`, at the mean that another source tells of it; None for a zone without own figures.

        The band is that of the shape and of what sources differ by; `told.detail` names the mean. [gCO2e/kWh]
        """
        plan = self._plans.of(zone, signal)
        if plan is None or plan.is_wider:
            return None
        day = np.ones(HOURS_PER_DAY)
        shaped = "the same for every hour"
        spread = self.figures.bands.flat[signal].at(g_per_kwh) if plan.shape is None else self.figures.bands.shape[zone, signal]
        if plan.shape is not None:
            day = plan.shape.factors.reshape(MONTHS_PER_YEAR, HOURS_PER_DAY)[month.month - 1]
            shaped = f"over the hours of a typical day of the month ({plan.shape.origin.title}, {plan.shape.years})"
            told = replace(told, attribution=f"{told.attribution}; shape of the hours: {plan.shape.origin.attribution}")
        numbers = np.tile(day * (g_per_kwh / day.mean()), month.hours // HOURS_PER_DAY)
        spread = combined([spread, self.figures.bands.source])
        low, high = numbers * math.exp(-spread.below), numbers * math.exp(spread.above)
        quality = np.full(month.hours, _ANNUAL if plan.shape is None else _TYPICAL, np.uint8)
        source = replace(told, detail=f"{told.detail}, {shaped}.")
        return IntensitySeries(zone, signal, month.first_hour, numbers, low, high, quality, np.zeros(month.hours, np.uint8), (source,))

    def _spread(self, plan: Plan, signal: Signal, mean: YearlyMean, year: int) -> Spread:
        bands = self.figures.bands
        parts = [bands.flat[signal].at(mean.g_per_kwh) if plan.shape is None else bands.shape[plan.mean_zone, signal]]
        parts += bands.of_mean(mean, signal, year)
        if plan.is_wider:
            parts.append(bands.parent.at(mean.g_per_kwh))
        return combined(parts)

    def _source(self, plan: Plan, signal: Signal, mean: YearlyMean, *, is_other_year: bool) -> Source:
        licence, attribution = mean.origin.licence, mean.origin.attribution
        if plan.shape is not None and plan.shape.origin is not mean.origin:
            if plan.shape.origin.licence not in licence.split("; "):
                licence = f"{licence}; {plan.shape.origin.licence}"
            attribution = f"{attribution}; shape of the hours: {plan.shape.origin.attribution}"
        return Source(
            provider=self.INFO.name,
            signal=signal,
            scope=mean.origin.scope,
            licence=licence,
            attribution=attribution,
            detail=detail_of(plan, mean, is_other_year=is_other_year),
        )
