"""What Gridgram does, apart from how it is asked: HTTP, batch and command line all call these."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gridgram.emissions import account_columns, account_flat, flat_hours_worse_than, given_series, hour_columns, hours_worse_than
from gridgram.errors import NoData, UnknownLocation
from gridgram.interval import MICROSECONDS_PER_HOUR, format_hour, hour_of, hour_start, months_between
from gridgram.quality import MIX, QUALITIES, QUALITY_CODES, Quality, Scope, Signal
from gridgram.series import FILE_PROVIDER
from gridgram.zones import ZoneKind
from providers.base import ProviderInfo
from service.answers import (
    candidate_answer,
    emissions_answer,
    equivalents_answer,
    held_answer,
    job_hours_answer,
    locate_answer,
    missing_spans,
    offer_answer,
    place_members,
    provider_answer,
    series_answer,
    series_provenance,
    source_answer,
    zone_answer,
)
from service.at_once import emissions_at_once
from service.freshness import stale_after_seconds
from service.jobs import Job, read_job
from service.limits import MAX_FAULTS
from service.requests import check_span
from service.written import WrittenMonths

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gridgram.emissions import Emissions, HourColumns
    from gridgram.locations import Locator, Place
    from gridgram.series import IntensitySeries
    from gridgram.zones import Zone, Zones
    from service.answers import (
        EmissionsAnswer,
        LatestAnswer,
        LocateAnswer,
        ProvidersAnswer,
        SeriesAnswer,
        ZoneDetailAnswer,
        ZonesAnswer,
    )
    from service.forecasting.ahead import KnownAhead
    from service.forecasting.forecaster import Forecaster
    from service.history import History
    from service.intensity import Intensity
    from service.refreshing import Refresher
    from service.requests import LatestQuery, LocationQuery, SeriesQuery

FILE_INFO = ProviderInfo(
    name=FILE_PROVIDER,
    title="A user's own hours",
    offers=("history",),
    signals=tuple(Signal),
    scope=tuple(Scope),
    needs_key=False,
    licence="as the user's own terms say",
    attribution="the imported file, named with every hour",
    url="/docs",
    detail="Hours that were put into the store with `gridgram import`; they outrank every other source.",
)
LATEST_HOURS = 24
"""How far back the newest known hour is looked for; before that it says nothing about now."""
THREADED_HOURS = 1_000
"""From this many hours on an answer is written in a thread: it takes some milliseconds."""
_KNOWN = QUALITY_CODES[Quality.ESTIMATED]


def utc_now() -> datetime:
    """The present instant."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Gridgram:
    """All use cases, over the parts that `service.app` built."""

    zones: Zones
    locator: Locator
    intensity: Intensity
    now: Callable[[], datetime] = utc_now
    refresher: Refresher | None = None
    history: History | None = None
    ahead: KnownAhead = field(kw_only=True)
    written: WrittenMonths = field(default_factory=WrittenMonths)

    @property
    def forecaster(self) -> Forecaster:
        """Who makes our own forecasts."""
        return self.ahead.forecaster

    def read_job(self, members: Any) -> Job:  # noqa: ANN401 - JSON of any shape, checked here
        """Check the members of a job. Pure and without waiting, so it may run in a thread. Raises InvalidInput."""
        return read_job(members, self.now())

    def emissions_at_once(self, body: bytes) -> bytes | None:
        """The JSON answer to the JSON of a job, where it can be given without waiting and the job has no fault; else None."""
        return emissions_at_once(body, self.now(), self.locator, self.intensity, self.written)

    async def emissions(self, job: Job) -> EmissionsAnswer:
        """Turn one job into emissions. Raises UnknownLocation and NoData."""
        place = None if job.location is None else await self._place(job.location)
        if place is not None and job.is_flat and job.given_g_per_kwh is None and not job.include:
            return emissions_answer(place, job, await self._flat_emissions(place.zone, job))
        columns = await self._job_hours(place, job)
        if len(columns.hours) >= THREADED_HOURS:
            return await asyncio.to_thread(_write_emissions, place, job, columns)
        return _write_emissions(place, job, columns)

    async def series(self, query: SeriesQuery) -> tuple[SeriesAnswer, IntensitySeries]:
        """Hourly intensity of a span. Raises UnknownLocation, InvalidInput, and NoData when not one hour is held."""
        check_span(query.start, query.end, "/end")
        place = await self._place(query.location)
        first_hour, end_hour = query.start // MICROSECONDS_PER_HOUR, -(-query.end // MICROSECONDS_PER_HOUR)
        series = await self.intensity.read(place.zone.key, Signal(query.signal), first_hour, end_hour)
        if not series.quality.any():
            raise self._no_data(place.zone, series.signal, range(first_hour, end_hour), None)
        if end_hour - first_hour >= THREADED_HOURS:
            return await asyncio.to_thread(series_answer, place, series), series
        return series_answer(place, series), series

    async def latest(self, query: LatestQuery) -> LatestAnswer:
        """The newest hour that a source told, if it lies within a day; else what is typical for the present hour.

        A held hour is answered at once, a stale one only when no source is worth waiting for.
        """
        now = self.now()
        place = await self._place(query.location)
        signal, present = Signal(query.signal), hour_of(now)
        span = place.zone.key, signal, present - LATEST_HOURS, present + 1
        newest = newest_known(await self.intensity.read_at_once(*span))
        fetcher = self.intensity.fetcher
        if newest is None or (self.is_stale(newest, now) and fetcher and fetcher.is_answering(place.zone.key, signal)):
            series = await self.intensity.read(*span)
            newest = newest_known(series) or series.window(present, present + 1)
        if not newest.quality[0]:
            raise self._no_data(place.zone, signal, [present], None)
        hour = newest.first_hour
        return {
            **place_members(place),
            "signal": signal.value,
            "start": format_hour(hour),
            "end": format_hour(hour + 1),
            "g_per_kwh": float(newest.g_per_kwh[0]),
            "low": float(newest.low[0]),
            "high": float(newest.high[0]),
            "quality": QUALITIES[newest.quality[0] - 1].value,
            "provider": newest.sources[newest.source[0]].provider,
            "age_seconds": age_seconds(newest, now),
            "stale": self.is_stale(newest, now),
            "provenance": series_provenance(newest),
        }

    def is_stale(self, newest: IntensitySeries, now: datetime) -> bool:
        """Whether an hour is older than its source should let it become."""
        fetcher = self.intensity.fetcher
        provider = newest.sources[newest.source[0]].provider
        return age_seconds(newest, now) > stale_after_seconds(fetcher.providers.get(provider) if fetcher else None)

    async def locate(self, query: LocationQuery) -> LocateAnswer:
        """The zone of a location. Raises UnknownLocation."""
        return locate_answer(await self._place(query.location))

    def all_zones(self) -> ZonesAnswer:
        """All zones, and the signals that each can always answer."""
        return {"zones": [zone_answer(zone, self._signals(zone)) for zone in self.zones]}

    async def zone(self, key: str) -> ZoneDetailAnswer:
        """One zone and what its signals are answered from. Raises UnknownLocation for a key that is no zone's."""
        zone = self.zones.get(key.upper()) if key.isascii() else None
        if zone is None:
            place = await self._place(key)
            raise UnknownLocation(key, f"{key[:60]!r} is a location, not the key of a zone.", (place.zone.key,))
        offers = {signal.value: offer for signal in Signal if (offer := self.intensity.reference.offer(zone.key, signal))}
        held = [held for held in await self.intensity.held() if held.zone == zone.key]
        answered = {*self._signals(zone), *(entry.signal.value for entry in held)}
        signals: list[str] = [signal.value for signal in Signal if signal.value in answered]
        fetcher = self.intensity.fetcher
        chains = {str(told): fetcher.candidates(zone.key, told) for told in (*Signal, MIX)} if fetcher else {}
        return {
            **zone_answer(zone, signals),
            "codes": {system: list(codes) for system, codes in zone.codes.items()},
            "reference": {signal: offer_answer(offer) for signal, offer in offers.items()},
            "held": [held_answer(entry) for entry in held],
            "sources": {told: [candidate_answer(candidate) for candidate in chain] for told, chain in chains.items() if chain},
        }

    def zone_of_hours(self, location: str) -> str:
        """The key of the zone that a user's own hours are of. Raises UnknownLocation for a place that only lies in a zone.

        Hours of Maharashtra (IN-MH) are not those of Western India (IN-WE), though a job in Maharashtra is answered from there.
        """
        place = self.locator.resolve(location)
        is_the_zone = place.kind in {"zone", "code"} or (place.kind == "iso3166" and place.zone.kind is ZoneKind.COUNTRY)
        if place.is_approximate or not is_the_zone:
            reason = f"{location[:60]!r} lies in the zone {place.zone.key}, but hours are kept for whole zones."
            raise UnknownLocation(location, reason, (place.zone.key,))
        return place.zone.key

    async def providers(self) -> ProvidersAnswer:
        """All sources of hours and whether they answer."""
        await self.intensity.look_at_store()
        answers = [
            provider_answer(self.intensity.reference.INFO, "ok"),
            provider_answer(FILE_INFO, "down" if self.intensity.store_is_away else "ok"),
        ]
        if fetcher := self.intensity.fetcher:
            sources = fetcher.providers.values()
            answers += [source_answer(source, fetcher.engine.health_of(source), fetcher.why_off(source)) for source in sources]
        return {"providers": answers}

    async def _place(self, location: str) -> Place:
        """Resolve a location; a point in a thread, since the first one loads the shapes."""
        if location[:4].lower() == "geo:":
            return await asyncio.to_thread(self.locator.resolve, location)
        return self.locator.resolve(location)

    async def _job_hours(self, place: Place | None, job: Job) -> HourColumns:
        """The hours of a job beside their intensities, all of them known well enough. Raises NoData."""
        profile = job.profile
        if job.given_g_per_kwh is not None:
            return hour_columns(profile, given_series(profile, job.given_g_per_kwh, job.signal), job.pue)
        assert place is not None  # noqa: S101 - read_job refuses a job with neither
        zone, first_hour, end_hour = place.zone.key, profile.hours[0], profile.end_hour
        at_hand = self.intensity.at_hand(zone, job.signal, first_hour, end_hour)
        series = at_hand.series if at_hand else await self.intensity.read(zone, job.signal, first_hour, end_hour)
        columns = hour_columns(profile, series, job.pue)
        if worse := hours_worse_than(job.min_quality, columns):
            raise self._no_data(place.zone, job.signal, worse, job.min_quality)
        return columns

    async def _flat_emissions(self, zone: Zone, job: Job) -> Emissions:
        profile = job.profile
        first_hour, end_hour = profile.hours[0], profile.end_hour
        await self.intensity.prepare(zone.key, job.signal, first_hour, end_hour)
        chunks = await self.intensity.chunks(zone.key, job.signal, months_between(first_hour, end_hour))
        if worse := flat_hours_worse_than(job.min_quality, profile.start, profile.end, chunks):
            raise self._no_data(zone, job.signal, worse, job.min_quality)
        return account_flat(profile.start, profile.end, profile.total_kwh, chunks, job.pue)

    def _no_data(self, zone: Zone, signal: Signal, hours: Sequence[int], min_quality: Quality | None) -> NoData:
        spans = missing_spans(hours)
        asked = f" at quality {min_quality.value} or better" if min_quality not in {None, Quality.ANNUAL} else ""
        others = [other for other in self._signals(zone) if other != signal.value]
        hint = f" Signals that can be answered: {', '.join(others)}." if not asked and others else ""
        text = f"{zone.key} has no {signal.value} intensity{asked} for {len(hours)} of the hours, the first at {spans[0][0]}.{hint}"
        return NoData(zone.key, text, hours_missing=len(hours), missing=spans[:MAX_FAULTS])

    def _signals(self, zone: Zone) -> list[str]:
        """The signals that the reference or a source that is asked can answer."""
        fetcher = self.intensity.fetcher
        told = {signal for signal in Signal if fetcher and fetcher.usable(zone.key, signal)}
        return [signal.value for signal in Signal if signal in told or self.intensity.reference.offer(zone.key, signal)]


def newest_known(series: IntensitySeries) -> IntensitySeries | None:
    """The newest hour that a source told, forecasts excluded."""
    known = ((series.quality > 0) & (series.quality <= _KNOWN)).nonzero()[0]
    hour = series.first_hour + int(known[-1]) if len(known) else None
    return None if hour is None else series.window(hour, hour + 1)


def age_seconds(hour: IntensitySeries, now: datetime) -> float:
    """How long ago an hour ended; 0 while it is not over. [s]"""
    return max(0.0, (now - hour_start(hour.end_hour)).total_seconds())


def _write_emissions(place: Place | None, job: Job, columns: HourColumns) -> EmissionsAnswer:
    emissions = account_columns(job.profile, columns, job.pue)
    answer = emissions_answer(place, job, emissions)
    if "hours" in job.include:
        answer["hours"] = job_hours_answer(columns)
    if "equivalents" in job.include:
        answer["equivalents"] = equivalents_answer(emissions.emissions_g)
    return answer
