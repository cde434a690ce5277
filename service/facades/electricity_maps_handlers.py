"""From an HTTP request of a client of Electricity Maps to its answer and back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson

from gridgram.quality import MIX
from service.body import off_the_loop, parse_json, read_body
from service.facades import electricity_maps as facade
from service.facades import electricity_maps_power as power
from service.facades import electricity_maps_requests as requests
from service.facades.asking import facade_query, place_called
from service.facades.telling import fresh_seconds
from service.handlers import SERIES_MAX_AGE_SECONDS, STATIC_MAX_AGE_SECONDS
from service.http import FACTOR_TYPE, GRIDGRAM, cached_response, json_response, query_of
from service.keys import key_text
from service.requests import NoQuery, read_request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from gridgram.locations import Place
    from service.usecases import Gridgram

JSON = "application/json"


async def _read(request: web.Request, model: type[Any]) -> tuple[Gridgram, Place, Any]:
    gridgram = request.app[GRIDGRAM]
    query = facade_query(request, model, gridgram.now())
    if query.emissionFactorType is None:
        query = query.model_copy(update={"emissionFactorType": request.app[FACTOR_TYPE]})
    return gridgram, await place_called(gridgram, query.location()), query


def _fresh(
    use_case: Callable[[Gridgram, Place, Any], Awaitable[Any]], model: type[Any]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A handler whose answer stays true until a source may have something newer."""

    async def handle(request: web.Request) -> web.Response:
        gridgram, place, query = await _read(request, model)
        answer = await use_case(gridgram, place, query)
        return cached_response(request, orjson.dumps(answer), JSON, fresh_seconds(gridgram, place.zone.key, query.signal))

    return handle


def _settled(
    use_case: Callable[[Gridgram, Place, Any], Awaitable[Any]], model: type[Any]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A handler whose answer may be bettered by any fetch."""

    async def handle(request: web.Request) -> web.Response:
        gridgram, place, query = await _read(request, model)
        return cached_response(request, orjson.dumps(await use_case(gridgram, place, query)), JSON, SERIES_MAX_AGE_SECONDS)

    return handle


latest = _fresh(facade.latest, requests.ToldQuery)
history = _fresh(facade.history, requests.ToldQuery)
level = _fresh(facade.level_of, requests.IntensityQuery)
past = _settled(facade.past, requests.PastQuery)
past_range = _settled(facade.past_range, requests.PastRangeQuery)
forecast = _settled(facade.forecast, requests.ForecastQuery)
updates = _settled(facade.updates, requests.UpdatesQuery)


async def zones(request: web.Request) -> web.Response:
    """Answer GET /v3/zones."""
    query_of(request, NoQuery)
    answer = await asyncio.to_thread(facade.zones, request.app[GRIDGRAM], has_token=bool(key_text(request.headers)))
    response = cached_response(request, orjson.dumps(answer), JSON, STATIC_MAX_AGE_SECONDS)
    response.headers["Vary"] += ", auth-token, Authorization, X-API-Key"
    return response


async def home_assistant(request: web.Request) -> web.Response:
    """Answer GET /v3/home-assistant."""
    gridgram, place, query = await _read(request, requests.ToldQuery)
    answer = await power.home_assistant(gridgram, place, query)
    return json_response(answer, {"Cache-Control": f"public, max-age={fresh_seconds(gridgram, place.zone.key, MIX)}"})


def _power(use_case: Callable[[Gridgram, Place, requests.PowerQuery], Awaitable[Any]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A handler of generation, whose answer stays true until a source may have something newer."""

    async def handle(request: web.Request) -> web.Response:
        gridgram = request.app[GRIDGRAM]
        query = facade_query(request, requests.PowerQuery, gridgram.now())
        place = await place_called(gridgram, query.location())
        answer = await use_case(gridgram, place, query)
        return cached_response(request, orjson.dumps(answer), JSON, fresh_seconds(gridgram, place.zone.key, MIX))

    return handle


power_latest = _power(power.power_latest)
power_history = _power(power.power_history)


async def health(request: web.Request) -> web.Response:
    """Answer GET /health."""
    query_of(request, NoQuery)
    return json_response({"status": "ok"})


async def optimize(request: web.Request) -> web.Response:
    """Answer POST /beta/carbon-aware-optimizer."""
    query_of(request, NoQuery)
    gridgram = request.app[GRIDGRAM]

    def read(body: bytes) -> requests.OptimizerRequest:
        return read_request(requests.OptimizerRequest, parse_json(body), gridgram.now())

    query = await off_the_loop(await read_body(request), read)
    return json_response(await facade.optimize(gridgram, query))
