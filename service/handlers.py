"""From an HTTP request to a use case and back. One handler an operation; `service.operations` lists them."""

from __future__ import annotations

import asyncio
import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from service import PACKAGE_VERSION
from service.body import off_the_loop, parse_json, read_body, read_query
from service.formats import FORMATS, choose_format, write_series
from service.problems import PROBLEM_TYPES
from service.requests import LatestQuery, LocationQuery, NoQuery, SeriesQuery, read_request
from service.usecases import THREADED_HOURS

if TYPE_CHECKING:
    from service.requests import Model
    from service.usecases import Gridgram, Job

GRIDGRAM: web.AppKey[Gridgram] = web.AppKey("gridgram")
CONTRACT: web.AppKey[str] = web.AppKey("contract")
"""The text of openapi.yaml."""

SERIES_MAX_AGE_SECONDS = 60
"""How long an answer with series may be reused: an import or a fetch may better any hour."""
STATIC_MAX_AGE_SECONDS = 3_600
DOCS_POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "docs.js": "text/javascript",
}


def _query(request: web.Request, model: type[Model]) -> Model:
    return read_request(model, read_query(request), request.app[GRIDGRAM].now())


def _json(answer: Any, headers: dict[str, str] | None = None) -> web.Response:  # noqa: ANN401 - one of the shapes of service.answers
    return web.Response(body=orjson.dumps(answer), content_type="application/json", headers=headers)


def _cached(request: web.Request, body: bytes, content_type: str, max_age_seconds: int) -> web.Response:
    """Answer with an entity tag, or with 304 alone when the caller holds this body."""
    tag = hashlib.blake2b(body, digest_size=12).hexdigest()
    headers = {
        "Cache-Control": f"public, max-age={max_age_seconds}, stale-if-error=86400",
        "ETag": f'W/"{tag}"',
        "Vary": "Accept, Accept-Encoding",
    }
    if any(known.value in {tag, "*"} for known in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type=content_type, headers=headers)


async def emissions(request: web.Request) -> web.Response:
    """Answer POST /v1/emissions."""
    _query(request, NoQuery)
    gridgram = request.app[GRIDGRAM]

    def read(body: bytes) -> Job:
        return gridgram.read_job(parse_json(body))

    job = await off_the_loop(await read_body(request), read)
    return _json(await gridgram.emissions(job))


async def intensity(request: web.Request) -> web.Response:
    """Answer GET /v1/intensity."""
    query = _query(request, SeriesQuery)
    chosen = choose_format(query.format, ", ".join(request.headers.getall("Accept", [])))
    answer, series = await request.app[GRIDGRAM].series(query)
    if chosen == "parquet" or len(answer["hours"]) >= THREADED_HOURS:  # the first Parquet loads a library, for some 300 ms
        body = await asyncio.to_thread(write_series, answer, series, chosen)
    else:
        body = write_series(answer, series, chosen)
    return _cached(request, body, FORMATS[chosen], SERIES_MAX_AGE_SECONDS)


async def latest(request: web.Request) -> web.Response:
    """Answer GET /v1/intensity/latest."""
    answer = await request.app[GRIDGRAM].latest(_query(request, LatestQuery))
    return _json(answer, {"Cache-Control": f"public, max-age={SERIES_MAX_AGE_SECONDS}"})


async def zones(request: web.Request) -> web.Response:
    """Answer GET /v1/zones."""
    _query(request, NoQuery)
    return _cached(request, orjson.dumps(request.app[GRIDGRAM].all_zones()), "application/json", STATIC_MAX_AGE_SECONDS)


async def zone(request: web.Request) -> web.Response:
    """Answer GET /v1/zones/{zone}."""
    _query(request, NoQuery)
    return _json(await request.app[GRIDGRAM].zone(request.match_info["zone"]))


async def locate(request: web.Request) -> web.Response:
    """Answer GET /v1/locate."""
    answer = await request.app[GRIDGRAM].locate(_query(request, LocationQuery))
    return _cached(request, orjson.dumps(answer), "application/json", STATIC_MAX_AGE_SECONDS)


async def providers(request: web.Request) -> web.Response:
    """Answer GET /v1/providers."""
    _query(request, NoQuery)
    return _json(await request.app[GRIDGRAM].providers())


async def healthz(request: web.Request) -> web.Response:
    """Answer GET /healthz: the process is alive."""
    _query(request, NoQuery)
    return _json({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """Answer GET /readyz: the service can answer, with or without its store."""
    _query(request, NoQuery)
    intensity = request.app[GRIDGRAM].intensity
    await intensity.look_at_store()
    return _json({"status": "ready", "store": "away" if intensity.store_is_away else "ok"})


async def version(request: web.Request) -> web.Response:
    """Answer GET /version."""
    _query(request, NoQuery)
    return _json({"name": "gridgram", "version": PACKAGE_VERSION})


async def openapi(request: web.Request) -> web.Response:
    """Answer GET /openapi.yaml."""
    _query(request, NoQuery)
    return _cached(request, request.app[CONTRACT].encode(), "application/yaml", STATIC_MAX_AGE_SECONDS)


async def docs(request: web.Request) -> web.Response:
    """Answer GET /docs: the reference, readable offline."""
    _query(request, NoQuery)
    answer = _cached(request, _static("docs.html"), "text/html", STATIC_MAX_AGE_SECONDS)
    answer.headers["Content-Security-Policy"] = DOCS_POLICY
    return answer


async def docs_asset(request: web.Request) -> web.Response:
    """Answer GET /docs/{asset}: what the reference page is made of."""
    _query(request, NoQuery)
    name = request.match_info["asset"]
    if name not in ASSETS:
        raise web.HTTPNotFound
    return _cached(request, _static(name), ASSETS[name], STATIC_MAX_AGE_SECONDS)


async def problem(request: web.Request) -> web.Response:
    """Answer GET /problems/{code}: what a kind of problem means and how to mend it."""
    _query(request, NoQuery)
    kind = PROBLEM_TYPES.get(request.match_info["code"])
    if kind is None:
        raise web.HTTPNotFound
    return _json({"code": kind.code, "status": kind.status, "title": kind.title, "mend": kind.mend})


def _static(name: str) -> bytes:
    return resources.files("service").joinpath("static", name).read_bytes()
