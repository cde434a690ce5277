"""The life-cycle footprint of a model: electricity while it is trained and while it serves, and the making of the hardware.

    electricity [g] = energy [kWh] x host factor x PUE x intensity [gCO2e/kWh]
    embodied [g]    = TE [g] x device hours / (lifetime [h] x utilisation) x share

The second line is the SCI specification's `M = TE x TiR/EL x RR/ToR` (ISO/IEC 21031:2024) with a divisor for the part of its life in which
a device is used at all, as Luccioni, Viguier and Ligozat (arXiv 2211.02001) count it. A year has 8,760 h.

Every input has a band (p10 to p90). Errors of one kind go together wherever they occur; the kinds (grid, energy, hardware) are
independent: see `combined`.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - a dataclass's field
from dataclasses import dataclass, field
from enum import StrEnum
from math import exp, fsum, hypot, inf, log
from typing import TYPE_CHECKING

from gridgram.units import GRAMS_PER_KG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HOURS_PER_YEAR = 8_760.0
"""365 days, as published tables count; not the 8,766 h of a mean year."""


class Component(StrEnum):
    """What a part of a footprint comes from."""

    TRAINING = "training"
    IDLE = "idle"
    EMBODIED = "embodied"
    DEPLOYMENT = "deployment"


class Phase(StrEnum):
    """What a part of a footprint was for: making the model, or using it."""

    TRAINING = "training"
    DEPLOYMENT = "deployment"


class ErrorKind(StrEnum):
    """What an error comes from: the intensity of the grid, the energy that was used, the making of the hardware."""

    GRID = "grid"
    ENERGY = "energy"
    HARDWARE = "hardware"


@dataclass(frozen=True, slots=True)
class Range:
    """A number that is not negative, and the p10 and p90 of what it may truly be."""

    middle: float
    low: float
    high: float

    def __mul__(self, factor: float) -> Range:
        return Range(self.middle * factor, self.low * factor, self.high * factor)


def exact(number: float) -> Range:
    """A number without a band."""
    return Range(number, number, number)


@dataclass(frozen=True, slots=True)
class Contribution:
    """One summand of a footprint and how far each kind of error alone would move it. [gCO2e]"""

    emissions_g: float
    swings: Mapping[ErrorKind, Range] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Electricity:
    """One use of electricity. [kWh, gCO2e/kWh]

    `energy_kwh` is what was metered or computed, before `host_factor` (energy of the whole computers / energy of the devices counted) and
    `pue` (energy of the facility / energy of the computers). `market_based_g_per_kwh` is what contracts say; it enters no sum.
    """

    component: Component
    phase: Phase
    name: str
    energy_kwh: Range
    intensity_g_per_kwh: Range
    host_factor: float = 1.0
    pue: float = 1.0
    market_based_g_per_kwh: float | None = None

    @property
    def facility_energy_kwh(self) -> Range:
        """What the facility drew. [kWh]"""
        return self.energy_kwh * (self.host_factor * self.pue)

    @property
    def emissions(self) -> Contribution:
        """Energy x intensity. [gCO2e]"""
        facility_kwh, rate = self.facility_energy_kwh, self.intensity_g_per_kwh
        swings = {ErrorKind.GRID: rate * facility_kwh.middle, ErrorKind.ENERGY: facility_kwh * rate.middle}
        return Contribution(facility_kwh.middle * rate.middle, swings)


@dataclass(frozen=True, slots=True)
class Hardware:
    """Devices that were reserved for so many device hours. [kg CO2e a device, h, years]

    `utilisation` is the part of its lifetime in which a device is in use; `share` the part of the device that was reserved.
    """

    phase: Phase
    name: str
    embodied_kg: Range
    device_hours: float
    lifetime_years: float
    utilisation: float = 1.0
    share: float = 1.0

    @property
    def lifetime_hours(self) -> float:
        """The hours in which a device is there, used or not. [h]"""
        return self.lifetime_years * HOURS_PER_YEAR

    @property
    def emissions(self) -> Contribution:
        """The part of the devices' making that falls on the hours reserved. [gCO2e]"""
        part = self.device_hours / (self.lifetime_hours * self.utilisation) * self.share
        grams = self.embodied_kg * (GRAMS_PER_KG * part)
        return Contribution(grams.middle, {ErrorKind.HARDWARE: grams})


def summed(contributions: Iterable[Contribution]) -> Contribution:
    """Add contributions up; within a kind of error all summands err together."""
    parts = list(contributions)
    total_g = fsum(part.emissions_g for part in parts)

    def moved(kind: ErrorKind, end: Callable[[Range], float]) -> float:
        return fsum(end(part.swings[kind]) if kind in part.swings else part.emissions_g for part in parts)

    swings = {
        kind: Range(total_g, min(total_g, moved(kind, lambda swing: swing.low)), max(total_g, moved(kind, lambda swing: swing.high)))
        for kind in ErrorKind
        if any(kind in part.swings for part in parts)
    }
    return Contribution(total_g, swings)


def combined(contribution: Contribution) -> Range:
    """The band of a contribution: the swings of independent kinds of error, added as root of the sum of squares of their logarithms.

    Exact for a product of independent log-normal factors, such as one job's energy x intensity; for sums it is close, which a test
    holds against drawn samples. Low and high are counted apart, so that a lopsided input gives a lopsided band. Where the middle is 0
    there is no logarithm: the high end is then the root of the sum of squares itself. [gCO2e]
    """
    middle = contribution.emissions_g
    lows = [swing.low for swing in contribution.swings.values()]
    highs = [swing.high for swing in contribution.swings.values()]
    if middle <= 0:
        return Range(0.0, 0.0, hypot(*highs))
    up = hypot(*(log(high) - log(middle) for high in highs))
    down = hypot(*(log(middle) - log(low) for low in lows)) if all(low > 0 for low in lows) else inf
    return Range(middle, min(middle, _moved(middle, -down)), max(middle, _moved(middle, up)))


def _moved(middle: float, by: float) -> float:
    """The middle moved in logarithms; in one exponential, which cannot overflow where the outcome does not."""
    return exp(log(middle) + by) if by else middle
