"""Whole runs: the same numbers as the service, the same bytes however often a run was killed, and clear errors."""

from __future__ import annotations

import http.client
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import orjson
import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from cache.sqlite import SqliteStore
from gridgram.errors import InvalidInput
from gridgram.interval import months_between
from gridgram.quality import Quality
from gridgram.series import month_series
from service.backfill import plan, run
from service.backfill.folder import OutputError, WorkFolder
from service.backfill.output import OutputFormat
from service.backfill.picture import month_place
from service.backfill.run import useful_workers
from service.backfill.spec import Spec
from service.cli import app
from tests.backfill import HEADER, NOW, backfilled, house, job_table, rows_of, written
from tests.months import hours
from tests.running import COMMAND, environment, gridgram, running_service, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running import RunningService

JOB = "FR,2022-03-11T00:10:00Z,2022-03-12T07:00:01Z,12.5\n"


async def fill(store: str) -> None:
    """Put measured and estimated hours of some zones into a store, with days left out."""
    held = SqliteStore(Path(store.removeprefix("sqlite:///")))
    chance = np.random.default_rng(9)
    for zone in ("FR", "DE"):
        first = hours(1.0, zone=zone).first_hour - 24 * 600
        for month in months_between(first, first + 24 * 365):
            numbers = chance.uniform(5, 900, month.hours).tolist()
            series = hours(
                numbers, zone=zone, month=month, quality=Quality.ESTIMATED if month.month % 3 == 0 else Quality.MEASURED, band=4.0
            )
            quality = series.quality.copy()
            quality[np.repeat(chance.random(31) < 0.2, 24)[: month.hours]] = 0
            kept = type(series)(**{name: getattr(series, name) for name in series.__slots__} | {"quality": quality})
            await held.merge(list(month_series(kept).values()))
    await held.close()


def ask(service: RunningService, jobs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The answers of POST /v1/emissions, over one connection."""
    address = urlsplit(service.address)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    for job in jobs:
        connection.request("POST", "/v1/emissions", orjson.dumps(job), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = orjson.loads(answer.read())
        assert answer.status == 200, body
        yield body
    connection.close()


def batch(service: RunningService, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answers of POST /v1/emissions/batch, which are those of POST /v1/emissions, line by line."""
    body = b"".join(orjson.dumps(job, option=orjson.OPT_APPEND_NEWLINE) for job in jobs)
    request = urllib.request.Request(f"{service.address}/v1/emissions/batch", body, {"Content-Type": "application/x-ndjson"})
    with urllib.request.urlopen(request) as answer:
        return [orjson.loads(line) for line in answer]


def as_requests(table: pa.Table) -> list[dict[str, Any]]:
    return [
        {
            "location": row["location"],
            "energy": {
                "start": row["start"].isoformat().replace("+00:00", "Z"),
                "end": row["end"].isoformat().replace("+00:00", "Z"),
                "total_kwh": row["energy_kwh"],
            },
            "pue": row["pue"],
        }
        for row in table.to_pylist()
    ]


@pytest.mark.parametrize("every", [20, pytest.param(1, marks=pytest.mark.soak)])
async def test_ten_thousand_jobs_are_what_the_service_answers_for_each(tmp_path: Path, every: int) -> None:
    store = f"sqlite:///{tmp_path / 'series.sqlite'}"
    await fill(store)
    table = job_table(10_000)
    parquet.write_table(table, tmp_path / "jobs.parquet", row_group_size=3_000)

    done = gridgram(
        ["backfill", str(tmp_path / "jobs.parquet"), "-o", str(tmp_path / "out.parquet"), "--json"],
        tmp_path,
        settings={"GRIDGRAM_STORE": store},
    )

    assert done.returncode == 0, done.stderr
    rows = rows_of(tmp_path / "out.parquet")
    names = {"emissions_g": "emissions_g", "emissions_low_g": "emissions_low_g", "emissions_high_g": "emissions_high_g"}
    with running_service(tmp_path / "service", {"GRIDGRAM_STORE": store}) as service:
        requests = as_requests(table)
        answers = batch(service, requests)
        assert list(ask(service, requests[::every])) == answers[::every]
        for row, answer in zip(rows, answers, strict=True):
            for ours, theirs in (names | {"intensity_g_per_kwh": "intensity_g_per_kwh"}).items():
                assert row[ours] == pytest.approx(answer[theirs], rel=1e-9), (row, answer)
            assert {name: share for name in answer["coverage"] if (share := row[f"coverage_{name}"])} == pytest.approx(
                answer["coverage"], rel=1e-9
            )
            assert row["zone"] == answer["zone"]
            assert row["provider"] == "+".join(sorted({source["provider"] for source in answer["provenance"]}))
    told = json.loads(done.stdout)
    assert told["emissions_g"] == pytest.approx(sum(row["emissions_g"] for row in rows), rel=1e-12)
    assert len({row["provider"] for row in rows}) > 2


def started(arguments: list[str], home: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*COMMAND, *arguments], env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def journal_lines(output: Path) -> int:
    journal = output.parent / f".{output.name}.gridgram" / "journal.ndjson"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def jobs_with_faults(path: Path, rows: int) -> Path:
    """A file of many jobs, of which some are bad."""
    table = job_table(rows)
    energy = table["energy_kwh"].to_numpy().copy()
    energy[::97] = -1
    table = table.set_column(3, "energy_kwh", pa.array(energy))
    if path.suffix == ".parquet":
        parquet.write_table(table, path, row_group_size=4_000)
    else:
        path.write_bytes(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in table.to_pylist()))
    return path


@pytest.mark.parametrize(("source", "suffix"), [("jobs.parquet", "parquet"), pytest.param("jobs.ndjson", "csv", marks=pytest.mark.soak)])
def test_a_run_that_is_killed_three_times_ends_with_the_same_bytes(tmp_path: Path, source: str, suffix: str) -> None:
    jobs = jobs_with_faults(tmp_path / source, 10_000)
    whole, output = tmp_path / f"whole.{suffix}", tmp_path / f"out.{suffix}"
    backfilled(jobs, whole, part_rows=100)
    arguments = ["backfill", str(jobs), "-o", str(output), "--part-rows", "100"]
    kills = 0

    for _ in range(3):
        before = journal_lines(output)
        process = started(arguments, tmp_path)
        wait_until(lambda before=before, process=process: journal_lines(output) > before or process.poll() is not None, 60)
        kills += process.poll() is None
        process.kill()
        process.communicate()
        assert not output.exists()
    last = gridgram([*arguments, "--json"], tmp_path)

    assert kills == 3
    assert last.returncode == 1, last.stderr
    assert output.read_bytes() == whole.read_bytes()
    assert (tmp_path / f"out.{suffix}.quarantine.ndjson").read_bytes() == (tmp_path / f"whole.{suffix}.quarantine.ndjson").read_bytes()
    assert json.loads(last.stdout)["rows"] == 10_000
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


@pytest.mark.soak
@pytest.mark.parametrize(
    ("source", "suffix", "workers"), [("jobs.parquet", "parquet", 1), ("jobs.parquet", "ndjson", 2), ("jobs.ndjson", "csv", 1)]
)
def test_fifty_kills_at_random_moments_change_nothing(tmp_path: Path, source: str, suffix: str, workers: int) -> None:
    jobs = jobs_with_faults(tmp_path / source, 200_000)
    whole, output = tmp_path / f"whole.{suffix}", tmp_path / f"out.{suffix}"
    backfilled(jobs, whole, part_rows=100)
    arguments = ["backfill", str(jobs), "-o", str(output), "--part-rows", "100", "--workers", str(workers)]
    kills = runs = 0
    chance = random.Random(4)  # noqa: S311 - when to kill

    while kills < 50:
        process = subprocess.Popen([*COMMAND, *arguments], env=environment(tmp_path), stderr=subprocess.PIPE, start_new_session=True)
        time.sleep(chance.uniform(0.2, 3.0))
        kills += process.poll() is None
        os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
        process.communicate()
        if output.exists():
            assert output.read_bytes() == whole.read_bytes()
            output.unlink()
            (tmp_path / f"out.{suffix}.quarantine.ndjson").unlink(missing_ok=True)
            runs += 1
    last = gridgram(arguments, tmp_path)

    assert last.returncode == 1, last.stderr
    assert output.read_bytes() == whole.read_bytes()
    assert (tmp_path / f"out.{suffix}.quarantine.ndjson").read_bytes() == (tmp_path / f"whole.{suffix}.quarantine.ndjson").read_bytes()


@pytest.mark.parametrize("source", ["jobs.parquet", "jobs.ndjson"])
def test_several_workers_write_the_same_bytes_as_one(tmp_path: Path, source: str) -> None:
    jobs = jobs_with_faults(tmp_path / source, 20_000)

    one = backfilled(jobs, tmp_path / "one.parquet", part_rows=1_000)
    two = backfilled(jobs, tmp_path / "two.parquet", part_rows=1_000, workers=2)

    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    assert one == two | {"output": "one.parquet"}


@pytest.mark.parametrize(
    ("output", "asked", "cores", "given"), [("parquet", 2, 8, 1), ("parquet", 9, 4, 4), ("csv", 2, 8, 2), ("csv", 9, 1, 1)]
)
def test_no_processes_are_started_that_would_only_share_cores(tmp_path: Path, output: str, asked: int, cores: int, given: int) -> None:
    parquet.write_table(job_table(9), tmp_path / "jobs.parquet")
    spec = Spec(tmp_path / "jobs.parquet", tmp_path / "out", OutputFormat(output), NOW)

    assert useful_workers(spec, asked, cores) == given


def test_parts_of_any_size_hold_the_same_rows(tmp_path: Path) -> None:
    jobs = jobs_with_faults(tmp_path / "jobs.parquet", 5_000)

    backfilled(jobs, tmp_path / "one.parquet")
    backfilled(jobs, tmp_path / "two.parquet", part_rows=77)

    one, two = (parquet.read_table(tmp_path / name) for name in ("one.parquet", "two.parquet"))
    assert one.equals(two)
    assert parquet.read_metadata(tmp_path / "two.parquet").num_row_groups > 1
    assert parquet.read_table(tmp_path / "two.parquet", filters=[("project", "==", "p3")]).num_rows == one["project"].to_pylist().count(
        "p3"
    )


@pytest.mark.parametrize(("most_bytes", "words"), [(1_000_000, "cannot be kept"), (6_000_000, "cannot be written: File too large")])
def test_a_full_disk_leaves_no_output_and_the_run_goes_on_when_there_is_room(tmp_path: Path, most_bytes: int, words: str) -> None:
    jobs = jobs_with_faults(tmp_path / "jobs.parquet", 30_000)
    backfilled(jobs, tmp_path / "whole.csv", part_rows=1_000)
    output = tmp_path / "out.csv"
    arguments = ["backfill", str(jobs), "-o", str(output), "--part-rows", "1000"]

    full = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes)),
    )
    assert full.returncode == 4, full.stderr
    assert words in full.stderr
    assert "Traceback" not in full.stderr
    assert not output.exists()

    again = gridgram(arguments, tmp_path)
    assert again.returncode == 1, again.stderr
    assert output.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_an_unfinished_run_is_not_mixed_with_another(tmp_path: Path) -> None:
    jobs = jobs_with_faults(tmp_path / "jobs.parquet", 10_000)
    output = tmp_path / "out.parquet"
    arguments = ["backfill", str(jobs), "-o", str(output), "--part-rows", "100"]
    process = started(arguments, tmp_path)
    wait_until(lambda: journal_lines(output) > 0, 60)
    process.kill()
    process.communicate()

    other = gridgram([*arguments, "--pue", "1.5"], tmp_path)
    assert other.returncode == 2
    assert "pue was 1.0, now 1.5" in other.stderr
    anew = gridgram([*arguments, "--pue", "1.5", "--restart"], tmp_path)
    assert anew.returncode == 1, anew.stderr
    backfilled(jobs, tmp_path / "whole.parquet", part_rows=100, pue=1.5)
    assert output.read_bytes() == (tmp_path / "whole.parquet").read_bytes()


@pytest.mark.parametrize("broken", ["sync_folder", "remove"])
def test_a_run_that_ends_while_the_names_are_given_is_finished_by_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    jobs = jobs_with_faults(tmp_path / "jobs.parquet", 1_000)
    whole = backfilled(jobs, tmp_path / "whole.csv")

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*((run, "sync_folder") if broken == "sync_folder" else (WorkFolder, "remove")), end)
        with pytest.raises(KeyboardInterrupt):
            backfilled(jobs, tmp_path / "out.csv")
    told = backfilled(jobs, tmp_path / "out.csv", gridgram=house(tmp_path))

    assert told == whole | {"output": "out.csv"}
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert (tmp_path / "out.csv.quarantine.ndjson").read_bytes() == (tmp_path / "whole.csv.quarantine.ndjson").read_bytes()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_file_whose_statistics_are_wrong_is_refused_not_read_beside_its_hours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = jobs_with_faults(tmp_path / "jobs.parquet", 1_000)
    noon = 1_660_000_000_000_000
    monkeypatch.setattr(plan, "EXACT_ROWS", 0)
    monkeypatch.setattr(plan, "_bounds", lambda *_: (noon, noon + 1))

    with pytest.raises(InvalidInput, match="statistics are wrong"):
        backfilled(jobs, tmp_path / "out.csv")


def test_two_runs_never_write_one_output_together(tmp_path: Path) -> None:
    folder = WorkFolder(tmp_path / "out.csv")

    with pytest.raises(OutputError, match="another run writes out"):
        backfilled(written(tmp_path / "jobs.csv", HEADER + JOB), tmp_path / "out.csv")
    folder.close()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["-o", "out.xlsx"], "does not end as one of .parquet, .csv"),
        (["-o", "jobs.csv"], "is the file that is read"),
        (["-o", "there.csv"], "is there already"),
        (["-o", "no/out.csv"], "no folder"),
        (["-o", "out.csv", "--pue", "0.5"], "not from 1 to 10"),
        (["-o", "out.csv", "--min-quality", "good"], "is none of measured"),
        (["-o", "out.csv", "--columns", "location"], "is no pair"),
        (["-o", "out.csv", "--columns", "place=location"], "not a column of ours"),
        (["-o", "out.csv", "--format", "lotus"], "is no format"),
        (["-o", "out.csv", "--tz", "Mars/Olympus"], "is no time zone"),
        (["-o", "out.csv", "--plot", "out.pdf"], "does not end in .png"),
    ],
)
def test_a_wrong_flag_says_what_and_how_to_mend_it(tmp_path: Path, flags: list[str], words: str) -> None:
    written(tmp_path / "jobs.csv", HEADER + JOB)
    written(tmp_path / "there.csv", "mine")
    place = Path.cwd()
    os.chdir(tmp_path)
    try:
        done = CliRunner().invoke(
            app, ["backfill", "jobs.csv", *flags], env={"XDG_CACHE_HOME": str(tmp_path / "c"), "GRIDGRAM_OFFLINE": "1"}
        )
    finally:
        os.chdir(place)

    assert done.exit_code in {2, 4}
    assert words in done.output
    assert (tmp_path / "there.csv").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith((".", "out"))] == []


def test_a_dry_run_tells_the_hours_and_writes_nothing(tmp_path: Path) -> None:
    jobs = written(tmp_path / "jobs.csv", HEADER + JOB + "FR,2023-12-31T23:30:00Z,2024-01-01T00:30:00Z,1\nAtlantis,x,y,1\n")

    done = gridgram(["backfill", str(jobs), "-o", str(tmp_path / "out.csv"), "--dry-run", "--json"], tmp_path)

    told = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert (told["rows"], told["rows_unusable"], told["hours"], told["hours_untold"]) == (3, 1, 73, 73)
    assert told["needs"][0]["spans"] == [["2022-03-11T00:00:00Z", "2022-03-13T00:00:00Z"], ["2023-12-31T00:00:00Z", "2024-01-01T01:00:00Z"]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "jobs.csv"]


def test_the_statistics_of_a_long_file_plan_no_fewer_hours_than_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = jobs_with_faults(tmp_path / "jobs.parquet", 9_000)
    exact = backfilled(jobs, tmp_path / "one.parquet")
    monkeypatch.setattr(plan, "EXACT_ROWS", 0)

    told = backfilled(jobs, tmp_path / "two.parquet")

    assert parquet.read_table(tmp_path / "one.parquet").equals(parquet.read_table(tmp_path / "two.parquet"))
    assert (told["jobs"], told["rows_quarantined"]) == (exact["jobs"], exact["rows_quarantined"])


def test_the_summary_adds_up_by_zone_month_and_project(tmp_path: Path) -> None:
    parquet.write_table(job_table(3_000), tmp_path / "jobs.parquet")

    told = backfilled(tmp_path / "jobs.parquet", tmp_path / "out.parquet", part_rows=1_000)

    rows = rows_of(tmp_path / "out.parquet")
    for groups, key in (
        ("by_zone", lambda row: row["zone"]),
        ("by_month", lambda row: f"{row['start']:%Y-%m}"),
        ("by_project", lambda row: row["project"]),
    ):
        sums: dict[str, float] = {}
        for row in rows:
            sums[key(row)] = sums.get(key(row), 0.0) + row["emissions_g"]
        assert {group["name"]: group["emissions_g"] for group in told[groups]} == pytest.approx(sums, rel=1e-12)
    assert sum(told["coverage"].values()) == pytest.approx(1.0)
    assert told["facility_energy_kwh"] == pytest.approx(sum(row["energy_kwh"] * row["pue"] for row in rows), rel=1e-12)


def test_months_without_a_job_keep_their_room_in_the_picture() -> None:
    assert month_place("2024-03") - month_place("2021-12") == 27


def test_a_picture_is_drawn_and_its_absence_is_told(tmp_path: Path) -> None:
    jobs = jobs_with_faults(tmp_path / "jobs.parquet", 2_000)

    done = gridgram(["backfill", str(jobs), "-o", str(tmp_path / "out.csv"), "--plot", str(tmp_path / "out.png")], tmp_path)

    assert done.returncode == 1, done.stderr
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    assert "rows have no numbers" in done.stdout
    assert done.stderr == ""
    hidden = "import sys; sys.modules['matplotlib'] = None; from service.cli import app; app()"
    without = subprocess.run(
        [sys.executable, "-c", hidden, "backfill", str(jobs), "-o", str(tmp_path / "two.csv"), "--plot", str(tmp_path / "two.png")],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert without.returncode == 4
    assert "gridgram[plot]" in without.stderr
    assert not (tmp_path / "two.csv").exists()


def test_a_file_that_changed_in_between_is_not_gone_on_with(tmp_path: Path) -> None:
    jobs = jobs_with_faults(tmp_path / "jobs.parquet", 10_000)
    output = tmp_path / "out.parquet"
    process = started(["backfill", str(jobs), "-o", str(output), "--part-rows", "100"], tmp_path)
    wait_until(lambda: journal_lines(output) > 0, 60)
    process.kill()
    process.communicate()
    jobs_with_faults(jobs, 10_001)

    with pytest.raises(InvalidInput, match="--restart"):
        backfilled(jobs, output, part_rows=100, gridgram=house(tmp_path))
