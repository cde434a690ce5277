"""Forecasts from what the store holds: levels, as_of, kept models, and the operations over them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gridgram.interval import hour_of, hour_start
from gridgram.quality import QUALITY_CODES, Quality, Scope, Signal
from gridgram.series import IntensitySeries, Source, month_series
from service.app import build_gridgram
from service.forecasting.forecaster import model_name
from service.forecasting.usecase import hours_ahead
from service.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from numpy.typing import NDArray

    from service.usecases import Gridgram

NOW = datetime(2024, 3, 11, 12, 30, tzinfo=UTC)
ORIGIN = hour_of(NOW)
YEAR = 400 * 24
FORECAST, TYPICAL, MEASURED = (QUALITY_CODES[quality] for quality in (Quality.FORECAST, Quality.TYPICAL, Quality.MEASURED))


@pytest.fixture
async def gridgram(tmp_path: Path) -> AsyncIterator[Gridgram]:
    house = build_gridgram(load_settings(store=f"sqlite:///{tmp_path}/hours.sqlite", offline=True))
    house.now = lambda: NOW
    yield house
    await house.intensity.close()


def grid(hours: int, seed: int = 3) -> NDArray[np.float64]:
    """A made-up grid: a daily wave, a weekly one, and slow weather. [gCO2e/kWh]"""
    random = np.random.default_rng(seed)
    clock = np.arange(hours)
    weather = np.convolve(random.normal(size=hours + 48), np.exp(-np.arange(48) / 16), "same")[:hours]
    return np.asarray(300 * np.exp(0.2 * np.sin(clock * np.pi / 12) + 0.05 * (clock // 24 % 7 > 4) + 0.05 * weather))


def measured(zone: str, first_hour: int, g_per_kwh: NDArray[np.float64], provider: str = "file") -> IntensitySeries:
    hours = len(g_per_kwh)
    source = Source(provider, Signal.LIFECYCLE, Scope.PRODUCTION, "CC0", "made by hand")
    quality = np.where(np.isfinite(g_per_kwh), MEASURED, 0).astype(np.uint8)
    return IntensitySeries(
        zone, Signal.LIFECYCLE, first_hour, g_per_kwh, g_per_kwh, g_per_kwh, quality, np.zeros(hours, np.uint8), (source,)
    )


async def hold(gridgram: Gridgram, hours: int, end_hour: int = ORIGIN, zone: str = "FR") -> None:
    series = measured(zone, end_hour - hours, grid(hours))
    await gridgram.intensity.store.merge(list(month_series(series).values()))


async def settled(gridgram: Gridgram) -> None:
    """Wait for what goes on behind the answers."""
    await asyncio.gather(*gridgram.intensity._filling)


async def test_a_zone_without_hours_keeps_what_is_typical(gridgram: Gridgram) -> None:
    series = await hours_ahead(gridgram, "FR", Signal.LIFECYCLE, ORIGIN, ORIGIN + 96)

    assert set(series.quality.tolist()) == {TYPICAL}
    assert series.is_complete


async def test_some_weeks_of_hours_are_forecast_by_the_blend(gridgram: Gridgram) -> None:
    await hold(gridgram, 35 * 24)

    series = await hours_ahead(gridgram, "FR", Signal.LIFECYCLE, ORIGIN - 3, ORIGIN + 96)

    assert series.quality.tolist() == [MEASURED] * 3 + [FORECAST] * 96
    assert "level blend" in series.sources[series.source[-1]].detail
    assert (series.low <= series.g_per_kwh).all()
    assert (series.g_per_kwh <= series.high).all()


async def test_a_year_of_hours_is_trained_on_behind_the_first_answer(gridgram: Gridgram) -> None:
    await hold(gridgram, YEAR)

    first = await hours_ahead(gridgram, "FR", Signal.LIFECYCLE, ORIGIN, ORIGIN + 96)
    await settled(gridgram)
    second = await hours_ahead(gridgram, "FR", Signal.LIFECYCLE, ORIGIN, ORIGIN + 96)

    assert "level blend" in first.sources[0].detail
    assert "level trained" in second.sources[0].detail
    assert await gridgram.intensity.store.kept(model_name("FR", Signal.LIFECYCLE, ORIGIN))


async def test_many_who_ask_at_once_cause_one_training(gridgram: Gridgram, monkeypatch: pytest.MonkeyPatch) -> None:
    await hold(gridgram, YEAR)
    claims = []
    claim = gridgram.intensity.store.claim

    async def counted(name: str, seconds: float) -> str | None:
        claims.append(name)
        return await claim(name, seconds)

    monkeypatch.setattr(gridgram.intensity.store, "claim", counted)
    await asyncio.gather(*(hours_ahead(gridgram, "FR", Signal.LIFECYCLE, ORIGIN, ORIGIN + 24) for _ in range(20)))
    await settled(gridgram)

    assert claims == ["train/FR/lifecycle"]


async def test_hours_of_a_feed_that_is_late_are_forecast_too(gridgram: Gridgram) -> None:
    await hold(gridgram, 40 * 24, ORIGIN - 5)

    series = await hours_ahead(gridgram, "FR", Signal.LIFECYCLE, ORIGIN - 8, ORIGIN + 24)

    assert series.quality.tolist() == [MEASURED] * 3 + [FORECAST] * 29


async def test_a_zone_whose_hours_ended_days_ago_is_not_forecast(gridgram: Gridgram) -> None:
    await hold(gridgram, 40 * 24, ORIGIN - 100)

    series = await hours_ahead(gridgram, "FR", Signal.LIFECYCLE, ORIGIN, ORIGIN + 24)

    assert set(series.quality.tolist()) == {TYPICAL}


@pytest.mark.parametrize("hours", [40 * 24, YEAR])
async def test_changing_all_that_comes_at_or_after_as_of_changes_no_byte_of_the_forecast(gridgram: Gridgram, hours: int) -> None:
    cut = ORIGIN - 24 * 20
    await hold(gridgram, hours, cut)
    before = await hours_ahead(gridgram, "FR", Signal.LIFECYCLE, cut - 24, cut + 96, hour_start(cut))

    await gridgram.intensity.store.merge([measured("FR", cut, np.full(24 * 19, 999.0))])
    gridgram.intensity.memory.clear()
    after = await hours_ahead(gridgram, "FR", Signal.LIFECYCLE, cut - 24, cut + 96, hour_start(cut))

    for name in ("g_per_kwh", "low", "high", "quality"):
        assert getattr(before, name).tobytes() == getattr(after, name).tobytes()
    assert [before.sources[place] for place in before.source] == [after.sources[place] for place in after.source]
    assert before.quality.tolist() == [MEASURED] * 24 + [FORECAST] * 96


async def test_as_of_after_the_window_gives_the_hours_as_they_are_held(gridgram: Gridgram) -> None:
    await hold(gridgram, 40 * 24)

    series = await hours_ahead(gridgram, "FR", Signal.LIFECYCLE, ORIGIN - 96, ORIGIN, hour_start(ORIGIN))

    assert set(series.quality.tolist()) == {MEASURED}


async def test_a_source_s_own_forecast_comes_before_ours(gridgram: Gridgram) -> None:
    await hold(gridgram, 40 * 24)
    own = measured("FR", ORIGIN, np.full(24, 123.0), "gb")
    own.quality[:] = FORECAST
    await gridgram.intensity.store.merge([own])

    series = await hours_ahead(gridgram, "FR", Signal.LIFECYCLE, ORIGIN, ORIGIN + 48)

    assert series.g_per_kwh[:24].tolist() == [123.0] * 24
    assert [series.sources[place].provider for place in series.source] == ["gb"] * 24 + ["gridgram"] * 24
