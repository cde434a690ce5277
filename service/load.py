"""How busy this process is: what readiness, the metrics and the shedding look at. One such object lives beside each application."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from gridgram.errors import GridgramError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

log = structlog.get_logger()

BEAT_SECONDS = 0.05
KEPT_LAGS = 200
BLOCKED_SECONDS = 0.25
"""A loop held up for longer is worth a line in the log."""
QUIET_SECONDS = 60.0
"""At most one such line in this time."""


class Draining(GridgramError):
    """The service was told to stop."""

    code = "draining"


@dataclass(slots=True)
class Load:
    """Gauges and counters of one process. Counters only grow."""

    worker: int = 0
    """Which of the workers this is, from 0; 0 too where there is but one process."""
    is_draining: bool = False
    """Whether the end has been asked for: readiness says no, and no new connection comes once the notice is over."""
    requests_under_way: int = 0
    requests_refused: int = 0
    """Answered with 503 `overloaded`, as more waited than could be answered in time."""
    connections: int = 0
    """Open ones, as of the last look (each second)."""
    connections_resting: int = 0
    """Of them those that are not read, as they were refused a moment ago (each second)."""
    connections_refused: int = 0
    """Closed at once, or after a 503, as too many were open."""
    connections_cut: dict[str, int] = field(default_factory=lambda: {"head": 0, "body": 0, "answer": 0})
    """Closed as too slow, by what was slow: a request's head, its body, or reading the answer."""
    lags_seconds: deque[float] = field(default_factory=lambda: deque([0.0], maxlen=KEPT_LAGS))
    """How much later than asked for the event loop came back to a timer, in the last ten seconds. [s]"""

    @property
    def worst_lag_seconds(self) -> float:
        """The worst lag of the last ten seconds. [s]"""
        return max(self.lags_seconds)


LOAD: web.AppKey[Load] = web.AppKey("load")


@asynccontextmanager
async def watched_loop(load: Load) -> AsyncIterator[None]:
    """Measure the lag of the running event loop until the end of the block."""
    task = asyncio.create_task(_beat(load))
    try:
        yield
    finally:
        task.cancel()


async def _beat(load: Load) -> None:
    told_at = -QUIET_SECONDS
    while True:
        due = time.perf_counter() + BEAT_SECONDS
        await asyncio.sleep(BEAT_SECONDS)
        late = max(0.0, time.perf_counter() - due)
        load.lags_seconds.append(late)
        if late > BLOCKED_SECONDS and due - told_at > QUIET_SECONDS:
            told_at = due
            log.warning("loop.blocked", ms=round(1000 * late))
