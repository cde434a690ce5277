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


@dataclass(frozen=True, slots=True, eq=False)
class HourTables:
    """Arrays over slots and over runs. [gCO2e/kWh; hours are numbers of `gridgram.interval`]

    `slot_shift` of a place plus an hour is its slot; its slots are `first_slot` to `end_slot`, the last of them the extra one. `rate` holds
    (running sum before the hour, the hour's number), `band` the same for low and high; `run` the number of the slot's run. `codes` are the
    qualities that occur (0 = missing), `run_hours_before` for each of them the hours in all runs before, `run_count_before` for each
    provider its runs before.
    """

    zones: tuple[str, ...]
    signals: tuple[Signal, ...]
    providers: tuple[str, ...]
    codes: tuple[int, ...]
    slot_shift: Longs
    first_slot: Longs
    end_slot: Longs
    rate: NDArray[np.float64]
    band: NDArray[np.float64]
    run: NDArray[np.int32]
    run_first_hour: Longs
    run_end_hour: Longs
    run_quality: NDArray[np.uint8]
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
    rate, band = np.zeros((slots, 2)), np.zeros((slots, 4))
    run = np.zeros(slots, np.int32)
    parts = []
    runs = 0
    for one, first in zip(series, first_slot.tolist(), strict=True):
        end = first + len(one.g_per_kwh)
        is_held = one.quality != MISSING_CODE
        _lay(rate[first : end + 1], np.where(is_held, one.g_per_kwh, 0.0))
        _lay(band[first : end + 1, 0:2], np.where(is_held, one.low, 0.0))
        _lay(band[first : end + 1, 2:4], np.where(is_held, one.high, 0.0))
        part = _runs(one, providers)
        run[first:end] = runs + np.repeat(np.arange(len(part)), part[:, 1] - part[:, 0])
        run[end] = run[end - 1]
        runs += len(part)
        parts.append(part)
    table = np.concatenate(parts) if parts else np.zeros((0, 4), np.int64)
    first_hour, end_hour, quality, provider = np.ascontiguousarray(table.T)
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
        rate,
        band,
        run,
        first_hour,
        end_hour,
        quality.astype(np.uint8),
        np.where(is_held, np.int64(1) << provider, 0),
        _before(hours, len(quality)),
        _before(counts, len(quality)),
    )


def quality_names(codes: Sequence[int]) -> list[str]:
    """The names of quality codes, `missing` for 0."""
    return ["missing" if code == MISSING_CODE else QUALITIES[code - 1].value for code in codes]


def _lay(slots: NDArray[np.float64], numbers: NDArray[np.float64]) -> None:
    """Put the numbers and the running sums before them into the pairs; the last pair holds the whole sum and nothing more."""
    slots[:-1, 1] = numbers
    np.cumsum(numbers, out=slots[1:, 0])


def _runs(series: IntensitySeries, providers: tuple[str, ...]) -> Longs:
    """Rows (first hour, end hour, quality, provider) of the runs of one series."""
    names = np.array([providers.index(source.provider) for source in series.sources] or [0], np.int64)
    provider = names[np.where(series.quality != MISSING_CODE, series.source, 0)]
    changes = np.flatnonzero((np.diff(series.quality) != 0) | (np.diff(provider) != 0)) + 1
    first = np.concatenate([[0], changes])
    end = np.concatenate([changes, [len(series.quality)]])
    return np.stack([series.first_hour + first, series.first_hour + end, series.quality[first].astype(np.int64), provider[first]], axis=1)


def _before(columns: list[NDArray[np.int64]], runs: int) -> Longs:
    before = np.zeros((len(columns), runs + 1), np.int64)
    for row, column in enumerate(columns):
        np.cumsum(column, out=before[row, 1:])
    return before
