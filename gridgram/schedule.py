"""Where and when a job emits least: the best options over many locations, each weighed by the hours of its own grid.

    emissions = sum over hours of facility kWh x gCO2e/kWh

All locations are compared on one signal, by the expected intensity of each hour; `low` and `high` add the hours' p10 and p90 as if all
hours erred together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from gridgram.interval import MICROSECONDS_PER_HOUR
from gridgram.quality import MISSING_CODE, QUALITIES
from gridgram.schedule_job import Chunk, facility_kwh
from gridgram.schedule_pauses import paused_plan
from gridgram.schedule_starts import Hours, earliest_least, start_emissions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gridgram.quality import Quality
    from gridgram.schedule_job import Job, Pauses, Site, Window
    from gridgram.series import IntensitySeries

LEAST_APART: Final = MICROSECONDS_PER_HOUR
MOST_APART: Final = 12 * MICROSECONDS_PER_HOUR


@dataclass(frozen=True, slots=True, eq=False)
class Prospect:
    """One location to choose from: its hours over the whole window, which of them count as known, and what starting there adds."""

    site: Site
    series: IntensitySeries
    is_known: NDArray[np.bool_]

    @property
    def span(self) -> range:
        """The numbers of the hours."""
        return range(self.series.first_hour, self.series.end_hour)

    def hours(self) -> Hours:
        """The hours, ready to be searched."""
        return Hours.of(self.series.first_hour, self.series.g_per_kwh, self.is_known)


@dataclass(frozen=True, slots=True, eq=False)
class Option:
    """One way to run the job: at the prospect of this place in the list, in these chunks. [kWh, gCO2e, gCO2e/kWh]

    `kwh` is the energy by hour of the window, as the facility and the networks see it; `intensity_g_per_kwh` the mean that it meets.
    `coverage` is the share of that energy by quality, best first; of the time when the job uses none.
    """

    prospect: int
    chunks: tuple[Chunk, ...]
    kwh: NDArray[np.float64]
    energy_kwh: float
    emissions_g: float
    emissions_low_g: float
    emissions_high_g: float
    intensity_g_per_kwh: float
    coverage: dict[Quality, float]


def apart(duration: int) -> int:
    """How far apart two starts at one location must lie to be options of their own: half the job, one hour at least, twelve at most."""
    return min(max(duration // 2, LEAST_APART), MOST_APART)


class Plan(NamedTuple):
    """A way to run the job at one location, and what it emits. [gCO2e]"""

    emissions_g: float
    chunks: tuple[Chunk, ...]


def plans(prospect: Prospect, job: Job, window: Window, pauses: Pauses | None, top: int) -> list[Plan]:
    """The best ways to run the job at one location, at most `top`, no two alike; none where the known hours leave no room.

    With `pauses` the best plan of all comes first, then the best unbroken runs. Unbroken runs start `apart` from each other.
    """
    hours = prospect.hours()
    found = []
    if pauses is not None and (chunks := paused_plan(hours, job, prospect.site, window, pauses)) is not None:
        kwh = facility_kwh(job, chunks, prospect.site, pauses.resume_kwh, prospect.span)
        found.append(Plan(float(kwh @ hours.g_per_kwh), chunks))
    grams = start_emissions(hours, job, prospect.site, window)
    gap = -(-apart(job.duration) // window.step)
    while len(found) <= top and len(grams) and np.isfinite(grams[place := earliest_least(grams)]):
        start = window.earliest + place * window.step
        plan = Plan(float(grams[place]), (Chunk(start, start + job.duration),))
        if not found or found[0].chunks != plan.chunks:
            found.append(plan)
        grams[max(0, place - gap + 1) : place + gap] = np.inf
    return found[:top]


def weigh(place: int, prospect: Prospect, job: Job, chunks: tuple[Chunk, ...], pauses: Pauses | None) -> Option:
    """Account for one way to run the job, over hours that are known."""
    series = prospect.series
    hours = prospect.span
    resume_kwh = pauses.resume_kwh if pauses else 0.0
    kwh = facility_kwh(job, chunks, prospect.site, resume_kwh, hours)
    weights = kwh if kwh.any() else _time_inside(chunks, hours)
    used = np.flatnonzero(weights)
    g_per_kwh, low, high = (column[used] for column in (series.g_per_kwh, series.low, series.high))
    shares = np.bincount(series.quality[used], weights[used]) / weights.sum()
    return Option(
        place,
        chunks,
        kwh,
        float(kwh.sum()),
        float(kwh[used] @ g_per_kwh),
        float(kwh[used] @ low),
        float(kwh[used] @ high),
        float(weights[used] @ g_per_kwh / weights.sum()),
        {QUALITIES[code - 1]: share for code, share in enumerate(shares.tolist()) if share > 0 and code != MISSING_CODE},
    )


def best_options(
    prospects: Sequence[Prospect], job: Job, window: Window, pauses: Pauses | None, top: int
) -> tuple[list[Option], list[Option]]:
    """The best options overall, `top` at most, and the best of each location that has any; both least emissions first.

    Of equal ones the one that is done first counts, then the location that stands first.
    """
    planned = [
        (_rank(plan, place), place, plan) for place, prospect in enumerate(prospects) for plan in plans(prospect, job, window, pauses, top)
    ]
    planned.sort(key=lambda entry: entry[0])
    best = {place: plan for _, place, plan in reversed(planned)}
    weighed: dict[tuple[int, Plan], Option] = {}

    def option(place: int, plan: Plan) -> Option:
        if (place, plan) not in weighed:
            weighed[place, plan] = weigh(place, prospects[place], job, plan.chunks, pauses)
        return weighed[place, plan]

    return [option(place, plan) for _, place, plan in planned[:top]], [option(place, plan) for place, plan in reversed(best.items())]


def run_at_once(place: int, prospect: Prospect, job: Job, window: Window) -> Option | None:
    """The job without a pause from the window's start; None when an hour of it is not known or it does not fit."""
    end = window.earliest + job.duration
    touched = slice(window.first_hour - prospect.series.first_hour, -(-end // MICROSECONDS_PER_HOUR) - prospect.series.first_hour)
    if end > window.latest or not prospect.is_known[touched].all():
        return None
    return weigh(place, prospect, job, (Chunk(window.earliest, end),), None)


def _rank(plan: Plan, place: int) -> tuple[float, int, int]:
    return float(f"{plan.emissions_g:.9e}"), plan.chunks[-1].end, place


def _time_inside(chunks: Sequence[Chunk], hours: range) -> NDArray[np.float64]:
    """How long the chunks run in each of the hours. [h]"""
    edges = np.arange(hours.start, hours.stop + 1) * MICROSECONDS_PER_HOUR
    microseconds = np.zeros(len(hours))
    for chunk in chunks:
        inside = np.clip(edges, chunk.start, chunk.end)
        microseconds += inside[1:] - inside[:-1]
    return microseconds / MICROSECONDS_PER_HOUR
