"""What is asked of forecasts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from service.requests import LocationQuery, SignalName, Time

MAX_AHEAD_HOURS = 336
MAX_DIGITS = 6


def _whole_number(text: object) -> object:
    """A query holds texts; one of digits alone is the number that it writes, everything else is left to be refused."""
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else text


class ForecastQuery(LocationQuery):
    """A place, how far ahead, and from when."""

    hours: Annotated[
        int,
        BeforeValidator(_whole_number),
        Field(ge=1, le=MAX_AHEAD_HOURS, description="How many hours, from the one that holds the time of issue on. [h]"),
    ] = 96
    as_of: Annotated[
        Time | None, Field(description="Forecast as it would have been made then: nothing stamped at or after it is used. Now without it.")
    ] = None
    signal: SignalName = "lifecycle"
    format: Annotated[
        Literal["json", "csv", "parquet"] | None, Field(description="Format of the answer; without it the Accept header decides.")
    ] = None


class SkillQuery(LocationQuery):
    """A place and a signal."""

    signal: SignalName = "lifecycle"
