"""Which hours a file of jobs needs, found before any is fetched: the file is looked through once, by zone, signal and day.

Of a long Parquet file only the locations are read; its statistics bound the times of each row group.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gridgram.interval import EARLIEST, HORIZON, HOURS_PER_DAY, MICROSECONDS_PER_HOUR, to_microseconds
from service.backfill.checks import Checks, true_ends
from service.backfill.totals import US_PER_DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from numpy.typing import NDArray

    from gridgram.quality import Signal
    from service.backfill.jobs import JobColumns, JobFile
    from service.backfill.parquet_table import Piece
    from service.backfill.places import Places

EXACT_ROWS: Final = 5_000_000
"""A shorter Parquet file is looked through row by row."""
_NS_PER_TICK: Final = {"milliseconds": 1_000_000, "microseconds": 1_000, "nanoseconds": 1}
"""By the unit of a Parquet column."""
_FIRST_US: Final = to_microseconds(EARLIEST)


@dataclass(slots=True)
class Span:
    """The hours that jobs of one zone and signal need: those of `days` (since 1970-01-01) inside [first_us, end_us)."""

    first_us: int
    end_us: int
    days: set[int] = field(default_factory=set)

    def hours(self) -> list[tuple[int, int]]:
        """Runs of consecutive days as hours [first, end), cut to the whole hours of the span."""
        first_hour, end_hour = self.first_us // MICROSECONDS_PER_HOUR, -(-self.end_us // MICROSECONDS_PER_HOUR)
        days = np.array(sorted(self.days), np.int64)
        edges = [0, *(np.flatnonzero(np.diff(days) > 1) + 1).tolist(), len(days)]
        runs = [(int(days[start]), int(days[end - 1]) + 1) for start, end in pairwise(edges) if start < end]
        return [(max(first_hour, first * HOURS_PER_DAY), min(end_hour, end * HOURS_PER_DAY)) for first, end in runs]


@dataclass(slots=True)
class Plan:
    """What a file needs: `spans` by the number of the place in `places`; `rows` are those of the file, torn lines included."""

    places: Places
    spans: dict[int, Span] = field(default_factory=dict)
    rows: int = 0
    unusable: int = 0

    def needed(self) -> Iterator[tuple[str, Signal, list[tuple[int, int]]]]:
        """Zone, signal and hours of each place; none for a place that no sound job names."""
        for number, (zone, signal) in enumerate(self.places.zones):
            span = self.spans.get(number)
            yield zone, signal, span.hours() if span else []

    def note(self, place: NDArray[np.int64], start: NDArray[np.int64], end: NDArray[np.int64]) -> None:
        """Note the hours of some jobs."""
        if not len(place):
            return
        first, last = start // US_PER_DAY, (end - 1) // US_PER_DAY
        base, width = int(first.min()), int(last.max()) - int(first.min()) + 2
        size = len(self.places.zones) * width
        opened = np.bincount(place * width + (first - base), minlength=size)
        closed = np.bincount(place * width + (last - base + 1), minlength=size)
        covered = np.cumsum((opened - closed).reshape(-1, width), axis=1) > 0
        earliest = np.full(len(covered), np.iinfo(np.int64).max)
        latest = np.zeros(len(covered), np.int64)
        np.minimum.at(earliest, place, start)
        np.maximum.at(latest, place, end)
        for number in np.flatnonzero(covered.any(axis=1)).tolist():
            self._widen(number, int(earliest[number]), int(latest[number]), (np.flatnonzero(covered[number]) + base).tolist())

    def _widen(self, number: int, first_us: int, end_us: int, days: list[int]) -> None:
        span = self.spans.setdefault(number, Span(first_us, end_us))
        span.first_us, span.end_us = min(span.first_us, first_us), max(span.end_us, end_us)
        span.days.update(days)


def look_through(file: JobFile, places: Places, now: datetime, progress: Callable[[int], None] = lambda _rows: None) -> Plan:
    """Look a file through for the hours that it needs; `progress` is told how many rows have been seen."""
    plan, checks = Plan(places), Checks(now)
    parquet = getattr(file, "parquet", None)
    if parquet is None or parquet[0].metadata.num_rows <= EXACT_ROWS:
        _look(plan, checks, file.read(), progress)
        return plan
    for piece in parquet[0].pieces():
        look_at_piece(plan, file, piece, now, is_exact=False)
        progress(plan.rows)
    return plan


def look_at_piece(plan: Plan, file: Any, piece: Piece, now: datetime, *, is_exact: bool) -> None:  # noqa: ANN401 - a file that has pieces
    """Note what a piece of a Parquet file needs: row by row, or by the statistics where they tell."""
    table, columns = file.parquet
    bounds = None if is_exact else _bounds(table, columns, piece, to_microseconds(now + HORIZON))
    if bounds is None:
        _look(plan, Checks(now), file.read_piece(piece), lambda _rows: None)
    else:
        _look_at_places(plan, table, columns, piece, bounds)


def _look(plan: Plan, checks: Checks, batches: Iterator[JobColumns], progress: Callable[[int], None]) -> None:
    for jobs in batches:
        ends = true_ends(jobs)
        good, reasons = checks.faults(jobs, ends)
        place, _ = plan.places.of(jobs.location, jobs.signal)
        rows = np.flatnonzero(good & (place >= 0))
        plan.note(place[rows], jobs.start_us[rows], ends[rows])
        plan.rows += len(place) + len(jobs.torn)
        plan.unusable += len(reasons) + len(jobs.torn) + int((good & (place < 0)).sum())
        progress(plan.rows)


def _look_at_places(plan: Plan, table: Any, columns: Any, piece: Piece, bounds: tuple[int, int]) -> None:  # noqa: ANN401 - a ParquetTable
    """Note for every place of the piece the whole span of the piece."""
    names = [columns[ours] for ours in ("location", "signal") if ours in columns]
    seen: set[int] = set()
    for rows in table.piece_rows(piece, names):
        cells = [rows.batch.column(columns[ours]) if ours in columns else None for ours in ("location", "signal")]
        place, _ = plan.places.of(cells[0], cells[1])
        seen.update(np.flatnonzero(np.bincount(place[place >= 0], minlength=1)).tolist())
        plan.rows += len(place)
        plan.unusable += int((place < 0).sum())
    plan.note(np.array(sorted(seen), np.int64), np.full(len(seen), bounds[0]), np.full(len(seen), bounds[1]))


def _bounds(table: Any, columns: Any, piece: Piece, end_us: int) -> tuple[int, int] | None:  # noqa: ANN401 - a ParquetTable
    """The earliest start and the latest end of a piece by the file's statistics; None where they do not tell or look wrong."""
    if not {"location", "start", "end"} <= columns.keys():
        return None
    names = table.metadata.schema.to_arrow_schema().names
    if len(names) != table.metadata.num_columns:
        return None  # nested columns: places differ
    found = []
    for ours, end in (("start", 0), ("end", 1)):
        kind = table.schema.field(columns[ours]).type
        column = table.metadata.schema.column(names.index(columns[ours]))
        ns_per_tick = _NS_PER_TICK.get(json.loads(column.logical_type.to_json()).get("timeUnit"))
        if not str(kind).startswith("timestamp") or kind.tz is None or column.physical_type != "INT64" or ns_per_tick is None:
            return None
        for group in range(piece.first_group, piece.end_group):
            statistics = table.metadata.row_group(group).column(names.index(columns[ours])).statistics
            if statistics is None or not statistics.has_min_max or statistics.null_count:
                return None
            ticks = (statistics.min_raw, statistics.max_raw)[end]
            found.append(ticks * ns_per_tick // 1_000 + end)  # a fraction of a microsecond more at the end
    first, last = min(found), max(found)
    return (first, last) if _FIRST_US <= first < last <= end_us else None
