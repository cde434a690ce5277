"""Two and four times as many requests as can be answered: what is still answered, how soon, and how soon the rest is refused.

    python bench/overload.py [SECONDS]

The peak is that of 32 connections which ask again at once. As the load may come from a machine that is busy with other things, answers are
also told per second of processor time that the server used: that ratio to the peak is what would be left with a core of its own. What a
refusal costs is told first, with what follows from it for a server that writes one for each request that it cannot answer.
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
from service.resting import A_TICK, TICK_SECONDS

CONNECTIONS = 1_000
FEW_CONNECTIONS = 32
FULL = "import service.server as server; queue = server.Queue; server.Queue = lambda *_: queue(0, 0.0); from service.cli import app; app()"
"""A service whose queue is always full."""
HOURS_OF_A_MONTH = 720
MOST_REFUSALS = round(2 * A_TICK / TICK_SECONDS)
"""A second, by so many connections: those that are refused and forgotten, and those that are read again though there is no room."""
JOBS = {
    "24 hours": JOB,
    "24 hours with hours": {**JOB, "include": ["hours"]},
    "a month with hours": {**JOB, "energy": {**JOB["energy"], "kwh": [1.2] * HOURS_OF_A_MONTH}, "include": ["hours"]},  # type: ignore[dict-item]
}


def processor_seconds(pid: int) -> float:
    """The processor time that a process has used. [s]"""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def refusal_seconds(cache: str, seconds: float) -> float:
    """The processor time of one refusal, by a service that takes nothing into its queue, resting and waking included. [s]"""
    port = free_port()
    with running([sys.executable, "-c", FULL, "serve", "--port", str(port)], port, cache) as process:
        paced(port, json.dumps(JOB).encode(), 10_000, seconds, FEW_CONNECTIONS)
        before = processor_seconds(process.pid)
        figures = paced(port, json.dumps(JOB).encode(), 10_000, seconds, FEW_CONNECTIONS)
        return (
            (processor_seconds(process.pid) - before)
            * (seconds - WARM_SECONDS)
            / seconds
            / (figures["refused_rps"] * (seconds - WARM_SECONDS))
        )


def main(seconds: float) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as cache:
        port = free_port()
        refusal = refusal_seconds(cache, seconds)
        print(f"a refusal takes {1e6 * refusal:.0f} us of processor time")
        with running([*GRIDGRAM, "serve", "--port", str(port)], port, cache) as process:
            for name, job in JOBS.items():
                body = json.dumps(job).encode()
                before = processor_seconds(process.pid)
                peak = loaded(port, body)
                peak_per_second = peak["rps"] * SECONDS / (processor_seconds(process.pid) - before)
                share = refusal * peak_per_second
                at_2, at_4 = (max(0.0, (1 - times * share) / (1 - share)) for times in (2, 4))
                print(
                    f"{name}: an answer takes {1e6 / peak_per_second:.0f} us of processor time; "
                    f"if all that is too much were refused, {at_2:.2f} of the peak would be left at 2 x and {at_4:.2f} at 4 x; "
                    f"with {MOST_REFUSALS:,} refusals a second {1 - MOST_REFUSALS * refusal:.2f}"
                )
                for times in (0.5, 2, 4):
                    before = processor_seconds(process.pid)
                    figures = paced(port, body, times * peak["rps"], seconds, CONNECTIONS)
                    used = (processor_seconds(process.pid) - before) * (seconds - WARM_SECONDS) / seconds
                    answered = figures["answered_rps"] * (seconds - WARM_SECONDS)
                    print(
                        f"{name}, {times} x {peak['rps']:,.0f}/s: answered {figures['answered_rps'] / peak['rps']:.2f} of the peak "
                        f"({answered / used / peak_per_second:.2f} per processor second), "
                        f"p50 and p99 {figures['answered_ms']} ms (at the peak {peak['p50_ms']:.1f}, {peak['p99_ms']:.1f}), "
                        f"of {figures['early_rps']:,}/s that were asked for again sooner than told {figures['early_ms']} ms; "
                        f"refused {figures['refused_rps']:,}/s in {figures['refused_ms']} ms; not sent {figures['unsent_rps']:,}/s, "
                        f"others {figures['other']}"
                    )


if __name__ == "__main__":
    os.environ["GRIDGRAM_OFFLINE"] = "1"  # no figure may hang on a source
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
