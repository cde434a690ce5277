"""Connections that were refused and are not read for a while: who asks again sooner than told waits in the system, at no cost.

To read a small request and to write its refusal takes a good part of what an answer would take, most of it in the system's own calls. Where
clients ask again at once, refusing three of four would so eat up what could be answered. So only some refusals in each tick are written and
forgotten; beyond them the connection rests: nothing is read from it until the time that Retry-After told is over, or sooner, as soon as
there is room for what it may have sent. What came meanwhile is then taken like any other request.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from service.shedding import RETRY_AFTER_SECONDS

if TYPE_CHECKING:
    import asyncio

    from service.shedding import Queue

TICK_SECONDS: Final = 0.02
A_TICK: Final = 10
"""So many are refused in one tick before others must rest, and so many are read again even though there is no room: 500 a second."""


class Restful(Protocol):
    """A connection that can be left unread."""

    def stop_reading(self) -> None:
        """Leave what comes in to the system."""
        ...

    def go_on_reading(self) -> None:
        """Take what has come in, unless there is another reason to wait; nothing happens to one that has closed."""
        ...


class Rest:
    """The resting connections of a process. `loop` tells the time and wakes."""

    __slots__ = ("_is_ticking", "_loop", "_queue", "_refused", "_resting")

    def __init__(self, queue: Queue, loop: asyncio.AbstractEventLoop) -> None:
        self._queue = queue
        self._loop = loop
        self._resting: deque[tuple[float, Restful]] = deque()
        self._refused = 0
        self._is_ticking = False

    def __len__(self) -> int:
        return len(self._resting)

    def refused(self, connection: Restful) -> None:
        """Take note that this connection was refused a request just now; it rests if many were."""
        self._refused += 1
        if not self._is_ticking:
            self._is_ticking = True
            self._loop.call_later(TICK_SECONDS, self._tick)
        if self._refused > A_TICK:
            connection.stop_reading()
            self._queue.is_held_short = True
            self._resting.append((self._loop.time() + RETRY_AFTER_SECONDS, connection))

    def end(self) -> None:
        """Read from all again."""
        while self._resting:
            self._resting.popleft()[1].go_on_reading()
        self._queue.is_held_short = False

    def _tick(self) -> None:
        room = max(A_TICK, self._queue.most_waiting - self._queue.waiting)
        now = self._loop.time()
        while self._resting and (room > 0 or self._resting[0][0] <= now):
            self._resting.popleft()[1].go_on_reading()
            room -= 1
        self._queue.is_held_short = bool(self._resting)
        self._is_ticking = bool(self._refused or self._resting)
        self._refused = 0
        if self._is_ticking:
            self._loop.call_later(TICK_SECONDS, self._tick)
