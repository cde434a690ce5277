"""The hours that a plan needs: read through the ordinary way in, laid out as tables, and kept beside a run so that it can go on."""

from __future__ import annotations

import asyncio
import os
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from gridgram.hour_tables import HourTables, hour_tables
from gridgram.interval import months_between
from gridgram.quality import Signal
from gridgram.series import joined, missing_series
from service.backfill.folder import sync_file, sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from gridgram.interval import Month
    from gridgram.series import IntensitySeries
    from service.backfill.plan import Plan
    from service.intensity import Intensity

CONCURRENT_PLACES: Final = 4
"""So many zones are read at once; each month is a read of its own, so that a live request never waits for more than one."""
_NAMES: Final = "names.json"


async def read_hours(intensity: Intensity, plan: Plan, progress: Callable[[int], None] = lambda _hours: None) -> HourTables:
    """Read what the plan needs, with explicit holes between; `progress` is told how many hours of zones have been read."""
    bound = asyncio.Semaphore(CONCURRENT_PLACES)
    done = 0

    async def read(zone: str, signal: Signal, spans: Sequence[tuple[int, int]]) -> IntensitySeries:
        nonlocal done
        months: set[Month] = set()
        async with bound:
            for first_hour, end_hour in spans:
                for month in months_between(first_hour, end_hour):
                    await intensity.prepare(zone, signal, max(first_hour, month.first_hour), min(end_hour, month.next.first_hour))
                    months.add(month)
                done += end_hour - first_hour
                progress(done)
                await asyncio.sleep(0)
            return whole_months([chunk.series for chunk in await intensity.chunks(zone, signal, sorted(months))], zone, signal)

    async with asyncio.TaskGroup() as group:
        readings = [group.create_task(read(*need)) for need in plan.needed()]
    return await asyncio.to_thread(hour_tables, [reading.result() for reading in readings])


def whole_months(months: Sequence[IntensitySeries], zone: str, signal: Signal) -> IntensitySeries:
    """Months in order as one series, the hours between them missing; one missing hour when there is none."""
    parts: list[IntensitySeries] = []
    for month in months:
        if parts and parts[-1].end_hour < month.first_hour:
            parts.append(missing_series(zone, signal, parts[-1].end_hour, month.first_hour - parts[-1].end_hour))
        parts.append(month)
    return joined(parts) if parts else missing_series(zone, signal, 0, 1)


def save_tables(tables: HourTables, folder: Path) -> None:
    """Bring tables to the disk, each array in a file of its own, so that processes can share them. Raises OSError."""
    folder.mkdir(exist_ok=True)
    names: dict[str, Any] = {}
    for field in fields(HourTables):
        held = getattr(tables, field.name)
        if isinstance(held, np.ndarray):
            with (folder / f"{field.name}.npy").open("wb") as file:
                np.save(file, held, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
        else:
            names[field.name] = held
    (folder / _NAMES).write_bytes(orjson.dumps(names))
    sync_file(folder / _NAMES)
    sync_folder(folder)


def load_tables(folder: Path) -> HourTables:
    """Open saved tables; the arrays stay in their files until they are looked at."""
    names = orjson.loads((folder / _NAMES).read_bytes())
    members: dict[str, Any] = {}
    for field in fields(HourTables):
        if field.name in names:
            members[field.name] = tuple(Signal(name) for name in names["signals"]) if field.name == "signals" else tuple(names[field.name])
        else:
            path = folder / f"{field.name}.npy"
            members[field.name] = np.asarray(_open(path))
    return HourTables(**members)


def _open(path: Path) -> Any:  # noqa: ANN401 - an array of any kind
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:  # an empty array cannot be mapped
        return np.load(path, allow_pickle=False)
