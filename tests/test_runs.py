"""Runs as trackers and their owners see them: places, times, figures that follow better hours, and what is refused."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from gridgram.errors import InvalidInput, StoreError, UnknownLocation
from gridgram.interval import format_time, hour_of, parse_time
from gridgram.quality import Quality, Signal
from service.requests import read_request
from service.runs.places import ITS_DEFAULT, NO_PLACE, Places, Told
from service.runs.postgres_records import PostgresRecords
from service.runs.records import UnknownRun
from service.runs.requests import CodeCarbonDelta, CodeCarbonRun, CodeCarbonTotal, RunEnergyRequest, RunsQuery
from service.runs.terminal import print_run, print_runs
from tests.running import gridgram as command
from tests.running import running_service
from tests.runs import hours, house

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from service.runs.usecase import Runs
    from tests.running import RunningService

NOW = parse_time("2024-04-20T12:00:00Z")
START = parse_time("2024-03-01T00:00:00Z")
FIRST = hour_of(START)
RUN = "5b0fa12a3dd745bb9766cc326314d9f1"
TOTAL = {
    "timestamp": "2024-03-01T02:00:00",
    "run_id": "6c1fb23b-4ee8-46cc-8877-dd437425e0a2",
    "project_name": "bloom",
    "duration": 7200.0,
    "energy_consumed": 2.0,
    "emissions": 0.1,
    "country_iso_code": "FRA",
    "longitude": None,
    "latitude": None,
    "on_cloud": "N",
    "cloud_provider": "",
    "cloud_region": "",
    "a_field_of_a_newer_version": [1, {"x": None}],
}


@pytest.fixture
async def runs(tmp_path: Path) -> AsyncIterator[Runs]:
    kept = house(tmp_path, NOW)
    yield kept
    await kept.close()
    await kept.gridgram.intensity.close()


async def keep_total(runs: Runs, location: str | None = None, owner: str = "", **members: Any) -> Any:
    raw = {**TOTAL, **members}
    return await runs.keep_total(read_request(CodeCarbonTotal, raw, runs.gridgram.now()), raw, owner, location)


async def keep_energy(runs: Runs, energy: dict[str, Any], key: str = "", run: str = RUN, owner: str = "", **members: Any) -> Any:
    raw = {"location": "FR", "energy": energy, **members}
    return await runs.keep_energy(run, read_request(RunEnergyRequest, raw, runs.gridgram.now()), owner, key)


def flat(start: datetime, hours_long: float, kwh: float) -> dict[str, Any]:
    return {"start": format_time(start), "end": format_time(start + timedelta(hours=hours_long)), "total_kwh": kwh}


# --- following


async def test_eighteen_days_of_samples_with_hours_that_come_late_end_in_the_figure_computed_in_one_go(tmp_path: Path) -> None:
    """As BLOOM's deployment was followed: a sample every ten minutes; hours come two days late, and are corrected at the end."""
    runs = house(tmp_path, START)
    store = runs.gridgram.intensity.store
    measured = [40.0 + 30.0 * ((hour * 7919) % 24) / 24 for hour in range(18 * 24)]
    samples, total_kwh = [], 0.0
    figures = []
    for day in range(18):
        morning = START + timedelta(days=day)
        power_w = [1700.0 + 5.0 * ((day * 144 + number) % 97) for number in range(144)]
        samples += power_w
        runs.gridgram = replace(runs.gridgram, now=lambda morning=morning: morning + timedelta(days=1))
        for part in range(0, 144, 36):  # a request every six hours
            step = {"start": format_time(morning + timedelta(minutes=10 * part)), "step": "PT10M", "power_w": power_w[part : part + 36]}
            total_kwh += sum(power_w[part : part + 36]) / 6000
            await keep_energy(runs, step)
        if day >= 2:
            first = (day - 2) * 24
            await store.merge([hours(FIRST + first, measured[first : first + 24], Quality.PRELIMINARY)])
            await runs.gridgram.intensity.look_again()
        figures.append((await runs.run(RUN, "", "P1D"))["emissions_g"])
    await store.merge([hours(FIRST, measured, Quality.MEASURED)])
    await runs.gridgram.intensity.look_again()
    runs.gridgram = replace(runs.gridgram, now=lambda: NOW)

    followed = await runs.run(RUN, "", "PT1H")
    request = {"location": "FR", "energy": {"start": "2024-03-01T00:00:00Z", "step": "PT10M", "power_w": samples}}
    at_once = await runs.gridgram.emissions(runs.gridgram.read_job(request))
    await runs.close()
    await runs.gridgram.intensity.close()

    assert followed["samples"] == 18 * 144
    assert followed["energy_kwh"] == pytest.approx(total_kwh, rel=1e-12)
    assert followed["energy_kwh"] == pytest.approx(at_once["energy_kwh"], rel=1e-12)
    assert followed["emissions_g"] == pytest.approx(at_once["emissions_g"], rel=1e-12)
    assert followed["emissions_low_g"] == pytest.approx(at_once["emissions_low_g"], rel=1e-12)
    assert followed["emissions_high_g"] == pytest.approx(at_once["emissions_high_g"], rel=1e-12)
    assert followed["coverage"] == at_once["coverage"] == {"measured": 1.0}
    assert len(followed["over_time"]) == 18 * 24
    assert sum(step["emissions_g"] for step in followed["over_time"]) == pytest.approx(followed["emissions_g"], rel=1e-12)
    assert figures == sorted(figures)
    check_history(followed["revisions"], followed["emissions_g"])


def check_history(revisions: list[Any], final_g: float) -> None:
    """Each revision tells when, by which hours and quality, old and new; the last ends at the figure."""
    assert [change["changed_hours"] for change in revisions[:-1]] == [24] * 16
    assert all(change["before_hours"] == {"typical": 24} and change["after_hours"] == {"preliminary": 24} for change in revisions[:-1])
    assert revisions[0]["at"] == "2024-03-04T00:00:00Z"
    assert (revisions[0]["first_hour_start"], revisions[0]["last_hour_start"]) == ("2024-03-01T00:00:00Z", "2024-03-01T23:00:00Z")
    assert revisions[-1]["before_hours"] == {"preliminary": 16 * 24, "typical": 2 * 24}
    assert revisions[-1]["after_hours"] == {"measured": 18 * 24}
    assert revisions[-1]["emissions_after_g"] == pytest.approx(final_g, rel=1e-12)
    assert revisions[-1]["emissions_before_g"] != revisions[-1]["emissions_after_g"]
    assert all(change["providers"] == ["rte"] for change in revisions)


async def test_a_run_is_followed_though_nobody_asks(runs: Runs) -> None:
    await keep_energy(runs, flat(START, 2, 2.0))
    await runs.follow_once()
    await runs.gridgram.intensity.store.merge([hours(FIRST, [50.0, 70.0], Quality.MEASURED)])
    await runs.gridgram.intensity.look_again()

    await runs.follow_once()
    await runs.follow_once()

    run = await runs.records.run("", RUN)
    assert len(await runs.records.revisions("", RUN)) == 1
    assert run.version == 2
    assert runs.told[RUN] == (2.0, 120.0)


async def test_the_follower_comes_round_and_outlives_a_store_that_is_away(runs: Runs) -> None:
    await keep_energy(runs, flat(START, 2, 2.0))
    runs.follow_seconds = 0.02
    following = asyncio.create_task(runs.follow())
    await until(lambda: bool(runs.told))
    await runs.gridgram.intensity.store.merge([hours(FIRST, [50.0, 70.0], Quality.MEASURED)])
    await runs.gridgram.intensity.look_again()
    await until(lambda: runs.told[RUN] == (2.0, 120.0))

    kept, runs.records = runs.records, PostgresRecords("postgresql://127.0.0.1:1/none", "nowhere")
    with capture_logs() as logged:
        await until(lambda: bool(logged))
    runs.records = kept
    runs.told.clear()
    await until(lambda: bool(runs.told))
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)

    assert logged[0]["event"] == "runs.not_followed"
    assert len(await runs.records.revisions("", RUN)) == 1


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110 - the follower tells nobody
            await asyncio.sleep(0)


async def test_an_hour_that_was_measured_stays_so_when_the_store_is_emptied(runs: Runs, tmp_path: Path) -> None:
    await keep_energy(runs, flat(START, 2, 2.0))
    await runs.gridgram.intensity.store.merge([hours(FIRST, [50.0, 70.0], Quality.MEASURED)])
    before = await runs.run(RUN, "", "P1D")
    (tmp_path / "elsewhere").mkdir()
    emptied = house(tmp_path / "elsewhere", NOW, runs.records)

    after = await emptied.run(RUN, "", "P1D")
    await emptied.gridgram.intensity.close()

    assert after == before
    assert (after["emissions_g"], after["coverage"]) == (120.0, {"measured": 1.0})


async def test_hours_without_an_intensity_are_told_and_not_counted_as_zero(runs: Runs) -> None:
    zone = next(zone.key for zone in runs.gridgram.zones if not runs.gridgram.intensity.reference.offer(zone.key, Signal.LIFECYCLE))
    await keep_energy(runs, flat(START, 2, 2.0), location=zone)
    nothing = await runs.run(RUN, "", "P1D")
    await runs.gridgram.intensity.store.merge([hours(FIRST, [50.0], Quality.MEASURED, zone=zone)])
    await runs.gridgram.intensity.look_again()
    half = await runs.run(RUN, "", "PT1H")

    assert (nothing["hours_missing"], nothing["unpriced_kwh"], nothing["coverage"]) == (2, 2.0, {})
    assert "emissions_g" not in nothing
    assert (half["hours_missing"], half["priced_kwh"], half["unpriced_kwh"], half["emissions_g"]) == (1, 1.0, 1.0, 50.0)
    assert ["emissions_g" in step for step in half["over_time"]] == [True, False]
    assert half["revisions"] == []


# --- energy from any tracker


async def test_the_same_span_counts_once_and_another_energy_for_it_is_refused(runs: Runs) -> None:
    first = await keep_energy(runs, flat(START, 1, 1.0))
    again = await keep_energy(runs, flat(START, 1, 1.0))

    assert (again["id"], again["new_samples"]) == (first["id"], 0)
    with pytest.raises(InvalidInput, match="never changed"):
        await keep_energy(runs, flat(START, 1, 1.5))
    assert (await runs.run(RUN, "", "P1D"))["energy_kwh"] == 1.0


async def test_under_an_idempotency_key_only_the_same_is_the_same(runs: Runs) -> None:
    two_meters = [await keep_energy(runs, flat(START, 1, 1.0), key=key) for key in ("meter 1", "meter 2", "meter 1")]

    assert two_meters[0]["id"] == two_meters[2]["id"] != two_meters[1]["id"]
    assert (await runs.run(RUN, "", "P1D"))["energy_kwh"] == 2.0
    with pytest.raises(InvalidInput, match="same key"):
        await keep_energy(runs, {"start": "2024-03-01T00:00:00Z", "step": "PT1H", "kwh": [1.0, 1.0]}, key="meter 1")


async def test_every_form_of_energy_is_kept_step_by_step(runs: Runs) -> None:
    await keep_energy(runs, {"start": "2024-03-01T00:00:00Z", "step": "PT1H", "kwh": [1.0, 2.0]}, tracker_emissions_g=90.0)
    await keep_energy(runs, {"start": "2024-03-01T02:00:00Z", "step": "PT30M", "power_w": [1000, 3000]}, tracker_emissions_g=10.0)
    gap = {"intervals": [{"start": "2024-03-02T00:00:00Z", "end": "2024-03-02T00:20:00Z", "kwh": 0.5}]}
    await keep_energy(runs, gap, tracker_emissions_g=1.0)

    run = await runs.run(RUN, "", "P1D")

    assert (run["samples"], run["energy_kwh"], run["tracker_emissions_g"]) == (5, 5.5, pytest.approx(101.0))
    assert [(step["start"], step["end"], step["energy_kwh"]) for step in run["over_time"]] == [
        ("2024-03-01T00:00:00Z", "2024-03-02T00:00:00Z", 5.0),
        ("2024-03-02T00:00:00Z", "2024-03-02T00:20:00Z", 0.5),
    ]


async def test_what_makes_no_run_is_refused_with_its_mend(runs: Runs) -> None:
    request = read_request(RunEnergyRequest, {"energy": flat(START, 1, 1.0)}, NOW)

    with pytest.raises(InvalidInput, match="say where it runs"):
        await runs.keep_energy(RUN, request, "", "")
    with pytest.raises(InvalidInput, match="no UUID"):
        await keep_energy(runs, flat(START, 1, 1.0), run="run 1")
    with pytest.raises(UnknownLocation):
        await keep_energy(runs, flat(START, 1, 1.0), location="FRANC")
    with pytest.raises(InvalidInput, match="at most 10000"):
        await keep_energy(runs, {"start": "2024-03-01T00:00:00Z", "step": "PT1S", "kwh": [0.0] * 10_001})
    with pytest.raises(InvalidInput, match="no `next`"):
        await runs.page(RunsQuery(after="x"), "")
    assert (await runs.page(RunsQuery(), ""))["runs"] == []


async def test_anothers_run_is_not_there(runs: Runs) -> None:
    await keep_energy(runs, flat(START, 1, 1.0), owner="alice")

    with pytest.raises(UnknownRun):
        await runs.run(RUN, "bob", "P1D")
    assert (await runs.page(RunsQuery(), "bob"))["runs"] == []
    assert len((await runs.page(RunsQuery(), "alice"))["runs"]) == 1


# --- CodeCarbon's records


async def test_a_record_of_codecarbon_is_kept_whole_and_only_once(runs: Runs) -> None:
    first, again = await keep_total(runs), await keep_total(runs)

    assert (again["id"], again["new_samples"]) == (first["id"], 0)
    run = await runs.run(first["run_id"], "", "P1D")
    assert (run["name"], run["location"], run["zone"], run["energy_kwh"]) == ("bloom", "FRA", "FR", 2.0)
    assert run["tracker_emissions_g"] == pytest.approx(100.0)
    assert (run["start"], run["end"]) == ("2024-03-01T00:00:00Z", "2024-03-01T02:00:00Z")


async def test_a_time_without_offset_is_the_wall_clock_that_makes_it_the_present(runs: Runs) -> None:
    kept = await keep_total(runs, timestamp="2024-04-20T14:00:03")  # 12:00 UTC now
    india = await keep_total(runs, timestamp="2024-04-20T17:29:58", run_id="1" * 32)

    run = await runs.run(kept["run_id"], "", "P1D")
    other = await runs.run(india["run_id"], "", "P1D")

    assert (run["end"], other["end"]) == ("2024-04-20T12:00:03Z", "2024-04-20T11:59:58Z")
    assert "+02:00" in run["remarks"][0]
    assert "+05:30" in other["remarks"][0]


async def test_a_time_without_offset_that_no_clock_shows_is_taken_as_utc_and_told_so(runs: Runs) -> None:
    kept = await keep_total(runs)

    run = await runs.run(kept["run_id"], "", "P1D")

    assert run["end"] == "2024-03-01T02:00:00Z"
    assert "taken as UTC" in run["remarks"][0]


async def test_a_record_that_comes_again_later_is_still_the_same(runs: Runs) -> None:
    unnamed = {"run_id": "None", "timestamp": "2024-04-20T14:00:00"}
    first = await keep_total(runs, **unnamed)
    runs.gridgram = replace(runs.gridgram, now=lambda: NOW + timedelta(minutes=7))

    again = await keep_total(runs, **unnamed)

    assert (again["id"], again["run_id"], again["new_samples"]) == (first["id"], first["run_id"], 0)


@pytest.mark.parametrize(
    ("told", "location"),
    [
        (Told(country="FRA", region="île-de-france"), "FR-IDF"),
        (Told(country="USA", region="california"), "US-CA"),
        (Told(country="CAN", region="quebec", latitude=46.81, longitude=-71.21), "CA-QC"),
        (Told(country="CHN", region="guangdong"), "CN-GD"),
        (Told(country="FRA", cloud="gcp", cloud_region="europe-west9"), "gcp:europe-west9"),
        (Told(latitude=48.9, longitude=2.4), "geo:48.9,2.4"),
    ],
)
def test_what_a_tracker_tells_of_its_place_becomes_a_location(runs: Runs, told: Told, location: str) -> None:
    assert Places(runs.gridgram.locator).of(told)[0] == location


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (Told(), NO_PLACE),
        (Told(latitude=0.0, longitude=0.0), NO_PLACE),
        (Told(country="CAN", region="quebec", latitude=46.8, longitude=-71.2), ITS_DEFAULT),
        (Told(latitude=46.8, longitude=-71.2), ITS_DEFAULT),
        (Told(country="XXX"), "No place is named 'XXX'."),
        (Told(country="FRA", cloud="aws", cloud_region="mars-north-1"), "No place is named 'aws:mars-north-1'."),
    ],
)
def test_a_place_that_is_not_known_is_none_and_never_a_default(runs: Runs, told: Told, why: str) -> None:
    location, remark = Places(runs.gridgram.locator).of(told)

    assert location == ""
    assert remark.startswith(why)


async def test_a_record_without_a_place_is_kept_with_its_energy_and_the_reason(runs: Runs) -> None:
    kept = await keep_total(runs, country_iso_code="ATLANTIS")

    run = await runs.run(kept["run_id"], "", "P1D")

    assert (run["energy_kwh"], run["unpriced_kwh"], run["hours_missing"]) == (2.0, 2.0, 2)
    assert "emissions_g" not in run
    assert any("ATLANTIS" in remark for remark in run["remarks"])


async def test_a_place_in_the_url_counts_before_what_the_tracker_says(runs: Runs) -> None:
    kept = await keep_total(runs, location="DE", country_iso_code="FRA")

    assert (await runs.run(kept["run_id"], "", "P1D"))["zone"] == "DE"
    with pytest.raises(UnknownLocation):
        await keep_total(runs, location="FRANC")


async def test_the_api_output_begins_a_run_once_and_adds_to_it(runs: Runs) -> None:
    raw = {"timestamp": "2024-03-01T00:00:00.123456+00:00", "experiment_id": RUN, "latitude": 48.9, "longitude": 2.4}
    begun = [await runs.begin(read_request(CodeCarbonRun, raw, NOW), raw, "", None) for _ in range(2)]
    for minute in (2, 4):
        told = {"timestamp": f"2024-03-01T00:0{minute}:01+00:00", "run_id": begun[0]["id"], "duration": 121, "energy_consumed": 0.25}
        await runs.keep_delta(read_request(CodeCarbonDelta, told, NOW), told, "")

    run = await runs.run(begun[0]["id"], "", "P1D")

    assert begun[0] == begun[1]
    assert (run["samples"], run["energy_kwh"], run["zone"]) == (2, 0.5, "FR")
    assert any("0.1 degree" in remark for remark in run["remarks"])
    unknown = {**told, "run_id": "0" * 32}
    with pytest.raises(UnknownRun):
        await runs.keep_delta(read_request(CodeCarbonDelta, unknown, NOW), unknown, "")


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"energy_consumed": -1.0}, "/energy_consumed"),
        ({"energy_consumed": True}, "/energy_consumed"),
        ({"energy_consumed": "2"}, "/energy_consumed"),
        ({"duration": -1.0}, "/duration"),
        ({"timestamp": "yesterday"}, "/timestamp"),
        ({"timestamp": "1999-01-01T00:00:00"}, "/timestamp"),
        ({"timestamp": "2031-01-01T00:00:00"}, "/timestamp"),
        ({"timestamp": 1_700_000_000}, "/timestamp"),
        ({"remark_of_a_newer_version": "x" * 20_000}, ""),
    ],
)
async def test_a_record_that_cannot_be_right_is_refused_by_its_field(runs: Runs, members: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await keep_total(runs, **members)

    assert [fault.pointer for fault in refused.value.faults] == [pointer]
    assert (await runs.page(RunsQuery(), ""))["runs"] == []


# --- the service and the command


def test_a_run_is_there_after_a_restart_and_the_command_tells_the_same(tmp_path: Path) -> None:
    energy = {"location": "FR", "name": "bloom\u0000\u202e", "energy": {"start": "2022-03-11T00:00:00Z", "step": "PT1H", "kwh": [1.2, 0.8]}}
    with running_service(tmp_path) as service:
        assert service.post(f"/v1/runs/{RUN}/energy", energy)[0] == 201
        _, before = service.get(f"/v1/runs/{RUN}")
    with running_service(tmp_path) as service:
        _, after = service.get(f"/v1/runs/{RUN}")
        metrics = metrics_of(service)

    told = command(["runs", RUN, "--json"], tmp_path)
    unknown = command(["runs", "0" * 32], tmp_path)

    assert after == before
    assert json.loads(told.stdout) == after
    assert after["name"] == "bloom"
    assert f'gridgram_run_energy_kwh{{run="{RUN}"}} 2' in metrics
    assert (unknown.returncode, unknown.stdout) == (3, "")


async def test_people_see_runs_their_history_and_what_is_not_known(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    await keep_energy(runs, flat(START, 2, 2.0), name="bloom", tracker_emissions_g=90.0)
    await runs.run(RUN, "", "P1D")
    await runs.gridgram.intensity.store.merge([hours(FIRST, [50.0, 70.0], Quality.MEASURED)])
    await runs.gridgram.intensity.look_again()
    await keep_total(runs, country_iso_code="ATLANTIS")

    print_run(await runs.run(RUN, "", "PT1H"))
    print_runs(await runs.page(RunsQuery(limit=1), ""))
    print_runs(await runs.page(RunsQuery(), ""))

    said = " ".join(capsys.readouterr().out.split())
    assert "2 kWh, 120 gCO2e (108 to 132), the tracker says 90 g" in said
    assert "2 hours from 2024-03-01T00:00:00Z on became better (typical -> measured, rte)" in said
    assert "there are more" in said
    assert "ATLANTIS" not in said.split("there are more")[0]


async def test_a_name_with_brackets_is_printed_as_it_is(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    await keep_energy(runs, flat(START, 2, 2.0), name="bloom [/x] [bold]")

    print_run(await runs.run(RUN, "", "PT1H"))
    print_runs(await runs.page(RunsQuery(), ""))

    assert capsys.readouterr().out.count("bloom [/x] [bold]") == 2


def metrics_of(service: RunningService) -> str:
    with urllib.request.urlopen(f"{service.address}/metrics") as answer:
        text: str = answer.read().decode()
        return text


def test_records_that_cannot_be_kept_are_not_acknowledged(tmp_path: Path) -> None:
    (tmp_path / "in the way").write_text("")
    with running_service(tmp_path, {"GRIDGRAM_RECORDS": f"sqlite:///{tmp_path / 'in the way' / 'records.sqlite'}"}) as service:
        status, problem = service.post("/v1/ingest/codecarbon", {**TOTAL, "timestamp": format_time(datetime.now(UTC))})
        listed, _ = service.get("/v1/runs")
        job, _ = service.post("/v1/emissions", {"location": "FR", "energy": flat(START, 1, 1.0)})

    assert (status, problem["error"], listed, job) == (503, StoreError.code, 503, 200)
