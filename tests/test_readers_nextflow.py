"""Nextflow's traces, raw and human, with and without nf-co2footprint's energy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gridgram.errors import InvalidInput
from tests.job_logs import lines_of, told
from tests.shared import shared

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "task_id\thash\tname\tstatus\texit\tstart\tcomplete\trealtime\tcpus\tprocess\tenergy_consumption"
RAW = ("1759849601546", "1759849661991")
HUMAN = ("2025-10-07 17:06:41.546", "2025-10-07 17:07:41.991")
UTC = ("2025-10-07T15:06:41.546000Z", "2025-10-07T15:07:41.991000Z")


def row(times: tuple[str, str] = RAW, energy: str = "17.85 mWh", status: str = "COMPLETED", cpus: str = "2") -> str:
    return f"6\tc6/d3ff54\tALIGN (one)\t{status}\t0\t{times[0]}\t{times[1]}\t1m 0s\t{cpus}\tALIGN\t{energy}"


@pytest.mark.parametrize("times", [RAW, HUMAN])
def test_raw_and_human_times_mean_the_same(tmp_path: Path, times: tuple[str, str]) -> None:
    path = lines_of(tmp_path / "trace.txt", HEADER, row(times))

    found = told(path, location="DE", time_zone="Europe/Berlin", pue=1.5)

    assert (found.format, found.unit) == ("nextflow", "line")
    (job,) = found.jobs.values()
    assert (job["start"], job["end"]) == UTC
    assert (job["kwh"], job["pue"], job["location"]) == (pytest.approx(1.785e-5, rel=1e-12), 1.0, "DE")


def test_human_times_need_a_clock_and_raw_ones_do_not(tmp_path: Path) -> None:
    assert told(lines_of(tmp_path / "raw.txt", HEADER, row()), location="DE").kwh > 0
    with pytest.raises(InvalidInput, match="are local; say whose with --tz"):
        told(lines_of(tmp_path / "human.txt", HEADER, row(), row(HUMAN)), location="DE")
    with pytest.raises(InvalidInput, match="say it with --location"):
        told(tmp_path / "raw.txt")


@pytest.mark.parametrize(
    ("energy", "kwh"),
    [("17.85 mWh", 1.785e-5), ("2 Wh", 2e-3), ("1.5 kWh", 1.5), ("3 MWh", 3e3), ("4 µWh", 4e-9), ("5.5e-2 Wh", 5.5e-5), ("12mWh", 1.2e-5)],
)
def test_energy_keeps_its_unit(tmp_path: Path, energy: str, kwh: float) -> None:
    assert told(lines_of(tmp_path / "trace.txt", HEADER, row(energy=energy)), location="DE").kwh == pytest.approx(kwh, rel=1e-12)


@pytest.mark.parametrize(
    ("cells", "told_of"),
    [
        ({"energy": "17.85"}, "is no energy with its unit"),
        ({"energy": "17.85 J"}, "is no energy with its unit"),
        ({"energy": "-"}, "the energy is unknown"),
        ({"energy": ""}, "the energy is unknown"),
        ({"times": ("1759849601546", "-")}, "did not run to its end"),
        ({"times": ("1759849601546", "1759849601546")}, "is not after the start"),
        ({"times": ("2025-10-26 02:30:00", "2025-10-26 04:30:00")}, "twice"),
    ],
)
def test_a_bad_task_says_its_line_and_why(tmp_path: Path, cells: dict[str, str], told_of: str) -> None:
    found = told(lines_of(tmp_path / "trace.txt", HEADER, row(), row(**cells)), location="DE", time_zone="Europe/Berlin")

    assert list(found.jobs) == [2]
    assert told_of in found.faults[3]


def test_a_task_from_the_cache_used_nothing_in_this_run(tmp_path: Path) -> None:
    found = told(lines_of(tmp_path / "trace.txt", HEADER, row(), row(status="CACHED"), row(status="FAILED")), location="DE")

    assert (list(found.jobs), list(found.skipped)) == ([2, 4], [3])


def test_energy_is_modelled_only_when_asked_and_then_flagged(tmp_path: Path) -> None:
    path = lines_of(tmp_path / "trace.txt", HEADER, row(energy="-"), row(), row(energy="-", cpus="-"))

    found = told(path, location="DE", power_from_tdp={"cpu": 10.0}, pue=1.5)

    assert found.jobs[2]["kwh"] == pytest.approx(2 * 10 * 60.445 / 3.6e6, rel=1e-12)
    assert [(job["is_estimated"], job["pue"]) for job in found.jobs.values()] == [(True, 1.5), (False, 1.0)]
    assert "cannot be modelled" in found.faults[4]


def test_real_traces_are_read_and_what_they_do_not_tell_is_said() -> None:
    raw = shared("jobs", "nextflow", "execution-trace-raw.tsv")
    own = shared("jobs", "nextflow", "co2footprint_trace_sample.txt")

    assert told(raw, location="DE").faults.keys() == {2, 3}
    assert told(raw, location="DE", power_from_tdp={"cpu": 10.0}).kwh == pytest.approx(20 * (0.445 + 0.940) / 3.6e6, rel=1e-9)
    found = told(own, location="DE")
    assert found.faults.keys() == set(range(2, 9))
    assert "no field start and no field complete" in found.faults[2]
    assert found.jobs == {}
