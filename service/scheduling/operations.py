"""The operations that place jobs and rank regions."""

from __future__ import annotations

from service.operation import BODY_PROBLEMS, Example, Operation
from service.scheduling import answers, handlers
from service.scheduling.requests import RankQuery, ScheduleRequest

_JOB = {
    "locations": ["FR", "DE", "aws:us-west-2"],
    "energy": {"duration": "PT8H", "total_kwh": 80},
    "earliest": "2024-03-11T00:00:00Z",
    "latest": "2024-03-13T00:00:00Z",
    "pue": {"FR": 1.1, "aws:us-west-2": 1.2},
    "transfer_kwh": {"aws:us-west-2": 0.5},
    "top": 3,
}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/schedule",
        "schedule",
        "Where and when a job emits least: ranked options, the best of each location, and what each saves.",
        handlers.schedule,
        answers.ScheduleAnswer,
        body=ScheduleRequest,
        problems=(*BODY_PROBLEMS, "unknown-location"),
        example=Example(body=_JOB),
        tag="schedule",
    ),
    Operation(
        "GET",
        "/v1/regions/rank",
        "rank",
        "Locations ranked by their intensity: now, in the next 24 hours, over the last 12 months.",
        handlers.rank,
        answers.RankAnswer,
        query=RankQuery,
        problems=("unknown-location",),
        example=Example(query={"locations": "FR,DE,aws:us-west-2"}),
        tag="schedule",
    ),
)
