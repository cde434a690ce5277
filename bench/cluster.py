"""What a cluster of Dask costs and gains: 20 million jobs, Parquet to Parquet, on one process, and on one and two local workers.

python bench/cluster.py [MILLIONS]     default: 20

Every total is checked by another way of adding it up, and the one file of each run is compared byte for byte. Two workers on two cores of
one machine tell the overhead, not how far a cluster scales; docs/backfill-cluster.md does the sum.
"""

from __future__ import annotations

import asyncio
import filecmp
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from backfill import HERE, ZONES, check, expected_grams, fill_store, hours, ours, report, write_jobs

ROUNDS = 3
RUN = """
import json, sys, time
from pathlib import Path
from service.backfill.commands import _on_cluster, _spec
source, output, scheduler = sys.argv[1:]
named = Path(output) if output.endswith(".parquet") else Path(output, "part.parquet")
spec = _spec(Path(source), named, columns="", signal="lifecycle", min_quality="annual", pue=1.0, part_rows=None)
doing = {}
def tell(what, done, of, quarantined):
    doing.setdefault(what, time.perf_counter())
started = time.perf_counter()
told = _on_cluster(scheduler, spec, (source, output), tell, restart=False, overwrite=True)
done = time.perf_counter()
peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
print(json.dumps([doing.get("converting", started) - started, done - started, peak * 1024, told]))
"""


def on_cluster(source: Path, output: Path, home: Path, scheduler: str) -> tuple[float, float, int, dict[str, Any]]:
    """A whole run whose client is a process of its own: seconds until it converts, seconds in all, the client's peak, the summary."""
    script = home / "on_cluster.py"
    script.write_text(RUN)
    environment = os.environ | {"XDG_CACHE_HOME": str(home), "GRIDGRAM_OFFLINE": "1", "PYTHONPATH": str(HERE.parent)}
    command = [sys.executable, str(script), str(source), str(output), scheduler]
    done = subprocess.run(command, env=environment, cwd=HERE.parent, stdout=subprocess.PIPE, text=True, check=True)
    before, whole, peak, told = json.loads(done.stdout)
    return before, whole, peak, told


def main(millions: int = 20, rounds: int = ROUNDS) -> None:
    """Print the table."""
    from distributed import LocalCluster  # noqa: PLC0415 - of the extra `dask`

    from gridgram.zones import Zones  # noqa: PLC0415 - only here

    rows = millions * 1_000_000
    os.environ["PYTHONPATH"] = str(HERE.parent)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        zones = [zone.key for zone in Zones.load()][:ZONES]
        series = [hours(zone, number) for number, zone in enumerate(zones)]
        asyncio.run(fill_store(home, series))
        source, whole, output = home / "jobs.parquet", home / "whole.parquet", home / "out.parquet"
        write_jobs(source, zones, rows)
        grams = expected_grams(series, rows)
        found: dict[str, list[float]] = {}
        peaks: dict[str, int] = {}

        def note(what: str, seconds: float, peak: int, told: dict[str, Any]) -> None:
            check(what, told["emissions_g"], grams)
            found.setdefault(what, []).append(seconds)
            peaks[what] = max(peak, peaks.get(what, 0))

        starts: list[float] = []
        for _ in range(rounds):
            prepared, converted, peak, told = ours(source, whole, home, 1)
            note("one process", prepared + converted, peak, told)
            for workers in (1, 2):
                started = time.perf_counter()
                with LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0") as cluster:
                    cluster.wait_for_workers(workers)
                    starts.append(time.perf_counter() - started)
                    _, seconds, peak, told = on_cluster(source, output, home, cluster.scheduler_address)
                    note(f"Dask, {workers} worker(s), one file", seconds, peak, told)
                    if not filecmp.cmp(whole, output, shallow=False):
                        sys.exit(f"{output} differs from {whole}")
                    _, seconds, peak, told = on_cluster(source, home / "parts", home, cluster.scheduler_address)
                    note(f"Dask, {workers} worker(s), a folder", seconds, peak, told)
        base = statistics.median(found["one process"])
        for what, seconds in found.items():
            middle = statistics.median(seconds)
            spread = f"{min(seconds):.2f}-{max(seconds):.2f}"
            rate = f"{rows / middle / 1e6:.1f} M jobs/s, {base / middle:.2f} of one process, {peaks[what] / 2**20:.0f} MiB in the caller"
            report(f"{millions} million, {what}", f"{middle:.2f} s ({spread}), {rate}")
        report("start of a local cluster, not counted above", f"{statistics.median(starts):.2f} s")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
