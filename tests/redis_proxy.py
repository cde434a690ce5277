"""A way to a server that can be slow, broken or inside TLS: a small TCP proxy, on the loop of the test or on a thread of its own."""

from __future__ import annotations

import asyncio
import random
import threading
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterator

CHUNK_BYTES = 65_536
LOOK_SECONDS = 0.01
Mode = Literal["ok", "stall", "cut", "reset", "truncate", "garbage"]
"""What is done with an answer: passed on, held back until the mode is another one, or replaced by a closed connection, a reset one,
its first half and a reset, or nonsense."""


@dataclass(slots=True)
class Proxy:
    """Passes bytes on to a port. Each piece of an answer waits up to `delay_seconds`, a random share of it when `is_even` is not set."""

    target_port: int
    delay_seconds: float = 0.0
    is_even: bool = True
    garbled_share: float = 0.0
    mode: Mode = "ok"
    port: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one connection."""
        try:
            there, onward = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.transport.abort()
            return
        self.writers = [open_one for open_one in self.writers if not open_one.is_closing()] + [writer, onward]
        for source, sink, is_answer in ((reader, onward, False), (there, writer, True)):
            task = asyncio.ensure_future(self._pass(source, sink, is_answer=is_answer))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    def cut(self) -> None:
        """Break every connection that is open."""
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, is_answer: bool) -> None:
        with suppress(OSError):
            while piece := await source.read(CHUNK_BYTES):
                if is_answer and self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds * (1.0 if self.is_even else random.random()))  # noqa: S311 - a delay
                passed = await self._broken(piece, sink) if is_answer else piece
                if passed is None:
                    break
                sink.write(passed)
                await sink.drain()
        sink.close()

    async def _broken(self, piece: bytes, sink: asyncio.StreamWriter) -> bytes | None:
        """What the mode makes of a piece of an answer; None when it ends the connection."""
        while self.mode == "stall":  # noqa: ASYNC110 - the mode is set from another thread
            await asyncio.sleep(LOOK_SECONDS)
        match self.mode:
            case "garbage":
                return random.randbytes(len(piece))  # noqa: S311 - nonsense
            case "cut":
                return None
            case "reset" | "truncate":
                if self.mode == "truncate":
                    sink.write(piece[: len(piece) // 2])
                    await sink.drain()
                sink.transport.abort()
                return None
        return self._garbled(piece)

    def _garbled(self, piece: bytes) -> bytes:
        """The piece, or for a share of them: nonsense, half of it, or an HTTP server's."""
        if random.random() >= self.garbled_share:  # noqa: S311 - which one is chance
            return piece
        others = [random.randbytes(40), piece[: len(piece) // 2], b"HTTP/1.1 400 Bad Request\r\n\r\n"]  # noqa: S311
        return random.choice(others)  # noqa: S311


@asynccontextmanager
async def proxy_to(port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
    """A proxy to a port of this machine, until the end of the block; with a context it speaks TLS to whoever connects."""
    proxy = Proxy(port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=tls)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in list(proxy.tasks):
            task.cancel()
        await asyncio.gather(*proxy.tasks, return_exceptions=True)
        for writer in proxy.writers:
            writer.transport.abort()
        await asyncio.sleep(0)


@contextmanager
def proxy_on_a_thread(port: int) -> Iterator[Proxy]:
    """A proxy to a port of this machine that goes on whatever the test does; its fields may be set from the test."""
    loop, ready, end = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    proxies: list[Proxy] = []

    async def serve() -> None:
        async with proxy_to(port) as proxy:
            proxies.append(proxy)
            ready.set()
            await end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait(10)
    try:
        yield proxies[0]
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()
