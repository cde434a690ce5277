"""The one way to hourly intensity: memory, else the store, and the shipped reference for what neither holds.

Every caller, live or batch, reads through here, so that the same hour of the same zone is the same number everywhere.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from gridgram.errors import StoreError
from gridgram.interval import Month, months_between
from gridgram.series import joined, month_series, overlay
from gridgram.sums import MonthChunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cache.contract import Held, SeriesStore
    from cache.memory import ChunkMemory
    from gridgram.quality import Signal
    from gridgram.series import IntensitySeries
    from gridgram.zones import Zones
    from providers.reference import Reference
    from service.fetching import Fetcher

log = structlog.get_logger()

STORE_CHECK_SECONDS = 1.0
"""How old the knowledge may be that nobody else (an import, another process) has changed the store."""


@dataclass(slots=True)
class Intensity:
    """Reads the hours of any zone and signal. Belongs to one event loop."""

    store: SeriesStore
    reference: Reference
    memory: ChunkMemory
    zones: Zones | None = None
    fetcher: Fetcher | None = None
    store_is_away: bool = False
    _filling: set[asyncio.Future[None]] = field(default_factory=set)
    _checked_at: float = field(default=float("-inf"))
    _generation: int = -1

    async def read(self, zone: str, signal: Signal, first_hour: int, end_hour: int) -> IntensitySeries:
        """The hours [first_hour, end_hour): the best that is to be had of each, explicit holes where nothing is."""
        await self.prepare(zone, signal, first_hour, end_hour)
        return await self._held_hours(zone, signal, first_hour, end_hour)

    def at_hand(self, zone: str, signal: Signal, first_hour: int, end_hour: int) -> IntensitySeries | None:
        """A series that holds the hours and need not be waited for; None where the store or a source has to be looked at, or two months."""
        month = Month.of_hour(first_hour)
        chunk = self.memory.get(zone, signal, month)
        if chunk is None or end_hour > chunk.series.end_hour or time.monotonic() - self._checked_at > STORE_CHECK_SECONDS:
            return None
        if self.fetcher is not None and self.fetcher.is_due(zone, signal, first_hour, end_hour):
            return None
        return chunk.series

    async def prepare(self, zone: str, signal: Signal, first_hour: int, end_hour: int) -> None:
        """Ask the sources for what is missing or may have changed in the span. A caller that leaves does not stop it for the others."""
        if self.fetcher is None or self.zones is None:
            return
        await self.look_at_store()  # first: what was fetched while it was away is worth asking for again
        if not self.fetcher.is_due(zone, signal, first_hour, end_hour):
            return
        span = range(first_hour, end_hour)
        filling = asyncio.ensure_future(self.fetcher.fill(self.zones[zone], signal, span, self._held_hours, self._keep))
        self._filling.add(filling)
        filling.add_done_callback(self._filling.discard)
        await asyncio.shield(filling)

    async def close(self) -> None:
        """Stop asking, and let go of the sources and the store."""
        for filling in self._filling:
            filling.cancel()
        await asyncio.gather(*self._filling, return_exceptions=True)
        if self.fetcher is not None:
            await self.fetcher.engine.close()
        await self.store.close()

    async def _held_hours(self, zone: str, signal: Signal, first_hour: int, end_hour: int) -> IntensitySeries:
        chunks = await self.chunks(zone, signal, months_between(first_hour, end_hour))
        if len(chunks) == 1:
            return chunks[0].series.window(first_hour, end_hour)
        return joined([chunk.series for chunk in chunks]).window(first_hour, end_hour)

    async def chunks(self, zone: str, signal: Signal, months: Sequence[Month]) -> list[MonthChunk]:
        """The months, each whole, from memory where they are there and not outdated."""
        await self.look_at_store()
        held = {month: self.memory.get(zone, signal, month) for month in months}
        absent = [month for month, chunk in held.items() if chunk is None]
        if absent:
            for chunk in await self._load(zone, signal, absent):
                held[chunk.month] = chunk
                self.memory.put(chunk)
        return [chunk for chunk in held.values() if chunk is not None]

    async def held(self) -> list[Held]:
        """What the store holds; nothing while it is away."""
        try:
            return await self.store.held()
        except StoreError as error:
            self._store_failed(error)
            return []

    async def _keep(self, fetched: Sequence[IntensitySeries]) -> None:
        """Lay fetched hours over what is held, in the store and, also when that is away, in memory."""
        try:
            if await self.store.merge(fetched) and await self.store.generation() == self._generation + 1:
                self._generation += 1  # nobody but us has written, and what we wrote is laid over the memory below
        except StoreError as error:
            self._store_failed(error)
        for series in fetched:
            for month, hours in month_series(series).items():
                (chunk,) = await self.chunks(series.zone, series.signal, [month])
                self.memory.put(MonthChunk(overlay(chunk.series, hours)))

    async def _load(self, zone: str, signal: Signal, months: Sequence[Month]) -> list[MonthChunk]:
        stored: Sequence[IntensitySeries | None] = [None] * len(months)
        try:
            stored = await self.store.read(zone, signal, months)
        except StoreError as error:
            self._store_failed(error)
        chunks = []
        for month, hours in zip(months, stored, strict=True):
            typical = self.reference.series(zone, signal, month.first_hour, month.next.first_hour)
            chunks.append(MonthChunk(typical if hours is None else overlay(typical, hours)))
        return chunks

    async def look_at_store(self) -> None:
        """Empty the memory when the store is not what it was, or has come back; what is held stays while it is away."""
        if time.monotonic() - self._checked_at <= STORE_CHECK_SECONDS:
            return
        self._checked_at = time.monotonic()
        try:
            generation = await self.store.generation()
        except StoreError as error:
            self._store_failed(error)
            return
        if self.store_is_away:
            self.store_is_away = False
            log.info("store.back")
            self.memory.clear()
            if self.fetcher is not None:
                self.fetcher.forget()
        if generation != self._generation:
            self._generation = generation
            self.memory.clear()

    def _store_failed(self, error: StoreError) -> None:
        if not self.store_is_away:
            log.warning("store.away", detail=str(error))
        self.store_is_away = True
