"""From rows to hours: repeated rows, steps shorter than an hour, and the cut into months.

Nothing is guessed: rows that contradict each other, and hours of which a part is missing, are faults and stay holes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, overload

import numpy as np

from gridgram.interval import format_hour
from gridgram.series import IntensitySeries, Source
from service.importing.cells import SIGNALS, Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gridgram.quality import Signal
    from service.importing.faults import Faults

STEPS_MINUTES: Final = (5, 10, 15, 20, 30, 60)


@dataclass(frozen=True, slots=True)
class Hours:
    """One row an hour, in the order of zone, signal and hour; `minute` starts its hour."""

    rows: Rows
    zones: list[str]


def joined(parts: Sequence[Rows]) -> Rows:
    """All rows as one."""
    return Rows(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Rows)))


def to_hours(rows: Rows, zones: list[str], faults: Faults, *, needs_neighbours: bool) -> Hours:
    """One row an hour. `needs_neighbours` refuses series of which no two rows are an hour apart: yearly, monthly or daily means."""
    key = _series_key(rows) << 32 | rows.minute
    if (np.diff(key) < 0).any():
        order = np.argsort(key, kind="stable")
        rows, key = rows.picked(order), key[order]
    rows = _without_repeats(rows, key, zones, faults)
    if needs_neighbours:
        rows = _without_coarse_series(rows, zones, faults)
    if (rows.minute % 60).any():
        rows = _averaged(rows, zones, faults)
    return Hours(rows, zones)


def _series_key(rows: Rows) -> NDArray[np.int64]:
    """One number for each zone and signal."""
    return rows.zone.astype(np.int64) * len(SIGNALS) + rows.signal


def _starts(key: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each run of equal keys begins."""
    return np.concatenate([np.zeros(min(1, len(key)), np.int64), np.flatnonzero(np.diff(key)) + 1])


def _without_repeats(rows: Rows, key: NDArray[np.int64], zones: list[str], faults: Faults) -> Rows:
    """Keep one of rows that say the same; of rows that contradict each other keep none."""
    starts = _starts(key)
    if len(starts) == len(key):
        return rows
    first = np.repeat(starts, np.diff(np.append(starts, len(key))))
    differs = np.zeros(len(key), np.bool_)
    for column in (rows.g_per_kwh, rows.low, rows.high, rows.quality, rows.scope):
        differs |= column != column[first]

    def describe(row: int) -> str:
        other = first[row]
        values = f"{rows.g_per_kwh[other]:g} and {rows.g_per_kwh[row]:g} g/kWh"
        return f"contradicts {faults.unit} {rows.line[other]} on {_named(rows, row, zones)}: {values}; neither is kept"

    faults.add_where(differs, rows.line.astype(np.int64), "", describe)
    contradicted = np.zeros(len(key), np.bool_)
    contradicted[first[differs]] = True
    return rows.picked(starts[~contradicted[starts]])


def _without_coarse_series(rows: Rows, zones: list[str], faults: Faults) -> Rows:
    """Drop each series of which no two rows are an hour or less apart; the portal's other files look just like hourly ones."""
    series = _series_key(rows)
    starts = _starts(series)
    near = np.zeros(len(series), np.int64)
    near[1:] = (np.diff(series) == 0) & (np.diff(rows.minute) <= 60)  # noqa: PLR2004 - minutes of an hour
    sizes = np.diff(np.append(starts, len(series)))
    coarse = np.add.reduceat(near, starts) == 0 if len(starts) else np.zeros(0, np.bool_)
    for start, size in zip(starts[coarse], sizes[coarse], strict=True):
        name = f"{zones[rows.zone[start]]} {SIGNALS[rows.signal[start]]}"
        detail = f"no two of the {size} rows of {name} are an hour apart: daily, monthly or yearly means; download the hourly file"
        faults.add(int(rows.line[start]), "", detail)
    return rows.picked(np.repeat(~coarse, sizes))


def _averaged(rows: Rows, zones: list[str], faults: Faults) -> Rows:
    """Average equal steps to hours, where every part of the hour is there; any other hour is a fault and is left out.

    The step of a series is the commonest distance between its rows. The quality of an hour is that of its worst part.
    """
    step = _steps(rows)
    hour = rows.minute // 60
    starts = _starts(_series_key(rows) << 32 | hour)
    parts = np.diff(np.append(starts, len(hour)))
    expected = 60 // step[starts]
    is_whole = (
        (parts == expected)
        & (np.add.reduceat((rows.minute % 60 % step).astype(np.int64), starts) == 0)
        & (np.minimum.reduceat(rows.scope, starts) == np.maximum.reduceat(rows.scope, starts))
    )

    def describe(place: int) -> str:
        row = starts[place]
        found = f"{parts[place]} rows where {expected[place]} of {step[row]} minutes are needed, all of one scope"
        return f"{_named(rows, int(row), zones)} has {found}; the hour is left out"

    faults.add_where(~is_whole, rows.line[starts].astype(np.int64), "", describe)
    firsts, counts = starts[is_whole], parts[is_whole]

    def mean(column: NDArray[np.float64]) -> NDArray[np.float64]:
        means: NDArray[np.float64] = np.add.reduceat(column, starts)[is_whole] / counts
        return means

    return Rows(
        rows.line[firsts],
        rows.zone[firsts],
        hour[firsts] * 60,
        rows.signal[firsts],
        rows.scope[firsts],
        np.maximum.reduceat(rows.quality, starts)[is_whole],
        mean(rows.g_per_kwh),
        mean(rows.low),
        mean(rows.high),
    )


def _steps(rows: Rows) -> NDArray[np.int64]:
    """For each row the step of its series, in minutes."""
    starts = _starts(_series_key(rows))
    ends = np.append(starts, len(rows.minute))[1:]
    step = np.full(len(rows.minute), 60, np.int64)
    for start, end in zip(starts, ends, strict=True):
        distances = np.minimum(np.diff(rows.minute[start:end]), 60)
        if len(distances):
            counted = np.bincount(distances, minlength=61)
            commonest = int(counted.argmax())
            step[start:end] = max(step for step in STEPS_MINUTES if commonest % step == 0)
        elif rows.minute[start] % 60:
            step[start:end] = 5
    return step


def _named(rows: Rows, row: int, zones: list[str]) -> str:
    return f"{format_hour(int(rows.minute[row]) // 60)} of {zones[rows.zone[row]]} {SIGNALS[rows.signal[row]]}"


class MonthPieces(Sequence[IntensitySeries]):
    """The hours as series, one for each zone, signal and month, each made when it is asked for: a sparse file stays small."""

    def __init__(self, hours: Hours, sources: dict[tuple[Signal, int], Source]) -> None:
        rows = hours.rows
        self._hours = hours
        self._sources = sources
        self._hour = rows.minute.astype(np.int64) // 60
        month = self._hour.astype("datetime64[h]").astype("datetime64[M]").astype(np.int64)
        self._bounds = np.append(_starts(_series_key(rows) << 32 | month), len(self._hour))

    def __len__(self) -> int:
        return len(self._bounds) - 1

    @overload
    def __getitem__(self, index: int) -> IntensitySeries: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[IntensitySeries]: ...
    def __getitem__(self, index: int | slice) -> IntensitySeries | Sequence[IntensitySeries]:
        if isinstance(index, slice):
            return [self._piece(place) for place in range(len(self))[index]]
        return self._piece(range(len(self))[index])

    def _piece(self, index: int) -> IntensitySeries:
        rows = self._hours.rows
        part = slice(self._bounds[index], self._bounds[index + 1])
        hour = self._hour[part]
        first_hour = int(hour[0])
        place = hour - first_hour
        signal = SIGNALS[rows.signal[part.start]]
        scopes, source = np.unique(rows.scope[part], return_inverse=True)

        def spread(column: NDArray[np.float64]) -> NDArray[np.float64]:
            placed = np.full(int(place[-1]) + 1, np.nan)
            placed[place] = column[part]
            return placed

        quality, source_column = np.zeros((2, int(place[-1]) + 1), np.uint8)
        quality[place], source_column[place] = rows.quality[part], source
        return IntensitySeries(
            self._hours.zones[rows.zone[part.start]],
            signal,
            first_hour,
            spread(rows.g_per_kwh),
            spread(rows.low),
            spread(rows.high),
            quality,
            source_column,
            tuple(self._sources[signal, int(scope)] for scope in scopes),
        )
