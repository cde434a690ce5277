"""From a request to what is to be computed: every use with its energy, its hours and its place, every device with its figure.

Pure; what a single field cannot tell is checked here, and all faults are named at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from gridgram.errors import Fault, InvalidInput
from gridgram.footprint import Component, Hardware, Phase, Range, exact
from gridgram.hardware import devices
from gridgram.profile import flat_profile
from gridgram.quality import Quality, Signal
from gridgram.units import kwh_from_w_hours
from service.footprint.requests import MAX_COMPARISONS, DeploymentUse, ElectricityUse, FootprintRequest, HardwareUse, IdleUse
from service.jobs import Job
from service.limits import MAX_ENERGY_KWH
from service.requests import FlatEnergy, check_span, read_request

if TYPE_CHECKING:
    from datetime import datetime

    from gridgram.hardware import Device

GIVEN = "the request"


@dataclass(frozen=True, slots=True)
class PlannedUse:
    """One use of electricity before its intensity is known. [kWh]

    `pointer` is its place in the request; `job` lays its energy on the hours, None where it has no time; `span` is in microseconds.
    """

    pointer: str
    component: Component
    phase: Phase
    name: str
    use: ElectricityUse
    energy_kwh: Range
    job: Job | None
    span: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class PlannedHardware:
    """Devices of a request with the figure that counts; `device` is the table's, None where the figure is the caller's own."""

    name: str
    hardware: Hardware
    device: Device | None
    boundary: str
    source: str
    band_source: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A footprint that has been read."""

    request: FootprintRequest
    uses: tuple[PlannedUse, ...]
    hardware: tuple[PlannedHardware, ...]


def read_footprint(members: object, now: datetime) -> Plan:
    """Check the members of a footprint and lay them out. Raises InvalidInput with every fault."""
    request = read_request(FootprintRequest, members, now)
    faults: list[Fault] = []
    uses: list[PlannedUse] = []
    for component, entries in (
        (Component.TRAINING, request.training),
        (Component.IDLE, request.idle),
        (Component.DEPLOYMENT, request.deployment),
    ):
        for index, use in enumerate(entries):
            try:
                uses.append(_planned_use(component, index, use, request))
            except InvalidInput as error:
                faults += error.faults
    hardware: list[PlannedHardware] = []
    for index, device in enumerate(request.hardware):
        try:
            hardware.append(_planned_hardware(index, device))
        except InvalidInput as error:
            faults += error.faults
    plan = Plan(request, tuple(uses), tuple(hardware))
    faults += _faults_of_the_whole(plan) if not faults else []
    if faults:
        raise InvalidInput(faults)
    return plan


def _planned_use(component: Component, index: int, use: ElectricityUse, request: FootprintRequest) -> PlannedUse:
    pointer = f"/{component.value}/{index}"
    name = use.name or f"{component.value} {index + 1}"
    phase = Phase(use.phase) if isinstance(use, IdleUse) else (Phase.DEPLOYMENT if component is Component.DEPLOYMENT else Phase.TRAINING)
    energy_kwh = _energy_kwh(use)
    if energy_kwh.high > MAX_ENERGY_KWH:
        raise InvalidInput([Fault(pointer, f"hours x power are more than {MAX_ENERGY_KWH:g} kWh")])
    job = _job(pointer, use, energy_kwh.middle, request)
    if job is not None:
        if use.energy is not None:
            energy_kwh = exact(job.profile.total_kwh)
        return PlannedUse(pointer, component, phase, name, use, energy_kwh, job, (job.profile.start, job.profile.end))
    return PlannedUse(pointer, component, phase, name, use, energy_kwh, None, use.span)


def _energy_kwh(use: ElectricityUse) -> Range:
    """The energy of a use that tells it without a profile, with its band; that of a profile is known once it is laid on the hours."""
    if use.energy_kwh is not None:
        return _range(use.energy_kwh, use.energy_low_kwh, use.energy_high_kwh)
    hours = use.gpu_hours if use.gpu_hours is not None else use.hours
    if hours is None or use.power_w is None:
        return exact(0.0)
    power = _range(use.power_w, use.power_low_w, use.power_high_w)
    return Range(*(kwh_from_w_hours(watt, hours) for watt in (power.middle, power.low, power.high)))


def _range(middle: float, low: float | None, high: float | None) -> Range:
    """A band; an end that is not told is the middle. -0.0 becomes 0.0."""
    return Range(middle or 0.0, (middle if low is None else low) or 0.0, (middle if high is None else high) or 0.0)


def _job(pointer: str, use: ElectricityUse, energy_kwh: float, request: FootprintRequest) -> Job | None:
    """The energy of a use on the hours of the grid, or None where it has no time or needs no grid."""
    if use.energy is None and (use.span is None or (use.intensity_g_per_kwh is not None and not request.compare_locations)):
        return None
    try:
        profile = use.energy.profile() if use.energy is not None else flat_profile(*(use.span or (0, 0)), energy_kwh)
    except ValueError as error:
        raise InvalidInput([Fault(f"{pointer}/energy", str(error))]) from None
    check_span(profile.start, profile.end, f"{pointer}/energy" if use.energy is not None else pointer)
    is_flat = use.energy is None or isinstance(use.energy, FlatEnergy)
    return Job(use.location, profile, 1.0, Signal(request.signal), Quality(request.min_quality), is_flat=is_flat)


def _planned_hardware(index: int, asked: HardwareUse) -> PlannedHardware:
    pointer = f"/hardware/{index}"
    device = None
    if asked.device is not None:
        device = devices().get(asked.device)
        if device is None:
            raise InvalidInput([Fault(f"{pointer}/device", _unknown_device(asked.device))])
    if device is not None:
        embodied_kg, lifetime_years, utilisation = device.embodied_kg, device.lifetime_years, device.utilisation
        boundary, source, band_source = device.boundary, device.source, device.band_source
    else:
        embodied_kg = _range(asked.embodied_kg or 0.0, asked.embodied_low_kg, asked.embodied_high_kg)
        lifetime_years, utilisation = asked.lifetime_years or 0.0, 1.0
        boundary, source = "as the request's figure", asked.source or GIVEN
        has_band = asked.embodied_low_kg is not None or asked.embodied_high_kg is not None
        band_source = GIVEN if has_band else "none was given"
    name = asked.name or asked.device or f"hardware {index + 1}"
    hours = asked.device_hours if asked.device_hours is not None else (asked.count or 0.0) * (asked.hours or 0.0)
    hardware = Hardware(
        Phase(asked.phase),
        name,
        embodied_kg,
        hours or 0.0,
        asked.lifetime_years or lifetime_years,
        asked.utilisation or utilisation,
        asked.share,
    )
    return PlannedHardware(name, hardware, device, boundary, source, band_source)


def _unknown_device(name: str) -> str:
    close = get_close_matches(name.lower(), devices(), n=1)
    known = f"did you mean {close[0]!r}?" if close else f"the known ones are {', '.join(devices())}."
    return f"{name[:60]!r} is no device of the table; {known} Or give embodied_kg and lifetime_years of your own"


def _faults_of_the_whole(plan: Plan) -> list[Fault]:
    request = plan.request
    if not plan.uses and not plan.hardware:
        return [Fault("", "there is nothing to count; give training, idle, hardware or deployment")]
    filled = {use.phase for use in plan.uses} | {planned.hardware.phase for planned in plan.hardware}
    faults = [
        Fault(f"/functional_units/{index}/phase", f"nothing in the request belongs to the phase {unit.phase}")
        for index, unit in enumerate(request.functional_units)
        if Phase(unit.phase) not in filled
    ]
    places = request.compare_locations
    if not places:
        return faults
    if len(set(places)) != len(places):
        faults.append(Fault("/compare_locations", "a location stands twice"))
    if len(places) * len(plan.uses) > MAX_COMPARISONS:
        faults.append(Fault("/compare_locations", f"locations x uses of electricity are more than {MAX_COMPARISONS:,}; split the request"))
    if not plan.uses:
        faults.append(Fault("/compare_locations", "there is no electricity to compare"))
    return faults + [
        Fault(
            "/compare_locations",
            f"{use.pointer} has no start and end, so its hours elsewhere are not known; give them, or leave the comparison out",
        )
        for use in plan.uses
        if use.job is None
    ]


def serving_uses(plan: Plan) -> list[tuple[int, DeploymentUse]]:
    """The uses that serve a model, with their places in `plan.uses`."""
    return [(index, planned.use) for index, planned in enumerate(plan.uses) if isinstance(planned.use, DeploymentUse)]
