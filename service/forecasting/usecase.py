"""The hours of a zone as they are known at an instant: told ones as they are held, the rest ahead of them forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gridgram.interval import hour_of
from gridgram.quality import MISSING_CODE, QUALITY_CODES, Quality
from gridgram.series import joined, overlay
from service.forecasting.forecaster import ASKED_HOURS, LATE_HOURS

if TYPE_CHECKING:
    from datetime import datetime

    from gridgram.quality import Signal
    from gridgram.series import IntensitySeries
    from service.usecases import Gridgram

_FORECAST = QUALITY_CODES[Quality.FORECAST]


async def hours_ahead(  # noqa: PLR0913, PLR0917 - a place, a span, and when it is asked from
    gridgram: Gridgram, zone: str, signal: Signal, first_hour: int, end_hour: int, as_of: datetime | None = None
) -> IntensitySeries:
    """The hours [first_hour, end_hour) as they are known at `as_of`, None for now: held ones as they are held, the rest ahead forecast.

    A source's own forecast comes before ours. Typical and annual hours stay where nothing better is known, explicit holes only where
    nothing at all is. With an `as_of` no hour is used that had not ended by then, so no source's own forecast either; what is typical
    is that of the year in which the hour lies, whose mean and band may have been made later.
    """
    now_hour = hour_of(gridgram.now())
    if as_of is None:
        is_past = end_hour <= now_hour - LATE_HOURS  # no forecast of ours reaches back there
        if not is_past:
            await gridgram.intensity.prepare(zone, signal, min(first_hour, now_hour - ASKED_HOURS), max(end_hour, now_hour))
        base = await gridgram.intensity.read(zone, signal, first_hour, end_hour)
        if is_past or _is_known(base):
            return base
        return with_outlook(base, await gridgram.forecaster.outlook(zone, signal, now_hour))
    cut = min(hour_of(as_of), now_hour)
    base = await held_before(gridgram, zone, signal, first_hour, end_hour, cut)
    return base if _is_known(base) else with_outlook(base, await gridgram.forecaster.outlook_as_of(zone, signal, cut))


def with_outlook(base: IntensitySeries, outlook: IntensitySeries | None) -> IntensitySeries:
    """The hours of the base, and of the outlook where the base has none that is as good."""
    if outlook is None:
        return base
    first_hour, end_hour = max(base.first_hour, outlook.first_hour), min(base.end_hour, outlook.end_hour)
    if end_hour <= first_hour:
        return base
    ahead = overlay(outlook.window(first_hour, end_hour), base.window(first_hour, end_hour))
    parts = [base.window(base.first_hour, first_hour), ahead, base.window(end_hour, base.end_hour)]
    return joined([part for part in parts if len(part.g_per_kwh)])


async def held_before(  # noqa: PLR0913, PLR0917 - as above
    gridgram: Gridgram, zone: str, signal: Signal, first_hour: int, end_hour: int, cut: int
) -> IntensitySeries:
    """The hours [first_hour, end_hour): held ones before the cut, typical ones from it on."""
    cut = min(max(cut, first_hour), end_hour)
    parts = [gridgram.intensity.reference.series(zone, signal, cut, end_hour)] if cut < end_hour else []
    if cut > first_hour:
        parts.insert(0, await gridgram.intensity.read(zone, signal, first_hour, cut))
    return joined(parts)


def _is_known(series: IntensitySeries) -> bool:
    """Whether every hour is there and none is worse than a forecast."""
    return bool(((series.quality != MISSING_CODE) & (series.quality <= _FORECAST)).all())
