"""The one way to hourly intensity: memory, else the store, and the shipped reference for what neither holds.

Every caller, live or batch, reads through here, so that the same hour of the same zone is the same number everywhere.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import structlog

from gridgram.errors import GridgramError, StoreError, StoreRefused
from gridgram.interval import HOURS_PER_DAY, Month, hour_of, months_between
from gridgram.quality import MISSING_CODE, MIX, QUALITY_CODES, Quality
from gridgram.series import joined, month_series, overlay
from gridgram.sums import MonthChunk
from service.asking import KNOWN
from service.freshness import RECENT_DAYS
from service.mixes.kept import KeptMixes
from service.quota import within_quota

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from numpy.typing import NDArray

    from cache.contract import Held, SeriesStore
    from cache.memory import ChunkMemory
    from gridgram.mix_series import MixSeries
    from gridgram.quality import Signal, Told
    from gridgram.series import IntensitySeries
    from gridgram.zones import Zones
    from providers.reference import Reference
    from service.fetching import Fetcher, Flight
    from service.levels import MonthlyLevels

log = structlog.get_logger()

STORE_CHECK_SECONDS = 1.0
"""How old the knowledge may be that nobody else (an import, another process) has changed the store, or was told to leave a source alone."""
FORGET_SECONDS = 60.0
"""How soon again everything may be asked for anew, where a store that refuses this process' hours is changed by others all the time."""
LOOK_SECONDS = 0.5
"""How long a look at the store is waited for, by all who come meanwhile: longer than a Redis that is frozen takes to be found out."""


@dataclass(slots=True)
class Intensity:
    """Reads the hours of any zone and signal. Belongs to one event loop.

    `answers_first`: hours that are held are answered at once, though a source may have newer ones, which are then fetched behind the
    answer. So does a service; a command, which ends with its answer, waits. `in_use`: when recent hours of a zone and signal were last
    asked for [monotonic s]. Counts, since the start: `stale_served` answers that were given first, `store_refusals` things that the store
    refused while it was there.
    """

    store: SeriesStore
    reference: Reference
    memory: ChunkMemory
    zones: Zones | None = None
    fetcher: Fetcher | None = None
    levels: MonthlyLevels | None = None
    store_is_away: bool = False
    answers_first: bool = False
    stale_served: int = 0
    in_use: dict[tuple[str, Told], float] = field(default_factory=dict)
    store_refusals: int = 0
    _recent_from: int = 0
    _is_refused: bool = False
    _behind: set[asyncio.Task[None]] = field(default_factory=set)
    _is_unkept: bool = False
    _is_lost: bool = False
    _forgot_at: float = field(default=float("-inf"))
    _loading: dict[tuple[object, ...], asyncio.Task[list[MonthChunk]]] = field(default_factory=dict)
    _checked_at: float = field(default=float("-inf"))
    _looking: asyncio.Task[None] | None = None
    _generation: int = -1
    mixes: KeptMixes = field(init=False)

    def __post_init__(self) -> None:
        self.mixes = KeptMixes(self.store, self._store_failed, self._mix_lost)

    async def read(self, zone: str, signal: Signal, first_hour: int, end_hour: int) -> IntensitySeries:
        """The hours [first_hour, end_hour): the best that is to be had of each, explicit holes where nothing is."""
        await self.prepare(zone, signal, first_hour, end_hour)
        return await self.held_hours(zone, signal, first_hour, end_hour)

    async def read_at_once(self, zone: str, signal: Signal, first_hour: int, end_hour: int) -> IntensitySeries:
        """As `read`, but where answers come first without waiting even for hours that are not held."""
        await self.prepare_at_once(zone, signal, first_hour, end_hour)
        return await self.held_hours(zone, signal, first_hour, end_hour)

    async def prepare_at_once(self, zone: str, told: Told, first_hour: int, end_hour: int) -> None:
        """As `prepare`, but where answers come first without waiting at all."""
        if not self.answers_first:
            await self.prepare(zone, told, first_hour, end_hour)
        elif await self._flight(zone, told, first_hour, end_hour):
            self.stale_served += 1

    def at_hand(self, zone: str, signal: Signal, first_hour: int, end_hour: int) -> MonthChunk | None:
        """The month of the hours if it need not be waited for; None where the store or a source has to be looked at, or two months."""
        month = Month.of_hour(first_hour)
        chunk, now = self.memory.look(zone, signal, month), time.monotonic()
        if chunk is None or end_hour > chunk.series.end_hour or now - self._checked_at > STORE_CHECK_SECONDS or self._looking:
            return None
        fetcher = self.fetcher
        if fetcher is not None and (end_hour > self._recent_from or fetcher.due_at(zone, signal, first_hour, end_hour) <= now):
            return None
        return self.memory.get(zone, signal, month)

    async def prepare(self, zone: str, signal: Told, first_hour: int, end_hour: int) -> None:
        """Ask the sources for what is missing or may have changed in the span. A caller that leaves does not stop it for the others.

        Raises QuotaExhausted when the caller has a key whose calls to sources are used up; hours that are held are still read.
        """
        flight = await self._flight(zone, signal, first_hour, end_hour)
        if flight is None or self.fetcher is None:
            return
        if self.answers_first and await self._is_held(zone, signal, first_hour, end_hour, flight):
            self.stale_served += 1
            return
        fetcher = self.fetcher
        with within_quota(lambda: flight.task.done() and fetcher.due_at(zone, signal, first_hour, end_hour) <= time.monotonic()):
            await asyncio.wait([flight.task], timeout=fetcher.seconds)

    async def refresh(self, zone: str, signal: Told, first_hour: int, end_hour: int) -> None:
        """Fetch what is due of the span, and return when that is done. Does not count as a use of the zone."""
        if self.fetcher is None or self.zones is None:
            return
        await self.look_at_store()
        now = time.monotonic()
        if self.fetcher.due_at(zone, signal, first_hour, end_hour) <= now:
            await asyncio.wait([self.fetcher.flight(self.zones[zone], signal, range(first_hour, end_hour), now, self).task])

    def behind(self, work: Coroutine[Any, Any, None]) -> None:
        """Let work go on behind the answers; `close` stops it. What of our own errors ends it is for the one who next asks to meet."""
        task = asyncio.create_task(work)
        self._behind.add(task)
        task.add_done_callback(self._is_done)

    def _is_done(self, task: asyncio.Task[None]) -> None:
        self._behind.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, GridgramError):
            log.error("behind.failed", exc_info=error)

    async def close(self) -> None:
        """Stop asking, and let go of the sources and the store."""
        for task in self._behind:
            task.cancel()
        await asyncio.gather(*self._behind, return_exceptions=True)
        if self.fetcher is not None:
            await self.fetcher.close()
        await asyncio.gather(*self._loading.values(), *([self._looking] if self._looking else []), return_exceptions=True)
        await self.store.close()

    async def _flight(self, zone: str, signal: Told, first_hour: int, end_hour: int) -> Flight | None:
        """The fetch of what is due of a span, begun if it was not under way; None when there is nothing to wait for."""
        if self.fetcher is None or self.zones is None:
            return None
        await self.look_at_store()  # first: what was fetched while it was away is worth asking for again
        now = time.monotonic()
        if end_hour > self._recent_from:
            self.in_use[zone, signal] = now
        due_at = self.fetcher.due_at(zone, signal, first_hour, end_hour)
        if due_at > now and not (self.answers_first and self.fetcher.is_early(zone, due_at, now)):
            return None
        flight = self.fetcher.flight(self.zones[zone], signal, range(first_hour, end_hour), max(due_at, now), self)
        return flight if due_at <= now else None

    async def _is_held(self, zone: str, signal: Told, first_hour: int, end_hour: int, flight: Flight) -> bool:
        """Whether no hour of the span is missing that the flight may bring."""
        assert self.fetcher is not None  # noqa: S101 - a flight is the fetcher's
        first_told, end_told = self.fetcher.told_span(zone, signal)
        first_hour, end_hour = max(first_hour, first_told), min(end_hour, end_told)
        if first_hour >= end_hour:
            return True
        quality = await self.held_quality(zone, signal, first_hour, end_hour)
        is_asked = np.isin(np.arange(first_hour, end_hour) // HOURS_PER_DAY, list(flight.days))
        return not (((quality == MISSING_CODE) | (quality > KNOWN)) & is_asked).any()

    async def held_hours(self, zone: str, signal: Signal, first_hour: int, end_hour: int) -> IntensitySeries:
        """The hours [first_hour, end_hour) as they are held, without asking any source."""
        chunks = await self.chunks(zone, signal, months_between(first_hour, end_hour))
        if len(chunks) == 1:
            return chunks[0].series.window(first_hour, end_hour)
        parts = [chunk.series for chunk in chunks]
        return joined([part.window(max(first_hour, part.first_hour), min(end_hour, part.end_hour)) for part in parts])

    async def held_quality(self, zone: str, told: Told, first_hour: int, end_hour: int) -> NDArray[np.uint8]:
        """The qualities (codes) of the hours [first_hour, end_hour) as they are held, of a signal or of the mix."""
        if told == MIX:
            return (await self.mixes.read(zone, first_hour, end_hour)).quality
        return (await self.held_hours(zone, told, first_hour, end_hour)).quality

    async def chunks(self, zone: str, signal: Signal, months: Sequence[Month]) -> list[MonthChunk]:
        """The months, each whole, from memory where they are there and not outdated."""
        await self.look_at_store()
        held = {month: self.memory.get(zone, signal, month) for month in months}
        absent = tuple(month for month, chunk in held.items() if chunk is None)
        if absent:
            held.update({chunk.month: chunk for chunk in await self._loaded(zone, signal, absent)})
        return [chunk for chunk in held.values() if chunk is not None]

    async def held(self) -> list[Held]:
        """What the store holds; nothing while it is away."""
        try:
            return await self.store.held()
        except StoreError as error:
            self._store_failed(error)
            return []

    async def put(self, fetched: Sequence[IntensitySeries]) -> bool:
        """Lay fetched hours over what is held, in the store and, also when that is away, in memory; whether the store has them."""
        is_stored = False
        try:
            if await self.store.merge(fetched) and await self.store.generation() == self._generation + 1:
                self._generation += 1  # nobody but us has written, and what we wrote is laid over the memory below
            is_stored, self._is_refused = True, False
        except StoreError as error:
            self._is_unkept = True
            self._store_failed(error)
        for series in fetched:
            for month, hours in month_series(series).items():
                (chunk,) = await self.chunks(series.zone, series.signal, [month])
                self.memory.put(MonthChunk(overlay(chunk.series, hours)))
        return is_stored

    async def put_mix(self, mix: MixSeries) -> bool:
        """Lay fetched mixes over what is held; whether the store has them."""
        is_stored = await self.mixes.put(mix)
        self._is_unkept = self._is_unkept or not is_stored
        return is_stored

    def _mix_lost(self, zone: str, month: Month) -> None:
        """Look into the days of a month anew whose mixes the store no longer has."""
        if self.fetcher is not None:
            self.fetcher.look_into(zone, MIX, month.first_hour, month.next.first_hour)

    async def _loaded(self, zone: str, signal: Signal, months: tuple[Month, ...]) -> list[MonthChunk]:
        """The months from the store; of many who need the same at once, one reads. One that leaves does not stop it for the others."""
        key = zone, signal, months, self._generation
        loading = self._loading.get(key)
        if loading is None:
            loading = self._loading[key] = asyncio.create_task(self._load(zone, signal, months))
            loading.add_done_callback(lambda _: self._loading.pop(key))
        return await asyncio.shield(loading)

    async def _load(self, zone: str, signal: Signal, months: Sequence[Month]) -> list[MonthChunk]:
        stored: Sequence[IntensitySeries | None] = [None] * len(months)
        generation = self._generation
        try:
            stored = await self.store.read(zone, signal, months)
            absent = [month for month, hours in zip(months, stored, strict=True) if hours is None]
            is_current = await self.store.generation() == generation == self._generation
        except StoreError as error:
            self._store_failed(error)
            # What was read is kept until the store is back, when the memory is emptied: not after a refusal, when nothing empties it, nor
            # when others have read something newer since.
            absent, is_current = [], self.store_is_away and generation == self._generation
        chunks = []
        for month, hours in zip(months, stored, strict=True):
            if hours is not None and _leaves_nothing_open(hours, month):
                chunks.append(MonthChunk(hours))
                continue
            typical = await self._typical(zone, signal, month)
            chunks.append(MonthChunk(typical if hours is None else overlay(typical, hours)))
        if self.fetcher is not None:
            for month in absent:
                self.fetcher.look_into(zone, signal, month.first_hour, month.next.first_hour)
        if is_current:  # else another wrote while this was read: what was read answers, but is not kept as what is held now
            for chunk in chunks:
                self.memory.put(chunk)
        else:
            self._checked_at = float("-inf")
        return chunks

    async def _typical(self, zone: str, signal: Signal, month: Month) -> IntensitySeries:
        """What stands for hours that no source told: by the mean of the month where that is known, else by that of a year."""
        if self.levels is not None:
            if self.levels.is_due(zone, signal):
                if self.answers_first:
                    self.behind(self._ask_levels(zone))
                else:
                    await self.levels.ask(zone)
            if (typical := await self.levels.month(self.reference, zone, signal, month)) is not None:
                return typical
        return self.reference.series(zone, signal, month.first_hour, month.next.first_hour)

    async def _ask_levels(self, zone: str) -> None:
        if self.levels is not None and await self.levels.ask(zone):
            self.memory.clear()

    async def look_again(self) -> None:
        """See at once what other processes have written."""
        self.mixes.look_again()
        if self._looking is not None:  # it may have begun before they wrote
            await asyncio.wait([self._looking])
        self._checked_at = float("-inf")
        await asyncio.wait([self._look_begun()])

    async def look_at_store(self) -> None:
        """Empty the memory when the store is not what it was, or has come back; what is held stays while it is away.

        All who come during a look wait for it, so that none is answered from what it is about to find outdated.
        """
        if self._looking is None and time.monotonic() - self._checked_at <= STORE_CHECK_SECONDS:
            return
        looking = self._look_begun()
        await asyncio.wait([looking], timeout=LOOK_SECONDS)
        if looking.done():
            looking.result()

    def _look_begun(self) -> asyncio.Task[None]:
        """The look under way, or a new one; one who leaves does not stop it for the others."""
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(self._has_looked)
        return self._looking

    def _has_looked(self, _: asyncio.Task[None]) -> None:
        self._looking = None

    async def _look(self) -> None:
        self._checked_at = time.monotonic()
        if self.fetcher is not None:
            self._recent_from = hour_of(self.fetcher.clock()) - RECENT_DAYS * HOURS_PER_DAY
            with suppress(StoreError):  # which the next line tells as well
                self.fetcher.heed(await self.store.pauses())
        try:
            generation = await self.store.generation()
            has_levels = self.levels is not None and await self.levels.has_news()
        except StoreError as error:
            self._store_failed(error)
            return
        if has_levels:
            self.memory.clear()
        if self.store_is_away or generation != self._generation:
            self._generation = generation
            self.memory.clear()
            self._is_lost, self._is_unkept = self._is_lost or self._is_unkept, False  # with the memory goes what was only there
        if self.store_is_away:
            self.store_is_away = False
            log.info("store.back")
        if self.fetcher is not None and self._is_lost and self._checked_at - self._forgot_at >= FORGET_SECONDS:
            self._is_lost, self._forgot_at = False, self._checked_at
            self.fetcher.forget()

    def _store_failed(self, error: StoreError) -> None:
        """Note that the store is away, or that it refused something while it is there; each is logged once."""
        if isinstance(error, StoreRefused):
            self.store_refusals += 1
            if not self._is_refused:
                log.warning("store.refused", detail=str(error))
            self._is_refused = True
            return
        if not self.store_is_away:
            log.warning("store.away", detail=str(error))
        self.store_is_away = True


def _leaves_nothing_open(hours: IntensitySeries, month: Month) -> bool:
    """Whether stored hours are the whole month, none of them of a quality that the reference could better."""
    is_whole = (hours.first_hour, hours.end_hour) == (month.first_hour, month.next.first_hour) and hours.is_complete
    return is_whole and int(hours.quality.max()) <= QUALITY_CODES[Quality.TYPICAL]
