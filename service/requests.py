"""What comes in: strict models of each request, and the faults of one that does not fit.

Unknown fields, lax conversions (a string or `true` for a number), NaN and negative energy are refused, all at once, each with a pointer.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar, cast, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    StringConstraints,
    Tag,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic import WithJsonSchema as JsonSchema

from gridgram.errors import Fault, InvalidInput
from gridgram.interval import check_range, from_microseconds, parse_duration, parse_time, to_microseconds
from gridgram.profile import EnergyProfile, flat_profile, interval_profile, power_profile, stepped_profile
from service.limits import (
    MAX_ENERGY_KWH,
    MAX_FAULTS,
    MAX_INTENSITY_G_PER_KWH,
    MAX_LOCATION_CHARACTERS,
    MAX_POINTS,
    MAX_POWER_W,
    MAX_PUE,
    MAX_SPAN_DAYS,
    MAX_TIME_CHARACTERS,
)
from service.spans import read_spans

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pydantic_core import InitErrorDetails

MICROSECONDS_PER_DAY = 86_400_000_000
MIN_STEP = 1_000_000
"""One second, in microseconds."""
PIECE_POINTS = 256
"""Points of a profile that are checked before it is asked whether there are faults enough to tell."""


def _read_time(text: object, info: ValidationInfo) -> int:
    if not isinstance(text, str):
        raise ValueError("a time is a string, like 2022-03-11T00:00:00Z")  # noqa: TRY004 - pydantic gathers ValueErrors only
    if len(text) > MAX_TIME_CHARACTERS:
        raise ValueError(f"a time has at most {MAX_TIME_CHARACTERS} characters; write it like 2022-03-11T00:00:00Z")
    return to_microseconds(check_range(parse_time(text), _now(info)))


def _now(info: ValidationInfo) -> datetime:
    return cast("dict[str, datetime]", info.context)["now"]


def _read_duration(text: object) -> int:
    if not isinstance(text, str):
        raise ValueError("a duration is a string, like PT1H")  # noqa: TRY004 - pydantic gathers ValueErrors only
    duration = parse_duration(text)
    if not MIN_STEP <= duration <= MAX_SPAN_DAYS * MICROSECONDS_PER_DAY:
        raise ValueError(f"a step lies between one second and {MAX_SPAN_DAYS} days")
    return duration


Time = Annotated[
    int,
    PlainValidator(_read_time),
    JsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "description": "RFC 3339 with an offset, from 2000-01-01 to 14 days ahead.",
            "examples": ["2022-03-11T00:00:00Z"],
        }
    ),
]
EndTime = Annotated[Time, Field(examples=["2022-03-12T00:00:00Z"])]
Duration = Annotated[
    int,
    PlainValidator(_read_duration),
    JsonSchema(
        {
            "type": "string",
            "description": "ISO 8601, a fixed length between one second and 366 days.",
            "pattern": r"^P([0-9]{1,4}W)?([0-9]{1,6}D)?(T([0-9]{1,6}H)?([0-9]{1,8}M)?([0-9]{1,9}(\.[0-9]{1,6})?S)?)?$",
            "examples": ["PT1H", "PT5M"],
        }
    ),
]


def _piecewise(points: object, check: ValidatorFunctionWrapHandler) -> list[Any]:
    """Check a long list piece by piece and stop when there are faults enough: 100,000 of them would cost seconds and hundreds of MiB."""
    if not isinstance(points, list) or not PIECE_POINTS < len(points) <= MAX_POINTS:
        return cast("list[Any]", check(points))
    checked: list[Any] = []
    faults: list[InitErrorDetails] = []
    for first in range(0, len(points), PIECE_POINTS):
        try:
            checked += check(points[first : first + PIECE_POINTS])
        except ValidationError as error:
            faults += [_moved(fault, first) for fault in error.errors(include_url=False, include_input=False)]
            if len(faults) > MAX_FAULTS:
                break
    if faults:
        raise ValidationError.from_exception_data("points", faults)
    return checked


def _moved(fault: Any, by: int) -> InitErrorDetails:  # noqa: ANN401 - pydantic's ErrorDetails, with free context
    """The fault of one point, at the place of the point in the whole list."""
    index, *inner = fault["loc"]
    return {"type": fault["type"], "loc": (index + by, *inner), "input": None, "ctx": fault.get("ctx", {})}


Point = TypeVar("Point")
Points = Annotated[list[Point], Field(min_length=1, max_length=MAX_POINTS), WrapValidator(_piecewise)]
Kwh = Annotated[float, Field(ge=0, le=MAX_ENERGY_KWH, allow_inf_nan=False)]
Watt = Annotated[float, Field(ge=0, le=MAX_POWER_W, allow_inf_nan=False)]
Location = Annotated[str, StringConstraints(min_length=1, max_length=MAX_LOCATION_CHARACTERS)]
SignalName = Literal["lifecycle", "direct", "marginal"]
QualityName = Literal["measured", "preliminary", "estimated", "forecast", "typical", "annual"]


def _plain_zero(number: float) -> float:
    """The number; 0.0 for -0.0, which is no less and would be told again in the answer."""
    return number or 0.0


def _plain_zeros(numbers: list[float]) -> list[float]:
    return [number or 0.0 for number in numbers]


class Request(BaseModel):
    """The rules that all requests share."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Steps(Request):
    """Consecutive steps of equal length."""

    start: Time
    step: Duration

    def check_end(self, steps: int, info: ValidationInfo) -> None:
        """Raise ValueError when so many steps are too long or end too late; before they are laid on hours, which costs memory."""
        end = self.start + self.step * steps
        if fault := _span_fault(self.start, end):
            raise ValueError(fault)
        check_range(from_microseconds(end), _now(info))


class SteppedEnergy(Steps):
    """Consecutive steps of equal length, each with its energy."""

    kwh: Annotated[Points[Kwh], Field(description="Energy of each step. [kWh]")]

    def profile(self) -> EnergyProfile:
        """Lay the steps on the hours."""
        return stepped_profile(self.start, self.step, _plain_zeros(self.kwh))

    @model_validator(mode="after")
    def _ends_in_time(self, info: ValidationInfo) -> Self:
        self.check_end(len(self.kwh), info)
        return self


class FlatEnergy(Request):
    """One total, spread evenly over a span."""

    start: Time
    end: EndTime
    total_kwh: Annotated[Kwh, Field(description="Energy of the whole span. [kWh]")]

    def profile(self) -> EnergyProfile:
        """Lay the span on the hours."""
        return flat_profile(self.start, self.end, _plain_zero(self.total_kwh))


class EnergyInterval(Request):
    """One span with its energy."""

    start: Time
    end: EndTime
    kwh: Annotated[Kwh, Field(description="Energy of the interval. [kWh]")]


def _quickly(points: object, check: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:  # noqa: ANN401 - what has the same members
    """Read sound intervals in compiled code; the models tell what is wrong with others."""
    return read_spans(points, _now(info)) or check(points)


class IntervalEnergy(Request):
    """Spans with their energy, in any order; gaps use nothing, overlaps are refused."""

    intervals: Annotated[Points[EnergyInterval], WrapValidator(_quickly)]

    def profile(self) -> EnergyProfile:
        """Lay the intervals on the hours."""
        return interval_profile([(interval.start, interval.end, _plain_zero(interval.kwh)) for interval in self.intervals])


class PowerEnergy(Steps):
    """Consecutive steps of equal length, each with its mean power."""

    power_w: Annotated[Points[Watt], Field(description="Mean power of each step. [W]")]

    def profile(self) -> EnergyProfile:
        """Turn power into energy and lay it on the hours."""
        return power_profile(self.start, self.step, _plain_zeros(self.power_w))

    @model_validator(mode="after")
    def _ends_in_time(self, info: ValidationInfo) -> Self:
        self.check_end(len(self.power_w), info)
        return self


ENERGY_FORMS: dict[str, type[SteppedEnergy | FlatEnergy | IntervalEnergy | PowerEnergy]] = {
    "kwh": SteppedEnergy,
    "total_kwh": FlatEnergy,
    "intervals": IntervalEnergy,
    "power_w": PowerEnergy,
}
"""The field that gives each form away."""


def _energy_form(energy: object) -> str | None:
    return next((form for form in ENERGY_FORMS if form in energy), None) if isinstance(energy, dict) else None


Energy = Annotated[
    Annotated[SteppedEnergy, Tag("kwh")]
    | Annotated[FlatEnergy, Tag("total_kwh")]
    | Annotated[IntervalEnergy, Tag("intervals")]
    | Annotated[PowerEnergy, Tag("power_w")],
    Discriminator(
        _energy_form,
        custom_error_type="energy_form",
        custom_error_message=(
            "energy is an object in one of four forms: {start, step, kwh[]}, {start, end, total_kwh}, {intervals[]} "
            "or {start, step, power_w[]}"
        ),
    ),
]


class EmissionsRequest(Request):
    """One job: where, when, how much energy."""

    location: Annotated[
        Location | None,
        Field(description="Where the job ran; may be left out only when intensity_g_per_kwh is given.", examples=["FR", "aws:us-west-2"]),
    ] = None
    energy: Energy
    pue: Annotated[
        float,
        Field(ge=1, le=MAX_PUE, allow_inf_nan=False, description="Facility energy / computer energy; 1 when the kWh are the facility's."),
    ] = 1.0
    signal: SignalName = "lifecycle"
    min_quality: Annotated[QualityName, Field(description="The worst quality of an hour that is accepted.")] = "annual"
    intensity_g_per_kwh: Annotated[
        float | None,
        Field(ge=0, le=MAX_INTENSITY_G_PER_KWH, allow_inf_nan=False, description="A flat intensity in place of the grid. [gCO2e/kWh]"),
        AfterValidator(lambda given: given if given is None else _plain_zero(given)),
    ] = None
    include: Annotated[list[Literal["hours", "equivalents"]], Field(max_length=2, description="What to add to the answer.")] = []


class LocationQuery(Request):
    """A place."""

    location: Annotated[Location, Field(description="Any form of a location.", examples=["FR", "gcp:europe-west9", "geo:48.85,2.35"])]


class SeriesQuery(LocationQuery):
    """A place, a span and a signal."""

    start: Annotated[Time, Field(description="Start of the span; rounded down to the hour.")]
    end: Annotated[EndTime, Field(description="End of the span, excluded; rounded up to the hour.")]
    signal: SignalName = "lifecycle"
    format: Annotated[
        Literal["json", "csv", "parquet"] | None, Field(description="Format of the answer; without it the Accept header decides.")
    ] = None


class LatestQuery(LocationQuery):
    """A place and a signal."""

    signal: SignalName = "lifecycle"


class NoQuery(Request):
    """No parameters at all."""


Model = TypeVar("Model", bound=Request)


def read_request(model: type[Model], members: object, now: datetime) -> Model:
    """Check the members of a request against its model. Raises InvalidInput with every fault, each at its JSON pointer."""
    try:
        return model.model_validate(members, context={"now": now})
    except ValidationError as error:
        raise InvalidInput(_faults(error, model)) from None


def read_profile(request: EmissionsRequest) -> EnergyProfile:
    """Lay the request's energy on the hours. Raises InvalidInput when its span is empty, overlaps itself or is too long."""
    try:
        profile = request.energy.profile()
    except ValueError as error:
        raise InvalidInput([Fault("/energy", str(error))]) from None
    check_span(profile.start, profile.end, "/energy")
    return profile


def check_span(start: int, end: int, pointer: str) -> None:
    """Raise InvalidInput for a span that is empty, runs backwards or is longer than a request may ask for."""
    if fault := _span_fault(start, end):
        raise InvalidInput([Fault(pointer, fault)])


def _span_fault(start: int, end: int) -> str:
    if end <= start:
        return "the end is not after the start"
    if end - start > MAX_SPAN_DAYS * MICROSECONDS_PER_DAY:
        days = (end - start) / MICROSECONDS_PER_DAY
        return f"the span is {days:.1f} days long; one request covers at most {MAX_SPAN_DAYS}: split it"
    return ""


def _faults(error: ValidationError, model: type[BaseModel]) -> list[Fault]:
    problems = error.errors(include_url=False, include_input=False)
    faults = [_fault(problem, model) for problem in problems[:MAX_FAULTS]]
    if len(problems) > MAX_FAULTS:
        faults.append(Fault("", f"and at least {len(problems) - MAX_FAULTS} more"))  # a long list is not checked to its end
    return faults


def _fault(problem: Any, model: type[BaseModel]) -> Fault:  # noqa: ANN401 - pydantic's ErrorDetails, with free context
    place = problem["loc"]
    visible = [part for index, part in enumerate(place) if not (index and place[index - 1] == "energy" and part in ENERGY_FORMS)]
    pointer = "".join(f"/{_escape(str(part))}" for part in visible)
    match problem["type"]:
        case "extra_forbidden":
            detail = _unknown_field(str(place[-1]), _known_fields(model, place[:-1]))
        case "missing":
            detail = "this field is required"
        case "model_type":
            detail = "this is an object with fields"
        case "value_error":
            detail = str(problem["ctx"]["error"])
        case _:
            detail = problem["msg"]
    return Fault(pointer, detail)


def _unknown_field(name: str, known: list[str]) -> str:
    close = get_close_matches(name[:MAX_LOCATION_CHARACTERS], known, n=1)
    return (
        f"there is no such field; did you mean {close[0]!r}?" if close else f"there is no such field; the known ones are {', '.join(known)}"
    )


def _known_fields(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """The fields of the model at this place of a request."""
    forms = [model]
    for part in place:
        if len(forms) > 1:  # the name of a form is that of the field that gives it away
            forms = [form for form in forms if part in form.model_fields][:1] or forms
        elif part in forms[0].model_fields:
            forms = list(_models_in(forms[0].model_fields[str(part)].annotation)) or forms
    return list(forms[0].model_fields)


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """The models that a field may hold, whatever list, union or annotation is about them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _escape(part: str) -> str:
    return part[:MAX_LOCATION_CHARACTERS].replace("~", "~0").replace("/", "~1")
