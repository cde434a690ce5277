"""From a request to a source and back into the store: a real server plays the French source, all others are switched off."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from gridgram.errors import InvalidInput, NoData, StoreError
from gridgram.fuels import IPCC_2014, Fuel
from gridgram.mix import intensities_of_mix
from gridgram.mix_series import FUELS
from gridgram.quality import Quality, Scope, Signal
from providers.base import Request
from providers.engine import Options
from providers.registry import load_providers
from service import asking, intensity
from service.app import build_gridgram
from service.auditing.checking import check_source
from service.mixes import kept
from service.mixes.reading import read_mix
from service.mixes.requests import MixQuery
from service.mixes.usecase import mix_of_span
from service.requests import SeriesQuery, read_request
from service.scheduling.usecase import read_task, schedule
from service.settings import ProviderSettings, Settings
from tests.mixes import told
from tests.providers.tape import Tape, running_tape
from tests.providers.test_engine import TOY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gridgram.interval import Interval
    from service.usecases import Gridgram

CONSOLIDATED = "/api/explore/v2.1/catalog/datasets/eco2mix-national-cons-def/exports/json"
RECENT = "/api/explore/v2.1/catalog/datasets/eco2mix-national-tr/exports/json"
START = datetime(2024, 3, 10, tzinfo=UTC)
JOB = {"location": "FR", "energy": {"start": "2024-03-10T05:00:00Z", "step": "PT1H", "kwh": [1.0] * 24}}


def rows(hours: int, nature: str, minutes: int = 30) -> bytes:
    """Rows of a grid that burns a little more gas every hour, half-hourly as in the consolidated data set."""
    stamps = (START + timedelta(minutes=minutes * step) for step in range(60 // minutes * hours))
    mixes = ((stamp, 3_000 + 10 * int((stamp - START) / timedelta(hours=1))) for stamp in stamps)
    return orjson.dumps(
        [
            {
                "date_heure": stamp.isoformat(),
                "heure": f"{stamp:%H:%M}",
                "nature": nature,
                "fioul": 0,
                "charbon": 0,
                "gaz": gas,
                "nucleaire": 45_000,
                "eolien": 6_000,
                "solaire": 0,
                "hydraulique": 5_500,
                "bioenergies": 900,
                "taux_co2": 31,
            }
            for stamp, gas in mixes
        ]
    )


@pytest.fixture
async def tape() -> AsyncIterator[Tape]:
    async with running_tape() as tape:
        tape.answers[CONSOLIDATED] = rows(48, "Données définitives")
        tape.answers[RECENT] = b"[]"
        yield tape


def gridgram_over(folder: Path, address: str) -> Gridgram:
    off = {name: ProviderSettings(enabled=False) for name in load_providers()}
    settings = {**off, "rte": ProviderSettings(url=address)}
    return build_gridgram(Settings(store=f"sqlite:///{folder / 'series.sqlite'}", providers=settings, upstream_seconds=3, offline=False))


@pytest.fixture
async def gridgram(tape: Tape, tmp_path: Path) -> AsyncIterator[Gridgram]:
    gridgram = gridgram_over(tmp_path, tape.address)
    yield gridgram
    await gridgram.intensity.close()


async def asked(gridgram: Gridgram, **changed: Any) -> Any:
    return await gridgram.emissions(gridgram.read_job({**JOB, **changed}))


async def test_a_job_is_answered_from_measured_hours_that_were_fetched_for_it(gridgram: Gridgram, tape: Tape) -> None:
    answer = await asked(gridgram, include=["hours"])

    assert answer["coverage"] == {"measured": 1.0}
    assert [(source["provider"], source["scope"]) for source in answer["provenance"]] == [("rte", "production")]
    gas = 3_000 + 10 * 5
    lifecycle = (490 * gas + 12 * 45_000 + 11 * 6_000 + 24 * 5_500 + 230 * 900) / (gas + 45_000 + 6_000 + 5_500 + 900)
    assert answer["hours"][0]["g_per_kwh"] == pytest.approx(lifecycle)
    assert {request.path for request in tape.seen} == {CONSOLIDATED}


async def test_a_window_of_the_past_is_asked_for_alone_and_not_all_that_came_after_it(gridgram: Gridgram, tape: Tape) -> None:
    window = {"earliest": "2024-03-10T00:00:00Z", "latest": "2024-03-12T00:00:00Z"}
    task = read_task(gridgram, {"locations": ["FR"], "energy": {"duration": "PT3H", "total_kwh": 3}, **window})

    answer = (await schedule(gridgram, task)).answer

    assert {option["quality"] for option in answer["options"]} == {"measured"}
    assert tape.calls == 1


async def test_what_was_fetched_once_is_not_asked_for_again_nor_after_a_restart(gridgram: Gridgram, tape: Tape, tmp_path: Path) -> None:
    first = await asked(gridgram)
    calls = tape.calls
    second = await asked(gridgram)
    direct = await asked(gridgram, signal="direct")
    assert tape.calls == calls
    await gridgram.intensity.close()

    tape.mode = "500"
    again = gridgram_over(tmp_path, tape.address)
    third = await asked(again)
    await again.intensity.close()

    assert first == second == third
    assert direct["coverage"] == {"measured": 1.0}
    assert tape.calls == calls


async def test_with_the_source_dead_held_hours_are_still_answered_and_the_rest_is_typical_and_says_so(
    gridgram: Gridgram, tape: Tape
) -> None:
    held = await asked(gridgram)
    tape.mode = "500"

    assert await asked(gridgram) == held
    other = await asked(gridgram, energy={"start": "2023-07-01T00:00:00Z", "step": "PT1H", "kwh": [1.0] * 3})

    assert other["coverage"] == {"typical": 1.0}
    assert other["provenance"][0]["provider"] == "reference"


async def test_a_source_that_was_away_is_asked_again_soon_and_its_silence_is_not_taken_for_absence(
    gridgram: Gridgram, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "UNANSWERED_SECONDS", 0.0)
    tape.mode = "400"
    assert (await asked(gridgram))["coverage"] == {"typical": 1.0}

    tape.mode = "ok"

    assert (await asked(gridgram))["coverage"] == {"measured": 1.0}


async def test_a_day_that_the_source_does_not_have_is_not_asked_for_again_at_once(gridgram: Gridgram, tape: Tape) -> None:
    tape.answers[CONSOLIDATED] = b"[]"
    for _ in range(3):
        assert (await asked(gridgram))["coverage"] == {"typical": 1.0}

    assert tape.calls == 2  # the consolidated data set and, for what it lacks, the real-time one


async def test_many_who_need_the_same_day_cause_one_fetch(gridgram: Gridgram, tape: Tape) -> None:
    answers = await asyncio.gather(*(asked(gridgram) for _ in range(200)))

    assert all(answer == answers[0] for answer in answers)
    assert tape.calls == 1


async def test_a_caller_who_leaves_harms_nobody(gridgram: Gridgram, tape: Tape) -> None:
    leaving = asyncio.ensure_future(asked(gridgram))
    staying = [asyncio.ensure_future(asked(gridgram)) for _ in range(20)]
    await asyncio.sleep(0)
    leaving.cancel()

    answers = await asyncio.gather(*staying)

    assert all(answer["coverage"] == {"measured": 1.0} for answer in answers)
    assert tape.calls == 1


async def test_a_flat_job_asks_the_sources_as_well(gridgram: Gridgram) -> None:
    flat = {"start": "2024-03-10T05:30:00Z", "end": "2024-03-11T02:00:00Z", "total_kwh": 20}

    assert (await asked(gridgram, energy=flat))["coverage"] == {"measured": 1.0}


async def test_one_long_span_and_many_short_ones_leave_the_same_hours_in_the_store(tape: Tape, tmp_path: Path) -> None:
    def span(gridgram: Gridgram, first: int, end: int) -> SeriesQuery:
        start, stop = START + timedelta(hours=first), START + timedelta(hours=end)
        return read_request(SeriesQuery, {"location": "FR", "start": start.isoformat(), "end": stop.isoformat()}, gridgram.now())

    (tmp_path / "long").mkdir()
    (tmp_path / "short").mkdir()
    long, short = gridgram_over(tmp_path / "long", tape.address), gridgram_over(tmp_path / "short", tape.address)
    at_once = await long.series(span(long, 0, 48))
    for hour in range(0, 48, 5):
        await short.series(span(short, hour, min(hour + 5, 48)))
    piecemeal = await short.series(span(short, 0, 48))
    await long.intensity.close()
    await short.intensity.close()

    assert at_once[0]["hours"] == piecemeal[0]["hours"]
    assert at_once[1].g_per_kwh.tobytes() == piecemeal[1].g_per_kwh.tobytes()


async def test_a_zone_tells_which_sources_it_is_asked_of_and_why_others_are_not(gridgram: Gridgram) -> None:
    chain = (await gridgram.zone("FR"))["sources"]["lifecycle"]

    assert [candidate["provider"] for candidate in chain if candidate["is_asked"]] == ["rte"]
    assert all(candidate["why_not"] for candidate in chain if not candidate["is_asked"])


async def test_checking_a_source_tells_what_came_and_how_it_was_read(gridgram: Gridgram, tape: Tape) -> None:
    gridgram.now = lambda: datetime(2024, 3, 12, 4, tzinfo=UTC)
    tape.answers[RECENT] = tape.answers[CONSOLIDATED]

    told = await check_source(gridgram, "rte", None)

    assert (told["zone"], told["start"], told["points"]) == ("FR", "2024-03-11T00:00:00Z", 48)
    assert [series["hours"] for series in told["series"]] == [24, 24]
    own = told["own_number"]
    assert (own["signal"], own["own_mean_g_per_kwh"], own["hours"]) == ("direct", 31, 24)
    assert own["our_mean_g_per_kwh"] == pytest.approx(
        next(series["mean_g_per_kwh"] for series in told["series"] if series["signal"] == "direct")
    )
    with pytest.raises(InvalidInput, match="is no source"):
        await check_source(gridgram, "rta", None)
    with pytest.raises(InvalidInput, match="is off"):
        await check_source(gridgram, "gb", None)


DAY = int(START.timestamp()) // 3_600
NOON = {
    Fuel.OIL: 0.0,
    Fuel.COAL: 0.0,
    Fuel.GAS: 3_120.0,
    Fuel.NUCLEAR: 45_000.0,
    Fuel.WIND: 6_000.0,
    Fuel.SOLAR: 0.0,
    Fuel.HYDRO: 5_500.0,
    Fuel.BIOMASS: 900.0,
}


async def test_the_mix_behind_fetched_hours_is_kept_as_its_source_told_it(gridgram: Gridgram, tape: Tape, tmp_path: Path) -> None:
    await asked(gridgram)
    calls = tape.calls

    mix = await read_mix(gridgram.intensity, "FR", DAY, DAY + 24)

    assert tape.calls == calls
    hour, fuels, quality, provider, _ = told(mix)[12]
    assert (hour, quality, provider) == (DAY + 12, Quality.MEASURED, "rte")
    assert fuels == NOON
    lifecycle = await gridgram.intensity.held_hours("FR", Signal.LIFECYCLE, DAY, DAY + 24)
    again = intensities_of_mix(mix.generation, FUELS, IPCC_2014, Signal.LIFECYCLE)
    assert again.g_per_kwh == pytest.approx(lifecycle.g_per_kwh, rel=1e-12)

    await gridgram.intensity.close()
    after_a_restart = gridgram_over(tmp_path, tape.address)
    assert told(await read_mix(after_a_restart.intensity, "FR", DAY, DAY + 24)) == told(mix)
    assert tape.calls == calls
    await after_a_restart.intensity.close()


async def test_a_mix_is_fetched_for_itself_where_the_hours_are_held_and_it_is_not(tape: Tape, tmp_path: Path) -> None:
    """As in a store that was filled before mixes were kept."""
    before = gridgram_over(tmp_path, tape.address)
    await asked(before)
    for name in ("mix/FR/2024-03", "asked/rte/FR"):
        await before.intensity.store.keep(name, b"", 0.001)
    await before.intensity.close()
    calls = tape.calls
    gridgram = gridgram_over(tmp_path, tape.address)

    assert len(told(await read_mix(gridgram.intensity, "FR", DAY, DAY + 24))) == 24

    fetched = tape.calls
    assert fetched > calls
    await asked(gridgram)
    await read_mix(gridgram.intensity, "FR", DAY, DAY + 24)
    assert tape.calls == fetched
    assert told(await read_mix(gridgram.intensity, "DE", DAY, DAY + 24)) == []
    await gridgram.intensity.close()


async def test_many_who_need_the_mix_and_the_hours_cause_one_fetch(gridgram: Gridgram, tape: Tape) -> None:
    day = gridgram.intensity
    await asyncio.gather(*(read_mix(day, "FR", DAY, DAY + 24) for _ in range(20)), *(asked(gridgram) for _ in range(20)))

    assert tape.calls == 2


async def test_a_mix_that_the_store_lost_is_fetched_again(gridgram: Gridgram, tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "FRESH_SECONDS", 0.0)
    await read_mix(gridgram.intensity, "FR", DAY, DAY + 24)
    calls = tape.calls
    await gridgram.intensity.store.keep("mix/FR/2024-03", b"", 0.001)
    await asyncio.sleep(0.01)

    await read_mix(gridgram.intensity, "FR", DAY, DAY + 24)

    assert len(told(await read_mix(gridgram.intensity, "FR", DAY, DAY + 24))) == 24
    assert tape.calls > calls


async def test_hours_of_emissions_are_answered_without_a_look_at_mixes(gridgram: Gridgram) -> None:
    await asked(gridgram)
    looked: list[str] = []

    async def read(zone: str, first_hour: int, end_hour: int) -> Any:
        del first_hour, end_hour
        looked.append(zone)

    gridgram.intensity.mixes = SimpleNamespace(read=read, look_again=lambda: None)  # type: ignore[assignment]
    await asked(gridgram)
    await asked(gridgram, include=["hours"])

    assert looked == []


async def test_a_source_that_is_away_leaves_no_mix_and_the_answer_says_so(gridgram: Gridgram, tape: Tape) -> None:
    query = read_request(MixQuery, {"location": "FR", "start": "2024-03-10T00:00:00Z", "end": "2024-03-11T00:00:00Z"}, gridgram.now())
    tape.mode = "500"
    with pytest.raises(NoData, match="rte tells it, but did not answer"):
        await mix_of_span(gridgram, query)


async def test_offline_opens_no_connection(tape: Tape, tmp_path: Path) -> None:
    french = {"rte": ProviderSettings(url=tape.address)}
    gridgram = build_gridgram(Settings(store=f"sqlite:///{tmp_path / 'series.sqlite'}", providers=french, offline=True))

    answer = await asked(gridgram)
    await gridgram.intensity.close()

    assert answer["coverage"] == {"typical": 1.0}
    assert tape.calls == 0


@pytest.fixture
async def two(gridgram: Gridgram, tape: Tape) -> Gridgram:
    """France has two sources: `toy` comes first, `spare` fills in; each gives its own mix by its own path."""
    first = replace(TOY, secrets=(), info=replace(TOY.info, needs_key=False))
    spare = replace(first, info=replace(first.info, name="spare"), resolution_minutes=60, plan=plan_spare)
    tape.answers["/mix"] = orjson.dumps([row for row in toy_rows(gas=100.0) if not row["start"].startswith("2024-03-10T07")])
    tape.answers["/spare"] = orjson.dumps(toy_rows(coal=100.0))
    fetcher = gridgram.intensity.fetcher
    assert fetcher is not None
    fetcher.providers = {"toy": first, "spare": spare}
    fetcher.why_off = lambda _: ""
    fetcher.engine.options = {name: Options(base_url=tape.address) for name in fetcher.providers}
    return gridgram


def plan_spare(zone: str, interval: Interval, now: datetime) -> list[Request]:
    del now
    return [Request("https://toy.example/spare", zone, interval)]


def toy_rows(**mw: float) -> list[dict[str, Any]]:
    stamps = [START + timedelta(minutes=30 * step) for step in range(48)]
    # A little more every hour: a feed that repeats itself for long is not believed.
    return [
        {"start": stamp.isoformat(), "minutes": 30, "mw": {fuel: power + stamp.hour for fuel, power in mw.items()} | {"wind": 100.0}}
        for stamp in stamps
    ]


async def test_the_second_source_fills_in_what_the_first_lacks_and_nothing_else(two: Gridgram) -> None:
    whole_day = {"start": "2024-03-10T00:00:00Z", "step": "PT1H", "kwh": [1.0] * 24}

    answer = await asked(two, energy=whole_day, include=["hours"])

    providers = [hour["provider"] for hour in answer["hours"]]
    assert providers == ["toy"] * 7 + ["spare"] + ["toy"] * 16


async def test_a_source_that_is_refused_for_a_signal_leaves_no_hour_of_it(two: Gridgram) -> None:
    fetcher = two.intensity.fetcher
    assert fetcher is not None
    first, spare = fetcher.providers["toy"], fetcher.providers["spare"]
    only_direct = replace(first, info=replace(first.info, signals=(Signal.DIRECT,), scope=(Scope.CONSUMPTION,)))
    fetcher.providers = {"toy": only_direct, "spare": spare}

    lifecycle = await asked(two, energy={**JOB["energy"], "kwh": [1.0] * 3})
    direct = await asked(two, energy={**JOB["energy"], "kwh": [1.0] * 2}, signal="direct")

    assert [(source["provider"], source["scope"]) for source in lifecycle["provenance"]] == [("spare", "production")]
    assert [(source["provider"], source["scope"]) for source in direct["provenance"]] == [("toy", "consumption")]


async def test_a_second_source_fills_in_whole_hours_of_a_mix_and_nothing_within_one(two: Gridgram) -> None:
    mix = await read_mix(two.intensity, "FR", DAY, DAY + 24)

    assert [provider for *_, provider, _ in told(mix)] == ["toy"] * 7 + ["spare"] + ["toy"] * 16
    fuels = [sorted(fuels) for _, fuels, *_ in told(mix)]
    assert fuels == [[Fuel.GAS, Fuel.WIND]] * 7 + [[Fuel.COAL, Fuel.WIND]] + [[Fuel.GAS, Fuel.WIND]] * 16


async def test_hours_that_were_fetched_while_the_store_was_away_are_fetched_again_when_it_is_back(
    gridgram: Gridgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intensity, "STORE_CHECK_SECONDS", 0.0)

    async def away(*_: Any) -> Any:
        raise StoreError("the store is away")

    with monkeypatch.context() as broken:
        for name in ("read", "merge", "generation"):
            broken.setattr(gridgram.intensity.store, name, away)
        assert (await asked(gridgram))["coverage"] == {"measured": 1.0}

    assert (await asked(gridgram))["coverage"] == {"measured": 1.0}
    assert [held.zone for held in await gridgram.intensity.held()] == ["FR", "FR"]


async def test_a_caller_waits_no_longer_than_it_is_told_for_others_who_ask_the_same_zone(two: Gridgram, tape: Tape) -> None:
    fetcher = two.intensity.fetcher
    assert fetcher is not None
    fetcher.seconds = 0.5
    tape.mode = "stall"
    days = [(START + timedelta(days=day)).isoformat() for day in range(12)]
    started = time.monotonic()

    await asyncio.gather(*(asked(two, energy={"start": day, "step": "PT1H", "kwh": [1.0]}) for day in days))

    assert time.monotonic() - started < 2.0


async def test_own_writes_leave_the_memory_as_it_is(gridgram: Gridgram, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intensity, "STORE_CHECK_SECONDS", 0.0)
    await asked(gridgram, location="DE")
    held = len(gridgram.intensity.memory)

    await asked(gridgram)

    assert len(gridgram.intensity.memory) > held
