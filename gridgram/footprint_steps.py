"""The arithmetic of a footprint spelled out, so that an auditor can redo it with a pocket calculator.

A step has a formula over its inputs, in the notation of Python (`*`, `/`, `**`, `exp`, `log`, `sqrt`), the inputs with unit and source, and
the result. The result is the number that the footprint was made of, not one computed beside it; a test works every formula out again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gridgram.footprint import GRAMS_PER_KG, combined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gridgram.footprint import Contribution, Electricity, Hardware

COMPUTED = "computed in an earlier step"
IDENTITY = "energy x intensity"
SCI_M = "SCI specification (ISO/IEC 21031:2024): M = TE x TiR/EL x RR/ToR; utilisation as in Luccioni et al. 2022, arXiv 2211.02001"
BAND = "independent kinds of error as root of the sum of squares of logarithms"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its name, unit and where it comes from."""

    name: str
    amount: float
    unit: str
    source: str = COMPUTED


@dataclass(frozen=True, slots=True)
class Step:
    """One line of arithmetic: what is computed, by which formula from where, from what, and the result."""

    name: str
    formula: str
    basis: str
    inputs: tuple[Quantity, ...]
    output: Quantity


def power_step(label: str, energy_kwh: float, hours: Quantity, power_w: Quantity) -> Step:
    """Hours x power."""
    inputs = (hours, power_w)
    return Step(label, f"{hours.name} * {power_w.name} / 1000", "power x time", inputs, Quantity("energy_kwh", energy_kwh, "kWh"))


def electricity_steps(label: str, use: Electricity, energy_source: str, intensity_source: str) -> list[Step]:
    """What the facility drew, what that emitted, and what contracts would make of it."""
    facility_kwh, rate = use.facility_energy_kwh.middle, use.intensity_g_per_kwh.middle
    steps = [
        Step(
            f"{label}: facility energy",
            "energy_kwh * host_factor * pue",
            "PUE as in ISO/IEC 30134-2",
            (
                Quantity("energy_kwh", use.energy_kwh.middle, "kWh", energy_source),
                Quantity("host_factor", use.host_factor, "1", "the request, or 1"),
                Quantity("pue", use.pue, "1", "the request, or 1"),
            ),
            Quantity("facility_energy_kwh", facility_kwh, "kWh"),
        ),
        Step(
            f"{label}: emissions",
            "facility_energy_kwh * intensity_g_per_kwh",
            IDENTITY,
            (
                Quantity("facility_energy_kwh", facility_kwh, "kWh"),
                Quantity("intensity_g_per_kwh", rate, "gCO2e/kWh", intensity_source),
            ),
            Quantity("emissions_g", use.emissions.emissions_g, "gCO2e"),
        ),
    ]
    if use.market_based_g_per_kwh is not None:
        inputs = (
            Quantity("facility_energy_kwh", facility_kwh, "kWh"),
            Quantity("market_based_g_per_kwh", use.market_based_g_per_kwh, "gCO2e/kWh", "the request: a contract, not the grid"),
        )
        output = Quantity("market_based_emissions_g", facility_kwh * use.market_based_g_per_kwh, "gCO2e")
        formula = "facility_energy_kwh * market_based_g_per_kwh"
        steps.append(Step(f"{label}: market-based emissions, in no sum", formula, "GHG Protocol scope 2, market-based", inputs, output))
    return steps


def hardware_steps(label: str, hardware: Hardware, source: str) -> list[Step]:
    """The part of the hardware's making that falls on the job."""
    inputs = (
        Quantity("embodied_kg", hardware.embodied_kg.middle, "kg CO2e a device", source),
        Quantity("grams_per_kg", GRAMS_PER_KG, "g/kg", "SI"),
        Quantity("device_hours", hardware.device_hours, "h", "the request"),
        Quantity("lifetime_hours", hardware.lifetime_hours, "h", f"{hardware.lifetime_years:g} years of 8,760 h"),
        Quantity("utilisation", hardware.utilisation, "1", "the request, the device's own, or 1"),
        Quantity("share", hardware.share, "1", "the request, or 1"),
    )
    formula = "embodied_kg * grams_per_kg * device_hours / (lifetime_hours * utilisation) * share"
    return [Step(f"{label}: emissions", formula, SCI_M, inputs, Quantity("emissions_g", hardware.emissions.emissions_g, "gCO2e"))]


def sum_step(label: str, terms: Sequence[tuple[str, float]], total_g: float) -> Step:
    """The sum of earlier results."""
    inputs = tuple(Quantity(name, grams, "gCO2e") for name, grams in terms)
    formula = " + ".join(name for name, _ in terms) or "0"
    return Step(label, formula, "sum", inputs, Quantity("emissions_g", total_g, "gCO2e"))


def band_steps(label: str, contribution: Contribution) -> list[Step]:
    """The low and the high end of a total from the swings of each kind of error."""
    band = combined(contribution)
    lows = {kind.value: swing.low for kind, swing in contribution.swings.items()}
    highs = {kind.value: swing.high for kind, swing in contribution.swings.items()}
    if band.middle <= 0:
        formula = f"sqrt({' + '.join(f'{kind}_g ** 2' for kind in highs) or '0'})"
        return [Step(f"{label}: high end", formula, BAND, _ends(highs), Quantity("emissions_high_g", band.high, "gCO2e"))]
    middle = Quantity("emissions_g", band.middle, "gCO2e")
    squares = " + ".join(f"log({kind}_g / emissions_g) ** 2" for kind in highs)
    high = Quantity("emissions_high_g", band.high, "gCO2e")
    steps = [Step(f"{label}: high end", f"emissions_g * exp(sqrt({squares}))", BAND, (middle, *_ends(highs)), high)]
    if all(low > 0 for low in lows.values()):  # else the low end is 0
        low = Quantity("emissions_low_g", band.low, "gCO2e")
        steps.append(Step(f"{label}: low end", f"emissions_g * exp(-sqrt({squares}))", BAND, (middle, *_ends(lows)), low))
    return steps


def _ends(ends: Mapping[str, float]) -> tuple[Quantity, ...]:
    return tuple(Quantity(f"{kind}_g", grams, "gCO2e", f"the sum with every {kind} input at this end") for kind, grams in ends.items())


def rate_step(label: str, name: str, quantity: Quantity, divisor: Quantity, outcome: float) -> Step:
    """A quantity per unit of something."""
    return Step(
        label,
        f"{quantity.name} / {divisor.name}",
        "division",
        (quantity, divisor),
        Quantity(name, outcome, f"{quantity.unit}/{divisor.unit}"),
    )
