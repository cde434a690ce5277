"""Forecasts that need no training: what the last days say of the next ones. All in the levels of a history, many origins at once.

An origin is the place of the first unknown hour in the levels; nothing at or after it is looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gridgram.interval import HOURS_PER_DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Levels = NDArray[np.float64]
    Places = NDArray[np.int64]

WEEK_HOURS: Final = 7 * HOURS_PER_DAY
BLEND_DAYS: Final = 28
LEAST_BLEND_DAYS: Final = 7
"""With fewer days before it than this an origin has no blend."""
HOURS_DECAY: Final = 6.0
DAY_DECAY: Final = 24.0
WEEK_DECAY: Final = 240.0
"""How fast the distance of the last hours, day and week from the month is forgotten. [h]"""


def same_hour_yesterday(level: Levels, origins: Places, hours: int) -> Levels:
    """The last 24 hours again and again; one row an origin."""
    return np.asarray(level[origins[:, None] - HOURS_PER_DAY + np.arange(hours) % HOURS_PER_DAY])


def same_hour_last_week(level: Levels, origins: Places, hours: int) -> Levels:
    """The last 168 hours again and again; one row an origin."""
    return np.asarray(level[origins[:, None] - WEEK_HOURS + np.arange(hours) % WEEK_HOURS])


def blend(level: Levels, origins: Places, hours: int) -> Levels:
    """The mean of each hour of the day over the last 28 days (7 at least), moved to where the last week, day and six hours are.

    The moves fade with the distance ahead. One row an origin; each needs LEAST_BLEND_DAYS before it.
    """
    days = np.minimum(origins // HOURS_PER_DAY, BLEND_DAYS)
    clock = np.arange(HOURS_PER_DAY)
    by_clock = _running(level, HOURS_PER_DAY)
    last = origins[:, None] - HOURS_PER_DAY + clock
    profile = (by_clock[last + HOURS_PER_DAY] - by_clock[last + HOURS_PER_DAY - days[:, None] * HOURS_PER_DAY]) / days[:, None]
    month = profile.mean(axis=1)
    last_hours = block_mean(level, origins, 6) - profile[:, -6:].mean(axis=1)
    day = block_mean(level, origins, HOURS_PER_DAY) - month
    week = block_mean(level, origins, WEEK_HOURS) - month
    ahead = np.arange(hours)
    return np.asarray(
        profile[:, ahead % HOURS_PER_DAY]
        + week[:, None] * np.exp(-ahead / WEEK_DECAY)
        + (day - week)[:, None] * np.exp(-ahead / DAY_DECAY)
        + (last_hours - day)[:, None] * np.exp(-ahead / HOURS_DECAY)
    )


def block_mean(level: Levels, ends: Places, hours: int) -> Levels:
    """The mean of the so many hours before each end."""
    sums = np.concatenate([[0.0], np.cumsum(level)])
    return np.asarray((sums[ends] - sums[ends - hours]) / hours)


def _running(level: Levels, step: int) -> Levels:
    """Sums over every `step`-th hour: entry i + step is the sum of level[i], level[i - step] and so on; the first `step` are 0."""
    rows = -(-len(level) // step)
    padded = np.zeros(rows * step)
    padded[: len(level)] = level
    return np.concatenate([np.zeros(step), np.cumsum(padded.reshape(rows, step), axis=0).ravel()])
