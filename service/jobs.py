"""A job as the use cases take it: the members of a request, checked, its energy laid on the hours.

The common form (one place, a short list of equal steps) is checked here, in a fifth of the time. Every other form, and whatever that
check refuses, goes through the models of `service.requests`, which name each fault; they decide, and a test holds the short way to them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

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


_JOB_KEYS: Final = frozenset({"location", "energy", "pue", "signal", "min_quality", "include"})
_STEPS_KEYS: Final = frozenset({"start", "step", "kwh"})
_INCLUDED: Final = frozenset({"hours", "equivalents"})
_NUMBERS: Final = frozenset({float, int})
_FLOATS: Final = frozenset({float})
_EARLIEST: Final = to_microseconds(EARLIEST)
_HORIZON: Final = HORIZON // timedelta(microseconds=1)
_LONGEST: Final = MAX_SPAN_DAYS * MICROSECONDS_PER_DAY
_SIGNALS: Final = {signal.value: signal for signal in Signal}
_QUALITIES: Final = {quality.value: quality for quality in Quality if quality is not Quality.GIVEN}


def read_job(members: Any, now: datetime) -> Job:  # noqa: ANN401 - JSON of any shape, checked here
    """Check the members of a job. Pure and without waiting, so it may run in a thread. Raises InvalidInput with every fault."""
    return _read_plainly(members, now) or _read_thoroughly(members, now)


def read_plain_json(body: bytes, now: datetime) -> Job | None:
    """A job of the common form, straight from its JSON; None when it is of another form, has any fault, or may repeat a key."""
    if b"\\" in body:  # an escaped key can repeat one that is written plainly
        return None
    try:
        members = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    job = _read_plainly(members, now)
    if job is None or job.location is None:
        return None
    # A repeated key vanishes in reading, and its colon with it. Besides keys only these two texts of a sound job may hold one.
    energy = members["energy"]
    colons = len(members) + len(energy) + job.location.count(":") + energy["start"].count(":")
    return job if body.count(b":") == colons else None


def _read_plainly(members: Any, now: datetime) -> Job | None:  # noqa: ANN401 - as above
    """A job of the common form; None when it is of another form, or has any fault."""
    try:
        energy, location, pue, include = members["energy"], members["location"], members.get("pue", 1.0), members.get("include", ())
        if (
            not members.keys() <= _JOB_KEYS
            or energy.keys() != _STEPS_KEYS
            or type(location) is not str
            or not 0 < len(location) <= MAX_LOCATION_CHARACTERS
            or type(pue) not in _NUMBERS
            or not 1 <= pue <= MAX_PUE
            or (include and type(include) is not list)
            or not len(include) <= len(_INCLUDED)
            or not _INCLUDED.issuperset(include)
        ):
            return None
        signal, min_quality = _SIGNALS[members.get("signal", "lifecycle")], _QUALITIES[members.get("min_quality", "annual")]
        profile = _plain_profile(energy["start"], energy["step"], energy["kwh"], now)
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return None if profile is None else Job(location, profile, float(pue), signal, min_quality, include)


def _plain_profile(start_text: Any, step_text: Any, kwh: Any, now: datetime) -> EnergyProfile | None:  # noqa: ANN401 - as above
    """The profile of equal steps; None when one of the three is not what it should be. Raises ValueError and TypeError too."""
    if type(start_text) is not str or len(start_text) > MAX_TIME_CHARACTERS or type(step_text) is not str or type(kwh) is not list:
        return None
    kinds, least_kwh = set(map(type, kwh)), min(kwh)
    if not kinds <= _NUMBERS or len(kwh) > PLAIN_STEPS or not least_kwh >= 0:
        return None
    if not least_kwh or kinds != _FLOATS:  # -0.0 is no less than 0.0, and would be told again in the answer
        kwh = [float(number) or 0.0 for number in kwh]
    start, step = parse_microseconds(start_text), parse_duration(step_text)
    duration, latest = step * len(kwh), to_microseconds(now) + _HORIZON
    if step < MIN_STEP or duration > _LONGEST or not _EARLIEST <= start <= latest - duration:
        return None
    profile = stepped_profile(start, step, kwh)
    return profile if profile.total_kwh <= MAX_ENERGY_KWH else None  # so is each of them; NaN is not


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
