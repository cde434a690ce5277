"""Zones in use are kept fresh behind the requests: whose, when, by whom, and what happens when it goes wrong."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from gridgram.errors import SettingsError
from gridgram.interval import hour_of
from gridgram.quality import Signal
from providers.registry import load_providers
from service import refreshing
from service.app import build_gridgram
from service.mixes.reading import read_mix, read_mix_at_once
from service.refreshing import IN_USE_SECONDS, Refresher
from service.requests import LatestQuery, read_request
from service.settings import ProviderSettings, Settings
from service.web_app import build_app
from tests.providers.tape import Tape, running_tape
from tests.test_fetching import CONSOLIDATED, RECENT, rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from service.usecases import Gridgram

NOW = datetime(2024, 3, 11, 10, 20, tzinfo=UTC)
"""RTE tells an hour two hours after it is over: at 10:20 those until 08:00."""


@pytest.fixture
async def tape() -> AsyncIterator[Tape]:
    async with running_tape() as tape:
        tape.answers = {CONSOLIDATED: b"[]", RECENT: rows(24 + 8, "Données temps réel", 15)}
        yield tape


@pytest.fixture
async def gridgram(tape: Tape, tmp_path: Path) -> AsyncIterator[Gridgram]:
    gridgram = house(tape, tmp_path)
    yield gridgram
    await gridgram.intensity.close()


def house(tape: Tape, folder: Path, **settings: object) -> Gridgram:
    off = {name: ProviderSettings(enabled=False) for name in load_providers()}
    gridgram = build_gridgram(
        Settings(store=f"sqlite:///{folder / 'series.sqlite'}", providers={**off, "rte": ProviderSettings(url=tape.address)}, **settings)  # type: ignore[arg-type]
    )
    gridgram.intensity.answers_first = True
    set_clock(gridgram, NOW)
    return gridgram


def set_clock(gridgram: Gridgram, now: datetime) -> None:
    """Let it be `now` for all parts; what was noted by the monotonic clock moves along."""
    fetcher = gridgram.intensity.fetcher
    assert fetcher is not None
    moved = (now - gridgram.now()).total_seconds()
    gridgram.now = fetcher.clock = fetcher.engine.clock = fetcher.asker.clock = lambda: now
    for key in fetcher._quiet_until:
        fetcher._quiet_until[key] -= moved
    for days in fetcher.asker.asked._days.values():
        for day, answered in days.items():
            days[day] = answered._replace(until=answered.until - moved)


async def latest(gridgram: Gridgram) -> tuple[str, float, bool]:
    answer = await gridgram.latest(read_request(LatestQuery, {"location": "FR"}, gridgram.now()))
    return answer["start"], answer["age_seconds"], answer["stale"]


async def until(is_so: Callable[[], bool]) -> None:
    """Let others work until something is so; fail when it is not after five seconds."""
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110 - nothing tells of a counter
            await asyncio.sleep(0.001)


async def test_a_mix_that_was_asked_for_is_kept_fresh_as_an_intensity_is(gridgram: Gridgram, tape: Tape) -> None:
    present = hour_of(NOW)
    first = await read_mix(gridgram.intensity, "FR", present - 24, present + 1)
    set_clock(gridgram, NOW + timedelta(hours=1))
    tape.answers[RECENT] = rows(24 + 9, "Données temps réel", 15)
    gridgram.intensity.memory.clear()

    await Refresher(gridgram.intensity).round()

    calls = tape.calls
    second = await read_mix_at_once(gridgram.intensity, "FR", present - 24, present + 1)
    assert tape.calls == calls
    assert int((second.quality > 0).sum()) == int((first.quality > 0).sum()) + 1


def refresher_of(gridgram: Gridgram) -> Refresher:
    assert gridgram.refresher is not None
    return gridgram.refresher


async def test_a_zone_in_use_is_asked_at_the_cadence_of_its_source(gridgram: Gridgram, tape: Tape) -> None:
    assert await latest(gridgram) == ("2024-03-11T07:00:00Z", 8_400.0, False)
    await refresher_of(gridgram).round()  # which also asks for the day before yesterday
    calls = {NOW: tape.calls}
    for minutes in range(10, 170, 10):
        now = NOW + timedelta(minutes=minutes)
        tape.answers[RECENT] = rows(24 + (now - timedelta(hours=2)).hour, "Données temps réel", 15)
        before = tape.calls
        set_clock(gridgram, now)
        await refresher_of(gridgram).round()
        calls[now] = tape.calls - before

    asked_at = [f"{now:%H:%M}" for now, count in calls.items() if count]
    assert asked_at == ["10:20", "11:00", "12:00", "13:00"]
    assert await latest(gridgram) == ("2024-03-11T10:00:00Z", 120 * 60.0, False)


async def test_an_hour_that_is_overdue_is_asked_for_every_ten_minutes(gridgram: Gridgram, tape: Tape) -> None:
    tape.answers[RECENT] = rows(24 + 7, "Données temps réel", 15)  # an hour late
    await latest(gridgram)
    await refresher_of(gridgram).round()
    asked_at = []
    for minutes in range(5, 35, 5):
        before = tape.calls
        set_clock(gridgram, NOW + timedelta(minutes=minutes))
        await refresher_of(gridgram).round()
        asked_at += [minutes] if tape.calls > before else []

    assert asked_at == [10, 20, 30]


async def test_a_source_that_repeats_itself_is_told_to_be_stale_within_a_period(gridgram: Gridgram) -> None:
    """Lag two hours, period one: an hour is stale when it ended more than six hours ago."""
    await latest(gridgram)
    set_clock(gridgram, datetime(2024, 3, 11, 14, tzinfo=UTC))
    await refresher_of(gridgram).round()
    assert await latest(gridgram) == ("2024-03-11T07:00:00Z", 6 * 3_600.0, False)

    set_clock(gridgram, datetime(2024, 3, 11, 14, 1, tzinfo=UTC))

    assert await latest(gridgram) == ("2024-03-11T07:00:00Z", 6 * 3_600.0 + 60, True)


async def test_a_stale_hour_waits_for_a_source_that_answers_and_not_for_one_that_does_not(gridgram: Gridgram, tape: Tape) -> None:
    await latest(gridgram)
    set_clock(gridgram, datetime(2024, 3, 11, 16, 20, tzinfo=UTC))
    tape.answers[RECENT] = rows(24 + 14, "Données temps réel", 15)
    assert await latest(gridgram) == ("2024-03-11T13:00:00Z", 8_400.0, False)

    tape.mode = "400"
    set_clock(gridgram, datetime(2024, 3, 11, 21, tzinfo=UTC))
    await refresher_of(gridgram).round()
    tape.mode = "slow"
    set_clock(gridgram, datetime(2024, 3, 11, 21, 2, tzinfo=UTC))
    async with asyncio.timeout(1):
        assert await latest(gridgram) == ("2024-03-11T13:00:00Z", 7 * 3_600.0 + 120, True)


async def test_named_zones_are_fetched_though_nobody_asked(tape: Tape, tmp_path: Path) -> None:
    gridgram = house(tape, tmp_path, refresh_zones=["FR"])

    await refresher_of(gridgram).round()
    held = {(entry.zone, entry.signal) for entry in await gridgram.intensity.held()}
    await gridgram.intensity.close()

    assert held == {("FR", Signal.LIFECYCLE), ("FR", Signal.DIRECT)}
    assert tape.calls == 1  # one answer for both signals


async def test_of_two_processes_one_refreshes(tape: Tape, tmp_path: Path) -> None:
    houses = [house(tape, tmp_path, refresh_zones=["FR"]) for _ in range(2)]
    tape.delay_seconds = 0.1

    await asyncio.gather(*(refresher_of(gridgram).round() for gridgram in houses))
    for gridgram in houses:
        await gridgram.intensity.close()

    assert tape.calls == 1


async def test_nobody_refreshes_what_nobody_uses(gridgram: Gridgram, tape: Tape) -> None:
    present = hour_of(NOW)
    await gridgram.intensity.read("FR", Signal.LIFECYCLE, present - 1_000, present - 999)  # an old hour says nothing of now
    calls = tape.calls

    await refresher_of(gridgram).round()
    assert list(refresher_of(gridgram).wanted()) == []
    assert tape.calls == calls


async def test_a_zone_is_in_use_for_a_day(gridgram: Gridgram) -> None:
    await latest(gridgram)
    assert list(refresher_of(gridgram).wanted()) == [("FR", Signal.LIFECYCLE)]

    gridgram.intensity.in_use["FR", Signal.LIFECYCLE] -= IN_USE_SECONDS

    assert list(refresher_of(gridgram).wanted()) == []


async def test_a_zone_that_fails_is_logged_once_and_costs_only_itself(tape: Tape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gridgram = house(tape, tmp_path, refresh_zones=["FR"])
    fetcher = gridgram.intensity.fetcher
    assert fetcher is not None
    sound = fetcher.told_span

    def broken(zone: str, signal: Signal) -> tuple[int, int]:
        if signal is Signal.LIFECYCLE:
            raise KeyError(zone)
        return sound(zone, signal)

    monkeypatch.setattr(type(fetcher), "told_span", lambda _, zone, signal: broken(zone, signal))
    with capture_logs() as logs:
        for _ in range(3):
            await refresher_of(gridgram).round()
    await gridgram.intensity.close()

    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["refresh.failed"]
    assert refresher_of(gridgram).failures == 3
    assert tape.calls == 1  # for the direct signal


async def test_the_refresher_goes_on_after_a_round_that_broke(gridgram: Gridgram, monkeypatch: pytest.MonkeyPatch) -> None:
    refresher = refresher_of(gridgram)
    monkeypatch.setattr(refreshing, "ROUND_SECONDS", 0.0)
    monkeypatch.setattr(Refresher, "wanted", lambda _: 1 / 0)
    with capture_logs() as logs:
        running = asyncio.create_task(refresher.run())
        await until(lambda: refresher.failures >= 3)
        monkeypatch.undo()
        await until(lambda: bool(refresher.rounds))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    assert [entry["event"] for entry in logs] == ["refresh.failed"]


async def test_the_application_starts_and_ends_it_and_a_setting_turns_it_off(tape: Tape, tmp_path: Path) -> None:
    for is_on, calls in ((False, 0), (True, 1)):
        gridgram = house(tape, tmp_path, refresh=is_on, refresh_zones=["FR"])
        gridgram.intensity.answers_first = False
        app = build_app(gridgram, Settings(store=f"sqlite:///{tmp_path / 'series.sqlite'}"))
        app.freeze()
        await app.startup()
        assert gridgram.intensity.answers_first
        refresher = gridgram.refresher
        await until(lambda: refresher is None or bool(refresher.rounds))  # noqa: B023 - awaited here
        await app.cleanup()

        assert tape.calls == calls
        assert (gridgram.refresher is not None) == is_on


def test_a_zone_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="GRIDGRAM_REFRESH_ZONES names 'FRX', which is no zone"):
        build_gridgram(Settings(store=f"sqlite:///{tmp_path / 'series.sqlite'}", refresh_zones=("FRX",)))
