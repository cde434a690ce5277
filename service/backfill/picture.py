"""A picture of a run: energy and emissions by month, and the zones that emitted most. Needs the extra `plot`."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from gridgram.errors import SettingsError
from gridgram.units import GRAMS_PER_KG
from service.backfill.folder import OutputError
from service.importing.faults import refused

if TYPE_CHECKING:
    from pathlib import Path

    from service.backfill.summary import BackfillSummary, GroupAnswer

ZONES_SHOWN: Final = 15
MONTHS_NAMED: Final = 48
MONTHS_LEVEL: Final = 8
"""More months than this are written upright, more than MONTHS_NAMED not all."""


def check_can_draw(path: Path) -> None:
    """Raise SettingsError when the library is not installed, InvalidInput for a name that is no PNG's."""
    if path.suffix.lower() != ".png":
        raise refused("--plot", f"{path.name} does not end in .png")
    if not path.parent.is_dir():
        raise refused("--plot", f"there is no folder {path.parent}")
    if find_spec("matplotlib") is None:
        raise SettingsError("--plot needs matplotlib, which is not installed; install it with: pip install 'gridgram[plot]'")


def draw(told: BackfillSummary, path: Path) -> None:
    """Draw the picture of a summary. Raises OutputError where it cannot be written."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - heavy, and optional
    from matplotlib.figure import Figure  # noqa: PLC0415

    months, zones = told["by_month"], sorted(told["by_zone"], key=lambda group: group["emissions_g"])[-ZONES_SHOWN:]
    figure = Figure(figsize=(10, 8 + 0.2 * len(zones)), layout="constrained")
    FigureCanvasAgg(figure)
    energy, emissions, by_zone = figure.subplots(3, 1, height_ratios=(2, 2, 1 + 0.25 * len(zones)))
    places = [month_place(group["name"]) for group in months]
    energy.bar(places, [group["facility_energy_kwh"] for group in months], color="#4c78a8")
    energy.set_ylabel("energy [kWh]")
    energy.set_title(f"{told['jobs']:,} jobs, {told['facility_energy_kwh']:,.4g} kWh, {told['emissions_g'] / GRAMS_PER_KG:,.4g} kg CO2e")
    heights, bands = _bars(months)
    emissions.bar(places, heights, yerr=bands, color="#e45756", ecolor="#555555", capsize=2)
    emissions.set_ylabel(f"{told['signal']} emissions [kg CO2e]")
    widths, bands = _bars(zones)
    by_zone.barh([group["name"] for group in zones], widths, xerr=bands, color="#e45756", ecolor="#555555", capsize=2)
    by_zone.set_xlabel(f"emissions by zone [kg CO2e]{'' if len(zones) == len(told['by_zone']) else f', the {ZONES_SHOWN} largest'}")
    span = range(min(places, default=0), max(places, default=-1) + 1)  # months without a job keep their room
    ticks = span[:: -(-len(span) // MONTHS_NAMED) or 1]
    for axes in (energy, emissions):
        axes.set_xticks(ticks, [f"{place // 12}-{place % 12 + 1:02d}" for place in ticks], rotation=90 if len(span) > MONTHS_LEVEL else 0)
    try:
        figure.savefig(path, dpi=120, metadata={"Software": "gridgram"})
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error


def month_place(month: str) -> int:
    """Where a month such as 2024-03 stands on the axis: months since the year 0."""
    year, _, number = month.partition("-")
    return int(year) * 12 + int(number) - 1


def _bars(groups: list[GroupAnswer]) -> tuple[list[float], list[list[float]]]:
    """The length of each bar and how far its band reaches down and up. [kg]"""
    middle = [group["emissions_g"] / GRAMS_PER_KG for group in groups]
    down = [(group["emissions_g"] - group["emissions_low_g"]) / GRAMS_PER_KG for group in groups]
    up = [(group["emissions_high_g"] - group["emissions_g"]) / GRAMS_PER_KG for group in groups]
    return middle, [down, up]
