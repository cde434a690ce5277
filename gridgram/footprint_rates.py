"""What a footprint is per something: per request, per day, and the score of the SCI specification.

SCI (ISO/IEC 21031:2024): `SCI = (O + M) per R`, where O is the operational emissions of the grid that was drawn from, contracts left out,
M the embodied part, which shall be included, and R a functional unit that is the same in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gridgram.footprint import Component, Phase, combined, summed
from gridgram.quality import Signal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gridgram.footprint import Contribution, Electricity, Hardware, Range

MICROSECONDS_PER_DAY = 86_400_000_000
NO_HARDWARE = "no hardware of this phase is in it, though M shall be included"
NOT_EVERYTHING = "neither idle machines nor a PUE are in it, though energy should hold all that is reserved and the facility's overhead"


@dataclass(frozen=True, slots=True)
class Score:
    """SCI of a phase per functional unit. [gCO2e a unit]

    `operational_g` and `embodied_g` are O and M of the whole phase. `departures` are rules of the specification that are not met,
    `notes` what it only recommends.
    """

    phase: Phase
    unit: str
    count: float
    operational_g: float
    embodied_g: float
    score_g: Range
    is_marginal: bool
    departures: tuple[str, ...]
    notes: tuple[str, ...]


def score(  # noqa: PLR0913, PLR0917 - what a score is made of
    phase: Phase, unit: str, count: float, uses: Sequence[Electricity], hardware: Sequence[Hardware], signal: Signal
) -> Score:
    """Score a phase of a footprint: `uses` and `hardware` are those of the phase."""
    operational = summed(use.emissions for use in uses)
    embodied = summed(device.emissions for device in hardware)
    has_overhead = any(use.pue != 1 or use.component is Component.IDLE for use in uses)
    return Score(
        phase,
        unit,
        count,
        operational.emissions_g,
        embodied.emissions_g,
        combined(summed([*(use.emissions for use in uses), *(device.emissions for device in hardware)])) * (1 / count),
        signal is Signal.MARGINAL,
        () if hardware else (NO_HARDWARE,),
        () if has_overhead else (NOT_EVERYTHING,),
    )


def calendar_days(start: int, end: int) -> int:
    """How many dates (UTC) the span [start, end) touches. [microseconds -> d]"""
    return -(-end // MICROSECONDS_PER_DAY) - start // MICROSECONDS_PER_DAY


def duration_days(start: int, end: int) -> float:
    """How long the span is. [microseconds -> d]"""
    return (end - start) / MICROSECONDS_PER_DAY


def phase_total(phase: Phase, uses: Sequence[Electricity], hardware: Sequence[Hardware]) -> Contribution:
    """All emissions of a phase. [gCO2e]"""
    return summed([*(use.emissions for use in uses if use.phase is phase), *(one.emissions for one in hardware if one.phase is phase)])
