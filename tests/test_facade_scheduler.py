"""The facade of the carbon-aware scheduler: every start weighed, no run after its window, no savings from nothing."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from gridgram.interval import format_hour, hour_of, parse_time
from tests.facades import native_hours, present_hour, steady_hour
from tests.wire import get, post

if TYPE_CHECKING:
    from tests.running import RunningService

FRANCE = {"provider": "aws", "region": "eu-west-3"}
POLAND = {"provider": "azure", "region": "polandcentral"}


@pytest.fixture(autouse=True)
def steady() -> None:
    steady_hour()


def job(first: int, end: int, **more: Any) -> dict[str, Any]:
    return {"duration": "PT2H", "windows": [{"start": format_hour(first), "end": format_hour(end)}], "zones": [FRANCE, POLAND], **more}


def ask(held: RunningService, members: dict[str, Any]) -> Any:
    answer = post(held, members, path="/v0/schedule/")
    assert answer.status == 200, answer.body
    return answer.json


def test_the_ideal_start_is_the_one_of_the_native_schedule(held: RunningService) -> None:
    present = present_hour()
    told = ask(held, job(present - 30, present - 6, num_options=3))
    work = {"locations": ["FR", "PL"], "energy": {"duration": "PT2H", "total_kwh": 1}, "top": 1}
    _, native = held.post("/v1/schedule", {**work, "earliest": format_hour(present - 30), "latest": format_hour(present - 6)})

    assert told["ideal"]["zone"] == FRANCE
    assert told["ideal"]["time"] == native["options"][0]["start"].replace("Z", ".000Z")
    assert told["ideal"]["co2_intensity"] == pytest.approx(native["options"][0]["intensity_g_per_kwh"], rel=1e-12)
    assert told["naive_case"]["co2_intensity"] == pytest.approx(native["baseline"]["intensity_g_per_kwh"], rel=1e-12)
    assert len(told["options"]) == 3
    assert told["units"] == "gCO2e/kWh"


def test_worst_median_and_savings_are_those_of_every_start(held: RunningService) -> None:
    present = present_hour()
    told = ask(held, {**job(present - 30, present - 6), "zones": [FRANCE]})
    hours = [hour["g_per_kwh"] for hour in native_hours(held, "FR", present - 30, present - 6)]
    means = sorted((one + other) / 2 for one, other in pairwise(hours))

    assert told["ideal"]["co2_intensity"] == pytest.approx(means[0])
    assert told["worst_case"]["co2_intensity"] == pytest.approx(means[-1])
    assert told["median_case"]["co2_intensity"] == pytest.approx(means[len(means) // 2])
    assert told["carbon_savings"]["vs_worst_case"] == pytest.approx(100 * (1 - means[0] / means[-1]))


def test_no_run_ends_after_its_window(held: RunningService) -> None:
    present = present_hour()
    windows = [
        {"start": format_hour(present - 30), "end": format_hour(present - 27)},
        {"start": format_hour(present - 12), "end": format_hour(present - 9)},
    ]
    told = ask(held, {"duration": "PT2H", "windows": windows, "zones": [FRANCE], "num_options": 50})
    starts = {hour_of(parse_time(option["time"])) for option in [told["ideal"], *told["options"]]}

    assert starts == {present - 30, present - 29, present - 12, present - 11}


@pytest.mark.parametrize("duration", ["PT1M", "PT5M", "PT29M", "PT90M"])
def test_short_and_odd_jobs_are_placed_too(held: RunningService, duration: str) -> None:
    present = present_hour()

    assert ask(held, job(present - 30, present - 6, duration=duration))["ideal"]["co2_intensity"] > 0


def test_savings_from_nothing_are_nothing(held: RunningService) -> None:
    told = ask(held, {**job(present_hour() - 1, present_hour(), duration="PT1H"), "zones": [POLAND]})

    assert told["ideal"]["co2_intensity"] in {0.0, 600.0}
    assert set(told["carbon_savings"].values()) == {0.0}


def test_a_region_that_cannot_be_compared_is_listed_and_not_dropped(held: RunningService) -> None:
    unknown = {"provider": "aws", "region": "eu-west-99"}
    told = ask(held, {**job(present_hour() - 30, present_hour()), "zones": [unknown, FRANCE]})

    assert [entry["zone"] for entry in told["unavailable"]] == [unknown]
    assert post(held, {**job(present_hour() - 30, present_hour()), "zones": [unknown]}, path="/v0/schedule/").status == 404


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"duration": "PT40H"}, "/windows/0/end"),
        ({"zones": [{"provider": "x", "region": "y"}]}, "/zones/0/provider"),
        ({"zones": []}, "/zones"),
        ({"horizon": 3}, "/horizon"),
    ],
)
def test_what_does_not_fit_is_refused(held: RunningService, more: dict[str, Any], pointer: str) -> None:
    answer = post(held, {**job(present_hour() - 30, present_hour()), **more}, path="/v0/schedule/")

    assert (answer.status, [fault["pointer"] for fault in answer.json["errors"]]) == (422, [pointer])


def test_regions_are_listed_with_and_without_the_last_slash(held: RunningService) -> None:
    told = get(held, "/v0/regions/").json

    assert FRANCE in told["regions"]
    assert get(held, "/v0/regions").json == told
