"""Random jobs, written in every layout as its tool writes them, come back as the same jobs; an hour that is not sure never as another."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridgram.interval import format_time
from tests.job_logs import told

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PARIS = ZoneInfo("Europe/Paris")
CLOCK_CHANGES = [datetime(2022, 10, 30, 1, tzinfo=UTC), datetime(2023, 3, 26, 1, tzinfo=UTC)]
OLD = (
    "timestamp,project_name,run_id,duration,emissions,emissions_rate,cpu_power,gpu_power,ram_power,cpu_energy,gpu_energy,ram_energy,energy_consumed,"
    "country_name,country_iso_code,region,cloud_provider,cloud_region,os,python_version,{}cpu_count,cpu_model,gpu_count,gpu_model,longitude,latitude,"
    "ram_total_size,tracking_mode,{}on_cloud{}"
)
USE = "cpu_utilization_percent,gpu_utilization_percent,ram_utilization_percent,ram_used_gb,"
NEW = OLD.format("codecarbon_version,", USE, ",pue,wue").replace("run_id,", "run_id,experiment_id,").replace("med,", "med,water_consumed,")
LAYOUTS = {
    "1.0": "timestamp,experiment_id,project_name,duration,emissions,energy_consumed,country_name,country_iso_code,region,on_cloud,"
    "cloud_provider,cloud_region",
    "2.0": OLD.format("", "", ""),
    "2.2": OLD.format("codecarbon_version,", "", ""),
    "2.3": OLD.format("codecarbon_version,", "", ",pue"),
    "tasks": "task_name," + OLD.format("codecarbon_version,", "", ""),
    "2.7": OLD.format("codecarbon_version,", "", ",pue").replace("run_id,", "run_id,experiment_id,"),
    "3.0": NEW.replace(USE, ""),
    "3.2": NEW,
    "3.2 turned": ",".join(sorted(NEW.split(","), key=lambda name: (name.startswith("cloud_"), "energy" in name, name))),
}


@dataclass(frozen=True, slots=True)
class Job:
    """One job that ends on a whole second."""

    end: datetime
    seconds: int
    kwh: float

    @property
    def start(self) -> datetime:
        """When it began."""
        return self.end - timedelta(seconds=self.seconds)


near_a_change = st.builds(
    lambda change, seconds: change + timedelta(seconds=seconds), st.sampled_from(CLOCK_CHANGES), st.integers(-9_000, 9_000)
)
any_time = st.integers(1_400_000_000, 1_750_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
jobs = st.builds(
    Job, any_time | near_a_change, st.integers(1, 400_000) | st.integers(1, 9_000), st.integers(1, 10**9).map(lambda n: n / 1_000)
)


def local(moment: datetime) -> str:
    return moment.astimezone(PARIS).strftime("%Y-%m-%dT%H:%M:%S")


def is_twice(moment: datetime) -> bool:
    wall = moment.astimezone(PARIS).replace(tzinfo=None)
    return wall.replace(tzinfo=PARIS, fold=0).utcoffset() != wall.replace(tzinfo=PARIS, fold=1).utcoffset()


def table(header: str, rows: list[dict[str, str]], delimiter: str = ",") -> str:
    text = StringIO()
    writer = csv.DictWriter(text, header.split(","), delimiter=delimiter, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def codecarbon(layout: str) -> Callable[[list[Job]], str]:
    def write(written: list[Job]) -> str:
        rows = [
            {
                "timestamp": local(job.end),
                "run_id": f"run {number}",
                "experiment_id": f"run {number}",
                "task_name": f"task {number}",
                "project_name": "a, quoted project",
                "duration": repr(float(job.seconds)),
                "emissions": "0.1",
                "energy_consumed": repr(job.kwh),
                "cpu_energy": "5",
                "country_iso_code": "FRA",
                "country_name": "France",
                "on_cloud": "N",
                "pue": "1.4",
                "tracking_mode": "machine",
            }
            for number, job in enumerate(written)
        ]
        return table(LAYOUTS[layout], rows)

    return write


def elapsed(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days}-{clock}" if days else clock


def sacct(written: list[Job]) -> str:
    lines = ["JobID|Account|Start|End|Elapsed|ConsumedEnergyRaw"]
    for number, job in enumerate(written):
        cells = f"|lab|{local(job.start)}|{local(job.end)}|{elapsed(job.seconds)}|{round(job.kwh * 3_600_000)}"
        lines += [f"{number}{cells}", f"{number}.batch{cells}"]
    return "\n".join(lines) + "\n"


def export(written: list[Job]) -> str:
    rows = [
        {
            "job_id": str(number),
            "start": local(job.start),
            "end": local(job.end),
            "elapsed": elapsed(job.seconds),
            "energy_j": str(round(job.kwh * 3.6e6)),
        }
        for number, job in enumerate(written)
    ]
    return table("job_id,energy_j,partition,elapsed,start,end", rows)


def sacct_json(written: list[Job]) -> str:
    listed = [
        {
            "job_id": number,
            "time": {"start": int(job.start.timestamp()), "end": int(job.end.timestamp()), "elapsed": job.seconds},
            "tres": {"allocated": [{"type": "energy", "name": "", "count": round(job.kwh * 3_600_000)}]},
        }
        for number, job in enumerate(written)
    ]
    return json.dumps({"meta": {}, "jobs": listed})


def nextflow(form: Callable[[datetime], str]) -> Callable[[list[Job]], str]:
    def write(written: list[Job]) -> str:
        rows = [
            {
                "task_id": str(n),
                "name": "A (1)",
                "status": "COMPLETED",
                "start": form(job.start),
                "complete": form(job.end),
                "energy_consumption": f"{job.kwh!r} kWh",
            }
            for n, job in enumerate(written)
        ]
        return table("task_id,name,status,start,complete,realtime,energy_consumption", rows, "\t")

    return write


def eco2ai(written: list[Job]) -> str:
    rows = [
        {
            "id": str(number),
            "epoch": "N/A",
            "start_time": local(job.start).replace("T", " "),
            "duration(s)": str(float(job.seconds)),
            "power_consumption(kWh)": repr(job.kwh),
            "region/country": "FR/Paris",
        }
        for number, job in enumerate(written)
    ]
    return table("id,project_name,epoch,start_time,duration(s),power_consumption(kWh),CO2_emissions(kg),region/country,cost", rows)


WRITERS: dict[str, tuple[Callable[[list[Job]], str], bool]] = {
    **{f"codecarbon {layout}": (codecarbon(layout), True) for layout in LAYOUTS},
    "sacct": (sacct, True),
    "export": (export, True),
    "sacct json": (sacct_json, False),
    "nextflow raw": (nextflow(lambda moment: str(int(moment.timestamp() * 1_000))), False),
    "nextflow human": (nextflow(lambda moment: local(moment).replace("T", " ") + ".000"), True),
    "eco2ai": (eco2ai, True),
}


@pytest.mark.parametrize("layout", WRITERS)
@settings(max_examples=25, deadline=None)
@given(written=st.lists(jobs, min_size=1, max_size=12))
def test_jobs_that_are_written_come_back_the_same(tmp_path_factory: pytest.TempPathFactory, layout: str, written: list[Job]) -> None:
    write, is_local = WRITERS[layout]
    path: Path = tmp_path_factory.getbasetemp() / f"{layout}.log"
    path.write_text(write(written), encoding="utf-8")

    found = told(path, location="FR", time_zone="Europe/Paris")

    assert found.format == layout.split(maxsplit=1)[0].replace("export", "slurm").replace("sacct", "slurm")
    assert found.torn == {}
    stride, first = (2 if layout == "sacct" else 1), (1 if found.unit == "row" else 2)
    for number, job in enumerate(written):
        line = first + stride * number
        if line in found.faults:
            assert is_local
            assert is_twice(job.start) or is_twice(job.end)
            continue
        read: dict[str, Any] = found.jobs[line]
        assert (read["start"], read["end"]) == (format_time(job.start), format_time(job.end))
        assert read["kwh"] == pytest.approx(job.kwh, rel=1e-12, abs=1e-12)
        assert read["pue"] == 1.0
    assert len(found.jobs) + len(found.faults) == len(written)


@settings(max_examples=25, deadline=None)
@given(written=st.lists(jobs, min_size=1, max_size=6), told_times=st.integers(1, 5), order=st.randoms(use_true_random=False))
def test_runs_that_are_told_further_and_further_in_any_order_come_back_once(
    tmp_path_factory: pytest.TempPathFactory, written: list[Job], told_times: int, order: Any
) -> None:
    header = "timestamp,project_name,run_id,duration,emissions,energy_consumed,country_iso_code"
    lines = []
    for number, job in enumerate(written):
        for share in range(1, told_times + 1):
            seconds = job.seconds * share / told_times
            end = (job.start + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
            so_far = job.kwh * (share / told_times)
            lines.append(f"{end},p,run {number},{seconds!r},0.1,{so_far!r},FRA")
    order.shuffle(lines)
    path: Path = tmp_path_factory.getbasetemp() / "flushed.log"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")

    found = told(path, time_zone="UTC")

    assert found.faults == {}
    assert len(found.skipped) == len(written) * (told_times - 1)
    read = sorted((job["start"], job["end"], job["kwh"]) for job in found.jobs.values())
    assert read == sorted((format_time(job.start), format_time(job.end), job.kwh) for job in written)
