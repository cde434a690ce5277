"""A job that is answered at once gets the very bytes that the thorough way gives; what that refuses is not answered at once."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache.memory import ChunkMemory
from cache.sqlite import SqliteStore
from gridgram.errors import GridgramError
from gridgram.interval import MICROSECONDS_PER_HOUR as HOUR
from gridgram.interval import format_microseconds
from gridgram.locations import Locator
from gridgram.quality import QUALITIES
from gridgram.series import month_series
from gridgram.sums import MonthChunk
from gridgram.zones import Zones
from providers.reference import Reference
from service.body import parse_json
from service.forecasting.ahead import KnownAhead
from service.forecasting.forecaster import Forecaster
from service.intensity import Intensity
from service.usecases import Gridgram
from service.written import DAY_BYTES, MONTH_BYTES, WrittenMonths
from tests.months import MARCH, hours
from tests.test_emissions import FIRST, LAST, NOW, SEEDS, NothingHeld, random_series

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gridgram.series import IntensitySeries

JOB = {"location": "FR", "energy": {"start": "2024-03-05T06:30:00Z", "step": "PT1H", "kwh": [1.2, 0.0, 1e-9, 3]}, "include": ["hours"]}
INCLUDED = st.lists(st.sampled_from(["hours", "equivalents"]), max_size=2)
BODIES = st.fixed_dictionaries(
    {
        "location": st.sampled_from(["FR", "fr", "FRA", "aws:eu-west-3"]),
        "energy": st.fixed_dictionaries(
            {
                "start": st.integers(FIRST * 60, (LAST - 300) * 60).map(lambda minute: format_microseconds(minute * HOUR // 60)),
                "step": st.sampled_from(["PT1H", "PT15M", "PT7M", "P1D"]),
                "kwh": st.lists(st.one_of(st.just(0.0), st.just(-0.0), st.integers(0, 9), st.floats(0, 1e6)), min_size=1, max_size=60),
            }
        ),
    },
    optional={"pue": st.floats(1, 3), "include": INCLUDED, "min_quality": st.sampled_from([quality.value for quality in QUALITIES[1:]])},
)
_KEPT: list[Gridgram] = []


def holding(series: IntensitySeries) -> Gridgram:
    """The use cases with these hours in memory, and nothing else."""
    if not _KEPT:
        zones = Zones.load()
        intensity = Intensity(NothingHeld(), Reference.load(zones), ChunkMemory(64 * 2**20))  # type: ignore[arg-type]  # only reads
        _KEPT.append(Gridgram(zones, Locator.load(zones), intensity, now=lambda: NOW, ahead=KnownAhead(intensity, Forecaster(intensity))))
    for month in month_series(series).values():
        _KEPT[0].intensity.memory.put(MonthChunk(month))
    return _KEPT[0]


async def both_ways(gridgram: Gridgram, body: bytes) -> tuple[bytes | None, bytes | None]:
    """The answer at once and that of the thorough way, each None where there is none."""
    await gridgram.intensity.look_at_store()
    try:
        thorough = orjson.dumps(await gridgram.emissions(gridgram.read_job(parse_json(body))))
    except GridgramError:
        thorough = None
    return gridgram.emissions_at_once(body), thorough


@settings(max_examples=40)
@given(SEEDS, st.sampled_from([0.0, 0.02]), BODIES)
async def test_what_is_answered_at_once_are_the_bytes_of_the_thorough_way(seed: int, hole_share: float, members: dict[str, Any]) -> None:
    gridgram = holding(random_series(seed, hole_share))
    at_once, thorough = await both_ways(gridgram, json.dumps(members).encode())

    assert at_once is None or at_once == thorough


@settings(max_examples=40)
@given(SEEDS, st.integers(0, 700), st.lists(st.floats(0, 1e6), min_size=1, max_size=24), st.floats(1, 3), INCLUDED)
async def test_a_plain_job_of_a_month_in_memory_is_answered_at_once(
    seed: int, skipped: int, kwh: list[float], pue: float, include: list[str]
) -> None:
    start = format_microseconds((MARCH.first_hour + skipped) * HOUR)
    members = {"location": "FR", "energy": {"start": start, "step": "PT1H", "kwh": kwh}, "pue": pue, "include": include}
    at_once, thorough = await both_ways(holding(random_series(seed)), json.dumps(members).encode())

    assert at_once is not None
    assert at_once == thorough


@pytest.fixture
async def gridgram(tmp_path: Path) -> AsyncIterator[Gridgram]:
    """The use cases over a real store that holds March 2024 of one zone; it is in memory, and the zone is known."""
    zones = Zones.load()
    store = SqliteStore(tmp_path / "series.sqlite")
    await store.merge([hours(50.0, band=5.0)])
    intensity = Intensity(store, Reference.load(zones), ChunkMemory(2**20))
    gridgram = Gridgram(zones, Locator.load(zones), intensity, now=lambda: NOW, ahead=KnownAhead(intensity, Forecaster(intensity)))
    await gridgram.emissions(gridgram.read_job(JOB))
    yield gridgram
    await store.close()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xef\xbb\xbf" + json.dumps(JOB).encode(),
        json.dumps(JOB).encode() + b"x",
        json.dumps(JOB).replace("1.2", "NaN").encode(),
        json.dumps(JOB).replace("1.2", "1e400").encode(),
        json.dumps(JOB).replace("FR", "\\u0046R").encode(),
        json.dumps(JOB).replace('"FR"', '"FR", "location": "FR"').encode(),
        json.dumps(JOB).replace('"step"', '"step": "PT1H", "step"').encode(),
        json.dumps(JOB | {"energy": {**JOB["energy"], "start": "2024-03-05T06:30:00"}}).encode(),  # type: ignore[dict-item]
        json.dumps(JOB | {"location": "FR\n"}).encode(),
        json.dumps(JOB).replace("FR", "FR\t").encode(),
        json.dumps(JOB | {"location": "XX"}).encode(),
        json.dumps(JOB | {"unknown": 1}).encode(),
        json.dumps(JOB | {"min_quality": "given"}).encode(),
        json.dumps(JOB | {"pue": math.pi * 4}).encode(),
        json.dumps(JOB | {"include": {"hours": 1}}).encode(),
        json.dumps(JOB).replace("FR", "F\xff").encode("latin-1"),
    ],
)
async def test_a_body_with_a_fault_is_not_answered_at_once(gridgram: Gridgram, body: bytes) -> None:
    at_once, thorough = await both_ways(gridgram, body)

    assert (at_once, thorough) == (None, None) or (at_once is None and b"\\u" in body)


async def test_a_month_is_counted_once_for_a_request_whichever_way_it_goes(gridgram: Gridgram) -> None:
    memory = gridgram.intensity.memory
    counts = memory.hits, memory.misses
    there = await both_ways(gridgram, json.dumps(JOB).encode())
    april = json.dumps(JOB).replace("2024-03", "2024-04").encode()
    absent = gridgram.emissions_at_once(april)
    await gridgram.emissions(gridgram.read_job(parse_json(april)))

    assert there[0] is not None
    assert absent is None
    assert (memory.hits - counts[0], memory.misses - counts[1]) == (2, 1)


async def test_hours_that_may_have_changed_are_not_answered_at_once(gridgram: Gridgram) -> None:
    body = json.dumps(JOB).encode()
    before = gridgram.emissions_at_once(body)
    other = SqliteStore(gridgram.intensity.store.path)  # type: ignore[attr-defined]  # it is of this kind
    await other.merge([hours(70.0)])
    await other.close()
    await gridgram.intensity.look_again()

    assert before is not None
    assert gridgram.emissions_at_once(body) is None
    at_once, thorough = await both_ways(gridgram, body)
    assert at_once == thorough != before
    assert json.loads(at_once or b"")["intensity_g_per_kwh"] == 70.0


def test_what_is_written_of_hours_is_bounded_and_right_after_it_was_forgotten() -> None:
    chunks = [MonthChunk(hours(float(place))) for place in range(10)]
    written = WrittenMonths(most_bytes=3 * MONTH_BYTES + 4 * DAY_BYTES)
    span = range(MARCH.first_hour + 20, MARCH.first_hour + 50)
    months = [written.of(chunk) for chunk in chunks * 2]
    columns = [month.columns(span, [1.5] * 30) for month in months]

    assert written.nbytes <= 3 * MONTH_BYTES + 4 * DAY_BYTES
    assert [column.g_per_kwh for column in columns] == [[float(place)] * 30 for place in range(10)] * 2
    assert json.loads(months[3].hours_json(span, [1.5] * 30, [4.5] * 30))[29] == {
        "start": "2024-03-03T01:00:00Z",
        "kwh": 1.5,
        "g_per_kwh": 3.0,
        "low": 3.0,
        "high": 3.0,
        "emissions_g": 4.5,
        "quality": "measured",
        "provider": "eia",
    }
