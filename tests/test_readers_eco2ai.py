"""Eco2AI's file: runs, epochs of a training, places and local clocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.job_logs import lines_of, told

if TYPE_CHECKING:
    from pathlib import Path

HEADER = (
    "id,project_name,experiment_description,epoch,start_time,duration(s),power_consumption(kWh),CO2_emissions(kg),CPU_name,GPU_name,OS,"
    "region/country,cost"
)


def row(  # noqa: PLR0917 - cells
    run: str = "a",
    epoch: str = "N/A",
    start: str = "2024-07-01 14:00:00",
    kwh: str = "1.5",
    place: str = "FR/Paris",
    length: str = "5400.0",
) -> str:
    return f'{run},p,nothing,"{epoch}",{start},{length},{kwh},0.1,CPU/1 device(s),GPU 1 device(s),Linux,{place},N/A'


def test_a_run_begins_at_its_local_time_in_its_place(tmp_path: Path) -> None:
    found = told(lines_of(tmp_path / "emission.csv", HEADER, row()), pue=1.5)

    assert found.format == "eco2ai"
    assert found.jobs == {
        2: {"location": "FR", "start": "2024-07-01T12:00:00Z", "end": "2024-07-01T13:30:00Z", "kwh": 1.5, "pue": 1.0, "is_estimated": False}
    }


@pytest.mark.parametrize(
    ("place", "location"),
    [("FR", "FR"), ("(FR)", "FR"), ("(FR/Paris)", "FR"), ("US/Oregon", "US-OR"), ("WORLD", "DE"), ("", "DE"), ("FRA", "FRA")],
)
def test_the_country_is_written_before_the_region(tmp_path: Path, place: str, location: str) -> None:
    found = told(lines_of(tmp_path / "emission.csv", HEADER, row(place=place)), location="DE", time_zone="UTC")

    assert found.jobs[2]["location"] == location


def test_epochs_are_added_and_a_row_told_again_counts_once(tmp_path: Path) -> None:
    rows = [
        row("a", "epoch: 1, loss: 0.5, ", "2024-07-01 14:00:00", "1.0", length="3600"),
        row("a", "epoch: 2, loss: 0.4, ", "2024-07-01 15:00:00", "2.0", length="3600"),
        row("b", start="2024-07-02 14:00:00", kwh="4.0"),
        row("b", start="2024-07-02 14:00:00", kwh="8.0", length="9000"),
    ]

    found = told(lines_of(tmp_path / "emission.csv", HEADER, *rows))

    assert (found.kwh, list(found.skipped)) == (11.0, [4])


def test_bad_rows_say_their_line_and_why(tmp_path: Path) -> None:
    rows = [
        row(),
        row("b", start="2024-10-27 02:30:00"),
        row("c", kwh="N/A"),
        row("d", length="0"),
        row("e", place="RU/Moscow"),
        row("f") + ",1",
    ]

    found = told(lines_of(tmp_path / "emission.csv", HEADER, *rows))

    assert list(found.jobs) == [2]
    reasons = found.faults | found.torn
    for line, words in {3: "twice", 4: "'N/A' is not a number", 5: "0 s is no duration", 6: "has several clocks", 7: "14 cells"}.items():
        assert words in reasons[line]
