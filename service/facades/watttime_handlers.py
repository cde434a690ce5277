"""From an HTTP request of a client of WattTime to its answer and back."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

import orjson

from gridgram.errors import UnknownLocation
from service.facades import watttime as facade
from service.facades import watttime_requests as requests
from service.facades.asking import facade_query, place_called
from service.facades.telling import fresh_seconds
from service.handlers import SERIES_MAX_AGE_SECONDS
from service.http import GRIDGRAM, KEYS, cached_response, json_response, query_of
from service.keys import find_key
from service.refusals import Unauthorized
from service.requests import NoQuery

if TYPE_CHECKING:
    from aiohttp import web

    from gridgram.locations import Place
    from service.usecases import Gridgram

JSON = "application/json"
NO_KEYS = "no-key-needed"
"""The token where the service has no keys: everybody may ask."""


async def login(request: web.Request) -> web.Response:
    """Answer GET /login: the password is a key of this service, and the token is that key; without keys anything goes."""
    query_of(request, NoQuery)
    keys, password = request.app[KEYS], _password(request.headers.get("Authorization", ""))
    if keys and (not password or find_key(keys, password) is None):
        raise Unauthorized("Log in with a user name of your choice and a key of this service as the password.")
    return json_response({"token": password if keys else NO_KEYS}, {"Cache-Control": "no-store"})


def _password(authorization: str) -> str:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""


async def region_place(gridgram: Gridgram, region: str) -> Place:
    """The place of a region's name: WattTime's own names first, then any location. Raises UnknownLocation."""
    try:
        return gridgram.locator.resolve(f"watttime:{region}")
    except UnknownLocation:
        return await place_called(gridgram, region)


async def _read(request: web.Request, model: type[Any]) -> tuple[Gridgram, Place, Any]:
    gridgram = request.app[GRIDGRAM]
    query = facade_query(request, model, gridgram.now())
    return gridgram, await region_place(gridgram, query.region), query


async def historical(request: web.Request) -> web.Response:
    """Answer GET /v3/historical."""
    gridgram, place, query = await _read(request, requests.HistoricalQuery)
    answer = await facade.historical(gridgram, place, query)
    return cached_response(request, orjson.dumps(answer), JSON, SERIES_MAX_AGE_SECONDS)


async def forecast(request: web.Request) -> web.Response:
    """Answer GET /v3/forecast."""
    gridgram, place, query = await _read(request, requests.ForecastQuery)
    answer = await facade.forecast(gridgram, place, query)
    return cached_response(request, orjson.dumps(answer), JSON, SERIES_MAX_AGE_SECONDS)


async def signal_index(request: web.Request) -> web.Response:
    """Answer GET /v3/signal-index."""
    gridgram, place, query = await _read(request, requests.RegionQuery)
    answer = await facade.signal_index(gridgram, place, query)
    return cached_response(request, orjson.dumps(answer), JSON, fresh_seconds(gridgram, place.zone.key, query.signal))


async def region_from_loc(request: web.Request) -> web.Response:
    """Answer GET /v3/region-from-loc."""
    gridgram = request.app[GRIDGRAM]
    query = facade_query(request, requests.PointQuery, gridgram.now())
    return json_response(await facade.region_of(gridgram, query))


async def my_access(request: web.Request) -> web.Response:
    """Answer GET /v3/my-access."""
    query_of(request, NoQuery)
    return json_response(await facade.my_access(request.app[GRIDGRAM]))
