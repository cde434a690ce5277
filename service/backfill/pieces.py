"""Energy over time inside jobs that were told again and again: what each telling adds to the one before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gridgram.interval import MICROSECONDS_PER_HOUR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """The energy of some jobs piece by piece.

    `job` names the jobs, rising: their lines, or their places in a batch. `counts` is the number of pieces of each; the spans and energies
    of all stand end to end. [microseconds since 1970, kWh] The pieces of a job follow each other and add up to its energy.
    """

    job: Integers
    counts: Integers
    start_us: Integers
    end_us: Integers
    kwh: Floats

    def named(self, names: Integers) -> Pieces | None:
        """Those of the jobs with these names (rising), each called by its place among them; None for none."""
        first, end = np.searchsorted(self.job, [names[0], names[-1] + 1]).tolist() if len(names) else (0, 0)
        place = np.searchsorted(names, self.job[first:end])
        found = names[place] == self.job[first:end]
        if not found.any():
            return None
        counts, before = self.counts[first:end], int(self.counts[:first].sum())
        near, picked = slice(before, before + int(counts.sum())), np.repeat(found, counts)
        return Pieces(place[found], counts[found], self.start_us[near][picked], self.end_us[near][picked], self.kwh[near][picked])

    def part(self, start: int, end: int) -> Pieces | None:
        """Those of the places [start, end) of a batch, counted from `start`; None for none."""
        return self.named(np.arange(start, end))

    def laid_out(self, start_us: Integers, end_us: Integers, energy_kwh: Floats) -> tuple[Integers, Integers, Integers, Floats]:
        """For all jobs of a batch the number of pieces of each, and their spans and energies end to end; a flat job is one piece."""
        counts, is_told = np.ones(len(start_us), np.int64), np.zeros(len(start_us), np.bool_)
        counts[self.job], is_told[self.job] = self.counts, True
        start, end, kwh = np.repeat(start_us, counts), np.repeat(end_us, counts), np.repeat(energy_kwh, counts)
        inside = np.repeat(is_told, counts)
        start[inside], end[inside], kwh[inside] = self.start_us, self.end_us, self.kwh
        return counts, start, end, kwh


def pieces_of(run: Integers, line: Integers, start_us: Integers, end_us: Integers, kwh: Floats) -> Pieces:
    """The pieces of runs whose rows tell the energy so far; rows of a run stand together, the shortest first, and `kwh` never falls.

    Each row adds what it tells more than the one before it, in the time that it tells more, counted from the start of the last. Pieces
    within one UTC hour become one, since hours are all that matters. A run is called by the line of its last row.
    """
    if not len(run):
        return Pieces(run, run, run, run, kwh)
    is_first = np.append(True, np.diff(run) != 0)
    last = np.flatnonzero(np.append(is_first[1:], True))
    counts = np.diff(np.append(np.flatnonzero(is_first), len(run)))
    began = np.repeat(start_us[last], counts)
    until = began + (end_us - start_us)
    since = np.where(is_first, began, np.roll(until, 1))
    more = kwh - np.where(is_first, 0.0, np.roll(kwh, 1))
    takes_time = until > since
    since, until, more, name = since[takes_time], until[takes_time], more[takes_time], np.repeat(line[last], counts)[takes_time]
    first_hour, last_hour = since // MICROSECONDS_PER_HOUR, (until - 1) // MICROSECONDS_PER_HOUR
    goes_on = (np.diff(name) == 0) & (first_hour[1:] == last_hour[1:]) & (first_hour[:-1] == last_hour[:-1]) & (np.diff(last_hour) == 0)
    begins = np.flatnonzero(np.append(True, ~goes_on))
    ends = np.append(begins[1:], len(name)) - 1
    names = name[begins]
    order = np.argsort(names, kind="stable")
    job, piece_counts = np.unique(names, return_counts=True)
    return Pieces(job, piece_counts, since[begins][order], until[ends][order], np.add.reduceat(more, begins)[order])
