"""AEMO NEMWeb: the chain of answers from the table of generators to the mix, and the recorded files."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridgram.errors import UpstreamError
from gridgram.fuels import Fuel
from gridgram.interval import Interval, from_microseconds, parse_time, to_microseconds
from gridgram.quality import Quality
from gridgram.zones import Zones
from providers.aemo import (
    PROVIDER,
    READERS,
    TELEMETRY_NAME,
    read_generators,
    read_names,
    read_rooftop,
    read_tables,
    read_telemetry,
)
from providers.base import Batch, MixPoint, Request
from tests.shared import shared

PAYLOADS = Path(__file__).parent / "payloads" / "aemo"
HOUR = Interval(parse_time("2025-10-05T02:00:00Z"), parse_time("2025-10-05T03:00:00Z"))
NOW = parse_time("2025-10-05T03:40:00Z")
SOURCES = {
    "battery_discharging": "Battery Storage",
    "bioenergy_biomass": "Bagasse",
    "coal_black": "Black coal",
    "coal_brown": "Brown coal",
    "distillate": "Diesel oil",
    "gas_ccgt": "Natural Gas (Pipeline)",
    "gas_ocgt": "Natural Gas (Pipeline)",
    "gas_recip": "Natural Gas (Pipeline)",
    "gas_steam": "Natural Gas (Pipeline)",
    "gas_wcmg": "Coal mine waste gas",
    "hydro": "Hydro",
    "solar_utility": "Solar",
    "wind": "Wind",
}
"""What AEMO's table calls the fuel technologies of the recorded list of facilities."""


def payload(name: str) -> bytes:
    return (PAYLOADS / name).read_bytes()


def recorded(name: str) -> bytes:
    return shared("recordings", "aemo_nemweb", name).read_bytes()


def zipped(body: bytes, name: str = "table.CSV") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, body)
    return buffer.getvalue()


def answer(request: Request) -> bytes:
    """What the made folder holds at the address of a request."""
    if request.url.endswith("GENERATORS.CSV"):
        return payload("generators.csv")
    if request.url.endswith("/"):
        return payload("rooftop.html" if "ROOFTOP" in request.url else "telemetry.html")
    if "ROOFTOP" in request.url:
        return zipped(payload("rooftop_1230.csv" if "202510051300" in request.url else "rooftop_1300.csv"))
    end = TELEMETRY_NAME.search(request.url)
    assert end
    return zipped(payload("units.csv").replace(b"12:05:00", f"{end[1][8:10]}:{end[1][10:12]}:00".encode()))


def follow(interval: Interval) -> tuple[list[Batch], list[Request]]:
    """Ask and follow until nothing is left."""
    batches, asked = [], []
    wave = PROVIDER.plan("AU-NSW", interval, NOW)
    while wave:
        asked += wave
        found = [PROVIDER.parse(request, answer(request)) for request in wave]
        batches += found
        wave = [request for batch in found for request in batch.following]
    return batches, asked


def test_the_zones_are_the_regions_of_the_zone_table() -> None:
    zones = Zones.load()

    assert all(zones[key].codes["nem"] == (region,) for key, region in PROVIDER.zones.items())


def test_what_the_folders_no_longer_hold_is_not_asked_for() -> None:
    old = Interval(parse_time("2025-09-01T00:00:00Z"), parse_time("2025-09-02T00:00:00Z"))

    assert PROVIDER.plan("AU-NSW", old, NOW) == []
    assert [request.part for request in PROVIDER.plan("AU-NSW", HOUR, NOW)] == ["generators"]


def test_an_hour_comes_out_of_its_chain_as_twelve_mixes() -> None:
    batches, asked = follow(HOUR)
    points = [point for batch in batches for point in batch.points if isinstance(point, MixPoint)]

    assert [from_microseconds(point.start).strftime("%H:%M") for point in points] == [f"02:{minute:02d}" for minute in range(0, 60, 5)]
    assert points[0].mw == {Fuel.SOLAR: 2500.5, Fuel.COAL: 700.0, Fuel.GAS: 0.0, Fuel.UNKNOWN: -1.5}
    assert points[-1].mw[Fuel.SOLAR] == 2600.5
    assert points[0].own_g_per_kwh == pytest.approx(700 * 900 / 3200.5)
    assert {point.quality for point in points} == {Quality.MEASURED}
    assert len(asked) == 1 + 2 + 2 + 12


def test_of_two_files_with_one_time_the_later_is_followed() -> None:
    _, asked = follow(HOUR)

    assert [request.url[-20:] for request in asked if "202510051210" in request.url] == ["0000000000000099.zip"]


def test_an_hour_without_all_its_files_is_not_followed() -> None:
    batches, asked = follow(Interval(HOUR.start, parse_time("2025-10-05T05:00:00Z")))

    assert sum(len(batch.points) for batch in batches) == 12
    assert len(asked) == 17


def test_units_of_other_regions_batteries_and_loads_are_no_generation_and_a_stranger_is_listed() -> None:
    batches, _ = follow(HOUR)
    faults = {fault.where for batch in batches for fault in batch.faults}

    assert "NEWSF1" in faults
    assert not faults & {"PUMP1", "BATTL1", "RT_NSW1", "WIND9", "BATT1"}


def test_faults_of_the_table_of_generators_are_listed() -> None:
    units, faults = read_generators(payload("generators.csv"))

    assert units["COAL1"] == ("NSW1", "black coal", 0.9)
    assert units["GAS1"] == ("NSW1", "natural gas (pipeline)", None)
    assert units["TWIN1"] == ("NSW1", "", None)
    assert [fault.where for fault in faults] == ["GAS1", "TWIN1", "Broken"]


def test_rooftop_solar_is_read_by_region_and_measurement_wins_over_satellite() -> None:
    found, faults = read_rooftop(payload("rooftop_1230.csv"))

    assert found == {parse_time("2025-10-05T02:30:00Z"): {"NSW1": 2000.0, "QLD1": 900.0, "QLDC": 300.0}}
    assert not faults


def test_a_telemetry_file_without_rooftop_solar_gives_no_mix() -> None:
    part = f"units {json.dumps({'fuels': {'COAL1': ['coal', 0.9]}, 'others': [], 'rooftop': {}})}"

    batch = PROVIDER.parse(Request("https://x", "AU-NSW", HOUR, part=part), payload("units.csv"))

    assert not batch.points
    assert "no rooftop solar of NSW1" in batch.faults[1].detail


def test_an_empty_folder_points_nowhere() -> None:
    page = b'<html><title>nemweb.com.au - /Reports/CURRENT/Dispatch_SCADA/</title><A HREF="/">[To Parent Directory]</A></html>'

    assert PROVIDER.parse(Request("https://x", "AU-NSW", HOUR, part="telemetry {}"), page) == Batch()


def test_a_file_that_broke_off_is_refused() -> None:
    whole = payload("units.csv")

    for body in (whole[:-30], whole.replace(b"COAL1,700\n", b"COAL1,700\n", 1).replace(b'REPORT",17', b'REPORT",18')):
        with pytest.raises(UpstreamError, match="broke off"):
            read_tables(body)


@pytest.mark.parametrize(
    "body", [b"<html>The page cannot be found</html>", b"{}", b"", b"PK\x03\x04broken", b"C\n", zipped(b"x", "readme.txt")]
)
@pytest.mark.parametrize("kind", READERS)
def test_what_is_not_an_answer_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(UpstreamError):
        PROVIDER.parse(Request("https://x", "AU-NSW", HOUR, part=kind), body)


@given(st.binary(max_size=60) | st.text('CID,\n"1', max_size=60).map(str.encode))
def test_no_bytes_whatever_raise_anything_else_than_an_upstream_error(body: bytes) -> None:
    with contextlib.suppress(UpstreamError):
        read_telemetry(body)


def test_the_days_on_which_sydney_changes_its_clocks_are_like_any_other() -> None:
    for day, utc in (("2025/10/05 02:30:00", "2025-10-04T16:30:00Z"), ("2025/04/06 02:30:00", "2025-04-05T16:30:00Z")):
        found, _ = read_telemetry(payload("units.csv").replace(b"2025/10/05 12:05:00", day.encode()))

        assert list(found) == [parse_time(utc)]


def test_the_recorded_telemetry_holds_390_units_at_the_end_of_five_minutes() -> None:
    found, faults = read_telemetry(recorded("PUBLIC_DISPATCHSCADA_202109021255.zip"))

    assert {end: len(units) for end, units in found.items()} == {datetime(2021, 9, 2, 2, 55, tzinfo=UTC): 390}
    assert not faults


def test_the_recorded_folder_page_names_two_days_of_files() -> None:
    names = read_names(recorded("dirlisting_Dispatch_SCADA_2021-09-02.html"), "dispatch_scada", TELEMETRY_NAME)

    assert len(names) == 578
    assert names[datetime(2021, 9, 2, 2, 55, tzinfo=UTC)] == "PUBLIC_DISPATCHSCADA_202109021255_0000000348376188.zip"
    assert min(names) == datetime(2021, 8, 31, 2, 55, tzinfo=UTC)


def test_recorded_rooftop_solar_is_of_the_half_hour_that_ended_before_the_file_was_named() -> None:
    found, faults = read_rooftop(recorded("PUBLIC_ROOFTOP_PV_ACTUAL_MEASUREMENT_20230902183000.zip"))

    assert list(found) == [datetime(2023, 9, 2, 8, 0, tzinfo=UTC)]
    assert found[datetime(2023, 9, 2, 8, 0, tzinfo=UTC)]["SA1"] == 132.496
    assert not faults


def test_the_recorded_table_of_generators_is_read_with_its_two_broken_rows() -> None:
    units, faults = read_generators(recorded("CO2EII_AVAILABLE_GENERATORS_2026-08-07.csv"))

    assert units["HAUGHT11"] == ("QLD1", "solar", 0.0)
    assert units["BW01"] == ("NSW1", "black coal", 0.875)
    assert [fault.where for fault in faults] == ["Broken", "BROKEN2"]


def test_the_recorded_trading_report_has_two_tables_and_none_of_units() -> None:
    body = recorded("PUBLIC_TRADINGIS_202308301800.zip")

    assert {name: len(rows) for name, rows in read_tables(body).items()} == {("TRADING", "INTERCONNECTORRES"): 6, ("TRADING", "PRICE"): 5}
    with pytest.raises(UpstreamError, match="no table DISPATCH/UNIT_SCADA"):
        read_telemetry(body)


def test_the_recorded_month_that_was_cut_down_is_seen_to_be_cut() -> None:
    with pytest.raises(UpstreamError, match="2883 lines, of 2468734"):
        read_telemetry(recorded("PUBLIC_DVD_DISPATCH_UNIT_SCADA_201804010000.zip"))


def test_recorded_telemetry_joined_with_the_recorded_facilities_is_the_mix_of_each_region() -> None:
    facilities = json.loads(shared("recordings", "openelectricity_v4", "facilities_AU-QLD.json").read_text())["data"]
    rows = [
        f'D,CO2EII,PUBLISHING,1,"X",{unit["code"]},{unit["code"]},{facility["network_region"]},0.5,"{SOURCES[unit["fueltech_id"]]}",X'
        for facility in facilities
        for unit in facility["units"]
        if facility["network_id"] == "NEM" and unit["fueltech_id"] in SOURCES
    ]
    columns = "I,CO2EII,PUBLISHING,1,STATIONNAME,DUID,GENSETID,REGIONID,CO2E_EMISSIONS_FACTOR,CO2E_ENERGY_SOURCE,CO2E_DATA_SOURCE"
    table = "\n".join(["C,X", columns, *rows, 'C,"END OF REPORT",3']).encode()
    span = Interval(datetime(2021, 9, 2, 2, tzinfo=UTC), datetime(2021, 9, 2, 3, tzinfo=UTC))
    half_hour_end = to_microseconds(datetime(2021, 9, 2, 3, tzinfo=UTC))

    totals = {}
    for zone in PROVIDER.zones:
        (page,) = PROVIDER.parse(Request("https://x", zone, span, part="generators"), table).following
        known = {**json.loads(page.part.partition(" ")[2]), "rooftop": {half_hour_end: 0.0}}
        batch = PROVIDER.parse(
            Request("https://x", zone, span, part=f"units {json.dumps(known)}"), recorded("PUBLIC_DISPATCHSCADA_202109021255.zip")
        )
        (point,) = batch.points
        assert isinstance(point, MixPoint)
        assert not batch.faults
        totals[zone] = {fuel.value: round(mw) for fuel, mw in point.mw.items() if round(mw)}

    assert totals == {
        "AU-NSW": {"coal": 4214, "hydro": 25, "solar": 1293, "wind": 570},
        "AU-QLD": {"biomass": -4, "coal": 3983, "gas": 151, "oil": 35, "solar": 979, "wind": 358},
        "AU-SA": {"gas": 398, "solar": 81, "wind": 563},
        "AU-TAS": {"gas": -1, "hydro": 430, "wind": 221},
        "AU-VIC": {"coal": 2292, "hydro": 5, "solar": 426, "wind": 1335},
    }
