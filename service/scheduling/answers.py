"""What goes out: the shapes of a schedule and of a ranking."""

from __future__ import annotations

from typing import TYPE_CHECKING, NotRequired

import numpy as np
from typing_extensions import TypedDict  # pydantic makes schemas of this one only, on Python 3.11

from gridgram.interval import format_hour, format_time, from_microseconds
from gridgram.quality import MISSING_CODE, QUALITIES, Quality
from service.answers import PlaceMembers, SeriesProvenanceAnswer, SpanAnswer, missing_spans, place_members, series_provenance
from service.limits import MAX_FAULTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gridgram.locations import Place
    from gridgram.quality import Signal
    from gridgram.schedule import Option, Prospect
    from gridgram.schedule_savings import Savings
    from gridgram.series import IntensitySeries


class PlacementAnswer(PlaceMembers):
    """One way to run the job. [kWh, gCO2e, gCO2e/kWh]

    `energy_kwh` is what facility and networks draw, `chunks` the runs between pauses, `quality` the worst of the hours that are used.
    """

    start: str
    end: str
    chunks: list[SpanAnswer]
    energy_kwh: float
    emissions_g: float
    emissions_low_g: float
    emissions_high_g: float
    intensity_g_per_kwh: float
    quality: str
    coverage: dict[str, float]


class OptionAnswer(PlacementAnswer):
    """One way to run the job, and what it saves against the baseline; negative when it emits more. [gCO2e, %]

    Without a baseline there are no savings; percents are absent where the baseline emits nothing, their band where it may emit nothing.
    """

    savings_g: NotRequired[float]
    savings_low_g: NotRequired[float]
    savings_high_g: NotRequired[float]
    savings_percent: NotRequired[float]
    savings_low_percent: NotRequired[float]
    savings_high_percent: NotRequired[float]


class UnavailableAnswer(TypedDict):
    """A location that cannot be compared, and why."""

    location: str
    zone: str
    reason: str


class UnknownHoursAnswer(TypedDict):
    """Hours of the window that are not known at a location; no run there touches them."""

    location: str
    start: str
    end: str


class ZoneProvenanceAnswer(SeriesProvenanceAnswer):
    """Where so many hours of a zone come from."""

    zone: str


class ScheduleAnswer(TypedDict):
    """Where and when the job emits least: the best options overall, the best of each location, least emissions first.

    `baseline` is the job without a pause from `earliest` on in the first location; absent when hours of that are not known.
    """

    signal: str
    earliest: str
    latest: str
    as_of: str
    options: list[OptionAnswer]
    per_location: list[OptionAnswer]
    baseline: NotRequired[PlacementAnswer]
    unavailable: list[UnavailableAnswer]
    missing: list[UnknownHoursAnswer]
    provenance: list[ZoneProvenanceAnswer]


class MeanAnswer(TypedDict):
    """The mean of the hours that are known of a span, its band, the worst quality among them, and the share of each. [gCO2e/kWh]"""

    start: str
    end: str
    g_per_kwh: float
    low: float
    high: float
    quality: str
    coverage: dict[str, float]
    hours_missing: int


class RegionAnswer(PlaceMembers):
    """How clean a location is: in the present hour, in the 24 hours after it, and in the 8,760 before it. Absent: no hour is known."""

    now: NotRequired[MeanAnswer]
    next_24_hours: NotRequired[MeanAnswer]
    last_12_months: NotRequired[MeanAnswer]


class RankAnswer(TypedDict):
    """Locations, the cleanest first; `by` names the mean that they are sorted by."""

    signal: str
    as_of: str
    by: str
    regions: list[RegionAnswer]
    unavailable: list[UnavailableAnswer]
    provenance: list[ZoneProvenanceAnswer]


def placement_answer(place: Place, option: Option) -> PlacementAnswer:
    """Write one way to run the job."""
    chunks: list[SpanAnswer] = [{"start": _time(chunk.start), "end": _time(chunk.end)} for chunk in option.chunks]
    return {
        **place_members(place),
        "start": chunks[0]["start"],
        "end": chunks[-1]["end"],
        "chunks": chunks,
        "energy_kwh": option.energy_kwh,
        "emissions_g": option.emissions_g,
        "emissions_low_g": option.emissions_low_g,
        "emissions_high_g": option.emissions_high_g,
        "intensity_g_per_kwh": option.intensity_g_per_kwh,
        "quality": list(option.coverage)[-1].value,
        "coverage": {quality.value: share for quality, share in option.coverage.items()},
    }


def option_answer(place: Place, option: Option, saved: Savings | None) -> OptionAnswer:
    """Write one way to run the job, and what it saves where there is a baseline."""
    answer: OptionAnswer = {**placement_answer(place, option)}  # type: ignore[typeddict-item]  # mypy wants even what is not required
    if saved is None:
        return answer
    answer |= {"savings_g": saved.g, "savings_low_g": saved.low_g, "savings_high_g": saved.high_g}
    if saved.percent is not None:
        answer["savings_percent"] = saved.percent
    if saved.low_percent is not None and saved.high_percent is not None:
        answer |= {"savings_low_percent": saved.low_percent, "savings_high_percent": saved.high_percent}
    return answer


def unknown_hours(location: str, prospect: Prospect) -> list[UnknownHoursAnswer]:
    """Write the spans of hours that are not known, the first hundred at most."""
    spans = missing_spans(np.flatnonzero(~prospect.is_known) + prospect.series.first_hour)
    return [{"location": location, "start": start, "end": end} for start, end in spans[:MAX_FAULTS]]


def unavailable_answer(place: Place, signal: Signal, prospect: Prospect, min_quality: Quality) -> UnavailableAnswer:
    """Write why no run of the job fits."""
    hours, known = len(prospect.is_known), int(prospect.is_known.sum())
    asked = f" at quality {min_quality.value} or better" if min_quality is not Quality.ANNUAL else ""
    if known:
        reason = f"{hours - known} of the {hours} hours have no {signal.value} intensity{asked}, and no run of the job fits between them"
    else:
        reason = f"no hour of the window has a {signal.value} intensity{asked}"
    return {"location": place.location, "zone": place.zone.key, "reason": reason}


def zone_provenance(hours: Mapping[str, IntensitySeries]) -> list[ZoneProvenanceAnswer]:
    """Tell how many hours of each zone come from which source at which quality."""
    return [{"zone": zone, **entry} for zone, series in hours.items() for entry in series_provenance(series)]


def mean_answer(series: IntensitySeries) -> MeanAnswer | None:
    """Write the mean of the hours that a series holds; None when it holds none."""
    held = series.quality != MISSING_CODE
    count = int(held.sum())
    if not count:
        return None
    codes, counts = np.unique(series.quality[held], return_counts=True)
    return {
        "start": format_hour(series.first_hour),
        "end": format_hour(series.end_hour),
        "g_per_kwh": float(series.g_per_kwh[held].mean()),
        "low": float(series.low[held].mean()),
        "high": float(series.high[held].mean()),
        "quality": QUALITIES[int(codes[-1]) - 1].value,
        "coverage": {QUALITIES[code - 1].value: hours / count for code, hours in zip(codes.tolist(), counts.tolist(), strict=True)},
        "hours_missing": len(held) - count,
    }


def _time(microseconds: int) -> str:
    return format_time(from_microseconds(microseconds))
