"""Means of single months from Ember, as the level of hours that no source told: nearer than the mean of a year, and never called better.

Asked for behind the answers, once a week and zone by whichever of the processes that share a store comes first, and kept as JSON under
`levels/...`: months counted from January 1970, and their means. All who share the store answer by them within `NEWS_SECONDS`, since the
name `levels/SOURCE` holds what came last. Without Ember's key nothing is asked, and nothing changes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import orjson
import structlog

from gridgram.errors import StoreError, UpstreamError
from gridgram.interval import EPOCH, MICROSECONDS_PER_MINUTE, Interval, Month, from_microseconds, to_microseconds
from gridgram.quality import Signal
from gridgram.series import Source
from providers.base import IntensityPoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from cache.contract import SeriesStore
    from gridgram.series import IntensitySeries
    from gridgram.zones import Zones
    from providers.base import MixPoint, Provider
    from providers.engine import Engine
    from providers.reference import Reference

log = structlog.get_logger()

ASKED_EVERY_SECONDS: Final = 7 * 86_400.0
"""Ember adds a month every month and revises with each release."""
KEPT_SECONDS: Final = 400 * 86_400.0
LOOK_SECONDS: Final = 600.0
"""How often is looked whether another process has brought some."""
NEWS_SECONDS: Final = 10.0
"""How often is looked whether another process has brought some that months in memory are to be made of anew."""
ASKING_SECONDS: Final = 5.0
LONGEST_MONTH_MINUTES: Final = 31 * 24 * 60


@dataclass(frozen=True, slots=True)
class Held:
    """The means of a zone's months [gCO2e/kWh], when they were fetched, and when the store was looked at for them [monotonic s]."""

    means: Mapping[Month, float]
    fetched_at: datetime
    looked_at: float


NOTHING: Final = Held({}, EPOCH, float("-inf"))


@dataclass(slots=True)
class MonthlyLevels:
    """The means of months by zone, and asking for them. `is_on` tells whether the source may be asked. Belongs to one event loop."""

    engine: Engine
    provider: Provider
    store: SeriesStore
    zones: Zones
    is_on: Callable[[], bool]
    _held: dict[str, Held] = field(default_factory=dict)
    _asked_at: dict[str, float] = field(default_factory=dict)
    _news: bytes | None = None
    _news_looked_at: float = field(default=float("-inf"))

    async def month(self, reference: Reference, zone: str, signal: Signal, month: Month) -> IntensitySeries | None:
        """The month at its own mean, in the shape of the reference; None where that is not known."""
        if signal is not Signal.LIFECYCLE or zone not in self.provider.zones or not self.is_on():
            return None
        held = await self._of(zone)
        if month not in held.means:
            return None
        info, detail = self.provider.info, f"Mean of the month {month} ({self.provider.info.attribution})"
        source = Source(info.name, signal, info.scope[0], info.licence, info.attribution, held.fetched_at, detail)
        return reference.month_at(zone, signal, month, held.means[month], source)

    async def has_news(self) -> bool:
        """Whether another process has brought means since the last look, so that months made before are outdated. Raises StoreError."""
        if time.monotonic() - self._news_looked_at < NEWS_SECONDS or not self.is_on():
            return False
        is_first, self._news_looked_at = self._news_looked_at == float("-inf"), time.monotonic()
        news = await self.store.kept(_news_name(self.provider))
        is_new, self._news = news != self._news, news
        if is_new:
            self._held.clear()
        return is_new and not is_first

    def is_due(self, zone: str, signal: Signal) -> bool:
        """Whether the source is to be asked for a zone by this process."""
        if signal is not Signal.LIFECYCLE or zone not in self.provider.zones or not self.is_on():
            return False
        return time.monotonic() - self._asked_at.get(zone, float("-inf")) >= ASKED_EVERY_SECONDS

    async def ask(self, zone: str) -> bool:
        """Ask for all months of a zone and keep them, unless another process has within a week; whether there are any.

        What fails is tried again after some minutes.
        """
        self._asked_at[zone] = time.monotonic()
        name = _name(self.provider, zone)
        try:
            token = await self.store.claim(name, ASKED_EVERY_SECONDS)
            if token is None:
                return await self._brought_by_another(zone)
            try:
                held = self._held[zone] = await self._fetched(zone)
                await self._keep(zone, held)
            except (StoreError, UpstreamError):
                await self.store.release(name, token)
                raise
        except (StoreError, UpstreamError) as error:
            log.debug("levels.failed", zone=zone, detail=str(error))
            self._look_soon(zone)
            return False
        return bool(held.means)

    async def _keep(self, zone: str, held: Held) -> None:
        """Keep the means of a zone, and then the news that they have come, which is none to this process."""
        await self.store.keep(_name(self.provider, zone), _packed(held), KEPT_SECONDS)
        self._news = orjson.dumps([to_microseconds(held.fetched_at), zone])
        await self.store.keep(_news_name(self.provider), self._news, KEPT_SECONDS)

    async def _fetched(self, zone: str) -> Held:
        now = self.engine.clock()
        span = Interval(self.provider.history_from or EPOCH, now)
        fetched = await self.engine.fetch(self.provider, self.zones[zone], span, ASKING_SECONDS)
        if fetched.error is not None:
            raise fetched.error
        return Held(_monthly(fetched.points, now), now, time.monotonic())

    async def _brought_by_another(self, zone: str) -> bool:
        self._held.pop(zone, None)
        is_there = bool((await self._of(zone)).means)
        if not is_there:  # it may be about to
            self._look_soon(zone)
        return is_there

    def _look_soon(self, zone: str) -> None:
        self._asked_at[zone] = time.monotonic() + LOOK_SECONDS - ASKED_EVERY_SECONDS

    async def _of(self, zone: str) -> Held:
        held = self._held.get(zone, NOTHING)
        if time.monotonic() - held.looked_at > LOOK_SECONDS:
            try:
                body = await self.store.kept(_name(self.provider, zone))
            except StoreError:
                return held
            held = self._held[zone] = replace(NOTHING if body is None else _unpacked(body), looked_at=time.monotonic())
        return held


def _monthly(points: Sequence[MixPoint | IntensityPoint], now: datetime) -> dict[Month, float]:
    """The means of whole months that are over."""
    means = {}
    for point in points:
        if not isinstance(point, IntensityPoint) or point.minutes > LONGEST_MONTH_MINUTES:
            continue
        if from_microseconds(point.start + point.minutes * MICROSECONDS_PER_MINUTE) <= now and point.g_per_kwh > 0:
            start = from_microseconds(point.start)
            means[Month(start.year, start.month)] = point.g_per_kwh
    return means


def _packed(held: Held) -> bytes:
    months = [[12 * (month.year - 1970) + month.month - 1, mean] for month, mean in sorted(held.means.items())]
    return orjson.dumps([to_microseconds(held.fetched_at), months])


def _unpacked(body: bytes) -> Held:
    """What was kept; nothing where it is not what `_packed` writes."""
    try:
        fetched_at, months = orjson.loads(body)
        means = {Month(1970 + number // 12, number % 12 + 1): float(mean) for number, mean in months}
        return Held(means, from_microseconds(fetched_at), 0.0) if all(mean > 0 for mean in means.values()) else NOTHING
    except (ValueError, TypeError, OverflowError):
        return NOTHING


def _name(provider: Provider, zone: str) -> str:
    return f"levels/{provider.info.name}/{zone}"


def _news_name(provider: Provider) -> str:
    return f"levels/{provider.info.name}"
