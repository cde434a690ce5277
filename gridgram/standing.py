"""Where an hour stands among others: its percentile, and whether it is low or high beside their mean."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOW_PERCENT: Final = 85
HIGH_PERCENT: Final = 115
"""Electricity Maps' API reference, carbon-intensity-level: 15 % below and above the mean of the last ten days."""


class Level(StrEnum):
    """How an hour compares with the mean of those before it."""

    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"


def percentile(g_per_kwh: float, hours: NDArray[np.float64]) -> float:
    """Which share of the hours is lower, equal ones counted half: 0 where none is, 50 where all are the same. [gCO2e/kWh -> %]

    Raises ValueError for no hours.
    """
    if not len(hours):
        raise ValueError("a percentile needs hours to stand among")
    lower, equal = np.count_nonzero(hours < g_per_kwh), np.count_nonzero(hours == g_per_kwh)
    return 100.0 * (int(lower) + int(equal) / 2) / len(hours)


def level(g_per_kwh: float, hours: NDArray[np.float64]) -> Level:
    """Low more than 15 % below the mean of the hours, high more than 15 % above it. [gCO2e/kWh] Raises ValueError for no hours."""
    if not len(hours):
        raise ValueError("a level needs hours to be compared with")
    mean = float(hours.mean())
    if 100 * g_per_kwh < LOW_PERCENT * mean:
        return Level.LOW
    return Level.HIGH if 100 * g_per_kwh > HIGH_PERCENT * mean else Level.MODERATE
