"""When to refuse requests, and how to do it for a part of what an answer costs.

A process that takes in more than it can answer lets everybody wait until nobody's answer is of use. So the requests that have arrived
and not been begun are counted. A burst may queue up; once more than `most_waiting` wait in a queue that has not been empty for
`burst_seconds`, a request that would make it longer is refused with 503, and so is what is left of the burst. (The rule of Facebook's
"Fail at Scale", Maurer, ACM Queue 13(8), 2015, counted in requests and applied where one arrives.) A turn of the event loop begins only
so many of a long queue, so that a refusal, which is written as soon as its request is read, never waits for all of the queue to be
answered.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import orjson

from service.guard import HEADERS
from service.problems import CONTENT_TYPE, problem_document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

RETRY_AFTER_SECONDS = 1
SPARED = (b"GET /healthz ", b"GET /readyz ", b"GET /metrics ")
"""Never refused: whoever looks after the service must see it at its worst too."""
SPARED_PATHS = frozenset(line.split()[1].decode() for line in SPARED)
LONG_QUEUE = 32
"""A longer queue is not worked off in one go: others must be seen, and refused, meanwhile."""
TURN_REQUESTS = 8
"""So many requests of a long queue are begun in one turn of the event loop: some milliseconds at most."""
SHORT_SHARE = 0.25
"""One that is answered in one go counts for so much of another."""
REFUSED_DETAIL = f"more requests wait than can be answered in time; try again in {RETRY_AFTER_SECONDS} s"


class Queue:
    """The requests of this process that have arrived and not been begun. Times are those of `time.perf_counter`. [s]"""

    __slots__ = ("_burst_seconds", "_over_since", "_parked", "is_held_short", "most_waiting", "waiting")

    def __init__(self, most_waiting: int, burst_seconds: float) -> None:
        self.most_waiting = most_waiting
        self.waiting = 0
        self.is_held_short = False
        """Whether it is as short as it is because others are kept from it: then what comes is no burst, even if the queue was empty."""
        self._burst_seconds = burst_seconds
        self._over_since: float | None = None
        self._parked: deque[tuple[Callable[[bool], None], float]] = deque()

    def is_full(self, now: float) -> bool:
        """Whether a request that arrives now is to be refused."""
        if self.waiting < self.most_waiting:
            return False
        if self._over_since is None:
            self._over_since = now
        if now - self._over_since < self._burst_seconds:
            return False
        while len(self._parked) > self.most_waiting:  # what is left of the burst would let all that come wait for as long again
            self._parked.pop()[0](False)
        return True

    def leave(self) -> None:
        """Take out a request that is begun, or never will be. A queue that was empty for a moment does not stand."""
        self.waiting -= 1
        if not self.waiting and not self.is_held_short:
            self._over_since = None

    @property
    def is_long(self) -> bool:
        """Whether more wait than are begun in one go."""
        return self.waiting > LONG_QUEUE

    async def turn(self) -> bool:
        """Wait until it is the turn of this request in a long queue; False if it is to be refused, as the queue has stood for too long."""
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def tell(may_begin: bool) -> None:  # noqa: FBT001 - as `park` wants it
            if not turn.done():
                turn.set_result(may_begin)

        self.park(tell, 1.0)
        return await turn

    def park(self, tell: Callable[[bool], None], share: float) -> None:
        """Call `tell` when it is the turn of a request, with whether it may begin; `share` is what it counts for."""
        if not self._parked:
            loop = asyncio.get_running_loop()
            loop.call_soon(self._begin_some, loop)
        self._parked.append((tell, share))

    def _begin_some(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            begun, most = 0.0, TURN_REQUESTS if self.is_long else len(self._parked)
            while self._parked and begun < most:
                tell, share = self._parked.popleft()
                begun += share
                tell(True)
        finally:
            if self._parked:
                loop.call_soon(self._begin_some, loop)


def is_whole_request(received: bytes) -> bool:
    """Whether these bytes are one plain request from its first to its last byte, so that it can be refused without being parsed.

    Says no whenever there is doubt (chunks, Expect, Upgrade, HTTP/1.0, a HEAD); the parser decides then.
    """
    end = received.find(b"\r\n\r\n")
    if end < 0 or not received.startswith((b"GET /", b"POST /")):
        return False
    head = received[: end + 2].lower()
    line_end = head.index(b"\r\n")
    if not head.endswith(b" http/1.1", 0, line_end) or b"transfer-encoding" in head or b"expect" in head or b"upgrade" in head:
        return False
    if b"connection" in head and b"\r\nconnection: keep-alive\r\n" not in head:
        return False
    body_bytes = len(received) - end - 4
    count = head.count(b"content-length")
    if not count:
        return body_bytes == 0
    return count == 1 and b"\r\ncontent-length: %d\r\n" % body_bytes in head


def canned_answer(code: str, reason: str, detail: str, headers: Mapping[str, str]) -> bytes:
    """A problem document with its HTTP head, ready to be sent as it is. It has no request id: nothing was read of the request."""
    document = problem_document(code, detail)
    body = orjson.dumps(document)
    lines = {"Content-Type": CONTENT_TYPE, "Content-Length": str(len(body)), "Cache-Control": "no-store", **HEADERS, **headers}
    head = "".join(f"{name}: {text}\r\n" for name, text in lines.items())
    return f"HTTP/1.1 {document['status']} {reason}\r\n{head}\r\n".encode() + body


REFUSAL = canned_answer("overloaded", "Service Unavailable", REFUSED_DETAIL, {"Retry-After": str(RETRY_AFTER_SECONDS)})
"""To a request; the connection stays open."""
REFUSAL_OF_CONNECTION = canned_answer(
    "overloaded",
    "Service Unavailable",
    "too many connections are open; close those you do not use, and try again",
    {"Retry-After": str(RETRY_AFTER_SECONDS), "Connection": "close"},
)
TOO_SLOW = canned_answer(
    "request-timeout", "Request Timeout", "the head of the request did not come in time; send it in one piece", {"Connection": "close"}
)
