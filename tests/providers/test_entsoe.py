"""ENTSO-E: its recorded answers, and small made ones for the curves, gaps and faults."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gridgram.errors import UpstreamError
from gridgram.fuels import Fuel
from gridgram.interval import Interval, format_time, from_microseconds
from gridgram.quality import Quality
from gridgram.zones import Zones
from providers import entsoe
from providers.base import Batch, MixPoint, Request
from providers.entsoe import LONGEST_ANSWER, MARGIN, MAX_BYTES, PROVIDER, URL, ZONES, nothing_found, parse, plan
from tests.shared import shared

PAYLOADS = Path(__file__).parent / "payloads" / "entsoe"
MAY = Interval(datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 5, 1, 6, tzinfo=UTC))
NOW = datetime(2026, 11, 24, 10, 7, tzinfo=UTC)


def asked(zone: str, start: str, end: str, area: str = "") -> Request:
    span = Interval(datetime.fromisoformat(f"{start}:00Z"), datetime.fromisoformat(f"{end}:00Z"))
    return Request(URL, zone, span, (("in_Domain", area or ZONES[zone]),))


def recorded(file: str) -> bytes:
    return shared("recordings", "entsoe", file).read_bytes()


def made(name: str) -> bytes:
    return (PAYLOADS / name).read_bytes()


def read(name: str, span: Interval = MAY) -> Batch:
    return parse(Request(URL, "AT", span), made(name))


def mixes(batch: Batch) -> list[MixPoint]:
    return [point for point in batch.points if isinstance(point, MixPoint)]


def starts(batch: Batch) -> list[str]:
    return [format_time(from_microseconds(point.start)) for point in batch.points]


def power(batch: Batch, fuel: Fuel) -> list[float | None]:
    return [point.mw.get(fuel) for point in mixes(batch)]


def steps(batch: Batch) -> set[int]:
    return {point.minutes for point in mixes(batch)}


@pytest.mark.parametrize(
    ("file", "request_", "points", "minutes", "first"),
    [
        (
            "A75_generation_FR_2021-01-01.xml",
            asked("FR", "2021-01-01T00:00", "2021-01-02T00:00"),
            24,
            60,
            {"biomass": 616, "gas": 4265, "coal": 9, "oil": 207, "hydro": 6198, "nuclear": 49465, "solar": 0, "wind": 1075},
        ),
        (
            "A75_generation_FR_2024-06-15.xml",
            asked("FR", "2024-06-14T22:00", "2024-06-15T22:00"),
            24,
            60,
            {"biomass": 543, "gas": 445, "coal": 0, "oil": 611, "hydro": 10682, "nuclear": 35644, "solar": 0, "wind": 9367},
        ),
        (
            "A75_generation_NL_2024-06-15.xml",
            asked("NL", "2024-06-14T22:00", "2024-06-15T22:00"),
            96,
            15,
            {"biomass": 299.37, "gas": 3319.51, "coal": 0, "hydro": 0, "nuclear": 0, "solar": 0, "wind": 1095.31, "unknown": 1863.58},
        ),
        (
            "A75_generation_NO_2021-11-23.xml",
            asked("NO", "2021-11-23T00:00", "2021-11-24T00:00"),
            24,
            60,
            {"biomass": 88, "gas": 94, "hydro": 14830, "unknown": 0, "wind": 2025},
        ),
        (
            "A75_generation_FI.xml",
            asked("FI", "2025-10-21T12:00", "2025-10-24T12:00"),
            288,
            15,
            {
                "biomass": 783,
                "gas": 14.7,
                "coal": 123.28,
                "oil": 2.34,
                "hydro": 961.81,
                "nuclear": 4175.7,
                "solar": 236.28,
                "wind": 4110.7,
                "unknown": 138.61,
            },
        ),
        (
            "A75_pumped_BE.xml",
            asked("BE", "2024-01-01T00:00", "2024-01-01T02:00"),
            2,
            60,
            {"biomass": 320, "gas": 700, "oil": 0, "hydro": 246, "nuclear": 3950, "solar": 0, "wind": 4230, "unknown": 560},
        ),
        (
            "A75_generation_DE_biomass_2023-08-15.xml",
            asked("DE", "2023-08-15T22:00", "2023-08-16T22:00"),
            96,
            15,
            {"biomass": 3903},
        ),
    ],
)
def test_a_recorded_answer_gives_every_slot_of_its_span(
    file: str, request_: Request, points: int, minutes: int, first: dict[str, float]
) -> None:
    batch = parse(request_, recorded(file))

    instants = [point.start for point in batch.points]
    assert (len(instants), steps(batch), batch.faults) == (points, {minutes}, [])
    assert from_microseconds(instants[0]) == request_.interval.start
    assert instants == [instants[0] + index * minutes * 60_000_000 for index in range(points)]
    assert mixes(batch)[0].mw == pytest.approx({Fuel(name): mw for name, mw in first.items()})


def test_the_recorded_evening_of_the_autumn_day_ends_inside_an_hour_and_nothing_is_made_up() -> None:
    request = asked("DE", "2017-10-29T20:00", "2017-10-29T22:00", "10YDE-EON------1")

    batch = parse(request, recorded("A75_generation_DE_2017-10-29_dst.xml"))

    assert (len(batch.points), steps(batch), batch.faults) == (6, {15}, [])
    assert starts(batch)[-1] == "2017-10-29T21:15:00Z"


def test_the_recorded_gap_of_pumped_storage_is_where_it_pumps() -> None:
    """France, 2024-06-15: two Periods of generation from 22:00 to 01:00 and 17:00 to 22:00, pumping between them."""
    batch = parse(asked("FR", "2024-06-14T22:00", "2024-06-15T22:00"), recorded("A75_generation_FR_2024-06-15.xml"))

    pumping = [mw for mw in power(batch, Fuel.HYDRO)[3:19] if mw is not None]
    assert len(pumping) == 16
    assert min(pumping) > 6_600  # run-of-river and reservoirs alone: what is pumped is not subtracted


def test_recorded_negative_generation_passes_as_it_came() -> None:
    batch = parse(asked("NO-NO5", "2023-05-09T09:00", "2023-05-11T09:00"), recorded("A75_generation_NO-NO5_negatives.xml"))

    assert (len(batch.points), batch.faults) == (47, [])
    assert min(mw for mw in power(batch, Fuel.GAS) if mw is not None) == -900


def test_one_recorded_point_of_a_curve_stands_for_71_hours() -> None:
    series = recorded("A03_curve_all_zero.xml").decode()
    series = series[series.index("<TimeSeries") :]
    body = f"<GL_MarketDocument><type>A75</type><createdDateTime>2026-01-01T00:00:00Z</createdDateTime>{series}</GL_MarketDocument>"

    batch = parse(asked("SE-SE4", "2025-10-20T11:00", "2025-10-23T11:00"), body.encode())

    assert power(batch, Fuel.GAS) == [0.0] * 71


@pytest.mark.parametrize("file", ["A65_load_FR_2050_nodata.xml", "A73_units_BE_nodata.xml"])
def test_a_recorded_answer_that_nothing_matches_is_empty(file: str) -> None:
    assert parse(asked("FR", "2050-01-01T00:00", "2050-01-02T00:00"), recorded(file)) == Batch([], [])


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("error_ack_P1M.xml", "larger than maximum allowed period 'P1M'"),
        ("A71_badquery_null_interval.xml", "null/null"),
        ("A65_load_FR_2021-01-01.xml", "type 'A65'"),
        ("A65_load_NL_2024-09-01.xml", "type 'A65'"),
        ("A69_windsolar_forecast_FR_2021-01-01.xml", "type 'A69'"),
        ("A11_flows_SE4_DE-LU_2021-01-01.xml", "Publication_MarketDocument"),
        ("A11_flows_DE_to_NL_2024-09.xml", "Publication_MarketDocument"),
        ("A03_curve_all_zero.xml", "TimeSeries"),
        ("A75_generation_NL_2024-06-15.xml", "10YNL----------L"),
    ],
)
def test_a_recorded_error_or_another_kind_of_answer_is_refused_with_its_reason(file: str, reason: str) -> None:
    with pytest.raises(UpstreamError, match=reason):
        parse(asked("FR", "2021-01-01T00:00", "2021-01-02T00:00"), recorded(file))


def test_spans_of_a_recorded_answer_agree_with_the_whole() -> None:
    body = recorded("A75_generation_FI.xml")
    whole = list(parse(asked("FI", "2025-10-21T12:00", "2025-10-24T12:00"), body).points)
    start = datetime(2025, 10, 21, 12, tzinfo=UTC)

    short = [
        point
        for hour in range(0, 72, 8)
        for point in parse(Request(URL, "FI", Interval(start + timedelta(hours=hour), start + timedelta(hours=hour + 8))), body).points
    ]

    assert short == whole
    assert list(parse(asked("FI", "2025-10-22T00:00", "2025-10-22T03:00"), body).points) == whole[48:60]


def test_curve_a01_gives_its_points_and_pumps_and_batteries_are_left_out() -> None:
    batch = read("a01.xml")

    assert starts(batch) == [f"2024-05-01T0{hour}:00:00Z" for hour in range(6)]
    assert power(batch, Fuel.GAS) == [500, 510, 520, 530, 540, 550]
    assert power(batch, Fuel.HYDRO) == [200, 100, None, None, 300, 400]
    assert power(batch, Fuel.UNKNOWN) == [None] * 6
    assert batch.faults == []


def test_curve_a03_repeats_a_point_until_the_next_whatever_the_version_of_the_namespace() -> None:
    batch = read("a03.xml")

    assert power(batch, Fuel.GAS) == [500, 500, 500, 530, 530, 530]
    assert power(batch, Fuel.SOLAR) == [0, 0, 0, 0, 0, 160]


def test_a_span_that_begins_inside_a_repeated_point_knows_its_value() -> None:
    late = Interval(MAY.start + timedelta(days=2, hours=2), MAY.start + timedelta(days=2, hours=4))
    body = made("a03.xml").replace(b"2024-05-01T06:00Z", b"2024-05-04T00:00Z")

    batch = parse(Request(URL, "AT", late), body)

    assert power(batch, Fuel.GAS) == [530, 530]


def test_a_gap_between_two_periods_is_not_filled() -> None:
    batch = read("gap.xml")

    assert starts(batch) == [f"2024-05-01T0{hour}:00:00Z" for hour in (0, 1, 4, 5)]
    assert [(fault.where, fault.detail) for fault in batch.faults] == [
        ("B04 2024-05-01T02:00:00Z/2024-05-01T04:00:00Z", "has no value, so these slots are dropped")
    ]


def test_two_series_of_a_type_are_one() -> None:
    batch = read("two_series.xml")

    assert power(batch, Fuel.GAS) == [500, 510, 520, 530, 540, 550]
    assert batch.faults == []


def test_points_are_as_long_as_the_finest_slot_of_their_hour() -> None:
    batch = read("resolutions.xml")

    assert [(start[11:16], point.minutes) for start, point in zip(starts(batch), mixes(batch), strict=True)] == [
        ("00:00", 30),
        ("00:30", 30),
        ("01:00", 15),
        ("01:15", 15),
        ("01:30", 15),
        ("01:45", 15),
        ("02:00", 15),
        ("02:15", 15),
    ]
    assert power(batch, Fuel.GAS) == [500, 500, 520, 520, 520, 520, 540, 540]
    assert power(batch, Fuel.WIND) == [100, 120, 140, 140, 160, 160, 150, 150]
    assert [fault.where for fault in batch.faults] == ["B16 2024-05-01T02:30:00Z/2024-05-01T03:00:00Z"]


def test_a_type_that_is_late_drops_the_newest_slots_and_an_unknown_type_counts_as_unknown() -> None:
    batch = read("late.xml")

    assert starts(batch)[-1] == "2024-05-01T03:00:00Z"
    assert power(batch, Fuel.UNKNOWN) == [7, 7, 7, 7]
    assert [fault.where for fault in batch.faults] == ["type 'B99'", "B19 2024-05-01T04:00:00Z/2024-05-01T06:00:00Z"]


def test_a_type_that_reported_two_days_before_the_span_is_waited_for_and_one_that_stopped_earlier_is_not() -> None:
    body = made("late.xml").replace(b"<start>2024-05-01T00:00Z</start><end>2024-05-01T04:00Z</end>", b"<start>%s</start><end>%s</end>")

    within = parse(Request(URL, "AT", MAY), body % (b"2024-04-29T04:00Z", b"2024-04-29T08:00Z"))
    beyond = parse(Request(URL, "AT", MAY), body % (b"2024-04-28T00:00Z", b"2024-04-28T04:00Z"))

    assert within.points == []
    assert len(beyond.points) == 6


def test_a_point_that_cannot_be_read_spoils_its_slot_and_no_other() -> None:
    batch = read("broken.xml")

    assert starts(batch) == ["2024-05-01T00:00:00Z", "2024-05-01T02:00:00Z"]
    assert [(fault.where, fault.detail) for fault in batch.faults] == [
        ("B04 2024-05-01T01:00:00Z/2024-05-01T02:00:00Z", "has the quantity 'many'"),
        ("B04 2024-05-01T05:00:00Z/2024-05-01T06:00:00Z", "has the quantity ''"),
        ("B04 2024-05-01T03:00:00Z/2024-05-01T04:00:00Z", "comes twice with different numbers"),
        ("B19 2024-05-01T04:00:00Z/2024-05-01T06:00:00Z", "has a point at position '0'"),
    ]


@pytest.mark.parametrize("name", ["a01.xml", "broken.xml", "resolutions.xml"])
def test_an_answer_that_breaks_off_anywhere_is_refused(name: str) -> None:
    body = made(name)

    for end in range(0, len(body) - 20, 61):
        with pytest.raises(UpstreamError, match="ENTSO-E"):
            parse(Request(URL, "AT", MAY), body[:end])


def test_a_zip_of_documents_reads_as_one() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("one.xml", made("gap.xml"))
        archive.writestr("two.xml", made("nothing.xml"))

    assert parse(Request(URL, "AT", MAY), packed.getvalue()) == read("gap.xml")


def test_a_zip_that_swells_or_holds_too_many_files_or_is_broken_is_refused() -> None:
    bomb, crowd = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.xml", b" " * (MAX_BYTES + 1))
    with zipfile.ZipFile(crowd, "w") as archive:
        for number in range(101):
            archive.writestr(f"{number}.xml", b"")

    for body, reason in ((bomb.getvalue(), "more than"), (crowd.getvalue(), "101 files"), (crowd.getvalue()[:90], "cannot be read")):
        with pytest.raises(UpstreamError, match=reason):
            parse(Request(URL, "AT", MAY), body)


def test_entities_are_refused() -> None:
    with pytest.raises(UpstreamError, match="defines entities or a type"):
        read("laughs.xml")


def test_a_document_that_is_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(UpstreamError, match="more than"):
        parse(Request(URL, "AT", MAY), b"<" * (MAX_BYTES + 1))


def test_a_period_of_a_hundred_years_costs_no_more_than_the_span() -> None:
    body = made("a03.xml").replace(b"2024-05-01T00:00Z", b"2001-05-01T00:00Z").replace(b"2024-05-01T06:00Z", b"2099-05-01T06:00Z")

    batch = parse(Request(URL, "AT", MAY), body.replace(b"PT60M", b"PT15M"))

    assert power(batch, Fuel.GAS) == [530] * 24


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"<a>",
        b'<?xml version="1.0" encoding="nonsense"?><a/>',
        b"<html><body>Service Temporarily Unavailable</body></html>",
        made("page.html"),
        made("refused.xml"),
        made("a01.xml").replace(b"A75", b"A65"),
        made("a01.xml").replace(b">MAW<", b">MWH<"),
        made("a01.xml").replace(b">A01</curveType>", b">A02</curveType>"),
        made("a01.xml").replace(b"PT60M", b"P1D"),
        made("a01.xml").replace(b"10YAT-APG------L", b"10YFR-RTE------C"),
        made("a01.xml").replace(b"inBiddingZone", b"someZone"),
        made("a01.xml").replace(b"B16", b""),
        made("a01.xml").replace(b"2024-05-01T00:00Z", b"yesterday"),
        made("a01.xml").replace(b"2024-05-01T00:00Z", b"2024-05-01T00:07Z"),
        made("a01.xml").replace(b"timeInterval", b"interval"),
        made("a01.xml").replace(b"<createdDateTime>2024-06-01T00:00:00Z</createdDateTime>", b""),
        made("a01.xml")[:-200],
        b"PK\x03\x04nonsense",
    ],
)
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(UpstreamError, match="ENTSO-E"):
        parse(Request(URL, "AT", MAY), body)


def test_an_answer_that_nothing_matches_is_empty_with_status_200_and_400() -> None:
    assert read("nothing.xml") == Batch([], [])
    assert nothing_found(400, made("nothing.xml"))
    assert not nothing_found(400, made("refused.xml"))
    assert not nothing_found(400, made("a01.xml"))
    assert not nothing_found(400, made("page.html"))
    assert not nothing_found(503, made("nothing.xml"))


def test_hours_younger_than_a_week_when_the_answer_was_made_are_preliminary() -> None:
    fresh = made("a01.xml").replace(b"2024-06-01T00:00:00Z", b"2024-05-08T03:00:00Z")

    batch = parse(Request(URL, "AT", MAY), fresh)

    assert [point.quality for point in mixes(batch)] == [Quality.MEASURED] * 3 + [Quality.PRELIMINARY] * 3
    assert {point.quality for point in mixes(read("a01.xml"))} == {Quality.MEASURED}


def test_a_span_is_asked_for_in_utc_from_two_days_before_and_the_token_apart() -> None:
    span = Interval(datetime(2024, 5, 1, 0, 20, tzinfo=UTC), datetime(2024, 5, 1, 5, 40, tzinfo=UTC))

    (request,) = plan("AT", span, NOW)

    assert request.url == "https://web-api.tp.entsoe.eu/api"
    assert dict(request.query) == {
        "documentType": "A75",
        "processType": "A16",
        "in_Domain": "10YAT-APG------L",
        "periodStart": "202404290000",
        "periodEnd": "202405010600",
    }
    assert [(secret.place, secret.field) for secret in PROVIDER.secrets] == [("query", "securityToken")]


def test_no_answer_is_asked_to_be_longer_than_the_shortest_month_and_none_lies_in_the_future() -> None:
    year = Interval(datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))

    requests = plan("DE", year, NOW)

    asked_for = [datetime.strptime(dict(request.query)["periodEnd"] + "Z", "%Y%m%d%H%M%z") for request in requests]
    asked_from = [datetime.strptime(dict(request.query)["periodStart"] + "Z", "%Y%m%d%H%M%z") for request in requests]
    assert max(end - start for start, end in zip(asked_from, asked_for, strict=True)) == LONGEST_ANSWER
    assert [request.interval.start for request in requests[1:]] == [request.interval.end for request in requests[:-1]]
    assert PROVIDER.longest_span + MARGIN == LONGEST_ANSWER
    assert plan("DE", Interval(NOW, NOW + timedelta(days=1)), NOW) == []


@pytest.mark.parametrize(("day", "hours"), [("2024-03-30T23:00", 23), ("2024-10-26T22:00", 25)])
def test_a_local_day_has_as_many_utc_hours_as_there_are(day: str, hours: int) -> None:
    start = datetime.fromisoformat(f"{day}:00Z")
    end = f"{start + timedelta(hours=hours):%Y-%m-%dT%H:%M}"
    body = made("a03.xml").replace(b"2024-05-01T00:00Z", f"{day}Z".encode()).replace(b"2024-05-01T06:00Z", f"{end}Z".encode())

    batch = parse(asked("AT", day, end), body)

    assert len(batch.points) == hours


def test_the_zones_are_those_with_a_code_of_entsoe() -> None:
    codes = {zone.key: zone.codes["entsoe"] for zone in Zones.load() if "entsoe" in zone.codes}

    assert {key: (code,) for key, code in ZONES.items()} == codes
    assert len(codes) == 64
    assert entsoe.PROVIDER.zones is ZONES
