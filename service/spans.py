"""Lists of intervals, read in compiled code where they are sound; the models tell what is wrong with others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

from pydantic import ConfigDict, FailFast, Field, StringConstraints, TypeAdapter
from typing_extensions import TypedDict

from gridgram.interval import check_range, parse_time, to_microseconds
from service.limits import MAX_ENERGY_KWH, MAX_POINTS, MAX_TIME_CHARACTERS

if TYPE_CHECKING:
    from datetime import datetime


class Span(NamedTuple):
    """An interval [start, end) in microseconds since 1970, and its energy. [kWh]"""

    start: int
    end: int
    kwh: float


_Text = Annotated[str, StringConstraints(max_length=MAX_TIME_CHARACTERS)]


class _Written(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]  # how pydantic configures a typed dictionary

    start: _Text
    end: _Text
    kwh: Annotated[float, Field(ge=0, le=MAX_ENERGY_KWH, allow_inf_nan=False)]


_WRITTEN: Final = TypeAdapter(Annotated[list[_Written], Field(min_length=1, max_length=MAX_POINTS, strict=True), FailFast()])
"""It stops at the first interval that is not sound: the faults of all the others would only take memory here."""


def read_spans(points: object, now: datetime) -> list[Span] | None:
    """Read a list of intervals; None where anything is wrong with it."""
    try:
        written = _WRITTEN.validator.validate_python(points)
        starts, ends = [point["start"] for point in written], [point["end"] for point in written]
        times = {text: parse_time(text) for text in dict.fromkeys(starts + ends)}  # most ends are the next one's start
        check_range(min(times.values()), now)
        check_range(max(times.values()), now)
    except ValueError:  # pydantic's too
        return None
    known = {text: to_microseconds(time) for text, time in times.items()}
    read = known.__getitem__
    return list(map(Span, map(read, starts), map(read, ends), [point["kwh"] for point in written]))
