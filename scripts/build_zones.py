"""Make the zone tables of gridgram/data from the folder of shared facts, ISO codes and Natural Earth.

    pip download --no-deps iso3166==3.0.0 iso3166-2==1.8.4    (MIT: codes, names, map points), both unpacked into one folder
    npm pack world-atlas@2.0.2                                (ISC: Natural Earth 4.1.0, public domain), unpacked
    python scripts/build_zones.py ../shared/data ISO_FOLDER WORLD_ATLAS_FOLDER

Only bare facts are taken: codes, names, time zones, coordinates. The time zone of a country comes from `zone.tab` of the IANA
database (public domain), which lists a country's most populous zone first. Writes zones.csv, countries.csv, subdivisions.csv
and cloud_regions.csv; build_map.py reads the third.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import re
import sys
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from build_map import read_topojson

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Row = Mapping[str, str]

DATA = Path(__file__).resolve().parents[1] / "gridgram" / "data"

# Retired names of the IANA database, and one slip of the table (Bosnia stood at Asia/Bahrain).
TIMEZONES = {
    "US/Pacific": "America/Los_Angeles",
    "US/Arizona": "America/Phoenix",
    "US/Mountain": "America/Denver",
    "US/Central": "America/Chicago",
    "US/Eastern": "America/New_York",
    "Europe/Kiev": "Europe/Kyiv",
}
ZONE_TIMEZONES = {"BA": "Europe/Sarajevo", "US": "America/New_York"}

# Chinese provinces all keep Beijing time; a US state has the zone of most of its people.
STATE_TIMEZONES = {
    "America/New_York": "CT DC DE FL GA MA MD ME NC NH NJ NY OH PA RI SC VA VT WV",
    "America/Chicago": "AL AR IA IL KS LA MN MO MS ND NE OK SD TN TX WI",
    "America/Denver": "CO MT NM UT WY",
    "America/Los_Angeles": "CA NV OR WA",
    "America/Phoenix": "AZ",
    "America/Boise": "ID",
    "America/Detroit": "MI",
    "America/Indiana/Indianapolis": "IN",
    "America/Kentucky/Louisville": "KY",
    "America/Anchorage": "AK",
    "Pacific/Honolulu": "HI",
}

# Map centres that the table lacks, or has outside the zone; those without a place of their own stand at their state's centre.
CENTRES = {
    "US-FLA-JEA": (30.33, -81.66),  # Jacksonville
    "US-CAR-YAD": (35.5, -80.0),  # North Carolina
    "US-NW-GRID": (44.0, -120.5),  # Oregon
    "US-SE-SEPA": (32.9, -83.4),  # Georgia
    "GF": (4.0, -53.1),
    "GP": (16.2, -61.5),
    "MQ": (14.65, -61.0),
    "MY-WM": (4.1, 102.2),
    "RE": (-21.1, 55.5),
    "RU": (61.5, 96.7),
    "US": (39.8, -98.6),
}

# A zone that the table of cloud regions names and the table of zones lacks.
EXTRA_ZONES = (("MY-WM", "Peninsular Malaysia", "MY", "Asia/Kuala_Lumpur"),)

COUNTRY_NAMES = {
    "CD": "Democratic Republic of the Congo",
    "CG": "Republic of the Congo",
    "CI": "Côte d'Ivoire",
    "CV": "Cabo Verde",
    "RE": "Réunion",
    "ST": "São Tomé and Príncipe",
    "TL": "Timor-Leste",
    "XK": "Kosovo",
}

# WattTime's codes: GSF lists SE under Spain by mistake; four more are the balancing authority's own abbreviation or a country's.
WATTTIME_WRONG = {("ES", "SE")}
WATTTIME_MORE = {"US-CAL-LDWP": "LDWP", "US-NW-WACM": "WACM", "US-SW-AZPS": "AZPS", "QA": "QAT"}

# Grid zones by ISO 3166-2 code, only where the whole subdivision lies in the zone. Evidence:
#   AU  AEMO: the NEM regions are the states, the ACT belongs to NSW1; the WEM is Western Australia's.
#   BR  ONS: subsystems Sul, Sudeste/Centro-Oeste (with Acre and Rondonia), Norte (with Maranhao), Nordeste.
#   CA  one system operator a province.
#   CL  CEN: the Sistema Electrico Nacional runs from Arica to Chiloe; Aysen and Magallanes have grids of their own.
#   DK  Energinet: DK1 west of the Great Belt (Jutland and Funen), DK2 east of it.
#   IN  Grid-India: regional load despatch centres by state.
#   IT  Terna: market zones by region, as since 2021-01-01 (Umbria in the centre-south, Calabria alone).
#   JP  OCCTO: areas of the ten utilities by prefecture.
#   MY  TNB serves the peninsula; Sabah, Sarawak and Labuan have grids of their own.
#   NO, SE  Statnett, Svenska kraftnat: price areas; most borders cut through counties.
GRID_AREAS = {
    "AU-NSW": "AU-NSW AU-ACT",
    "AU-QLD": "AU-QLD",
    "AU-SA": "AU-SA",
    "AU-TAS": "AU-TAS",
    "AU-VIC": "AU-VIC",
    "AU-WA": "AU-WA",
    "BR-S": "BR-PR BR-RS BR-SC",
    "BR-CS": "BR-AC BR-DF BR-ES BR-GO BR-MG BR-MS BR-MT BR-RJ BR-RO BR-SP",
    "BR-NE": "BR-AL BR-BA BR-CE BR-PB BR-PE BR-PI BR-RN BR-SE",
    "BR-N": "BR-AM BR-AP BR-MA BR-PA BR-TO",
    "CA-AB": "CA-AB",
    "CA-BC": "CA-BC",
    "CA-MB": "CA-MB",
    "CA-NB": "CA-NB",
    "CA-ON": "CA-ON",
    "CA-QC": "CA-QC",
    "CA-SK": "CA-SK",
    "CL-SEN": "CL-AN CL-AP CL-AR CL-AT CL-BI CL-CO CL-LI CL-LR CL-ML CL-NB CL-RM CL-TA CL-VS",
    "DK-DK1": "DK-81 DK-82 DK-83",
    "DK-DK2": "DK-84 DK-85",
    "IN-NO": "IN-CH IN-DL IN-HP IN-HR IN-JK IN-LA IN-PB IN-RJ IN-UK IN-UP",
    "IN-WE": "IN-CG IN-DH IN-GA IN-GJ IN-MH IN-MP",
    "IN-SO": "IN-AP IN-KA IN-KL IN-PY IN-TN IN-TS",
    "IN-EA": "IN-BR IN-JH IN-OD IN-SK IN-WB",
    "IT-NO": "IT-21 IT-23 IT-25 IT-32 IT-34 IT-36 IT-42 IT-45",
    "IT-CNO": "IT-52 IT-57",
    "IT-CSO": "IT-55 IT-62 IT-65 IT-72",
    "IT-SO": "IT-67 IT-75 IT-77",
    "IT-SIC": "IT-82",
    "IT-SAR": "IT-88",
    "JP-HKD": "JP-01",
    "JP-TH": "JP-02 JP-03 JP-04 JP-05 JP-06 JP-07 JP-15",
    "JP-TK": "JP-08 JP-09 JP-10 JP-11 JP-12 JP-13 JP-14 JP-19",
    "JP-CB": "JP-20 JP-23",
    "JP-HR": "JP-16 JP-17",
    "JP-KN": "JP-25 JP-26 JP-27 JP-28 JP-29 JP-30",
    "JP-CG": "JP-31 JP-32 JP-33 JP-34 JP-35",
    "JP-SK": "JP-36 JP-37 JP-38 JP-39",
    "JP-KY": "JP-40 JP-41 JP-42 JP-43 JP-44 JP-45 JP-46",
    "JP-ON": "JP-47",
    "MY-WM": "MY-01 MY-02 MY-03 MY-04 MY-05 MY-06 MY-07 MY-08 MY-09 MY-10 MY-11 MY-14 MY-16",
    "NO-NO1": "NO-03 NO-31 NO-32",
    "NO-NO2": "NO-11 NO-40 NO-42",
    "NO-NO3": "NO-15",
    "NO-NO4": "NO-18 NO-54 NO-55 NO-56",
    "RU-KGD": "RU-KGD",
    "SE-SE1": "SE-BD",
    "SE-SE2": "SE-Y SE-Z",
    "SE-SE3": "SE-AB SE-C SE-D SE-E SE-I SE-O SE-S SE-T SE-U",
    "SE-SE4": "SE-K SE-M",
}

# Why the whole country stands in for a subdivision: one sentence each, shown with the answer.
SPLIT = "Grid zones divide {name}, so all of {country} stands in."
ALONE = "{name}: a grid of its own without figures, so all of {country} stands in."
ABSENT = "No grid zone is held for {name}, so all of {country} stands in."
STAND_INS = {
    SPLIT: "BR-RR CL-LL JP-18 JP-21 JP-22 JP-24 NO-30 NO-33 NO-34 NO-38 NO-39 NO-46 NO-50 SE-AC SE-F SE-G SE-H SE-N SE-W SE-X",
    ALONE: "AU-NT CA-NU CA-NT CA-YT CL-AI CL-MA ES-CN ES-CE ES-ML ES-GC ES-TF FR-20R FR-2A FR-2B IN-AN IN-LD MY-12 MY-13 MY-15 "
    "PT-20 PT-30 RU-CHU RU-KAM RU-MAG RU-SAK EC-W",
    "{name} joined the Brazilian grid only in September 2025, so all of {country} stands in.": "BR-RR",
    "The grid of {name} has been run apart from the rest of {country} since 2015: its figures may not hold there.": "UA-40 UA-43",
    "{name} is fed mostly from Sweden; {country}, whose statistics count it, stands in for it.": "FI-01",
}

# Subdivisions that are, or lie in, a country code of their own.
TERRITORIES = {
    **{f"US-{code}": code for code in ("AS", "GU", "MP", "PR", "UM", "VI")},
    **{f"CN-{code}": code for code in ("HK", "MO", "TW")},
    **{f"FR-{code}": code for code in ("BL", "MF", "NC", "PF", "PM", "TF", "WF")},
    "FR-971": "GP",
    "FR-972": "MQ",
    "FR-973": "GF",
    "FR-974": "RE",
    "FR-976": "YT",
    **{f"NL-{code}": code for code in ("AW", "CW", "SX")},
    "NL-BQ1": "BQ",
    "NL-BQ2": "BQ",
    "NL-BQ3": "BQ",
    "NO-21": "SJ",
    "NO-22": "SJ",
}

# In force since 2024 and missing from the package of codes.
EXTRA_SUBDIVISIONS = {
    "NO-31": "Østfold",
    "NO-32": "Akershus",
    "NO-33": "Buskerud",
    "NO-39": "Vestfold",
    "NO-40": "Telemark",
    "NO-55": "Troms",
    "NO-56": "Finnmark",
}
CLEAN_NAMES = {
    "CL-AI": "Aisén",
    "CN-XZ": "Tibet (Xizang)",
    "ES-CN": "the Canary Islands",
    "ES-NA": "Navarra",
    "ES-NC": "Navarra",
    "ES-PV": "País Vasco",
    "FI-01": "Åland",
    "FR-20R": "Corsica",
    "NO-50": "Trøndelag",
    "NO-54": "Troms and Finnmark",
    "PT-20": "the Azores",
    "PT-30": "Madeira",
    "RU-CHU": "Chukotka",
    "RU-KAM": "Kamchatka",
    "RU-MAG": "Magadan",
    "RU-SAK": "Sakhalin",
    "UA-43": "Crimea",
}

# A country without figures of its own that another's statistics count.
COUNTRY_STAND_INS = {"AX": ("FI", "Åland is fed mostly from Sweden; Finland, whose statistics count it, stands in for it.")}


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file with a header."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write one table into gridgram/data and say how many rows it has."""
    lines = list(rows)
    with (DATA / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines)
    print(f"{name}: {len(lines)} rows")


def iso_countries(folder: Path) -> dict[str, tuple[str, str, str]]:
    """Name, alpha-3 and numeric code by alpha-2, Kosovo's user-assigned XK and XKX among them."""
    spec = importlib.util.spec_from_file_location("iso3166", folder / "iso3166" / "__init__.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"no iso3166 package in {folder}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    countries = {row.alpha2: (row.apolitical_name, row.alpha3, row.numeric) for row in module.countries}
    return {**countries, "XK": ("Kosovo", "XKX", "")}


def first_timezones() -> dict[str, str]:
    """The first time zone that IANA lists for each country."""
    text = resources.files("tzdata.zoneinfo").joinpath("zone.tab").read_text(encoding="utf-8")
    zones: dict[str, str] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            code, _, zone = line.split("\t")[:3]
            zones.setdefault(code, zone)
    return zones


def country_centres(world_atlas: Path, numeric: Mapping[str, str]) -> dict[str, tuple[float, float]]:
    """A point inside the largest polygon of each country."""
    centres = {}
    for identity, name, shape in read_topojson(world_atlas / "countries-10m.json", "countries"):
        code = numeric.get(identity, "XK" if name == "Kosovo" else "")
        if code and not shape.is_empty:
            parts = getattr(shape, "geoms", [shape])
            point = max(parts, key=lambda part: part.area).representative_point()
            centres[code] = (round(point.y, 4), round(point.x, 4))
    return centres


def yearly_countries(rows: Sequence[Row], by_alpha3: Mapping[str, str]) -> dict[str, str]:
    """Alpha-2 and name of each country with a yearly mean; aggregates (World, EU, Asia) have no ISO code and drop out."""
    sources = ("carbontracker", "codecarbon-3.3.2/global_energy_mix", "co2.js/average-intensities")
    found: dict[str, str] = {}
    for row in rows:
        if row["source"].startswith(sources):
            code = by_alpha3.get(row["zone"], row["zone"] if row["zone"] in by_alpha3.values() else "")
            if code:
                found.setdefault(code, row["name"])
    return found


def zone_rows(shared: Path, iso: Path, world_atlas: Path) -> list[list[object]]:
    """Every row of zones.csv, sorted by key."""
    countries = iso_countries(iso)
    by_alpha3 = {alpha3: code for code, (_, alpha3, _) in countries.items()}
    yearly = rows_of(shared / "hourly" / "yearly.csv")
    centres = country_centres(world_atlas, {numeric: code for code, (_, _, numeric) in countries.items() if numeric})
    timezones = first_timezones()
    subdivisions = json.loads((iso / "iso3166_2" / "iso3166-2.json").read_text(encoding="utf-8"))

    rows = {row["zone_key"]: table_row(row, countries) for row in rows_of(shared / "zone_codes.csv")}
    for key, name, country, timezone in EXTRA_ZONES:
        rows[key] = [key, name, country, "grid", timezone, country, *CENTRES[key], "", "", "", "", ""]
    for code, name in yearly_countries(yearly, by_alpha3).items():
        if code not in rows:
            tail = [countries[code][1], "", "", "", WATTTIME_MORE.get(code, "")]
            rows[code] = [
                code,
                COUNTRY_NAMES.get(code, name),
                code,
                "country",
                timezones[code],
                "",
                *(CENTRES.get(code) or centres[code]),
                *tail,
            ]
    for code, name in yearly_subdivisions(shared, yearly).items():
        rows[code] = subdivision_row(code, name, subdivisions[code[:2]][code])
    return [rows[key] for key in sorted(rows)]


def table_row(row: Row, countries: Mapping[str, tuple[str, str, str]]) -> list[object]:
    """One row of zones.csv from one of zone_codes.csv."""
    key, is_country = row["zone_key"], row["is_country"] == "1"
    latitude, longitude = CENTRES.get(key) or (float(row["center_lat"]), float(row["center_lon"]))
    watttime = [code for code in row["watttime_regions"].split("|") if code and (key, code) not in WATTTIME_WRONG]
    watttime += [WATTTIME_MORE[key]] if key in WATTTIME_MORE else []
    nem = row["oe_region"] or ("WEM" if row["oe_network"] == "WEM" else "")
    return [
        key,
        "India" if key == "IN" else row["name"],
        row["country"],
        "country" if is_country else "grid",
        ZONE_TIMEZONES.get(key) or TIMEZONES.get(row["timezone"], row["timezone"]),
        "" if is_country else row["country"],
        latitude,
        longitude,
        countries[key][1] if is_country else "",
        row["eia_ba"],
        row["entsoe_eic"],
        nem,
        "|".join(watttime),
    ]


def yearly_subdivisions(shared: Path, yearly: Sequence[Row]) -> dict[str, str]:
    """Code and English name of the Chinese provinces and US states that have yearly figures."""
    china = {row["code"]: row["name"] for row in rows_of(shared / "china_factors.csv") if row["level"] == "province"}
    states = {row["zone"]: row["name"].title() for row in yearly if re.fullmatch(r"US-[A-Z]{2}", row["zone"])}
    return {**china, **states, "US-DC": "District of Columbia"}


def subdivision_row(code: str, name: str, facts: Mapping[str, Any]) -> list[object]:
    """One row of zones.csv for a province or state."""
    country, state = code.split("-")
    timezone = "Asia/Shanghai" if country == "CN" else next(zone for zone, states in STATE_TIMEZONES.items() if state in states.split())
    latitude, longitude = facts["latLng"]
    return [code, name, country, "subdivision", timezone, country, latitude, longitude, "", "", "", "", ""]


def country_rows(iso: Path, zones: set[str]) -> list[list[str]]:
    """Every ISO country: its codes, name, the zone that answers for it if any, and why when that is not its own."""
    rows = []
    for code, (name, alpha3, numeric) in sorted(iso_countries(iso).items()):
        stand_in, detail = COUNTRY_STAND_INS.get(code, ("", ""))
        rows.append([code, alpha3, numeric, COUNTRY_NAMES.get(code, name), code if code in zones else stand_in, detail])
    return rows


def subdivision_rows(iso: Path, zones: Mapping[str, str], countries: Mapping[str, str]) -> list[list[str]]:
    """Every ISO 3166-2 code: its name, the zone that answers for it if any, and why when that is the country."""
    text = (iso / "iso3166_2" / "iso3166-2.json").read_text(encoding="utf-8")
    listed = {code: facts for table in json.loads(text).values() for code, facts in table.items()}
    names = {code: facts["name"] for code, facts in listed.items()} | EXTRA_SUBDIVISIONS | CLEAN_NAMES
    parents = {code: facts["parentCode"] for code, facts in listed.items()}
    grids = {code: zone for zone, codes in GRID_AREAS.items() for code in codes.split()}
    reasons = {code: text for text, codes in STAND_INS.items() for code in codes.split()}
    finer = {key[:2] for key in zones if "-" in key} - {"GB", "RU"}  # those two are whole grids but for one corner
    rows = []
    for code in sorted(names):
        name = re.sub(r"\s*\[.*?\]", "", names[code]).strip()
        country = code[:2]
        own = next((zones_of[c] for zones_of, c in ((grids, code), (grids, parents.get(code) or "")) if c in zones_of), "")
        if code in TERRITORIES:
            zone, detail = countries[TERRITORIES[code]], ""
        elif code in zones and country in {"CN", "US"}:
            zone, detail = code, ""
        elif country == "GB":
            zone, detail = ("GB-NIR" if "GB-NIR" in (code, parents.get(code)) else "GB"), ""
        elif own:
            zone, detail = own, ""
        else:
            zone = countries[country]
            sentence = reasons.get(code, ABSENT if country in finer else "")
            detail = sentence.format(name=name, country=zones[country]) if zone else ""
        rows.append([code, name, zone, detail])
    return rows


def cloud_rows(shared: Path) -> list[list[str]]:
    """The cloud regions; a note says where sources disagree on the zone, or why the zone is only the country."""
    rows = []
    for row in rows_of(shared / "cloud_regions.csv"):
        place = [row["provider"], row["region"], row["location"], row["country"], row["lat"], row["lon"], row["zone"]]
        rows.append([*place, row["status"], cloud_note(row)])
    return rows


def cloud_note(row: Row) -> str:
    """One sentence for a region whose zone needs one."""
    other = re.search(r"GSF table says zone ([\w-]+)", row["note"])
    if other:
        return f"Sources disagree on the zone: Electricity Maps places the region in {row['zone']}, the GSF table in {other[1]}."
    if row["zone"] == "CN":
        return "The region lies in China, whose grid as a whole stands in; its province, such as CN-BJ, can be asked for by code."
    if not row["zone"]:
        return "No source names its zone: it is not a public region."
    if "only in the GSF table" in row["note"]:
        return "Only one source (the GSF table) names the region's zone."
    return ""


def main() -> None:
    """Write the four tables."""
    shared, iso, world_atlas = map(Path, sys.argv[1:4])
    zones = zone_rows(shared, iso, world_atlas)
    header = ["key", "name", "country", "kind", "timezone", "parent", "latitude", "longitude", "iso3", "eia", "entsoe", "nem", "watttime"]
    write("zones.csv", header, zones)
    names = {str(row[0]): str(row[1]) for row in zones}
    countries = country_rows(iso, set(names))
    write("countries.csv", ["code", "iso3", "numeric", "name", "zone", "detail"], countries)
    by_country = {row[0]: row[4] for row in countries}
    write("subdivisions.csv", ["code", "name", "zone", "detail"], subdivision_rows(iso, names, by_country))
    header = ["provider", "region", "name", "country", "latitude", "longitude", "zone", "status", "note"]
    write("cloud_regions.csv", header, cloud_rows(shared))


if __name__ == "__main__":
    main()
