"""Energy times intensity: worked by hand, and by the invariants that every answer keeps."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache.memory import ChunkMemory
from cache.sqlite import SqliteStore
from gridgram.emissions import (
    Emissions,
    account,
    account_flat,
    flat_hours_worse_than,
    given_series,
    hour_columns,
    hours_worse_than,
)
from gridgram.interval import MICROSECONDS_PER_HOUR as HOUR
from gridgram.interval import Month, format_time, from_microseconds, months_between
from gridgram.locations import Locator
from gridgram.profile import EnergyProfile, flat_profile, interval_profile, stepped_profile
from gridgram.quality import QUALITIES, QUALITY_CODES, Quality, Scope, Signal
from gridgram.series import IntensitySeries, Source
from gridgram.sums import MonthChunk
from gridgram.zones import Zones
from providers.reference import Reference
from service.forecasting.ahead import KnownAhead
from service.forecasting.forecaster import Forecaster
from service.intensity import Intensity
from service.usecases import Gridgram
from tests.months import MARCH, hours

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

FIRST = Month(2023, 11).first_hour
LAST = Month(2024, 4).first_hour
START = MARCH.first_hour * HOUR
NOW = datetime(2024, 6, 1, tzinfo=UTC)
SOURCES = tuple(
    Source(name, Signal.LIFECYCLE, Scope.PRODUCTION, "public domain", name, detail=detail)
    for name, detail in (("eia", "2023"), ("eia", "2024"), ("file", ""), ("reference", ""))
)
SEEDS = st.integers(0, 2**32 - 1)
TOTALS = st.one_of(st.just(0.0), st.floats(1e-9, 1e9))
PUES = st.floats(1, 10)
RATES = st.floats(0, 3_000)


def random_series(seed: int, hole_share: float = 0.0) -> IntensitySeries:
    """Five months of hours, from several sources at several qualities in runs, with holes where asked."""
    random = np.random.default_rng(seed)
    size = LAST - FIRST
    g_per_kwh = random.uniform(0, 1200, size)
    runs = np.cumsum(random.random(size) < 0.05)
    quality = (1 + random.permutation(runs.max() + 1) % len(QUALITIES))[runs].astype(np.uint8)
    source = (random.permutation(runs.max() + 1) % len(SOURCES))[runs].astype(np.uint8)
    missing = random.random(size) < hole_share
    quality[missing] = 0
    numbers = [np.where(missing, np.nan, g_per_kwh * scale) for scale in (1.0, 0.8, 1.3)]
    return IntensitySeries("FR", Signal.LIFECYCLE, FIRST, numbers[0], numbers[1], numbers[2], quality, source, SOURCES)


def chunks_of(series: IntensitySeries, profile: EnergyProfile) -> list[MonthChunk]:
    months = months_between(profile.hours[0], profile.end_hour)
    return [MonthChunk(series.window(month.first_hour, month.next.first_hour)) for month in months]


def numbers(emissions: Emissions) -> tuple[float, ...]:
    return emissions[:-1]


def shares(emissions: Emissions) -> dict[tuple[Quality, Source], float]:
    return {(part.quality, part.source): part.share for part in emissions.shares}


@st.composite
def spans(draw: st.DrawFn) -> tuple[int, int]:
    """Spans of a second to weeks, at any microsecond, inside the series."""
    length = draw(st.one_of(st.integers(1_000_000, 3 * HOUR), st.integers(HOUR, 40 * 24 * HOUR)))
    start = draw(st.integers(FIRST * HOUR, LAST * HOUR - length))
    return start, start + length


@st.composite
def profiles(draw: st.DrawFn) -> EnergyProfile:
    """Jobs of every form: flat, stepped, and intervals with gaps."""
    start, end = draw(spans())
    form = draw(st.sampled_from(["flat", "stepped", "intervals"]))
    if form == "flat":
        return flat_profile(start, end, draw(TOTALS))
    parts = draw(st.integers(1, 40))
    step = max((end - start) // parts, 1)
    kwh = draw(st.lists(TOTALS, min_size=parts, max_size=parts))
    if form == "stepped":
        return stepped_profile(start, step, kwh)
    return interval_profile([(start + place * step, start + place * step + max(step // 3, 1), each) for place, each in enumerate(kwh)])


def test_two_hours_worked_by_hand() -> None:
    series = hours([50.0, 100.0], band=10.0)
    profile = stepped_profile(START, HOUR, [1.2, 0.8])

    emissions = account(profile, series, pue=1.5)

    assert emissions.energy_kwh == 2.0
    assert emissions.facility_energy_kwh == 3.0
    assert emissions.emissions_g == pytest.approx(1.5 * (1.2 * 50 + 0.8 * 100))  # 210 g
    assert emissions.emissions_low_g == pytest.approx(1.5 * (1.2 * 40 + 0.8 * 90))
    assert emissions.emissions_high_g == pytest.approx(1.5 * (1.2 * 60 + 0.8 * 110))
    assert emissions.intensity_g_per_kwh == pytest.approx(70.0)
    assert emissions.coverage == {Quality.MEASURED: 1.0}


def test_a_job_of_20_minutes_across_an_hour_pays_both_hours_by_its_minutes() -> None:
    profile = flat_profile(START + 50 * HOUR // 60, START + 70 * HOUR // 60, 6.0)

    assert account(profile, hours([50.0, 100.0])).emissions_g == pytest.approx(3 * 50 + 3 * 100)


def test_a_gap_costs_nothing_and_needs_no_intensity() -> None:
    series = hours([50.0, math.nan, 100.0])
    series.quality[1] = 0
    profile = interval_profile([(START, START + HOUR, 1.0), (START + 2 * HOUR, START + 3 * HOUR, 2.0)])

    assert account(profile, series).emissions_g == 250.0
    assert hours_worse_than(Quality.ANNUAL, hour_columns(profile, series)) == []


def test_shares_are_by_energy_and_the_best_quality_stands_first() -> None:
    series = hours([10.0, 10.0, 10.0])
    series.quality[:] = [QUALITY_CODES[Quality.ANNUAL], QUALITY_CODES[Quality.MEASURED], QUALITY_CODES[Quality.ANNUAL]]

    emissions = account(stepped_profile(START, HOUR, [1.0, 6.0, 3.0]), series)

    assert [part.quality for part in emissions.shares] == [Quality.MEASURED, Quality.ANNUAL]
    assert [part.share for part in emissions.shares] == pytest.approx([0.6, 0.4])
    assert list(emissions.coverage) == [Quality.MEASURED, Quality.ANNUAL]


def test_blooms_energy_at_57_g_per_kwh_is_24_69_t() -> None:
    """Luccioni et al. 2022, arXiv 2211.02001: 433,196 kWh, 2022-03-11 to 2022-07-06."""
    start = int(datetime(2022, 3, 11, tzinfo=UTC).timestamp()) * 1_000_000
    profile = flat_profile(start, start + 118 * 24 * HOUR, 433_196.0)

    emissions = account(profile, given_series(profile, 57.0, Signal.LIFECYCLE))

    assert emissions.emissions_g == pytest.approx(24_692_172.0, rel=1e-12)
    assert round(emissions.emissions_g / 1e6, 2) == 24.69
    assert emissions.coverage == {Quality.GIVEN: 1.0}
    assert emissions.emissions_low_g == emissions.emissions_high_g == emissions.emissions_g


@pytest.mark.parametrize("length", [24, 500])
def test_a_missing_hour_is_an_error_and_never_zero(length: int) -> None:
    series = hours(50.0)
    series.quality[20] = 0
    series.g_per_kwh[20] = math.nan
    profile = stepped_profile(START, HOUR, [1.0] * length)

    with pytest.raises(ValueError, match="misses hours"):
        account(profile, series)
    with pytest.raises(ValueError, match="misses hours"):
        account_flat(profile.start, profile.end, 1.0, [MonthChunk(series)])
    assert hours_worse_than(Quality.ANNUAL, hour_columns(profile, series)) == [MARCH.first_hour + 20]


def test_a_hole_outside_the_job_does_not_matter() -> None:
    series = hours(50.0)
    series.quality[30] = 0
    series.g_per_kwh[30] = math.nan
    start, end = START + 31 * HOUR, START + 700 * HOUR

    assert account_flat(start, end, 2.0, [MonthChunk(series)]).emissions_g == pytest.approx(100.0)
    assert account(flat_profile(start, end, 2.0), series).emissions_g == pytest.approx(100.0)
    assert account_flat(START, START + 30 * HOUR, 2.0, [MonthChunk(series)]).emissions_g == pytest.approx(100.0)


@given(profiles(), SEEDS, PUES)
def test_emissions_are_the_sum_over_hours_of_kwh_times_intensity(profile: EnergyProfile, seed: int, pue: float) -> None:
    series = random_series(seed)
    columns = hour_columns(profile, series, pue)

    emissions = account(profile, series, pue)

    for rates, total in (
        (columns.g_per_kwh, emissions.emissions_g),
        (columns.low, emissions.emissions_low_g),
        (columns.high, emissions.emissions_high_g),
    ):
        assert math.fsum(kwh * rate for kwh, rate in zip(columns.kwh, rates, strict=True)) == pytest.approx(total, rel=1e-12)
    assert math.fsum(columns.kwh) == pytest.approx(emissions.facility_energy_kwh, rel=1e-12)
    assert list(columns.hours) == list(profile.hours)


@given(profiles(), SEEDS)
def test_the_shares_of_a_job_sum_to_1_and_nothing_is_nan(profile: EnergyProfile, seed: int) -> None:
    series = random_series(seed)

    emissions = account(profile, series)

    assert math.fsum(part.share for part in emissions.shares) == pytest.approx(1.0, abs=1e-12)
    assert math.fsum(emissions.coverage.values()) == pytest.approx(1.0, abs=1e-12)
    assert len(shares(emissions)) == len(emissions.shares)
    assert all(math.isfinite(number) for number in (*numbers(emissions), *(part.share for part in emissions.shares)))
    assert emissions.emissions_low_g <= emissions.emissions_g <= emissions.emissions_high_g
    used = series.window(profile.hours[0], profile.end_hour).g_per_kwh
    assert used.min() * (1 - 1e-9) <= emissions.intensity_g_per_kwh <= used.max() * (1 + 1e-9)


@given(spans(), SEEDS, TOTALS, PUES)
def test_a_flat_job_from_running_sums_is_the_job_hour_by_hour(span: tuple[int, int], seed: int, total_kwh: float, pue: float) -> None:
    series = random_series(seed)
    profile = flat_profile(*span, total_kwh)

    flat, hourly = account_flat(*span, total_kwh, chunks_of(series, profile), pue), account(profile, series, pue)

    assert numbers(flat) == pytest.approx(numbers(hourly), rel=1e-9)
    assert shares(flat) == pytest.approx(shares(hourly), rel=1e-9)


@given(st.integers(1, 743), st.one_of(st.integers(-2_000_000, 0), st.integers(-HOUR, HOUR - 2_000_000)), st.integers(1, 2_000_000))
def test_a_job_of_microseconds_loses_nothing_to_large_running_sums(hour: int, offset: int, length: int) -> None:
    """Across the edge of an hour and inside one."""
    series = hours([900.0 + hour % 7 for hour in range(744)])
    start = START + hour * HOUR + offset
    end = start + length

    flat = account_flat(start, end, 1.0, [MonthChunk(series)])

    assert flat.emissions_g == pytest.approx(account(flat_profile(start, end, 1.0), series).emissions_g, rel=1e-12)


@given(spans(), SEEDS, st.sampled_from([quality for quality in QUALITIES if quality is not Quality.GIVEN]))
def test_hours_that_are_too_bad_are_the_same_both_ways_and_named_exactly(span: tuple[int, int], seed: int, min_quality: Quality) -> None:
    series = random_series(seed, hole_share=0.02)
    profile = flat_profile(*span, 1.0)
    worst = QUALITY_CODES[min_quality]

    worse = hours_worse_than(min_quality, hour_columns(profile, series))

    assert worse == flat_hours_worse_than(min_quality, *span, chunks_of(series, profile))
    assert worse == [hour for hour in profile.hours if not 0 < series.quality[hour - FIRST] <= worst]


@given(profiles(), SEEDS, st.data())
def test_a_job_may_be_split_at_any_hour_and_added_up(profile: EnergyProfile, seed: int, data: st.DataObject) -> None:
    series = random_series(seed)
    place = data.draw(st.integers(0, len(profile.hours) - 1))
    cuts = [slice(0, place), slice(place, None)]
    parts = [
        profile._replace(total_kwh=math.fsum(profile.kwh[cut]), hours=profile.hours[cut], kwh=profile.kwh[cut])
        for cut in cuts
        if profile.hours[cut]
    ]

    split, whole = [account(part, series) for part in parts], account(profile, series)

    assert math.fsum(part.emissions_g for part in split) == pytest.approx(whole.emissions_g, rel=1e-12)
    assert math.fsum(part.emissions_high_g for part in split) == pytest.approx(whole.emissions_high_g, rel=1e-12)


@given(spans(), SEEDS, TOTALS, st.data())
def test_a_flat_job_may_be_split_at_any_microsecond_and_added_up(
    span: tuple[int, int], seed: int, total_kwh: float, data: st.DataObject
) -> None:
    series = random_series(seed)
    start, end = span
    cut = data.draw(st.integers(start + 1, end - 1))
    halves = [(start, cut, total_kwh * (cut - start) / (end - start)), (cut, end, total_kwh * (end - cut) / (end - start))]

    def hourly(begin: int, finish: int, kwh: float) -> float:
        return account(flat_profile(begin, finish, kwh), series).emissions_g

    def flat(begin: int, finish: int, kwh: float) -> float:
        return account_flat(begin, finish, kwh, chunks_of(series, flat_profile(begin, finish, kwh))).emissions_g

    assert sum(hourly(*half) for half in halves) == pytest.approx(hourly(start, end, total_kwh), rel=1e-11)
    assert sum(flat(*half) for half in halves) == pytest.approx(flat(start, end, total_kwh), rel=1e-9)


@given(profiles(), SEEDS, PUES)
def test_pue_only_scales(profile: EnergyProfile, seed: int, pue: float) -> None:
    series = random_series(seed)
    plain, scaled = account(profile, series), account(profile, series, pue)

    assert scaled.energy_kwh == plain.energy_kwh
    assert scaled.intensity_g_per_kwh == plain.intensity_g_per_kwh
    assert scaled.shares == plain.shares
    for name in ("facility_energy_kwh", "emissions_g", "emissions_low_g", "emissions_high_g"):
        assert getattr(scaled, name) == pytest.approx(pue * getattr(plain, name), rel=1e-12)


@given(profiles(), SEEDS, RATES, st.data())
def test_a_better_hour_never_changes_another_hour(profile: EnergyProfile, seed: int, rate: float, data: st.DataObject) -> None:
    series = random_series(seed)
    hour = data.draw(st.sampled_from(profile.hours))
    better = replace(series, g_per_kwh=series.g_per_kwh.copy(), quality=series.quality.copy())
    better.g_per_kwh[hour - FIRST] = rate
    better.quality[hour - FIRST] = QUALITY_CODES[Quality.MEASURED]

    before, after = hour_columns(profile, series), hour_columns(profile, better)

    changed = [
        place
        for place in range(len(before.kwh))
        if (before.g_per_kwh[place], before.quality[place], before.kwh[place])
        != (after.g_per_kwh[place], after.quality[place], after.kwh[place])
    ]
    assert changed in ([], [list(profile.hours).index(hour)])


@given(SEEDS, spans(), st.sampled_from([0.0, 5e-324]))
def test_a_job_without_energy_gives_zero_and_the_mean_over_its_time(seed: int, span: tuple[int, int], total_kwh: float) -> None:
    series = random_series(seed)
    profile = flat_profile(*span, total_kwh)

    emissions = account(profile, series)
    flat = account_flat(*span, total_kwh, chunks_of(series, profile))

    assert all(math.isfinite(number) for number in numbers(emissions))
    assert emissions.emissions_g == pytest.approx(0.0, abs=1e-300)
    assert math.fsum(part.share for part in emissions.shares) == pytest.approx(1.0)
    if not total_kwh:
        assert emissions.intensity_g_per_kwh == pytest.approx(flat.intensity_g_per_kwh, rel=1e-9)
        assert shares(emissions) == pytest.approx(shares(flat))


@given(profiles(), RATES)
def test_a_given_intensity_multiplies_and_says_so(profile: EnergyProfile, rate: float) -> None:
    emissions = account(profile, given_series(profile, rate, Signal.DIRECT))

    assert emissions.emissions_g == pytest.approx(profile.total_kwh * rate, rel=1e-12)
    assert emissions.intensity_g_per_kwh == pytest.approx(rate, rel=1e-12)
    assert [(part.quality, part.source.provider, part.source.signal) for part in emissions.shares] == [
        (Quality.GIVEN, "given", Signal.DIRECT)
    ]


@pytest.fixture
async def gridgram(tmp_path: Path) -> AsyncIterator[Gridgram]:
    """The use cases over a real store that holds a part of March 2024, and the shipped reference."""
    zones = Zones.load()
    store = SqliteStore(tmp_path / "series.sqlite")
    await store.merge([hours([30.0 + hour % 24 for hour in range(300)], first=100, band=5.0)])
    intensity = Intensity(store, Reference.load(zones), ChunkMemory(64 * 2**20))
    yield Gridgram(zones, Locator.load(zones), intensity, now=lambda: NOW, ahead=KnownAhead(intensity, Forecaster(intensity)))
    await store.close()


def text(instant: int) -> str:
    return format_time(from_microseconds(instant))


FORMS: dict[str, Callable[[int], dict[str, Any]]] = {
    "flat": lambda start: {"start": text(start), "end": text(start + 700 * HOUR + 12_345_678), "total_kwh": 433.196},
    "steps": lambda start: {"start": text(start), "step": "PT7M", "kwh": [0.1 * (place % 5) for place in range(900)]},
    "power": lambda start: {"start": text(start), "step": "PT90M", "power_w": [400.0, 0.0, 812.5] * 80},
    "intervals": lambda start: {
        "intervals": [
            {"start": text(start + place * 5 * HOUR), "end": text(start + place * 5 * HOUR + 1_234_567_890), "kwh": place / 7}
            for place in range(60)
        ]
    },
    "one minute": lambda start: {"start": text(start), "step": "PT1M", "kwh": [0.25]},
    "nothing": lambda start: {"start": text(start), "step": "PT1H", "kwh": [0.0, 0.0]},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("location", ["FR", "CN-BJ", "US-TEX-ERCO"])
async def test_an_answer_can_be_recomputed_from_its_own_hours(gridgram: Gridgram, form: str, location: str) -> None:
    """From the bytes that a client gets, with nothing else known."""
    members = {"location": location, "energy": FORMS[form](START + 99 * HOUR + 1_800_000_000), "pue": 1.3, "include": ["hours"]}

    answer = orjson.loads(orjson.dumps(await gridgram.emissions(gridgram.read_job(orjson.loads(orjson.dumps(members))))))

    rows = answer["hours"]
    assert math.fsum(row["kwh"] for row in rows) == pytest.approx(answer["facility_energy_kwh"], rel=1e-12)
    assert answer["facility_energy_kwh"] == pytest.approx(1.3 * answer["energy_kwh"], rel=1e-15)
    for total, rate in (("emissions_g", "g_per_kwh"), ("emissions_low_g", "low"), ("emissions_high_g", "high")):
        assert math.fsum(row["kwh"] * row[rate] for row in rows) == pytest.approx(answer[total], rel=1e-12)
    assert math.fsum(row["emissions_g"] for row in rows) == pytest.approx(answer["emissions_g"], rel=1e-12)
    assert math.fsum(part["energy_share"] for part in answer["provenance"]) == pytest.approx(1.0)
    assert math.fsum(answer["coverage"].values()) == pytest.approx(1.0)
    if answer["energy_kwh"]:
        for quality, share in answer["coverage"].items():
            energy = math.fsum(row["kwh"] for row in rows if row["quality"] == quality)
            assert energy / answer["facility_energy_kwh"] == pytest.approx(share, abs=1e-12)
    assert "null" not in orjson.dumps(answer).decode()


@pytest.mark.parametrize("form", FORMS)
async def test_an_answer_is_the_same_with_and_without_its_hours(gridgram: Gridgram, form: str) -> None:
    """A flat job takes the running sums when nobody asks for its hours."""
    members = {"location": "FR", "energy": FORMS[form](START + 99 * HOUR + 1_800_000_000)}

    short = await gridgram.emissions(gridgram.read_job(members))
    long = await gridgram.emissions(gridgram.read_job(members | {"include": ["hours"]}))

    assert short.keys() == long.keys() - {"hours"}
    for name in ("energy_kwh", "emissions_g", "emissions_low_g", "emissions_high_g", "intensity_g_per_kwh", "coverage"):
        assert short[name] == pytest.approx(long[name], rel=1e-9)
    assert [part["detail"] for part in short["provenance"]] == [part["detail"] for part in long["provenance"]]


@settings(max_examples=30)
@given(st.data())
async def test_an_answer_may_be_split_anywhere_and_added_up(data: st.DataObject) -> None:
    """Over the shipped reference, at any second of two years."""
    gridgram = reference_gridgram()
    zone = data.draw(st.sampled_from(["FR", "US-TEX-ERCO", "IN-WE", "CN-SH", "AU-NSW"]))
    length = data.draw(st.integers(2, 60 * 24 * 3600)) * 1_000_000
    start = START - data.draw(st.integers(0, 400 * 24 * 3600)) * 1_000_000
    cut = data.draw(st.integers(1, length - 1))

    async def grams(begin: int, end: int) -> float:
        energy = {"start": text(begin), "end": text(end), "total_kwh": 1000 * (end - begin) / length}
        return (await gridgram.emissions(gridgram.read_job({"location": zone, "energy": energy})))["emissions_g"]

    parts = await grams(start, start + cut) + await grams(start + cut, start + length)
    assert parts == pytest.approx(await grams(start, start + length), rel=1e-9)


class NothingHeld:
    """A store that holds nothing and costs nothing."""

    async def read(self, _zone: str, _signal: Signal, months: list[Month]) -> list[None]:
        return [None] * len(months)

    async def generation(self) -> int:
        return 0


_KEPT: list[Gridgram] = []


def reference_gridgram() -> Gridgram:
    if not _KEPT:
        zones = Zones.load()
        intensity = Intensity(NothingHeld(), Reference.load(zones), ChunkMemory(64 * 2**20))  # type: ignore[arg-type]  # only reads
        _KEPT.append(Gridgram(zones, Locator.load(zones), intensity, now=lambda: NOW, ahead=KnownAhead(intensity, Forecaster(intensity))))
    return _KEPT[0]
