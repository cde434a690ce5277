"""A job as the use cases take it: the members of a request, checked, its energy laid on the hours.

The common form (one place, a short list of equal steps) is checked in compiled code alone. Every other form, and whatever that
check refuses, goes through the models of `service.requests`, which name each fault; they decide, and a test holds the short way to them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple

from msgspec import UNSET, Meta, Struct, UnsetType, ValidationError, convert
from msgspec.json import Decoder

from gridgram.errors import Fault, InvalidInput
from gridgram.interval import EARLIEST, HORIZON, parse_duration, parse_microseconds, to_microseconds
from gridgram.profile import stepped_profile
from gridgram.quality import Quality, Signal
from service.limits import MAX_ENERGY_KWH, MAX_LOCATION_CHARACTERS, MAX_PUE, MAX_SPAN_DAYS, MAX_TIME_CHARACTERS
from service.requests import (
    MICROSECONDS_PER_DAY,
    MIN_STEP,
    EmissionsRequest,
    FlatEnergy,
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


class _PlainSteps(Struct, forbid_unknown_fields=True):
    start: Annotated[str, Meta(max_length=MAX_TIME_CHARACTERS)]
    step: Annotated[str, Meta(max_length=MAX_TIME_CHARACTERS)]
    kwh: Annotated[list[Annotated[float, Meta(ge=0, le=MAX_ENERGY_KWH)]], Meta(min_length=1, max_length=PLAIN_STEPS)]


class _PlainJob(Struct, forbid_unknown_fields=True):
    location: Annotated[str, Meta(min_length=1, max_length=MAX_LOCATION_CHARACTERS)]
    energy: _PlainSteps
    pue: Annotated[float, Meta(ge=1, le=MAX_PUE)] | UnsetType = UNSET
    signal: Signal | UnsetType = UNSET
    min_quality: Quality | UnsetType = UNSET
    include: Annotated[list[Literal["hours", "equivalents"]], Meta(max_length=2)] | UnsetType = UNSET


_PLAIN: Final = Decoder(_PlainJob)
_EARLIEST: Final = to_microseconds(EARLIEST)
_HORIZON: Final = HORIZON // timedelta(microseconds=1)
_LONGEST: Final = MAX_SPAN_DAYS * MICROSECONDS_PER_DAY


def read_job(members: Any, now: datetime) -> Job:  # noqa: ANN401 - JSON of any shape, checked here
    """Check the members of a job. Pure and without waiting, so it may run in a thread. Raises InvalidInput with every fault."""
    return _read_plainly(members, now) or _read_thoroughly(members, now)


def read_plain_json(body: bytes, now: datetime) -> Job | None:
    """A job of the common form, straight from its JSON; None when it is of another form, has any fault, or may repeat a key."""
    if b"\\" in body:  # an escaped key can repeat one that is written plainly
        return None
    try:
        job = _PLAIN.decode(body)
    except ValueError:  # msgspec's, and what is not UTF-8
        return None
    # A repeated key vanishes in reading, and its colon with it. Besides keys only these two texts of a sound job may hold one.
    unset = [job.pue, job.signal, job.min_quality, job.include].count(UNSET)
    colons = len(_PlainJob.__struct_fields__) - unset + len(_PlainSteps.__struct_fields__)
    if body.count(b":") != colons + job.location.count(":") + job.energy.start.count(":"):
        return None
    return _plain_job(job, now)


def _read_plainly(members: Any, now: datetime) -> Job | None:  # noqa: ANN401 - as above
    """A job of the common form; None when it is of another form, or has any fault."""
    try:
        return _plain_job(convert(members, _PlainJob), now)
    except ValidationError:
        return None


def _plain_job(job: _PlainJob, now: datetime) -> Job | None:
    """The job, unless its steps are too short, too long or reach too far, or there is no such time or quality."""
    kwh = job.energy.kwh
    try:
        start, step = parse_microseconds(job.energy.start), parse_duration(job.energy.step)
    except ValueError:
        return None
    duration, latest = step * len(kwh), to_microseconds(now) + _HORIZON
    if step < MIN_STEP or duration > _LONGEST or not _EARLIEST <= start <= latest - duration or job.min_quality is Quality.GIVEN:
        return None
    return Job(
        job.location,
        stepped_profile(start, step, [number or 0.0 for number in kwh] if 0.0 in kwh else kwh),  # -0.0 would be told again
        1.0 if job.pue is UNSET else job.pue,
        Signal.LIFECYCLE if job.signal is UNSET else job.signal,
        Quality.ANNUAL if job.min_quality is UNSET else job.min_quality,
        () if job.include is UNSET else job.include,
    )


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
