"""Two workers against one, and what half the load of one feels like: the load comes from the same cores.

    python bench/workers.py [ROUNDS]

Prints the ratio of requests a second (median of rounds, in turn) and the percentiles at half of what one worker can do.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

if __package__ in {None, ""}:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.run import GRIDGRAM, HERE, JOB, free_port, loaded, running

HALF_SECONDS, HALF_CONNECTIONS = 6.0, 64
WARM_SECONDS = 2.0


def paced(port: int, body: bytes, rate: float, seconds: float = HALF_SECONDS, connections: int = HALF_CONNECTIONS) -> dict[str, Any]:
    """One round of open load from another process; its first two seconds are not counted."""
    command = [
        sys.executable,
        str(HERE / "pace.py"),
        str(port),
        "/v1/emissions",
        str(seconds),
        str(connections),
        str(rate),
        str(WARM_SECONDS),
    ]
    figures: dict[str, Any] = json.loads(subprocess.run(command, input=body, capture_output=True, check=True).stdout)
    return figures


def main(rounds: int) -> None:
    """Print the figures."""
    body = json.dumps({**JOB, "include": ["hours"]}).encode()
    with tempfile.TemporaryDirectory() as cache:
        one, two = free_port(), free_port()
        serve = [*GRIDGRAM, "serve", "--port"]
        with running([*serve, str(one)], one, cache), running([*serve, str(two), "--workers", "2"], two, cache):
            loaded(two, body)
            pairs = [(loaded(one, body)["rps"], loaded(two, body)["rps"]) for _ in range(rounds)]
            alone = statistics.median(single for single, _ in pairs)
            ratios = sorted(double / single for single, double in pairs)
            print(
                f"two workers against one: {statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f}); one: {alone:,.0f} requests/s"
            )
            for name, port in (("one worker", one), ("two workers", two)):
                figures = [paced(port, body, alone / 2) for _ in range(max(1, rounds // 2))]
                p50, p99, late50, late99 = (
                    statistics.median(figure[what][place] for figure in figures) for what in ("answered_ms", "late_ms") for place in (0, 1)
                )
                print(
                    f"{name} at half the load of one ({alone / 2:,.0f}/s): p50 {p50:.2f} ms, p99 {p99:.2f} ms from when a request was due, "
                    f"of which the load was late by {late50:.2f} and {late99:.2f} ms"
                )


if __name__ == "__main__":
    os.environ["GRIDGRAM_OFFLINE"] = "1"  # no figure may hang on a source
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
