"""Hourly intensity of one zone and one signal, with explicit holes and the source of every hour.

Packed as arrays: an hour whose quality byte is 0 is missing and its numbers are NaN, which never leave the house.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gridgram.quality import MISSING_CODE

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from gridgram.quality import Scope, Signal


@dataclass(frozen=True, slots=True)
class Source:
    """Where hours come from: the provider, what its numbers count, the terms they are under, and when they were fetched.

    `detail` is one sentence on vintage and method; `fetched_at` is None for what ships with the package.
    """

    provider: str
    signal: Signal
    scope: Scope
    licence: str
    attribution: str
    fetched_at: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class IntensitySeries:
    """Consecutive hours of one zone and one signal. [gCO2e/kWh]

    All arrays have one entry an hour, the first for the hour numbered `first_hour`. `quality` holds the codes of
    `gridgram.quality` (0 = missing), `source` the place in `sources`. `low` and `high` span the p10-p90 band.
    """

    zone: str
    signal: Signal
    first_hour: int
    g_per_kwh: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    quality: NDArray[np.uint8]
    source: NDArray[np.uint8]
    sources: tuple[Source, ...]

    @property
    def end_hour(self) -> int:
        """The number of the first hour after the series."""
        return self.first_hour + len(self.g_per_kwh)

    @property
    def is_complete(self) -> bool:
        """Whether no hour is missing."""
        return bool((self.quality != MISSING_CODE).all())

    def window(self, first_hour: int, end_hour: int) -> IntensitySeries:
        """The hours [first_hour, end_hour) of this series, which must hold them all; the arrays are views."""
        if first_hour < self.first_hour or end_hour > self.end_hour:
            msg = f"hours {first_hour} to {end_hour} are not all inside {self.first_hour} to {self.end_hour}"
            raise ValueError(msg)
        part = slice(first_hour - self.first_hour, end_hour - self.first_hour)
        return IntensitySeries(
            self.zone,
            self.signal,
            first_hour,
            self.g_per_kwh[part],
            self.low[part],
            self.high[part],
            self.quality[part],
            self.source[part],
            self.sources,
        )


def missing_series(zone: str, signal: Signal, first_hour: int, hours: int) -> IntensitySeries:
    """A series of so many hours, all of them missing."""
    return IntensitySeries(
        zone,
        signal,
        first_hour,
        np.full(hours, np.nan),
        np.full(hours, np.nan),
        np.full(hours, np.nan),
        np.zeros(hours, np.uint8),
        np.zeros(hours, np.uint8),
        (),
    )
