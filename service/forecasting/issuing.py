"""Forecasts that go out: made for a place, and kept with their time of issue so that they can be held to account."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import numpy as np

from gridgram.errors import Fault, InvalidInput, NoData, StoreError
from gridgram.forecast_codec import Issued, decode_issues, encode_issues
from gridgram.interval import HOURS_PER_DAY, format_time, from_microseconds, hour_of, hour_start
from gridgram.quality import QUALITY_CODES, Quality, Signal
from service.answers import missing_spans, series_answer
from service.claims import claimed
from service.forecasting.forecaster import PROVIDER
from service.forecasting.usecase import hours_ahead

if TYPE_CHECKING:
    from gridgram.locations import Place
    from gridgram.series import IntensitySeries
    from service.forecasting.answers import ForecastAnswer
    from service.forecasting.requests import ForecastQuery
    from service.usecases import Gridgram

ISSUED_HOURS: Final = 96
"""How much of a forecast is kept."""
CLAIM_SECONDS: Final = 10.0
"""How long one process alone may add to what was issued on a day."""
KEPT_SECONDS: Final = 35 * 86_400.0
_FORECAST = QUALITY_CODES[Quality.FORECAST]


async def place_of(gridgram: Gridgram, location: str) -> Place:
    """Resolve a location; a point in a thread, since the first one loads the shapes. Raises UnknownLocation."""
    if location[:4].lower() == "geo:":
        return await asyncio.to_thread(gridgram.locator.resolve, location)
    return gridgram.locator.resolve(location)


async def forecast(gridgram: Gridgram, query: ForecastQuery) -> tuple[ForecastAnswer, IntensitySeries]:
    """The hours ahead of now, or of `as_of`. Raises UnknownLocation, InvalidInput, and NoData when nothing at all is known."""
    now = gridgram.now()
    as_of = from_microseconds(query.as_of) if query.as_of is not None else None
    if as_of is not None and as_of > now:
        raise InvalidInput([Fault("/as_of", f"this lies after now, {format_time(now)}; leave it out for the forecast of now")])
    place, signal = await place_of(gridgram, query.location), Signal(query.signal)
    first_hour = hour_of(as_of or now)
    series = await hours_ahead(gridgram, place.zone.key, signal, first_hour, first_hour + query.hours, as_of)
    if not series.quality.any():
        text = f"{place.zone.key} has no {signal.value} intensity, neither told nor typical, to forecast from"
        raise NoData(place.zone.key, text, hours_missing=query.hours, missing=missing_spans(range(first_hour, first_hour + query.hours)))
    if as_of is None:
        gridgram.intensity.behind(keep_issue(gridgram, place.zone.key, signal, first_hour))
    issued_at = format_time(as_of or now.replace(second=0, microsecond=0))
    return {**series_answer(place, series), "issued_at": issued_at}, series


async def keep_issue(gridgram: Gridgram, zone: str, signal: Signal, now_hour: int) -> None:
    """Keep what is forecast now, ours and a source's own, once an hour; nothing where we have no forecast of our own."""
    store, day = gridgram.intensity.store, now_hour // HOURS_PER_DAY
    try:
        if _has(await issues_of(gridgram, zone, signal, day), now_hour):
            return
        issued = await _issued(gridgram, zone, signal, now_hour)
        if issued is None:
            return
        async with claimed(store, f"issue/{zone}/{signal}", CLAIM_SECONDS, time.monotonic()) as claim:
            if claim is None:  # another process keeps this hour's
                return
            issues = await issues_of(gridgram, zone, signal, day)
            if not _has(issues, now_hour) and not claim.is_over:
                await store.keep(_issues_name(zone, signal, day), encode_issues([*issues, issued]), KEPT_SECONDS)
    except StoreError:
        return  # skill is told from what could be kept


async def issues_of(gridgram: Gridgram, zone: str, signal: Signal, day: int) -> list[Issued]:
    """What was issued on a UTC day (its number since 1970), in the order of issue. Raises StoreError."""
    packed = await gridgram.intensity.store.kept(_issues_name(zone, signal, day))
    issues = decode_issues(packed) if packed is not None else []
    return [issued for issued in issues if len(issued.g_per_kwh) == ISSUED_HOURS]


async def _issued(gridgram: Gridgram, zone: str, signal: Signal, now_hour: int) -> Issued | None:
    outlook = await gridgram.forecaster.outlook(zone, signal, now_hour)
    if outlook is None or outlook.first_hour > now_hour:
        return None
    ahead = outlook.window(now_hour, now_hour + ISSUED_HOURS)
    told = await gridgram.intensity.read(zone, signal, now_hour, now_hour + ISSUED_HOURS)
    return Issued(now_hour, outlook.first_hour, ahead.g_per_kwh, ahead.low, ahead.high, _own(told))


def _has(issues: list[Issued], hour: int) -> bool:
    return any(issued.first_hour == hour for issued in issues)


def _issues_name(zone: str, signal: Signal, day: int) -> str:
    """Where the forecasts that were issued on a day are kept: one thing a day, so that a month is read in a few calls of the store."""
    return f"forecasts/{zone}/{signal}/{hour_start(day * HOURS_PER_DAY).date()}"


def _own(told: IntensitySeries) -> np.ndarray:
    """What a source itself forecasts, NaN elsewhere. [gCO2e/kWh]"""
    is_ours = np.array([source.provider == PROVIDER for source in told.sources] or [True])
    return np.where((told.quality == _FORECAST) & ~is_ours[told.source], told.g_per_kwh, np.nan)
