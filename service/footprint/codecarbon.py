"""CodeCarbon's `emissions.csv` as deployments: its energy by hour, one entry for each place and basis.

Read as `gridgram backfill` reads it; but here a row that cannot be read refuses the file, since a footprint has no quarantine.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gridgram.errors import Fault, InvalidInput
from gridgram.interval import MICROSECONDS_PER_HOUR, format_time, from_microseconds
from gridgram.profile import flat_profile
from service.backfill.cells import Columns
from service.backfill.checks import Checks
from service.backfill.jobs import ReadOptions
from service.backfill.readers.codecarbon import READER
from service.limits import MAX_FAULTS
from service.usecases import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Measured:
    """Energy that was used in [start, end), in microseconds, at a place; `has_pue` when a PUE is in it. [kWh]"""

    location: str
    has_pue: bool
    start: int
    end: int
    kwh: float


def deployments_of(file: Path, timezone: str) -> list[dict[str, Any]]:
    """Read a file as entries of `deployment`. Raises InvalidInput for what is no such file and for rows that do not fit."""
    faults: list[Fault] = []
    by_place: dict[tuple[str, bool], list[Measured]] = defaultdict(list)
    for measured in _measured(file, timezone, faults):
        by_place[measured.location, measured.has_pue].append(measured)
    if faults or not by_place:
        raise InvalidInput(faults[:MAX_FAULTS] or [Fault(str(file), "the file holds no rows")])
    return [_entry(file.name, location, has_pue, rows) for (location, has_pue), rows in by_place.items()]


def _measured(file: Path, timezone: str, faults: list[Fault]) -> Iterator[Measured]:
    """The rows that count; what is wrong with others is added to `faults`."""
    now = utc_now()
    opened, checks = READER.open(file, ReadOptions(now, timezone)), Checks(now)
    for jobs in opened.read():
        good, reasons = checks.faults(jobs, jobs.end_us)
        told = [(int(jobs.line[row]), reason) for row, reason in reasons.items()] + [(torn.line, torn.reason) for torn in jobs.torn]
        faults += [Fault(f"{file}, line {line}", f"{reason}; mend the row or take it out") for line, reason in sorted(told)]
        pue, locations = Columns(jobs.own).numbers("pue"), jobs.location.to_pylist()
        for row in good.nonzero()[0].tolist():
            if not locations[row]:
                faults.append(Fault(f"{file}, line {jobs.line[row]}", "neither a country nor a cloud region is told"))
            else:
                span = int(jobs.start_us[row]), int(jobs.end_us[row])
                yield Measured(locations[row], bool(pue[row] > 1), *span, float(jobs.energy_kwh[row]))  # NaN is not


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
