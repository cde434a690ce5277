"""Which zone a point lies in, from the polygons of data/shapes.npz (made by scripts/build_map.py).

A point is first placed in a country, then in one of its parts where the country has finer zones. Coasts are simplified, so a point
in no country may lie up to 5 km off one. The file's first layer holds every territory, also those without figures: they answer
with an empty zone and keep their neighbours from answering for them.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from numpy.typing import NDArray

EARTH_RADIUS_KM = 6371.0088
"""The mean radius of the GRS 80 ellipsoid (IUGG)."""

KM_PER_DEGREE = EARTH_RADIUS_KM * math.pi / 180.0
STEPS_PER_DEGREE = 10_000
OFFSHORE_KM = 5.0
"""How far off a country's shape a point may lie and still belong to it, when it lies in no other."""

PART_KM = 10.0
"""How far off the nearest part of its country a point may lie and still belong to that part: the two layers' coasts differ."""

NARROWEST = 0.01
"""The least cosine of latitude used for a degree of longitude, so that the poles have a box too."""

EDGE = 180.0
"""The meridian where the map is cut; both of its names are one place."""

NAMED = 3


@dataclass(frozen=True, slots=True)
class Region:
    """What answers for some polygons: a zone's key (empty where no figures are held), and what to tell with it.

    `layer`: country or part. `parts`: empty, `some` (islands and corners that differ from the rest) or `tiled` (finer zones all over).
    """

    layer: str
    country: str
    name: str
    zone: str
    detail: str
    parts: str


@dataclass(frozen=True, slots=True)
class Hit:
    """The region that holds a point, and how far off its country's shape the point lies [km], 0 inside it."""

    region: Region
    offshore_km: float


class Shapes:
    """All polygons, indexed. `load` takes some 0.1 s; `find` is for one point."""

    def __init__(self, countries: _Layer, parts: _Layer, corners: _Corners) -> None:
        self._countries = countries
        self._parts = parts
        self._corners = corners

    @classmethod
    def load(cls) -> Shapes:
        """Read the file that ships with the package."""
        import shapely  # noqa: PLC0415  # only points need it, and a cold start should not wait for it

        with resources.files("gridgram").joinpath("data", "shapes.npz").open("rb") as file, np.load(file, allow_pickle=False) as packed:
            regions = [Region(**region) for region in json.loads(packed["regions"].tobytes())]
            degrees = np.cumsum(packed["deltas"], axis=1, dtype=np.int32).T / STEPS_PER_DEGREE
            ring_sizes, ring_counts, owners = packed["ring_sizes"], packed["ring_counts"], packed["owners"]
        rings = shapely.linearrings(degrees, indices=np.repeat(np.arange(len(ring_sizes)), ring_sizes))
        polygons = shapely.polygons(rings, indices=np.repeat(np.arange(len(ring_counts)), ring_counts))
        is_country = np.array([region.layer == "country" for region in regions])[owners]
        layers = [_Layer(shapely, regions, owners[chosen], polygons[chosen]) for chosen in (is_country, ~is_country)]
        first_rings = np.cumsum(ring_counts, dtype=np.int64) - ring_counts
        sizes = np.add.reduceat(ring_sizes, first_rings)
        return cls(layers[0], layers[1], _Corners(regions, owners, sizes, degrees))

    def find(self, latitude: float, longitude: float) -> Hit | None:
        """The country or part that holds the point, or whose coast it lies just off; None at sea."""
        longitude = -EDGE if longitude == EDGE else longitude
        country, offshore_km = self._countries.holding(latitude, longitude), 0.0
        if country is None:
            country, offshore_km = self._countries.nearest(latitude, longitude, OFFSHORE_KM)
        if country is None:
            return None
        part = self._part(latitude, longitude, country) if country.parts else None
        return Hit(part or country, offshore_km)

    def _part(self, latitude: float, longitude: float, country: Region) -> Region | None:
        part = self._parts.holding(latitude, longitude, country.country)
        if part is None:
            reach_km = PART_KM if country.parts == "tiled" else OFFSHORE_KM
            part, _ = self._parts.nearest(latitude, longitude, reach_km, country.country)
        return part

    def nearest(self, latitude: float, longitude: float) -> list[tuple[str, float]]:
        """The zones whose shapes begin nearest, three at most, and how far off their nearest corner lies [km]."""
        return self._corners.nearest(latitude, longitude)


class _Layer:
    """Polygons of one layer in a search tree. Where several hold a point the first in the file answers, so that it is always the same."""

    def __init__(self, library: ModuleType, regions: Sequence[Region], owners: NDArray[np.int16], polygons: NDArray[np.object_]) -> None:
        self._shapely: Any = library
        self._regions = regions
        self._owners = owners
        self._polygons = polygons
        self._tree: Any = self._shapely.STRtree(polygons)

    def holding(self, latitude: float, longitude: float, country: str | None = None) -> Region | None:
        """The region that the point lies in or on the border of, of one country if told."""
        held_by = self._tree.query(self._shapely.Point(longitude, latitude), predicate="intersects")
        regions = (self._regions[self._owners[index]] for index in sorted(held_by))
        return next((region for region in regions if country is None or region.country == country), None)

    def nearest(self, latitude: float, longitude: float, reach_km: float, country: str | None = None) -> tuple[Region | None, float]:
        """The nearest region within reach and its distance [km], measured on a plane that touches the globe at the point."""
        narrowing = max(math.cos(math.radians(latitude)), NARROWEST)
        height, width = reach_km / KM_PER_DEGREE, reach_km / KM_PER_DEGREE / narrowing
        box = (longitude - width, latitude - height, longitude + width, latitude + height)
        best: tuple[float, int] = (reach_km, -1)
        for index in sorted(self._tree.query(self._shapely.box(*box))):
            if country is None or self._regions[self._owners[index]].country == country:
                near = self._shapely.clip_by_rect(self._polygons[index], *box)
                corners = (self._shapely.get_coordinates(near) - (longitude, latitude)) * (narrowing, 1.0)
                flat = self._shapely.set_coordinates(near, corners)
                distance_km = float(self._shapely.distance(flat, self._shapely.Point(0.0, 0.0))) * KM_PER_DEGREE
                if distance_km < best[0]:
                    best = (distance_km, int(index))
        return (self._regions[self._owners[best[1]]], best[0]) if best[1] >= 0 else (None, 0.0)


class _Corners:
    """All corners of all shapes on the unit sphere, for the way to the nearest zones from anywhere."""

    def __init__(
        self, regions: Sequence[Region], owners: NDArray[np.int16], sizes: NDArray[np.int64], degrees: NDArray[np.float64]
    ) -> None:
        """`owners` and `sizes`: the region and the number of corners of each polygon; `degrees`: longitude and latitude of each corner."""
        self._regions = regions
        self._owners = owners
        self._starts = np.cumsum(sizes) - sizes
        narrow = degrees.astype(np.float32)
        self._corners = _on_sphere(narrow[:, 1], narrow[:, 0])

    def nearest(self, latitude: float, longitude: float) -> list[tuple[str, float]]:
        """See `Shapes.nearest`."""
        here = _on_sphere(np.float32(latitude), np.float32(longitude))
        x, y, z = self._corners  # by hand: a product this narrow is slower in the linear algebra library
        closeness = np.maximum.reduceat(here[0] * x + here[1] * y + here[2] * z, self._starts)
        found: dict[str, float] = {}
        for polygon in np.argsort(-closeness, kind="stable"):
            region = self._regions[self._owners[polygon]]
            if region.zone and region.parts != "tiled":
                found.setdefault(region.zone, math.acos(min(1.0, float(closeness[polygon]))) * EARTH_RADIUS_KM)
            if len(found) == NAMED:
                break
        return list(found.items())


def _on_sphere(latitude: NDArray[np.float32] | np.float32, longitude: NDArray[np.float32] | np.float32) -> NDArray[np.float32]:
    """Points on the unit sphere, one a column, from degrees."""
    north, east = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)])
