"""The operations that clients of WattTime know."""

from __future__ import annotations

from service.facades import watttime_answers as answers
from service.facades import watttime_handlers as handlers
from service.facades import watttime_requests as requests
from service.operation import Example, Operation

_PROBLEMS = ("unknown-location", "no-data")
_FRANCE = {"region": "FR", "signal_type": "co2_aoer"}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/login",
        "watttime_login",
        "A token for a user name and a password; the password is a key of this service where it has keys.",
        handlers.login,
        answers.WattTimeToken,
        problems=("unauthorized",),
        tag="watttime",
        is_open=True,
    ),
    Operation(
        "GET",
        "/v3/historical",
        "watttime_historical",
        "The points of a region in lb/MWh, both ends included.",
        handlers.historical,
        answers.WattTimePoints,
        query=requests.HistoricalQuery,
        problems=_PROBLEMS,
        example=Example(query={**_FRANCE, "start": "2022-03-11T00:00:00Z", "end": "2022-03-11T00:55:00Z"}),
        tag="watttime",
        may_be_unchanged=True,
    ),
    Operation(
        "GET",
        "/v3/forecast",
        "watttime_forecast",
        "The points ahead of a region in lb/MWh.",
        handlers.forecast,
        answers.WattTimePoints,
        query=requests.ForecastQuery,
        problems=_PROBLEMS,
        example=Example(query={**_FRANCE, "horizon_hours": "24"}),
        tag="watttime",
        may_be_unchanged=True,
    ),
    Operation(
        "GET",
        "/v3/signal-index",
        "watttime_signal_index",
        "The percentile of the newest hour among those of the last 30 days.",
        handlers.signal_index,
        answers.WattTimePoints,
        query=requests.RegionQuery,
        problems=_PROBLEMS,
        example=Example(query=_FRANCE),
        tag="watttime",
        may_be_unchanged=True,
    ),
    Operation(
        "GET",
        "/v3/region-from-loc",
        "watttime_region",
        "The region of a point.",
        handlers.region_from_loc,
        answers.WattTimeRegion,
        query=requests.PointQuery,
        problems=("unknown-location",),
        example=Example(query={"latitude": "48.85", "longitude": "2.35", "signal_type": "co2_aoer"}),
        tag="watttime",
    ),
    Operation(
        "GET",
        "/v3/my-access",
        "watttime_access",
        "The regions that can be asked for, by signal.",
        handlers.my_access,
        answers.WattTimeAccess,
        tag="watttime",
    ),
)
