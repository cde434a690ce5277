"""The files that the reference is made of: yearly means, shapes of typical years, where they come from, and which states a zone lies in."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from gridgram.interval import HOURS_PER_DAY
from gridgram.quality import Scope, Signal
from providers.reference_bands import Bands, bands_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

    from numpy.typing import NDArray

MONTHS_PER_YEAR = 12


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a yearly mean or a shape comes from, and on which terms. `is_hourly` if the mean was made of hours of the zone itself."""

    title: str
    licence: str
    attribution: str
    scope: Scope
    is_hourly: bool
    is_derived: bool
    detail: str


@dataclass(frozen=True, slots=True)
class YearlyMean:
    """The mean of one zone in one year. [gCO2e/kWh]

    `ratio_year` is set where a direct mean is the life-cycle one of its year x direct / life cycle of another year, which it names.
    """

    year: int
    g_per_kwh: float
    origin: Origin
    ratio_year: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A typical year without its level: 12 months x 24 UTC hours, one after the other, and the years it was made of."""

    factors: NDArray[np.float64]
    years: str
    origin: Origin

    def mean_of(self, days_in_february: int) -> float:
        """The mean over a year, near 1; dividing by it keeps the yearly mean exactly, in leap years too."""
        days = np.array([31, days_in_february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
        return float(self.factors.reshape(MONTHS_PER_YEAR, HOURS_PER_DAY).mean(axis=1) @ days / days.sum())


@dataclass(frozen=True, slots=True)
class States:
    """The states (zone keys) that a grid zone lies "in", "mostly in" or "over"."""

    lies: str
    zones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """All that the reference holds, by zone and signal, and the states by zone."""

    means: Mapping[tuple[str, Signal], tuple[YearlyMean, ...]]
    shapes: Mapping[tuple[str, Signal], Shape]
    bands: Bands
    states: Mapping[str, States] = field(default_factory=dict)


def load_figures() -> Figures:
    """Read the files that ship with the package."""
    folder = files("providers") / "data"
    origins = _read_origins(folder)
    bands = bands_of(_rows(folder, "bands.csv"))
    return Figures(_read_means(folder, origins), _read_shapes(folder, origins), bands, _read_states(folder))


def _rows(folder: Traversable, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / name).read_text(encoding="utf-8").splitlines()))


def _read_origins(folder: Traversable) -> dict[str, Origin]:
    return {
        row["source"]: Origin(
            title=row["title"],
            licence=row["licence"],
            attribution=row["attribution"],
            scope=Scope(row["scope"]),
            is_hourly=row["is_hourly"] == "1",
            is_derived=row["is_derived"] == "1",
            detail=row["detail"],
        )
        for row in _rows(folder, "sources.csv")
    }


def _read_means(folder: Traversable, origins: Mapping[str, Origin]) -> dict[tuple[str, Signal], tuple[YearlyMean, ...]]:
    """The file is sorted by zone, signal and year."""
    means: dict[tuple[str, Signal], tuple[YearlyMean, ...]] = {}
    for row in _rows(folder, "yearly.csv"):
        key = (row["zone"], Signal(row["signal"]))
        ratio_year = int(row["ratio_year"]) if row["ratio_year"] else None
        mean = YearlyMean(int(row["year"]), float(row["g_per_kwh"]), origins[row["source"]], ratio_year)
        means[key] = (*means.get(key, ()), mean)
    return means


def _read_shapes(folder: Traversable, origins: Mapping[str, Origin]) -> dict[tuple[str, Signal], Shape]:
    with (folder / "shapes.npz").open("rb") as file, np.load(file, allow_pickle=False) as held:
        keys = [str(key).split(" ") for key in held["keys"]]
        factors = held["per_10000"] / 10_000.0
    return {(zone, Signal(signal)): Shape(factors[row], years, origins[source]) for row, (zone, signal, source, years) in enumerate(keys)}


def _read_states(folder: Traversable) -> dict[str, States]:
    return {
        row["zone"]: States(row["lies"], tuple(f"US-{state}" for state in row["states"].split(" "))) for row in _rows(folder, "states.csv")
    }
