"""What trackers send and what is asked of runs.

The records of CodeCarbon (3.3.2: output_methods/http.py, core/schemas.py) are another's format: fields that a newer one adds are no fault,
and what came is kept whole beside what is read of it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints

from service.limits import MAX_ENERGY_KWH, MAX_SPAN_DAYS, MAX_TIME_CHARACTERS
from service.requests import Energy, Location, Request

MAX_RUN_STEPS = 10_000
"""Steps of energy in one request to a run."""
MAX_TRACKER_TEXT = 1_000
MAX_RUNS_OF_A_PAGE = 100
MAX_SECONDS = MAX_SPAN_DAYS * 86_400.0
MAX_KG = MAX_ENERGY_KWH
MAX_DIGITS = 6


def _clean(text: str | None) -> str | None:
    """The text without NUL and other control characters, which no name has and PostgreSQL does not take."""
    return text if text is None or text.isprintable() else "".join(character for character in text if character.isprintable())


def _whole_number(text: object) -> object:
    """A query holds texts; one of few digits alone is the number that it writes, everything else is left to be refused."""
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else text


Text = Annotated[str | None, StringConstraints(max_length=MAX_TRACKER_TEXT), AfterValidator(_clean)]
Stamp = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TIME_CHARACTERS)]
Kwh = Annotated[float, Field(ge=0, le=MAX_ENERGY_KWH, allow_inf_nan=False)]
Kg = Annotated[float, Field(ge=0, le=MAX_KG, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)]
Degrees = Annotated[float | None, Field(ge=-180, le=180, allow_inf_nan=False)]


class TrackerRecord(Request):
    """The rules of what trackers send: types as they are, further fields let be."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, hide_input_in_errors=True)


class CodeCarbonTotal(TrackerRecord):
    """What CodeCarbon's HTTP output posts: all since the start of the run. Energy has the PUE in it. [s, kg, kWh]"""

    timestamp: Annotated[Stamp, Field(description="When it was sent; without an offset it is the tracker's wall clock.")]
    run_id: Annotated[Text, Field(description="A UUID; the text None when CodeCarbon's API output is on too.")] = None
    experiment_id: Text = None
    project_name: Text = None
    duration: Annotated[Seconds, Field(description="Since the start of the run. [s]")]
    energy_consumed: Annotated[Kwh, Field(description="Since the start of the run. [kWh]")]
    emissions: Annotated[Kg | None, Field(description="What the tracker itself makes of it. [kgCO2e]")] = None
    country_iso_code: Text = None
    region: Text = None
    cloud_provider: Text = None
    cloud_region: Text = None
    on_cloud: Text = None
    longitude: Degrees = None
    latitude: Degrees = None
    user: Text = None
    os: Text = None
    cpu_model: Text = None
    gpu_model: Text = None
    codecarbon_version: Text = None


class CodeCarbonRun(TrackerRecord):
    """What CodeCarbon's API output posts first: a run begins."""

    timestamp: Stamp
    experiment_id: Text = None
    codecarbon_version: Text = None
    region: Annotated[Text, Field(description="The cloud's region.")] = None
    provider: Annotated[Text, Field(description="The cloud.")] = None
    longitude: Degrees = None
    latitude: Degrees = None


class CodeCarbonDelta(TrackerRecord):
    """What CodeCarbon's API output posts then: all since the last time. [s, kg, kWh]"""

    timestamp: Stamp
    run_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    duration: Annotated[Seconds, Field(description="Since the last time, whole seconds. [s]")]
    energy_consumed: Annotated[Kwh, Field(description="Since the last time. [kWh]")]
    emissions_sum: Annotated[Kg | None, Field(description="What the tracker itself makes of it. [kgCO2e]")] = None


class RunEnergyRequest(Request):
    """Energy that a run used, from any tracker. The first one of a run begins it and says where it runs."""

    location: Annotated[Location | None, Field(description="Where it runs; needed once, with the first energy.", examples=["FR"])] = None
    name: Annotated[
        str | None, StringConstraints(min_length=1, max_length=200), AfterValidator(_clean), Field(description="For people.")
    ] = None
    energy: Annotated[Energy, Field(description="As in /v1/emissions, as the facility's meter saw it; at most 10,000 steps.")]
    tracker_emissions_g: Annotated[
        float | None,
        Field(ge=0, le=MAX_KG * 1_000, allow_inf_nan=False, description="What the tracker itself makes of all of it. [gCO2e]"),
    ] = None


class CodeCarbonQuery(Request):
    """Where the tracker runs, when it cannot know."""

    location: Annotated[Location | None, Field(description="Counts before what the tracker says.", examples=["FR"])] = None


class RunsQuery(Request):
    """A page of runs."""

    limit: Annotated[int, BeforeValidator(_whole_number), Field(ge=1, le=MAX_RUNS_OF_A_PAGE, description="Runs of the page.")] = 20
    after: Annotated[str | None, StringConstraints(max_length=200), Field(description="`next` of the page before.")] = None


class RunQuery(Request):
    """One run over time."""

    step: Annotated[Literal["PT1H", "P1D"], Field(description="Of what `over_time` tells.")] = "P1D"
