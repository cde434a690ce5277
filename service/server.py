"""Running the service: one process, one loop, graceful end on SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import orjson
import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from service.guard import HEADERS
from service.problems import CONTENT_TYPE, problem_document, problem_of_http, problem_response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.web_request import BaseRequest

    from service.settings import Settings

log = structlog.get_logger()

DRAIN_SECONDS = 20.0
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class _Connection(RequestHandler):
    """aiohttp's connection, whose own answers (to what is not HTTP, mostly) are problem documents too, and whose log is ours."""

    __slots__ = ()

    def handle_error(
        self, request: BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer what never reached a route. `message` is the parser's and may quote the request, so it stays inside."""
        del message
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already") from exc
        code = "internal-error" if status >= 500 else "bad-request"  # noqa: PLR2004 - the class of server errors
        if code == "internal-error":
            log.error("connection.failed", exc_info=exc)
        document = problem_document(
            code, "The request is not valid HTTP." if code == "bad-request" else "The service failed.", status=status
        )
        response = web.Response(status=status, body=orjson.dumps(document), content_type=CONTENT_TYPE, headers=HEADERS)
        response.force_close()
        return response

    def log_exception(self, *args: object, exc_info: BaseException | None = None, **members: object) -> None:
        """Log what aiohttp could not handle; a body that broke off after its request was answered is not worth a traceback."""
        del args, members
        if isinstance(exc_info, web.RequestPayloadError | ConnectionError):
            log.info("connection.broken")
        else:
            log.error("connection.failed", exc_info=exc_info)


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Requests:
    """The requests under way: what aiohttp refuses before the middlewares becomes a problem, and the end waits for all of them."""

    def __init__(self, handler: Callable[[BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        self._handler = handler
        self._under_way = 0
        self._stopping: asyncio.Event | None = None

    async def __call__(self, request: BaseRequest) -> web.StreamResponse:
        self._under_way += 1
        try:
            response = await self._handler(request)
        except web.HTTPException as error:  # such as an Expect header that cannot be met
            response = problem_response(problem_of_http(error), HEADERS)
        finally:
            self._under_way -= 1
            if self._stopping and not self._under_way:
                self._stopping.set()
        if self._stopping:
            response.force_close()
        return response

    async def finish(self, seconds: float) -> None:
        """Wait until no request is under way, at most so long; from now on each answer is the last of its connection."""
        self._stopping = asyncio.Event()
        if self._under_way:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()


class Runner(web.AppRunner):
    """aiohttp's runner with our connections. There is no public way to hand it another connection class (aiohttp 3.14)."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = _Server
        server.request_handler = self.requests = _Requests(server.request_handler)
        return server

    async def finish(self, seconds: float) -> None:
        """Take no new connections and finish what is under way. `cleanup` alone reads no further from a body that is half here."""
        for site in list(self.sites):
            await site.stop()
        await self.requests.finish(seconds)


async def serve(app: web.Application, settings: Settings) -> None:
    """Listen until told to stop, then finish what is under way."""
    runner = Runner(
        app,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=1.0,  # for what outlasts DRAIN_SECONDS
        keepalive_timeout=75.0,
        auto_decompress=False,  # service.body does it, within a bound and to the end
    )
    await runner.setup()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
        host, port = runner.addresses[0][:2]
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        if settings.host not in LOOPBACK:
            log.warning("serve.open", detail=f"anyone who reaches {address} can ask; there are no keys yet", host=host)
        log.info("serve.ready", address=address, store=settings.store_name)
        sys.stderr.write(_invitation(address))
        await stop.wait()
        log.info("serve.stopping")
        await runner.finish(DRAIN_SECONDS)
    finally:
        await runner.cleanup()


def _invitation(address: str) -> str:
    return f"""
Gridgram answers at {address} (reference: {address}/docs). Try:

curl -s {address}/v1/emissions -H 'Content-Type: application/json' -d '{{
  "location": "FR",
  "energy": {{"start": "2024-03-11T00:00:00Z", "step": "PT1H", "kwh": [1.2, 0.8]}}
}}'
"""
