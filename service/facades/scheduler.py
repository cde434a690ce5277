"""The API of the carbon-aware scheduler over our hours: every start in every window and place, weighed as `/v1/schedule` weighs it.

Starts lie an hour apart, since hours are what is known; a run never ends after its window.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from gridgram.errors import Fault, InvalidInput, NoData, UnknownLocation
from gridgram.interval import MICROSECONDS_PER_HOUR, from_microseconds
from gridgram.quality import MISSING_CODE, Signal
from gridgram.schedule_job import Job, Site, Window
from gridgram.schedule_starts import Hours, start_emissions
from service.facades.asking import cloud_region, renamed
from service.facades.telling import stamp
from service.forecasting.issuing import place_of
from service.requests import check_span
from service.scheduling.answers import zone_provenance
from service.scheduling.usecase import gather_hours

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gridgram.series import IntensitySeries
    from service.facades import scheduler_answers as answers
    from service.facades import scheduler_requests as requests
    from service.usecases import Gridgram

SIGNAL: Final = Signal.LIFECYCLE
UNITS: Final = "gCO2e/kWh"


class Start(NamedTuple):
    """One way to run the job: what it meets, from when, and at which of the places asked for. [gCO2e/kWh, microseconds]"""

    g_per_kwh: float
    start: int
    place: int


async def schedule(gridgram: Gridgram, request: requests.SchedulerRequest) -> answers.SchedulerAnswer:
    """Where and when the job meets the least intensity. Raises InvalidInput, and NoData where no start can be weighed."""
    windows = _windows(request)
    zones: dict[int, str] = {}
    unavailable: list[answers.SchedulerUnavailable] = []
    for place, asked in enumerate(request.zones):
        try:
            zones[place] = (await place_of(gridgram, cloud_region(asked.provider, asked.region))).zone.key
        except InvalidInput as error:
            raise renamed(error, {"/dataCenterProvider": f"/zones/{place}/provider"}) from None
        except UnknownLocation as error:
            unavailable.append({"zone": _zone(request, place), "reason": str(error)})
    span = range(min(window.first_hour for window in windows), max(window.end_hour for window in windows))
    hours = await gather_hours(gridgram, set(zones.values()), SIGNAL, span, as_of=None)
    starts = await asyncio.to_thread(_starts, request.duration, windows, zones, hours)
    found = {start.place for start in starts}
    reason = f"not every hour of any run has a {SIGNAL.value} intensity"
    unavailable += [{"zone": _zone(request, place), "reason": reason} for place in zones if place not in found]
    if not starts:
        first = zones.get(0, request.zones[0].region)
        raise NoData(first, f"no start can be weighed: {unavailable[0]['reason']}", hours_missing=len(span), missing=[])
    return _answer(request, starts, unavailable, hours)


def regions(gridgram: Gridgram) -> answers.SchedulerRegions:
    """All cloud regions that have a zone."""
    return {"regions": [{"provider": region.provider, "region": region.region} for region in gridgram.locator.cloud_regions if region.zone]}


def _windows(request: requests.SchedulerRequest) -> list[Window]:
    faults = []
    for place, window in enumerate(request.windows):
        if window.end - window.start < request.duration:
            faults.append(Fault(f"/windows/{place}/end", "the job does not fit into this window"))
    if faults:
        raise InvalidInput(faults)
    check_span(min(window.start for window in request.windows), max(window.end for window in request.windows), "/windows")
    return [Window(window.start, window.end, MICROSECONDS_PER_HOUR) for window in request.windows]


def _starts(duration: int, windows: list[Window], zones: Mapping[int, str], hours: Mapping[str, IntensitySeries]) -> list[Start]:
    """Every start that touches no unknown hour: by window, then place, then time."""
    job, starts = Job.of(duration, [1.0]), list[Start]()
    ready = {zone: Hours.of(series.first_hour, series.g_per_kwh, series.quality != MISSING_CODE) for zone, series in hours.items()}
    for window in windows:
        for place, zone in zones.items():
            means = start_emissions(ready[zone], job, Site(), window)
            starts += [
                Start(mean, window.earliest + index * MICROSECONDS_PER_HOUR, place)
                for index, mean in enumerate(means.tolist())
                if np.isfinite(mean)
            ]
    return starts


def _answer(
    request: requests.SchedulerRequest,
    starts: list[Start],
    unavailable: list[answers.SchedulerUnavailable],
    hours: Mapping[str, IntensitySeries],
) -> answers.SchedulerAnswer:
    ranked = sorted(starts, key=lambda start: (float(f"{start.g_per_kwh:.9e}"), start.start, start.place))
    naive = min(starts, key=lambda start: (start.start, start.place))
    ideal, median, worst = ranked[0], ranked[len(ranked) // 2], ranked[-1]
    return {
        "ideal": _option(request, ideal),
        "options": [_option(request, start) for start in ranked[1 : 1 + (request.num_options or 0)]],
        "worst_case": _option(request, worst),
        "naive_case": _option(request, naive),
        "median_case": _option(request, median),
        "carbon_savings": {
            "vs_naive_case": _saved(ideal, naive),
            "vs_median_case": _saved(ideal, median),
            "vs_worst_case": _saved(ideal, worst),
        },
        "units": UNITS,
        "unavailable": unavailable,
        "provenance": [{**entry} for entry in zone_provenance(hours)],
    }


def _saved(ideal: Start, other: Start) -> float:
    return 100 * (1 - ideal.g_per_kwh / other.g_per_kwh) if other.g_per_kwh > 0 else 0.0


def _option(request: requests.SchedulerRequest, start: Start) -> answers.SchedulerOption:
    return {"time": stamp(from_microseconds(start.start)), "zone": _zone(request, start.place), "co2_intensity": start.g_per_kwh}


def _zone(request: requests.SchedulerRequest, place: int) -> answers.SchedulerZoneAnswer:
    return {"provider": request.zones[place].provider, "region": request.zones[place].region}
