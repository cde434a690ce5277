"""The hours of a zone as they are known at an instant: told ones as they are held, the rest ahead of them forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gridgram.interval import hour_of
from gridgram.series import joined
from service.forecasting.ahead import is_known, with_outlook
from service.forecasting.forecaster import ASKED_HOURS, LATE_HOURS

if TYPE_CHECKING:
    from datetime import datetime

    from gridgram.quality import Signal
    from gridgram.series import IntensitySeries
    from service.usecases import Gridgram


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
        if gridgram.ahead.near(now_hour, first_hour, end_hour):
            return await gridgram.ahead.hours(zone, signal, now_hour, first_hour, end_hour)
        base = await gridgram.intensity.read(zone, signal, first_hour, end_hour)
        if is_past or is_known(base):
            return base
        return with_outlook(base, await gridgram.forecaster.outlook(zone, signal, now_hour))
    cut = min(hour_of(as_of), now_hour)
    base = await held_before(gridgram, zone, signal, first_hour, end_hour, cut)
    return base if is_known(base) else with_outlook(base, await gridgram.forecaster.outlook_as_of(zone, signal, cut))


async def held_before(  # noqa: PLR0913, PLR0917 - as above
    gridgram: Gridgram, zone: str, signal: Signal, first_hour: int, end_hour: int, cut: int
) -> IntensitySeries:
    """The hours [first_hour, end_hour): held ones before the cut, typical ones from it on."""
    cut = min(max(cut, first_hour), end_hour)
    parts = [gridgram.intensity.reference.series(zone, signal, cut, end_hour)] if cut < end_hour else []
    if cut > first_hour:
        parts.insert(0, await gridgram.intensity.read(zone, signal, first_hour, cut))
    return joined(parts)
