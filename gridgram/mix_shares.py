"""What part of a mix each fuel is, and which fuels are called low-carbon, renewable and fossil.

Shares are of all that was generated in the hour, in percent. Nuclear and the renewables are low-carbon. Biomass counts as renewable, as
in the statistics of the EU and in the API of Electricity Maps, though what it emits over its life cycle is counted in the intensity.
What a source calls other is neither renewable nor fossil: so low-carbon and fossil need not add up to 100.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gridgram.fuels import Fuel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

RENEWABLE: Final = frozenset({Fuel.BIOMASS, Fuel.GEOTHERMAL, Fuel.HYDRO, Fuel.SOLAR, Fuel.WIND})
LOW_CARBON: Final = RENEWABLE | {Fuel.NUCLEAR}
FOSSIL: Final = frozenset({Fuel.COAL, Fuel.GAS, Fuel.OIL})


@dataclass(frozen=True, slots=True)
class Shares:
    """The parts of one hour's generation. [%]"""

    by_fuel: Mapping[Fuel, float]
    low_carbon: float
    renewable: float
    fossil: float


def shares_of(generation: Mapping[Fuel, float]) -> Shares:
    """The shares of one hour's mix, which must tell of some generation. [MW or MWh or percent -> %]"""
    total = sum(generation.values())
    by_fuel = {fuel: 100 * (amount / total) for fuel, amount in generation.items()}

    def part(fuels: AbstractSet[Fuel]) -> float:
        return min(100.0, sum(share for fuel, share in by_fuel.items() if fuel in fuels))

    return Shares(by_fuel, part(LOW_CARBON), part(RENEWABLE), part(FOSSIL))
