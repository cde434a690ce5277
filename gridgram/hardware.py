"""What making a device emitted: a table of cited figures, each with its boundary, band and lifetime."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from gridgram.footprint import Range

if TYPE_CHECKING:
    from collections.abc import Mapping

NUMBERS = ("embodied_kg", "low_kg", "high_kg", "lifetime_years", "utilisation")


@dataclass(frozen=True, slots=True)
class Device:
    """A class of device. [kg CO2e a device, years]

    `boundary` says what of its life the figure counts; `band_source` and `lifetime_source` where the figure's own source is silent.
    `utilisation` is the part of its life in which the source takes it to be in use.
    """

    key: str
    title: str
    kind: str
    embodied_kg: Range
    band_source: str
    boundary: str
    lifetime_years: float
    lifetime_source: str
    utilisation: float
    source: str


@cache
def devices() -> Mapping[str, Device]:
    """All devices by key, read once from the table that is shipped (scripts/build_hardware.py makes it)."""
    text = resources.files("gridgram").joinpath("data", "hardware.csv").read_text(encoding="utf-8")
    return {row["device"]: _device(row) for row in csv.DictReader(text.splitlines())}


def _device(row: Mapping[str, str]) -> Device:
    embodied_kg, low_kg, high_kg, lifetime_years, utilisation = (float(row[name]) for name in NUMBERS)
    return Device(
        row["device"],
        row["title"],
        row["kind"],
        Range(embodied_kg, low_kg, high_kg),
        row["band_source"],
        row["boundary"],
        lifetime_years,
        row["lifetime_source"],
        utilisation,
        row["source"],
    )
