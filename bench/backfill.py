"""How fast past jobs are converted: in memory, and from Parquet to Parquet beside a copy of the same file; every total is checked.

python bench/backfill.py [MILLIONS ...]     default: 10; `make bench` also takes 100

The yardsticks: pyarrow reading the same file in row groups and writing them again; and a loop that calls CodeCarbon's own conversion of
one job offline, with one factor a year (left out, and said so, where CodeCarbon is not installed).
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from gridgram.bulk import Kernel
from gridgram.hour_tables import hour_tables
from gridgram.interval import MICROSECONDS_PER_HOUR, Month
from gridgram.quality import QUALITY_CODES, Quality, Scope, Signal
from gridgram.series import IntensitySeries, Source
from service.backfill.jobs import BATCH_ROWS
from service.backfill.run import CORES_OF_ONE

HERE = Path(__file__).resolve().parent
ROUNDS = 5
ROW_GROUP = 1_000_000
YEARS = range(2020, 2024)
FIRST_HOUR, END_HOUR = Month(YEARS.start, 1).first_hour, Month(YEARS.stop, 1).first_hour
MEAN_HOURS, MOST_HOURS = 34.0, 400.0
ZONES = 100
LOOP_JOBS = 200_000
GOAL_OF_LOOP = 15
CORES = os.cpu_count() or 1


def hours(zone: str, seed: int) -> IntensitySeries:
    """Four years of measured hours, one day in ten typical."""
    random = np.random.default_rng(seed)
    count = END_HOUR - FIRST_HOUR
    middle = random.uniform(20, 900, count)
    typical = np.repeat(random.random(-(-count // 24)) < 0.1, 24)[:count]
    sources = tuple(Source(name, Signal.LIFECYCLE, Scope.PRODUCTION, "none", "made up") for name in ("bench", "reference"))
    quality = np.where(typical, QUALITY_CODES[Quality.TYPICAL], QUALITY_CODES[Quality.MEASURED]).astype(np.uint8)
    return IntensitySeries(
        zone, Signal.LIFECYCLE, FIRST_HOUR, middle, 0.8 * middle, 1.3 * middle, quality, typical.astype(np.uint8), sources
    )


def jobs(rows: int, seed: int) -> tuple[np.ndarray, ...]:
    """Place, start, end and kWh of random jobs over all zones and years; a mean of 34 h. [microseconds, kWh]"""
    random = np.random.default_rng(seed)
    place = random.integers(0, ZONES, rows)
    length = (np.minimum(random.exponential(MEAN_HOURS, rows), MOST_HOURS - 1) * MICROSECONDS_PER_HOUR).astype(np.int64) + 1_000_000
    room = (END_HOUR - FIRST_HOUR - int(MOST_HOURS)) * MICROSECONDS_PER_HOUR
    start = FIRST_HOUR * MICROSECONDS_PER_HOUR + random.integers(0, room, rows)
    return place, start, start + length, random.uniform(0.1, 100, rows)


def independent_grams(series: list[IntensitySeries], place: np.ndarray, start: np.ndarray, end: np.ndarray, kwh: np.ndarray) -> float:
    """The same total by another way: the integral of the intensity, interpolated at both ends of each job. [gCO2e]"""
    total = 0.0
    for number, one in enumerate(series):
        mine = place == number
        integral = np.concatenate([[0.0], np.cumsum(one.g_per_kwh)])
        at = np.arange(FIRST_HOUR, END_HOUR + 1) * float(MICROSECONDS_PER_HOUR)
        over = np.interp(end[mine].astype(float), at, integral) - np.interp(start[mine].astype(float), at, integral)
        total += float((kwh[mine] * over / ((end[mine] - start[mine]) / MICROSECONDS_PER_HOUR)).sum())
    return total


def check(what: str, got: float, expected: float) -> None:
    """End the bench when a total is not what it must be: its speed would mean nothing."""
    if abs(got - expected) > 1e-9 * abs(expected):
        sys.exit(f"{what}: {got!r} g, but {expected!r} g by another way")


def in_memory(rows: int = 10_000_000) -> None:
    """The kernel alone, one core."""
    series = [hours(f"Z{number}", number) for number in range(ZONES)]
    tables = hour_tables(series)
    columns = jobs(rows, 1)
    expected = independent_grams(series, *columns)
    kernel = Kernel(tables)
    speeds: dict[str, list[float]] = {"total only": [], "total, low, high, coverage": []}
    for _ in range(ROUNDS):
        started = time.perf_counter()
        grams = kernel.grams(*columns)
        speeds["total only"].append(rows / (time.perf_counter() - started) / 1e6)
        check("total only", float(grams.sum()), expected)
        started = time.perf_counter()
        found = np.zeros(4)
        for at in range(0, rows, BATCH_ROWS):  # as a run does: a batch is added up and let go
            emitted = kernel.convert(*(column[at : at + BATCH_ROWS] for column in columns))
            found += [emitted.emissions_g.sum(), emitted.low_g.sum(), emitted.high_g.sum(), emitted.coverage.sum()]
        speeds["total, low, high, coverage"].append(rows / (time.perf_counter() - started) / 1e6)
        for what, got, told in zip(("total", "low", "high", "coverage"), found.tolist(), (1.0, 0.8, 1.3), strict=False):
            check(what, got, told * expected)
        check("coverage", float(found[3]), float(rows))
    for what, found in speeds.items():
        report(f"in memory, {what}", f"{statistics.median(found):.1f} M jobs/s ({min(found):.1f}-{max(found):.1f})")


def loop(rows: int = LOOP_JOBS) -> float | None:
    """What a loop over CodeCarbon's own conversion does. [jobs/s]"""
    try:
        from codecarbon.core.emissions import Emissions  # noqa: PLC0415 - may be absent
        from codecarbon.core.units import Energy  # noqa: PLC0415
        from codecarbon.external.geography import GeoMetadata  # noqa: PLC0415
        from codecarbon.input import DataSource  # noqa: PLC0415
    except ImportError:
        report("loop over CodeCarbon's conversion", "LEFT OUT: codecarbon is not installed")
        return None
    emissions = Emissions(DataSource())
    place = GeoMetadata(country_iso_code="FRA", country_name="France")
    kwh = [Energy.from_energy(kWh=amount) for amount in jobs(rows, 1)[3].tolist()]
    speeds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for energy in kwh:
            emissions.get_private_infra_emissions(energy, place)
        speeds.append(rows / (time.perf_counter() - started))
    report("loop over CodeCarbon's conversion, a factor a year", f"{statistics.median(speeds) / 1e6:.2f} M jobs/s")
    return statistics.median(speeds)


def write_jobs(path: Path, zones: list[str], rows: int) -> float:
    """Write a file of random jobs and give their energy. [kWh]"""
    kinds = [("location", pa.dictionary(pa.int32(), pa.string())), ("start", pa.timestamp("us", "UTC")), ("end", pa.timestamp("us", "UTC"))]
    schema = pa.schema([*kinds, ("energy_kwh", pa.float64())])
    total = 0.0
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for group in range(0, rows, ROW_GROUP):
            place, start, end, kwh = jobs(min(ROW_GROUP, rows - group), 2 + group)
            names = pa.DictionaryArray.from_arrays(place.astype(np.int32), zones)
            columns = [names, pa.array(start).cast(schema.field("start").type), pa.array(end).cast(schema.field("end").type), pa.array(kwh)]
            writer.write_table(pa.table(columns, schema=schema))
            total += float(kwh.sum())
    return total


def expected_grams(series: list[IntensitySeries], rows: int) -> float:
    """What the jobs of `write_jobs` emit. [gCO2e]"""
    groups = range(0, rows, ROW_GROUP)
    return sum(independent_grams(series, *jobs(min(ROW_GROUP, rows - group), 2 + group)) for group in groups)


def copy(path: Path, into: Path) -> float:
    """Read the file in row groups and write them again with the same codec, brought to the disk as ours is. [s]"""
    started = time.perf_counter()
    with parquet.ParquetFile(path) as file, parquet.ParquetWriter(into, file.schema_arrow, compression="zstd") as writer:
        for group in range(file.num_row_groups):
            writer.write_table(file.read_row_group(group))
    with into.open("rb") as written:
        os.fsync(written.fileno())
    return time.perf_counter() - started


RUN = """
import json, os, sys, time

class WithoutPandas:
    # An installation of Gridgram has no pandas; pyarrow loads it where the tests' is found.
    def find_spec(self, name, path=None, target=None):
        if name == "pandas":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, WithoutPandas())
from service.command import run
from service.backfill.run import convert, prepare, useful_workers
from service.backfill.commands import _spec
from pathlib import Path
source, output, workers = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
if __name__ == "__main__":
    spec = _spec(source, output, columns="", signal="lifecycle", min_quality="annual", pue=1.0, part_rows=None)
    started = time.perf_counter()
    ready = run(lambda gridgram: prepare(gridgram, spec, overwrite=True))
    prepared = time.perf_counter()
    told = convert(ready, workers=useful_workers(spec, workers, os.cpu_count() or 1))
    done = time.perf_counter()
    # Of this process alone: ru_maxrss would also count what the bench held when it was started.
    peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
    print(json.dumps([prepared - started, done - prepared, peak * 1024, told]))
"""


def ours(path: Path, output: Path, home: Path, workers: int) -> tuple[float, float, int, dict[str, Any]]:
    """A whole run in a process of its own, from the look-through to the finished file: seconds of both steps, peak memory, the summary."""
    script = home / "run.py"
    script.write_text(RUN)
    environment = os.environ | {"XDG_CACHE_HOME": str(home), "GRIDGRAM_OFFLINE": "1", "PYTHONPATH": str(HERE.parent)}
    command = [sys.executable, str(script), str(path), str(output), str(workers)]
    done = subprocess.run(command, env=environment, cwd=HERE.parent, capture_output=True, text=True, check=True)
    prepared, converted, peak, told = json.loads(done.stdout)
    return prepared, converted, peak, told


async def fill_store(home: Path, series: list[IntensitySeries]) -> None:
    """Put the hours of the bench into the store of the process that will convert."""
    from cache.sqlite import SqliteStore  # noqa: PLC0415 - only here
    from service.settings import Settings  # noqa: PLC0415

    os.environ["XDG_CACHE_HOME"] = str(home)
    store = SqliteStore(Settings().store_path)
    await store.merge(series)
    await store.close()


def from_parquet(millions: int, slow: float | None) -> None:
    """Parquet to Parquet beside the copy."""
    from gridgram.zones import Zones  # noqa: PLC0415 - only here

    rows = millions * 1_000_000
    rounds = ROUNDS if millions <= 10 else 1
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        zones = [zone.key for zone in Zones.load()][:ZONES]
        series = [hours(zone, number) for number, zone in enumerate(zones)]
        asyncio.run(fill_store(home, series))
        source, output = home / "jobs.parquet", home / "out.parquet"
        energy, grams = write_jobs(source, zones, rows), expected_grams(series, rows)
        counts = (1, CORES) if CORES > CORES_OF_ONE else (1,)
        found: dict[str, list[float]] = {"copy": [], **{str(workers): [] for workers in counts}}
        peaks: dict[str, int] = {}
        steps: dict[str, tuple[float, float]] = {}
        for _ in range(rounds):
            found["copy"].append(copy(source, home / "copy.parquet"))
            (home / "copy.parquet").unlink()
            for workers in counts:
                prepared, converted, peak, told = ours(source, output, home, workers)
                check(f"{millions} million, {workers} workers", told["emissions_g"], grams)
                check("energy", told["facility_energy_kwh"], energy)
                peaks[str(workers)] = max(peak, peaks.get(str(workers), 0))
                steps[str(workers)] = (prepared, converted)
                found[str(workers)].append(prepared + converted)
        written = parquet.ParquetFile(output)
        column = sum(float(np.sum(written.read_row_group(group, ["emissions_g"])[0].to_numpy())) for group in range(written.num_row_groups))
        check("the file written", column, grams)
        base = statistics.median(found["copy"])
        report(f"{millions} million, copy", f"{base:.2f} s, {rows / base / 1e6:.1f} M jobs/s")
        if slow:
            most = f"the copy itself is {rows / base / slow:.1f} x the loop; {GOAL_OF_LOOP} x is {GOAL_OF_LOOP * slow / 1e6:.1f} M jobs/s"
            report(f"{millions} million, what can be had here", most)
        for workers in map(str, counts):
            mine = statistics.median(found[workers])
            ratio = f", {rows / mine / slow:.1f} x the loop" if slow else ""
            report(
                f"{millions} million, Parquet to Parquet, {workers} worker(s)",
                f"{mine:.2f} s ({steps[workers][0]:.2f} + {steps[workers][1]:.2f}), {rows / mine / 1e6:.1f} M jobs/s, "
                f"{base / mine:.2f} of the copy{ratio}, {peaks[workers] / 2**20:.0f} MiB at most",
            )


def report(what: str, found: str) -> None:
    """Print one line of the table."""
    print(f"{what:60} {found}", flush=True)


def main(*millions: int) -> None:
    """Print the table."""
    in_memory()
    slow = loop()
    for count in millions or (10,):
        from_parquet(count, slow)
    report("peak memory of this bench", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
