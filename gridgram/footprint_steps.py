"""The arithmetic of a footprint spelled out, so that an auditor can redo it with a pocket calculator.

A step has a formula over its inputs, in the notation of Python (`*`, `/`, `**`, `exp`, `log`, `sqrt`), the inputs with unit and source, and
the result. The result is the number that the footprint was made of, not one computed beside it; a test works every formula out again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gridgram.footprint import Electricity, ErrorKind, combined
from gridgram.units import GRAMS_PER_KG

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gridgram.footprint import Contribution, Hardware

ENDS = ("low", "high")
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


def swing_steps(label: str, part: Electricity | Hardware) -> list[Step]:
    """What a part would emit with one of its inputs at its low or high end, for those that have a band."""
    found = _use_ends(part) if isinstance(part, Electricity) else _hardware_ends(part)
    middle = part.emissions.emissions_g
    return [
        Step(f"{label}: emissions, {kind} {end}", formula, IDENTITY, inputs, Quantity(f"emissions_{end}_g", grams, "gCO2e"))
        for kind, end, formula, inputs, grams in found
        if grams != middle
    ]


def _use_ends(use: Electricity) -> Iterator[tuple[str, str, str, tuple[Quantity, ...], float]]:
    facility_kwh, rate = use.facility_energy_kwh, use.intensity_g_per_kwh
    for end in ENDS:
        facility = Quantity("facility_energy_kwh", facility_kwh.middle, "kWh")
        at_end = Quantity("intensity_end_g_per_kwh", getattr(rate, end), "gCO2e/kWh", f"{end} end of the intensity")
        grams = getattr(use.emissions.swings[ErrorKind.GRID], end)
        yield "grid", end, "facility_energy_kwh * intensity_end_g_per_kwh", (facility, at_end), grams
        overhead = Quantity("overhead", use.host_factor * use.pue, "1", "host_factor x pue")
        energy = Quantity("energy_end_kwh", getattr(use.energy_kwh, end), "kWh", f"{end} end of the energy")
        inputs = (energy, overhead, Quantity("intensity_g_per_kwh", rate.middle, "gCO2e/kWh"))
        grams = getattr(use.emissions.swings[ErrorKind.ENERGY], end)
        yield "energy", end, "energy_end_kwh * overhead * intensity_g_per_kwh", inputs, grams


def _hardware_ends(hardware: Hardware) -> Iterator[tuple[str, str, str, tuple[Quantity, ...], float]]:
    middle = Quantity("embodied_kg", hardware.embodied_kg.middle, "kg CO2e a device")
    emissions = Quantity("emissions_g", hardware.emissions.emissions_g, "gCO2e")
    for end in ENDS if middle.amount > 0 else ():
        at_end = Quantity("embodied_end_kg", getattr(hardware.embodied_kg, end), "kg CO2e a device", f"{end} end of the figure")
        grams = getattr(hardware.emissions.swings[ErrorKind.HARDWARE], end)
        yield "hardware", end, "emissions_g * embodied_end_kg / embodied_kg", (emissions, at_end, middle), grams


def band_steps(label: str, total: Contribution, parts: Sequence[Contribution]) -> list[Step]:
    """The low and the high end of a total: each kind of error by itself over all parts, then the kinds together."""
    band = combined(total)
    steps = []
    for kind, swing in total.swings.items():
        for end in ENDS:
            if getattr(swing, end) != total.emissions_g:
                grams = [getattr(part.swings[kind], end) if kind in part.swings else part.emissions_g for part in parts]
                terms = [(f"part_{number}_g", each) for number, each in enumerate(grams, 1)]
                steps.append(sum_step(f"{label}: {kind.value} {end}", terms, getattr(swing, end)))
    lows = {kind.value: swing.low for kind, swing in total.swings.items()}
    highs = {kind.value: swing.high for kind, swing in total.swings.items()}
    if band.middle <= 0:
        formula = f"sqrt({' + '.join(f'{kind}_g ** 2' for kind in highs) or '0'})"
        return [*steps, Step(f"{label}: high end", formula, BAND, _ends(highs), Quantity("emissions_high_g", band.high, "gCO2e"))]
    middle = Quantity("emissions_g", band.middle, "gCO2e")
    squares = " + ".join(f"log({kind}_g / emissions_g) ** 2" for kind in highs)
    high = Quantity("emissions_high_g", band.high, "gCO2e")
    steps.append(Step(f"{label}: high end", f"emissions_g * exp(sqrt({squares}))", BAND, (middle, *_ends(highs)), high))
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
