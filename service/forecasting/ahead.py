"""The hours around now as they are known, forecast ones in their places: made once for each arrival of hours, and kept in memory.

What a zone's next weeks look like changes when hours arrive, when a model is trained anew and with the hour; between these, every
request about them is a window of one series.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gridgram.interval import months_between
from gridgram.quality import MISSING_CODE, QUALITY_CODES, Quality
from gridgram.series import joined, overlay
from service.forecasting.forecaster import AHEAD_HOURS, ASKED_HOURS, REMEMBERED, are_same, references

if TYPE_CHECKING:
    from weakref import ReferenceType

    from gridgram.quality import Signal
    from gridgram.series import IntensitySeries
    from gridgram.sums import MonthChunk
    from service.forecasting.forecaster import Forecaster
    from service.intensity import Intensity

_FORECAST = QUALITY_CODES[Quality.FORECAST]


@dataclass(slots=True)
class _Kept:
    """The hours of a zone without and with our forecast, and what both were made from: the months, and the outlook that was laid over."""

    chunks: tuple[ReferenceType[MonthChunk], ...]
    now_hour: int
    base: IntensitySeries
    outlook: IntensitySeries | None = None
    known: IntensitySeries | None = None


@dataclass(slots=True)
class KnownAhead:
    """What is known now of hours from two days ago to two weeks ahead, of any zone and signal. Belongs to one event loop."""

    intensity: Intensity
    forecaster: Forecaster
    _kept: OrderedDict[tuple[str, Signal], _Kept] = field(default_factory=OrderedDict)

    @staticmethod
    def near(now_hour: int, first_hour: int, end_hour: int) -> bool:
        """Whether the hours [first_hour, end_hour) are among those that are kept."""
        return now_hour - ASKED_HOURS <= first_hour and end_hour <= now_hour + AHEAD_HOURS

    async def hours(self, zone: str, signal: Signal, now_hour: int, first_hour: int, end_hour: int) -> IntensitySeries:
        """The hours [first_hour, end_hour), which must be `near`: held ones as they are held, those ahead forecast where they are not told.

        No source is asked.
        """
        kept = await self._kept_hours(zone, signal, now_hour)
        base = kept.base.window(first_hour, end_hour)
        if is_known(base):
            return joined([base])
        outlook = await self.forecaster.outlook(zone, signal, now_hour)
        if kept.known is None or kept.outlook is not outlook:
            kept.outlook, kept.known = outlook, with_outlook(kept.base, outlook)
        return joined([kept.known.window(first_hour, end_hour)])

    async def _kept_hours(self, zone: str, signal: Signal, now_hour: int) -> _Kept:
        first_hour, end_hour = now_hour - ASKED_HOURS, now_hour + AHEAD_HOURS
        chunks = tuple(await self.intensity.chunks(zone, signal, months_between(first_hour, end_hour)))
        kept = self._kept.get((zone, signal))
        if kept is None or kept.now_hour != now_hour or not are_same(kept.chunks, chunks):
            parts = [chunk.series for chunk in chunks]
            base = joined([part.window(max(first_hour, part.first_hour), min(end_hour, part.end_hour)) for part in parts])
            kept = self._kept[zone, signal] = _Kept(references(chunks), now_hour, base)
            if len(self._kept) > REMEMBERED:
                self._kept.popitem(last=False)
        self._kept.move_to_end((zone, signal))
        return kept


def with_outlook(base: IntensitySeries, outlook: IntensitySeries | None) -> IntensitySeries:
    """The hours of the base, and of the outlook where the base has none that is as good."""
    if outlook is None:
        return base
    first_hour, end_hour = max(base.first_hour, outlook.first_hour), min(base.end_hour, outlook.end_hour)
    if end_hour <= first_hour:
        return base
    ahead = overlay(outlook.window(first_hour, end_hour), base.window(first_hour, end_hour))
    parts = [base.window(base.first_hour, first_hour), ahead, base.window(end_hour, base.end_hour)]
    return joined([part for part in parts if len(part.g_per_kwh)])


def is_known(series: IntensitySeries) -> bool:
    """Whether every hour is there and none is worse than a forecast."""
    return bool(((series.quality != MISSING_CODE) & (series.quality <= _FORECAST)).all())
