"""From uses with their intensity to the answer: components, phases, rates, scores, comparison and warnings. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gridgram.footprint import Component, combined, summed
from gridgram.footprint_methods import METHODS
from gridgram.interval import format_time, from_microseconds
from gridgram.quality import Quality
from service.answers import equivalents_answer
from service.footprint.figures import contributions
from service.footprint.plan import GIVEN
from service.footprint.remarks import remarks_on
from service.footprint.workings import steps_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gridgram.footprint import Contribution, Phase
    from gridgram.footprint_rates import Score
    from gridgram.footprint_steps import Step
    from service.answers import EnergyProvenanceAnswer
    from service.footprint.answers import (
        FootprintAnswer,
        FootprintBandAnswer,
        FootprintComparedAnswer,
        FootprintComponentAnswer,
        FootprintEquivalentsAnswer,
        FootprintHardwareAnswer,
        FootprintPhaseAnswer,
        FootprintPhaseShareAnswer,
        FootprintScoreAnswer,
        FootprintStepAnswer,
        FootprintUseAnswer,
    )
    from service.footprint.figures import Asked, Compared, Figures
    from service.footprint.plan import Plan, PlannedHardware, PlannedUse

UNCERTAINTY = (
    "Low and high are a p10-p90 band. Three kinds of error are taken as independent of each other: the intensity of the grid, the energy "
    "used, the making of the hardware. Within a kind all errors go together, over all hours, places and devices. The kinds are combined as "
    "the root of the sum of squares of their logarithms. What came without a band (a given number, a metered energy) adds none."
)


def write_footprint(figures: Figures, compared: Sequence[Compared], unavailable: Sequence[tuple[str, str]]) -> FootprintAnswer:
    """Write the whole answer."""
    plan, request = figures.plan, figures.plan.request
    answer: FootprintAnswer = {
        "signal": request.signal,
        "total": _band(figures.total),
        "components": [_component(component, figures) for component in figures.by_component],
        "phases": [_phase(phase, part, figures) for phase, part in figures.phases.items()],
        "serving": list(figures.serving),
        "sci": [_score_answer(one) for one in figures.scores],
        "equivalents": _equivalents(figures),
        "warnings": [*remarks_on(plan), *(one.warning for one in figures.asked if one.warning)],
        "methods": [{"name": one.name, "follows": one.follows, "leaves_out": one.leaves_out} for one in METHODS],
        "uncertainty": UNCERTAINTY,
        "steps": [_step(step) for step in steps_of(figures)],
    }
    if request.name is not None:
        answer["name"] = request.name
    if request.compare_locations:
        places = sorted((_compared(one, plan) for one in compared), key=lambda place: place["emissions_g"])
        answer["comparison"] = {
            "locations": places,
            "unavailable": [{"location": location, "reason": reason} for location, reason in unavailable],
        }
    return answer


def _band(contribution: Contribution) -> FootprintBandAnswer:
    band = combined(contribution)
    return {"emissions_g": band.middle, "emissions_low_g": band.low, "emissions_high_g": band.high}


def _share(part_g: float, whole_g: float) -> float:
    return part_g / whole_g if whole_g > 0 else 0.0


def _component(component: Component, figures: Figures) -> FootprintComponentAnswer:
    part, plan = figures.by_component[component], figures.plan
    band = combined(part)
    answer: FootprintComponentAnswer = {
        "component": component.value,
        "emissions_g": band.middle,
        "emissions_low_g": band.low,
        "emissions_high_g": band.high,
        "total_share": _share(band.middle, figures.total.emissions_g),
    }
    if component is Component.EMBODIED:
        answer["hardware"] = [_hardware(planned) for planned in plan.hardware]
        return answer
    of_component = [(planned, one) for planned, one in zip(plan.uses, figures.asked, strict=True) if planned.component is component]
    answer["facility_energy_kwh"] = sum(one.electricity.facility_energy_kwh.middle for _, one in of_component)
    answer["uses"] = [_use(planned, one, plan.request.signal) for planned, one in of_component]
    return answer


def _use(planned: PlannedUse, one: Asked, signal: str) -> FootprintUseAnswer:
    use, electricity = planned.use, one.electricity
    energy, rate = electricity.energy_kwh, electricity.intensity_g_per_kwh
    band = combined(electricity.emissions)
    answer: FootprintUseAnswer = {
        "emissions_g": band.middle,
        "emissions_low_g": band.low,
        "emissions_high_g": band.high,
        "name": planned.name,
        "phase": planned.phase.value,
        "energy_kwh": energy.middle,
        "energy_low_kwh": energy.low,
        "energy_high_kwh": energy.high,
        "energy_basis": use.energy_basis,
        "host_factor": use.host_factor,
        "pue": use.pue,
        "facility_energy_kwh": electricity.facility_energy_kwh.middle,
        "intensity_g_per_kwh": rate.middle,
        "intensity_low_g_per_kwh": rate.low,
        "intensity_high_g_per_kwh": rate.high,
        "coverage": one.answer["coverage"] if one.answer else {Quality.GIVEN.value: 1.0},
        "provenance": one.answer["provenance"] if one.answer else [_given(planned, signal)],
    }
    if planned.span is not None:
        answer["start"], answer["end"] = (format_time(from_microseconds(end)) for end in planned.span)
    if one.place is not None:
        answer["location"], answer["zone"], answer["approximate"] = one.place["location"], one.place["zone"], one.place["approximate"]
        if "location_detail" in one.place:
            answer["location_detail"] = one.place["location_detail"]
    if electricity.market_based_g_per_kwh is not None:
        answer["market_based_emissions_g"] = electricity.facility_energy_kwh.middle * electricity.market_based_g_per_kwh
    return answer


def _given(planned: PlannedUse, signal: str) -> EnergyProvenanceAnswer:
    return {
        "provider": "given",
        "signal": signal,
        "scope": "unstated",
        "quality": Quality.GIVEN.value,
        "licence": "none",
        "attribution": planned.use.intensity_source or GIVEN,
        "detail": "a flat intensity that came with the request",
        "energy_share": 1.0,
    }


def _hardware(planned: PlannedHardware) -> FootprintHardwareAnswer:
    hardware = planned.hardware
    band = combined(hardware.emissions)
    answer: FootprintHardwareAnswer = {
        "emissions_g": band.middle,
        "emissions_low_g": band.low,
        "emissions_high_g": band.high,
        "name": planned.name,
        "phase": hardware.phase.value,
        "embodied_kg": hardware.embodied_kg.middle,
        "embodied_low_kg": hardware.embodied_kg.low,
        "embodied_high_kg": hardware.embodied_kg.high,
        "device_hours": hardware.device_hours,
        "lifetime_years": hardware.lifetime_years,
        "utilisation": hardware.utilisation,
        "share": hardware.share,
        "boundary": planned.boundary,
        "source": planned.source,
        "band_source": planned.band_source,
    }
    if planned.device is not None:
        answer["device"] = planned.device.key
    return answer


def _phase(phase: Phase, part: Contribution, figures: Figures) -> FootprintPhaseAnswer:
    shares: list[FootprintPhaseShareAnswer] = [
        {"component": component.value, "emissions_g": each.emissions_g, "phase_share": _share(each.emissions_g, part.emissions_g)}
        for component, each in figures.components_of(phase).items()
    ]
    return {**_band(part), "phase": phase.value, "shares": shares}


def _score_answer(one: Score) -> FootprintScoreAnswer:
    return {
        "phase": one.phase.value,
        "unit": one.unit,
        "count": one.count,
        "operational_g": one.operational_g,
        "embodied_g": one.embodied_g,
        "score_g": one.score_g.middle,
        "score_low_g": one.score_g.low,
        "score_high_g": one.score_g.high,
        "intensity_kind": "marginal" if one.is_marginal else "average",
        "location_based": True,
        "conforms": not one.departures,
        "departures": list(one.departures),
        "notes": list(one.notes),
    }


def _equivalents(figures: Figures) -> list[FootprintEquivalentsAnswer]:
    masses = {f"{phase.value} phase": part.emissions_g for phase, part in figures.phases.items()}
    if len(masses) > 1:
        masses["total"] = figures.total.emissions_g
    if len(figures.serving) == 1 and "per_calendar_day_g" in figures.serving[0]:
        masses["serving, per calendar day"] = figures.serving[0]["per_calendar_day_g"]
    return [{"of": of, "emissions_g": grams, "equivalents": equivalents_answer(grams)} for of, grams in masses.items()]


def _compared(one: Compared, plan: Plan) -> FootprintComparedAnswer:
    by_component = dict.fromkeys(Component, 0.0) | {
        component: part.emissions_g for component, part in contributions(plan, one.uses).items()
    }
    contribution = summed([*(use.emissions for use in one.uses), *(planned.hardware.emissions for planned in plan.hardware)])
    kwh = [use.facility_energy_kwh.middle for use in one.uses]
    weights = kwh if any(kwh) else [1.0] * len(kwh)
    coverage = Counter[str]()
    for weight, answer in zip(weights, one.answers, strict=True):
        for quality, share in answer["coverage"].items():
            coverage[quality] += share * weight / sum(weights)  # type: ignore[assignment]  # a Counter of floats
    return {
        **_band(contribution),
        "location": one.answers[0]["location"],
        "zone": one.answers[0]["zone"],
        "approximate": one.answers[0]["approximate"],
        "intensity_g_per_kwh": sum(use.intensity_g_per_kwh.middle * weight for use, weight in zip(one.uses, weights, strict=True))
        / sum(weights),
        "training_g": by_component[Component.TRAINING],
        "idle_g": by_component[Component.IDLE],
        "embodied_g": by_component[Component.EMBODIED],
        "deployment_g": by_component[Component.DEPLOYMENT],
        "coverage": dict(coverage),
    }


def _step(step: Step) -> FootprintStepAnswer:
    return {
        "name": step.name,
        "formula": step.formula,
        "basis": step.basis,
        "inputs": [{"name": one.name, "value": one.amount, "unit": one.unit, "source": one.source} for one in step.inputs],
        "result": {"name": step.output.name, "value": step.output.amount, "unit": step.output.unit},
    }
