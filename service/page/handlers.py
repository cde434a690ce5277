"""From an HTTP request to the page, its files, and the present of all zones."""

from __future__ import annotations

import asyncio
from typing import Final

import orjson
from aiohttp import web

from service.http import GRIDGRAM, file_response, query_of
from service.page.assets import edition
from service.page.requests import NowQuery
from service.page.usecase import all_now as read_all_now
from service.requests import NoQuery

NOW_MAX_AGE_SECONDS: Final = 30
INDEX_MAX_AGE_SECONDS: Final = 60
PAGE_POLICY: Final = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


async def all_now(request: web.Request) -> web.Response:
    """Answer GET /v1/intensity/now."""
    answer = await read_all_now(request.app[GRIDGRAM], query_of(request, NowQuery))
    body = await asyncio.to_thread(orjson.dumps, answer)
    return web.Response(body=body, content_type="application/json", headers={"Cache-Control": f"public, max-age={NOW_MAX_AGE_SECONDS}"})


async def page(request: web.Request) -> web.Response:
    """Answer GET /: the page people look at."""
    query_of(request, NoQuery)
    made = await asyncio.to_thread(edition)
    answer = file_response(request, made.index, INDEX_MAX_AGE_SECONDS, is_kept=False)
    answer.headers["Content-Security-Policy"] = PAGE_POLICY
    return answer


async def page_asset(request: web.Request) -> web.Response:
    """Answer GET /page/{edition}/{asset}: a file of the page. Under another edition's name it is this one's, and not for keeping."""
    query_of(request, NoQuery)
    made = await asyncio.to_thread(edition)
    asset = made.assets.get(request.match_info["asset"])
    if asset is None:
        raise web.HTTPNotFound
    return file_response(request, asset, INDEX_MAX_AGE_SECONDS, is_kept=request.match_info["edition"] == made.name)
