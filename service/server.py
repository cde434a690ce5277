"""Running the service: one process, one loop, graceful end on SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

import orjson
import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from service.problems import CONTENT_TYPE, problem_document
from service.settings import SQLITE

if TYPE_CHECKING:
    from aiohttp.web_request import BaseRequest

    from service.settings import Settings

log = structlog.get_logger()

DRAIN_SECONDS = 20.0
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class _Connection(RequestHandler):
    """aiohttp's connection, whose own answers (to what is not HTTP, mostly) are problem documents too."""

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
        response = web.Response(status=status, body=orjson.dumps(document), content_type=CONTENT_TYPE)
        response.force_close()
        return response


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """aiohttp's runner with our connections. There is no public way to hand it another connection class (aiohttp 3.14)."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = _Server
        return server


async def serve(app: web.Application, settings: Settings) -> None:
    """Listen until told to stop, then finish what is under way."""
    runner = Runner(app, access_log=None, handle_signals=False, shutdown_timeout=DRAIN_SECONDS, keepalive_timeout=75.0)
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
        log.info("serve.ready", address=address, store=f"{SQLITE}{settings.store_path}")
        sys.stderr.write(_invitation(address))
        await stop.wait()
        log.info("serve.stopping")
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
