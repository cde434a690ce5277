"""The grid zones: one row each of data/zones.csv, keyed the way Electricity Maps keys them.

A key never changes its meaning. Where a key is also another place's ISO 3166-2 code, the zone wins (docs/zones.md).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

CODE_COLUMNS = ("iso3", "eia", "entsoe", "nem", "watttime")


class ZoneKind(StrEnum):
    """How a zone relates to its country's grid.

    `COUNTRY`: a country. `GRID`: part of a country's grid. `SUBDIVISION`: a Chinese province or a US state, known by yearly figures.
    """

    COUNTRY = "country"
    GRID = "grid"
    SUBDIVISION = "subdivision"


@dataclass(frozen=True, slots=True)
class Zone:
    """A grid area. `country` is ISO 3166-1 alpha-2, `timezone` IANA's name, `latitude` and `longitude` [degrees] where a map labels it.

    `parent` is the key of the country's zone, None for countries. `codes` holds what others call the zone: `iso3`, and the
    upstreams `eia`, `entsoe`, `nem` and `watttime`; a system without a code is left out.
    """

    key: str
    name: str
    country: str
    kind: ZoneKind
    timezone: str
    parent: str | None
    latitude: float
    longitude: float
    codes: Mapping[str, tuple[str, ...]]


class Zones:
    """All zones by key, in the order of their keys."""

    __slots__ = ("_by_key",)

    def __init__(self, zones: Iterable[Zone]) -> None:
        self._by_key = {zone.key: zone for zone in sorted(zones, key=lambda zone: zone.key)}

    @classmethod
    def load(cls) -> Zones:
        """Read the table that ships with the package."""
        return cls(_zone(row) for row in read_table("zones.csv"))

    def __getitem__(self, key: str) -> Zone:
        return self._by_key[key]

    def __contains__(self, key: object) -> bool:
        return key in self._by_key

    def __iter__(self) -> Iterator[Zone]:
        return iter(self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)

    def get(self, key: str) -> Zone | None:
        """The zone of that key, or None."""
        return self._by_key.get(key)

    def children(self, key: str) -> tuple[Zone, ...]:
        """The zones that lie inside the country zone of that key."""
        return tuple(zone for zone in self if zone.parent == key)


def read_table(name: str) -> list[dict[str, str]]:
    """The rows of one of the package's own CSV tables."""
    text = resources.files("gridgram").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _zone(row: Mapping[str, str]) -> Zone:
    codes = {column: tuple(row[column].split("|")) for column in CODE_COLUMNS if row[column]}
    return Zone(
        key=row["key"],
        name=row["name"],
        country=row["country"],
        kind=ZoneKind(row["kind"]),
        timezone=row["timezone"],
        parent=row["parent"] or None,
        latitude=float(row["latitude"]),
        longitude=float(row["longitude"]),
        codes=MappingProxyType(codes),
    )
