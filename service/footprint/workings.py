"""The steps of a footprint in order: each use, each device, the sums, the bands, the rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gridgram.footprint import Component
from gridgram.footprint_steps import (
    Quantity,
    Step,
    band_steps,
    electricity_steps,
    hardware_steps,
    power_step,
    rate_step,
    sum_step,
    swing_steps,
)
from service.footprint.plan import GIVEN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gridgram.footprint import Contribution, Electricity, Hardware
    from gridgram.footprint_rates import Score
    from service.footprint.answers import FootprintServingAnswer
    from service.footprint.figures import Asked, Figures
    from service.footprint.plan import PlannedUse


def steps_of(figures: Figures) -> list[Step]:
    """All arithmetic of an answer but that of its comparison, which repeats it with other intensities."""
    plan, total = figures.plan, figures.total
    steps = [step for planned, one in zip(plan.uses, figures.asked, strict=True) for step in _use_steps(planned, one)]
    steps += [step for planned in plan.hardware for step in hardware_steps(planned.name, planned.hardware, planned.source)]
    parts: list[Electricity | Hardware] = [one.electricity for one in figures.asked]
    parts += [planned.hardware for planned in plan.hardware]
    steps += [step for part in parts for step in swing_steps(part.name, part)]
    steps += _component_steps(figures)
    steps.append(sum_step("total", _terms(figures.by_component), total.emissions_g))
    steps += band_steps("total", total, [part.emissions for part in parts])
    for phase, part in figures.phases.items():
        steps.append(sum_step(f"{phase.value} phase", _terms(figures.components_of(phase)), part.emissions_g))
        steps += band_steps(f"{phase.value} phase", part, [each.emissions for each in parts if each.phase is phase])
    return [*steps, *_score_steps(figures.scores), *_serving_steps(figures.serving)]


def _terms(by_component: Mapping[Component, Contribution]) -> list[tuple[str, float]]:
    return [(f"{component.value}_g", part.emissions_g) for component, part in by_component.items()]


def _use_steps(planned: PlannedUse, one: Asked) -> list[Step]:
    use, source = planned.use, planned.use.source or GIVEN
    steps = []
    hours_name, hours = ("gpu_hours", use.gpu_hours) if use.gpu_hours is not None else ("hours", use.hours)
    if hours is not None and use.power_w is not None:
        hours_told, power_told = Quantity(hours_name, hours, "h", source), Quantity("power_w", use.power_w, "W", source)
        steps.append(power_step(f"{planned.name}: energy", planned.energy_kwh.middle, hours_told, power_told))
        source = "computed in the step before"
    elif use.energy is not None:
        source = f"sum of the profile of {source}"
    return [*steps, *electricity_steps(planned.name, one.electricity, source, _intensity_source(planned, one))]


def _intensity_source(planned: PlannedUse, one: Asked) -> str:
    if one.answer is None:
        return planned.use.intensity_source or GIVEN
    sources = "; ".join(f"{part['energy_share']:.1%} {part['quality']}, {part['attribution']}" for part in one.answer["provenance"])
    return f"mean over the hours of {one.answer['zone']}, weighed by energy: {sources}. POST /v1/emissions with include hours lists them."


def _component_steps(figures: Figures) -> list[Step]:
    steps = []
    for component, part in figures.by_component.items():
        if component is Component.EMBODIED:
            grams = [planned.hardware.emissions.emissions_g for planned in figures.plan.hardware]
        else:
            uses = [one.electricity for one in figures.asked]
            grams = [use.emissions.emissions_g for use in uses if use.component is component]
        terms = [(f"{component.value}_{number}_g", each) for number, each in enumerate(grams, 1)]
        steps.append(sum_step(component.value, terms, part.emissions_g))
    return steps


def _score_steps(scores: Sequence[Score]) -> list[Step]:
    return [
        Step(
            f"SCI of the {one.phase.value} phase per {one.unit}",
            "(operational_g + embodied_g) / count",
            "SCI specification (ISO/IEC 21031:2024): (O + M) per R",
            (
                Quantity("operational_g", one.operational_g, "gCO2e"),
                Quantity("embodied_g", one.embodied_g, "gCO2e"),
                Quantity("count", one.count, one.unit, GIVEN),
            ),
            Quantity("score_g", one.score_g.middle, f"gCO2e/{one.unit}"),
        )
        for one in scores
    ]


def _serving_steps(serving: Sequence[FootprintServingAnswer]) -> list[Step]:
    steps = []
    for one in serving:
        grams, kwh = (
            Quantity("emissions_g", one["emissions_g"], "gCO2e"),
            Quantity("facility_energy_kwh", one["facility_energy_kwh"], "kWh"),
        )
        if "per_request_g" in one:
            requests = Quantity("requests", one["requests"], "request", GIVEN)
            steps.append(rate_step(f"{one['name']}: per request", "per_request_g", grams, requests, one["per_request_g"]))
            steps.append(rate_step(f"{one['name']}: energy per request", "per_request_kwh", kwh, requests, one["per_request_kwh"]))
        if "per_token_g" in one:
            tokens = Quantity("tokens", one["tokens"], "token", GIVEN)
            steps.append(rate_step(f"{one['name']}: per token", "per_token_g", grams, tokens, one["per_token_g"]))
        if "per_calendar_day_g" in one:
            days = Quantity("calendar_days", one["calendar_days"], "d", one["calendar_days_basis"])
            steps.append(rate_step(f"{one['name']}: per calendar day", "per_calendar_day_g", grams, days, one["per_calendar_day_g"]))
        if "per_day_of_duration_g" in one:
            days = Quantity("duration_days", one["duration_days"], "d", "end - start")
            steps.append(
                rate_step(f"{one['name']}: per day of duration", "per_day_of_duration_g", grams, days, one["per_day_of_duration_g"])
            )
    return steps
