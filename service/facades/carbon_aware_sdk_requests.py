"""What clients of the Carbon Aware SDK's web API ask: its parameters, the older spellings that its clients send, and no others."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from pydantic import Field, PlainValidator, RootModel
from pydantic import WithJsonSchema as JsonSchema

from gridgram.errors import Fault, InvalidInput
from gridgram.interval import MICROSECONDS_PER_HOUR
from service.facades.asking import Instant, RepeatedQuery, Text, read_whole
from service.forecasting.requests import MAX_AHEAD_HOURS
from service.limits import MAX_SCHEDULE_LOCATIONS
from service.requests import Request

MAX_FORECASTS: Final = 32
MAX_AVERAGES: Final = 1_000
MAX_WINDOW_MINUTES: Final = MAX_AHEAD_HOURS * 60
_WINDOW = "The length of the job in minutes: each value is the mean over so long. [min]"

Minutes = Annotated[
    int,
    PlainValidator(read_whole),
    Field(ge=1, le=MAX_WINDOW_MINUTES),
    JsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_WINDOW_MINUTES, "description": _WINDOW}),
]
Names = Annotated[list[Text], Field(max_length=MAX_SCHEDULE_LOCATIONS, description="Locations; the parameter may stand several times.")]


def _one_of(name: str, one: int | None, other_name: str, other: int | None) -> int | None:
    if one is not None and other is not None and one != other:
        raise InvalidInput([Fault(f"/{other_name}", f"{name} and {other_name} are two names of one thing, and differ; send one")])
    return other if one is None else one


class SpanQuery(RepeatedQuery):
    """When: nothing for the newest hour, a time for its hour, both ends for a span; under either of the names that clients use."""

    time: Annotated[Instant | None, Field(description="Start of the span, or the time itself.")] = None
    toTime: Annotated[Instant | None, Field(description="End of the span.")] = None
    startTime: Annotated[Instant | None, Field(description="The same as time.")] = None
    endTime: Annotated[Instant | None, Field(description="The same as toTime.")] = None

    def span(self) -> tuple[int, int] | None:
        """The span of whole hours [microseconds], None for the newest hour. Raises InvalidInput."""
        start = _one_of("time", self.time, "startTime", self.startTime)
        end = _one_of("toTime", self.toTime, "endTime", self.endTime)
        if start is None:
            if end is not None:
                raise InvalidInput([Fault("/time", "an end is given and no start; send time as well")])
            return None
        if end is not None and end < start:
            raise InvalidInput([Fault("/toTime", "the end lies before the start")])
        first = start // MICROSECONDS_PER_HOUR * MICROSECONDS_PER_HOUR
        return first, max(end or start, first + MICROSECONDS_PER_HOUR)


class LocationQuery(SpanQuery):
    """One location and when."""

    location: Text


class LocationsQuery(SpanQuery):
    """Locations and when."""

    LISTS: ClassVar[frozenset[str]] = frozenset({"location", "locations"})
    location: Annotated[Names, Field(default_factory=list)]
    locations: Annotated[Names, Field(default_factory=list, description="The same, as older clients call it.")]

    def names(self) -> list[str]:
        """The locations, each once. Raises InvalidInput for none."""
        return _names(self.location, self.locations)


class CurrentForecastQuery(RepeatedQuery):
    """Locations, and which part of the forecast."""

    LISTS: ClassVar[frozenset[str]] = frozenset({"location", "locations"})
    location: Annotated[Names, Field(default_factory=list)]
    locations: Annotated[Names, Field(default_factory=list, description="The same, as older clients call it.")]
    dataStartAt: Annotated[Instant | None, Field(description="Start of the part; the present hour's without it.")] = None
    dataEndAt: Annotated[Instant | None, Field(description="End of the part; 96 hours after the present hour's start without it.")] = None
    windowSize: Minutes = 60

    def names(self) -> list[str]:
        """The locations, each once. Raises InvalidInput for none."""
        return _names(self.location, self.locations)


def _names(*lists: list[str]) -> list[str]:
    names = list(dict.fromkeys(name for names in lists for name in names))
    if not names:
        raise InvalidInput([Fault("/location", "this parameter is required; it may stand several times")])
    return names


class AverageQuery(RepeatedQuery):
    """A location and a span."""

    location: Text
    startTime: Annotated[Instant, Field(description="Start of the span, to the second.")]
    endTime: Annotated[Instant, Field(description="End of the span, excluded.")]


class ForecastBatchItem(Request):
    """A forecast as it was known at an instant."""

    requestedAt: Annotated[Instant, Field(description="Nothing that was told at or after this time is used.")]
    location: Text
    dataStartAt: Instant | None = None
    dataEndAt: Instant | None = None
    windowSize: Annotated[int, Field(ge=1, le=MAX_WINDOW_MINUTES, description=_WINDOW)] = 60


class AverageBatchItem(Request):
    """A location and a span."""

    location: Text
    startTime: Instant
    endTime: Instant


class CarbonAwareForecastBatch(RootModel[Annotated[list[ForecastBatchItem], Field(min_length=1, max_length=MAX_FORECASTS)]]):
    """Forecasts as they were known."""


class CarbonAwareAverageBatch(RootModel[Annotated[list[AverageBatchItem], Field(min_length=1, max_length=MAX_AVERAGES)]]):
    """Spans whose mean is asked for."""
