"""How fresh hours are, and when a source may have newer ones: pure, the present is an argument.

A source publishes an hour `lag` after it is over. Hours are our unit, so it has something new for us every hour, or every
`resolution_minutes` where those are longer.
"""

from __future__ import annotations

from datetime import timedelta
from math import log
from typing import TYPE_CHECKING, Final

from gridgram.interval import HOURS_PER_DAY, hour_of, hour_start

if TYPE_CHECKING:
    from datetime import datetime

    from providers.base import Provider

RECENT_DAYS: Final = 2
UNANSWERED_SECONDS: Final = 60.0
"""How soon a source that did not answer is asked for a day again: it being away says nothing about what it has."""
RECENT_SECONDS: Final = 600.0
"""How soon a recent day is asked for again whose newest hour is overdue; the shortest cadence that there is."""
OVERDUE: Final = timedelta(hours=6)
"""For so long an hour that did not come in its time is awaited; after that it is looked for at the source's cadence."""
UNSETTLED_SECONDS: Final = 6 * 3_600.0
SETTLED_SECONDS: Final = 24 * 3_600.0
"""How long it is remembered that a source does not have an old day, or that the store has all of it."""
EAGERNESS: Final = 1.0
"""Beta of XFetch: above 1 refreshes earlier, below 1 later."""
STALE_FACTOR: Final = 2.0
"""An hour is stale once it is older than so many times what its source usually takes."""
HOUR: Final = timedelta(hours=1)


def end_of_told(provider: Provider, now: datetime) -> int:
    """The number of the first hour that the source cannot have told of whole: forecasts reach ahead, all else lags behind."""
    return hour_of(now + provider.forecast_span if provider.forecast_span else now - provider.lag)


def period(provider: Provider | None) -> timedelta:
    """How often the source has something new for us; an hour where nothing is known of it."""
    return max(HOUR, timedelta(minutes=provider.resolution_minutes)) if provider else HOUR


def ask_again_seconds(provider: Provider, day: int, now: datetime, *, is_up_to_date: bool) -> float:
    """How long a day (days since 1970) need not be asked for after the source answered: it grows with the age of the day. [s]

    A recent day is asked for at the source's cadence: when the next hour is due, and every RECENT_SECONDS while one is overdue
    (`is_up_to_date` tells that none is).
    """
    age = now - hour_start((day + 1) * HOURS_PER_DAY)
    if age >= timedelta(days=RECENT_DAYS):
        return UNSETTLED_SECONDS if age < provider.settles_after else SETTLED_SECONDS
    if not is_up_to_date and age - provider.lag < OVERDUE:
        return RECENT_SECONDS
    since_last = (now - provider.lag - hour_start(0)) % period(provider)
    return max(RECENT_SECONDS, (period(provider) - since_last).total_seconds())


def stale_after_seconds(provider: Provider | None) -> float:
    """How old the newest hour may be, counted from its end, before it is told to be stale. [s]

    Twice what the source usually takes: its lag, and the period in which the next hour becomes whole.
    """
    return STALE_FACTOR * (period(provider) + (provider.lag if provider else timedelta(0))).total_seconds()


def is_early(due_at: float, now: float, took_seconds: float, chance: float) -> bool:
    """Whether to refresh before the hours are due, so that of many who read the same hours one is early enough for all.

    XFetch: now - took x beta x ln(chance) >= due_at, with `chance` drawn evenly from (0, 1] for each reader and `took_seconds` what a
    fetch last took (Vattani, Chierichetti, Lowenstein 2015: Optimal Probabilistic Cache Stampede Prevention, PVLDB 8(8)). [s]
    """
    return now - took_seconds * EAGERNESS * log(chance) >= due_at
