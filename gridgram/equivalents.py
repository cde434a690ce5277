"""What a mass of CO2e compares to: miles in a car, flights.

Such factors differ much between sources (a kilometre by car from 107 to 254 g), so each carries its source and the year it
describes, and an answer repeats both.
"""

from __future__ import annotations

from dataclasses import dataclass

from gridgram.units import KG_PER_LB


@dataclass(frozen=True, slots=True)
class Equivalent:
    """Something that is easier to picture than a gram, and how many grams of CO2e one of it is. `year` is the one it describes."""

    name: str
    unit: str
    g_per_unit: float
    source: str
    year: int


@dataclass(frozen=True, slots=True)
class Equivalence:
    """How much of an equivalent a mass of CO2e is, in the equivalent's unit."""

    name: str
    value: float
    unit: str
    g_per_unit: float
    source: str
    year: int


EQUIVALENTS: tuple[Equivalent, ...] = (
    Equivalent(
        "driving an average new US car",
        "mile",
        349,
        "US EPA Automotive Trends Report (EPA-420-R-22-029), model year 2020, real world",
        2020,
    ),
    Equivalent(
        "driving an average new EU car",
        "km",
        107.5,
        "average of new cars in the EU in 2020, as used by carbontracker",
        2020,
    ),
    # 0.150 kg a passenger-kilometre x 5,555 km.
    Equivalent(
        "flying from London to New York, one way, economy",
        "passenger flight",
        833_250,
        "UK DESNZ conversion factors 2024, long haul economy with radiative forcing, 0.150 kg per passenger-km, 5,555 km",
        2024,
    ),
    Equivalent(
        "flying from San Francisco to New York and back",
        "passenger round trip",
        1_200_000,
        "Patterson et al. 2021, arXiv 2104.10350, Table 2",
        2021,
    ),
    Equivalent(
        "the whole life of an average US car, fuel included",
        "car lifetime",
        126_000 * KG_PER_LB * 1000,
        "Strubell et al. 2019, arXiv 1906.02243, 126,000 lb",
        2019,
    ),
    Equivalent(
        "what a grown tree takes up in a month",
        "tree-month",
        917,
        "Green Algorithms, Lannelongue et al. 2021, Advanced Science 8, 2100707",
        2021,
    ),
    Equivalent(
        "flying from Paris to London",
        "passenger flight",
        50_000,
        "Green Algorithms, Lannelongue et al. 2021, Advanced Science 8, 2100707",
        2021,
    ),
)


def equivalents_of(emissions_g: float) -> list[Equivalence]:
    """How much of each equivalent the emissions are. [g]"""
    return [
        Equivalence(
            equivalent.name,
            emissions_g / equivalent.g_per_unit,
            equivalent.unit,
            equivalent.g_per_unit,
            equivalent.source,
            equivalent.year,
        )
        for equivalent in EQUIVALENTS
    ]
