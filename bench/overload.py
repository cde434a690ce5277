"""Four times as many requests as can be answered: what is still answered, how soon, and how soon the rest is refused.

    python bench/overload.py [SECONDS]

The peak is that of 32 connections which ask again at once. As the load may come from a machine that is busy with other things, answers are
also told per second of processor time that the server used: that ratio to the peak is what would be left with a core of its own.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

if __package__ in {None, ""}:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.run import GRIDGRAM, JOB, SECONDS, free_port, loaded, running
from bench.workers import WARM_SECONDS, paced

CONNECTIONS = 1_000
HOURS_OF_A_MONTH = 720
JOBS = {
    "24 hours": JOB,
    "24 hours with hours": {**JOB, "include": ["hours"]},
    "a month with hours": {**JOB, "energy": {**JOB["energy"], "kwh": [1.2] * HOURS_OF_A_MONTH}, "include": ["hours"]},  # type: ignore[dict-item]
}


def processor_seconds(pid: int) -> float:
    """The processor time that a process has used. [s]"""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(seconds: float) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as cache:
        port = free_port()
        with running([*GRIDGRAM, "serve", "--port", str(port)], port, cache) as process:
            for name, job in JOBS.items():
                body = json.dumps(job).encode()
                before = processor_seconds(process.pid)
                peak = loaded(port, body)
                peak_per_second = peak["rps"] * SECONDS / (processor_seconds(process.pid) - before)
                for times in (0.5, 1.5, 4):
                    before = processor_seconds(process.pid)
                    figures = paced(port, body, times * peak["rps"], seconds, CONNECTIONS)
                    used = (processor_seconds(process.pid) - before) * (seconds - WARM_SECONDS) / seconds
                    answered = figures["answered_rps"] * (seconds - WARM_SECONDS)
                    print(
                        f"{name}, {times} x {peak['rps']:,.0f}/s: answered {figures['answered_rps'] / peak['rps']:.2f} of the peak "
                        f"({answered / used / peak_per_second:.2f} per processor second), "
                        f"p50 and p99 {figures['answered_ms']} ms (at the peak {peak['p50_ms']:.1f}, {peak['p99_ms']:.1f}); "
                        f"refused {figures['refused_rps']:,}/s in {figures['refused_ms']} ms; not sent {figures['unsent_rps']:,}/s, "
                        f"others {figures['other']}"
                    )


if __name__ == "__main__":
    os.environ["GRIDGRAM_OFFLINE"] = "1"  # no figure may hang on a source
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
