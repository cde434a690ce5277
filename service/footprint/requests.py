"""What a footprint is asked with: electricity in three forms, hardware, and places to compare.

Energy is told in one way only, and whether PUE is in it is told by `energy_basis`: counting PUE twice, or idle machines beside it, is the
commonest error in published footprints.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from gridgram.interval import MICROSECONDS_PER_HOUR
from service.limits import MAX_ENERGY_KWH, MAX_INTENSITY_G_PER_KWH, MAX_POWER_W, MAX_PUE
from service.requests import EndTime, Energy, Location, QualityName, Request, SignalName, Time

MAX_ENTRIES = 500
"""Entries of one list of a footprint."""
MAX_COMPARED = 100
MAX_COMPARISONS = 2_000
"""Uses of electricity x locations of one comparison."""
MAX_HOURS = 1e12
MAX_COUNT = 1e18
MAX_EMBODIED_KG = 1e9
MAX_YEARS = 100.0
ROUNDING = 1.01
"""How much longer than their span hours may be: published hours are rounded."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Kwh = Annotated[float, Field(ge=0, le=MAX_ENERGY_KWH, allow_inf_nan=False)]
Watt = Annotated[float, Field(ge=0, le=MAX_POWER_W, allow_inf_nan=False)]
Hours = Annotated[float, Field(ge=0, le=MAX_HOURS, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, le=MAX_INTENSITY_G_PER_KWH, allow_inf_nan=False)]
Kg = Annotated[float, Field(ge=0, le=MAX_EMBODIED_KG, allow_inf_nan=False)]
Count = Annotated[float, Field(ge=1e-6, le=MAX_COUNT, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=1e-6, le=1, allow_inf_nan=False)]
PhaseName = Literal["training", "deployment"]


def _check_order(low: float | None, middle: float | None, high: float | None, name: str) -> None:
    """Raise ValueError when the ends of a band do not lie about its middle, or have none."""
    if middle is None:
        if low is not None or high is not None:
            raise ValueError(f"a low or high end of {name} needs {name} itself")
        return
    if (low is not None and low > middle) or (high is not None and high < middle):
        raise ValueError(f"the low end of {name} lies above it, or the high end below it")


class ElectricityUse(Request):
    """One use of electricity: how much, where and when, or at which given intensity."""

    name: Annotated[Label | None, Field(description="What it is called in the answer.")] = None
    location: Annotated[
        Location | None, Field(description="Where; may be left out when intensity_g_per_kwh is given.", examples=["FR"])
    ] = None
    start: Annotated[Time | None, Field(description="Start of the span over which energy_kwh or hours x power are spread evenly.")] = None
    end: Annotated[EndTime | None, Field(description="End of that span, excluded.")] = None
    energy: Annotated[Energy | None, Field(description="Energy over time, as in POST /v1/emissions.")] = None
    energy_kwh: Annotated[Kwh | None, Field(description="Energy in all. [kWh]")] = None
    energy_low_kwh: Annotated[Kwh | None, Field(description="Its p10. [kWh]")] = None
    energy_high_kwh: Annotated[Kwh | None, Field(description="Its p90. [kWh]")] = None
    gpu_hours: Annotated[Hours | None, Field(description="Hours added up over all devices; power_w is of one device. [h]")] = None
    hours: Annotated[Hours | None, Field(description="Hours on the clock; power_w is of all machines together. [h]")] = None
    power_w: Annotated[Watt | None, Field(description="Mean power of one device (gpu_hours) or of all (hours). [W]")] = None
    power_low_w: Annotated[Watt | None, Field(description="Its p10. [W]")] = None
    power_high_w: Annotated[Watt | None, Field(description="Its p90. [W]")] = None
    gpu_count: Annotated[
        int | None, Field(ge=1, le=100_000_000, description="How many devices; only to check gpu_hours against the span.")
    ] = None
    host_factor: Annotated[
        float, Field(ge=1, le=MAX_PUE, allow_inf_nan=False, description="Energy of the whole computers / energy of the devices counted.")
    ] = 1.0
    pue: Annotated[float, Field(ge=1, le=MAX_PUE, allow_inf_nan=False, description="Facility energy / computer energy.")] = 1.0
    energy_basis: Annotated[
        Literal["it", "facility"], Field(description="it: PUE is not in the energy yet; facility: it is, and pue must stay 1.")
    ] = "it"
    intensity_g_per_kwh: Annotated[Rate | None, Field(description="A flat, location-based intensity in place of the grid. [gCO2e/kWh]")] = (
        None
    )
    intensity_low_g_per_kwh: Annotated[Rate | None, Field(description="Its p10. [gCO2e/kWh]")] = None
    intensity_high_g_per_kwh: Annotated[Rate | None, Field(description="Its p90. [gCO2e/kWh]")] = None
    market_based_g_per_kwh: Annotated[Rate | None, Field(description="What contracts say; told apart and in no sum. [gCO2e/kWh]")] = None
    source: Annotated[Text | None, Field(description="Where the energy comes from; repeated in the steps.")] = None
    intensity_source: Annotated[
        Text | None, Field(description="Where the given intensity comes from, with its year; repeated in the steps.")
    ] = None

    @property
    def span(self) -> tuple[int, int] | None:
        """Start and end of `start` and `end`, in microseconds since 1970."""
        return None if self.start is None or self.end is None else (self.start, self.end)

    @model_validator(mode="after")
    def _is_told_once(self) -> Self:
        forms = {"energy": self.energy, "energy_kwh": self.energy_kwh, "gpu_hours": self.gpu_hours, "hours": self.hours}
        given = [name for name, form in forms.items() if form is not None]
        if len(given) != 1:
            raise ValueError(
                f"give the energy in one way: energy, energy_kwh, or power_w with gpu_hours or hours; given: {', '.join(given) or 'none'}"
            )
        by_power = given[0] in {"gpu_hours", "hours"}
        if by_power != (self.power_w is not None):
            raise ValueError("power_w goes with gpu_hours (power of one device) or with hours (power of all machines)")
        if self.gpu_count is not None and self.gpu_hours is None:
            raise ValueError("gpu_count checks gpu_hours; leave it out with the other ways to give energy")
        _check_order(self.energy_low_kwh, self.energy_kwh, self.energy_high_kwh, "energy_kwh")
        _check_order(self.power_low_w, self.power_w, self.power_high_w, "power_w")
        _check_order(self.intensity_low_g_per_kwh, self.intensity_g_per_kwh, self.intensity_high_g_per_kwh, "intensity_g_per_kwh")
        return self

    @model_validator(mode="after")
    def _pue_is_counted_once(self) -> Self:
        if self.energy_basis == "facility" and (self.pue != 1 or self.host_factor != 1):
            raise ValueError("energy_basis facility means that PUE and hosts are in the energy already; leave pue and host_factor at 1")
        return self

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if (self.start is None) != (self.end is None):
            raise ValueError("start and end go together")
        if self.energy is not None and self.start is not None:
            raise ValueError("energy holds its own times; leave start and end out")
        if self.intensity_g_per_kwh is None:
            if self.location is None:
                raise ValueError("give a location, or intensity_g_per_kwh")
            if self.energy is None and self.start is None:
                raise ValueError("give start and end, so that the hours of the grid are known, or intensity_g_per_kwh")
        return self

    @model_validator(mode="after")
    def _hours_fit_the_span(self) -> Self:
        if self.span is None:
            return self
        span_hours = (self.span[1] - self.span[0]) / MICROSECONDS_PER_HOUR
        if span_hours <= 0:
            raise ValueError("the end is not after the start")
        if self.hours is not None and self.hours > span_hours * ROUNDING:
            raise ValueError(
                f"hours on the clock are more than the {span_hours:.1f} h of the span; if they are added up over devices, say gpu_hours"
            )
        if self.gpu_hours is not None and self.gpu_count and self.gpu_hours > self.gpu_count * span_hours * ROUNDING:
            most = self.gpu_count * span_hours
            raise ValueError(
                f"gpu_hours are more than gpu_count x span = {most:.1f} h; published hours are often added up over devices already"
            )
        return self


class IdleUse(ElectricityUse):
    """Electricity drawn beside the work: idle machines, network, storage, cooling."""

    phase: Annotated[PhaseName, Field(description="What it stood ready for.")] = "training"


class DeploymentUse(ElectricityUse):
    """Electricity of serving a model."""

    requests: Annotated[Count | None, Field(description="Requests that were served.")] = None
    tokens: Annotated[Count | None, Field(description="Tokens that were made.")] = None
    days: Annotated[
        float | None, Field(ge=0.01, le=36_600, allow_inf_nan=False, description="Calendar days; without it the UTC dates touched. [d]")
    ] = None


class HardwareUse(Request):
    """Devices that were reserved: of the table, or with a figure of one's own."""

    name: Annotated[Label | None, Field(description="What it is called in the answer.")] = None
    phase: Annotated[PhaseName, Field(description="What they were reserved for.")] = "training"
    device: Annotated[Label | None, Field(description="A key of the table in docs/footprint.md.", examples=["a100-80gb"])] = None
    embodied_kg: Annotated[Kg | None, Field(description="CO2e of making one device, in place of the table. [kg]")] = None
    embodied_low_kg: Annotated[Kg | None, Field(description="Its p10. [kg]")] = None
    embodied_high_kg: Annotated[Kg | None, Field(description="Its p90. [kg]")] = None
    device_hours: Annotated[Hours | None, Field(description="Hours added up over all devices. [h]")] = None
    count: Annotated[float | None, Field(ge=1e-6, le=1e9, allow_inf_nan=False, description="How many devices, with hours.")] = None
    hours: Annotated[Hours | None, Field(description="Hours on the clock for which count devices were reserved. [h]")] = None
    lifetime_years: Annotated[
        float | None, Field(ge=0.01, le=MAX_YEARS, allow_inf_nan=False, description="Years of 8,760 h; without it the table's. [a]")
    ] = None
    utilisation: Annotated[
        Share | None, Field(description="Part of its lifetime in which a device is used; without it the table's, or 1.")
    ] = None
    share: Annotated[Share, Field(description="Part of a device that was reserved.")] = 1.0
    source: Annotated[Text | None, Field(description="Where embodied_kg comes from; repeated in the steps.")] = None

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if (self.device is None) == (self.embodied_kg is None):
            raise ValueError("give either device, a key of the table, or embodied_kg")
        if self.device is None and self.lifetime_years is None:
            raise ValueError("embodied_kg needs lifetime_years")
        _check_order(self.embodied_low_kg, self.embodied_kg, self.embodied_high_kg, "embodied_kg")
        return self

    @model_validator(mode="after")
    def _time_is_told_once(self) -> Self:
        if (self.device_hours is None) != (self.count is not None and self.hours is not None) or (
            self.device_hours is not None and (self.count is not None or self.hours is not None)
        ):
            raise ValueError("give either device_hours (added up over devices), or count and hours")
        return self


class FunctionalUnit(Request):
    """What a score is told per: so many of it came out of a phase."""

    unit: Annotated[Label, Field(description="request, token, image, training token, parameter ...", examples=["training token"])]
    count: Annotated[Count, Field(description="How many of it.")]
    phase: PhaseName = "deployment"


class FootprintRequest(Request):
    """A model's life: what trained it, what stood beside, what it ran on, what serving it took."""

    name: Annotated[Label | None, Field(description="The model or project, for the report.")] = None
    signal: Annotated[SignalName, Field(description="One for all that comes from the grid.")] = "lifecycle"
    min_quality: Annotated[QualityName, Field(description="The worst quality of an hour that is accepted.")] = "annual"
    training: Annotated[list[ElectricityUse], Field(max_length=MAX_ENTRIES, default_factory=list)]
    idle: Annotated[list[IdleUse], Field(max_length=MAX_ENTRIES, default_factory=list)]
    hardware: Annotated[list[HardwareUse], Field(max_length=MAX_ENTRIES, default_factory=list)]
    deployment: Annotated[list[DeploymentUse], Field(max_length=MAX_ENTRIES, default_factory=list)]
    functional_units: Annotated[list[FunctionalUnit], Field(max_length=20, default_factory=list)]
    compare_locations: Annotated[
        list[Location],
        Field(max_length=MAX_COMPARED, default_factory=list, description="The same electricity in the same hours in each of these places."),
    ]
    training_type: Annotated[Literal["pre-training", "fine-tuning"] | None, Field(description="For the model card.")] = None
    hardware_used: Annotated[Text | None, Field(description="For the model card.")] = None
