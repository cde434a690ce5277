"""Great Britain: what carbonintensity.org.uk sends, recorded and made up, and what is read from it."""

from __future__ import annotations

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
from gridgram.interval import Interval, from_microseconds, parse_time, to_microseconds
from gridgram.quality import Quality, Scope, Signal
from gridgram.zones import Zones
from providers.base import IntensityPoint, MixPoint, Request
from providers.gb import FORECAST_SPAN, INTENSITY, MIX, PROVIDERS, SETTLED, UNSETTLED, parse_intensity, parse_mix
from tests.shared import shared

if TYPE_CHECKING:
    from collections.abc import Callable

    from providers.base import Batch, Provider

PAYLOADS = Path(__file__).parent / "payloads" / "gb"
NOW = datetime(2024, 6, 20, 12, 40, tzinfo=UTC)
REGIONS = tuple(str(number) for number in range(1, 19))


def ask(start: str, end: str, part: str = SETTLED) -> Request:
    return Request("https://gb.example", "GB", Interval(parse_time(start), parse_time(end)), part=part)


def any_time(part: str = SETTLED) -> Request:
    return ask("2017-01-01T00:00:00Z", "2030-01-01T00:00:00Z", part)


NIGHT = ask("2024-05-01T00:00:00Z", "2024-05-01T04:00:00Z")


def payload(name: str) -> bytes:
    return (PAYLOADS / name).read_bytes()


def recording(name: str) -> bytes:
    return shared("recordings", "uk_carbonintensity", name).read_bytes()


def numbers(batch: Batch) -> list[IntensityPoint]:
    return [point for point in batch.points if isinstance(point, IntensityPoint)]


def mixes(batch: Batch) -> list[MixPoint]:
    return [point for point in batch.points if isinstance(point, MixPoint)]


def clock(point: IntensityPoint | MixPoint) -> str:
    return f"{from_microseconds(point.start):%H:%M}"


# ------------------------------------------------------------------ recordings


def test_the_recorded_present_has_no_actual_yet_and_is_a_forecast() -> None:
    batch = parse_intensity(any_time(UNSETTLED), recording("intensity_now_2021-04-30.json"))

    start = to_microseconds(parse_time("2021-04-30T22:30Z"))
    assert batch.points == [IntensityPoint(start, 30, 255, Signal.DIRECT, Quality.FORECAST)]


def test_the_slot_before_the_asked_start_is_dropped_from_a_recorded_week() -> None:
    body = recording("generation_range_2019-04.json")
    came = [slot["from"] for slot in json.loads(body)["data"]]

    batch = parse_mix(ask("2019-04-01T00:00:00Z", "2019-04-07T23:59:00Z"), body)

    assert came[0] == "2019-03-31T23:30Z"
    assert len(came) == 336
    assert [f"{from_microseconds(point.start):%Y-%m-%dT%H:%MZ}" for point in batch.points] == came[1:]
    assert not batch.faults


def test_recorded_shares_add_up_and_imports_are_no_generation() -> None:
    body = recording("generation_range_2019-04.json")
    imports = [share["perc"] for slot in json.loads(body)["data"] for share in slot["generationmix"] if share["fuel"] == "imports"]

    points = mixes(parse_mix(any_time(), body))

    assert [sum(point.mw.values()) + share for point, share in zip(points, imports, strict=True)] == pytest.approx([100] * 336)
    assert points[0].mw.keys() == set(Fuel) - {Fuel.OIL, Fuel.GEOTHERMAL}


def test_the_recorded_present_mix_is_an_object_where_ranges_are_lists() -> None:
    (point,) = mixes(parse_mix(any_time(UNSETTLED), recording("generation_now_2021-04-30.json")))

    assert f"{from_microseconds(point.start):%Y-%m-%dT%H:%MZ}" == "2021-04-30T21:30Z"
    assert point.quality is Quality.PRELIMINARY
    assert point.mw[Fuel.GAS] == 58.6


def test_the_source_counts_combustion_and_imports_alone() -> None:
    (factors,) = json.loads(recording("factors.json"))["data"]

    assert {factors[name] for name in ("Hydro", "Nuclear", "Pumped Storage", "Solar", "Wind")} == {0}
    assert {name: factors[name] for name in factors if "Imports" in name} == {
        "French Imports": 53,
        "Dutch Imports": 474,
        "Irish Imports": 458,
    }
    assert factors["Biomass"] == 120


@pytest.mark.parametrize(
    ("name", "regions", "count"),
    [
        ("regional_all_now.json", REGIONS, 1),
        ("regional_all_range_2020-01.json", REGIONS, 96),
        ("regional_england_now.json", ("15",), 1),
        ("regional_regionid13_now.json", ("13",), 1),
        ("regional_postcode_EN2_2019-01.json", ("10",), 96),
        ("regional_postcode_BH1_fw48h_2020-05-19.json", ("11",), 48),
    ],
)
def test_recorded_regions_are_read_one_by_one_and_are_forecasts(name: str, regions: tuple[str, ...], count: int) -> None:
    body = recording(name)

    for region in REGIONS:
        if region not in regions:
            with pytest.raises(UpstreamError, match="without the slots"):
                parse_intensity(any_time(region), body)
            continue
        batch = parse_intensity(any_time(region), body)
        assert len({point.start for point in batch.points}) == len(batch.points) == count
        assert {point.quality for point in numbers(batch)} == {Quality.FORECAST}
        assert not batch.faults


def test_a_recorded_region_with_gas_alone_to_burn_shows_the_direct_basis() -> None:
    batch = parse_intensity(any_time("1"), recording("regional_all_range_2020-01.json"))

    # North Scotland, 2019-12-31T23:30Z: 12.2 % gas at 394 g/kWh, the rest water and wind.
    assert numbers(batch)[0].g_per_kwh == pytest.approx(0.122 * 394, abs=0.5)


@pytest.mark.parametrize("name", ["regional_all_now.json", "regional_england_now.json", "regional_postcode_EN2_2019-01.json"])
def test_a_region_is_never_taken_for_the_country(name: str) -> None:
    with pytest.raises(UpstreamError, match="without the slots"):
        parse_intensity(any_time(), recording(name))


def test_recorded_statistics_are_no_half_hours() -> None:
    batch = parse_intensity(any_time(), recording("stats_2019-04.json"))

    assert not batch.points
    assert [fault.detail for fault in batch.faults] == ["a slot that lasts 6 days, 23:59:00, not half an hour"]


@pytest.mark.parametrize("name", ["factors.json", "error_400_path.json"])
def test_recorded_answers_of_another_kind_are_errors(name: str) -> None:
    for parse in (parse_intensity, parse_mix):
        with pytest.raises(UpstreamError, match="carbonintensity"):
            parse(any_time(), recording(name))


# ------------------------------------------------------------------ single slots


def test_actual_wins_then_forecast_then_nothing() -> None:
    points = numbers(parse_intensity(NIGHT, payload("intensity.json")))

    assert [(clock(point), point.g_per_kwh, point.quality) for point in points] == [
        ("00:00", 140, Quality.MEASURED),
        ("00:30", 146, Quality.FORECAST),
        ("01:30", 139, Quality.MEASURED),
        ("02:30", 136, Quality.MEASURED),  # came twice; the later one counts
        ("03:30", 0, Quality.MEASURED),
    ]
    assert {point.signal for point in points} == {Signal.DIRECT}


def test_an_actual_of_the_last_two_days_is_preliminary() -> None:
    points = numbers(parse_intensity(ask("2024-05-01T00:00:00Z", "2024-05-01T01:00:00Z", UNSETTLED), payload("intensity.json")))

    assert [point.quality for point in points] == [Quality.PRELIMINARY, Quality.FORECAST]


def test_slots_that_cannot_be_used_are_listed() -> None:
    faults = parse_intensity(NIGHT, payload("intensity.json")).faults

    assert [fault.where for fault in faults] == ["slot 8", "2024-05-01T03:00Z"]


def test_a_new_fuel_counts_as_unknown_and_is_listed_once() -> None:
    batch = parse_mix(NIGHT, payload("generation.json"))
    points = {clock(point): point for point in mixes(batch)}

    assert points["01:00"].mw[Fuel.UNKNOWN] == pytest.approx(0.4 + 2.5)
    assert [fault.detail for fault in batch.faults if "new" in fault.detail] == ["the fuel 'hydrogen' is new, counted as unknown"]


def test_a_share_that_is_null_is_absent_and_one_that_is_text_costs_its_slot() -> None:
    batch = parse_mix(NIGHT, payload("generation.json"))
    points = {clock(point): point for point in mixes(batch)}

    assert Fuel.SOLAR not in points["00:30"].mw
    assert points["00:00"].mw[Fuel.SOLAR] == 0
    assert list(points) == ["00:00", "00:30", "01:00", "01:30"]
    assert batch.faults[0].where == "2024-05-01T02:00Z"


def test_a_mix_may_come_as_an_object() -> None:
    assert [clock(point) for point in mixes(parse_mix(NIGHT, payload("generation_now.json")))] == ["00:00"]


@pytest.mark.parametrize("parse", [parse_intensity, parse_mix])
def test_an_empty_answer_is_an_empty_batch(parse: Callable[[Request, bytes], Batch]) -> None:
    assert parse(NIGHT, payload("empty.json")).points == []


@pytest.mark.parametrize("parse", [parse_intensity, parse_mix])
@pytest.mark.parametrize("body", [payload("error.json"), payload("page.html"), b"{}", b"", b"[]", b'{"data":"none"}', b'{"data":[1]}'])
def test_an_answer_of_another_kind_is_an_error_that_names_the_source(parse: Callable[[Request, bytes], Batch], body: bytes) -> None:
    with pytest.raises(UpstreamError, match="carbonintensity"):
        parse(NIGHT, body)


NAMES = ("data", "from", "to", "intensity", "forecast", "actual", "generationmix", "fuel", "perc", "regions", "regionid")
JSON = st.recursive(
    st.none()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["2024-05-01T00:00Z", "13", "wind"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=15,
)
SLOT = {"from": st.just("2024-05-01T00:00Z"), "to": st.just("2024-05-01T00:30Z"), "intensity": JSON, "generationmix": JSON}


@given(st.fixed_dictionaries({"data": JSON | st.lists(st.fixed_dictionaries(SLOT), max_size=2)}), st.sampled_from([SETTLED, "13"]))
def test_no_json_at_all_breaks_the_reader(answer: Any, part: str) -> None:
    for parse in (parse_intensity, parse_mix):
        try:
            parse(any_time(part), json.dumps(answer).encode())
        except UpstreamError as error:
            assert "carbonintensity" in str(error)  # noqa: PT017 - most of these answers are errors, some are not


# ------------------------------------------------------------------ asking


def test_each_provider_gives_one_signal_of_one_scope() -> None:
    assert [(provider.info.name, provider.info.signals, provider.info.scope) for provider in PROVIDERS] == [
        ("gb", (Signal.DIRECT,), (Scope.CONSUMPTION,)),
        ("gb_mix", (Signal.LIFECYCLE,), (Scope.PRODUCTION,)),
    ]


def test_the_zones_are_ours_and_none_is_a_region() -> None:
    ours = {zone.key for zone in Zones.load()}

    assert all(set(provider.zones) <= ours for provider in PROVIDERS)
    assert {key for key in ours if key.startswith("GB")} == {"GB", "GB-NIR"}  # a region with a key of ours could be served


def test_the_past_is_asked_by_span_and_the_rest_as_a_forecast() -> None:
    requests = INTENSITY.plan("GB", Interval(NOW - timedelta(days=3), NOW + timedelta(days=5)), NOW)

    assert [(request.url.removeprefix("https://api.carbonintensity.org.uk"), request.part) for request in requests] == [
        ("/intensity/2024-06-17T12:00Z/2024-06-18T12:30Z", SETTLED),
        ("/intensity/2024-06-18T12:00Z/2024-06-20T12:30Z", UNSETTLED),
        ("/intensity/2024-06-20T12:00Z/fw48h", UNSETTLED),
    ]
    assert requests[-1].interval.end == datetime(2024, 6, 22, 12, tzinfo=UTC)


def test_nothing_is_asked_beyond_the_forecast() -> None:
    far = NOW + FORECAST_SPAN + timedelta(hours=1)

    assert INTENSITY.plan("GB", Interval(far, far + timedelta(hours=3)), NOW) == []


def test_the_mix_is_asked_up_to_the_present_hour() -> None:
    requests = MIX.plan("GB", Interval(NOW - timedelta(hours=1), NOW + timedelta(hours=9)), NOW)

    assert [request.url for request in requests] == ["https://api.carbonintensity.org.uk/generation/2024-06-20T11:00Z/2024-06-20T13:30Z"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_request_is_longer_than_the_source_takes(provider: Provider) -> None:
    requests = provider.plan("GB", Interval(NOW - timedelta(days=100), NOW), NOW)

    past = [request.url.split("/")[-2:] for request in requests if not request.url.endswith("fw48h")]
    assert all(timedelta(0) < parse_time(end) - parse_time(start) <= timedelta(days=14) for start, end in past)


# ------------------------------------------------------------------ spans agree


def answer(request: Request) -> bytes:
    """As the source answers: the slots that end within the asked span, both ends included; forecasts for 48 hours."""
    *_, first, last = request.url.split("/")
    start = parse_time(first)
    end = start + timedelta(hours=48) if last == "fw48h" else parse_time(last)
    slots, at = [], start - timedelta(minutes=30)
    while at + timedelta(minutes=30) <= min(end, NOW + timedelta(hours=48)):
        number = int(at.timestamp()) // 1800 % 400
        span = {"from": f"{at:%Y-%m-%dT%H:%MZ}", "to": f"{at + timedelta(minutes=30):%Y-%m-%dT%H:%MZ}"}
        actual = number + 1 if at < NOW - timedelta(hours=1) else None
        mix = [{"fuel": "gas", "perc": number / 4}, {"fuel": "wind", "perc": 100 - number / 4}]
        if number % 50:  # a hole every day
            slots.append({**span, "intensity": {"forecast": number, "actual": actual}, "generationmix": mix})
        at += timedelta(minutes=30)
    return json.dumps({"data": slots}).encode()


def fetch(provider: Provider, interval: Interval) -> dict[int, IntensityPoint | MixPoint]:
    batches = [provider.parse(request, answer(request)) for request in provider.plan("GB", interval, NOW)]
    return {point.start: point for batch in batches for point in batch.points}


@pytest.mark.parametrize("provider", PROVIDERS)
@settings(max_examples=25, deadline=None)
@given(minutes=st.lists(st.integers(-40 * 1440, 3 * 1440), min_size=2, max_size=5, unique=True))
def test_one_long_span_gives_what_many_short_ones_give(provider: Provider, minutes: list[int]) -> None:
    cuts = [NOW + timedelta(minutes=cut) for cut in sorted(minutes)]

    short: dict[int, IntensityPoint | MixPoint] = {}
    for start, end in pairwise(cuts):
        part = fetch(provider, Interval(start, end))
        assert all(short.get(at, point) == point for at, point in part.items())
        short |= part

    assert short == fetch(provider, Interval(cuts[0], cuts[-1]))


@pytest.mark.parametrize(("day", "hours"), [("2024-03-31T00:00:00+00:00", 23), ("2024-10-26T23:00:00+00:00", 25)])
def test_a_day_of_23_or_25_hours_has_as_many(day: str, hours: int) -> None:
    start = parse_time(day)
    slots = [start + timedelta(minutes=30 * number) for number in range(-1, 2 * hours + 1)]
    body = json.dumps(
        {
            "data": [
                {"from": f"{at:%Y-%m-%dT%H:%MZ}", "to": f"{at + timedelta(minutes=30):%Y-%m-%dT%H:%MZ}", "intensity": {"actual": 1}}
                for at in slots
            ]
        }
    ).encode()

    request = Request("https://gb.example", "GB", Interval(start, start + timedelta(hours=hours)), part=SETTLED)

    assert len(parse_intensity(request, body).points) == 2 * hours
