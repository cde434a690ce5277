"""Two houses on one store, as two processes are: what one asked for the other does not ask for again. A real server plays the source."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from gridgram.errors import StoreError, StoreRefused
from gridgram.interval import hour_of
from gridgram.quality import Signal
from providers.engine import Options
from service import asking, intensity
from service.freshness import RECENT_SECONDS
from tests.months import hours
from tests.test_fetching import CONSOLIDATED, JOB, asked, gridgram_over, rows, tape

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from service.fetching import Fetcher
    from service.usecases import Gridgram
    from tests.providers.tape import Tape

__all__ = ["tape"]
DAY = hour_of(datetime(2024, 3, 10, tzinfo=UTC)) // 24


@pytest.fixture(autouse=True)
def _ask_the_store_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intensity, "STORE_CHECK_SECONDS", 0.0)


@pytest.fixture
async def first(tape: Tape, tmp_path: Path) -> AsyncIterator[Gridgram]:
    gridgram = gridgram_over(tmp_path, tape.address)
    yield gridgram
    await gridgram.intensity.close()


@pytest.fixture
async def second(tape: Tape, tmp_path: Path) -> AsyncIterator[Gridgram]:
    gridgram = gridgram_over(tmp_path, tape.address)
    yield gridgram
    await gridgram.intensity.close()


def fetcher_of(gridgram: Gridgram) -> Fetcher:
    assert gridgram.intensity.fetcher is not None
    return gridgram.intensity.fetcher


def make_due(*houses: Gridgram) -> None:
    """Let the time come at which the days are asked for again."""
    for house in houses:
        fetcher = fetcher_of(house)
        fetcher.forget()


async def forget_asked(gridgram: Gridgram) -> None:
    await gridgram.intensity.store.keep("asked/rte/FR", b"[]", 1)


async def test_both_signals_of_a_mix_come_from_one_answer(first: Gridgram, tape: Tape) -> None:
    lifecycle, direct = await asyncio.gather(asked(first), asked(first, signal="direct"))

    assert lifecycle["coverage"] == direct["coverage"] == {"measured": 1.0}
    assert lifecycle["emissions_g"] > direct["emissions_g"]
    assert tape.calls == 1


async def test_the_second_never_asks_for_what_the_first_has_fetched(first: Gridgram, second: Gridgram, tape: Tape) -> None:
    answer = await asked(first)

    assert await asked(second) == answer
    assert (await asked(second, signal="direct"))["coverage"] == {"measured": 1.0}
    assert tape.calls == 1


async def test_the_second_does_not_ask_for_what_the_first_was_told_is_not_there(first: Gridgram, second: Gridgram, tape: Tape) -> None:
    tape.answers[CONSOLIDATED] = b"[]"
    await asked(first)
    calls = tape.calls

    assert (await asked(second))["coverage"] == {"typical": 1.0}
    assert tape.calls == calls


async def test_the_second_does_not_ask_at_once_a_source_that_was_away_for_the_first(first: Gridgram, second: Gridgram, tape: Tape) -> None:
    tape.mode = "400"
    await asked(first)
    tape.mode = "ok"

    assert (await asked(second))["coverage"] == {"typical": 1.0}
    assert tape.calls == 1


async def test_many_misses_at_both_at_once_cause_one_call(first: Gridgram, second: Gridgram, tape: Tape) -> None:
    tape.delay_seconds = 0.2

    answers = await asyncio.gather(*(asked(house) for _ in range(100) for house in (first, second)))

    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["coverage"] == {"measured": 1.0}
    assert tape.calls == 1
    assert fetcher_of(first).joined == fetcher_of(second).joined == 99
    assert fetcher_of(first).asker.claims_lost + fetcher_of(second).asker.claims_lost == 1


async def test_the_claim_of_one_who_died_runs_out_and_one_more_call_is_made(first: Gridgram, second: Gridgram, tape: Tape) -> None:
    assert await first.intensity.store.claim("fetch/rte/FR", 0.4)
    started = time.monotonic()

    answers = await asyncio.gather(asked(first), asked(second))

    assert [answer["coverage"] for answer in answers] == [{"measured": 1.0}] * 2
    assert 0.3 < time.monotonic() - started < 2.0
    assert tape.calls == 1


async def test_whoever_waits_for_another_answers_in_time_without(first: Gridgram, tape: Tape) -> None:
    fetcher_of(first).seconds = 0.3
    assert await first.intensity.store.claim("fetch/rte/FR", 30)
    started = time.monotonic()

    answer = await asked(first)

    assert answer["coverage"] == {"typical": 1.0}
    assert time.monotonic() - started < 1.0
    assert tape.calls == 0
    assert fetcher_of(first).asker.claims_lost == 1


async def test_one_whose_claim_ran_out_writes_nothing_over_what_another_brought(
    first: Gridgram, second: Gridgram, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape.answers[CONSOLIDATED] = rows(48, "Données consolidées")
    tape.delay_seconds = 0.6
    monkeypatch.setattr(asking, "CLAIM_MARGIN_SECONDS", -2.7)  # of 3 s: the claim is over before the answer is here
    late = asyncio.ensure_future(asked(first))
    await asyncio.sleep(0.35)
    monkeypatch.setattr(asking, "CLAIM_MARGIN_SECONDS", 5.0)
    tape.answers[CONSOLIDATED] = rows(48, "Données consolidées").replace(b'"gaz":3', b'"gaz":4')
    tape.delay_seconds = 0.0
    newer = await asked(second)
    await late

    make_due(first)
    assert newer["coverage"] == {"measured": 1.0}
    assert (await asked(first))["emissions_g"] == newer["emissions_g"]


async def test_hours_that_are_gone_are_asked_for_again_though_they_were_asked_for_lately(
    first: Gridgram, second: Gridgram, tape: Tape, tmp_path: Path
) -> None:
    answer = await asked(first)
    calls = tape.calls
    with sqlite3.connect(tmp_path / "series.sqlite") as store:
        store.execute("DELETE FROM chunks")
    store.close()

    assert (await asked(second))["coverage"] == answer["coverage"]
    assert tape.calls == calls + 1
    assert (await asked(first))["coverage"] == answer["coverage"]
    assert tape.calls == calls + 1


async def test_a_store_that_was_away_for_a_moment_costs_no_fetch_unless_something_was_fetched_meanwhile(
    first: Gridgram, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = await asked(first)

    async def away() -> int:
        raise StoreError("the store is away")

    with monkeypatch.context() as broken:
        broken.setattr(first.intensity.store, "generation", away)
        assert await asked(first) == answer
        assert first.intensity.store_is_away

    assert await asked(first) == answer
    assert not first.intensity.store_is_away
    assert tape.calls == 1


async def test_what_a_full_store_refuses_is_answered_from_memory_and_logged_once(
    first: Gridgram, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: Any) -> int:
        raise StoreRefused("The store is full and takes no more.")

    monkeypatch.setattr(first.intensity.store, "merge", full)
    with capture_logs() as logs:
        for start in ("2024-03-10T05:00:00Z", "2024-03-10T15:00:00Z", "2023-03-10T15:00:00Z"):
            answer = await asked(first, energy={"start": start, "step": "PT1H", "kwh": [1.0] * 3})
            assert answer["coverage"] == {"measured" if start[:4] == "2024" else "typical": 1.0}

    assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == ["store.refused"]
    assert not first.intensity.store_is_away
    assert first.intensity.store_refusals == 1
    assert tape.calls == 2  # the days of 2024 once, and those of 2023


async def test_what_a_full_store_refused_is_asked_for_again_once_another_write_has_emptied_the_memory(
    first: Gridgram, second: Gridgram, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: Any) -> int:
        raise StoreRefused("The store is full and takes no more.")

    await second.intensity.store.merge([hours([99.0])])  # so that the month is not absent
    with monkeypatch.context() as while_full:
        while_full.setattr(first.intensity.store, "merge", full)
        assert (await asked(first))["coverage"] == {"measured": 1.0}
    await second.intensity.store.merge([hours([99.0], zone="DE")])

    assert (await asked(first))["coverage"] == {"measured": 1.0}
    assert tape.calls == 2
    assert {held.zone for held in await first.intensity.held()} == {"DE", "FR"}


async def test_a_store_that_goes_on_refusing_while_others_write_does_not_have_the_sources_asked_all_the_time(
    first: Gridgram, second: Gridgram, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: Any) -> int:
        raise StoreRefused("The store is full and takes no more.")

    await second.intensity.store.merge([hours([99.0])])
    monkeypatch.setattr(first.intensity.store, "merge", full)
    for number in range(5):
        await asked(first)
        await second.intensity.store.merge([hours([float(number)], zone="DE")])

    assert tape.calls == 2


RETRY_AFTER = {
    "seconds": "120",
    "date": format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True),
    "absent": None,
    "negative": "-5",
    "far too long": "1000000000",
    "unreadable": "soon",
}


@pytest.mark.parametrize("retry_after", RETRY_AFTER.values(), ids=RETRY_AFTER)
async def test_a_pause_that_one_was_told_to_make_all_make(first: Gridgram, second: Gridgram, tape: Tape, retry_after: str | None) -> None:
    await asked(second, location="DE")  # it is up and has looked at the store before
    tape.mode = "429"
    tape.headers = {} if retry_after is None else {"Retry-After": retry_after}
    await asked(first)
    calls = tape.calls
    tape.mode = "ok"
    make_due(first, second)
    await forget_asked(first)

    for house in (second, first):
        for start in ("2024-03-10T05:00:00Z", "2023-05-01T00:00:00Z"):
            answer = await asked(house, energy={**JOB["energy"], "start": start})
            assert answer["coverage"] == {"typical": 1.0}

    assert tape.calls == calls == 1
    (paused,) = (await second.intensity.store.pauses()).values()
    assert 50 < paused <= 3_600


async def test_a_refused_key_is_shown_by_nobody_and_another_key_is(first: Gridgram, second: Gridgram, tape: Tape) -> None:
    def set_key(house: Gridgram, key: str) -> None:
        fetcher_of(house).engine.options = {"rte": Options({"key": key}, tape.address)}

    for house in (first, second):
        set_key(house, "the wrong one")
    tape.mode = "401"
    await asked(first)
    tape.mode = "ok"
    make_due(first, second)
    await forget_asked(first)

    assert (await asked(second))["coverage"] == {"typical": 1.0}
    assert tape.calls == 1
    assert all("wrong" not in name for name in await first.intensity.store.pauses())

    third = gridgram_over(first.intensity.store.path.parent, tape.address)  # type: ignore[attr-defined]
    set_key(third, "the right one")
    await forget_asked(third)
    answer = await asked(third)
    await third.intensity.close()

    assert answer["coverage"] == {"measured": 1.0}


@pytest.fixture
async def serving(first: Gridgram) -> Gridgram:
    first.intensity.answers_first = True
    return first


async def test_held_hours_that_are_due_are_answered_at_once_and_fetched_behind(serving: Gridgram, tape: Tape) -> None:
    before = await asked(serving)
    worse_hours = await worse(serving)
    make_due(serving)
    await forget_asked(serving)
    tape.delay_seconds = 1.0
    tape.answers[CONSOLIDATED] = rows(48, "Données consolidées")
    with sqlite3.connect(serving.intensity.store.path) as store:  # type: ignore[attr-defined]
        store.execute("DELETE FROM chunks")
    store.close()
    await serving.intensity.store.merge([worse_hours])
    started = time.monotonic()

    during = [await asked(serving) for _ in range(20)]
    took = time.monotonic() - started
    await asyncio.sleep(1.3)
    after = await asked(serving)

    assert took / 20 < 0.05
    assert during[0]["coverage"] == during[-1]["coverage"] == {"preliminary": 1.0}
    assert after["coverage"] == before["coverage"]
    assert serving.intensity.stale_served == 20
    assert tape.calls == 2


async def worse(gridgram: Gridgram) -> Any:
    """The job's hours as they were while they were preliminary."""
    held = await gridgram.intensity.held_hours("FR", Signal.LIFECYCLE, DAY * 24, (DAY + 2) * 24)
    return replace(held, quality=held.quality + 1)


async def test_hours_that_are_not_held_wait_for_the_sources(serving: Gridgram, tape: Tape) -> None:
    tape.delay_seconds = 0.3

    assert (await asked(serving))["coverage"] == {"measured": 1.0}
    assert serving.intensity.stale_served == 0


async def test_a_read_shortly_before_its_time_refreshes_for_all(serving: Gridgram, tape: Tape) -> None:
    tape.answers[CONSOLIDATED] = rows(48, "")  # preliminary for ever
    await asked(serving)
    calls = tape.calls
    fetcher = fetcher_of(serving)
    fetcher.chance = lambda: 0.0
    for _ in range(50):
        await asked(serving)
    assert tape.calls == calls

    fetcher.chance = lambda: 0.5
    fetcher._took_seconds["FR"] = 1e6  # as if a fetch took so long that it is high time
    answers = await asyncio.gather(*(asked(serving) for _ in range(50)))
    await asyncio.sleep(0.3)

    assert all(answer["coverage"] == {"preliminary": 1.0} for answer in answers)
    assert tape.calls > calls
    assert fetcher.early >= 1
    assert len({request.path for request in list(tape.seen)[calls:]}) == tape.calls - calls  # each data set once
    assert min(fetcher._quiet_until.values()) > time.monotonic() + RECENT_SECONDS - 60


async def test_with_the_source_dead_held_hours_are_answered_at_once_and_latest_tells_its_age(serving: Gridgram, tape: Tape) -> None:
    await asked(serving)
    make_due(serving)
    await forget_asked(serving)
    tape.mode = "slow"
    started = time.monotonic()

    for _ in range(20):
        assert (await asked(serving))["coverage"] == {"measured": 1.0}

    assert time.monotonic() - started < 1.0
