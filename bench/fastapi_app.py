"""The other yardstick: FastAPI and uvicorn doing the same work, over the same use case and the same hours.

python bench/fastapi_app.py PORT answers POST /v1/emissions as one would write it there: a model for the body, a dictionary for the answer.
"""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from datetime import datetime  # noqa: TC003 - FastAPI reads the annotations at run time
from typing import TYPE_CHECKING, Annotated, Any, Literal

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from gridgram.interval import parse_duration, to_microseconds
from gridgram.profile import stepped_profile
from gridgram.quality import Quality, Signal
from service.app import build_gridgram
from service.jobs import Job
from service.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Steps(BaseModel):
    """Equal steps with their energy. [kWh]"""

    model_config = ConfigDict(extra="forbid")
    start: datetime
    step: str
    kwh: list[Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]]


class EmissionsBody(BaseModel):
    """One job."""

    model_config = ConfigDict(extra="forbid")
    location: str
    energy: Steps
    pue: Annotated[float, Field(ge=1, le=10)] = 1.0
    signal: Literal["lifecycle", "direct", "marginal"] = "lifecycle"
    include: list[Literal["hours", "equivalents"]] = []


if __name__ == "__main__":
    gridgram = build_gridgram(load_settings())

    @asynccontextmanager
    async def lifetime(_: FastAPI) -> AsyncIterator[None]:
        """Let go of the store at the end."""
        yield
        await gridgram.intensity.close()

    app = FastAPI(lifespan=lifetime)

    @app.post("/v1/emissions")
    async def emissions(body: EmissionsBody) -> Any:  # noqa: ANN401 - a dictionary, not checked again
        """Turn one job into emissions."""
        profile = stepped_profile(to_microseconds(body.energy.start), parse_duration(body.energy.step), body.energy.kwh)
        job = Job(body.location, profile, body.pue, Signal(body.signal), Quality.ANNUAL, body.include)
        return await gridgram.emissions(job)

    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)
