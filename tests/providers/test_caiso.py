"""California ISO: its recorded files, and small made ones for the days and faults that are not recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from gridgram.errors import UpstreamError
from gridgram.fuels import Fuel
from gridgram.interval import Interval, format_time, from_microseconds
from gridgram.quality import Quality
from gridgram.zones import Zones
from providers.base import Batch, MixPoint, Request
from providers.caiso import URL, ZONES, no_file, parse, plan
from tests.shared import shared

PAYLOADS = Path(__file__).parent / "payloads" / "caiso"
ZONE = "US-CAL-CISO"
NOW = datetime(2026, 11, 24, 18, 3, tzinfo=UTC)  # 10:03 PST


def asked(day: datetime, hours: int = 24, part: str = "history") -> Request:
    return Request(f"{URL}history/x/fuelsource.csv", ZONE, Interval(day, day + timedelta(hours=hours)), part=part)


def mixes(batch: Batch) -> list[MixPoint]:
    return [point for point in batch.points if isinstance(point, MixPoint)]


def starts(batch: Batch) -> list[str]:
    return [format_time(from_microseconds(point.start)) for point in batch.points]


def read(name: str, day: datetime, hours: int = 24, part: str = "history") -> Batch:
    return parse(asked(day, hours, part), (PAYLOADS / name).read_bytes())


def test_the_recorded_day_is_288_points_that_begin_at_local_midnight() -> None:
    body = shared("recordings", "caiso", "fuelsource_2023-01-01.csv").read_bytes()
    day = datetime(2023, 1, 1, 8, tzinfo=UTC)

    batch = parse(asked(day), body)

    points = mixes(batch)
    assert (len(points), batch.faults) == (288, [])
    assert (starts(batch)[0], starts(batch)[-1]) == ("2023-01-01T08:00:00Z", "2023-01-02T07:55:00Z")
    assert points[0].mw == {
        Fuel.SOLAR: -37,
        Fuel.WIND: 3193,
        Fuel.GEOTHERMAL: 905,
        Fuel.BIOMASS: 287 + 212,
        Fuel.HYDRO: 191 + 1477,
        Fuel.COAL: 4,
        Fuel.NUCLEAR: 2245,
        Fuel.GAS: 8225,
        Fuel.UNKNOWN: 0,
    }
    assert {point.quality for point in points} == {Quality.MEASURED}
    assert {point.minutes for point in points} == {5}


def test_two_spans_that_overlap_agree_and_many_short_ones_are_the_long_one() -> None:
    body = shared("recordings", "caiso", "fuelsource_2023-01-01.csv").read_bytes()
    day = datetime(2023, 1, 1, 8, tzinfo=UTC)

    whole = parse(asked(day), body).points

    hourly = [parse(asked(day + timedelta(hours=hour), 1), body).points for hour in range(24)]
    assert [point for points in hourly for point in points] == list(whole)


@pytest.mark.parametrize(
    "file", ["netdemand_2019-03-10_dst-spring.csv", "DailyRenewablesWatch_2017-11-04.txt", "renewables_report_2014-03-12.txt"]
)
def test_another_recorded_file_of_caiso_is_refused_with_what_came(file: str) -> None:
    body = shared("recordings", "caiso", file).read_bytes()

    with pytest.raises(UpstreamError, match="CAISO"):
        parse(asked(datetime(2019, 3, 10, 8, tzinfo=UTC)), body)


def test_the_recorded_spring_day_has_its_skipped_hour_as_empty_rows_which_the_made_one_repeats() -> None:
    recorded = shared("recordings", "caiso", "netdemand_2019-03-10_dst-spring.csv").read_text("utf-8-sig").splitlines()

    empty = [row.split(",")[0] for row in recorded if row.endswith(",,,")]

    made = (PAYLOADS / "spring.csv").read_text().splitlines()
    assert empty == [f"02:{minute:02}" for minute in range(0, 60, 5)]
    assert [row.split(",")[0] for row in made if row.endswith(",,,,,")] == empty
    assert recorded[-1].startswith("00:00")


def test_the_day_with_23_hours_has_23_utc_hours_and_no_fault() -> None:
    batch = read("spring.csv", datetime(2026, 3, 8, 8, tzinfo=UTC), 23)

    instants = [point.start for point in batch.points]
    assert batch.faults == []
    assert len(instants) == 23 * 12
    assert {later - earlier for earlier, later in pairwise(instants)} == {300_000_000}
    assert starts(batch)[-1] == "2026-03-09T06:55:00Z"


def test_a_number_in_the_hour_that_does_not_exist_is_a_fault() -> None:
    body = (PAYLOADS / "spring.csv").read_text().replace("02:30,,,,,,,,,,,,,", "02:30" + ",5" * 13)

    batch = parse(asked(datetime(2026, 3, 8, 8, tzinfo=UTC), 23), body.encode())

    assert len(batch.points) == 23 * 12
    assert [fault.where for fault in batch.faults] == ["2026-03-08 02:30"]


@pytest.mark.parametrize("times", [1, 2])
def test_the_hour_that_comes_twice_is_dropped_with_a_fault_and_the_other_23_are_kept(times: int) -> None:
    rows = (PAYLOADS / "autumn.csv").read_text().splitlines(keepends=True)
    body = "".join(rows[:25] + rows[13:25] * (times - 1) + rows[25:])

    batch = parse(asked(datetime(2026, 11, 1, 7, tzinfo=UTC), 25), body.encode())

    hours = {start[:13] for start in starts(batch)}
    assert len(batch.points) == 23 * 12
    assert {"2026-11-01T08", "2026-11-01T09"}.isdisjoint(hours)
    assert starts(batch)[-1] == "2026-11-02T07:55:00Z"
    assert [fault.where for fault in batch.faults] == ["2026-11-01 01:00"]


def test_the_row_of_the_next_day_is_dropped() -> None:
    body = (PAYLOADS / "autumn.csv").read_bytes()
    assert body.splitlines()[-1].startswith(b"00:00,")

    batch = read("autumn.csv", datetime(2026, 11, 1, 7, tzinfo=UTC), 26)

    assert "2026-11-02T08:00:00Z" not in starts(batch)


def test_broken_rows_are_listed_and_the_others_kept() -> None:
    batch = read("broken.csv", datetime(2026, 7, 1, 7, tzinfo=UTC))

    assert starts(batch) == ["2026-07-01T07:00:00Z", "2026-07-01T07:30:00Z"]
    assert [(fault.where, fault.detail) for fault in batch.faults] == [
        ("column 'tidal'", "not a source that we know; its generation counts as unknown"),
        ("00:05", "natural gas is ''"),
        ("00:10", "wind is 'many'"),
        ("00:15", "14 cells under 15 columns"),
        ("line 6", "'25:00' is no time of day"),
        ("line 7", "00:10 comes after 00:15"),
    ]


def test_a_row_that_comes_twice_on_a_usual_day_counts_once() -> None:
    rows = (PAYLOADS / "autumn.csv").read_text().splitlines(keepends=True)
    body = "".join(rows[:25] + rows[20:25] + rows[25:-1])

    batch = parse(asked(datetime(2026, 7, 1, 7, tzinfo=UTC)), body.encode())

    assert len(batch.points) == len({point.start for point in batch.points}) == 288
    assert len(batch.faults) == 5


def test_an_unknown_source_counts_as_unknown_generation() -> None:
    batch = read("broken.csv", datetime(2026, 7, 1, 7, tzinfo=UTC))

    assert mixes(batch)[0].mw[Fuel.UNKNOWN] == 7 + 40


def test_imports_and_batteries_are_no_generation() -> None:
    batch = read("broken.csv", datetime(2026, 7, 1, 7, tzinfo=UTC))

    assert sum(mixes(batch)[0].mw.values()) == -30 + 3000 + 900 + 280 + 200 + 190 + 3 + 2200 + 8000 + 1500 + 7 + 40


@pytest.mark.parametrize("body", [b"", b"\r\n", b"\xef\xbb\xbf"])
def test_an_empty_file_holds_nothing(body: bytes) -> None:
    assert parse(asked(datetime(2026, 7, 1, 7, tzinfo=UTC)), body) == Batch()


@pytest.mark.parametrize(
    "body", [b"<!DOCTYPE html><html><body>Not here</body></html>", b"{}", b"\xff\xfe\x00", b"Time,Solar\n00:00,1\n", b'Time,"\x00\n']
)
def test_anything_but_the_table_is_refused(body: bytes) -> None:
    with pytest.raises(UpstreamError, match="CAISO"):
        parse(asked(datetime(2026, 7, 1, 7, tzinfo=UTC)), body)


def test_a_file_whose_fuel_is_gone_is_refused_by_its_name() -> None:
    body = (PAYLOADS / "autumn.csv").read_bytes().replace(b"Natural Gas", b"Batteries", 1)

    with pytest.raises(UpstreamError, match="natural gas"):
        parse(asked(datetime(2026, 11, 1, 7, tzinfo=UTC), 25), body)


def test_a_span_is_asked_for_by_the_pacific_day() -> None:
    span = Interval(datetime(2026, 11, 20, 7, 30, tzinfo=UTC), datetime(2026, 11, 21, 9, tzinfo=UTC))

    requests = plan(ZONE, span, NOW)

    assert [request.url.removeprefix(URL) for request in requests] == [
        "history/20261119/fuelsource.csv",
        "history/20261120/fuelsource.csv",
        "history/20261121/fuelsource.csv",
    ]
    assert [request.interval.start for request in requests] == [
        datetime(2026, 11, 20, 7, 30, tzinfo=UTC),
        datetime(2026, 11, 20, 8, tzinfo=UTC),
        datetime(2026, 11, 21, 8, tzinfo=UTC),
    ]
    assert requests[-1].interval.end == span.end


def test_a_day_is_settled_four_days_after_its_end() -> None:
    span = Interval(datetime(2026, 11, 19, 8, tzinfo=UTC), datetime(2026, 11, 21, 8, tzinfo=UTC))

    assert [request.part for request in plan(ZONE, span, NOW)] == ["history", "recent"]
    assert mixes(read("broken.csv", datetime(2026, 7, 1, 7, tzinfo=UTC), part="recent"))[0].quality is Quality.PRELIMINARY


def test_today_is_asked_for_from_the_current_file_and_the_future_not_at_all() -> None:
    span = Interval(datetime(2026, 11, 24, 17, tzinfo=UTC), datetime(2026, 11, 27, tzinfo=UTC))

    (request,) = plan(ZONE, span, NOW)

    assert request.url == "https://www.caiso.com/outlook/current/fuelsource.csv"
    assert request.interval == Interval(datetime(2026, 11, 24, 8, tzinfo=UTC), datetime(2026, 11, 24, 18, tzinfo=UTC))


def test_the_current_file_is_read_as_far_as_it_has_come() -> None:
    batch = read("current.csv", datetime(2026, 11, 24, 8, tzinfo=UTC), 1, "current")

    assert starts(batch)[-1] == "2026-11-24T08:40:00Z"
    assert {point.quality for point in batch.points} == {Quality.PRELIMINARY}
    assert batch.faults == []


def test_a_current_file_that_still_is_yesterdays_is_refused() -> None:
    body = (PAYLOADS / "autumn.csv").read_bytes()

    with pytest.raises(UpstreamError, match="another day"):
        parse(asked(datetime(2026, 11, 24, 8, tzinfo=UTC), 1, "current"), body)


def test_a_day_without_a_file_is_empty_and_a_failing_server_is_not() -> None:
    assert no_file(404, b"<html>")
    assert not no_file(500, b"")


def test_the_zone_is_one_of_ours() -> None:
    assert [(key, Zones.load()[key].codes["eia"]) for key in ZONES] == [(ZONE, ("CISO",))]
