"""Energy-Charts: answers of the documented shape, made up, and what is read from them. No answer with a mix was recorded."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridgram.errors import UpstreamError
from gridgram.fuels import Fuel
from gridgram.interval import Interval, from_microseconds, parse_time
from gridgram.quality import Quality
from gridgram.zones import Zones
from providers.base import MixPoint, Request
from providers.energy_charts import FUELS, LONGEST_SPAN, NOT_GENERATION, PROVIDER, SETTLED, UNSETTLED, is_empty, parse, plan
from tests.shared import shared

if TYPE_CHECKING:
    from providers.base import Batch

PAYLOADS = Path(__file__).parent / "payloads" / "energy_charts"
NOW = datetime(2024, 6, 20, 12, 40, tzinfo=UTC)


def ask(start: str, end: str, part: str = SETTLED) -> Request:
    return Request("https://ec.example", "DE", Interval(parse_time(start), parse_time(end)), part=part)


MORNING = ask("2024-06-03T08:00:00Z", "2024-06-03T14:00:00Z")


def payload(name: str) -> bytes:
    return (PAYLOADS / name).read_bytes()


def mixes(batch: Batch) -> dict[str, MixPoint]:
    return {f"{from_microseconds(point.start):%H:%M}": point for point in batch.points if isinstance(point, MixPoint)}


def body_of(stamps: list[int], **series: list[Any]) -> bytes:
    kinds = [{"name": name.replace("_", " "), "data": numbers} for name, numbers in series.items()]
    return json.dumps({"unix_seconds": stamps, "production_types": kinds, "deprecated": False}).encode()


def stamps_of(*clock: str) -> list[int]:
    return [int(parse_time(f"2024-06-03T{at}:00Z").timestamp()) for at in clock]


# ------------------------------------------------------------------ the recording


def test_the_recorded_co2eq_is_never_taken_for_a_mix() -> None:
    body = shared("recordings", "energy_charts", "co2eq_fr_2026-10-04.json").read_bytes()

    with pytest.raises(UpstreamError, match="Energy-Charts answered without stamps and series"):
        parse(ask("2026-10-03T22:00:00Z", "2026-10-05T22:00:00Z"), body)


def test_the_recorded_stamps_are_quarters_from_midnight_in_paris() -> None:
    recorded = json.loads(shared("recordings", "energy_charts", "co2eq_fr_2026-10-04.json").read_bytes())

    stamps = recorded["unix_seconds"]
    both = [told for told in zip(recorded["co2eq"], recorded["co2eq_forecast"], strict=True) if None not in told]
    batch = parse(ask("2026-10-03T22:00:00Z", "2026-10-05T22:00:00Z"), body_of(stamps, Nuclear=[1] * len(stamps)))
    assert len(batch.points) == 192
    assert {point.minutes for point in batch.points} == {15}
    assert from_microseconds(batch.points[0].start) == datetime(2026, 10, 3, 22, tzinfo=UTC)
    assert both == []  # measured and forecast never tell of the same quarter


# ------------------------------------------------------------------ reading


def test_series_are_added_up_by_fuel_and_what_is_no_generation_is_left_out() -> None:
    point = mixes(parse(MORNING, payload("public_power.json")))["08:00"]

    assert point.mw == {
        Fuel.HYDRO: 1500 + 100 + 150,
        Fuel.BIOMASS: 4600 + 700,
        Fuel.COAL: 7000 + 2000,
        Fuel.OIL: 120.5,
        Fuel.GAS: 300 + 4000,
        Fuel.GEOTHERMAL: 20,
        Fuel.UNKNOWN: 80,
        Fuel.WIND: 900 + 8000,
        Fuel.SOLAR: 20000,
    }
    assert (point.minutes, point.quality) == (15, Quality.MEASURED)


def test_a_fuel_of_which_one_series_is_null_is_absent() -> None:
    points = mixes(parse(MORNING, payload("public_power.json")))

    assert Fuel.COAL not in points["08:30"].mw
    assert points["08:45"].mw[Fuel.COAL] == 9000


def test_a_gap_stays_one_and_the_padding_with_null_is_nothing() -> None:
    points = mixes(parse(MORNING, payload("public_power.json")))

    assert list(points) == ["08:00", "08:15", "08:30", "08:45", "09:00", "09:15", "09:45", "10:00", "10:15"]
    assert {point.minutes for point in points.values()} == {15}


def test_a_new_series_is_left_out_and_listed_once() -> None:
    batch = parse(MORNING, payload("public_power.json"))

    assert [(fault.where, "new" in fault.detail) for fault in batch.faults] == [("fusion", True)]


def test_hours_are_read_as_hours_and_a_number_that_is_none_costs_its_stamp() -> None:
    batch = parse(MORNING, payload("hourly.json"))

    assert [(at, point.minutes) for at, point in mixes(batch).items()] == [("08:00", 60), ("09:00", 60), ("12:00", 60), ("13:00", 60)]
    assert [fault.where for fault in batch.faults] == ["2024-06-03T10:00:00Z"]


def test_a_change_from_hours_to_quarters_never_makes_a_quarter_longer() -> None:
    batch = parse(MORNING, body_of(stamps_of("08:00", "09:00", "10:00", "10:15", "10:30"), Solar=[1, 2, 3, 4, 5]))

    assert [point.minutes for point in batch.points] == [60, 60, 15, 15, 15]


def test_a_stamp_that_stands_alone_is_listed() -> None:
    batch = parse(MORNING, body_of(stamps_of("08:00", "11:00"), Solar=[1, 2]))

    assert not batch.points
    assert [fault.where for fault in batch.faults] == ["2024-06-03T08:00:00Z", "2024-06-03T11:00:00Z"]


def test_stamps_in_any_order_and_twice_are_read_once_and_in_order() -> None:
    batch = parse(MORNING, body_of(stamps_of("09:00", "08:00", "10:00", "09:00"), Solar=[1, 2, 3, 4]))

    assert [(at, point.mw[Fuel.SOLAR]) for at, point in mixes(batch).items()] == [("08:00", 2), ("09:00", 4), ("10:00", 3)]


def test_hours_that_may_still_change_are_preliminary() -> None:
    request = ask("2024-06-03T08:00:00Z", "2024-06-03T09:00:00Z", UNSETTLED)

    assert {point.quality for point in mixes(parse(request, payload("public_power.json"))).values()} == {Quality.PRELIMINARY}


def test_negative_generation_is_passed_on() -> None:
    batch = parse(MORNING, body_of(stamps_of("08:00", "08:15"), Solar=[-3, 1]))

    assert mixes(batch)["08:00"].mw == {Fuel.SOLAR: -3}


@pytest.mark.parametrize(("start", "hours"), [("2024-03-30T23:00:00Z", 23), ("2024-10-26T22:00:00Z", 25)])
def test_a_day_of_23_or_25_hours_has_as_many(start: str, hours: int) -> None:
    first = parse_time(start)
    stamps = [int(first.timestamp()) + 900 * quarter for quarter in range(-4, 4 * hours + 5)]
    request = Request("https://ec.example", "DE", Interval(first, first + timedelta(hours=hours)), part=SETTLED)

    assert len(parse(request, body_of(stamps, Solar=[1] * len(stamps))).points) == 4 * hours


def test_an_empty_answer_is_an_empty_batch() -> None:
    assert parse(MORNING, payload("empty.json")).points == []


@pytest.mark.parametrize(
    "body",
    [
        payload("error.json"),
        payload("page.html"),
        b"{}",
        b"",
        b"[]",
        b"null",
        b'{"unix_seconds":[1,2],"production_types":[{"name":"Solar","data":[1]}]}',
        b'{"unix_seconds":["soon"],"production_types":[]}',
    ],
)
def test_an_answer_of_another_kind_is_an_error_that_names_the_source(body: bytes) -> None:
    with pytest.raises(UpstreamError, match="Energy-Charts"):
        parse(MORNING, body)


JSON = st.recursive(
    st.none() | st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(["Solar", "?"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["unix_seconds", "production_types", "name", "data"]), inner)
    ),
    max_leaves=12,
)
SERIES = st.fixed_dictionaries({"name": st.just("Solar") | JSON, "data": st.lists(JSON, min_size=2, max_size=2) | JSON})


@given(JSON | st.fixed_dictionaries({"unix_seconds": JSON | st.just(stamps_of("08:00", "08:15")), "production_types": st.lists(SERIES)}))
def test_no_json_at_all_breaks_the_reader(answer: Any) -> None:
    try:
        parse(MORNING, json.dumps(answer).encode())
    except UpstreamError as error:
        assert "Energy-Charts" in str(error)  # noqa: PT017 - most of these answers are errors, some are not


def test_a_404_means_that_there_is_nothing_unless_the_path_is_gone() -> None:
    assert is_empty(404, b'{"detail":"no content available"}')
    assert not is_empty(404, b'{"detail":"Not Found"}')
    assert not is_empty(400, b'{"detail":"unknown country"}')


# ------------------------------------------------------------------ asking


def test_the_zones_are_ours_and_their_countries_are_those_of_the_table() -> None:
    with shared("data", "zone_codes.csv").open(encoding="utf-8") as table:
        countries = {row["zone_key"]: row["energy_charts_country"] for row in csv.DictReader(table) if row["energy_charts_country"]}

    assert countries == PROVIDER.zones
    assert set(countries) <= {zone.key for zone in Zones.load()}


def test_no_series_is_both_generation_and_not() -> None:
    assert not FUELS.keys() & NOT_GENERATION


def test_a_request_is_an_hour_wider_and_settled_hours_are_asked_apart() -> None:
    requests = plan("GB", Interval(NOW - timedelta(days=8), NOW), NOW)

    assert [(request.part, dict(request.query)) for request in requests] == [
        (SETTLED, {"country": "uk", "start": "2024-06-12T11:00:00Z", "end": "2024-06-13T13:00:00Z"}),
        (UNSETTLED, {"country": "uk", "start": "2024-06-13T11:00:00Z", "end": "2024-06-20T14:00:00Z"}),
    ]


def test_the_longest_answer_is_well_within_the_bound() -> None:
    stamps = LONGEST_SPAN.days * 96

    assert stamps * (12 + 9 * (len(FUELS) + len(NOT_GENERATION))) < PROVIDER.max_bytes / 2


# ------------------------------------------------------------------ spans agree


def answer(request: Request) -> bytes:
    """Hours until June, quarters since; holes; one series null for a day; null from now on."""
    start, end = (int(parse_time(dict(request.query)[name]).timestamp()) for name in ("start", "end"))
    change, now = int(datetime(2024, 6, 1, tzinfo=UTC).timestamp()), int(NOW.timestamp())
    stamps = [at for at in range(start // 900 * 900, end + 1, 900) if (at >= change or at % 3600 == 0) and at // 900 % 77]
    coal = [None if at > now or at // 86_400 % 5 == 0 else at % 7_001 for at in stamps]
    return body_of(stamps, Fossil_hard_coal=coal, Fossil_peat=[1] * len(stamps), Solar=[None if at > now else at % 811 for at in stamps])


def fetch(interval: Interval) -> dict[int, object]:
    batches = [parse(request, answer(request)) for request in plan("DE", interval, NOW)]
    return {point.start: point for batch in batches for point in batch.points}


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(-60 * 1440, 1440), min_size=2, max_size=5, unique=True))
def test_one_long_span_gives_what_many_short_ones_give(minutes: list[int]) -> None:
    cuts = [NOW + timedelta(minutes=cut) for cut in sorted(minutes)]

    short: dict[int, object] = {}
    for start, end in pairwise(cuts):
        part = fetch(Interval(start, end))
        assert all(short.get(at, point) == point for at, point in part.items())
        short |= part

    assert short == fetch(Interval(cuts[0], cuts[-1]))
