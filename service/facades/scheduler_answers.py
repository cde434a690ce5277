"""What clients of the carbon-aware scheduler read."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict  # pydantic makes schemas of this one only, on Python 3.11


class SchedulerZoneAnswer(TypedDict):
    """A cloud region."""

    provider: str
    region: str


class SchedulerOption(TypedDict):
    """A start at a place, and the mean intensity that the job meets there. [gCO2e/kWh]"""

    time: str
    zone: SchedulerZoneAnswer
    co2_intensity: float


class SchedulerSavings(TypedDict):
    """How much less the best option emits than others; 0 where those emit nothing. [%]"""

    vs_naive_case: float
    vs_median_case: float
    vs_worst_case: float


class SchedulerUnavailable(TypedDict):
    """A cloud region that could not be compared, and why."""

    zone: SchedulerZoneAnswer
    reason: str


class SchedulerAnswer(TypedDict):
    """The best start and place, `options` after it, and what it is compared with: the worst, the median, and the first start there is.

    `units`, `unavailable` and `provenance` are ours.
    """

    ideal: SchedulerOption
    options: list[SchedulerOption]
    worst_case: SchedulerOption
    naive_case: SchedulerOption
    median_case: SchedulerOption
    carbon_savings: SchedulerSavings
    units: str
    unavailable: list[SchedulerUnavailable]
    provenance: list[dict[str, Any]]


class SchedulerRegions(TypedDict):
    """All cloud regions that can be asked for."""

    regions: list[SchedulerZoneAnswer]
