"""When, against the sun, the solar power of each day centres, so that a label that slips is seen.

Noted as days are fetched, by source and zone under `solar/...`, as JSON: days since 1970, and minutes after solar noon. Of days whose mix
is held it is worked out from that, which is what answers are made of.
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from typing import TYPE_CHECKING, Final

import orjson

from gridgram.errors import StoreError
from gridgram.interval import HOURS_PER_DAY, MICROSECONDS_PER_HOUR
from gridgram.mix_series import FUELS
from gridgram.quality import MISSING_CODE, QUALITIES
from providers.base import MixPoint
from providers.checks import solar_noon_minutes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cache.contract import SeriesStore
    from gridgram.fuels import Fuel
    from gridgram.mix_series import MixSeries
    from gridgram.zones import Zone
    from providers.base import IntensityPoint

MINUTES_PER_HOUR: Final = 60
WHOLE_DAY_MINUTES: Final = 23 * MINUTES_PER_HOUR
"""Of a day with less than that the middle says nothing."""
KEPT_DAYS: Final = 400
SECONDS_PER_DAY: Final = 86_400.0


async def note_noons(store: SeriesStore, provider: str, zone: Zone, points: Sequence[MixPoint | IntensityPoint]) -> None:
    """Add what the points tell to what is kept; without a word where they tell of no sun, or the store is away."""
    told = await asyncio.to_thread(daily_noons, points, zone.longitude)
    if not told:
        return
    try:
        noons = await kept_noons(store, provider, zone.key) | told
        newest = dict(sorted(noons.items())[-KEPT_DAYS:])
        await store.keep(_name(provider, zone.key), orjson.dumps(list(newest.items())), KEPT_DAYS * SECONDS_PER_DAY)
    except StoreError:
        return


async def kept_noons(store: SeriesStore, provider: str, zone: str) -> dict[int, float]:
    """Minutes after solar noon by day (days since 1970), as noted when the days were last fetched. Raises StoreError.

    What another version kept otherwise is none.
    """
    body = await store.kept(_name(provider, zone))
    try:
        return {} if body is None else {int(day): float(minutes) for day, minutes in orjson.loads(body)}
    except (ValueError, TypeError):
        return {}


def daily_noons(points: Sequence[MixPoint | IntensityPoint], longitude: float) -> dict[int, float]:
    """Minutes after solar noon of each whole UTC day that has sun; `longitude` in degrees."""
    by_day: defaultdict[int, list[MixPoint]] = defaultdict(list)
    for point in points:
        if isinstance(point, MixPoint):
            by_day[point.start // (HOURS_PER_DAY * MICROSECONDS_PER_HOUR)].append(point)
    whole = {day: mixes for day, mixes in by_day.items() if sum(mix.minutes for mix in mixes) >= WHOLE_DAY_MINUTES}
    noons = {day: solar_noon_minutes(mixes, longitude) for day, mixes in whole.items()}
    return {day: minutes for day, minutes in noons.items() if minutes is not None}


def held_noons(mix: MixSeries, provider: str, longitude: float) -> dict[int, float]:
    """Minutes after solar noon of each whole UTC day of a mix that one source told and that has sun; `longitude` in degrees."""
    held = (mix.quality != MISSING_CODE).nonzero()[0].tolist()
    theirs = [index for index in held if mix.sources[mix.source[index]].provider == provider]
    points = [
        MixPoint((mix.first_hour + index) * MICROSECONDS_PER_HOUR, MINUTES_PER_HOUR, _told(mix, index), QUALITIES[mix.quality[index] - 1])
        for index in theirs
    ]
    return daily_noons(points, longitude)


def _told(mix: MixSeries, index: int) -> dict[Fuel, float]:
    return {fuel: amount for fuel, amount in zip(FUELS, mix.generation[index].tolist(), strict=True) if not math.isnan(amount)}


def _name(provider: str, zone: str) -> str:
    return f"solar/{provider}/{zone}"
