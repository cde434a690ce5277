"""POST /v1/schedule and GET /v1/regions/rank: what is asked, what is answered, and what happens when hours are late or missing."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest

from gridgram.errors import InvalidInput, StoreError, UnknownLocation
from gridgram.interval import hour_of, parse_time
from gridgram.quality import QUALITY_CODES, Quality, Scope, Signal
from gridgram.series import IntensitySeries, Source
from providers.registry import load_providers
from providers.spending import SPENDER
from service.app import build_gridgram
from service.limits import MAX_ASKED_ZONE_DAYS
from service.refusals import QuotaExhausted
from service.requests import read_request
from service.scheduling.answers import ScheduleAnswer
from service.scheduling.ranking import rank
from service.scheduling.requests import RankQuery, ScheduleRequest, split_locations
from service.scheduling.usecase import read_task, schedule
from service.settings import ProviderSettings, Settings
from tests.test_keys import Clock, allowance

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.usecases import Gridgram
    from tests.running import RunningService

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "schedule.md").read_text()
NOW = parse_time("2024-03-20T12:00:00Z")
FIRST = hour_of(parse_time("2024-03-11T00:00:00Z"))
JOB = {
    "locations": ["FR", "DE"],
    "energy": {"duration": "PT3H", "total_kwh": 6},
    "earliest": "2024-03-11T00:00:00Z",
    "latest": "2024-03-12T00:00:00Z",
}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Gridgram]:
    """A house without sources, in March 2024, that holds a day of France and of Germany."""
    gridgram = replace(
        build_gridgram(Settings(offline=True, upstream_seconds=0.1, store=f"sqlite:///{tmp_path / 'series.sqlite'}")), now=lambda: NOW
    )
    await gridgram.intensity.store.merge([day("FR", [60.0] * 10 + [20.0] * 3 + [60.0] * 11), day("DE", [400.0] * 24)])
    yield gridgram
    await gridgram.intensity.close()


def day(zone: str, g_per_kwh: list[float], first_hour: int = FIRST, signal: Signal = Signal.LIFECYCLE) -> IntensitySeries:
    source = Source("file", signal, Scope.PRODUCTION, "none", "made by hand")
    numbers, zeros = np.array(g_per_kwh, float), np.zeros(len(g_per_kwh), np.uint8)
    quality = np.full(len(g_per_kwh), QUALITY_CODES[Quality.MEASURED], np.uint8)
    return IntensitySeries(zone, signal, first_hour, numbers, numbers * 0.9, numbers * 1.1, quality, zeros, (source,))


async def place(gridgram: Gridgram, **members: Any) -> Any:
    return (await schedule(gridgram, read_task(gridgram, {**JOB, **members}))).answer


def faults(gridgram: Gridgram, **members: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        read_task(gridgram, {name: value for name, value in {**JOB, **members}.items() if value is not None})
    return {fault.pointer: fault.detail for fault in refused.value.faults}


# --- the answer


async def test_provenance_tells_the_zones_in_the_order_of_the_locations(house: Gridgram) -> None:
    locations = ["PL", "FR", "ES", "DE", "aws:eu-west-3", "IT"]

    scheduled = await place(house, locations=locations)
    ranked = await rank(house, read_request(RankQuery, {"locations": ",".join(locations)}, NOW))

    for answer in (scheduled, ranked):
        assert list(dict.fromkeys(entry["zone"] for entry in answer["provenance"])) == ["PL", "FR", "ES", "DE", "IT"]


async def test_the_best_start_is_told_with_its_savings_and_their_band(house: Gridgram) -> None:
    answer = await place(house, top=1)

    best = answer["options"][0]
    assert (best["location"], best["start"], best["end"]) == ("FR", "2024-03-11T10:00:00Z", "2024-03-11T13:00:00Z")
    assert (best["emissions_g"], best["intensity_g_per_kwh"], best["energy_kwh"]) == pytest.approx((120, 20, 6))
    assert (best["emissions_low_g"], best["emissions_high_g"]) == pytest.approx((108, 132))
    assert (best["quality"], best["coverage"]) == ("measured", {"measured": 1.0})
    assert answer["baseline"]["start"] == JOB["earliest"]
    assert (best["savings_g"], best["savings_percent"]) == pytest.approx((240, 100 * 2 / 3))
    assert (best["savings_low_g"], best["savings_high_g"]) == pytest.approx((360 * 0.9 - 132, 360 * 1.1 - 108))
    assert [option["location"] for option in answer["per_location"]] == ["FR", "DE"]
    assert (answer["unavailable"], answer["missing"]) == ([], [])
    assert {entry["zone"]: entry["hours"] for entry in answer["provenance"]} == {"FR": 24, "DE": 24}


async def test_an_option_emits_what_the_same_job_is_accounted_for(house: Gridgram) -> None:
    energy = {"duration": "PT1H30M", "step": "PT30M", "kwh": [1.0, 4.0, 2.5]}
    best = (await place(house, energy=energy, step="PT5M", pue={"FR": 1.3}, locations=["FR"]))["options"][0]

    job = {"location": "FR", "energy": {"start": best["start"], "step": "PT30M", "kwh": energy["kwh"]}, "pue": 1.3}
    accounted = await house.emissions(house.read_job(job))

    assert (best["start"], best["end"]) == ("2024-03-11T10:00:00Z", "2024-03-11T11:30:00Z")
    for name in ("emissions_g", "emissions_low_g", "emissions_high_g", "intensity_g_per_kwh", "coverage"):
        assert best[name] == pytest.approx(accounted[name])  # type: ignore[literal-required]
    assert best["energy_kwh"] == pytest.approx(accounted["facility_energy_kwh"])


async def test_an_interrupted_job_is_told_chunk_by_chunk(house: Gridgram) -> None:
    await house.intensity.store.merge([day("FR", [90, 10, 90, 10, 90, 10, 90, 90])])

    answer = await place(house, locations=["FR"], latest="2024-03-11T08:00:00Z", interruptible=True, top=2)

    best, next_best = answer["options"]
    assert [chunk["start"][11:13] for chunk in best["chunks"]] == ["01", "03", "05"]
    assert best["emissions_g"] == pytest.approx(60)
    assert len(next_best["chunks"]) == 1
    costly = await place(house, locations=["FR"], latest="2024-03-11T08:00:00Z", interruptible=True, resume_kwh=20)
    assert len(costly["options"][0]["chunks"]) == 1
    longer = await place(house, locations=["FR"], latest="2024-03-11T08:00:00Z", interruptible=True, min_chunk="PT90M")
    assert all(len(option["chunks"]) == 1 for option in longer["options"])


async def test_bringing_the_job_to_another_place_can_cost_more_than_it_saves(house: Gridgram) -> None:
    near = {"locations": ["DE", "FR"], "latest": "2024-03-11T03:00:00Z"}

    free, dear = await place(house, **near), await place(house, **near, transfer_kwh={"FR": 40}, startup_kwh={"FR": 1})

    assert free["options"][0]["location"] == "FR"
    assert dear["options"][0]["location"] == "DE"
    assert dear["options"][1]["energy_kwh"] == pytest.approx(6 + 40 + 1)


async def test_nothing_known_at_or_after_as_of_is_used(house: Gridgram) -> None:
    before = await place(house, as_of="2024-03-11T05:00:00Z")
    await house.intensity.store.merge([day("FR", [1.0] * 19, FIRST + 5)])
    house.intensity.memory.clear()
    after = await place(house, as_of="2024-03-11T05:00:00Z")

    assert before == after
    assert {entry["quality"]: entry["hours"] for entry in before["provenance"] if entry["zone"] == "FR"} == {"measured": 5, "typical": 19}
    assert (await place(house))["options"][0]["emissions_g"] == pytest.approx(6)


async def test_hours_that_are_worse_than_asked_are_left_out_and_listed(house: Gridgram) -> None:
    answer = await place(house, latest="2024-03-12T03:00:00Z", min_quality="measured", locations=["FR", "ES"])

    assert answer["options"][0]["start"] == "2024-03-11T10:00:00Z"
    assert {"location": "FR", "start": "2024-03-12T00:00:00Z", "end": "2024-03-12T03:00:00Z"} in answer["missing"]
    assert [gap["location"] for gap in answer["unavailable"]] == ["ES"]
    assert "no hour of the window has a lifecycle intensity at quality measured" in answer["unavailable"][0]["reason"]


async def test_without_the_hours_of_the_baseline_no_savings_are_told(house: Gridgram) -> None:
    answer = await place(house, earliest="2024-03-10T23:00:00Z", min_quality="measured")

    assert "baseline" not in answer
    assert "savings_g" not in answer["options"][0]
    nowhere = await place(house, signal="marginal")
    assert (nowhere["options"], nowhere["per_location"], len(nowhere["unavailable"])) == ([], [], 2)


async def test_two_locations_of_one_zone_differ_by_their_pue_alone(house: Gridgram) -> None:
    answer = await place(house, locations=["FR", "gcp:europe-west9"], pue={"gcp:europe-west9": 1.5})

    mine, theirs = answer["per_location"]
    assert theirs["emissions_g"] == pytest.approx(1.5 * mine["emissions_g"])
    assert len([entry for entry in answer["provenance"] if entry["zone"] == "FR"]) == 1


async def test_windows_are_instants_whatever_offset_they_are_written_in(house: Gridgram) -> None:
    there = await place(house, earliest="2024-03-11T05:45:00+05:45", latest="2024-03-11T19:00:00-05:00")

    assert there == await place(house)


async def test_without_an_earliest_start_the_next_full_step_after_now_is_it(house: Gridgram) -> None:
    house.now = lambda: parse_time("2024-03-20T11:47:12.5Z")

    starts = [
        (
            await schedule(
                house,
                read_task(house, {**{k: v for k, v in JOB.items() if k != "earliest"}, "step": step, "latest": "2024-03-21T00:00:00Z"}),
            )
        ).answer["earliest"]
        for step in ("PT1H", "PT5M", "P1D")
    ]

    assert starts == ["2024-03-20T12:00:00Z", "2024-03-20T11:50:00Z", "2024-03-20T12:00:00Z"]


# --- late and failing locations


async def test_a_zone_that_is_late_is_answered_by_what_is_held_of_it_and_delays_no_other(house: Gridgram) -> None:
    read = house.intensity.read

    async def slowly(zone: str, signal: Signal, first_hour: int, end_hour: int) -> IntensitySeries:
        if zone == "DE":
            await asyncio.Event().wait()
        return await read(zone, signal, first_hour, end_hour)

    object.__setattr__(house, "intensity", _Reading(house.intensity, slowly))
    answer = await place(house)
    as_of_then = await place(house, as_of="2024-03-12T00:00:00Z")

    assert {entry["zone"]: entry["quality"] for entry in answer["provenance"]} == {"FR": "measured", "DE": "measured"}
    assert {entry["zone"]: entry["quality"] for entry in as_of_then["provenance"]} == {"FR": "measured", "DE": "typical"}
    assert [option["location"] for option in answer["per_location"]] == ["FR", "DE"]


async def test_of_many_zones_and_a_long_past_only_the_newest_days_are_asked_for_and_the_rest_is_what_is_held(house: Gridgram) -> None:
    await house.intensity.store.merge([day("FR", [7.0] * 24, FIRST - 300 * 24)])
    asked: list[tuple[str, int]] = []
    read = house.intensity.read

    async def noted(zone: str, signal: Signal, first_hour: int, end_hour: int) -> IntensitySeries:
        asked.append((zone, first_hour))
        return await read(zone, signal, first_hour, end_hour)

    object.__setattr__(house, "intensity", _Reading(house.intensity, noted))
    zones = ["FR", "DE", "ES", "PL", "IT", "PT", "BE", "NL", "AT", "CH"]
    task = read_task(house, {**JOB, "locations": zones, "earliest": "2023-03-21T00:00:00Z", "latest": "2024-03-19T00:00:00Z"})
    made = await schedule(house, task)

    assert sorted(asked) == sorted((zone, hour_of(NOW) - MAX_ASKED_ZONE_DAYS // 10 * 24) for zone in zones)
    assert {len(hours.g_per_kwh) for hours in made.hours.values()} == {364 * 24}
    best = made.answer["options"][0]
    assert (best["location"], best["intensity_g_per_kwh"], best["start"][:10]) == ("FR", 7.0, "2023-05-16")


async def test_a_source_that_never_answers_delays_no_schedule(tmp_path: Path) -> None:
    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    providers = {name: ProviderSettings(enabled=name == "gb", url=address) for name in load_providers()}
    store = f"sqlite:///{tmp_path / 'series.sqlite'}"
    gridgram = replace(build_gridgram(Settings(store=store, providers=providers, upstream_seconds=0.2)), now=lambda: NOW)
    began = asyncio.get_running_loop().time()

    answer = await place(gridgram, locations=["GB", "FR"], signal="direct")

    assert asyncio.get_running_loop().time() - began < 5
    assert {entry["quality"] for entry in answer["provenance"]} == {"typical"}
    assert gridgram.intensity.fetcher is not None
    assert gridgram.intensity.fetcher.usable("GB", Signal.DIRECT)
    await gridgram.intensity.close()
    server.close()
    await server.wait_closed()


async def test_a_key_without_calls_left_is_told_so_and_nothing_of_groups(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'series.sqlite'}"
    providers = {name: ProviderSettings(enabled=name == "gb", url="http://127.0.0.1:1") for name in load_providers()}
    gridgram = replace(build_gridgram(Settings(store=store, providers=providers)), now=lambda: NOW)
    token = SPENDER.set(allowance(Clock(), upstream_calls_per_day=0))

    try:
        with pytest.raises(QuotaExhausted):
            await place(gridgram, locations=["GB", "FR"], signal="direct")
    finally:
        SPENDER.reset(token)
        await gridgram.intensity.close()


async def test_a_store_that_fails_ends_no_schedule(house: Gridgram) -> None:
    async def failing(*_: object) -> IntensitySeries:
        raise StoreError("the store is gone")

    object.__setattr__(house, "intensity", _Reading(house.intensity, failing, failing))
    answer = await place(house)

    assert {entry["quality"] for entry in answer["provenance"]} == {"typical"}
    assert len(answer["per_location"]) == 2


class _Reading:
    """The hours of a house, read in another way."""

    def __init__(self, intensity: Any, read: Any, held_hours: Any = None) -> None:
        self._intensity, self.read, self.held_hours = intensity, read, held_hours or intensity.held_hours

    def __getattr__(self, name: str) -> Any:
        return getattr(self._intensity, name)


# --- the page


async def test_the_request_of_the_page_is_answered(house: Gridgram) -> None:
    request = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert request

    made = await schedule(house, read_task(house, orjson.loads(request[1])))

    assert len(made.answer["options"]) == 3


def test_every_field_of_a_request_and_of_an_answer_stands_on_the_page() -> None:
    told = {*re.findall(r"`([a-z_0-9]+)`", PAGE)}

    assert ScheduleRequest.model_fields.keys() - told == set()
    assert ScheduleAnswer.__annotations__.keys() - told - {"signal", "earliest", "latest", "as_of", "provenance"} == set()


# --- what is refused


def test_what_does_not_fit_together_is_refused_all_at_once(house: Gridgram) -> None:
    found = faults(
        house,
        locations=["FR", "DE", "FR"],
        pue={"fr": 1.2},
        transfer_kwh={"E/S": 1},
        step="PT1M",
        min_chunk="PT9H",
        resume_kwh=1,
        latest="2024-03-11T02:00:00Z",
    )

    assert found.keys() == {"/locations/2", "/pue/fr", "/transfer_kwh/E~1S", "/step", "/min_chunk", "/resume_kwh", "/latest"}
    assert found["/latest"].startswith("the job takes 3 h and the window has 2")


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"locations": []}, "/locations"),
        ({"locations": ["FR"] * 51}, "/locations"),
        ({"energy": {"duration": "PT3H"}}, "/energy"),
        ({"energy": {"duration": "PT3H", "total_kwh": -1}}, "/energy/total_kwh"),
        ({"energy": {"duration": "PT3H", "total_kwh": True}}, "/energy/total_kwh"),
        ({"energy": {"duration": "PT3H", "total_kwh": float("nan")}}, "/energy/total_kwh"),
        ({"energy": {"duration": "PT3H", "total_kwh": 1, "stop": 1}}, "/energy/stop"),
        ({"energy": {"duration": "PT3H", "step": "PT1H", "kwh": [1, 2]}}, "/energy/duration"),
        ({"energy": {"step": "PT1H", "kwh": [1, "2"]}}, "/energy/kwh/1"),
        ({"energy": {"step": "PT1H", "kwh": []}}, "/energy/kwh"),
        ({"latest": None}, "/latest"),
        ({"latest": "2024-03-11T00:00:00Z"}, "/latest"),
        ({"latest": "2024-03-12T00:00:00"}, "/latest"),
        ({"latest": "2024-04-12T00:00:00Z"}, "/latest"),
        ({"earliest": "2022-03-12T00:00:00Z"}, "/latest"),
        ({"pue": {"FR": 0.9}}, "/pue/FR"),
        ({"pue": 1.1}, "/pue"),
        ({"startup_kwh": {"FR": -1}}, "/startup_kwh/FR"),
        ({"top": 0}, "/top"),
        ({"top": 51}, "/top"),
        ({"signal": "average"}, "/signal"),
        ({"interruptible": 1}, "/interruptible"),
        ({"interruptible": True, "min_chunk": "PT4H"}, "/min_chunk"),
        ({"windows": []}, "/windows"),
    ],
)
def test_a_request_that_is_wrong_is_refused_where_it_is_wrong(house: Gridgram, members: dict[str, Any], pointer: str) -> None:
    assert pointer in faults(house, **members)


def test_an_unknown_field_of_the_energy_is_told_with_the_closest_known_one(house: Gridgram) -> None:
    found = faults(house, energy={"duration": "PT3H", "total_kwh": 1, "durations": "PT1H"})

    assert found == {"/energy/durations": "there is no such field; did you mean 'duration'?"}


def test_a_plan_that_would_take_too_long_is_refused_with_the_mend(house: Gridgram) -> None:
    long = {"earliest": "2023-04-01T00:00:00Z", "step": "PT5M", "interruptible": True, "resume_kwh": 1}

    assert "take a longer step" in faults(house, energy={"duration": "P7D", "total_kwh": 1}, **long)["/step"]
    assert read_task(house, {**JOB, **long, "resume_kwh": 0}).pauses is not None


async def test_a_location_that_names_no_zone_is_refused_by_name(house: Gridgram) -> None:
    with pytest.raises(UnknownLocation, match="FRANC"):
        await place(house, locations=["FR", "FRANC"])


# --- ranking


async def ranked(gridgram: Gridgram, locations: str, **members: str) -> Any:
    return await rank(gridgram, read_request(RankQuery, {"locations": locations, **members}, gridgram.now()))


async def test_regions_are_ranked_by_the_mean_that_is_asked_for(house: Gridgram) -> None:
    present = hour_of(NOW)
    await house.intensity.store.merge(
        [
            day("FR", [50.0] * 100 + [90.0] + [10.0] * 24, present - 100),
            day("DE", [400.0] * 100 + [30.0] + [500.0] * 24, present - 100),
        ]
    )

    by_day = await ranked(house, "DE,FR")
    by_now = await ranked(house, "FR,DE", by="now")

    assert [region["location"] for region in by_day["regions"]] == ["FR", "DE"]
    assert [region["location"] for region in by_now["regions"]] == ["DE", "FR"]
    france = by_day["regions"][0]
    assert (france["now"]["g_per_kwh"], france["next_24_hours"]["g_per_kwh"]) == pytest.approx((90, 10))
    assert (france["next_24_hours"]["low"], france["next_24_hours"]["high"]) == pytest.approx((9, 11))
    assert (france["next_24_hours"]["start"], france["next_24_hours"]["end"]) == ("2024-03-20T13:00:00Z", "2024-03-21T13:00:00Z")
    assert france["last_12_months"]["coverage"]["measured"] == pytest.approx(124 / 8_760)
    assert france["last_12_months"]["quality"] == "typical"


async def test_a_region_without_hours_is_listed_and_hours_that_miss_are_counted(house: Gridgram) -> None:
    await house.intensity.store.merge([day("FR", [50.0] * 10, hour_of(NOW), Signal.MARGINAL)])

    answer = await ranked(house, "FR,DE", signal="marginal")

    assert [region["location"] for region in answer["regions"]] == ["FR"]
    assert (answer["regions"][0]["next_24_hours"]["hours_missing"], answer["regions"][0]["now"]["hours_missing"]) == (15, 0)
    assert "last_12_months" not in answer["regions"][0]
    assert answer["unavailable"] == [{"location": "DE", "zone": "DE", "reason": "no hour of the next 24 hours has a marginal intensity"}]


def test_the_comma_inside_a_point_parts_nothing() -> None:
    assert split_locations("FR, geo:48.85,2.35 ,DE,GEO:-33.87, 151.21") == ["FR", "geo:48.85,2.35", "DE", "GEO:-33.87,151.21"]
    for wrong in ("FR,,DE", "FR,FR", ",".join(f"Z{number}" for number in range(51)), "x" * 201):
        with pytest.raises(InvalidInput):
            split_locations(wrong)


# --- over HTTP


def test_a_running_service_places_jobs_and_ranks_regions(service: RunningService) -> None:
    status, answer = service.post("/v1/schedule", {**JOB, "locations": ["FR", "geo:52.5,13.4"]})
    assert (status, len(answer["options"]), len(answer["per_location"])) == (200, 5, 2)

    status, answer = service.post("/v1/schedule", {**JOB, "latets": 1})
    assert (status, answer["errors"][0]["detail"]) == (422, "there is no such field; did you mean 'latest'?")

    status, answer = service.get("/v1/regions/rank?locations=FR,geo:52.5,13.4,US-CAL-CISO&by=last_12_months")
    assert (status, answer["regions"][0]["location"]) == (200, "FR")

    status, answer = service.get("/v1/regions/rank?locations=FR,FRANC")
    assert (status, answer["error"]) == (404, "unknown-location")
