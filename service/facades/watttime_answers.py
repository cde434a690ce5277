"""What clients of WattTime read."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict  # pydantic makes schemas of this one only, on Python 3.11


class WattTimeModel(TypedDict):
    """Which model made the numbers: this service's version, by the date of its contract."""

    date: str
    type: str


class WattTimeMeta(TypedDict):
    """What holds for all points. `warnings` say that hours are spread over five-minute points, which are estimated, and of what place.

    `provenance` tells where the numbers come from.
    """

    data_point_period_seconds: int
    region: str
    signal_type: str
    units: str
    model: WattTimeModel
    warnings: list[str]
    generated_at: NotRequired[str]
    provenance: list[dict[str, Any]]


class WattTimePoint(TypedDict):
    """One point, named by its start. [lb/MWh, or percent for an index] `last_updated` is when the hour was fetched."""

    point_time: str
    value: float
    last_updated: NotRequired[str]
    imputed_data_used: NotRequired[bool]


class WattTimePoints(TypedDict):
    """Points and what holds for all of them."""

    data: list[WattTimePoint]
    meta: WattTimeMeta


class WattTimeToken(TypedDict):
    """What to send as `Authorization: Bearer` from now on."""

    token: str


class WattTimeRegion(TypedDict):
    """The region of a point."""

    region: str
    region_full_name: str
    signal_type: str


class WattTimeAccessModel(TypedDict):
    """A model, and from when on hours of it can be asked for."""

    model: str
    type: str
    data_start: str
    train_start: str
    train_end: str


class WattTimeEndpoint(TypedDict):
    """An operation of a region."""

    endpoint: Literal["v3/historical", "v3/forecast", "v3/signal-index"]
    models: list[WattTimeAccessModel]


class WattTimeAccessRegion(TypedDict):
    """A region that can be asked for."""

    region: str
    region_full_name: str
    endpoints: list[WattTimeEndpoint]


class WattTimeAccessSignal(TypedDict):
    """A signal and the regions that have it."""

    signal_type: str
    regions: list[WattTimeAccessRegion]


class WattTimeAccess(TypedDict):
    """What can be asked for."""

    signal_types: list[WattTimeAccessSignal]
