"""What clients of WattTime ask: the parameters that they send, and no others."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, PlainValidator
from pydantic import WithJsonSchema as JsonSchema

from gridgram.quality import Signal
from service.facades.asking import Degrees, Flag, Instant, Text, read_whole
from service.requests import Request

SIGNALS: Final = {"co2_moer": Signal.MARGINAL, "co2_aoer": Signal.DIRECT}
"""Marginal and average operating emissions, both of what plants burn."""
MAX_HORIZON_HOURS: Final = 72

Horizon = Annotated[
    int,
    PlainValidator(read_whole),
    Field(ge=0, le=MAX_HORIZON_HOURS),
    JsonSchema({"type": "integer", "minimum": 0, "maximum": MAX_HORIZON_HOURS, "description": "How many hours ahead; 0 is now alone. [h]"}),
]
SignalType = Annotated[
    Literal["co2_moer", "co2_aoer"], Field(description="Marginal or average operating emissions; one never stands in for the other.")
]


class SignalQuery(Request):
    """A signal."""

    signal_type: SignalType = "co2_moer"

    @property
    def signal(self) -> Signal:
        """The signal that is asked for."""
        return SIGNALS[self.signal_type]


class RegionQuery(SignalQuery):
    """A region and a signal."""

    region: Annotated[Text, Field(description="A region of WattTime's, or any location.", examples=["CAISO_NORTH"])]


class HistoricalQuery(RegionQuery):
    """A span of a region, both ends included."""

    start: Annotated[Instant, Field(description="The first point.")]
    end: Annotated[Instant, Field(description="The last point.")]
    model: Annotated[Text | None, Field(description="Taken and of no effect: there is one.")] = None
    include_imputed_marker: Annotated[
        Flag, Field(description="Tell of each point whether it was estimated.", json_schema_extra={"default": "false"})
    ] = False


class ForecastQuery(RegionQuery):
    """The hours ahead of a region."""

    horizon_hours: Horizon = 24
    model: Annotated[Text | None, Field(description="Taken and of no effect: there is one.")] = None


class PointQuery(SignalQuery):
    """A point and a signal."""

    latitude: Degrees
    longitude: Degrees
