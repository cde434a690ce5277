"""When to ask which source for which hours, so that the store comes to hold them.

Days are the unit of asking. A day whose hours are all held and settled is never asked for again; a day of which something is missing
or may still change is asked for again after a while that grows with its age. Several callers who need the same day cause one fetch.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from gridgram.errors import UpstreamError
from gridgram.interval import Interval, hour_of, hour_start
from gridgram.quality import MISSING_CODE, QUALITY_CODES, Quality
from providers.chain import Candidate, candidates

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from gridgram.quality import Signal
    from gridgram.series import IntensitySeries
    from gridgram.zones import Zone
    from providers.base import Provider
    from providers.engine import Engine

    Read = Callable[[int, int], Awaitable[IntensitySeries]]
    Keep = Callable[[Sequence[IntensitySeries]], Awaitable[None]]

log = structlog.get_logger()

HOURS_PER_DAY: Final = 24
RECENT_DAYS: Final = 2
UNANSWERED_SECONDS: Final = 60.0
"""How soon a day is asked for again when a source did not answer: it being away says nothing about what it has."""
RECENT_SECONDS: Final = 600.0
"""How soon an hour of the last days is asked for again."""
UNSETTLED_SECONDS: Final = 6 * 3_600.0
ABSENT_SECONDS: Final = 24 * 3_600.0
"""How long it is remembered that a source does not have an old day."""
_MEASURED = QUALITY_CODES[Quality.MEASURED]
_TOLD = QUALITY_CODES[Quality.ESTIMATED]


@dataclass(slots=True)
class Fetcher:
    """Fills the store from the sources. `why_off` tells why a source is not used, "" when it is; `order` is the operator's.

    `keep` lays new hours over what is held. Belongs to one event loop.
    """

    engine: Engine
    providers: Mapping[str, Provider]
    why_off: Callable[[Provider], str]
    clock: Callable[[], datetime]
    seconds: float
    order: Sequence[str] = ()
    _next_asking: dict[tuple[str, Signal, int], float] = field(default_factory=dict)
    _running: dict[tuple[str, Signal], asyncio.Lock] = field(default_factory=dict)

    def candidates(self, zone: str, signal: Signal) -> list[Candidate]:
        """The sources of a zone and signal, in the order of asking, those that are refused included."""
        return candidates(zone, signal, self.providers.values(), self.why_off, self.order)

    def is_due(self, zone: str, signal: Signal, first_hour: int, end_hour: int) -> bool:
        """Whether any day of the span may have something new."""
        now = time.monotonic()
        due = float("-inf")
        return any(self._next_asking.get((zone, signal, day), due) <= now for day in _days(first_hour, end_hour))

    async def fill(  # noqa: PLR0913, PLR0917 - a span, and how to read and keep its hours
        self,
        zone: Zone,
        signal: Signal,
        first_hour: int,
        end_hour: int,
        read: Read,
        keep: Keep,
    ) -> None:
        """Ask the sources, in order, for what is missing or may have changed in the span. Failures are noted, never raised."""
        async with self._running.setdefault((zone.key, signal), asyncio.Lock()):
            now = time.monotonic()
            due = [day for day in _days(first_hour, end_hour) if self._next_asking.get((zone.key, signal, day), float("-inf")) <= now]
            usable = [candidate.provider for candidate in self.candidates(zone.key, signal) if candidate.may_answer]
            if not usable:
                self._next_asking.update(((zone.key, signal, day), now + ABSENT_SECONDS) for day in due)
                return
            deadline = now + self.seconds
            unanswered: set[int] = set()
            for place, provider in enumerate(usable):
                enough = _MEASURED if place == 0 else _TOLD  # the first source may better its own hours, the others only fill in
                wanted = [day for day in due if await self._wants(provider, day, enough, read)]
                for first_day, end_day in _runs(wanted):
                    left = deadline - time.monotonic()
                    if left <= 0 or not await self._fetch(provider, zone, first_day, end_day, left, keep):
                        unanswered.update(range(first_day, end_day))
            await self._plan_next_asking(zone.key, signal, due, usable, unanswered, read)

    async def _fetch(  # noqa: PLR0913, PLR0917 - as above
        self,
        provider: Provider,
        zone: Zone,
        first_day: int,
        end_day: int,
        seconds: float,
        keep: Keep,
    ) -> bool:
        """Ask for whole days and keep what comes; False when the source did not answer."""
        interval = Interval(hour_start(first_day * HOURS_PER_DAY), hour_start(end_day * HOURS_PER_DAY))
        try:
            fetched = await self.engine.fetch(provider, zone, interval, seconds)
        except UpstreamError as error:
            log.debug("fetch.failed", provider=provider.info.name, zone=zone.key, detail=str(error))
            return False
        for fault in fetched.faults[:5]:
            log.info("fetch.fault", provider=provider.info.name, zone=zone.key, where=fault.where, detail=fault.detail)
        if fetched.series:
            await keep(fetched.series)
        return True

    async def _wants(self, provider: Provider, day: int, enough: int, read: Read) -> bool:
        """Whether the source may have an hour of the day that is missing, or whose quality is not yet good enough (its code)."""
        now = self.clock()
        first, end = day * HOURS_PER_DAY, (day + 1) * HOURS_PER_DAY
        if provider.history_from is not None and hour_start(end) <= provider.history_from:
            return False
        newest = hour_of(now + provider.forecast_span if provider.forecast_span else now - provider.lag) + 1
        held = await read(first, min(end, newest)) if first < newest else None
        if held is None:
            return False
        quality = held.quality
        return bool(((quality == MISSING_CODE) | (quality > enough)).any())

    async def _plan_next_asking(  # noqa: PLR0913, PLR0917 - as above
        self,
        zone: str,
        signal: Signal,
        days: Sequence[int],
        asked: Sequence[Provider],
        unanswered: set[int],
        read: Read,
    ) -> None:
        """Note when each day is worth asking for again: soon where a source did not answer, late where it had nothing."""
        now, instant = time.monotonic(), self.clock()
        today = hour_of(instant) // HOURS_PER_DAY
        settles = max(provider.settles_after for provider in asked)
        for day in days:
            held = await read(day * HOURS_PER_DAY, (day + 1) * HOURS_PER_DAY)
            is_measured = bool(((held.quality != MISSING_CODE) & (held.quality <= _MEASURED)).all())
            if day in unanswered and not is_measured:
                pause = UNANSWERED_SECONDS
            elif today - day <= RECENT_DAYS:
                pause = RECENT_SECONDS
            elif is_measured:
                pause = float("inf")
            elif hour_start((day + 1) * HOURS_PER_DAY) + settles > instant:
                pause = UNSETTLED_SECONDS
            else:
                pause = ABSENT_SECONDS
            self._next_asking[zone, signal, day] = now + pause


def _days(first_hour: int, end_hour: int) -> range:
    return range(first_hour // HOURS_PER_DAY, (end_hour - 1) // HOURS_PER_DAY + 1)


def _runs(days: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending days as spans [first, end) of consecutive ones."""
    runs: list[tuple[int, int]] = []
    for day in days:
        if runs and runs[-1][1] == day:
            runs[-1] = (runs[-1][0], day + 1)
        else:
            runs.append((day, day + 1))
    return runs
