"""The facade of Electricity Maps: each rule that its clients need, held to what the native API tells of the same hours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from gridgram.interval import format_hour, hour_of, parse_time
from tests.facades import HOURS, native_hours, present_hour, steady_hour
from tests.running import running_service
from tests.wire import get, post

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import RunningService

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ROUTES = (
    "latest",
    "history",
    "forecast",
    "past?datetime=2022-03-11T00:00:00Z",
    "past-range?start=2022-03-11T00:00:00Z&end=2022-03-11T03:00:00Z",
)


@pytest.fixture(autouse=True)
def steady() -> None:
    steady_hour()


def ask(held: RunningService, path: str, headers: dict[str, str] | None = None) -> Any:
    answer = get(held, path, headers)
    assert answer.status == 200, answer.body
    return answer.json


def refused(held: RunningService, path: str, status: int, headers: dict[str, str] | None = None) -> Any:
    answer = get(held, path, headers)
    assert answer.status == status, answer.body
    return answer.json


def points(answer: Any) -> list[Any]:
    for name in ("history", "data", "forecast"):
        if name in answer:
            return list(answer[name])
    return [answer]


def route(name: str, query: str) -> str:
    return f"/v3/carbon-intensity/{name}{'&' if '?' in name else '?'}{query}"


# --- the numbers are those of the native API


def test_the_latest_hour_is_the_one_of_the_native_api(held: RunningService) -> None:
    native = ask(held, "/v1/intensity/latest?location=FR")
    told = ask(held, "/v3/carbon-intensity/latest?zone=FR")

    assert told["carbonIntensityExact"] == native["g_per_kwh"]
    assert (told["quality"], told["provider"]) == (native["quality"], native["provider"])
    assert told["datetime"] == native["start"].replace("Z", ".000Z")
    assert told["provenance"] == native["provenance"]


@pytest.mark.parametrize("signal", ["lifecycle", "direct"])
def test_history_and_a_range_are_the_hours_of_the_native_api(held: RunningService, signal: str) -> None:
    present = present_hour()
    native = native_hours(held, "FR", present - 23, present + 1, signal)
    history = ask(held, f"/v3/carbon-intensity/history?zone=FR&emissionFactorType={signal}")["history"]
    span = f"start={format_hour(present - 23)}&end={format_hour(present + 1)}"
    data = ask(held, f"/v3/carbon-intensity/past-range?zone=FR&{span}&emissionFactorType={signal}")["data"]

    assert [point["carbonIntensityExact"] for point in history] == [hour["g_per_kwh"] for hour in native]
    assert data == history


def test_the_forecast_is_the_one_of_the_native_api(held: RunningService) -> None:
    native = ask(held, "/v1/forecast?location=FR&hours=30")["hours"]
    told = ask(held, "/v3/carbon-intensity/forecast?zone=FR&horizonHours=30")

    assert [point["carbonIntensityExact"] for point in told["forecast"]] == [hour["g_per_kwh"] for hour in native]
    assert len(ask(held, "/v3/carbon-intensity/forecast?zone=FR")["forecast"]) == 24
    assert STAMP.fullmatch(told["updatedAt"])


@pytest.mark.parametrize("root", ["/v4", "/free-tier", "/free-tier/v3"])
def test_other_roots_give_the_same_answers(held: RunningService, root: str) -> None:
    for path in (
        "carbon-intensity/latest",
        "carbon-intensity/history",
        "carbon-intensity-level/latest",
        "home-assistant",
        "power-breakdown/history",
    ):
        assert ask(held, f"{root}/{path}?zone=FR") == ask(held, f"/v3/{path}?zone=FR")
    assert ask(held, f"{root}/zones") == ask(held, "/v3/zones")


# --- C1 to C12


def test_c1_an_intensity_is_a_whole_number_rounded_half_to_even(held: RunningService) -> None:
    for name in ROUTES:
        for point in points(ask(held, route(name, "zone=FR"))):
            assert type(point["carbonIntensity"]) is int
            assert point["carbonIntensity"] == round(point["carbonIntensityExact"])
    halves = [point for point in points(ask(held, route("history", "zone=FR"))) if point["carbonIntensityExact"] % 1 == 0.5]
    assert halves
    assert all(point["carbonIntensity"] % 2 == 0 for point in halves)


def test_c2_no_point_of_any_list_is_null(held: RunningService) -> None:
    for name in ROUTES:
        for point in points(ask(held, route(name, "zone=FR"))):
            assert all(value is not None for key, value in point.items() if key != "estimationMethod")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v3/carbon-intensity/latest?zone=FRANC", 404),
        ("GET", "/v3/carbon-intensity/nothing", 404),
        ("GET", "/v3/carbon-intensity/latest", 422),
        ("GET", "/v3/carbon-intensity/latest?zone=FR&x=1", 422),
        ("POST", "/v3/carbon-intensity/latest", 405),
        ("GET", "/v3/power-breakdown/latest?zone=PL", 404),
        ("GET", "/v3/power-breakdown/latest?zone=GB", 404),
        ("GET", "/v3/power-breakdown/latest", 422),
        ("POST", "/beta/carbon-aware-optimizer", 400),
    ],
)
def test_c3_every_error_is_json_with_error_and_message(held: RunningService, method: str, path: str, status: int) -> None:
    answer = get(held, path) if method == "GET" else post(held, b"{", path=path)

    assert answer.status == status
    assert isinstance(answer.json["error"], str)
    assert isinstance(answer.json["message"], str)


@pytest.mark.parametrize(
    "place",
    ["zone=FR", "zone=fr", "zone=FRA", "zoneKey=FR", "countryCode=FR", "lat=48.85&lon=2.35", "lat=48.85&lon=2.35&disableCallerLookup=true"],
)
def test_c4_a_place_is_taken_under_every_name_of_the_clients(held: RunningService, place: str) -> None:
    assert ask(held, f"/v3/carbon-intensity/latest?{place}")["zone"] == "FR"


@pytest.mark.parametrize("flag", ["true", "True", "TRUE", "1"])
def test_c4_a_boolean_is_taken_in_any_case(held: RunningService, flag: str) -> None:
    told = ask(held, f"/v3/carbon-intensity/history?zone=FR&disableEstimations={flag}")["history"]

    assert 0 < len(told) < 24
    assert not any(point["isEstimated"] for point in told)


def test_c5_a_point_at_sea_is_a_404_with_the_nearest_zones_on_every_route(held: RunningService) -> None:
    for name in ROUTES:
        problem = refused(held, route(name, "lat=46.0&lon=-30.0"), 404)
        assert problem["suggestions"]
    zones = {points(ask(held, route(name, "lat=48.85&lon=2.35")))[0]["zone"] for name in ROUTES}
    assert zones == {"FR"}


def test_c6_stamps_have_milliseconds_and_z(held: RunningService) -> None:
    for name in ROUTES:
        for point in points(ask(held, route(name, "zone=FR"))):
            assert all(STAMP.fullmatch(point[key]) for key in ("datetime", "updatedAt", "createdAt"))


def test_c7_estimation_is_told_by_a_boolean_and_a_text_or_null(held: RunningService) -> None:
    told = points(ask(held, route("history", "zone=FR")))

    assert {(point["quality"], point["isEstimated"], point["estimationMethod"]) for point in told} >= {
        ("measured", False, None),
        ("preliminary", True, "preliminary"),
        ("estimated", True, "estimated"),
    }
    assert {point["emissionFactorType"] for point in told} == {"lifecycle"}
    typical = ask(held, route("latest", "zone=DE"))
    assert (typical["isEstimated"], typical["estimationMethod"]) == (True, "typical")


def test_c8_without_estimations_none_is_told(held: RunningService) -> None:
    newest = ask(held, route("latest", "zone=FR&disableEstimations=true"))

    measured = [hour for hour in native_hours(held, "FR", present_hour() - 23, present_hour() + 1) if hour["quality"] == "measured"]
    assert (newest["isEstimated"], newest["datetime"]) == (False, measured[-1]["start"].replace("Z", ".000Z"))
    assert ask(held, route("history", "zone=DE&disableEstimations=true"))["history"] == []
    assert refused(held, route("latest", "zone=DE&disableEstimations=true"), 404)["error"] == "no-data"


def test_c9_the_history_is_24_hours_oldest_first(held: RunningService) -> None:
    present = present_hour()
    told = points(ask(held, route("history", "zone=FR")))

    assert [point["datetime"] for point in told] == [format_hour(hour).replace("Z", ".000Z") for hour in range(present - 23, present + 1)]


def test_c10_without_keys_any_token_or_none_is_let_in(held: RunningService) -> None:
    for headers in ({}, {"auth-token": "local"}, {"auth-token": ""}):
        assert ask(held, "/v3/carbon-intensity/latest?zone=FR", headers)["zone"] == "FR"


def test_c11_the_factor_type_is_lifecycle_unless_asked_and_none_stands_in_for_another(held: RunningService) -> None:
    lifecycle, direct = (ask(held, route("latest", f"zone=FR{more}")) for more in ("", "&emissionFactorType=direct"))

    assert (lifecycle["emissionFactorType"], direct["emissionFactorType"]) == ("lifecycle", "direct")
    assert direct["carbonIntensityExact"] == lifecycle["carbonIntensityExact"] / 4
    refused(held, route("latest", "zone=FR&emissionFactorType=marginal"), 422)


def test_c12_an_answer_says_how_long_it_stays_true_and_costs_nothing_to_ask_again(held: RunningService) -> None:
    answer = get(held, "/v3/carbon-intensity/latest?zone=FR")
    again = get(held, "/v3/carbon-intensity/latest?zone=FR", {"If-None-Match": answer.headers["ETag"]})

    age = re.search(r"max-age=(\d+)", answer.headers["Cache-Control"])
    assert age
    assert 15 <= int(age[1]) <= 3_600
    assert (again.status, again.body) == (304, b"")


# --- the further rules


@pytest.mark.parametrize(
    ("place", "zone"),
    [
        ("zone=us-cal-ciso", "US-CAL-CISO"),
        ("zone=US_CAL_CISO", "US-CAL-CISO"),
        ("dataCenterProvider=aws&dataCenterRegion=eu-west-3", "FR"),
        ("dataCenterProvider=Amazon%20Web%20Services&dataCenterRegion=eu-west-3", "FR"),
        ("dataCenterProvider=amazon&dataCenterRegion=EU-WEST-3", "FR"),
        ("dataCenterProvider=azure&dataCenterRegion=francecentral", "FR"),
        ("zone=gcp:europe-west9", "FR"),
    ],
)
def test_rule_1_synonyms_cases_and_clouds_name_one_zone(held: RunningService, place: str, zone: str) -> None:
    assert ask(held, f"/v3/carbon-intensity/history?{place}")["zone"] == zone


@pytest.mark.parametrize(
    "place",
    ["", "zone=FR&countryCode=DE", "lat=48.85", "lon=2.35", "dataCenterRegion=eu-west-3", "dataCenterProvider=x&dataCenterRegion=y"],
)
def test_rule_1_no_place_half_a_place_and_two_places_are_refused(held: RunningService, place: str) -> None:
    assert refused(held, f"/v3/carbon-intensity/latest?{place}", 422)["errors"]


def test_rule_3_a_single_value_that_is_not_known_is_a_404(held: RunningService) -> None:
    problem = refused(held, "/v3/carbon-intensity/past?zone=DE&datetime=2022-03-11T00:00:00Z&disableEstimations=true", 404)

    assert "DE has no hour of lifecycle intensity that is measured" in problem["message"]


def test_rule_4_the_granularity_is_hourly_and_no_other_is_pretended(held: RunningService) -> None:
    assert ask(held, "/v3/carbon-intensity/latest?zone=FR&temporalGranularity=hourly")["temporalGranularity"] == "hourly"
    for other in ("5_minutes", "15_minutes", "daily", "30_minutes"):
        assert refused(held, f"/v3/carbon-intensity/latest?zone=FR&temporalGranularity={other}", 422)["errors"]


@pytest.mark.parametrize(
    "spelling",
    [
        "2022-03-11T01:00:00Z",
        "2022-03-11%2001:00:00Z",
        "2022-03-11T01:00:00.0000000%2B00:00",
        "2022-03-11T01:00:00+00:00",
        "2022-03-11%2002:00:00+01:00",
        "2022-03-11T02:00:00%2B0100",
        "2022-03-10T20:00:00-05:00",
        "2022-03-11t01:59:59.9999999z",
    ],
)
def test_rule_5_a_time_is_taken_in_every_spelling_of_the_clients(held: RunningService, spelling: str) -> None:
    assert ask(held, f"/v3/carbon-intensity/past?zone=FR&datetime={spelling}")["datetime"] == "2022-03-11T01:00:00.000Z"


@pytest.mark.parametrize("spelling", ["2022-03-11T01:00:00", "2022-03-11", "1646960400", "yesterday", "2022-02-30T00:00:00Z"])
def test_rule_5_a_time_without_an_offset_is_refused(held: RunningService, spelling: str) -> None:
    assert refused(held, f"/v3/carbon-intensity/past?zone=FR&datetime={spelling}", 422)["errors"][0]["pointer"] == "/datetime"


def test_rule_7_zones_are_a_bare_map_with_access_for_who_sends_a_token(held: RunningService) -> None:
    plain, with_token = get(held, "/v3/zones"), get(held, "/v3/zones", {"auth-token": "local"})

    assert plain.json["FR"] == {"zoneName": "France", "displayName": "France", "countryName": "France", "countryCode": "FR"}
    assert with_token.json["FR"]["access"] == ["*"]
    assert "auth-token" in plain.headers["Vary"]
    assert plain.headers["ETag"] != with_token.headers["ETag"]


def test_rule_10_a_range_includes_its_start_excludes_its_end_and_may_be_longer_than_ten_days(held: RunningService) -> None:
    present = present_hour()
    first = present - HOURS
    data = ask(held, f"/v3/carbon-intensity/past-range?zone=FR&start={format_hour(first)}&end={format_hour(present)}")["data"]

    assert len(data) == HOURS
    assert (data[0]["datetime"], data[-1]["datetime"]) == tuple(format_hour(hour).replace("Z", ".000Z") for hour in (first, present - 1))
    assert refused(held, "/v3/carbon-intensity/past-range?zone=FR&start=2022-01-01T00:00:00Z&end=2024-01-01T00:00:00Z", 422)["errors"]


def test_a_range_tells_no_hour_that_has_not_begun(held: RunningService) -> None:
    present = present_hour()
    data = ask(held, f"/v3/carbon-intensity/past-range?zone=FR&start={format_hour(present - 1)}&end={format_hour(present + 5)}")["data"]

    assert len(data) == 2


def test_a_zone_without_a_signal_is_a_404_that_says_which_there_are(held: RunningService) -> None:
    problem = refused(held, "/v3/carbon-intensity/past?zone=XX&datetime=2022-03-11T00:00:00Z", 404)

    assert problem["error"] == "unknown-location"


# --- the other operations


def test_the_level_compares_the_newest_hour_with_ten_days(held: RunningService) -> None:
    assert ask(held, "/v3/carbon-intensity-level/latest?zone=PL")["data"][0]["level"] == "moderate"
    told = ask(held, "/v3/carbon-intensity-level/latest?lat=48.85&lon=2.35")
    present = present_hour()
    native = [hour["g_per_kwh"] for hour in native_hours(held, "FR", present - 240, present)]
    share = ask(held, "/v1/intensity/latest?location=FR")["g_per_kwh"] / (sum(native) / len(native))

    assert told["data"][0]["level"] == ("low" if share < 0.85 else "high" if share > 1.15 else "moderate")


def test_updates_are_the_hours_that_were_fetched_since(held: RunningService) -> None:
    present = present_hour()
    told = ask(held, f"/v3/updated-since?zone=FR&since={format_hour(present - 1)}&limit=1000")
    few = ask(held, f"/v3/updated-since?zone=FR&since={format_hour(present - 1)}&limit=5")
    late = ask(held, f"/v3/updated-since?zone=FR&since={format_hour(present - 1)}&limit=1000&threshold=PT100H")

    assert (len(told["updates"]), told["limitReached"]) == (241, False) or len(told["updates"]) == 240
    assert (len(few["updates"]), few["limitReached"], few["limit"]) == (5, True, 5)
    assert 0 < len(late["updates"]) < len(told["updates"])
    assert ask(held, f"/v3/updated-since?zone=DE&since={format_hour(present - 1)}")["updates"] == []


def test_home_assistant_hears_the_intensity_and_the_fossil_share_of_one_hour(held: RunningService) -> None:
    told = ask(held, "/v3/home-assistant?zone=FR")
    mix = ask(held, "/v1/mix/latest?location=FR")
    (hour,) = native_hours(held, "FR", hour_of(parse_time(mix["start"])), hour_of(parse_time(mix["end"])))

    assert (told["status"], told["countryCode"]) == ("ok", "FR")
    assert told["data"]["datetime"] == mix["start"].replace("Z", ".000Z")
    assert told["data"]["carbonIntensityExact"] == hour["g_per_kwh"]
    assert told["data"]["carbonIntensity"] == round(hour["g_per_kwh"])
    assert told["data"]["fossilFuelPercentage"] == 100 - mix["low_carbon_percent"]
    assert {source["provider"] for source in told["provenance"]} == {"file", "rte"}
    assert ask(held, "/v3/home-assistant?zone=FR&emissionFactorType=direct")["data"]["carbonIntensityExact"] == hour["g_per_kwh"] / 4


def test_home_assistant_can_ask_for_the_newest_measured_hour(held: RunningService) -> None:
    newest = ask(held, "/v3/home-assistant?zone=FR")["data"]
    measured = ask(held, "/v3/home-assistant?zone=FR&disableEstimations=true")["data"]

    assert (newest["quality"], newest["mixQuality"]) == ("preliminary", "preliminary")
    assert (measured["quality"], measured["mixQuality"]) == ("measured", "measured")
    assert measured["datetime"] < newest["datetime"]


def test_home_assistant_hears_that_there_is_no_data_rather_than_an_invented_share(held: RunningService) -> None:
    for zone in ("PL", "GB"):  # no mix is held of the one, and no hour of the other's intensity
        told = ask(held, f"/v3/home-assistant?zone={zone}")

        assert (told["status"], told["countryCode"], told["data"]) == ("no-data", zone, {})
        assert told["message"]


def test_a_power_breakdown_tells_what_is_generated_and_nothing_that_no_source_told(held: RunningService) -> None:
    told = ask(held, "/v3/power-breakdown/latest?zone=fr")
    mix = ask(held, "/v1/mix/latest?location=FR")

    assert told["zone"] == "FR"
    assert told["powerProductionBreakdownExact"] == mix["generation_mw"]
    assert told["powerProductionBreakdown"] == {fuel: round(power_mw) for fuel, power_mw in mix["generation_mw"].items()}
    assert "coal" not in told["powerProductionBreakdown"]
    assert told["powerProductionTotal"] == round(mix["total_mw"])
    assert told["powerConsumptionBreakdown"] == told["powerImportBreakdown"] == told["powerExportBreakdown"] == {}
    assert not {"powerConsumptionTotal", "powerImportTotal", "powerExportTotal"} & told.keys()
    assert told["fossilFreePercentage"] == round(mix["low_carbon_percent"])
    assert told["renewablePercentage"] == round(mix["renewable_percent"])
    assert (told["isEstimated"], told["estimationMethod"], told["scope"]) == (True, "preliminary", "production")
    assert all(STAMP.fullmatch(told[name]) for name in ("datetime", "updatedAt", "createdAt"))
    assert all(type(value) is int for value in (told["powerProductionTotal"], *told["powerProductionBreakdown"].values()))


def test_the_history_of_a_power_breakdown_has_the_hours_that_are_known_and_measured_ones_alone_where_no_others_are_wanted(
    held: RunningService,
) -> None:
    told = ask(held, "/v3/power-breakdown/history?zone=FR")
    measured = ask(held, "/v3/power-breakdown/history?zone=FR&disableEstimations=true")

    times = [point["datetime"] for point in told["history"]]
    assert times == sorted(times)
    assert 21 <= len(times) <= 22
    assert [point for point in told["history"] if not point["isEstimated"]] == measured["history"]
    assert len(measured["history"]) == len(times) - 1


def test_a_source_of_shares_alone_has_no_power_breakdown_and_says_where_the_shares_are(held: RunningService) -> None:
    assert "/v1/mix" in get(held, "/v3/power-breakdown/history?zone=GB").json["message"]


def test_health_is_told_on_the_host_and_under_the_root(held: RunningService) -> None:
    assert ask(held, "/health") == ask(held, "/v3/health") == {"status": "ok"}


def window(present: int, **more: Any) -> dict[str, Any]:
    return {
        "duration": "PT2H",
        "startWindow": format_hour(present + 1),
        "endWindow": format_hour(present + 13),
        "locations": [[2.35, 48.85], "DE"],
        "optimizationMetric": "flow-traced_carbon_intensity",
        **more,
    }


def test_the_optimizer_finds_what_the_native_schedule_finds(held: RunningService) -> None:
    present = present_hour()
    answer = post(held, window(present), path="/beta/carbon-aware-optimizer")
    job = {"locations": ["FR", "DE"], "energy": {"duration": "PT2H", "total_kwh": 1}}
    status, native = held.post("/v1/schedule", {**job, "earliest": format_hour(present + 1), "latest": format_hour(present + 13)})

    assert (answer.status, status) == (200, 200)
    output, best = answer.json["optimizationOutput"], native["options"][0]
    assert answer.json["optimalStartTime"] == best["start"].replace("Z", ".000Z")
    assert (output["metricValueOptimalExecution"], output["zoneKey"]) == (best["intensity_g_per_kwh"], best["zone"])
    assert output["metricValueStartWindowExecution"] == native["baseline"]["intensity_g_per_kwh"]
    assert answer.json["optimalLocation"] == [2.35, 48.85]


def test_rule_2_the_output_of_the_optimizer_has_six_members_and_no_more(held: RunningService) -> None:
    answer = post(held, window(present_hour()), path="/beta/carbon-aware-optimizer")

    assert set(answer.json["optimizationOutput"]) == {
        "metricValueImmediateExecution",
        "metricValueOptimalExecution",
        "metricValueStartWindowExecution",
        "metricUnit",
        "optimizationMetric",
        "zoneKey",
    }


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"duration": "PT20H"}, "/endWindow"),
        ({"endWindow": "2022-03-11T00:00:00Z"}, "/endWindow"),
        ({"optimizationMetric": "net_load"}, "/optimizationMetric"),
        ({"locations": []}, "/locations"),
        ({"locations": [{"dataCenterProvider": "x", "dataCenterRegion": "y"}]}, "/locations/0/dataCenterProvider"),
        ({"more": 1}, "/more"),
    ],
)
def test_what_the_optimizer_cannot_do_is_refused_under_the_names_of_the_caller(
    held: RunningService, more: dict[str, Any], pointer: str
) -> None:
    answer = post(held, window(present_hour(), **more), path="/beta/carbon-aware-optimizer")

    assert answer.status == 422
    assert [fault["pointer"] for fault in answer.json["errors"]] == [pointer]


def test_c11_who_runs_the_service_can_make_direct_what_is_told_unasked(tmp_path: Path) -> None:
    with running_service(tmp_path, {"GRIDGRAM_EMISSION_FACTOR_TYPE": "direct"}) as running:
        unasked, asked = (ask(running, route("latest", f"zone=FR{more}")) for more in ("", "&emissionFactorType=lifecycle"))

    assert (unasked["emissionFactorType"], asked["emissionFactorType"]) == ("direct", "lifecycle")
    assert unasked["carbonIntensityExact"] < asked["carbonIntensityExact"]
