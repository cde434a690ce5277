"""Many jobs in one request: NDJSON in, NDJSON out, both streamed, order kept; a bad line is answered in its place.

Reading and writing go on side by side with a bounded store of answers between them: a caller that does not read them is not read from.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson
import structlog
from aiohttp import web

from gridgram.errors import GridgramError
from service.body import BodyTooLarge, UnreadableBody, check_media_type, off_the_loop, parse_json, read_pieces, read_query
from service.http import GRIDGRAM
from service.limits import MAX_BATCH_BYTES, MAX_BATCH_LINES, MAX_LINE_BYTES
from service.problems import problem_document, problem_of
from service.requests import NoQuery, read_request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.jobs import Job
    from service.usecases import Gridgram

log = structlog.get_logger()

NDJSON_TYPES = frozenset({"application/x-ndjson", "application/jsonl"})
HELD_BYTES = 4 * 1024 * 1024
"""Answers that wait for the caller to read: some eight thousand without hours, three with the hours of a year."""
SLICE_SECONDS = 0.005
"""After so long others have the loop, though nothing here need wait."""


async def emissions_batch(request: web.Request) -> web.StreamResponse:
    """Answer POST /v1/emissions/batch."""
    read_request(NoQuery, read_query(request), request.app[GRIDGRAM].now())
    check_media_type(request, NDJSON_TYPES)
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson", "Cache-Control": "no-store"})
    await response.prepare(request)
    answers = _Answers()
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(_answer_lines(request, answers))
            both.create_task(_write(response, answers))
        await response.write_eof()
    except* ConnectionError:
        log.info("batch.abandoned")
    return response


class _Answers:
    """Answers on their way from the one who makes them to the one who sends them: the first waits when too many bytes are held."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._is_ended = False
        self._arrived, self._taken = asyncio.Event(), asyncio.Event()

    async def put(self, answer: bytes) -> None:
        """Add an answer; if that is too much, wait until it is taken."""
        self._held += answer
        self._arrived.set()
        if len(self._held) >= HELD_BYTES:
            self._taken.clear()
            await self._taken.wait()

    def end(self) -> None:
        """Say that no more will come."""
        self._is_ended = True
        self._arrived.set()

    async def take(self) -> bytes:
        """Take all that is held; wait while nothing is. Empty only at the end."""
        await self._arrived.wait()
        taken, self._held = bytes(self._held), bytearray()
        if not self._is_ended:
            self._arrived.clear()
        self._taken.set()
        return taken


async def _answer_lines(request: web.Request, answers: _Answers) -> None:
    gridgram = request.app[GRIDGRAM]
    clock = asyncio.get_running_loop().time
    number, slice_end = 0, clock() + SLICE_SECONDS
    try:
        async for line in _lines(request):
            if number == MAX_BATCH_LINES:
                await answers.put(_ending(BodyTooLarge(f"the batch has more than {MAX_BATCH_LINES} lines"), number + 1))
                break
            number += 1
            if line.strip():
                await answers.put(await _answer_line(gridgram, line, number))
            if clock() > slice_end:
                await asyncio.sleep(0)
                slice_end = clock() + SLICE_SECONDS
    except (BodyTooLarge, UnreadableBody) as error:
        await answers.put(_ending(error, number + 1))
    answers.end()


def _ending(error: GridgramError, line: int) -> bytes:
    return _write_line({**problem_of(error), "hint": "Nothing from this line on was read: mend it, or split the batch.", "line": line})


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


async def _write(response: web.StreamResponse, answers: _Answers) -> None:
    while answer := await answers.take():
        await response.write(answer)


async def _lines(request: web.Request) -> AsyncIterator[bytes]:
    """Give the lines of the body as they come in. Raises BodyTooLarge and UnreadableBody, after the lines that were sound."""
    held = bytearray()
    async for piece in read_pieces(request, MAX_BATCH_BYTES):
        head, *others = piece.split(b"\n")
        held += head
        if len(held) > MAX_LINE_BYTES:
            raise BodyTooLarge(f"this line is longer than {MAX_LINE_BYTES} bytes")
        if others:
            yield bytes(held)
            for line in others[:-1]:
                yield line
            held = bytearray(others[-1])
    if held:
        yield bytes(held)


def _write_line(answer: object) -> bytes:
    return orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE)
