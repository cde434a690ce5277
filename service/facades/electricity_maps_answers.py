"""What clients of Electricity Maps read: their names, and beside them what this service knows more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NotRequired

from pydantic import RootModel
from typing_extensions import TypedDict  # pydantic makes schemas of this one only, on Python 3.11

from service.facades.electricity_maps_requests import GRANULARITY
from service.facades.telling import is_estimated, stamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gridgram.locations import Place
    from gridgram.quality import Signal
    from service.answers import ProvenanceAnswer


class ElectricityMapsPoint(TypedDict):
    """One hour. [gCO2e/kWh] `carbonIntensity` is rounded half to even, `carbonIntensityExact` is the number itself.

    `updatedAt` is when the hour was fetched, its own start where it ships with the service. `estimationMethod` is the quality of an hour
    that is not measured.
    """

    zone: str
    carbonIntensity: int
    datetime: str
    updatedAt: str
    createdAt: str
    emissionFactorType: str
    isEstimated: bool
    estimationMethod: str | None
    temporalGranularity: str
    carbonIntensityExact: float
    carbonIntensityLow: float
    carbonIntensityHigh: float
    quality: str
    provider: str


class ElectricityMapsLatest(ElectricityMapsPoint):
    """One hour, and where it comes from. `isApproximate`: the zone is only what holds the place; `locationDetail` says why."""

    isApproximate: bool
    locationDetail: NotRequired[str]
    provenance: list[dict[str, Any]]


class ElectricityMapsSeries(TypedDict):
    """What every answer with hours tells of all of them."""

    zone: str
    temporalGranularity: str
    isApproximate: bool
    locationDetail: NotRequired[str]
    provenance: list[dict[str, Any]]


class ElectricityMapsHistory(ElectricityMapsSeries):
    """The last 24 hours, oldest first."""

    history: list[ElectricityMapsPoint]


class ElectricityMapsRange(ElectricityMapsSeries):
    """A span of hours, oldest first."""

    data: list[ElectricityMapsPoint]


class ElectricityMapsForecast(ElectricityMapsSeries):
    """The hours ahead, from the present one on."""

    updatedAt: str
    forecast: list[ElectricityMapsPoint]


class ElectricityMapsLevelPoint(TypedDict):
    """How the newest hour compares with the mean of the ten days before it: low below 90 %, high above 110 %."""

    level: Literal["low", "moderate", "high"]
    datetime: str


class ElectricityMapsLevel(TypedDict):
    """The level of a zone."""

    zone: str
    data: list[ElectricityMapsLevelPoint]


class ElectricityMapsZone(TypedDict):
    """A zone; `access` is there when a token was sent."""

    zoneName: str
    displayName: str
    countryName: str
    countryCode: str
    access: NotRequired[list[str]]


class ElectricityMapsZones(RootModel[dict[str, ElectricityMapsZone]]):
    """All zones by key."""


class ElectricityMapsUpdate(TypedDict):
    """An hour and when its number came."""

    datetime: str
    updated_at: str


class ElectricityMapsUpdates(TypedDict):
    """The hours that got a number since an instant."""

    zone: str
    updates: list[ElectricityMapsUpdate]
    threshold: str
    limit: int
    limitReached: bool


class ElectricityMapsHealth(TypedDict):
    """The service answers."""

    status: Literal["ok"]


class ElectricityMapsOptimum(TypedDict):
    """What the job meets when it starts at once, at the start of the window, and at the best time and place. [gCO2e/kWh]

    Clients build an object of their own from exactly these six.
    """

    metricValueImmediateExecution: float
    metricValueOptimalExecution: float
    metricValueStartWindowExecution: float
    metricUnit: str
    optimizationMetric: str
    zoneKey: str


class ElectricityMapsOptimizer(TypedDict):
    """The best time and place of a job; `optimalLocation` as it was asked for."""

    optimalStartTime: str
    optimalLocation: Any
    optimizationOutput: ElectricityMapsOptimum
    quality: str
    provenance: list[dict[str, Any]]


def point_answer(place: Place, signal: Signal, hour: Mapping[str, Any], fetched_at: str | None) -> ElectricityMapsPoint:
    """Write one hour of a native answer."""
    start, quality = stamp(hour["start"]), hour["quality"]
    told_at = start if fetched_at is None else stamp(fetched_at)
    estimated = is_estimated(quality)
    return {
        "zone": place.zone.key,
        "carbonIntensity": round(hour["g_per_kwh"]),
        "datetime": start,
        "updatedAt": told_at,
        "createdAt": told_at,
        "emissionFactorType": signal.value,
        "isEstimated": estimated,
        "estimationMethod": quality if estimated else None,
        "temporalGranularity": GRANULARITY,
        "carbonIntensityExact": hour["g_per_kwh"],
        "carbonIntensityLow": hour["low"],
        "carbonIntensityHigh": hour["high"],
        "quality": quality,
        "provider": hour["provider"],
    }


def place_answer(place: Place, provenance: list[Any]) -> ElectricityMapsSeries:
    """Write what an answer with hours says of all of them."""
    answer: ElectricityMapsSeries = {
        "zone": place.zone.key,
        "temporalGranularity": GRANULARITY,
        "isApproximate": place.is_approximate,
        "provenance": [_plain(entry) for entry in provenance],
    }
    if place.detail:
        answer["locationDetail"] = place.detail
    return answer


def _plain(entry: ProvenanceAnswer) -> dict[str, Any]:
    return {**entry}
