"""Which rows of a tracker count: one that writes a run's energy so far, again and again, means only the last of them.

Rows of one run that start together and whose energy never falls are that run told further and further: the last counts, and what each
adds to the one before it is the energy of the time between them. Lines may be out of
order, but one that says less than a line before it and began at another moment may be another process's under the same name, as may
rows that tell two energies of one length: they are not decided. Rows of one
run that follow each other, with energy that falls, are parts of it: each counts. What is neither is not decided. Rows without a run's
name that start together and grow may be one run or several: they are not decided either.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from service.backfill.pieces import Pieces, pieces_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Floats = NDArray[np.float64]

TOGETHER_US: Final = 60_000_000
"""Rows of a named run that start within a minute of each other start together: the clock is a wall clock with whole seconds."""
UNNAMED_US: Final = 2_000_000
"""The same for rows without a run's name, and for lines that are out of order."""
COUNTS: Final = 0
UNSURE: Final = -1
UNNAMED: Final = -2


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """For each line added, in order: COUNTS, UNSURE, UNNAMED, or the line that tells the same run further.

    `pieces` is the energy of the runs that were told further, over time, by the line that counts.
    """

    line: Integers
    verdict: Integers
    pieces: Pieces


@dataclass(slots=True)
class Runs:
    """The rows of a file that tell a run's energy, gathered batch by batch. Forty bytes a row."""

    _key: list[Integers] = field(default_factory=list)
    _named: list[NDArray[np.bool_]] = field(default_factory=list)
    _start: list[Integers] = field(default_factory=list)
    _end: list[Integers] = field(default_factory=list)
    _kwh: list[Floats] = field(default_factory=list)
    _line: list[Integers] = field(default_factory=list)

    def add(self, names: list[str], named: NDArray[np.bool_], start: Integers, end: Integers, kwh: Floats, line: Integers) -> None:  # noqa: PLR0913, PLR0917 - columns
        """Add rows: a run's name, or what a row without one has in common with others of its kind."""
        self._key.append(np.fromiter(map(hash, names), np.int64, len(names)))
        self._named.append(named)
        self._start.append(start)
        self._end.append(end)
        self._kwh.append(kwh)
        self._line.append(line)

    @property
    def count(self) -> int:
        """How many rows were added."""
        return sum(map(len, self._key))

    def verdicts(self) -> Verdicts:
        """What each row counts for."""
        if not self.count:
            none = np.zeros(0, np.int64)
            return Verdicts(none, none, pieces_of(none, none, none, none, np.zeros(0)))
        key, start, end, line = map(np.concatenate, (self._key, self._start, self._end, self._line))
        named, kwh = np.concatenate(self._named), np.concatenate(self._kwh)
        key = _with_clusters(key, named, start)
        order = np.lexsort((line, kwh, end - start, key))
        begins, ends = _groups(key[order])
        starts = start[order]
        together = np.maximum.reduceat(starts, begins) - np.minimum.reduceat(starts, begins) <= TOGETHER_US
        falls, at_once = np.diff(kwh[order]), np.diff((end - start)[order]) == 0
        drops = np.append(False, (falls < 0) | (at_once & (falls != 0)))
        drops[begins] = False
        grows = np.add.reduceat(drops, begins, dtype=np.int64) == 0
        is_named, several = named[order[begins]], ends > begins
        told = np.zeros(len(begins), np.int64)
        further = several & is_named & together & grows
        told[further] = line[order[ends[further]]]
        told[several & is_named & together & ~grows] = UNSURE
        told[several & ~is_named & grows] = UNNAMED
        verdict = np.zeros(len(key), np.int64)
        verdict[order] = np.repeat(told, ends - begins + 1)
        for group in np.flatnonzero(further):
            rows = np.sort(order[begins[group] : ends[group] + 1])
            is_less = kwh[rows] < np.maximum.accumulate(kwh[rows])
            verdict[rows[is_less & (np.abs(start[rows] - start[order[ends[group]]]) > UNNAMED_US)]] = UNSURE
        verdict[order[ends[further]]] = COUNTS
        rows = order[np.repeat(further, ends - begins + 1) & (verdict[order] != UNSURE)]
        pieces = pieces_of(key[rows], line[rows], start[rows], end[rows], kwh[rows])
        for group in np.flatnonzero(several & is_named & ~together):
            rows = order[begins[group] : ends[group] + 1]
            verdict[rows] = _apart(rows, start, end, kwh)
        return Verdicts(line, verdict, pieces)


def _with_clusters(key: Integers, named: NDArray[np.bool_], start: Integers) -> Integers:
    """Keys with rows without a run's name split into those that start together."""
    rows = np.flatnonzero(~named)
    if not len(rows):
        return key
    order = rows[np.lexsort((start[rows], key[rows]))]
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (np.diff(key[order]) != 0) | (np.diff(start[order]) > UNNAMED_US)
    key = key.copy()
    key[order] = key[order] ^ (np.cumsum(begins) * np.int64(-7_046_029_254_386_353_131))
    return key


def _groups(ordered: Integers) -> tuple[Integers, Integers]:
    """The first and the last place of each run of equal keys."""
    ends = np.flatnonzero(np.append(np.diff(ordered) != 0, True))
    return np.insert(ends[:-1] + 1, 0, 0), ends


def _apart(rows: Integers, start: Integers, end: Integers, kwh: Floats) -> int:
    """What becomes of rows of one run that did not start together: parts of it when they follow each other and do not keep growing."""
    in_time = rows[np.argsort(start[rows], kind="stable")]
    follow = bool((start[in_time][1:] >= end[in_time][:-1] - UNNAMED_US).all())
    length = end[in_time] - start[in_time]
    keeps_growing = bool((np.diff(kwh[in_time]) >= 0).all() and (np.diff(length) >= 0).all())
    return COUNTS if follow and not keeps_growing else UNSURE
