"""From one string to one zone: every form of a location, and suggestions for what is none.

Forms, in any case: a zone key (`US-CAL-CISO`); an ISO 3166 code (`FRA`, `CN-HK`, `JP-13`); a cloud region (`aws:eu-west-3`); a
point (`geo:48.85,2.35`, latitude first); an upstream's code (`eia:CISO`). A place without figures is an error with its reason,
never a neighbour or a default.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gridgram.errors import UnknownLocation
from gridgram.shapes import Shapes
from gridgram.suggestions import Suggestions, printable
from gridgram.zones import ZoneKind, read_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gridgram.zones import Zone, Zones

LONGEST = 64
"""Characters of the longest string worth looking at; the longest real one is 31."""

CACHED = 8192
"""Resolved strings kept; when they are as many, all are forgotten."""

CODE_SYSTEMS = ("eia", "entsoe", "nem", "watttime")

# Two market areas that span zones: their codes are real, but name no one zone.
SHARED_CODES = {
    ("entsoe", "10Y1001A1001A82H"): ("the bidding zone of Germany and Luxembourg together", ("DE", "LU")),
    ("entsoe", "10Y1001A1001A59C"): ("the single market of Ireland and Northern Ireland", ("IE", "GB-NIR")),
}

# Zone keys that are also the ISO 3166-2 code of some other place.
AMBIGUOUS_KEYS = {
    "IT-SO": "IT-SO is read as the zone South Italy, not as the ISO 3166-2 code of the province of Sondrio, which lies in IT-NO."
}

POINT = re.compile(r"([+-]?\d{1,3}(?:\.\d{0,17})?),([+-]?\d{1,3}(?:\.\d{0,17})?)")
NUMBERS_IN_A_POINT = 2
MAX_LATITUDE = 90.0
MAX_LONGITUDE = 180.0

STATE_DETAIL = "The balancing authority is not known from a point, so the state stands in; a grid zone such as US-CAL-CISO goes by its key."
OFFSHORE_DETAIL = "The point lies {distance_km:.1f} km off the zone's simplified shape, within the tolerance of coasts."


@dataclass(frozen=True, slots=True)
class Place:
    """A location and the zone that answers for it.

    `location` is as the caller wrote it. `kind` is zone, iso3166, cloud, point or code. `is_approximate`: the zone is only what holds
    the place (its country, its state), while finer grid zones exist there. `detail` is one sentence when that or another surprise
    needs telling, else empty.
    """

    location: str
    zone: Zone
    kind: str
    is_approximate: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CloudRegion:
    """A cloud provider's region. `zone` is a zone's key, empty where no source names one; `status` as its source says, or empty.

    `note` is a sentence where sources disagree. Latitude and longitude in degrees.
    """

    provider: str
    region: str
    name: str
    country: str
    latitude: float
    longitude: float
    zone: str
    status: str
    note: str


@dataclass(frozen=True, slots=True)
class _IsoPlace:
    """An ISO 3166 code's name, the key of the zone that answers for it if any, and why when that zone is not its own."""

    name: str
    zone: str
    detail: str


class Locator:
    """Resolves locations; the same string always to the same place. Make one with `load`; reading shapes waits for the first point."""

    def __init__(self, zones: Zones, cloud_regions: list[CloudRegion], iso_places: Mapping[str, _IsoPlace]) -> None:
        self.zones = zones
        self.cloud_regions = cloud_regions
        self._iso_places = iso_places
        self._regions = {f"{region.provider}:{region.region}".upper(): region for region in cloud_regions}
        self._codes = _zones_by_code(zones)
        self._forms: dict[str, Callable[[str, str], Place]] = {"GEO": self._point}
        self._forms |= {region.provider.upper(): self._cloud for region in cloud_regions}
        self._forms |= {system.upper(): self._code for system in CODE_SYSTEMS}
        self._cache: dict[str, Place] = {}
        self._shapes: Shapes | None = None
        self._suggestions: Suggestions | None = None

    @classmethod
    def load(cls, zones: Zones) -> Locator:
        """Read the tables of cloud regions and ISO codes that ship with the package."""
        return cls(zones, [_cloud_region(row) for row in read_table("cloud_regions.csv")], _read_iso_places())

    def resolve(self, location: str) -> Place:
        """The place that a location names; raises `UnknownLocation` with a reason and the nearest names that exist."""
        place = self._cache.get(location)
        if place is None:
            place = self._resolve(location)
            if len(self._cache) >= CACHED:
                self._cache.clear()
            self._cache[location] = place
        return place

    def known(self, location: str) -> Place | None:
        """The place of a location that was resolved before and is remembered; None for any other."""
        return self._cache.get(location)

    def _resolve(self, location: str) -> Place:
        if not location.isascii() or len(location) > LONGEST:
            raise self._unknown(location)
        upper = location.upper()
        form, colon, rest = upper.partition(":")
        if colon:
            resolve_form = self._forms.get(form)
            if resolve_form is None:
                raise self._unknown(location)
            return resolve_form(location, rest)
        zone = self.zones.get(upper)
        if zone is not None:
            return Place(location, zone, "zone", detail=AMBIGUOUS_KEYS.get(upper, ""))
        return self._iso(location, upper)

    def _iso(self, location: str, code: str) -> Place:
        iso_place = self._iso_places.get(code)
        if iso_place is None:
            raise self._unknown(location)
        if not iso_place.zone:
            raise UnknownLocation(location, f"{iso_place.name} ({code}) has no zone: no open figures are held for its grid.")
        zone = self.zones[iso_place.zone]
        return Place(location, zone, "iso3166", is_approximate=bool(iso_place.detail), detail=iso_place.detail)

    def _cloud(self, location: str, _: str) -> Place:
        region = self._regions.get(location.upper())
        if region is None:
            raise self._unknown(location)
        if not region.zone:
            raise UnknownLocation(location, f"{region.provider}:{region.region} ({region.name}) has no zone. {region.note}")
        zone = self.zones[region.zone]
        return Place(location, zone, "cloud", is_approximate=zone.key == "CN", detail=region.note)

    def _code(self, location: str, code: str) -> Place:
        system = location.partition(":")[0].lower()
        if (system, code) in SHARED_CODES:
            meaning, keys = SHARED_CODES[system, code]
            raise UnknownLocation(location, f"{system}:{code} is {meaning}, not one zone.", keys)
        zones = self._codes.get((system, code), ())
        if not zones:
            raise self._unknown(location)
        if len(zones) == 1:
            return Place(location, zones[0], "code")
        country = self._common_parent(zones)
        if country is None:
            raise UnknownLocation(location, f"{system}:{code} names several zones.", [zone.key for zone in zones])
        detail = f"{system}:{code} is used for several zones of {country.name}, so the whole country stands in."
        return Place(location, country, "code", is_approximate=True, detail=detail)

    def _common_parent(self, zones: tuple[Zone, ...]) -> Zone | None:
        parents = {zone.parent for zone in zones}
        return self.zones.get(parents.pop() or "") if len(parents) == 1 else None

    def _point(self, location: str, rest: str) -> Place:
        latitude, longitude = _coordinates(location, rest)
        hit = self._loaded_shapes().find(latitude, longitude)
        if hit is None:
            raise self._nowhere(location, latitude, longitude, "The point lies at sea or outside every zone")
        if not hit.region.zone:
            reason = f"{hit.region.name} has no zone: no open figures are held for its grid"
            raise self._nowhere(location, latitude, longitude, reason)
        zone, sentences = self.zones[hit.region.zone], [hit.region.detail]
        if zone.country == "US" and zone.kind is ZoneKind.SUBDIVISION:
            sentences.append(STATE_DETAIL)
        is_approximate = any(sentences)
        if hit.offshore_km:
            sentences.append(OFFSHORE_DETAIL.format(distance_km=hit.offshore_km))
        return Place(location, zone, "point", is_approximate, " ".join(filter(None, sentences)))

    def _loaded_shapes(self) -> Shapes:
        if self._shapes is None:
            self._shapes = Shapes.load()
        return self._shapes

    def _nowhere(self, location: str, latitude: float, longitude: float, reason: str) -> UnknownLocation:
        nearest = self._loaded_shapes().nearest(latitude, longitude)
        listed = ", ".join(f"{key} ({distance_km:.0f} km)" for key, distance_km in nearest)
        return UnknownLocation(location, f"{reason}; the nearest zones are {listed}.", [key for key, _ in nearest])

    def _unknown(self, location: str) -> UnknownLocation:
        if self._suggestions is None:
            names = {code: iso_place.name for code, iso_place in self._iso_places.items() if iso_place.zone}
            regions = [(f"{region.provider}:{region.region}", region.name, region.zone) for region in self.cloud_regions if region.zone]
            self._suggestions = Suggestions(self.zones, names, regions, self._codes)
        echo = printable(location)
        reason = f"No place is named {echo!r}." if echo.strip() else "The location is empty."
        return UnknownLocation(echo, reason, self._suggestions.nearest(location))


def _coordinates(location: str, rest: str) -> tuple[float, float]:
    """Latitude and longitude of a point [degrees]; anything but two plain numbers in range is refused."""
    match = POINT.fullmatch(rest)
    if match is None:
        more = rest.count(",") >= NUMBERS_IN_A_POINT or ";" in rest
        hint = "an altitude or a parameter is not taken" if more else "write geo:latitude,longitude in degrees, such as geo:48.85,2.35"
        raise UnknownLocation(printable(location), f"{printable(location)!r} is not a point: {hint}.")
    latitude, longitude = float(match[1]), float(match[2])
    if abs(latitude) > MAX_LATITUDE or abs(longitude) > MAX_LONGITUDE:
        reason = "latitude runs from -90 to 90 and longitude from -180 to 180, latitude first"
        raise UnknownLocation(printable(location), f"{printable(location)!r} is outside the globe: {reason}.")
    return latitude, longitude


def _zones_by_code(zones: Zones) -> dict[tuple[str, str], tuple[Zone, ...]]:
    """The zones that an upstream's code stands for, by system and code in capitals."""
    found: dict[tuple[str, str], tuple[Zone, ...]] = {}
    for zone in zones:
        for system in CODE_SYSTEMS:
            for code in zone.codes.get(system, ()):
                found[system, code.upper()] = (*found.get((system, code.upper()), ()), zone)
    return found


def _cloud_region(row: Mapping[str, str]) -> CloudRegion:
    place = (float(row["latitude"]), float(row["longitude"]))
    return CloudRegion(row["provider"], row["region"], row["name"], row["country"], *place, row["zone"], row["status"], row["note"])


def _read_iso_places() -> dict[str, _IsoPlace]:
    """All ISO 3166 codes: subdivisions, then countries by alpha-2 and alpha-3."""
    places = {row["code"]: _IsoPlace(row["name"], row["zone"], row["detail"]) for row in read_table("subdivisions.csv")}
    for row in read_table("countries.csv"):
        places[row["code"]] = places[row["iso3"]] = _IsoPlace(row["name"], row["zone"], row["detail"])
    return places
