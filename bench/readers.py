"""Rows a second, and a second of CPU, at which the logs of tools are read: a million random jobs of each, their energy checked.

Run it alone: `python -m bench.readers [rows]`. Each format is read in a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

ROWS = 1_000_000
FIRST = 1_640_995_200
KB_PER_MIB = 1_024
NOW = datetime(2026, 11, 1, tzinfo=UTC)
FORMATS = ("codecarbon", "codecarbon flushed", "slurm", "slurm json", "nextflow", "eco2ai", "plain")
CODECARBON = (
    "timestamp,project_name,run_id,experiment_id,duration,emissions,emissions_rate,cpu_power,gpu_power,ram_power,cpu_energy,gpu_energy,"
    "ram_energy,energy_consumed,country_name,country_iso_code,region,cloud_provider,cloud_region,os,python_version,codecarbon_version,"
    "cpu_count,cpu_model,gpu_count,gpu_model,longitude,latitude,ram_total_size,tracking_mode,on_cloud,pue"
)
HEADERS = {
    "codecarbon": CODECARBON,
    "codecarbon flushed": CODECARBON,
    "slurm": "JobID|JobName|User|Account|Partition|State|Start|End|Elapsed|NCPUS|AllocTRES|ConsumedEnergyRaw",
    "nextflow": "task_id\thash\tnative_id\tname\tstatus\texit\tstart\tcomplete\trealtime\tcpus\tprocess\tenergy_consumption",
    "eco2ai": "id,project_name,experiment_description,epoch,start_time,duration(s),power_consumption(kWh),CO2_emissions(kg),CPU_name,"
    "GPU_name,OS,region/country,cost",
    "plain": "location,start,end,energy_kwh,project",
}


def _row(kind: str, number: int, start: int, seconds: int, joules: int) -> str:
    begin, end = (datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S") for moment in (start, start + seconds))
    kwh = joules / 3_600_000
    if kind.startswith("codecarbon"):
        run = f"409f7ac2-203f-4191-9bf4-{number:012}"
        return (
            f"{end},project {number % 50},{run},5b0fa12a,{seconds}.0,0.00343581,9.665e-08,4.13,120.5,3.0,0.000134,8.23e-05,0.000188,"
            f"{kwh!r},"
            f"France,FRA,ile-de-france,,,Linux-5.4.0-110-generic,3.11.4,2.8.0,8,Intel(R) Xeon(R),1,"
            "1 x NVIDIA A100,2.3,48.8,187.58,machine,N,1.0"
        )
    if kind == "slurm":
        hours, rest = divmod(seconds, 3_600)
        elapsed = f"{hours:02}:{rest // 60:02}:{rest % 60:02}"
        return f"{number}|train|ada|lab{number % 50}|gpu|COMPLETED|{begin}|{end}|{elapsed}|8|cpu=8,node=1|{joules}"
    if kind == "nextflow":
        return f"{number}\tc6/d3ff54\t1177\tALIGN (a)\tCOMPLETED\t0\t{start}000\t{start + seconds}000\t1m\t2\tALIGN\t{kwh!r} kWh"
    if kind == "eco2ai":
        return f"id-{number},p{number % 50},none,N/A,{begin.replace('T', ' ')},{seconds}.0,{kwh!r},0.1,CPU/1,GPU,Linux,FR/Paris,N/A"
    return f"FR,{begin}Z,{end}Z,{kwh!r},p{number % 50}"


def _write(path: Path, kind: str, rows: int) -> float:
    """Write a log; returns its energy by an independent sum. [kWh]"""
    random = np.random.default_rng(1)
    start = FIRST + random.integers(0, 3 * 365 * 86_400, rows)
    seconds = random.integers(1, 80_000, rows)
    joules = random.integers(1, 10**9, rows)
    if kind == "codecarbon flushed":  # every run is told a hundred times
        run = np.arange(rows) // 100
        start, seconds, joules = start[run], np.arange(rows) % 100 * 600 + 600, (np.arange(rows) % 100 + 1) * 1_000_000
        numbers = run
    else:
        numbers = np.arange(rows)
    with path.open("w", encoding="utf-8") as file:
        if kind == "slurm json":
            file.write('{"meta": {}, "jobs": [\n')
            for number in range(rows):
                job = {
                    "job_id": number,
                    "account": "lab",
                    "time": {"start": int(start[number]), "end": int(start[number] + seconds[number]), "elapsed": int(seconds[number])},
                    "tres": {"allocated": [{"type": "cpu", "count": 8}, {"type": "energy", "count": int(joules[number])}]},
                    "steps": [{"statistics": {"energy": {"consumed": 1}}, "time": {"elapsed": 1}}],
                }
                file.write(("," if number else "") + json.dumps(job, indent=1) + "\n")
            file.write("]}")
        else:
            file.write(HEADERS[kind] + "\n")
            for row in zip(numbers.tolist(), start.tolist(), seconds.tolist(), joules.tolist(), strict=True):
                file.write(_row(kind, *row) + "\n")
    last = np.arange(99, rows, 100) if kind == "codecarbon flushed" else slice(None)
    return float(np.sum(joules[last], dtype=np.int64)) / 3_600_000


def _read(path: Path) -> None:
    from service.backfill.jobs import ReadOptions, find_reader  # noqa: PLC0415 - its time is not measured
    from service.backfill.table import head_of  # noqa: PLC0415

    begun, begun_cpu = time.perf_counter(), time.process_time()
    file = find_reader(head_of(path)).open(path, ReadOptions(NOW, time_zone="UTC", location="FR"))
    rows, kwh = 0, 0.0
    for jobs in file.read():
        counted = np.ones(len(jobs.line), np.bool_)
        counted[[*jobs.faults, *jobs.skipped]] = False
        rows += len(jobs.line)
        kwh += float(jobs.energy_kwh[counted].sum())
    taken, cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
    print(json.dumps([rows, kwh, taken, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KB_PER_MIB]))


def main(rows: int = ROWS) -> None:
    """Print the table."""
    print(f"{'log':20}{'rows/s':>12}{'rows/cpu s':>12}{'MiB/s':>8}{'peak MiB':>10}  energy")
    for kind in FORMATS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "log"
            kwh = _write(path, kind, rows)
            read = subprocess.run([sys.executable, "-m", "bench.readers", "--read", str(path)], check=True, capture_output=True)
            found, energy, taken, cpu, peak = json.loads(read.stdout)
            same = "as written" if found == rows and abs(energy - kwh) <= 1e-9 * kwh else f"WRONG: {energy} of {kwh} kWh"
            speed = path.stat().st_size / taken / (KB_PER_MIB * KB_PER_MIB)
            print(f"{kind:20}{rows / taken:12,.0f}{rows / cpu:12,.0f}{speed:8.0f}{peak:10.0f}  {same}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--read"]:
        _read(Path(sys.argv[2]))
    else:
        main(*map(int, sys.argv[1:]))
