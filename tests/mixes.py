"""Hours of generation by fuel for the tests of what is made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gridgram.interval import Month, to_microseconds
from gridgram.mix_series import FUELS, MixSeries, MixSource, MixUnit
from gridgram.quality import QUALITIES, QUALITY_CODES, Quality
from tests.months import FETCHED, MARCH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from gridgram.fuels import Fuel

RTE = MixSource("rte", MixUnit.MEGAWATTS, "Licence Ouverte 2.0", "RTE / ODRE")
ENTSOE = MixSource("entsoe", MixUnit.MEGAWATTS, "CC BY 4.0", "ENTSO-E")


def mixes(
    *hours: Mapping[Fuel, float],
    first_hour: int = MARCH.first_hour,
    zone: str = "FR",
    quality: Quality = Quality.MEASURED,
    source: MixSource = RTE,
    fetched_at: datetime = FETCHED,
) -> MixSeries:
    """Consecutive hours, each by fuel; an empty one is missing."""
    generation = np.array([[hour.get(fuel, np.nan) for fuel in FUELS] for hour in hours])
    codes = np.array([QUALITY_CODES[quality] if hour else 0 for hour in hours], np.uint8)
    came = np.where(codes > 0, to_microseconds(fetched_at), 0)
    return MixSeries(zone, first_hour, generation, codes, np.zeros(len(hours), np.uint8), came, (source,))


def told(mix: MixSeries) -> list[tuple[int, dict[Fuel, float], Quality, str, int]]:
    """What a series says, hour by hour, holes left out: hour, fuels, quality, provider, when it came."""
    return [
        (
            mix.first_hour + place,
            {fuel: float(amount) for fuel, amount in zip(FUELS, mix.generation[place], strict=True) if not np.isnan(amount)},
            QUALITIES[mix.quality[place] - 1],
            mix.sources[mix.source[place]].provider,
            int(mix.fetched_at[place]),
        )
        for place in mix.quality.nonzero()[0].tolist()
    ]


def month_of(hours: Sequence[Mapping[Fuel, float]], month: Month = MARCH) -> MixSeries:
    """A whole month that repeats these hours."""
    return mixes(*(hours[place % len(hours)] for place in range(month.hours)), first_hour=month.first_hour)
