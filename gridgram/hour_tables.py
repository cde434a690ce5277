"""The hours of many places end to end, with running sums: what `gridgram.bulk` looks up.

A place is a zone and a signal. Each has a slot for every hour and one more, which holds the last running sum. Consecutive hours of one
quality and one provider are a run; what a job meets is told from the runs it lies in, without looking at its hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gridgram.quality import MISSING_CODE, QUALITIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gridgram.quality import Signal
    from gridgram.series import IntensitySeries

    Longs = NDArray[np.int64]

MAX_PROVIDERS: Final = 62
"""Sets of providers are bits of one integer."""
MIDDLE, LOW, HIGH = 0, 2, 4
"""Where in a slot the running sum of each number before the hour stands; the hour's own number stands beside it."""
RUN, RUN_BEFORE = 6, 7
"""Where in a slot the run of its hour stands, and that of the hour before."""
_WIDTH: Final = 8
_LINE_BYTES: Final = 64
"""What a processor fetches at once: a slot is as long, and starts where a line does, so that a look-up costs one fetch."""


@dataclass(frozen=True, slots=True, eq=False)
class HourTables:
    """Arrays over slots and over runs. [gCO2e/kWh; hours are numbers of `gridgram.interval`]

    `slot_shift` of a place plus an hour is its slot; its slots are `first_slot` to `end_slot`, the last of them the extra one. `slots` has
    a row for each: see `MIDDLE` to `RUN_BEFORE`. `codes` are the qualities that occur (0 = missing), `run_code` the place of a run's among
    them. For each code `run_hours_before` has the hours in all runs before, for each provider `run_count_before` its runs before.
    """

    zones: tuple[str, ...]
    signals: tuple[Signal, ...]
    providers: tuple[str, ...]
    codes: tuple[int, ...]
    slot_shift: Longs
    first_slot: Longs
    end_slot: Longs
    slots: NDArray[np.float64]
    run_first_hour: Longs
    run_end_hour: Longs
    run_quality: NDArray[np.uint8]
    run_code: Longs
    run_provider_bit: Longs
    run_hours_before: Longs
    run_count_before: Longs

    @property
    def nbytes(self) -> int:
        """What the arrays cost in memory. [bytes]"""
        return sum(held.nbytes for name in self.__slots__ if isinstance(held := getattr(self, name), np.ndarray))


def hour_tables(series: Sequence[IntensitySeries]) -> HourTables:
    """Lay the hours of some series end to end, one place each. Raises ValueError for more providers than there are bits."""
    providers = tuple(sorted({source.provider for one in series for source in one.sources}))
    if len(providers) > MAX_PROVIDERS:
        raise ValueError(f"{len(providers)} providers; at most {MAX_PROVIDERS} are told apart")
    lengths = np.array([len(one.g_per_kwh) for one in series], np.int64)
    end_slot = np.cumsum(lengths + 1) - 1
    first_slot = end_slot - lengths
    slots = int(end_slot[-1]) + 1 if len(series) else 0
    table = _rows_on_lines(slots)
    parts = []
    runs = 0
    for one, first in zip(series, first_slot.tolist(), strict=True):
        part = _runs(one, providers)
        _lay(table[first : first + len(one.g_per_kwh) + 1], one, runs + np.repeat(np.arange(len(part)), part[:, 1] - part[:, 0]))
        runs += len(part)
        parts.append(part)
    runs_table = np.concatenate(parts) if parts else np.zeros((0, 4), np.int64)
    first_hour, end_hour, quality, provider = np.ascontiguousarray(runs_table.T)
    codes = tuple(np.unique(quality).tolist())
    hours = [np.where(quality == code, end_hour - first_hour, 0) for code in codes]
    is_held = quality != MISSING_CODE
    counts = [((provider == place) & is_held).astype(np.int64) for place in range(len(providers))]
    return HourTables(
        tuple(one.zone for one in series),
        tuple(one.signal for one in series),
        providers,
        codes,
        first_slot - np.array([one.first_hour for one in series], np.int64),
        first_slot,
        end_slot,
        table,
        first_hour,
        end_hour,
        quality.astype(np.uint8),
        np.searchsorted(codes, quality),
        np.where(is_held, np.int64(1) << provider, 0),
        _before(hours, len(quality)),
        _before(counts, len(quality)),
    )


def quality_names(codes: Sequence[int]) -> list[str]:
    """The names of quality codes, `missing` for 0."""
    return ["missing" if code == MISSING_CODE else QUALITIES[code - 1].value for code in codes]


def _rows_on_lines(rows: int) -> NDArray[np.float64]:
    """Slots that are yet to be filled, each on a line of its own."""
    room = np.empty(rows * _WIDTH * 8 + _LINE_BYTES, np.uint8)
    first = -room.ctypes.data % _LINE_BYTES
    return room[first : first + rows * _WIDTH * 8].view(np.float64).reshape(rows, _WIDTH)


def _lay(slots: NDArray[np.float64], series: IntensitySeries, run: Longs) -> None:
    """Fill the slots of a series, whose hours are of these runs; the last slot holds the whole sums and nothing more."""
    is_held = series.quality != MISSING_CODE
    for place, numbers in ((MIDDLE, series.g_per_kwh), (LOW, series.low), (HIGH, series.high)):
        held = np.where(is_held, numbers, 0.0)
        slots[0, place] = slots[-1, place + 1] = 0.0
        slots[:-1, place + 1] = held
        np.cumsum(held, out=slots[1:, place])
    slots[:-1, RUN] = slots[1:, RUN_BEFORE] = run
    slots[-1, RUN], slots[0, RUN_BEFORE] = run[-1], run[0]


def _runs(series: IntensitySeries, providers: tuple[str, ...]) -> Longs:
    """Rows (first hour, end hour, quality, provider) of the runs of one series."""
    names = np.array([providers.index(source.provider) for source in series.sources] or [0], np.int64)
    provider = names[np.where(series.quality != MISSING_CODE, series.source, 0)]
    changes = np.flatnonzero((np.diff(series.quality) != 0) | (np.diff(provider) != 0)) + 1
    first = np.concatenate([[0], changes])
    end = np.concatenate([changes, [len(series.quality)]])
    return np.stack([series.first_hour + first, series.first_hour + end, series.quality[first].astype(np.int64), provider[first]], axis=1)


def _before(columns: list[NDArray[np.int64]], runs: int) -> Longs:
    """A row for each run and one more: of each column the sum before it."""
    before = np.zeros((runs + 1, len(columns)), np.int64)
    for place, column in enumerate(columns):
        np.cumsum(column, out=before[1:, place])
    return before
