"""Connections: aiohttp's, with what it lacks. How slow a client may be, how many may be open, and refusing what is too much.

aiohttp 3.14 waits for ever for the rest of a head, of a body, and for a client that does not read. There is no public way to hand it
another connection class; what is used of its inside is named in `Connection`, and tests look whether it still works.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

import orjson
import structlog
from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler

from service.body import SlowBody
from service.guard import HEADERS, BareResponse
from service.problems import CONTENT_TYPE, problem_document
from service.shedding import REFUSAL, REFUSAL_OF_CONNECTION, SHORT_SHARE, SPARED, TOO_SLOW, is_whole_request
from service.short_way import plain_body

if TYPE_CHECKING:
    from aiohttp.streams import StreamReader
    from aiohttp.web_request import BaseRequest

    from service.load import Load
    from service.resting import Rest
    from service.shedding import Queue
    from service.short_way import ShortWay

log = structlog.get_logger()

LEAST_BYTES_PER_SECOND = 500
"""A body or an answer that moves on at this rate is never cut; MinRate of Apache's mod_reqtimeout has the same default."""
LOOK_SECONDS = 1.0
REFUSED_SECONDS = 1.0
"""How long a connection that is too much may take to read that it is."""
MOST_BEING_REFUSED = 200
"""So many get to read it; a further one is closed without a word."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a client is held to. [s]"""

    head_seconds: float
    body_seconds: float
    answer_seconds: float
    connections: int

    @property
    def look_seconds(self) -> float:
        """How often to look."""
        return min(LOOK_SECONDS, self.head_seconds / 4, self.body_seconds / 4, self.answer_seconds / 4)


class Connection(RequestHandler):
    """aiohttp's connection, whose own answers are problem documents too, whose log is ours, and which knows how slow its client is.

    Of aiohttp's inside it reads `_request_count` (heads parsed), `_request_in_progress`, `_current_request`, `_reading_paused`,
    `_buffer_paused`, sets `_next_keepalive_close_time`, and overrides `data_received` and `connection_lost`. A request that may go the
    short way lies in `_messages` as the others do, but `_waiter`, for which the task of the connection waits, is woken only once it cannot.
    """

    __slots__ = (
        "_begun_count",
        "_content",
        "_head_since",
        "_is_queued",
        "_phase",
        "_phase_bytes",
        "_phase_since",
        "is_refused",
        "queue",
    )

    def __init__(self, queue: Queue, *arguments: object, **members: object) -> None:
        super().__init__(*arguments, **members)  # type: ignore[arg-type]  # aiohttp's own
        self.queue = queue
        self._begun_count, self._content = 0, EMPTY_PAYLOAD
        self._head_since = 0.0
        self._is_queued = self.is_refused = False
        self._phase, self._phase_since, self._phase_bytes = "", 0.0, 0

    def data_received(self, data: bytes) -> None:
        """Take what came in. The first bytes of a request start its clock, the last of its head put it into the queue."""
        if self._request_count != self._begun_count or self._request_in_progress or not self._content.is_eof():
            super().data_received(data)  # not idle: a body, or the next requests before the answer
            return
        queue = self.queue
        is_full = queue.waiting >= queue.most_waiting and queue.is_full(time.perf_counter())
        if is_full and not self._head_since and self._refuse(data):
            return
        waiter, self._waiter = self._waiter, None
        super().data_received(data)
        self._waiter = waiter
        if self._request_count != self._begun_count:
            self._head_since = 0.0
            self.is_refused = is_full
            self._is_queued = True
            queue.waiting += 1
            if waiter is not None and not self._may_be_short(data):
                self._wake()
        elif data and not self._head_since:
            self._head_since = time.perf_counter()

    def _wake(self) -> None:
        """Let the task of the connection take the request that has arrived."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _may_be_short(self, data: bytes) -> bool:
        """Let the request that has just arrived wait for its turn on the short way; False if it has to go the whole way."""
        short_way = cast("Server", self._manager).short_way
        if short_way is None or self.is_refused or len(self._messages) != 1 or self.transport is None:
            return False
        arrived = self._messages[0]
        body = plain_body(*arrived, data)
        if body is None or self.transport.get_write_buffer_size():
            return False
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        self.queue.park(partial(self._go_short_way, short_way, arrived, body), SHORT_SHARE)
        return True

    def _go_short_way(
        self,
        short_way: ShortWay,
        arrived: tuple[object, StreamReader],
        body: bytes,
        may_begin: bool,  # noqa: FBT001 - as the queue tells it
    ) -> None:
        """Answer the request that waited, if its client is still there; what the short way does not answer goes the whole way."""
        if self.transport is None or self._parser is None:
            return
        if not self._messages or self._messages[0] is not arrived:  # the next request came meanwhile and has sent it the whole way
            return
        message, content = arrived
        assert isinstance(message, RawRequestMessage)  # noqa: S101 - for the type checker: `plain_body` looked
        answer = short_way.answer(message.headers, body) if may_begin else REFUSAL
        if answer is None:
            self._wake()
            return
        self._messages.popleft()
        self._parser.message_consumed()
        self.begun(content)
        self.transport.write(answer)
        if not may_begin:
            self.note_refused()

    def _refuse(self, data: bytes) -> bool:
        """Refuse a request that is here from its first to its last byte without looking what it wants; False for any other."""
        if self.transport is None or data.startswith(SPARED) or not is_whole_request(data):
            return False
        self.transport.write(REFUSAL)
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        self.note_refused()
        return True

    def note_refused(self) -> None:
        """Count a request of this connection that was refused; it may have to rest."""
        server = cast("Server | None", self._manager)
        if server is not None:
            server.load.requests_refused += 1
            server.rest.refused(self)

    def stop_reading(self) -> None:
        """Leave what comes in to the system, as this connection was refused a moment ago."""
        if self.transport is not None:
            self.transport.pause_reading()

    def go_on_reading(self) -> None:
        """Take what has come in, unless aiohttp wants it left where it is."""
        if self.transport is not None and not self._reading_paused and not self._buffer_paused:
            self.transport.resume_reading()

    def begun(self, content: StreamReader) -> None:
        """Leave the queue, as the request that has this body is being worked on."""
        self._begun_count += 1
        self._content = content
        self._leave_queue()

    def _leave_queue(self) -> None:
        if self._is_queued:
            self._is_queued = False
            self.queue.leave()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Leave the queue too: what is lost before it is begun never begins."""
        self._leave_queue()
        super().connection_lost(exc)

    def cut_if_slow(self, transport: asyncio.Transport, now: float, bounds: Bounds) -> str:
        """Cut this connection if its client is too slow now; says with what, or nothing."""
        request = self._current_request
        unsent_bytes = transport.get_write_buffer_size()
        slow = ""
        if self._head_since:
            slow = "head" if now - self._head_since >= bounds.head_seconds else ""
        elif unsent_bytes:
            slow = "answer" if self._is_stuck("answer", -unsent_bytes, now, bounds.answer_seconds) else ""
        elif request is not None and not request.content.is_eof() and not self._reading_paused:
            slow = "body" if self._is_stuck("body", request.content.total_bytes, now, bounds.body_seconds) else ""
        else:
            self._phase = ""
        if slow == "head":
            self._head_since = 0.0
            transport.write(TOO_SLOW)
            self.force_close()
        elif slow == "answer":
            transport.abort()
        elif slow == "body" and request is not None:
            request.content.set_exception(SlowBody(f"the body brought less than {LEAST_BYTES_PER_SECOND} bytes a second"))
        return slow

    def _is_stuck(self, phase: str, moved_bytes: int, now: float, seconds: float) -> bool:
        """Whether less has moved in the last `seconds` of this phase than the least rate wants."""
        if phase == self._phase and now - self._phase_since < seconds:
            return False
        is_stuck = phase == self._phase and moved_bytes - self._phase_bytes < LEAST_BYTES_PER_SECOND * seconds
        self._phase, self._phase_since, self._phase_bytes = phase, now, moved_bytes
        return is_stuck

    def resume_writing(self) -> None:
        """Go on writing; the client has read, so that its time starts again."""
        self._phase = ""
        super().resume_writing()

    def handle_error(
        self, request: BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer what never reached a route. `message` is the parser's and may quote the request, so it stays inside."""
        del message
        self._leave_queue()
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already") from exc
        code = "internal-error" if status >= 500 else "bad-request"  # noqa: PLR2004 - the class of server errors
        if code == "internal-error":
            log.error("connection.failed", exc_info=exc)
        document = problem_document(
            code, "The request is not valid HTTP." if code == "bad-request" else "The service failed.", status=status
        )
        response = BareResponse(status=status, body=orjson.dumps(document), content_type=CONTENT_TYPE, headers=HEADERS)
        response.force_close()
        return response

    def log_exception(self, *args: object, exc_info: BaseException | None = None, **members: object) -> None:
        """Log what aiohttp could not handle; a body that broke off after its request was answered is not worth a traceback."""
        del args, members
        if isinstance(exc_info, web.RequestPayloadError | ConnectionError | SlowBody):
            log.info("connection.broken")
        else:
            log.error("connection.failed", exc_info=exc_info)


class _Refused(asyncio.Protocol):
    """A connection too many: it is told so, and closed."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say it, and give the client a moment to read it: a close with its request unread could lose the answer."""
        load, transport = self._server.load, cast("asyncio.Transport", transport)
        load.connections_refused += 1
        self._server.being_refused += 1
        if self._server.being_refused > MOST_BEING_REFUSED:
            transport.abort()
            return
        transport.write(REFUSAL_OF_CONNECTION)
        transport.write_eof()
        asyncio.get_running_loop().call_later(REFUSED_SECONDS, transport.abort)

    def connection_lost(self, _: BaseException | None) -> None:
        """Make room for the next."""
        self._server.being_refused -= 1


class Server(web.Server):
    """aiohttp's server, which makes our connections, as many as it may, and looks after them."""

    queue: Queue
    rest: Rest
    load: Load
    bounds: Bounds
    short_way: ShortWay | None = None
    being_refused = 0

    def __call__(self) -> RequestHandler:
        """Make the protocol of a connection that was accepted just now."""
        if len(self._connections) >= self.bounds.connections:
            return cast("RequestHandler", _Refused(self))
        return Connection(self.queue, self, loop=self._loop, **self._kwargs)

    async def look_after_connections(self) -> None:
        """Cut the slow ones and tell what was refused, again and again."""
        told = self._refused_so_far()
        while True:
            await asyncio.sleep(self.bounds.look_seconds)
            self._cut_the_slow(time.perf_counter())
            refused = self._refused_so_far()
            if refused != told:
                log.warning("load.shed", requests=refused[0] - told[0], connections=refused[1] - told[1], resting=len(self.rest))
                told = refused

    def _refused_so_far(self) -> tuple[int, int]:
        return self.load.requests_refused, self.load.connections_refused

    def _cut_the_slow(self, now: float) -> None:
        cut = dict.fromkeys(self.load.connections_cut, 0)
        for connection, transport in list(self._connections.items()):
            if slow := cast("Connection", connection).cut_if_slow(transport, now, self.bounds):
                cut[slow] += 1
        self.load.connections, self.load.connections_resting = len(self._connections), len(self.rest)
        for what, count in cut.items():
            self.load.connections_cut[what] += count
        if any(cut.values()):
            log.info("connections.cut", **cut)
