"""From an HTTP request of a client of the Carbon Aware SDK's web API to its answer and back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson

from gridgram.errors import Fault, InvalidInput
from service.body import UnreadableBody, off_the_loop, parse_json, read_body
from service.facades import carbon_aware_sdk as facade
from service.facades import carbon_aware_sdk_requests as requests
from service.facades.asking import facade_query
from service.handlers import STATIC_MAX_AGE_SECONDS
from service.http import GRIDGRAM, cached_response, json_response, query_of
from service.limits import MAX_FAULTS
from service.requests import NoQuery, read_request

if TYPE_CHECKING:
    from aiohttp import web

    from service.usecases import Gridgram

QUALITY_HEADER = "X-Gridgram-Quality"
"""The qualities of the hours in an answer whose shape has no room for them."""


async def by_location(request: web.Request) -> web.Response:
    """Answer GET /emissions/bylocation."""
    gridgram = request.app[GRIDGRAM]
    query = facade_query(request, requests.LocationQuery, gridgram.now())
    told, qualities = await facade.emissions(gridgram, [query.location], query.span())
    return _answer(told, qualities)


async def by_locations(request: web.Request) -> web.Response:
    """Answer GET /emissions/bylocations."""
    told, qualities = await _by_locations(request)
    return _answer(told, qualities)


async def best(request: web.Request) -> web.Response:
    """Answer GET /emissions/bylocations/best."""
    told, qualities = await _by_locations(request)
    return _answer(facade.best(told), qualities)


async def _by_locations(request: web.Request) -> tuple[Any, set[str]]:
    gridgram = request.app[GRIDGRAM]
    query = facade_query(request, requests.LocationsQuery, gridgram.now())
    return await facade.emissions(gridgram, query.names(), query.span())


async def current_forecast(request: web.Request) -> web.Response:
    """Answer GET /emissions/forecasts/current."""
    gridgram = request.app[GRIDGRAM]
    query = facade_query(request, requests.CurrentForecastQuery, gridgram.now())
    told, qualities = [], set[str]()
    for name in query.names():
        answer, found = await facade.forecast(gridgram, name, query.dataStartAt, query.dataEndAt, query.windowSize, None)
        told.append(answer)
        qualities |= found
    return _answer(told, qualities)


async def forecast_batch(request: web.Request) -> web.Response:
    """Answer POST /emissions/forecasts/batch."""
    gridgram, items = await _read_items(request, requests.ForecastBatchItem, requests.MAX_FORECASTS)
    told, qualities = [], set[str]()
    for item in items:
        answer, found = await facade.forecast(gridgram, item.location, item.dataStartAt, item.dataEndAt, item.windowSize, item.requestedAt)
        told.append(answer)
        qualities |= found
    return _answer(told, qualities)


async def average(request: web.Request) -> web.Response:
    """Answer GET /emissions/average-carbon-intensity."""
    gridgram = request.app[GRIDGRAM]
    query = facade_query(request, requests.AverageQuery, gridgram.now())
    told, qualities = await facade.average(gridgram, query.location, query.startTime, query.endTime)
    return _answer(told, qualities)


async def average_batch(request: web.Request) -> web.Response:
    """Answer POST /emissions/average-carbon-intensity/batch; the locations may differ."""
    gridgram, items = await _read_items(request, requests.AverageBatchItem, requests.MAX_AVERAGES)
    told, qualities = [], set[str]()
    for item in items:
        await asyncio.sleep(0)  # a long list leaves room for others
        answer, found = await facade.average(gridgram, item.location, item.startTime, item.endTime)
        told.append(answer)
        qualities |= found
    return _answer(told, qualities)


async def locations(request: web.Request) -> web.Response:
    """Answer GET /locations."""
    query_of(request, NoQuery)
    answer = orjson.dumps(facade.locations(request.app[GRIDGRAM]))
    return cached_response(request, answer, "application/json", STATIC_MAX_AGE_SECONDS)


async def _read_items(request: web.Request, model: type[Any], most: int) -> tuple[Gridgram, list[Any]]:
    """The items of a list, each checked by itself. Raises InvalidInput with every fault at its place in the list."""
    query_of(request, NoQuery)
    gridgram = request.app[GRIDGRAM]

    def read(body: bytes) -> list[Any]:
        members = parse_json(body)
        if not isinstance(members, list):
            raise UnreadableBody("the body is a list of objects")
        if not 1 <= len(members) <= most:
            raise InvalidInput([Fault("", f"the list has {len(members)} objects; send 1 to {most}")])
        items, faults = [], list[Fault]()
        for index, item in enumerate(members):
            try:
                items.append(read_request(model, item, gridgram.now()))
            except InvalidInput as error:
                faults += [Fault(f"/{index}{fault.pointer}", fault.detail) for fault in error.faults]
        if faults:
            raise InvalidInput(faults[:MAX_FAULTS])
        return items

    return gridgram, await off_the_loop(await read_body(request), read)


def _answer(told: Any, qualities: set[str]) -> web.Response:  # noqa: ANN401 - one of the shapes of the answers
    return json_response(told, {QUALITY_HEADER: ", ".join(sorted(qualities))})
