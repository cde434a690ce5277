"""When to ask which source for which hours, so that the store comes to hold them.

Days are the unit of asking. A day whose hours are all measured is left alone; one of which something is missing or may still change is
asked for again after a while that grows with its age. The first source of a zone and signal may better its own hours, the others only
fill in what it did not tell. Several callers who need the same day cause one fetch.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import numpy as np
import structlog

from gridgram.errors import UpstreamError
from gridgram.interval import HOURS_PER_DAY, Interval, hour_of, hour_start
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

    Read = Callable[[str, Signal, int, int], Awaitable[IntensitySeries]]
    Keep = Callable[[Sequence[IntensitySeries]], Awaitable[None]]

log = structlog.get_logger()

Key = TypeVar("Key")

RECENT_DAYS: Final = 2
UNANSWERED_SECONDS: Final = 60.0
"""How soon a source that did not answer is asked for a day again: it being away says nothing about what it has."""
RECENT_SECONDS: Final = 600.0
"""How soon an hour of the last days is asked for again."""
UNSETTLED_SECONDS: Final = 6 * 3_600.0
SETTLED_SECONDS: Final = 24 * 3_600.0
"""How long it is remembered that a source does not have an old day, or that the store has all of it."""
REQUESTS_PER_PIECE: Final = 8
"""A long span is asked for in pieces of about so many requests, and each piece is kept before the next is asked for."""
REMEMBERED_DAYS: Final = 100_000
_MEASURED = QUALITY_CODES[Quality.MEASURED]
_TOLD = QUALITY_CODES[Quality.ESTIMATED]


class _Times(Generic[Key]):
    """Instants by key [monotonic seconds], the oldest entries forgotten past REMEMBERED_DAYS."""

    def __init__(self) -> None:
        self._times: OrderedDict[Key, float] = OrderedDict()

    def of(self, key: Key) -> float:
        """The instant of a key; long ago where there is none."""
        return self._times.get(key, float("-inf"))

    def set(self, key: Key, instant: float) -> None:
        """Note the instant of a key."""
        self._times[key] = instant
        self._times.move_to_end(key)
        if len(self._times) > REMEMBERED_DAYS:
            self._times.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._times.clear()


@dataclass(slots=True)
class Fetcher:
    """Fills the store from the sources. `why_off` tells why a source is not used, "" when it is; `order` is the operator's.

    `seconds` bounds one `fill`, waiting for others included. Belongs to one event loop.
    """

    engine: Engine
    providers: Mapping[str, Provider]
    why_off: Callable[[Provider], str]
    clock: Callable[[], datetime]
    seconds: float
    order: Sequence[str] = ()
    _chains: dict[tuple[str, Signal], list[Candidate]] = field(default_factory=dict)
    _quiet_until: _Times[tuple[str, Signal, int]] = field(default_factory=_Times)
    _ask_again: _Times[tuple[str, str, Signal, int]] = field(default_factory=_Times)
    _running: dict[tuple[str, Signal], asyncio.Lock] = field(default_factory=dict)

    def candidates(self, zone: str, signal: Signal) -> list[Candidate]:
        """The sources of a zone and signal, in the order of asking, those that are refused included."""
        chain = self._chains.get((zone, signal))
        if chain is None:
            chain = self._chains[zone, signal] = candidates(zone, signal, self.providers.values(), self.why_off, self.order)
        return chain

    def usable(self, zone: str, signal: Signal) -> list[Provider]:
        """The sources that are asked for a zone and signal."""
        return [candidate.provider for candidate in self.candidates(zone, signal) if candidate.may_answer]

    def is_due(self, zone: str, signal: Signal, first_hour: int, end_hour: int) -> bool:
        """Whether any source may have something new for any day of the span."""
        if not any(candidate.may_answer for candidate in self.candidates(zone, signal)):
            return False
        now = time.monotonic()
        return any(self._quiet_until.of((zone, signal, day)) <= now for day in _days(first_hour, end_hour))

    def forget(self) -> None:
        """Ask for everything anew: what was fetched may not have been kept."""
        self._quiet_until.clear()
        self._ask_again.clear()

    async def fill(self, zone: Zone, signal: Signal, span: range, read: Read, keep: Keep) -> None:
        """Ask the sources, in order, for what is missing or may have changed in the span of hours. Failures are noted, never raised."""
        deadline = time.monotonic() + self.seconds
        lock = self._running.setdefault((zone.key, signal), asyncio.Lock())
        try:
            async with asyncio.timeout(self.seconds):
                await lock.acquire()
        except TimeoutError:
            return
        try:
            now = time.monotonic()
            due = [day for day in _days(span.start, span.stop) if self._quiet_until.of((zone.key, signal, day)) <= now]
            for place, provider in enumerate(self.usable(zone.key, signal)):
                await self._ask(provider, zone, signal, due, is_first=place == 0, deadline=deadline, read=read, keep=keep)
            for day in due:
                asked = [self._ask_again.of((provider.info.name, zone.key, signal, day)) for provider in self.usable(zone.key, signal)]
                self._quiet_until.set((zone.key, signal, day), min(asked))
        finally:
            lock.release()

    async def _ask(  # noqa: PLR0913 - a source, what of it, and how to read and keep hours
        self, provider: Provider, zone: Zone, signal: Signal, due: Sequence[int], *, is_first: bool, deadline: float, read: Read, keep: Keep
    ) -> None:
        """Ask one source for those of the days that it may better, and note when each is worth asking it for again."""
        now = time.monotonic()
        enough = _MEASURED if is_first else _TOLD
        wanted = []
        for day in due:
            again = provider.info.name, zone.key, signal, day
            if self._ask_again.of(again) > now:
                continue
            if await self._wants(provider, zone.key, signal, day, enough, read):
                wanted.append(day)
            else:
                self._ask_again.set(again, now + self._pause(provider, day))
        for first_day, end_day in _pieces(wanted, _days_per_piece(provider)):
            seconds = deadline - time.monotonic()
            has_answered = seconds > 0 and await self._fetch(provider, zone, first_day, end_day, seconds, read, keep)
            for day in range(first_day, end_day):
                pause = self._pause(provider, day) if has_answered else UNANSWERED_SECONDS
                self._ask_again.set((provider.info.name, zone.key, signal, day), time.monotonic() + pause)

    async def _fetch(  # noqa: PLR0913, PLR0917 - as above
        self, provider: Provider, zone: Zone, first_day: int, end_day: int, seconds: float, read: Read, keep: Keep
    ) -> bool:
        """Ask for whole days and keep what may be kept; False when the source did not answer for all of them."""
        interval = Interval(hour_start(first_day * HOURS_PER_DAY), hour_start(end_day * HOURS_PER_DAY))
        try:
            fetched = await self.engine.fetch(provider, zone, interval, seconds)
        except UpstreamError as error:
            log.debug("fetch.failed", provider=provider.info.name, zone=zone.key, detail=str(error))
            return False
        for fault in fetched.faults[:5]:
            log.info("fetch.fault", provider=provider.info.name, zone=zone.key, where=fault.where, detail=fault.detail)
        kept = [series for told in fetched.series if (series := await self._allowed(provider, told, read)) is not None]
        if kept:
            await keep(kept)
        return fetched.error is None

    async def _allowed(self, provider: Provider, told: IntensitySeries, read: Read) -> IntensitySeries | None:
        """The hours that this source may tell of: none of a signal that it is refused for, and no hour that one before it has told."""
        usable = self.usable(told.zone, told.signal)
        if provider not in usable:
            return None
        if provider is usable[0]:
            return told
        held = await read(told.zone, told.signal, told.first_hour, told.end_hour)
        others = np.array([source.provider != provider.info.name for source in held.sources] or [False])
        is_told = (held.quality != MISSING_CODE) & (held.quality <= _TOLD) & others[np.where(held.quality != MISSING_CODE, held.source, 0)]
        return replace(told, quality=np.where(is_told, np.uint8(MISSING_CODE), told.quality))

    async def _wants(  # noqa: PLR0913, PLR0917 - as above
        self, provider: Provider, zone: str, signal: Signal, day: int, enough: int, read: Read
    ) -> bool:
        """Whether the source may have an hour of the day that is missing, or whose quality is not yet good enough (its code)."""
        now = self.clock()
        first, end = day * HOURS_PER_DAY, (day + 1) * HOURS_PER_DAY
        if provider.history_from is not None and hour_start(end) <= provider.history_from:
            return False
        newest = hour_of(now + provider.forecast_span if provider.forecast_span else now - provider.lag) + 1
        if newest <= first:
            return False
        quality = (await read(zone, signal, first, min(end, newest))).quality
        return bool(((quality == MISSING_CODE) | (quality > enough)).any())

    def _pause(self, provider: Provider, day: int) -> float:
        """How long a day need not be asked for after the source answered: it grows with the age of the day. [s]"""
        age = self.clock() - hour_start((day + 1) * HOURS_PER_DAY)
        if age < timedelta(days=RECENT_DAYS):
            return RECENT_SECONDS
        return UNSETTLED_SECONDS if age < provider.settles_after else SETTLED_SECONDS


def _days(first_hour: int, end_hour: int) -> range:
    return range(first_hour // HOURS_PER_DAY, (end_hour - 1) // HOURS_PER_DAY + 1)


def _days_per_piece(provider: Provider) -> int:
    """How many days of a source about REQUESTS_PER_PIECE requests give, one at least."""
    if provider.requests_per_day > 1:
        return max(1, REQUESTS_PER_PIECE // provider.requests_per_day)
    return max(1, REQUESTS_PER_PIECE * provider.longest_span // timedelta(days=1))


def _pieces(days: Sequence[int], longest: int) -> list[tuple[int, int]]:
    """Ascending days as spans [first, end) of consecutive ones, none longer than `longest`."""
    pieces: list[tuple[int, int]] = []
    for day in days:
        if pieces and pieces[-1][1] == day and day - pieces[-1][0] < longest:
            pieces[-1] = (pieces[-1][0], day + 1)
        else:
            pieces.append((day, day + 1))
    return pieces
