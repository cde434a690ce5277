"""What is to be placed: a job's energy over its working time, the window it must fit, and what it costs to start somewhere.

Times are microseconds since 1970, working time is microseconds since the job's start with its pauses left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gridgram.interval import MICROSECONDS_PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """Energy over working time: `duration` in equal steps, of which each uses its energy evenly. One step is a flat job.

    `running_kwh` has one entry more than the steps: the energy used before each of them, and in all. [microseconds, kWh]
    """

    duration: int
    running_kwh: NDArray[np.float64]

    @classmethod
    def of(cls, duration: int, kwh: Sequence[float]) -> Job:
        """A job of equal steps with these energies. Raises ValueError for none of them, or for no time."""
        if duration <= 0 or not kwh:
            raise ValueError("a job lasts some time and has one step at least")
        steps = [sum(kwh)] if len(set(kwh)) == 1 else kwh
        return cls(duration, np.concatenate([np.zeros(1), np.cumsum(steps)]))

    @property
    def is_flat(self) -> bool:
        """Whether the energy is used evenly."""
        return len(self.running_kwh) == 2  # noqa: PLR2004 - before and after the only step

    @property
    def total_kwh(self) -> float:
        """The energy of the whole job."""
        return float(self.running_kwh[-1])

    def used_kwh(self, worked: NDArray[np.int64]) -> NDArray[np.float64]:
        """The energy used after so much working time; none before the start, all of it after the end. [microseconds -> kWh]"""
        steps = len(self.running_kwh) - 1
        used: NDArray[np.float64] = np.interp(worked * (steps / self.duration), np.arange(steps + 1), self.running_kwh)
        return used


@dataclass(frozen=True, slots=True)
class Window:
    """When the job may run: from `earliest` on, done by `latest`, started and resumed at whole `step`s after `earliest`."""

    earliest: int
    latest: int
    step: int

    @property
    def first_hour(self) -> int:
        """The number of the hour in which the window starts."""
        return self.earliest // MICROSECONDS_PER_HOUR

    @property
    def end_hour(self) -> int:
        """The number of the first hour that the window does not touch."""
        return -(-self.latest // MICROSECONDS_PER_HOUR)

    def starts(self, duration: int) -> int:
        """How many starts leave room for so much time."""
        return max(0, (self.latest - self.earliest - duration) // self.step + 1)


@dataclass(frozen=True, slots=True)
class Site:
    """What a location adds to the job's own energy.

    `pue` multiplies what the computers use: the job, `startup_kwh` (drawn once, when the job starts there) and the resumes.
    `transfer_kwh`, drawn by networks when the job starts, is not multiplied.
    """

    pue: float = 1.0
    startup_kwh: float = 0.0
    transfer_kwh: float = 0.0

    @property
    def start_kwh(self) -> float:
        """What is drawn at the start besides the job, as the facility and the networks see it."""
        return self.pue * self.startup_kwh + self.transfer_kwh


@dataclass(frozen=True, slots=True)
class Pauses:
    """How a job may be interrupted: no run shorter than `min_chunk`, and `resume_kwh` drawn at each start after the first."""

    min_chunk: int
    resume_kwh: float = 0.0


class Chunk(NamedTuple):
    """A run without a pause, [start, end). [microseconds]"""

    start: int
    end: int


def facility_kwh(job: Job, chunks: Sequence[Chunk], site: Site, resume_kwh: float, hours: range) -> NDArray[np.float64]:
    """The energy in each of the hours when the job runs in these chunks, in order: as the facility and the networks see it.

    What is drawn at a start counts in the hour that holds the start.
    """
    edges = np.arange(hours.start, hours.stop + 1) * MICROSECONDS_PER_HOUR
    kwh = np.zeros(len(hours))
    worked = 0
    for chunk in chunks:
        inside = np.clip(edges, chunk.start, chunk.end) - chunk.start
        kwh += np.diff(job.used_kwh(worked + inside)) * site.pue
        kwh[chunk.start // MICROSECONDS_PER_HOUR - hours.start] += site.pue * resume_kwh if worked else site.start_kwh
        worked += chunk.end - chunk.start
    return kwh
