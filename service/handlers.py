"""From an HTTP request to a use case and back. One handler an operation; `service.operations` lists them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from service import PACKAGE_VERSION
from service.body import off_the_loop, parse_json, read_body
from service.formats import FORMATS, JSON_TYPE, choose_format, write_series
from service.http import ALL_ZONES, CONTRACT, GRIDGRAM, METRICS, cached_response, json_response, query_of
from service.limits import INLINE_BODY_BYTES
from service.load import LOAD, Draining
from service.metrics.exposition import metrics_response
from service.problems import PROBLEM_TYPES
from service.requests import LatestQuery, LocationQuery, NoQuery, SeriesQuery
from service.usecases import THREADED_HOURS

if TYPE_CHECKING:
    from service.jobs import Job

SERIES_MAX_AGE_SECONDS = 60
"""How long an answer with series may be reused: an import or a fetch may better any hour."""
STATIC_MAX_AGE_SECONDS = 3_600


async def emissions(request: web.Request) -> web.Response:
    """Answer POST /v1/emissions."""
    query_of(request, NoQuery)
    gridgram = request.app[GRIDGRAM]

    def read(body: bytes) -> Job:
        return gridgram.read_job(parse_json(body))

    body = await read_body(request)
    if len(body) <= INLINE_BODY_BYTES and (answer := gridgram.emissions_at_once(body)) is not None:
        return web.Response(body=answer, content_type=JSON_TYPE)
    job = await off_the_loop(body, read)
    return json_response(await gridgram.emissions(job))


async def intensity(request: web.Request) -> web.Response:
    """Answer GET /v1/intensity."""
    query = query_of(request, SeriesQuery)
    chosen = choose_format(query.format, ", ".join(request.headers.getall("Accept", [])))
    answer, series = await request.app[GRIDGRAM].series(query)
    if chosen == "parquet" or len(answer["hours"]) >= THREADED_HOURS:  # the first Parquet loads a library, for some 300 ms
        body = await asyncio.to_thread(write_series, answer, series, chosen)
    else:
        body = write_series(answer, series, chosen)
    return cached_response(request, body, FORMATS[chosen], SERIES_MAX_AGE_SECONDS)


async def latest(request: web.Request) -> web.Response:
    """Answer GET /v1/intensity/latest."""
    answer = await request.app[GRIDGRAM].latest(query_of(request, LatestQuery))
    return json_response(answer, {"Cache-Control": f"public, max-age={SERIES_MAX_AGE_SECONDS}"})


async def zones(request: web.Request) -> web.Response:
    """Answer GET /v1/zones."""
    query_of(request, NoQuery)
    return cached_response(request, await request.app[ALL_ZONES].get(), "application/json", STATIC_MAX_AGE_SECONDS)


async def zone(request: web.Request) -> web.Response:
    """Answer GET /v1/zones/{zone}."""
    query_of(request, NoQuery)
    return json_response(await request.app[GRIDGRAM].zone(request.match_info["zone"]))


async def locate(request: web.Request) -> web.Response:
    """Answer GET /v1/locate."""
    answer = await request.app[GRIDGRAM].locate(query_of(request, LocationQuery))
    return cached_response(request, orjson.dumps(answer), "application/json", STATIC_MAX_AGE_SECONDS)


async def providers(request: web.Request) -> web.Response:
    """Answer GET /v1/providers."""
    query_of(request, NoQuery)
    return json_response(await request.app[GRIDGRAM].providers())


async def healthz(request: web.Request) -> web.Response:
    """Answer GET /healthz: the process is alive."""
    query_of(request, NoQuery)
    return json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """Answer GET /readyz: the service can answer, with or without its store, and was not told to stop."""
    query_of(request, NoQuery)
    if request.app[LOAD].is_draining:
        raise Draining("the service was told to stop; it finishes what it has begun")
    intensity = request.app[GRIDGRAM].intensity
    await intensity.look_at_store()
    return json_response({"status": "ready", "store": "away" if intensity.store_is_away else "ok"})


async def version(request: web.Request) -> web.Response:
    """Answer GET /version."""
    query_of(request, NoQuery)
    return json_response({"name": "gridgram", "version": PACKAGE_VERSION})


async def metrics(request: web.Request) -> web.Response:
    """Answer GET /metrics, unless it has a port of its own."""
    query_of(request, NoQuery)
    if METRICS not in request.app:
        raise web.HTTPNotFound
    return await metrics_response(request.app[METRICS])


async def openapi(request: web.Request) -> web.Response:
    """Answer GET /openapi.yaml."""
    query_of(request, NoQuery)
    return cached_response(request, await request.app[CONTRACT].get(), "application/yaml", STATIC_MAX_AGE_SECONDS)


async def problem(request: web.Request) -> web.Response:
    """Answer GET /problems/{code}: what a kind of problem means and how to mend it."""
    query_of(request, NoQuery)
    kind = PROBLEM_TYPES.get(request.match_info["code"])
    if kind is None:
        raise web.HTTPNotFound
    return json_response({"code": kind.code, "status": kind.status, "title": kind.title, "mend": kind.mend})
