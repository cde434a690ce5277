"""Japan: ten companies, one layout with dialects."""

from __future__ import annotations

import contextlib
import io
import zipfile
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
from providers.japan import AREAS, PROVIDER
from tests.providers.noon import minutes_after_solar_noon
from tests.shared import shared

PAYLOADS = Path(__file__).parent / "payloads" / "japan"
ALWAYS = Interval(datetime(2015, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
NOW = parse_time("2026-06-15T03:00:00Z")
RECORDED = {
    "JP-TK": "eria_jukyu_202604_03.csv",
    "JP-KN": "eria_jukyu_202604_06.csv",
    "JP-KY": "eria_jukyu_202604_09.csv",
    "JP-TH": "realtime_jukyu_20260415_02.csv",
}


def read(body: bytes, zone: str = "JP-TK", interval: Interval = ALWAYS, part: str = "final") -> Batch:
    return PROVIDER.parse(Request("https://x", zone, interval, part=part), body)


def recorded(zone: str, name: str = "") -> Batch:
    return read(shared("recordings", "japan", name or RECORDED[zone]).read_bytes(), zone)


def mixes(batch: Batch) -> list[MixPoint]:
    return [point for point in batch.points if isinstance(point, MixPoint)]


def start_of(point: MixPoint) -> datetime:
    return from_microseconds(point.start)


def names(zone: str, start: str, end: str) -> list[str]:
    requests = PROVIDER.plan(zone, Interval(parse_time(start), parse_time(end)), NOW)
    return [request.url.rpartition("/")[2] for request in requests]


def test_the_zones_are_the_areas_of_japan() -> None:
    keys = [zone.key for zone in Zones.load() if zone.parent == "JP"]

    assert sorted(PROVIDER.zones) == keys
    assert sorted(AREAS) == keys


def test_a_japanese_month_is_one_table() -> None:
    assert names("JP-TK", "2026-03-31T14:00:00Z", "2026-03-31T16:00:00Z") == ["eria_jukyu_202603_03.csv", "eria_jukyu_202604_03.csv"]
    assert names("JP-ON", "2026-06-14T00:00:00Z", "2026-09-01T00:00:00Z") == ["eria_jukyu_202606_10.csv"]
    assert names("JP-TK", "2022-01-01T00:00:00Z", "2022-02-01T00:00:00Z") == []


def test_tohoku_is_asked_by_day_until_the_month_before_the_last() -> None:
    assert names("JP-TH", "2026-04-29T15:00:00Z", "2026-05-01T15:00:00Z") == ["eria_jukyu_202604_02.csv", "realtime_jukyu_20260501_02.csv"]


def test_chubu_is_asked_for_the_zip_of_the_fiscal_year_once_a_month_is_over() -> None:
    assert names("JP-CB", "2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z") == ["eria_jukyu_2025.zip"]
    assert names("JP-CB", "2026-05-10T00:00:00Z", "2026-06-11T00:00:00Z") == [
        "eria_jukyu_2026.zip",
        "eria_jukyu_202605_04.csv",
        "eria_jukyu_202606_04.csv",
    ]


def test_kansai_has_older_tables_by_fiscal_year() -> None:
    assert names("JP-KN", "2023-03-31T00:00:00Z", "2023-04-01T00:00:00Z") == [
        "area_jyukyu_jisseki_2022.csv",
        "area_jyukyu_jisseki_2023.csv",
    ]


@pytest.mark.parametrize(
    ("zone", "count", "first", "hydro", "solar_at_noon"),
    [("JP-TK", 100, 9737.0, 1224.0, 1848.0), ("JP-KN", 100, 3003.0, 1308.0, 1165.0), ("JP-KY", 100, 734.0, 420.0, 1930.0)],
)
def test_a_recorded_month_begins_at_midnight_and_is_named_by_start(
    zone: str, count: int, first: float, hydro: float, solar_at_noon: float
) -> None:
    batch = recorded(zone)
    points = mixes(batch)

    assert len(points) == count
    assert [start_of(point) for point in points] == [
        datetime(2026, 3, 31, 15, tzinfo=UTC) + timedelta(minutes=30) * i for i in range(count)
    ]
    assert points[0].mw[Fuel.GAS] == first
    assert points[0].mw[Fuel.HYDRO] == hydro
    assert points[24].mw[Fuel.SOLAR] == solar_at_noon
    assert not batch.faults


def test_recorded_pumping_is_no_generation_and_pumped_generation_is_hydro() -> None:
    points = mixes(recorded("JP-TK"))

    assert points[2].mw[Fuel.HYDRO] == 1261.0
    assert points[38].mw[Fuel.HYDRO] == 1391.0 + 1329.0


def test_the_recorded_day_of_tohoku_ends_where_its_numbers_end_and_its_curtailment_is_no_generation() -> None:
    batch = recorded("JP-TH")
    points = mixes(batch)

    assert len(points) == 43
    assert start_of(points[-1]) == datetime(2026, 4, 15, 12, tzinfo=UTC)
    assert points[18].mw == {
        Fuel.NUCLEAR: 0.0,
        Fuel.GAS: 1505.0,
        Fuel.COAL: 1925.0,
        Fuel.OIL: 0.0,
        Fuel.UNKNOWN: 376.0 + 44.0,
        Fuel.HYDRO: 2002.0,
        Fuel.GEOTHERMAL: 159.0,
        Fuel.BIOMASS: 569.0,
        Fuel.SOLAR: 4990.0,
        Fuel.WIND: 174.0,
    }
    assert not batch.faults


def test_the_recorded_old_table_is_hourly_with_undivided_thermal_plants() -> None:
    batch = recorded("JP-KN", "area_jyukyu_jisseki_2016.csv")
    points = mixes(batch)

    assert len(points) == 48
    assert start_of(points[0]) == datetime(2016, 3, 31, 15, tzinfo=UTC)
    assert points[0].minutes == 60
    assert points[0].mw[Fuel.UNKNOWN] == 10405.0
    assert points[0].mw[Fuel.HYDRO] == 758.0 + 89.0
    assert points[38].mw[Fuel.SOLAR] == 1307.0
    assert points[38].mw[Fuel.WIND] == 32.0
    assert not batch.faults


@pytest.mark.parametrize("zone", RECORDED)
def test_recorded_solar_is_centred_on_solar_noon(zone: str) -> None:
    days = mixes(recorded(zone))[:96]

    assert abs(minutes_after_solar_noon(days, zone)) < 40


def test_recorded_solar_of_the_old_table_is_centred_on_solar_noon() -> None:
    assert abs(minutes_after_solar_noon(recorded("JP-KN", "area_jyukyu_jisseki_2016.csv").points, "JP-KN")) < 40


def test_a_made_day_has_48_half_hours_without_curtailment_batteries_and_exchange() -> None:
    points = mixes(read((PAYLOADS / "tokyo.csv").read_bytes()))

    assert [start_of(point) for point in points] == [datetime(2025, 10, 4, 15, tzinfo=UTC) + timedelta(minutes=30) * i for i in range(48)]
    assert sum(points[0].mw.values()) == 1000 + 2000 + 3000 + 40 + 60 + 700 + 0 + 80 + 0 + 90 + 10
    assert points[40].mw[Fuel.HYDRO] == 900.0
    assert points[24].mw[Fuel.SOLAR] == 2875.0


def test_kyushu_names_the_end_and_writes_full_width() -> None:
    points = mixes(read((PAYLOADS / "kyushu.csv").read_bytes(), "JP-KY"))

    assert len(points) == 48
    assert start_of(points[0]) == datetime(2025, 10, 4, 15, tzinfo=UTC)
    assert points[-1].mw[Fuel.NUCLEAR] == 48.0
    assert points[0].mw[Fuel.GAS] == 200.0
    assert points[0].mw[Fuel.HYDRO] == 70.0


def test_a_table_that_labels_the_other_end_than_before_is_refused() -> None:
    with pytest.raises(UpstreamError, match="0:00: it now labels the other end"):
        read((PAYLOADS / "tokyo.csv").read_bytes(), "JP-KY")
    with pytest.raises(UpstreamError, match="24:00: it now labels the other end"):
        read((PAYLOADS / "kyushu.csv").read_bytes(), "JP-TK")


def test_blank_cells_gaps_twins_unknown_columns_and_broken_rows() -> None:
    batch = read((PAYLOADS / "odd.csv").read_bytes())
    points = mixes(batch)

    assert [start_of(point).strftime("%H:%M") for point in points] == ["15:00", "16:30"]
    assert Fuel.GAS not in points[0].mw
    assert points[0].mw[Fuel.UNKNOWN] == 5.0 + 12.0
    assert points[1].mw[Fuel.NUCLEAR] == 2.0
    assert [fault.where for fault in batch.faults] == ["潮力", "2025/10/5 0:30", "yesterday 2:00"]


def test_the_month_so_far_is_preliminary() -> None:
    body = (PAYLOADS / "tokyo.csv").read_bytes()

    assert {point.quality for point in mixes(read(body, part="current"))} == {Quality.PRELIMINARY}
    assert {point.quality for point in mixes(read(body))} == {Quality.MEASURED}


def test_a_zip_of_a_year_gives_the_months_of_the_span() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("eria_jukyu_202510_04.csv", (PAYLOADS / "tokyo.csv").read_bytes())
        archive.writestr("eria_jukyu_202511_04.csv", b"<html>")
        archive.writestr("readme.txt", b"")
    october = Interval(parse_time("2025-10-01T00:00:00Z"), parse_time("2025-10-30T00:00:00Z"))

    assert len(read(buffer.getvalue(), "JP-CB", october).points) == 48
    with pytest.raises(UpstreamError, match="zip that cannot be opened"):
        read(buffer.getvalue()[:200], "JP-CB", october)


def test_overlapping_spans_agree_and_a_long_span_is_many_short_ones() -> None:
    body = (PAYLOADS / "tokyo.csv").read_bytes()
    middle = parse_time("2025-10-05T03:00:00Z")

    parts = [read(body, interval=Interval(ALWAYS.start, middle)), read(body, interval=Interval(middle, ALWAYS.end))]

    assert [point for part in parts for point in part.points] == list(read(body).points)


def test_a_table_without_rows_is_empty() -> None:
    header = b"\n".join((PAYLOADS / "tokyo.csv").read_bytes().split(b"\n")[:2])

    assert read(header) == Batch([], [])


def test_a_table_that_is_not_there_is_empty_and_other_errors_are_not() -> None:
    assert PROVIDER.is_empty(404, b"<html>Not Found</html>")
    assert not PROVIDER.is_empty(503, b"")


def test_a_table_in_another_unit_is_refused() -> None:
    with pytest.raises(UpstreamError, match="not its table"):
        read((PAYLOADS / "tokyo.csv").read_bytes().replace("MW平均".encode(), "万kW".encode()))


@pytest.mark.parametrize("body", [b"<html><body>404</body></html>", b"{}", b"", b"PK\x03\x04", b"\x00" * 10, b"DATE,TIME\n1,2\n"])
def test_what_is_not_a_table_is_refused(body: bytes) -> None:
    with pytest.raises(UpstreamError, match="JP-TK"):
        read(body)


@given(st.text('DATE,TIME\n単位[MW平均]0:/1"', max_size=80))
def test_no_text_whatever_raises_anything_else_than_an_upstream_error(rows: str) -> None:
    header = b"\n".join((PAYLOADS / "tokyo.csv").read_bytes().split(b"\n")[:2])

    for body in (rows.encode(), header + b"\n" + rows.encode()):
        with contextlib.suppress(UpstreamError):
            read(body)
