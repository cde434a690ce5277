"""Which jobs of a batch can be converted, and one sentence for each that cannot.

A whole batch is looked at with a few minima and maxima; only one that holds something wrong is looked at row by row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gridgram.interval import EARLIEST, HORIZON, MICROSECONDS_PER_HOUR, check_range, format_time, from_microseconds, to_microseconds
from service.limits import MAX_ENERGY_KWH, MAX_POWER_W, MAX_PUE

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from numpy.typing import NDArray

    from service.backfill.jobs import JobColumns, Profiles

    Mask = NDArray[np.bool_]

MAX_JOB_HOURS: Final = 20 * 8_784
"""Twenty years; a longer job is a slip."""
_FIRST_US: Final = to_microseconds(EARLIEST)


class Checks:
    """Checks batches at one instant; what is later than 14 days from then is refused."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._end_us = to_microseconds(now + HORIZON)

    def faults(self, jobs: JobColumns, ends: NDArray[np.int64]) -> tuple[Mask, dict[int, str]]:
        """Which jobs are sound, and why the others are not; those skipped by the reader are neither. `ends` are the jobs' true ends."""
        count = len(jobs.line)
        good = np.ones(count, np.bool_)
        reasons = dict(jobs.faults)
        good[[*jobs.faults, *jobs.skipped]] = False
        energy = jobs.energy_kwh if jobs.profiles is None else np.zeros(0)
        if good.all() and count and self._all_sound(jobs, ends, energy):
            return good, reasons
        self._note(good, reasons, (jobs.start_us < _FIRST_US) | (jobs.start_us > self._end_us), lambda row: self._range(jobs.start_us[row]))
        backward = ends <= jobs.start_us
        self._note(good, reasons, backward, lambda row: f"the end {_text(ends[row])} is not after the start {_text(jobs.start_us[row])}")
        self._note(good, reasons, ends > self._end_us, lambda row: self._range(ends[row]))
        too_long = ends - jobs.start_us > MAX_JOB_HOURS * MICROSECONDS_PER_HOUR
        self._note(good, reasons, too_long, lambda _: f"the job lasts longer than {MAX_JOB_HOURS:,} hours")
        if jobs.profiles is None:
            self._note(good, reasons, np.isnan(energy), lambda _: "the energy is unknown")
            wrong = ~((energy >= 0) & (energy <= MAX_ENERGY_KWH))
            self._note(good, reasons, wrong, lambda row: f"the energy {energy[row]:g} kWh is not from 0 to {MAX_ENERGY_KWH:g} kWh")
        else:
            reason = "a step is missing, negative or too large"
            self._note(good, reasons, ~_steps_are_sound(jobs.profiles), lambda _: reason)
            told = (jobs.end_us != jobs.start_us) & (jobs.end_us != ends)
            self._note(good, reasons, told, lambda row: f"the steps end at {_text(ends[row])}, the job at {_text(jobs.end_us[row])}")
        wrong = ~((jobs.pue >= 1) & (jobs.pue <= MAX_PUE))
        self._note(good, reasons, wrong, lambda row: f"the PUE {jobs.pue[row]:g} is not from 1 to {MAX_PUE:g}")
        return good, reasons

    def _all_sound(self, jobs: JobColumns, ends: NDArray[np.int64], energy: NDArray[np.float64]) -> bool:
        if jobs.profiles is not None:
            return False
        return bool(
            jobs.start_us.min() >= _FIRST_US
            and ends.max() <= self._end_us
            and (span := ends - jobs.start_us).min() > 0
            and span.max() <= MAX_JOB_HOURS * MICROSECONDS_PER_HOUR
            and energy.min() >= 0  # NaN is not
            and energy.max() <= MAX_ENERGY_KWH
            and jobs.pue.min() >= 1
            and jobs.pue.max() <= MAX_PUE
        )

    @staticmethod
    def _note(good: Mask, reasons: dict[int, str], wrong: Mask, describe: Callable[[int], str]) -> None:
        """Give a reason to each row that is wrong and has none yet."""
        for row in np.flatnonzero(good & wrong).tolist():
            reasons[row] = describe(row)
        good &= ~wrong

    def _range(self, microseconds: int) -> str:
        try:
            check_range(from_microseconds(int(microseconds)), self._now)
        except (ValueError, OverflowError) as error:
            return f"{error}" if isinstance(error, ValueError) else "the time lies outside the years that Gridgram knows"
        return "the time is out of range"


def true_ends(jobs: JobColumns) -> NDArray[np.int64]:
    """The end of each job; where it has steps, that of the last one. [microseconds]"""
    if jobs.profiles is None:
        return jobs.end_us
    counts = jobs.profiles.steps.value_lengths().fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    reach = np.minimum(counts * np.minimum(jobs.profiles.step_us, 1 << 53), 1 << 53)
    ends: NDArray[np.int64] = jobs.start_us + reach
    return ends


def _steps_are_sound(profiles: Profiles) -> Mask:
    lists = profiles.steps
    counts = lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    values = lists.flatten()
    numbers = values.fill_null(np.nan).to_numpy(zero_copy_only=False)
    bound = MAX_POWER_W if profiles.is_power else MAX_ENERGY_KWH
    wrong_before = np.concatenate([[0], np.cumsum(~((numbers >= 0) & (numbers <= bound)))])
    ends = np.cumsum(counts)
    sound: Mask = (counts > 0) & (wrong_before[ends] == wrong_before[ends - counts])
    return sound


def _text(microseconds: int) -> str:
    try:
        return format_time(from_microseconds(int(microseconds)))
    except OverflowError:
        return "far away"
