"""The use case: ask the grid for the hours of each use, then compute, and the same again for the places of a comparison."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gridgram.errors import NoData, UnknownLocation
from gridgram.footprint import Electricity, Range, exact
from gridgram.quality import MISSING_CODE, QUALITY_CODES, Quality
from service.footprint.figures import Asked, Compared, figures_of
from service.footprint.writing import write_footprint
from service.requests import LocationQuery

if TYPE_CHECKING:
    from gridgram.quality import Signal
    from service.answers import EmissionsAnswer, PlaceMembers
    from service.footprint.answers import FootprintAnswer
    from service.footprint.plan import Plan, PlannedUse
    from service.usecases import Gridgram

AT_ONCE = 8
"""Places of a comparison that are asked for at the same time."""
CONSTANT_HOURS = 25
"""From so many equal hours on an intensity is called a constant: a day and an hour, since a day may truly be flat."""


@dataclass(frozen=True, slots=True)
class Footprints:
    """Footprints over the use cases that answer for single jobs."""

    gridgram: Gridgram

    async def footprint(self, plan: Plan) -> FootprintAnswer:
        """Compute a footprint. Raises UnknownLocation and NoData for a use whose hours cannot be had."""
        asked = []
        told: dict[tuple[str, range], str] = {}
        for use in plan.uses:
            asked.append(await self._asked(use, told))
            await asyncio.sleep(0)  # hundreds of uses whose hours are in memory would hold up all others
        compared, unavailable = await self._compare(plan)
        return await asyncio.to_thread(_write, plan, asked, compared, unavailable)

    async def _asked(self, planned: PlannedUse, told: dict[tuple[str, range], str]) -> Asked:
        """One use with its intensity, given or of the grid; `told` keeps what was found out about the hours of a zone."""
        use = planned.use
        if use.intensity_g_per_kwh is not None:
            low, high = use.intensity_low_g_per_kwh, use.intensity_high_g_per_kwh
            middle = use.intensity_g_per_kwh or 0.0
            intensity = Range(middle, middle if low is None else low, middle if high is None else high)
            return Asked(_electricity(planned, intensity), await self._place(use.location))
        assert planned.job is not None  # noqa: S101 - a use without an intensity has a place and a time
        answer = await self.gridgram.emissions(planned.job)
        hours = (answer["zone"], range(planned.job.profile.hours[0], planned.job.profile.end_hour))
        if hours not in told:
            told[hours] = await self._constant(*hours, planned.job.signal)
        warning = f"{planned.name}: {told[hours]}" if told[hours] else ""
        return Asked(_electricity(planned, _mean(answer)), await self._place(use.location), answer, warning)

    async def _place(self, location: str | None) -> PlaceMembers | None:
        """The place of a use, also where its intensity is given: a name that is no place's is refused either way."""
        return None if location is None else await self.gridgram.locate(LocationQuery.model_construct(location=location))

    async def _constant(self, zone: str, hours: range, signal: Signal) -> str:
        """What to say of hours that do not vary although they call themselves better than a yearly mean."""
        series = await self.gridgram.intensity.read(zone, signal, hours.start, hours.stop)
        better = series.quality < QUALITY_CODES[Quality.ANNUAL]
        if len(hours) < CONSTANT_HOURS or not better.all() or MISSING_CODE in series.quality or np.ptp(series.g_per_kwh) > 0:
            return ""
        return f"{zone} has the same {series.g_per_kwh[0]:g} g/kWh in each of {len(hours)} hours: a yearly constant in hourly clothing"

    async def _compare(self, plan: Plan) -> tuple[list[Compared], list[tuple[str, str]]]:
        """The uses in each place of the comparison, and the places that cannot be answered, each with the reason."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(location: str) -> Compared | tuple[str, str]:
            async with gate:
                try:
                    return await self._elsewhere(plan, location)
                except (UnknownLocation, NoData) as error:
                    return location, str(error)

        outcomes = await asyncio.gather(*(one(location) for location in plan.request.compare_locations))
        compared = [outcome for outcome in outcomes if isinstance(outcome, Compared)]
        return compared, [outcome for outcome in outcomes if isinstance(outcome, tuple)]

    async def _elsewhere(self, plan: Plan, location: str) -> Compared:
        uses, answers = [], []
        for planned in plan.uses:
            assert planned.job is not None  # noqa: S101 - a plan with a comparison has hours everywhere
            answer = await self.gridgram.emissions(planned.job._replace(location=location))
            await asyncio.sleep(0)  # as above
            answers.append(answer)
            uses.append(_electricity(planned, _mean(answer)))
        return Compared(location, tuple(uses), tuple(answers))


def _write(plan: Plan, asked: list[Asked], compared: list[Compared], unavailable: list[tuple[str, str]]) -> FootprintAnswer:
    return write_footprint(figures_of(plan, asked), compared, unavailable)


def _mean(answer: EmissionsAnswer) -> Range:
    """The mean intensity of a job and its band, weighed by its energy. [gCO2e/kWh]"""
    kwh = answer["energy_kwh"]
    if kwh <= 0:
        return exact(answer["intensity_g_per_kwh"])
    middle = answer["emissions_g"] / kwh
    return Range(middle, min(middle, answer["emissions_low_g"] / kwh), max(middle, answer["emissions_high_g"] / kwh))


def _electricity(planned: PlannedUse, intensity_g_per_kwh: Range) -> Electricity:
    use = planned.use
    return Electricity(
        planned.component,
        planned.phase,
        planned.name,
        planned.energy_kwh,
        intensity_g_per_kwh,
        use.host_factor,
        use.pue,
        use.market_based_g_per_kwh,
    )
