"""The scheduler with known hours against the published oracle of 123 grids: the same saving to a tenth of a point."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.schedule_studies import oracle_tasks, prospect, savings
from gridgram.interval import MICROSECONDS_PER_HOUR, format_time, from_microseconds
from tests.running import gridgram, running_service
from tests.shared import shared

if TYPE_CHECKING:
    from pathlib import Path

POINTS = 0.1
QUICK = [("FR", "24", "24"), ("US-CAL-CISO", "24", "168"), ("GB", "6", "24")]


def row_of(zone: str, job: str, slack: str) -> dict[str, str]:
    rows = csv.DictReader(shared("data", "scheduling_oracle.csv").read_text().splitlines())
    return next(row for row in rows if (row["zone"], row["job_hours"], row["slack_hours"]) == (zone, job, slack))


def check(row: dict[str, str]) -> None:
    whole = prospect(shared("data"), f"{row['dataset']}.parquet", row["zone"], int(row["year"]))

    unbroken, paused, count = savings(whole, oracle_tasks(whole, int(row["job_hours"]), int(row["slack_hours"])))

    assert count == int(row["windows"])
    assert unbroken == pytest.approx(float(row["contiguous_saving_pct"]), abs=POINTS), row
    assert paused == pytest.approx(float(row["interruptible_saving_pct"]), abs=POINTS), row


@pytest.mark.parametrize(("zone", "job", "slack"), QUICK)
def test_a_row_of_the_oracle_is_reproduced(zone: str, job: str, slack: str) -> None:
    check(row_of(zone, job, slack))


@pytest.mark.soak
def test_every_row_of_the_oracle_is_reproduced() -> None:
    rows = list(csv.DictReader(shared("data", "scheduling_oracle.csv").read_text().splitlines()))
    assert len(rows) == 65
    for row in rows:
        check(row)


def test_hours_that_were_imported_give_the_same_schedule_over_http(tmp_path: Path) -> None:
    """A year goes through a file, the store and HTTP; windows all over it give what the arithmetic gives on the same hours."""
    whole = prospect(shared("data"), "em_umass2022.parquet", "FR", 2022)
    series = whole.series
    known = np.flatnonzero(whole.is_known)
    starts = (known + series.first_hour) * MICROSECONDS_PER_HOUR
    columns = {"zone": ["FR"] * len(known), "start": pa.array(starts, pa.timestamp("us", "UTC")), "g_per_kwh": series.g_per_kwh[known]}
    pq.write_table(pa.table(columns), tmp_path / "year.parquet")
    assert gridgram(["import", str(tmp_path / "year.parquet")], tmp_path).returncode == 0
    tasks = list(oracle_tasks(whole, 24, 24))[::436]

    with running_service(tmp_path) as service:
        for _, window in tasks:
            request = {
                "locations": ["FR"],
                "energy": {"duration": "P1D", "total_kwh": 1},
                "earliest": format_time(from_microseconds(window.earliest)),
                "latest": format_time(from_microseconds(window.latest)),
                "as_of": "2023-02-01T00:00:00Z",
                "interruptible": True,
            }
            status, answer = service.post("/v1/schedule", request)
            assert status == 200, answer
            first = window.first_hour - series.first_hour
            hours = series.g_per_kwh[first : first + 48]
            best, unbroken = answer["options"][0], next(option for option in answer["options"] if len(option["chunks"]) == 1)
            assert best["quality"] == "measured"
            assert best["emissions_g"] == pytest.approx(np.sort(hours)[:24].mean(), rel=1e-9)
            assert unbroken["emissions_g"] == pytest.approx(min(hours[at : at + 24].mean() for at in range(25)), rel=1e-9)
            assert answer["baseline"]["emissions_g"] == pytest.approx(hours[:24].mean(), rel=1e-9)
    assert len(tasks) == 20
