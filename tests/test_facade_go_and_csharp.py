"""Contracts of the clients in Go and C#: the requests that they send, and their types held against what is answered.

The types are those of grid-intensity-go 0.7.0 (pkg/provider/electricity_maps.go), carbon-aware-sdk 1.8.0
(CarbonAware.DataSources.ElectricityMaps/src/Model, CarbonAware.DataSources.WattTime/src/Model), kubernetes-carbon-intensity-exporter 0.4.0
(pkg/sdk/client) and nf-co2footprint 1.2.1. Both languages ignore members that they do not know, and refuse a value of another type.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from gridgram.interval import format_hour
from tests.facades import present_hour, steady_hour
from tests.wire import get

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.running import RunningService

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?(Z|[+-]\d\d:\d\d)")
SPAN = re.compile(r"\d\d:\d\d:\d\d")
ROUND_TRIP = "2022-03-11T00:00:00.0000000%2B00:00"
"""How .NET writes a time for a query ("o"), the plus escaped."""


@pytest.fixture(autouse=True)
def steady() -> None:
    steady_hour()


def integer(value: Any) -> bool:
    """C#'s int and Go's int32: a whole number without a point."""
    return type(value) is int and abs(value) < 2**31


def number(value: Any) -> bool:
    return type(value) in {int, float}


def text(value: Any) -> bool:
    return type(value) is str


def maybe_text(value: Any) -> bool:
    return value is None or text(value)


def boolean(value: Any) -> bool:
    return type(value) is bool


def instant(value: Any) -> bool:
    return text(value) and INSTANT.fullmatch(value) is not None and datetime.fromisoformat(value).tzinfo is not None


def span(value: Any) -> bool:
    return text(value) and SPAN.fullmatch(value) is not None


def fits(value: dict[str, Any], members: dict[str, Callable[[Any], bool]]) -> bool:
    """Whether a client that declares these members can read the value."""
    return all(name in value and check(value[name]) for name, check in members.items())


GO_POINT = {"zone": text, "carbonIntensity": number, "datetime": instant, "updatedAt": instant, "isEstimated": boolean}
CSHARP_POINT = {
    "carbonIntensity": integer,
    "datetime": instant,
    "updatedAt": instant,
    "createdAt": instant,
    "emissionFactorType": text,
    "isEstimated": boolean,
    "estimationMethod": maybe_text,
}


def test_grid_intensity_go_finds_the_newest_measured_and_the_newest_estimated_hour(held: RunningService) -> None:
    answer = get(held, "/v3/carbon-intensity/history?zone=FR", {"auth-token": "local"})

    assert answer.headers.get_content_type() == "application/json"
    assert fits(answer.json, {"zone": text})
    assert all(fits(point, GO_POINT) for point in answer.json["history"])
    assert {point["isEstimated"] for point in answer.json["history"]} == {True, False}


@pytest.mark.parametrize("place", ["zone=FR", "lat=48.85&lon=2.35"])
def test_the_carbon_aware_sdk_reads_history_range_and_forecast(held: RunningService, place: str) -> None:
    headers = {"auth-token": "local", "Accept": "application/json"}
    history = get(held, f"/v3/carbon-intensity/history?{place}&disableEstimations=false&emissionFactorType=lifecycle", headers).json
    end = "2022-03-21T00:00:00.0000000%2B00:00"
    data = get(held, f"/v3/carbon-intensity/past-range?{place}&start={ROUND_TRIP}&end={end}", headers).json
    forecast = get(held, f"/v3/carbon-intensity/forecast?{place}", headers).json

    assert all(fits(point, CSHARP_POINT) for point in (*history["history"], *data["data"]))
    assert len(data["data"]) == 240
    assert datetime.fromisoformat(history["history"][1]["datetime"]) > datetime.fromisoformat(history["history"][0]["datetime"])
    assert fits(forecast, {"zone": text, "updatedAt": instant})
    assert all(fits(point, {"carbonIntensity": integer, "datetime": instant}) for point in forecast["forecast"])


def test_the_carbon_aware_sdk_is_granted_every_path_of_every_zone(held: RunningService) -> None:
    zones = get(held, "/v3/zones", {"auth-token": "local"}).json

    assert len(zones) > 300
    assert all(fits(zone, {"zoneName": text}) and zone["access"] == ["*"] for zone in zones.values())


def test_the_carbon_aware_sdk_reads_watttime_too(held: RunningService) -> None:
    token = get(held, "/login", {"Authorization": "Basic dXNlcjpwYXNz"}).json["token"]
    headers = {"Authorization": f"Bearer {token}"}
    region = get(held, "/v3/region-from-loc?latitude=48.85&longitude=2.35&signal_type=co2_aoer", headers).json["region"]
    present = present_hour()
    when = f"start={format_hour(present - 5)}&end={format_hour(present - 3)}"
    for path in (f"historical?region={region}&signal_type=co2_aoer&{when}", f"forecast?region={region}&signal_type=co2_aoer"):
        told = get(held, f"/v3/{path}", headers).json
        assert all(fits(point, {"point_time": instant, "value": number}) for point in told["data"])
        assert fits(told["meta"], {"region": text, "signal_type": text, "units": text, "data_point_period_seconds": integer})


def test_generated_clients_of_the_web_api_know_every_member(held: RunningService) -> None:
    (hour,) = get(held, "/emissions/bylocation?location=eastus").json
    (forecast,) = get(held, "/emissions/forecasts/current?location=eastus").json
    average = get(held, f"/emissions/average-carbon-intensity?location=eastus&startTime={ROUND_TRIP}&endTime=2022-03-11T12:00:00Z").json
    point = {"location": text, "timestamp": instant, "duration": integer, "value": number}
    members: dict[str, Any] = {
        "generatedAt": instant,
        "requestedAt": instant,
        "location": text,
        "dataStartAt": instant,
        "dataEndAt": instant,
    }

    assert fits(hour, known := {"location": text, "time": instant, "rating": number, "duration": span})
    assert hour.keys() == known.keys()
    assert fits(forecast, members | {"windowSize": integer})
    assert forecast.keys() == {*members, "windowSize", "optimalDataPoints", "forecastData"}
    assert all(fits(value, point) and value.keys() == point.keys() for value in forecast["forecastData"] + forecast["optimalDataPoints"])
    assert fits(average, known := {"location": text, "startTime": instant, "endTime": instant, "carbonIntensity": number})
    assert average.keys() == known.keys()


def test_the_exporter_of_kubernetes_finds_a_forecast_that_covers_now(held: RunningService) -> None:
    (forecast,) = get(held, "/emissions/forecasts/current?location=westus").json

    assert forecast["forecastData"][0]["timestamp"] == format_hour(present_hour()).replace("Z", ".000Z")


def test_the_plugin_of_nextflow_parses_the_stamp_of_the_latest_hour(held: RunningService) -> None:
    told = get(held, "/v3/carbon-intensity/latest?zone=FR", {"auth-token": "local"}).json

    assert told["datetime"].endswith("Z")
    assert number(told["carbonIntensity"])
