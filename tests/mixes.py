"""Hours of generation by fuel for the tests of what is made of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from cache.sqlite import SqliteStore
from gridgram.fuels import Fuel
from gridgram.interval import Month, to_microseconds
from gridgram.mix_series import FUELS, MixSeries, MixSource, MixUnit
from gridgram.quality import QUALITIES, QUALITY_CODES, Quality
from service.mixes.kept import KeptMixes
from tests.months import FETCHED, MARCH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

RTE = MixSource("rte", MixUnit.MEGAWATTS, "Licence Ouverte 2.0", "RTE / ODRE")
ENTSOE = MixSource("entsoe", MixUnit.MEGAWATTS, "CC BY 4.0", "ENTSO-E")

GB_MIX = MixSource("gb_mix", MixUnit.PERCENT, "CC BY 4.0", "National Energy System Operator (carbonintensity.org.uk)")


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


def french(hour: int) -> dict[Fuel, float]:
    """A mix of its own for every hour of a day, half of them in .5 so that rounding shows; no source reports coal. [MW]"""
    of_day = hour % 24
    return {
        Fuel.NUCLEAR: 40_000.5,
        Fuel.HYDRO: 6_000.0 + 50 * of_day,
        Fuel.WIND: 5_000.0,
        Fuel.SOLAR: 500.0 * max(0, 6 - abs(of_day - 12)),
        Fuel.GAS: 3_000.0,
        Fuel.UNKNOWN: 200.0,
    }


def french_hours(first_hour: int, end_hour: int, **told: object) -> MixSeries:
    """France over [first_hour, end_hour)."""
    return mixes(*(french(hour) for hour in range(first_hour, end_hour)), first_hour=first_hour, **told)  # type: ignore[arg-type]


def keep_mixes(path: Path, *series: MixSeries) -> None:
    """Put mixes into the embedded store at a path."""

    async def put() -> None:
        store = SqliteStore(path)
        kept = KeptMixes(store, refuse, lambda *_: None)
        for mix in series:
            await kept.put(mix)
        await store.close()

    asyncio.run(put())


def refuse(error: Exception) -> None:
    """A test's own store does not fail."""
    raise error
