"""Forecasts from what the store holds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from gridgram.interval import hour_of, hour_start
from gridgram.quality import QUALITY_CODES, Quality, Scope, Signal
from gridgram.series import IntensitySeries, Source
from service.app import build_gridgram
from service.forecasting.usecase import hours_ahead
from service.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from service.usecases import Gridgram

NOW = datetime(2024, 3, 11, 12, 30, tzinfo=UTC)
ORIGIN = hour_of(NOW)


def house(home: Path) -> Gridgram:
    gridgram = build_gridgram(load_settings(store=f"sqlite:///{home}/hours.db", offline=True))
    gridgram.now = lambda: NOW
    return gridgram


def measured(zone: str, first_hour: int, g_per_kwh: np.ndarray) -> IntensitySeries:
    hours = len(g_per_kwh)
    source = Source("file", Signal.LIFECYCLE, Scope.PRODUCTION, "CC0", "made by hand")
    quality = np.full(hours, QUALITY_CODES[Quality.MEASURED], np.uint8)
    return IntensitySeries(
        zone, Signal.LIFECYCLE, first_hour, g_per_kwh, g_per_kwh, g_per_kwh, quality, np.zeros(hours, np.uint8), (source,)
    )


async def test_hours_at_or_after_as_of_are_not_used(tmp_path: Path) -> None:
    gridgram = house(tmp_path)
    await gridgram.intensity.store.merge([measured("FR", ORIGIN - 48, np.full(48, 77.0))])

    series = await hours_ahead(gridgram, "FR", Signal.LIFECYCLE, ORIGIN - 48, ORIGIN, hour_start(ORIGIN - 24))
    await gridgram.intensity.close()

    assert (series.g_per_kwh[:24] == 77.0).all()
    assert not (series.g_per_kwh[24:] == 77.0).any()
    assert series.is_complete
