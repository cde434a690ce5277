"""Energy over time: a step function of kWh, laid on the grid of UTC hours with every partial hour weighed exactly.

Times are microseconds since 1970 (`gridgram.interval`). Inside a step the power is taken as constant, so an hour that a step only
touches gets the share of the step's energy that lies in it.
"""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING, NamedTuple

from gridgram.interval import MICROSECONDS_PER_HOUR, format_time, from_microseconds
from gridgram.units import kwh_from_w_hours

if TYPE_CHECKING:
    from collections.abc import Sequence


class EnergyProfile(NamedTuple):
    """The energy of a job, hour by hour. [kWh]

    `hours` are the numbers of the UTC hours that the job touches, ascending and without repeats (a `range` when there is no gap);
    `kwh` has one entry for each of them and adds up to `total_kwh`, but for rounding. The job runs in [`start`, `end`), in microseconds
    since 1970.
    """

    start: int
    end: int
    total_kwh: float
    hours: Sequence[int]
    kwh: Sequence[float]

    @property
    def end_hour(self) -> int:
        """The number of the first hour after the job."""
        return self.hours[-1] + 1


def flat_profile(start: int, end: int, total_kwh: float) -> EnergyProfile:
    """Spread one total evenly over [start, end). Raises ValueError when the span is empty or runs backwards."""
    _check_span(start, end)
    return stepped_profile(start, end - start, (total_kwh,))


def stepped_profile(start: int, step: int, kwh: Sequence[float]) -> EnergyProfile:
    """Lay consecutive steps of equal length, each with its kWh, on the hours. Raises ValueError when there is no step."""
    if not kwh:
        raise ValueError("the profile has no steps; give at least one value")
    if step == MICROSECONDS_PER_HOUR and start % MICROSECONDS_PER_HOUR == 0:
        first_hour = start // MICROSECONDS_PER_HOUR
        return EnergyProfile(start, start + step * len(kwh), fsum(kwh), range(first_hour, first_hour + len(kwh)), kwh)
    end = start + step * len(kwh)
    hours = range(start // MICROSECONDS_PER_HOUR, (end - 1) // MICROSECONDS_PER_HOUR + 1)
    hourly_kwh = [0.0] * len(hours)
    for index, step_kwh in enumerate(kwh):
        step_start = start + index * step
        _add(hourly_kwh, hours.start, step_start, step_start + step, step_kwh)
    return EnergyProfile(start, end, fsum(kwh), hours, hourly_kwh)


def power_profile(start: int, step: int, power_w: Sequence[float]) -> EnergyProfile:
    """Turn mean powers of consecutive equal steps into energy and lay it on the hours. [W -> kWh]"""
    hours_per_step = step / MICROSECONDS_PER_HOUR
    return stepped_profile(start, step, [kwh_from_w_hours(power, hours_per_step) for power in power_w])


def interval_profile(intervals: Sequence[tuple[int, int, float]]) -> EnergyProfile:
    """Lay intervals (start, end, kWh), in any order and with gaps, on the hours.

    Hours that lie whole in a gap are not part of the profile. Raises ValueError for an empty list, an empty or backward interval, and
    for two intervals that overlap, naming both.
    """
    if not intervals:
        raise ValueError("the profile has no intervals; give at least one")
    ordered = sorted(intervals)
    energy_by_hour: dict[int, float] = {}
    previous_end = ordered[0][0]
    for start, end, kwh in ordered:
        _check_span(start, end)
        if start < previous_end:
            raise ValueError(
                f"the interval that starts at {_text(start)} overlaps the one before it, which ends at {_text(previous_end)}; "
                "energy in an overlap would count twice"
            )
        previous_end = end
        first_hour = start // MICROSECONDS_PER_HOUR
        hourly_kwh = [0.0] * ((end - 1) // MICROSECONDS_PER_HOUR - first_hour + 1)
        _add(hourly_kwh, first_hour, start, end, kwh)
        for hour, hour_kwh in enumerate(hourly_kwh, first_hour):
            energy_by_hour[hour] = energy_by_hour.get(hour, 0.0) + hour_kwh
    total_kwh = fsum(kwh for _, _, kwh in ordered)
    return EnergyProfile(ordered[0][0], previous_end, total_kwh, list(energy_by_hour), list(energy_by_hour.values()))


def _add(hourly_kwh: list[float], first_hour: int, start: int, end: int, kwh: float) -> None:
    """Add the energy of one step to the hours that it touches."""
    hour, last_hour = start // MICROSECONDS_PER_HOUR, (end - 1) // MICROSECONDS_PER_HOUR
    if hour == last_hour:
        hourly_kwh[hour - first_hour] += kwh
        return
    duration = end - start
    hourly_kwh[hour - first_hour] += kwh * ((hour + 1) * MICROSECONDS_PER_HOUR - start) / duration
    whole_hour_kwh = kwh * MICROSECONDS_PER_HOUR / duration
    for index in range(hour + 1 - first_hour, last_hour - first_hour):
        hourly_kwh[index] += whole_hour_kwh
    hourly_kwh[last_hour - first_hour] += kwh * (end - last_hour * MICROSECONDS_PER_HOUR) / duration


def _check_span(start: int, end: int) -> None:
    if end <= start:
        raise ValueError(f"the end {_text(end)} is not after the start {_text(start)}")


def _text(microseconds: int) -> str:
    return format_time(from_microseconds(microseconds))
