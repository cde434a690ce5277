"""Rank regions: how clean each location is now, in the next day and over the last year, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gridgram.interval import HOURS_PER_DAY, format_time, hour_of
from gridgram.quality import Signal
from service.answers import place_members
from service.scheduling.answers import mean_answer, zone_provenance
from service.scheduling.requests import split_locations
from service.scheduling.usecase import gather_hours, places_of

if TYPE_CHECKING:
    from gridgram.locations import Place
    from gridgram.series import IntensitySeries
    from service.scheduling.answers import RankAnswer, RegionAnswer, UnavailableAnswer
    from service.scheduling.requests import RankQuery
    from service.usecases import Gridgram

YEAR_HOURS: Final = 8_760


async def rank(gridgram: Gridgram, query: RankQuery) -> RankAnswer:
    """The locations, the cleanest first. Raises InvalidInput and UnknownLocation.

    The sources are asked for the present and the next hours only: a year of many zones is what is held of it, typical hours otherwise.
    """
    now = gridgram.now()
    present, signal = hour_of(now), Signal(query.signal)
    places = await places_of(gridgram, split_locations(query.locations))
    zones = dict.fromkeys(place.zone.key for place in places)
    ahead = await gather_hours(gridgram, zones, signal, range(present, present + 1 + HOURS_PER_DAY), as_of=None)
    year = range(present - YEAR_HOURS, present)
    behind = {zone: await gridgram.intensity.held_hours(zone, signal, year.start, year.stop) for zone in zones}
    regions = [_region(place, ahead[place.zone.key], behind[place.zone.key]) for place in places]
    known = [region for region in regions if query.by in region]
    return {
        "signal": signal.value,
        "as_of": format_time(now),
        "by": query.by,
        "regions": sorted(known, key=lambda region: region[query.by]["g_per_kwh"]),
        "unavailable": [_unavailable(place, query) for place, region in zip(places, regions, strict=True) if query.by not in region],
        "provenance": zone_provenance(ahead),
    }


def _region(place: Place, ahead: IntensitySeries, behind: IntensitySeries) -> RegionAnswer:
    region: RegionAnswer = {**place_members(place)}  # type: ignore[typeddict-item]  # mypy wants even what is not required
    present = ahead.first_hour
    if now := mean_answer(ahead.window(present, present + 1)):
        region["now"] = now
    if day := mean_answer(ahead.window(present + 1, ahead.end_hour)):
        region["next_24_hours"] = day
    if year := mean_answer(behind):
        region["last_12_months"] = year
    return region


def _unavailable(place: Place, query: RankQuery) -> UnavailableAnswer:
    span = query.by.replace("_", " ")
    reason = f"no hour of {span if query.by == 'now' else f'the {span}'} has a {query.signal} intensity"
    return {"location": place.location, "zone": place.zone.key, "reason": reason}
