"""Filling in the past of the zones in use behind the requests, so that their forecasts can be trained: slowly, the newest days first.

A piece is what one request of the source brings, at most a quarter of a year, and no two pieces are asked for within half a minute by
all who share a store together: a zone takes minutes to hours, and the sources' rates stay with those who wait for an answer. What is
held, or was asked for lately, is passed over, so that a restart goes on where it was.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import structlog

from gridgram.errors import StoreError
from gridgram.interval import HOURS_PER_DAY, hour_of
from gridgram.quality import MISSING_CODE, MIX
from service.asking import SLIPPED_SECONDS, TOLD
from service.freshness import RECENT_DAYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from gridgram.quality import Signal, Told
    from providers.base import Provider
    from service.intensity import Intensity

log = structlog.get_logger()

PIECE_SECONDS: Final = 30.0
"""From one piece to the next, over all processes that share the store."""
LONGEST_PIECE_DAYS: Final = 92
ENOUGH_HOURS: Final = 18
"""A day of which so many hours are told is not asked for again: forecasts bear holes, and the source seldom has what it did not tell."""
EMPTY_DAYS: Final = 31
"""A source that has told nothing of so many days in a row, going back, has no more."""
FAILED_SECONDS: Final = 600.0
"""How long a zone is left where a piece did not come."""
DONE_SECONDS: Final = 7 * 86_400.0
"""How long after its past was filled in a zone is looked through anew."""


@dataclass(slots=True)
class _Walk:
    """How far back a zone and signal was looked through: all days from `before_day` on. Rests until then [monotonic s]."""

    before_day: int
    empty_days: int = 0
    pieces: int = 0
    is_done: bool = False
    rests_until: float = float("-inf")

    def go_on(self, piece: range, *, is_empty: bool) -> None:
        """Go on before a piece."""
        self.before_day = piece.start
        self.empty_days = self.empty_days + len(piece) if is_empty else 0


@dataclass(slots=True)
class History:
    """Fills in the last `days` days of the signals, zone by zone, that `wanted` names. Belongs to one event loop.

    `filled` is told of each whose past is there, after something was added to it. Counts, since the start: `pieces` asked for.
    """

    intensity: Intensity
    wanted: Callable[[], Iterable[tuple[str, Told]]]
    filled: Callable[[str, Signal], None]
    days: int
    pieces: int = 0
    _walks: dict[tuple[str, Signal], _Walk] = field(default_factory=dict)

    @property
    def open_walks(self) -> int:
        """How many zones and signals are not filled in yet."""
        return sum(not walk.is_done for walk in self._walks.values())

    async def run(self) -> None:
        """Fill in piece by piece until cancelled; a fault of ours is logged once."""
        is_failing = False
        while True:
            await asyncio.sleep(PIECE_SECONDS)
            try:
                await self.step()
                is_failing = False
            except Exception:
                if not is_failing:
                    log.exception("history.failed")
                is_failing = True

    async def step(self) -> None:
        """Ask for one piece, of the first zone that lacks one, unless another process has just asked for one."""
        wanted = [(zone, told) for zone, told in self.wanted() if told != MIX]  # nothing is trained on mixes
        for gone in self._walks.keys() - set(wanted):
            del self._walks[gone]
        for zone, signal in wanted:
            source = self._source(zone, signal)
            piece = await self._next(zone, signal, source) if source is not None else None
            if source is not None and piece is not None:
                await self._ask(zone, signal, source, piece)
                return

    def _source(self, zone: str, signal: Signal) -> Provider | None:
        """The first source of the zone's past; None where there is none, or it is in trouble."""
        fetcher = self.intensity.fetcher
        sources = [source for source in fetcher.usable(zone, signal) if "history" in source.info.offers] if fetcher else []
        if fetcher is None or not sources:
            return None
        health = fetcher.engine.health_of(sources[0])
        return sources[0] if not health.failures_in_a_row and health.is_admitted(time.monotonic()) else None

    async def _next(self, zone: str, signal: Signal, source: Provider) -> range | None:
        """The newest piece (days since 1970) that lacks hours which were not asked for lately; None when there is none, or not now."""
        fetcher, now = self.intensity.fetcher, time.monotonic()
        assert fetcher is not None  # noqa: S101 - the source is the fetcher's
        present = hour_of(fetcher.clock()) // HOURS_PER_DAY
        walk = self._walks.setdefault((zone, signal), _Walk(present - RECENT_DAYS))
        if now < walk.rests_until:
            return None
        if walk.is_done:
            walk = self._walks[zone, signal] = _Walk(present - RECENT_DAYS)
        while walk.before_day > (floor := self._floor(source, present)) and walk.empty_days < EMPTY_DAYS:
            piece = range(max(floor, walk.before_day - _piece_days(source)), walk.before_day)
            told = await self._told(zone, signal, piece)
            if self._lacks(source, zone, piece, told):
                return piece
            walk.go_on(piece, is_empty=not told.any())
        self._done(zone, signal, walk)
        return None

    def _lacks(self, source: Provider, zone: str, piece: range, told: NDArray[np.int64]) -> bool:
        """Whether the piece has days that are hardly told, and of which the source did not say lately that it has no more.

        That is remembered for hours; that it did not answer, or that what came was refused, for SLIPPED_SECONDS at most.
        """
        assert self.intensity.fetcher is not None  # noqa: S101 - as above
        asked, days = self.intensity.fetcher.asker.asked, np.flatnonzero(told < ENOUGH_HOURS) + piece.start
        unanswered_until = time.monotonic() + SLIPPED_SECONDS
        return any(asked.of(source.info.name, zone, day).until <= unanswered_until for day in days.tolist())

    def _floor(self, source: Provider, present: int) -> int:
        """The first day to ask for."""
        first = -(-hour_of(source.history_from) // HOURS_PER_DAY) if source.history_from else 0
        return max(present - self.days, first)

    def _done(self, zone: str, signal: Signal, walk: _Walk) -> None:
        walk.is_done, walk.rests_until = True, time.monotonic() + DONE_SECONDS
        if walk.pieces:
            log.info("history.filled", zone=zone, signal=signal.value, pieces=walk.pieces)
            self.filled(zone, signal)

    async def _ask(self, zone: str, signal: Signal, source: Provider, piece: range) -> None:
        """Ask for a piece, and go on before it when it came; without a store that keeps it there is no sense in asking."""
        intensity, walk = self.intensity, self._walks[zone, signal]
        try:
            if await intensity.store.claim("history", PIECE_SECONDS) is None:  # runs out by itself: it is the distance to the next piece
                return
        except StoreError:
            return
        self.pieces += 1
        await intensity.refresh(zone, signal, piece.start * HOURS_PER_DAY, piece.stop * HOURS_PER_DAY)
        told = await self._told(zone, signal, piece)
        if intensity.store_is_away or self._lacks(source, zone, piece, told):
            walk.rests_until = time.monotonic() + FAILED_SECONDS
            return
        walk.pieces += 1
        walk.go_on(piece, is_empty=not told.any())

    async def _told(self, zone: str, signal: Signal, piece: range) -> NDArray[np.int64]:
        """How many hours of each day of a piece are told by a source."""
        quality = (await self.intensity.held_hours(zone, signal, piece.start * HOURS_PER_DAY, piece.stop * HOURS_PER_DAY)).quality
        is_told = (quality != MISSING_CODE) & (quality <= TOLD)
        return np.asarray(is_told.reshape(-1, HOURS_PER_DAY).sum(axis=1))


def _piece_days(source: Provider) -> int:
    """How many days one request of the source brings, a quarter of a year at most."""
    return min(max(1, source.longest_span // timedelta(days=1)), LONGEST_PIECE_DAYS)
