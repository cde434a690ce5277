"""Four times as many requests as can be answered: what is still answered, how soon, and how soon the rest is refused.

    python bench/overload.py [SECONDS]

For a job of 24 hours and one of a year. The peak is that of 32 connections which ask again at once; "normal" is their p99.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

if __package__ in {None, ""}:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.run import GRIDGRAM, JOB, free_port, loaded, running
from bench.workers import paced

CONNECTIONS = 1_000
HOURS_OF_A_MONTH = 720
JOBS = {
    "24 hours": JOB,
    "24 hours with hours": {**JOB, "include": ["hours"]},
    "a month with hours": {**JOB, "energy": {**JOB["energy"], "kwh": [1.2] * HOURS_OF_A_MONTH}, "include": ["hours"]},  # type: ignore[dict-item]
}


def main(seconds: float) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as cache:
        port = free_port()
        with running([*GRIDGRAM, "serve", "--port", str(port)], port, cache):
            for name, job in JOBS.items():
                body = json.dumps(job).encode()
                peak = loaded(port, body)
                for times in (0.5, 1.5, 4):
                    figures = paced(port, body, times * peak["rps"], seconds, CONNECTIONS)
                    print(
                        f"{name}, {times} x {peak['rps']:,.0f}/s: answered {figures['answered_rps'] / peak['rps']:.2f} of the peak, "
                        f"p50 and p99 {figures['answered_ms']} ms (at the peak {peak['p50_ms']:.1f}, {peak['p99_ms']:.1f}); "
                        f"refused {figures['refused_rps']:,}/s in {figures['refused_ms']} ms; sent {figures['sent_rps']:,}/s, "
                        f"others {figures['other']}"
                    )


if __name__ == "__main__":
    os.environ["GRIDGRAM_OFFLINE"] = "1"  # no figure may hang on a source
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
