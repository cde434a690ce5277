"""What a reader of a footprint should know: sums that are right but easily misread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gridgram.footprint import Component, Phase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.footprint.plan import Plan, PlannedUse

LEAST_G_PER_KWH = 2.0
"""Below this no grid is; a smaller number is more likely kg/kWh."""
MICROSECONDS_PER_DAY = 86_400_000_000


def remarks_on(plan: Plan) -> list[str]:
    """One sentence for each thing that should be known."""
    return [*_overheads(plan), *(text for use in plan.uses for text in _of_use(use)), *_hardware(plan)]


def _overheads(plan: Plan) -> Iterator[str]:
    for phase in Phase:
        uses = [use for use in plan.uses if use.phase is phase]
        idle = [use for use in uses if use.component is Component.IDLE]
        with_pue = [use.name for use in uses if use.use.pue != 1]
        if idle and with_pue:
            yield (
                f"The {phase.value} phase counts idle machines and a PUE ({', '.join(with_pue[:5])}): both stand for overhead and overlap; "
                "published totals use one of the two."
            )
        without = [use.name for use in uses if use.use.pue == 1 and use.use.energy_basis == "it"]
        if without and not idle and not with_pue:
            yield f"No PUE is applied in the {phase.value} phase and no idle machines are counted: cooling and overhead are not in it."


def _of_use(planned: PlannedUse) -> Iterator[str]:
    use = planned.use
    rate = use.intensity_g_per_kwh
    if rate == 0:
        yield f"{planned.name}: 0 g/kWh is no grid's mean; what contracts say belongs in market_based_g_per_kwh."
    elif rate is not None and rate < LEAST_G_PER_KWH:
        yield f"{planned.name}: {rate:g} g/kWh is less than any grid's mean; is it in kg/kWh?"
    if use.gpu_hours is not None and use.host_factor == 1 and use.energy_basis == "it":
        yield f"{planned.name}: the energy is that of the devices alone; their hosts are in it only by host_factor."
    days = getattr(use, "days", None)
    if days is not None and planned.span is not None and days * MICROSECONDS_PER_DAY < planned.span[1] - planned.span[0]:
        yield f"{planned.name}: {days:g} calendar days are shorter than the span of the energy."


def _hardware(plan: Plan) -> Iterator[str]:
    for planned in plan.hardware:
        hardware = planned.hardware
        if planned.device is None and hardware.embodied_kg.low == hardware.embodied_kg.high:
            yield f"{planned.name}: the figure of its making came without a band; published ones differ by two and more."
        if planned.device is not None and planned.device.lifetime_source.startswith("our default"):
            yield f"{planned.name}: the lifetime of {hardware.lifetime_years:g} years is a default; its source states none."
