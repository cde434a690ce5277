"""What a footprint is answered with: the shapes, as typed dictionaries."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from service.answers import EnergyProvenanceAnswer, EquivalentAnswer  # noqa: TC001 - openapi.yaml is made from the types

ComponentName = Literal["training", "idle", "embodied", "deployment"]
PhaseName = Literal["training", "deployment"]


class FootprintBandAnswer(TypedDict):
    """A mass of CO2e with its p10 and p90. [gCO2e]"""

    emissions_g: float
    emissions_low_g: float
    emissions_high_g: float


class FootprintUseAnswer(FootprintBandAnswer):
    """One use of electricity. [kWh, gCO2e/kWh, gCO2e]

    `facility_energy_kwh` = `energy_kwh` x `host_factor` x `pue`. `location` and what follows from it are absent where the intensity was
    given. `market_based_emissions_g` is in no sum.
    """

    name: str
    phase: PhaseName
    location: NotRequired[str]
    zone: NotRequired[str]
    approximate: NotRequired[bool]
    location_detail: NotRequired[str]
    start: NotRequired[str]
    end: NotRequired[str]
    energy_kwh: float
    energy_low_kwh: float
    energy_high_kwh: float
    energy_basis: Literal["it", "facility"]
    host_factor: float
    pue: float
    facility_energy_kwh: float
    intensity_g_per_kwh: float
    intensity_low_g_per_kwh: float
    intensity_high_g_per_kwh: float
    coverage: dict[str, float]
    provenance: list[EnergyProvenanceAnswer]
    market_based_emissions_g: NotRequired[float]


class FootprintHardwareAnswer(FootprintBandAnswer):
    """Devices that were reserved. [kg CO2e a device, h, a, gCO2e]"""

    name: str
    phase: PhaseName
    device: NotRequired[str]
    embodied_kg: float
    embodied_low_kg: float
    embodied_high_kg: float
    device_hours: float
    lifetime_years: float
    utilisation: float
    share: float
    boundary: str
    source: str
    band_source: str


class FootprintComponentAnswer(FootprintBandAnswer):
    """One component: its part of the whole, and what it is made of."""

    component: ComponentName
    total_share: float
    facility_energy_kwh: NotRequired[float]
    uses: NotRequired[list[FootprintUseAnswer]]
    hardware: NotRequired[list[FootprintHardwareAnswer]]


class FootprintPhaseShareAnswer(TypedDict):
    """A component's part of a phase."""

    component: ComponentName
    emissions_g: float
    phase_share: float


class FootprintPhaseAnswer(FootprintBandAnswer):
    """All that a model's making, or its use, emitted, and the shares of the components in it."""

    phase: PhaseName
    shares: list[FootprintPhaseShareAnswer]


class FootprintServingAnswer(TypedDict):
    """What serving took per request, token and day: electricity alone. [gCO2e, kWh, d]

    A day is told twice: per calendar day (as published figures do), and per day of true duration, which is less than the dates it
    touches.
    """

    name: str
    emissions_g: float
    facility_energy_kwh: float
    requests: NotRequired[float]
    per_request_g: NotRequired[float]
    per_request_kwh: NotRequired[float]
    tokens: NotRequired[float]
    per_token_g: NotRequired[float]
    calendar_days: NotRequired[float]
    calendar_days_basis: NotRequired[Literal["given", "UTC dates"]]
    per_calendar_day_g: NotRequired[float]
    duration_days: NotRequired[float]
    per_day_of_duration_g: NotRequired[float]


class FootprintScoreAnswer(TypedDict):
    """SCI of a phase: `score_g` = (`operational_g` + `embodied_g`) / `count`. [gCO2e a unit]"""

    phase: PhaseName
    unit: str
    count: float
    operational_g: float
    embodied_g: float
    score_g: float
    score_low_g: float
    score_high_g: float
    intensity_kind: Literal["average", "marginal"]
    location_based: bool
    conforms: bool
    departures: list[str]
    notes: list[str]


class FootprintComparedAnswer(FootprintBandAnswer):
    """The same electricity in the same hours at another place; hardware as it is. [gCO2e, gCO2e/kWh]"""

    location: str
    zone: str
    approximate: bool
    intensity_g_per_kwh: float
    training_g: float
    idle_g: float
    embodied_g: float
    deployment_g: float
    coverage: dict[str, float]


class FootprintUnavailableAnswer(TypedDict):
    """A place of the comparison that cannot be answered, and why."""

    location: str
    reason: str


class FootprintComparisonAnswer(TypedDict):
    """The places asked for, cleanest first, and those that cannot be answered."""

    locations: list[FootprintComparedAnswer]
    unavailable: list[FootprintUnavailableAnswer]


class FootprintEquivalentsAnswer(TypedDict):
    """Some of the answer's masses in other terms."""

    of: str
    emissions_g: float
    equivalents: list[EquivalentAnswer]


class FootprintQuantityAnswer(TypedDict):
    """A number with its unit."""

    name: str
    value: float
    unit: str


class FootprintInputAnswer(FootprintQuantityAnswer):
    """A number that went into a step, and where it comes from."""

    source: str


class FootprintStepAnswer(TypedDict):
    """One line of arithmetic: the formula over its inputs, in the notation of Python with exp, log and sqrt, gives the result."""

    name: str
    formula: str
    basis: str
    inputs: list[FootprintInputAnswer]
    result: FootprintQuantityAnswer


class FootprintMethodAnswer(TypedDict):
    """A standard, what of it the answer follows, and what it leaves out."""

    name: str
    follows: str
    leaves_out: str


class FootprintAnswer(TypedDict):
    """A model's life: components, phases, rates, scores, comparison, and the arithmetic behind them. A tonne is 1,000,000 g."""

    name: NotRequired[str]
    signal: str
    total: FootprintBandAnswer
    components: list[FootprintComponentAnswer]
    phases: list[FootprintPhaseAnswer]
    serving: list[FootprintServingAnswer]
    sci: list[FootprintScoreAnswer]
    comparison: NotRequired[FootprintComparisonAnswer]
    equivalents: list[FootprintEquivalentsAnswer]
    warnings: list[str]
    methods: list[FootprintMethodAnswer]
    uncertainty: str
    steps: list[FootprintStepAnswer]
