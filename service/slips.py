"""Refusing what a source states in another unit, and keeping to that until the source is seen to be back.

A slip that was seen is remembered in the store under `slips/...`, as JSON. While it is, an answer that can be compared with no held
hours is judged by asking for the hours that showed the slip once more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import orjson
import structlog

from gridgram.errors import StoreError, UpstreamError
from gridgram.interval import HOURS_PER_DAY, Interval, hour_start
from providers.base import IntensityPoint
from providers.errors import UnitSlip
from providers.slips import Seen, level_fault, seen_factor, usual_level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cache.contract import SeriesStore
    from gridgram.quality import Signal, Told
    from gridgram.series import IntensitySeries
    from gridgram.zones import Zone
    from providers.base import MixPoint, Provider
    from providers.engine import Engine
    from service.asking import Shelf

    Key = tuple[str, str, Told]

log = structlog.get_logger()

REMEMBERED_SECONDS: Final = 30 * 86_400.0
"""A slip that was not seen again for so long is forgotten."""
LONGEST_PROBE_HOURS: Final = 2 * HOURS_PER_DAY
ASKING_SECONDS: Final = 10.0


@dataclass(slots=True)
class Slips:
    """Judges what sources state of hours, and logs once when one slips and once when it is back."""

    engine: Engine
    _slipped: set[Key] = field(default_factory=set)

    async def judged(
        self, provider: Provider, zone: Zone, told: IntensitySeries, points: Sequence[MixPoint | IntensityPoint], shelf: Shelf
    ) -> UnitSlip | None:
        """Why hours of a source are refused, None where they are not. Only what was stated as intensity, by `points`, is judged."""
        if not any(isinstance(point, IntensityPoint) and point.signal is told.signal for point in points):
            return None
        key = (provider.info.name, zone.key, told.signal)
        reason = await self._reason(provider, zone, told, shelf)
        if not reason:
            if key in self._slipped:
                self._slipped.discard(key)
                log.info("source.unit_back", provider=key[0], zone=key[1], signal=key[2])
            return None
        slip = UnitSlip(f"{key[0]} seems to state the {key[2]} intensity of {key[1]} in another unit: {reason}.")
        self.note(provider, zone, told.signal, slip)
        return slip

    def note(self, provider: Provider, zone: Zone, signal: Told, slip: UnitSlip) -> None:
        """Log a slip, once until the source is back."""
        key = (provider.info.name, zone.key, signal)
        if key not in self._slipped:
            self._slipped.add(key)
            log.warning("source.unit_slip", provider=key[0], zone=key[1], signal=signal, detail=str(slip))

    async def _reason(self, provider: Provider, zone: Zone, told: IntensitySeries, shelf: Shelf) -> str:
        """What shows that hours are in another unit, "" where nothing does."""
        key = (provider.info.name, zone.key, told.signal)
        if fault := level_fault(told, usual_level(shelf.reference, told)):
            return fault
        known = await _known(shelf.store, key)
        seen = seen_factor(told, await shelf.held_hours(zone.key, told.signal, told.first_hour, told.end_hour), key[0])
        if seen is None and known is not None:
            seen = await self._seen_again(provider, zone, told.signal, known, shelf)
            if seen is None:
                return f"it did before, by {known.factor:.4g} times, and has told no hour since that could show it to be back"
        if seen is None:
            return ""
        if seen.factor != 1 or known is not None:
            await _remember(shelf.store, key, seen)
        return "" if seen.factor == 1 else f"hours that are held came again as {seen.factor:.4g} times what they were"

    async def _seen_again(self, provider: Provider, zone: Zone, signal: Signal, known: Seen, shelf: Shelf) -> Seen | None:
        """Ask once more for the hours that showed the slip; None where they do not come."""
        first, end = known.first_hour, min(known.end_hour, known.first_hour + LONGEST_PROBE_HOURS)
        try:
            fetched = await self.engine.fetch(provider, zone, Interval(hour_start(first), hour_start(end)), ASKING_SECONDS)
        except UpstreamError:
            return None
        told = next((series for series in fetched.series if series.signal is signal), None)
        return None if told is None else seen_factor(told, await shelf.held_hours(zone.key, signal, first, end), provider.info.name)


async def _known(store: SeriesStore, key: Key) -> Seen | None:
    """The slip that is remembered, None for none; nor is what cannot be understood one."""
    try:
        body = await store.kept(_name(key))
        factor, first_hour, end_hour = orjson.loads(body) if body else (1, 0, 0)
        seen = Seen(float(factor), int(first_hour), int(end_hour))
    except (StoreError, ValueError, TypeError):
        return None
    return None if seen.factor == 1 or not 0 <= seen.first_hour < seen.end_hour else seen


async def _remember(store: SeriesStore, key: Key, seen: Seen) -> None:
    """Keep a slip, or that there is none any more."""
    try:
        await store.keep(_name(key), orjson.dumps(list(seen)), REMEMBERED_SECONDS)
    except StoreError as error:
        log.debug("slip.unkept", provider=key[0], zone=key[1], detail=str(error))


def _name(key: Key) -> str:
    return "slips/" + "/".join(key)
