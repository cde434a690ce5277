"""A month of hours with its running sums: the mean over any span costs two look-ups, however long the span is."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from gridgram.interval import MICROSECONDS_PER_HOUR, Month
from gridgram.quality import MISSING_CODE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gridgram.series import IntensitySeries

OVERHEAD_BYTES: Final = 2_048
"""What a chunk costs beside its arrays: objects, keys, array headers, a small source table."""
SOURCE_BYTES: Final = 600
"""What one entry of the source table costs, its texts included."""
RUN_BYTES: Final = 128


class Run(NamedTuple):
    """Consecutive hours [first_hour, end_hour) of one quality (its code, 0 = missing) and one source."""

    first_hour: int
    end_hour: int
    quality: int
    source: int


class MonthChunk:
    """One month of hours; running sums and runs are made on first use.

    A running sum has one entry more than the hours: the sum over hours [a, b) is `sums[b] - sums[a]`. Missing hours add nothing.
    """

    def __init__(self, series: IntensitySeries) -> None:
        self.series = series
        self.month = Month.of_hour(series.first_hour)

    @cached_property
    def running_g_per_kwh(self) -> NDArray[np.float64]:
        """Sum of the intensities before each hour. [gCO2e/kWh x h]"""
        return self._running(self.series.g_per_kwh)

    @cached_property
    def running_low(self) -> NDArray[np.float64]:
        """As `running_g_per_kwh`, for the low end of the band."""
        return self.running_g_per_kwh if self.series.low is self.series.g_per_kwh else self._running(self.series.low)

    @cached_property
    def running_high(self) -> NDArray[np.float64]:
        """As `running_g_per_kwh`, for the high end of the band."""
        return self.running_g_per_kwh if self.series.high is self.series.g_per_kwh else self._running(self.series.high)

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """The hours, cut where quality or source changes."""
        series = self.series
        edges = [0, *(np.flatnonzero(self._changes()) + 1).tolist(), len(series.quality)]
        first = series.first_hour
        return tuple(
            Run(first + start, first + end, int(series.quality[start]), int(series.source[start])) for start, end in pairwise(edges)
        )

    @cached_property
    def nbytes(self) -> int:
        """What the chunk costs in memory at most, running sums included. [bytes]"""
        series = self.series
        numbers = {id(column): column.nbytes for column in (series.g_per_kwh, series.low, series.high)}
        packed = 2 * sum(numbers.values()) + series.quality.nbytes + series.source.nbytes
        return packed + OVERHEAD_BYTES + SOURCE_BYTES * len(series.sources) + RUN_BYTES * (1 + int(np.count_nonzero(self._changes())))

    def _changes(self) -> NDArray[np.bool_]:
        """Between which hours quality or source changes."""
        quality, source = self.series.quality, self.series.source
        changes: NDArray[np.bool_] = (quality[1:] != quality[:-1]) | (source[1:] != source[:-1])
        return changes

    def integral(self, start: int, end: int) -> tuple[float, float, float]:
        """Intensity, low and high, each times the hours in [start, end), which must lie in the month. [microseconds -> gCO2e/kWh x h]"""
        series = self.series
        origin = series.first_hour * MICROSECONDS_PER_HOUR
        from_whole, to_whole = -(-(start - origin) // MICROSECONDS_PER_HOUR), (end - origin) // MICROSECONDS_PER_HOUR
        first_part = (from_whole * MICROSECONDS_PER_HOUR - (start - origin)) / MICROSECONDS_PER_HOUR
        last_part = ((end - origin) - to_whole * MICROSECONDS_PER_HOUR) / MICROSECONDS_PER_HOUR
        inside_one = (end - start) / MICROSECONDS_PER_HOUR

        def over(running: NDArray[np.float64], column: NDArray[np.float64]) -> float:
            if from_whole > to_whole:
                return float(column[to_whole]) * inside_one
            # Parts are added to the whole hours, never taken off: a difference of large sums would leave noise of a short span.
            total = float(running[to_whole] - running[from_whole])
            if first_part:
                total += float(column[from_whole - 1]) * first_part
            if last_part:
                total += float(column[to_whole]) * last_part
            return total

        return (
            over(self.running_g_per_kwh, series.g_per_kwh),
            over(self.running_low, series.low),
            over(self.running_high, series.high),
        )

    def _running(self, column: NDArray[np.float64]) -> NDArray[np.float64]:
        present = np.where(self.series.quality != MISSING_CODE, column, 0.0)
        return np.concatenate([np.zeros(1), np.cumsum(present)])
