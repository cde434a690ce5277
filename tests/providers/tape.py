"""A source that misbehaves on demand: a real HTTP server on loopback, in one of many modes."""

from __future__ import annotations

import asyncio
import gzip
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

BOMB = gzip.compress(b"[" + b" " * (300 * 1024 * 1024) + b"]", compresslevel=9)
"""300 MiB of blanks, packed."""


class Tape:
    """Answers every request as `mode` says, after `delay_seconds`; `answers` holds what the mode `ok` gives, by path."""

    def __init__(self) -> None:
        self.mode = "ok"
        self.delay_seconds = 0.0
        self.answers: dict[str, bytes] = {}
        self.headers: dict[str, str] = {}
        self.seen: deque[web.Request] = deque(maxlen=1_000)
        self.address = ""
        self.elsewhere = ""

    @property
    def calls(self) -> int:
        """How many requests came."""
        return len(self.seen)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        self.seen.append(request)
        await asyncio.sleep(self.delay_seconds)
        modes: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
            "slow": self._slow,
            "drip": self._drip,
            "stall": self._stall,
            "reset": self._reset,
            "truncated": self._truncated,
        }
        if self.mode in modes:
            return await modes[self.mode](request)
        return self._plain(request)

    def _plain(self, request: web.Request) -> web.StreamResponse:
        match self.mode:
            case "html":
                return web.Response(text="<html><body>Maintenance</body></html>", content_type="text/html")
            case "empty object":
                return web.json_response({})
            case "redirect":
                return web.Response(status=302, headers={"Location": f"{self.elsewhere}/caught"})
            case "bomb":
                return web.Response(body=BOMB, headers={"Content-Encoding": "gzip"}, content_type="application/json")
            case "ok":
                body = self.answers.get(request.path)
                return web.Response(status=404) if body is None else web.Response(body=body, content_type="application/json")
            case status:
                return web.Response(status=int(status), text="key=CANARY", headers=self.headers)

    async def _slow(self, _: web.Request) -> web.StreamResponse:
        await asyncio.sleep(10)
        return web.Response()

    async def _stall(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"[")
        await asyncio.sleep(10)
        return response

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b" ")
            await asyncio.sleep(0.1)
        return response

    async def _reset(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def _truncated(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'[{"start"')
        assert request.transport is not None
        request.transport.close()
        return response


@asynccontextmanager
async def running_tape(tape: Tape | None = None) -> AsyncIterator[Tape]:
    """A tape, or one of its kind, on a free port."""
    tape = Tape() if tape is None else tape
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", tape.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    tape.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield tape
    finally:
        await runner.cleanup()
