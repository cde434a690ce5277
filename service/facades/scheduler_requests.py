"""What clients of the carbon-aware scheduler ask."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from service.facades.asking import Instant, Text  # noqa: TC001 - pydantic reads the annotations at run time
from service.limits import MAX_SCHEDULE_LOCATIONS, MAX_SCHEDULE_OPTIONS
from service.requests import Duration, Request

MAX_WINDOWS: Final = 20


class SchedulerWindow(Request):
    """When the job may run: not before the start, done by the end."""

    start: Instant
    end: Instant


class SchedulerZone(Request):
    """A cloud region."""

    provider: Annotated[Text, Field(examples=["aws"])]
    region: Annotated[Text, Field(examples=["eu-west-3"])]


class SchedulerRequest(Request):
    """A job to be placed."""

    duration: Annotated[Duration, Field(examples=["PT2H"])]
    windows: Annotated[list[SchedulerWindow], Field(min_length=1, max_length=MAX_WINDOWS)]
    zones: Annotated[list[SchedulerZone], Field(min_length=1, max_length=MAX_SCHEDULE_LOCATIONS)]
    num_options: Annotated[int | None, Field(ge=0, le=MAX_SCHEDULE_OPTIONS, description="How many further options are told.")] = 0
