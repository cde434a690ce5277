"""The short way of the request that is asked most: `POST /v1/emissions` in its common form is answered without a task of its own.

A request that is here to its last byte, and whose hours are in memory, needs nothing of what makes up half the cost of one that may have
to wait. All that every request passes through it passes through here too: the queue (`service.shedding`), the checks of head and body, the
counts, the log, the headers of `service.guard`. Whatever is not plainly a success is not decided here: it goes the whole way.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.http import RawRequestMessage

from service.body import JSON_TYPES
from service.formats import JSON_TYPE
from service.guard import COMPRESSED_BYTES, HEADERS
from service.limits import INLINE_BODY_BYTES
from service.logs import Access
from service.tracing import REQUEST_ID, trace_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.streams import StreamReader

    from service.guard import Guard
    from service.usecases import Gridgram

NAME, METHOD, PATH = "emissions", "POST", "/v1/emissions"
"""The operation, as `service.operations` lists it."""
_SECURITY: Final = "".join(f"{name}: {text}\r\n" for name, text in HEADERS.items())
_HEAD: Final = (
    f"HTTP/1.1 200 OK\r\nContent-Type: {JSON_TYPE}\r\nContent-Length: %d\r\nDate: %b\r\n{_SECURITY}{REQUEST_ID}: %b\r\n\r\n".encode()
)


class ShortWay:
    """Answers what it knows, in one go. Only where everybody may ask, and no browser from elsewhere."""

    __slots__ = ("_counts", "_gridgram", "_log")

    def __init__(self, guard: Guard, gridgram: Gridgram) -> None:
        self._gridgram = gridgram
        self._counts = guard.counts.of(NAME)
        self._log = guard.access_log

    def answer(self, headers: Mapping[str, str], body: bytes) -> bytes | None:
        """The whole answer to a request, head and body; None for one that has to go the whole way."""
        started = time.perf_counter()
        if headers.get(hdrs.CONTENT_TYPE) not in JSON_TYPES or hdrs.CONTENT_ENCODING in headers or hdrs.EXPECT in headers:
            return None
        try:
            answer = self._gridgram.emissions_at_once(body)
        except Exception:  # noqa: BLE001 - whatever nobody foresaw meets the guard on the whole way, which logs it and answers
            return None
        if answer is None or (len(answer) >= COMPRESSED_BYTES and hdrs.ACCEPT_ENCODING in headers):
            return None
        trace = trace_of(headers)
        ended, seconds = time.time(), time.perf_counter() - started
        self._counts.statuses[200] += 1
        self._counts.durations.add(seconds)
        if self._log is not None:
            self._log.note(Access(ended, NAME, 200, seconds, len(answer), None, trace))
        return _HEAD % (len(answer), _date(int(ended)), trace.request_id.encode()) + answer


SHORT_WAY: web.AppKey[ShortWay] = web.AppKey("short_way")
"""Absent where keys are set or other origins may read: there every request goes the whole way."""


def plain_body(message: object, content: StreamReader, received: bytes) -> bytes | None:
    """The body of a request of the operation that came whole with the bytes received last; None for any other request."""
    if (
        not isinstance(message, RawRequestMessage)  # what aiohttp could not read
        or message.path != PATH
        or message.method != METHOD
        or message.version != HttpVersion11
        or message.should_close
        or message.upgrade
        or message.chunked
        or not content.is_eof()
        or content.total_bytes > INLINE_BODY_BYTES
    ):
        return None
    body = received[received.find(b"\r\n\r\n") + 4 :]
    return body if len(body) == content.total_bytes else None


@lru_cache(maxsize=2)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
