"""The HTTP side of forecasts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from service.forecasting.issuing import forecast as issue
from service.forecasting.requests import ForecastQuery, SkillQuery
from service.forecasting.skill import skill as measured_skill
from service.formats import FORMATS, choose_format, write_series
from service.http import GRIDGRAM, cached_response, json_response, query_of

if TYPE_CHECKING:
    from aiohttp import web

MAX_AGE_SECONDS = 60


async def forecast(request: web.Request) -> web.Response:
    """Answer GET /v1/forecast."""
    query = query_of(request, ForecastQuery)
    chosen = choose_format(query.format, ", ".join(request.headers.getall("Accept", [])))
    answer, series = await issue(request.app[GRIDGRAM], query)
    if chosen == "parquet":  # the first one loads a library, for some 300 ms
        body = await asyncio.to_thread(write_series, answer, series, chosen)
    else:
        body = write_series(answer, series, chosen)
    return cached_response(request, body, FORMATS[chosen], MAX_AGE_SECONDS)


async def skill(request: web.Request) -> web.Response:
    """Answer GET /v1/forecast/skill."""
    answer = await measured_skill(request.app[GRIDGRAM], query_of(request, SkillQuery))
    return json_response(answer, {"Cache-Control": f"public, max-age={MAX_AGE_SECONDS}"})
