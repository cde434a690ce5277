"""The facade of the Carbon Aware SDK's web API: its shapes with the native numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gridgram.interval import format_hour
from tests.facades import native_hours, present_hour, steady_hour
from tests.wire import get, post

if TYPE_CHECKING:
    from tests.running import RunningService


@pytest.fixture(autouse=True)
def steady() -> None:
    steady_hour()


def ask(held: RunningService, path: str) -> Any:
    answer = get(held, path)
    assert answer.status == 200, answer.body
    return answer.json


def test_hours_by_location_are_the_native_ones(held: RunningService) -> None:
    present = present_hour()
    told = ask(held, f"/emissions/bylocation?location=FR&time={format_hour(present - 5)}&toTime={format_hour(present - 2)}")
    native = native_hours(held, "FR", present - 5, present - 2)

    assert told == [
        {"location": "FR", "time": hour["start"].replace("Z", ".000Z"), "rating": hour["g_per_kwh"], "duration": "01:00:00"}
        for hour in native
    ]


def test_both_spellings_of_a_span_are_taken_and_never_ignored(held: RunningService) -> None:
    span = "2022-03-11T00:00:00Z", "2022-03-11T03:00:00Z"
    one = ask(held, f"/emissions/bylocation?location=FR&time={span[0]}&toTime={span[1]}")
    other = ask(held, f"/emissions/bylocation?location=FR&startTime={span[0]}&endTime={span[1]}")

    assert one == other
    assert [hour["time"][:13] for hour in one] == ["2022-03-11T00", "2022-03-11T01", "2022-03-11T02"]
    assert get(held, f"/emissions/bylocation?location=FR&time={span[0]}&startTime={span[1]}").status == 422
    assert get(held, f"/emissions/bylocation?location=FR&start={span[0]}").status == 422
    assert get(held, f"/emissions/bylocation?location=FR&toTime={span[0]}").status == 422


def test_without_a_time_the_newest_hour_is_told_and_with_one_its_hour(held: RunningService) -> None:
    latest = ask(held, "/v1/intensity/latest?location=FR")

    assert ask(held, "/emissions/bylocation?location=FR")[0]["rating"] == latest["g_per_kwh"]
    assert ask(held, "/emissions/bylocation?location=FR&time=2022-03-11T01:30:00Z")[0]["time"] == "2022-03-11T01:00:00.000Z"


def test_locations_are_named_as_azure_and_other_clouds_name_them_in_any_case(held: RunningService) -> None:
    told = ask(held, "/emissions/bylocations?location=francecentral&location=FranceCentral&location=eu-west-3&location=aws:eu-west-3")

    assert [hour["location"] for hour in told] == ["francecentral", "FranceCentral", "eu-west-3", "aws:eu-west-3"]
    assert len({hour["rating"] for hour in told}) == 1
    assert ask(held, "/emissions/bylocations?locations=FR&locations=DE")[1]["location"] == "DE"
    assert get(held, "/emissions/bylocations").status == 422
    assert get(held, "/emissions/bylocation?location=FR&location=DE").status == 422


def test_the_best_of_locations_is_the_lowest_hour(held: RunningService) -> None:
    span = "time=2022-03-11T00:00:00Z&toTime=2022-03-12T00:00:00Z"
    every = ask(held, f"/emissions/bylocations?location=FR&location=DE&{span}")
    best = ask(held, f"/emissions/bylocations/best?location=FR&location=DE&{span}")

    assert len(every) == 48
    assert best == [hour for hour in every if hour["rating"] == min(other["rating"] for other in every)]


def test_a_true_zero_is_told_as_zero_and_a_hole_not_at_all(held: RunningService) -> None:
    present = present_hour()
    told = [
        hour["rating"]
        for hour in ask(held, f"/emissions/bylocation?location=PL&time={format_hour(present - 4)}&toTime={format_hour(present)}")
    ]

    assert 0.0 in told
    assert -1 not in told
    assert get(held, "/emissions/bylocation?location=nowhere").status == 404


def test_the_quality_that_has_no_room_in_the_body_is_told_in_a_header(held: RunningService) -> None:
    present = present_hour()
    answer = get(held, f"/emissions/bylocation?location=FR&time={format_hour(present - 5)}&toTime={format_hour(present)}")

    assert "measured" in answer.headers["X-Gridgram-Quality"].split(", ")


def test_a_forecast_covers_now_and_a_day_at_least_with_the_native_numbers(held: RunningService) -> None:
    present = present_hour()
    (told,) = ask(held, "/emissions/forecasts/current?location=FR")
    native = ask(held, "/v1/forecast?location=FR")["hours"]

    assert [point["value"] for point in told["forecastData"]] == pytest.approx([hour["g_per_kwh"] for hour in native], rel=1e-12)
    assert told["forecastData"][0]["timestamp"] == format_hour(present).replace("Z", ".000Z")
    assert len(told["forecastData"]) == 96
    assert told["optimalDataPoints"][0]["value"] == min(point["value"] for point in told["forecastData"])
    assert {point["duration"] for point in told["forecastData"]} == {60} == {told["windowSize"]}


def test_a_window_is_the_exact_mean_and_never_ends_after_the_part(held: RunningService) -> None:
    present = present_hour()
    start, end = format_hour(present + 1).replace(":00:00Z", ":30:00Z"), format_hour(present + 5)
    (told,) = ask(held, f"/emissions/forecasts/current?location=FR&dataStartAt={start}&dataEndAt={end}&windowSize=90")
    hours = [hour["g_per_kwh"] for hour in ask(held, "/v1/forecast?location=FR&hours=6")["hours"]]

    expected = [(0.5 * hours[index] + hours[index + 1]) / 1.5 for index in (1, 2, 3)]
    assert [point["value"] for point in told["forecastData"]] == pytest.approx(expected, rel=1e-12)
    assert [point["timestamp"][14:19] for point in told["forecastData"]] == ["30:00"] * 3
    (none,) = ask(held, f"/emissions/forecasts/current?location=FR&dataStartAt={start}&dataEndAt={end}&windowSize=600")
    assert (none["forecastData"], none["optimalDataPoints"]) == ([], [])


@pytest.mark.parametrize(
    "part", ["dataStartAt=2022-03-11T00:00:00Z", "windowSize=0", "windowSize=x", "windowsize=60", "dataEndAt=2022-01-01T00:00:00Z"]
)
def test_a_part_that_is_not_in_the_forecast_is_refused(held: RunningService, part: str) -> None:
    assert get(held, f"/emissions/forecasts/current?location=FR&{part}").status == 422


def test_a_batch_of_forecasts_is_as_it_was_known_then(held: RunningService) -> None:
    present = present_hour()
    items = [{"requestedAt": format_hour(present - 48), "location": "FR", "windowSize": 60}]
    answer = post(held, items, path="/emissions/forecasts/batch")
    native = ask(held, f"/v1/forecast?location=FR&as_of={format_hour(present - 48)}")["hours"]

    assert answer.status == 200
    assert [point["value"] for point in answer.json[0]["forecastData"]] == pytest.approx([hour["g_per_kwh"] for hour in native], rel=1e-12)
    assert answer.json[0]["requestedAt"] == format_hour(present - 48).replace("Z", ".000Z")


def test_an_average_is_what_an_even_job_meets_to_the_second(held: RunningService) -> None:
    span = {"start": "2022-03-11T00:20:00Z", "end": "2022-03-11T02:50:30Z"}
    _, native = held.post("/v1/emissions", {"location": "FR", "energy": {**span, "total_kwh": 1}})
    told = ask(held, f"/emissions/average-carbon-intensity?location=FR&startTime={span['start']}&endTime={span['end']}")

    assert told["carbonIntensity"] == native["intensity_g_per_kwh"]
    batch = [{"location": name, "startTime": span["start"], "endTime": span["end"]} for name in ("FR", "DE", "francecentral")]
    answers = post(held, batch, path="/emissions/average-carbon-intensity/batch").json
    assert answers[0] == told
    assert answers[2]["carbonIntensity"] == told["carbonIntensity"]
    assert answers[1]["carbonIntensity"] != told["carbonIntensity"]


@pytest.mark.parametrize("path", ["/emissions/forecasts/batch", "/emissions/average-carbon-intensity/batch"])
def test_every_fault_of_a_batch_is_told_at_its_place(held: RunningService, path: str) -> None:
    answer = post(held, [{"location": "FR"}, {"locations": "FR"}, 3], path=path)

    assert answer.status == 422
    assert {fault["pointer"].split("/")[1] for fault in answer.json["errors"]} == {"0", "1", "2"}
    assert post(held, {}, path=path).status == 400
    assert post(held, [], path=path).status == 422


def test_locations_are_a_map_of_what_can_be_asked_for(held: RunningService) -> None:
    told = ask(held, "/locations")

    assert {"FR", "DE", "francecentral", "eu-west-3", "europe-west9"} <= told.keys()
    assert set(told["francecentral"]) == {"latitude", "longitude", "name"}
    for name in ("francecentral", "eastus", "europe-west9", "US-CAL-CISO"):
        assert get(held, f"/emissions/bylocation?location={name}").status == 200
