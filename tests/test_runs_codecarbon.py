"""The real CodeCarbon, unmodified, tracking a real process and pointed at a running Gridgram by its own settings."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from service.keys import new_key
from tests.running import CLIENTS_PYTHON, running_service
from tests.wire import get

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    not CLIENTS_PYTHON.is_file(),
    reason="the real clients are not installed: make setup-clients does it; the sink's own tests run without them",
)

SECONDS = 60
# The constant power needs no RAPL and no driver; sockets to anywhere but this machine are refused, as on a node without a network.
TRACKED = """
import socket, sys, time
connect = socket.socket.connect
def refuse(self, address):
    if isinstance(address, tuple) and address[0] not in {"127.0.0.1", "localhost"}:
        raise OSError("no network")
    return connect(self, address)
socket.socket.connect = refuse
import codecarbon
settings = dict(force_cpu_power=200, force_ram_power=20, measure_power_secs=0.5, save_to_file=False)
settings |= dict(log_level="error", allow_multiple_runs=True)
arguments = eval(sys.argv[1])
tracker = getattr(codecarbon, arguments.pop("tracker"))(**settings, **arguments)
tracker.start()
time.sleep(1.2)
if "flush" in sys.argv:
    tracker.flush()
    time.sleep(1.2)
tracker.stop()
data = tracker.final_emissions_data
print(data.energy_consumed, data.emissions, tracker.run_id)
"""


class Tracked(NamedTuple):
    """What CodeCarbon itself says, and what Gridgram holds of it."""

    kwh: float
    kg: float
    run_id: str
    runs: list[Any]


def begin(home: Path, *words: str, **arguments: Any) -> subprocess.Popen[str]:
    """Track a process of its own."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("CODECARBON_")} | {"HOME": str(home)}
    return subprocess.Popen(
        [str(CLIENTS_PYTHON), "-W", "ignore", "-c", TRACKED, repr({"tracker": "OfflineEmissionsTracker", **arguments}), *words],
        cwd=home,
        env=environment | {"PYTHONPATH": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def facts_of(said: str, errors: str) -> tuple[float, float, str]:
    """Its own kWh, kg and run id. It must have met no error, and no status that it did not expect."""
    assert "ERROR" not in errors, errors
    assert "unexpected status" not in errors, errors
    kwh, kg, run_id = said.split()[-3:]
    return float(kwh), float(kg), run_id


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Tracked]]:
    """Trackers of every kind at once, pointed at one service; by the names of their projects. API runs stand under their place."""
    home = tmp_path_factory.mktemp("codecarbon")
    with running_service(home / "service") as service:
        http, api = f"{service.address}/v1/ingest/codecarbon", {"save_to_api": True, "api_call_interval": -1}
        begun = {
            "total": begin(home, project_name="total", country_iso_code="FRA", emissions_endpoint=http),
            "flushed": begin(home, "flush", project_name="flushed", country_iso_code="DEU", emissions_endpoint=http),
            "cloud": begin(home, project_name="cloud", cloud_provider="gcp", cloud_region="us-west1", emissions_endpoint=http),
            "lost": begin(home, project_name="lost", tracker="EmissionsTracker", emissions_endpoint=http),
            "both": begin(
                home,
                "flush",
                project_name="both",
                country_iso_code="POL",
                emissions_endpoint=http,
                api_endpoint=f"{service.address}/at/PL",
                **api,
            ),
        }
        ended = {name: process.communicate(timeout=SECONDS) for name, process in begun.items()}
        said = {name: facts_of(*texts) for name, texts in ended.items()}
        _, page = service.get("/v1/runs")
        runs = [service.get(f"/v1/runs/{run['id']}")[1] for run in page["runs"]]
        assert [{name: run[name] for name in short} for run, short in zip(runs, page["runs"], strict=True)] == page["runs"]
        asked = {event["operation"] for event in service.events() if event.get("operation") not in {None, "runs", "run"}}
        assert asked == {"codecarbon_total", "codecarbon_run_at", "codecarbon_delta_at"}  # a tracker asks for nothing else beforehand
        yield {
            name: Tracked(*facts, [run for run in runs if run["name"] == name or (name == "both" and run.get("location") == "PL")])
            for name, facts in said.items()
        }


def test_the_http_output_arrives_with_the_trackers_own_numbers(tracked: dict[str, Tracked]) -> None:
    kwh, kg, run_id, (run,) = tracked["total"]

    assert run["id"] == run_id.replace("-", "")
    assert (run["tracker"], run["location"], run["zone"]) == ("codecarbon-http", "FRA", "FR")
    assert run["energy_kwh"] == kwh
    assert run["tracker_emissions_g"] == pytest.approx(kg * 1000, rel=1e-15)
    assert run["emissions_g"] == pytest.approx(kwh * run["intensity_g_per_kwh"])
    assert run["tracker_difference_g"] == pytest.approx(run["emissions_g"] - kg * 1000)
    assert run["hours_missing"] == 0
    assert ["without an offset" in remark for remark in run["remarks"]] == [True]


def test_a_run_that_flushes_is_counted_once(tracked: dict[str, Tracked]) -> None:
    kwh, kg, _, (run,) = tracked["flushed"]

    assert run["samples"] == 2
    assert run["energy_kwh"] == pytest.approx(kwh, rel=1e-12)
    assert run["tracker_emissions_g"] == pytest.approx(kg * 1000, rel=1e-12)
    assert sum(step["energy_kwh"] for step in run["over_time"]) == pytest.approx(kwh, rel=1e-12)


def test_a_cloud_region_is_the_place_of_a_run(tracked: dict[str, Tracked]) -> None:
    kwh, _, _, (run,) = tracked["cloud"]

    assert (run["location"], run["zone"], run["energy_kwh"]) == ("gcp:us-west1", "US-NW-PACW", kwh)


def test_the_api_output_arrives_as_what_is_new_and_adds_up_to_the_trackers_numbers(tracked: dict[str, Tracked]) -> None:
    kwh, kg, _, runs = tracked["both"]
    (run,) = (run for run in runs if run["tracker"] == "codecarbon-api")

    assert (run["location"], run["zone"], run["samples"], run["remarks"]) == ("PL", "PL", 2, [])
    assert run["energy_kwh"] == pytest.approx(kwh, rel=1e-12)
    assert run["tracker_emissions_g"] == pytest.approx(kg * 1000, rel=1e-12)


def test_beside_the_api_output_the_http_output_names_no_run_and_is_told_as_one_that_may_stand_twice(tracked: dict[str, Tracked]) -> None:
    kwh, _, run_id, runs = tracked["both"]
    (run,) = (run for run in runs if run["tracker"] == "codecarbon-http")

    assert run_id == "None"
    assert run["samples"] == 2
    assert run["energy_kwh"] == pytest.approx(kwh, rel=1e-12)
    assert any("may stand under another run" in remark for remark in run["remarks"])


def test_without_a_network_the_trackers_default_country_prices_nothing(tracked: dict[str, Tracked]) -> None:
    kwh, kg, _, (run,) = tracked["lost"]

    assert run["energy_kwh"] == kwh
    assert run["tracker_emissions_g"] == pytest.approx(kg * 1000)
    assert "emissions_g" not in run
    assert "location" not in run
    assert any("Quebec" in remark for remark in run["remarks"])


def test_a_key_gets_in_by_the_trackers_own_settings_and_no_other_key_sees_its_runs(tmp_path: Path) -> None:
    (mine, key), (other, another) = new_key("tracker"), new_key("other")
    with running_service(tmp_path / "service", {"GRIDGRAM_API_KEYS": f"{key.line};{another.line}"}) as service:
        host = service.address.removeprefix("http://")
        api = {"save_to_api": True, "api_key": mine, "api_endpoint": f"{service.address}/at/FR"}
        http = f"http://key:{mine}@{host}/v1/ingest/codecarbon"
        facts_of(*begin(tmp_path, country_iso_code="FRA", emissions_endpoint=http, **api).communicate(timeout=SECONDS))

        found = {text: get(service, "/v1/runs", {"X-API-Key": text}).json["runs"] for text in (mine, other)}

    assert sorted(run["tracker"] for run in found[mine]) == ["codecarbon-api", "codecarbon-http"]
    assert found[other] == []
