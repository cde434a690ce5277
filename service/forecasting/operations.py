"""The operations of forecasts."""

from __future__ import annotations

from service.forecasting import answers, handlers
from service.forecasting.requests import ForecastQuery, SkillQuery
from service.formats import CSV_TYPE, JSON_TYPE, PARQUET_TYPE
from service.operation import Example, Operation

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/forecast",
        "forecast",
        "The hours ahead, with p10-p90 bands: a source's own forecast where there is one, else ours, else what is typical.",
        handlers.forecast,
        answers.ForecastAnswer,
        query=ForecastQuery,
        produces=(JSON_TYPE, CSV_TYPE, PARQUET_TYPE),
        problems=("unknown-location", "no-data", "not-acceptable"),
        example=Example(query={"location": "FR", "hours": "24"}),
        tag="forecast",
        may_be_unchanged=True,
    ),
    Operation(
        "GET",
        "/v1/forecast/skill",
        "skill",
        "What the forecasts of the last 32 days turned out to be worth, by day ahead, beside naive ones.",
        handlers.skill,
        answers.SkillAnswer,
        query=SkillQuery,
        problems=("unknown-location",),
        example=Example(query={"location": "FR"}),
        tag="forecast",
    ),
)
