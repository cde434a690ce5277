"""The operations that clients of the carbon-aware scheduler know."""

from __future__ import annotations

from service.facades import scheduler_answers as answers
from service.facades import scheduler_handlers as handlers
from service.facades.scheduler_requests import SchedulerRequest
from service.operation import BODY_PROBLEMS, Example, Operation

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v0/schedule/",
        "scheduler_schedule",
        "The best start and cloud region of a job, and what it saves against the worst, the median and the first.",
        handlers.schedule,
        answers.SchedulerAnswer,
        body=SchedulerRequest,
        problems=(*BODY_PROBLEMS, "no-data"),
        example=Example(
            body={
                "duration": "PT2H",
                "windows": [{"start": "2024-03-11T00:00:00Z", "end": "2024-03-12T00:00:00Z"}],
                "zones": [{"provider": "aws", "region": "eu-west-3"}, {"provider": "gcp", "region": "europe-west3"}],
                "num_options": 2,
            }
        ),
        tag="scheduler",
        aliases=("/v0/schedule",),
    ),
    Operation(
        "GET",
        "/v0/regions/",
        "scheduler_regions",
        "All cloud regions that can be asked for.",
        handlers.regions,
        answers.SchedulerRegions,
        tag="scheduler",
        may_be_unchanged=True,
        aliases=("/v0/regions",),
    ),
)
