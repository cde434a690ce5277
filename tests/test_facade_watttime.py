"""The facade of WattTime: the same hours in lb/MWh, marginal only where a source tells marginal ones."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from gridgram.interval import format_hour
from service.keys import new_key
from tests.facades import native_hours, present_hour, service_with_hours, steady_hour
from tests.wire import get

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running import RunningService

KG_PER_LB = 0.45359237
KEY, KNOWN = new_key("tracker")


@pytest.fixture(autouse=True)
def steady() -> None:
    steady_hour()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """The same hours behind a key."""
    home = tmp_path_factory.mktemp("guarded")
    keys = home / "keys"
    keys.write_text(KNOWN.line)
    with service_with_hours(home, {"GRIDGRAM_API_KEYS_FILE": str(keys)}) as running:
        yield running


def ask(held: RunningService, path: str, headers: dict[str, str] | None = None) -> Any:
    answer = get(held, path, headers)
    assert answer.status == 200, answer.body
    return answer.json


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_rule_8_a_value_is_the_native_one_in_pounds_per_megawatt_hour_to_the_last_bit(held: RunningService) -> None:
    present = present_hour()
    span = f"start={format_hour(present - 5)}&end={format_hour(present - 2)}"
    told = ask(held, f"/v3/historical?region=FR&signal_type=co2_aoer&{span}")
    native = {hour["start"][:13]: hour["g_per_kwh"] for hour in native_hours(held, "FR", present - 5, present - 1, "direct")}

    assert told["meta"]["units"] == "lbs_co2_per_mwh"
    assert [point["value"] for point in told["data"]] == [native[point["point_time"][:13]] / KG_PER_LB for point in told["data"]]


def test_rule_8_hours_are_spread_over_five_minute_points_both_ends_included_and_this_is_said(held: RunningService) -> None:
    present = present_hour()
    told = ask(held, f"/v3/historical?region=FR&signal_type=co2_aoer&start={format_hour(present - 5)}&end={format_hour(present - 3)}")

    assert len(told["data"]) == 25
    assert told["meta"]["data_point_period_seconds"] == 300
    assert "hourly" in told["meta"]["warnings"][0]


def test_points_that_have_not_begun_are_not_history(held: RunningService) -> None:
    present = present_hour()
    told = ask(held, f"/v3/historical?region=FR&signal_type=co2_aoer&start={format_hour(present)}&end={format_hour(present + 3)}")

    assert 1 <= len(told["data"]) <= 12


def test_rule_8_marginal_is_told_where_it_is_held_and_refused_elsewhere(held: RunningService) -> None:
    present = present_hour()
    span = f"start={format_hour(present - 5)}&end={format_hour(present - 3)}"
    told = ask(held, f"/v3/historical?region=CAISO_NORTH&signal_type=co2_moer&{span}")
    native = native_hours(held, "US-CAL-CISO", present - 5, present - 4, "marginal")

    assert told["data"][0]["value"] == native[0]["g_per_kwh"] / KG_PER_LB
    assert told["meta"]["region"] in {"CAISO_NORTH", "watttime:CAISO_NORTH"}
    for path in (f"/v3/historical?region=FR&{span}", "/v3/forecast?region=FR", "/v3/signal-index?region=FR"):
        answer = get(held, path)
        assert (answer.status, answer.json["error"]) == (404, "no-data")
        assert "marginal" in answer.json["message"]


def test_imputed_points_are_marked_when_asked(held: RunningService) -> None:
    present = present_hour()
    query = f"region=FR&signal_type=co2_aoer&start={format_hour(present - 5)}&end={format_hour(present)}&include_imputed_marker=true"
    told = ask(held, f"/v3/historical?{query}")

    assert {point["imputed_data_used"] for point in told["data"]} == {True, False}
    assert all("last_updated" in point for point in told["data"])


def test_the_forecast_starts_now_and_holds_so_many_hours(held: RunningService) -> None:
    native = {hour["start"][:13]: hour["g_per_kwh"] for hour in ask(held, "/v1/forecast?location=FR&hours=30&signal=direct")["hours"]}
    told = ask(held, "/v3/forecast?region=FR&signal_type=co2_aoer&horizon_hours=24")

    assert len(told["data"]) == 24 * 12
    assert len(ask(held, "/v3/forecast?region=FR&signal_type=co2_aoer&horizon_hours=0")["data"]) == 1
    assert [point["value"] for point in told["data"]] == [native[point["point_time"][:13]] / KG_PER_LB for point in told["data"]]
    assert told["meta"]["generated_at"].endswith("+00:00")


def test_rule_8_the_index_is_the_percentile_among_thirty_days(held: RunningService) -> None:
    present = present_hour()
    past = [hour["g_per_kwh"] for hour in native_hours(held, "US-CAL-CISO", present - 720, present, "marginal")]
    newest = ask(held, "/v1/intensity/latest?location=US-CAL-CISO&signal=marginal")["g_per_kwh"]
    told = ask(held, "/v3/signal-index?region=US-CAL-CISO")

    assert told["meta"]["units"] == "percentile"
    assert "last 30 days" in told["meta"]["warnings"][0]
    expected = 100 * (sum(value < newest for value in past) + sum(value == newest for value in past) / 2) / len(past)
    assert told["data"][0]["value"] == pytest.approx(expected, rel=1e-12)


def test_a_region_is_found_from_a_point_and_no_neighbour_stands_in(held: RunningService) -> None:
    paris = ask(held, "/v3/region-from-loc?latitude=48.85&longitude=2.35&signal_type=co2_aoer")
    at_sea = get(held, "/v3/region-from-loc?latitude=46&longitude=-30&signal_type=co2_aoer")
    marginal = get(held, "/v3/region-from-loc?latitude=48.85&longitude=2.35&signal_type=co2_moer")

    assert paris == {"region": "FR", "region_full_name": "France", "signal_type": "co2_aoer"}
    for answer in (at_sea, marginal):
        assert answer.status == 404
        assert "No coverage available" in answer.json["message"]


def test_access_lists_marginal_only_where_it_is_held(held: RunningService) -> None:
    told = {entry["signal_type"]: [region["region"] for region in entry["regions"]] for entry in ask(held, "/v3/my-access")["signal_types"]}

    assert told["co2_moer"] == ["US-CAL-CISO"]
    assert {"FR", "DE", "PL"} <= set(told["co2_aoer"])


def test_rule_5_the_dates_of_the_python_client_are_read(held: RunningService) -> None:
    told = ask(held, "/v3/historical?region=FR&signal_type=co2_aoer&start=2022-03-11%2000:00:00%2B00:00&end=2022-03-11%2000:55:00%2B00:00")

    assert [told["data"][0]["point_time"], told["data"][-1]["point_time"]] == ["2022-03-11T00:00:00+00:00", "2022-03-11T00:55:00+00:00"]


def test_rule_6_without_keys_every_login_gets_a_token(held: RunningService) -> None:
    for headers in ({}, basic("me", "secret"), {"Authorization": "Basic !"}):
        assert ask(held, "/login", headers)["token"]


def test_rule_6_with_keys_the_password_is_the_key_and_the_token_opens(guarded: RunningService) -> None:
    token = ask(guarded, "/login", basic("anyone", KEY))["token"]

    assert ask(guarded, "/v3/my-access", {"Authorization": f"Bearer {token}"})["signal_types"]
    assert ask(guarded, "/v3/carbon-intensity/latest?zone=FR", {"auth-token": KEY})["zone"] == "FR"
    for headers in ({}, basic("anyone", "tracker.wrong"), basic(KEY, ""), {"Authorization": "Basic !"}):
        answer = get(guarded, "/login", headers)
        assert (answer.status, answer.json["error"]) == (401, "unauthorized")
    for path in ("/v3/carbon-intensity/latest?zone=FR", "/v4/zones", "/free-tier/carbon-intensity/latest?zone=FR"):
        wrong = get(guarded, path, {"auth-token": "wrong"})
        assert (wrong.status, wrong.json["error"]) == (401, "Invalid auth-token")
        assert (wrong.json["type"], wrong.json["message"]) == ("/problems/unauthorized", "The key is not one of this service.")


@pytest.mark.parametrize(
    "path",
    [
        "/v3/historical?region=FR",
        "/v3/historical?region=FR&signal_type=health_damage&start=2022-03-11T00:00:00Z&end=2022-03-12T00:00:00Z",
        "/v3/forecast?region=FR&signal_type=co2_aoer&horizonHours=3",
        "/v3/forecast?region=FR&signal_type=co2_aoer&horizon_hours=73",
        "/v3/signal-index",
    ],
)
def test_what_is_missing_unknown_or_out_of_range_is_refused(held: RunningService, path: str) -> None:
    assert get(held, path).status == 422
