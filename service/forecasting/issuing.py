"""Forecasts that go out: made for a place, and kept with their time of issue so that they can be held to account."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import numpy as np

from gridgram.errors import Fault, InvalidInput, NoData, StoreError
from gridgram.forecast_codec import Issued, encode_issued
from gridgram.interval import HOURS_PER_DAY, format_time, from_microseconds, hour_of, hour_start
from gridgram.quality import QUALITY_CODES, Quality, Signal
from service.answers import missing_spans, series_answer
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
    name, store = issue_name(zone, signal, now_hour), gridgram.intensity.store
    try:
        if await store.kept(name) is not None:
            return
        outlook = await gridgram.forecaster.outlook(zone, signal, now_hour)
        if outlook is None or outlook.first_hour > now_hour:
            return
        ahead = outlook.window(now_hour, now_hour + ISSUED_HOURS)
        told = await gridgram.intensity.read(zone, signal, now_hour, now_hour + ISSUED_HOURS)
        issued = Issued(now_hour, outlook.first_hour, ahead.g_per_kwh, ahead.low, ahead.high, _own(told))
        await store.keep(name, encode_issued(issued), KEPT_SECONDS)
    except StoreError:
        return  # skill is told from what could be kept


def issue_name(zone: str, signal: Signal, hour: int) -> str:
    """Where the forecast that was issued in an hour is kept."""
    return f"forecasts/{zone}/{signal}/{hour_start(hour - hour % HOURS_PER_DAY).date()}T{hour % HOURS_PER_DAY:02d}"


def _own(told: IntensitySeries) -> np.ndarray:
    """What a source itself forecasts, NaN elsewhere. [gCO2e/kWh]"""
    is_ours = np.array([source.provider == PROVIDER for source in told.sources] or [True])
    return np.where((told.quality == _FORECAST) & ~is_ours[told.source], told.g_per_kwh, np.nan)
