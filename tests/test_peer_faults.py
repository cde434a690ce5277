"""Faults that other carbon tools were seen to have, each with its incident: none of them may be ours."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, get_type_hints
from zoneinfo import ZoneInfo

import numpy as np
import orjson
import pandas as pd
import pytest
from structlog.testing import capture_logs
from typing_extensions import is_typeddict

from cache.memory import ChunkMemory
from cache.sqlite import SqliteStore
from gridgram.errors import InvalidInput, NoData, UnknownLocation
from gridgram.interval import Month, format_hour, format_time, hour_of
from gridgram.locations import Locator
from gridgram.quality import QUALITIES, QUALITY_CODES, Quality, Scope, Signal
from gridgram.series import Source
from gridgram.units import g_per_kwh_from_lb_per_mwh
from gridgram.zones import Zones
from providers.reference import Reference
from service import answers
from service.forecasting.ahead import KnownAhead
from service.forecasting.forecaster import Forecaster
from service.intensity import Intensity
from service.requests import LatestQuery, SeriesQuery, read_request
from service.usecases import Gridgram
from tests.months import MARCH, hours
from tests.shared import shared

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NOW = datetime(2024, 3, 12, 6, 20, tzinfo=UTC)
DAY = "2024-03-11T00:00:00Z"
DAY_HOUR = hour_of(datetime(2024, 3, 11, tzinfo=UTC)) - MARCH.first_hour
FILE = Source("file", Signal.LIFECYCLE, Scope.CONSUMPTION, "user supplied", "mine.csv")
NIGHT_AND_DAY = [400.0] * 6 + [100.0] * 12 + [400.0] * 6
"""A synthetic day with a clean noon. [gCO2e/kWh]"""


@pytest.fixture(scope="module")
def zones() -> Zones:
    return Zones.load()


@pytest.fixture(scope="module")
def reference(zones: Zones) -> Reference:
    return Reference.load(zones)


@pytest.fixture(scope="module")
def locator(zones: Zones) -> Locator:
    return Locator.load(zones)


@pytest.fixture
async def gridgram(tmp_path: Path, zones: Zones, locator: Locator, reference: Reference) -> AsyncIterator[Gridgram]:
    """The use cases over a real store, at 2024-03-12T06:20Z; France holds the synthetic day of 2024-03-11."""
    store = SqliteStore(tmp_path / "series.sqlite")
    await store.merge([hours(NIGHT_AND_DAY, first=DAY_HOUR, origin=FILE)])
    intensity = Intensity(store, reference, ChunkMemory(16 * 2**20))
    yield Gridgram(zones, locator, intensity, now=lambda: NOW, ahead=KnownAhead(intensity, Forecaster(intensity)))
    await store.close()


async def emissions(gridgram: Gridgram, energy: dict[str, Any], location: str | None = "FR", **members: Any) -> Any:
    place = {} if location is None else {"location": location}
    answer = await gridgram.emissions(gridgram.read_job({**place, "energy": energy, **members}))
    return orjson.loads(orjson.dumps(answer))


async def series(gridgram: Gridgram, start: str, end: str, location: str = "FR", **parameters: str) -> Any:
    query = read_request(SeriesQuery, {"location": location, "start": start, "end": end, **parameters}, gridgram.now())
    return (await gridgram.series(query))[0]


# The number itself.


def test_yearly_means_are_those_that_are_published(reference: Reference, zones: Zones) -> None:
    """France 424 instead of about 50 g/kWh: https://github.com/mlco2/codecarbon/issues/211.

    Against every vintage of Ember's figures there is: vintages of small grids differ by half, so one of a year's must be near.
    """
    table = pd.read_csv(shared("data", "hourly", "yearly.csv"))
    ember = table[table["source"].str.contains("global_energy_mix|average-intensities|Ember via OWID", regex=True)]
    keys = {zone.codes["iso3"][0]: zone.key for zone in zones if "iso3" in zone.codes} | {zone.key: zone.key for zone in zones}
    published: dict[tuple[str, int], list[float]] = {}
    for zone, year, g_per_kwh in ember[["zone", "year", "g_per_kwh"]].dropna().itertuples(index=False):
        if zone in keys and g_per_kwh >= 10:  # of a grid of hydro alone, 15 % say little
            published.setdefault((keys[zone], int(year)), []).append(g_per_kwh)

    far = {}
    for (key, year), figures in published.items():
        mean = reference.series(key, Signal.LIFECYCLE, Month(year, 1).first_hour, Month(year + 1, 1).first_hour).g_per_kwh.mean()
        if min(abs(mean / figure - 1) for figure in figures) > 0.15:
            far[key, year] = (mean, figures)

    assert len({key for key, _ in published}) >= 190
    assert far == {}


@pytest.mark.parametrize("year", range(2015, 2026))
def test_france_is_a_low_carbon_grid_in_every_year(reference: Reference, year: int) -> None:
    """The same incident: https://github.com/mlco2/codecarbon/issues/211. 2022, when reactors stood still, is the highest."""
    held = reference.series("FR", Signal.LIFECYCLE, Month(year, 1).first_hour, Month(year + 1, 1).first_hour)

    assert 30 <= held.g_per_kwh.mean() <= 100
    assert held.low.mean() < held.g_per_kwh.mean() < held.high.mean()


async def test_a_job_is_answered_with_the_mean_of_its_own_year(gridgram: Gridgram) -> None:
    """A factor of today for a job of then: us-central1 was 566 g in 2019 and 394 g in 2022 (Google's own table)."""
    years = {}
    for year in (2018, 2023):
        job = await emissions(gridgram, {"start": f"{year}-03-11T00:00:00Z", "end": f"{year}-03-12T00:00:00Z", "total_kwh": 1}, "DK")
        assert f"mean of {year} " in job["provenance"][0]["detail"]
        years[year] = job["emissions_g"]

    assert years[2018] > 1.5 * years[2023]


def test_a_pound_per_megawatt_hour_is_multiplied_and_not_divided() -> None:
    """lb/MWh shown as g/kWh: https://github.com/Green-Software-Foundation/carbon-ci/issues/22; divided by 0.4536 instead of multiplied
    in if-unofficial-plugins lib/watt-time/index.ts, 4.86 times too much."""
    assert g_per_kwh_from_lb_per_mwh(1000) == 453.59237


async def test_a_kilowatt_over_ten_hours_at_100_g_is_a_kilogram(gridgram: Gridgram) -> None:
    """0.3056 g instead of 1000 g: codegreen-core 0.0.8, tools/carbon_emission.py."""
    energy = {"start": DAY, "step": "PT1H", "power_w": [1000] * 10}

    job = await emissions(gridgram, energy, None, intensity_g_per_kwh=100)

    assert job["energy_kwh"] == pytest.approx(10, rel=1e-12)
    assert job["emissions_g"] == pytest.approx(1000, rel=1e-12)


async def test_watts_are_not_joules_and_watt_hours_are_not_taken_for_kwh(gridgram: Gridgram) -> None:
    """Wh read as kWh: https://github.com/cloud-carbon-footprint/cloud-carbon-footprint/issues/624; watts read as joules:
    https://github.com/troycomi/reportseff/issues/66."""
    job = await emissions(gridgram, {"start": DAY, "step": "PT30M", "power_w": [1000]}, None, intensity_g_per_kwh=100)
    assert job["energy_kwh"] == 0.5

    with pytest.raises(InvalidInput, match="in one of four forms"):
        gridgram.read_job({"location": "FR", "energy": {"start": DAY, "step": "PT1H", "wh": [1200]}})


def test_every_number_of_every_answer_carries_its_unit_in_its_name() -> None:
    """kWh called power: https://github.com/mlco2/codecarbon/issues/455."""
    units = ("kwh", "_g", "_seconds", "_minutes", "_per_unit")
    plain = {"low", "high", "pue", "energy_share", "latitude", "longitude", "value"}  # beside a unit, or without one
    shapes = [shape for shape in vars(answers).values() if is_typeddict(shape)]
    names = {name for shape in shapes for name, kind in get_type_hints(shape).items() if kind is float}

    assert len(shapes) > 10
    assert {name for name in names if not name.endswith(units)} == plain & names


async def test_pue_counts_once(gridgram: Gridgram) -> None:
    """PUE twice or never: GPT-3 is told as 502 t and as 552 t for this reason (arXiv 2211.02001, table 4)."""
    bare = await emissions(gridgram, {"start": DAY, "step": "PT1H", "kwh": [2.0]})
    job = await emissions(gridgram, {"start": DAY, "step": "PT1H", "kwh": [2.0]}, pue=1.1, include=["hours"])

    assert job["energy_kwh"] == 2.0
    assert job["facility_energy_kwh"] == pytest.approx(2.2)
    assert job["emissions_g"] == pytest.approx(1.1 * bare["emissions_g"])
    assert job["hours"][0]["kwh"] == pytest.approx(2.2)


# Hours.


async def test_a_long_run_is_paid_hour_by_hour_and_not_at_the_intensity_of_its_end(gridgram: Gridgram) -> None:
    """One intensity, taken after training, for all of it: https://github.com/saintslab/carbontracker/issues/7; one value, at the
    row's own time, for a whole day: cloud-carbon-footprint EmissionsFactors.ts."""
    whole_day = await emissions(gridgram, {"start": DAY, "end": "2024-03-12T00:00:00Z", "total_kwh": 24})
    noon = await emissions(gridgram, {"start": DAY, "step": "PT1H", "kwh": [0] * 6 + [2] * 12 + [0] * 6})

    assert whole_day["emissions_g"] == pytest.approx(12 * 400 + 12 * 100)
    assert noon["emissions_g"] == pytest.approx(24 * 100)
    assert whole_day["emissions_g"] not in (24 * 400, 24 * 100)


@pytest.mark.parametrize(("minutes", "kwh"), [(29, 0.29), (31, 0.31), (1, 0.01)])
async def test_minutes_are_not_rounded_to_hours(gridgram: Gridgram, minutes: int, kwh: float) -> None:
    """29 minutes counted as nothing, 31 as an hour, energy rounded to 0.01 kWh: codegreen-core 0.0.8, tools/carbon_emission.py."""
    job = await emissions(gridgram, {"start": DAY, "end": f"2024-03-11T00:{minutes:02d}:00Z", "total_kwh": kwh})

    assert job["energy_kwh"] == kwh
    assert job["emissions_g"] == pytest.approx(kwh * 400, rel=1e-12)


async def test_a_finer_cut_of_the_same_job_gives_the_same_total(gridgram: Gridgram) -> None:
    """The total changed with the number of observations: https://github.com/Green-Software-Foundation/if/issues/504."""
    totals = [
        (await emissions(gridgram, {"start": DAY, "step": step, "kwh": [24 / count] * count}))["emissions_g"]
        for step, count in (("P1D", 1), ("PT6H", 4), ("PT1H", 24), ("PT5M", 288), ("PT1M", 1440))
    ]
    parts = [
        await emissions(gridgram, {"start": DAY, "end": "2024-03-11T07:13:00Z", "total_kwh": 24 * 433 / 1440}),
        await emissions(gridgram, {"start": "2024-03-11T07:13:00Z", "end": "2024-03-12T00:00:00Z", "total_kwh": 24 * 1007 / 1440}),
    ]

    assert totals == pytest.approx([6000.0] * 5, rel=1e-12)
    assert sum(part["emissions_g"] for part in parts) == pytest.approx(6000.0, rel=1e-12)


async def test_hours_are_steps_and_n_hours_are_n_values(gridgram: Gridgram) -> None:
    """A trapezoid over N + 1 points: https://github.com/GreenScheduler/cats/issues/42."""
    told = await series(gridgram, DAY, "2024-03-12T00:00:00Z")
    edge = await emissions(gridgram, {"start": "2024-03-11T05:30:00Z", "end": "2024-03-11T06:15:00Z", "total_kwh": 3})

    assert len(told["hours"]) == 24
    assert [hour["g_per_kwh"] for hour in told["hours"]] == NIGHT_AND_DAY
    assert edge["emissions_g"] == pytest.approx(2 * 400 + 1 * 100, rel=1e-12)  # 30 and 15 minutes of it, nothing in between


@pytest.mark.parametrize(("date", "count"), [((2023, 3, 26), 23), ((2023, 10, 29), 25), ((2023, 7, 1), 24)])
async def test_a_local_day_has_as_many_rows_as_it_has_hours(gridgram: Gridgram, date: tuple[int, int, int], count: int) -> None:
    """24 rows where there were 23 or 25 hours: https://github.com/EnergieID/entsoe-py/issues/331; a repeated or skipped hour at 1 am:
    https://github.com/gridstatus/gridstatus/issues/415."""
    midnight = datetime(*date, tzinfo=ZoneInfo("Europe/Paris"))
    start, end = midnight.isoformat(), (midnight + timedelta(days=1)).isoformat()

    told = await series(gridgram, start, end)
    job = await emissions(gridgram, {"start": start, "end": end, "total_kwh": count}, include=["hours"])

    stamps = [hour["start"] for hour in told["hours"]]
    assert len(stamps) == len(set(stamps)) == len(job["hours"]) == count
    assert stamps == [format_hour(hour_of(midnight.astimezone(UTC)) + place) for place in range(count)]
    assert [hour["kwh"] for hour in job["hours"]] == pytest.approx([1.0] * count)


async def test_the_same_hour_is_the_same_number_whoever_asks(gridgram: Gridgram) -> None:
    """One call family with two answers: bio-pype-carbon-intensity, production on the fast path and consumption on the other."""
    told = (await series(gridgram, "2024-03-11T23:00:00Z", "2024-03-12T00:00:00Z"))["hours"][0]
    job = (await emissions(gridgram, {"start": "2024-03-11T23:00:00Z", "step": "PT1H", "kwh": [1]}, include=["hours"]))["hours"][0]
    short = await emissions(gridgram, {"start": "2024-03-11T23:00:00Z", "end": "2024-03-12T00:00:00Z", "total_kwh": 1})
    latest = await gridgram.latest(read_request(LatestQuery, {"location": "FR"}, NOW))

    assert {name: job[name] for name in told} == told
    assert short["emissions_g"] == pytest.approx(told["g_per_kwh"], rel=1e-12)
    assert {name: latest[name] for name in told} == told  # type: ignore[literal-required]  # names of one shape in another


# What is not known.


@pytest.mark.parametrize(
    "location", ["XX", "Atlantis", "localhost", "192.0.2.1", "aws:nowhere-1", "geo:0,-30", "geo:91,0", "geo:nan,nan", "00", " "]
)
async def test_an_unknown_place_is_refused_and_never_canada_or_the_world(gridgram: Gridgram, location: str) -> None:
    """A failed look-up became Quebec, a very clean grid: codecarbon external/geography.py; or the caller's own address:
    Electricity Maps without disableCallerLookup."""
    with pytest.raises(UnknownLocation):
        await emissions(gridgram, {"start": DAY, "step": "PT1H", "kwh": [1]}, location)


async def test_no_place_at_all_is_refused_and_never_guessed(gridgram: Gridgram) -> None:
    """The same incidents: where the caller sits is not where the job ran."""
    with pytest.raises(InvalidInput, match="/location: this field is required"):
        await emissions(gridgram, {"start": DAY, "step": "PT1H", "kwh": [1]}, None)


def test_a_point_at_sea_has_no_zone_and_a_point_on_land_always_the_same(locator: Locator) -> None:
    """A point at sea in two different zones: https://github.com/electricitymaps/electricitymaps-contrib/issues/6351."""
    for point in ("geo:45,-30", "geo:-50,-120", "geo:0,0"):
        with pytest.raises(UnknownLocation, match="at sea or outside every zone"):
            locator.resolve(point)
    spellings = ("geo:48.85,2.35", "GEO:48.850,2.3500", "geo:+48.85,+2.35")
    assert {locator.resolve(spelling).zone.key for spelling in spellings} == {"FR"}


@pytest.mark.parametrize("signal", ["marginal", "direct"])
async def test_a_signal_that_is_not_held_is_refused_and_no_fixed_number_stands_in(gridgram: Gridgram, signal: str) -> None:
    """A fixed fallback made "spikes": https://github.com/thegreenwebfoundation/admin-portal/pull/651; 294.21 g/kWh everywhere:
    https://github.com/saintslab/carbontracker/issues/43."""
    with pytest.raises(NoData, match=f"no {signal} intensity"):
        await emissions(gridgram, {"start": DAY, "step": "PT1H", "kwh": [1]}, "IN-WE", signal=signal)


async def test_the_default_is_reported_and_can_be_refused(gridgram: Gridgram) -> None:
    """A default that nobody was told of: https://github.com/saintslab/carbontracker/issues/43."""
    energy = {"start": "2024-03-10T23:00:00Z", "step": "PT1H", "kwh": [1, 3]}

    job = await emissions(gridgram, energy)

    assert job["coverage"] == {"measured": 0.75, "typical": 0.25}
    assert [(part["provider"], part["quality"], part["energy_share"]) for part in job["provenance"]] == [
        ("file", "measured", 0.75),
        ("reference", "typical", 0.25),
    ]
    with pytest.raises(NoData) as caught:
        await emissions(gridgram, energy, min_quality="measured")
    assert caught.value.missing == (("2024-03-10T23:00:00Z", DAY),)


def test_a_constant_is_called_annual_and_only_hours_that_vary_are_typical(reference: Reference, zones: Zones) -> None:
    """A yearly constant in hourly clothing: Hong Kong is 435.4 g in each of 8,759 hours of a year of Electricity Maps' data."""
    first = Month(2023, 7).first_hour
    for zone in zones:
        for signal in Signal:
            held = reference.series(zone.key, signal, first, first + 24)
            if not held.is_complete:
                assert not held.quality.any(), zone.key
                continue
            is_flat = bool((held.g_per_kwh == held.g_per_kwh[0]).all())
            assert set(held.quality.tolist()) == {QUALITY_CODES[Quality.ANNUAL if is_flat else Quality.TYPICAL]}, (zone.key, signal)
            assert is_flat or np.ptp(held.g_per_kwh) > 0.005 * held.g_per_kwh.mean(), (zone.key, signal)
            assert (held.low < held.g_per_kwh).all() or held.g_per_kwh[0] == 0, (zone.key, signal)


def test_every_number_names_its_source_licence_year_and_method(reference: Reference, zones: Zones) -> None:
    """No provenance: https://github.com/mlco2/codecarbon/issues/1354."""
    first = Month(2023, 12).first_hour + 700
    for zone in zones:
        for signal in Signal:
            held = reference.series(zone.key, signal, first, first + 100)
            for source in held.sources:
                assert source.provider == "reference"
                assert source.signal is signal
                assert source.licence
                assert source.attribution
                assert any(str(year) in source.detail for year in range(2005, 2027)), (zone.key, source.detail)


async def test_a_year_of_typical_hours_writes_no_warning(gridgram: Gridgram) -> None:
    """Thousands of warning lines: https://github.com/saintslab/carbontracker/issues/92."""
    with capture_logs() as logs:
        await series(gridgram, "2023-01-01T00:00:00Z", "2024-01-01T00:00:00Z", "DE")

    assert logs == []


async def test_zero_is_a_number_and_missing_is_not(gridgram: Gridgram) -> None:
    """A true zero and a missing value looked the same: kubernetes-carbon-intensity-exporter, omitempty; -1 stood for unknown:
    carbon-aware-sdk, Rating = Value ?? -1."""
    store = gridgram.intensity.store
    await store.merge([hours([0.0, 5.0], zone="IN-WE", origin=FILE)])
    marginal = hours([0.0, math.nan, 7.0], zone="IN-WE", first=0, origin=Source("file", Signal.MARGINAL, Scope.CONSUMPTION, "own", "mine"))
    marginal.quality[1] = 0
    object.__setattr__(marginal, "signal", Signal.MARGINAL)
    await store.merge([marginal])

    told = await series(gridgram, format_hour(MARCH.first_hour), format_hour(MARCH.first_hour + 3), "IN-WE", signal="marginal")

    assert [hour["g_per_kwh"] for hour in told["hours"]] == [0.0, 7.0]
    assert told["missing"] == [{"start": format_hour(MARCH.first_hour + 1), "end": format_hour(MARCH.first_hour + 2)}]
    job = await emissions(gridgram, {"start": format_hour(MARCH.first_hour), "step": "PT1H", "kwh": [1, 1]}, "IN-WE")
    assert job["emissions_g"] == 5.0
    with pytest.raises(NoData):
        await emissions(gridgram, {"start": format_hour(MARCH.first_hour), "step": "PT1H", "kwh": [1, 1]}, "IN-WE", signal="marginal")


NULLS = [
    ("/pue", {"pue": None}),
    ("/signal", {"signal": None}),
    ("/energy/start", {"energy": {"start": None, "step": "PT1H", "kwh": [1]}}),
    ("/energy/kwh/1", {"energy": {"start": DAY, "step": "PT1H", "kwh": [1, None]}}),
    ("/energy/power_w/0", {"energy": {"start": DAY, "step": "PT1H", "power_w": [None]}}),
    ("/energy/total_kwh", {"energy": {"start": DAY, "end": "2024-03-12T00:00:00Z", "total_kwh": None}}),
    ("/energy/intervals/0/kwh", {"energy": {"intervals": [{"start": DAY, "end": "2024-03-12T00:00:00Z", "kwh": None}]}}),
]


@pytest.mark.parametrize(("pointer", "members"), NULLS)
def test_null_for_a_number_is_refused_at_its_place(gridgram: Gridgram, pointer: str, members: dict[str, Any]) -> None:
    """A null intensity killed the reader: https://github.com/Green-Software-Foundation/carbon-aware-sdk/issues/571."""
    sound = {"location": "FR", "energy": {"start": DAY, "step": "PT1H", "kwh": [1]}}

    with pytest.raises(InvalidInput) as caught:
        gridgram.read_job(sound | members)
    assert [fault.pointer for fault in caught.value.faults] == [pointer]


@pytest.mark.parametrize(
    ("parameters", "meant"),
    [
        ({"startTime": DAY, "endTime": DAY}, None),
        ({"start": DAY, "end": DAY, "signals": "direct"}, "signal"),
        ({"start": DAY, "end": DAY, "emissionFactorType": "direct"}, None),
        ({"start": DAY, "end": DAY, "location ": "FR"}, "location"),
    ],
)
def test_an_unknown_parameter_is_refused_and_named(parameters: dict[str, str], meant: str | None) -> None:
    """Unknown parameters were ignored and "now" was served for yesterday: https://github.com/Azure/kubernetes-carbon-intensity-exporter/issues/74;
    the same of /emissions/bylocation in the Carbon Aware SDK."""
    with pytest.raises(InvalidInput) as caught:
        read_request(SeriesQuery, {"location": "FR"} | parameters, NOW)

    unknown = [fault for fault in caught.value.faults if "there is no such field" in fault.detail]
    assert unknown
    assert meant is None or f"did you mean {meant!r}?" in unknown[0].detail


async def test_an_answer_repeats_the_span_that_was_asked_for(gridgram: Gridgram) -> None:
    """Yesterday asked, today told: https://github.com/Azure/kubernetes-carbon-intensity-exporter/issues/72."""
    job = await emissions(gridgram, {"start": "2024-03-10T20:05:00-05:00", "end": "2024-03-11T02:00:00Z", "total_kwh": 1})
    told = await series(gridgram, "2024-03-11T01:05:00Z", "2024-03-11T02:00:01Z")

    assert (job["start"], job["end"]) == ("2024-03-11T01:05:00Z", "2024-03-11T02:00:00Z")
    assert (told["start"], told["end"]) == ("2024-03-11T01:00:00Z", "2024-03-11T03:00:00Z")  # whole hours


async def test_now_states_its_hour_and_its_age(gridgram: Gridgram) -> None:
    """ "Current" was the latest complete half hour: https://github.com/carbon-intensity/api-definitions/issues/14; a feed stood still
    for a day behind HTTP 200: https://github.com/opennem/opennem/issues/479."""
    latest = await gridgram.latest(read_request(LatestQuery, {"location": "FR"}, NOW))

    assert (latest["start"], latest["end"]) == ("2024-03-11T23:00:00Z", "2024-03-12T00:00:00Z")
    assert (latest["quality"], latest["g_per_kwh"]) == ("measured", 400.0)
    assert latest["age_seconds"] == 6 * 3600 + 20 * 60


async def test_what_is_older_than_a_day_is_not_told_as_now(gridgram: Gridgram) -> None:
    """The same incidents, a day later: what is typical for this hour is told instead, and called so."""
    later = NOW + timedelta(days=1)
    stale = Gridgram(gridgram.zones, gridgram.locator, gridgram.intensity, now=lambda: later, ahead=gridgram.ahead)

    latest = await stale.latest(read_request(LatestQuery, {"location": "FR"}, later))

    assert latest["quality"] == "typical"
    assert latest["start"] <= format_time(later) < latest["end"]


async def test_no_answer_holds_null_or_nan(gridgram: Gridgram, zones: Zones) -> None:
    """https://github.com/Green-Software-Foundation/carbon-aware-sdk/issues/571 from the other side: nobody's reader dies of us."""
    for zone in list(zones)[::15]:
        job = await emissions(
            gridgram, {"start": DAY, "step": "PT1H", "kwh": [0, 1e-300, 1e12]}, zone.key, include=["hours", "equivalents"]
        )
        told = await series(gridgram, DAY, "2024-03-11T03:00:00Z", zone.key)
        for document in (orjson.dumps(job), orjson.dumps(told)):
            assert b"null" not in document
            assert b"NaN" not in document
        assert set(job["coverage"]) <= {quality.value for quality in QUALITIES}
