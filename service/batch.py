"""Many jobs in one request: NDJSON in, NDJSON out, both streamed, order kept; a bad line is answered in its place.

Reading and writing go on side by side with a bounded queue between them: a caller that does not read its answers is not read from.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson
import structlog
from aiohttp import web

from gridgram.errors import GridgramError
from service.body import BodyTooLarge, UnreadableBody, check_media_type, off_the_loop, parse_json, read_query
from service.handlers import GRIDGRAM
from service.limits import MAX_BATCH_BYTES, MAX_LINE_BYTES
from service.problems import problem_document, problem_of
from service.requests import NoQuery, read_request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.usecases import Gridgram, Job

log = structlog.get_logger()

NDJSON_TYPES = frozenset({"application/x-ndjson", "application/jsonl"})
QUEUED_ANSWERS = 2_048
"""Answers that wait for the caller to read; some 2 MiB without hours."""
WRITE_BYTES = 32 * 1024
"""Answers are gathered to this size before they are written, unless no more is ready."""


async def emissions_batch(request: web.Request) -> web.StreamResponse:
    """Answer POST /v1/emissions/batch."""
    read_request(NoQuery, read_query(request), request.app[GRIDGRAM].now())
    check_media_type(request, NDJSON_TYPES)
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson", "Cache-Control": "no-store"})
    await response.prepare(request)
    answers: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUED_ANSWERS)
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(_answer_lines(request, answers))
            both.create_task(_write(response, answers))
        await response.write_eof()
    except* ConnectionError:
        log.info("batch.abandoned")
    return response


async def _answer_lines(request: web.Request, answers: asyncio.Queue[bytes | None]) -> None:
    gridgram = request.app[GRIDGRAM]
    number = 0
    try:
        async for line in _lines(request):
            number += 1
            if line.strip():
                await answers.put(await _answer_line(gridgram, line, number))
    except GridgramError as error:
        await answers.put(_write_line({**problem_of(error), "line": number + 1}))
    await answers.put(None)


async def _answer_line(gridgram: Gridgram, line: bytes, number: int) -> bytes:
    def read(body: bytes) -> Job:
        return gridgram.read_job(parse_json(body))

    try:
        return _write_line(await gridgram.emissions(await off_the_loop(line, read)))
    except GridgramError as error:
        return _write_line({**problem_of(error), "line": number})
    except Exception:
        log.exception("batch.failed", line=number)
        return _write_line({**problem_document("internal-error", "the service failed at this line"), "line": number})


async def _write(response: web.StreamResponse, answers: asyncio.Queue[bytes | None]) -> None:
    gathered = bytearray()
    while (answer := await answers.get()) is not None:
        gathered += answer
        if len(gathered) >= WRITE_BYTES or answers.empty():
            await response.write(bytes(gathered))
            gathered.clear()
    if gathered:
        await response.write(bytes(gathered))


async def _lines(request: web.Request) -> AsyncIterator[bytes]:
    """Give the lines of the body as they come in. Raises BodyTooLarge and UnreadableBody, after the lines that were sound."""
    held = bytearray()
    size = 0
    try:
        async for piece in request.content.iter_any():
            size += len(piece)
            if size > MAX_BATCH_BYTES:
                raise BodyTooLarge(f"the batch is longer than {MAX_BATCH_BYTES} bytes; nothing from this line on was read: split it")
            held += piece
            *lines, rest = held.split(b"\n")
            for line in lines:
                yield bytes(line)
            held = rest
            await asyncio.sleep(0)  # let others have the loop: neither reading nor computing need have waited
            if len(held) > MAX_LINE_BYTES:
                raise BodyTooLarge(f"this line is longer than {MAX_LINE_BYTES} bytes; nothing from it on was read")
    except (web.RequestPayloadError, ValueError) as error:
        raise UnreadableBody("the body is not what its Content-Encoding says, or broke off; nothing from this line on was read") from error
    if held:
        yield bytes(held)


def _write_line(answer: object) -> bytes:
    return orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE)
