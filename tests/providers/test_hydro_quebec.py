"""Hydro-Québec: two days in naive local time."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridgram.errors import UpstreamError
from gridgram.fuels import Fuel
from gridgram.interval import Interval, from_microseconds, parse_time
from gridgram.quality import Quality
from gridgram.zones import Zones
from providers.base import Batch, MixPoint, Request
from providers.hydro_quebec import PROVIDER
from tests.providers.noon import minutes_after_solar_noon
from tests.shared import shared

PAYLOADS = Path(__file__).parent / "payloads" / "hydro_quebec"
ALWAYS = Interval(datetime(2015, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
HOUR = 3_600_000_000


def read(body: bytes, interval: Interval = ALWAYS) -> Batch:
    return PROVIDER.parse(Request("https://x", "CA-QC", interval), body)


def made(name: str) -> Batch:
    return read((PAYLOADS / name).read_bytes())


def mixes(batch: Batch) -> list[MixPoint]:
    return [point for point in batch.points if isinstance(point, MixPoint)]


def test_the_zone_is_that_of_the_zone_table() -> None:
    assert Zones.load()["CA-QC"].codes["eia"] == (PROVIDER.zones["CA-QC"],)


def test_only_what_the_file_can_hold_is_asked_for() -> None:
    now = parse_time("2025-06-15T12:00:00Z")

    assert len(PROVIDER.plan("CA-QC", Interval(now - timedelta(days=9), now), now)) == 1
    assert PROVIDER.plan("CA-QC", Interval(now - timedelta(days=9), now - timedelta(days=3)), now) == []


def test_the_recording_is_read_up_to_its_last_known_hour() -> None:
    body = shared("recordings", "hydroquebec", "production_2023-08-15.json").read_bytes()

    batch = read(body)
    points = mixes(batch)

    assert len(points) == 32
    assert from_microseconds(points[0].start) == datetime(2023, 8, 15, 4, tzinfo=UTC)
    assert points[0].mw == {Fuel.HYDRO: 15660.0, Fuel.WIND: 201.0, Fuel.BIOMASS: 633.0, Fuel.SOLAR: 0.0, Fuel.UNKNOWN: 0.0}
    assert from_microseconds(points[-1].start) == datetime(2023, 8, 16, 11, tzinfo=UTC)
    assert points[-1].mw == {Fuel.HYDRO: 18527.0, Fuel.WIND: 78.0, Fuel.BIOMASS: 599.0, Fuel.SOLAR: 0.0}
    assert {point.quality for point in points} == {Quality.PRELIMINARY}
    assert not batch.faults


def test_recorded_solar_is_centred_on_solar_noon() -> None:
    points = read(shared("recordings", "hydroquebec", "production_2023-08-15.json").read_bytes()).points

    assert abs(minutes_after_solar_noon(points[:24], "CA-QC")) < 40


def test_rows_after_the_last_known_hour_are_not_zero_but_unknown() -> None:
    points = mixes(made("morning.json"))

    assert len(points) == 10
    assert min(point.mw[Fuel.HYDRO] for point in points) > 18_000


@pytest.mark.parametrize(
    ("name", "hours", "first"), [("spring.json", 23, "2025-03-09T05:00:00Z"), ("autumn.json", 25, "2025-11-02T04:00:00Z")]
)
def test_a_day_on_which_clocks_change_has_as_many_hours_as_there_are(name: str, hours: int, first: str) -> None:
    batch = made(name)
    points = mixes(batch)

    assert len(points) == hours
    assert from_microseconds(points[0].start) == parse_time(first)
    assert {later.start - earlier.start for earlier, later in pairwise(points)} == {HOUR}
    assert not batch.faults


def test_a_skipped_hour_and_a_repeated_one_that_comes_once_are_left_out() -> None:
    values = {"hydraulique": 1.0}
    rows = [{"date": stamp, "valeurs": values} for stamp in ("2025-03-09T02:30:00", "2025-11-02T01:30:00", "2025-11-02T02:30:00")]

    batch = read(orjson.dumps({"recentHour": "2025-11-02T23:30:00", "details": rows}))

    assert [from_microseconds(point.start) for point in batch.points] == [datetime(2025, 11, 2, 7, tzinfo=UTC)]
    assert ["does not exist" in fault.detail or "twice" in fault.detail for fault in batch.faults] == [True, True]


def test_broken_rows_are_listed_and_the_rest_is_kept() -> None:
    batch = made("broken.json")
    points = mixes(batch)

    assert [point.mw.get(Fuel.WIND) for point in points] == [600.0, 5.0]
    assert points[0].mw[Fuel.UNKNOWN] == 25.0
    assert points[1].mw == {Fuel.WIND: 5.0}
    assert len(batch.faults) == 4
    assert batch.faults[-1].where == "geothermie"


def test_overlapping_spans_agree_and_a_long_span_is_many_short_ones() -> None:
    body = (PAYLOADS / "autumn.json").read_bytes()
    middle = parse_time("2025-11-02T06:00:00Z")

    parts = [read(body, Interval(ALWAYS.start, middle)), read(body, Interval(middle, ALWAYS.end))]

    assert [point for part in parts for point in part.points] == list(read(body).points)


def test_an_answer_without_rows_is_empty() -> None:
    assert read(b'{"recentHour": "2025-11-02T23:30:00", "details": []}') == Batch([], [])


@pytest.mark.parametrize("body", [b"<html></html>", b"{}", b"[]", b"", b'{"details": [], "recentHour": null}', b'{"error": "x"}'])
def test_what_is_not_an_answer_is_refused(body: bytes) -> None:
    with pytest.raises(UpstreamError, match="Hydro-Québec"):
        read(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=6,
)


@given(JSON, JSON)
def test_no_row_whatever_raises_anything_else_than_an_upstream_error(stamp: Any, values: Any) -> None:
    rows = [stamp, {"date": stamp, "valeurs": values}, {"date": "2025-06-01T00:30:00", "valeurs": values}]

    with contextlib.suppress(UpstreamError):
        read(orjson.dumps({"recentHour": "2025-06-01T23:30:00", "details": rows}))
