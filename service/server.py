"""Running the service: one process, one loop, and its end. Connections are `service.connections`, several processes `service.workers`.

The end: readiness says no; after `drain_notice_seconds` no new connection is taken; what was begun is finished; the process exits with 0.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from service.connections import Bounds, Connection, Server
from service.guard import HEADERS, BareResponse
from service.load import LOAD, watched_loop
from service.problems import problem_document, problem_of_http, problem_response
from service.resting import Rest
from service.shedding import REFUSED_DETAIL, RETRY_AFTER_SECONDS, SPARED_PATHS, Queue
from service.short_way import SHORT_WAY
from service.welcome import tell_ready

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.web_request import BaseRequest

    from service.load import Load
    from service.settings import Settings
    from service.workers import Worker

log = structlog.get_logger()

DRAIN_SECONDS = 20.0
QUIET_SECONDS = 0.1
"""Requests that were sent while the last ones were finished have arrived after so long."""
BACKLOG = 4_096
"""Connections that the system may hold until they are accepted; it may hold fewer (net.core.somaxconn)."""
OTHER_FILES = 256
"""Files, sockets to sources and the like that are open besides the connections of clients."""


class _Requests:
    """The requests under way: what aiohttp refuses before the middlewares becomes a problem, and the end waits for all of them."""

    def __init__(self, handler: Callable[[BaseRequest], Awaitable[web.StreamResponse]], load: Load, queue: Queue) -> None:
        self._handler = handler
        self._load = load
        self._queue = queue
        self._begun = 0
        self._stopping: asyncio.Event | None = None

    async def __call__(self, request: BaseRequest) -> web.StreamResponse:
        connection: Connection = request.protocol  # type: ignore[assignment]  # Server makes no others
        load = self._load
        load.requests_under_way += 1
        self._begun += 1
        try:
            if (connection.is_refused or connection.queue.is_long) and request.path not in SPARED_PATHS:
                may_begin = not connection.is_refused and await connection.queue.turn()
                connection.begun(request.content)
                if not may_begin or connection.transport is None:  # the client has gone: nothing is worked out for it
                    return self._refusal(request, connection)
            else:
                connection.begun(request.content)
            response = await self._handler(request)
        except web.HTTPException as error:  # such as an Expect header that cannot be met
            response = problem_response(problem_of_http(error), HEADERS, BareResponse)
        finally:
            load.requests_under_way -= 1
            if self._stopping and not load.requests_under_way:
                self._stopping.set()
        if self._stopping:
            response.force_close()
        return response

    def _refusal(self, request: BaseRequest, connection: Connection) -> web.Response:
        headers = {**HEADERS, "Retry-After": str(RETRY_AFTER_SECONDS)}
        response = problem_response(problem_document("overloaded", REFUSED_DETAIL), headers, BareResponse)
        if request.content.is_eof() and not self._stopping:
            connection.note_refused()
        else:
            self._load.requests_refused += 1
            response.force_close()  # its body need not be read
        return response

    async def finish(self, seconds: float) -> None:
        """Wait until no request waits, is under way or on its way, at most so long; each answer is now the last of its connection."""
        self._stopping = asyncio.Event()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                begun = -1
                while begun != self._begun or self._queue.waiting:
                    begun = self._begun
                    await asyncio.sleep(QUIET_SECONDS)
                    while self._load.requests_under_way:
                        self._stopping.clear()
                        await self._stopping.wait()


class Runner(web.AppRunner):
    """aiohttp's runner with our server. There is no public way to hand it another one (aiohttp 3.14)."""

    def __init__(self, app: web.Application, settings: Settings) -> None:
        self._settings = settings
        super().__init__(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=1.0,  # for what outlasts DRAIN_SECONDS
            keepalive_timeout=settings.idle_seconds,
            auto_decompress=False,  # service.body does it, within a bound and to the end
        )

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = Server
        assert isinstance(server, Server)  # noqa: S101 - for the type checker
        settings, load = self._settings, self.app[LOAD]
        connections = min(settings.connections, open_files() - OTHER_FILES)
        server.bounds = Bounds(settings.head_seconds, settings.body_seconds, settings.answer_seconds, max(1, connections))
        server.queue, server.load = Queue(settings.queue_requests, settings.burst_seconds), load
        server.rest = self.rest = Rest(server.queue, asyncio.get_running_loop())
        server.short_way = self.app.get(SHORT_WAY)
        server.request_handler = self.requests = _Requests(server.request_handler, load, server.queue)
        self.care = asyncio.create_task(server.look_after_connections())
        return server

    async def finish(self, seconds: float) -> None:
        """Take no new connections and finish what is under way. `cleanup` alone reads no further from a body that is half here."""
        for site in list(self.sites):
            await site.stop()
        self.rest.end()
        if isinstance(self.server, Server):
            self.server.short_way = None  # the whole way tells each client that its connection ends
        await self.requests.finish(seconds)

    async def cleanup(self) -> None:
        """Close all that is open."""
        self.care.cancel()
        await super().cleanup()


def open_files() -> int:
    """How many files this process may have open; the soft limit is raised to the hard one first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # macOS names no hard limit and takes none
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            return hard
    return soft


def set_the_house_aside() -> None:
    """Take all that lives until the end out of what the garbage collector looks at.

    A full collection walks every object and holds the loop up meanwhile: 25 to 100 ms with the 82,000 of a service that just started, on a
    busy machine, 1 to 18 without them.
    """
    gc.collect()
    gc.freeze()


async def serve(app: web.Application, settings: Settings, worker: Worker | None = None) -> None:
    """Listen until told to stop, then finish what is under way. A worker listens where its parent says, and tells it when it is ready."""
    load = app[LOAD]
    runner = Runner(app, settings)
    await runner.setup()
    set_the_house_aside()
    stop = _Stop(worker)
    try:
        async with watched_loop(load):
            await _listen(runner, settings, worker)
            if worker:
                log.debug("worker.ready", worker=worker.number)
                worker.tell_ready()
            else:
                host, port = runner.addresses[0][:2]
                tell_ready(host, port, settings)
            await stop.asked.wait()
            load.is_draining = True
            log.info("serve.stopping", worker=load.worker)
            await asyncio.sleep(0 if stop.is_by_hand else settings.drain_notice_seconds)
            await runner.finish(DRAIN_SECONDS)
    finally:
        await runner.cleanup()


async def _listen(runner: Runner, settings: Settings, worker: Worker | None) -> None:
    if not worker:
        await web.TCPSite(runner, settings.host, settings.port, backlog=BACKLOG).start()
        return
    for listener in worker.listeners:
        await web.SockSite(runner, listener, backlog=BACKLOG).start()


class _Stop:
    """Being told to stop: a process of its own ends at once when it is told twice.

    A worker leaves that to its parent, as others (a terminal, systemd) may signal both.
    """

    def __init__(self, worker: Worker | None) -> None:
        self.asked = asyncio.Event()
        self.is_by_hand = False
        self._worker = worker
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number)
        if worker:
            loop.add_reader(worker.lifeline, self._orphaned, loop, worker.lifeline)

    def _signalled(self, number: signal.Signals) -> None:
        if self._worker:
            if number is signal.SIGTERM:
                self.asked.set()
            return
        if self.asked.is_set():
            log.warning("serve.killed", detail="told to stop a second time; what was under way is lost")
            sys.stderr.flush()
            os._exit(128 + number)
        self.is_by_hand = number is signal.SIGINT
        self.asked.set()

    def _orphaned(self, loop: asyncio.AbstractEventLoop, lifeline: int) -> None:
        loop.remove_reader(lifeline)
        self.asked.set()
