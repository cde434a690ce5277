"""What is told of runs."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict

from service.answers import EnergyProvenanceAnswer  # noqa: TC001 - the contract is made from the types at run time


class KeptAnswer(TypedDict):
    """What was kept, on disk: the id of the record, that of its run, and how many samples were new (0: all were there already)."""

    id: str
    run_id: str
    new_samples: int


class RunStepAnswer(TypedDict):
    """One hour or day (UTC) of a run. Without an intensity for all of it there are no emissions."""

    start: str
    end: str
    energy_kwh: float
    emissions_g: NotRequired[float]
    emissions_low_g: NotRequired[float]
    emissions_high_g: NotRequired[float]


class RevisionAnswer(TypedDict):
    """How the figure changed when better hours came: over the same energy, before and after. Hours are counted by quality."""

    at: str
    first_hour_start: str
    last_hour_start: str
    changed_hours: int
    emissions_before_g: float
    emissions_after_g: float
    before_hours: dict[str, int]
    after_hours: dict[str, int]
    providers: list[str]


class RunSummaryAnswer(TypedDict):
    """A run and its figure. Emissions are absent where no hour has an intensity, or where the place is not known (`remarks` tells).

    `emissions_g` is of `priced_kwh`; `unpriced_kwh` and `hours_missing` tell what is not in it. `tracker_emissions_g` is the tracker's own.
    """

    id: str
    name: str
    tracker: str
    created_at: str
    seen_at: str
    location: NotRequired[str]
    zone: NotRequired[str]
    signal: str
    samples: int
    start: NotRequired[str]
    end: NotRequired[str]
    energy_kwh: float
    priced_kwh: float
    unpriced_kwh: float
    hours_missing: int
    emissions_g: NotRequired[float]
    emissions_low_g: NotRequired[float]
    emissions_high_g: NotRequired[float]
    intensity_g_per_kwh: NotRequired[float]
    coverage: dict[str, float]
    tracker_emissions_g: NotRequired[float]
    tracker_difference_g: NotRequired[float]
    remarks: list[str]


class RunAnswer(RunSummaryAnswer):
    """One run over time, how its figure changed, and where its intensities come from."""

    over_time: list[RunStepAnswer]
    revisions: list[RevisionAnswer]
    provenance: list[EnergyProvenanceAnswer]


class RunsAnswer(TypedDict):
    """A page of runs, newest first. `next` is there while more follow."""

    runs: list[RunSummaryAnswer]
    next: NotRequired[str]


class BegunAnswer(TypedDict):
    """The id of a run that begins; the same request again gives the same one."""

    id: str
