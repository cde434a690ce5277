"""The operations of mixes."""

from __future__ import annotations

from service.mixes import answers, handlers
from service.mixes.requests import MixQuery
from service.operation import Example, Operation
from service.requests import LocationQuery

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/mix",
        "mix",
        "Hourly generation by fuel of a place, in MW and shares, as its sources told it: at most 366 days. Never a typical mix.",
        handlers.mix,
        answers.MixAnswer,
        query=MixQuery,
        problems=("unknown-location", "no-data"),
        example=Example(query={"location": "FR", "start": "2022-03-11T00:00:00Z", "end": "2022-03-11T03:00:00Z"}),
        tag="mix",
        may_be_unchanged=True,
    ),
    Operation(
        "GET",
        "/v1/mix/latest",
        "mix_latest",
        "The newest hour within a day of which a source told the generation by fuel, with its age.",
        handlers.latest,
        answers.MixLatestAnswer,
        query=LocationQuery,
        problems=("unknown-location", "no-data"),
        example=Example(query={"location": "FR"}),
        tag="mix",
    ),
)
