"""The HTTP side of backfills."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import web

from providers.spending import SPENDER
from service.backfill.uploads.errors import Unfinished
from service.backfill.uploads.requests import UPLOAD_TYPES, BackfillQuery, idempotency_key
from service.backfill.uploads.usecase import Backfills, is_done
from service.body import check_media_type, read_pieces
from service.http import json_response, query_of
from service.quota import Allowance
from service.requests import NoQuery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.backfill.uploads.job import Job

BACKFILLS: web.AppKey[Backfills] = web.AppKey("backfills")
RESULT_TYPES: Final = {"parquet": "application/vnd.apache.parquet", "csv": "text/csv", "ndjson": "application/x-ndjson"}
_TYPES = frozenset(UPLOAD_TYPES)


async def start_backfill(request: web.Request) -> web.Response:
    """Answer POST /v1/backfills."""
    query, key = query_of(request, BackfillQuery), idempotency_key(request)
    check_media_type(request, _TYPES)

    def pieces(most_bytes: int) -> AsyncIterator[bytes]:
        return read_pieces(request, most_bytes)

    answer, _ = await request.app[BACKFILLS].take_in(_owner(), query, key, request.content_length, pieces)
    response = json_response(answer, {"Location": f"/v1/backfills/{answer['id']}", "Cache-Control": "no-store"})
    response.set_status(202)
    return response


async def backfill(request: web.Request) -> web.Response:
    """Answer GET /v1/backfills/{id}."""
    query_of(request, NoQuery)
    backfills, job = request.app[BACKFILLS], await _job(request)
    return json_response(await asyncio.to_thread(backfills.tell, job), {"Cache-Control": "no-store"})


async def delete_backfill(request: web.Request) -> web.Response:
    """Answer DELETE /v1/backfills/{id}."""
    query_of(request, NoQuery)
    answer = await request.app[BACKFILLS].remove(await _job(request))
    if answer is None:
        raise web.HTTPNotFound
    return json_response(answer, {"Cache-Control": "no-store"})


async def backfill_result(request: web.Request) -> web.StreamResponse:
    """Answer GET /v1/backfills/{id}/result."""
    query_of(request, NoQuery)
    job = await _finished(request)
    output = job.asked.options["output"]
    return await _file(request, job, f"backfill-{job.asked.id}.{output}", RESULT_TYPES[output], is_result=True)


async def backfill_quarantine(request: web.Request) -> web.StreamResponse:
    """Answer GET /v1/backfills/{id}/quarantine; with nothing where every row has its numbers."""
    query_of(request, NoQuery)
    job = await _finished(request)
    return await _file(request, job, f"backfill-{job.asked.id}.quarantine.ndjson", RESULT_TYPES["ndjson"], is_result=False)


def _owner() -> str:
    """The key that asks; "" where the service has none."""
    spender = SPENDER.get()
    return spender.key.name if isinstance(spender, Allowance) else ""


async def _job(request: web.Request) -> Job:
    """The backfill that the path names. Nothing tells one of another key from one that there is not."""
    job = await request.app[BACKFILLS].find(request.match_info["id"], _owner())
    if job is None:
        raise web.HTTPNotFound
    return job


async def _finished(request: web.Request) -> Job:
    backfills, job = request.app[BACKFILLS], await _job(request)
    answer = await asyncio.to_thread(backfills.tell, job)
    if not is_done(answer):
        why = answer.get("detail", "ask for its progress until it is done")
        raise Unfinished(f"the backfill is {answer['state']}: {why}")
    return job


async def _file(request: web.Request, job: Job, name: str, media_type: str, *, is_result: bool) -> web.StreamResponse:
    """A file of a backfill, whole or a range of it."""
    path = job.result if is_result else job.quarantine
    try:
        size = (await asyncio.to_thread(path.stat)).st_size
    except FileNotFoundError:
        raise web.HTTPNotFound from None
    _check_range(request, size)
    headers = {"Content-Type": media_type, "Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-cache"}
    return web.FileResponse(path, headers=headers)


def _check_range(request: web.Request, size: int) -> None:
    """Raise HTTPRequestRangeNotSatisfiable for a range outside of the file; one that depends on If-Range is left to aiohttp."""
    if "If-Range" in request.headers or "Range" not in request.headers:
        return
    try:
        start = request.http_range.start
    except ValueError:
        raise web.HTTPRequestRangeNotSatisfiable from None
    if start is not None and start >= size:
        raise web.HTTPRequestRangeNotSatisfiable
