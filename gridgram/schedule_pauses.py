"""The best way to run a job with pauses: exactly the least that any choice of slots emits.

The window is cut into slots, one a step, and the job into units of one slot each, the last one maybe shorter; units keep their order.
When nothing ties the slots together (a flat job of whole slots, short chunks allowed, nothing drawn at a start) the cheapest slots
are the best plan: O(slots). Otherwise dynamic programming over (units done, slots gone): O(units x slots) in time and memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gridgram.interval import MICROSECONDS_PER_HOUR
from gridgram.schedule_job import Chunk
from gridgram.schedule_starts import SAME, flat_emissions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gridgram.schedule_job import Job, Pauses, Site, Window
    from gridgram.schedule_starts import Hours

_TIE: Final = 1e-13
"""One more unit may not change a plan for less than this share of the job's emissions: it would be rounding, and a pause for nothing."""


def plan_cells(job: Job, site: Site, window: Window, pauses: Pauses) -> int:
    """How many (unit, slot) pairs a plan weighs: what its time and memory grow with."""
    slots = window.starts(min(job.duration, window.step))
    return slots if _is_free(job, site, window, pauses) else slots * -(-job.duration // window.step)


def paused_plan(hours: Hours, job: Job, site: Site, window: Window, pauses: Pauses) -> tuple[Chunk, ...] | None:
    """The chunks that emit least, in order; None when the known hours leave no room. Of equal plans the one that is done first.

    Raises ValueError when the shortest chunk is longer than the job.
    """
    if pauses.min_chunk > job.duration:
        raise ValueError("the shortest chunk is longer than the job")
    if window.starts(job.duration) == 0:
        return None
    is_free = _is_free(job, site, window, pauses)
    taken = _cheapest_slots(hours, job, window) if is_free else _Plan(hours, job, site, window, pauses).slots()
    return None if taken is None else _chunks(taken, job, window)


def _is_free(job: Job, site: Site, window: Window, pauses: Pauses) -> bool:
    nothing_at_starts = not (site.start_kwh or site.pue * pauses.resume_kwh)
    return job.is_flat and job.duration % window.step == 0 and pauses.min_chunk <= window.step and nothing_at_starts


def _cheapest_slots(hours: Hours, job: Job, window: Window) -> NDArray[np.int64] | None:
    """The slots with the least intensity, ascending; of equal ones the earliest."""
    units = job.duration // window.step
    grams = flat_emissions(hours, window, window.step, 1.0)
    if hours.unknown is not None:
        starts = window.earliest + window.step * np.arange(len(grams))
        grams[hours.touches_unknown(starts, starts + window.step)] = np.inf
    bound = np.partition(grams, units - 1)[units - 1]
    if not np.isfinite(bound):
        return None
    margin = SAME * abs(hours.mean)
    is_taken = grams < bound - margin
    equal = np.flatnonzero((grams <= bound + margin) & ~is_taken)
    is_taken[equal[: units - np.count_nonzero(is_taken)]] = True
    return np.flatnonzero(is_taken)


def _chunks(slots: NDArray[np.int64], job: Job, window: Window) -> tuple[Chunk, ...]:
    """Slots as runs; the last unit ends when the job's time is used up."""
    breaks = np.flatnonzero(np.diff(slots) != 1)
    firsts, lasts = slots[np.concatenate([[0], breaks + 1])], slots[np.concatenate([breaks, [len(slots) - 1]])]
    unused = len(slots) * window.step - job.duration
    starts = (window.earliest + firsts * window.step).tolist()
    ends = (window.earliest + (lasts + 1) * window.step).tolist()
    ends[-1] -= unused
    return tuple(map(Chunk._make, zip(starts, ends, strict=True)))


@dataclass(frozen=True, slots=True, eq=False)
class _Slots:
    """The slots of a window for one job. `open_runs`: how many slots before each place, in a row, may hold a whole unit.

    `offsets` are the places within an hour at which slots start, `offset` says which of them each slot has; `intensity` holds the hours
    that each slot touches. [microseconds, gCO2e/kWh]
    """

    open_runs: NDArray[np.int64]
    is_open_last: NDArray[np.bool_]
    offsets: NDArray[np.int64]
    offset: NDArray[np.int64]
    intensity: NDArray[np.float64]
    _closed: dict[tuple[int, bool], NDArray[np.bool_]]

    @classmethod
    def of(cls, hours: Hours, window: Window, last: int) -> _Slots:
        """The slots that have room for the last unit, which needs so much time."""
        starts = window.earliest + window.step * np.arange(window.starts(last))
        ends = np.minimum(starts + window.step, window.latest)
        is_open = ~hours.touches_unknown(starts, ends) & (starts + window.step <= window.latest)
        places = np.arange(1, len(starts) + 1)
        open_runs = np.concatenate([[0], places - np.maximum.accumulate(np.where(is_open, 0, places))])
        offsets, offset = np.unique(starts % MICROSECONDS_PER_HOUR, return_inverse=True)
        touched = -(-(int(offsets[-1]) + window.step) // MICROSECONDS_PER_HOUR)
        places = starts[:, None] // MICROSECONDS_PER_HOUR - hours.first_hour + np.arange(touched)
        intensity = hours.g_per_kwh[np.minimum(places, len(hours.g_per_kwh) - 1)]  # what lies beyond has no energy
        return cls(open_runs, ~hours.touches_unknown(starts, starts + last), offsets, offset, intensity, {})

    @property
    def at_start(self) -> NDArray[np.float64]:
        """The intensity at the start of each slot. [gCO2e/kWh]"""
        return np.ascontiguousarray(self.intensity[:, 0])

    def unit_grams(self, job: Job, worked: int, length: int) -> NDArray[np.float64]:
        """What the job's energy from so much working time on, for so long, emits in each slot, parts of hours exactly. [gCO2e]"""
        edges = np.arange(self.intensity.shape[1] + 1) * MICROSECONDS_PER_HOUR - self.offsets[:, None]
        kwh = np.diff(job.used_kwh(worked + np.clip(edges, 0, length)))
        grams: NDArray[np.float64] = np.einsum("sh,sh->s", kwh[self.offset], self.intensity)
        return grams

    def closed(self, units: int, *, is_last: bool) -> NDArray[np.bool_]:
        """At which places so many units, of which the last may be the job's last, cannot have run in the slots just before."""
        closed = self._closed.get((units, is_last))
        if closed is None:
            closed = self.open_runs < units
            if is_last:
                closed = np.concatenate([[True], (self.open_runs[:-1] < units - 1) | ~self.is_open_last])
            self._closed[units, is_last] = closed
        return closed


@dataclass(slots=True, eq=False)
class _Plan:
    """The dynamic programme. A place is a number of slots gone; all that is kept is the least for a number of units and a place.

    running: that many units are done, the newest ran in the slot before this place, and its chunk is long enough by now.
    ready: that many units are done, and a new chunk may start here: the least of running up to this place.
    Both are kept less what an unbroken run along the same diagonal emits, so that a run that goes on is a copy of the row before.
    """

    hours: Hours
    job: Job
    site: Site
    window: Window
    pauses: Pauses

    def slots(self) -> NDArray[np.int64] | None:
        """The slots of the best plan, one a unit; None when there is none."""
        step = self.window.step
        units = -(-self.job.duration // step)
        last = self.job.duration - (units - 1) * step
        slots = _Slots.of(self.hours, self.window, last)
        shortest = max(1, -(-self.pauses.min_chunk // step))
        shortest_last = max(1, 1 - (last - self.pauses.min_chunk) // step)
        tie = _TIE * units * max(self.job.total_kwh * self.site.pue * float(self.hours.g_per_kwh.max(initial=0.0)), 1e-300)

        first_grams, at_start = slots.unit_grams(self.job, 0, step), slots.at_start
        diagonal = np.zeros(len(slots.offset) + 1)
        running, places = np.full(len(diagonal), np.inf), np.arange(len(diagonal))
        ready, begins, ends = [np.zeros(len(diagonal))], [], [places]
        for unit in range(1, units + 1):
            is_last = unit == units
            is_alike = self.job.is_flat and not is_last
            grams = first_grams if is_alike else slots.unit_grams(self.job, (unit - 1) * step, last if is_last else step)
            drawn = self.site.pue * grams
            diagonal[1:] = diagonal[:-1] + drawn
            diagonal[0] = 0.0
            goes_on = np.empty(len(diagonal))
            goes_on[0], goes_on[1:] = np.inf, running[:-1]
            goes_on[slots.closed(1, is_last=is_last)] = np.inf
            length = shortest_last if is_last else shortest
            fresh = self._fresh(slots, at_start, ready, unit, length, is_last=is_last)
            begins.append(fresh < goes_on - tie)
            running = np.where(begins[-1], fresh, goes_on)
            emitted = running + diagonal
            ends.append(_places_of_least(emitted, tie, places))
            ready.append(emitted[ends[-1]] - diagonal)
        if not np.isfinite(running[ends[-1][-1]]):
            return None
        return _read_back(begins, ends, shortest, shortest_last)

    def _fresh(  # noqa: PLR0913 - where it may start, what that costs, and how long it is
        self, slots: _Slots, at_start: NDArray[np.float64], ready: list[NDArray[np.float64]], unit: int, length: int, *, is_last: bool
    ) -> NDArray[np.float64]:
        """The least when the newest `length` units are a chunk of their own, which starts where it was ready to."""
        fresh = np.full(len(slots.offset) + 1, np.inf)
        if length <= min(unit, len(slots.offset)):
            drawn_kwh = self.site.pue * self.pauses.resume_kwh if unit > length else self.site.start_kwh
            fresh[length:] = ready[unit - length][:-length] + drawn_kwh * at_start[: len(fresh) - length]
            fresh[slots.closed(length, is_last=is_last)] = np.inf
        return fresh


def _places_of_least(grams: NDArray[np.float64], tie: float, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each place, the place up to it at which the least was reached first."""
    least = np.minimum.accumulate(grams)
    best = np.zeros(len(grams), np.int64)
    np.copyto(best[1:], places[1:], where=grams[1:] < least[:-1] - tie)
    return np.maximum.accumulate(best)


def _read_back(begins: list[NDArray[np.bool_]], ends: list[NDArray[np.int64]], shortest: int, shortest_last: int) -> NDArray[np.int64]:
    """The slot of each unit, found from the last one back."""
    units = len(begins)
    taken = np.empty(units, np.int64)
    place, unit, length = int(ends[units][-1]), units, shortest_last
    while unit:
        if begins[unit - 1][place]:
            taken[unit - length : unit] = np.arange(place - length, place)
            unit, place = unit - length, int(ends[unit - length][place - length])
        else:
            taken[unit - 1] = place - 1
            unit, place = unit - 1, place - 1
        length = shortest
    return taken
