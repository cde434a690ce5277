"""What is asked of mixes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from service.requests import EndTime, LocationQuery, Time


class MixQuery(LocationQuery):
    """A place and a span."""

    start: Annotated[Time, Field(description="Start of the span; rounded down to the hour.")]
    end: Annotated[EndTime, Field(description="End of the span, excluded; rounded up to the hour.")]
