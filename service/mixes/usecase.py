"""The generation by fuel of a place: what sources told of its hours, or why there is none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gridgram.errors import NoData
from gridgram.interval import MICROSECONDS_PER_HOUR, format_hour, hour_of, hour_start
from gridgram.quality import MIX
from service.answers import missing_spans, place_members
from service.forecasting.issuing import place_of
from service.freshness import stale_after_seconds
from service.limits import MAX_FAULTS
from service.mixes.answers import hour_answer, mix_answer, mix_provenance
from service.mixes.reading import newest_mix, read_mix, read_mix_at_once
from service.requests import check_span
from service.usecases import LATEST_HOURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gridgram.locations import Place
    from gridgram.mix_series import MixSeries
    from service.mixes.answers import MixAnswer, MixLatestAnswer
    from service.mixes.requests import MixQuery
    from service.requests import LocationQuery
    from service.usecases import Gridgram

WRITTEN_IN_A_THREAD_HOURS = 100
"""From so many hours on an answer is written in a thread: an hour takes some 20 microseconds."""
NEVER_TYPICAL = "A mix is told or absent: no typical one stands in."


async def mix_of_span(gridgram: Gridgram, query: MixQuery) -> MixAnswer:
    """The mix of a span. Raises UnknownLocation, InvalidInput, and NoData when not one hour is held."""
    check_span(query.start, query.end, "/end")
    place = await place_of(gridgram, query.location)
    first_hour, end_hour = query.start // MICROSECONDS_PER_HOUR, -(-query.end // MICROSECONDS_PER_HOUR)
    mix = await read_mix(gridgram.intensity, place.zone.key, first_hour, end_hour)
    if not mix.quality.any():
        raise no_mix(gridgram, place, range(first_hour, end_hour))
    if end_hour - first_hour >= WRITTEN_IN_A_THREAD_HOURS:
        return await asyncio.to_thread(mix_answer, place, mix)
    return mix_answer(place, mix)


async def latest_mix(gridgram: Gridgram, query: LocationQuery) -> MixLatestAnswer:
    """The newest hour of a day of which a source told the mix. Raises UnknownLocation and NoData."""
    place = await place_of(gridgram, query.location)
    newest = await newest_hour(gridgram, place)
    return {
        **place_members(place),
        **hour_answer(newest, 0),
        "scope": "production",
        "end": format_hour(newest.end_hour),
        "age_seconds": age_seconds(gridgram, newest),
        "stale": is_stale(gridgram, newest),
        "provenance": mix_provenance(newest),
    }


async def newest_hour(gridgram: Gridgram, place: Place) -> MixSeries:
    """The newest hour of a day, as it is held; a stale one only when no source is worth waiting for. Raises NoData."""
    zone, present, intensity = place.zone.key, hour_of(gridgram.now()), gridgram.intensity
    span = present - LATEST_HOURS, present + 1
    newest = newest_mix(await read_mix_at_once(intensity, zone, *span))
    if newest is None or (is_stale(gridgram, newest) and intensity.fetcher and intensity.fetcher.is_answering(zone, MIX)):
        newest = newest_mix(await read_mix(intensity, zone, *span))
    if newest is None:
        raise no_mix(gridgram, place, range(*span))
    return newest


def age_seconds(gridgram: Gridgram, hour: MixSeries) -> float:
    """How long ago an hour ended; 0 while it is not over. [s]"""
    return max(0.0, (gridgram.now() - hour_start(hour.end_hour)).total_seconds())


def is_stale(gridgram: Gridgram, newest: MixSeries) -> bool:
    """Whether an hour is older than its source should let it become."""
    fetcher = gridgram.intensity.fetcher
    provider = fetcher.providers.get(newest.sources[newest.source[0]].provider) if fetcher else None
    return age_seconds(gridgram, newest) > stale_after_seconds(provider)


def no_mix(gridgram: Gridgram, place: Place, hours: Sequence[int]) -> NoData:
    """Why no mix of these hours is held: which sources tell one, and what keeps them from being asked."""
    zone, spans = place.zone.key, missing_spans(hours)
    reason = _why_none(gridgram, zone)
    text = f"{zone} has no generation by fuel for {len(hours)} of the hours, the first at {spans[0][0]}: {reason}. {NEVER_TYPICAL}"
    return NoData(zone, text, hours_missing=len(hours), missing=spans[:MAX_FAULTS])


def _why_none(gridgram: Gridgram, zone: str) -> str:
    intensity, fetcher = gridgram.intensity, gridgram.intensity.fetcher
    found = fetcher.candidates(zone, MIX) if fetcher else []
    if fetcher is None or not found:
        return "no source that is known here tells it for this zone"
    reasons = ["the store is away"] if intensity.store_is_away else []
    for candidate in found:
        name = candidate.provider.info.name
        if not candidate.may_answer:
            reasons.append(f"{name} tells it, but {candidate.refusal}")
        else:
            is_silent = fetcher.engine.health_of(candidate.provider).failures_in_a_row
            reasons.append(f"{name} tells it, but did not answer" if is_silent else f"{name} told none")
    return "; ".join(reasons)
