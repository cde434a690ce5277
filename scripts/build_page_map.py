"""Make service/static/page/outlines.js, the outlines that the page colours, from the shapes that answer for points.

    python scripts/build_page_map.py      (after build_map.py)

One SVG path a zone, in the Equal Earth projection (Savric, Patterson, Jenny 2018: The Equal Earth map projection, IJGIS 33(3)), so that
the browser needs no library for it: corners are whole units of a map WIDTH units wide. `land` is what no figures are held of. Borders
that two zones of a layer share are simplified alike.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
SHAPES = ROOT / "gridgram" / "data" / "shapes.npz"
OUTLINES = ROOT / "service" / "static" / "page" / "outlines.js"
STEPS_PER_DEGREE = 10_000
WIDTH = 4_000
TOLERANCE = 1.2
"""Corners of triangles smaller than its square are dropped. [units of the map]"""
SMALLEST = 3.0
"""An island smaller than this is dropped, unless it is the largest piece of its zone. [square units]"""
SOUTH = -56.5
"""Where the map ends; only Antarctica lies further south, and nobody uses electricity of a grid there. [degrees]"""
EQUAL_EARTH = (1.340264, -0.081106, 0.000893, 0.003796)


def projected(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Longitude and latitude [degrees] on the plane, in radii of the globe, north up."""
    a1, a2, a3, a4 = EQUAL_EARTH
    longitude, latitude = np.radians(degrees[:, 0]), np.radians(degrees[:, 1])
    theta = np.arcsin(math.sqrt(3) / 2 * np.sin(latitude))
    slope = a1 + 3 * a2 * theta**2 + theta**6 * (7 * a3 + 9 * a4 * theta**2)
    x = 2 * math.sqrt(3) * longitude * np.cos(theta) / (3 * slope)
    return np.stack([x, theta * (a1 + a2 * theta**2 + theta**6 * (a3 + a4 * theta**2))], axis=1)


EAST = float(projected(np.array([[180.0, 0.0]]))[0, 0])
NORTH = float(projected(np.array([[0.0, 84.0]]))[0, 1])
SCALE = WIDTH / (2 * EAST)


def on_map(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Longitude and latitude [degrees] in units of the map, from its upper left corner."""
    return (projected(degrees) * (1, -1) + (EAST, NORTH)) * SCALE


def read_polygons() -> tuple[list[dict[str, str]], NDArray[np.int16], NDArray[np.object_]]:
    """The regions, and the polygons on the map with the region that each belongs to."""
    packed = np.load(SHAPES, allow_pickle=False)
    degrees = np.cumsum(packed["deltas"], axis=1, dtype=np.int32).T / STEPS_PER_DEGREE
    rings = shapely.linearrings(on_map(degrees), indices=np.repeat(np.arange(len(packed["ring_sizes"])), packed["ring_sizes"]))
    counts = packed["ring_counts"]
    polygons = shapely.polygons(rings, indices=np.repeat(np.arange(len(counts)), counts))
    return json.loads(packed["regions"].tobytes()), packed["owners"], polygons


def dissolved() -> dict[tuple[str, str], list[Any]]:
    """The polygons of each layer and zone; countries that are tiled by finer zones are left out."""
    regions, owners, polygons = read_polygons()
    end = on_map(np.array([[0.0, SOUTH]]))[0, 1]
    pieces = defaultdict(list)
    for owner, polygon in zip(owners, polygons, strict=True):
        region = regions[owner]
        if region["parts"] != "tiled" and polygon.bounds[1] < end:
            layer = "country" if region["layer"] == "country" else region["country"]
            pieces[layer, region["zone"]].append(polygon)
    return pieces


def simplified(pieces: dict[tuple[str, str], list[Any]]) -> dict[str, list[Any]]:
    """The polygons of each zone, with fewer corners; within a layer neighbours keep their common border."""
    found: dict[str, list[Any]] = defaultdict(list)
    for layer in sorted({layer for layer, _ in pieces}, key=lambda layer: (layer != "country", layer)):
        zones = [zone for held, zone in pieces if held == layer]
        whole = [shapely.union_all(shapely.make_valid(pieces[layer, zone])) for zone in zones]
        for zone, shape in zip(zones, shapely.coverage_simplify(whole, TOLERANCE), strict=True):
            parts = sorted(shapely.get_parts(shape), key=lambda part: -part.area)
            found[zone] += parts[:1] + [part for part in parts[1:] if part.area >= SMALLEST]
    return found


def path(polygons: list[Any]) -> str:
    """An SVG path of steps in whole units."""
    rings = [ring for polygon in polygons for ring in (polygon.exterior, *polygon.interiors)]
    return "".join(_ring(np.rint(shapely.get_coordinates(ring)).astype(int)) for ring in rings)


def _ring(corners: NDArray[np.int64]) -> str:
    steps = np.diff(corners[:-1], axis=0)
    steps = steps[np.any(steps != 0, axis=1)]
    if len(steps) < 2:
        return f"M{corners[0, 0]} {corners[0, 1]}h1v1z"
    told = " ".join(f"{x} {y}" for x, y in steps.tolist()).replace(" -", "-")
    return f"M{corners[0, 0]} {corners[0, 1]}l{told}z"


def main() -> None:
    """Write the file and print its size."""
    shapes = simplified(dissolved())
    height = math.ceil(on_map(np.array([[0.0, SOUTH]]))[0, 1])
    outlines = {
        "width": WIDTH,
        "height": height,
        "projection": {"east": EAST, "north": NORTH, "scale": SCALE},
        "land": path(shapes.pop("", [])),
        "zones": {zone: path(polygons) for zone, polygons in shapes.items()},
    }
    told = json.dumps(outlines, separators=(",", ":"))
    OUTLINES.write_text(f"// Made by scripts/build_page_map.py; see there.\nexport const OUTLINES = {told};\n", encoding="utf-8")
    print(f"{len(outlines['zones'])} zones, {OUTLINES.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
