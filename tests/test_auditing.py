"""A source that changes what its times name is noticed by its own sun."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from gridgram.errors import UnknownLocation
from gridgram.fuels import Fuel
from gridgram.quality import Quality
from providers.base import IntensityPoint, MixPoint
from service.auditing.noons import daily_noons
from service.auditing.usecase import audit, audited
from tests.providers.tape import Tape, running_tape
from tests.running import gridgram as run
from tests.test_fetching import CONSOLIDATED, RECENT, gridgram_over

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from service.usecases import Gridgram

START = datetime(2024, 3, 1, tzinfo=UTC)
DAYS = 16


def sunny(days: int, slip_from_day: int, slip_hours: int) -> bytes:
    """Half-hours of France with a sun that culminates at 12 UTC; from a day on the labels are later by some hours."""
    rows: list[dict[str, Any]] = []
    for step in range(48 * days):
        stamp = START + timedelta(minutes=30 * step)
        slip = slip_hours if step >= 48 * slip_from_day else 0
        hour = (stamp - timedelta(hours=slip)).hour + stamp.minute / 60 + 0.25
        sun = max(0.0, 8_000 * math.sin((hour - 6) / 12 * math.pi)) + step % 7
        rows.append(
            {"date_heure": stamp.isoformat(), "heure": f"{stamp:%H:%M}", "nature": "Données définitives"}
            | {"fioul": 0, "charbon": 0, "gaz": 3_000 + step % 5, "nucleaire": 40_000, "eolien": 6_000, "solaire": round(sun)}
            | {"hydraulique": 5_500, "bioenergies": 900, "taux_co2": 31}
        )
    return orjson.dumps(rows)


@pytest.fixture
async def tape() -> AsyncIterator[Tape]:
    async with running_tape() as tape:
        tape.answers = {RECENT: b"[]"}
        yield tape


async def fetched(gridgram: Gridgram) -> None:
    """Fetch the days as they come, a week and then the rest."""
    for first, end in ((0, 7), (7, DAYS)):
        members = {"location": "FR", "energy": {"start": stamp(first), "end": stamp(end), "total_kwh": 1}}
        await gridgram.emissions(gridgram.read_job(members))


def stamp(day: int) -> str:
    return (START + timedelta(days=day)).isoformat()


@pytest.mark.parametrize("hours", [-1, 0])
async def test_a_source_whose_labels_slip_by_an_hour_is_found(tape: Tape, tmp_path: Path, hours: int) -> None:
    tape.answers[CONSOLIDATED] = sunny(DAYS, 10, hours)
    gridgram = gridgram_over(tmp_path, tape.address)
    await fetched(gridgram)
    answer = await audit(gridgram, "FR")
    await gridgram.intensity.close()

    (source,) = answer["sources"]
    assert (source["provider"], source["days"], source["newest_day"]) == ("rte", DAYS, "2024-03-16T00:00:00Z")
    assert source["held_days"] == 0  # they are more than 400 days ago
    assert source["newest_minutes"] - source["before_minutes"] == pytest.approx(60 * hours, abs=3)
    assert ("finding" in source) == (hours != 0)
    if hours:
        assert f"moved by {60 * hours:+d} minutes" in source["finding"]


async def test_held_mixes_tell_it_where_nothing_was_noted_of_their_days(tape: Tape, tmp_path: Path) -> None:
    tape.answers[CONSOLIDATED] = sunny(DAYS, 10, 1)
    gridgram = gridgram_over(tmp_path, tape.address)
    gridgram.now = lambda: START + timedelta(days=DAYS + 30)
    await fetched(gridgram)
    noted = await audit(gridgram, "FR")
    await gridgram.intensity.store.keep("solar/rte/FR", b"[]", 60.0)
    held = await audit(gridgram, "FR")
    await gridgram.intensity.close()

    (source,) = held["sources"]
    assert (source["days"], source["held_days"]) == (DAYS, DAYS)
    assert noted == held
    assert "moved by +60 minutes" in source["finding"]


async def test_the_command_tells_it_and_ends_with_one(tape: Tape, tmp_path: Path) -> None:
    settings = {"GRIDGRAM_STORE": f"sqlite:///{tmp_path / 'series.sqlite'}"}
    unfetched = await asyncio.to_thread(run, ["audit", "FR"], tmp_path, settings=settings)
    tape.answers[CONSOLIDATED] = sunny(DAYS, 10, 1)
    gridgram = gridgram_over(tmp_path, tape.address)
    await fetched(gridgram)
    await gridgram.intensity.close()

    told = await asyncio.to_thread(run, ["audit", "FR"], tmp_path, settings=settings)
    as_json = await asyncio.to_thread(run, ["audit", "FR", "--json"], tmp_path, settings=settings)

    assert unfetched.returncode == 3
    assert told.returncode == as_json.returncode == 1
    assert "rte: " in told.stdout
    assert "moved by +60 minutes" in told.stderr
    assert orjson.loads(as_json.stdout)["sources"][0]["days"] == DAYS


def test_days_that_lie_far_from_noon_are_found_without_days_before() -> None:
    assert "finding" not in audited("rte", dict.fromkeys(range(5), 20.0))
    assert "centre -55 minutes" in audited("rte", dict.fromkeys(range(5), -55.0))["finding"]


def test_a_day_that_is_not_whole_or_has_no_sun_says_nothing() -> None:
    def half_day(hours: int, solar_mw: float) -> list[MixPoint | IntensityPoint]:
        mw = {Fuel.SOLAR: solar_mw, Fuel.GAS: 1_000.0}
        return [MixPoint(hour * 3_600_000_000, 60, mw, Quality.MEASURED) for hour in range(hours)]

    assert daily_noons(half_day(22, 500.0), 0.0) == {}
    assert daily_noons(half_day(24, 0.0), 0.0) == {}
    assert daily_noons(half_day(24, 500.0), 0.0) == {0: pytest.approx(0.0, abs=1e-9)}


async def test_what_is_no_zone_is_refused(tape: Tape, tmp_path: Path) -> None:
    gridgram = gridgram_over(tmp_path, tape.address)
    with pytest.raises(UnknownLocation):
        await audit(gridgram, "FRX")
    await gridgram.intensity.close()
