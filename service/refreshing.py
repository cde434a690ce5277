"""Keeping the zones in use fresh, so that a request finds its hours held: through the same way in as every request.

A zone is in use for a day after recent hours of it were last asked for; an operator can name others. When a day of a zone is due, which
follows the cadence of its sources, it is fetched. Of several processes that share a store the first to come does it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from gridgram.interval import HOURS_PER_DAY, hour_of
from gridgram.quality import Signal
from service.auditing.own_numbers import ask_own_number
from service.freshness import RECENT_DAYS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gridgram.quality import Told
    from service.intensity import Intensity

log = structlog.get_logger()

ROUND_SECONDS: Final = 5.0
"""How often is looked what is due; what is not due costs nothing."""
IN_USE_SECONDS: Final = 24 * 3_600.0
OWN_NUMBER_SECONDS: Final = 24 * 3_600.0
"""How often a source is asked for what it states itself, as a cross-check."""
CONCURRENT_ZONES: Final = 4
"""So many fetches at a time, which leaves the sources' rates to those who wait for an answer."""


@dataclass(slots=True)
class Refresher:
    """Fetches what is due of the zones in use and of those named. Belongs to one event loop.

    Counts, since the start: `rounds`, and `failures` of a zone, which are bugs: what sources do wrong is counted in their health.
    """

    intensity: Intensity
    zones: Sequence[str] = ()
    rounds: int = 0
    failures: int = 0
    _failing: set[tuple[str, Told]] = field(default_factory=set)
    _own_asked: dict[tuple[str, str], float] = field(default_factory=dict)

    async def run(self) -> None:
        """Refresh until cancelled; whatever goes wrong is logged once and costs only its own zone."""
        is_failing = False
        while True:
            try:
                await self.round()
                is_failing = False
            except Exception:
                self.failures += 1
                if not is_failing:
                    log.exception("refresh.failed")
                is_failing = True
            await asyncio.sleep(ROUND_SECONDS)

    async def round(self) -> None:
        """Fetch what is due now, and return when that is done."""
        room = asyncio.Semaphore(CONCURRENT_ZONES)
        async with asyncio.TaskGroup() as zones:
            for zone, signal in list(self.wanted()):
                zones.create_task(self._refresh(zone, signal, room))
        self.rounds += 1

    def wanted(self) -> Iterator[tuple[str, Told]]:
        """The zones and signals to keep fresh: the named ones by every signal that a source tells, then those in use."""
        intensity, fetcher = self.intensity, self.intensity.fetcher
        if fetcher is None:
            return
        for zone in self.zones:
            yield from ((zone, signal) for signal in Signal if fetcher.usable(zone, signal))
        since = time.monotonic() - IN_USE_SECONDS
        intensity.in_use = {key: asked_at for key, asked_at in intensity.in_use.items() if asked_at > since}
        yield from (key for key in intensity.in_use if key[0] not in self.zones)

    async def _refresh(self, zone: str, signal: Told, room: asyncio.Semaphore) -> None:
        try:
            async with room:
                await self.intensity.refresh(zone, signal, *self._span(zone, signal))
                await self._cross_check(zone, signal)
        except Exception:
            self.failures += 1
            if (zone, signal) not in self._failing:
                self._failing.add((zone, signal))
                log.exception("refresh.failed", zone=zone, signal=signal)
        else:
            self._failing.discard((zone, signal))

    async def _cross_check(self, zone: str, signal: Told) -> None:
        """Ask the sources of a zone for what they state themselves, once a day each."""
        intensity, fetcher = self.intensity, self.intensity.fetcher
        if fetcher is None or intensity.zones is None:
            return
        for provider in fetcher.usable(zone, signal):
            key, now = (provider.info.name, zone), time.monotonic()
            if now - self._own_asked.get(key, float("-inf")) >= OWN_NUMBER_SECONDS:
                self._own_asked[key] = now
                await ask_own_number(fetcher.engine, intensity.store, provider, intensity.zones[zone])

    def _span(self, zone: str, signal: Told) -> tuple[int, int]:
        """The recent hours, the present one and those that a source forecasts."""
        fetcher = self.intensity.fetcher
        assert fetcher is not None  # noqa: S101 - without one no zone is wanted
        present = hour_of(fetcher.clock())
        return present - RECENT_DAYS * HOURS_PER_DAY, max(present + 1, fetcher.told_span(zone, signal)[1])
