"""IESO: the day by generator and the year by fuel."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridgram.errors import UpstreamError
from gridgram.fuels import Fuel
from gridgram.interval import Interval, from_microseconds, parse_time
from gridgram.quality import Quality
from gridgram.zones import Zones
from providers.base import Batch, MixPoint, Request
from providers.ieso import PROVIDER
from tests.providers.noon import minutes_after_solar_noon
from tests.shared import shared

PAYLOADS = Path(__file__).parent / "payloads" / "ieso"
ALWAYS = Interval(datetime(2015, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
NOW = parse_time("2025-06-15T12:00:00Z")


def read(body: bytes, interval: Interval = ALWAYS) -> Batch:
    return PROVIDER.parse(Request("https://x", "CA-ON", interval), body)


def recorded(name: str) -> Batch:
    return read(shared("recordings", "ieso", name).read_bytes())


def mixes(batch: Batch) -> list[MixPoint]:
    return [point for point in batch.points if isinstance(point, MixPoint)]


def start_of(point: MixPoint) -> datetime:
    return from_microseconds(point.start)


def test_the_zone_is_that_of_the_zone_table() -> None:
    assert Zones.load()["CA-ON"].codes["eia"] == (PROVIDER.zones["CA-ON"],)


def test_days_are_those_of_eastern_standard_time_even_in_summer() -> None:
    requests = PROVIDER.plan("CA-ON", Interval(parse_time("2025-06-14T04:00:00Z"), parse_time("2025-06-14T06:00:00Z")), NOW)

    assert [request.url[-12:] for request in requests] == ["20250613.xml", "20250614.xml"]


def test_old_hours_come_from_the_years_file_and_days_to_come_are_not_asked_for() -> None:
    requests = PROVIDER.plan("CA-ON", Interval(parse_time("2024-12-30T00:00:00Z"), parse_time("2026-01-01T00:00:00Z")), NOW)

    assert [request.url[-8:] for request in requests[:3]] == ["2024.xml", "2025.xml", "0516.xml"]
    assert requests[-1].url.endswith("PUB_GenOutputCapability_20250615.xml")
    assert len(requests) == 2 + 31


def test_the_recorded_day_is_added_up_by_fuel_and_moved_from_end_to_start() -> None:
    batch = recorded("GenOutputCapability_2023-09-01.xml")
    points = mixes(batch)

    assert [start_of(point) for point in points] == [datetime(2023, 9, 1, 5, tzinfo=UTC) + timedelta(hours=hour) for hour in range(24)]
    assert points[0].mw == {
        Fuel.NUCLEAR: 9466.0,
        Fuel.GAS: 1270.0,
        Fuel.HYDRO: 3053.0,
        Fuel.WIND: 484.0,
        Fuel.SOLAR: 0.0,
        Fuel.BIOMASS: 82.0,
    }
    assert points[-1].mw[Fuel.WIND] == 1614.0
    assert {point.quality for point in points} == {Quality.PRELIMINARY}
    assert not batch.faults


def test_the_recorded_excerpt_of_a_day_holds_four_hours_of_five_generators() -> None:
    points = mixes(recorded("GenOutputCapability_2016-05-01_reduced.xml"))

    assert [point.mw for point in points][::3] == [
        {Fuel.NUCLEAR: 716.0, Fuel.GAS: 120.0, Fuel.HYDRO: 165.0},
        {Fuel.NUCLEAR: 678.0, Fuel.GAS: 120.0, Fuel.HYDRO: 165.0},
    ]


def test_the_recorded_week_marks_the_hours_whose_totals_are_flagged() -> None:
    points = mixes(recorded("GenOutputbyFuelHourly_2016_reduced.xml"))

    assert len(points) == 168
    assert start_of(points[0]) == datetime(2016, 1, 1, 5, tzinfo=UTC)
    assert points[0].mw[Fuel.NUCLEAR] == 11188.0
    assert sum(point.quality is Quality.ESTIMATED for point in points) == 30
    assert sum(point.quality is Quality.MEASURED for point in points) == 138


@pytest.mark.parametrize("name", ["GenOutputCapability_2023-09-01.xml", "GenOutputbyFuelHourly_2016_reduced.xml"])
def test_recorded_solar_is_centred_on_solar_noon(name: str) -> None:
    assert abs(minutes_after_solar_noon(recorded(name).points, "CA-ON")) < 40


def test_the_day_on_which_clocks_go_forward_has_24_hours() -> None:
    points = mixes(read((PAYLOADS / "day.xml").read_bytes()))

    assert [start_of(point) for point in points] == [datetime(2025, 3, 9, 5, tzinfo=UTC) + timedelta(hours=hour) for hour in range(24)]


def test_capability_is_not_output_and_a_generator_that_is_silent_all_day_is_not_missed() -> None:
    points = mixes(read((PAYLOADS / "day.xml").read_bytes()))

    assert points[1].mw == {Fuel.NUCLEAR: 1500.0, Fuel.WIND: 92.0}
    assert points[1].quality is Quality.ESTIMATED  # the odd generator said N/A in this hour
    assert points[2].quality is Quality.PRELIMINARY


def test_an_hour_in_which_one_generator_falls_silent_is_estimated() -> None:
    points = mixes(read((PAYLOADS / "day.xml").read_bytes()))

    assert points[4].mw == {Fuel.NUCLEAR: 1500.0}
    assert points[4].quality is Quality.ESTIMATED


def test_hours_that_do_not_exist_and_unknown_fuels_are_listed() -> None:
    batch = read((PAYLOADS / "day.xml").read_bytes())

    assert mixes(batch)[0].mw[Fuel.UNKNOWN] == 3.0
    assert [fault.where for fault in batch.faults] == ["ODD 2025-03-09 hour 25", "ODD 2025-03-09 hour x", "FUSION"]


def test_a_year_keeps_its_gaps_and_marks_what_is_flagged_or_absent() -> None:
    points = mixes(read((PAYLOADS / "year.xml").read_bytes()))

    assert len(points) == 47
    assert datetime(2024, 11, 3, 11, tzinfo=UTC) not in [start_of(point) for point in points]
    assert [point.quality for point in points[:4]] == [Quality.MEASURED, Quality.ESTIMATED, Quality.ESTIMATED, Quality.MEASURED]
    assert points[2].mw == {Fuel.NUCLEAR: 9000.0, Fuel.GAS: 500.0}


def test_overlapping_spans_agree_and_a_long_span_is_many_short_ones() -> None:
    body = (PAYLOADS / "year.xml").read_bytes()
    noon, end = parse_time("2024-11-03T12:00:00Z"), parse_time("2024-11-06T00:00:00Z")

    whole = read(body)
    parts = [read(body, Interval(ALWAYS.start, noon)), read(body, Interval(noon, end))]

    assert [point for part in parts for point in part.points] == list(whole.points)


def test_a_file_that_is_not_there_is_empty_and_other_errors_are_not() -> None:
    assert PROVIDER.is_empty(404, b"<html>Not Found</html>")
    assert not PROVIDER.is_empty(500, b"")


def test_a_report_without_hours_is_empty() -> None:
    assert read(b'<Document docID="GenOutputbyFuelHourly"/>') == Batch([], [])


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Maintenance</body></html>",
        b"{}",
        b"",
        b"<IMODocument docID='GenOutputCapability'><Gen",
        b'<!DOCTYPE x [<!ENTITY a "a">]><Document docID="GenOutputbyFuelHourly">&a;</Document>',
    ],
)
def test_what_is_not_a_report_is_refused(body: bytes) -> None:
    with pytest.raises(UpstreamError, match="IESO"):
        read(body)


@given(st.lists(st.text("0123456789-x", max_size=10), min_size=3, max_size=3))
def test_no_report_whatever_raises_anything_else_than_an_upstream_error(texts: list[str]) -> None:
    day, hour, mw = texts
    output = f"<Output><Hour>{hour}</Hour><EnergyMW>{mw}</EnergyMW></Output>"
    body = f'<IMODocument docID="GenOutputCapability"><Date>{day}</Date><Generator>{output}</Generator></IMODocument>'

    with contextlib.suppress(UpstreamError):
        read(body.encode())
