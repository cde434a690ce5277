"""Ember: the recorded table of 2021 in the layout of the interface, and small answers made up here; none of the interface is recorded."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridgram.errors import UpstreamError
from gridgram.interval import Interval, from_microseconds, to_microseconds
from gridgram.quality import Quality, Scope, Signal
from gridgram.zones import Zones
from providers.base import IntensityPoint, Request
from providers.ember import PROVIDER, ZONES, parse, plan
from tests.shared import shared

PAYLOADS = Path(__file__).parent / "payloads" / "ember"
NOW = datetime(2024, 6, 1, 5, 20, tzinfo=UTC)
CANARY = "CANARY-7f3a"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4),
    max_leaves=8,
).map(orjson.dumps)


def request(part: str = "monthly", zone: str = "FR", span: Interval | None = None) -> Request:
    span = span or Interval(datetime(2023, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))
    return Request(f"https://api.ember-energy.org/v1/carbon-intensity/{part}", zone, span, (), part=part)


def payload(name: str) -> bytes:
    return (PAYLOADS / name).read_bytes()


def read(body: bytes, asked: Request) -> list[tuple[str, int, float]]:
    """The start, the days and the mean of each point."""
    points = [point for point in parse(asked, body).points if isinstance(point, IntensityPoint)]
    return [(f"{from_microseconds(point.start):%Y-%m-%d}", point.minutes // (24 * 60), point.g_per_kwh) for point in points]


def test_the_countries_are_zones_with_the_code_that_zones_hold() -> None:
    zones = Zones.load()

    assert len(ZONES) == 213
    assert {zone: (code,) for zone, code in ZONES.items()} == {zone: zones[zone].codes["iso3"] for zone in ZONES}


def test_the_recorded_table_of_2021_gives_each_country_its_mean() -> None:
    rows = list(csv.DictReader(shared("recordings", "ember", "ember_country_2021.csv").read_text(encoding="utf-8-sig").splitlines()))
    written = {row["country_code_iso_3"]: float(row["emissions_intensity_gco2_per_kwh"]) for row in rows if row["country_code_iso_3"]}
    year = Interval(datetime(2021, 1, 1, tzinfo=UTC), datetime(2022, 1, 1, tzinfo=UTC))
    body = orjson.dumps(
        {
            "data": [
                {
                    "entity_code": row["country_code_iso_3"] or None,
                    "is_aggregate_entity": not row["country_code_iso_3"],
                    "date": row["year"],
                    "emissions_intensity_gco2_per_kwh": float(row["emissions_intensity_gco2_per_kwh"]),
                }
                for row in rows
            ]
        }
    )

    assert len(rows) == 86
    assert set(written) <= set(ZONES.values())
    for zone, code in ZONES.items():
        assert read(body, request("yearly", zone, year)) == ([("2021-01-01", 365, written[code])] if code in written else [])


def test_years_are_as_long_as_they_are_and_of_the_country_asked_for() -> None:
    assert read(payload("yearly.json"), request("yearly")) == [("2023-01-01", 365, 56.2), ("2024-01-01", 366, 44.2)]


def test_months_are_as_long_as_they_are_and_a_missing_mean_is_a_gap() -> None:
    assert read(payload("monthly.json"), request()) == [("2024-01-01", 31, 58.25), ("2024-02-01", 29, 47.0), ("2024-03-01", 31, 40.5)]


def test_a_mean_says_that_no_hour_was_measured() -> None:
    point = parse(request(), payload("monthly.json")).points[0]

    assert point == IntensityPoint(to_microseconds(datetime(2024, 1, 1, tzinfo=UTC)), 31 * 24 * 60, 58.25, Signal.LIFECYCLE, Quality.ANNUAL)


def test_periods_outside_the_span_are_left_out() -> None:
    span = Interval(datetime(2024, 2, 29, 23, tzinfo=UTC), datetime(2024, 3, 1, 1, tzinfo=UTC))

    assert [start for start, _, _ in read(payload("monthly.json"), request(span=span))] == ["2024-02-01", "2024-03-01"]


def test_one_broken_row_costs_only_itself() -> None:
    batch = parse(request(), payload("faulty_rows.json"))

    assert [from_microseconds(point.start).month for point in batch.points] == [1, 3]
    assert [fault.where for fault in batch.faults] == ["row 1", "row 2", "row 3", "row 4", "row 5"]


def test_nothing_is_nothing() -> None:
    assert parse(request(), payload("empty.json")).points == []


@pytest.mark.parametrize(
    "body",
    [payload("page.html"), payload("error.json"), b"", b"{}", b"[]", b"null", b'{"data":{}}', payload("monthly.json")[:120]],
)
def test_what_the_source_does_not_send_is_refused_in_one_sentence(body: bytes) -> None:
    with pytest.raises(UpstreamError, match=r"^Ember answered [^\n]*\.$"):
        parse(request(), body)


@pytest.mark.parametrize("body", [f"<html>/v1?api_key={CANARY}</html>", f'{{"detail":"{CANARY}"}}', f'"{CANARY}"', CANARY])
def test_an_error_repeats_nothing_of_the_body(body: str) -> None:
    with pytest.raises(UpstreamError) as raised:
        parse(request(), body.encode())

    assert CANARY not in str(raised.value)
    assert raised.value.__cause__ is None


def test_both_ends_of_a_plan_are_included_and_the_future_is_not() -> None:
    asked = plan("FR", Interval(datetime(2023, 11, 5, tzinfo=UTC), datetime(2024, 12, 1, tzinfo=UTC)), NOW)
    queries = [dict(one.query) for one in asked]

    assert [one.part for one in asked] == ["yearly", "monthly"]
    assert [(query["start_date"], query["end_date"]) for query in queries] == [("2023", "2024"), ("2023-11", "2024-06")]
    assert {query["entity_code"] for query in queries} == {"FRA"}
    assert plan("FR", Interval(NOW, NOW + timedelta(days=1)), NOW) == []


def test_a_span_that_ends_with_a_month_does_not_ask_for_the_next() -> None:
    asked = plan("FR", Interval(datetime(2023, 12, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)), NOW)

    assert [(dict(one.query)["start_date"], dict(one.query)["end_date"]) for one in asked] == [("2023", "2023"), ("2023-12", "2023-12")]


def test_the_key_travels_in_the_query_and_never_in_a_plan() -> None:
    asked = plan("FR", Interval(datetime(2023, 1, 1, tzinfo=UTC), NOW), NOW)

    assert [(secret.place, secret.field) for secret in PROVIDER.secrets] == [("query", "api_key")]
    assert "key" not in repr([one.query for one in asked])


@given(st.integers(0, 290), st.integers(1, 290), st.integers(1, 30))
def test_one_long_span_reads_like_many_short_ones(first: int, length: int, cut: int) -> None:
    end = min(first + length, 293)

    assert means(first, end) == [mean for start in range(first, end, cut) for mean in means(start, min(start + cut, end))]
    assert len(means(first, end)) == end - first


def month(number: int) -> datetime:
    return datetime(2000 + number // 12, number % 12 + 1, 1, tzinfo=UTC)


def means(first: int, end: int) -> list[Any]:
    """What a source that holds every month gives for months [first, end) since 2000."""
    (asked,) = (one for one in plan("FR", Interval(month(first), month(end)), NOW) if one.part == "monthly")
    start, last = (dict(asked.query)[name] for name in ("start_date", "end_date"))
    rows = [
        {"entity_code": "FRA", "date": f"{month(number):%Y-%m-%d}", "emissions_intensity_gco2_per_kwh": number}
        for number in range(300)
        if start <= f"{month(number):%Y-%m}" <= last
    ]
    return list(parse(asked, orjson.dumps({"data": rows})).points)


@given(st.binary(max_size=300) | JSON)
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    for wrapped in (
        body,
        b'{"data":' + body + b"}",
        b'{"data":[{"entity_code":"FRA","emissions_intensity_gco2_per_kwh":1,"date":' + body + b"}]}",
    ):
        try:
            parse(request(), wrapped)
        except UpstreamError as error:
            assert str(error).startswith("Ember answered")  # noqa: PT017 - an answer that is read is as good


def test_the_source_offers_no_hours() -> None:
    assert PROVIDER.info.offers == ("yearly",)
    assert PROVIDER.info.scope == (Scope.PRODUCTION,)
