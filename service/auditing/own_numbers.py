"""The intensity that a source states itself, beside ours of the same hours: a cross-check, kept day by day, never an answer.

Some sources give it with their mix, others in an answer of its own, which is asked for once a day and zone at most. Kept by source and
zone under `own/...`, as JSON: days since 1970, its mean, ours, and how many hours both are of.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import orjson
import structlog

from gridgram.errors import StoreError, UpstreamError
from gridgram.interval import EPOCH, HOURS_PER_DAY, MICROSECONDS_PER_HOUR, Interval, hour_of, hour_start
from gridgram.quality import MISSING_CODE, Quality
from providers.base import IntensityPoint, MixPoint
from providers.hourly import hours_of
from providers.slips import DAYS_BEFORE, ratio_remark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from cache.contract import SeriesStore
    from gridgram.series import IntensitySeries
    from gridgram.zones import Zone
    from providers.base import OwnNumber, Provider
    from providers.engine import Engine

    Points = Sequence[MixPoint | IntensityPoint]

log = structlog.get_logger()

KEPT_DAYS: Final = 400
SECONDS_PER_DAY: Final = 86_400.0
ASKING_SECONDS: Final = 30.0
"""How long one of the two questions for a day may take."""


@dataclass(frozen=True, slots=True)
class OwnDay:
    """A day of a source: the mean of what it states, and of ours, over the hours that both are known of. [gCO2e/kWh]"""

    own_g_per_kwh: float
    our_g_per_kwh: float
    hours: int


def compared(provider: Provider, zone: str, points: Points, own_points: Points) -> dict[int, OwnDay]:
    """The days (since 1970) of which both are known; `own_points` are the source's own numbers, which may lie in `points` too."""
    own_number = provider.own_number
    stated = [*_with_mixes(points, own_number), *own_points] if own_number else []
    told = [point for point in stated if isinstance(point, IntensityPoint) and point.quality is not Quality.FORECAST]
    if own_number is None or not told:
        return {}
    first = min(point.start for point in told) // MICROSECONDS_PER_HOUR
    end = max(point.start for point in told) // MICROSECONDS_PER_HOUR + 1
    signal = own_number.signal
    as_told = replace(provider, info=replace(provider.info, signals=(signal,)))
    mixes = [point for point in points if isinstance(point, MixPoint)]
    ours, own = (_of(signal, hours_of(some, as_told, zone, first, end, EPOCH).series) for some in (mixes, told))
    return _days(own, ours) if own is not None and ours is not None else {}


async def note_own_numbers(store: SeriesStore, provider: Provider, zone: Zone, points: Points, own_points: Points = ()) -> None:
    """Add what the points tell to what is kept; without a word where the source states nothing, or the store is away."""
    if provider.own_number is None:
        return
    told = await asyncio.to_thread(compared, provider, zone.key, points, own_points)
    if not told:
        return
    try:
        days = await kept_own_numbers(store, provider.info.name, zone.key) | told
        newest = [(day, own.own_g_per_kwh, own.our_g_per_kwh, own.hours) for day, own in sorted(days.items())[-KEPT_DAYS:]]
        await store.keep(_name(provider.info.name, zone.key), orjson.dumps(newest), KEPT_DAYS * SECONDS_PER_DAY)
    except StoreError:
        return


async def kept_own_numbers(store: SeriesStore, provider: str, zone: str) -> dict[int, OwnDay]:
    """What was kept of a source, by day (since 1970); nothing of what another version kept otherwise. Raises StoreError."""
    body = await store.kept(_name(provider, zone))
    try:
        rows = [] if body is None else orjson.loads(body)
        return {int(day): OwnDay(float(own), float(ours), int(hours)) for day, own, ours, hours in rows}
    except (ValueError, TypeError):
        return {}


def ratio_finding(days: Mapping[int, OwnDay]) -> str:
    """What is worth a look about the newest day: that what is stated over ours left the range of the days before; "" where nothing is."""
    ratios = {day: own.own_g_per_kwh / own.our_g_per_kwh for day, own in sorted(days.items()) if own.our_g_per_kwh > 0}
    newest = max(ratios, default=0)
    before = [ratio for day, ratio in ratios.items() if newest - DAYS_BEFORE <= day < newest]
    return ratio_remark(before, ratios[newest]) if before else ""


async def own_points_of(engine: Engine, provider: Provider, zone: Zone, interval: Interval) -> Points:
    """What a source states of a span in an answer of its own; nothing where it comes with the mix. Raises UpstreamError."""
    own_number = provider.own_number
    if own_number is None or own_number.plan is None or own_number.parse is None:
        return ()
    asked = replace(provider, plan=own_number.plan, parse=own_number.parse)
    return (await engine.fetch(asked, zone, interval, ASKING_SECONDS)).points


async def ask_own_number(engine: Engine, store: SeriesStore, provider: Provider, zone: Zone) -> None:
    """Ask for the newest whole day and what the source states of it, unless one who shares the store has done so within a day.

    For sources that state it in an answer of its own. What goes wrong is left until tomorrow.
    """
    if provider.own_number is None or provider.own_number.plan is None:
        return
    interval = newest_day(provider, engine.clock())
    try:
        if await store.claim(f"own/{provider.info.name}/{zone.key}", SECONDS_PER_DAY) is None:
            return
        points = (await engine.fetch(provider, zone, interval, ASKING_SECONDS)).points
        await note_own_numbers(store, provider, zone, points, await own_points_of(engine, provider, zone, interval))
    except (StoreError, UpstreamError) as error:
        log.debug("own_number.failed", provider=provider.info.name, zone=zone.key, detail=str(error))


def newest_day(provider: Provider, now: datetime) -> Interval:
    """The newest whole UTC day that the source can have told."""
    end = hour_of(now - provider.lag) // HOURS_PER_DAY * HOURS_PER_DAY
    return Interval(hour_start(end - HOURS_PER_DAY), hour_start(end))


def _with_mixes(points: Points, own_number: OwnNumber | None) -> list[IntensityPoint]:
    return [
        IntensityPoint(point.start, point.minutes, point.own_g_per_kwh, own_number.signal, point.quality)
        for point in points
        if own_number is not None and isinstance(point, MixPoint) and point.own_g_per_kwh is not None
    ]


def _of(signal: str, series: Sequence[IntensitySeries]) -> IntensitySeries | None:
    return next((hours for hours in series if hours.signal == signal), None)


def _days(own: IntensitySeries, ours: IntensitySeries) -> dict[int, OwnDay]:
    both = (own.quality != MISSING_CODE) & (ours.quality != MISSING_CODE)
    hours_by_day: dict[int, list[int]] = {}
    for place in both.nonzero()[0].tolist():
        hours_by_day.setdefault((own.first_hour + place) // HOURS_PER_DAY, []).append(place)
    return {
        day: OwnDay(float(own.g_per_kwh[places].mean()), float(ours.g_per_kwh[places].mean()), len(places))
        for day, places in hours_by_day.items()
    }


def _name(provider: str, zone: str) -> str:
    return f"own/{provider}/{zone}"
