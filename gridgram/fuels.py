"""Fuels and what a kWh from each of them emits, one table for one ruler. [gCO2e/kWh]

Storage is no fuel: a battery gives back what was generated before, so sources leave batteries out of a mix, and what pumped
storage gives counts as hydro.

`low` and `high` are the lowest and highest value of the literature that the source reviewed, an outer bound and not a standard
deviation. A number that was not checked against its printed source says so in `status` and in the source's text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist
from types import MappingProxyType
from typing import TYPE_CHECKING

from gridgram.quality import Signal

if TYPE_CHECKING:
    from collections.abc import Mapping


class Fuel(StrEnum):
    """What electricity is made from.

    Lignite, peat and oil shale are coal; waste and other renewables are biomass; `UNKNOWN` is what a source calls other.
    """

    COAL = "coal"
    GAS = "gas"
    OIL = "oil"
    BIOMASS = "biomass"
    GEOTHERMAL = "geothermal"
    HYDRO = "hydro"
    SOLAR = "solar"
    WIND = "wind"
    NUCLEAR = "nuclear"
    UNKNOWN = "unknown"


class Status(StrEnum):
    """How far a factor was checked.

    `CHECKED`: number and range were seen in a copy or a citation of the source. `RANGE_UNCHECKED`: the number was, its range is still
    to be held against the printed source. `UNCHECKED`: both are. `ASSUMED`: a convention or an assumption, which the source's text
    states.
    """

    CHECKED = "checked"
    RANGE_UNCHECKED = "range unchecked"
    UNCHECKED = "unchecked"
    ASSUMED = "assumed"


P90_OF_P99 = NormalDist().inv_cdf(0.90) / NormalDist().inv_cdf(0.99)
"""How far the 90th percentile of a normal distribution lies on the way to the 99th: 0.551."""


@dataclass(frozen=True, slots=True)
class Factor:
    """The emissions of one kWh from one fuel: the median, the least and the most of the literature, where and of what year. [gCO2e/kWh]

    `p10` and `p90` are those of a log-normal distribution about the median whose 1st and 99th percentiles are `low` and `high`.
    """

    g_per_kwh: float
    low: float
    high: float
    source: str
    year: int
    status: Status

    @property
    def p10(self) -> float:
        """What one plant in ten stays below."""
        return self._toward(self.low)

    @property
    def p90(self) -> float:
        """What one plant in ten exceeds."""
        return self._toward(self.high)

    def _toward(self, end: float) -> float:
        return self.g_per_kwh * (end / self.g_per_kwh) ** P90_OF_P99 if self.g_per_kwh else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class FactorTable:
    """A factor for every fuel, once for the whole life cycle and once for combustion alone."""

    name: str
    lifecycle: Mapping[Fuel, Factor]
    direct: Mapping[Fuel, Factor]

    def factors(self, signal: Signal) -> Mapping[Fuel, Factor]:
        """The factors of a signal. Raises ValueError for `marginal`, which no mix can give."""
        if signal is Signal.LIFECYCLE:
            return self.lifecycle
        if signal is Signal.DIRECT:
            return self.direct
        msg = f"a generation mix gives lifecycle and direct intensity, never {signal}: it does not tell which plant one more kWh would call"
        raise ValueError(msg)


_IPCC = "IPCC AR5 WG3 (2014) Annex III, Table A.III.2, median and range"
_IPCC_UNCHECKED = "IPCC AR5 WG3 (2014) Annex III, Table A.III.2, median; range unchecked"
_IPCC_ZERO = "IPCC AR5 WG3 (2014) Annex III, Table A.III.2: nothing is burnt"

_UNECE = "UNECE (2021) Integrated Life-cycle Assessment of Electricity Sources, EU28 2020"
_UNECE_RANGE = f"{_UNECE}; range unchecked"
_UNECE_UNCHECKED = f"{_UNECE}; unchecked"

_IPCC_LIFECYCLE = MappingProxyType(
    {
        Fuel.COAL: Factor(820, 740, 910, _IPCC, 2014, Status.CHECKED),
        Fuel.GAS: Factor(490, 410, 650, _IPCC, 2014, Status.CHECKED),
        # AR5 has no oil. The range is that of one public table around a median of 740, which is not IPCC's own either.
        Fuel.OIL: Factor(
            650, 620, 890, "UK POST (2014) as cited by Electricity Maps; range of a public table, not IPCC's", 2014, Status.CHECKED
        ),
        Fuel.BIOMASS: Factor(230, 130, 420, _IPCC, 2014, Status.CHECKED),
        Fuel.GEOTHERMAL: Factor(38, 6, 79, _IPCC_UNCHECKED, 2014, Status.RANGE_UNCHECKED),
        # 2200 is a reservoir in the tropics whose flooded forest gives off methane; one such study is enough for the range.
        Fuel.HYDRO: Factor(24, 1, 2200, _IPCC, 2014, Status.CHECKED),
        Fuel.SOLAR: Factor(
            45,
            18,
            180,
            "IPCC AR5 WG3 (2014) Annex III as cited by Electricity Maps: between rooftop 41 and utility 48; range unchecked",
            2014,
            Status.RANGE_UNCHECKED,
        ),
        Fuel.WIND: Factor(11, 7, 56, _IPCC_UNCHECKED, 2014, Status.RANGE_UNCHECKED),
        Fuel.NUCLEAR: Factor(12, 3.7, 110, _IPCC, 2014, Status.CHECKED),
        Fuel.UNKNOWN: Factor(
            700,
            130,
            910,
            "assumed thermal (coal, gas, oil or biomass), as Electricity Maps does; range spans these four",
            2014,
            Status.ASSUMED,
        ),
    }
)

_IPCC_DIRECT = MappingProxyType(
    {
        Fuel.COAL: Factor(760, 670, 870, _IPCC_UNCHECKED, 2014, Status.RANGE_UNCHECKED),
        Fuel.GAS: Factor(370, 350, 490, _IPCC_UNCHECKED, 2014, Status.RANGE_UNCHECKED),
        # 406 is the lowest of the direct factors for oil in public use (RTE has 777), so it is also the lower end.
        Fuel.OIL: Factor(
            406,
            406,
            935,
            "EIA (2020) and BEIS (2021) as cited by Electricity Maps; up to the factor of carbonintensity.org.uk (GB)",
            2021,
            Status.CHECKED,
        ),
        Fuel.BIOMASS: Factor(0, 0, 0, "BEIS (2021) as cited by Electricity Maps: carbon from plants is not counted", 2021, Status.ASSUMED),
        Fuel.GEOTHERMAL: Factor(0, 0, 0, _IPCC_ZERO, 2014, Status.CHECKED),
        Fuel.HYDRO: Factor(0, 0, 0, _IPCC_ZERO, 2014, Status.CHECKED),
        Fuel.SOLAR: Factor(0, 0, 0, _IPCC_ZERO, 2014, Status.CHECKED),
        Fuel.WIND: Factor(0, 0, 0, _IPCC_ZERO, 2014, Status.CHECKED),
        Fuel.NUCLEAR: Factor(0, 0, 0, _IPCC_ZERO, 2014, Status.CHECKED),
        Fuel.UNKNOWN: Factor(
            575, 350, 935, "assumed thermal (coal, gas or oil), as Electricity Maps does; range spans these three", 2014, Status.ASSUMED
        ),
    }
)

_UNECE_LIFECYCLE = MappingProxyType(
    {
        Fuel.COAL: Factor(
            1023, 912, 1095, f"{_UNECE_UNCHECKED} (1000 in a copy with two digits): hard coal without capture", 2021, Status.UNCHECKED
        ),
        Fuel.GAS: Factor(
            434, 403, 513, f"{_UNECE_UNCHECKED} (430 in a copy with two digits): combined cycle without capture", 2021, Status.UNCHECKED
        ),
        Fuel.HYDRO: Factor(10.7, 6.1, 147, f"{_UNECE_RANGE}: 360 MW plant", 2021, Status.RANGE_UNCHECKED),
        Fuel.SOLAR: Factor(37, 8, 83, f"{_UNECE_RANGE}: polysilicon", 2021, Status.RANGE_UNCHECKED),
        Fuel.WIND: Factor(12.62, 7.8, 23, f"{_UNECE_RANGE}: on and offshore by their European shares", 2021, Status.RANGE_UNCHECKED),
        Fuel.NUCLEAR: Factor(5.13, 5.1, 6.4, _UNECE_RANGE, 2021, Status.RANGE_UNCHECKED),
        # UNECE looked at none of these four: the IPCC table's own factors, with its own sources.
        Fuel.OIL: _IPCC_LIFECYCLE[Fuel.OIL],
        Fuel.BIOMASS: _IPCC_LIFECYCLE[Fuel.BIOMASS],
        Fuel.GEOTHERMAL: _IPCC_LIFECYCLE[Fuel.GEOTHERMAL],
        Fuel.UNKNOWN: _IPCC_LIFECYCLE[Fuel.UNKNOWN],
    }
)

IPCC_2014 = FactorTable("ipcc-2014", _IPCC_LIFECYCLE, _IPCC_DIRECT)
"""The default. Gas and coal are medians of plants without capture; the numbers are those that most open series are computed with."""

UNECE_2021 = FactorTable("unece-2021", _UNECE_LIFECYCLE, _IPCC_DIRECT)
"""Newer plants, Europe in 2020. UNECE gives no combustion factors: direct is the IPCC table's."""

FACTOR_TABLES: Mapping[str, FactorTable] = MappingProxyType({table.name: table for table in (IPCC_2014, UNECE_2021)})
