"""Reads a tracker's file twice: once to see which rows tell the same run further and further, then to give each row its verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from service.backfill.cells import Columns
from service.backfill.runs import COUNTS, UNNAMED, UNSURE, Runs
from service.backfill.tracked import WITHOUT_CLOCK
from service.importing.faults import refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from service.backfill.jobs import JobColumns
    from service.backfill.pieces import Pieces
    from service.backfill.runs import Verdicts

Batches: TypeAlias = "Callable[[], Iterator[tuple[JobColumns, NDArray[np.int64]]]]"
"""All batches of the file from the first, each with the places of its rows that tell a run's energy."""
Names: TypeAlias = "Callable[[Columns], tuple[list[str], NDArray[np.bool_]]]"
"""For rows the name of the run of each, and which of them have one; what stands for it where they have none."""


class ToldRuns:
    """The rows of a file, each counted once; forty bytes of memory a row. `file_name` is for what is told of it."""

    def __init__(self, file_name: str, batches: Batches, names: Names) -> None:
        self._file_name = file_name
        self._batches = batches
        self._names = names
        self._judged: Verdicts | None = None

    def read(self) -> Iterator[JobColumns]:
        """All batches with their verdicts. Raises InvalidInput when no row has a clock, or the file changes meanwhile."""
        if self._judged is None:
            self._judged = self._judge()
        judged = self._judged
        at = 0
        for jobs, told in self._batches():
            part = slice(at, at + len(told))
            at = part.stop
            if not np.array_equal(judged.line[part], jobs.line[told]):
                raise refused("file", f"{self._file_name} has changed while it was read")
            yield _decided(jobs, told, judged.verdict[part], judged.pieces)

    def _judge(self) -> Verdicts:
        runs, clockless = Runs(), ""
        for jobs, told in self._batches():
            clockless = clockless or next((reason for reason in jobs.faults.values() if reason.startswith(WITHOUT_CLOCK)), "")
            names, named = self._names(Columns(jobs.own.take(told)))
            runs.add(names, named, jobs.start_us[told], jobs.end_us[told], jobs.energy_kwh[told], jobs.line[told])
        if clockless and not runs.count:
            raise refused("--tz", f"{clockless}; no row of {self._file_name} can be read without")
        return runs.verdicts()


def _decided(jobs: JobColumns, told: NDArray[np.int64], verdicts: NDArray[np.int64], pieces: Pieces) -> JobColumns:
    """The batch with the verdicts on its rows that tell a run's energy, and that energy over time."""
    others = np.flatnonzero(verdicts != COUNTS)
    faults, skipped = dict(jobs.faults), dict(jobs.skipped)
    for row, verdict in zip(told[others].tolist(), verdicts[others].tolist(), strict=True):
        if verdict == UNSURE:
            faults[row] = "the rows of this run neither tell one energy further and further nor follow each other"
        elif verdict == UNNAMED:
            faults[row] = "the row has no run_id and began when others like it began: it may tell the same run"
        else:
            skipped[row] = f"line {verdict} tells the same run further"
    return replace(jobs, faults=faults, skipped=skipped, pieces=pieces.named(jobs.line))
