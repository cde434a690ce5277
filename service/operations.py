"""The table of operations: routes and `openapi.yaml` are both made from it, so that neither can lie about the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from service import answers, handlers
from service.batch import emissions_batch
from service.formats import CSV_TYPE, JSON_TYPE, PARQUET_TYPE
from service.requests import EmissionsRequest, LatestQuery, LocationQuery, NoQuery, Request, SeriesQuery

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp import web

NDJSON_TYPE = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Example:
    """A request that works: what fills the path, the query or the body. The tests execute every one of them."""

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its route, what it reads, what it answers, and the problems that it may answer instead.

    `answer` is the shape of a JSON answer, None where there is none; `produces` lists the media types of a success.
    """

    method: str
    path: str
    name: str
    summary: str
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    answer: Any = None
    query: type[Request] = NoQuery
    body: type[Request] | None = None
    consumes: str = JSON_TYPE
    produces: tuple[str, ...] = (JSON_TYPE,)
    problems: tuple[str, ...] = ()
    example: Example = field(default_factory=Example)
    path_parameters: Mapping[str, str] = field(default_factory=dict)
    tag: str = "intensity"
    may_be_unchanged: bool = False


_DAY = {"start": "2022-03-11T00:00:00Z", "step": "PT1H", "kwh": [1.2, 0.8]}
_JOB = {"location": "FR", "energy": _DAY, "pue": 1.2, "include": ["hours", "equivalents"]}
_BODY_PROBLEMS = ("invalid-body", "body-too-large", "unsupported-media-type")

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/emissions",
        "emissions",
        "One job becomes emissions: energy x the intensity of its place in its hours.",
        handlers.emissions,
        answers.EmissionsAnswer,
        body=EmissionsRequest,
        problems=(*_BODY_PROBLEMS, "unknown-location", "no-data"),
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
    Operation("GET", "/healthz", "healthz", "The process is alive.", handlers.healthz, answers.HealthAnswer, tag="service"),
    Operation(
        "GET",
        "/readyz",
        "readyz",
        "The service can answer, with its store or without.",
        handlers.readyz,
        answers.ReadyAnswer,
        tag="service",
    ),
    Operation("GET", "/version", "version", "Which Gridgram this is.", handlers.version, answers.VersionAnswer, tag="service"),
    Operation(
        "GET",
        "/openapi.yaml",
        "openapi",
        "This contract.",
        handlers.openapi,
        produces=("application/yaml",),
        tag="service",
        may_be_unchanged=True,
    ),
    Operation(
        "GET",
        "/docs",
        "docs",
        "The contract as a page that works offline.",
        handlers.docs,
        produces=("text/html",),
        tag="service",
        may_be_unchanged=True,
    ),
    Operation(
        "GET",
        "/docs/{asset}",
        "docs_asset",
        "What the page is made of.",
        handlers.docs_asset,
        produces=("text/javascript", "text/css"),
        problems=("not-found",),
        example=Example(path={"asset": "docs.js"}),
        path_parameters={"asset": "The name of a file."},
        tag="service",
        may_be_unchanged=True,
    ),
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
    ),
)
