"""The scheduler's speed: a year of starts in 300 zones, pauses in the same, and whole requests; bare numpy beside it in the same run.

python bench/schedule.py [ROUNDS]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import orjson

from gridgram.interval import HOURS_PER_DAY, MICROSECONDS_PER_HOUR, format_time, hour_of
from gridgram.quality import QUALITY_CODES, Quality, Scope, Signal
from gridgram.schedule_job import Job, Pauses, Site, Window
from gridgram.schedule_pauses import paused_plan
from gridgram.schedule_starts import Hours, earliest_least, start_emissions
from gridgram.series import IntensitySeries, Source
from service.app import build_gridgram
from service.scheduling.usecase import read_task, schedule
from service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from service.usecases import Gridgram

ZONES, HOURS = 300, 8_760
JOB_HOURS, PAUSED_HOURS = 24, 1_000
KINDS: dict[str, dict[str, object]] = {
    "as it comes": {},
    "steps of 5 minutes": {"step": "PT5M"},
    "with pauses": {"interruptible": True},
    "with pauses, runs of 2 h and more, resume costs": {"interruptible": True, "min_chunk": "PT2H", "resume_kwh": 0.1},
}


def year_of(zones: int) -> NDArray[np.float64]:
    """Hours with a day, a year and weather in them."""
    random, hour = np.random.default_rng(1), np.arange(HOURS)
    weather = np.cumsum(random.normal(0, 8, (zones, HOURS)), axis=1)
    weather -= (weather[:, -1:] - weather[:, :1]) * hour / HOURS
    shape = 60 * np.cos(2 * np.pi * hour / HOURS_PER_DAY) + 40 * np.cos(2 * np.pi * hour / HOURS)
    return np.clip(300 + shape + np.clip(weather, -150, 150) + random.normal(0, 5, (zones, HOURS)), 1, None)


def milliseconds(work: Callable[[], object], rounds: int) -> float:
    """The quickest of so many runs, after one to warm up: what else the machine does only adds. [ms]"""
    work()
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return 1_000 * min(taken)


def arithmetic(rounds: int) -> None:
    """300 zones x 8,760 start hours."""
    g = year_of(ZONES)
    running = np.concatenate([np.zeros((ZONES, 1)), np.cumsum(g, axis=1)], axis=1)
    is_known = np.ones(HOURS, np.bool_)
    ready = [Hours.of(0, zone, is_known) for zone in g]
    site, window = Site(), Window(0, HOURS * MICROSECONDS_PER_HOUR, MICROSECONDS_PER_HOUR)
    flat, long = (Job.of(hours * MICROSECONDS_PER_HOUR, [1.0]) for hours in (JOB_HOURS, PAUSED_HOURS))
    shaped = Job.of(JOB_HOURS * MICROSECONDS_PER_HOUR, np.linspace(1, 2, JOB_HOURS).tolist())
    pauses, tied = Pauses(MICROSECONDS_PER_HOUR), Pauses(3 * MICROSECONDS_PER_HOUR, 0.01)
    figures = {
        "hours made ready (running sums)": lambda: [Hours.of(0, zone, is_known) for zone in g],
        "best start, flat 24 h": lambda: [earliest_least(start_emissions(hours, flat, site, window)) for hours in ready],
        "  bare numpy, running sums given": lambda: (running[:, JOB_HOURS:] - running[:, :-JOB_HOURS]).argmin(axis=1),
        "best start, shaped 24 h": lambda: [earliest_least(start_emissions(hours, shaped, site, window)) for hours in ready],
        "pauses, 1,000 h of the year": lambda: [paused_plan(hours, long, site, window, pauses) for hours in ready],
        "  bare numpy, argpartition": lambda: np.argpartition(g, PAUSED_HOURS, axis=1)[:, :PAUSED_HOURS],
        "pauses of 24 h, runs of 3 h and more, resume costs; 1 zone": lambda: paused_plan(ready[0], flat, site, window, tied),
    }
    for name, work in figures.items():
        print(f"{name}: {milliseconds(work, rounds):.2f} ms")


async def asked(gridgram: Gridgram, members: dict[str, object], rounds: int) -> list[tuple[float, float]]:
    """The wall and the CPU time of one schedule from members to JSON, of all threads; the first may have to make things ready. [s]"""
    taken = []
    for _ in range(rounds + 1):
        began, began_cpu = time.perf_counter(), time.process_time()
        made = await schedule(gridgram, read_task(gridgram, members))
        orjson.dumps(made.answer)
        taken.append((time.perf_counter() - began, time.process_time() - began_cpu))
    return taken


def told(taken: list[tuple[float, float]]) -> str:
    """The medians of wall and CPU time: the second says more where others use the machine."""
    wall, cpu = (1_000 * median(column) for column in zip(*taken, strict=True))
    return f"{wall:.1f} ms ({cpu:.1f} ms of CPU)"


def requests(rounds: int, folder: str) -> None:
    """20 zones x 7 days, hours in memory, from members to JSON."""
    gridgram = build_gridgram(Settings(offline=True, store=f"sqlite:///{folder}/series.sqlite"))
    zones = [zone.key for zone in gridgram.zones if gridgram.intensity.reference.offer(zone.key, Signal.LIFECYCLE)][:20]
    plain = {
        "locations": zones,
        "energy": {"duration": "PT8H", "total_kwh": 80},
        "earliest": "2024-03-11T00:00:00Z",
        "latest": "2024-03-18T00:00:00Z",
    }

    async def main() -> None:
        for name, members in KINDS.items():
            taken = await asked(gridgram, {**plain, **members}, rounds)
            print(f"schedule, 20 zones x 7 days, {name}: {told(taken[1:])}")
        await gridgram.intensity.close()

    asyncio.run(main())


def ahead(rounds: int, folder: str) -> None:
    """As `requests`, for the next 7 days of zones whose last 60 days are held: forecasts made, then kept in memory."""
    gridgram = build_gridgram(Settings(offline=True, store=f"sqlite:///{folder}/ahead.sqlite"))
    zones = [zone.key for zone in gridgram.zones if gridgram.intensity.reference.offer(zone.key, Signal.LIFECYCLE)][:20]
    hours, present = 60 * HOURS_PER_DAY, hour_of(gridgram.now())
    source = Source("file", Signal.LIFECYCLE, Scope.PRODUCTION, "", "")
    quality, places = np.full(hours, QUALITY_CODES[Quality.MEASURED], np.uint8), np.zeros(hours, np.uint8)
    held = [
        IntensitySeries(zone, Signal.LIFECYCLE, present - hours, *[g[-hours:]] * 3, quality, places, (source,))
        for zone, g in zip(zones, year_of(len(zones)), strict=True)
    ]
    end = format_time(gridgram.now() + timedelta(days=7, hours=1))

    async def main() -> None:
        await gridgram.intensity.store.merge(held)
        members = {"locations": zones, "energy": {"duration": "PT8H", "total_kwh": 80}, "latest": end}
        for name, further in KINDS.items():
            taken = await asked(gridgram, {**members, **further}, rounds)
            print(f"schedule, 20 zones x next 7 days, forecast, {name}: first {told(taken[:1])}, then {told(taken[1:])}")
        await gridgram.intensity.close()

    asyncio.run(main())


def main() -> None:
    """Print all figures."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    arithmetic(rounds)
    with tempfile.TemporaryDirectory() as folder:
        requests(rounds, folder)
        ahead(rounds, folder)


if __name__ == "__main__":
    main()
