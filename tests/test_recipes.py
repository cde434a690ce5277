"""Every recipe is run as it stands: against a service, with the host's address in place of the one that it names."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jinja2 import Template

from service.metrics.table import METRICS
from tests.client_reports import client_report, of
from tests.running import CLIENTS_PYTHON, environment
from tests.wire import get

if TYPE_CHECKING:
    from tests.running import RunningService

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "docs" / "recipes"
HOST = "http://127.0.0.1:8080"


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (RECIPES / f"{name}.md").read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def left(held: RunningService, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the recipes for real tools left behind in them."""
    return client_report("recipes.py", tmp_path_factory.mktemp("recipes"), held.address, str(RECIPES))


def check_figures(told: dict[str, float]) -> None:
    assert told["gridgram/energy_kwh"] == 1.7
    assert told["gridgram/emissions_g"] == pytest.approx(1.7 * told["gridgram/intensity_g_per_kwh"])
    assert told["gridgram/emissions_low_g"] <= told["gridgram/emissions_g"] <= told["gridgram/emissions_high_g"]
    assert 0 <= told["gridgram/measured_share"] <= 1


def test_mlflow_holds_the_figures_of_a_run(left: dict[str, Any]) -> None:
    check_figures(of(left, "mlflow"))


def test_weights_and_biases_holds_the_figures_of_a_run(left: dict[str, Any]) -> None:
    told = of(left, "wandb")

    check_figures({name: figure for name, figure in told.items() if name.startswith("gridgram/")})


def test_the_operator_of_electricity_maps_for_airflow_asks_the_service(held: RunningService, left: dict[str, Any]) -> None:
    told = of(left, "airflow")

    assert told["url"] == f"{held.address}/beta/carbon-aware-optimizer"
    assert told["g_per_kwh"] > 0


def test_airflow_gets_the_start_that_the_schedule_tells(held: RunningService, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks("airflow", "python")
    exec(code.replace(HOST, held.address), {"__name__": "recipe"})

    assert datetime.fromisoformat(capsys.readouterr().out.strip()).tzinfo is not None


def run_shell(code: str, folder: Path, address: str) -> str:
    """Run a recipe's commands, with `gridgram` from this checkout."""
    command = folder / "gridgram"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from service.cli import app; app()" "$@"\n')
    command.chmod(0o755)
    settings = environment(folder) | {"PYTHONPATH": str(ROOT)}
    settings["PATH"] = f"{folder}:{settings['PATH']}"
    outcome = subprocess.run(
        ["/bin/sh", "-ec", code.replace(HOST, address)], cwd=folder, env=settings, capture_output=True, text=True, check=False, timeout=120
    )
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def test_nextflow_gets_the_number_that_is_served(held: RunningService, tmp_path: Path) -> None:
    (code,) = blocks("nextflow", "sh")

    assert re.search(r"co2footprint \{ ci = \d+(\.\d+)? \}", run_shell(code, tmp_path, held.address))


def test_home_assistant_finds_every_member_that_its_sensor_reads(held: RunningService) -> None:
    (text,) = blocks("home-assistant", "yaml")
    (resource,) = yaml.safe_load(text)["rest"]
    (sensor,) = resource["sensor"]
    answer = get(held, resource["resource"].removeprefix(HOST)).json

    shown = {name: Template(sensor[name]).render(value_json=answer) for name in ("value_template", "availability")}
    assert shown == {"value_template": str(round(answer["g_per_kwh"], 0)), "availability": "True"}
    assert Template(sensor["availability"]).render(value_json={}) == "False"
    assert set(sensor["json_attributes"]) <= answer.keys()


def test_grafana_asks_for_metrics_that_there_are_and_for_a_series(held: RunningService) -> None:
    (queries,) = blocks("grafana", "promql")
    (url,) = blocks("grafana", "url")
    filled = url.strip().replace("${__from:date:iso}", "2022-03-11T00:00:00.000Z").replace("${__to:date:iso}", "2022-03-12T00:00:00.000Z")

    assert set(re.findall(r"\b(?:gridgram|grid_intensity)_\w+", queries)) <= METRICS.keys()
    assert len(get(held, filled.removeprefix(HOST)).json["hours"]) == 24


def test_prometheus_own_tool_takes_the_queries_of_grafana(tmp_path: Path) -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("needs promtool, which Debian's package prometheus brings")
    (queries,) = blocks("grafana", "promql")
    rules = [{"record": f"recipe:{number}", "expr": query} for number, query in enumerate(queries.splitlines())]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "recipe", "rules": rules}]}))

    outcome = subprocess.run([tool, "check", "rules", "rules.yml"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_keda_gets_its_map_and_the_job_that_renews_it_is_one(held: RunningService, tmp_path: Path) -> None:
    (code,), (job,) = blocks("keda", "sh"), blocks("keda", "yaml")
    told = yaml.safe_load(run_shell(code, tmp_path, held.address))

    assert told["kind"] == "ConfigMap"
    assert yaml.safe_load(job)["kind"] == "CronJob"
    assert "gridgram export configmap --zone FR" in job


def test_the_clients_in_python_answer_with_the_number_that_is_served(held: RunningService, tmp_path: Path) -> None:
    if not CLIENTS_PYTHON.exists():
        pytest.skip("NOT TESTED: the recipes of clients in Python. Their environment is not there (make setup-clients).")
    pieces = blocks("python-clients", "python")
    code = "\n".join(pieces).replace(HOST, held.address)
    served = get(held, "/v3/carbon-intensity/latest?zone=FR").json["carbonIntensity"]

    command, settings = [str(CLIENTS_PYTHON), "-W", "ignore", "-c", code], environment(tmp_path, {"NO_PROXY": "127.0.0.1"})
    told = subprocess.run(command, env=settings, capture_output=True, text=True, check=False, timeout=120)

    assert told.returncode == 0, told.stderr
    lines = [line for line in told.stdout.splitlines() if line.endswith(("g/kWh", "lb/MWh"))]
    assert [float(line.split()[0]) for line in lines[:4]] == [served] * 4
    assert lines[4].endswith("lb/MWh")
    assert lines[5].startswith("start at ")
    assert len(lines) == len(pieces)


def test_every_recipe_is_run_by_a_test() -> None:
    text = Path(__file__).read_text()

    assert [path.stem for path in RECIPES.glob("*.md") if f'"{path.stem}"' not in text] == []
