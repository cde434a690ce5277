"""WattTime: the samples and errors that are recorded, a recorded month in its shape, and small answers made up here."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridgram.errors import UpstreamError
from gridgram.interval import EPOCH, Interval, hour_of, to_microseconds
from gridgram.quality import Quality, Scope, Signal
from gridgram.units import KG_PER_LB
from gridgram.zones import Zones
from providers.base import IntensityPoint, Request
from providers.hourly import hours_of
from providers.watttime import (
    AVERAGE,
    AVERAGE_ZONES,
    LONGEST_RANGE,
    MARGINAL,
    MARGINAL_ZONES,
    PROVIDERS,
    is_empty,
    parse,
    plan_average,
    plan_marginal,
    read_token,
)
from tests.shared import shared

PAYLOADS = Path(__file__).parent / "payloads" / "watttime"
DAY = datetime(2024, 6, 1, tzinfo=UTC)
NOW = datetime(2024, 6, 1, 5, 22, tzinfo=UTC)
STEP = timedelta(minutes=5)
CANARY = "CANARY-7f3a"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4),
    max_leaves=8,
).map(orjson.dumps)
SEVERAL_REGIONS = {"HK", "ID", "IL", "US-MIDA-PJM", "US-MIDW-MISO", "US-TEX-ERCO", "IN-NO", "IN-SO", "IN-WE"}
PART_OF_A_REGION = {"BR-CS", "DK-DK2", "IT-NO"}
CORNER_OF_A_ZONE = {"CA-ON"}


def request(
    part: str = "historical", zone: str = "FR", region: str = "FR", signal_type: str = "co2_moer", span: Interval | None = None
) -> Request:
    span = span or Interval(DAY, DAY + timedelta(days=1))
    return Request(f"https://api.watttime.org/v3/{part}", zone, span, (("region", region), ("signal_type", signal_type)), part=part)


def california(day: datetime, part: str = "historical") -> Request:
    return request(part, "US-CAL-CISO", "CAISO_NORTH", span=Interval(day, day + timedelta(hours=1)))


def payload(name: str) -> bytes:
    return (PAYLOADS / name).read_bytes()


def recording(name: str) -> bytes:
    return shared("recordings", "watttime", name).read_bytes()


def read(body: bytes, asked: Request) -> list[tuple[int, float, Quality]]:
    """Minutes since the start of the span, lb/MWh and quality of each point."""
    first = to_microseconds(asked.interval.start)
    points = [point for point in parse(asked, body).points if isinstance(point, IntensityPoint)]
    return [((point.start - first) // 60_000_000, round(point.g_per_kwh / KG_PER_LB, 6), point.quality) for point in points]


def test_the_recorded_history_is_lb_per_mwh_times_the_pound_and_marked_as_filled_in() -> None:
    day = datetime(2022, 7, 15, tzinfo=UTC)
    batch = parse(california(day), recording("v3_historical_CAISO_NORTH.json"))

    assert list(batch.points) == [
        IntensityPoint(to_microseconds(day), 5, 870 * 0.45359237, Signal.MARGINAL, Quality.ESTIMATED, "2023-03-01"),
        IntensityPoint(to_microseconds(day + STEP), 5, 860 * 0.45359237, Signal.MARGINAL, Quality.ESTIMATED, "2023-03-01"),
    ]
    assert not batch.faults


def test_the_recorded_forecast_is_nested_by_when_it_was_made() -> None:
    day = datetime(2022, 7, 15, tzinfo=UTC)

    assert read(recording("v3_forecast_CAISO_NORTH.json"), california(day, "forecast")) == [
        (minute, 870.0, Quality.FORECAST) for minute in (0, 5, 10)
    ]


def test_the_recorded_region_answer_holds_no_points_and_is_refused() -> None:
    body = recording("v3_region-from-loc_PSCO.json")

    with pytest.raises(UpstreamError, match="without a list of points"):
        parse(request(), body)


def test_the_recorded_refusal_of_a_region_is_told_from_the_recorded_refusal_of_a_login() -> None:
    refusal, page = recording("v3_error_403_scope.json"), recording("login_error_403.html")

    assert is_empty(403, refusal)
    assert not is_empty(403, page)
    with pytest.raises(UpstreamError, match="does not cover the region"):
        parse(request(), refusal)
    with pytest.raises(UpstreamError, match="a page that is not JSON"):
        read_token(page)


def recorded_month() -> list[tuple[datetime, float]]:
    """The month of five-minute rates that others saved as a table, already in g/kWh."""
    text = recording("moer_CAISO_NORTH_2023-06.csv").decode("utf-8-sig").splitlines()
    return [(datetime.fromisoformat(stamp).replace(tzinfo=UTC), float(rate)) for stamp, rate in list(csv.reader(text))[1:]]


def test_the_recorded_month_has_every_step_and_plausible_rates_in_g_per_kwh() -> None:
    month = recorded_month()

    assert len(month) == 8_928
    assert [stamp for stamp, _ in month] == [datetime(2023, 6, 8, tzinfo=UTC) + STEP * place for place in range(8_928)]
    assert min(rate for _, rate in month) == pytest.approx(35.3, abs=0.1)
    assert max(rate for _, rate in month) == pytest.approx(462.7, abs=0.1)


def test_the_recorded_month_survives_the_way_through_the_layout_of_the_source() -> None:
    month = recorded_month()
    span = Interval(month[0][0], month[-1][0] + STEP)
    held = {stamp: rate / KG_PER_LB for stamp, rate in month}
    points = [point for asked in plan_marginal("US-CAL-CISO", span, NOW) for point in parse(asked, answer(asked, held)).points]

    assert [point.start for point in points] == [to_microseconds(stamp) for stamp, _ in month]
    assert [point.g_per_kwh for point in points if isinstance(point, IntensityPoint)] == pytest.approx([rate for _, rate in month])


def answer(asked: Request, held: dict[datetime, float]) -> bytes:
    """What the source gives of what it holds: from the start to the end, the end included."""
    query = dict(asked.query)
    start, end = (datetime.fromisoformat(query[name]) for name in ("start", "end"))
    rows = [{"point_time": stamp.isoformat(), "value": rate} for stamp, rate in held.items() if start <= stamp <= end]
    period = 300 if query["signal_type"] == "co2_moer" else 3600
    meta = {
        "signal_type": query["signal_type"],
        "region": query["region"],
        "units": "lbs_co2_per_mwh",
        "data_point_period_seconds": period,
    }
    return orjson.dumps({"data": rows, "meta": meta})


def test_an_end_that_is_included_is_trimmed_and_a_filled_in_step_is_an_estimate() -> None:
    rows = read(payload("historical.json"), request(span=Interval(DAY, DAY + timedelta(hours=1))))

    assert [minute for minute, _, _ in rows] == list(range(0, 60, 5))
    assert rows[4] == (20, 1020.0, Quality.ESTIMATED)
    assert {quality for minute, _, quality in rows if minute != 20} == {Quality.MEASURED}


def test_a_step_that_the_span_cuts_is_kept_whole() -> None:
    span = Interval(DAY + timedelta(minutes=12), DAY + timedelta(minutes=21))
    points = parse(request(span=span), payload("historical.json")).points

    assert [point.start for point in points] == [to_microseconds(DAY + timedelta(minutes=minute)) for minute in (10, 15, 20)]


def test_one_broken_row_costs_only_itself_and_a_missing_rate_is_a_gap() -> None:
    batch = parse(request(), payload("faulty_rows.json"))

    assert [point.start for point in batch.points] == [to_microseconds(DAY), to_microseconds(DAY + timedelta(minutes=20))]
    assert [fault.where for fault in batch.faults] == ["row 3", "row 5", "row 6", "row 7", "row 8"]


def test_of_a_step_that_comes_twice_the_one_that_was_not_filled_in_is_kept() -> None:
    assert read(payload("duplicate.json"), request()) == [(0, 800.0, Quality.MEASURED), (5, 700.0, Quality.MEASURED)]


def test_the_provenance_of_each_hour_names_the_model_that_its_answer_names() -> None:
    older = payload("historical.json").replace(b"2026-03-01", b"2025-11-01").replace(b"06-01T00:", b"06-01T01:")
    newer = parse(request(span=Interval(DAY, DAY + timedelta(hours=1))), payload("historical.json"))
    points = [*newer.points, *parse(request(), older).points]

    (series,) = hours_of(points, MARGINAL, "FR", hour_of(DAY), hour_of(DAY) + 2, DAY).series

    details = [series.sources[source].detail for source in series.source.tolist()]
    assert [detail.partition("; ")[2] for detail in details] == ["its model of 2026-03-01.", "its model of 2025-11-01."]


@pytest.mark.parametrize("told", [b"null", b'{"date": 3}', b'{"date": "key=CANARY"}', b"[]", b"{}"])
def test_a_model_without_a_date_is_not_named(told: bytes) -> None:
    answer = orjson.loads(payload("historical.json"))
    answer["meta"]["model"] = orjson.loads(told)

    assert {point.model for point in parse(request(), orjson.dumps(answer)).points if isinstance(point, IntensityPoint)} == {""}


def test_an_average_is_direct_and_hourly() -> None:
    batch = parse(request("historical", "US-CAL-CISO", "CAISO", "co2_aoer"), payload("average.json"))

    assert [(point.minutes, point.quality) for point in batch.points] == [
        (60, Quality.MEASURED),
        (60, Quality.MEASURED),
        (60, Quality.ESTIMATED),
    ]
    assert {point.signal for point in batch.points if isinstance(point, IntensityPoint)} == {Signal.DIRECT}


def test_a_forecast_is_a_forecast() -> None:
    assert read(payload("forecast.json"), request("forecast")) == [(minute, 600.0 + minute, Quality.FORECAST) for minute in range(0, 30, 5)]


def test_of_several_forecasts_the_latest_is_kept() -> None:
    early = {"generated_at": "2024-06-01T00:00:00+00:00", "forecast": [{"point_time": "2024-06-01T00:10:00+00:00", "value": 1}]}
    late = {"generated_at": "2024-06-01T00:05:00+00:00", "forecast": [{"point_time": "2024-06-01T00:10:00+00:00", "value": 2}]}
    meta = orjson.loads(payload("forecast.json"))["meta"]

    assert read(orjson.dumps({"data": [late, early], "meta": meta}), request("forecast")) == [(10, 2.0, Quality.FORECAST)]


def test_what_a_model_says_of_china_is_an_estimate() -> None:
    body = payload("historical.json").replace(b'"region": "FR"', b'"region": "CHN"')

    assert {quality for _, _, quality in read(body, request(zone="CN", region="CHN"))} == {Quality.ESTIMATED}


@pytest.mark.parametrize("name", ["empty.json", "no_coverage.json"])
def test_nothing_is_nothing(name: str) -> None:
    batch = parse(request(), payload(name))

    assert not batch.points
    assert not batch.faults


@pytest.mark.parametrize(
    ("name", "value"),
    [("signal_type", "co2_aoer"), ("region", "DE"), ("units", "usd_per_mwh"), ("data_point_period_seconds", 3600), ("units", None)],
)
def test_an_answer_of_another_signal_region_unit_or_step_is_refused(name: str, value: object) -> None:
    told = orjson.loads(payload("historical.json"))
    told["meta"][name] = value

    with pytest.raises(UpstreamError, match=name):
        parse(request(), orjson.dumps(told))


@pytest.mark.parametrize(
    "body",
    [
        payload("page.html"),
        payload("error_403_scope.json"),
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"data":null}',
        b'{"data":{}}',
        b'{"data":[{"point_time":"2024-06-01T00:00:00Z","value":1}]}',
        payload("historical.json")[:200],
    ],
)
def test_what_the_source_does_not_send_is_refused_in_one_sentence(body: bytes) -> None:
    with pytest.raises(UpstreamError, match=r"^WattTime answered [^\n]*\.$"):
        parse(request(), body)


@pytest.mark.parametrize(
    "body",
    [
        f"<html>Bearer {CANARY}</html>",
        f'{{"error":"Invalid scope {CANARY}","message":"{CANARY}"}}',
        f'{{"error":"{CANARY}"}}',
        f'{{"data":[1],"meta":{{"region":"{CANARY}"}}}}',
        f'"{CANARY}"',
        CANARY,
    ],
)
def test_an_error_repeats_nothing_of_the_body(body: str) -> None:
    for reads in (lambda told: parse(request(), told), read_token):
        with pytest.raises(UpstreamError) as raised:
            reads(body.encode())

        assert CANARY not in str(raised.value)
        assert raised.value.__cause__ is None


def test_a_login_gives_its_token_and_nothing_else_does() -> None:
    assert read_token(payload("login.json")) == "a-token-of-this-test"
    for body in (b"{}", b'{"token":null}', b'{"token":""}', b'{"token":"a b"}', b'{"token":"a\\r\\nX: y"}', b'{"token":["a"]}'):
        with pytest.raises(UpstreamError, match="without a token"):
            read_token(body)


def test_no_coverage_is_told_from_an_outdated_token() -> None:
    assert is_empty(404, payload("no_coverage.json"))
    assert is_empty(403, payload("error_403_scope.json"))
    assert not is_empty(403, payload("page.html"))
    assert not is_empty(404, payload("page.html"))


def test_a_zone_is_served_where_one_region_is_the_zone() -> None:
    named = {zone.key: zone.codes["watttime"] for zone in Zones.load() if "watttime" in zone.codes}

    assert {zone: (region,) for zone, region in MARGINAL_ZONES.items()} == {
        zone: regions for zone, regions in named.items() if zone not in SEVERAL_REGIONS | PART_OF_A_REGION | CORNER_OF_A_ZONE
    }


def test_averages_are_served_where_the_region_is_the_whole_balancing_authority() -> None:
    zones = Zones.load()

    assert all(zone in zones for zone in AVERAGE_ZONES)
    assert len(set(AVERAGE_ZONES.values())) == len(AVERAGE_ZONES)


def test_the_past_is_asked_for_without_its_last_step_since_the_source_includes_it() -> None:
    asked = plan_marginal("US-CAL-CISO", Interval(DAY - timedelta(days=70, minutes=3), DAY - timedelta(minutes=1)), NOW)

    assert [(dict(one.query)["start"], dict(one.query)["end"]) for one in asked] == [
        ("2024-03-22T23:55:00+00:00", "2024-04-21T23:50:00+00:00"),
        ("2024-04-21T23:55:00+00:00", "2024-05-21T23:50:00+00:00"),
        ("2024-05-21T23:55:00+00:00", "2024-05-31T23:55:00+00:00"),
    ]
    assert all(dict(one.query)["region"] == "CAISO_NORTH" for one in asked)
    assert all(dict(one.query)["include_imputed_marker"] == "true" for one in asked)


def test_the_forecast_comes_first_so_that_what_is_known_of_the_running_hour_lies_over_it() -> None:
    asked = plan_marginal("FR", Interval(DAY, DAY + timedelta(hours=9)), NOW)

    assert [one.part for one in asked] == ["forecast", "historical"]
    assert asked[0].interval == Interval(DAY + timedelta(hours=5), DAY + timedelta(hours=9))
    assert dict(asked[0].query)["horizon_hours"] == "5"
    assert asked[1].interval == Interval(DAY, DAY + timedelta(hours=5, minutes=25))


def test_no_forecast_is_asked_for_beyond_72_hours_nor_of_averages() -> None:
    assert [dict(one.query)["horizon_hours"] for one in plan_marginal("FR", Interval(NOW, NOW + timedelta(days=9)), NOW)] == ["72"]
    assert plan_marginal("FR", Interval(NOW + timedelta(days=5), NOW + timedelta(days=9)), NOW) == []
    assert plan_average("US-CAL-CISO", Interval(NOW, NOW + timedelta(days=9)), NOW) == []


@given(st.integers(5, 200_000), st.integers(1, 100_000), st.sampled_from(["co2_moer", "co2_aoer"]))
def test_the_spans_of_a_plan_meet_without_overlap_and_hold_whole_steps(back: int, length: int, signal_type: str) -> None:
    start = NOW - timedelta(minutes=back)
    span = Interval(start, start + timedelta(minutes=length))
    step = STEP if signal_type == "co2_moer" else timedelta(hours=1)
    plans = plan_marginal("US-CAL-CISO", span, NOW) if signal_type == "co2_moer" else plan_average("US-CAL-CISO", span, NOW)
    past = [one for one in plans if one.part == "historical"]

    assert past[0].interval.start <= span.start < past[0].interval.start + step
    assert past[-1].interval.end - step < min(span.end, NOW) <= past[-1].interval.end
    assert all(one.interval.end == after.interval.start for one, after in pairwise(past))
    for one in past:
        assert one.interval.end - one.interval.start <= LONGEST_RANGE
        assert (one.interval.start - EPOCH) % step == (one.interval.end - EPOCH) % step == timedelta(0)
        assert datetime.fromisoformat(dict(one.query)["end"]) == one.interval.end - step


@given(st.integers(1, 600), st.integers(1, 90))
def test_one_long_span_reads_like_many_short_ones(length: int, cut: int) -> None:
    start = DAY - timedelta(days=40)
    held = {start + STEP * place: 400.0 + place for place in range(-5, length + 5)}

    def points(first: int, end: int) -> list[Any]:
        span = Interval(start + STEP * first, start + STEP * end)
        return [point for asked in plan_marginal("FR", span, NOW) for point in parse(asked, answer(asked, held)).points]

    whole = points(0, length)

    assert len(whole) == length
    assert whole == [point for first in range(0, length, cut) for point in points(first, min(first + cut, length))]


@pytest.mark.parametrize(("day", "hours"), [((2024, 3, 31), 23), ((2023, 10, 29), 25)])
def test_a_local_day_of_23_or_25_hours_gives_as_many(day: tuple[int, int, int], hours: int) -> None:
    end = datetime(*day, 22 if hours == 23 else 23, tzinfo=UTC)
    held = {end + STEP * place: 500.0 for place in range(-400, 100)}
    (asked,) = plan_marginal("FR", Interval(end - timedelta(hours=hours), end), NOW)

    assert len(parse(asked, answer(asked, held)).points) == 12 * hours


@given(st.binary(max_size=300) | JSON)
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    meta = payload("historical.json").split(b'"meta":')[1]
    for wrapped in (body, b'{"data":' + body + b',"meta":' + meta, b'{"data":[{"point_time":' + body + b',"value":1}],"meta":' + meta):
        try:
            parse(request(), wrapped)
        except UpstreamError as error:
            assert str(error).startswith("WattTime answered")  # noqa: PT017 - an answer that is read is as good


def test_marginal_and_average_are_two_sources_that_never_mix() -> None:
    assert (MARGINAL, AVERAGE) == PROVIDERS
    assert (MARGINAL.info.signals, MARGINAL.info.scope) == ((Signal.MARGINAL,), (Scope.CONSUMPTION,))
    assert (AVERAGE.info.signals, AVERAGE.info.scope) == ((Signal.DIRECT,), (Scope.PRODUCTION,))
    assert [(secret.place, secret.field, secret.template) for secret in MARGINAL.secrets] == [("header", "Authorization", "Bearer {}")]
