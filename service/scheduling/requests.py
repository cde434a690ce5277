"""What comes in: a job to be placed, or locations to be ranked."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - pydantic reads the annotations at run time
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Discriminator, Field, Tag
from pydantic import WithJsonSchema as JsonSchema

from gridgram.errors import Fault, InvalidInput
from gridgram.interval import MICROSECONDS_PER_HOUR, MICROSECONDS_PER_MINUTE, to_microseconds
from gridgram.schedule_job import Job, Pauses, Site, Window
from gridgram.schedule_pauses import plan_cells
from service.limits import (
    MAX_LOCATION_CHARACTERS,
    MAX_LOCATION_LIST_CHARACTERS,
    MAX_PLAN_CELLS,
    MAX_PLAN_CELLS_IN_ALL,
    MAX_PUE,
    MAX_SCHEDULE_LOCATIONS,
    MAX_SCHEDULE_OPTIONS,
    MAX_SCHEDULE_STEPS,
    MIN_SCHEDULE_STEP_MINUTES,
)
from service.requests import Duration, EndTime, Kwh, Location, QualityName, Request, SignalName, Time, check_span

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

MIN_STEP = MIN_SCHEDULE_STEP_MINUTES * MICROSECONDS_PER_MINUTE


class FlatWork(Request):
    """A job that uses one total evenly."""

    duration: Annotated[Duration, Field(examples=["PT8H"])]
    total_kwh: Annotated[Kwh, Field(description="Energy of the whole job. [kWh]")]

    def job(self) -> Job:
        """The job, wherever and whenever it runs."""
        return Job.of(self.duration, [self.total_kwh or 0.0])


class ShapedWork(Request):
    """A job of equal steps, each with its energy, in the order in which they run."""

    duration: Annotated[Duration | None, Field(description="May be left out: step x the number of kwh.", examples=["PT3H"])] = None
    step: Duration
    kwh: Annotated[list[Kwh], Field(min_length=1, max_length=MAX_SCHEDULE_STEPS, description="Energy of each step. [kWh]")]

    def job(self) -> Job:
        """The job, wherever and whenever it runs. Raises ValueError when `duration` is not what the steps add up to."""
        whole = self.step * len(self.kwh)
        if self.duration not in {None, whole}:
            raise ValueError("duration is not step x the number of kwh; leave it out, or mend one of the three")
        return Job.of(whole, [kwh or 0.0 for kwh in self.kwh])


WORK_FORMS: dict[str, type[FlatWork | ShapedWork]] = {"kwh": ShapedWork, "total_kwh": FlatWork}


def _work_form(energy: object) -> str | None:
    return next((form for form in WORK_FORMS if form in energy), None) if isinstance(energy, dict) else None


Work = Annotated[
    Annotated[ShapedWork, Tag("kwh")] | Annotated[FlatWork, Tag("total_kwh")],
    Discriminator(
        _work_form,
        custom_error_type="energy_form",
        custom_error_message="energy is an object in one of two forms: {duration, total_kwh} or {duration, step, kwh[]}",
    ),
]
Pue = Annotated[float, Field(ge=1, le=MAX_PUE, allow_inf_nan=False)]
StepLength = Annotated[
    Duration,
    JsonSchema({"type": "string", "description": "ISO 8601, a fixed length of five minutes or more.", "examples": ["PT1H", "PT5M"]}),
]


class ScheduleRequest(Request):
    """A job to be placed: where it may run, how much energy it uses, and between when."""

    locations: Annotated[
        list[Location],
        Field(min_length=1, max_length=MAX_SCHEDULE_LOCATIONS, description="Where the job may run.", examples=[["FR", "aws:us-west-2"]]),
    ]
    energy: Work
    earliest: Annotated[
        Time | None, Field(description="When it may start; without it the next full step after now, or full hour when steps are longer.")
    ] = None
    latest: Annotated[EndTime, Field(description="When it must be done.")]
    interruptible: Annotated[bool, Field(description="Whether it may be paused, at whole steps after `earliest`.")] = False
    min_chunk: Annotated[Duration | None, Field(description="The shortest run between pauses; one step without it.", examples=["PT2H"])] = (
        None
    )
    resume_kwh: Annotated[Kwh, Field(description="Energy that the computers use at each start after a pause. [kWh]")] = 0.0
    signal: SignalName = "lifecycle"
    min_quality: Annotated[QualityName, Field(description="The worst quality of an hour that is accepted.")] = "annual"
    pue: Annotated[
        dict[str, Pue], Field(default_factory=dict, description="Facility energy / computer energy by location; 1 where none is given.")
    ]
    startup_kwh: Annotated[
        dict[str, Kwh],
        Field(
            default_factory=dict,
            description="Energy by location that the computers use at the start, before the job; PUE applies. [kWh]",
        ),
    ]
    transfer_kwh: Annotated[
        dict[str, Kwh],
        Field(
            default_factory=dict,
            description="Energy by location that networks use to bring the job there; PUE does not apply. [kWh]",
        ),
    ]
    step: Annotated[
        StepLength, Field(description="From one possible start to the next, five minutes at least.", json_schema_extra={"default": "PT1H"})
    ] = MICROSECONDS_PER_HOUR
    top: Annotated[int, Field(ge=1, le=MAX_SCHEDULE_OPTIONS, description="How many options are told.")] = 5
    as_of: Annotated[Time | None, Field(description="Use nothing that was not known then; without it all that is known now.")] = None

    def site(self, location: str) -> Site:
        """What this location adds to the job."""
        return Site(self.pue.get(location, 1.0), self.startup_kwh.get(location) or 0.0, self.transfer_kwh.get(location) or 0.0)

    def window(self, now: datetime) -> Window:
        """When the job may run."""
        grid = min(self.step, MICROSECONDS_PER_HOUR)
        earliest = -(-to_microseconds(now) // grid) * grid if self.earliest is None else self.earliest
        return Window(earliest, self.latest, self.step)

    def pauses(self) -> Pauses | None:
        """How the job may be paused, None when it may not."""
        if not self.interruptible:
            return None
        return Pauses(self.min_chunk or self.step, self.resume_kwh or 0.0)


class RankQuery(Request):
    """Locations to be ranked."""

    locations: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_LOCATION_LIST_CHARACTERS,
            description=f"Locations with commas between, {MAX_SCHEDULE_LOCATIONS} at most.",
            examples=["FR,DE,aws:us-west-2"],
        ),
    ]
    signal: SignalName = "lifecycle"
    by: Annotated[Literal["now", "next_24_hours", "last_12_months"], Field(description="Which of the means to sort by.")] = "next_24_hours"


def read_work(request: ScheduleRequest, now: datetime) -> tuple[Job, Window, Pauses | None]:
    """The job of a request, its window and its pauses. Raises InvalidInput with all that does not fit together."""
    faults = [*_repeated(request.locations), *_strangers(request)]
    if request.step < MIN_STEP:
        faults.append(Fault("/step", f"a step is {MIN_SCHEDULE_STEP_MINUTES} minutes or longer"))
    faults += [
        Fault(f"/{name}", "this says something only of a job that may be paused; set interruptible to true or leave it out")
        for name, is_set in (("min_chunk", request.min_chunk is not None), ("resume_kwh", request.resume_kwh > 0))
        if is_set and not request.interruptible
    ]
    try:
        job = request.energy.job()
    except ValueError as error:
        raise InvalidInput([*faults, Fault("/energy/duration", str(error))]) from None
    window = request.window(now)
    faults += _misfits(job, window, request.min_chunk or 0)
    if faults:
        raise InvalidInput(faults)
    check_span(window.earliest, window.latest, "/latest")
    pauses = None if request.pauses() is None else Pauses(min(request.min_chunk or request.step, job.duration), request.resume_kwh or 0.0)
    if pauses is not None:
        _check_cells([plan_cells(job, request.site(location), window, pauses) for location in request.locations])
    return job, window, pauses


def split_locations(text: str) -> list[str]:
    """The locations of a list with commas between; the comma inside `geo:48.85,2.35` parts nothing. Raises InvalidInput."""
    found: list[str] = []
    for part in text.split(","):
        if found and found[-1].lower().startswith("geo:") and "," not in found[-1]:
            found[-1] += f",{part.strip()}"
        else:
            found.append(part.strip())
    faults = [Fault("/locations", "an empty location stands between two commas")] if "" in found else []
    if len(found) > MAX_SCHEDULE_LOCATIONS:
        faults.append(Fault("/locations", f"{len(found)} locations are given; {MAX_SCHEDULE_LOCATIONS} are compared at most: split them"))
    faults += [
        Fault("/locations", f"a location has at most {MAX_LOCATION_CHARACTERS} characters; {location[:40]!r} has {len(location)}")
        for location in found
        if len(location) > MAX_LOCATION_CHARACTERS
    ]
    if faults or (faults := [Fault("/locations", fault.detail) for fault in _repeated(found)]):
        raise InvalidInput(faults)
    return found


def _repeated(locations: Sequence[str]) -> list[Fault]:
    return [
        Fault(f"/locations/{place}", f"{location[:60]!r} stands in the list twice")
        for place, location in enumerate(locations)
        if location in locations[:place]
    ]


def _strangers(request: ScheduleRequest) -> list[Fault]:
    """Keys of a table by location that are no location of the request."""
    tables: dict[str, Mapping[str, float]] = {"pue": request.pue, "startup_kwh": request.startup_kwh, "transfer_kwh": request.transfer_kwh}
    known = ", ".join(request.locations)[:200]
    return [
        Fault(f"/{name}/{key[:60].replace('~', '~0').replace('/', '~1')}", f"this is none of the locations; those are {known}")
        for name, table in tables.items()
        for key in table
        if key not in request.locations
    ]


def _misfits(job: Job, window: Window, min_chunk: int) -> list[Fault]:
    faults = []
    if window.latest <= window.earliest:
        faults.append(Fault("/latest", "the latest end is not after the earliest start"))
    elif window.latest - window.earliest < job.duration:
        took, room = (time / MICROSECONDS_PER_HOUR for time in (job.duration, window.latest - window.earliest))
        faults.append(Fault("/latest", f"the job takes {took:g} h and the window has {room:g}: set a later end or an earlier start"))
    if min_chunk > job.duration:
        faults.append(Fault("/min_chunk", "the shortest run is longer than the job"))
    return faults


def _check_cells(cells: Sequence[int]) -> None:
    if max(cells) > MAX_PLAN_CELLS or sum(cells) > MAX_PLAN_CELLS_IN_ALL:
        text = "so many possible pauses in so long a window cannot be weighed; take a longer step, a shorter window or fewer locations"
        raise InvalidInput([Fault("/step", text)])
