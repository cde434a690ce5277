"""The past of zones in use is filled in behind the requests: piece by piece, newest first, and no further than the source has it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import orjson
import pytest
from structlog.testing import capture_logs

from gridgram.interval import HOURS_PER_DAY, format_hour, hour_of
from gridgram.quality import Signal
from service import history as filling
from service.history import FAILED_SECONDS
from service.settings import Settings
from service.web_app import build_app
from tests.providers.tape import Tape, running_tape
from tests.test_fetching import CONSOLIDATED, RECENT, rows
from tests.test_refreshing import NOW, house, set_clock, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from service.history import History
    from service.usecases import Gridgram

PRESENT_DAY = hour_of(NOW) // HOURS_PER_DAY


def past(days: int, nature: str = "Données définitives", minutes: int = 30) -> bytes:
    """Rows of so many days up to the day before yesterday."""
    row = orjson.loads(rows(1, nature))[0]
    end = datetime(2024, 3, 9, tzinfo=UTC)
    stamps = (end - timedelta(minutes=minutes * back) for back in range(24 * 60 // minutes * days, 0, -1))
    return orjson.dumps([{**row, "date_heure": stamp.isoformat(), "heure": f"{stamp:%H:%M}"} for stamp in stamps])


@pytest.fixture
async def tape() -> AsyncIterator[Tape]:
    async with running_tape() as tape:
        tape.answers = {CONSOLIDATED: past(100), RECENT: past(28, "Données temps réel", 15)}
        yield tape


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces may follow each other at once."""
    monkeypatch.setattr(filling, "PIECE_SECONDS", 0.001)


def history_of(gridgram: Gridgram) -> History:
    assert gridgram.history is not None
    return gridgram.history


async def steps(gridgram: Gridgram, count: int) -> None:
    for _ in range(count):
        await history_of(gridgram).step()
        await asyncio.sleep(0.002)  # the claim of the piece before runs out


async def held_from(gridgram: Gridgram, signal: Signal = Signal.LIFECYCLE) -> str:
    return next(format_hour(held.first_hour) for held in await gridgram.intensity.held() if held.signal is signal)


async def test_the_past_is_filled_in_newest_first_until_the_source_has_no_more(tape: Tape, tmp_path: Path) -> None:
    gridgram = house(tape, tmp_path, refresh_zones=["FR"], refresh_history_days=400)
    filled = []
    history_of(gridgram).filled = lambda zone, signal: filled.append((zone, signal))

    await steps(gridgram, 1)
    after_one = await held_from(gridgram)
    with capture_logs() as logs:
        await steps(gridgram, 8)
    calls = tape.calls
    await steps(gridgram, 2)
    after_all = await held_from(gridgram), await held_from(gridgram, Signal.DIRECT)
    await gridgram.intensity.close()

    assert after_one == "2023-12-08T00:00:00Z"
    assert after_all == ("2023-11-30T00:00:00Z", "2023-11-30T00:00:00Z")
    assert history_of(gridgram).pieces == 3  # two that tell something, one that does not; both signals come with one answer
    assert filled == [("FR", Signal.LIFECYCLE)]
    assert [entry["pieces"] for entry in logs if entry["event"] == "history.filled"] == [3]
    assert (tape.calls, history_of(gridgram).open_walks) == (calls, 0)


async def test_the_past_goes_as_far_back_as_it_is_set(tape: Tape, tmp_path: Path) -> None:
    gridgram = house(tape, tmp_path, refresh_zones=["FR"], refresh_history_days=30)
    await steps(gridgram, 4)
    first = await held_from(gridgram)
    await gridgram.intensity.close()

    assert first == format_hour((PRESENT_DAY - 30) * HOURS_PER_DAY)
    assert history_of(gridgram).pieces == 1


async def test_after_a_restart_it_goes_on_where_it_was(tape: Tape, tmp_path: Path) -> None:
    for first in ("2023-12-08T00:00:00Z", "2023-11-30T00:00:00Z"):
        gridgram = house(tape, tmp_path, refresh_zones=["FR"], refresh_history_days=110)
        await steps(gridgram, 1)

        assert history_of(gridgram).pieces == 1
        assert await held_from(gridgram) == first
        await gridgram.intensity.close()


async def test_of_all_who_share_a_store_one_asks_for_a_piece_at_a_time(tape: Tape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "PIECE_SECONDS", 30.0)
    houses = [house(tape, tmp_path, refresh_zones=["FR"]) for _ in range(3)]
    for _ in range(2):
        await asyncio.gather(*(history_of(gridgram).step() for gridgram in houses))
    pieces = [history_of(gridgram).pieces for gridgram in houses]
    for gridgram in houses:
        await gridgram.intensity.close()

    assert sorted(pieces) == [0, 0, 1]


async def test_a_source_in_trouble_is_left_alone_and_asked_again_later(tape: Tape, tmp_path: Path) -> None:
    gridgram = house(tape, tmp_path, refresh_zones=["FR"])
    tape.mode = "400"
    await steps(gridgram, 1)
    calls = tape.calls
    await steps(gridgram, 3)
    assert tape.calls == calls  # its last answer was an error

    fetcher = gridgram.intensity.fetcher
    assert fetcher is not None
    health = fetcher.engine.health_of(fetcher.providers["rte"])
    tape.mode = "ok"
    health.succeeded(0.1, NOW)
    await steps(gridgram, 3)
    assert tape.calls == calls  # the zone rests, whichever its signal

    for walk in history_of(gridgram)._walks.values():
        walk.rests_until -= FAILED_SECONDS
    set_clock(gridgram, NOW + timedelta(seconds=FAILED_SECONDS))
    health.heed(time.monotonic(), 60)
    await steps(gridgram, 1)
    assert tape.calls == calls  # it asked for a pause

    health._paused_until = float("-inf")
    await steps(gridgram, 1)
    first = await held_from(gridgram)
    await gridgram.intensity.close()
    assert first == "2023-12-08T00:00:00Z"


async def test_only_zones_in_use_whose_source_tells_of_the_past_are_filled_in(tape: Tape, tmp_path: Path) -> None:
    gridgram = house(tape, tmp_path, refresh_zones=["DE"])  # of which no source is on
    await steps(gridgram, 2)
    await gridgram.intensity.close()

    assert (tape.calls, history_of(gridgram).pieces, history_of(gridgram).open_walks) == (0, 0, 0)


async def test_a_zone_that_could_not_be_trained_may_be_once_its_past_is_there(tape: Tape, tmp_path: Path) -> None:
    gridgram = house(tape, tmp_path, refresh_zones=["FR"], refresh_history_days=40)
    gridgram.forecaster._not_before["FR", Signal.LIFECYCLE] = time.monotonic() + 3_600
    await steps(gridgram, 3)
    await gridgram.intensity.close()

    assert ("FR", Signal.LIFECYCLE) not in gridgram.forecaster._not_before


@pytest.mark.parametrize("settings", [{"refresh_history_days": 0}, {"refresh": False}], ids=["no-days", "no-refresh"])
def test_it_can_be_turned_off(settings: dict[str, object], tape: Tape, tmp_path: Path) -> None:
    assert house(tape, tmp_path, **settings).history is None


async def test_the_application_starts_and_ends_it_and_a_fault_of_ours_is_logged_once(tape: Tape, tmp_path: Path) -> None:
    gridgram = house(tape, tmp_path, refresh_zones=["FR"], refresh_history_days=30)
    asked = []
    wanted = history_of(gridgram).wanted

    def breaking() -> list[tuple[str, Signal]]:
        asked.append(1)
        return list(wanted()) if len(asked) > 2 else 1 / 0  # type: ignore[return-value]  # raises

    history_of(gridgram).wanted = breaking
    app = build_app(gridgram, Settings(store=f"sqlite:///{tmp_path / 'series.sqlite'}"))
    app.freeze()
    with capture_logs() as logs:
        await app.startup()
        await until(lambda: len(asked) > 3)
        await app.cleanup()

    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["history.failed"]
