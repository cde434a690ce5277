"""From an HTTP request to a footprint and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.body import off_the_loop, parse_json, read_body
from service.footprint.plan import read_footprint
from service.footprint.usecase import Footprints
from service.http import GRIDGRAM, json_response, query_of
from service.requests import NoQuery

if TYPE_CHECKING:
    from aiohttp import web

    from service.footprint.plan import Plan


async def footprint(request: web.Request) -> web.Response:
    """Answer POST /v1/footprint."""
    query_of(request, NoQuery)
    gridgram = request.app[GRIDGRAM]

    def read(body: bytes) -> Plan:
        return read_footprint(parse_json(body), gridgram.now())

    plan = await off_the_loop(await read_body(request), read)
    return json_response(await Footprints(gridgram).footprint(plan))
