"""From whose means and shape a zone is answered, and the sentence that says so.

A zone without own figures is answered by the states in which it lies, by `data/states.csv`, else by the country that holds it.
"""

from __future__ import annotations

from calendar import isleap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from providers.reference_figures import YearlyMean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gridgram.quality import Signal
    from gridgram.zones import Zones
    from providers.reference_figures import Figures, Shape, States

NOTES = {"CN": "no hourly figures of mainland China are public"}
"""What to know of a country's figures, its provinces' included."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How a zone is answered: by whose means and shape; `shape_means` are those of the shape in a year of 365 and of 366 days."""

    zone: str
    mean_zone: str
    means: tuple[YearlyMean, ...]
    shape: Shape | None
    prefix: str
    shape_means: tuple[float, float]

    def level(self, mean: YearlyMean, year: int) -> float:
        """What the shape is multiplied with, 1 where there is none, so that the year comes out at the mean. [gCO2e/kWh]"""
        return mean.g_per_kwh / self.shape_means[isleap(year)]

    def nearest(self, year: int) -> YearlyMean:
        """The mean of a year, or of the nearest that is held, the earlier of two."""
        return min(self.means, key=lambda mean: (abs(mean.year - year), mean.year))

    @property
    def is_wider(self) -> bool:
        """Whether the mean is that of a place that holds more than the zone."""
        return self.mean_zone != self.zone


@dataclass(slots=True)
class Plans:
    """The plans of all zones, each made once it is asked for."""

    zones: Zones
    figures: Figures
    _made: dict[tuple[str, Signal], Plan] = field(default_factory=dict)

    def of(self, zone: str, signal: Signal) -> Plan | None:
        """The plan of a zone, None where nothing is held of it."""
        plan = self._made.get((zone, signal)) or self._make(zone, signal)
        if plan is not None:
            self._made[zone, signal] = plan
        return plan

    def _make(self, zone: str, signal: Signal) -> Plan | None:
        if (zone, signal) in self.figures.means:
            return self._planned(zone, zone, signal, "")
        states = self.figures.states.get(zone)
        if states is not None and all((state, signal) in self.figures.means for state in states.zones):
            return self._plan_of_states(zone, states, signal)
        known = self.zones.get(zone)
        if known is None or known.parent is None or (known.parent, signal) not in self.figures.means:
            return None
        prefix = f"Hours of the country {self._name(known.parent)}, which holds {zone}: "
        return self._planned(zone, known.parent, signal, prefix)

    def _plan_of_states(self, zone: str, states: States, signal: Signal) -> Plan:
        names = ", ".join(self._name(state) for state in states.zones)
        if len(states.zones) == 1:
            share = "most of " if states.lies == "mostly in" else ""
            return self._planned(zone, states.zones[0], signal, f"Hours of the state {names}, in which {share}{zone} lies: ")
        prefix = f"Hours of the states {names}, over which {zone} lies, each counted alike: "
        means = mean_of_states([self.figures.means[state, signal] for state in states.zones])
        return Plan(zone, ", ".join(states.zones), means, None, prefix, (1.0, 1.0))

    def _planned(self, zone: str, mean_zone: str, signal: Signal, prefix: str) -> Plan:
        shape = self.figures.shapes.get((mean_zone, signal))
        shape_means = (shape.mean_of(28), shape.mean_of(29)) if shape else (1.0, 1.0)
        return Plan(zone, mean_zone, self.figures.means[mean_zone, signal], shape, prefix, shape_means)

    def _name(self, zone: str) -> str:
        known = self.zones.get(zone)
        return known.name if known else zone


def mean_of_states(states: Sequence[tuple[YearlyMean, ...]]) -> tuple[YearlyMean, ...]:
    """The mean over several states, each counted alike, of the years that all of them have; of one origin. [gCO2e/kWh]"""
    by_year = [{mean.year: mean for mean in means} for means in states]
    years = sorted(set.intersection(*(set(held) for held in by_year)))
    return tuple(YearlyMean(year, sum(held[year].g_per_kwh for held in by_year) / len(by_year), by_year[0][year].origin) for year in years)


def detail_of(plan: Plan, mean: YearlyMean, *, is_other_year: bool) -> str:
    """One sentence: what is multiplied with what, of which year, and what was done to it."""
    year = f"{mean.year}, the nearest year held" if is_other_year else f"{mean.year}"
    text = f"{plan.prefix}yearly mean of {year} ({mean.origin.title})"
    if plan.shape is None:
        text += ", the same for every hour"
    else:
        made_of = "" if plan.shape.origin is mean.origin else f"{plan.shape.origin.title}, "
        text += f" x typical shape of month and hour ({made_of}{plan.shape.years})"
    derived = mean.origin.detail if mean.ratio_year is None else f"{mean.origin.detail} of {mean.ratio_year}, the nearest year with both"
    notes = (derived, NOTES.get(plan.mean_zone.partition("-")[0], ""))
    return "; ".join([text[0].upper() + text[1:], *filter(None, notes)]) + "."
