"""The operations that clients of Electricity Maps know; each also under /v4 and /free-tier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.facades import electricity_maps_answers as answers
from service.facades import electricity_maps_handlers as handlers
from service.facades import electricity_maps_power as power
from service.facades import electricity_maps_requests as requests
from service.operation import BODY_PROBLEMS, Example, Operation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from service.requests import Request

ROOTS = ("/v4", "/free-tier", "/free-tier/v3")
"""Where the operations of /v3 stand too; clients differ in which they ask."""
_PROBLEMS = ("unknown-location", "no-data")
_FRANCE = {"zone": "FR"}


def _operation(  # noqa: PLR0913, PLR0917 - the parts of an operation
    path: str,
    name: str,
    summary: str,
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    answer: Any,  # noqa: ANN401 - a typed dictionary
    query: type[Request],
    example: dict[str, str],
    *,
    may_be_unchanged: bool = True,
) -> Operation:
    return Operation(
        "GET",
        f"/v3{path}",
        f"electricity_maps_{name}",
        summary,
        handler,
        answer,
        query=query,
        problems=_PROBLEMS,
        example=Example(query=example),
        tag="electricity-maps",
        may_be_unchanged=may_be_unchanged,
        aliases=tuple(f"{root}{path}" for root in ROOTS),
    )


OPERATIONS: tuple[Operation, ...] = (
    _operation(
        "/carbon-intensity/latest",
        "latest",
        "The newest hour of a place.",
        handlers.latest,
        answers.ElectricityMapsLatest,
        requests.ToldQuery,
        _FRANCE,
    ),
    _operation(
        "/carbon-intensity/history",
        "history",
        "The last 24 hours of a place.",
        handlers.history,
        answers.ElectricityMapsHistory,
        requests.ToldQuery,
        _FRANCE,
    ),
    _operation(
        "/carbon-intensity/past",
        "past",
        "The hour of a place that holds an instant.",
        handlers.past,
        answers.ElectricityMapsLatest,
        requests.PastQuery,
        {**_FRANCE, "datetime": "2022-03-11T00:00:00Z"},
    ),
    _operation(
        "/carbon-intensity/past-range",
        "past_range",
        "Hours of a place: the start included, the end excluded, 366 days at most.",
        handlers.past_range,
        answers.ElectricityMapsRange,
        requests.PastRangeQuery,
        {**_FRANCE, "start": "2022-03-11T00:00:00Z", "end": "2022-03-11T03:00:00Z"},
    ),
    _operation(
        "/carbon-intensity/forecast",
        "forecast",
        "The hours ahead of a place.",
        handlers.forecast,
        answers.ElectricityMapsForecast,
        requests.ForecastQuery,
        {**_FRANCE, "horizonHours": "24"},
    ),
    _operation(
        "/power-breakdown/latest",
        "power_latest",
        "What was generated in a place in the newest hour that is known, by fuel.",
        handlers.power_latest,
        power.ElectricityMapsPowerLatest,
        requests.PowerQuery,
        _FRANCE,
    ),
    _operation(
        "/power-breakdown/history",
        "power_history",
        "What was generated in a place in the last 24 hours, by fuel, as far as it is known.",
        handlers.power_history,
        power.ElectricityMapsPowerHistory,
        requests.PowerQuery,
        _FRANCE,
    ),
    _operation(
        "/carbon-intensity-level/latest",
        "level",
        "Whether the newest hour is low, moderate or high beside the ten days before it.",
        handlers.level,
        answers.ElectricityMapsLevel,
        requests.IntensityQuery,
        _FRANCE,
    ),
    _operation(
        "/updated-since",
        "updated_since",
        "The hours of a place whose number was fetched since an instant.",
        handlers.updates,
        answers.ElectricityMapsUpdates,
        requests.UpdatesQuery,
        {**_FRANCE, "since": "2022-03-11T00:00:00Z"},
    ),
    _operation(
        "/home-assistant",
        "home_assistant",
        "The intensity and the share of fossil fuels of the newest hour whose mix a source told; `no-data`, and why, where none did.",
        handlers.home_assistant,
        power.ElectricityMapsHome,
        requests.ToldQuery,
        _FRANCE,
        may_be_unchanged=False,
    ),
    Operation(
        "GET",
        "/v3/zones",
        "electricity_maps_zones",
        "All zones by key, with access to all when a token is sent.",
        handlers.zones,
        answers.ElectricityMapsZones,
        tag="electricity-maps",
        may_be_unchanged=True,
        aliases=tuple(f"{root}/zones" for root in ROOTS),
    ),
    Operation(
        "GET",
        "/health",
        "health",
        "The process is alive; clients of several services look here.",
        handlers.health,
        answers.ElectricityMapsHealth,
        tag="electricity-maps",
        is_open=True,
        aliases=("/v3/health", "/v4/health"),
    ),
    Operation(
        "POST",
        "/beta/carbon-aware-optimizer",
        "electricity_maps_optimizer",
        "The best time and place of a job, found as /v1/schedule finds them.",
        handlers.optimize,
        answers.ElectricityMapsOptimizer,
        body=requests.OptimizerRequest,
        problems=(*BODY_PROBLEMS, *_PROBLEMS),
        example=Example(
            body={
                "duration": "PT2H",
                "startWindow": "2024-03-11T00:00:00Z",
                "endWindow": "2024-03-12T00:00:00Z",
                "locations": [[2.35, 48.85], "DE", {"dataCenterProvider": "aws", "dataCenterRegion": "us-west-2"}],
                "optimizationMetric": "flow-traced_carbon_intensity",
            }
        ),
        tag="electricity-maps",
    ),
)
