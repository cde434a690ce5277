"""Whether the newest day of a source left the levels of the days before it: worth a look, never a reason to refuse it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gridgram.interval import HOURS_PER_DAY, hour_of
from gridgram.quality import MISSING_CODE
from providers.slips import DAYS_BEFORE, level_remark
from service.asking import TOLD

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from gridgram.quality import Signal
    from gridgram.series import IntensitySeries
    from service.asking import Shelf

WHOLE_DAY_HOURS: Final = 20
LOOKED_BACK_DAYS: Final = DAYS_BEFORE + 10
"""Sources are some days late, and a day may be missing."""


async def days_held(shelf: Shelf, zone: str, signal: Signal, provider: str, until: datetime) -> dict[int, float]:
    """The means of the days (since 1970) that are held of a source, of the last weeks before an instant. [gCO2e/kWh]"""
    end = (hour_of(until) // HOURS_PER_DAY + 1) * HOURS_PER_DAY
    return daily_means(await shelf.held_hours(zone, signal, end - LOOKED_BACK_DAYS * HOURS_PER_DAY, end), {provider})


def daily_means(series: IntensitySeries, providers: Collection[str]) -> dict[int, float]:
    """The means of the days (since 1970) of which nearly all hours were told by these sources. [gCO2e/kWh]"""
    is_theirs = np.array([source.provider in providers for source in series.sources] or [False])[series.source]
    hours = np.flatnonzero(is_theirs & (series.quality != MISSING_CODE) & (series.quality <= TOLD))
    day = (series.first_hour + hours) // HOURS_PER_DAY
    by_day = ((one, series.g_per_kwh[hours[day == one]]) for one in np.unique(day).tolist())
    return {one: float(numbers.mean()) for one, numbers in by_day if len(numbers) >= WHOLE_DAY_HOURS}


def newest_remark(means: dict[int, float]) -> str:
    """What is worth a look about the newest day, "" where nothing is."""
    if not means:
        return ""
    newest = max(means)
    before = [mean for day, mean in sorted(means.items()) if newest - DAYS_BEFORE <= day < newest]
    return level_remark(before, means[newest])
