"""What is read without asking the API: Prometheus' lines of the grid, and the ConfigMap of the hours ahead."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from typer.testing import CliRunner

from gridgram.errors import NoData
from gridgram.interval import format_hour, hour_of
from service.app import build_gridgram
from service.cli import app
from service.exporting.configmap import config_map
from service.forecasting.issuing import forecast
from service.forecasting.requests import ForecastQuery
from service.settings import Settings
from tests.facades import service_with_hours, steady_hour
from tests.running import environment, running_service
from tests.wire import get

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.running import RunningService

LINE = re.compile(r"^(\w+)\{(.*)\} (\S+)$")


def lines(service: RunningService, name: str) -> list[tuple[dict[str, str], float]]:
    """The lines of one metric: labels and number."""
    found = []
    for line in get(service, "/metrics").body.decode().splitlines():
        match = LINE.fullmatch(line)
        if match and match[1] == name:
            found.append((dict(re.findall(r'(\w+)="([^"]*)"', match[2])), float(match[3])))
    return found


# --- Prometheus


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service that nobody else asks, whose store holds hours."""
    with service_with_hours(tmp_path_factory.mktemp("own")) as running:
        yield running


def test_a_zone_in_use_has_a_line_with_the_labels_of_grid_intensity_go(own: RunningService) -> None:
    steady_hour()
    assert lines(own, "grid_intensity_carbon_average") == []
    latest = get(own, "/v1/intensity/latest?location=FR").json
    ((labels, number),) = lines(own, "grid_intensity_carbon_average")

    assert number == latest["g_per_kwh"]
    assert labels == {
        "location": "FR",
        "node": "",
        "provider": "file",
        "region": "",
        "units": "gCO2e per kWh",
        "is_estimated": "true",
    }


def test_the_marginal_line_is_there_only_where_marginal_hours_are_held(own: RunningService) -> None:
    get(own, "/v1/intensity/latest?location=US-CAL-CISO&signal=marginal")
    get(own, "/v1/intensity/latest?location=FR&signal=marginal")
    marginal = lines(own, "grid_intensity_carbon_marginal")
    ages = {(labels["location"], labels["signal"]): (labels["quality"], age) for labels, age in lines(own, "gridgram_data_age_seconds")}

    assert [labels["location"] for labels, _ in marginal] == ["US-CAL-CISO"]
    assert ("FR", "marginal") not in ages
    quality, age_seconds = ages["US-CAL-CISO", "marginal"]
    assert quality == "estimated"
    assert 0 <= age_seconds < 7_200


def test_zones_to_be_kept_fresh_have_a_line_from_the_start_with_their_quality(tmp_path: Path) -> None:
    with running_service(tmp_path, {"GRIDGRAM_REFRESH_ZONES": '["DE","FR"]'}) as running:
        average = lines(running, "grid_intensity_carbon_average")
        ages = lines(running, "gridgram_data_age_seconds")

    assert [labels["location"] for labels, _ in average] == ["DE", "FR"]
    assert {(labels["quality"], age) for labels, age in ages} == {("typical", 0.0)}


def test_a_scrape_is_no_use_of_a_zone_and_lines_have_no_time_of_their_own(tmp_path: Path) -> None:
    with running_service(tmp_path, {"GRIDGRAM_REFRESH_ZONES": '["FR"]'}) as running:
        text = get(running, "/metrics").body.decode()
        again = lines(running, "gridgram_zone_in_use")

    assert [labels for labels, _ in again] == [{"location": "FR", "signal": "lifecycle"}]
    assert all(len(line.split("} ")[-1].split()) == 1 for line in text.splitlines() if line.startswith("grid_intensity"))


def test_every_worker_tells_the_zones_that_another_was_asked_for(tmp_path: Path) -> None:
    with running_service(tmp_path, {"GRIDGRAM_WORKERS": "2"}) as running:
        get(running, "/v1/intensity/latest?location=FR")
        deadline = datetime.now(UTC).timestamp() + 10
        seen = 0
        while seen < 8 and datetime.now(UTC).timestamp() < deadline:
            seen = seen + 1 if lines(running, "grid_intensity_carbon_average") else 0

    assert seen == 8


# --- Kubernetes


async def exported(folder: Path, zone: str, hours: int) -> tuple[Any, Any]:
    """The map of a zone, and the native forecast of the same hours."""
    gridgram = build_gridgram(Settings(offline=True, store=f"sqlite:///{folder / 'series.sqlite'}"))
    told = await config_map(gridgram, zone, hours, "carbon-intensity", "kube-system")
    native, _ = await forecast(gridgram, ForecastQuery(location=zone, hours=hours))
    await gridgram.intensity.close()
    return told, native["hours"]


async def test_the_map_has_the_shape_that_the_operator_reads_and_covers_now(tmp_path: Path) -> None:
    steady_hour()
    told, native = await exported(tmp_path, "FR", 48)
    records = orjson.loads(base64.b64decode(told["binaryData"]["data"]))

    assert (told["apiVersion"], told["kind"]) == ("v1", "ConfigMap")
    assert told["metadata"] == {"name": "carbon-intensity", "namespace": "kube-system"}
    assert [record["value"] for record in records] == [hour["g_per_kwh"] for hour in native]
    assert {tuple(record) for record in records} == {("location", "timestamp", "duration", "value")}
    assert records[0]["timestamp"] == format_hour(hour_of(datetime.now(UTC)))
    assert all(type(record["duration"]) is int for record in records)
    assert all(type(text) is str for text in told["data"].values())
    assert set(told["data"]) == {"lastHeartbeatTime", "message", "numOfRecords", "forecastDateTime", "minForecast", "maxForecast"}
    assert told["data"]["numOfRecords"] == "48"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC", told["data"]["forecastDateTime"])
    assert float(told["data"]["minForecast"]) == round(min(record["value"] for record in records), 6)


async def test_the_map_can_be_replaced_in_one_step_and_names_the_place_as_it_was_asked_for(tmp_path: Path) -> None:
    told, _ = await exported(tmp_path, "aws:eu-west-3", 25)
    records = orjson.loads(base64.b64decode(told["binaryData"]["data"]))

    assert "immutable" not in told
    assert {record["location"] for record in records} == {"aws:eu-west-3"}
    assert len(records) == 25


async def test_a_zone_without_hours_gives_no_map(tmp_path: Path) -> None:
    bare = build_gridgram(Settings(offline=True, store=f"sqlite:///{tmp_path / 'series.sqlite'}"))
    key = next(zone["zone"] for zone in bare.all_zones()["zones"] if "lifecycle" not in zone["signals"])
    with pytest.raises(NoData):
        await config_map(bare, key, 25, "grid", "jobs")
    await bare.intensity.close()


def test_the_command_prints_nothing_where_there_is_no_map(tmp_path: Path) -> None:
    outcome = CliRunner().invoke(app, ["export", "configmap", "--zone", "geo:46,-30"], env=environment(tmp_path))
    short = CliRunner().invoke(app, ["export", "configmap", "--zone", "FR", "--hours", "24"])

    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert (short.exit_code, short.stdout) == (2, "")
