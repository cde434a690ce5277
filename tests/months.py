"""Months of hours for the tests of the codec, the stores and the import."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from gridgram.interval import Month
from gridgram.quality import QUALITY_CODES, Quality, Scope, Signal
from gridgram.series import IntensitySeries, Source

MARCH = Month(2024, 3)
FETCHED = datetime(2024, 4, 1, tzinfo=UTC)


def source(provider: str = "eia", fetched_at: datetime | None = FETCHED, attribution: str = "U.S. EIA") -> Source:
    return Source(provider, Signal.LIFECYCLE, Scope.PRODUCTION, "public domain", attribution, fetched_at, "test hours")


def hours(
    numbers: list[float] | float,
    *,
    zone: str = "FR",
    month: Month = MARCH,
    first: int = 0,
    quality: Quality = Quality.MEASURED,
    origin: Source | None = None,
    band: float = 0.0,
) -> IntensitySeries:
    """Hours from the month's hour `first` on: the numbers given, or one number for every hour of the month."""
    column = np.full(month.hours, numbers) if isinstance(numbers, float) else np.array(numbers, np.float64)
    return IntensitySeries(
        zone,
        Signal.LIFECYCLE,
        month.first_hour + first,
        column,
        column - band,
        column + band,
        np.full(len(column), QUALITY_CODES[quality], np.uint8),
        np.zeros(len(column), np.uint8),
        (origin or source(),),
    )


def facts(series: IntensitySeries) -> list[tuple[int, float, float, float, int, Source]]:
    """What a series says, hour by hour, holes left out: two series say the same when these are equal."""
    return [
        (
            series.first_hour + place,
            float(series.g_per_kwh[place]),
            float(series.low[place]),
            float(series.high[place]),
            int(series.quality[place]),
            series.sources[series.source[place]],
        )
        for place in series.quality.nonzero()[0].tolist()
    ]
