"""A run's figure as the answers tell it."""

from __future__ import annotations

from collections import defaultdict
from math import fsum
from typing import TYPE_CHECKING

from gridgram.interval import HOURS_PER_DAY, MICROSECONDS_PER_HOUR, format_microseconds
from service.answers import provenance_answer
from service.runs.figures import SIGNAL

if TYPE_CHECKING:
    from service.runs.answers import RevisionAnswer, RunAnswer, RunStepAnswer, RunSummaryAnswer
    from service.runs.figures import Priced

STEP_HOURS = {"PT1H": 1, "P1D": HOURS_PER_DAY}


def summary(priced: Priced) -> RunSummaryAnswer:
    """Tell a run and its figure."""
    run, energy, figure = priced.run, priced.energy, priced.figure
    answer: RunSummaryAnswer = {
        "id": run.run,
        "name": run.name,
        "tracker": run.tracker,
        "created_at": format_microseconds(run.created_at),
        "seen_at": format_microseconds(run.seen_at),
        "signal": SIGNAL.value,
        "samples": len(energy.samples),
        "energy_kwh": energy.total_kwh,
        "priced_kwh": figure.priced_kwh,
        "unpriced_kwh": figure.unpriced_kwh,
        "hours_missing": figure.hours_missing,
        "coverage": {quality.value: share for quality, share in figure.coverage.items()},
        "remarks": list(dict.fromkeys(filter(None, (*run.remarks, priced.remark)))),
    }
    if run.location:
        answer["location"] = run.location
    if priced.place is not None:
        answer["zone"] = priced.place.zone.key
    if energy.samples:
        answer["start"], answer["end"] = format_microseconds(energy.start), format_microseconds(energy.end)
    if energy.tracker_g is not None:
        answer["tracker_emissions_g"] = energy.tracker_g
    if figure.shares:
        _tell_figure(priced, answer)
    return answer


def whole(priced: Priced, step: str, revisions: list[RevisionAnswer]) -> RunAnswer:
    """Tell a run over time."""
    provenance = [{**provenance_answer(part.source, part.quality.value), "energy_share": part.share} for part in priced.figure.shares]
    return {**summary(priced), "over_time": _over_time(priced, STEP_HOURS[step]), "revisions": revisions, "provenance": provenance}  # type: ignore[typeddict-item]  # mypy loses the shape of a spread


def _tell_figure(priced: Priced, answer: RunSummaryAnswer) -> None:
    energy, figure = priced.energy, priced.figure
    answer["emissions_g"], answer["emissions_low_g"], answer["emissions_high_g"] = figure.emissions_g, figure.low_g, figure.high_g
    if figure.priced_kwh:
        answer["intensity_g_per_kwh"] = figure.emissions_g / figure.priced_kwh
    if energy.tracker_g is not None and not figure.hours_missing:
        answer["tracker_difference_g"] = figure.emissions_g - energy.tracker_g


def _over_time(priced: Priced, step_hours: int) -> list[RunStepAnswer]:
    """The run by steps of so many hours; those without energy in them are left out."""
    by_step: dict[int, list[int]] = defaultdict(list)
    for hour in priced.energy.kwh:
        by_step[hour // step_hours].append(hour)
    return [_step(priced, step, step_hours, hours) for step, hours in by_step.items()]


def _step(priced: Priced, step: int, step_hours: int, hours: list[int]) -> RunStepAnswer:
    kwh, prices = priced.energy.kwh, priced.prices
    start, end = (number * step_hours * MICROSECONDS_PER_HOUR for number in (step, step + 1))
    answer: RunStepAnswer = {
        "start": format_microseconds(max(start, priced.energy.start)),
        "end": format_microseconds(min(end, priced.energy.end)),
        "energy_kwh": fsum(kwh[hour] for hour in hours),
    }
    if all(hour in prices for hour in hours):
        answer["emissions_g"] = fsum(kwh[hour] * prices[hour].g_per_kwh for hour in hours)
        answer["emissions_low_g"] = fsum(kwh[hour] * prices[hour].low for hour in hours)
        answer["emissions_high_g"] = fsum(kwh[hour] * prices[hour].high for hour in hours)
    return answer
