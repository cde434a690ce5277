"""The operations that keep and tell runs."""

from __future__ import annotations

from service.operation import BODY_PROBLEMS, Example, Operation
from service.runs import answers, handlers
from service.runs.requests import CodeCarbonDelta, CodeCarbonQuery, CodeCarbonRun, CodeCarbonTotal, RunEnergyRequest, RunQuery, RunsQuery

CREATED = 201
BEGUN = "3f0c5a3e-7a0e-4c43-9d5b-5f5a9f4d2b11"
RUN = "5b0fa12a-3dd7-45bb-9766-cc326314d9f1"
_TOTAL = {
    "timestamp": "2022-03-11T02:00:00Z",
    "run_id": "6c1fb23b-4ee8-46cc-8877-dd437425e0a2",
    "project_name": "bloom",
    "duration": 7200.0,
    "energy_consumed": 2.0,
    "emissions": 0.1,
    "country_iso_code": "FRA",
    "codecarbon_version": "3.3.2",
}
_BEGUN = {"timestamp": "2022-03-11T00:00:00+00:00", "experiment_id": RUN, "codecarbon_version": "3.3.2"}
_DELTA = {"timestamp": "2022-03-11T00:02:00+00:00", "duration": 120, "energy_consumed": 0.04, "emissions_sum": 0.002, "run_id": BEGUN}
_ENERGY = {"location": "FR", "name": "bloom", "energy": {"start": "2022-03-11T00:00:00Z", "step": "PT1H", "kwh": [1.2, 0.8]}}
_ID = {"id": "The run's id, a UUID that whoever brings its energy chose or was given."}
_AT = {"location": "Where the tracker runs, in any form of a location."}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/runs/{id}/energy",
        "run_energy",
        "Energy of a run, from any tracker; the first begins the run. The same again (Idempotency-Key, else start and end of each step) "
        "counts once. What is answered is on disk.",
        handlers.run_energy,
        answers.KeptAnswer,
        body=RunEnergyRequest,
        problems=(*BODY_PROBLEMS, "unknown-location", "store-error"),
        example=Example(path={"id": RUN}, body=_ENERGY),
        path_parameters=_ID,
        tag="runs",
        status=CREATED,
    ),
    Operation(
        "POST",
        "/v1/ingest/codecarbon",
        "codecarbon_total",
        "What CodeCarbon's HTTP output posts (emissions_endpoint): the total of a run so far.",
        handlers.codecarbon_total,
        answers.KeptAnswer,
        query=CodeCarbonQuery,
        body=CodeCarbonTotal,
        problems=(*BODY_PROBLEMS, "unknown-location", "store-error"),
        example=Example(body=_TOTAL),
        tag="runs",
        status=CREATED,
    ),
    Operation(
        "POST",
        "/runs",
        "codecarbon_run",
        "What CodeCarbon's API output (api_endpoint) posts first: a run begins.",
        handlers.codecarbon_run,
        answers.BegunAnswer,
        body=CodeCarbonRun,
        problems=(*BODY_PROBLEMS, "store-error"),
        example=Example(body=_BEGUN),
        tag="runs",
        status=CREATED,
    ),
    Operation(
        "POST",
        "/emissions",
        "codecarbon_delta",
        "What CodeCarbon's API output posts then: what is new since the last time.",
        handlers.codecarbon_delta,
        answers.KeptAnswer,
        body=CodeCarbonDelta,
        problems=(*BODY_PROBLEMS, "not-found", "store-error"),
        example=Example(body=_DELTA),
        tag="runs",
        status=CREATED,
    ),
    Operation(
        "POST",
        "/at/{location}/runs",
        "codecarbon_run_at",
        "As /runs, for a tracker that cannot tell where it runs: its api_endpoint ends with /at/FR.",
        handlers.codecarbon_run,
        answers.BegunAnswer,
        body=CodeCarbonRun,
        problems=(*BODY_PROBLEMS, "unknown-location", "store-error"),
        example=Example(path={"location": "FR"}, body=_BEGUN),
        path_parameters=_AT,
        tag="runs",
        status=CREATED,
    ),
    Operation(
        "POST",
        "/at/{location}/emissions",
        "codecarbon_delta_at",
        "As /emissions, beside /at/{location}/runs.",
        handlers.codecarbon_delta,
        answers.KeptAnswer,
        body=CodeCarbonDelta,
        problems=(*BODY_PROBLEMS, "not-found", "store-error"),
        example=Example(path={"location": "FR"}, body=_DELTA),
        path_parameters=_AT,
        tag="runs",
        status=CREATED,
    ),
    Operation(
        "GET",
        "/v1/runs",
        "runs",
        "Runs with their energy and emissions, newest first.",
        handlers.runs,
        answers.RunsAnswer,
        query=RunsQuery,
        problems=("store-error",),
        tag="runs",
    ),
    Operation(
        "GET",
        "/v1/runs/{id}",
        "run",
        "One run over time, by the best hours that are known now, with how its figure changed when better ones came.",
        handlers.run,
        answers.RunAnswer,
        query=RunQuery,
        problems=("not-found", "store-error"),
        example=Example(path={"id": RUN}),
        path_parameters=_ID,
        tag="runs",
    ),
)
