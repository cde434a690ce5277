"""The hours of a zone as they are known at an instant: told ones as they are held, the rest ahead of them forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gridgram.interval import hour_of
from gridgram.series import joined

if TYPE_CHECKING:
    from datetime import datetime

    from gridgram.quality import Signal
    from gridgram.series import IntensitySeries
    from service.usecases import Gridgram


async def hours_ahead(  # noqa: PLR0913, PLR0917 - a place, a span, and when it is asked from
    gridgram: Gridgram, zone: str, signal: Signal, first_hour: int, end_hour: int, as_of: datetime | None = None
) -> IntensitySeries:
    """The hours [first_hour, end_hour) as they are known at `as_of`, None for now: held ones as they are held, the rest ahead forecast.

    Typical and annual hours stay where nothing better is known, explicit holes only where nothing at all is. With an `as_of` no hour is
    used that had not ended by then; what is typical is of the year that the hour lies in, though its mean may have been made later.
    """
    if as_of is None:
        return await gridgram.intensity.read(zone, signal, first_hour, end_hour)
    cut = min(max(hour_of(as_of), first_hour), end_hour)
    parts = [gridgram.intensity.reference.series(zone, signal, cut, end_hour)] if cut < end_hour else []
    if cut > first_hour:
        parts.insert(0, await gridgram.intensity.read(zone, signal, first_hour, cut))
    return joined(parts)
