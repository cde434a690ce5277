"""A source that changes its unit: refused, told once, its held hours stand, the next source answers; and it is taken back by itself."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from gridgram.interval import HOURS_PER_DAY, hour_of
from gridgram.quality import QUALITIES, Signal
from gridgram.units import KG_PER_LB
from providers.registry import load_providers
from service import asking
from service.app import build_gridgram
from service.asking import SLIPPED_SECONDS
from service.auditing.checking import check_source
from service.auditing.usecase import audit
from service.settings import ProviderSettings, Settings
from tests.providers.tape import Tape, running_tape

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from service.usecases import Gridgram

KEY = "CANARY-9f3a"
FIRST_DAY = datetime(2024, 6, 10, tzinfo=UTC)


def level(start: datetime) -> float:
    """What the grid emits in an hour, every day another. [g/kWh]"""
    return 120.0 + 6 * start.hour + start.day


class Stating(Tape):
    """Great Britain's source and Electricity Maps, which state what the grid emits; the British one times a factor."""

    def __init__(self) -> None:
        super().__init__()
        self.times = 1.0
        self.maps_times = 1.0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer with the span that is asked for."""
        self.seen.append(request)
        if request.path.endswith("fw48h"):
            return web.json_response({"data": []})
        if request.path.startswith("/intensity/"):
            first, end = (datetime.strptime(part, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC) for part in request.path.split("/")[-2:])
            starts = [first + timedelta(minutes=30 * step) for step in range(int((end - first) / timedelta(minutes=30)))]
            return web.json_response({"data": [self.slot(start) for start in starts]})
        first, end = (datetime.fromisoformat(request.query[name]) for name in ("start", "end"))
        hours = [first + timedelta(hours=hour) for hour in range(int((end - first) / timedelta(hours=1)))]
        return web.json_response({"zone": "GB", "data": [self.point(hour, request) for hour in hours]})

    def slot(self, start: datetime) -> dict[str, Any]:
        """Half an hour as the British source tells it."""
        number = round(level(start) * self.times) if self.times > 0.1 else level(start) * self.times
        end = start + timedelta(minutes=30)
        told = {"forecast": number, "actual": number, "index": "moderate"}
        return {"from": f"{start:%Y-%m-%dT%H:%MZ}", "to": f"{end:%Y-%m-%dT%H:%MZ}", "intensity": told}

    def point(self, start: datetime, request: web.Request) -> dict[str, Any]:
        """An hour as Electricity Maps tells it, ten more than the British source."""
        return {
            "zone": "GB",
            "carbonIntensity": (level(start) + 10) * self.maps_times,
            "datetime": start.isoformat(),
            "updatedAt": (start + timedelta(days=1)).isoformat(),
            "emissionFactorType": request.query["emissionFactorType"],
            "isEstimated": False,
        }


class Clock:
    """The present, which the test moves."""

    def __init__(self) -> None:
        self.now = FIRST_DAY + timedelta(hours=20)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(autouse=True)
def _soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let days be asked for again at once."""
    monkeypatch.setattr(asking, "ask_again_seconds", lambda *_, **__: 0.0)
    monkeypatch.setattr(asking, "SLIPPED_SECONDS", 0.0)


@pytest.fixture
async def tape() -> AsyncIterator[Stating]:
    tape = Stating()
    async with running_tape(tape):
        yield tape


@pytest.fixture
def clock() -> Clock:
    return Clock()


def gridgram_over(folder: Path, tape: Tape, clock: Clock, *on: str) -> Gridgram:
    off = {name: ProviderSettings(enabled=False) for name in load_providers()}
    key: Any = KEY
    keys = {"electricity_maps": {"key": key}}
    asked = {name: ProviderSettings(url=tape.address, **keys.get(name, {})) for name in on}
    store = f"sqlite:///{folder / 'series.sqlite'}"
    gridgram = build_gridgram(Settings(store=store, providers=off | asked, upstream_seconds=5, offline=False))
    fetcher = gridgram.intensity.fetcher
    assert fetcher is not None
    gridgram.now = fetcher.clock = fetcher.engine.clock = fetcher.asker.clock = clock
    return gridgram


@pytest.fixture
async def gridgram(tape: Stating, clock: Clock, tmp_path: Path) -> AsyncIterator[Gridgram]:
    gridgram = gridgram_over(tmp_path, tape, clock, "gb")
    yield gridgram
    await gridgram.intensity.close()


async def day_of(gridgram: Gridgram, days_later: int, signal: str = "direct") -> tuple[float, set[str]]:
    """The mean of the first half of a day, asked anew, and who told it. [g/kWh]"""
    assert gridgram.intensity.fetcher is not None
    gridgram.intensity.fetcher.forget()
    start = FIRST_DAY + timedelta(days=days_later)
    energy = {"start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "end": f"{start:%Y-%m-%d}T12:00:00Z", "total_kwh": 1.0}
    answer = await gridgram.emissions(gridgram.read_job({"location": "GB", "energy": energy, "signal": signal}))
    return answer["emissions_g"], {source["provider"] for source in answer["provenance"]}


def true_mean(days_later: int) -> float:
    start = FIRST_DAY + timedelta(days=days_later)
    return sum(level(start + timedelta(hours=hour)) for hour in range(12)) / 12


def health(gridgram: Gridgram, name: str = "gb") -> Any:
    assert gridgram.intensity.fetcher is not None
    return gridgram.intensity.fetcher.engine.health[name]


@pytest.mark.parametrize("times", [1 / KG_PER_LB, KG_PER_LB])
async def test_hours_that_come_again_in_another_unit_are_refused_and_told_once(gridgram: Gridgram, tape: Stating, times: float) -> None:
    assert await day_of(gridgram, 0) == (pytest.approx(true_mean(0)), {"gb"})
    tape.times = times

    with capture_logs() as logs:
        during = [await day_of(gridgram, 0), await day_of(gridgram, 0)]

    assert during == [(pytest.approx(true_mean(0)), {"gb"})] * 2
    assert health(gridgram).errors["unit_slip"] == 2
    shown = next(source for source in (await gridgram.providers())["providers"] if source["name"] == "gb")
    assert shown["health"] == "down"
    assert "came again as" in shown.get("last_error", "")
    assert [entry["event"] for entry in logs].count("source.unit_slip") == 1


async def test_days_after_the_slip_are_refused_too_and_the_source_is_taken_back_once_it_tells_held_hours_as_they_were(
    gridgram: Gridgram, tape: Stating, clock: Clock, tmp_path: Path
) -> None:
    await day_of(gridgram, 0)
    tape.times = KG_PER_LB
    await day_of(gridgram, 0)
    clock.now += timedelta(days=4)

    slipped = await day_of(gridgram, 4)
    another = gridgram_over(tmp_path, tape, clock, "gb")
    by_another = await day_of(another, 4)
    await another.intensity.close()
    tape.times = 1.0
    with capture_logs() as logs:
        back = await day_of(gridgram, 4)

    assert slipped[1] == by_another[1] == {"reference"}
    assert back == (pytest.approx(true_mean(4)), {"gb"})
    assert [entry["event"] for entry in logs].count("source.unit_back") == 1


@pytest.mark.parametrize("body", [b"{}", b"[2.2, 5]", b'["a", "b", "c"]', b"[2.2, 9, -9]", b"\xff"])
async def test_a_slip_that_another_version_remembered_otherwise_stops_no_source(gridgram: Gridgram, body: bytes) -> None:
    await gridgram.intensity.store.keep("slips/gb/GB/direct", body, 60.0)

    assert await day_of(gridgram, 0) == (pytest.approx(true_mean(0)), {"gb"})


async def test_a_thousandth_is_refused_from_the_first_day(gridgram: Gridgram, tape: Stating) -> None:
    tape.times = 0.001

    told = await day_of(gridgram, 0)

    assert told[1] == {"reference"}
    assert health(gridgram).errors["unit_slip"] == 1
    assert "gb seems to state the direct intensity of GB in another unit: 0.1" in health(gridgram).last_error


@pytest.mark.parametrize("times", [0.001, 1000.0])
async def test_life_cycle_a_thousand_times_off_is_refused_from_the_first_day_with_all_that_came_beside_it(
    tape: Stating, clock: Clock, tmp_path: Path, times: float
) -> None:
    gridgram = gridgram_over(tmp_path, tape, clock, "electricity_maps")
    tape.maps_times = times
    clock.now += timedelta(days=4)

    told = await day_of(gridgram, 0, "lifecycle")
    held = await gridgram.intensity.held()
    await gridgram.intensity.close()

    assert told[1] == {"reference"}
    assert held == []
    assert health(gridgram, "electricity_maps").errors["unit_slip"] >= 1


async def test_the_next_source_answers_for_one_that_slipped(tape: Stating, clock: Clock, tmp_path: Path) -> None:
    gridgram = gridgram_over(tmp_path, tape, clock, "gb", "electricity_maps")
    tape.times = 0.001
    clock.now += timedelta(days=4)

    told = await day_of(gridgram, 0)
    await gridgram.intensity.close()

    assert told == (pytest.approx(true_mean(0) + 10), {"electricity_maps"})


async def test_what_was_refused_is_asked_for_again_after_a_quarter_of_an_hour_by_all_who_share_the_store(
    gridgram: Gridgram, tape: Stating, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "SLIPPED_SECONDS", SLIPPED_SECONDS)
    clock.now += timedelta(days=4)
    tape.times = 0.001
    await day_of(gridgram, 0)
    calls = tape.calls

    another = gridgram_over(tmp_path, tape, clock, "gb")
    by_another = await day_of(another, 0)
    await another.intensity.close()

    assert by_another[1] == {"reference"}
    assert tape.calls == calls


async def test_a_past_in_another_unit_is_not_taken_for_one_that_the_source_does_not_have(
    gridgram: Gridgram, tape: Stating, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "SLIPPED_SECONDS", SLIPPED_SECONDS)
    clock.now += timedelta(days=40)
    tape.times = 0.001
    history = gridgram.history
    assert history is not None
    history.days, history.wanted = 20, lambda: [("GB", Signal.DIRECT)]

    await history.step()

    assert history.pieces == 1
    assert health(gridgram).errors["unit_slip"] == 1
    (walk,) = history._walks.values()
    assert walk.before_day * HOURS_PER_DAY > hour_of(clock.now) - 3 * HOURS_PER_DAY  # it goes on where it was, after a rest
    assert walk.rests_until > time.monotonic()


async def test_a_check_and_the_audit_tell_of_a_unit_that_cannot_be_proved(gridgram: Gridgram, tape: Stating, clock: Clock) -> None:
    clock.now += timedelta(days=33)
    span = {"start": "2024-06-10T00:00:00Z", "end": "2024-07-12T00:00:00Z", "total_kwh": 1.0}
    await gridgram.emissions(gridgram.read_job({"location": "GB", "energy": span, "signal": "direct"}))
    tape.times = 2.5
    sound = await audit(gridgram, "GB")

    told = await check_source(gridgram, "gb", None)
    await day_of(gridgram, 32)
    found = await audit(gridgram, "GB")

    assert sound["levels"] == []
    assert [fault["pointer"] for fault in told["faults"]] == ["the direct intensity"]
    assert "look whether its unit changed" in told["faults"][0]["detail"]
    assert [(entry["provider"], entry["signal"], entry["newest_day"][:10]) for entry in found["levels"]] == [("gb", "direct", "2024-07-12")]


async def test_no_key_of_a_source_comes_into_the_store(tape: Stating, clock: Clock, tmp_path: Path) -> None:
    gridgram = gridgram_over(tmp_path, tape, clock, "electricity_maps")
    clock.now += timedelta(days=4)

    told = await day_of(gridgram, 0)
    tape.maps_times = 1000.0
    await day_of(gridgram, 1)
    await gridgram.intensity.close()

    assert told[1] == {"electricity_maps"}
    assert {request.headers["auth-token"] for request in tape.seen} == {KEY}
    assert files_with(KEY, tmp_path) == []
    assert files_with("electricity_maps", tmp_path) != []


def files_with(text: str, folder: Path) -> list[str]:
    """The files below a folder that hold a text."""
    return [path.name for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


async def test_a_preliminary_hour_is_asked_for_again_until_it_is_final_and_then_never(
    gridgram: Gridgram, tape: Stating, clock: Clock
) -> None:
    await day_of(gridgram, 0)
    early = await qualities(gridgram)
    calls = tape.calls

    await day_of(gridgram, 0)
    asked_again = tape.calls - calls
    clock.now += timedelta(days=10)
    await day_of(gridgram, 0)
    late = await qualities(gridgram)
    calls = tape.calls
    await day_of(gridgram, 0)

    assert (early, late) == ({"preliminary"}, {"measured"})
    assert asked_again >= 1
    assert tape.calls == calls


async def qualities(gridgram: Gridgram) -> set[str]:
    """Those of the first half of the first day, as they are held. The codes count from 1."""
    first = hour_of(FIRST_DAY)
    held = await gridgram.intensity.held_hours("GB", Signal.DIRECT, first, first + 12)
    return {QUALITIES[code - 1].value for code in held.quality.tolist()}
