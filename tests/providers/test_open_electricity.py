"""Open Electricity and OpenNEM: recorded answers, and made ones for what was never recorded."""

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
from gridgram.fuels import IPCC_2014, Fuel
from gridgram.interval import Interval, from_microseconds, parse_time
from gridgram.mix import intensity_of_mix
from gridgram.quality import Quality, Signal
from gridgram.zones import Zones
from providers.base import Batch, MixPoint, Request
from providers.open_electricity import OPEN_ELECTRICITY, OPENNEM
from tests.providers.noon import minutes_after_solar_noon
from tests.shared import shared

PAYLOADS = Path(__file__).parent / "payloads" / "open_electricity"
ALWAYS = Interval(datetime(2015, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
LATE = datetime(2026, 6, 1, tzinfo=UTC)


def span(start: str, end: str) -> Interval:
    return Interval(parse_time(start), parse_time(end))


def read(body: bytes, zone: str = "AU-NSW", interval: Interval = ALWAYS) -> Batch:
    return OPEN_ELECTRICITY.parse(Request("https://x", zone, interval), body)


def read_file(body: bytes, zone: str = "AU-VIC", interval: Interval = ALWAYS) -> Batch:
    return OPENNEM.parse(Request("https://x", zone, interval), body)


def recorded(region: str) -> Batch:
    return read(shared("recordings", "openelectricity_v4", f"data_network_power_fueltech_AU-{region}.json").read_bytes(), f"AU-{region}")


def mixes(batch: Batch) -> list[MixPoint]:
    return [point for point in batch.points if isinstance(point, MixPoint)]


def start_of(point: MixPoint) -> str:
    return from_microseconds(point.start).strftime("%Y-%m-%dT%H:%MZ")


def test_the_zones_are_those_of_the_zone_table() -> None:
    zones = Zones.load()

    assert {zone.key: zone.codes["nem"][0] for zone in zones if "nem" in zone.codes} == dict(OPEN_ELECTRICITY.zones)


def test_bounds_are_naive_network_time_and_reach_to_the_label_at_the_end() -> None:
    (request,) = OPEN_ELECTRICITY.plan("AU-NSW", span("2025-07-10T11:20:00Z", "2025-07-10T13:00:00Z"), LATE)

    assert request.url == "https://api.openelectricity.org.au/v4/data/network/NEM"
    assert dict(request.query)["date_start"] == "2025-07-10T21:00:00"
    assert dict(request.query)["date_end"] == "2025-07-10T23:05:00"
    assert dict(request.query)["network_region"] == "NSW1"


def test_western_australia_is_its_own_network_with_its_own_clock() -> None:
    (request,) = OPEN_ELECTRICITY.plan("AU-WA", span("2025-07-10T11:00:00Z", "2025-07-10T13:00:00Z"), LATE)

    assert request.url.endswith("/WEM")
    assert dict(request.query)["date_start"] == "2025-07-10T19:00:00"


def test_a_long_span_is_cut_below_the_eight_days_that_are_allowed() -> None:
    requests = OPEN_ELECTRICITY.plan("AU-NSW", span("2025-01-01T00:00:00Z", "2025-03-01T00:00:00Z"), LATE)

    lengths = [
        datetime.fromisoformat(dict(request.query)["date_end"]) - datetime.fromisoformat(dict(request.query)["date_start"])
        for request in requests
    ]
    assert len(requests) == 9
    assert max(lengths) < timedelta(days=8)


def test_the_unsettled_minutes_and_the_future_are_not_asked_for() -> None:
    now = parse_time("2025-07-10T12:34:56Z")

    (request,) = OPEN_ELECTRICITY.plan("AU-NSW", span("2025-07-10T12:00:00Z", "2025-07-11T00:00:00Z"), now)

    assert dict(request.query)["date_end"] == "2025-07-10T22:20:00"
    assert OPEN_ELECTRICITY.plan("AU-NSW", span("2025-07-10T13:00:00Z", "2025-07-11T00:00:00Z"), now) == []


@pytest.mark.parametrize(("region", "count", "first"), [("NSW", 288, "11:10"), ("VIC", 288, "10:25"), ("TAS", 282, "16:10")])
def test_a_recorded_day_is_read_with_labels_moved_from_end_to_start(region: str, count: int, first: str) -> None:
    batch = recorded(region)

    assert len(batch.points) == count
    assert start_of(mixes(batch)[0])[11:16] == first
    assert not batch.faults


def test_recorded_charging_pumps_batteries_and_exchange_are_no_generation() -> None:
    point = mixes(recorded("NSW"))[0]

    assert sum(point.mw.values()) == pytest.approx(7271.5768 + 249.0 + 39.99 + 26.4792 + 20.0473 + 2487.3957)


def test_a_recorded_null_is_an_absent_fuel_and_not_zero() -> None:
    batch = mixes(recorded("NSW"))

    assert [Fuel.SOLAR in point.mw for point in batch[:4]] == [False, False, False, True]


def test_recorded_steps_that_only_rooftop_solar_reports_are_left_out() -> None:
    assert all(Fuel.HYDRO in point.mw for point in mixes(recorded("TAS")))


@pytest.mark.parametrize("region", ["NSW", "VIC", "TAS"])
def test_recorded_solar_is_centred_on_solar_noon(region: str) -> None:
    assert abs(minutes_after_solar_noon(recorded(region).points, f"AU-{region}")) < 40


def test_with_other_metrics_the_answer_is_refused() -> None:
    for file in ("market_demand_AU-NSW.json", "facilities_AU-QLD.json"):
        with pytest.raises(UpstreamError, match="other than power in MW for AU-NSW"):
            read(shared("recordings", "openelectricity_v4", file).read_bytes())


def test_made_steps_are_summed_by_fuel_whatever_the_case_of_their_names() -> None:
    batch = read((PAYLOADS / "power_5m.json").read_bytes())
    first = mixes(batch)[0]

    assert start_of(first) == "2025-10-04T13:00Z"
    assert first.minutes == 5
    assert first.mw == {Fuel.COAL: 5000.0, Fuel.GAS: 320.0, Fuel.SOLAR: -0.5, Fuel.WIND: 900.0, Fuel.UNKNOWN: 7.0}
    assert first.quality is Quality.MEASURED


def test_a_fuel_with_one_null_series_has_no_known_total() -> None:
    batch = mixes(read((PAYLOADS / "power_5m.json").read_bytes()))

    assert Fuel.GAS not in batch[5].mw
    assert batch[6].mw[Fuel.GAS] == 320.0
    assert Fuel.SOLAR not in batch[12].mw


def test_an_unknown_fuel_counts_as_unknown_and_is_listed_once() -> None:
    batch = read((PAYLOADS / "power_5m.json").read_bytes())

    assert [fault.where for fault in batch.faults] == ["tidal"]


def test_hour_buckets_keep_their_label_and_a_gap_stays_a_gap() -> None:
    batch = mixes(read((PAYLOADS / "power_1h.json").read_bytes(), "AU-WA"))

    assert [(start_of(point), point.minutes) for point in batch] == [("2025-10-05T00:00Z", 60), ("2025-10-05T02:00Z", 60)]


def test_a_broken_row_is_a_fault_and_costs_nothing_else() -> None:
    answer = orjson.loads((PAYLOADS / "power_5m.json").read_bytes())
    answer["data"][0]["results"][0]["data"][2] = ["2025-10-04T23:15:00", 1.0]
    answer["data"][0]["results"][0]["data"][3] = ["2025-10-04T23:20:00+10:00", "many"]

    batch = read(orjson.dumps(answer))

    assert [fault.where for fault in batch.faults] == ["coal_black", "coal_black", "tidal"]
    assert len(batch.points) == 13


def test_another_regions_series_is_not_counted() -> None:
    answer = orjson.loads((PAYLOADS / "power_5m.json").read_bytes())
    answer["data"][0]["results"][0]["columns"]["region"] = "QLD1"

    assert Fuel.COAL not in mixes(read(orjson.dumps(answer)))[0].mw


def test_overlapping_spans_agree_and_a_long_span_is_many_short_ones() -> None:
    body = (PAYLOADS / "power_5m.json").read_bytes()

    whole = read(body, interval=span("2025-10-04T13:00:00Z", "2025-10-04T15:00:00Z"))
    first = read(body, interval=span("2025-10-04T13:20:00Z", "2025-10-04T13:40:00Z"))
    second = read(body, interval=span("2025-10-04T14:00:00Z", "2025-10-04T15:00:00Z"))

    assert len(first.points) == 12
    assert [*first.points, *second.points] == list(whole.points)


@pytest.mark.parametrize("clock_change", ["2025-10-05", "2025-04-06"])
def test_the_days_on_which_sydney_changes_its_clocks_have_24_hours(clock_change: str) -> None:
    start = datetime.fromisoformat(f"{clock_change}T00:05:00+10:00")
    rows = [[(start + timedelta(minutes=5 * step)).isoformat(), 1.0] for step in range(288)]
    results = [{"columns": {"region": "NSW1", "fueltech": "wind"}, "data": rows}]
    answer = {"success": True, "data": [{"metric": "power", "unit": "MW", "interval": "5m", "results": results}]}

    points = mixes(read(orjson.dumps(answer)))

    assert [later.start - earlier.start for earlier, later in pairwise(points)] == [300_000_000] * 287


def test_an_answer_without_series_is_empty() -> None:
    assert read(b'{"success": true, "data": []}') == Batch([], [])


def test_no_data_and_too_old_are_empty_and_other_errors_are_not() -> None:
    no_data = b'{"error":"No data available for network NEM in the specified time range","success":false}'
    too_long = b'{"error":"Date range too large for 5m interval. Maximum range is 8 days.","success":false}'

    assert OPEN_ELECTRICITY.is_empty(404, no_data)
    assert OPEN_ELECTRICITY.is_empty(400, b'{"error":"Date start is too far in the past."}')
    assert not OPEN_ELECTRICITY.is_empty(400, too_long)
    assert not OPEN_ELECTRICITY.is_empty(404, b"<html>Not Found</html>")


def test_an_error_document_with_status_200_is_refused_with_its_text() -> None:
    with pytest.raises(UpstreamError, match="refused AU-NSW: Invalid interval"):
        read((PAYLOADS / "error.json").read_bytes())


@pytest.mark.parametrize("body", [b"<html>maintenance</html>", b"{}", b"[]", b"", b'{"data": [1]}', b'{"data": null}'])
def test_what_is_not_an_answer_is_refused(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        read(body)
    with pytest.raises(UpstreamError):
        read_file(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=6,
)


@given(JSON, st.sampled_from(["data", "results", "columns", "fueltech", "rows"]))
def test_no_json_whatever_raises_anything_else_than_an_upstream_error(piece: Any, place: str) -> None:
    parts = {"fueltech": "wind", "columns": {"region": "NSW1", "fueltech": "wind"}, "rows": []} | {place: piece}
    columns = parts["columns"] if place == "columns" else {"region": "NSW1", "fueltech": parts["fueltech"]}
    results = piece if place == "results" else [{"columns": columns, "data": parts["rows"]}]
    answer = {"data": piece if place == "data" else [{"metric": "power", "unit": "MW", "interval": "5m", "results": results}]}
    series = {"type": "power", "units": "MW", "fuel_tech": "wind", "history": piece}
    file = {"type": "power", "region": "VIC1", "data": piece if place == "data" else [series]}

    for reader, document in ((read, answer), (read_file, file)):
        with contextlib.suppress(UpstreamError):
            reader(orjson.dumps(document))


def test_the_key_goes_into_a_header_and_stands_in_no_request() -> None:
    (secret,) = OPEN_ELECTRICITY.secrets

    assert (secret.place, secret.field, secret.template) == ("header", "Authorization", "Bearer {}")


def test_the_file_is_asked_for_only_while_it_can_hold_something() -> None:
    now = parse_time("2025-07-17T00:00:00Z")

    (request,) = OPENNEM.plan("AU-TAS", span("2025-07-11T00:00:00Z", "2025-07-12T00:00:00Z"), now)
    (western,) = OPENNEM.plan("AU-WA", span("2025-07-11T00:00:00Z", "2025-07-12T00:00:00Z"), now)

    assert request.url == "https://data.openelectricity.org.au/v4/stats/au/NEM/TAS1/power/7d.json"
    assert western.url == "https://data.openelectricity.org.au/v4/stats/au/WEM/power/7d.json"
    assert OPENNEM.plan("AU-TAS", span("2025-07-01T00:00:00Z", "2025-07-09T00:00:00Z"), now) == []


@pytest.mark.parametrize("region", ["NSW", "TAS"])
def test_the_recorded_file_holds_the_same_mixes_as_the_recorded_answer(region: str) -> None:
    body = shared("recordings", "opennem_legacy", f"stats_power_7d_AU-{region}.json").read_bytes()

    batch = mixes(read_file(body, f"AU-{region}"))

    assert [(point.start, point.mw) for point in batch] == [(point.start, point.mw) for point in mixes(recorded(region))]


def test_the_recorded_files_own_intensity_lies_near_ours() -> None:
    body = shared("recordings", "opennem_legacy", "stats_power_7d_AU-NSW.json").read_bytes()

    points = mixes(read_file(body, "AU-NSW"))
    ours = [intensity_of_mix(point.mw, IPCC_2014, Signal.DIRECT) for point in points]
    ratios = [point.own_g_per_kwh / own.g_per_kwh for point, own in zip(points, ours, strict=True) if own and point.own_g_per_kwh]

    assert points[0].own_g_per_kwh == pytest.approx((548.5391 + 0.0739 + 7.7149 + 2.0068) * 12_000 / sum(points[0].mw.values()))
    assert len(ratios) == 288
    assert 1.1 < min(ratios) < max(ratios) < 1.25  # black coal in New South Wales emits 900 g, not the 760 of the table


def test_a_recorded_week_with_half_hourly_rooftop_solar_is_read_to_its_last_common_step() -> None:
    body = shared("recordings", "opennem_legacy", "stats_power_7d_TAS1_2023.json").read_bytes()

    batch = read_file(body, "AU-TAS", span("2023-01-17T14:00:00Z", "2023-01-23T14:00:00Z"))

    assert len(batch.points) == 6 * 288
    assert abs(minutes_after_solar_noon(batch.points, "AU-TAS")) < 40
    assert not batch.faults


@pytest.mark.parametrize("file", ["stats_energy_1y_NSW1_2023.json", "stats_price_WEM_2023-09.json"])
def test_recorded_files_of_energy_and_prices_are_refused(file: str) -> None:
    with pytest.raises(UpstreamError, match="without power"):
        read_file(shared("recordings", "opennem_legacy", file).read_bytes(), "AU-NSW")


def test_a_made_file_is_read_without_forecast_and_with_its_own_intensity() -> None:
    batch = read_file((PAYLOADS / "7d.json").read_bytes())
    points = mixes(batch)

    assert [start_of(points[0]), start_of(points[-1])] == ["2025-10-05T02:00Z", "2025-10-05T02:55Z"]
    assert points[0].mw == {Fuel.COAL: 3000.0, Fuel.SOLAR: 1000.0}
    assert points[6].mw == {Fuel.COAL: 3000.0, Fuel.SOLAR: 1200.0, Fuel.WIND: 500.0}
    assert points[6].own_g_per_kwh == pytest.approx(300.0 * 12_000 / 4700.0)
    assert [fault.where for fault in batch.faults] == ["au.nem.vic1.fuel_tech.gas_ocgt.power"]


def test_a_file_of_another_region_is_refused() -> None:
    with pytest.raises(UpstreamError, match="VIC1"):
        read_file((PAYLOADS / "7d.json").read_bytes(), "AU-NSW")
