"""The figures of a footprint: its uses with their intensity, and the sums, scores and rates over them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gridgram.footprint import Component, Phase, summed
from gridgram.footprint_rates import calendar_days, duration_days, phase_total, score
from gridgram.quality import Quality, Signal
from service.footprint.plan import serving_uses

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gridgram.footprint import Contribution, Electricity
    from gridgram.footprint_rates import Score
    from service.answers import EmissionsAnswer, PlaceMembers
    from service.footprint.answers import FootprintServingAnswer
    from service.footprint.plan import Plan


COARSE = "a given number or a yearly mean stands in for hours, though the finest intensity that can be had should be used"


@dataclass(frozen=True, slots=True)
class Asked:
    """A use with its intensity; `answer` is what the grid said, None where the intensity was given; `place` None where no location was."""

    electricity: Electricity
    place: PlaceMembers | None = None
    answer: EmissionsAnswer | None = None
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """All uses in another place."""

    location: str
    uses: tuple[Electricity, ...]
    answers: tuple[EmissionsAnswer, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that an answer is written from. `by_component` and `phases` hold only what the request holds."""

    plan: Plan
    asked: Sequence[Asked]
    by_component: Mapping[Component, Contribution]
    phases: Mapping[Phase, Contribution]
    total: Contribution
    scores: Sequence[Score]
    serving: Sequence[FootprintServingAnswer]

    def components_of(self, phase: Phase) -> dict[Component, Contribution]:
        """The components of a phase, in the order of a model's life."""
        uses = [one.electricity for one in self.asked if one.electricity.phase is phase]
        parts = {component: [use.emissions for use in uses if use.component is component] for component in Component}
        parts[Component.EMBODIED] = [one.hardware.emissions for one in self.plan.hardware if one.hardware.phase is phase]
        return {component: summed(part) for component, part in parts.items() if part}


def figures_of(plan: Plan, asked: Sequence[Asked]) -> Figures:
    """Add up and divide."""
    uses = [one.electricity for one in asked]
    hardware = [planned.hardware for planned in plan.hardware]
    by_component = contributions(plan, uses)
    filled = {use.phase for use in uses} | {one.phase for one in hardware}
    phases = {phase: phase_total(phase, uses, hardware) for phase in Phase if phase in filled}
    return Figures(plan, asked, by_component, phases, summed(by_component.values()), _scores(plan, asked), _serving(plan, uses))


def contributions(plan: Plan, uses: Iterable[Electricity]) -> dict[Component, Contribution]:
    """The components that the request holds, in the order of a model's life."""
    uses = list(uses)
    parts = {component: [use.emissions for use in uses if use.component is component] for component in Component}
    parts[Component.EMBODIED] = [planned.hardware.emissions for planned in plan.hardware]
    return {component: summed(part) for component, part in parts.items() if part}


def _serving(plan: Plan, uses: Sequence[Electricity]) -> list[FootprintServingAnswer]:
    """What each use that serves took per request, token and day."""
    answers = []
    for index, use in serving_uses(plan):
        grams, kwh = uses[index].emissions.emissions_g, uses[index].facility_energy_kwh.middle
        answer: FootprintServingAnswer = {"name": plan.uses[index].name, "emissions_g": grams, "facility_energy_kwh": kwh}
        if use.requests is not None:
            answer |= {"requests": use.requests, "per_request_g": grams / use.requests, "per_request_kwh": kwh / use.requests}
        if use.tokens is not None:
            answer |= {"tokens": use.tokens, "per_token_g": grams / use.tokens}
        span = plan.uses[index].span
        days = use.days if use.days is not None else (calendar_days(*span) if span else None)
        if days is not None:
            basis = "given" if use.days is not None else "UTC dates"
            answer |= {"calendar_days": float(days), "calendar_days_basis": basis, "per_calendar_day_g": grams / days}  # type: ignore[typeddict-item]  # a literal
        if span is not None:
            answer |= {"duration_days": duration_days(*span), "per_day_of_duration_g": grams / duration_days(*span)}
        answers.append(answer)
    return answers


def _scores(plan: Plan, asked: Sequence[Asked]) -> list[Score]:
    """SCI per run, per request and token where all that serves tells them, and per unit that the request names."""
    units: list[tuple[Phase, str, float]] = []
    if plan.request.training:
        units.append((Phase.TRAINING, "training run", 1.0))
    for unit in ("request", "token"):
        counts = [getattr(use, f"{unit}s") for _, use in serving_uses(plan)]
        if counts and None not in counts:
            units.append((Phase.DEPLOYMENT, unit, sum(counts)))
    units += [(Phase(unit.phase), unit.unit, unit.count) for unit in plan.request.functional_units]
    return [_score(phase, unit, count, plan, asked) for phase, unit, count in units]


def _score(phase: Phase, unit: str, count: float, plan: Plan, asked: Sequence[Asked]) -> Score:
    of_phase = [one for one in asked if one.electricity.phase is phase]
    hardware = [planned.hardware for planned in plan.hardware if planned.hardware.phase is phase]
    found = score(phase, unit, count, [one.electricity for one in of_phase], hardware, Signal(plan.request.signal))
    is_coarse = any(one.answer is None or Quality.ANNUAL.value in one.answer["coverage"] for one in of_phase)
    return replace(found, notes=(*found.notes, COARSE)) if is_coarse else found
