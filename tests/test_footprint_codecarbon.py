"""CodeCarbon's file as deployment: made-up rows for every rule, and files as they really were committed."""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING

import pytest

from gridgram.errors import InvalidInput
from service.footprint.codecarbon import deployments_of
from tests.footprints import component
from tests.running import gridgram
from tests.shared import shared

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "timestamp,run_id,duration,energy_consumed,country_iso_code,pue,cloud_provider,cloud_region,project_name"


def write(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_rows_of_codecarbon_become_hours_of_energy_at_their_place(tmp_path: Path) -> None:
    file = write(
        tmp_path / "emissions.csv",
        "2024-05-31T14:00:00,a,5400,1.5,FRA,1.0,,,p",
        "2024-05-31T14:30:00,b,3600,2.0,FRA,1.0,,,p",
        "2024-05-31T14:30:00,c,3600,3.0,USA,1.2,aws,us-west-2,p",
    )

    french, american = deployments_of(file, "Europe/Paris")

    assert (french["location"], french["energy_basis"]) == ("FRA", "it")
    assert (american["location"], american["energy_basis"]) == ("aws:us-west-2", "facility")
    assert french["energy"]["intervals"] == [
        {"start": "2024-05-31T10:30:00Z", "end": "2024-05-31T11:00:00Z", "kwh": pytest.approx(0.5)},
        {"start": "2024-05-31T11:00:00Z", "end": "2024-05-31T12:00:00Z", "kwh": pytest.approx(2.0)},
        {"start": "2024-05-31T12:00:00Z", "end": "2024-05-31T12:30:00Z", "kwh": pytest.approx(1.0)},
    ]


@pytest.mark.parametrize("stamp", ["2024-10-27T02:30:00", "2024-03-31T02:30:00"])
def test_a_stamp_that_the_clock_showed_twice_or_never_is_refused_and_taken_with_an_offset(tmp_path: Path, stamp: str) -> None:
    doubtful = write(tmp_path / "doubtful.csv", f"{stamp},a,1800,1.5,FRA,1.0,,,p")
    sure = write(tmp_path / "sure.csv", f"{stamp}+02:00,a,1800,1.5,FRA,1.0,,,p")

    with pytest.raises(InvalidInput, match=r"the clock of Europe/Paris (skipped|showed) "):
        deployments_of(doubtful, "Europe/Paris")
    (entry,) = deployments_of(sure, "Europe/Paris")

    assert entry["energy"]["intervals"] == [{"start": f"{stamp[:11]}00:00:00Z", "end": f"{stamp[:11]}00:30:00Z", "kwh": 1.5}]


def test_rows_that_repeat_a_runs_energy_so_far_count_once(tmp_path: Path) -> None:
    file = write(
        tmp_path / "emissions.csv",
        "2024-05-31T13:00:00,a,3600,1.0,FRA,1.0,,,p",
        "2024-05-31T14:00:00,a,7200,1.5,FRA,1.0,,,p",
        "2024-05-31T15:00:00,a,10800,4.0,FRA,1.0,,,p",
    )

    (entry,) = deployments_of(file, "UTC")

    assert [interval["kwh"] for interval in entry["energy"]["intervals"]] == pytest.approx([4 / 3] * 3)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["2024-05-31T13:00:00,a,3600,1.0"], "line 2: the line has 4 cells and the header 9"),
        (["2024-05-31T13:00:00,a,0,1.0,FRA,1,,,p"], "line 2: column duration: 0 s is no duration"),
        (["2024-05-31T13:00:00,a,1,nan,FRA,1,,,p"], "column energy_consumed: 'nan' is not a number"),
        (["yesterday,a,1,1,FRA,1,,,p"], "column timestamp: 'yesterday' is not a time"),
        (["2024-05-31T13:00:00,a,1,1,,1,,,p"], "neither a country nor a cloud region"),
        ([], "holds no rows"),
    ],
)
def test_rows_that_do_not_fit_are_refused_with_their_line(tmp_path: Path, rows: list[str], told: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(told)):
        deployments_of(write(tmp_path / "emissions.csv", *rows), "UTC")


def test_another_file_and_another_zone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"no emissions\.csv of CodeCarbon"):
        deployments_of(write(tmp_path / "x.csv", header="Country,Year"), "UTC")
    with pytest.raises(InvalidInput, match="is no time zone"):
        deployments_of(write(tmp_path / "y.csv"), "Mars/Base")


def test_a_real_file_of_codecarbon_is_a_deployment_on_the_command_line(tmp_path: Path) -> None:
    file = shared("jobs", "codecarbon", "m4chineops.csv")
    (tmp_path / "empty.json").write_text("{}")

    done = gridgram(
        ["footprint", str(tmp_path / "empty.json"), "--codecarbon", str(file), "--codecarbon-timezone", "Europe/Madrid", "--json"], tmp_path
    )

    assert done.stderr == ""
    deployment = component(json.loads(done.stdout), "deployment")
    assert deployment["facility_energy_kwh"] == pytest.approx(0.1243, abs=1e-4)
    assert deployment["uses"][0]["zone"] == "ES"
    unzoned = gridgram(["footprint", str(tmp_path / "empty.json"), "--codecarbon", str(file)], tmp_path)
    assert (unzoned.returncode, "local times" in unzoned.stderr) == (2, True)


def test_cumulative_rows_of_a_real_file_are_not_added_up(tmp_path: Path) -> None:
    header, *rows = csv.reader(shared("jobs", "codecarbon", "bigscience_carbon_per_token.csv").read_text().splitlines())
    needed = [header.index(name) for name in ("duration", "energy_consumed", "country_iso_code")]
    whole = [row for row in rows if len(row) == len(header) and row[0].startswith("2022-") and all(row[index] for index in needed)]
    with (tmp_path / "whole.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *whole])

    entries = deployments_of(tmp_path / "whole.csv", "America/New_York")

    assert sum(interval["kwh"] for entry in entries for interval in entry["energy"]["intervals"]) == pytest.approx(0.639, abs=0.001)
    with pytest.raises(InvalidInput, match="line 84: column timestamp: 'ne' is not a time"):
        deployments_of(shared("jobs", "codecarbon", "bigscience_carbon_per_token.csv"), "America/New_York")
