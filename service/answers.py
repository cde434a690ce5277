"""What goes out: the shape of each answer, and its making from the domain's values.

The shapes are typed dictionaries: mypy holds the code to them and `openapi.yaml` is made from them; nothing is validated at run time.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NotRequired

import numpy as np
from typing_extensions import TypedDict  # pydantic makes schemas of this one only, on Python 3.11

from gridgram.equivalents import equivalents_of
from gridgram.interval import format_hour, format_hours, format_microseconds, format_time
from gridgram.quality import MISSING_CODE, QUALITIES
from providers.checks import solar_noon_minutes
from service.limits import MAX_FAULTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cache.contract import Held
    from gridgram.emissions import Emissions, HourColumns
    from gridgram.interval import Interval
    from gridgram.locations import Place
    from gridgram.series import IntensitySeries, Source
    from gridgram.zones import Zone
    from providers.base import Provider, ProviderInfo
    from providers.chain import Candidate
    from providers.engine import Fetched
    from providers.health import Health
    from providers.reference import Offer
    from service.auditing.own_numbers import OwnDay
    from service.jobs import Job

QUALITY_NAMES = ("", *(quality.value for quality in QUALITIES))


class ProvenanceAnswer(TypedDict):
    """Where numbers come from and under which terms. `detail` tells vintage and method."""

    provider: str
    signal: str
    scope: str
    quality: str
    licence: str
    attribution: str
    detail: NotRequired[str]
    fetched_at: NotRequired[str]


class EnergyProvenanceAnswer(ProvenanceAnswer):
    """The provenance of a part of a job's energy; the shares of a job add up to 1."""

    energy_share: float


class SeriesProvenanceAnswer(ProvenanceAnswer):
    """The provenance of so many hours of a series."""

    hours: int


class JobHourAnswer(TypedDict):
    """One hour of a job: kWh as the facility drew it; kwh x g_per_kwh = emissions_g. [kWh, gCO2e/kWh, gCO2e]"""

    start: str
    kwh: float
    g_per_kwh: float
    low: float
    high: float
    emissions_g: float
    quality: str
    provider: str


class EquivalentAnswer(TypedDict):
    """The same mass of CO2e in other terms, with the source and year of the factor."""

    name: str
    value: float
    unit: str
    g_per_unit: float
    source: str
    year: int


class EmissionsAnswer(TypedDict):
    """What a job emitted. [kWh, gCO2e, gCO2e/kWh]

    `location`, `zone` and `approximate` are absent when the intensity was given and no location was. `approximate`: the zone is only the
    country that holds the place, or covers it only in part; `location_detail` says why.
    """

    location: NotRequired[str]
    zone: NotRequired[str]
    approximate: NotRequired[bool]
    location_detail: NotRequired[str]
    signal: str
    start: str
    end: str
    energy_kwh: float
    pue: float
    facility_energy_kwh: float
    emissions_g: float
    emissions_low_g: float
    emissions_high_g: float
    intensity_g_per_kwh: float
    coverage: dict[str, float]
    hours_missing: int
    provenance: list[EnergyProvenanceAnswer]
    hours: NotRequired[list[JobHourAnswer]]
    equivalents: NotRequired[list[EquivalentAnswer]]


class PlaceMembers(TypedDict):
    """The place that an answer is for. `approximate`: the zone is only what holds the place; `location_detail` says why."""

    location: str
    zone: str
    approximate: bool
    location_detail: NotRequired[str]


class SeriesHourAnswer(TypedDict):
    """One hour of a series; low and high span the p10-p90 band. [gCO2e/kWh]"""

    start: str
    g_per_kwh: float
    low: float
    high: float
    quality: str
    provider: str


class SpanAnswer(TypedDict):
    """A span, start included and end excluded."""

    start: str
    end: str


class SeriesAnswer(PlaceMembers):
    """Hourly intensity of one zone and one signal, with the spans that are missing."""

    signal: str
    start: str
    end: str
    hours: list[SeriesHourAnswer]
    missing: list[SpanAnswer]
    provenance: list[SeriesProvenanceAnswer]


class LatestAnswer(PlaceMembers):
    """The newest hour that is known, its age at the time of the answer and where it comes from. [gCO2e/kWh, s]

    `stale`: it is older than twice what its source usually takes, so the source is silent or repeats itself.
    """

    signal: str
    start: str
    end: str
    g_per_kwh: float
    low: float
    high: float
    quality: str
    provider: str
    age_seconds: float
    stale: bool
    provenance: list[SeriesProvenanceAnswer]


class ZoneAnswer(TypedDict):
    """A grid area."""

    zone: str
    name: str
    country: str
    kind: Literal["country", "grid", "subdivision"]
    parent: NotRequired[str]
    timezone: str
    latitude: float
    longitude: float
    signals: list[str]


class ZonesAnswer(TypedDict):
    """All zones."""

    zones: list[ZoneAnswer]


class OfferAnswer(TypedDict):
    """What answers a signal of a zone when no hours are held: typical hours or a yearly mean, of which years, from whose figures.

    `mean_zones`: the zone itself, or what stands in for it; of several the unweighted mean.
    """

    quality: str
    years: list[int]
    mean_zones: list[str]
    shape_zone: NotRequired[str]
    detail: str


class HeldAnswer(TypedDict):
    """Hours that the store holds of one signal: so many, all inside [start, end)."""

    signal: str
    start: str
    end: str
    hours: int


class CandidateAnswer(TypedDict):
    """A source that knows a zone and a signal, in the order of asking; `why_not` says why it is not asked."""

    provider: str
    is_asked: bool
    why_not: NotRequired[str]
    scope: str
    offers: list[str]
    resolution_minutes: int
    needs_key: bool


class ZoneDetailAnswer(ZoneAnswer):
    """A grid area, the codes that others know it by, and what each signal is answered from."""

    codes: dict[str, list[str]]
    reference: dict[str, OfferAnswer]
    held: list[HeldAnswer]
    sources: dict[str, list[CandidateAnswer]]


class LocateAnswer(PlaceMembers):
    """The zone of a location."""

    name: str
    country: str
    kind: str


class ProviderAnswer(TypedDict):
    """A source of hours: what it offers, under which licence, and whether it answers.

    `health`: ok (answered last time), unasked (not asked since the start), down (failed last time), off (`why_off` says why).
    """

    name: str
    title: str
    offers: list[str]
    signals: list[str]
    scope: list[str]
    needs_key: bool
    licence: str
    attribution: str
    url: str
    detail: str
    health: Literal["ok", "unasked", "down", "off"]
    why_off: NotRequired[str]
    last_success: NotRequired[str]
    last_error: NotRequired[str]


class ProvidersAnswer(TypedDict):
    """All providers."""

    providers: list[ProviderAnswer]


class FaultAnswer(TypedDict):
    """One thing that is wrong: a JSON pointer (or the name of a parameter) and one sentence."""

    pointer: str
    detail: str


class CheckSeriesAnswer(TypedDict):
    """What a source gave of one signal: so many hours, their qualities, their mean, the newest. [gCO2e/kWh]"""

    signal: str
    hours: int
    quality: str
    mean_g_per_kwh: float
    newest: str


class OwnNumberAnswer(TypedDict):
    """What a source states itself, as a cross-check: its mean, ours of the same hours by the signal compared, and what it counts."""

    signal: str
    basis: str
    own_mean_g_per_kwh: float
    our_mean_g_per_kwh: float
    hours: int


class CheckAnswer(TypedDict):
    """What a source gave for a day. `solar_noon_minutes`: how long after solar noon its solar power centres, where it tells of any.

    `own_number`: the intensity that the source itself states, where it does.
    """

    provider: str
    zone: str
    start: str
    end: str
    points: int
    series: list[CheckSeriesAnswer]
    solar_noon_minutes: NotRequired[float]
    own_number: NotRequired[OwnNumberAnswer]
    faults: list[FaultAnswer]


class HealthAnswer(TypedDict):
    """The process is alive."""

    status: Literal["ok"]


class ReadyAnswer(TypedDict):
    """The service can answer; `store` tells whether it can also read held hours."""

    status: Literal["ready"]
    store: Literal["ok", "away"]


class VersionAnswer(TypedDict):
    """Which Gridgram this is."""

    name: str
    version: str


class ProblemTypeAnswer(TypedDict):
    """A kind of problem: its HTTP status, and what the caller can do about it."""

    code: str
    status: int
    title: str
    mend: str


class ProblemAnswer(TypedDict):
    """An RFC 9457 problem document; `error` and `message` repeat code and detail for clients that look there."""

    type: str
    title: str
    status: int
    detail: str
    hint: str
    error: str
    message: str
    errors: list[FaultAnswer]
    line: NotRequired[int]
    request_id: NotRequired[str]
    location: NotRequired[str]
    suggestions: NotRequired[list[str]]
    zone: NotRequired[str]
    hours_missing: NotRequired[int]
    missing: NotRequired[list[SpanAnswer]]


def emissions_answer(place: Place | None, job: Job, emissions: Emissions) -> EmissionsAnswer:
    """Write what a job emitted, without hours and equivalents."""
    answer: EmissionsAnswer = {
        "signal": str(job.signal),
        "start": format_microseconds(job.profile.start),
        "end": format_microseconds(job.profile.end),
        "energy_kwh": emissions.energy_kwh,
        "pue": job.pue,
        "facility_energy_kwh": emissions.facility_energy_kwh,
        "emissions_g": emissions.emissions_g,
        "emissions_low_g": emissions.emissions_low_g,
        "emissions_high_g": emissions.emissions_high_g,
        "intensity_g_per_kwh": emissions.intensity_g_per_kwh,
        "coverage": {str(quality): share for quality, share in emissions.coverage.items()},
        "hours_missing": 0,
        "provenance": [{**_provenance(part.source, part.quality), "energy_share": part.share} for part in emissions.shares],
    }
    return answer if place is None else {**place_members(place), **answer}


def job_hours_answer(columns: HourColumns) -> list[JobHourAnswer]:
    """Write a job hour by hour."""
    providers = [source.provider for source in columns.sources]
    return [
        {
            "start": start,
            "kwh": kwh,
            "g_per_kwh": g_per_kwh,
            "low": low,
            "high": high,
            "emissions_g": kwh * g_per_kwh,
            "quality": QUALITY_NAMES[quality],
            "provider": providers[source],
        }
        for start, kwh, g_per_kwh, low, high, quality, source in zip(
            format_hours(columns.hours),
            columns.kwh,
            columns.g_per_kwh,
            columns.low,
            columns.high,
            columns.quality,
            columns.source,
            strict=True,
        )
    ]


def equivalents_answer(emissions_g: float) -> list[EquivalentAnswer]:
    """Write a mass of CO2e in other terms."""
    return [
        {
            "name": equivalent.name,
            "value": equivalent.value,
            "unit": equivalent.unit,
            "g_per_unit": equivalent.g_per_unit,
            "source": equivalent.source,
            "year": equivalent.year,
        }
        for equivalent in equivalents_of(emissions_g)
    ]


def series_answer(place: Place, series: IntensitySeries) -> SeriesAnswer:
    """Write a series; missing hours stand in `missing` and nowhere else."""
    held = series.quality != MISSING_CODE
    numbers = np.flatnonzero(held)
    providers = [source.provider for source in series.sources]
    hours: list[SeriesHourAnswer] = [
        {
            "start": start,
            "g_per_kwh": g_per_kwh,
            "low": low,
            "high": high,
            "quality": QUALITY_NAMES[quality],
            "provider": providers[source],
        }
        for start, g_per_kwh, low, high, quality, source in zip(
            format_hours((numbers + series.first_hour).tolist()),
            series.g_per_kwh[held].tolist(),
            series.low[held].tolist(),
            series.high[held].tolist(),
            series.quality[held].tolist(),
            series.source[held].tolist(),
            strict=True,
        )
    ]
    return {
        **place_members(place),
        "signal": series.signal.value,
        "start": format_hour(series.first_hour),
        "end": format_hour(series.end_hour),
        "hours": hours,
        "missing": [{"start": start, "end": end} for start, end in missing_spans(np.flatnonzero(~held) + series.first_hour)],
        "provenance": series_provenance(series),
    }


def series_provenance(series: IntensitySeries) -> list[SeriesProvenanceAnswer]:
    """Tell how many hours come from which source at which quality, best quality first."""
    held = series.quality != MISSING_CODE
    kinds, counts = np.unique((series.quality[held].astype(np.uint16) << 8) | series.source[held], return_counts=True)
    return [
        {
            **provenance_answer(series.sources[kind & 0xFF], QUALITY_NAMES[kind >> 8]),
            "hours": count,
        }
        for kind, count in zip(kinds.tolist(), counts.tolist(), strict=True)
    ]


def provenance_answer(source: Source, quality: str) -> ProvenanceAnswer:
    """Write one source."""
    return _provenance(source, quality).copy()


@lru_cache(maxsize=1_024)
def _provenance(source: Source, quality: str) -> ProvenanceAnswer:
    """As `provenance_answer`, shared by all who ask: to be copied, never changed."""
    answer: ProvenanceAnswer = {
        "provider": source.provider,
        "signal": str(source.signal),
        "scope": str(source.scope),
        "quality": str(quality),
        "licence": source.licence,
        "attribution": source.attribution,
    }
    if source.detail:
        answer["detail"] = source.detail
    if source.fetched_at is not None:
        answer["fetched_at"] = format_time(source.fetched_at)
    return answer


def missing_spans(hours: Sequence[int] | NDArray[np.int64]) -> list[tuple[str, str]]:
    """Join ascending hour numbers into spans, written as RFC 3339."""
    numbers = np.asarray(hours)
    if not len(numbers):
        return []
    breaks = np.flatnonzero(np.diff(numbers) != 1)
    starts = numbers[np.concatenate([[0], breaks + 1])]
    ends = numbers[np.concatenate([breaks, [len(numbers) - 1]])]
    return [(format_hour(start), format_hour(end + 1)) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]


def locate_answer(place: Place) -> LocateAnswer:
    """Write the zone of a location; `kind` is the form that the location was given in."""
    return {
        **place_members(place),
        "name": place.zone.name,
        "country": place.zone.country,
        "kind": place.kind,
    }


def zone_answer(zone: Zone, signals: list[str]) -> ZoneAnswer:
    """Write a zone and the signals that it can answer."""
    answer: ZoneAnswer = {
        "zone": zone.key,
        "name": zone.name,
        "country": zone.country,
        "kind": zone.kind.value,
        "timezone": zone.timezone,
        "latitude": zone.latitude,
        "longitude": zone.longitude,
        "signals": signals,
    }
    if zone.parent:
        answer["parent"] = zone.parent
    return answer


def offer_answer(offer: Offer) -> OfferAnswer:
    """Write what the reference offers for a zone and signal."""
    answer: OfferAnswer = {
        "quality": offer.quality.value,
        "years": list(offer.years),
        "mean_zones": offer.mean_zone.split(", "),
        "detail": offer.detail,
    }
    if offer.shape_zone:
        answer["shape_zone"] = offer.shape_zone
    return answer


def held_answer(held: Held) -> HeldAnswer:
    """Write what the store holds of a zone and signal."""
    return {
        "signal": held.signal.value,
        "start": format_hour(held.first_hour),
        "end": format_hour(held.end_hour),
        "hours": held.hours,
    }


def provider_answer(info: ProviderInfo, health: Literal["ok", "unasked", "down", "off"]) -> ProviderAnswer:
    """Write what a provider says about itself, and whether it answers."""
    return {
        "name": info.name,
        "title": info.title,
        "offers": list(info.offers),
        "signals": [signal.value for signal in info.signals],
        "scope": [scope.value for scope in info.scope],
        "needs_key": info.needs_key,
        "licence": info.licence,
        "attribution": info.attribution,
        "url": info.url,
        "detail": info.detail,
        "health": health,
    }


def source_answer(provider: Provider, health: Health, why_off: str) -> ProviderAnswer:
    """Write a provider that is asked over the network, and how it is doing."""
    state: Literal["ok", "unasked", "down", "off"] = "unasked"
    if why_off:
        state = "off"
    elif health.failures_in_a_row:
        state = "down"
    elif health.last_success is not None:
        state = "ok"
    answer = provider_answer(provider.info, state)
    if why_off:
        answer["why_off"] = why_off
    if health.last_success is not None:
        answer["last_success"] = format_time(health.last_success)
    if health.failures_in_a_row:
        answer["last_error"] = health.last_error
    return answer


def candidate_answer(candidate: Candidate) -> CandidateAnswer:
    """Write a source of a zone and signal, and why it is not asked if so."""
    provider = candidate.provider
    answer: CandidateAnswer = {
        "provider": provider.info.name,
        "is_asked": candidate.may_answer,
        "scope": provider.info.scope[0].value,
        "offers": list(provider.info.offers),
        "resolution_minutes": provider.resolution_minutes,
        "needs_key": provider.info.needs_key,
    }
    if candidate.refusal:
        answer["why_not"] = candidate.refusal
    return answer


def check_answer(provider: Provider, zone: Zone, interval: Interval, fetched: Fetched) -> CheckAnswer:
    """Write what a source gave for a day and how it was read."""
    answer: CheckAnswer = {
        "provider": provider.info.name,
        "zone": zone.key,
        "start": format_time(interval.start),
        "end": format_time(interval.end),
        "points": len(fetched.points),
        "series": [_check_series(series) for series in fetched.series],
        "faults": [{"pointer": fault.where, "detail": fault.detail} for fault in fetched.faults[:MAX_FAULTS]],
    }
    minutes = solar_noon_minutes(fetched.points, zone.longitude)
    if minutes is not None:
        answer["solar_noon_minutes"] = minutes
    return answer


def own_number_answer(provider: Provider, day: OwnDay) -> OwnNumberAnswer:
    """Write what a source, which states something itself, states of a day."""
    assert provider.own_number is not None  # noqa: S101 - else there is no day of it
    return {
        "signal": provider.own_number.signal.value,
        "basis": provider.own_number.basis,
        "own_mean_g_per_kwh": day.own_g_per_kwh,
        "our_mean_g_per_kwh": day.our_g_per_kwh,
        "hours": day.hours,
    }


def _check_series(series: IntensitySeries) -> CheckSeriesAnswer:
    held = np.flatnonzero(series.quality != MISSING_CODE)
    return {
        "signal": series.signal.value,
        "hours": len(held),
        "quality": ", ".join(QUALITY_NAMES[code] for code in np.unique(series.quality[held]).tolist()),
        "mean_g_per_kwh": float(series.g_per_kwh[held].mean()),
        "newest": format_hour(series.first_hour + int(held[-1])),
    }


def place_members(place: Place) -> PlaceMembers:
    """Write what an answer says about the place that it is for."""
    members: PlaceMembers = {"location": place.location, "zone": place.zone.key, "approximate": place.is_approximate}
    if place.detail:
        members["location_detail"] = place.detail
    return members
