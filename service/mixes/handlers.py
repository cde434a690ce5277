"""The HTTP side of mixes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson

from service.handlers import SERIES_MAX_AGE_SECONDS
from service.http import GRIDGRAM, cached_response, json_response, query_of
from service.mixes.requests import MixQuery
from service.mixes.usecase import latest_mix, mix_of_span
from service.requests import LocationQuery
from service.usecases import THREADED_HOURS

if TYPE_CHECKING:
    from aiohttp import web

JSON = "application/json"


async def mix(request: web.Request) -> web.Response:
    """Answer GET /v1/mix."""
    answer = await mix_of_span(request.app[GRIDGRAM], query_of(request, MixQuery))
    is_long = len(answer["hours"]) >= THREADED_HOURS
    body = await asyncio.to_thread(orjson.dumps, answer) if is_long else orjson.dumps(answer)
    return cached_response(request, body, JSON, SERIES_MAX_AGE_SECONDS)


async def latest(request: web.Request) -> web.Response:
    """Answer GET /v1/mix/latest."""
    answer = await latest_mix(request.app[GRIDGRAM], query_of(request, LocationQuery))
    return json_response(answer, {"Cache-Control": f"public, max-age={SERIES_MAX_AGE_SECONDS}"})
