"""Points of any step become hours of one zone: pure.

An hour needs every part of itself: a quarter that is missing leaves the hour missing, never filled from its neighbours. A mix is
averaged by fuel before it becomes an intensity, so that a windy quarter weighs by its power. An hour is as good as its worst part.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gridgram.fuels import IPCC_2014
from gridgram.interval import MICROSECONDS_PER_HOUR, MICROSECONDS_PER_MINUTE, to_microseconds
from gridgram.mix import intensities_of_mix
from gridgram.mix_series import FUELS, MixSeries, MixSource
from gridgram.quality import MISSING_CODE, QUALITY_CODES, Quality, Signal
from gridgram.series import IntensitySeries, Source
from providers.base import IntensityPoint, MixPoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from gridgram.fuels import FactorTable
    from providers.base import Provider

    Numbers = Mapping[str, NDArray[np.float64]]

MINUTES_PER_HOUR = 60
MIX_SIGNALS = (Signal.LIFECYCLE, Signal.DIRECT)

Point = MixPoint | IntensityPoint


@dataclass(frozen=True, slots=True)
class Hours:
    """What points told of the hours of a span: intensities by signal, and the mix behind them, None where no whole hour has one."""

    series: list[IntensitySeries]
    mix: MixSeries | None


def hours_of(  # noqa: PLR0913, PLR0917 - the points, whose they are, the span, and how to read them
    points: Iterable[Point],
    provider: Provider,
    zone: str,
    first_hour: int,
    end_hour: int,
    fetched_at: datetime,
    table: FactorTable = IPCC_2014,
) -> Hours:
    """The hours [first_hour, end_hour), as far as the points make whole hours; a signal without any is left out."""
    mixes: defaultdict[int, list[Point]] = defaultdict(list)
    numbers: dict[Signal, defaultdict[int, list[Point]]] = {}
    for point in points:
        hour = point.start // MICROSECONDS_PER_HOUR
        if isinstance(point, MixPoint):
            mixes[hour].append(point)
        else:
            numbers.setdefault(point.signal, defaultdict(list))[hour].append(point)
    target = _Target(provider, zone, range(first_hour, end_hour), fetched_at)
    told = provider.info.signals
    whole = _whole(mixes, target.span)
    generation = _generation(whole)
    found = [
        *_from_mixes(whole, generation, target, [signal for signal in MIX_SIGNALS if signal in told], table),
        *(_from_numbers(_whole(by_hour, target.span), target, signal) for signal, by_hour in numbers.items() if signal in told),
    ]
    mix = target.mix(whole, generation)
    return Hours([series for series in found if series.quality.any()], mix if mix is not None and mix.quality.any() else None)


@dataclass(frozen=True, slots=True)
class _Target:
    """What hours are made for: of whom, of which zone, over which hours, and when they were fetched."""

    provider: Provider
    zone: str
    span: range
    fetched_at: datetime

    def series(self, whole: Mapping[int, Sequence[Point]], signal: Signal, numbers: Numbers, details: Sequence[str]) -> IntensitySeries:
        """Lay the numbers of the whole hours, in their order, on the span; the other hours are missing. `details`: of each hour."""
        columns = {name: np.full(len(self.span), np.nan) for name in numbers}
        quality, origin = np.zeros((2, len(self.span)), np.uint8)
        told = list(dict.fromkeys(details))
        if whole:
            places = np.array(list(whole), np.int64) - self.span.start
            for name, column in numbers.items():
                columns[name][places] = column
            quality[places] = [_quality_code(parts) for parts in whole.values()]
            quality[np.isnan(columns["g_per_kwh"])] = MISSING_CODE
            origin[places] = [told.index(detail) for detail in details]
        info = self.provider.info
        sources = [Source(info.name, signal, info.scope[0], info.licence, info.attribution, self.fetched_at, detail) for detail in told]
        return IntensitySeries(self.zone, signal, self.span.start, **columns, quality=quality, source=origin, sources=tuple(sources))

    def mix(self, whole: Mapping[int, Sequence[Point]], generation: NDArray[np.float64]) -> MixSeries | None:
        """Lay the mixes of the whole hours on the span; None where the source does not say in which unit it tells them."""
        unit, info, hours = self.provider.mix_unit, self.provider.info, len(self.span)
        if unit is None or not whole:
            return None
        told, quality = np.full((hours, len(FUELS)), np.nan), np.zeros(hours, np.uint8)
        places = np.array(list(whole), np.int64) - self.span.start
        total = np.nansum(generation, axis=1)
        is_told = (total > 0) & np.isfinite(total)
        told[places[is_told]] = generation[is_told]
        quality[places] = np.where(is_told, [_quality_code(parts) for parts in whole.values()], MISSING_CODE)
        fetched_at = np.where(quality == MISSING_CODE, 0, to_microseconds(self.fetched_at))
        source = MixSource(info.name, unit, info.licence, info.attribution)
        return MixSeries(self.zone, self.span.start, told, quality, np.zeros(hours, np.uint8), fetched_at, (source,))


def _whole(by_hour: Mapping[int, Sequence[Point]], span: range) -> dict[int, Sequence[Point]]:
    """The hours of the span whose parts follow one another from its start to its end; a point of several hours is each of them whole."""
    whole: dict[int, Sequence[Point]] = {}
    for hour, parts in by_hour.items():
        first = parts[0]
        if len(parts) == 1 and first.minutes % MINUTES_PER_HOUR == 0 and first.start % MICROSECONDS_PER_HOUR == 0:
            whole.update((covered, parts) for covered in range(hour, hour + first.minutes // MINUTES_PER_HOUR) if covered in span)
        elif hour in span and _fill_the_hour(parts):
            whole[hour] = parts
    return whole


def _fill_the_hour(parts: Sequence[Point]) -> bool:
    expected = parts[0].start // MICROSECONDS_PER_HOUR * MICROSECONDS_PER_HOUR
    end = expected + MICROSECONDS_PER_HOUR
    for part in sorted(parts, key=lambda part: part.start):
        if part.start != expected:
            return False
        expected += part.minutes * MICROSECONDS_PER_MINUTE
    return expected == end


def _quality_code(parts: Sequence[Point]) -> int:
    """That of the worst part; estimated at best when the parts of an hour do not report the same fuels."""
    worst = max(QUALITY_CODES[part.quality] for part in parts)
    fuels = {frozenset(part.mw) for part in parts if isinstance(part, MixPoint)}
    return worst if len(fuels) <= 1 else max(worst, QUALITY_CODES[Quality.ESTIMATED])


def _generation(whole: Mapping[int, Sequence[Point]]) -> NDArray[np.float64]:
    """The mean of each fuel (columns) over the hours (rows), NaN where no part of an hour reports it; what is drawn counts as 0. [MW]"""
    generation = np.full((len(whole), len(FUELS)), np.nan)
    for row, parts in enumerate(whole.values()):
        mixes = [part for part in parts if isinstance(part, MixPoint)]
        for column, fuel in enumerate(FUELS):
            reported = [(max(mix.mw[fuel], 0.0) * mix.minutes, mix.minutes) for mix in mixes if fuel in mix.mw]
            if reported:  # a part that does not report the fuel says nothing about it, least of all 0
                generation[row, column] = sum(energy for energy, _ in reported) / sum(minutes for _, minutes in reported)
    return generation


def _from_mixes(
    whole: Mapping[int, Sequence[Point]], generation: NDArray[np.float64], target: _Target, signals: Sequence[Signal], table: FactorTable
) -> Iterator[IntensitySeries]:
    """The hours of mixes, once for each signal."""
    for signal in signals:
        found = intensities_of_mix(generation, FUELS, table, signal)
        numbers = {"g_per_kwh": found.g_per_kwh, "low": found.low, "high": found.high}
        yield target.series(whole, signal, numbers, [f"Generation by fuel x {table.name} factors."] * len(whole))


def _from_numbers(whole: Mapping[int, Sequence[Point]], target: _Target, signal: Signal) -> IntensitySeries:
    g_per_kwh = np.array([_mean([part for part in parts if isinstance(part, IntensityPoint)]) for parts in whole.values()])
    numbers = {"g_per_kwh": g_per_kwh, "low": g_per_kwh, "high": g_per_kwh}
    return target.series(whole, signal, numbers, [_own_detail(parts) for parts in whole.values()])


def _own_detail(parts: Sequence[Point]) -> str:
    models = sorted({part.model for part in parts if isinstance(part, IntensityPoint) and part.model})
    return f"The source's own intensity, which comes without a band{'; its model of ' if models else ''}{' and '.join(models)}."


def _mean(parts: Sequence[IntensityPoint]) -> float:
    return sum(part.g_per_kwh * part.minutes for part in parts) / sum(part.minutes for part in parts)
