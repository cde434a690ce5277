"""A load generator: so many connections that each send the same request again as soon as its answer is there.

    python bench/load.py PORT PATH SECONDS CONNECTIONS < body

Prints requests a second and the 50th and 99th percentile of the time to an answer, as JSON. Runs in a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import cast

import uvloop

WELL = b"HTTP/1.1 200"
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Connection(asyncio.Protocol):
    """One keep-alive connection: a request is sent when the answer to the one before is whole."""

    def __init__(self, request: bytes, until: float, latencies: list[float], done: asyncio.Future[None]) -> None:
        self.request = request
        self.until = until
        self.latencies = latencies
        self.done = done
        self.received = b""
        self.sent_at = 0.0
        self.whole_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self.transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        """Take a piece of an answer; when it is whole, count it and send the next request."""
        if len(data) == self.whole_bytes and not self.received and data.startswith(WELL):  # as the one before, so it is whole
            self._answered()
            return
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        length = LENGTH.search(head) if found else None
        if length is None or len(body) < int(length[1]):
            return
        if not head.startswith(WELL):
            sys.stderr.write(f"not a 200: {self.received[:300]!r}\n")
            self.transport.close()
            return
        self.whole_bytes, self.received = len(self.received), b""
        self._answered()

    def _answered(self) -> None:
        now = time.perf_counter()
        self.latencies.append(now - self.sent_at)
        if now < self.until:
            self.sent_at = now
            self.transport.write(self.request)
        else:
            self.transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        """Tell that this connection has done its part."""
        if not self.done.done():
            self.done.set_result(None)

    def _send(self) -> None:
        self.sent_at = time.perf_counter()
        self.transport.write(self.request)


async def load(port: int, path: str, seconds: float, connections: int, body: bytes) -> dict[str, float]:
    """Keep the connections busy for so long and tell what came back."""
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    started = time.perf_counter()
    futures = []
    for _ in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        futures.append(done)
        await loop.create_connection(
            lambda done=done: Connection(head.encode() + body, started + seconds, latencies, done),  # type: ignore[misc]  # a default binds early
            "127.0.0.1",
            port,
        )
    await asyncio.gather(*futures)
    elapsed = time.perf_counter() - started
    ordered = sorted(latencies)
    return {
        "requests": len(ordered),
        "rps": len(ordered) / elapsed,
        "p50_ms": 1000 * ordered[len(ordered) // 2],
        "p99_ms": 1000 * ordered[int(len(ordered) * 0.99)],
    }


if __name__ == "__main__":
    arguments = int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), sys.stdin.buffer.read()
    json.dump(uvloop.run(load(*arguments)), sys.stdout)
