"""How long the present of all zones takes, and what the first view of the page weighs and takes: 300 zones held.

    python bench/page.py      (the second part needs Chromium)

The view is timed by the browser, from the start of the navigation to the mark that the page sets once it is drawn.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gridgram.zones import Zones
from tests.browser.chromium import chromium, chromium_path
from tests.running import gridgram, running_service

ZONES, HOURS, CALLS, VIEWS = 300, 24, 50, 5


def hours_of_zones() -> str:
    """A CSV with the last hours of so many zones."""
    present = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    rows = [
        f"{zone.key},{present - timedelta(hours=ago):%Y-%m-%dT%H:%M:%SZ},{50 + place + ago}"
        for place, zone in enumerate(list(Zones.load())[:ZONES])
        for ago in range(1, HOURS + 1)
    ]
    return "\n".join(["zone,start,g_per_kwh", *rows])


def call_ms(address: str) -> float:
    """One call for the present of all zones. [ms]"""
    started = time.perf_counter()
    with urllib.request.urlopen(f"{address}/v1/intensity/now") as answer:  # noqa: S310 - our own service
        answer.read()
    return (time.perf_counter() - started) * 1_000


async def first_views(path: str, address: str, folder: Path) -> tuple[list[float], float]:
    """How long each first view took [ms], and what the last one weighed as sent [bytes]."""
    drawn = []
    async with chromium(path, folder / "profile") as page:
        for _ in range(VIEWS):
            await page.call("Network.clearBrowserCache")
            await page.open("about:blank")
            page.received_bytes = 0
            await page.open(address)
            await page.until("performance.getEntriesByName('drawn').length")
            drawn.append(await page.run("performance.getEntriesByName('drawn')[0].startTime"))
        return drawn, page.received_bytes


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        file = home / "hours.csv"
        file.write_text(hours_of_zones())
        gridgram(["import", str(file)], home)
        with running_service(home) as service:
            calls = [call_ms(service.address) for _ in range(CALLS)]
            print(f"present of all zones: the first {calls[0]:.0f} ms, then {statistics.median(calls[1:]):.1f} ms (median of {CALLS - 1})")
            if path := chromium_path():
                drawn, sent = asyncio.run(first_views(path, service.address, home))
                print(f"first view: {sent / 1024:.0f} KiB as sent, drawn in {statistics.median(drawn):.0f} ms (median of {VIEWS})")


if __name__ == "__main__":
    main()
