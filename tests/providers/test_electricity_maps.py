"""Electricity Maps: its answers as they were recorded, and small ones made up here for what was not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridgram.errors import UpstreamError
from gridgram.interval import MICROSECONDS_PER_HOUR, Interval, format_hour, hour_of, to_microseconds
from gridgram.quality import Quality, Scope, Signal
from gridgram.zones import Zones
from providers.base import IntensityPoint, Request
from providers.electricity_maps import HORIZONS_HOURS, LONGEST_RANGE, PROVIDER, ZONES, is_empty, parse, plan
from tests.shared import shared

PAYLOADS = Path(__file__).parent / "payloads" / "electricity_maps"
DAY = datetime(2024, 6, 1, tzinfo=UTC)
NOW = datetime(2024, 6, 1, 5, 20, tzinfo=UTC)
CANARY = "CANARY-7f3a"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4),
    max_leaves=8,
).map(orjson.dumps)


def request(part: str = "history", zone: str = "FR", factors: str = "lifecycle", span: Interval | None = None) -> Request:
    span = span or Interval(DAY, DAY + timedelta(days=1))
    query = (("zone", zone),) if part == "forecast" else (("zone", zone), ("emissionFactorType", factors))
    return Request(f"https://api.electricitymaps.com/v3/carbon-intensity/{part}", zone, span, query, part=part)


def payload(name: str) -> bytes:
    return (PAYLOADS / name).read_bytes()


def recording(name: str) -> bytes:
    return shared("recordings", "electricitymaps", name).read_bytes()


def numbers(body: bytes, asked: Request) -> list[tuple[int, float, Quality]]:
    return [(hour, point.g_per_kwh, point.quality) for hour, point in read(body, asked).items()]


def read(body: bytes, asked: Request) -> dict[int, IntensityPoint]:
    """The points by the hour of the day."""
    points = parse(asked, body).points
    assert all(isinstance(point, IntensityPoint) for point in points)
    return {(point.start // MICROSECONDS_PER_HOUR) % 24: point for point in points if isinstance(point, IntensityPoint)}


def test_the_zones_are_those_of_ours_that_the_source_lists() -> None:
    listed = orjson.loads(recording("v3_zones.json"))

    assert len(listed) == 400
    assert dict(ZONES) == {zone.key: zone.key for zone in Zones.load() if zone.key in listed}


def test_the_zones_are_zones() -> None:
    zones = Zones.load()

    assert len(ZONES) == 304
    assert all(zone in zones for zone in ZONES)


def test_the_recorded_day_of_germany_is_read_as_it_stands() -> None:
    body = recording("v3_carbon-intensity_history_DE_2024-03-05.json")
    start = datetime(2024, 3, 5, 20, tzinfo=UTC)
    batch = parse(request(zone="DE", span=Interval(start, start + timedelta(days=1))), body)

    written = orjson.loads(body)["history"]
    assert [point.start for point in batch.points] == [to_microseconds(start + timedelta(hours=hour)) for hour in range(24)]
    assert [point.g_per_kwh for point in batch.points if isinstance(point, IntensityPoint)] == [row["carbonIntensity"] for row in written]
    assert [point.quality is Quality.ESTIMATED for point in batch.points] == [row["isEstimated"] for row in written]
    assert batch.points[0] == IntensityPoint(to_microseconds(start), 60, 599.0, Signal.LIFECYCLE, Quality.MEASURED)
    assert not batch.faults


def test_the_recorded_hour_that_lies_after_its_own_update_is_an_estimate() -> None:
    body = recording("v3_carbon-intensity_latest_US-CAR-DUK.json")
    start = datetime(2024, 3, 6, 19, tzinfo=UTC)
    batch = parse(request("latest", "US-CAR-DUK", span=Interval(start, start + timedelta(hours=1))), body)

    assert list(batch.points) == [IntensityPoint(to_microseconds(start), 60, 216.0, Signal.LIFECYCLE, Quality.ESTIMATED)]


def test_the_recorded_old_layout_is_an_estimate_since_it_does_not_say_that_it_is_none() -> None:
    start = datetime(2023, 10, 2, 8, tzinfo=UTC)
    batch = parse(request(zone="DE", span=Interval(start, start + timedelta(hours=1))), recording("legacy_co2signal_v1_latest_DE.json"))

    assert list(batch.points) == [IntensityPoint(to_microseconds(start), 60, 474.0, Signal.LIFECYCLE, Quality.ESTIMATED)]


def test_the_recorded_no_data_of_the_old_layout_is_an_empty_answer() -> None:
    assert parse(request(zone="DE"), recording("legacy_co2signal_v1_nodata_DE.json")).points == []


@pytest.mark.parametrize("name", ["v3_power-breakdown_latest_DE.json", "v3_zones.json"])
def test_a_recorded_answer_to_another_question_is_refused(name: str) -> None:
    body = recording(name)

    with pytest.raises(UpstreamError, match="Electricity Maps"):
        parse(request(zone="DE"), body)


def test_a_gap_stays_a_gap_and_an_estimate_says_so() -> None:
    assert numbers(payload("history.json"), request()) == [
        (0, 31.0, Quality.MEASURED),
        (1, 30.0, Quality.MEASURED),
        (2, 29.0, Quality.MEASURED),
        (4, 33.0, Quality.MEASURED),
        (5, 35.0, Quality.ESTIMATED),
    ]


def test_hours_outside_the_span_are_left_out() -> None:
    span = Interval(DAY + timedelta(hours=1, minutes=30), DAY + timedelta(hours=4, minutes=1))

    assert list(read(payload("history.json"), request(span=span))) == [1, 2, 4]


def test_direct_is_direct_and_an_hour_that_was_not_traced_is_a_fault() -> None:
    batch = parse(request("past-range", factors="direct"), payload("past_range_direct.json"))

    assert [point.signal for point in batch.points if isinstance(point, IntensityPoint)] == [Signal.DIRECT, Signal.DIRECT]
    assert [fault.where for fault in batch.faults] == ["row 2"]
    assert "flow-traced" in batch.faults[0].detail


def test_factors_are_never_swapped() -> None:
    with pytest.raises(UpstreamError, match="other factors than direct"):
        parse(request(factors="direct"), payload("history.json"))


def test_a_forecast_is_a_forecast() -> None:
    points = read(payload("forecast.json"), request("forecast"))

    assert list(points) == [5, 6, 7, 8]
    assert {point.quality for point in points.values()} == {Quality.FORECAST}
    assert {point.signal for point in points.values()} == {Signal.LIFECYCLE}


def test_hours_of_china_are_always_estimates() -> None:
    points = read(payload("china.json"), request("past-range", "CN"))

    assert {point.quality for point in points.values()} == {Quality.ESTIMATED}


def test_one_broken_row_costs_only_itself() -> None:
    batch = parse(request(), payload("faulty_rows.json"))

    assert [point.start for point in batch.points] == [to_microseconds(DAY), to_microseconds(DAY + timedelta(hours=6))]
    assert [fault.where for fault in batch.faults] == ["row 3", "row 4", "row 5", "row 6", "row 7"]


def test_of_two_values_of_an_hour_the_later_update_is_kept() -> None:
    assert numbers(payload("duplicate.json"), request()) == [(0, 31.0, Quality.MEASURED), (1, 30.0, Quality.MEASURED)]


@pytest.mark.parametrize("name", ["empty.json", "no_recent_data.json"])
def test_nothing_is_nothing(name: str) -> None:
    batch = parse(request(), payload(name))

    assert not batch.points
    assert not batch.faults


@pytest.mark.parametrize(
    "body",
    [
        payload("page.html"),
        payload("error_401.json"),
        payload("error_401_zone.json"),
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"zone":"FR"}',
        b'{"zone":"FR","history":{}}',
        b'{"zone":"FR","history":null}',
        b'{"zone":"DE","history":[]}',
        b'{"zone":"FR","temporalGranularity":"5_minutes","history":[]}',
        b'{"status":"error","message":"x"}',
        payload("history.json")[:200],
    ],
)
def test_what_the_source_does_not_send_is_refused_in_one_sentence(body: bytes) -> None:
    with pytest.raises(UpstreamError, match=r"^Electricity Maps answered [^\n]*\.$"):
        parse(request(), body)


def test_an_error_that_means_nothing_is_told_from_a_refused_key() -> None:
    assert is_empty(404, payload("no_recent_data.json"))
    assert is_empty(401, payload("error_401_zone.json"))
    assert is_empty(401, b"Token unauthorized for zoneKey")
    assert not is_empty(401, payload("error_401.json"))
    assert not is_empty(404, payload("page.html"))
    assert not is_empty(500, payload("no_recent_data.json"))


@pytest.mark.parametrize(
    "body",
    [
        f"<html>auth-token: {CANARY}</html>",
        f'{{"error":"Invalid auth-token {CANARY}"}}',
        f'{{"error":"unauthorized for zoneKey","message":"{CANARY}"}}',
        f'"{CANARY}"',
        f'{{"zone":"{CANARY}","history":[]}}',
        f'{{"zone":"FR","temporalGranularity":"{CANARY}","history":[]}}',
        f'{{"zone":"FR","history":[{{"datetime":"2024-06-01T00:00:00Z","carbonIntensity":1,"emissionFactorType":"{CANARY}"}}]}}',
        CANARY,
    ],
)
def test_an_error_repeats_nothing_of_the_body(body: str) -> None:
    with pytest.raises(UpstreamError) as raised:
        parse(request(), body.encode())

    assert CANARY not in str(raised.value)
    assert raised.value.__cause__ is None


def test_the_key_travels_in_a_header_and_never_in_a_plan() -> None:
    asked = plan("FR", Interval(DAY - timedelta(days=30), DAY + timedelta(days=2)), NOW)

    assert [(secret.place, secret.field) for secret in PROVIDER.secrets] == [("header", "auth-token")]
    assert all(not one.headers and "token" not in repr(one.query) for one in asked)


def test_the_last_day_needs_no_range_that_free_accounts_lack() -> None:
    asked = plan("FR", Interval(DAY - timedelta(hours=18), DAY + timedelta(hours=6)), NOW)

    assert [(one.part, dict(one.query)["emissionFactorType"]) for one in asked] == [("history", "lifecycle"), ("history", "direct")]
    assert all(one.interval == Interval(DAY - timedelta(hours=18), DAY + timedelta(hours=6)) for one in asked)
    assert all(dict(one.query)["disableCallerLookup"] == "true" for one in asked)


def test_older_hours_are_asked_for_in_ranges_of_at_most_ten_days() -> None:
    asked = plan("FR", Interval(DAY - timedelta(days=25), DAY - timedelta(days=2)), NOW)
    lifecycle = [one for one in asked if ("emissionFactorType", "lifecycle") in one.query]

    assert len(asked) == 6
    assert [dict(one.query)["start"] for one in lifecycle] == ["2024-05-07T00:00:00Z", "2024-05-17T00:00:00Z", "2024-05-27T00:00:00Z"]
    assert dict(lifecycle[-1].query)["end"] == "2024-05-30T00:00:00Z"


def test_the_forecast_comes_first_so_that_what_is_known_of_the_running_hour_lies_over_it() -> None:
    asked = plan("FR", Interval(DAY + timedelta(hours=4), DAY + timedelta(hours=15)), NOW)

    assert [one.part for one in asked] == ["forecast", "history", "history"]
    assert asked[0].interval == Interval(DAY + timedelta(hours=5), DAY + timedelta(hours=15))
    assert dict(asked[0].query)["horizonHours"] == "24"
    assert asked[1].interval == Interval(DAY + timedelta(hours=4), DAY + timedelta(hours=6))


def test_nothing_is_asked_beyond_the_forecast() -> None:
    assert plan("FR", Interval(DAY + timedelta(days=9), DAY + timedelta(days=10)), NOW) == []


@pytest.mark.parametrize(("day", "hours"), [((2024, 3, 31), 23), ((2024, 10, 27), 25)])
def test_a_local_day_of_23_or_25_hours_gives_as_many(day: tuple[int, int, int], hours: int) -> None:
    end = datetime(*day, 22 if hours == 23 else 23, tzinfo=UTC)
    span = Interval(end - timedelta(hours=hours), end)
    asked = plan("FR", span, end + timedelta(days=5))[0]

    batch = parse(asked, answer(asked, range(hour_of(span.start) - 3, hour_of(end) + 3)))

    assert len(batch.points) == hours


@given(st.integers(0, 2000), st.integers(1, 1500), st.integers(0, 59))
def test_a_plan_covers_each_hour_once_for_each_kind(back: int, length: int, minute: int) -> None:
    start = NOW - timedelta(hours=back, minutes=minute)
    span = Interval(start, start + timedelta(hours=length))
    asked = plan("FR", span, NOW)

    running = hour_of(NOW)
    for factors in ("lifecycle", "direct"):
        mine = [one.interval for one in asked if ("emissionFactorType", factors) in one.query]
        hours = [hour for one in mine for hour in range(one.first_hour, one.end_hour)]
        assert hours == list(range(span.first_hour, min(span.end_hour, running + 1)))
        assert all(one.end - one.start <= LONGEST_RANGE for one in mine)
    for one in asked:
        if one.part == "forecast":
            horizon = int(dict(one.query)["horizonHours"])
            assert horizon in HORIZONS_HOURS
            assert max(span.first_hour, running) == one.interval.first_hour
            assert one.interval.end_hour == min(span.end_hour, running + 73) <= running + 1 + horizon


@given(st.integers(1, 600), st.integers(1, 24))
def test_one_long_span_reads_like_many_short_ones(length: int, step: int) -> None:
    start = DAY - timedelta(days=60)
    whole = points_of(Interval(start, start + timedelta(hours=length)))

    parts = [
        points_of(Interval(start + timedelta(hours=hour), start + timedelta(hours=min(hour + step, length))))
        for hour in range(0, length, step)
    ]

    assert whole == [point for part in parts for point in part]
    assert len(whole) == 2 * length


def points_of(span: Interval) -> list[Any]:
    """What a source that holds a number for every hour gives for a span, in the order of time."""
    points: list[Any] = []
    for asked in plan("FR", span, NOW):
        points += parse(asked, answer(asked, range(asked.interval.first_hour - 2, asked.interval.end_hour + 2))).points
    return sorted(points, key=lambda point: point.start)


def answer(asked: Request, hours: range) -> bytes:
    factors = dict(asked.query)["emissionFactorType"]
    rows = [
        {"datetime": format_hour(hour), "carbonIntensity": hour % 97, "emissionFactorType": factors, "isEstimated": False} for hour in hours
    ]
    return orjson.dumps({"zone": asked.zone, "data": rows})


@given(st.binary(max_size=300) | JSON)
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    for wrapped in (
        body,
        b'{"zone":"FR","history":' + body + b"}",
        b'{"zone":"FR","history":[{"datetime":' + body + b',"carbonIntensity":1}]}',
    ):
        try:
            parse(request(), wrapped)
        except UpstreamError as error:
            assert str(error).startswith("Electricity Maps answered")  # noqa: PT017 - an answer that is read is as good


def test_the_source_says_what_it_offers() -> None:
    assert PROVIDER.info.scope == (Scope.CONSUMPTION,)
    assert PROVIDER.info.signals == (Signal.LIFECYCLE, Signal.DIRECT)
    assert PROVIDER.forecast_span == timedelta(hours=72)
