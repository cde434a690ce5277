"""Where a tracker says that it ran, as a location of the house; empty where it does not know, with a sentence that tells why.

Never the caller's address, never a neighbour, never a default country: CodeCarbon's own default is told apart from a place it found.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gridgram.errors import UnknownLocation
from gridgram.suggestions import printable
from gridgram.zones import read_table

if TYPE_CHECKING:
    from gridgram.locations import Locator

DEFAULT_POSITION: Final = (46.8, -71.2)
"""Where CodeCarbon puts itself when neither of its two look-ups answered (external/geography.py): Quebec, one of the cleanest grids."""
ROUNDED: Final = "CodeCarbon rounds positions to 0.1 degree (some 11 km): close to a border the zone may be the neighbour's."
NO_PLACE: Final = "The tracker does not say where it runs; name the place in the URL that it sends to."
ITS_DEFAULT: Final = (
    "The tracker tells of Quebec at exactly the position that CodeCarbon assumes when it could not find out where it runs; "
    "name the place in the URL that it sends to."
)


@dataclass(frozen=True, slots=True)
class Told:
    """What a tracker tells of its place. Latitude and longitude in degrees."""

    country: str = ""
    region: str = ""
    cloud: str = ""
    cloud_region: str = ""
    latitude: float | None = None
    longitude: float | None = None


@dataclass(slots=True)
class Places:
    """Turns what trackers tell into locations."""

    locator: Locator
    _subdivisions: dict[tuple[str, str], str] = field(default_factory=dict)
    _countries: dict[str, str] = field(default_factory=dict)

    def of(self, told: Told) -> tuple[str, str]:
        """The location, and a sentence where something is to be told of it; the location is empty where there is none."""
        if told.cloud and told.cloud_region:
            return self._checked(f"{told.cloud}:{told.cloud_region}".lower())
        if (told.latitude, told.longitude) == DEFAULT_POSITION and told.region.lower() in {"quebec", ""}:
            return "", ITS_DEFAULT
        if told.country:
            subdivision = self._subdivision(told.country, told.region)
            location, remark = self._checked(subdivision or told.country)
            if location and told.region and not subdivision and not remark:
                remark = f"The region {printable(told.region)!r} is not known, so the whole of {told.country} stands in."
            return location, remark
        if told.latitude is not None and told.longitude is not None and (told.latitude or told.longitude):
            return f"geo:{told.latitude},{told.longitude}", ROUNDED  # looked at when it is read: the first point takes a while
        return "", NO_PLACE

    def _checked(self, location: str) -> tuple[str, str]:
        try:
            return location, self.locator.resolve(location).detail
        except UnknownLocation as error:
            return "", str(error)

    def _subdivision(self, country: str, region: str) -> str:
        """The ISO 3166-2 code of a region by its English name, where it has a zone; empty for one that is not known."""
        if not self._subdivisions:
            self._countries = {row["iso3"]: row["code"] for row in read_table("countries.csv")}
            for row in read_table("subdivisions.csv"):
                if row["zone"]:
                    name = row["name"].removesuffix(" Shi").removesuffix(" Sheng")  # of China's municipalities and provinces
                    self._subdivisions[row["code"].partition("-")[0], name.casefold()] = row["code"]
        return self._subdivisions.get((self._countries.get(country.upper(), country.upper()), region.strip().casefold()), "")
