"""The present of all zones in one call: what is held and what is typical. No source is asked for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gridgram.interval import hour_of
from gridgram.quality import Signal
from service.page.answers import all_now_answer, zone_now_answer
from service.usecases import LATEST_HOURS, age_seconds, newest_known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gridgram.series import IntensitySeries
    from service.page.answers import AllNowAnswer
    from service.page.requests import NowQuery
    from service.usecases import Gridgram


async def all_now(gridgram: Gridgram, query: NowQuery) -> AllNowAnswer:
    """The newest hour that a source told of each zone within a day, if it is held; else what is held or typical of the present hour."""
    signal, present = Signal(query.signal), hour_of(gridgram.now())
    first_hour = present - LATEST_HOURS
    held = {
        entry.zone: await gridgram.intensity.held_hours(entry.zone, signal, first_hour, present + 1)
        for entry in await gridgram.intensity.held()
        if entry.signal is signal and entry.end_hour > first_hour and entry.zone in gridgram.zones
    }
    return await asyncio.to_thread(_written, gridgram, signal, present, held)


def _written(gridgram: Gridgram, signal: Signal, present: int, held: Mapping[str, IntensitySeries]) -> AllNowAnswer:
    now, reference = gridgram.now(), gridgram.intensity.reference
    hours: dict[str, IntensitySeries] = {}
    for zone in gridgram.zones:
        if (series := held.get(zone.key)) is not None:
            hours[zone.key] = newest_known(series) or series.window(present, present + 1)
        else:
            hours[zone.key] = reference.series(zone.key, signal, present, present + 1)
    zones = [
        zone_now_answer(hour, age_seconds(hour, now), is_stale=gridgram.is_stale(hour, now)) for hour in hours.values() if hour.quality[0]
    ]
    return all_now_answer(signal, now, hours, zones)
