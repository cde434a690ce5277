"""The zone tables that ship: complete, consistent, and true to the facts they were made from."""

from __future__ import annotations

import csv
import re
from collections import Counter
from zoneinfo import ZoneInfo

import pytest

from gridgram.zones import Zone, ZoneKind, Zones, read_table
from tests.shared import shared

FIFTY_STATES_AND_DC = """
AK AL AR AZ CA CO CT DC DE FL GA HI IA ID IL IN KS KY LA MA MD ME MI MN MO MS MT NC ND NE NH NJ NM NV NY OH OK OR PA RI SC SD TN TX UT VA
VT WA WI WV WY
"""
AGGREGATES = ("World", "WORLD", "EU", "Asia", "Africa", "Europe", "G20", "G7", "OECD", "ASEAN", "Oceania", "EEE", "WOR")


@pytest.fixture(scope="module")
def zones() -> Zones:
    return Zones.load()


def test_every_kind_of_zone_is_there_in_its_number(zones: Zones) -> None:
    kinds = Counter(zone.kind for zone in zones)

    assert kinds == {ZoneKind.COUNTRY: 214, ZoneKind.GRID: 108, ZoneKind.SUBDIVISION: 81}
    assert len(zones) == 403


def test_zones_come_in_the_order_of_their_keys(zones: Zones) -> None:
    keys = [zone.key for zone in zones]

    assert keys == sorted(set(keys))


def test_a_zone_is_found_by_its_key_alone(zones: Zones) -> None:
    assert zones["FR"].name == "France"
    assert "FR" in zones
    assert "fr" not in zones
    assert zones.get("XX") is None
    with pytest.raises(KeyError):
        zones["XX"]


def test_a_zone_has_all_its_facts(zones: Zones) -> None:
    zone = zones["US-CAL-CISO"]

    assert zone == Zone(
        key="US-CAL-CISO",
        name="CAISO",
        country="US",
        kind=ZoneKind.GRID,
        timezone="America/Los_Angeles",
        parent="US",
        latitude=36.5029,
        longitude=-119.0703,
        codes={"eia": ("CISO",), "watttime": ("CAISO_NORTH",)},
    )


def test_countries_are_keyed_by_alpha_2_and_know_their_alpha_3(zones: Zones) -> None:
    countries = [zone for zone in zones if zone.kind is ZoneKind.COUNTRY]

    assert all(re.fullmatch("[A-Z]{2}", zone.key) and zone.key == zone.country and zone.parent is None for zone in countries)
    assert all(re.fullmatch("[A-Z]{3}", zone.codes["iso3"][0]) for zone in countries)
    assert {key: zones[key].codes["iso3"] for key in ("FR", "XK", "TW", "PR")} == {
        "FR": ("FRA",),
        "XK": ("XKX",),
        "TW": ("TWN",),
        "PR": ("PRI",),
    }


def test_a_finer_zone_lies_in_a_country_that_is_a_zone(zones: Zones) -> None:
    finer = [zone for zone in zones if zone.kind is not ZoneKind.COUNTRY]

    assert all(zone.parent == zone.country and zones[zone.country].kind is ZoneKind.COUNTRY for zone in finer)
    assert all(zone.key.startswith(f"{zone.country}-") for zone in finer)
    assert [zone.key for zone in zones.children("DK")] == ["DK-DK1", "DK-DK2"]


def test_every_chinese_province_with_figures_and_every_american_state_is_a_zone(zones: Zones) -> None:
    subdivisions = {zone.key for zone in zones if zone.kind is ZoneKind.SUBDIVISION}

    assert {key for key in subdivisions if key.startswith("US-")} == {f"US-{state}" for state in FIFTY_STATES_AND_DC.split()}
    assert len([key for key in subdivisions if key.startswith("CN-")]) == 30
    assert "CN-XZ" not in zones  # Tibet: no figures
    assert "US-PR" not in zones  # Puerto Rico is the country zone PR


def test_no_aggregate_is_taken_for_a_country(zones: Zones) -> None:
    assert not [name for name in AGGREGATES if name in zones]
    assert not [zone.name for zone in zones if zone.name in AGGREGATES]


def test_time_zones_exist_and_are_not_retired_names(zones: Zones) -> None:
    for zone in zones:
        assert ZoneInfo(zone.timezone).key == zone.timezone
        assert not zone.timezone.startswith(("US/", "Etc/")), zone.key
    assert zones["BA"].timezone == "Europe/Sarajevo"
    assert zones["CN-XJ"].timezone == "Asia/Shanghai"
    assert zones["US-HI"].timezone == "Pacific/Honolulu"


def test_map_centres_lie_on_the_globe(zones: Zones) -> None:
    assert all(-90 <= zone.latitude <= 90 and -180 <= zone.longitude <= 180 for zone in zones)


@pytest.mark.parametrize("system", ["iso3", "eia", "entsoe", "nem"])
def test_a_code_stands_for_one_zone(zones: Zones, system: str) -> None:
    uses = Counter(code for zone in zones for code in zone.codes.get(system, ()))

    assert uses
    assert not [code for code, count in uses.items() if count > 1]


def test_tables_agree_on_which_zones_exist(zones: Zones) -> None:
    for table in ("countries.csv", "subdivisions.csv", "cloud_regions.csv"):
        assert not {row["zone"] for row in read_table(table)} - {zone.key for zone in zones} - {""}


def test_every_country_zone_answers_for_its_own_code(zones: Zones) -> None:
    by_code = {row["code"]: row for row in read_table("countries.csv")}

    assert all(by_code[zone.key]["zone"] == zone.key for zone in zones if zone.kind is ZoneKind.COUNTRY)
    assert len(by_code) == 250  # the 249 of ISO 3166-1 and Kosovo


def test_all_zones_of_the_table_of_facts_are_kept_with_their_codes(zones: Zones) -> None:
    with shared("data", "zone_codes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    assert len(rows) == 175
    for row in rows:
        zone = zones[row["zone_key"]]
        assert zone.country == row["country"]
        assert (zone.kind is ZoneKind.COUNTRY) == (row["is_country"] == "1")
        assert zone.codes.get("eia", ()) == tuple(filter(None, [row["eia_ba"]]))
        assert zone.codes.get("entsoe", ()) == tuple(filter(None, [row["entsoe_eic"]]))
        assert zone.codes.get("nem", ()) == tuple(filter(None, [row["oe_region"] or ("WEM" if row["oe_network"] == "WEM" else "")]))


def test_every_country_and_state_with_a_yearly_mean_is_a_zone(zones: Zones) -> None:
    iso2 = {row["iso3"]: row["code"] for row in read_table("countries.csv")}
    with shared("data", "hourly", "yearly.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["source"].startswith(("carbontracker", "codecarbon", "co2.js/average"))]

    known = {iso2.get(row["zone"], row["zone"]) for row in rows}
    missing = {key for key in known if re.fullmatch("[A-Z]{2}|(CN|US)-[A-Z]{2}", key)} - {zone.key for zone in zones}

    assert missing == {"EU"}
