"""What issued forecasts turned out to be worth, beside what a source forecast itself and what needs no thought."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import numpy as np

from gridgram.backtest import LAST_WEEK, OURS, YESTERDAY
from gridgram.errors import StoreError
from gridgram.forecast_candidates import WEEK_HOURS
from gridgram.forecast_scores import coverage_percent, score
from gridgram.interval import HOURS_PER_DAY, format_hour, hour_of, months_between
from gridgram.quality import MISSING_CODE, QUALITY_CODES, Quality, Signal
from gridgram.series import joined
from service.answers import missing_spans, place_members
from service.forecasting.answers import method_answer
from service.forecasting.issuing import ISSUED_HOURS, issues_of, place_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from gridgram.forecast_codec import Issued
    from service.forecasting.answers import HorizonSkillAnswer, SkillAnswer
    from service.forecasting.requests import SkillQuery
    from service.usecases import Gridgram

    Matrix = NDArray[np.float64]

SKILL_HOURS: Final = 32 * HOURS_PER_DAY
OWN: Final = "source's own"
AT_ONCE: Final = 16
_TOLD = QUALITY_CODES[Quality.ESTIMATED]


async def skill(gridgram: Gridgram, query: SkillQuery) -> SkillAnswer:
    """The measured error of the forecasts issued in the last 32 days, by day ahead. Raises UnknownLocation."""
    place, signal = await place_of(gridgram, query.location), Signal(query.signal)
    end_hour = hour_of(gridgram.now())
    first_hour = end_hour - SKILL_HOURS
    issues = await _issues(gridgram, place.zone.key, signal, range(first_hour, end_hour))
    told = await _told(gridgram, place.zone.key, signal, first_hour - WEEK_HOURS - HOURS_PER_DAY, end_hour)
    spans = missing_spans([issued.first_hour for issued in issues])
    return {
        **place_members(place),
        "signal": signal.value,
        "start": format_hour(first_hour),
        "end": format_hour(end_hour),
        "issued": [{"start": start, "end": end} for start, end in spans],
        "horizon": await asyncio.to_thread(_horizon, issues, told, first_hour - WEEK_HOURS - HOURS_PER_DAY) if issues else [],
    }


def horizon_answer(
    said: Mapping[str, Matrix], low: Matrix, high: Matrix, true: Matrix, spans: Sequence[tuple[int, int]]
) -> list[HorizonSkillAnswer]:
    """Score every method in each span of hours ahead; a method that said nothing there is left out, and so is a span without truth."""
    answers: list[HorizonSkillAnswer] = []
    for first_hour, end_hour in spans:
        part = slice(first_hour, end_hour)
        methods = []
        for method, hours in said.items():
            scored = score(hours[:, part], true[:, part])
            if scored is not None:
                coverage = coverage_percent(low[:, part], high[:, part], true[:, part]) if method == OURS else None
                methods.append(method_answer(method, scored, coverage))
        if methods:
            answers.append({"ahead_from": f"PT{first_hour}H", "ahead_to": f"PT{end_hour}H", "methods": methods})
    return answers


def day_spans(hours: int) -> list[tuple[int, int]]:
    """The days ahead, the last one perhaps short, and all of them together."""
    days = [(first, min(first + HOURS_PER_DAY, hours)) for first in range(0, hours, HOURS_PER_DAY)]
    return [*days, (0, hours)] if len(days) > 1 else days


def _horizon(issues: Sequence[Issued], told: Matrix, told_from: int) -> list[HorizonSkillAnswer]:
    ahead = np.arange(ISSUED_HOURS)
    hours = np.array([issued.first_hour for issued in issues])[:, None] + ahead
    unknown = np.array([issued.origin for issued in issues])[:, None]

    def at(wanted: NDArray[np.int64]) -> Matrix:
        places = wanted - told_from
        is_inside = (places >= 0) & (places < len(told))
        return np.where(is_inside, told[np.clip(places, 0, len(told) - 1)], np.nan)

    def repeated(period: int) -> Matrix:
        return at(hours - ((hours - unknown) // period + 1) * period)

    def column(name: str) -> Matrix:
        return np.stack([getattr(issued, name) for issued in issues])

    said = {OURS: column("g_per_kwh"), OWN: column("own"), YESTERDAY: repeated(HOURS_PER_DAY), LAST_WEEK: repeated(WEEK_HOURS)}
    return horizon_answer(said, column("low"), column("high"), at(hours), day_spans(ISSUED_HOURS))


async def _issues(gridgram: Gridgram, zone: str, signal: Signal, hours: range) -> list[Issued]:
    """The forecasts that are kept, oldest first; none while the store is away."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def of_day(day: int) -> list[Issued]:
        async with turn:
            try:
                return await issues_of(gridgram, zone, signal, day)
            except StoreError:
                return []

    found = await asyncio.gather(*(of_day(day) for day in range(hours.start // HOURS_PER_DAY, (hours.stop - 1) // HOURS_PER_DAY + 1)))
    issues = [issued for of_one in found for issued in of_one if issued.first_hour in hours]
    return sorted(issues, key=lambda issued: issued.first_hour)


async def _told(gridgram: Gridgram, zone: str, signal: Signal, first_hour: int, end_hour: int) -> Matrix:
    """The hours that a source told, NaN elsewhere. [gCO2e/kWh]"""
    chunks = await gridgram.intensity.chunks(zone, signal, months_between(first_hour, end_hour))
    series = joined([chunk.series for chunk in chunks]).window(first_hour, end_hour)
    return np.where((series.quality != MISSING_CODE) & (series.quality <= _TOLD), series.g_per_kwh, np.nan)
