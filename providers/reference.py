"""The embedded default: yearly means of countries, provinces and states, and a typical year's shape where hours are open.

An hour is shape x mean of its year (`typical`), or the mean alone (`annual`). Where no mean of that year is held the nearest year's
stands in, the earlier of two. A zone without own figures is answered by the states in which it lies, by `data/states.csv`, else by
the country that holds it. Every hour carries a p10-p90 band, as wide as the errors were found to be by
`scripts/build_reference.py`; `docs/reference-data.md` has the figures.
"""

from __future__ import annotations

import csv
import math
from calendar import isleap
from dataclasses import dataclass, replace
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gridgram.interval import HOURS_PER_DAY
from gridgram.quality import QUALITY_CODES, Quality, Scope, Signal
from gridgram.series import IntensitySeries, Source, missing_series
from providers.base import ProviderInfo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from importlib.resources.abc import Traversable

    from numpy.typing import NDArray

    from gridgram.interval import Month
    from gridgram.zones import Zones

MONTHS_PER_YEAR = 12
EPOCH_YEAR = 1970
CEILING_G_PER_KWH = 1100.0
"""No grid emits more: odds of this bound keep a coal grid's band from running past what coal can emit. [gCO2e/kWh]"""

NOTES = {"CN": "no hourly figures of mainland China are public"}
"""What to know of a country's figures, its provinces' included."""

_TYPICAL = QUALITY_CODES[Quality.TYPICAL]
_ANNUAL = QUALITY_CODES[Quality.ANNUAL]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a yearly mean or a shape comes from, and on which terms. `is_hourly` if the mean was made of hours of the zone itself."""

    title: str
    licence: str
    attribution: str
    scope: Scope
    is_hourly: bool
    is_derived: bool
    detail: str


@dataclass(frozen=True, slots=True)
class YearlyMean:
    """The mean of one zone in one year. [gCO2e/kWh]

    `ratio_year` is set where a direct mean is the life-cycle one of its year x direct / life cycle of another year, which it names.
    """

    year: int
    g_per_kwh: float
    origin: Origin
    ratio_year: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A typical year without its level: 12 months x 24 UTC hours, one after the other, and the years it was made of."""

    factors: NDArray[np.float64]
    years: str
    origin: Origin

    def mean_of(self, days_in_february: int) -> float:
        """The mean over a year, near 1; dividing by it keeps the yearly mean exactly, in leap years too."""
        days = np.array([31, days_in_february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
        return float(self.factors.reshape(MONTHS_PER_YEAR, HOURS_PER_DAY).mean(axis=1) @ days / days.sum())


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
class States:
    """The states (zone keys) that a grid zone lies "in", "mostly in" or "over"."""

    lies: str
    zones: tuple[str, ...]


NO_STATES: Mapping[str, States] = MappingProxyType({})


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


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """How a zone is answered."""

    zone: str
    mean_zone: str
    means: tuple[YearlyMean, ...]
    shape: Shape | None
    prefix: str
    shape_means: tuple[float, float]

    def level(self, mean: YearlyMean, year: int) -> float:
        """What the shape is multiplied with, 1 where there is none, so that the year comes out at the mean. [gCO2e/kWh]"""
        return mean.g_per_kwh / self.shape_means[isleap(year)]

    def nearest(self, year: int) -> YearlyMean:
        return min(self.means, key=lambda mean: (abs(mean.year - year), mean.year))

    @property
    def is_wider(self) -> bool:
        """Whether the mean is that of a place that holds more than the zone."""
        return self.mean_zone != self.zone


class Reference:
    """The provider `reference`. Holds no more than its files; `series` neither waits nor reads."""

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

    def __init__(
        self,
        zones: Zones,
        means: Mapping[tuple[str, Signal], tuple[YearlyMean, ...]],
        shapes: Mapping[tuple[str, Signal], Shape],
        bands: Bands,
        states: Mapping[str, States] = NO_STATES,
    ) -> None:
        self._zones = zones
        self._means = means
        self._shapes = shapes
        self._bands = bands
        self._states = states
        self._plans: dict[tuple[str, Signal], _Plan] = {}

    @classmethod
    def load(cls, zones: Zones) -> Reference:
        """Read the files that ship with the package."""
        folder = files("providers") / "data"
        origins = _read_origins(folder)
        return cls(zones, _read_means(folder, origins), _read_shapes(folder, origins), _read_bands(folder), _read_states(folder))

    def offer(self, zone: str, signal: Signal) -> Offer | None:
        """What `series` would answer with, None where it has nothing."""
        plan = self._plan(zone, signal)
        if plan is None:
            return None
        newest = plan.means[-1]
        return Offer(
            quality=Quality.TYPICAL if plan.shape else Quality.ANNUAL,
            years=tuple(mean.year for mean in plan.means),
            mean_zone=plan.mean_zone,
            shape_zone=plan.mean_zone if plan.shape else None,
            detail=_detail(plan, newest, is_other_year=False),
        )

    def series(self, zone: str, signal: Signal, first_hour: int, end_hour: int) -> IntensitySeries:
        """The hours [first_hour, end_hour) of a zone, complete, or all missing where nothing is held of it. [gCO2e/kWh]"""
        plan = self._plan(zone, signal)
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
        plan = self._plan(zone, signal)
        if plan is None or plan.is_wider:
            return None
        day = np.ones(HOURS_PER_DAY)
        shaped = "the same for every hour"
        spread = self._bands.flat[signal].at(g_per_kwh) if plan.shape is None else self._bands.shape[zone, signal]
        if plan.shape is not None:
            day = plan.shape.factors.reshape(MONTHS_PER_YEAR, HOURS_PER_DAY)[month.month - 1]
            shaped = f"over the hours of a typical day of the month ({plan.shape.origin.title}, {plan.shape.years})"
            told = replace(told, attribution=f"{told.attribution}; shape of the hours: {plan.shape.origin.attribution}")
        numbers = np.tile(day * (g_per_kwh / day.mean()), month.hours // HOURS_PER_DAY)
        spread = combined([spread, self._bands.source])
        low, high = numbers * math.exp(-spread.below), numbers * math.exp(spread.above)
        quality = np.full(month.hours, _ANNUAL if plan.shape is None else _TYPICAL, np.uint8)
        source = replace(told, detail=f"{told.detail}, {shaped}.")
        return IntensitySeries(zone, signal, month.first_hour, numbers, low, high, quality, np.zeros(month.hours, np.uint8), (source,))

    def _plan(self, zone: str, signal: Signal) -> _Plan | None:
        plan = self._plans.get((zone, signal)) or self._make_plan(zone, signal)
        if plan is not None:
            self._plans[zone, signal] = plan
        return plan

    def _make_plan(self, zone: str, signal: Signal) -> _Plan | None:
        if (zone, signal) in self._means:
            return self._planned(zone, zone, signal, "")
        states = self._states.get(zone)
        if states is not None and all((state, signal) in self._means for state in states.zones):
            return self._plan_of_states(zone, states, signal)
        known = self._zones.get(zone)
        if known is None or known.parent is None or (known.parent, signal) not in self._means:
            return None
        prefix = f"Hours of the country {self._name(known.parent)}, which holds {zone}: "
        return self._planned(zone, known.parent, signal, prefix)

    def _plan_of_states(self, zone: str, states: States, signal: Signal) -> _Plan:
        names = ", ".join(self._name(state) for state in states.zones)
        if len(states.zones) == 1:
            share = "most of " if states.lies == "mostly in" else ""
            return self._planned(zone, states.zones[0], signal, f"Hours of the state {names}, in which {share}{zone} lies: ")
        prefix = f"Hours of the states {names}, over which {zone} lies, each counted alike: "
        means = mean_of_states([self._means[state, signal] for state in states.zones])
        return _Plan(zone, ", ".join(states.zones), means, None, prefix, (1.0, 1.0))

    def _planned(self, zone: str, mean_zone: str, signal: Signal, prefix: str) -> _Plan:
        shape = self._shapes.get((mean_zone, signal))
        shape_means = (shape.mean_of(28), shape.mean_of(29)) if shape else (1.0, 1.0)
        return _Plan(zone, mean_zone, self._means[mean_zone, signal], shape, prefix, shape_means)

    def _name(self, zone: str) -> str:
        known = self._zones.get(zone)
        return known.name if known else zone

    def _spread(self, plan: _Plan, signal: Signal, mean: YearlyMean, year: int) -> Spread:
        bands = self._bands
        parts = [bands.flat[signal].at(mean.g_per_kwh) if plan.shape is None else bands.shape[plan.mean_zone, signal]]
        parts += bands.of_mean(mean, signal, year)
        if plan.is_wider:
            parts.append(bands.parent.at(mean.g_per_kwh))
        return combined(parts)

    def _source(self, plan: _Plan, signal: Signal, mean: YearlyMean, *, is_other_year: bool) -> Source:
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
            detail=_detail(plan, mean, is_other_year=is_other_year),
        )


def mean_of_states(states: Sequence[tuple[YearlyMean, ...]]) -> tuple[YearlyMean, ...]:
    """The mean over several states, each counted alike, of the years that all of them have; of one origin. [gCO2e/kWh]"""
    by_year = [{mean.year: mean for mean in means} for means in states]
    years = sorted(set.intersection(*(set(held) for held in by_year)))
    return tuple(YearlyMean(year, sum(held[year].g_per_kwh for held in by_year) / len(by_year), by_year[0][year].origin) for year in years)


def _detail(plan: _Plan, mean: YearlyMean, *, is_other_year: bool) -> str:
    """One sentence: what is multiplied with what, of which year, and what was done to it."""
    year = f"{mean.year}, the nearest year held" if is_other_year else f"{mean.year}"
    text = f"{plan.prefix}yearly mean of {year} ({mean.origin.title})"
    if plan.shape is None:
        text += ", the same for every hour"
    else:
        made_of = "" if plan.shape.origin is mean.origin else f"{plan.shape.origin.title}, "
        text += f" x typical shape of month and hour ({made_of}{plan.shape.years})"
    derived = mean.origin.detail if mean.ratio_year is None else f"{mean.origin.detail} of {mean.ratio_year}, the nearest year with both"
    notes = (derived, NOTES.get(plan.mean_zone.partition("-")[0], ""))
    return "; ".join([text[0].upper() + text[1:], *filter(None, notes)]) + "."


def _rows(folder: Traversable, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / name).read_text(encoding="utf-8").splitlines()))


def _read_origins(folder: Traversable) -> dict[str, Origin]:
    return {
        row["source"]: Origin(
            title=row["title"],
            licence=row["licence"],
            attribution=row["attribution"],
            scope=Scope(row["scope"]),
            is_hourly=row["is_hourly"] == "1",
            is_derived=row["is_derived"] == "1",
            detail=row["detail"],
        )
        for row in _rows(folder, "sources.csv")
    }


def _read_means(folder: Traversable, origins: Mapping[str, Origin]) -> dict[tuple[str, Signal], tuple[YearlyMean, ...]]:
    """The file is sorted by zone, signal and year."""
    means: dict[tuple[str, Signal], tuple[YearlyMean, ...]] = {}
    for row in _rows(folder, "yearly.csv"):
        key = (row["zone"], Signal(row["signal"]))
        ratio_year = int(row["ratio_year"]) if row["ratio_year"] else None
        mean = YearlyMean(int(row["year"]), float(row["g_per_kwh"]), origins[row["source"]], ratio_year)
        means[key] = (*means.get(key, ()), mean)
    return means


def _read_shapes(folder: Traversable, origins: Mapping[str, Origin]) -> dict[tuple[str, Signal], Shape]:
    with (folder / "shapes.npz").open("rb") as file, np.load(file, allow_pickle=False) as held:
        keys = [str(key).split(" ") for key in held["keys"]]
        factors = held["per_10000"] / 10_000.0
    return {(zone, Signal(signal)): Shape(factors[row], years, origins[source]) for row, (zone, signal, source, years) in enumerate(keys)}


def _read_states(folder: Traversable) -> dict[str, States]:
    return {
        row["zone"]: States(row["lies"], tuple(f"US-{state}" for state in row["states"].split(" "))) for row in _rows(folder, "states.csv")
    }


def _read_bands(folder: Traversable) -> Bands:
    rows = _rows(folder, "bands.csv")
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
