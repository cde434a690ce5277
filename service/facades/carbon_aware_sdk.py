"""The web API of the Carbon Aware SDK over our use cases: the same numbers in g/kWh, by the signal `lifecycle`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gridgram.errors import Fault, InvalidInput
from gridgram.interval import (
    MICROSECONDS_PER_HOUR,
    MICROSECONDS_PER_MINUTE,
    format_microseconds,
    format_time,
    from_microseconds,
    to_microseconds,
)
from gridgram.quality import MISSING_CODE
from gridgram.schedule_job import Job, Site, Window
from gridgram.schedule_starts import SAME, Hours, start_emissions
from service.facades.asking import place_called, renamed
from service.facades.telling import stamp
from service.forecasting.issuing import forecast as native_forecast
from service.forecasting.requests import MAX_AHEAD_HOURS, ForecastQuery
from service.requests import LatestQuery, SeriesQuery

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gridgram.series import IntensitySeries
    from service.facades import carbon_aware_sdk_answers as answers
    from service.usecases import Gridgram

SIGNAL: Final = "lifecycle"
ONE_HOUR: Final = "01:00:00"
AHEAD_HOURS: Final = 96
NAMES: Final = {"/as_of": "/requestedAt", "/energy": "/endTime"}
Qualities = set[str]
"""The qualities of the hours that went into an answer, which itself has no room for them."""


async def emissions(
    gridgram: Gridgram, names: Iterable[str], span: tuple[int, int] | None
) -> tuple[list[answers.CarbonAwareEmissions], Qualities]:
    """The hours of each location in a span, or the newest one. Raises UnknownLocation, InvalidInput and NoData."""
    told: list[answers.CarbonAwareEmissions] = []
    qualities: Qualities = set()
    for name in names:
        zone = (await place_called(gridgram, name)).zone.key
        hours: Sequence[Any]
        if span is None:
            hours = [await gridgram.latest(LatestQuery.model_construct(location=zone, signal=SIGNAL))]
        else:
            query = SeriesQuery.model_construct(location=zone, start=span[0], end=span[1], signal=SIGNAL)
            hours = (await gridgram.series(query))[0]["hours"]
        told += [{"location": name, "time": stamp(hour["start"]), "rating": hour["g_per_kwh"], "duration": ONE_HOUR} for hour in hours]
        qualities |= {hour["quality"] for hour in hours}
    return told, qualities


def best(hours: Sequence[answers.CarbonAwareEmissions]) -> list[answers.CarbonAwareEmissions]:
    """The hours with the least intensity, all of them where several are as low."""
    least = min(hour["rating"] for hour in hours)
    return [hour for hour in hours if hour["rating"] == least]


async def forecast(  # noqa: PLR0913, PLR0917 - a place, a part of the horizon, a window, and when it is asked from
    gridgram: Gridgram, name: str, start: int | None, end: int | None, window_minutes: int, requested_at: int | None
) -> tuple[answers.CarbonAwareForecast, Qualities]:
    """The mean over the window from each hour of a part of the forecast on. Raises InvalidInput, UnknownLocation and NoData."""
    place = await place_called(gridgram, name)
    now = to_microseconds(gridgram.now())
    first_hour = (now if requested_at is None else requested_at) // MICROSECONDS_PER_HOUR
    first, last = first_hour * MICROSECONDS_PER_HOUR, (first_hour + MAX_AHEAD_HOURS) * MICROSECONDS_PER_HOUR
    start = first if start is None else start
    end = (first_hour + AHEAD_HOURS) * MICROSECONDS_PER_HOUR if end is None else end
    if not first <= start <= end <= last:
        text = f"the forecast reaches from {format_microseconds(first)} to {format_microseconds(last)}; this part does not lie in it"
        raise InvalidInput([Fault("/dataStartAt", text)])
    hours = max(1, -(-end // MICROSECONDS_PER_HOUR) - first_hour)
    query = ForecastQuery.model_construct(location=place.zone.key, hours=hours, signal=SIGNAL, as_of=requested_at)
    try:
        told, series = await native_forecast(gridgram, query)
    except InvalidInput as error:
        raise renamed(error, NAMES) from None
    points = _windows(name, series, start, end, window_minutes)
    answer: answers.CarbonAwareForecast = {
        "generatedAt": stamp(told["issued_at"]),
        "requestedAt": stamp(from_microseconds(now if requested_at is None else requested_at)),
        "location": name,
        "dataStartAt": stamp(from_microseconds(start)),
        "dataEndAt": stamp(from_microseconds(end)),
        "windowSize": window_minutes,
        "optimalDataPoints": _least(points),
        "forecastData": points,
    }
    return answer, {hour["quality"] for hour in told["hours"]}


async def average(gridgram: Gridgram, name: str, start: int, end: int) -> tuple[answers.CarbonAwareAverage, Qualities]:
    """The mean of a span, as a job that uses its energy evenly meets it. Raises InvalidInput, UnknownLocation and NoData."""
    zone = (await place_called(gridgram, name)).zone.key
    span = {"start": format_time(from_microseconds(start)), "end": format_time(from_microseconds(end))}
    try:
        job = gridgram.read_job({"location": zone, "energy": {**span, "total_kwh": 1.0}, "signal": SIGNAL})
    except InvalidInput as error:
        raise renamed(error, NAMES) from None
    told = await gridgram.emissions(job)
    answer: answers.CarbonAwareAverage = {
        "location": name,
        "startTime": stamp(from_microseconds(start)),
        "endTime": stamp(from_microseconds(end)),
        "carbonIntensity": told["intensity_g_per_kwh"],
    }
    return answer, set(told["coverage"])


def locations(gridgram: Gridgram) -> dict[str, answers.CarbonAwarePlace]:
    """All zones by key, and all cloud regions whose name is one provider's alone by that name."""
    told: dict[str, answers.CarbonAwarePlace] = {
        zone.key: {"latitude": zone.latitude, "longitude": zone.longitude, "name": zone.key} for zone in gridgram.zones
    }
    regions = [region for region in gridgram.locator.cloud_regions if region.zone]
    counts: dict[str, set[str]] = {}
    for region in regions:
        counts.setdefault(region.region, set()).add(region.zone)
    for region in regions:
        if len(counts[region.region]) == 1:
            told.setdefault(region.region, {"latitude": region.latitude, "longitude": region.longitude, "name": region.region})
    return told


def _windows(name: str, series: IntensitySeries, start: int, end: int, window_minutes: int) -> list[answers.CarbonAwareForecastPoint]:
    """The mean of each window that lies in the part and touches no missing hour, from its start on, an hour apart. [gCO2e/kWh]"""
    length = window_minutes * MICROSECONDS_PER_MINUTE
    window = Window(start, end, MICROSECONDS_PER_HOUR)
    if not window.starts(length):
        return []
    hours = Hours.of(series.first_hour, series.g_per_kwh, series.quality != MISSING_CODE)
    means = start_emissions(hours, Job.of(length, [1.0]), Site(), window)
    return [
        {
            "location": name,
            "timestamp": stamp(from_microseconds(start + place * MICROSECONDS_PER_HOUR)),
            "duration": window_minutes,
            "value": mean,
        }
        for place, mean in enumerate(means.tolist())
        if np.isfinite(mean)
    ]


def _least(points: Sequence[answers.CarbonAwareForecastPoint]) -> list[answers.CarbonAwareForecastPoint]:
    if not points:
        return []
    least = min(point["value"] for point in points)
    return [point for point in points if point["value"] <= least + SAME * abs(least)]
