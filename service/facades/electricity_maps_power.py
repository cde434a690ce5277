"""The generation by fuel under the names of Electricity Maps: `power-breakdown`, and the share of fossil fuels for `home-assistant`.

What is generated inside a zone is told, and that alone: sources tell nobody's flows, so maps of consumption, imports and exports are
empty, and their totals absent. Hours of a source that tells only shares have no MW, so they are in no power breakdown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NotRequired

from typing_extensions import TypedDict  # pydantic makes schemas of this one only, on Python 3.11

from gridgram.errors import NoData
from gridgram.interval import from_microseconds, hour_of, hour_start
from gridgram.mix_series import MixUnit
from gridgram.quality import QUALITY_CODES, Quality
from service.answers import series_answer
from service.facades.electricity_maps_answers import ElectricityMapsSeries, place_answer
from service.facades.electricity_maps_requests import GRANULARITY
from service.facades.telling import is_estimated, stamp
from service.mixes.answers import hour_answer, mix_provenance
from service.mixes.reading import read_mix
from service.mixes.usecase import newest_hour, no_mix
from service.usecases import LATEST_HOURS

if TYPE_CHECKING:
    from gridgram.locations import Place
    from gridgram.mix_series import MixSeries
    from service.facades.electricity_maps_requests import PowerQuery, ToldQuery
    from service.usecases import Gridgram

UNITS: Final = {"carbonIntensity": "gCO2eq/kWh", "fossilFuelPercentage": "%"}
_MEASURED = QUALITY_CODES[Quality.MEASURED]
_KNOWN = QUALITY_CODES[Quality.ESTIMATED]


class ElectricityMapsPower(TypedDict):
    """What was generated inside a zone in one hour, by fuel. [mean MW, %]

    Whole numbers, rounded half to even; `...Exact` are the numbers themselves. A fuel that the source does not report is absent. The maps
    of consumption, imports and exports are empty and their totals absent: no source here tells them. Percentages are of the generation;
    what the source calls other is not fossil-free.
    """

    zone: str
    datetime: str
    updatedAt: str
    createdAt: str
    powerProductionBreakdown: dict[str, int]
    powerProductionBreakdownExact: dict[str, float]
    powerConsumptionBreakdown: dict[str, int]
    powerImportBreakdown: dict[str, int]
    powerExportBreakdown: dict[str, int]
    powerProductionTotal: int
    fossilFreePercentage: int
    fossilFreePercentageExact: float
    renewablePercentage: int
    renewablePercentageExact: float
    isEstimated: bool
    estimationMethod: str | None
    temporalGranularity: str
    scope: Literal["production"]
    quality: str
    provider: str


class ElectricityMapsPowerLatest(ElectricityMapsPower):
    """The newest hour, and where it comes from."""

    isApproximate: bool
    locationDetail: NotRequired[str]
    provenance: list[dict[str, Any]]


class ElectricityMapsPowerHistory(ElectricityMapsSeries):
    """The hours of the last 24 that are known, oldest first."""

    history: list[ElectricityMapsPower]


class ElectricityMapsHome(TypedDict):
    """The intensity of the newest hour whose mix is known, and the share of its generation that is not fossil-free. [gCO2e/kWh, %]

    `status` is `no-data` and `data` empty where no mix is known; `message` says why. What the source calls other counts as fossil, as in
    its emission factor.
    """

    status: Literal["ok", "no-data"]
    countryCode: str
    data: dict[str, Any]
    units: dict[str, str]
    message: NotRequired[str]
    provenance: NotRequired[list[dict[str, Any]]]


async def power_latest(gridgram: Gridgram, place: Place, query: PowerQuery) -> ElectricityMapsPowerLatest:
    """The newest hour of a day whose generation is known in MW; with estimations off the newest measured one. Raises NoData."""
    mix = await _last_day(gridgram, place)
    hours = _hours(mix, query)
    if not hours:
        raise _no_power(gridgram, place, mix)
    newest = mix.window(mix.first_hour + hours[-1], mix.first_hour + hours[-1] + 1)
    return {**_point(place, newest, 0), **place_answer(place, mix_provenance(newest))}


async def power_history(gridgram: Gridgram, place: Place, query: PowerQuery) -> ElectricityMapsPowerHistory:
    """The last 24 hours, the present one included, as far as their generation is known in MW. Raises NoData where that is none."""
    mix = await _last_day(gridgram, place)
    hours = _hours(mix, query)
    if not hours:
        raise _no_power(gridgram, place, mix)
    return {**place_answer(place, mix_provenance(mix)), "history": [_point(place, mix, index) for index in hours]}


async def home_assistant(gridgram: Gridgram, place: Place, query: ToldQuery) -> ElectricityMapsHome:
    """The intensity and the share of fossil fuels of one hour, the newest whose mix is known; else why there is none."""
    worst = _MEASURED if query.disableEstimations else _KNOWN
    try:
        newest = await newest_hour(gridgram, place)
    except NoData as error:
        return _nothing(place, str(error))
    if newest.quality[0] > worst:
        day = await _last_day(gridgram, place)
        measured = _known(day, worst)
        if not measured:
            return _nothing(place, "no hour of the last day has a measured mix")
        newest = day.window(day.first_hour + measured[-1], day.first_hour + measured[-1] + 1)
    series = await gridgram.intensity.read_at_once(place.zone.key, query.signal, newest.first_hour, newest.end_hour)
    if not 0 < series.quality[0] <= worst:
        return _nothing(place, f"no source told the {query.signal.value} intensity of the hour whose mix is known")
    shares, native = hour_answer(newest, 0), series_answer(place, series)
    intensity = native["hours"][0]
    data = {
        "datetime": stamp(shares["start"]),
        "carbonIntensity": round(intensity["g_per_kwh"]),
        "fossilFuelPercentage": 100 - shares["low_carbon_percent"],
        "carbonIntensityExact": intensity["g_per_kwh"],
        "quality": intensity["quality"],
        "provider": intensity["provider"],
        "mixQuality": shares["quality"],
        "mixProvider": shares["provider"],
    }
    provenance: list[dict[str, Any]] = [{**entry} for entry in (*native["provenance"], *mix_provenance(newest))]
    return {"status": "ok", "countryCode": place.zone.country, "data": data, "units": UNITS, "provenance": provenance}


def _nothing(place: Place, message: str) -> ElectricityMapsHome:
    return {"status": "no-data", "countryCode": place.zone.country, "data": {}, "units": UNITS, "message": message}


async def _last_day(gridgram: Gridgram, place: Place) -> MixSeries:
    present = hour_of(gridgram.now())
    return await read_mix(gridgram.intensity, place.zone.key, present + 1 - LATEST_HOURS, present + 1)


def _hours(mix: MixSeries, query: PowerQuery) -> list[int]:
    """The places of the hours that are told in MW and well enough."""
    worst = _MEASURED if query.disableEstimations else _KNOWN
    return [index for index in _known(mix, worst) if mix.sources[mix.source[index]].unit is MixUnit.MEGAWATTS]


def _known(mix: MixSeries, worst: int) -> list[int]:
    """The places of the hours that are told at this quality (code) or a better one."""
    places: list[int] = ((mix.quality > 0) & (mix.quality <= worst)).nonzero()[0].tolist()
    return places


def _no_power(gridgram: Gridgram, place: Place, mix: MixSeries) -> NoData:
    hours = range(mix.first_hour, mix.end_hour)
    if not mix.quality.any():
        return no_mix(gridgram, place, hours)
    text = f"{place.zone.key} has no measured hour of generation in MW within a day; /v1/mix has what its sources tell."
    return NoData(place.zone.key, text, hours_missing=len(hours))


def _point(place: Place, mix: MixSeries, index: int) -> ElectricityMapsPower:
    """Write one hour that is told in MW."""
    hour, told_at = hour_answer(mix, index), stamp(from_microseconds(int(mix.fetched_at[index])))
    estimated = is_estimated(hour["quality"])
    return {
        "zone": place.zone.key,
        "datetime": stamp(hour_start(mix.first_hour + index)),
        "updatedAt": told_at,
        "createdAt": told_at,
        "powerProductionBreakdown": {fuel: round(power_mw) for fuel, power_mw in hour["generation_mw"].items()},
        "powerProductionBreakdownExact": hour["generation_mw"],
        "powerConsumptionBreakdown": {},
        "powerImportBreakdown": {},
        "powerExportBreakdown": {},
        "powerProductionTotal": round(hour["total_mw"]),
        "fossilFreePercentage": round(hour["low_carbon_percent"]),
        "fossilFreePercentageExact": hour["low_carbon_percent"],
        "renewablePercentage": round(hour["renewable_percent"]),
        "renewablePercentageExact": hour["renewable_percent"],
        "isEstimated": estimated,
        "estimationMethod": hour["quality"] if estimated else None,
        "temporalGranularity": GRANULARITY,
        "scope": "production",
        "quality": hour["quality"],
        "provider": hour["provider"],
    }
