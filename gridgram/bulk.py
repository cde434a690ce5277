"""Emissions of millions of jobs at once: the hours of many places laid end to end, a job of any length costs a few look-ups.

    mean intensity of [start, end) = (sum of whole hours + first hour's part + last hour's part) / duration

The sum of whole hours is a difference of running sums. Parts are added to it, never taken off, and a span inside one hour never meets a
running sum: the difference of two large sums would leave its noise in a short job. Every place that is looked up is checked first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gridgram.hour_tables import HIGH, LOW, MIDDLE, RUN, RUN_BEFORE
from gridgram.interval import MICROSECONDS_PER_HOUR
from gridgram.quality import MISSING_CODE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from gridgram.hour_tables import HourTables

    Floats = NDArray[np.float64]
    Longs = NDArray[np.int64]

CHUNK_ROWS: Final = 16_384
"""So many jobs are looked at together: their buffers stay in the processor's cache (bench/backfill.py)."""


@dataclass(frozen=True, slots=True, eq=False)
class Emitted:
    """What jobs emitted, a column each. [gCO2e, gCO2e/kWh]

    `coverage` has a row for each of the tables' `codes`: the share of the job's energy at that quality. `providers` is a set of bits, the
    places in the tables' `providers`. `is_short`: hours are missing, or held only at a worse quality than asked for; such a job's
    numbers count those hours as zero and must not be told.
    """

    emissions_g: Floats
    low_g: Floats
    high_g: Floats
    g_per_kwh: Floats
    coverage: Floats
    providers: Longs
    is_short: NDArray[np.bool_]

    @classmethod
    def empty(cls, rows: int, tables: HourTables) -> Emitted:
        """Columns to be filled, so many jobs long."""
        grams, low, high, rate = (np.empty(rows) for _ in range(4))
        return cls(grams, low, high, rate, np.empty((len(tables.codes), rows)), np.empty(rows, np.int64), np.zeros(rows, np.bool_))

    def part(self, start: int, end: int) -> Emitted:
        """The jobs [start, end); the arrays are views."""
        return Emitted(
            self.emissions_g[start:end],
            self.low_g[start:end],
            self.high_g[start:end],
            self.g_per_kwh[start:end],
            self.coverage[:, start:end],
            self.providers[start:end],
            self.is_short[start:end],
        )


class Kernel:
    """Converts jobs with the hours of `tables`; its buffers are made once, so one thread uses it at a time.

    `worst` is the code of the worst quality that is accepted. A job is a place (its number in the tables), [start, end) in microseconds
    since 1970 and the kWh that the facility drew, spread evenly.
    """

    def __init__(self, tables: HourTables, worst: int = 255, rows: int = CHUNK_ROWS) -> None:
        self.tables = tables
        self._rows = rows
        self._short_before = np.concatenate([[0], np.cumsum((tables.run_quality == MISSING_CODE) | (tables.run_quality > worst))])
        self._has_short = bool(self._short_before[-1])
        self._bits = np.int64(1) << np.arange(len(tables.providers), dtype=np.int64)
        self._pairs = tables.slots.reshape(-1, 2)
        self._first, self._last, self._ticks, self._shift, self._first_run, self._last_run = np.empty((6, rows), np.int64)
        self._first_part, self._last_part, self._hours, self._sum, self._scratch = np.empty((5, rows))
        self._inside, self._on_the_hour, self._other = np.empty((3, rows), np.bool_)
        self._first_pair, self._last_pair = np.empty((2, rows, 2))
        self._first_slot, self._last_slot = np.empty((2, rows, tables.slots.shape[1]))

    def grams(self, place: Longs, start: Longs, end: Longs, kwh: Floats) -> Floats:
        """What each job emitted, and nothing else. [gCO2e]

        Raises ValueError for a job outside the hours of its place, or with hours that are missing or too bad.
        """
        emitted = np.empty(len(place))
        self._check_places(place)
        for at in range(0, len(place), self._rows):
            rows = slice(at, at + self._rows)
            count = self._locate(place[rows], start[rows], end[rows])
            if self._has_short and self._short(*self._runs(*self._slots(count))).any():
                raise ValueError("hours of a job are missing or of a worse quality than asked for")
            np.multiply(self._mean_over(*self._middles(count), 0), kwh[rows], out=emitted[rows])
        return emitted

    def convert(self, place: Longs, start: Longs, end: Longs, kwh: Floats) -> Emitted:
        """Everything about each job. Raises ValueError for a job outside the hours of its place."""
        emitted = Emitted.empty(len(place), self.tables)
        self._check_places(place)
        for at in range(0, len(place), self._rows):
            stop = min(at + self._rows, len(place))
            self._fill(place[at:stop], start[at:stop], end[at:stop], kwh[at:stop], emitted.part(at, stop))
        return emitted

    def convert_profiles(self, place: Longs, start: Longs, step: Longs, step_counts: Longs, step_kwh: Floats) -> Emitted:
        """As `convert`, for jobs of equal steps: `step` is the length of a job's steps, `step_kwh` holds all their energies end to end.

        Each job has one step at least. A job that used no energy is weighed by time. [microseconds, kWh]
        """
        emitted = Emitted.empty(len(place), self.tables)
        for jobs, steps in self._together(step_counts):
            counts = step_counts[jobs]
            job = np.repeat(np.arange(len(counts)), counts)
            number: Longs = np.arange(len(job), dtype=np.int64) - (np.cumsum(counts) - counts)[job]
            length = step[jobs][job]
            step_start: Longs = np.asarray(start[jobs][job] + number * length, np.int64)
            into = emitted.part(jobs.start, jobs.stop)
            self._fold(place[jobs], counts, step_start, step_start + length, step_kwh[steps], into)
        return emitted

    def convert_pieces(self, place: Longs, counts: Longs, start: Longs, end: Longs, kwh: Floats) -> Emitted:
        """As `convert`, for jobs in pieces of any length: `counts` of each job, their spans and energies end to end.

        Each job has one piece at least. A job that used no energy is weighed by time. [microseconds, kWh]
        """
        emitted = Emitted.empty(len(place), self.tables)
        for jobs, pieces in self._together(counts):
            into = emitted.part(jobs.start, jobs.stop)
            self._fold(place[jobs], counts[jobs], start[pieces], end[pieces], kwh[pieces], into)
        return emitted

    def _together(self, counts: Longs) -> Iterator[tuple[slice, slice]]:
        """Jobs that are converted together since they have few pieces, one job at least; and where those pieces are."""
        ends = np.cumsum(counts)
        at = 0
        while at < len(counts):
            first = int(ends[at] - counts[at])
            stop = max(at + 1, int(np.searchsorted(ends, first + 8 * self._rows, "right")))
            yield slice(at, stop), slice(first, int(ends[stop - 1]))
            at = stop

    def _fold(self, place: Longs, counts: Longs, start: Longs, end: Longs, kwh: Floats, into: Emitted) -> None:  # noqa: PLR0913, PLR0917 - columns
        """Convert the pieces of some jobs as jobs of their own, and add them up."""
        firsts = np.cumsum(counts) - counts
        job = np.repeat(np.arange(len(place)), counts)
        pieces = self.convert(place[job], start, end, kwh)
        job_kwh = np.add.reduceat(kwh, firsts)
        weights = np.where(job_kwh[job] > 0, kwh, end - start)
        total = np.add.reduceat(weights, firsts)
        for column, out in ((pieces.emissions_g, into.emissions_g), (pieces.low_g, into.low_g), (pieces.high_g, into.high_g)):
            np.add.reduceat(column, firsts, out=out)
        np.divide(np.add.reduceat(pieces.g_per_kwh * weights, firsts), total, out=into.g_per_kwh)
        np.divide(np.add.reduceat(pieces.coverage * weights, firsts, axis=1), total, out=into.coverage)
        np.bitwise_or.reduceat(pieces.providers, firsts, out=into.providers)
        np.logical_or.reduceat(pieces.is_short, firsts, out=into.is_short)

    def _fill(self, place: Longs, start: Longs, end: Longs, kwh: Floats, into: Emitted) -> None:
        first, last = self._slots(self._locate(place, start, end))
        into.g_per_kwh[:] = self._mean_over(first, last, MIDDLE)
        np.multiply(into.g_per_kwh, kwh, out=into.emissions_g)
        np.multiply(self._mean_over(first, last, LOW), kwh, out=into.low_g)
        np.multiply(self._mean_over(first, last, HIGH), kwh, out=into.high_g)
        first_run, last_run = self._runs(first, last)
        into.is_short[:] = self._short(first_run, last_run) if self._has_short else False
        code = np.take(self.tables.run_code, first_run)
        for row in range(len(self.tables.codes)):
            np.equal(code, row, out=into.coverage[row], casting="unsafe")
        np.take(self.tables.run_provider_bit, first_run, out=into.providers, mode="clip")
        mixed = np.flatnonzero(first_run != last_run)
        if len(mixed):
            self._mix(mixed, first_run.take(mixed), last_run.take(mixed), start.take(mixed), end.take(mixed), into)

    def _check_places(self, place: Longs) -> None:
        if len(place) and (place.min() < 0 or place.max() >= len(self.tables.first_slot)):
            raise ValueError("a job names a place that the tables do not hold")

    def _locate(self, place: Longs, start: Longs, end: Longs) -> int:
        """The slots of the first hour and of the hour in which the job ends (the one after it, if it ends on the hour); the parts."""
        count = len(place)
        first, last, ticks, shift = (buffer[:count] for buffer in (self._first, self._last, self._ticks, self._shift))
        np.subtract(end, start, out=ticks)
        if count and ticks.min() <= 0:
            raise ValueError("the end of a job is not after its start")
        np.divide(ticks, MICROSECONDS_PER_HOUR, out=self._hours[:count])
        np.floor_divide(start, MICROSECONDS_PER_HOUR, out=first)
        np.floor_divide(end, MICROSECONDS_PER_HOUR, out=last)
        np.equal(first, last, out=self._inside[:count])
        np.multiply(first, -MICROSECONDS_PER_HOUR, out=ticks)
        ticks += start
        np.subtract(MICROSECONDS_PER_HOUR, ticks, out=ticks)
        np.divide(ticks, MICROSECONDS_PER_HOUR, out=self._first_part[:count])
        np.multiply(last, -MICROSECONDS_PER_HOUR, out=ticks)
        ticks += end
        np.divide(ticks, MICROSECONDS_PER_HOUR, out=self._last_part[:count])
        np.take(self.tables.slot_shift, place, out=shift, mode="clip")
        first += shift
        last += shift
        # take(mode="clip") below would hide a wrong slot, so none gets there.
        np.take(self.tables.first_slot, place, out=ticks, mode="clip")
        outside = np.less(first, ticks, out=self._other[:count]).any()
        ends_on_the_hour = np.equal(self._last_part[:count], 0.0, out=self._on_the_hour[:count])
        np.subtract(last, ends_on_the_hour, out=shift)
        np.take(self.tables.end_slot, place, out=ticks, mode="clip")
        if outside or np.greater_equal(shift, ticks, out=self._other[:count]).any():
            raise ValueError("a job lies outside the hours of its place")
        return count

    def _middles(self, count: int) -> tuple[Floats, Floats]:
        """Of the first and the last slot of each job the running sum and the own number alone."""
        found = []
        for slot, pair in ((self._first[:count], self._first_pair[:count]), (self._last[:count], self._last_pair[:count])):
            at = np.multiply(slot, self.tables.slots.shape[1] // 2, out=self._ticks[:count])
            found.append(np.take(self._pairs, at, axis=0, out=pair, mode="clip"))
        return found[0], found[1]

    def _slots(self, count: int) -> tuple[Floats, Floats]:
        """The first and the last slot of each job."""
        first = np.take(self.tables.slots, self._first[:count], axis=0, out=self._first_slot[:count], mode="clip")
        return first, np.take(self.tables.slots, self._last[:count], axis=0, out=self._last_slot[:count], mode="clip")

    def _mean_over(self, first: Floats, last: Floats, column: int) -> Floats:
        """The mean over each job of the number whose running sum stands in this column of its first and last slot."""
        count = len(first)
        total, scratch = self._sum[:count], self._scratch[:count]
        np.add(first[:, column], first[:, column + 1], out=total)  # the running sum after the first hour, to the bit
        np.subtract(last[:, column], total, out=total)
        np.multiply(first[:, column + 1], self._first_part[:count], out=scratch)
        total += scratch
        np.multiply(last[:, column + 1], self._last_part[:count], out=scratch)
        total += scratch
        total /= self._hours[:count]
        np.copyto(total, last[:, column + 1], where=self._inside[:count])
        return total

    def _runs(self, first: Floats, last: Floats) -> tuple[Longs, Longs]:
        """The run of the first hour of each job and that of its last."""
        first_run, last_run = self._first_run[: len(first)], self._last_run[: len(first)]
        np.copyto(first_run, first[:, RUN], casting="unsafe")
        np.copyto(last_run, last[:, RUN], casting="unsafe")
        np.copyto(last_run, last[:, RUN_BEFORE], casting="unsafe", where=self._on_the_hour[: len(first)])
        return first_run, last_run

    def _short(self, first_run: Longs, last_run: Longs) -> NDArray[np.bool_]:
        """Whether a run among those of each job is missing or too bad."""
        is_short: NDArray[np.bool_] = self._short_before[last_run + 1] > self._short_before[first_run]
        return is_short

    def _mix(  # noqa: PLR0913, PLR0917 - columns
        self, mixed: Longs, first_run: Longs, last_run: Longs, start: Longs, end: Longs, into: Emitted
    ) -> None:
        """Coverage and providers of jobs that meet several qualities or providers: whole runs between, and the parts at both ends."""
        tables, rows = self.tables, np.arange(0, len(mixed) * len(self.tables.codes), len(self.tables.codes))
        after_first, after_last, duration = first_run + 1, last_run + 1, end - start
        ticks = tables.run_hours_before.take(last_run, axis=0)
        ticks -= tables.run_hours_before.take(after_first, axis=0)
        ticks *= MICROSECONDS_PER_HOUR
        flat = ticks.reshape(-1)
        flat[rows + tables.run_code.take(first_run)] += tables.run_end_hour.take(first_run) * MICROSECONDS_PER_HOUR - start
        flat[rows + tables.run_code.take(last_run)] += end - tables.run_first_hour.take(last_run) * MICROSECONDS_PER_HOUR
        for row in range(len(tables.codes)):
            into.coverage[row, mixed] = ticks[:, row] / duration
        is_met = tables.run_count_before.take(after_last, axis=0) > tables.run_count_before.take(first_run, axis=0)
        into.providers[mixed] = is_met @ self._bits
