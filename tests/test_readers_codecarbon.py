"""CodeCarbon's file: every layout, real files whole, and rows that are torn, moved, glued, told twice or stamped by an unknown clock."""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING

import pytest

from gridgram.errors import InvalidInput
from tests.backfill import backfilled, quarantined, rows_of
from tests.job_logs import lines_of, told
from tests.shared import shared

if TYPE_CHECKING:
    from pathlib import Path

OLDEST = (
    "timestamp,experiment_id,project_name,duration,emissions,energy_consumed,country_name,country_iso_code,region,on_cloud,"
    "cloud_provider,cloud_region"
)
HEADER = (
    "timestamp,project_name,run_id,duration,emissions,energy_consumed,country_name,country_iso_code,region,cloud_provider,cloud_region,"
    "longitude,latitude,on_cloud,pue"
)
PARIS = "France,FRA,,,,2.3,48.8,N,1.0"
LAYOUT_34 = (
    "timestamp,project_name,run_id,experiment_id,duration,emissions,emissions_rate,cpu_power,gpu_power,ram_power,cpu_energy,gpu_energy,ram_energy,"
    "energy_consumed,water_consumed,country_name,country_iso_code,region,cloud_provider,cloud_region,os,python_version,codecarbon_version,cpu_count,"
    "cpu_model,gpu_count,gpu_model,longitude,latitude,ram_total_size,tracking_mode,on_cloud,pue,wue"
)
UTILISATIONS = "cpu_utilization_percent,gpu_utilization_percent,ram_utilization_percent,ram_used_gb"
LAYOUT_38 = LAYOUT_34.replace(",on_cloud", f",{UTILISATIONS},on_cloud")
ROW_34 = (
    "2026-01-05T12:00:00,p,r1,e,3600,0.1,0.0001,5,0,3,0.5,0,0.5,1.0,0.0,France,FRA,ile-de-france,,,Linux,3.12,3.2.0,8,CPU,,,2.3,48.8,16,"
    "machine,N,1.0,0.0"
)

REAL = {
    "bigscience_carbon_per_token.csv": (None, 4, 646, 3016),
    "codecarbon_examples.csv": (None, 17, 4, 7),
    "codecarbon_invalid_headers.csv": (None, 1, 0, 0),
    "derniere_bibliotheque.csv": (None, 35, 0, 0),
    "ecocode_2022.csv": (None, 2, 0, 0),
    "energytracker.csv": ("America/Toronto", 46, 0, 0),
    "green_hackathon.csv": (None, 2, 0, 0),
    "green_ml_bench.csv": ("Europe/Berlin", 737, 0, 0),
    "greensoftware_tp.csv": ("America/Argentina/Buenos_Aires", 167, 0, 0),
    "gwp_lm_v322.csv": (None, 48, 1, 0),
    "langanalytics4_tasks.csv": (None, 5, 0, 0),
    "lightspec.csv": (None, 7, 0, 0),
    "m4chineops.csv": ("Europe/Madrid", 18, 0, 0),
}


def expected_kwh(path: Path) -> float:
    """The energy by an independent reading: the last row of each run, every row of a task; rows without a run only where alone."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        header = [name.strip() for name in next(reader)]
        rows = [dict(zip(header, (cell.strip() for cell in cells), strict=True)) for cells in reader if len(cells) == len(header)]
    sound = [row for row in rows if row["timestamp"].startswith("20") and row["duration"] and row["energy_consumed"]]
    last: dict[object, tuple[float, float]] = {}
    for number, row in enumerate(sound):
        key = (row.get("run_id") or number, row.get("task_name") or "")
        found = float(row["duration"]), float(row["energy_consumed"])
        last[key] = max(last.get(key, (0.0, 0.0)), found)
    return math.fsum(kwh for _, kwh in last.values())


@pytest.mark.parametrize("name", REAL)
def test_a_real_file_is_read_whole_with_the_energy_of_each_run_once(name: str) -> None:
    path = shared("jobs", "codecarbon", name)
    time_zone, jobs, faults, skipped = REAL[name]

    found = told(path, time_zone=time_zone)

    assert found.format == "codecarbon"
    assert (len(found.jobs), len(found.faults), len(found.skipped), len(found.torn)) == (jobs, faults, skipped, 0)
    unnamed = 4.567967333151677e-05 + 7.662417213125141e-05 if name == "codecarbon_examples.csv" else 0.0
    assert found.kwh == pytest.approx(expected_kwh(path) - unnamed, rel=1e-12)
    assert {job["pue"] for job in found.jobs.values()} == {1.0}


def test_a_run_that_is_told_three_thousand_times_counts_once(tmp_path: Path) -> None:
    summary = backfilled(shared("jobs", "codecarbon", "bigscience_carbon_per_token.csv"), tmp_path / "out.csv")

    assert summary["facility_energy_kwh"] == pytest.approx(0.638613781731783, rel=1e-12)
    assert (summary["jobs"], summary["rows_quarantined"], summary["rows"]) == (4, 646, 3666)
    assert {entry["line"] for entry in quarantined(tmp_path / "out.csv")} >= {84, 87}
    assert {row["zone"] for row in rows_of(tmp_path / "out.csv")} == {"US-CT", ""}


def test_a_file_of_the_same_name_that_is_something_else_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not recognised by its header"):
        told(shared("jobs", "codecarbon", "not_codecarbon_country_emissions.csv"))
    with pytest.raises(InvalidInput, match="no column timestamp and no column duration"):
        told(shared("jobs", "codecarbon", "not_codecarbon_country_emissions.csv"), "codecarbon")


def test_a_row_ends_at_its_stamp_on_the_clock_of_its_place(tmp_path: Path) -> None:
    path = lines_of(tmp_path / "emissions.csv", HEADER, f"2024-07-01T14:00:00,p,a,5400,0.1,1.5,{PARIS}")

    assert told(path).jobs == {
        2: {
            "location": "FRA",
            "start": "2024-07-01T10:30:00Z",
            "end": "2024-07-01T12:00:00Z",
            "kwh": 1.5,
            "pue": 1.0,
            "is_estimated": False,
        }
    }
    assert told(path, time_zone="UTC", pue=1.7).jobs[2]["end"] == "2024-07-01T14:00:00Z"
    assert told(path, pue=1.7).jobs[2]["pue"] == 1.0


@pytest.mark.parametrize(
    ("place", "location"),
    [
        ("France,FRA,,,,2.3,48.8,N,1.0", "FRA"),
        ("USA,USA,us-west-2,aws,us-west-2,,,Y,1.0", "aws:us-west-2"),
        ("USA,USA,oregon,aws,mars-1,,,Y,1.0", "US-OR"),
        ("Canada,CAN,québec,,,-71,47,N,1.0", "CA-QC"),
        ("Denmark,DNK,somewhere,,,12.5,55.7,N,1.0", "geo:55.7,12.5"),
        ("Denmark,DNK,somewhere,,,2.3,48.8,N,1.0", "DNK"),
        (",,,,,2.3,48.8,N,1.0", "geo:48.8,2.3"),
    ],
)
def test_a_row_is_where_it_says_and_never_in_a_country_of_our_choice(tmp_path: Path, place: str, location: str) -> None:
    path = lines_of(tmp_path / "emissions.csv", HEADER, f"2024-07-01T14:00:00,p,a,5400,0.1,1.5,{place}")

    assert told(path, time_zone="UTC").jobs[2]["location"] == location


def test_a_row_without_a_place_takes_the_users_or_says_that_it_has_none(tmp_path: Path) -> None:
    path = lines_of(tmp_path / "emissions.csv", HEADER, "2024-07-01T14:00:00,p,a,3600,0.1,1.5,,,,,,,,N,1.0")

    assert told(path, location="DE").jobs[2] == {
        "location": "DE",
        "start": "2024-07-01T11:00:00Z",
        "end": "2024-07-01T12:00:00Z",
        "kwh": 1.5,
        "pue": 1.0,
        "is_estimated": False,
    }
    with pytest.raises(InvalidInput, match="no place says whose clock it was; say with --tz"):
        told(path)
    backfilled(path, tmp_path / "out.csv", time_zone="UTC")
    assert "the location is missing; name one for such rows with --location" in quarantined(tmp_path / "out.csv")[0]["reason"]


def test_a_place_with_several_clocks_needs_one_named(tmp_path: Path) -> None:
    texas = "2024-07-01T14:00:00,p,b,3600,0.1,1.5,USA,USA,texas,,,,,N,1.0"
    path = lines_of(tmp_path / "emissions.csv", HEADER, f"2024-07-01T14:00:00,p,a,3600,0.1,1.5,{PARIS}", texas)

    found = told(path)

    assert list(found.jobs) == [2]
    assert "US-TX has several clocks; say which with --tz" in found.faults[3]
    with pytest.raises(InvalidInput, match="US-TX has several clocks"):
        told(lines_of(tmp_path / "texas.csv", HEADER, texas))


def test_an_hour_that_the_clock_showed_twice_or_never_is_not_guessed(tmp_path: Path) -> None:
    rows = [
        f"2024-{stamp},p,{stamp},600,0.1,1.5,{PARIS}" for stamp in ("10-27T02:30:00", "03-31T02:30:00", "10-27T03:00:00", "03-31T03:00:00")
    ]

    found = told(lines_of(tmp_path / "emissions.csv", HEADER, *rows))

    assert "showed '2024-10-27T02:30:00' twice" in found.faults[2]
    assert "skipped '2024-03-31T02:30:00'" in found.faults[3]
    assert [job["end"] for job in found.jobs.values()] == ["2024-10-27T02:00:00Z", "2024-03-31T01:00:00Z"]


def test_rows_that_tell_one_run_further_count_once_even_out_of_order(tmp_path: Path) -> None:
    rows = [
        f"2024-07-01T{end},p,a,{seconds},0.1,{kwh},{PARIS}"
        for end, seconds, kwh in (("13:00:00", 7200, 2), ("12:00:00", 3600, 1), ("14:00:01", 10801.5, 3.5))
    ]

    found = told(lines_of(tmp_path / "emissions.csv", HEADER, *rows))

    assert found.jobs[4]["kwh"] == 3.5
    assert found.skipped == {2: "line 4 tells the same run further", 3: "line 4 tells the same run further"}


def test_a_row_that_says_less_than_a_line_before_it_and_began_at_another_moment_is_not_taken_for_a_repetition(tmp_path: Path) -> None:
    rows = [f"2024-07-01T{end},p,a,{seconds},0.1,{kwh},{PARIS}" for end, seconds, kwh in (("13:00:00", 7200, 2), ("12:00:30", 3600, 1))]

    found = told(lines_of(tmp_path / "emissions.csv", HEADER, *rows))

    assert (found.kwh, found.skipped) == (2, {})
    assert "neither tell one energy further" in found.faults[3]


def test_rows_of_a_run_that_tell_two_energies_at_one_time_are_not_guessed(tmp_path: Path) -> None:
    rows = [f"2024-07-01T13:00:00,p,a,7200,0.1,{kwh},{PARIS}" for kwh in (1, 2)]

    found = told(lines_of(tmp_path / "emissions.csv", HEADER, *rows))

    assert found.jobs == {}
    assert set(found.faults) == {2, 3}


def test_rows_of_a_run_that_are_tasks_or_follow_each_other_are_all_counted(tmp_path: Path) -> None:
    task = lines_of(
        tmp_path / "tasks.csv", f"task_name,{HEADER}", *[f"{name},2024-07-01T12:00:00,p,a,3600,0.1,1,{PARIS}" for name in ("load", "train")]
    )
    parts = [f"2024-07-01T{end},p,a,{seconds},0.1,{kwh},{PARIS}" for end, seconds, kwh in (("12:00:00", 3600, 2), ("13:00:00", 1800, 1))]

    assert told(task).kwh == 2
    assert told(lines_of(tmp_path / "parts.csv", HEADER, *parts)).kwh == 3


def test_rows_of_a_run_that_are_neither_are_not_guessed(tmp_path: Path) -> None:
    falls = [f"2024-07-01T{end},p,a,{seconds},0.1,{kwh},{PARIS}" for end, seconds, kwh in (("12:00:00", 3600, 2), ("13:00:00", 7200, 1))]
    sleeps = [f"2024-07-01T{end},p,b,{seconds},0.1,{kwh},{PARIS}" for end, seconds, kwh in (("12:00:00", 3600, 2), ("16:00:00", 7200, 3))]
    unnamed = [f"2024-07-01T{end},p,,{seconds},0.1,{kwh},{PARIS}" for end, seconds, kwh in (("12:00:00", 3600, 2), ("13:00:00", 7200, 3))]

    found = told(lines_of(tmp_path / "emissions.csv", HEADER, *falls, *sleeps, *unnamed))

    assert found.jobs == {}
    assert all("neither tell one energy further" in found.faults[line] for line in (2, 3, 4, 5))
    assert all("has no run_id" in found.faults[line] for line in (6, 7))


def test_the_oldest_layout_names_its_runs_by_experiment(tmp_path: Path) -> None:
    rows = [f"2021-06-29T1{hour}:00:00,x,p,{hour * 3600},0.1,{hour},Morocco,MAR,casablanca,N,," for hour in (1, 2)]

    found = told(lines_of(tmp_path / "emissions.csv", OLDEST, *rows))

    assert (found.kwh, list(found.skipped)) == (2, [2])


def test_a_row_of_fewer_cells_under_a_longer_header_is_torn_off(tmp_path: Path) -> None:
    """https://github.com/mlco2/codecarbon/issues/1304: rows after the first lack fields, so that all behind them move to the left."""
    whole = ROW_34.replace(",machine,", ",machine,5,0,60,8,")
    short = ROW_34.replace("r1", "r2").rsplit(",", 1)[0]
    moved = ",".join([*ROW_34.replace("r1", "r3").split(","), "", "", "", ""])

    found = told(lines_of(tmp_path / "emissions.csv", LAYOUT_38, whole, short, moved))

    assert list(found.jobs) == [2]
    assert found.torn == {3: "the line has 33 cells and the header 38"}
    assert found.faults == {4: "column cpu_utilization_percent: 'N' is not a number"}


def test_a_row_that_lost_a_cell_in_the_middle_is_seen_though_its_energy_still_reads(tmp_path: Path) -> None:
    cells = ROW_34.split(",")
    del cells[LAYOUT_34.split(",").index("water_consumed")]

    found = told(lines_of(tmp_path / "emissions.csv", LAYOUT_34, ",".join([*cells, ""])))

    assert found.jobs == {}
    assert found.faults[2] == "column water_consumed: 'France' is not a number"


def test_two_layouts_in_one_file_are_never_read_as_one(tmp_path: Path) -> None:
    """https://github.com/mlco2/codecarbon/issues/987 and 1092: a file that two versions wrote."""
    older = f"2024-07-01T14:00:00,p,a,3600,0.1,1.5,{PARIS}"
    files = lines_of(tmp_path / "both.csv", HEADER, older, LAYOUT_34, ROW_34, older.replace(",a,", ",b,"))

    found = told(files)

    assert list(found.jobs) == [2, 5]
    assert sorted(found.torn) == [3, 4]
    names = HEADER.split(",")
    swapped = ",".join([names[0], names[1], names[2], names[5], *names[4:5], names[3], *names[6:]])
    turned = told(lines_of(tmp_path / "turned.csv", HEADER, older, HEADER, swapped, older.replace(",a,", ",c,")))
    assert list(turned.jobs) == [2]
    assert turned.skipped == {3: "the header again"}
    assert "another order from line 4 on" in turned.faults[5]


def test_a_header_that_is_glued_to_its_first_row_is_refused(tmp_path: Path) -> None:
    """https://github.com/mlco2/codecarbon/issues/43: no line break between the header and the first row."""
    path = lines_of(
        tmp_path / "emissions.csv", f"{HEADER}2024-07-01T14:00:00,p,a,3600,0.1,1.5,{PARIS}", f"2024-07-01T15:00:00,p,b,60,0.1,1.5,{PARIS}"
    )

    with pytest.raises(InvalidInput, match="first row glued to its header, at '2024-07-01T14:00:00'"):
        told(path)
    rows = f"2024-07-01T14:00:00,p,a,3600,0.1,1.5,{PARIS}2024-07-01T15:00:00,p,b,60,0.1,1.5,{PARIS}"
    glued = told(lines_of(tmp_path / "rows.csv", HEADER, rows))
    assert glued.jobs == {}
    assert "29 cells" in glued.torn[2]


def test_kwh_are_read_as_energy_whatever_the_power_columns_say(tmp_path: Path) -> None:
    """https://github.com/mlco2/codecarbon/issues/455: an energy that was called power."""
    found = told(lines_of(tmp_path / "emissions.csv", LAYOUT_34, ROW_34.replace(",5,0,3,0.5,", ",5000,7000,3000,0.5,")))

    assert found.jobs[2]["kwh"] == 1.0


@pytest.mark.parametrize(
    ("cells", "told_of"),
    [
        ("2024-07-01T14:00:00,p,a,0,0.1,1.5", "0 s is no duration"),
        ("2024-07-01T14:00:00,p,a,-5,0.1,1.5", "-5 s is no duration"),
        ("2024-07-01T14:00:00,p,a,1e300,0.1,1.5", "is no duration"),
        ("2024-07-01T14:00:00,p,a,,0.1,1.5", "the duration is missing"),
        ("2024-07-01T14:00:00,p,a,60,0.1,", "the energy is missing"),
        ("2024-07-01T14:00:00,p,a,60,0.1,nan", "'nan' is not a number"),
        ("2024-07-01T14:00:00,p,a,60,0.1,-1", "-1 kWh is not from 0"),
        ("2024-07-01T14:00:00,p,a,60,0.1,=1+1", "'=1+1' is not a number"),
        ("2024-07-01T14:00:00,p,a,60,0.1,1,5", "16 cells"),
        ("0024-07-01T14:00:00,p,a,60,0.1,1", "2000"),
        ("2094-07-01T14:00:00,p,a,60,0.1,1", "14 days"),
        ("1.7e9,p,a,60,0.1,1", "is not a time"),
    ],
)
def test_a_bad_row_says_its_line_and_why(tmp_path: Path, cells: str, told_of: str) -> None:
    found = told(lines_of(tmp_path / "emissions.csv", HEADER, f"2024-07-01T14:00:00,p,z,60,0.1,1,{PARIS}", f"{cells},{PARIS}"))

    assert list(found.jobs) == [2]
    assert told_of in (found.faults | found.torn)[3]
