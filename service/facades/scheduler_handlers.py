"""From an HTTP request of a client of the carbon-aware scheduler to its answer and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from service.body import off_the_loop, parse_json, read_body
from service.facades import scheduler as facade
from service.facades.scheduler_requests import SchedulerRequest
from service.handlers import STATIC_MAX_AGE_SECONDS
from service.http import GRIDGRAM, cached_response, json_response, query_of
from service.requests import NoQuery, read_request

if TYPE_CHECKING:
    from aiohttp import web


async def schedule(request: web.Request) -> web.Response:
    """Answer POST /v0/schedule/."""
    query_of(request, NoQuery)
    gridgram = request.app[GRIDGRAM]

    def read(body: bytes) -> SchedulerRequest:
        return read_request(SchedulerRequest, parse_json(body), gridgram.now())

    asked = await off_the_loop(await read_body(request), read)
    return json_response(await facade.schedule(gridgram, asked))


async def regions(request: web.Request) -> web.Response:
    """Answer GET /v0/regions/."""
    query_of(request, NoQuery)
    body = orjson.dumps(facade.regions(request.app[GRIDGRAM]))
    return cached_response(request, body, "application/json", STATIC_MAX_AGE_SECONDS)
