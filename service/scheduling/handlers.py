"""From an HTTP request to a schedule or a ranking and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.body import off_the_loop, parse_json, read_body
from service.http import GRIDGRAM, json_response, query_of
from service.requests import NoQuery
from service.scheduling.ranking import rank as rank_regions
from service.scheduling.requests import RankQuery
from service.scheduling.usecase import read_task
from service.scheduling.usecase import schedule as make_schedule

if TYPE_CHECKING:
    from aiohttp import web

    from service.scheduling.usecase import Task


async def schedule(request: web.Request) -> web.Response:
    """Answer POST /v1/schedule."""
    query_of(request, NoQuery)
    gridgram = request.app[GRIDGRAM]

    def read(body: bytes) -> Task:
        return read_task(gridgram, parse_json(body))

    task = await off_the_loop(await read_body(request), read)
    return json_response((await make_schedule(gridgram, task)).answer)


async def rank(request: web.Request) -> web.Response:
    """Answer GET /v1/regions/rank."""
    query = query_of(request, RankQuery)
    return json_response(await rank_regions(request.app[GRIDGRAM], query))
