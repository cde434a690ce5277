"""Exact conversions, each a named function whose constant says where it comes from.

Inside the house: energy in kWh, intensity in gCO2e/kWh, mass in g, time in UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Numbers = TypeVar("Numbers", "float", "NDArray[np.float64]")

KG_PER_LB = 0.45359237
"""The international avoirdupois pound, exact by definition (1959 agreement; NIST Special Publication 811, Appendix B.8)."""

JOULE_PER_KWH = 3_600_000
"""1 kWh = 1000 W x 3600 s, exact."""

GRAMS_PER_KG = 1_000.0


def g_per_kwh_from_lb_per_mwh(lb_per_mwh: float) -> float:
    """Turn lb/MWh into g/kWh: 1 kg/MWh is 1 g/kWh."""
    return lb_per_mwh * KG_PER_LB


def g_per_kwh_from_kg_per_mwh(kg_per_mwh: float) -> float:
    """Turn kg/MWh into g/kWh, which is the same number."""
    return kg_per_mwh


def g_per_kwh_from_kg_per_kwh(kg_per_kwh: float) -> float:
    """Turn kg/kWh (the same as t/MWh) into g/kWh."""
    return kg_per_kwh * 1000.0


def kwh_from_joule(joule: Numbers) -> Numbers:
    """Turn joules into kWh, one number or an array of them."""
    return joule / JOULE_PER_KWH


def kwh_from_w_hours(power_w: Numbers, hours: Numbers) -> Numbers:
    """Turn a power held for some hours into energy, one number or an array of them. [W x h -> kWh]"""
    return power_w * hours / 1000.0


def g_from_kg(mass_kg: float) -> float:
    """Turn kilograms into grams."""
    return mass_kg * GRAMS_PER_KG


def lb_per_mwh_from_g_per_kwh(g_per_kwh: float) -> float:
    """Turn g/kWh into lb/MWh."""
    return g_per_kwh / KG_PER_LB
