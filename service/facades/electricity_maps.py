"""The API of Electricity Maps over our use cases: the same numbers as `/v1`, rounded where its clients want whole ones."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gridgram.errors import InvalidInput, NoData
from gridgram.interval import MICROSECONDS_PER_HOUR, format_time, from_microseconds, hour_of, hour_start, to_microseconds
from gridgram.quality import MISSING_CODE, QUALITY_CODES, Quality
from gridgram.standing import level
from service.answers import missing_spans, series_answer
from service.facades.asking import place_called, renamed
from service.facades.electricity_maps_answers import place_answer, point_answer
from service.facades.telling import stamp
from service.forecasting.issuing import forecast as native_forecast
from service.forecasting.requests import ForecastQuery as NativeForecastQuery
from service.requests import LatestQuery, SeriesQuery
from service.scheduling.usecase import read_task, schedule
from service.usecases import LATEST_HOURS

if TYPE_CHECKING:
    from gridgram.locations import Place
    from gridgram.quality import Signal
    from gridgram.series import IntensitySeries
    from service.answers import SeriesAnswer
    from service.facades import electricity_maps_answers as answers
    from service.facades import electricity_maps_requests as requests
    from service.usecases import Gridgram

LEVEL_HOURS = 240
UPDATES_HOURS = 240
UNIT = "gCO2eq/kWh"
NAMES = {"/earliest": "/startWindow", "/latest": "/endWindow", "/energy/duration": "/duration"}
_MEASURED = QUALITY_CODES[Quality.MEASURED]


async def latest(gridgram: Gridgram, place: Place, query: requests.ToldQuery) -> answers.ElectricityMapsLatest:
    """The newest hour, as `/v1/intensity/latest` tells it; with estimations off the newest measured one of a day. Raises NoData."""
    if query.disableEstimations:
        series = await _last_day(gridgram, place, query.signal)
        measured = np.flatnonzero(_measured(series).quality)
        if not len(measured):
            raise _no_hours(place, query.signal, series, "measured in the last 24 hours")
        hour = series.first_hour + int(measured[-1])
        return _one(place, series.window(hour, hour + 1))
    told = await gridgram.latest(LatestQuery.model_construct(location=place.zone.key, signal=query.signal.value))
    point = point_answer(place, query.signal, told, told["provenance"][0].get("fetched_at"))
    return {**point, **place_answer(place, told["provenance"])}


async def history(gridgram: Gridgram, place: Place, query: requests.ToldQuery) -> answers.ElectricityMapsHistory:
    """The last 24 hours, the present one included. Raises NoData where not one is known."""
    series = await _last_day(gridgram, place, query.signal)
    if not series.quality.any():
        raise _no_hours(place, query.signal, series, "known")
    kept, points = _points(place, series, query)
    return {**place_answer(place, kept["provenance"]), "history": points}


async def past(gridgram: Gridgram, place: Place, query: requests.PastQuery) -> answers.ElectricityMapsLatest:
    """The hour that holds an instant. Raises NoData."""
    hour = query.datetime // MICROSECONDS_PER_HOUR
    series = await gridgram.intensity.read(place.zone.key, query.signal, hour, hour + 1)
    if query.disableEstimations:
        series = _measured(series)
    if not series.quality.any():
        raise _no_hours(place, query.signal, series, "measured" if query.disableEstimations else "known")
    return _one(place, series)


async def past_range(gridgram: Gridgram, place: Place, query: requests.PastRangeQuery) -> answers.ElectricityMapsRange:
    """The hours of a span that have begun. Raises InvalidInput, and NoData where not one is known."""
    native = SeriesQuery.model_construct(location=place.zone.key, start=query.start, end=query.end, signal=query.signal.value)
    _, series = await gridgram.series(native)
    begun = max(series.first_hour, min(series.end_hour, hour_of(gridgram.now()) + 1))
    kept, points = await asyncio.to_thread(_points, place, series.window(series.first_hour, begun), query)
    return {**place_answer(place, kept["provenance"]), "data": points}


async def forecast(gridgram: Gridgram, place: Place, query: requests.ForecastQuery) -> answers.ElectricityMapsForecast:
    """The hours ahead, as `/v1/forecast` tells them. Raises NoData where not one is known."""
    native = NativeForecastQuery.model_construct(location=place.zone.key, hours=query.horizonHours, signal=query.signal.value, as_of=None)
    told, series = await native_forecast(gridgram, native)
    kept, points = _points(place, series, None)
    return {**place_answer(place, kept["provenance"]), "updatedAt": stamp(told["issued_at"]), "forecast": points}


async def level_of(gridgram: Gridgram, place: Place, query: requests.IntensityQuery) -> answers.ElectricityMapsLevel:
    """How the newest hour compares with the ten days before it that are held. Raises NoData."""
    told = await gridgram.latest(LatestQuery.model_construct(location=place.zone.key, signal=query.signal.value))
    present = hour_of(gridgram.now())
    held = await gridgram.intensity.held_hours(place.zone.key, query.signal, present - LEVEL_HOURS, present)
    known = held.g_per_kwh[held.quality != MISSING_CODE]
    if not len(known):
        raise _no_hours(place, query.signal, held, "known")
    return {"zone": place.zone.key, "data": [{"level": level(told["g_per_kwh"], known).value, "datetime": stamp(told["start"])}]}


def zones(gridgram: Gridgram, *, has_token: bool) -> dict[str, answers.ElectricityMapsZone]:
    """All zones that can be answered."""
    names = {zone.key: zone.name for zone in gridgram.zones}
    told: dict[str, answers.ElectricityMapsZone] = {}
    for zone in gridgram.all_zones()["zones"]:
        if zone["signals"]:
            entry: answers.ElectricityMapsZone = {
                "zoneName": zone["name"],
                "displayName": zone["name"],
                "countryName": names.get(zone["country"], zone["name"]),
                "countryCode": zone["country"],
            }
            told[zone["zone"]] = {**entry, "access": ["*"]} if has_token else entry
    return told


async def updates(gridgram: Gridgram, place: Place, query: requests.UpdatesQuery) -> answers.ElectricityMapsUpdates:
    """The hours of a span whose number was fetched at or after an instant. Raises InvalidInput and NoData."""
    end = query.end or to_microseconds(gridgram.now())
    start = query.start if query.start is not None else end - UPDATES_HOURS * MICROSECONDS_PER_HOUR
    native = SeriesQuery.model_construct(location=place.zone.key, start=start, end=end, signal=query.signal.value)
    _, series = await gridgram.series(native)
    threshold, told = query.threshold or 0, []
    for index in np.flatnonzero(series.quality).tolist():
        begun, fetched_at = hour_start(series.first_hour + index), series.sources[series.source[index]].fetched_at
        if fetched_at is None or to_microseconds(fetched_at) < query.since:
            continue
        if to_microseconds(fetched_at) - to_microseconds(begun) > threshold:
            told.append({"datetime": stamp(begun), "updated_at": stamp(fetched_at)})
    return {
        "zone": place.zone.key,
        "updates": told[: query.limit],  # type: ignore[typeddict-item]  # a list of just these members
        "threshold": f"PT{threshold // 1_000_000}S",
        "limit": query.limit,
        "limitReached": len(told) > query.limit,
    }


async def optimize(gridgram: Gridgram, query: requests.OptimizerRequest) -> answers.ElectricityMapsOptimizer:
    """The best time and place of a job, as `/v1/schedule` finds them. Raises InvalidInput, UnknownLocation and NoData."""
    names = [(await place_called(gridgram, name)).location for name in query.places()]
    seconds = query.duration / 1_000_000
    members: dict[str, Any] = {
        "locations": names,
        "energy": {"duration": f"PT{seconds:f}".rstrip("0").rstrip(".") + "S", "total_kwh": 1.0},
        "earliest": format_time(from_microseconds(query.startWindow)),
        "latest": format_time(from_microseconds(query.endWindow)),
        "top": 1,
    }
    now = gridgram.now().replace(second=0, microsecond=0)
    at_once = {"earliest": format_time(now), "latest": format_time(from_microseconds(to_microseconds(now) + query.duration))}
    try:
        placed = (await schedule(gridgram, read_task(gridgram, members))).answer
        started = (await schedule(gridgram, read_task(gridgram, {**members, **at_once, "locations": names[:1]}))).answer
    except InvalidInput as error:
        raise renamed(error, NAMES) from None
    if not placed["options"] or "baseline" not in placed or "baseline" not in started:
        first = (await place_called(gridgram, names[0])).zone.key
        raise NoData(first, "not every hour of the window is known, so nothing can be compared", hours_missing=1, missing=[])
    best = placed["options"][0]
    return {
        "optimalStartTime": stamp(best["start"]),
        "optimalLocation": _as_asked(query.locations[names.index(best["location"])]),
        "optimizationOutput": {
            "metricValueImmediateExecution": started["baseline"]["intensity_g_per_kwh"],
            "metricValueOptimalExecution": best["intensity_g_per_kwh"],
            "metricValueStartWindowExecution": placed["baseline"]["intensity_g_per_kwh"],
            "metricUnit": UNIT,
            "optimizationMetric": query.optimizationMetric,
            "zoneKey": best["zone"],
        },
        "quality": best["quality"],
        "provenance": [{**entry} for entry in placed["provenance"]],
    }


def _as_asked(place: Any) -> Any:  # noqa: ANN401 - one of the three forms of a location
    return place if isinstance(place, str | list) else place.model_dump()


async def _last_day(gridgram: Gridgram, place: Place, signal: Signal) -> IntensitySeries:
    present = hour_of(gridgram.now())
    return await gridgram.intensity.read(place.zone.key, signal, present + 1 - LATEST_HOURS, present + 1)


def _measured(series: IntensitySeries) -> IntensitySeries:
    """The same hours, those that are not measured missing."""
    return replace(series, quality=np.where(series.quality <= _MEASURED, series.quality, MISSING_CODE).astype(np.uint8))


def _points(
    place: Place, series: IntensitySeries, query: requests.ToldQuery | None
) -> tuple[SeriesAnswer, list[answers.ElectricityMapsPoint]]:
    """The hours as points, holes left out; only measured ones where no others are wanted."""
    kept = _measured(series) if query is not None and query.disableEstimations else series
    native = series_answer(place, kept)
    sources = [kept.sources[place_in_table].fetched_at for place_in_table in kept.source[kept.quality != MISSING_CODE].tolist()]
    points = [
        point_answer(place, kept.signal, hour, None if fetched_at is None else format_time(fetched_at))
        for hour, fetched_at in zip(native["hours"], sources, strict=True)
    ]
    return native, points


def _one(place: Place, series: IntensitySeries) -> answers.ElectricityMapsLatest:
    native, points = _points(place, series, None)
    return {**points[0], **place_answer(place, native["provenance"])}


def _no_hours(place: Place, signal: Signal, series: IntensitySeries, what: str) -> NoData:
    hours = range(series.first_hour, series.end_hour)
    text = f"{place.zone.key} has no hour of {signal.value} intensity that is {what}."
    return NoData(place.zone.key, text, hours_missing=len(hours), missing=missing_spans(hours))
