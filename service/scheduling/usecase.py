"""Place a job: resolve the locations, gather their hours under one deadline, and weigh every way to run it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

from gridgram.errors import StoreError, UpstreamError
from gridgram.interval import HOURS_PER_DAY, format_time, from_microseconds, hour_of, to_microseconds
from gridgram.quality import MISSING_CODE, QUALITY_CODES, Quality, Signal
from gridgram.schedule import Prospect, best_options, run_at_once
from gridgram.schedule_savings import savings
from gridgram.series import joined
from service.forecasting.usecase import hours_ahead
from service.limits import MAX_ASKED_ZONE_DAYS
from service.refusals import Refused
from service.requests import read_request
from service.scheduling.answers import option_answer, placement_answer, unavailable_answer, unknown_hours, zone_provenance
from service.scheduling.requests import ScheduleRequest, read_work

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from gridgram.locations import Place
    from gridgram.schedule import Option
    from gridgram.schedule_job import Job, Pauses, Site, Window
    from gridgram.series import IntensitySeries
    from service.scheduling.answers import OptionAnswer, ScheduleAnswer
    from service.usecases import Gridgram

log = structlog.get_logger()

SECONDS: Final = 8.0
"""How long hours are waited for when no source is asked: the store and a forecast are quicker than that."""
GRACE_SECONDS: Final = 1.0
"""What a location has, after its sources had their time, to be answered from what is held."""


@dataclass(frozen=True, slots=True)
class Task:
    """A schedule request that has been read: its model, the job, when it may run, and how it may be paused."""

    request: ScheduleRequest
    job: Job
    window: Window
    pauses: Pauses | None
    now: datetime


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule, and the hours that it was made from, by zone."""

    answer: ScheduleAnswer
    hours: dict[str, IntensitySeries]


def read_task(gridgram: Gridgram, members: Any) -> Task:  # noqa: ANN401 - JSON of any shape, checked here
    """Check a schedule request. Pure and without waiting, so it may run in a thread. Raises InvalidInput."""
    now = gridgram.now()
    request = read_request(ScheduleRequest, members, now)
    return Task(request, *read_work(request, now), now)


async def schedule(gridgram: Gridgram, task: Task) -> Schedule:
    """Where and when the job emits least. Raises UnknownLocation."""
    places = await places_of(gridgram, task.request.locations)
    signal, window = Signal(task.request.signal), task.window
    zones, span = dict.fromkeys(place.zone.key for place in places), range(window.first_hour, window.end_hour)
    hours = await gather_hours(gridgram, zones, signal, span, as_of=_as_of(task))
    answer = await asyncio.to_thread(_weigh, task, places, hours)
    return Schedule(answer, hours)


async def places_of(gridgram: Gridgram, locations: Iterable[str]) -> list[Place]:
    """Resolve locations in a thread, since the first point loads the shapes. Raises UnknownLocation for the first that names no zone."""
    resolve = gridgram.locator.resolve
    if any(location[:4].lower() == "geo:" for location in locations):
        return await asyncio.to_thread(lambda: [resolve(location) for location in locations])
    return [resolve(location) for location in locations]


async def gather_hours(
    gridgram: Gridgram, zones: Collection[str], signal: Signal, span: range, *, as_of: datetime | None
) -> dict[str, IntensitySeries]:
    """The hours of many zones, read at once under one deadline; a zone that is late, or fails, is answered by what is held of it.

    Where that is late too, or as of the past, by its typical hours. Sources are asked for MAX_ASKED_ZONE_DAYS at most, the newest; days
    before those are what is held of them. Raises Refused when a zone's sources may not be asked.
    """
    asked_from = hour_of(as_of or gridgram.now()) - MAX_ASKED_ZONE_DAYS // max(1, len(zones)) * HOURS_PER_DAY
    asked_from = min(max(asked_from, span.start), span.stop)
    fetcher = gridgram.intensity.fetcher
    deadline = asyncio.get_running_loop().time() + (fetcher.seconds if fetcher else SECONDS) + GRACE_SECONDS

    async def hours_of(zone: str) -> IntensitySeries | Refused:
        try:
            async with asyncio.timeout_at(deadline):
                parts = [await gridgram.intensity.held_hours(zone, signal, span.start, asked_from)] if span.start < asked_from else []
                if asked_from < span.stop:
                    parts.append(await hours_ahead(gridgram, zone, signal, asked_from, span.stop, as_of))
                return parts[0] if len(parts) == 1 else joined(parts)
        except Refused as error:  # such as by a key's quota; the group would wrap it in one of its own
            return error
        except (TimeoutError, UpstreamError, StoreError) as error:
            log.warning("schedule.late", zone=zone, detail=str(error) or "not in time")
        if as_of is None:
            with suppress(TimeoutError, StoreError):
                async with asyncio.timeout(GRACE_SECONDS):
                    return await gridgram.intensity.held_hours(zone, signal, span.start, span.stop)
        return gridgram.intensity.reference.series(zone, signal, span.start, span.stop)

    async with asyncio.TaskGroup() as group:
        tasks = {zone: group.create_task(hours_of(zone)) for zone in zones}
    gathered = {zone: task.result() for zone, task in tasks.items()}
    for hours in gathered.values():
        if isinstance(hours, Refused):
            raise hours
    return {zone: hours for zone, hours in gathered.items() if not isinstance(hours, Refused)}


def _as_of(task: Task) -> datetime | None:
    """The instant whose knowledge is used; None for all that is known."""
    asked = task.request.as_of
    return None if asked is None or asked >= to_microseconds(task.now) else from_microseconds(asked)


def _weigh(task: Task, places: list[Place], hours: dict[str, IntensitySeries]) -> ScheduleAnswer:
    """Weigh all there is. Takes some milliseconds, so it runs in a thread."""
    request, window = task.request, task.window
    signal, min_quality = Signal(request.signal), Quality(request.min_quality)
    prospects = [
        _prospect(request.site(location), hours[place.zone.key], min_quality)
        for location, place in zip(request.locations, places, strict=True)
    ]
    overall, best = best_options(prospects, task.job, window, task.pauses, request.top)
    baseline = run_at_once(0, prospects[0], task.job, window)

    def write(option: Option) -> OptionAnswer:
        return option_answer(places[option.prospect], option, None if baseline is None else savings(option, baseline, prospects))

    placed = {option.prospect for option in best}
    answer: ScheduleAnswer = {
        "signal": signal.value,
        "earliest": format_time(from_microseconds(window.earliest)),
        "latest": format_time(from_microseconds(window.latest)),
        "as_of": format_time(_as_of(task) or task.now),
        "options": [write(option) for option in overall],
        "per_location": [write(option) for option in best],
        "unavailable": [
            unavailable_answer(place, signal, prospects[index], min_quality) for index, place in enumerate(places) if index not in placed
        ],
        "missing": [spans for place, prospect in zip(places, prospects, strict=True) for spans in unknown_hours(place.location, prospect)],
        "provenance": zone_provenance(hours),
    }
    return answer if baseline is None else {**answer, "baseline": placement_answer(places[0], baseline)}


def _prospect(site: Site, series: IntensitySeries, min_quality: Quality) -> Prospect:
    is_known = (series.quality != MISSING_CODE) & (series.quality <= QUALITY_CODES[min_quality])
    return Prospect(site, series, is_known)
