"""Whether memory stays flat: a million mixed requests to one running service, and what it has resident all along.

    python bench/memory.py [REQUESTS]

The mix: jobs of a day in many zones, flat jobs, jobs of a year with hours, series as JSON and CSV, the newest hour, locations, batches,
wrong bodies, unknown places, paths that are none, connections that break off. A tenth warms up; the end is told against that.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import uvloop

if __package__ in {None, ""}:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.run import GRIDGRAM, free_port, running

CLIENTS = 16
LOOKS = 20
JSON, NDJSON = {"Content-Type": "application/json"}, {"Content-Type": "application/x-ndjson"}
ZONES = ("FR", "DE", "GB", "ES", "PL", "US-CAL-CISO", "US-TEX-ERCO", "US-NY-NYIS", "CA-ON", "AU-NSW", "IN", "CN-BJ", "BR", "ZA", "JP")
KIB_PER_MIB = 1024


def job(number: int, **energy: object) -> dict[str, object]:
    """One job; number and zone go through all there are, months through ten years."""
    start = f"{2015 + number // 12 % 10}-{1 + number % 12:02d}-03T00:00:00Z"
    return {"location": ZONES[number % len(ZONES)], "energy": {"start": start, "step": "PT1H", "kwh": [1.2] * 24} | energy}


def mixed(number: int) -> tuple[str, str, bytes | None, dict[str, str]]:  # noqa: C901, PLR0911 - a list of cases
    """The request of this number: method, path, body, headers."""
    zone = ZONES[number // 20 % len(ZONES)]
    span = f"location={zone}&start=2023-{1 + number // 300 % 12:02d}-01T00:00:00Z&end=2023-{1 + number // 300 % 12:02d}-08T00:00:00Z"
    match number % 20:
        case 0:
            return "GET", f"/v1/intensity?{span}", None, {}
        case 1:
            return "GET", f"/v1/intensity?{span}&format=csv", None, {}
        case 2:
            return "GET", f"/v1/intensity/latest?location={zone}", None, {}
        case 3:
            return "GET", f"/v1/locate?location=geo:{number % 60},{number % 90}.5", None, {}
        case 4:
            return "POST", "/v1/emissions/batch", b"\n".join(json.dumps(job(number + line)).encode() for line in range(5)), NDJSON
        case 5:
            return "POST", "/v1/emissions", b'{"location": "FR", "energy": {', JSON
        case 6:
            return "POST", "/v1/emissions", json.dumps({**job(number), "location": f"nowhere-{number}"}).encode(), JSON
        case 7:
            return "GET", f"/nothing/{number}", None, {}
        case 8 if not number % 500:
            return "POST", "/v1/emissions", json.dumps({**job(number, kwh=[1.2] * 8_760), "include": ["hours"]}).encode(), JSON
        case 9:
            return "GET", ("/healthz", "/readyz", "/version", "/v1/zones/FR")[number // 20 % 4], None, {}
        case odd:
            return "POST", "/v1/emissions", json.dumps({**job(number), "include": ["hours"] if odd % 2 else []}).encode(), JSON


def resident_mib(pid: int) -> float:
    """What a process has resident. [MiB]"""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / KIB_PER_MIB if found else float("nan")


async def ask(port: int, numbers: range) -> dict[int, int]:
    """Send these requests over a few connections; how many answers of each status."""
    statuses: dict[int, int] = {}
    ahead = iter(numbers)

    async def client(session: aiohttp.ClientSession) -> None:
        for number in ahead:
            method, path, body, headers = mixed(number)
            async with session.request(method, f"http://127.0.0.1:{port}{path}", data=body, headers=headers) as answer:
                if number % 997:  # the others go away with the answer half read
                    await answer.read()
                statuses[answer.status] = statuses.get(answer.status, 0) + 1

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as clients:
        for _ in range(CLIENTS):
            clients.create_task(client(session))
    return statuses


async def main(requests: int) -> None:
    """Print what is resident as the requests go by, and the growth after the first tenth."""
    with tempfile.TemporaryDirectory() as cache:
        port = free_port()
        with running([*GRIDGRAM, "serve", "--port", str(port)], port, cache) as process:
            statuses: dict[int, int] = {}
            figures = []
            for look in range(LOOKS):
                started = time.perf_counter()
                part = range(requests * look // LOOKS, requests * (look + 1) // LOOKS)
                for status, count in (await ask(port, part)).items():
                    statuses[status] = statuses.get(status, 0) + count
                figures.append(resident_mib(process.pid))
                rate = len(part) / (time.perf_counter() - started)
                print(f"{part.stop:>9,} requests: {figures[-1]:.1f} MiB ({rate:,.0f} requests/s)", flush=True)
            warm = figures[LOOKS // 10]
            growth = figures[-1] / warm - 1
            print(f"after the first tenth {warm:.1f} MiB, at the end {figures[-1]:.1f} MiB: {growth:+.1%}; statuses {statuses}")


if __name__ == "__main__":
    os.environ["GRIDGRAM_OFFLINE"] = "1"  # no figure may hang on a source
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
