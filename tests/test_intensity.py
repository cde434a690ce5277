"""The one way to hourly intensity: memory, the store, the shipped reference, and what happens when the store changes or goes away."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from structlog.testing import capture_logs

from cache.memory import ChunkMemory
from cache.sqlite import SqliteStore
from gridgram.errors import StoreError, StoreRefused
from gridgram.interval import Month, months_between
from gridgram.quality import QUALITY_CODES, Quality, Scope, Signal
from gridgram.series import FILE_PROVIDER, IntensitySeries, Source, overlay
from gridgram.zones import Zones
from providers.reference import Reference
from service import intensity as module
from service.app import build_gridgram
from service.intensity import Intensity
from service.settings import Settings
from tests.months import MARCH, facts, hours, source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from cache.contract import Held

MIB = 2**20
FILE = Source(FILE_PROVIDER, Signal.LIFECYCLE, Scope.CONSUMPTION, "user supplied", "mine.csv")
FIRST = MARCH.first_hour
TYPICAL = QUALITY_CODES[Quality.TYPICAL]
MEASURED = QUALITY_CODES[Quality.MEASURED]


@dataclass
class Watched:
    """A store that counts how often it is read, and breaks on demand."""

    store: SqliteStore
    is_broken: bool = False
    held_back: asyncio.Event | None = None
    """Until then the first read gives nothing back."""
    reads: list[tuple[str, list[Month]]] = field(default_factory=list)

    async def read(self, zone: str, signal: Signal, months: Sequence[Month]) -> list[IntensitySeries | None]:
        self.reads.append((zone, list(months)))
        self._check()
        stored = await self.store.read(zone, signal, months)
        if self.held_back and len(self.reads) == 1:
            await self.held_back.wait()
        return stored

    async def merge(self, series: Sequence[IntensitySeries]) -> int:
        self._check()
        return await self.store.merge(series)

    async def generation(self) -> int:
        self._check()
        return await self.store.generation()

    async def held(self) -> list[Held]:
        self._check()
        return await self.store.held()

    async def close(self) -> None:
        await self.store.close()

    def _check(self) -> None:
        if self.is_broken:
            raise StoreError("The store is out of order.")


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference.load(Zones.load())


@pytest.fixture(autouse=True)
def _ask_the_store_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STORE_CHECK_SECONDS", 0.0)


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    store = Watched(SqliteStore(tmp_path / "series.sqlite"))
    yield store
    await store.close()


@pytest.fixture
def intensity(watched: Watched, reference: Reference) -> Intensity:
    return Intensity(watched, reference, ChunkMemory(16 * MIB))


async def march(intensity: Intensity, zone: str = "FR") -> IntensitySeries:
    return await intensity.read(zone, Signal.LIFECYCLE, FIRST, MARCH.next.first_hour)


async def test_with_nothing_held_the_reference_answers_alone(intensity: Intensity, reference: Reference) -> None:
    assert facts(await march(intensity)) == facts(reference.series("FR", Signal.LIFECYCLE, FIRST, MARCH.next.first_hour))


async def test_held_hours_lie_over_typical_ones_and_leave_the_others_alone(
    intensity: Intensity, watched: Watched, reference: Reference
) -> None:
    await watched.merge([hours([11.0, 22.0], first=100, origin=FILE)])

    series = await march(intensity)

    typical = facts(reference.series("FR", Signal.LIFECYCLE, FIRST, MARCH.next.first_hour))
    assert [hour[1] for hour in facts(series)[100:102]] == [11.0, 22.0]
    assert [hour[5] for hour in facts(series)[100:102]] == [FILE, FILE]
    assert facts(series)[:100] + facts(series)[102:] == typical[:100] + typical[102:]
    assert series.is_complete


@pytest.mark.parametrize("quality", [Quality.MEASURED, Quality.TYPICAL, Quality.ANNUAL])
async def test_a_whole_month_says_the_same_whether_or_not_the_reference_is_laid_under_it(
    intensity: Intensity, watched: Watched, reference: Reference, quality: Quality
) -> None:
    held = hours(321.0, quality=quality)
    await watched.merge([held])

    (chunk,) = await intensity.chunks("FR", Signal.LIFECYCLE, [MARCH])

    typical = reference.series("FR", Signal.LIFECYCLE, FIRST, MARCH.next.first_hour)
    assert facts(chunk.series) == facts(overlay(typical, held))


async def test_a_signal_that_nobody_holds_stays_missing_and_is_not_swapped(intensity: Intensity, watched: Watched) -> None:
    await watched.merge([hours(50.0)])

    series = await intensity.read("FR", Signal.MARGINAL, FIRST, FIRST + 24)

    assert series.signal is Signal.MARGINAL
    assert not series.quality.any()
    assert np.isnan(series.g_per_kwh).all()


async def test_the_same_hours_are_read_from_the_store_once(intensity: Intensity, watched: Watched) -> None:
    for _ in range(3):
        await march(intensity)
        await intensity.read("FR", Signal.LIFECYCLE, FIRST + 3, FIRST + 5)

    assert watched.reads == [("FR", [MARCH])]


async def test_what_stood_in_for_hours_that_the_store_refused_to_read_is_not_kept(
    intensity: Intensity, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    await watched.merge([hours(7.0, origin=FILE)])

    async def refused(*_: object) -> list[IntensitySeries | None]:
        raise StoreRefused("The store refuses a command.")

    with monkeypatch.context() as while_refused:
        while_refused.setattr(watched, "read", refused)
        assert set((await march(intensity)).quality.tolist()) == {TYPICAL}

    assert set((await march(intensity)).g_per_kwh.tolist()) == {7.0}


async def test_all_who_come_while_the_store_is_looked_at_see_what_was_written_before(
    intensity: Intensity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STORE_CHECK_SECONDS", 60.0)
    other = SqliteStore(tmp_path / "series.sqlite")
    for g_per_kwh in (1.0, 2.0, 3.0):
        await other.merge([hours(g_per_kwh, origin=FILE)])
        intensity._checked_at = float("-inf")  # that long ago

        several = await asyncio.gather(*(march(intensity) for _ in range(5)))

        assert {number for series in several for number in series.g_per_kwh.tolist()} == {g_per_kwh}
    await other.close()


async def test_only_absent_months_are_asked_of_the_store(intensity: Intensity, watched: Watched) -> None:
    await march(intensity)
    await intensity.read("FR", Signal.LIFECYCLE, FIRST - 1, MARCH.next.first_hour + 1)

    assert watched.reads == [("FR", [MARCH]), ("FR", [Month(2024, 2), Month(2024, 4)])]


async def test_hours_that_another_process_writes_are_seen(intensity: Intensity, watched: Watched, tmp_path: Path) -> None:
    before = await march(intensity)
    other = SqliteStore(tmp_path / "series.sqlite")
    await other.merge([hours([99.0], first=7)])
    await other.close()

    after = await march(intensity)

    assert before.quality[7] == TYPICAL
    assert (after.quality[7], after.g_per_kwh[7]) == (MEASURED, 99.0)
    assert len(watched.reads) == 2


async def test_a_month_that_was_read_while_another_wrote_is_not_kept_as_what_is_held_now(
    intensity: Intensity, watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await intensity.look_at_store()
    monkeypatch.setattr(module, "STORE_CHECK_SECONDS", 3_600.0)
    read = watched.store.read

    async def read_slowly(zone: str, signal: Signal, months: Sequence[Month]) -> list[IntensitySeries | None]:
        found = await read(zone, signal, months)
        other = SqliteStore(tmp_path / "series.sqlite")
        await other.merge([hours([99.0], first=7)])
        await other.close()
        return found

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(watched.store, "read", read_slowly)
        before = await march(intensity)

    assert before.quality[7] == TYPICAL
    assert (await march(intensity)).g_per_kwh[7] == 99.0


async def test_of_many_who_need_the_same_month_one_reads_it_and_one_who_leaves_harms_nobody(intensity: Intensity, watched: Watched) -> None:
    leaving = asyncio.ensure_future(march(intensity))
    staying = [asyncio.ensure_future(march(intensity)) for _ in range(50)]
    await intensity.look_at_store()
    leaving.cancel()

    series = await asyncio.gather(*staying)

    assert all(facts(one) == facts(series[0]) for one in series[1:3])
    assert watched.reads == [("FR", [MARCH])]


async def test_between_two_checks_the_store_is_left_in_peace(
    intensity: Intensity, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    await march(intensity)
    monkeypatch.setattr(module, "STORE_CHECK_SECONDS", 3_600.0)
    watched.is_broken = True

    with capture_logs() as logs:
        await march(intensity)

    assert logs == []
    assert not intensity.store_is_away


async def test_while_the_store_is_away_answers_go_on_and_it_is_logged_once_and_once_when_back(
    intensity: Intensity, watched: Watched
) -> None:
    await watched.merge([hours([99.0], first=7)])
    watched.is_broken = True
    with capture_logs() as logs:
        for zone in ("FR", "DE", "FR", "PL"):
            assert (await march(intensity, zone)).is_complete
        assert await intensity.held() == []
        assert intensity.store_is_away
        assert (await march(intensity)).quality[7] == TYPICAL

        watched.is_broken = False
        assert (await march(intensity)).g_per_kwh[7] == 99.0  # what was answered without the store is forgotten
        assert (await march(intensity)).g_per_kwh[7] == 99.0

    assert [entry["event"] for entry in logs] == ["store.away", "store.back"]
    assert logs[0]["detail"] == "The store is out of order."
    assert not intensity.store_is_away
    assert [held.hours for held in await intensity.held()] == [1]


async def test_a_read_that_others_overtook_before_the_store_went_away_puts_nothing_older_into_memory(
    intensity: Intensity, watched: Watched
) -> None:
    await watched.merge([hours([98.0], first=7)])
    watched.held_back = asyncio.Event()
    overtaken = asyncio.create_task(march(intensity))
    while not watched.reads:  # noqa: ASYNC110 - the read tells only by its list
        await asyncio.sleep(0)
    await watched.merge([hours([99.0], first=7)])
    assert (await march(intensity)).g_per_kwh[7] == 99.0

    watched.is_broken = True
    watched.held_back.set()
    await overtaken

    assert (await march(intensity)).g_per_kwh[7] == 99.0


async def test_what_was_read_before_the_store_went_away_is_still_known(intensity: Intensity, watched: Watched) -> None:
    await watched.merge([hours([99.0], first=7)])
    await march(intensity)
    watched.is_broken = True

    assert (await march(intensity)).g_per_kwh[7] == 99.0


async def test_a_store_that_was_never_there_does_not_stop_answers(reference: Reference, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    store = SqliteStore(tmp_path / "file" / "series.sqlite")
    intensity = Intensity(store, reference, ChunkMemory(MIB))

    with capture_logs() as logs:
        assert (await march(intensity)).is_complete
    await store.close()

    assert [entry["event"] for entry in logs] == ["store.away"]


async def test_every_hour_keeps_its_source_when_months_are_joined(intensity: Intensity, watched: Watched) -> None:
    """March is measured by one source, April by two others, and what lies between and beyond is typical."""
    april = MARCH.next
    origins = [source("eia"), source("entsoe"), FILE]
    await watched.merge(
        [
            hours([1.0] * 50, first=690, origin=origins[0]),
            hours([2.0] * 10, month=april, first=3, origin=origins[1]),
            hours([3.0] * 10, month=april, first=20, origin=origins[2]),
        ]
    )

    series = await intensity.read("FR", Signal.LIFECYCLE, Month(2023, 12).first_hour, Month(2024, 6).first_hour)

    by_hour = {hour: (number, origin) for hour, number, _, _, _, origin in facts(series)}
    assert series.is_complete
    assert by_hour[FIRST + 690] == (1.0, origins[0])
    assert by_hour[FIRST + 739] == (1.0, origins[0])
    assert by_hour[april.first_hour + 3] == (2.0, origins[1])
    assert by_hour[april.first_hour + 29] == (3.0, origins[2])
    assert by_hour[april.first_hour + 1][1].provider == "reference"
    assert "2023" in by_hour[Month(2023, 12).first_hour][1].detail
    assert len(set(series.sources)) == len(series.sources)
    for month in months_between(series.first_hour, series.end_hour):
        alone = await intensity.read("FR", Signal.LIFECYCLE, month.first_hour, month.next.first_hour)
        assert facts(alone) == facts(series.window(month.first_hour, month.next.first_hour))


async def test_a_window_inside_a_read_is_that_read_alone(intensity: Intensity, watched: Watched) -> None:
    await watched.merge([hours([float(place) for place in range(200)], first=600)])
    wide = await intensity.read("FR", Signal.LIFECYCLE, FIRST - 500, FIRST + 1_000)

    narrow = await intensity.read("FR", Signal.LIFECYCLE, FIRST + 599, FIRST + 780)

    assert facts(narrow) == facts(wide.window(FIRST + 599, FIRST + 780))


async def test_memory_stays_within_its_bound_and_answers_stay_right(watched: Watched, reference: Reference) -> None:
    memory = ChunkMemory(120_000)
    intensity = Intensity(watched, reference, memory)
    first, end = Month(2023, 1).first_hour, Month(2024, 1).first_hour

    for zone in ("FR", "DE", "PL", "FR"):
        series = await intensity.read(zone, Signal.LIFECYCLE, first, end)
        assert facts(series) == facts(reference.series(zone, Signal.LIFECYCLE, first, end))
        assert memory.nbytes <= 120_000
        assert 0 < len(memory) < 12


async def test_hours_of_hundreds_of_fetches_are_joined_over_a_year(watched: Watched, reference: Reference) -> None:
    """Each import is a source of its own; a year of hourly imports has more of them than one byte can number."""
    intensity = Intensity(watched, reference, ChunkMemory(16 * MIB))
    fetched = [replace(source(), fetched_at=datetime(2024, 3, 1, tzinfo=UTC) + timedelta(hours=hour)) for hour in range(500)]
    await watched.merge([hours([float(place)], month=Month(2024, 2), first=place, origin=fetched[place]) for place in range(200)])
    await watched.merge([hours([float(place)], first=place, origin=fetched[place + 250]) for place in range(200)])

    series = await intensity.read("FR", Signal.LIFECYCLE, Month(2024, 2).first_hour, MARCH.next.first_hour)

    assert series.g_per_kwh[:200].tolist() == [float(place) for place in range(200)]
    assert len(series.sources) <= 255
    assert {origin.provider for origin in series.sources} == {"eia", "reference"}


async def test_work_behind_an_answer_that_is_stopped_before_it_began_is_let_go(tmp_path: Path) -> None:
    gridgram = build_gridgram(Settings(offline=True, store=f"sqlite:///{tmp_path / 'series.sqlite'}"))
    begun = []

    async def work() -> None:
        begun.append(1)

    gridgram.intensity.behind(work())
    await gridgram.intensity.close()

    assert begun == []
