"""Hours that tell of themselves which they are, and a checker that computes an answer again from its own hours.

Every zone-hour and revision has an intensity of its own, so a number in a wrong place, or one that never was, shows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache.redis_link import RedisLink
from cache.redis_store import RedisStore
from cache.redis_url import read_redis_url
from cache.sqlite import SqliteStore
from gridgram.interval import Month, format_hour
from gridgram.quality import Signal
from gridgram.zones import Zones
from providers.reference import Reference
from service.importing.run import import_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

    from cache.contract import SeriesStore

ZONES = ("FR", "DE", "GB", "ES", "PL", "IT", "US-CAL-CISO", "AU-NSW")
MONTHS = tuple(Month(2024, number) for number in range(1, 13))
HOURS = 24
"""The first so many hours of each month are held."""
REVISIONS = 1 << 16
"""A revision is a fraction of so many parts: it survives text and binary unchanged."""
Cell = tuple[str, int]
"""A zone and an hour."""
CELLS: tuple[Cell, ...] = tuple((zone, month.first_hour + hour) for zone in ZONES for month in MONTHS for hour in range(HOURS))
PLACES = {cell: place for place, cell in enumerate(CELLS)}


def g_per_kwh(cell: Cell, revision: int = 0) -> float:
    """What is imported for a zone-hour. [g/kWh]"""
    return 1.0 + PLACES[cell] + revision / REVISIONS


def revision_of(cell: Cell, found_g_per_kwh: float) -> int | None:
    """Which revision of this zone-hour the number is; None when it is another's or nobody's."""
    parts = (found_g_per_kwh - g_per_kwh(cell)) * REVISIONS
    return int(parts) if parts == int(parts) and 0 <= parts < REVISIONS else None


@cache
def reference() -> Reference:
    return Reference.load(Zones.load())


@cache
def typical(cell: Cell) -> float:
    """What stands in for the hour where nothing is held. [g/kWh]"""
    zone, hour = cell
    return float(reference().series(zone, Signal.LIFECYCLE, hour, hour + 1).g_per_kwh[0])


def write_rows(path: Path, cells: Iterable[Cell] = CELLS, revision: int = 0) -> None:
    """A file of these hours as a user has it."""
    rows = "".join(f"{cell[0]},{format_hour(cell[1])},{g_per_kwh(cell, revision)!r}\n" for cell in cells)
    path.write_text(f"zone,start,g_per_kwh\n{rows}")


def open_store(url: str, answer_seconds: float) -> SeriesStore:
    """The store behind a URL, as the service has it."""
    if url.startswith("sqlite:///"):
        return SqliteStore(Path(url.removeprefix("sqlite:///")))
    return RedisStore(RedisLink(read_redis_url(url), None, answer_seconds))


async def import_rows(url: str, path: Path, answer_seconds: float = 5.0) -> int:
    """Import a file as the command does; how many hours changed. Raises StoreError."""
    store = open_store(url, answer_seconds)
    try:
        return (await import_file(path, store, now=datetime.now(UTC), resolve=str)).hours_changed
    finally:
        await store.close()


@dataclass(frozen=True, slots=True)
class Job:
    """A job of some hours of one zone, each with an energy of its own. [kWh]"""

    zone: str
    first_hour: int
    kwh: tuple[float, ...]

    @property
    def cells(self) -> list[Cell]:
        return [(self.zone, hour) for hour in range(self.first_hour, self.first_hour + len(self.kwh))]

    @property
    def request(self) -> dict[str, Any]:
        """The body of `POST /v1/emissions`."""
        energy = {"start": format_hour(self.first_hour), "step": "PT1H", "kwh": list(self.kwh)}
        return {"location": self.zone, "energy": energy, "include": ["hours"]}


def any_job(randomness: Random, most_hours: int = HOURS) -> Job:
    """A job in any zone and month, of hours that are held."""
    hours = randomness.randint(1, most_hours)
    first = randomness.choice(MONTHS).first_hour + randomness.randint(0, HOURS - hours)
    return Job(randomness.choice(ZONES), first, tuple(randomness.randint(1, 10_000) / 1000 for _ in range(hours)))


def faults_of(job: Job, answer: Any) -> list[str]:
    """What is wrong with an answer: hours, energies, sources that do not fit their numbers, sums. None of it may ever be."""
    hours = answer["hours"]
    told = [(answer["zone"], hour["start"], hour["kwh"]) for hour in hours]
    if told != [(zone, format_hour(hour), kwh) for (zone, hour), kwh in zip(job.cells, job.kwh, strict=True)]:
        return [f"another job's hours: {told}"]
    wrong = [f"{cell}: {hour}" for cell, hour in zip(job.cells, hours, strict=True) if not _is_true(cell, hour)]
    emissions_g = math.fsum(hour["kwh"] * hour["g_per_kwh"] for hour in hours)
    measured_kwh = math.fsum(hour["kwh"] for hour in hours if hour["quality"] == "measured")
    for name, expected in (("emissions_g", emissions_g), ("energy_kwh", math.fsum(job.kwh))):
        if not math.isclose(answer[name], expected, rel_tol=1e-9):
            wrong.append(f"{name} is {answer[name]} and its hours make {expected}")
    if not math.isclose(answer["coverage"].get("measured", 0.0), measured_kwh / math.fsum(job.kwh), rel_tol=1e-9, abs_tol=1e-12):
        wrong.append(f"coverage {answer['coverage']} is not that of the hours")
    if {source["provider"] for source in answer["provenance"]} != {hour["provider"] for hour in hours}:
        wrong.append(f"provenance {answer['provenance']} is not that of the hours")
    return wrong


def _is_true(cell: Cell, hour: Any) -> bool:
    """Whether the number was imported for this hour and says so, or is what stands in for it and says so."""
    if hour["provider"] == "file":
        return hour["quality"] == "measured" and revision_of(cell, hour["g_per_kwh"]) is not None
    return hour["provider"] == "reference" and hour["quality"] in {"typical", "annual"} and bool(hour["g_per_kwh"] == typical(cell))


def is_whole(answer: Any) -> bool:
    """Whether every hour is one that was imported."""
    return all(hour["provider"] == "file" for hour in answer["hours"])
