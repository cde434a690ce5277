"""Slurm's accounting: a real export whole, sacct's text and JSON, steps, suffixes, marks for "no value", hours of a clock change."""

from __future__ import annotations

import csv
import gzip
import json
import math
from typing import TYPE_CHECKING, Any

import pytest

from gridgram.errors import InvalidInput
from tests.backfill import backfilled, quarantined, rows_of
from tests.job_logs import lines_of, told
from tests.shared import shared

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "JobID|JobName|Account|State|Start|End|Elapsed|NCPUS|AllocTRES|ConsumedEnergyRaw"
PARIS: dict[str, Any] = {"location": "FR", "time_zone": "Europe/Paris"}


def row(
    job: str = "1", start: str = "2022-03-11T10:00:00", end: str = "2022-03-11T12:00:00", elapsed: str = "02:00:00", energy: str = "3600000"
) -> str:
    return f"{job}|train|lab|COMPLETED|{start}|{end}|{elapsed}|8|cpu=8,gres/gpu=2,gres/gpu:a100=2|{energy}"


def test_the_real_export_is_read_whole_with_its_metered_energy() -> None:
    path = shared("jobs", "slurm", "jeanzay_bloom_jobs.csv.gz")
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    metered = [row for row in rows if row["energy_j"] != "N/A"]

    found = told(path, **PARIS)

    assert (found.format, found.rows) == ("slurm", 19_025)
    assert (len(found.jobs), len(found.faults), len(found.skipped), len(found.torn)) == (16_873, 2_152, 0, 0)
    assert math.fsum(float(row["energy_j"]) for row in metered) / 3.6e9 == pytest.approx(37.72019104555555, rel=1e-12)  # MWh
    longer = [float(row["energy_j"]) for row in metered if row["start"] != row["end"]]
    assert found.kwh == pytest.approx(math.fsum(longer) / 3.6e6, rel=1e-12)
    assert found.kwh / 1_000 == pytest.approx(37.720189318, abs=1e-9)  # MWh
    assert sum("was not metered" in reason for reason in found.faults.values()) == 2_007
    assert sum("is not after the start" in reason for reason in found.faults.values()) == 145


def test_the_wrong_clock_is_seen_by_jobs_that_lasted_longer_than_it_says() -> None:
    found = told(shared("jobs", "slurm", "jeanzay_bloom_jobs.csv.gz"), location="FR", time_zone="UTC")

    assert sum("is --tz right?" in reason for reason in found.faults.values()) == 1


def test_an_export_without_times_goes_to_the_quarantine_saying_what_to_add() -> None:
    found = told(shared("jobs", "slurm", "greenalgorithms_sacct_raw.txt"), **PARIS)

    assert found.format == "slurm"
    assert found.faults == dict.fromkeys((2, 3), "the export has no column Start and no column End; add it to sacct --format")


def test_place_and_clock_are_asked_for(tmp_path: Path) -> None:
    path = lines_of(tmp_path / "jobs.txt", HEADER, row())

    with pytest.raises(InvalidInput, match="say it with --location"):
        told(path, time_zone="Europe/Paris")
    with pytest.raises(InvalidInput, match="the cluster's local time; say which with --tz"):
        told(path, location="FR")
    assert told(path, **PARIS, pue=1.3).jobs == {
        2: {"location": "FR", "start": "2022-03-11T09:00:00Z", "end": "2022-03-11T11:00:00Z", "kwh": 1.0, "pue": 1.3, "is_estimated": False}
    }
    zoned = lines_of(tmp_path / "zoned.txt", HEADER, row(start="2022-03-11T10:00:00+01:00", end="2022-03-11T12:00:00+01:00"))
    assert told(zoned, location="FR").jobs[2]["start"] == "2022-03-11T09:00:00Z"


def test_steps_are_not_counted_beside_their_job(tmp_path: Path) -> None:
    steps = [row("7"), row("7.batch"), row("7.extern", energy="9000000"), row("7.0"), row("8_3"), row("8_3.0"), row("9+1"), row("9+1.0")]

    found = told(lines_of(tmp_path / "jobs.txt", HEADER, *steps, row("10.batch")), **PARIS)

    assert list(found.jobs) == [2, 6, 8]
    assert found.kwh == 3.0
    assert set(found.skipped) == {3, 4, 5, 7, 9}
    assert found.faults == {10: "a step of job 10, whose own row is not before it"}


def test_a_step_never_lends_its_energy_to_a_job_without(tmp_path: Path) -> None:
    found = told(lines_of(tmp_path / "jobs.txt", HEADER, row("7", energy=""), row("7.batch")), **PARIS)

    assert (found.jobs, list(found.skipped), list(found.faults)) == ({}, [3], [2])


@pytest.mark.parametrize(
    "energy", ["", "0", "N/A", "Unknown", "18446744073709551614", "18446744073709551615", "4294967294", "16777214", "None"]
)
def test_an_energy_that_was_not_metered_is_unknown_not_zero(tmp_path: Path, energy: str) -> None:
    found = told(lines_of(tmp_path / "jobs.txt", HEADER, row(energy=energy)), **PARIS)

    assert found.faults == {2: "the energy is unknown: it was not metered"}


@pytest.mark.parametrize(
    ("energy", "joules"), [("1", 1), ("16.78K", 16_780), ("1.5M", 1_500_000), ("2G", 2e9), ("2.25T", 2.25e12), ("101630", 101_630)]
)
def test_suffixes_of_energy_are_powers_of_a_thousand(tmp_path: Path, energy: str, joules: float) -> None:
    header = HEADER.replace("Raw", "")

    found = told(lines_of(tmp_path / "jobs.txt", header, row(energy=energy)), **PARIS)

    assert found.kwh == pytest.approx(joules / 3.6e6, rel=1e-12)


def test_mean_watts_are_never_read_as_joules(tmp_path: Path) -> None:
    """https://github.com/troycomi/reportseff/issues/66: energy=794 under TRESUsageInAve is a mean power; the job drew 101,630 J."""
    header = f"{HEADER}|TRESUsageInAve|TRESUsageOutAve"
    usage = "cpu=00:00:10,energy=794,fs/disk=1|energy=5"

    metered = told(lines_of(tmp_path / "one.txt", header, f"{row(energy='101630')}|{usage}"), **PARIS)
    unmetered = told(lines_of(tmp_path / "two.txt", header, f"{row(energy='')}|{usage}"), **PARIS)

    assert metered.kwh == pytest.approx(101_630 / 3.6e6, rel=1e-12)
    assert unmetered.jobs == {}


@pytest.mark.parametrize(
    ("start", "end", "elapsed", "utc"),
    [
        ("2022-10-30T01:30:00", "2022-10-30T02:30:00", "01:00:00", ("2022-10-29T23:30:00Z", "2022-10-30T00:30:00Z")),
        ("2022-10-30T01:30:00", "2022-10-30T02:30:00", "02:00:00", ("2022-10-29T23:30:00Z", "2022-10-30T01:30:00Z")),
        ("2022-10-30T02:50:00", "2022-10-30T02:10:00", "00:20:00", ("2022-10-30T00:50:00Z", "2022-10-30T01:10:00Z")),
        ("2022-10-30T02:30:00", "2022-10-30T03:30:00", "02:00:00", ("2022-10-30T00:30:00Z", "2022-10-30T02:30:00Z")),
        ("2022-03-27T01:30:00", "2022-03-27T03:30:00", "01:00:00", ("2022-03-27T00:30:00Z", "2022-03-27T01:30:00Z")),
        ("2022-10-30T02:10:00", "2022-10-30T02:40:00", "00:30:00", None),
        ("2022-10-30T01:30:00", "2022-10-30T02:30:00", "", None),
        ("2022-03-27T02:30:00", "2022-03-27T04:30:00", "01:30:00", None),
    ],
)
def test_an_hour_that_the_clock_showed_twice_is_decided_by_the_elapsed_time_or_not_at_all(
    tmp_path: Path, start: str, end: str, elapsed: str, utc: tuple[str, str] | None
) -> None:
    found = told(lines_of(tmp_path / "jobs.txt", HEADER, row(start=start, end=end, elapsed=elapsed)), **PARIS)

    if utc is None:
        assert found.jobs == {}
        assert "twice" in found.faults[2] or "skipped" in found.faults[2]
    else:
        assert (found.jobs[2]["start"], found.jobs[2]["end"]) == utc


@pytest.mark.parametrize(
    ("cells", "told_of"),
    [
        ({"start": "Unknown", "end": "Unknown", "elapsed": "00:00:00"}, "had not begun"),
        ({"end": "Unknown"}, "had not ended"),
        ({"start": "None"}, "had not begun"),
        ({"start": "11/03-10:00"}, "is not a time"),
        ({"end": "2022-03-11T10:00:00", "elapsed": "00:00:00"}, "is not after the start"),
        ({"elapsed": "3-00:00:00"}, "the job lasted 259200 s, longer than from its start to its end"),
        ({"energy": "12 J"}, "is no energy in J"),
        ({"energy": "-5"}, "is no energy in J"),
        ({"energy": "nan"}, "is no energy in J"),
        ({"job": "1|x"}, "11 cells"),
    ],
)
def test_a_bad_row_says_its_line_and_why(tmp_path: Path, cells: dict[str, str], told_of: str) -> None:
    found = told(lines_of(tmp_path / "jobs.txt", HEADER, row("99"), row(**cells)), **PARIS)

    assert list(found.jobs) == [2]
    assert told_of in (found.faults | found.torn)[3]


def test_a_suspended_job_keeps_its_whole_span(tmp_path: Path) -> None:
    found = told(lines_of(tmp_path / "jobs.txt", HEADER, row(elapsed="00:30:00")), **PARIS)

    assert found.jobs[2]["end"] == "2022-03-11T11:00:00Z"


def test_energy_is_modelled_only_when_asked_and_then_flagged(tmp_path: Path) -> None:
    path = lines_of(tmp_path / "jobs.txt", HEADER, row("1", energy=""), row("2"), row("3", energy="0").replace(":a100=2", ":h100=2"))

    found = told(path, **PARIS, power_from_tdp={"cpu": 10.0, "a100": 400.0})

    assert found.jobs[2]["kwh"] == pytest.approx((8 * 10 + 2 * 400) * 2 / 1_000)
    assert (found.jobs[2]["is_estimated"], found.jobs[3]["is_estimated"], found.jobs[3]["kwh"]) == (True, False, 1.0)
    assert "it held cpu and h100; say W for one" in found.faults[4]
    assert told(path, **PARIS, power_from_tdp={"gpu": 300.0}).jobs[4]["kwh"] == pytest.approx(2 * 300 * 2 / 1_000)
    backfilled(path, tmp_path / "out.csv", **PARIS, power_from_tdp={"cpu": 10.0, "a100": 400.0})
    assert [str(out["energy_is_estimated"]).lower() for out in rows_of(tmp_path / "out.csv")] == ["true", "false", "none"]


def test_gpus_of_the_real_export_are_modelled_by_their_hours() -> None:
    path = shared("jobs", "slurm", "jeanzay_bloom_jobs.csv.gz")

    found = told(path, **PARIS, power_from_tdp={"a100": 400.0})

    estimated = [job for job in found.jobs.values() if job["is_estimated"]]
    assert len(estimated) > 500
    assert found.kwh > told(path, **PARIS).kwh


def document(jobs: list[Any], indent: int | None = None) -> str:
    return json.dumps({"meta": {"slurm": {"version": {"major": "23"}}}, "jobs": jobs, "errors": []}, indent=indent)


def job(number: int, energy: Any = 3_600_000, **more: Any) -> dict[str, Any]:
    tres = [{"type": "cpu", "name": "", "id": 1, "count": 8}, {"type": "gres", "name": "gpu:a100", "id": 1002, "count": 2}]
    return {
        "job_id": number,
        "name": "train",
        "account": "lab",
        "user": "ada",
        "partition": "gpu",
        "state": {"current": ["COMPLETED"]},
        "array": {"job_id": 0, "task_id": {"set": False, "infinite": False, "number": 0}},
        "time": {"start": 1_646_989_200, "end": 1_646_996_400, "elapsed": 7_200},
        "tres": {"allocated": [*tres, *([] if energy is None else [{"type": "energy", "name": "", "id": 3, "count": energy}])]},
        "steps": [{"statistics": {"energy": {"consumed": 9_999_999}}}],
        **more,
    }


@pytest.mark.parametrize("indent", [None, 2])
def test_json_tells_utc_and_the_energy_of_the_allocation(tmp_path: Path, indent: int | None) -> None:
    number = {"set": True, "infinite": False, "number": 1_800_000}
    jobs = [job(1), job(2, None), job(3, number), job(4, time={"start": 1_646_989_200, "end": 0, "elapsed": 5}), "no job"]
    path = tmp_path / "jobs.json"
    path.write_text(document(jobs, indent))

    found = told(path, location="FR")

    assert (found.format, found.unit) == ("slurm", "row")
    assert found.jobs[1] == {
        "location": "FR",
        "start": "2022-03-11T09:00:00Z",
        "end": "2022-03-11T11:00:00Z",
        "kwh": 1.0,
        "pue": 1.0,
        "is_estimated": False,
    }
    assert found.jobs[3]["kwh"] == 0.5
    assert "not metered" in found.faults[2]
    assert "had not ended" in found.faults[4]
    assert "had not begun" in found.faults[5]
    assert told(path, location="FR", power_from_tdp={"cpu": 10.0, "gpu": 100.0}).jobs[2]["kwh"] == pytest.approx(0.56)


def test_json_is_told_by_statistics_where_the_allocation_is_silent(tmp_path: Path) -> None:
    path = tmp_path / "jobs.json"
    path.write_text(document([job(1, None, statistics={"energy": {"consumed": 7_200_000}}), job(2, 0)]))

    found = told(path, location="FR")

    assert (found.kwh, list(found.faults)) == (2.0, [2])


@pytest.mark.parametrize("text", ['{"jobs": [{"job_id": 1, "tres": ', '{"jobs": {"job_id": 1}}', '{"jobs": [{"job_id": 1, "tres": nope}]}'])
def test_json_that_is_cut_or_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "jobs.json"
    path.write_text(text)

    with pytest.raises(InvalidInput, match=r"cut or damaged after job 0|holds no list"):
        told(path, "slurm", location="FR")


def test_a_whole_run_carries_slurms_columns_and_its_energy_in_kwh(tmp_path: Path) -> None:
    path = lines_of(tmp_path / "jobs.txt", HEADER, row("1"), row("1.batch"), row("2", energy=""))

    summary = backfilled(path, tmp_path / "out.ndjson", **PARIS, pue=1.5)

    first, step, unknown = rows_of(tmp_path / "out.ndjson")
    assert first["facility_energy_kwh"] == 1.5
    assert (step["error"], step.get("emissions_g")) == ("a step: its job's row holds its energy", None)
    assert "not metered" in unknown["error"]
    assert (summary["jobs"], summary["rows_quarantined"]) == (1, 1)
    assert [entry["line"] for entry in quarantined(tmp_path / "out.ndjson")] == [4]


def test_processes_share_the_work_and_write_the_same_bytes(tmp_path: Path) -> None:
    path = lines_of(
        tmp_path / "jobs.txt", HEADER, *[row(f"{number // 2}{'.0' * (number % 2)}") for number in range(400)], row("x", energy="0")
    )

    backfilled(path, tmp_path / "one.csv", **PARIS, part_rows=100)
    backfilled(path, tmp_path / "two.csv", **PARIS, part_rows=100, workers=2)

    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    assert quarantined(tmp_path / "one.csv") == quarantined(tmp_path / "two.csv")
