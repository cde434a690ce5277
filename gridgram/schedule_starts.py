"""What an unbroken run emits from each possible start: running sums for flat jobs, sliding dot products for shaped ones.

The hours are known or not; a start whose run would touch an hour that is not known emits infinity, so that it is never chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING, Final

import numpy as np

from gridgram.interval import MICROSECONDS_PER_HOUR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gridgram.schedule_job import Job, Site, Window

SAME: Final = 1e-9
"""Emissions that differ by less than this share are one and the same: the sums behind them are rounded, and the earlier start counts."""
DIRECT_PRODUCTS: Final = 2_000_000
"""From so many multiplications on a sliding dot product is quicker through Fourier transforms."""


@dataclass(frozen=True, slots=True, eq=False)
class Hours:
    """The hours of one location, ready to be searched. [gCO2e/kWh]

    `centred` are the intensities less their `mean`, and `running` sums these, so that the sums stay small and lose no digits. Hours that
    are not known add nothing; `unknown` counts them, likewise, and is None when there is none.
    """

    first_hour: int
    g_per_kwh: NDArray[np.float64]
    mean: float
    centred: NDArray[np.float64]
    running: NDArray[np.float64]
    unknown: NDArray[np.int64] | None

    @classmethod
    def of(cls, first_hour: int, g_per_kwh: NDArray[np.float64], is_known: NDArray[np.bool_]) -> Hours:
        """Make hours ready; the intensity of an hour that is not known may be anything, NaN too."""
        all_known = bool(is_known.all())
        known = g_per_kwh if all_known else np.where(is_known, g_per_kwh, 0.0)
        mean = float(known.sum() / max(1, np.count_nonzero(is_known)))
        centred = known - mean if all_known else np.where(is_known, known - mean, 0.0)
        unknown = None if all_known else np.concatenate([[0], np.cumsum(~is_known)])
        running = np.zeros(len(centred) + 1)
        np.cumsum(centred, out=running[1:])
        return cls(first_hour, known, mean, centred, running, unknown)

    def touches_unknown(self, start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the spans touch an hour that is not known. [microseconds]"""
        if self.unknown is None:
            return np.zeros(len(start), np.bool_)
        last = -(-end // MICROSECONDS_PER_HOUR) - self.first_hour
        touched: NDArray[np.bool_] = self.unknown[last] != self.unknown[start // MICROSECONDS_PER_HOUR - self.first_hour]
        return touched

    def at(self, instants: NDArray[np.int64]) -> NDArray[np.float64]:
        """The intensity of the hours that hold the instants."""
        return self.g_per_kwh[instants // MICROSECONDS_PER_HOUR - self.first_hour]

    def integral(self, instants: NDArray[np.int64]) -> NDArray[np.float64]:
        """Intensity less the mean, summed from the first hour to each instant, parts of hours exactly. [gCO2e/kWh x h]"""
        whole, part = np.divmod(instants - self.first_hour * MICROSECONDS_PER_HOUR, MICROSECONDS_PER_HOUR)
        sums = self.running[whole]
        if not part.any():
            return sums
        following = np.append(self.running, self.running[-1])[whole + 1]
        sums += (following - sums) * (part / MICROSECONDS_PER_HOUR)
        return sums


def start_emissions(hours: Hours, job: Job, site: Site, window: Window) -> NDArray[np.float64]:
    """What the job emits from each start of the window, without a pause; infinity where an hour is not known. [gCO2e]"""
    grams = flat_emissions(hours, window, job.duration, job.total_kwh) if job.is_flat else _shaped(hours, job, window)
    grams += hours.mean * job.total_kwh
    if site.pue != 1:
        grams *= site.pue
    if site.start_kwh or hours.unknown is not None:
        starts = window.earliest + window.step * np.arange(len(grams))
        grams += site.start_kwh * hours.at(starts)
        grams[hours.touches_unknown(starts, starts + job.duration)] = np.inf
    return grams


def earliest_least(grams: NDArray[np.float64]) -> int:
    """The place of the least of the emissions, the first of those that are the same."""
    place = int(grams.argmin())
    least = float(grams[place])
    return int((grams[: place + 1] <= least + SAME * abs(least)).argmax())


def flat_emissions(hours: Hours, window: Window, duration: int, kwh: float) -> NDArray[np.float64]:
    """What `kwh` used evenly over so much time emit from each start of the window, less what they would at the mean intensity. [gCO2e]

    Two look-ups in the running sums for each start: O(starts).
    """
    count = window.starts(duration)
    first = window.earliest - hours.first_hour * MICROSECONDS_PER_HOUR
    kwh_per_hour = kwh * (MICROSECONDS_PER_HOUR / duration)
    if first % MICROSECONDS_PER_HOUR == duration % MICROSECONDS_PER_HOUR == window.step % MICROSECONDS_PER_HOUR == 0:  # whole hours
        place, length, stride = (time // MICROSECONDS_PER_HOUR for time in (first, duration, window.step))
        if length == 1:
            return hours.centred[place::stride][:count] * kwh_per_hour
        grams = hours.running[place + length :: stride][:count] - hours.running[place::stride][:count]
    else:
        starts = window.earliest + window.step * np.arange(count)
        grams = hours.integral(starts + duration) - hours.integral(starts)
    grams *= kwh_per_hour
    return grams


def _shaped(hours: Hours, job: Job, window: Window) -> NDArray[np.float64]:
    """One sliding dot product for each place within the hour at which starts lie: O(starts x hours of the job), or x log of it."""
    count = window.starts(job.duration)
    grams = np.empty(count)
    phases = MICROSECONDS_PER_HOUR // gcd(window.step, MICROSECONDS_PER_HOUR)
    stride = phases * window.step // MICROSECONDS_PER_HOUR
    for phase in range(min(phases, count)):
        start = window.earliest + phase * window.step
        first, last = start // MICROSECONDS_PER_HOUR, -(-(start + job.duration) // MICROSECONDS_PER_HOUR)
        kwh = np.diff(job.used_kwh(np.arange(first, last + 1) * MICROSECONDS_PER_HOUR - start))
        places = len(range(phase, count, phases))
        ahead = hours.centred[first - hours.first_hour :][: (places - 1) * stride + len(kwh)]
        grams[phase::phases] = _sliding_products(ahead, kwh)[::stride]
    return grams


def _sliding_products(numbers: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of weights x numbers at each place where the weights fit."""
    if (len(numbers) - len(weights) + 1) * len(weights) <= DIRECT_PRODUCTS:
        return np.correlate(numbers, weights, "valid")
    size = 1 << (len(numbers) - 1).bit_length()
    products = np.fft.irfft(np.fft.rfft(numbers, size) * np.conj(np.fft.rfft(weights, size)), size)
    return products[: len(numbers) - len(weights) + 1]
