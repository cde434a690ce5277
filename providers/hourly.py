"""Points of any step become hours of one zone: pure.

An hour needs every part of itself: a quarter that is missing leaves the hour missing, never filled from its neighbours. A mix is
averaged by fuel before it becomes an intensity, so that a windy quarter weighs by its power. An hour is as good as its worst part.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from gridgram.fuels import IPCC_2014, Fuel
from gridgram.interval import MICROSECONDS_PER_HOUR
from gridgram.mix import intensities_of_mix
from gridgram.quality import MISSING_CODE, QUALITY_CODES, Quality, Signal
from gridgram.series import IntensitySeries, Source
from providers.base import IntensityPoint, MixPoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from gridgram.fuels import FactorTable
    from providers.base import Provider

MINUTES_PER_HOUR = 60
MICROSECONDS_PER_MINUTE = MICROSECONDS_PER_HOUR // MINUTES_PER_HOUR
MIX_SIGNALS = (Signal.LIFECYCLE, Signal.DIRECT)
_FUELS = tuple(Fuel)

Point = MixPoint | IntensityPoint


def hours_of(  # noqa: PLR0913, PLR0917 - the points, whose they are, the span, and how to read them
    points: Iterable[Point],
    provider: Provider,
    zone: str,
    first_hour: int,
    end_hour: int,
    fetched_at: datetime,
    table: FactorTable = IPCC_2014,
) -> list[IntensitySeries]:
    """The hours [first_hour, end_hour) by signal, as far as the points make whole hours; a signal without any is left out."""
    mixes: defaultdict[int, list[MixPoint]] = defaultdict(list)
    numbers: dict[Signal, defaultdict[int, list[IntensityPoint]]] = {}
    for point in points:
        hour = point.start // MICROSECONDS_PER_HOUR
        if isinstance(point, MixPoint):
            mixes[hour].append(point)
        else:
            numbers.setdefault(point.signal, defaultdict(list))[hour].append(point)
    span = range(first_hour, end_hour)
    told = provider.info.signals
    found = [
        *(_from_mix(_whole(mixes, span), provider, zone, span, signal, fetched_at, table) for signal in MIX_SIGNALS if signal in told),
        *(
            _from_numbers(_whole(by_hour, span), provider, zone, span, signal, fetched_at)
            for signal, by_hour in numbers.items()
            if signal in told
        ),
    ]
    return [series for series in found if series.quality.any()]


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


def _from_mix(  # noqa: PLR0913, PLR0917 - each is one part of a series
    whole: Mapping[int, Sequence[Point]],
    provider: Provider,
    zone: str,
    span: range,
    signal: Signal,
    fetched_at: datetime,
    table: FactorTable,
) -> IntensitySeries:
    hours = sorted(whole)
    mw = np.full((len(hours), len(_FUELS)), np.nan)
    for row, hour in enumerate(hours):
        parts = [part for part in whole[hour] if isinstance(part, MixPoint)]
        for column, fuel in enumerate(_FUELS):
            reported = [(max(part.mw[fuel], 0.0) * part.minutes, part.minutes) for part in parts if fuel in part.mw]
            if reported:  # a part that does not report the fuel says nothing about it, least of all 0
                mw[row, column] = sum(energy for energy, _ in reported) / sum(minutes for _, minutes in reported)
    found = intensities_of_mix(mw, _FUELS, table, signal)
    detail = f"Generation by fuel x {table.name} factors."
    return _series(hours, found.g_per_kwh, found.low, found.high, whole, provider, zone, span, signal, fetched_at, detail)


def _from_numbers(  # noqa: PLR0913, PLR0917 - as above
    whole: Mapping[int, Sequence[Point]], provider: Provider, zone: str, span: range, signal: Signal, fetched_at: datetime
) -> IntensitySeries:
    hours = sorted(whole)
    g_per_kwh = np.array([_mean([part for part in whole[hour] if isinstance(part, IntensityPoint)]) for hour in hours])
    detail = "The source's own intensity, which comes without a band."
    return _series(hours, g_per_kwh, g_per_kwh, g_per_kwh, whole, provider, zone, span, signal, fetched_at, detail)


def _mean(parts: Sequence[IntensityPoint]) -> float:
    return sum(part.g_per_kwh * part.minutes for part in parts) / sum(part.minutes for part in parts)


def _series(  # noqa: PLR0913, PLR0917 - as above
    hours: Sequence[int],
    g_per_kwh: np.ndarray[tuple[int], np.dtype[np.float64]],
    low: np.ndarray[tuple[int], np.dtype[np.float64]],
    high: np.ndarray[tuple[int], np.dtype[np.float64]],
    whole: Mapping[int, Sequence[Point]],
    provider: Provider,
    zone: str,
    span: range,
    signal: Signal,
    fetched_at: datetime,
    detail: str,
) -> IntensitySeries:
    columns = {name: np.full(len(span), np.nan) for name in ("g_per_kwh", "low", "high")}
    quality = np.zeros(len(span), np.uint8)
    places = np.array(hours, np.int64) - span.start
    if len(places):
        for name, numbers in (("g_per_kwh", g_per_kwh), ("low", low), ("high", high)):
            columns[name][places] = numbers
        quality[places] = [_quality_code(whole[hour]) for hour in hours]
        quality[np.isnan(columns["g_per_kwh"])] = MISSING_CODE
    info = provider.info
    source = Source(info.name, signal, info.scope[0], info.licence, info.attribution, fetched_at, detail)
    return IntensitySeries(zone, signal, span.start, **columns, quality=quality, source=np.zeros(len(span), np.uint8), sources=(source,))
