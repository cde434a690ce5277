"""From an HTTP request to the page, its files, and the present of all zones."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import orjson
from aiohttp import web

from service.guard import accepts_gzip
from service.http import GRIDGRAM, cached_response, query_of
from service.page.assets import edition
from service.page.requests import NowQuery
from service.page.usecase import all_now as read_all_now
from service.requests import NoQuery

if TYPE_CHECKING:
    from service.page.assets import Asset

NOW_MAX_AGE_SECONDS: Final = 30
INDEX_MAX_AGE_SECONDS: Final = 60
KEPT: Final = "public, max-age=31536000, immutable"
"""A file under the name of its edition never changes."""
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
    answer = _sent(request, made.index)
    answer.headers["Content-Security-Policy"] = PAGE_POLICY
    return answer


async def page_asset(request: web.Request) -> web.Response:
    """Answer GET /page/{edition}/{asset}: a file of the page. Under another edition's name it is this one's, and not for keeping."""
    query_of(request, NoQuery)
    made = await asyncio.to_thread(edition)
    asset = made.assets.get(request.match_info["asset"])
    if asset is None:
        raise web.HTTPNotFound
    answer = _sent(request, asset)
    if request.match_info["edition"] == made.name:
        answer.headers["Cache-Control"] = KEPT
    return answer


def _sent(request: web.Request, asset: Asset) -> web.Response:
    answer = cached_response(request, asset.body, asset.content_type, INDEX_MAX_AGE_SECONDS)
    if answer.content_type.startswith("text/"):
        answer.charset = "utf-8"
    if answer.body is not None and accepts_gzip(request):
        answer.body = asset.packed
        answer.headers["Content-Encoding"] = "gzip"
    return answer
