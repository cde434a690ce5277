"""Runs that a tracker told further and further: their energy lies in the hours in which it was drawn, and adds up to the last telling."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from cache.sqlite import SqliteStore
from gridgram.interval import MICROSECONDS_PER_HOUR, format_time, from_microseconds, to_microseconds
from service.backfill.jobs import ReadOptions
from service.backfill.readers.codecarbon import READER
from service.backfill.runs import Runs
from tests.backfill import backfilled, house, quarantined, rows_of
from tests.job_logs import NOW, lines_of
from tests.months import MARCH, hours
from tests.shared import shared

if TYPE_CHECKING:
    from pathlib import Path

    from service.backfill.pieces import Pieces

HOUR = MICROSECONDS_PER_HOUR
START = datetime(2024, 3, 11, 10, 30, tzinfo=UTC)
HEADER = "timestamp,run_id,duration,emissions,energy_consumed,project_name,country_iso_code"
ONE_AND_THREE = [100.0] * (10 * 24 + 11) + [300.0]
"""100 g/kWh from 10:00 to 11:00 of 2024-03-11, 300 g/kWh in the hour after. [gCO2e/kWh]"""


def row(minutes: float, kwh: float, run: str = "a", start: datetime = START) -> str:
    return f"{start + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%S},{run},{60 * minutes},0,{kwh},p,FRA"


def log(folder: Path, *rows: str) -> Path:
    return lines_of(folder / "emissions.csv", HEADER, *rows)


def hold(folder: Path, numbers: list[float]) -> None:
    """Put France's hours of March 2024 from its first into the store of `house`."""

    async def main() -> None:
        store = SqliteStore(folder / "series.sqlite")
        await store.merge([hours(numbers, month=MARCH, band=10.0)])
        await store.close()

    asyncio.run(main())


def pieces_of(runs: Runs) -> Pieces:
    return runs.verdicts().pieces


def told(minutes_and_kwh: list[tuple[float, float]], start_us: int) -> Runs:
    """One run, told so far after each of these minutes."""
    minutes, kwh = map(np.array, zip(*minutes_and_kwh, strict=True))
    count = len(minutes)
    ends = start_us + np.rint(minutes * 60_000_000).astype(np.int64)
    runs = Runs()
    runs.add(["a"] * count, np.ones(count, np.bool_), np.full(count, start_us), ends, kwh.astype(np.float64), np.arange(2, count + 2))
    return runs


def test_each_telling_is_the_energy_of_the_time_since_the_one_before(tmp_path: Path) -> None:
    """1.0 kWh in the half hour at 100 g/kWh, 0.2 kWh in the hour at 300: 160 g. Spread evenly it would have been 280 g."""
    hold(tmp_path, ONE_AND_THREE)
    source = log(tmp_path, row(30, 1.0), row(90, 1.2))

    summary = backfilled(source, tmp_path / "out.csv", time_zone="UTC")

    first, last = rows_of(tmp_path / "out.csv")
    assert (first["emissions_g"], first["error"]) == (None, "line 3 tells the same run further")
    assert last["emissions_g"] == pytest.approx(160.0, rel=1e-12)
    assert (last["emissions_low_g"], last["emissions_high_g"]) == (pytest.approx(148.0, rel=1e-12), pytest.approx(172.0, rel=1e-12))
    assert last["intensity_g_per_kwh"] == pytest.approx(160.0 / 1.2, rel=1e-12)
    assert (summary["jobs"], summary["rows_skipped"], summary["facility_energy_kwh"]) == (1, 1, 1.2)


def test_a_job_beside_it_stays_even_and_a_run_without_energy_is_weighed_by_time(tmp_path: Path) -> None:
    hold(tmp_path, ONE_AND_THREE)
    source = log(tmp_path, row(90, 1.2, "flat"), row(30, 0.0), row(90, 0.0))

    backfilled(source, tmp_path / "out.csv", time_zone="UTC")

    flat, _, idle = rows_of(tmp_path / "out.csv")
    assert flat["emissions_g"] == pytest.approx(1.2 * (0.5 * 100 + 300) / 1.5, rel=1e-12)
    assert (idle["emissions_g"], idle["intensity_g_per_kwh"]) == (0.0, pytest.approx((0.5 * 100 + 300) / 1.5, rel=1e-12))


def test_the_quality_of_a_run_is_that_of_the_hours_in_which_its_energy_was_drawn(tmp_path: Path) -> None:
    """Measured until 12:00, typical after: 1.0 of 1.5 kWh were drawn before."""
    hold(tmp_path, ONE_AND_THREE)
    source = log(tmp_path, row(60, 0.9), row(90, 1.0), row(240, 1.5))

    backfilled(source, tmp_path / "out.csv", time_zone="UTC")

    *_, last = rows_of(tmp_path / "out.csv")
    assert (last["coverage_measured"], last["coverage_typical"]) == (pytest.approx(2 / 3, rel=1e-12), pytest.approx(1 / 3, rel=1e-12))


def test_a_run_whose_energy_falls_is_laid_nowhere_and_goes_to_the_quarantine(tmp_path: Path) -> None:
    hold(tmp_path, ONE_AND_THREE)
    source = log(tmp_path, row(30, 1.0), row(60, 0.4), row(90, 1.2), row(30, 0.7, "b"))

    summary = backfilled(source, tmp_path / "out.csv", time_zone="UTC")

    assert [entry["line"] for entry in quarantined(tmp_path / "out.csv")] == [2, 3, 4]
    assert (summary["jobs"], summary["facility_energy_kwh"]) == (1, 0.7)


def test_a_line_that_may_be_another_process_is_no_piece_of_the_run(tmp_path: Path) -> None:
    """The third line says less than the second and began 30 s apart: the second alone is the run, even."""
    other = row(30, 0.9, start=START + timedelta(seconds=30))
    source = log(tmp_path, row(90, 1.2), other)
    hold(tmp_path, ONE_AND_THREE)

    backfilled(source, tmp_path / "out.csv", time_zone="UTC")

    assert rows_of(tmp_path / "out.csv")[0]["emissions_g"] == pytest.approx(1.2 * (0.5 * 100 + 300) / 1.5, rel=1e-12)
    assert [entry["line"] for entry in quarantined(tmp_path / "out.csv")] == [3]


def test_pieces_within_an_hour_become_one() -> None:
    """Every ten seconds for three hours from half past ten on: four hours are touched, and no telling crosses from one to the next."""
    runs = told([(number / 6, number / 1000) for number in range(1, 1081)], to_microseconds(START))

    pieces = pieces_of(runs)

    assert pieces.counts.tolist() == [4]
    assert pieces.kwh.tolist() == pytest.approx([0.18, 0.36, 0.36, 0.18], rel=1e-12)
    assert pieces.start_us[0] == to_microseconds(START)
    assert (pieces.start_us[1:] % HOUR == 0).all()


@given(
    start=st.integers(0, HOUR),
    tellings=st.lists(st.tuples(st.integers(1, 400), st.floats(0, 50)), min_size=2, max_size=40),
)
def test_the_pieces_of_a_run_follow_each_other_and_add_up_to_what_was_told_last(start: int, tellings: list[tuple[int, float]]) -> None:
    minutes, kwh = np.cumsum([minute for minute, _ in tellings]), np.cumsum([more for _, more in tellings])
    start += to_microseconds(START)

    pieces = pieces_of(told(list(zip(minutes.tolist(), kwh.tolist(), strict=True)), start))

    assert pieces.job.tolist() == [len(tellings) + 1]
    assert (pieces.start_us[0], pieces.end_us[-1]) == (start, start + int(minutes[-1]) * 60_000_000)
    assert np.array_equal(pieces.start_us[1:], pieces.end_us[:-1])
    assert (pieces.kwh >= 0).all()
    assert pieces.kwh.sum() == pytest.approx(kwh[-1], rel=1e-12, abs=1e-12)
    assert len(pieces.kwh) <= 2 * (pieces.end_us[-1] // HOUR - pieces.start_us[0] // HOUR) + 1  # each hour, and from each to the next


def test_parts_of_any_size_give_the_same_rows(tmp_path: Path) -> None:
    chance = np.random.default_rng(5)
    kwh = np.cumsum(chance.uniform(0, 1, (8, 60)), axis=1)
    rows = [row(7 * number + 7, kwh[run, number], f"r{run}") for number in range(60) for run in range(8)]
    source = log(tmp_path, *rows)

    whole = backfilled(source, tmp_path / "whole.parquet", time_zone="UTC")
    parts = backfilled(source, tmp_path / "parts.parquet", time_zone="UTC", part_rows=7)

    assert parquet.read_table(tmp_path / "whole.parquet").equals(parquet.read_table(tmp_path / "parts.parquet"))
    assert whole["jobs"] == parts["jobs"] == 8
    assert whole["facility_energy_kwh"] == pytest.approx(kwh[:, -1].sum(), rel=1e-12)


def test_a_real_log_of_three_thousand_lines_emits_what_the_service_says_of_its_pieces(tmp_path: Path) -> None:
    path = shared("jobs", "codecarbon", "bigscience_carbon_per_token.csv")
    backfilled(path, tmp_path / "out.parquet")
    rows = {number: cells for number, cells in enumerate(rows_of(tmp_path / "out.parquet"), 2) if cells["emissions_g"] is not None}
    (jobs,) = READER.open(path, ReadOptions(NOW)).read()
    assert jobs.pieces is not None
    gridgram, intervals = house(tmp_path), intervals_of(jobs.pieces)

    async def answers() -> None:
        for job, pieces in intervals.items():
            cells, energy = rows[int(jobs.line[job])], {"intervals": pieces}
            answer = await gridgram.emissions(gridgram.read_job({"location": jobs.location[job].as_py(), "energy": energy}))
            assert answer["energy_kwh"] == pytest.approx(float(cells["energy_consumed"]), rel=1e-12)
            assert answer["emissions_g"] == pytest.approx(cells["emissions_g"], rel=1e-9)
        await gridgram.intensity.close()

    asyncio.run(answers())
    assert sum(float(cells["energy_consumed"]) for cells in rows.values()) == pytest.approx(0.638613781731783, rel=1e-12)


def intervals_of(pieces: Pieces) -> dict[int, list[dict[str, str | float]]]:
    """The pieces of each job as the service takes them."""
    told = [
        {"start": format_time(from_microseconds(start)), "end": format_time(from_microseconds(end)), "kwh": kwh}
        for start, end, kwh in zip(pieces.start_us.tolist(), pieces.end_us.tolist(), pieces.kwh.tolist(), strict=True)
    ]
    ends = np.cumsum(pieces.counts).tolist()
    return {job: told[end - count : end] for job, count, end in zip(pieces.job.tolist(), pieces.counts.tolist(), ends, strict=True)}
