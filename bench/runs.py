"""How quickly records are acknowledged, each on disk before its answer: many trackers at once against a running service.

python bench/runs.py [TRACKERS] [SECONDS]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.running import running_service

START = 1_646_956_800


async def tracker(session: aiohttp.ClientSession, address: str, number: int, deadline: float, took: list[float]) -> None:
    """Begin a run and send what is new, one record after another."""
    async with session.post(f"{address}/at/FR/runs", json={"timestamp": "2022-03-11T00:00:00Z", "experiment_id": str(number)}) as begun:
        run = (await begun.json())["id"]
    step = 0
    while time.perf_counter() < deadline:
        step += 1
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START + 120 * step))
        record = {"timestamp": stamp, "run_id": run, "duration": 120, "energy_consumed": 0.01, "emissions_sum": 0.001}
        started = time.perf_counter()
        async with session.post(f"{address}/at/FR/emissions", json=record) as answer:
            answer.raise_for_status()
        took.append(time.perf_counter() - started)


async def measure(address: str, trackers: int, seconds: float) -> list[float]:
    """How long each record took. [s]"""
    took: list[float] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session, asyncio.TaskGroup() as group:
        deadline = time.perf_counter() + seconds
        for number in range(trackers):
            group.create_task(tracker(session, address, number, deadline, took))
    return sorted(took)


def main() -> None:
    """Print records a second, and how long they took."""
    trackers, seconds = (float(text) for text in (*sys.argv[1:], "64", "10")[:2])
    with tempfile.TemporaryDirectory() as folder, running_service(Path(folder)) as service:
        took = asyncio.run(measure(service.address, int(trackers), seconds))
    p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
    slowest = ", ".join(f"{name} {seconds * 1e3:.1f} ms" for name, seconds in (("p50", p50), ("p99", p99), ("slowest", took[-1])))
    print(f"{int(trackers)} trackers: {len(took) / seconds:,.0f} records/s, {slowest}")


if __name__ == "__main__":
    main()
