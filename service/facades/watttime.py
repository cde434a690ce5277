"""The API of WattTime over our use cases: the same hours in lb/MWh, spread over the five-minute points that its clients expect.

Marginal emissions are answered only where a source tells them; nothing average ever stands in for them.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from gridgram.errors import NoData, UnknownLocation
from gridgram.interval import MICROSECONDS_PER_HOUR, from_microseconds, hour_of, parse_time
from gridgram.quality import MISSING_CODE
from gridgram.standing import percentile
from gridgram.units import lb_per_mwh_from_g_per_kwh
from service.answers import missing_spans, series_provenance
from service.facades.asking import point
from service.facades.telling import is_estimated
from service.facades.watttime_requests import SIGNALS
from service.forecasting.issuing import forecast as native_forecast
from service.forecasting.issuing import place_of
from service.forecasting.requests import ForecastQuery as NativeForecastQuery
from service.requests import LatestQuery, SeriesQuery

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gridgram.locations import Place
    from gridgram.series import IntensitySeries
    from service.answers import SeriesHourAnswer
    from service.facades import watttime_answers as answers
    from service.facades import watttime_requests as requests
    from service.usecases import Gridgram

STEP: Final = timedelta(minutes=5)
STEP_SECONDS: Final = 300
STEPS_PER_HOUR: Final = 12
STEP_MICROSECONDS: Final = 300_000_000
INDEX_HOURS: Final = 720
UNITS: Final = "lbs_co2_per_mwh"
FIRST_DAY: Final = "2000-01-01"
MODEL: Final[answers.WattTimeModel] = {"date": FIRST_DAY, "type": "hourly"}
"""There is one model, and it has no date of its own: the earliest time that is accepted stands there."""

SPREAD: Final = "Values are hourly; each five-minute point has the value of its hour."
UNCOVERED: Final = "No coverage available for these coordinates and signal_type"
"""Clients look for this text."""
AMONG: Final = "The percentile is among the hours of the last 30 days, not among those that are forecast for the next 24 hours."
ESTIMATED: Final = "Some hours are not measured: {qualities}."


async def historical(gridgram: Gridgram, place: Place, query: requests.HistoricalQuery) -> answers.WattTimePoints:
    """The points of a span, both ends included. Raises InvalidInput, and NoData where not one hour is known."""
    first = -(-query.start // STEP_MICROSECONDS) * STEP_MICROSECONDS
    end = query.end // STEP_MICROSECONDS * STEP_MICROSECONDS + STEP_MICROSECONDS
    native = SeriesQuery.model_construct(location=place.zone.key, start=first, end=end, signal=query.signal.value)
    told, series = await gridgram.series(native)
    end = min(end, _present_end(gridgram))
    data = await asyncio.to_thread(_points, told["hours"], series, first, end, tells_imputed=query.include_imputed_marker)
    return {"data": data, "meta": _meta(place, query.signal_type, told["hours"], series)}


async def forecast(gridgram: Gridgram, place: Place, query: requests.ForecastQuery) -> answers.WattTimePoints:
    """The points ahead from the present one on. Raises NoData where not one hour is known."""
    now = from_microseconds(_present_step(gridgram))
    end = _present_step(gridgram) + max(query.horizon_hours * MICROSECONDS_PER_HOUR, STEP_MICROSECONDS)
    hours = -(-end // MICROSECONDS_PER_HOUR) - hour_of(now)
    native = NativeForecastQuery.model_construct(location=place.zone.key, hours=hours, signal=query.signal.value, as_of=None)
    told, series = await native_forecast(gridgram, native)
    data = _points(told["hours"], series, _present_step(gridgram), end, tells_imputed=False)
    meta = _meta(place, query.signal_type, told["hours"], series)
    return {"data": data, "meta": {**meta, "generated_at": _time(parse_time(told["issued_at"]))}}


async def signal_index(gridgram: Gridgram, place: Place, query: requests.RegionQuery) -> answers.WattTimePoints:
    """The percentile of the newest hour among those of the 30 days before it that are held. Raises NoData."""
    told = await gridgram.latest(LatestQuery.model_construct(location=place.zone.key, signal=query.signal.value))
    present = hour_of(gridgram.now())
    held = await gridgram.intensity.held_hours(place.zone.key, query.signal, present - INDEX_HOURS, present)
    known = held.g_per_kwh[held.quality != MISSING_CODE]
    if not len(known):
        spans = missing_spans(range(present - INDEX_HOURS, present))
        text = f"{place.zone.key} has no hours of the last 30 days to compare with."
        raise NoData(place.zone.key, text, hours_missing=INDEX_HOURS, missing=spans)
    meta = _meta(place, query.signal_type, [told], held)
    data: list[answers.WattTimePoint] = [{"point_time": _time(parse_time(told["start"])), "value": percentile(told["g_per_kwh"], known)}]
    return {"data": data, "meta": {**meta, "units": "percentile", "warnings": [AMONG, *meta["warnings"][1:]]}}


async def region_of(gridgram: Gridgram, query: requests.PointQuery) -> answers.WattTimeRegion:
    """The region of a point: the key of its zone. Raises UnknownLocation where nothing answers for it."""
    location = point(query.latitude, query.longitude)
    try:
        zone = (await place_of(gridgram, location)).zone
    except UnknownLocation as error:
        raise UnknownLocation(
            location, f"No coverage available for these coordinates and signal_type. {error}", error.suggestions
        ) from None
    if query.signal.value not in (await gridgram.zone(zone.key))["signals"]:
        text = f"{UNCOVERED}: {zone.key} has no {query.signal.value} intensity."
        raise UnknownLocation(location, text, ())
    return {"region": zone.key, "region_full_name": zone.name, "signal_type": query.signal_type}


async def my_access(gridgram: Gridgram) -> answers.WattTimeAccess:
    """The regions of each signal: zones by their keys."""
    held = {(entry.zone, entry.signal.value) for entry in await gridgram.intensity.held()}
    zones = (await asyncio.to_thread(gridgram.all_zones))["zones"]
    return {
        "signal_types": [
            {
                "signal_type": name,
                "regions": [
                    _access(zone["zone"], zone["name"])
                    for zone in zones
                    if signal.value in zone["signals"] or (zone["zone"], signal.value) in held
                ],
            }
            for name, signal in SIGNALS.items()
        ]
    }


def _access(zone: str, name: str) -> answers.WattTimeAccessRegion:
    model: answers.WattTimeAccessModel = {
        "model": MODEL["date"],
        "type": MODEL["type"],
        "data_start": FIRST_DAY,
        "train_start": FIRST_DAY,
        "train_end": FIRST_DAY,
    }
    return {
        "region": zone,
        "region_full_name": name,
        "endpoints": [
            {"endpoint": "v3/historical", "models": [model]},
            {"endpoint": "v3/forecast", "models": [model]},
            {"endpoint": "v3/signal-index", "models": [model]},
        ],
    }


def _points(
    hours: Sequence[SeriesHourAnswer], series: IntensitySeries, first: int, end: int, *, tells_imputed: bool
) -> list[answers.WattTimePoint]:
    """Each hour at the five-minute points of [first, end) that it holds. [microseconds, lb/MWh]"""
    fetched = [series.sources[place].fetched_at for place in series.source[series.quality != MISSING_CODE].tolist()]
    points: list[answers.WattTimePoint] = []
    for hour, fetched_at in zip(hours, fetched, strict=True):
        start = parse_time(hour["start"])
        shared: dict[str, Any] = {"value": lb_per_mwh_from_g_per_kwh(hour["g_per_kwh"])}
        if fetched_at is not None:
            shared["last_updated"] = _time(fetched_at)
        if tells_imputed:
            shared["imputed_data_used"] = is_estimated(hour["quality"])
        base = hour_of(start) * MICROSECONDS_PER_HOUR
        steps = range(max(0, (first - base) // STEP_MICROSECONDS), min(STEPS_PER_HOUR, (end - base) // STEP_MICROSECONDS))
        points += [{"point_time": _time(start + step * STEP), **shared} for step in steps]  # type: ignore[typeddict-item]  # as declared
    return points


def _meta(place: Place, signal_type: str, hours: Sequence[SeriesHourAnswer], series: IntensitySeries) -> answers.WattTimeMeta:
    estimated = sorted({hour["quality"] for hour in hours if is_estimated(hour["quality"])})
    warnings = [
        SPREAD,
        *([ESTIMATED.format(qualities=", ".join(estimated))] if estimated else []),
        *([place.detail] if place.detail else []),
    ]
    return {
        "data_point_period_seconds": STEP_SECONDS,
        "region": place.location,
        "signal_type": signal_type,
        "units": UNITS,
        "model": MODEL,
        "warnings": warnings,
        "provenance": [{**entry} for entry in series_provenance(series)],
    }


def _present_step(gridgram: Gridgram) -> int:
    now = gridgram.now()
    return hour_of(now) * MICROSECONDS_PER_HOUR + now.minute // 5 * STEP_MICROSECONDS


def _present_end(gridgram: Gridgram) -> int:
    return _present_step(gridgram) + STEP_MICROSECONDS


def _time(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%S}+00:00"
