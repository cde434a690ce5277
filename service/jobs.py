"""A job as the use cases take it: the members of a request, checked, its energy laid on the hours.

The common form (one place, a short list of equal steps) is checked in compiled code alone. Every other form, and whatever that check
refuses, goes through the models of `service.requests`, which name each fault; they decide, and a test holds the short way to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple, NotRequired

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter
from typing_extensions import TypedDict

from gridgram.errors import Fault, InvalidInput
from gridgram.interval import HORIZON, check_range, parse_duration, parse_time, to_microseconds
from gridgram.profile import stepped_profile
from gridgram.quality import Quality, Signal
from service.limits import MAX_PUE, MAX_SPAN_DAYS, MAX_TIME_CHARACTERS
from service.requests import (
    MICROSECONDS_PER_DAY,
    MIN_STEP,
    EmissionsRequest,
    FlatEnergy,
    Kwh,
    Location,
    QualityName,
    SignalName,
    read_profile,
    read_request,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gridgram.profile import EnergyProfile

PLAIN_STEPS: Final = 256
"""A longer profile is read the thorough way."""


class Job(NamedTuple):
    """Energy on the grid of hours, and what is asked of it. `location` is None only where an intensity is given. [gCO2e/kWh]"""

    location: str | None
    profile: EnergyProfile
    pue: float
    signal: Signal
    min_quality: Quality
    include: Sequence[str] = ()
    given_g_per_kwh: float | None = None
    is_flat: bool = False


_STRICT = ConfigDict(extra="forbid", strict=True)
_Text = Annotated[str, StringConstraints(max_length=MAX_TIME_CHARACTERS)]


class _PlainSteps(TypedDict):
    __pydantic_config__ = _STRICT  # type: ignore[misc]  # how pydantic configures a typed dictionary

    start: _Text
    step: _Text
    kwh: Annotated[list[Kwh], Field(min_length=1, max_length=PLAIN_STEPS)]


class _PlainJob(TypedDict):
    __pydantic_config__ = _STRICT  # type: ignore[misc]  # as above

    location: Location
    energy: _PlainSteps
    pue: NotRequired[Annotated[float, Field(ge=1, le=MAX_PUE, allow_inf_nan=False)]]
    signal: NotRequired[SignalName]
    min_quality: NotRequired[QualityName]
    include: NotRequired[Annotated[list[Literal["hours", "equivalents"]], Field(max_length=2)]]


_PLAIN = TypeAdapter(_PlainJob)
_SIGNALS = {signal.value: signal for signal in Signal}
_QUALITIES = {quality.value: quality for quality in Quality}


def read_job(members: Any, now: datetime) -> Job:  # noqa: ANN401 - JSON of any shape, checked here
    """Check the members of a job. Pure and without waiting, so it may run in a thread. Raises InvalidInput with every fault."""
    return _read_plainly(members, now) or _read_thoroughly(members, now)


def _read_plainly(members: Any, now: datetime) -> Job | None:  # noqa: ANN401 - as above
    """A job of the common form; None when it is of another form, or has any fault."""
    try:
        job = _PLAIN.validator.validate_python(members)
        energy = job["energy"]
        start, step, kwh = to_microseconds(check_range(parse_time(energy["start"]), now)), parse_duration(energy["step"]), energy["kwh"]
        duration = step * len(kwh)
        if step < MIN_STEP or duration > MAX_SPAN_DAYS * MICROSECONDS_PER_DAY or start + duration > to_microseconds(now + HORIZON):
            return None
    except ValueError:  # pydantic's too
        return None
    profile = stepped_profile(start, step, [number or 0.0 for number in kwh])
    signal, min_quality = job.get("signal", "lifecycle"), job.get("min_quality", "annual")
    return Job(job["location"], profile, job.get("pue", 1.0), _SIGNALS[signal], _QUALITIES[min_quality], job.get("include", ()))


def _read_thoroughly(members: Any, now: datetime) -> Job:  # noqa: ANN401 - as above
    request = read_request(EmissionsRequest, members, now)
    faults = []
    if request.location is None and request.intensity_g_per_kwh is None:
        faults.append(Fault("/location", "this field is required, unless intensity_g_per_kwh is given"))
    try:
        profile = read_profile(request)
    except InvalidInput as error:
        raise InvalidInput([*faults, *error.faults]) from None
    if faults:
        raise InvalidInput(faults)
    return Job(
        request.location,
        profile,
        request.pue,
        Signal(request.signal),
        Quality(request.min_quality),
        request.include,
        request.intensity_g_per_kwh,
        isinstance(request.energy, FlatEnergy),
    )
