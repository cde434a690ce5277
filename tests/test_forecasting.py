"""Forecasts from what the store holds: levels, as_of, kept models, and the operations over them."""

from __future__ import annotations

import asyncio
import re
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import orjson
import pytest
import structlog
from typer.testing import CliRunner

from cache.sqlite import SqliteStore
from gridgram.errors import InvalidInput
from gridgram.interval import format_hour, hour_of, hour_start
from gridgram.quality import QUALITY_CODES, Quality, Scope, Signal
from gridgram.series import IntensitySeries, Source, month_series
from service.app import build_gridgram
from service.cli import app
from service.forecasting import forecaster
from service.forecasting.forecaster import model_name
from service.forecasting.issuing import forecast, keep_issue
from service.forecasting.requests import ForecastQuery, SkillQuery
from service.forecasting.skill import skill
from service.forecasting.usecase import hours_ahead
from service.requests import read_request
from service.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from typer.testing import Result

    from service.requests import Model
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
    await asyncio.gather(*gridgram.intensity._behind)


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


async def test_a_year_of_hours_is_trained_on_behind_the_first_answer_and_never_in_the_thread_of_the_loop(
    gridgram: Gridgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hold(gridgram, YEAR)
    threads: dict[str, set[int]] = {}
    for name in ("train", "untrained", "predict", "history_of"):
        work = getattr(forecaster, name)

        def noted(*arguments: object, name: str = name, work: Callable[..., object] = work) -> object:
            threads.setdefault(name, set()).add(threading.get_ident())
            return work(*arguments)

        monkeypatch.setattr(forecaster, name, noted)

    first = await hours_ahead(gridgram, "FR", Signal.LIFECYCLE, ORIGIN, ORIGIN + 96)
    await settled(gridgram)
    second = await hours_ahead(gridgram, "FR", Signal.LIFECYCLE, ORIGIN, ORIGIN + 96)

    assert "level blend" in first.sources[0].detail
    assert "level trained" in second.sources[0].detail
    assert re.search(r" % in the 28 days before 2024-\d\d-\d\dT\d\d:00:00Z\.", second.sources[0].detail)
    assert await gridgram.intensity.store.kept(model_name("FR", Signal.LIFECYCLE))
    assert threads.keys() == {"train", "untrained", "predict", "history_of"}
    assert threading.get_ident() not in set.union(*threads.values())


async def test_what_is_known_ahead_is_made_once_until_hours_arrive_or_one_has_passed(gridgram: Gridgram) -> None:
    await hold(gridgram, 60 * 24)
    await hours_ahead(gridgram, "FR", Signal.LIFECYCLE, ORIGIN, ORIGIN + 24)
    await settled(gridgram)

    first, again = [await hours_ahead(gridgram, "FR", Signal.LIFECYCLE, ORIGIN, ORIGIN + hours) for hours in (24, 96)]
    await gridgram.intensity.put([measured("FR", ORIGIN, np.array([50.0]))])
    after = await hours_ahead(gridgram, "FR", Signal.LIFECYCLE, ORIGIN, ORIGIN + 24)
    gridgram.now = lambda: NOW + timedelta(hours=1)
    later = await hours_ahead(gridgram, "FR", Signal.LIFECYCLE, ORIGIN, ORIGIN + 24)

    assert np.shares_memory(first.g_per_kwh, again.g_per_kwh)
    assert (after.g_per_kwh[0], later.g_per_kwh[0]) == (50.0, 50.0)
    assert (later.g_per_kwh[2:] != first.g_per_kwh[2:]).all()
    assert "from the hours before 2024-03-11T12:00:00Z" in first.sources[0].detail
    assert "from the hours before 2024-03-11T12:00:00Z" in after.sources[1].detail
    assert "from the hours before 2024-03-11T13:00:00Z" in later.sources[1].detail


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


async def test_an_answer_tells_when_it_was_issued_and_what_it_was_made_of(gridgram: Gridgram) -> None:
    await hold(gridgram, 40 * 24)

    answer, _ = await forecast(gridgram, asked(gridgram, ForecastQuery, hours=30))

    assert answer["issued_at"] == "2024-03-11T12:30:00Z"
    assert (answer["start"], len(answer["hours"])) == ("2024-03-11T12:00:00Z", 30)
    assert {hour["provider"] for hour in answer["hours"]} == {"gridgram"}
    assert [(source["provider"], source["quality"], source["licence"]) for source in answer["provenance"]] == [
        ("gridgram", "forecast", "CC0")
    ]
    assert "2024-03-11T12:00:00Z" in answer["provenance"][0].get("detail", "")


async def test_an_as_of_that_lies_ahead_is_refused(gridgram: Gridgram) -> None:
    with pytest.raises(InvalidInput, match="/as_of: this lies after now"):
        await forecast(gridgram, asked(gridgram, ForecastQuery, as_of="2024-03-12T00:00:00Z"))


@pytest.mark.parametrize("hours", ["0", "337", "1.5", "-3", "", "nan", "9999999"])
def test_hours_that_are_no_number_of_hours_are_refused(gridgram: Gridgram, hours: str) -> None:
    with pytest.raises(InvalidInput, match="/hours"):
        asked(gridgram, ForecastQuery, hours=hours)


async def test_what_was_issued_is_held_to_account_beside_a_source_s_own_and_naive_ones(gridgram: Gridgram) -> None:
    hours = grid(70 * 24)
    for day in range(4):
        cut = 60 * 24 + day * 24
        own = measured("FR", ORIGIN + day * 24, np.full(6, 290.0), "gb")
        own.quality[:] = FORECAST
        gridgram.now = lambda day=day: hour_start(ORIGIN + day * 24)  # type: ignore[misc]  # bound now, called later
        await keep(gridgram, measured("FR", ORIGIN - 60 * 24, hours[:cut]), own)
        await keep_issue(gridgram, "FR", Signal.LIFECYCLE, ORIGIN + day * 24)
        await keep_issue(gridgram, "FR", Signal.LIFECYCLE, ORIGIN + day * 24)  # once more in the same hour changes nothing
    await keep(gridgram, measured("FR", ORIGIN - 60 * 24, hours))
    gridgram.now = lambda: hour_start(ORIGIN + 10 * 24)

    answer = await skill(gridgram, asked(gridgram, SkillQuery))

    assert [span["start"] for span in answer["issued"]] == [f"2024-03-{day}T12:00:00Z" for day in (11, 12, 13, 14)]
    assert [(span["ahead_from"], span["ahead_to"]) for span in answer["horizon"]][::4] == [("PT0H", "PT24H"), ("PT0H", "PT96H")]
    methods = {method["method"]: method for method in answer["horizon"][0]["methods"]}
    assert {name: method["hours"] for name, method in methods.items()} == {
        "gridgram": 96,
        "source's own": 24,
        "same-hour-yesterday": 96,
        "same-hour-last-week": 96,
    }
    assert 0 < methods["gridgram"]["mape_percent"] < 30
    assert 0 <= methods["gridgram"].get("coverage_percent", -1) <= 100


async def test_what_was_issued_in_the_hours_of_a_day_is_one_thing_in_the_store_and_a_month_few_looks(
    gridgram: Gridgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(gridgram, measured("FR", ORIGIN - 60 * 24, grid(60 * 24)))
    for hour in (ORIGIN, ORIGIN + 1):
        await keep_issue(gridgram, "FR", Signal.LIFECYCLE, hour)
    gridgram.now = lambda: hour_start(ORIGIN + 10)  # type: ignore[method-assign]
    store, names = gridgram.intensity.store, []
    kept = store.kept

    async def counted(name: str) -> bytes | None:
        names.append(name)
        return await kept(name)

    monkeypatch.setattr(store, "kept", counted)
    answer = await skill(gridgram, asked(gridgram, SkillQuery))

    assert answer["issued"] == [{"start": "2024-03-11T12:00:00Z", "end": "2024-03-11T14:00:00Z"}]
    assert len([name for name in names if name.startswith("forecasts/")]) == 33


async def keep(gridgram: Gridgram, *told: IntensitySeries) -> None:
    await gridgram.intensity.store.merge([month for series in told for month in month_series(series).values()])
    gridgram.intensity.memory.clear()


def asked(gridgram: Gridgram, model: type[Model], **members: object) -> Model:
    return read_request(model, {"location": "FR", **members}, gridgram.now())


async def test_the_command_line_trains_first_and_back_tests_what_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hours = 2 * YEAR
    end_hour = hour_of(datetime.now(UTC))
    monkeypatch.setenv("GRIDGRAM_STORE", f"sqlite:///{tmp_path}/hours.sqlite")
    monkeypatch.setenv("GRIDGRAM_OFFLINE", "1")
    store = SqliteStore(tmp_path / "hours.sqlite")
    await store.merge(list(month_series(measured("DE", end_hour - hours, grid(hours))).values()))
    await store.close()
    span = ["--from", format_hour(end_hour - 30 * 24), "--to", format_hour(end_hour)]

    ahead = await asyncio.to_thread(run, "forecast", "DE", "--hours", "4", "--json")
    scored = await asyncio.to_thread(run, "backtest", "--zones", "DE,FR", *span, "--horizon", "72", "--json")
    printed = await asyncio.to_thread(run, "backtest", "--zones", "DE", *span)
    nothing = await asyncio.to_thread(run, "backtest", "--zones", "FR", *span)

    assert "level trained" in orjson.loads(ahead.stdout)["provenance"][0]["detail"]
    answer = orjson.loads(scored.stdout)
    assert [zone["zone"] for zone in answer["zones"]] == ["DE"]
    assert [zone["zone"] for zone in answer["skipped"]] == ["FR"]
    assert [span["ahead_to"] for span in answer["zones"][0]["horizon"]] == ["PT24H", "PT48H", "PT72H", "PT72H"]
    assert 0 < answer["zones"][0]["savings"]["kept_percent"] <= 100
    assert "an 8 h job within 48 h saves" in printed.stdout.replace("\n", " ")
    assert nothing.exit_code == 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--zones", ",", "--from", "2024-01-01T00:00:00Z", "--to", "2024-02-01T00:00:00Z"], "--zones"),
        (["--zones", "FR", "--from", "2024-01-01", "--to", "2024-02-01T00:00:00Z"], "--from"),
        (["--zones", "FR", "--from", "2024-01-01T00:00:00Z", "--to", "2023-02-01T00:00:00Z"], "--to"),
        (["--zones", "FR", "--from", "2004-01-01T00:00:00Z", "--to", "2023-02-01T00:00:00Z"], "--to"),
        (["--zones", "FR", "--from", "2024-01-01T00:00:00Z", "--to", "2024-02-01T00:00:00Z", "--horizon", "0"], "--horizon"),
    ],
)
def test_a_back_test_that_cannot_be_is_refused_naming_the_flag(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDGRAM_STORE", f"sqlite:///{tmp_path}/hours.sqlite")
    monkeypatch.setenv("GRIDGRAM_OFFLINE", "1")

    outcome = run("backtest", *arguments)

    assert outcome.exit_code == 2
    assert told in outcome.stderr


def run(*arguments: str) -> Result:
    logging_was = structlog.get_config()
    outcome = CliRunner().invoke(app, arguments)
    structlog.configure(**logging_was)
    return outcome
