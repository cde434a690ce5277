"""Logs of jobs for the tests of their readers: written into a folder, read as a run reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gridgram.interval import format_time, from_microseconds
from service.backfill.checks import Checks, true_ends
from service.backfill.jobs import ReadOptions, find_reader
from service.backfill.table import head_of

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass(slots=True)
class Told:
    """What a file tells: sound jobs by line, and why other lines are none. `formats` is the reader's name."""

    format: str
    unit: str
    jobs: dict[int, dict[str, Any]] = field(default_factory=dict)
    faults: dict[int, str] = field(default_factory=dict)
    skipped: dict[int, str] = field(default_factory=dict)
    torn: dict[int, str] = field(default_factory=dict)
    rows: int = 0

    @property
    def kwh(self) -> float:
        """The energy of the sound jobs. [kWh]"""
        return sum(job["kwh"] for job in self.jobs.values())


def told(path: Path, read_as: str | None = None, **options: Any) -> Told:
    """Read a whole file."""
    reader = find_reader(head_of(path), read_as)
    file = reader.open(path, ReadOptions(NOW, **options))
    found = Told(reader.name, file.unit)
    checks = Checks(NOW)
    for jobs in file.read():
        ends = true_ends(jobs)
        good, faults = checks.faults(jobs, ends)
        found.rows += len(jobs.line) + len(jobs.torn)
        found.torn |= {torn.line: torn.reason for torn in jobs.torn}
        found.faults |= {int(jobs.line[row]): reason for row, reason in faults.items()}
        found.skipped |= {int(jobs.line[row]): reason for row, reason in jobs.skipped.items()}
        locations = jobs.location.to_pylist()
        for row in good.nonzero()[0].tolist():
            found.jobs[int(jobs.line[row])] = {
                "location": locations[row],
                "start": format_time(from_microseconds(int(jobs.start_us[row]))),
                "end": format_time(from_microseconds(int(ends[row]))),
                "kwh": float(jobs.energy_kwh[row]),
                "pue": float(jobs.pue[row]),
                "is_estimated": bool(jobs.is_estimated is not None and jobs.is_estimated[row]),
            }
    return found


def lines_of(path: Path, *lines: str, end: str = "\n") -> Path:
    """A file of these lines."""
    path.write_bytes((end.join(lines) + end).encode())
    return path
