"""EIA-930: its recorded answers, the labels against California's own file and the sun, and small made answers of the same shape."""

from __future__ import annotations

import gzip
import json
import traceback
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridgram.errors import UpstreamError
from gridgram.fuels import Fuel
from gridgram.interval import Interval, format_time, from_microseconds, hour_of
from gridgram.quality import Quality
from gridgram.zones import Zones
from providers import caiso
from providers.base import Batch, MixPoint, Request
from providers.eia import LABELS, MARGIN, PROVIDER, URL, WITHOUT_GENERATION, ZONES, hour_named, parse, plan
from tests.shared import shared

PAYLOADS = Path(__file__).parent / "payloads" / "eia"
NEW_YEAR = Interval(datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 1, 2, tzinfo=UTC))
MAY = Interval(datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 5, 1, 6, tzinfo=UTC))
NOW = datetime(2026, 11, 24, 10, 7, tzinfo=UTC)
CANARY = "CANARY-KEY"


def asked(zone: str, span: Interval, part: str = "settled", **query: str) -> Request:
    return Request(URL, zone, span, tuple(query.items()), part=part)


def page(offset: int) -> Any:
    path = shared("recordings", "eia", f"fuel-type-data_all_2023-01-01_page{offset}.json.gz")
    return json.loads(gzip.decompress(path.read_bytes()))


def recorded_day() -> bytes:
    """Both recorded pages as one answer."""
    answer = page(0)
    answer["response"]["data"] += page(5000)["response"]["data"]
    return json.dumps(answer).encode()


def mixes(batch: Batch) -> list[MixPoint]:
    return [point for point in batch.points if isinstance(point, MixPoint)]


def starts(batch: Batch) -> list[str]:
    return [format_time(from_microseconds(point.start)) for point in batch.points]


def made(name: str) -> bytes:
    return (PAYLOADS / name).read_bytes()


def series(code: str, hours: int, *, first: datetime = MAY.start, fuels: int = 2) -> bytes:
    """A made answer of some hours in the order of time."""
    rows = [
        {"period": f"{first + timedelta(hours=hour):%Y-%m-%dT%H}", "respondent": code, "fueltype": fuel, "value": 100 + hour}
        for hour in range(hours)
        for fuel in ("COL", "NG", "NUC", "OIL", "SUN", "WAT", "WND", "OTH")[:fuels]
    ]
    return json.dumps({"response": {"total": len(rows), "data": rows}}).encode()


def test_the_recorded_day_gives_24_hours_of_all_56_authorities_but_two_hours_of_homestead() -> None:
    body = recorded_day()

    batches = {zone: parse(asked(zone, NEW_YEAR, length="9700"), body) for zone in ZONES}

    assert {zone: len(batch.points) for zone, batch in batches.items() if len(batch.points) != 24} == {"US-FLA-HST": 22}
    assert [(fault.where, fault.detail) for zone in ZONES for fault in batches[zone].faults] == [
        ("CISO OTH", "far below 0 in 8 hours: charging, which is no generation and counts as 0"),
        ("DUK WAT", "far below 0 in 18 hours: charging, which is no generation and counts as 0"),
        ("HST 2023-01-01T03Z", "no fuel has a number"),
        ("HST 2023-01-01T04Z", "no fuel has a number"),
    ]
    assert starts(batches["US-TEX-ERCO"])[0] == "2023-01-01T00:00:00Z"
    assert starts(batches["US-TEX-ERCO"])[-1] == "2023-01-01T23:00:00Z"


def test_a_small_negative_number_counts_as_nothing() -> None:
    batch = parse(asked("US-CAL-CISO", NEW_YEAR, length="9700"), recorded_day())

    night = mixes(batch)[8]  # midnight in California, where EIA has -36
    assert night.mw[Fuel.SOLAR] == 0
    assert night.mw[Fuel.GAS] == 7317


def test_the_first_recorded_page_points_to_the_next_one_from_its_last_hour_which_it_leaves_out() -> None:
    request = asked("US-CAL-CISO", NEW_YEAR, offset="0", length="5000")
    rows = page(0)["response"]["data"]

    batch = parse(request, json.dumps(page(0)).encode())

    assert starts(batch)[-1] == "2023-01-01T10:00:00Z"  # its last label is T12, the hour from 11
    (following,) = batch.following
    offset = int(dict(following.query)["offset"])
    assert rows[offset - 1]["period"] < rows[offset]["period"] == rows[-1]["period"] == "2023-01-01T12"
    assert following.interval == Interval(datetime(2023, 1, 1, 11, tzinfo=UTC), NEW_YEAR.end)


def test_the_last_recorded_page_points_nowhere_although_it_carries_the_warning() -> None:
    answer = page(5000)
    assert answer["response"]["warnings"]

    batch = parse(asked("US-CAL-CISO", NEW_YEAR, offset="5000", length="5000"), json.dumps(answer).encode())

    assert batch.following == []
    assert starts(batch)[-1] == "2023-01-01T23:00:00Z"


@pytest.mark.parametrize("length", [100, 333, 5000])
def test_pages_that_are_followed_give_the_same_hours_as_one_answer(length: int) -> None:
    answer = json.loads(series("ERCO", 24 * 12, fuels=8))
    rows = answer["response"]["data"]
    span = Interval(MAY.start + timedelta(days=1), MAY.start + timedelta(days=10))
    whole = parse(asked("US-TEX-ERCO", span), json.dumps(answer).encode())

    points: list[Any] = []
    waiting = [asked("US-TEX-ERCO", span, offset="0", length=str(length))]
    while waiting:
        request = waiting.pop()
        offset = int(dict(request.query)["offset"])
        body = json.dumps({"response": {"total": str(len(rows)), "data": rows[offset : offset + length]}}).encode()
        batch = parse(request, body)
        points += batch.points
        waiting += batch.following

    assert points == whole.points
    assert len(points) == 9 * 24


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (["2024-05-01T02", "2024-05-01T01"], "order of time"),
        (["2024-05-01T02", None], "order of time"),
        (["2024-05-01T02", "2024-99-99T02"], "order of time"),
        (["2024-05-01T02", "2024-05-01T02"], "one hour"),
    ],
)
def test_a_page_that_the_next_one_cannot_be_joined_to_is_refused(rows: list[str | None], reason: str) -> None:
    data = [{"period": period, "respondent": "ERCO", "fueltype": "NG", "value": 1} for period in rows]

    with pytest.raises(UpstreamError, match=reason):
        parse(asked("US-TEX-ERCO", MAY, length="2"), json.dumps({"response": {"total": 9, "data": data}}).encode())


def test_a_null_is_a_hole_and_an_answer_shorter_than_its_count_says_so() -> None:
    body = shared("recordings", "eia", "fuel-type_nulls_PGE_2022-10-31.json").read_bytes()
    span = Interval(datetime(2022, 10, 31, 10, tzinfo=UTC), datetime(2022, 10, 31, 12, tzinfo=UTC))

    batch = parse(asked("US-NW-PGE", span), body)

    assert [(start, point.mw) for start, point in zip(starts(batch), mixes(batch), strict=True)] == [
        ("2022-10-31T11:00:00Z", {Fuel.GAS: 400})
    ]
    assert [fault.where for fault in batch.faults] == ["offset 0", "PGE 2022-10-31T10Z"]
    assert batch.following == []


def test_the_recorded_empty_answer_is_empty() -> None:
    body = shared("recordings", "eia", "fuel-type_empty_AVRN.json").read_bytes()

    assert parse(asked("US-NW-BPAT", MAY), body) == Batch([], [], [])


@pytest.mark.parametrize("file", ["error_403_key_missing.json", "error_404.json"])
def test_a_recorded_error_is_refused(file: str) -> None:
    with pytest.raises(UpstreamError, match="error"):
        parse(asked("US-TEX-ERCO", MAY), shared("recordings", "eia", file).read_bytes())


@pytest.mark.parametrize(
    ("file", "zone"),
    [
        ("region-data_D_all_2023-01-01.json", "US-CAL-CISO"),
        ("region-data_BPAT_consumption.json", "US-NW-BPAT"),
        ("interchange_CISO_2024-01-01.json", "US-CAL-CISO"),
    ],
)
def test_a_recorded_answer_of_another_kind_gives_no_point(file: str, zone: str) -> None:
    body = shared("recordings", "eia", file).read_bytes()

    batch = parse(asked(zone, Interval(datetime(2022, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))), body)

    assert batch.points == []


def test_a_period_names_the_end_of_its_hour_as_californias_own_file_shows() -> None:
    """Gas and solar of 2023-01-01, EIA's against the mean of CAISO's five-minute rows, in the 16 hours that both recordings hold."""
    day = Interval(datetime(2023, 1, 1, 8, tzinfo=UTC), datetime(2023, 1, 2, tzinfo=UTC))
    own = defaultdict(list)
    file = shared("recordings", "caiso", "fuelsource_2023-01-01.csv").read_bytes()
    for point in mixes(caiso.parse(Request(caiso.URL, "US-CAL-CISO", day, part="history"), file)):
        own[point.start // 3_600_000_000].append((point.mw[Fuel.GAS], point.mw[Fuel.SOLAR]))
    hours = sorted(own)
    caiso_mw = np.array([np.mean(own[hour], axis=0) for hour in hours])
    eia = {point.start // 3_600_000_000: point.mw for point in mixes(parse(asked("US-CAL-CISO", NEW_YEAR, length="9700"), recorded_day()))}

    def off_by(slip: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        there = np.array([(eia[hour + slip][Fuel.GAS], eia[hour + slip][Fuel.SOLAR]) for hour in hours if hour + slip in eia])
        distance: np.ndarray[Any, np.dtype[np.float64]] = np.abs(there - caiso_mw[: len(there)]).max(axis=0)
        return distance

    gas_mw, solar_mw = off_by(0)
    assert len(hours) == 16
    assert (np.abs(np.array([eia[hour][Fuel.GAS] for hour in hours]) / caiso_mw[:, 0] - 1) < 0.02).sum() == 15
    assert gas_mw < 210
    assert solar_mw < 420
    for slip in (-1, 1):  # as if the label named another hour
        assert (off_by(slip) > (1_000, 1_500)).all()


SOLAR_ZONES = ("US-CAL-CISO", "US-FLA-FPL", "US-MIDA-PJM", "US-MIDW-MISO", "US-NE-ISNE", "US-NW-BPAT", "US-SW-EPE", "US-TEX-ERCO")


@pytest.mark.parametrize("zone", SOLAR_ZONES)
def test_the_label_table_puts_solar_power_at_solar_noon_and_the_other_label_does_not(zone: str) -> None:
    """Two years of hourly solar power, day by day; NYIS has too little of it."""
    pandas = pytest.importorskip("pandas")
    table = pandas.read_parquet(shared("data", "hourly", "mix_eia.parquet"), columns=["zone", "utc", "solar"])
    rows = table[(table.zone == zone) & table.solar.notna() & (table.utc < "2021-01-01")]
    named = np.array([hour_named(ZONES[zone], label.replace(tzinfo=UTC)) for label in rows.utc], np.int64)
    solar_mw = rows.solar.to_numpy().clip(0)

    slip = -1 if ZONES[zone] in LABELS else 1
    assert len(named) > 17_000
    assert abs(hours_after_solar_noon(named, solar_mw, zone)) < 0.35
    assert abs(hours_after_solar_noon(named + slip, solar_mw, zone)) > 0.65


def hours_after_solar_noon(hours: np.ndarray[Any, Any], solar_mw: np.ndarray[Any, Any], zone: str) -> float:
    """The median over the days of the solar energy's mean time against the sun at the zone's longitude. [h]"""
    longitude_h = Zones.load()[zone].longitude / 15
    solar_day, solar_hour = np.divmod(hours + 0.5 + longitude_h, 24)
    angle = 2 * np.pi * ((solar_day % 365.25) - 80) / 365
    equation_of_time_h = (9.87 * np.sin(2 * angle) - 7.53 * np.cos(angle) - 1.5 * np.sin(angle)) / 60
    day = (solar_day - solar_day.min()).astype(int)
    energy = np.bincount(day, solar_mw)
    moment = np.bincount(day, solar_mw * (solar_hour + equation_of_time_h - 12))
    sunny = energy > 0.2 * np.median(energy)
    return float(np.median(moment[sunny] / energy[sunny]))


def test_every_exception_of_the_label_table_has_its_evidence_and_ends_open() -> None:
    for labels in LABELS.values():
        assert all(len(label.evidence) > 20 for label in labels)
        assert labels[-1].until is None
        assert [label.until for label in labels[:-1]] == sorted(label.until for label in labels[:-1] if label.until)


def test_pjm_names_the_start_and_california_changed_in_a_week_that_is_left_out() -> None:
    noon = datetime(2022, 6, 12, 12, tzinfo=UTC)

    assert hour_named("PJM", noon) == hour_of(noon)
    assert hour_named("ERCO", noon) == hour_of(noon) - 1
    assert hour_named("CISO", noon) == hour_of(noon)
    assert hour_named("CISO", noon + timedelta(days=3)) is None
    assert hour_named("CISO", noon + timedelta(days=10)) == hour_of(noon) + 239


def test_the_week_in_which_california_changed_is_one_fault_and_no_hour_comes_twice() -> None:
    first, days = datetime(2022, 6, 11, tzinfo=UTC), 12
    body = series("CISO", days * 24 + 1, first=first)

    batch = parse(asked("US-CAL-CISO", Interval(first, first + timedelta(days=days))), body)

    hours = [point.start // 3_600_000_000 for point in batch.points]
    assert len(hours) == len(set(hours)) == 2 * 24 + 1 + 3 * 24 - 1 + 1
    assert starts(batch)[47:49] == ["2022-06-12T23:00:00Z", "2022-06-19T23:00:00Z"]
    assert [fault.where for fault in batch.faults] == ["CISO 2022-06-13T00 to 2022-06-19T23"]


def test_numbers_as_text_and_as_numbers_read_the_same() -> None:
    text, numbers = (parse(asked("US-TEX-ERCO", MAY), made(name)) for name in ("text.json", "numbers.json"))

    assert text == numbers
    assert starts(text) == [f"2024-05-01T0{hour}:00:00Z" for hour in range(6)]
    assert mixes(text)[0].mw == {Fuel.COAL: 1001, Fuel.GAS: 5010, Fuel.SOLAR: 0, Fuel.HYDRO: 50, Fuel.WIND: 2000}
    assert mixes(text)[1].mw[Fuel.HYDRO] == 0
    assert [fault.where for fault in text.faults] == ["ERCO WAT"]


def test_split_fuels_are_added_up_and_stores_left_out() -> None:
    batch = parse(asked("US-TEX-ERCO", MAY), made("split.json"))

    assert mixes(batch)[0].mw == {
        Fuel.GAS: 100,
        Fuel.SOLAR: 30,
        Fuel.WIND: 70,
        Fuel.HYDRO: 11,
        Fuel.GEOTHERMAL: 7,
        Fuel.BIOMASS: 8,
        Fuel.UNKNOWN: 10,
    }
    assert (len(batch.points), batch.faults) == (2, [])


def test_hours_that_lack_a_reported_fuel_or_have_an_impossible_one_are_dropped_and_the_others_kept() -> None:
    batch = parse(asked("US-TEX-ERCO", MAY), made("broken.json"))

    assert starts(batch) == ["2024-05-01T00:00:00Z", "2024-05-01T03:00:00Z", "2024-05-01T05:00:00Z"]
    assert mixes(batch)[1].mw == {Fuel.COAL: 0, Fuel.GAS: 5000}
    assert [(fault.where, fault.detail) for fault in batch.faults] == [
        ("ERCO COL 2024-05-01T05", "comes twice with different numbers; neither counts"),
        ("row 15", "not a row of period, fuel type and MWh"),
        ("row 16", "not a row of period, fuel type and MWh"),
        ("row 17", "not a row of period, fuel type and MWh"),
        ("row 18", "not a row of period, fuel type and MWh"),
        ("fuel type 'ZZZ'", "not one that we know; counts as unknown"),
        ("ERCO 2024-05-01T01Z", "COL has no number, though it has at other hours"),
        ("ERCO 2024-05-01T02Z", "COL is -700 MW, too far below 0 for a plant's own use"),
        ("ERCO 2024-05-01T04Z", "COL has no number, though it has at other hours"),
    ]
    assert mixes(batch)[2].mw[Fuel.UNKNOWN] == 12


def test_a_fuel_that_is_late_drops_the_newest_hour_instead_of_counting_as_nothing() -> None:
    answer = json.loads(series("ERCO", 30))
    answer["response"]["data"] = answer["response"]["data"][:-1]  # the newest hour has coal and no gas yet

    batch = parse(asked("US-TEX-ERCO", Interval(MAY.start + timedelta(days=1), MAY.start + timedelta(days=2))), json.dumps(answer).encode())

    assert starts(batch)[-1] == "2024-05-02T03:00:00Z"
    assert [fault.where for fault in batch.faults] == ["offset 0", "ERCO 2024-05-02T04Z"]


def test_a_fuel_that_stopped_more_than_a_day_ago_is_not_waited_for() -> None:
    answer = json.loads(series("ERCO", 72))
    answer["response"]["data"] = [row for row in answer["response"]["data"] if row["fueltype"] == "COL" or row["period"] <= "2024-05-01T12"]

    batch = parse(asked("US-TEX-ERCO", Interval(MAY.start, MAY.start + timedelta(days=3))), json.dumps(answer).encode())

    assert starts(batch)[11:13] == ["2024-05-01T11:00:00Z", "2024-05-02T12:00:00Z"]


def test_the_empty_answer_is_empty() -> None:
    assert parse(asked("US-TEX-ERCO", MAY), made("empty.json")) == Batch([], [], [])


@pytest.mark.parametrize(
    "body",
    [
        made("page.html"),
        made("error.json"),
        made("error_text.json"),
        made("text.json")[:-40],
        b"",
        b"{}",
        b"null",
        b"[]",
        b'"CANARY-KEY"',
        b'{"response":{"data":{"api_key":"CANARY-KEY"}}}',
        b'{"response":{"data":[],"total":"CANARY-KEY"}}',
        b'{"request":{"params":{"api_key":"CANARY-KEY"}}}',
    ],
)
def test_anything_else_is_refused_and_the_key_that_it_repeats_is_in_no_text(body: bytes) -> None:
    with pytest.raises(UpstreamError, match="EIA") as caught:
        parse(asked("US-TEX-ERCO", MAY), body)

    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None or CANARY not in repr(caught.value.__context__)


def test_the_error_of_a_wrong_key_is_named_by_its_code() -> None:
    with pytest.raises(UpstreamError, match="EIA answered with an error API_KEY_INVALID instead of its rows"):
        parse(asked("US-TEX-ERCO", MAY), made("error.json"))


def test_a_span_is_asked_for_a_day_earlier_and_with_its_last_end_label_and_the_key_apart() -> None:
    (request,) = plan("US-TEX-ERCO", MAY, NOW)

    query = dict(request.query)
    assert (query["start"], query["end"]) == ("2024-04-30T00", "2024-05-01T06")
    assert query["facets[respondent][]"] == "ERCO"
    assert (query["data[]"], query["frequency"], query["offset"], query["length"]) == ("value", "hourly", "0", "5000")
    assert query["sort[0][column]"] == "period"
    assert "api_key" not in query
    assert [(secret.place, secret.field) for secret in PROVIDER.secrets] == [("query", "api_key")]


def test_hours_that_may_still_be_corrected_are_asked_for_apart_and_are_preliminary() -> None:
    span = Interval(datetime(2026, 11, 18, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC))

    requests = plan("US-TEX-ERCO", span, NOW)

    border = datetime(2026, 11, 19, 10, tzinfo=UTC)
    assert [(request.part, request.interval) for request in requests] == [
        ("settled", Interval(span.start, border)),
        ("recent", Interval(border, span.end)),
    ]
    assert mixes(parse(asked("US-TEX-ERCO", MAY, "recent"), made("text.json")))[0].quality is Quality.PRELIMINARY
    assert mixes(parse(asked("US-TEX-ERCO", MAY), made("text.json")))[0].quality is Quality.MEASURED


def test_a_year_is_asked_for_in_months_and_the_future_not_at_all() -> None:
    year = Interval(datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))

    requests = plan("US-TEX-ERCO", year, NOW)

    assert len(requests) == 12
    assert all(request.interval.end - request.interval.start <= PROVIDER.longest_span for request in requests)
    assert plan("US-TEX-ERCO", Interval(NOW, NOW + timedelta(days=1)), NOW) == []


def test_one_long_span_many_short_ones_and_overlapping_ones_agree() -> None:
    rows = json.loads(series("PJM", 24 * 9, fuels=8))["response"]["data"]

    def fetch(span: Interval) -> list[MixPoint]:
        points = []
        for request in plan("US-MIDA-PJM", span, NOW):
            query = dict(request.query)
            found = [row for row in rows if query["start"] <= row["period"] <= query["end"]]
            points += mixes(parse(request, json.dumps({"response": {"total": len(found), "data": found}}).encode()))
        return points

    start = MAY.start + MARGIN
    long = fetch(Interval(start, start + timedelta(days=5)))
    assert [point for day in range(5) for point in fetch(Interval(start + timedelta(days=day), start + timedelta(days=day + 1)))] == long
    assert fetch(Interval(start + timedelta(hours=30), start + timedelta(hours=40))) == long[30:40]
    assert len(long) == 120


@pytest.mark.parametrize(("day", "hours"), [(datetime(2024, 3, 10, 6, tzinfo=UTC), 23), (datetime(2024, 11, 3, 5, tzinfo=UTC), 25)])
def test_a_local_day_has_as_many_utc_hours_as_there_are(day: datetime, hours: int) -> None:
    span = Interval(day, day + timedelta(hours=hours))

    batch = parse(asked("US-TEX-ERCO", span), series("ERCO", 60, first=day - timedelta(hours=10)))

    assert len(batch.points) == hours


def test_the_zones_are_those_whose_authority_reports_generation() -> None:
    codes = {zone.key: zone.codes["eia"] for zone in Zones.load() if "eia" in zone.codes}

    reporting = {key: found for key, found in codes.items() if found[0] not in WITHOUT_GENERATION}
    assert {key: (code,) for key, code in ZONES.items()} == reporting
    assert (len(codes), len(reporting)) == (63, 56)


def test_authorities_without_generation_have_no_recorded_row() -> None:
    recorded = {row["respondent"] for offset in (0, 5000) for row in page(offset)["response"]["data"]}

    assert recorded.isdisjoint(WITHOUT_GENERATION)
    assert recorded.issuperset(ZONES.values())
