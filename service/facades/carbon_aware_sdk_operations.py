"""The operations that clients of the Carbon Aware SDK's web API know."""

from __future__ import annotations

from service.facades import carbon_aware_sdk_answers as answers
from service.facades import carbon_aware_sdk_handlers as handlers
from service.facades import carbon_aware_sdk_requests as requests
from service.operation import BODY_PROBLEMS, Example, Operation

_PROBLEMS = ("unknown-location", "no-data")
_TAG = "carbon-aware-sdk"
_SPAN = {"startTime": "2022-03-11T00:00:00Z", "endTime": "2022-03-11T03:30:00Z"}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/emissions/bylocation",
        "carbon_aware_by_location",
        "The hours of a location, or its newest one.",
        handlers.by_location,
        answers.CarbonAwareEmissionsList,
        query=requests.LocationQuery,
        problems=_PROBLEMS,
        example=Example(query={"location": "francecentral", "time": "2022-03-11T00:00:00Z", "toTime": "2022-03-11T03:00:00Z"}),
        tag=_TAG,
    ),
    Operation(
        "GET",
        "/emissions/bylocations",
        "carbon_aware_by_locations",
        "The hours of several locations, or the newest of each.",
        handlers.by_locations,
        answers.CarbonAwareEmissionsList,
        query=requests.LocationsQuery,
        problems=_PROBLEMS,
        example=Example(query={"location": "francecentral"}),
        tag=_TAG,
    ),
    Operation(
        "GET",
        "/emissions/bylocations/best",
        "carbon_aware_best",
        "The hour with the least intensity among several locations.",
        handlers.best,
        answers.CarbonAwareEmissionsList,
        query=requests.LocationsQuery,
        problems=_PROBLEMS,
        example=Example(query={"location": "francecentral"}),
        tag=_TAG,
    ),
    Operation(
        "GET",
        "/emissions/forecasts/current",
        "carbon_aware_forecast",
        "The hours ahead of several locations as means over a window, and the best.",
        handlers.current_forecast,
        answers.CarbonAwareForecastList,
        query=requests.CurrentForecastQuery,
        problems=_PROBLEMS,
        example=Example(query={"location": "francecentral", "windowSize": "90"}),
        tag=_TAG,
    ),
    Operation(
        "POST",
        "/emissions/forecasts/batch",
        "carbon_aware_forecast_batch",
        "Forecasts as they would have been made at past instants.",
        handlers.forecast_batch,
        answers.CarbonAwareForecastList,
        body=requests.CarbonAwareForecastBatch,
        problems=(*BODY_PROBLEMS, *_PROBLEMS),
        example=Example(body=[{"requestedAt": "2022-03-11T00:00:00Z", "location": "francecentral", "windowSize": 60}]),
        tag=_TAG,
    ),
    Operation(
        "GET",
        "/emissions/average-carbon-intensity",
        "carbon_aware_average",
        "The mean of a span, to the second.",
        handlers.average,
        answers.CarbonAwareAverage,
        query=requests.AverageQuery,
        problems=_PROBLEMS,
        example=Example(query={"location": "francecentral", **_SPAN}),
        tag=_TAG,
    ),
    Operation(
        "POST",
        "/emissions/average-carbon-intensity/batch",
        "carbon_aware_average_batch",
        "The means of many spans; the locations may differ.",
        handlers.average_batch,
        answers.CarbonAwareAverageList,
        body=requests.CarbonAwareAverageBatch,
        problems=(*BODY_PROBLEMS, *_PROBLEMS),
        example=Example(body=[{"location": "francecentral", **_SPAN}, {"location": "DE", **_SPAN}]),
        tag=_TAG,
    ),
    Operation(
        "GET",
        "/locations",
        "carbon_aware_locations",
        "All zones and cloud regions, with their coordinates.",
        handlers.locations,
        answers.CarbonAwareLocations,
        tag=_TAG,
        may_be_unchanged=True,
    ),
)
