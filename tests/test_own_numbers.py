"""What a source states itself is kept beside ours, day by day, and shown; it is never an answer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import orjson
import pytest

from cache.sqlite import SqliteStore
from gridgram.quality import Quality
from gridgram.units import KG_PER_LB
from providers.base import IntensityPoint
from providers.registry import load_providers
from service.app import build_gridgram
from service.auditing.checking import check_source
from service.auditing.noons import kept_noons
from service.auditing.own_numbers import OwnDay, ask_own_number, compared, kept_own_numbers, ratio_finding
from service.auditing.usecase import audit, audited_own_number
from service.refreshing import Refresher
from service.settings import ProviderSettings, Settings
from tests.providers.recorded import PROVIDERS, Recording
from tests.providers.tape import Tape, running_tape
from tests.running import gridgram as run
from tests.test_fetching import CONSOLIDATED, RECENT, asked, gridgram_over, rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from service.usecases import Gridgram

NOW = datetime(2024, 3, 12, 4, tzinfo=UTC)
DAY = datetime(2024, 3, 11, tzinfo=UTC)
DAY_NUMBER = (DAY - datetime(1970, 1, 1, tzinfo=UTC)).days
HOURS = [DAY + timedelta(hours=hour) for hour in range(24)]


@pytest.fixture
async def tape() -> AsyncIterator[Tape]:
    async with running_tape() as tape:
        yield tape


def mix_body() -> bytes:
    """A German day of gas, coal and wind, an hour a step."""
    series = {"Fossil gas": 4000.0, "Fossil hard coal": 6000.0, "Wind onshore": 10_000.0}
    kinds = [{"name": name, "data": [mw + hour for hour in range(24)]} for name, mw in series.items()]
    return orjson.dumps({"unix_seconds": [int(hour.timestamp()) for hour in HOURS], "production_types": kinds})


def own_body(known_hours: int = 24) -> bytes:
    """The source's own number in quarters: 400 where it is known, then its forecast of 999."""
    stamps = [int((DAY + timedelta(minutes=15 * step)).timestamp()) for step in range(96)]
    known = [400 if step < 4 * known_hours else None for step in range(96)]
    ahead = [None if told is not None else 999 for told in known]
    return orjson.dumps({"unix_seconds": stamps, "co2eq": known, "co2eq_forecast": ahead, "deprecated": False})


def german(folder: Path, address: str) -> Gridgram:
    off = {name: ProviderSettings(enabled=False) for name in load_providers()}
    on = {**off, "energy_charts": ProviderSettings(url=address)}
    store = f"sqlite:///{folder / 'series.sqlite'}"
    gridgram = build_gridgram(Settings(store=store, providers=on, upstream_seconds=3, offline=False))
    fetcher = gridgram.intensity.fetcher
    assert fetcher is not None
    gridgram.now = fetcher.clock = fetcher.engine.clock = fetcher.asker.clock = lambda: NOW
    return gridgram


def our_mean() -> float:
    """By the life-cycle factors 490, 820 and 11. [g/kWh]"""
    totals = [(4000 + hour, 6000 + hour, 10_000 + hour) for hour in range(24)]
    return sum((490 * gas + 820 * coal + 11 * wind) / (gas + coal + wind) for gas, coal, wind in totals) / 24


def test_what_is_stated_over_ours_is_remarked_upon_when_it_leaves_what_it_was() -> None:
    """A month in which the grid emits now more and now less, and the source always half as much again as we say."""
    days = {day: OwnDay(1.5 * (100 + 50 * (day % 3)), 100.0 + 50 * (day % 3), 24) for day in range(30)}

    assert ratio_finding(days | {30: OwnDay(600.0, 400.0, 24)}) == ""
    in_pounds = ratio_finding(days | {30: OwnDay(1.5 * 100 / KG_PER_LB, 100.0, 24)})
    assert in_pounds.startswith("it states 3.31 times what its mix makes, where it was 1.5 to 1.5 times in the 30 days before")
    assert ratio_finding(days | {30: OwnDay(0.15, 100.0, 24)})
    assert ratio_finding({day: days[day] for day in range(10)} | {30: OwnDay(0.15, 100.0, 24)}) == ""
    assert ratio_finding({}) == ratio_finding({1: OwnDay(3.0, 0.0, 24)}) == ""
    assert audited_own_number(PROVIDERS["rte"], days | {30: OwnDay(0.15, 100.0, 24)})["finding"]
    assert "finding" not in audited_own_number(PROVIDERS["rte"], days)


async def test_what_comes_with_the_mix_is_kept_as_the_days_are_fetched_and_told_by_the_audit(tape: Tape, tmp_path: Path) -> None:
    tape.answers = {CONSOLIDATED: rows(48, "Données définitives"), RECENT: b"[]"}
    gridgram = gridgram_over(tmp_path, tape.address)
    answer = await asked(gridgram, signal="direct")
    found = await audit(gridgram, "FR")
    await gridgram.intensity.close()

    told = await asyncio.to_thread(run, ["audit", "FR"], tmp_path, settings={"GRIDGRAM_STORE": f"sqlite:///{tmp_path / 'series.sqlite'}"})

    (own,) = found["own_numbers"]
    assert found["sources"] == []
    assert (own["provider"], own["signal"], own["days"], own["hours"], own["newest_day"]) == (
        "rte",
        "direct",
        2,
        48,
        "2024-03-11T00:00:00Z",
    )
    assert own["own_mean_g_per_kwh"] == 31
    assert own["our_mean_g_per_kwh"] == pytest.approx(answer["intensity_g_per_kwh"], rel=0.1)
    assert told.returncode == 0
    assert "rte: states 31.0 g/kWh over 48 h to 2024-03-11 itself, ours (direct) is" in told.stdout


async def test_what_comes_in_an_answer_of_its_own_is_asked_for_once_a_day_by_all_who_share_a_store(tape: Tape, tmp_path: Path) -> None:
    tape.answers = {"/public_power": mix_body(), "/co2eq": own_body()}
    first, second = german(tmp_path, tape.address), german(tmp_path, tape.address)

    for gridgram in (first, second, first):
        fetcher = gridgram.intensity.fetcher
        assert fetcher is not None
        await ask_own_number(fetcher.engine, gridgram.intensity.store, PROVIDERS["energy_charts"], gridgram.zones["DE"])
    kept = await kept_own_numbers(second.intensity.store, "energy_charts", "DE")
    (own,) = (await audit(second, "DE"))["own_numbers"]
    await first.intensity.close()
    await second.intensity.close()

    assert [request.path for request in tape.seen] == ["/public_power", "/co2eq"]
    assert kept == {DAY_NUMBER: OwnDay(400.0, pytest.approx(our_mean()), 24)}
    assert "not stated" in own["basis"]


async def test_the_refresher_asks_for_it_behind_the_answers(tape: Tape, tmp_path: Path) -> None:
    tape.answers = {"/public_power": mix_body(), "/co2eq": own_body()}
    gridgram = german(tmp_path, tape.address)
    refresher = Refresher(gridgram.intensity, ("DE",))

    for _ in range(3):
        await refresher.round()
    kept = await kept_own_numbers(gridgram.intensity.store, "energy_charts", "DE")
    await gridgram.intensity.close()

    assert sum(request.path == "/co2eq" for request in tape.seen) == 1
    assert list(kept) == [DAY_NUMBER]


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"unix_seconds":[1],"co2eq":[],"co2eq_forecast":[]}', None])
async def test_what_is_no_own_number_costs_nothing_but_itself(tape: Tape, tmp_path: Path, body: bytes | None) -> None:
    tape.answers = {"/public_power": mix_body()} | ({} if body is None else {"/co2eq": body})
    gridgram = german(tmp_path, tape.address)

    told = await check_source(gridgram, "energy_charts", "DE")
    kept = await kept_own_numbers(gridgram.intensity.store, "energy_charts", "DE")
    await gridgram.intensity.close()

    assert [series["hours"] for series in told["series"]] == [24, 24]
    assert "own_number" not in told
    assert kept == {}


async def test_a_check_asks_for_it_and_a_forecast_is_not_compared(tape: Tape, tmp_path: Path) -> None:
    tape.answers = {"/public_power": mix_body(), "/co2eq": own_body(known_hours=10)}
    gridgram = german(tmp_path, tape.address)

    told = await check_source(gridgram, "energy_charts", "DE")
    await gridgram.intensity.close()

    assert (told["own_number"]["own_mean_g_per_kwh"], told["own_number"]["hours"]) == (400.0, 10)


async def test_a_store_that_is_away_costs_no_answer(tape: Tape, tmp_path: Path) -> None:
    tape.answers = {"/public_power": mix_body(), "/co2eq": own_body()}
    (tmp_path / "series.sqlite").mkdir()  # which no database can be
    gridgram = german(tmp_path, tape.address)

    told = await check_source(gridgram, "energy_charts", "DE")
    fetcher = gridgram.intensity.fetcher
    assert fetcher is not None
    await ask_own_number(fetcher.engine, gridgram.intensity.store, PROVIDERS["energy_charts"], gridgram.zones["DE"])
    await gridgram.intensity.close()

    assert told["own_number"]["hours"] == 24


def test_the_recorded_own_number_of_energy_charts_is_read_and_its_forecast_is_told_apart() -> None:
    file = "energy_charts/co2eq_fr_2026-10-04.json"
    recording = Recording(file, "energy_charts", "FR", "2026-10-03T22:00:00Z", "2026-10-05T22:00:00Z", "", "/co2eq$")
    body = recording.body()
    own = PROVIDERS["energy_charts"].own_number
    assert own is not None
    assert own.plan is not None
    assert own.parse is not None
    written = orjson.loads(body)

    (request,) = own.plan("FR", recording.interval, NOW)
    points = [point for point in own.parse(request, body).points if isinstance(point, IntensityPoint)]

    assert request.url == "https://api.energy-charts.info/co2eq"
    known = [point.g_per_kwh for point in points if point.quality is Quality.PRELIMINARY]
    ahead = [point.g_per_kwh for point in points if point.quality is Quality.FORECAST]
    assert known == [g for g in written["co2eq"] if g is not None]
    assert ahead == [g for g in written["co2eq_forecast"] if g is not None]
    assert min(known) > 50
    assert {point.minutes for point in points} == {15}


def test_recorded_taux_co2_and_ours_of_three_days_of_france_lie_as_near_as_their_factors_do() -> None:
    """RTE counts 494 g for a kWh of biomass and we none; gas at 429, coal at 986 and oil at 777 against our 370, 760 and 406."""
    recording = Recording(
        *("odre/national-tr_exports-json_2023-10.json", "rte", "FR", "2023-10-01T00:00:00Z", "2023-10-04T00:00:00Z"),
        *("2023-10-04T00:00:00Z", "/eco2mix-national-tr/"),
    )
    body, rte = recording.body(), PROVIDERS["rte"]
    (request,) = rte.plan("FR", recording.interval, datetime(2023, 10, 4, tzinfo=UTC))

    days = compared(rte, "FR", rte.parse(request, body).points, ())

    assert [day.hours for day in days.values()] == [24, 24, 24]
    assert all(0.5 < day.our_g_per_kwh / day.own_g_per_kwh < 1 for day in days.values())


def test_the_national_intensity_of_great_britain_is_asked_for_beside_its_mix() -> None:
    provider = PROVIDERS["gb_mix"]
    assert provider.own_number is not None
    assert provider.own_number.plan is not None
    day = Recording("", "gb_mix", "GB", "2024-05-01T00:00:00Z", "2024-05-02T00:00:00Z", "", "").interval

    asked_for = [request.url for request in provider.own_number.plan("GB", day, datetime(2024, 5, 10, tzinfo=UTC))]

    assert asked_for == ["https://api.carbonintensity.org.uk/intensity/2024-05-01T00:00Z/2024-05-02T00:30Z"]


@pytest.mark.parametrize("body", [b"7", b"[7]", b'{"a": 1}', b'[["a", "b", "c", "d"]]', b"[[1, null, 2, 3]]", b"\xff"])
async def test_notes_of_days_that_another_version_kept_otherwise_are_none_and_no_fault(tmp_path: Path, body: bytes) -> None:
    store = SqliteStore(tmp_path / "series.sqlite")
    for name in ("own/rte/FR", "solar/rte/FR"):
        await store.keep(name, body, 60.0)

    found = await kept_own_numbers(store, "rte", "FR"), await kept_noons(store, "rte", "FR")
    await store.close()

    assert found == ({}, {})
