"""What clients of Electricity Maps ask: the parameters that they send, and no others."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PlainValidator
from pydantic import WithJsonSchema as JsonSchema

from gridgram.errors import Fault, InvalidInput
from gridgram.quality import Signal
from service.facades.asking import Flag, Instant, PlaceQuery, Text, cloud_region, point, read_whole
from service.forecasting.requests import MAX_AHEAD_HOURS
from service.limits import MAX_SCHEDULE_LOCATIONS
from service.requests import Duration, Request

MAX_UPDATES = 1_000
GRANULARITY = "hourly"

Granularity = Annotated[Literal["hourly"], Field(description="Hours are all that is told.")]
Horizon = Annotated[
    int,
    PlainValidator(read_whole),
    Field(ge=1, le=MAX_AHEAD_HOURS),
    JsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_AHEAD_HOURS, "description": "How many hours ahead. [h]"}),
]
UpdateLimit = Annotated[
    int,
    PlainValidator(read_whole),
    Field(ge=1, le=MAX_UPDATES),
    JsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_UPDATES, "description": "How many updates are told at most."}),
]


class IntensityQuery(PlaceQuery):
    """A place, and which emissions count."""

    emissionFactorType: Annotated[
        Literal["lifecycle", "direct"] | None,
        Field(description="Signal of the numbers; one never stands in for the other. Without it what the service is set to: lifecycle."),
    ] = None
    temporalGranularity: Granularity = "hourly"

    @property
    def signal(self) -> Signal:
        """The signal that is asked for."""
        return Signal(self.emissionFactorType or Signal.LIFECYCLE)


class ToldQuery(IntensityQuery):
    """Hours that are over or present."""

    disableEstimations: Annotated[
        Flag, Field(description="Leave out every hour that is not measured.", json_schema_extra={"default": "false"})
    ] = False


class PowerQuery(PlaceQuery):
    """A place whose generation is asked for, over hours that are over or present."""

    temporalGranularity: Granularity = "hourly"
    emissionFactorType: Annotated[
        Literal["lifecycle", "direct"] | None, Field(description="Taken and of no effect: a mix is the same by both.")
    ] = None
    disableEstimations: Annotated[
        Flag, Field(description="Leave out every hour that is not measured.", json_schema_extra={"default": "false"})
    ] = False


class PastQuery(ToldQuery):
    """One hour."""

    datetime: Annotated[Instant, Field(description="Any time in the hour.")]


class PastRangeQuery(ToldQuery):
    """A span of hours."""

    start: Annotated[Instant, Field(description="Start of the span; rounded down to the hour.")]
    end: Annotated[Instant, Field(description="End of the span, excluded; rounded up to the hour.")]


class ForecastQuery(IntensityQuery):
    """The hours ahead."""

    horizonHours: Horizon = 24
    environment: Annotated[Literal["latest", "support"] | None, Field(description="Taken and of no effect.")] = None


class UpdatesQuery(IntensityQuery):
    """Which hours have got another number since when."""

    since: Annotated[Instant, Field(description="Updates at or after this time.")]
    start: Annotated[Instant | None, Field(description="Start of the span of hours; ten days before its end without it.")] = None
    end: Annotated[Instant | None, Field(description="End of the span of hours, excluded; now without it.")] = None
    limit: UpdateLimit = 100
    threshold: Annotated[Duration | None, Field(description="Only what came later than so long after the start of its hour.")] = None


class DataCenter(Request):
    """A cloud region."""

    dataCenterProvider: Text
    dataCenterRegion: Text


Coordinate = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Coordinates = Annotated[list[Coordinate], Field(min_length=2, max_length=2, description="Longitude, latitude.")]


class OptimizerRequest(Request):
    """A job to be placed: how long it takes, between when, and where it may run."""

    duration: Annotated[Duration, Field(examples=["PT2H"])]
    startWindow: Annotated[Instant, Field(description="When it may start.")]
    endWindow: Annotated[Instant, Field(description="When it must be done.")]
    locations: Annotated[list[Text | DataCenter | Coordinates], Field(min_length=1, max_length=MAX_SCHEDULE_LOCATIONS)]
    optimizationMetric: Literal["flow-traced_carbon_intensity"] = "flow-traced_carbon_intensity"
    powerConsumption: Annotated[
        float | None, Field(gt=0, allow_inf_nan=False, description="Taken and of no effect: the power is held to be even.")
    ] = None

    def places(self) -> list[str]:
        """The locations as names. Raises InvalidInput for a cloud provider that is not known."""
        return [_name(place, index) for index, place in enumerate(self.locations)]


def _name(place: str | DataCenter | list[float], index: int) -> str:
    if isinstance(place, str):
        return place
    if isinstance(place, list):
        longitude, latitude = place
        return point(latitude, longitude)
    try:
        return cloud_region(place.dataCenterProvider, place.dataCenterRegion)
    except InvalidInput as error:
        raise InvalidInput([Fault(f"/locations/{index}{fault.pointer}", fault.detail) for fault in error.faults]) from None
