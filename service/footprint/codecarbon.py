"""CodeCarbon's `emissions.csv` as deployments: its energy by hour, one entry for each place and basis.

Columns are read by name, since their order changed between versions. `timestamp` is the machine's local time at the end of a row,
`duration` seconds, `energy_consumed` kWh with `pue` in it. A tracker that flushes writes the run's energy so far under the same `run_id`;
rows of tasks (`task_name`) are each their own. A row that does not fit the header is refused with its line, never guessed.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gridgram.errors import Fault, InvalidInput
from gridgram.interval import MICROSECONDS_PER_HOUR, format_time, from_microseconds, to_microseconds
from gridgram.profile import flat_profile
from service.limits import MAX_FAULTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

NEEDED = ("timestamp", "duration", "energy_consumed", "country_iso_code")
SAME_START_SECONDS = 60.0
"""Rows of a run that start this close to each other tell the same run further on."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Energy that was used in [start, end), in microseconds, at a place; `has_pue` when a PUE is in it. [kWh]"""

    run: str
    location: str
    has_pue: bool
    start: int
    end: int
    kwh: float


def deployments_of(file: Path, timezone: str) -> list[dict[str, Any]]:
    """Read a file as entries of `deployment`. Raises InvalidInput for what is no such file and for rows that do not fit."""
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput([Fault("--codecarbon-timezone", f"{timezone[:40]!r} is no time zone; write it like Europe/Paris")]) from None
    by_place: dict[tuple[str, bool], list[Measured]] = defaultdict(list)
    for measured in _increments(_rows(file, zone)):
        by_place[measured.location, measured.has_pue].append(measured)
    return [_entry(file.name, location, has_pue, rows) for (location, has_pue), rows in by_place.items()]


def _rows(file: Path, zone: ZoneInfo) -> list[Measured]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines)
            header = [name.strip() for name in next(reader, [])]
            if missing := [name for name in NEEDED if name not in header]:
                raise InvalidInput([Fault(str(file), f"this is no emissions.csv of CodeCarbon: it has no column {missing[0]}")])
            rows, faults = [], []
            for cells in reader:
                try:
                    rows.append(_row(header, cells, zone))
                except ValueError as error:
                    faults.append(Fault(f"{file}, line {reader.line_num}", f"{error}; mend the row or take it out"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput([Fault(str(file), f"this file cannot be read: {error}")]) from error
    if faults or not rows:
        raise InvalidInput(faults[:MAX_FAULTS] or [Fault(str(file), "the file holds no rows")])
    return rows


def _row(header: list[str], cells: list[str], zone: ZoneInfo) -> Measured:
    if len(cells) != len(header):
        raise ValueError(f"the row has {len(cells)} cells, the header {len(header)}")
    row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
    seconds, kwh = _number(row, "duration"), _number(row, "energy_consumed")
    if not (0 < seconds < float("inf") and 0 <= kwh < float("inf")):
        raise ValueError("duration must be above 0, energy_consumed 0 or above")
    end = to_microseconds(_ended(row["timestamp"], zone))
    start = end - round(timedelta(seconds=seconds) / timedelta(microseconds=1))
    run = f"{row.get('run_id', '')}/{row.get('task_name', '')}/{row.get('project_name', '')}"
    return Measured(run, _location(row), bool(row.get("pue")) and _number(row, "pue") != 1, start, end, kwh)


def _ended(text: str, zone: ZoneInfo) -> datetime:
    """The instant of a stamp; one that the zone's clock skipped or showed twice is refused, not guessed."""
    ended = datetime.fromisoformat(text)
    if ended.tzinfo:
        return ended
    first, last = (ended.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() != last.utcoffset():
        raise ValueError(f"the clock of {zone.key} skipped {text[:40]} or showed it twice; write it with its offset")
    return first


def _number(row: Mapping[str, str], name: str) -> float:
    try:
        return float(row[name])
    except ValueError:
        raise ValueError(f"{name} is {row[name][:40]!r}, which is no number") from None


def _location(row: Mapping[str, str]) -> str:
    """The cloud region where one is told, else the country; "" is refused, since there is no default place."""
    provider, region = row.get("cloud_provider", ""), row.get("cloud_region", "")
    location = f"{provider}:{region}".lower() if provider and region else row["country_iso_code"]
    if not location:
        raise ValueError("neither a country nor a cloud region is told")
    return location


def _increments(rows: Iterable[Measured]) -> Iterator[Measured]:
    """The rows, with those that repeat a run's energy so far cut down to what is new in them."""
    runs: dict[str, list[Measured]] = defaultdict(list)
    for row in rows:
        runs[row.run].append(row)
    for of_run in runs.values():
        before: Measured | None = None
        for row in sorted(of_run, key=lambda each: each.end):
            if before is None or not row.run.split("/")[0] or abs(row.start - before.start) > SAME_START_SECONDS * 1e6:
                yield row
                before = row
            elif row.end > before.end and row.kwh >= before.kwh:
                yield Measured(row.run, row.location, row.has_pue, before.end, row.end, row.kwh - before.kwh)
                before = Measured(row.run, row.location, row.has_pue, before.start, row.end, row.kwh)


def _entry(name: str, location: str, has_pue: bool, rows: list[Measured]) -> dict[str, Any]:  # noqa: FBT001 - a fact of the file
    start, end = min(row.start for row in rows), max(row.end for row in rows)
    kwh_by_hour: dict[int, float] = defaultdict(float)
    for row in rows:
        profile = flat_profile(row.start, row.end, row.kwh)
        for hour, kwh in zip(profile.hours, profile.kwh, strict=True):
            kwh_by_hour[hour] += kwh
    intervals = [
        {
            "start": _text(max(start, hour * MICROSECONDS_PER_HOUR)),
            "end": _text(min(end, (hour + 1) * MICROSECONDS_PER_HOUR)),
            "kwh": kwh,
        }
        for hour, kwh in sorted(kwh_by_hour.items())
    ]
    basis = "facility" if has_pue else "it"
    return {
        "name": f"CodeCarbon, {location}"[:100],
        "location": location,
        "energy": {"intervals": intervals},
        "energy_basis": basis,
        "source": f"{name}, {len(rows)} rows"[:200],
    }


def _text(microseconds: int) -> str:
    return format_time(from_microseconds(microseconds))
