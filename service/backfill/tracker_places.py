"""Where a tracker says that a row ran, as one of our locations: its cloud region, else its country and what is told inside it.

A country that is one zone is enough. Inside another the region's name counts, then the point if it lies in that country, since
trackers round points; else the country as a whole. Nothing stands in for a place that is not told.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from gridgram.errors import UnknownLocation
from gridgram.locations import Locator
from gridgram.zones import Zones, read_table
from service.backfill.clocks import own_clock

if TYPE_CHECKING:
    from gridgram.zones import Zone


@dataclass(frozen=True, slots=True)
class ToldPlace:
    """What a row tells of its place, as written; empty where it is silent. `country` is an ISO 3166 code."""

    country: str = ""
    region: str = ""
    latitude: str = ""
    longitude: str = ""
    cloud_provider: str = ""
    cloud_region: str = ""


@dataclass(frozen=True, slots=True)
class FoundPlace:
    """A location, empty for none, and the IANA name of its one clock, None where it has several or none is known."""

    location: str
    clock: str | None


@cache
def _locator() -> Locator:
    return Locator.load(Zones.load())


def find_place(told: ToldPlace) -> FoundPlace:
    """The location of what is told. A country that Gridgram does not know stays as it is, to be refused where it is resolved."""
    location = _location(told)
    zone = _zone(location)
    return FoundPlace(location, own_clock(zone) if zone else None)


def clock_of(location: str) -> str | None:
    """The IANA name of the one clock of a location; None where it has several or is no location."""
    zone = _zone(location)
    return own_clock(zone) if zone else None


def _location(told: ToldPlace) -> str:
    cloud = f"{told.cloud_provider}:{told.cloud_region}".lower()
    if told.cloud_provider and told.cloud_region and _zone(cloud):
        return cloud
    point = f"geo:{told.latitude},{told.longitude}" if told.latitude and told.longitude else ""
    if not told.country:
        return point
    country = _zone(told.country)
    if country is None or not _locator().zones.children(country.key):
        return told.country
    region = _region_codes().get((country.country, _plain(told.region)), "")
    if region and _zone(region):
        return region
    inside = _zone(point)
    return point if inside and inside.country == country.country else told.country


def _zone(location: str) -> Zone | None:
    try:
        return _locator().resolve(location).zone if location else None
    except UnknownLocation:
        return None


@cache
def _region_codes() -> dict[tuple[str, str], str]:
    """ISO 3166-2 codes by country and plain name, where the name means one part of the country."""
    found: dict[tuple[str, str], str] = {}
    for row in read_table("subdivisions.csv"):
        key = row["code"].partition("-")[0], _plain(row["name"])
        found[key] = "" if key in found else row["code"]
    return found


def _plain(name: str) -> str:
    """A name without accents, signs and capitals."""
    letters = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in letters if letter.isalnum())
