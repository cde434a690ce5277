"""The table of operations: routes and `openapi.yaml` are both made from it, so that neither can lie about the other."""

from __future__ import annotations

from service import answers, handlers
from service.backfill.uploads.operations import OPERATIONS as BACKFILLS
from service.batch import emissions_batch
from service.documents.operations import OPERATIONS as DOCUMENTS
from service.facades.carbon_aware_sdk_operations import OPERATIONS as CARBON_AWARE_SDK
from service.facades.electricity_maps_operations import OPERATIONS as ELECTRICITY_MAPS
from service.facades.scheduler_operations import OPERATIONS as SCHEDULER
from service.facades.watttime_operations import OPERATIONS as WATTTIME
from service.footprint.operations import OPERATIONS as FOOTPRINT_OPERATIONS
from service.forecasting.operations import OPERATIONS as FORECASTING
from service.formats import CSV_TYPE, JSON_TYPE, PARQUET_TYPE
from service.mixes.operations import OPERATIONS as MIXES
from service.operation import BODY_PROBLEMS, NDJSON_TYPE, Example, Operation
from service.page.operations import OPERATIONS as PAGE
from service.requests import EmissionsRequest, LatestQuery, LocationQuery, SeriesQuery
from service.runs.operations import OPERATIONS as RUNS
from service.scheduling.operations import OPERATIONS as SCHEDULING

_DAY = {"start": "2022-03-11T00:00:00Z", "step": "PT1H", "kwh": [1.2, 0.8]}
_JOB = {"location": "FR", "energy": _DAY, "pue": 1.2, "include": ["hours", "equivalents"]}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/emissions",
        "emissions",
        "One job becomes emissions: energy x the intensity of its place in its hours.",
        handlers.emissions,
        answers.EmissionsAnswer,
        body=EmissionsRequest,
        problems=(*BODY_PROBLEMS, "unknown-location", "no-data"),
        example=Example(body=_JOB),
        tag="emissions",
    ),
    Operation(
        "POST",
        "/v1/emissions/batch",
        "emissions_batch",
        "Many jobs, one a line: an answer a line, in order, streamed; a bad line is answered by a problem with its line number. "
        "Read the answers while you send: once 4 MiB of them are unread, no more of the request is read.",
        emissions_batch,
        answers.EmissionsAnswer,
        body=EmissionsRequest,
        consumes=NDJSON_TYPE,
        produces=(NDJSON_TYPE,),
        problems=("unsupported-media-type",),
        example=Example(body=[_JOB, {**_JOB, "location": "US-CAL-CISO", "include": []}]),
        tag="emissions",
    ),
    *BACKFILLS,
    *FOOTPRINT_OPERATIONS,
    Operation(
        "GET",
        "/v1/intensity",
        "intensity",
        "Hourly intensity of a place: at most 366 days, as JSON, CSV or Parquet with the same numbers.",
        handlers.intensity,
        answers.SeriesAnswer,
        query=SeriesQuery,
        produces=(JSON_TYPE, CSV_TYPE, PARQUET_TYPE),
        problems=("unknown-location", "no-data", "not-acceptable"),
        example=Example(query={"location": "FR", "start": "2022-03-11T00:00:00Z", "end": "2022-03-11T03:00:00Z"}),
        may_be_unchanged=True,
    ),
    Operation(
        "GET",
        "/v1/intensity/latest",
        "latest",
        "The newest hour that a source told within a day, with its age; else what is typical for the present hour.",
        handlers.latest,
        answers.LatestAnswer,
        query=LatestQuery,
        problems=("unknown-location", "no-data"),
        example=Example(query={"location": "gcp:europe-west9"}),
    ),
    *MIXES,
    *SCHEDULING,
    *RUNS,
    *ELECTRICITY_MAPS,
    *WATTTIME,
    *CARBON_AWARE_SDK,
    *SCHEDULER,
    Operation(
        "GET",
        "/v1/zones",
        "zones",
        "All zones and the signals that each can always answer.",
        handlers.zones,
        answers.ZonesAnswer,
        tag="places",
        may_be_unchanged=True,
    ),
    Operation(
        "GET",
        "/v1/zones/{zone}",
        "zone",
        "One zone: what others call it, what each signal is answered from, which hours are held.",
        handlers.zone,
        answers.ZoneDetailAnswer,
        problems=("unknown-location",),
        example=Example(path={"zone": "FR"}),
        path_parameters={"zone": "The key of a zone, in any case."},
        tag="places",
    ),
    Operation(
        "GET",
        "/v1/locate",
        "locate",
        "The zone that answers for a location.",
        handlers.locate,
        answers.LocateAnswer,
        query=LocationQuery,
        problems=("unknown-location",),
        example=Example(query={"location": "geo:48.85,2.35"}),
        tag="places",
        may_be_unchanged=True,
    ),
    Operation(
        "GET",
        "/v1/providers",
        "providers",
        "The sources of hours: what they offer, their licence, whether they answer.",
        handlers.providers,
        answers.ProvidersAnswer,
        tag="places",
    ),
    Operation("GET", "/healthz", "healthz", "The process is alive.", handlers.healthz, answers.HealthAnswer, tag="service", is_open=True),
    Operation(
        "GET",
        "/readyz",
        "readyz",
        "The service can answer, with its store or without; no longer once it was told to stop.",
        handlers.readyz,
        answers.ReadyAnswer,
        problems=("draining",),
        tag="service",
        is_open=True,
    ),
    Operation(
        "GET", "/version", "version", "Which Gridgram this is.", handlers.version, answers.VersionAnswer, tag="service", is_open=True
    ),
    Operation(
        "GET",
        "/metrics",
        "metrics",
        "What the service counts of itself, as Prometheus reads it. Needs a key that may read metrics where keys are set; "
        "not found where metrics have a port of their own.",
        handlers.metrics,
        produces=("text/plain",),
        problems=("not-found", "forbidden"),
        tag="service",
    ),
    Operation(
        "GET",
        "/openapi.yaml",
        "openapi",
        "This contract.",
        handlers.openapi,
        produces=("application/yaml",),
        tag="service",
        is_open=True,
        may_be_unchanged=True,
    ),
    *DOCUMENTS,
    Operation(
        "GET",
        "/problems/{code}",
        "problem",
        "What a kind of problem means and how to mend it.",
        handlers.problem,
        answers.ProblemTypeAnswer,
        problems=("not-found",),
        example=Example(path={"code": "unknown-location"}),
        path_parameters={"code": "The code of a kind of problem, the last part of its type."},
        tag="service",
        is_open=True,
    ),
    *FORECASTING,
    *PAGE,
)
