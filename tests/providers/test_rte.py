"""France: what ODRE sends, recorded and made up, and what is read from it."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridgram.errors import UpstreamError
from gridgram.fuels import Fuel
from gridgram.interval import MICROSECONDS_PER_HOUR, Interval, from_microseconds, parse_time, to_microseconds
from gridgram.quality import Quality
from gridgram.zones import Zones
from providers.base import MixPoint, Request
from providers.rte import CONSOLIDATED, FUELS, LONGEST_SPAN, PROVIDER, RECENT, parse, plan
from tests.shared import shared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from providers.base import Batch

PAYLOADS = Path(__file__).parent / "payloads" / "rte"
PARIS = ZoneInfo("Europe/Paris")
DIRECT = {Fuel.OIL: 777, Fuel.COAL: 986, Fuel.GAS: 429, Fuel.BIOMASS: 494}
"""RTE's own factors [g/kWh]."""
NOW = datetime(2024, 6, 20, 12, 30, tzinfo=UTC)
NATIONAL = (
    ("national-tr_exports-json_2023-10.json", "2023-10-01T00:00:00Z", 288),
    ("national-tr_records_v21_2023-09-12_unsorted.json", "2023-09-12T16:15:00Z", 10),
    ("national-tr_search-v1_2023-09-21.json", "2023-09-21T00:00:00Z", 97),
)


def ask(start: str, end: str, part: str = RECENT) -> Request:
    return Request("https://odre.example", "FR", Interval(parse_time(start), parse_time(end)), part=part)


ANY_TIME = ask("2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z")
MORNING = ask("2024-02-05T10:00:00Z", "2024-02-05T14:00:00Z")


def payload(name: str) -> bytes:
    return (PAYLOADS / name).read_bytes()


def mixes(batch: Batch) -> list[MixPoint]:
    assert all(isinstance(point, MixPoint) for point in batch.points)
    return [point for point in batch.points if isinstance(point, MixPoint)]


def clock(point: MixPoint) -> str:
    return f"{from_microseconds(point.start):%H:%M}"


def direct(point: MixPoint) -> float:
    return sum(DIRECT.get(fuel, 0) * mw for fuel, mw in point.mw.items()) / sum(point.mw.values())


# ------------------------------------------------------------------ recordings


@pytest.mark.parametrize(("name", "first", "count"), NATIONAL)
def test_each_recorded_quarter_hour_is_read_in_order(name: str, first: str, count: int) -> None:
    points = mixes(parse(ANY_TIME, shared("recordings", "odre", name).read_bytes()))

    starts = [point.start for point in points]
    assert len(points) == count
    assert starts[0] == to_microseconds(parse_time(first))
    assert starts == sorted(set(starts))
    assert {point.minutes for point in points} == {15}
    assert {point.quality for point in points} == {Quality.PRELIMINARY}
    assert all(point.mw.keys() == set(FUELS.values()) for point in points)


@pytest.mark.parametrize("name", [name for name, *_ in NATIONAL])
def test_recorded_mixes_with_the_factors_of_rte_give_taux_co2_within_a_gram(name: str) -> None:
    points = mixes(parse(ANY_TIME, shared("recordings", "odre", name).read_bytes()))

    assert max(abs(direct(point) - (point.own_g_per_kwh or 0)) for point in points) < 0.66


def test_a_recorded_answer_is_cut_to_the_asked_hours() -> None:
    body = shared("recordings", "odre", NATIONAL[0][0]).read_bytes()

    batch = parse(ask("2023-10-02T00:10:00Z", "2023-10-02T02:01:00Z"), body)

    assert [clock(point) for point in mixes(batch)] == [f"{hour:02d}:{minute:02d}" for hour in range(3) for minute in (0, 15, 30, 45)]


def test_the_recorded_rows_with_taux_co2_alone_are_listed_and_give_nothing() -> None:
    batch = parse(ANY_TIME, shared("recordings", "odre", "national-tr_records_taux_co2_2024-07-03.json").read_bytes())

    assert not batch.points
    assert len(batch.faults) == 97
    assert batch.faults[0].where == "2024-07-03T00:00:00+00:00"
    assert "without any generation" in batch.faults[0].detail


def test_the_recorded_row_of_a_region_is_never_taken_for_france() -> None:
    batch = parse(ANY_TIME, shared("recordings", "odre", "regional-cons-def_records_v21_2026-06-30.json").read_bytes())

    assert not batch.points
    assert [fault.detail for fault in batch.faults] == ["of the region Auvergne-Rhône-Alpes, not of France"]


# ------------------------------------------------------------------ single rows


def test_rows_come_in_order_and_a_gap_stays_one() -> None:
    points = mixes(parse(MORNING, payload("real_time.json")))

    assert [clock(point) for point in points] == ["10:00", "10:15", "10:30", "10:45", "11:00", "11:30", "12:00", "13:00"]


def test_numbers_may_be_text_and_what_is_not_told_is_absent() -> None:
    points = {clock(point): point for point in mixes(parse(MORNING, payload("real_time.json")))}

    assert points["10:45"].mw[Fuel.GAS] == 3100
    assert points["10:45"].own_g_per_kwh == 32
    assert points["10:15"].mw.keys() == set(FUELS.values()) - {Fuel.COAL, Fuel.SOLAR, Fuel.BIOMASS}
    assert Fuel.OIL not in points["10:30"].mw
    assert points["11:30"].own_g_per_kwh is None


def test_the_row_of_the_better_nature_wins() -> None:
    point = next(point for point in mixes(parse(MORNING, payload("real_time.json"))) if clock(point) == "12:00")

    assert point.quality is Quality.MEASURED
    assert point.mw[Fuel.GAS] == 2900


def test_rows_that_cannot_be_used_are_listed_and_those_to_come_are_not() -> None:
    faults = {fault.where: fault.detail for fault in parse(MORNING, payload("real_time.json")).faults}

    assert set(faults) == {"2024-02-05T11:15:00+00:00", "2024-02-05T12:30:00+00:00", "row 11", "2024-02-05T13:00:00+00:00"}
    assert "environ 3000" in faults["2024-02-05T11:15:00+00:00"]
    assert "5 février" in faults["row 11"]
    assert "left out" in faults["2024-02-05T13:00:00+00:00"]


def test_an_empty_answer_is_an_empty_batch() -> None:
    assert parse(MORNING, payload("empty.json")).points == []
    assert parse(MORNING, b'{"total_count":0,"results":[]}').points == []


@pytest.mark.parametrize("body", [payload("error.json"), payload("page.html"), b"{}", b"", b"null", b"3", b'[{"heure":"02:00"}]', b'["a"]'])
def test_an_answer_of_another_kind_is_an_error_that_names_the_source(body: bytes) -> None:
    with pytest.raises(UpstreamError, match="ODRE"):
        parse(MORNING, body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["date_heure", "nature", "heure", "gaz", "taux_co2"]), inner)
    ),
    max_leaves=12,
)
CELLS = {name: JSON | st.just("2024-02-05T10:00:00+00:00") for name in ("date_heure", "nature", "heure", "gaz", "taux_co2")}


@given(JSON | st.lists(st.fixed_dictionaries({}, optional=CELLS), max_size=4))
def test_no_json_at_all_breaks_the_reader(answer: Any) -> None:
    try:
        parse(MORNING, json.dumps(answer).encode())
    except UpstreamError as error:
        assert "ODRE" in str(error)  # noqa: PT017 - most of these answers are errors, some are not


# ------------------------------------------------------------------ clock changes


def consolidated_days(first: date, end: date) -> list[dict[str, Any]]:
    """Days as the consolidated set has them: 96 rows each, filled at :00 and :30, phantoms in spring, an hour short in autumn."""
    rows = []
    for day in range((end - first).days):
        for quarter in range(96):
            local = datetime.combine(first + timedelta(days=day), datetime.min.time()) + timedelta(minutes=15 * quarter)
            instant = local.replace(tzinfo=PARIS, fold=1)
            if instant.astimezone(UTC).astimezone(PARIS).replace(tzinfo=None) != local:  # an hour that does not exist
                instant = (local + timedelta(hours=1)).replace(tzinfo=PARIS)
            filled = quarter % 2 == 0
            rows.append(
                {
                    "date_heure": instant.astimezone(UTC).isoformat(),
                    "heure": f"{local:%H:%M}",
                    "nature": "Données définitives",
                    "nucleaire": 40_000 + quarter if filled else None,
                    "gaz": 1_000 if filled else None,
                    "taux_co2": 10 if filled else None,
                }
            )
    return rows


def read_day(day: date) -> list[MixPoint]:
    start, end = (datetime.combine(at, datetime.min.time(), PARIS) for at in (day, day + timedelta(days=1)))
    body = json.dumps(consolidated_days(day - timedelta(days=1), day + timedelta(days=2))).encode()
    return mixes(parse(Request("https://odre.example", "FR", Interval(start, end), part=CONSOLIDATED), body))


def test_a_consolidated_day_has_half_hours_that_are_measured() -> None:
    points = read_day(date(2023, 5, 10))

    assert len(points) == 48
    assert {(point.minutes, point.quality) for point in points} == {(30, Quality.MEASURED)}


def test_the_day_of_23_hours_has_23_and_the_phantom_rows_are_gone() -> None:
    points = read_day(date(2023, 3, 26))

    at_three = next(point for point in points if clock(point) == "01:00")  # 03:00 in Paris
    assert len(points) == 46
    assert len({point.start // MICROSECONDS_PER_HOUR for point in points}) == 23
    assert at_three.mw[Fuel.NUCLEAR] == 40_000 + 12  # the twelfth quarter of the day is 03:00; 02:00 would be the eighth


def test_phantom_rows_are_known_in_any_order() -> None:
    rows = consolidated_days(date(2023, 3, 26), date(2023, 3, 27))
    request = ask("2023-03-25T23:00:00Z", "2023-03-26T22:00:00Z", CONSOLIDATED)

    assert parse(request, json.dumps(rows[::-1]).encode()) == parse(request, json.dumps(rows).encode())


def test_the_day_of_25_hours_has_24_and_a_gap() -> None:
    points = read_day(date(2023, 10, 29))

    assert len(points) == 48
    assert "00:00" not in {clock(point) for point in points}  # the first hour from 02:00 in Paris
    assert {"01:00", "01:30"} <= {clock(point) for point in points}


def test_consolidated_quarter_hours_would_be_read_as_such() -> None:
    rows = [{**row, "nucleaire": 40_000} for row in consolidated_days(date(2023, 5, 10), date(2023, 5, 11))]

    points = mixes(parse(ask("2023-05-09T22:00:00Z", "2023-05-10T22:00:00Z", CONSOLIDATED), json.dumps(rows).encode()))

    assert len(points) == 96
    assert {point.minutes for point in points} == {15}


# ------------------------------------------------------------------ asking


def test_the_zone_is_one_of_ours() -> None:
    assert set(PROVIDER.zones) <= {zone.key for zone in Zones.load()}


def test_recent_hours_are_asked_of_the_real_time_set_and_older_ones_of_the_consolidated() -> None:
    requests = plan("FR", Interval(NOW - timedelta(days=40), NOW), NOW)

    assert [(request.part, request.interval.start.isoformat(), request.interval.end.isoformat()) for request in requests] == [
        (CONSOLIDATED, "2024-05-11T12:00:00+00:00", "2024-05-23T12:00:00+00:00"),
        (RECENT, "2024-05-23T12:00:00+00:00", "2024-06-20T13:00:00+00:00"),
    ]
    assert [request.url.rsplit("/", 3)[1] for request in requests] == [CONSOLIDATED, RECENT]


def test_a_request_names_its_span_its_order_and_utc() -> None:
    (request,) = plan("FR", Interval(NOW - timedelta(hours=2), NOW), NOW)

    query = dict(request.query)
    assert request.url == "https://odre.opendatasoft.com/api/explore/v2.1/catalog/datasets/eco2mix-national-tr/exports/json"
    assert query["where"] == "date_heure >= date'2024-06-20T10:00:00+00:00' AND date_heure < date'2024-06-20T13:00:00+00:00'"
    assert query["order_by"] == "date_heure"
    assert query["timezone"] == "UTC"
    assert set(FUELS) < set(query["select"].split(","))


def test_the_longest_answer_is_well_within_the_bound() -> None:
    row = json.loads(payload("real_time.json"))[1]

    assert len(json.dumps(row)) * LONGEST_SPAN.days * 96 < PROVIDER.max_bytes / 2


def test_what_the_consolidated_set_does_not_reach_is_asked_of_the_other() -> None:
    rows = consolidated_days(date(2024, 2, 1), date(2024, 2, 3))
    request = ask("2024-02-02T20:00:00Z", "2024-02-03T04:00:00Z", CONSOLIDATED)

    batch = parse(request, json.dumps(rows).encode())
    (following,) = batch.following

    assert [clock(point) for point in mixes(batch)][-1] == "22:30"
    assert following.part == RECENT
    assert following.interval == Interval(datetime(2024, 2, 2, 23, tzinfo=UTC), request.interval.end)


def test_an_hour_that_is_half_consolidated_is_left_to_the_other_set() -> None:
    rows = consolidated_days(date(2024, 2, 1), date(2024, 2, 3))[:-2]

    batch = parse(ask("2024-02-02T20:00:00Z", "2024-02-02T23:00:00Z", CONSOLIDATED), json.dumps(rows).encode())

    assert [clock(point) for point in mixes(batch)] == ["20:00", "20:30", "21:00", "21:30"]
    assert [request.interval.start.hour for request in batch.following] == [22]


def test_a_full_consolidated_answer_points_to_nothing() -> None:
    rows = consolidated_days(date(2024, 2, 1), date(2024, 2, 3))

    assert parse(ask("2024-02-02T20:00:00Z", "2024-02-02T23:00:00Z", CONSOLIDATED), json.dumps(rows).encode()).following == []


# ------------------------------------------------------------------ spans agree

WORLD_START, WORLD_END = date(2024, 3, 25), date(2024, 5, 28)
WORLD_NOW = datetime(2024, 5, 27, 18, 20, tzinfo=UTC)
CONSOLIDATED_UNTIL = datetime(2024, 4, 20, 13, 30, tzinfo=UTC)


def world() -> dict[str, list[tuple[datetime, dict[str, Any]]]]:
    half_hours = [(parse_time(row["date_heure"]), row) for row in consolidated_days(WORLD_START, WORLD_END)]
    start = datetime(2024, 4, 1, tzinfo=UTC)
    quarters = [start + timedelta(minutes=15 * quarter) for quarter in range(96 * 57)]
    rows = [{"date_heure": at.isoformat(), "nature": "Données temps réel", "gaz": 2_000 + at.hour, "nucleaire": 41_000} for at in quarters]
    return {
        CONSOLIDATED: [(at, row) for at, row in half_hours if at < CONSOLIDATED_UNTIL],
        RECENT: [(at, row) for at, row in zip(quarters, rows, strict=True) if at < WORLD_NOW],
    }


WORLD = world()


def fetch(interval: Interval) -> dict[int, MixPoint]:
    points: dict[int, MixPoint] = {}
    requests: Sequence[Request] = plan("FR", interval, WORLD_NOW)
    while requests:
        batches = [parse(request, answer(request)) for request in requests]
        points |= {point.start: point for batch in batches for point in mixes(batch)}
        requests = [request for batch in batches for request in batch.following]
    return points


def answer(request: Request) -> bytes:
    first, end = (parse_time(text) for text in re.findall(r"date'([^']+)'", dict(request.query)["where"]))
    return json.dumps([row for at, row in WORLD[request.part] if first <= at < end]).encode()


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 60 * 24 * 55), min_size=2, max_size=5, unique=True))
def test_one_long_span_gives_what_many_short_ones_give(minutes: list[int]) -> None:
    cuts = [datetime(2024, 4, 1, 0, 7, tzinfo=UTC) + timedelta(minutes=cut) for cut in sorted(minutes)]

    short: dict[int, MixPoint] = {}
    for start, end in pairwise(cuts):
        part = fetch(Interval(start, end))
        assert all(short.get(at, point) == point for at, point in part.items())
        short |= part

    assert short == fetch(Interval(cuts[0], cuts[-1]))
