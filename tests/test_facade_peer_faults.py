"""Faults that other services and tools were seen to have, asked of our facades: none of them may be ours."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from gridgram.interval import format_hour
from tests.facades import native_hours, present_hour, steady_hour
from tests.wire import get, post

if TYPE_CHECKING:
    from tests.running import RunningService

KG_PER_LB = 0.45359237
DAY = "start=2022-03-11T00:00:00Z&end=2022-03-12T00:00:00Z"


@pytest.fixture(autouse=True)
def steady() -> None:
    steady_hour()


def emissions_g(held: RunningService, start: str, end: str, kwh: float = 1.0, location: str = "FR") -> Any:
    status, answer = held.post("/v1/emissions", {"location": location, "energy": {"start": start, "end": end, "total_kwh": kwh}})
    assert status == 200, answer
    return answer


def test_f1_pounds_per_megawatt_hour_are_multiplied_and_not_divided(held: RunningService) -> None:
    present = present_hour()
    native = native_hours(held, "FR", present - 5, present - 4, "direct")[0]["g_per_kwh"]
    told = get(held, f"/v3/historical?region=FR&signal_type=co2_aoer&start={format_hour(present - 5)}&end={format_hour(present - 5)}").json

    assert told["data"][0]["value"] * KG_PER_LB == pytest.approx(native, rel=1e-12)
    assert told["data"][0]["value"] > native


def test_f2_a_job_of_half_an_hour_is_neither_nothing_nor_an_hour(held: RunningService) -> None:
    half = emissions_g(held, "2022-03-11T00:00:00Z", "2022-03-11T00:29:00Z")
    (hour,) = native_hours(held, "FR", present_hour() - 1, present_hour())

    assert half["energy_kwh"] == 1.0
    assert half["emissions_g"] == half["intensity_g_per_kwh"] > 0
    told = get(held, "/emissions/average-carbon-intensity?location=FR&startTime=2022-03-11T00:00:00Z&endTime=2022-03-11T00:29:00Z").json
    assert told["carbonIntensity"] == half["intensity_g_per_kwh"]
    assert hour["g_per_kwh"] > 0


def test_f3_ten_hours_at_a_kilowatt_are_ten_kilowatt_hours_and_not_a_thousandth(held: RunningService) -> None:
    given = {"intensity_g_per_kwh": 100, "energy": {"start": "2022-03-11T00:00:00Z", "step": "PT1H", "power_w": [1000] * 10}}
    status, answer = held.post("/v1/emissions", given)

    assert (status, answer["emissions_g"]) == (200, pytest.approx(1000.0, rel=1e-12))


@pytest.mark.parametrize("query", ["horizonHours=48", "horizon=48", "hours=48"])
def test_f4_a_horizon_under_another_name_is_refused_and_not_ignored(held: RunningService, query: str) -> None:
    answer = get(held, f"/v3/forecast?region=FR&signal_type=co2_aoer&{query}")

    assert answer.status == 422
    assert query.partition("=")[0] in answer.json["errors"][0]["pointer"]
    assert len(get(held, "/v3/forecast?region=FR&signal_type=co2_aoer&horizon_hours=48").json["data"]) == 48 * 12


def schedule(held: RunningService, **more: Any) -> Any:
    present = present_hour()
    window = {"start": format_hour(present - 30), "end": format_hour(present - 24)}
    zones = [{"provider": "aws", "region": "eu-west-3"}]
    return post(held, {"duration": "PT2H", "windows": [window], "zones": zones, "num_options": 50, **more}, path="/v0/schedule/")


def test_f5_a_job_shorter_than_five_minutes_is_placed(held: RunningService) -> None:
    answer = schedule(held, duration="PT1M")

    assert answer.status == 200
    assert answer.json["ideal"]["co2_intensity"] > 0


def test_f6_no_job_runs_past_its_window_and_savings_from_zero_are_no_fault(held: RunningService) -> None:
    told = schedule(held).json
    latest = format_hour(present_hour() - 26).replace("Z", ".000Z")
    zero = schedule(held, zones=[{"provider": "azure", "region": "polandcentral"}], duration="PT1H").json

    assert max(option["time"] for option in [told["ideal"], *told["options"]]) == latest
    assert all(0 <= saved <= 100 for saved in zero["carbon_savings"].values())


def test_f7_an_index_says_that_it_is_a_percentile(held: RunningService) -> None:
    told = get(held, "/v3/signal-index?region=US-CAL-CISO").json

    assert told["meta"]["units"] == "percentile"
    assert 0 <= told["data"][0]["value"] <= 100


def test_f8_a_span_is_never_ignored_never_cut_and_never_filled_with_minus_one(held: RunningService) -> None:
    present = present_hour()
    first = present - 20 * 24
    span = f"startTime={format_hour(first)}&endTime={format_hour(present - 1)}"
    told = get(held, f"/emissions/bylocation?location=FR&{span}").json

    assert len(told) == 20 * 24 - 1
    assert [told[0]["time"], told[-1]["time"]] == [format_hour(hour).replace("Z", ".000Z") for hour in (first, present - 2)]
    assert all(hour["rating"] >= 0 for hour in told)


def test_f9_a_true_zero_and_a_missing_hour_are_not_the_same(held: RunningService) -> None:
    present = present_hour()
    span = f"start={format_hour(present - 12)}&end={format_hour(present)}"
    data = get(held, f"/v3/carbon-intensity/past-range?zone=PL&{span}").json["data"]

    assert 0 in [point["carbonIntensity"] for point in data]
    assert all("carbonIntensity" in point for point in data)


@pytest.mark.parametrize("setting", ["token", "url"])
def test_f10_an_empty_token_or_an_odd_path_is_answered_for_what_it_is(held: RunningService, setting: str) -> None:
    if setting == "token":
        assert get(held, "/v3/carbon-intensity/history?zone=FR", {"auth-token": ""}).status == 200
    else:
        answer = get(held, "/v2/carbon-intensity/history?zone=FR")
        assert (answer.status, answer.json["error"]) == (404, "not-found")


def test_f11_a_day_is_priced_hour_by_hour_and_not_by_one_of_them(held: RunningService) -> None:
    day = emissions_g(held, "2022-03-11T00:00:00Z", "2022-03-12T00:00:00Z", 24.0)
    told = get(held, f"/v3/carbon-intensity/past-range?zone=FR&{DAY}").json["data"]

    assert day["intensity_g_per_kwh"] == pytest.approx(sum(point["carbonIntensityExact"] for point in told) / 24, rel=1e-12)
    assert len({point["carbonIntensityExact"] for point in told}) > 1


@pytest.mark.parametrize("place", ["countryCode=XX", "countryCode=None", "zone=unknown", "lat=0&lon=0"])
def test_f12_a_place_that_is_not_known_is_no_other_place(held: RunningService, place: str) -> None:
    answer = get(held, f"/v3/carbon-intensity/latest?{place}")

    assert answer.status == 404
    assert "CA-QC" not in json.dumps(answer.json.get("zone", ""))


def test_f13_one_hour_is_one_number_on_every_way_to_it(held: RunningService) -> None:
    stamp = "2022-03-11T00:00:00Z"
    native = get(held, f"/v1/intensity?location=FR&start={stamp}&end=2022-03-11T01:00:00Z").json["hours"][0]["g_per_kwh"]
    ways = [
        get(held, f"/v3/carbon-intensity/past?zone=FR&datetime={stamp}").json["carbonIntensityExact"],
        get(held, f"/v3/carbon-intensity/past-range?zone=FR&{DAY}").json["data"][0]["carbonIntensityExact"],
        get(held, f"/emissions/bylocation?location=FR&time={stamp}").json[0]["rating"],
        get(held, f"/emissions/average-carbon-intensity?location=FR&startTime={stamp}&endTime=2022-03-11T01:00:00Z").json[
            "carbonIntensity"
        ],
        get(held, f"/emissions/bylocations?location=francecentral&time={stamp}").json[0]["rating"],
        emissions_g(held, stamp, "2022-03-11T01:00:00Z")["intensity_g_per_kwh"],
    ]

    assert ways == pytest.approx([native] * len(ways), rel=1e-12)


def test_f14_the_callers_address_never_stands_in_for_a_place(held: RunningService) -> None:
    for path in ("latest", "history", "forecast"):
        answer = get(held, f"/v3/carbon-intensity/{path}?disableCallerLookup=false", {"X-Forwarded-For": "8.8.8.8"})
        assert answer.status == 422
        assert re.search("no place is given", answer.json["message"])
