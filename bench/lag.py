"""What holds the event loop up: each heavy request once, fresh and warm, beside a timer that should come back every 2 ms.

python bench/lag.py
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import uvloop
from aiohttp import web

if __package__ in {None, ""}:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from service.app import build_gridgram
from service.server import Runner, set_the_house_aside
from service.settings import Settings
from service.web_app import build_app

TICK_SECONDS = 0.002
POINTS = 100_000
START = "2024-01-01T00:00:00Z"


def emissions(energy: object, **members: object) -> bytes:
    """The body of one job in France."""
    return json.dumps({"location": "FR", "energy": energy, **members}).encode()


def minute(number: int) -> str:
    """The start of a minute of 2024."""
    return f"2024-{1 + number // 40_320:02d}-{1 + number // 1440 % 28:02d}T{number // 60 % 24:02d}:{number % 60:02d}:00Z"


INTERVALS = [{"start": minute(number), "end": minute(number + 1), "kwh": 1} for number in range(25_000) if (number + 1) % 40_320]
REQUESTS = {
    "GET /v1/zones": None,
    "GET /v1/locate?location=geo:48.85,2.35": None,
    "GET /v1/intensity?location=FR&start=2024-01-01T00:00:00Z&end=2024-12-31T00:00:00Z&format=parquet": None,
    "GET /v1/intensity?location=FR&start=2024-01-01T00:00:00Z&end=2024-12-31T00:00:00Z": None,
    "GET /v1/intensity?location=DE&start=2023-01-01T00:00:00Z&end=2023-12-31T00:00:00Z&format=csv": None,
    "GET /v1/zones/US-CAL-CISO": None,
    "GET /v1/providers": None,
    "GET /openapi.yaml": None,
    "POST /v1/emissions 100,000 points": emissions({"start": START, "step": "PT5M", "kwh": [1.5] * POINTS}),
    "POST /v1/emissions 100,000 points with hours": emissions({"start": START, "step": "PT5M", "kwh": [1.5] * POINTS}, include=["hours"]),
    "POST /v1/emissions 100,000 wrong points": emissions({"start": START, "step": "PT5M", "kwh": [-1.5] * POINTS}),
    "POST /v1/emissions 25,000 intervals": emissions({"intervals": INTERVALS}),
    "POST /v1/emissions 16 KiB inline": emissions({"start": START, "step": "PT1H", "kwh": [1.25] * 2_500}, include=["hours"]),
    "POST /v1/emissions 990 hours inline": emissions({"start": START, "step": "PT1H", "kwh": [1.25] * 990}, include=["hours"]),
}


def ask(port: int, name: str, body: bytes | None) -> None:
    """Send one request; any answer will do."""
    path = name.split()[1]
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, {"Content-Type": "application/json"})
    with suppress(urllib.error.HTTPError), urllib.request.urlopen(request) as answer:  # noqa: S310 - as above
        answer.read()


async def main() -> None:
    """Serve in this process and ask from a thread."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(store=f"sqlite:///{folder}/series.sqlite", port=0, offline=True)
        runner = Runner(build_app(build_gridgram(settings), settings), settings)
        await runner.setup()
        set_the_house_aside()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        lags: list[float] = []
        ticking = asyncio.create_task(tick(lags))
        for name, body in REQUESTS.items():
            figures = []
            for _ in range(3):
                lags.clear()
                started = time.perf_counter()
                await asyncio.to_thread(ask, port, name, body)
                figures.append((1000 * max(lags, default=0.0), 1000 * (time.perf_counter() - started)))
            print(f"{name[:70]:70}", ", ".join(f"lag {lag:5.1f} of {whole:6.1f} ms" for lag, whole in figures))
        ticking.cancel()
        await runner.cleanup()


async def tick(lags: list[float]) -> None:
    """Note how late each tick is."""
    while True:
        due = time.perf_counter() + TICK_SECONDS
        await asyncio.sleep(TICK_SECONDS)
        lags.append(time.perf_counter() - due)


if __name__ == "__main__":
    os.environ["GRIDGRAM_OFFLINE"] = "1"
    uvloop.run(main())
